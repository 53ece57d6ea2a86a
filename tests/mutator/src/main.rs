//! Mutation testing: `mutator ROOT FILE…` makes every mutant of the files of a workspace, runs the tests that reach each, and fails if one survives that `survivors.tsv` does not list.
//!
//! All mutants are compiled into one build and chosen at run time, so that thousands take hours and not weeks.

mod build;
mod rewrite;
mod run;

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::ExitCode;

use build::Copy;
use rewrite::Mutant;

/// Survivors that are known, each with its reason: file, function, change, reason.
const LISTED: &str = include_str!("../survivors.tsv");

impl Mutant {
    fn of_crate(&self) -> &str {
        self.file.split('/').next().unwrap_or_default()
    }

    fn key(&self) -> String {
        format!("{}\t{}\t{}", self.file, self.function, self.change)
    }
}

/// Tells changes of one function apart that read alike.
fn number(mutants: &mut [Mutant]) {
    let mut seen = BTreeMap::<String, usize>::new();
    for mutant in mutants {
        let count = seen.entry(mutant.key()).or_default();
        *count += 1;
        if *count > 1 {
            mutant.change = format!("{} (place {count})", mutant.change);
        }
    }
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [root, files @ ..] = &*arguments else {
        return Err("usage: mutator ROOT FILE…".into());
    };
    let root = Path::new(root).canonicalize()?;
    let copy = Copy::new(&root)?;
    let mut mutants = copy.mutate(files)?;
    number(&mut mutants);
    eprintln!("{} mutants", mutants.len());
    let folder = root.join("target/mutants");
    let outcomes = run::run(&mutants, &copy, &folder)?;

    let listed: BTreeSet<String> = LISTED
        .lines()
        .filter_map(|line| line.rsplit_once('\t'))
        .filter(|(_, reason)| !reason.is_empty())
        .map(|(key, _)| key.to_owned())
        .collect();
    let survivors: Vec<&Mutant> = mutants
        .iter()
        .filter(|one| outcomes.get(&one.key()).is_some_and(|how| how == run::SURVIVES))
        .collect();
    let keys: BTreeSet<String> = survivors.iter().map(|one| one.key()).collect();
    let text: String = survivors.iter().map(|one| format!("{}\t\n", one.key())).collect();
    fs::write(folder.join("survivors.tsv"), text)?;
    println!("{} mutants, {} survive", mutants.len(), survivors.len());
    for key in listed
        .iter()
        .filter(|key| files.iter().any(|file| key.split('\t').next() == Some(file)) && !keys.contains(*key))
    {
        println!("listed, and noticed: {key}");
    }
    let unlisted: Vec<&&Mutant> = survivors.iter().filter(|one| !listed.contains(&one.key())).collect();
    for one in &unlisted {
        println!("survives: {}:{} {}: {}", one.file, one.line, one.function, one.change);
    }
    Ok(if unlisted.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
