//! `zkmargin schema`.

use std::path::PathBuf;

use anyhow::{Context as _, bail};
use clap::Args;
use serde_json::json;
use zkmargin_prover::schemas::{self, FileSchema};
use zkmargin_verifier::output::{Outputs, Secrecy};
use zkmargin_verifier::words::counted;

use crate::answer::Answer;

/// `schema`: the JSON Schema (draft 2020-12) of a file that people write, on standard output; with `--all`, every one of them as files in a
/// folder. An editor that knows them completes names and marks mistakes.
#[derive(Debug, Args)]
pub(crate) struct Schema {
    /// The kind of file: account, baselines, batch, case, fills, history, ledger-fill, policy, reference, snapshot, universe, venue, or model-KIND.
    kind: Option<String>,
    /// All kinds.
    #[arg(long, conflicts_with = "kind", requires = "out")]
    all: bool,
    /// The folder to write to, one file per kind; it is made if it is not there.
    #[arg(short = 'o', long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    /// Replaces existing output files.
    #[arg(long, requires = "out")]
    force: bool,
}

pub(crate) fn run(args: &Schema) -> anyhow::Result<Answer> {
    let mut wanted = schemas::all();
    let known: Vec<String> = wanted.iter().map(|schema| schema.kind.clone()).collect();
    let known = known.join(", ");
    match &args.kind {
        Some(kind) => {
            wanted.retain(|schema| schema.kind == *kind);
            if wanted.is_empty() {
                bail!("`{kind}` is not a kind of file with a schema; there are {known}");
            }
        }
        None if args.all => {}
        None => bail!("give a kind of file, or --all; there are {known}"),
    }
    let Some(folder) = &args.out else {
        let text: Vec<String> = wanted.iter().map(FileSchema::text).collect();
        let data = wanted.into_iter().next().map_or(json!({}), |schema| schema.schema);
        return Ok(Answer::new(text.concat(), json!({ "kind": "schema", "schema": data })));
    };
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let mut outputs = Outputs::new(args.force);
    let paths: Vec<PathBuf> = wanted.iter().map(|schema| folder.join(schema.file_name())).collect();
    for path in &paths {
        outputs.reserve(path)?;
    }
    for (schema, path) in wanted.iter().zip(&paths) {
        outputs.stage(path, schema.text().as_bytes(), Secrecy::Public)?;
    }
    outputs.commit()?;
    let files: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
    let text = format!("{}\n{}", counted(files.len(), "schema"), files.join("\n"));
    Ok(Answer::new(text, json!({ "kind": "schemas", "files": files })))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn help_names_every_kind_of_file_with_a_schema() {
        let command = Schema::augment_args(clap::Command::new("schema"));
        let kind = command.get_arguments().find(|argument| argument.get_id() == "kind");
        let help = kind.unwrap().get_help().unwrap().to_string();
        let named: Vec<&str> = help
            .split(|letter: char| !(letter.is_alphanumeric() || letter == '-'))
            .collect();
        for schema in schemas::all() {
            let name = if schema.kind.starts_with("model-") {
                "model-KIND"
            } else {
                &schema.kind
            };
            assert!(named.contains(&name), "{} is not in: {help}", schema.kind);
        }
    }
}
