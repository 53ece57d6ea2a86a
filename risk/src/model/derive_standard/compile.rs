//! From the rule to a program.

use std::collections::{BTreeMap, BTreeSet};

use rust_decimal::Decimal;
use zkmargin_program::{Builder, Linear, Ratio, Real, Upper};

use crate::collateral;
use crate::instant::Instant;
use crate::market::{Snapshot, UnderlyingMarket};
use crate::model::compile::{CompileError, Forms, magnitude};
use crate::model::derive_standard::DeriveStandard;
use crate::model::derive_standard::parameters::{Parameters, Settlements, UnderlyingParameters};
use crate::model::factor::{Factor, inverse, ratio};
use crate::model::sheet::{Position, Sheet};
use crate::model::short_option::Facts;
use crate::model::{Rule, Scope};
use crate::terms::Level;
use crate::universe::{Kind, Right, Style};

impl DeriveStandard {
    /// `V` and `R` of the accounts in a scope.
    pub(super) fn compile(
        &self,
        builder: &mut Builder,
        scope: &Scope<'_>,
        level: Level,
    ) -> Result<Forms, CompileError> {
        let parameters = self.parameters();
        let sheet = Sheet::new(&self.names(), scope, &self.numeraire())?;
        let (mut value, mut capped) = (Linear::zero(), Vec::new());
        let (mut linear, mut parts) = (Linear::zero(), Vec::new());
        sheet.add_collateral(builder, &parameters.assets, &mut value, &mut capped)?;
        let numeraire_price = self.numeraire().price(scope.snapshot)?;
        add_base(parameters, scope.snapshot, &sheet, numeraire_price, level, &mut linear)?;
        for (name, rules) in &parameters.underlyings {
            let positions = sheet.marks_on(name, scope.snapshot.instant)?;
            let Some(market) = positions.first().map(|(position, _)| position.market) else {
                continue;
            };
            let desk = Desk {
                name,
                rules,
                market,
                level,
                settlements: parameters.settlements,
                depeg: depeg(parameters, scope.snapshot)?,
                positions,
            };
            for (position, mark) in &desk.positions {
                if !matches!(position.instrument.kind, Kind::Option { .. }) {
                    position.add_net(&mut value, *mark, Ratio::ONE)?;
                }
            }
            desk.add_options(builder, &mut linear, &mut parts)?;
            desk.add_futures(builder, &mut linear, &mut parts)?;
        }
        let value = builder.lower(&value)?;
        let requirement = builder.upper(&linear)?;
        Ok(Forms {
            value: capped.into_iter().fold(value, |sum, part| sum + part),
            requirement: parts.into_iter().fold(requirement, |sum, part| sum + part),
        })
    }
}

/// `μ`; none where it is 0.
fn depeg(parameters: &Parameters, snapshot: &Snapshot) -> Result<Option<Ratio>, CompileError> {
    let Some(depeg) = &parameters.depeg else {
        return Ok(None);
    };
    let price = collateral::price(snapshot, &depeg.asset).ok_or_else(|| CompileError::Missing {
        model: parameters.name.clone(),
        what: format!("the price of {} in the snapshot", depeg.asset),
    })?;
    if price >= depeg.threshold {
        return Ok(None);
    }
    let below = ratio(depeg.threshold)?.checked_add(ratio(price)?.checked_neg()?)?;
    Ok(Some(below.checked_mul(ratio(depeg.factor)?)?))
}

/// The smaller confidence; what is not said is whole.
fn confidence(one: Option<Decimal>, other: Option<Decimal>) -> Decimal {
    [one, other]
        .into_iter()
        .flatten()
        .fold(Decimal::ONE, |least, next| least.min(next))
}

/// `Σ base_a`, and at the initial level `Σ oracle_a`.
fn add_base(
    parameters: &Parameters,
    snapshot: &Snapshot,
    sheet: &Sheet<'_>,
    numeraire_price: Decimal,
    level: Level,
    form: &mut Linear,
) -> Result<(), CompileError> {
    for (name, asset) in &sheet.assets {
        let Some((rule, underlying)) = parameters
            .assets
            .get(*name)
            .and_then(|rule| Some((rule, rule.underlying.as_deref()?)))
        else {
            continue;
        };
        let scale = match level {
            Level::Initial => parameters.initial_scale.get(*name).copied(),
            Level::Maintenance => None,
        };
        // Per coin, in units: p_a / p_M times what is below, as `1 / p_M - σ = (1 - σ p_M) / p_M`.
        let kept = ratio(scale.unwrap_or(Decimal::ONE))?.checked_mul(ratio(numeraire_price)?)?;
        let over = Ratio::ONE.checked_add(kept.checked_neg()?)?;
        if !over.is_negative() && over != Ratio::ZERO {
            let per_coin = asset.per_coin.times(ratio(Decimal::ONE - rule.haircut)?)?.times(over)?;
            asset.holding.add_balance(form, per_coin)?;
        }
        let oracle = parameters
            .underlyings
            .get(underlying)
            .and_then(|underlying| underlying.oracle);
        let of_index = snapshot
            .underlyings
            .get(underlying)
            .and_then(|market| market.confidence);
        let confidence = confidence(of_index, snapshot.confidences.get(*name).copied());
        let gap = oracle.and_then(|oracle| oracle.gap(oracle.base_threshold, confidence));
        if let (Level::Initial, Some([factor, gap])) = (level, gap) {
            // The rule's p_a counts as units of the numéraire: p_M times what the sheet makes of a coin.
            let per_coin = asset
                .per_coin
                .times(ratio(numeraire_price)?)?
                .times(ratio(factor)?)?
                .times(ratio(gap)?)?;
            asset.holding.add_balance(form, per_coin)?;
        }
    }
    Ok(())
}

/// One underlying.
struct Desk<'d, 'a> {
    name: &'d str,
    rules: &'d UnderlyingParameters,
    market: &'a UnderlyingMarket,
    level: Level,
    settlements: Settlements,
    /// `μ`.
    depeg: Option<Ratio>,
    /// And the mark of one contract.
    positions: Vec<(&'d Position<'a>, f64)>,
}

/// An option of an expiry.
#[derive(Copy, Clone)]
struct Listed<'d, 'a> {
    position: &'d Position<'a>,
    mark: f64,
    strike: Decimal,
    right: Right,
}

impl<'d, 'a> Desk<'d, 'a> {
    /// What a coin of a short option, or of futures, needs beyond the rule's own figure: `(gap + μ) · I_u`; none at the
    /// maintenance level.
    fn surcharge(&self, gap: Option<[Decimal; 2]>) -> Result<Factor, CompileError> {
        if self.level == Level::Maintenance {
            return Ok(Factor::new(Ratio::ZERO));
        }
        let gap = match gap {
            Some([factor, gap]) => ratio(factor)?.checked_mul(ratio(gap)?)?,
            None => Ratio::ZERO,
        };
        let both = gap.checked_add(self.depeg.unwrap_or(Ratio::ZERO))?;
        Ok(Factor::new(ratio(self.market.index)?).times(both)?)
    }

    /// `Σ_e option_e`, with `oracle_e` and the options' part of `depeg_u`.
    fn add_options(
        &self,
        builder: &mut Builder,
        linear: &mut Linear,
        parts: &mut Vec<Upper>,
    ) -> Result<(), CompileError> {
        let mut expiries: BTreeMap<Instant, Vec<Listed<'d, 'a>>> = BTreeMap::new();
        for (position, mark) in &self.positions {
            if let Kind::Option { expiry, strike, right } = position.instrument.kind {
                expiries.entry(expiry).or_default().push(Listed {
                    position,
                    mark: *mark,
                    strike,
                    right,
                });
            }
        }
        for (expiry, options) in expiries {
            // What counts has an expiry in the snapshot.
            let Some(chain) = self.market.expiries.get(&expiry) else {
                continue;
            };
            let confidence = confidence(self.market.confidence, chain.confidence);
            let gap = self.rules.oracle;
            let surcharge = self.surcharge(gap.and_then(|oracle| oracle.gap(oracle.option_threshold, confidence)))?;
            let mut isolated = Linear::zero();
            for option in &options {
                let facts = Facts {
                    right: option.right,
                    strike: option.strike,
                    index: self.market.index,
                    forward: chain.forward,
                    mark: option.mark,
                };
                let short = option.position.instrument.short;
                let units = self.rules.short_option.units(option.position, &facts, self.level)?;
                isolated.add_leg(short, units);
                if !surcharge.is_zero() {
                    linear.add_leg(short, option.per_coin()?.times_all(&surcharge)?.real()?);
                }
            }
            let isolated = builder.upper(&isolated)?;
            let name = format!("{} {expiry}", self.name);
            let max_loss = self.max_loss(builder, &name, &options, chain.forward)?;
            parts.push(builder.any_of_upper(&format!("margin of {name}"), isolated, max_loss)?);
        }
        Ok(())
    }

    /// `worst_e + unpaired_e`.
    fn max_loss(
        &self,
        builder: &mut Builder,
        name: &str,
        options: &[Listed<'d, 'a>],
        forward: Decimal,
    ) -> Result<Upper, CompileError> {
        let mut settlements: BTreeSet<Decimal> = options.iter().map(|option| option.strike).collect();
        settlements.insert(Decimal::ZERO);
        let mut losses = Vec::with_capacity(settlements.len());
        for settlement in settlements {
            let mut loss = Linear::zero();
            for option in options {
                let payoff = option.payoff(settlement)?;
                if payoff != Real::ZERO {
                    loss.add_leg(option.position.instrument.long, payoff.checked_neg()?);
                    loss.add_leg(option.position.instrument.short, payoff);
                }
            }
            if loss != Linear::zero() {
                // At 0 the rule looks whatever is held.
                let at_strike = options.iter().filter(|option| option.strike == settlement);
                let legs = at_strike.flat_map(|option| {
                    let instrument = option.position.instrument;
                    [instrument.long, instrument.short]
                });
                losses.push((legs.collect(), builder.upper(&loss)?));
            }
        }
        let worst = format!("max loss of {name}");
        let worst = match self.settlements {
            Settlements::Listed => builder.max_non_negative(&worst, losses.into_iter().map(|(_, loss)| loss))?,
            Settlements::Held => builder.max_of_held(&worst, losses)?,
        };
        let scale = ratio(self.rules.unpaired.at(self.level))?.checked_mul(ratio(forward)?)?;
        let mut unpaired = Linear::zero();
        for option in options.iter().filter(|option| option.right == Right::Call) {
            let coins = option.per_coin()?.times(scale)?.real()?;
            unpaired.add_leg(option.position.instrument.long, coins.checked_neg()?);
            unpaired.add_leg(option.position.instrument.short, coins);
        }
        if unpaired == Linear::zero() {
            return Ok(worst);
        }
        let unpaired = builder.upper(&unpaired)?;
        Ok(worst + builder.positive_part(&format!("unpaired calls of {name}"), unpaired)?)
    }

    /// `Σ_b future_b`, with `oracle_b` and the futures' part of `depeg_u`.
    fn add_futures(
        &self,
        builder: &mut Builder,
        linear: &mut Linear,
        parts: &mut Vec<Upper>,
    ) -> Result<(), CompileError> {
        let mut buckets: BTreeMap<Option<Instant>, Linear> = BTreeMap::new();
        for (position, _) in &self.positions {
            let instrument = position.instrument;
            let (price, confidence) = match instrument.kind {
                Kind::Option { .. } | Kind::Sensitivity(_) => continue,
                Kind::Future { expiry } => match self.market.futures.get(&expiry) {
                    Some(future) => (future.price, confidence(self.market.confidence, None)),
                    None => continue,
                },
                Kind::Perpetual => match &self.market.perpetual {
                    Some(quote) => (quote.price, confidence(self.market.confidence, quote.confidence)),
                    None => continue,
                },
            };
            let gap = self.rules.oracle;
            let surcharge = self.surcharge(gap.and_then(|oracle| oracle.gap(oracle.future_threshold, confidence)))?;
            let rate = ratio(self.rules.futures.at(self.level))?;
            // `n_i (futures(level) P_b + surcharge)`: an inverse contract has a notional of its size.
            let contract = position.per_lot.times(ratio(instrument.contract)?)?;
            let units = match instrument.style {
                Style::Linear => {
                    let price = contract.times(rate)?.times(ratio(price)?)?.real()?;
                    price.checked_add(contract.times_all(&surcharge)?.real()?)?
                }
                Style::Inverse => {
                    let coins = contract.times_all(&surcharge)?.times(inverse(price)?)?.real()?;
                    contract.times(rate)?.real()?.checked_add(coins)?
                }
            };
            let form = buckets.entry(instrument.kind.expiry()).or_default();
            form.add_leg(instrument.long, units);
            form.add_leg(instrument.short, units.checked_neg()?);
        }
        for (expiry, form) in buckets {
            if form == Linear::zero() {
                continue;
            }
            let name = match expiry {
                Some(expiry) => format!("futures of {} {expiry}", self.name),
                None => format!("perpetuals of {}", self.name),
            };
            let part = magnitude(builder, &name, form, linear)?;
            parts.push(part);
        }
        Ok(())
    }
}

impl Listed<'_, '_> {
    /// Units of the numéraire in a lot of contracts of which each coin is worth 1.
    fn per_coin(&self) -> Result<Factor, CompileError> {
        Ok(self.position.per_lot.times(ratio(self.position.instrument.contract)?)?)
    }

    /// Units of the numéraire that a lot long pays at a settlement price.
    fn payoff(&self, settlement: Decimal) -> Result<Real, CompileError> {
        let (above, below) = match self.right {
            Right::Call => (settlement, self.strike),
            Right::Put => (self.strike, settlement),
        };
        if above <= below {
            return Ok(Real::ZERO);
        }
        let paid = ratio(above)?.checked_add(ratio(below)?.checked_neg()?)?;
        Ok(self.per_coin()?.times(paid)?.real()?)
    }
}
