//! A book as every rule reads it: lots, what counts of it, and what its collateral is worth.

use std::collections::{BTreeMap, BTreeSet};

use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::{One, Zero};
use zkmargin_program::LegId;

use crate::amount::to_ratio;
use crate::market::Snapshot;
use crate::model::Model;
use crate::model::assets::AssetParameters;
use crate::oracle::coverage::{Coverage, NotCounted};
use crate::oracle::exact::ExactSum;
use crate::oracle::{Collateral, OracleError, smaller, whole};
use crate::universe::{Asset, Instrument, Line, Style, Universe};

/// A book with everything that a rule reads.
pub(crate) struct Book<'a> {
    pub(crate) coverage: Coverage<'a>,
    legs: &'a [u64],
    /// `p_M` in USD.
    pub(crate) numeraire_price: BigRational,
    /// Whether it is of one isolated position.
    pub(crate) is_isolated: bool,
}

/// What a book has of an instrument that counts.
pub(crate) struct Held<'a> {
    pub(crate) instrument: &'a Instrument,
    /// What a lot of contracts that are worth one USD each (one coin of the settlement asset, of a linear instrument) is
    /// worth in the numéraire.
    pub(crate) per_lot: BigRational,
    /// What a lot of contracts that are worth one USD each is worth in the numéraire.
    pub(crate) usd_per_lot: BigRational,
    /// `L` and `S` in lots.
    pub(crate) long: BigInt,
    pub(crate) short: BigInt,
}

impl Held<'_> {
    /// `L - S` in lots.
    pub(crate) fn net(&self) -> BigInt {
        &self.long - &self.short
    }

    /// `L + S` in lots.
    pub(crate) fn gross(&self) -> BigInt {
        &self.long + &self.short
    }

    /// `q`: contracts held net.
    pub(crate) fn contracts(&self) -> BigRational {
        to_ratio(self.instrument.lot) * BigRational::from_integer(self.net())
    }

    /// What `lots` of contracts worth `value` each are worth in the numéraire; `value` in USD, or in the settlement asset of a
    /// linear instrument.
    ///
    /// # Errors
    /// [`OracleError::NoValue`] of a value that is not finite.
    pub(crate) fn worth(&self, value: f64, lots: &BigInt) -> Result<BigRational, OracleError> {
        let mut sum = ExactSum::default();
        sum.add(value, lots).ok_or_else(|| OracleError::NoValue {
            instrument: self.instrument.name.clone(),
        })?;
        Ok(&self.per_lot * sum.value())
    }
}

impl<'a> Book<'a> {
    /// A book under a model: `legs` has one number of lots per slot of the universe's layout.
    ///
    /// # Errors
    /// [`OracleError`]: another universe's book, one that holds what does not count, a numéraire without a price.
    pub(crate) fn new(
        model: &'a Model,
        universe: &'a Universe,
        snapshot: &'a Snapshot,
        legs: &'a [u64],
    ) -> Result<Book<'a>, OracleError> {
        let book = Book::unchecked(model, universe, snapshot, legs)?;
        book.check_legs()?;
        Ok(book)
    }

    /// The same of a book that is known to count.
    ///
    /// # Errors
    /// [`OracleError::Numeraire`].
    pub(crate) fn unchecked(
        model: &'a Model,
        universe: &'a Universe,
        snapshot: &'a Snapshot,
        legs: &'a [u64],
    ) -> Result<Book<'a>, OracleError> {
        let coverage = Coverage {
            names: model.names(),
            numeraire: model.numeraire(),
            universe,
            snapshot,
        };
        let numeraire_price = coverage.numeraire_price()?;
        Ok(Book {
            coverage,
            legs,
            numeraire_price,
            is_isolated: false,
        })
    }

    /// What is held of the instruments that count, in the order of the universe.
    ///
    /// # Errors
    /// [`OracleError::NoValue`], of no instrument that counts.
    pub(crate) fn held(&self) -> Result<Vec<Held<'a>>, OracleError> {
        let universe: &'a Universe = self.coverage.universe;
        let mut held = Vec::new();
        for (_, instrument) in universe.instruments() {
            let (long, short) = (self.lots(instrument.long), self.lots(instrument.short));
            if long == 0 && short == 0 {
                continue;
            }
            let no_value = || OracleError::NoValue {
                instrument: instrument.name.clone(),
            };
            let coin = match instrument.style {
                Style::Inverse => BigRational::one(),
                Style::Linear => self.coverage.price(&instrument.settlement).ok_or_else(no_value)?,
            };
            let usd_per_lot = to_ratio(instrument.lot) / &self.numeraire_price;
            held.push(Held {
                instrument,
                per_lot: &usd_per_lot * coin,
                usd_per_lot,
                long: BigInt::from(long),
                short: BigInt::from(short),
            });
        }
        Ok(held)
    }

    pub(crate) fn lots(&self, leg: LegId) -> u64 {
        self.legs.get(leg.index()).copied().unwrap_or(0)
    }

    /// Refuses a book of another universe, and one that holds what does not count.
    fn check_legs(&self) -> Result<(), OracleError> {
        let Coverage { universe, .. } = self.coverage;
        let slots = universe.layout().slots();
        if self.legs.len() != slots {
            return Err(OracleError::Length {
                length: self.legs.len(),
                slots,
            });
        }
        let mut known = BTreeSet::new();
        let mut refused = Vec::new();
        for venue in universe.venues() {
            for line in &venue.lines {
                known.extend(line.legs().into_iter().map(|leg| leg.index()));
                let mut refuse = |line: String, reason| {
                    refused.push(NotCounted {
                        venue: venue.name.clone(),
                        line,
                        reason,
                    });
                };
                match line {
                    Line::Instrument(instrument) => {
                        let is_held = self.lots(instrument.long) > 0 || self.lots(instrument.short) > 0;
                        if let (true, Err(reason)) = (is_held, self.coverage.instrument(venue, instrument)) {
                            refuse(instrument.name.clone(), reason);
                        }
                    }
                    Line::Asset(asset) => {
                        if let Err(reason) = self.coverage.line(asset) {
                            let carry = asset
                                .carry
                                .map_or(0, |pair| self.lots(pair.first).max(self.lots(pair.second)));
                            let reserve = asset.reserve.map_or(0, |leg| self.lots(leg));
                            let legs = [("debt", self.lots(asset.debt)), ("carry", carry), ("reserve", reserve)];
                            for (leg, _) in legs.iter().filter(|(_, lots)| *lots > 0) {
                                refuse(format!("{} {leg}", asset.label()), reason.clone());
                            }
                        }
                    }
                }
            }
        }
        if let Some(slot) = (0..slots).find(|slot| !known.contains(slot) && self.legs.get(*slot) != Some(&0)) {
            return Err(OracleError::NoLeg { slot });
        }
        if refused.is_empty() {
            Ok(())
        } else {
            Err(OracleError::NotCounted(refused))
        }
    }

    /// The asset terms of `V`, one per asset of which there is anything.
    pub(crate) fn collateral(&self, rules: &BTreeMap<String, AssetParameters>) -> Vec<Collateral> {
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
            let line = lines
                .entry(self.label(asset))
                .or_insert_with(|| self.empty_line(rules, asset));
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
                let Some(rule) = rules.get(&line.asset) else { continue };
                line.counted = counted(rule, &line.balance);
                let weighted = (to_ratio(rule.debt_weight) - BigRational::one()) * &line.debt;
                line.value = conversion * (&line.counted + owed - weighted);
            }
        }
        lines
    }

    /// What the lines of an asset are added up under. In the book of an isolated position there are no others.
    fn label(&self, asset: &Asset) -> String {
        if self.is_isolated {
            asset.name.clone()
        } else {
            asset.label()
        }
    }

    fn empty_line(&self, rules: &BTreeMap<String, AssetParameters>, asset: &Asset) -> Collateral {
        let rules = rules.get(&asset.name);
        let zero = BigRational::zero();
        Collateral {
            asset: self.label(asset),
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
}

/// `H(B)`: tier by tier, what lies in it less its haircut.
fn counted(rule: &AssetParameters, balance: &BigRational) -> BigRational {
    let capped = rule
        .cap
        .map_or_else(|| balance.clone(), |cap| smaller(balance.clone(), to_ratio(cap)));
    let mut counted = BigRational::zero();
    let (mut begins, mut haircut) = (BigRational::zero(), rule.haircut);
    let ends = rule.tiers.iter().map(|tier| (Some(to_ratio(tier.above)), tier.haircut));
    for (ends, next) in ends.chain([(None, haircut)]) {
        let top = ends
            .clone()
            .map_or_else(|| capped.clone(), |end| smaller(end, capped.clone()));
        if top > begins {
            counted += (BigRational::one() - to_ratio(haircut)) * (&top - &begins);
        }
        if let Some(end) = ends {
            begins = end;
        }
        haircut = next;
    }
    counted
}
