//! The rules of the margin models in plain arithmetic: what a book is worth and what it must be worth, exactly.
//!
//! A model becomes a program of integers that rounds against the holder. This module says what the same rule gives without any rounding: it is
//! written from the words of the [rule](crate::model::scenario_grid::parameters) alone, in exact fractions, on the same unrounded prices (each
//! `f64` of [`crate::valuation`] as the dyadic fraction it is). So it is a check of the program, and the source of the trader's private
//! [report](crate::report):
//!
//! - *the program is feasible* implies *the excess here is at least 0*, without any tolerance;
//! - *the excess here is at least the program's stated bound* implies *the program is feasible*.
//!
//! # Where the rule leaves a reading open
//! - An asset line of an isolated position never counts in cross margin, even where an asset of the same name does. Under a model that does
//!   not margin isolated positions its balance is worth 0 and its other legs must be empty.
//! - An underlying of the model that the snapshot does not have contributes nothing; its group stays the group that the file makes it.
//! - A slot that is no leg of any line must be empty.

pub(crate) mod addons;
mod binance_pm;
#[allow(dead_code)]
pub(crate) mod book;
pub(crate) mod coverage;
mod delta_gamma_vega;
mod demand;
mod derive;
mod derive_standard;
pub(crate) mod exact;
mod historical;
mod linear;
mod okx_pm;
mod pools;
mod scan;
mod scenario_grid;
mod short_option;
mod simm;
mod span;
mod tiers;
mod tims;
mod variation;

use std::collections::BTreeMap;
use std::fmt;

use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::{Signed, Zero};
use rust_decimal::Decimal;

use crate::amount::to_ratio;
use crate::market::Snapshot;
use crate::model::Model;
use crate::model::stress::parameters::Tier;
use crate::oracle::book::Book;
use crate::oracle::pools::Pools;
use crate::pricing::PricingError;
use crate::terms::{Level, Ratio20, Terms, TermsError};
use crate::universe::Universe;

pub use crate::oracle::coverage::{NotCounted, Uncounted};
pub use crate::oracle::variation::{IsolatedVariation, Variation, variation};

/// Why a book has no margin. It names what is held: for the trader and the venue alone.
#[derive(Debug, thiserror::Error)]
pub enum OracleError {
    /// A book of another length than the universe's layout.
    #[error("the book has {length} numbers, the universe has {slots} slots")]
    Length {
        /// Its length.
        length: usize,
        /// Slots of the layout.
        slots: usize,
    },
    /// Lots in a slot that is no leg.
    #[error("slot {slot} of the book is not empty, but no leg of the universe")]
    NoLeg {
        /// The slot.
        slot: usize,
    },
    /// The book holds what the model does not count, so it has no proof.
    #[error("the book holds what does not count, and so has no margin: {}", coverage::list(.0))]
    NotCounted(Vec<NotCounted>),
    /// The numéraire has no price.
    #[error("the numéraire {0} has no price in the snapshot")]
    Numeraire(String),
    /// A price of a snapshot that was not checked.
    #[error("pricing {underlying}: {source}")]
    Pricing {
        /// The underlying.
        underlying: String,
        /// What is wrong.
        source: PricingError,
    },
    /// A fact that the model needs and was not given.
    #[error("{model} needs {what}")]
    Missing {
        /// The model's name.
        model: String,
        /// What is missing.
        what: String,
    },
    /// A price that came out as no number, or not at all; a checked snapshot and model have none.
    #[error("{instrument} has no finite value")]
    NoValue {
        /// The instrument.
        instrument: String,
    },
}

/// What a margin model makes of a book: all figures exact, money in units of the numéraire unless it says otherwise.
#[derive(Clone, PartialEq, Eq)]
pub struct Evaluation {
    /// What money is counted in: `USD`, or an asset.
    pub numeraire: String,
    /// The value `V`.
    pub value: BigRational,
    /// The part of `V` that is options, at their mark.
    pub options: BigRational,
    /// The part of `V` that is futures and perpetuals: their legs' values, which together with carry are unrealized profit.
    pub futures: BigRational,
    /// What is held and owed of each asset, by name; only assets of which there is anything.
    pub collateral: Vec<Collateral>,
    /// What `R` is made of, by the venue's own terms: these add up to `R`.
    pub components: Vec<Component>,
    /// What a picture of the book shows.
    pub picture: Picture,
    /// Under a scenario grid, what the book has on each underlying of the model that the snapshot has.
    pub underlyings: BTreeMap<String, Exposure>,
    /// Under a scenario grid, the groups of which the snapshot has an underlying, and the largest loss of each.
    pub groups: Vec<GroupLoss>,
    /// The requirement `R` at the initial level.
    pub initial: BigRational,
    /// The requirement `R` at the maintenance level.
    pub maintenance: BigRational,
    /// Under a demand, what the other models make of the book; each must be met.
    pub beside: Vec<Evaluation>,
    /// What else must hold: margin of each isolated position that is held, and what a demand asks for.
    pub checks: Vec<Check>,
}

/// What must hold beside the margin of the whole.
#[derive(Clone, PartialEq, Eq)]
pub enum Check {
    /// Margin of what is left when the balances at a venue are gone.
    WithoutBalances {
        /// The venue.
        venue: String,
        /// What the demand makes of the rest, without checks.
        evaluation: Box<Evaluation>,
    },
    /// Margin of an isolated position, of its own lines alone, without a least excess.
    Isolated {
        /// The venue.
        venue: String,
        /// The instrument.
        instrument: String,
        /// What the model makes of it.
        evaluation: Box<Evaluation>,
    },
    /// A limit.
    Limit {
        /// Which.
        name: String,
        /// What it counts: `coins`, or `USD`.
        unit: &'static str,
        /// What is left of it, negative where it is broken.
        slack: BigRational,
    },
}

opaque_debug!(Evaluation);

/// A part of a requirement, by the venue's own term, in the numéraire.
#[derive(Clone, PartialEq, Eq)]
pub struct Component {
    /// The venue's term: `MR1`, `scanning risk`, `roll shock`.
    pub term: String,
    /// What it is of, or what decides it: an underlying, an expiry, the worst row; may be empty.
    pub note: String,
    /// At the initial level.
    pub initial: BigRational,
    /// At the maintenance level.
    pub maintenance: BigRational,
    /// What it is made of, for the eye: these need not add up to it.
    pub parts: Vec<Component>,
}

impl Component {
    /// A component that is the same at both levels.
    pub fn of_both(term: &str, note: impl Into<String>, amount: BigRational) -> Component {
        Component {
            term: term.to_owned(),
            note: note.into(),
            initial: amount.clone(),
            maintenance: amount,
            parts: Vec::new(),
        }
    }

    /// A component by its amounts at the two levels.
    pub fn new(term: &str, note: impl Into<String>, initial: BigRational, maintenance: BigRational) -> Component {
        Component {
            term: term.to_owned(),
            note: note.into(),
            initial,
            maintenance,
            parts: Vec::new(),
        }
    }

    /// At a level.
    pub const fn at(&self, level: Level) -> &BigRational {
        match level {
            Level::Initial => &self.initial,
            Level::Maintenance => &self.maintenance,
        }
    }
}

impl fmt::Debug for Component {
    /// Shows its term alone: the rest is the trader's secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Component")
            .field("term", &self.term)
            .finish_non_exhaustive()
    }
}

opaque_debug!(Picture Cell Check Collateral Exposure RowProfit GroupLoss);

/// What a picture of a book shows, profits and losses in the numéraire.
#[derive(Clone, PartialEq, Eq)]
pub enum Picture {
    /// Profit by move of the price and of volatility: a heat map.
    Grid(Vec<Cell>),
    /// Loss by scenario, the scenarios in their order: a distribution.
    Losses(Vec<(String, BigRational)>),
    /// Requirement by risk factor: a tornado.
    Sensitivities(Vec<(String, BigRational)>),
    /// What each risk factor enters with, with its sign and before any correlation: a tornado to both sides.
    WeightedSensitivities(Vec<(String, BigRational)>),
    /// Nothing that a picture would show better than the components.
    None,
}

/// One row of a grid on one underlying.
#[derive(Clone, PartialEq, Eq)]
pub struct Cell {
    /// The underlying.
    pub underlying: String,
    /// Relative move of the price.
    pub price_move: Decimal,
    /// What happens to volatility: `up`, `none`, `down`, or the venue's name of a row that does something else.
    pub volatility: String,
    /// What the row's profit is multiplied by.
    pub weight: Decimal,
    /// The profit of the row, weighted as the model weighs it.
    pub profit: BigRational,
}

/// One asset of a book, over all venues. Amounts in coins.
#[derive(Clone, PartialEq, Eq)]
pub struct Collateral {
    /// The asset; `USDC isolated in X` is a line of its own.
    pub asset: String,
    /// Why its balance is worth nothing, if that is so.
    pub uncounted: Option<Uncounted>,
    /// The balance `B_a`.
    pub balance: BigRational,
    /// The debt `D_a`.
    pub debt: BigRational,
    /// The carry `K_a`, credit less debit.
    pub carry: BigRational,
    /// The reserve `G_a`.
    pub reserve: BigRational,
    /// The price `p_a` in USD, if there is one.
    pub price: Option<BigRational>,
    /// The part of the balance that does not count, in its first tier.
    pub haircut: BigRational,
    /// Most coins that count.
    pub cap: Option<BigRational>,
    /// `H_a`: the coins of the balance that count.
    pub counted: BigRational,
    /// `(p_a / p_M) (H_a - debt_weight_a D_a + K_a - G_a)`: its part of `V`.
    pub value: BigRational,
    /// `(p_a / p_M) (B_a - D_a + K_a - G_a)`: the same without haircut and cap, and also where it does not count.
    pub market_value: BigRational,
}

/// What a book has on one underlying.
#[derive(Clone, PartialEq, Eq)]
pub struct Exposure {
    /// The profit of each row of the underlying's grid, in the order of the grid.
    pub rows: Vec<RowProfit>,
    /// `Δ_u`: net delta in coins.
    pub net_delta: BigRational,
    /// `Γ_u`: gross delta in coins.
    pub gross_delta: BigRational,
    /// The underlying's part of the delta provision `N_g`.
    pub delta_provision: BigRational,
    /// The underlying's part of the short option minimum `O_g`.
    pub short_option_minimum: BigRational,
    /// `roll_u`.
    pub roll: BigRational,
    /// `shock_u`.
    pub delta_shock: BigRational,
    /// `fees_u`.
    pub fees: BigRational,
    /// `funding_u`.
    pub funding: BigRational,
}

/// The profit of one row.
#[derive(Clone, PartialEq, Eq)]
pub struct RowProfit {
    /// What the scenario would bring.
    pub profit: BigRational,
    /// `Π_{u,r}`: that times the row's weight.
    pub weighted: BigRational,
    /// `Π~_{u,r}`: what is left of it where the row is damped.
    pub damped: BigRational,
}

/// The largest loss of a group of underlyings.
#[derive(Clone, PartialEq, Eq)]
pub struct GroupLoss {
    /// Its underlyings, as the model names them.
    pub underlyings: Vec<String>,
    /// `loss_{g,r}`, gains offset as the model allows.
    pub losses: Vec<BigRational>,
    /// The row of the largest loss (the first of several), whether or not it is above 0.
    pub worst: usize,
    /// `N_g`.
    pub delta_provision: BigRational,
    /// `O_g`.
    pub short_option_minimum: BigRational,
    /// `body_g`.
    pub body: BigRational,
    /// Which of them `body_g` is.
    pub binding: Binding,
}

/// What the body of a group's requirement is.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Binding {
    /// Nothing is above 0.
    Nothing,
    /// The worst row.
    Scenario,
    /// The provision for net and gross delta.
    DeltaProvision,
    /// The minimum for short options.
    ShortOptionMinimum,
}

impl Evaluation {
    /// What one model makes of a book: `V` is what options, futures and collateral are worth, `R` the sum of the components.
    fn of(
        numeraire: &str,
        [options, futures]: [BigRational; 2],
        collateral: Vec<Collateral>,
        components: Vec<Component>,
        picture: Picture,
    ) -> Evaluation {
        let total =
            |at: fn(&Component) -> &BigRational| components.iter().fold(BigRational::zero(), |sum, c| sum + at(c));
        let (initial, maintenance) = (
            total(|component| &component.initial),
            total(|component| &component.maintenance),
        );
        Evaluation {
            numeraire: numeraire.to_owned(),
            value: collateral
                .iter()
                .fold(&options + &futures, |sum, line| sum + &line.value),
            options,
            futures,
            collateral,
            components,
            picture,
            underlyings: BTreeMap::new(),
            groups: Vec::new(),
            initial,
            maintenance,
            beside: Vec::new(),
            checks: Vec::new(),
        }
    }

    /// `R` at a level.
    pub const fn requirement(&self, level: Level) -> &BigRational {
        match level {
            Level::Initial => &self.initial,
            Level::Maintenance => &self.maintenance,
        }
    }

    /// `V - ρ R - e`, which a proof says is at least 0; `least_excess` is `e` in units of the numéraire.
    ///
    /// Under a demand, the least of all its models.
    pub fn excess(&self, level: Level, ratio: Ratio20, least_excess: u64) -> BigRational {
        let factor = BigRational::new(ratio.twentieths().into(), 20.into());
        let own = &self.value - factor * self.requirement(level) - BigRational::from_integer(least_excess.into());
        let others = self.beside.iter().map(|other| other.excess(level, ratio, least_excess));
        others.fold(own, smaller)
    }

    /// Whether a statement holds: its excess is not negative, and no check fails.
    pub fn is_met(&self, level: Level, ratio: Ratio20, least_excess: u64) -> bool {
        let holds = |check: &Check| !check.slack(level, ratio, least_excess).is_negative();
        !self.excess(level, ratio, least_excess).is_negative() && self.checks.iter().all(holds)
    }

    /// Collateral at its price, whole, and unrealized profit of futures and perpetuals: less debts and what is reserved, without options.
    pub fn equity(&self) -> BigRational {
        self.collateral
            .iter()
            .fold(self.futures.clone(), |sum, line| sum + &line.market_value)
    }

    /// [`equity`](Self::equity) with options at their mark. `V` is this without haircuts, what is above caps, and what does not count.
    pub fn net_liquidation_value(&self) -> BigRational {
        self.equity() + &self.options
    }
}

/// What `model` makes of a book: `legs` has one number of lots per slot of the universe's layout, gross.
///
/// Several accounts are added up leg by leg; an order goes in by [`with_public_amounts`].
///
/// # Errors
/// [`OracleError`]; [`OracleError::NotCounted`] for a book that holds what does not count.
pub fn evaluate(
    model: &Model,
    universe: &Universe,
    snapshot: &Snapshot,
    legs: &[u64],
) -> Result<Evaluation, OracleError> {
    if let Model::Demand(demand) = model {
        return demand::evaluate(demand, universe, snapshot, legs);
    }
    let book = Book::new(model, universe, snapshot, legs)?;
    if !model.names().isolated {
        return by_kind(model, book);
    }
    let pools = Pools::of(universe, legs);
    let mut evaluation = by_kind(model, Book::unchecked(model, universe, snapshot, &pools.cross)?)?;
    for position in &pools.isolated {
        let mut book = Book::unchecked(model, universe, snapshot, &position.legs)?;
        book.is_isolated = true;
        evaluation.checks.push(Check::Isolated {
            venue: position.venue.clone(),
            instrument: position.instrument.clone(),
            evaluation: Box::new(by_kind(model, book)?),
        });
    }
    Ok(evaluation)
}

/// What the rule of a kind makes of a book, everything of which counts.
fn by_kind(model: &Model, book: Book<'_>) -> Result<Evaluation, OracleError> {
    match model {
        Model::ScenarioGrid(rules) => scenario_grid::evaluate(book, rules),
        Model::Demand(_) => Err(OracleError::Missing {
            model: model.name().to_owned(),
            what: "to be asked for as a whole".to_owned(),
        }),
        Model::Historical(rules) => historical::evaluate(&book, rules),
        Model::DeriveStandard(rules) => derive_standard::evaluate(book, rules),
        Model::Linear(rules) => linear::evaluate(book, rules),
        Model::Span(rules) => span::evaluate(book, rules),
        Model::Tims(rules) => tims::evaluate(book, rules),
        Model::OkxPm(rules) => okx_pm::evaluate(&book, rules),
        Model::BinancePm(rules) => binance_pm::evaluate(&book, rules),
        Model::DerivePm2(rules) => derive::pm2(&book, rules),
        Model::DerivePmrm1(rules) => derive::pmrm1(&book, rules),
        Model::Simm(rules) => simm::evaluate(book, rules),
        Model::DeltaGammaVega(rules) => delta_gamma_vega::evaluate(book, rules),
    }
}

/// What each model of a demand makes of a book, by its name and in the order of the file; of any other model, that model alone.
///
/// # Errors
/// As for [`evaluate`].
pub fn evaluate_each(
    model: &Model,
    universe: &Universe,
    snapshot: &Snapshot,
    legs: &[u64],
) -> Result<Vec<(String, Evaluation)>, OracleError> {
    let (models, evaluations) = match model {
        Model::Demand(demand) => (
            demand.models().iter().collect(),
            demand::evaluate_each(demand, universe, snapshot, legs)?,
        ),
        one => (vec![one], vec![evaluate(one, universe, snapshot, legs)?]),
    };
    let names = models.into_iter().map(|model| model.name().to_owned());
    Ok(names.zip(evaluations).collect())
}

/// The book after the order and deposit of `terms`: their amounts are added, and each pair of legs that they touch is netted, by no more
/// lots than they have of it. Everything else stays gross.
///
/// # Errors
/// Those of [`Terms::public_amounts`]. Numbers of lots beyond `u64` stay at its largest.
pub fn with_public_amounts(universe: &Universe, terms: &Terms, legs: &[u64]) -> Result<Vec<u64>, TermsError> {
    let mut after = legs.to_vec();
    for (leg, lots) in terms.public_amounts(universe)? {
        if let Some(slot) = after.get_mut(leg.index()) {
            *slot = slot.saturating_add(lots);
        }
    }
    for (pair, public) in terms.touched_pairs(universe)? {
        let (first, second) = (pair.first.index(), pair.second.index());
        let both = after
            .get(first)
            .min(after.get(second))
            .copied()
            .unwrap_or(0)
            .min(public);
        for leg in [first, second] {
            if let Some(slot) = after.get_mut(leg) {
                *slot -= both;
            }
        }
    }
    Ok(after)
}

/// The larger; the first of two equal ones.
pub(crate) fn larger(a: BigRational, b: BigRational) -> BigRational {
    if b > a { b } else { a }
}

/// The smaller; the first of two equal ones.
pub(crate) fn smaller(a: BigRational, b: BigRational) -> BigRational {
    if b < a { b } else { a }
}

pub(crate) fn positive_part(x: BigRational) -> BigRational {
    larger(BigRational::zero(), x)
}

/// `(1 / p_M) f(p_M x)` of a progressive charge `f`.
pub(crate) fn progressive(tiers: &[Tier], amount: &BigRational, numeraire_price: &BigRational) -> BigRational {
    let usd = amount * numeraire_price;
    let mut charge = BigRational::zero();
    for (index, tier) in tiers.iter().enumerate() {
        let mut part = positive_part(&usd - to_ratio(tier.above));
        if let Some(next) = tiers.get(index + 1) {
            part = smaller(part, to_ratio(next.above) - to_ratio(tier.above));
        }
        charge += to_ratio(tier.rate) * part;
    }
    charge / numeraire_price
}

/// A number of lots as a fraction.
pub(crate) fn whole(lots: u64) -> BigRational {
    BigRational::from_integer(BigInt::from(lots))
}
