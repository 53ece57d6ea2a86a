//! `zkmargin completions` and `zkmargin man`.

use anyhow::Context as _;
use clap::{Args, CommandFactory as _};
use clap_complete::Shell;
use serde_json::json;

use crate::Cli;
use crate::answer::Answer;

/// `completions`.
#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// The shell.
    shell: Shell,
}

/// `man`.
#[derive(Debug, Args)]
pub(crate) struct Man {
    /// The verb, such as `venue attest`; none for the tool itself.
    verb: Vec<String>,
}

pub(crate) fn completions(args: &Completions) -> anyhow::Result<Answer> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "zkmargin", &mut script);
    let script = String::from_utf8(script)?;
    let data = json!({ "shell": args.shell.to_string(), "script": script });
    Ok(Answer::new(script, data))
}

pub(crate) fn man(args: &Man) -> anyhow::Result<Answer> {
    let mut command = Cli::command();
    command.build();
    let mut name = command.get_name().to_owned();
    for word in &args.verb {
        let found = command
            .find_subcommand(word)
            .with_context(|| format!("{name} has no verb {word:?}"))?;
        command = found.clone();
        name = format!("{name}-{word}");
    }
    let mut page = Vec::new();
    clap_mangen::Man::new(command).render(&mut page)?;
    let page = String::from_utf8(page)?;
    let data = json!({ "name": name, "page": page });
    Ok(Answer::new(page, data))
}
