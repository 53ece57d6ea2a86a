//! What a book has on one underlying: the profit of each row, deltas, and the charges on them.

use std::collections::BTreeSet;

use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::{One, Signed, Zero};
use rust_decimal::Decimal;

use super::Desk;
use crate::amount::{to_f64, to_ratio};
use crate::instant::Instant;
use crate::model::scenario_grid::parameters::{Profit, Scenario, UnderlyingParameters};
use crate::oracle::coverage::Coverage;
use crate::oracle::exact::ExactSum;
use crate::oracle::{Collateral, Exposure, OracleError, RowProfit, larger, positive_part, smaller};
use crate::scenario::{Shock, years};
use crate::universe::{Instrument, Kind, Style};
use crate::valuation::{Denomination, ValueTable, Values, roll_rate};

/// Instruments with the same contracts per lot `l` and conversion `c`, and what the book has of them.
struct Class<'a> {
    contracts_per_lot: BigRational,
    conversion: BigRational,
    held: Vec<Held<'a>>,
}

/// What the book has of one instrument.
struct Held<'a> {
    instrument: &'a Instrument,
    values: &'a Values,
    /// `L` and `S` in lots.
    long: BigInt,
    short: BigInt,
}

/// `Σ c m q`, by kind.
pub(super) struct Marks {
    pub(super) options: BigRational,
    pub(super) futures: BigRational,
}

impl Held<'_> {
    /// `L - S`.
    fn net(&self) -> BigInt {
        &self.long - &self.short
    }

    /// `L + S`.
    fn gross(&self) -> BigInt {
        &self.long + &self.short
    }

    const fn is_option(&self) -> bool {
        matches!(self.instrument.kind, Kind::Option { .. })
    }

    const fn is_perpetual(&self) -> bool {
        matches!(self.instrument.kind, Kind::Perpetual)
    }

    /// The expiry; `None` for the bucket of perpetuals.
    const fn bucket(&self) -> Option<Instant> {
        self.instrument.kind.expiry()
    }
}

/// `Σ figure · lots` over some of a class, exactly; lots and conversions are not in it.
fn sum<'h, 'a: 'h>(
    held: impl IntoIterator<Item = &'h Held<'a>>,
    figure: impl Fn(&Held<'a>) -> Option<f64>,
    lots: impl Fn(&Held<'a>) -> BigInt,
) -> Result<BigRational, OracleError> {
    let mut sum = ExactSum::default();
    for one in held {
        let added = figure(one).and_then(|x| sum.add(x, &lots(one)));
        added.ok_or_else(|| OracleError::NoValue {
            instrument: one.instrument.name.clone(),
        })?;
    }
    Ok(sum.value())
}

impl<'a> Desk<'a> {
    /// The rows and floors of one underlying, which the snapshot has, and the marks of what is held on it.
    pub(super) fn exposure(
        &self,
        name: &str,
        rules: &UnderlyingParameters,
        collateral: &[Collateral],
    ) -> Result<(Exposure, Marks), OracleError> {
        let (parameters, Coverage { universe, snapshot, .. }) = (self.parameters, &self.book.coverage);
        let no_market = || OracleError::NoValue {
            instrument: name.to_owned(),
        };
        let market = snapshot.underlyings.get(name).ok_or_else(no_market)?;
        // A checked model has a grid for every underlying, and moves above -1.
        let rows: &[Scenario] = parameters.grids.get(&rules.grid).ok_or_else(no_market)?;
        let shocks: Vec<Shock> = rows
            .iter()
            .map(Scenario::shock)
            .collect::<Option<_>>()
            .ok_or_else(no_market)?;
        let denomination = match rules.profit {
            Profit::Coin => Denomination::Coin,
            Profit::Usd => Denomination::Usd,
        };
        let held: Vec<&Instrument> = universe
            .instruments()
            .map(|(_, instrument)| instrument)
            .filter(|instrument| instrument.underlying == name)
            .filter(|instrument| self.book.lots(instrument.long) > 0 || self.book.lots(instrument.short) > 0)
            .collect();
        let table = ValueTable::new(
            market,
            snapshot.instant,
            denomination,
            &rules.volatility,
            &shocks,
            held.iter().copied(),
        )
        .map_err(|source| OracleError::Pricing {
            underlying: name.to_owned(),
            source,
        })?;
        let classes = self.classes(&held, &table, rules.profit)?;

        let index = to_ratio(market.index) / &self.book.numeraire_price;
        let (marks, unweighted) = self.profits(name, rules.profit, rows, &classes, collateral)?;
        let deltas = deltas(&classes)?;
        let provision = |rate: Decimal, coins: &BigRational| &index * to_ratio(rate) * coins;
        let delta_provision = rules.delta_provision.map_or_else(BigRational::zero, |rates| {
            provision(rates.net, &deltas.net.abs()) + provision(rates.gross, &deltas.gross)
        });
        let funding = market
            .perpetual
            .as_ref()
            .map_or(Decimal::ZERO, |perpetual| perpetual.funding);
        let exposure = Exposure {
            rows: unweighted
                .into_iter()
                .zip(rows)
                .map(|(profit, row)| {
                    let weighted = to_ratio(row.weight) * &profit;
                    RowProfit {
                        damped: self.damped(rules, row, &weighted),
                        weighted,
                        profit,
                    }
                })
                .collect(),
            delta_provision,
            short_option_minimum: provision(rules.short_option_minimum, &deltas.short_options),
            roll: &index * self.roll(rules, &classes)?,
            delta_shock: self.delta_shock(rules, &to_ratio(market.index), &classes)?,
            fees: option_fees(rules, &index, &classes)? + provision(rules.future_fee, &deltas.futures),
            funding: &index * to_ratio(rules.funding_intervals) * paid_funding(&classes, to_ratio(funding))?,
            net_delta: deltas.net,
            gross_delta: deltas.gross,
        };
        Ok((exposure, marks))
    }

    /// `Π~` of a row.
    fn damped(&self, rules: &UnderlyingParameters, row: &Scenario, profit: &BigRational) -> BigRational {
        let Some(dampener) = rules.dampener else {
            return profit.clone();
        };
        let (x, range, one) = (to_ratio(row.price_move), to_ratio(dampener.range), BigRational::one());
        let beyond = positive_part(x.abs() / &range - &one);
        let damp = beyond * to_ratio(dampener.amount) / (one + x.signum() * range) / &self.book.numeraire_price;
        if damp.is_zero() {
            profit.clone()
        } else {
            smaller(profit + damp, BigRational::zero())
        }
    }

    /// `shock_u`.
    fn delta_shock(
        &self,
        rules: &UnderlyingParameters,
        index: &BigRational,
        classes: &[Class<'_>],
    ) -> Result<BigRational, OracleError> {
        let (zero, Some(shock)) = (BigRational::zero(), rules.delta_shock) else {
            return Ok(BigRational::zero());
        };
        let (mut futures, mut options) = (zero.clone(), zero.clone());
        for class in classes {
            let of = |is_counted: fn(&Held<'_>) -> bool| {
                let some = class.held.iter().filter(|held| is_counted(held));
                sum(some, |held| Some(held.values.delta), Held::net).map(|coins| &class.contracts_per_lot * coins)
            };
            futures += of(|held| !held.is_option() || held.long < held.short)?;
            options += of(|held| held.is_option() && held.long > held.short)?;
        }
        let all = &futures + &options;
        let up = smaller(futures.clone(), all.clone());
        let down = smaller(-futures, -all);
        let delta = index * larger(zero, larger(up, down));
        let moved = to_ratio(shock.increment) / index * positive_part(&delta - to_ratio(shock.threshold));
        Ok(smaller(moved, to_ratio(shock.most)) * delta / &self.book.numeraire_price)
    }

    /// Sorts what is held by contracts per lot and by `c`.
    fn classes<'t>(
        &self,
        held: &[&'t Instrument],
        table: &'t ValueTable,
        profit: Profit,
    ) -> Result<Vec<Class<'t>>, OracleError>
    where
        'a: 't,
    {
        let mut classes: Vec<Class<'t>> = Vec::new();
        for &instrument in held {
            let no_value = || OracleError::NoValue {
                instrument: instrument.name.clone(),
            };
            let values = table.get(instrument.long).ok_or_else(no_value)?;
            let usd = match (profit, instrument.style) {
                // A coin of the underlying is worth its index.
                (Profit::Coin, _) => self
                    .book
                    .coverage
                    .snapshot
                    .underlyings
                    .get(&instrument.underlying)
                    .map(|m| to_ratio(m.index)),
                (Profit::Usd, Style::Inverse) => Some(BigRational::one()),
                (Profit::Usd, Style::Linear) => self.book.coverage.price(&instrument.settlement),
            };
            let conversion = usd.ok_or_else(no_value)? / &self.book.numeraire_price;
            let contracts_per_lot = to_ratio(instrument.lot);
            let found = classes
                .iter_mut()
                .find(|class| class.contracts_per_lot == contracts_per_lot && class.conversion == conversion);
            let one = Held {
                instrument,
                values,
                long: BigInt::from(self.book.lots(instrument.long)),
                short: BigInt::from(self.book.lots(instrument.short)),
            };
            match found {
                Some(class) => class.held.push(one),
                None => classes.push(Class {
                    contracts_per_lot,
                    conversion,
                    held: vec![one],
                }),
            }
        }
        Ok(classes)
    }

    /// The marks, and `Π_{u,r} / w_r` of each row.
    fn profits(
        &self,
        name: &str,
        profit: Profit,
        rows: &[Scenario],
        classes: &[Class<'_>],
        collateral: &[Collateral],
    ) -> Result<(Marks, Vec<BigRational>), OracleError> {
        let mut marks = Marks {
            options: BigRational::zero(),
            futures: BigRational::zero(),
        };
        let mut profits = vec![BigRational::zero(); rows.len()];
        for class in classes {
            let factor = &class.conversion * &class.contracts_per_lot;
            let (options, futures): (Vec<&Held>, Vec<&Held>) = class.held.iter().partition(|held| held.is_option());
            let options = sum(options, |held| Some(held.values.mark), Held::net)?;
            let futures = sum(futures, |held| Some(held.values.mark), Held::net)?;
            let mark = &options + &futures;
            marks.options += &factor * options;
            marks.futures += &factor * futures;
            for (row, total) in profits.iter_mut().enumerate() {
                let shocked = sum(&class.held, |held| held.values.shocked.get(row).copied(), Held::net)?;
                *total += &factor * (shocked - &mark);
            }
        }
        if profit == Profit::Usd {
            let moving = self.moving_collateral(name, collateral);
            for (total, row) in profits.iter_mut().zip(rows) {
                *total += to_ratio(row.price_move) * &moving;
            }
        }
        Ok((marks, profits))
    }

    /// `Σ_e |Σ ω q|` in coins.
    fn roll(&self, rules: &UnderlyingParameters, classes: &[Class<'_>]) -> Result<BigRational, OracleError> {
        let Some(roll) = rules.roll else {
            return Ok(BigRational::zero());
        };
        let (annual_move, least) = (to_f64(roll.annual_move), to_f64(roll.least));
        let rate = |bucket: Option<Instant>| {
            bucket.map_or(least, |expiry| {
                roll_rate(annual_move, least, years(self.book.coverage.snapshot.instant, expiry))
            })
        };
        let held = || classes.iter().flat_map(|class| &class.held);
        let buckets: BTreeSet<Option<Instant>> = held().map(Held::bucket).collect();
        let mut total = BigRational::zero();
        for bucket in buckets {
            let rate = rate(bucket);
            let mut net = BigRational::zero();
            for class in classes {
                let in_bucket = class.held.iter().filter(|held| held.bucket() == bucket);
                net += &class.contracts_per_lot * sum(in_bucket, |held| Some(held.values.delta * rate), Held::net)?;
            }
            total += net.abs();
        }
        Ok(total)
    }
}

/// The part of `fees_u` that is of options; `index` in the numéraire.
fn option_fees(
    rules: &UnderlyingParameters,
    index: &BigRational,
    classes: &[Class<'_>],
) -> Result<BigRational, OracleError> {
    let mut total = BigRational::zero();
    for class in classes {
        for held in class.held.iter().filter(|held| held.is_option()) {
            let mut fee = index * to_ratio(rules.option_fee) * to_ratio(held.instrument.contract);
            if let Some(cap) = rules.option_fee_cap {
                let mark = sum([held], |held| Some(held.values.mark), |_| BigInt::one())?;
                fee = smaller(fee, to_ratio(cap) * &class.conversion * mark);
            }
            total += &class.contracts_per_lot * fee * BigRational::from_integer(held.gross());
        }
    }
    Ok(total)
}

/// Sums in coins of the underlying.
struct Deltas {
    /// `Δ`.
    net: BigRational,
    /// `Γ`.
    gross: BigRational,
    /// `Σ |δ| g` over futures and perpetuals.
    futures: BigRational,
    /// `Σ k g` over options.
    options: BigRational,
    /// `Σ k l S` over options.
    short_options: BigRational,
}

fn deltas(classes: &[Class<'_>]) -> Result<Deltas, OracleError> {
    let zero = BigRational::zero();
    let mut deltas = Deltas {
        net: zero.clone(),
        gross: zero.clone(),
        futures: zero.clone(),
        options: zero.clone(),
        short_options: zero,
    };
    for class in classes {
        let lot = &class.contracts_per_lot;
        let futures = class.held.iter().filter(|held| !held.is_option());
        deltas.net += lot * sum(&class.held, |held| Some(held.values.delta), Held::net)?;
        deltas.gross += lot * sum(&class.held, |held| Some(held.values.delta.abs()), Held::gross)?;
        deltas.futures += lot * sum(futures, |held| Some(held.values.delta.abs()), Held::gross)?;
        for held in class.held.iter().filter(|held| held.is_option()) {
            let size = lot * to_ratio(held.instrument.contract);
            deltas.options += &size * BigRational::from_integer(held.gross());
            deltas.short_options += size * BigRational::from_integer(held.short.clone());
        }
    }
    Ok(deltas)
}

/// `Σ |δ| l ( max(φ, 0) L + max(-φ, 0) S )` over perpetuals, in coins.
fn paid_funding(classes: &[Class<'_>], funding: BigRational) -> Result<BigRational, OracleError> {
    let (by_longs, by_shorts) = (positive_part(funding.clone()), positive_part(-funding));
    let mut total = BigRational::zero();
    for class in classes {
        let perpetuals = || class.held.iter().filter(|held| held.is_perpetual());
        let long = sum(
            perpetuals(),
            |held| Some(held.values.delta.abs()),
            |held| held.long.clone(),
        )?;
        let short = sum(
            perpetuals(),
            |held| Some(held.values.delta.abs()),
            |held| held.short.clone(),
        )?;
        total += &class.contracts_per_lot * (&by_longs * long + &by_shorts * short);
    }
    Ok(total)
}
