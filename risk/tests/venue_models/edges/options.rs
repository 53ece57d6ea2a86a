//! What a short option needs by itself, and fees of options: at 50,000 USD, without volatility, so that an option is worth what exercise pays.

use super::*;

const EXPIRY: &str = "2025-03-28T08:00:00Z";

/// Options of a right, by strike and contracts.
fn options(model: Value, right: &str, held: &[(u32, i32)]) -> Value {
    let mut strikes = json!({});
    for (strike, _) in held {
        strikes[strike.to_string()] = json!({"volatility": "0", right: {}});
    }
    let market = json!({"index": "50000", "rate": "0", "expiries": {EXPIRY: {"forward": "50000", "strikes": strikes}}});
    let line = |strike: u32| {
        let kind = json!({"option": {"expiry": EXPIRY, "strike": strike.to_string(), "right": right}});
        linear(&strike.to_string(), kind, "1")
    };
    let lines = held.iter().map(|(strike, _)| line(*strike)).collect();
    let position = |(strike, contracts): &(u32, i32)| json!({"instrument": strike.to_string(), "contracts": contracts.to_string()});
    let positions: Vec<Value> = held.iter().map(position).collect();
    case(model, market, lines, json!(positions), "0")
}

fn standard(name: &str) -> Value {
    match name {
        "derive-standard" => of_x(
            name,
            &[
                ("depeg", Value::Null),
                ("initial_scale", Value::Null),
                ("numeraire", json!("USD")),
            ],
        ),
        _ => of_x(name, &[]),
    }
}

/// Right, strike of an option sold; what it needs at both levels.
type Needs<'a> = (&'a str, u32, &'a str, &'a str);

#[track_caller]
fn each_needs(name: &str, all: &[Needs<'_>]) {
    for (right, strike, initial, maintenance) in all {
        let file = options(standard(name), right, &[(*strike, -1)]);
        requires(&file, &exact(initial), &exact(maintenance));
    }
}

/// Derive's `max(0.15 - OTM, 0.13)`: 7,500 at the money, 6,500 from 1,000 out of it; maintenance 4,500, and the mark with both.
#[test]
fn derives_short_option_at_the_money_and_where_its_margin_is_least() {
    each_needs(
        "derive-standard",
        &[
            ("call", 49_999, "7501", "4501"),
            ("call", 50_000, "7500", "4500"),
            ("call", 50_001, "7499", "4500"),
            ("call", 50_999, "6501", "4500"),
            ("call", 51_000, "6500", "4500"),
            ("call", 51_001, "6500", "4500"),
            ("put", 50_001, "7501", "4501"),
            ("put", 50_000, "7500", "4500"),
            ("put", 49_999, "7499", "4500"),
            ("put", 49_001, "6501", "4500"),
            ("put", 49_000, "6500", "4500"),
            ("put", 48_999, "6500", "4500"),
        ],
    );
}

/// Maintenance of a put is 9 % of the larger of index and mark, beside the mark: they are the same at a strike of twice the index. The initial margin is at least 1.05
/// times that, which is more from a mark of 7,500 / 0.1445 on.
#[test]
fn derives_short_put_where_its_mark_is_as_large_as_the_index_and_where_maintenance_decides() {
    each_needs(
        "derive-standard",
        &[
            ("put", 99_999, "57499", "54499"),
            ("put", 100_000, "57500", "54500"),
            ("put", 100_001, "57501", "54501.09"),
            ("put", 101_903, "59403", "56574.27"),
            ("put", 101_904, "59404.128", "56575.36"),
        ],
    );
}

/// A call spread loses its width at most: 7,500 and 4,500 are what the sold one needs by itself.
#[test]
fn derives_expiry_needs_the_smaller_of_isolated_margin_and_max_loss() {
    for (width, initial, maintenance) in [
        (4_499, 4_499, 4_499),
        (4_500, 4_500, 4_500),
        (4_501, 4_501, 4_500),
        (7_499, 7_499, 4_500),
        (7_500, 7_500, 4_500),
        (7_501, 7_500, 4_500),
    ] {
        let file = options(
            standard("derive-standard"),
            "call",
            &[(50_000, -1), (50_000 + width, 1)],
        );
        requires(&file, &whole(initial), &whole(maintenance));
    }
}

/// Deribit's `max(0.15 - OTM, 0.1)`: 7,500 at the money, 5,000 from 2,500 out of it; maintenance 3,750, and the mark with both.
#[test]
fn deribits_short_option_at_the_money_and_where_its_margin_is_least() {
    each_needs(
        "deribit-standard",
        &[
            ("call", 49_999, "7501", "3751"),
            ("call", 50_000, "7500", "3750"),
            ("call", 50_001, "7499", "3750"),
            ("call", 52_499, "5001", "3750"),
            ("call", 52_500, "5000", "3750"),
            ("call", 52_501, "5000", "3750"),
            ("put", 50_001, "7501", "3751"),
            ("put", 50_000, "7500", "3750"),
            ("put", 49_999, "7499", "3750"),
            ("put", 47_501, "5001", "3750"),
            ("put", 47_500, "5000", "3750"),
            ("put", 47_499, "5000", "3750"),
        ],
    );
}

/// Maintenance of a put is 7.5 % of the larger of index and mark, beside the mark; the initial margin of one at 15 % of the index is no less up to a mark of twice that.
#[test]
fn deribits_short_put_where_its_mark_is_as_large_as_the_index_and_where_maintenance_decides() {
    each_needs(
        "deribit-standard",
        &[
            ("put", 99_999, "57499", "53749"),
            ("put", 100_000, "57500", "53750"),
            ("put", 100_001, "57501", "53751.075"),
            ("put", 149_999, "107499", "107498.925"),
            ("put", 150_000, "107500", "107500"),
            ("put", 150_001, "107501.075", "107501.075"),
        ],
    );
}

/// Paradex's fee is 0.03 % of the underlying, 15 USD, and at most 12.5 % of the mark, which is as much of 120.
#[test]
fn paradexs_option_fee_where_its_cap_is_as_much() {
    for (strike, fee) in [(49_881, "14.875"), (49_880, "15"), (49_879, "15")] {
        for contracts in [1, -1] {
            let evaluation = evaluate(&options(of_x("paradex-pm", &[]), "call", &[(strike, contracts)]));
            assert_eq!(
                of_term(&evaluation, "fee provision"),
                [exact(fee), exact(fee)],
                "{strike}"
            );
        }
    }
}
