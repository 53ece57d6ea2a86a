//! The registry for whoever audits: every accepted statement, as JSON lines or CSV.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde_json::{Value, json};
use thiserror::Error;
use zkmargin_risk::canonical::Digest;
use zkmargin_risk::instant::Instant;
use zkmargin_store::Transaction;

use crate::registry::{Registry, RegistryError, digest_or_null, instant, millis, pseudonym};

/// Why an export stopped.
#[derive(Debug, Error)]
pub enum ExportError {
    /// The registry.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// Where it goes.
    #[error("cannot write the export: {0}")]
    Output(#[from] io::Error),
}

impl From<csv::Error> for ExportError {
    fn from(error: csv::Error) -> ExportError {
        ExportError::Output(error.into())
    }
}

/// The columns of the CSV form, one row per account of a statement, and where their values are.
const COLUMNS: [(&str, &str); 36] = [
    ("number", "/number"),
    ("accepted", "/accepted"),
    ("digest", "/statement/digest"),
    ("book", "/statement/book"),
    ("level", "/statement/level"),
    ("ratio", "/statement/ratio"),
    ("excess", "/statement/excess"),
    ("order", "/statement/order"),
    ("deposit", "/statement/deposit"),
    ("numeraire", "/facts/numeraire"),
    ("from", "/statement/from"),
    ("until", "/statement/until"),
    ("ends", "/ends"),
    ("due", "/due"),
    ("lapses", "/lapses"),
    ("replaces", "/statement/replaces"),
    ("replaced_by", "/replaced_by"),
    ("replaced", "/replaced"),
    ("nonce", "/statement/nonce"),
    ("network", "/facts/network"),
    ("universe", "/facts/universe"),
    ("snapshot", "/facts/snapshot"),
    ("epoch", "/facts/epoch"),
    ("later", "/facts/later/0"),
    ("model", "/facts/model"),
    ("model_digest", "/facts/model_digest"),
    ("history", "/facts/history"),
    ("proof", "/proof"),
    ("venue", "/account/venue"),
    ("account", "/account/account"),
    ("subject", "/account/subject"),
    ("key", "/account/key"),
    ("signed", "/account/time"),
    ("expiry", "/account/expiry"),
    ("held", "/account/held"),
    ("released", "/account/released"),
];

/// By statement, venue and account: when it was given back.
type Releases = BTreeMap<([u8; 32], String, String), Instant>;

/// What was given back by an instant.
fn releases(tx: &mut Transaction<'_>, at: Instant) -> Result<Releases, RegistryError> {
    let rows = tx.rows(
        "SELECT h.statement, h.venue, h.account, MIN(r.time) FROM holdings h JOIN releases r ON r.venue = h.venue AND r.account = h.account
         WHERE r.time >= h.attested AND r.time <= $1 GROUP BY h.statement, h.venue, h.account",
        &[millis(at).into()],
    )?;
    rows.iter()
        .map(|row| {
            let place = (
                row.byte_array(0)?,
                row.text(1)?.to_owned(),
                pseudonym(row, 2)?.to_string(),
            );
            Ok((place, instant(row, 3, "time")?))
        })
        .collect()
}

/// Says of each account of a statement when it was given back, if it was.
fn note_releases(record: &mut Value, statement: [u8; 32], releases: &Releases) {
    let accounts = record.pointer_mut("/statement/accounts").and_then(Value::as_array_mut);
    for account in accounts.into_iter().flatten() {
        let text = |field: &str| account[field].as_str().unwrap_or_default().to_owned();
        if let Some(time) = releases.get(&(statement, text("venue"), text("account"))) {
            account["released"] = json!(time);
        }
    }
}

impl Registry {
    /// Every statement accepted by an instant, the first one first: what was proven, on which facts, and what became of it.
    ///
    /// # Errors
    /// [`RegistryError`].
    pub fn statements(&mut self, at: Instant) -> Result<Vec<Value>, RegistryError> {
        self.store.read(|tx| {
            let releases = releases(tx, at)?;
            let rows = tx.rows(
                "SELECT number, accepted, due, lapses, replaced_by, replaced, record, ends, digest FROM statements WHERE accepted <= $1 ORDER BY number",
                &[millis(at).into()],
            )?;
            rows.iter()
                .map(|row| {
                    let mut record: Value = serde_json::from_str(row.text(6)?).map_err(|error| RegistryError::Row {
                        field: "record",
                        value: error.to_string(),
                    })?;
                    if !record.is_object() {
                        return Err(RegistryError::Row {
                            field: "record",
                            value: "no object".to_owned(),
                        });
                    }
                    let replaced_by = digest_or_null(row, 4)?;
                    let replaced = replaced_by.map(|_| instant(row, 5, "replaced")).transpose()?;
                    let shown = replaced.is_some_and(|replaced| replaced <= at);
                    record["number"] = json!(row.unsigned(0)?);
                    record["accepted"] = json!(instant(row, 1, "accepted")?);
                    record["due"] = json!(instant(row, 2, "due")?);
                    record["lapses"] = json!(instant(row, 3, "lapses")?);
                    // Before its last instant, where an account of it was given back.
                    record["ends"] = json!(instant(row, 7, "ends")?);
                    note_releases(&mut record, row.byte_array(8)?, &releases);
                    record["replaced_by"] = json!(replaced_by.filter(|_| shown));
                    record["replaced"] = json!(replaced.filter(|_| shown));
                    Ok(record)
                })
                .collect()
        })
    }

    /// The bundle that a statement was accepted with, to be verified again.
    ///
    /// # Errors
    /// [`RegistryError::UnknownStatement`], [`RegistryError::Store`].
    pub fn bundle(&mut self, statement: Digest) -> Result<Vec<u8>, RegistryError> {
        self.store.read(|tx| {
            let row = tx.optional(
                "SELECT b.bytes FROM statements s JOIN bundles b ON b.proof = s.proof WHERE s.digest = $1",
                &[(&statement.0).into()],
            )?;
            let row = row.ok_or(RegistryError::UnknownStatement { digest: statement })?;
            Ok(row.bytes(0)?.to_vec())
        })
    }

    /// Writes [`statements`](Self::statements) as JSON, one a line.
    ///
    /// # Errors
    /// [`ExportError`].
    pub fn export_json_lines(&mut self, at: Instant, mut out: impl Write) -> Result<(), ExportError> {
        for statement in self.statements(at)? {
            writeln!(out, "{statement}")?;
        }
        Ok(out.flush()?)
    }

    /// Writes [`statements`](Self::statements) as CSV, one account of a statement a row.
    ///
    /// # Errors
    /// [`ExportError`].
    pub fn export_csv(&mut self, at: Instant, out: impl Write) -> Result<(), ExportError> {
        let mut csv = csv::Writer::from_writer(out);
        csv.write_record(COLUMNS.map(|(name, _)| name))?;
        for mut statement in self.statements(at)? {
            let accounts = statement.pointer_mut("/statement/accounts").map(Value::take);
            for account in accounts.as_ref().and_then(Value::as_array).into_iter().flatten() {
                statement["account"] = account.clone();
                csv.write_record(COLUMNS.map(|(_, pointer)| match statement.pointer(pointer) {
                    None | Some(Value::Null) => String::new(),
                    Some(Value::String(text)) => text.clone(),
                    Some(other) => other.to_string(),
                }))?;
            }
        }
        Ok(csv.flush()?)
    }
}
