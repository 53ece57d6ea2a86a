//! The scenario grid: the worst of many moves of price and volatility.
//!
//! What the rule is, is written with its [`parameters`]; here it becomes a [`Program`](zkmargin_program::Program).

mod check;
mod compile;
mod coverage;
mod desk;
pub mod parameters;

use crate::canonical::{Digest, Personal, Writer, digest};
use crate::model::ModelError;

pub use compile::{COIN_UNIT_EXPONENT, CompileError, REQUIREMENT, USD_UNIT_EXPONENT, VALUE_BITS};
pub use coverage::{Uncounted, Why, uncounted};
pub use parameters::Parameters;

use parameters::{
    AssetParameters, DeltaProvision, Group, Profit, Roll, Scenario, UnderlyingParameters, VolatilityMove,
};

/// Most rows of all underlyings together.
pub const MAX_ROWS: usize = 4_096;

/// Version of the canonical form.
const FORMAT: u64 = 1;

/// A checked scenario-grid model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScenarioGrid {
    parameters: Parameters,
}

impl ScenarioGrid {
    /// Checks every number and name of the parameters.
    ///
    /// # Errors
    /// [`ModelError`] naming the field, its value and the bound.
    pub fn new(parameters: Parameters) -> Result<ScenarioGrid, ModelError> {
        check::check(&parameters)?;
        Ok(ScenarioGrid { parameters })
    }

    /// The parameters.
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// The file's JSON text.
    ///
    /// # Errors
    /// [`ModelError::Json`], which does not happen.
    pub fn to_json(&self) -> Result<String, ModelError> {
        Ok(crate::json::to_text(&self.parameters, 3)?)
    }

    /// The canonical bytes (protocol §7): every field of the file in the order of [`Parameters`], maps as arrays in the
    /// order of their names, what may be absent (`?`) as an array of none or one.
    /// ```text
    /// model      = [1, "scenario-grid", name, description, [left_out…], [assumed…], numeraire, collateral_in_scenarios,
    ///               [initial, maintenance], [asset…], [grid…], [underlying…], [group…]]
    /// asset      = [name, haircut, cap?, underlying?]
    /// grid       = [name, [[move, volatility, weight]…]]             volatility 0 up, 1 none, 2 down
    /// underlying = [name, grid, profit,                              profit 0 coin, 1 USD
    ///               [up, down, short_power, long_power, tenor_floor_days, up_floor],
    ///               [net, gross]?, short_option_minimum, [annual_move, least]?, option_fee, future_fee, funding_intervals]
    /// group      = [[underlying…], gain_factor, gain_cap?]
    /// ```
    pub fn canonical(&self) -> Vec<u8> {
        let parameters = &self.parameters;
        let mut w = Writer::new();
        w.array(13);
        w.uint(FORMAT);
        w.text("scenario-grid");
        w.text(&parameters.name);
        w.text(&parameters.description);
        w.list(parameters.left_out.iter(), |w, text| w.text(text));
        w.list(parameters.assumed.iter(), |w, text| w.text(text));
        w.text(&parameters.numeraire);
        w.flag(parameters.collateral_in_scenarios);
        w.array(2);
        w.decimal(parameters.levels.initial);
        w.decimal(parameters.levels.maintenance);
        w.list(parameters.assets.iter(), write_asset);
        w.list(parameters.grids.iter(), |w, (name, rows)| {
            w.array(2);
            w.text(name);
            w.list(rows.iter(), write_row);
        });
        w.list(parameters.underlyings.iter(), write_underlying);
        w.list(parameters.groups.iter(), write_group);
        w.into_bytes()
    }

    /// The digest by which statements and policies name this model.
    pub fn digest(&self) -> Digest {
        digest(Personal::Model, &self.canonical())
    }
}

fn write_asset(w: &mut Writer, (name, asset): (&String, &AssetParameters)) {
    w.array(4);
    w.text(name);
    w.decimal(asset.haircut);
    w.option(asset.cap, Writer::decimal);
    w.option(asset.underlying.as_deref(), Writer::text);
}

fn write_row(w: &mut Writer, row: &Scenario) {
    w.array(3);
    w.decimal(row.price_move);
    w.uint(match row.volatility {
        VolatilityMove::Up => 0,
        VolatilityMove::None => 1,
        VolatilityMove::Down => 2,
    });
    w.decimal(row.weight);
}

fn write_underlying(w: &mut Writer, (name, underlying): (&String, &UnderlyingParameters)) {
    w.array(10);
    w.text(name);
    w.text(&underlying.grid);
    w.uint(match underlying.profit {
        Profit::Coin => 0,
        Profit::Usd => 1,
    });
    let volatility = &underlying.volatility;
    w.array(6);
    for value in [
        volatility.up,
        volatility.down,
        volatility.short_power,
        volatility.long_power,
        volatility.tenor_floor_days,
        volatility.up_floor,
    ] {
        w.decimal(value);
    }
    w.option(underlying.delta_provision, |w, DeltaProvision { net, gross }| {
        w.array(2);
        w.decimal(net);
        w.decimal(gross);
    });
    w.decimal(underlying.short_option_minimum);
    w.option(underlying.roll, |w, Roll { annual_move, least }| {
        w.array(2);
        w.decimal(annual_move);
        w.decimal(least);
    });
    w.decimal(underlying.option_fee);
    w.decimal(underlying.future_fee);
    w.decimal(underlying.funding_intervals);
}

fn write_group(w: &mut Writer, group: &Group) {
    w.array(3);
    w.list(group.underlyings.iter(), |w, name| w.text(name));
    w.decimal(group.gain_factor);
    w.option(group.gain_cap, Writer::decimal);
}

#[cfg(test)]
mod tests;
