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
use crate::oracle::pools::Pools;
use crate::oracle::{NotCounted, OracleError, Uncounted, evaluate, positive_part, smaller};
use crate::terms::Ratio20;
use crate::universe::{Instrument, Style, Universe};
use crate::valuation;

/// What has become of a book between two snapshots, in the numéraire.
#[derive(Clone, PartialEq, Eq)]
pub struct Variation {
    /// `V`: cash at the second snapshot.
    pub cash: BigRational,
    /// What the positions have lost; negative if they have gained. `R` is its positive part.
    pub loss: BigRational,
    /// The same of each isolated position that is held, with its instrument and venue.
    pub isolated: Vec<IsolatedVariation>,
}

/// What has become of an isolated position.
#[derive(Clone, PartialEq, Eq)]
pub struct IsolatedVariation {
    /// The venue.
    pub venue: String,
    /// The instrument.
    pub instrument: String,
    /// Its cash.
    pub cash: BigRational,
    /// What it has lost.
    pub loss: BigRational,
}

opaque_debug!(Variation);

opaque_debug!(IsolatedVariation);

impl Variation {
    /// `V - ρ R - e` of cross margin, or `V - ρ R` of an isolated position if that is less.
    pub fn excess(&self, ratio: Ratio20, least_excess: u64) -> BigRational {
        let factor = BigRational::new(ratio.twentieths().into(), 20.into());
        let excess = |cash: &BigRational, loss: &BigRational| cash - &factor * positive_part(loss.clone());
        let own = excess(&self.cash, &self.loss) - BigRational::from_integer(least_excess.into());
        let isolated = self.isolated.iter().map(|one| excess(&one.cash, &one.loss));
        isolated.fold(own, smaller)
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
    let has_isolated = models.iter().all(|model| model.names().isolated);
    let pools = Pools::of(universe, legs);
    // Isolated positions that do not count are not held, but for balances.
    let positions = if has_isolated { pools.isolated.as_slice() } else { &[] };
    let mut refused = Vec::new();
    for model in &models {
        let later = Book::unchecked(model, universe, after, legs)?;
        refuse_assets(&later, &mut refused);
    }
    let mut of = |legs: &[u64], is_isolated| -> Result<(BigRational, BigRational), OracleError> {
        let [mut then, mut now] = [
            Book::unchecked(model, universe, before, legs)?,
            Book::unchecked(model, universe, after, legs)?,
        ];
        (then.is_isolated, now.is_isolated) = (is_isolated, is_isolated);
        let cash = models.iter().map(|model| cash(model, &now)).reduce(smaller);
        let loss = loss([&then, &now], &mut refused)?;
        Ok((cash.unwrap_or_else(BigRational::zero), loss))
    };
    let (cash, loss) = of(&pools.cross, false)?;
    let mut isolated = Vec::new();
    for position in positions {
        let (cash, loss) = of(&position.legs, true)?;
        isolated.push(IsolatedVariation {
            venue: position.venue.clone(),
            instrument: position.instrument.clone(),
            cash,
            loss,
        });
    }
    if !refused.is_empty() {
        return Err(OracleError::NotCounted(refused));
    }
    Ok(Variation { cash, loss, isolated })
}

/// Adds what is held of assets that do not count at the second snapshot, but for balances: they are worth nothing.
fn refuse_assets(later: &Book<'_>, refused: &mut Vec<NotCounted>) {
    for (venue, asset) in later.coverage.universe.assets() {
        let Err(reason) = later.coverage.line(asset) else {
            continue;
        };
        if asset.all_but_balance().into_iter().any(|leg| later.lots(leg) > 0) {
            refused.push(NotCounted {
                venue: venue.name.clone(),
                line: asset.label(),
                reason,
            });
        }
    }
}

/// What the positions of a book have lost. What has no value at either instant is added to `refused`.
fn loss([then, now]: [&Book<'_>; 2], refused: &mut Vec<NotCounted>) -> Result<BigRational, OracleError> {
    let [before, after] = [then.coverage.snapshot, now.coverage.snapshot];
    let mut loss = BigRational::zero();
    for held in then.held()? {
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
        let mark = valuation::mark(before, instrument).map_err(pricing)?;
        let value = worth(after, instrument).map_err(pricing)?;
        let (Some(mark), Some(value), Some(coin)) = (mark, value, coin) else {
            let mut listed = then.coverage.universe.instruments();
            let venue = listed.find(|(_, listed)| listed.long == instrument.long);
            refused.push(NotCounted {
                venue: venue.map(|(venue, _)| venue.name.clone()).unwrap_or_default(),
                line: instrument.name.clone(),
                reason: without_value([before, after], instrument),
            });
            continue;
        };
        let mut sum = ExactSum::default();
        sum.add(value, &held.net()).ok_or_else(no_value)?;
        let value = to_ratio(instrument.lot) * sum.value() * coin / &now.numeraire_price;
        loss += held.worth(mark, &held.net())? - value;
    }
    // The carry at the two prices of its asset; what has no price is not held.
    for line in then.collateral(&BTreeMap::new()) {
        let price = |book: &Book<'_>| {
            book.coverage
                .price(&line.asset)
                .map(|price| price / &book.numeraire_price)
        };
        if let (Some(then), Some(now)) = (price(then), price(now)) {
            loss += (then - now) * &line.carry;
        }
    }
    Ok(loss)
}

/// Why an instrument has no value at one of the snapshots.
fn without_value(snapshots: [&Snapshot; 2], instrument: &Instrument) -> Uncounted {
    let unpriced = snapshots
        .iter()
        .find_map(|snapshot| valuation::priced(snapshot, instrument).err());
    match unpriced {
        Some(reason) => Uncounted::Unpriced(reason),
        None => Uncounted::NoPrice(instrument.settlement.clone()),
    }
}

/// `V` by the haircuts of a model.
fn cash(model: &Model, later: &Book<'_>) -> BigRational {
    let rules = model.rule().cash();
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
