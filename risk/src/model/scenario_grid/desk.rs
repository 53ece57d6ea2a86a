//! The forms of one underlying: profit of a row, deltas, charges.

use rust_decimal::Decimal;
use zkmargin_program::{Builder, Linear, NonNegative, Ratio, Real, Upper};

use crate::amount::to_f64;
use crate::collateral::Holding;
use crate::instant::Instant;
use crate::market::UnderlyingMarket;
use crate::model::compile::CompileError;
use crate::model::factor::{Factor, inverse, ratio};
use crate::model::scenario_grid::delta_shock::{SLOPES, chords, steepest};
use crate::model::scenario_grid::parameters::{Dampener, DeltaProvision, Profit, Roll, Scenario, UnderlyingParameters};
use crate::scenario::{Shock, years};
use crate::universe::{Instrument, Kind, Style};
use crate::valuation::{Denomination, ValueTable, Values, roll_rate};

/// Everything about one underlying that its forms need.
pub(super) struct Desk<'a> {
    parameters: &'a UnderlyingParameters,
    market: &'a UnderlyingMarket,
    now: Instant,
    rows: &'a [Scenario],
    /// `1 / p_M` in units: units of the numéraire in a USD.
    units_per_usd: Factor,
    positions: Vec<Position<'a>>,
    moving: Vec<Moving<'a>>,
}

/// An instrument that counts.
struct Position<'a> {
    instrument: &'a Instrument,
    /// `c_i l_i` in units per lot and unit of the table.
    per_lot: Factor,
    /// `c_i m_i l_i`, units per lot.
    mark: Real,
    values: Values,
}

/// An asset that moves with the underlying, and what of it does.
pub(super) struct Moving<'a> {
    pub(super) holding: &'a Holding<'a>,
    /// Units per coin.
    pub(super) per_coin: Factor,
    /// Balance, debt and reserve, or carry alone.
    pub(super) whole: bool,
}

/// What a desk is made from.
pub(super) struct Facts<'a> {
    pub(super) parameters: &'a UnderlyingParameters,
    pub(super) rows: &'a [Scenario],
    pub(super) market: &'a UnderlyingMarket,
    pub(super) now: Instant,
    pub(super) units_per_usd: Factor,
    pub(super) instruments: Vec<&'a Instrument>,
    pub(super) moving: Vec<Moving<'a>>,
}

impl<'a> Desk<'a> {
    /// Values every instrument in every row. `settlement_price` is `p_a` of the settlement asset.
    pub(super) fn new(
        facts: Facts<'a>,
        settlement_price: impl Fn(&str) -> Option<Decimal>,
    ) -> Result<Desk<'a>, CompileError> {
        let Facts {
            parameters,
            rows,
            market,
            now,
            units_per_usd,
            instruments,
            moving,
        } = facts;
        let denomination = match parameters.profit {
            Profit::Coin => Denomination::Coin,
            Profit::Usd => Denomination::Usd,
        };
        // A checked grid has no move of -1 or below.
        let shocks: Vec<Shock> = rows.iter().filter_map(Scenario::shock).collect();
        let listed = instruments.iter().copied();
        let table = ValueTable::new(market, now, denomination, &parameters.volatility, &shocks, listed)?;
        let mut positions = Vec::with_capacity(instruments.len());
        for instrument in instruments {
            let conversion = match (parameters.profit, instrument.style) {
                (Profit::Coin, _) => market.index,
                (Profit::Usd, Style::Inverse) => Decimal::ONE,
                (Profit::Usd, Style::Linear) => settlement_price(&instrument.settlement).unwrap_or_default(),
            };
            let per_lot = units_per_usd.times(ratio(instrument.lot)?)?.times(ratio(conversion)?)?;
            // What the table cannot price does not count, and is not among the instruments.
            let Some(values) = table.get(instrument.long).cloned() else {
                continue;
            };
            positions.push(Position {
                instrument,
                per_lot,
                mark: per_lot.enclose(values.mark)?,
                values,
            });
        }
        Ok(Desk {
            parameters,
            market,
            now,
            rows,
            units_per_usd,
            positions,
            moving,
        })
    }

    /// Number of rows of its grid.
    pub(super) fn rows(&self) -> usize {
        self.rows.len()
    }

    /// `Σ c_i m_i q_i`.
    pub(super) fn add_marks(&self, form: &mut Linear) -> Result<(), CompileError> {
        for position in &self.positions {
            form.add_leg(position.instrument.long, position.mark);
            form.add_leg(position.instrument.short, position.mark.checked_neg()?);
        }
        Ok(())
    }

    /// `factor · Π_{u,r}`; `None` for a row in which nothing moves.
    pub(super) fn profit(&self, row: usize, factor: Ratio) -> Result<Option<Linear>, CompileError> {
        let Some(scenario) = self.rows.get(row).filter(|scenario| !scenario.is_still()) else {
            return Ok(None);
        };
        let weight = ratio(scenario.weight)?.checked_mul(factor)?;
        let mut form = Linear::zero();
        for position in &self.positions {
            let Some(shocked) = position.values.shocked.get(row) else {
                continue;
            };
            let gain = position.per_lot.enclose(*shocked)?.checked_sub(position.mark)?;
            let gain = if weight == Ratio::ONE {
                gain
            } else {
                gain.checked_mul(weight)?
            };
            if gain != Real::ZERO {
                form.add_leg(position.instrument.long, gain);
                form.add_leg(position.instrument.short, gain.checked_neg()?);
            }
        }
        if self.parameters.profit == Profit::Usd && !scenario.price_move.is_zero() {
            for moving in &self.moving {
                let per_coin = moving.per_coin.times(ratio(scenario.price_move)?)?.times(weight)?;
                moving.holding.add_carry(&mut form, per_coin)?;
                if moving.whole {
                    moving.holding.add_balance(&mut form, per_coin)?;
                    moving.holding.take_debt(&mut form, per_coin)?;
                    moving.holding.take_reserve(&mut form, per_coin)?;
                }
            }
        }
        Ok(Some(form))
    }

    /// `factor · damp_{u,r}` in units; `None` where it is 0.
    pub(super) fn damp(&self, row: usize, factor: Ratio) -> Result<Option<Real>, CompileError> {
        let (Some(Dampener { range, amount }), Some(scenario)) = (self.parameters.dampener, self.rows.get(row)) else {
            return Ok(None);
        };
        let x = scenario.price_move;
        if x.abs() <= range || amount.is_zero() {
            return Ok(None);
        }
        let at_range = if x < Decimal::ZERO {
            Decimal::ONE - range
        } else {
            Decimal::ONE + range
        };
        let beyond = ratio(x.abs())?.checked_add(ratio(range)?.checked_neg()?)?;
        let part = beyond.checked_mul(inverse(range)?)?;
        let usd = part.checked_mul(inverse(at_range)?)?;
        Ok(Some(
            self.units_per_usd
                .times(ratio(amount)?)?
                .times(usd)?
                .times(factor)?
                .real()?,
        ))
    }

    /// `factor · (I_u / p_M) Δ_u`.
    pub(super) fn net_delta(&self, factor: Ratio) -> Result<Linear, CompileError> {
        let mut form = Linear::zero();
        for Position { instrument, values, .. } in &self.positions {
            let delta = self.part_of_index(instrument, factor)?.enclose(values.delta)?;
            form.add_leg(instrument.long, delta);
            form.add_leg(instrument.short, delta.checked_neg()?);
        }
        Ok(form)
    }

    /// `factor · shock_u`, bounded from above.
    pub(super) fn delta_shock(
        &self,
        builder: &mut Builder,
        name: &str,
        factor: Ratio,
    ) -> Result<Option<Upper>, CompileError> {
        let shock = self.parameters.delta_shock;
        let Some(shock) = shock.filter(|shock| !shock.most.is_zero() && !self.positions.is_empty()) else {
            return Ok(None);
        };
        let name = format!("delta shock of {name}");
        let scale = factor.checked_mul(Ratio::new(1, SLOPES.into())?)?;
        let delta = builder.absolute(&name, &self.net_delta(scale)?)?;
        let mut pieces = Vec::new();
        for (slope, offset) in chords(shock, self.market.index)? {
            let offset = self.units_per_usd.times(offset)?.times(factor)?.real()?;
            let amount = builder.scale(delta.clone(), NonNegative::from(slope))?;
            pieces.push(amount - builder.lower(&Linear::constant(offset))?);
        }
        let quadratic = builder.max_non_negative(&name, pieces)?;
        let capped = builder.scale(delta, NonNegative::from(steepest(shock)?))?;
        Ok(Some(builder.any_of_upper(&name, quadratic, capped)?))
    }

    /// `I_u / p_M · part` in units, of each lot of an instrument.
    fn part_of_index(&self, instrument: &Instrument, part: Ratio) -> Result<Factor, CompileError> {
        let notional = self
            .units_per_usd
            .times(ratio(instrument.lot)?)?
            .times(ratio(self.market.index)?)?;
        Ok(notional.times(part)?)
    }

    /// The two parts of `factor · (I_u / p_M) (net |Δ_u| + gross Γ_u)`: the form whose magnitude the first is, and the
    /// second. `None` if both factors are 0.
    pub(super) fn delta_provision(&self, factor: Ratio) -> Result<Option<(Linear, Linear)>, CompileError> {
        let Some(DeltaProvision { net, gross }) = self.parameters.delta_provision else {
            return Ok(None);
        };
        if net.is_zero() && gross.is_zero() {
            return Ok(None);
        }
        let (net, gross) = (ratio(net)?.checked_mul(factor)?, ratio(gross)?.checked_mul(factor)?);
        let (mut signed, mut whole) = (Linear::zero(), Linear::zero());
        for Position { instrument, values, .. } in &self.positions {
            if net.numerator() != 0 {
                let delta = self.part_of_index(instrument, net)?.enclose(values.delta)?;
                signed.add_leg(instrument.long, delta);
                signed.add_leg(instrument.short, delta.checked_neg()?);
            }
            let delta = self.part_of_index(instrument, gross)?.enclose(values.delta.abs())?;
            whole.add_leg(instrument.long, delta);
            whole.add_leg(instrument.short, delta);
        }
        Ok(Some((signed, whole)))
    }

    /// `factor · (I_u / p_M) short_option_minimum_u Σ k_i l_i S_i`; `None` if it is 0.
    pub(super) fn short_options(&self, factor: Ratio) -> Result<Option<Linear>, CompileError> {
        let minimum = self.parameters.short_option_minimum;
        if minimum.is_zero() {
            return Ok(None);
        }
        let mut form = Linear::zero();
        for Position { instrument, .. } in &self.positions {
            if let Kind::Option { .. } = instrument.kind {
                let part = ratio(minimum)?
                    .checked_mul(factor)?
                    .checked_mul(ratio(instrument.contract)?)?;
                form.add_leg(instrument.short, self.part_of_index(instrument, part)?.real()?);
            }
        }
        Ok(Some(form))
    }

    /// The forms whose magnitudes add up to `factor · roll_u`, one per expiry and one for the perpetuals.
    pub(super) fn roll(&self, factor: Ratio) -> Result<Vec<Linear>, CompileError> {
        let Some(Roll { annual_move, least }) = self.parameters.roll else {
            return Ok(Vec::new());
        };
        let (annual_move, least) = (to_f64(annual_move), to_f64(least));
        let mut buckets: std::collections::BTreeMap<Option<Instant>, Linear> = std::collections::BTreeMap::new();
        for Position { instrument, values, .. } in &self.positions {
            let expiry = instrument.kind.expiry();
            let rate = expiry.map_or(least, |expiry| roll_rate(annual_move, least, years(self.now, expiry)));
            let charge = self.part_of_index(instrument, factor)?.enclose(values.delta * rate)?;
            let form = buckets.entry(expiry).or_default();
            form.add_leg(instrument.long, charge);
            form.add_leg(instrument.short, charge.checked_neg()?);
        }
        Ok(buckets.into_values().collect())
    }

    /// Adds `fees_u + funding_u`.
    pub(super) fn add_provisions(&self, form: &mut Linear) -> Result<(), CompileError> {
        let UnderlyingParameters {
            option_fee,
            option_fee_cap,
            future_fee,
            funding_intervals,
            ..
        } = *self.parameters;
        let funding = self
            .market
            .perpetual
            .as_ref()
            .map_or(Decimal::ZERO, |perpetual| perpetual.funding);
        let funding = ratio(funding)?.checked_mul(ratio(funding_intervals)?)?;
        for position in &self.positions {
            let Position { instrument, values, .. } = position;
            if let Kind::Option { .. } = instrument.kind {
                let part = ratio(option_fee)?.checked_mul(ratio(instrument.contract)?)?;
                if part.numerator() > 0 {
                    let mut fee = self.part_of_index(instrument, part)?.real()?;
                    if let Some(cap) = option_fee_cap {
                        let capped = position.per_lot.times(ratio(cap)?)?.enclose(values.mark)?;
                        // Each is at least the smaller.
                        fee = if capped.bounds().1 < fee.bounds().1 {
                            capped
                        } else {
                            fee
                        };
                    }
                    form.add_leg(instrument.long, fee);
                    form.add_leg(instrument.short, fee);
                }
                continue;
            }
            let coins = values.delta.abs();
            let mut add = |leg, part: Ratio| -> Result<(), CompileError> {
                if part.numerator() > 0 {
                    form.add_leg(leg, self.part_of_index(instrument, part)?.enclose(coins)?);
                }
                Ok(())
            };
            add(instrument.long, ratio(future_fee)?)?;
            add(instrument.short, ratio(future_fee)?)?;
            if instrument.kind == Kind::Perpetual {
                add(instrument.long, funding)?;
                add(instrument.short, funding.checked_neg()?)?;
            }
        }
        Ok(())
    }
}
