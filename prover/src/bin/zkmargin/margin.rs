//! `zkmargin margin`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow, bail};
use clap::Args;
use num_rational::BigRational;
use num_traits::Signed;
use serde_json::json;
use zeroize::Zeroizing;
use zkmargin_prover::margin::{Provable, hedges_json, hedges_text, render_json, render_table};
use zkmargin_prover::picture;
use zkmargin_prover::prove::{supposed_not_counted, supposed_words};
use zkmargin_risk::market::Snapshot;
use zkmargin_risk::oracle::{self, OracleError};
use zkmargin_risk::report::{Report, ReportError, Rounding, decimal, hedge};
use zkmargin_risk::terms::Terms;
use zkmargin_risk::universe::Universe;
use zkmargin_verifier::Pseudonym;
use zkmargin_verifier::output::{Outputs, Secrecy};

use crate::answer::{Answer, working};
use crate::failure::NOT_MET;
use crate::load::{self, Facts, LoadedFacts};
use crate::prove::TermArgs;

/// Decimals of the amounts of a variation.
const PLACES: u32 = 8;

/// `margin`: equity, requirement, excess, worst scenario, every add-on, greeks, and how far the index may move. Nothing is proven, nothing
/// leaves this machine; what is printed is as secret as the accounts.
///
/// Exit code 4 if the margin is not met, or met by so little that it cannot be proven.
#[derive(Debug, Args)]
pub(crate) struct Margin {
    #[command(flatten)]
    facts: Facts,
    /// An account (JSON); may be given several times.
    #[arg(long = "account", value_name = "FILE", required_unless_present = "openings")]
    accounts: Vec<PathBuf>,
    /// An account as the opening of an attestation; may be given several times.
    #[arg(long = "opening", value_name = "FILE")]
    openings: Vec<PathBuf>,
    #[command(flatten)]
    terms: TermArgs,
    /// Also searches the listed futures and perpetuals, and the options held short, for the smallest trade that restores what fails.
    #[arg(long)]
    hedge: bool,
    /// How long --hedge may search, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 30, requires = "hedge")]
    hedge_time: u64,
    /// Draws what the model sees to this file (SVG): a heat map of its scenarios, its losses, or its risk factors. As secret as the accounts.
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Replaces existing output files.
    #[arg(long, requires = "svg")]
    force: bool,
}

pub(crate) fn run(args: &Margin) -> anyhow::Result<Answer> {
    let mut outputs = Outputs::new(args.force);
    if let Some(path) = &args.svg {
        outputs.reserve(path)?;
    }
    let facts = args.facts.load()?;
    let terms = args.terms.terms(&facts.universe)?;
    let legs = legs(args, &facts.universe)?;
    let LoadedFacts {
        universe,
        snapshot,
        model,
    } = &facts;
    if let Some(later) = args.terms.later()? {
        return variation(args, &facts, &later, &terms, &legs);
    }
    let report = Report::new(model, universe, snapshot, &terms, &legs).map_err(|error| {
        let names = args.facts.names();
        // Of an order for what does not count, the book is not to blame.
        let reasons = match &error {
            ReportError::Oracle(OracleError::NotCounted(_)) => supposed_not_counted(model, universe, snapshot, &terms),
            _ => None,
        };
        match reasons {
            Some(reasons) => anyhow!(
                "{names}: there is no margin after the {}: {reasons}",
                supposed_words(&terms)
            ),
            None => anyhow::Error::from(error).context(names),
        }
    })?;
    let provable = Provable::new(model, universe, snapshot, &terms, &legs).with_context(|| args.facts.names())?;
    let mut text = render_table(&report, &provable);
    let mut data = render_json(&report, &provable)?;
    if args.hedge {
        let (started, most) = (Instant::now(), Duration::from_secs(args.hedge_time));
        let _searching = working(format!("looking for hedges, for {} s at most", args.hedge_time));
        let found = hedge::search(model, universe, snapshot, &terms, &legs, || started.elapsed() < most)
            .with_context(|| args.facts.names())?;
        text += &hedges_text(&report, &found);
        data["hedges"] = hedges_json(&found);
    }
    if let Some(path) = &args.svg {
        outputs.stage(path, picture::draw(&report)?.as_bytes(), Secrecy::Secret)?;
        outputs.commit()?;
        text += &format!("\n{}  the picture, secret\n", path.display());
        data["svg"] = json!(path.display().to_string());
    }
    let answer = Answer::new(text, data);
    Ok(if report.is_met() && provable.is_provable() {
        answer
    } else {
        answer.with_exit(NOT_MET)
    })
}

/// What the positions lost between two snapshots, and whether the cash covers it.
fn variation(
    args: &Margin,
    facts: &LoadedFacts,
    later: &Snapshot,
    terms: &Terms,
    legs: &[u64],
) -> anyhow::Result<Answer> {
    let LoadedFacts {
        universe,
        snapshot,
        model,
        ..
    } = facts;
    if args.svg.is_some() || args.hedge {
        bail!("--svg and --hedge are of initial and maintenance margin");
    }
    let names = || args.facts.names();
    let after = Zeroizing::new(oracle::with_public_amounts(universe, terms, legs)?);
    let found = oracle::variation(model, universe, [snapshot, later], &after).with_context(names)?;
    let excess = found.excess(terms.ratio, terms.excess);
    let provable = Provable::of_variation(model, universe, [snapshot, later], terms, legs).with_context(names)?;
    let numeraire = model.numeraire();
    let money = |x: &BigRational| decimal(x, PLACES, Rounding::Down);
    let lost = |x: &BigRational| decimal(x, PLACES, Rounding::Up);
    let rows = found.isolated.iter().map(|one| {
        format!(
            "  isolated in {} at {}\n    cash                {}\n    lost                {}\n",
            one.instrument,
            one.venue,
            money(&one.cash),
            lost(&one.loss)
        )
    });
    let isolated = found.isolated.iter().map(|one| {
        json!({ "venue": one.venue, "instrument": one.instrument, "cash": money(&one.cash), "lost": lost(&one.loss) })
    });
    let text = format!(
        "Variation by {}, from {} to {}, in {numeraire}\n\n  cash                  {}\n  lost by positions     {}\n{}  excess                {}: {}\n",
        model.name(),
        snapshot.instant,
        later.instant,
        money(&found.cash),
        lost(&found.loss),
        rows.collect::<String>(),
        money(&excess),
        match (excess.is_negative(), provable) {
            (true, _) => "NOT met",
            (false, true) => "met",
            (false, false) => "met, but not provable: within the rounding of the program",
        },
    );
    let data = json!({
        "model": model.name(), "from": snapshot.instant.to_string(), "to": later.instant.to_string(), "numeraire": numeraire,
        "cash": money(&found.cash), "lost": lost(&found.loss), "isolated": isolated.collect::<Vec<_>>(), "excess": money(&excess),
        "met": !excess.is_negative(), "provable": provable,
    });
    let answer = Answer::new(text, data);
    Ok(if provable { answer } else { answer.with_exit(NOT_MET) })
}

/// Lots per slot, summed over all accounts, legs of a pair gross.
fn legs(args: &Margin, universe: &Universe) -> anyhow::Result<Zeroizing<Vec<u64>>> {
    let layout = universe.layout();
    let mut legs = Zeroizing::new(vec![0_u64; layout.slots()]);
    for path in &args.accounts {
        let account = load::account(path, universe)?;
        legs.iter_mut()
            .zip(account.lots())
            .for_each(|(sum, lots)| *sum = sum.saturating_add(*lots));
    }
    // Whose file each account was in.
    let mut given: BTreeMap<(String, Pseudonym), &Path> = BTreeMap::new();
    for path in &args.openings {
        let opening = load::opening(path)?;
        if opening.universe != universe.digest() {
            bail!(
                "{}: of universe {}, this is {}",
                path.display(),
                opening.universe,
                universe.digest()
            );
        }
        let (_, venue) = universe
            .venue(&opening.venue)
            .with_context(|| format!("{}: the universe has no venue {:?}", path.display(), opening.venue))?;
        if let Some(first) = given.insert((opening.venue.clone(), opening.account), path) {
            bail!(
                "{}: venue {:?}, account {}: this account is given already, by {}",
                path.display(),
                opening.venue,
                opening.account,
                first.display()
            );
        }
        for (column, opened) in venue.columns.clone().zip(&opening.columns) {
            let slots = legs.iter_mut().skip(column * layout.rows()).take(layout.rows());
            slots
                .zip(&opened.lots)
                .for_each(|(sum, lots)| *sum = sum.saturating_add(*lots));
        }
    }
    Ok(legs)
}
