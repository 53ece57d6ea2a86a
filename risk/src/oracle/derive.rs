//! The rules of [`crate::model::derive::pm2`] and [`crate::model::derive::pmrm1`], step by step in their own symbols.

mod worst;

use std::collections::{BTreeMap, BTreeSet};

use num_rational::BigRational;
use num_traits::{One, Signed, Zero};
use rust_decimal::Decimal;

use crate::amount::to_ratio;
use crate::market::UnderlyingMarket;
use crate::model::derive::parameters::{Charge, Confidence, Peg};
use crate::model::derive::values::{Prices, Table};
use crate::model::{Pm2, Pmrm1};
use crate::oracle::book::{Book, Held};
use crate::oracle::{Collateral, Component, Evaluation, OracleError, Picture, positive_part};
use crate::universe::Kind;

use worst::Worst;

/// One underlying of a book.
struct Desk<'a> {
    name: &'a str,
    market: &'a UnderlyingMarket,
    held: Vec<Held<'a>>,
    table: Table,
    worst: Worst,
    /// `forward`.
    forward: BigRational,
    /// `naked`.
    naked: BigRational,
}

/// `Σ_i c_i m_i q_i`, options and the rest.
struct Marks {
    options: BigRational,
    futures: BigRational,
}

impl<'a> Desk<'a> {
    /// `moving` is `Σ_a (p_a / p_M) (B_a + K_a - D_a - G_a)` over what moves with the underlying.
    fn new(
        book: &Book<'a>,
        name: &'a str,
        prices: &Prices<'_>,
        moving: &BigRational,
    ) -> Result<Option<Desk<'a>>, OracleError> {
        let snapshot = book.coverage.snapshot;
        let Some(market) = snapshot.underlyings.get(name) else {
            return Ok(None);
        };
        let mut held = book.held()?;
        held.retain(|held| held.instrument.underlying == name);
        let instruments = held.iter().map(|held| held.instrument);
        let table =
            Table::new(market, snapshot.instant, prices, instruments).map_err(|source| OracleError::Pricing {
                underlying: name.to_owned(),
                source,
            })?;
        let worst = Worst::new(&held, &table, prices.rows, moving)?;
        let mut desk = Desk {
            name,
            market,
            held,
            table,
            worst,
            forward: BigRational::zero(),
            naked: BigRational::zero(),
        };
        desk.forward = desk.forward()?;
        desk.naked = desk.naked();
        Ok(Some(desk))
    }

    fn index(&self) -> BigRational {
        to_ratio(self.market.index)
    }

    fn marks(&self) -> Result<Marks, OracleError> {
        let mut marks = Marks {
            options: BigRational::zero(),
            futures: BigRational::zero(),
        };
        for held in &self.held {
            let long = held.instrument.long;
            if let Some(values) = self.table.options.get(&long) {
                marks.options += held.worth(values.mark, &held.net())?;
            } else if let Some(values) = self.table.forwards.get(&long) {
                marks.futures += held.worth(values.mark, &held.net())?;
            }
        }
        Ok(marks)
    }

    /// Coins of the underlying in `lots` of what is held.
    fn coins(&self, held: &Held<'_>, lots: num_bigint::BigInt) -> Result<BigRational, OracleError> {
        let per_contract = match self.table.forwards.get(&held.instrument.long) {
            Some(values) => BigRational::from_float(values.coins).ok_or_else(|| OracleError::NoValue {
                instrument: held.instrument.name.clone(),
            })?,
            None => to_ratio(held.instrument.contract),
        };
        Ok(per_contract * to_ratio(held.instrument.lot) * BigRational::from_integer(lots))
    }

    /// `I_u Σ_b | Σ ν_f q_f |`.
    fn forward(&self) -> Result<BigRational, OracleError> {
        let mut buckets = BTreeMap::new();
        for held in &self.held {
            if !matches!(held.instrument.kind, Kind::Option { .. }) {
                let bucket = buckets
                    .entry(held.instrument.kind.expiry())
                    .or_insert_with(BigRational::zero);
                *bucket += self.coins(held, held.net())?;
            }
        }
        let coins = buckets
            .into_values()
            .fold(BigRational::zero(), |sum, net| sum + net.abs());
        Ok(self.index() * coins)
    }

    /// `I_u Σ max( 0, - Σ k_i q_i )`, call and put of a strike and expiry together.
    fn naked(&self) -> BigRational {
        let mut strikes = BTreeMap::new();
        for held in &self.held {
            if let Kind::Option { expiry, strike, .. } = held.instrument.kind {
                let net = strikes.entry((expiry, strike)).or_insert_with(BigRational::zero);
                *net += to_ratio(held.instrument.contract) * held.contracts();
            }
        }
        let coins = strikes
            .into_values()
            .fold(BigRational::zero(), |sum, net: BigRational| sum + positive_part(-net));
        self.index() * coins
    }

    /// `c_u`.
    fn confidence(&self) -> Decimal {
        let index = self.market.confidence.unwrap_or(Decimal::ONE);
        let holds = self.held.iter().any(|held| held.instrument.kind == Kind::Perpetual);
        match &self.market.perpetual {
            Some(perpetual) if holds => index.min(perpetual.confidence.unwrap_or(Decimal::ONE)),
            _ => index,
        }
    }

    /// `κ(c_u) I_u Σ_f ν_f g_f + Σ_e κ(c_e) I_u Σ k_i g_i`.
    fn uncertain(&self, rule: &Confidence) -> Result<BigRational, OracleError> {
        let common = self.confidence();
        let mut total = BigRational::zero();
        for held in &self.held {
            let own = match held.instrument.kind {
                Kind::Option { expiry, .. } => self.market.expiries.get(&expiry).and_then(|options| options.confidence),
                Kind::Future { .. } | Kind::Perpetual | Kind::Sensitivity(_) => None,
            };
            let confidence = own.map_or(common, |own| common.min(own));
            total += kappa(rule, confidence) * self.index() * self.coins(held, held.gross())?;
        }
        Ok(total)
    }
}

/// `κ(c)`.
fn kappa(rule: &Confidence, confidence: Decimal) -> BigRational {
    if confidence < rule.threshold {
        (BigRational::one() - to_ratio(confidence)) * to_ratio(rule.factor)
    } else {
        BigRational::zero()
    }
}

/// `φ`.
fn initial_factor(factor: Decimal, peg: &Peg, numeraire_price: &BigRational) -> BigRational {
    to_ratio(factor) + to_ratio(peg.factor) * positive_part(to_ratio(peg.threshold) - numeraire_price)
}

/// `Σ (p_a / p_M) (B_a + K_a - D_a - G_a)` over the assets that move with an underlying.
fn moving(collateral: &[Collateral], moves_with: impl Fn(&str) -> bool) -> BigRational {
    let lines = collateral
        .iter()
        .filter(|line| line.uncounted.is_none() && moves_with(&line.asset));
    lines.fold(BigRational::zero(), |sum, line| sum + &line.value)
}

/// A charge of both levels on an amount.
fn charged(term: &str, note: &str, charge: &Charge, amount: &BigRational) -> Component {
    let maintenance = to_ratio(charge.maintenance) * amount;
    let initial = &maintenance + to_ratio(charge.initial_adds) * amount;
    Component::new(term, note, initial, maintenance)
}

/// A charge of the initial level alone.
fn initial_only(term: &str, note: &str, amount: BigRational) -> Component {
    Component::new(term, note, amount, BigRational::zero())
}

/// The evaluation of desks, collateral and components.
fn evaluation(
    numeraire: &str,
    collateral: Vec<Collateral>,
    desks: &[Desk<'_>],
    mut components: Vec<Component>,
) -> Result<Evaluation, OracleError> {
    let (mut options, mut futures) = (BigRational::zero(), BigRational::zero());
    let mut cells = Vec::new();
    for desk in desks {
        let marks = desk.marks()?;
        options += marks.options;
        futures += marks.futures;
        cells.extend(desk.worst.cells(desk.name));
    }
    components.retain(|component| !component.initial.is_zero() || !component.maintenance.is_zero());
    Ok(Evaluation::of(
        numeraire,
        [options, futures],
        collateral,
        components,
        Picture::Grid(cells),
    ))
}

/// What PM2 makes of a book; see [`evaluate`](crate::oracle::evaluate).
///
/// # Errors
/// [`OracleError`].
pub(super) fn pm2(book: &Book<'_>, rules: &Pm2) -> Result<Evaluation, OracleError> {
    let parameters = rules.parameters();
    let collateral = book.collateral(&rules.assets());
    let (mut desks, mut components) = (Vec::new(), Vec::new());
    for (name, underlying) in &parameters.underlyings {
        let moves_with = |asset: &str| {
            let asset = parameters.assets.get(asset);
            asset.is_some_and(|asset| asset.underlying.as_ref() == Some(name))
        };
        let moving = moving(&collateral, moves_with);
        let Some(desk) = Desk::new(book, name, &rules.prices(underlying), &moving)? else {
            continue;
        };
        let span = initial_factor(underlying.initial_factor, &underlying.peg, &book.numeraire_price);
        components.push(
            desk.worst
                .component(name, &span, &to_ratio(underlying.maintenance_factor)),
        );
        components.push(charged(
            "perpetual contingency",
            name,
            &underlying.forward_charge,
            &desk.forward,
        ));
        components.push(charged(
            "option contingency",
            name,
            &underlying.naked_short_charge,
            &desk.naked,
        ));
        let uncertain = desk.uncertain(&underlying.confidence)?;
        components.push(initial_only("confidence contingency", name, uncertain));
        desks.push(desk);
    }
    let snapshot = book.coverage.snapshot;
    for line in collateral.iter().filter(|line| line.uncounted.is_none()) {
        let (Some(asset), Some(price)) = (parameters.assets.get(&line.asset), &line.price) else {
            continue;
        };
        let price = price / &book.numeraire_price;
        let balance = &price * &line.balance;
        components.push(charged("collateral haircut", &line.asset, &asset.haircut, &balance));
        if line.asset != parameters.numeraire {
            let own = snapshot.confidences.get(&line.asset).copied().unwrap_or(Decimal::ONE);
            let each = parameters
                .underlyings
                .iter()
                .filter(|(name, _)| match &asset.underlying {
                    Some(moves_with) => moves_with == *name,
                    None => true,
                });
            let each = each.filter_map(|(name, rules)| {
                let index = snapshot.underlyings.get(name)?.confidence.unwrap_or(Decimal::ONE);
                Some(kappa(&rules.confidence, own.min(index)))
            });
            let most = each.max().unwrap_or_else(BigRational::zero);
            let uncertain = most * (balance + price * &line.debt);
            components.push(initial_only("confidence contingency", &line.asset, uncertain));
        }
    }
    evaluation(&parameters.numeraire, collateral, &desks, components)
}

/// What PMRM makes of a book; see [`evaluate`](crate::oracle::evaluate).
///
/// # Errors
/// [`OracleError`].
pub(super) fn pmrm1(book: &Book<'_>, rules: &Pmrm1) -> Result<Evaluation, OracleError> {
    let parameters = rules.parameters();
    let collateral = book.collateral(&rules.assets());
    let (mut desks, mut components) = (Vec::new(), Vec::new());
    for (name, underlying) in &parameters.underlyings {
        let bases: BTreeSet<&String> = parameters
            .assets
            .iter()
            .filter(|(_, asset)| asset.underlying.as_ref() == Some(name))
            .map(|(asset, _)| asset)
            .collect();
        let moving = moving(&collateral, |asset| bases.iter().any(|base| *base == asset));
        let Some(desk) = Desk::new(book, name, &rules.prices(underlying), &moving)? else {
            continue;
        };
        // Coins at their price in USD, a dollar as one of the numéraire.
        let held = collateral
            .iter()
            .filter(|line| line.uncounted.is_none() && bases.contains(&line.asset));
        let base = held.fold(BigRational::zero(), |sum, line| {
            let price = line.price.clone().unwrap_or_else(BigRational::zero);
            sum + price * (&line.balance + &line.debt)
        });
        let span = initial_factor(underlying.initial_factor, &underlying.peg, &book.numeraire_price);
        components.push(desk.worst.component(name, &span, &BigRational::one()));
        for (term, charge, amount) in [
            ("perpetual contingency", underlying.forward_charge, &desk.forward),
            ("base contingency", underlying.base_charge, &base),
            ("option contingency", underlying.naked_short_charge, &desk.naked),
        ] {
            let maintenance = to_ratio(charge) * amount;
            components.push(Component::new(term, name.clone(), &span * &maintenance, maintenance));
        }
        let uncertain =
            desk.uncertain(&underlying.confidence)? + kappa(&underlying.confidence, desk.confidence()) * base;
        components.push(initial_only("confidence contingency", name, uncertain));
        desks.push(desk);
    }
    evaluation(&parameters.numeraire, collateral, &desks, components)
}
