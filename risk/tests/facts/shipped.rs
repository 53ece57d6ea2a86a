//! The files in `examples/`: they are read, they are what they say, and their digests stay.

use std::path::PathBuf;

use zkmargin_risk::history::{Day, History, Window};
use zkmargin_risk::market::Snapshot;
use zkmargin_risk::universe::{Network, Universe};
use zkmargin_risk::venue_file::VenueFile;

fn text(name: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../examples").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn snapshot(name: &str) -> Snapshot {
    Snapshot::from_json(&text(&format!("snapshots/{name}.json"))).unwrap()
}

fn universe(name: &str) -> Universe {
    Universe::from_json(&text(&format!("universes/{name}.json"))).unwrap()
}

#[test]
fn the_snapshots_are_whole_chains() {
    for (name, options, digest) in [
        (
            "2026-08-06T1200Z",
            1534,
            "b64bb828fb1b0302434cff35bcb175062484cda2508d84abafee20d8dd33380a",
        ),
        (
            "2026-08-07T0400Z",
            1536,
            "04e6967e3ac051664ad5edaf3a2275cf8b488a753957daddb5a00b93c2f8a624",
        ),
        (
            "2026-08-08T0400Z",
            1540,
            "bbdd2d0b34d6ccd14c9bdc6fb1656e782e5bd188ffc32a563c6ce5067febaa9c",
        ),
    ] {
        let snapshot = snapshot(name);
        let markets = || snapshot.underlyings.values();
        let chains = markets().flat_map(|market| market.expiries.values());
        let listed = chains
            .flat_map(|chain| chain.strikes.values())
            .flat_map(|strike| [&strike.call, &strike.put])
            .flatten();
        assert_eq!(listed.count(), options, "{name}");
        let futures = markets().map(|market| market.futures.len()).collect::<Vec<_>>();
        assert_eq!(
            (futures, markets().flat_map(|market| &market.perpetual).count()),
            (vec![12, 12], 2)
        );
        assert!(markets().all(|market| market.expiries.keys().eq(market.futures.keys())));
        assert_eq!(snapshot.provenance.licence, "CC0-1.0");
        assert_eq!(snapshot.digest().to_string(), digest, "{name}");
        assert!(text(&format!("snapshots/{name}.json")).len() < 1 << 20);
    }
}

#[test]
fn the_universes_list_the_first_chain() {
    let single = universe("single");
    assert_eq!(
        (single.k(), single.layout().columns(), single.layout().legs().len()),
        (9, 7, 3132)
    );
    assert_eq!(
        (single.instruments().count(), single.network()),
        (1534 + 24 + 2, Network::Test)
    );
    assert_eq!(
        single.digest().to_string(),
        "abe96959e57cee163079d23aeb1eb9e811802846f2a3dc87ca1717dc62bb0af9"
    );
    let demo = universe("demo");
    let counts: Vec<usize> = demo.venues().iter().map(|venue| venue.instruments().count()).collect();
    assert_eq!(
        (counts, demo.layout().column_venues()),
        (vec![1534, 26], [[0; 7].as_slice(), &[1]].concat().as_slice())
    );
    assert_eq!(
        demo.digest().to_string(),
        "aa71d75b1c9bd4fc0affbb22a6afe6f6ebeba7b239197786c35ed37090940d1f"
    );
}

#[test]
fn the_universes_follow_from_the_venue_files() {
    let listing = snapshot("2026-08-06T1200Z");
    let build = |names: &[&str]| {
        let venues: Vec<VenueFile> = names
            .iter()
            .map(|name| VenueFile::from_json(&text(&format!("venues/{name}.json"))).unwrap())
            .collect();
        Universe::build(Network::Test, None, &venues, &listing).unwrap()
    };
    assert_eq!(build(&["deribit"]), universe("single"));
    assert_eq!(build(&["optionhouse", "perphouse"]), universe("demo"));
}

#[test]
fn the_history_is_nine_years_without_a_gap() {
    let history = History::from_json(&text("histories/2026-08-07.json")).unwrap();
    assert!(history.underlyings().eq(["BTC", "ETH"]));
    assert_eq!(
        (
            history.first().to_string(),
            history.days().count(),
            history.provenance().licence.as_str()
        ),
        ("2017-08-17".into(), 3278, "CC0-1.0")
    );
    assert_eq!(
        history.digest().to_string(),
        "81a5fbfe4f003f6e363840bb774c43495bd338542e63b81bb7626a3007a56682"
    );
    let moves = history.moves(Window::Whole).unwrap();
    let worst = moves
        .iter()
        .min_by(|a, b| a.changes["BTC"].close.log().total_cmp(&b.changes["BTC"].close.log()))
        .unwrap();
    assert_eq!(worst.day.to_string(), "2020-03-12");
    assert!((worst.changes["BTC"].close.log() + 0.503).abs() < 1e-3);
    let indexed = moves
        .iter()
        .find(|found| found.changes.values().all(|change| change.volatility_index.is_some()));
    assert_eq!(indexed.unwrap().day.to_string(), "2021-03-25");
}

/// Short one bitcoin on 2021-05-18, by a reference of the project's own that reads the recording: the sixth largest
/// loss of 500 days, the third largest of the stressed 250, and the 33rd largest of all days until then.
#[test]
fn windows_of_the_history_are_those_of_a_plain_reference() {
    let history = History::from_json(&text("histories/2026-08-07.json")).unwrap();
    let day = |text: &str| text.parse::<Day>().unwrap();
    let until = day("2021-05-18");
    let price = zkmargin_risk::amount::to_f64(history.figures("BTC", until).unwrap().close);
    assert_eq!(price, 42849.78);
    let loss = |window, rank: usize| {
        let moves = history.moves(window).unwrap();
        let mut losses: Vec<f64> = moves
            .iter()
            .map(|found| price * found.changes["BTC"].close.relative())
            .collect();
        losses.sort_by(|a, b| b.total_cmp(a));
        (losses.len(), losses[rank - 1])
    };
    let close = |(count, found): (usize, f64), expected: (usize, f64)| {
        assert!(
            count == expected.0 && (found - expected.1).abs() < 1e-9,
            "{count}, {found}: {expected:?}"
        );
    };
    close(
        loss(Window::Last { moves: 500, until }, 6),
        (500, 4_739.149_753_975_711),
    );
    let (first, last) = (day("2017-08-27"), day("2018-05-03"));
    close(loss(Window::Between { first, last }, 3), (250, 6_775.618_097_690_684));
    let all = history.moves_until(until);
    close(loss(Window::Until(until), all / 100 + 1), (1370, 5_260.861_524_833_099));
}
