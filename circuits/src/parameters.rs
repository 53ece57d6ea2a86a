//! Public parameters: the generators of the commitments and of the polynomial commitment scheme.
//!
//! There is no trusted setup: the generators are hashed to the curve by `halo2_proofs`, once per `k`. Deriving them takes a
//! noticeable part of a second, so they are cached. A cached file is worth nothing until its digest equals the one that is
//! pinned here; it is checked **before** the library parses the file, because `Params::read` allocates by a `k` that it finds
//! in the file.

use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use group::GroupEncoding;
use halo2_proofs::poly::EvaluationDomain;
use halo2_proofs::poly::commitment::Params;
use pasta_curves::{EqAffine, Fp};

use crate::keys::Keys;
use crate::transcript::{Personal, hash32};

/// The smallest supported `k`.
pub const MIN_K: u32 = 6;
/// The largest supported `k`.
pub const MAX_K: u32 = 12;

/// BLAKE2b-256 (personalised `zkmargin-parm-v1`) of `Params::write`, for `k` = 6 to 12.
const PINNED_DIGESTS: [&str; 7] = [
    "4c3792de95d2bf076067b6e9a89a55b5938aa1bd58557f2f7531f69880a543b5",
    "2227f9ed00097283484a1a7e6a331c5bb5c81c0ae7cdd1bb7b6cecf2cf286946",
    "3e8365c5a69ac5b08c84971200cdbf06d14c46e633eb59bd66fbf771bafd8ed3",
    "d09ad24941783b13e59b80613fb2ae8bd6acdc8817c3fbee626f7b689c201406",
    "ca606cfd7c8122850d7f8a5e290a0ddfc3b919b88a58f643b04f1cb933a3ef82",
    "23e4f822b9886831cdb30a3def21df8dfc991b5f76c3d706961063416dab6aae",
    "a68f6ececcf8352e3bc85817f71dddd5244845bc832f9e5f4d4b80b85bd231b9",
];

/// Degree of the domain in which rows become coefficients: it only has to have the rows themselves.
const DOMAIN_DEGREE: u32 = 2;

/// Bytes of a compressed point.
const POINT_BYTES: usize = 32;
/// Bytes of `k` at the head of a parameter file.
const HEADER_BYTES: usize = 4;

/// The generators for one `k` (protocol §3), with the keys of the shapes that were last used. A clone shares all of it.
#[derive(Clone)]
pub struct Parameters(Arc<Inner>);

struct Inner {
    params: Params<EqAffine>,
    /// `G_0 .. G_{n-1}`, the Lagrange basis.
    lagrange: Vec<EqAffine>,
    /// The blinding generator `W`.
    w: EqAffine,
    digest: [u8; 32],
    domain: EvaluationDomain<Fp>,
    keys: Keys,
}

impl std::fmt::Debug for Parameters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Parameters")
            .field("k", &self.k())
            .finish_non_exhaustive()
    }
}

/// Why parameters cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum ParametersError {
    /// `k` has no pinned digest.
    #[error("k = {k} is not supported: {MIN_K} to {MAX_K} are")]
    UnsupportedK {
        /// The `k` that was asked for.
        k: u32,
    },
    /// What the library derives is not what this version was built with.
    #[error(
        "the parameters derived for k = {k} have digest {found}, expected {expected}: the proof library has changed"
    )]
    Derived {
        /// The `k` that was asked for.
        k: u32,
        /// Hexadecimal digest of what was derived.
        found: String,
        /// Hexadecimal digest that is pinned.
        expected: String,
    },
    /// The bytes match their digest but do not parse; cannot happen unless the library has changed.
    #[error("the parameters for k = {k} cannot be read: {reason}")]
    Unreadable {
        /// The `k` that was asked for.
        k: u32,
        /// What the reader said.
        reason: String,
    },
}

impl Parameters {
    /// The parameters for `k`: from `cache` if there is an intact file, else derived (and written there, if it can be).
    ///
    /// A cached file with another length or digest is ignored and replaced; an unwritable cache is no error.
    ///
    /// # Errors
    /// [`ParametersError`].
    pub fn load(k: u32, cache: Option<&Path>) -> Result<Self, ParametersError> {
        let expected = pinned_digest(k)?;
        let file = cache.map(|folder| folder.join(format!("vesta-k{k}.params")));
        if let Some(bytes) = file.as_deref().and_then(|path| read_cached(path, k, &expected)) {
            return Self::from_bytes(k, &bytes, expected);
        }
        let bytes = derive(k);
        let found = digest_of(&bytes);
        if found != expected {
            return Err(ParametersError::Derived {
                k,
                found: hex(&found),
                expected: hex(&expected),
            });
        }
        if let Some(path) = file {
            // The cache only saves time: a read-only disk must not keep anybody from verifying.
            let _ = write_cached(&path, &bytes);
        }
        Self::from_bytes(k, &bytes, expected)
    }

    fn from_bytes(k: u32, bytes: &[u8], digest: [u8; 32]) -> Result<Self, ParametersError> {
        let unreadable = |reason: &str| ParametersError::Unreadable {
            k,
            reason: reason.to_owned(),
        };
        let params = Params::<EqAffine>::read(&mut &bytes[..]).map_err(|e| unreadable(&e.to_string()))?;
        let n = 1usize << k;
        // The Lagrange basis and W are private fields of `Params`: they are read from the bytes that it wrote.
        let point = |index: usize| -> Result<EqAffine, ParametersError> {
            let start = HEADER_BYTES + POINT_BYTES * index;
            let mut repr = <EqAffine as GroupEncoding>::Repr::default();
            let source = bytes
                .get(start..start + POINT_BYTES)
                .ok_or_else(|| unreadable("too short"))?;
            repr.as_mut().copy_from_slice(source);
            Option::from(EqAffine::from_bytes(&repr)).ok_or_else(|| unreadable("a generator is not a point"))
        };
        let lagrange = (n..2 * n).map(point).collect::<Result<_, _>>()?;
        let w = point(2 * n)?;
        Ok(Self(Arc::new(Inner {
            params,
            lagrange,
            w,
            digest,
            domain: EvaluationDomain::new(DOMAIN_DEGREE, k),
            keys: Keys::default(),
        })))
    }

    /// `k`: the circuit has `n = 2^k` rows.
    pub fn k(&self) -> u32 {
        self.0.params.k()
    }

    /// The pinned digest of these parameters.
    pub fn digest(&self) -> [u8; 32] {
        self.0.digest
    }

    /// The parameters as the proof library takes them.
    pub(crate) fn params(&self) -> &Params<EqAffine> {
        &self.0.params
    }

    /// `G_0 .. G_{n-1}`.
    pub(crate) fn lagrange(&self) -> &[EqAffine] {
        &self.0.lagrange
    }

    /// The keys of the shapes that were last used.
    pub(crate) fn keys(&self) -> &Keys {
        &self.0.keys
    }

    /// The scalars that make of the coefficients' generators what `rows`, one scalar per row, make of the Lagrange basis.
    pub(crate) fn coefficients(&self, rows: Vec<Fp>) -> Vec<Fp> {
        let domain = &self.0.domain;
        domain.lagrange_to_coeff(domain.lagrange_from_vec(rows)).to_vec()
    }

    /// `W`.
    pub(crate) fn w(&self) -> EqAffine {
        self.0.w
    }
}

fn pinned_digest(k: u32) -> Result<[u8; 32], ParametersError> {
    k.checked_sub(MIN_K)
        .and_then(|index| PINNED_DIGESTS.get(index as usize))
        .and_then(|digest| unhex(digest))
        .ok_or(ParametersError::UnsupportedK { k })
}

fn digest_of(bytes: &[u8]) -> [u8; 32] {
    hash32(Personal::Parameters, &[bytes])
}

fn derive(k: u32) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(file_length(k));
    let written = Params::<EqAffine>::new(k).write(&mut bytes);
    debug_assert!(written.is_ok(), "writing to memory does not fail");
    bytes
}

fn file_length(k: u32) -> usize {
    HEADER_BYTES + POINT_BYTES * (2 * (1 << k) + 2)
}

/// The cached bytes, if there are exactly as many as there must be and their digest is the pinned one.
fn read_cached(path: &Path, k: u32, expected: &[u8; 32]) -> Option<Vec<u8>> {
    let length = file_length(k);
    // A FIFO in its place would block whoever opens it.
    if !fs::metadata(path).ok()?.is_file() {
        return None;
    }
    let mut bytes = Vec::with_capacity(length + 1);
    fs::File::open(path)
        .ok()?
        .take(length as u64 + 1)
        .read_to_end(&mut bytes)
        .ok()?;
    (bytes.len() == length && digest_of(&bytes) == *expected).then_some(bytes)
}

/// Writes beside the target and renames, so that two processes and a kill leave a whole file or none.
fn write_cached(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().ok_or(io::ErrorKind::NotFound)?;
    fs::create_dir_all(folder)?;
    let mut temporary = PathBuf::from(path);
    temporary.set_extension(format!("tmp{}", std::process::id()));
    let result = fs::File::create(&temporary)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&temporary, path));
    if result.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    result
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    for (byte, digits) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    }
    Some(bytes)
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
