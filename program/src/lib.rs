//! Margin programs: the integer language between a margin model and its proof (protocol §4).
//!
//! # What a program says
//!
//! An account is a vector `q` of lots, one entry per [leg](LegId), each a non-negative integer. A margin model, together
//! with a market, is compiled in public and deterministically to a [`Program`]:
//!
//! ```text
//! A·q + F·w + Q·(w∘w) = g ,     w_j ∈ [0, 2^{b_j})
//! ```
//!
//! `A`, `F`, `Q`, `g` are public integers, one row per [`Equation`]; `w` are hidden integers that the prover chooses, one
//! per [`Variable`] with its width `b_j`. The program is feasible for a book `q` when there is such a `w`; that is the model's
//! verdict, and all that a proof shows. Nothing in this crate knows finance or cryptography.
//!
//! An inequality `e >= 0` is `e - w_j = 0`. A signed `x` is `w_j - 2^(b-1)`. The worst of many losses is one variable `t` and a
//! slack per loss, `t - loss_s - w_s = 0`: the prover may choose `t` too large, which only hurts it.
//!
//! # Sides
//!
//! A prover chooses `w`, so a verb cannot *compute* the worst loss; it can only *bound* it. A requirement needs a bound
//! from above and a value one from below, and the types keep them apart:
//!
//! | type | is | and |
//! |---|---|---|
//! | [`Linear`] | real coefficients on legs | has no side, cannot be required |
//! | [`Exact`] | integers, equal to the real value | becomes either side |
//! | [`Upper`] | integers, at least the real value | `max`, sums, `-Upper` is a `Lower` |
//! | [`Lower`] | integers, at most the real value | `min`, sums, may be required not to be negative |
//!
//! `Upper + Upper`, `Upper - Lower`, `Lower - Upper` exist; `Upper + Lower` does not compile, nor does a requirement on an
//! `Upper`, or a factor that was not checked to be [`NonNegative`]. Bits and free variables never leave the [`Builder`]:
//! a model sees whole verbs, each of which is sound whatever `w` is chosen and however much wider than `b_j` its run is.
//!
//! | verb | proves | with |
//! |---|---|---|
//! | [`max`](Builder::max), [`max_non_negative`](Builder::max_non_negative), [`positive_part`](Builder::positive_part), [`absolute`](Builder::absolute) | at least each item | a slack each |
//! | [`min`](Builder::min), [`min_non_positive`](Builder::min_non_positive) | at most each item | the mirror image |
//! | [`any_of_upper`](Builder::any_of_upper), [`any_of_lower`](Builder::any_of_lower) | at least the smaller, at most the larger | a bit |
//! | [`quantile`](Builder::quantile) | at least the `h`-th largest | a bit each |
//! | [`expected_shortfall`](Builder::expected_shortfall) | at least the mean of the `h` largest | a free `v` |
//! | [`norm`](Builder::norm) | at least the root of the sum of squares | `Q` |
//! | [`max_of_held`](Builder::max_of_held) | at least each item of which anything is held | a bit each |
//! | [`exact_min`](Builder::exact_min) | the smaller, exactly | a bit |
//! | [`rescale`](Builder::rescale), [`scale`](Builder::scale) | a factor `N/D`, a whole factor | a narrow rest, nothing |
//!
//! # Units and rounding
//!
//! A [`Header`] names the numéraire and the unit. A [`Real`] coefficient is an enclosure; it becomes an integer only when its
//! form becomes an `Upper` (each leg rounded up) or a `Lower` (down). So one form errs by at most the lots it is for, always
//! against the trader: a feasible program has an exact value of at least zero, without tolerance, and
//! [`Program::rounding_bound`] states how much more than zero is enough.
//!
//! # Pairs
//!
//! Long and short of one instrument are two legs. What a model says about a form is checked for each [`Pair`]: a lot of both legs
//! together never helps, in any form that enters the program ([`BuildError::PairHelps`]). So summing accounts without netting
//! them is conservative, and so is a reduction `d` of [`Builder::net`] that a prover chooses too small. Within [`Builder::without`] a pair of
//! which a leg is left out is none, and neither holds of it.
//!
//! # Example
//!
//! One instrument, worth 12 units a lot, that may rise to 15 or fall to 8; both sides of it; and cash in units.
//!
//! ```
//! use zkmargin_program::{Builder, Header, Layout, LegId, Linear, Pair, Real, WitnessError};
//!
//! let [long, short, balance, debt] = [0, 1, 2, 3].map(LegId::new);
//! let pairs = vec![Pair { first: long, second: short }, Pair { first: balance, second: debt }];
//! let layout = Layout::new(6, vec![0], vec![long, short, balance, debt], pairs)?;
//! let header = Header { numeraire: "USD".into(), unit_exponent: -2, value_bits: 64 };
//! let mut builder = Builder::new(layout, header)?;
//!
//! let per_lot = |legs: [LegId; 2], units: f64| {
//!     let units = Real::from_f64(units, 1.into())?;
//!     let mut form = Linear::leg(legs[0], units);
//!     form.add_leg(legs[1], units.checked_neg()?);
//!     Ok::<_, zkmargin_program::NumberError>(form)
//! };
//! let losses = [per_lot([short, long], 15.0 - 12.0)?, per_lot([short, long], 8.0 - 12.0)?];
//! let losses = [builder.upper(&losses[0])?, builder.upper(&losses[1])?];
//! let requirement = builder.max_non_negative("worst loss", losses)?;
//! let value = per_lot([long, short], 12.0)? + per_lot([balance, debt], 1.0)?;
//! let value = builder.lower(&value)?;
//! builder.require_non_negative("margin", value - requirement)?;
//! let program = builder.finish()?;
//!
//! let mut q = vec![0; program.layout().slots()];
//! q[short.index()] = 10;
//! q[balance.index()] = 150;
//! let witness = program.witness(&q)?;
//! program.check(&q, witness.values())?;
//!
//! q[balance.index()] = 140;
//! assert_eq!(program.witness(&q).unwrap_err(), WitnessError::NotMet { name: "margin".into() });
//! assert_eq!(program.shortfall(&q)?, Some(("margin".into(), 10)));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod bounds;
mod builder;
mod choices;
mod error;
mod expr;
mod extremes;
mod form;
pub mod leg;
mod measures;
mod program;
mod real;
mod wide;
mod witness;

pub use bounds::{
    MAX_EQUATIONS, MAX_NAME_BYTES, MAX_TERMS, MAX_VARIABLE_BITS, MAX_VARIABLES, NO_WRAP_BITS, Range, WrapAround,
};
pub use builder::Builder;
pub use error::BuildError;
pub use expr::{Exact, Linear, Lower, Side, Upper};
pub use form::FormError;
pub use leg::{
    K_RANGE, LOT_BITS, LOTS_LIMIT, Layout, LayoutError, LegId, MAX_ACCOUNTS_PER_VENUE, MAX_COLUMNS, Pair,
    RESERVED_ROWS, suitable_k,
};
pub use program::{COMPILER_VERSION, Equation, Header, Program, VarId, Variable, Violation};
pub use real::{NegativeFactor, NonNegative, NumberError, RESOLUTION_BITS, Ratio, Real};
pub use witness::{Witness, WitnessError};
