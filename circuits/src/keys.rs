//! The keys of the shapes that were last used.
//!
//! A key takes milliseconds, and follows from shape and parameters alone: it is never read, but what one process has made it keeps.

use std::sync::{Arc, Mutex, PoisonError};

use halo2_proofs::plonk::{Error, VerifyingKey, keygen_vk};
#[cfg(feature = "prove")]
use halo2_proofs::plonk::{ProvingKey, keygen_pk};
use pasta_curves::EqAffine;

use crate::circuit::MarginCircuit;
use crate::parameters::Parameters;
use crate::shape::{Placement, Shape, with_shape};

/// Shapes of which keys are kept; a venue's models at one level each have one.
const KEPT: usize = 32;

/// Keys by shape, those used last first.
#[derive(Default)]
pub(crate) struct Keys {
    verifying: Mutex<Vec<(Shape, Arc<VerifyingKey<EqAffine>>)>>,
    #[cfg(feature = "prove")]
    proving: Mutex<Vec<(Shape, Arc<ProvingKey<EqAffine>>)>>,
}

/// The verifying key of a shape.
pub(crate) fn verifying_key(
    parameters: &Parameters,
    placement: &Placement,
) -> Result<Arc<VerifyingKey<EqAffine>>, Error> {
    kept(&parameters.keys().verifying, placement.shape(), || {
        let circuit = MarginCircuit::new(placement, None);
        with_shape(placement.shape(), || keygen_vk(parameters.params(), &circuit))
    })
}

/// The proving key of a shape.
#[cfg(feature = "prove")]
pub(crate) fn proving_key(parameters: &Parameters, placement: &Placement) -> Result<Arc<ProvingKey<EqAffine>>, Error> {
    let verifying = verifying_key(parameters, placement)?;
    kept(&parameters.keys().proving, placement.shape(), || {
        let circuit = MarginCircuit::new(placement, None);
        with_shape(placement.shape(), || {
            keygen_pk(parameters.params(), VerifyingKey::clone(&verifying), &circuit)
        })
    })
}

/// The key that is kept for a shape; else it is made, outside of the lock, and kept.
fn kept<K>(
    keys: &Mutex<Vec<(Shape, Arc<K>)>>,
    shape: &Shape,
    make: impl FnOnce() -> Result<K, Error>,
) -> Result<Arc<K>, Error> {
    // Every entry is whole at any time, whatever a thread that held the lock came to.
    let lock = || keys.lock().unwrap_or_else(PoisonError::into_inner);
    let found = |kept: &mut Vec<(Shape, Arc<K>)>| {
        let place = kept.iter().position(|(other, _)| other == shape)?;
        kept[..=place].rotate_right(1);
        kept.first().map(|(_, key)| key.clone())
    };
    if let Some(key) = found(&mut lock()) {
        return Ok(key);
    }
    let key = Arc::new(make()?);
    let mut kept = lock();
    if found(&mut kept).is_none() {
        kept.insert(0, (shape.clone(), key.clone()));
        kept.truncate(KEPT);
    }
    Ok(key)
}
