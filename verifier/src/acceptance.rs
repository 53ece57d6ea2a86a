//! Whether a partner's policy accepts what it is shown. Facts ([`crate::facts`]) come before, signatures and the proof after.

use std::collections::BTreeSet;

use thiserror::Error;
use zkmargin_risk::canonical::Digest;
use zkmargin_risk::instant::Instant;
use zkmargin_risk::terms::{Level, Margin, Ratio20};
use zkmargin_risk::universe::Network;

use crate::age::Age;
use crate::book::Book;
use crate::dsse::PublicKey;
use crate::facts::{Place, account_counts};
use crate::keys::KeyRefusal;
use crate::policy::{AcceptedSnapshots, NonceRule, Policy};
use crate::statement::Statement;
use crate::words::{keys, listed, network};

/// The files that the verifier was given, as a policy sees them.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Presented {
    /// Network of the universe.
    pub network: Network,
    /// Digest of the universe.
    pub universe: Digest,
    /// Digest of the snapshot.
    pub snapshot: Digest,
    /// Instant of the snapshot.
    pub snapshot_instant: Instant,
    /// For variation, digest and instant of the later snapshot.
    pub later: Option<(Digest, Instant)>,
    /// Digest of the model.
    pub model: Digest,
}

/// Why a policy does not accept. `at` is the instant of verification.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PolicyRefusal {
    /// Another network.
    #[error("the universe is of network {}, the policy is for {}", network(*found), network(*expected))]
    Network {
        /// The universe's.
        found: Network,
        /// The policy's.
        expected: Network,
    },
    /// A universe that is not accepted.
    #[error("universe {found} is not one of the policy's: {}", listed(accepted.iter()))]
    Universe {
        /// Its digest.
        found: Digest,
        /// Those that the policy accepts.
        accepted: BTreeSet<Digest>,
    },
    /// A model that is not accepted.
    #[error("model {found} is not one of the policy's: {}", listed(accepted.iter()))]
    Model {
        /// Its digest.
        found: Digest,
        /// Those that the policy accepts.
        accepted: BTreeSet<Digest>,
    },
    /// A snapshot that is not accepted.
    #[error("snapshot {found} is not one of the policy's: {}", listed(accepted.iter()))]
    Snapshot {
        /// Its digest.
        found: Digest,
        /// Those that the policy accepts.
        accepted: BTreeSet<Digest>,
    },
    /// A snapshot that is too old.
    #[error("the snapshot is of {instant}, at {at} that is more than {most} ago")]
    SnapshotAge {
        /// Its instant.
        instant: Instant,
        /// Instant of verification.
        at: Instant,
        /// The oldest that is accepted.
        most: Age,
    },
    /// A window that reaches too far beyond the facts.
    #[error("statement {} is good until {until}, more than {most} after the snapshot of {instant}", statement + 1)]
    Validity {
        /// The statement.
        statement: usize,
        /// The last instant of its window.
        until: Instant,
        /// The snapshot's instant.
        instant: Instant,
        /// How long after it a window may end.
        most: Age,
    },
    /// An attestation that is too old.
    #[error("{place}: signed at {time}, at {at} that is more than {most} ago")]
    AttestationAge {
        /// The attestation.
        place: Box<Place>,
        /// When it was signed.
        time: Instant,
        /// Instant of verification.
        at: Instant,
        /// The oldest that is accepted.
        most: Age,
    },
    /// Made to somebody else.
    #[error("statement {} is made to audience {found}, the policy is of {expected}", statement + 1)]
    Audience {
        /// The statement.
        statement: usize,
        /// Its audience.
        found: PublicKey,
        /// The policy's.
        expected: PublicKey,
    },
    /// For a credit line that the policy does not have.
    #[error(
        "statement {} is for book {:?}, which is not one of the policy's: {}", statement + 1,
        found.as_str(),
        listed(accepted.iter().map(|book| format!("{:?}", book.as_str())))
    )]
    Book {
        /// The statement.
        statement: usize,
        /// Its book.
        found: Book,
        /// Those that the policy has.
        accepted: BTreeSet<Book>,
    },
    /// A venue that is not accepted.
    #[error("{place}: the policy does not accept this venue")]
    Venue {
        /// The attestation.
        place: Box<Place>,
    },
    /// A key that is not accepted for the venue.
    #[error("{place}: the policy does not accept the key {key} for this venue")]
    Key {
        /// The attestation.
        place: Box<Place>,
        /// The key that is said to have signed.
        key: PublicKey,
    },
    /// Signed before the key was good.
    #[error("{place}: signed at {time} with the key {key}, which the policy accepts from {from} on")]
    KeyNotYetValid {
        /// The attestation.
        place: Box<Place>,
        /// The key.
        key: PublicKey,
        /// When it signed.
        time: Instant,
        /// The first instant at which it may.
        from: Instant,
    },
    /// Signed after the key was good.
    #[error("{place}: signed at {time} with the key {key}, which the policy accepts until {until}")]
    KeyNoLongerValid {
        /// The attestation.
        place: Box<Place>,
        /// The key.
        key: PublicKey,
        /// When it signed.
        time: Instant,
        /// The last instant at which it may.
        until: Instant,
    },
    /// Signed with a key that is revoked, whatever date it wrote.
    #[error("{place}: signed with the key {key}, which the policy revoked at {revoked}; it is {at}")]
    KeyRevoked {
        /// The attestation.
        place: Box<Place>,
        /// The key.
        key: PublicKey,
        /// The first instant at which nothing of it is believed.
        revoked: Instant,
        /// Instant of verification.
        at: Instant,
    },
    /// A venue that must be there and is not.
    #[error("statement {} has no attestation of venue {venue:?}, which the policy requires", statement + 1)]
    RequiredVenue {
        /// The statement.
        statement: usize,
        /// The venue.
        venue: String,
    },
    /// Several subjects that are not known to be one party.
    #[error("statement {} is about subjects that no group of the policy has together: {}", statement + 1, keys(subjects))]
    Subjects {
        /// The statement.
        statement: usize,
        /// Its subjects, at least two.
        subjects: Vec<PublicKey>,
    },
    /// An account of a subject is missing.
    #[error(
        "statement {} has {found} of the {said} accounts of subject {subject} at venue {venue:?}, the policy demands all", statement + 1
    )]
    AccountMissing {
        /// The statement.
        statement: usize,
        /// The venue.
        venue: String,
        /// The subject.
        subject: PublicKey,
        /// Accounts in the statement.
        found: usize,
        /// Accounts that the venue says there are.
        said: u32,
    },
    /// A subject of a party has no account at a venue of the statement.
    #[error(
        "statement {} has no account of subject {subject} at venue {venue:?}: the policy demands all accounts of a party at each venue, so each of its subjects must have one there",
        statement + 1
    )]
    SubjectMissing {
        /// The statement.
        statement: usize,
        /// The venue.
        venue: String,
        /// The subject, which a group has together with those of the statement.
        subject: PublicKey,
    },
    /// An order or a deposit that is only supposed.
    #[error("statement {} holds only after the {what} {text:?}, which may never be: the policy takes none", statement + 1)]
    Hypothetical {
        /// The statement.
        statement: usize,
        /// `order` or `deposit`.
        what: &'static str,
        /// Its text.
        text: String,
    },
    /// A venue that does not hold withdrawals.
    #[error("{place}: withdrawals are not held, the policy demands that they are")]
    NotHeld {
        /// The attestation.
        place: Box<Place>,
    },
    /// A lower level than demanded.
    #[error("statement {} is of level {found}, the policy demands {expected}", statement + 1)]
    Level {
        /// The statement.
        statement: usize,
        /// Its level.
        found: Margin,
        /// The policy's.
        expected: Margin,
    },
    /// A smaller ratio than demanded.
    #[error("statement {} is of ratio {found}, the policy demands at least {expected}", statement + 1)]
    Ratio {
        /// The statement.
        statement: usize,
        /// Its ratio.
        found: Ratio20,
        /// The policy's.
        expected: Ratio20,
    },
    /// A smaller excess than demanded.
    #[error("statement {} is of excess {found}, the policy demands at least {expected}", statement + 1)]
    Excess {
        /// The statement.
        statement: usize,
        /// Its excess, in whole units of the numéraire.
        found: u64,
        /// The policy's.
        expected: u64,
    },
    /// The policy requires a nonce and the verifier was told none.
    #[error("the policy requires a nonce: give the one that was drawn for this statement")]
    NonceNotGiven,
    /// Another nonce than the one that was drawn.
    #[error(
        "statement {} carries nonce {}, expected {}", statement + 1,
        hex::encode(found),
        hex::encode(expected)
    )]
    Nonce {
        /// The statement.
        statement: usize,
        /// Its nonce.
        found: [u8; 32],
        /// The one that was drawn.
        expected: [u8; 32],
    },
}

impl Policy {
    /// Whether this policy accepts `statements` about the facts `presented`, at the instant `at`; `nonce` is the one that the
    /// partner drew for them, if any.
    ///
    /// # Errors
    /// The first [`PolicyRefusal`].
    pub(crate) fn accept(
        &self,
        presented: &Presented,
        statements: &[&Statement],
        nonce: Option<[u8; 32]>,
        at: Instant,
    ) -> Result<(), PolicyRefusal> {
        self.accept_facts(presented, statements, at)?;
        if nonce.is_none() && self.nonce == NonceRule::Required {
            return Err(PolicyRefusal::NonceNotGiven);
        }
        for (index, statement) in statements.iter().enumerate() {
            self.accept_terms(index, statement, nonce)?;
            self.accept_attestations(index, statement, at)?;
            self.accept_party(index, statement)?;
        }
        Ok(())
    }

    fn accept_facts(&self, presented: &Presented, statements: &[&Statement], at: Instant) -> Result<(), PolicyRefusal> {
        if presented.network != self.network {
            return Err(PolicyRefusal::Network {
                found: presented.network,
                expected: self.network,
            });
        }
        if !self.universes.contains(&presented.universe) {
            return Err(PolicyRefusal::Universe {
                found: presented.universe,
                accepted: self.universes.clone(),
            });
        }
        if !self.models.contains(&presented.model) {
            return Err(PolicyRefusal::Model {
                found: presented.model,
                accepted: self.models.clone(),
            });
        }
        let own = (presented.snapshot, presented.snapshot_instant);
        let listed = match &self.snapshots {
            // Who signed it is looked at with the other signatures.
            AcceptedSnapshots::Given | AcceptedSnapshots::Signed(_) => None,
            AcceptedSnapshots::Listed(digests) => Some(digests),
        };
        for (found, _) in [Some(own), presented.later].into_iter().flatten() {
            if let Some(accepted) = listed.filter(|listed| !listed.contains(&found)) {
                return Err(PolicyRefusal::Snapshot {
                    found,
                    accepted: accepted.clone(),
                });
            }
        }
        for (index, statement) in statements.iter().enumerate() {
            // Variation says what the market is at the later one; a level, at the first, whatever else is there.
            let (_, instant) = match statement.terms.margin {
                Margin::Variation => presented.later.unwrap_or(own),
                Margin::Level(_) => own,
            };
            if at.millis_since(instant) > self.max_snapshot_age.millis() {
                return Err(PolicyRefusal::SnapshotAge {
                    instant,
                    at,
                    most: self.max_snapshot_age,
                });
            }
            let until = statement.window.until;
            if let Some(most) = self
                .max_validity
                .filter(|most| until.millis_since(instant) > most.millis())
            {
                return Err(PolicyRefusal::Validity {
                    statement: index,
                    until,
                    instant,
                    most,
                });
            }
        }
        Ok(())
    }

    fn accept_terms(&self, index: usize, statement: &Statement, nonce: Option<[u8; 32]>) -> Result<(), PolicyRefusal> {
        if statement.audience != self.audience {
            return Err(PolicyRefusal::Audience {
                statement: index,
                found: statement.audience,
                expected: self.audience,
            });
        }
        if !self.books.contains(&statement.book) {
            return Err(PolicyRefusal::Book {
                statement: index,
                found: statement.book.clone(),
                accepted: self.books.clone(),
            });
        }
        if let Some(expected) = nonce.filter(|nonce| *nonce != statement.nonce) {
            return Err(PolicyRefusal::Nonce {
                statement: index,
                found: statement.nonce,
                expected,
            });
        }
        let (order, deposit) = (&statement.terms.order, &statement.terms.deposit);
        let order = order.as_ref().filter(|_| !self.hypothetical_orders);
        let deposit = deposit.as_ref().filter(|_| !self.hypothetical_deposits);
        let refused = order
            .map(|order| ("order", order.to_string()))
            .or(deposit.map(|deposit| ("deposit", deposit.to_string())));
        if let Some((what, text)) = refused {
            return Err(PolicyRefusal::Hypothetical {
                statement: index,
                what,
                text,
            });
        }
        if !suffices(statement.terms.margin, self.level) {
            return Err(PolicyRefusal::Level {
                statement: index,
                found: statement.terms.margin,
                expected: self.level,
            });
        }
        if statement.terms.ratio < self.ratio {
            return Err(PolicyRefusal::Ratio {
                statement: index,
                found: statement.terms.ratio,
                expected: self.ratio,
            });
        }
        if statement.terms.excess < self.excess {
            return Err(PolicyRefusal::Excess {
                statement: index,
                found: statement.terms.excess,
                expected: self.excess,
            });
        }
        Ok(())
    }

    fn accept_attestations(&self, index: usize, statement: &Statement, at: Instant) -> Result<(), PolicyRefusal> {
        for signed in &statement.attestations {
            let content = signed.content();
            let place = || Box::new(Place::of(index, content));
            let keys = self
                .venues
                .get(&content.venue)
                .ok_or_else(|| PolicyRefusal::Venue { place: place() })?;
            let (key, time) = (signed.key(), content.time);
            keys.accept(key, time, at).map_err(|refusal| match refusal {
                KeyRefusal::Unknown => PolicyRefusal::Key { place: place(), key },
                KeyRefusal::NotYetValid { from } => PolicyRefusal::KeyNotYetValid {
                    place: place(),
                    key,
                    time,
                    from,
                },
                KeyRefusal::NoLongerValid { until } => PolicyRefusal::KeyNoLongerValid {
                    place: place(),
                    key,
                    time,
                    until,
                },
                KeyRefusal::Revoked { revoked } => PolicyRefusal::KeyRevoked {
                    place: place(),
                    key,
                    revoked,
                    at,
                },
            })?;
            if self.held && !content.held {
                return Err(PolicyRefusal::NotHeld { place: place() });
            }
            let most = self.max_attestation_age;
            if at.millis_since(content.time) > most.millis() {
                return Err(PolicyRefusal::AttestationAge {
                    place: place(),
                    time: content.time,
                    at,
                    most,
                });
            }
        }
        let present = |venue: &&String| {
            statement
                .attestations
                .iter()
                .any(|signed| signed.content().venue == **venue)
        };
        match self.required_venues.iter().find(|venue| !present(venue)) {
            Some(venue) => Err(PolicyRefusal::RequiredVenue {
                statement: index,
                venue: venue.clone(),
            }),
            None => Ok(()),
        }
    }

    fn accept_party(&self, index: usize, statement: &Statement) -> Result<(), PolicyRefusal> {
        let subjects = statement.subjects();
        let has_all = |group: &&BTreeSet<PublicKey>| subjects.iter().all(|subject| group.contains(subject));
        // At most one: a policy with a subject in two groups is none.
        let party = self.subject_groups.iter().find(has_all);
        if subjects.len() > 1 && party.is_none() {
            return Err(PolicyRefusal::Subjects {
                statement: index,
                subjects,
            });
        }
        if !self.all_accounts {
            return Ok(());
        }
        let counts = account_counts(statement);
        for (&(venue, subject), count) in &counts {
            if usize::try_from(count.most).map_or(true, |most| count.found < most) {
                let (venue, found, said) = (venue.to_owned(), count.found, count.most);
                return Err(PolicyRefusal::AccountMissing {
                    statement: index,
                    venue,
                    subject,
                    found,
                    said,
                });
            }
        }
        // What one key of a party hides behind another, nobody says: a venue counts the accounts of each key by itself.
        let venues: BTreeSet<&str> = counts.keys().map(|(venue, _)| *venue).collect();
        let mut pairs = venues
            .into_iter()
            .flat_map(|venue| party.into_iter().flatten().map(move |subject| (venue, *subject)));
        match pairs.find(|pair| !counts.contains_key(pair)) {
            Some((venue, subject)) => Err(PolicyRefusal::SubjectMissing {
                statement: index,
                venue: venue.to_owned(),
                subject,
            }),
            None => Ok(()),
        }
    }
}

/// Whether what is proven is what is demanded: initial margin is also maintenance margin, variation is neither.
fn suffices(found: Margin, demanded: Margin) -> bool {
    found == demanded || matches!((found, demanded), (Margin::Level(Level::Initial), Margin::Level(_)))
}

#[cfg(test)]
mod tests;
