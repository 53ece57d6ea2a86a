//! What is accepted beside what was accepted before, each rule at its edge; and that a refusal changes nothing.
use super::releases::released;
use super::*;

/// Refused, with the registry as it was.
#[track_caller]
fn refused(registry: &mut Registry, verdict: &Verdict) -> RegistryRefusal {
    let before = registry.everything();
    let refusal = refusal(registry.take(verdict, true));
    assert_eq!(registry.everything(), before, "{refusal}");
    refusal
}

#[test]
fn statement_is_accepted_once_whatever_its_proof() {
    let mut registry = anywhere();
    registry.takes(proven("a", &["one"])).unwrap();
    let refusal = refused(&mut registry, &verdict(vec![proven("a", &["one"])]));
    assert_eq!(
        refusal,
        RegistryRefusal::AlreadyAccepted {
            statement: 0,
            digest: Digest(named("a")),
            accepted: after(MINUTE)
        }
    );
    assert_eq!(RegistryError::from(refusal).exit_code(), exit_policy());
}

fn exit_policy() -> u8 {
    crate::verify::exit::POLICY
}

#[test]
fn drawn_nonce_is_used_once_and_counts_once_for_all_statements_of_a_bundle() {
    let mut registry = anywhere();
    let same_nonce = |name: &str, account: &str| {
        let mut statement = proven(name, &[account]);
        statement.nonce = "07".repeat(32);
        statement
    };
    let two = verdict(vec![same_nonce("a", "one"), same_nonce("b", "two")]);
    registry.take(&two, true).unwrap();
    let third = verdict(vec![same_nonce("c", "three")]);
    assert!(matches!(
        refused(&mut registry, &third),
        RegistryRefusal::NonceUsed { nonce, used } if nonce == "07".repeat(32) && used == after(MINUTE)
    ));
    // A trader's own nonce, where the policy waives it, is no promise.
    registry.take(&third, false).unwrap();
}

#[test]
fn account_stands_in_one_statement_until_that_has_lapsed() {
    // From an hour on it is called; half an hour later, it lapses.
    for (at, good) in [(60 * MINUTE, false), (90 * MINUTE, false), (90 * MINUTE + 1, true)] {
        let mut registry = anywhere();
        registry.takes(proven("a", &["one", "two"])).unwrap();
        let mut next = verdict(vec![proven("b", &["two", "three"])]);
        (next.at, next.statements[0].until) = (after(at), after(100 * MINUTE));
        if good {
            registry.take(&next, true).unwrap();
        } else {
            assert_eq!(
                refused(&mut registry, &next),
                RegistryRefusal::InLiveStatement {
                    statement: 0,
                    account: Box::new(account("two")),
                    live: Digest(named("a")),
                    book: "line-1".to_owned(),
                    until: after(60 * MINUTE),
                    lapses: after(90 * MINUTE),
                }
            );
        }
    }
}

#[test]
fn live_statement_is_replaced_by_the_one_that_names_it_and_by_one_alone() {
    let mut registry = anywhere();
    registry.takes(proven("a", &["one", "two"])).unwrap();
    registry.takes(proven("other", &["three"])).unwrap();
    // It names another one than the one that the account stands in.
    let wrong = verdict(vec![replacing("b", "other", &["one", "three"])]);
    assert!(matches!(
        refused(&mut registry, &wrong),
        RegistryRefusal::InLiveStatement { live, .. } if live == Digest(named("a"))
    ));
    registry.takes(replacing("b", "a", &["one", "two"])).unwrap();
    let again = verdict(vec![replacing("c", "a", &["one", "two"])]);
    assert!(matches!(
        refused(&mut registry, &again),
        RegistryRefusal::AlreadyReplaced { by, .. } if by == Digest(named("b"))
    ));
    let unknown = verdict(vec![replacing("c", "never", &["four"])]);
    assert!(matches!(
        refused(&mut registry, &unknown),
        RegistryRefusal::ReplacesUnknown { .. }
    ));
    let mut elsewhere = verdict(vec![replacing("c", "b", &["one", "two"])]);
    elsewhere.statements[0].book = book("line-2");
    assert!(matches!(
        refused(&mut registry, &elsewhere),
        RegistryRefusal::ReplacesOtherBook { expected, .. } if expected == "line-1"
    ));
    // Nobody ends the statement of somebody else.
    let mut stranger = verdict(vec![replacing("c", "b", &["four"])]);
    stranger.statements[0].accounts[0].subject = public("stranger");
    assert!(matches!(
        refused(&mut registry, &stranger),
        RegistryRefusal::ReplacesStranger { .. }
    ));
}

#[test]
fn called_statement_may_be_replaced_and_a_lapsed_one_not() {
    for (at, good) in [(90 * MINUTE - 1, true), (90 * MINUTE, true), (90 * MINUTE + 1, false)] {
        let mut registry = anywhere();
        registry.takes(proven("a", &["one"])).unwrap();
        let mut next = verdict(vec![replacing("b", "a", &["one"])]);
        (next.at, next.statements[0].until) = (after(at), after(100 * MINUTE));
        if good {
            registry.take(&next, true).unwrap();
        } else {
            let refusal = refused(&mut registry, &next);
            assert!(matches!(refusal, RegistryRefusal::ReplacesLapsed { lapsed, .. } if lapsed == after(90 * MINUTE)));
            // As a new one it is welcome.
            next.statements[0].replaces = None;
            registry.take(&next, true).unwrap();
        }
    }
}

/// Of variation between the snapshots of two instants, or at a level on that of one. Each instant has a snapshot of its number.
fn spanning(statement: ProvenStatement, from: u64, to: Option<u64>) -> Verdict {
    let at = |millis: u64| (Digest([millis as u8; 32]), after(millis));
    let mut verdict = verdict(vec![statement]);
    if to.is_some() {
        verdict.statements[0].level = Margin::Variation;
    }
    (verdict.snapshot, verdict.snapshot_instant) = at(from);
    (verdict.later, verdict.at) = (to.map(at), after(MINUTE));
    verdict
}

#[test]
fn variation_begins_where_what_it_takes_the_place_of_ended() {
    // The margin of "a" is of the epoch; "b" covers what was lost in the time after it, "c" what comes then.
    let variation =
        |name: &str, replaced: &str, from, to| spanning(replacing(name, replaced, &["one"]), from, Some(to));
    let mut registry = anywhere();
    let mut first = verdict(vec![proven("a", &["one"])]);
    first.snapshot = Digest([0; 32]);
    registry.take(&first, true).unwrap();
    let elsewhere = |registry: &mut Registry, next: &Verdict, replaced: &str, covered: u64| {
        assert_eq!(
            refused(registry, next),
            RegistryRefusal::SeriesBroken {
                statement: 0,
                account: Box::new(account("one")),
                before: Digest(named(replaced)),
                from: Box::new((next.snapshot, next.snapshot_instant)),
                spoken: Box::new((Digest([covered as u8; 32]), after(covered))),
            }
        );
    };
    elsewhere(&mut registry, &variation("b", "a", 1, 50), "a", 0);
    registry.take(&variation("b", "a", 0, 50), true).unwrap();
    // Later, a loss would fall between the two; earlier, the trader would choose where the book was worth least; and one instant has one snapshot.
    elsewhere(&mut registry, &variation("c", "b", 51, 90), "b", 50);
    elsewhere(&mut registry, &variation("c", "b", 49, 90), "b", 50);
    let mut other = variation("c", "b", 50, 90);
    other.snapshot = Digest([49; 32]);
    elsewhere(&mut registry, &other, "b", 50);
    registry.take(&variation("c", "b", 50, 90), true).unwrap();
    registry.take(&variation("d", "c", 90, 99), true).unwrap();
    // An account that another one of its statement answered for: what it lost meanwhile is still to be covered.
    let mut registry = anywhere();
    let mut both = verdict(vec![proven("a", &["one", "two"])]);
    both.snapshot = Digest([0; 32]);
    registry.take(&both, true).unwrap();
    both.statements = vec![replacing("b", "a", &["two"])];
    registry.take(&both, true).unwrap();
    let mut back = variation("back", "a", 1, 20);
    back.statements[0].replaces = None;
    elsewhere(&mut registry, &back, "a", 0);
}

#[test]
fn level_within_a_series_of_variation_is_on_the_snapshot_where_that_ended() {
    let both = ["one", "two"];
    let all = ["one", "two", "three"];
    let mut registry = anywhere();
    registry.take(&spanning(proven("a", &both), 0, None), true).unwrap();
    // Levels alone are on any.
    registry
        .take(&spanning(replacing("b", "a", &both), 20, None), true)
        .unwrap();
    registry
        .take(&spanning(replacing("c", "b", &both), 20, Some(50)), true)
        .unwrap();
    let goes_on = |registry: &mut Registry, last: &str, spoken: u64| {
        for from in [spoken - 1, spoken + 1, spoken + 20] {
            for to in [None, Some(spoken + 30)] {
                assert_eq!(
                    refused(registry, &spanning(replacing("no", last, &all), from, to)),
                    RegistryRefusal::SeriesBroken {
                        statement: 0,
                        account: Box::new(account("one")),
                        before: Digest(named(last)),
                        from: Box::new((Digest([from as u8; 32]), after(from))),
                        spoken: Box::new((Digest([spoken as u8; 32]), after(spoken))),
                    }
                );
            }
        }
        // Nor is an account that lost left out by way of a level.
        for (left, without) in [("one", &["two", "three"][..]), ("two", &["one", "three"])] {
            assert_eq!(
                refused(registry, &spanning(replacing("no", last, without), spoken, None)),
                RegistryRefusal::VariationWithout {
                    statement: 0,
                    replaces: Digest(named(last)),
                    account: Box::new(account(left)),
                }
            );
        }
    };
    goes_on(&mut registry, "c", 50);
    registry
        .take(&spanning(replacing("d", "c", &all), 50, None), true)
        .unwrap();
    goes_on(&mut registry, "d", 50);
    // One that came with a level is in no series, and goes with another.
    registry
        .take(&spanning(replacing("e", "d", &both), 50, None), true)
        .unwrap();
    goes_on(&mut registry, "e", 50);
    registry
        .take(&spanning(replacing("f", "e", &both), 50, Some(90)), true)
        .unwrap();
    goes_on(&mut registry, "f", 90);
    // What is supposed is on any later snapshot, and goes on with nothing.
    let mut supposed = spanning(proven("supposed", &both), 95, None);
    supposed.statements[0].deposit = Some("1 alpha:USDC".to_owned());
    registry.take(&supposed, true).unwrap();
    goes_on(&mut registry, "f", 90);
}

#[test]
fn series_of_variation_ends_when_its_last_statement_has_lapsed() {
    let mut registry = anywhere();
    registry
        .take(&spanning(proven("a", &["one"]), 0, Some(50)), true)
        .unwrap();
    // Of a short time, while the one before it would have had more.
    let mut short = spanning(replacing("b", "a", &["one"]), 50, Some(60));
    short.statements[0].until = after(2 * MINUTE);
    registry.take(&short, true).unwrap();
    for (at, good) in [(32 * MINUTE, false), (32 * MINUTE + 1, true)] {
        let mut next = spanning(proven("c", &["one"]), 70, Some(80));
        next.at = after(at);
        if good {
            registry.take(&next, true).unwrap();
        } else {
            assert!(matches!(
                refused(&mut registry, &next),
                RegistryRefusal::InLiveStatement { live, .. } if live == Digest(named("b"))
            ));
        }
    }
}

#[test]
fn what_is_only_supposed_is_of_the_book_that_the_account_stands_in() {
    let mut registry = anywhere();
    registry.takes(proven("a", &["one"])).unwrap();
    let supposing = |name: &str, line: &str| {
        let mut next = verdict(vec![proven(name, &["one"])]);
        next.statements[0].book = book(line);
        next.statements[0].deposit = Some("1 alpha:USDC".to_owned());
        next
    };
    assert!(matches!(
        refused(&mut registry, &supposing("b", "line-2")),
        RegistryRefusal::InLiveStatement { live, book, .. } if (live, book.as_str()) == (Digest(named("a")), "line-1")
    ));
    registry.take(&supposing("b", "line-1"), true).unwrap();
}

#[test]
fn account_is_left_out_of_a_series_of_variation_only_once_it_was_given_back() {
    let statement = |name: &str, replaced: &str, margin: Margin, accounts: &[&str]| {
        let mut next = verdict(vec![replacing(name, replaced, accounts)]);
        (next.statements[0].level, next.at) = (margin, after(2 * MINUTE));
        next.later = Some((next.snapshot, next.snapshot_instant));
        for account in &mut next.statements[0].accounts {
            // Attested anew, after what is released below.
            account.time = after(MINUTE + 1);
        }
        next
    };
    let level = Margin::Level(Level::Maintenance);
    for (before, then) in [
        (level, Margin::Variation),
        (Margin::Variation, Margin::Variation),
        (Margin::Variation, level),
    ] {
        let mut registry = anywhere();
        registry.takes(proven("a", &["one", "two"])).unwrap();
        registry
            .take(&statement("b", "a", before, &["one", "two"]), true)
            .unwrap();
        let without = |names: &[&str]| statement("c", "b", then, names);
        for (kept, left) in [("one", "two"), ("two", "one")] {
            assert_eq!(
                refused(&mut registry, &without(&[kept])),
                RegistryRefusal::VariationWithout {
                    statement: 0,
                    replaces: Digest(named("b")),
                    account: Box::new(account(left)),
                }
            );
        }
        let given_back = released("one", MINUTE + 2);
        registry.release(&given_back, after(2 * MINUTE)).unwrap();
        registry.take(&without(&["two"]), true).unwrap();
    }
    // Between two levels it is what the next statement says that counts, and a series begins with what stands.
    let mut registry = anywhere();
    registry.takes(proven("a", &["one", "two"])).unwrap();
    registry.take(&statement("b", "a", level, &["two"]), true).unwrap();
    registry
        .take(&statement("c", "b", Margin::Variation, &["two"]), true)
        .unwrap();
}

#[test]
fn epoch_of_an_account_never_goes_back_and_has_one_snapshot() {
    let mut registry = anywhere();
    let mut first = verdict(vec![proven("a", &["one"])]);
    first.snapshot_instant = after(10 * MINUTE);
    registry.take(&first, true).unwrap();
    let next = |millis: u64, snapshot: u8| {
        let mut next = verdict(vec![replacing("b", "a", &["one", "two"])]);
        (next.snapshot_instant, next.snapshot) = (after(millis), Digest([snapshot; 32]));
        next
    };
    assert_eq!(
        refused(&mut registry, &next(10 * MINUTE - 1, 2)),
        RegistryRefusal::EpochRollback {
            statement: 0,
            account: Box::new(account("one")),
            found: after(10 * MINUTE - 1),
            last: after(10 * MINUTE),
        }
    );
    assert_eq!(
        refused(&mut registry, &next(10 * MINUTE, 9)),
        RegistryRefusal::OtherSnapshot {
            statement: 0,
            account: Box::new(account("one")),
            found: Digest([9; 32]),
            last: Digest([2; 32]),
        }
    );
    for good in [next(10 * MINUTE, 2), next(10 * MINUTE + 1, 9)] {
        let mut registry = anywhere();
        registry.take(&first, true).unwrap();
        registry.take(&good, true).unwrap();
    }
}

#[test]
fn bundle_of_which_one_statement_is_refused_is_refused_whole() {
    let mut registry = anywhere();
    registry.takes(proven("a", &["one"])).unwrap();
    let two = verdict(vec![proven("b", &["two"]), proven("c", &["one"])]);
    assert!(matches!(
        refused(&mut registry, &two),
        RegistryRefusal::InLiveStatement { statement: 1, .. }
    ));
    // The same for one that meets only what its own bundle brings.
    let mut replaces_twice = vec![replacing("b", "a", &["one"]), replacing("c", "a", &["two"])];
    assert!(matches!(
        refused(&mut registry, &verdict(replaces_twice.clone())),
        RegistryRefusal::AlreadyReplaced { statement: 1, .. }
    ));
    // Nor does one statement of a bundle take the place of another of it.
    let own = vec![replacing("b", "a", &["one"]), replacing("c", "b", &["one"])];
    assert!(matches!(
        refused(&mut registry, &verdict(own)),
        RegistryRefusal::ReplacesUnknown { statement: 1, .. }
    ));
    replaces_twice.truncate(1);
    registry.take(&verdict(replaces_twice), true).unwrap();
}

#[test]
fn two_partners_have_a_registry_each_and_none_opens_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let mut registries = ["audience", "stranger"].map(|name| {
        let url = path(name);
        Registry::create(&url, Network::Test, public(name)).unwrap()
    });
    for registry in &mut registries {
        registry.takes(proven("a", &["one"])).unwrap();
    }
    assert!(matches!(
        Registry::open(&path("stranger"), Network::Test, public("audience")),
        Err(RegistryError::OtherPartner { found, .. }) if found == public("stranger")
    ));
    assert!(matches!(
        Registry::open(&path("audience"), Network::Main, public("audience")),
        Err(RegistryError::OtherPartner {
            on: Network::Test,
            expected_on: Network::Main,
            ..
        })
    ));
    assert!(Registry::open(&path("audience"), Network::Test, public("audience")).is_ok());
    assert!(matches!(
        Registry::create(&path("audience"), Network::Test, public("audience")),
        Err(RegistryError::Store(StoreError::Exists { .. }))
    ));
    assert!(matches!(
        Registry::open_any(&path("none")),
        Err(RegistryError::Store(StoreError::NotFound { .. }))
    ));
}

#[test]
fn verdict_of_before_the_registrys_clock_is_not_recorded_and_told_that_clock() {
    let mut registry = anywhere();
    let mut first = verdict(vec![proven("a", &["one"])]);
    first.at = after(20 * MINUTE);
    registry.take(&first, true).unwrap();
    assert_eq!(registry.clock().unwrap(), after(20 * MINUTE));
    let mut second = verdict(vec![proven("b", &["two"])]);
    let mut record = |at: u64| {
        second.at = after(at);
        registry.record(&Acceptance {
            verdict: &second,
            calls: calls(),
            nonce_is_drawn: true,
            bundle: &[],
            proof: ProofHash([7; 32]),
        })
    };
    assert_eq!(record(20 * MINUTE - 1).unwrap(), Recorded::Behind(after(20 * MINUTE)));
    assert_eq!(
        record(20 * MINUTE).unwrap(),
        Recorded::Yes,
        "nothing of the first attempt stayed"
    );
    // Forth and back, as often as one likes: an account is never in two.
    let mut third = verdict(vec![proven("c", &["two"])]);
    for (step, minute) in [70, 5, 60, 6, 30].into_iter().enumerate() {
        third.at = after(minute * MINUTE);
        third.statements[0].digest = Digest([step as u8; 32]);
        let recorded = registry.record(&Acceptance {
            verdict: &third,
            calls: calls(),
            nonce_is_drawn: true,
            bundle: &[],
            proof: ProofHash([8; 32]),
        });
        match recorded {
            Ok(recorded) => assert_eq!(recorded, Recorded::Behind(after(20 * MINUTE))),
            refused => assert!(matches!(
                refusal(refused.map(|_| ())),
                RegistryRefusal::InLiveStatement { live, .. } if live == Digest(named("b"))
            )),
        }
    }
}

#[test]
fn accounts_of_one_name_at_two_venues_are_two_accounts() {
    let at_venue = |venue: &str, mut statement: ProvenStatement| {
        for account in &mut statement.accounts {
            account.venue = venue.to_owned();
        }
        statement
    };
    let mut registry = anywhere();
    let mut both = proven("both", &["two", "two"]);
    both.accounts[1].venue = "beta".to_owned();
    registry.takes(both).unwrap();
    let series = spanning(at_venue("alpha", proven("a", &["one"])), 20, Some(50));
    registry.take(&series, true).unwrap();
    // The one of the other venue does not stand for what this one lost.
    let instead = spanning(at_venue("beta", replacing("no", "a", &["one"])), 50, None);
    assert_eq!(
        refused(&mut registry, &instead),
        RegistryRefusal::VariationWithout {
            statement: 0,
            replaces: Digest(named("a")),
            account: Box::new(account("one")),
        }
    );
    // It stands in nothing, has no epoch, and is not given back with this one.
    let other = spanning(at_venue("beta", proven("b", &["one"])), 10, None);
    registry.take(&other, true).unwrap();
    let release = released("one", 2 * MINUTE);
    registry.release(&release, after(2 * MINUTE)).unwrap();
    let accounts = registry.accounts(after(3 * MINUTE)).unwrap();
    let standings: Vec<(String, Standing)> = accounts
        .into_iter()
        .filter(|found| found.account.account == account("one").account)
        .map(|found| (found.account.venue, found.standing))
        .collect();
    assert_eq!(
        standings,
        [
            ("alpha".to_owned(), Standing::Released),
            ("beta".to_owned(), Standing::Current)
        ]
    );
    let next = spanning(at_venue("beta", replacing("c", "b", &["one"])), 10, None);
    registry.take(&next, true).unwrap();
}

#[test]
fn subject_in_common_is_one_of_the_statement_that_is_replaced_and_one_is_enough() {
    let mut registry = anywhere();
    registry.takes(proven("a", &["one"])).unwrap();
    let mut others = proven("b", &["two"]);
    others.accounts[0].subject = public("stranger");
    registry.takes(others).unwrap();
    // Whom the registry knows from another statement is a stranger to this one.
    let mut stranger = verdict(vec![replacing("c", "a", &["three"])]);
    stranger.statements[0].accounts[0].subject = public("stranger");
    assert!(matches!(
        refused(&mut registry, &stranger),
        RegistryRefusal::ReplacesStranger { .. }
    ));
    let mut group = replacing("c", "a", &["three", "one"]);
    group.accounts[0].subject = public("stranger");
    registry.takes(group).unwrap();
}

#[test]
fn supposition_may_name_whatever_it_likes_as_replaced() {
    let mut registry = anywhere();
    registry.takes(proven("a", &["one"])).unwrap();
    let mut supposed = replacing("b", "never", &["one"]);
    supposed.deposit = Some("1 alpha:USDC".to_owned());
    registry.takes(supposed).unwrap();
    // Also one of its own bundle, which it does not take away again.
    let mut beside = replacing("d", "c", &["two"]);
    beside.deposit = Some("1 alpha:USDC".to_owned());
    registry
        .take(&verdict(vec![proven("c", &["two"]), beside]), false)
        .unwrap();
}

#[test]
fn last_epoch_of_an_account_counts_and_not_its_first() {
    let mut registry = anywhere();
    registry.take(&spanning(proven("a", &["one"]), 10, None), true).unwrap();
    let next = spanning(replacing("b", "a", &["one"]), 30, None);
    registry.take(&next, true).unwrap();
    assert_eq!(
        refused(&mut registry, &spanning(replacing("c", "b", &["one"]), 20, None)),
        RegistryRefusal::EpochRollback {
            statement: 0,
            account: Box::new(account("one")),
            found: after(20),
            last: after(30),
        }
    );
}

#[test]
fn refusal_of_a_series_says_where_it_broke() {
    let mut registry = anywhere();
    let series = spanning(proven("a", &["one", "two"]), 20, Some(50));
    registry.take(&series, true).unwrap();
    let (one, a) = (account("one").account, Digest(named("a")));
    let broken = spanning(replacing("b", "a", &["one", "two"]), 60, None);
    assert_eq!(
        refused(&mut registry, &broken).to_string(),
        format!(
            "statement 1: account {one} at \"alpha\" is shown from {} on (snapshot {}), and its last statement, {a}, ended at {} (snapshot {}): \
             a series of variation has no gap",
            after(60),
            Digest([60; 32]),
            after(50),
            Digest([50; 32]),
        )
    );
    let without = spanning(replacing("b", "a", &["two"]), 50, None);
    let said = refused(&mut registry, &without).to_string();
    let expected = format!("statement 1 takes the place of {a} without account {one} at \"alpha\": ");
    assert!(said.starts_with(&expected), "{said}");
}
