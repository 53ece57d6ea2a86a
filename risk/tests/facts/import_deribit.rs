use zkmargin_risk::amount::to_f64;
use zkmargin_risk::import::deribit_api::{self, Answers};
use zkmargin_risk::import::{DEFAULT_MIN_TENOR_MS, ImportError, Imported, Omitted, deribit_recording};
use zkmargin_risk::pricing::Black76;
use zkmargin_risk::universe::Right::{Call, Put};

use crate::{dec, source, with};

const INSTRUMENTS: &str = include_str!("../fixtures/deribit_api/btc-instruments.json");
const OPTIONS: &str = include_str!("../fixtures/deribit_api/btc-options.json");
const FUTURES: &str = include_str!("../fixtures/deribit_api/btc-futures.json");
const PERPETUAL: &str = include_str!("../fixtures/deribit_api/btc-perpetual.json");
const ANSWERS: Answers<'static> = Answers {
    instruments: INSTRUMENTS,
    options: OPTIONS,
    futures: FUTURES,
    perpetual: PERPETUAL,
};

fn api(answers: Answers<'_>) -> Result<Imported, ImportError> {
    deribit_api::import(&[answers], DEFAULT_MIN_TENOR_MS, &source())
}

#[test]
fn answers_of_the_api_become_a_snapshot() {
    let Imported { snapshot, report } = api(ANSWERS).unwrap();
    assert_eq!(snapshot.instant.to_string(), "2026-08-07T07:29:03.250Z");
    assert_eq!(
        (report.options, report.expiries, report.futures, report.perpetuals),
        (3, 1, 1, 1)
    );
    let btc = &snapshot.underlyings["BTC"];
    let (instant, expiry) = btc.expiries.iter().next().unwrap();
    assert_eq!(
        (instant.to_string().as_str(), expiry.forward),
        ("2026-08-28T08:00:00Z", dec("64570.12"))
    );
    let strike = &expiry.strikes[&dec("70000")];
    assert_eq!(strike.volatility, dec("0.3512"));
    let call = strike.call.unwrap();
    assert_eq!(
        (call.bid, call.ask, call.mark),
        (Some(dec("0.0105")), Some(dec("0.011")), Some(dec("0.01071")))
    );
    assert_eq!((call.open_interest, call.volume), (Some(dec("1250")), Some(dec("3"))));
    assert_eq!(
        strike.put.unwrap().open_interest,
        Some(dec("70")),
        "an amount with an exponent is exact"
    );
    assert_eq!(btc.futures[instant].price, dec("64571.03"));
    let perpetual = btc.perpetual.as_ref().unwrap();
    assert_eq!(
        (btc.index, perpetual.price, perpetual.funding),
        (dec("64415.57"), dec("64418.25"), dec("0.00001234"))
    );
    assert_eq!(perpetual.quote.volume, Some(dec("4000.12345678")));
    let omitted = |list: &[Omitted]| {
        list.iter()
            .map(|one| format!("{}: {}", one.instrument, one.reason))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        omitted(&report.dropped),
        [
            "BTC_USDC-28AUG26-70000-C: not inverse",
            "BTC-7AUG26-64000-C: expires in 30 min, the least is 60 min",
            "BTC-28AUG26-99000-C: not among the instruments",
            "BTC-FS-28AUG26_PERP: neither option nor future",
        ]
    );
    assert_eq!(
        omitted(&report.unpriced),
        ["BTC-28AUG26-90000-C: no mark volatility or no underlying price"]
    );
}

#[test]
fn each_bad_answer_is_refused_by_place_value_and_bound() {
    let error = r#"{"jsonrpc":"2.0","error":{"message":"Invalid params","code":-32602}}"#;
    let time = r#""timestamp":1786087743250"#;
    let (late, other) = (
        with(PERPETUAL, time, r#""timestamp":1786087801001"#),
        with(PERPETUAL, "BTC-PERPETUAL", "BTC_USDC-PERPETUAL"),
    );
    let truncated = &OPTIONS[..500];
    let negative = with(OPTIONS, "38.21", "-38.21");
    let gap = with(OPTIONS, "35.13", "36.13");
    let forward = with(OPTIONS, "64568.9", "64000");
    let expiry = INSTRUMENTS.replacen("1787904000000", "1787904000001", 1);
    let null = with(PERPETUAL, r#""index_price":64415.57"#, r#""index_price":null"#);
    let absurd = with(PERPETUAL, r#""index_price":64415.57"#, r#""index_price":1e300"#);
    let twice = FUTURES.replace("BTC-PERPETUAL", "BTC-28AUG26");
    let cases = [
        (
            Answers {
                options: error,
                ..ANSWERS
            },
            "options: the answer is an error: {\"message\":\"Invalid params\"",
        ),
        (
            Answers {
                options: "{}",
                ..ANSWERS
            },
            "options: the answer has no result",
        ),
        (
            Answers {
                options: truncated,
                ..ANSWERS
            },
            "options: EOF while parsing",
        ),
        (
            Answers {
                perpetual: &late,
                ..ANSWERS
            },
            "BTC-28AUG26-60000-P: timestamp is `1786087741000`, expected at most 60000 ms before",
        ),
        (
            Answers {
                perpetual: &other,
                ..ANSWERS
            },
            "perpetual: instrument_name is `BTC_USDC-PERPETUAL`, expected an inverse perpetual",
        ),
        (
            Answers {
                options: &negative,
                ..ANSWERS
            },
            "strike 60000: volatility is -0.3821, expected above 0",
        ),
        (
            Answers {
                options: &gap,
                ..ANSWERS
            },
            "strike 70000: volatility of the call 0.3512, of the put 0.3613",
        ),
        (
            Answers {
                options: &forward,
                ..ANSWERS
            },
            "forwards from 64000 to 64570.12",
        ),
        (
            Answers {
                instruments: &expiry,
                ..ANSWERS
            },
            "instruments, BTC-28AUG26: expiration_timestamp is `1787904000001`, expected 1787904000000",
        ),
        (
            Answers {
                perpetual: &null,
                ..ANSWERS
            },
            "perpetual, BTC-PERPETUAL: index_price is `null`",
        ),
        (
            Answers {
                perpetual: &absurd,
                ..ANSWERS
            },
            "perpetual, BTC-PERPETUAL: index_price is `1e300`",
        ),
        (
            Answers {
                futures: &twice,
                ..ANSWERS
            },
            "futures: BTC-28AUG26 occurs twice",
        ),
    ];
    for (answers, expected) in cases {
        let refusal = api(answers).unwrap_err().to_string();
        assert!(refusal.contains(expected), "{refusal}, expected {expected}");
    }
    let both = deribit_api::import(&[ANSWERS, ANSWERS], DEFAULT_MIN_TENOR_MS, &source());
    assert!(matches!(both, Err(ImportError::Duplicate { .. })));
    let none = deribit_api::import(&[], DEFAULT_MIN_TENOR_MS, &source()).unwrap_err();
    assert_eq!(none.to_string(), "answers: there are none");
}

const RECORDING: &str = include_str!("../fixtures/deribit_recording.json");

fn recording(json: &str) -> Result<Imported, ImportError> {
    deribit_recording::import(json, DEFAULT_MIN_TENOR_MS, &source())
}

#[test]
fn a_recording_of_order_books_becomes_a_snapshot() {
    let Imported { snapshot, report } = recording(RECORDING).unwrap();
    assert_eq!(snapshot.instant.to_string(), "2026-08-06T12:00:00.320Z");
    assert_eq!(
        (report.options, report.expiries, report.futures, report.perpetuals),
        (4, 1, 1, 1)
    );
    let btc = &snapshot.underlyings["BTC"];
    let (instant, expiry) = btc.expiries.iter().next().unwrap();
    assert_eq!((expiry.forward, btc.index), (dec("64571.25"), dec("64417.75")));
    // The volatility of the out-of-the-money option gives back the mid of its quotes.
    let years = instant.millis_since(snapshot.instant) as f64 / (365.0 * 86_400_000.0);
    let value = |strike: &str, volatility: rust_decimal::Decimal, right| {
        let (forward, strike) = (to_f64(expiry.forward), to_f64(dec(strike)));
        let black = Black76::new(forward, strike, to_f64(volatility), years, 0.0).unwrap();
        black.value(right) / forward
    };
    for (strike, right, mid) in [("60000", Put, 0.0125), ("70000", Call, 0.01075), ("80000", Put, 0.241)] {
        let volatility = expiry.strikes[&dec(strike)].volatility;
        assert!(
            (value(strike, volatility, right) - mid).abs() < 1e-6,
            "{strike}: {volatility}"
        );
    }
    // The strike of 80000 has its volatility from the put, since the call has no bid; the call is left out.
    let options = &expiry.strikes[&dec("80000")];
    assert!(options.call.is_none() && options.put.is_some());
    let omitted: Vec<String> = report
        .unpriced
        .iter()
        .map(|one| format!("{}: {}", one.instrument, one.reason))
        .collect();
    assert_eq!(
        omitted,
        [
            "BTC-25SEP26: no bid and ask",
            "BTC-28AUG26-80000-C: no bid and ask",
            "BTC-28AUG26-110000-P: bid and ask tell no volatility",
            "BTC-25SEP26-70000-C: its expiry has no future with bid and ask",
        ]
    );
}

#[test]
fn each_bad_recording_is_refused_by_place_value_and_bound() {
    let options = r#"{"instrument_name": "BTC-28AUG26-70000-C", "bid_price": 0.0105"#;
    let cases = [
        (
            with(RECORDING, "2026-08-06T12:00:00.320127+00:00", "yesterday"),
            "recording: as_of is `yesterday`",
        ),
        (
            with(RECORDING, "2026-08-06T12:00:00.320127+00:00", "2026-08-28T08:00:00Z"),
            "expired at 2026-08-28T08:00:00Z",
        ),
        (
            with(
                RECORDING,
                options,
                r#"{"instrument_name": "BTC-28AUG26-60000-P", "bid_price": 0.0105"#,
            ),
            "recording: BTC-28AUG26-60000-P occurs twice",
        ),
        (
            with(
                RECORDING,
                options,
                r#"{"instrument_name": "BTC-28AUG26-C", "bid_price": 0.0105"#,
            ),
            "`BTC-28AUG26-C` is not an instrument's name",
        ),
        (
            with(
                RECORDING,
                options,
                r#"{"instrument_name": "BTC-28AUG26-70000-C", "bid_price": "a""#,
            ),
            "recording, BTC-28AUG26-70000-C: bid_price is `\"a\"`",
        ),
        (
            with(
                RECORDING,
                options,
                r#"{"instrument_name": "BTC-28AUG26-70000-C", "bid_price": -0.0105"#,
            ),
            "recording, BTC-28AUG26-70000-C: bid_price is `-0.0105`, expected at least 0",
        ),
        (RECORDING[..300].to_owned(), "recording: EOF while parsing"),
        (
            RECORDING.replace("64417.5,", "null,").replace("64570.0,", "null,"),
            "recording, BTC: neither perpetual nor future has bid and ask",
        ),
        (
            RECORDING.replacen("1787904000000", "1787904000001", 1),
            "recording, BTC-28AUG26: expiration_timestamp is `1787904000001`",
        ),
    ];
    for (json, expected) in cases {
        match recording(&json) {
            Err(refusal) => assert!(refusal.to_string().contains(expected), "{refusal}, expected {expected}"),
            Ok(imported) => panic!("expected {expected}, not {:?}", imported.report),
        }
    }
}
