//! Books that have no margin.

use zkmargin_risk::oracle::{OracleError, Uncounted};

use super::*;

fn reasons_of(model: &Model, universe: &Universe, snapshot: &Snapshot, legs: &[u64]) -> Vec<(String, Uncounted)> {
    match oracle::evaluate(model, universe, snapshot, legs) {
        Err(OracleError::NotCounted(held)) => held.into_iter().map(|held| (held.line, held.reason)).collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_does_not_count_is_named() {
    let lines = json!([
        asset("USDC"),
        asset("DOGE"),
        asset("BTC"),
        {"asset": {"name": "USDC", "isolated": "ISO", "lot": "0.01", "carry": true, "reserve": true}},
        perpetual("ISO", "linear", "USDC", "1"),
        perpetual("MEME", "linear", "DOGE", "1"),
        perpetual("COIN", "linear", "BTC", "1"),
        option("OLD", "linear", "USDC", "123", "1"),
    ]);
    let universe = universe(lines);
    let (model, snapshot) = (Model::preset("paradex-pm").unwrap(), linear_snapshot());
    let perpetual = |name: &str| json!({"instrument": name, "contracts": "1", "carry": "0"});
    let positions =
        json!([perpetual("ISO"), perpetual("MEME"), perpetual("COIN"), {"instrument": "OLD", "contracts": "-1"}]);
    let book = legs(
        &universe,
        positions,
        json!([{"asset": "DOGE", "amount": "-1"}, {"asset": "USDC", "isolated": "ISO", "amount": "-2"}]),
    );
    let refused = reasons_of(&model, &universe, &snapshot, &book);
    let names: Vec<&str> = refused.iter().map(|(line, _)| line.as_str()).collect();
    assert_eq!(
        names,
        ["DOGE debt", "USDC isolated in ISO debt", "ISO", "MEME", "COIN", "OLD"]
    );
    assert!(matches!(refused[1].1, Uncounted::NotCross(_)));
    assert_eq!(refused[2].1, Uncounted::Isolated);
    assert!(matches!(refused[3].1, Uncounted::Settlement { .. }));
    assert!(matches!(refused[4].1, Uncounted::MoneyMoves { .. }));
    assert!(matches!(refused[5].1, Uncounted::Unpriced(_)));

    // A balance alone is worth nothing, and no more.
    let balances = json!([{"asset": "DOGE", "amount": "7"}, {"asset": "USDC", "amount": "5"}, {"asset": "USDC", "isolated": "ISO", "amount": "2"}]);
    let book = oracle::evaluate(&model, &universe, &snapshot, &legs(&universe, json!([]), balances)).unwrap();
    assert_eq!(
        (book.value.clone(), book.net_liquidation_value()),
        (exact("5"), exact("7"))
    );
    assert_eq!(
        book.collateral.iter().filter(|line| line.uncounted.is_some()).count(),
        2
    );

    let deribit = Model::preset("deribit-pm").unwrap();
    let linear = linear_legs(&linear_universe(), "1");
    let reasons = reasons_of(&deribit, &linear_universe(), &snapshot, &linear);
    assert!(
        reasons
            .iter()
            .all(|(_, reason)| matches!(reason, Uncounted::ProfitInCoins(_)))
            && reasons.len() == 2
    );
}

#[test]
fn a_book_of_another_universe_is_refused() {
    let (universe, model, snapshot) = (linear_universe(), linear_model(), linear_snapshot());
    let mut book = linear_legs(&universe, "1");
    assert!(matches!(
        oracle::evaluate(&model, &universe, &snapshot, &book[1..]),
        Err(OracleError::Length { length: 47, slots: 48 })
    ));
    book[40] = 1;
    assert!(matches!(
        oracle::evaluate(&model, &universe, &snapshot, &book),
        Err(OracleError::NoLeg { slot: 40 })
    ));
}
