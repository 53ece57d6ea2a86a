//! What the rules of clearing houses share: what is held on an underlying, valued at moves.

use std::collections::BTreeMap;

use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::Zero;

use crate::amount::to_ratio;
use crate::market::UnderlyingMarket;
use crate::oracle::book::{Book, Held};
use crate::oracle::exact::ExactSum;
use crate::oracle::{Collateral, OracleError};
use crate::scenario::{Shock, VolatilityShock};
use crate::universe::Kind;
use crate::valuation::{Denomination, ValueTable, Values};

/// An instrument that is held, and its entry of the table.
pub(super) struct Line<'a> {
    pub(super) held: Held<'a>,
    pub(super) values: Values,
}

impl Line<'_> {
    pub(super) const fn is_option(&self) -> bool {
        matches!(self.held.instrument.kind, Kind::Option { .. })
    }
}

/// What is held on one underlying.
pub(super) struct Holdings<'a> {
    pub(super) market: &'a UnderlyingMarket,
    pub(super) lines: Vec<Line<'a>>,
    /// `I_u / p_M`.
    pub(super) index: BigRational,
}

/// `Σ factor · figure · lots`, exactly; instruments with one factor share a sum.
pub(super) fn sum<'h, 'a: 'h>(
    lines: impl IntoIterator<Item = &'h Line<'a>>,
    factor: impl Fn(&Held<'a>) -> BigRational,
    figure: impl Fn(&Line<'a>) -> Option<f64>,
    lots: impl Fn(&Held<'a>) -> BigInt,
) -> Result<BigRational, OracleError> {
    let mut sums: Vec<(BigRational, ExactSum)> = Vec::new();
    for line in lines {
        let factor = factor(&line.held);
        let at = match sums.iter().position(|(known, _)| *known == factor) {
            Some(at) => at,
            None => {
                sums.push((factor, ExactSum::default()));
                sums.len() - 1
            }
        };
        let added = sums
            .get_mut(at)
            .zip(figure(line))
            .and_then(|((_, sum), figure)| sum.add(figure, &lots(&line.held)));
        added.ok_or_else(|| no_value(&line.held))?;
    }
    let total = sums.into_iter().map(|(factor, sum)| factor * sum.value());
    Ok(total.fold(BigRational::zero(), |total, part| total + part))
}

fn no_value(held: &Held<'_>) -> OracleError {
    OracleError::NoValue {
        instrument: held.instrument.name.clone(),
    }
}

/// What is held on each underlying of `names` that the snapshot has, valued under its shocks.
pub(super) fn holdings<'a, 'm>(
    book: &Book<'a>,
    names: impl IntoIterator<Item = (&'m str, VolatilityShock, Vec<Shock>)>,
) -> Result<BTreeMap<&'m str, Holdings<'a>>, OracleError> {
    let snapshot: &'a crate::market::Snapshot = book.coverage.snapshot;
    let mut by_name: BTreeMap<&str, Vec<Held<'a>>> = BTreeMap::new();
    for held in book.held()? {
        by_name.entry(&held.instrument.underlying).or_default().push(held);
    }
    let mut all = BTreeMap::new();
    for (name, volatility, shocks) in names {
        let Some(market) = snapshot.underlyings.get(name) else {
            continue;
        };
        let held = by_name.remove(name).unwrap_or_default();
        let instruments = held.iter().map(|held| held.instrument);
        let table = ValueTable::new(
            market,
            snapshot.instant,
            Denomination::Usd,
            &volatility,
            &shocks,
            instruments,
        );
        let table = table.map_err(|source| OracleError::Pricing {
            underlying: name.to_owned(),
            source,
        })?;
        let mut lines = Vec::with_capacity(held.len());
        for held in held {
            let values = table.get(held.instrument.long).cloned();
            let values = values.ok_or_else(|| no_value(&held))?;
            lines.push(Line { held, values });
        }
        let index = to_ratio(market.index) / &book.numeraire_price;
        all.insert(name, Holdings { market, lines, index });
    }
    Ok(all)
}

impl<'a> Holdings<'a> {
    /// `Σ c m q` over the options, and over everything else.
    pub(super) fn marks(&self) -> Result<[BigRational; 2], OracleError> {
        let of = |options: bool| {
            let lines = self.lines.iter().filter(|line| line.is_option() == options);
            sum(
                lines,
                |held| held.per_lot.clone(),
                |line| Some(line.values.mark),
                Held::net,
            )
        };
        Ok([of(true)?, of(false)?])
    }

    /// `Σ c ( v(r) - m ) q`.
    pub(super) fn gain(&self, row: usize) -> Result<BigRational, OracleError> {
        let per_lot = |held: &Held<'a>| held.per_lot.clone();
        let shocked = |line: &Line<'a>| line.values.shocked.get(row).copied();
        let now = |line: &Line<'a>| Some(line.values.mark);
        Ok(sum(&self.lines, per_lot, shocked, Held::net)? - sum(&self.lines, per_lot, now, Held::net)?)
    }

    /// `(I_u / p_M) Σ δ q` of some lines.
    pub(super) fn delta<'h>(&self, lines: impl IntoIterator<Item = &'h Line<'a>>) -> Result<BigRational, OracleError>
    where
        'a: 'h,
    {
        let per_lot = |held: &Held<'a>| to_ratio(held.instrument.lot);
        Ok(&self.index * sum(lines, per_lot, |line| Some(line.values.delta), Held::net)?)
    }
}

/// `Σ (p_a / p_M) A_a` over the assets that move with an underlying.
pub(super) fn moving(book: &Book<'_>, collateral: &[Collateral], underlying: &str, whole: bool) -> BigRational {
    let mut sum = BigRational::zero();
    for line in collateral.iter().filter(|line| line.uncounted.is_none()) {
        let moves_with = book.coverage.names.assets.get(line.asset.as_str()).copied().flatten();
        let (true, Some(price)) = (moves_with == Some(underlying), &line.price) else {
            continue;
        };
        let amount = if whole {
            &line.carry + &line.balance - &line.debt - &line.reserve
        } else {
            line.carry.clone()
        };
        sum += price / &book.numeraire_price * amount;
    }
    sum
}
