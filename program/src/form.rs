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

/// How far a form may be from its real value, against the trader: `(Σ per_lot·q + constant) / 2^16` units.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rounding {
    /// Of each leg with an inexact coefficient, sorted.
    pub(crate) per_lot: Vec<(LegId, u64)>,
    pub(crate) constant: u128,
}

impl Rounding {
    pub(crate) fn plus(self, other: &Self) -> Self {
        Self {
            per_lot: combined(self.per_lot, &other.per_lot, u64::saturating_add),
            constant: self.constant.saturating_add(other.constant),
        }
    }

    pub(crate) fn or(self, other: &Self) -> Self {
        Self {
            per_lot: combined(self.per_lot, &other.per_lot, u64::max),
            constant: self.constant.max(other.constant),
        }
    }

    /// By how much the largest of the forms can be above the exact one.
    pub(crate) fn largest(forms: &[Form]) -> Self {
        forms.iter().fold(Self::default(), |most, form| most.or(&form.rounding))
    }

    pub(crate) fn plus_one_unit(self) -> Self {
        self.plus_units(1)
    }

    pub(crate) fn plus_units(self, units: u128) -> Self {
        let more = units.saturating_mul(1 << RESOLUTION_BITS);
        Self {
            constant: self.constant.saturating_add(more),
            ..self
        }
    }

    pub(crate) fn times(mut self, num: u128, den: u128) -> Self {
        if num == den {
            return self;
        }
        // The quotient first, so that a wide bound stays finite; each part is rounded up.
        let scaled = |x: u128| {
            (x / den)
                .saturating_mul(num)
                .saturating_add((x % den).saturating_mul(num).div_ceil(den))
        };
        for (_, per_lot) in &mut self.per_lot {
            *per_lot = u64::try_from(scaled((*per_lot).into())).unwrap_or(u64::MAX);
        }
        self.constant = scaled(self.constant);
        self
    }

    /// The bound for a book, in whole units.
    pub(crate) fn units(&self, q: &[u64]) -> u128 {
        let of_leg = |&(leg, per_lot): &(LegId, u64)| {
            let lots = q.get(leg.index()).copied().unwrap_or(0);
            u128::from(per_lot).saturating_mul(lots.into())
        };
        let of_legs = self.per_lot.iter().map(of_leg).fold(0, u128::saturating_add);
        of_legs.saturating_add(self.constant).div_ceil(1 << RESOLUTION_BITS)
    }
}

/// Both sorted lists in one, what is of one leg put together.
fn combined(mut a: Vec<(LegId, u64)>, b: &[(LegId, u64)], with: fn(u64, u64) -> u64) -> Vec<(LegId, u64)> {
    // Of the same legs, as the rows of a grid are.
    if a.len() == b.len() && a.iter().zip(b).all(|(x, y)| x.0 == y.0) {
        a.iter_mut().zip(b).for_each(|(x, y)| x.1 = with(x.1, y.1));
        return a;
    }
    if b.is_empty() {
        return a;
    }
    let mut both = Vec::with_capacity(a.len() + b.len());
    let (mut left, mut right) = (a.into_iter().peekable(), b.iter().copied().peekable());
    loop {
        both.push(match (left.peek(), right.peek()) {
            (Some(&(x, one)), Some(&(y, other))) if x == y => {
                left.next();
                right.next();
                (x, with(one, other))
            }
            (Some(&(x, one)), Some(&(y, _))) if x < y => {
                left.next();
                (x, one)
            }
            (Some(&last), None) => {
                left.next();
                last
            }
            (_, Some(&last)) => {
                right.next();
                last
            }
            (None, None) => return both,
        });
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
                rounding: self.rounding.plus(&other.rounding),
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
