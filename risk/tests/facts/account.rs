use zkmargin_program::LegId;
use zkmargin_risk::account::{AccountError, AccountFile, AccountVector};

use crate::{universe, with};

const ACCOUNT: &str = include_str!("../fixtures/account.json");

fn lots(text: &str) -> Vec<(usize, u64)> {
    let vector = AccountVector::from_json(text, &universe()).unwrap();
    vector
        .lots()
        .iter()
        .copied()
        .enumerate()
        .filter(|(_, lots)| *lots != 0)
        .collect()
}

#[test]
fn signed_decimals_become_lots_on_legs() {
    // BTC: debt (1), carry credit (2), reserve (4); USDC: balance (5); option: short (8); inverse future: long (9); linear
    // perpetual: short (12), its isolated balance (13) and carry credit (15).
    let expected = [
        (1, 1_050_000_000),
        (2, 15_503_875),
        (4, 1_000_000),
        (5, 100_000),
        (8, 50),
        (9, 1000),
        (12, 250),
        (13, 50_000_000),
        (15, 161_125_000),
    ];
    assert_eq!(lots(ACCOUNT), expected);
}

#[test]
fn carry_is_rounded_against_the_trader() {
    // 1000 contracts of 10 USD at 64500: 10000/64500 = 0.15503875968… BTC, a credit if long, a debit if short.
    let position = r#""contracts":"1000","entry":"64500""#;
    assert!(lots(ACCOUNT).contains(&(2, 15_503_875)));
    let short = with(ACCOUNT, position, r#""contracts":"-1000","entry":"64500""#);
    assert!(lots(&short).contains(&(10, 1000)) && lots(&short).contains(&(3, 15_503_876)));
    // Of an amount that is whole nothing is lost; a given carry is taken as it is, with its sign.
    let whole = with(ACCOUNT, position, r#""contracts":"1000","entry":"62500""#);
    assert!(lots(&whole).contains(&(2, 16_000_000)));
    let given = with(ACCOUNT, position, r#""contracts":"1000","carry":"-0.000000015""#);
    assert!(lots(&given).contains(&(3, 2)));
    let given = with(ACCOUNT, position, r#""contracts":"1000","carry":"0.000000015""#);
    assert!(lots(&given).contains(&(2, 1)));
}

#[test]
fn value_and_carry_are_the_unrealized_profit() {
    // The convention of the module: linear short 0.25 at 64450 gains 0.25 · 450 when the price is 64000.
    let (carry, value) = (16_112.5, -(-0.25 * 64_000.0));
    assert!((carry - value - 0.25 * 450.0_f64).abs() < 1e-9);
    // Inverse long 10000 USD at 64500 gains 10000 · (1/64500 - 1/65000) coins when the price is 65000.
    let (carry, value): (f64, f64) = (10_000.0 / 64_500.0, -10_000.0 / 65_000.0);
    assert!(carry + value > 0.0 && (carry + value - 10_000.0 * (1.0 / 64_500.0 - 1.0 / 65_000.0)).abs() < 1e-12);
}

#[test]
fn each_refusal_names_place_value_and_bound() {
    let cases = [
        (
            with(ACCOUNT, r#""venue": "a""#, r#""venue": "z""#),
            "the universe has no venue `z`",
        ),
        (
            with(ACCOUNT, r#""venue": "a""#, r#""venue": "b""#),
            "venue b lists no instrument `BTC-28AUG26-70000-C`",
        ),
        (
            with(ACCOUNT, "70000-C", "71000-C"),
            "venue a lists no instrument `BTC-28AUG26-71000-C`",
        ),
        (
            with(ACCOUNT, r#""-5.0""#, r#""-5.05""#),
            "position BTC-28AUG26-70000-C: -5.05 is not a whole number of lots of 0.1",
        ),
        (
            with(ACCOUNT, r#""-5.0""#, r#""-28147497671065.6""#),
            "-28147497671065.6 is more than 2^48 - 1 lots of 0.1",
        ),
        (
            with(ACCOUNT, r#""-5.0""#, r#""79228162514264337593543950335""#),
            "is more than 2^48 - 1 lots",
        ),
        (with(ACCOUNT, r#""-5.0""#, r#""1e3""#), "`1e3` is not an amount"),
        (with(ACCOUNT, r#""-5.0""#, "-5.0"), "expected an amount as a string"),
        (
            with(ACCOUNT, r#""-5.0""#, r#""-5.0","entry":"1""#),
            "position BTC-28AUG26-70000-C: an option is paid for",
        ),
        (
            with(ACCOUNT, r#""-5.0""#, r#""-5.0","side":"long""#),
            "unknown field `side`",
        ),
        (
            with(ACCOUNT, r#","entry":"64500""#, ""),
            "position BTC-28AUG26: a future or perpetual needs an entry price or a carry",
        ),
        (
            with(ACCOUNT, r#","entry":"64500""#, r#","entry":"64500","carry":"1""#),
            "it has both an entry price and a carry",
        ),
        (
            with(ACCOUNT, r#","entry":"64500""#, r#","entry":"0""#),
            "entry is 0, expected above 0 and at most 1000000000 USD",
        ),
        (with(ACCOUNT, r#","entry":"64500""#, r#","entry":"-1""#), "entry is -1"),
        (
            with(ACCOUNT, r#","entry":"64500""#, r#","carry":"2814749.76710656""#),
            "carry BTC: about 2814749.767",
        ),
        (
            with(
                ACCOUNT,
                r#"{"instrument":"BTC-28AUG26","#,
                r#"{"instrument":"BTC-28AUG26-70000-C","#,
            ),
            "position BTC-28AUG26-70000-C has two rows",
        ),
        (
            with(
                ACCOUNT,
                r#""asset":"USDC","amount":"10""#,
                r#""asset":"BTC","amount":"10""#,
            ),
            "balance BTC has two rows",
        ),
        (
            with(
                ACCOUNT,
                r#""asset":"USDC","amount":"10""#,
                r#""asset":"USDT","amount":"10""#,
            ),
            "venue a has no asset `USDT`",
        ),
        (
            with(
                ACCOUNT,
                r#""asset":"USDC","amount":"10""#,
                r#""asset":"USDC","isolated":"X","amount":"10""#,
            ),
            "venue a has no asset `USDC isolated in X`",
        ),
        (
            with(ACCOUNT, r#""amount":"10""#, r#""amount":"0.00001""#),
            "balance USDC: 0.00001 is not a whole number of lots of 0.0001",
        ),
        (
            with(ACCOUNT, r#""amount":"0.01""#, r#""amount":"-0.01""#),
            "reserve BTC: it is below 0",
        ),
        (
            with(
                ACCOUNT,
                r#"{"asset":"BTC","amount":"0.01"}"#,
                r#"{"asset":"USDC","amount":"0.01"}"#,
            ),
            "reserve USDC: nothing settles in this asset",
        ),
        (ACCOUNT[..100].to_owned(), "EOF while parsing"),
    ];
    for (text, expected) in cases {
        let refusal = AccountVector::from_json(&text, &universe()).unwrap_err().to_string();
        assert!(refusal.contains(expected), "{refusal}, expected {expected}");
    }
}

#[test]
fn a_vector_is_checked_as_an_account_is() {
    let universe = universe();
    let vector = AccountVector::from_json(ACCOUNT, &universe).unwrap();
    let again = AccountVector::from_lots(&universe, 0, vector.lots().to_vec()).unwrap();
    assert!(again == vector);
    assert_eq!(
        (again.venue(), again.of(LegId::new(8)), again.of(LegId::new(10_000))),
        (0, 50, 0)
    );
    let changed = |slot: usize, lots: u64| {
        let mut all = vector.lots().to_vec();
        all[slot] = lots;
        AccountVector::from_lots(&universe, 0, all)
    };
    assert!(matches!(changed(7, 1), Err(AccountError::BothLegs { name }) if name == "BTC-28AUG26-70000-C"));
    assert!(matches!(changed(3, 1), Err(AccountError::BothLegs { name }) if name == "BTC"));
    assert!(
        matches!(changed(16, 1), Err(AccountError::BothLegs { name }) if name == "USDC isolated in BTC_USDC-PERPETUAL")
    );
    assert!(matches!(changed(8, 1 << 48), Err(AccountError::Lots { .. })));
    assert!(changed(8, (1 << 48) - 1).is_ok());
    // A slot of the other venue, one that is no leg, and another length.
    assert!(matches!(changed(48, 1), Err(AccountError::Foreign { slot: 48, .. })));
    assert!(matches!(changed(18, 1), Err(AccountError::Foreign { slot: 18, .. })));
    assert!(matches!(
        AccountVector::from_lots(&universe, 0, vec![0; 95]),
        Err(AccountError::Length { length: 95, slots: 96 })
    ));
    assert!(matches!(
        AccountVector::from_lots(&universe, 2, vec![0; 96]),
        Err(AccountError::UnknownVenue(_))
    ));
}

#[test]
fn debug_output_shows_nothing() {
    let file: AccountFile = serde_json::from_str(ACCOUNT).unwrap();
    let vector = AccountVector::from_file(&file, &universe()).unwrap();
    assert_eq!(
        format!("{file:?} {:?} {vector:?}", file.positions[0]),
        "AccountFile { .. } PositionFile { .. } AccountVector { .. }"
    );
}
