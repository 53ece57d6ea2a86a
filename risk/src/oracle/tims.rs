//! The rule of [`crate::model::tims::parameters`], step by step in its own symbols.

use std::collections::{BTreeMap, BTreeSet};

use num_rational::BigRational;
use num_traits::Zero;
use rust_decimal::Decimal;

use crate::amount::to_ratio;
use crate::model::Tims;
use crate::model::tims::parameters::{Parameters, UnderlyingParameters};
use crate::model::tims::shocks;
use crate::oracle::book::{Book, Held};
use crate::oracle::scan::{Holdings, holdings, moving, sum};
use crate::oracle::{Cell, Component, Evaluation, OracleError, Picture, larger, smaller};
use crate::scenario::VolatilityShock;

/// What a model of ten points makes of a book.
///
/// # Errors
/// [`OracleError`].
pub(super) fn evaluate(book: Book<'_>, rules: &Tims) -> Result<Evaluation, OracleError> {
    let parameters = rules.parameters();
    let collateral = book.collateral(&parameters.assets);
    let names = parameters.underlyings.iter();
    let names = names.map(|(name, rules)| (name.as_str(), VolatilityShock::STILL, shocks(rules)));
    let desks = holdings(&book, names)?;
    let (mut options, mut futures) = (BigRational::zero(), BigRational::zero());
    let mut cells = Vec::new();
    let mut classes = BTreeMap::new();
    for (name, desk) in &desks {
        let Some(rules) = parameters.underlyings.get(*name) else {
            continue;
        };
        let [of_options, of_futures] = desk.marks()?;
        options += of_options;
        futures += of_futures;
        let whole = parameters.collateral_in_scenarios;
        let coins = moving(&book, &collateral, name, whole);
        let mut profits = Vec::new();
        for (row, by) in points(rules).into_iter().enumerate() {
            let profit = desk.gain(row)? + by * &coins;
            cells.push(Cell {
                underlying: (*name).to_owned(),
                price_move: shown(rules, row),
                volatility: "none".to_owned(),
                weight: Decimal::ONE,
                profit: profit.clone(),
            });
            profits.push(profit);
        }
        let minimum = minimum(&book, rules, desk)?;
        classes.insert(*name, Class { profits, minimum });
    }
    let components = components(parameters, &classes);
    Ok(Evaluation::of(
        &parameters.numeraire,
        [options, futures],
        collateral,
        components,
        Picture::Grid(cells),
    ))
}

/// A class: `Π_{u,r}` and `minimum_u`.
struct Class {
    profits: Vec<BigRational>,
    minimum: BigRational,
}

/// `x_1` to `x_10`.
fn points(rules: &UnderlyingParameters) -> Vec<BigRational> {
    let fifths = |range: Decimal, n: i64| to_ratio(range) * BigRational::new(n.into(), 5.into());
    let falls = (1..=5).rev().map(|n| fifths(rules.down, -n));
    falls.chain((1..=5).map(|n| fifths(rules.up, n))).collect()
}

/// A point as a picture shows it.
fn shown(rules: &UnderlyingParameters, row: usize) -> Decimal {
    let factor = shocks(rules).get(row).map_or(1.0, |shock| shock.factor());
    Decimal::try_from(factor - 1.0)
        .unwrap_or_default()
        .round_dp(6)
        .normalize()
}

/// `minimum_u`.
fn minimum(book: &Book<'_>, rules: &UnderlyingParameters, desk: &Holdings<'_>) -> Result<BigRational, OracleError> {
    let mut coins = BigRational::zero();
    for line in desk.lines.iter().filter(|line| line.is_option()) {
        let instrument = line.held.instrument;
        let gross = BigRational::from_integer(line.held.gross());
        coins += to_ratio(instrument.contract) * to_ratio(instrument.lot) * gross;
    }
    let others = desk.lines.iter().filter(|line| !line.is_option());
    let per_lot = |held: &Held<'_>| to_ratio(held.instrument.lot);
    coins += sum(others, per_lot, |line| Some(line.values.delta.abs()), Held::gross)?;
    Ok(to_ratio(rules.minimum) / &book.numeraire_price * coins)
}

/// `factor(level) risk_g` of each group.
fn components(parameters: &Parameters, classes: &BTreeMap<&str, Class>) -> Vec<Component> {
    let grouped: BTreeSet<&str> = parameters
        .groups
        .iter()
        .flat_map(|group| group.underlyings.iter().map(String::as_str))
        .collect();
    let groups = parameters.groups.iter().map(|group| {
        let names: Vec<&str> = group.underlyings.iter().map(String::as_str).collect();
        (names, Some(to_ratio(group.offset)))
    });
    let alone = classes.keys().filter(|name| !grouped.contains(*name));
    let groups = groups.chain(alone.map(|name| (vec![*name], None)));
    let mut components = Vec::new();
    for (names, offset) in groups {
        let members: Vec<&Class> = names.iter().filter_map(|name| classes.get(name)).collect();
        if members.is_empty() {
            continue;
        }
        let kept = |profit: &BigRational| match &offset {
            Some(offset) => smaller(profit.clone(), offset * profit),
            None => profit.clone(),
        };
        let mut worst = BigRational::zero();
        for row in 0..10 {
            let profits = members.iter().filter_map(|class| class.profits.get(row));
            let loss = -profits.fold(BigRational::zero(), |sum, profit| sum + kept(profit));
            worst = larger(worst, loss);
        }
        let minimum = members
            .iter()
            .fold(BigRational::zero(), |sum, class| sum + &class.minimum);
        let term = if minimum > worst {
            "minimum per contract"
        } else {
            "worst point"
        };
        let risk = larger(worst, minimum);
        let (initial, maintenance) = (parameters.levels.initial, parameters.levels.maintenance);
        let amounts = (to_ratio(initial) * &risk, to_ratio(maintenance) * risk);
        components.push(Component::new(term, names.join("+"), amounts.0, amounts.1));
    }
    components
}
