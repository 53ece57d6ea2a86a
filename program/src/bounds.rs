//! Widths, and why no equation wraps around the field.
//!
//! An equation of the program is an equation of integers; the circuit proves it modulo a prime above `2^254`. The two are
//! the same as long as neither side can reach the prime: both sides of the protocol compute, for every equation,
//!
//! ```text
//! Σ|A|·(N+1)·2^48 + Σ|F_j|·2^{b_j} + Σ|Q_j|·2^{2 b_j} + |g|  <  2^253
//! ```
//!
//! with `b_j` the *true* width of what the circuit shows of `w_j`, which is at least the declared one. Where the circuit shows that
//! variables are fractions of a common denominator, an equation that has any is one of integers once it is multiplied by
//! that denominator, and the bound is on the product.

use thiserror::Error;

use crate::leg::LOTS_LIMIT;
use crate::program::{Equation, VarId};
use crate::wide::Wide;

/// No equation may reach `2^253`: less than half of the field's prime, which is above `2^254`.
pub const NO_WRAP_BITS: u32 = 253;

/// Greatest width of a hidden variable.
pub const MAX_VARIABLE_BITS: u32 = 128;

/// Least and greatest width of a money value, `value_bits` of a [`Header`](crate::Header).
pub const VALUE_BITS_RANGE: std::ops::RangeInclusive<u32> = 4..=112;

/// Least and greatest power of ten of a unit.
pub const UNIT_EXPONENT_RANGE: std::ops::RangeInclusive<i32> = -30..=30;

/// Most bytes of a name: of a numéraire, a verb, a requirement.
pub const MAX_NAME_BYTES: usize = 120;

/// Most equations of one program.
pub const MAX_EQUATIONS: usize = 1 << 14;

/// Most hidden variables of one program.
pub const MAX_VARIABLES: usize = 1 << 15;

/// Most coefficients of one program, `A`, `F` and `Q` together.
pub const MAX_TERMS: usize = 1 << 23;

/// What the circuit shows of a hidden variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Range {
    /// An integer in `[0, 2^bits)`: a run of limbs.
    Integer {
        /// The true width.
        bits: u32,
    },
    /// A number in `[0, 2^bits)` that `denominator` makes an integer; the denominator is that of all fractions of a program.
    Fraction {
        /// The true width.
        bits: u32,
        /// The common denominator.
        denominator: u64,
    },
}

impl Range {
    fn bits(self) -> u32 {
        match self {
            Range::Integer { bits } | Range::Fraction { bits, .. } => bits,
        }
    }
}

/// Why the no-wrap bound refuses a program at given widths.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum WrapAround {
    /// Not one range for each variable.
    #[error("{given} ranges for {variables} variables")]
    Count {
        /// Ranges given.
        given: usize,
        /// Variables of the program.
        variables: usize,
    },
    /// A range narrower than its variable, or wider than [`MAX_VARIABLE_BITS`] if it is a run.
    #[error("variable {} is {declared} bits wide and its range {given}; a range is at least as wide, and a run {MAX_VARIABLE_BITS} bits at most", variable.index())]
    Width {
        /// The variable.
        variable: VarId,
        /// Width that the program declares.
        declared: u32,
        /// Width of its range.
        given: u32,
    },
    /// A fraction where soundness needs an integer.
    #[error("variable {} must be an integer", variable.index())]
    Fraction {
        /// The variable.
        variable: VarId,
    },
    /// An equation that can reach `2^253`.
    #[error("equation {equation} can reach 2^{NO_WRAP_BITS}")]
    Equation {
        /// Index of the equation.
        equation: usize,
    },
}

/// `Σ|A|` of an equation, which no range changes.
pub(crate) fn of_legs(equation: &Equation) -> u128 {
    let magnitudes = equation.legs.iter().map(|(_, a)| u128::from(a.unsigned_abs()));
    magnitudes.fold(0, u128::saturating_add)
}

/// The greatest magnitude that an equation's two sides can reach together, as one of integers, saturating at `2^256 - 1`; `legs` is its
/// [`of_legs`].
pub(crate) fn magnitude(equation: &Equation, legs: u128, ranges: &[Range]) -> Wide {
    let width = |variable: VarId| ranges.get(variable.index()).map(|range| range.bits());
    let denominator = equation
        .variables
        .iter()
        .filter_map(|(j, _)| match ranges.get(j.index()) {
            Some(Range::Fraction { denominator, .. }) => Some(*denominator),
            Some(Range::Integer { .. }) | None => None,
        });
    let denominator = denominator.max().unwrap_or(1);
    let variables = equation
        .variables
        .iter()
        .map(|&(j, f)| width(j).map_or(Wide::MAX, |b| Wide::from(f.unsigned_abs()).saturating_shl(b)));
    let squares = equation.squares.iter().map(|&(j, q)| {
        width(j).map_or(Wide::MAX, |b| {
            Wide::from(u128::from(q.unsigned_abs())).saturating_shl(2 * b)
        })
    });
    variables
        .chain(squares)
        .chain([
            Wide::product(legs, u128::from(LOTS_LIMIT)),
            equation.constant.unsigned_abs().into(),
        ])
        .fold(Wide::ZERO, Wide::saturating_add)
        .checked_mul(denominator.into())
        .unwrap_or(Wide::MAX)
}

/// Whether an equation can reach `2^253` with what the circuit shows.
pub(crate) fn wraps(equation: &Equation, legs: u128, ranges: &[Range]) -> bool {
    magnitude(equation, legs, ranges) >= Wide::from(1).saturating_shl(NO_WRAP_BITS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::leg::LegId;

    fn magnitude(equation: &Equation, ranges: &[Range]) -> Wide {
        super::magnitude(equation, of_legs(equation), ranges)
    }

    fn wraps(equation: &Equation, ranges: &[Range]) -> bool {
        super::wraps(equation, of_legs(equation), ranges)
    }

    fn runs<const N: usize>(bits: [u32; N]) -> [Range; N] {
        bits.map(|bits| Range::Integer { bits })
    }

    fn edge(constant: i128) -> Equation {
        Equation {
            legs: vec![],
            // (2^127 - 1) * 2^126 = 2^253 - 2^126
            variables: vec![(VarId::new(0), i128::MAX)],
            squares: vec![],
            constant,
        }
    }

    #[test]
    fn an_equation_of_2_to_the_253_minus_1_is_accepted_and_one_more_is_refused() {
        assert!(!wraps(&edge((1 << 126) - 1), &runs([126])));
        assert!(wraps(&edge(1 << 126), &runs([126])));
        assert!(!wraps(&edge(-((1 << 126) - 1)), &runs([126])));
        assert!(wraps(&edge(-(1 << 126)), &runs([126])));
        assert!(wraps(&edge(0), &runs([127])));
    }

    #[test]
    fn every_kind_of_term_counts_with_its_own_weight() {
        let legs = Equation {
            legs: vec![(LegId::new(0), -3), (LegId::new(1), 2)],
            variables: vec![],
            squares: vec![],
            constant: 7,
        };
        assert!(magnitude(&legs, &[]) == Wide::from(5 * 257 * (1 << 48) + 7));
        let rest = Equation {
            legs: vec![],
            variables: vec![(VarId::new(0), -5)],
            squares: vec![(VarId::new(1), -3)],
            constant: 0,
        };
        assert!(magnitude(&rest, &runs([10, 20])) == Wide::from(5 * (1 << 10) + 3 * (1u128 << 40)));
    }

    #[test]
    fn the_largest_terms_saturate_instead_of_wrapping() {
        let equation = Equation {
            legs: vec![],
            variables: vec![(VarId::new(0), i128::MIN); 1000],
            squares: vec![(VarId::new(0), i64::MIN); 1000],
            constant: i128::MIN,
        };
        assert!(magnitude(&equation, &runs([128])) == Wide::MAX);
        assert!(wraps(&equation, &runs([128])));
    }

    #[test]
    fn the_common_denominator_multiplies_the_equations_that_have_a_fraction() {
        let fraction = |denominator| [Range::Fraction { bits: 0, denominator }];
        let equation = |variables, constant| Equation {
            legs: vec![],
            variables,
            squares: vec![],
            constant,
        };
        let with = equation(vec![(VarId::new(0), 1)], 6);
        assert!(magnitude(&with, &fraction(10)) == Wide::from(70));
        let without = equation(vec![], 7);
        assert!(magnitude(&without, &fraction(10)) == Wide::from(7));
        // (2^126 - 1 + 1) * 2^63 = 2^189, and 64 bits more are too many.
        let wide = equation(vec![(VarId::new(0), 1 << 64)], (1 << 126) - 1);
        let at = |bits| {
            [Range::Fraction {
                bits,
                denominator: 1 << 63,
            }]
        };
        assert!(!wraps(&wide, &at(125)));
        assert!(wraps(&wide, &at(126)));
    }

    #[test]
    fn a_variable_without_a_width_is_refused() {
        assert!(wraps(&edge(0), &[]));
    }
}
