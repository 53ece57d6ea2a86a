//! Prices of which the venue's oracle is not sure, and dollars off their peg.

use super::*;

const EXPIRY: &str = "2025-03-28T08:00:00Z";

/// A model of Derive's with USD as its money and, where it is said, a coin C that moves with X.
fn derive(name: &str, holds_coin: bool) -> Value {
    let plain = if name == "derive-standard" {
        json!({"haircut": "0"})
    } else {
        json!({})
    };
    let mut assets = json!({"USD": plain.clone()});
    if holds_coin {
        assets["C"] = plain;
        assets["C"]["underlying"] = json!("X");
    }
    let mut changes = vec![("assets", assets), ("numeraire", json!("USD"))];
    if name == "derive-standard" {
        changes.extend([("depeg", Value::Null), ("initial_scale", Value::Null)]);
    }
    of_x(name, &changes)
}

/// A million dollars of a perpetual, of a short option, or of a coin; `place` is whose confidence is said.
fn million(name: &str, held: &str, place: &str, confidence: &str) -> Value {
    let market = match held {
        "perpetual" => at_price(),
        _ => {
            json!({"index": PRICE, "rate": "0", "expiries": {EXPIRY: {"forward": PRICE, "strikes": {PRICE: {"volatility": "0.5", "call": {}}}}}})
        }
    };
    let line = match held {
        "perpetual" => perpetual(),
        "option" => linear(
            "P",
            json!({"option": {"expiry": EXPIRY, "strike": PRICE, "right": "call"}}),
            DOLLAR,
        ),
        _ => json!({"asset": {"name": "C", "lot": "0.01"}}),
    };
    let positions = match held {
        "perpetual" => json!([opened(1_000_000)]),
        "option" => json!([{"instrument": "P", "contracts": "-1000000"}]),
        _ => json!([]),
    };
    let mut file = case(derive(name, held == "coin"), market, vec![line], positions, "0");
    let snapshot = &mut file["snapshot"];
    if held == "coin" {
        snapshot["assets"]["C"] = json!("1");
        file["accounts"][0]["balances"] = json!([{"asset": "C", "amount": "1000000"}]);
    }
    *match place {
        "index" => &mut file["snapshot"]["underlyings"]["X"]["confidence"],
        "perpetual" => &mut file["snapshot"]["underlyings"]["X"]["perpetual"]["confidence"],
        "expiry" => &mut file["snapshot"]["underlyings"]["X"]["expiries"][EXPIRY]["confidence"],
        _ => &mut file["snapshot"]["confidences"]["C"],
    } = json!(confidence);
    file
}

/// Derive's documentation: below 0.55, what is missing of 1 is charged of the notional, at the initial level; not at 0.55.
#[test]
fn a_confidence_is_charged_below_its_threshold_and_not_at_it() {
    for name in ["derive-pm2", "derive-pmrm1", "derive-standard"] {
        let term = if name == "derive-standard" {
            "oracle contingency"
        } else {
            "confidence contingency"
        };
        for (held, place) in [
            ("perpetual", "index"),
            ("perpetual", "perpetual"),
            ("option", "index"),
            ("option", "expiry"),
            ("coin", "index"),
            ("coin", "coin"),
        ] {
            // Its bases have no confidence of their own.
            if name == "derive-pmrm1" && place == "coin" {
                continue;
            }
            for (confidence, charge) in [
                ("0.549999999999", "450000.000001"),
                ("0.55", "0"),
                ("0.550000000001", "0"),
            ] {
                let evaluation = evaluate(&million(name, held, place, confidence));
                assert_eq!(
                    of_term(&evaluation, term),
                    [exact(charge), exact("0")],
                    "{name}: {held}, {place} of {confidence}"
                );
            }
        }
    }
}

/// A million dollars of a perpetual in a row of -25 %, with USDC at this price.
fn at_peg(name: &str, price: &str) -> Value {
    let mut model = derive(name, false);
    if name == "derive-standard" {
        model["depeg"] = part(name, "/depeg");
    } else {
        model["grids"] = json!({"g": [{"move": "-0.25", "volatility": "none"}]});
        model["underlyings"]["X"]["grid"] = json!("g");
    }
    let file = case(model, at_price(), vec![perpetual()], json!([opened(1_000_000)]), "0");
    let mut file: Value = serde_json::from_str(&file.to_string().replace(r#""USD""#, r#""USDC""#)).unwrap();
    file["snapshot"]["assets"]["USDC"] = json!(price);
    file
}

/// Derive's documentation: 4 for each dollar that USDC is below 0.99 comes to the factor of the initial level, under the standard margin 2 to what the notional needs.
#[test]
fn a_dollar_below_its_peg_is_charged_and_one_at_it_is_not() {
    // The perpetual's 4 % and 3 %; 1.25 times worst row and 3 % together; 10 % and 6.5 %.
    for (name, initials, maintenance) in [
        ("derive-pm2", ["290001", "290000", "290000"], "230000"),
        ("derive-pmrm1", ["350001.12", "350000", "350000"], "280000"),
        ("derive-standard", ["100002", "100000", "100000"], "65000"),
    ] {
        for (price, initial) in ["0.989999", "0.99", "0.990001"].into_iter().zip(initials) {
            requires(&at_peg(name, price), &exact(initial), &exact(maintenance));
        }
    }
}
