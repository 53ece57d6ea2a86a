//! Integer forms: what [`Exact`](crate::Exact), [`Upper`](crate::Upper) and [`Lower`](crate::Lower) have in common.

use thiserror::Error;

use crate::leg::LegId;
use crate::program::VarId;
use crate::real::{NumberError, RESOLUTION_BITS};

/// The fault that a form remembers from the operation that made it, until a verb of the builder reports it.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum FormError {
    /// A coefficient or the constant left its range.
    #[error("a coefficient of a form overflows (64 bits on legs, 128 elsewhere)")]
    Overflow,
    /// Forms of two builders were put together.
    #[error("a form of another builder")]
    OtherBuilder,
    /// A number that the form was made with.
    #[error(transparent)]
    Number(#[from] NumberError),
}

/// How far a form may be from its real value, against the trader: `(per_lot * S(q) + constant) / 2^16` units, where
/// `S(q)` is the number of lots on legs with an inexact coefficient.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rounding {
    pub(crate) per_lot: u128,
    pub(crate) constant: u128,
}

impl Rounding {
    pub(crate) fn plus(self, other: Self) -> Self {
        Self {
            per_lot: self.per_lot.saturating_add(other.per_lot),
            constant: self.constant.saturating_add(other.constant),
        }
    }

    pub(crate) fn or(self, other: Self) -> Self {
        Self {
            per_lot: self.per_lot.max(other.per_lot),
            constant: self.constant.max(other.constant),
        }
    }

    pub(crate) fn plus_one_unit(self) -> Self {
        self.plus_units(1)
    }

    pub(crate) fn plus_units(self, units: u128) -> Self {
        self.plus(Self {
            per_lot: 0,
            constant: units.saturating_mul(1 << RESOLUTION_BITS),
        })
    }

    pub(crate) fn times(self, num: u128, den: u128) -> Self {
        // The quotient first, so that a wide bound stays finite; each part is rounded up.
        let scaled = |x: u128| {
            (x / den)
                .saturating_mul(num)
                .saturating_add((x % den).saturating_mul(num).div_ceil(den))
        };
        Self {
            per_lot: scaled(self.per_lot),
            constant: scaled(self.constant),
        }
    }
}

/// `Σ legs·q + Σ variables·w + constant`, with both lists sorted and without zeros.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Form {
    pub(crate) builder: u64,
    pub(crate) legs: Vec<(LegId, i64)>,
    pub(crate) variables: Vec<(VarId, i128)>,
    pub(crate) constant: i128,
    pub(crate) rounding: Rounding,
    pub(crate) fault: Option<FormError>,
}

impl Form {
    pub(crate) fn constant(builder: u64, constant: i128) -> Self {
        Self {
            builder,
            legs: Vec::new(),
            variables: Vec::new(),
            constant,
            rounding: Rounding::default(),
            fault: None,
        }
    }

    pub(crate) fn variable(builder: u64, variable: VarId, constant: i128) -> Self {
        Self {
            variables: vec![(variable, 1)],
            ..Self::constant(builder, constant)
        }
    }

    pub(crate) fn is_constant(&self) -> bool {
        self.legs.is_empty() && self.variables.is_empty()
    }

    fn broken(mut self, fault: FormError) -> Self {
        self.fault.get_or_insert(fault);
        self
    }

    pub(crate) fn plus(self, other: Self) -> Self {
        if let Some(fault) = self.fault.or(other.fault) {
            return self.broken(fault);
        }
        if self.builder != other.builder {
            return self.broken(FormError::OtherBuilder);
        }
        let sum = (
            merge(self.legs, other.legs, i64::checked_add),
            merge(self.variables, other.variables, i128::checked_add),
            self.constant.checked_add(other.constant),
        );
        match sum {
            (Some(legs), Some(variables), Some(constant)) => Self {
                builder: self.builder,
                legs,
                variables,
                constant,
                rounding: self.rounding.plus(other.rounding),
                fault: None,
            },
            _ => Self::constant(self.builder, 0).broken(FormError::Overflow),
        }
    }

    pub(crate) fn minus(self, other: Self) -> Self {
        self.plus(other.times(-1))
    }

    pub(crate) fn times(mut self, factor: i128) -> Self {
        if self.fault.is_some() {
            return self;
        }
        if factor == 0 {
            return Self::constant(self.builder, 0);
        }
        let leg_factor = i64::try_from(factor).ok();
        if leg_factor.is_none() && !self.legs.is_empty() {
            return self.broken(FormError::Overflow);
        }
        let fits = self.legs.iter_mut().all(|(_, c)| {
            let product = leg_factor.and_then(|f| c.checked_mul(f));
            *c = product.unwrap_or(0);
            product.is_some()
        }) && self.variables.iter_mut().all(|(_, c)| {
            let product = c.checked_mul(factor);
            *c = product.unwrap_or(0);
            product.is_some()
        });
        match self.constant.checked_mul(factor) {
            Some(constant) if fits => {
                self.constant = constant;
                self.rounding = self.rounding.times(factor.unsigned_abs(), 1);
                self
            }
            _ => self.broken(FormError::Overflow),
        }
    }
}

/// The sum of two sorted sparse rows; `None` on overflow.
pub(crate) fn merge<K: Copy + Ord, V: Copy + Default + PartialEq>(
    a: Vec<(K, V)>,
    b: Vec<(K, V)>,
    add: impl Fn(V, V) -> Option<V>,
) -> Option<Vec<(K, V)>> {
    if a.is_empty() {
        return Some(b);
    }
    if b.is_empty() {
        return Some(a);
    }
    let mut sum = Vec::with_capacity(a.len() + b.len());
    let (mut a, mut b) = (a.into_iter().peekable(), b.into_iter().peekable());
    while let (Some(&(i, x)), Some(&(j, y))) = (a.peek(), b.peek()) {
        if i < j {
            sum.extend(a.next());
        } else if j < i {
            sum.extend(b.next());
        } else {
            let total = add(x, y)?;
            if total != V::default() {
                sum.push((i, total));
            }
            a.next();
            b.next();
        }
    }
    sum.extend(a);
    sum.extend(b);
    Some(sum)
}
