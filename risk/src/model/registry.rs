//! Every kind of model, and every model that comes with the tool.

use schemars::schema_for;

use crate::json;
use crate::model::about::MakeSchema;
use crate::model::{
    BinancePm, DeltaGammaVega, Demand, DeriveStandard, Historical, LinearMargin, ModelError, OkxPm, Pm2, Pmrm1, Rule,
    ScenarioGrid, Simm, Span, Tims, about, binance_pm, delta_gamma_vega, demand, derive, derive_standard, historical,
    linear, okx_pm, scenario_grid, simm, span, tims,
};

macro_rules! kinds {
    ($($(#[$doc:meta])* $variant:ident($rule:ty, $parameters:ty): $($kind:literal)|+,)*) => {
        /// A checked margin model.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum Model {
            $($(#[$doc])* $variant(Box<$rule>),)*
        }

        /// What the `model` field of a file may say, with the schema of such a file.
        pub const KINDS: &[(&str, MakeSchema)] = &[$($(($kind, || schema_for!($parameters)),)+)*];

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
    ScenarioGrid(ScenarioGrid, scenario_grid::Parameters): "scenario-grid",
    /// Portfolio Margin 2 of Derive.
    DerivePm2(Pm2, derive::pm2::Parameters): "derive-pm2",
    /// The Portfolio Margin Risk Manager of Derive before it.
    DerivePmrm1(Pmrm1, derive::pmrm1::Parameters): "derive-pmrm1",
    /// Isolated margin or max loss of each expiry.
    DeriveStandard(DeriveStandard, derive_standard::Parameters): "derive-standard",
    /// Futures and perpetuals by tiers; short options each by itself.
    Linear(LinearMargin, linear::Parameters): "linear" | "deribit-standard",
    /// OKX or Bybit portfolio margin.
    OkxPm(OkxPm, okx_pm::Parameters): "okx-pm" | "bybit-pm",
    /// Binance portfolio margin.
    BinancePm(BinancePm, binance_pm::Parameters): "binance-pm",
    /// Scanning risk, spread charges, inter-commodity credit.
    Span(Span, span::Parameters): "span",
    /// Ten points of the price, classes and product groups.
    Tims(Tims, tims::Parameters): "tims",
    /// ISDA SIMM.
    Simm(Simm, simm::Parameters): "simm",
    /// Parametric value at risk on greeks.
    DeltaGammaVega(DeltaGammaVega, delta_gamma_vega::Parameters): "delta-gamma-vega",
    /// Value at risk or expected shortfall of past moves.
    Historical(Historical, historical::Parameters): "historical",
    /// What a partner demands: several models, netting, counterparties, limits.
    Demand(Demand, demand::Parameters): "demand",
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
    about::names(&PRESETS)
}

/// The kinds, for a message.
pub(super) fn kinds() -> String {
    about::names(KINDS)
}
