//! The asset terms: what is held and owed, what of it counts, and what of it moves.

use std::collections::BTreeMap;

use num_rational::BigRational;
use num_traits::{One, Zero};

use super::Book;
use crate::amount::to_ratio;
use crate::oracle::{Collateral, smaller, whole};
use crate::universe::Asset;

impl Book<'_> {
    /// The asset terms of `V`, one per asset of which there is anything.
    pub(super) fn collateral(&self) -> Vec<Collateral> {
        let mut lines: BTreeMap<String, Collateral> = BTreeMap::new();
        for (_, asset) in self.coverage.universe.assets() {
            let coins = |lots: u64| to_ratio(asset.lot) * whole(lots);
            let balance = coins(self.lots(asset.balance));
            let debt = coins(self.lots(asset.debt));
            let carry = asset.carry.map_or_else(BigRational::zero, |pair| {
                coins(self.lots(pair.first)) - coins(self.lots(pair.second))
            });
            let reserve = asset
                .reserve
                .map_or_else(BigRational::zero, |leg| coins(self.lots(leg)));
            let line = lines.entry(asset.label()).or_insert_with(|| self.empty_line(asset));
            line.balance += balance;
            line.debt += debt;
            line.carry += carry;
            line.reserve += reserve;
        }
        let mut lines: Vec<Collateral> = lines.into_values().collect();
        lines.retain(|line| {
            [&line.balance, &line.debt, &line.carry, &line.reserve]
                .iter()
                .any(|coins| !coins.is_zero())
        });
        for line in &mut lines {
            let Some(price) = &line.price else { continue };
            let conversion = price / &self.numeraire_price;
            let owed = &line.carry - &line.debt - &line.reserve;
            line.market_value = &conversion * (&line.balance + &owed);
            if line.uncounted.is_none() {
                let capped = line
                    .cap
                    .clone()
                    .map_or_else(|| line.balance.clone(), |cap| smaller(line.balance.clone(), cap));
                line.counted = (BigRational::one() - &line.haircut) * capped;
                line.value = conversion * (&line.counted + owed);
            }
        }
        lines
    }

    fn empty_line(&self, asset: &Asset) -> Collateral {
        let rules = self.coverage.parameters.assets.get(&asset.name);
        let zero = BigRational::zero();
        Collateral {
            asset: asset.label(),
            uncounted: self.coverage.line(asset).err(),
            balance: zero.clone(),
            debt: zero.clone(),
            carry: zero.clone(),
            reserve: zero.clone(),
            price: self.coverage.price(&asset.name),
            haircut: rules.map_or_else(BigRational::zero, |rules| to_ratio(rules.haircut)),
            cap: rules.and_then(|rules| rules.cap).map(to_ratio),
            counted: zero.clone(),
            value: zero.clone(),
            market_value: zero,
        }
    }

    /// `Σ (p_a / p_M) A_a` over the assets that move with an underlying.
    pub(super) fn moving_collateral(&self, name: &str, collateral: &[Collateral]) -> BigRational {
        let parameters = self.coverage.parameters;
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
                moving += price / &self.numeraire_price * amount;
            }
        }
        moving
    }
}
