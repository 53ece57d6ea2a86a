//! What both forms with `halo2_proofs` share: keys, proofs, numbers as limbs.

use anyhow::{Context, Result};
use ff::{Field, PrimeField};
use halo2_proofs::plonk::{Circuit, ProvingKey, SingleVerifier, create_proof, keygen_pk, keygen_vk, verify_proof};
use halo2_proofs::poly::commitment::Params;
use halo2_proofs::transcript::{Blake2bRead, Blake2bWrite, Challenge255, Transcript};
use pasta_curves::{EqAffine, Fp};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use crate::fold::Wide;

/// Bytes of a point or a scalar.
pub(crate) const ELEMENT_BYTES: usize = 32;

/// A generator that the operating system seeds.
pub(crate) fn generator() -> Result<ChaCha20Rng> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|error| anyhow::anyhow!("no randomness: {error}"))?;
    Ok(ChaCha20Rng::from_seed(seed))
}

/// A signed number in the field.
pub(crate) fn signed(value: i128) -> Fp {
    match value {
        0.. => Fp::from_u128(value.unsigned_abs()),
        _ => -Fp::from_u128(value.unsigned_abs()),
    }
}

/// A folded number in the field.
pub(crate) fn element(wide: Wide) -> Fp {
    signed(wide.low) + signed(wide.high) * Fp::from_u128(1 << 64)
}

/// The number and its rests after each lower limb is taken off: the low bits of its two's complement, if it has more or is negative, but for the first, which
/// is the number itself.
pub(crate) fn running(number: i128, limb_bits: u32, limbs: usize) -> Vec<Fp> {
    let width = limb_bits * limbs as u32;
    let low = number as u128 & ((1 << width) - 1);
    let mut cells: Vec<Fp> = (0..limbs as u32)
        .map(|limb| Fp::from_u128(low >> (limb * limb_bits)))
        .collect();
    cells[0] = signed(number);
    cells
}

/// Generators and keys of a circuit.
pub(crate) struct Keys {
    pub(crate) params: Params<EqAffine>,
    key: ProvingKey<EqAffine>,
}

impl Keys {
    pub(crate) fn new<C: Circuit<Fp>>(k: u32, circuit: &C) -> Result<Self> {
        let params = Params::new(k);
        let key = keygen_vk(&params, circuit)?;
        let key = keygen_pk(&params, key, circuit)?;
        Ok(Self { params, key })
    }

    /// `binding` is everything public that is in no instance column.
    pub(crate) fn prove<C: Circuit<Fp>>(
        &self,
        circuit: C,
        instance: &[Vec<Fp>],
        binding: &[u8],
        rng: ChaCha20Rng,
    ) -> Result<Vec<u8>> {
        let mut transcript = Blake2bWrite::<_, EqAffine, Challenge255<EqAffine>>::init(Vec::new());
        transcript.common_scalar(bound(binding))?;
        let columns: Vec<&[Fp]> = instance.iter().map(Vec::as_slice).collect();
        create_proof(&self.params, &self.key, &[circuit], &[&columns], rng, &mut transcript)?;
        Ok(transcript.finalize())
    }

    pub(crate) fn verify(&self, instance: &[Vec<Fp>], binding: &[u8], mut proof: &[u8]) -> Result<()> {
        let mut transcript = Blake2bRead::<_, EqAffine, Challenge255<EqAffine>>::init(&mut proof);
        transcript.common_scalar(bound(binding))?;
        let columns: Vec<&[Fp]> = instance.iter().map(Vec::as_slice).collect();
        verify_proof(
            &self.params,
            self.key.get_vk(),
            SingleVerifier::new(&self.params),
            &[&columns],
            &mut transcript,
        )?;
        proof.is_empty().then_some(()).context("the proof is too long")
    }
}

/// A scalar that depends on all of the bytes.
pub(crate) fn bound(bytes: &[u8]) -> Fp {
    let hash = blake2b_simd::Params::new()
        .hash_length(64)
        .personal(b"baselines halo2")
        .hash(bytes);
    ff::FromUniformBytes::from_uniform_bytes(hash.as_array())
}

/// Powers of two beyond machine numbers.
pub(crate) fn power_of_two(exponent: u64) -> Fp {
    Fp::from(2).pow_vartime([exponent])
}
