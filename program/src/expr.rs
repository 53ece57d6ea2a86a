//! The four kinds of form: [`Linear`] has no side, [`Exact`] is an integer, [`Upper`] bounds a real value from above,
//! [`Lower`] from below.
//!
//! An operation that overflows, or that puts forms of two builders together, gives a form that remembers the fault;
//! the first verb of the [`Builder`](crate::Builder) that is given it reports it.

use std::ops::{Add, AddAssign, Neg, Sub};

use crate::form::{Form, FormError, merge};
use crate::leg::LegId;
use crate::real::{NumberError, Ratio, Real};

/// `Σ a_i q_i + c` with real `a_i`, `c` in units: no side yet, so it can be added, negated and scaled freely, and cannot be
/// required.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Linear {
    pub(crate) legs: Vec<(LegId, Real)>,
    pub(crate) constant: Real,
    pub(crate) fault: Option<FormError>,
}

impl Linear {
    /// The form that is zero.
    pub fn zero() -> Self {
        Self::constant(Real::ZERO)
    }

    /// The form that is `constant` units for every book.
    pub fn constant(constant: Real) -> Self {
        Self {
            legs: Vec::new(),
            constant,
            fault: None,
        }
    }

    /// The form with one leg, `units` per lot of it.
    pub fn leg(leg: LegId, units: Real) -> Self {
        let mut form = Self::zero();
        form.add_leg(leg, units);
        form
    }

    /// Makes it the form that is zero; its memory stays for the next one.
    pub fn clear(&mut self) {
        self.legs.clear();
        self.constant = Real::ZERO;
        self.fault = None;
    }

    /// Adds `units` per lot of `leg`. Cheapest when legs come in increasing order.
    pub fn add_leg(&mut self, leg: LegId, units: Real) {
        if self.legs.last().is_none_or(|(last, _)| *last < leg) {
            self.legs.push((leg, units));
            return;
        }
        match self.legs.binary_search_by_key(&leg, |(at, _)| *at) {
            Ok(at) => match self.legs[at].1.checked_add(units) {
                Ok(sum) => self.legs[at].1 = sum,
                Err(error) => self.note(error),
            },
            Err(at) => self.legs.insert(at, (leg, units)),
        }
    }

    /// Adds `units` to the constant.
    pub fn add_constant(&mut self, units: Real) {
        match self.constant.checked_add(units) {
            Ok(sum) => self.constant = sum,
            Err(error) => self.note(error),
        }
    }

    /// The form times a factor of any sign.
    #[must_use]
    pub fn scale(mut self, factor: Ratio) -> Self {
        self.map(|real| real.checked_mul(factor));
        self
    }

    fn map(&mut self, change: impl Fn(Real) -> Result<Real, NumberError>) {
        for real in self.legs.iter_mut().map(|(_, real)| real).chain([&mut self.constant]) {
            match change(*real) {
                Ok(changed) => *real = changed,
                Err(error) => {
                    self.fault.get_or_insert(error.into());
                    return;
                }
            }
        }
    }

    fn note(&mut self, error: NumberError) {
        self.fault.get_or_insert(error.into());
    }
}

impl Default for Linear {
    fn default() -> Self {
        Self::zero()
    }
}

impl AddAssign for Linear {
    fn add_assign(&mut self, other: Self) {
        let legs = std::mem::take(&mut self.legs);
        match merge(legs, other.legs, |x, y| x.checked_add(y).ok()) {
            Some(legs) => self.legs = legs,
            None => self.note(NumberError::Overflow),
        }
        self.add_constant(other.constant);
        self.fault = self.fault.or(other.fault);
    }
}

impl Add for Linear {
    type Output = Self;
    fn add(mut self, other: Self) -> Self {
        self += other;
        self
    }
}

impl Neg for Linear {
    type Output = Self;
    fn neg(mut self) -> Self {
        self.map(Real::checked_neg);
        self
    }
}

impl Sub for Linear {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        self + -other
    }
}

/// A form with integer coefficients whose value is the real value itself. It becomes either side.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Exact(pub(crate) Form);

/// An integer form that is at least its real value, whatever the prover chose: what a requirement needs.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Upper(pub(crate) Form);

/// An integer form that is at most its real value, whatever the prover chose: what a value needs.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Lower(pub(crate) Form);

impl Exact {
    /// The form times a whole number of any sign.
    pub fn scale(self, factor: i64) -> Self {
        Self(self.0.times(factor.into()))
    }
}

impl Upper {
    /// Whether it is the same whatever is held and whatever the prover chose.
    pub fn is_constant(&self) -> bool {
        self.0.is_constant()
    }
}

macro_rules! operator {
    ($trait:ident, $method:ident, $form:ident: $left:ident, $right:ident => $result:ident) => {
        impl $trait<$right> for $left {
            type Output = $result;
            fn $method(self, other: $right) -> $result {
                $result(self.0.$form(other.0))
            }
        }
    };
}
operator!(Add, add, plus: Exact, Exact => Exact);
operator!(Sub, sub, minus: Exact, Exact => Exact);
operator!(Add, add, plus: Upper, Upper => Upper);
operator!(Sub, sub, minus: Upper, Lower => Upper);
operator!(Add, add, plus: Lower, Lower => Lower);
operator!(Sub, sub, minus: Lower, Upper => Lower);

macro_rules! negation {
    ($from:ident => $to:ident) => {
        impl Neg for $from {
            type Output = $to;
            fn neg(self) -> $to {
                $to(self.0.times(-1))
            }
        }
    };
}
negation!(Exact => Exact);
negation!(Upper => Lower);
negation!(Lower => Upper);

impl From<Exact> for Upper {
    fn from(exact: Exact) -> Self {
        Self(exact.0)
    }
}

impl From<Exact> for Lower {
    fn from(exact: Exact) -> Self {
        Self(exact.0)
    }
}

/// A form with a side, [`Upper`] or [`Lower`]: what [`Builder::rescale`](crate::Builder::rescale) takes and gives.
pub trait Side: sealed::Mirror {}
impl Side for Upper {}
impl Side for Lower {}

pub(crate) mod sealed {
    use super::{Lower, Upper};

    /// Every verb is written once, for `Upper`; a `Lower` goes through its negation and back.
    pub trait Mirror: Sized {
        fn into_upper(self) -> Upper;
        fn from_upper(upper: Upper) -> Self;
    }
    impl Mirror for Upper {
        fn into_upper(self) -> Upper {
            self
        }
        fn from_upper(upper: Upper) -> Self {
            upper
        }
    }
    impl Mirror for Lower {
        fn into_upper(self) -> Upper {
            -self
        }
        fn from_upper(upper: Upper) -> Self {
            -upper
        }
    }
}
