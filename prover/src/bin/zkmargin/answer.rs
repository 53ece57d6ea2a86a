//! What a verb has to say: text for people, the same as data, and an exit code.

use std::time::Duration;

use indicatif::ProgressBar;
use serde_json::{Value, json};
use zkmargin_verifier::verify::exit;
use zkmargin_verifier::words;

use crate::failure::TOOL;

/// What is under way, until it is [cleared](ProgressBar::finish_and_clear) or dropped. Draws on a terminal only, and only on standard error.
pub(crate) fn working(on: impl Into<std::borrow::Cow<'static, str>>) -> ProgressBar {
    let spinner = ProgressBar::new_spinner().with_message(on);
    spinner.enable_steady_tick(Duration::from_millis(100));
    spinner
}

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

    /// The same answer with a further line, and the fields of another object.
    pub(crate) fn with(mut self, line: &str, more: Value) -> Answer {
        self.text = format!("{}\n{line}", self.text.trim_end());
        if let (Value::Object(fields), Value::Object(more)) = (&mut self.data, more) {
            fields.extend(more);
        }
        self
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
        if as_json {
            let mut data = self.data.clone();
            if let Value::Object(fields) = &mut data {
                fields.insert("exit".to_owned(), json!(self.exit));
            }
            words::answer(TOOL, &format!("{data:#}"), self.exit)
        } else {
            words::answer(TOOL, &self.text.trim_end(), self.exit)
        }
    }
}
