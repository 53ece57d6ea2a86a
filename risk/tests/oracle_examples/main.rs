//! The oracle against figures that were worked out by hand, and against what venues print in their documentation.
//!
//! Where a figure is to come out exactly, prices and moves are chosen so that every float is exact: indices that are powers of two, or options so
//! far in the money that Black-76 gives what exercise pays and a delta of 1.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod published;
mod refusals;
mod reports;

use num_rational::BigRational;
use serde_json::{Value, json};
use zkmargin_risk::account::{AccountFile, AccountVector};
use zkmargin_risk::amount;
use zkmargin_risk::market::Snapshot;
use zkmargin_risk::model::Model;
use zkmargin_risk::oracle::{self, Binding, Evaluation};
use zkmargin_risk::terms::{Level, Order, Ratio20, Terms};
use zkmargin_risk::universe::Universe;

const EXPIRY: &str = "2026-08-28T08:00:00Z";

fn exact(text: &str) -> BigRational {
    amount::to_ratio(amount::parse(text).unwrap())
}

/// One venue with these lines.
fn universe(lines: Value) -> Universe {
    let venue = json!({"name": "V", "keys": ["11".repeat(32)], "lines": lines});
    Universe::from_json(&json!({"network": "test", "k": 6, "venues": [venue]}).to_string()).unwrap()
}

fn snapshot(instant: &str, assets: Value, underlyings: Value) -> Snapshot {
    let nothing: [&str; 0] = [];
    let provenance = json!({"source": "made up", "licence": "CC0-1.0", "importer": "none",
        "recorded": nothing, "derived": nothing, "assumed": ["all of it"], "warnings": 0});
    let file = json!({"instant": instant, "provenance": provenance, "assets": assets, "underlyings": underlyings});
    Snapshot::from_json(&file.to_string()).unwrap()
}

fn legs(universe: &Universe, positions: Value, balances: Value) -> Vec<u64> {
    let file = json!({"venue": "V", "positions": positions, "balances": balances});
    let file: AccountFile = serde_json::from_value(file).unwrap();
    AccountVector::from_file(&file, universe).unwrap().lots().to_vec()
}

/// `paradex-pm` with other parts.
fn model(parts: Value) -> Model {
    let (_, preset) = zkmargin_risk::model::PRESETS[0];
    let mut file: Value = serde_json::from_str(preset).unwrap();
    for (name, part) in parts.as_object().unwrap() {
        file[name] = part.clone();
    }
    Model::from_json(&file.to_string()).unwrap()
}

/// A volatility shock that leaves an option far in the money what it is.
fn calm() -> Value {
    json!({"up": "0.5", "down": "0.25", "short_power": "0.3", "long_power": "0.13"})
}

fn option(name: &str, style: &str, settlement: &str, strike: &str, contract: &str) -> Value {
    let kind = json!({"option": {"expiry": EXPIRY, "strike": strike, "right": "call"}});
    json!({"instrument": {"name": name, "underlying": "BTC", "kind": kind, "style": style, "settlement": settlement, "contract": contract, "lot": "0.01"}})
}

fn perpetual(name: &str, style: &str, settlement: &str, contract: &str) -> Value {
    json!({"instrument": {"name": name, "underlying": "BTC", "kind": "perpetual", "style": style, "settlement": settlement, "contract": contract, "lot": "0.001"}})
}

fn asset(name: &str) -> Value {
    json!({"asset": {"name": name, "lot": "0.00000001", "carry": true, "reserve": true}})
}

/// A market in which a call at `strike` is worth what exercise pays.
fn market(price: &str, strike: &str, funding: &str) -> Value {
    json!({"BTC": {"index": price, "rate": "0", "perpetual": {"price": price, "funding": funding},
        "expiries": {EXPIRY: {"forward": price, "strikes": {strike: {"volatility": "0.0001", "call": {}}}}}}})
}

fn linear_model() -> Model {
    model(json!({
        "collateral_in_scenarios": false,
        "grids": {"g": [
            {"move": "-0.25", "volatility": "none"},
            {"move": "0.25", "volatility": "down"},
            {"move": "0.5", "volatility": "none", "weight": "0.4"},
        ]},
        "assets": {"USDC": {"haircut": "0.1", "cap": "90000"}},
        "underlyings": {"BTC": {
            "grid": "g", "profit": "usd", "volatility": calm(),
            "delta_provision": {"net": "0.015", "gross": "0.005"}, "short_option_minimum": "0.01",
            "roll": {"annual_move": "0.1", "least": "0.0078125"},
            "option_fee": "0.0003", "future_fee": "0.0005", "funding_intervals": "3",
        }},
    }))
}

fn linear_universe() -> Universe {
    universe(json!([
        asset("USDC"),
        perpetual("PERP", "linear", "USDC", "1"),
        option("CALL", "linear", "USDC", "40000", "1")
    ]))
}

fn linear_snapshot() -> Snapshot {
    snapshot(
        "2026-08-18T08:00:00Z",
        json!({"USDC": "1"}),
        market("50000", "40000", "0.0001"),
    )
}

/// Long 2 perpetuals entered at 48,000, short 3 calls of 40,000, and cash.
fn linear_legs(universe: &Universe, cash: &str) -> Vec<u64> {
    let positions =
        json!([{"instrument": "PERP", "contracts": "2", "entry": "48000"}, {"instrument": "CALL", "contracts": "-3"}]);
    legs(universe, positions, json!([{"asset": "USDC", "amount": cash}]))
}

fn linear(cash: &str) -> Evaluation {
    let universe = linear_universe();
    oracle::evaluate(
        &linear_model(),
        &universe,
        &linear_snapshot(),
        &linear_legs(&universe, cash),
    )
    .unwrap()
}

#[test]
fn a_linear_book_in_usd_by_hand() {
    let book = linear("100000");
    // Perpetuals: 2 · 50,000, carried at 96,000, so 4,000 of profit. Calls: 3 · 10,000 sold. Cash 100,000: 90,000 within the cap, at 0.9.
    assert_eq!(book.futures, exact("100000"));
    assert_eq!(book.options, exact("-30000"));
    assert_eq!(book.equity(), exact("104000"));
    assert_eq!(book.net_liquidation_value(), exact("74000"));
    assert_eq!(book.collateral[0].counted, exact("81000"));
    assert_eq!(book.value, exact("55000")); // 4,000 - 30,000 + 81,000

    let btc = &book.underlyings["BTC"];
    let profits: Vec<BigRational> = btc.rows.iter().map(|row| row.profit.clone()).collect();
    // -25 %: perpetuals -25,000, calls worth 0 instead of 30,000. +25 %: +25,000 and 3 · (10,000 - 22,500). +50 %: +50,000 and 3 · (10,000 - 35,000).
    assert_eq!(profits, [exact("5000"), exact("-12500"), exact("-25000")]);
    assert_eq!(btc.rows[2].weighted, exact("-10000"));
    assert_eq!(
        (btc.net_delta.clone(), btc.gross_delta.clone()),
        (exact("-1"), exact("5"))
    );
    assert_eq!(btc.delta_provision, exact("2000")); // 50,000 (0.015 · 1 + 0.005 · 5)
    assert_eq!(btc.short_option_minimum, exact("1500")); // 50,000 · 0.01 · 3
    // Ten days at 0.1 a year are exp(0.1 · 10/365) - 1 = 0.0027, less than the least rate of 1/128: 50,000 (2/128 + 3/128).
    assert_eq!(btc.roll, exact("1953.125"));
    assert_eq!(btc.fees, exact("95")); // 50,000 (0.0003 · 3 + 0.0005 · 2)
    assert_eq!(btc.funding, exact("30")); // 50,000 · 3 · 0.0001 · 2, paid by the longs

    assert_eq!((book.groups[0].worst, book.groups[0].binding), (1, Binding::Scenario));
    assert_eq!(book.initial, exact("14578.125")); // 12,500 + 1,953.125 + 125
    assert_eq!(book.maintenance, exact("7351.5625")); // (12,500 + 1,953.125) / 2 + 125
    let excess = book.excess(Level::Initial, Ratio20::new(30).unwrap(), 100);
    assert_eq!(excess, exact("33032.8125")); // 55,000 - 1.5 · 14,578.125 - 100
}

#[test]
fn a_cap_counts_over_what_is_held_and_cash_below_it_only_loses_its_haircut() {
    let (small, large) = (linear("80000"), linear("90000"));
    assert_eq!(&large.value - &small.value, exact("9000"));
    assert_eq!(linear("100000").value, large.value);
    assert_eq!(linear("-80000").value, exact("-106000")); // a debt counts whole
}

#[test]
fn provisions_are_floors_of_the_group_and_name_themselves() {
    let mut file: Value = serde_json::from_str(zkmargin_risk::model::PRESETS[0].1).unwrap();
    file["grids"] = json!({"g": [{"move": "0", "volatility": "none"}]});
    let rules = |net: &str, short: &str| {
        let mut file = file.clone();
        let provision = json!({"net": net, "gross": "0"});
        file["underlyings"] = json!({"BTC": {"grid": "g", "profit": "usd", "volatility": calm(), "delta_provision": provision, "short_option_minimum": short}});
        file["assets"] = json!({"USDC": {"haircut": "0"}});
        Model::from_json(&file.to_string()).unwrap()
    };
    let universe = linear_universe();
    let book = linear_legs(&universe, "1");
    let group = |model: &Model| {
        let book = oracle::evaluate(model, &universe, &linear_snapshot(), &book).unwrap();
        (book.groups[0].body.clone(), book.groups[0].binding)
    };
    assert_eq!(group(&rules("0.02", "0.001")), (exact("1000"), Binding::DeltaProvision));
    assert_eq!(
        group(&rules("0.001", "0.02")),
        (exact("3000"), Binding::ShortOptionMinimum)
    );
    assert_eq!(group(&rules("0", "0")), (exact("0"), Binding::Nothing));
}

#[test]
fn a_closing_order_is_netted_and_summed_accounts_are_not() {
    let (universe, snapshot, model) = (linear_universe(), linear_snapshot(), linear_model());
    let book = linear_legs(&universe, "100000");
    let order = Order::parse("buy 3 CALL @ 10000 fee 5", &universe).unwrap();
    let terms = Terms {
        order: Some(order),
        ..Terms::at(Level::Initial)
    };
    let after = oracle::with_public_amounts(&universe, &terms, &book).unwrap();
    let call = universe.lookup("V", "CALL").unwrap();
    assert_eq!((after[call.long.index()], after[call.short.index()]), (0, 0));
    let after = oracle::evaluate(&model, &universe, &snapshot, &after).unwrap();
    // 30,000 of premium and 15 of fee leave 69,985 of cash; only the perpetuals are left: 2 · 12,500, then roll 50,000 · 2/128, fees 50, funding 30.
    assert_eq!(after.collateral[0].balance, exact("69985"));
    assert_eq!(after.value, exact("66986.5")); // 4,000 + 0.9 · 69,985
    assert_eq!(after.initial, exact("25861.25")); // with 25,000 = 2 · 12,500 of loss at -25 %

    // The same position in two accounts, one long and one short: nothing is lost in any row, but the gross charges stay.
    let mut both = book.clone();
    both[call.long.index()] = both[call.short.index()];
    let both = oracle::evaluate(&model, &universe, &snapshot, &both).unwrap();
    assert_eq!(both.underlyings["BTC"].gross_delta, exact("8"));
    assert_eq!(both.underlyings["BTC"].fees, exact("140"));
    assert_eq!(both.underlyings["BTC"].rows[0].profit, exact("-25000"));
}

fn inverse_universe() -> Universe {
    universe(json!([
        asset("BTC"),
        perpetual("PERP", "inverse", "BTC", "16"),
        option("CALL", "inverse", "BTC", "16384", "1")
    ]))
}

/// Short 2 calls of 16,384; long 131,072 USD of perpetual entered at 32,768; 3 BTC. All at an index of 65,536.
fn inverse(profit: &str, numeraire: &str, collateral_in_scenarios: bool) -> Evaluation {
    let universe = inverse_universe();
    let model = model(json!({
        "numeraire": numeraire,
        "collateral_in_scenarios": collateral_in_scenarios,
        "grids": {"g": [{"move": "-0.5", "volatility": "none"}, {"move": "1", "volatility": "up"}]},
        "assets": {"BTC": {"haircut": "0.25", "underlying": "BTC"}},
        "underlyings": {"BTC": {"grid": "g", "profit": profit, "volatility": calm(), "roll": {"annual_move": "0", "least": "0.0078125"}}},
    }));
    let snapshot = snapshot("2026-08-18T08:00:00Z", json!({}), market("65536", "16384", "0"));
    let positions = json!([{"instrument": "PERP", "contracts": "8192", "entry": "32768"}, {"instrument": "CALL", "contracts": "-2"}]);
    let legs = legs(&universe, positions, json!([{"asset": "BTC", "amount": "3"}]));
    oracle::evaluate(&model, &universe, &snapshot, &legs).unwrap()
}

#[test]
fn an_inverse_book_in_coins_by_hand() {
    let book = inverse("coin", "BTC", false);
    // A call is worth (65,536 - 16,384) / 65,536 = 0.75; the perpetual -131,072 / 65,536 = -2 against a carry credit of 131,072 / 32,768 = 4.
    assert_eq!(
        (book.options.clone(), book.futures.clone()),
        (exact("-1.5"), exact("-2"))
    );
    assert_eq!(book.collateral[0].carry, exact("4"));
    assert_eq!(book.value, exact("2.75")); // -1.5 - 2 + 4 + 0.75 · 3
    assert_eq!(book.net_liquidation_value(), exact("3.5"));
    let rows = &book.underlyings["BTC"].rows;
    // At half the price: calls 0.5 each, perpetual -4. At twice: calls 0.875, perpetual -1.
    assert_eq!(
        (rows[0].profit.clone(), rows[1].profit.clone()),
        (exact("-1.5"), exact("0.75"))
    );
    assert_eq!(book.underlyings["BTC"].roll, exact("0.03125")); // (2 + 2) / 128
    assert_eq!(book.initial, exact("1.53125"));
}

#[test]
fn profit_in_coins_is_converted_at_the_index_of_today() {
    let (coin, usd) = (inverse("coin", "BTC", false), inverse("coin", "USD", true));
    let index = exact("65536");
    assert_eq!(usd.value, &coin.value * &index);
    assert_eq!(usd.initial, &coin.initial * &index);
}

#[test]
fn profit_in_usd_is_at_the_index_of_the_row_and_carry_always_moves() {
    // Calls 49,152 each now, 16,384 at half the price; the perpetual is -131,072 USD at any price, its carry of 4 BTC loses 131,072.
    let outside = inverse("usd", "USD", false);
    assert_eq!(outside.value, exact("180224")); // 2.75 · 65,536
    assert_eq!(outside.underlyings["BTC"].rows[0].profit, exact("-65536"));
    // Whole amounts inside: 3 BTC lose 98,304 more, without any haircut.
    let inside = inverse("usd", "USD", true);
    assert_eq!(inside.underlyings["BTC"].rows[0].profit, exact("-163840"));
    // Calls 114,688 each, coins 7 · 65,536 more.
    assert_eq!(inside.underlyings["BTC"].rows[1].profit, exact("327680"));
    // The same in coins of the numéraire: today's.
    assert_eq!(inverse("usd", "BTC", true).initial, inside.initial / exact("65536"));
}

#[test]
fn gains_of_a_group_offset_losses_in_part_up_to_a_cap() {
    let perpetual = |underlying: &str| json!({"instrument": {"name": format!("{underlying}-P"), "underlying": underlying, "kind": "perpetual", "style": "linear", "settlement": "USDC", "contract": "1", "lot": "1"}});
    let universe = universe(json!([
        asset("USDC"),
        perpetual("AAA"),
        perpetual("BBB"),
        perpetual("CCC")
    ]));
    let quote = |price: &str| json!({"index": price, "rate": "0", "perpetual": {"price": price, "funding": "0"}});
    let snapshot = snapshot(
        "2026-08-18T08:00:00Z",
        json!({"USDC": "1"}),
        json!({"AAA": quote("1024"), "BBB": quote("512"), "CCC": quote("64")}),
    );
    let rules = json!({"grid": "g", "profit": "usd", "volatility": calm()});
    let model = |cap: Option<&str>| {
        model(json!({
            "grids": {"g": [{"move": "-0.25", "volatility": "none"}, {"move": "0.5", "volatility": "none"}]},
            "assets": {"USDC": {"haircut": "0"}},
            "underlyings": {"AAA": rules, "BBB": rules, "CCC": rules},
            "groups": [{"underlyings": ["BBB", "AAA"], "gain_factor": "0.5", "gain_cap": cap}],
        }))
    };
    let position =
        |name: &str, contracts: &str, entry: &str| json!({"instrument": name, "contracts": contracts, "entry": entry});
    let positions = json!([
        position("AAA-P", "1", "1024"),
        position("BBB-P", "-3", "512"),
        position("CCC-P", "2", "64")
    ]);
    let legs = legs(&universe, positions, json!([]));
    let body = |cap| {
        let book = oracle::evaluate(&model(cap), &universe, &snapshot, &legs).unwrap();
        let each = book
            .groups
            .iter()
            .map(|group| (group.underlyings.join("+"), group.losses.clone(), group.body.clone()));
        each.collect::<Vec<_>>()
    };
    // -25 %: AAA -256, BBB +384 of which half offsets: 64 lost. +50 %: AAA +512, half 256; BBB -768: 512 lost. CCC by itself -32, +64.
    let alone = ("CCC".to_owned(), vec![exact("32"), exact("-64")], exact("32"));
    assert_eq!(
        body(None),
        [
            ("BBB+AAA".into(), vec![exact("64"), exact("512")], exact("512")),
            alone.clone()
        ]
    );
    // At most 100 of any gain.
    assert_eq!(
        body(Some("100")),
        [
            ("BBB+AAA".into(), vec![exact("156"), exact("668")], exact("668")),
            alone
        ]
    );
}
