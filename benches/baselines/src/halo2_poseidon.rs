//! `halo2_proofs` with `halo2_gadgets`: the account is committed to by a Poseidon hash in the circuit, and the matrix is folded outside of it.
//!
//! The prover commits to the margins by a second hash; the multipliers are hashed from both. Numbers are packed before they are hashed, five amounts or
//! three margins to an element, and limbs show that they are the numbers that were packed. Everything is spread over as many lanes as are cheapest, each with columns
//! `z` (numbers as running sums of limbs), `pack` and those of a Poseidon chip; one column `acc` is for all; instance columns `f` (folded coefficients, a lane each)
//! and the two hashes. Lanes but the first are hashed by themselves, and the first with their hashes before its own elements.
//!
//! ```text
//! z_{l,i} - m_i·z_{l,i+1} ∈ [0, 2^K)                        a lookup per lane
//! pack_{l,i} = keep_{l,i}·pack_{l,i-1} + weight_{l,i}·z_{l,i}
//! acc_0 = 0 ,   acc_{i+1} = acc_i + Σ_l z_{l,i}·f_{l,i} ,   acc_last = 0
//! ```

use std::cell::Cell;

use anyhow::{Context, Result};
use ff::{Field, PrimeField};
use halo2_gadgets::poseidon::primitives::{ConstantLength, Hash as Native, P128Pow5T3};
use halo2_gadgets::poseidon::{Hash, Pow5Chip, Pow5Config};
use halo2_proofs::circuit::{AssignedCell, Layouter, Region, SimpleFloorPlanner, Value};
use halo2_proofs::plonk::{
    Advice, Circuit, Column, ConstraintSystem, Constraints, Error, Fixed, Instance, Selector, TableColumn,
};
use halo2_proofs::poly::Rotation;
use pasta_curves::Fp;

use crate::fold::Multipliers;
use crate::halo2::{ELEMENT_BYTES, Keys, element, generator, power_of_two, running};
use crate::statement::{Book, LOT_BITS, MONEY_BITS, Matrix};
use crate::system::{System, TrustedSetup};

const LABEL: &str = "zkmargin-baselines halo2";
/// Rows that are kept free for the blinding rows and the last usable one.
const RESERVED: usize = 12;
/// The `k` that are tried, and the numbers of lanes: more lanes take a smaller `k`.
const K: std::ops::Range<u32> = 8..20;
const LANES: [usize; 4] = [1, 2, 4, 8];
/// Most words of one call of the hash, an even number; the hash of the call before is the first of them.
const HASHED: usize = 32;
/// Rows of a Poseidon chip per permutation with its input, which is two words, and per call for its state before any.
const ROWS_PER_PERMUTATION: usize = 40;
const ROWS_PER_CALL: usize = 1;
/// Bits that an element holds.
const CAPACITY: u32 = Fp::CAPACITY;

/// What stands at the head of a chain of hashes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Chain {
    Account = 1,
    Margins = 2,
}

const CHAINS: [Chain; 2] = [Chain::Account, Chain::Margins];

/// Numbers that are packed to one element of a chain.
#[derive(Clone)]
struct Packed {
    chain: Chain,
    /// Of all numbers: the collateral, the lots, the margins.
    numbers: std::ops::Range<usize>,
    limbs: usize,
}

thread_local! {
    /// Lanes of the circuit at hand: `Circuit::configure` takes no argument.
    static CONFIGURED: Cell<usize> = const { Cell::new(0) };
}

/// Chains calls of the hash, each with the hash of the call before; the first word, which is a constant, fills up what is odd.
fn chain<T: Clone>(words: &[T], mut call: impl FnMut(Vec<T>) -> Result<T, Error>) -> Result<T, Error> {
    let mut filled = |mut call_words: Vec<T>| {
        if call_words.len() % 2 == 1 {
            call_words.push(words[0].clone());
        }
        call(call_words)
    };
    let (first, rest) = words.split_at(words.len().min(HASHED));
    rest.chunks(HASHED - 1)
        .try_fold(filled(first.to_vec())?, |before, words| {
            filled([&[before], words].concat())
        })
}

/// The number of words is a type to the library.
macro_rules! by_length {
    ($words:expr, $hash:ident, $($length:literal)*) => {
        match $words.len() {
            $($length => $hash!($length),)*
            _ => Err(Error::Synthesis),
        }
    };
    ($words:expr, $hash:ident) => {
        by_length!($words, $hash, 2 4 6 8 10 12 14 16 18 20 22 24 26 28 30 32)
    };
}

/// Where every number stands, from the size of a matrix.
#[derive(Clone)]
struct Shape {
    k: u32,
    lanes: Vec<Vec<Packed>>,
    /// Rows that the longest lane takes.
    rows: usize,
}

impl Shape {
    /// The cheapest shape, by field elements that are transformed and committed to: per lane six of its own, three of the lookup and one or two of
    /// the permutation of cells; beside them the sum, the parts of the quotient and what is random.
    fn new(matrix: &Matrix) -> Result<Self> {
        let cost = |shape: &Self| (7 + 10 * shape.lanes.len() + shape.lanes.len().div_ceil(2)) << shape.k;
        let shapes = LANES
            .iter()
            .filter_map(|lanes| K.clone().find_map(|k| Self::at(matrix, k, *lanes)));
        shapes.min_by_key(cost).context("the matrix is too large")
    }

    /// The shape with so many lanes, if there is room for it.
    fn at(matrix: &Matrix, k: u32, lanes: usize) -> Option<Self> {
        let (amounts, margins) = (matrix.legs() + 1, matrix.scenarios().len());
        let mut shape = Self {
            k,
            lanes: vec![Vec::new(); lanes],
            rows: 0,
        };
        let mut count = 0;
        for (chain, bits, numbers) in [
            (Chain::Account, LOT_BITS, 0..amounts),
            (Chain::Margins, MONEY_BITS, amounts..amounts + margins),
        ] {
            let limbs = bits.div_ceil(shape.limb_bits()) as usize;
            let per_element = (CAPACITY / shape.width(limbs)) as usize;
            for start in numbers.clone().step_by(per_element) {
                let numbers = start..numbers.end.min(start + per_element);
                shape.lanes[count % lanes].push(Packed { chain, numbers, limbs });
                count += 1;
            }
        }
        let rows = |lane: &Vec<Packed>| lane.iter().map(|packed| packed.limbs * packed.numbers.len()).sum();
        shape.rows = shape.lanes.iter().map(rows).max().unwrap_or(0);
        let hashing = (0..lanes).map(|lane| shape.hashing_rows(lane)).max().unwrap_or(0);
        (shape.rows.max(hashing) + RESERVED <= 1 << k).then_some(shape)
    }

    /// Rows of a lane's Poseidon chip.
    fn hashing_rows(&self, lane: usize) -> usize {
        let mut rows = 0;
        for of in CHAINS {
            // Of the first lane tag and blind, which it also has rows for, and the hashes of the others; of each other the tag.
            let (beside, own) = if lane == 0 { (1 + self.lanes.len(), 2) } else { (1, 0) };
            let words = vec![(); beside + self.of_chain(lane, of).count()];
            let _ = chain(&words, |words| {
                rows += ROWS_PER_CALL + ROWS_PER_PERMUTATION * (words.len() / 2);
                Ok(())
            });
            rows += own;
        }
        rows
    }

    /// Runs what configures the circuit.
    fn with<T>(&self, run: impl FnOnce() -> T) -> T {
        let before = CONFIGURED.replace(self.lanes.len());
        let result = run();
        CONFIGURED.set(before);
        result
    }

    fn limb_bits(&self) -> u32 {
        self.k - 1
    }

    /// Bits that limbs hold.
    fn width(&self, limbs: usize) -> u32 {
        self.limb_bits() * limbs as u32
    }

    fn of_chain(&self, lane: usize, chain: Chain) -> impl Iterator<Item = &Packed> {
        self.lanes[lane].iter().filter(move |packed| packed.chain == chain)
    }

    /// The numbers of a lane with their first rows.
    fn heads(&self, lane: usize) -> impl Iterator<Item = (usize, usize, &Packed)> {
        let numbers = self.lanes[lane]
            .iter()
            .flat_map(|packed| packed.numbers.clone().map(move |number| (number, packed)));
        numbers.scan(0, |row, (number, packed)| {
            let head = *row;
            *row += packed.limbs;
            Some((number, head, packed))
        })
    }

    /// What `number` is multiplied by in its element.
    fn weight(&self, number: usize, packed: &Packed) -> Fp {
        let place = (packed.numbers.end - 1 - number) as u64;
        power_of_two(place * u64::from(self.width(packed.limbs)))
    }

    /// The packed elements of a chain in a lane.
    fn elements(&self, lane: usize, chain: Chain, numbers: &[i128]) -> Vec<Fp> {
        let element = |packed: &Packed| {
            let weighted = packed
                .numbers
                .clone()
                .map(|number| self.weight(number, packed) * crate::halo2::signed(numbers[number]));
            weighted.sum()
        };
        self.of_chain(lane, chain).map(element).collect()
    }

    /// The hash of a chain, as it is computed outside of the circuit.
    fn hash(&self, of: Chain, blind: Fp, numbers: &[i128]) -> Result<Fp> {
        let native = |words: Vec<Fp>| {
            macro_rules! native {
                ($length:literal) => {{
                    let words: [_; $length] = words.try_into().map_err(|_| Error::Synthesis)?;
                    Ok(Native::<_, P128Pow5T3, ConstantLength<$length>, 3, 2>::init().hash(words))
                }};
            }
            by_length!(words, native)
        };
        let tag = Fp::from(of as u64);
        let mut head = vec![tag, blind];
        for lane in 1..self.lanes.len() {
            head.push(chain(&[&[tag], &*self.elements(lane, of, numbers)].concat(), native)?);
        }
        head.extend(self.elements(0, of, numbers));
        Ok(chain(&head, native)?)
    }

    /// Folded coefficients in the rows of their numbers, a column per lane; then the hashes.
    fn instance(&self, matrix: &Matrix, hashes: [Fp; 2]) -> Vec<Vec<Fp>> {
        let r = Multipliers::new(LABEL, matrix, &[&hashes[0].to_repr(), &hashes[1].to_repr()]);
        let mut coefficients = vec![element(r.sum())];
        coefficients.extend(r.fold(matrix).into_iter().map(element));
        coefficients.extend(r.values().iter().map(|r| -Fp::from_u128(*r)));
        let lane = |lane| {
            let mut column = vec![Fp::ZERO; self.rows];
            for (number, row, _) in self.heads(lane) {
                column[row] = coefficients[number];
            }
            column
        };
        (0..self.lanes.len()).map(lane).chain([hashes.to_vec()]).collect()
    }
}

#[derive(Clone)]
struct Lane {
    z: Column<Advice>,
    pack: Column<Advice>,
    m: Column<Fixed>,
    keep: Column<Fixed>,
    weight: Column<Fixed>,
    /// A column of the chip, for words that are in no other.
    word: Column<Advice>,
    poseidon: Pow5Config<Fp, 3, 2>,
}

#[derive(Clone)]
struct Config {
    lanes: Vec<Lane>,
    acc: Column<Advice>,
    first: Selector,
    sum: Selector,
    last: Selector,
    table: TableColumn,
    hashes: Column<Instance>,
}

#[derive(Clone)]
struct Hashed {
    shape: Shape,
    witness: Option<Witness>,
}

#[derive(Clone)]
struct Witness {
    /// The collateral, the lots, the margins.
    numbers: Vec<i128>,
    /// Of the account's hash, then of the margins'.
    blinds: [Fp; 2],
    instance: Vec<Vec<Fp>>,
}

impl Hashed {
    fn value<T>(&self, value: impl FnOnce(&Witness) -> T) -> Value<T> {
        self.witness
            .as_ref()
            .map_or_else(Value::unknown, |witness| Value::known(value(witness)))
    }

    /// Assigns a lane's numbers and returns the cells of its elements.
    fn assign_lane(
        &self,
        region: &mut Region<'_, Fp>,
        config: &Lane,
        lane: usize,
    ) -> Result<Vec<(Chain, Word)>, Error> {
        let shape = &self.shape;
        let mut elements = Vec::new();
        let mut pack = Value::known(Fp::ZERO);
        for (number, head, packed) in shape.heads(lane) {
            let number_weight = shape.weight(number, packed);
            for limb in 0..packed.limbs {
                let (row, last) = (head + limb, limb + 1 == packed.limbs);
                let cell =
                    self.value(|witness| running(witness.numbers[number], shape.limb_bits(), packed.limbs)[limb]);
                region.assign_advice(|| "z", config.z, row, || cell)?;
                let m = if last {
                    Fp::ZERO
                } else {
                    power_of_two(shape.limb_bits().into())
                };
                region.assign_fixed(|| "m", config.m, row, || Value::known(m))?;
                let keep = if (number, limb) == (packed.numbers.start, 0) {
                    Fp::ZERO
                } else {
                    Fp::ONE
                };
                region.assign_fixed(|| "keep", config.keep, row, || Value::known(keep))?;
                let weight = if limb == 0 { number_weight } else { Fp::ZERO };
                region.assign_fixed(|| "weight", config.weight, row, || Value::known(weight))?;
                pack = pack.map(|pack| keep * pack) + cell.map(|cell| weight * cell);
                let packed_cell = region.assign_advice(|| "pack", config.pack, row, || pack)?;
                if last && number + 1 == packed.numbers.end {
                    elements.push((packed.chain, packed_cell));
                }
            }
        }
        Ok(elements)
    }

    /// The running sum of all lanes.
    fn assign_sum(&self, region: &mut Region<'_, Fp>, config: &Config) -> Result<(), Error> {
        let shape = &self.shape;
        let terms = self.value(|witness| {
            let mut terms = vec![Fp::ZERO; shape.rows];
            for (lane, f) in witness.instance.iter().take(shape.lanes.len()).enumerate() {
                for (number, row, _) in shape.heads(lane) {
                    terms[row] += f[row] * crate::halo2::signed(witness.numbers[number]);
                }
            }
            terms
        });
        config.first.enable(region, 0)?;
        config.last.enable(region, shape.rows)?;
        let mut acc = Value::known(Fp::ZERO);
        region.assign_advice(|| "acc", config.acc, 0, || acc)?;
        for row in 0..shape.rows {
            config.sum.enable(region, row)?;
            acc = acc + terms.as_ref().map(|terms| terms[row]);
            region.assign_advice(|| "acc", config.acc, row + 1, || acc)?;
        }
        Ok(())
    }

    /// One call of the hash.
    fn call(config: &Lane, mut layouter: impl Layouter<Fp>, words: Vec<Word>) -> Result<Word, Error> {
        let chip = Pow5Chip::construct(config.poseidon.clone());
        macro_rules! assigned {
            ($length:literal) => {{
                let words: [_; $length] = words.try_into().map_err(|_| Error::Synthesis)?;
                Hash::<_, _, P128Pow5T3, ConstantLength<$length>, 3, 2>::init(chip, layouter.namespace(|| "init"))?
                    .hash(layouter.namespace(|| "hash"), words)
            }};
        }
        by_length!(words, assigned)
    }
}

type Word = AssignedCell<Fp, Fp>;

impl Circuit<Fp> for Hashed {
    type Config = Config;
    type FloorPlanner = SimpleFloorPlanner;

    fn without_witnesses(&self) -> Self {
        Self {
            shape: self.shape.clone(),
            witness: None,
        }
    }

    fn configure(meta: &mut ConstraintSystem<Fp>) -> Config {
        let lanes: Vec<Lane> = (0..CONFIGURED.get())
            .map(|_| {
                let state = [(); 3].map(|()| meta.advice_column());
                let partial = meta.advice_column();
                let [a, b] = [(); 2].map(|()| [(); 3].map(|()| meta.fixed_column()));
                let lane = Lane {
                    z: meta.advice_column(),
                    pack: meta.advice_column(),
                    m: meta.fixed_column(),
                    keep: meta.fixed_column(),
                    weight: meta.fixed_column(),
                    word: state[0],
                    poseidon: Pow5Chip::configure::<P128Pow5T3>(meta, state, partial, a, b),
                };
                meta.enable_equality(lane.pack);
                lane
            })
            .collect();
        let constants = meta.fixed_column();
        meta.enable_constant(constants);
        let acc = meta.advice_column();
        let f: Vec<Column<Instance>> = lanes.iter().map(|_| meta.instance_column()).collect();
        let hashes = meta.instance_column();
        meta.enable_equality(hashes);
        let [first, sum, last] = [(); 3].map(|()| meta.selector());
        let table = meta.lookup_table_column();

        meta.create_gate("numbers are packed", |meta| {
            let sum = meta.query_selector(sum);
            let rows: Vec<_> = (lanes.iter())
                .map(|lane| {
                    let [before, pack] = [Rotation::prev(), Rotation::cur()].map(|at| meta.query_advice(lane.pack, at));
                    let z = meta.query_advice(lane.z, Rotation::cur());
                    meta.query_fixed(lane.keep) * before + meta.query_fixed(lane.weight) * z - pack
                })
                .collect();
            Constraints::with_selector(sum, rows)
        });
        meta.create_gate("the sum starts and ends at zero", |meta| {
            [first, last].map(|end| meta.query_selector(end) * meta.query_advice(acc, Rotation::cur()))
        });
        meta.create_gate("the sum adds the row", |meta| {
            let sum = meta.query_selector(sum);
            let [cur, next] = [Rotation::cur(), Rotation::next()].map(|at| meta.query_advice(acc, at));
            let added = lanes.iter().zip(&f).fold(cur, |sum, (lane, f)| {
                sum + meta.query_advice(lane.z, Rotation::cur()) * meta.query_instance(*f, Rotation::cur())
            });
            Constraints::with_selector(sum, [added - next])
        });
        for lane in &lanes {
            meta.lookup(|meta| {
                let m = meta.query_fixed(lane.m);
                let [cur, next] = [Rotation::cur(), Rotation::next()].map(|at| meta.query_advice(lane.z, at));
                vec![(cur - m * next, table)]
            });
        }
        Config {
            lanes,
            acc,
            first,
            sum,
            last,
            table,
            hashes,
        }
    }

    fn synthesize(&self, config: Config, mut layouter: impl Layouter<Fp>) -> Result<(), Error> {
        let limbs = 1u64 << self.shape.limb_bits();
        layouter.assign_table(
            || "limbs",
            |mut table| {
                (0..limbs).try_for_each(|limb| {
                    table.assign_cell(|| "limb", config.table, limb as usize, || Value::known(Fp::from(limb)))
                })
            },
        )?;
        let elements = layouter.assign_region(
            || "numbers",
            |mut region| {
                self.assign_sum(&mut region, &config)?;
                let lanes = config.lanes.iter().enumerate();
                lanes
                    .map(|(lane, config)| self.assign_lane(&mut region, config, lane))
                    .collect::<Result<Vec<_>, _>>()
            },
        )?;
        for (index, of) in CHAINS.into_iter().enumerate() {
            let head = &config.lanes[0];
            let tag = layouter.assign_region(
                || "tag",
                |mut region| region.assign_advice_from_constant(|| "tag", head.word, 0, Fp::from(of as u64)),
            )?;
            let blind = layouter.assign_region(
                || "blind",
                |mut region| {
                    region.assign_advice(|| "blind", head.word, 0, || self.value(|witness| witness.blinds[index]))
                },
            )?;
            let elements = |lane: usize| -> Vec<Word> {
                let own = elements[lane].iter().filter(|(chain, _)| *chain == of);
                own.map(|(_, cell)| cell.clone()).collect()
            };
            let mut words = vec![tag.clone(), blind];
            for (lane, config) in config.lanes.iter().enumerate().skip(1) {
                let hash = chain(&[&[tag.clone()], &*elements(lane)].concat(), |words| {
                    Self::call(config, layouter.namespace(|| "lane"), words)
                })?;
                words.push(hash);
            }
            words.extend(elements(0));
            let hash = chain(&words, |words| Self::call(head, layouter.namespace(|| "head"), words))?;
            layouter.constrain_instance(hash.cell(), config.hashes, index)?;
        }
        Ok(())
    }
}

/// Keys for matrices of one size.
#[allow(missing_debug_implementations)]
pub struct Halo2Poseidon {
    shape: Shape,
    keys: Keys,
}

fn hash(bytes: &[u8]) -> Result<Fp> {
    let bytes: [u8; ELEMENT_BYTES] = bytes.try_into().context("a hash is cut short")?;
    Option::from(Fp::from_repr(bytes)).context("not a hash")
}

fn amounts(book: &Book) -> Vec<i128> {
    [book.collateral]
        .into_iter()
        .chain(book.lots.iter().copied())
        .map(i128::from)
        .collect()
}

impl System for Halo2Poseidon {
    const NAME: &'static str = "halo2-poseidon";
    const TRUSTED_SETUP: TrustedSetup = TrustedSetup::None;
    const MATRIX_FREE: bool = true;
    type Opening = Fp;

    fn setup(matrix: &Matrix) -> Result<Self> {
        let shape = Shape::new(matrix)?;
        let circuit = Hashed {
            shape: shape.clone(),
            witness: None,
        };
        Ok(Self {
            keys: shape.with(|| Keys::new(shape.k, &circuit))?,
            shape,
        })
    }

    fn key_bytes(&self) -> usize {
        0
    }

    fn attest(&self, book: &Book) -> Result<(Vec<u8>, Fp)> {
        let blind = Fp::random(&mut generator()?);
        Ok((
            self.shape
                .hash(Chain::Account, blind, &amounts(book))?
                .to_repr()
                .to_vec(),
            blind,
        ))
    }

    fn prove(&self, matrix: &Matrix, attestation: &[u8], book: &Book, blind: &Fp, margins: &[i128]) -> Result<Vec<u8>> {
        let mut rng = generator()?;
        let blinds = [*blind, Fp::random(&mut rng)];
        let numbers: Vec<i128> = amounts(book).into_iter().chain(margins.iter().copied()).collect();
        let margins_hash = self.shape.hash(Chain::Margins, blinds[1], &numbers)?;
        let instance = self.shape.instance(matrix, [hash(attestation)?, margins_hash]);
        let witness = Witness {
            numbers,
            blinds,
            instance: instance.clone(),
        };
        let circuit = Hashed {
            shape: self.shape.clone(),
            witness: Some(witness),
        };
        let prove = || self.keys.prove(circuit, &instance, matrix.digest(), rng);
        let proof = self.shape.with(prove)?;
        Ok([margins_hash.to_repr().to_vec(), proof].concat())
    }

    fn verify(&self, matrix: &Matrix, attestation: &[u8], proof: &[u8]) -> Result<()> {
        let (margins_hash, proof) = proof
            .split_at_checked(ELEMENT_BYTES)
            .context("the proof is too short")?;
        let instance = self.shape.instance(matrix, [hash(attestation)?, hash(margins_hash)?]);
        self.keys.verify(&instance, matrix.digest(), proof)
    }
}
