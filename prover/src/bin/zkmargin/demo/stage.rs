//! The stage of the demonstration: prints a command as a user would type it, runs it, and shows what it said.

use std::path::PathBuf;

use anyhow::{Context as _, bail, ensure};
use clap::Parser as _;
use serde_json::{Value, json};

use zkmargin_verifier::words::print;

use crate::answer::Answer;
use crate::failure::{describe, exit_code};
use crate::{Cli, run};

/// Width at which a printed command is broken.
const WIDTH: usize = 100;

/// What has happened so far.
#[derive(Debug)]
pub(crate) struct Stage {
    /// Whether it is told as it happens.
    is_told: bool,
    steps: Vec<Value>,
}

impl Stage {
    pub(crate) fn new(is_told: bool) -> Stage {
        Stage {
            is_told,
            steps: Vec::new(),
        }
    }

    /// Every command so far, as data.
    pub(crate) fn into_steps(self) -> Vec<Value> {
        self.steps
    }

    /// Tells something.
    pub(crate) fn say(&self, text: &str) -> anyhow::Result<()> {
        if self.is_told {
            print(&text)?;
        }
        Ok(())
    }

    /// Begins a chapter.
    pub(crate) fn chapter(&self, title: &str) -> anyhow::Result<()> {
        self.say(&format!("\n== {title} =="))
    }

    /// Shows a command.
    pub(crate) fn show(&self, command: &str) -> anyhow::Result<()> {
        self.say(&format!("\n$ {command}"))
    }

    /// Remembers a command that this tool runs for another one.
    pub(crate) fn record(&mut self, command: &str, exit: u8, data: Value) {
        self.steps
            .push(json!({ "command": command, "exit": exit, "answer": data }));
    }

    fn attempt(&mut self, words: &[&str]) -> anyhow::Result<anyhow::Result<Answer>> {
        let all: Vec<&str> = ["zkmargin"].into_iter().chain(words.iter().copied()).collect();
        let command = command_line(&all);
        self.show(&command)?;
        // The same parser, the same structs and the same functions as on the command line.
        let cli = Cli::try_parse_from(&all).with_context(|| command.clone())?;
        let outcome = run(&cli);
        match &outcome {
            Ok(answer) => self.record(&command, answer.exit(), answer.data().clone()),
            Err(error) => self.record(&command, exit_code(error), json!({ "error": describe(error) })),
        }
        Ok(outcome)
    }

    /// Runs a command that must succeed, and shows what it says.
    pub(crate) fn run(&mut self, words: &[&str]) -> anyhow::Result<Answer> {
        let answer = self.attempt(words)??;
        self.say(answer.text().trim_end())?;
        Ok(answer)
    }

    /// Runs a command that must answer with this exit code; says nothing.
    pub(crate) fn run_quietly(&mut self, words: &[&str], exit: u8) -> anyhow::Result<Answer> {
        let answer = self.attempt(words)??;
        ensure!(
            answer.exit() == exit,
            "expected exit code {exit}, the command answered with {}",
            answer.exit()
        );
        Ok(answer)
    }

    /// Runs a command that must be refused for the reason that `is_expected` knows, and that must not leave `output` behind.
    pub(crate) fn refused(
        &mut self,
        words: &[&str],
        output: &str,
        is_expected: impl FnOnce(&anyhow::Error) -> bool,
    ) -> anyhow::Result<anyhow::Error> {
        let Err(error) = self.attempt(words)? else {
            bail!("this should have been refused, and was not")
        };
        self.say(&format!(
            "zkmargin: {}\n(exit code {})",
            describe(&error),
            exit_code(&error)
        ))?;
        ensure!(
            is_expected(&error),
            "refused for another reason than expected: {error:#}"
        );
        ensure!(!PathBuf::from(output).exists(), "{output} was written all the same");
        Ok(error)
    }
}

/// A command as a POSIX shell takes it, broken before options.
pub(crate) fn command_line(words: &[&str]) -> String {
    let mut text = String::new();
    let mut width = 0;
    for (index, word) in words.iter().enumerate() {
        let quoted = quoted(word);
        let with_value = match words.get(index + 1) {
            Some(value) if word.starts_with('-') && !value.starts_with('-') => quoted.len() + 1 + value.len(),
            _ => quoted.len(),
        };
        if word.starts_with('-') && width + 1 + with_value > WIDTH {
            text.push_str(" \\\n    ");
            width = 4;
        } else if index > 0 {
            text.push(' ');
            width += 1;
        }
        text.push_str(&quoted);
        width += quoted.len();
    }
    text
}

fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@,+".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn command_is_quoted_and_broken_before_options() {
        assert_eq!(
            command_line(&["zkmargin", "prove", "--order", "sell 5 X @ 1"]),
            "zkmargin prove --order 'sell 5 X @ 1'"
        );
        assert_eq!(quoted("it's"), "'it'\\''s'");
        let long = "f".repeat(60);
        assert_eq!(
            command_line(&["zkmargin", "prove", "--universe", &long, "--snapshot", &long]),
            format!("zkmargin prove --universe {long} \\\n    --snapshot {long}"),
        );
    }
}
