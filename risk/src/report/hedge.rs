//! The smallest trade in one listed instrument with which a book meets what it misses.
//!
//! What is tried: every future and perpetual that counts, bought and sold, and every option that is held short, bought back. A trade is
//! filled whole at the mark, without a fee; what half the recorded spread would cost is said beside it. The excess of a convex rule
//! is a concave function of the lots that are traded, so a search that doubles them until the excess falls, and then
//! halves, finds the smallest number, if there is one; under a rule that is not convex it finds one that is enough, or none.

use std::collections::BTreeSet;

use num_rational::BigRational;
use num_traits::{Signed, Zero};
use rust_decimal::{Decimal, RoundingStrategy};
use zeroize::Zeroizing;

use crate::amount::to_ratio;
use crate::collateral;
use crate::market::{Quote, Snapshot};
use crate::model::Model;
use crate::oracle::{self, Evaluation, smaller, whole};
use crate::report::{Criterion, ReportError};
use crate::terms::{Level, Order, Side, Terms};
use crate::universe::{Instrument, Kind, Right, Style, Universe};
use crate::valuation;

/// Most hedges that are kept: those of the least notional.
pub const MOST: usize = 3;
/// Lots beyond which nothing is tried.
const MOST_LOTS: u64 = 1 << 40;
/// Decimals of an option's price: a mark has no more of its own.
const PRICE_PLACES: u32 = 8;

/// A trade with which a book meets what it missed.
#[derive(Clone, PartialEq, Eq)]
pub struct Hedge {
    /// The trade, at the mark and without a fee: its text can be given as a hypothetical order.
    pub order: Order,
    /// What its contracts are on, in USD at the index.
    pub notional: BigRational,
    /// What half the spread costs, in USD, where the snapshot has bid and ask.
    pub cost: Option<BigRational>,
    /// The excess after it, in the numéraire.
    pub excess: BigRational,
}

opaque_debug!(Hedge);

/// What a search found.
#[derive(Clone, PartialEq, Eq)]
pub struct Search {
    /// What fails, and would not after a hedge; `None` if nothing does.
    pub criterion: Option<Criterion>,
    /// At most [`MOST`], the least notional first.
    pub hedges: Vec<Hedge>,
    /// Trades that were tried, of those that there are.
    pub tried: usize,
    /// Trades that there are to try.
    pub candidates: usize,
}

opaque_debug!(Search);

/// A trade of one kind, in any number of lots.
struct Trade<'a> {
    venue: &'a str,
    instrument: &'a Instrument,
    side: Side,
    price: Decimal,
    /// Half the spread of a contract in USD.
    half_spread: Option<BigRational>,
}

struct Desk<'a> {
    model: &'a Model,
    universe: &'a Universe,
    snapshot: &'a Snapshot,
    terms: &'a Terms,
    criterion: Criterion,
    legs: Zeroizing<Vec<u64>>,
}

/// Searches for the smallest trades that restore the statement, or, where that is met, the initial level. `legs` is as in
/// [`Report::new`](crate::report::Report::new); before each trade is tried, `may_go_on` is asked.
///
/// # Errors
/// [`ReportError`] of the book as it is.
pub fn search(
    model: &Model,
    universe: &Universe,
    snapshot: &Snapshot,
    terms: &Terms,
    legs: &[u64],
    mut may_go_on: impl FnMut() -> bool,
) -> Result<Search, ReportError> {
    let legs = Zeroizing::new(oracle::with_public_amounts(universe, terms, legs)?);
    let now = oracle::evaluate(model, universe, snapshot, &legs)?;
    let fails = |criterion: &Criterion| {
        let (level, ratio, excess) = criterion.of(terms);
        !now.is_met(level, ratio, excess)
    };
    let criterion = [Criterion::Statement, Criterion::Level(Level::Initial)]
        .into_iter()
        .find(fails);
    let mut search = Search {
        criterion,
        hedges: Vec::new(),
        tried: 0,
        candidates: 0,
    };
    let Some(criterion) = criterion else {
        return Ok(search);
    };
    let desk = Desk {
        model,
        universe,
        snapshot,
        terms,
        criterion,
        legs,
    };
    let trades = desk.trades();
    search.candidates = trades.len();
    let margin = desk.margin(&now);
    for trade in &trades {
        if !may_go_on() {
            break;
        }
        search.tried += 1;
        if let Some(hedge) = desk.smallest(trade, &margin, &mut may_go_on) {
            search.hedges.push(hedge);
        }
    }
    search.hedges.sort_by(|a, b| a.notional.cmp(&b.notional));
    search.hedges.truncate(MOST);
    Ok(search)
}

impl<'a> Desk<'a> {
    /// What may be traded: perpetuals, then options that are held short, then futures, of which the first to expire first: they do about
    /// what perpetuals do.
    fn trades(&self) -> Vec<Trade<'a>> {
        let uncounted = self.model.uncounted(self.universe, self.snapshot);
        let uncounted: BTreeSet<(&str, &str)> = uncounted
            .iter()
            .map(|line| (line.venue.as_str(), line.line.as_str()))
            .collect();
        let held = |instrument: &Instrument| {
            let lots = |leg: zkmargin_program::LegId| self.legs.get(leg.index()).copied().unwrap_or(0);
            lots(instrument.short) > lots(instrument.long)
        };
        let mut trades = Vec::new();
        for (venue, instrument) in self.universe.instruments() {
            if uncounted.contains(&(venue.name.as_str(), instrument.name.as_str())) {
                continue;
            }
            let sides: &[Side] = if instrument.kind.is_carried() {
                &[Side::Buy, Side::Sell]
            } else if held(instrument) {
                &[Side::Buy]
            } else {
                &[]
            };
            for side in sides {
                trades.extend(self.trade(&venue.name, instrument, *side));
            }
        }
        let order = |trade: &Trade<'_>| {
            let kind = &trade.instrument.kind;
            (kind.is_carried() && kind.expiry().is_some(), kind.expiry())
        };
        trades.sort_by_key(order);
        trades
    }

    /// A trade at the mark; none if the snapshot has no such market.
    fn trade(&self, venue: &'a str, instrument: &'a Instrument, side: Side) -> Option<Trade<'a>> {
        let market = self.snapshot.underlyings.get(&instrument.underlying)?;
        let kind = &instrument.kind;
        let (price, quote): (Decimal, Quote) = if let Kind::Perpetual = kind {
            market.perpetual.as_ref().map(|it| (it.price, it.quote))?
        } else if let Kind::Future { expiry } = kind {
            market.futures.get(expiry).map(|it| (it.price, it.quote))?
        } else if let Kind::Option { expiry, strike, right } = kind {
            let strike = market.expiries.get(expiry)?.strikes.get(strike)?;
            let quote = match right {
                Right::Call => strike.call?,
                Right::Put => strike.put?,
            };
            (self.premium(instrument, market.index)?, quote)
        } else {
            return None;
        };
        // USD of a contract, for what moves a quote by one: options are quoted in coins, whatever they settle in.
        let contract = to_ratio(instrument.contract);
        let usd = match (instrument.style, &instrument.kind) {
            (_, Kind::Option { .. }) => contract * to_ratio(market.index),
            (Style::Inverse, _) => contract * to_ratio(market.index) / (to_ratio(price) * to_ratio(price)),
            (Style::Linear, _) => contract * to_ratio(collateral::price(self.snapshot, &instrument.settlement)?),
        };
        Some(Trade {
            venue,
            instrument,
            side,
            price,
            half_spread: quote.spread().map(|spread| to_ratio(spread) * usd / whole(2)),
        })
    }

    /// The mark of an option as its venue quotes it, rounded up: it is bought.
    fn premium(&self, instrument: &Instrument, index: Decimal) -> Option<Decimal> {
        let mark = valuation::mark(self.snapshot, instrument).ok().flatten()?;
        let mark = Decimal::try_from(mark).ok()?.checked_div(instrument.contract)?;
        let mark = match instrument.style {
            Style::Inverse => mark.checked_div(index)?,
            Style::Linear => mark,
        };
        Some(
            mark.round_dp_with_strategy(PRICE_PLACES, RoundingStrategy::ToPositiveInfinity)
                .max(Decimal::ZERO),
        )
    }

    fn order(&self, trade: &Trade<'_>, lots: u64) -> Option<Order> {
        Some(Order {
            side: trade.side,
            venue: trade.venue.to_owned(),
            instrument: trade.instrument.name.clone(),
            contracts: trade.instrument.lot.checked_mul(Decimal::from(lots))?.normalize(),
            price: trade.price,
            fee: Decimal::ZERO,
        })
    }

    /// What is left of all that must hold: met exactly where it is not negative. The least of concave functions is concave; what is left without a venue's
    /// balances may not be, where a debt hedges, and then a hedge may be missed.
    fn margin(&self, evaluation: &Evaluation) -> BigRational {
        let (level, ratio, least) = self.criterion.of(self.terms);
        let checks = evaluation.checks.iter();
        let slacks = checks.map(|check| check.slack(level, ratio, least));
        slacks.fold(evaluation.excess(level, ratio, least), smaller)
    }

    /// The book after so many lots; `None` if it has no margin, or the trade does not fit the universe.
    fn after(&self, trade: &Trade<'_>, lots: u64) -> Option<Evaluation> {
        let terms = Terms {
            order: Some(self.order(trade, lots)?),
            ..Terms::at(Level::Initial)
        };
        let legs = Zeroizing::new(oracle::with_public_amounts(self.universe, &terms, &self.legs).ok()?);
        oracle::evaluate(self.model, self.universe, self.snapshot, &legs).ok()
    }

    /// The fewest lots that are enough. `now` is the margin without any.
    fn smallest(&self, trade: &Trade<'_>, now: &BigRational, may_go_on: &mut impl FnMut() -> bool) -> Option<Hedge> {
        let margin = |lots: u64| Some(self.margin(&self.after(trade, lots)?));
        // Doubles until it is enough, or the margin falls.
        let (mut below, mut at, mut last) = (0, 1, now.clone());
        let mut enough = loop {
            let reached = margin(at)?;
            if !reached.is_negative() {
                break at;
            }
            if reached <= last {
                // The top is before here and after the last but one, which was not enough either.
                below /= 2;
                break self.enough_between(trade, below, at, may_go_on)?;
            }
            (below, last) = (at, reached);
            at = at.checked_mul(2).filter(|lots| *lots <= MOST_LOTS)?;
            if !may_go_on() {
                return None;
            }
        };
        // From too few to enough the margin only rises.
        while enough - below > 1 {
            let middle = below.midpoint(enough);
            if margin(middle)?.is_negative() {
                below = middle;
            } else {
                enough = middle;
            }
        }
        let evaluation = self.after(trade, enough)?;
        let (level, ratio, least) = self.criterion.of(self.terms);
        let order = self.order(trade, enough)?;
        let contracts = to_ratio(order.contracts);
        Some(Hedge {
            notional: self.notional(trade, &contracts)?,
            cost: trade.half_spread.as_ref().map(|half| half * &contracts),
            excess: evaluation.excess(level, ratio, least),
            order,
        })
    }

    /// Lots that are enough, between two numbers that are not: near the top of the margin. `None` if there are none.
    fn enough_between(
        &self,
        trade: &Trade<'_>,
        mut low: u64,
        mut high: u64,
        may_go_on: &mut impl FnMut() -> bool,
    ) -> Option<u64> {
        while high - low > 2 {
            if !may_go_on() {
                return None;
            }
            let middle = low.midpoint(high);
            let here = self.margin(&self.after(trade, middle)?);
            if !here.is_negative() {
                return Some(middle);
            }
            if self.margin(&self.after(trade, middle + 1)?) > here {
                low = middle;
            } else {
                high = middle + 1;
            }
        }
        (low..=high).find(|lots| {
            let after = self.after(trade, *lots);
            after.is_some_and(|evaluation| !self.margin(&evaluation).is_negative())
        })
    }

    fn notional(&self, trade: &Trade<'_>, contracts: &BigRational) -> Option<BigRational> {
        let index = to_ratio(self.snapshot.underlyings.get(&trade.instrument.underlying)?.index);
        let size = contracts * to_ratio(trade.instrument.contract);
        Some(match (trade.instrument.style, &trade.instrument.kind) {
            (Style::Inverse, Kind::Future { .. } | Kind::Perpetual) if !trade.price.is_zero() => {
                size * index / to_ratio(trade.price)
            }
            (Style::Inverse, Kind::Future { .. } | Kind::Perpetual) => BigRational::zero(),
            _ => size * index,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::market::Quote;
    use crate::model::fixture::{self, Book};

    #[test]
    fn half_a_spread_is_in_dollars_of_a_contract() {
        let (universe, mut snapshot) = (fixture::universe(), fixture::snapshot());
        snapshot.assets.insert("USDC".to_owned(), Decimal::new(5, 1));
        let quote = |bid: &str, ask: &str| Quote {
            bid: Some(bid.parse().unwrap()),
            ask: Some(ask.parse().unwrap()),
            ..Quote::default()
        };
        let market = snapshot.underlyings.get_mut("BTC").unwrap();
        let perpetual = market.perpetual.as_mut().unwrap();
        (perpetual.price, perpetual.quote) = (Decimal::from(64_000), quote("63998", "64002"));
        let near = fixture::NEAR.parse().unwrap();
        let strikes = &mut market.expiries.get_mut(&near).unwrap().strikes;
        for strike in [60_000, 70_000] {
            strikes.get_mut(&Decimal::from(strike)).unwrap().call = Some(quote("0.0115", "0.0125"));
        }
        let (model, terms) = (Model::preset("paradex-pm").unwrap(), Terms::at(Level::Initial));
        let desk = Desk {
            model: &model,
            universe: &universe,
            snapshot: &snapshot,
            terms: &terms,
            criterion: Criterion::Statement,
            legs: Zeroizing::new(vec![0; universe.layout().slots()]),
        };
        // Half of 0.001 coins; half of 4 USD on ten dollars at 64,000; half of 4 coins of half a dollar.
        for (name, numerator, denominator) in [
            ("BTC-28AUG26-70000-C", 32, 1),
            ("BTC-LINEAR-60000-C", 32, 1),
            ("BTC-PERPETUAL", 1, 3_200),
            ("BTC_USDC-PERPETUAL", 1, 1),
        ] {
            let instrument = fixture::instrument(&universe, name);
            let trade = desk.trade("any", instrument, Side::Buy).unwrap();
            let expected = BigRational::new(numerator.into(), denominator.into());
            assert_eq!(trade.half_spread, Some(expected), "{name}");
        }
    }

    #[test]
    fn hedge_of_a_check_that_fails_is_the_smallest_that_meets_it() {
        let file = r#"{"model":"demand","name":"d","description":"","models":["paradex-pm"],
            "limits":[{"net_delta":{"underlying":"BTC","most":"1"}}]}"#;
        let model = Model::from_json(file).unwrap();
        let (universe, snapshot) = (fixture::universe(), fixture::snapshot());
        let book = Book::empty(&universe)
            .hold("BTC_USDC-PERPETUAL", "2", Some("64010.5"))
            .coins("beta", "USDC", "900000");
        let terms = Terms::at(Level::Initial);
        let found = search(&model, &universe, &snapshot, &terms, &book.q, || true).unwrap();
        assert_eq!(found.criterion, Some(Criterion::Statement));
        let hedge = found
            .hedges
            .iter()
            .find(|hedge| hedge.order.instrument == "BTC_USDC-PERPETUAL")
            .unwrap();
        assert_eq!((hedge.order.side, hedge.order.contracts), (Side::Sell, Decimal::ONE));
    }
}
