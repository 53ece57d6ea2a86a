//! What makes parameters a SIMM model.

use std::collections::BTreeSet;

use rust_decimal::Decimal;

use crate::model::ModelError;
use crate::model::assets::check_assets;
use crate::model::check::{self, MAX_FACTOR, value, within};
use crate::model::correlation::{Correlations, Matrix};
use crate::model::simm::parameters::{Bucketed, ByPair, CurrencyGroup, InterestRates, Parameters};

const MAX_LIST: usize = 64;
const MAX_WEIGHT: Decimal = Decimal::from_parts(1_000_000, 0, 0, false, 0);
/// 10^15 USD.
const MAX_AMOUNT: Decimal = Decimal::from_parts(0xa4c6_8000, 0x38d7e, 0, false, 0);

pub(super) fn check(parameters: &Parameters) -> Result<(), ModelError> {
    let names = [
        ("name", &parameters.name),
        ("calculation_currency", &parameters.calculation_currency),
    ];
    for (field, name) in names {
        check::label(field, name)?;
    }
    check::numeraire(&parameters.numeraire, &parameters.assets)?;
    within(
        "volatility_scale",
        parameters.volatility_scale,
        Decimal::ZERO,
        MAX_FACTOR,
        "0 to 100",
    )?;
    within(
        "curvature_days",
        parameters.curvature_days,
        Decimal::ZERO,
        MAX_WEIGHT,
        "0 to 1000000",
    )?;
    within(
        "curvature_tail",
        parameters.curvature_tail,
        Decimal::ONE,
        MAX_FACTOR,
        "1 to 100",
    )?;
    within("fixed", parameters.fixed, Decimal::ZERO, MAX_AMOUNT, "0 to 10^15")?;
    check_psi(&parameters.risk_class_correlations)?;
    distinct("product_classes", &parameters.product_classes)?;
    check_rates(&parameters.interest_rate)?;
    let base = &parameters.base_correlation;
    within(
        "base_correlation.weight",
        base.weight,
        Decimal::ZERO,
        MAX_WEIGHT,
        "0 to 1000000",
    )?;
    correlation("base_correlation.correlation", base.correlation)?;
    let classes = [
        ("credit_qualifying", &parameters.credit_qualifying),
        ("credit_non_qualifying", &parameters.credit_non_qualifying),
        ("equity", &parameters.equity),
        ("commodity", &parameters.commodity),
    ];
    for (field, bucketed) in classes {
        check_bucketed(field, bucketed)?;
    }
    check_fx(parameters)?;
    for (product, multiplier) in &parameters.multipliers {
        let field = format!("multipliers.{product}");
        if !parameters.product_classes.contains(product) {
            return Err(ModelError::Unknown {
                field: "multipliers".to_owned(),
                name: product.clone(),
                among: "product classes",
            });
        }
        within(&field, *multiplier, Decimal::ONE, MAX_FACTOR, "1 to 100")?;
    }
    for (product, factor) in &parameters.notional_factors {
        within(
            format!("notional_factors.{product}"),
            *factor,
            Decimal::ZERO,
            MAX_FACTOR,
            "0 to 100",
        )?;
    }
    for (name, asset) in &parameters.assets {
        if let Some(underlying) = &asset.underlying {
            let bound = "nothing: no price moves in this model";
            return Err(value(format!("assets.{name}.underlying"), underlying, bound));
        }
    }
    check_assets(&parameters.assets, |_| false)
}

/// Margins are never negative, and neither may `ψ` be: a program relies on a product's margin growing with each.
fn check_psi(psi: &Correlations) -> Result<(), ModelError> {
    psi.check("risk_class_correlations", 6)?;
    for (index, row) in psi.0.iter().enumerate() {
        for (column, figure) in row.iter().enumerate() {
            let field = format!("risk_class_correlations[{index}][{column}]");
            within(&field, figure.0, Decimal::ZERO, Decimal::ONE, "0 to 1")?;
        }
    }
    Ok(())
}

fn check_rates(rates: &InterestRates) -> Result<(), ModelError> {
    const FIELD: &str = "interest_rate";
    distinct("interest_rate.tenors", &rates.tenors)?;
    if let Some(tenor) = rates.tenors.iter().find(|tenor| super::tables::days(tenor).is_none()) {
        return Err(value(format!("{FIELD}.tenors"), tenor, "a tenor such as 2w, 3m, 10y"));
    }
    rates
        .tenor_correlations
        .check("interest_rate.tenor_correlations", rates.tenors.len())?;
    let mut listed = BTreeSet::new();
    for group in rates.groups.iter().chain([&rates.others]) {
        check_group(rates, group)?;
        for currency in &group.currencies {
            if !listed.insert(currency.as_str()) {
                return Err(ModelError::Duplicate {
                    field: format!("{FIELD}.groups"),
                    name: currency.clone(),
                });
            }
        }
    }
    let weights = [
        ("inflation_weight", rates.inflation_weight),
        ("basis_weight", rates.basis_weight),
        ("vega_weight", rates.vega_weight),
    ];
    for (field, weight) in weights {
        within(
            format!("{FIELD}.{field}"),
            weight,
            Decimal::ZERO,
            MAX_WEIGHT,
            "0 to 1000000",
        )?;
    }
    let correlations = [
        ("curve_correlation", rates.curve_correlation),
        ("inflation_correlation", rates.inflation_correlation),
        ("basis_correlation", rates.basis_correlation),
        ("currency_correlation", rates.currency_correlation),
    ];
    for (field, figure) in correlations {
        correlation(&format!("{FIELD}.{field}"), figure)?;
    }
    ratio(
        "interest_rate.historical_volatility_ratio",
        rates.historical_volatility_ratio,
    )?;
    // Two curves at every tenor, inflation and a basis: what a currency can have, up to more curves.
    let tenors = rates.tenors.len();
    let mut matrix = Matrix::new(2 * tenors + 2);
    matrix.fill(|i, j| match (i, j) {
        _ if i == j => Decimal::ONE,
        _ if i == 2 * tenors + 1 => rates.basis_correlation,
        _ if i == 2 * tenors => rates.inflation_correlation,
        _ if i / tenors == j / tenors => rates.tenor_correlations.get(i % tenors, j % tenors),
        _ => rates.tenor_correlations.get(i % tenors, j % tenors) * rates.curve_correlation,
    });
    definite(FIELD, &matrix)
}

fn check_group(rates: &InterestRates, group: &CurrencyGroup) -> Result<(), ModelError> {
    let field = format!("interest_rate, {}", group.name);
    if group.weights.len() != rates.tenors.len() {
        return Err(ModelError::Count {
            field,
            count: group.weights.len(),
            what: "weights",
            bound: format!("{}, one for each tenor", rates.tenors.len()),
        });
    }
    for weight in &group.weights {
        within(&field, weight.0, Decimal::ZERO, MAX_WEIGHT, "0 to 1000000")?;
    }
    thresholds(&field, [group.threshold, group.vega_threshold])
}

fn check_bucketed(field: &str, class: &Bucketed) -> Result<(), ModelError> {
    let names: Vec<String> = class.buckets.iter().map(|bucket| bucket.name.clone()).collect();
    distinct(&format!("{field}.buckets"), &names)?;
    let mut regular = names.len();
    if let Some(residual) = &class.residual {
        regular -= 1;
        if names.last() != Some(residual) {
            return Err(ModelError::Unknown {
                field: format!("{field}.residual"),
                name: residual.clone(),
                among: "buckets, as the last,",
            });
        }
    }
    if class.same_by.is_some() != class.same_correlation.is_some() {
        return Err(value(
            format!("{field}.same_by"),
            "one of the two",
            "same_by and same_correlation together",
        ));
    }
    if let Some(same) = class.same_correlation {
        correlation(&format!("{field}.same_correlation"), same)?;
    }
    if let Some(figure) = class.historical_volatility_ratio {
        ratio(&format!("{field}.historical_volatility_ratio"), figure)?;
    }
    class
        .bucket_correlations
        .check(&format!("{field}.bucket_correlations"), regular)?;
    for bucket in &class.buckets {
        let place = format!("{field}.buckets.{}", bucket.name);
        within(
            format!("{place}.weight"),
            bucket.weight,
            Decimal::ZERO,
            MAX_WEIGHT,
            "0 to 1000000",
        )?;
        let weight = bucket.vega_weight;
        within(
            format!("{place}.vega_weight"),
            weight,
            Decimal::ZERO,
            MAX_WEIGHT,
            "0 to 1000000",
        )?;
        correlation(&format!("{place}.correlation"), bucket.correlation)?;
        if class.same_correlation.is_some_and(|same| same < bucket.correlation)
            && class.residual.as_ref() != Some(&bucket.name)
        {
            let bound = "at most same_correlation: else there are portfolios of negative variance";
            return Err(value(
                format!("{place}.correlation"),
                bucket.correlation.to_string(),
                bound,
            ));
        }
        thresholds(&place, [bucket.threshold, bucket.vega_threshold])?;
    }
    Ok(())
}

fn check_fx(parameters: &Parameters) -> Result<(), ModelError> {
    let fx = &parameters.fx;
    if !fx.high_volatility.is_empty() {
        distinct("fx.high_volatility", &fx.high_volatility)?;
    }
    for (name, figure) in entries(&fx.weights) {
        within(
            format!("fx.weights.{name}"),
            figure,
            Decimal::ZERO,
            MAX_WEIGHT,
            "0 to 1000000",
        )?;
    }
    for (group, figures) in [("regular", &fx.correlations.regular), ("high", &fx.correlations.high)] {
        let field = format!("fx.correlations.{group}");
        for (name, figure) in entries(figures) {
            correlation(&format!("{field}.{name}"), figure)?;
        }
        // However many currencies there are, the limit of many is decided by the three figures; two of each and a few more test it.
        let half = 16;
        let mut matrix = Matrix::new(2 * half);
        matrix.fill(|i, j| match (i == j, i < half, j < half) {
            (true, ..) => Decimal::ONE,
            (_, true, true) => figures.regular_regular,
            (_, false, false) => figures.high_high,
            _ => figures.regular_high,
        });
        definite(&field, &matrix)?;
    }
    let categories = fx.categories.len() + 1;
    let rows: Vec<usize> = fx.vega_thresholds.iter().map(Vec::len).collect();
    let is_triangle = rows.iter().enumerate().all(|(index, length)| *length == index + 1);
    let is_whole = |length: usize| length == 0 || length == categories;
    if !is_whole(fx.thresholds.len()) || !is_whole(rows.len()) || !is_triangle {
        return Err(ModelError::Count {
            field: "fx.thresholds".to_owned(),
            count: fx.thresholds.len(),
            what: "categories",
            bound: format!("{categories}, one more than are listed, and a triangle of them for vega, or none"),
        });
    }
    let vega = fx.vega_thresholds.iter().flatten();
    for figure in fx.thresholds.iter().chain(vega) {
        thresholds("fx.thresholds", [Some(figure.0), None])?;
    }
    within(
        "fx.vega_weight",
        fx.vega_weight,
        Decimal::ZERO,
        MAX_WEIGHT,
        "0 to 1000000",
    )?;
    correlation("fx.vega_correlation", fx.vega_correlation)?;
    ratio("fx.historical_volatility_ratio", fx.historical_volatility_ratio)
}

const fn entries(figures: &ByPair) -> [(&'static str, Decimal); 3] {
    [
        ("regular_regular", figures.regular_regular),
        ("regular_high", figures.regular_high),
        ("high_high", figures.high_high),
    ]
}

fn definite(field: &str, matrix: &Matrix) -> Result<(), ModelError> {
    match matrix.factor() {
        Some(_) => Ok(()),
        None => Err(ModelError::NotSemiDefinite {
            field: field.to_owned(),
        }),
    }
}

fn distinct(field: &str, names: &[String]) -> Result<(), ModelError> {
    if names.is_empty() || names.len() > MAX_LIST {
        return Err(ModelError::Count {
            field: field.to_owned(),
            count: names.len(),
            what: "names",
            bound: "1 to 64".to_owned(),
        });
    }
    let mut seen = BTreeSet::new();
    for name in names {
        if !seen.insert(name) {
            return Err(ModelError::Duplicate {
                field: field.to_owned(),
                name: name.clone(),
            });
        }
    }
    Ok(())
}

fn thresholds(field: &str, figures: [Option<Decimal>; 2]) -> Result<(), ModelError> {
    for figure in figures.into_iter().flatten() {
        let field = format!("{field}.threshold");
        within(&field, figure, Decimal::ONE, MAX_AMOUNT, "1 to 10^15 USD")?;
    }
    Ok(())
}

/// A correlation of factors that are all alike: not negative, or many of them would have a negative variance.
fn correlation(field: &str, figure: Decimal) -> Result<(), ModelError> {
    let bound = "0 to 1 with 6 decimals at most";
    within(field, figure, Decimal::ZERO, Decimal::ONE, bound)?;
    if figure.normalize().scale() > 6 {
        return Err(value(field.to_owned(), figure, bound));
    }
    Ok(())
}

fn ratio(field: &str, figure: Decimal) -> Result<(), ModelError> {
    within(field, figure, Decimal::new(1, 2), MAX_FACTOR, "0.01 to 100")
}
