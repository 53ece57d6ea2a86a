//! What the parameters say about one risk factor, and about two: the figures that program and oracle both read.

use std::fmt;

use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::One;
use rust_decimal::Decimal;

use crate::amount::to_ratio;
use crate::model::Sensitivities;
use crate::model::simm::parameters::{Bucket, Bucketed, ByPair, CurrencyGroup, Parameters, SameBy};
use crate::universe::{RiskType, Sensitivity};

/// A risk class, in the order of `ψ`.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum RiskClass {
    InterestRate,
    CreditQualifying,
    CreditNonQualifying,
    Equity,
    Commodity,
    Fx,
}

impl RiskClass {
    pub(crate) const ALL: [RiskClass; 6] = [
        RiskClass::InterestRate,
        RiskClass::CreditQualifying,
        RiskClass::CreditNonQualifying,
        RiskClass::Equity,
        RiskClass::Commodity,
        RiskClass::Fx,
    ];

    pub(crate) const fn word(self) -> &'static str {
        match self {
            RiskClass::InterestRate => "interest rate",
            RiskClass::CreditQualifying => "credit qualifying",
            RiskClass::CreditNonQualifying => "credit non-qualifying",
            RiskClass::Equity => "equity",
            RiskClass::Commodity => "commodity",
            RiskClass::Fx => "exchange rate",
        }
    }
}

/// What of a risk factor is measured.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Measure {
    Delta,
    Vega,
    BaseCorrelation,
}

/// A risk factor of a product class.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RiskFactor {
    pub(crate) class: RiskClass,
    pub(crate) measure: Measure,
    pub(crate) bucket: String,
    pub(crate) risk_type: RiskType,
    pub(crate) qualifier: String,
    /// The tenor, where it tells factors apart.
    pub(crate) tenor: String,
    pub(crate) label2: String,
}

impl fmt::Display for RiskFactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.risk_type.word())?;
        let bucket = if self.bucket == self.qualifier {
            ""
        } else {
            &self.bucket
        };
        let texts = [bucket, &self.qualifier, &self.tenor, &self.label2];
        texts
            .iter()
            .filter(|text| !text.is_empty())
            .try_for_each(|text| write!(f, " {text}"))
    }
}

/// Where a sensitivity goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Placed {
    /// To a risk factor.
    Factor(RiskFactor),
    /// To an add-on of this part of the notional.
    Notional(Decimal),
    /// Nowhere: an exchange rate with itself.
    Nothing,
}

/// `(HVR σ, SF(t) σ)` of a vega; the second is `None` where there is no curvature.
pub(crate) type VegaScales = (BigRational, Option<BigRational>);

impl Parameters {
    /// Where a sensitivity goes; `None` if the model does not know it.
    pub(crate) fn place(&self, product: &str, sensitivity: &Sensitivity) -> Option<Placed> {
        let Sensitivity {
            risk_type,
            qualifier,
            bucket,
            label1,
            label2,
        } = sensitivity;
        if *risk_type == RiskType::Notional {
            return self.notional_factors.get(qualifier).copied().map(Placed::Notional);
        }
        if !self.product_classes.iter().any(|class| class == product) {
            return None;
        }
        let (class, measure) = class_of(*risk_type)?;
        if measure == Measure::Vega {
            days(label1)?;
        }
        let mut factor = RiskFactor {
            class,
            measure,
            bucket: qualifier.clone(),
            risk_type: *risk_type,
            qualifier: qualifier.clone(),
            tenor: String::new(),
            label2: String::new(),
        };
        match risk_type {
            RiskType::InterestRate | RiskType::InterestRateVolatility => {
                self.tenor(label1)?;
                factor.tenor.clone_from(label1);
                if measure == Measure::Delta {
                    factor.label2.clone_from(label2);
                }
            }
            RiskType::Fx if *qualifier == self.calculation_currency => return Some(Placed::Nothing),
            RiskType::FxVolatility => {
                let (one, other) = currencies(qualifier)?;
                let pair = if one <= other { (one, other) } else { (other, one) };
                factor.qualifier = format!("{}{}", pair.0, pair.1);
                factor.bucket.clone_from(&factor.qualifier);
            }
            RiskType::BaseCorrelation => factor.bucket.clear(),
            RiskType::Inflation | RiskType::CrossCurrencyBasis | RiskType::InflationVolatility | RiskType::Fx => {}
            _ => {
                self.bucket(class, bucket)?;
                factor.bucket.clone_from(bucket);
                if matches!(class, RiskClass::CreditQualifying | RiskClass::CreditNonQualifying) {
                    factor.tenor.clone_from(label1);
                    factor.label2.clone_from(label2);
                }
            }
        }
        Some(Placed::Factor(factor))
    }

    fn tenor(&self, label: &str) -> Option<usize> {
        self.interest_rate.tenors.iter().position(|tenor| tenor == label)
    }

    pub(crate) fn bucketed(&self, class: RiskClass) -> Option<&Bucketed> {
        match class {
            RiskClass::CreditQualifying => Some(&self.credit_qualifying),
            RiskClass::CreditNonQualifying => Some(&self.credit_non_qualifying),
            RiskClass::Equity => Some(&self.equity),
            RiskClass::Commodity => Some(&self.commodity),
            RiskClass::InterestRate | RiskClass::Fx => None,
        }
    }

    fn bucket(&self, class: RiskClass, name: &str) -> Option<&Bucket> {
        self.bucketed(class)?.buckets.iter().find(|bucket| bucket.name == name)
    }

    /// Whether a bucket is the residual one of its class.
    pub(crate) fn is_residual(&self, class: RiskClass, bucket: &str) -> bool {
        let bucketed = self.bucketed(class);
        bucketed.is_some_and(|bucketed| bucketed.residual.as_deref() == Some(bucket))
    }

    fn group(&self, currency: &str) -> &CurrencyGroup {
        let has = |group: &&CurrencyGroup| group.currencies.iter().any(|listed| listed == currency);
        let rates = &self.interest_rate;
        rates.groups.iter().find(has).unwrap_or(&rates.others)
    }

    fn is_high(&self, currency: &str) -> bool {
        self.fx.high_volatility.iter().any(|listed| listed == currency)
    }

    fn category(&self, currency: &str) -> usize {
        let categories = &self.fx.categories;
        let has = |category: &Vec<String>| category.iter().any(|listed| listed == currency);
        categories.iter().position(has).unwrap_or(categories.len())
    }

    /// `RW` of a delta, a vega or a base correlation.
    pub(crate) fn weight(&self, factor: &RiskFactor) -> Decimal {
        let rates = &self.interest_rate;
        match (factor.class, factor.measure) {
            (_, Measure::BaseCorrelation) => self.base_correlation.weight,
            (RiskClass::InterestRate, Measure::Vega) => rates.vega_weight,
            (RiskClass::InterestRate, Measure::Delta) => match factor.risk_type {
                RiskType::Inflation => rates.inflation_weight,
                RiskType::CrossCurrencyBasis => rates.basis_weight,
                _ => {
                    let place = self.tenor(&factor.tenor);
                    let weights = &self.group(&factor.bucket).weights;
                    place
                        .and_then(|place| weights.get(place))
                        .map_or(Decimal::MAX, |figure| figure.0)
                }
            },
            (RiskClass::Fx, Measure::Vega) => self.fx.vega_weight,
            (RiskClass::Fx, Measure::Delta) => {
                self.by_pair(&self.fx.weights, &factor.qualifier, &self.calculation_currency)
            }
            (class, measure) => self.bucket(class, &factor.bucket).map_or(Decimal::MAX, |bucket| {
                if measure == Measure::Vega {
                    bucket.vega_weight
                } else {
                    bucket.weight
                }
            }),
        }
    }

    fn by_pair(&self, figures: &ByPair, one: &str, other: &str) -> Decimal {
        match (self.is_high(one), self.is_high(other)) {
            (false, false) => figures.regular_regular,
            (true, true) => figures.high_high,
            _ => figures.regular_high,
        }
    }

    /// `T` of the factor's concentration group.
    pub(crate) fn threshold(&self, factor: &RiskFactor) -> Option<Decimal> {
        let is_vega = factor.measure == Measure::Vega;
        let of = |delta: Option<Decimal>, vega: Option<Decimal>| if is_vega { vega } else { delta };
        match factor.class {
            RiskClass::InterestRate => {
                let group = self.group(&factor.bucket);
                of(group.threshold, group.vega_threshold)
            }
            RiskClass::Fx if is_vega => {
                let (one, other) = currencies(&factor.qualifier)?;
                let (one, other) = (self.category(one), self.category(other));
                let row = self.fx.vega_thresholds.get(one.max(other))?;
                row.get(one.min(other)).map(|figure| figure.0)
            }
            RiskClass::Fx => {
                let category = self.category(&factor.qualifier);
                self.fx.thresholds.get(category).map(|figure| figure.0)
            }
            class => {
                let bucket = self.bucket(class, &factor.bucket)?;
                of(bucket.threshold, bucket.vega_threshold)
            }
        }
    }

    /// The concentration group within the bucket; `None` for what has no part in one.
    pub(crate) fn concentration<'f>(&self, factor: &'f RiskFactor) -> Option<&'f str> {
        match factor.class {
            RiskClass::InterestRate if factor.risk_type == RiskType::CrossCurrencyBasis => None,
            RiskClass::InterestRate => Some(""),
            _ => Some(&factor.qualifier),
        }
    }

    /// `ρ` of two different factors of one bucket.
    pub(crate) fn inner(&self, one: &RiskFactor, other: &RiskFactor) -> Decimal {
        let either = |risk_type: RiskType| one.risk_type == risk_type || other.risk_type == risk_type;
        if one.measure == Measure::BaseCorrelation {
            return self.base_correlation.correlation;
        }
        if one.class == RiskClass::InterestRate {
            let rates = &self.interest_rate;
            if either(RiskType::CrossCurrencyBasis) {
                return rates.basis_correlation;
            }
            if either(RiskType::Inflation) || either(RiskType::InflationVolatility) {
                return rates.inflation_correlation;
            }
            let tenors = self.tenor(&one.tenor).zip(self.tenor(&other.tenor));
            let tenors = tenors.map_or(Decimal::ONE, |(i, j)| rates.tenor_correlations.get(i, j));
            let curves = if one.label2 == other.label2 {
                Decimal::ONE
            } else {
                rates.curve_correlation
            };
            return tenors * curves;
        }
        let Some(bucketed) = self.bucketed(one.class) else {
            return Decimal::ONE;
        };
        let is_same = match bucketed.same_by {
            None => false,
            Some(SameBy::Qualifier) => one.qualifier == other.qualifier,
            Some(SameBy::Label2) => one.label2 == other.label2,
        };
        match bucketed.same_correlation {
            Some(same) if is_same && !self.is_residual(one.class, &one.bucket) => same,
            _ => self
                .bucket(one.class, &one.bucket)
                .map_or(Decimal::ONE, |bucket| bucket.correlation),
        }
    }

    /// `γ` of two different buckets, neither of them residual.
    pub(crate) fn outer(&self, class: RiskClass, measure: Measure, one: &str, other: &str) -> Decimal {
        match class {
            RiskClass::InterestRate => self.interest_rate.currency_correlation,
            RiskClass::Fx if measure == Measure::Vega => self.fx.vega_correlation,
            RiskClass::Fx => {
                let figures = if self.is_high(&self.calculation_currency) {
                    &self.fx.correlations.high
                } else {
                    &self.fx.correlations.regular
                };
                self.by_pair(figures, one, other)
            }
            class => {
                let place = |name: &str| {
                    let buckets = &self.bucketed(class)?.buckets;
                    buckets.iter().position(|bucket| bucket.name == name)
                };
                let found = place(one).zip(place(other)).zip(self.bucketed(class));
                found.map_or(Decimal::ONE, |((i, j), bucketed)| {
                    bucketed.bucket_correlations.get(i, j)
                })
            }
        }
    }

    /// What a vega of this expiry is multiplied by, for vega and for curvature.
    pub(crate) fn vega_scales(&self, factor: &RiskFactor, label1: &str) -> Option<VegaScales> {
        let one = BigRational::one();
        let volatility = |weight: Decimal| to_ratio(weight) * to_ratio(self.volatility_scale);
        let (ratio, volatility, has_curvature) = match factor.class {
            RiskClass::Fx => {
                let (first, second) = currencies(&factor.qualifier)?;
                let weight = self.by_pair(&self.fx.weights, first, second);
                (to_ratio(self.fx.historical_volatility_ratio), volatility(weight), true)
            }
            RiskClass::InterestRate => (one.clone(), one.clone(), true),
            class => {
                let bucket = self.bucket(class, &factor.bucket)?;
                match self.bucketed(class)?.historical_volatility_ratio {
                    Some(ratio) => (to_ratio(ratio), volatility(bucket.weight), bucket.curvature),
                    None => (one.clone(), one.clone(), bucket.curvature),
                }
            }
        };
        let share = to_ratio(self.curvature_days) / days(label1)?;
        let share = if share > one { one } else { share };
        let half = BigRational::new(BigInt::one(), BigInt::from(2));
        let curvature = has_curvature.then(|| half * share * &volatility);
        Some((ratio * volatility, curvature))
    }
}

impl Sensitivities for Parameters {
    fn counts(&self, product: &str, sensitivity: &Sensitivity) -> bool {
        self.place(product, sensitivity).is_some()
    }
}

const fn class_of(risk_type: RiskType) -> Option<(RiskClass, Measure)> {
    Some(match risk_type {
        RiskType::InterestRate | RiskType::Inflation | RiskType::CrossCurrencyBasis => {
            (RiskClass::InterestRate, Measure::Delta)
        }
        RiskType::InterestRateVolatility | RiskType::InflationVolatility => (RiskClass::InterestRate, Measure::Vega),
        RiskType::CreditQualifying => (RiskClass::CreditQualifying, Measure::Delta),
        RiskType::CreditQualifyingVolatility => (RiskClass::CreditQualifying, Measure::Vega),
        RiskType::BaseCorrelation => (RiskClass::CreditQualifying, Measure::BaseCorrelation),
        RiskType::CreditNonQualifying => (RiskClass::CreditNonQualifying, Measure::Delta),
        RiskType::CreditNonQualifyingVolatility => (RiskClass::CreditNonQualifying, Measure::Vega),
        RiskType::Equity => (RiskClass::Equity, Measure::Delta),
        RiskType::EquityVolatility => (RiskClass::Equity, Measure::Vega),
        RiskType::Commodity => (RiskClass::Commodity, Measure::Delta),
        RiskType::CommodityVolatility => (RiskClass::Commodity, Measure::Vega),
        RiskType::Fx => (RiskClass::Fx, Measure::Delta),
        RiskType::FxVolatility => (RiskClass::Fx, Measure::Vega),
        RiskType::Notional => return None,
    })
}

/// The two currencies of a pair, three letters each.
fn currencies(pair: &str) -> Option<(&str, &str)> {
    let is_pair = pair.len() == 6 && pair.bytes().all(|byte| byte.is_ascii_uppercase());
    if is_pair { pair.split_at_checked(3) } else { None }
}

/// The days of a tenor such as `2w`, `3m`, `10y`.
pub(crate) fn days(tenor: &str) -> Option<BigRational> {
    let number = tenor.get(..tenor.len().checked_sub(1)?)?;
    let is_number = (1..=3).contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_digit());
    let number: u32 = number.parse().ok().filter(|number| is_number && *number > 0)?;
    let (days, of) = match tenor.as_bytes().last()? {
        b'w' => (7, 1),
        b'm' => (365, 12),
        b'y' => (365, 1),
        _ => return None,
    };
    Some(BigRational::new(BigInt::from(number * days), BigInt::from(of)))
}
