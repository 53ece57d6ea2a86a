//! Every kind of model, and every model that comes with the tool.

use crate::json;
use crate::model::binance_pm::BinancePm;
use crate::model::delta_gamma_vega::DeltaGammaVega;
use crate::model::demand::Demand;
use crate::model::derive::{Pm2, Pmrm1};
use crate::model::derive_standard::DeriveStandard;
use crate::model::historical::Historical;
use crate::model::linear::LinearMargin;
use crate::model::okx_pm::OkxPm;
use crate::model::scenario_grid::ScenarioGrid;
use crate::model::simm::Simm;
use crate::model::span::Span;
use crate::model::tims::Tims;
use crate::model::{ModelError, Rule};

macro_rules! kinds {
    ($($(#[$doc:meta])* $variant:ident($rule:ty): $($kind:literal)|+,)*) => {
        /// A checked margin model.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum Model {
            $($(#[$doc])* $variant(Box<$rule>),)*
        }

        /// What the `model` field of a file may say.
        pub const KINDS: &[&str] = &[$($($kind,)+)*];

        impl Model {
            /// Reads and checks a file of a kind.
            pub(super) fn of_kind(kind: &str, text: &str) -> Result<Model, ModelError> {
                match kind {
                    $($($kind)|+ => Ok(<$rule>::new(json::from_str(text)?)?.into()),)*
                    other => Err(ModelError::Kind(other.chars().take(64).collect())),
                }
            }

            pub(crate) fn rule(&self) -> &dyn Rule {
                match self {
                    $(Model::$variant(rule) => rule.as_ref(),)*
                }
            }
        }

        $(impl From<$rule> for Model {
            fn from(rule: $rule) -> Model {
                Model::$variant(Box::new(rule))
            }
        })*
    };
}

kinds! {
    /// Worst row of a price × volatility grid.
    ScenarioGrid(ScenarioGrid): "scenario-grid",
    /// Portfolio Margin 2 of Derive.
    DerivePm2(Pm2): "derive-pm2",
    /// The Portfolio Margin Risk Manager of Derive before it.
    DerivePmrm1(Pmrm1): "derive-pmrm1",
    /// Isolated margin or max loss of each expiry.
    DeriveStandard(DeriveStandard): "derive-standard",
    /// Futures and perpetuals by tiers; short options each by itself.
    Linear(LinearMargin): "linear" | "deribit-standard",
    /// OKX or Bybit portfolio margin.
    OkxPm(OkxPm): "okx-pm" | "bybit-pm",
    /// Binance portfolio margin.
    BinancePm(BinancePm): "binance-pm",
    /// Scanning risk, spread charges, inter-commodity credit.
    Span(Span): "span",
    /// Ten points of the price, classes and product groups.
    Tims(Tims): "tims",
    /// ISDA SIMM.
    Simm(Simm): "simm",
    /// Parametric value at risk on greeks.
    DeltaGammaVega(DeltaGammaVega): "delta-gamma-vega",
    /// Value at risk or expected shortfall of past moves.
    Historical(Historical): "historical",
    /// What a partner demands: several models, netting, counterparties, limits.
    Demand(Demand): "demand",
}

macro_rules! presets {
    ($($name:literal,)*) => {
        [$(($name, include_str!(concat!("../../presets/", $name, ".json"))),)*]
    };
}

/// The models that come with the tool, by name: the text of each file.
pub const PRESETS: [(&str, &str); 19] = presets![
    "paradex-pm",
    "deribit-pm",
    "deribit-standard",
    "derive-pm2",
    "derive-pmrm1",
    "derive-standard",
    "okx-pm",
    "bybit-pm",
    "binance-pm",
    "binance-usdm",
    "hyperliquid",
    "dydx",
    "span",
    "tims",
    "hs-var",
    "hs-es",
    "delta-gamma-vega",
    "simm-2.5",
    "simm-2.5-1d",
];

/// The names of the presets, for a message.
pub(super) fn presets() -> String {
    PRESETS.map(|(name, _)| name).join(", ")
}
