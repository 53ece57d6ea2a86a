//! The margin program `A·q + F·w + Q·(w∘w) = g`, `w_j ∈ [0, 2^{b_j})` (protocol §4), and its plain evaluation.

use thiserror::Error;

use crate::bounds::{MAX_VARIABLE_BITS, NO_WRAP_BITS, Range, WrapAround, wraps};
use crate::form::Rounding;
use crate::leg::{LOTS_LIMIT, Layout, LegId};
use crate::wide::Wide;
use crate::witness::Step;

/// Version of the compiler; it is in every statement digest. One version compiles one input to one program, bit for bit.
pub const COMPILER_VERSION: u32 = 3;

/// What a program's numbers mean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The numéraire: `USD`, or a coin.
    pub numeraire: String,
    /// One unit is `10^unit_exponent` of the numéraire.
    pub unit_exponent: i32,
    /// Width of a money value in bits; a signed value is in `[-2^(value_bits-1), 2^(value_bits-1))` units.
    pub value_bits: u32,
}

/// One hidden variable `w_j`, by its place `j`.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VarId(u32);

impl VarId {
    pub(crate) const fn new(index: u32) -> Self {
        Self(index)
    }

    /// Its place in `w`.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// What is public about a hidden variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    /// Its declared width: an honest `w_j` is below `2^bits`. What the circuit shows may be wider, never narrower.
    pub bits: u32,
    /// Whether soundness needs an integer: it is a bit, a count, or squared. Of any other variable it needs no more than that
    /// it is not negative ([`Range::Fraction`]).
    pub whole: bool,
    /// The verb that made it, as the model named it.
    pub name: String,
}

/// One equation, a row of `A·q + F·w + Q·(w∘w) = g`. The lists are sorted and hold no zero and no repetition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Equation {
    /// The row of `A`, units per lot.
    pub legs: Vec<(LegId, i64)>,
    /// The row of `F`.
    pub variables: Vec<(VarId, i128)>,
    /// The row of `Q`, the coefficients of `w_j^2`.
    pub squares: Vec<(VarId, i64)>,
    /// `g`, in units.
    pub constant: i128,
}

/// Why `(q, w)` does not satisfy a program. It names places and widths, never an amount.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Violation {
    /// `q` or `w` has the wrong length.
    #[error("{given} entries where the program has {expected} ({what})")]
    Length {
        /// `slots`, `variables` or `widths`.
        what: &'static str,
        /// Entries that the program expects.
        expected: usize,
        /// Entries given.
        given: usize,
    },
    /// An entry of `q` is not below [`LOTS_LIMIT`].
    #[error("an amount in the account vector is not below {LOTS_LIMIT} lots")]
    Lots,
    /// `w_j` is not below `2^bits`.
    #[error("variable {} ({name}) is not below 2^{bits}", variable.index())]
    Range {
        /// The variable.
        variable: VarId,
        /// The verb that made it.
        name: String,
        /// Its width.
        bits: u32,
    },
    /// An equation does not hold.
    #[error("equation {equation} ({name}) does not hold")]
    Equation {
        /// Its index.
        equation: usize,
        /// The verb that made it.
        name: String,
    },
}

/// A requirement: the slack variable of a [`Lower`](crate::Lower) that must not be negative.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Requirement {
    pub(crate) rounding: Rounding,
}

/// A compiled margin program; [`Builder::finish`](crate::Builder::finish) makes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    pub(crate) header: Header,
    pub(crate) layout: Layout,
    pub(crate) equations: Vec<Equation>,
    /// `Σ|A|` of each equation: equations have many legs, and every proof is checked for wrap-around at its own ranges.
    pub(crate) of_legs: Vec<u128>,
    pub(crate) variables: Vec<Variable>,
    /// Names, by first use; `equation_names[i]` is an index into them.
    pub(crate) names: Vec<String>,
    pub(crate) equation_names: Vec<u32>,
    pub(crate) steps: Vec<Step>,
    pub(crate) requirements: Vec<Requirement>,
}

impl Program {
    /// Where the legs stand.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Numéraire, unit, width of a value.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The equations, in the order in which the model made them.
    pub fn equations(&self) -> &[Equation] {
        &self.equations
    }

    /// The hidden variables, `w_0` first.
    pub fn variables(&self) -> &[Variable] {
        &self.variables
    }

    /// Whether `(q, w)` satisfies the program at the declared widths; `q` has one entry per slot, `w` one per variable.
    ///
    /// # Errors
    /// [`Violation`]: the first range or equation that fails.
    pub fn check(&self, q: &[u64], w: &[u128]) -> Result<(), Violation> {
        let widths: Vec<u32> = self.variables.iter().map(|v| v.bits).collect();
        self.check_at(&widths, q, w)
    }

    /// [`check`](Self::check) as the circuit sees it, with `widths[j]` the true width of the run that holds `w_j`.
    ///
    /// # Errors
    /// [`Violation`]: the first range or equation that fails.
    pub fn check_at(&self, widths: &[u32], q: &[u64], w: &[u128]) -> Result<(), Violation> {
        let lengths = [
            ("slots", self.layout.slots(), q.len()),
            ("variables", self.variables.len(), w.len()),
            ("widths", self.variables.len(), widths.len()),
        ];
        for (what, expected, given) in lengths {
            if expected != given {
                return Err(Violation::Length { what, expected, given });
            }
        }
        if q.iter().any(|lots| *lots >= LOTS_LIMIT) {
            return Err(Violation::Lots);
        }
        let outside = |(&value, &bits): (&u128, &u32)| value.checked_shr(bits).unwrap_or(0) != 0;
        if let Some(j) = w.iter().zip(widths).position(outside) {
            return Err(Violation::Range {
                variable: VarId::new(j as u32),
                name: self.variables[j].name.clone(),
                bits: widths[j],
            });
        }
        match self.equations.iter().position(|e| !e.holds(q, w)) {
            Some(equation) => Err(Violation::Equation {
                equation,
                name: self.equation_name(equation).to_owned(),
            }),
            None => Ok(()),
        }
    }

    /// Checks the no-wrap bound of every equation with what the circuit shows of each variable (see [`bounds`](crate::bounds)).
    ///
    /// # Errors
    /// [`WrapAround`]: a range is missing, narrower than declared or a run above 128 bits; a fraction where an integer is needed; or an
    /// equation can reach `2^253`.
    pub fn check_no_wrap(&self, ranges: &[Range]) -> Result<(), WrapAround> {
        if ranges.len() != self.variables.len() {
            return Err(WrapAround::Count {
                given: ranges.len(),
                variables: self.variables.len(),
            });
        }
        for (j, (variable, range)) in self.variables.iter().zip(ranges).enumerate() {
            let (given, most) = match *range {
                Range::Integer { bits } => (bits, MAX_VARIABLE_BITS),
                Range::Fraction { .. } if variable.whole => {
                    return Err(WrapAround::Fraction {
                        variable: VarId::new(j as u32),
                    });
                }
                Range::Fraction { bits, .. } => (bits, NO_WRAP_BITS),
            };
            if given < variable.bits || given > most {
                return Err(WrapAround::Width {
                    variable: VarId::new(j as u32),
                    declared: variable.bits,
                    given,
                });
            }
        }
        let mut equations = self.equations.iter().zip(&self.of_legs);
        match equations.position(|(equation, legs)| wraps(equation, *legs, ranges)) {
            Some(equation) => Err(WrapAround::Equation { equation }),
            None => Ok(()),
        }
    }

    /// The stated bound on rounding for the book `q`, in units: when the exact value of every requirement is at least this,
    /// and no value leaves its width, [`witness`](Self::witness) succeeds.
    ///
    /// The exact value is that of the model's real numbers as they were given to the builder, each verb taken as the real
    /// function that it stands for. The bound is `Σ a_i·q_i + c`: every form contributes at most `1 + 2^-15` units or so to the
    /// `a_i` of each leg of which it rounds the coefficient (the rounding, the width of its enclosure included) and as much to
    /// `c` (that of its constant). Sums add up, [`max`](crate::Builder::max) and the choices take the larger,
    /// [`norm`](crate::Builder::norm) adds up and loses one unit more, [`rescale`](crate::Builder::rescale) by `N/D`
    /// multiplies by `N/D` and loses one unit, and so does [`expected_shortfall`](crate::Builder::expected_shortfall). All of
    /// it is against the trader; feasible programs have an exact value of at least zero, without any tolerance.
    pub fn rounding_bound(&self, q: &[u64]) -> u128 {
        let units = self
            .requirements
            .iter()
            .map(|requirement| requirement.rounding.units(q));
        units.max().unwrap_or(0)
    }

    pub(crate) fn equation_name(&self, equation: usize) -> &str {
        let name = self.equation_names.get(equation).map(|&n| n as usize);
        name.and_then(|n| self.names.get(n)).map_or("", String::as_str)
    }
}

impl Equation {
    /// Whether the equation holds as one of integers. A sum beyond 256 bits does not hold.
    fn holds(&self, q: &[u64], w: &[u128]) -> bool {
        self.sides(q, w)
            .is_some_and(|(positive, negative)| positive == negative)
    }

    /// The positive and the negative terms of `A·q + F·w + Q·(w∘w) - g`, each summed.
    fn sides(&self, q: &[u64], w: &[u128]) -> Option<(Wide, Wide)> {
        let mut sides = (Wide::ZERO, Wide::ZERO);
        let mut add = |negative: bool, term: Wide| {
            let side = if negative { &mut sides.1 } else { &mut sides.0 };
            *side = side.checked_add(term)?;
            Some(())
        };
        for &(leg, a) in &self.legs {
            let lots = *q.get(leg.index())?;
            if lots != 0 {
                let term = Wide::product(a.unsigned_abs().into(), lots.into());
                add(a < 0, term)?;
            }
        }
        for &(j, f) in &self.variables {
            add(f < 0, Wide::product(f.unsigned_abs(), *w.get(j.index())?))?;
        }
        for &(j, s) in &self.squares {
            let value = *w.get(j.index())?;
            let term = Wide::product(value, value).checked_mul(s.unsigned_abs().into())?;
            add(s < 0, term)?;
        }
        add(self.constant > 0, self.constant.unsigned_abs().into())?;
        Some(sides)
    }
}
