//! The rule of [`crate::model::demand`], step by step.

use std::collections::BTreeMap;

use num_rational::BigRational;
use num_traits::{One, Signed, Zero};
use zeroize::Zeroizing;

use crate::amount::to_ratio;
use crate::collateral;
use crate::market::Snapshot;
use crate::model::demand::{Demand, Haircuts, Limit, Netting};
use crate::oracle::addons;
use crate::oracle::coverage::{NotCounted, Uncounted};
use crate::oracle::exact::ExactSum;
use crate::oracle::{Check, Component, Evaluation, OracleError, evaluate as evaluate_model, positive_part, whole};
use crate::terms::{Level, Ratio20};
use crate::universe::{Instrument, Kind, Line, Style, Universe, Venue};
use crate::valuation;

/// What a demand makes of a book.
///
/// The evaluation is that of the model with the least excess at the initial level; the others stand beside it.
pub(super) fn evaluate(
    demand: &Demand,
    universe: &Universe,
    snapshot: &Snapshot,
    legs: &[u64],
) -> Result<Evaluation, OracleError> {
    let book = Book {
        demand,
        universe,
        snapshot,
        legs,
    };
    let evaluations = book.each()?;
    let mut checks = book.checks(&evaluations)?;
    // Those of isolated positions, by each model.
    checks.extend(
        evaluations
            .iter()
            .flat_map(|evaluation| evaluation.checks.iter().cloned()),
    );
    let mut strictest = strictest(evaluations);
    strictest.checks = checks;
    Ok(strictest)
}

/// The evaluation with the least excess at the initial level, the others beside it.
fn strictest(mut evaluations: Vec<Evaluation>) -> Evaluation {
    let excess = |evaluation: &Evaluation| &evaluation.value - &evaluation.initial;
    let least = (0..evaluations.len()).min_by_key(|index| evaluations.get(*index).map(excess));
    // A checked demand has a model.
    let mut strictest = evaluations.remove(least.unwrap_or_default().min(evaluations.len().saturating_sub(1)));
    strictest.beside = evaluations;
    strictest
}

/// What each model of a demand makes of a book, in the order of the file: `V*` and `R*`, without checks.
pub(super) fn evaluate_each(
    demand: &Demand,
    universe: &Universe,
    snapshot: &Snapshot,
    legs: &[u64],
) -> Result<Vec<Evaluation>, OracleError> {
    let book = Book {
        demand,
        universe,
        snapshot,
        legs,
    };
    book.each()
}

struct Book<'a> {
    demand: &'a Demand,
    universe: &'a Universe,
    snapshot: &'a Snapshot,
    legs: &'a [u64],
}

impl Book<'_> {
    fn each(&self) -> Result<Vec<Evaluation>, OracleError> {
        self.refuse_isolated()?;
        let mut evaluations = Vec::new();
        for model in self.demand.models() {
            let mut evaluation = evaluate_model(model, self.universe, self.snapshot, self.legs)?;
            self.net(model, &mut evaluation)?;
            self.add(model, &mut evaluation)?;
            let price = self.numeraire_price(&evaluation.numeraire)?;
            self.deduct(&price, &mut evaluation)?;
            evaluations.push(evaluation);
        }
        Ok(evaluations)
    }

    /// Isolated positions count under nothing but models: haircuts, limits and the rest are of cross margin.
    fn refuse_isolated(&self) -> Result<(), OracleError> {
        if self.demand.is_of_models_alone() {
            return Ok(());
        }
        let is_held = |leg: &zkmargin_program::LegId| self.legs.get(leg.index()).is_some_and(|lots| *lots > 0);
        let mut refused = Vec::new();
        for venue in self.universe.venues() {
            let mut refuse = |line: String, reason| {
                refused.push(NotCounted {
                    venue: venue.name.clone(),
                    line,
                    reason,
                });
            };
            for line in venue.isolated().into_values().flatten() {
                match line {
                    Line::Instrument(instrument) if line.legs().iter().any(is_held) => {
                        refuse(instrument.name.clone(), Uncounted::Isolated);
                    }
                    Line::Asset(asset) if asset.all_but_balance().iter().any(is_held) => {
                        refuse(asset.label(), Uncounted::NotCross(asset.label()));
                    }
                    Line::Instrument(_) | Line::Asset(_) => {}
                }
            }
        }
        if refused.is_empty() {
            Ok(())
        } else {
            Err(OracleError::NotCounted(refused))
        }
    }

    fn lots(&self, leg: zkmargin_program::LegId) -> BigRational {
        whole(self.legs.get(leg.index()).copied().unwrap_or(0))
    }

    fn numeraire_price(&self, numeraire: &str) -> Result<BigRational, OracleError> {
        if numeraire == "USD" {
            return Ok(BigRational::one());
        }
        let price = collateral::price(self.snapshot, numeraire).map(to_ratio);
        price.ok_or_else(|| OracleError::Numeraire(numeraire.to_owned()))
    }

    /// Puts `R*` in the place of `R`.
    fn net(&self, model: &crate::model::Model, evaluation: &mut Evaluation) -> Result<(), OracleError> {
        let offsets = match &self.demand.parameters().netting {
            Netting::Full => return Ok(()),
            Netting::Alone => Vec::new(),
            Netting::Partial(offsets) => offsets.clone(),
        };
        let venues = self.universe.venues();
        let required = |names: &[&str]| -> Result<[BigRational; 2], OracleError> {
            let mut legs = Zeroizing::new(vec![0_u64; self.legs.len()]);
            for venue in venues.iter().filter(|venue| names.contains(&venue.name.as_str())) {
                for leg in venue.lines.iter().flat_map(|line| line.legs()) {
                    if let (Some(to), Some(from)) = (legs.get_mut(leg.index()), self.legs.get(leg.index())) {
                        *to = *from;
                    }
                }
            }
            let alone = evaluate_model(model, self.universe, self.snapshot, &legs)?;
            Ok([alone.initial, alone.maintenance])
        };
        let mut components = Vec::new();
        let mut rest: BTreeMap<&str, BigRational> = venues
            .iter()
            .map(|venue| (venue.name.as_str(), BigRational::one()))
            .collect();
        for offset in &offsets {
            let [a, b] = offset.between.each_ref().map(String::as_str);
            if !(rest.contains_key(a) && rest.contains_key(b)) {
                continue;
            }
            let fraction = to_ratio(offset.fraction);
            for venue in [a, b] {
                if let Some(left) = rest.get_mut(venue) {
                    *left -= &fraction;
                }
            }
            let [initial, maintenance] = required(&[a, b])?;
            let note = format!("{a} and {b}, {} of their netting", offset.fraction);
            components.push(Component::new(
                "netted",
                note,
                initial * &fraction,
                maintenance * fraction,
            ));
        }
        for (venue, part) in rest {
            let [initial, maintenance] = required(&[venue])?;
            components.push(Component::new(
                "stand-alone",
                venue,
                initial * &part,
                maintenance * part,
            ));
        }
        let sum =
            |at: fn(&Component) -> &BigRational| components.iter().fold(BigRational::zero(), |sum, c| sum + at(c));
        evaluation.initial = sum(|component| &component.initial);
        evaluation.maintenance = sum(|component| &component.maintenance);
        evaluation.components = components;
        Ok(())
    }

    /// Adds the add-ons to `R*`.
    fn add(&self, model: &crate::model::Model, evaluation: &mut Evaluation) -> Result<(), OracleError> {
        let Some(rules) = &self.demand.parameters().add_ons else {
            return Ok(());
        };
        let book = crate::oracle::book::Book::unchecked(model, self.universe, self.snapshot, self.legs)?;
        for component in addons::evaluate(&book, rules)? {
            evaluation.initial += &component.initial;
            evaluation.maintenance += &component.maintenance;
            evaluation.components.push(component);
        }
        Ok(())
    }

    /// Puts `V*` in the place of `V`.
    fn deduct(&self, numeraire_price: &BigRational, evaluation: &mut Evaluation) -> Result<(), OracleError> {
        let counterparties = &self.demand.parameters().counterparties;
        for venue in self.universe.venues() {
            let mut lost = BigRational::zero();
            if let Some(haircuts) = counterparties.haircuts.get(&venue.name) {
                lost += self.off_balances(venue, haircuts);
            }
            if let Some(most) = counterparties.most.get(&venue.name) {
                lost += positive_part(self.owed(venue)? - to_ratio(*most) * numeraire_price);
            }
            evaluation.value -= lost / numeraire_price;
        }
        Ok(())
    }

    /// `Σ haircut_va p_a B_va` in USD.
    fn off_balances(&self, venue: &Venue, haircuts: &Haircuts) -> BigRational {
        let mut sum = BigRational::zero();
        for asset in venue.assets().filter(|asset| asset.isolated.is_none()) {
            let price = collateral::price(self.snapshot, &asset.name);
            if let Some((price, haircut)) = price.zip(haircuts.0.get(&asset.name)) {
                let coins = to_ratio(asset.lot) * self.lots(asset.balance);
                sum += to_ratio(price) * coins * to_ratio(*haircut);
            }
        }
        sum
    }

    /// `E_v` in USD.
    fn owed(&self, venue: &Venue) -> Result<BigRational, OracleError> {
        let mut sum = BigRational::zero();
        for instrument in venue.instruments() {
            let lots = self.lots(instrument.long) - self.lots(instrument.short);
            // Nor has it a price.
            if lots.is_zero() || matches!(instrument.kind, Kind::Sensitivity(_)) {
                continue;
            }
            let coin = match instrument.style {
                Style::Inverse => Some(BigRational::one()),
                Style::Linear => collateral::price(self.snapshot, &instrument.settlement).map(to_ratio),
            };
            let no_value = || OracleError::NoValue {
                instrument: instrument.name.clone(),
            };
            let mark = valuation::mark(self.snapshot, instrument).map_err(|source| OracleError::Pricing {
                underlying: instrument.underlying.clone(),
                source,
            })?;
            let mark = exact(mark.ok_or_else(no_value)?).ok_or_else(no_value)?;
            sum += to_ratio(instrument.lot) * lots * mark * coin.ok_or_else(no_value)?;
        }
        for asset in venue.assets().filter(|asset| asset.isolated.is_none()) {
            let Some(price) = collateral::price(self.snapshot, &asset.name) else {
                continue;
            };
            let carry = asset
                .carry
                .map_or_else(BigRational::zero, |pair| self.lots(pair.first) - self.lots(pair.second));
            let reserve = asset.reserve.map_or_else(BigRational::zero, |leg| self.lots(leg));
            let lots = self.lots(asset.balance) - self.lots(asset.debt) + carry - reserve;
            sum += to_ratio(price) * to_ratio(asset.lot) * lots;
        }
        Ok(sum)
    }

    /// What else must hold: limits, and the demand without the balances at any one venue. `evaluations` are those of its models.
    fn checks(&self, evaluations: &[Evaluation]) -> Result<Vec<Check>, OracleError> {
        let mut checks = Vec::new();
        if self.demand.parameters().counterparties.without_any_one {
            for venue in self.universe.venues() {
                let balances = venue.cross_balances();
                if balances.is_empty() {
                    continue;
                }
                let mut legs = Zeroizing::new(self.legs.to_vec());
                for leg in balances {
                    if let Some(lots) = legs.get_mut(leg.index()) {
                        *lots = 0;
                    }
                }
                let rest = Book { legs: &legs, ..*self };
                checks.push(Check::WithoutBalances {
                    venue: venue.name.clone(),
                    evaluation: Box::new(strictest(rest.each()?)),
                });
            }
        }
        let price = match evaluations.first() {
            Some(evaluation) => self.numeraire_price(&evaluation.numeraire)?,
            None => BigRational::one(),
        };
        for limit in &self.demand.parameters().limits {
            let most = to_ratio(limit.most());
            let figure = self.figure(limit)?;
            let slacks = match limit {
                Limit::Leverage(_) => evaluations
                    .iter()
                    .map(|evaluation| &most * &evaluation.value * &price - &figure)
                    .collect(),
                _ => vec![most - figure.abs()],
            };
            for slack in slacks {
                checks.push(Check::Limit {
                    name: limit.name(),
                    unit: limit.unit(),
                    slack,
                });
            }
        }
        Ok(checks)
    }

    /// What a limit is on: coins, coins per percent, USD per point, USD.
    fn figure(&self, limit: &Limit) -> Result<BigRational, OracleError> {
        let mut sum = BigRational::zero();
        for (_, instrument) in self.universe.instruments() {
            let (long, short) = (self.lots(instrument.long), self.lots(instrument.short));
            // A sensitivity has neither greek nor notional.
            let has_none = matches!(instrument.kind, Kind::Sensitivity(_)) || (long.is_zero() && short.is_zero());
            if has_none || !limit.covers(&instrument.underlying) {
                continue;
            }
            let no_value = || OracleError::NoValue {
                instrument: instrument.name.clone(),
            };
            let market = self
                .snapshot
                .underlyings
                .get(&instrument.underlying)
                .ok_or_else(no_value)?;
            let greeks = valuation::greeks(self.snapshot, instrument)
                .map_err(|source| OracleError::Pricing {
                    underlying: instrument.underlying.clone(),
                    source,
                })?
                .map_err(|_| no_value())?;
            let hundred = BigRational::from_integer(100.into());
            let (net, gross) = (&long - &short, &long + &short);
            let (index, lot) = (to_ratio(market.index), to_ratio(instrument.lot));
            let of = |figure: f64| exact(figure).ok_or_else(no_value);
            sum += lot
                * match limit {
                    Limit::NetDelta(_) => of(greeks.delta)? * net,
                    Limit::Gamma(_) => of(greeks.gamma)? * index / hundred * net,
                    Limit::Vega(_) => of(greeks.vega)? / hundred * net,
                    Limit::GrossNotional(_) | Limit::Leverage(_) => {
                        index * notional(instrument, of(greeks.delta)?) * gross
                    }
                };
        }
        Ok(sum)
    }
}

/// `n_i` over the index: coins of underlying.
fn notional(instrument: &Instrument, delta: BigRational) -> BigRational {
    match instrument.kind {
        Kind::Option { .. } => to_ratio(instrument.contract),
        _ => delta,
    }
}

fn exact(x: f64) -> Option<BigRational> {
    let mut sum = ExactSum::default();
    sum.add(x, &1.into())?;
    Some(sum.value())
}

impl Check {
    /// By how much it holds for a statement; negative where it does not.
    pub fn slack(&self, level: Level, ratio: Ratio20, least_excess: u64) -> BigRational {
        match self {
            Check::Isolated { evaluation, .. } => evaluation.excess(level, ratio, 0),
            Check::WithoutBalances { evaluation, .. } => evaluation.excess(level, ratio, least_excess),
            Check::Limit { slack, .. } => slack.clone(),
        }
    }

    /// What a refusal names.
    pub fn name(&self) -> String {
        match self {
            Check::WithoutBalances { venue, .. } => format!("margin without the balances at {venue}"),
            Check::Isolated { venue, instrument, .. } => format!("margin isolated in {instrument} at {venue}"),
            Check::Limit { name, .. } => name.clone(),
        }
    }
}
