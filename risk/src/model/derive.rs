//! The portfolio models of Derive: PM2 and, before it, PMRM. Their rules are written with their parameters ([`pm2`],
//! [`pmrm1`]) and their prices; here is what becomes of them.
//!
//! Both say: what a book is worth, less a factor times the loss of its worst row, less charges. Options of one expiry are
//! discounted together in a row, by one factor where they are worth something and by another where they are owed; the row that
//! turns the smile counts a gain as a loss. So a row is not linear in the book: every expiry and row has a hidden variable for the
//! difference of the two discounts, and every expiry and skew row a bit.

mod check;
mod desk;
pub mod parameters;
pub mod pm2;
pub mod pmrm1;
#[cfg(test)]
mod tests;
pub(crate) mod values;

/// On which side both err: whether a perpetual is held is hidden, whether one is listed is not.
pub(crate) const LISTED_PERPETUAL: &str = "a low confidence of a listed perpetual counts whether or not one is held";

pub use pm2::Pm2;
pub use pmrm1::Pmrm1;
