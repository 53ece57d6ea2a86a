//! Moves from day to day.

use std::collections::BTreeMap;

use num_rational::BigRational;
use rust_decimal::Decimal;

use super::{Day, Figures, History};
use crate::amount::{to_f64, to_ratio};

/// Which moves. A move has the date of the day at whose close it is complete, so the first date of a history has none.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Window {
    /// All of them.
    Whole,
    /// All up to a date, that of the date itself being the last.
    Until(Day),
    /// The last so many up to a date, that of the date itself being the last.
    Last {
        /// How many, at least one.
        moves: usize,
        /// The last one's date.
        until: Day,
    },
    /// Those of all dates from one to another, both of them included: a time of stress.
    Between {
        /// The first one's date.
        first: Day,
        /// The last one's date.
        last: Day,
    },
}

/// Why a history has no such [`Window`].
#[derive(Copy, Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WindowError {
    /// A date without a move.
    #[error("there is no move of {day}: the history has those of {first} to {last}")]
    Outside {
        /// The date.
        day: Day,
        /// The first date that has one.
        first: Day,
        /// The last.
        last: Day,
    },
    /// Fewer moves up to the date than are wanted, or none is wanted.
    #[error("{wanted} moves up to {until} are wanted, expected 1 to {found}")]
    Count {
        /// How many are wanted.
        wanted: usize,
        /// The last one's date.
        until: Day,
        /// How many there are.
        found: usize,
    },
    /// A first date after the last.
    #[error("the window is from {first} to {last}, which is before")]
    Order {
        /// The first date.
        first: Day,
        /// The last.
        last: Day,
    },
}

/// How every underlying moved from the day before to a day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Move<'a> {
    /// The later day.
    pub day: Day,
    /// By underlying: all of the history's, in every move.
    pub changes: BTreeMap<&'a str, Change>,
}

/// How one underlying moved.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Its close.
    pub close: Step,
    /// Its volatility index; `None` unless both days have one.
    pub volatility_index: Option<Step>,
}

/// From one figure to another, both above 0, exactly as they stand in the file.
///
/// The floats are made of the nearest `f64` of each figure by operations that have the same bits on every platform.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The earlier figure.
    pub from: Decimal,
    /// The later figure.
    pub to: Decimal,
}

impl Step {
    /// `to / from`, exactly.
    pub fn ratio(&self) -> BigRational {
        to_ratio(self.to) / to_ratio(self.from)
    }

    /// `to / from`, by one division.
    pub fn factor(&self) -> f64 {
        to_f64(self.to) / to_f64(self.from)
    }

    /// The relative return `(to - from) / from`, by one subtraction and one division.
    pub fn relative(&self) -> f64 {
        let from = to_f64(self.from);
        (to_f64(self.to) - from) / from
    }

    /// The logarithmic return `ln(to / from)`.
    pub fn log(&self) -> f64 {
        libm::log(self.factor())
    }
}

impl History {
    /// The moves of a window, in the order of their dates.
    ///
    /// ```
    /// use zkmargin_risk::history::{History, Window};
    /// let history = History::from_json(r#"{
    ///     "provenance": {"source": "", "licence": "", "importer": "", "recorded": [], "derived": [], "assumed": []},
    ///     "days": {
    ///         "2026-08-05": {"BTC": {"close": "64000"}},
    ///         "2026-08-06": {"BTC": {"close": "60000", "volatility_index": "40"}},
    ///         "2026-08-07": {"BTC": {"close": "63000", "volatility_index": "38.5"}}
    ///     }
    /// }"#)?;
    /// let moves = history.moves(Window::Last { moves: 2, until: history.last() })?;
    /// assert_eq!(moves[0].day.to_string(), "2026-08-06");
    /// assert_eq!(moves[0].changes["BTC"].close.relative(), -0.0625);
    /// assert_eq!(moves[1].changes["BTC"].close.ratio().to_string(), "21/20");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`WindowError`] if the history does not have all of them.
    pub fn moves(&self, window: Window) -> Result<Vec<Move<'_>>, WindowError> {
        // A history has two rows or more.
        let earliest = self.first().next().unwrap_or(self.last());
        let among = |day: Day| {
            if (earliest..=self.last()).contains(&day) {
                return Ok(day);
            }
            let (first, last) = (earliest, self.last());
            Err(WindowError::Outside { day, first, last })
        };
        let (first, last) = match window {
            Window::Whole => (earliest, self.last()),
            Window::Until(until) => (earliest, among(until)?),
            Window::Last { moves, until } => {
                let found = self.moves_until(among(until)?);
                let skipped = found.checked_sub(moves).filter(|_| moves > 0);
                let first = skipped.and_then(|skipped| earliest.after(u32::try_from(skipped).ok()?));
                let wanted = moves;
                (first.ok_or(WindowError::Count { wanted, until, found })?, until)
            }
            Window::Between { first, last } if first > last => return Err(WindowError::Order { first, last }),
            Window::Between { first, last } => (among(first)?, among(last)?),
        };
        let days = self.days().zip(self.days().skip(1));
        let within = days.filter(|(_, day)| (first..=last).contains(day));
        Ok(within.map(|(before, day)| self.move_of(before, day)).collect())
    }

    /// How many moves there are up to a date, its own included.
    pub fn moves_until(&self, day: Day) -> usize {
        let last = if day < self.last() { day } else { self.last() };
        last.days_since(self.first())
            .and_then(|days| usize::try_from(days).ok())
            .unwrap_or(0)
    }

    fn move_of(&self, before: Day, day: Day) -> Move<'_> {
        let change = |name| Some((name, change(self.figures(name, before)?, self.figures(name, day)?)));
        // Both days are the history's, so no underlying is left out.
        let changes = self.underlyings().filter_map(change).collect();
        Move { day, changes }
    }
}

fn change(from: Figures, to: Figures) -> Change {
    let indices = from.volatility_index.zip(to.volatility_index);
    Change {
        close: Step {
            from: from.close,
            to: to.close,
        },
        volatility_index: indices.map(|(from, to)| Step { from, to }),
    }
}
