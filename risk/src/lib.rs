//! Facts and rules of margin: what there is to hold, what the market said, and what a model makes of it.
//!
//! The facts come first. A [`Universe`](universe::Universe) says which venues there are, which instruments and assets each
//! lists, and in which row of which column every leg of an account stands. A [`Snapshot`](market::Snapshot) is a market
//! at one instant, a [`History`](history::History) one of many days. An [`AccountVector`](account::AccountVector) is what one account at one venue holds, in whole lots.
//! Universes, snapshots and histories are public and have [digests](canonical::Digest), which is how statements name them.
//!
//! Numbers of files are decimals, never binary floats: text becomes a [`Decimal`](rust_decimal::Decimal) exactly, and a
//! decimal becomes lots exactly or not at all.
//!
//! # Modules
//! - [`instant`], [`amount`], [`symbol`], [`json`]: the words that files are written in;
//! - [`canonical`]: the one byte string of a fact, and its digest;
//! - [`universe`], [`listing`], [`venue_file`]: instruments, assets, lots, and the layout that follows from them;
//! - [`account`]: signed decimal positions and balances to legs in lots;
//! - [`market`]: the snapshot; [`history`]: a close a day; [`import`]: both from other people's recordings;
//! - [`pricing`], [`valuation`], [`scenario`]: what a contract is worth, now and under a shock;
//! - [`model`], [`collateral`], [`terms`]: what a margin model makes of it, as a program.
//! - [`oracle`], [`report`], [`case`]: the same exactly, for the trader, and for anyone with figures of their own.

/// A `Debug` that shows nothing but the type's name, for what is a trader's secret. It stands before the modules, which use it.
macro_rules! opaque_debug {
    ($($secret:ident)*) => {$(
        impl std::fmt::Debug for $secret {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($secret)).finish_non_exhaustive()
            }
        }
    )*};
}

pub mod account;
pub mod amount;
pub mod canonical;
pub mod case;
pub mod collateral;
pub mod history;
pub mod import;
pub mod instant;
pub mod json;
pub mod listing;
pub mod market;
pub mod model;
pub mod oracle;
pub mod pricing;
pub mod report;
pub mod scenario;
pub mod symbol;
pub mod terms;
pub mod universe;
pub mod valuation;
pub mod venue_file;
