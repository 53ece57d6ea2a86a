//! Many proofs, verified together (protocol §7).
//!
//! Each proof leaves two sums of points that must vanish. All sums of a batch are added with weights of their own and evaluated once: the
//! generators, of which every proof has terms, cost no more than in one proof.

use halo2_proofs::poly::commitment::MSM;
use pasta_curves::EqAffine;
use rayon::prelude::*;

use crate::argument::{Claim, Refusal, read, verify};
use crate::parameters::Parameters;

/// Why a batch is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BatchRefusal {
    /// There is nothing in it. That all of no proofs hold is not what whoever asks wants to hear.
    #[error("there is no proof in the batch")]
    Empty,
    /// The proofs that are refused, by their place in the batch.
    #[error("{}", .0.iter().map(|(place, refusal)| format!("proof {}: {refusal}", place + 1)).collect::<Vec<_>>().join("; "))]
    Proofs(Vec<(usize, Refusal)>),
}

/// Proofs as they are read.
struct Sum<'p> {
    sum: MSM<'p, EqAffine>,
    refused: Vec<(usize, Refusal)>,
}

impl<'p> Sum<'p> {
    fn of_nothing(parameters: &'p Parameters) -> Self {
        Self {
            sum: MSM::new(parameters.params()),
            refused: Vec::new(),
        }
    }

    fn with(mut self, parameters: &'p Parameters, place: usize, claims: &[Claim<'_>], proof: &[u8]) -> Self {
        let added = read(parameters, claims, proof).and_then(|read| read.add_to(&mut self.sum));
        self.refused.extend(added.err().map(|refusal| (place, refusal)));
        self
    }

    fn and(mut self, other: Self) -> Self {
        self.sum.add_msm(&other.sum);
        self.refused.extend(other.refused);
        self
    }
}

/// Verifies proofs under the same parameters, each of its own claims. If any is refused, all that are refused are named, and why.
///
/// # Errors
/// [`BatchRefusal`].
pub fn verify_batch(parameters: &Parameters, proofs: &[(&[Claim<'_>], &[u8])]) -> Result<(), BatchRefusal> {
    if proofs.is_empty() {
        return Err(BatchRefusal::Empty);
    }
    let Sum { sum, mut refused } = proofs
        .par_iter()
        .enumerate()
        .fold(
            || Sum::of_nothing(parameters),
            |sum, (place, (claims, proof))| sum.with(parameters, place, claims, proof),
        )
        .reduce(|| Sum::of_nothing(parameters), Sum::and);
    if !sum.eval() {
        // One sum does not say whose terms are wrong.
        refused = proofs
            .iter()
            .enumerate()
            .filter_map(|(place, (claims, proof))| Some((place, verify(parameters, claims, proof).err()?)))
            .collect();
    } else if refused.is_empty() {
        return Ok(());
    }
    refused.sort_by_key(|(place, _)| *place);
    Err(BatchRefusal::Proofs(refused))
}
