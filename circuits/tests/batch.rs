//! Many proofs at once: accepted together, refused by name.

#![cfg(feature = "prove")]
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

use std::sync::LazyLock;

use zkmargin_circuits::{
    BatchRefusal, Blind, Claim, Malformed, Opening, Parameters, Point, Refusal, commit, prove, verify_batch,
};
use zkmargin_program::{Builder, Header, Layout, LegId, Linear, Pair, Program, Real};

const K: u32 = 6;
static PARAMETERS: LazyLock<Parameters> = LazyLock::new(|| Parameters::load(K, None).unwrap());

/// What is held is worth at least nothing.
static PROGRAM: LazyLock<Program> = LazyLock::new(|| {
    let [balance, debt] = [0, 1].map(LegId::new);
    let pairs = vec![Pair {
        first: balance,
        second: debt,
    }];
    let layout = Layout::new(K, vec![0], vec![balance, debt], pairs).unwrap();
    let header = Header {
        numeraire: "USD".into(),
        unit_exponent: -2,
        value_bits: 60,
    };
    let mut builder = Builder::new(layout, header).unwrap();
    let mut value = Linear::zero();
    value.add_leg(balance, Real::from_integer(1));
    value.add_leg(debt, Real::from_integer(-1));
    let value = builder.lower(&value).unwrap();
    builder.require_non_negative("value", value).unwrap();
    builder.finish().unwrap()
});

struct Proven {
    statement: [u8; 32],
    attested: Vec<Vec<Point>>,
    proof: Vec<u8>,
}

impl Proven {
    fn new(statement: u8) -> Self {
        let mut lots = vec![0; PROGRAM.layout().slots()];
        lots[0] = u64::from(statement);
        let blind = Blind::random().unwrap();
        let attested = vec![vec![commit(&PARAMETERS, &lots, &blind).unwrap()]];
        let mut proven = Self {
            statement: [statement; 32],
            attested,
            proof: Vec::new(),
        };
        let opening = Opening::new(lots, vec![blind]);
        proven.proof = prove(&PARAMETERS, &[proven.claim()], &[opening]).unwrap();
        proven
    }

    fn claim(&self) -> Claim<'_> {
        Claim {
            statement: self.statement,
            program: &PROGRAM,
            attested: &self.attested,
            public: &[],
        }
    }
}

static PROVEN: LazyLock<Vec<Proven>> = LazyLock::new(|| (1..=5).map(Proven::new).collect());

/// The verdict on all proofs, each with the bytes and the statement that `change` makes of its own.
fn verdict(change: impl Fn(usize, &mut Vec<u8>, &mut [u8; 32])) -> Result<(), BatchRefusal> {
    let changed = PROVEN.iter().enumerate().map(|(place, proven)| {
        let (mut claim, mut proof) = (proven.claim(), proven.proof.clone());
        change(place, &mut proof, &mut claim.statement);
        ([claim], proof)
    });
    let changed: Vec<_> = changed.collect();
    let batch: Vec<(&[Claim<'_>], &[u8])> = changed.iter().map(|(claim, proof)| (&claim[..], &proof[..])).collect();
    verify_batch(&PARAMETERS, &batch)
}

#[test]
fn honest_proofs_are_accepted_together_and_alone() {
    assert_eq!(verdict(|_, _, _| {}), Ok(()));
    let first = [PROVEN[0].claim()];
    assert_eq!(verify_batch(&PARAMETERS, &[(&first, &PROVEN[0].proof)]), Ok(()));
}

#[test]
fn batch_of_no_proofs_is_refused() {
    assert_eq!(verify_batch(&PARAMETERS, &[]), Err(BatchRefusal::Empty));
}

#[test]
fn false_proof_is_named_wherever_it_stands() {
    // Alone as well.
    let mut claim = PROVEN[0].claim();
    claim.statement[0] ^= 1;
    assert_eq!(
        verify_batch(&PARAMETERS, &[(&[claim], &PROVEN[0].proof)]),
        Err(BatchRefusal::Proofs(vec![(0, Refusal::Link)]))
    );
    for culprit in 0..PROVEN.len() {
        let refused = verdict(|place, _, statement| statement[0] ^= u8::from(place == culprit));
        assert_eq!(refused, Err(BatchRefusal::Proofs(vec![(culprit, Refusal::Link)])));
        // The last element of a proof is a response of its opening.
        let refused = verdict(|place, proof, _| {
            if place == culprit {
                let last = proof.len() - 32;
                proof[last] ^= 1;
            }
        });
        assert_eq!(refused, Err(BatchRefusal::Proofs(vec![(culprit, Refusal::Circuit)])));
    }
}

#[test]
fn what_cannot_be_read_is_named_beside_what_does_not_hold() {
    let refused = verdict(|place, proof, statement| match place {
        1 => proof.truncate(proof.len() - 1),
        3 => statement[5] = 9,
        _ => {}
    });
    let Err(BatchRefusal::Proofs(refused)) = refused else {
        panic!("{refused:?}")
    };
    assert!(matches!(
        refused[..],
        [(1, Refusal::Malformed(Malformed::Truncated { .. })), (3, Refusal::Link)]
    ));
    let refused = verdict(|place, proof, _| proof.truncate(if place == 4 { 7 } else { proof.len() }));
    assert!(matches!(
        refused,
        Err(BatchRefusal::Proofs(ref refused)) if matches!(refused[..], [(4, Refusal::Malformed(_))])
    ));
}

#[test]
fn proofs_that_change_places_are_refused() {
    let (first, second) = ([PROVEN[0].claim()], [PROVEN[1].claim()]);
    let swapped: [(&[Claim<'_>], &[u8]); 2] = [(&first, &PROVEN[1].proof), (&second, &PROVEN[0].proof)];
    assert_eq!(
        verify_batch(&PARAMETERS, &swapped),
        Err(BatchRefusal::Proofs(vec![(0, Refusal::Link), (1, Refusal::Link)]))
    );
}
