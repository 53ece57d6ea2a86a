//! Black-76: the value of a European option on a forward, and its greeks.
//!
//! Every float operation here is an IEEE 754 basic operation or a function of the portable library `libm`, in a fixed
//! order, so a price has the same 64 bits on every platform. `std`'s float functions are refused by the lint of this
//! crate, because their last bit is the platform's.
//!
//! With forward `F`, strike `K`, total volatility `w = σ√T` and `N` the normal distribution function:
//! ```text
//! call = D (F N(d1) - K N(d2))    put = D (K N(-d2) - F N(-d1))    d1 = ln(F/K)/w + w/2    d2 = d1 - w    D = exp(-r T)
//! ```
//! Only the out-of-the-money side is computed so; the other follows by parity, `call - put = D (F - K)`, which keeps
//! both accurate where one is much larger than the other. Where `w = 0` both are what exercise pays.

use std::f64::consts::FRAC_1_SQRT_2;

use crate::universe::Right;

/// `1 / sqrt(2 pi)`, the normal density at 0.
const NORMAL_DENSITY_AT_0: f64 = 0.398_942_280_401_432_7;

/// A number that no option can be priced from.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{input} is {value}: {bound}")]
pub struct PricingError {
    /// Which input.
    pub input: &'static str,
    /// Its value.
    pub value: f64,
    /// What it must be.
    pub bound: &'static str,
}

/// An option market at one strike and expiry, ready to be valued.
#[derive(Copy, Clone, Debug, PartialEq)]
pub struct Black76 {
    forward: f64,
    strike: f64,
    volatility: f64,
    years: f64,
    rate: f64,
    root_years: f64,
    discount: f64,
}

/// Derivatives of a value `V(F, σ, t, r)`.
#[derive(Copy, Clone, Debug, PartialEq)]
pub struct Greeks {
    /// `∂V/∂F`.
    pub delta: f64,
    /// `∂²V/∂F²`.
    pub gamma: f64,
    /// `∂V/∂σ`, per 1.00 of volatility.
    pub vega: f64,
    /// `∂V/∂t = -∂V/∂T`, per year.
    pub theta: f64,
    /// `∂V/∂r` at a constant forward, per 1.00 of rate.
    pub rho: f64,
}

/// Undiscounted values of the call and the put of one strike.
#[derive(Copy, Clone, Debug, PartialEq)]
pub struct CallPut {
    /// Value of the call, in units of the forward.
    pub call: f64,
    /// Value of the put, in units of the forward.
    pub put: f64,
}

impl CallPut {
    /// The value of one side.
    pub fn of(self, right: Right) -> f64 {
        match right {
            Right::Call => self.call,
            Right::Put => self.put,
        }
    }
}

/// The normal distribution function.
fn normal(x: f64) -> f64 {
    0.5 * libm::erfc(-x * FRAC_1_SQRT_2)
}

fn normal_density(x: f64) -> f64 {
    NORMAL_DENSITY_AT_0 * libm::exp(-0.5 * x * x)
}

fn at_least_zero(x: f64) -> f64 {
    if x > 0.0 { x } else { 0.0 }
}

/// Undiscounted Black-76 values, from numbers that a caller with many scenarios computes once.
///
/// `log_moneyness` is `ln(forward / strike)`, `total_volatility` is `σ√T`. Defined for finite positive `forward` and
/// `strike` and finite `total_volatility >= 0` (nothing else leaves [`Black76::new`] or a checked snapshot); never
/// negative, never less than what exercise pays, up to one rounding.
pub fn undiscounted(forward: f64, strike: f64, log_moneyness: f64, total_volatility: f64) -> CallPut {
    let intrinsic = forward - strike;
    if intrinsic <= 0.0 {
        let call = if total_volatility > 0.0 {
            let d1 = log_moneyness / total_volatility + 0.5 * total_volatility;
            at_least_zero(forward * normal(d1) - strike * normal(d1 - total_volatility))
        } else {
            0.0
        };
        CallPut {
            call,
            put: call - intrinsic,
        }
    } else {
        let put = if total_volatility > 0.0 {
            let d1 = log_moneyness / total_volatility + 0.5 * total_volatility;
            at_least_zero(strike * normal(total_volatility - d1) - forward * normal(-d1))
        } else {
            0.0
        };
        CallPut {
            call: put + intrinsic,
            put,
        }
    }
}

/// `ln(forward / strike)`.
pub fn log_moneyness(forward: f64, strike: f64) -> f64 {
    libm::log(forward / strike)
}

impl Black76 {
    /// A market with forward and strike in one currency, volatility a year as a fraction, time in years, rate a year as
    /// a fraction.
    ///
    /// # Errors
    /// [`PricingError`] for a forward or strike that is not finite and positive, a volatility or time that is not
    /// finite and non-negative, a rate that is not finite, and a discount factor that is not.
    pub fn new(forward: f64, strike: f64, volatility: f64, years: f64, rate: f64) -> Result<Black76, PricingError> {
        for (input, value) in [("forward", forward), ("strike", strike)] {
            if !(value.is_finite() && value > 0.0) {
                return Err(PricingError {
                    input,
                    value,
                    bound: "expected a finite number above 0",
                });
            }
        }
        for (input, value) in [("volatility", volatility), ("time to expiry", years)] {
            if !(value.is_finite() && value >= 0.0) {
                return Err(PricingError {
                    input,
                    value,
                    bound: "expected a finite number of at least 0",
                });
            }
        }
        if !rate.is_finite() {
            return Err(PricingError {
                input: "rate",
                value: rate,
                bound: "expected a finite number",
            });
        }
        let discount = if rate == 0.0 { 1.0 } else { libm::exp(-rate * years) };
        if !discount.is_finite() {
            return Err(PricingError {
                input: "discount factor",
                value: discount,
                bound: "expected a finite number",
            });
        }
        Ok(Black76 {
            forward,
            strike,
            volatility,
            years,
            rate,
            root_years: libm::sqrt(years),
            discount,
        })
    }

    /// Discount factor `exp(-r T)`, exactly 1 where the rate is 0.
    pub fn discount(&self) -> f64 {
        self.discount
    }

    fn total_volatility(&self) -> f64 {
        self.volatility * self.root_years
    }

    fn d1(&self) -> f64 {
        let w = self.total_volatility();
        log_moneyness(self.forward, self.strike) / w + 0.5 * w
    }

    /// Discounted values of call and put.
    pub fn values(&self) -> CallPut {
        let log = log_moneyness(self.forward, self.strike);
        let CallPut { call, put } = undiscounted(self.forward, self.strike, log, self.total_volatility());
        CallPut {
            call: self.discount * call,
            put: self.discount * put,
        }
    }

    /// Discounted value of one side.
    pub fn value(&self, right: Right) -> f64 {
        self.values().of(right)
    }

    /// `∂V/∂F`: `D N(d1)` of a call, `-D N(-d1)` of a put. Without volatility: 1, 0, or a half at the money, of `D`.
    pub fn delta(&self, right: Right) -> f64 {
        let (call, put) = if self.total_volatility() > 0.0 {
            let d1 = self.d1();
            (normal(d1), -normal(-d1))
        } else if self.forward > self.strike {
            (1.0, 0.0)
        } else if self.forward < self.strike {
            (0.0, -1.0)
        } else {
            (0.5, -0.5)
        };
        match right {
            Right::Call => self.discount * call,
            Right::Put => self.discount * put,
        }
    }

    /// All greeks. Without volatility gamma and vega are 0 and theta is that of the discount factor alone.
    pub fn greeks(&self, right: Right) -> Greeks {
        let value = self.value(right);
        let w = self.total_volatility();
        let density = if w > 0.0 { normal_density(self.d1()) } else { 0.0 };
        let decay = if self.root_years > 0.0 {
            self.forward * density * self.volatility / (2.0 * self.root_years)
        } else {
            0.0
        };
        Greeks {
            delta: self.delta(right),
            gamma: if density > 0.0 {
                self.discount * density / (self.forward * w)
            } else {
                0.0
            },
            vega: self.discount * self.forward * density * self.root_years,
            theta: self.rate * value - self.discount * decay,
            rho: -self.years * value,
        }
    }
}

#[cfg(test)]
mod tests;
