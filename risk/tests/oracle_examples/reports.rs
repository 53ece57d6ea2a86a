//! What the report adds to the evaluation.

use num_traits::Zero;
use zkmargin_risk::report::{Criterion, Failure, Report, Rounding, decimal};

use super::*;

#[test]
fn the_report_finds_the_index_at_which_each_level_fails() {
    let (universe, snapshot) = (linear_universe(), linear_snapshot());
    // Two perpetuals entered at the index and nothing else; a row of -25 %: R = 2 · 0.25 · I (1 + m), V = 20,000 + 2 · 50,000 m.
    let model = model(json!({
        "grids": {"g": [{"move": "-0.25", "volatility": "none"}]},
        "assets": {"USDC": {"haircut": "0"}},
        "underlyings": {"BTC": {"grid": "g", "profit": "usd", "volatility": calm()}},
    }));
    let book = |cash: &str| {
        let positions = json!([{"instrument": "PERP", "contracts": "2", "entry": "50000"}]);
        legs(&universe, positions, json!([{"asset": "USDC", "amount": cash}]))
    };
    let terms = Terms {
        ratio: Ratio20::new(40).unwrap(),
        ..Terms::at(Level::Maintenance)
    };
    let report = Report::new(&model, &universe, &snapshot, &terms, &book("30000")).unwrap();
    let found: Vec<_> = report
        .index_moves
        .iter()
        .map(|found| (found.criterion, found.down, found.up))
        .collect();
    // Initial: 30,000 + 100,000 m >= 25,000 (1 + m)  ⇔  m >= -0.0666…; maintenance (half): 30,000 + 100,000 m >= 12,500 (1 + m)  ⇔  m >= -0.2.
    let initial = (Criterion::Level(Level::Initial), Failure::At(-667), Failure::NotWithin);
    let maintenance = (
        Criterion::Level(Level::Maintenance),
        Failure::At(-2001),
        Failure::NotWithin,
    );
    // Twice the maintenance requirement is the initial one.
    assert_eq!(
        found,
        [
            initial,
            maintenance,
            (Criterion::Statement, Failure::At(-667), Failure::NotWithin)
        ]
    );
    assert_eq!(report.excess(Level::Initial), exact("5000"));
    assert!(report.is_met());

    let short = Report::new(
        &model,
        &universe,
        &snapshot,
        &Terms::at(Level::Initial),
        &book("24999.99"),
    )
    .unwrap();
    assert!(!short.is_met());
    assert_eq!(decimal(&short.statement_excess(), 2, Rounding::Down), "-0.01");
    assert_eq!(
        (short.index_moves[0].down, short.index_moves[0].up),
        (Failure::Now, Failure::Now)
    );
    assert_eq!(short.index_moves.len(), 2);
}

#[test]
fn greeks_are_summed_by_expiry() {
    let universe = linear_universe();
    let report = Report::new(
        &linear_model(),
        &universe,
        &linear_snapshot(),
        &Terms::at(Level::Initial),
        &linear_legs(&universe, "1"),
    )
    .unwrap();
    let deltas: Vec<_> = report
        .greeks
        .iter()
        .map(|line| (line.expiry.map(|expiry| expiry.to_string()), line.delta.clone()))
        .collect();
    assert_eq!(deltas, [(Some(EXPIRY.to_owned()), exact("-3")), (None, exact("2"))]);
    assert!(report.greeks.iter().all(|line| line.vega.is_zero()));
    assert_eq!(format!("{report:?}"), "Report { .. }");
}

#[test]
fn figures_are_written_with_the_stated_rounding() {
    let sixth = exact("1") / exact("6");
    for (x, places, rounding, text) in [
        (sixth.clone(), 3, Rounding::Down, "0.166"),
        (sixth.clone(), 3, Rounding::Up, "0.167"),
        (-sixth.clone(), 3, Rounding::Down, "-0.167"),
        (-sixth.clone(), 3, Rounding::Up, "-0.166"),
        (-sixth, 0, Rounding::Nearest, "0"),
        (exact("12345.5"), 0, Rounding::Nearest, "12346"),
        (exact("-7"), 2, Rounding::Nearest, "-7.00"),
    ] {
        assert_eq!(decimal(&x, places, rounding), text);
    }
}
