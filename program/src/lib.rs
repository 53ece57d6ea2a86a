//! Being written.

mod bounds;
mod builder;
mod choices;
mod error;
mod expr;
mod extremes;
mod form;
mod leg;
mod measures;
mod program;
mod real;
mod wide;
mod witness;

pub use bounds::*;
pub use builder::Builder;
pub use error::BuildError;
pub use expr::{Exact, Linear, Lower, Side, Upper};
pub use form::FormError;
pub use leg::*;
pub use program::{COMPILER_VERSION, Equation, Header, Program, VarId, Variable, Violation};
pub use real::{NegativeFactor, NonNegative, NumberError, RESOLUTION_BITS, Ratio, Real};
pub use witness::{Witness, WitnessError};
