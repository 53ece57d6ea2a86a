//! From the rule to a program: everything but concentration and contagion is linear in what is held gross, and takes no row.

use std::collections::BTreeMap;

use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::{ToPrimitive, Zero};
use rust_decimal::Decimal;
use zkmargin_program::{Builder, LegId, Linear, NumberError, Ratio, Real, Upper};

use crate::amount::to_ratio;
use crate::instant::{DAY_MS, Instant};
use crate::market::{Quote, UnderlyingMarket};
use crate::model::addons::{AddOns, Bound, Closing, Concentration, Measure, table};
use crate::model::compile::CompileError;
use crate::model::factor::{Factor, ratio};
use crate::model::scan::{Facts, Move};
use crate::model::sheet::{Position, Sheet};
use crate::scenario::VolatilityShock;
use crate::universe::{Kind, Right};
use crate::valuation::{self, InstrumentGreeks};

impl AddOns {
    /// The charges on what counts, in units of the numéraire. `facts.whole` must be set.
    pub(crate) fn forms(&self, builder: &mut Builder, facts: &Facts<'_, '_>) -> Result<Upper, CompileError> {
        let mut linear = Linear::zero();
        let mut upper = builder.upper(&Linear::zero())?;
        for (name, positions) in &facts.sheet.positions {
            for position in positions {
                let greeks = valuation::greeks(facts.snapshot, position.instrument)?.map_err(|why| {
                    let what = format!("greeks of {}: {why}", position.instrument.name);
                    let model = facts.model.to_owned();
                    CompileError::Missing { model, what }
                })?;
                if let Some(rule) = &self.closing {
                    add_gross(&mut linear, position, half_spread(rule, position, &greeks)?);
                }
                if let Some(rule) = self.rebalancing.get(*name) {
                    let index = ratio(position.market.index)?;
                    let rate = ratio(rule.rate)?.checked_mul(Ratio::new(1, 2)?)?;
                    let size = ratio(rule.size)?;
                    let usd = position.usd_per_lot.times(index)?.times(index)?;
                    let usd = usd.times(rate)?.times(size.checked_mul(size)?)?;
                    add_gross(&mut linear, position, usd.enclose(greeks.gamma.abs())?);
                }
            }
        }
        if let Some(rule) = &self.concentration {
            upper = upper + concentration(rule, builder, facts, &mut linear)?;
        }
        for (name, rule) in &self.contagion {
            let Some(market) = facts.snapshot.underlyings.get(name) else {
                continue;
            };
            let second = table::second_move(market, rule);
            let (first, both) = (ratio(rule.first)?, ratio(rule.first + second)?);
            let by = [first.checked_neg()?, both.checked_neg()?, first, both];
            let moves = table::shocks(rule, second).into_iter().zip(by).map(|(shock, by)| Move {
                shock,
                by,
                weight: Ratio::ONE,
            });
            if let Some(scan) = facts.scan(name, &VolatilityShock::STILL, moves.collect())? {
                let mut losses = Vec::new();
                for (first, both) in [(0, 1), (2, 3)] {
                    let loss = scan.profit(first, Ratio::ONE)? - scan.profit(both, Ratio::ONE)?;
                    losses.push(builder.upper(&loss)?);
                }
                upper = upper + builder.max_non_negative(&format!("contagion of {name}"), losses)?;
            }
        }
        Ok(upper + builder.upper(&linear)?)
    }
}

fn add_gross(form: &mut Linear, position: &Position<'_>, units: Real) {
    form.add_leg(position.instrument.long, units);
    form.add_leg(position.instrument.short, units);
}

/// What else the snapshot knows of an instrument.
fn quote_of<'a>(market: &'a UnderlyingMarket, kind: &Kind) -> Option<&'a Quote> {
    match kind {
        Kind::Perpetual => market.perpetual.as_ref().map(|one| &one.quote),
        Kind::Future { expiry } => market.futures.get(expiry).map(|one| &one.quote),
        Kind::Option { expiry, strike, right } => {
            let options = market.expiries.get(expiry)?.strikes.get(strike)?;
            match right {
                Right::Call => options.call.as_ref(),
                Right::Put => options.put.as_ref(),
            }
        }
        Kind::Sensitivity(_) => None,
    }
}

/// `factor · half_i` of a lot.
fn half_spread(rule: &Closing, position: &Position<'_>, greeks: &InstrumentGreeks) -> Result<Real, CompileError> {
    let (instrument, market) = (position.instrument, position.market);
    let factor = ratio(rule.factor)?;
    let index = ratio(market.index)?;
    let contract = ratio(instrument.contract)?;
    let recorded = quote_of(market, &instrument.kind).and_then(Quote::spread);
    Ok(match (&instrument.kind, recorded) {
        (Kind::Option { .. }, Some(spread)) => {
            let half = ratio(spread)?.checked_mul(Ratio::new(1, 2)?)?;
            let coins = position.per_lot.times(contract)?.times(half)?;
            coins.times(index)?.times(factor)?.real()?
        }
        (_, Some(spread)) => {
            let half = ratio(spread)?.checked_mul(Ratio::new(1, 2)?)?;
            let usd = position.usd_per_lot.times(half)?.times(factor)?;
            usd.enclose(greeks.delta.abs())?
        }
        (Kind::Option { .. }, None) => {
            let by_volatility = position.per_lot.times(ratio(rule.volatility)?)?.times(factor)?;
            let least = position.per_lot.times(index)?.times(contract)?;
            let least = least.times(ratio(rule.least)?)?.times(factor)?.real()?;
            by_volatility.enclose(greeks.vega.abs())?.checked_add(least)?
        }
        (_, None) => {
            let usd = position.usd_per_lot.times(index)?.times(ratio(rule.future)?)?;
            usd.times(factor)?.enclose(greeks.delta.abs())?
        }
    })
}

/// What is closed together.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Bucket<'a> {
    Asset(&'a str),
    Perpetuals(&'a str),
    Futures(&'a str, Instant),
    /// Place among the bounds of time, and of moneyness.
    Options(&'a str, usize, usize),
}

/// How many bounds a figure exceeds.
fn place(bounds: &[Bound], exceeds: impl Fn(Decimal) -> bool) -> usize {
    bounds.iter().filter(|Bound(bound)| exceeds(*bound)).count()
}

fn options<'a>(rule: &Concentration, name: &'a str, time: u64, strike: Decimal, forward: Decimal) -> Bucket<'a> {
    let day = BigRational::from_integer(DAY_MS.into());
    let time = BigRational::from_integer(time.into()) / day;
    let days = place(&rule.days, |bound| time > to_ratio(bound));
    let (strike, forward) = (to_ratio(strike), to_ratio(forward));
    let moneyness = place(&rule.moneyness, |bound| strike > to_ratio(bound) * &forward);
    Bucket::Options(name, days, moneyness)
}

fn bucket_of<'a>(rule: &Concentration, name: &'a str, position: &Position<'_>, now: Instant) -> Bucket<'a> {
    match &position.instrument.kind {
        // A sensitivity is on no market, and so is no position of a sheet.
        Kind::Perpetual | Kind::Sensitivity(_) => Bucket::Perpetuals(name),
        Kind::Future { expiry } => Bucket::Futures(name, *expiry),
        Kind::Option { expiry, strike, .. } => {
            // What counts has a chain.
            let chain = position.market.expiries.get(expiry);
            let forward = chain.map_or(Decimal::ONE, |chain| chain.forward);
            options(rule, name, expiry.millis_since(now), *strike, forward)
        }
    }
}

/// `M_b` of every bucket of the snapshot, in whole USD; a bucket that is not there has the least.
fn depths<'a>(rule: &Concentration, facts: &Facts<'_, 'a>) -> BTreeMap<Bucket<'a>, BigRational> {
    let mut sums: BTreeMap<Bucket<'a>, BigRational> = BTreeMap::new();
    let now = facts.snapshot.instant;
    for (name, market) in &facts.snapshot.underlyings {
        let index = to_ratio(market.index);
        let of = |quote: &Quote, per_interest: &BigRational| {
            let volume = quote.volume.filter(|_| rule.measure == Measure::Volume);
            match (volume, quote.open_interest) {
                (Some(coins), _) => to_ratio(coins) * &index,
                (None, Some(interest)) => to_ratio(interest) * per_interest,
                (None, None) => BigRational::zero(),
            }
        };
        let mut add = |bucket, usd| *sums.entry(bucket).or_insert_with(BigRational::zero) += usd;
        let one = BigRational::from_integer(BigInt::from(1));
        if let Some(perpetual) = &market.perpetual {
            add(Bucket::Perpetuals(name), of(&perpetual.quote, &one));
        }
        for (expiry, future) in &market.futures {
            add(Bucket::Futures(name, *expiry), of(&future.quote, &one));
        }
        for (expiry, chain) in &market.expiries {
            for (strike, quotes) in &chain.strikes {
                let bucket = options(rule, name, expiry.millis_since(now), *strike, chain.forward);
                let quotes = [&quotes.call, &quotes.put].into_iter().flatten();
                add(bucket, quotes.map(|quote| of(quote, &index)).sum());
            }
        }
    }
    sums
}

/// Adds what is linear of the charges to `linear`, and returns the rest.
fn concentration(
    rule: &Concentration,
    builder: &mut Builder,
    facts: &Facts<'_, '_>,
    linear: &mut Linear,
) -> Result<Upper, CompileError> {
    let sheet = facts.sheet;
    // Legs of each bucket, and what a lot is worth.
    let mut held: BTreeMap<Bucket<'_>, Vec<(LegId, Factor, f64)>> = BTreeMap::new();
    for (name, positions) in &sheet.positions {
        for position in positions {
            let instrument = position.instrument;
            let usd = position.usd_per_lot.times(ratio(position.market.index)?)?;
            let (factor, coins) = match instrument.kind {
                Kind::Option { .. } => (usd.times(ratio(instrument.contract)?)?, 1.0),
                Kind::Future { .. } | Kind::Perpetual | Kind::Sensitivity(_) => {
                    let greeks = valuation::greeks(facts.snapshot, instrument)?;
                    let missing = |why| CompileError::Missing {
                        model: facts.model.to_owned(),
                        what: format!("delta of {}: {why}", instrument.name),
                    };
                    (usd, greeks.map_err(missing)?.delta.abs())
                }
            };
            let bucket = bucket_of(rule, name, position, facts.snapshot.instant);
            let legs = held.entry(bucket).or_default();
            legs.extend([(instrument.long, factor, coins), (instrument.short, factor, coins)]);
        }
    }
    for (name, asset) in sheet.assets.iter().filter(|(name, _)| rule.assets.contains_key(**name)) {
        for line in &asset.holding.lines {
            let factor = asset.per_coin.times(ratio(line.lot)?)?;
            let legs = held.entry(Bucket::Asset(name)).or_default();
            legs.extend([(line.balance, factor, 1.0), (line.debt, factor, 1.0)]);
        }
    }
    let depths = depths(rule, facts);
    let mut upper = builder.upper(&Linear::zero())?;
    for (bucket, legs) in held {
        let depth = match bucket {
            Bucket::Asset(name) => rule.assets.get(name).copied().unwrap_or_default(),
            _ => {
                let known = depths.get(&bucket).map(|usd| usd.to_integer());
                whole_usd(known)?.max(rule.least_depth)
            }
        };
        let notional = |rate: Ratio| -> Result<Linear, CompileError> {
            let mut form = Linear::zero();
            for (leg, factor, coins) in &legs {
                form.add_leg(*leg, factor.times(rate)?.enclose(*coins)?);
            }
            Ok(form)
        };
        upper = upper + charge(rule, builder, sheet, &notional, depth, linear)?;
    }
    Ok(upper)
}

/// The affine pieces of a charge: its slope from `above` on is `rate`. One that starts at 0 is linear, and the others stand on it.
fn charge(
    rule: &Concentration,
    builder: &mut Builder,
    sheet: &Sheet<'_>,
    notional: &dyn Fn(Ratio) -> Result<Linear, CompileError>,
    depth: Decimal,
    linear: &mut Linear,
) -> Result<Upper, CompileError> {
    let (mut offset, mut rate) = (Ratio::ZERO, Ratio::ZERO);
    let mut base = Ratio::ZERO;
    let mut pieces = Vec::new();
    let depth = ratio(depth)?;
    for (number, step) in rule.tiers.iter().enumerate() {
        let above = ratio(step.above)?.checked_mul(depth)?;
        let rise = ratio(step.rate)?.checked_add(rate.checked_neg()?)?;
        rate = ratio(step.rate)?;
        offset = offset.checked_add(rise.checked_mul(above)?)?;
        if number == 0 && above == Ratio::ZERO {
            base = rate;
            *linear += notional(rate)?;
            continue;
        }
        let slope = rate.checked_add(base.checked_neg()?)?;
        let mut piece = notional(slope)?;
        piece.add_constant(sheet.units_per_usd.times(offset)?.real()?.checked_neg()?);
        pieces.push(builder.upper(&piece)?);
    }
    Ok(builder.max_non_negative("concentration", pieces)?)
}

/// Whole dollars as a decimal, 0 if there are none.
fn whole_usd(usd: Option<BigInt>) -> Result<Decimal, NumberError> {
    let usd = usd.map_or(Some(0), |usd| usd.to_i64());
    Ok(Decimal::from(usd.ok_or(NumberError::Overflow)?))
}
