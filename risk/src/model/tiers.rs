//! Margin by the size of a position: the tiers that venues of futures and perpetuals publish.
//!
//! A schedule has tiers `n = 0, 1, …` from the notional `from_n` (`from_0 = 0`), with an initial rate `r_n` and a
//! maintenance rate `m_n`, none of them below that of the tier before. For a notional `X >= 0`:
//! ```text
//! r_n                      = initial, or 1 / leverage, of the tier
//!                            then max( r_n , 1 / leverage )               of the schedule, if it says one
//!                            then min( 1 , r_n + (1 - r_n) · clamp( (OI - lower) / (upper - lower) , 0 , 1 ) )   with open_interest
//! m_n                      = maintenance, or r_n / 2 (of the tier alone) if it does not say one
//! marginal(x; X)           = Σ_n x_n · ( min(X, from_{n+1}) - from_n )^+   = max_n ( x_n X - d_n )
//!                            d_0 = 0 ,  d_n = d_{n-1} + from_n (x_n - x_{n-1})
//! bracket(x; X)            = x_n X  for the last n with from_n < X or n = 0: the whole notional at the rate of its own tier
//! maintenance(X)           = marginal(m; X)
//! initial(X)               = bracket(r; X), or marginal(r; X), as initial_by says
//! ```
//! `OI` is the open interest of the perpetual in the snapshot, in USD; where it says none, `unknown` of the schedule; else
//! as if it were at `upper`. The last tier has no upper end.
//!
//! # As a program
//! `marginal` is convex: one row per tier. `bracket` jumps: a choice per tier `n > 0`, at least the smaller of `r_n X` and
//! `K_n X - (K_n - r_n) from_n` with `K_n` a whole number of at least 1: from `from_n` on the first is the smaller one, and
//! it falls to the line of the tier before within less than a thousandth of `from_n` below it. There alone, the program asks
//! for more than the rule. Schedules of several tiers count `X` in 10,000ths of what the program counts in (0.000001 USD),
//! rounded up, so that the widths hold any book.

mod check;

use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use zkmargin_program::{Builder, Linear, NonNegative, NumberError, Ratio, Real, Upper};

use crate::amount;
use crate::model::compile::{CompileError, magnitude};
use crate::model::factor::{inverse, ratio};
use crate::terms::Level;

/// Units of the program in a unit of the notional, where a schedule has several tiers.
const COARSENESS: u128 = 10_000;

/// A schedule of tiers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// What `from` is counted in.
    #[serde(default)]
    pub size: Size,
    /// How the initial rates apply.
    #[serde(default)]
    pub initial_by: InitialBy,
    /// The tiers, from 0 upward.
    pub tiers: Vec<Tier>,
    /// The leverage that the holder has chosen, at least 1: no tier's initial rate is below its inverse. None: as much as a tier allows.
    #[serde(default, with = "amount::option", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub leverage: Option<Decimal>,
    /// Initial rates that grow with open interest: perpetuals, in a schedule of one tier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open_interest: Option<OpenInterest>,
    /// How many intervals of the snapshot's funding rate are provided for, by who would pay it: perpetuals.
    #[serde(default, with = "amount", skip_serializing_if = "Decimal::is_zero")]
    #[schemars(with = "String")]
    pub funding_intervals: Decimal,
    /// The part of the notional, long and short, that is provided for fees of closing.
    #[serde(default, with = "amount", skip_serializing_if = "Decimal::is_zero")]
    #[schemars(with = "String")]
    pub fee: Decimal,
}

/// A tier.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tier {
    /// Where it begins; the first at 0, each above the one before.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub from: Decimal,
    /// The initial rate; either this or `leverage`.
    #[serde(default, with = "amount::option", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub initial: Option<Decimal>,
    /// The largest leverage, the inverse of the initial rate; 1 to 1000.
    #[serde(default, with = "amount::option", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub leverage: Option<Decimal>,
    /// The maintenance rate, at most the initial one; half of that if it is not given.
    #[serde(default, with = "amount::option", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub maintenance: Option<Decimal>,
}

/// What sizes are counted in.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Size {
    /// USD.
    #[default]
    Usd,
    /// Coins of the underlying, at the snapshot's index.
    Coin,
}

/// How initial rates apply.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum InitialBy {
    /// The whole notional at the rate of its tier.
    #[default]
    Bracket,
    /// What is in each tier at the rate of that tier, as maintenance.
    Marginal,
}

/// How initial rates grow with open interest, in USD.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OpenInterest {
    /// Up to which they do not.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub lower: Decimal,
    /// From which they are 1; above `lower`.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub upper: Decimal,
    /// What it is taken to be where the snapshot does not say.
    #[serde(default, with = "amount::option", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub unknown: Option<Decimal>,
}

/// A tier with its exact rates.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
struct Step {
    from: Ratio,
    rate: Ratio,
}

fn less(a: Ratio, b: Ratio) -> Result<bool, NumberError> {
    Ok(a.checked_add(b.checked_neg()?)?.is_negative())
}

impl Tier {
    fn initial(&self) -> Result<Ratio, NumberError> {
        match (self.initial, self.leverage) {
            (Some(rate), _) => ratio(rate),
            (None, Some(leverage)) => inverse(leverage),
            // Checked: there is one.
            (None, None) => Ok(Ratio::ONE),
        }
    }

    fn maintenance(&self) -> Result<Ratio, NumberError> {
        match self.maintenance {
            Some(rate) => ratio(rate),
            None => self.initial()?.checked_mul(Ratio::new(1, 2)?),
        }
    }
}

impl Schedule {
    /// The tiers of a level by their rate, those of equal rates taken together. `from` in USD.
    fn steps(&self, level: Level, index: Decimal, open_interest: Option<Decimal>) -> Result<Vec<Step>, NumberError> {
        let mut steps: Vec<Step> = Vec::with_capacity(self.tiers.len());
        for tier in &self.tiers {
            let rate = match level {
                Level::Maintenance => tier.maintenance()?,
                Level::Initial => self.with_open_interest(self.with_leverage(tier.initial()?)?, open_interest)?,
            };
            let from = match self.size {
                Size::Usd => ratio(tier.from)?,
                Size::Coin => ratio(tier.from)?.checked_mul(ratio(index)?)?,
            };
            if steps.last().is_none_or(|last| last.rate != rate) {
                steps.push(Step { from, rate });
            }
        }
        Ok(steps)
    }

    fn with_leverage(&self, rate: Ratio) -> Result<Ratio, NumberError> {
        match self.leverage {
            Some(leverage) => {
                let chosen = inverse(leverage)?;
                Ok(if less(rate, chosen)? { chosen } else { rate })
            }
            None => Ok(rate),
        }
    }

    fn with_open_interest(&self, rate: Ratio, open_interest: Option<Decimal>) -> Result<Ratio, NumberError> {
        let Some(OpenInterest { lower, upper, unknown }) = self.open_interest else {
            return Ok(rate);
        };
        let open_interest = open_interest.or(unknown).unwrap_or(upper);
        if open_interest <= lower {
            return Ok(rate);
        }
        if open_interest >= upper {
            return Ok(Ratio::ONE);
        }
        let minus = |a: Decimal, b: Decimal| ratio(a)?.checked_add(ratio(b)?.checked_neg()?);
        let (above, width) = (minus(open_interest, lower)?, minus(upper, lower)?);
        let width = Ratio::new(
            i128::try_from(width.denominator()).map_err(|_| NumberError::Overflow)?,
            width.numerator().unsigned_abs(),
        )?;
        let rest = Ratio::ONE.checked_add(rate.checked_neg()?)?;
        rate.checked_add(rest.checked_mul(above.checked_mul(width)?)?)
    }

    /// At least what a position needs of this size.
    pub(crate) fn add_margin(
        &self,
        builder: &mut Builder,
        name: &str,
        notional: Notional,
        market: &Market<'_>,
        linear: &mut Linear,
        parts: &mut Vec<Upper>,
    ) -> Result<(), CompileError> {
        let steps = self.steps(market.level, market.index, market.open_interest)?;
        if let [only] = steps.as_slice() {
            match notional {
                _ if only.rate == Ratio::ZERO => {}
                Notional::Net(net) => parts.push(magnitude(builder, name, net.scale(only.rate), linear)?),
                Notional::Gross(gross) => *linear += gross.scale(only.rate),
            }
            return Ok(());
        }
        // All rows of a position are multiplied by the common denominator of its rates, so that none rounds.
        let denominator = denominator(&steps)?;
        let notional = match notional {
            Notional::Net(net) => builder.absolute(&format!("notional of {name}"), &net)?,
            Notional::Gross(gross) => builder.upper(&gross)?,
        };
        let notional = builder.rescale(&format!("notional of {name}"), notional, positive(1, COARSENESS)?)?;
        let coarse = Ratio::new(1, COARSENESS)?;
        let constant = |usd: Ratio| (market.units)(usd.checked_mul(whole_ratio(denominator)?.checked_mul(coarse)?)?);
        let by = |rate: Ratio| factor(rate.checked_mul(whole_ratio(denominator)?)?);
        let is_bracket = market.level == Level::Initial && self.initial_by == InitialBy::Bracket;
        let mut items = Vec::with_capacity(steps.len());
        let (mut before, mut deduction) = (Ratio::ZERO, Ratio::ZERO);
        for step in &steps {
            let at_rate = builder.scale(notional.clone(), by(step.rate)?)?;
            let rise = step.rate.checked_add(before.checked_neg()?)?;
            if !is_bracket {
                deduction = deduction.checked_add(step.from.checked_mul(rise)?)?;
                let deducted = builder.lower(&Linear::constant(constant(deduction)?))?;
                items.push(at_rate - deducted);
            } else if step.from == Ratio::ZERO {
                items.push(at_rate);
            } else {
                let steep = whole_ratio(steepness(rise, step.rate)?)?;
                let over = steep.checked_add(step.rate.checked_neg()?)?;
                let start = builder.lower(&Linear::constant(constant(step.from.checked_mul(over)?)?))?;
                let below = builder.scale(notional.clone(), by(steep)?)? - start;
                items.push(builder.any_of_upper(&format!("tier of {name}"), at_rate, below)?);
            }
            before = step.rate;
        }
        let multiple = builder.max_non_negative(&format!("tiers of {name}"), items)?;
        let whole = positive(COARSENESS, denominator)?;
        parts.push(builder.rescale(&format!("margin of {name}"), multiple, whole)?);
        Ok(())
    }

    /// Adds what is provided for fees and funding of an instrument, `notional` a lot.
    pub(crate) fn add_provisions(
        &self,
        [long, short]: [zkmargin_program::LegId; 2],
        notional: Real,
        funding: Decimal,
        linear: &mut Linear,
    ) -> Result<(), CompileError> {
        if !self.fee.is_zero() {
            let fee = notional.checked_mul(ratio(self.fee)?)?;
            linear.add_leg(long, fee);
            linear.add_leg(short, fee);
        }
        let due = ratio(funding.abs())?.checked_mul(ratio(self.funding_intervals)?)?;
        if due != Ratio::ZERO {
            let payer = if funding.is_sign_negative() { short } else { long };
            linear.add_leg(payer, notional.checked_mul(due)?);
        }
        Ok(())
    }
}

/// The size of a position, in units.
pub(crate) enum Notional {
    /// The magnitude of this: long less short.
    Net(Linear),
    /// This: long and short, never below 0.
    Gross(Linear),
}

/// What a schedule applies to.
pub(crate) struct Market<'m> {
    pub(crate) level: Level,
    pub(crate) index: Decimal,
    pub(crate) open_interest: Option<Decimal>,
    /// Units of the numéraire in an amount of USD.
    pub(crate) units: &'m dyn Fn(Ratio) -> Result<Real, CompileError>,
}

/// `K_n`: at least the rate, and so steep that the line falls by the rise within a thousandth.
fn steepness(rise: Ratio, rate: Ratio) -> Result<u128, NumberError> {
    let ceiling = |ratio: Ratio| ratio.numerator().unsigned_abs().div_ceil(ratio.denominator());
    let thousandfold = rise.checked_mul(Ratio::from(1_000))?;
    Ok(ceiling(thousandfold) + ceiling(rate))
}

fn denominator(steps: &[Step]) -> Result<u128, NumberError> {
    let mut common = 1_u128;
    for step in steps {
        let own = step.rate.denominator();
        let divisor = num_integer::gcd(common, own);
        common = (common / divisor).checked_mul(own).ok_or(NumberError::Overflow)?;
        if common > u128::from(u64::MAX) {
            return Err(NumberError::Overflow);
        }
    }
    Ok(common)
}

fn whole_ratio(whole: u128) -> Result<Ratio, NumberError> {
    Ratio::new(i128::try_from(whole).map_err(|_| NumberError::Overflow)?, 1)
}

fn positive(numerator: u128, denominator: u128) -> Result<NonNegative, CompileError> {
    let numerator = i128::try_from(numerator).map_err(|_| NumberError::Overflow)?;
    factor(Ratio::new(numerator, denominator)?)
}

/// Rates are not negative.
fn factor(ratio: Ratio) -> Result<NonNegative, CompileError> {
    Ok(NonNegative::new(ratio)?)
}
