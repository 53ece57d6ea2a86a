//! A statement: what a trader asserts, and the digest that binds a proof to everything public (protocol §7).
//!
//! A [`Statement`] holds only what travels in a bundle: what the verifier cannot know or recompute. Everything else comes
//! from the verifier's own hands as [`PublicFacts`], and the **statement digest** is over both:
//!
//! ```text
//! BLAKE2b-256, personalised zkmargin-stmt-v1, of the canonical CBOR array
//! [protocol version, compiler version, circuit version, network, folding rule, k, parameter digest, shape digest,
//!  universe digest, [snapshot digest…], [model digest…], [history digest]?, across-venue rule,
//!  [level, ratio, least excess, [order]?, [deposit]?], audience, book, nonce, from, until, [replaced statement]?,
//!  [[signed payload, key, signature]…]]
//! ```
//!
//! where `[x]?` is an array of none or one. Nothing public is outside it. In a bundle a statement is the array of its own
//! fields, from the terms to the end.

use thiserror::Error;
use zkmargin_circuits::{CIRCUIT_VERSION, FOLDING_RULE, PROTOCOL_VERSION};
use zkmargin_program::COMPILER_VERSION;
use zkmargin_risk::canonical::{Canonical, CanonicalError, Digest, Personal, Reader, Writer, digest};
use zkmargin_risk::instant::Instant;
use zkmargin_risk::terms::Terms;
use zkmargin_risk::universe::Network;

use crate::attestation::{AttestationError, SignedAttestation, read_instant};
use crate::book::Book;
use crate::dsse::PublicKey;

/// Most attestations of one statement.
pub const MAX_ATTESTATIONS: usize = 4096;

/// How accounts at several venues count together. There is one rule so far: full netting, legs of one account.
pub const ACROSS_VENUE_RULE: u64 = 0;

/// Public facts at the head of the digest's array.
const FACT_FIELDS: usize = 13;
/// A statement's own fields.
const STATEMENT_FIELDS: usize = 8;

/// When a statement may be relied on; both ends belong to it.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// The first instant.
    pub from: Instant,
    /// The last instant.
    pub until: Instant,
}

/// What a trader asserts and a bundle carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// Level, ratio `ρ`, least excess `e`, and the hypothetical order or deposit.
    pub terms: Terms,
    /// Whom the statement is made to.
    pub audience: PublicKey,
    /// The audience's credit line that it supports.
    pub book: Book,
    /// The audience's challenge, or random bytes where it waived one.
    pub nonce: [u8; 32],
    /// When it may be relied on.
    pub window: Window,
    /// Digest of the statement that this one takes the place of.
    pub replaces: Option<Digest>,
    /// The accounts, in the order of the universe's venues, then of their pseudonyms.
    pub attestations: Vec<SignedAttestation>,
}

/// Everything public that the verifier has from its own hands and a bundle never supplies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicFacts {
    /// Network of the universe.
    pub network: Network,
    /// `k` of the universe.
    pub k: u32,
    /// Digest of the commitment parameters.
    pub parameters: Digest,
    /// Digest of the circuit's shape, which follows from the program.
    pub shape: Digest,
    /// Digest of the universe.
    pub universe: Digest,
    /// Digests of the snapshots, the one at the epoch first.
    pub snapshots: Vec<Digest>,
    /// Digests of the models.
    pub models: Vec<Digest>,
    /// Digest of the price history, for models that need one.
    pub history: Option<Digest>,
}

/// Why bytes are no statement.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum StatementError {
    /// A field that does not decode.
    #[error("{0}")]
    Malformed(#[from] CanonicalError),
    /// An attestation that does not decode.
    #[error("attestation {}: {error}", index + 1)]
    Attestation {
        /// Its place in the statement, from 0.
        index: usize,
        /// What is wrong with it.
        error: AttestationError,
    },
}

impl Statement {
    /// The statement digest, over `facts` and this statement.
    pub fn digest(&self, facts: &PublicFacts) -> Digest {
        digest(Personal::Statement, &self.digest_preimage(facts))
    }

    /// The bytes that the statement digest is of.
    pub fn digest_preimage(&self, facts: &PublicFacts) -> Vec<u8> {
        // Taken apart by name: a fact that is added and not hashed does not compile.
        let PublicFacts {
            network,
            k,
            parameters,
            shape,
            universe,
            snapshots,
            models,
            history,
        } = facts;
        let mut w = Writer::new();
        w.array(FACT_FIELDS + STATEMENT_FIELDS);
        w.uint(u64::from(PROTOCOL_VERSION));
        w.uint(u64::from(COMPILER_VERSION));
        w.uint(u64::from(CIRCUIT_VERSION));
        w.uint(network.code());
        w.uint(u64::from(FOLDING_RULE));
        w.uint(u64::from(*k));
        w.bytes(&parameters.0);
        w.bytes(&shape.0);
        w.bytes(&universe.0);
        w.list(snapshots.iter(), |w, digest| w.bytes(&digest.0));
        w.list(models.iter(), |w, digest| w.bytes(&digest.0));
        w.option(history.as_ref(), |w, digest| w.bytes(&digest.0));
        w.uint(ACROSS_VENUE_RULE);
        self.write_fields(&mut w);
        w.into_bytes()
    }

    /// The distinct subjects of the attestations, in the order of their bytes.
    pub fn subjects(&self) -> Vec<PublicKey> {
        let mut subjects: Vec<PublicKey> = self
            .attestations
            .iter()
            .map(|signed| signed.content().subject)
            .collect();
        subjects.sort_unstable();
        subjects.dedup();
        subjects
    }

    /// Writes the statement's own fields, [`STATEMENT_FIELDS`] elements of an array.
    fn write_fields(&self, w: &mut Writer) {
        // Taken apart by name: a field that is added and not written does not compile.
        let Statement {
            terms,
            audience,
            book,
            nonce,
            window,
            replaces,
            attestations,
        } = self;
        let Window { from, until } = window;
        terms.write(w);
        w.bytes(audience.as_bytes());
        book.write(w);
        w.bytes(nonce);
        w.uint(from.millis());
        w.uint(until.millis());
        w.option(replaces.as_ref(), |w, digest| w.bytes(&digest.0));
        w.list(attestations.iter(), |w, attestation| {
            w.array(3);
            attestation.write_parts(w);
        });
    }

    /// Writes the array that a bundle carries.
    pub(crate) fn write(&self, w: &mut Writer) {
        w.array(STATEMENT_FIELDS);
        self.write_fields(w);
    }

    /// Reads what [`Statement::write`] writes; the caller compares encodings.
    pub(crate) fn read(r: &mut Reader<'_>) -> Result<Statement, StatementError> {
        r.array_of("statement", STATEMENT_FIELDS)?;
        let terms = Terms::read(r)?;
        let audience = PublicKey(r.byte_array("audience")?);
        let book = Book::read(r)?;
        let nonce = r.byte_array("nonce")?;
        let window = Window {
            from: read_instant(r, "from")?,
            until: read_instant(r, "until")?,
        };
        let replaces = r.option("replaced statement", |r| r.byte_array("replaced statement").map(Digest))?;
        let mut attestations = Vec::new();
        for index in 0..r.array("attestations", MAX_ATTESTATIONS)? {
            r.array_of("attestation", 3)?;
            let read = SignedAttestation::read_parts(r);
            attestations.push(read.map_err(|error| StatementError::Attestation { index, error })?);
        }
        Ok(Statement {
            terms,
            audience,
            book,
            nonce,
            window,
            replaces,
            attestations,
        })
    }
}

#[cfg(test)]
mod tests;
