#![allow(clippy::unwrap_used)]
use num_rational::BigRational;
use rust_decimal::Decimal;

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
        factors.clone(),
        tornado::Of::Requirement,
        None,
        "USD",
    ));
    look_at("tornado.svg", &svg);
    assert!(svg.contains("Requirement by risk factor") && svg.contains("21 others"));
    // The rest has no bar: its sum would set the scale.
    assert_eq!(svg.matches("#B2182B").count() + svg.matches("#2166AC").count(), 29);
    let weighted = document(&tornado::Tornado::new(
        factors,
        tornado::Of::WeightedSensitivities,
        None,
        "USD",
    ));
    look_at("weighted.svg", &weighted);
    assert!(weighted.contains("Weighted sensitivities") && weighted.contains("together, whatever their sign"));
    assert!(svg.find("vega 0 days").unwrap() < svg.find("vega 1 days").unwrap());
}

#[test]
fn rows_that_are_neither_up_nor_down_have_a_place_of_their_own() {
    let cell = |price_move: &str, volatility: &str, profit: i64| zkmargin_risk::oracle::Cell {
        underlying: "BTC".to_owned(),
        price_move: price_move.parse().unwrap(),
        volatility: volatility.to_owned(),
        weight: if volatility == "extreme move" {
            Decimal::new(5, 1)
        } else {
            Decimal::ONE
        },
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
    add(&mut sheets, &book, None);
    let svg = document(sheets[0].as_ref());
    look_at("grid.svg", &svg);
    for words in [
        "stablecoin depeg",
        "extreme move",
        "other rows, times their weight",
        "worst of BTC, framed: -50 %, extreme move",
    ] {
        assert!(svg.contains(words), "{words}");
    }
    let framed = svg.matches("fill=\"none\"").count();
    assert_eq!(framed, 3, "one frame of three lines");
}

/// Whether words of the picture would be drawn over each other: none of two texts of one line begins before the other has ended.
fn overlaps(svg: &str) -> Option<(String, String)> {
    let number = |tag: &str, name: &str| -> f64 {
        let from = tag.find(&format!(" {name}=\"")).unwrap() + name.len() + 3;
        tag[from..].split('"').next().unwrap().parse().unwrap()
    };
    let mut texts = Vec::new();
    for part in svg.split("<text ").skip(1) {
        let (tag, rest) = part.split_once('>').unwrap();
        let words = rest.split("</text>").next().unwrap().trim().to_owned();
        // What a letter takes at least in the font that pictures ask for.
        let width = words.chars().count() as f64 * number(&format!(" {tag}"), "font-size") * 0.5;
        let x = number(&format!(" {tag}"), "x");
        let left = if tag.contains("text-anchor=\"middle\"") {
            x - width / 2.0
        } else if tag.contains("text-anchor=\"end\"") {
            x - width
        } else {
            x
        };
        texts.push((number(&format!(" {tag}"), "y"), left, left + width, words));
    }
    for (index, one) in texts.iter().enumerate() {
        for other in &texts[index + 1..] {
            if (one.0 - other.0).abs() < 8.0 && one.1 < other.2 && other.1 < one.2 {
                return Some((one.3.clone(), other.3.clone()));
            }
        }
    }
    None
}

#[test]
fn tails_have_a_place_of_their_own_and_thirds_of_a_range_do_not_run_into_each_other() {
    let cell = |price_move: &str, volatility: &str, weight: &str| zkmargin_risk::oracle::Cell {
        underlying: "BTC".to_owned(),
        price_move: price_move.parse().unwrap(),
        volatility: volatility.to_owned(),
        weight: weight.parse().unwrap(),
        profit: BigRational::from_integer((-123_456).into()),
    };
    let mut cells = Vec::new();
    for price_move in ["-0.16", "-0.106667", "-0.053333", "0", "0.053333", "0.106667", "0.16"] {
        cells.extend(["up", "down"].map(|volatility| cell(price_move, volatility, "1")));
    }
    cells.extend([
        cell("-0.66", "up", "0.21"),
        cell("5", "up", "0.02772"),
        cell("0", "abs skew", "1"),
    ]);
    let mut sheets = Vec::new();
    add(&mut sheets, &evaluation(Picture::Grid(cells)), None);
    let svg = document(sheets[0].as_ref());
    look_at("thirds.svg", &svg);
    for words in ["tails, times their weight", "-10.67 %", "+5.33 %", "abs skew"] {
        assert!(svg.contains(words), "{words}");
    }
    assert_eq!(overlaps(&svg), None);
}

#[test]
fn the_names_of_two_levels_close_to_each_other_stay_legible() {
    let lines = vec![
        ("requirement, initial".to_owned(), 37_400.0),
        ("requirement, maintenance".to_owned(), 28_100.0),
    ];
    let svg = document(&losses::Losses::new(
        losses(500),
        lines,
        "Loss by scenario".to_owned(),
        "USD",
    ));
    look_at("two-lines.svg", &svg);
    assert_eq!(overlaps(&svg), None);
    // The dashes of both lines come first, then each name on white.
    let name = svg.find("requirement, initial").unwrap();
    let dash = svg.rfind("height=\"5\"").unwrap();
    assert!(dash < name, "a line is drawn over the name of another");
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
