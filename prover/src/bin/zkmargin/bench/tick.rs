//! `zkmargin bench tick`.

use anyhow::bail;
use clap::Args;
use serde_json::json;
use zkmargin_prover::bench::tick::{Desk, MAX_TICKS, STEPS, Spread, Ticks};
use zkmargin_prover::text::Columns;
use zkmargin_verifier::file::default_cache_dir;
use zkmargin_verifier::words::counted;

use crate::answer::Answer;

/// `bench tick`: the whole chain is recorded anew with other prices, imported, the account attested, its margin proven, and the bundle verified by
/// a partner who compiles the model for itself: one after the other, in one process whose parameters are loaded.
#[derive(Debug, Args)]
pub(crate) struct Tick {
    /// The model, or several.
    #[arg(
        long = "preset",
        value_name = "NAME,…",
        value_delimiter = ',',
        default_value = "paradex-pm"
    )]
    presets: Vec<String>,
    /// Measured ticks of each, after one that does not count; of fewer than 100 there is no 99th percentile.
    #[arg(long, value_name = "N", default_value_t = 200)]
    ticks: usize,
}

pub(crate) fn run(args: &Tick) -> anyhow::Result<Answer> {
    if !(1..=MAX_TICKS).contains(&args.ticks) {
        bail!("--ticks {}: 1 to {MAX_TICKS} are possible", args.ticks);
    }
    let cache = default_cache_dir();
    let mut presets: Vec<&str> = Vec::new();
    for preset in &args.presets {
        if !presets.contains(&preset.as_str()) {
            presets.push(preset);
        }
    }
    let desks = presets.iter().map(|preset| Desk::new(preset, cache.as_deref()));
    let desks = desks.collect::<Result<Vec<Desk>, _>>()?;
    let bar = super::progress(args.ticks as u64 * desks.len() as u64)?;
    let mut all = Vec::new();
    for (desk, preset) in desks.iter().zip(presets) {
        bar.set_message(preset.to_owned());
        all.push(desk.ticks(args.ticks, |_| bar.inc(1))?);
    }
    bar.finish_and_clear();
    let text: Vec<String> = all.iter().map(table).collect();
    Ok(Answer::new(
        text.join("\n"),
        json!({ "kind": "bench-tick", "presets": all }),
    ))
}

fn table(ticks: &Ticks) -> String {
    let mut columns = Columns::new(&["wall, ms", "median", "p99", "worst", "what"]);
    let mut row = |name: &str, spread: &Spread, what: &str| {
        let of = |ms: f64| format!("{ms:.1}");
        columns.row([
            name.to_owned(),
            of(spread.median_ms),
            spread.p99_ms.map_or_else(|| "-".to_owned(), of),
            of(spread.worst_ms),
            what.to_owned(),
        ]);
    };
    for (step, (_, what)) in ticks.steps.iter().zip(STEPS) {
        row(step.step, &step.spread, what);
    }
    row("tick to verdict", &ticks.total, "all of it");
    let mut text = format!(
        "{}, {} ticks, an account that holds {}\n",
        ticks.preset,
        ticks.ticks,
        counted(ticks.held, "leg")
    );
    columns.write_with_notes(&mut text);
    text += &format!("CPU time of a tick, median: {:.1} ms\n", ticks.total_cpu_ms);
    text
}
