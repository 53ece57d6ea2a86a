//! What the models of clearing houses share: the profit of an underlying at given moves, checks of their files.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use zkmargin_program::{Linear, Ratio, Real};

use crate::collateral::Holding;
use crate::market::{Snapshot, UnderlyingMarket};
use crate::model::assets::{AssetParameters, check_assets};
use crate::model::check::{self, MAX_FACTOR, at_most, value};
use crate::model::compile::CompileError;
use crate::model::factor::{Factor, ratio};
use crate::model::scenario_grid::parameters::Levels;
use crate::model::sheet::{Position, Sheet};
use crate::model::{ModelError, Names};
use crate::scenario::{Shock, VolatilityShock};
use crate::universe::Kind;
use crate::valuation::{Denomination, ValueTable, Values};

/// A move of the index: its table entry, and what assets and profits make of it.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Move {
    /// What prices are computed with.
    pub(crate) shock: Shock,
    /// The relative move, exactly: what coins move by.
    pub(crate) by: Ratio,
    /// What the profit is multiplied by.
    pub(crate) weight: Ratio,
}

/// An underlying's instruments, valued.
pub(crate) struct Scan<'s, 'a> {
    pub(crate) market: &'a UnderlyingMarket,
    lines: Vec<(&'s Position<'a>, Values)>,
    moves: Vec<Move>,
    /// Assets that move with it, and units per coin.
    moving: Vec<(&'s Holding<'a>, Factor)>,
    /// Whether balance, debt and reserve move, or carry alone.
    whole: bool,
}

/// What a scan is made from.
pub(crate) struct Facts<'s, 'a> {
    pub(crate) model: &'s str,
    pub(crate) sheet: &'s Sheet<'a>,
    pub(crate) snapshot: &'a Snapshot,
    pub(crate) names: &'s Names<'s>,
    /// Whether balances, debts and reserves move with an underlying, or carry alone.
    pub(crate) whole: bool,
}

impl<'s, 'a> Facts<'s, 'a> {
    /// The scan of one underlying; `None` if the snapshot does not have it.
    pub(crate) fn scan(
        &self,
        underlying: &str,
        volatility: &VolatilityShock,
        moves: Vec<Move>,
    ) -> Result<Option<Scan<'s, 'a>>, CompileError> {
        let Some(market) = self.snapshot.underlyings.get(underlying) else {
            return Ok(None);
        };
        let positions = self.sheet.on(underlying);
        let shocks: Vec<Shock> = moves.iter().map(|one| one.shock).collect();
        let listed = positions.iter().map(|position| position.instrument);
        let table = ValueTable::new(
            market,
            self.snapshot.instant,
            Denomination::Usd,
            volatility,
            &shocks,
            listed,
        )?;
        let mut lines = Vec::with_capacity(positions.len());
        for position in positions {
            // What counts has a price: to leave it out here would be to take it for harmless.
            let values = table
                .get(position.instrument.long)
                .ok_or_else(|| CompileError::Missing {
                    model: self.model.to_owned(),
                    what: format!("a price of {}", position.instrument.name),
                })?;
            lines.push((position, values.clone()));
        }
        let moves_with = |name: &str| self.names.assets.get(name).copied().flatten();
        let moving = self.sheet.assets.iter();
        let moving = moving.filter(|(name, _)| moves_with(name) == Some(underlying));
        Ok(Some(Scan {
            market,
            lines,
            moves,
            moving: moving.map(|(_, asset)| (&asset.holding, asset.per_coin)).collect(),
            whole: self.whole,
        }))
    }
}

impl<'s, 'a> Scan<'s, 'a> {
    /// Its instruments, and the delta of a contract of each in coins.
    pub(crate) fn deltas(&self) -> impl Iterator<Item = (&'s Position<'a>, f64)> + '_ {
        self.lines.iter().map(|(position, values)| (*position, values.delta))
    }

    /// Number of moves.
    pub(crate) fn rows(&self) -> usize {
        self.moves.len()
    }

    /// Adds the marks of what is held.
    pub(crate) fn add_marks(&self, form: &mut Linear) -> Result<(), CompileError> {
        for (position, values) in &self.lines {
            position.add_net(form, values.mark, Ratio::ONE)?;
        }
        Ok(())
    }

    /// `factor` times the weighted profit of a row.
    pub(crate) fn profit(&self, row: usize, factor: Ratio) -> Result<Linear, CompileError> {
        let mut form = Linear::zero();
        let Some(one) = self.moves.get(row) else {
            return Ok(form);
        };
        let weight = one.weight.checked_mul(factor)?;
        for (position, values) in &self.lines {
            let Some(shocked) = values.shocked.get(row) else {
                continue;
            };
            let gain = position
                .units(*shocked, weight)?
                .checked_sub(position.units(values.mark, weight)?)?;
            add_net(&mut form, position, gain)?;
        }
        if one.by != Ratio::ZERO {
            for (holding, per_coin) in &self.moving {
                let per_coin = per_coin.times(one.by)?.times(weight)?;
                holding.add_carry(&mut form, per_coin)?;
                if self.whole {
                    holding.add_balance(&mut form, per_coin)?;
                    holding.take_debt(&mut form, per_coin)?;
                    holding.take_reserve(&mut form, per_coin)?;
                }
            }
        }
        Ok(form)
    }

    /// `rate` of the index for each coin of delta, of a lot of a position whose contracts have this delta.
    pub(crate) fn of_delta(&self, position: &Position<'_>, delta: f64, rate: Ratio) -> Result<Real, CompileError> {
        let notional = position.usd_per_lot.times(ratio(self.market.index)?)?;
        Ok(notional.times(rate)?.enclose(delta)?)
    }

    /// `rate` of the index for each coin that an option is on, on its short side.
    pub(crate) fn short_options(&self, rate: Ratio) -> Result<Linear, CompileError> {
        let mut form = Linear::zero();
        for (position, _) in &self.lines {
            if let Kind::Option { .. } = position.instrument.kind {
                let coins = ratio(position.instrument.contract)?;
                let notional = position.usd_per_lot.times(ratio(self.market.index)?)?;
                let units = notional.times(rate.checked_mul(coins)?)?.real()?;
                form.add_leg(position.instrument.short, units);
            }
        }
        Ok(form)
    }
}

/// Adds `units` for each lot held net.
pub(crate) fn add_net(form: &mut Linear, position: &Position<'_>, units: Real) -> Result<(), CompileError> {
    if units != Real::ZERO {
        form.add_leg(position.instrument.long, units);
        form.add_leg(position.instrument.short, units.checked_neg()?);
    }
    Ok(())
}

/// Largest exponent of tenor scaling.
const MAX_POWER: Decimal = Decimal::from_parts(4, 0, 0, false, 0);
/// Longest tenor floor, in days.
const MAX_TENOR_FLOOR: Decimal = Decimal::from_parts(3_650, 0, 0, false, 0);

/// What every file has.
pub(crate) struct Head<'m> {
    pub(crate) name: &'m str,
    pub(crate) numeraire: &'m str,
    pub(crate) levels: Levels,
    pub(crate) assets: &'m BTreeMap<String, AssetParameters>,
}

impl Head<'_> {
    /// Checks it against the underlyings of the file.
    pub(crate) fn check<U>(&self, underlyings: &BTreeMap<String, U>) -> Result<(), ModelError> {
        check::name(self.name)?;
        check::numeraire(self.numeraire, self.assets)?;
        let (maintenance, initial) = (self.levels.maintenance, self.levels.initial);
        at_most("levels.initial", initial, MAX_FACTOR, "0 to 100")?;
        // A policy that asks for maintenance takes a proof of initial: it must not be the weaker of the two.
        at_most("levels.maintenance", maintenance, initial, "0 to levels.initial")?;
        check_assets(self.assets, |underlying| underlyings.contains_key(underlying))?;
        check::some_underlying(underlyings)
    }
}

/// Checks a volatility shock.
pub(crate) fn check_volatility(place: &str, shock: &VolatilityShock) -> Result<(), ModelError> {
    let field = |part: &str| format!("{place}.volatility.{part}");
    at_most(field("up"), shock.up, MAX_FACTOR, "0 to 100")?;
    at_most(field("down"), shock.down, MAX_FACTOR, "0 to 100")?;
    at_most(field("short_power"), shock.short_power, MAX_POWER, "0 to 4")?;
    at_most(field("long_power"), shock.long_power, MAX_POWER, "0 to 4")?;
    at_most(field("up_floor"), shock.up_floor, MAX_FACTOR, "0 to 100")?;
    if shock.tenor_floor_days < Decimal::new(1, 3) || shock.tenor_floor_days > MAX_TENOR_FLOOR {
        return Err(value(
            field("tenor_floor_days"),
            shock.tenor_floor_days,
            "0.001 to 3650",
        ));
    }
    Ok(())
}
