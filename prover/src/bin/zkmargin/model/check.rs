//! `zkmargin model check`.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::Args;
use serde_json::{Value, json};
use zkmargin_circuits::Placement;
use zkmargin_program::Program;
use zkmargin_prover::text::{Columns, wrapped};
use zkmargin_risk::market::Snapshot;
use zkmargin_risk::model::Model;
use zkmargin_risk::terms::{Level, Terms};
use zkmargin_risk::universe::Universe;
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
            data["figures"] = figures(&mut text, &model, &universe, &snapshot).context(place)?;
        }
        _ => text += "\nThe file is valid. Give --universe and --snapshot to see what a proof costs.\n",
    }
    Ok(Answer::new(text, data))
}

fn figures(text: &mut String, model: &Model, universe: &Universe, snapshot: &Snapshot) -> anyhow::Result<Value> {
    let mut columns = Columns::new(&["", "initial", "maintenance"]);
    let mut sizes = Vec::new();
    for level in LEVELS {
        let started = Instant::now();
        let program = model.compile(universe, snapshot, &Terms::at(level))?;
        sizes.push(Size::of(&program, started.elapsed())?);
    }
    let mut row = |name: &str, of: &dyn Fn(&Size) -> String| {
        columns.row([name.to_owned()].into_iter().chain(sizes.iter().map(of)));
    };
    row("equations", &|size| size.equations.to_string());
    row("variables", &|size| size.variables.to_string());
    row("of which one bit", &|size| size.one_bit.to_string());
    row("bits of all variables", &|size| size.bits.to_string());
    row("q columns, as many as the universe has", &|size| {
        size.q_columns.to_string()
    });
    row("x columns, of sums of squares", &|size| size.x_columns.to_string());
    row("z columns, of runs of limbs", &|size| size.z_columns.to_string());
    row("proof, bytes", &|size| size.proof_bytes.to_string());
    row("compile, ms, measured here", &|size| format!("{:.0}", size.compile_ms));
    row("prove, ms, estimate", &|size| format!("{:.0}", size.estimate().0));
    row("verify, ms, estimate", &|size| format!("{:.0}", size.estimate().1));
    let _ = writeln!(
        text,
        "\nOn a universe of {} in {} of 2^{} rows, market of {}",
        counted(universe.layout().legs().len(), "leg"),
        counted(universe.layout().columns(), "column"),
        universe.k(),
        snapshot.instant,
    );
    columns.write(text);
    let notes = "The size of a proof is exact: of one statement, without the statement itself, its attestations and signatures. Times to \
                 prove and to verify are for one thread of a machine like that of the README's table, of which they are a fit.";
    let _ = writeln!(text, "{}", wrapped(notes, WIDTH, 2, 2));
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
    let levels: Vec<Value> = LEVELS
        .iter()
        .zip(&sizes)
        .map(|(level, size)| size.data(*level))
        .collect();
    let lines: Vec<Value> = uncounted
        .iter()
        .map(|line| json!({ "venue": line.venue, "line": line.line, "why": line.why.to_string() }))
        .collect();
    Ok(json!({ "levels": levels, "uncounted": lines, "legs": universe.layout().legs().len(), "k": universe.k() }))
}

/// How large a program is.
struct Size {
    equations: usize,
    variables: usize,
    /// Variables of one bit.
    one_bit: usize,
    /// Declared widths of all variables together.
    bits: u64,
    k: u32,
    q_columns: usize,
    x_columns: usize,
    z_columns: usize,
    cost: usize,
    /// Coefficients of the program, as many as are folded.
    coefficients: usize,
    proof_bytes: usize,
    compile_ms: f64,
}

impl Size {
    fn of(program: &Program, compile: Duration) -> anyhow::Result<Size> {
        let placement = Placement::new(program)?;
        let shape = placement.shape();
        Ok(Size {
            equations: program.equations().len(),
            variables: program.variables().len(),
            one_bit: program.variables().iter().filter(|variable| variable.bits == 1).count(),
            bits: program
                .variables()
                .iter()
                .map(|variable| u64::from(variable.bits))
                .sum(),
            k: shape.k(),
            q_columns: shape.q_columns(),
            x_columns: shape.x_columns(),
            z_columns: shape.z_columns(),
            cost: shape.cost(),
            coefficients: (program.equations().iter())
                .map(|equation| equation.legs.len() + equation.variables.len())
                .sum(),
            proof_bytes: shape.proof_bytes(),
            compile_ms: compile.as_secs_f64() * 1e3,
        })
    }

    /// Milliseconds to prove and to verify on one thread.
    ///
    /// A fit of what `cargo run --release -p zkmargin-benches` measured on the shipped chain, in 2^9 rows: with the cost of the shape, to which a
    /// `q` column adds its part, and with the coefficients that are folded. All but the folding is taken to grow with the rows.
    fn estimate(&self) -> (f64, f64) {
        let scale = f64::from(1_u32 << self.k.min(20)) / 512.0;
        let fold = FOLD_MS * self.coefficients as f64;
        let columns = (self.cost + Q_COLUMN_COST * self.q_columns) as f64;
        (
            scale * (PROVE_MS[0] + PROVE_MS[1] * columns) + fold,
            scale * (VERIFY_MS[0] + VERIFY_MS[1] * columns) + fold,
        )
    }

    fn data(&self, level: Level) -> Value {
        let (prove, verify) = self.estimate();
        json!({
            "level": level.to_string(), "equations": self.equations, "variables": self.variables, "one_bit_variables": self.one_bit, "bits": self.bits,
            "q_columns": self.q_columns, "x_columns": self.x_columns, "z_columns": self.z_columns, "proof_bytes": self.proof_bytes,
            "compile_ms": self.compile_ms, "prove_ms_estimate": prove, "verify_ms_estimate": verify,
        })
    }
}

/// CPU milliseconds of a proof: at rest, and per unit of cost.
const PROVE_MS: [f64; 2] = [165.0, 1.94];
/// The same of its verification.
const VERIFY_MS: [f64; 2] = [23.5, 0.1];
/// CPU milliseconds per coefficient of the program.
const FOLD_MS: f64 = 9e-6;
/// What a `q` column and its `a` cost, in units of [`Shape::cost`](zkmargin_circuits::Shape::cost).
const Q_COLUMN_COST: usize = 6;
