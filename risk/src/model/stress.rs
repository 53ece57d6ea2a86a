//! What the stress-based portfolio margins share: figures of a contract under stress, matched amounts, progressive tiers.

pub(crate) mod checks;
pub(crate) mod figures;
pub(crate) mod matched;
pub mod parameters;
