//! Figures of the contracts' own tests of PM2 (`PMRM_2` of derivexyz/v2-core, portfolio cases by their number), to 1e-8 as those tests have it;
//! and what of such a case no snapshot and no model of a statement may have.

use zkmargin_risk::case::{Case, LevelOutcome};
use zkmargin_risk::market::Snapshot;
use zkmargin_risk::model::Model;

use super::*;

/// A collateral: name, amount, price, maintenance haircut, what initial adds, confidence, whether it moves with the index.
type Held<'a> = (&'a str, &'a str, &'a str, &'a str, &'a str, &'a str, bool);
/// Seconds to go, strike, right, volatility, contracts.
type Option<'a> = (u32, &'a str, &'a str, &'a str, &'a str);

/// The parameters of those tests, with 31 rows of which the last two are of the skew and count times `skew`.
fn parameters(skew: &str) -> Value {
    let row = |x: &str, volatility: &str, weight: &str| json!({"move": x, "volatility": volatility, "weight": weight});
    let mut rows: Vec<Value> = ["0.135", "0.09", "0.045", "0", "-0.045", "-0.09", "-0.135"]
        .iter()
        .flat_map(|x| ["down", "none", "up"].map(|volatility| row(x, volatility, "1")))
        .collect();
    rows.extend(["0.18", "-0.18"].map(|x| row(x, "up", "1")));
    let tails = [
        ("-0.66", "0.054545454545454536"),
        ("-0.33", "0.10909090909090907"),
        ("0.5", "0.072"),
        ("1", "0.036"),
        ("2", "0.018"),
        ("3", "0.011999999999999999"),
    ];
    rows.extend(tails.map(|(x, weight)| row(x, "up", weight)));
    rows.extend(["linear", "abs"].map(|volatility| row("0", volatility, skew)));
    json!({
        "model": "derive-pm2", "name": "v2-core", "description": "", "numeraire": "USDC", "assets": {"USDC": {}}, "grids": {"g": rows},
        "underlyings": {"X": {
            "grid": "g", "initial_factor": "1", "maintenance_factor": "0.8",
            "peg": {"threshold": "0.98", "factor": "2"},
            "volatility": {"up": "0.5", "down": "0.275", "short_power": "0.3", "long_power": "0.13", "tenor_floor_days": "1", "up_floor": "0.45"},
            "skew": {"linear": {"base": "0.15", "slope": "-0.05"}, "abs": {"base": "0.15", "slope": "-0.05"}, "least_width": "0.01",
                "width": "4", "volatility": "0.6", "volatility_slope": "-0.1"},
            "positive_discount": {"base": "0.95", "rate_factor": "1", "rate_add": "0.08"},
            "negative_discount": {"base": "1.04", "rate_factor": "0.5", "rate_add": "0.08"},
            "basis": {"up": "0.045", "down": "-0.045", "add": "0.5", "per_year": "2"},
            "forward_charge": {"maintenance": "0.015", "initial_adds": "0.005"},
            "naked_short_charge": {"maintenance": "0.003", "initial_adds": "0.002"},
            "confidence": {"threshold": "0.55", "factor": "1"}
        }}
    })
}

/// At 12:00 on 20 February 2025, and so many seconds later.
fn instant(seconds: u32) -> String {
    let (day, rest) = (seconds + 43_200, (seconds + 43_200) % 86_400);
    let date = [
        (20, 28, 2),
        (1, 31, 3),
        (1, 30, 4),
        (1, 31, 5),
        (1, 30, 6),
        (1, 31, 7),
        (1, 31, 8),
        (1, 30, 9),
    ];
    let mut days = day / 86_400;
    let (month, of_month) = date
        .iter()
        .find_map(|(first, last, month)| {
            let length = last - first + 1;
            if days < length {
                return Some((month, first + days));
            }
            days -= length;
            None
        })
        .unwrap();
    format!(
        "2025-{month:02}-{of_month:02}T{:02}:{:02}:{:02}Z",
        rest / 3600,
        rest / 60 % 60,
        rest % 60
    )
}

/// Index and its confidence, price of USDC, cash; forward, rate and confidence of each expiry.
struct Market<'a> {
    index: &'a str,
    confidence: &'a str,
    stable: &'a str,
    cash: &'a str,
    expiries: &'a [(u32, &'a str, &'a str, &'a str)],
}

fn file(mut model: Value, market: &Market<'_>, held: &[Held<'_>], options: &[Option<'_>]) -> Value {
    let mut lines = vec![json!({"asset": {"name": "USDC", "lot": "0.0001", "carry": true, "reserve": true}})];
    let mut balances = vec![json!({"asset": "USDC", "amount": market.cash})];
    let (mut assets, mut confidences) = (json!({"USDC": market.stable}), json!({}));
    for (name, amount, price, maintenance, initial_adds, confidence, moves) in held {
        model["assets"][name] = json!({"haircut": {"maintenance": maintenance, "initial_adds": initial_adds}});
        if *moves {
            model["assets"][name]["underlying"] = json!("X");
        }
        assets[name] = json!(price);
        confidences[name] = json!(confidence);
        lines.push(json!({"asset": {"name": name, "lot": "0.01"}}));
        balances.push(json!({"asset": name, "amount": amount}));
    }
    let mut expiries = json!({});
    for (seconds, forward, rate, confidence) in market.expiries {
        expiries[instant(*seconds)] =
            json!({"forward": forward, "rate": rate, "confidence": confidence, "strikes": {}});
    }
    let mut positions = Vec::new();
    for (seconds, strike, right, volatility, contracts) in options {
        let (name, expiry) = (format!("{seconds}-{strike}-{right}"), instant(*seconds));
        expiries[&expiry]["strikes"][strike]["volatility"] = json!(volatility);
        expiries[&expiry]["strikes"][strike][right] = json!({});
        let kind = json!({"option": {"expiry": expiry, "strike": strike, "right": right}});
        lines.push(json!({"instrument": {"name": name, "underlying": "X", "kind": kind, "style": "linear", "settlement": "USDC", "contract": "1", "lot": "0.1"}}));
        positions.push(json!({"instrument": name, "contracts": contracts}));
    }
    let nothing: [&str; 0] = [];
    json!({
        "model": model,
        "snapshot": {
            "instant": instant(0),
            "provenance": {"source": "v2-core", "licence": "-", "importer": "-", "recorded": nothing, "derived": nothing, "assumed": nothing, "warnings": 0},
            "assets": assets, "confidences": confidences,
            "underlyings": {"X": {"index": market.index, "confidence": market.confidence, "rate": "0", "expiries": expiries}}
        },
        "venues": [{"name": "V", "lines": lines}],
        "accounts": [{"venue": "V", "positions": positions, "balances": balances}]
    })
}

/// Of both levels, the excess of the rule, that of the program, and what the program states that it rounds away.
fn figures(file: &Value) -> [[f64; 3]; 2] {
    let outcome = Case::from_json(&file.to_string()).unwrap().run().unwrap();
    let of = |level: &LevelOutcome| {
        let program = level.program_excess.as_deref().unwrap();
        [level.excess.as_str(), program, &level.rounding_bound].map(|text| text.parse().unwrap())
    };
    [of(&outcome.initial), of(&outcome.maintenance)]
}

/// The rule has the figure to 1e-8 of it, and the program is not above the rule and below it by at most its bound.
fn has(file: &Value, initial: f64, maintenance: f64) {
    for ([excess, program, bound], expected) in figures(file).into_iter().zip([initial, maintenance]) {
        let allowed = 1e-8 * expected.abs();
        assert!((excess - expected).abs() <= allowed, "{excess} instead of {expected}");
        // Printed to 1e-12, and read as floats.
        let rounding = 1e-11 * expected.abs();
        assert!(
            program <= excess + rounding && program >= excess - bound - rounding,
            "{program} of {excess}, {bound}"
        );
    }
}

/// Case 41: 15 calls short, far above the forward, under a cap of 9.5 on the linear skew, whose row counts twice and is the worst.
fn case_41() -> Value {
    let mut model = parameters("1");
    let rules = &mut model["underlyings"]["X"];
    rules["skew"]["linear"]["base"] = json!("9.5");
    rules["skew"]["width"] = json!("5");
    rules["skew"]["volatility"] = json!("4.5");
    rules["skew"]["volatility_slope"] = json!("4.9");
    let rows = model["grids"]["g"].as_array_mut().unwrap();
    rows.iter_mut().find(|row| row["volatility"] == "linear").unwrap()["weight"] = json!("2");
    let market = Market {
        index: "2681.6029850999994",
        confidence: "1",
        stable: "1.00019088635",
        cash: "0",
        expiries: &[(3_214_052, "2695.7814942763334", "0.21000000000000002", "0.95")],
    };
    file(
        model,
        &market,
        &[],
        &[(3_214_052, "5500", "call", "0.8843198050170489", "-15")],
    )
}

#[test]
fn a_call_whose_worst_row_is_of_the_skew() {
    has(&case_41(), -1_809.943_568_210_621_6, -1_413.586_843_946_369_3);
}

/// Case 49: a call spread where the oracle is not sure of the index: the initial level charges both legs.
fn case_49() -> Value {
    let market = Market {
        index: "3000",
        confidence: "0.2",
        stable: "1.00019088635",
        cash: "0",
        expiries: &[(3_214_052, "3014.178509176334", "0.21000000000000002", "0.95")],
    };
    let spread = [
        (3_214_052, "1700", "call", "0.981510069021587", "1"),
        (3_214_052, "1800", "call", "0.938667615013681", "-1"),
    ];
    file(parameters("1"), &market, &[], &spread)
}

#[test]
fn a_call_spread_at_an_index_of_low_confidence() {
    has(&case_49(), -4_740.496_330_315_975, 69.652_880_977_893_52);
}

/// Case 45: three expiries, three collaterals, and a volatility of 2511, of which the rule makes a total of 24.
fn case_45() -> Value {
    let mut model = parameters("0");
    let skew = &mut model["underlyings"]["X"]["skew"];
    skew["abs"]["base"] = json!("3");
    skew["width"] = json!("3");
    skew["volatility"] = json!("3.5");
    skew["volatility_slope"] = json!("-1");
    let market = Market {
        index: "100000",
        confidence: "0.9",
        stable: "1.00019088635",
        cash: "-145000",
        expiries: &[
            (794_852, "95776.67392", "0.15000000000000002", "0.4"),
            (5_633_252, "101143.47771765916", "0.22999999999999998", "0.95"),
            (18_938_852, "104711.10395262072", "0.29", "0.95"),
        ],
    };
    let held = [
        (
            "USDT",
            "2000",
            "0.99984231175",
            "0.02",
            "0.030000000000000002",
            "1",
            false,
        ),
        ("LBTC", "1", "95569.65243595604", "0.03", "0.015", "1", true),
        (
            "WEETH",
            "2",
            "2840.575164415104",
            "0.25",
            "0.09999999999999998",
            "1",
            false,
        ),
    ];
    let options = [
        (794_852, "100000", "call", "2511.421980938193", "21"),
        (18_938_852, "120000", "put", "0.562668604588294", "-14"),
        (5_633_252, "90000", "put", "0.5228849390869813", "32"),
        (18_938_852, "30000", "call", "0.7835776521595235", "22"),
    ];
    file(model, &market, &held, &options)
}

#[test]
fn a_volatility_that_no_market_has_is_worked_out_in_a_case_and_refused_in_a_snapshot() {
    let case = case_45();
    has(&case, 1_042_273.746_146_857_7, 2_472_117.778_921_405);
    let refused = Snapshot::from_json(&case["snapshot"].to_string())
        .unwrap_err()
        .to_string();
    let expected =
        "strike 100000: volatility is 2511.421980938193, expected above 0 and at most 10 (a fraction a year)";
    assert!(refused.ends_with(expected), "{refused}");
}

#[test]
fn a_case_has_bounds_too() {
    for (pointer, value, expected) in [
        ("/confidence", "1.1", "confidence is 1.1, expected 0 to 1"),
        ("/rate", "100.1", "rate is 100.1, expected -100 to 100"),
        ("/index", "0", "index is 0, expected above 0 and at most 1000000000 USD"),
        (
            "/expiries/2025-03-29T16:47:32Z/rate",
            "-101",
            "rate is -101, expected -100 to 100",
        ),
        (
            "/expiries/2025-03-29T16:47:32Z/strikes/5500/volatility",
            "1000000.1",
            "volatility is 1000000.1, expected at least 0 and at most 1000000 (a fraction a year)",
        ),
        (
            "/expiries/2025-03-29T16:47:32Z/strikes/5500/volatility",
            "-0.1",
            "volatility is -0.1, expected at least 0 and at most 1000000 (a fraction a year)",
        ),
    ] {
        let mut file = case_41();
        *file["snapshot"]["underlyings"]["X"].pointer_mut(pointer).unwrap() = json!(value);
        let refused = Case::from_json(&file.to_string()).unwrap_err().to_string();
        assert!(refused.contains(expected), "{pointer}: {refused}");
    }
}

#[test]
fn without_volatility_an_option_is_worth_what_exercise_pays() {
    let mut file = case_41();
    let market = &mut file["snapshot"]["underlyings"]["X"]["expiries"]["2025-03-29T16:47:32Z"];
    market["strikes"]["5500"]["volatility"] = json!("0");
    market["rate"] = json!("0");
    let [initial, maintenance] = figures(&file);
    // Nothing in any row but the one that moves the index to four times itself, where volatility is at least 0.45.
    assert!(initial[0] < 0.0 && maintenance[0] < 0.0);
    let outcome = Case::from_json(&file.to_string()).unwrap().run().unwrap();
    assert_eq!(outcome.value, "0.000000000000");
}

#[test]
fn levels_in_any_order_are_worked_out_in_a_case_and_refused_in_a_statement() {
    let mut file = case_41();
    file["model"]["underlyings"]["X"]["maintenance_factor"] = json!("10");
    let [_, [ten, ..]] = figures(&file);
    let [_, [part, ..]] = figures(&case_41());
    // What is not of the worst row: 15 marks, and 0.3 % of the notional.
    let rest = -29.280_170_771_859_32 - 0.003 * 15.0 * 2_681.602_985_099_999_4;
    let worst = (rest - part) / 0.8;
    assert!((ten - (rest - 10.0 * worst)).abs() < 1e-6, "{ten}");
    let refused = Model::from_json(&file["model"].to_string()).unwrap_err().to_string();
    assert_eq!(
        refused,
        "model: underlyings.X.maintenance_factor is 10, expected 0 to initial_factor"
    );
}

#[test]
fn haircuts_above_one_are_worked_out_in_a_case_and_refused_in_a_statement() {
    let market = Market {
        index: "100",
        confidence: "1",
        stable: "1",
        cash: "1000",
        expiries: &[],
    };
    let file = file(
        parameters("1"),
        &market,
        &[("ODD", "3", "10", "1", "0.5", "1", false)],
        &[],
    );
    has(&file, 985.0, 1000.0);
    let refused = Model::from_json(&file["model"].to_string()).unwrap_err().to_string();
    assert_eq!(
        refused,
        "model: assets.ODD.haircut is 1.5, expected 0 to 1, at both levels together"
    );
}

#[test]
fn an_index_may_move_to_nothing() {
    let mut model = parameters("1");
    model["grids"]["g"] = json!([{"move": "-1", "volatility": "none"}]);
    let rules = &mut model["underlyings"]["X"];
    for discount in ["positive_discount", "negative_discount"] {
        rules[discount] = json!({"base": "1", "rate_factor": "0", "rate_add": "0"});
    }
    rules["naked_short_charge"] = json!({"maintenance": "0", "initial_adds": "0"});
    rules["basis"] = json!({"up": "0", "down": "-1", "add": "0", "per_year": "0"});
    rules["maintenance_factor"] = json!("1");
    let market = Market {
        index: "100",
        confidence: "1",
        stable: "1",
        cash: "1000",
        expiries: &[(794_852, "100", "0", "1")],
    };
    // A put is then worth its strike, of which the mark is paid already; a call nothing.
    let options = [
        (794_852, "120", "put", "0.5", "-2"),
        (794_852, "90", "call", "0.5", "3"),
    ];
    let mut file = file(model, &market, &[], &options);
    has(&file, 1000.0 - 2.0 * 120.0, 1000.0 - 2.0 * 120.0);
    // An inverse option pays the same USD, at the forward's part of the index.
    file["venues"][0]["lines"][1]["instrument"]["style"] = json!("inverse");
    file["venues"][0]["lines"][1]["instrument"]["settlement"] = json!("X");
    file["venues"][0]["lines"]
        .as_array_mut()
        .unwrap()
        .push(json!({"asset": {"name": "X", "lot": "0.01", "carry": true, "reserve": true}}));
    file["model"]["assets"]["X"] = json!({"underlying": "X"});
    has(&file, 1000.0 - 2.0 * 120.0, 1000.0 - 2.0 * 120.0);
}

#[test]
fn a_skew_may_reach_its_cap_at_the_forward() {
    let mut file = case_41();
    let skew = &mut file["model"]["underlyings"]["X"]["skew"];
    skew["least_width"] = json!("0");
    skew["width"] = json!("0");
    let at_once = figures(&file);
    file["model"]["underlyings"]["X"]["skew"]["least_width"] = json!("0.0000001");
    assert_eq!(at_once, figures(&file));
}

/// Products of three figures of sixteen digits are beyond what one ratio holds.
#[test]
fn figures_of_sixteen_digits_have_a_program() {
    let mut file = case_49();
    file["snapshot"]["assets"]["USDC"] = json!("0.9431234567890123");
    file["snapshot"]["underlyings"]["X"]["confidence"] = json!("0.2345678901234567");
    let rules = &mut file["model"]["underlyings"]["X"];
    for (pointer, value) in [
        ("/initial_factor", "1.0345678901234567"),
        ("/peg/threshold", "0.9812345678901234"),
        ("/peg/factor", "2.0123456789012345"),
        ("/confidence/factor", "1.0456789012345678"),
        ("/naked_short_charge/maintenance", "0.0031234567890123"),
    ] {
        *rules.pointer_mut(pointer).unwrap() = json!(value);
    }
    for [excess, program, bound] in figures(&file) {
        assert!(
            program <= excess + 1e-9 && program >= excess - bound - 1e-9,
            "{program} of {excess}, {bound}"
        );
    }
}
