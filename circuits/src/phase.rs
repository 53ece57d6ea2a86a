//! The phases of a prover's work, for whoever measures where its time goes.
//!
//! At the end of each phase there is an event of [`tracing`] at the level `TRACE` with the target [`TARGET`] and one field, `ended`, the
//! phase's [name](Phase::name). Events say nothing else: no size, no value. Without a subscriber that wants them they cost a comparison.
//!
//! Within the proof library, the phases are told from the challenges that it squeezes, whose order is that of its protocol.

/// The target of the events.
pub const TARGET: &str = "zkmargin_circuits::phase";

/// A phase of a prover's work, in the order in which they come (protocol §7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// The shape, the check of the openings, the hidden variables and their four squares.
    Witness,
    /// The commitments `C'_q` and `C'_x`, predicted.
    Commit,
    /// The projections, and the commitments `C'_z`.
    Project,
    /// The matrices times the challenge, and the commitments `C'_a`, `C'_b`, `C'_s`.
    Fold,
    /// The Schnorr proof of the link.
    Link,
    /// The proof library's own commitments to all columns, with those of the accumulators, and the columns' transforms.
    Columns,
    /// The columns of the lookups, and the random polynomial.
    Lookups,
    /// The quotient of the gates, and the commitments to its pieces.
    Quotient,
    /// The evaluations of all polynomials, and their combination to one.
    Combine,
    /// The inner-product argument that opens it.
    Open,
}

impl Phase {
    /// All, in their order.
    pub const ALL: [Phase; 10] = [
        Phase::Witness,
        Phase::Commit,
        Phase::Project,
        Phase::Fold,
        Phase::Link,
        Phase::Columns,
        Phase::Lookups,
        Phase::Quotient,
        Phase::Combine,
        Phase::Open,
    ];

    /// A word for it.
    pub fn name(self) -> &'static str {
        match self {
            Phase::Witness => "witness",
            Phase::Commit => "commit",
            Phase::Project => "project",
            Phase::Fold => "fold",
            Phase::Link => "link",
            Phase::Columns => "columns",
            Phase::Lookups => "lookups",
            Phase::Quotient => "quotient",
            Phase::Combine => "combine",
            Phase::Open => "open",
        }
    }

    /// What is done in it, for a reader of figures.
    pub fn meaning(self) -> &'static str {
        match self {
            Phase::Witness => "shape, openings, hidden variables, four squares",
            Phase::Commit => "predicted commitments to q and x",
            Phase::Project => "projections, predicted commitments to z",
            Phase::Fold => "matrices times challenge, commitments to a, b and s",
            Phase::Link => "Schnorr proof of the link",
            Phase::Columns => "all columns once more, accumulators, transforms",
            Phase::Lookups => "columns of the lookups, the random polynomial",
            Phase::Quotient => "quotient of the gates and its commitments",
            Phase::Combine => "evaluations, and their combination",
            Phase::Open => "the inner-product argument",
        }
    }

    /// Says that it has ended.
    pub(crate) fn ended(self) {
        tracing::trace!(target: TARGET, ended = self.name());
    }

    /// The phase that the proof library ends when it squeezes this challenge of its own, counted from the first.
    pub(crate) fn of_challenge(index: usize) -> Option<Phase> {
        match index {
            // theta; after beta and gamma, y; x; after x_1 and x_2, x_3 and x_4.
            0 => Some(Phase::Columns),
            3 => Some(Phase::Lookups),
            4 => Some(Phase::Quotient),
            8 => Some(Phase::Combine),
            _ => None,
        }
    }
}
