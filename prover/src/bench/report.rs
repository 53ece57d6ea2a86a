//! Results as a page: one HTML file with its pictures in it, and no script.

mod page;
mod plot;

use std::cmp::Reverse;
use std::fmt::Write as _;

use zkmargin_circuits::phase::Phase;

use super::baselines::Baselines;
use super::grid::Subject;
use super::measure::Cost;
use super::results::{Outcome, Results};
use crate::cost::{CostModel, FORMULAS, PROVE, VERIFY};
use page::Page;
use plot::{Bars, Lines, Series, figure};

/// Where a cost is found among what was measured.
type CostOf = fn(&Outcome) -> Option<&Cost>;
/// A figure of what was measured.
type FigureOf = fn(&Outcome) -> Option<f64>;

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// Nothing was measured.
    #[error("there is no point in the results")]
    Nothing,
    /// The drawing failed.
    #[error("drawing the report: {0}")]
    Draw(String),
}

/// The page. `model` is drawn beside what was measured on one thread.
///
/// # Errors
/// [`ReportError`].
pub fn html(results: &Results, model: &CostModel, baselines: Option<&Baselines>) -> Result<String, ReportError> {
    let report = Report { results, model };
    let mut page = Page::new("What proofs cost");
    report.head(&mut page)?;
    report.against_size(&mut page)?;
    report.against_threads(&mut page)?;
    report.against_batch(&mut page)?;
    report.phases(&mut page)?;
    report.bytes(&mut page)?;
    report.model(&mut page);
    if let Some(baselines) = baselines {
        report.baselines(&mut page, baselines)?;
    }
    report.table(&mut page);
    Ok(page.finish())
}

struct Report<'a> {
    results: &'a Results,
    model: &'a CostModel,
}

/// A synthetic program's place in the grid.
#[derive(Clone, Copy, PartialEq)]
struct Place {
    legs: usize,
    equations: usize,
    squares: usize,
    k: u32,
}

type At<'a> = (Place, &'a Outcome);

impl<'a> Report<'a> {
    /// The synthetic points, on `threads` if those are given.
    fn synthetic(&self, threads: Option<usize>) -> Vec<At<'a>> {
        let outcomes = self.results.points.iter();
        let mut at: Vec<At<'a>> = outcomes
            .filter(|outcome| threads.is_none_or(|threads| outcome.point.threads == threads))
            .filter_map(|outcome| match outcome.point.subject {
                Subject::Synthetic {
                    legs,
                    equations,
                    squares,
                    k,
                } => {
                    let place = Place {
                        legs,
                        equations,
                        squares,
                        k,
                    };
                    Some((place, outcome))
                }
                Subject::Preset { .. } => None,
            })
            .collect();
        at.sort_by_key(|(place, outcome)| {
            (
                place.legs,
                place.equations,
                place.squares,
                place.k,
                outcome.point.threads,
            )
        });
        at
    }

    fn least_threads(&self) -> usize {
        let threads = self.results.points.iter().map(|outcome| outcome.point.threads);
        threads.min().unwrap_or(1)
    }

    /// `k`, where a number of legs was measured at several.
    fn named_k(&self, place: Place) -> Option<u32> {
        let all = self.synthetic(None);
        let others = all
            .iter()
            .any(|(other, _)| other.legs == place.legs && other.k != place.k);
        others.then_some(place.k)
    }

    fn head(&self, page: &mut Page) -> Result<(), ReportError> {
        let Results {
            machine, build, points, ..
        } = self.results;
        let first = points.first().ok_or(ReportError::Nothing)?;
        let memory = machine.memory_bytes.map_or_else(String::new, |bytes| {
            format!(", {} GiB of memory", figure(bytes as f64 / f64::from(1 << 30)))
        });
        page.paragraph(&format!(
            "Measured on {}, {} cores ({}, {}){memory}, with version {} (protocol {}, program compiler {}, circuit {}), commit {}, compiler {}. {} points; {} runs at the first.",
            machine.processor,
            machine.cores,
            machine.architecture,
            machine.system,
            build.version,
            build.protocol,
            build.compiler,
            build.circuit,
            build.commit.as_deref().unwrap_or("not given"),
            build.rustc.as_deref().unwrap_or("not given"),
            points.len(),
            first.point.runs,
        ));
        page.paragraph(
            "A synthetic program takes the worst of so many losses, each of which depends on every leg; with squares, also a Euclidean norm of so \
             many others. CPU time is that of all threads. CPU times in plots are at the speed of the machine's best \
             moment: each run stands between two runs of a fixed reference, and its multiple of them is taken times the reference's least time; but \
             by threads, CPU and wall times are the least of all runs. Medians, as they were, are in the table. The cost model is for one thread.",
        );
        Ok(())
    }

    fn against_size(&self, page: &mut Page) -> Result<(), ReportError> {
        page.heading("Time by size of the program");
        let threads = self.least_threads();
        let at = self.synthetic(Some(threads));
        let with_model = threads == 1;
        let kinds: [(&str, &'static str, Measured, Foretold); 2] = [
            (
                "Proving",
                "CPU, ms",
                |results, outcome| Some(results.quiet_ms(&outcome.warm.prove)),
                |model, outcome| model.prove_ms(&outcome.warm.size),
            ),
            (
                "Verifying one proof",
                "CPU, ms",
                |results, outcome| Some(results.quiet_ms(one(outcome)?)),
                |model, outcome| model.verify_ms(&outcome.warm.size, 1),
            ),
        ];
        for (what, up, measured, foretold) in kinds {
            for by_legs in [true, false] {
                let mut series: Vec<Series> = Vec::new();
                for (place, outcome) in &at {
                    let Some(ms) = measured(self.results, outcome) else {
                        continue;
                    };
                    let other = match by_legs {
                        true => format!("{} equations", place.equations),
                        false => format!("{} legs", place.legs),
                    };
                    let name = format!("{other}{}", self.rest(*place));
                    let x = if by_legs { place.legs } else { place.equations } as f64;
                    let model = with_model.then(|| (x, foretold(self.model, outcome)));
                    add(&mut series, name, (x, ms), model);
                }
                if series.is_empty() {
                    continue;
                }
                let across = if by_legs { "legs" } else { "equations" };
                let plot = Lines {
                    across,
                    up,
                    series,
                    has_model: with_model,
                };
                page.figure(&format!("{what} against {across}, {}", on(threads)), &plot.draw()?);
            }
        }
        Ok(())
    }

    /// What tells a series from others of as many legs or equations.
    fn rest(&self, place: Place) -> String {
        let mut rest = match place.squares {
            0 => String::new(),
            squares => format!(", {squares} squares"),
        };
        if let Some(k) = self.named_k(place) {
            let _ = write!(rest, ", k = {k}");
        }
        rest
    }

    /// One program for each number of legs: with the most equations, and of those with the fewest squares.
    fn largest(&self, threads: Option<usize>) -> Vec<At<'a>> {
        let all = self.synthetic(threads);
        let most = all
            .iter()
            .map(|(place, _)| (place.equations, Reverse(place.squares)))
            .max();
        let mut largest = all;
        largest.retain(|(place, _)| Some((place.equations, Reverse(place.squares))) == most);
        largest
    }

    fn against_threads(&self, page: &mut Page) -> Result<(), ReportError> {
        page.heading("Time by threads");
        let at = self.largest(None);
        let Some((first, _)) = at.first() else { return Ok(()) };
        let title = format!("{} equations", first.equations);
        let kinds: [(&str, CostOf); 2] = [
            ("Proving", |outcome| Some(&outcome.warm.prove)),
            ("Verifying one proof", one),
        ];
        for (what, measured) in kinds {
            let mut series = Vec::new();
            for (place, outcome) in &at {
                let Some(cost) = measured(outcome) else { continue };
                let both = [cost.least_cpu_ms, cost.least_wall_ms];
                for (kind, ms) in ["CPU", "wall"].into_iter().zip(both) {
                    let name = format!("{} legs{}, {kind}", place.legs, self.rest(*place));
                    add(&mut series, name, (outcome.point.threads as f64, ms), None);
                }
            }
            let plot = Lines {
                across: "threads",
                up: "ms",
                series,
                has_model: false,
            };
            page.figure(&format!("{what} against threads, {title}"), &plot.draw()?);
        }
        Ok(())
    }

    fn against_batch(&self, page: &mut Page) -> Result<(), ReportError> {
        page.heading("Time by batch");
        page.paragraph(
            "Several statements may be proven in one proof, whose opening they share; and several proofs may be verified together.",
        );
        let threads = self.least_threads();
        let at = self.largest(Some(threads));
        let Some((first, _)) = at.first() else { return Ok(()) };
        let title = format!("{} equations, {}", first.equations, on(threads));
        let (mut prove, mut verify) = (Vec::new(), Vec::new());
        for (place, outcome) in &at {
            let (warm, name) = (&outcome.warm, format!("{} legs{}", place.legs, self.rest(*place)));
            add(
                &mut prove,
                name.clone(),
                (1.0, self.results.quiet_ms(&warm.prove)),
                None,
            );
            for together in &warm.together {
                let statements = together.batch as f64;
                let ms = self.results.quiet_ms(&together.cost) / statements;
                add(&mut prove, name.clone(), (statements, ms), None);
            }
            for together in &warm.verify {
                let proofs = together.batch as f64;
                let ms = self.results.quiet_ms(&together.cost) / proofs;
                let model = self.model.verify_ms(&warm.size, together.batch) / proofs;
                add(
                    &mut verify,
                    name.clone(),
                    (proofs, ms),
                    (threads == 1).then_some((proofs, model)),
                );
            }
        }
        for (what, across, up, series, has_model) in [
            (
                "Proving statements in one proof",
                "statements in the proof",
                "CPU per statement, ms",
                prove,
                false,
            ),
            (
                "Verifying proofs together",
                "proofs in the batch",
                "CPU per proof, ms",
                verify,
                threads == 1,
            ),
        ] {
            let plot = Lines {
                across,
                up,
                series,
                has_model,
            };
            page.figure(&format!("{what}, {title}"), &plot.draw()?);
        }
        Ok(())
    }

    fn phases(&self, page: &mut Page) -> Result<(), ReportError> {
        page.heading("Where a prover's time goes");
        let threads = self.least_threads();
        let presets = (self.results.points.iter()).filter(|outcome| {
            outcome.point.threads == threads && matches!(outcome.point.subject, Subject::Preset { .. })
        });
        let synthetic = self.synthetic(Some(threads));
        let outcomes = presets.chain(synthetic.into_iter().map(|(_, outcome)| outcome));
        let bars = outcomes.map(|outcome| {
            // Of the phases only their shares are taken: the sum is that of the other plots.
            let ms = || outcome.warm.phases.iter().map(|phase| phase.cpu_ms);
            let (sum, quiet) = (ms().sum::<f64>(), self.results.quiet_ms(&outcome.warm.prove));
            let parts = ms().map(|ms| if sum > 0.0 { ms / sum * quiet } else { 0.0 }).collect();
            (
                outcome.point.subject.to_string(),
                parts,
                format!("{} ms", figure(quiet)),
            )
        });
        let plot = Bars {
            across: "CPU, ms",
            parts: Phase::ALL.iter().map(|phase| phase.name().to_owned()).collect(),
            bars: bars.collect(),
            logarithmic: false,
        };
        page.figure(&format!("Proving by phase, {}", on(threads)), &plot.draw()?);
        let meanings = Phase::ALL
            .iter()
            .map(|phase| format!("{}: {}", phase.name(), phase.meaning()));
        page.paragraph(&format!("{}.", meanings.collect::<Vec<_>>().join("; ")));
        Ok(())
    }

    fn bytes(&self, page: &mut Page) -> Result<(), ReportError> {
        page.heading("Bytes");
        let threads = self.least_threads();
        let kinds: [(&str, &'static str, FigureOf); 2] = [
            ("Size of a proof", "bytes", |outcome| {
                Some(outcome.warm.size.proof_bytes as f64)
            }),
            ("Most memory of one proof", "MiB", |outcome| {
                Some(outcome.cold.found.peak_bytes? as f64 / f64::from(1 << 20))
            }),
        ];
        for (what, up, of) in kinds {
            let mut series: Vec<Series> = Vec::new();
            for (place, outcome) in self.synthetic(Some(threads)) {
                let Some(y) = of(outcome) else { continue };
                let name = format!("{} legs{}", place.legs, self.rest(place));
                add(&mut series, name, (place.equations as f64, y), None);
            }
            if series.is_empty() {
                page.paragraph(&format!("{what}: not given by this machine."));
                continue;
            }
            let plot = Lines {
                across: "equations",
                up,
                series,
                has_model: false,
            };
            page.figure(&format!("{what} against equations"), &plot.draw()?);
        }
        Ok(())
    }

    fn model(&self, page: &mut Page) {
        page.heading("The cost model");
        let percent = |errors: [f64; 2]| errors.map(|error| figure(error * 100.0));
        let ([prove, verify], [prove_left_out, verify_left_out]) =
            (percent(self.model.largest_error), percent(self.model.left_out_error));
        page.paragraph(&format!(
            "Coefficients {}. On what they were fitted to, the largest error is {prove} % of a prover's time and {verify} % of a verifier's; on a program \
             that was left out of the fit, {prove_left_out} % and {verify_left_out} %.",
            self.model.provenance(),
        ));
        for line in FORMULAS {
            page.formula(line);
        }
        let of = |what: &str, names: &[&str], ms: &[f64]| -> Vec<Vec<String>> {
            let pairs = names.iter().zip(ms);
            pairs
                .map(|(name, ms)| vec![format!("{what}, {name}"), format!("{ms:.3e}")])
                .collect()
        };
        let mut rows = of("prove", &PROVE, &self.model.prove);
        rows.extend(of("verify", &VERIFY, &self.model.verify));
        page.table(&["coefficient", "CPU ms"], &rows);
        let rule = self.results.rule(self.model);
        let slowest = match &rule.slowest {
            Some(subject) => format!(", and at worst {} % slower ({subject})", figure(rule.slower * 100.0)),
            None => String::new(),
        };
        page.paragraph(&format!(
            "The shape of a circuit follows from its program by a fixed rule, which does not depend on these figures. By this model it is the \
             fastest that there is to choose for {} of {} programs{slowest}.",
            rule.fastest, rule.programs,
        ));
    }

    fn baselines(&self, page: &mut Page, baselines: &Baselines) -> Result<(), ReportError> {
        page.heading("Beside other systems");
        page.paragraph(&format!(
            "{} legs, {} scenarios, on {}.",
            baselines.legs, baselines.scenarios, baselines.machine
        ));
        if baselines.machine != self.results.machine.processor {
            page.paragraph("The machine of these figures calls itself otherwise than that of this page: compare among them alone, unless you know better.");
        }
        type Of = fn(&super::baselines::System) -> Option<f64>;
        let kinds: [(&str, &'static str, Of); 4] = [
            ("Proving", "CPU, ms, logarithmic", |system| system.prove_cpu_ms),
            ("Verifying", "CPU, ms, logarithmic", |system| system.verify_cpu_ms),
            ("Size of a proof", "bytes, logarithmic", |system| {
                Some(system.proof_bytes? as f64)
            }),
            ("Most memory of a prover", "MiB, logarithmic", |system| {
                Some(system.peak_bytes? as f64 / f64::from(1 << 20))
            }),
        ];
        for (what, across, of) in kinds {
            let bars: Vec<_> = (baselines.systems.iter())
                .filter_map(|system| {
                    let value = of(system).filter(|value| *value > 0.0)?;
                    Some((system.name.clone(), vec![value], figure(value)))
                })
                .collect();
            if bars.is_empty() {
                continue;
            }
            let plot = Bars {
                across,
                parts: Vec::new(),
                bars,
                logarithmic: true,
            };
            page.figure(&format!("{what}, by system"), &plot.draw()?);
        }
        let or_none = |value: Option<f64>| value.map_or_else(|| "not given".to_owned(), figure);
        let rows: Vec<Vec<String>> = (baselines.systems.iter())
            .map(|system| {
                vec![
                    system.name.clone(),
                    system.trusted_setup.name().to_owned(),
                    if system.matrix_free { "yes" } else { "no" }.to_owned(),
                    or_none(system.setup_ms),
                    or_none(system.key_bytes.map(|bytes| bytes as f64)),
                    format!("{} / {}", or_none(system.prove_cpu_ms), or_none(system.prove_wall_ms)),
                    format!("{} / {}", or_none(system.verify_cpu_ms), or_none(system.verify_wall_ms)),
                    or_none(system.proof_bytes.map(|bytes| bytes as f64)),
                ]
            })
            .collect();
        page.table(
            &[
                "system",
                "trusted setup",
                "key free of the matrix",
                "setup, ms",
                "key, bytes",
                "prove, ms, CPU / wall",
                "verify, ms, CPU / wall",
                "proof, bytes",
            ],
            &rows,
        );
        Ok(())
    }

    fn table(&self, page: &mut Page) {
        page.heading("All points");
        page.paragraph(
            "Medians in ms, CPU / wall. Cold: a process from its start to its end, once, which compiles the program, commits to its book, makes one proof and \
             verifies it, with the parameters in the cache / without.",
        );
        let rows: Vec<Vec<String>> = (self.results.points.iter())
            .map(|outcome| {
                let (warm, size) = (&outcome.warm, &outcome.warm.size);
                let both = |cost: &Cost| format!("{} / {}", figure(cost.cpu_ms), figure(cost.wall_ms));
                let verify = warm
                    .verify
                    .iter()
                    .map(|verify| format!("{}: {}", verify.batch, both(&verify.cost)));
                let peak = outcome.cold.found.peak_bytes;
                let instructions = warm.prove.instructions;
                vec![
                    outcome.point.subject.to_string(),
                    outcome.point.threads.to_string(),
                    format!("{}+{}+{}", size.q_columns, size.x_columns, size.z_columns),
                    both(&warm.prove),
                    verify.collect::<Vec<_>>().join("; "),
                    size.proof_bytes.to_string(),
                    peak.map_or_else(not_given, |bytes| figure(bytes as f64 / f64::from(1 << 20))),
                    instructions.map_or_else(not_given, |count| figure(count as f64 / 1e6)),
                    format!(
                        "{} / {}",
                        figure(outcome.cold.process_ms),
                        figure(outcome.cold_without_cache.process_ms)
                    ),
                ]
            })
            .collect();
        page.table(
            &[
                "program",
                "threads",
                "columns q+x+z",
                "prove",
                "verify, by batch",
                "proof, bytes",
                "peak, MiB",
                "instructions to prove, millions",
                "cold, with cache / without",
            ],
            &rows,
        );
    }
}

/// What was measured of an outcome.
type Measured = fn(&Results, &Outcome) -> Option<f64>;

/// What a model foretells of an outcome.
type Foretold = fn(&CostModel, &Outcome) -> f64;

fn not_given() -> String {
    "not given by this machine".to_owned()
}

fn on(threads: usize) -> String {
    match threads {
        1 => "1 thread".to_owned(),
        threads => format!("{threads} threads"),
    }
}

/// The verification of one proof.
fn one(outcome: &Outcome) -> Option<&Cost> {
    let verify = outcome.warm.verify.iter().find(|verify| verify.batch == 1)?;
    Some(&verify.cost)
}

/// Adds a point to the series of a name.
fn add(series: &mut Vec<Series>, name: String, measured: (f64, f64), model: Option<(f64, f64)>) {
    let place = series.iter().position(|series| series.name == name);
    let place = place.unwrap_or_else(|| {
        series.push(Series {
            name,
            measured: Vec::new(),
            model: Vec::new(),
        });
        series.len() - 1
    });
    if let Some(series) = series.get_mut(place) {
        series.measured.push(measured);
        series.model.extend(model);
    }
}
