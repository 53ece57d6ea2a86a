//! Makes the shipped snapshots, venue files, universes and history of `examples/` from recordings:
//!
//! ```sh
//! cargo run -p zkmargin-risk --example make_examples -- examples \
//!     2026-08-06T12:00:00Z=deribit_options_chain_2026-08-06.csv \
//!     2026-08-07T04:00:00Z=deribit_options_chain_2026-08-07.csv \
//!     2026-08-08T04:00:00Z=deribit_options_chain_2026-08-08.csv \
//!     closes=premium-daily.csv dvol=dvol-daily.csv
//! ```
//!
//! The recordings are those of <https://github.com/bykarantelicom/crypto-datasets> (CC0-1.0). The daily option chains
//! have no time of day: that of the 6th was taken after 08:00 UTC (its nearest expiry is the 7th), the other two before
//! (they list what expires on their day), hence the times above. The universes list what the first chain lists.

use std::error::Error;
use std::fs;
use std::path::Path;

use rust_decimal::Decimal;
use zkmargin_risk::amount;
use zkmargin_risk::history::History;
use zkmargin_risk::import::closes::{self, ImportedHistory};
use zkmargin_risk::import::{DEFAULT_MIN_TENOR_MS, Imported, Source, recorded_chain};
use zkmargin_risk::instant::Instant;
use zkmargin_risk::listing::VenueKey;
use zkmargin_risk::market::Snapshot;
use zkmargin_risk::universe::{Network, Style, Universe};
use zkmargin_risk::venue_file::{Class, ClassKind, List, ListWord, VenueAsset, VenueFile};

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    let mut arguments = std::env::args().skip(1);
    let usage = "usage: make_examples DIRECTORY TIME=CHAIN.csv… closes=CLOSES.csv dvol=DVOL.csv";
    let directory = arguments.next().ok_or(usage)?;
    let directory = Path::new(&directory);
    for folder in ["snapshots", "venues", "universes", "histories"] {
        fs::create_dir_all(directory.join(folder))?;
    }
    let (mut listing, mut recorded_closes, mut dvol) = (None, None, None);
    for argument in arguments {
        let (time, path) = argument.split_once('=').ok_or(usage)?;
        match time {
            "closes" => {
                recorded_closes = Some(path.to_owned());
                continue;
            }
            "dvol" => {
                dvol = Some(path.to_owned());
                continue;
            }
            _ => {}
        }
        let snapshot = snapshot(time.parse()?, Path::new(path))?;
        let name = format!("{}.json", time.replace(":00Z", "Z").replace(':', ""));
        write(&directory.join("snapshots").join(name), &snapshot.to_json()?)?;
        println!("  digest {}", snapshot.digest());
        listing.get_or_insert(snapshot);
    }
    let listing = listing.ok_or(usage)?;
    let (recorded_closes, dvol) = recorded_closes.zip(dvol).ok_or(usage)?;
    let history = history(Path::new(&recorded_closes), Path::new(&dvol))?;
    let name = format!("{}.json", history.last());
    write(&directory.join("histories").join(name), &history.to_json()?)?;
    println!("  digest {}", history.digest());

    let all = [ClassKind::Option, ClassKind::Future, ClassKind::Perpetual];
    let deribit = venue("deribit", &["BTC", "ETH", "USDC"], &all)?;
    let options = venue("optionhouse", &["BTC", "ETH"], &[ClassKind::Option])?;
    let futures = venue(
        "perphouse",
        &["BTC", "ETH", "USDC"],
        &[ClassKind::Future, ClassKind::Perpetual],
    )?;
    for venue in [&deribit, &options, &futures] {
        write(
            &directory.join("venues").join(format!("{}.json", venue.name)),
            &venue.to_json()?,
        )?;
    }
    for (name, venues) in [("single", vec![deribit]), ("demo", vec![options, futures])] {
        let universe = Universe::build(Network::Test, None, &venues, &listing)?;
        write(
            &directory.join("universes").join(format!("{name}.json")),
            &universe.to_json()?,
        )?;
        let layout = universe.layout();
        println!(
            "  digest {}, {} legs in {} columns",
            universe.digest(),
            layout.legs().len(),
            layout.columns()
        );
    }
    Ok(())
}

/// The last part of a path.
fn file_name(path: &Path) -> String {
    path.file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default()
}

fn source(what: &str, files: &str) -> Source {
    Source {
        source: format!("{what}, recorded by https://github.com/bykarantelicom/crypto-datasets, {files}"),
        licence: "CC0-1.0".to_owned(),
    }
}

fn history(recorded_closes: &Path, dvol: &Path) -> Outcome<History> {
    let files = format!("{} and {}", file_name(recorded_closes), file_name(dvol));
    let ImportedHistory { history, dropped } = closes::import(
        &fs::read_to_string(recorded_closes)?,
        Some(&fs::read_to_string(dvol)?),
        &source("Public daily closes of BTC and ETH, and Deribit's DVOL", &files),
    )?;
    println!(
        "{} to {}: {} days",
        history.first(),
        history.last(),
        history.days().count()
    );
    for omitted in dropped {
        println!("  {}: {}", omitted.instrument, omitted.reason);
    }
    Ok(history)
}

fn snapshot(time: Instant, path: &Path) -> Outcome<Snapshot> {
    let source = source("Deribit's public option chain", &file_name(path));
    let Imported { snapshot, report } =
        recorded_chain::import(&fs::read_to_string(path)?, time, DEFAULT_MIN_TENOR_MS, &source)?;
    println!(
        "{time}: {} options, {} expiries, {} futures, {} perpetuals; {} dropped, {} warnings",
        report.options,
        report.expiries,
        report.futures,
        report.perpetuals,
        report.dropped.len(),
        report.arbitrage.len()
    );
    for place in &report.arbitrage {
        println!("  {place}");
    }
    Ok(snapshot)
}

/// EXAMPLE KEYS: anybody can sign with them, since their seeds are BLAKE2b-256 of the venue's name with the
/// personalization `zkmargin-example`. Never accept them for anything real.
fn example_key(venue: &str) -> VenueKey {
    let hash = blake2b_simd::Params::new()
        .hash_length(32)
        .personal(b"zkmargin-example")
        .hash(venue.as_bytes());
    let mut seed = [0; 32];
    seed.copy_from_slice(hash.as_bytes());
    VenueKey(ed25519_dalek::SigningKey::from_bytes(&seed).verifying_key().to_bytes())
}

fn venue(name: &str, assets: &[&str], kinds: &[ClassKind]) -> Outcome<VenueFile> {
    let asset = |name: &&str| -> Outcome<VenueAsset> {
        let lot = match *name {
            "BTC" => "0.00000001",
            "ETH" => "0.0000001",
            _ => "0.0001",
        };
        Ok(VenueAsset {
            name: (*name).to_owned(),
            lot: amount::parse(lot)?,
            isolated: None,
        })
    };
    let mut classes = Vec::new();
    for kind in kinds {
        for coin in ["BTC", "ETH"] {
            let (contract, lot) = match (kind, coin) {
                // Units of the coin; Deribit's least order is 0.1 BTC or 1 ETH.
                (ClassKind::Option, "BTC") => (Decimal::ONE, amount::parse("0.1")?),
                (ClassKind::Option, _) => (Decimal::ONE, Decimal::ONE),
                // USD.
                (_, "BTC") => (Decimal::TEN, Decimal::ONE),
                (_, _) => (Decimal::ONE, Decimal::ONE),
            };
            let (underlying, settlement) = (coin.to_owned(), coin.to_owned());
            let list = List::Word(ListWord::All);
            classes.push(Class {
                underlying,
                kind: *kind,
                style: Style::Inverse,
                contract,
                lot,
                settlement,
                list,
                isolated: false,
            });
        }
    }
    Ok(VenueFile {
        name: name.to_owned(),
        keys: vec![example_key(name)],
        assets: assets.iter().map(asset).collect::<Outcome<_>>()?,
        classes,
    })
}

fn write(path: &Path, text: &str) -> Outcome<()> {
    fs::write(path, text)?;
    println!("{}: {} bytes", path.display(), text.len());
    Ok(())
}
