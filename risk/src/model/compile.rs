//! What every model's program has in common: its unit, its widths, the statement at its end, and why there is none.

use rust_decimal::Decimal;
use zkmargin_program::{
    BuildError, Builder, Header, Linear, Lower, NegativeFactor, NonNegative, NumberError, Ratio, Real, Upper,
};

use crate::collateral::{self, CollateralError};
use crate::market::{Snapshot, SnapshotError};
use crate::pricing::PricingError;
use crate::terms::{Margin, Terms, TermsError};

/// Exponent of the unit of a program in USD, or in an asset that moves with no underlying: a dollar of some kind.
pub const USD_UNIT_EXPONENT: i32 = -10;
/// Exponent of the unit of a program in a coin.
pub const COIN_UNIT_EXPONENT: i32 = -14;
/// Width of a value: 80 bits hold 60,000 billion USD of either sign.
pub const VALUE_BITS: u32 = 80;

/// The least excess is this many bits narrower than a value, so that twenty of it still fit.
const EXCESS_MARGIN_BITS: u32 = 8;

/// What the program's requirement is called where it is not met.
pub const REQUIREMENT: &str = "margin";
/// What the requirement of an isolated position is called, before its instrument and venue.
pub const ISOLATED_REQUIREMENT: &str = "margin isolated in ";
/// What stands between the name of a requirement of margin and a venue, where it is to be met without the balances there.
pub const WITHOUT_BALANCES: &str = " without the balances at ";

/// As much of a name as a requirement's name has room for.
pub(crate) fn beginning(name: &str, bytes: usize) -> &str {
    let room = name.char_indices().map(|(at, one)| at + one.len_utf8());
    let end = room.take_while(|end| *end <= bytes).last().unwrap_or(0);
    name.get(..end).unwrap_or_default()
}

/// Why a model, a universe, a snapshot and terms give no program.
#[derive(Debug, thiserror::Error)]
pub enum CompileError {
    /// The snapshot was not checked, and would not pass.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    /// The terms do not fit the universe.
    #[error(transparent)]
    Terms(#[from] TermsError),
    /// The snapshot has no price of the numéraire.
    #[error("the snapshot has no price of the numéraire {0}")]
    Numeraire(String),
    /// A price cannot be computed.
    #[error(transparent)]
    Pricing(#[from] PricingError),
    /// A price or factor does not fit the program's numbers.
    #[error("a price or factor of model and snapshot does not fit: {0}")]
    Number(#[from] NumberError),
    /// A factor that is negative and must not be; a checked file has none.
    #[error(transparent)]
    Factor(#[from] NegativeFactor),
    /// The least excess is beyond what a value holds.
    #[error("a least excess of {excess} {numeraire} does not fit: expected at most {bound}")]
    Excess {
        /// The least excess, in units of the numéraire.
        excess: u64,
        /// The numéraire.
        numeraire: String,
        /// The bound.
        bound: u64,
    },
    /// More or fewer snapshots than the margin is of.
    #[error("{margin} margin is of {} snapshots, not {found}", margin.snapshots())]
    Snapshots {
        /// The margin.
        margin: Margin,
        /// How many there are.
        found: usize,
    },
    /// A fact that the model needs and universe, snapshot or history do not have.
    #[error("{model} needs {what}")]
    Missing {
        /// The model's name.
        model: String,
        /// What is missing, and where it was looked for.
        what: String,
    },
    /// A name of the model's file that stands for nothing in universe or snapshot: what it bounds would be unbounded.
    #[error("{field} names the {what} {name}, which is neither listed nor priced")]
    Unknown {
        /// The field of the file.
        field: String,
        /// `venue`, `asset` or `underlying`.
        what: &'static str,
        /// The name.
        name: String,
    },
    /// More of something than a program is made of.
    #[error("{found} {what} are more than the {bound} that are compiled")]
    TooMany {
        /// Of what.
        what: String,
        /// How many there are.
        found: usize,
        /// The bound.
        bound: usize,
    },
    /// The program was refused.
    #[error(transparent)]
    Build(#[from] BuildError),
}

impl From<CollateralError> for CompileError {
    fn from(error: CollateralError) -> CompileError {
        match error {
            CollateralError::Number(error) => error.into(),
            CollateralError::Build(error) => error.into(),
        }
    }
}

/// Value and requirement of a model: what a statement compares. Both in units of the numéraire.
pub(crate) struct Forms {
    /// `V`.
    pub(crate) value: Lower,
    /// `R`.
    pub(crate) requirement: Upper,
}

/// What money is counted in, and how finely.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Numeraire {
    /// `USD`, or the name of an asset.
    pub(crate) name: String,
    /// Whether it moves with an underlying.
    pub(crate) is_coin: bool,
}

impl Numeraire {
    /// Exponent of the unit.
    pub(crate) fn unit_exponent(&self) -> i32 {
        if self.is_coin {
            COIN_UNIT_EXPONENT
        } else {
            USD_UNIT_EXPONENT
        }
    }

    /// Units in one of the numéraire.
    pub(crate) fn units(&self) -> Result<Ratio, NumberError> {
        Ratio::from_decimal(1, -self.unit_exponent())
    }

    /// `p_M`: its price in USD.
    ///
    /// # Errors
    /// [`CompileError::Numeraire`].
    pub(crate) fn price(&self, snapshot: &Snapshot) -> Result<Decimal, CompileError> {
        if self.name == "USD" {
            return Ok(Decimal::ONE);
        }
        collateral::price(snapshot, &self.name).ok_or_else(|| CompileError::Numeraire(self.name.clone()))
    }

    pub(crate) fn header(&self) -> Header {
        Header {
            numeraire: self.name.clone(),
            unit_exponent: self.unit_exponent(),
            value_bits: VALUE_BITS,
        }
    }

    /// Requires `D V - N R - D e >= 0` with `ρ = N / D`.
    pub(crate) fn require(
        &self,
        builder: &mut Builder,
        name: &str,
        terms: &Terms,
        forms: Forms,
    ) -> Result<(), CompileError> {
        let (n, d) = reduced(terms.ratio.twentieths(), 20);
        let units_of_one = 10_u128.pow(self.unit_exponent().unsigned_abs());
        let bound = u64::try_from((1_u128 << (VALUE_BITS - EXCESS_MARGIN_BITS)) / units_of_one).unwrap_or(u64::MAX);
        let excess = terms.excess;
        let too_large = || CompileError::Excess {
            excess,
            numeraire: self.name.clone(),
            bound,
        };
        let whole = i64::try_from(excess)
            .ok()
            .filter(|_| excess <= bound)
            .ok_or_else(too_large)?;
        let units = Real::from_integer(whole)
            .checked_mul(self.units()?)?
            .checked_mul(Ratio::from(i64::from(d)))?;
        let value = builder.scale(forms.value, NonNegative::from(d))?;
        let requirement = builder.scale(forms.requirement, NonNegative::from(n))?;
        let excess = builder.upper(&Linear::constant(units))?;
        Ok(builder.require_non_negative(name, value - requirement - excess)?)
    }
}

/// `|form| = form + 2 max(-form, 0)`: the first part is added to `linear`, the second is returned. One row and one
/// variable with its slack, where `|form| >= form`, `|form| >= -form` takes two rows.
pub(crate) fn magnitude(
    builder: &mut Builder,
    name: &str,
    form: Linear,
    linear: &mut Linear,
) -> Result<Upper, CompileError> {
    let opposite = builder.lower(&form)?;
    *linear += form;
    let part = builder.positive_part(name, -opposite)?;
    Ok(builder.scale(part, NonNegative::from(2))?)
}

fn reduced(numerator: u32, denominator: u32) -> (u32, u32) {
    let divisor = num_integer::gcd(numerator, denominator).max(1);
    (numerator / divisor, denominator / divisor)
}
