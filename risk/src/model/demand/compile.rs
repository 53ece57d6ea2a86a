//! From a demand to rows of a program.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use zkmargin_program::{Builder, Linear, Lower, NonNegative, Ratio, Upper};

use super::{Demand, Limit, Netting};
use crate::amount::to_f64;
use crate::model::compile::{CompileError, Forms, Numeraire, REQUIREMENT, WITHOUT_BALANCES, beginning};
use crate::model::factor::ratio;
use crate::model::scan::Facts;
use crate::model::sheet::Sheet;
use crate::model::{Model, Scope};
use crate::pricing::PricingError;
use crate::terms::{Level, Terms};
use crate::universe::{Instrument, Kind, Venue};
use crate::valuation;

/// Bytes of a model's name in the name of a requirement.
const NAME_ROOM: usize = 20;
/// Points of volatility, and percents, in 1.
const HUNDRED: i64 = 100;

pub(super) fn require(
    demand: &Demand,
    builder: &mut Builder,
    scope: &Scope<'_>,
    level: Level,
    terms: &Terms,
) -> Result<(), CompileError> {
    let desk = Desk {
        demand,
        scope: scope.clone(),
        numeraire: super::Rule::numeraire(demand),
    };
    desk.check_names()?;
    let sheets = desk.sheets()?;
    desk.require_each(builder, &sheets, level, terms, None)?;
    if demand.parameters.counterparties.without_any_one {
        for (_, venue) in sheets.keys().filter_map(|name| scope.universe.venue(name)) {
            let balances = venue.cross_balances();
            // Without any it would be the same once more.
            if !balances.is_empty() {
                builder.without(&balances, |builder| {
                    desk.require_each(builder, &sheets, level, terms, Some(venue))
                })?;
            }
        }
    }
    if demand.is_of_models_alone() {
        for model in &demand.models {
            let name = desk.requirement(model);
            model.rule().require_isolated(builder, scope, level, terms, &name)?;
        }
    }
    desk.limits(builder, &sheets)
}

/// What the requirement of one of several models is called where it is not met.
pub(crate) fn requirement_of(model: &Model) -> String {
    format!("{REQUIREMENT} by {}", beginning(model.name(), NAME_ROOM))
}

struct Desk<'a> {
    demand: &'a Demand,
    scope: Scope<'a>,
    numeraire: Numeraire,
}

/// Everything that the snapshot prices at one venue, by the name of the venue.
type Sheets<'a> = BTreeMap<&'a str, Sheet<'a>>;

impl<'a> Desk<'a> {
    /// Each model's `V* - ρ R* - e >= 0`, and the limits on its leverage; the first alone where it is of the book without the balances at a venue.
    fn require_each(
        &self,
        builder: &mut Builder,
        sheets: &Sheets<'a>,
        level: Level,
        terms: &Terms,
        without: Option<&Venue>,
    ) -> Result<(), CompileError> {
        let deduction = self.deduction(builder, sheets)?;
        for model in &self.demand.models {
            let mut forms = self.across_venues(model, builder, level)?;
            if let Some(add_ons) = self.add_ons(model, builder)? {
                forms.requirement = forms.requirement + add_ons;
            }
            forms.value = forms.value - deduction.clone();
            let mut name = self.requirement(model);
            match without {
                Some(venue) => name = format!("{name}{WITHOUT_BALANCES}{}", venue.name),
                None => self.leverage(builder, sheets, &forms.value)?,
            }
            self.numeraire.require(builder, &name, terms, forms)?;
        }
        Ok(())
    }

    /// What the requirement of a model is called where it is not met.
    fn requirement(&self, model: &Model) -> String {
        match self.demand.models.as_slice() {
            [_] => REQUIREMENT.to_owned(),
            _ => requirement_of(model),
        }
    }

    /// A sheet per venue of the scope, of everything that the snapshot prices.
    fn sheets(&self) -> Result<Sheets<'a>, CompileError> {
        let mut sheets = BTreeMap::new();
        for index in self.venues() {
            if let Some(venue) = self.scope.universe.venues().get(index) {
                let sheet = Sheet::everything(&self.scope.of([index]), &self.numeraire)?;
                sheets.insert(venue.name.as_str(), sheet);
            }
        }
        Ok(sheets)
    }

    /// Refuses a haircut or a limit on what nobody lists: a misspelt name would bound nothing, and nobody would notice.
    fn check_names(&self) -> Result<(), CompileError> {
        let (universe, snapshot) = (self.scope.universe, self.scope.snapshot);
        let parameters = &self.demand.parameters;
        let known = |field: String, what, name: &str, found: bool| match found {
            true => Ok(()),
            false => Err(CompileError::Unknown {
                field,
                what,
                name: name.to_owned(),
            }),
        };
        let counterparties = &parameters.counterparties;
        for (venue, haircuts) in &counterparties.haircuts {
            let field = "counterparties.haircuts".to_owned();
            known(field, "venue", venue, universe.venue(venue).is_some())?;
            for asset in haircuts.0.keys() {
                let listed = universe.assets().any(|(_, listed)| listed.name == *asset);
                known(format!("counterparties.haircuts.{venue}"), "asset", asset, listed)?;
            }
        }
        for venue in counterparties.most.keys() {
            let field = "counterparties.most".to_owned();
            known(field, "venue", venue, universe.venue(venue).is_some())?;
        }
        let underlying = |field: String, name: &str| {
            let listed = universe.instruments().any(|(_, listed)| listed.underlying == name);
            known(
                field,
                "underlying",
                name,
                listed || snapshot.underlyings.contains_key(name),
            )
        };
        for (index, limit) in parameters.limits.iter().enumerate() {
            if let Some(name) = limit.underlying() {
                underlying(format!("limits[{index}].underlying"), name)?;
            }
        }
        if let Some(add_ons) = &parameters.add_ons {
            for name in add_ons.rebalancing.keys() {
                underlying("add_ons.rebalancing".to_owned(), name)?;
            }
            for name in add_ons.contagion.keys() {
                underlying("add_ons.contagion".to_owned(), name)?;
            }
            for name in add_ons.concentration.iter().flat_map(|rule| rule.assets.keys()) {
                let listed = universe.assets().any(|(_, listed)| listed.name == *name);
                let found = listed || snapshot.assets.contains_key(name);
                known("add_ons.concentration.assets".to_owned(), "asset", name, found)?;
            }
        }
        Ok(())
    }

    /// The places of the venues in the universe.
    fn venues(&self) -> Vec<usize> {
        let all = 0..self.scope.universe.venues().len();
        all.filter(|index| self.scope.has(*index)).collect()
    }

    /// `V` and `R*` of a model.
    fn across_venues(&self, model: &Model, builder: &mut Builder, level: Level) -> Result<Forms, CompileError> {
        let rule = model.rule();
        let mut whole = rule.forms(builder, &self.scope, level)?;
        let venues = self.venues();
        let offsets = match &self.demand.parameters.netting {
            Netting::Full => return Ok(whole),
            Netting::Alone => &[][..],
            Netting::Partial(offsets) => offsets,
        };
        let mut required = |venues: &[usize], part: Decimal| -> Result<Option<Upper>, CompileError> {
            if part.is_zero() {
                return Ok(None);
            }
            let scope = self.scope.of(venues.iter().copied());
            let requirement = rule.forms(builder, &scope, level)?.requirement;
            let part = NonNegative::new(ratio(part)?)?;
            Ok(Some(builder.rescale("netting between venues", requirement, part)?))
        };
        let index_of = |name: &String| {
            let found = self
                .scope
                .universe
                .venues()
                .iter()
                .position(|venue| venue.name == *name);
            found.filter(|index| venues.contains(index))
        };
        let mut alone: BTreeMap<usize, Decimal> = venues.iter().map(|index| (*index, Decimal::ONE)).collect();
        let mut parts = Vec::new();
        for offset in offsets {
            let [a, b] = &offset.between;
            let (Some(a), Some(b)) = (index_of(a), index_of(b)) else {
                continue;
            };
            for venue in [a, b] {
                if let Some(rest) = alone.get_mut(&venue) {
                    *rest -= offset.fraction;
                }
            }
            parts.extend(required(&[a, b], offset.fraction)?);
        }
        for (venue, rest) in alone {
            parts.extend(required(&[venue], rest)?);
        }
        let nothing = builder.upper(&Linear::zero())?;
        whole.requirement = parts.into_iter().fold(nothing, |sum, part| sum + part);
        Ok(whole)
    }

    /// The charges on top of a model's own, on what that model counts.
    fn add_ons(&self, model: &Model, builder: &mut Builder) -> Result<Option<Upper>, CompileError> {
        let Some(add_ons) = &self.demand.parameters.add_ons else {
            return Ok(None);
        };
        let names = model.names();
        let sheet = Sheet::new(&names, &self.scope, &self.numeraire)?;
        let facts = Facts {
            model: &self.demand.parameters.name,
            sheet: &sheet,
            snapshot: self.scope.snapshot,
            names: &names,
            whole: true,
        };
        Ok(Some(add_ons.forms(builder, &facts)?))
    }

    /// `V - V*`.
    fn deduction(&self, builder: &mut Builder, sheets: &Sheets<'a>) -> Result<Upper, CompileError> {
        let counterparties = &self.demand.parameters.counterparties;
        let mut haircuts = Linear::zero();
        let mut parts = Vec::new();
        for (venue, sheet) in sheets {
            if let Some(by_asset) = counterparties.haircuts.get(*venue) {
                haircuts += off_balances(sheet, &by_asset.0)?;
            }
            if let Some(most) = counterparties.most.get(*venue) {
                let mut owed = Linear::constant(zkmargin_program::Real::from_ratio(
                    self.numeraire.units()?.checked_mul(ratio(-*most)?)?,
                )?);
                add_owed(sheet, &self.scope, &mut owed)?;
                let owed = builder.upper(&owed)?;
                parts.push(builder.positive_part(&format!("owed by {venue} above its limit"), owed)?);
            }
        }
        let haircuts = builder.upper(&haircuts)?;
        Ok(parts.into_iter().fold(haircuts, |sum, part| sum + part))
    }

    /// The limits on greeks and notionals.
    fn limits(&self, builder: &mut Builder, sheets: &Sheets<'a>) -> Result<(), CompileError> {
        for limit in &self.demand.parameters.limits {
            let figure = match limit {
                Limit::Leverage(_) => continue,
                Limit::GrossNotional(_) => {
                    let most = self.usd(sheets, limit.most(), Ratio::ONE)?;
                    let notional = builder.upper(&self.notional(sheets, limit)?)?;
                    let most = builder.lower(&most)?;
                    builder.require_non_negative(&limit.name(), most - notional)?;
                    continue;
                }
                Limit::NetDelta(_) => Greek::Delta,
                Limit::Gamma(_) => Greek::Gamma,
                Limit::Vega(_) => Greek::Vega,
            };
            let (form, most) = self.greek(sheets, limit, figure)?;
            for signed in [form.clone(), -form] {
                let (most, signed) = (builder.lower(&most)?, builder.upper(&signed)?);
                // Nothing that is listed takes it above 0.
                if signed.is_constant() {
                    continue;
                }
                builder.require_non_negative(&limit.name(), most - signed)?;
            }
        }
        Ok(())
    }

    fn leverage(&self, builder: &mut Builder, sheets: &Sheets<'a>, value: &Lower) -> Result<(), CompileError> {
        for limit in &self.demand.parameters.limits {
            let Limit::Leverage(on) = limit else { continue };
            let most = ratio(on.most)?;
            let times = |part: u128| {
                let part = i64::try_from(part).map_err(|_| zkmargin_program::NumberError::Overflow)?;
                Ok::<_, CompileError>(NonNegative::new(Ratio::from(part))?)
            };
            let notional = builder.upper(&self.notional(sheets, limit)?)?;
            let allowed = builder.scale(value.clone(), times(most.numerator().unsigned_abs())?)?;
            let held = builder.scale(notional, times(most.denominator())?)?;
            builder.require_non_negative(&limit.name(), allowed - held)?;
        }
        Ok(())
    }

    /// `usd · factor` as a constant in units.
    fn usd(&self, sheets: &Sheets<'a>, usd: Decimal, factor: Ratio) -> Result<Linear, CompileError> {
        let Some(sheet) = sheets.values().next() else {
            return Ok(Linear::zero());
        };
        let units = sheet.units_per_usd.times(ratio(usd)?)?.times(factor)?;
        Ok(Linear::constant(units.real()?))
    }

    /// `N_u` in units.
    fn notional(&self, sheets: &Sheets<'a>, limit: &Limit) -> Result<Linear, CompileError> {
        let mut form = Linear::zero();
        for position in sheets.values().flat_map(|sheet| sheet.positions.values().flatten()) {
            let instrument = position.instrument;
            if limit.covers(&instrument.underlying) {
                let coins = notional_coins(&self.scope, instrument)?;
                let units = position
                    .usd_per_lot
                    .times(ratio(position.market.index)?)?
                    .enclose(coins)?;
                form.add_leg(instrument.long, units);
                form.add_leg(instrument.short, units);
            }
        }
        Ok(form)
    }

    /// A net greek in units of USD, and what it is at most.
    fn greek(&self, sheets: &Sheets<'a>, limit: &Limit, greek: Greek) -> Result<(Linear, Linear), CompileError> {
        let mut form = Linear::zero();
        let mut index = Decimal::ONE;
        for position in sheets.values().flat_map(|sheet| sheet.positions.values().flatten()) {
            let instrument = position.instrument;
            if !limit.covers(&instrument.underlying) {
                continue;
            }
            index = position.market.index;
            let Ok(greeks) = valuation::greeks(self.scope.snapshot, instrument)? else {
                continue;
            };
            // Coins are counted at the index, on both sides of the limit.
            let index = ratio(position.market.index)?;
            let percent = Ratio::new(1, HUNDRED.unsigned_abs().into())?;
            let units = match greek {
                Greek::Delta => position.usd_per_lot.times(index)?.enclose(greeks.delta)?,
                Greek::Gamma => position
                    .usd_per_lot
                    .times(index)?
                    .times(index)?
                    .times(percent)?
                    .enclose(greeks.gamma)?,
                Greek::Vega => position.usd_per_lot.times(percent)?.enclose(greeks.vega)?,
            };
            form.add_leg(instrument.long, units);
            form.add_leg(instrument.short, units.checked_neg()?);
        }
        let factor = match greek {
            Greek::Vega => Ratio::ONE,
            Greek::Delta | Greek::Gamma => ratio(index)?,
        };
        Ok((form, self.usd(sheets, limit.most(), factor)?))
    }
}

#[derive(Copy, Clone)]
enum Greek {
    Delta,
    Gamma,
    Vega,
}

/// `Σ haircut_a p_a B_a`.
fn off_balances(sheet: &Sheet<'_>, haircuts: &BTreeMap<String, Decimal>) -> Result<Linear, CompileError> {
    let mut form = Linear::zero();
    for (name, asset) in &sheet.assets {
        if let Some(haircut) = haircuts.get(*name) {
            asset
                .holding
                .add_balance(&mut form, asset.per_coin.times(ratio(*haircut)?)?)?;
        }
    }
    Ok(form)
}

/// Adds `E_v`.
fn add_owed(sheet: &Sheet<'_>, scope: &Scope<'_>, form: &mut Linear) -> Result<(), CompileError> {
    for (position, mark) in sheet.marks(scope.snapshot.instant)? {
        position.add_net(form, mark, Ratio::ONE)?;
    }
    for asset in sheet.assets.values() {
        asset.holding.add_balance(form, asset.per_coin)?;
        asset.holding.take_debt(form, asset.per_coin)?;
        asset.holding.add_carry(form, asset.per_coin)?;
        asset.holding.take_reserve(form, asset.per_coin)?;
    }
    Ok(())
}

/// The coins of underlying whose value is a contract's notional.
pub(crate) fn notional_coins(scope: &Scope<'_>, instrument: &Instrument) -> Result<f64, PricingError> {
    if let Kind::Option { .. } = instrument.kind {
        return Ok(to_f64(instrument.contract));
    }
    Ok(valuation::greeks(scope.snapshot, instrument)?.map_or(0.0, |greeks| greeks.delta))
}
