//! What a partner gave back, it accepts nothing more on.
use super::standings::standing;
use super::*;
use crate::fixture::{attestation, key};
use crate::registry::RegistryError;
use crate::release::{Release, SignedRelease};
use crate::verify::exit;

/// The release of an account of ours, attested at the epoch, so many milliseconds after it.
pub(super) fn released(name: &str, millis: u64) -> SignedRelease {
    let attested = attestation("alpha", name, |a| {
        (a.account, a.audience, a.time) = (account(name).account, public("audience"), after(0));
    });
    let release = Release::of(&attested, after(millis)).unwrap();
    release.sign(&key("audience")).unwrap()
}

fn attested_at(mut statement: ProvenStatement, millis: u64) -> Verdict {
    statement
        .accounts
        .iter_mut()
        .for_each(|account| account.time = after(millis));
    let mut verdict = verdict(vec![statement]);
    (verdict.at, verdict.statements[0].until) = (after(20 * MINUTE), after(80 * MINUTE));
    verdict
}

#[test]
fn nothing_that_rests_on_what_was_released_is_accepted_any_more() {
    let mut registry = anywhere();
    registry.takes(proven("a", &["one", "two"])).unwrap();
    registry
        .release(&released("one", 10 * MINUTE), after(11 * MINUTE))
        .unwrap();
    for attested in [0, 10 * MINUTE] {
        for next in [replacing("b", "a", &["one", "two"]), proven("c", &["one"])] {
            assert_eq!(
                refusal(registry.take(&attested_at(next, attested), true)),
                RegistryRefusal::Released {
                    statement: 0,
                    account: Box::new(account("one")),
                    attested: after(attested),
                    released: after(10 * MINUTE),
                }
            );
        }
    }
    // Attested anew, it is as good as any other, and needs to replace nothing.
    registry
        .take(&attested_at(proven("d", &["one"]), 10 * MINUTE + 1), true)
        .unwrap();
    // An account that is not there yet, or of another venue, is not touched.
    registry.takes_at(20 * MINUTE, proven("e", &["three"])).unwrap();
}

#[test]
fn statement_of_a_released_account_ends_and_its_other_accounts_are_called() {
    let mut registry = anywhere();
    registry.takes(proven("a", &["one", "two"])).unwrap();
    registry.takes(proven("b", &["three"])).unwrap();
    registry
        .release(&released("one", 10 * MINUTE), after(11 * MINUTE))
        .unwrap();
    assert_eq!(standing(&mut registry, "one", 10 * MINUTE - 2), Standing::Current);
    assert_eq!(standing(&mut registry, "one", 10 * MINUTE), Standing::Released);
    assert_eq!(standing(&mut registry, "two", 10 * MINUTE), Standing::Called);
    assert_eq!(standing(&mut registry, "two", 41 * MINUTE), Standing::Called);
    assert_eq!(standing(&mut registry, "two", 41 * MINUTE + 1), Standing::Lapsed);
    assert_eq!(standing(&mut registry, "three", 10 * MINUTE), Standing::Current);
    let events = registry.history(&account("one"), after(90 * MINUTE)).unwrap();
    let events: Vec<(Instant, EventKind)> = events.into_iter().map(|event| (event.at, event.event)).collect();
    assert_eq!(
        events,
        [
            (after(MINUTE), EventKind::Accepted),
            (after(10 * MINUTE - 1), EventKind::Due),
            (after(10 * MINUTE), EventKind::Released)
        ]
    );
    // The call of the other one is answered by what takes the statement's place without the account that is gone.
    let answer = attested_at(replacing("c", "a", &["two"]), 15 * MINUTE);
    registry.take(&answer, true).unwrap();
    assert_eq!(standing(&mut registry, "two", 20 * MINUTE), Standing::Current);
}

#[test]
fn statement_that_was_given_back_whole_is_no_place_to_take() {
    let mut registry = anywhere();
    registry.takes(proven("a", &["one", "two"])).unwrap();
    for name in ["one", "two"] {
        registry
            .release(&released(name, 10 * MINUTE), after(10 * MINUTE))
            .unwrap();
    }
    let next = attested_at(replacing("b", "a", &["one"]), 15 * MINUTE);
    assert_eq!(
        refusal(registry.take(&next, true)),
        RegistryRefusal::ReplacesReleased {
            statement: 0,
            replaces: Digest(named("a"))
        }
    );
}

#[test]
fn later_release_of_the_same_attestation_counts_and_one_of_the_future_is_refused() {
    let mut registry = anywhere();
    registry.takes(proven("a", &["one"])).unwrap();
    let early = registry
        .release(&released("one", 10 * MINUTE), after(10 * MINUTE - 1))
        .unwrap_err();
    assert!(matches!(early, RegistryError::EarlyRelease { .. }));
    assert_eq!(early.exit_code(), exit::POLICY);
    for minute in [2, 6] {
        registry
            .release(&released("one", minute * MINUTE), after(6 * MINUTE))
            .unwrap();
    }
    let refused = refusal(registry.take(&attested_at(proven("b", &["one"]), 5 * MINUTE), true));
    assert!(matches!(refused, RegistryRefusal::Released { released, .. } if released == after(6 * MINUTE)));
    let refused = refusal(registry.take(&attested_at(proven("b", &["one"]), MINUTE), true));
    assert!(matches!(refused, RegistryRefusal::Released { released, .. } if released == after(2 * MINUTE)));
}

#[test]
fn accounts_of_a_release_that_is_recorded_late_are_called_from_then_on() {
    let mut registry = anywhere();
    registry.takes(proven("a", &["one", "two"])).unwrap();
    registry
        .release(&released("one", 2 * MINUTE), after(45 * MINUTE))
        .unwrap();
    assert_eq!(standing(&mut registry, "two", 75 * MINUTE), Standing::Called);
    assert_eq!(standing(&mut registry, "two", 75 * MINUTE + 1), Standing::Lapsed);
}

#[test]
fn grace_does_not_grow_with_another_release() {
    let mut registry = anywhere();
    registry.takes(proven("a", &["one", "two", "three"])).unwrap();
    // The second one is of an earlier instant and recorded later.
    for (name, time, recorded) in [("one", 10, 11), ("two", 5, 12)] {
        let release = released(name, time * MINUTE);
        registry.release(&release, after(recorded * MINUTE)).unwrap();
    }
    assert_eq!(standing(&mut registry, "three", 41 * MINUTE), Standing::Called);
    assert_eq!(standing(&mut registry, "three", 41 * MINUTE + 1), Standing::Lapsed);
}

#[test]
fn release_is_recorded_once_and_by_its_own_partner_alone() {
    let mut registry = anywhere();
    registry.takes(proven("a", &["one"])).unwrap();
    let release = released("one", 10 * MINUTE);
    registry.release(&release, after(11 * MINUTE)).unwrap();
    let before = registry.everything();
    registry.release(&release, after(12 * MINUTE)).unwrap();
    assert_eq!(registry.everything(), before);

    let attested = attestation("alpha", "one", |a| a.audience = public("stranger"));
    let theirs = Release::of(&attested, after(10 * MINUTE))
        .unwrap()
        .sign(&key("stranger"))
        .unwrap();
    assert!(matches!(
        registry.release(&theirs, after(11 * MINUTE)),
        Err(RegistryError::OthersRelease { found, .. }) if found == public("stranger")
    ));
    let mut bytes = release.to_bytes();
    *bytes.last_mut().unwrap() ^= 1;
    let forged = SignedRelease::from_bytes(&bytes).unwrap();
    let unsigned = registry.release(&forged, after(11 * MINUTE)).unwrap_err();
    assert!(matches!(unsigned, RegistryError::ReleaseSignature(_)));
    assert_eq!(unsigned.exit_code(), exit::PROOF);
    assert_eq!(registry.everything(), before);
}

#[test]
fn account_that_is_attested_anew_after_a_release_stands_in_one_statement_again() {
    let mut registry = anywhere();
    registry.takes(proven("a", &["one"])).unwrap();
    let release = released("one", 10 * MINUTE);
    registry.release(&release, after(11 * MINUTE)).unwrap();
    let anew = |statement| attested_at(statement, 10 * MINUTE + 1);
    registry.take(&anew(proven("b", &["one"])), true).unwrap();
    let beside = refusal(registry.take(&anew(proven("c", &["one"])), true));
    assert!(
        matches!(beside, RegistryRefusal::InLiveStatement { live, .. } if live == Digest(named("b"))),
        "{beside}"
    );
    registry.take(&anew(replacing("c", "b", &["one"])), true).unwrap();
}

#[test]
fn release_gives_back_what_was_attested_at_its_very_instant() {
    let mut registry = anywhere();
    let both = attested_at(proven("a", &["one", "two"]), 10 * MINUTE);
    registry.take(&both, true).unwrap();
    let release = released("one", 10 * MINUTE);
    registry.release(&release, after(20 * MINUTE)).unwrap();
    assert_eq!(standing(&mut registry, "one", 20 * MINUTE), Standing::Released);
    assert_eq!(standing(&mut registry, "two", 20 * MINUTE), Standing::Called);
    let anew = attested_at(proven("b", &["one"]), 10 * MINUTE + 1);
    registry.take(&anew, true).unwrap();
}

#[test]
fn release_ends_no_statement_whose_account_was_attested_after_it() {
    let mut registry = anywhere();
    registry.takes(proven("a", &["one"])).unwrap();
    let release = released("one", 10 * MINUTE);
    registry.release(&release, after(11 * MINUTE)).unwrap();
    let anew = attested_at(proven("b", &["one", "two"]), 10 * MINUTE + 1);
    registry.take(&anew, true).unwrap();
    // One of an earlier instant, recorded late.
    let earlier = released("one", 9 * MINUTE);
    registry.release(&earlier, after(20 * MINUTE)).unwrap();
    for name in ["one", "two"] {
        assert_eq!(standing(&mut registry, name, 20 * MINUTE), Standing::Current, "{name}");
    }
}

#[test]
fn release_after_the_end_of_a_statement_prolongs_nothing() {
    let mut registry = anywhere();
    registry.takes(proven("a", &["one", "two"])).unwrap();
    let release = released("one", 70 * MINUTE);
    registry.release(&release, after(70 * MINUTE)).unwrap();
    assert_eq!(standing(&mut registry, "two", 60 * MINUTE + 1), Standing::Called);
    assert_eq!(standing(&mut registry, "two", 90 * MINUTE), Standing::Called);
    assert_eq!(standing(&mut registry, "two", 90 * MINUTE + 1), Standing::Lapsed);
}

#[test]
fn release_is_recorded_by_the_registrys_clock_where_that_is_ahead() {
    let mut registry = anywhere();
    registry.takes(proven("a", &["one", "two"])).unwrap();
    registry.takes_at(30 * MINUTE, proven("b", &["three"])).unwrap();
    let release = released("one", 20 * MINUTE);
    registry.release(&release, after(10 * MINUTE)).unwrap();
    assert_eq!(standing(&mut registry, "two", 60 * MINUTE), Standing::Called);
    assert_eq!(standing(&mut registry, "two", 60 * MINUTE + 1), Standing::Lapsed);
}
