//! Hypothetical orders and deposits: their text, and the lots that they add to which leg.

use std::fmt;

use num_rational::BigRational;
use num_traits::Zero;
use rust_decimal::Decimal;
use zkmargin_program::{LegId, Pair};

use crate::account::carry;
use crate::amount::{self, lots, lots_rounded_down, to_ratio};
use crate::canonical::{Canonical, CanonicalError, Reader, Writer};
use crate::market::MAX_PRICE;
use crate::terms::{TermsError, out_of, shown};
use crate::universe::{Asset, Instrument, MAX_NAME_BYTES, MAX_TERM, Universe, Venue, is_name};

/// Buy or sell.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// Contracts are added to the long leg.
    Buy,
    /// Contracts are added to the short leg.
    Sell,
}

/// A hypothetical order, filled whole at its price.
///
/// Its text is `sell 5 BTC-28AUG26-70000-C @ 0.0215 fee 0.0003`: the instrument with its venue (`VENUE:INSTRUMENT`) if
/// it is listed at several; the price as the venue quotes it, per unit of the underlying; the fee per contract in the
/// settlement asset, 0 if it is not given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// Buy or sell.
    pub side: Side,
    /// The venue that it is sent to.
    pub venue: String,
    /// The instrument's name there.
    pub instrument: String,
    /// Contracts, above 0, a whole number of lots.
    pub contracts: Decimal,
    /// Option: premium per unit of the underlying in the settlement asset, at least 0. Future, perpetual: price in USD,
    /// above 0.
    pub price: Decimal,
    /// Fee per contract in the settlement asset, at least 0.
    pub fee: Decimal,
}

/// A hypothetical deposit.
///
/// Its text is `2.5 BTC`, or `2.5 VENUE:BTC` if the asset is listed at several venues.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deposit {
    /// The venue that it goes to.
    pub venue: String,
    /// The asset, of cross margin.
    pub asset: String,
    /// Coins, above 0, a whole number of lots.
    pub amount: Decimal,
}

const ORDER_FORM: &str = "an order: `sell 5 BTC-28AUG26-70000-C @ 0.0215 fee 0.0003`";
const DEPOSIT_FORM: &str = "a deposit: `2.5 BTC` or `2.5 VENUE:BTC`";

/// The venues of which `is_listed` holds, narrowed by a prefix `VENUE:`; the one that is left, and the name without it.
fn resolve<'u, 't>(
    universe: &'u Universe,
    what: &'static str,
    text: &'t str,
    is_listed: impl Fn(&Venue, &str) -> bool,
) -> Result<(&'u Venue, &'t str), TermsError> {
    if let Some((venue, name)) = text.split_once(':') {
        let unknown = |what, name: &str| TermsError::Unknown {
            what,
            name: shown(name),
        };
        let (_, venue) = universe.venue(venue).ok_or_else(|| unknown("venue", venue))?;
        return if is_listed(venue, name) {
            Ok((venue, name))
        } else {
            Err(unknown(what, text))
        };
    }
    let listed: Vec<&Venue> = universe
        .venues()
        .iter()
        .filter(|venue| is_listed(venue, text))
        .collect();
    match listed.as_slice() {
        [] => Err(TermsError::Unknown {
            what,
            name: shown(text),
        }),
        [venue] => Ok((venue, text)),
        several => {
            let venues: Vec<&str> = several.iter().map(|venue| venue.name.as_str()).collect();
            Err(TermsError::Ambiguous {
                name: shown(text),
                venues: venues.join(" and "),
            })
        }
    }
}

fn number(field: &'static str, text: &str) -> Result<Decimal, TermsError> {
    amount::parse(text).map_err(|problem| TermsError::Amount { field, problem })
}

fn within(field: &'static str, value: Decimal, above_zero: bool, most: Decimal) -> Result<(), TermsError> {
    let is_low = if above_zero {
        value <= Decimal::ZERO
    } else {
        value < Decimal::ZERO
    };
    if is_low || value > most {
        let least = if above_zero { "above 0" } else { "at least 0" };
        return Err(TermsError::Bound {
            field,
            value,
            bound: format!("{least} and at most {most}"),
        });
    }
    Ok(())
}

impl Order {
    /// Reads an order's text against a universe, and checks it.
    ///
    /// # Errors
    /// [`TermsError`].
    pub fn parse(text: &str, universe: &Universe) -> Result<Order, TermsError> {
        let form = || TermsError::Form {
            text: shown(text),
            expected: ORDER_FORM,
        };
        let words: Vec<&str> = text.split_whitespace().collect();
        let (side, contracts, instrument, price, fee) = match words.as_slice() {
            [side, contracts, instrument, "@", price] => (side, contracts, instrument, price, "0"),
            [side, contracts, instrument, "@", price, "fee", fee] => (side, contracts, instrument, price, *fee),
            _ => return Err(form()),
        };
        let side = match *side {
            "buy" => Side::Buy,
            "sell" => Side::Sell,
            _ => return Err(form()),
        };
        let (venue, name) = resolve(universe, "instrument", instrument, |venue, name| {
            venue.instrument(name).is_some()
        })?;
        let order = Order {
            side,
            venue: venue.name.clone(),
            instrument: name.to_owned(),
            contracts: number("contracts", contracts)?,
            price: number("price", price)?,
            fee: number("fee", fee)?,
        };
        order.amounts(universe)?;
        Ok(order)
    }

    fn find<'u>(&self, universe: &'u Universe) -> Result<(&'u Instrument, &'u Asset), TermsError> {
        let unknown = |what, name: &str| TermsError::Unknown {
            what,
            name: shown(name),
        };
        let (_, venue) = universe
            .venue(&self.venue)
            .ok_or_else(|| unknown("venue", &self.venue))?;
        let instrument = venue
            .instrument(&self.instrument)
            .ok_or_else(|| unknown("instrument", &self.instrument))?;
        let asset = venue
            .settlement_of(instrument)
            .ok_or_else(|| unknown("asset", &instrument.settlement))?;
        Ok((instrument, asset))
    }

    /// What is added to which leg: contracts to long or short; premium less fee to balance (rounded down) or debt (rounded up), all of it on one of the
    /// two, since it is of one account; the carry of a future or perpetual to credit (rounded down) or debit (rounded up).
    ///
    /// # Errors
    /// [`TermsError`]: names that are not in the universe, numbers out of bounds, contracts that are not whole lots.
    pub(super) fn amounts(&self, universe: &Universe) -> Result<Vec<(LegId, u64)>, TermsError> {
        let (instrument, asset) = self.find(universe)?;
        within("contracts", self.contracts, true, MAX_CONTRACTS)?;
        within("price", self.price, instrument.kind.is_carried(), MAX_PRICE)?;
        within("fee", self.fee, false, MAX_PRICE)?;
        let name = &self.instrument;
        let position = lots(self.contracts, instrument.lot).map_err(|problem| TermsError::Lots {
            field: "contracts",
            name: name.clone(),
            problem,
        })?;
        let position_leg = match self.side {
            Side::Buy => instrument.long,
            Side::Sell => instrument.short,
        };
        let signed = match self.side {
            Side::Buy => self.contracts,
            Side::Sell => -self.contracts,
        };
        let rounded = |field, value: &BigRational| {
            lots_rounded_down(value, asset.lot).map_err(|problem| TermsError::Lots {
                field,
                name: name.clone(),
                problem,
            })
        };
        let mut cash = -(to_ratio(self.contracts) * to_ratio(self.fee));
        let mut amounts = vec![(position_leg, position.unsigned_abs())];
        if instrument.kind.is_carried() {
            // Every settlement asset of a future has carry legs: the universe was refused otherwise.
            let pair = asset.carry.ok_or_else(|| TermsError::Unknown {
                what: "carry of",
                name: asset.label(),
            })?;
            let carry = carry(instrument, signed, self.price).unwrap_or_default();
            amounts.push(signed_amount(pair, rounded("carry", &carry)?));
        } else {
            cash += to_ratio(-signed) * to_ratio(instrument.contract) * to_ratio(self.price);
        }
        if !cash.is_zero() {
            amounts.push(signed_amount(asset.pair(), rounded("premium and fee", &cash)?));
        }
        Ok(amounts)
    }
}

/// Most contracts of an order: every lot above 1e-15 of a contract overflows before.
const MAX_CONTRACTS: Decimal = MAX_TERM;

/// Lots that are positive go to the first leg, negative ones to the second.
fn signed_amount(pair: Pair, lots: i64) -> (LegId, u64) {
    (if lots < 0 { pair.second } else { pair.first }, lots.unsigned_abs())
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = match self.side {
            Side::Buy => "buy",
            Side::Sell => "sell",
        };
        let Order {
            venue,
            instrument,
            contracts,
            price,
            fee,
            ..
        } = self;
        write!(f, "{side} {contracts} {venue}:{instrument} @ {price} fee {fee}")
    }
}

impl Deposit {
    /// Reads a deposit's text against a universe, and checks it.
    ///
    /// # Errors
    /// [`TermsError`].
    pub fn parse(text: &str, universe: &Universe) -> Result<Deposit, TermsError> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let [coins, asset] = words.as_slice() else {
            return Err(TermsError::Form {
                text: shown(text),
                expected: DEPOSIT_FORM,
            });
        };
        let (venue, name) = resolve(universe, "asset", asset, |venue, name| {
            venue.asset(name, None).is_some()
        })?;
        let deposit = Deposit {
            venue: venue.name.clone(),
            asset: name.to_owned(),
            amount: number("deposit", coins)?,
        };
        deposit.amount_of(universe)?;
        Ok(deposit)
    }

    pub(super) fn amount_of(&self, universe: &Universe) -> Result<(LegId, u64), TermsError> {
        let unknown = |what, name: &str| TermsError::Unknown {
            what,
            name: shown(name),
        };
        let (_, venue) = universe
            .venue(&self.venue)
            .ok_or_else(|| unknown("venue", &self.venue))?;
        let asset = venue
            .asset(&self.asset, None)
            .ok_or_else(|| unknown("asset", &self.asset))?;
        within("deposit", self.amount, true, MAX_COINS)?;
        let coins = lots(self.amount, asset.lot).map_err(|problem| TermsError::Lots {
            field: "deposit",
            name: self.asset.clone(),
            problem,
        })?;
        Ok((asset.balance, coins.unsigned_abs()))
    }
}

/// Most coins of a deposit: a million millions.
const MAX_COINS: Decimal = Decimal::from_parts(0xd4a5_1000, 0xe8, 0, false, 0);

impl fmt::Display for Deposit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}:{}", self.amount, self.venue, self.asset)
    }
}

impl Canonical for Order {
    /// `[side, venue, instrument, contracts, price, fee]`, side 0 buy, 1 sell.
    fn write(&self, w: &mut Writer) {
        w.array(6);
        w.uint(u64::from(self.side == Side::Sell));
        w.text(&self.venue);
        w.text(&self.instrument);
        w.decimal(self.contracts);
        w.decimal(self.price);
        w.decimal(self.fee);
    }

    fn read(r: &mut Reader<'_>) -> Result<Order, CanonicalError> {
        r.array_of("order", 6)?;
        let side = match r.uint("side")? {
            0 => Side::Buy,
            1 => Side::Sell,
            other => return Err(out_of("side", other, "0 or 1")),
        };
        Ok(Order {
            side,
            venue: read_name(r, "venue")?,
            instrument: read_name(r, "instrument")?,
            contracts: r.decimal("contracts")?,
            price: r.decimal("price")?,
            fee: r.decimal("fee")?,
        })
    }
}

impl Canonical for Deposit {
    /// `[venue, asset, amount]`.
    fn write(&self, w: &mut Writer) {
        w.array(3);
        w.text(&self.venue);
        w.text(&self.asset);
        w.decimal(self.amount);
    }

    fn read(r: &mut Reader<'_>) -> Result<Deposit, CanonicalError> {
        r.array_of("deposit", 3)?;
        Ok(Deposit {
            venue: read_name(r, "venue")?,
            asset: read_name(r, "asset")?,
            amount: r.decimal("amount")?,
        })
    }
}

fn read_name(r: &mut Reader<'_>, field: &'static str) -> Result<String, CanonicalError> {
    let name = r.text(field, MAX_NAME_BYTES)?;
    if is_name(name) {
        return Ok(name.to_owned());
    }
    Err(CanonicalError::Value {
        field,
        // Quoted: what is no name may have control characters, and is printed before any signature is verified.
        value: format!("{name:?}"),
        bound: "a name".to_owned(),
    })
}
