//! What the partner gives back.

use zkmargin_risk::instant::Instant;
use zkmargin_store::Transaction;

use crate::registry::{Registry, RegistryError, clock, instant, millis};
use crate::release::{Release, SignedRelease};

impl Registry {
    /// Records that the partner released an account: from the release's time on, statements that rest on its attestation or an earlier one are over,
    /// and none is accepted any more. Record a release **before** it is handed out. The same one again changes nothing.
    ///
    /// Other accounts of such a statement are called, from when it is recorded if that is later: what was proven of all together holds of none
    /// alone.
    ///
    /// # Errors
    /// [`RegistryError::OthersRelease`], [`RegistryError::ReleaseSignature`], [`RegistryError::EarlyRelease`], [`RegistryError::Store`].
    pub fn release(&mut self, release: &SignedRelease, at: Instant) -> Result<(), RegistryError> {
        let (expected_on, expected) = self.owner;
        let Release { network, audience, .. } = *release.content();
        if (network, audience) != (expected_on, expected) {
            return Err(RegistryError::OthersRelease {
                found: audience,
                on: network,
                expected,
                expected_on,
            });
        }
        release.verify()?;
        self.store.write(|tx| write(tx, release, at))
    }
}

fn write(tx: &mut Transaction<'_>, release: &SignedRelease, at: Instant) -> Result<(), RegistryError> {
    let content = release.content();
    let (venue, account, time) = (content.venue.as_str(), &content.account.0, content.time);
    let at = at.max(clock(tx)?);
    if time > at {
        return Err(RegistryError::EarlyRelease { time, at });
    }
    tx.execute(
        "INSERT INTO releases (attestation, venue, account, time, recorded, bytes) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
        &[
            (&content.attestation.0).into(),
            venue.into(),
            account.into(),
            millis(time).into(),
            millis(at).into(),
            release.to_bytes().as_slice().into(),
        ],
    )?;
    // Its last instant is the one before the release.
    let last = Instant::from_millis(time.millis().saturating_sub(1)).unwrap_or(time);
    let over = tx.rows(
        "SELECT s.digest, s.due, s.ends, s.lapses FROM holdings h JOIN statements s ON s.digest = h.statement
         WHERE h.venue = $1 AND h.account = $2 AND h.attested <= $3 AND s.replaced_by IS NULL AND s.ends > $4",
        &[venue.into(), account.into(), millis(time).into(), millis(last).into()],
    )?;
    for row in &over {
        let digest: [u8; 32] = row.byte_array(0)?;
        let (due, ends, lapses) = (
            instant(row, 1, "due")?,
            instant(row, 2, "ends")?,
            instant(row, 3, "lapses")?,
        );
        // Called from now on, unless it was before.
        let grace = lapses.millis().saturating_sub(ends.millis());
        let lapses = at.checked_add(grace).unwrap_or(lapses).min(lapses);
        tx.execute(
            "UPDATE statements SET due = $1, ends = $2, lapses = $3 WHERE digest = $4",
            &[
                millis(due.min(last)).into(),
                millis(last).into(),
                millis(lapses).into(),
                (&digest).into(),
            ],
        )?;
    }
    Ok(())
}
