//! Groth16 over BN254, the account committed to by a Poseidon hash in the circuit.
//!
//! Two forms differ in where the matrix is:
//!
//! - *folded*: the circuit knows nothing of the matrix. The prover commits to the margins by a second hash, the multipliers `r_j` are hashed from both
//!   commitments, and `Σ_j r_j·m_j = (Σ_j r_j)·c + ⟨q, a⟩` is checked with `r` and `a` as public inputs.
//! - *fixed*: the matrix is part of the circuit, and every margin is a linear combination, which costs nothing. Every new matrix takes a new setup.

use anyhow::{Context, Result, ensure};
use ark_bn254::{Bn254, Fr, G1Projective};
use ark_ec::{AffineRepr, VariableBaseMSM};
use ark_ff::{One, UniformRand, Zero};
use ark_groth16::{PreparedVerifyingKey, Proof, ProvingKey, prepare_verifying_key};
use ark_relations::gr1cs::Matrix as Rows;
use ark_serialize::{CanonicalDeserialize, CanonicalSerialize};
use rand_core_06::OsRng;

use crate::fold::{Multipliers, Wide};
use crate::r1cs::{Circuit, Poseidon, Wire};
use crate::statement::{Book, MONEY_BITS, Matrix};
use crate::system::{System, TrustedSetup};

type Library = ark_groth16::Groth16<Bn254>;

const LABEL: &str = "zkmargin-baselines groth16";
const HASH_BYTES: usize = 32;
/// Domains of the two hashes.
const ACCOUNT: u64 = 1;
const MARGINS: u64 = 2;
/// Margins that one hashed element holds.
const PACKED: usize = 3;

/// Keys for matrices of one size or, unless `FOLDED`, for one matrix.
#[allow(missing_debug_implementations)]
pub struct Groth16<const FOLDED: bool> {
    poseidon: Poseidon,
    key: ProvingKey<Bn254>,
    verifying: PreparedVerifyingKey<Bn254>,
    rows: [Rows<Fr>; 3],
    digest: [u8; 32],
}

/// What the circuit is assigned.
struct Assignment<'a> {
    book: &'a Book,
    blind: Fr,
    margins: &'a [i128],
    margins_blind: Fr,
}

fn element(wide: Wide) -> Fr {
    Fr::from(wide.low) + Fr::from(wide.high) * Fr::from(1u128 << 64)
}

fn to_bytes(hash: Fr) -> Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(HASH_BYTES);
    hash.serialize_compressed(&mut bytes)?;
    Ok(bytes)
}

/// The hash of an account.
fn account(poseidon: &Poseidon, circuit: &mut Circuit, blind: Fr, book: &Book) -> (Wire, Vec<Wire>) {
    let amounts = [book.collateral]
        .into_iter()
        .chain(book.lots.iter().copied())
        .map(Fr::from);
    let wires: Vec<Wire> = [blind]
        .into_iter()
        .chain(amounts)
        .map(|value| circuit.variable(value))
        .collect();
    (poseidon.hash(circuit, ACCOUNT, &wires), wires)
}

/// The hash of margins, of which each is a number of [`MONEY_BITS`].
fn margins(poseidon: &Poseidon, circuit: &mut Circuit, blind: Fr, margins: &[i128]) -> (Wire, Vec<Wire>) {
    let margins: Vec<Wire> = margins.iter().map(|margin| circuit.bits(*margin, MONEY_BITS)).collect();
    let shift = Fr::from(1u128 << MONEY_BITS);
    let pack = |packed: &[Wire]| {
        let sum = |sum: Wire, margin| circuit.sum(Fr::zero(), [(shift, &sum), (Fr::one(), margin)]);
        packed.iter().fold(circuit.sum(Fr::zero(), []), sum)
    };
    let mut elements: Vec<Wire> = margins.chunks(PACKED).map(pack).collect();
    elements.push(circuit.variable(blind));
    (poseidon.hash(circuit, MARGINS, &elements), margins)
}

/// The public inputs: the hashes, then `Σ_j r_j`, `a` and `r`.
fn folded_inputs(matrix: &Matrix, attestation: &[u8], margins_hash: &[u8]) -> Result<Vec<Fr>> {
    let r = Multipliers::new(LABEL, matrix, &[attestation, margins_hash]);
    let mut inputs = vec![
        Fr::deserialize_compressed(attestation)?,
        Fr::deserialize_compressed(margins_hash)?,
        element(r.sum()),
    ];
    inputs.extend(r.fold(matrix).into_iter().map(element));
    inputs.extend(r.values().iter().copied().map(Fr::from));
    Ok(inputs)
}

/// `Σ_j r_j·m_j = (Σ_j r_j)·c + ⟨q, a⟩`.
fn folded(poseidon: &Poseidon, record: bool, inputs: &[Fr], assignment: &Assignment<'_>) -> Circuit {
    let mut circuit = Circuit::new(record);
    let inputs: Vec<Wire> = inputs.iter().map(|value| circuit.input(*value)).collect();
    let (account, q) = account(poseidon, &mut circuit, assignment.blind, assignment.book);
    circuit.enforce_equal(&account, &inputs[0]);
    let (hash, m) = margins(poseidon, &mut circuit, assignment.margins_blind, assignment.margins);
    circuit.enforce_equal(&hash, &inputs[1]);
    let weighted = inputs[2..].iter().zip(q[1..].iter().chain(&m));
    let products: Vec<Wire> = weighted.map(|(weight, value)| circuit.product(weight, value)).collect();
    let (left, right) = products.split_at(q.len() - 1);
    let [left, right] = [left, right].map(|side| circuit.sum(Fr::zero(), side.iter().map(|wire| (Fr::one(), wire))));
    circuit.enforce_equal(&left, &right);
    circuit
}

/// `m_j = c + Σ_i A_ji·q_i` for every scenario.
fn fixed(poseidon: &Poseidon, record: bool, matrix: &Matrix, account_hash: Fr, assignment: &Assignment<'_>) -> Circuit {
    let mut circuit = Circuit::new(record);
    let input = circuit.input(account_hash);
    let (account, q) = account(poseidon, &mut circuit, assignment.blind, assignment.book);
    circuit.enforce_equal(&account, &input);
    for (scenario, margin) in matrix.scenarios().iter().zip(assignment.margins) {
        let margin = circuit.bits(*margin, MONEY_BITS);
        let coefficients = [1].into_iter().chain(scenario.iter().copied()).map(Fr::from);
        let expected = circuit.sum(Fr::zero(), coefficients.zip(&q[1..]));
        circuit.enforce_equal(&expected, &margin);
    }
    circuit
}

impl<const FOLDED: bool> Groth16<FOLDED> {
    /// The inputs that a verifier computes, and what of the proof precedes the library's.
    fn inputs(&self, matrix: &Matrix, attestation: &[u8], margins_hash: &[u8]) -> Result<Vec<Fr>> {
        if FOLDED {
            return folded_inputs(matrix, attestation, margins_hash);
        }
        ensure!(self.digest == *matrix.digest(), "the keys are of another matrix");
        Ok(vec![Fr::deserialize_compressed(attestation)?])
    }
}

impl<const FOLDED: bool> System for Groth16<FOLDED> {
    const NAME: &'static str = if FOLDED { "groth16-folded" } else { "groth16-fixed" };
    const TRUSTED_SETUP: TrustedSetup = TrustedSetup::PerCircuit;
    const MATRIX_FREE: bool = FOLDED;
    type Opening = Fr;

    fn setup(matrix: &Matrix) -> Result<Self> {
        let poseidon = Poseidon::new();
        let book = Book {
            lots: vec![0; matrix.legs()],
            collateral: 0,
        };
        let assignment = Assignment {
            book: &book,
            blind: Fr::zero(),
            margins: &vec![0; matrix.scenarios().len()],
            margins_blind: Fr::zero(),
        };
        let circuit = match FOLDED {
            true => {
                let inputs = vec![Fr::zero(); 3 + matrix.legs() + matrix.scenarios().len()];
                folded(&poseidon, true, &inputs, &assignment)
            }
            false => fixed(&poseidon, true, matrix, Fr::zero(), &assignment),
        };
        let key = Library::generate_random_parameters_with_reduction(&circuit, &mut OsRng)?;
        Ok(Self {
            poseidon,
            verifying: prepare_verifying_key(&key.vk),
            key,
            rows: circuit.into_matrices(),
            digest: *matrix.digest(),
        })
    }

    fn key_bytes(&self) -> usize {
        // The verifying key is part of the proving key.
        self.key.compressed_size()
    }

    fn attest(&self, book: &Book) -> Result<(Vec<u8>, Fr)> {
        let blind = Fr::rand(&mut OsRng);
        let (hash, _) = account(&self.poseidon, &mut Circuit::new(false), blind, book);
        Ok((to_bytes(hash.value)?, blind))
    }

    fn prove(&self, matrix: &Matrix, attestation: &[u8], book: &Book, blind: &Fr, claimed: &[i128]) -> Result<Vec<u8>> {
        let assignment = Assignment {
            book,
            blind: *blind,
            margins: claimed,
            margins_blind: Fr::rand(&mut OsRng),
        };
        let mut proof = Vec::new();
        if FOLDED {
            let mut circuit = Circuit::new(false);
            let (hash, _) = margins(&self.poseidon, &mut circuit, assignment.margins_blind, claimed);
            proof = to_bytes(hash.value)?;
        }
        let inputs = self.inputs(matrix, attestation, &proof)?;
        let circuit = match FOLDED {
            true => folded(&self.poseidon, false, &inputs, &assignment),
            false => fixed(&self.poseidon, false, matrix, inputs[0], &assignment),
        };
        let [a, b, c] = &self.rows;
        let library = Library::create_proof_with_reduction_and_matrices(
            &self.key,
            Fr::rand(&mut OsRng),
            Fr::rand(&mut OsRng),
            &self.rows,
            circuit.inputs(),
            a.len().max(b.len()).max(c.len()),
            circuit.values(),
        )?;
        library.serialize_compressed(&mut proof)?;
        Ok(proof)
    }

    fn verify(&self, matrix: &Matrix, attestation: &[u8], proof: &[u8]) -> Result<()> {
        ensure!(attestation.len() == HASH_BYTES, "the attestation is not a hash");
        let hash_bytes = if FOLDED { HASH_BYTES } else { 0 };
        let (margins_hash, mut library) = proof.split_at_checked(hash_bytes).context("the proof is too short")?;
        let inputs = self.inputs(matrix, attestation, margins_hash)?;
        let (constant, generators) = self
            .verifying
            .vk
            .gamma_abc_g1
            .split_first()
            .context("the key is empty")?;
        let prepared = constant.into_group()
            + G1Projective::msm(generators, &inputs)
                .ok()
                .context("the key is of another size")?;
        let proof = Proof::deserialize_compressed(&mut library)?;
        ensure!(library.is_empty(), "the proof is too long");
        ensure!(
            Library::verify_proof_with_prepared_inputs(&self.verifying, &proof, &prepared)?,
            "the pairing equation does not hold"
        );
        Ok(())
    }
}
