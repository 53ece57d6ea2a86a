//! From the rule to a program.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use zkmargin_program::{Builder, Linear, Ratio, Real, Upper};

use crate::instant::Instant;
use crate::market::UnderlyingMarket;
use crate::model::compile::{CompileError, Forms};
use crate::model::factor::ratio;
use crate::model::linear::LinearMargin;
use crate::model::linear::parameters::{Debts, Parameters, UnderlyingParameters};
use crate::model::sheet::{Position, Sheet};
use crate::model::short_option::Facts;
use crate::model::tiers::{Market, Notional};
use crate::model::{Rule, Scope};
use crate::terms::Level;
use crate::universe::{Kind, Style};

impl LinearMargin {
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
        add_collateral(parameters, &sheet, level, &mut value, &mut linear)?;
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
                sheet: &sheet,
                is_isolated: scope.position.is_some(),
                positions,
            };
            desk.add_options(&mut linear)?;
            desk.add_futures(builder, &mut value, &mut linear, &mut parts)?;
        }
        let value = builder.lower(&value)?;
        let requirement = builder.upper(&linear)?;
        Ok(Forms {
            value: capped.into_iter().fold(value, |sum, part| sum + part),
            requirement: parts.into_iter().fold(requirement, |sum, part| sum + part),
        })
    }
}

/// `initial_a`, `debt_a`, and debts back to the value where they are the requirement.
fn add_collateral(
    parameters: &Parameters,
    sheet: &Sheet<'_>,
    level: Level,
    value: &mut Linear,
    requirement: &mut Linear,
) -> Result<(), CompileError> {
    for (name, asset) in &sheet.assets {
        let Some(rule) = parameters.assets.get(*name) else {
            continue;
        };
        if let (Level::Initial, Some(haircut)) = (level, parameters.initial_haircuts.get(*name)) {
            let more = asset.per_coin.times(ratio(*haircut - rule.haircut)?)?;
            asset.holding.add_balance(requirement, more)?;
        }
        let factor = parameters.debt_factors.get(*name).copied().unwrap_or(Decimal::ONE);
        let charged = match parameters.debts {
            Debts::Value => factor - Decimal::ONE,
            Debts::Requirement => factor,
        };
        // A debt is taken with a sign.
        let minus = |part: Decimal| Ok::<_, CompileError>(asset.per_coin.times(ratio(-part)?)?);
        if !charged.is_zero() {
            asset.holding.take_debt(requirement, minus(charged)?)?;
        }
        if parameters.debts == Debts::Requirement {
            asset.holding.take_debt(value, minus(Decimal::ONE)?)?;
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
    sheet: &'d Sheet<'a>,
    /// Accounts are added up, but no isolated position of one is netted with that of another.
    is_isolated: bool,
    /// And the mark of one contract.
    positions: Vec<(&'d Position<'a>, f64)>,
}

impl Desk<'_, '_> {
    /// `options_u`.
    fn add_options(&self, linear: &mut Linear) -> Result<(), CompileError> {
        let Some(rule) = &self.rules.short_option else {
            return Ok(());
        };
        for (position, mark) in &self.positions {
            let Kind::Option { expiry, strike, right } = position.instrument.kind else {
                continue;
            };
            // What counts has an expiry in the snapshot.
            let Some(chain) = self.market.expiries.get(&expiry) else {
                continue;
            };
            let facts = Facts {
                right,
                strike,
                index: self.market.index,
                forward: chain.forward,
                mark: *mark,
            };
            linear.add_leg(position.instrument.short, rule.units(position, &facts, self.level)?);
        }
        Ok(())
    }

    /// `margin_b`, `fees_b` and `funding_b`, and what the positions are worth.
    fn add_futures(
        &self,
        builder: &mut Builder,
        value: &mut Linear,
        linear: &mut Linear,
        parts: &mut Vec<Upper>,
    ) -> Result<(), CompileError> {
        let mut buckets: BTreeMap<Option<Instant>, Linear> = BTreeMap::new();
        let perpetual = self.market.perpetual.as_ref();
        for (position, mark) in &self.positions {
            let instrument = position.instrument;
            let (schedule, price, funding) = match instrument.kind {
                Kind::Option { .. } | Kind::Sensitivity(_) => continue,
                Kind::Future { expiry } => {
                    let future = self.market.futures.get(&expiry);
                    (&self.rules.future, future.map(|future| future.price), Decimal::ZERO)
                }
                Kind::Perpetual => (
                    &self.rules.perpetual,
                    perpetual.map(|perpetual| perpetual.price),
                    perpetual.map_or(Decimal::ZERO, |perpetual| perpetual.funding),
                ),
            };
            // What counts has a price; what has no schedule is proven empty.
            let (Some(schedule), Some(price)) = (schedule, price) else {
                continue;
            };
            let contract = position.per_lot.times(ratio(instrument.contract)?)?;
            let notional = match instrument.style {
                Style::Linear => contract.times(ratio(price)?)?.real()?,
                Style::Inverse => contract.real()?,
            };
            position.add_net(value, *mark, Ratio::ONE)?;
            schedule.add_provisions([instrument.long, instrument.short], notional, funding, linear)?;
            let form = buckets.entry(instrument.kind.expiry()).or_default();
            form.add_leg(instrument.long, notional);
            form.add_leg(
                instrument.short,
                if self.is_isolated {
                    notional
                } else {
                    notional.checked_neg()?
                },
            );
        }
        let units = |usd: Ratio| -> Result<Real, CompileError> { Ok(self.sheet.units_per_usd.times(usd)?.real()?) };
        for (expiry, form) in buckets {
            let (schedule, name) = match expiry {
                Some(expiry) => (&self.rules.future, format!("futures of {} {expiry}", self.name)),
                None => (&self.rules.perpetual, format!("perpetuals of {}", self.name)),
            };
            let market = Market {
                level: self.level,
                index: self.market.index,
                open_interest: match expiry {
                    Some(_) => None,
                    None => perpetual.and_then(|perpetual| perpetual.quote.open_interest),
                },
                units: &units,
            };
            if let Some(schedule) = schedule {
                let notional = if self.is_isolated {
                    Notional::Gross(form)
                } else {
                    Notional::Net(form)
                };
                schedule.add_margin(builder, &name, notional, &market, linear, parts)?;
            }
        }
        Ok(())
    }
}
