//! The rule of [`crate::model::okx_pm::parameters`], step by step in its own symbols.

use std::collections::BTreeMap;

use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::{One, Signed, Zero};
use rust_decimal::Decimal;

use crate::amount::{to_f64, to_ratio};
use crate::instant::{DAY_MS, Instant};
use crate::model::OkxPm;
use crate::model::okx_pm::parameters::{Buckets, Depeg, Kind, Minimum, Parameters, UnderlyingParameters};
use crate::model::stress::figures::{Figures, Stresses, is_option};
use crate::oracle::book::{Book, Held};
use crate::oracle::exact::ExactSum;
use crate::oracle::{
    Cell, Collateral, Component, Evaluation, OracleError, Picture, larger, positive_part, progressive, smaller,
};
use crate::scenario::{Shock, VolatilityMove, days, years};
use crate::universe::Style;
use crate::valuation::roll_rate;

/// What a model of OKX portfolio margin makes of a book; see [`evaluate`](crate::oracle::evaluate).
///
/// # Errors
/// [`OracleError`].
pub(super) fn evaluate(book: &Book<'_>, rules: &OkxPm) -> Result<Evaluation, OracleError> {
    let parameters = rules.parameters();
    let collateral = book.collateral(&parameters.assets);
    let factor = to_ratio(parameters.initial_factor);
    let (mut options, mut futures) = (BigRational::zero(), BigRational::zero());
    let mut settled: BTreeMap<&str, BigRational> = BTreeMap::new();
    let (mut components, mut cells) = (Vec::new(), Vec::new());
    for (name, rules) in &parameters.underlyings {
        let unit = Unit::new(book, name, rules, parameters)?;
        for one in &unit.held {
            let mark = one.held.worth(one.figures.mark, &one.held.net())?;
            *settled.entry(&one.held.instrument.settlement).or_default() += &mark;
            *(if is_option(one.held.instrument) {
                &mut options
            } else {
                &mut futures
            }) += mark;
        }
        for (term, amount) in unit.maintenance(&collateral, parameters.depeg.as_ref(), &mut cells)? {
            if !amount.is_zero() {
                let term = term_of(parameters.model, term);
                components.push(Component::new(term, name.clone(), &factor * &amount, amount));
            }
        }
    }
    // MR8: an asset that is owed, profit and loss that settle in it among what is held.
    for (name, rates) in &parameters.borrow {
        if book.coverage.asset(name).is_err() {
            continue;
        }
        let line = collateral
            .iter()
            .find(|line| line.asset == *name && line.uncounted.is_none());
        let held = line.map_or_else(BigRational::zero, |line| line.market_value.clone());
        let equity = held + settled.get(name.as_str()).cloned().unwrap_or_default();
        let owed = positive_part(-equity);
        if !owed.is_zero() {
            let (initial, maintenance) = (to_ratio(rates.initial), to_ratio(rates.maintenance));
            components.push(Component::new(
                "MR8",
                name.clone(),
                initial * &owed,
                maintenance * &owed,
            ));
        }
    }
    Ok(Evaluation::of(
        &parameters.numeraire,
        [options, futures],
        collateral,
        components,
        Picture::Grid(cells),
    ))
}

/// Something held, with its figures.
struct Priced<'a> {
    held: Held<'a>,
    figures: Figures,
}

/// A risk unit.
struct Unit<'a> {
    name: &'a str,
    book: &'a Book<'a>,
    rules: &'a UnderlyingParameters,
    model: &'a Parameters,
    held: Vec<Priced<'a>>,
    /// `I_u` in USD.
    index: Decimal,
}

impl<'a> Unit<'a> {
    fn new(
        book: &'a Book<'a>,
        name: &'a str,
        rules: &'a UnderlyingParameters,
        model: &'a Parameters,
    ) -> Result<Unit<'a>, OracleError> {
        let snapshot = book.coverage.snapshot;
        let rows: Vec<Shock> = rules
            .rows()
            .iter()
            .map(|(x, direction)| Shock::new(to_f64(Decimal::ONE + x), *direction))
            .collect();
        let stresses = Stresses {
            rows: &rows,
            shift: &rules.volatility,
            decay_ms: DAY_MS,
        };
        let mut held = Vec::new();
        for one in book.held()? {
            if one.instrument.underlying != name {
                continue;
            }
            let figures = Figures::new(snapshot, one.instrument, &stresses).map_err(|source| OracleError::Pricing {
                underlying: name.to_owned(),
                source,
            })?;
            let figures = figures.ok_or_else(|| OracleError::NoValue {
                instrument: one.instrument.name.clone(),
            })?;
            held.push(Priced { held: one, figures });
        }
        let index = snapshot
            .underlyings
            .get(name)
            .map_or(Decimal::ZERO, |market| market.index);
        Ok(Unit {
            name,
            book,
            rules,
            model,
            held,
            index,
        })
    }

    /// What `MMR_u` is the sum of, by term.
    fn maintenance(
        &self,
        collateral: &[Collateral],
        depeg: Option<&Depeg>,
        cells: &mut Vec<Cell>,
    ) -> Result<Vec<(&'static str, BigRational)>, OracleError> {
        let (mut stress, mut extreme) = (BigRational::zero(), BigRational::zero());
        let moving = self.moving(collateral);
        for (row, (x, direction)) in self.rules.rows().into_iter().enumerate() {
            let value = |figures: &Figures| figures.rows.get(row).copied().unwrap_or(f64::NAN);
            let profit = self.change(value)? + to_ratio(x) * &moving;
            let loss = -profit.clone();
            if row < self.rules.stress_rows() {
                stress = larger(stress, loss);
                cells.push(Cell {
                    underlying: self.name.to_owned(),
                    price_move: x,
                    volatility: match direction {
                        VolatilityMove::Up => "up",
                        VolatilityMove::None => "none",
                        VolatilityMove::Down => "down",
                    }
                    .to_owned(),
                    weight: Decimal::ONE,
                    profit,
                });
            } else if !self.rules.extreme_factor.is_zero() {
                cells.push(Cell {
                    underlying: self.name.to_owned(),
                    price_move: x,
                    volatility: "extreme move".to_owned(),
                    weight: self.rules.extreme_factor,
                    profit: to_ratio(self.rules.extreme_factor) * profit,
                });
                extreme = larger(extreme, to_ratio(self.rules.extreme_factor) * loss);
            }
        }
        let decay = if self.rules.decay {
            positive_part(-self.change(|figures| figures.decayed)?)
        } else {
            BigRational::zero()
        };
        let (mut term, mut worst) = ("MR1", stress);
        for (other, amount) in [("MR2", decay), ("MR6", extreme)] {
            if amount > worst {
                (term, worst) = (other, amount);
            }
        }
        let charge = |buckets: &Option<Buckets>, greek: fn(&Figures) -> f64| match buckets {
            Some(buckets) => self.bucketed(buckets, greek),
            None => Ok(BigRational::zero()),
        };
        let terms = vec![
            (term, worst),
            ("MR3", charge(&self.rules.vega_buckets, |figures| figures.vega)?),
            ("MR4", self.basis()?),
            ("MR5", charge(&self.rules.rho_buckets, |figures| figures.rho)?),
            ("CON", self.contingency()?),
            (
                "MR9",
                depeg.map_or_else(|| Ok(BigRational::zero()), |depeg| self.depeg(depeg))?,
            ),
        ];
        let sum = terms.iter().fold(BigRational::zero(), |sum, (_, amount)| sum + amount);
        let minimum = match &self.rules.minimum {
            Some(minimum) => self.minimum(minimum)?,
            None => BigRational::zero(),
        };
        Ok(if minimum > sum { vec![("MR7", minimum)] } else { terms })
    }

    /// `Σ (p_a / p_M) A_a`.
    fn moving(&self, collateral: &[Collateral]) -> BigRational {
        let mut total = BigRational::zero();
        for line in collateral.iter().filter(|line| line.uncounted.is_none()) {
            let rules = self.model.assets.get(&line.asset);
            if rules.and_then(|rules| rules.underlying.as_deref()) != Some(self.name) {
                continue;
            }
            let mut coins = line.carry.clone();
            if self.model.collateral_in_scenarios {
                coins += &line.balance - &line.debt - &line.reserve;
            }
            if let Some(price) = &line.price {
                total += price / &self.book.numeraire_price * coins;
            }
        }
        total
    }

    /// `Σ c (value - m) q`.
    fn change(&self, value: impl Fn(&Figures) -> f64) -> Result<BigRational, OracleError> {
        let mut total = BigRational::zero();
        for Priced { held, figures } in &self.held {
            let net = held.net();
            total += held.worth(value(figures), &net)? - held.worth(figures.mark, &net)?;
        }
        Ok(total)
    }

    /// `(I_u / p_M) coins` of this many lots.
    fn coins(&self, one: &Priced<'_>, coins: f64, lots: &BigInt) -> Result<BigRational, OracleError> {
        let mut sum = ExactSum::default();
        sum.add(coins, lots).ok_or_else(|| OracleError::NoValue {
            instrument: one.held.instrument.name.clone(),
        })?;
        Ok(&one.held.usd_per_lot * to_ratio(self.index) * sum.value())
    }

    fn basis(&self) -> Result<BigRational, OracleError> {
        let rates = self.rules.basis;
        let now = self.book.coverage.snapshot.instant;
        let mut expiries: BTreeMap<Option<Instant>, BigRational> = BTreeMap::new();
        for one in &self.held {
            let expiry = one.held.instrument.kind.expiry();
            let (annual, least) = (to_f64(rates.annual_move), to_f64(rates.least));
            let rate = expiry.map_or(least, |expiry| roll_rate(annual, least, years(now, expiry)));
            *expiries.entry(expiry).or_default() += self.coins(one, one.figures.delta * rate, &one.held.net())?;
        }
        Ok(expiries.values().fold(BigRational::zero(), |sum, net| sum + net.abs()))
    }

    fn bucketed(&self, buckets: &Buckets, greek: fn(&Figures) -> f64) -> Result<BigRational, OracleError> {
        let now = self.book.coverage.snapshot.instant;
        let mut expiries: BTreeMap<Instant, BigRational> = BTreeMap::new();
        for Priced { held, figures } in self.held.iter().filter(|one| is_option(one.held.instrument)) {
            if let Some(expiry) = held.instrument.kind.expiry() {
                *expiries.entry(expiry).or_default() += held.worth(greek(figures), &held.net())?;
            }
        }
        let mut total = BigRational::zero();
        let mut nets = Vec::new();
        let mut from = 0.0;
        for bucket in &buckets.buckets {
            let to = bucket.days.map_or(f64::INFINITY, to_f64);
            let is_in = |expiry: &Instant| {
                let days = days(now, *expiry);
                days > from && days <= to
            };
            let members: Vec<BigRational> = expiries
                .iter()
                .filter(|(expiry, _)| is_in(expiry))
                .map(|(_, amount)| amount.clone())
                .collect();
            total += to_ratio(bucket.within) * matched(&members);
            nets.push(
                members
                    .into_iter()
                    .fold(BigRational::zero(), |sum, amount| sum + amount),
            );
            from = to;
        }
        Ok(total + to_ratio(buckets.across) * matched(&nets))
    }

    fn contingency(&self) -> Result<BigRational, OracleError> {
        let Some(rates) = self.rules.contingency else {
            return Ok(BigRational::zero());
        };
        let mut total = BigRational::zero();
        for one in &self.held {
            let instrument = one.held.instrument;
            total += if is_option(instrument) {
                let coins = to_ratio(instrument.contract) * BigRational::from_integer(one.held.short.clone());
                to_ratio(rates.short_option) * &one.held.usd_per_lot * to_ratio(self.index) * coins
            } else {
                to_ratio(rates.future) * self.coins(one, one.figures.delta.abs(), &one.held.gross())?
            };
        }
        Ok(total)
    }

    fn minimum(&self, minimum: &Minimum) -> Result<BigRational, OracleError> {
        let index = to_f64(self.index);
        let mut raw = BigRational::zero();
        for Priced { held, figures } in &self.held {
            if is_option(held.instrument) {
                let contract = to_f64(held.instrument.contract);
                let (long, short) = minimum.of_option(index, contract, figures.delta, figures.mark);
                raw += held.worth(long, &held.long)? + held.worth(short, &held.short)?;
            } else {
                let mut sum = ExactSum::default();
                let charge = minimum.of_future(index, figures.delta);
                sum.add(charge, &held.gross()).ok_or_else(|| OracleError::NoValue {
                    instrument: held.instrument.name.clone(),
                })?;
                raw += &held.usd_per_lot * sum.value();
            }
        }
        Ok(progressive(&minimum.tiers, &raw, &self.book.numeraire_price))
    }

    /// Pair after pair, as they are listed.
    fn depeg(&self, depeg: &Depeg) -> Result<BigRational, OracleError> {
        let mut classes: BTreeMap<&str, BigRational> = BTreeMap::new();
        for one in &self.held {
            let class = match one.held.instrument.style {
                Style::Inverse => "USD",
                Style::Linear => one.held.instrument.settlement.as_str(),
            };
            *classes.entry(class).or_default() += self.coins(one, one.figures.delta, &one.held.net())?;
        }
        let price = |class: &str| match class {
            "USD" => Some(BigRational::one()),
            _ => self.book.coverage.price(class),
        };
        let mut charge = BigRational::zero();
        for [a, b] in &depeg.pairs {
            let left = |class: &String| classes.get(class.as_str()).cloned().unwrap_or_default();
            let (x, y) = (left(a), left(b));
            if x.is_zero() || y.is_zero() || x.is_positive() == y.is_positive() {
                continue;
            }
            let hedged = smaller(x.abs(), y.abs());
            let towards_zero = |amount: &BigRational| amount - amount.signum() * &hedged;
            classes.insert(a, towards_zero(&x));
            classes.insert(b, towards_zero(&y));
            if let (Some(p), Some(r)) = (price(a), price(b)) {
                let (low, high) = (smaller(p.clone(), r.clone()), larger(p, r));
                let level = depeg
                    .levels
                    .iter()
                    .find(|level| to_ratio(level.at_least) * &high <= low);
                charge += level.map_or_else(BigRational::zero, |level| {
                    progressive(&level.tiers, &hedged, &self.book.numeraire_price)
                });
            }
        }
        Ok(charge)
    }
}

/// What the venue calls a part.
fn term_of(kind: Kind, term: &'static str) -> &'static str {
    match (kind, term) {
        (Kind::OkxPm, term) => term,
        (Kind::BybitPm, "MR1") => "maximum loss",
        (Kind::BybitPm, "MR3") => "vega spread",
        (Kind::BybitPm, "MR4") => "delta spread",
        (Kind::BybitPm, "MR8") => "borrowing",
        (Kind::BybitPm, "MR9") => "USDT-USDC spread",
        (Kind::BybitPm, "CON") => "short options, perpetuals and futures",
        (Kind::BybitPm, other) => other,
    }
}

/// `min( Σ max(x, 0), Σ max(-x, 0) )`.
fn matched(amounts: &[BigRational]) -> BigRational {
    let (mut long, mut short) = (BigRational::zero(), BigRational::zero());
    for amount in amounts {
        *(if amount.is_positive() { &mut long } else { &mut short }) += amount.abs();
    }
    smaller(long, short)
}
