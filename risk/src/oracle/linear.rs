//! The rule of [`crate::model::linear::parameters`], step by step in its own symbols.

use std::collections::BTreeMap;

use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::{One, Signed, Zero};
use rust_decimal::Decimal;

use crate::amount::to_ratio;
use crate::instant::Instant;
use crate::market::UnderlyingMarket;
use crate::model::LinearMargin;
use crate::model::linear::parameters::{Debts, Parameters, UnderlyingParameters};
use crate::oracle::book::{Book, Held};
use crate::oracle::coverage::{NotCounted, Uncounted};
use crate::oracle::{Collateral, Component, Evaluation, OracleError, Picture, positive_part, short_option, tiers};
use crate::terms::Level;
use crate::universe::{Kind, Style};
use crate::valuation::{Denomination, ValueTable, marks};

const LEVELS: [Level; 2] = [Level::Initial, Level::Maintenance];

/// What a `linear` or `deribit-standard` model makes of a book; see [`evaluate`](crate::oracle::evaluate).
///
/// # Errors
/// [`OracleError`].
pub(super) fn evaluate(book: Book<'_>, rules: &LinearMargin) -> Result<Evaluation, OracleError> {
    let parameters = rules.parameters();
    refuse_what_has_no_margin(&book, parameters)?;
    let collateral = book.collateral(&parameters.assets);
    let held = book.held()?;
    let mut futures = BigRational::zero();
    let mut components = Vec::new();
    for (name, rules) in &parameters.underlyings {
        let Some(market) = book.coverage.snapshot.underlyings.get(name) else {
            continue;
        };
        let held: Vec<&Held<'_>> = held.iter().filter(|held| held.instrument.underlying == *name).collect();
        let instruments = held.iter().map(|held| held.instrument);
        let table = marks(market, book.coverage.snapshot.instant, Denomination::Usd, instruments);
        let desk = Desk {
            name,
            rules,
            market,
            per_usd: book.numeraire_price.recip(),
            is_isolated: book.is_isolated,
            table: table.map_err(|source| OracleError::Pricing {
                underlying: name.clone(),
                source,
            })?,
            held,
        };
        futures += desk.value_of_futures()?;
        components.extend(desk.options()?);
        components.extend(desk.futures());
    }
    components.extend(of_collateral(parameters, &book, &collateral));
    components.retain(|component| !component.initial.is_zero() || !component.maintenance.is_zero());
    let picture = components.iter().map(|component| {
        (
            format!("{}: {}", component.term, component.note),
            component.initial.clone(),
        )
    });
    let picture = Picture::Sensitivities(picture.collect());
    let marks = [BigRational::zero(), futures];
    let mut evaluation = Evaluation::of(&parameters.numeraire, marks, collateral, components, picture);
    if parameters.debts == Debts::Requirement {
        let debts = evaluation.collateral.iter().map(|line| debt(&book, line));
        evaluation.value += debts.fold(BigRational::zero(), |sum, debt| sum + debt);
    }
    Ok(evaluation)
}

/// Futures, perpetuals and short options for which the file has no margin.
fn refuse_what_has_no_margin(book: &Book<'_>, parameters: &Parameters) -> Result<(), OracleError> {
    let mut refused = Vec::new();
    for (venue, instrument) in book.coverage.universe.instruments() {
        let Some(rules) = parameters.underlyings.get(&instrument.underlying) else {
            continue;
        };
        let has_margin = match instrument.kind {
            Kind::Option { .. } => [true, rules.short_option.is_some()],
            Kind::Future { .. } => [rules.future.is_some(); 2],
            Kind::Perpetual => [rules.perpetual.is_some(); 2],
            Kind::Sensitivity(_) => [false; 2],
        };
        let sides = [instrument.long, instrument.short].into_iter().zip(has_margin);
        if sides
            .into_iter()
            .any(|(leg, has_margin)| !has_margin && book.lots(leg) > 0)
        {
            refused.push(NotCounted {
                venue: venue.name.clone(),
                line: instrument.name.clone(),
                reason: Uncounted::NoMargin,
            });
        }
    }
    if refused.is_empty() {
        Ok(())
    } else {
        Err(OracleError::NotCounted(refused))
    }
}

/// `(p_a / p_M) D_a` of a line that counts.
fn debt(book: &Book<'_>, line: &Collateral) -> BigRational {
    match (&line.price, &line.uncounted) {
        (Some(price), None) => price / &book.numeraire_price * &line.debt,
        _ => BigRational::zero(),
    }
}

/// `initial_a` and `debt_a`.
fn of_collateral(parameters: &Parameters, book: &Book<'_>, collateral: &[Collateral]) -> Vec<Component> {
    let mut components = Vec::new();
    for line in collateral.iter().filter(|line| line.uncounted.is_none()) {
        let Some(price) = &line.price else { continue };
        if let Some(haircut) = parameters.initial_haircuts.get(&line.asset) {
            let more = price / &book.numeraire_price * (to_ratio(*haircut) - &line.haircut) * &line.balance;
            components.push(Component::new(
                "initial haircut",
                &line.asset,
                more,
                BigRational::zero(),
            ));
        }
        let factor = parameters
            .debt_factors
            .get(&line.asset)
            .map_or_else(BigRational::one, |factor| to_ratio(*factor));
        let charged = match parameters.debts {
            Debts::Value => factor - BigRational::one(),
            Debts::Requirement => factor,
        };
        components.push(Component::of_both("debt", &line.asset, charged * debt(book, line)));
    }
    components
}

struct Desk<'r, 'a> {
    name: &'r str,
    rules: &'r UnderlyingParameters,
    market: &'r UnderlyingMarket,
    /// `1 / p_M`.
    per_usd: BigRational,
    is_isolated: bool,
    table: ValueTable,
    held: Vec<&'r Held<'a>>,
}

impl Desk<'_, '_> {
    fn mark(&self, held: &Held<'_>) -> Result<BigRational, OracleError> {
        let mark = self
            .table
            .get(held.instrument.long)
            .and_then(|values| BigRational::from_float(values.mark));
        mark.ok_or_else(|| OracleError::NoValue {
            instrument: held.instrument.name.clone(),
        })
    }

    fn value_of_futures(&self) -> Result<BigRational, OracleError> {
        let mut sum = BigRational::zero();
        for held in &self.held {
            if !matches!(held.instrument.kind, Kind::Option { .. }) {
                sum += &held.per_lot * BigRational::from_integer(held.net()) * self.mark(held)?;
            }
        }
        Ok(sum)
    }

    /// `options_u`.
    fn options(&self) -> Result<Vec<Component>, OracleError> {
        let Some(rule) = &self.rules.short_option else {
            return Ok(Vec::new());
        };
        let mut sums = [BigRational::zero(), BigRational::zero()];
        for held in &self.held {
            let Kind::Option { expiry, strike, right } = held.instrument.kind else {
                continue;
            };
            let Some(chain) = self.market.expiries.get(&expiry) else {
                continue;
            };
            let mark = self.mark(held)?;
            let option = short_option::Option {
                right,
                strike,
                index: self.market.index,
                forward: chain.forward,
                contract: held.instrument.contract,
                mark: &mark,
            };
            let short = &held.per_lot * BigRational::from_integer(held.short.clone());
            for (sum, level) in sums.iter_mut().zip(LEVELS) {
                *sum += &short * short_option::isolated(rule, &option, level);
            }
        }
        let [initial, maintenance] = sums;
        Ok(vec![Component::new("short options", self.name, initial, maintenance)])
    }

    /// `margin_b`, `fees_b` and `funding_b`.
    fn futures(&self) -> Vec<Component> {
        let mut buckets: BTreeMap<Option<Instant>, Vec<(&Held<'_>, BigRational)>> = BTreeMap::new();
        let perpetual = self.market.perpetual.as_ref();
        for held in &self.held {
            let price: Option<Decimal> = match held.instrument.kind {
                Kind::Option { .. } | Kind::Sensitivity(_) => None,
                Kind::Future { expiry } => self.market.futures.get(&expiry).map(|future| future.price),
                Kind::Perpetual => perpetual.map(|perpetual| perpetual.price),
            };
            let Some(price) = price else { continue };
            let contract = to_ratio(held.instrument.contract);
            let notional = match held.instrument.style {
                Style::Linear => contract * to_ratio(price),
                Style::Inverse => contract,
            };
            let per_lot = &held.per_lot * notional;
            buckets
                .entry(held.instrument.kind.expiry())
                .or_default()
                .push((held, per_lot));
        }
        let mut components = Vec::new();
        for (expiry, held) in buckets {
            let (schedule, note) = match expiry {
                Some(expiry) => (&self.rules.future, format!("{} {expiry}", self.name)),
                None => (&self.rules.perpetual, self.name.to_owned()),
            };
            let Some(schedule) = schedule else { continue };
            let sum = |lots: &dyn Fn(&Held<'_>) -> BigInt| {
                held.iter().fold(BigRational::zero(), |sum, (held, per_lot)| {
                    sum + per_lot * BigRational::from_integer(lots(held))
                })
            };
            // Accounts are added up, but no isolated position of one is netted with that of another.
            let notional = if self.is_isolated {
                sum(&|held| held.gross())
            } else {
                sum(&|held| held.net()).abs()
            };
            let open_interest = match expiry {
                Some(_) => None,
                None => perpetual.and_then(|perpetual| perpetual.quote.open_interest),
            };
            let [initial, maintenance] = LEVELS.map(|level| {
                tiers::margin(
                    schedule,
                    level,
                    &notional,
                    &self.per_usd,
                    self.market.index,
                    open_interest,
                )
            });
            components.push(Component::new("futures margin", &note, initial, maintenance));
            let fees = to_ratio(schedule.fee) * sum(&|held| held.gross());
            components.push(Component::of_both("fee provision", &note, fees));
            let funding = match (expiry, perpetual) {
                (None, Some(perpetual)) => to_ratio(perpetual.funding),
                _ => BigRational::zero(),
            };
            let due = positive_part(funding.clone()) * sum(&|held| held.long.clone())
                + positive_part(-funding) * sum(&|held| held.short.clone());
            let funding = to_ratio(schedule.funding_intervals) * due;
            components.push(Component::of_both("funding provision", &note, funding));
        }
        components
    }
}
