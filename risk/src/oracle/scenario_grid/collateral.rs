//! What of the collateral moves with an underlying.

use num_rational::BigRational;
use num_traits::Zero;

use super::Desk;
use crate::oracle::Collateral;

impl Desk<'_> {
    /// `Σ (p_a / p_M) A_a` over the assets that move with an underlying.
    pub(super) fn moving_collateral(&self, name: &str, collateral: &[Collateral]) -> BigRational {
        let parameters = self.parameters;
        let mut moving = BigRational::zero();
        for line in collateral.iter().filter(|line| line.uncounted.is_none()) {
            let moves_with = parameters
                .assets
                .get(&line.asset)
                .and_then(|asset| asset.underlying.as_deref());
            if let (true, Some(price)) = (moves_with == Some(name), &line.price) {
                let amount = if parameters.collateral_in_scenarios {
                    &line.carry + &line.balance - &line.debt - &line.reserve
                } else {
                    line.carry.clone()
                };
                moving += price / &self.book.numeraire_price * amount;
            }
        }
        moving
    }
}
