//! `zkmargin history import`.

use std::fmt::Write as _;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use zkmargin_risk::history::History;
use zkmargin_risk::import::closes::{self, ImportedHistory};
use zkmargin_risk::import::{ImportError, Source};
use zkmargin_verifier::output::Secrecy;
use zkmargin_verifier::words::counted;

use crate::answer::Answer;
use crate::load::{self, Out};
use crate::snapshot::write_provenance;

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Makes a price history from somebody's recording.
    #[command(subcommand)]
    Import(Import),
}

#[derive(Debug, Subcommand)]
pub(crate) enum Import {
    /// Daily closes in one CSV file, and daily volatility indices in another.
    Closes(Closes),
}

/// `history import closes`: every date from the first to the last must be there, for every underlying.
#[derive(Debug, Args)]
pub(crate) struct Closes {
    /// The closes (CSV: date,symbol,us_close_usd,global_close_usd,premium_pct).
    #[arg(long, value_name = "CSV")]
    closes: PathBuf,
    /// The volatility indices (CSV: date,currency,dvol).
    #[arg(long, value_name = "CSV")]
    dvol: Option<PathBuf>,
    /// Who recorded it, and where it can be had; goes into the history.
    #[arg(long, value_name = "TEXT", default_value = "not stated")]
    source: String,
    /// The licence of the recording; goes into the history.
    #[arg(long, value_name = "TEXT", default_value = "not stated")]
    licence: String,
    #[command(flatten)]
    out: Out,
}

pub(crate) fn run(verb: &Verb) -> anyhow::Result<Answer> {
    let Verb::Import(Import::Closes(args)) = verb;
    let mut outputs = args.out.reserve()?;
    let prices = load::text_file(&args.closes)?;
    let indices = args.dvol.as_deref().map(load::text_file).transpose()?;
    let source = Source {
        source: args.source.clone(),
        licence: args.licence.clone(),
    };
    let import = |indices: Option<&str>| closes::import(&prices, indices, &source);
    let imported = import(indices.as_deref()).map_err(|error: ImportError| {
        // Without the indices there would be a history: it is they that are wrong.
        let of_indices = args.dvol.as_ref().filter(|_| import(None).is_ok());
        anyhow::Error::from(error).context(of_indices.unwrap_or(&args.closes).display().to_string())
    })?;
    let ImportedHistory { history, dropped } = &imported;
    outputs
        .stage(&args.out.path, history.to_json()?.as_bytes(), Secrecy::Public)
        .context("the history")?;
    outputs.commit()?;
    let mut text = describe(history);
    for item in dropped {
        let _ = write!(text, "\nDropped: {}: {}", item.instrument, item.reason);
    }
    let _ = write!(text, "\n\n{}  the history", args.out.path.display());
    let mut data = data(history, Some(args.out.path.display().to_string()));
    let dropped = dropped
        .iter()
        .map(|item| json!({ "instrument": item.instrument, "reason": item.reason }));
    data["dropped"] = dropped.collect();
    Ok(Answer::new(text, data))
}

/// A history in words.
pub(crate) fn describe(history: &History) -> String {
    let mut text = format!(
        "Price history {}\n{}, {} to {}",
        history.digest(),
        counted(history.days().count(), "day"),
        history.first(),
        history.last()
    );
    for name in history.underlyings() {
        let since = since(history, name);
        let since = since.map_or_else(|| "none".to_owned(), |day| format!("since {day}"));
        let _ = write!(text, "\n  {name:<6} volatility index {since}");
    }
    let from = history.provenance();
    write_provenance(
        &mut text,
        [&from.source, &from.licence, &from.importer],
        [&from.recorded, &from.derived, &from.assumed],
    );
    text
}

/// The first day with a volatility index.
fn since(history: &History, name: &str) -> Option<zkmargin_risk::history::Day> {
    let has_index = |day: &_| {
        history
            .figures(name, *day)
            .is_some_and(|figures| figures.volatility_index.is_some())
    };
    history.days().find(has_index)
}

/// A history as data.
pub(crate) fn data(history: &History, file: Option<String>) -> Value {
    let provenance = history.provenance();
    let underlyings = history.underlyings().map(|name| {
        (
            name.to_owned(),
            json!({ "volatility_index_since": since(history, name) }),
        )
    });
    json!({
        "kind": "history", "digest": history.digest(), "first": history.first(), "last": history.last(),
        "days": history.days().count(), "underlyings": underlyings.collect::<serde_json::Map<_, _>>(),
        "provenance": {
            "source": provenance.source, "licence": provenance.licence, "importer": provenance.importer,
            "recorded": provenance.recorded, "derived": provenance.derived, "assumed": provenance.assumed,
        },
        "file": file,
    })
}
