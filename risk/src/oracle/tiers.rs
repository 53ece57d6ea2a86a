//! The rule of [`crate::model::tiers`], in its own symbols.

use num_rational::BigRational;
use num_traits::{One, Zero};
use rust_decimal::Decimal;

use crate::amount::to_ratio;
use crate::model::tiers::{InitialBy, Schedule, Size, Tier};
use crate::oracle::{larger, positive_part, smaller};
use crate::terms::Level;

/// What a notional needs; `notional` in the numéraire, of which a USD is `per_usd`.
pub(super) fn margin(
    schedule: &Schedule,
    level: Level,
    notional: &BigRational,
    per_usd: &BigRational,
    index: Decimal,
    open_interest: Option<Decimal>,
) -> BigRational {
    let unit = match schedule.size {
        Size::Usd => per_usd.clone(),
        Size::Coin => per_usd * to_ratio(index),
    };
    let from: Vec<BigRational> = schedule.tiers.iter().map(|tier| to_ratio(tier.from) * &unit).collect();
    let rates: Vec<BigRational> = schedule
        .tiers
        .iter()
        .map(|tier| match level {
            Level::Initial => initial_rate(schedule, tier, open_interest),
            Level::Maintenance => tier
                .maintenance
                .map_or_else(|| own_rate(tier) / BigRational::from_integer(2.into()), to_ratio),
        })
        .collect();
    let by_bracket = level == Level::Initial && schedule.initial_by == InitialBy::Bracket;
    let mut sum = BigRational::zero();
    for (at, (from, rate)) in from.iter().zip(&rates).enumerate() {
        if by_bracket {
            if at == 0 || from < notional {
                sum = rate * notional;
            }
        } else {
            let up_to = self::at(&schedule.tiers, at + 1).map(|tier| to_ratio(tier.from) * &unit);
            let end = up_to.map_or_else(|| notional.clone(), |end| smaller(notional.clone(), end));
            sum += rate * positive_part(end - from);
        }
    }
    sum
}

fn at(tiers: &[Tier], index: usize) -> Option<&Tier> {
    tiers.get(index)
}

/// The initial rate of a tier by itself.
fn own_rate(tier: &Tier) -> BigRational {
    match (tier.initial, tier.leverage) {
        (Some(rate), _) => to_ratio(rate),
        (None, Some(leverage)) => to_ratio(leverage).recip(),
        (None, None) => BigRational::one(),
    }
}

fn initial_rate(schedule: &Schedule, tier: &Tier, open_interest: Option<Decimal>) -> BigRational {
    let mut rate = own_rate(tier);
    if let Some(leverage) = schedule.leverage {
        rate = larger(rate, to_ratio(leverage).recip());
    }
    if let Some(bounds) = &schedule.open_interest {
        let open_interest = to_ratio(open_interest.or(bounds.unknown).unwrap_or(bounds.upper));
        let [lower, upper] = [bounds.lower, bounds.upper].map(to_ratio);
        let part = (open_interest - &lower) / (upper - lower);
        let clamped = smaller(positive_part(part), BigRational::one());
        rate = smaller(BigRational::one(), &rate + (BigRational::one() - &rate) * clamped);
    }
    rate
}
