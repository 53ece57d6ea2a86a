//! Figures that venues print in their documentation.

use super::*;
use zkmargin_risk::case::{Case, CaseFile};

pub(crate) fn exact(text: &str) -> BigRational {
    zkmargin_risk::amount::to_ratio(zkmargin_risk::amount::parse(text).unwrap())
}

fn case(
    model: &Model,
    instant: &str,
    assets: Value,
    underlyings: Value,
    lines: Value,
    positions: Value,
    balances: Value,
) -> Case {
    let nothing: [&str; 0] = [];
    let provenance = json!({"source": "a document", "licence": "none", "importer": "none", "recorded": nothing, "derived": nothing, "assumed": nothing, "warnings": 0});
    let model: Value = serde_json::from_str(&model.to_json().unwrap()).unwrap();
    let file = json!({"model": model, "snapshot": {"instant": instant, "provenance": provenance, "assets": assets, "underlyings": underlyings},
        "venues": [{"name": "V", "lines": lines}], "accounts": [{"venue": "V", "positions": positions, "balances": balances}]});
    Case::new(serde_json::from_value::<CaseFile>(file).unwrap()).unwrap()
}

pub(crate) fn asset(name: &str, lot: &str) -> Value {
    json!({"asset": {"name": name, "lot": lot, "carry": true, "reserve": true}})
}

fn perpetual(name: &str, underlying: &str, style: &str, settlement: &str, contract: &str) -> Value {
    json!({"instrument": {"name": name, "underlying": underlying, "kind": "perpetual", "style": style, "settlement": settlement, "contract": contract, "lot": "1"}})
}

/// The example of OKX's document of MR9: 10 million USD hedged between two dollars at 0.75 %, 1.75 % and 2.5 % of the parts up to 1, 5 and
/// 10 million give 202,500 USD.
#[test]
fn the_stablecoin_charge_of_okxs_document() {
    let tiers = json!([{"above": "0", "rate": "0.0075"}, {"above": "1000000", "rate": "0.0175"}, {"above": "5000000", "rate": "0.025"}]);
    let still = json!({"annual_move": "0", "least": "0"});
    let model = preset(
        "okx-pm",
        &[
            ("/depeg/levels", json!([{"at_least": "0", "tiers": tiers}])),
            ("/underlyings/BTC/basis", still),
            ("/underlyings/BTC/minimum", Value::Null),
        ],
    );
    // An index at which k / F is exact.
    let case = case(
        &model,
        "2025-01-15T12:00:00Z",
        json!({"USDT": "1"}),
        json!({"BTC": {"index": "65536", "rate": "0", "perpetual": {"price": "65536", "funding": "0"}}}),
        json!([
            asset("USDT", "0.01"),
            asset("BTC", "0.00000001"),
            perpetual("LINEAR", "BTC", "linear", "USDT", "0.000152587890625"),
            perpetual("INVERSE", "BTC", "inverse", "BTC", "10")
        ]),
        json!([{"instrument": "LINEAR", "contracts": "1000000", "entry": "65536"}, {"instrument": "INVERSE", "contracts": "-1000000", "carry": "-152.587890625"}]),
        json!([]),
    );
    let evaluation = case.evaluate().unwrap();
    let charge = evaluation.components.iter().find(|part| part.term == "MR9").unwrap();
    assert_eq!(charge.maintenance, exact("202500"));
    assert_eq!(charge.initial, exact("263250"));
    let (excess, bound, _) = case.program_excess(Level::Maintenance).unwrap();
    let gap = evaluation.excess(Level::Maintenance, Ratio20::ONE, 0) - excess;
    assert!(!gap.is_negative() && gap <= bound);
}

/// The response example of `POST /api/v5/account/position-builder` in OKX's API documentation (January 2025): 0.1 BTC short at 100,000 and
/// 10 LTC long at 8,000, both of USDT perpetuals, and 100 USDT; USDT at 0.99954, marks 97,093.7 and 102. There moves are of the index, here
/// of the mark, hence the tolerance.
#[test]
fn the_position_builder_of_okxs_documentation() {
    let (_, text) = PRESETS.iter().find(|(name, _)| *name == "okx-pm").unwrap();
    let mut file: Value = serde_json::from_str(text).unwrap();
    file["underlyings"]["LTC"] = file["underlyings"]["BTC"].clone();
    for (path, part) in [
        ("moves", json!(["0.06", "0.12", "0.18"])),
        ("extreme_move", json!("0.36")),
        ("basis", json!({"annual_move": "0.15", "least": "0.008"})),
    ] {
        file["underlyings"]["LTC"][path] = part;
    }
    file["underlyings"]["LTC"]["minimum"]["future_rate"] = json!("0.007");
    let case = case(
        &Model::from_json(&file.to_string()).unwrap(),
        "2025-01-15T15:06:41.642Z",
        json!({"USDT": "0.99954"}),
        json!({"BTC": {"index": "97049.03", "rate": "0", "perpetual": {"price": "97093.7", "funding": "0"}},
            "LTC": {"index": "101.95308", "rate": "0", "perpetual": {"price": "102", "funding": "0"}}}),
        json!([
            asset("USDT", "0.0001"),
            perpetual("BTC-USDT-SWAP", "BTC", "linear", "USDT", "0.01"),
            perpetual("LTC-USDT-SWAP", "LTC", "linear", "USDT", "1")
        ]),
        json!([{"instrument": "BTC-USDT-SWAP", "contracts": "-10", "entry": "100000"}, {"instrument": "LTC-USDT-SWAP", "contracts": "10", "entry": "8000"}]),
        json!([{"asset": "USDT", "amount": "100"}]),
    );
    let evaluation = case.evaluate().unwrap();
    let near = |found: &BigRational, printed: f64| {
        let found = found.to_f64().unwrap();
        assert!((found / printed - 1.0).abs() < 2e-4, "{found} of {printed}");
    };
    let printed = [
        ("MR1", "BTC", 1_164.410_924_472),
        ("MR4", "BTC", 19.409_807_379_6),
        ("MR1", "LTC", 183.506_728_057_2),
        ("MR4", "LTC", 8.156_246_4),
        ("MR8", "USDT", 1_571.064_377_796),
    ];
    for ((term, note, amount), part) in printed.into_iter().zip(&evaluation.components) {
        assert_eq!((part.term.as_str(), part.note.as_str()), (term, note));
        near(&part.maintenance, amount);
    }
    near(&evaluation.maintenance, 2_946.548_084_104_8); // `totalMmr`
    near(&evaluation.initial, 9_643.450_707_181_44); // `totalImr`
    near(&evaluation.value, -78_553.218_889_8); // `eq`
    let (excess, bound, _) = case.program_excess(Level::Initial).unwrap();
    let gap = evaluation.excess(Level::Initial, Ratio20::ONE, 0) - excess;
    assert!(!gap.is_negative() && gap <= bound);
}

/// A response of Deribit's `private/pme/simulate` of February 2026: 0.999487053 ETH of perpetual short at 1,949.49, index 1,949.34; in ETH.
#[test]
fn the_extended_table_of_deribit_is_damped_away_for_a_small_book() {
    let case = case(
        &preset("deribit-pm", &[]),
        "2026-02-15T23:20:09.587Z",
        json!({}),
        json!({"ETH": {"index": "1949.34", "rate": "0", "perpetual": {"price": "1949.49", "funding": "0"}}}),
        json!([
            asset("ETH", "0.00000001"),
            perpetual("ETH-PERPETUAL", "ETH", "inverse", "ETH", "1948.49001495297")
        ]),
        json!([{"instrument": "ETH-PERPETUAL", "contracts": "-1", "carry": "0"}]),
        json!([]),
    );
    let evaluation = case.evaluate().unwrap();
    let coins = |usd: &BigRational| (usd / exact("1949.34")).to_f64().unwrap();
    let near = |found: f64, printed: f64| assert!((found - printed).abs() < 1e-9, "{found} of {printed}");
    let eth = &evaluation.underlyings["ETH"];
    // Before the dampener the extended rows are those at the edge of the table, after it nothing.
    near(coins(&eth.rows[27].weighted), 0.219_399_597);
    near(coins(&eth.rows[29].weighted), -0.152_464_126_728_813_57);
    assert!(eth.rows[27..].iter().all(|row| row.damped.is_zero()));
    near(coins(&evaluation.groups[0].body), 0.152_464_126_728_813_57);
    near(coins(&eth.roll), 0.004_997_435_265);
    assert!(eth.delta_shock.is_zero());
    near(coins(&evaluation.initial), 0.157_461_562_265);
    near(coins(&evaluation.maintenance), 0.125_969_249_812);
}

/// The initial margin of dYdX's own tests of liquidity tiers (v4-chain, `x/perpetuals/types/liquidity_tier_test.go`): 0.5 USDC at 20 %, a
/// millionth of a USDC upwards. The rate grows with the open interest, from 20 % at the lower cap to 100 % at the upper one.
#[test]
fn the_initial_margin_of_dydxs_liquidity_tiers() {
    for (open_interest, lower, upper, margin) in [
        ("0", "25000000", "50000000", 100_000),
        ("1500000", "1000000", "2000000", 300_000),
        ("25000000", "25000000", "50000000", 100_000),
        ("28123456.789123", "25000000", "60000000", 135_697),
        ("80000000", "25000000", "50000000", 500_000),
    ] {
        let schedule = json!({"tiers": [{"from": "0", "initial": "0.2", "maintenance": "0.12"}], "open_interest": {"lower": lower, "upper": upper}});
        let model = json!({"model": "linear", "name": "dydx", "description": "", "numeraire": "USDC", "assets": {"USDC": {"haircut": "0"}}, "underlyings": {"BTC": {"perpetual": schedule}}});
        let case = case(
            &Model::from_json(&model.to_string()).unwrap(),
            "2025-01-15T12:00:00Z",
            json!({"USDC": "1"}),
            json!({"BTC": {"index": "1", "rate": "0", "perpetual": {"price": "1", "funding": "0", "quote": {"open_interest": open_interest}}}}),
            json!([
                asset("USDC", "0.000001"),
                perpetual("BTC-USD", "BTC", "linear", "USDC", "0.5")
            ]),
            json!([{"instrument": "BTC-USD", "contracts": "1", "carry": "-0.5"}]),
            json!([]),
        );
        let evaluation = case.evaluate().unwrap();
        let quantums = (&evaluation.initial * exact("1000000")).ceil();
        assert_eq!(quantums, BigRational::from_integer(margin.into()), "{open_interest}");
        assert_eq!(evaluation.maintenance, exact("0.06"));
        let (excess, bound, _) = case.program_excess(Level::Initial).unwrap();
        let gap = evaluation.excess(Level::Initial, Ratio20::ONE, 0) - excess;
        assert!(!gap.is_negative() && gap <= bound);
    }
}
