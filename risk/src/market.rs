//! A market at one instant: what every value and every margin is computed from.
//!
//! A snapshot is public data that both sides hold; the statement names it by its digest, and a partner's policy says
//! whose snapshots it accepts. Nothing in it is about anybody's positions.
//!
//! # Units
//! Prices, indices, forwards, strikes and deliveries are USD per unit of the underlying. Volatilities are fractions a
//! year (0.4734, not 47.34), rates fractions a year, continuously compounded, and funding a fraction of notional per 8
//! hours (positive: longs pay). Quotes are coins per unit of the underlying for options, whatever they settle in, and USD for
//! futures and perpetuals. A year has 365 days.

mod check;

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::canonical::{Digest, Personal, Writer, digest};
use crate::instant::Instant;
pub use check::SnapshotError;
use check::{Bounds, check_confidence, check_market, check_name, check_price};

/// Largest price, index, forward, strike, delivery or asset price, in USD. All of them are above 0.
pub const MAX_PRICE: Decimal = Decimal::from_parts(1_000_000_000, 0, 0, false, 0);
/// Largest volatility a year of a snapshot: 10, which is 1000 %.
pub const MAX_VOLATILITY: Decimal = Decimal::from_parts(10, 0, 0, false, 0);
/// Largest open interest and volume. Both are at least 0.
pub const MAX_QUANTITY: Decimal = Decimal::from_parts(0xd4a5_1000, 0xe8, 0, false, 0);

/// Version of the canonical form of a snapshot.
const FORMAT: u64 = 2;

/// A market at one instant. See the [module](self) for the units.
///
/// The fields are public because it is plain data; [`from_json`](Snapshot::from_json) and the importers give only what
/// passes [`check`](Snapshot::check).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Snapshot {
    /// When.
    pub instant: Instant,
    /// Where the figures are from.
    pub provenance: Provenance,
    /// Price of a unit of each asset, in USD; that of an underlying's own coin is its index.
    #[serde(with = "crate::amount::map")]
    #[schemars(with = "BTreeMap<String, String>")]
    pub assets: BTreeMap<String, Decimal>,
    /// How sure the venue's oracle is of the price of an asset, 0 to 1; whole where it does not say.
    #[serde(default, with = "crate::amount::map", skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(with = "BTreeMap<String, String>")]
    pub confidences: BTreeMap<String, Decimal>,
    /// The markets, by the name of their underlying.
    #[serde(with = "crate::json::unique")]
    #[schemars(with = "BTreeMap<String, UnderlyingMarket>")]
    pub underlyings: BTreeMap<String, UnderlyingMarket>,
}

/// Where a snapshot's figures are from, and what was done to them. Part of the digest.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Provenance {
    /// Who recorded it, and where it can be had.
    pub source: String,
    /// The licence of the recording.
    pub licence: String,
    /// The importer and its version: `recorded-chain 1`.
    pub importer: String,
    /// The figures that were recorded.
    pub recorded: Vec<String>,
    /// The figures that were computed from recorded ones, and how.
    pub derived: Vec<String>,
    /// The figures that were supposed, and what.
    pub assumed: Vec<String>,
    /// How many places of the surface offer static arbitrage (see [`crate::import`]).
    pub warnings: u32,
}

/// Everything about one underlying.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UnderlyingMarket {
    /// Its index (spot) price.
    #[serde(with = "crate::amount")]
    #[schemars(with = "String")]
    pub index: Decimal,
    /// How sure the venue's oracle is of the index, 0 to 1; whole where it does not say.
    #[serde(default, with = "crate::amount::option", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub confidence: Option<Decimal>,
    /// The rate at which its options are discounted.
    #[serde(with = "crate::amount")]
    #[schemars(with = "String")]
    pub rate: Decimal,
    /// Its perpetual, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub perpetual: Option<PerpetualQuote>,
    /// Dated futures by expiry.
    #[serde(default, with = "crate::json::unique", skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(with = "BTreeMap<String, FutureQuote>")]
    pub futures: BTreeMap<Instant, FutureQuote>,
    /// Options by expiry.
    #[serde(default, with = "crate::json::unique", skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(with = "BTreeMap<String, Expiry>")]
    pub expiries: BTreeMap<Instant, Expiry>,
    /// Delivery prices of expiries that have passed.
    #[serde(default, with = "crate::amount::map", skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(with = "BTreeMap<String, String>")]
    pub deliveries: BTreeMap<Instant, Decimal>,
}

/// A perpetual future.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PerpetualQuote {
    /// Its mark price.
    #[serde(with = "crate::amount")]
    #[schemars(with = "String")]
    pub price: Decimal,
    /// Its funding rate per 8 hours.
    #[serde(with = "crate::amount")]
    #[schemars(with = "String")]
    pub funding: Decimal,
    /// How sure the venue's oracle is of the price, 0 to 1; whole where it does not say.
    #[serde(default, with = "crate::amount::option", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub confidence: Option<Decimal>,
    /// What else is known.
    #[serde(default, skip_serializing_if = "Quote::is_empty")]
    pub quote: Quote,
}

/// A dated future.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FutureQuote {
    /// Its mark price.
    #[serde(with = "crate::amount")]
    #[schemars(with = "String")]
    pub price: Decimal,
    /// What else is known.
    #[serde(default, skip_serializing_if = "Quote::is_empty")]
    pub quote: Quote,
}

/// The options of one expiry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Expiry {
    /// The forward price that they are priced on.
    #[serde(with = "crate::amount")]
    #[schemars(with = "String")]
    pub forward: Decimal,
    /// The options by strike.
    #[serde(with = "crate::amount::keyed")]
    #[schemars(with = "BTreeMap<String, Strike>")]
    pub strikes: BTreeMap<Decimal, Strike>,
    /// The rate at which its options are discounted, where it is not that of the underlying.
    #[serde(default, with = "crate::amount::option", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub rate: Option<Decimal>,
    /// The part of the forward that is settled already, by an average that has begun: no scenario of `derive-pm2` and `derive-pmrm1` moves it; the other kinds have no rule for it, and move the whole forward. 0 to the forward.
    #[serde(default, with = "crate::amount", skip_serializing_if = "Decimal::is_zero")]
    #[schemars(with = "String")]
    pub settled: Decimal,
    /// How sure the venue's oracle is of its least sure figure (forward, rate, volatilities), 0 to 1; whole where it does not say.
    #[serde(default, with = "crate::amount::option", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub confidence: Option<Decimal>,
}

impl Expiry {
    /// Options on a forward of which nothing is settled, at the rate of their underlying.
    pub fn new(forward: Decimal, strikes: BTreeMap<Decimal, Strike>) -> Expiry {
        Expiry {
            forward,
            strikes,
            rate: None,
            settled: Decimal::ZERO,
            confidence: None,
        }
    }
}

impl UnderlyingMarket {
    /// The rate at which options of an expiry are discounted.
    pub fn rate_of(&self, expiry: Instant) -> Decimal {
        let own = self.expiries.get(&expiry).and_then(|options| options.rate);
        own.unwrap_or(self.rate)
    }
}

/// The two options of one strike. Both are priced at one volatility (put-call parity holds by construction).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Strike {
    /// Their implied volatility.
    #[serde(with = "crate::amount")]
    #[schemars(with = "String")]
    pub volatility: Decimal,
    /// The call; absent if it is not listed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<Quote>,
    /// The put; absent if it is not listed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub put: Option<Quote>,
}

/// What else is known about an instrument. Nothing of it enters a price.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Quote {
    /// Open interest: units of the underlying for options, USD for futures and perpetuals, linear ones too.
    #[serde(default, with = "crate::amount::option", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub open_interest: Option<Decimal>,
    /// Best bid.
    #[serde(default, with = "crate::amount::option", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub bid: Option<Decimal>,
    /// Best ask.
    #[serde(default, with = "crate::amount::option", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub ask: Option<Decimal>,
    /// Volume of the last 24 hours, in units of the underlying.
    #[serde(default, with = "crate::amount::option", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub volume: Option<Decimal>,
    /// The venue's own mark, where it was recorded. Margin uses Black-76 at the snapshot's forward and volatility
    /// instead.
    #[serde(default, with = "crate::amount::option", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub mark: Option<Decimal>,
}

impl Quote {
    /// Ask less bid, where both are quotes: an ask of nothing is how feeds say that there is none, and one below the bid is of a book that was read half.
    pub(crate) fn spread(&self) -> Option<Decimal> {
        let (bid, ask) = self.bid.zip(self.ask)?;
        (ask > Decimal::ZERO && ask >= bid).then(|| ask - bid)
    }

    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        *self == Quote::default()
    }
}

impl Snapshot {
    /// Reads and checks a snapshot's JSON file.
    ///
    /// # Errors
    /// [`SnapshotError`].
    pub fn from_json(text: &str) -> Result<Snapshot, SnapshotError> {
        if text.len() > crate::json::MAX_BYTES {
            return Err(SnapshotError::Size { bytes: text.len() });
        }
        let snapshot: Snapshot = crate::json::from_str(text)?;
        snapshot.check()?;
        Ok(snapshot)
    }

    /// The JSON file: one line of text per strike.
    ///
    /// # Errors
    /// [`SnapshotError::Json`], which does not happen.
    pub fn to_json(&self) -> Result<String, SnapshotError> {
        // Snapshot, underlyings, underlying, expiries, expiry, strikes: a line of the file per strike.
        Ok(crate::json::to_text(self, 6)?)
    }

    /// Checks every figure against what a market has: volatilities above 0 and at most 10, rates of -1 to 1, funding of -0.1 to 0.1. What is
    /// beyond them is a percentage where a fraction belongs, or a fault of the recording.
    ///
    /// # Errors
    /// [`SnapshotError`].
    pub fn check(&self) -> Result<(), SnapshotError> {
        self.check_within(&Bounds::MARKET)
    }

    /// Checks every figure against what can be computed: for a market that somebody made up to try a rule, and no proof is about.
    ///
    /// # Errors
    /// [`SnapshotError`].
    pub(crate) fn check_made_up(&self) -> Result<(), SnapshotError> {
        self.check_within(&Bounds::MADE_UP)
    }

    fn check_within(&self, bounds: &Bounds) -> Result<(), SnapshotError> {
        if self.underlyings.is_empty() {
            return Err(SnapshotError::Nothing {
                place: "underlyings".to_owned(),
                what: "there are none",
            });
        }
        for (asset, price) in &self.assets {
            check_name(asset)?;
            check_price(&format!("asset {asset}"), "price", *price)?;
        }
        for (asset, confidence) in &self.confidences {
            check_name(asset)?;
            check_confidence(&format!("asset {asset}"), Some(*confidence))?;
        }
        for (name, market) in &self.underlyings {
            check_name(name)?;
            check_market(name, market, self.instant, bounds)?;
            match self.assets.get(name) {
                Some(price) if *price != market.index => {
                    return Err(SnapshotError::CoinAgainstIndex {
                        asset: name.clone(),
                        price: *price,
                        index: market.index,
                    });
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The canonical bytes, of which [`digest`](Self::digest) is the digest: `[2, instant, provenance, [[asset,
    /// price]…], [[asset, confidence]…], [[name, index, confidence?, rate, [[price, funding, confidence?, quote]]?,
    /// [[expiry, price, quote]…], [[expiry, forward, [[strike, volatility, [call]?, [put]?]…], rate?, settled,
    /// confidence?]…], [[expiry, delivery]…]]…]]`, instants in milliseconds, a quote being its five fields, each an
    /// array of none or one as all that may be absent, the provenance its seven.
    pub fn canonical(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.array(6);
        writer.uint(FORMAT);
        writer.uint(self.instant.millis());
        write_provenance(&mut writer, &self.provenance);
        writer.list(self.assets.iter(), |w, (name, price)| {
            w.array(2);
            w.text(name);
            w.decimal(*price);
        });
        writer.list(self.confidences.iter(), |w, (name, confidence)| {
            w.array(2);
            w.text(name);
            w.decimal(*confidence);
        });
        writer.list(self.underlyings.iter(), |w, (name, market)| {
            write_market(w, name, market)
        });
        writer.into_bytes()
    }

    /// The digest by which statements and policies name this snapshot.
    pub fn digest(&self) -> Digest {
        digest(Personal::Snapshot, &self.canonical())
    }
}

fn write_provenance(w: &mut Writer, provenance: &Provenance) {
    let texts = |w: &mut Writer, list: &[String]| w.list(list.iter(), |w, text| w.text(text));
    w.array(7);
    w.text(&provenance.source);
    w.text(&provenance.licence);
    w.text(&provenance.importer);
    texts(w, &provenance.recorded);
    texts(w, &provenance.derived);
    texts(w, &provenance.assumed);
    w.uint(provenance.warnings.into());
}

fn write_market(w: &mut Writer, name: &str, market: &UnderlyingMarket) {
    w.array(8);
    w.text(name);
    w.decimal(market.index);
    w.option(market.confidence, Writer::decimal);
    w.decimal(market.rate);
    w.option(market.perpetual.as_ref(), |w, perpetual| {
        w.array(4);
        w.decimal(perpetual.price);
        w.decimal(perpetual.funding);
        w.option(perpetual.confidence, Writer::decimal);
        write_quote(w, &perpetual.quote);
    });
    w.list(market.futures.iter(), |w, (expiry, future)| {
        w.array(3);
        w.uint(expiry.millis());
        w.decimal(future.price);
        write_quote(w, &future.quote);
    });
    w.list(market.expiries.iter(), |w, (instant, expiry)| {
        w.array(6);
        w.uint(instant.millis());
        w.decimal(expiry.forward);
        w.list(expiry.strikes.iter(), |w, (strike, options)| {
            w.array(4);
            w.decimal(*strike);
            w.decimal(options.volatility);
            w.option(options.call.as_ref(), write_quote);
            w.option(options.put.as_ref(), write_quote);
        });
        w.option(expiry.rate, Writer::decimal);
        w.decimal(expiry.settled);
        w.option(expiry.confidence, Writer::decimal);
    });
    w.list(market.deliveries.iter(), |w, (expiry, price)| {
        w.array(2);
        w.uint(expiry.millis());
        w.decimal(*price);
    });
}

fn write_quote(w: &mut Writer, quote: &Quote) {
    w.array(5);
    for field in [quote.open_interest, quote.bid, quote.ask, quote.volume, quote.mark] {
        w.option(field, Writer::decimal);
    }
}
