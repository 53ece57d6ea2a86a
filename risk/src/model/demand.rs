//! What a partner demands: several margin models at once, how venues net, what a venue is trusted with, and limits.
//!
//! A demand is a model file like any other, so a policy accepts it by its digest and a statement says it is met in one
//! proof. This page is the rule.
//!
//! # Several models
//! Each of [`Parameters::models`] must be met: for each, with its own `V` and `R`,
//! ```text
//! V* - ρ R* - e >= 0
//! ```
//! All count in one numéraire. What does not count under any one of them is proven empty. At the level of
//! [variation](crate::model::variation) a demand may have nothing but models. Isolated positions count where every model margins
//! them and the demand has nothing but models; everything below is of cross margin, and where there is any of it they are proven empty.
//!
//! # Across venues
//! `R_S` is the model's requirement of what is held at the venues of `S` alone, everything else left out.
//! ```text
//! full      R* = R of everything together
//! alone     R* = Σ_v R_{v}
//! partial   R* = Σ_v (1 - Σ_w f_vw) R_{v} + Σ_{v,w} f_vw R_{v,w}        = Σ_v R_{v} - Σ f_vw (R_{v} + R_{w} - R_{v,w})
//! ```
//! `f_vw` is the part of the benefit of netting two venues that is recognised; those of one venue add up to at most 1, so every
//! `R` has a factor that is not negative, and `R*` is as convex as `R` is. A pair of venues that the universe does not have
//! is without effect.
//!
//! # Add-ons
//! [`Parameters::add_ons`] are added to every `R*`, whatever the level and however venues net: charges for concentration, closing
//! out, rebalancing and contagion, on everything together that the model of this `R*` counts, which also says what moves with what. Their
//! rule is that of [`crate::model::addons`].
//!
//! # Venues as counterparties
//! `B_va` is the balance of asset `a` at venue `v` in cross margin, `p_a` its price, all in the numéraire.
//! ```text
//! V* = V - Σ_v Σ_a haircut_va p_a B_va - Σ_v max( 0, E_v - most_v )
//! E_v = Σ_i m_i q_i + Σ_a p_a ( B_va - D_va + K_va - G_va )             over what is held at v: marks of instruments, whole assets
//! ```
//! `haircut_va` is on top of the model's own. `E_v` is what the venue owes the account at the snapshot's prices; what of it is
//! above `most_v` counts nothing.
//!
//! With [`without_any_one`](Counterparties::without_any_one), everything above must also be met by what is left of the book when the balances at any one
//! venue are gone: they are neither worth anything nor do they hedge. Debts there, and reserves, are still owed.
//!
//! # Limits
//! Each must hold by itself, whatever level and ratio. Greeks are those of [`crate::valuation::greeks`]; `N_u` is the gross
//! notional, `Σ n_i l_i (L_i + S_i)` with `n_i` the index times contract size for options, and the index times delta for futures
//! and perpetuals. All of it is of everything that the snapshot prices, whatever a model makes of it; sensitivities have none of these.
//! ```text
//! net_delta       |Σ δ_i q_i| <= most                 coins
//! gamma           |Σ γ_i q_i| I / 100 <= most          coins of delta, per 1 % of index
//! vega            |Σ v_i q_i| / 100 <= most            USD, per point of volatility
//! gross_notional  N_u <= most                          USD; of all underlyings together if none is named
//! leverage        N_u <= most · V*                     of all underlyings together if none is named
//! ```

mod check;
mod compile;

pub(crate) use compile::requirement_of;

use std::collections::BTreeMap;
use std::sync::Arc;

use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use zkmargin_program::{Builder, LegId};

use crate::history::History;
use crate::model::addons::AddOns;
use crate::model::assets::AssetRules;
use crate::model::compile::{CompileError, Forms, Numeraire};
use crate::model::coverage::{self, Uncounted};
use crate::model::{Model, ModelError, Names, Rule, Scope};
use crate::terms::{Level, Terms};
use crate::{amount, json};

/// Most models of a demand.
pub const MAX_MODELS: usize = 8;

/// A demand as its file says it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Parameters {
    /// Which kind of model the file holds.
    pub model: Kind,
    /// Its name, 1 to 64 characters.
    pub name: String,
    /// Whose demand it is, in a sentence or two.
    pub description: String,
    /// Names of presets, or whole models: each must be met. Whole models are what the digest is of.
    pub models: Vec<serde_json::Value>,
    /// How holdings at different venues net; fully if it is not given.
    #[serde(default)]
    pub netting: Netting,
    /// Charges on top of every model's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub add_ons: Option<AddOns>,
    /// What of a venue's own promise counts.
    #[serde(default, skip_serializing_if = "Counterparties::is_empty")]
    pub counterparties: Counterparties,
    /// Limits on greeks and notionals.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub limits: Vec<Limit>,
}

/// The kind of model of a file.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Kind {
    /// Several models, netting between venues, counterparties and limits.
    #[serde(rename = "demand")]
    Demand,
}

/// How holdings at different venues net.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Netting {
    /// As if they were at one venue.
    #[default]
    Full,
    /// Not at all: the requirements of the venues add up.
    Alone,
    /// A part of the benefit, by pairs of venues.
    Partial(Vec<Offset>),
}

/// A pair of venues and the part of their benefit that is recognised.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Offset {
    /// The two venues.
    pub between: [String; 2],
    /// `f_vw`, 0 to 1.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub fraction: Decimal,
}

/// What of a venue's own promise counts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Counterparties {
    /// `haircut_va` by venue, then by asset: 0 to 1.
    #[serde(default, with = "json::unique", skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(with = "BTreeMap<String, BTreeMap<String, String>>")]
    pub haircuts: BTreeMap<String, Haircuts>,
    /// `most_v` by venue, in the numéraire.
    #[serde(default, with = "amount::map", skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(with = "BTreeMap<String, String>")]
    pub most: BTreeMap<String, Decimal>,
    /// Whether the demand must be met without the balances at any one venue, too.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub without_any_one: bool,
}

/// Haircuts by asset.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Haircuts(
    #[serde(with = "amount::map")]
    #[schemars(with = "BTreeMap<String, String>")]
    pub BTreeMap<String, Decimal>,
);

impl Counterparties {
    /// Whether every venue is trusted with everything.
    pub fn is_empty(&self) -> bool {
        *self == Counterparties::default()
    }
}

/// A limit that must hold whatever level and ratio.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    /// Net delta, in coins.
    NetDelta(OnUnderlying),
    /// Change of net delta with 1 % of the index, in coins.
    Gamma(OnUnderlying),
    /// Change of value with a point of volatility, in USD.
    Vega(OnUnderlying),
    /// Gross notional, in USD.
    GrossNotional(OnAny),
    /// Gross notional as a multiple of `V*`.
    Leverage(OnAny),
}

/// A limit on one underlying.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OnUnderlying {
    /// The underlying.
    pub underlying: String,
    /// The limit, at least 0.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub most: Decimal,
}

/// A limit on one underlying or on all together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OnAny {
    /// The underlying; all together if it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub underlying: Option<String>,
    /// The limit, at least 0.
    #[serde(with = "amount")]
    #[schemars(with = "String")]
    pub most: Decimal,
}

impl Limit {
    /// What a refusal names: `limit on net delta of BTC`.
    pub fn name(&self) -> String {
        let of = |what: &str, underlying: &Option<String>| match underlying {
            Some(underlying) => format!("limit on {what} of {underlying}"),
            None => format!("limit on {what}"),
        };
        match self {
            Limit::NetDelta(on) => format!("limit on net delta of {}", on.underlying),
            Limit::Gamma(on) => format!("limit on gamma of {}", on.underlying),
            Limit::Vega(on) => format!("limit on vega of {}", on.underlying),
            Limit::GrossNotional(on) => of("gross notional", &on.underlying),
            Limit::Leverage(on) => of("leverage", &on.underlying),
        }
    }

    /// What it counts.
    pub(crate) fn unit(&self) -> &'static str {
        match self {
            Limit::NetDelta(_) | Limit::Gamma(_) => "coins",
            Limit::Vega(_) | Limit::GrossNotional(_) | Limit::Leverage(_) => "USD",
        }
    }

    /// The underlying; none if it is on all together.
    pub(crate) fn underlying(&self) -> Option<&str> {
        match self {
            Limit::NetDelta(on) | Limit::Gamma(on) | Limit::Vega(on) => Some(&on.underlying),
            Limit::GrossNotional(on) | Limit::Leverage(on) => on.underlying.as_deref(),
        }
    }

    /// Whether an underlying is in it.
    pub(crate) fn covers(&self, underlying: &str) -> bool {
        self.underlying().is_none_or(|name| name == underlying)
    }

    /// The limit.
    pub(crate) const fn most(&self) -> Decimal {
        match self {
            Limit::NetDelta(on) | Limit::Gamma(on) | Limit::Vega(on) => on.most,
            Limit::GrossNotional(on) | Limit::Leverage(on) => on.most,
        }
    }
}

/// A checked demand.
#[derive(Clone, Debug, PartialEq)]
pub struct Demand {
    parameters: Parameters,
    models: Vec<Model>,
    file: serde_json::Value,
}

impl Eq for Demand {}

impl Demand {
    /// Checks a demand and reads its models.
    ///
    /// # Errors
    /// [`ModelError`] naming the field, its value and the bound, or what is wrong with a model.
    pub fn new(mut parameters: Parameters) -> Result<Demand, ModelError> {
        let mut models = Vec::new();
        for (index, whole) in parameters.models.iter_mut().enumerate() {
            let model = match &*whole {
                serde_json::Value::String(preset) => Model::preset(preset),
                file => Model::from_json(&serde_json::to_string(file)?),
            };
            let model = model.map_err(|error| ModelError::Within {
                index,
                error: Box::new(error),
            })?;
            if let Model::Demand(_) = model {
                return Err(ModelError::Value {
                    field: format!("models[{index}]"),
                    value: "a demand".to_owned(),
                    bound: "a margin model",
                });
            }
            *whole = model.rule().file().clone();
            models.push(model);
        }
        check::check(&parameters, &models)?;
        let file = serde_json::to_value(&parameters)?;
        Ok(Demand {
            parameters,
            models,
            file,
        })
    }

    /// The parameters, every model whole.
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// The demand with the price history that its models need.
    ///
    /// # Errors
    /// [`ModelError`], as [`Model::with_history`].
    pub fn with_history(self, history: &Arc<History>) -> Result<Demand, ModelError> {
        let attach = |model: Model| match model.history() {
            Some(_) => model.with_history(history.clone()),
            None => Ok(model),
        };
        let models = self.models.into_iter().map(attach).collect::<Result<_, _>>()?;
        Ok(Demand { models, ..self })
    }

    /// The models, each of which must be met.
    pub fn models(&self) -> &[Model] {
        &self.models
    }

    /// Whether nothing is asked for but that each model is met.
    pub(crate) fn is_of_models_alone(&self) -> bool {
        let Parameters {
            netting,
            add_ons,
            counterparties,
            limits,
            ..
        } = &self.parameters;
        *netting == Netting::Full && add_ons.is_none() && counterparties.is_empty() && limits.is_empty()
    }
}

impl Rule for Demand {
    fn name(&self) -> &str {
        &self.parameters.name
    }

    fn numeraire(&self) -> Numeraire {
        // A checked demand has a model, and all count in the same.
        self.models.first().map_or_else(
            || Numeraire {
                name: "USD".to_owned(),
                is_coin: false,
            },
            |model| model.rule().numeraire(),
        )
    }

    /// Those of the first model: what moves with what.
    fn names(&self) -> Names<'_> {
        self.models.first().map(Model::names).unwrap_or_default()
    }

    fn file(&self) -> &serde_json::Value {
        &self.file
    }

    /// Not of a demand, which has several.
    fn forms(&self, _: &mut Builder, _: &Scope<'_>, _: Level) -> Result<Forms, CompileError> {
        Err(CompileError::Missing {
            model: self.parameters.name.clone(),
            what: "to be asked for as a whole".to_owned(),
        })
    }

    fn uncounted(&self, scope: &Scope<'_>) -> (Vec<LegId>, Vec<Uncounted>) {
        let (mut legs, mut lines) = (Vec::new(), Vec::<Uncounted>::new());
        let isolated = (!self.is_of_models_alone()).then(|| coverage::isolated(scope));
        let models = self.models.iter().map(|model| model.rule().uncounted(scope));
        for (empty, uncounted) in models.chain(isolated) {
            legs.extend(empty);
            for line in uncounted {
                if !lines
                    .iter()
                    .any(|known| (&known.venue, &known.line) == (&line.venue, &line.line))
                {
                    lines.push(line);
                }
            }
        }
        legs.sort_unstable();
        legs.dedup();
        (legs, lines)
    }

    /// Not of a demand, of which each model has its own: nothing is cash.
    fn cash(&self) -> AssetRules {
        AssetRules::new()
    }

    fn require(
        &self,
        builder: &mut Builder,
        scope: &Scope<'_>,
        level: Level,
        terms: &Terms,
    ) -> Result<(), CompileError> {
        compile::require(self, builder, scope, level, terms)
    }
}

#[cfg(test)]
mod tests;
