//! `zkmargin inspect`.

use std::fmt::Write as _;
use std::path::PathBuf;

use anyhow::{Context as _, bail};
use clap::Args;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use zkmargin_prover::batch::BatchFile;
use zkmargin_prover::fill::Fills;
use zkmargin_prover::keys::KeyFile;
use zkmargin_prover::running::{self, Head};
use zkmargin_risk::account::AccountFile;
use zkmargin_risk::case::Case;
use zkmargin_risk::history::History;
use zkmargin_risk::json::MAX_BYTES;
use zkmargin_risk::market::Snapshot;
use zkmargin_risk::model::Model;
use zkmargin_risk::venue_file::VenueFile;
use zkmargin_verifier::breaker::Reference;
use zkmargin_verifier::envelope::FileKind;
use zkmargin_verifier::words::{counted, network};
use zkmargin_verifier::{Bundle, Opening, Policy, ProofHash, SignedAttestation, SignedRelease, SnapshotSignature};

use crate::answer::Answer;
use crate::load;
use crate::{history, snapshot, universe};

/// `inspect`: the signature of an attestation, a release or a snapshot is compared with the key that the file names. Nothing else is verified,
/// and no secret is shown.
#[derive(Debug, Args)]
pub(crate) struct Inspect {
    /// A universe, snapshot, price history, model, case, batch, policy, venue file, account, fills, key, running commitment, attestation, opening, release, bundle, reference file or signature on a snapshot; or the
    /// name of a model preset.
    file: PathBuf,
}

pub(crate) fn run(args: &Inspect) -> anyhow::Result<Answer> {
    if !args.file.exists() && load::preset(&args.file).is_some() {
        return Ok(model(&load::model(&args.file)?));
    }
    load::load(&args.file, MAX_BYTES, look)
}

fn look(bytes: &[u8]) -> anyhow::Result<Answer> {
    match FileKind::of(bytes) {
        Some(FileKind::Attestation) => return Ok(attestation(&SignedAttestation::from_bytes(bytes)?)),
        Some(FileKind::Opening) => return Ok(opening(&Opening::from_bytes(bytes)?)),
        Some(FileKind::Bundle) => return Ok(bundle(&Bundle::from_bytes(bytes)?)),
        Some(FileKind::Release) => return Ok(release(&SignedRelease::from_bytes(bytes)?)),
        Some(FileKind::SnapshotSignature) => return Ok(snapshot_signature(&SnapshotSignature::from_bytes(bytes)?)),
        None => {}
    }
    if bytes
        .windows(running::MAGIC.len())
        .take(8)
        .any(|start| start == running::MAGIC.as_bytes())
    {
        return Ok(running_commitment(&Head::read(bytes)?));
    }
    let unknown = "neither JSON nor one of our binary files";
    let text = load::text(bytes).context(unknown)?;
    // Keys alone tell the kinds of JSON files apart. Values are skipped, not kept: they may be secret.
    #[derive(Deserialize)]
    struct Keys(BTreeMap<String, IgnoredAny>);
    let keys: Keys = serde_json::from_str(text)
        .map_err(|error| anyhow::anyhow!("{unknown}: line {}, column {}", error.line(), error.column()))?;
    let has = |names: &[&str]| names.iter().all(|name| keys.0.contains_key(*name));
    Ok(if has(&["key", "signing"]) {
        let key = KeyFile::of_any_role(bytes)?;
        Answer::new(
            format!(
                "Key file of {}, secret\nPublic key {}",
                key.role().with_article(),
                key.public()
            ),
            json!({ "kind": "key", "role": key.role().word(), "public": key.public() }),
        )
    } else if has(&["network", "k", "venues"]) {
        let found = load::universe_of(text)?;
        Answer::new(universe::describe(&found), universe::data(&found, None))
    } else if has(&["instant", "underlyings"]) {
        let found = Snapshot::from_json(text)?;
        Answer::new(snapshot::describe(&found), snapshot::data(&found, None))
    } else if has(&["instant", "indices"]) {
        let found = Reference::from_json(bytes)?;
        Answer::new(
            format!(
                "Reference prices of {}: {}",
                found.instant,
                counted(found.indices.len(), "underlying")
            ),
            json!({ "kind": "reference", "reference": serde_json::to_value(&found).unwrap_or(Value::Null) }),
        )
    } else if has(&["provenance", "days"]) {
        let found = History::from_json(text)?;
        Answer::new(history::describe(&found), history::data(&found, None))
    } else if has(&["model", "snapshot", "venues", "accounts"]) {
        let found = Case::from_json(text)?;
        let (model, legs) = (found.model.name(), found.universe.layout().legs().len());
        Answer::new(
            format!(
                "Case, as secret as the portfolio in it: under {model}, {}, market of {}",
                counted(legs, "leg"),
                found.snapshot.instant
            ),
            json!({ "kind": "case", "model": model, "legs": legs, "instant": found.snapshot.instant }),
        )
    } else if has(&["statements"]) {
        let found = BatchFile::from_json(text)?;
        let accounts: usize = found.statements.iter().map(|entry| entry.accounts.len()).sum();
        Answer::new(
            format!(
                "Batch: {} of {}",
                counted(found.statements.len(), "statement"),
                counted(accounts, "account")
            ),
            json!({ "kind": "batch", "statements": found.statements.len(), "accounts": accounts }),
        )
    } else if has(&["model"]) {
        model(&Model::from_json(text)?)
    } else if has(&["audience", "books"]) {
        policy(&Policy::from_json(bytes)?)
    } else if has(&["name", "classes"]) {
        let found = VenueFile::from_json(text)?;
        Answer::new(
            format!(
                "Venue file of {:?}: {}, {} of instruments",
                found.name,
                counted(found.assets.len(), "asset"),
                if found.classes.len() == 1 {
                    "1 class".to_owned()
                } else {
                    format!("{} classes", found.classes.len())
                },
            ),
            json!({ "kind": "venue", "name": found.name, "assets": found.assets.len(), "classes": found.classes.len() }),
        )
    } else if has(&["venue"]) && (has(&["fills"]) || has(&["transfers"])) {
        let found = Fills::from_json(bytes)?;
        Answer::new(
            format!(
                "Fills of an account at {:?}, secret: {}, {}",
                found.venue,
                counted(found.fills.len(), "trade"),
                counted(found.transfers.len(), "transfer"),
            ),
            json!({ "kind": "fills", "venue": found.venue, "trades": found.fills.len(), "transfers": found.transfers.len() }),
        )
    } else if has(&["venue"]) {
        let found: AccountFile = zkmargin_risk::json::from_str(text)?;
        Answer::new(
            format!(
                "Account at {:?}, secret: {}, {}",
                found.venue,
                counted(found.positions.len(), "position"),
                counted(found.balances.len(), "balance"),
            ),
            json!({
                "kind": "account", "venue": found.venue, "positions": found.positions.len(), "balances": found.balances.len(),
            }),
        )
    } else {
        bail!(
            "JSON, but of no kind that is looked into here: a key, universe, snapshot, reference prices, price history, case, batch, model, policy, venue file, fills or account"
        )
    })
}

fn model(model: &Model) -> Answer {
    let (name, numeraire, digest) = (model.name(), model.numeraire(), model.digest());
    let (mut text, mut data) = (
        format!("Model {digest}\n{name}, counted in {numeraire}"),
        json!({ "kind": "model", "digest": digest, "name": name, "numeraire": numeraire }),
    );
    if let Some(history) = model.history() {
        let _ = write!(text, "\nNeeds the price history {history}");
        data["history"] = json!(history);
    }
    Answer::new(text, data)
}

fn release(release: &SignedRelease) -> Answer {
    let content = release.content();
    let verdict = match release.verify() {
        Ok(()) => "signed by that audience".to_owned(),
        Err(error) => format!("NOT signed by that audience: {error}"),
    };
    let text = format!(
        "Release of account {} at {:?}, from {} on\nBy audience {}, book {}; {verdict}\nOf attestation {}",
        content.account, content.venue, content.time, content.audience, content.book, content.attestation
    );
    let data = json!({
        "kind": "release", "venue": content.venue, "account": content.account, "audience": content.audience, "book": content.book,
        "attestation": content.attestation, "time": content.time, "network": content.network,
        "signature_fits_audience": release.verify().is_ok(),
    });
    Answer::new(text, data)
}

fn policy(policy: &Policy) -> Answer {
    let mut text = format!(
        "Policy of audience {}, network {}\n",
        policy.audience,
        network(policy.network)
    );
    let books: Vec<&str> = policy.books.iter().map(|book| book.as_str()).collect();
    let venues: Vec<&str> = policy.venues.keys().map(String::as_str).collect();
    let _ = writeln!(text, "Books: {}\nVenues: {}", books.join(", "), venues.join(", "));
    let _ = write!(
        text,
        "{} level, ratio {}, excess {}",
        policy.level, policy.ratio, policy.excess
    );
    let rules = serde_json::to_value(policy).unwrap_or(Value::Null);
    Answer::new(text, json!({ "kind": "policy", "policy": rules }))
}

fn snapshot_signature(signed: &SnapshotSignature) -> Answer {
    let is_good = signed.verify().is_ok();
    let signature = if is_good {
        "fits the key that it names"
    } else {
        "IS WRONG"
    };
    Answer::new(
        format!(
            "Signature on a snapshot, network {}; it {signature}\nSnapshot {}\nPublisher {}",
            network(signed.network),
            signed.snapshot,
            signed.key
        ),
        json!({
            "kind": "snapshot-signature", "network": signed.network, "snapshot": signed.snapshot, "publisher": signed.key,
            "signature_fits_key": is_good, "protocol": signed.protocol,
        }),
    )
}

fn running_commitment(head: &Head<'_>) -> Answer {
    Answer::new(
        format!(
            "Running commitment to an account at {:?}, secret\nUniverse {}",
            head.venue, head.universe
        ),
        json!({ "kind": "running-commitment", "venue": head.venue, "universe": head.universe, "k": head.k }),
    )
}

fn opening(opening: &Opening) -> Answer {
    let (venue, account, epoch) = (&opening.venue, opening.account, opening.epoch);
    Answer::new(
        format!(
            "Opening of an attestation of venue {venue:?}, secret\nAccount {account} at {epoch}, {}\nUniverse {}",
            counted(opening.columns.len(), "column"),
            opening.universe,
        ),
        json!({
            "kind": "opening", "venue": venue, "account": account, "epoch": epoch, "columns": opening.columns.len(),
            "universe": opening.universe, "k": opening.k,
        }),
    )
}

fn attestation(signed: &SignedAttestation) -> Answer {
    let content = signed.content();
    let signature = if signed.verify().is_ok() {
        "fits the key that it names"
    } else {
        "IS WRONG"
    };
    let text = format!(
        "Attestation by venue {:?}, network {}; its signature {signature}\n\
         Account {} of subject {} (one of {})\nEpoch {}, signed {}, good until {}, withdrawals {}\n\
         For audience {}, book {:?}\nKey {}\nUniverse {}, {}",
        content.venue,
        network(content.network),
        content.account,
        content.subject,
        content.accounts,
        content.epoch,
        content.time,
        content.expiry,
        if content.held { "held" } else { "not held" },
        content.audience,
        content.book.as_str(),
        signed.key(),
        content.universe,
        counted(content.points.len(), "commitment"),
    );
    let mut data = attestation_data(signed);
    data["kind"] = json!("attestation");
    data["signature_fits_key"] = json!(signed.verify().is_ok());
    Answer::new(text, data)
}

fn attestation_data(signed: &SignedAttestation) -> Value {
    let content = signed.content();
    let points: Vec<String> = content
        .points
        .iter()
        .map(|point| hex::encode(point.to_bytes()))
        .collect();
    json!({
        "network": content.network, "universe": content.universe, "k": content.k, "venue": content.venue, "subject": content.subject,
        "account": content.account, "accounts": content.accounts, "epoch": content.epoch, "time": content.time, "expiry": content.expiry,
        "audience": content.audience, "book": content.book, "held": content.held, "key": signed.key(), "commitments": points,
    })
}

fn bundle(bundle: &Bundle) -> Answer {
    let hash = hex::encode(ProofHash::of(&bundle.proof).0);
    let mut text = format!(
        "Bundle of {} and a proof of {} bytes (hash {hash}). Nothing was verified: zkmargin-verify does that.\n",
        counted(bundle.statements.len(), "statement"),
        bundle.proof.len(),
    );
    let mut statements = Vec::new();
    let count = bundle.statements.len();
    for (index, signed) in bundle.statements.iter().enumerate() {
        let statement = &signed.statement;
        let (terms, window) = (&statement.terms, statement.window);
        let order = terms.order.as_ref().map(ToString::to_string);
        let deposit = terms.deposit.as_ref().map(ToString::to_string);
        let _ = writeln!(
            text,
            "Statement {} of {count} says that value - {} x {} requirement >= {} for audience {}, book {:?},\n  from {} until {}, nonce {}",
            index + 1,
            terms.ratio,
            terms.margin,
            terms.excess,
            statement.audience,
            statement.book.as_str(),
            window.from,
            window.until,
            hex::encode(statement.nonce),
        );
        for (word, what) in [("order", &order), ("deposit", &deposit)] {
            if let Some(what) = what {
                let _ = writeln!(text, "  after the {word} {what}");
            }
        }
        for attestation in &statement.attestations {
            let content = attestation.content();
            let _ = writeln!(
                text,
                "  account {} at {:?}, {}",
                content.account, content.venue, content.epoch
            );
        }
        statements.push(json!({
            "level": terms.margin.to_string(), "ratio": terms.ratio.to_string(), "excess": terms.excess, "order": order,
            "deposit": deposit, "audience": statement.audience, "book": statement.book, "nonce": hex::encode(statement.nonce),
            "from": window.from, "until": window.until, "replaces": statement.replaces,
            "attestations": statement.attestations.iter().map(attestation_data).collect::<Vec<_>>(),
            "signed_by": signed.signatures.iter().map(|signature| signature.subject).collect::<Vec<_>>(),
        }));
    }
    let data = json!({
        "kind": "bundle", "verified": false, "statements": statements, "proof_bytes": bundle.proof.len(), "proof_hash": hash,
    });
    Answer::new(text, data)
}
