//! One forger per verb: at a width of four bits, *every* choice of bits and free variables is tried (with runs wider than
//! declared), and none makes a side lie; and an honest book within its width is never refused.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::*;
use proptest::prelude::*;
use zkmargin_program::{BuildError, Builder, Upper, WitnessError};

/// Values of four bits: `|x| <= 7` is within the width.
const BITS: u32 = 4;
const LARGEST: i128 = 7;

#[derive(Clone, Debug)]
struct Item {
    coefficients: Vec<i64>,
    constant: i64,
}

impl Item {
    fn at(&self, q: &[u64]) -> i128 {
        value(&self.coefficients, self.constant, q)
    }
    fn upper(&self, b: &mut Builder) -> Result<Upper, BuildError> {
        b.upper(&linear(&self.coefficients, self.constant))
    }
    fn lower(&self, b: &mut Builder) -> Result<zkmargin_program::Lower, BuildError> {
        b.lower(&linear(&self.coefficients, self.constant))
    }
    fn exact(&self, b: &mut Builder) -> Result<zkmargin_program::Exact, BuildError> {
        b.exact(&linear(&self.coefficients, self.constant))
    }
}

fn uppers(b: &mut Builder, items: &[Item]) -> Result<Vec<Upper>, BuildError> {
    items.iter().map(|item| item.upper(b)).collect()
}

fn item() -> impl Strategy<Value = Item> {
    (prop::collection::vec(-3i64..=3, 3), -4i64..=4)
        .prop_map(|(coefficients, constant)| Item { coefficients, constant })
}

/// Some may be constant, but not all: of constants alone nothing can be required.
fn items(n: std::ops::RangeInclusive<usize>) -> impl Strategy<Value = Vec<Item>> {
    let depends = |item: &Item| item.coefficients.iter().any(|coefficient| *coefficient != 0);
    prop::collection::vec(item(), n).prop_filter("all are constant", move |items| items.iter().any(depends))
}

/// Mostly books within the width, some far beyond it.
fn lots() -> impl Strategy<Value = Vec<u64>> {
    prop_oneof![
        4 => prop::collection::vec(0u64..3, 3),
        1 => prop::collection::vec(0u64..40, 3)
    ]
}

/// `make` proves an upper bound of a real value whose ceiling is `truth`: no witness shows less, an honest one shows `truth`
/// when `within` says that no value leaves its width.
fn assert_upper_bound(
    q: &[u64],
    truth: i128,
    within: bool,
    extra: u32,
    make: impl Fn(&mut Builder) -> Result<Upper, BuildError>,
) {
    let q = book(q);
    let lie = at_most(builder(BITS, 3, vec![]), truth - 1, &make).unwrap();
    if let Some(forged) = Forger::new(&lie, &q).search(extra) {
        panic!("{forged:?} shows less than {truth}");
    }
    let refused = lie.witness(&q).unwrap_err();
    let honest = at_most(builder(BITS, 3, vec![]), truth, &make).unwrap();
    match honest.witness(&q) {
        Ok(witness) => assert_eq!(honest.check(&q, witness.values()), Ok(())),
        Err(WitnessError::TooLarge { .. }) => assert!(!within, "a book within its width is refused"),
        Err(error) => panic!("{error}"),
    }
    if within {
        let name = "limit".to_owned();
        assert_eq!(refused, WitnessError::NotMet { name: name.clone() });
        assert_eq!(lie.shortfall(&q), Ok(Some((name, 1))));
        assert_eq!(honest.shortfall(&q), Ok(None));
    }
}

fn within(values: &[i128]) -> bool {
    values.iter().all(|x| x.abs() <= LARGEST)
}

fn ceil_div(a: i128, b: i128) -> i128 {
    a.div_euclid(b) + i128::from(a.rem_euclid(b) != 0)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn no_witness_makes_max_less_than_its_largest_item(items in items(1..=3), q in lots()) {
        let values: Vec<i128> = items.iter().map(|i| i.at(&q)).collect();
        let truth = *values.iter().max().unwrap();
        assert_upper_bound(&q, truth.max(-7), within(&values), 1, |b| {
            let items = uppers(b, &items)?;
            // A single item is returned as it is, and with no variable there may be nothing to require.
            let zero = b.upper(&linear(&[0], -7))?;
            b.max("max", items.into_iter().chain([zero]))
        });
    }

    #[test]
    fn no_witness_makes_min_more_than_its_smallest_item(items in items(2..=3), q in lots()) {
        let values: Vec<i128> = items.iter().map(|i| i.at(&q)).collect();
        let truth = *values.iter().min().unwrap();
        assert_upper_bound(&q, -truth, within(&values), 1, |b| {
            let items = items.iter().map(|i| i.lower(b)).collect::<Result<Vec<_>, _>>()?;
            b.min("min", items).map(|lower| -lower)
        });
    }

    #[test]
    fn no_witness_makes_max_non_negative_less_than_zero_or_its_items(items in items(1..=3), q in lots()) {
        let values: Vec<i128> = items.iter().map(|i| i.at(&q)).collect();
        let truth = *values.iter().max().unwrap();
        assert_upper_bound(&q, truth.max(0), within(&values), 1, |b| {
            let items = uppers(b, &items)?;
            b.max_non_negative("max", items)
        });
    }

    #[test]
    fn no_witness_makes_min_non_positive_more_than_zero_or_its_items(items in items(1..=3), q in lots()) {
        let values: Vec<i128> = items.iter().map(|i| i.at(&q)).collect();
        let truth = *values.iter().min().unwrap();
        assert_upper_bound(&q, -truth.min(0), within(&values), 1, |b| {
            let items = items.iter().map(|i| i.lower(b)).collect::<Result<Vec<_>, _>>()?;
            b.min_non_positive("min", items).map(|lower| -lower)
        });
    }

    #[test]
    fn no_witness_makes_a_positive_part_too_small(item in item(), q in lots()) {
        let x = item.at(&q);
        assert_upper_bound(&q, x.max(0), within(&[x]), 2, |b| {
            let x = item.upper(b)?;
            b.positive_part("part", x)
        });
    }

    #[test]
    fn no_witness_makes_an_absolute_value_too_small(item in item(), q in lots()) {
        let x = item.at(&q);
        assert_upper_bound(&q, x.abs(), within(&[x]), 2, |b| {
            b.absolute("absolute", &linear(&item.coefficients, item.constant))
        });
    }

    #[test]
    fn no_witness_makes_any_of_upper_less_than_the_smaller(a in item(), c in item(), q in lots()) {
        let values = [a.at(&q), c.at(&q)];
        assert_upper_bound(&q, values[0].min(values[1]), within(&values), 2, |b| {
            let (a, c) = (a.upper(b)?, c.upper(b)?);
            b.any_of_upper("choice", a, c)
        });
    }

    #[test]
    fn no_witness_makes_any_of_lower_more_than_the_larger(a in item(), c in item(), q in lots()) {
        let values = [a.at(&q), c.at(&q)];
        assert_upper_bound(&q, -values[0].max(values[1]), within(&values), 2, |b| {
            let (a, c) = (a.lower(b)?, c.lower(b)?);
            b.any_of_lower("choice", a, c).map(|lower| -lower)
        });
    }

    #[test]
    fn no_witness_makes_a_quantile_less_than_the_loss_of_its_rank(items in items(2..=4), rank in 1usize..=4, q in lots()) {
        let rank = rank.min(items.len());
        let mut values: Vec<i128> = items.iter().map(|i| i.at(&q)).collect();
        values.sort_by_key(|x| std::cmp::Reverse(*x));
        assert_upper_bound(&q, values[rank - 1], within(&values), 1, |b| {
            let losses = uppers(b, &items)?;
            b.quantile("quantile", losses, rank)
        });
    }

    #[test]
    fn no_witness_makes_an_expected_shortfall_less_than_the_mean_of_its_tail(items in items(2..=3), rank in 1usize..=3, q in lots()) {
        let rank = rank.min(items.len());
        let mut values: Vec<i128> = items.iter().map(|i| i.at(&q)).collect();
        values.sort_by_key(|x| std::cmp::Reverse(*x));
        let tail: i128 = values[..rank].iter().sum();
        assert_upper_bound(&q, ceil_div(tail, rank as i128), within(&values), 0, |b| {
            let losses = uppers(b, &items)?;
            b.expected_shortfall("shortfall", losses, rank)
        });
    }

    #[test]
    fn no_witness_makes_a_narrow_quantile_less_than_the_loss_of_its_rank(items in items(2..=4), rank in 1usize..=4, q in lots(), span in 1u32..5) {
        let rank = rank.min(items.len());
        let mut values: Vec<i128> = items.iter().map(|i| i.at(&q)).collect();
        values.sort_by_key(|x| std::cmp::Reverse(*x));
        let apart = values.iter().all(|x| values[0] - x < 1 << span) || rank == 1;
        assert_upper_bound(&q, values[rank - 1], within(&values) && apart, 1, |b| {
            let losses = uppers(b, &items)?;
            b.quantile_within("quantile", losses, rank, span)
        });
    }

    #[test]
    fn no_witness_makes_max_of_held_less_than_an_item_that_is_held(items in items(1..=3), q in lots(), empty in 0usize..=3, whole in proptest::bool::ANY) {
        let q: Vec<u64> = q.iter().enumerate().map(|(slot, lots)| if slot < empty { 0 } else { *lots }).collect();
        // Item `n` is of leg `n`, or of it and the next.
        let legs = |n: usize| if whole { vec![leg(n as u32), leg((n as u32 + 1) % 3)] } else { vec![leg(n as u32)] };
        let is_held = |n: usize| legs(n).iter().any(|leg| q.get(leg.index()).is_some_and(|lots| *lots > 0));
        let values: Vec<i128> = items.iter().map(|i| i.at(&q)).collect();
        let held = values.iter().enumerate().filter(|(n, _)| is_held(*n)).map(|(_, value)| *value);
        let held: Vec<i128> = held.collect();
        // What is beyond the width stands, even if nothing of it is held: an honest prover has no relief as large.
        prop_assume!(values.iter().enumerate().all(|(n, value)| is_held(n) || within(&[*value])));
        assert_upper_bound(&q, held.into_iter().max().unwrap_or(0).max(0), within(&values), 1, |b| {
            let items = uppers(b, &items)?;
            b.max_of_held("held", items.into_iter().enumerate().map(|(n, item)| (legs(n), item)))
        });
    }

    #[test]
    fn no_witness_makes_a_coarse_expected_shortfall_less_than_the_mean_of_its_tail(
        items in items(2..=3), rank in 1usize..=3, q in lots(), span in 1u32..5, grain in 0u32..3,
    ) {
        let rank = rank.min(items.len());
        let mut values: Vec<i128> = items.iter().map(|i| i.at(&q)).collect();
        values.sort_by_key(|x| std::cmp::Reverse(*x));
        let tail: i128 = values[..rank].iter().sum();
        let (truth, q) = (ceil_div(tail, rank as i128), book(&q));
        let at_most = |limit| {
            at_most(builder(BITS, 3, vec![]), limit, |b| {
                let losses = uppers(b, &items)?;
                b.expected_shortfall_within("shortfall", losses, rank, span, grain)
            })
            .unwrap()
        };
        let lie = at_most(truth - 1);
        if let Some(forged) = Forger::new(&lie, &q).search(0) {
            panic!("{forged:?} shows less than {truth}");
        }
        // A unit of the division and a grain of the excesses, of which a span of few bits has few.
        let apart = values.iter().all(|x| values[0] - x < 1 << span) && grain < span;
        // The mean itself may be a grain above the largest value.
        let apart = apart && truth + (1 << grain) - 1 <= LARGEST;
        match at_most(truth + (1 << grain) - 1).witness(&q) {
            Ok(_) => {}
            Err(WitnessError::TooLarge { .. }) => assert!(!(apart && within(&values) && values[0] - values[rank - 1] < 1 << (span - 1))),
            Err(error) => panic!("{error}"),
        }
    }

    #[test]
    fn no_witness_makes_a_norm_too_small(items in items(1..=3), q in lots()) {
        let values: Vec<i128> = items.iter().map(|i| i.at(&q)).collect();
        let sum: i128 = values.iter().map(|x| x * x).sum();
        let truth = (0..).find(|m| m * m >= sum).unwrap();
        let all: Vec<i128> = values.iter().copied().chain([truth]).collect();
        assert_upper_bound(&q, truth, within(&all), 0, |b| {
            let mut parts = Vec::new();
            for item in &items {
                parts.push(b.absolute("part", &linear(&item.coefficients, item.constant))?);
            }
            b.norm("norm", parts)
        });
    }

    #[test]
    fn no_witness_makes_a_norm_less_than_the_positive_parts_of_other_forms(items in items(1..=2), q in lots()) {
        let values: Vec<i128> = items.iter().map(|i| i.at(&q)).collect();
        let sum: i128 = values.iter().map(|x| x.max(&0) * x.max(&0)).sum();
        let truth = (0..).find(|m| m * m >= sum).unwrap();
        let all: Vec<i128> = values.iter().copied().chain([truth]).collect();
        assert_upper_bound(&q, truth, within(&all), 1, |b| {
            let parts = uppers(b, &items)?;
            b.norm("norm", parts)
        });
    }

    #[test]
    fn no_witness_makes_a_norm_of_a_variable_and_legs_less_than_both(a in item(), c in item(), q in lots()) {
        let legs = Item { constant: 0, ..c };
        let part = a.at(&q).max(0);
        let truth = (part + legs.at(&q)).max(0);
        assert_upper_bound(&q, truth, within(&[a.at(&q), part + legs.at(&q)]), 1, |b| {
            let a = a.upper(b)?;
            let sum = b.positive_part("part", a)? + legs.upper(b)?;
            b.norm("norm", [sum])
        });
    }

    #[test]
    fn no_witness_makes_an_exact_minimum_lie_on_either_side(a in item(), c in item(), q in lots()) {
        let values = [a.at(&q), c.at(&q)];
        let truth = values[0].min(values[1]);
        assert_upper_bound(&q, truth, within(&values), 2, |b| {
            let (a, c) = (a.exact(b)?, c.exact(b)?);
            Ok(b.exact_min("least", a, c)?.into())
        });
        assert_upper_bound(&q, -truth, within(&values), 2, |b| {
            let (a, c) = (a.exact(b)?, c.exact(b)?);
            Ok((-b.exact_min("least", a, c)?).into())
        });
    }

    #[test]
    fn no_witness_rescales_an_upper_down_or_a_lower_up(item in item(), n in 0i128..6, d in 2u128..5, q in lots()) {
        let x = item.at(&q);
        prop_assume!(n % d as i128 != 0);
        let all = [x, ceil_div(n * x, d as i128), ceil_div(-n * x, d as i128)];
        assert_upper_bound(&q, all[1], within(&all), 2, |b| {
            let x = item.upper(b)?;
            b.rescale("factor", x, factor(n, d))
        });
        assert_upper_bound(&q, all[2], within(&all), 2, |b| {
            let x = item.lower(b)?;
            b.rescale("factor", x, factor(n, d)).map(|lower| -lower)
        });
    }

    #[test]
    fn no_witness_makes_a_nest_of_verbs_lie(a in item(), c in item(), e in item(), q in lots()) {
        // max(0, 3/2·min(a, c) - e), with the minimum chosen by a bit
        let values = [a.at(&q), c.at(&q), e.at(&q)];
        let chosen = values[0].min(values[1]);
        let scaled = ceil_div(3 * chosen, 2);
        let all = [values[0], values[1], values[2], scaled, scaled - values[2]];
        assert_upper_bound(&q, all[4].max(0), within(&all), 0, |b| {
            let (a, c) = (a.upper(b)?, c.upper(b)?);
            let e = e.lower(b)?;
            let chosen = b.any_of_upper("choice", a, c)?;
            let scaled = b.rescale("factor", chosen, factor(3, 2))?;
            b.positive_part("part", scaled - e)
        });
    }
}

#[test]
fn the_forger_finds_a_witness_when_there_is_one() {
    // The search itself is tested: at the honest limit it must succeed for a program with a bit, a root and a division.
    let q = book(&[1, 2, 0]);
    let make = |b: &mut Builder| {
        let (a, c) = (b.upper(&linear(&[1, 2], 0))?, b.upper(&linear(&[3, 0], 0))?);
        let chosen = b.any_of_upper("choice", a, c)?;
        let scaled = b.rescale("factor", chosen, factor(3, 2))?;
        b.norm("norm", [scaled])
    };
    for (limit, possible) in [(4, false), (5, true)] {
        let program = at_most(builder(BITS, 3, vec![]), limit, make).unwrap();
        assert_eq!(Forger::new(&program, &q).search(1).is_some(), possible);
        assert_eq!(program.witness(&q).is_ok(), possible);
    }
}

#[test]
fn no_witness_makes_a_norm_of_one_item_given_twice_too_small() {
    // sqrt(3^2 + 3^2) = 4.2…: one variable, squared twice.
    let make = |b: &mut Builder| {
        let item = b.absolute("part", &linear(&[1], 0))?;
        b.norm("norm", [item.clone(), item])
    };
    assert_upper_bound(&[3], 5, true, 1, make);
}

#[test]
fn a_bit_is_zero_or_one_in_every_satisfying_witness_however_wide_its_run() {
    let q = book(&[1, 1, 0]);
    // A limit that leaves every other variable free to make room.
    let limit = 1000;
    let choice = at_most(builder(BITS, 3, vec![]), limit, |b| {
        let (x, y) = (b.upper(&linear(&[1], 0))?, b.upper(&linear(&[0, 2], 0))?);
        b.any_of_upper("choice", x, y)
    });
    let least = at_most(builder(BITS, 3, vec![]), limit, |b| {
        let (x, y) = (b.exact(&linear(&[1], 0))?, b.exact(&linear(&[0, 2], 0))?);
        Ok(b.exact_min("least", x, y)?.into())
    });
    for program in [choice, least] {
        let program = program.unwrap();
        let forger = Forger::new(&program, &q);
        let first = program.variables().iter().position(|v| v.bits == 1).unwrap();
        // One bit at `bit`, the others at zero, every other free variable at `other`.
        let satisfiable = |bit: u128| {
            (0..128u128).any(|other| {
                let choose = |j: usize| match program.variables()[j].bits {
                    1 if j == first => bit,
                    1 => 0,
                    _ => other,
                };
                forger.attempt(choose).is_some()
            })
        };
        assert!(satisfiable(0) || satisfiable(1));
        for bit in 2..8 {
            assert!(!satisfiable(bit), "a bit is {bit}");
        }
    }
}

#[test]
fn a_quantile_frees_fewer_losses_than_its_rank_however_wide_the_runs_of_its_bits() {
    let q = book(&[1, 1, 1]);
    let program = at_most(builder(BITS, 3, vec![]), 1000, |b| {
        let items = [linear(&[1], 0), linear(&[0, 2], 0), linear(&[0, 0, 1], 0)];
        let items = items.iter().map(|x| b.upper(x)).collect::<Result<Vec<_>, _>>()?;
        b.quantile("quantile", items, 3)
    });
    let program = program.unwrap();
    let forger = Forger::new(&program, &q);
    let bits = || program.variables().iter().enumerate().filter(|(_, v)| v.bits == 1);
    let satisfiable = |chosen: [u128; 3]| {
        (0..128u128).any(|other| {
            let choose = |j: usize| match bits().position(|(at, _)| at == j) {
                Some(place) => chosen[place],
                None => other,
            };
            forger.attempt(choose).is_some()
        })
    };
    assert_eq!(bits().count(), 3);
    assert!(satisfiable([1, 1, 0]) && satisfiable([0, 0, 0]));
    for code in 0..4u128.pow(3) {
        let chosen = [code % 4, code / 4 % 4, code / 16];
        if chosen.iter().sum::<u128>() > 2 {
            assert!(!satisfiable(chosen), "{chosen:?}");
        }
    }
}
