//! Why the builder refuses a model.

use thiserror::Error;

use crate::bounds::{
    MAX_EQUATIONS, MAX_NAME_BYTES, MAX_TERMS, MAX_VARIABLES, UNIT_EXPONENT_RANGE, VALUE_BITS_RANGE, WrapAround,
};
use crate::form::FormError;
use crate::leg::{LegId, Pair};

/// Why the builder refused a model.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The numéraire is empty or too long.
    #[error("the numéraire has {bytes} bytes, it must have 1 to {MAX_NAME_BYTES}")]
    Numeraire {
        /// Its length.
        bytes: usize,
    },
    /// The unit is out of range.
    #[error("the unit is 10^{exponent}, the exponent must be {} to {}", UNIT_EXPONENT_RANGE.start(), UNIT_EXPONENT_RANGE.end())]
    UnitExponent {
        /// The refused exponent.
        exponent: i32,
    },
    /// The width of a value is out of range.
    #[error("a value is {bits} bits wide, it must be {} to {}", VALUE_BITS_RANGE.start(), VALUE_BITS_RANGE.end())]
    ValueBits {
        /// The refused width.
        bits: u32,
    },
    /// A name is too long.
    #[error("a name has {bytes} bytes, it may have {MAX_NAME_BYTES}")]
    Name {
        /// Its length.
        bytes: usize,
    },
    /// A form is faulty: it overflowed, or mixes two builders.
    #[error("{name}: {fault}")]
    Form {
        /// The verb that was given the form.
        name: String,
        /// What is wrong with it.
        fault: FormError,
    },
    /// A form has a leg that the layout does not have.
    #[error("leg {} is no leg of the layout", leg.index())]
    NoLeg {
        /// The refused leg.
        leg: LegId,
    },
    /// A coefficient, rounded, does not fit 64 bits.
    #[error("the coefficient of leg {} does not fit 64 bits", leg.index())]
    Coefficient {
        /// The leg.
        leg: LegId,
    },
    /// An exact form has a coefficient (of the leg) or a constant (no leg) that is not known to be a whole number.
    #[error("an exact form has a coefficient or constant that is not known to be whole (leg {leg:?})")]
    NotWhole {
        /// The leg, or `None` for the constant.
        leg: Option<LegId>,
    },
    /// A pair is netted that is no pair of the layout, or was netted before.
    #[error("legs {} and {} are no pair of the layout, or were netted before", pair.first.index(), pair.second.index())]
    Pair {
        /// The refused pair.
        pair: Pair,
    },
    /// A pair is netted after a form was made.
    #[error("a pair must be netted before any form is made")]
    NetTooLate,
    /// More of both legs of a pair would help the trader.
    #[error("{name}: a lot of both legs {} and {} together would help the trader", pair.first.index(), pair.second.index())]
    PairHelps {
        /// The verb that was given the form.
        name: String,
        /// The pair.
        pair: Pair,
    },
    /// A verb over nothing.
    #[error("{name}: nothing is given")]
    Nothing {
        /// The verb.
        name: String,
    },
    /// A rank is not between 1 and the number of items.
    #[error("{name}: rank {rank} of {items} items")]
    Rank {
        /// The verb.
        name: String,
        /// The refused rank.
        rank: usize,
        /// Items given.
        items: usize,
    },
    /// A factor that must be whole is not, or is above `2^63`.
    #[error("the factor is not a whole number below 2^63; rescale takes a fraction")]
    FactorNotWhole,
    /// A requirement that no book can change.
    #[error("the requirement {name} does not depend on the book")]
    ConstantRequirement {
        /// The requirement.
        name: String,
    },
    /// A program without a requirement proves nothing.
    #[error("the program requires nothing")]
    NoRequirement,
    /// Too many equations.
    #[error("the program would have more than {MAX_EQUATIONS} equations")]
    TooManyEquations,
    /// Too many hidden variables.
    #[error("the program would have more than {MAX_VARIABLES} hidden variables")]
    TooManyVariables,
    /// Too many coefficients.
    #[error("the program would have more than {MAX_TERMS} coefficients")]
    TooManyTerms,
    /// An equation can wrap around the field even at the declared widths.
    #[error(transparent)]
    Wrap(#[from] WrapAround),
}
