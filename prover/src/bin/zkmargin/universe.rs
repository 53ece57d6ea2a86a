//! `zkmargin universe build`.

use std::path::PathBuf;

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use serde_json::json;
use zkmargin_risk::json::MAX_BYTES;
use zkmargin_risk::listing::VenueKey;
use zkmargin_risk::universe::{Universe, UniverseError};
use zkmargin_risk::venue_file::{VenueFile, VenueFileError};
use zkmargin_verifier::PublicKey;
use zkmargin_verifier::output::Secrecy;
use zkmargin_verifier::words::{counted, network};

use crate::answer::Answer;
use crate::load::{self, NetworkArg, Out};

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Builds a universe from venue files and a listing.
    Build(Build),
}

/// `universe build`.
#[derive(Debug, Args)]
pub(crate) struct Build {
    /// A venue file (JSON); give one for each venue, in the order of their columns.
    #[arg(long = "venue", value_name = "FILE", required = true)]
    venues: Vec<PathBuf>,
    /// A venue's public key, in place of those in its file; may be given several times.
    #[arg(long = "key", value_name = "VENUE=HEX", value_parser = venue_key)]
    keys: Vec<(String, PublicKey)>,
    /// The snapshot (JSON) whose options, futures and perpetuals are listed.
    #[arg(long, value_name = "FILE")]
    snapshot: PathBuf,
    /// The network: `main` for real venues and keys, `test` for everything else.
    #[arg(long)]
    network: NetworkArg,
    /// Columns have 2^k rows, k from 6 to 12; by default as many as suit the number of legs.
    #[arg(short, long)]
    k: Option<u32>,
    #[command(flatten)]
    out: Out,
}

fn venue_key(text: &str) -> anyhow::Result<(String, PublicKey)> {
    let (venue, key) = text.split_once('=').context("expected VENUE=HEX")?;
    Ok((venue.to_owned(), load::public_key(key)?))
}

pub(crate) fn run(verb: &Verb) -> anyhow::Result<Answer> {
    let Verb::Build(args) = verb;
    let mut outputs = args.out.reserve()?;
    let listing = load::snapshot(&args.snapshot)?;
    let read = |path: &PathBuf| load::load(path, MAX_BYTES, |bytes| Ok(VenueFile::from_json(load::text(bytes)?)?));
    let mut venues: Vec<VenueFile> = args.venues.iter().map(read).collect::<Result<_, _>>()?;
    if let Some((name, _)) = args
        .keys
        .iter()
        .find(|(name, _)| !venues.iter().any(|venue| venue.name == *name))
    {
        bail!("--key {name}=…: no venue file is of venue {name:?}");
    }
    for venue in &mut venues {
        let given = args.keys.iter().filter(|(name, _)| *name == venue.name);
        let given: Vec<VenueKey> = given.map(|(_, key)| VenueKey(*key.as_bytes())).collect();
        if !given.is_empty() {
            venue.keys = given;
        }
    }
    let network = args.network.into();
    for (venue, path) in venues.iter().zip(&args.venues) {
        for key in &venue.keys {
            PublicKey(key.0)
                .check()
                .with_context(|| format!("{}: venue {:?}", path.display(), venue.name))?;
        }
    }
    let build = |venues: &[VenueFile]| Universe::build(network, args.k, venues, &listing);
    let universe = build(&venues).map_err(|error| {
        let named = blamed(&error, &venues, build).and_then(|place| args.venues.get(place));
        match named {
            Some(path) => anyhow::Error::from(error).context(format!(
                "{}, listing of {}",
                path.display(),
                args.snapshot.display()
            )),
            None => error.into(),
        }
    })?;
    outputs.stage(&args.out.path, universe.to_json()?.as_bytes(), Secrecy::Public)?;
    outputs.commit()?;
    Ok(Answer::new(
        format!("{}\n{}  the universe", describe(&universe), args.out.path.display()),
        data(&universe, Some(args.out.path.display().to_string())),
    ))
}

/// The venue file without which, and those after it, there would be a universe; `None` where no one file is wrong.
fn blamed<T>(
    error: &VenueFileError,
    venues: &[VenueFile],
    build: impl Fn(&[VenueFile]) -> Result<T, VenueFileError>,
) -> Option<usize> {
    if matches!(
        error,
        VenueFileError::Universe(UniverseError::K(_) | UniverseError::Columns { .. })
    ) {
        return None;
    }
    (0..venues.len()).find(|last| venues.get(..=*last).is_some_and(|first| build(first).is_err()))
}

/// A universe in words.
pub(crate) fn describe(universe: &Universe) -> String {
    let layout = universe.layout();
    let mut text = format!(
        "Universe {}\n{} in {} of {} (k = {}), network {}\n",
        universe.digest(),
        counted(layout.legs().len(), "leg"),
        counted(layout.columns(), "column"),
        layout.rows(),
        universe.k(),
        network(universe.network()),
    );
    for venue in universe.venues() {
        text += &format!(
            "  {:<16} {:>17}, {}, columns {} to {}\n",
            venue.name,
            counted(venue.instruments().count(), "instrument"),
            counted(venue.assets().count(), "asset"),
            venue.columns.start,
            venue.columns.end.saturating_sub(1),
        );
    }
    text.trim_end().to_owned()
}

/// A universe as data.
pub(crate) fn data(universe: &Universe, file: Option<String>) -> serde_json::Value {
    let layout = universe.layout();
    let venues = universe.venues().iter().map(|venue| {
        let keys: Vec<PublicKey> = venue.keys.iter().map(|key| PublicKey(*key)).collect();
        json!({
            "name": venue.name, "keys": keys, "instruments": venue.instruments().count(), "assets": venue.assets().count(),
            "columns": [venue.columns.start, venue.columns.end],
        })
    });
    json!({
        "kind": "universe", "digest": universe.digest(), "network": universe.network(), "k": universe.k(),
        "legs": layout.legs().len(), "columns": layout.columns(), "rows": layout.rows(),
        "venues": venues.collect::<Vec<_>>(), "file": file,
    })
}
