//! Portfolio Margin 2 of Derive (`PMRM_2`).
//!
//! This page is the model. Two people who implement it from these words get the same figures: nothing below rounds, every number
//! of a file is an exact decimal, and the only binary floats are the prices of `derive/values.rs`, each read as the
//! exact dyadic rational it is.
//!
//! # Facts
//! `t0`, `I_u`, `p_a`, `p_M`, lots `L_i`, `S_i`, `l_i`, `q_i = l_i (L_i - S_i)`, `g_i = l_i (L_i + S_i)`, and `B_a`, `D_a`, `K_a`, `G_a` are those of
//! the [scenario grid](crate::model::scenario_grid::parameters), and what counts is what counts there under profit in USD:
//! inverse instruments that settle in a coin of their underlying, and linear ones that settle in an asset that moves with none.
//! `c_i = 1 / p_M` for an inverse instrument, and `p_a / p_M` for a linear one settled in `a`.
//!
//! # Value
//! ```text
//! V = Σ_i c_i m_i q_i + Σ_a (p_a / p_M) ( B_a - D_a + K_a - G_a )            whole: haircuts are charges
//! ```
//!
//! # Loss of a row
//! On one underlying `u`, for a row of move `x` and weight `w`; `e` over the expiries of its options, `i` in `e` over those options,
//! `f` over its futures and perpetuals, `a` over the assets that move with it:
//! ```text
//! mark_e = Σ_{i in e} c_i m_i q_i          P_e = Σ c_i p_i q_i          N_e = Σ c_i n_i q_i          of the row
//! D_e    = min( P_e, N_e ) if positive_e <= negative_e, else max( P_e, N_e )
//! loss   = w · ( Σ_f c_f ( m_f - v_f ) q_f  -  Σ_a (p_a / p_M) x ( B_a + K_a - D_a - G_a )  +  Σ_e λ_e )
//! λ_e    = mark_e - D_e          in a skew row: | mark_e - D_e |
//! ```
//! `P_e` and `N_e` have one sign, and `D_e` is the value at the positive discount where it is at least 0, else at the negative one.
//!
//! # Basis contingency
//! ```text
//! basis = Σ_e max( 0, - Σ_{i in e} c_i g_i(up) q_i, - Σ_{i in e} c_i g_i(down) q_i )
//! ```
//!
//! # Requirement
//! A dollar of the index counts as one of the numéraire in every notional. `ν_f` are the coins of a future or perpetual, `k_i` those
//! of an option:
//! ```text
//! worst_u  = max( 0, basis, loss of each row )
//! forward  = I_u Σ_b | Σ_{f in b} ν_f q_f |                 b: the perpetuals, and the futures of each expiry
//! naked    = I_u Σ_{strike, expiry} max( 0, - Σ k_i q_i )    calls and puts together
//! R(maintenance) = Σ_u ( maintenance_factor · worst_u + charge.maintenance · ( forward, naked ) ) + Σ_a (p_a / p_M) haircut_a.maintenance · B_a
//! R(initial)     = Σ_u ( φ · worst_u + (charge.maintenance + charge.initial_adds) · ( forward, naked ) )
//!                  + Σ_a (p_a / p_M) (haircut_a.maintenance + haircut_a.initial_adds) · B_a + uncertain
//! φ = initial_factor + peg.factor · max( 0, peg.threshold - p_M )
//! ```
//!
//! # Uncertain prices
//! With `κ(c) = (1 - c) · factor` if `c < threshold`, else 0, what the snapshot does not say being 1:
//! ```text
//! c_u = confidence of the index of u; and, if a perpetual on u is held, the least of that and of the perpetual
//! c_e = least of c_u and of the confidence of the expiry
//! uncertain = Σ_u ( Σ_f κ_u(c_u) I_u ν_f g_f + Σ_e κ_u(c_e) I_u Σ_{i in e} k_i g_i )  +  Σ_a κ_a (p_a / p_M) ( B_a + D_a )
//! κ_a = κ_u( least of the confidences of a and of the index of u )    u what a moves with; for an asset that moves with none, the largest over
//!                                                                    all underlyings of file and snapshot; 0 for the numéraire
//! ```
//! *Held* is any lot of either side.
//!
//! # What the program does otherwise
//! - A perpetual's confidence counts whether or not a perpetual is held, if one is listed. (The charge is off while every confidence
//!   reaches the threshold.)
//! - With [`Parameters::conservative`], a skew row takes the worse of both discounts where an expiry gains, instead of a hidden choice.

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
use crate::model::derive::parameters::{Basis, Charge, Confidence, Peg, Row, Skew, StaticDiscount, VolatilityShock};
use crate::model::derive::values::Prices;
use crate::model::factor::{Factor, ratio};
use crate::model::sheet::Sheet;
use crate::model::{ModelError, Names, Rule, Scope};
use crate::terms::Level;
use crate::{amount, json};

/// A PM2 model as its file says it; unchecked (a [`Pm2`] is checked).
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
    /// Whether skew rows take the worse discount of an expiry that gains: no bits, and a requirement that is at least the rule's.
    #[serde(default, skip_serializing_if = "is_false")]
    pub conservative: bool,
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

pub(crate) fn is_false(value: &bool) -> bool {
    !value
}

/// The kind of model of a file.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Kind {
    /// Portfolio Margin 2.
    #[serde(rename = "derive-pm2")]
    DerivePm2,
}

/// An asset that counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Asset {
    /// The underlying (of this file) in whose rows it moves; none for money and what offsets no risk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub underlying: Option<String>,
    /// The part of a balance's value that is charged.
    #[serde(default)]
    pub haircut: Charge,
}

/// What applies to the instruments on one underlying.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UnderlyingParameters {
    /// The grid of its rows, by name.
    pub grid: String,
    /// What the worst row is multiplied by at the initial level, before what the peg adds.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub initial_factor: Decimal,
    /// The same at the maintenance level; at most that.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub maintenance_factor: Decimal,
    /// What a numéraire below its peg adds to the initial factor.
    pub peg: Peg,
    /// How rows that are not of the skew move volatilities.
    pub volatility: VolatilityShock,
    /// How rows of the skew do.
    pub skew: Skew,
    /// The discount on the value of an expiry that is not negative.
    pub positive_discount: StaticDiscount,
    /// The discount on one that is, of which the inverse of the rate's discount is the most.
    pub negative_discount: StaticDiscount,
    /// The basis contingency.
    pub basis: Basis,
    /// The charge on the net notional of futures and perpetuals.
    pub forward_charge: Charge,
    /// The charge on the notional of naked short options.
    pub naked_short_charge: Charge,
    /// The charge for uncertain prices.
    pub confidence: Confidence,
}

/// A checked PM2 model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pm2 {
    parameters: Parameters,
    file: serde_json::Value,
}

impl Pm2 {
    /// Checks every number and name of the parameters.
    ///
    /// # Errors
    /// [`ModelError`] naming the field, its value and the bound.
    pub fn new(parameters: Parameters) -> Result<Pm2, ModelError> {
        check::pm2_of_statement(&parameters)?;
        Pm2::of_case(parameters)
    }

    /// The same for a case, of which nothing is proven: haircuts may be above 1, and the maintenance factor above the initial one.
    pub(crate) fn of_case(parameters: Parameters) -> Result<Pm2, ModelError> {
        check::pm2(&parameters)?;
        let file = serde_json::to_value(&parameters)?;
        Ok(Pm2 { parameters, file })
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
            skew: Some(&underlying.skew),
            basis: &underlying.basis,
            discounted: true,
            positive: &underlying.positive_discount,
            negative: Some(&underlying.negative_discount),
        }
    }

    fn rule<'m>(
        &'m self,
        underlying: &'m UnderlyingParameters,
        level: Level,
        price: Decimal,
    ) -> Result<DeskRule<'m>, CompileError> {
        Ok(DeskRule {
            prices: self.prices(underlying),
            span: match level {
                Level::Initial => pegged(underlying.initial_factor, &underlying.peg, price)?,
                Level::Maintenance => ratio(underlying.maintenance_factor)?,
            },
            forward: Factor::new(at(&underlying.forward_charge, level)?),
            naked: Factor::new(at(&underlying.naked_short_charge, level)?),
            confidence: (level == Level::Initial).then_some(underlying.confidence),
            conservative: self.parameters.conservative,
        })
    }

    /// Adds the charges on collateral: haircuts and uncertain prices.
    fn add_asset_charges(
        &self,
        form: &mut Linear,
        sheet: &Sheet<'_>,
        scope: &Scope<'_>,
        level: Level,
    ) -> Result<(), CompileError> {
        for (name, asset) in &sheet.assets {
            let Some(rule) = self.parameters.assets.get(*name) else {
                continue;
            };
            let haircut = at(&rule.haircut, level)?;
            if haircut.numerator() != 0 {
                asset.holding.add_balance(form, asset.per_coin.times(haircut)?)?;
            }
            if level == Level::Initial
                && let Some(charge) = self.asset_confidence(name, rule, scope)?
            {
                let per_coin = asset.per_coin.times(charge)?;
                asset.holding.add_balance(form, per_coin)?;
                asset.holding.take_debt(form, per_coin.times(Ratio::from(-1))?)?;
            }
        }
        Ok(())
    }

    /// `κ_a`.
    fn asset_confidence(&self, name: &str, asset: &Asset, scope: &Scope<'_>) -> Result<Option<Ratio>, CompileError> {
        if name == self.parameters.numeraire {
            return Ok(None);
        }
        let own = scope.snapshot.confidences.get(name).copied().unwrap_or(Decimal::ONE);
        let mut most: Option<Ratio> = None;
        for (underlying, rules) in &self.parameters.underlyings {
            let moves_it = asset
                .underlying
                .as_ref()
                .is_none_or(|moves_with| moves_with == underlying);
            let Some(market) = scope.snapshot.underlyings.get(underlying).filter(|_| moves_it) else {
                continue;
            };
            let confidence = own.min(market.confidence.unwrap_or(Decimal::ONE));
            let charge = confidence_charge(&rules.confidence, confidence)?;
            most = match (most, charge) {
                (Some(most), Some(charge)) if most.checked_add(charge.checked_neg()?)?.is_negative() => Some(charge),
                (None, charge) => charge,
                (most, _) => most,
            };
        }
        Ok(most)
    }
}

fn at(charge: &Charge, level: Level) -> Result<Ratio, CompileError> {
    let maintenance = ratio(charge.maintenance)?;
    Ok(match level {
        Level::Initial => maintenance.checked_add(ratio(charge.initial_adds)?)?,
        Level::Maintenance => maintenance,
    })
}

impl Rule for Pm2 {
    fn exactness(&self) -> Exactness {
        Exactness::Conservative(if self.parameters.conservative {
            format!("gains of skew rows at the worse of two discounts; {LISTED_PERPETUAL}")
        } else {
            LISTED_PERPETUAL.to_owned()
        })
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
        let mut rules = self.assets();
        for (rule, asset) in rules.values_mut().zip(self.parameters.assets.values()) {
            rule.haircut = asset.haircut.maintenance;
        }
        rules
    }

    fn file(&self) -> &serde_json::Value {
        &self.file
    }

    fn forms(&self, builder: &mut Builder, scope: &Scope<'_>, level: Level) -> Result<Forms, CompileError> {
        let sheet = Sheet::new(&self.names(), scope, &self.numeraire())?;
        let price = self.numeraire().price(scope.snapshot)?;
        let moves_with = |asset: &str| self.parameters.assets.get(asset)?.underlying.as_deref();
        let mut desks = Vec::new();
        for (name, underlying) in &self.parameters.underlyings {
            if let Some(market) = scope.snapshot.underlyings.get(name) {
                let rule = self.rule(underlying, level, price)?;
                let now = scope.snapshot.instant;
                desks.push(Desk::new(
                    name,
                    rule,
                    market,
                    now,
                    &sheet,
                    moves_with,
                    self.numeraire(),
                )?);
            }
        }
        let mut charges = Linear::zero();
        self.add_asset_charges(&mut charges, &sheet, scope, level)?;
        forms(builder, &sheet, &desks, &charges)
    }
}
