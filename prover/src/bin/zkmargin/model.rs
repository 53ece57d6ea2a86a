//! `zkmargin model`.

mod check;
mod run;

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::json;
use zkmargin_prover::text::{Columns, wrapped};
use zkmargin_risk::model::{Exactness, Model, PRESETS};

use crate::answer::Answer;
use crate::load;

/// Columns of a terminal that words are set in.
const WIDTH: usize = 100;

/// What is done with a model.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// The presets: kind, numeraire, exact or conservative, and whose rule each follows.
    List,
    /// Checks a model's file; with a universe and a snapshot also says how large its proof is and what it costs.
    Check(check::Check),
    /// A model's rule in words, with its numbers.
    Explain(Explain),
    /// Works out cases: market, portfolio and model in one file each.
    Run(run::Run),
}

/// `model explain`.
#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// The name of a preset, or a file (JSON).
    model: PathBuf,
}

pub(crate) fn run(verb: &Verb) -> anyhow::Result<Answer> {
    match verb {
        Verb::List => list(),
        Verb::Check(args) => check::run(args),
        Verb::Explain(args) => Ok(explain(&load::model(&args.model)?)),
        Verb::Run(args) => run::run(args),
    }
}

const fn yes_or_no(is_so: bool) -> &'static str {
    if is_so { "yes" } else { "no" }
}

fn list() -> anyhow::Result<Answer> {
    let mut columns = Columns::new(&["name", "kind", "counts in", "history", "program"]);
    let (mut words, mut data) = (String::new(), Vec::new());
    for (name, _) in PRESETS {
        let model = Model::preset(name)?;
        let exactness = model.exactness();
        columns.row([
            name.to_owned(),
            model.kind().to_owned(),
            model.numeraire(),
            yes_or_no(model.needs_history()).to_owned(),
            match &exactness {
                Exactness::Exact => "exact".to_owned(),
                Exactness::Conservative(_) => "conservative".to_owned(),
            },
        ]);
        let _ = writeln!(words, "\n{name}\n{}", wrapped(model.description(), WIDTH, 2, 2));
        if let Exactness::Conservative(by) = &exactness {
            let _ = writeln!(words, "{}", wrapped(&format!("Conservative: {by}"), WIDTH, 2, 4));
        }
        data.push(json!({
            "name": name, "kind": model.kind(), "numeraire": model.numeraire(), "needs_history": model.needs_history(),
            "exact": exactness == Exactness::Exact, "exactness": exactness.to_string(), "description": model.description(),
            "left_out": model.left_out(), "assumed": model.assumed(), "digest": model.digest(),
        }));
    }
    let mut text = String::from("Presets: each is taken by its name wherever a model is asked for\n\n");
    columns.write_words(&mut text);
    text += &words;
    text += "\nA program is exact but for rounding, which it bounds, or errs against the holder as it says.\n`zkmargin model explain NAME` has the rule.";
    Ok(Answer::new(text, json!({ "kind": "models", "models": data })))
}

/// Name, kind, unit, whose rule: what every answer about one model begins with.
fn head(model: &Model) -> String {
    let mut text = format!(
        "{} ({}), counted in {} with a unit of 1e{}\nModel {}\n",
        model.name(),
        model.kind(),
        model.numeraire(),
        model.unit_exponent(),
        model.digest(),
    );
    let _ = writeln!(text, "{}", wrapped(model.description(), WIDTH, 0, 0));
    text
}

/// What is left out, what is assumed, and how exact the program is.
fn caveats(model: &Model) -> String {
    let mut text = String::new();
    let exactness = match model.exactness() {
        Exactness::Exact => {
            "the exact rule but for rounding, which it bounds and which is against the holder".to_owned()
        }
        conservative => conservative.to_string(),
    };
    let _ = writeln!(text, "{}", wrapped(&format!("Program: {exactness}"), WIDTH, 0, 2));
    for (what, list) in [("Left out", model.left_out()), ("Assumed", model.assumed())] {
        if !list.is_empty() {
            let _ = writeln!(text, "{what}:");
        }
        for line in list {
            let _ = writeln!(text, "{}", wrapped(&format!("- {line}"), WIDTH, 2, 4));
        }
    }
    text
}

fn explain(model: &Model) -> Answer {
    let mut text = head(model);
    for paragraph in model.words() {
        let _ = writeln!(text, "\n{}", wrapped(&paragraph, WIDTH, 0, 0));
    }
    text += "\nParameters, each with its meaning where it first stands\n";
    let lines = model.explain();
    for line in &lines {
        let indent = 2 + 2 * line.depth;
        let value = line
            .value
            .as_ref()
            .map_or_else(String::new, |value| format!(" {value}"));
        let meaning = line
            .meaning
            .as_ref()
            .map_or_else(String::new, |meaning| format!(": {meaning}"));
        let _ = writeln!(
            text,
            "{}",
            wrapped(&format!("{}{value}{meaning}", line.name), WIDTH, indent, indent + 4)
        );
    }
    text.push('\n');
    text += &caveats(model);
    let fields: Vec<_> = lines
        .iter()
        .map(|line| json!({ "depth": line.depth, "name": line.name, "value": line.value, "meaning": line.meaning }))
        .collect();
    let data = json!({
        "kind": "model", "name": model.name(), "model": model.kind(), "digest": model.digest(), "numeraire": model.numeraire(),
        "description": model.description(), "words": model.words(), "fields": fields, "left_out": model.left_out(),
        "assumed": model.assumed(), "exactness": model.exactness().to_string(),
    });
    Answer::new(text, data)
}
