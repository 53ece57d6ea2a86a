//! The state machine, what it lets pass, and where it is kept.
use super::*;
use crate::Statement;
use crate::acceptance::Presented;
use crate::fixture::good_statement;
use proptest::prelude::*;
use serde_json::Value;
use zkmargin_risk::terms::{Deposit, Level, Margin, Order, Ratio20, Side};

fn presented(snapshot: &Snapshot) -> Presented {
    Presented {
        network: Network::Test,
        universe: Digest([1; 32]),
        snapshot: snapshot.digest(),
        snapshot_instant: snapshot.instant,
        later: None,
        model: Digest([2; 32]),
    }
}

#[test]
fn halted_accepts_nothing_and_cautious_only_renewals_at_a_higher_ratio() {
    let (limits, at) = (limits(), instant(EPOCH));
    let with = |breaker: &Breaker, snapshot: &Snapshot, replaces: Option<Digest>, ratio: &str| {
        let mut statement = good_statement();
        (statement.replaces, statement.terms.ratio) = (replaces, ratio.parse::<Ratio20>().unwrap());
        breaker.accept(&limits, &presented(snapshot), &[&statement], at)
    };
    let normal = observe(None, &calm(0));
    assert_eq!(with(&normal, &calm(0), None, "1"), Ok(()));
    let wary = market(0, "65400", "1900", ["0.4", "0.5", "0.45"]);
    let cautious = observe(None, &wary);
    assert_eq!(cautious.stance(), Stance::Cautious);
    let other = Some(Digest([7; 32]));
    assert_eq!(with(&cautious, &wary, other, "1.5"), Ok(()));
    assert!(matches!(
        with(&cautious, &wary, None, "1.5"),
        Err(BreakerRefusal::NotARenewal {
            statement: 0,
            what: "takes the place of no other"
        })
    ));
    type Suppose = fn(&mut Statement);
    let suppose: [(&str, Suppose); 2] = [
        ("supposes an order", |statement| {
            statement.terms.order = Some(Order {
                side: Side::Buy,
                venue: "alpha".to_owned(),
                instrument: "BTC-PERPETUAL".to_owned(),
                fee: decimal("0"),
                contracts: decimal("1"),
                price: decimal("64000"),
            });
        }),
        ("supposes a deposit", |statement| {
            statement.terms.deposit = Some(Deposit {
                venue: "alpha".to_owned(),
                asset: "USDC".to_owned(),
                amount: decimal("1000000"),
            });
        }),
    ];
    for (what, suppose) in suppose {
        let mut statement = good_statement();
        (statement.replaces, statement.terms.ratio) = (other, "1.5".parse().unwrap());
        suppose(&mut statement);
        let refused = cautious.accept(&limits, &presented(&wary), &[&statement], at);
        assert_eq!(refused, Err(BreakerRefusal::NotARenewal { statement: 0, what }));
        assert_eq!(normal.accept(&limits, &presented(&calm(0)), &[&statement], at), Ok(()));
    }
    assert!(matches!(
        with(&cautious, &wary, other, "1.45"),
        Err(BreakerRefusal::Ratio { statement: 0, .. })
    ));
    let wild = market(0, "70000", "1900", ["0.4", "0.5", "0.45"]);
    let halted = observe(None, &wild);
    for (replaces, ratio) in [(None, "1"), (other, "1.5"), (other, "10")] {
        let refused = with(&halted, &wild, replaces, ratio);
        assert!(
            matches!(refused, Err(BreakerRefusal::Halted { why: Some(_), .. })),
            "{refused:?}"
        );
    }
    // A snapshot that it did not see.
    assert!(matches!(
        with(&normal, &wary, None, "1"),
        Err(BreakerRefusal::Snapshot { found }) if found == wary.digest()
    ));
    // Of variation it is the later one that counts.
    let mut variation = good_statement();
    variation.terms.margin = Margin::Variation;
    let mut both = presented(&wary);
    both.later = Some((calm(0).digest(), at));
    assert_eq!(normal.accept(&limits, &both, &[&variation], at), Ok(()));
    variation.terms.margin = Level::Maintenance.into();
    assert!(matches!(
        normal.accept(&limits, &both, &[&variation], at),
        Err(BreakerRefusal::Snapshot { .. })
    ));
}

#[test]
fn silence_and_a_clock_that_was_set_back_are_refused_a_millisecond_too_far() {
    let (limits, breaker) = (limits(), observe(None, &calm(10 * MINUTE)));
    let statement = good_statement();
    let accept = |at: u64| {
        let at = instant(EPOCH).checked_add(at).unwrap();
        breaker.accept(&limits, &presented(&calm(10 * MINUTE)), &[&statement], at)
    };
    assert_eq!(
        [5 * MINUTE, 10 * MINUTE, 15 * MINUTE].map(accept),
        [Ok(()), Ok(()), Ok(())]
    );
    assert!(matches!(accept(15 * MINUTE + 1), Err(BreakerRefusal::Silent { .. })));
    assert!(matches!(accept(5 * MINUTE - 1), Err(BreakerRefusal::Ahead { .. })));
}

#[test]
fn halt_ends_a_dwell_time_after_the_last_unrest_one_step_at_a_time() {
    let wild = observe(None, &market(0, "70000", "1900", ["0.4", "0.5", "0.45"]));
    assert_eq!(wild.stance(), Stance::Halted);
    // Back at once is a jump again: that is where the dwell time begins.
    let mut breaker = observe(Some(&wild), &calm(MINUTE));
    assert_eq!(breaker.transitions().len(), 1, "in place: {:?}", breaker.transitions());
    let mut stances = Vec::new();
    for minute in 2..=22 {
        breaker = observe(Some(&breaker), &calm(minute * MINUTE));
        stances.push((minute, breaker.stance()));
    }
    let expected = (2..=22).map(|minute| match minute {
        ..=10 => (minute, Stance::Halted),
        11..=20 => (minute, Stance::Cautious),
        _ => (minute, Stance::Normal),
    });
    assert_eq!(stances, expected.collect::<Vec<_>>());
    let calm_cause = |transition: &Transition| matches!(transition.causes[..], [Cause::Calm { .. }]);
    assert!(breaker.transitions()[1..].iter().all(calm_cause));
}

#[test]
fn clock_that_is_set_forward_or_a_feed_that_stands_still_ends_no_halt() {
    let wild = observe(None, &market(0, "70000", "1900", ["0.4", "0.5", "0.45"]));
    let (dwell, now) = (limits().dwell, |at: u64, market: u64| {
        let of = |millis| instant(EPOCH).checked_add(millis).unwrap();
        Moment {
            at: of(at),
            market: of(market),
        }
    });
    let quiet = || Finding {
        entered: Stance::Normal,
        held: Stance::Normal,
        causes: Vec::new(),
    };
    for (moment, expected) in [
        (now(600 * MINUTE, MINUTE), Stance::Halted),
        (now(10 * MINUTE, 10 * MINUTE - 1), Stance::Halted),
        (now(10 * MINUTE - 1, 10 * MINUTE), Stance::Halted),
        (now(10 * MINUTE, 10 * MINUTE), Stance::Cautious),
    ] {
        let mut breaker = wild.clone();
        breaker.settle(quiet(), dwell, Age::MAX, moment);
        assert_eq!(breaker.stance(), expected, "{moment:?}");
    }
    // A silence is no calm: what is seen after it begins the wait anew.
    let silence: Age = "5m".parse().unwrap();
    for (first, second, expected) in [
        (5 * MINUTE, 10 * MINUTE, Stance::Cautious),
        (5 * MINUTE, 10 * MINUTE + 1, Stance::Halted),
        (5 * MINUTE + 1, 10 * MINUTE, Stance::Halted),
    ] {
        // By the clock, and by the market: one that is looked at often and stands still is not seen either.
        for is_of_the_market in [false, true] {
            let mut breaker = wild.clone();
            for (millis, calm) in [(first, 5 * MINUTE), (second, 10 * MINUTE)] {
                let moment = if is_of_the_market {
                    now(calm, millis)
                } else {
                    now(millis, calm)
                };
                breaker.settle(quiet(), dwell, silence, moment);
            }
            assert_eq!(breaker.stance(), expected, "{first} {second} {is_of_the_market}");
        }
    }
    // Set back, and then on again: the wait begins where the clock went back to.
    let mut breaker = wild.clone();
    breaker.settle(
        Finding {
            held: Stance::Halted,
            ..quiet()
        },
        dwell,
        Age::MAX,
        now(600 * MINUTE, MINUTE),
    );
    breaker.settle(quiet(), dwell, Age::MAX, now(2 * MINUTE, 2 * MINUTE));
    breaker.settle(quiet(), dwell, Age::MAX, now(12 * MINUTE - 1, 20 * MINUTE));
    assert_eq!(breaker.stance(), Stance::Halted);
    breaker.settle(quiet(), dwell, Age::MAX, now(12 * MINUTE, 20 * MINUTE));
    assert_eq!(breaker.stance(), Stance::Cautious);
}

fn stance() -> impl Strategy<Value = Stance> {
    prop_oneof![Just(Stance::Normal), Just(Stance::Cautious), Just(Stance::Halted)]
}

proptest! {
    /// Whatever is observed, whenever: worsening is at once, going back waits for the dwell time by clock and market, a transition has a
    /// cause and leads from where the one before led to, and the history is never rewritten.
    #[test]
    fn no_flapping_inside_the_dwell_time_and_every_transition_has_a_cause(
        observations in prop::collection::vec((stance(), stance(), -20i64..40, 0u64..20), 1..80),
    ) {
        let dwell: Age = "10m".parse().unwrap();
        let start = instant(EPOCH);
        let mut now = Moment { at: start, market: start };
        let mut breaker = Breaker::calm(Network::Test, now);
        for (entered, held, clock, market) in observations {
            let millis = now.at.millis().saturating_add_signed(clock * 60_000);
            now = Moment {
                at: Instant::from_millis(millis).unwrap(),
                market: now.market.checked_add(market * MINUTE).unwrap(),
            };
            let cause = Cause::Missing { what: "calm".to_owned() };
            let causes = if entered > Stance::Normal { vec![cause] } else { Vec::new() };
            let before = breaker.clone();
            breaker.settle(Finding { entered, held: held.max(entered), causes }, dwell, Age::MAX, now);
            prop_assert!(breaker.stance >= entered);
            prop_assert!(breaker.transitions.starts_with(&before.transitions));
            prop_assert!(breaker.transitions.len() <= before.transitions.len() + 1);
            if breaker.stance < before.stance {
                prop_assert_eq!(breaker.stance, before.stance.calmer());
                prop_assert!(now.market.millis_since(before.since.market) >= dwell.millis());
                prop_assert!(held.max(entered) < before.stance);
            }
        }
        let mut stance = Stance::Normal;
        let mut last: Option<&Transition> = None;
        for transition in &breaker.transitions {
            prop_assert_eq!(transition.from, stance);
            prop_assert!(transition.to != transition.from && !transition.causes.is_empty());
            if let Some(last) = last.filter(|_| transition.to < transition.from) {
                prop_assert!(transition.market.millis_since(last.market) >= dwell.millis());
            }
            (stance, last) = (transition.to, Some(transition));
        }
        prop_assert_eq!(stance, breaker.stance);
        let statement = good_statement();
        if breaker.stance == Stance::Halted {
            let answer = breaker.accept(&limits(), &presented(&calm(0)), &[&statement], now.at);
            let is_halted = matches!(answer, Err(BreakerRefusal::Halted { .. }));
            prop_assert!(is_halted);
        }
    }
}

#[test]
fn journal_gives_back_the_breaker_that_was_written() {
    let breaker = observe(
        Some(&observe(None, &calm(0))),
        &market(MINUTE, "70000", "1900", ["0.4", "0.5", "0.45"]),
    );
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.json");
    assert!(matches!(
        crate::journal::Journal::share(&path),
        Err(crate::journal::JournalError::NotFound { .. })
    ));
    let mut journal = crate::journal::Journal::hold(&path).unwrap();
    assert_eq!(journal.read().unwrap(), None);
    journal.write(&breaker).unwrap();
    drop(journal);
    let journal = crate::journal::Journal::share(&path).unwrap();
    assert_eq!(journal.read().unwrap(), Some(breaker));
    // A version that this build does not know.
    let text = std::fs::read_to_string(&path).unwrap();
    let other = text.replacen("\"journal\":1", "\"journal\":2", 1);
    std::fs::write(&path, other).unwrap();
    assert!(matches!(
        journal.read(),
        Err(crate::journal::JournalError::Version { found: 2, .. })
    ));
}

#[test]
fn who_changes_the_journal_is_alone_and_waits_for_no_newcomer() {
    use crate::journal::Journal;
    use std::sync::Mutex;
    use std::time::Duration;

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.json");
    Journal::hold(&path).unwrap().write(&observe(None, &calm(0))).unwrap();
    let turn = std::fs::File::open(folder.path().join("journal.json.turn")).unwrap();
    let order = Mutex::new(Vec::new());
    let first = Journal::share(&path).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let _journal = Journal::hold(&path).unwrap();
            // Nobody is let in beside it.
            std::thread::sleep(Duration::from_millis(100));
            order.lock().unwrap().push("change");
        });
        // Until it stands in the turnstile, or much longer than that takes.
        for _ in 0..1_000 {
            if turn.try_lock_shared().is_err() {
                break;
            }
            turn.unlock().unwrap();
            std::thread::sleep(Duration::from_millis(10));
        }
        scope.spawn(|| {
            let _journal = Journal::share(&path).unwrap();
            order.lock().unwrap().push("newcomer");
        });
        std::thread::sleep(Duration::from_millis(200));
        assert!(order.lock().unwrap().is_empty(), "both wait for the one that shares it");
        drop(first);
    });
    assert_eq!(order.into_inner().unwrap(), ["change", "newcomer"]);
}

#[cfg(unix)]
#[test]
fn journal_is_one_by_whatever_name_and_none_begins_where_a_link_leads_nowhere() {
    use crate::journal::{Journal, JournalError};

    let breaker = observe(None, &calm(0));
    let folder = tempfile::tempdir().unwrap();
    let (path, link) = (folder.path().join("journal.json"), folder.path().join("link.json"));
    std::os::unix::fs::symlink(&path, &link).unwrap();
    for refused in [Journal::hold(&link).map(drop), Journal::share(&link).map(drop)] {
        assert!(matches!(refused, Err(JournalError::Io { .. })), "{refused:?}");
    }
    Journal::hold(&path).unwrap().write(&breaker).unwrap();
    let mut journal = Journal::hold(&link).unwrap();
    assert_eq!(journal.read().unwrap(), Some(breaker.clone()));
    journal.write(&breaker).unwrap();
    drop(journal);
    assert!(link.symlink_metadata().unwrap().is_symlink());
    assert_eq!(Journal::share(&path).unwrap().read().unwrap(), Some(breaker));
    assert!(!folder.path().join("link.json.lock").exists());
    // A second name would go on with the old state.
    let second = folder.path().join("second.json");
    std::fs::hard_link(&path, &second).unwrap();
    for name in [&path, &second] {
        let refused = [Journal::hold(name).map(drop), Journal::share(name).map(drop)];
        assert!(
            refused
                .iter()
                .all(|refused| matches!(refused, Err(JournalError::Linked { .. }))),
            "{refused:?}"
        );
    }
}

#[test]
fn limits_without_hysteresis_or_with_a_halt_before_caution_are_refused() {
    let refused = |change: fn(&mut Limits)| {
        let mut limits = limits();
        change(&mut limits);
        limits.check()
    };
    assert_eq!(limits().check(), Ok(()));
    assert_eq!(
        refused(|limits| limits.underlyings.clear()),
        Err(LimitsError::NothingWatched)
    );
    assert_eq!(
        refused(|limits| limits.dwell = "0s".parse().unwrap()),
        Err(LimitsError::NoDwell)
    );
    let of = |measure| move |answer: Result<(), LimitsError>| matches!(answer, Err(LimitsError::Steps { measure: found, .. }) if found == measure);
    let dispersion = of(Measure::IndexDispersion);
    assert!(dispersion(refused(
        |limits| limits.index_dispersion = steps([150, 150], [400, 200])
    )));
    assert!(dispersion(refused(
        |limits| limits.index_dispersion = steps([150, 75], [149, 75])
    )));
    assert!(dispersion(refused(
        |limits| limits.index_dispersion = steps([150, 75], [400, 74])
    )));
    let least = of(Measure::LeastVolatility);
    fn volatility(limits: &mut Limits) -> &mut VolatilityLimits {
        limits.underlyings.get_mut("BTC").unwrap().volatility.as_mut().unwrap()
    }
    assert!(least(refused(
        |limits| volatility(limits).least = steps([2500, 2500], [1500, 2000])
    )));
    assert!(least(refused(
        |limits| volatility(limits).least = steps([2500, 3000], [2501, 3000])
    )));
    let file: Value = serde_json::to_value(limits()).unwrap();
    assert_eq!(serde_json::from_value::<Limits>(file).unwrap(), limits());
}

#[test]
fn what_was_seen_before_or_in_a_halt_is_not_used_after_it() {
    let mut policy = policy();
    policy.max_snapshot_age = "1h".parse().unwrap();
    let at = |minute: u64, perpetual: &str| {
        let mut snapshot = calm(minute * MINUTE);
        btc(&mut snapshot).perpetual.as_mut().unwrap().price = decimal(perpetual);
        snapshot
    };
    let observe = |before: Option<&Breaker>, snapshot: &Snapshot| {
        observe_by(&policy, before, snapshot, snapshot.instant).unwrap()
    };
    let mut breaker = observe(None, &at(0, "65000"));
    assert_eq!(breaker.seen().len(), 1);
    // A price that is wrong for two minutes: in the second it does not move.
    for (minute, perpetual) in [(1, "71500"), (2, "71500"), (3, "65000")] {
        breaker = observe(Some(&breaker), &at(minute, perpetual));
        assert_eq!(
            (breaker.stance(), breaker.seen()),
            (Stance::Halted, &[][..]),
            "{minute}"
        );
    }
    for minute in 4..=23 {
        breaker = observe(Some(&breaker), &at(minute, "65000"));
    }
    assert_eq!(breaker.stance(), Stance::Normal);
    // The one that ended the halt, and those after it.
    let seen: Vec<Instant> = breaker.seen().iter().map(|seen| seen.instant).collect();
    let expected: Vec<Instant> = (13..=23).map(|minute| at(minute, "65000").instant).collect();
    assert_eq!(seen, expected);
}

#[test]
fn snapshot_may_be_used_as_long_as_it_is_young_enough_and_on_its_own_network() {
    let at = |minute: u64| calm(minute * MINUTE);
    let mut breaker = observe(None, &at(0));
    for minute in 1..=5 {
        breaker = observe(Some(&breaker), &at(minute));
    }
    // At most three minutes old.
    let seen: Vec<Instant> = breaker.seen().iter().map(|seen| seen.instant).collect();
    assert_eq!(seen, [2, 3, 4, 5].map(|minute| at(minute).instant));
    let statement = good_statement();
    let accept = |presented: &Presented| breaker.accept(&limits(), presented, &[&statement], at(5).instant);
    for minute in 2..=5 {
        assert_eq!(accept(&presented(&at(minute))), Ok(()));
    }
    let old = presented(&at(1));
    assert_eq!(accept(&old), Err(BreakerRefusal::Snapshot { found: old.snapshot }));
    let mut elsewhere = presented(&at(5));
    elsewhere.network = Network::Main;
    let refused = BreakerRefusal::Network {
        found: Network::Test,
        expected: Network::Main,
    };
    assert_eq!(accept(&elsewhere), Err(refused));
}

#[test]
fn refusal_of_a_halt_says_since_when_and_why() {
    let of = |minute: u64, btc: &str| market(minute * MINUTE, btc, "1900", ["0.4", "0.5", "0.45"]);
    let cautious = observe(Some(&observe(None, &calm(0))), &of(1, "65400"));
    let halted = observe(Some(&cautious), &of(2, "70000"));
    let stances = halted.transitions().iter().map(|transition| transition.to);
    assert_eq!(stances.collect::<Vec<_>>(), [Stance::Cautious, Stance::Halted]);
    let snapshot = of(2, "70000");
    assert_eq!(halted.since().market, snapshot.instant);
    let refused = halted.accept(&limits(), &presented(&snapshot), &[&good_statement()], snapshot.instant);
    let why = halted.transitions().last().cloned().map(Box::new);
    let since = snapshot.instant;
    assert_eq!(refused, Err(BreakerRefusal::Halted { since, why }));
}

#[test]
fn limits_of_every_measure_are_checked() {
    fn volatility(limits: &mut Limits) -> &mut VolatilityLimits {
        limits.underlyings.get_mut("BTC").unwrap().volatility.as_mut().unwrap()
    }
    fn eth(limits: &mut Limits) -> &mut UnderlyingLimits {
        limits.underlyings.get_mut("ETH").unwrap()
    }
    type Set = fn(&mut Limits, Steps);
    let sets: [(Measure, Set); 7] = [
        (Measure::IndexDispersion, |limits, steps| {
            limits.index_dispersion = steps
        }),
        (Measure::AssetJump, |limits, steps| limits.asset_jump = steps),
        (Measure::Reference, |limits, steps| eth(limits).reference = steps),
        (Measure::PriceJump, |limits, steps| eth(limits).price_jump = steps),
        (Measure::VolatilityJump, |limits, steps| volatility(limits).jump = steps),
        (Measure::VolatilityDispersion, |limits, steps| {
            volatility(limits).dispersion = steps;
        }),
        (Measure::LeastVolatility, |limits, steps| {
            volatility(limits).least = steps
        }),
    ];
    for (measure, set) in sets {
        let mut limits = limits();
        set(&mut limits, steps([50, 50], [200, 100]));
        let refused = limits.check();
        assert!(
            matches!(refused, Err(LimitsError::Steps { measure: found, .. }) if found == measure),
            "{measure}: {refused:?}"
        );
    }
}

#[test]
fn caution_that_is_not_for_renewals_alone_demands_the_ratio_and_no_more() {
    let mut limits = limits();
    limits.cautious.renewals_only = false;
    let wary = market(0, "65400", "1900", ["0.4", "0.5", "0.45"]);
    let cautious = observe(None, &wary);
    assert_eq!(cautious.stance(), Stance::Cautious);
    let with = |ratio: &str| {
        let mut statement = good_statement();
        statement.terms.ratio = ratio.parse().unwrap();
        cautious.accept(&limits, &presented(&wary), &[&statement], instant(EPOCH))
    };
    assert_eq!(with("1.5"), Ok(()));
    assert!(matches!(with("1.45"), Err(BreakerRefusal::Ratio { statement: 0, .. })));
}
