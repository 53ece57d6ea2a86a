use zkmargin_risk::listing::VenueKey;
use zkmargin_risk::market::Snapshot;
use zkmargin_risk::universe::{Network, Style, Universe};
use zkmargin_risk::venue_file::{VenueFile, VenueFileError};

use crate::dec;

const SNAPSHOT: &str = include_str!("../fixtures/snapshot.json");

fn venue_file(classes: &str) -> VenueFile {
    let key = "07".repeat(32);
    let text = format!(
        r#"{{"name":"v","keys":["{key}"],"assets":[{{"name":"BTC","lot":"0.00000001"}},{{"name":"USDC","lot":"0.0001"}},{{"name":"ETH","lot":"0.0000001"}}],"classes":[{classes}]}}"#
    );
    VenueFile::from_json(&text).unwrap()
}

const OPTIONS: &str = r#"{"underlying":"BTC","kind":"option","style":"inverse","contract":"1","lot":"0.1","settlement":"BTC","list":"all"}"#;
const FUTURES: &str = r#"{"underlying":"BTC","kind":"future","style":"linear","contract":"1","lot":"0.01","settlement":"USDC","list":"all"}"#;

fn build(classes: &str) -> Result<Universe, VenueFileError> {
    Universe::build(
        Network::Test,
        Some(6),
        &[venue_file(classes)],
        &Snapshot::from_json(SNAPSHOT).unwrap(),
    )
}

#[test]
fn a_venue_lists_what_the_listing_has() {
    let universe = build(&format!("{OPTIONS},{FUTURES}")).unwrap();
    let names: Vec<&str> = universe
        .instruments()
        .map(|(_, instrument)| instrument.name.as_str())
        .collect();
    assert_eq!(
        names,
        [
            "BTC-28AUG26-60000-P",
            "BTC-28AUG26-70000-C",
            "BTC-28AUG26-70000-P",
            "BTC_USDC-28AUG26"
        ]
    );
    let legs = |asset: &str| {
        let asset = universe.venues()[0].asset(asset, None).unwrap();
        (asset.carry.is_some(), asset.reserve.is_some())
    };
    assert_eq!(
        (legs("BTC"), legs("USDC"), legs("ETH")),
        ((false, true), (true, true), (false, false))
    );
    let future = universe.lookup("v", "BTC_USDC-28AUG26").unwrap();
    assert_eq!(
        (future.style, future.lot, future.contract),
        (Style::Linear, dec("0.01"), dec("1"))
    );
    // With other keys it is another universe, and everything else stays.
    let mut file = venue_file(OPTIONS);
    file.keys = vec![VenueKey([9; 32])];
    let rebuilt = Universe::build(Network::Test, Some(6), &[file], &Snapshot::from_json(SNAPSHOT).unwrap()).unwrap();
    assert_eq!(rebuilt.venues()[0].keys, [[9; 32]]);
    assert_eq!(rebuilt.venues()[0].lines, build(OPTIONS).unwrap().venues()[0].lines);
}

#[test]
fn a_venue_lists_what_it_names() {
    let named = OPTIONS.replace(r#""all""#, r#"["BTC-25DEC26-90000-C"]"#);
    let universe = build(&named).unwrap();
    assert!(universe.lookup("v", "BTC-25DEC26-90000-C").is_some());
    for (class, expected) in [
        (
            OPTIONS.replace(r#""all""#, r#"["ETH-25DEC26-90000-C"]"#),
            "venue v, class btc option inverse: ETH-25DEC26-90000-C is not one of this class",
        ),
        (
            OPTIONS.replace(r#""all""#, r#"["BTC-25DEC26"]"#),
            "BTC-25DEC26 is not one of this class",
        ),
        (
            OPTIONS.replace(r#""all""#, r#"["BTC_USDC-25DEC26-90000-C"]"#),
            "is not one of this class",
        ),
        (
            OPTIONS.replace(r#""all""#, r#"["X"]"#),
            "venue v: `X` is not an instrument's name",
        ),
        (
            OPTIONS.replace(r#""all""#, r#"["BTC-25DEC26-90000-C","BTC-25DEC26-90000-C"]"#),
            "occurs twice",
        ),
        (
            OPTIONS
                .replace(r#""underlying":"BTC""#, r#""underlying":"ETH""#)
                .replace(r#""settlement":"BTC""#, r#""settlement":"ETH""#),
            "venue v, class ETH option: the listing has no ETH option",
        ),
        (
            OPTIONS.replace(r#""settlement":"BTC""#, r#""settlement":"XRP""#),
            "settles in XRP, which is not an asset of the venue",
        ),
    ] {
        let refusal = build(&class).unwrap_err().to_string();
        assert!(refusal.contains(expected), "{refusal}");
    }
    for (class, expected) in [
        (OPTIONS.replace(r#""option""#, r#""swap""#), "unknown variant `swap`"),
        (
            OPTIONS.replace(r#""all""#, r#""some""#),
            "expected \"all\" or an array of instruments' names",
        ),
        (OPTIONS.replace(r#""list""#, r#""x":1,"list""#), "unknown field `x`"),
    ] {
        let text = venue_file(OPTIONS).to_json().unwrap();
        let text = text.replace(
            text.lines().find(|line| line.contains("\"option\"")).unwrap().trim(),
            &class,
        );
        let refusal = VenueFile::from_json(&text).unwrap_err().to_string();
        assert!(refusal.contains(expected), "{refusal}");
    }
}

const PERPETUALS: &str = r#"{"underlying":"BTC","kind":"perpetual","style":"linear","contract":"1","lot":"0.01","settlement":"USDC","list":["BTC_USDC-PERPETUAL"]CLASS}"#;

fn perpetuals(more: &str) -> String {
    PERPETUALS.replace("CLASS", more)
}

#[test]
fn a_class_of_isolated_positions_has_names_and_balances_of_its_own() {
    let isolated = perpetuals(r#","isolated":true"#);
    let universe = build(&format!("{},{isolated}", perpetuals(""))).unwrap();
    let venue = &universe.venues()[0];
    let names: Vec<&str> = venue.instruments().map(|instrument| instrument.name.as_str()).collect();
    assert_eq!(names, ["BTC_USDC-PERPETUAL", "BTC_USDC-PERPETUAL-ISOLATED"]);
    let settled = |name: &str| venue.settlement_of(venue.instrument(name).unwrap()).unwrap();
    let (cross, own) = (settled(names[0]), settled(names[1]));
    assert_eq!(
        (cross.label(), own.label()),
        ("USDC".into(), "USDC isolated in BTC_USDC-PERPETUAL-ISOLATED".into())
    );
    assert_eq!(
        (own.lot, own.carry.is_some(), own.reserve.is_some()),
        (cross.lot, true, true)
    );
    // A file that says nothing of it says what it said, and makes what it made.
    assert!(!venue_file(&perpetuals("")).to_json().unwrap().contains("isolated"));
    let without = build(&perpetuals(r#","isolated":false"#)).unwrap();
    assert_eq!(without.digest(), build(&perpetuals("")).unwrap().digest());
    assert_eq!(without.venues()[0].isolated().len(), 0);
}

#[test]
fn a_class_of_isolated_positions_without_its_settlement_asset_is_refused() {
    let isolated = perpetuals(r#","isolated":true"#).replace("\"settlement\":\"USDC\"", "\"settlement\":\"USDT\"");
    let refused = build(&isolated.replace("BTC_USDC-", "BTC_USDT-"))
        .unwrap_err()
        .to_string();
    assert!(
        refused.contains("settles in USDT, which is not an asset of the venue"),
        "{refused}"
    );
}
