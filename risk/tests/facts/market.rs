use std::collections::BTreeSet;

use zkmargin_risk::market::{Snapshot, SnapshotError};

use crate::{dec, with};

const SNAPSHOT: &str = include_str!("../fixtures/snapshot.json");

#[test]
fn the_file_round_trips() {
    let snapshot = Snapshot::from_json(SNAPSHOT).unwrap();
    let text = snapshot.to_json().unwrap();
    assert_eq!(Snapshot::from_json(&text).unwrap(), snapshot);
    assert_eq!(
        text.lines().filter(|line| line.contains("volatility")).count(),
        2,
        "a line of text per strike"
    );
    let expiry = &snapshot.underlyings["BTC"].expiries[&"2026-08-28T08:00:00Z".parse().unwrap()];
    assert_eq!(
        expiry.strikes.keys().copied().collect::<Vec<_>>(),
        [dec("60000"), dec("70000")]
    );
    assert!(expiry.strikes[&dec("60000")].call.is_none());
}

#[test]
fn the_digest_is_golden() {
    let digest = |text: &str| Snapshot::from_json(text).unwrap().digest();
    assert_eq!(
        digest(SNAPSHOT).to_string(),
        "28f0eb5060747092f5ab7fcd4a8dedc21b2c5d7aeca80e87496a7ebad59baa9f"
    );
    // The same figures, written and ordered in another way.
    let other = with(SNAPSHOT, r#""index": "64400""#, r#""index": "64400.000""#);
    assert_eq!(digest(&other), digest(SNAPSHOT));
}

#[test]
fn snapshots_that_differ_have_different_digests() {
    let changed = [
        with(SNAPSHOT, "2026-08-06T12:00:00Z", "2026-08-06T12:00:00.001Z"),
        with(SNAPSHOT, "written for tests", "written for testers"),
        with(SNAPSHOT, r#""derived": ["b"]"#, r#""derived": []"#),
        // A text moved to the next list, or divided in two.
        with(
            &with(SNAPSHOT, r#""derived": ["b"]"#, r#""derived": []"#),
            r#"["everything"]"#,
            r#"["b", "everything"]"#,
        ),
        with(SNAPSHOT, r#"["everything"]"#, r#"["every", "thing"]"#),
        with(SNAPSHOT, r#""warnings": 0"#, r#""warnings": 1"#),
        with(SNAPSHOT, r#", "USDC": "0.9999""#, r#", "USDT": "0.9999""#),
        with(SNAPSHOT, r#", "USDC": "0.9999""#, r#", "USDC": "0.9998""#),
        with(SNAPSHOT, r#""rate": "0.01""#, r#""rate": "0.1""#),
        with(SNAPSHOT, r#""price": "64410.5""#, r#""price": "64410.4""#),
        with(SNAPSHOT, r#""funding": "-0.0001""#, r#""funding": "0.0001""#),
        with(SNAPSHOT, r#""forward": "64569.96""#, r#""forward": "64569.9""#),
        with(SNAPSHOT, r#""volatility": "0.4""#, r#""volatility": "0.04""#),
        // The bid becomes the ask, a put becomes a call, a strike's volatility becomes its neighbour's.
        with(
            SNAPSHOT,
            r#""bid": "0.0105", "ask": "0.011", "#,
            r#""bid": "0.011", "ask": "0.0105", "#,
        ),
        with(SNAPSHOT, r#""bid": "0.0105", "#, ""),
        with(
            SNAPSHOT,
            r#""volatility": "0.4", "put""#,
            r#""volatility": "0.4", "call""#,
        ),
        with(
            &with(SNAPSHOT, "0.3512", "0.4000"),
            r#""volatility": "0.4","#,
            r#""volatility": "0.3512","#,
        ),
        with(
            SNAPSHOT,
            r#""quote": {"open_interest": "1000"}"#,
            r#""quote": {"volume": "1000"}"#,
        ),
        with(SNAPSHOT, r#""2026-08-06T08:00:00Z": "64321.5""#, ""),
    ];
    let mut digests = BTreeSet::from([Snapshot::from_json(SNAPSHOT).unwrap().digest()]);
    for text in &changed {
        assert!(digests.insert(Snapshot::from_json(text).unwrap().digest()), "{text}");
    }
}

/// The fixture with one more figure of its expiry.
fn of_expiry(field: &str, figure: &str) -> String {
    let forward = r#""forward": "64569.96""#;
    with(SNAPSHOT, forward, &format!(r#"{forward}, "{field}": "{figure}""#))
}

#[test]
fn a_figure_at_its_bound_is_taken() {
    let bounds = [
        with(SNAPSHOT, r#""rate": "0.01""#, r#""rate": "1""#),
        with(SNAPSHOT, r#""rate": "0.01""#, r#""rate": "-1""#),
        with(SNAPSHOT, r#""funding": "-0.0001""#, r#""funding": "0.1""#),
        with(SNAPSHOT, r#""funding": "-0.0001""#, r#""funding": "-0.1""#),
        of_expiry("rate", "1"),
        of_expiry("rate", "-1"),
        of_expiry("settled", "64569.96"),
        of_expiry("settled", "0"),
    ];
    for text in bounds {
        Snapshot::from_json(&text).unwrap();
    }
}

#[test]
fn each_refusal_names_place_value_and_bound() {
    let cases = [
        (
            with(SNAPSHOT, r#""index": "64400""#, r#""index": "0""#),
            "BTC: index is 0, expected above 0 and at most 1000000000 USD",
        ),
        (
            with(SNAPSHOT, r#""index": "64400""#, r#""index": "-64400""#),
            "BTC: index is -64400",
        ),
        (
            with(SNAPSHOT, r#""index": "64400""#, r#""index": "NaN""#),
            "`NaN` is not an amount",
        ),
        (
            with(SNAPSHOT, r#""index": "64400""#, r#""index": "inf""#),
            "`inf` is not an amount",
        ),
        (
            with(SNAPSHOT, r#""index": "64400""#, r#""index": "6.44e4""#),
            "`6.44e4` is not an amount",
        ),
        (
            with(SNAPSHOT, r#""index": "64400""#, r#""index": 64400"#),
            "expected an amount as a string",
        ),
        (
            with(SNAPSHOT, r#""index": "64400""#, r#""index": "64401""#),
            "asset BTC is 64400 USD, but the index of BTC is 64401",
        ),
        (
            with(SNAPSHOT, r#""forward": "64569.96""#, r#""forward": "1000000000.01""#),
            "BTC, expiry 2026-08-28T08:00:00Z: forward is 1000000000.01",
        ),
        (
            with(SNAPSHOT, r#""rate": "0.01""#, r#""rate": "-1.5""#),
            "BTC: rate is -1.5, expected -1 to 1",
        ),
        (
            with(SNAPSHOT, r#""rate": "0.01""#, r#""rate": "1.01""#),
            "BTC: rate is 1.01, expected -1 to 1",
        ),
        (
            with(SNAPSHOT, r#""funding": "-0.0001""#, r#""funding": "0.11""#),
            "BTC, perpetual: funding is 0.11, expected -0.1 to 0.1",
        ),
        (
            with(SNAPSHOT, r#""funding": "-0.0001""#, r#""funding": "-0.11""#),
            "BTC, perpetual: funding is -0.11, expected -0.1 to 0.1",
        ),
        (
            of_expiry("rate", "1.01"),
            "BTC, expiry 2026-08-28T08:00:00Z: rate is 1.01, expected -1 to 1",
        ),
        (
            of_expiry("rate", "-1.01"),
            "BTC, expiry 2026-08-28T08:00:00Z: rate is -1.01, expected -1 to 1",
        ),
        (
            of_expiry("settled", "64569.97"),
            "BTC, expiry 2026-08-28T08:00:00Z: settled is 64569.97, expected 0 to 64569.96",
        ),
        (
            of_expiry("settled", "-0.01"),
            "BTC, expiry 2026-08-28T08:00:00Z: settled is -0.01, expected 0 to 64569.96",
        ),
        (
            with(SNAPSHOT, r#""volatility": "0.4""#, r#""volatility": "0""#),
            "strike 60000: volatility is 0, expected above 0 and at most 10",
        ),
        (
            with(SNAPSHOT, r#""volatility": "0.4""#, r#""volatility": "-0.4""#),
            "volatility is -0.4",
        ),
        (
            with(SNAPSHOT, r#""volatility": "0.4""#, r#""volatility": "40""#),
            "volatility is 40",
        ),
        (
            with(SNAPSHOT, r#""open_interest": "12.5""#, r#""open_interest": "-12.5""#),
            "strike 70000: open interest is -12.5, expected 0 to 1000000000000",
        ),
        (
            with(SNAPSHOT, r#""mark": "0.0107""#, r#""mark": "-0.0107""#),
            "mark is -0.0107, expected 0 to 1000000000",
        ),
        (with(SNAPSHOT, r#""60000": {"#, r#""0": {"#), "strike is 0"),
        (
            with(SNAPSHOT, r#""60000": {"#, r#""70000.0": {"#),
            "the key of this entry occurs twice at line",
        ),
        (
            with(SNAPSHOT, r#""USDC": "0.9999""#, r#""BTC": "64400""#),
            "duplicate field `BTC`",
        ),
        (
            with(
                SNAPSHOT,
                r#"{"volatility": "0.4", "put": {}}"#,
                r#"{"volatility": "0.4"}"#,
            ),
            "strike 60000: it has neither a call nor a put",
        ),
        (
            with(
                SNAPSHOT,
                r#""put": {}}
"#,
                r#""put": {}, "mid": "1"}
"#,
            ),
            "unknown field `mid`",
        ),
        (
            with(SNAPSHOT, "2026-08-06T12:00:00Z", "2026-08-28T08:00:00Z"),
            "BTC, future 2026-08-28T08:00:00Z: expired at 2026-08-28T08:00:00Z, the snapshot is of 2026-08-28T08:00:00Z",
        ),
        (
            with(
                SNAPSHOT,
                r#""2026-08-06T08:00:00Z": "64321.5""#,
                r#""2026-08-07T08:00:00Z": "64321.5""#,
            ),
            "delivery price of 2026-08-07T08:00:00Z, which is after",
        ),
        (with(SNAPSHOT, r#""BTC": {"#, r#""B C": {"#), "`B C` is not a name"),
        (SNAPSHOT[..700].to_owned(), "EOF while parsing"),
    ];
    for (text, expected) in cases {
        let refusal = Snapshot::from_json(&text).unwrap_err().to_string();
        assert!(refusal.contains(expected), "{refusal}, expected {expected}");
    }
    let mut snapshot = Snapshot::from_json(SNAPSHOT).unwrap();
    snapshot.underlyings.clear();
    assert!(matches!(snapshot.check(), Err(SnapshotError::Nothing { .. })));
}
