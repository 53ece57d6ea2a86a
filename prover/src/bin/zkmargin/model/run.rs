//! `zkmargin model run`.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};
use zkmargin_prover::text::{Columns, grouped};
use zkmargin_risk::case::{Case, ComponentOutcome, LevelOutcome, Outcome};
use zkmargin_risk::json::MAX_BYTES;
use zkmargin_verifier::verify::exit;
use zkmargin_verifier::words;

use crate::answer::Answer;
use crate::failure::{TOOL, describe};
use crate::load;

/// `model run`: what the exact rule makes of each case, component by component, and the least requirement that the compiled program
/// admits, which is what a prover can show.
///
/// Exit code 2 if a file is no case or has no outcome; the others are worked out all the same.
#[derive(Debug, Args)]
pub(crate) struct Run {
    /// Cases (JSON; `zkmargin schema case` has the schema).
    #[arg(value_name = "CASE", required = true)]
    cases: Vec<PathBuf>,
}

pub(crate) fn run(args: &Run) -> anyhow::Result<Answer> {
    let (mut texts, mut data, mut failed) = (Vec::new(), Vec::new(), false);
    for path in &args.cases {
        let file = path.display().to_string();
        let outcome = load::load(path, MAX_BYTES, |bytes| Ok(Case::from_json(load::text(bytes)?)?.run()?));
        match outcome {
            Ok(outcome) => {
                texts.push(format!("{file}\n{}", describe_outcome(&outcome)));
                let mut outcome = serde_json::to_value(&outcome)?;
                if let Value::Object(fields) = &mut outcome {
                    fields.insert("file".to_owned(), json!(file));
                }
                data.push(outcome);
            }
            Err(error) => {
                let error = describe(&error);
                words::complain(TOOL, &error);
                data.push(json!({ "file": file, "error": error }));
                failed = true;
            }
        }
    }
    let answer = Answer::new(texts.join("\n"), json!({ "kind": "outcomes", "cases": data }));
    Ok(if failed { answer.with_exit(exit::USAGE) } else { answer })
}

/// Without the zeros at the end of a decimal, but with hundredths.
fn amount(text: &str) -> String {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let fraction = fraction.trim_end_matches('0');
    grouped(&format!("{whole}.{fraction:0<2}"))
}

fn describe_outcome(outcome: &Outcome) -> String {
    let Outcome {
        initial, maintenance, ..
    } = outcome;
    let mut text = format!("  by {}, in {}\n", outcome.model, outcome.numeraire);
    let mut columns = Columns::new(&["", "initial", "maintenance"]);
    let of = |figure: fn(&LevelOutcome) -> &String| [figure(initial), figure(maintenance)].map(|text| amount(text));
    let mut row =
        |name: &str, [initial, maintenance]: [String; 2]| columns.row([name.to_owned(), initial, maintenance]);
    row("value V", [amount(&outcome.value), amount(&outcome.value)]);
    row("requirement R, exactly", of(|level| &level.requirement));
    row("excess V - R, exactly", of(|level| &level.excess));
    let shown = |figure: fn(&LevelOutcome) -> &Option<String>| {
        [figure(initial), figure(maintenance)].map(|text| text.as_deref().map_or_else(|| "no proof".to_owned(), amount))
    };
    row(
        "least requirement of the program",
        shown(|level| &level.program_requirement),
    );
    row("most excess of the program", shown(|level| &level.program_excess));
    row("rounding bound of the program", of(|level| &level.rounding_bound));
    row(
        "equations",
        [initial, maintenance].map(|level| level.equations.to_string()),
    );
    row(
        "variables",
        [initial, maintenance].map(|level| level.variables.to_string()),
    );
    columns.write(&mut text);
    if outcome.models.is_empty() {
        components(&mut text, "Components", &outcome.components);
    }
    for model in &outcome.models {
        let head = format!("Components by {}, where V is {}", model.model, amount(&model.value));
        components(&mut text, &head, &model.components);
    }
    if !outcome.checks.is_empty() {
        let mut columns = Columns::new(&["what else must hold, and what is left of it", "initial", "maintenance"]);
        for check in &outcome.checks {
            columns.row([check.name.clone(), amount(&check.initial), amount(&check.maintenance)]);
        }
        columns.write(&mut text);
    }
    for (level, name) in [(initial, "initial"), (maintenance, "maintenance")] {
        if let Some(why) = &level.no_proof {
            let _ = writeln!(text, "  No proof can be made at the {name} level: {why}");
            continue;
        }
        let missed = level.requirements.iter().filter(|requirement| !requirement.met);
        let missed: Vec<&str> = missed.map(|requirement| requirement.name.as_str()).collect();
        if !missed.is_empty() {
            let _ = writeln!(text, "  The program refuses at the {name} level: {}", missed.join("; "));
        }
    }
    text
}

fn components(text: &mut String, head: &str, components: &[ComponentOutcome]) {
    let mut columns = Columns::new(&[head, "initial", "maintenance", ""]);
    add_components(&mut columns, components, 0);
    columns.write_with_notes(text);
}

fn add_components(columns: &mut Columns, components: &[ComponentOutcome], depth: usize) {
    for component in components {
        columns.row([
            format!("{}{}", "  ".repeat(depth), component.term),
            amount(&component.initial),
            amount(&component.maintenance),
            component.note.clone(),
        ]);
        add_components(columns, &component.parts, depth + 1);
    }
}
