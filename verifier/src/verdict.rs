//! The answer to a valid bundle: what is proven, of whom, when; and what is not.

use std::fmt;

use serde::Serialize;
use zkmargin_risk::canonical::Digest;
use zkmargin_risk::instant::Instant;
use zkmargin_risk::terms::{Margin, Ratio20};
use zkmargin_risk::universe::Network;

use crate::attestation::{Attestation, Pseudonym, SignedAttestation};
use crate::book::Book;
use crate::dsse::PublicKey;
use crate::policy::as_text;
use crate::statement::Statement;
use crate::verify::Context;

/// What no margin proof says, whatever it proves.
pub const NOT_PROVEN: [&str; 6] = [
    "that the prices of the snapshot are right: you chose whose snapshot to accept",
    "that a venue tells the truth about its own books: its signature is taken for the facts of its own accounts",
    "that the trader has no account elsewhere: only the venues that you require must be there",
    "that anything is still there after the snapshot's instant, where a venue does not hold withdrawals",
    "that the model is wise, or complete: you chose the model, and its file says what it leaves out",
    "that this software is free of errors: neither it nor its proof system has been audited for this use",
];

/// What a valid bundle proves to the partner whose policy accepts it. Whose book it is, and which credit line, is in the statements: a service that
/// asked for one of several compares them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// The instant of verification.
    pub at: Instant,
    /// The network.
    pub network: Network,
    /// Digest of the universe.
    pub universe: Digest,
    /// Digest of the snapshot.
    pub snapshot: Digest,
    /// Instant of the snapshot, and epoch of all attestations.
    pub snapshot_instant: Instant,
    /// Digest and instant of the later snapshot, if a statement is about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub later: Option<(Digest, Instant)>,
    /// Name of the model.
    pub model: String,
    /// Digest of the model.
    pub model_digest: Digest,
    /// Digest of the price history that the model is computed from, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub history: Option<Digest>,
    /// What least excesses are counted in.
    pub numeraire: String,
    /// What is proven, one entry per statement.
    pub statements: Vec<ProvenStatement>,
    /// What is not.
    pub not_proven: Vec<&'static str>,
}

/// One proven statement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ProvenStatement {
    /// The statement digest.
    pub digest: Digest,
    /// `initial`, `maintenance` or `variation`.
    #[serde(serialize_with = "as_text::serialize")]
    pub level: Margin,
    /// By which ratio the requirement is met at least.
    #[serde(serialize_with = "as_text::serialize")]
    pub ratio: Ratio20,
    /// By how many whole units of the numéraire at least, beyond the ratio; text, as amounts are in every file.
    #[serde(serialize_with = "as_text::serialize")]
    pub excess: u64,
    /// The order that was added to the accounts.
    pub order: Option<String>,
    /// The deposit that was added to the accounts.
    pub deposit: Option<String>,
    /// Whom it is made to.
    pub audience: PublicKey,
    /// The credit line that it supports.
    pub book: Book,
    /// The nonce that it carries, in hexadecimal.
    pub nonce: String,
    /// First instant at which it may be relied on.
    pub from: Instant,
    /// Last instant at which it may be relied on.
    pub until: Instant,
    /// Digest of the statement that it takes the place of.
    pub replaces: Option<Digest>,
    /// Venues of the universe without an attestation: proven to count for nothing.
    pub venues_without_account: Vec<String>,
    /// The accounts, in the order of the universe.
    pub accounts: Vec<ProvenAccount>,
}

/// One account of a proven statement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ProvenAccount {
    /// Its venue.
    pub venue: String,
    /// The venue's name for it.
    pub account: Pseudonym,
    /// Whose it is.
    pub subject: PublicKey,
    /// How many accounts the subject has at the venue.
    pub accounts_of_subject: u32,
    /// The key that signed.
    pub key: PublicKey,
    /// When the venue signed.
    pub time: Instant,
    /// The last instant at which the attestation is good.
    pub expiry: Instant,
    /// Whether the venue holds withdrawals until then.
    pub held: bool,
}

impl Verdict {
    pub(crate) fn new(context: &Context<'_>, statements: &[&Statement], digests: &[Digest], at: Instant) -> Verdict {
        let proven = statements
            .iter()
            .zip(digests)
            .map(|(statement, digest)| ProvenStatement {
                digest: *digest,
                level: statement.terms.margin,
                ratio: statement.terms.ratio,
                excess: statement.terms.excess,
                order: statement.terms.order.as_ref().map(ToString::to_string),
                deposit: statement.terms.deposit.as_ref().map(ToString::to_string),
                audience: statement.audience,
                book: statement.book.clone(),
                nonce: hex::encode(statement.nonce),
                from: statement.window.from,
                until: statement.window.until,
                replaces: statement.replaces,
                venues_without_account: venues_without_account(context, statement),
                accounts: statement.attestations.iter().map(ProvenAccount::of).collect(),
            });
        let is_of_two = |statement: &&Statement| statement.terms.margin.snapshots() > 1;
        let later = context.later.filter(|_| statements.iter().any(is_of_two));
        Verdict {
            at,
            network: context.universe.network(),
            universe: context.universe.digest(),
            snapshot: context.snapshot.digest(),
            snapshot_instant: context.snapshot.instant,
            later: later.map(|later| (later.digest(), later.instant)),
            model: context.model.name().to_owned(),
            model_digest: context.model.digest(),
            history: context.model.history(),
            numeraire: context.model.numeraire().to_owned(),
            statements: proven.collect(),
            not_proven: NOT_PROVEN.to_vec(),
        }
    }
}

fn venues_without_account(context: &Context<'_>, statement: &Statement) -> Vec<String> {
    let attested = |name: &str| {
        statement
            .attestations
            .iter()
            .any(|signed| signed.content().venue == name)
    };
    let names = context.universe.venues().iter().map(|venue| venue.name.clone());
    names.filter(|name| !attested(name)).collect()
}

impl ProvenStatement {
    /// Whether it is about what happened between two snapshots.
    pub(crate) fn is_variation(&self) -> bool {
        self.level == Margin::Variation
    }

    /// Whether it says what would be so after an order or a deposit that may never happen.
    pub(crate) fn is_supposed(&self) -> bool {
        self.order.is_some() || self.deposit.is_some()
    }
}

impl ProvenAccount {
    fn of(signed: &SignedAttestation) -> ProvenAccount {
        let Attestation {
            venue,
            subject,
            account,
            accounts,
            time,
            expiry,
            held,
            ..
        } = signed.content();
        ProvenAccount {
            venue: venue.clone(),
            account: *account,
            subject: *subject,
            accounts_of_subject: *accounts,
            key: signed.key(),
            time: *time,
            expiry: *expiry,
            held: *held,
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "VALID at {}", self.at)?;
        for (index, statement) in self.statements.iter().enumerate() {
            writeln!(
                f,
                "\nPROVEN, statement {} of {}: {}",
                index + 1,
                self.statements.len(),
                statement.digest
            )?;
            self.write_statement(f, statement)?;
        }
        writeln!(f, "\nNOT PROVEN")?;
        self.not_proven
            .iter()
            .try_for_each(|sentence| writeln!(f, "  - {sentence}"))
    }
}

impl Verdict {
    /// Digest and instant of the later snapshot, if this statement is about it: one of the same bundle may be and another not.
    pub(crate) fn later_of(&self, statement: &ProvenStatement) -> Option<(Digest, Instant)> {
        self.later.filter(|_| statement.is_variation())
    }

    fn write_statement(&self, f: &mut fmt::Formatter<'_>, statement: &ProvenStatement) -> fmt::Result {
        let ProvenStatement {
            level,
            ratio,
            excess,
            order,
            deposit,
            audience,
            book,
            nonce,
            from,
            until,
            replaces,
            ..
        } = statement;
        let Verdict {
            model,
            model_digest,
            numeraire,
            snapshot,
            snapshot_instant,
            network,
            universe,
            ..
        } = self;
        let condition = if statement.is_supposed() {
            "IF what is supposed below happens, the"
        } else {
            "The"
        };
        if statement.is_variation() {
            writeln!(
                f,
                "  {condition} accounts below, taken together, have the cash for what their positions lost between the snapshots,"
            )?;
        } else {
            writeln!(
                f,
                "  {condition} accounts below, taken together, meet the {level} requirement of the model at the snapshot's prices,"
            )?;
        }
        writeln!(
            f,
            "  {ratio} times over and with at least {excess} {numeraire} to spare beyond that."
        )?;
        for (what, text) in [("order", order), ("deposit", deposit)] {
            if let Some(text) = text {
                writeln!(
                    f,
                    "  SUPPOSED  {what} {text}: nothing proves that it happens, or at this price"
                )?;
            }
        }
        writeln!(f, "  model     {:?}, {model_digest}", model)?;
        if let Some(history) = &self.history {
            writeln!(f, "  history   {history}")?;
        }
        writeln!(f, "  snapshot  of {snapshot_instant}, {snapshot}")?;
        if let Some((later, instant)) = self.later_of(statement) {
            writeln!(f, "  and then  of {instant}, {later}")?;
        }
        let network = if *network == Network::Main { "main" } else { "TEST" };
        writeln!(f, "  universe  {universe} ({network} network)")?;
        for account in &statement.accounts {
            let ProvenAccount {
                venue,
                account,
                subject,
                accounts_of_subject,
                expiry,
                held,
                ..
            } = account;
            let held = if *held {
                "withdrawals are held"
            } else {
                "withdrawals are not held"
            };
            writeln!(
                f,
                "  account   {account} at {venue:?}, attested until {expiry}, {held};"
            )?;
            writeln!(
                f,
                "            of subject {subject}, who has {accounts_of_subject} there"
            )?;
        }
        if !statement.venues_without_account.is_empty() {
            writeln!(
                f,
                "  nothing   counted of the other venues: {}",
                statement.venues_without_account.join(", ")
            )?;
        }
        writeln!(f, "  made to   {audience}, book {:?}", book.as_str())?;
        writeln!(f, "  nonce     {nonce}")?;
        writeln!(f, "  good      from {from} to {until}")?;
        match replaces {
            Some(replaced) => writeln!(f, "  replaces  {replaced}"),
            None => Ok(()),
        }
    }
}
