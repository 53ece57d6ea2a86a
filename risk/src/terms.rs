//! The terms of a statement: which level, by how much, and after which hypothetical order or deposit.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use rust_decimal::Decimal;
use zkmargin_program::{LegId, Pair};

use crate::amount::{self, AmountError, LotsError, MAX_LOTS, lots};
use crate::canonical::{Canonical, CanonicalError, Reader, Writer};
use crate::universe::Universe;

mod order;

pub use order::{Deposit, Order, Side};

/// The level of requirement that is proven.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub enum Level {
    /// What a new position needs.
    Initial,
    /// What keeps a position.
    Maintenance,
}

/// Which margin is proven to be there.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub enum Margin {
    /// The model's requirement at a level, at one snapshot.
    Level(Level),
    /// [Variation](crate::model::variation): what the positions have lost since an earlier snapshot.
    Variation,
}

impl Margin {
    /// The number by which statements name it: 0 initial, 1 maintenance, 2 variation.
    pub const fn code(self) -> u64 {
        match self {
            Margin::Level(Level::Initial) => 0,
            Margin::Level(Level::Maintenance) => 1,
            Margin::Variation => 2,
        }
    }

    /// How many snapshots it is of.
    pub const fn snapshots(self) -> usize {
        match self {
            Margin::Level(_) => 1,
            Margin::Variation => 2,
        }
    }

    /// The level, if it is of one.
    pub const fn level(self) -> Option<Level> {
        match self {
            Margin::Level(level) => Some(level),
            Margin::Variation => None,
        }
    }
}

impl From<Level> for Margin {
    fn from(level: Level) -> Margin {
        Margin::Level(level)
    }
}

impl fmt::Display for Margin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Margin::Level(level) => level.fmt(f),
            Margin::Variation => f.write_str("variation"),
        }
    }
}

impl FromStr for Margin {
    type Err = TermsError;

    fn from_str(text: &str) -> Result<Margin, TermsError> {
        match text {
            "variation" => Ok(Margin::Variation),
            other => other.parse().map(Margin::Level),
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Level::Initial => "initial",
            Level::Maintenance => "maintenance",
        })
    }
}

impl FromStr for Level {
    type Err = TermsError;

    fn from_str(text: &str) -> Result<Level, TermsError> {
        match text {
            "initial" => Ok(Level::Initial),
            "maintenance" => Ok(Level::Maintenance),
            other => Err(TermsError::Level(shown(other))),
        }
    }
}

/// `ρ = N/20`: by which factor the requirement must be covered, in steps of 0.05 from 1.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ratio20(u32);

impl Ratio20 {
    /// Once.
    pub const ONE: Ratio20 = Ratio20(20);
    /// Most twentieths: a hundred times.
    pub const MAX: u32 = 2_000;

    /// `twentieths / 20`.
    ///
    /// # Errors
    /// [`TermsError::Ratio`] unless 20 to [`MAX`](Self::MAX).
    pub fn new(twentieths: u32) -> Result<Ratio20, TermsError> {
        if (20..=Ratio20::MAX).contains(&twentieths) {
            return Ok(Ratio20(twentieths));
        }
        Err(TermsError::Ratio(format!("{twentieths}/20")))
    }

    /// `N`.
    pub const fn twentieths(self) -> u32 {
        self.0
    }
}

impl fmt::Display for Ratio20 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:02}", self.0 / 20, self.0 % 20 * 5)
    }
}

impl FromStr for Ratio20 {
    type Err = TermsError;

    fn from_str(text: &str) -> Result<Ratio20, TermsError> {
        let refused = || TermsError::Ratio(shown(text));
        let ratio = amount::parse(text).map_err(|_| refused())?;
        let twentieths = lots(ratio, Decimal::new(5, 2)).map_err(|_| refused())?;
        u32::try_from(twentieths)
            .ok()
            .and_then(|twentieths| Ratio20::new(twentieths).ok())
            .ok_or_else(refused)
    }
}

/// What is proven of `V` and `R`: `V - ρ R - e >= 0` at a level, after an order or deposit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// What `R` is.
    pub margin: Margin,
    /// `ρ`.
    pub ratio: Ratio20,
    /// `e`, in whole units of the model's numéraire (USD, or a coin).
    pub excess: u64,
    /// An order that is added to the book.
    pub order: Option<Order>,
    /// A deposit that is added to the book.
    pub deposit: Option<Deposit>,
}

/// Why terms are refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TermsError {
    /// Not a level.
    #[error("`{0}` is not a level: initial, maintenance or variation")]
    Level(String),
    /// Not a ratio.
    #[error("`{0}` is not a ratio: 1.00 to 100.00 in steps of 0.05")]
    Ratio(String),
    /// A text that is not of the form of an order or deposit.
    #[error("`{text}` is not {expected}")]
    Form {
        /// The text.
        text: String,
        /// The form.
        expected: &'static str,
    },
    /// A number of an order or deposit that is no amount.
    #[error("{field}: {problem}")]
    Amount {
        /// Which number.
        field: &'static str,
        /// What is wrong.
        problem: AmountError,
    },
    /// A number out of bounds.
    #[error("{field} is {value}, expected {bound}")]
    Bound {
        /// Which number.
        field: &'static str,
        /// Its value.
        value: Decimal,
        /// The bound, in words.
        bound: String,
    },
    /// Not in the universe.
    #[error("the universe has no {what} `{name}`")]
    Unknown {
        /// Venue, instrument, asset.
        what: &'static str,
        /// Its name.
        name: String,
    },
    /// At several venues, and none is named.
    #[error("`{name}` is listed at {venues}: say which, as VENUE:{name}")]
    Ambiguous {
        /// The name.
        name: String,
        /// The venues.
        venues: String,
    },
    /// Not a number of lots, or too many.
    #[error("{field} of {name}: {problem}")]
    Lots {
        /// Contracts, premium and fee, carry, deposit.
        field: &'static str,
        /// Of which instrument or asset.
        name: String,
        /// What is wrong.
        problem: LotsError,
    },
    /// More lots on one leg than fit, all public amounts together.
    #[error("the order and the deposit add up to more than {MAX_LOTS} lots of {name}")]
    TooMany {
        /// Of which asset or instrument.
        name: String,
    },
}

pub(crate) fn shown(text: &str) -> String {
    text.chars().take(120).collect()
}

impl Terms {
    /// At a level, covered once, no least excess, the book as it is.
    pub fn at(margin: impl Into<Margin>) -> Terms {
        Terms {
            margin: margin.into(),
            ratio: Ratio20::ONE,
            excess: 0,
            order: None,
            deposit: None,
        }
    }

    /// The public amounts of order and deposit: lots that are added to the hidden book, each above 0, one entry per
    /// leg, in the order of the legs.
    ///
    /// # Errors
    /// [`TermsError`]: names that are not in the universe, numbers out of bounds or not in whole lots, more than 2^48 -
    /// 1 lots on a leg.
    pub fn public_amounts(&self, universe: &Universe) -> Result<Vec<(LegId, u64)>, TermsError> {
        let mut amounts: BTreeMap<LegId, u64> = BTreeMap::new();
        let order = self
            .order
            .as_ref()
            .map(|order| order.amounts(universe))
            .transpose()?
            .unwrap_or_default();
        let deposit = self
            .deposit
            .as_ref()
            .map(|deposit| deposit.amount_of(universe))
            .transpose()?;
        for (leg, lots) in order.into_iter().chain(deposit) {
            let sum = amounts.entry(leg).or_default();
            *sum = sum.saturating_add(lots);
            if *sum > MAX_LOTS {
                let of_order = self.order.as_ref().map(|order| order.instrument.clone());
                let of_deposit = self.deposit.as_ref().map(|deposit| deposit.asset.clone());
                return Err(TermsError::TooMany {
                    name: of_order.or(of_deposit).unwrap_or_default(),
                });
            }
        }
        Ok(amounts.into_iter().filter(|(_, lots)| *lots > 0).collect())
    }

    /// The pairs of legs that public amounts touch, and the public lots of the leg that has more of them: by so many at most is each
    /// netted in the program, so that a sale of what is held closes it, and what two accounts hold stays gross. Of both legs together it would be too many:
    /// what is public on both closes itself.
    ///
    /// # Errors
    /// Those of [`public_amounts`](Self::public_amounts).
    pub fn touched_pairs(&self, universe: &Universe) -> Result<Vec<(Pair, u64)>, TermsError> {
        let amounts: BTreeMap<LegId, u64> = self.public_amounts(universe)?.into_iter().collect();
        let lots = |leg| amounts.get(&leg).copied().unwrap_or(0);
        let pairs = universe.layout().pairs().iter();
        Ok(pairs
            .map(|pair| (*pair, lots(pair.first).max(lots(pair.second))))
            .filter(|(_, public)| *public > 0)
            .collect())
    }
}

impl Canonical for Terms {
    /// `[level, twentieths, excess, [order]?, [deposit]?]`.
    fn write(&self, w: &mut Writer) {
        w.array(5);
        w.uint(self.margin.code());
        w.uint(self.ratio.twentieths().into());
        w.uint(self.excess);
        w.option(self.order.as_ref(), |w, order| order.write(w));
        w.option(self.deposit.as_ref(), |w, deposit| deposit.write(w));
    }

    fn read(r: &mut Reader<'_>) -> Result<Terms, CanonicalError> {
        r.array_of("terms", 5)?;
        let margin = match r.uint("level")? {
            0 => Margin::Level(Level::Initial),
            1 => Margin::Level(Level::Maintenance),
            2 => Margin::Variation,
            other => return Err(out_of("level", other, "0 to 2")),
        };
        let twentieths = r.uint("ratio")?;
        let ratio = u32::try_from(twentieths)
            .ok()
            .and_then(|twentieths| Ratio20::new(twentieths).ok());
        let ratio = ratio.ok_or_else(|| out_of("ratio", twentieths, "20 to 2000 twentieths"))?;
        let excess = r.uint("excess")?;
        let order = r.option("order", Order::read)?;
        let deposit = r.option("deposit", Deposit::read)?;
        Ok(Terms {
            margin,
            ratio,
            excess,
            order,
            deposit,
        })
    }
}

pub(crate) fn out_of(field: &'static str, value: u64, bound: &str) -> CanonicalError {
    CanonicalError::Value {
        field,
        value: value.to_string(),
        bound: bound.to_owned(),
    }
}

#[cfg(test)]
mod tests;
