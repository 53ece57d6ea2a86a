//! The parameter file of ISDA SIMM, and the rule that it parametrizes.
//!
//! The rule is the ISDA Standard Initial Margin Model, version 2.5 (methodology effective 3 December 2022). **Whoever uses ISDA SIMM
//! commercially needs a licence from ISDA**; this page is not one. Every number of a file is an exact decimal. The symbols are
//! those of the methodology.
//!
//! # Facts
//! - A *sensitivity* is an instrument of kind [`Sensitivity`](crate::universe::Sensitivity): risk type, qualifier, bucket, labels, and as
//!   its `underlying` the product class that it is margined in. With `L` lots long and `S` short of `l` contracts, `k` USD each, it
//!   is an amount of `s = l k (L - S)` USD. A sensitivity to an exchange rate is the change of value for a move of 1 %, to an interest
//!   rate or credit spread for a basis point, to an equity or commodity for 1 %; a vega is `∂V/∂σ` as the methodology has it (times
//!   the volatility already, for interest rates and credit).
//! - `p_a`, and balance, debt, carry and reserve of an asset: as in a [scenario grid](crate::model::scenario_grid::parameters). The
//!   requirement is in USD and is divided by the price of the [numéraire](Parameters::numeraire).
//!
//! # What counts
//! Assets as in a scenario grid. A sensitivity counts if its settlement asset counts, it is not isolated, and
//! - it is a `Notional`, and its qualifier is among [`Parameters::notional_factors`]; or
//! - its product class is among [`Parameters::product_classes`], and its risk type is not `Notional`; and
//! - its bucket is one of its risk class (credit, equity, commodity); its `label1` is one of the tenors (`Risk_IRCurve`,
//!   `Risk_IRVol`); its `label1` is a tenor in weeks, months or years, such as `2w`, `3m`, `10y` (every volatility); its qualifier is
//!   two currencies of three letters (`Risk_FXVol`).
//!
//! Nothing else counts. What does not is *proven empty*. What a risk type has no use for is not read: the bucket of a rate.
//!
//! # Risk factors
//! The amounts of one product class that agree in all of this are one risk factor, and are added up with their signs:
//!
//! | risk types | risk class | measure | bucket | and |
//! |---|---|---|---|---|
//! | `Risk_IRCurve` | interest rate | delta | currency | tenor, curve |
//! | `Risk_Inflation`, `Risk_XCcyBasis` | interest rate | delta | currency | risk type |
//! | `Risk_IRVol` | interest rate | vega | currency | tenor |
//! | `Risk_InflationVol` | interest rate | vega | currency | |
//! | `Risk_CreditQ`, `Risk_CreditNonQ` | credit (non-)qualifying | delta | bucket | qualifier, tenor, `label2` |
//! | `Risk_CreditVol`, `Risk_CreditVolNonQ` | credit (non-)qualifying | vega | bucket | qualifier, tenor, `label2` |
//! | `Risk_BaseCorr` | credit qualifying | base correlation | | qualifier |
//! | `Risk_Equity`, `Risk_Commodity` | equity, commodity | delta | bucket | qualifier |
//! | `Risk_EquityVol`, `Risk_CommodityVol` | equity, commodity | vega | bucket | qualifier |
//! | `Risk_FX` | exchange rate | delta | currency | |
//! | `Risk_FXVol` | exchange rate | vega | the two currencies, in the order of the alphabet | |
//!
//! `Risk_FX` in the [calculation currency](Parameters::calculation_currency) is no risk, and counts nothing.
//!
//! # Delta and vega
//! A delta enters with `x = s`. A vega enters with `x = HVR σ s`: `HVR` and `σ` are 1 in interest rates and credit; in equity,
//! commodity and exchange rates `HVR` is `historical_volatility_ratio` and `σ = RW volatility_scale`, `RW` being the *delta* risk weight
//! of the bucket, or of the pair of currencies. The rest is the same, with the measure's own risk weights and thresholds. In each
//! bucket `b`, `k` and `l` over its risk factors:
//! ```text
//! CR_k = max( 1, √( |Σ x| / T_b ) )         the sum over the concentration group of k; 1 without a threshold, and for a cross-currency basis
//! WS_k = RW_k x_k CR_k
//! f_kl = min( CR_k, CR_l ) / max( CR_k, CR_l )
//! K_b  = √( Σ_k WS_k² + Σ_{k≠l} ρ_kl f_kl WS_k WS_l )
//! S_b  = max( min( Σ_k WS_k, K_b ), -K_b )
//! g_bc = min( CR_b, CR_c ) / max( CR_b, CR_c )    in interest and exchange rates, where a bucket has one CR; else 1
//! margin = √( Σ_b K_b² + Σ_{b≠c} γ_bc g_bc S_b S_c ) + K_residual
//! ```
//! The concentration group is the currency in interest rates (its cross-currency bases apart, which have no part in the sum either), else
//! the qualifier. In `f` a cross-currency basis has the `CR` of its currency. A root of what is below 0 is 0.
//! `K_residual` is of the bucket named [`Bucketed::residual`], which has no correlation with the others.
//!
//! `ρ` between two factors of one bucket: interest rates, that of the tenors, times `curve_correlation` if the curves differ;
//! `basis_correlation` if one is a cross-currency basis, else `inflation_correlation` if one is inflation. Credit: `same_correlation` if both
//! have the same [`Bucketed::same_by`], else that of the bucket (always that in the residual bucket). Equity, commodity: that of the
//! bucket. Exchange rates have one factor in a bucket. `γ`: `currency_correlation`, `bucket_correlations`, for exchange rates
//! [`FxRates::correlations`] of the calculation currency's group by the groups of the two currencies, and `vega_correlation` for vega.
//!
//! # Curvature
//! From the vegas again, without `HVR`, each by its expiry of `t` days (a week is 7, a month 365/12, a year 365):
//! ```text
//! CVR_k = Σ SF(t) σ s,    SF(t) = ½ min( 1, curvature_days / t )
//! K_b, S_b as above of CVR, with ρ² for ρ and γ² for γ, and 1 for CR
//! θ = min( 0, Σ CVR_k / Σ |CVR_k| )             the sums over all buckets; 0 if nothing is held
//! λ = curvature_tail (1 + θ) - θ
//! margin = max( 0, Σ_k CVR_k + λ √( Σ_b K_b² + Σ_{b≠c} γ_bc² S_b S_c ) )
//! ```
//! The residual bucket likewise by itself, and the two are added. In interest rates the sum is divided by `historical_volatility_ratio²`.
//! A bucket whose [`Bucket::curvature`] is false has none. `curvature_tail` is `Φ⁻¹(99.5 %)² - 1`.
//!
//! # Base correlation
//! `√( Σ_k WS_k² + Σ_{k≠l} ρ WS_k WS_l )` with `WS_k = RW s_k`, over all indices of a product class.
//!
//! # Requirement
//! ```text
//! IM_r = delta + vega + curvature + base correlation               of a risk class r
//! IM_p = √( Σ_r Σ_s ψ_rs IM_r IM_s )                               of a product class p
//! R    = Σ_p multiplier_p IM_p + Σ notional_factor · l k (L + S) + fixed
//! ```
//! `ψ` is [`Parameters::risk_class_correlations`] in the order interest rate, credit qualifying, credit non-qualifying, equity,
//! commodity, exchange rate. A notional is charged on both its legs. `R` is the same at both levels. `V` is the collateral.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{amount, json};

pub use crate::model::assets::AssetParameters;
pub use crate::model::correlation::{Correlations, Figure};

/// A SIMM parameter set as its file says it; unchecked (a [`Simm`](super::Simm) is checked).
///
/// Amounts are strings. A field that is not below is refused. Every number is `>= 0`, a correlation apart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Parameters {
    /// Which kind of model the file holds.
    pub model: Kind,
    /// The model's name, 1 to 64 characters.
    pub name: String,
    /// Whose rule it follows, in a sentence or two.
    pub description: String,
    /// Where the figures are from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<String>,
    /// What is left out, and on which side that errs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<String>,
    /// Which figures are assumed here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub assumed: Vec<String>,
    /// What value and requirement are counted in: `USD` or the name of an asset of this file.
    pub numeraire: String,
    /// The currency in which nothing is an exchange rate risk.
    pub calculation_currency: String,
    /// `√(365 / days) / Φ⁻¹(99 %)`: a delta risk weight times this is a volatility.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub volatility_scale: Decimal,
    /// The days in `SF(t)`: 14, or 1.4 for one day.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub curvature_days: Decimal,
    /// `Φ⁻¹(99.5 %)² - 1`, at least 1.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub curvature_tail: Decimal,
    /// `ψ`, six rows, none of them negative.
    pub risk_class_correlations: Correlations,
    /// The product classes.
    pub product_classes: Vec<String>,
    /// Interest rates, inflation and cross-currency basis.
    pub interest_rate: InterestRates,
    /// Qualifying credit.
    pub credit_qualifying: Bucketed,
    /// Base correlation of qualifying credit.
    pub base_correlation: BaseCorrelation,
    /// Other credit.
    pub credit_non_qualifying: Bucketed,
    /// Equity.
    pub equity: Bucketed,
    /// Commodities.
    pub commodity: Bucketed,
    /// Exchange rates.
    pub fx: FxRates,
    /// Multipliers by product class, at least 1; 1 where there is none.
    #[serde(default, with = "amount::map", skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(with = "BTreeMap<String, String>")]
    pub multipliers: BTreeMap<String, Decimal>,
    /// Add-on by product, as a part of its notional.
    #[serde(default, with = "amount::map", skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(with = "BTreeMap<String, String>")]
    pub notional_factors: BTreeMap<String, Decimal>,
    /// Fixed add-on in USD.
    #[serde(default, with = "amount", skip_serializing_if = "Decimal::is_zero")]
    #[schemars(with = "String")]
    pub fixed: Decimal,
    /// The assets that count as collateral.
    #[serde(with = "json::unique")]
    #[schemars(with = "BTreeMap<String, AssetParameters>")]
    pub assets: BTreeMap<String, AssetParameters>,
}

/// `"simm"`.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Kind {
    /// ISDA SIMM.
    #[serde(rename = "simm")]
    Simm,
}

/// Interest rates, inflation, cross-currency basis.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InterestRates {
    /// The tenors: `2w`, `1m` and so on.
    pub tenors: Vec<String>,
    /// Groups of currencies.
    pub groups: Vec<CurrencyGroup>,
    /// The group of every currency that is in none of them.
    pub others: CurrencyGroup,
    /// Risk weight of inflation.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub inflation_weight: Decimal,
    /// Risk weight of a cross-currency basis.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub basis_weight: Decimal,
    /// `ρ` of tenors.
    pub tenor_correlations: Correlations,
    /// What `ρ` of two curves of a currency is multiplied by.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub curve_correlation: Decimal,
    /// `ρ` of inflation with any rate.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub inflation_correlation: Decimal,
    /// `ρ` of a cross-currency basis with anything else.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub basis_correlation: Decimal,
    /// `γ` of two currencies.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub currency_correlation: Decimal,
    /// Vega risk weight.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub vega_weight: Decimal,
    /// `HVR`, above 0: used for curvature alone.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub historical_volatility_ratio: Decimal,
}

/// Currencies with the same risk weights and thresholds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CurrencyGroup {
    /// What they have in common.
    pub name: String,
    /// The currencies.
    pub currencies: Vec<String>,
    /// Risk weights, in the order of the tenors.
    pub weights: Vec<Figure>,
    /// Concentration threshold of delta in USD, above 0.
    #[serde(default, with = "amount::option", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub threshold: Option<Decimal>,
    /// Concentration threshold of vega in USD, above 0.
    #[serde(default, with = "amount::option", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub vega_threshold: Option<Decimal>,
}

/// A risk class with numbered buckets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Bucketed {
    /// The buckets.
    pub buckets: Vec<Bucket>,
    /// The name of the residual bucket, the last one, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub residual: Option<String>,
    /// What makes two factors the same name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub same_by: Option<SameBy>,
    /// `ρ` of two factors of the same name.
    #[serde(default, with = "amount::option", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub same_correlation: Option<Decimal>,
    /// `HVR`; vegas that are times the volatility already have none.
    #[serde(default, with = "amount::option", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub historical_volatility_ratio: Option<Decimal>,
    /// `γ` of buckets, without the residual one.
    pub bucket_correlations: Correlations,
}

/// What makes two credit factors the same name.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SameBy {
    /// The same qualifier.
    Qualifier,
    /// The same `label2`.
    Label2,
}

/// A bucket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Bucket {
    /// Its name: `1`, `Residual`.
    pub name: String,
    /// Delta risk weight.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub weight: Decimal,
    /// `ρ` of two of its factors, if they are not of the same name.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub correlation: Decimal,
    /// Concentration threshold of delta in USD, above 0.
    #[serde(default, with = "amount::option", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub threshold: Option<Decimal>,
    /// Vega risk weight.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub vega_weight: Decimal,
    /// Concentration threshold of vega in USD, above 0.
    #[serde(default, with = "amount::option", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub vega_threshold: Option<Decimal>,
    /// Whether its vegas have curvature.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub curvature: bool,
}

fn yes() -> bool {
    true
}

// The signature is serde's.
#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_yes(flag: &bool) -> bool {
    *flag
}

/// Base correlation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BaseCorrelation {
    /// Risk weight.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub weight: Decimal,
    /// `ρ` of two indices.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub correlation: Decimal,
}

/// Exchange rates.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FxRates {
    /// Currencies of high volatility; all others are regular.
    pub high_volatility: Vec<String>,
    /// Risk weights, by the groups of the two currencies (of a delta, its own and the calculation currency).
    pub weights: ByPair,
    /// `γ` of deltas, by the groups of the two currencies.
    pub correlations: ByCalculationCurrency,
    /// Categories of currencies for thresholds; what is in none is in one more, the last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub categories: Vec<Vec<String>>,
    /// Concentration thresholds of delta by category in USD, above 0; none if empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub thresholds: Vec<Figure>,
    /// Concentration thresholds of vega by pair of categories, a lower triangle; none if empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub vega_thresholds: Vec<Vec<Figure>>,
    /// Vega risk weight.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub vega_weight: Decimal,
    /// `γ` of two pairs' vegas.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub vega_correlation: Decimal,
    /// `HVR`.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub historical_volatility_ratio: Decimal,
}

/// A figure for each pair of groups.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ByPair {
    /// Both regular.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub regular_regular: Decimal,
    /// One of each.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub regular_high: Decimal,
    /// Both high.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub high_high: Decimal,
}

/// Figures by the group of the calculation currency.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ByCalculationCurrency {
    /// It is regular.
    pub regular: ByPair,
    /// It is of high volatility.
    pub high: ByPair,
}
