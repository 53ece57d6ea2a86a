//! Variation: whether the cash of a book covers what its positions have lost between two snapshots.
//!
//! One book, attested at the first snapshot `t0`, and a second one `t1` after it. With `m_i(t)` the mark of an instrument and
//! `p_a(t)` the price of an asset, both in the numéraire of that instant, haircuts and weights of debts as the model's
//! [file](crate::model::assets) has them:
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
//! An instrument that the second snapshot neither prices nor delivers is proven empty, and so are debt, carry and reserve of an asset that
//! either snapshot does not price.
//!
//! Under a demand each of its models must be met, with its own haircuts. A demand that asks for more than that has no
//! variation: netting between venues, add-ons, counterparties and limits are of one instant.

use zkmargin_program::{Builder, LegId, Linear, Program};

use crate::amount::to_f64;
use crate::collateral;
use crate::market::Snapshot;
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

impl Model {
    /// The program of the variation of a book between two snapshots.
    ///
    /// # Errors
    /// [`CompileError`], [`CompileError::Missing`] for a model without assets among it, and for snapshots out of order.
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
        if after.instant <= before.instant {
            return Err(missing("a second snapshot that is later than the first"));
        }
        let rule = self.rule();
        let models = self.of_variation().ok_or_else(|| missing(MORE_THAN_MODELS))?;
        let numeraire = rule.numeraire();
        let mut builder = Builder::new(universe.layout().clone(), numeraire.header())?;
        for pair in terms.touched_pairs(universe)? {
            builder.net(pair)?;
        }
        let (names, then) = (rule.names(), Scope::new(universe, before));
        let (old, new) = (
            Sheet::new(&names, &then, &numeraire)?,
            Sheet::new(&names, &Scope::new(universe, after), &numeraire)?,
        );
        let mut empty: Vec<LegId> = rule.uncounted(&then).0;
        empty.extend(rule.uncounted_assets(&Scope::new(universe, after)));
        let mut loss = Linear::zero();
        for (position, mark) in old.marks(before.instant)? {
            let instrument = position.instrument;
            let Some(value) = worth(after, instrument)? else {
                empty.extend([instrument.long, instrument.short]);
                continue;
            };
            let coin = match instrument.style {
                Style::Inverse => rust_decimal::Decimal::ONE,
                // A settlement asset without a price is proven empty, and so is what settles in it.
                Style::Linear => match collateral::price(after, &instrument.settlement) {
                    Some(price) => price,
                    None => {
                        empty.extend([instrument.long, instrument.short]);
                        continue;
                    }
                },
            };
            let per_lot = new.units_per_usd.times(ratio(instrument.lot)?)?.times(ratio(coin)?)?;
            let lost = position.per_lot.enclose(mark)?.checked_sub(per_lot.enclose(value)?)?;
            loss.add_leg(instrument.long, lost);
            loss.add_leg(instrument.short, lost.checked_neg()?);
        }
        for (name, asset) in &old.assets {
            // Without a price at either instant its carry is proven empty.
            if let Some(later) = new.assets.get(name) {
                let mut worth = Linear::zero();
                later.holding.add_carry(&mut worth, later.per_coin)?;
                asset.holding.add_carry(&mut loss, asset.per_coin)?;
                loss += -worth;
            }
        }
        empty.sort_unstable();
        empty.dedup();
        builder.prove_empty(&empty)?;
        let loss = builder.upper(&loss)?;
        let requirement = builder.positive_part("variation", loss)?;
        for model in &models {
            let assets = model.assets().ok_or_else(|| missing("assets, to say what is cash"))?;
            let (mut cash, mut counted) = (Linear::zero(), Vec::new());
            for (name, asset) in &new.assets {
                if let Some(rule) = assets.get(*name) {
                    asset
                        .holding
                        .add_cash(&mut builder, asset.per_coin, rule, &mut cash, &mut counted)?;
                }
            }
            let cash = builder.lower(&cash)?;
            let value = counted.into_iter().fold(cash, |sum, part| sum + part);
            let requirement = requirement.clone();
            let name = match models.len() {
                1 => REQUIREMENT.to_owned(),
                _ => demand::requirement_of(model),
            };
            numeraire.require(&mut builder, &name, terms, Forms { value, requirement })?;
        }
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
