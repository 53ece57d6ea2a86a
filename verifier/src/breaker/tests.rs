#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod disputes;
mod machine;

use super::disagreement::disagreement;
use super::known::Before;
use super::measure::{Blind, measure};
use super::*;
use crate::fixture::{EPOCH, instant, key, public, snapshot};
use crate::keys::Keys;
use crate::policy::{AcceptedSnapshots, Policy, PolicyFileError};
use crate::published::{PublisherRefusal, Publishers, SnapshotSignature};
use rust_decimal::Decimal;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

const MINUTE: u64 = 60_000;

fn steps(cautious: [u32; 2], halted: [u32; 2]) -> Steps {
    let step = |[enter, leave]: [u32; 2]| Step { enter, leave };
    Steps {
        cautious: step(cautious),
        halted: step(halted),
    }
}

fn limits() -> Limits {
    let of = |volatility| UnderlyingLimits {
        reference: steps([50, 25], [200, 100]),
        price_jump: steps([100, 50], [300, 150]),
        volatility,
    };
    let volatility = VolatilityLimits {
        jump: steps([500, 250], [2000, 1000]),
        dispersion: steps([800, 400], [3000, 1500]),
        least: steps([2500, 3000], [1500, 2000]),
    };
    Limits {
        dwell: "10m".parse().unwrap(),
        silence: "5m".parse().unwrap(),
        max_reference_age: "1m".parse().unwrap(),
        publisher_band: 30,
        index_dispersion: steps([150, 75], [400, 200]),
        asset_jump: steps([50, 25], [200, 100]),
        underlyings: BTreeMap::from([("BTC".to_owned(), of(Some(volatility))), ("ETH".to_owned(), of(None))]),
        cautious: Caution {
            renewals_only: true,
            ratio: "1.5".parse().unwrap(),
        },
    }
}

fn policy() -> Policy {
    let file = json!({
        "network": "test", "audience": public("audience"), "books": ["line-1"], "universes": ["11".repeat(32)],
        "venues": { "alpha": [public("alpha")] }, "required_venues": [], "subject_groups": [], "all_accounts": true, "held": false,
        "hypothetical_orders": true, "hypothetical_deposits": true, "models": ["22".repeat(32)], "snapshots": "given",
        "level": "maintenance", "ratio": "1", "excess": "0", "max_snapshot_age": "3m", "max_attestation_age": "10m",
        "nonce": "required", "breaker": limits(),
    });
    Policy::from_json(file.to_string().as_bytes()).unwrap()
}

fn decimal(text: &str) -> Decimal {
    text.parse().unwrap()
}

/// BTC with options of two expiries, ETH without, this many milliseconds after the epoch.
fn market(after: u64, btc: &str, eth: &str, volatilities: [&str; 3]) -> Snapshot {
    let mut snapshot = snapshot();
    snapshot.instant = instant(EPOCH).checked_add(after).unwrap();
    let mut set = |name: &str, index: &str| {
        let market = snapshot.underlyings.get_mut(name).unwrap();
        (market.index, market.expiries) = (decimal(index), BTreeMap::new());
        snapshot.assets.insert(name.to_owned(), decimal(index));
    };
    set("BTC", btc);
    set("ETH", eth);
    let strike = |volatility: &str| zkmargin_risk::market::Strike {
        volatility: decimal(volatility),
        call: None,
        put: None,
    };
    let [near, far, later] = volatilities.map(strike);
    let first = BTreeMap::from([(decimal("65000"), near), (decimal("80000"), far)]);
    let second = BTreeMap::from([(decimal("66000"), later)]);
    let expiries = [("2026-08-28T08:00:00Z", first), ("2026-09-25T08:00:00Z", second)];
    snapshot.underlyings.get_mut("BTC").unwrap().expiries = expiries
        .into_iter()
        .map(|(expiry, strikes)| {
            (
                instant(expiry),
                zkmargin_risk::market::Expiry::new(decimal("65100"), strikes),
            )
        })
        .collect();
    snapshot
}

fn calm(after: u64) -> Snapshot {
    market(after, "65000", "1900", ["0.4", "0.5", "0.45"])
}

fn reference(snapshot: &Snapshot) -> Reference {
    Reference {
        instant: snapshot.instant,
        indices: BTreeMap::from([
            ("BTC".to_owned(), decimal("65000")),
            ("ETH".to_owned(), decimal("1900")),
        ]),
    }
}

fn observe_at(before: Option<&Breaker>, snapshot: &Snapshot, at: Instant) -> Result<Breaker, ObserveError> {
    observe_by(&policy(), before, snapshot, at)
}

fn observe_by(
    policy: &Policy,
    before: Option<&Breaker>,
    snapshot: &Snapshot,
    at: Instant,
) -> Result<Breaker, ObserveError> {
    let reference = reference(snapshot);
    let sight = Sight {
        snapshots: std::slice::from_ref(snapshot),
        signatures: &[],
        reference: &reference,
        at,
    };
    match before {
        Some(before) => before.observe(policy, &sight),
        None => Breaker::begin(policy, &sight),
    }
}

/// Observed when it is of.
fn observe(before: Option<&Breaker>, snapshot: &Snapshot) -> Breaker {
    observe_at(before, snapshot, snapshot.instant).unwrap()
}

/// After this snapshot alone.
fn after(snapshot: &Snapshot) -> Before<'_, Snapshot> {
    Before {
        last: snapshot,
        known: snapshot,
    }
}

fn values(before: Option<&Snapshot>, snapshot: &Snapshot) -> BTreeMap<(String, Option<String>), u32> {
    let (readings, blind) = measure(&limits(), before.map(after), snapshot, &reference(snapshot));
    assert_eq!(blind, []);
    readings
        .into_iter()
        .map(|reading| ((reading.measure.to_string(), reading.of), reading.value))
        .collect()
}

fn value(values: &BTreeMap<(String, Option<String>), u32>, measure: Measure, of: Option<&str>) -> u32 {
    values[&(measure.to_string(), of.map(str::to_owned))]
}

#[test]
fn measures_are_basis_points_rounded_against_calm() {
    let now = market(MINUTE, "65650.01", "1881", ["0.4301", "0.49", "0.45"]);
    let values = values(Some(&calm(0)), &now);
    let btc = |measure| value(&values, measure, Some("BTC"));
    // 650.01 of 65,000 is 100.0015 basis points.
    assert_eq!((btc(Measure::Reference), btc(Measure::PriceJump)), (101, 101));
    assert_eq!(value(&values, Measure::PriceJump, Some("ETH")), 100);
    assert_eq!(value(&values, Measure::IndexDispersion, None), 201);
    // +301, -100 and 0.
    assert_eq!(
        (btc(Measure::VolatilityJump), btc(Measure::VolatilityDispersion)),
        (301, 401)
    );
    // At the money: 0.4301 and 0.45; the lower median.
    assert_eq!(btc(Measure::LeastVolatility), 4301);
}

#[test]
fn volatility_at_the_money_is_that_of_the_strike_nearest_to_the_forward_and_of_two_the_lower() {
    let mut now = calm(0);
    let strike = |(strike, volatility): (&str, &str)| {
        let options = zkmargin_risk::market::Strike {
            volatility: decimal(volatility),
            call: None,
            put: None,
        };
        (decimal(strike), options)
    };
    let strikes = BTreeMap::from([("60000", "0.30009"), ("70000", "0.4"), ("80000", "0.5")].map(strike));
    let cases = [
        ("1", 3000),
        ("65000", 3000),
        ("65000.01", 4000),
        ("75000", 4000),
        ("75000.01", 5000),
        ("90000", 5000),
    ];
    for (forward, expected) in cases {
        let expiry = zkmargin_risk::market::Expiry::new(decimal(forward), strikes.clone());
        now.underlyings.get_mut("BTC").unwrap().expiries = BTreeMap::from([(instant("2026-08-28T08:00:00Z"), expiry)]);
        let least = value(&values(None, &now), Measure::LeastVolatility, Some("BTC"));
        assert_eq!(least, expected, "a forward of {forward}");
    }
    // Of the expiries the median, in whatever order they stand, and of an even number the lower.
    for (volatilities, expected) in [
        (&["0.5", "0.3", "0.4"][..], 4000),
        (&["0.5", "0.3", "0.4", "0.2"], 3000),
        (&["0.1", "0.5", "0.3", "0.4", "0.2"], 3000),
    ] {
        let of = |volatility: &&str| BTreeMap::from([strike(("65000", *volatility))]);
        let expiries = volatilities.iter().map(of).enumerate().map(|(day, strikes)| {
            let expiry = instant("2026-08-28T08:00:00Z").checked_add(day as u64 * 1440 * MINUTE);
            (
                expiry.unwrap(),
                zkmargin_risk::market::Expiry::new(decimal("65000"), strikes),
            )
        });
        btc(&mut now).expiries = expiries.collect();
        let least = value(&values(None, &now), Measure::LeastVolatility, Some("BTC"));
        assert_eq!(least, expected, "{volatilities:?}");
    }
}

#[test]
fn move_or_disagreement_of_any_price_counts() {
    let before = calm(0);
    let mut now = calm(MINUTE);
    let options = &mut now.underlyings.get_mut("BTC").unwrap().expiries;
    options.values_mut().next().unwrap().forward = decimal("65751");
    let moved = values(Some(&before), &now);
    assert_eq!(value(&moved, Measure::PriceJump, Some("BTC")), 100);
    assert_eq!(value(&moved, Measure::PriceJump, Some("ETH")), 0);
    assert_eq!(value(&moved, Measure::IndexDispersion, None), 0);
    let said = disagreement(&now, &before);
    assert_eq!(said, ("forward 2026-08-28T08:00:00Z of BTC".to_owned(), 100));
    let (mut one, mut other) = (calm(0), calm(0));
    one.assets.insert("USDC".to_owned(), decimal("1"));
    other.assets.remove("USDC");
    assert_eq!(disagreement(&one, &other), ("price of USDC".to_owned(), u32::MAX));
    other.assets.insert("USDC".to_owned(), decimal("0.99"));
    assert_eq!(disagreement(&one, &other), ("price of USDC".to_owned(), 102));
    let (mut one, mut other) = (calm(0), calm(0));
    for (snapshot, price) in [(&mut one, "60500"), (&mut other, "6050")] {
        let deliveries = &mut snapshot.underlyings.get_mut("BTC").unwrap().deliveries;
        deliveries.insert(instant("2026-08-07T08:00:00Z"), decimal(price));
    }
    let said = disagreement(&one, &other);
    assert_eq!(said, ("delivery 2026-08-07T08:00:00Z of BTC".to_owned(), 90_000));
    assert_eq!(
        value(&values(Some(&one), &other), Measure::PriceJump, Some("BTC")),
        9000
    );
}

#[test]
fn price_that_the_snapshot_before_lacks_is_measured_from_the_nearest_expiry_or_the_index() {
    // Listed anew far out, 1.16 % above the index and 1 % above the forward that was the last one.
    let mut listed = calm(MINUTE);
    let expiries = &mut listed.underlyings.get_mut("BTC").unwrap().expiries;
    let new = zkmargin_risk::market::Expiry::new(decimal("65751"), BTreeMap::new());
    expiries.insert(instant("2027-06-25T08:00:00Z"), new);
    assert_eq!(
        value(&values(Some(&calm(0)), &listed), Measure::PriceJump, Some("BTC")),
        100
    );
    let (before, mut now) = (calm(0), calm(MINUTE));
    let perpetual = now.underlyings.get_mut("BTC").unwrap();
    perpetual.perpetual = Some(zkmargin_risk::market::PerpetualQuote {
        price: decimal("6500"),
        funding: decimal("0"),
        confidence: None,
        quote: Default::default(),
    });
    let mut without = before.clone();
    without.underlyings.get_mut("BTC").unwrap().perpetual = None;
    assert_eq!(
        value(&values(Some(&without), &now), Measure::PriceJump, Some("BTC")),
        9000
    );
    let (breaker, stance) = {
        let after = observe(Some(&observe(None, &without)), &now);
        (after.transitions().last().unwrap().to_string(), after.stance())
    };
    assert_eq!(stance, Stance::Halted);
    assert!(
        breaker.ends_with("move of a price of BTC (perpetual) is 9000 basis points, the threshold is 300"),
        "{breaker}"
    );
}

#[test]
fn asset_whose_price_moves_or_was_not_there_is_not_calm() {
    let at = |after, usdc: Option<&str>| {
        let mut snapshot = calm(after);
        match usdc {
            Some(price) => snapshot.assets.insert("USDC".to_owned(), decimal(price)),
            None => snapshot.assets.remove("USDC"),
        };
        snapshot
    };
    let before = observe(None, &at(0, Some("1")));
    for (price, stance) in [
        ("0.9951", Stance::Normal),
        ("0.995", Stance::Cautious),
        ("1.005", Stance::Cautious),
        ("0.98", Stance::Halted),
    ] {
        assert_eq!(
            observe(Some(&before), &at(MINUTE, Some(price))).stance(),
            stance,
            "{price}"
        );
    }
    let new = observe(Some(&observe(None, &at(0, None))), &at(MINUTE, Some("1")));
    let said = new.transitions().last().unwrap().to_string();
    assert!(
        said.ends_with("there is no price of USDC in any snapshot before"),
        "{said}"
    );
    assert_eq!(new.stance(), Stance::Halted);
    // What is gone is worth nothing.
    assert_eq!(observe(Some(&before), &at(MINUTE, None)).stance(), Stance::Normal);
}

#[test]
fn every_digit_of_a_price_counts() {
    let of = |btc: &str| {
        let values = values(Some(&calm(0)), &market(MINUTE, btc, "1900", ["0.4", "0.5", "0.45"]));
        let jump = value(&values, Measure::PriceJump, Some("BTC"));
        (jump, value(&values, Measure::IndexDispersion, None))
    };
    assert_eq!(of("65650.00000000000000000000"), (100, 100));
    assert_eq!(of("65650.0000000000000000001"), (101, 101));
    assert_eq!(of("65649.9999999999999999999"), (100, 100));
    // 90 % apart, of prices whose first digit is the eighteenth decimal.
    let tiny = |after, btc| market(after, btc, "1900", ["0.4", "0.5", "0.45"]);
    let moved = values(
        Some(&tiny(0, "0.000000000000000001")),
        &tiny(MINUTE, "0.0000000000000000019"),
    );
    assert_eq!(value(&moved, Measure::PriceJump, Some("BTC")), 9000);
}

#[test]
fn extremes_are_far_and_not_wrong() {
    let mut tiny = calm(0);
    let least = Decimal::from_i128_with_scale(1, 28);
    tiny.underlyings.get_mut("ETH").unwrap().index = least;
    let moved = values(Some(&tiny), &calm(MINUTE));
    assert_eq!(value(&moved, Measure::PriceJump, Some("ETH")), u32::MAX);
    assert_eq!(value(&moved, Measure::IndexDispersion, None), u32::MAX);
    let vast = market(MINUTE, "1000000000", "0.000000001", ["10", "0.0001", "10"]);
    let moved = values(Some(&calm(0)), &vast);
    assert_eq!(value(&moved, Measure::PriceJump, Some("ETH")), 10_000);
    assert_eq!(value(&moved, Measure::VolatilityJump, Some("BTC")), 96_000);
}

/// The snapshot that has this value of a measure.
type ByValue = Box<dyn Fn(i64) -> Snapshot>;

/// The measures of a snapshot by itself.
fn edges() -> Vec<(&'static str, ByValue, Steps)> {
    let limits = limits();
    let btc = limits.underlyings["BTC"].clone();
    let volatility = btc.volatility.clone().unwrap();
    let bp = |base: i64, points: i64| {
        (Decimal::from(base) * Decimal::from(10_000 + points) / Decimal::from(10_000)).to_string()
    };
    let level = |points: i64| Decimal::new(points, 4).to_string();
    vec![
        // Against the reference: no snapshot before, so that nothing else is measured.
        (
            "reference",
            Box::new(move |points| market(MINUTE, &bp(65_000, points), "1900", ["0.4", "0.5", "0.45"])),
            btc.reference,
        ),
        (
            "least volatility",
            Box::new(move |points| market(MINUTE, "65000", "1900", [&level(points), "0.5", &level(points)])),
            volatility.least,
        ),
    ]
}

#[test]
fn stance_is_entered_at_its_threshold_and_not_a_basis_point_before() {
    for (name, snapshot, steps) in edges() {
        // From calm towards danger.
        let towards: i64 = if name == "least volatility" { -1 } else { 1 };
        for (enter, below, reached) in [
            (steps.cautious.enter, Stance::Normal, Stance::Cautious),
            (steps.halted.enter, Stance::Cautious, Stance::Halted),
        ] {
            let enter = i64::from(enter);
            let stances = [-1, 0, 1].map(|by| observe(None, &snapshot(enter + by * towards)).stance());
            assert_eq!(stances, [below, reached, reached], "{name} at {enter}");
        }
    }
}

#[test]
fn stance_is_let_go_of_at_its_leaving_threshold_and_held_a_basis_point_before() {
    use Stance::{Cautious, Halted, Normal};
    let (up, down) = (steps([50, 25], [200, 100]), steps([2500, 3000], [1500, 2000]));
    for (measure, steps, values) in [
        (Measure::Reference, up, [25, 26, 49, 50, 100, 101, 199, 200]),
        (
            Measure::LeastVolatility,
            down,
            [3000, 2999, 2501, 2500, 2000, 1999, 1501, 1500],
        ),
    ] {
        let stances = values.map(|value| steps.of(measure, value));
        let expected = [
            (Normal, Normal),
            (Normal, Cautious),
            (Normal, Cautious),
            (Cautious, Cautious),
            (Cautious, Cautious),
            (Cautious, Halted),
            (Cautious, Halted),
            (Halted, Halted),
        ];
        assert_eq!(stances, expected, "{measure}");
        assert_eq!(
            [Cautious, Halted].map(|stance| steps.enter(stance)),
            [values[3], values[7]]
        );
    }
}

#[test]
fn reference_price_of_nothing_or_above_the_largest_is_refused() {
    let read = |price: &str| {
        let file = json!({ "instant": EPOCH, "indices": { "BTC": price } });
        Reference::from_json(file.to_string().as_bytes())
    };
    let most = zkmargin_risk::market::MAX_PRICE;
    for price in ["0.000000000000000001".to_owned(), most.to_string()] {
        assert_eq!(read(&price).unwrap().indices["BTC"], decimal(&price));
    }
    for price in ["0".to_owned(), "-1".to_owned(), format!("{most}.01")] {
        assert!(matches!(read(&price), Err(ReferenceError::Price { .. })), "{price}");
    }
}

#[test]
fn jumps_between_snapshots_are_entered_at_their_thresholds() {
    let first = observe(None, &calm(0));
    assert_eq!(first.stance(), Stance::Normal);
    let stance = |snapshot: Snapshot| observe(Some(&first), &snapshot).stance();
    let mut limits = policy();
    // Volatility alone moves: 0.4 to 0.45 is 500 basis points.
    let moved = |by: i64| {
        let to = |base: i64| Decimal::new(base + by, 4).to_string();
        market(MINUTE, "65000", "1900", [&to(4000), &to(5000), &to(4500)])
    };
    assert_eq!(
        [499, 500, 501].map(|by| stance(moved(by))),
        [Stance::Normal, Stance::Cautious, Stance::Cautious]
    );
    assert_eq!(
        [1999, 2000].map(|by| stance(moved(by))),
        [Stance::Cautious, Stance::Halted]
    );
    // One strike up and one down: the spread is reached before the jump.
    let turned = |by: i64| {
        let to = |base: i64| Decimal::new(base, 4).to_string();
        market(MINUTE, "65000", "1900", [&to(4000 + 400), &to(5000 - by), &to(4500)])
    };
    assert_eq!(
        [399, 400].map(|by| stance(turned(by))),
        [Stance::Normal, Stance::Cautious]
    );
    // The reference moves with the market: only the jump is left.
    let underlyings = &mut limits.breaker.as_mut().unwrap().underlyings;
    for limits in underlyings.values_mut() {
        limits.reference = steps([10_000, 5000], [10_000, 5000]);
    }
    let jumped = |points: i64, eth: i64| {
        let to = |base: i64, points: i64| {
            (Decimal::from(base) * Decimal::from(10_000 + points) / Decimal::from(10_000)).to_string()
        };
        let snapshot = market(MINUTE, &to(65_000, points), &to(1900, eth), ["0.4", "0.5", "0.45"]);
        let reference = reference(&snapshot);
        let sight = Sight {
            snapshots: std::slice::from_ref(&snapshot),
            signatures: &[],
            reference: &reference,
            at: snapshot.instant,
        };
        first.observe(&limits, &sight).unwrap().stance()
    };
    assert_eq!(
        [99, 100, 101].map(|by| jumped(by, by)),
        [Stance::Normal, Stance::Cautious, Stance::Cautious]
    );
    assert_eq!([299, 300].map(|by| jumped(by, by)), [Stance::Cautious, Stance::Halted]);
    // Apart: 75 up and 74 down is 149.
    assert_eq!([74, 75].map(|by| jumped(75, -by)), [Stance::Normal, Stance::Cautious]);
}

#[test]
fn what_cannot_be_measured_is_a_halt_with_its_cause() {
    let halted_for = |snapshot: &Snapshot| {
        let breaker = observe(None, snapshot);
        assert_eq!(breaker.stance(), Stance::Halted);
        assert_eq!(breaker.seen(), []);
        breaker.transitions().last().unwrap().causes.clone()
    };
    let missing = |what: &str| vec![Cause::Missing { what: what.to_owned() }];
    let unwatched = |what: &str| vec![Cause::Unwatched { what: what.to_owned() }];
    let mut without = calm(MINUTE);
    without.underlyings.remove("ETH");
    assert_eq!(halted_for(&without), missing("underlying ETH"));
    let mut more = calm(MINUTE);
    let eth = more.underlyings["ETH"].clone();
    more.underlyings.insert("SOL".to_owned(), eth);
    assert_eq!(halted_for(&more), unwatched("underlying SOL"));
    let mut options = calm(MINUTE);
    options.underlyings.get_mut("ETH").unwrap().expiries = options.underlyings["BTC"].expiries.clone();
    assert_eq!(halted_for(&options), unwatched("volatilities of ETH"));
    let mut bare = calm(MINUTE);
    bare.underlyings.get_mut("BTC").unwrap().expiries.clear();
    assert_eq!(halted_for(&bare), missing("volatilities of BTC"));
    let back = observe(Some(&observe(None, &bare)), &calm(2 * MINUTE));
    assert_eq!(back.unrest.market, calm(2 * MINUTE).instant, "measured against nothing");
    let (_, blind) = measure(&limits(), Some(after(&bare)), &calm(2 * MINUTE), &reference(&bare));
    let what = "volatilities of BTC in any snapshot before".to_owned();
    assert_eq!(blind, [Blind::Missing(what)]);
}

#[test]
fn observation_out_of_order_or_of_another_time_is_none() {
    let first = observe(None, &calm(MINUTE));
    let at = |millis: u64| instant(EPOCH).checked_add(millis).unwrap();
    // A snapshot from before.
    let edges =
        [MINUTE - 1, MINUTE, MINUTE + 1].map(|after| observe_at(Some(&first), &calm(after), at(2 * MINUTE)).is_ok());
    assert_eq!(edges, [false, true, true]);
    assert!(matches!(
        observe_at(Some(&first), &calm(0), at(2 * MINUTE)),
        Err(ObserveError::Rollback { .. })
    ));
    // A clock behind the snapshot, or too far ahead.
    assert!(matches!(
        observe_at(None, &calm(MINUTE), at(MINUTE - 1)),
        Err(ObserveError::Ahead { .. })
    ));
    assert!(observe_at(None, &calm(MINUTE), at(MINUTE)).is_ok());
    assert!(observe_at(None, &calm(MINUTE), at(4 * MINUTE)).is_ok());
    assert!(matches!(
        observe_at(None, &calm(MINUTE), at(4 * MINUTE + 1)),
        Err(ObserveError::Stale { .. })
    ));
    // A reference of another time.
    let with_reference = |instant: Instant| {
        let snapshot = calm(5 * MINUTE);
        let mut reference = reference(&snapshot);
        reference.instant = instant;
        let sight = Sight {
            snapshots: std::slice::from_ref(&snapshot),
            signatures: &[],
            reference: &reference,
            at: snapshot.instant,
        };
        Breaker::begin(&policy(), &sight)
    };
    for (millis, good) in [
        (4 * MINUTE - 1, false),
        (4 * MINUTE, true),
        (6 * MINUTE, true),
        (6 * MINUTE + 1, false),
    ] {
        let answer = with_reference(at(millis));
        assert_eq!(answer.is_ok(), good, "{millis}");
        assert!(good || matches!(answer, Err(ObserveError::StaleReference { .. })));
    }
    // A second, slightly different one of the same instant does not take the place of the first.
    let second = market(MINUTE, "65001", "1900", ["0.4", "0.5", "0.45"]);
    assert!(matches!(
        observe_at(Some(&first), &second, at(MINUTE)),
        Err(ObserveError::SecondOfInstant { .. })
    ));
    let mut main = policy();
    main.network = Network::Main;
    let snapshot = calm(2 * MINUTE);
    let reference = reference(&snapshot);
    let sight = Sight {
        snapshots: &[snapshot],
        signatures: &[],
        reference: &reference,
        at: at(2 * MINUTE),
    };
    assert!(matches!(
        first.observe(&main, &sight),
        Err(ObserveError::Network {
            found: Network::Test,
            expected: Network::Main
        })
    ));
    main.breaker = None;
    assert!(matches!(Breaker::begin(&main, &sight), Err(ObserveError::NoLimits)));
    // By a policy that no reader would take.
    let mut empty = policy();
    empty.books.clear();
    assert!(matches!(
        first.observe(&empty, &sight),
        Err(ObserveError::Policy(PolicyFileError::Empty { field })) if field == "books"
    ));
    let mut hasty = policy();
    hasty.breaker.as_mut().unwrap().dwell = "0s".parse().unwrap();
    assert!(matches!(
        first.observe(&hasty, &sight),
        Err(ObserveError::Policy(PolicyFileError::Breaker(LimitsError::NoDwell)))
    ));
}

fn signed_policy(signed_by: usize) -> Policy {
    let mut policy = policy();
    policy.snapshots = AcceptedSnapshots::Signed(Publishers {
        signed_by,
        of: Keys::from(["one", "two", "three"].map(public)),
    });
    policy
}

fn sign(name: &str, snapshot: &Snapshot) -> SnapshotSignature {
    SnapshotSignature::sign(&key(name), Network::Test, snapshot.digest())
}

#[test]
fn disagreement_beyond_the_band_is_a_halt_and_no_average() {
    // 30 basis points of 65,000 are 195.
    let sights = ["65194.99", "65195", "65195.01"].map(|btc| {
        let snapshots = [calm(0), market(0, btc, "1900", ["0.4", "0.5", "0.45"])];
        let signatures = [
            sign("one", &snapshots[0]),
            sign("two", &snapshots[0]),
            sign("three", &snapshots[1]),
        ];
        let reference = reference(&snapshots[0]);
        let sight = Sight {
            snapshots: &snapshots,
            signatures: &signatures,
            reference: &reference,
            at: snapshots[0].instant,
        };
        Breaker::begin(&signed_policy(2), &sight).unwrap()
    });
    assert_eq!(
        sights.each_ref().map(Breaker::stance),
        [Stance::Normal, Stance::Normal, Stance::Halted]
    );
    // Within the band it is the snapshot that two signed, as it is.
    assert_eq!(
        sights[0].seen(),
        [Seen {
            snapshot: calm(0).digest(),
            instant: calm(0).instant
        }]
    );
    assert_eq!(sights[2].seen(), []);
    let cause = &sights[2].transitions()[0].causes[0];
    assert!(matches!(cause, Cause::Disagreement { value: 31, band: 30, what, .. } if what == "index of BTC"));
    // Volatilities too, and what only one of them has.
    let turned = market(0, "65000", "1900", ["0.4031", "0.5", "0.45"]);
    assert_eq!(disagreement(&calm(0), &turned).1, 31);
    let mut less = calm(0);
    less.underlyings.remove("ETH");
    assert_eq!(disagreement(&less, &calm(0)).1, u32::MAX);
    // A second voice that comes later is heard all the same.
    let (first, second) = (calm(0), market(0, "66000", "1900", ["0.4", "0.5", "0.45"]));
    let reference = reference(&first);
    let sight = |snapshot, signatures| Sight {
        snapshots: std::slice::from_ref(snapshot),
        signatures,
        reference: &reference,
        at: first.instant,
    };
    let both = [sign("one", &first), sign("two", &first)];
    let before = Breaker::begin(&signed_policy(2), &sight(&first, &both)).unwrap();
    let third = [sign("three", &second)];
    let after = before.observe(&signed_policy(2), &sight(&second, &third)).unwrap();
    assert_eq!((before.stance(), after.stance()), (Stance::Normal, Stance::Halted));
    assert_eq!((before.seen().len(), after.seen().len()), (1, 0), "neither is used");
    let again = after.observe(&signed_policy(2), &sight(&first, &both)).unwrap();
    assert_eq!((again.stance(), again.seen().len()), (Stance::Halted, 0));
}

#[test]
fn snapshot_that_too_few_or_strangers_signed_is_no_observation() {
    let snapshot = calm(0);
    let reference = reference(&snapshot);
    let observe = |signatures: &[SnapshotSignature]| {
        let sight = Sight {
            snapshots: std::slice::from_ref(&snapshot),
            signatures,
            reference: &reference,
            at: snapshot.instant,
        };
        Breaker::begin(&signed_policy(2), &sight)
    };
    assert!(observe(&[sign("one", &snapshot), sign("two", &snapshot)]).is_ok());
    for (signatures, count) in [(vec![], 0), (vec![sign("one", &snapshot)], 1)] {
        assert!(matches!(
            observe(&signatures),
            Err(ObserveError::Publisher(PublisherRefusal::TooFew { found, expected: 2, .. })) if found == count
        ));
    }
    assert!(matches!(
        observe(&[sign("stranger", &snapshot)]),
        Err(ObserveError::Publisher(PublisherRefusal::Publisher { .. }))
    ));
    // What nobody signed is no voice beside one that is published; nor is one of another instant, whoever signed it.
    let both = |second: &Snapshot, signers: &[&str]| {
        let signatures = ["one", "two"].map(|name| sign(name, &snapshot));
        let signatures = signatures
            .into_iter()
            .chain(signers.iter().map(|name| sign(name, second)));
        let sight = Sight {
            snapshots: &[snapshot.clone(), second.clone()],
            signatures: &signatures.collect::<Vec<_>>(),
            reference: &reference,
            at: second.instant,
        };
        Breaker::begin(&signed_policy(2), &sight)
    };
    let other = market(0, "65001", "1900", ["0.4", "0.5", "0.45"]);
    assert_eq!(both(&other, &["three"]).unwrap().stance(), Stance::Normal);
    assert!(matches!(
        both(&other, &[]),
        Err(ObserveError::Publisher(PublisherRefusal::TooFew { snapshot, found: 0, expected: 2 })) if snapshot == other.digest()
    ));
    let (first, second) = (snapshot.instant, calm(MINUTE).instant);
    assert!(matches!(
        both(&calm(MINUTE), &["one", "two"]),
        Err(ObserveError::Instants { first: named, second: found }) if (named, found) == (first, second)
    ));
}

#[test]
fn of_several_disagreements_the_widest_is_the_cause() {
    let of = |btc: &str| market(0, btc, "1900", ["0.4", "0.5", "0.45"]);
    // 62, 154 and 216 basis points.
    for snapshots in [
        ["65000", "65400", "66400"],
        ["66400", "65000", "65400"],
        ["65400", "66400", "65000"],
    ] {
        let snapshots = snapshots.map(of);
        let signatures: Vec<SnapshotSignature> = ["one", "two", "three"]
            .into_iter()
            .zip(&snapshots)
            .map(|(name, snapshot)| sign(name, snapshot))
            .collect();
        let sight = Sight {
            snapshots: &snapshots,
            signatures: &signatures,
            reference: &reference(&snapshots[0]),
            at: snapshots[0].instant,
        };
        let breaker = Breaker::begin(&signed_policy(1), &sight).unwrap();
        let Some(Cause::Disagreement {
            snapshots: named,
            value,
            ..
        }) = breaker.transitions()[0].causes.first()
        else {
            panic!("{:?}", breaker.transitions())
        };
        assert_eq!(*value, 216);
        assert_eq!(
            BTreeSet::from(*named),
            BTreeSet::from(["65000", "66400"].map(|btc| of(btc).digest()))
        );
    }
}

#[test]
fn snapshot_that_the_policy_does_not_list_is_no_observation() {
    let (listed, other) = (calm(0), calm(MINUTE));
    let mut policy = policy();
    policy.snapshots = AcceptedSnapshots::Listed([listed.digest()].into());
    let observe = |snapshot: &Snapshot| {
        let sight = Sight {
            snapshots: std::slice::from_ref(snapshot),
            signatures: &[],
            reference: &reference(snapshot),
            at: snapshot.instant,
        };
        Breaker::begin(&policy, &sight).map(|breaker| breaker.stance())
    };
    assert_eq!(observe(&listed).unwrap(), Stance::Normal);
    let digest = other.digest();
    let accepts = |accepted: &BTreeSet<Digest>| accepted.iter().eq([&listed.digest()]);
    assert!(matches!(
        observe(&other),
        Err(ObserveError::NotListed { found, accepted }) if found == digest && accepts(&accepted)
    ));
}

#[test]
fn snapshot_that_gave_cause_to_halt_is_not_cleared_by_being_seen_again() {
    let wild = market(MINUTE, "70000", "1900", ["0.4", "0.5", "0.45"]);
    let mut policy = policy();
    for limits in policy.breaker.as_mut().unwrap().underlyings.values_mut() {
        limits.reference = steps([10_000, 5000], [10_000, 5000]);
    }
    let reference = reference(&wild);
    let sight = Sight {
        snapshots: std::slice::from_ref(&wild),
        signatures: &[],
        reference: &reference,
        at: wild.instant,
    };
    let first = observe(None, &calm(0));
    let once = first.observe(&policy, &sight).unwrap();
    let twice = once.observe(&policy, &sight).unwrap();
    assert_eq!([once.stance(), twice.stance()], [Stance::Halted, Stance::Halted]);
    assert_eq!((once.seen(), twice.seen()), (&[][..], &[][..]));
    // What was good stays good.
    let again = observe(Some(&first), &calm(0));
    assert_eq!(again.seen(), first.seen());
}

#[test]
fn underlying_that_the_reference_has_no_price_of_is_a_halt() {
    let snapshot = calm(0);
    let mut reference = reference(&snapshot);
    reference.indices.remove("ETH");
    let sight = Sight {
        snapshots: std::slice::from_ref(&snapshot),
        signatures: &[],
        reference: &reference,
        at: snapshot.instant,
    };
    let breaker = Breaker::begin(&policy(), &sight).unwrap();
    assert_eq!(breaker.stance(), Stance::Halted);
    let what = "reference price of ETH".to_owned();
    assert_eq!(breaker.transitions()[0].causes, [Cause::Missing { what }]);
}

#[test]
fn underlying_that_was_never_there_is_a_halt() {
    let mut without = calm(MINUTE);
    without.underlyings.remove("ETH");
    without.assets.remove("ETH");
    let (_, blind) = measure(
        &limits(),
        Some(after(&without)),
        &calm(2 * MINUTE),
        &reference(&without),
    );
    let what = "underlying ETH in any snapshot before".to_owned();
    assert_eq!(blind, [Blind::Missing(what)]);
}

#[test]
fn halt_lasts_as_long_as_something_cannot_be_measured() {
    let without = |minute: u64| {
        let mut snapshot = calm(minute * MINUTE);
        snapshot.underlyings.remove("ETH");
        snapshot
    };
    let mut breaker = observe(None, &without(0));
    for minute in 1..=25 {
        breaker = observe(Some(&breaker), &without(minute));
        let now = (breaker.stance(), breaker.transitions().len());
        assert_eq!(now, (Stance::Halted, 1), "{minute}");
    }
}

#[test]
fn halt_names_what_halts_and_not_what_would_be_caution() {
    let breaker = observe(None, &market(0, "70000", "1910", ["0.4", "0.5", "0.45"]));
    assert!(matches!(
        &breaker.transitions()[0].causes[..],
        [Cause::Measured { measure: Measure::Reference, of: Some(of), price: None, .. }] if of == "BTC"
    ));
}

fn future(price: &str) -> zkmargin_risk::market::FutureQuote {
    zkmargin_risk::market::FutureQuote {
        price: decimal(price),
        quote: Default::default(),
    }
}

fn btc(snapshot: &mut Snapshot) -> &mut zkmargin_risk::market::UnderlyingMarket {
    snapshot.underlyings.get_mut("BTC").unwrap()
}

fn price_jump(before: &Snapshot, now: &Snapshot) -> u32 {
    value(&values(Some(before), now), Measure::PriceJump, Some("BTC"))
}

#[test]
fn future_is_measured_and_compared_like_any_price() {
    let with = |after: u64, price: &str| {
        let mut snapshot = calm(after);
        let futures = &mut btc(&mut snapshot).futures;
        futures.insert(instant("2026-12-25T08:00:00Z"), future(price));
        snapshot
    };
    let (before, now) = (with(0, "66000"), with(MINUTE, "66660"));
    assert_eq!(price_jump(&before, &now), 100);
    let said = disagreement(&before, &now);
    assert_eq!(said, ("future 2026-12-25T08:00:00Z of BTC".to_owned(), 100));
}

#[test]
fn expiry_that_is_new_is_measured_from_those_around_it() {
    let at = |after: u64| {
        let mut snapshot = calm(after);
        let expiries = &mut btc(&mut snapshot).expiries;
        expiries.values_mut().next_back().unwrap().forward = decimal("66000");
        snapshot
    };
    // From an index of 65,000 to 65,100 at the end of August and 66,000 at that of September: between two of them anything between them, beyond them on in a line, and for
    // four weeks.
    for (expiry, price, jump) in [
        ("2026-08-21T08:00:00Z", "65751", 100),
        ("2026-08-21T08:00:00Z", "65000", 0),
        ("2026-08-21T08:00:00Z", "64350", 100),
        ("2026-08-29T08:00:00Z", "64449", 100),
        ("2026-09-11T08:00:00Z", "65500", 0),
        ("2026-09-18T08:00:00Z", "66660", 100),
        ("2027-06-25T08:00:00Z", "65340", 100),
        ("2027-06-25T08:00:00Z", "66900", 0),
        ("2027-06-25T08:00:00Z", "67569", 100),
    ] {
        let (mut dated, mut options) = (at(MINUTE), at(MINUTE));
        btc(&mut dated).futures.insert(instant(expiry), future(price));
        let listed = zkmargin_risk::market::Expiry::new(decimal(price), BTreeMap::new());
        btc(&mut options).expiries.insert(instant(expiry), listed);
        for now in [dated, options] {
            assert_eq!(price_jump(&at(0), &now), jump, "{expiry} at {price}");
        }
    }
}

#[test]
fn what_has_expired_is_around_nothing() {
    let later = |minutes: u64| instant(EPOCH).checked_add(minutes * MINUTE).unwrap();
    // A future and options that were wild, and expire as the next snapshot is taken, or before.
    let before = |expired: Instant| {
        let mut before = calm(0);
        let market = btc(&mut before);
        market.futures.insert(expired, future("90000"));
        let mut options = market.expiries.values().next().unwrap().clone();
        options.strikes.values_mut().for_each(|at| at.volatility = decimal("3"));
        options.forward = decimal("90000");
        market.expiries.insert(expired, options);
        before
    };
    let mut now = market(2 * MINUTE, "65000", "1900", ["0.4", "0.5", "0.45"]);
    btc(&mut now).futures.insert(later(60), future("65751"));
    let mut options = calm(0).underlyings["BTC"].expiries.values().next().unwrap().clone();
    options
        .strikes
        .values_mut()
        .for_each(|at| at.volatility = decimal("0.52"));
    options.forward = decimal("65000");
    btc(&mut now).expiries.insert(later(60), options);
    for minutes in [1, 2] {
        let before = before(later(minutes));
        let moved = values(Some(&before), &now);
        // Above what was to come at the end of August: 651 of 65,100, and 0.12 at a strike of 65,000.
        assert_eq!(value(&moved, Measure::PriceJump, Some("BTC")), 100, "{minutes}");
        assert_eq!(value(&moved, Measure::VolatilityJump, Some("BTC")), 1200, "{minutes}");
    }
    // Nor is there a line through it to what follows.
    let (mut before, mut now) = (before(later(1)), now);
    btc(&mut before).expiries.clear();
    btc(&mut now).expiries.clear();
    btc(&mut now).futures.insert(later(60), future("64350"));
    let then = after(&before).market("BTC").unwrap();
    assert_eq!(moves::price_jump(btc(&mut now), later(2), then).0, 100);
}

#[test]
fn perpetual_or_delivery_that_is_new_is_measured_from_the_index_before() {
    // The index goes half a percent up; what is new is a percent above where it was.
    let moved = || market(MINUTE, "65325", "1900", ["0.4", "0.5", "0.45"]);
    let (mut before, mut now) = (calm(0), moved());
    btc(&mut before).perpetual = None;
    btc(&mut now).perpetual.as_mut().unwrap().price = decimal("65650");
    assert_eq!(price_jump(&before, &now), 100);
    let mut now = moved();
    btc(&mut now).perpetual = None;
    let deliveries = &mut btc(&mut now).deliveries;
    deliveries.insert(instant("2026-08-06T08:00:00Z"), decimal("65650"));
    assert_eq!(price_jump(&calm(0), &now), 100);
    // A delivery follows the forward or future of its expiry, where there was one.
    let mut before = calm(0);
    btc(&mut before)
        .futures
        .insert(instant("2026-08-06T08:00:00Z"), future("65520"));
    assert_eq!(price_jump(&before, &now), 50);
}

#[test]
fn of_prices_that_moved_alike_the_index_is_named() {
    let (mut before, mut now) = (calm(0), market(MINUTE, "65650", "1900", ["0.4", "0.5", "0.45"]));
    btc(&mut before).perpetual.as_mut().unwrap().price = decimal("65000");
    btc(&mut now).perpetual.as_mut().unwrap().price = decimal("65650");
    let (readings, _) = measure(&limits(), Some(after(&before)), &now, &reference(&now));
    let jump = readings
        .iter()
        .find(|reading| reading.measure == Measure::PriceJump && reading.of.as_deref() == Some("BTC"))
        .unwrap();
    assert_eq!((jump.value, jump.price.as_deref()), (100, Some("index")));
}

#[test]
fn rate_is_measured_for_the_years_for_which_it_runs() {
    let (year, half) = (365 * 24 * 60 * MINUTE, 365 * 12 * 60 * MINUTE);
    let later = |millis: u64| instant(EPOCH).checked_add(MINUTE + millis).unwrap();
    // Options of a year from the minute, of half a year, or both, each with its rate.
    let with = |after: u64, rate: &str, expiries: &[(u64, Option<&str>)]| {
        let mut snapshot = calm(after);
        let market = btc(&mut snapshot);
        market.rate = decimal(rate);
        let options = market.expiries.values().next().unwrap().clone();
        let expiries = expiries.iter().map(|(millis, rate)| {
            let mut options = options.clone();
            options.rate = rate.map(decimal);
            (later(*millis), options)
        });
        market.expiries = expiries.collect();
        snapshot
    };
    let before = with(0, "0.05", &[(half, None), (year, Some("0.04"))]);
    for (rate, expiries, jump) in [
        ("0.05", [(half, None), (year, Some("0.04"))], 0),
        ("0.07", [(half, None), (year, Some("0.04"))], 100),
        ("0.03", [(half, None), (year, Some("0.04"))], 100),
        ("0.05", [(half, None), (year, Some("0.05"))], 100),
        ("0.05", [(half, None), (year, None)], 100),
        ("0.05", [(half, Some("-1")), (year, Some("0.04"))], 5250),
        // Nothing until now, 0.025 until the half year, 0.04 until the year: as much as between two of them at each quarter.
        ("0.05", [(half / 2, Some("0.09")), (half / 2 * 3, Some("0.05"))], 0),
        ("0.05", [(half / 2, Some("0.11")), (half / 2 * 3, Some("0.05"))], 25),
        ("0.05", [(half / 2, Some("-0.04")), (half / 2 * 3, Some("0.05"))], 100),
        ("0.05", [(half / 2, Some("0.09")), (half / 2 * 3, Some("0.08"))], 200),
    ] {
        let now = with(MINUTE, rate, &expiries);
        assert_eq!(price_jump(&before, &now), jump, "{rate} {expiries:?}");
    }
    let percent = with(MINUTE, "0.05", &[(half, None), (year, Some("4"))]);
    let after = observe(Some(&observe(None, &before)), &percent);
    let said = after.transitions().last().unwrap().to_string();
    let named = format!(
        "move of a price of BTC (rate {}) is 39600 basis points, the threshold is 300",
        later(year)
    );
    assert!(said.ends_with(&named), "{said}");
}

#[test]
fn forward_that_is_settled_in_part_before_any_average_begins_is_a_halt() {
    // An hour before the expiry, and a millisecond more.
    for (left, expected) in [(60 * MINUTE, Stance::Normal), (60 * MINUTE + 1, Stance::Halted)] {
        let mut snapshot = calm(0);
        let market = btc(&mut snapshot);
        let (_, mut options) = market.expiries.pop_first().unwrap();
        options.settled = decimal("0.01");
        let expiry = instant(EPOCH).checked_add(left).unwrap();
        market.expiries.insert(expiry, options);
        let breaker = observe(None, &snapshot);
        assert_eq!(breaker.stance(), expected, "{left}");
        if let Some(halt) = breaker.transitions().first() {
            let what = format!("what is settled of BTC {expiry} more than an hour before");
            assert_eq!(halt.causes, [Cause::Unwatched { what }]);
        }
    }
}

#[test]
fn what_one_publisher_alone_has_differs_by_everything() {
    type Without = fn(&mut zkmargin_risk::market::UnderlyingMarket);
    let without: [(&str, Without); 5] = [
        ("perpetual of BTC", |btc| btc.perpetual = None),
        ("future 2026-12-25T08:00:00Z of BTC", |btc| btc.futures.clear()),
        ("delivery 2026-08-06T08:00:00Z of BTC", |btc| btc.deliveries.clear()),
        ("forward 2026-09-25T08:00:00Z of BTC", |btc| {
            btc.expiries.pop_last();
        }),
        ("volatility of BTC 2026-09-25T08:00:00Z 66000", |btc| {
            btc.expiries.values_mut().next_back().unwrap().strikes.clear();
        }),
    ];
    let mut whole = calm(0);
    let market = btc(&mut whole);
    market.futures.insert(instant("2026-12-25T08:00:00Z"), future("66000"));
    market
        .deliveries
        .insert(instant("2026-08-06T08:00:00Z"), decimal("65000"));
    for (what, take) in without {
        let mut less = whole.clone();
        take(btc(&mut less));
        for (first, second) in [(&whole, &less), (&less, &whole)] {
            assert_eq!(disagreement(first, second), (what.to_owned(), u32::MAX));
        }
    }
}

#[test]
fn publishers_that_differ_in_a_fraction_disagree() {
    type Change = fn(&mut Snapshot);
    let changes: [(&str, u32, Change); 7] = [
        ("funding of BTC", 2, |s| {
            btc(s).perpetual.as_mut().unwrap().funding += decimal("0.00011");
        }),
        ("confidence of the perpetual of BTC", 40, |s| {
            btc(s).perpetual.as_mut().unwrap().confidence = Some(decimal("0.996"));
        }),
        ("confidence of the index of BTC", 1, |s| {
            btc(s).confidence = Some(decimal("0.9999"))
        }),
        ("confidence of 2026-08-28T08:00:00Z of BTC", 40, |s| {
            btc(s).expiries.values_mut().next().unwrap().confidence = Some(decimal("0.996"));
        }),
        // 651 of 65,100.
        ("settled part of 2026-08-28T08:00:00Z of BTC", 100, |s| {
            btc(s).expiries.values_mut().next().unwrap().settled = decimal("651");
        }),
        // 0.1 for 21 days and 20 hours.
        ("rate 2026-08-28T08:00:00Z of BTC", 60, |s| {
            btc(s).expiries.values_mut().next().unwrap().rate = Some(decimal("0.15"));
        }),
        ("confidence of USDC", 40, |s| {
            s.confidences.insert("USDC".to_owned(), decimal("0.996"));
        }),
    ];
    for (what, value, change) in changes {
        let mut plain = calm(0);
        btc(&mut plain).rate = decimal("0.05");
        let mut changed = plain.clone();
        change(&mut changed);
        for (first, second) in [(&plain, &changed), (&changed, &plain)] {
            assert_eq!(disagreement(first, second), (what.to_owned(), value));
        }
    }
}

#[test]
fn coin_with_an_index_has_that_price_whether_or_not_it_is_among_the_assets() {
    let (listed, mut bare) = (calm(0), calm(0));
    bare.assets.remove("BTC");
    assert!(listed.assets.contains_key("BTC"));
    for (first, second) in [(&listed, &bare), (&bare, &listed)] {
        assert_eq!(disagreement(first, second), (String::new(), 0));
    }
}

#[test]
fn volatility_that_is_new_is_measured_from_those_around_it() {
    let strike = |volatility: &str| zkmargin_risk::market::Strike {
        volatility: decimal(volatility),
        call: None,
        put: None,
    };
    // 0.4 at 65,000 and 0.5 at 80,000 in August, 0.45 at 66,000 in September.
    let with = |after: u64, expiry: &str, at: &str, volatility: &str| {
        let mut snapshot = calm(after);
        let new = || zkmargin_risk::market::Expiry::new(decimal("65100"), BTreeMap::new());
        let options = btc(&mut snapshot).expiries.entry(instant(expiry)).or_insert_with(new);
        options.strikes.insert(decimal(at), strike(volatility));
        snapshot
    };
    let august = "2026-08-28T08:00:00Z";
    for (expiry, at, volatility, jump) in [
        // Between two strikes, below the first, above the last, at one that was there.
        (august, "70000", "0.4", 0),
        (august, "70000", "0.5", 0),
        (august, "70000", "0.39", 100),
        (august, "70000", "0.52", 200),
        (august, "60000", "0.45", 500),
        (august, "90000", "0.1", 4000),
        (august, "95000", "0.6", 0),
        (august, "95000", "0.61", 100),
        // No further than as far as from one strike to the next.
        (august, "200000", "0.61", 100),
        (august, "50000", "0.3", 0),
        (august, "50000", "0.29", 100),
        (august, "87500", "0.56", 100),
        (august, "80000", "0.52", 200),
        // Between two expiries, before the first, after the last.
        ("2026-09-04T08:00:00Z", "65000", "0.46", 100),
        ("2026-09-04T08:00:00Z", "65000", "0.4", 0),
        ("2026-09-04T08:00:00Z", "90000", "0.44", 100),
        ("2026-08-21T08:00:00Z", "70000", "0.01", 3900),
        ("2027-06-25T08:00:00Z", "70000", "0.55", 1000),
    ] {
        let moved = values(Some(&calm(0)), &with(MINUTE, expiry, at, volatility));
        let measured = value(&moved, Measure::VolatilityJump, Some("BTC"));
        assert_eq!(measured, jump, "{expiry} {at} {volatility}");
        assert_eq!(value(&moved, Measure::VolatilityDispersion, Some("BTC")), jump);
    }
}

#[test]
fn what_is_left_out_for_a_moment_is_measured_from_itself_when_it_comes_back() {
    let passed = instant("2026-08-06T08:00:00Z");
    let whole = |after: u64| {
        let mut snapshot = calm(after);
        snapshot.assets.insert("USDC".to_owned(), decimal("1"));
        let market = btc(&mut snapshot);
        market.futures.insert(instant("2026-08-28T08:00:00Z"), future("65100"));
        market.futures.insert(instant("2026-12-25T08:00:00Z"), future("68000"));
        market.deliveries.insert(passed, decimal("60000"));
        // A smile: whoever leaves out its middle may not lift it to its ends.
        let options = market.expiries.values_mut().next().unwrap();
        for (strike, volatility) in [("50000", "0.9"), ("100000", "0.9")] {
            let mut at = options.strikes.values().next().unwrap().clone();
            at.volatility = decimal(volatility);
            options.strikes.insert(decimal(strike), at);
        }
        snapshot
    };
    type Change = fn(&mut Snapshot);
    let changes: [(&str, Change, Change); 9] = [
        (
            "asset",
            |s| {
                s.assets.remove("USDC");
            },
            |s| {
                s.assets.insert("USDC".to_owned(), decimal("0.9"));
            },
        ),
        (
            "underlying",
            |s| {
                s.underlyings.remove("ETH");
            },
            |s| {
                s.underlyings.get_mut("ETH").unwrap().perpetual = None;
                let deliveries = &mut s.underlyings.get_mut("ETH").unwrap().deliveries;
                deliveries.insert(instant("2026-08-05T08:00:00Z"), decimal("190"));
            },
        ),
        (
            "perpetual",
            |s| btc(s).perpetual = None,
            |s| {
                btc(s).perpetual.as_mut().unwrap().price = decimal("61000");
            },
        ),
        (
            "near future",
            |s| {
                btc(s).futures.pop_first();
            },
            |s| {
                btc(s).futures.first_entry().unwrap().insert(future("68000"));
            },
        ),
        (
            "delivery",
            |s| btc(s).deliveries.clear(),
            |s| {
                btc(s)
                    .deliveries
                    .values_mut()
                    .for_each(|price| *price = decimal("65000"));
            },
        ),
        (
            "expiry",
            |s| {
                btc(s).expiries.pop_last();
            },
            |s| {
                btc(s).expiries.values_mut().next_back().unwrap().forward = decimal("68000");
            },
        ),
        (
            "strike",
            |s| {
                let options = btc(s).expiries.values_mut().next().unwrap();
                options.strikes.remove(&decimal("65000"));
            },
            |s| {
                let options = btc(s).expiries.values_mut().next().unwrap();
                options.strikes.get_mut(&decimal("65000")).unwrap().volatility = decimal("0.85");
            },
        ),
        (
            "rate",
            |s| {
                btc(s).expiries.pop_last();
            },
            |s| {
                btc(s).expiries.values_mut().next_back().unwrap().rate = Some(decimal("0.5"));
            },
        ),
        (
            "rate of the underlying",
            |s| {
                btc(s).expiries.pop_last();
                let rate = std::mem::replace(&mut btc(s).rate, decimal("0.9"));
                btc(s).expiries.values_mut().next().unwrap().rate = Some(rate);
            },
            |s| {
                let rate = std::mem::replace(&mut btc(s).rate, decimal("0.9"));
                btc(s).expiries.values_mut().next().unwrap().rate = Some(rate);
            },
        ),
    ];
    let first = observe(None, &whole(0));
    assert_eq!(first.stance(), Stance::Normal);
    for (what, leave_out, change) in changes {
        let (mut gap, same, mut another) = (whole(MINUTE), whole(2 * MINUTE), whole(2 * MINUTE));
        leave_out(&mut gap);
        change(&mut another);
        let after = observe(Some(&first), &gap);
        let (last, known) = (after.last.as_ref().unwrap(), after.known.as_ref().unwrap());
        let before = Before { last, known };
        let calm = measure(&limits(), Some(before), &same, &reference(&same));
        assert!(
            calm.1.is_empty()
                && calm
                    .0
                    .iter()
                    .all(|reading| reading.value == 0 || reading.measure.is_floor()),
            "{what}"
        );
        let came_back = observe(Some(&after), &another).transitions().last().unwrap().clone();
        assert!(
            came_back.to == Stance::Halted || after.stance() == Stance::Halted,
            "{what}"
        );
        let (readings, _) = measure(&limits(), Some(before), &another, &reference(&another));
        let worst = readings
            .iter()
            .filter(|reading| !reading.measure.is_floor())
            .map(|reading| reading.value)
            .max();
        assert!(worst >= Some(300), "{what}: {worst:?}");
    }
}

#[test]
fn what_is_left_out_goes_with_the_index_and_what_expires_is_delivered_at_its_last_price() {
    let near = instant("2026-08-28T08:00:00Z");
    let mut before = calm(0);
    btc(&mut before).futures.insert(near, future("65130"));
    btc(&mut before)
        .futures
        .insert(instant("2026-09-01T08:00:00Z"), future("65260"));
    // It expires just before the others of its day.
    let first = instant("2026-08-28T07:59:59.500Z");
    btc(&mut before).futures.insert(first, future("65140"));
    let kept = |millis: u64| {
        // Two percent down.
        let mut now = market(0, "63700", "1900", ["0.4", "0.5", "0.45"]);
        now.instant = instant("2026-08-28T07:59:59.999Z").checked_add(millis).unwrap();
        let market = btc(&mut now);
        (market.perpetual, market.expiries) = (None, BTreeMap::new());
        known::with(Some(before.clone()), &now).underlyings["BTC"].clone()
    };
    let perpetual = before.underlyings["BTC"].perpetual.as_ref().unwrap().price;
    for (millis, is_ahead) in [(0, true), (1, false)] {
        let known = kept(millis);
        assert_eq!(known.perpetual.unwrap().price, perpetual * decimal("0.98"));
        let of = |price: Option<&zkmargin_risk::market::FutureQuote>| price.map(|one| one.price);
        assert_eq!(of(known.futures.get(&near)), is_ahead.then(|| decimal("63827.4")));
        assert_eq!(of(known.futures.values().next_back()), Some(decimal("63954.8")));
        assert_eq!(
            (of(known.futures.get(&first)), known.deliveries.get(&first)),
            (None, Some(&decimal("65140")))
        );
        let forward = known.expiries.get(&near).map(|options| options.forward);
        assert_eq!(forward, is_ahead.then(|| decimal("63798")));
        assert_eq!(
            known.deliveries.get(&near),
            (!is_ahead).then(|| decimal("65100")).as_ref()
        );
    }
    // What is left out whole stays as it was.
    let mut without = calm(MINUTE);
    let eth = without.underlyings.remove("ETH").unwrap();
    assert_eq!(known::with(Some(before.clone()), &without).underlyings["ETH"], eth);
    // A delivery that is said later is measured from that.
    let mut later = market(0, "63700", "1900", ["0.4", "0.5", "0.45"]);
    later.underlyings.insert("BTC".to_owned(), kept(1));
    let mut said = later.clone();
    for (price, jump) in [("65100", 0), ("64449", 100), ("63700", 216)] {
        btc(&mut said).deliveries.insert(near, decimal(price));
        assert_eq!(price_jump(&later, &said), jump, "{price}");
    }
}

#[test]
fn what_is_new_is_measured_from_the_last_snapshot_and_not_from_what_that_left_out() {
    let last = calm(0);
    let mut known = last.clone();
    let stale = btc(&mut known);
    stale.futures.insert(instant("2026-09-10T08:00:00Z"), future("90000"));
    let mut wild = stale.expiries.values().next().unwrap().clone();
    wild.rate = Some(decimal("0.9"));
    for at in wild.strikes.values_mut() {
        at.volatility = decimal("0.9");
    }
    let strikes = &mut stale.expiries.values_mut().next().unwrap().strikes;
    strikes.insert(decimal("70000"), wild.strikes.values().next().unwrap().clone());
    stale.expiries.insert(instant("2026-09-10T08:00:00Z"), wild.clone());
    let before = Before {
        last: &last,
        known: &known,
    };
    type Change = Box<dyn Fn(&mut Snapshot)>;
    let beside = instant("2026-09-11T08:00:00Z");
    let (of_smile, of_rate) = (wild.clone(), wild.clone());
    let changes: [(Measure, Change); 4] = [
        (
            Measure::PriceJump,
            Box::new(move |s| {
                btc(s).futures.insert(beside, future("90000"));
            }),
        ),
        (
            Measure::PriceJump,
            Box::new(move |s| {
                btc(s).expiries.insert(beside, of_rate.clone());
            }),
        ),
        (
            Measure::VolatilityJump,
            Box::new(move |s| {
                btc(s).expiries.insert(beside, of_smile.clone());
            }),
        ),
        (
            Measure::VolatilityJump,
            Box::new(move |s| {
                let strikes = &mut btc(s).expiries.values_mut().next().unwrap().strikes;
                strikes.insert(decimal("71000"), wild.strikes.values().next().unwrap().clone());
            }),
        ),
    ];
    for (measured, change) in changes {
        let mut now = calm(MINUTE);
        change(&mut now);
        let (readings, _) = measure(&limits(), Some(before), &now, &reference(&now));
        let jump = readings
            .iter()
            .find(|reading| reading.measure == measured && reading.of.as_deref() == Some("BTC"));
        assert!(jump.unwrap().value >= 800, "{jump:?}");
    }
}

#[test]
fn neighbours_that_are_left_out_make_no_room_for_what_is_new() {
    let known = calm(0);
    let mut last = known.clone();
    // Of August, what is left is far to the side; of September nothing.
    let market = btc(&mut last);
    market.expiries.pop_last();
    let options = market.expiries.values_mut().next().unwrap();
    let mut wing = options.strikes.pop_first().unwrap().1;
    options.strikes.clear();
    for (strike, volatility) in [("20000", "1.5"), ("200000", "1.5")] {
        wing.volatility = decimal(volatility);
        options.strikes.insert(decimal(strike), wing.clone());
    }
    let before = Before {
        last: &last,
        known: &known,
    };
    let mut now = calm(MINUTE);
    let strikes = &mut btc(&mut now).expiries.values_mut().next().unwrap().strikes;
    strikes.insert(decimal("70000"), wing.clone());
    let (readings, _) = measure(&limits(), Some(before), &now, &reference(&now));
    let jump = readings
        .iter()
        .find(|reading| reading.measure == Measure::VolatilityJump);
    // From 0.5 at 80,000, and not from 1.5.
    assert_eq!(jump.unwrap().value, 10_000);
    let far = instant("2027-06-25T08:00:00Z");
    let wild = zkmargin_risk::market::Expiry {
        rate: Some(decimal("0.9")),
        ..zkmargin_risk::market::Expiry::new(decimal("90000"), BTreeMap::new())
    };
    btc(&mut last).expiries.insert(far, wild.clone());
    let before = Before {
        last: &last,
        known: &known,
    };
    for (change, of) in [(true, "future"), (false, "rate")] {
        let mut now = calm(MINUTE);
        let beside = instant("2026-12-25T08:00:00Z");
        match change {
            true => {
                btc(&mut now).futures.insert(beside, future("80000"));
            }
            false => {
                let mut listed = wild.clone();
                listed.forward = decimal("65100");
                btc(&mut now).expiries.insert(beside, listed);
            }
        }
        let (readings, _) = measure(&limits(), Some(before), &now, &reference(&now));
        let jump = readings
            .iter()
            .find(|reading| reading.measure == Measure::PriceJump)
            .unwrap();
        let named = jump.price.as_deref() == Some(&format!("{of} {beside}"));
        assert!(named && jump.value > 2000, "{of}: {jump:?}");
    }
}

#[test]
fn what_is_wild_and_then_hidden_is_wild_when_it_comes_back() {
    let at = |minute: u64, perpetual: Option<&str>| {
        let mut snapshot = calm(minute * MINUTE);
        let market = btc(&mut snapshot);
        match perpetual {
            Some(price) => market.perpetual.as_mut().unwrap().price = decimal(price),
            None => market.perpetual = None,
        }
        snapshot
    };
    // Seen once, twice, or in two snapshots.
    for shown in [&[1][..], &[1, 1], &[1, 2]] {
        let mut breaker = observe(None, &at(0, Some("65000")));
        for minute in shown {
            breaker = observe(Some(&breaker), &at(*minute, Some("97500")));
            assert_eq!(breaker.stance(), Stance::Halted);
        }
        for minute in 3..=23 {
            breaker = observe(Some(&breaker), &at(minute, None));
        }
        assert_eq!(breaker.stance(), Stance::Normal);
        let back = |price| observe(Some(&breaker), &at(24, Some(price))).stance();
        assert_eq!(
            (back("97500"), back("65000")),
            (Stance::Halted, Stance::Normal),
            "{shown:?}"
        );
    }
    // What stays is taken.
    let mut breaker = observe(Some(&observe(None, &at(0, Some("65000")))), &at(1, Some("97500")));
    for minute in 2..=21 {
        breaker = observe(Some(&breaker), &at(minute, Some("97500")));
    }
    let seen = breaker.seen().last().unwrap();
    assert_eq!(
        (breaker.stance(), seen.snapshot),
        (Stance::Normal, at(21, Some("97500")).digest())
    );
}

#[test]
fn strike_that_comes_and_goes_while_volatilities_move_ends_no_calm() {
    let at = |minute: u64, level: &str, strike: Option<&str>| {
        let mut snapshot = market(minute * MINUTE, "65000", "1900", [level, level, level]);
        if let Some(volatility) = strike {
            let strikes = &mut btc(&mut snapshot).expiries.values_mut().next().unwrap().strikes;
            let mut options = strikes.values().next().unwrap().clone();
            options.volatility = decimal(volatility);
            strikes.insert(decimal("70000"), options);
        }
        snapshot
    };
    let mut breaker = observe(Some(&observe(None, &at(0, "0.5", Some("0.52")))), &at(1, "0.75", None));
    assert_eq!(breaker.stance(), Stance::Halted);
    for minute in 2..=21 {
        let strike = (minute % 2 == 0).then_some("0.77");
        breaker = observe(Some(&breaker), &at(minute, "0.75", strike));
    }
    assert_eq!((breaker.stance(), breaker.transitions().len()), (Stance::Normal, 3));
    // Not below zero, nor to it.
    for volatility in ["0.3", "0.4"] {
        let before = at(0, "0.5", Some(volatility));
        let known = known::with(Some(before), &at(1, "0.1", None));
        let smile = &known.underlyings["BTC"].expiries.values().next().unwrap().strikes;
        assert_eq!(smile[&decimal("70000")].volatility, decimal(volatility));
    }
    // It goes with the next on either side, whatever those beyond them do.
    let smile = |volatilities: &[(&str, &str)]| {
        let mut snapshot = at(1, "0.5", None);
        let strikes = &mut btc(&mut snapshot).expiries.values_mut().next().unwrap().strikes;
        let options = strikes.values().next().unwrap().clone();
        *strikes = BTreeMap::new();
        for (strike, volatility) in volatilities {
            let mut options = options.clone();
            options.volatility = decimal(volatility);
            strikes.insert(decimal(strike), options);
        }
        snapshot
    };
    let then = [("1", "0.5"), ("2", "0.5"), ("3", "0.5"), ("4", "0.5"), ("5", "0.5")];
    let now = [("1", "0.51"), ("2", "0.53"), ("4", "0.54"), ("5", "0.52")];
    let known = known::with(Some(smile(&then)), &smile(&now));
    let kept = &known.underlyings["BTC"].expiries.values().next().unwrap().strikes;
    assert_eq!(kept[&decimal("3")].volatility, decimal("0.53"));
    let moved = values(
        Some(&smile(&now)),
        &smile(&[
            ("0.5", "0.4"),
            ("1", "0.51"),
            ("2", "0.53"),
            ("4", "0.54"),
            ("5", "0.52"),
        ]),
    );
    // Half of the way from 2 to 1 goes on from there to 0.5: from 0.51 to 0.5.
    assert_eq!(value(&moved, Measure::VolatilityJump, Some("BTC")), 1000);
    // Between one that moved and one that did not, it moved as little as they have in common.
    let strikes = |volatilities: [&str; 2]| {
        let snapshot = market(0, "65000", "1900", [volatilities[0], volatilities[1], "0.5"]);
        snapshot.underlyings["BTC"]
            .expiries
            .values()
            .next()
            .unwrap()
            .strikes
            .clone()
    };
    for (moved, expected) in [
        (["0.6", "0.55"], "0.57"),
        (["0.45", "0.3"], "0.47"),
        (["0.6", "0.4"], "0.52"),
        (["0.6", "0.5"], "0.52"),
    ] {
        let before = at(0, "0.5", Some("0.52"));
        let mut now = calm(MINUTE);
        btc(&mut now).expiries.values_mut().next().unwrap().strikes = strikes(moved);
        let known = known::with(Some(before), &now);
        let smile = &known.underlyings["BTC"].expiries.values().next().unwrap().strikes;
        assert_eq!(smile[&decimal("70000")].volatility, decimal(expected), "{moved:?}");
    }
}
