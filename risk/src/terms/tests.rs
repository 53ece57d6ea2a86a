#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
use super::*;
use crate::model::fixture::{self, asset_at, instrument};
use crate::oracle::with_public_amounts;

fn with(order: &str) -> Vec<(LegId, u64)> {
    let universe = fixture::universe();
    let order = Order::parse(order, &universe).unwrap();
    Terms {
        order: Some(order),
        ..Terms::at(Level::Initial)
    }
    .public_amounts(&universe)
    .unwrap()
}

fn sorted(mut amounts: Vec<(LegId, u64)>) -> Vec<(LegId, u64)> {
    amounts.sort_unstable();
    amounts
}

#[test]
fn a_sale_of_options_adds_to_short_and_what_is_left_of_the_premium_to_the_balance() {
    let universe = fixture::universe();
    let (option, coin) = (
        instrument(&universe, "BTC-28AUG26-70000-C"),
        asset_at(&universe, "alpha", "BTC"),
    );
    // 5 contracts in lots of 0.1; 0.1075 BTC received and 0.0015 BTC paid in lots of 1e-8
    let expected = vec![(option.short, 50), (coin.balance, 10_600_000)];
    assert_eq!(with("sell 5 BTC-28AUG26-70000-C @ 0.0215 fee 0.0003"), sorted(expected));
    // A fee that eats it up is no reason to net what other accounts hold and owe.
    assert_eq!(
        with("sell 0.1 BTC-28AUG26-70000-C @ 10000 fee 10000"),
        vec![(option.short, 1)]
    );
    let expected = vec![(option.short, 1), (coin.debt, 100_000_000)];
    assert_eq!(with("sell 0.1 BTC-28AUG26-70000-C @ 10 fee 20"), sorted(expected));
}

#[test]
fn a_purchase_adds_to_long_and_all_of_it_to_debt_rounded_up_once() {
    let universe = fixture::universe();
    let (option, coin) = (
        instrument(&universe, "BTC-28AUG26-70000-C"),
        asset_at(&universe, "alpha", "BTC"),
    );
    // 0.1 * 0.02150000004 + 0.1 * 0.0000000001 = 0.002150000014 BTC, up to 0.00215001
    let expected = vec![(option.long, 1), (coin.debt, 215_001)];
    assert_eq!(
        with("buy 0.1 BTC-28AUG26-70000-C @ 0.02150000004 fee 0.0000000001"),
        sorted(expected)
    );
}

/// In the legs that a statement makes public, and in the book that the oracle evaluates.
#[test]
fn a_premium_is_of_the_coins_in_a_contract() {
    let option = r#"[{"instrument":{"name":"X","underlying":"BTC","kind":{"option":{"expiry":"2026-08-28T08:00:00Z","strike":"70000","right":"call"}},
        "style":"inverse","settlement":"BTC","contract":"0.01","lot":"1"}}]"#;
    let universe = fixture::universe();
    let universe = universe
        .extend("alpha", &serde_json::from_str::<Vec<_>>(option).unwrap())
        .unwrap();
    let (option, coin) = (instrument(&universe, "X"), asset_at(&universe, "alpha", "BTC"));
    let nothing = vec![0; universe.layout().slots()];
    // 100 contracts of 0.01 BTC at 0.02 are 0.02 BTC in lots of 1e-8.
    for (order, position, cash) in [
        ("sell 100 X @ 0.02", option.short, coin.balance),
        ("buy 100 X @ 0.02", option.long, coin.debt),
    ] {
        let terms = Terms {
            order: Some(Order::parse(order, &universe).unwrap()),
            ..Terms::at(Level::Initial)
        };
        let expected = sorted(vec![(position, 100), (cash, 2_000_000)]);
        assert_eq!(terms.public_amounts(&universe).unwrap(), expected);
        let book = with_public_amounts(&universe, &terms, &nothing).unwrap();
        assert_eq!((book[position.index()], book[cash.index()]), (100, 2_000_000));
    }
}

#[test]
fn a_receipt_is_rounded_down() {
    let universe = fixture::universe();
    let coin = asset_at(&universe, "alpha", "BTC");
    let amounts = with("sell 0.1 BTC-28AUG26-70000-C @ 0.02159999999");
    assert!(amounts.contains(&(coin.balance, 215_999)), "{amounts:?}");
    assert!(!amounts.iter().any(|(leg, _)| *leg == coin.debt), "no fee, no debt");
}

#[test]
fn futures_move_carry_credits_down_and_debits_up() {
    let universe = fixture::universe();
    let (coin, money) = (asset_at(&universe, "beta", "BTC"), asset_at(&universe, "beta", "USDC"));
    let (coin_carry, money_carry) = (coin.carry.unwrap(), money.carry.unwrap());
    let inverse = instrument(&universe, "BTC-PERPETUAL");
    // 70 USD at 64,000: 0.00109375 BTC exactly; at 63,000: 0.001111111...
    assert_eq!(
        with("buy 7 BTC-PERPETUAL @ 64000"),
        sorted(vec![(inverse.long, 7), (coin_carry.first, 109_375)])
    );
    assert_eq!(
        with("buy 7 BTC-PERPETUAL @ 63000"),
        sorted(vec![(inverse.long, 7), (coin_carry.first, 111_111)])
    );
    assert_eq!(
        with("sell 7 BTC-PERPETUAL @ 63000"),
        sorted(vec![(inverse.short, 7), (coin_carry.second, 111_112)])
    );
    let linear = instrument(&universe, "BTC_USDC-PERPETUAL");
    let buy = with("buy 0.0003 BTC_USDC-PERPETUAL @ 64000.25 fee 1");
    // 19.200075 USDC up to 19.2001, fee 0.0003 USDC
    assert_eq!(
        buy,
        sorted(vec![(linear.long, 3), (money_carry.second, 192_001), (money.debt, 3)])
    );
    let sell = with("sell 0.0003 BTC_USDC-PERPETUAL @ 64000.25");
    assert_eq!(sell, sorted(vec![(linear.short, 3), (money_carry.first, 192_000)]));
}

#[test]
fn touched_pairs_are_those_of_every_leg_that_is_added_to() {
    let universe = fixture::universe();
    let order = Order::parse("sell 5 BTC-28AUG26-70000-C @ 0.0215 fee 0.0003", &universe).unwrap();
    let deposit = Deposit::parse("1000 beta:USDC", &universe).unwrap();
    let terms = Terms {
        order: Some(order),
        deposit: Some(deposit),
        ..Terms::at(Level::Initial)
    };
    let mut expected = vec![
        instrument(&universe, "BTC-28AUG26-70000-C").pair(),
        asset_at(&universe, "alpha", "BTC").pair(),
        asset_at(&universe, "beta", "USDC").pair(),
    ];
    let touched = terms.touched_pairs(&universe).unwrap();
    let mut pairs: Vec<_> = touched.iter().map(|(pair, _)| *pair).collect();
    pairs.sort_unstable();
    expected.sort_unstable();
    assert_eq!(pairs, expected);
    // Of the leg that has more.
    let amounts = terms.public_amounts(&universe).unwrap();
    for (pair, public) in touched {
        let of_pair = amounts
            .iter()
            .filter(|(leg, _)| [pair.first, pair.second].contains(leg));
        assert_eq!(Some(public), of_pair.map(|(_, lots)| *lots).max());
    }
    assert!(Terms::at(Level::Initial).touched_pairs(&universe).unwrap().is_empty());
}

#[test]
fn an_order_that_spends_a_deposit_nets_nothing_else() {
    let universe = fixture::universe();
    let coin = asset_at(&universe, "alpha", "BTC");
    let terms = Terms {
        order: Some(Order::parse("buy 1 BTC-28AUG26-70000-C @ 0.5", &universe).unwrap()),
        deposit: Some(Deposit::parse("0.5 alpha:BTC", &universe).unwrap()),
        ..Terms::at(Level::Initial)
    };
    let touched = terms.touched_pairs(&universe).unwrap();
    assert!(touched.contains(&(coin.pair(), 50_000_000)), "{touched:?}");
}

#[test]
fn an_order_and_a_deposit_on_one_leg_add_up() {
    let universe = fixture::universe();
    let coin = asset_at(&universe, "alpha", "BTC");
    let order = Order::parse("sell 1 BTC-28AUG26-70000-C @ 0.02", &universe).unwrap();
    let deposit = Deposit::parse("0.5 alpha:BTC", &universe).unwrap();
    let terms = Terms {
        order: Some(order),
        deposit: Some(deposit),
        ..Terms::at(Level::Initial)
    };
    assert!(
        terms
            .public_amounts(&universe)
            .unwrap()
            .contains(&(coin.balance, 52_000_000))
    );
}

#[test]
fn what_is_not_an_order_is_refused_with_the_reason() {
    let universe = fixture::universe();
    let refusal = |text: &str| Order::parse(text, &universe).unwrap_err().to_string();
    for text in [
        "",
        "sell",
        "sell 5 BTC-28AUG26-70000-C 0.0215",
        "short 5 BTC-28AUG26-70000-C @ 1",
        "sell 5 BTC-28AUG26-70000-C @ 1 fee",
    ] {
        assert!(refusal(text).contains("is not an order"), "{text}");
    }
    assert!(refusal("sell five BTC-28AUG26-70000-C @ 1").starts_with("contracts: `five` is not an amount"));
    assert!(refusal("sell 5 BTC-28AUG26-70000-C @ NaN").starts_with("price: `NaN` is not an amount"));
    assert!(refusal("sell 5 DOGE-C @ 1").contains("no instrument `DOGE-C`"));
    assert!(refusal("sell 5 gamma:BTC-PERPETUAL @ 1").contains("no venue `gamma`"));
    assert!(refusal("sell 5 alpha:BTC-PERPETUAL @ 1").contains("no instrument `alpha:BTC-PERPETUAL`"));
    assert!(refusal("sell 0.25 BTC-28AUG26-70000-C @ 0.02").contains("not a whole number of lots of 0.1"));
    assert!(refusal("sell 0 BTC-28AUG26-70000-C @ 0.02").contains("contracts is 0, expected above 0"));
    assert!(refusal("sell -5 BTC-28AUG26-70000-C @ 0.02").contains("contracts is -5"));
    assert!(refusal("sell 5 BTC-28AUG26-70000-C @ -0.02").contains("price is -0.02"));
    assert!(refusal("sell 5 BTC-28AUG26-70000-C @ 0.02 fee -1").contains("fee is -1"));
    assert!(refusal("buy 5 BTC-PERPETUAL @ 0").contains("price is 0, expected above 0"));
    assert!(refusal("buy 100000000000 BTC-PERPETUAL @ 1").contains("contracts is 100000000000"));
    assert!(
        refusal("sell 1000000000 BTC-28AUG26-70000-C @ 1000000000").contains("premium and fee of BTC-28AUG26-70000-C")
    );
    let refusal = |text: &str| Deposit::parse(text, &universe).unwrap_err().to_string();
    assert!(
        refusal("1000 USDC").contains("listed at alpha and beta"),
        "{}",
        refusal("1000 USDC")
    );
    assert!(refusal("1000").contains("is not a deposit"));
    assert!(refusal("0.00001 beta:USDC").contains("not a whole number of lots"));
}

#[test]
fn texts_are_read_back() {
    let universe = fixture::universe();
    let order = Order::parse("sell 5.0 BTC-28AUG26-70000-C @ 0.0215", &universe).unwrap();
    assert_eq!(order.to_string(), "sell 5 alpha:BTC-28AUG26-70000-C @ 0.0215 fee 0");
    assert_eq!(Order::parse(&order.to_string(), &universe).unwrap(), order);
    let deposit = Deposit::parse("2.5 beta:BTC", &universe).unwrap();
    assert_eq!(Deposit::parse(&deposit.to_string(), &universe).unwrap(), deposit);
    for (text, twentieths) in [("1", 20), ("1.05", 21), ("1.00", 20), ("100", 2_000)] {
        let ratio: Ratio20 = text.parse().unwrap();
        assert_eq!(ratio.twentieths(), twentieths);
        assert_eq!(ratio.to_string().parse::<Ratio20>().unwrap(), ratio);
    }
    for text in ["0.95", "1.01", "100.05", "-1", "x", "1e2"] {
        assert!(text.parse::<Ratio20>().is_err(), "{text}");
    }
}

#[test]
fn name_that_is_none_is_quoted_and_says_nothing_to_a_terminal() {
    for text in ["x\nVALID", "\u{1b}[2K\rVALID", "a\u{7f}b"] {
        let mut w = Writer::new();
        w.array(3);
        w.text(text);
        w.text("USDC");
        w.decimal(Decimal::ONE);
        let bytes = w.into_bytes();
        let error = Deposit::read(&mut Reader::new(&bytes)).unwrap_err().to_string();
        assert!(
            error.contains("venue") && !error.contains(char::is_control),
            "{error:?}"
        );
    }
}

#[test]
fn terms_have_one_encoding() {
    let universe = fixture::universe();
    let order = Order::parse("buy 5 BTC-28AUG26-70000-C @ 0.0215 fee 0.0003", &universe).unwrap();
    let deposit = Deposit::parse("2.5 beta:BTC", &universe).unwrap();
    let terms = Terms {
        margin: Level::Maintenance.into(),
        ratio: Ratio20::new(25).unwrap(),
        excess: 1_000,
        order: Some(order),
        deposit: Some(deposit),
    };
    for terms in [terms, Terms::at(Level::Initial)] {
        assert_eq!(Terms::from_canonical(&terms.to_canonical()).unwrap(), terms);
    }
    // Ratio below one, level unknown.
    assert!(Terms::from_canonical(&[0x85, 0x00, 0x13, 0x00, 0x80, 0x80]).is_err());
    assert!(Terms::from_canonical(&[0x85, 0x03, 0x14, 0x00, 0x80, 0x80]).is_err());
}
