//! Tiers, levels and buckets of OKX's and Bybit's portfolio margin.

use rust_decimal::Decimal;
use zkmargin_risk::instant::{DAY_MS, Instant};

use super::*;

/// OKX's or Bybit's rules of an underlying for X, without what is of several dollars.
fn model(name: &str, underlying: &str) -> Value {
    let rules = part(name, &format!("/underlyings/{underlying}"));
    let borrow = json!({"USD": {"initial": "0.1", "maintenance": "0.02"}});
    of_x(
        name,
        &[
            ("depeg", Value::Null),
            ("borrow", borrow),
            ("underlyings", json!({"X": rules})),
        ],
    )
}

/// MR7, progressive: times 1, 2, 4, 6, 8, 10 and 12 from 0, 10, 70, 170, 300, 470 and 700 thousand USD; an edge is of the tier that it ends. A lot that is held long and short in two
/// accounts has no other risk: both sides are 64 USD at a rate of 1/256 each.
#[test]
fn the_minimum_charge_at_the_edges_of_its_tiers() {
    for underlying in ["BTC", "ETH"] {
        let mut model = model("okx-pm", underlying);
        model["underlyings"]["X"]["minimum"]["future_rate"] = json!("0.00390625");
        let mut line = perpetual();
        line["instrument"]["contract"] = json!("1");
        line["instrument"]["lot"] = json!("0.001953125");
        for (raw, charge, below, above) in [
            (10_000, 10_000, 1, 2),
            (70_000, 130_000, 2, 4),
            (170_000, 530_000, 4, 6),
            (300_000, 1_310_000, 6, 8),
            (470_000, 2_670_000, 8, 10),
            (700_000, 4_970_000, 10, 12),
        ] {
            for (raw, charge) in [(raw - 1, charge - below), (raw, charge), (raw + 1, charge + above)] {
                let contracts = Decimal::from(raw) * Decimal::new(1_953_125, 9);
                let held = |contracts: Decimal| json!([{"instrument": "P", "contracts": contracts.normalize().to_string(), "entry": PRICE}]);
                let mut file = case(model.clone(), at_price(), vec![line.clone()], held(contracts), "0");
                let accounts = file["accounts"].as_array_mut().unwrap();
                accounts.push(json!({"venue": "V", "positions": held(-contracts)}));
                requires(&file, &(whole(charge) * exact("1.3")), &whole(charge));
            }
        }
    }
}

/// So many dollars of a linear perpetual in USDT long against as many of an inverse one.
fn hedged(name: &str, usd: i64, price: &str) -> Value {
    let still = json!({"annual_move": "0", "least": "0"});
    let pair = match name {
        "okx-pm" => ["USDT", "USD"],
        _ => ["USDT", "USDC"],
    };
    let mut changes = vec![("/depeg/pairs", json!([pair])), ("/underlyings/BTC/basis", still)];
    match name {
        "okx-pm" => changes.push(("/underlyings/BTC/minimum", Value::Null)),
        _ => changes.push(("/underlyings/BTC/contingency", Value::Null)),
    }
    let model: Value = serde_json::from_str(&preset(name, &changes).to_json().unwrap()).unwrap();
    let line = |name: &str, style: &str, settlement: &str, contract: &str| json!({"instrument": {"name": name, "underlying": "BTC", "kind": "perpetual", "style": style, "settlement": settlement, "contract": contract, "lot": "1"}});
    let other = match name {
        "okx-pm" => line("OTHER", "inverse", "BTC", "1"),
        _ => line("OTHER", "linear", "USDC", DOLLAR),
    };
    let lines = vec![
        published::asset("USDT", "0.01"),
        published::asset("USDC", "0.01"),
        published::asset("BTC", "0.0000152587890625"),
        line("LINEAR", "linear", "USDT", DOLLAR),
        other,
    ];
    let positions = json!([{"instrument": "LINEAR", "contracts": usd.to_string(), "entry": PRICE}, {"instrument": "OTHER", "contracts": (-usd).to_string(), "entry": PRICE}]);
    let mut file = case(model, at_price(), lines, positions, "0");
    file["snapshot"]["underlyings"] = json!({"BTC": at_price()});
    file["snapshot"]["assets"] = json!({"USDT": price, "USDC": "1"});
    file["venues"][0]["lines"].as_array_mut().unwrap().remove(0);
    file["accounts"][0]["balances"] = json!([]);
    file
}

#[track_caller]
fn spread_charge(name: &str, usd: i64, price: &str, charge: &BigRational) {
    let factor = if name == "okx-pm" { "1.3" } else { "1.2" };
    let found = of_term(
        &evaluate(&hedged(name, usd, price)),
        if name == "okx-pm" { "MR9" } else { "USDT-USDC spread" },
    );
    assert_eq!(
        found,
        [charge * exact(factor), charge.clone()],
        "{name}: {usd} at {price}"
    );
}

/// Of what is hedged up to 1, up to 5 and above 5 million USD 0.5, 1 and 1.5 % where the dollars are at par; 0.75, 1.75 and 2.5 % from 0.99 on; 5, 7.5 and 10 % from 0.95 on.
#[test]
fn a_hedge_between_two_dollars_at_the_edges_of_its_tiers() {
    for (price, rates, [million, five]) in [
        ("1", ["0.005", "0.01", "0.015"], ["5000", "45000"]),
        ("0.99", ["0.0075", "0.0175", "0.025"], ["7500", "77500"]),
        ("0.95", ["0.05", "0.075", "0.1"], ["50000", "350000"]),
    ] {
        let rates = rates.map(exact);
        for (edge, charge, rates) in [
            (1_000_000, exact(million), &rates[..2]),
            (5_000_000, exact(five), &rates[1..]),
        ] {
            spread_charge("okx-pm", edge - 1, price, &(&charge - &rates[0]));
            spread_charge("okx-pm", edge, price, &charge);
            spread_charge("okx-pm", edge + 1, price, &(&charge + &rates[1]));
        }
    }
}

/// Where the ratio of two dollars is as low as a level's least it is of that level, a trillionth below of the next, on either side of par.
#[test]
fn two_dollars_at_the_edge_of_a_level_are_of_the_dearer_one_only_below_it() {
    for (name, edge, above, below) in [
        ("okx-pm", "0.995", "0.005", "0.0075"),
        ("okx-pm", "0.99", "0.0075", "0.05"),
        ("okx-pm", "0.95", "0.05", "0.2"),
        ("okx-pm", "0.8", "0.2", "0.4"),
        ("bybit-pm", "0.99", "0.005", "0.05"),
    ] {
        let step = Decimal::new(1, 12);
        let edge: Decimal = edge.parse().unwrap();
        for (price, rate) in [(edge - step, below), (edge, above), (edge + step, above)] {
            spread_charge(name, 1_000, &price.to_string(), &(whole(1_000) * exact(rate)));
        }
    }
}

/// An option of each of two expiries, one long and one short, of which the first is `millis` away and the second five days more.
fn calendar(name: &str, millis: u64) -> Value {
    let now: Instant = "2025-02-05T00:00:00Z".parse().unwrap();
    let mut model = model(name, "BTC");
    model["underlyings"]["X"]["minimum"] = Value::Null;
    let (mut expiries, mut lines, mut positions) = (json!({}), Vec::new(), Vec::new());
    for (after, contracts) in [(0, "1"), (5 * DAY_MS, "-1")] {
        let expiry = now.checked_add(millis + after).unwrap().to_string();
        expiries[&expiry] = json!({"forward": PRICE, "strikes": {PRICE: {"volatility": "0.5", "call": {}}}});
        lines.push(linear(
            contracts,
            json!({"option": {"expiry": expiry, "strike": PRICE, "right": "call"}}),
            "1",
        ));
        positions.push(json!({"instrument": contracts, "contracts": contracts}));
    }
    let market = json!({"index": PRICE, "rate": "0", "expiries": expiries});
    case(model, market, lines, json!(positions), "0")
}

/// The charge on what is matched between two expiries, at `rate`, is of the smaller greek: that of the first one, at the money at a volatility of 0.5.
#[track_caller]
fn matched(name: &str, term: &str, millis: u64, rate: f64) {
    let [_, found] = of_term(&evaluate(&calendar(name, millis)), term).map(|charge| charge.to_f64().unwrap());
    let years = millis as f64 / (365 * DAY_MS) as f64;
    let d = 0.25 * libm::sqrt(years);
    let normal = |x: f64| 0.5 * libm::erfc(-x / libm::sqrt(2.0));
    let greek = match term {
        // The time times the value; the density at d times the root of the time.
        "MR5" => 65_536.0 * years * (normal(d) - normal(-d)),
        _ => 65_536.0 * libm::exp(-d * d / 2.0) / libm::sqrt(2.0 * std::f64::consts::PI) * libm::sqrt(years),
    };
    assert!(
        (found / (rate * greek) - 1.0).abs() < 1e-9,
        "{name}, {term}, {millis} ms: {found}, not {rate} of {greek}"
    );
}

/// An expiry of exactly 7, 30 or 90 days is of the bucket that reaches to there; across buckets 5 % of vega is charged, within them 5, 3, 2 and 1 %.
#[test]
fn an_expiry_at_the_end_of_a_vega_bucket_is_in_it_and_a_millisecond_later_in_the_next() {
    for name in ["okx-pm", "bybit-pm"] {
        let term = if name == "okx-pm" { "MR3" } else { "vega spread" };
        for (days, next) in [(7, 0.03), (30, 0.02), (90, 0.01)] {
            matched(name, term, days * DAY_MS - 1, 0.05);
            matched(name, term, days * DAY_MS, 0.05);
            matched(name, term, days * DAY_MS + 1, next);
        }
    }
}

/// Of rho 2 % is charged across 90 days and 1 % on either side.
#[test]
fn an_expiry_at_the_end_of_a_rho_bucket_is_in_it_and_a_millisecond_later_in_the_next() {
    for (millis, rate) in [(90 * DAY_MS - 1, 0.02), (90 * DAY_MS, 0.02), (90 * DAY_MS + 1, 0.01)] {
        matched("okx-pm", "MR5", millis, rate);
    }
}

/// An asset's equity of nothing borrows nothing, a cent less a cent.
#[test]
fn what_is_borrowed_is_what_is_below_nothing() {
    for (cash, initial, maintenance) in [("-0.01", "0.001", "0.0002"), ("0", "0", "0"), ("0.01", "0", "0")] {
        let file = case(model("okx-pm", "BTC"), at_price(), vec![perpetual()], json!([]), cash);
        requires(&file, &exact(initial), &exact(maintenance));
    }
}
