//! The tests, with one mutant at a time.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use rayon::prelude::*;
use wait_timeout::ChildExt as _;

use crate::build::{Copy, Suite};
use crate::rewrite::Mutant;

/// The crates whose tests reach a crate's code, besides its own; and tests of the workspace that do, by name: not those that build the tools first.
const REACHED_BY: [(&str, &[&str], &[&str]); 3] = [
    ("program", &["risk", "circuits"], &[]),
    ("circuits", &[], &["forgeries"]),
    ("verifier", &[], &["mutants"]),
];
/// Address space of a process, in KiB: a mutant may ask for memory without end.
const ADDRESS_SPACE: u32 = 8 << 20;

/// A suite, and the longest that it may take before a mutant counts as noticed.
#[derive(Debug)]
struct Timed {
    suite: Suite,
    limit: Duration,
}

/// Runs what reaches each mutant, the fastest tests first. Outcomes, by [key](Mutant::key), are kept in the folder under the copy's digest, and what is there is not run again.
pub fn run(mutants: &[Mutant], copy: &Copy, folder: &Path) -> Result<BTreeMap<String, String>, Box<dyn Error>> {
    let kept = folder.join(format!("outcomes-{:016x}.tsv", copy.digest));
    let mut outcomes: BTreeMap<String, String> = fs::read_to_string(&kept)
        .unwrap_or_default()
        .lines()
        .filter_map(|line| line.rsplit_once('\t'))
        // A line that was cut says nothing.
        .filter(|(_, outcome)| *outcome == SURVIVES || outcome.starts_with(NOTICED))
        .map(|(key, outcome)| (key.to_owned(), outcome.to_owned()))
        .collect();
    let timed = timed(mutants, &copy.suites()?, &copy.root, folder)?;
    let file = Mutex::new(OpenOptions::new().create(true).append(true).open(&kept)?);
    let left: Vec<&Mutant> = mutants
        .iter()
        .filter(|one| !outcomes.contains_key(&one.key()))
        .collect();
    let new: Result<Vec<(String, String)>, String> = left
        .par_iter()
        .map(|mutant| {
            let outcome = outcome(mutant, &timed, folder).map_err(|error| error.to_string())?;
            let line = format!("{}\t{outcome}\n", mutant.key());
            let mut file = file.lock().map_err(|error| error.to_string())?;
            file.write_all(line.as_bytes()).map_err(|error| error.to_string())?;
            eprint!("{line}");
            Ok((mutant.key(), outcome))
        })
        .collect();
    outcomes.extend(new?);
    Ok(outcomes)
}

/// The suites that reach each crate, from the fastest to the slowest, run once without a mutant.
fn timed(
    mutants: &[Mutant],
    suites: &[Suite],
    root: &Path,
    folder: &Path,
) -> Result<BTreeMap<String, Vec<Timed>>, Box<dyn Error>> {
    let mut all = BTreeMap::new();
    for own in mutants.iter().map(|mutant| mutant.of_crate()) {
        if all.contains_key(own) {
            continue;
        }
        let (others, together) = REACHED_BY
            .iter()
            .find(|(of, ..)| *of == own)
            .map_or::<(&[_], &[_]), _>((&[], &[]), |(_, others, together)| (others, together));
        let mut reaching = Vec::new();
        for suite in suites {
            let of = suite.package.strip_prefix(root)?.to_str().unwrap_or_default();
            if of != own && !others.contains(&of) && !(of == "tests" && together.contains(&&*suite.name)) {
                continue;
            }
            let begun = Instant::now();
            if let Some(failed) = tested(suite, None, Duration::MAX, folder)? {
                return Err(format!("without a mutant, {} fails: {failed}", suite.name).into());
            }
            reaching.push(Timed {
                suite: suite.clone(),
                limit: begun.elapsed() * 5 + Duration::from_secs(30),
            });
        }
        reaching.sort_by_key(|one| one.limit);
        all.insert(own.to_owned(), reaching);
    }
    Ok(all)
}

/// What noticed a mutant, or that nothing did.
fn outcome(mutant: &Mutant, timed: &BTreeMap<String, Vec<Timed>>, folder: &Path) -> Result<String, Box<dyn Error>> {
    for one in timed.get(mutant.of_crate()).into_iter().flatten() {
        if let Some(failed) = tested(&one.suite, Some(mutant.id), one.limit, folder)? {
            return Ok(format!("{NOTICED}{}: {failed}", one.suite.name));
        }
    }
    Ok(SURVIVES.to_owned())
}

/// An outcome.
pub const SURVIVES: &str = "survives";
/// The beginning of the other outcomes.
const NOTICED: &str = "noticed by ";

/// The first test that fails.
fn tested(suite: &Suite, id: Option<u32>, limit: Duration, folder: &Path) -> Result<Option<String>, Box<dyn Error>> {
    let place: PathBuf = folder.join(format!("run-{}", id.unwrap_or(0)));
    fs::create_dir_all(&place)?;
    let said = place.join("said");
    let mut child = Command::new("sh")
        .args([
            "-c",
            &format!("ulimit -v {ADDRESS_SPACE} && exec \"$0\""),
            &suite.binary.to_string_lossy(),
        ])
        .current_dir(&suite.package)
        .env("MUTANT", id.map_or(String::new(), |id| id.to_string()))
        .env("TMPDIR", &place)
        // As many mutants run as there are cores: one core each, so that a limit on time means the same for each.
        .env("RUST_TEST_THREADS", "1")
        .env("RAYON_NUM_THREADS", "1")
        // Killed with all that it has started.
        .process_group(0)
        .stdout(File::create(&said)?)
        .stderr(Stdio::null())
        .spawn()?;
    let ended = match limit {
        Duration::MAX => Some(child.wait()?),
        limit => child.wait_timeout(limit)?,
    };
    let failed = match ended {
        Some(status) if status.success() => None,
        Some(status) => {
            let text = fs::read_to_string(&said).unwrap_or_default();
            let mut failed = text
                .lines()
                .filter_map(|line| line.strip_prefix("test ")?.strip_suffix(" ... FAILED"));
            Some(failed.next().map_or_else(|| status.to_string(), str::to_owned))
        }
        None => {
            Command::new("kill")
                .args(["-KILL", "--", &format!("-{}", child.id())])
                .status()?;
            child.wait()?;
            Some(format!("not ended after {} s", limit.as_secs()))
        }
    };
    fs::remove_dir_all(&place)?;
    Ok(failed)
}
