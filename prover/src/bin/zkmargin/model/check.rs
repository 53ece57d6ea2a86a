//! `zkmargin model check`.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::Args;
use serde_json::{Value, json};
use zkmargin_program::Program;
use zkmargin_prover::cost::{CostModel, Size};
use zkmargin_prover::text::{Columns, wrapped};
use zkmargin_risk::market::Snapshot;
use zkmargin_risk::model::Model;
use zkmargin_risk::terms::{Level, Terms};
use zkmargin_risk::universe::Universe;
use zkmargin_verifier::file::default_cache_dir;
use zkmargin_verifier::words::counted;

use super::{WIDTH, caveats, head};
use crate::answer::Answer;
use crate::load;

const LEVELS: [Level; 2] = [Level::Initial, Level::Maintenance];

/// `model check`: whether a file is a model. With a universe and a snapshot also what of them does not count, and equations,
/// variables, columns, the size of a proof and the time to compile; times to prove and to verify are estimates.
#[derive(Debug, Args)]
pub(crate) struct Check {
    /// A file (JSON), or the name of a preset.
    model: PathBuf,
    /// The universe (JSON) that figures are of.
    #[arg(long, value_name = "FILE", requires = "snapshot")]
    universe: Option<PathBuf>,
    /// The market snapshot (JSON) that figures are of.
    #[arg(long, value_name = "FILE", requires = "universe")]
    snapshot: Option<PathBuf>,
    /// The price history (JSON), for a model that needs one for its figures.
    #[arg(long, value_name = "FILE", requires = "universe")]
    history: Option<PathBuf>,
}

pub(crate) fn run(args: &Check) -> anyhow::Result<Answer> {
    let model = load::model(&args.model)?;
    let mut text = head(&model);
    text += &caveats(&model);
    let mut data = json!({
        "kind": "model", "valid": true, "name": model.name(), "model": model.kind(), "digest": model.digest(),
        "numeraire": model.numeraire(), "unit_exponent": model.unit_exponent(), "exactness": model.exactness().to_string(),
        "left_out": model.left_out(), "assumed": model.assumed(),
    });
    match (&args.universe, &args.snapshot) {
        (Some(universe), Some(snapshot)) => {
            let place = format!("{} on {}", args.model.display(), snapshot.display());
            let (universe, snapshot) = (load::universe(universe)?, load::snapshot(snapshot)?);
            let model = load::with_history(model, args.history.as_deref()).context("--history")?;
            data["figures"] = figures(&mut text, &model, &universe, &snapshot).context(place)?;
        }
        _ => {
            let history = match model.history() {
                Some(_) => ", and the --history that it needs,",
                None => "",
            };
            let _ = writeln!(
                text,
                "\nThe file is valid. Give --universe and --snapshot{history} to see what a proof costs."
            );
        }
    }
    Ok(Answer::new(text, data))
}

fn figures(text: &mut String, model: &Model, universe: &Universe, snapshot: &Snapshot) -> anyhow::Result<Value> {
    let mut columns = Columns::new(&["", "initial", "maintenance"]);
    let costs = CostModel::here(default_cache_dir().as_deref());
    let mut sizes = Vec::new();
    for level in LEVELS {
        let started = Instant::now();
        let program = model.compile(universe, snapshot, &Terms::at(level))?;
        sizes.push(OfLevel::new(&program, started.elapsed(), &costs)?);
    }
    let mut row = |name: &str, of: &dyn Fn(&OfLevel) -> String| {
        columns.row([name.to_owned()].into_iter().chain(sizes.iter().map(of)));
    };
    row("equations", &|of| of.size.equations.to_string());
    row("variables", &|of| of.size.variables.to_string());
    row("of which one bit", &|of| of.one_bit.to_string());
    row("bits of all variables", &|of| of.bits.to_string());
    row("q columns, as many as the universe has", &|of| {
        of.size.q_columns.to_string()
    });
    row("x columns, of sums of squares", &|of| of.size.x_columns.to_string());
    row("z columns, of runs of limbs", &|of| of.size.z_columns.to_string());
    row("proof, bytes", &|of| of.size.proof_bytes.to_string());
    row("compile, wall ms, measured here", &|of| format!("{:.0}", of.compile_ms));
    row("prove, CPU ms, estimate", &|of| format!("{:.0}", of.prove_ms));
    row("verify, CPU ms, estimate", &|of| format!("{:.0}", of.verify_ms));
    let _ = writeln!(
        text,
        "\nOn a universe of {} in {} of 2^{} rows, market of {}",
        counted(universe.layout().legs().len(), "leg"),
        counted(universe.layout().columns(), "column"),
        universe.k(),
        snapshot.instant,
    );
    columns.write(text);
    let notes = format!(
        "The size of a proof is exact: of one statement, without the statement itself, its attestations and signatures. The time to compile is what a clock \
         on the wall shows. Times to prove and to verify are CPU times on one thread by a cost model, {}; `zkmargin bench --fit` fits one to this machine.",
        costs.provenance(),
    );
    let _ = writeln!(text, "{}", wrapped(&notes, WIDTH, 2, 2));
    let uncounted = model.uncounted(universe, snapshot);
    if uncounted.is_empty() {
        *text += "  Everything that the universe lists counts.\n";
    } else {
        let head = format!(
            "{} of the universe not counted: an account that holds it has no proof, a balance of it is worth nothing",
            counted(uncounted.len(), "line"),
        );
        let _ = writeln!(text, "{}", wrapped(&head, WIDTH, 2, 2));
        for line in uncounted.iter().take(12) {
            let words = format!("- {}:{}: {}", line.venue, line.line, line.why);
            let _ = writeln!(text, "{}", wrapped(&words, WIDTH, 4, 6));
        }
        if uncounted.len() > 12 {
            let _ = writeln!(text, "    and {} more", uncounted.len() - 12);
        }
    }
    let levels: Vec<Value> = LEVELS.iter().zip(&sizes).map(|(level, of)| of.data(*level)).collect();
    let lines: Vec<Value> = uncounted
        .iter()
        .map(|line| json!({ "venue": line.venue, "line": line.line, "why": line.why.to_string() }))
        .collect();
    Ok(
        json!({ "levels": levels, "uncounted": lines, "legs": universe.layout().legs().len(), "k": universe.k(), "cost_model": costs.provenance() }),
    )
}

/// A program at one level.
struct OfLevel {
    size: Size,
    /// Variables of one bit.
    one_bit: usize,
    /// Declared widths of all variables together.
    bits: u64,
    compile_ms: f64,
    /// CPU milliseconds on one thread, by the cost model.
    prove_ms: f64,
    verify_ms: f64,
}

impl OfLevel {
    fn new(program: &Program, compile: Duration, costs: &CostModel) -> anyhow::Result<OfLevel> {
        let size = Size::of(program)?;
        let variables = || program.variables().iter();
        Ok(OfLevel {
            one_bit: variables().filter(|variable| variable.bits == 1).count(),
            bits: variables().map(|variable| u64::from(variable.bits)).sum(),
            compile_ms: compile.as_secs_f64() * 1e3,
            prove_ms: costs.prove_ms(&size),
            verify_ms: costs.verify_ms(&size, 1),
            size,
        })
    }

    fn data(&self, level: Level) -> Value {
        let size = &self.size;
        json!({
            "level": level.to_string(), "equations": size.equations, "variables": size.variables, "one_bit_variables": self.one_bit, "bits": self.bits,
            "q_columns": size.q_columns, "x_columns": size.x_columns, "z_columns": size.z_columns, "proof_bytes": size.proof_bytes,
            "compile_ms": self.compile_ms, "prove_ms_estimate": self.prove_ms, "verify_ms_estimate": self.verify_ms,
        })
    }
}
