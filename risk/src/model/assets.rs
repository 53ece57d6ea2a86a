//! How assets count as collateral: the part of a model's file that all models share.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::amount;
use crate::model::compile::Numeraire;

/// How an asset counts as collateral.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AssetParameters {
    /// `haircut_a`: the part of a balance that counts nothing, 0 to 1. Debts, carry and reserve count whole.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub haircut: Decimal,
    /// `cap_a`: most coins of balance that count, all venues together.
    #[serde(default, with = "amount::option", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub cap: Option<Decimal>,
    /// The underlying (of this file) with whose index the asset's price moves: `BTC` for BTC, `ETH` for a staked ETH.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub underlying: Option<String>,
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
