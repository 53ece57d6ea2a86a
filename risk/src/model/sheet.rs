//! The forms that models are written with: what counts of a book, each lot at what it is worth.
//!
//! A [`Sheet`] is made once per model, universe and snapshot. Each [`Position`] adds `factor · figure` per contract to a
//! form, on the net position, on its long or its short side, or on both; the figure is a price of one contract in USD (or,
//! for a linear instrument, in coins of its settlement asset), which the sheet turns into units of the numéraire per lot.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use zkmargin_program::{Builder, LegId, Linear, Lower, Ratio, Real};

use crate::collateral::{self, Holding};
use crate::instant::Instant;
use crate::market::UnderlyingMarket;
use crate::model::assets::AssetParameters;
use crate::model::compile::{CompileError, Numeraire};
use crate::model::coverage::Coverage;
use crate::model::factor::{Factor, inverse, ratio};
use crate::model::{Names, Scope};
use crate::universe::{Instrument, Style};
use crate::valuation::{self, Denomination};

/// What counts of a book, with what turns it into units of the numéraire.
pub(crate) struct Sheet<'a> {
    /// `1 / p_M` in units: units of the numéraire in a USD.
    pub(crate) units_per_usd: Factor,
    /// Instruments that count, in the order of the universe, by underlying.
    pub(crate) positions: BTreeMap<&'a str, Vec<Position<'a>>>,
    /// Assets that count.
    pub(crate) assets: BTreeMap<&'a str, AssetSheet<'a>>,
}

/// An instrument that counts.
#[derive(Clone)]
pub(crate) struct Position<'a> {
    pub(crate) instrument: &'a Instrument,
    pub(crate) market: &'a UnderlyingMarket,
    /// Units of the numéraire in a lot of contracts of which each is worth 1: one USD, or one coin of the settlement asset of
    /// a linear instrument.
    pub(crate) per_lot: Factor,
    /// Units of the numéraire in a lot of contracts of which each is worth one USD.
    pub(crate) usd_per_lot: Factor,
}

/// An asset that counts.
pub(crate) struct AssetSheet<'a> {
    pub(crate) holding: Holding<'a>,
    /// `p_a` in USD.
    pub(crate) price: Decimal,
    /// Units of the numéraire in a coin.
    pub(crate) per_coin: Factor,
}

impl<'a> Sheet<'a> {
    /// Everything that counts in `scope` under a model that names these: in cross margin, or in the isolated position that it is of.
    pub(crate) fn new(names: &Names<'_>, scope: &Scope<'a>, numeraire: &Numeraire) -> Result<Sheet<'a>, CompileError> {
        Sheet::of(Coverage::of(names, scope).within(scope), scope, numeraire)
    }

    /// Everything in `scope` that the snapshot prices.
    pub(crate) fn everything(scope: &Scope<'a>, numeraire: &Numeraire) -> Result<Sheet<'a>, CompileError> {
        Sheet::of(Coverage::everything(scope), scope, numeraire)
    }

    fn of(coverage: Coverage<'a>, scope: &Scope<'a>, numeraire: &Numeraire) -> Result<Sheet<'a>, CompileError> {
        let snapshot = scope.snapshot;
        let price = numeraire.price(snapshot)?;
        let units = Factor::new(numeraire.units()?);
        let units_per_usd = units.times(inverse(price)?)?;
        // A coin of the numéraire is one, exactly: its price does not enter. (An asset that is called USD is not the dollar.)
        let per_coin = |asset: &str, price: Decimal| {
            if asset == numeraire.name && asset != "USD" {
                Ok(units)
            } else {
                units_per_usd.times(ratio(price)?)
            }
        };
        let mut sheet = Sheet {
            units_per_usd,
            positions: BTreeMap::new(),
            assets: BTreeMap::new(),
        };
        for (name, holding) in coverage.holdings {
            // What counts has a price.
            if let Some(price) = collateral::price(snapshot, name) {
                let per_coin = per_coin(name, price)?;
                sheet.assets.insert(
                    name,
                    AssetSheet {
                        holding,
                        price,
                        per_coin,
                    },
                );
            }
        }
        for (name, instruments) in coverage.instruments {
            let Some(market) = snapshot.underlyings.get(name) else {
                continue;
            };
            let mut positions = Vec::with_capacity(instruments.len());
            for instrument in instruments {
                let settlement = instrument.settlement.as_str();
                let per_contract = match instrument.style {
                    Style::Inverse => units_per_usd,
                    Style::Linear => per_coin(settlement, collateral::price(snapshot, settlement).unwrap_or_default())?,
                };
                let usd_per_lot = units_per_usd.times(ratio(instrument.lot)?)?;
                positions.push(Position {
                    instrument,
                    market,
                    per_lot: per_contract.times(ratio(instrument.lot)?)?,
                    usd_per_lot,
                });
            }
            sheet.positions.insert(name, positions);
        }
        Ok(sheet)
    }

    /// The instruments on one underlying.
    pub(crate) fn on(&self, underlying: &str) -> &[Position<'a>] {
        self.positions.get(underlying).map_or(&[], Vec::as_slice)
    }

    /// Each position on one underlying and the mark of one contract: in USD, or in the settlement asset of a linear instrument. What has
    /// no price does not count, and is not among them.
    pub(crate) fn marks_on(&self, underlying: &str, now: Instant) -> Result<Vec<(&Position<'a>, f64)>, CompileError> {
        let positions = self.on(underlying);
        let Some(first) = positions.first() else {
            return Ok(Vec::new());
        };
        let instruments = positions.iter().map(|position| position.instrument);
        let table = valuation::marks(first.market, now, Denomination::Usd, instruments)?;
        let mark = |position: &Position<'a>| Some(table.get(position.instrument.long)?.mark);
        let marks = positions
            .iter()
            .filter_map(|position| Some((position, mark(position)?)));
        Ok(marks.collect())
    }

    /// [`marks_on`](Self::marks_on) every underlying.
    pub(crate) fn marks(&self, now: Instant) -> Result<Vec<(&Position<'a>, f64)>, CompileError> {
        let mut marks = Vec::new();
        for underlying in self.positions.keys() {
            marks.extend(self.marks_on(underlying, now)?);
        }
        Ok(marks)
    }

    /// `V`: `positions`, and every asset that counts as [`add_collateral`](Self::add_collateral) adds it.
    pub(crate) fn value(
        &self,
        builder: &mut Builder,
        assets: &BTreeMap<String, AssetParameters>,
        mut positions: Linear,
    ) -> Result<Lower, CompileError> {
        let mut capped = Vec::new();
        self.add_collateral(builder, assets, &mut positions, &mut capped)?;
        let value = builder.lower(&positions)?;
        Ok(capped.into_iter().fold(value, |sum, part| sum + part))
    }

    /// Units of the numéraire in `usd`.
    pub(crate) fn usd(&self, usd: Decimal) -> Result<Real, CompileError> {
        Ok(self.units_per_usd.times(ratio(usd)?)?.real()?)
    }

    /// Adds the value of every asset that counts to `value` and `capped`:
    /// `p ( counted(balance) - debt + carry - reserve )`, as [`AssetParameters`] says.
    pub(crate) fn add_collateral(
        &self,
        builder: &mut Builder,
        rules: &BTreeMap<String, AssetParameters>,
        value: &mut Linear,
        capped: &mut Vec<Lower>,
    ) -> Result<(), CompileError> {
        for (name, asset) in &self.assets {
            if let Some(rule) = rules.get(*name) {
                asset.holding.add_value(builder, asset.per_coin, rule, value, capped)?;
            }
        }
        Ok(())
    }
}

impl Position<'_> {
    /// Adds `factor · value` for each contract held net; `value` in USD, or in the settlement asset of a linear instrument.
    pub(crate) fn add_net(&self, form: &mut Linear, value: f64, factor: Ratio) -> Result<(), CompileError> {
        let units = self.units(value, factor)?;
        form.add_leg(self.instrument.long, units);
        form.add_leg(self.instrument.short, units.checked_neg()?);
        Ok(())
    }

    /// Adds `factor · value` for each contract held long and for each held short.
    pub(crate) fn add_gross(&self, form: &mut Linear, value: f64, factor: Ratio) -> Result<(), CompileError> {
        let units = self.units(value, factor)?;
        form.add_leg(self.instrument.long, units);
        form.add_leg(self.instrument.short, units);
        Ok(())
    }

    /// Adds `factor · value` for each contract on one side.
    pub(crate) fn add_side(
        &self,
        form: &mut Linear,
        leg: LegId,
        value: f64,
        factor: Ratio,
    ) -> Result<(), CompileError> {
        form.add_leg(leg, self.units(value, factor)?);
        Ok(())
    }

    /// Units of the numéraire per lot, of contracts worth `factor · value` each.
    pub(crate) fn units(&self, value: f64, factor: Ratio) -> Result<Real, CompileError> {
        Ok(self.per_lot.times(factor)?.enclose(value)?)
    }
}
