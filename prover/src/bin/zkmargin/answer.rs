//! What a verb has to say: text for people, the same as data, and an exit code.

use std::fmt::Display;
use std::io::{self, Write};

use serde_json::{Value, json};
use zkmargin_verifier::verify::exit;

/// The answer of a verb.
#[derive(Debug)]
pub(crate) struct Answer {
    text: String,
    data: Value,
    exit: u8,
}

impl Answer {
    /// A verb that has done what it was asked; `data` is an object.
    pub(crate) fn new(text: impl Into<String>, data: Value) -> Answer {
        Answer {
            text: text.into(),
            data,
            exit: exit::OK,
        }
    }

    /// The same answer with another exit code.
    pub(crate) fn with_exit(mut self, exit: u8) -> Answer {
        self.exit = exit;
        self
    }

    /// For people.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// For programs.
    pub(crate) fn data(&self) -> &Value {
        &self.data
    }

    /// The exit code.
    pub(crate) fn exit(&self) -> u8 {
        self.exit
    }

    /// Prints the answer to standard output; the exit code.
    pub(crate) fn print(&self, as_json: bool) -> u8 {
        let printed = if as_json {
            let mut data = self.data.clone();
            if let Value::Object(fields) = &mut data {
                fields.insert("exit".to_owned(), json!(self.exit));
            }
            print(&format!("{data:#}"))
        } else {
            print(&self.text.trim_end())
        };
        printed.map_or(exit::USAGE, |()| self.exit)
    }
}

/// Prints a line; a closed pipe is an error, not a panic.
pub(crate) fn print(text: &impl Display) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}")?;
    out.flush()
}
