//! The grid: which programs are measured, on how many threads, in what batches.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use zkmargin_program::{K_RANGE, MAX_COLUMNS, MAX_EQUATIONS, MAX_TERMS, RESERVED_ROWS, suitable_k};
use zkmargin_risk::model::PRESETS;

/// Most legs of a program.
const MAX_LEGS: usize = 1 << 16;
/// Most losses of a norm.
const MAX_SQUARES: usize = 1 << 10;
/// Most threads.
const MAX_THREADS: usize = 256;
/// Most proofs that are verified together.
const MAX_BATCH: usize = 1 << 10;
/// Most runs of a point.
const MAX_RUNS: usize = 1_000;

/// Usable rows of a column.
pub(super) fn rows(k: u32) -> usize {
    (1_usize << k) - RESERVED_ROWS as usize
}

/// `k` of a program: as given, or that of a universe with as many legs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rows {
    /// The one that [suits](suitable_k).
    Auto,
    /// This one.
    Given(u32),
}

impl FromStr for Rows {
    type Err = String;

    fn from_str(text: &str) -> Result<Rows, String> {
        match text {
            "auto" => Ok(Rows::Auto),
            text => (text.parse().map(Rows::Given)).map_err(|_| format!("`{text}` is neither `auto` nor a number")),
        }
    }
}

impl fmt::Display for Rows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Rows::Auto => f.write_str("auto"),
            Rows::Given(k) => write!(f, "{k}"),
        }
    }
}

/// What is measured.
#[derive(Clone, Debug)]
pub struct Grid {
    /// Legs of the synthetic programs.
    pub legs: Vec<usize>,
    /// Their equations.
    pub equations: Vec<usize>,
    /// Losses of which their norm is.
    pub squares: Vec<usize>,
    /// Their `k`.
    pub k: Vec<Rows>,
    /// Whether the presets on the shipped chain are measured, too.
    pub presets: bool,
    /// Threads, of prover and verifier.
    pub threads: Vec<usize>,
    /// Proofs that are verified together.
    pub batch: Vec<usize>,
    /// Measured runs of everything.
    pub runs: usize,
}

/// Why there is no such grid.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum GridError {
    /// A value out of its range.
    #[error("--{flag} {value}: {least} to {most} are possible")]
    Range {
        /// The flag.
        flag: &'static str,
        /// The value.
        value: usize,
        /// The least.
        least: usize,
        /// The most.
        most: usize,
    },
    /// Legs come in pairs.
    #[error("--legs {legs}: legs come in pairs, give an even number")]
    Odd {
        /// The number.
        legs: usize,
    },
    /// Fewer equations than the program has whatever its losses are.
    #[error("--equations {equations}: with --squares {squares} there are at least {least}")]
    Equations {
        /// The number.
        equations: usize,
        /// Losses of the norm.
        squares: usize,
        /// The least.
        least: usize,
    },
    /// Too many coefficients.
    #[error("--legs {legs} and --equations {equations}: {} coefficients, at most {MAX_TERMS} are possible", legs * equations)]
    Terms {
        /// Legs.
        legs: usize,
        /// Equations.
        equations: usize,
    },
    /// Too many columns.
    #[error("--k {k}: {legs} legs need {columns} columns of {} rows, at most {MAX_COLUMNS} are possible", rows(*k))]
    Columns {
        /// `k`.
        k: u32,
        /// Legs.
        legs: usize,
        /// Columns.
        columns: usize,
    },
}

/// A program that is proven.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Subject {
    /// A dense program of this size.
    Synthetic {
        /// Legs.
        legs: usize,
        /// Equations.
        equations: usize,
        /// Losses of its norm.
        squares: usize,
        /// `k`.
        k: u32,
    },
    /// A preset on the shipped chain.
    Preset {
        /// Its name.
        name: String,
    },
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Subject::Synthetic {
                legs,
                equations,
                squares,
                k,
            } => {
                write!(f, "{legs} legs, {equations} equations")?;
                if *squares > 0 {
                    write!(f, ", {squares} squares")?;
                }
                write!(f, ", k = {k}")
            }
            Subject::Preset { name } => f.write_str(name),
        }
    }
}

/// A point of the grid: what one process measures.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Point {
    /// The program.
    pub subject: Subject,
    /// Threads.
    pub threads: usize,
    /// Proofs that are verified together, each of these times.
    pub batch: Vec<usize>,
    /// Measured runs.
    pub runs: usize,
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {} threads", self.subject, self.threads)
    }
}

impl Grid {
    /// The points of the grid, each once.
    ///
    /// # Errors
    /// [`GridError`].
    pub fn points(&self) -> Result<Vec<Point>, GridError> {
        within("runs", &[self.runs], 1, MAX_RUNS)?;
        within("threads", &self.threads, 1, MAX_THREADS)?;
        within("batch", &self.batch, 1, MAX_BATCH)?;
        let mut subjects = Vec::new();
        if self.presets {
            subjects.extend(PRESETS.iter().map(|(name, _)| Subject::Preset {
                name: (*name).to_owned(),
            }));
        }
        subjects.extend(self.synthetic()?);
        let mut points = Vec::new();
        for subject in subjects {
            for threads in &self.threads {
                let point = Point {
                    subject: subject.clone(),
                    threads: *threads,
                    batch: self.batch.clone(),
                    runs: self.runs,
                };
                if !points.contains(&point) {
                    points.push(point);
                }
            }
        }
        Ok(points)
    }

    fn synthetic(&self) -> Result<Vec<Subject>, GridError> {
        within("legs", &self.legs, 2, MAX_LEGS)?;
        within("equations", &self.equations, 3, MAX_EQUATIONS)?;
        within("squares", &self.squares, 0, MAX_SQUARES)?;
        let mut subjects = Vec::new();
        for &legs in &self.legs {
            if legs % 2 == 1 {
                return Err(GridError::Odd { legs });
            }
            for &equations in &self.equations {
                if legs * equations > MAX_TERMS {
                    return Err(GridError::Terms { legs, equations });
                }
                for &squares in &self.squares {
                    // That the value is enough, the norm and its losses, and two losses of which one is the worst.
                    let least = 3 + if squares > 0 { squares + 1 } else { 0 };
                    if equations < least {
                        return Err(GridError::Equations {
                            equations,
                            squares,
                            least,
                        });
                    }
                    for rows in &self.k {
                        subjects.push(Subject::Synthetic {
                            legs,
                            equations,
                            squares,
                            k: k_of(*rows, legs)?,
                        });
                    }
                }
            }
        }
        Ok(subjects)
    }
}

fn k_of(wanted: Rows, legs: usize) -> Result<u32, GridError> {
    let columns = |k| legs.div_ceil(rows(k));
    let k = match wanted {
        Rows::Auto => suitable_k(|k| Some(columns(k))),
        Rows::Given(k) => {
            let (least, most) = (*K_RANGE.start() as usize, *K_RANGE.end() as usize);
            within("k", &[k as usize], least, most)?;
            k
        }
    };
    match columns(k) {
        columns if columns > MAX_COLUMNS => Err(GridError::Columns { k, legs, columns }),
        _ => Ok(k),
    }
}

fn within(flag: &'static str, values: &[usize], least: usize, most: usize) -> Result<(), GridError> {
    match values.iter().find(|value| !(least..=most).contains(*value)) {
        Some(&value) => Err(GridError::Range {
            flag,
            value,
            least,
            most,
        }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::super::synthetic::Synthetic;
    use super::*;

    fn grid() -> Grid {
        Grid {
            legs: vec![64],
            equations: vec![28],
            squares: vec![0],
            k: vec![Rows::Auto],
            presets: false,
            threads: vec![1],
            batch: vec![1],
            runs: 1,
        }
    }

    #[test]
    fn every_combination_is_a_point_once() {
        let grid = Grid {
            legs: vec![64, 1024, 2048],
            squares: vec![0, 8],
            k: vec![Rows::Auto, Rows::Given(8)],
            threads: vec![1, 2],
            ..grid()
        };
        let points = grid.points().unwrap();
        // At 1,024 legs, 8 is what suits.
        assert_eq!(points.len(), (3 * 2 - 1) * 2 * 2);
        let ks = points.iter().filter_map(|point| match point.subject {
            Subject::Synthetic { legs: 2048, k, .. } => Some(k),
            _ => None,
        });
        assert!(ks.clone().all(|k| k == 8 || k == 9) && ks.clone().any(|k| k == 9));
        let presets = Grid { presets: true, ..grid };
        assert_eq!(presets.points().unwrap().len(), points.len() + 2 * PRESETS.len());
    }

    #[test]
    fn values_out_of_range_are_named_with_their_bound() {
        let said = |change: fn(&mut Grid)| {
            let mut grid = grid();
            change(&mut grid);
            grid.points().unwrap_err().to_string()
        };
        assert_eq!(said(|grid| grid.legs = vec![0]), "--legs 0: 2 to 65536 are possible");
        assert_eq!(
            said(|grid| grid.k = vec![Rows::Given(13)]),
            "--k 13: 6 to 12 are possible"
        );
        assert_eq!(said(|grid| grid.runs = 0), "--runs 0: 1 to 1000 are possible");
        assert!(said(|grid| grid.legs = vec![63]).contains("--legs 63: legs come in pairs"));
        assert!(
            said(|grid| grid.squares = vec![26]).contains("--equations 28: with --squares 26 there are at least 30")
        );
        assert!(said(|grid| (grid.legs, grid.equations) = (vec![65_536], vec![16_384])).contains("at most 8388608"));
        assert!(
            said(|grid| (grid.legs, grid.k) = (vec![20_000], vec![Rows::Given(6)])).contains("417 columns of 48 rows")
        );
        assert!("nine".parse::<Rows>().unwrap_err().contains("`nine`"));
    }

    #[test]
    fn synthetic_programs_have_the_size_that_they_are_asked_for_and_a_book() {
        for (legs, equations, squares) in [(64, 3, 0), (64, 28, 0), (64, 28, 8), (300, 40, 25), (1024, 251, 64)] {
            let synthetic = Synthetic {
                k: 8,
                legs,
                equations,
                squares,
            };
            let (program, book) = synthetic.build().unwrap();
            assert_eq!(
                (program.layout().legs().len(), program.equations().len()),
                (legs, equations)
            );
            let of_legs = program
                .equations()
                .iter()
                .filter(|equation| equation.legs.len() == legs);
            // All but that of the value and of the norm.
            assert_eq!(
                of_legs.count(),
                equations - 1 - usize::from(squares > 0),
                "{legs} {squares}"
            );
            assert!(program.witness(&book).is_ok());
        }
    }
}
