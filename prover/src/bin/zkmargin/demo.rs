//! `zkmargin demo`: the whole story on a real option chain.
//!
//! Every `zkmargin` command that is printed is run as printed, through the tool's own parser and verbs; every
//! `zkmargin-verify` command through the library behind that tool. Each refusal must be for the right reason, else the
//! demonstration itself fails.

mod partner;
mod stage;

use std::fs;
use std::io;
use std::path::PathBuf;

use anyhow::{Context as _, bail};
use clap::Args;
use serde_json::{Value, json};
use zkmargin_prover::prove::ProveError;
use zkmargin_verifier::VerifyError;
use zkmargin_verifier::facts::FactRefusal;
use zkmargin_verifier::output::{Secrecy, WriteError, write_file};

use crate::answer::Answer;
use crate::demo::partner::Partner;
use crate::demo::stage::Stage;
use crate::failure::NOT_MET;

/// The instant of the snapshot, and of what the accounts held.
const EPOCH: &str = "2026-08-06T12:00:00Z";
/// When everything is signed, proven and verified: a minute later.
const AT: &str = "2026-08-06T12:01:00Z";
/// The last instant of the attestations.
const EXPIRES: &str = "2026-08-06T13:00:00Z";
/// The margin model.
const MODEL: &str = "paradex-pm";
/// The partner's name of the credit line.
const BOOK: &str = "credit-line-7";

/// What the folder begins with: a recorded market, two venues' listings, and three accounts.
const FILES: [(&str, &str, Secrecy); 6] = [
    (
        "snapshot.json",
        include_str!("../../../../examples/snapshots/2026-08-06T1200Z.json"),
        Secrecy::Public,
    ),
    (
        "optionhouse.json",
        include_str!("../../../../examples/venues/optionhouse.json"),
        Secrecy::Public,
    ),
    (
        "perphouse.json",
        include_str!("../../../../examples/venues/perphouse.json"),
        Secrecy::Public,
    ),
    (
        "options-account.json",
        include_str!("../../../../examples/accounts/options-account.json"),
        Secrecy::Secret,
    ),
    (
        "hedge-account.json",
        include_str!("../../../../examples/accounts/hedge-account.json"),
        Secrecy::Secret,
    ),
    (
        "short-account.json",
        include_str!("../../../../examples/accounts/short-account.json"),
        Secrecy::Secret,
    ),
];

/// Everything else that is written there.
const OUTPUTS: [&str; 20] = [
    "universe.json",
    "optionhouse.key",
    "perphouse.key",
    "trader.key",
    "partner.key",
    "stranger.key",
    "heat-map.svg",
    "options.attestation",
    "options.opening",
    "hedge.attestation",
    "hedge.opening",
    "short.attestation",
    "short.opening",
    "margin.bundle",
    "policy.json",
    "stranger-policy.json",
    "changed.bundle",
    "signed-again.bundle",
    "twice.bundle",
    "none.bundle",
];

/// `demo`: options at one venue, hedge and collateral at another; each account alone is short of margin, both together are not, and that
/// is proven to a partner who sees neither.
#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// The folder to leave behind.
    #[arg(long, value_name = "FOLDER", default_value = "zkmargin-demo")]
    dir: PathBuf,
    /// Uses a folder that is not empty; the demonstration's own files in it are replaced.
    #[arg(long)]
    force: bool,
}

pub(crate) fn run(args: &Demo, as_json: bool) -> anyhow::Result<Answer> {
    prepare(args)?;
    let mut stage = Stage::new(!as_json);
    stage.say(&format!(
        "A trader holds options at one venue, the hedge and the collateral at another, and wants credit of a partner who is to see\n\
         neither account. A proof does it: here on a recorded market. Every command below is run as printed, in the folder\n\
         {}, which is left behind. Of the reports of each account alone one line is shown. How long the partner's\n\
         verification took is added by this demonstration: zkmargin-verify itself does not say it.",
        args.dir.display()
    ))?;
    std::env::set_current_dir(&args.dir).with_context(|| args.dir.display().to_string())?;
    let timing = tell(&mut stage).context("the demonstration went wrong")?;
    let text = format!(
        "\nEverything above is in {}, keys and secrets included: look at any file with `zkmargin inspect`.\n\
         Not audited. What is not proven is said with every verdict.",
        args.dir.display(),
    );
    let data = json!({ "folder": args.dir.display().to_string(), "timing": timing, "steps": stage.into_steps() });
    Ok(Answer::new(text, data))
}

/// An empty folder, or with --force one without the demonstration's files, and in it what the story begins with.
fn prepare(args: &Demo) -> anyhow::Result<()> {
    let at = || args.dir.display().to_string();
    fs::create_dir_all(&args.dir).with_context(at)?;
    let is_empty = fs::read_dir(&args.dir).with_context(at)?.next().is_none();
    if !is_empty && !args.force {
        bail!(
            "{} is not empty; --force uses it all the same, or choose another with --dir",
            at()
        );
    }
    for name in FILES.iter().map(|(name, ..)| *name).chain(OUTPUTS) {
        let path = args.dir.join(name);
        match fs::remove_file(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                return Err(WriteError::Io { path, source }.into());
            }
            _ => {}
        }
    }
    for (name, text, secrecy) in FILES {
        write_file(&args.dir.join(name), text.as_bytes(), secrecy, false)?;
    }
    Ok(())
}

fn tell(stage: &mut Stage) -> anyhow::Result<Value> {
    stage.chapter("The market and the venues")?;
    stage.say(
        "The folder begins with snapshot.json (a recorded market), optionhouse.json and perphouse.json (what two venues list)\n\
         and three accounts; everything else is made here, as printed.",
    )?;
    stage.run(&["inspect", "snapshot.json"])?;
    let [optionhouse, perphouse] = [
        keygen(stage, "venue", "optionhouse.key")?,
        keygen(stage, "venue", "perphouse.key")?,
    ];
    let [trader, partner, stranger] = [
        keygen(stage, "subject", "trader.key")?,
        keygen(stage, "audience", "partner.key")?,
        keygen(stage, "audience", "stranger.key")?,
    ];
    let (first, second) = (format!("optionhouse={optionhouse}"), format!("perphouse={perphouse}"));
    stage.run(&[
        "universe",
        "build",
        "--venue",
        "optionhouse.json",
        "--venue",
        "perphouse.json",
        "--key",
        &first,
        "--key",
        &second,
        "--snapshot",
        "snapshot.json",
        "--network",
        "test",
        "-o",
        "universe.json",
    ])?;

    stage.chapter("The trader's private view")?;
    stage.say("Options at one venue, hedge and collateral at the other. Each account alone is short of margin:")?;
    for account in ["options-account.json", "hedge-account.json"] {
        let report = stage.run_quietly(&margin(&[account], &[]), NOT_MET)?;
        stage.say(&format!("{}\n(exit code {NOT_MET})", excess(report.data())))?;
    }
    stage.say("\nTogether they are not:")?;
    stage.run(&margin(
        &["options-account.json", "hedge-account.json"],
        &["--svg", "heat-map.svg"],
    ))?;

    stage.chapter("The venues attest")?;
    let attest = |stage: &mut Stage, venue: &str, account: &str, id: &str, name: &str| {
        let (key, file) = (format!("{venue}.key"), format!("{account}-account.json"));
        let (attestation, opening) = (format!("{name}.attestation"), format!("{name}.opening"));
        stage.run(&[
            "venue",
            "attest",
            "--universe",
            "universe.json",
            "--key",
            &key,
            "--subject",
            &trader,
            "--account",
            &file,
            "--name",
            id,
            "--epoch",
            EPOCH,
            "--audience",
            &partner,
            "--book",
            BOOK,
            "--expires",
            EXPIRES,
            "--held",
            "--at",
            AT,
            "-o",
            &attestation,
            "--opening",
            &opening,
        ])
    };
    attest(stage, "optionhouse", "options", "account-1", "options")?;
    attest(stage, "perphouse", "hedge", "account-9", "hedge")?;

    stage.chapter("The partner asks, the trader proves")?;
    let partner_desk = Partner::new(stage, [&optionhouse, &perphouse], [&partner, &stranger])?;
    let nonce = partner_desk.nonce();
    let proving = |pairs: &[&str], out: &str| {
        let mut words: Vec<String> = [
            "prove",
            "--universe",
            "universe.json",
            "--snapshot",
            "snapshot.json",
            "--model",
            MODEL,
        ]
        .map(str::to_owned)
        .to_vec();
        for name in pairs {
            words.extend([
                "--attestation".to_owned(),
                format!("{name}.attestation"),
                "--opening".to_owned(),
                format!("{name}.opening"),
            ]);
        }
        words.extend(
            [
                "--level",
                "maintenance",
                "--ratio",
                "1.05",
                "--excess",
                "1000",
                "--audience",
                &partner,
                "--book",
                BOOK,
                "--nonce",
                &nonce,
                "--subject-key",
                "trader.key",
                "--valid-for",
                "30m",
                "--at",
                AT,
                "-o",
                out,
            ]
            .map(str::to_owned),
        );
        words
    };
    let words = proving(&["options", "hedge"], "margin.bundle");
    let proof = stage.run(&words.iter().map(String::as_str).collect::<Vec<_>>())?;

    stage.chapter("The partner verifies")?;
    let verifying_ms = partner_desk.accepts(stage, "margin.bundle")?;

    stage.chapter("What is refused")?;
    partner_desk.refusals(stage)?;
    stage.say("\nThe trader's own tool does not prove with one attestation used twice either:")?;
    let words = proving(&["options", "options", "hedge"], "none.bundle");
    stage.refused(
        &words.iter().map(String::as_str).collect::<Vec<_>>(),
        "none.bundle",
        |error| {
            matches!(
                error.downcast_ref(),
                Some(ProveError::Statement(VerifyError::Facts(
                    FactRefusal::AccountTwice { .. }
                )))
            )
        },
    )?;
    stage.say("\nAnd there is no proof for a book that is short of margin. The trader alone is told by how much:")?;
    attest(stage, "optionhouse", "short", "account-2", "short")?;
    let words = proving(&["short", "hedge"], "none.bundle");
    let error = stage.refused(
        &words.iter().map(String::as_str).collect::<Vec<_>>(),
        "none.bundle",
        |error| matches!(error.downcast_ref(), Some(ProveError::NotMet { .. })),
    )?;
    if let Some(ProveError::NotMet { shortfall, .. }) = error.downcast_ref() {
        stage.say(&format!(
            "short by {} (said to you alone: no bundle says it)",
            shortfall.reveal()
        ))?;
    }

    let proving_ms = proof
        .data()
        .get("proving_ms")
        .and_then(Value::as_f64)
        .unwrap_or_default();
    stage.say(&format!(
        "\nProven in {proving_ms:.0} ms, verified in {verifying_ms:.0} ms."
    ))?;
    Ok(
        json!({ "proving_ms": proving_ms, "verifying_ms": verifying_ms, "proof_bytes": proof.data().get("proof_bytes") }),
    )
}

/// Makes a key; its public half.
fn keygen(stage: &mut Stage, role: &str, file: &str) -> anyhow::Result<String> {
    let answer = stage.run(&["keygen", role, "-o", file])?;
    let public = answer.data().get("public").and_then(Value::as_str);
    Ok(public.context("keygen names no public key")?.to_owned())
}

fn margin<'a>(accounts: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
    let mut words = vec![
        "margin",
        "--universe",
        "universe.json",
        "--snapshot",
        "snapshot.json",
        "--model",
        MODEL,
    ];
    accounts.iter().for_each(|account| words.extend(["--account", account]));
    words.extend(["--level", "maintenance", "--ratio", "1.05", "--excess", "1000"]);
    words.extend_from_slice(more);
    words
}

/// One line of a report.
fn excess(report: &Value) -> String {
    let text = |name: &str| report.pointer(name).and_then(Value::as_str).unwrap_or("?").to_owned();
    format!(
        "value {}, maintenance requirement {}, V - 1.05 R - 1000 = {}",
        text("/value"),
        text("/levels/1/requirement"),
        text("/statement/excess"),
    )
}
