//! A copy of the workspace with every mutant that compiles in it, and the tests of that copy.

use std::collections::BTreeSet;
use std::error::Error;
use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::rewrite::{Mutant, Rewriter, SWITCH};

/// The copy, in the workspace's own target directory.
#[derive(Debug)]
pub struct Copy {
    pub root: PathBuf,
    original: PathBuf,
    /// Of everything that is copied: what was found out of other code, or by other tests, says nothing of this.
    pub digest: u64,
}

/// A binary of tests.
#[derive(Clone, Debug)]
pub struct Suite {
    /// The folder of its package.
    pub package: PathBuf,
    pub name: String,
    pub binary: PathBuf,
}

/// How far above a place the switch may stand that the place belongs to.
const LINES_ABOVE: usize = 6;

impl Copy {
    /// Copies what the repository has, as it is in the working tree.
    pub fn new(original: &Path) -> Result<Copy, Box<dyn Error>> {
        let root = original.join("target/mutants/tree");
        let listed = Command::new("git")
            .args(["ls-files", "-z", "-co", "--exclude-standard"])
            .current_dir(original)
            .output()?;
        let mut hasher = DefaultHasher::new();
        for file in String::from_utf8(listed.stdout)?.split_terminator('\0') {
            let (from, to) = (original.join(file), root.join(file));
            let content = fs::read(&from)?;
            if !file.starts_with("tests/mutator/") {
                (file, &content).hash(&mut hasher);
            }
            fs::create_dir_all(to.parent().ok_or("a file without a folder")?)?;
            // What is the same keeps its time: cargo builds what is newer.
            if fs::read(&to).ok().as_ref() != Some(&content) {
                fs::copy(&from, &to)?;
            }
        }
        Ok(Copy {
            root,
            original: original.to_owned(),
            digest: hasher.finish(),
        })
    }

    /// Rewrites the files, and drops mutants until the rest compiles.
    pub fn mutate(&self, files: &[String]) -> Result<Vec<Mutant>, Box<dyn Error>> {
        let mut dropped = BTreeSet::new();
        loop {
            let mut rewriter = Rewriter::without(dropped.clone());
            let crates: BTreeSet<&str> = files.iter().filter_map(|file| file.split('/').next()).collect();
            for file in files {
                let text = fs::read_to_string(self.original.join(file))?;
                let mut text = rewriter
                    .rewrite(file, &text)
                    .map_err(|error| format!("{file}: {error}"))?;
                if file.ends_with("src/lib.rs") {
                    text.push_str(SWITCH);
                }
                fs::write(self.root.join(file), text)?;
            }
            for root in crates.iter().map(|own| format!("{own}/src/lib.rs")) {
                if !files.contains(&root) {
                    let text = fs::read_to_string(self.original.join(&root))?;
                    fs::write(self.root.join(&root), text + SWITCH)?;
                }
            }
            let faulty = self.faulty()?;
            if faulty.is_empty() {
                return Ok(rewriter.mutants);
            }
            eprintln!(
                "{} mutants, {} of them do not compile",
                rewriter.mutants.len(),
                faulty.len()
            );
            dropped.extend(faulty);
        }
    }

    /// The mutants in which the compiler finds errors.
    fn faulty(&self) -> Result<BTreeSet<u32>, Box<dyn Error>> {
        let (is_good, messages) = self.cargo(&["check", "--lib"])?;
        let mut faulty = BTreeSet::new();
        for message in messages.iter().filter(|message| message["message"]["level"] == "error") {
            let message = &message["message"];
            for place in message["spans"].as_array().into_iter().flatten() {
                if place["is_primary"] == true {
                    faulty.extend(self.mutant_at(place)?);
                }
            }
        }
        match (is_good, faulty.is_empty()) {
            (false, true) => {
                let texts: Vec<&str> = messages
                    .iter()
                    .filter_map(|message| message["message"]["rendered"].as_str())
                    .collect();
                Err(format!("errors that are in no mutant:\n{}", texts.join("\n")).into())
            }
            _ => Ok(faulty),
        }
    }

    /// The last switch before a place in the rewritten code.
    fn mutant_at(&self, place: &Value) -> Result<Option<u32>, Box<dyn Error>> {
        let file = place["file_name"].as_str().unwrap_or_default();
        let number = |name: &str| place[name].as_u64().and_then(|number| usize::try_from(number).ok());
        let (Some(line), Some(column)) = (number("line_start"), number("column_start")) else {
            return Ok(None);
        };
        let text = fs::read_to_string(self.root.join(file))?;
        let lines: Vec<&str> = text.lines().take(line).collect();
        let own = lines
            .last()
            .map_or("", |own| own.get(..column.saturating_sub(1)).unwrap_or(own));
        let above = lines.iter().rev().skip(1).take(LINES_ABOVE).copied();
        Ok(std::iter::once(own).chain(above).find_map(last_switch))
    }

    /// Builds all tests of the workspace.
    pub fn suites(&self) -> Result<Vec<Suite>, Box<dyn Error>> {
        let (is_good, messages) = self.cargo(&["test", "--no-run"])?;
        if !is_good {
            return Err("the tests do not build with the mutants in the code".into());
        }
        let suites = messages.iter().filter_map(|message| {
            let package = Path::new(message["manifest_path"].as_str()?).parent()?;
            message["profile"]["test"].as_bool().filter(|is_test| *is_test)?;
            Some(Suite {
                package: package.to_owned(),
                name: message["target"]["name"].as_str()?.to_owned(),
                binary: message["executable"].as_str()?.into(),
            })
        });
        Ok(suites.collect())
    }

    fn cargo(&self, arguments: &[&str]) -> Result<(bool, Vec<Value>), Box<dyn Error>> {
        let output = Command::new("cargo")
            .args(arguments)
            .args(["--workspace", "--release", "--locked", "--message-format", "json"])
            .current_dir(&self.root)
            .env("CARGO_TARGET_DIR", self.original.join("target/mutants/build"))
            .output()?;
        let lines = String::from_utf8(output.stdout)?;
        let messages = lines
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect();
        Ok((output.status.success(), messages))
    }
}

fn last_switch(text: &str) -> Option<u32> {
    let (_, after) = text.rsplit_once("mutant(")?;
    after.split_once(')')?.0.parse().ok()
}
