//! The circuit of version 3 for one small program, with one check that checks nothing: the first row of the accumulator is compared with itself,
//! not with zero.
//!
//! **Never to be mended.** It shows what the check is for. The running sum of this circuit may start anywhere, so that a prover starts it at
//! what a book lacks, and every book is proven sound: attested accounts, link, projections, every row and the end of the sum
//! are all in order. It is the kind of mistake that let false proofs through in a deployed circuit: a cell that is assigned where it had to be
//! tied to something (the variable-base multiplication of Orchard). Gates and columns look right, and no honest witness ever shows it.
//!
//! It is frozen, so that the forged proof in `golden/insecure-proof.txt` stays what it is, whatever becomes of the protocol: shape, columns,
//! folding and link are written out here once more, for the one program `3·long - 5·short - w = 0`, of which `w` is a sum of four squares, and none
//! of it follows the rest of this crate. A verifier of any version has to refuse that proof.

use ff::{Field, PrimeField};
use group::{Curve, Group};
use halo2_proofs::circuit::{Layouter, SimpleFloorPlanner, Value};
use halo2_proofs::plonk::{
    Advice, Circuit, Column, ConstraintSystem, Error, Selector, SingleVerifier, create_proof, keygen_pk, keygen_vk,
    verify_proof,
};
use halo2_proofs::poly::Rotation;
use halo2_proofs::transcript::{TranscriptRead, TranscriptWrite};
use pasta_curves::{Eq, EqAffine, Fp};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use crate::lenient::Verdict;
use crate::setup::Setup;
use crate::transcript::{Reader, Slot, Writer, squeeze};

/// The last usable row of `2^6`, and the rows after it.
const LAST: usize = 57;
const UNUSABLE: usize = 6;
/// `P`, the masks in the first rows of the one column `x`, and the roots of `w`, in the next.
const PROJECTIONS: usize = 32;
const ROOTS: usize = 4;
/// Bytes of a masked projection.
pub const MASKED_BYTES: usize = 6;
/// Advice columns before `e`, those that the link ties to public ones, and all.
const HIDDEN: usize = 2;
const LINKED: [usize; 4] = [0, 2, 3, 4];
const ADVICE: usize = 6;

/// `q`, `x`, `a`, `b`, `s`, `acc`, a value per usable row.
type Columns = [Vec<Fp>; ADVICE];

#[derive(Clone, Debug)]
struct Config {
    advice: [Column<Advice>; ADVICE],
    first: Selector,
    sum: Selector,
    last: Selector,
}

struct InsecureCircuit(Option<Columns>);

impl Circuit<Fp> for InsecureCircuit {
    type Config = Config;
    type FloorPlanner = SimpleFloorPlanner;

    fn without_witnesses(&self) -> Self {
        Self(None)
    }

    fn configure(meta: &mut ConstraintSystem<Fp>) -> Config {
        let advice: [Column<Advice>; ADVICE] = std::array::from_fn(|_| meta.advice_column());
        let (first, sum, last) = (meta.selector(), meta.selector(), meta.selector());
        let [q, x, a, b, s, acc] = advice;
        meta.create_gate("the accumulator starts", |meta| {
            let on = meta.query_selector(first);
            let start = meta.query_advice(acc, Rotation::cur());
            // The mistake: this had to be `on * start`.
            vec![on * (start.clone() - start)]
        });
        meta.create_gate("the accumulator adds the row", |meta| {
            let on = meta.query_selector(sum);
            let mut added = meta.query_advice(acc, Rotation::next());
            let mut here = |column: Column<Advice>| meta.query_advice(column, Rotation::cur());
            let x = here(x);
            added = added - here(acc) - here(q) * here(a) + x.clone() * x.clone() * here(s) - x * here(b);
            vec![on * added]
        });
        meta.create_gate("the accumulator ends at gamma", |meta| {
            let on = meta.query_selector(last);
            let end = meta.query_advice(acc, Rotation::cur()) - meta.query_advice(a, Rotation::cur());
            vec![on * end]
        });
        Config {
            advice,
            first,
            sum,
            last,
        }
    }

    fn synthesize(&self, config: Config, mut layouter: impl Layouter<Fp>) -> Result<(), Error> {
        layouter.assign_region(
            || "",
            |mut region| {
                config.first.enable(&mut region, 0)?;
                (0..LAST).try_for_each(|row| config.sum.enable(&mut region, row))?;
                config.last.enable(&mut region, LAST)?;
                for (column, values) in config.advice.iter().zip(self.0.iter().flatten()) {
                    for (row, value) in values.iter().enumerate() {
                        region.assign_advice(|| "", *column, row, || Value::known(*value))?;
                    }
                }
                Ok(())
            },
        )
    }
}

fn hash(length: usize, personal: &[u8; 16], challenge: &Fp, index: u64) -> blake2b_simd::Hash {
    let mut state = blake2b_simd::Params::new()
        .hash_length(length)
        .personal(personal)
        .to_state();
    state
        .update(&challenge.to_repr())
        .update(&index.to_le_bytes())
        .finalize()
}

/// What the program and the masked projections fold to: `a`, in whose last row the sum ends, `b` and `s`.
fn fold(e: &Fp, masked: &[Fp], r: &Fp) -> [Vec<Fp>; 3] {
    let multiplier = |j: u64| {
        let hash = hash(16, b"zkmargin-fold-v1", r, j);
        Fp::from_u128(u128::from_le_bytes(hash.as_bytes().try_into().expect("16 bytes")))
    };
    let equation = multiplier(0);
    let projections: Vec<Fp> = (1..=PROJECTIONS as u64).map(multiplier).collect();
    let [mut a, mut b, mut s] = [(); 3].map(|()| vec![Fp::ZERO; LAST + 1]);
    a[0] = equation * Fp::from(3);
    a[1] = -equation * Fp::from(5);
    let words = hash(64, b"zkmargin-proj-v1", e, 0);
    for row in 0..ROOTS {
        let digit = |p: usize| u64::from(words.as_bytes()[16 * row + p / 2] >> (4 * (p % 2)) & 15);
        b[PROJECTIONS + row] = projections
            .iter()
            .enumerate()
            .map(|(p, r)| *r * Fp::from(digit(p)))
            .sum();
        s[PROJECTIONS + row] = equation;
    }
    b[..PROJECTIONS].copy_from_slice(&projections);
    a[LAST] = masked.iter().zip(&projections).map(|(u, r)| *u * r).sum();
    [a, b, s]
}

/// `η^0, η^1, …`, one for each linked column.
fn weights(eta: Fp) -> impl Iterator<Item = Fp> {
    std::iter::successors(Some(Fp::ONE), move |power| Some(*power * eta))
}

/// A proof of an account of which nothing has to be true. `lots`: long and short, attested with this blind.
pub fn forge(setup: &Setup, statement: [u8; 32], lots: [u64; 2], blind: Fp) -> Vec<u8> {
    let generator = || ChaCha20Rng::from_seed([3; 32]);
    let mut draws = generator();
    let rows: Vec<Vec<Fp>> = (0..ADVICE)
        .map(|_| (0..UNUSABLE).map(|_| Fp::random(&mut draws)).collect())
        .collect();
    let blinds: Vec<Fp> = (0..ADVICE).map(|_| Fp::random(&mut draws)).collect();
    let commit = |column: usize, usable: &[Fp]| -> EqAffine {
        let rows: Vec<Fp> = usable.iter().chain(&rows[column]).copied().collect();
        setup.commit(&rows, blinds[column]).to_affine()
    };

    // Nothing but the account and masks: `w` is zero, which is not what the equation says, and so are all roots and projections.
    let mut columns: Columns = std::array::from_fn(|_| vec![Fp::ZERO; LAST + 1]);
    columns[0][..2].copy_from_slice(&lots.map(Fp::from));
    let masks = [Fp::from(2).pow([8 * MASKED_BYTES as u64 - 1]); PROJECTIONS];
    columns[1][..PROJECTIONS].copy_from_slice(&masks);
    let mut writer = Writer::new(&[statement]);
    let mut points = Vec::new();
    let mut write = |writer: &mut Writer, columns: &Columns, which: std::ops::Range<usize>| {
        for column in which {
            let point = commit(column, &columns[column]);
            writer.write_point(point).expect("not the identity");
            points.push(point);
        }
    };
    write(&mut writer, &columns, 0..HIDDEN);
    let e = squeeze(&mut writer);
    for mask in masks {
        writer.write_number(mask, MASKED_BYTES);
    }
    let r = squeeze(&mut writer);
    let public = fold(&e, &masks, &r);
    columns[HIDDEN..ADVICE - 1].clone_from_slice(&public);
    write(&mut writer, &columns, HIDDEN..ADVICE - 1);
    let eta = squeeze(&mut writer);

    let mut representation = [Fp::ZERO; UNUSABLE + 1];
    for (column, weight) in LINKED.into_iter().zip(weights(eta)) {
        let outside = if column == 0 { blind } else { Fp::ZERO };
        let own = rows[column].iter().copied().chain([blinds[column] - outside]);
        representation
            .iter_mut()
            .zip(own)
            .for_each(|(sum, own)| *sum += weight * own);
    }
    let mut nonces = ChaCha20Rng::from_seed([4; 32]);
    let nonces: [Fp; UNUSABLE + 1] = std::array::from_fn(|_| Fp::random(&mut nonces));
    let nonce = setup.commit_from(LAST + 1, &nonces[..UNUSABLE], nonces[UNUSABLE]);
    writer.write_point(nonce.to_affine()).expect("not the identity");
    let c = squeeze(&mut writer);
    for (nonce, value) in nonces.iter().zip(&representation) {
        writer.write_scalar(*nonce + c * value).expect("writing to memory");
    }

    // The forgery: the sum starts at what it lacks.
    let (q, a) = (&columns[0], &public[0]);
    let mut sum = -(q[0] * a[0] + q[1] * a[1]);
    let mut acc = vec![sum];
    for row in 0..LAST {
        sum += q[row] * a[row] + columns[1][row] * public[1][row];
        acc.push(sum);
    }
    columns[ADVICE - 1] = acc;
    writer.slots.extend(points.iter().map(|_| Slot::Silent));
    let key = keygen_vk(&setup.params, &InsecureCircuit(None)).expect("a key");
    let key = keygen_pk(&setup.params, key, &InsecureCircuit(None)).expect("a key");
    let circuits = [InsecureCircuit(Some(columns))];
    create_proof(&setup.params, &key, &circuits, &[&[]], generator(), &mut writer).expect("a proof");
    writer.bytes
}

/// The insecure circuit's verifier: it leaves out nothing but what its circuit does. `account` is the attested point.
pub fn verify(setup: &Setup, statement: [u8; 32], account: Eq, proof: &[u8]) -> Verdict {
    read_and_check(setup, statement, account, proof)
        .err()
        .unwrap_or(Verdict::Accepted)
}

fn read_and_check(setup: &Setup, statement: [u8; 32], account: Eq, proof: &[u8]) -> Result<(), Verdict> {
    let mut reader = Reader::new(&[statement], proof);
    let read = |reader: &mut Reader<'_>, count: usize| -> Result<Vec<EqAffine>, Verdict> {
        let points = (0..count).map(|_| reader.read_point());
        points.collect::<Result<_, _>>().map_err(|_| Verdict::Malformed)
    };
    let mut points = read(&mut reader, HIDDEN)?;
    let e = squeeze(&mut reader);
    let masked = (0..PROJECTIONS).map(|_| reader.read_number(MASKED_BYTES));
    let masked: Vec<Fp> = masked.collect::<Result<_, _>>().map_err(|_| Verdict::Malformed)?;
    let r = squeeze(&mut reader);
    let public = fold(&e, &masked, &r);
    points.extend(read(&mut reader, public.len())?);
    let eta = squeeze(&mut reader);
    let outsides = [account]
        .into_iter()
        .chain(public.iter().map(|column| setup.commit(column, Fp::ZERO)));
    let differences = LINKED.into_iter().zip(outsides).zip(weights(eta));
    let difference: Eq = differences
        .map(|((column, outside), weight)| (Eq::from(points[column]) - outside) * weight)
        .sum();
    let nonce = read(&mut reader, 1)?[0];
    let c = squeeze(&mut reader);
    let responses = (0..=UNUSABLE).map(|_| reader.read_scalar());
    let responses: Vec<Fp> = responses.collect::<Result<_, _>>().map_err(|_| Verdict::Malformed)?;
    let answer = setup.commit_from(LAST + 1, &responses[..UNUSABLE], responses[UNUSABLE]);
    if !bool::from((answer - Eq::from(nonce) - difference * c).is_identity()) {
        return Err(Verdict::Link);
    }
    reader.slots.extend(points.into_iter().map(Slot::Instead));
    let key = keygen_vk(&setup.params, &InsecureCircuit(None)).expect("a key");
    let strategy = SingleVerifier::new(&setup.params);
    let outcome = verify_proof(&setup.params, &key, strategy, &[&[]], &mut reader);
    match outcome {
        _ if reader.malformed || (outcome.is_ok() && !reader.bytes.is_empty()) => Err(Verdict::Malformed),
        Ok(()) => Ok(()),
        Err(_) => Err(Verdict::Circuit),
    }
}
