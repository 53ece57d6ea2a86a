#![allow(clippy::unwrap_used)]
use num_rational::BigRational;

use super::*;

fn document(sheet: &dyn Sheet) -> String {
    let (width, height) = sheet.size();
    Canvas::document(width + 2 * MARGIN, height + 2 * MARGIN, |canvas| {
        sheet.draw(canvas, MARGIN)
    })
    .unwrap()
}

/// Saves what a test drew, to be looked at, if `PICTURES` names a folder.
fn look_at(name: &str, svg: &str) {
    if let Some(folder) = std::env::var_os("PICTURES") {
        std::fs::write(std::path::Path::new(&folder).join(name), svg).unwrap();
    }
}

/// Losses that are neither sorted nor all positive.
fn losses(count: usize) -> Vec<(String, f64)> {
    let day = |index: usize| {
        let x = (index * 7919 % 1000) as f64 / 1000.0;
        (
            format!("2026-{:02}-{:02}", index % 12 + 1, index % 28 + 1),
            (x - 0.6) * (x - 0.3).abs() * 400_000.0,
        )
    };
    (0..count).map(day).collect()
}

#[test]
fn few_losses_have_a_bar_each_and_many_a_histogram() {
    let lines = || {
        vec![
            ("requirement, initial".to_owned(), 98_000.0),
            ("requirement, maintenance".to_owned(), 74_000.0),
        ]
    };
    let bars = document(&losses::Losses::new(
        losses(16),
        lines(),
        "Loss by scenario".to_owned(),
        "USD",
    ));
    look_at("bars.svg", &bars);
    assert!(
        bars.contains("2026-01-01") && bars.contains("requirement, initial 98.0k") && bars.contains("16 scenarios")
    );
    let histogram = document(&losses::Losses::new(
        losses(900),
        lines(),
        "Loss by scenario".to_owned(),
        "USD",
    ));
    look_at("histogram.svg", &histogram);
    assert!(histogram.contains("largest losses: "));
    assert!(histogram.matches("<rect").count() < 400, "bins, not scenarios");
}

#[test]
fn a_tornado_has_the_largest_factor_on_top_and_sums_up_the_small_ones() {
    let factors: Vec<(String, f64)> = (0..50)
        .map(|index| {
            let sign = if index % 7 == 3 { -1.0 } else { 1.0 };
            (format!("BTC vega {index} days"), sign * 60_000.0 / f64::from(index + 1))
        })
        .collect();
    let svg = document(&tornado::Tornado::new(
        factors,
        "Requirement by risk factor".to_owned(),
        "USD",
    ));
    look_at("tornado.svg", &svg);
    assert!(svg.contains("21 others together"));
    assert!(svg.find("vega 0 days").unwrap() < svg.find("vega 1 days").unwrap());
}

#[test]
fn rows_that_are_neither_up_nor_down_have_a_place_of_their_own() {
    let cell = |price_move: &str, volatility: &str, profit: i64| zkmargin_risk::oracle::Cell {
        underlying: "BTC".to_owned(),
        price_move: price_move.parse().unwrap(),
        volatility: volatility.to_owned(),
        profit: BigRational::from_integer(profit.into()),
    };
    let mut cells = Vec::new();
    for (at, price_move) in (-3_i64..).zip(["-0.15", "-0.1", "-0.05", "0", "0.05", "0.1", "0.15"]) {
        for (volatility, shift) in [("up", -900), ("none", 0), ("down", 800)] {
            cells.push(cell(price_move, volatility, at * 5_000 + shift));
        }
    }
    cells.push(cell("0", "stablecoin depeg", -4_000));
    cells.push(cell("-0.5", "extreme move", -20_500));
    cells.push(cell("0.5", "extreme move", 7_000));
    let book = evaluation(Picture::Grid(cells));
    let mut sheets = Vec::new();
    add(&mut sheets, &book, &grid::Grids::new(), None);
    let svg = document(sheets[0].as_ref());
    look_at("grid.svg", &svg);
    for words in [
        "stablecoin depeg",
        "extreme move",
        "rows of another kind",
        "worst of BTC, framed: -50 %, extreme move",
    ] {
        assert!(svg.contains(words), "{words}");
    }
    let framed = svg.matches("fill=\"none\"").count();
    assert_eq!(framed, 3, "one frame of three lines");
}

fn evaluation(picture: Picture) -> Evaluation {
    let zero = || BigRational::from_integer(0.into());
    Evaluation {
        numeraire: "USD".to_owned(),
        value: zero(),
        options: zero(),
        futures: zero(),
        collateral: Vec::new(),
        components: Vec::new(),
        picture,
        underlyings: std::collections::BTreeMap::new(),
        groups: Vec::new(),
        initial: zero(),
        maintenance: zero(),
        beside: Vec::new(),
        checks: Vec::new(),
    }
}
