//! Rank-one constraints over the scalar field of BN254 that are recorded once, for the keys, and only computed with afterwards.

use ark_bn254::Fr;
use ark_crypto_primitives::sponge::poseidon::find_poseidon_ark_and_mds;
use ark_ff::{One, PrimeField, Zero};
use ark_relations::gr1cs::{
    ConstraintSynthesizer, ConstraintSystemRef, LinearCombination, Matrix, SynthesisError, Variable,
};

/// A linear combination of variables, and its value.
#[derive(Clone)]
pub(crate) struct Wire {
    pub(crate) value: Fr,
    /// By variable, `0` the constant one; empty unless constraints are recorded.
    terms: Vec<(Fr, usize)>,
}

/// An assignment, and the constraints on it if they are recorded.
pub(crate) struct Circuit {
    values: Vec<Fr>,
    inputs: usize,
    matrices: Option<[Matrix<Fr>; 3]>,
}

impl Circuit {
    pub(crate) fn new(record: bool) -> Self {
        Self {
            values: vec![Fr::one()],
            inputs: 1,
            matrices: record.then(Default::default),
        }
    }

    /// The constant one, the public inputs, then all that is hidden.
    pub(crate) fn values(&self) -> &[Fr] {
        &self.values
    }

    /// With the constant one.
    pub(crate) fn inputs(&self) -> usize {
        self.inputs
    }

    /// The recorded constraints.
    pub(crate) fn into_matrices(self) -> [Matrix<Fr>; 3] {
        self.matrices.unwrap_or_default()
    }

    /// A public input. All of them come before anything that is hidden.
    pub(crate) fn input(&mut self, value: Fr) -> Wire {
        self.inputs += 1;
        assert_eq!(self.inputs, self.values.len() + 1, "public inputs come first");
        self.variable(value)
    }

    pub(crate) fn variable(&mut self, value: Fr) -> Wire {
        let terms = match self.matrices {
            Some(_) => vec![(Fr::one(), self.values.len())],
            None => Vec::new(),
        };
        self.values.push(value);
        Wire { value, terms }
    }

    /// `constant + Σ factor·wire`; costs no constraint.
    pub(crate) fn sum<'w>(&self, constant: Fr, weighted: impl IntoIterator<Item = (Fr, &'w Wire)>) -> Wire {
        let mut sum = Wire {
            value: constant,
            terms: Vec::new(),
        };
        let record = self.matrices.is_some();
        if record && !constant.is_zero() {
            sum.terms.push((constant, 0));
        }
        for (factor, wire) in weighted {
            sum.value += factor * wire.value;
            sum.terms.extend(
                wire.terms
                    .iter()
                    .map(|(coefficient, variable)| (factor * coefficient, *variable)),
            );
        }
        sum.terms.sort_unstable_by_key(|(_, variable)| *variable);
        sum.terms.dedup_by(|(later, variable), (earlier, before)| {
            let same = variable == before;
            if same {
                *earlier += *later;
            }
            same
        });
        sum
    }

    /// A new variable that is `a·b`.
    pub(crate) fn product(&mut self, a: &Wire, b: &Wire) -> Wire {
        let product = self.variable(a.value * b.value);
        self.enforce(a, b, &product);
        product
    }

    /// `a·b = c`.
    pub(crate) fn enforce(&mut self, a: &Wire, b: &Wire, c: &Wire) {
        if let Some(matrices) = &mut self.matrices {
            for (matrix, wire) in matrices.iter_mut().zip([a, b, c]) {
                matrix.push(wire.terms.clone());
            }
        }
    }

    /// `a = b`.
    pub(crate) fn enforce_equal(&mut self, a: &Wire, b: &Wire) {
        let one = self.sum(Fr::one(), []);
        self.enforce(a, &one, b);
    }

    /// A number as variables that are zero or one, lowest first: the low bits of its two's complement, whatever it is.
    pub(crate) fn bits(&mut self, number: i128, bits: u32) -> Wire {
        let zero = self.sum(Fr::zero(), []);
        let bits: Vec<Wire> = (0..bits)
            .map(|bit| {
                let bit = self.variable(Fr::from((number >> bit & 1) as u64));
                let less_one = self.sum(-Fr::one(), [(Fr::one(), &bit)]);
                self.enforce(&bit, &less_one, &zero);
                bit
            })
            .collect();
        let weights = bits
            .iter()
            .enumerate()
            .map(|(bit, wire)| (Fr::from(1u128 << bit), wire));
        self.sum(Fr::zero(), weights)
    }
}

impl ConstraintSynthesizer<Fr> for &Circuit {
    fn generate_constraints(self, cs: ConstraintSystemRef<Fr>) -> Result<(), SynthesisError> {
        let mut variables = vec![Variable::One];
        for (index, value) in self.values.iter().enumerate().skip(1) {
            variables.push(match index < self.inputs {
                true => cs.new_input_variable(|| Ok(*value))?,
                false => cs.new_witness_variable(|| Ok(*value))?,
            });
        }
        let combination = |terms: &[(Fr, usize)]| {
            LinearCombination(
                terms
                    .iter()
                    .map(|(coefficient, index)| (*coefficient, variables[*index]))
                    .collect(),
            )
        };
        if let Some([a, b, c]) = &self.matrices {
            for ((a, b), c) in a.iter().zip(b).zip(c) {
                cs.enforce_r1cs_constraint(|| combination(a), || combination(b), || combination(c))?;
            }
        }
        Ok(())
    }
}

/// The Poseidon hash with a wide state: per absorbed element, a wide one has the fewest constraints.
pub(crate) struct Poseidon {
    constants: Vec<Vec<Fr>>,
    mds: Vec<Vec<Fr>>,
}

/// Elements per permutation.
const RATE: usize = 16;
const FULL_ROUNDS: usize = 8;
/// Of the published table for 128 bits of security, `x^5`, a field of 254 bits and a state of 17.
const PARTIAL_ROUNDS: usize = 68;

impl Poseidon {
    pub(crate) fn new() -> Self {
        let bits = u64::from(Fr::MODULUS_BIT_SIZE);
        let (constants, mds) = find_poseidon_ark_and_mds(bits, RATE, FULL_ROUNDS as u64, PARTIAL_ROUNDS as u64, 0);
        Self { constants, mds }
    }

    /// Hashes elements whose number is the circuit's. The capacity starts as `domain`, which keeps hashes of different things apart.
    pub(crate) fn hash(&self, circuit: &mut Circuit, domain: u64, elements: &[Wire]) -> Wire {
        let mut state = vec![circuit.sum(Fr::from(domain), [])];
        state.resize(1 + RATE, circuit.sum(Fr::zero(), []));
        for block in elements.chunks(RATE) {
            for (word, element) in state.iter_mut().skip(1).zip(block) {
                *word = circuit.sum(Fr::zero(), [(Fr::one(), &*word), (Fr::one(), element)]);
            }
            state = self.permute(circuit, state);
        }
        state.swap_remove(1)
    }

    fn permute(&self, circuit: &mut Circuit, mut state: Vec<Wire>) -> Vec<Wire> {
        let partial = FULL_ROUNDS / 2..FULL_ROUNDS / 2 + PARTIAL_ROUNDS;
        for (round, constants) in self.constants.iter().enumerate() {
            let boxes = if partial.contains(&round) { 1 } else { state.len() };
            for (index, (word, constant)) in state.iter_mut().zip(constants).enumerate() {
                *word = circuit.sum(*constant, [(Fr::one(), &*word)]);
                if index < boxes {
                    let square = circuit.product(word, word);
                    let fourth = circuit.product(&square, &square);
                    *word = circuit.product(&fourth, word);
                }
            }
            state = (self.mds.iter())
                .map(|row| circuit.sum(Fr::zero(), row.iter().copied().zip(&state)))
                .collect();
        }
        state
    }
}

#[cfg(test)]
mod tests {
    use ark_crypto_primitives::sponge::poseidon::{PoseidonConfig, PoseidonSponge};
    use ark_crypto_primitives::sponge::{CryptographicSponge, FieldBasedCryptographicSponge};

    use super::*;

    #[test]
    fn the_hash_is_that_of_the_library() {
        let poseidon = Poseidon::new();
        let (ark, mds) = (poseidon.constants.clone(), poseidon.mds.clone());
        let config = PoseidonConfig::new(FULL_ROUNDS, PARTIAL_ROUNDS, 5, mds, ark, RATE, 1);
        for length in [1, RATE, RATE + 1, 3 * RATE] {
            let elements: Vec<Fr> = (0..length as u64).map(|index| Fr::from(index * index + 7)).collect();
            let mut sponge = PoseidonSponge::new(&config);
            sponge.absorb(&elements);
            let mut circuit = Circuit::new(true);
            let wires: Vec<Wire> = elements.iter().map(|element| circuit.variable(*element)).collect();
            let hash = poseidon.hash(&mut circuit, 0, &wires);
            assert_eq!(sponge.squeeze_native_field_elements(1), [hash.value]);
            let cs = ark_relations::gr1cs::ConstraintSystem::new_ref();
            (&circuit).generate_constraints(cs.clone()).unwrap();
            assert!(cs.is_satisfied().unwrap());
        }
    }
}
