//! `zkmargin snapshot import`; `sign` is in [`crate::sign`].

use std::fmt::Write as _;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use zkmargin_risk::import::deribit_api::{self, Answers};
use zkmargin_risk::import::{ImportReport, Imported, Omitted, Source, deribit_recording, recorded_chain};
use zkmargin_risk::instant::Instant;
use zkmargin_risk::market::Snapshot;
use zkmargin_verifier::age::Age;
use zkmargin_verifier::output::{Outputs, Secrecy};
use zkmargin_verifier::words::counted;

use crate::answer::Answer;
use crate::load::{self, Out};
use crate::sign::{self, Sign};

/// Lines of each list that are shown to people; data has them all.
const SHOWN: usize = 12;

const DERIBIT_API_HELP: &str = "\
Each currency has a folder of four answers, made within a minute of each other. With curl:

  mkdir BTC && cd BTC
  A=https://www.deribit.com/api/v2/public
  curl \"$A/get_instruments?currency=BTC\" -o instruments.json
  curl \"$A/get_book_summary_by_currency?currency=BTC&kind=option\" -o options.json
  curl \"$A/get_book_summary_by_currency?currency=BTC&kind=future\" -o futures.json
  curl \"$A/ticker?instrument_name=BTC-PERPETUAL\" -o perpetual.json";

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Makes a snapshot from somebody's recording of a market.
    #[command(subcommand)]
    Import(Import),
    /// Signs a snapshot as its publisher.
    Sign(Sign),
}

#[derive(Debug, Subcommand)]
pub(crate) enum Import {
    /// A whole option chain in one CSV file: forward and implied volatility of each option.
    RecordedChain(RecordedChain),
    /// Answers of Deribit's public API, saved to files.
    #[command(after_help = DERIBIT_API_HELP)]
    DeribitApi(DeribitApi),
    /// A recording of Deribit's order books (JSON), without volatilities and index.
    DeribitRecording(DeribitRecording),
}

/// What every importer is told.
#[derive(Debug, Args)]
struct Common {
    /// Leaves out what expires sooner than this: 1h, 30m, 2d.
    #[arg(long, value_name = "AGE", default_value = "1h")]
    min_tenor: Age,
    /// Who recorded it, and where it can be had; goes into the snapshot.
    #[arg(long, value_name = "TEXT", default_value = "not stated")]
    source: String,
    /// The licence of the recording; goes into the snapshot.
    #[arg(long, value_name = "TEXT", default_value = "not stated")]
    licence: String,
    #[command(flatten)]
    out: Out,
}

impl Common {
    fn source(&self) -> Source {
        Source {
            source: self.source.clone(),
            licence: self.licence.clone(),
        }
    }
}

/// `snapshot import recorded-chain`.
#[derive(Debug, Args)]
pub(crate) struct RecordedChain {
    /// The recording (CSV: date,currency,instrument,expiry,strike,type,open_interest,mark_iv,underlying_usd).
    csv: PathBuf,
    /// When it was recorded, such as 2026-08-06T12:00:00Z: the file knows only the day.
    #[arg(long, value_name = "INSTANT")]
    time: Instant,
    #[command(flatten)]
    common: Common,
}

/// `snapshot import deribit-api`.
#[derive(Debug, Args)]
pub(crate) struct DeribitApi {
    /// A folder with instruments.json, options.json, futures.json and perpetual.json of one currency; may be given several times.
    #[arg(required = true)]
    folders: Vec<PathBuf>,
    #[command(flatten)]
    common: Common,
}

/// `snapshot import deribit-recording`.
#[derive(Debug, Args)]
pub(crate) struct DeribitRecording {
    /// The recording (JSON).
    recording: PathBuf,
    #[command(flatten)]
    common: Common,
}

pub(crate) fn run(verb: &Verb) -> anyhow::Result<Answer> {
    let import = match verb {
        Verb::Import(import) => import,
        Verb::Sign(args) => return sign::run(args),
    };
    let common = match import {
        Import::RecordedChain(args) => &args.common,
        Import::DeribitApi(args) => &args.common,
        Import::DeribitRecording(args) => &args.common,
    };
    let outputs = common.out.reserve()?;
    let tenor = common.min_tenor.millis();
    let imported = match import {
        Import::RecordedChain(args) => {
            let text = load::text_file(&args.csv)?;
            recorded_chain::import(&text, args.time, tenor, &common.source())
                .with_context(|| args.csv.display().to_string())?
        }
        Import::DeribitApi(args) => {
            let texts = args.folders.iter().map(|folder| {
                let file = |name: &str| load::text_file(&folder.join(name));
                Ok([
                    file("instruments.json")?,
                    file("options.json")?,
                    file("futures.json")?,
                    file("perpetual.json")?,
                ])
            });
            let texts = texts.collect::<anyhow::Result<Vec<_>>>()?;
            let answers = texts.iter().map(|[instruments, options, futures, perpetual]| Answers {
                instruments,
                options,
                futures,
                perpetual,
            });
            let answers: Vec<Answers<'_>> = answers.collect();
            let import = |answers: &[Answers<'_>]| deribit_api::import(answers, tenor, &common.source());
            import(&answers).map_err(|error| {
                // The first folder without which, and those after it, there would be a snapshot.
                let at =
                    (0..answers.len()).find(|last| answers.get(..=*last).is_some_and(|first| import(first).is_err()));
                let folder = at
                    .and_then(|at| args.folders.get(at))
                    .map(|folder| folder.display().to_string());
                anyhow::Error::from(error).context(folder.unwrap_or_default())
            })?
        }
        Import::DeribitRecording(args) => {
            let text = load::text_file(&args.recording)?;
            deribit_recording::import(&text, tenor, &common.source())
                .with_context(|| args.recording.display().to_string())?
        }
    };
    write(&common.out, outputs, &imported)
}

fn write(out: &Out, mut outputs: Outputs, imported: &Imported) -> anyhow::Result<Answer> {
    let Imported { snapshot, report } = imported;
    outputs.stage(&out.path, snapshot.to_json()?.as_bytes(), Secrecy::Public)?;
    outputs.commit()?;
    let mut text = describe(snapshot);
    let _ = writeln!(text);
    omitted(&mut text, "Dropped", &report.dropped);
    omitted(&mut text, "Unpriced", &report.unpriced);
    let _ = writeln!(
        text,
        "{} of static arbitrage",
        counted(report.arbitrage.len(), "warning")
    );
    shortened(&mut text, report.arbitrage.iter());
    let _ = writeln!(text, "{}  the snapshot", out.path.display());
    let mut data = data(snapshot, Some(out.path.display().to_string()));
    data["import"] = report_data(report);
    Ok(Answer::new(text, data))
}

/// A snapshot in words.
pub(crate) fn describe(snapshot: &Snapshot) -> String {
    let mut text = format!("Snapshot {}\nof {}", snapshot.digest(), snapshot.instant);
    for (name, market) in &snapshot.underlyings {
        let options: usize = market.expiries.values().map(options_of).sum();
        let _ = write!(
            text,
            "\n  {name:<6} index {}, {} in {} {}, {}, {}",
            market.index,
            counted(options, "option"),
            market.expiries.len(),
            if market.expiries.len() == 1 {
                "expiry"
            } else {
                "expiries"
            },
            counted(market.futures.len(), "future"),
            counted(u8::from(market.perpetual.is_some()), "perpetual"),
        );
    }
    let from = &snapshot.provenance;
    write_provenance(
        &mut text,
        [&from.source, &from.licence, &from.importer],
        [&from.recorded, &from.derived, &from.assumed],
    );
    text
}

/// Source, licence and importer of facts; and what of them is recorded, derived and assumed.
pub(crate) fn write_provenance(text: &mut String, [source, licence, importer]: [&str; 3], lists: [&[String]; 3]) {
    let _ = write!(text, "\nSource: {source} ({licence}), by {importer}");
    for (word, list) in ["Recorded", "Derived", "Assumed"].into_iter().zip(lists) {
        if !list.is_empty() {
            let _ = write!(text, "\n{word}:");
        }
        for item in list {
            let _ = write!(text, "\n  {item}");
        }
    }
}

fn options_of(expiry: &zkmargin_risk::market::Expiry) -> usize {
    expiry
        .strikes
        .values()
        .flat_map(|strike| [&strike.call, &strike.put])
        .flatten()
        .count()
}

/// A snapshot as data.
pub(crate) fn data(snapshot: &Snapshot, file: Option<String>) -> Value {
    let provenance = &snapshot.provenance;
    let underlyings = snapshot.underlyings.iter().map(|(name, market)| {
        let options: usize = market.expiries.values().map(options_of).sum();
        let counts = json!({
            "index": market.index.to_string(), "options": options, "expiries": market.expiries.len(),
            "futures": market.futures.len(), "perpetuals": u8::from(market.perpetual.is_some()),
        });
        (name.clone(), counts)
    });
    json!({
        "kind": "snapshot", "digest": snapshot.digest(), "instant": snapshot.instant,
        "underlyings": underlyings.collect::<serde_json::Map<_, _>>(),
        "provenance": {
            "source": provenance.source, "licence": provenance.licence, "importer": provenance.importer,
            "recorded": provenance.recorded, "derived": provenance.derived, "assumed": provenance.assumed,
            "warnings": provenance.warnings,
        },
        "file": file,
    })
}

fn report_data(report: &ImportReport) -> Value {
    let list = |omitted: &[Omitted]| {
        let items = omitted
            .iter()
            .map(|item| json!({ "instrument": item.instrument, "reason": item.reason }));
        items.collect::<Vec<_>>()
    };
    json!({
        "options": report.options, "expiries": report.expiries, "futures": report.futures, "perpetuals": report.perpetuals,
        "dropped": list(&report.dropped), "unpriced": list(&report.unpriced), "arbitrage": report.arbitrage,
    })
}

fn omitted(text: &mut String, word: &str, list: &[Omitted]) {
    let _ = writeln!(
        text,
        "{word}: {}",
        if list.is_empty() {
            "nothing".to_owned()
        } else {
            list.len().to_string()
        }
    );
    shortened(
        text,
        list.iter().map(|item| format!("{}: {}", item.instrument, item.reason)),
    );
}

fn shortened<T: std::fmt::Display>(text: &mut String, items: impl ExactSizeIterator<Item = T>) {
    let rest = items.len().saturating_sub(SHOWN);
    for item in items.take(SHOWN) {
        let _ = writeln!(text, "  {item}");
    }
    if rest > 0 {
        let _ = writeln!(text, "  and {rest} more (--json has them all)");
    }
}
