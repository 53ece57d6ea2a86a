//! Parts of parameter files that several stress-based models share, and the figures that follow from them.
//!
//! # Figures of a contract
//! All are `f64`, in this order of operations; every decimal is read as its nearest `f64`. With `F` the forward, `K` the
//! strike, `σ` the volatility, `T` the years (of 365 days) to expiry, `I` the index, `k` the contract size, `s` the factor of
//! a move, `B(f, w)` the undiscounted Black-76 value at the forward `f` and total volatility `w` (`ln(F s / K)` taken as
//! `ln(F / K) + ln(s)`), `D = exp(-r T)`:
//!
//! | instrument | value, USD at the move's index |
//! |---|---|
//! | inverse option | `B(F s, σ' √T) (I / F) k` |
//! | linear option | `D B(F s, σ' √T) k` |
//! | inverse future, perpetual | `-(k (I / F))` |
//! | linear future, perpetual | `(F s) k` |
//!
//! Linear figures are in the settlement asset, a coin of which counts as one USD here. The *mark* is the value without move;
//! the *decayed* value that without move at `max(T - decay, 0)` (a future's is its mark). Delta (coins of the underlying), vega
//! (USD per 1.00 of volatility) and rho (USD per 1.00 of rate; 0 where inverse) are those of [`crate::valuation::greeks`].
//!
//! # Shift of a volatility
//! `points(d)` and `part(d)` at `d` days to expiry are interpolated between the [`ShiftNode`]s: at a node its figure, before
//! the first and after the last that node's, between two `a + (b - a) ((d - d_a) / (d_b - d_a))`. With
//! `m = max(points(d), σ part(d))`:
//! ```text
//! up: σ' = σ + m        none: σ' = σ        down: σ' = max(σ - m, 0)
//! ```
//!
//! # Matched amounts
//! Of amounts `x_1 …`: `matched = min( Σ max(x, 0), Σ max(-x, 0) )`: what of the long amounts has a short one opposite.
//! [`Buckets`] sort expiries by their days: an expiry is in the first bucket of at least its days. With `X_e` the sum of an
//! expiry and `N_b` that of a bucket:
//! ```text
//! charge = Σ_b within_b · matched( X_e, e in b )  +  across · matched( N_b )
//! ```
//!
//! # Progressive tiers
//! `f(h) = Σ_k rate_k · (the part of h above above_k and not above the next tier)`. Rates do not fall, so `f` is convex: the
//! largest of `rate_k h - d_k`, `d_0 = 0`, `d_k = d_{k-1} + above_k (rate_k - rate_{k-1})`.

use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::amount;

/// How far volatilities shift at a tenor.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ShiftNode {
    /// Days to expiry.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub days: Decimal,
    /// In volatility a year as a fraction: `0.3` is 30 points.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub points: Decimal,
    /// As a part of the volatility.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub part: Decimal,
}

/// A charge on amounts that are matched between expiries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Buckets {
    /// The buckets, by the days to expiry up to which they reach.
    pub buckets: Vec<Bucket>,
    /// `across`: the charge on what is matched between buckets.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub across: Decimal,
}

/// A bucket of expiries.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Bucket {
    /// Days to expiry up to which it reaches; the last one has none, and reaches to the end.
    #[serde(default, with = "amount::option", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub days: Option<Decimal>,
    /// `within`: the charge on what is matched between its expiries.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub within: Decimal,
}

impl Buckets {
    /// The bucket of an expiry, by its days.
    pub(crate) fn bucket_of(&self, days: f64) -> usize {
        let reaches = |bucket: &Bucket| bucket.days.is_none_or(|limit| days <= amount::to_f64(limit));
        let last = self.buckets.len().saturating_sub(1);
        self.buckets.iter().position(reaches).unwrap_or(last)
    }
}

/// A tier of a progressive charge.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tier {
    /// The amount above which it begins, in USD; 0 of the first.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub above: Decimal,
    /// What each part of it is multiplied by; not below that of the tier before.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub rate: Decimal,
}

/// What an asset that is owed costs, as a part of what is owed.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BorrowRate {
    /// At the initial level; not below that at maintenance.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub initial: Decimal,
    /// At the maintenance level.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub maintenance: Decimal,
}

/// The rate of a delta that may move against that of another expiry.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Basis {
    /// A continuously compounded rate a year, at most 10.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub annual_move: Decimal,
    /// The least rate of an expiry, and the rate of perpetuals.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub least: Decimal,
}
