use std::collections::BTreeSet;

use zkmargin_program::{LegId, Pair};
use zkmargin_risk::listing::{AssetFile, LineFile};
use zkmargin_risk::universe::{Kind, Universe, UniverseError};

use crate::{UNIVERSE, universe, with};

#[test]
fn legs_stand_in_rows_in_the_order_of_the_lines() {
    let universe = universe();
    let legs = |venue: usize| {
        let lines = universe.venues()[venue].lines.iter();
        lines
            .map(|line| line.legs().into_iter().map(LegId::index).collect::<Vec<_>>())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        legs(0),
        [
            vec![0, 1, 2, 3, 4],
            vec![5, 6],
            vec![7, 8],
            vec![9, 10],
            vec![11, 12],
            vec![13, 14, 15, 16, 17]
        ]
    );
    assert_eq!(legs(1), [vec![48, 49, 50, 51, 52], vec![53, 54], vec![55, 56]]);
    let layout = universe.layout();
    assert_eq!(
        (layout.k(), layout.rows(), layout.columns(), layout.column_venues()),
        (6, 48, 2, [0, 1].as_slice())
    );
    assert_eq!(layout.legs().len(), 27);
    let pair = |first, second| Pair {
        first: LegId::new(first),
        second: LegId::new(second),
    };
    assert_eq!(layout.pairs()[..4], [pair(0, 1), pair(2, 3), pair(5, 6), pair(7, 8)]);
    let btc = universe.venues()[0].asset("BTC", None).unwrap();
    assert_eq!((btc.carry, btc.reserve), (Some(pair(2, 3)), Some(LegId::new(4))));
}

#[test]
fn the_file_round_trips() {
    let universe = universe();
    let text = universe.to_json().unwrap();
    let again = Universe::from_json(&text).unwrap();
    assert_eq!(again, universe);
    assert_eq!(again.to_json().unwrap(), text);
    assert_eq!(
        text.lines().filter(|line| line.contains("instrument\":{")).count(),
        5,
        "a line of text per instrument"
    );
}

#[test]
fn the_digest_is_golden() {
    assert_eq!(
        universe().digest().to_string(),
        "2e768ec95f25fc35c45a02ae05db22ccbd7d79bdda292ab0964ee867e5e9d96e"
    );
    // Numbers that are written in another way are the same numbers.
    let other = with(UNIVERSE, r#""strike":"70000""#, r#""strike":"70000.00""#);
    assert_eq!(Universe::from_json(&other).unwrap().digest(), universe().digest());
}

#[test]
fn universes_that_differ_have_different_digests() {
    let key = |byte: &str| byte.repeat(32);
    let changed = [
        with(UNIVERSE, r#""network": "test""#, r#""network": "main""#),
        with(UNIVERSE, r#""k": 6"#, r#""k": 7"#),
        with(UNIVERSE, r#""name": "a""#, r#""name": "c""#),
        // Keys in another order, and one moved to the other venue.
        with(
            UNIVERSE,
            &format!(r#""{}", "{}""#, key("01"), key("02")),
            &format!(r#""{}", "{}""#, key("02"), key("01")),
        ),
        with(
            &with(UNIVERSE, &format!(r#", "{}""#, key("02")), ""),
            &format!(r#"["{}"]"#, key("03")),
            &format!(r#"["{}","{}"]"#, key("02"), key("03")),
        ),
        with(UNIVERSE, r#""lot":"0.1""#, r#""lot":"1""#),
        with(UNIVERSE, r#""contract":"10""#, r#""contract":"1""#),
        // The same two digits, divided differently between two fields.
        with(
            UNIVERSE,
            r#""contract":"10","lot":"1"}"#,
            r#""contract":"1","lot":"10"}"#,
        ),
        with(
            UNIVERSE,
            r#"{"asset":{"name":"USDC","lot":"0.0001"}}"#,
            r#"{"asset":{"name":"USDC","lot":"0.0001","reserve":true}}"#,
        ),
        with(
            UNIVERSE,
            r#"{"asset":{"name":"USDC","lot":"0.0001"}}"#,
            r#"{"asset":{"name":"USD","lot":"0.0001"}}"#,
        ),
        UNIVERSE
            .replace("28AUG26", "27AUG26")
            .replace("2026-08-28", "2026-08-27"),
    ];
    let mut digests = BTreeSet::from([universe().digest()]);
    for text in &changed {
        assert!(digests.insert(Universe::from_json(text).unwrap().digest()), "{text}");
    }
    // Lines and venues in another order.
    let mut file = universe().to_file();
    file.venues[0].lines.swap(2, 3);
    assert!(digests.insert(Universe::from_file(&file).unwrap().digest()));
    let mut file = universe().to_file();
    file.venues.swap(0, 1);
    assert!(digests.insert(Universe::from_file(&file).unwrap().digest()));
    // The lines of the last venue given to the first.
    let mut file = universe().to_file();
    let moved = file.venues[1].lines.pop().unwrap();
    assert!(digests.insert(Universe::from_file(&file).unwrap().digest()));
    file.venues[1].lines.insert(0, moved);
    assert!(digests.insert(Universe::from_file(&file).unwrap().digest()));
}

fn refusal(text: &str) -> String {
    Universe::from_json(text).unwrap_err().to_string()
}

#[test]
fn each_refusal_names_place_value_and_bound() {
    let key = |byte: &str| byte.repeat(32);
    let cases = [
        (with(UNIVERSE, r#""k": 6"#, r#""k": 5"#), "k is 5, expected 6 to 12"),
        (with(UNIVERSE, r#""k": 6"#, r#""k": 13"#), "k is 13, expected 6 to 12"),
        (with(UNIVERSE, r#""k": 6"#, r#""k": 6, "x": 1"#), "unknown field `x`"),
        (
            with(UNIVERSE, r#""network": "test""#, r#""network": "live""#),
            "unknown variant `live`",
        ),
        (
            with(UNIVERSE, r#""name": "b""#, r#""name": "a""#),
            "universe: venue `a` occurs twice",
        ),
        (
            with(UNIVERSE, r#""name": "b""#, r#""name": "b:c""#),
            "`b:c` is not a name",
        ),
        (with(UNIVERSE, r#""name": "b""#, r#""name": """#), "`` is not a name"),
        (
            with(UNIVERSE, r#""name": "b""#, "\"name\": \"e\u{301}\""),
            "is not a name: 1 to 64 bytes in NFC",
        ),
        (with(UNIVERSE, &key("03"), &key("01")), "venue b: key `0101"),
        (with(UNIVERSE, &key("02"), &key("01")), "venue a: key `0101"),
        (with(UNIVERSE, &key("03"), "03"), "`03` is not 32 bytes"),
        (
            with(UNIVERSE, &format!(r#"["{}"]"#, key("03")), "[]"),
            "venue b: 0 keys, expected 1 to 16",
        ),
        (
            with(
                UNIVERSE,
                r#""name":"BTC_USDC-28AUG26","#,
                r#""name":"BTC_USDC-28AUG26-65000d5-P","#,
            ),
            "venue b: instrument `BTC_USDC-28AUG26-65000d5-P` occurs twice",
        ),
        (
            with(
                UNIVERSE,
                r#"{"name":"USDC","lot":"0.0001"}"#,
                r#"{"name":"BTC","lot":"0.0001"}"#,
            ),
            "venue a: asset `BTC` occurs twice",
        ),
        (
            with(UNIVERSE, r#""kind":"perpetual""#, r#""kind":"swap""#),
            "unknown variant `swap`",
        ),
        (
            with(UNIVERSE, r#""contract":"10""#, r#""contract":"0""#),
            "venue a, BTC-28AUG26: contract is 0, expected above 0 and at most 1000000000",
        ),
        (
            with(UNIVERSE, r#""contract":"10""#, r#""contract":"-1""#),
            "contract is -1",
        ),
        (
            with(UNIVERSE, r#""contract":"10""#, r#""contract":"1000000000.1""#),
            "contract is 1000000000.1",
        ),
        (
            with(UNIVERSE, r#""contract":"10""#, r#""contract":"NaN""#),
            "`NaN` is not an amount",
        ),
        (
            with(UNIVERSE, r#""contract":"10""#, r#""contract":10"#),
            "expected an amount as a string",
        ),
        (
            with(UNIVERSE, r#""lot":"0.1""#, r#""lot":"0""#),
            "venue a, BTC-28AUG26-70000-C: lot is 0",
        ),
        (
            with(UNIVERSE, r#""lot":"0.00000001""#, r#""lot":"-1""#),
            "venue a, BTC: lot is -1",
        ),
        (
            with(UNIVERSE, r#""strike":"70000""#, r#""strike":"0""#),
            "strike is 0, expected above 0",
        ),
        (
            with(UNIVERSE, r#""strike":"70000""#, r#""strike":"71000""#),
            "BTC-28AUG26-70000-C: the name says BTC Option",
        ),
        (
            with(
                UNIVERSE,
                r#""kind":{"option":{"expiry":"2026-08-28T08:00:00Z","strike":"70000""#,
                r#""kind":{"option":{"expiry":"2026-08-28T09:00:00Z","strike":"70000""#,
            ),
            "the name says BTC Option",
        ),
        (
            with(
                UNIVERSE,
                r#""style":"inverse","settlement":"BTC","contract":"1""#,
                r#""style":"inverse","settlement":"DOGE","contract":"1""#,
            ),
            "settles in DOGE, which is not an asset of the venue",
        ),
        (
            with(
                UNIVERSE,
                r#""style":"inverse","settlement":"BTC","contract":"1""#,
                r#""style":"inverse","settlement":"USDC","contract":"1""#,
            ),
            "settles in USDC, which is not the underlying",
        ),
        (
            with(
                UNIVERSE,
                r#""isolated":"BTC_USDC-PERPETUAL","lot":"0.0001","carry":true"#,
                r#""isolated":"BTC_USDC-PERPETUAL","lot":"0.0001","carry":false"#,
            ),
            "settles in USDC, which has no carry legs",
        ),
        (
            with(
                UNIVERSE,
                r#""lot":"0.00000001","carry":true,"reserve":true"#,
                r#""lot":"0.00000001","carry":true"#,
            ),
            "settles in BTC, which has no reserve leg",
        ),
        (
            with(
                UNIVERSE,
                r#""isolated":"BTC_USDC-PERPETUAL""#,
                r#""isolated":"ETH-PERPETUAL""#,
            ),
            "USDC isolated in ETH-PERPETUAL: the venue lists no such instrument",
        ),
        (
            with(
                UNIVERSE,
                r#""expiry":"2026-08-28T08:00:00Z","strike":"70000""#,
                r#""expiry":"2026-08-28","strike":"70000""#,
            ),
            "`2026-08-28` is not an instant",
        ),
        (
            with(UNIVERSE, r#""right":"call""#, r#""right":"call","x":1"#),
            "unknown field `x`",
        ),
        (
            with(UNIVERSE, r#""right":"call""#, r#""right":"call","strike":"1""#),
            "duplicate field `strike`",
        ),
        (UNIVERSE[..UNIVERSE.len() / 2].to_owned(), "EOF while parsing"),
        (
            r#"{"network":"test","k":9,"venues":[]}"#.to_owned(),
            "universe: 0 venues, expected 1 to 256",
        ),
    ];
    for (text, expected) in cases {
        let refusal = refusal(&text);
        assert!(refusal.contains(expected), "{refusal}, expected {expected}");
    }
}

#[test]
fn a_line_that_does_not_fit_starts_the_next_column() {
    let mut file = universe().to_file();
    let LineFile::Asset(asset) = file.venues[0].lines[0].clone() else {
        panic!()
    };
    // 18 rows are taken; 6 assets of 5 legs leave none of 48.
    for number in 0..7 {
        let asset = AssetFile {
            name: format!("X{number}"),
            ..asset.clone()
        };
        file.venues[0].lines.push(LineFile::Asset(asset));
    }
    let universe = Universe::from_file(&file).unwrap();
    let first = |name: &str| universe.venues()[0].asset(name, None).unwrap().balance.index();
    assert_eq!((first("X5"), first("X6")), (43, 48));
    assert_eq!(
        (
            universe.venues()[0].columns.clone(),
            universe.venues()[1].columns.clone()
        ),
        (0..2, 2..3)
    );
    // 17 rows: a line of 5 legs that would straddle starts at the next column, and leaves rows that are no legs.
    file.venues[0].lines.remove(1);
    let universe = Universe::from_file(&file).unwrap();
    let first = |name: &str| universe.venues()[0].asset(name, None).unwrap().balance.index();
    assert_eq!((first("X5"), first("X6")), (41, 48));
    assert!(!universe.layout().contains(LegId::new(46)) && !universe.layout().contains(LegId::new(47)));
}

#[test]
fn more_legs_than_fit_are_refused() {
    let mut file = universe().to_file();
    let LineFile::Asset(asset) = file.venues[1].lines[0].clone() else {
        panic!()
    };
    let many = |count: usize| {
        (0..count).map(|number| {
            LineFile::Asset(AssetFile {
                name: format!("X{number}"),
                ..asset.clone()
            })
        })
    };
    file.venues.remove(1);
    file.venues[0].lines.extend(many(254 * 9));
    // 9 assets of 5 legs to a column of 48 rows, and 6 beside the 18 rows of the first one.
    assert_eq!(Universe::from_file(&file).unwrap().layout().columns(), 255);
    file.venues[0].lines.extend(many(254 * 9 + 20).skip(254 * 9));
    assert!(matches!(
        Universe::from_file(&file),
        Err(UniverseError::Columns { columns: 257, rows: 48 })
    ));
    file.venues[0].lines.extend(many(40_000).skip(10_000));
    assert!(matches!(
        Universe::from_file(&file),
        Err(UniverseError::Count { what: "lines", .. })
    ));
}

#[test]
fn extending_moves_no_row() {
    let before = universe();
    let LineFile::Instrument(mut listing) = before.to_file().venues[0].lines[2].clone() else {
        panic!()
    };
    let strikes = (0..40).map(|number| 71_000 + 1000 * number);
    let new: Vec<LineFile> = strikes
        .map(|strike| {
            let Kind::Option { expiry, right, .. } = listing.kind else {
                panic!()
            };
            listing.kind = Kind::Option {
                expiry,
                strike: strike.into(),
                right,
            };
            listing.name = format!("BTC-28AUG26-{strike}-C");
            LineFile::Instrument(listing.clone())
        })
        .collect();
    let after = before.extend("a", &new).unwrap();
    assert_eq!(after.layout().columns(), 4);
    for (old, new) in before.venues().iter().zip(after.venues()) {
        for (was, is) in old.lines.iter().zip(&new.lines) {
            let place = |universe: &Universe, columns: &std::ops::Range<usize>, leg: LegId| {
                (
                    universe.layout().column_of(leg) - columns.start,
                    universe.layout().row_of(leg),
                )
            };
            for (was, is) in was.legs().into_iter().zip(is.legs()) {
                assert_eq!(place(&before, &old.columns, was), place(&after, &new.columns, is));
            }
        }
    }
    assert_ne!(before.digest(), after.digest());
    assert!(matches!(before.extend("z", &new), Err(UniverseError::UnknownVenue(_))));
    assert!(matches!(after.extend("a", &new), Err(UniverseError::Duplicate { .. })));
}
