//! What the stress-based portfolio margins share: figures of a contract under stress, progressive tiers.

pub(crate) mod checks;
pub(crate) mod figures;
pub mod parameters;
pub(crate) mod progressive;
