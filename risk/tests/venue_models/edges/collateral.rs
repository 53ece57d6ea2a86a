//! Haircuts that rise with the amount.

use rust_decimal::Decimal;

use super::*;

/// 0.5 % of the first million, 2 % up to five, 10 % beyond, and nothing counts above ten; a lot is a ten-thousandth. The part up to an edge has the haircut
/// of the tier that ends there.
#[test]
fn a_balance_at_the_edge_of_a_haircut_tier_has_the_haircut_of_the_tiers_below() {
    let asset = json!({"haircut": "0.005", "tiers": [{"above": "1000000", "haircut": "0.02"}, {"above": "5000000", "haircut": "0.1"}], "cap": "10000000"});
    let counted = [
        (1_000_000, ["994999.9999005", "995000", "995000.000098"]),
        (5_000_000, ["4914999.999902", "4915000", "4915000.00009"]),
        (10_000_000, ["9414999.99991", "9415000", "9415000"]),
    ];
    let mut world = World::new(&mut Random(1));
    world.snapshot.assets.insert("USDC".into(), Decimal::ONE);
    let (_, venue) = world.universe.venue("V").unwrap();
    let balance = venue.asset("USDC", None).unwrap().balance;
    for name in [
        "paradex-pm",
        "deribit-pm",
        "okx-pm",
        "bybit-pm",
        "span",
        "tims",
        "delta-gamma-vega",
        "deribit-standard",
        "binance-usdm",
        "hyperliquid",
        "dydx",
        "simm-2.5",
    ] {
        let model = preset(name, &[("/assets/USDC", asset.clone())]);
        for (edge, counted) in counted {
            for (lots, counted) in [edge * 10_000 - 1, edge * 10_000, edge * 10_000 + 1]
                .into_iter()
                .zip(counted)
            {
                let mut book = vec![0; world.universe.layout().slots()];
                book[balance.index()] = lots;
                let evaluation = oracle::evaluate(&model, &world.universe, &world.snapshot, &book).unwrap();
                assert_eq!(evaluation.value, exact(counted), "{name}: {lots} lots");
                assert!(evaluation.initial.is_zero(), "{name}");
                // Every piece is a whole number of units: the program loses nothing.
                for level in LEVELS {
                    let (gap, _) = gap(&world, &model, &book, level).unwrap();
                    assert!(gap.is_zero(), "{name}: {lots} lots, {gap} less");
                }
            }
        }
    }
}

/// A lot of money is 10,000 units of 1e-10 USD at a dollar; at a thousandth of a per mille more or less it is no whole number of them.
#[test]
fn a_coin_held_is_rounded_down_and_a_coin_owed_up_where_a_lot_is_no_whole_number_of_units() {
    let lines = [json!({"asset": {"name": "C", "lot": "0.000001", "carry": true, "reserve": true}})];
    for (price, held, owed) in [
        ("0.999999", "0.0000009999", "0.000001"),
        ("1", "0.000001", "0.000001"),
        ("1.000001", "0.000001", "0.0000010001"),
    ] {
        for (amount, shown) in [("0.000001", exact(held)), ("-0.000001", -exact(owed))] {
            let model = of_x(
                "paradex-pm",
                &[("assets", json!({"USD": {"haircut": "0"}, "C": {"haircut": "0"}}))],
            );
            let mut file = case(model, at_price(), lines.to_vec(), json!([]), "0");
            file["snapshot"]["assets"]["C"] = json!(price);
            file["accounts"][0]["balances"] = json!([{"asset": "C", "amount": amount}]);
            let case = Case::from_json(&file.to_string()).unwrap();
            let (excess, _, _) = case.program_excess(Level::Initial).unwrap();
            assert_eq!(excess, shown, "{amount} at {price}");
        }
    }
}
