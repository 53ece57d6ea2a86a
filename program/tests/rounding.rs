//! Rounding is against the trader and bounded: against exact rationals, on real numbers and on whole random models.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::tree::{LEGS, Round, lots, rational, tree};
use common::*;
use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::{FromPrimitive, ToPrimitive};
use proptest::prelude::*;
use zkmargin_program::{
    BuildError, Builder, Linear, NonNegative, NumberError, Program, RESOLUTION_BITS, Ratio, Real, Upper, WitnessError,
};

const VALUE_BITS: u32 = 80;

fn big(ratio: Ratio) -> BigRational {
    rational(ratio.numerator(), ratio.denominator())
}

/// The bounds in units.
fn bounds(real: Real) -> (BigRational, BigRational) {
    let (lo, hi) = real.bounds();
    let unit = 1u128 << RESOLUTION_BITS;
    (rational(lo, unit), rational(hi, unit))
}

fn assert_encloses(real: Real, exact: &BigRational, steps: i128) {
    let (lo, hi) = bounds(real);
    assert!(lo <= *exact && *exact <= hi, "{lo} <= {exact} <= {hi}");
    assert!(hi - lo <= rational(steps, 1 << RESOLUTION_BITS));
}

/// Of any size up to 64 bits, and up to 127.
fn ratio() -> impl Strategy<Value = Ratio> {
    let wide = (any::<i128>(), 1..u128::MAX, 1..127_u32, 0..127_u32);
    let wide = wide.prop_map(|(num, den, down, by)| Ratio::new(num >> down, (den >> by).max(1)).unwrap());
    let extreme = prop::sample::select(vec![0, 1, -1, i128::MIN + 1, i128::MAX]);
    let denominator = prop::sample::select(vec![1, 2, (1 << 127) - 1, 1 << 127, (1 << 127) + 1, u128::MAX]);
    let extreme = (extreme, denominator).prop_map(|(num, den)| Ratio::new(num, den).unwrap());
    prop_oneof![3 => narrow_ratio(), 1 => wide, 1 => extreme]
}

fn narrow_ratio() -> impl Strategy<Value = Ratio> {
    let magnitude = (any::<i64>(), 0..64u32).prop_map(|(x, shift)| i128::from(x >> shift));
    let denominator = (1..u64::MAX, 0..64u32).prop_map(|(x, shift)| u128::from(x >> shift).max(1));
    (magnitude, prop_oneof![Just(1), denominator]).prop_map(|(num, den)| Ratio::new(num, den).unwrap())
}

fn float() -> impl Strategy<Value = f64> {
    prop_oneof![
        -1e7f64..1e7,
        -1.0f64..1.0,
        (-1_000_000_000i64..1_000_000_000).prop_map(|x| x as f64),
        prop::num::f64::ANY.prop_filter("finite and not absurd", |x| x.abs() < 1e17),
    ]
}

#[test]
fn nothing_is_nothing_whatever_it_is_divided_by() {
    for den in [1, 7, (1 << 127) - 1, 1 << 127, (1 << 127) + 1, u128::MAX] {
        assert_eq!(Ratio::new(0, den), Ok(Ratio::ZERO), "{den}");
        let fine = Ratio::new(5, den).unwrap();
        assert_eq!(fine.checked_mul(Ratio::ZERO), Ok(Ratio::ZERO), "{den}");
        assert_eq!(Ratio::ZERO.checked_mul(fine), Ok(Ratio::ZERO), "{den}");
    }
}

/// A product beyond 128 bits is shifted in two parts: neither may lose a bit unnoticed.
#[test]
fn what_is_lost_of_a_long_product_is_enclosed() {
    // 2^52 + 1, which is over 2^6 in steps.
    let x = 2_f64.powi(30) + 2_f64.powi(-22);
    for (low, is_exact) in [(1, false), (32, false), (64, true)] {
        let scale = Ratio::new((1 << 80) + low, 1).unwrap();
        let real = Real::from_f64(x, scale).unwrap();
        assert_encloses(real, &(BigRational::from_float(x).unwrap() * big(scale)), 1);
        let (lo, hi) = real.bounds();
        assert_eq!(lo == hi, is_exact, "{low}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn a_float_times_a_scale_is_enclosed_within_one_step(x in float(), scale in ratio()) {
        let exact = BigRational::from_float(x).unwrap() * big(scale);
        match Real::from_f64(x, scale) {
            Ok(real) => {
                assert_encloses(real, &exact, 1);
                let steps = &exact * BigInt::from(1 << RESOLUTION_BITS);
                let (lo, hi) = real.bounds();
                prop_assert_eq!(steps.is_integer(), lo == hi);
            }
            Err(error) => {
                prop_assert_eq!(error, NumberError::Overflow);
                prop_assert!(exact.to_f64().unwrap().abs() > 1e20, "{} is refused", exact);
            }
        }
    }

    #[test]
    fn arithmetic_on_reals_stays_an_enclosure(x in -1e7f64..1e7, y in -1e7f64..1e7, a in ratio(), b in ratio()) {
        let one = Ratio::from(10_000_000);
        let (p, r) = (Real::from_f64(x, one).unwrap(), Real::from_f64(y, one).unwrap());
        let exact = |x: f64| BigRational::from_float(x).unwrap() * big(one);
        if let Ok(product) = p.checked_mul(a) {
            let (lo, hi) = bounds(product);
            let truth = exact(x) * big(a);
            prop_assert!(lo <= truth && truth <= hi);
            if let Ok(ratio) = Real::from_ratio(b) {
                assert_encloses(ratio, &big(b), 1);
                let sum = product.checked_sub(r).unwrap().checked_add(ratio).unwrap().checked_neg().unwrap();
                let (lo, hi) = bounds(sum);
                let truth = exact(y) - big(b) - truth;
                prop_assert!(lo <= truth && truth <= hi);
            }
        }
    }

    #[test]
    fn ratios_are_exact_and_reduced(a in ratio(), b in ratio()) {
        for (result, truth) in [(a.checked_mul(b), big(a) * big(b)), (a.checked_add(b), big(a) + big(b))] {
            match result {
                Ok(ratio) => {
                    prop_assert_eq!(&big(ratio), &truth);
                    prop_assert_eq!(BigInt::from(ratio.denominator()), truth.denom().clone());
                }
                Err(error) => prop_assert_eq!(error, NumberError::Overflow),
            }
        }
        prop_assert_eq!(big(a.checked_neg().unwrap()), -big(a));
    }

    #[test]
    fn sides_round_each_coefficient_outward_and_the_stated_bound_covers_it(
        xs in prop::collection::vec(-1e6f64..1e6, LEGS), scale in (1i128..100, 1u128..100), q in lots()
    ) {
        let scale = Ratio::new(scale.0, scale.1).unwrap();
        let mut form = Linear::zero();
        let mut exact = BigRational::from_i32(0).unwrap();
        for (slot, x) in xs.iter().enumerate() {
            form.add_leg(leg(slot as u32), Real::from_f64(*x, scale).unwrap());
            exact += BigRational::from_float(*x).unwrap() * big(scale) * BigInt::from(q[slot]);
        }
        let program = at_most(builder(VALUE_BITS, LEGS as u32, vec![]), 0, |b| b.upper(&form)).unwrap();
        let legs = program.equations()[0].legs.iter();
        let upper = legs.map(|(leg, a)| -i128::from(*a) * i128::from(q[leg.index()])).sum::<i128>();
        let error = rational(upper, 1) - exact;
        let bound = program.rounding_bound(&book(&q));
        prop_assert!(error >= rational(0, 1) && error <= rational(bound as i128, 1));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn a_random_model_is_feasible_only_at_or_above_its_exact_value_and_always_beyond_the_stated_bound(tree in tree(), q in lots()) {
        let q = book(&q);
        let (low, high) = (tree.exact(&q, Round::Down), tree.exact(&q, Round::Up));
        let compile = |limit: i128| at_most(builder(VALUE_BITS, LEGS as u32, vec![]), limit, |b| tree.build(b));
        let floor = low.floor().to_integer().to_i128().unwrap();
        let bound = match compile(floor) {
            Ok(program) => program.rounding_bound(&q) as i128,
            // A tree of constants.
            Err(BuildError::ConstantRequirement { .. }) => return Ok(()),
            Err(error) => panic!("{error}"),
        };
        for limit in [floor - 1, floor, floor + 1, floor + bound / 2, floor + bound, floor + bound + 1, floor + bound + 2] {
            let program = compile(limit).unwrap();
            let excess = rational(limit, 1) - &high;
            match program.witness(&q) {
                Ok(witness) => {
                    prop_assert_eq!(program.check(&q, witness.values()), Ok(()));
                    prop_assert!(rational(limit, 1) >= low, "feasible at {}, below {}", limit, low);
                }
                Err(WitnessError::NotMet { .. }) => {
                    prop_assert!(excess < rational(bound, 1), "{} units over and refused, bound {}", excess, bound);
                }
                Err(WitnessError::TooLarge { .. }) => {
                    // Only an intermediate value of at least 2^70 may be out of width.
                    prop_assume!(q.iter().all(|lots| *lots < 1 << 20));
                    panic!("a small book is refused");
                }
                Err(error) => panic!("{error}"),
            }
        }
    }

    #[test]
    fn no_adversarial_witness_of_a_random_model_shows_less_than_its_exact_value(
        tree in tree(), q in lots(), picks in prop::collection::vec((0u8..8, any::<u128>()), 4096)
    ) {
        let q = book(&q);
        let low = tree.exact(&q, Round::Down);
        let compile = |limit: i128| at_most(builder(VALUE_BITS, LEGS as u32, vec![]), limit, |b| tree.build(b));
        let floor = low.floor().to_integer().to_i128().unwrap();
        let lie = floor - i128::from(low.is_integer());
        let honest = match compile(floor + (1 << 60)) {
            Err(BuildError::ConstantRequirement { .. }) => return Ok(()),
            other => other.unwrap().witness(&q),
        };
        // The same variables: only the constant of the last equation differs.
        let program = compile(if low.is_integer() { lie } else { floor }).unwrap();
        let guess = match &honest {
            Ok(witness) => witness.values().to_vec(),
            Err(_) => vec![1 << (VALUE_BITS - 1); program.variables().len()],
        };
        let forger = Forger::new(&program, &q);
        for attempt in 0..64 {
            let forged = forger.attempt(|j| {
                let bits = program.variables()[j].bits;
                let (kind, random) = picks[(attempt * 61 + j) % picks.len()];
                match kind {
                    0 => 0,
                    1 => 1,
                    2 => guess[j].saturating_sub(1),
                    3 => guess[j] + 1,
                    4 => (1 << bits) - 1,
                    5 => random >> (128 - bits - 3),
                    6 if bits == 1 => 1 - guess[j].min(1),
                    _ => guess[j],
                }
            });
            prop_assert!(forged.is_none(), "shows {} for {}", lie, low);
        }
    }
}

#[test]
fn numbers_that_are_no_numbers_or_absurd_are_refused() {
    let one = Ratio::ONE;
    for x in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        assert_eq!(Real::from_f64(x, one), Err(NumberError::NotFinite));
    }
    assert_eq!(Real::from_f64(f64::MAX, one), Err(NumberError::Overflow));
    assert_eq!(Real::from_f64(-0.0, one), Ok(Real::ZERO));
    assert_eq!(Real::from_f64(f64::MIN_POSITIVE / 2.0, one).unwrap().bounds(), (0, 1));
    assert_eq!(Real::from_f64(-5e-324, one).unwrap().bounds(), (-1, 0));
    assert_eq!(Ratio::new(1, 0), Err(NumberError::ZeroDenominator));
    assert_eq!(Ratio::from_decimal(1, 39), Err(NumberError::Overflow));
    assert_eq!(Ratio::from_decimal(i128::MAX, 1), Err(NumberError::Overflow));
    assert_eq!(Ratio::from_decimal(-125, -2), Ratio::new(-5, 4));
    assert_eq!(Ratio::from_decimal(3, 2), Ratio::new(300, 1));
    assert_eq!(Ratio::new(i128::MIN, 1 << 127), Ratio::new(-1, 1));
}

#[test]
fn a_lot_is_bounded_by_what_is_rounded_of_it_and_not_by_what_is_rounded_of_others() {
    let third = |slot| {
        let mut form = Linear::zero();
        form.add_leg(leg(slot), Real::from_ratio(Ratio::new(1, 3).unwrap()).unwrap());
        form
    };
    let program = at_most(builder(VALUE_BITS, LEGS as u32, vec![]), 0, |b| {
        let coarse = b.upper(&third(0))?;
        let coarse = b.scale(coarse, NonNegative::from(1_000_000))?;
        Ok(coarse + b.upper(&third(1))?)
    })
    .unwrap();
    let bound = |slot: usize, held: u64| {
        let mut q = vec![0; LEGS];
        q[slot] = held;
        program.rounding_bound(&book(&q))
    };
    let two_thirds = |lots: u128| lots * 2 / 3;
    for (slot, lots, exact) in [
        (0, 3_000, two_thirds(3_000) * 1_000_000),
        (1, 3_000_000_000, two_thirds(3_000_000_000)),
        (2, 1 << 40, 0),
    ] {
        let found = bound(slot, lots);
        assert!(
            found >= exact && found <= exact + exact / 10_000,
            "slot {slot}: {found} of {exact}"
        );
    }
}

#[test]
fn a_price_of_ten_million_in_fine_units_takes_a_factor_of_63_bits() {
    let unit = Ratio::from_decimal(1, 10).unwrap();
    let price = Real::from_f64(9_999_999.99, unit).unwrap();
    let factor = Ratio::new(i128::from(i64::MAX), (1 << 63) - 25).unwrap();
    assert!(price.checked_mul(factor).is_ok());
    let shrinking = Ratio::new(1, i64::MAX as u128).unwrap();
    assert_encloses(
        price.checked_mul(shrinking).unwrap(),
        &(BigRational::from_float(9_999_999.99).unwrap() * big(unit) * big(shrinking)),
        2,
    );
}

#[test]
fn whole_coefficients_have_no_rounding_and_legs_of_others_do_not_count() {
    let half = Real::from_ratio(Ratio::new(1, 2).unwrap()).unwrap();
    let mut form = Linear::leg(leg(0), whole(3));
    form.add_leg(leg(1), half);
    let program = at_most(builder(VALUE_BITS, 2, vec![]), 0, |b| b.upper(&form)).unwrap();
    assert_eq!(program.rounding_bound(&book(&[1_000_000, 0])), 0);
    // One half is rounded by one half per lot.
    assert_eq!(program.rounding_bound(&book(&[1_000_000, 10])), 5);
    assert_eq!(program.rounding_bound(&book(&[1_000_000, 11])), 6);
}

/// Two bounds of whole forms, each of which a verb rounds up by itself.
#[test]
fn each_verb_that_divides_or_takes_a_root_loses_one_unit_and_states_it() {
    type Verb = fn(&mut Builder, Upper, Upper) -> Result<Upper, BuildError>;
    let verbs: [(Verb, i128); 3] = [
        // 1/2 + 1/2
        (|b, x, _| b.rescale("half", x, factor(1, 2)), 1),
        // mean(1, 0) twice
        (|b, x, y| b.expected_shortfall("mean", [x, y], 2), 1),
        // the root of 2, twice
        (
            |b, x, _| {
                let x = b.positive_part("part", x)?;
                b.norm("norm", [x.clone(), x])
            },
            3,
        ),
    ];
    let q = book(&[1]);
    for (verb, ceiling) in verbs {
        let compile = |limit| {
            let program = at_most(builder(VALUE_BITS, 1, vec![]), limit, |b| {
                let (x, y) = (b.upper(&linear(&[1], 0))?, b.upper(&linear(&[0], 0))?);
                Ok(verb(b, x.clone(), y.clone())? + verb(b, x, y)?)
            });
            program.unwrap()
        };
        // At the ceiling of the exact value it may fail, and does; the stated bound beyond it may not.
        assert!(compile(ceiling).witness(&q).is_err());
        assert_eq!(compile(ceiling).rounding_bound(&q), 2);
        assert!(compile(ceiling + 2).witness(&q).is_ok());
    }
}

#[test]
fn decimals_have_as_many_digits_as_fit() {
    let power = 10_i128.pow(38);
    assert_eq!(Ratio::from_decimal(1, 38), Ratio::new(power, 1));
    assert_eq!(Ratio::from_decimal(1, -38), Ratio::new(1, power.unsigned_abs()));
}

/// A float times a scale whose product has more than 128 bits, of which some are cut before the division, and some after it.
#[test]
fn a_wide_product_is_exact_when_nothing_is_left_of_it_and_one_step_wide_otherwise() {
    for (denominator, quotient, down) in [(3, (1_u64 << 50) + 1, 40), (59_049, (1 << 36) + 1, 26)] {
        let scale = Ratio::new(1 << 90, denominator.into()).unwrap();
        let float = |rest: u64| (denominator * quotient + rest) as f64 / 2_f64.powi(down);
        let unit = 1_i128 << (90 + 16 - down);
        let floor = i128::from(quotient) * unit;
        assert_eq!(Real::from_f64(float(0), scale).unwrap().bounds(), (floor, floor));
        let floor = floor + 2 * unit / i128::from(denominator);
        assert_eq!(Real::from_f64(float(2), scale).unwrap().bounds(), (floor, floor + 1));
    }
}

/// `weight` thirds of a lot of each leg, of which two thirds each are lost by rounding.
fn thirds(b: &mut Builder, slots: &[u32], weight: i128) -> Result<Upper, BuildError> {
    let mut form = Linear::zero();
    for slot in slots {
        form.add_leg(leg(*slot), Real::from_ratio(Ratio::new(1, 3).unwrap()).unwrap());
    }
    let form = b.upper(&form)?;
    b.scale(form, factor(weight, 1))
}

fn assert_bound_per_leg(program: &Program, weights: &[u128]) {
    for (slot, weight) in weights.iter().enumerate() {
        let lots = 3_000_000;
        let mut q = vec![0; weights.len()];
        q[slot] = lots as u64;
        let (found, exact) = (program.rounding_bound(&book(&q)), lots * weight * 2 / 3);
        assert!(
            found >= exact && found <= exact + exact / 1_000 + 2,
            "slot {slot}: {found} of {exact}"
        );
    }
}

#[test]
fn the_largest_of_several_is_bounded_leg_by_leg_by_the_worst_of_them() {
    let (one, other) = ((&[0, 2, 3, 5], 2_000), (&[1, 2, 3, 4], 3_000));
    for items in [[one, other], [other, one]] {
        let program = at_most(builder(VALUE_BITS, 6, vec![]), 0, |b| {
            let forms: Result<Vec<Upper>, _> = items
                .map(|(slots, weight)| thirds(b, slots, weight))
                .into_iter()
                .collect();
            b.max("max", forms?)
        });
        assert_bound_per_leg(&program.unwrap(), &[2_000, 3_000, 3_000, 3_000, 3_000, 2_000]);
    }
}

#[test]
fn a_form_that_is_rescaled_has_its_bound_rescaled() {
    let program = at_most(builder(VALUE_BITS, 1, vec![]), 0, |b| {
        let form = thirds(b, &[0], 4_000)?;
        b.rescale("half", form, factor(3, 2))
    });
    assert_bound_per_leg(&program.unwrap(), &[6_000]);
}

/// Of a grain beyond the span there is one bit still: losses that are half a span apart have a witness.
#[test]
fn a_coarse_mean_loses_at_most_its_grain_and_takes_losses_that_are_half_a_span_apart() {
    let mean = |grain, limit| {
        let program = at_most(builder(VALUE_BITS, 1, vec![]), limit, |b| {
            let losses = [b.upper(&linear(&[1], 0))?, b.upper(&linear(&[0], 0))?];
            b.expected_shortfall_within("mean", losses, 2, 4, grain)
        });
        program.unwrap()
    };
    for (grain, bound) in [(0, 1), (2, 4), (3, 8), (4, 8), (100, 8)] {
        for held in [0, 1, 5, 8] {
            let (q, exact) = (book(&[held]), i128::from(held + 1) / 2);
            let program = mean(grain, exact + bound);
            assert_eq!(program.rounding_bound(&q), bound as u128);
            assert!(program.witness(&q).is_ok(), "{held} lots, a grain of {grain} bits");
        }
    }
}

/// What a form of one leg and a constant becomes, rounded to a side.
fn rounded(real: Real, up: bool) -> (i128, i128, u128) {
    let mut form = Linear::leg(leg(0), real);
    form.add_constant(real);
    // Of a whole lot of another leg, which keeps a form whose coefficient is rounded to 0 one of the book.
    form.add_leg(leg(1), whole(1));
    let mut builder = builder(VALUE_BITS, 2, vec![]);
    let lower = if up {
        -builder.upper(&form).unwrap()
    } else {
        builder.lower(&form).unwrap()
    };
    builder.require_non_negative("side", lower).unwrap();
    let program = builder.finish().unwrap();
    let equation = &program.equations()[0];
    let sign = if up { -1 } else { 1 };
    let coefficient = equation
        .legs
        .iter()
        .find(|(of, _)| *of == leg(0))
        .map_or(0, |(_, a)| i128::from(*a));
    // `A q + F w = g`: the constant is on the other side.
    (
        sign * coefficient,
        -sign * equation.constant,
        program.rounding_bound(&book(&[1])),
    )
}

#[test]
fn a_whole_number_of_units_is_kept_and_the_least_step_beside_it_goes_to_the_safe_side() {
    let step = 1_u128 << RESOLUTION_BITS;
    for units in [-7_i128, -1, 0, 1, 7, 1 << 40] {
        for (steps, up, down) in [(-1, units, units - 1), (0, units, units), (1, units + 1, units)] {
            let real = Real::from_ratio(Ratio::new(units * step as i128 + steps, step).unwrap()).unwrap();
            for (side, expected) in [(true, up), (false, down)] {
                let (coefficient, constant, bound) = rounded(real, side);
                assert_eq!(
                    (coefficient, constant),
                    (expected, expected),
                    "{units} and {steps} steps"
                );
                assert_eq!(bound == 0, steps == 0, "{units} and {steps} steps");
            }
        }
    }
}

#[test]
fn what_a_divisor_leaves_no_rest_of_is_kept_and_one_more_or_less_goes_to_the_safe_side() {
    for divisor in [
        2_i128,
        3,
        7,
        1_000,
        (1 << 16) - 1,
        (1 << 16) + 1,
        10_i128.pow(10),
        i128::from(i64::MAX),
    ] {
        for times in [-2, -1, 0, 1, 2] {
            for (rest, up, down) in [(-1, times, times - 1), (0, times, times), (1, times + 1, times)] {
                let ratio = Ratio::new(times * divisor + rest, divisor.unsigned_abs()).unwrap();
                let real = Real::from_ratio(ratio).unwrap();
                for (side, expected) in [(true, up), (false, down)] {
                    let (coefficient, constant, _) = rounded(real, side);
                    assert_eq!(
                        (coefficient, constant),
                        (expected, expected),
                        "({times} · {divisor} + {rest}) / {divisor}"
                    );
                }
            }
        }
    }
}

/// The least upper bound that a prover can show of what `make` makes of these lots.
fn least_upper(lots: &[u64], make: impl FnOnce(&mut Builder) -> Result<Upper, BuildError>) -> i128 {
    let program = at_most(builder(VALUE_BITS, lots.len() as u32, vec![]), 0, make).unwrap();
    -program.surplus(&book(lots)).unwrap()[0].1
}

#[test]
fn a_side_that_is_rescaled_is_kept_where_the_divisor_leaves_no_rest_and_else_goes_to_the_safe_side() {
    for divisor in [2_u64, 3, 10, 65_537, 10_u64.pow(10)] {
        let by = factor(1, divisor.into());
        for (lots, up, down) in [(divisor - 1, 1, 0), (divisor, 1, 1), (divisor + 1, 2, 1)] {
            // A requirement is at least its part, one that is a credit too; a value at most.
            for (coefficient, upper, lower) in [(1, up, down), (-1, -down, -up)] {
                let form = || linear(&[coefficient], 0);
                let shown = least_upper(&[lots], |b| {
                    let form = b.upper(&form())?;
                    b.rescale("part", form, by)
                });
                assert_eq!(shown, upper, "{coefficient} · {lots} / {divisor}");
                let shown = least_upper(&[lots], |b| {
                    let form = b.lower(&form())?;
                    b.rescale("part", form, by).map(|part| -part)
                });
                assert_eq!(-shown, lower, "{coefficient} · {lots} / {divisor}");
            }
        }
    }
}

#[test]
fn a_mean_is_kept_where_the_rank_leaves_no_rest_and_else_rounded_up() {
    for rank in [2_u64, 3, 7] {
        for (lots, mean) in [(rank - 1, 1), (rank, 1), (rank + 1, 2)] {
            let shown = least_upper(&[lots], |b| {
                let mut losses = vec![b.upper(&linear(&[1], 0))?];
                for _ in 1..rank {
                    losses.push(b.upper(&linear(&[0], 0))?);
                }
                b.expected_shortfall("mean", losses, rank as usize)
            });
            assert_eq!(shown, mean, "{lots} / {rank}");
        }
    }
}

#[test]
fn a_norm_is_kept_where_its_square_is_one_and_one_above_or_below_a_square_rounded_up() {
    for (items, norm) in [
        ([2, 2, 0], 3),
        ([3, 0, 0], 3),
        ([3, 1, 0], 4),
        ([7, 7, 1], 10),
        ([8, 6, 0], 10),
        ([8, 6, 1], 11),
    ] {
        let shown = least_upper(&items, |b| {
            let parts: Result<Vec<_>, _> = [[1, 0, 0], [0, 1, 0], [0, 0, 1]]
                .map(|item| b.upper(&linear(&item, 0)))
                .into_iter()
                .collect();
            b.norm("norm", parts?)
        });
        assert_eq!(shown, norm, "{items:?}");
    }
}
