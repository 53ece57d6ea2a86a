//! What messages are made of, the same in both tools.

use std::error::Error;
use std::fmt::{self, Display, Write as _};
use std::io::{self, Write as _};
use std::path::Path;

use zkmargin_risk::canonical::Digest;
use zkmargin_risk::model::PRESETS;
use zkmargin_risk::universe::Network;

use crate::dsse::PublicKey;
use crate::verify::exit;

/// An error with its causes; a cause that is in the message above it already is left out.
pub fn describe(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let message = error.to_string();
        if !text.contains(&message) {
            text = format!("{text}: {message}");
        }
        cause = error.source();
    }
    text
}

/// `1 account`, `2 accounts`.
pub fn counted(count: impl Display, noun: &str) -> String {
    let count = count.to_string();
    let plural = if count == "1" { "" } else { "s" };
    format!("{count} {noun}{plural}")
}

/// `main` or `test`, as files write it.
pub const fn network(network: Network) -> &'static str {
    match network {
        Network::Main => "main",
        Network::Test => "test",
    }
}

/// Keys in a sentence: `nobody`, or all of them.
pub(crate) fn keys(keys: &[PublicKey]) -> String {
    if keys.is_empty() {
        return "nobody".to_owned();
    }
    keys.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// What a policy lists, in a sentence: the first ones, and how many there are besides.
pub(crate) fn listed<T: Display>(items: impl ExactSizeIterator<Item = T>) -> String {
    const SHOWN: usize = 8;
    let besides = items.len().saturating_sub(SHOWN);
    let mut texts: Vec<String> = items.take(SHOWN).map(|item| item.to_string()).collect();
    if besides > 0 {
        texts.push(format!("and {besides} more"));
    }
    texts.join(", ")
}

/// Why `--model` names nothing.
pub fn no_model(name: &Path) -> String {
    let presets: Vec<&str> = PRESETS.iter().map(|(preset, _)| *preset).collect();
    format!(
        "{} is neither a preset ({}) nor a file",
        name.display(),
        presets.join(", ")
    )
}

/// Why there must be a `--history`.
pub fn no_history(model: &str, digest: Digest) -> String {
    format!("{model} needs the price history {digest}, and none is given")
}

/// Standard output could not take the answer.
#[derive(Debug, thiserror::Error)]
#[error("cannot write to standard output: {0}")]
pub struct OutputError(#[from] io::Error);

impl OutputError {
    /// Whether the reader has closed its end of a pipe, as `head` does: nobody is left to complain to.
    pub fn is_closed(&self) -> bool {
        self.0.kind() == io::ErrorKind::BrokenPipe
    }

    /// [`exit::CLOSED`] or [`exit::USAGE`].
    pub fn exit_code(&self) -> u8 {
        if self.is_closed() { exit::CLOSED } else { exit::USAGE }
    }
}

/// Prints a line to standard output, text or JSON.
///
/// # Errors
/// [`OutputError`]: a closed pipe and a full disk are errors, not panics.
pub fn print(text: &impl Display) -> Result<(), OutputError> {
    let mut out = io::stdout().lock();
    writeln!(out, "{}", Shown(text))?;
    Ok(out.flush()?)
}

/// Says something on standard error, in the name of `tool`. Where nobody listens, the exit code has to do.
pub fn complain(tool: &str, text: &impl Display) {
    let _ = writeln!(io::stderr().lock(), "{tool}: {}", Shown(text));
}

/// A text that may quote a file of another hand, for a terminal: what a terminal would obey instead of showing it is shown as its escape, in the way of JSON,
/// so that JSON still says the same.
struct Shown<'a, T>(&'a T);

impl<T: Display> Display for Shown<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(Escaping(f), "{}", self.0)
    }
}

struct Escaping<'a, 'f>(&'a mut fmt::Formatter<'f>);

impl fmt::Write for Escaping<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.chars().try_for_each(|c| {
            let turns_text_around = matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
            if turns_text_around || c.is_control() && c != '\n' {
                write!(self.0, "\\u{:04x}", u32::from(c))
            } else {
                self.0.write_char(c)
            }
        })
    }
}

/// Prints the answer of `tool` and gives the exit code: `done`, or, said on standard error, that of what went wrong.
pub fn answer(tool: &str, text: &impl Display, done: u8) -> u8 {
    match print(text) {
        Ok(()) => done,
        Err(error) => {
            if !error.is_closed() {
                complain(tool, &error);
            }
            error.exit_code()
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_shown_as_its_escape() {
        let text = "`\u{1b}[2J\r\t\u{7f}\u{9b}\u{202e}\u{2066}` é\n\"5\"".to_owned();
        let shown = r"`\u001b[2J\u000d\u0009\u007f\u009b\u202e\u2066` é".to_owned() + "\n\"5\"";
        assert_eq!(Shown(&text).to_string(), shown);
        let json = serde_json::json!({ "said": text });
        let read: serde_json::Value = serde_json::from_str(&Shown(&format!("{json:#}")).to_string()).unwrap();
        assert_eq!(read, json);
    }

    #[test]
    fn what_turns_text_around_is_shown_as_its_escape_and_its_neighbours_as_they_are() {
        for c in ['\u{202a}', '\u{202e}', '\u{2066}', '\u{2069}'] {
            assert_eq!(Shown(&c).to_string(), format!("\\u{:04x}", u32::from(c)));
        }
        for c in ['\u{2029}', '\u{202f}', '\u{2065}', '\u{206a}'] {
            assert_eq!(Shown(&c).to_string(), c.to_string());
        }
    }

    #[derive(Debug, thiserror::Error)]
    #[error("outer: {source}")]
    struct Outer {
        source: Inner,
    }

    #[derive(Debug, thiserror::Error)]
    #[error("inner")]
    struct Inner {
        #[source]
        cause: fmt::Error,
    }

    #[test]
    fn each_cause_is_said_once() {
        let error = Outer {
            source: Inner { cause: fmt::Error },
        };
        let text = describe(&error);
        assert_eq!(text.matches("inner").count(), 1, "{text}");
        assert_eq!(text, format!("outer: inner: {}", fmt::Error));
    }

    #[test]
    fn one_is_singular_and_all_else_plural() {
        assert_eq!(
            [0, 1, 2].map(|count| counted(count, "leg")),
            ["0 legs", "1 leg", "2 legs"]
        );
    }

    #[test]
    fn list_is_said_whole_up_to_eight_and_then_counted() {
        assert_eq!(listed([1, 2].iter()), "1, 2");
        assert_eq!(listed([0; 8].iter()), "0, 0, 0, 0, 0, 0, 0, 0");
        assert_eq!(listed([0; 10].iter()), "0, 0, 0, 0, 0, 0, 0, 0, and 2 more");
    }

    #[test]
    fn keys_are_hexadecimal_and_none_are_nobody() {
        assert_eq!(keys(&[]), "nobody");
        let two = keys(&[PublicKey([1; 32]), PublicKey([2; 32])]);
        assert_eq!(two, format!("{}, {}", "01".repeat(32), "02".repeat(32)));
    }
}
