//! What the two portfolio models of Derive have in common in their files.

use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::amount;

pub use crate::scenario::VolatilityShock;

/// What a row does to volatilities.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Shock {
    /// They rise, by tenor, and are at least a floor.
    Up,
    /// They stay.
    None,
    /// They fall, by tenor.
    Down,
    /// They rise above the forward and fall below it, the further the more; either sign is a loss.
    Linear,
    /// They rise on both wings, the further from the forward the more; either sign is a loss.
    Abs,
}

impl Shock {
    /// Whether it turns the smile instead of moving it.
    pub const fn is_skew(self) -> bool {
        matches!(self, Shock::Linear | Shock::Abs)
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Shock::Up => "up",
            Shock::None => "none",
            Shock::Down => "down",
            Shock::Linear => "linear skew",
            Shock::Abs => "abs skew",
        }
    }
}

/// One row of a grid.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// Relative move of index and forwards, at least -1; 0 in a skew row.
    #[serde(rename = "move", with = "amount")]
    #[schemars(with = "String")]
    pub price_move: Decimal,
    /// What volatility does.
    pub volatility: Shock,
    /// What the row's profit is multiplied by; 1 if it is not given.
    #[serde(default = "one", with = "amount", skip_serializing_if = "is_one")]
    #[schemars(with = "String")]
    pub weight: Decimal,
}

fn one() -> Decimal {
    Decimal::ONE
}

fn is_one(value: &Decimal) -> bool {
    *value == Decimal::ONE
}

/// The greatest relative move of a volatility in a skew row: `base + slope √T`.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SkewCap {
    /// At expiry.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub base: Decimal,
    /// Per root of a year; may be negative.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub slope: Decimal,
}

/// How skew rows turn the smile of an expiry.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Skew {
    /// The cap of a `linear` row.
    pub linear: SkewCap,
    /// The cap of an `abs` row.
    pub abs: SkewCap,
    /// Least log-moneyness at which the cap is reached.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub least_width: Decimal,
    /// `width`: how many standard deviations from the forward the cap is reached.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub width: Decimal,
    /// The volatility of those standard deviations at expiry.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub volatility: Decimal,
    /// What is added to it per root of a year; may be negative.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub volatility_slope: Decimal,
}

/// A discount on the shocked value of the options of one expiry: `base`, and a rate `rate_factor · r + add` over their life.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StaticDiscount {
    /// Whatever the life.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub base: Decimal,
    /// What the expiry's rate is multiplied by.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub rate_factor: Decimal,
    /// What is added to that rate.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub rate_add: Decimal,
}

/// The charge for forwards that move apart: the larger loss of two moves per expiry, times `add + per_year T`.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Basis {
    /// A relative rise.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub up: Decimal,
    /// A relative fall, negative.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub down: Decimal,
    /// The part that is charged whatever the tenor.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub add: Decimal,
    /// The part that is charged per year.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub per_year: Decimal,
}

/// The charge for prices of which the venue's oracle is not sure, at the initial level.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Confidence {
    /// A confidence below this is charged, 0 to 1.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub threshold: Decimal,
    /// The charge, as a part of the notional per 1 of confidence that is missing.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub factor: Decimal,
}

/// What a numéraire below its peg adds to the factor of the initial level.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Peg {
    /// The price, in USD, below which it adds something.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub threshold: Decimal,
    /// What it adds per USD below.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub factor: Decimal,
}

/// A charge as a part of a notional or value.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Charge {
    /// At both levels.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub maintenance: Decimal,
    /// What the initial level adds.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub initial_adds: Decimal,
}
