#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
use super::*;
use crate::attestation::Attestation;
use crate::fixture::{
    EPOCH, attestation, attestation_by, book, good_statement, instant, now, point, public, statement, universe,
};
use crate::statement::Window;
use zkmargin_risk::terms::{Deposit, Order};
use zkmargin_risk::universe::Network;

fn check_at(statements: &[Statement], at: Instant) -> Result<(), FactRefusal> {
    let statements: Vec<&Statement> = statements.iter().collect();
    check_facts(&universe(), instant(EPOCH), &statements, at)
}

fn check(statement: Statement) -> Result<(), FactRefusal> {
    check_at(&[statement], now())
}

/// A statement about one account at alpha, changed.
fn alpha(change: impl FnOnce(&mut Attestation)) -> Statement {
    statement(vec![attestation("alpha", "one", change)])
}

fn place(statement: usize, signed: &SignedAttestation) -> Place {
    Place::of(statement, signed.content())
}

#[test]
fn good_statements_fit() {
    assert_eq!(check(good_statement()), Ok(()));
    let other = statement(vec![
        attestation("beta", "three", |_| {}),
        attestation("gamma", "four", |_| {}),
    ]);
    assert_eq!(check_at(&[good_statement(), other], now()), Ok(()));
}

#[test]
fn statement_without_attestation_is_refused() {
    assert_eq!(
        check(statement(Vec::new())),
        Err(FactRefusal::NoAttestation { statement: 0 })
    );
}

#[test]
fn statements_to_two_audiences_are_refused() {
    let mut second = statement(vec![attestation("beta", "three", |a| a.audience = public("other"))]);
    second.audience = public("other");
    let expected = FactRefusal::AudienceOfStatement {
        statement: 1,
        found: public("other"),
        expected: public("audience"),
    };
    assert_eq!(check_at(&[alpha(|_| {}), second], now()), Err(expected));
}

#[test]
fn attestation_of_an_unlisted_venue_is_refused() {
    let refused = check(statement(vec![attestation_by("alpha", "delta", "one", |_| {})]));
    assert!(matches!(refused, Err(FactRefusal::UnknownVenue { place }) if place.venue == "delta"));
}

#[test]
fn attestation_signed_by_another_venues_key_is_refused() {
    let refused = check(statement(vec![attestation_by("beta", "alpha", "one", |_| {})]));
    assert!(matches!(refused, Err(FactRefusal::KeyNotInUniverse { key, .. }) if key == public("beta")));
    assert_eq!(
        check(statement(vec![attestation_by("alpha second", "alpha", "one", |_| {})])),
        Ok(())
    );
}

#[test]
fn same_attestation_twice_is_refused() {
    let signed = attestation("alpha", "one", |a| a.accounts = 2);
    let expected = FactRefusal::AccountTwice {
        first: Box::new(place(0, &signed)),
        second: Box::new(place(0, &signed)),
    };
    assert_eq!(check(statement(vec![signed.clone(), signed])), Err(expected));
}

#[test]
fn same_account_under_another_key_or_blind_is_refused() {
    for again in [
        attestation_by("alpha second", "alpha", "one", |a| a.accounts = 2),
        attestation("alpha", "one", |a| {
            a.accounts = 2;
            a.points = vec![point(77)];
        }),
    ] {
        let first = attestation("alpha", "one", |a| a.accounts = 2);
        assert!(matches!(
            check(statement(vec![first, again])),
            Err(FactRefusal::AccountTwice { .. })
        ));
    }
}

#[test]
fn same_account_in_two_statements_of_a_bundle_is_refused() {
    let (first, second) = (
        good_statement(),
        statement(vec![attestation("beta", "two", |a| a.points = vec![point(9)])]),
    );
    let expected = FactRefusal::AccountTwice {
        first: Box::new(place(0, &first.attestations[1])),
        second: Box::new(place(1, &second.attestations[0])),
    };
    assert_eq!(check_at(&[first, second], now()), Err(expected));
}

#[test]
fn accounts_of_one_name_at_two_venues_are_two() {
    assert_eq!(
        check(statement(vec![
            attestation("alpha", "one", |_| {}),
            attestation("beta", "one", |_| {})
        ])),
        Ok(())
    );
}

#[test]
fn attestations_in_another_order_are_refused() {
    let mut swapped = good_statement();
    swapped.attestations.reverse();
    assert!(matches!(check(swapped), Err(FactRefusal::OutOfOrder { place }) if place.venue == "alpha"));
    let mut two = [
        attestation("alpha", "one", |a| a.accounts = 2),
        attestation("alpha", "two", |a| a.accounts = 2),
    ];
    two.sort_by_key(|signed| signed.content().account);
    assert_eq!(check(statement(two.to_vec())), Ok(()));
    two.reverse();
    assert!(matches!(
        check(statement(two.to_vec())),
        Err(FactRefusal::OutOfOrder { .. })
    ));
}

#[test]
fn more_accounts_at_a_venue_than_the_no_wrap_bound_allows_are_refused() {
    let accounts = |count: u32| {
        let mut all: Vec<_> = (0..count)
            .map(|index| attestation("alpha", &index.to_string(), |a| a.accounts = count))
            .collect();
        all.sort_by_key(|signed| signed.content().account);
        statement(all)
    };
    assert_eq!(check(accounts(MAX_ACCOUNTS_PER_VENUE)), Ok(()));
    let expected = FactRefusal::TooManyAccounts {
        statement: 0,
        venue: "alpha".to_owned(),
        found: 257,
    };
    assert_eq!(check(accounts(257)), Err(expected));
    // Each venue has as many.
    let of = |venue: &'static str| {
        (0..200).map(move |index: u32| attestation(venue, &index.to_string(), |a| a.accounts = 200))
    };
    let mut both: Vec<_> = of("alpha").chain(of("beta")).collect();
    both.sort_by_key(|signed| (signed.content().venue.clone(), signed.content().account));
    assert_eq!(check(statement(both)), Ok(()));
}

#[test]
fn attestation_of_another_protocol_network_universe_or_k_is_refused() {
    let refusal = |change: fn(&mut Attestation)| check(alpha(change)).unwrap_err();
    assert!(matches!(
        refusal(|a| a.protocol = 1),
        FactRefusal::Protocol { found: 1, .. }
    ));
    assert!(matches!(
        refusal(|a| a.network = Network::Main),
        FactRefusal::Network {
            found: Network::Main,
            ..
        }
    ));
    assert!(matches!(
        refusal(|a| a.universe.0[0] ^= 1),
        FactRefusal::Universe { .. }
    ));
    assert!(matches!(
        refusal(|a| a.k = 7),
        FactRefusal::K {
            found: 7,
            expected: 6,
            ..
        }
    ));
}

#[test]
fn number_of_commitments_other_than_the_venues_columns_is_refused() {
    for (venue, columns) in [("alpha", 1), ("gamma", 2)] {
        for found in [columns - 1, columns + 1] {
            let refused = check(statement(vec![attestation(venue, "one", |a| {
                a.points = vec![point(5); found]
            })]));
            assert!(
                matches!(refused, Err(FactRefusal::Columns { found: f, expected, .. }) if f == found && expected == columns)
            );
        }
    }
}

#[test]
fn attestation_of_another_epoch_than_the_snapshots_instant_is_refused() {
    for epoch in ["2026-08-06T11:59:59.999Z", "2026-08-06T12:00:00.001Z"] {
        let mut mixed = good_statement();
        mixed.attestations[1] = attestation("beta", "two", |a| a.epoch = instant(epoch));
        let refused = check(mixed);
        assert!(
            matches!(refused, Err(FactRefusal::Epoch { found, expected, .. }) if found == instant(epoch) && expected == instant(EPOCH))
        );
    }
}

#[test]
fn attestation_signed_before_its_epoch_or_after_now_is_refused() {
    let signed_at = |time: &str| check(alpha(|a| a.time = instant(time)));
    assert!(matches!(
        signed_at("2026-08-06T11:59:59.999Z"),
        Err(FactRefusal::SignedBeforeEpoch { .. })
    ));
    assert_eq!(signed_at(EPOCH), Ok(()));
    assert_eq!(signed_at("2026-08-06T12:01:00Z"), Ok(()));
    assert!(matches!(
        signed_at("2026-08-06T12:01:00.001Z"),
        Err(FactRefusal::FromTheFuture { .. })
    ));
}

#[test]
fn attestation_that_has_expired_is_refused() {
    let mut statement = alpha(|a| a.expiry = now());
    statement.window.until = now();
    assert_eq!(check_at(std::slice::from_ref(&statement), now()), Ok(()));
    let later = now().checked_add(1).unwrap();
    assert!(matches!(check_at(&[statement], later), Err(FactRefusal::Expired { at, .. }) if at == later));
}

#[test]
fn attestation_for_another_audience_or_book_than_its_statement_is_refused() {
    let other = check(alpha(|a| a.audience = public("other")));
    assert!(matches!(other, Err(FactRefusal::Audience { found, .. }) if found == public("other")));
    // One hedge under two books of one audience.
    let other = check(alpha(|a| a.book = book("line-2")));
    assert!(matches!(other, Err(FactRefusal::Book { found, .. }) if *found == book("line-2")));
}

#[test]
fn statement_that_outlives_an_attestation_is_refused() {
    let mut statement = good_statement();
    let expiry = statement.attestations[1].content().expiry;
    statement.window.until = expiry.checked_add(1).unwrap();
    assert!(matches!(check(statement), Err(FactRefusal::OutlivesAttestation { expiry: found, .. }) if found == expiry));
}

#[test]
fn statement_outside_its_window_is_refused() {
    let mut statement = good_statement();
    statement.window = Window {
        from: now(),
        until: now(),
    };
    assert_eq!(check(statement.clone()), Ok(()));
    let (before, after) = (now().millis() - 1, now().millis() + 1);
    let at = |millis| check_at(std::slice::from_ref(&statement), Instant::from_millis(millis).unwrap());
    assert!(matches!(at(before), Err(FactRefusal::NotYetGood { statement: 0, .. })));
    assert!(matches!(at(after), Err(FactRefusal::NoLongerGood { statement: 0, .. })));
    statement.window = Window {
        from: now().checked_add(1).unwrap(),
        until: now(),
    };
    assert!(matches!(
        check(statement),
        Err(FactRefusal::EmptyWindow { statement: 0, .. })
    ));
}

#[test]
fn more_accounts_of_a_subject_than_its_venue_says_are_refused() {
    let accounts = |first: u32, second: u32| {
        let mut two = [
            attestation("alpha", "one", |a| a.accounts = first),
            attestation("alpha", "two", |a| a.accounts = second),
        ];
        two.sort_by_key(|signed| signed.content().account);
        check(statement(two.to_vec()))
    };
    assert_eq!(accounts(2, 2), Ok(()));
    assert_eq!(accounts(3, 3), Ok(()));
    assert!(matches!(
        accounts(1, 1),
        Err(FactRefusal::AccountsOfSubject { said: 1, found: 2, .. })
    ));
    // The venue contradicts itself.
    assert!(matches!(
        accounts(2, 3),
        Err(FactRefusal::AccountsOfSubject { least: 2, found: 2, .. })
    ));
    assert!(matches!(
        check(alpha(|a| a.accounts = 0)),
        Err(FactRefusal::AccountsOfSubject { said: 0, found: 1, .. })
    ));
}

#[test]
fn order_or_deposit_at_a_venue_without_attestation_is_refused() {
    let universe = universe();
    let mut statement = alpha(|_| {});
    let order = |text: &str| Some(Order::parse(text, &universe).unwrap());
    let deposit = |text: &str| Some(Deposit::parse(text, &universe).unwrap());
    statement.terms.order = order("sell 5 alpha:BTC-28AUG26-70000-C @ 0.02 fee 0.0003");
    statement.terms.deposit = deposit("1 alpha:BTC");
    assert_eq!(check(statement.clone()), Ok(()));
    // Each at a venue of its own: an attestation there is enough.
    let mut both = good_statement();
    (both.terms.order, both.terms.deposit) = (statement.terms.order.clone(), deposit("1 beta:BTC"));
    assert_eq!(check(both), Ok(()));
    let nothing = |venue: &str| {
        Err(FactRefusal::NothingAttestedAtVenue {
            statement: 0,
            venue: venue.to_owned(),
        })
    };
    statement.terms.order = order("sell 5 gamma:BTC-28AUG26-70000-C @ 0.02 fee 0.0003");
    assert_eq!(check(statement.clone()), nothing("gamma"));
    statement.terms.order = None;
    statement.terms.deposit = deposit("1 beta:BTC");
    assert_eq!(check(statement), nothing("beta"));
}

#[test]
fn order_for_what_the_universe_does_not_list_is_refused() {
    let mut statement = alpha(|_| {});
    let mut order = Order::parse("sell 5 alpha:BTC-28AUG26-70000-C @ 0.02", &universe()).unwrap();
    order.instrument = "BTC-28AUG26-1-C".to_owned();
    statement.terms.order = Some(order);
    assert!(matches!(check(statement), Err(FactRefusal::Terms { statement: 0, .. })));
}

#[test]
fn universe_with_a_key_that_cannot_sign_is_refused_and_its_venue_named() {
    assert!(check_venue_keys(&universe()).is_ok());
    for place in 0..2 {
        let mut file = universe().to_file();
        // The neutral element: of such a key every signature would be good.
        let mut neutral = [0; 32];
        neutral[0] = 1;
        file.venues[1].keys[place] = zkmargin_risk::listing::VenueKey(neutral);
        let refused = check_venue_keys(&Universe::from_file(&file).unwrap()).unwrap_err();
        assert_eq!(refused.venue, "beta");
    }
}
