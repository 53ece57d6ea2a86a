#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
use super::*;
use crate::attestation::Attestation;
use crate::fixture::{
    EPOCH, attestation, attestation_by, book, good_statement, instant, now, public, statement, universe,
};
use crate::keys::{Keys, Validity};
use std::collections::BTreeMap;

fn presented() -> Presented {
    Presented {
        network: Network::Test,
        universe: universe().digest(),
        snapshot: Digest([1; 32]),
        later: None,
        snapshot_instant: instant(EPOCH),
        model: Digest([2; 32]),
    }
}

fn policy() -> Policy {
    let keys = |name: &str| (name.to_owned(), Keys::from([public(name)]));
    Policy {
        network: Network::Test,
        audience: public("audience"),
        books: BTreeSet::from([book("line-1")]),
        universes: BTreeSet::from([universe().digest()]),
        venues: BTreeMap::from([keys("alpha"), keys("beta")]),
        required_venues: BTreeSet::from(["alpha".to_owned()]),
        subject_groups: vec![
            BTreeSet::from([public("a"), public("b"), public("c")]),
            BTreeSet::from([public("d")]),
        ],
        all_accounts: true,
        held: true,
        hypothetical_orders: true,
        hypothetical_deposits: true,
        models: BTreeSet::from([Digest([2; 32])]),
        snapshots: AcceptedSnapshots::Given,
        level: Level::Initial.into(),
        ratio: Ratio20::ONE,
        excess: 0,
        max_snapshot_age: "1m".parse().unwrap(),
        max_validity: None,
        max_attestation_age: "50s".parse().unwrap(),
        nonce: NonceRule::Required,
        breaker: None,
        calls: None,
    }
}

const NONCE: Option<[u8; 32]> = Some([3; 32]);

fn accept_with(policy: &Policy, statement: &Statement) -> Result<(), PolicyRefusal> {
    policy.accept(&presented(), &[statement], NONCE, now())
}

fn accept(statement: &Statement) -> Result<(), PolicyRefusal> {
    accept_with(&policy(), statement)
}

#[test]
fn good_statement_is_accepted() {
    assert_eq!(accept(&good_statement()), Ok(()));
}

#[test]
fn universe_of_another_network_is_refused() {
    let mut other = policy();
    other.network = Network::Main;
    let expected = PolicyRefusal::Network {
        found: Network::Test,
        expected: Network::Main,
    };
    assert_eq!(accept_with(&other, &good_statement()), Err(expected));
}

#[test]
fn universe_model_or_snapshot_that_is_not_listed_is_refused() {
    let refusal = |change: fn(&mut Policy)| {
        let mut policy = policy();
        change(&mut policy);
        accept_with(&policy, &good_statement())
    };
    fn others() -> BTreeSet<Digest> {
        BTreeSet::from([Digest([8; 32])])
    }
    assert_eq!(
        refusal(|p| p.universes = others()),
        Err(PolicyRefusal::Universe {
            found: presented().universe,
            accepted: others(),
        })
    );
    assert_eq!(
        refusal(|p| p.models = others()),
        Err(PolicyRefusal::Model {
            found: Digest([2; 32]),
            accepted: others(),
        })
    );
    let mut listed = policy();
    listed.snapshots = AcceptedSnapshots::Listed(others());
    let refused = PolicyRefusal::Snapshot {
        found: Digest([1; 32]),
        accepted: others(),
    };
    assert_eq!(
        refused.to_string(),
        format!(
            "snapshot {} is not one of the policy's: {}",
            "01".repeat(32),
            "08".repeat(32)
        )
    );
    assert_eq!(accept_with(&listed, &good_statement()), Err(refused));
    listed.snapshots = AcceptedSnapshots::Listed(BTreeSet::from([Digest([1; 32])]));
    assert_eq!(accept_with(&listed, &good_statement()), Ok(()));
}

#[test]
fn snapshot_is_refused_a_millisecond_past_its_age() {
    let mut policy = policy();
    policy.max_attestation_age = "1d".parse().unwrap();
    let at = |at| policy.accept(&presented(), &[&good_statement()], NONCE, at);
    assert_eq!(at(now()), Ok(()));
    assert!(matches!(
        at(now().checked_add(1).unwrap()),
        Err(PolicyRefusal::SnapshotAge { .. })
    ));
}

#[test]
fn attestation_is_refused_a_millisecond_past_its_age() {
    let mut policy = policy();
    policy.max_snapshot_age = "1d".parse().unwrap();
    let at = |at| policy.accept(&presented(), &[&good_statement()], NONCE, at);
    assert_eq!(at(now()), Ok(()));
    assert!(matches!(
        at(now().checked_add(1).unwrap()),
        Err(PolicyRefusal::AttestationAge { .. })
    ));
}

#[test]
fn statement_for_another_audience_or_book_is_refused() {
    let mut other = good_statement();
    other.audience = public("other");
    let expected = PolicyRefusal::Audience {
        statement: 0,
        found: public("other"),
        expected: public("audience"),
    };
    assert_eq!(accept(&other), Err(expected));
    let mut other = good_statement();
    other.book = book("line-2");
    let refused = PolicyRefusal::Book {
        statement: 0,
        found: book("line-2"),
        accepted: BTreeSet::from([book("line-1")]),
    };
    assert_eq!(
        refused.to_string(),
        "statement 1 is for book \"line-2\", which is not one of the policy's: \"line-1\""
    );
    assert_eq!(accept(&other), Err(refused));
}

#[test]
fn nonce_must_be_given_and_equal_unless_it_is_waived() {
    let mut policy = policy();
    let (statement, wrong) = (good_statement(), Some([4; 32]));
    let with = |policy: &Policy, nonce| policy.accept(&presented(), &[&statement], nonce, now());
    let differs = Err(PolicyRefusal::Nonce {
        statement: 0,
        found: [3; 32],
        expected: [4; 32],
    });
    assert_eq!(with(&policy, None), Err(PolicyRefusal::NonceNotGiven));
    assert_eq!(with(&policy, wrong), differs);
    policy.nonce = NonceRule::Waived;
    assert_eq!(with(&policy, None), Ok(()));
    assert_eq!(
        with(&policy, wrong),
        differs,
        "a nonce that is given is compared even if the policy would waive it"
    );
}

#[test]
fn level_ratio_and_excess_below_the_policys_are_refused() {
    let mut policy = policy();
    (policy.level, policy.ratio, policy.excess) = (Level::Initial.into(), Ratio20::new(21).unwrap(), 1000);
    let mut statement = good_statement();
    (statement.terms.ratio, statement.terms.excess) = (policy.ratio, 1000);
    assert_eq!(accept_with(&policy, &statement), Ok(()));

    let mut lower = statement.clone();
    lower.terms.margin = Level::Maintenance.into();
    let expected = PolicyRefusal::Level {
        statement: 0,
        found: Level::Maintenance.into(),
        expected: Level::Initial.into(),
    };
    assert_eq!(accept_with(&policy, &lower), Err(expected));

    let mut lower = statement.clone();
    lower.terms.ratio = Ratio20::ONE;
    let expected = PolicyRefusal::Ratio {
        statement: 0,
        found: Ratio20::ONE,
        expected: policy.ratio,
    };
    assert_eq!(accept_with(&policy, &lower), Err(expected));

    let mut lower = statement.clone();
    lower.terms.excess = 999;
    assert_eq!(
        accept_with(&policy, &lower),
        Err(PolicyRefusal::Excess {
            statement: 0,
            found: 999,
            expected: 1000
        })
    );

    policy.level = Level::Maintenance.into();
    assert_eq!(
        accept_with(&policy, &statement),
        Ok(()),
        "initial is more than maintenance"
    );
}

#[test]
fn venue_or_key_that_is_not_accepted_is_refused() {
    let gamma = statement(vec![
        attestation("alpha", "one", |_| {}),
        attestation("gamma", "two", |_| {}),
    ]);
    assert!(matches!(accept(&gamma), Err(PolicyRefusal::Venue { place }) if place.venue == "gamma"));
    // In the universe, but not in the policy.
    let second = statement(vec![attestation_by("alpha second", "alpha", "one", |_| {})]);
    assert!(matches!(accept(&second), Err(PolicyRefusal::Key { key, .. }) if key == public("alpha second")));
    // Accepted, but for another venue.
    let beta = statement(vec![attestation_by("beta", "alpha", "one", |_| {})]);
    assert!(matches!(accept(&beta), Err(PolicyRefusal::Key { key, .. }) if key == public("beta")));
}

#[test]
fn statement_without_a_required_venue_is_refused() {
    let beta = statement(vec![attestation("beta", "one", |_| {})]);
    assert_eq!(
        accept(&beta),
        Err(PolicyRefusal::RequiredVenue {
            statement: 0,
            venue: "alpha".to_owned()
        })
    );
}

#[test]
fn two_subjects_are_refused_unless_one_group_has_both() {
    let of = |subject: &'static str| move |a: &mut Attestation| a.subject = public(subject);
    let pair = |first, second| {
        statement(vec![
            attestation("alpha", "one", of(first)),
            attestation("beta", "two", of(second)),
        ])
    };
    let mut lenient = policy();
    lenient.all_accounts = false;
    assert_eq!(accept_with(&lenient, &pair("a", "b")), Ok(()));
    assert_eq!(accept(&pair("x", "x")), Ok(()), "one subject needs no group");
    for (first, second) in [("a", "d"), ("a", "x"), ("x", "y")] {
        let mut subjects = vec![public(first), public(second)];
        subjects.sort_unstable();
        assert_eq!(
            accept(&pair(first, second)),
            Err(PolicyRefusal::Subjects { statement: 0, subjects })
        );
    }
}

#[test]
fn missing_account_of_a_subject_is_refused_where_all_are_demanded() {
    let one_of_two = statement(vec![attestation("alpha", "one", |a| a.accounts = 2)]);
    let expected = PolicyRefusal::AccountMissing {
        statement: 0,
        venue: "alpha".to_owned(),
        subject: public("subject"),
        found: 1,
        said: 2,
    };
    assert_eq!(accept(&one_of_two), Err(expected));
    let mut lenient = policy();
    lenient.all_accounts = false;
    assert_eq!(accept_with(&lenient, &one_of_two), Ok(()));
    // Accounts of another subject of the group do not make up for it.
    let group = statement(vec![
        attestation("alpha", "one", |a| (a.accounts, a.subject) = (2, public("a"))),
        attestation("alpha", "two", |a| (a.accounts, a.subject) = (2, public("b"))),
    ]);
    assert!(matches!(
        accept(&group),
        Err(PolicyRefusal::AccountMissing { found: 1, said: 2, .. })
    ));
}

#[test]
fn every_subject_of_a_party_must_have_an_account_at_every_venue_where_all_are_demanded() {
    let of = |subject: &'static str| move |a: &mut Attestation| a.subject = public(subject);
    let one = |venue, subject: &'static str| attestation(venue, subject, of(subject));
    let missing = |policy: &Policy, statement: &Statement| match accept_with(policy, statement) {
        Ok(()) => None,
        Err(PolicyRefusal::SubjectMissing { venue, subject, .. }) => Some((venue, subject)),
        Err(other) => panic!("{other}"),
    };
    let mut pair = policy();
    pair.subject_groups = vec![BTreeSet::from([public("a"), public("b")])];
    // What "a" has at beta, "b" does not say; and "b" alone says nothing of "a".
    let split = statement(vec![one("alpha", "a"), one("beta", "b")]);
    let expected = [("alpha", "b"), ("beta", "a")].map(|(venue, subject)| (venue.to_owned(), public(subject)));
    assert!(expected.contains(&missing(&pair, &split).unwrap()));
    let alone = statement(vec![one("alpha", "b")]);
    assert_eq!(missing(&pair, &alone), Some(("alpha".to_owned(), public("a"))));
    let whole = statement(vec![
        one("alpha", "a"),
        one("alpha", "b"),
        one("beta", "a"),
        one("beta", "b"),
    ]);
    assert_eq!(missing(&pair, &whole), None);
    // A subject of no group is a party by itself, and so is one that has a group for itself.
    let stranger = statement(vec![one("alpha", "x"), one("beta", "x")]);
    assert_eq!(missing(&pair, &stranger), None);
    let mut single = pair.clone();
    single.subject_groups = vec![BTreeSet::from([public("b")])];
    assert_eq!(missing(&single, &alone), None);
    pair.all_accounts = false;
    assert_eq!(missing(&pair, &split), None);
}

#[test]
fn window_may_end_so_long_after_the_snapshot_and_not_a_millisecond_later() {
    let mut bounded = policy();
    let until = good_statement().window.until;
    let most = until.millis_since(instant(EPOCH));
    bounded.max_validity = Some(Age::from_millis(most).unwrap());
    assert_eq!(accept_with(&bounded, &good_statement()), Ok(()));
    let less = Age::from_millis(most - 1).unwrap();
    bounded.max_validity = Some(less);
    assert_eq!(
        accept_with(&bounded, &good_statement()),
        Err(PolicyRefusal::Validity {
            statement: 0,
            until,
            instant: instant(EPOCH),
            most: less
        })
    );
}

#[test]
fn account_whose_withdrawals_are_not_held_is_refused_where_they_must_be() {
    let not_held = statement(vec![attestation("alpha", "one", |a| a.held = false)]);
    assert!(matches!(accept(&not_held), Err(PolicyRefusal::NotHeld { .. })));
    let mut lenient = policy();
    lenient.held = false;
    assert_eq!(accept_with(&lenient, &not_held), Ok(()));
}

#[test]
fn supposed_order_or_deposit_is_refused_unless_the_policy_takes_it() {
    let mut strict = policy();
    (strict.hypothetical_orders, strict.hypothetical_deposits) = (false, false);
    assert_eq!(accept_with(&strict, &good_statement()), Ok(()));
    let mut deposited = good_statement();
    deposited.terms.deposit = Some(zkmargin_risk::terms::Deposit {
        venue: "alpha".to_owned(),
        asset: "USDC".to_owned(),
        amount: "1".parse().unwrap(),
    });
    assert_eq!(accept(&deposited), Ok(()));
    let refused = accept_with(&strict, &deposited);
    assert!(matches!(
        refused,
        Err(PolicyRefusal::Hypothetical { what: "deposit", .. })
    ));
    strict.hypothetical_deposits = true;
    assert_eq!(accept_with(&strict, &deposited), Ok(()));

    let mut ordered = good_statement();
    let order = "buy 1 alpha:BTC-28AUG26-70000-C @ 0.02 fee 0.0003";
    ordered.terms.order = Some(zkmargin_risk::terms::Order::parse(order, &universe()).unwrap());
    assert_eq!(accept(&ordered), Ok(()));
    let refused = accept_with(&strict, &ordered);
    assert!(matches!(
        refused,
        Err(PolicyRefusal::Hypothetical { what: "order", .. })
    ));
    (strict.hypothetical_orders, strict.hypothetical_deposits) = (true, false);
    assert_eq!(accept_with(&strict, &ordered), Ok(()));
}

#[test]
fn margin_that_is_demanded_is_enough_and_initial_is_more_than_maintenance() {
    let margins = [Level::Maintenance.into(), Level::Initial.into(), Margin::Variation];
    for (row, demanded) in margins.into_iter().enumerate() {
        let found = margins.map(|found| suffices(found, demanded));
        let expected = [[true, true, false], [false, true, false], [false, false, true]];
        assert_eq!(found, expected[row], "{demanded:?}");
    }
}

#[test]
fn second_statement_of_a_bundle_is_checked_like_the_first() {
    let mut second = good_statement();
    second.nonce = [5; 32];
    let refused = policy().accept(&presented(), &[&good_statement(), &second], NONCE, now());
    assert_eq!(
        refused,
        Err(PolicyRefusal::Nonce {
            statement: 1,
            found: [5; 32],
            expected: [3; 32]
        })
    );
}

#[test]
fn key_is_accepted_for_what_it_signed_in_its_time_and_not_once_revoked() {
    let (signed, key) = (instant("2026-08-06T12:00:10Z"), public("alpha"));
    let [before, at, after] = [-1, 0, 1].map(|by| {
        let millis = signed.millis().checked_add_signed(by).unwrap();
        Instant::from_millis(millis).unwrap()
    });
    let with = |validity: Validity, at: Instant| {
        let mut policy = policy();
        let keys = Keys::new([(key, validity)]).unwrap();
        policy.venues.insert("alpha".to_owned(), keys);
        policy.accept(&presented(), &[&good_statement()], NONCE, at)
    };
    let from = |from| Validity {
        from: Some(from),
        ..Validity::default()
    };
    assert_eq!([before, at].map(|edge| with(from(edge), now())), [Ok(()), Ok(())]);
    let refused = with(from(after), now());
    assert!(
        matches!(refused, Err(PolicyRefusal::KeyNotYetValid { from, time, .. }) if (from, time) == (after, signed))
    );
    let until = |until| Validity {
        until: Some(until),
        ..Validity::default()
    };
    assert_eq!([at, after].map(|edge| with(until(edge), now())), [Ok(()), Ok(())]);
    let refused = with(until(before), now());
    assert!(
        matches!(refused, Err(PolicyRefusal::KeyNoLongerValid { until, time, .. }) if (until, time) == (before, signed))
    );
    // Revoked long after it signed: what counts is when it is verified.
    let revoked = Validity {
        revoked: Some(now()),
        ..Validity::default()
    };
    let a_moment_earlier = Instant::from_millis(now().millis() - 1).unwrap();
    assert_eq!(with(revoked, a_moment_earlier), Ok(()));
    assert!(matches!(with(revoked, now()), Err(PolicyRefusal::KeyRevoked { revoked, .. }) if revoked == now()));
}
