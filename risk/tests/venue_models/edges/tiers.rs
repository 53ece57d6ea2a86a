//! Tiers by size.

use super::*;

/// An edge in USD, what is needed at it, and the rates below and above it.
type Edge<'a> = (i64, &'a str, &'a str, &'a str);

/// Binance's brackets of BTCUSDT and ETHUSDT of October 2024, each part of the notional at its own rate.
const BTC: [Edge<'_>; 11] = [
    (50_000, "200", "0.004", "0.005"),
    (600_000, "2950", "0.005", "0.0065"),
    (3_000_000, "18550", "0.0065", "0.01"),
    (12_000_000, "108550", "0.01", "0.02"),
    (70_000_000, "1268550", "0.02", "0.025"),
    (100_000_000, "2018550", "0.025", "0.05"),
    (230_000_000, "8518550", "0.05", "0.1"),
    (480_000_000, "33518550", "0.1", "0.125"),
    (600_000_000, "48518550", "0.125", "0.15"),
    (800_000_000, "78518550", "0.15", "0.25"),
    (1_200_000_000, "178518550", "0.25", "0.5"),
];
const ETH: [Edge<'_>; 11] = [
    (50_000, "200", "0.004", "0.005"),
    (600_000, "2950", "0.005", "0.0065"),
    (3_000_000, "18550", "0.0065", "0.01"),
    (12_000_000, "108550", "0.01", "0.02"),
    (50_000_000, "868550", "0.02", "0.025"),
    (65_000_000, "1243550", "0.025", "0.05"),
    (150_000_000, "5493550", "0.05", "0.1"),
    (320_000_000, "22493550", "0.1", "0.125"),
    (400_000_000, "32493550", "0.125", "0.15"),
    (530_000_000, "51993550", "0.15", "0.25"),
    (800_000_000, "119493550", "0.25", "0.5"),
];

/// A dollar less, none, and one more, with what is needed.
fn around<'a>((edge, at, below, above): &Edge<'a>) -> [(i64, BigRational); 3] {
    let at = exact(at);
    [
        (edge - 1, &at - exact(below)),
        (*edge, at.clone()),
        (edge + 1, at + exact(above)),
    ]
}

#[test]
fn binances_portfolio_margin_at_the_edges_of_its_brackets() {
    for (underlying, edges) in [("BTC", BTC), ("ETH", ETH)] {
        let rules = part("binance-pm", &format!("/underlyings/{underlying}"));
        let model = of_x(
            "binance-pm",
            &[("underlyings", json!({"X": rules})), ("loans", json!({"USD": "0.1"}))],
        );
        for (size, needed) in edges.iter().flat_map(around) {
            for contracts in [size, -size] {
                let file = case(
                    model.clone(),
                    at_price(),
                    vec![perpetual()],
                    json!([opened(contracts)]),
                    "0",
                );
                requires(&file, &(&needed * exact("1.2")), &(&needed * exact("1.05")));
            }
        }
    }
}

/// Deribit's documentation: 2 % of a position and 0.5 % more per 100 BTC or 1,250 ETH of it, maintenance 1 % less. The preset has chords of that, which meet it at
/// their ends, and have a rate of 2 % and 0.5 % for as much as both ends together.
#[test]
fn deribits_standard_margin_at_the_ends_of_its_chords() {
    for (underlying, step, price, contract) in [("BTC", 100, PRICE, DOLLAR), ("ETH", 1_250, "4096", "0.000244140625")] {
        let rules = part("deribit-standard", &format!("/underlyings/{underlying}"));
        let model = of_x("deribit-standard", &[("underlyings", json!({"X": rules}))]);
        let ends = [
            "0", "0.1", "0.25", "0.5", "1", "2", "4", "8", "16", "32", "64", "128", "1000",
        ];
        let ends = ends.map(|steps| exact(steps) * whole(step));
        // A rate of a size in coins, and of the two ends of a chord.
        let rate = |coins: &BigRational| exact("0.02") + exact("0.005") * coins / whole(step);
        let index = exact(price);
        let expiry = "2025-03-28T08:00:00Z";
        for at in 1..ends.len() - 1 {
            let [before, end, after] = [&ends[at - 1], &ends[at], &ends[at + 1]];
            let size = i64::try_from((&index * end).to_integer()).unwrap();
            let met = whole(size) * rate(end);
            for (size, initial) in [
                (size - 1, &met - rate(&(before + end))),
                (size, met.clone()),
                (size + 1, &met + rate(&(end + after))),
            ] {
                let maintenance = &initial - whole(size) * exact("0.01");
                for kind in [json!("perpetual"), json!({"future": {"expiry": expiry}})] {
                    let market = json!({"index": price, "rate": "0", "perpetual": {"price": price, "funding": "0"}, "futures": {expiry: {"price": price}}});
                    let position = json!({"instrument": "P", "contracts": size.to_string(), "entry": price});
                    let line = linear("P", kind, contract);
                    let file = case(model.clone(), market, vec![line], json!([position]), "0");
                    requires(&file, &initial, &maintenance);
                }
            }
        }
    }
}

/// Open interest from 25 to 50 million USD takes the rate of a mid-cap market from 10 % to 100 %.
#[test]
fn dydxs_initial_margin_at_both_caps_of_the_open_interest() {
    let model = of_x(
        "dydx",
        &[("underlyings", json!({"X": part("dydx", "/underlyings/SOL")}))],
    );
    let slope = exact("0.9") / whole(25_000_000);
    for (interest, rate) in [
        (24_999_999, exact("0.1")),
        (25_000_000, exact("0.1")),
        (25_000_001, exact("0.1") + &slope),
        (49_999_999, exact("1") - &slope),
        (50_000_000, exact("1")),
        (50_000_001, exact("1")),
    ] {
        let mut market = at_price();
        market["perpetual"]["quote"] = json!({"open_interest": interest.to_string()});
        let file = case(
            model.clone(),
            market,
            vec![perpetual()],
            json!([opened(1_000_000)]),
            "0",
        );
        requires(&file, &(rate * whole(1_000_000)), &whole(50_000));
    }
}

/// Paradex's provision is 2 % of net and 1 % of hedged delta, a scan of linear instruments 16 % of the net: of 15 dollars against 14 both are 0.16. Fees of 0.02 % on both sides.
#[test]
fn paradexs_provision_takes_over_where_hedged_delta_costs_as_much_as_the_scan() {
    for (short, body) in [(13, "0.16"), (14, "0.16"), (15, "0.17")] {
        let model = of_x("paradex-pm", &[]);
        let mut file = case(model, at_price(), vec![perpetual()], json!([opened(short + 1)]), "0");
        let other = json!({"venue": "V", "positions": [opened(-short)]});
        file["accounts"].as_array_mut().unwrap().push(other);
        let fees = exact("0.0002") * whole(2 * short + 1);
        // A move of 16 % is a float.
        let evaluation = evaluate(&file);
        for (found, factor) in [(evaluation.initial, "1"), (evaluation.maintenance, "0.5")] {
            let off = found - (exact(body) * exact(factor) + &fees);
            assert!(off.abs() < exact("0.000000000001"), "{short}: {off}");
        }
    }
}
