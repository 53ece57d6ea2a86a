//! One underlying under either model, as forms: the worst row, and the charges beside it.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use zkmargin_program::{Builder, Linear, Lower, NumberError, Ratio, Upper};

use crate::instant::Instant;
use crate::market::UnderlyingMarket;
use crate::model::compile::{CompileError, Forms, Numeraire, magnitude};
use crate::model::derive::parameters::{Confidence, Peg, Row};
use crate::model::derive::values::{OptionValues, Prices, Table};
use crate::model::factor::{Factor, ratio};
use crate::model::sheet::{AssetSheet, Position, Sheet};
use crate::universe::Kind;

/// What a model says about one underlying, at one level.
pub(crate) struct DeskRule<'m> {
    pub(crate) prices: Prices<'m>,
    /// What the worst row is multiplied by.
    pub(crate) span: Ratio,
    /// Charge on the notional of futures and perpetuals.
    pub(crate) forward: Factor,
    /// Charge on the notional of naked short options.
    pub(crate) naked: Factor,
    /// None at the maintenance level.
    pub(crate) confidence: Option<Confidence>,
    /// Whether a gain in a skew row is taken at the larger of its two discounts.
    pub(crate) conservative: bool,
}

/// One underlying of a book.
pub(crate) struct Desk<'d, 'a> {
    name: &'d str,
    rule: DeskRule<'d>,
    market: &'a UnderlyingMarket,
    positions: &'d [Position<'a>],
    moving: Vec<&'d AssetSheet<'a>>,
    table: Table,
    numeraire: Numeraire,
}

/// `factor + peg.factor · max(0, peg.threshold - price of the numéraire)` at the initial level.
pub(crate) fn pegged(factor: Decimal, peg: &Peg, price: Decimal) -> Result<Ratio, NumberError> {
    let below = ratio(peg.threshold)?.checked_add(ratio(price)?.checked_neg()?)?;
    if below.is_negative() {
        return ratio(factor);
    }
    ratio(factor)?.checked_add(below.checked_mul(ratio(peg.factor)?)?)
}

/// What a confidence costs, as a part of a notional; nothing unless it is below the threshold.
pub(crate) fn confidence_charge(rule: &Confidence, confidence: Decimal) -> Result<Option<Ratio>, NumberError> {
    if confidence >= rule.threshold {
        return Ok(None);
    }
    let missing = Ratio::ONE.checked_add(ratio(confidence)?.checked_neg()?)?;
    missing.checked_mul(ratio(rule.factor)?).map(Some)
}

impl<'d, 'a> Desk<'d, 'a> {
    pub(crate) fn new(
        name: &'d str,
        rule: DeskRule<'d>,
        market: &'a UnderlyingMarket,
        now: Instant,
        sheet: &'d Sheet<'a>,
        moves_with: impl Fn(&str) -> Option<&'d str>,
        numeraire: Numeraire,
    ) -> Result<Desk<'d, 'a>, CompileError> {
        let positions = sheet.on(name);
        let listed = positions.iter().map(|position| position.instrument);
        let table = Table::new(market, now, &rule.prices, listed)?;
        let moving = sheet.assets.iter().filter(|(asset, _)| moves_with(asset) == Some(name));
        Ok(Desk {
            name,
            rule,
            market,
            positions,
            moving: moving.map(|(_, asset)| asset).collect(),
            table,
            numeraire,
        })
    }

    /// Adds the marks of everything.
    pub(crate) fn add_marks(&self, form: &mut Linear) -> Result<(), CompileError> {
        for position in self.positions {
            let long = position.instrument.long;
            let option = self.table.options.get(&long).map(|values| values.mark);
            let mark = option.or_else(|| self.table.forwards.get(&long).map(|values| values.mark));
            position.add_net(form, mark.unwrap_or_default(), Ratio::ONE)?;
        }
        Ok(())
    }

    /// What this underlying requires; the charges on its collateral are the model's.
    pub(crate) fn requirement(&self, builder: &mut Builder) -> Result<Upper, CompileError> {
        if self.positions.is_empty() && self.moving.is_empty() {
            return Ok(builder.upper(&Linear::zero())?);
        }
        let mut charges = Linear::zero();
        let mut parts = self.forward_charge(builder, &mut charges)?;
        self.add_confidence(&mut charges)?;
        let mut total = self.worst(builder)?;
        parts.extend(self.naked(builder)?);
        for part in parts {
            total = total + part;
        }
        Ok(if charges == Linear::zero() {
            total
        } else {
            total + builder.upper(&charges)?
        })
    }

    /// The options of each expiry.
    fn expiries(&self) -> BTreeMap<Instant, Vec<(&Position<'a>, &OptionValues)>> {
        let mut expiries: BTreeMap<Instant, Vec<_>> = BTreeMap::new();
        for position in self.positions {
            let values = self.table.options.get(&position.instrument.long);
            if let (Some(expiry), Some(values)) = (position.instrument.kind.expiry(), values) {
                expiries.entry(expiry).or_default().push((position, values));
            }
        }
        expiries
    }

    /// `span · max( 0, basis loss, loss of each row )`.
    fn worst(&self, builder: &mut Builder) -> Result<Upper, CompileError> {
        let expiries = self.expiries();
        let mut items = Vec::new();
        let mut basis = None;
        for options in expiries.values() {
            let part = self.basis(builder, options)?;
            basis = Some(match basis {
                None => part,
                Some(sum) => sum + part,
            });
        }
        items.extend(basis);
        for (index, row) in self.rule.prices.rows.iter().enumerate() {
            items.push(self.row(builder, index, row, &expiries)?);
        }
        Ok(builder.max_non_negative(&format!("worst row of {}", self.name), items)?)
    }

    /// `span · φ · max( 0, loss of the rise, loss of the fall )` of one expiry.
    fn basis(&self, builder: &mut Builder, options: &[(&Position<'a>, &OptionValues)]) -> Result<Upper, CompileError> {
        let mut losses = [Linear::zero(), Linear::zero()];
        for (position, values) in options {
            for (loss, gain) in losses.iter_mut().zip(values.basis) {
                position.add_net(loss, -gain, Ratio::ONE)?;
            }
        }
        let span = self.rule.span;
        let losses = losses.map(|loss| scaled(builder, loss, Factor::new(span)));
        let losses = losses.into_iter().collect::<Result<Vec<_>, _>>()?;
        Ok(builder.max_non_negative(&format!("basis of {}", self.name), losses)?)
    }

    /// `span · loss` of a row.
    fn row(
        &self,
        builder: &mut Builder,
        index: usize,
        row: &Row,
        expiries: &BTreeMap<Instant, Vec<(&Position<'a>, &OptionValues)>>,
    ) -> Result<Upper, CompileError> {
        let weight = Factor::new(self.rule.span).times(ratio(row.weight)?)?;
        let mut linear = Linear::zero();
        let mut parts = Vec::new();
        for (expiry, options) in expiries {
            let Some(tenor) = self.table.tenors.get(expiry) else {
                continue;
            };
            // Of the mark: less the value at the discount of what is not negative, and at that of what is.
            let (mut positive, mut negative) = (Linear::zero(), Linear::zero());
            let mut between = Linear::zero();
            for (position, values) in options {
                let Some((p, n)) = values.rows.get(index).copied() else {
                    continue;
                };
                let mark = position.units(values.mark, Ratio::ONE)?;
                let (p, n) = (position.units(p, Ratio::ONE)?, position.units(n, Ratio::ONE)?);
                let instrument = position.instrument;
                for (form, of_long) in [
                    (&mut positive, mark.checked_sub(p)?),
                    (&mut negative, mark.checked_sub(n)?),
                    (&mut between, p.checked_sub(n)?),
                ] {
                    form.add_leg(instrument.long, of_long);
                    form.add_leg(instrument.short, of_long.checked_neg()?);
                }
            }
            let name = format!("row {} of {}, {expiry}", index + 1, self.name);
            if row.volatility.is_skew() {
                let concave = tenor.positive <= tenor.negative;
                let even = tenor.positive == tenor.negative;
                let losses = [positive, negative];
                parts.push(self.either_sign(builder, &name, losses, weight, concave, even)?);
            } else if tenor.positive > tenor.negative {
                let a = builder.upper(&weight.scale(positive))?;
                let b = builder.upper(&weight.scale(negative))?;
                parts.push(builder.any_of_upper(&name, a, b)?);
            } else {
                linear += weight.scale(positive);
                if tenor.positive < tenor.negative {
                    let between = scaled(builder, between, weight)?;
                    parts.push(builder.positive_part(&name, between)?);
                }
            }
        }
        self.add_forwards(&mut linear, index, weight)?;
        self.add_collateral(&mut linear, row, weight)?;
        let linear = builder.upper(&linear)?;
        Ok(parts.into_iter().fold(linear, |sum, part| sum + part))
    }

    /// `|D V - mark|` of a skew row, from the losses at the two discounts. `D V` is the smaller of the two values where the
    /// discount of what is not negative is the `concave` smaller one, else the larger: one sign of it is convex, of the other the
    /// prover chooses which discount it takes, unless the model takes the worse.
    fn either_sign(
        &self,
        builder: &mut Builder,
        name: &str,
        losses: [Linear; 2],
        weight: Factor,
        concave: bool,
        even: bool,
    ) -> Result<Upper, CompileError> {
        let mut worse = Vec::with_capacity(2);
        let mut chosen = Vec::with_capacity(2);
        for loss in losses {
            let gain = -loss.clone();
            let (loss, gain) = (scaled(builder, loss, weight)?, scaled(builder, gain, weight)?);
            let (convex, other) = if concave { (loss, gain) } else { (gain, loss) };
            worse.push(convex);
            chosen.push(other);
            if even {
                break;
            }
        }
        if self.rule.conservative || even {
            worse.extend(chosen);
        } else if let (Some(b), Some(a)) = (chosen.pop(), chosen.pop()) {
            worse.push(builder.any_of_upper(name, a, b)?);
        }
        Ok(builder.max_non_negative(name, worse)?)
    }

    /// Adds `weight` times what futures and perpetuals lose in a row.
    fn add_forwards(&self, form: &mut Linear, index: usize, weight: Factor) -> Result<(), CompileError> {
        for position in self.positions {
            let instrument = position.instrument;
            let Some(values) = self.table.forwards.get(&instrument.long) else {
                continue;
            };
            let Some(shocked) = values.rows.get(index) else {
                continue;
            };
            let (mark, shocked) = (
                position.units(values.mark, Ratio::ONE)?,
                position.units(*shocked, Ratio::ONE)?,
            );
            let loss = weight.apply(mark.checked_sub(shocked)?)?;
            form.add_leg(instrument.long, loss);
            form.add_leg(instrument.short, loss.checked_neg()?);
        }
        Ok(())
    }

    /// Adds `weight` times what the collateral that moves with the underlying loses in a row.
    fn add_collateral(&self, form: &mut Linear, row: &Row, weight: Factor) -> Result<(), CompileError> {
        if row.price_move.is_zero() {
            return Ok(());
        }
        let loss = ratio(row.price_move)?.checked_neg()?;
        let mut moved = Linear::zero();
        for asset in &self.moving {
            let per_coin = asset.per_coin.times(loss)?;
            asset.holding.add_balance(&mut moved, per_coin)?;
            asset.holding.add_carry(&mut moved, per_coin)?;
            asset.holding.take_debt(&mut moved, per_coin)?;
            asset.holding.take_reserve(&mut moved, per_coin)?;
        }
        *form += weight.scale(moved);
        Ok(())
    }

    /// Units of the numéraire in `part` of the index per coin: a dollar counts as one of the numéraire.
    fn notional(&self, part: &Factor) -> Result<Factor, CompileError> {
        Ok(Factor::new(self.numeraire.units()?)
            .times(ratio(self.market.index)?)?
            .times_all(part)?)
    }

    /// The charge on the net notional of the perpetuals, and of the futures of each expiry.
    fn forward_charge(&self, builder: &mut Builder, linear: &mut Linear) -> Result<Vec<Upper>, CompileError> {
        let mut parts = Vec::new();
        if self.rule.forward.is_zero() {
            return Ok(parts);
        }
        let mut buckets: BTreeMap<Option<Instant>, Linear> = BTreeMap::new();
        for position in self.positions {
            let instrument = position.instrument;
            if let Some(values) = self.table.forwards.get(&instrument.long) {
                let per_lot = self.notional(&self.rule.forward)?.times(ratio(instrument.lot)?)?;
                let units = per_lot.enclose(values.coins)?;
                let bucket = buckets.entry(instrument.kind.expiry()).or_default();
                bucket.add_leg(instrument.long, units);
                bucket.add_leg(instrument.short, units.checked_neg()?);
            }
        }
        for (bucket, form) in buckets {
            let bucket = bucket.map_or_else(|| "perpetual".to_owned(), |expiry| expiry.to_string());
            let name = format!("net {bucket} of {}", self.name);
            parts.push(magnitude(builder, &name, form, linear)?);
        }
        Ok(parts)
    }

    /// The charge on naked shorts: of each strike and expiry, what calls and puts together are short.
    fn naked(&self, builder: &mut Builder) -> Result<Option<Upper>, CompileError> {
        if self.rule.naked.is_zero() {
            return Ok(None);
        }
        let mut strikes: BTreeMap<(Instant, Decimal), Vec<&Position<'a>>> = BTreeMap::new();
        for position in self.positions {
            if let Kind::Option { expiry, strike, .. } = position.instrument.kind {
                strikes.entry((expiry, strike)).or_default().push(position);
            }
        }
        let name = format!("naked shorts of {}", self.name);
        let per_coin = self.notional(&self.rule.naked)?;
        let mut total = None;
        for positions in strikes.values() {
            let mut short = Linear::zero();
            for position in positions {
                let instrument = position.instrument;
                let of_lot = per_coin
                    .times(ratio(instrument.contract)?)?
                    .times(ratio(instrument.lot)?)?;
                short.add_leg(instrument.short, of_lot.real()?);
                short.add_leg(instrument.long, of_lot.real()?.checked_neg()?);
            }
            let short = builder.upper(&short)?;
            let part = builder.positive_part(&name, short)?;
            total = Some(match total {
                None => part,
                Some(sum) => sum + part,
            });
        }
        Ok(total)
    }

    /// Adds the charge for uncertain prices: gross, and of the perpetual's confidence whether or not a perpetual is held.
    fn add_confidence(&self, form: &mut Linear) -> Result<(), CompileError> {
        let Some(rule) = &self.rule.confidence else {
            return Ok(());
        };
        let common = self.confidence();
        for position in self.positions {
            let instrument = position.instrument;
            let expiry = match instrument.kind {
                Kind::Option { expiry, .. } => self.market.expiries.get(&expiry).and_then(|options| options.confidence),
                Kind::Future { .. } | Kind::Perpetual | Kind::Sensitivity(_) => None,
            };
            let confidence = common.min(expiry.unwrap_or(Decimal::ONE));
            let Some(charge) = confidence_charge(rule, confidence)? else {
                continue;
            };
            let per_lot = self.notional(&Factor::new(charge))?.times(ratio(instrument.lot)?)?;
            let units = match self.table.forwards.get(&instrument.long) {
                Some(values) => per_lot.enclose(values.coins)?,
                None => per_lot.times(ratio(instrument.contract)?)?.real()?,
            };
            form.add_leg(instrument.long, units);
            form.add_leg(instrument.short, units);
        }
        Ok(())
    }

    /// The confidence of the index, and of the perpetual if one can be held.
    pub(crate) fn confidence(&self) -> Decimal {
        let index = self.market.confidence.unwrap_or(Decimal::ONE);
        let perpetual = self.market.perpetual.as_ref().and_then(|quote| quote.confidence);
        let listed = self
            .positions
            .iter()
            .any(|position| position.instrument.kind == Kind::Perpetual);
        match perpetual.filter(|_| listed) {
            Some(perpetual) => index.min(perpetual),
            None => index,
        }
    }
}

/// `factor · form`, rounded up.
fn scaled(builder: &mut Builder, form: Linear, factor: Factor) -> Result<Upper, CompileError> {
    Ok(builder.upper(&factor.scale(form))?)
}

/// What the collateral of a desk adds to a value; nothing else of it is the desk's.
pub(crate) fn whole_collateral(asset: &AssetSheet<'_>, value: &mut Linear) -> Result<(), CompileError> {
    let per_coin = asset.per_coin;
    asset.holding.add_balance(value, per_coin)?;
    asset.holding.take_debt(value, per_coin)?;
    asset.holding.add_carry(value, per_coin)?;
    Ok(asset.holding.take_reserve(value, per_coin)?)
}

/// `V` and `R` of desks, with `charges` on what no desk has.
pub(crate) fn forms(
    builder: &mut Builder,
    sheet: &Sheet<'_>,
    desks: &[Desk<'_, '_>],
    charges: &Linear,
) -> Result<Forms, CompileError> {
    let value = value(builder, sheet, desks)?;
    let mut requirement = builder.upper(charges)?;
    for desk in desks {
        requirement = requirement + desk.requirement(builder)?;
    }
    Ok(Forms { value, requirement })
}

/// The value of a book: every mark, and collateral whole.
fn value(builder: &mut Builder, sheet: &Sheet<'_>, desks: &[Desk<'_, '_>]) -> Result<Lower, CompileError> {
    let mut value = Linear::zero();
    for desk in desks {
        desk.add_marks(&mut value)?;
    }
    for asset in sheet.assets.values() {
        whole_collateral(asset, &mut value)?;
    }
    Ok(builder.lower(&value)?)
}
