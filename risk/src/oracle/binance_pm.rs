//! The rule of [`crate::model::binance_pm::parameters`], step by step in its own symbols.

use std::collections::BTreeMap;

use num_rational::BigRational;
use num_traits::{One, Zero};

use crate::amount::to_ratio;
use crate::model::BinancePm;
use crate::model::binance_pm::parameters::{By, Parameters};
use crate::model::stress::figures::{Figures, Stresses, is_option};
use crate::oracle::book::Book;
use crate::oracle::coverage::NotCounted;
use crate::oracle::{Component, Evaluation, OracleError, Picture, Uncounted, progressive, smaller};

/// What a model of Binance portfolio margin makes of a book; see [`evaluate`](crate::oracle::evaluate).
///
/// # Errors
/// [`OracleError`].
pub(super) fn evaluate(book: &Book<'_>, rules: &BinancePm) -> Result<Evaluation, OracleError> {
    let parameters = rules.parameters();
    refuse_options(book)?;
    let mut futures = BigRational::zero();
    let mut settled: BTreeMap<&str, BigRational> = BTreeMap::new();
    let mut notionals: Vec<(&str, BigRational)> = Vec::new();
    for held in book.held()? {
        let underlying = held.instrument.underlying.as_str();
        let figures = Figures::new(book.coverage.snapshot, held.instrument, &Stresses::NONE);
        let figures = figures.map_err(|source| OracleError::Pricing {
            underlying: underlying.to_owned(),
            source,
        })?;
        let figures = figures.ok_or_else(|| OracleError::NoValue {
            instrument: held.instrument.name.clone(),
        })?;
        let value = held.worth(figures.mark, &held.net())?;
        *settled.entry(&held.instrument.settlement).or_default() += &value;
        futures += value;
        notionals.push((underlying, held.worth(figures.mark.abs(), &held.gross())?));
    }

    // min( rate E, E ) of each asset; its line shows what of that is not the futures.
    let mut collateral = book.collateral(&parameters.assets);
    let mut value = BigRational::zero();
    for (name, asset) in &parameters.assets {
        if book.coverage.asset(name).is_err() {
            continue;
        }
        let mut line = collateral
            .iter_mut()
            .find(|line| line.asset == *name && line.uncounted.is_none());
        let coins = line
            .as_ref()
            .map_or_else(BigRational::zero, |line| line.market_value.clone());
        let profit = settled.get(name.as_str()).cloned().unwrap_or_default();
        let equity = coins + &profit;
        let rate = BigRational::one() - to_ratio(asset.haircut);
        let adjusted = smaller(rate * &equity, equity);
        // What is taken off a profit without coins beside it is taken off the futures.
        match &mut line {
            Some(line) => line.value = &adjusted - profit,
            None => futures += &adjusted - profit,
        }
        value += adjusted;
    }

    let mut maintenance: Vec<(&str, String, BigRational)> = Vec::new();
    for name in parameters.underlyings.keys() {
        let mut own: Vec<BigRational> = notionals
            .iter()
            .filter(|(underlying, _)| underlying == name)
            .map(|(_, notional)| notional.clone())
            .collect();
        if parameters.by == By::Underlying {
            own = vec![own.into_iter().fold(BigRational::zero(), |sum, one| sum + one)];
        }
        let margin = own.iter().fold(BigRational::zero(), |sum, notional| {
            sum + margin(parameters, name, notional, &book.numeraire_price)
        });
        maintenance.push(("futures maintenance margin", name.clone(), margin));
    }
    for line in collateral.iter().filter(|line| line.uncounted.is_none()) {
        if let (Some(rate), Some(price)) = (parameters.loans.get(&line.asset), &line.price) {
            let owed = price / &book.numeraire_price * &line.debt;
            maintenance.push(("loan maintenance margin", line.asset.clone(), to_ratio(*rate) * owed));
        }
    }
    let (initial, level) = (
        to_ratio(parameters.levels.initial),
        to_ratio(parameters.levels.maintenance),
    );
    let components: Vec<Component> = maintenance
        .into_iter()
        .filter(|(_, _, margin)| !margin.is_zero())
        .map(|(term, note, margin)| Component::new(term, note, &initial * &margin, &level * margin))
        .collect();
    let marks = [BigRational::zero(), futures];
    Ok(Evaluation {
        value,
        ..Evaluation::of(&parameters.numeraire, marks, collateral, components, Picture::None)
    })
}

fn refuse_options(book: &Book<'_>) -> Result<(), OracleError> {
    let instruments = book.coverage.universe.instruments();
    let held = instruments.filter(|(_, one)| book.lots(one.long) > 0 || book.lots(one.short) > 0);
    let refused: Vec<NotCounted> = held
        .filter(|(_, instrument)| is_option(instrument))
        .map(|(venue, instrument)| NotCounted {
            venue: venue.name.clone(),
            line: instrument.name.clone(),
            reason: Uncounted::KindOfInstrument,
        })
        .collect();
    if refused.is_empty() {
        Ok(())
    } else {
        Err(OracleError::NotCounted(refused))
    }
}

/// `(1 / p_M) f_u(p_M N)`.
fn margin(parameters: &Parameters, name: &str, notional: &BigRational, numeraire: &BigRational) -> BigRational {
    let tiers = parameters.underlyings.get(name).map_or(&[][..], |rules| &rules.tiers);
    progressive(tiers, notional, numeraire)
}
