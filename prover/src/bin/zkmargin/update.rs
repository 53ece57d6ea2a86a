//! `zkmargin venue update`.

use std::path::PathBuf;
use std::time::Instant as Clock;

use anyhow::{Context as _, bail};
use clap::Args;
use serde_json::json;
use zkmargin_prover::fill::{Fills, MAX_FILLS_BYTES};
use zkmargin_prover::lock::Lock;
use zkmargin_prover::running::{MAX_STATE_BYTES, RunningAccount};
use zkmargin_verifier::output::{Outputs, Secrecy};
use zkmargin_verifier::words::counted;

use crate::answer::Answer;
use crate::load;

/// `venue update`: one scalar multiplication per leg that a fill moves, however much the account holds.
///
/// With `--account`, a running commitment is begun; with `--fills`, trades and transfers are applied. The state file is replaced whole,
/// and only after the sums were compared with committing to everything anew; `STATE.lock` beside it keeps updates apart.
#[derive(Debug, Args)]
pub(crate) struct Update {
    /// The universe (JSON).
    #[arg(long, value_name = "FILE")]
    universe: PathBuf,
    /// The running commitment: updated in place. As secret as the account.
    #[arg(long, value_name = "FILE")]
    state: PathBuf,
    /// Begins the running commitment from this account (JSON) instead of reading it.
    #[arg(long, value_name = "FILE")]
    account: Option<PathBuf>,
    /// Trades and transfers to apply (JSON).
    #[arg(long, value_name = "FILE", required_unless_present = "account")]
    fills: Option<PathBuf>,
    /// With --account: replaces an existing running commitment.
    #[arg(long, requires = "account")]
    force: bool,
}

pub(crate) fn run(args: &Update) -> anyhow::Result<Answer> {
    let mut outputs = Outputs::new(args.force || args.account.is_none());
    outputs.reserve(&args.state)?;
    // Who reads a state that another one replaces meanwhile would lose what that one applied.
    let _lock = Lock::beside(&args.state)?;
    let universe = load::universe(&args.universe)?;
    let parameters = load::parameters(&universe)?;
    let mut account = match &args.account {
        Some(path) => RunningAccount::open(&universe, &parameters, &load::account(path, &universe)?)
            .with_context(|| path.display().to_string())?,
        None => load::load(&args.state, MAX_STATE_BYTES, |bytes| {
            Ok(RunningAccount::from_bytes(bytes, &universe, &parameters)?)
        })?,
    };
    let fills = match &args.fills {
        Some(path) => Some((
            path,
            load::load(path, MAX_FILLS_BYTES, |bytes| Ok(Fills::from_json(bytes)?))?,
        )),
        None => None,
    };
    let started = Clock::now();
    let moved = match &fills {
        Some((path, fills)) => fills
            .apply(&universe, &parameters, &mut account)
            .with_context(|| path.display().to_string())?,
        None => 0,
    };
    let updating = started.elapsed();
    let started = Clock::now();
    if !account.is_consistent(&parameters) {
        bail!(
            "{}: the running commitment differs from committing anew; nothing was written",
            args.state.display()
        );
    }
    let recommitting = started.elapsed();
    outputs.stage(&args.state, &account.to_bytes(), Secrecy::Secret)?;
    outputs.commit()?;

    let count = |list: Option<usize>| list.unwrap_or(0);
    let trades = count(fills.as_ref().map(|(_, fills)| fills.fills.len()));
    let transfers = count(fills.as_ref().map(|(_, fills)| fills.transfers.len()));
    let text = format!(
        "{} and {} moved {} of an account at {:?}: {}, {:.2} ms.\n\
         Committing to the whole account anew gives the same commitment ({:.2} ms).\n\
         {}  the running commitment, secret",
        counted(trades, "trade"),
        counted(transfers, "transfer"),
        counted(moved, "leg"),
        account.venue(),
        counted(moved, "scalar multiplication"),
        updating.as_secs_f64() * 1e3,
        recommitting.as_secs_f64() * 1e3,
        args.state.display(),
    );
    let data = json!({
        "venue": account.venue(), "trades": trades, "transfers": transfers, "legs_moved": moved, "equals_recommitting": true,
        "update_ms": updating.as_secs_f64() * 1e3, "recommit_ms": recommitting.as_secs_f64() * 1e3,
        "state": args.state.display().to_string(),
    });
    Ok(Answer::new(text, data))
}
