//! Discounts and naked shorts of Derive's Portfolio Margin 2.

use super::*;

/// A year later, so that `T` is 1.
const EXPIRY: &str = "2026-02-05T00:00:00Z";

/// A call and a put, so many of each, in one row in which nothing moves and without a basis contingency. From strikes of 65,408 and 65,664 exercise pays 128 USD.
fn pair(rate: &str, calls: (&str, i32), puts: (&str, i32)) -> Value {
    let mut model = of_x(
        "derive-pm2",
        &[("assets", json!({"USD": {}})), ("numeraire", json!("USD"))],
    );
    model["grids"] = json!({"g": [{"move": "0", "volatility": "none"}]});
    model["underlyings"]["X"]["grid"] = json!("g");
    model["underlyings"]["X"]["basis"] = json!({"up": "0", "down": "0", "add": "0", "per_year": "0"});
    let (mut strikes, mut lines, mut positions) = (json!({}), Vec::new(), Vec::new());
    for (right, (strike, contracts)) in [("call", calls), ("put", puts)] {
        strikes[strike]["volatility"] = json!("0");
        strikes[strike][right] = json!({});
        lines.push(linear(
            right,
            json!({"option": {"expiry": EXPIRY, "strike": strike, "right": right}}),
            "1",
        ));
        positions.push(json!({"instrument": right, "contracts": contracts.to_string()}));
    }
    let market = json!({"index": PRICE, "rate": rate, "expiries": {EXPIRY: {"forward": PRICE, "strikes": strikes}}});
    case(model, market, lines, json!(positions), "0")
}

#[track_caller]
fn loses(file: &Value, want: f64) {
    let evaluation = evaluate(file);
    let [initial, maintenance] = of_term(&evaluation, "worst scenario").map(|part| part.to_f64().unwrap());
    assert!((initial - want).abs() < 1e-10, "{initial}, not {want}");
    assert!((maintenance - 0.8 * want).abs() < 1e-10, "{maintenance}, not {want}");
}

/// 0.98 exp(-0.1) of what an expiry is worth, 1.02 exp(0.1) of what it owes.
#[test]
fn an_expiry_worth_one_option_more_than_nothing_has_the_discount_of_assets_and_one_less_that_of_debts() {
    let mark = 128.0 * libm::exp(-0.2);
    for (puts, loss) in [
        (-99, mark * (1.0 - 0.98 * libm::exp(-0.1))),
        (-100, 0.0),
        (-101, mark * (1.02 * libm::exp(0.1) - 1.0)),
    ] {
        loses(&pair("0.2", ("65408", 100), ("65664", puts)), loss);
    }
}

/// Up to a rate of 0.1 + ln(1.02) the rate's own discount is the smaller one, and takes off no more than what was discounted.
#[test]
fn a_debt_is_discounted_by_no_more_than_its_rate() {
    for (rate, discount) in [
        ("0.119802627", libm::exp(0.119_802_627)),
        ("0.119802628", 1.02 * libm::exp(0.1)),
    ] {
        let mark = 128.0 * libm::exp(-rate.parse::<f64>().unwrap());
        loses(&pair(rate, ("65408", -1), ("65664", 0)), mark * (discount - 1.0));
    }
}

/// 0.3 % of the index for each contract that calls and puts of a strike together are short, and 0.2 % more at the initial level.
#[test]
fn a_short_is_naked_from_one_contract_more_than_what_is_long_at_its_strike_on() {
    for (puts, naked) in [(2, 1), (3, 0), (4, 0)] {
        let file = pair("0", ("65408", -3), ("65408", puts));
        let charge = whole(naked) * exact(PRICE);
        let found = of_term(&evaluate(&file), "option contingency");
        assert_eq!(
            found,
            [&charge * exact("0.005"), &charge * exact("0.003")],
            "{puts} puts"
        );
    }
}
