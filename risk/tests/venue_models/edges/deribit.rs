//! Delta shock, dampener and offset of Deribit's portfolio margin.

use super::*;

/// Deribit's rules of BTC for X, alone in its group, with these parts changed.
fn model(changes: &[(&str, Value)]) -> Value {
    let mut model = of_x("deribit-pm", &[("groups", Value::Null)]);
    for (field, to) in changes {
        model["underlyings"]["X"][field] = to.clone();
    }
    model
}

/// A delta of `usd` in perpetuals, with profit in USD so that they may be linear.
fn of_delta(changes: &[(&str, Value)], usd: i64) -> Value {
    let mut model = model(&[("profit", json!("usd")), ("roll", Value::Null)]);
    for (field, to) in changes {
        model["underlyings"]["X"][field] = to.clone();
    }
    case(model, at_price(), vec![perpetual()], json!([opened(usd)]), "0")
}

/// Deribit's API documentation: a threshold of 20 million USD, 0.00005 for each USD beyond, here of a price of 65,536, and a most of 10 %, which
/// is reached 131,072,000 beyond.
#[test]
fn a_delta_is_shocked_from_one_dollar_above_the_threshold_on_and_by_no_more_than_its_most() {
    let increment = exact("0.00005") / exact(PRICE);
    for (usd, shock) in [
        (19_999_999, whole(0)),
        (20_000_000, whole(0)),
        (20_000_001, &increment * whole(20_000_001)),
        (151_071_999, &increment * whole(131_071_999) * whole(151_071_999)),
        (151_072_000, exact("15107200")),
        (151_072_001, exact("15107200.1")),
    ] {
        for side in [usd, -usd] {
            let (evaluation, gaps) = with_gaps(&of_delta(&[("dampener", Value::Null)], side));
            assert_eq!(evaluation.underlyings["X"].delta_shock, shock, "{side}");
            // Where it is charged, the program charges by chords.
            for (gap, bound) in gaps {
                assert!(gap <= bound || usd > 20_000_000, "{side}: {gap}");
            }
        }
    }
}

/// A delta reduced by options that are held long is not turned round: of 21 million in futures 999,999, a million and 1,000,001 are taken off.
#[test]
fn options_held_long_reduce_a_delta_to_the_threshold_and_no_charge_is_left() {
    let expiry = "2025-03-28T08:00:00Z";
    let kind = json!({"option": {"expiry": expiry, "strike": "131072", "right": "put"}});
    let increment = exact("0.00005") / exact(PRICE);
    for (puts, shock) in [
        (999_999, &increment * whole(20_000_001)),
        (1_000_000, whole(0)),
        (1_000_001, whole(0)),
    ] {
        let mut file = of_delta(&[("dampener", Value::Null)], 21_000_000);
        // Deep in the money without volatility: a delta of -1.
        file["snapshot"]["underlyings"]["X"]["expiries"] =
            json!({expiry: {"forward": PRICE, "strikes": {"131072": {"volatility": "0", "put": {}}}}});
        file["venues"][0]["lines"]
            .as_array_mut()
            .unwrap()
            .push(linear("PUT", kind.clone(), DOLLAR));
        let positions = file["accounts"][0]["positions"].as_array_mut().unwrap();
        positions.push(json!({"instrument": "PUT", "contracts": puts.to_string()}));
        let (evaluation, _) = with_gaps(&file);
        assert_eq!(evaluation.underlyings["X"].delta_shock, shock, "{puts}");
    }
}

/// A row at the edge of the range is not damped, one 2^-10 further by (1/128) · 100,000 / (1 ± 1/8).
#[test]
fn a_row_is_damped_beyond_its_range_and_not_at_it() {
    let moves = ["0.1240234375", "0.125", "0.1259765625"];
    for (sign, side) in [("-", 1_000_000), ("", -1_000_000)] {
        let rows: Vec<Value> = moves
            .iter()
            .map(|x| json!({"move": format!("{sign}{x}"), "volatility": "none"}))
            .collect();
        let dampener = json!({"range": "0.125", "amount": "100000"});
        let mut file = of_delta(&[("dampener", dampener), ("grid", json!("g"))], side);
        file["model"]["grids"] = json!({"g": rows});
        let evaluation = evaluate(&file);
        let at_range = if side > 0 { exact("0.875") } else { exact("1.125") };
        let damp = whole(100_000) / whole(128) / at_range;
        let losses = moves.map(|x| -exact(x) * whole(1_000_000));
        let found: Vec<BigRational> = evaluation.underlyings["X"]
            .rows
            .iter()
            .map(|row| row.damped.clone())
            .collect();
        assert_eq!(
            found,
            [losses[0].clone(), losses[1].clone(), &losses[2] + &damp],
            "{sign}"
        );
        let worst = -(&losses[2] + &damp);
        assert_eq!(
            (&evaluation.initial, &evaluation.maintenance),
            (&worst, &(&worst * exact("0.8"))),
            "{sign}"
        );
    }
}

/// At twice a range of a quarter 75,000 / 0.75 is taken off: what is left of a loss of a hundred thousand and a dollar is a dollar, and of less no gain.
#[test]
fn a_dampener_turns_no_loss_into_a_gain() {
    for (usd, left) in [(199_998, 0), (200_000, 0), (200_002, 1)] {
        let dampener = json!({"range": "0.25", "amount": "75000"});
        let mut file = of_delta(&[("dampener", dampener), ("grid", json!("g"))], usd);
        file["model"]["grids"] = json!({"g": [{"move": "-0.5", "volatility": "none"}]});
        let evaluation = evaluate(&file);
        assert_eq!(evaluation.underlyings["X"].rows[0].damped, whole(-left), "{usd}");
        requires(&file, &whole(left), &(whole(left) * exact("0.8")));
    }
}

/// X loses 100 million in its one row. Of what Y gains in it 0.6 offsets that, at most 20 million USD: as much as 0.6 of 33,333,333 1/3; what Y loses counts whole.
#[test]
fn a_gain_offsets_in_part_from_nothing_on_up_to_its_cap() {
    for (gain, left) in [
        (-1, "100000001"),
        (0, "100000000"),
        (1, "99999999.4"),
        (33_333_333, "80000000.2"),
        (33_333_334, "80000000"),
    ] {
        let mut file = of_delta(
            &[
                ("dampener", Value::Null),
                ("delta_shock", Value::Null),
                ("grid", json!("g")),
            ],
            200_000_000,
        );
        file["model"]["grids"] = json!({"g": [{"move": "-0.5", "volatility": "none"}]});
        let rules = file["model"]["underlyings"]["X"].clone();
        file["model"]["underlyings"]["Y"] = rules;
        file["model"]["groups"] = part("deribit-pm", "/groups");
        file["model"]["groups"][0]["underlyings"] = json!(["X", "Y"]);
        file["snapshot"]["underlyings"]["Y"] = at_price();
        let mut other = perpetual();
        other["instrument"]["name"] = json!("Q");
        other["instrument"]["underlying"] = json!("Y");
        file["venues"][0]["lines"].as_array_mut().unwrap().push(other);
        let mut position = opened(-2 * gain);
        position["instrument"] = json!("Q");
        file["accounts"][0]["positions"].as_array_mut().unwrap().push(position);
        requires(&file, &exact(left), &(exact(left) * exact("0.8")));
    }
}
