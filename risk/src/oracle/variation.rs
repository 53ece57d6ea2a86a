//! The rule of [`crate::model::variation`], step by step.

use std::collections::BTreeMap;

use num_rational::BigRational;
use num_traits::{One, Zero};

use crate::amount::to_ratio;
use crate::collateral;
use crate::market::Snapshot;
use crate::model::Model;
use crate::model::variation::{MORE_THAN_MODELS, worth};
use crate::oracle::book::Book;
use crate::oracle::exact::ExactSum;
use crate::oracle::{NotCounted, OracleError, Uncounted, evaluate, positive_part, smaller};
use crate::universe::{Style, Universe};
use crate::valuation::{self, Unpriced};

/// What has become of a book between two snapshots, in the numéraire.
#[derive(Clone, PartialEq, Eq)]
pub struct Variation {
    /// `V`: cash at the second snapshot.
    pub cash: BigRational,
    /// What the positions have lost; negative if they have gained. `R` is its positive part.
    pub loss: BigRational,
}

impl std::fmt::Debug for Variation {
    /// Shows nothing: it is the trader's secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Variation").finish_non_exhaustive()
    }
}

impl Variation {
    /// `V - ρ R - e`.
    pub fn excess(&self, ratio: crate::terms::Ratio20, least_excess: u64) -> BigRational {
        let factor = BigRational::new(ratio.twentieths().into(), 20.into());
        &self.cash - factor * positive_part(self.loss.clone()) - BigRational::from_integer(least_excess.into())
    }
}

/// The variation of a book between two snapshots.
///
/// # Errors
/// [`OracleError`]; [`OracleError::NotCounted`] for what does not count at the first, or has no value at the second.
pub fn variation(
    model: &Model,
    universe: &Universe,
    snapshots: [&Snapshot; 2],
    legs: &[u64],
) -> Result<Variation, OracleError> {
    let [before, after] = snapshots;
    let models = model.of_variation().ok_or_else(|| OracleError::Missing {
        model: model.name().to_owned(),
        what: MORE_THAN_MODELS.to_owned(),
    })?;
    for model in &models {
        // What does not count, by whichever of the models.
        evaluate(model, universe, before, legs)?;
    }
    let book = Book::new(model, universe, before, legs)?;
    let later = Book::unchecked(model, universe, after, legs)?;
    let mut loss = BigRational::zero();
    let mut refused = Vec::new();
    for held in book.held()? {
        let instrument = held.instrument;
        let no_value = || OracleError::NoValue {
            instrument: instrument.name.clone(),
        };
        let pricing = |source| OracleError::Pricing {
            underlying: instrument.underlying.clone(),
            source,
        };
        let coin = match instrument.style {
            Style::Inverse => Some(BigRational::one()),
            Style::Linear => collateral::price(after, &instrument.settlement).map(to_ratio),
        };
        let value = worth(after, instrument).map_err(pricing)?;
        let (Some(value), Some(coin)) = (value, coin) else {
            let venue = universe
                .instruments()
                .find(|(_, listed)| listed.long == instrument.long);
            refused.push(NotCounted {
                venue: venue.map(|(venue, _)| venue.name.clone()).unwrap_or_default(),
                line: instrument.name.clone(),
                reason: Uncounted::Unpriced(Unpriced::Expired),
            });
            continue;
        };
        let mark = valuation::mark(before, instrument)
            .map_err(pricing)?
            .ok_or_else(no_value)?;
        let mut now = ExactSum::default();
        now.add(value, &held.net()).ok_or_else(no_value)?;
        let now = to_ratio(instrument.lot) * now.value() * coin / &later.numeraire_price;
        loss += held.worth(mark, &held.net())? - now;
    }
    if !refused.is_empty() {
        return Err(OracleError::NotCounted(refused));
    }
    // The carry at the two prices of its asset; what has no price is not held.
    for line in book.collateral(&BTreeMap::new()) {
        let then = line.price.map(|price| price / &book.numeraire_price);
        let now = later
            .coverage
            .price(&line.asset)
            .map(|price| price / &later.numeraire_price);
        if let (Some(then), Some(now)) = (then, now) {
            loss += (then - now) * line.carry;
        }
    }
    let cash = models.iter().map(|model| cash(model, &later));
    let cash = cash.reduce(smaller).unwrap_or_else(BigRational::zero);
    Ok(Variation { cash, loss })
}

/// `V` by the haircuts of a model.
fn cash(model: &Model, later: &Book<'_>) -> BigRational {
    let rules = model.assets().cloned().unwrap_or_default();
    let lines = later.collateral(&rules).into_iter();
    lines.fold(BigRational::zero(), |sum, line| {
        let price = line.price.unwrap_or_else(BigRational::zero) / &later.numeraire_price;
        sum + line.value
            - if line.uncounted.is_none() && rules.contains_key(&line.asset) {
                price * line.carry
            } else {
                BigRational::zero()
            }
    })
}
