//! `halo2_proofs` with the whole matrix in the circuit: a running inner product per two scenarios.
//!
//! It commits and links like zkmargin (`docs/protocol.md`, sections 3 and 6), so that folding is what it lacks. Columns: `q` (the account), `acc` (a
//! running sum for two scenarios, packed `2^120` apart), `z` (margins as running sums of limbs); instance columns `A` (the packed coefficients).
//!
//! ```text
//! acc_{p,0} = 0
//! acc_{p,i+1} = acc_{p,i} + Σ_c q_{c,i}·A_{p,c,i}
//! acc_{p,h} = z_{d,h} + 2^120·z_{d,h+limbs}                 h the head row of pair p in column d
//! z_{d,i} - m_i·z_{d,i+1} ∈ [0, 2^K)                        a lookup per z column
//! ```
//!
//! Attested sums are below `2^103` in magnitude and margins below `2^84`, so that the packed equation is two equations of integers.

use std::cell::Cell;

use anyhow::{Context, Result, ensure};
use ff::{Field, PrimeField};
use group::{Curve, Group, GroupEncoding};
use halo2_proofs::circuit::{Layouter, SimpleFloorPlanner, Value};
use halo2_proofs::plonk::{
    Advice, Circuit, Column, ConstraintSystem, Constraints, Error, Expression, Fixed, Instance, Selector, TableColumn,
};
use halo2_proofs::poly::commitment::Blind;
use halo2_proofs::poly::{EvaluationDomain, Rotation};
use pasta_curves::{Eq, EqAffine, Fp};
use rand_chacha::ChaCha20Rng;

use crate::halo2::{ELEMENT_BYTES, Keys, generator, power_of_two, running, signed};
use crate::statement::{Book, MONEY_BITS, Matrix};
use crate::system::{System, TrustedSetup};

/// Two scenarios in one field element are two to this power apart.
const PACK_SHIFT: u64 = 120;
/// Rows that are kept free for the blinding rows and the last usable one.
const RESERVED: usize = 12;
/// The `k` that are tried.
const K: std::ops::RangeInclusive<u32> = 6..=14;

/// What the columns are, from the size of a matrix.
#[derive(Clone, Copy, Debug)]
struct Shape {
    k: u32,
    scenarios: usize,
    /// Columns of the account, and the rows that it takes in each.
    q: usize,
    rows: usize,
    z: usize,
    limb_bits: u32,
    limbs: usize,
}

thread_local! {
    /// `Circuit::configure` takes no argument.
    static SHAPE: Cell<Option<Shape>> = const { Cell::new(None) };
}

impl Shape {
    /// The cheapest shape: by field elements that are transformed and committed to, a lookup counting as three more columns.
    fn new(matrix: &Matrix) -> Result<Self> {
        let cost = |shape: &Self| (shape.q + shape.pairs() * (1 + shape.q) + 4 * shape.z) << shape.k;
        let shapes = K.filter_map(|k| Self::at(matrix, k));
        shapes.min_by_key(cost).context("the matrix is too large")
    }

    fn at(matrix: &Matrix, k: u32) -> Option<Self> {
        let usable = (1usize << k) - RESERVED;
        let limb_bits = k - 1;
        let limbs = MONEY_BITS.div_ceil(limb_bits) as usize;
        let (amounts, pairs) = (matrix.legs() + 1, matrix.scenarios().len().div_ceil(2));
        // The fewest account columns that leave room for heads below them, then the fewest z columns.
        let q = amounts.div_ceil(usable.checked_sub(2 * limbs).filter(|rows| *rows > 0)?);
        let rows = amounts.div_ceil(q);
        let z = pairs.div_ceil((usable - rows) / (2 * limbs));
        Some(Self {
            k,
            scenarios: matrix.scenarios().len(),
            q,
            rows,
            z,
            limb_bits,
            limbs,
        })
    }

    fn pairs(&self) -> usize {
        self.scenarios.div_ceil(2)
    }

    /// The head rows: that of block `b` is of the pairs `b·z` to `(b+1)·z - 1`, one per z column.
    fn heads(&self) -> impl Iterator<Item = usize> + use<> {
        let (rows, limbs) = (self.rows, self.limbs);
        (0..self.pairs().div_ceil(self.z)).map(move |block| rows + 2 * limbs * block)
    }

    fn with<T>(self, run: impl FnOnce() -> T) -> T {
        let before = SHAPE.replace(Some(self));
        let result = run();
        SHAPE.set(before);
        result
    }

    /// Rows that a circuit may not assign.
    fn unusable(self) -> usize {
        let mut meta = ConstraintSystem::<Fp>::default();
        self.with(|| Sums::configure(&mut meta));
        meta.blinding_factors() + 1
    }

    /// The packed coefficients, pair by pair and column by column.
    fn instance(&self, matrix: &Matrix) -> Vec<Vec<Fp>> {
        let shift = power_of_two(PACK_SHIFT);
        let coefficients = |scenario: &[i64]| -> Vec<Fp> {
            scenario
                .iter()
                .chain([&1])
                .map(|coefficient| signed(i128::from(*coefficient)))
                .collect()
        };
        let mut columns = Vec::with_capacity(self.pairs() * self.q);
        for pair in matrix.scenarios().chunks(2) {
            let mut packed = coefficients(&pair[0]);
            if let Some(second) = pair.get(1) {
                let second = coefficients(second);
                packed
                    .iter_mut()
                    .zip(second)
                    .for_each(|(packed, second)| *packed += shift * second);
            }
            columns.extend((0..self.q).map(|column| {
                packed
                    .iter()
                    .skip(column * self.rows)
                    .take(self.rows)
                    .copied()
                    .collect::<Vec<_>>()
            }));
        }
        columns
    }
}

#[derive(Clone)]
struct Config {
    q: Vec<Column<Advice>>,
    acc: Vec<Column<Advice>>,
    z: Vec<Column<Advice>>,
    first: Selector,
    sum: Selector,
    /// One per block of heads.
    heads: Vec<Column<Fixed>>,
    m: Column<Fixed>,
    table: TableColumn,
}

/// The circuit. Without a witness it is what keys are made of.
#[derive(Clone)]
struct Sums {
    shape: Shape,
    witness: Option<Witness>,
}

#[derive(Clone)]
struct Witness {
    q: Vec<Vec<Fp>>,
    acc: Vec<Vec<Fp>>,
    z: Vec<Vec<Fp>>,
}

impl Witness {
    fn new(shape: &Shape, instance: &[Vec<Fp>], q: Vec<Vec<Fp>>, margins: &[i128]) -> Self {
        let end = shape.heads().last().unwrap_or(shape.rows);
        let acc = instance.chunks(shape.q).map(|a| {
            let mut acc = vec![Fp::ZERO];
            for row in 0..end {
                let products = a.iter().zip(&q).filter_map(|(a, q)| Some(*a.get(row)? * q.get(row)?));
                acc.push(acc[row] + products.sum::<Fp>());
            }
            acc
        });
        let mut z = vec![vec![Fp::ZERO; shape.rows]; shape.z];
        for (index, pair) in margins.chunks(2).enumerate() {
            for number in [pair[0], pair.get(1).copied().unwrap_or(0)] {
                z[index % shape.z].extend(running(number, shape.limb_bits, shape.limbs));
            }
        }
        Self {
            acc: acc.collect(),
            q,
            z,
        }
    }
}

impl Circuit<Fp> for Sums {
    type Config = Config;
    type FloorPlanner = SimpleFloorPlanner;

    fn without_witnesses(&self) -> Self {
        Self {
            shape: self.shape,
            witness: None,
        }
    }

    fn configure(meta: &mut ConstraintSystem<Fp>) -> Config {
        let shape = SHAPE.get().expect("the circuit is configured inside Shape::with");
        let advice =
            |meta: &mut ConstraintSystem<Fp>, count| (0..count).map(|_| meta.advice_column()).collect::<Vec<_>>();
        // The account's columns come first: their points are the first of a proof.
        let (q, acc, z) = (
            advice(meta, shape.q),
            advice(meta, shape.pairs()),
            advice(meta, shape.z),
        );
        let a: Vec<Column<Instance>> = (0..shape.pairs() * shape.q).map(|_| meta.instance_column()).collect();
        let (first, sum) = (meta.selector(), meta.selector());
        let heads: Vec<Column<Fixed>> = shape.heads().map(|_| meta.fixed_column()).collect();
        let (m, table) = (meta.fixed_column(), meta.lookup_table_column());

        meta.create_gate("sums start at zero", |meta| {
            let first = meta.query_selector(first);
            let acc: Vec<_> = acc.iter().map(|acc| meta.query_advice(*acc, Rotation::cur())).collect();
            Constraints::with_selector(first, acc)
        });
        meta.create_gate("sums add the row", |meta| {
            let sum = meta.query_selector(sum);
            let q: Vec<_> = q.iter().map(|q| meta.query_advice(*q, Rotation::cur())).collect();
            let rows: Vec<Expression<Fp>> = (acc.iter().zip(a.chunks(shape.q)))
                .map(|(acc, a)| {
                    let [cur, next] = [Rotation::cur(), Rotation::next()].map(|at| meta.query_advice(*acc, at));
                    a.iter().zip(&q).fold(cur, |sum, (a, q)| {
                        sum + meta.query_instance(*a, Rotation::cur()) * q.clone()
                    }) - next
                })
                .collect();
            Constraints::with_selector(sum, rows)
        });
        meta.create_gate("sums are the margins", |meta| {
            let heads: Vec<_> = heads.iter().map(|head| meta.query_fixed(*head)).collect();
            let acc: Vec<_> = acc.iter().map(|acc| meta.query_advice(*acc, Rotation::cur())).collect();
            (z.iter().enumerate())
                .map(|(column, z)| {
                    let low = meta.query_advice(*z, Rotation::cur());
                    let high = meta.query_advice(*z, Rotation(shape.limbs as i32));
                    let margins = low + high * power_of_two(PACK_SHIFT);
                    let of_column = acc.iter().skip(column).step_by(shape.z).zip(&heads);
                    of_column.fold(Expression::Constant(Fp::ZERO), |sum, (acc, head)| {
                        sum + head.clone() * (acc.clone() - margins.clone())
                    })
                })
                .collect::<Vec<_>>()
        });
        for z in &z {
            meta.lookup(|meta| {
                let m = meta.query_fixed(m);
                let [cur, next] = [Rotation::cur(), Rotation::next()].map(|at| meta.query_advice(*z, at));
                vec![(cur - m * next, table)]
            });
        }
        Config {
            q,
            acc,
            z,
            first,
            sum,
            heads,
            m,
            table,
        }
    }

    fn synthesize(&self, config: Config, mut layouter: impl Layouter<Fp>) -> Result<(), Error> {
        let shape = &self.shape;
        layouter.assign_table(
            || "limbs",
            |mut table| {
                (0..1usize << shape.limb_bits).try_for_each(|limb| {
                    table.assign_cell(|| "limb", config.table, limb, || Value::known(Fp::from(limb as u64)))
                })
            },
        )?;
        layouter.assign_region(
            || "sums",
            |mut region| {
                config.first.enable(&mut region, 0)?;
                for row in 0..shape.heads().last().unwrap_or(shape.rows) {
                    config.sum.enable(&mut region, row)?;
                }
                for (head, row) in config.heads.iter().zip(shape.heads()) {
                    region.assign_fixed(|| "head", *head, row, || Value::known(Fp::ONE))?;
                    for run in [row, row + shape.limbs] {
                        for cell in run..run + shape.limbs - 1 {
                            let m = Value::known(Fp::from(1 << shape.limb_bits));
                            region.assign_fixed(|| "m", config.m, cell, || m)?;
                        }
                    }
                }
                let Some(witness) = &self.witness else { return Ok(()) };
                let columns = config.q.iter().zip(&witness.q);
                for (column, values) in columns
                    .chain(config.acc.iter().zip(&witness.acc))
                    .chain(config.z.iter().zip(&witness.z))
                {
                    for (row, value) in values.iter().enumerate() {
                        region.assign_advice(|| "cell", *column, row, || Value::known(*value))?;
                    }
                }
                Ok(())
            },
        )
    }
}

/// Keys for matrices of one size.
#[allow(missing_debug_implementations)]
pub struct Halo2Unfolded {
    shape: Shape,
    unusable: usize,
    keys: Keys,
    domain: EvaluationDomain<Fp>,
}

/// Domain of the link's challenges.
const LINK: &[u8] = b"zkmargin-baselines link";

impl Halo2Unfolded {
    /// A commitment to a column that holds the values in its last rows.
    fn commit_tail(&self, values: &[Fp], blind: Fp) -> Eq {
        let mut column = vec![Fp::ZERO; (1 << self.shape.k) - values.len()];
        column.extend(values);
        self.keys
            .params
            .commit_lagrange(&self.domain.lagrange_from_vec(column), Blind(blind))
    }

    fn columns(&self, book: &Book) -> Vec<Vec<Fp>> {
        let amounts: Vec<Fp> = book
            .lots
            .iter()
            .chain([&book.collateral])
            .copied()
            .map(Fp::from)
            .collect();
        amounts.chunks(self.shape.rows).map(<[Fp]>::to_vec).collect()
    }

    /// The weights of the columns in the link.
    fn weights(&self, said: &[&[u8]]) -> Vec<Fp> {
        let eta = crate::halo2::bound(&[&[LINK], said].concat().concat());
        let powers = std::iter::successors(Some(Fp::ONE), |power| Some(*power * eta));
        powers.take(self.shape.q).collect()
    }

    fn unlinked_bytes(&self) -> usize {
        ELEMENT_BYTES * (1 + self.unusable + 1)
    }
}

fn point(bytes: &[u8]) -> Result<EqAffine> {
    let bytes: [u8; ELEMENT_BYTES] = bytes.try_into().context("a point is cut short")?;
    Option::from(EqAffine::from_bytes(&bytes)).context("not a point")
}

fn number(bytes: &[u8]) -> Result<Fp> {
    let bytes: [u8; ELEMENT_BYTES] = bytes.try_into().context("a scalar is cut short")?;
    Option::from(Fp::from_repr(bytes)).context("not a scalar")
}

impl System for Halo2Unfolded {
    const NAME: &'static str = "halo2-unfolded";
    const TRUSTED_SETUP: TrustedSetup = TrustedSetup::None;
    const MATRIX_FREE: bool = true;
    /// A blind per column.
    type Opening = Vec<Fp>;

    fn setup(matrix: &Matrix) -> Result<Self> {
        let shape = Shape::new(matrix)?;
        let unusable = shape.unusable();
        ensure!(
            unusable < RESERVED,
            "the circuit has more blinding rows than were kept free"
        );
        let keys = shape.with(|| Keys::new(shape.k, &Sums { shape, witness: None }))?;
        Ok(Self {
            domain: EvaluationDomain::new(2, shape.k),
            shape,
            unusable,
            keys,
        })
    }

    fn key_bytes(&self) -> usize {
        0
    }

    fn attest(&self, book: &Book) -> Result<(Vec<u8>, Vec<Fp>)> {
        let mut rng = generator()?;
        let (mut attestation, mut blinds) = (Vec::new(), Vec::new());
        for mut column in self.columns(book) {
            column.resize(1 << self.shape.k, Fp::ZERO);
            let blind = Fp::random(&mut rng);
            attestation.extend(self.commit_tail(&column, blind).to_affine().to_bytes());
            blinds.push(blind);
        }
        Ok((attestation, blinds))
    }

    fn prove(
        &self,
        matrix: &Matrix,
        attestation: &[u8],
        book: &Book,
        blinds: &Vec<Fp>,
        margins: &[i128],
    ) -> Result<Vec<u8>> {
        let shape = self.shape;
        let instance = shape.instance(matrix);
        let witness = Witness::new(&shape, &instance, self.columns(book), margins);
        let circuit = Sums {
            shape,
            witness: Some(witness),
        };
        // The library draws the unusable rows of every advice column, then a blind for each: a second generator of the same seed replays that.
        let rng = generator()?;
        let mut replay: ChaCha20Rng = rng.clone();
        let mut proof = shape.with(|| self.keys.prove(circuit, &instance, attestation, rng))?;
        let advice = shape.q + shape.pairs() + shape.z;
        let rows: Vec<Vec<Fp>> = (0..advice)
            .map(|_| (0..self.unusable).map(|_| Fp::random(&mut replay)).collect())
            .collect();
        let inner: Vec<Fp> = (0..advice).map(|_| Fp::random(&mut replay)).collect();

        let points = ELEMENT_BYTES * shape.q;
        let weights = self.weights(&[attestation, &proof[..points]]);
        let mut nonces = generator()?;
        let nonce: Vec<Fp> = (0..=self.unusable).map(|_| Fp::random(&mut nonces)).collect();
        let (nonce_blind, nonce_rows) = nonce.split_last().context("there is no nonce")?;
        let announced = self.commit_tail(nonce_rows, *nonce_blind).to_affine().to_bytes();
        let c = crate::halo2::bound(&[LINK, attestation, &proof[..points], &announced].concat());
        let mut responses = nonce;
        for (column, weight) in weights.into_iter().enumerate() {
            let difference = rows[column].iter().copied().chain([inner[column] - blinds[column]]);
            responses
                .iter_mut()
                .zip(difference)
                .for_each(|(response, value)| *response += c * weight * value);
        }
        proof.extend(announced);
        proof.extend(responses.iter().flat_map(PrimeField::to_repr));
        Ok(proof)
    }

    fn verify(&self, matrix: &Matrix, attestation: &[u8], proof: &[u8]) -> Result<()> {
        let points = ELEMENT_BYTES * self.shape.q;
        ensure!(attestation.len() == points, "the attestation is of other columns");
        let library = proof
            .len()
            .checked_sub(self.unlinked_bytes())
            .context("the proof is too short")?;
        let (library, link) = proof.split_at(library);
        self.keys.verify(&self.shape.instance(matrix), attestation, library)?;

        let linked = library.get(..points).context("the proof is too short")?;
        let (announced, responses) = link.split_at(ELEMENT_BYTES);
        let responses: Vec<Fp> = responses.chunks(ELEMENT_BYTES).map(number).collect::<Result<_>>()?;
        let (blind, rows) = responses.split_last().context("there is no response")?;
        let c = crate::halo2::bound(&[LINK, attestation, linked, announced].concat());
        let mut sum = self.commit_tail(rows, *blind) - point(announced)?;
        let weights = self.weights(&[attestation, linked]);
        let columns = linked.chunks(ELEMENT_BYTES).zip(attestation.chunks(ELEMENT_BYTES));
        for (weight, (inside, outside)) in weights.into_iter().zip(columns) {
            sum -= (Eq::from(point(inside)?) - point(outside)?) * (c * weight);
        }
        ensure!(
            bool::from(sum.is_identity()),
            "the circuit's account is not the attested one"
        );
        Ok(())
    }
}
