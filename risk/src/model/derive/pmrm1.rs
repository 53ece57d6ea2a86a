//! The Portfolio Margin Risk Manager of Derive before PM2 (`PMRM`).
//!
//! This page is the model, with the facts and what counts of [PM2](super::pm2), and prices of `derive/values.rs` that are **not
//! discounted** at the rate of their expiry (`D = 1`). Every asset but the numéraire moves with an underlying, and is one of its bases.
//!
//! # Value
//! As in PM2.
//!
//! # Loss of a row
//! As in PM2, of rows that are not of the skew, every weight 1, and `n = v`: the value of an expiry is discounted where it is
//! above 0, and whole where it is owed. A file whose discount can be above 1 is refused, so `D_e = min( P_e, N_e )`.
//!
//! # Requirement
//! Basis contingency and notionals of futures, perpetuals and naked shorts as in PM2; `a` over the bases of `u`, whose coins count at
//! their price, a dollar as one of the numéraire:
//! ```text
//! worst_u   = max( 0, basis, loss of each row )
//! static_u  = forward_charge · forward + naked_short_charge · naked + base_charge · Σ_a p_a ( B_a + D_a )
//! R(maintenance) = Σ_u ( worst_u + static_u )
//! R(initial)     = Σ_u ( φ · ( worst_u + static_u ) + uncertain_u )          φ = initial_factor + peg.factor · max( 0, peg.threshold - p_M )
//! ```
//!
//! # Uncertain prices
//! `κ`, `c_u` and `c_e` as in PM2; the perpetual's confidence counts for the bases too:
//! ```text
//! uncertain_u = κ(c_u) ( I_u Σ_f ν_f g_f + Σ_a p_a ( B_a + D_a ) ) + Σ_e κ(c_e) I_u Σ_{i in e} k_i g_i
//! ```
//! In the program a perpetual's confidence counts whether or not one is held, if one is listed.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use zkmargin_program::{Builder, Linear, Ratio};

use crate::model::about::Exactness;
use crate::model::assets::{AssetRules, whole};
use crate::model::compile::{CompileError, Forms, Numeraire};
use crate::model::derive::LISTED_PERPETUAL;
use crate::model::derive::check;
use crate::model::derive::desk::{Desk, DeskRule, confidence_charge, forms, pegged};
use crate::model::derive::parameters::{Basis, Confidence, Peg, Row, StaticDiscount, VolatilityShock};
use crate::model::derive::values::Prices;
use crate::model::factor::{Factor, ratio};
use crate::model::sheet::Sheet;
use crate::model::{ModelError, Names, Rule, Scope};
use crate::terms::Level;
use crate::{amount, json};

/// A PMRM model as its file says it; unchecked (a [`Pmrm1`] is checked).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Parameters {
    /// Which kind of model the file holds.
    pub model: Kind,
    /// The model's name, 1 to 64 characters.
    pub name: String,
    /// Whose rule it follows, in a sentence or two.
    pub description: String,
    /// What the rule it follows has and this file leaves out, and on which side that errs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<String>,
    /// Which figures are assumed here, not taken from that rule.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub assumed: Vec<String>,
    /// What value and requirement are counted in: `USD`, or an asset of this file that moves with no underlying.
    pub numeraire: String,
    /// The assets that count, by name.
    #[serde(with = "json::unique")]
    #[schemars(with = "BTreeMap<String, Asset>")]
    pub assets: BTreeMap<String, Asset>,
    /// Lists of rows, by name.
    #[serde(with = "json::unique")]
    #[schemars(with = "BTreeMap<String, Vec<Row>>")]
    pub grids: BTreeMap<String, Vec<Row>>,
    /// The underlyings that count, by name. Each has a worst row of its own.
    #[serde(with = "json::unique")]
    #[schemars(with = "BTreeMap<String, UnderlyingParameters>")]
    pub underlyings: BTreeMap<String, UnderlyingParameters>,
}

/// The kind of model of a file.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Kind {
    /// Portfolio Margin Risk Manager, the first.
    #[serde(rename = "derive-pmrm1")]
    DerivePmrm1,
}

/// An asset that counts: money if it moves with no underlying, else a base.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Asset {
    /// The underlying (of this file) in whose rows it moves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub underlying: Option<String>,
}

/// What applies to the instruments on one underlying.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UnderlyingParameters {
    /// The grid of its rows, by name.
    pub grid: String,
    /// What the initial level is of the maintenance level, before what the peg adds; at least 1.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub initial_factor: Decimal,
    /// What a numéraire below its peg adds to it.
    pub peg: Peg,
    /// How rows move volatilities.
    pub volatility: VolatilityShock,
    /// The discount on the value of an expiry above 0, of a base of at most 1 and a rate that is not negative.
    pub discount: StaticDiscount,
    /// The basis contingency.
    pub basis: Basis,
    /// The charge on the net notional of futures and perpetuals.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub forward_charge: Decimal,
    /// The charge on bases.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub base_charge: Decimal,
    /// The charge on the notional of naked short options.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub naked_short_charge: Decimal,
    /// The charge for uncertain prices.
    pub confidence: Confidence,
}

/// A checked PMRM model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pmrm1 {
    parameters: Parameters,
    file: serde_json::Value,
}

impl Pmrm1 {
    /// Checks every number and name of the parameters.
    ///
    /// # Errors
    /// [`ModelError`] naming the field, its value and the bound.
    pub fn new(parameters: Parameters) -> Result<Pmrm1, ModelError> {
        check::pmrm1(&parameters)?;
        let file = serde_json::to_value(&parameters)?;
        Ok(Pmrm1 { parameters, file })
    }

    /// The parameters.
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// The assets as collateral that counts whole.
    pub(crate) fn assets(&self) -> AssetRules {
        let assets = self.parameters.assets.iter();
        whole(assets.map(|(name, asset)| (name, asset.underlying.as_ref())))
    }

    /// What the prices of an underlying are made of.
    pub(crate) fn prices<'m>(&'m self, underlying: &'m UnderlyingParameters) -> Prices<'m> {
        Prices {
            rows: self.parameters.grids.get(&underlying.grid).map_or(&[], Vec::as_slice),
            volatility: &underlying.volatility,
            skew: None,
            basis: &underlying.basis,
            discounted: false,
            positive: &underlying.discount,
            negative: None,
        }
    }

    /// Adds what the bases of an underlying are charged.
    fn add_base_charges(
        &self,
        form: &mut Linear,
        sheet: &Sheet<'_>,
        name: &str,
        charge: &Factor,
    ) -> Result<(), CompileError> {
        let unit = Factor::new(self.numeraire().units()?);
        for (asset, held) in &sheet.assets {
            let rule = self.parameters.assets.get(*asset);
            let moves_with = rule.and_then(|asset| asset.underlying.as_deref());
            if moves_with == Some(name) && !charge.is_zero() {
                let per_coin = unit.times(ratio(held.price)?)?.times_all(charge)?;
                held.holding.add_balance(form, per_coin)?;
                held.holding.take_debt(form, per_coin.times(Ratio::from(-1))?)?;
            }
        }
        Ok(())
    }
}

impl Rule for Pmrm1 {
    fn exactness(&self) -> Exactness {
        Exactness::Conservative(LISTED_PERPETUAL.to_owned())
    }

    fn name(&self) -> &str {
        &self.parameters.name
    }

    fn numeraire(&self) -> Numeraire {
        Numeraire {
            name: self.parameters.numeraire.clone(),
            is_coin: false,
        }
    }

    fn names(&self) -> Names<'_> {
        let assets = self.parameters.assets.iter();
        let assets = assets.map(|(name, asset)| (name.as_str(), asset.underlying.as_deref()));
        Names::in_usd(assets.collect(), self.parameters.underlyings.keys())
    }

    fn cash(&self) -> AssetRules {
        self.assets()
    }

    fn file(&self) -> &serde_json::Value {
        &self.file
    }

    fn forms(&self, builder: &mut Builder, scope: &Scope<'_>, level: Level) -> Result<Forms, CompileError> {
        let sheet = Sheet::new(&self.names(), scope, &self.numeraire())?;
        let price = self.numeraire().price(scope.snapshot)?;
        let moves_with = |asset: &str| self.parameters.assets.get(asset)?.underlying.as_deref();
        let (mut desks, mut charges) = (Vec::new(), Linear::zero());
        for (name, underlying) in &self.parameters.underlyings {
            let Some(market) = scope.snapshot.underlyings.get(name) else {
                continue;
            };
            let span = match level {
                Level::Initial => pegged(underlying.initial_factor, &underlying.peg, price)?,
                Level::Maintenance => Ratio::ONE,
            };
            let rule = DeskRule {
                prices: self.prices(underlying),
                span,
                forward: Factor::new(ratio(underlying.forward_charge)?).times(span)?,
                naked: Factor::new(ratio(underlying.naked_short_charge)?).times(span)?,
                confidence: (level == Level::Initial).then_some(underlying.confidence),
                conservative: false,
            };
            let now = scope.snapshot.instant;
            let desk = Desk::new(name, rule, market, now, &sheet, moves_with, self.numeraire())?;
            let base = Factor::new(ratio(underlying.base_charge)?).times(span)?;
            self.add_base_charges(&mut charges, &sheet, name, &base)?;
            if level == Level::Initial
                && let Some(charge) = confidence_charge(&underlying.confidence, desk.confidence())?
            {
                self.add_base_charges(&mut charges, &sheet, name, &Factor::new(charge))?;
            }
            desks.push(desk);
        }
        forms(builder, &sheet, &desks, &charges)
    }
}
