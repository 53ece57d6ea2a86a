//! The proof library as the judge, in the place of its mock prover.

use halo2_proofs::plonk::{ProvingKey, SingleVerifier, create_proof, keygen_pk, verify_proof};
use halo2_proofs::transcript::{Blake2bRead, Blake2bWrite};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use super::planner::{Mutation, Tampered};
use super::stage::Stage;
use super::*;

/// The key of a circuit, honest or mutated.
pub(super) struct Library<'a> {
    parameters: &'a Parameters,
    key: ProvingKey<EqAffine>,
}

impl<'a> Library<'a> {
    pub(super) fn new(stage: &Stage, parameters: &'a Parameters, mutation: &Mutation) -> Self {
        let key = stage.key(parameters, mutation);
        let circuit = Tampered(stage.honest.circuit().without_witnesses());
        let prepare = || keygen_pk(parameters.params(), key, &circuit).unwrap();
        Self {
            parameters,
            key: with_shape(stage.shape(), || Tampered::under(mutation, prepare)),
        }
    }

    /// A proof with this key about columns that are changed, unless the library makes none: the table does not have a limb.
    pub(super) fn prove(&self, mutation: &Mutation, columns: &Honest) -> Option<Vec<u8>> {
        let circuits = [Tampered(columns.circuit())];
        let instance: Vec<&[Fp]> = columns.instance.iter().map(Vec::as_slice).collect();
        let mut transcript = Blake2bWrite::init(Vec::new());
        let (params, generator) = (self.parameters.params(), ChaCha20Rng::seed_from_u64(3));
        let prove = || create_proof(params, &self.key, &circuits, &[&instance], generator, &mut transcript);
        let outcome = with_shape(columns.placement.shape(), || Tampered::under(mutation, prove));
        outcome.ok().map(|()| transcript.finalize())
    }

    pub(super) fn accepts(&self, proof: &[u8], columns: &Honest) -> bool {
        let instance: Vec<&[Fp]> = columns.instance.iter().map(Vec::as_slice).collect();
        let strategy = SingleVerifier::new(self.parameters.params());
        let mut transcript = Blake2bRead::init(proof);
        verify_proof(
            self.parameters.params(),
            self.key.get_vk(),
            strategy,
            &[&instance],
            &mut transcript,
        )
        .is_ok()
    }

    /// Whether columns that are changed have a proof with this key that its verifier accepts.
    pub(super) fn takes(&self, mutation: &Mutation, columns: &Honest) -> bool {
        let proof = self.prove(mutation, columns);
        proof.is_some_and(|proof| self.accepts(&proof, columns))
    }
}
