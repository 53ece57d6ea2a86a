//! The scenarios: what a history's moves do to prices and volatilities. Program and oracle both take them from here.

use std::collections::{BTreeMap, BTreeSet};

use super::MAX_SCENARIOS;
use super::parameters::{Filter, Parameters, Procyclicality, Range, Volatility, Without};
use crate::amount::to_f64;
use crate::history::{Day, History, Move, Window};
use crate::model::ModelError;
use crate::scenario::{Shock, VolatilityMove};

/// What one day does to one underlying.
#[derive(Copy, Clone, Debug, PartialEq)]
pub(crate) struct DayMove {
    /// `s` and `y`.
    pub(crate) shock: Shock,
    /// `x = s - 1`.
    pub(crate) relative: f64,
}

/// The scenarios of a model and its history.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Scenarios {
    /// Their dates: those of the window, then those of the other window.
    pub(crate) days: Vec<Day>,
    /// How many are of the window.
    pub(crate) window: usize,
    /// By underlying of the model: one for each of the dates.
    pub(crate) moves: BTreeMap<String, Vec<DayMove>>,
    /// Underlyings on which options do not count.
    pub(crate) without_options: BTreeSet<String>,
}

impl Scenarios {
    /// Those of the window.
    pub(crate) fn of_window(&self) -> std::ops::Range<usize> {
        0..self.window
    }

    /// Those of the other window.
    pub(crate) fn of_other(&self) -> std::ops::Range<usize> {
        self.window..self.days.len()
    }

    /// Applies the parameters to a history.
    ///
    /// # Errors
    /// [`ModelError::Window`], [`ModelError::Series`], [`ModelError::Count`].
    pub(crate) fn new(parameters: &Parameters, history: &History) -> Result<Scenarios, ModelError> {
        for (name, underlying) in &parameters.underlyings {
            let series = underlying.series.as_ref().unwrap_or(name);
            if !history.underlyings().any(|known| known == series) {
                return Err(ModelError::Series {
                    field: format!("underlyings.{name}"),
                    series: series.clone(),
                    known: history.underlyings().collect::<Vec<_>>().join(", "),
                });
            }
        }
        let moves_of = |field: &'static str, range: &Range| {
            let moves = history.moves(range.window(history.last()));
            moves.map_err(|source| ModelError::Window { field, source })
        };
        let window = moves_of("window", &parameters.window)?;
        let other = match parameters.procyclicality.as_ref().and_then(Procyclicality::window) {
            Some((field, range)) => moves_of(field, range)?,
            None => Vec::new(),
        };
        let count = window.len() + other.len();
        if count > MAX_SCENARIOS {
            return Err(ModelError::Count {
                field: "window".into(),
                count,
                what: "moves in all",
                bound: format!("at most {MAX_SCENARIOS}"),
            });
        }
        let mut moves = BTreeMap::new();
        let mut without_options = BTreeSet::new();
        for (name, underlying) in &parameters.underlyings {
            let series = underlying.series.as_ref().unwrap_or(name);
            let scales = match (&parameters.filter, window.last()) {
                (Some(filter), Some(last)) => scales(filter, history, series, last.day)?,
                _ => BTreeMap::new(),
            };
            let mut of_underlying = Vec::with_capacity(count);
            for found in window
                .iter()
                .map(|found| (found, true))
                .chain(other.iter().map(|found| (found, false)))
            {
                let (found, in_window): (&Move<'_>, bool) = found;
                let Some(change) = found.changes.get(series.as_str()) else {
                    continue;
                };
                let scale = scales.get(&found.day).filter(|_| in_window);
                let factor = scale.map_or_else(|| change.close.factor(), |scale| libm::exp(scale * change.close.log()));
                let shock = match (&parameters.volatility, change.volatility_index) {
                    (Volatility::Index(_), Some(index)) => Shock::with_index(factor, index.factor() - 1.0),
                    (Volatility::Index(index), None) => {
                        if index.without == Without::NoOptions {
                            without_options.insert(name.clone());
                        }
                        Shock::new(factor, VolatilityMove::None)
                    }
                    (Volatility::Unchanged, _) => Shock::new(factor, VolatilityMove::None),
                };
                of_underlying.push(DayMove {
                    shock,
                    relative: factor - 1.0,
                });
            }
            moves.insert(name.clone(), of_underlying);
        }
        Ok(Scenarios {
            days: window.iter().chain(&other).map(|found| found.day).collect(),
            window: window.len(),
            moves,
            without_options,
        })
    }
}

/// `k_d` by date.
fn scales(filter: &Filter, history: &History, series: &str, last: Day) -> Result<BTreeMap<Day, f64>, ModelError> {
    let (decay, least, most) = (to_f64(filter.decay), to_f64(filter.least), to_f64(filter.most));
    let rest = 1.0 - decay;
    let field = "window";
    let moves = history
        .moves(Window::Until(last))
        .map_err(|source| ModelError::Window { field, source })?;
    let mut variances: Vec<(Day, f64)> = Vec::with_capacity(moves.len());
    let mut variance = None;
    for found in &moves {
        let Some(change) = found.changes.get(series) else {
            continue;
        };
        let log = change.close.log();
        let square = log * log;
        let before = variance.unwrap_or(square);
        variances.push((found.day, before));
        variance = Some(decay * before + rest * square);
    }
    let now = variance.unwrap_or(0.0);
    let scale = |before: f64| {
        if before == 0.0 {
            return most;
        }
        let scale = libm::sqrt(now / before);
        if scale < least {
            least
        } else if scale > most {
            most
        } else {
            scale
        }
    };
    Ok(variances
        .into_iter()
        .map(|(day, before)| (day, scale(before)))
        .collect())
}
