//! The rule of [`crate::model::delta_gamma_vega::parameters`], step by step in its own symbols. Roots are rounded down to 30 decimals.

use std::collections::BTreeMap;

use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::{Signed, Zero};
use rust_decimal::Decimal;

use crate::amount::to_ratio;
use crate::model::DeltaGammaVega;
use crate::model::correlation::Correlations;
use crate::oracle::book::Book;
use crate::oracle::exact::root;
use crate::oracle::{Component, Evaluation, OracleError, Picture, positive_part};
use crate::universe::Kind;
use crate::valuation::dollar_greeks;

/// `δ_u`, `γ_u`, `ν_u`.
#[derive(Default)]
struct Greeks {
    delta: BigRational,
    gamma: BigRational,
    vega: BigRational,
}

/// What a delta-gamma-vega model makes of a book; see [`evaluate`](crate::oracle::evaluate).
///
/// # Errors
/// [`OracleError`].
pub(super) fn evaluate(book: Book<'_>, rules: &DeltaGammaVega) -> Result<Evaluation, OracleError> {
    let parameters = rules.parameters();
    let snapshot = book.coverage.snapshot;
    let collateral = book.collateral(&parameters.assets);
    let known = parameters
        .underlyings
        .keys()
        .filter(|name| snapshot.underlyings.contains_key(*name));
    let mut greeks: BTreeMap<&str, Greeks> = known.map(|name| (name.as_str(), Greeks::default())).collect();

    let (mut options, mut futures) = (BigRational::zero(), BigRational::zero());
    for held in book.held()? {
        let instrument = held.instrument;
        let figures = dollar_greeks(snapshot, instrument)
            .map_err(|source| OracleError::Pricing {
                underlying: instrument.underlying.clone(),
                source,
            })?
            .map_err(|_| OracleError::NoValue {
                instrument: instrument.name.clone(),
            })?;
        let net = held.net();
        let mark = held.worth(figures.mark, &net)?;
        if let Kind::Option { .. } = instrument.kind {
            options += mark;
        } else {
            futures += mark;
        }
        if let Some(sum) = greeks.get_mut(instrument.underlying.as_str()) {
            sum.delta += held.worth(figures.delta, &net)?;
            sum.gamma += held.worth(figures.gamma, &net)?;
            sum.vega += held.worth(figures.vega, &net)?;
        }
    }
    for line in collateral.iter().filter(|line| line.uncounted.is_none()) {
        let moves = parameters
            .assets
            .get(&line.asset)
            .and_then(|asset| asset.underlying.as_deref());
        let (Some(sum), Some(price)) = (moves.and_then(|name| greeks.get_mut(name)), &line.price) else {
            continue;
        };
        let mut coins = line.carry.clone();
        if parameters.collateral_in_delta {
            coins += &line.balance - &line.debt - &line.reserve;
        }
        sum.delta += price / &book.numeraire_price * coins;
    }

    let quantile = to_ratio(parameters.quantile);
    let mut prices = Vec::new();
    let mut volatilities = Vec::new();
    let mut gamma = BigRational::zero();
    let mut picture = Vec::new();
    for (row, (name, moves)) in parameters.underlyings.iter().enumerate() {
        let Some(book) = greeks.get(name.as_str()) else {
            continue;
        };
        let price = &quantile * to_ratio(moves.price_move);
        let delta = &price * &book.delta;
        let half = BigRational::new(BigInt::from(1), BigInt::from(2));
        let loss = half * &price * &price * positive_part(-&book.gamma);
        let vega = &quantile * to_ratio(moves.volatility_move) * &book.vega;
        for (greek, amount) in [("delta", delta.abs()), ("gamma", loss.clone()), ("vega", vega.abs())] {
            picture.push((format!("{name} {greek}"), amount));
        }
        prices.push((row, delta));
        volatilities.push((row, vega));
        gamma += loss;
    }
    let terms = [
        ("delta", norm(&parameters.price_correlations, &prices)),
        ("gamma", gamma),
        ("vega", norm(&parameters.volatility_correlations, &volatilities)),
    ];
    let at = |level: Decimal, amount: &BigRational| to_ratio(level) * amount;
    let levels = parameters.levels;
    let components: Vec<Component> = terms
        .iter()
        .map(|(term, amount)| Component::new(term, "", at(levels.initial, amount), at(levels.maintenance, amount)))
        .collect();
    Ok(Evaluation::of(
        &parameters.numeraire,
        [options, futures],
        collateral,
        components,
        Picture::Sensitivities(picture),
    ))
}

fn norm(correlations: &Correlations, amounts: &[(usize, BigRational)]) -> BigRational {
    let mut square = BigRational::zero();
    for (row, amount) in amounts {
        for (other, other_amount) in amounts {
            square += to_ratio(correlations.get(*row, *other)) * amount * other_amount;
        }
    }
    root(&square)
}
