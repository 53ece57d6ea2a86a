//! A sensitivity as it is exchanged for the initial margin of uncleared trades: a risk factor, in the words of the common
//! risk interchange format (CRIF), of which an amount of USD is held.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use unicode_normalization::is_nfc;

use super::MAX_NAME_BYTES;

/// What kind of risk factor, by its name in the interchange format.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum RiskType {
    /// An interest rate at a tenor.
    #[serde(rename = "Risk_IRCurve")]
    InterestRate,
    /// An inflation rate.
    #[serde(rename = "Risk_Inflation")]
    Inflation,
    /// A cross-currency basis.
    #[serde(rename = "Risk_XCcyBasis")]
    CrossCurrencyBasis,
    /// A credit spread, qualifying.
    #[serde(rename = "Risk_CreditQ")]
    CreditQualifying,
    /// A credit spread, not qualifying: securitisations.
    #[serde(rename = "Risk_CreditNonQ")]
    CreditNonQualifying,
    /// The base correlation of a credit index.
    #[serde(rename = "Risk_BaseCorr")]
    BaseCorrelation,
    /// An equity price.
    #[serde(rename = "Risk_Equity")]
    Equity,
    /// A commodity price.
    #[serde(rename = "Risk_Commodity")]
    Commodity,
    /// An exchange rate.
    #[serde(rename = "Risk_FX")]
    Fx,
    /// Volatility of interest rates.
    #[serde(rename = "Risk_IRVol")]
    InterestRateVolatility,
    /// Volatility of inflation.
    #[serde(rename = "Risk_InflationVol")]
    InflationVolatility,
    /// Volatility of qualifying credit spreads.
    #[serde(rename = "Risk_CreditVol")]
    CreditQualifyingVolatility,
    /// Volatility of other credit spreads.
    #[serde(rename = "Risk_CreditVolNonQ")]
    CreditNonQualifyingVolatility,
    /// Volatility of an equity.
    #[serde(rename = "Risk_EquityVol")]
    EquityVolatility,
    /// Volatility of a commodity.
    #[serde(rename = "Risk_CommodityVol")]
    CommodityVolatility,
    /// Volatility of an exchange rate.
    #[serde(rename = "Risk_FXVol")]
    FxVolatility,
    /// The notional amount of a product, for an add-on.
    Notional,
}

impl RiskType {
    /// Its name in the interchange format.
    pub const fn word(self) -> &'static str {
        match self {
            RiskType::InterestRate => "Risk_IRCurve",
            RiskType::Inflation => "Risk_Inflation",
            RiskType::CrossCurrencyBasis => "Risk_XCcyBasis",
            RiskType::CreditQualifying => "Risk_CreditQ",
            RiskType::CreditNonQualifying => "Risk_CreditNonQ",
            RiskType::BaseCorrelation => "Risk_BaseCorr",
            RiskType::Equity => "Risk_Equity",
            RiskType::Commodity => "Risk_Commodity",
            RiskType::Fx => "Risk_FX",
            RiskType::InterestRateVolatility => "Risk_IRVol",
            RiskType::InflationVolatility => "Risk_InflationVol",
            RiskType::CreditQualifyingVolatility => "Risk_CreditVol",
            RiskType::CreditNonQualifyingVolatility => "Risk_CreditVolNonQ",
            RiskType::EquityVolatility => "Risk_EquityVol",
            RiskType::CommodityVolatility => "Risk_CommodityVol",
            RiskType::FxVolatility => "Risk_FXVol",
            RiskType::Notional => "Notional",
        }
    }
}

/// A risk factor. What it is a factor of is the instrument's `underlying`: the product class that it is margined in.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sensitivity {
    /// What kind of risk factor.
    pub risk_type: RiskType,
    /// Currency, pair of currencies, issuer, equity, commodity, index.
    pub qualifier: String,
    /// The bucket, where the kind has any: `1`, `Residual`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub bucket: String,
    /// The tenor, where the kind has any: `5y`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub label1: String,
    /// The curve, currency or index, where the kind has any: `OIS`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub label2: String,
}

impl Sensitivity {
    /// The texts, by the names of their fields.
    pub(super) fn texts(&self) -> [(&'static str, &str); 4] {
        [
            ("qualifier", &self.qualifier),
            ("bucket", &self.bucket),
            ("label1", &self.label1),
            ("label2", &self.label2),
        ]
    }
}

impl fmt::Display for Sensitivity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.risk_type.word())?;
        let texts = self.texts().map(|(_, text)| text);
        texts
            .iter()
            .filter(|text| !text.is_empty())
            .try_for_each(|text| write!(f, " {text}"))
    }
}

/// Whether a text may stand in a sensitivity: at most 64 bytes in NFC, single spaces within, no control characters.
pub(super) fn is_text(text: &str) -> bool {
    let odd = |c: char| c.is_control() || (c.is_whitespace() && c != ' ');
    text.len() <= MAX_NAME_BYTES
        && is_nfc(text)
        && !text.chars().any(odd)
        && text.trim() == text
        && !text.contains("  ")
}
