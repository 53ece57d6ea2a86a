//! A malicious trader against `zkmargin-verify` itself: every account is attested, every signature is right, and the book is short of margin.
//!
//! Each forgery departs from the protocol in one place. A verifier that leaves out the one check accepts the same bytes, or the same
//! forgery in the format that it would need; the tool refuses them with exit code 1 and says which part fails.
//!
//! What is here is of one statement under `paradex-pm`, whose circuit has no whole variable; the modules prove under presets that have, with
//! several columns of roots in a group and with squares, and two statements at once.

mod cases;
mod challenges;
mod encodings;
mod folding;
mod linking;
mod payments;
mod sizes;

use std::fs;
use std::sync::LazyLock;

use ff::{Field, PrimeField};
use pasta_curves::Fp;
use zkmargin_circuits::{Claim, Placement, Point, PointError};
use zkmargin_program::{Program, WitnessError};
use zkmargin_risk::canonical::Digest;
use zkmargin_risk::model::Model;
use zkmargin_risk::terms::Ratio20;
use zkmargin_tests::*;
use zkmargin_verifier::verify::Prepared;
use zkmargin_verifier::{Bundle, Opening, ProofHash, SignedAttestation, SignedStatement, Statement, SubjectSignature};

use crate::stage::{STAGE, context, context_under, said, signed_again};

const LINK: &str = "the link fails: the proof is not about the attested accounts";
const CIRCUIT: &str = "the proof of the circuit fails";

/// Attested accounts under one statement, with their openings.
struct Book {
    /// The preset that it is proven under.
    model: &'static str,
    /// The partner's policy.
    policy: String,
    statement: Statement,
    prepared: Prepared,
    plan: Plan,
    account: Account,
}

impl Book {
    /// The accounts at both venues whose attestation and opening have these names.
    fn of(names: [&str; 2]) -> Self {
        let universe = context().universe;
        let (rows, count) = (GENERATORS.legs(), universe.layout().columns());
        let mut columns = vec![vec![0_u64; rows]; count];
        let mut blinds = vec![Fp::ZERO; count];
        let mut points = vec![Vec::new(); count];
        let read = |name: &str| SignedAttestation::from_bytes(&STAGE.read(&format!("{name}.attestation"))).unwrap();
        let attestations = names.map(read).to_vec();
        for (name, attestation) in names.iter().zip(&attestations) {
            let opening = Opening::from_bytes(&STAGE.read(&format!("{name}.opening"))).unwrap();
            let (_, venue) = universe.venue(&opening.venue).unwrap();
            let attested = opening.columns.iter().zip(&attestation.content().points);
            for (column, (opened, point)) in venue.columns.clone().zip(attested) {
                columns[column][..opened.lots.len()].copy_from_slice(&opened.lots);
                blinds[column] = Fp::from_repr(opened.blind.to_bytes()).unwrap();
                points[column].push(*point);
            }
        }
        let account = Account {
            lots: columns.concat(),
            columns: columns.iter().map(|column| scalars(column)).collect(),
            blinds,
            points,
        };
        Self::stating("paradex-pm", "policy.json".to_owned(), account, attestations)
    }

    /// What a trader states who has these attestations of an account.
    fn stating(model: &'static str, policy: String, account: Account, attestations: Vec<SignedAttestation>) -> Self {
        let mut statement = STAGE.bundle().statements[0].statement.clone();
        statement.attestations = attestations;
        Self::about(model, policy, account, statement)
    }

    /// A statement of an account.
    fn about(model: &'static str, policy: String, account: Account, statement: Statement) -> Self {
        let prepared = context_under(&Model::preset(model).unwrap())
            .prepare(&[&statement])
            .unwrap()
            .remove(0);
        Self {
            model,
            policy,
            plan: Plan::of(&prepared.program),
            statement,
            prepared,
            account,
        }
    }

    fn program(&self) -> &Program {
        &self.prepared.program
    }

    /// This book on stage, with given hidden variables.
    fn scene(&self, w: &[u128]) -> Scene<'_> {
        self.scene_of(Columns::new(&self.plan, &self.account.columns, w))
    }

    /// This book on stage, with given columns.
    fn scene_of(&self, columns: Columns) -> Scene<'_> {
        Scene {
            program: self.program(),
            columns,
            outside: outside(&GENERATORS, &self.prepared.claim()),
            blinds: self.account.blinds.clone(),
            unusable: Vec::new(),
        }
    }

    fn forger(&self) -> Forger<'_> {
        forger_of(&[self])
    }

    fn verdict(&self, proof: &[u8]) -> (i32, String) {
        verdict(&[self], proof)
    }

    fn refused(&self, proof: &[u8], because: &str) {
        refused(&[self], proof, because);
    }

    /// Refused at the first element that is none where the verifier reads it, in the order of its own shape, which is not the prover's.
    fn refused_where_it_is_misread(&self, proof: &[u8]) {
        let (masked, link) = (self.plan.masked_at(), self.plan.link_at());
        let element = |at: usize| <[u8; 32]>::try_from(&proof[at..at + 32]).unwrap();
        let no_point = |at: usize| Some((at, Point::from_bytes(&element(at)).err()?.to_string()));
        let no_scalar = |at: usize| {
            let scalar: Option<Fp> = Fp::from_repr(element(at)).into();
            let error = "the scalar is not below the order of the group".to_owned();
            scalar.is_none().then_some((at, error))
        };
        let responses = link.start + 32;
        let points = (0..masked.start).chain(masked.end..responses).step_by(32);
        let scalars = (responses..link.end).step_by(32);
        let first = points.filter_map(no_point).chain(scalars.filter_map(no_scalar)).next();
        let expected = Placement::new(self.program()).unwrap().shape().proof_bytes();
        let because = match first {
            Some((at, error)) => format!("at byte {at} of the proof: {error}"),
            // It can be read to its end.
            None if proof.len() == expected => LINK.to_owned(),
            None => "of the proof: ".to_owned(),
        };
        self.refused(proof, &because);
    }

    fn leniently(&self, lenient: &Lenient<'_>, proof: &[u8]) -> Verdict {
        leniently(&[self], lenient, proof)
    }
}

/// A prover of the statements of these books, of one shape.
fn forger_of<'a>(books: &[&'a Book]) -> Forger<'a> {
    let digests = books.iter().map(|book| book.prepared.digest.0).collect();
    Forger::new(&GENERATORS, &books[0].plan, digests)
}

/// A bundle of the books' statements and a proof, signed by the trader, as the tool judges it.
fn verdict(books: &[&Book], proof: &[u8]) -> (i32, String) {
    let (key, hash) = (STAGE.key("trader.key"), ProofHash::of(proof));
    let signed = books.iter().map(|book| SignedStatement {
        statement: book.statement.clone(),
        signatures: vec![SubjectSignature::sign(&key, book.prepared.digest, hash)],
    });
    let bundle = Bundle {
        statements: signed.collect(),
        proof: proof.to_vec(),
    };
    let changes = [("--model", books[0].model), ("--policy", &books[0].policy[..])];
    said(&STAGE.verify(&bundle.to_bytes(), &changes))
}

fn accepted(books: &[&Book], proof: &[u8]) {
    let (code, text) = verdict(books, proof);
    assert_eq!(code, 0, "{text}");
}

fn refused(books: &[&Book], proof: &[u8], because: &str) {
    let (code, text) = verdict(books, proof);
    assert_eq!(code, 1, "{text}");
    assert!(text.contains(because), "{text}");
}

/// What a verifier that leaves something out makes of the same bytes.
fn leniently(books: &[&Book], lenient: &Lenient<'_>, proof: &[u8]) -> Verdict {
    let claims: Vec<Claim<'_>> = books.iter().map(|book| book.prepared.claim()).collect();
    lenient.verify(&GENERATORS, &claims, proof)
}

fn accepted_by(books: &[&Book], lenient: &Lenient<'_>, proof: &[u8]) {
    assert_eq!(
        leniently(books, lenient, proof),
        Verdict::Accepted,
        "the forgery is a good one"
    );
}

/// Other columns are proven in step 4 than were committed to: refused, unless the points stood in the proof twice and nobody compared them.
fn refused_unless_points_are_read_twice(books: &[&Book], mut forger: Forger<'_>, scenes: &[Scene<'_>]) {
    forger.advice = Advice::Linked;
    refused(books, &forger.prove(scenes).unwrap().proof, CIRCUIT);
    forger.advice = Advice::Written;
    let proof = forger.prove(scenes).unwrap().proof;
    let lenient = Lenient {
        points: Points::Unchecked,
        ..Lenient::default()
    };
    accepted_by(books, &lenient, &proof);
    // A point, or a scalar, that is none.
    refused(books, &proof, "of the proof: ");
}

static GENERATORS: LazyLock<Setup> = LazyLock::new(|| Setup::new(context().universe.k()));
static SOUND: LazyLock<Book> = LazyLock::new(|| Book::of(["options", "hedge"]));
static SHORT: LazyLock<Book> = LazyLock::new(|| Book::of(["short", "hedge"]));
/// The hidden variables of the sound book.
static SOUND_W: LazyLock<Vec<u128>> = LazyLock::new(|| witness(SOUND.program(), &SOUND.account.lots));

/// The short book with the hidden variables of the sound one: some equations do not hold.
fn short_scene() -> Scene<'static> {
    SHORT.scene(&SOUND_W)
}

#[test]
fn bundle_of_the_second_prover_is_accepted_and_the_short_book_has_no_witness() {
    let forged = SOUND.forger().prove(&[SOUND.scene(&SOUND_W)]).unwrap();
    let (code, text) = SOUND.verdict(&forged.proof);
    assert_eq!(code, 0, "{text}");
    let refusal = SHORT.program().witness(&SHORT.account.lots).unwrap_err();
    assert!(matches!(refusal, WitnessError::NotMet { .. }), "{refusal}");
    // With nothing forged, the equations that do not hold are what is refused.
    let forged = SHORT.forger().prove(&[short_scene()]).unwrap();
    SHORT.refused(&forged.proof, CIRCUIT);
}

// --- linking

#[test]
fn bundle_is_refused_when_the_proof_is_about_another_attested_book() {
    let mut scene = SOUND.scene(&SOUND_W);
    scene.outside = outside(&GENERATORS, &SHORT.prepared.claim());
    let proof = SHORT.forger().prove(&[scene]).unwrap().proof;
    SHORT.refused(&proof, LINK);
    let lenient = Lenient {
        link: false,
        ..Lenient::default()
    };
    assert_eq!(SHORT.leniently(&lenient, &proof), Verdict::Accepted);
}

#[test]
fn bundle_is_refused_when_the_challenge_of_the_link_was_known() {
    let known = Fp::from(1_234_567);
    let mut scene = SOUND.scene(&SOUND_W);
    scene.outside = outside(&GENERATORS, &SHORT.prepared.claim());
    let mut forger = SHORT.forger();
    forger.link_challenge = Some(known);
    let proof = forger.prove(&[scene]).unwrap().proof;
    SHORT.refused(&proof, LINK);
    let lenient = Lenient {
        link_challenge: Some(known),
        ..Lenient::default()
    };
    assert_eq!(SHORT.leniently(&lenient, &proof), Verdict::Accepted);
}

// --- folding

#[test]
fn bundle_is_refused_when_the_equations_that_fail_are_left_out_of_the_fold() {
    let holds: Vec<bool> = (SHORT.program().equations().iter())
        .map(|equation| {
            let legs =
                (equation.legs.iter()).map(|(leg, a)| i128::from(*a) * i128::from(SHORT.account.lots[leg.index()]));
            let variables = (equation.variables.iter()).map(|(variable, f)| f * SOUND_W[variable.index()] as i128);
            assert!(equation.squares.is_empty());
            legs.chain(variables).sum::<i128>() == equation.constant
        })
        .collect();
    assert!(holds.contains(&false));
    let mut forger = SHORT.forger();
    forger.multipliers = Box::new(|r, count| {
        let mut multipliers = scalar_multipliers(r, count);
        let of_equations = multipliers.iter_mut().zip(&holds);
        of_equations
            .filter(|(_, holds)| !**holds)
            .for_each(|(multiplier, _)| *multiplier = Fp::ZERO);
        multipliers
    });
    let forged = forger.prove(&[short_scene()]).unwrap();
    SHORT.refused(&forged.proof, LINK);
    let lenient = Lenient {
        matrices: Some(&forged.matrices),
        instances: Some(&forged.instances),
        ..Lenient::default()
    };
    assert_eq!(SHORT.leniently(&lenient, &forged.proof), Verdict::Accepted);
}

/// A held leg of the short book with a coefficient: its column and row.
fn held() -> (usize, usize) {
    let layout = SHORT.program().layout();
    let mut legs = SHORT.program().equations().iter().flat_map(|equation| &equation.legs);
    let (leg, _) = legs.find(|(leg, _)| SHORT.account.lots[leg.index()] > 0).unwrap();
    (layout.column_of(*leg), layout.row_of(*leg))
}

#[test]
fn bundle_is_refused_when_a_coefficient_of_the_folded_matrix_is_what_the_book_lacks() {
    let (column, row) = held();
    let lots = Fp::from(SHORT.account.lots[column * SHORT.program().layout().rows() + row]);
    let mut forger = SHORT.forger();
    forger.matrices = Box::new(move |_, known, public| {
        let mut columns = known.columns.clone();
        columns.public.clone_from(public);
        let missing = missing(&SHORT.plan, &columns, &known.folded.instance);
        assert_eq!(missing.len(), 1, "one accumulator");
        public[column][row] += missing[0] * lots.invert().unwrap();
    });
    let forged = forger.prove(&[short_scene()]).unwrap();
    SHORT.refused(&forged.proof, LINK);
    let lenient = Lenient {
        matrices: Some(&forged.matrices),
        ..Lenient::default()
    };
    assert_eq!(SHORT.leniently(&lenient, &forged.proof), Verdict::Accepted);
}

// --- the circuit and the link are about the same columns

/// In step 4 of the short book other columns are proven than were linked.
fn short_book_is_refused_with(deceive: impl Fn(usize, &Challenges, &mut (Columns, Matrix)) + 'static) {
    let mut forger = SHORT.forger();
    forger.proven = Box::new(deceive);
    // Whatever the challenges are, the linked points are not opened.
    SHORT.refused(&forger.prove(&[short_scene()]).unwrap().proof, CIRCUIT);
    refused_unless_points_are_read_twice(&[&SHORT], forger, &[short_scene()]);
}

#[test]
fn bundle_is_refused_when_the_circuit_proves_another_account_than_the_linked_one() {
    let sound = SOUND.scene(&SOUND_W).columns.q;
    short_book_is_refused_with(move |_, _, (columns, _)| columns.q.clone_from(&sound));
}

#[test]
fn bundle_is_refused_when_the_circuit_proves_another_matrix_than_the_linked_one() {
    let (column, row) = held();
    short_book_is_refused_with(move |_, _, (columns, instance)| {
        let missing = missing(&SHORT.plan, columns, instance);
        columns.public[column][row] += missing[0] * columns.q[column][row].invert().unwrap();
    });
}

#[test]
fn bundle_is_refused_when_a_root_is_chosen_after_the_challenges() {
    short_book_is_refused_with(|_, _, (columns, instance)| {
        let plan = &SHORT.plan;
        let missing = missing(plan, columns, instance)[0];
        // A root of the first column of a group, moved by d, adds d·(b - 2·x·s) - d²·s.
        let moved = (0..plan.squares).find_map(|sum| {
            let (column, row) = plan.roots(sum)[0];
            let [b, s] =
                [0, plan.groups].map(|first| columns.public[plan.q_columns + first + column / plan.group][row]);
            let linear = b - (columns.x[column][row] * s).double();
            let root: Option<Fp> = (linear.square() - (missing * s).double().double()).sqrt().into();
            let by = (linear - root?) * s.double().invert().unwrap();
            Some((column, row, by))
        });
        let (column, row, by) = moved.expect("of many numbers one is a square");
        columns.x[column][row] += by;
        assert_eq!(self::missing(plan, columns, instance), [Fp::ZERO]);
    });
}

#[test]
fn bundle_is_refused_when_its_accumulators_end_elsewhere_than_was_linked() {
    short_book_is_refused_with(|_, _, (columns, instance)| {
        let missing = missing(&SHORT.plan, columns, instance);
        assert!(missing.iter().any(|missing| *missing != Fp::ZERO));
        for (column, missing) in columns.public.iter_mut().zip(missing) {
            column[SHORT.plan.last] -= missing;
        }
    });
}

// --- key, shape and parameters come from the verifier alone

#[test]
fn bundle_is_refused_when_it_is_proven_with_another_key() {
    // The same sums, in groups of another size.
    let plan = Plan::with_group(SOUND.program(), SOUND.plan.group * 2);
    let forger = Forger::new(&GENERATORS, &plan, vec![SOUND.prepared.digest.0]);
    let mut scene = SOUND.scene(&SOUND_W);
    scene.columns = Columns::new(&plan, &SOUND.account.columns, &SOUND_W);
    let proof = forger.prove(&[scene]).unwrap().proof;
    SOUND.refused_where_it_is_misread(&proof);
    let lenient = Lenient {
        plan: Some(&plan),
        ..Lenient::default()
    };
    assert_eq!(SOUND.leniently(&lenient, &proof), Verdict::Accepted);
}

#[test]
fn cached_parameters_of_another_hand_change_no_verdict() {
    let sound = STAGE.read("margin.bundle");
    let short = SHORT.forger().prove(&[short_scene()]).unwrap().proof;
    assert_eq!(said(&STAGE.verify(&sound, &[])).0, 0);
    let file = STAGE
        .path("cache")
        .join("zkmargin")
        .join(format!("vesta-k{}.params", context().universe.k()));
    let intact = fs::read(&file).unwrap();
    let mut other_generator = intact.clone();
    // The first generator of the Lagrange basis stands in the second's place: whoever used it could open a point in two ways.
    let first = 4 + 32 * (1 << context().universe.k());
    other_generator.copy_within(first..first + 32, first + 32);
    for changed in [other_generator, intact[..intact.len() - 1].to_vec(), Vec::new()] {
        fs::write(&file, &changed).unwrap();
        assert_eq!(said(&STAGE.verify(&sound, &[])).0, 0);
        assert_eq!(fs::read(&file).unwrap(), intact, "the file is replaced");
        fs::write(&file, &changed).unwrap();
        SHORT.refused(&short, CIRCUIT);
    }
}

// --- Fiat-Shamir and bytes

#[test]
fn proof_of_another_statement_is_refused_field_by_field() {
    type Change = fn(&mut Statement);
    // What the policy would accept as well.
    let changes: [(&str, Change); 4] = [
        ("ratio", |statement| statement.terms.ratio = Ratio20::new(22).unwrap()),
        ("excess", |statement| statement.terms.excess += 1),
        ("window", |statement| {
            statement.window.until = "2026-08-06T12:30:59Z".parse().unwrap()
        }),
        ("replaces", |statement| statement.replaces = Some(Digest([7; 32]))),
    ];
    for (field, change) in changes {
        let mut bundle = STAGE.bundle();
        change(&mut bundle.statements[0].statement);
        let (code, text) = said(&STAGE.verify(&signed_again(bundle), &[]));
        assert!(code == 1 && text.contains(LINK), "{field}: exit code {code}: {text}");
    }
}

#[test]
fn proof_whose_bytes_are_no_elements_is_refused_by_what_is_wrong_with_them() {
    let honest = STAGE.bundle().proof;
    let with = |proof: Vec<u8>| {
        let bundle = Bundle {
            proof,
            ..STAGE.bundle()
        };
        said(&STAGE.verify(&signed_again(bundle), &[]))
    };
    let replaced = |at: usize, bytes: [u8; 32]| {
        let mut proof = honest.clone();
        proof[at..at + 32].copy_from_slice(&bytes);
        proof
    };
    let length = honest.len();
    let last = length - 32;
    // Not every x is one of a point; the order of the field is no scalar.
    let off_curve = (1_u8..).map(|x| std::array::from_fn(|at| if at == 0 { x } else { 0 }));
    let off_curve = off_curve
        .clone()
        .find(|bytes| Point::from_bytes(bytes) == Err(PointError::OffCurve))
        .unwrap();
    let mut order = (-Fp::ONE).to_repr();
    order[0] += 1;
    let cases = [
        (
            replaced(0, [0; 32]),
            "at byte 0 of the proof: the point is the identity".to_owned(),
        ),
        (
            replaced(0, off_curve),
            "at byte 0 of the proof: the point is not on the curve".to_owned(),
        ),
        (
            replaced(0, [0xff; 32]),
            "at byte 0 of the proof: the encoding is not canonical".to_owned(),
        ),
        (
            replaced(last, order),
            format!("at byte {last} of the proof: the scalar is not below the order"),
        ),
        (
            [&honest[..], &[0]].concat(),
            format!("the proof has 1 bytes more than the {length} that were read"),
        ),
        (
            honest[..length - 1].to_vec(),
            format!("the proof ends at byte {last}, inside an element of 32 bytes"),
        ),
        (Vec::new(), "the proof ends at byte 0".to_owned()),
    ];
    for (proof, because) in cases {
        let (code, text) = with(proof);
        assert!(
            code == 1 && text.contains(&because),
            "{because}: exit code {code}: {text}"
        );
    }
}
