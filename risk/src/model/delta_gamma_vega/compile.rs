//! From the rule to a program.

use rust_decimal::Decimal;
use zkmargin_program::{Builder, Linear, Ratio, Upper};

use crate::market::Snapshot;
use crate::model::compile::{CompileError, Forms};
use crate::model::correlation::{Correlations, Matrix};
use crate::model::delta_gamma_vega::DeltaGammaVega;
use crate::model::factor::ratio;
use crate::model::sheet::Sheet;
use crate::model::{Rule, Scope};
use crate::terms::Level;
use crate::valuation::{DollarGreeks, dollar_greeks};

/// The greeks of an underlying, each as a form.
struct Greeks<'a> {
    name: &'a str,
    /// Its row in the correlations.
    row: usize,
    delta: Linear,
    gamma: Linear,
    vega: Linear,
}

pub(super) fn forms(
    model: &DeltaGammaVega,
    builder: &mut Builder,
    scope: &Scope<'_>,
    level: Level,
) -> Result<Forms, CompileError> {
    let parameters = model.parameters();
    let sheet = Sheet::new(&model.names(), scope, &model.numeraire())?;
    let mut value = Linear::zero();
    let mut greeks = Vec::new();
    for (row, (name, moves)) in parameters.underlyings.iter().enumerate() {
        if !scope.snapshot.underlyings.contains_key(name) {
            continue;
        }
        let mut book = Greeks {
            name,
            row,
            delta: Linear::zero(),
            gamma: Linear::zero(),
            vega: Linear::zero(),
        };
        for position in sheet.on(name) {
            let Some(figures) = figures(scope.snapshot, position.instrument)? else {
                continue;
            };
            position.add_net(&mut value, figures.mark, Ratio::ONE)?;
            position.add_net(&mut book.delta, figures.delta, Ratio::ONE)?;
            position.add_net(&mut book.gamma, figures.gamma, Ratio::ONE)?;
            position.add_net(&mut book.vega, figures.vega, Ratio::ONE)?;
        }
        for (asset_name, asset) in &sheet.assets {
            let moves = parameters
                .assets
                .get(*asset_name)
                .and_then(|rule| rule.underlying.as_deref());
            if moves != Some(name.as_str()) {
                continue;
            }
            asset.holding.add_carry(&mut book.delta, asset.per_coin)?;
            if parameters.collateral_in_delta {
                asset.holding.add_balance(&mut book.delta, asset.per_coin)?;
                asset.holding.take_debt(&mut book.delta, asset.per_coin)?;
                asset.holding.take_reserve(&mut book.delta, asset.per_coin)?;
            }
        }
        // Times the move that each is multiplied with, and the level.
        let level = ratio(match level {
            Level::Initial => parameters.levels.initial,
            Level::Maintenance => parameters.levels.maintenance,
        })?;
        let price = parameters.quantile * moves.price_move;
        book.delta = book.delta.scale(ratio(price)?).scale(level);
        let half = Ratio::new(1, 2)?;
        book.gamma = (-book.gamma)
            .scale(ratio(price)?)
            .scale(ratio(price)?)
            .scale(half)
            .scale(level);
        book.vega = book
            .vega
            .scale(ratio(parameters.quantile * moves.volatility_move)?)
            .scale(level);
        greeks.push(book);
    }
    let value = sheet.value(builder, &parameters.assets, value)?;

    let mut requirement = builder.upper(&Linear::zero())?;
    let mut parts = Vec::new();
    let deltas = greeks.iter().map(|book| (book.row, &book.delta));
    parts.push(norm(builder, "delta", &parameters.price_correlations, deltas)?);
    let vegas = greeks.iter().map(|book| (book.row, &book.vega));
    parts.push(norm(builder, "vega", &parameters.volatility_correlations, vegas)?);
    for book in &greeks {
        let loss = builder.upper(&book.gamma)?;
        parts.push(Some(builder.positive_part(&format!("gamma of {}", book.name), loss)?));
    }
    for part in parts.into_iter().flatten() {
        requirement = requirement + part;
    }
    Ok(Forms { value, requirement })
}

fn figures(
    snapshot: &Snapshot,
    instrument: &crate::universe::Instrument,
) -> Result<Option<DollarGreeks>, CompileError> {
    Ok(dollar_greeks(snapshot, instrument)?.ok())
}

/// At least `√(Σ ρ_kl y_k y_l)` of forms that stand in the given rows of the correlations; nothing of no form.
fn norm<'f>(
    builder: &mut Builder,
    name: &str,
    correlations: &Correlations,
    forms: impl Iterator<Item = (usize, &'f Linear)>,
) -> Result<Option<Upper>, CompileError> {
    let forms: Vec<(usize, &Linear)> = forms.collect();
    let at = |index: usize| forms.get(index).map_or(0, |(row, _)| *row);
    let mut matrix = Matrix::new(forms.len());
    matrix.fill(|i, j| correlations.get(at(i), at(j)));
    // A principal minor of what was checked.
    let rows = matrix.factor().ok_or_else(|| CompileError::Missing {
        model: name.to_owned(),
        what: "correlations that are positive semi-definite".to_owned(),
    })?;
    let mut items = Vec::with_capacity(rows.len());
    for (index, row) in rows.iter().enumerate() {
        let mut sum = Linear::zero();
        for (place, (_, form)) in forms.iter().enumerate() {
            let coefficient = row.at(place);
            if coefficient != Decimal::ZERO {
                sum += (*form).clone().scale(ratio(coefficient)?);
            }
        }
        items.push(builder.absolute(&format!("{name}, factor {}", index + 1), &sum)?);
    }
    match items.len() {
        0 => Ok(None),
        1 => Ok(items.pop()),
        _ => Ok(Some(builder.norm(name, items)?)),
    }
}
