//! The JSON Schemas of all files that people write.

use schemars::{Schema, schema_for};
use serde_json::{Value, json};
use zkmargin_risk::account::AccountFile;
use zkmargin_risk::case::CaseFile;
use zkmargin_risk::history::HistoryFile;
use zkmargin_risk::listing::UniverseFile;
use zkmargin_risk::market::Snapshot;
use zkmargin_risk::model::KINDS;
use zkmargin_risk::venue_file::VenueFile;
use zkmargin_verifier::Policy;
use zkmargin_verifier::breaker::Reference;

use crate::batch::BatchFile;
use crate::bench::baselines::Baselines;
use crate::fill::Fills;

/// A kind of file and its schema.
#[derive(Clone, Debug)]
pub struct FileSchema {
    /// The kind, as it is asked for: `account`, `model-scenario-grid`.
    pub kind: String,
    /// The schema.
    pub schema: Value,
}

impl FileSchema {
    fn new(kind: String, title: String, schema: Schema) -> FileSchema {
        let mut schema = Value::from(schema);
        schema["title"] = json!(title);
        FileSchema { kind, schema }
    }

    /// The name of its file.
    pub fn file_name(&self) -> String {
        format!("{}.json", self.kind)
    }

    /// The text of its file.
    pub fn text(&self) -> String {
        format!("{:#}\n", self.schema)
    }
}

/// The schemas of all kinds: files first, then a model of each kind.
pub fn all() -> Vec<FileSchema> {
    let files: [(&str, &str, Schema); 11] = [
        ("account", "account: what is held at a venue", schema_for!(AccountFile)),
        (
            "baselines",
            "baselines: what other systems cost",
            schema_for!(Baselines),
        ),
        (
            "batch",
            "batch: what is to be proven to one audience",
            schema_for!(BatchFile),
        ),
        (
            "case",
            "case: market, portfolio and model in one",
            schema_for!(CaseFile),
        ),
        ("fills", "fills: what moves a running commitment", schema_for!(Fills)),
        ("history", "history: a close a day", schema_for!(HistoryFile)),
        ("policy", "policy: what a partner accepts", schema_for!(Policy)),
        ("reference", "reference: a partner's own prices", schema_for!(Reference)),
        ("snapshot", "snapshot: a market at one instant", schema_for!(Snapshot)),
        (
            "universe",
            "universe: what can be held, and where",
            schema_for!(UniverseFile),
        ),
        (
            "venue",
            "venue file: what a venue lists, by class",
            schema_for!(VenueFile),
        ),
    ];
    #[cfg(feature = "ledger")]
    let files = files.into_iter().chain([(
        "ledger-fill",
        "fill for a ledger: a line of a file of fills",
        schema_for!(zkmargin_ledger::ledger::EntryRow),
    )]);
    let files = files
        .into_iter()
        .map(|(kind, title, schema)| FileSchema::new(kind.to_owned(), format!("zkmargin {title}"), schema));
    let models = KINDS.iter().map(|(kind, schema)| {
        FileSchema::new(
            format!("model-{kind}"),
            format!("zkmargin model of kind {kind}"),
            schema(),
        )
    });
    files.chain(models).collect()
}
