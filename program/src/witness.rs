//! How the honest prover computes `w` from `q`.
//!
//! The builder writes one [`Step`] per variable or gadget, in the order in which the variables can be known. A step looks
//! at rows of the program with the variables that are not known yet at zero: what is left over is what they must make up.

use std::fmt;
use std::ops::Range;

use thiserror::Error;
use zeroize::Zeroizing;

use crate::leg::{LOTS_LIMIT, Pair};
use crate::program::{Program, VarId};
use crate::wide::Wide;

/// The hidden variables `w` of one book, zeroised on drop.
#[derive(Clone)]
pub struct Witness(Zeroizing<Vec<u128>>);

impl Witness {
    /// A witness of given values, one per variable. Nothing is checked: [`Program::check`] does.
    pub fn from_values(values: Vec<u128>) -> Self {
        Self(Zeroizing::new(values))
    }

    /// The values, one per variable.
    pub fn values(&self) -> &[u128] {
        &self.0
    }
}

impl fmt::Debug for Witness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Witness(..)")
    }
}

/// Why there is no witness for a book. It holds names and widths, never an amount, nor which legs are held.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum WitnessError {
    /// A requirement is not met.
    #[error("the requirement {name} is not met")]
    NotMet {
        /// The requirement.
        name: String,
    },
    /// A value does not fit its width: the book is too large for the program.
    #[error("{name} does not fit {bits} bits: the book is too large for this program")]
    TooLarge {
        /// The verb or requirement.
        name: String,
        /// Width of the variable that is exceeded.
        bits: u32,
    },
    /// An amount stands on legs that must be empty.
    #[error(
        "{name}: the book, or an order on it, holds a leg that must be empty: nothing prices it, or no rule covers it"
    )]
    NotEmpty {
        /// The verb.
        name: String,
    },
    /// The account vector does not have one entry per slot.
    #[error("the account vector has {given} entries, the layout {expected} slots")]
    Slots {
        /// Slots of the layout.
        expected: usize,
        /// Entries given.
        given: usize,
    },
    /// An amount stands in a slot that is no leg.
    #[error("the account vector has an amount in a slot that is no leg")]
    NoLeg,
    /// An amount is not below [`LOTS_LIMIT`].
    #[error("an amount in the account vector is not below {LOTS_LIMIT} lots")]
    Lots,
}

/// How one or more variables follow from `q` and the variables before them.
///
/// `residual(row)` is `A·q + F·w - g` with unknown variables at zero. A slack has coefficient -1 in its row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// `d = min(first, second)`, as far as `d` can go.
    Reduction { variable: VarId, pair: Pair, most: u64 },
    /// The slack of `row`.
    Slack { variable: VarId, row: usize },
    /// The least value, with coefficient `divisor` in each of `rows`, that leaves no slack of theirs negative. Below zero it is
    /// zero, or, when the variable stands for a signed value, out of its width.
    Least {
        variable: VarId,
        rows: Range<usize>,
        divisor: i128,
        signed: bool,
    },
    /// A bit that chooses the smaller demand of `row` (0) and `row + 1` (1), the latter stated less `big_m`.
    Choice { variable: VarId, row: usize, big_m: i128 },
    /// Consecutive bits, one per row: 1 for the `allowed` largest demands. No demand may exceed another by more than `big_m`.
    Exceedances {
        first: VarId,
        rows: Range<usize>,
        allowed: usize,
        big_m: i128,
    },
    /// The demand of `rows` that is `rank`-th from above.
    Level {
        variable: VarId,
        rows: Range<usize>,
        rank: usize,
    },
    /// `root = ceil(sqrt(Σ squares))` and the slack of its row.
    Root { root: VarId, slack: VarId, row: usize },
    /// A row without a variable: legs that are proven empty.
    Empty { row: usize },
    /// The slack of a requirement.
    Requirement { variable: VarId, row: usize },
}

impl Program {
    /// The honest witness for the account vector `q`, one entry per slot: lots, public amounts included.
    ///
    /// # Errors
    /// [`WitnessError`]: a requirement is not met; a value is too large; legs that must be empty are not; `q` has a wrong
    /// length, an amount of [`LOTS_LIMIT`] or more, or one in a slot that is no leg.
    pub fn witness(&self, q: &[u64]) -> Result<Witness, WitnessError> {
        let state = self.evaluate(q)?;
        match state.missed.first() {
            Some((row, _)) => Err(WitnessError::NotMet {
                name: self.equation_name(*row).to_owned(),
            }),
            None => Ok(Witness(state.values)),
        }
    }

    /// The requirement that `q` misses by most, with the units that are missing; `None` when all are met. For the trader alone.
    ///
    /// # Errors
    /// [`WitnessError`], for every other reason than a requirement.
    pub fn shortfall(&self, q: &[u64]) -> Result<Option<(String, i128)>, WitnessError> {
        let state = self.evaluate(q)?;
        // The first of equals: `max_by_key` alone would take the last.
        let worst = state.missed.iter().rev().max_by_key(|(_, units)| *units);
        Ok(worst.map(|&(row, units)| (self.equation_name(row).to_owned(), units)))
    }

    /// What each requirement is exceeded or missed by, in units, with its name: the best that a prover can show of `q`. For the
    /// trader alone.
    ///
    /// # Errors
    /// [`WitnessError`], for every other reason than a requirement.
    pub fn surplus(&self, q: &[u64]) -> Result<Vec<(String, i128)>, WitnessError> {
        let state = self.evaluate(q)?;
        let requirements = self.steps.iter().filter_map(|step| match step {
            Step::Requirement { variable, row } => Some((*variable, *row)),
            _ => None,
        });
        let units = |(variable, row): (VarId, usize)| {
            let missed = state
                .missed
                .iter()
                .find(|(missed, _)| *missed == row)
                .map(|(_, units)| -units);
            let held = || {
                state
                    .values
                    .get(variable.index())
                    .and_then(|value| i128::try_from(*value).ok())
            };
            (self.equation_name(row).to_owned(), missed.or_else(held).unwrap_or(0))
        };
        Ok(requirements.map(units).collect())
    }

    /// Every variable, and the requirements that are missed.
    fn evaluate(&self, q: &[u64]) -> Result<State<'_>, WitnessError> {
        let mut state = State::new(self, q)?;
        for step in &self.steps {
            state.apply(q, step)?;
        }
        Ok(state)
    }

    fn check_lots(&self, q: &[u64]) -> Result<(), WitnessError> {
        let expected = self.layout.slots();
        if q.len() != expected {
            return Err(WitnessError::Slots {
                expected,
                given: q.len(),
            });
        }
        if q.iter().any(|lots| *lots >= LOTS_LIMIT) {
            return Err(WitnessError::Lots);
        }
        let mut legs = self.layout.legs().iter().peekable();
        for (slot, lots) in q.iter().enumerate() {
            let is_leg = legs.next_if(|leg| leg.index() == slot).is_some();
            if *lots != 0 && !is_leg {
                return Err(WitnessError::NoLeg);
            }
        }
        Ok(())
    }
}

/// What is known so far.
struct State<'a> {
    program: &'a Program,
    /// `A·q - g` of every row.
    fixed: Zeroizing<Vec<i128>>,
    values: Zeroizing<Vec<u128>>,
    /// Row and missing units of every requirement that is not met.
    missed: Zeroizing<Vec<(usize, i128)>>,
}

impl<'a> State<'a> {
    fn new(program: &'a Program, q: &[u64]) -> Result<Self, WitnessError> {
        program.check_lots(q)?;
        // Full capacity at once: a vector that grows leaves copies behind that nobody zeroises.
        let mut state = Self {
            program,
            fixed: Zeroizing::new(Vec::with_capacity(program.equations.len())),
            values: Zeroizing::new(vec![0; program.variables.len()]),
            missed: Zeroizing::new(Vec::with_capacity(program.requirements.len())),
        };
        for (row, equation) in program.equations.iter().enumerate() {
            let mut sum = equation
                .constant
                .checked_neg()
                .ok_or_else(|| state.too_large(row, i128::BITS))?;
            for &(leg, a) in &equation.legs {
                let lots = q.get(leg.index()).copied().unwrap_or(0);
                if lots != 0 {
                    // |a| < 2^63 and lots < 2^57: the product fits, the sum may not.
                    sum = sum
                        .checked_add(i128::from(a) * i128::from(lots))
                        .ok_or_else(|| state.too_large(row, i128::BITS))?;
                }
            }
            state.fixed.push(sum);
        }
        Ok(state)
    }

    fn apply(&mut self, q: &[u64], step: &Step) -> Result<(), WitnessError> {
        match step {
            Step::Reduction { variable, pair, most } => {
                let lots = |leg: crate::LegId| q.get(leg.index()).copied().unwrap_or(0);
                let least = lots(pair.first).min(lots(pair.second));
                self.set(*variable, least.min(*most).into())
            }
            Step::Slack { variable, row } => self.set(*variable, self.residual(*row)?),
            Step::Least {
                variable,
                rows,
                divisor,
                signed,
            } => {
                let mut least = if *signed { i128::MIN } else { 0 };
                for row in rows.clone() {
                    let demand = self.demand(row)?;
                    // Rounded up: the quotient is towards zero.
                    let quotient = demand / divisor + i128::from(demand % divisor > 0);
                    least = least.max(quotient);
                }
                self.set(*variable, least)
            }
            Step::Choice { variable, row, big_m } => {
                let difference = self.minus(*variable, self.demand(*row)?, self.demand(row + 1)?)?;
                // `demand(row + 1)` is stated less `big_m`.
                let first_over_second = self.minus(*variable, difference, *big_m)?;
                if first_over_second.unsigned_abs() > big_m.unsigned_abs() {
                    return Err(self.too_large_variable(*variable));
                }
                self.set(*variable, i128::from(first_over_second > 0))
            }
            Step::Exceedances {
                first,
                rows,
                allowed,
                big_m,
            } => {
                let mut demands = self.demands(rows.clone())?;
                demands.sort_by_key(|&(demand, row)| (std::cmp::Reverse(demand), row));
                if let (Some(&(most, _)), Some(&(least, _))) = (demands.first(), demands.last())
                    && self.minus(*first, most, least)? > *big_m
                {
                    return Err(self.too_large_variable(*first));
                }
                for &(_, row) in demands.iter().take(*allowed) {
                    let bit = first.index() + (row - rows.start);
                    self.set(VarId::new(bit as u32), 1)?;
                }
                Ok(())
            }
            Step::Level { variable, rows, rank } => {
                let mut demands = self.demands(rows.clone())?;
                demands.sort_by_key(|&(demand, _)| std::cmp::Reverse(demand));
                let level = demands.get(rank.saturating_sub(1)).map_or(0, |&(demand, _)| demand);
                self.set(*variable, level)
            }
            Step::Root { root, slack, row } => self.take_root(*root, *slack, *row),
            Step::Empty { row } => match self.residual(*row)? {
                0 => Ok(()),
                _ => Err(WitnessError::NotEmpty {
                    name: self.program.equation_name(*row).to_owned(),
                }),
            },
            Step::Requirement { variable, row } => {
                let value = self.residual(*row)?;
                if value < 0 {
                    self.missed.push((*row, value.saturating_neg()));
                    return Ok(());
                }
                self.set(*variable, value)
            }
        }
    }

    /// `A·q + F·w - g`, unknown variables at zero.
    fn residual(&self, row: usize) -> Result<i128, WitnessError> {
        let equation = &self.program.equations[row];
        let mut sum = self.fixed[row];
        for &(j, f) in &equation.variables {
            let value = self.values[j.index()];
            if value != 0 {
                sum = i128::try_from(value)
                    .ok()
                    .and_then(|value| value.checked_mul(f))
                    .and_then(|term| sum.checked_add(term))
                    .ok_or_else(|| self.too_large(row, i128::BITS))?;
            }
        }
        Ok(sum)
    }

    /// What a row still lacks.
    fn demand(&self, row: usize) -> Result<i128, WitnessError> {
        self.residual(row)?
            .checked_neg()
            .ok_or_else(|| self.too_large(row, i128::BITS))
    }

    fn demands(&self, rows: Range<usize>) -> Result<Zeroizing<Vec<(i128, usize)>>, WitnessError> {
        let mut demands = Zeroizing::new(Vec::with_capacity(rows.len()));
        for row in rows {
            demands.push((self.demand(row)?, row));
        }
        Ok(demands)
    }

    fn minus(&self, variable: VarId, a: i128, b: i128) -> Result<i128, WitnessError> {
        a.checked_sub(b).ok_or_else(|| self.too_large_variable(variable))
    }

    fn take_root(&mut self, root: VarId, slack: VarId, row: usize) -> Result<(), WitnessError> {
        let mut sum = Wide::ZERO;
        for &(j, s) in &self.program.equations[row].squares {
            if j != root {
                let value = self.values[j.index()];
                sum = Wide::product(value, value)
                    .checked_mul(s.unsigned_abs().into())
                    .and_then(|square| sum.checked_add(square))
                    .ok_or_else(|| self.too_large_variable(root))?;
            }
        }
        let least = sum.ceil_sqrt().ok_or_else(|| self.too_large_variable(root))?;
        let rest = Wide::product(least, least)
            .checked_sub(sum)
            .and_then(Wide::low)
            .ok_or_else(|| self.too_large_variable(slack))?;
        for (variable, value) in [(root, least), (slack, rest)] {
            let value = i128::try_from(value).map_err(|_| self.too_large_variable(variable))?;
            self.set(variable, value)?;
        }
        Ok(())
    }

    fn set(&mut self, variable: VarId, value: i128) -> Result<(), WitnessError> {
        let bits = self.program.variables[variable.index()].bits;
        match u128::try_from(value) {
            Ok(value) if value.checked_shr(bits).unwrap_or(0) == 0 => {
                self.values[variable.index()] = value;
                Ok(())
            }
            _ => Err(self.too_large_variable(variable)),
        }
    }

    fn too_large(&self, row: usize, bits: u32) -> WitnessError {
        WitnessError::TooLarge {
            name: self.program.equation_name(row).to_owned(),
            bits,
        }
    }

    fn too_large_variable(&self, variable: VarId) -> WitnessError {
        let variable = &self.program.variables[variable.index()];
        WitnessError::TooLarge {
            name: variable.name.clone(),
            bits: variable.bits,
        }
    }
}
