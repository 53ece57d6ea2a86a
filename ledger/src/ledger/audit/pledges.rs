//! Attestations, releases, and the pledge that they make.

use std::collections::BTreeMap;

use zkmargin_risk::instant::Instant;
use zkmargin_store::{Row, Transaction};
use zkmargin_verifier::{Opening, Pseudonym, PublicKey, SignedAttestation, SignedRelease};

use super::{Check, words};
use crate::ledger::LedgerError;
use crate::ledger::import::instant;
use crate::ledger::pledge::{Standing, compare, millis};

/// An attestation of the database that verifies.
struct Checked {
    signed: SignedAttestation,
    /// When the ledger took a release of it, or of a later one that includes it.
    ended: Option<Instant>,
    /// Whether the release of it itself is there, and good.
    is_released: bool,
}

impl Check<'_> {
    /// Every attestation with its release, and whom the account is pledged to by all of them.
    pub(super) fn pledges(&mut self, tx: &mut Transaction<'_>) -> Result<(), LedgerError> {
        let values = &[self.account.into()];
        let account = tx.one(
            "SELECT subject, epoch, clock, (SELECT count(*) FROM accounts other WHERE other.subject = accounts.subject) \
             FROM accounts WHERE name = $1",
            values,
        )?;
        let subject = PublicKey(account.byte_array(0)?);
        if let Err(error) = subject.check() {
            self.found(format!("its subject: {error}"));
        }
        let rows = tx.rows(
            "SELECT digest, epoch, audience, book, ended, release_file, file, opening \
             FROM attestations WHERE account = $1 ORDER BY epoch",
            values,
        )?;
        let mut checked = Vec::with_capacity(rows.len());
        for row in &rows {
            self.audit.attestations += 1;
            match self.attestation(row, subject) {
                Ok(attestation) => checked.push(attestation),
                Err(what) => self.found(format!("the attestation of epoch {}: {what}", words(row.integer(1)?))),
            }
        }
        let kept = account.optional_integer(1)?;
        if rows.last().map(|row| row.integer(1)).transpose()? != kept {
            self.found("its last epoch is not that of its last attestation");
        }
        self.names(&checked);
        // Accounts are opened and never closed.
        let of_subject = account.unsigned(3)?;
        if checked
            .iter()
            .any(|attestation| u64::from(attestation.signed.content().accounts) > of_subject)
        {
            self.found("it is attested with more accounts of its subject than there are");
        }
        self.releases(&checked);
        let (standing, clock) = self.course(&checked);
        if account.optional_integer(2)? != clock.map(millis) {
            self.found("the instant at which it last signed is not the one that is kept");
        }
        if Standing::load(tx, self.account)? != standing {
            self.found("the pledge that is kept is not the one that its attestations and releases make");
        }
        Ok(())
    }

    /// An audience sees one pseudonym of an account, and no other account has it.
    fn names(&mut self, checked: &[Checked]) {
        let mut own: BTreeMap<PublicKey, Pseudonym> = BTreeMap::new();
        for attestation in checked {
            let content = attestation.signed.content();
            let (audience, pseudonym, epoch) = (content.audience, content.account, content.epoch);
            if *own.entry(audience).or_insert(pseudonym) != pseudonym {
                self.found(format!(
                    "the attestation of epoch {epoch} calls it by another pseudonym than the ones before it"
                ));
            }
            let owner = self
                .names
                .entry((audience, pseudonym))
                .or_insert_with(|| self.account.to_owned());
            if owner.as_str() != self.account {
                let what = format!("the attestation of epoch {epoch} calls it by the pseudonym of account {owner:?}");
                self.found(what);
            }
        }
    }

    /// An attestation ends by a release of itself, or of a later one to the same audience and book, and by nothing else.
    fn releases(&mut self, checked: &[Checked]) {
        // When what was attested so far, the last first, was given back.
        let mut given_back = BTreeMap::new();
        for attestation in checked.iter().rev() {
            let content = attestation.signed.content();
            let terms = (content.audience, &content.book);
            if attestation.is_released {
                given_back.insert(terms, attestation.ended);
            }
            let released = given_back.get(&terms).copied().flatten();
            let what = match (attestation.ended, released) {
                (ended, released) if ended == released => continue,
                (Some(_), None) => "has ended, and nobody released it",
                (None, _) => "is released, and has not ended",
                (Some(_), Some(_)) => "has ended, at another instant than that at which it was released",
            };
            self.found(format!("the attestation of epoch {} {what}", content.epoch));
        }
    }

    /// What signing and releasing, one after another, leaves: the pledge, and the clock.
    fn course(&mut self, checked: &[Checked]) -> (Option<Standing>, Option<Instant>) {
        let (mut standing, mut clock) = (None::<Standing>, None);
        for attestation in checked {
            let content = attestation.signed.content();
            let (epoch, time) = (content.epoch, content.time);
            if clock > Some(time) {
                self.found(format!(
                    "the attestation of epoch {epoch} is signed before what came before it"
                ));
            }
            let before = standing.filter(|standing| time <= standing.until);
            let is_others = |before: &Standing| (before.audience, &before.book) != (content.audience, &content.book);
            if before.as_ref().is_some_and(is_others) {
                self.found(format!(
                    "the attestation of epoch {epoch} is signed while the account was pledged to another audience or book"
                ));
            }
            let next = Standing::next(before, content, attestation.signed.digest());
            standing = Some(next).filter(|_| !attestation.is_released);
            clock = clock
                .max(Some(time))
                .max(attestation.ended.filter(|_| attestation.is_released));
        }
        (standing, clock)
    }

    /// An attestation that is what was recorded, of this account by this venue, verifies, and is opened by its opening.
    fn attestation(&self, row: &Row, subject: PublicKey) -> Result<Checked, String> {
        let text = |error: &dyn std::error::Error| error.to_string();
        let bytes = |column| row.bytes(column).map_err(|error| text(&error));
        let signed = SignedAttestation::from_bytes(bytes(6)?).map_err(|error| text(&error))?;
        signed.verify().map_err(|error| text(&error))?;
        let content = signed.content();
        let is_recorded = bytes(0)? == signed.digest().0
            && row.integer(1).ok() == Some(millis(content.epoch))
            && bytes(2)? == content.audience.as_bytes()
            && row.text(3).map_err(|error| text(&error))? == content.book.as_str();
        if !is_recorded {
            return Err("it is recorded as another".to_owned());
        }
        let universe = self.universes.get(&content.universe);
        let venue = universe.and_then(|universe| universe.venue(&self.facts.name));
        let is_ours = venue
            .is_some_and(|(_, venue)| content.venue == venue.name && venue.keys.contains(signed.key().as_bytes()))
            && universe.is_some_and(|universe| universe.network() == content.network);
        if !is_ours {
            return Err(
                "no key of this venue signed it, for this venue, in a universe that the ledger has had".to_owned(),
            );
        }
        if content.subject != subject {
            return Err("it is of another subject".to_owned());
        }
        let opening = Opening::from_bytes(bytes(7)?).map_err(|error| text(&error))?;
        opening
            .check(&self.facts.parameters, content)
            .map_err(|error| text(&error))?;
        let ended = row.optional_integer(4).map_err(|error| text(&error))?;
        let ended = ended
            .map(|ended| instant(ended).ok_or_else(|| "it ended at no instant".to_owned()))
            .transpose()?;
        let release = row.optional_bytes(5).map_err(|error| text(&error))?;
        if let Some(release) = release {
            let release = SignedRelease::from_bytes(release).map_err(|error| text(&error))?;
            release.verify().map_err(|error| text(&error))?;
            compare(release.content(), &signed).map_err(|error| text(&error))?;
            let (of, time) = (release.content().attestation, release.content().time);
            if of != signed.digest() || time < content.time || ended.is_none_or(|ended| ended < time) {
                return Err("its release is of another, or of another time".to_owned());
            }
        }
        Ok(Checked {
            is_released: release.is_some(),
            signed,
            ended,
        })
    }
}
