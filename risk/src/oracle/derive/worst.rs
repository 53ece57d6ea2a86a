//! The worst row of one underlying.

use std::collections::BTreeMap;

use num_rational::BigRational;
use num_traits::{Signed, Zero};

use crate::amount::to_ratio;
use crate::instant::Instant;
use crate::model::derive::parameters::Row;
use crate::model::derive::values::{OptionValues, Table};
use crate::oracle::book::Held;
use crate::oracle::exact::ExactSum;
use crate::oracle::{Cell, Component, OracleError, larger, positive_part, smaller};

/// The rows of a book on one underlying, and its basis contingency.
pub(super) struct Worst {
    rows: Vec<Row>,
    /// The loss of each row.
    losses: Vec<BigRational>,
    basis: BigRational,
}

/// Sums of `c_i x_i q_i`, with one exact sum for each `c_i` per lot.
#[derive(Default)]
struct Sum(BTreeMap<BigRational, ExactSum>);

impl Sum {
    fn add(&mut self, held: &Held<'_>, x: f64) -> Result<(), OracleError> {
        let sum = self.0.entry(held.per_lot.clone()).or_default();
        sum.add(x, &held.net()).ok_or_else(|| OracleError::NoValue {
            instrument: held.instrument.name.clone(),
        })
    }

    fn value(self) -> BigRational {
        let parts = self.0.into_iter();
        parts.fold(BigRational::zero(), |total, (per_lot, sum)| {
            total + per_lot * sum.value()
        })
    }
}

fn sum<'h, 'a: 'h>(
    options: &'h [(&'h Held<'a>, &OptionValues)],
    x: impl Fn(&OptionValues) -> f64,
) -> Result<BigRational, OracleError> {
    let mut sum = Sum::default();
    for (held, values) in options {
        sum.add(held, x(values))?;
    }
    Ok(sum.value())
}

impl Worst {
    pub(super) fn new(
        held: &[Held<'_>],
        table: &Table,
        rows: &[Row],
        moving: &BigRational,
    ) -> Result<Worst, OracleError> {
        let mut expiries: BTreeMap<Instant, Vec<(&Held<'_>, &OptionValues)>> = BTreeMap::new();
        for held in held {
            let expiry = held.instrument.kind.expiry();
            if let (Some(expiry), Some(values)) = (expiry, table.options.get(&held.instrument.long)) {
                expiries.entry(expiry).or_default().push((held, values));
            }
        }
        let mut losses = Vec::with_capacity(rows.len());
        for (index, row) in rows.iter().enumerate() {
            let mut loss = -to_ratio(row.price_move) * moving;
            let (mut now, mut then) = (Sum::default(), Sum::default());
            for held in held {
                if let Some(values) = table.forwards.get(&held.instrument.long) {
                    now.add(held, values.mark)?;
                    then.add(held, values.rows.get(index).copied().unwrap_or(values.mark))?;
                }
            }
            loss += now.value() - then.value();
            for (expiry, options) in &expiries {
                loss += lambda(table, *expiry, options, index, row)?;
            }
            losses.push(to_ratio(row.weight) * loss);
        }
        let mut basis = BigRational::zero();
        for options in expiries.values() {
            let [up, down] =
                [0, 1].map(|at: usize| sum(options, |values| values.basis.get(at).copied().unwrap_or(0.0)));
            basis += positive_part(larger(-up?, -down?));
        }
        Ok(Worst {
            rows: rows.to_vec(),
            losses,
            basis,
        })
    }

    /// `worst_u` times its factors, with the name of what decides it.
    pub(super) fn component(&self, name: &str, initial: &BigRational, maintenance: &BigRational) -> Component {
        let (mut worst, mut note) = (BigRational::zero(), String::new());
        if self.basis > worst {
            worst = self.basis.clone();
            note = ", basis contingency".to_owned();
        }
        for (row, loss) in self.rows.iter().zip(&self.losses) {
            if *loss > worst {
                worst = loss.clone();
                note = format!(", move {} volatility {}", row.price_move, row.volatility.name());
            }
        }
        let mut component = Component::new(
            "worst scenario",
            format!("{name}{note}"),
            initial * &worst,
            maintenance * &worst,
        );
        component
            .parts
            .push(Component::of_both("basis contingency", name, self.basis.clone()));
        component
    }

    /// The profit of each row, for the eye.
    pub(super) fn cells(&self, underlying: &str) -> Vec<Cell> {
        let cell = |(row, loss): (&Row, &BigRational)| Cell {
            underlying: underlying.to_owned(),
            price_move: row.price_move,
            volatility: row.volatility.name().to_owned(),
            weight: row.weight,
            profit: -loss,
        };
        self.rows.iter().zip(&self.losses).map(cell).collect()
    }
}

/// `λ_e` of a row.
fn lambda(
    table: &Table,
    expiry: Instant,
    options: &[(&Held<'_>, &OptionValues)],
    index: usize,
    row: &Row,
) -> Result<BigRational, OracleError> {
    let at = |values: &OptionValues| values.rows.get(index).copied().unwrap_or((values.mark, values.mark));
    let mark = sum(options, |values| values.mark)?;
    let (positive, negative) = (
        sum(options, |values| at(values).0)?,
        sum(options, |values| at(values).1)?,
    );
    let concave = table
        .tenors
        .get(&expiry)
        .is_none_or(|tenor| tenor.positive <= tenor.negative);
    let discounted = if concave {
        smaller(positive, negative)
    } else {
        larger(positive, negative)
    };
    let loss = mark - discounted;
    Ok(if row.volatility.is_skew() { loss.abs() } else { loss })
}
