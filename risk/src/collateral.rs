//! Collateral: what balances, debts, carry and reserves are worth.
//!
//! The rule is that of [`AssetParameters`], in coins summed over the venues of an asset. The debt stands in every piece of a
//! tiered or capped value, so that a coin that is held and owed at once never helps.

use rust_decimal::Decimal;
use zkmargin_program::{BuildError, Builder, Linear, Lower, NumberError, Real};

use crate::market::Snapshot;
use crate::model::assets::{AssetParameters, Piece};
use crate::model::factor::{Factor, ratio};
use crate::universe::Asset;

/// The USD price of a coin of an asset: the snapshot's, else the index of the underlying of the same name, else none.
pub fn price(snapshot: &Snapshot, asset: &str) -> Option<Decimal> {
    let listed = snapshot.assets.get(asset).copied();
    listed.or_else(|| snapshot.underlyings.get(asset).map(|market| market.index))
}

/// Why collateral cannot be put into a program.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CollateralError {
    #[error(transparent)]
    Number(#[from] NumberError),
    #[error(transparent)]
    Build(#[from] BuildError),
}

/// What an account may hold of one asset, at every venue that lists it for cross margin.
#[derive(Clone, Debug, Default)]
pub(crate) struct Holding<'a> {
    pub(crate) lines: Vec<&'a Asset>,
}

impl Holding<'_> {
    fn add<'s>(
        &'s self,
        form: &mut Linear,
        per_coin: Factor,
        legs: impl Fn(&'s Asset, Real) -> Result<Vec<(zkmargin_program::LegId, Real)>, NumberError>,
    ) -> Result<(), NumberError> {
        for asset in &self.lines {
            let units = per_coin.times(ratio(asset.lot)?)?.real()?;
            for (leg, units) in legs(asset, units)? {
                form.add_leg(leg, units);
            }
        }
        Ok(())
    }

    /// Adds the balance at `per_coin` units a coin.
    pub(crate) fn add_balance(&self, form: &mut Linear, per_coin: Factor) -> Result<(), NumberError> {
        self.add(form, per_coin, |asset, units| Ok(vec![(asset.balance, units)]))
    }

    /// Takes off the debt.
    pub(crate) fn take_debt(&self, form: &mut Linear, per_coin: Factor) -> Result<(), NumberError> {
        self.add(form, per_coin, |asset, units| {
            Ok(vec![(asset.debt, units.checked_neg()?)])
        })
    }

    /// Adds carry credit and takes off carry debit.
    pub(crate) fn add_carry(&self, form: &mut Linear, per_coin: Factor) -> Result<(), NumberError> {
        self.add(form, per_coin, |asset, units| {
            Ok(match asset.carry {
                Some(pair) => vec![(pair.first, units), (pair.second, units.checked_neg()?)],
                None => Vec::new(),
            })
        })
    }

    /// Takes off the reserve.
    pub(crate) fn take_reserve(&self, form: &mut Linear, per_coin: Factor) -> Result<(), NumberError> {
        self.add(form, per_coin, |asset, units| {
            Ok(match asset.reserve {
                Some(leg) => vec![(leg, units.checked_neg()?)],
                None => Vec::new(),
            })
        })
    }

    /// Adds the value of the holding to `value`, or what of it needs a variable to `capped`.
    pub(crate) fn add_value(
        &self,
        builder: &mut Builder,
        per_coin: Factor,
        rule: &AssetParameters,
        value: &mut Linear,
        capped: &mut Vec<Lower>,
    ) -> Result<(), CollateralError> {
        self.add_carry(value, per_coin)?;
        self.add_cash(builder, per_coin, rule, value, capped)
    }

    /// The same without carry.
    pub(crate) fn add_cash(
        &self,
        builder: &mut Builder,
        per_coin: Factor,
        rule: &AssetParameters,
        value: &mut Linear,
        capped: &mut Vec<Lower>,
    ) -> Result<(), CollateralError> {
        self.take_reserve(value, per_coin)?;
        let owed = per_coin.times(ratio(rule.debt_weight)?)?;
        // What does not fit is refused with the file.
        let pieces = rule.pieces().ok_or(NumberError::Overflow)?;
        let form = |piece: &Piece| {
            let mut form = Linear::zero();
            self.add_balance(&mut form, per_coin.times(ratio(piece.slope)?)?)?;
            self.take_debt(&mut form, owed)?;
            form.add_constant(per_coin.times(ratio(piece.constant)?)?.real()?);
            Ok::<_, NumberError>(form)
        };
        if let [only] = pieces.as_slice() {
            *value += form(only)?;
            return Ok(());
        }
        let mut items = Vec::with_capacity(pieces.len());
        for piece in &pieces {
            items.push(builder.lower(&form(piece)?)?);
        }
        capped.push(builder.min("counted collateral", items)?);
        Ok(())
    }
}
