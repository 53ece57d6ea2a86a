//! The private margin report: everything that a model says of a book, for the trader alone.
//!
//! All figures are exact fractions, from the [oracle], not from the program; [`decimal`] writes them with a stated rounding.
//! A book whose excess is positive here but below the program's rounding bound (`Program::rounding_bound`: a unit per lot and form, so it grows with the lots held) may still have no proof.

pub mod hedge;
mod moves;

use std::collections::BTreeMap;

use num_bigint::BigInt;
use num_integer::Integer;
use num_rational::BigRational;
use num_traits::{Signed, ToPrimitive, Zero};
use zeroize::Zeroizing;

use crate::amount::to_ratio;
use crate::instant::Instant;
use crate::market::Snapshot;
use crate::model::Model;
use crate::oracle::exact::ExactSum;
use crate::oracle::{self, Evaluation, OracleError};
use crate::pricing::PricingError;
use crate::scenario::Scenario;
use crate::terms::{Level, Ratio20, Terms, TermsError};
use crate::universe::{Kind, Universe};
use crate::valuation::{self, Unpriced};

pub use crate::report::moves::{Criterion, Failure, IndexMoves, MAX_DOWN_BP, MAX_UP_BP};

/// What a model says of a book.
#[derive(Clone, PartialEq)]
pub struct Report {
    /// The model's name.
    pub model: String,
    /// The snapshot's instant.
    pub instant: Instant,
    /// The level of the statement.
    pub level: Level,
    /// The ratio `ρ` of the statement.
    pub ratio: Ratio20,
    /// The least excess `e` of the statement, in whole units of the numéraire.
    pub least_excess: u64,
    /// Value, requirement, and all their parts.
    pub evaluation: Evaluation,
    /// Exponent of the unit of the model's programs: -10 of dollars, -14 of coins.
    pub unit_exponent: i32,
    /// The rows of the grid of each underlying in the evaluation, in the order of the evaluation's profits.
    pub grids: BTreeMap<String, Vec<Scenario>>,
    /// Under a demand, what each of its models makes of the book, in the order of the file; the evaluation is of the strictest of them.
    pub models: Vec<ByModel>,
    /// Greeks by underlying and expiry, perpetuals last; only where something is held.
    pub greeks: Vec<Greeks>,
    /// How far the index of each underlying may move.
    pub index_moves: Vec<IndexMoves>,
}

opaque_debug!(Report);

/// What one model of a demand makes of a book.
#[derive(Clone, PartialEq)]
pub struct ByModel {
    /// The model's name.
    pub model: String,
    /// What it makes of the book: `V*` and `R*`.
    pub evaluation: Evaluation,
    /// As in [`Report::grids`].
    pub grids: BTreeMap<String, Vec<Scenario>>,
}

opaque_debug!(ByModel);

/// Greeks of what is held on one underlying at one expiry: sums of [`valuation::greeks`], exact.
#[derive(Clone, PartialEq, Eq)]
pub struct Greeks {
    /// The underlying.
    pub underlying: String,
    /// The expiry; `None` for perpetuals.
    pub expiry: Option<Instant>,
    /// Coins of the underlying.
    pub delta: BigRational,
    /// Change of delta in coins per USD of index.
    pub gamma: BigRational,
    /// USD per 1.00 of volatility.
    pub vega: BigRational,
    /// USD per year that passes.
    pub theta: BigRational,
}

opaque_debug!(Greeks);

/// Why there is no report. It names what is held: for the trader and the venue alone.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The book has no margin.
    #[error(transparent)]
    Oracle(#[from] OracleError),
    /// The order or the deposit is not one of the universe.
    #[error(transparent)]
    Terms(#[from] TermsError),
    /// The greeks of an instrument that the snapshot prices otherwise.
    #[error("greeks of {instrument}: {reason}")]
    Unpriced {
        /// The instrument.
        instrument: String,
        /// Why.
        reason: Unpriced,
    },
    /// A price of a snapshot that was not checked.
    #[error("greeks of {instrument}: {source}")]
    Pricing {
        /// The instrument.
        instrument: String,
        /// What is wrong.
        source: PricingError,
    },
    /// Terms of variation, which is of two snapshots.
    #[error("a report is of one snapshot, and so of initial or maintenance margin")]
    Variation,
    /// A moved price that no decimal holds.
    #[error("{underlying} moved by {basis_points} basis points has no price")]
    Move {
        /// The underlying.
        underlying: String,
        /// The move.
        basis_points: i32,
    },
}

impl Report {
    /// The report of a book: `legs` has one number of lots per slot of the universe, gross over its accounts and **without** the order and
    /// deposit of `terms`, which are added here as a proof adds them.
    ///
    /// Re-evaluates the book some hundred times, for [`IndexMoves`].
    ///
    /// # Errors
    /// [`ReportError`].
    pub fn new(
        model: &Model,
        universe: &Universe,
        snapshot: &Snapshot,
        terms: &Terms,
        legs: &[u64],
    ) -> Result<Report, ReportError> {
        let level = terms.margin.level().ok_or(ReportError::Variation)?;
        let legs = Zeroizing::new(oracle::with_public_amounts(universe, terms, legs)?);
        let evaluation = oracle::evaluate(model, universe, snapshot, &legs)?;
        let models = match model {
            Model::Demand(demand) => {
                let each = oracle::evaluate_each(model, universe, snapshot, &legs)?;
                let by_model = |(one, (model, evaluation)): (&Model, (String, Evaluation))| ByModel {
                    model,
                    grids: grids(one, &evaluation),
                    evaluation,
                };
                demand.models().iter().zip(each).map(by_model).collect()
            }
            _ => Vec::new(),
        };
        Ok(Report {
            model: model.name().to_owned(),
            instant: snapshot.instant,
            level,
            ratio: terms.ratio,
            least_excess: terms.excess,
            unit_exponent: model.unit_exponent(),
            grids: grids(model, &evaluation),
            models,
            greeks: greeks(universe, snapshot, &legs)?,
            index_moves: moves::index_moves(model, universe, snapshot, terms, &legs, &evaluation)?,
            evaluation,
        })
    }

    /// `V - R` at a level.
    pub fn excess(&self, level: Level) -> BigRational {
        self.evaluation.excess(level, Ratio20::ONE, 0)
    }

    /// `V - ρ R - e` of the statement.
    pub fn statement_excess(&self) -> BigRational {
        self.evaluation.excess(self.level, self.ratio, self.least_excess)
    }

    /// Whether the rule is met.
    pub fn is_met(&self) -> bool {
        self.evaluation.is_met(self.level, self.ratio, self.least_excess)
    }
}

/// The grid of each underlying of an evaluation, under a scenario grid.
fn grids(model: &Model, evaluation: &Evaluation) -> BTreeMap<String, Vec<Scenario>> {
    let Model::ScenarioGrid(rules) = model else {
        return BTreeMap::new();
    };
    let of = |name: &String| (name.clone(), rules.parameters().grid(name).unwrap_or_default().to_vec());
    evaluation.underlyings.keys().map(of).collect()
}

/// Sums the greeks of what is held.
fn greeks(universe: &Universe, snapshot: &Snapshot, legs: &[u64]) -> Result<Vec<Greeks>, ReportError> {
    let lots = |slot: usize| BigInt::from(legs.get(slot).copied().unwrap_or(0));
    let mut sums: BTreeMap<(String, bool, Option<Instant>), [BigRational; 4]> = BTreeMap::new();
    for (_, instrument) in universe.instruments() {
        let (long, short) = (lots(instrument.long.index()), lots(instrument.short.index()));
        // A sensitivity is one, and has none.
        let has_none = matches!(instrument.kind, Kind::Sensitivity(_)) || (long.is_zero() && short.is_zero());
        if has_none {
            continue;
        }
        let name = || instrument.name.clone();
        let one = valuation::greeks(snapshot, instrument)
            .map_err(|source| ReportError::Pricing {
                instrument: name(),
                source,
            })?
            .map_err(|reason| ReportError::Unpriced {
                instrument: name(),
                reason,
            })?;
        let expiry = instrument.kind.expiry();
        let sum = sums
            .entry((instrument.underlying.clone(), expiry.is_none(), expiry))
            .or_default();
        let net = long - short;
        for (sum, greek) in sum.iter_mut().zip([one.delta, one.gamma, one.vega, one.theta]) {
            let mut exact = ExactSum::default();
            exact
                .add(greek, &net)
                .ok_or_else(|| OracleError::NoValue { instrument: name() })?;
            *sum += to_ratio(instrument.lot) * exact.value();
        }
    }
    let lines = sums
        .into_iter()
        .map(|((underlying, _, expiry), [delta, gamma, vega, theta])| Greeks {
            underlying,
            expiry,
            delta,
            gamma,
            vega,
            theta,
        });
    Ok(lines.collect())
}

/// Which way a figure is rounded when it is written.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Rounding {
    /// Towards minus infinity: values and excesses, so that what is shown is there.
    Down,
    /// Towards plus infinity: requirements and charges.
    Up,
    /// To the nearest, halves away from zero: everything else.
    Nearest,
}

/// A fraction with this many decimals, trailing zeros kept; zero has no sign.
///
/// ```
/// # use zkmargin_risk::{amount, report::{Rounding, decimal}};
/// let third = amount::to_ratio(amount::parse("1")?) / amount::to_ratio(amount::parse("-3")?);
/// assert_eq!(decimal(&third, 2, Rounding::Down), "-0.34");
/// assert_eq!(decimal(&third, 2, Rounding::Nearest), "-0.33");
/// # Ok::<(), amount::AmountError>(())
/// ```
pub fn decimal(x: &BigRational, places: u32, rounding: Rounding) -> String {
    let scaled = x * BigRational::from_integer(BigInt::from(10).pow(places));
    let whole = match rounding {
        Rounding::Down => scaled.floor(),
        Rounding::Up => scaled.ceil(),
        Rounding::Nearest => scaled.round(),
    }
    .to_integer();
    let (units, rest) = whole.abs().div_rem(&BigInt::from(10).pow(places));
    let sign = if whole.is_negative() { "-" } else { "" };
    match usize::try_from(places) {
        Ok(width) if width > 0 => format!("{sign}{units}.{:0>width$}", rest.to_string()),
        _ => format!("{sign}{units}"),
    }
}

/// A float near a fraction, for pictures; 0 for what no float is near.
pub fn approximate(x: &BigRational) -> f64 {
    x.to_f64().filter(|near| near.is_finite()).unwrap_or(0.0)
}
