//! The rule of [`crate::model::span::parameters`], step by step in its own symbols.

use std::collections::BTreeMap;

use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::{One, Signed, Zero};
use rust_decimal::Decimal;

use crate::amount::to_ratio;
use crate::instant::{DAY_MS, Instant};
use crate::model::Span;
use crate::model::span::parameters::{Credit, Parameters, UnderlyingParameters};
use crate::model::span::table;
use crate::oracle::book::Book;
use crate::oracle::scan::{Holdings, holdings, moving};
use crate::oracle::{Cell, Component, Evaluation, OracleError, Picture, larger, positive_part, smaller, whole};
use crate::scenario::VolatilityMove;

/// What a SPAN-style model makes of a book.
///
/// # Errors
/// [`OracleError`].
pub(super) fn evaluate(book: Book<'_>, rules: &Span) -> Result<Evaluation, OracleError> {
    let parameters = rules.parameters();
    let collateral = book.collateral(&parameters.assets);
    let names = parameters
        .underlyings
        .iter()
        .map(|(name, rules)| (name.as_str(), rules.volatility, table::shocks(rules)));
    let desks = holdings(&book, names)?;
    let (mut options, mut futures) = (BigRational::zero(), BigRational::zero());
    let mut cells = Vec::new();
    let mut risks = BTreeMap::new();
    for (name, desk) in &desks {
        let Some(rules) = parameters.underlyings.get(*name) else {
            continue;
        };
        let [of_options, of_futures] = desk.marks()?;
        options += of_options;
        futures += of_futures;
        let coins = moving(&book, &collateral, name, parameters.collateral_in_scenarios);
        let mut scanning = BigRational::zero();
        for (row, (by, weight)) in rows(rules).into_iter().enumerate() {
            let profit = weight * (desk.gain(row)? + by * &coins);
            scanning = larger(scanning, -profit.clone());
            cells.push(cell(name, rules, row, profit));
        }
        let now = book.coverage.snapshot.instant;
        let risk = Risk {
            scanning,
            spread: spread(rules, desk, now)?,
            delivery: delivery(rules, desk, now)?,
            minimum: minimum(rules, desk),
        };
        risks.insert(*name, risk);
    }
    let matched = credits(parameters, &book, &desks)?;
    let mut components = Vec::new();
    for (name, risk) in &risks {
        components.extend(risk.components(parameters, name, matched.get(name)));
    }
    Ok(Evaluation::of(
        &parameters.numeraire,
        [options, futures],
        collateral,
        components,
        Picture::Grid(cells),
    ))
}

/// The move and the weight of each row.
fn rows(rules: &UnderlyingParameters) -> Vec<(BigRational, BigRational)> {
    let range = to_ratio(rules.price_scan_range);
    let third = |n: i64| BigRational::new(n.into(), 3.into()) * &range;
    let mut rows = Vec::new();
    for n in [0, 1, -1, 2, -2, 3, -3] {
        rows.push((third(n), BigRational::one()));
        rows.push((third(n), BigRational::one()));
    }
    let extreme = &range * to_ratio(rules.extreme.multiple);
    rows.push((extreme.clone(), to_ratio(rules.extreme.coverage)));
    rows.push((-extreme, to_ratio(rules.extreme.coverage)));
    rows
}

/// A row as a picture shows it: its move to the nearest decimal.
fn cell(name: &str, rules: &UnderlyingParameters, row: usize, profit: BigRational) -> Cell {
    let shock = table::shocks(rules).get(row).copied();
    let factor = shock.map_or(1.0, |shock| shock.factor());
    let (volatility, weight) = match shock.map(|shock| shock.volatility()) {
        Some(VolatilityMove::Up) => ("up", Decimal::ONE),
        Some(VolatilityMove::Down) => ("down", Decimal::ONE),
        Some(VolatilityMove::None) | None => ("extreme", rules.extreme.coverage),
    };
    Cell {
        underlying: name.to_owned(),
        price_move: Decimal::try_from(factor - 1.0)
            .unwrap_or_default()
            .round_dp(6)
            .normalize(),
        volatility: volatility.to_owned(),
        weight,
        profit,
    }
}

/// `Δ_{u,e}` of each month, in their order, the perpetuals first.
fn months(desk: &Holdings<'_>) -> Result<BTreeMap<Option<Instant>, BigRational>, OracleError> {
    let mut months = BTreeMap::new();
    for line in &desk.lines {
        months.insert(line.held.instrument.kind.expiry(), BigRational::zero());
    }
    for (month, delta) in &mut months {
        let lines = desk.lines.iter();
        *delta = desk.delta(lines.filter(|line| line.held.instrument.kind.expiry() == *month))?;
    }
    Ok(months)
}

/// Whether a month is at most so many days away.
fn is_near(month: Option<Instant>, now: Instant, days: Decimal) -> bool {
    let time = whole(month.map_or(0, |expiry| expiry.millis_since(now)));
    time / whole(DAY_MS) <= to_ratio(days)
}

/// What is on both sides of some amounts.
fn both_sides<'d>(amounts: impl IntoIterator<Item = &'d BigRational>) -> BigRational {
    let (mut long, mut short) = (BigRational::zero(), BigRational::zero());
    for amount in amounts {
        long += positive_part(amount.clone());
        short += positive_part(-amount.clone());
    }
    smaller(long, short)
}

/// `spread_u`.
fn spread(rules: &UnderlyingParameters, desk: &Holdings<'_>, now: Instant) -> Result<BigRational, OracleError> {
    let months = months(desk)?;
    let tier_of = |month: Option<Instant>| {
        let holds = |until: Option<Decimal>| until.is_none_or(|days| is_near(month, now, days));
        rules.tiers.iter().position(|tier| holds(tier.until_days))
    };
    let mut charge = BigRational::zero();
    let mut nets = Vec::new();
    for (number, tier) in rules.tiers.iter().enumerate() {
        let deltas: Vec<&BigRational> = months
            .iter()
            .filter(|(month, _)| tier_of(**month) == Some(number))
            .map(|(_, delta)| delta)
            .collect();
        charge += to_ratio(tier.rate) * both_sides(deltas.iter().copied());
        nets.push(deltas.into_iter().fold(BigRational::zero(), |sum, delta| sum + delta));
    }
    Ok(charge + to_ratio(rules.between_tiers) * both_sides(&nets))
}

/// `delivery_u`.
fn delivery(rules: &UnderlyingParameters, desk: &Holdings<'_>, now: Instant) -> Result<BigRational, OracleError> {
    let Some(rule) = rules.delivery else {
        return Ok(BigRational::zero());
    };
    let mut near = BigRational::zero();
    for (month, delta) in months(desk)? {
        if month.is_some() && is_near(month, now, rule.days) {
            near += delta.abs();
        }
    }
    Ok(to_ratio(rule.rate) * near)
}

/// `minimum_u`.
fn minimum(rules: &UnderlyingParameters, desk: &Holdings<'_>) -> BigRational {
    let mut coins = BigRational::zero();
    for line in desk.lines.iter().filter(|line| line.is_option()) {
        let instrument = line.held.instrument;
        let short = BigRational::from_integer(line.held.short.clone());
        coins += to_ratio(instrument.contract) * to_ratio(instrument.lot) * short;
    }
    &desk.index * to_ratio(rules.short_option_minimum) * coins
}

/// `Σ rate ψ m` of each underlying, and `ρ`.
fn credits<'m>(
    parameters: &'m Parameters,
    book: &Book<'_>,
    desks: &BTreeMap<&'m str, Holdings<'_>>,
) -> Result<BTreeMap<&'m str, (BigRational, BigRational)>, OracleError> {
    let mut credits: BTreeMap<&str, (BigRational, BigRational)> = BTreeMap::new();
    if parameters.credit == Credit::None {
        return Ok(credits);
    }
    // A coin that moves with an underlying is counted in units of 1e-14, a dollar in units of 1e-10.
    let own = parameters.assets.get(&parameters.numeraire);
    let decimals = if own.is_some_and(|asset| asset.underlying.is_some()) {
        14
    } else {
        10
    };
    let mut left: BTreeMap<&str, BigInt> = BTreeMap::new();
    for (name, desk) in desks {
        let mut notional = BigInt::zero();
        for line in &desk.lines {
            let (instrument, price) = (line.held.instrument, &book.numeraire_price);
            let one = table::delta_notional(line.values.delta, instrument, desk.market, price, decimals);
            let one = one.ok_or_else(|| OracleError::NoValue {
                instrument: instrument.name.clone(),
            })?;
            notional += BigInt::from(one) * line.held.net();
        }
        left.insert(name, notional);
    }
    let unit = BigRational::new(BigInt::one(), BigInt::from(10).pow(decimals));
    for spread in &parameters.spreads {
        let [first, second] = spread.legs.each_ref().map(String::as_str);
        let of = |name: &str| left.get(name).cloned().unwrap_or_default();
        let (x, y) = (of(first), of(second));
        // The sides are opposite, and the smaller of the two is taken from both.
        let taken = if (&x * &y).is_negative() {
            std::cmp::min(x.abs(), y.abs())
        } else {
            BigInt::zero()
        };
        for (name, has) in [(first, x), (second, y)] {
            left.insert(name, &has - has.signum() * &taken);
            let Some(rules) = parameters.underlyings.get(name) else {
                continue;
            };
            let rate = to_ratio(spread.rate);
            let amount = &rate * to_ratio(rules.price_scan_range) * BigRational::from_integer(taken.clone()) * &unit;
            let zero = BigRational::zero;
            let (sum, most) = credits.entry(name).or_insert_with(|| (zero(), zero()));
            *sum += amount;
            *most = larger(most.clone(), rate);
        }
    }
    Ok(credits)
}

/// What is charged on an underlying, without the factor of a level.
struct Risk {
    scanning: BigRational,
    spread: BigRational,
    delivery: BigRational,
    minimum: BigRational,
}

impl Risk {
    /// `risk_u`, by SPAN's terms.
    fn components(
        &self,
        parameters: &Parameters,
        name: &str,
        given: Option<&(BigRational, BigRational)>,
    ) -> Vec<Component> {
        let credit = given.map_or_else(BigRational::zero, |(sum, most)| {
            smaller(sum.clone(), most * &self.scanning)
        });
        let charged = &self.scanning - &credit + &self.spread + &self.delivery;
        let lacking = positive_part(&self.minimum - charged);
        let (initial, maintenance) = (parameters.levels.initial, parameters.levels.maintenance);
        let parts = [
            ("scanning risk", self.scanning.clone()),
            ("intermonth spread charge", self.spread.clone()),
            ("delivery charge", self.delivery.clone()),
            ("inter-commodity credit", -credit),
            ("up to the short option minimum", lacking),
        ];
        let parts = parts
            .into_iter()
            .filter(|(term, amount)| *term == "scanning risk" || !amount.is_zero());
        parts
            .map(|(term, amount)| {
                Component::new(term, name, to_ratio(initial) * &amount, to_ratio(maintenance) * amount)
            })
            .collect()
    }
}
