//! The rule of [`crate::model::derive_standard::parameters`], step by step in its own symbols.

use std::collections::BTreeMap;

use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::{One, Signed, Zero};
use rust_decimal::Decimal;

use crate::amount::to_ratio;
use crate::instant::Instant;
use crate::market::UnderlyingMarket;
use crate::model::DeriveStandard;
use crate::model::derive_standard::parameters::{Parameters, UnderlyingParameters};
use crate::oracle::book::{Book, Held};
use crate::oracle::short_option::{self, isolated};
use crate::oracle::{Collateral, Component, Evaluation, OracleError, Picture, larger, positive_part, smaller};
use crate::terms::Level;
use crate::universe::{Kind, Right, Style};
use crate::valuation::{Denomination, marks};

/// What a `derive-standard` model makes of a book; see [`evaluate`](crate::oracle::evaluate).
///
/// # Errors
/// [`OracleError`].
pub(super) fn evaluate(book: Book<'_>, rules: &DeriveStandard) -> Result<Evaluation, OracleError> {
    let parameters = rules.parameters();
    let collateral = book.collateral(&parameters.assets);
    let held = book.held()?;
    let mut futures = BigRational::zero();
    let mut components = Vec::new();
    for (name, rules) in &parameters.underlyings {
        let Some(market) = book.coverage.snapshot.underlyings.get(name) else {
            continue;
        };
        let desk = Desk {
            name,
            rules,
            market,
            depeg: depeg(parameters, &book)?,
            held: marked(
                name,
                market,
                &book,
                held.iter().filter(|held| held.instrument.underlying == *name),
            )?,
        };
        futures += desk.value_of_futures();
        components.extend(desk.options());
        components.extend(desk.futures());
    }
    components.extend(base(parameters, &book, &collateral));
    components.retain(|component| !component.initial.is_zero() || !component.maintenance.is_zero());
    let picture = components.iter().map(|component| {
        (
            format!("{}: {}", component.term, component.note),
            component.initial.clone(),
        )
    });
    let picture = Picture::Sensitivities(picture.collect());
    let marks = [BigRational::zero(), futures];
    Ok(Evaluation::of(
        &parameters.numeraire,
        marks,
        collateral,
        components,
        picture,
    ))
}

/// `μ`.
fn depeg(parameters: &Parameters, book: &Book<'_>) -> Result<BigRational, OracleError> {
    let Some(depeg) = &parameters.depeg else {
        return Ok(BigRational::zero());
    };
    let price = book.coverage.price(&depeg.asset).ok_or_else(|| OracleError::NoValue {
        instrument: depeg.asset.clone(),
    })?;
    Ok(to_ratio(depeg.factor) * positive_part(to_ratio(depeg.threshold) - price))
}

/// `gap(t, c)`.
fn gap(factor: Decimal, threshold: Decimal, confidence: Decimal) -> BigRational {
    if confidence < threshold {
        to_ratio(factor) * (BigRational::one() - to_ratio(confidence))
    } else {
        BigRational::zero()
    }
}

/// What is held of one instrument, with its mark per contract.
struct Position<'h, 'a> {
    held: &'h Held<'a>,
    mark: BigRational,
}

fn marked<'h, 'a>(
    name: &str,
    market: &UnderlyingMarket,
    book: &Book<'a>,
    held: impl Iterator<Item = &'h Held<'a>> + Clone,
) -> Result<Vec<Position<'h, 'a>>, OracleError> {
    let now = book.coverage.snapshot.instant;
    let instruments = held.clone().map(|held| held.instrument);
    let table = marks(market, now, Denomination::Usd, instruments).map_err(|source| OracleError::Pricing {
        underlying: name.to_owned(),
        source,
    })?;
    held.map(|held| {
        let mark = table
            .get(held.instrument.long)
            .and_then(|values| BigRational::from_float(values.mark));
        let mark = mark.ok_or_else(|| OracleError::NoValue {
            instrument: held.instrument.name.clone(),
        })?;
        Ok(Position { held, mark })
    })
    .collect()
}

impl Position<'_, '_> {
    /// `c_i l_i` times a number of lots.
    fn weighted(&self, lots: &BigInt) -> BigRational {
        &self.held.per_lot * BigRational::from_integer(lots.clone())
    }

    /// `c_i q_i`.
    fn net(&self) -> BigRational {
        self.weighted(&self.held.net())
    }

    /// `c_i s_i`.
    fn short(&self) -> BigRational {
        self.weighted(&self.held.short)
    }

    fn contract(&self) -> BigRational {
        to_ratio(self.held.instrument.contract)
    }
}

struct Desk<'r, 'h, 'a> {
    name: &'r str,
    rules: &'r UnderlyingParameters,
    market: &'r UnderlyingMarket,
    /// `μ`.
    depeg: BigRational,
    held: Vec<Position<'h, 'a>>,
}

/// A held option: position, strike, right.
type Listed<'p, 'h, 'a> = (&'p Position<'h, 'a>, Decimal, Right);

impl<'h, 'a> Desk<'_, 'h, 'a> {
    fn value_of_futures(&self) -> BigRational {
        let futures = self
            .held
            .iter()
            .filter(|position| !matches!(position.held.instrument.kind, Kind::Option { .. }));
        futures.fold(BigRational::zero(), |sum, position| {
            sum + position.net() * &position.mark
        })
    }

    /// `option_e`, `oracle_e` and the options' part of `depeg_u`.
    fn options(&self) -> Vec<Component> {
        let mut expiries: BTreeMap<Instant, Vec<Listed<'_, 'h, 'a>>> = BTreeMap::new();
        for position in &self.held {
            if let Kind::Option { expiry, strike, right } = position.held.instrument.kind {
                expiries.entry(expiry).or_default().push((position, strike, right));
            }
        }
        let index = to_ratio(self.market.index);
        let mut components = Vec::new();
        for (expiry, options) in expiries {
            let Some(chain) = self.market.expiries.get(&expiry) else {
                continue;
            };
            let note = format!("{} {expiry}", self.name);
            components.push(self.expiry(&note, &options, chain.forward));
            let short = options.iter().fold(BigRational::zero(), |sum, (position, _, _)| {
                sum + position.short() * position.contract()
            });
            if let Some(oracle) = self.rules.oracle {
                let confidence = least([self.market.confidence, chain.confidence]);
                let gap = gap(oracle.factor, oracle.option_threshold, confidence);
                components.push(initial("oracle contingency", &note, gap * &index * &short));
            }
            components.push(initial("depeg contingency", &note, &self.depeg * &index * &short));
        }
        components
    }

    /// `option_e` at both levels, with what it is the smaller of.
    fn expiry(&self, note: &str, options: &[Listed<'_, 'h, 'a>], forward: Decimal) -> Component {
        let isolated_at = |level| {
            options
                .iter()
                .fold(BigRational::zero(), |sum, (position, strike, right)| {
                    let option = short_option::Option {
                        right: *right,
                        strike: *strike,
                        index: self.market.index,
                        forward,
                        contract: position.held.instrument.contract,
                        mark: &position.mark,
                    };
                    sum + position.short() * isolated(&self.rules.short_option, &option, level)
                })
        };
        let loss_at = |settlement: Decimal| {
            options
                .iter()
                .fold(BigRational::zero(), |sum, (position, strike, right)| {
                    let pays = match right {
                        Right::Call => positive_part(to_ratio(settlement) - to_ratio(*strike)),
                        Right::Put => positive_part(to_ratio(*strike) - to_ratio(settlement)),
                    };
                    sum - position.net() * position.contract() * pays
                })
        };
        let settlements = options.iter().map(|(_, strike, _)| *strike).chain([Decimal::ZERO]);
        let worst = settlements.map(loss_at).fold(BigRational::zero(), larger);
        let calls = options
            .iter()
            .filter(|(_, _, right)| *right == Right::Call)
            .fold(BigRational::zero(), |sum, (position, _, _)| {
                sum + position.net() * position.contract()
            });
        let unpaired = positive_part(-calls) * to_ratio(forward);
        let [isolated, max_loss] = [
            [Level::Initial, Level::Maintenance].map(isolated_at),
            [Level::Initial, Level::Maintenance]
                .map(|level| &worst + to_ratio(self.rules.unpaired.at(level)) * &unpaired),
        ];
        let [initial, maintenance] = [0, 1].map(|at| match (isolated.get(at), max_loss.get(at)) {
            (Some(one), Some(other)) => smaller(one.clone(), other.clone()),
            _ => BigRational::zero(),
        });
        let part =
            |term: &str, [initial, maintenance]: [BigRational; 2]| Component::new(term, "", initial, maintenance);
        let mut component = Component::new("option margin", note, initial, maintenance);
        component.parts = vec![part("isolated", isolated), part("max loss", max_loss)];
        component
    }

    /// `future_b`, `oracle_b` and the futures' part of `depeg_u`.
    fn futures(&self) -> Vec<Component> {
        let mut buckets: BTreeMap<Option<Instant>, (Decimal, BigRational)> = BTreeMap::new();
        for position in &self.held {
            let instrument = position.held.instrument;
            let price = match instrument.kind {
                Kind::Option { .. } | Kind::Sensitivity(_) => None,
                Kind::Future { expiry } => self.market.futures.get(&expiry).map(|future| future.price),
                Kind::Perpetual => self.market.perpetual.as_ref().map(|perpetual| perpetual.price),
            };
            let Some(price) = price else { continue };
            let coins = match instrument.style {
                Style::Linear => position.contract(),
                Style::Inverse => position.contract() / to_ratio(price),
            };
            let (_, net) = buckets
                .entry(instrument.kind.expiry())
                .or_insert_with(|| (price, BigRational::zero()));
            *net += position.net() * coins;
        }
        let index = to_ratio(self.market.index);
        let mut components = Vec::new();
        for (expiry, (price, net)) in buckets {
            let note = match expiry {
                Some(expiry) => format!("{} {expiry}", self.name),
                None => self.name.to_owned(),
            };
            let coins = net.abs();
            let at = |level| to_ratio(self.rules.futures.at(level)) * to_ratio(price) * &coins;
            components.push(Component::new(
                "futures margin",
                &note,
                at(Level::Initial),
                at(Level::Maintenance),
            ));
            if let Some(oracle) = self.rules.oracle {
                let of_perpetual = match (expiry, &self.market.perpetual) {
                    (None, Some(perpetual)) => perpetual.confidence,
                    _ => None,
                };
                let confidence = least([self.market.confidence, of_perpetual]);
                let gap = gap(oracle.factor, oracle.future_threshold, confidence);
                components.push(initial("oracle contingency", &note, gap * &index * &coins));
            }
            components.push(initial("depeg contingency", &note, &self.depeg * &index * &coins));
        }
        components
    }
}

/// `base_a` and `oracle_a`.
fn base(parameters: &Parameters, book: &Book<'_>, collateral: &[Collateral]) -> Vec<Component> {
    let mut components = Vec::new();
    for line in collateral.iter().filter(|line| line.uncounted.is_none()) {
        let underlying = parameters
            .assets
            .get(&line.asset)
            .and_then(|asset| asset.underlying.as_ref());
        let (Some(underlying), Some(price)) = (underlying, &line.price) else {
            continue;
        };
        let worth = price * &line.balance;
        let over = |scale: BigRational| {
            let over = positive_part(BigRational::one() / &book.numeraire_price - scale);
            (BigRational::one() - &line.haircut) * &worth * over
        };
        let scale = parameters
            .initial_scale
            .get(&line.asset)
            .map_or_else(BigRational::one, |scale| to_ratio(*scale));
        components.push(Component::new(
            "base discount",
            &line.asset,
            over(scale),
            over(BigRational::one()),
        ));
        if let Some(oracle) = parameters.underlyings.get(underlying).and_then(|rules| rules.oracle) {
            let snapshot = book.coverage.snapshot;
            let of_index = snapshot
                .underlyings
                .get(underlying)
                .and_then(|market| market.confidence);
            let confidence = least([of_index, snapshot.confidences.get(&line.asset).copied()]);
            let gap = gap(oracle.factor, oracle.base_threshold, confidence);
            components.push(initial("oracle contingency", &line.asset, gap * worth));
        }
    }
    components
}

/// The least of some confidences; 1 of none.
fn least(confidences: [Option<Decimal>; 2]) -> Decimal {
    confidences.into_iter().flatten().fold(Decimal::ONE, Decimal::min)
}

/// A component of the initial level alone.
fn initial(term: &str, note: &str, amount: BigRational) -> Component {
    Component::new(term, note, amount, BigRational::zero())
}
