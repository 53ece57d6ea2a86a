//! One audience and book at a time.

use zkmargin_ledger::LedgerError;
use zkmargin_ledger::ledger::Pledge;
use zkmargin_risk::universe::Network;
use zkmargin_verifier::book::Book;
use zkmargin_verifier::{Release, SignedRelease};

use crate::world::{
    NOON, assert_sound, at, attest, entries, key_file, places, pledge, public, release, signer, trade, transfer,
    venue_key,
};

const HOUR: u64 = 3_600_000;

#[test]
fn second_audience_and_second_book_are_refused_while_the_first_stands() {
    for place in places("second") {
        let mut ledger = place.create();
        attest(&mut ledger, &pledge(2, NOON));
        let other_book = Pledge {
            book: Book::new("other").unwrap(),
            ..pledge(2, NOON + 1)
        };
        for second in [pledge(3, NOON + 1), other_book] {
            let refused = ledger.attest(&second, venue_key(), at(NOON + 1)).unwrap_err();
            assert!(
                matches!(&refused, LedgerError::Encumbered { audience, until, .. } if *audience == public(2) && *until == at(NOON + HOUR)),
                "{refused}"
            );
        }
        let another = Pledge {
            account: "b".to_owned(),
            ..pledge(3, NOON + 1)
        };
        ledger.attest(&another, venue_key(), at(NOON + 1)).unwrap();
        assert_sound(&mut ledger);
    }
}

#[test]
fn encumbrance_stands_at_its_expiry_and_not_a_millisecond_later() {
    for place in places("expiry") {
        let mut ledger = place.create();
        attest(&mut ledger, &pledge(2, NOON));
        for (millis, stands) in [(NOON + HOUR - 1, true), (NOON + HOUR, true), (NOON + HOUR + 1, false)] {
            let shown = ledger.accounts(at(millis)).unwrap()[0].encumbrance.is_some();
            assert_eq!(shown, stands);
            let result = ledger.attest(&pledge(3, millis), venue_key(), at(millis));
            match stands {
                true => assert!(matches!(result, Err(LedgerError::Encumbered { .. }))),
                false => assert_eq!(result.unwrap().attestation.content().audience, public(3)),
            }
        }
        assert_sound(&mut ledger);
    }
}

#[test]
fn refresh_to_the_same_audience_prolongs_and_never_shortens() {
    for place in places("refresh") {
        let mut ledger = place.create();
        attest(&mut ledger, &pledge(2, NOON));
        let shorter = Pledge {
            expiry: at(NOON + 2),
            ..pledge(2, NOON + 1)
        };
        attest(&mut ledger, &shorter);
        let until = |ledger: &mut zkmargin_ledger::Ledger| {
            ledger.accounts(at(NOON + 1)).unwrap()[0]
                .encumbrance
                .clone()
                .unwrap()
                .until
        };
        assert_eq!(until(&mut ledger), at(NOON + HOUR));
        attest(&mut ledger, &pledge(2, NOON + 2));
        assert_eq!(until(&mut ledger), at(NOON + 2 + HOUR));
        assert_sound(&mut ledger);
    }
}

#[test]
fn same_pledge_at_the_same_epoch_is_given_out_again_and_epochs_increase() {
    for place in places("again") {
        let mut ledger = place.create();
        let first = attest(&mut ledger, &pledge(2, NOON));
        ledger
            .import(&entries(&[transfer("1", "a", NOON + 5, "1")]), at(NOON + 5))
            .unwrap();
        // Also by another process, later, after the account moved.
        let again = place
            .open()
            .attest(&pledge(2, NOON), venue_key(), at(NOON + 9))
            .unwrap();
        assert!(again.is_again && !first.is_again);
        assert_eq!(again.attestation.to_bytes(), first.attestation.to_bytes());
        assert_eq!(*again.opening.to_bytes(), *first.opening.to_bytes());
        let other_terms = Pledge {
            held: true,
            ..pledge(2, NOON)
        };
        for refused in [other_terms, pledge(2, NOON - 1)] {
            let refused = ledger.attest(&refused, venue_key(), at(NOON + 9));
            assert!(matches!(refused, Err(LedgerError::Epoch { last, .. }) if last == at(NOON)));
        }
        let refused = ledger.attest(&pledge(2, NOON + 4), venue_key(), at(NOON + 9));
        assert!(matches!(refused, Err(LedgerError::MovedSince { moved, .. }) if moved == at(NOON + 5)));
        attest(&mut ledger, &pledge(2, NOON + 9));
        assert_sound(&mut ledger);
    }
}

#[test]
fn clock_that_was_put_back_is_refused() {
    for place in places("clock") {
        let mut ledger = place.create();
        let attested = ledger.attest(&pledge(2, NOON), venue_key(), at(NOON + 60_000)).unwrap();
        let refused = ledger.attest(&pledge(2, NOON + 1), venue_key(), at(NOON + 59_999));
        assert!(matches!(refused, Err(LedgerError::ClockBack { last, .. }) if last == at(NOON + 60_000)));
        let early = release(&attested, 2, NOON + 60_000);
        assert!(matches!(
            ledger.release(&early, at(NOON + 59_999)),
            Err(LedgerError::ClockBack { .. })
        ));
        ledger
            .attest(&pledge(2, NOON + 1), venue_key(), at(NOON + 60_000))
            .unwrap();
        assert_sound(&mut ledger);
    }
}

#[test]
fn release_by_the_audience_ends_the_encumbrance_and_every_other_is_refused() {
    for place in places("release") {
        let mut ledger = place.create();
        let first = attest(&mut ledger, &pledge(2, NOON));
        let second = attest(&mut ledger, &pledge(2, NOON + 1));
        let now = at(NOON + 10);
        let good = release(&second, 2, NOON + 5);

        // Signed by somebody else: the bytes of the signature are the last 64.
        let mut bytes = good.to_bytes();
        *bytes.last_mut().unwrap() ^= 1;
        let forged = SignedRelease::from_bytes(&bytes).unwrap();
        assert!(matches!(
            ledger.release(&forged, now),
            Err(LedgerError::ReleaseSignature(_))
        ));
        // Signed by a stranger for herself.
        let mut content = good.content().clone();
        content.audience = public(3);
        let stranger = content.sign(&signer(3)).unwrap();
        assert!(matches!(
            ledger.release(&stranger, now),
            Err(LedgerError::Release { field: "audience", .. })
        ));
        // Of another attestation.
        let old = release(&first, 2, NOON + 5);
        assert!(matches!(ledger.release(&old, now), Err(LedgerError::NotTheLast { .. })));
        let mut content = good.content().clone();
        content.attestation.0[0] ^= 1;
        let unknown = content.sign(&signer(2)).unwrap();
        assert!(matches!(
            ledger.release(&unknown, now),
            Err(LedgerError::UnknownAttestation(_))
        ));
        // Of another network, venue, account, book, version.
        type Change = fn(&mut Release);
        let changes: [(&str, Change); 5] = [
            ("network", |release| release.network = Network::Main),
            ("venue", |release| release.venue = "elsewhere".to_owned()),
            ("account", |release| release.account.0[0] ^= 1),
            ("book", |release| release.book = Book::new("other").unwrap()),
            ("protocol version", |release| release.protocol += 1),
        ];
        for (name, change) in changes {
            let mut content = good.content().clone();
            change(&mut content);
            let refused = ledger.release(&content.sign(&signer(2)).unwrap(), now);
            assert!(
                matches!(&refused, Err(LedgerError::Release { field, .. }) if *field == name),
                "{refused:?}"
            );
        }
        // Not yet in force.
        let later = release(&second, 2, NOON + 11);
        assert!(matches!(
            ledger.release(&later, now),
            Err(LedgerError::Release { field: "time", .. })
        ));
        // After all of that the account is still pledged.
        let refused = ledger.attest(&pledge(3, NOON + 10), venue_key(), now);
        assert!(matches!(refused, Err(LedgerError::Encumbered { .. })));
        assert_sound(&mut ledger);

        assert!(!ledger.release(&good, now).unwrap().is_again);
        assert!(ledger.release(&good, now).unwrap().is_again);
        let refused = ledger.attest(&pledge(2, NOON + 1), venue_key(), now);
        assert!(
            matches!(refused, Err(LedgerError::Epoch { .. })),
            "what was released is not given out again"
        );
        ledger.attest(&pledge(3, NOON + 10), venue_key(), now).unwrap();
        // The old release, shown again, does not end what stands now.
        let again = ledger.release(&good, at(NOON + 11)).unwrap();
        assert!(again.is_again && again.pledged_since.is_some());
        assert!(ledger.accounts(at(NOON + 11)).unwrap()[0].encumbrance.is_some());
        assert_sound(&mut ledger);
    }
}

#[test]
fn handover_is_both_or_neither() {
    for place in places("handover") {
        let mut ledger = place.create();
        let attested = attest(&mut ledger, &pledge(2, NOON));
        let good = release(&attested, 2, NOON + 5);
        // The attestation fails: its epoch is not after the last one.
        let refused = ledger.handover(&good, &pledge(3, NOON), venue_key(), at(NOON + 5));
        assert!(matches!(refused, Err(LedgerError::Epoch { .. })));
        // The release is of another account.
        let other = Pledge {
            account: "b".to_owned(),
            ..pledge(3, NOON + 5)
        };
        let refused = ledger.handover(&good, &other, venue_key(), at(NOON + 5));
        assert!(matches!(refused, Err(LedgerError::Release { field: "account", .. })));
        let stands = ledger.accounts(at(NOON + 5)).unwrap()[0].encumbrance.clone().unwrap();
        assert_eq!(stands.audience, public(2));
        let next = ledger
            .handover(&good, &pledge(3, NOON + 5), venue_key(), at(NOON + 5))
            .unwrap();
        // After a crash the same command gives the same.
        let again = ledger
            .handover(&good, &pledge(3, NOON + 5), venue_key(), at(NOON + 6))
            .unwrap();
        assert_eq!(again.attestation.to_bytes(), next.attestation.to_bytes());
        let stands = ledger.accounts(at(NOON + 6)).unwrap()[0].encumbrance.clone().unwrap();
        assert_eq!(stands.audience, public(3));
        assert_sound(&mut ledger);
    }
}

#[test]
fn withdrawals_are_held_until_the_expiry_or_the_release() {
    for place in places("held") {
        let mut ledger = place.create();
        ledger
            .import(&entries(&[transfer("in", "a", NOON, "10")]), at(NOON))
            .unwrap();
        let held = Pledge {
            held: true,
            ..pledge(2, NOON)
        };
        attest(&mut ledger, &held);
        // A refresh that promises less does not take back what was promised.
        let refreshed = attest(&mut ledger, &pledge(2, NOON + 1));
        let withdraw = |id: &str| entries(&[transfer(id, "a", NOON + 2, "-1")]);
        for millis in [NOON + 2, NOON + HOUR] {
            let refused = ledger.import(&withdraw("out"), at(millis)).unwrap_err();
            assert!(
                refused
                    .to_string()
                    .contains("holds withdrawals from it until 2026-08-06T13:00:00Z"),
                "{refused}"
            );
        }
        let other = entries(&[
            transfer("out", "b", NOON + 2, "-1"),
            transfer("more", "a", NOON + 2, "1"),
        ]);
        assert_eq!(ledger.import(&other, at(NOON + 2)).unwrap().recorded, 2);
        let mut held = |millis| {
            let stands = ledger.accounts(at(millis)).unwrap()[0].encumbrance.clone().unwrap();
            (stands.until, stands.held_until)
        };
        let until = at(NOON + 1 + HOUR);
        assert_eq!(held(NOON + HOUR), (until, Some(at(NOON + HOUR))));
        assert_eq!(held(NOON + HOUR + 1), (until, None));
        let mut late = place.open();
        assert_eq!(
            late.import(&withdraw("after expiry"), at(NOON + HOUR + 1))
                .unwrap()
                .recorded,
            1
        );
        ledger.release(&release(&refreshed, 2, NOON + 3), at(NOON + 3)).unwrap();
        assert_eq!(
            ledger
                .import(&withdraw("after release"), at(NOON + 4))
                .unwrap()
                .recorded,
            1
        );
        assert_sound(&mut ledger);
    }
}

#[test]
fn release_is_of_an_instant_from_its_attestation_on_and_not_of_the_future() {
    for place in places("release_time") {
        let mut ledger = place.create();
        let attested = attest(&mut ledger, &pledge(2, NOON));
        for millis in [NOON - 1, NOON + 2] {
            let wrong = Release {
                time: at(millis),
                ..Release::of(&attested.attestation, at(NOON)).unwrap()
            };
            let refused = ledger.release(&wrong.sign(&signer(2)).unwrap(), at(NOON + 1));
            assert!(
                matches!(refused, Err(LedgerError::Release { field: "time", .. })),
                "{refused:?}"
            );
        }
        assert!(ledger.accounts(at(NOON + 1)).unwrap()[0].encumbrance.is_some());
        ledger.release(&release(&attested, 2, NOON), at(NOON + 1)).unwrap();
        assert!(ledger.accounts(at(NOON + 1)).unwrap()[0].encumbrance.is_none());
        assert_sound(&mut ledger);
    }
}

#[test]
fn attestation_names_what_the_account_holds_and_has_expired_by_now() {
    // Of all options of the world.
    const EXPIRY: u64 = 1_787_904_000_000;
    for place in places("expired") {
        let mut ledger = place.create();
        let lines = [
            trade("long", "a", NOON, ["C-41000", "2", "0.05", "0"]),
            trade("short", "a", NOON, ["C-63000", "-2", "0.05", "0"]),
            trade("perpetual", "a", NOON, ["LINEAR", "3", "61234.5", "0"]),
            trade("closed", "a", NOON, ["C-42000", "2", "0.05", "0"]),
            trade("closing", "a", NOON, ["C-42000", "-2", "0.05", "0"]),
            trade("another's", "b", NOON, ["C-43000", "1", "0.05", "0"]),
        ];
        ledger.import(&entries(&lines), at(NOON)).unwrap();
        let before = pledge(2, EXPIRY - 1);
        let fresh = ledger.attest(&before, venue_key(), at(EXPIRY - 1)).unwrap();
        assert_eq!(fresh.expired, []);
        let expired = ["C-41000", "C-63000"].map(|name| (name.to_owned(), at(EXPIRY)));
        let again = ledger.attest(&before, venue_key(), at(EXPIRY)).unwrap();
        assert_eq!((again.is_again, again.expired), (true, expired.to_vec()));
        let next = attest(&mut ledger, &pledge(2, EXPIRY));
        assert_eq!((next.is_again, next.expired), (false, expired.to_vec()));
        assert_sound(&mut ledger);
    }
}

#[test]
fn another_pseudonym_secret_or_signing_key_does_not_attest() {
    for place in places("secret") {
        let mut ledger = place.create();
        let refused = ledger.attest(&pledge(2, NOON), &key_file(9), at(NOON));
        assert!(matches!(refused, Err(LedgerError::Secret)));
        let refused = ledger.attest(&pledge(2, NOON + 1), venue_key(), at(NOON));
        assert!(
            matches!(refused, Err(LedgerError::Attest(_))),
            "the epoch is in the future: {refused:?}"
        );
        assert_eq!(ledger.audit().unwrap().attestations, 0);
    }
}

#[test]
fn release_of_an_attestation_that_has_expired_is_refused_once_another_came_after_it() {
    for place in places("late_release") {
        let mut ledger = place.create();
        let first = attest(&mut ledger, &pledge(2, NOON));
        let then = NOON + 2 * 3_600_000;
        let second = attest(&mut ledger, &pledge(3, then));
        ledger.release(&release(&second, 3, then + 1), at(then + 1)).unwrap();
        let late = release(&first, 2, then + 2);
        let refused = ledger.release(&late, at(then + 2));
        assert!(matches!(refused, Err(LedgerError::NotTheLast { .. })), "{refused:?}");
        let refused = ledger.handover(&late, &pledge(4, then + 2), venue_key(), at(then + 2));
        assert!(matches!(refused, Err(LedgerError::NotTheLast { .. })), "{refused:?}");
        assert_sound(&mut ledger);
        assert_eq!(ledger.audit().unwrap().attestations, 2);
        // The last one may be given back after it has expired, too.
        let third = attest(&mut ledger, &pledge(2, 2 * then));
        let late = 2 * then + 2 * 3_600_000;
        ledger.release(&release(&third, 2, late), at(late)).unwrap();
        assert_sound(&mut ledger);
    }
}
