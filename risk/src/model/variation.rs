//! Variation: whether the cash of a book covers what its positions have lost between two snapshots.
//!
//! One book, attested at the first snapshot `t0`, and a second one `t1` after it. With `m_i(t)` the mark of an instrument and
//! `p_a(t)` the price of an asset, both in the numéraire of that instant, haircuts and weights of debts as
//! [below](self#cash):
//! ```text
//! V = Σ_a p_a(t1) ( H_a(B_a) - debt_weight_a D_a - G_a )
//! R = max( 0, Σ_i ( m_i(t0) - m_i(t1) ) q_i + Σ_a ( p_a(t0) - p_a(t1) ) K_a )
//! ```
//! and `V - ρ R - e >= 0` as at the other levels: what the positions have lost is at most the cash. A position is its legs and the
//! carry of its settlement asset together: the carry is the same coins at both instants, and not the same money. An inverse
//! future has its profit and loss there alone, its legs being worth about its size at any price. What counts is what counts
//! under the model at `t0`; an instrument that has expired since then is worth its payoff at
//! the delivery price `S` that the second snapshot has for its expiry, a coin of it at the index of `t1`:
//! ```text
//! linear   option max(S - K, 0) k, max(K - S, 0) k     future  S k
//! inverse  option (max(±(S - K), 0) / S) k I           future  -(k / S) I
//! ```
//! An instrument that has no value at either snapshot is proven empty: what the second one neither prices nor delivers, and every
//! sensitivity. So are debt, carry and reserve of an asset that either snapshot does not price.
//!
//! # Cash
//! The rule is one for every kind of model; a kind says what counts and how its assets count as cash
//! (`haircut`, `tiers`, `cap` and `debt_weight` of [`assets`](crate::model::assets)). Marks are those of [`crate::valuation`] also where a
//! kind gives options no value, as the linear ones do; and debts come off the cash also where a kind has them in its requirement. What
//! a kind charges at its levels is no part of it: shocks, further haircuts of the initial level, factors on debts, loans. Under
//! Derive's PM2, whose haircuts are charges, cash is less the maintenance haircut; under PMRM, which has none, it is whole.
//!
//! # Isolated positions
//! Where the model margins isolated positions, the statement is of each by itself besides, without the least excess: what it has lost is at most
//! its own cash. Where it does not they are proven empty.
//!
//! # Demands
//! Under a demand each of its models must be met, with its own haircuts. A demand that asks for more than that has no
//! variation: netting between venues, add-ons, counterparties and limits are of one instant.

use std::collections::BTreeSet;

use rust_decimal::Decimal;
use zkmargin_program::{Builder, LegId, Linear, Lower, Program};

use crate::amount::to_f64;
use crate::collateral;
use crate::market::Snapshot;
use crate::model::assets::AssetRules;
use crate::model::compile::{CompileError, Forms, REQUIREMENT};
use crate::model::demand;
use crate::model::factor::ratio;
use crate::model::sheet::Sheet;
use crate::model::{Model, Scope};
use crate::pricing::PricingError;
use crate::terms::Terms;
use crate::universe::{Instrument, Kind, Right, Style, Universe};
use crate::valuation;

/// What a demand must be to have a variation.
pub(crate) const MORE_THAN_MODELS: &str =
    "to ask for its models alone: netting between venues, add-ons, counterparties and limits have no variation";

/// What a variation says of orders.
pub(crate) const NO_ORDER: &str =
    "a variation of what was held: an order that is supposed today has no price at the first snapshot";

impl Model {
    /// The program of the variation of a book between two snapshots.
    ///
    /// # Errors
    /// [`CompileError`], [`CompileError::Missing`] for snapshots out of order, an order, a demand that asks for more than its models, and a model
    /// without its price history among it.
    pub(super) fn compile_variation(
        &self,
        universe: &Universe,
        snapshots: [&Snapshot; 2],
        terms: &Terms,
    ) -> Result<Program, CompileError> {
        let [before, after] = snapshots;
        before.check()?;
        after.check()?;
        let missing = |what: &str| CompileError::Missing {
            model: self.name().to_owned(),
            what: what.to_owned(),
        };
        if terms.order.is_some() {
            return Err(missing(NO_ORDER));
        }
        if after.instant <= before.instant {
            return Err(missing("a second snapshot that is later than the first"));
        }
        let rule = self.rule();
        let models = self.of_variation().ok_or_else(|| missing(MORE_THAN_MODELS))?;
        if let Some(what) = models.iter().find_map(|model| model.rule().missing()) {
            return Err(missing(&what));
        }
        let numeraire = rule.numeraire();
        let mut builder = Builder::new(universe.layout().clone(), numeraire.header())?;
        for (pair, public) in terms.touched_pairs(universe)? {
            builder.net(pair, public)?;
        }
        let (names, then) = (rule.names(), Scope::new(universe, before));
        let mut pools = vec![then.clone()];
        if names.isolated {
            pools.extend(then.positions());
        }
        let mut valued = BTreeSet::new();
        for then in &pools {
            let now = Scope {
                snapshot: after,
                ..then.clone()
            };
            let [old, new] = [
                Sheet::new(&names, then, &numeraire)?,
                Sheet::new(&names, &now, &numeraire)?,
            ];
            // Of which nothing counts at both instants is proven empty.
            if then.position.is_some() && new.assets.is_empty() {
                continue;
            }
            let lost = lost([&old, &new], [before, after], &mut valued)?;
            let lost = builder.upper(&lost)?;
            let requirement = builder.positive_part("variation", lost)?;
            let terms = Terms {
                excess: if then.position.is_some() { 0 } else { terms.excess },
                ..terms.clone()
            };
            for model in &models {
                let name = match models.len() {
                    1 => REQUIREMENT.to_owned(),
                    _ => demand::requirement_of(model),
                };
                let name = match &then.position {
                    Some(_) => then.requirement(&name),
                    None => name,
                };
                let value = cash(&mut builder, &new, &model.rule().cash())?;
                let requirement = requirement.clone();
                numeraire.require(&mut builder, &name, &terms, Forms { value, requirement })?;
            }
        }
        let mut empty: Vec<LegId> = rule.uncounted(&then).0;
        empty.extend(rule.uncounted_assets(&Scope::new(universe, after)));
        let instruments = universe.instruments().map(|(_, instrument)| instrument);
        let without_value = instruments.filter(|instrument| !valued.contains(&instrument.long));
        empty.extend(without_value.flat_map(|instrument| [instrument.long, instrument.short]));
        empty.sort_unstable();
        empty.dedup();
        builder.prove_empty(&empty)?;
        Ok(builder.finish()?)
    }

    /// The models whose variation must be met; `None` if more is asked for than variation has.
    pub(crate) fn of_variation(&self) -> Option<Vec<&Model>> {
        match self {
            Model::Demand(demand) => demand.is_of_models_alone().then(|| demand.models().iter().collect()),
            one => Some(vec![one]),
        }
    }
}

/// What the positions of two sheets of the same lines have lost, with their carry. Instruments that have a value at both are added to
/// `valued`, by their long legs; no others are in it.
fn lost(
    [old, new]: [&Sheet<'_>; 2],
    [before, after]: [&Snapshot; 2],
    valued: &mut BTreeSet<LegId>,
) -> Result<Linear, CompileError> {
    let mut lost = Linear::zero();
    for (position, mark) in old.marks(before.instant)? {
        let instrument = position.instrument;
        let coin = match instrument.style {
            Style::Inverse => Some(Decimal::ONE),
            Style::Linear => collateral::price(after, &instrument.settlement),
        };
        let (Some(value), Some(coin)) = (worth(after, instrument)?, coin) else {
            continue;
        };
        let per_lot = new.units_per_usd.times(ratio(instrument.lot)?)?.times(ratio(coin)?)?;
        let units = position.per_lot.enclose(mark)?.checked_sub(per_lot.enclose(value)?)?;
        lost.add_leg(instrument.long, units);
        lost.add_leg(instrument.short, units.checked_neg()?);
        valued.insert(instrument.long);
    }
    for (name, asset) in &old.assets {
        // Without a price at either instant its carry is proven empty.
        if let Some(later) = new.assets.get(name) {
            let mut worth = Linear::zero();
            later.holding.add_carry(&mut worth, later.per_coin)?;
            asset.holding.add_carry(&mut lost, asset.per_coin)?;
            lost += -worth;
        }
    }
    Ok(lost)
}

/// `V`: the cash of a sheet.
fn cash(builder: &mut Builder, sheet: &Sheet<'_>, rules: &AssetRules) -> Result<Lower, CompileError> {
    let (mut cash, mut counted) = (Linear::zero(), Vec::new());
    for (name, asset) in &sheet.assets {
        if let Some(rule) = rules.get(*name) {
            asset
                .holding
                .add_cash(builder, asset.per_coin, rule, &mut cash, &mut counted)?;
        }
    }
    let cash = builder.lower(&cash)?;
    Ok(counted.into_iter().fold(cash, |sum, part| sum + part))
}

/// What a contract is worth at a snapshot, long: its mark, or its payoff if it has expired. In USD, or in the settlement asset of a
/// linear instrument; `None` if the snapshot has neither.
pub(crate) fn worth(snapshot: &Snapshot, instrument: &Instrument) -> Result<Option<f64>, PricingError> {
    let Some(expiry) = instrument.kind.expiry().filter(|expiry| *expiry <= snapshot.instant) else {
        return valuation::mark(snapshot, instrument);
    };
    let market = snapshot.underlyings.get(&instrument.underlying);
    let Some((market, delivery)) = market.and_then(|market| Some((market, market.deliveries.get(&expiry)?))) else {
        return Ok(None);
    };
    let (delivery, index, contract) = (to_f64(*delivery), to_f64(market.index), to_f64(instrument.contract));
    let positive = |x: f64| if x > 0.0 { x } else { 0.0 };
    Ok(Some(match (&instrument.kind, instrument.style) {
        (Kind::Option { strike, right, .. }, style) => {
            let strike = to_f64(*strike);
            let payoff = match right {
                Right::Call => positive(delivery - strike),
                Right::Put => positive(strike - delivery),
            };
            match style {
                Style::Linear => payoff * contract,
                Style::Inverse => payoff / delivery * contract * index,
            }
        }
        (_, Style::Linear) => delivery * contract,
        (_, Style::Inverse) => -(contract / delivery * index),
    }))
}

#[cfg(test)]
mod tests;
