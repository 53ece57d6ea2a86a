//! From the rule to a program.

use std::collections::{BTreeMap, BTreeSet};

use rust_decimal::Decimal;
use zkmargin_program::{Builder, Linear, NonNegative, Ratio, Upper};

use crate::amount::to_f64;
use crate::instant::{DAY_MS, Instant};
use crate::market::Snapshot;
use crate::model::compile::{CompileError, Forms, magnitude};
use crate::model::factor::ratio;
use crate::model::matched::matched;
use crate::model::okx_pm::OkxPm;
use crate::model::okx_pm::parameters::{Buckets, Depeg, Minimum, Parameters, Tier, UnderlyingParameters};
use crate::model::sheet::{AssetSheet, Position, Sheet};
use crate::model::stress::figures::{Figures, Stresses, is_option};
use crate::model::stress::progressive::Progressive;
use crate::model::{Rule, Scope};
use crate::scenario::{Shock, days, years};
use crate::terms::Level;
use crate::universe::Style;
use crate::valuation::roll_rate;

/// The class of inverse instruments.
pub(super) const DOLLAR: &str = "USD";

pub(super) fn compile(
    model: &OkxPm,
    builder: &mut Builder,
    scope: &Scope<'_>,
    level: Level,
) -> Result<Forms, CompileError> {
    let parameters = model.parameters();
    let sheet = Sheet::new(&model.names(), scope, &model.numeraire())?;
    let factor = match level {
        Level::Initial => ratio(parameters.initial_factor)?,
        Level::Maintenance => Ratio::ONE,
    };
    let mut units = Vec::new();
    for (name, underlying) in &parameters.underlyings {
        units.extend(Unit::new(name, underlying, parameters, scope.snapshot, &sheet, factor)?);
    }
    let mut requirement = builder.upper(&Linear::zero())?;
    for unit in &units {
        requirement = requirement + unit.requirement(builder, parameters.depeg.as_ref())?;
    }
    if let Some(borrowing) = borrowing(builder, parameters, &sheet, &units, level)? {
        requirement = requirement + borrowing;
    }
    let mut value = Linear::zero();
    for unit in &units {
        for one in &unit.positions {
            one.position.add_net(&mut value, one.figures.mark, Ratio::ONE)?;
        }
    }
    let value = sheet.value(builder, &parameters.assets, value)?;
    Ok(Forms { value, requirement })
}

/// `MR8`.
fn borrowing(
    builder: &mut Builder,
    parameters: &Parameters,
    sheet: &Sheet<'_>,
    units: &[Unit<'_>],
    level: Level,
) -> Result<Option<Upper>, CompileError> {
    let mut total: Option<Upper> = None;
    for (name, asset) in &sheet.assets {
        let Some(rates) = parameters.borrow.get(*name) else {
            continue;
        };
        let rate = match level {
            Level::Initial => rates.initial,
            Level::Maintenance => rates.maintenance,
        };
        if rate.is_zero() {
            continue;
        }
        let mut equity = Linear::zero();
        asset.holding.add_balance(&mut equity, asset.per_coin)?;
        asset.holding.take_debt(&mut equity, asset.per_coin)?;
        asset.holding.add_carry(&mut equity, asset.per_coin)?;
        asset.holding.take_reserve(&mut equity, asset.per_coin)?;
        for one in units.iter().flat_map(|unit| &unit.positions) {
            if one.position.instrument.settlement == *name {
                one.position.add_net(&mut equity, one.figures.mark, Ratio::ONE)?;
            }
        }
        let name = format!("borrowed {name}");
        let equity = builder.lower(&equity)?;
        let owed = builder.positive_part(&name, -equity)?;
        // Not in the coefficients, where a small rate would round much of a small lot away.
        let rate = NonNegative::new(ratio(rate)?)?;
        let owed = builder.rescale(&name, owed, rate)?;
        total = Some(match total {
            Some(sum) => sum + owed,
            None => owed,
        });
    }
    Ok(total)
}

/// An instrument with its figures.
struct One<'a> {
    position: &'a Position<'a>,
    figures: Figures,
}

/// A risk unit.
struct Unit<'a> {
    name: &'a str,
    parameters: &'a UnderlyingParameters,
    snapshot: &'a Snapshot,
    sheet: &'a Sheet<'a>,
    positions: Vec<One<'a>>,
    /// Assets that move with the underlying.
    moving: Vec<&'a AssetSheet<'a>>,
    whole_collateral: bool,
    /// `I_u`.
    index: Decimal,
    /// `factor(level)`.
    factor: Ratio,
}

impl<'a> Unit<'a> {
    /// `None` for an underlying without a market: nothing on it counts.
    fn new(
        name: &'a str,
        parameters: &'a UnderlyingParameters,
        model: &'a Parameters,
        snapshot: &'a Snapshot,
        sheet: &'a Sheet<'a>,
        factor: Ratio,
    ) -> Result<Option<Unit<'a>>, CompileError> {
        let Some(market) = snapshot.underlyings.get(name) else {
            return Ok(None);
        };
        let rows: Vec<Shock> = parameters
            .rows()
            .iter()
            .map(|(x, direction)| Shock::new(to_f64(Decimal::ONE + x), *direction))
            .collect();
        let stresses = Stresses {
            rows: &rows,
            shift: &parameters.volatility,
            decay_ms: DAY_MS,
        };
        let mut positions = Vec::new();
        for position in sheet.on(name) {
            // What the snapshot does not price does not count.
            if let Some(figures) = Figures::new(snapshot, position.instrument, &stresses)? {
                positions.push(One { position, figures });
            }
        }
        let moves = |asset: &str| {
            let rules = model.assets.get(asset);
            rules.is_some_and(|rules| rules.underlying.as_deref() == Some(name))
        };
        let moving = sheet.assets.iter().filter(|(asset, _)| moves(asset));
        Ok(Some(Unit {
            name,
            parameters,
            snapshot,
            sheet,
            positions,
            moving: moving.map(|(_, asset)| asset).collect(),
            whole_collateral: model.collateral_in_scenarios,
            index: market.index,
            factor,
        }))
    }

    /// `factor(level) · MMR_u`.
    fn requirement(&self, builder: &mut Builder, depeg: Option<&Depeg>) -> Result<Upper, CompileError> {
        let mut losses = Vec::new();
        for (row, (x, _)) in self.parameters.rows().into_iter().enumerate() {
            let factor = if row < self.parameters.stress_rows() {
                self.factor
            } else {
                self.factor.checked_mul(ratio(self.parameters.extreme_factor)?)?
            };
            if factor != Ratio::ZERO {
                losses.push(-self.profit(row, x, factor)?);
            }
        }
        if self.parameters.decay {
            losses.push(-self.change(|figures| figures.decayed, self.factor)?);
        }
        let mut items = Vec::new();
        for loss in losses.into_iter().filter(|loss| *loss != Linear::zero()) {
            items.push(builder.upper(&loss)?);
        }
        let mut sum = builder.max_non_negative(&format!("stress of {}", self.name), items)?;

        let mut linear = Linear::zero();
        let name = format!("basis of {}", self.name);
        for delta in self.basis()?.into_values() {
            sum = sum + magnitude(builder, &name, delta, &mut linear)?;
        }
        self.add_contingency(&mut linear)?;
        sum = sum + builder.upper(&linear)?;
        if let Some(buckets) = &self.parameters.vega_buckets {
            let name = format!("vega of {}", self.name);
            sum = sum + self.bucketed(builder, &name, buckets, |figures| figures.vega)?;
        }
        if let Some(buckets) = &self.parameters.rho_buckets {
            let name = format!("rho of {}", self.name);
            sum = sum + self.bucketed(builder, &name, buckets, |figures| figures.rho)?;
        }
        if let Some(charge) = depeg.map(|depeg| self.depeg(builder, depeg)).transpose()?.flatten() {
            sum = sum + charge;
        }
        let Some(minimum) = &self.parameters.minimum else {
            return Ok(sum);
        };
        let minimum = self.minimum(builder, minimum)?;
        Ok(builder.max(&format!("risk unit {}", self.name), [sum, minimum])?)
    }

    /// `factor · Σ c (value - m) q`.
    fn change(&self, value: impl Fn(&Figures) -> f64, factor: Ratio) -> Result<Linear, CompileError> {
        let mut form = Linear::zero();
        for One { position, figures } in &self.positions {
            let then = value(figures);
            if then == figures.mark {
                continue;
            }
            let gain = position
                .units(then, factor)?
                .checked_sub(position.units(figures.mark, factor)?)?;
            form.add_leg(position.instrument.long, gain);
            form.add_leg(position.instrument.short, gain.checked_neg()?);
        }
        Ok(form)
    }

    /// `factor · Π` of a row.
    fn profit(&self, row: usize, x: Decimal, factor: Ratio) -> Result<Linear, CompileError> {
        let mut form = self.change(|figures| figures.rows.get(row).copied().unwrap_or(figures.mark), factor)?;
        if x.is_zero() {
            return Ok(form);
        }
        for asset in &self.moving {
            let per_coin = asset.per_coin.times(ratio(x)?)?.times(factor)?;
            asset.holding.add_carry(&mut form, per_coin)?;
            if self.whole_collateral {
                asset.holding.add_balance(&mut form, per_coin)?;
                asset.holding.take_debt(&mut form, per_coin)?;
                asset.holding.take_reserve(&mut form, per_coin)?;
            }
        }
        Ok(form)
    }

    /// Adds `factor · (I_u / p_M) coins` for each contract held net.
    fn add_coins(&self, form: &mut Linear, one: &One<'_>, coins: f64, factor: Ratio) -> Result<(), CompileError> {
        let position = one.position;
        let per_lot = position.usd_per_lot.times(ratio(self.index)?)?.times(factor)?;
        let units = per_lot.enclose(coins)?;
        form.add_leg(position.instrument.long, units);
        form.add_leg(position.instrument.short, units.checked_neg()?);
        Ok(())
    }

    /// Adds `factor(level) · CON`.
    fn add_contingency(&self, form: &mut Linear) -> Result<(), CompileError> {
        let Some(rates) = self.parameters.contingency else {
            return Ok(());
        };
        for One { position, figures } in &self.positions {
            let instrument = position.instrument;
            let per_lot = position.usd_per_lot.times(ratio(self.index)?)?.times(self.factor)?;
            if is_option(instrument) {
                let size = ratio(rates.short_option)?.checked_mul(ratio(instrument.contract)?)?;
                form.add_leg(instrument.short, per_lot.times(size)?.real()?);
            } else {
                let units = per_lot.times(ratio(rates.future)?)?.enclose(figures.delta.abs())?;
                form.add_leg(instrument.long, units);
                form.add_leg(instrument.short, units);
            }
        }
        Ok(())
    }

    /// The forms whose magnitudes are `factor(level) · MR4`.
    fn basis(&self) -> Result<BTreeMap<Option<Instant>, Linear>, CompileError> {
        let rates = self.parameters.basis;
        let (annual_move, least) = (to_f64(rates.annual_move), to_f64(rates.least));
        let mut buckets: BTreeMap<Option<Instant>, Linear> = BTreeMap::new();
        for one in &self.positions {
            let expiry = one.position.instrument.kind.expiry();
            let rate = expiry.map_or(least, |expiry| {
                roll_rate(annual_move, least, years(self.snapshot.instant, expiry))
            });
            let form = buckets.entry(expiry).or_default();
            self.add_coins(form, one, one.figures.delta * rate, self.factor)?;
        }
        Ok(buckets)
    }

    /// `factor(level) ·` the charge of buckets on a greek of the options.
    fn bucketed(
        &self,
        builder: &mut Builder,
        name: &str,
        buckets: &Buckets,
        greek: impl Fn(&Figures) -> f64,
    ) -> Result<Upper, CompileError> {
        let mut expiries: BTreeMap<Instant, Linear> = BTreeMap::new();
        for One { position, figures } in &self.positions {
            let greek = greek(figures);
            if let (Some(expiry), true) = (position.instrument.kind.expiry(), greek != 0.0) {
                position.add_net(expiries.entry(expiry).or_default(), greek, self.factor)?;
            }
        }
        let mut charge = builder.upper(&Linear::zero())?;
        let mut nets = vec![Linear::zero(); buckets.buckets.len()];
        let mut members: Vec<Vec<Linear>> = vec![Vec::new(); buckets.buckets.len()];
        for (expiry, amount) in expiries {
            let bucket = buckets.bucket_of(days(self.snapshot.instant, expiry));
            // A checked file has a bucket for every expiry.
            let (Some(net), Some(members)) = (nets.get_mut(bucket), members.get_mut(bucket)) else {
                return Err(CompileError::Missing {
                    model: self.name.to_owned(),
                    what: format!("a bucket that {expiry} falls in"),
                });
            };
            *net += amount.clone();
            members.push(amount);
        }
        for (bucket, amounts) in buckets.buckets.iter().zip(members) {
            let rate = ratio(bucket.within)?;
            if rate != Ratio::ZERO {
                let amounts: Vec<Linear> = amounts.into_iter().map(|amount| amount.scale(rate)).collect();
                if let Some(part) = matched(builder, name, &amounts)? {
                    charge = charge + part;
                }
            }
        }
        let rate = ratio(buckets.across)?;
        if rate != Ratio::ZERO {
            let nets: Vec<Linear> = nets.into_iter().map(|net| net.scale(rate)).collect();
            if let Some(part) = matched(builder, &format!("{name} across"), &nets)? {
                charge = charge + part;
            }
        }
        Ok(charge)
    }

    /// `factor(level) · MR7`.
    fn minimum(&self, builder: &mut Builder, minimum: &Minimum) -> Result<Upper, CompileError> {
        let progressive = Progressive::new([minimum.tiers.as_slice()])?;
        let scale = self.factor;
        let mut raw = Linear::zero();
        let index = to_f64(self.index);
        for One { position, figures } in &self.positions {
            let instrument = position.instrument;
            if is_option(instrument) {
                let contract = to_f64(instrument.contract);
                let (long, short) = minimum.of_option(index, contract, figures.delta, figures.mark);
                position.add_side(&mut raw, instrument.long, long, scale)?;
                position.add_side(&mut raw, instrument.short, short, scale)?;
            } else {
                let charge = minimum.of_future(index, figures.delta);
                let units = position.usd_per_lot.times(scale)?.enclose(charge)?;
                raw.add_leg(instrument.long, units);
                raw.add_leg(instrument.short, units);
            }
        }
        let name = format!("minimum charge of {}", self.name);
        let raw = builder.upper(&raw)?;
        // One long row; those of the tiers are short.
        let raw = builder.positive_part(&name, raw)?;
        progressive.charge(builder, &name, raw, self.sheet.units_per_usd, self.factor)
    }

    /// `factor(level) ·` a bound of `MR9`: the smaller of two, each of which is `MR9` where one pair alone is hedged.
    ///
    /// All pairs together, at the dearest tiers: a charge that is convex and 0 at 0 is at most that of the sum of two amounts; and the
    /// amounts that are matched one pair after the other are together at most the smaller of the long and the short side. Or each pair as
    /// if it came first, at its own tiers: what is left of an amount is at most the whole.
    fn depeg(&self, builder: &mut Builder, depeg: &Depeg) -> Result<Option<Upper>, CompileError> {
        let class = |one: &One<'a>| match one.position.instrument.style {
            Style::Inverse => DOLLAR,
            Style::Linear => one.position.instrument.settlement.as_str(),
        };
        let price = |class: &str| match class {
            DOLLAR => Some(Decimal::ONE),
            _ => self.sheet.assets.get(class).map(|asset| asset.price),
        };
        let mut classes: BTreeMap<&str, Linear> = BTreeMap::new();
        for one in &self.positions {
            self.add_coins(
                classes.entry(class(one)).or_default(),
                one,
                one.figures.delta,
                self.factor,
            )?;
        }
        let mut pairs: Vec<([&str; 2], &[Tier])> = Vec::new();
        for [a, b] in &depeg.pairs {
            if let (true, true, Some(p), Some(r)) = (
                classes.contains_key(a.as_str()),
                classes.contains_key(b.as_str()),
                price(a),
                price(b),
            ) {
                pairs.push(([a, b], depeg.tiers(p, r)));
            }
        }
        let mut charge = |name: &str, classes: &[Linear], tiers: &[&[Tier]]| -> Result<Option<Upper>, CompileError> {
            let Some(hedged) = matched(builder, name, classes)? else {
                return Ok(None);
            };
            let progressive = Progressive::new(tiers.iter().copied())?;
            let charge = progressive.charge(builder, name, hedged, self.sheet.units_per_usd, self.factor)?;
            Ok(Some(charge))
        };
        let mut each = Vec::new();
        for ([a, b], tiers) in &pairs {
            let name = format!("hedged {a} and {b} of {}", self.name);
            let of_pair: Vec<Linear> = [a, b]
                .iter()
                .filter_map(|class| classes.get(**class).cloned())
                .collect();
            each.extend(charge(&name, &of_pair, &[*tiers])?);
        }
        if each.len() < 2 {
            return Ok(each.pop());
        }
        let name = format!("hedged dollars of {}", self.name);
        let hedged: BTreeSet<&str> = pairs.iter().flat_map(|(pair, _)| *pair).collect();
        let of_all: Vec<Linear> = hedged.iter().filter_map(|class| classes.get(*class).cloned()).collect();
        let tiers: Vec<&[Tier]> = pairs.iter().map(|(_, tiers)| *tiers).collect();
        let together = charge(&name, &of_all, &tiers)?;
        let one_by_one = each.into_iter().reduce(|sum, charge| sum + charge);
        Ok(match (together, one_by_one) {
            (Some(together), Some(one_by_one)) => Some(builder.any_of_upper(&name, together, one_by_one)?),
            (together, one_by_one) => together.or(one_by_one),
        })
    }
}
