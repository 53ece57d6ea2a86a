//! An instant about which publishers disagreed, and what comes after.
use super::*;

/// Observed by a policy of which two publishers must have signed, when it is of.
fn observe_signed(before: &Breaker, snapshots: &[Snapshot], signers: &[&[&str]]) -> Result<Breaker, ObserveError> {
    let signatures: Vec<SnapshotSignature> = snapshots
        .iter()
        .zip(signers)
        .flat_map(|(snapshot, names)| names.iter().map(move |name| sign(name, snapshot)))
        .collect();
    let sight = Sight {
        snapshots,
        signatures: &signatures,
        reference: &reference(&snapshots[0]),
        at: snapshots[0].instant,
    };
    before.observe(&signed_policy(2), &sight)
}

/// Two snapshots of this minute, both calm, and further apart than the band.
fn voices(minute: u64) -> [Snapshot; 2] {
    ["65000", "65200"].map(|btc| market(minute * MINUTE, btc, "1900", ["0.4", "0.5", "0.45"]))
}

#[test]
fn voice_that_comes_alone_after_a_dispute_of_its_instant_is_not_taken() {
    let before = observe(None, &calm(0));
    let disputed = observe_signed(&before, &voices(1), &[&["one", "two"], &["three"]]).unwrap();
    assert_eq!(disputed.stance(), Stance::Halted);
    for voice in voices(1) {
        let mut breaker = disputed.clone();
        // However often it comes.
        for _ in 0..2 {
            breaker = observe_signed(&breaker, std::slice::from_ref(&voice), &[&["two", "three"]]).unwrap();
            assert_eq!(breaker.stance(), Stance::Halted);
            assert_eq!(breaker.transitions(), disputed.transitions());
            assert_eq!((breaker.seen(), &breaker.last), (&[][..], &before.last));
        }
    }
    // Nor is it calm: the wait begins anew when it comes.
    let later = instant(EPOCH).checked_add(3 * MINUTE).unwrap();
    let [voice, _] = voices(1);
    let sight = Sight {
        snapshots: std::slice::from_ref(&voice),
        signatures: &["two", "three"].map(|name| sign(name, &voice)),
        reference: &reference(&voice),
        at: later,
    };
    let heard = disputed.observe(&signed_policy(2), &sight).unwrap();
    assert_eq!((heard.observed().at, heard.unrest.at), (later, later));
    // The next instant is measured against the last snapshot that was taken.
    let next = observe_signed(&disputed, &[calm(2 * MINUTE)], &[&["one", "two"]]).unwrap();
    assert_eq!((next.stance(), next.last), (Stance::Halted, Some(calm(2 * MINUTE))));
}

#[test]
fn snapshot_from_before_a_disputed_instant_is_a_rollback() {
    let before = observe(None, &calm(0));
    let disputed = observe_signed(&before, &voices(1), &[&["one", "two"], &["three"]]).unwrap();
    let edges = [MINUTE - 1, MINUTE, MINUTE + 1].map(|after| {
        observe_signed(&disputed, &[calm(after)], &[&["one", "two"]]).map(|breaker| breaker.observed().market)
    });
    let of = |millis: u64| instant(EPOCH).checked_add(millis).unwrap();
    assert!(matches!(
        edges[0],
        Err(ObserveError::Rollback { found, last }) if (found, last) == (of(MINUTE - 1), of(MINUTE))
    ));
    assert!(matches!(edges[1..], [Ok(same), Ok(later)] if (same, later) == (of(MINUTE), of(MINUTE + 1))));
}
