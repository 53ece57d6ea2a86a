#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
use super::*;
use crate::fixture::{Item, attestation, good_statement, now, universe};
use std::collections::BTreeSet;
use zkmargin_risk::terms::{Deposit, Order};

fn facts() -> PublicFacts {
    PublicFacts {
        network: Network::Test,
        k: 6,
        parameters: Digest([1; 32]),
        shape: Digest([2; 32]),
        universe: Digest([3; 32]),
        snapshots: vec![Digest([4; 32])],
        models: vec![Digest([5; 32])],
        history: None,
    }
}

/// A statement in which every optional field is there.
fn full_statement() -> Statement {
    let mut statement = good_statement();
    statement.terms.order =
        Some(Order::parse("sell 5 alpha:BTC-28AUG26-70000-C @ 0.0215 fee 0.0003", &universe()).unwrap());
    statement.terms.deposit = Some(Deposit::parse("2.5 beta:BTC", &universe()).unwrap());
    statement.replaces = Some(Digest([6; 32]));
    statement
}

fn encoded(statement: &Statement) -> Vec<u8> {
    let mut w = Writer::new();
    statement.write(&mut w);
    w.into_bytes()
}

/// Reads as a bundle does: strictly.
fn decoded(bytes: &[u8]) -> Option<Statement> {
    let mut r = Reader::new(bytes);
    let statement = Statement::read(&mut r).ok()?;
    r.finish().ok()?;
    (encoded(&statement) == bytes).then_some(statement)
}

#[test]
fn statement_round_trips() {
    for statement in [good_statement(), full_statement()] {
        assert_eq!(decoded(&encoded(&statement)), Some(statement));
    }
}

#[test]
fn digest_covers_the_facts_and_then_the_statement_as_it_travels() {
    let statement = full_statement();
    let Item::Array(hashed) = Item::decode(&statement.digest_preimage(&facts())) else {
        panic!("an array")
    };
    let Item::Array(travels) = Item::decode(&encoded(&statement)) else {
        panic!("an array")
    };
    assert_eq!(hashed.len(), FACT_FIELDS + STATEMENT_FIELDS);
    // So a field that is added to what travels is hashed.
    assert_eq!(hashed[FACT_FIELDS..], travels);
    let versions = [PROTOCOL_VERSION, COMPILER_VERSION, CIRCUIT_VERSION].map(|version| Item::Uint(u64::from(version)));
    assert_eq!(hashed[..3], versions);
    assert_eq!(hashed[4], Item::Uint(u64::from(FOLDING_RULE)));
    assert_eq!(hashed[12], Item::Uint(ACROSS_VENUE_RULE));
}

#[test]
fn every_item_of_a_statement_changes_its_digest() {
    let statement = full_statement();
    let mut digests = BTreeSet::from([statement.digest(&facts())]);
    let (mut fields, mut readable) = (BTreeSet::new(), BTreeSet::new());
    for (path, mutant) in Item::decode(&encoded(&statement)).mutants() {
        fields.insert(path[0]);
        // What does not decode is refused before anything is hashed.
        if let Some(other) = decoded(&mutant.encode()) {
            assert_ne!(other, statement, "{path:?}");
            assert!(digests.insert(other.digest(&facts())), "{path:?} is not in the digest");
            readable.insert(path[0]);
        }
    }
    assert_eq!(fields.len(), STATEMENT_FIELDS + 1);
    // Every field has a mutant that is a statement too; the array itself has none.
    assert_eq!(readable, (0..STATEMENT_FIELDS).collect());
}

#[test]
fn every_public_fact_changes_the_digest() {
    // A fact that is added does not compile here before it has a change of its own.
    let PublicFacts {
        network: _,
        k: _,
        parameters: _,
        shape: _,
        universe: _,
        snapshots: _,
        models: _,
        history: _,
    } = facts();
    let changes: [fn(&mut PublicFacts); 13] = [
        |f| f.network = Network::Main,
        |f| f.k = 7,
        |f| f.parameters.0[31] ^= 1,
        |f| f.shape.0[31] ^= 1,
        |f| f.universe.0[31] ^= 1,
        |f| f.snapshots[0].0[31] ^= 1,
        |f| f.snapshots.push(Digest([4; 32])),
        |f| f.snapshots.clear(),
        |f| f.models[0].0[31] ^= 1,
        |f| f.models.push(Digest([5; 32])),
        // From the end of one list to the head of the next.
        |f| f.models.insert(0, f.snapshots.remove(0)),
        |f| f.history = Some(Digest([0; 32])),
        |f| (f.parameters, f.shape) = (f.shape, f.parameters),
    ];
    let statement = full_statement();
    let mut digests = BTreeSet::from([statement.digest(&facts())]);
    for (index, change) in changes.iter().enumerate() {
        let mut changed = facts();
        change(&mut changed);
        assert!(digests.insert(statement.digest(&changed)), "change {index}");
    }
}

#[test]
fn attestations_in_another_order_or_number_change_the_digest() {
    let statement = full_statement();
    let mut digests = BTreeSet::from([statement.digest(&facts())]);
    let mut other = statement.clone();
    other.attestations.reverse();
    assert!(digests.insert(other.digest(&facts())));
    other.attestations.pop();
    assert!(digests.insert(other.digest(&facts())));
    other.attestations.push(attestation("beta", "three", |_| {}));
    assert!(digests.insert(other.digest(&facts())));
}

#[test]
fn subjects_are_distinct_and_in_the_order_of_their_bytes() {
    let mut statement = good_statement();
    let subjects = [9, 1, 9, 5].map(|byte| PublicKey([byte; 32]));
    let of = |subject: PublicKey| attestation("alpha", "one", |a| a.subject = subject);
    statement.attestations = subjects.map(of).to_vec();
    assert_eq!(statement.subjects(), [1, 5, 9].map(|byte| PublicKey([byte; 32])));
}

#[test]
fn level_ratio_and_instants_out_of_bounds_are_refused_by_the_reader() {
    let Item::Array(items) = Item::decode(&encoded(&good_statement())) else {
        panic!("an array")
    };
    let with = |path: &[usize], value: u64| {
        let mut items = items.clone();
        let item = match path {
            [field] => &mut items[*field],
            [field, inner] => match &mut items[*field] {
                Item::Array(inner_items) => &mut inner_items[*inner],
                _ => panic!("an array"),
            },
            _ => panic!("one or two steps"),
        };
        assert!(matches!(item, Item::Uint(_)));
        *item = Item::Uint(value);
        decoded(&Item::Array(items).encode()).is_some()
    };
    for (path, good, bad) in [
        (&[0, 0][..], 2, 3),
        (&[0, 1], 20, 19),
        (&[0, 1], 2000, 2001),
        (&[4], Instant::MAX.millis(), Instant::MAX.millis() + 1),
        (&[5], now().millis(), u64::MAX),
    ] {
        assert!(with(path, good), "{path:?} = {good}");
        assert!(!with(path, bad), "{path:?} = {bad}");
    }
}

/// The digest of fixed bytes: it changes with a version, an encoding or a commitment, and with nothing else.
#[test]
fn golden_statement_digests() {
    // Of no universe in particular, whose own encoding is not the matter of this test.
    let fixed = |mut statement: Statement| {
        let venues = ["alpha", "beta"].into_iter();
        statement.attestations = venues
            .map(|venue| attestation(venue, "one", |a| a.universe = facts().universe))
            .collect();
        statement.digest(&facts()).to_string()
    };
    let digests = [fixed(good_statement()), fixed(full_statement())];
    assert_eq!(
        digests,
        [
            "e21314ee799f7e38687838b08f893c5f095290084b8df4023fc33e607470c6d4",
            "f8dec8a26d9469f7c2c30d043f24a928cf9d9113388c4f07a0a7abcb98eab651"
        ]
    );
}
