//! How assets count as collateral: the part of a model's file that all models share.
//!
//! With `B`, `D`, `K`, `G` the coins of balance, debt, carry (credit less debit) and reserve of an asset at price `p`, all its
//! venues together:
//! ```text
//! value = p ( H(B) - debt_weight · D + K - G )
//! H(B)  = Σ_t (1 - haircut_t) · ( the part of min(B, cap) that lies in tier t )
//! ```
//! Tier 0 begins at no coins and has the asset's `haircut`; each of its `tiers` begins `above` so many coins. Haircuts do not
//! fall from tier to tier, so `H` is concave and never more than any of its pieces. A haircut and a cap take from what is held,
//! never from what is owed.

use std::collections::BTreeMap;

use num_rational::BigRational;
use num_traits::{One as _, Zero as _};
use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::amount;
use crate::model::compile::Numeraire;
use crate::model::{ModelError, check};

/// Most tiers of an asset.
const MAX_TIERS: usize = 16;
/// Largest cap and tier, in coins.
const MAX_COINS: Decimal = Decimal::from_parts(0xd4a5_1000, 0xe8, 0, false, 0);
/// Largest weight of a debt.
const MAX_DEBT_WEIGHT: Decimal = Decimal::TEN;

fn one() -> Decimal {
    Decimal::ONE
}

fn is_one(value: &Decimal) -> bool {
    *value == Decimal::ONE
}

/// How an asset counts as collateral.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AssetParameters {
    /// `haircut_a`: the part of a balance that counts nothing, 0 to 1. Debts, carry and reserve count whole.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub haircut: Decimal,
    /// Larger haircuts for the part of a balance above so many coins; both rise from tier to tier.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tiers: Vec<HaircutTier>,
    /// What a debt counts, as a multiple of its price: 1 to 10, 1 if it is not given.
    #[serde(default = "one", with = "amount", skip_serializing_if = "is_one")]
    #[schemars(with = "String")]
    pub debt_weight: Decimal,
    /// `cap_a`: most coins of balance that count, all venues together.
    #[serde(default, with = "amount::option", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub cap: Option<Decimal>,
    /// The underlying (of this file) with whose index the asset's price moves: `BTC` for BTC, `ETH` for a staked ETH.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub underlying: Option<String>,
}

/// How assets count, by name.
pub(crate) type AssetRules = BTreeMap<String, AssetParameters>;

/// The haircut of the part of a balance above so many coins.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HaircutTier {
    /// Where it begins, in coins.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub above: Decimal,
    /// The part that counts nothing, at least that of the tier before.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub haircut: Decimal,
}

/// A line that [`H`](self) never exceeds: `slope · B + constant`, in coins.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) slope: Decimal,
    pub(crate) constant: Decimal,
}

impl AssetParameters {
    /// An asset of which everything counts but `haircut`.
    pub fn with_haircut(haircut: Decimal) -> AssetParameters {
        AssetParameters {
            haircut,
            tiers: Vec::new(),
            debt_weight: Decimal::ONE,
            cap: None,
            underlying: None,
        }
    }

    /// The lines of which `H` is the smallest, exactly; `None` if one is no decimal, which a checked file excludes.
    pub(crate) fn pieces(&self) -> Option<Vec<Piece>> {
        let mut tiers = vec![(Decimal::ZERO, self.haircut)];
        tiers.extend(self.tiers.iter().map(|tier| (tier.above, tier.haircut)));
        tiers.extend(self.cap.map(|cap| (cap, Decimal::ONE)));
        let mut pieces = Vec::with_capacity(tiers.len());
        // H at the beginning of the tier.
        let (mut begun, mut reached, mut slope) = (BigRational::zero(), BigRational::zero(), BigRational::zero());
        for (above, haircut) in tiers {
            // A cap may cut tiers off.
            if self.cap.is_some_and(|cap| above > cap) {
                continue;
            }
            let above = amount::to_ratio(above);
            reached += &slope * (&above - begun);
            slope = BigRational::one() - amount::to_ratio(haircut);
            pieces.push(Piece {
                slope: amount::from_ratio(&slope)?,
                constant: amount::from_ratio(&(&reached - &slope * &above))?,
            });
            begun = above;
        }
        Some(pieces)
    }
}

/// Checks the assets of a model's file; `knows` says whether the file has an underlying.
///
/// # Errors
/// [`ModelError`] naming the field, its value and the bound.
pub(crate) fn check_assets(
    assets: &BTreeMap<String, AssetParameters>,
    knows: impl Fn(&str) -> bool,
) -> Result<(), ModelError> {
    for (name, asset) in assets {
        let field = |part: &str| format!("assets.{name}.{part}");
        check::at_most(field("haircut"), asset.haircut, Decimal::ONE, "0 to 1")?;
        if asset.tiers.len() > MAX_TIERS {
            let bound = format!("at most {MAX_TIERS}");
            return Err(check::count(field("tiers"), asset.tiers.len(), "tiers", bound));
        }
        let (mut above, mut haircut) = (Decimal::ZERO, asset.haircut);
        for (index, tier) in asset.tiers.iter().enumerate() {
            let field = |part: &str| format!("assets.{name}.tiers[{index}].{part}");
            if tier.above <= above || tier.above > MAX_COINS {
                let bound = "above the tier before (0 coins for the first), at most 1000000000000";
                return Err(check::value(field("above"), tier.above, bound));
            }
            let bound = "at least that of the tier before, at most 1";
            check::within(field("haircut"), tier.haircut, haircut, Decimal::ONE, bound)?;
            (above, haircut) = (tier.above, tier.haircut);
        }
        let weight = asset.debt_weight;
        check::within(field("debt_weight"), weight, Decimal::ONE, MAX_DEBT_WEIGHT, "1 to 10")?;
        if let Some(cap) = asset.cap {
            check::at_most(field("cap"), cap, MAX_COINS, "0 to 1000000000000 coins")?;
        }
        if asset.pieces().is_none() {
            return Err(check::value(
                field("tiers"),
                above,
                "haircuts and coins of fewer digits",
            ));
        }
        if let Some(underlying) = asset.underlying.as_ref().filter(|underlying| !knows(underlying)) {
            return Err(ModelError::Unknown {
                field: field("underlying"),
                name: underlying.clone(),
                among: "underlyings",
            });
        }
    }
    Ok(())
}

/// Refuses what a rule has no place for that takes a haircut alone: a file that says it would not be what is proven.
///
/// # Errors
/// [`ModelError`] naming the cap, the tiers or the weight.
pub(crate) fn check_haircuts_alone(assets: &BTreeMap<String, AssetParameters>) -> Result<(), ModelError> {
    for (name, asset) in assets {
        let field = |part: &str| format!("assets.{name}.{part}");
        if let Some(cap) = asset.cap {
            return Err(check::value(field("cap"), cap, "no cap under this kind of model"));
        }
        if !asset.tiers.is_empty() {
            let tiers = asset.tiers.len();
            return Err(check::count(
                field("tiers"),
                tiers,
                "tiers",
                "none under this kind of model",
            ));
        }
        if asset.debt_weight != Decimal::ONE {
            let bound = "no weight under this kind of model";
            return Err(check::value(field("debt_weight"), asset.debt_weight, bound));
        }
    }
    Ok(())
}

/// Assets as collateral that counts whole, each with the underlying that it moves with.
pub(crate) fn whole<'m>(
    assets: impl Iterator<Item = (&'m String, Option<&'m String>)>,
) -> BTreeMap<String, AssetParameters> {
    let whole = |underlying: Option<&String>| AssetParameters {
        underlying: underlying.cloned(),
        ..AssetParameters::with_haircut(Decimal::ZERO)
    };
    assets
        .map(|(name, underlying)| (name.clone(), whole(underlying)))
        .collect()
}

/// The assets of a file, and the underlying that each moves with.
pub(crate) fn moves_with(assets: &BTreeMap<String, AssetParameters>) -> BTreeMap<&str, Option<&str>> {
    assets
        .iter()
        .map(|(name, asset)| (name.as_str(), asset.underlying.as_deref()))
        .collect()
}

/// The numéraire of this name: a coin, if it is an asset that moves with an underlying.
pub(crate) fn numeraire(name: &str, assets: &BTreeMap<String, AssetParameters>) -> Numeraire {
    Numeraire {
        name: name.to_owned(),
        is_coin: assets.get(name).is_some_and(|asset| asset.underlying.is_some()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn asset(file: &str) -> AssetParameters {
        serde_json::from_str(file).unwrap()
    }

    fn refusal(file: &str) -> String {
        let assets = BTreeMap::from([("X".to_owned(), asset(file))]);
        check_assets(&assets, |name| name == "BTC").unwrap_err().to_string()
    }

    #[test]
    fn the_smallest_piece_is_the_tiered_value() {
        // 10 coins at 10 %, 10 at 50 %, the next 5 at 100 %, nothing beyond the cap of 22.
        let asset = asset(
            r#"{"haircut":"0.1","tiers":[{"above":"10","haircut":"0.5"},{"above":"20","haircut":"1"}],"cap":"22"}"#,
        );
        let pieces = asset.pieces().unwrap();
        let counted = |coins: i64| {
            let at = |piece: &Piece| piece.slope * Decimal::from(coins) + piece.constant;
            pieces.iter().map(at).min().unwrap()
        };
        for (coins, worth) in [
            (0, "0"),
            (4, "3.6"),
            (10, "9"),
            (12, "10"),
            (20, "14"),
            (21, "14"),
            (1_000, "14"),
        ] {
            assert_eq!(counted(coins), worth.parse::<Decimal>().unwrap(), "{coins}");
        }
    }

    #[test]
    fn tiers_whose_pieces_are_no_decimals_are_refused_and_not_rounded() {
        let file = |above: &str| {
            format!(r#"{{"haircut":"0.1","tiers":[{{"above":"{above}","haircut":"0.1000000000000000000000000001"}}]}}"#)
        };
        assert!(asset(&file("10")).pieces().is_some());
        assert_eq!(asset(&file("0.5")).pieces(), None);
        assert!(refusal(&file("0.5")).contains("haircuts and coins of fewer digits"));
    }

    #[test]
    fn a_cap_cuts_off_the_tiers_beyond_it() {
        let asset = asset(r#"{"haircut":"0","tiers":[{"above":"5","haircut":"0.5"}],"cap":"2"}"#);
        let pieces = asset.pieces().unwrap();
        let most = Piece {
            slope: Decimal::ZERO,
            constant: Decimal::TWO,
        };
        assert_eq!(pieces.last(), Some(&most));
        assert_eq!(pieces.len(), 2);
    }

    #[test]
    fn tiers_that_fall_or_stand_still_and_light_debts_are_refused() {
        for (file, words) in [
            (r#"{"haircut":"1.01"}"#, "assets.X.haircut is 1.01"),
            (r#"{"haircut":"-0.1"}"#, "assets.X.haircut is -0.1"),
            (
                r#"{"haircut":"0.2","tiers":[{"above":"0","haircut":"0.3"}]}"#,
                "assets.X.tiers[0].above is 0",
            ),
            (
                r#"{"haircut":"0.2","tiers":[{"above":"5","haircut":"0.3"},{"above":"5","haircut":"0.4"}]}"#,
                "assets.X.tiers[1].above is 5",
            ),
            (
                r#"{"haircut":"0.2","tiers":[{"above":"5","haircut":"0.1"}]}"#,
                "assets.X.tiers[0].haircut is 0.1",
            ),
            (
                r#"{"haircut":"0.2","tiers":[{"above":"5","haircut":"1.1"}]}"#,
                "assets.X.tiers[0].haircut is 1.1",
            ),
            (
                r#"{"haircut":"0","debt_weight":"0.99"}"#,
                "assets.X.debt_weight is 0.99, expected 1 to 10",
            ),
            (r#"{"haircut":"0","cap":"-1"}"#, "assets.X.cap is -1"),
            (r#"{"haircut":"0","underlying":"ETH"}"#, "names `ETH`"),
        ] {
            let text = refusal(file);
            assert!(text.contains(words), "{text}");
        }
    }
}
