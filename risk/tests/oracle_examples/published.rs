//! Figures that venues print in their documentation.

use num_traits::Signed;
use zkmargin_risk::report::{Rounding, decimal};

use super::*;

/// Paradex's documentation of its delta provision: one perpetual long and five calls of delta 0.3 short at a spot of 70,000, so
/// net delta 0.5, gross 2.5, hedged (2.5 - 0.5) / 2 = 1; `(0.02 · net + 0.01 · hedged) · spot = 1400`. Here the calls' delta of 1.5 is
/// three contracts of half a coin with delta 1, which is exact.
#[test]
fn the_delta_provision_of_paradexs_documentation() {
    let universe = universe(json!([
        asset("USDC"),
        perpetual("PERP", "linear", "USDC", "1"),
        option("CALL", "linear", "USDC", "40000", "0.5")
    ]));
    let snapshot = snapshot(
        "2026-08-18T08:00:00Z",
        json!({"USDC": "1"}),
        market("70000", "40000", "0"),
    );
    let positions =
        json!([{"instrument": "PERP", "contracts": "1", "entry": "70000"}, {"instrument": "CALL", "contracts": "-3"}]);
    let legs = legs(&universe, positions, json!([]));
    let book = oracle::evaluate(&Model::preset("paradex-pm").unwrap(), &universe, &snapshot, &legs).unwrap();
    let btc = &book.underlyings["BTC"];
    let hedged = (&btc.gross_delta - btc.net_delta.abs()) / exact("2");
    assert_eq!(
        (btc.net_delta.clone(), btc.gross_delta.clone(), hedged),
        (exact("-0.5"), exact("2.5"), exact("1"))
    );
    assert_eq!(book.groups[0].delta_provision, exact("1400"));
}

/// Deribit's API documentation, response example of `private/pme/simulate` (17 June 2024): 0.314538364 BTC of perpetual at 65,910.57 and
/// -0.001187534 BTC of BTC-28JUN24 at 67,371.75, index 65,666.19; all in BTC, printed to 9 to 18 digits.
mod deribit {
    use super::*;

    const PERPETUAL: (&str, &str) = ("0.314538364", "65910.57");
    const FUTURE: (&str, &str) = ("0.001187534", "67371.75");

    fn close(found: &BigRational, printed: f64) {
        let difference = found - BigRational::from_float(printed).unwrap();
        assert!(
            difference.abs() < exact("0.000000001"),
            "{} against {printed}",
            decimal(found, 15, Rounding::Nearest)
        );
    }

    /// What `deribit-pm` makes of some contracts of each; one contract is the documented size. In coins.
    fn book(perpetual: &str, future: &str) -> Evaluation {
        let size = |(coins, price): (&str, &str)| {
            (amount::parse(coins).unwrap() * amount::parse(price).unwrap())
                .normalize()
                .to_string()
        };
        let line = |name: &str, kind: Value, contract: String| json!({"instrument": {"name": name, "underlying": "BTC", "kind": kind, "style": "inverse", "settlement": "BTC", "contract": contract, "lot": "1"}});
        let expiry = "2024-06-28T08:00:00Z";
        let universe = universe(json!([
            asset("BTC"),
            line("BTC-PERPETUAL", json!("perpetual"), size(PERPETUAL)),
            line("BTC-28JUN24", json!({"future": {"expiry": expiry}}), size(FUTURE)),
        ]));
        let btc = json!({"index": "65666.19", "rate": "0", "perpetual": {"price": PERPETUAL.1, "funding": "0"}, "futures": {expiry: {"price": FUTURE.1}}});
        // 1718619740501 milliseconds
        let snapshot = snapshot("2024-06-17T10:22:20.501Z", json!({}), json!({"BTC": btc}));
        let position = |name: &str, contracts: &str| json!({"instrument": name, "contracts": contracts, "carry": "0"});
        let legs = legs(
            &universe,
            json!([position("BTC-PERPETUAL", perpetual), position("BTC-28JUN24", future)]),
            json!([]),
        );
        oracle::evaluate(&Model::preset("deribit-pm").unwrap(), &universe, &snapshot, &legs).unwrap()
    }

    fn coins(usd: &BigRational) -> BigRational {
        usd / exact("65666.19")
    }

    fn standard_rows(book: &Evaluation) -> Vec<BigRational> {
        // Nine moves, each with volatility up, none, down; linear in price, so all three agree.
        let rows = &book.underlyings["BTC"].rows[..27];
        rows.chunks(3)
            .for_each(|row| assert!(row[0] == row[1] && row[1] == row[2]));
        rows.iter().step_by(3).map(|row| coins(&row.weighted)).collect()
    }

    #[test]
    fn its_grid_of_the_perpetual() {
        let printed = [
            -0.05991206933333334,
            -0.04289159509090909,
            -0.027351162086956524,
            -0.013105765166666668,
            0.0,
            0.012097629384615385,
            0.023299138074074074,
            0.033700538999999995,
            0.043384601931034494,
        ];
        let book = book("1", "0");
        for (found, printed) in standard_rows(&book).iter().zip(printed) {
            close(found, printed);
        }
        // The extended rows are damped so that a linear book loses what it loses at the edge of the table: the weights of this model.
        let extended = &book.underlyings["BTC"].rows[27..];
        assert_eq!(extended.len(), 8);
        for (row, found) in extended.iter().enumerate() {
            close(&coins(&found.weighted), if row < 2 { printed[0] } else { printed[8] });
        }
    }

    #[test]
    fn its_grid_of_the_future() {
        let printed = [
            0.0002261969523809524,
            0.00016193645454545456,
            0.00010326382608695652,
            4.948058333333334e-05,
            0.0,
            -4.567438461538462e-05,
            -8.796548148148148e-05,
            -0.0001272357857142857,
            -0.00016379779310344832,
        ];
        for (found, printed) in standard_rows(&book("0", "-1")).iter().zip(printed) {
            close(found, printed);
        }
    }

    #[test]
    fn its_worst_case_roll_charge_and_margin() {
        let book = book("1", "-1");
        close(&coins(&book.groups[0].body), 0.05968587238095239);
        close(&coins(&book.underlyings["BTC"].roll), 0.00315725898);
        close(&coins(&book.initial), 0.06284313098); // `risk_matrix_margin`: without market-maker protection and open orders
        close(&coins(&book.maintenance), 0.050274504784);
    }
}
