//! Pairs of legs: netting is exact and honest, and a lot of both legs together never helps.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::*;
use proptest::prelude::*;
use zkmargin_program::{BuildError, Builder, LOTS_LIMIT, Linear, Lower, Program, Upper, WitnessError};

/// As many lots as there can be.
const MOST: u64 = u64::MAX;

/// `first` is worth 10 units a lot, `second` owes 11.
fn netted(most: Option<u64>, least: i64) -> Program {
    let mut b = builder(8, 2, vec![pair(0, 1)]);
    if let Some(most) = most {
        b.net(pair(0, 1), most).unwrap();
    }
    let value = b.lower(&linear(&[10, -11], -least)).unwrap();
    b.require_non_negative("value", value).unwrap();
    b.finish().unwrap()
}

#[test]
fn a_netted_pair_is_valued_at_its_difference() {
    let q = book(&[5, 3]);
    assert!(netted(None, 17).witness(&q).is_ok());
    assert!(netted(None, 18).witness(&q).is_err());
    for (least, met) in [(20, true), (21, false)] {
        let program = netted(Some(MOST), least);
        match program.witness(&q) {
            Ok(witness) => assert!(met && program.check(&q, witness.values()).is_ok()),
            Err(error) => assert_eq!((met, error), (false, WitnessError::NotMet { name: "value".into() })),
        }
    }
}

#[test]
fn no_reduction_shows_more_than_the_netted_value() {
    for (first, second, most) in (0..5u64).flat_map(|a| (0..5).flat_map(move |b| [0, 1, 3, 9].map(|most| (a, b, most))))
    {
        let q = book(&[first, second]);
        let both = first.min(second).min(most);
        let value = 10 * (first - both) as i64 - 11 * (second - both) as i64;
        let possible = netted(Some(most), value);
        assert!(possible.witness(&q).is_ok());
        assert!(Forger::new(&possible, &q).search(0).is_some());
        assert!(Forger::new(&netted(Some(most), value + 1), &q).search(0).is_none());
    }
}

#[test]
fn a_reduction_stops_below_2_to_the_48_and_stays_sound_for_the_largest_sums() {
    let mut b = builder(80, 2, vec![pair(0, 1)]);
    b.net(pair(0, 1), MOST).unwrap();
    let value = b.lower(&linear(&[1, -2], 0)).unwrap();
    let most = Linear::constant(zkmargin_program::Real::from_ratio(zkmargin_program::Ratio::from(1 << 60)).unwrap());
    let most = b.lower(&most).unwrap();
    b.require_non_negative("value", value + most).unwrap();
    let program = b.finish().unwrap();
    let q = book(&[LOTS_LIMIT - 1, LOTS_LIMIT - 1]);
    let witness = program.witness(&q).unwrap();
    assert_eq!(program.check(&q, witness.values()), Ok(()));
    assert_eq!(witness.values()[0], (1 << 48) - 1);
}

#[test]
fn empty_legs_are_proven_empty_also_when_they_are_netted() {
    for nets in [false, true] {
        let mut b = builder(8, 3, vec![pair(0, 1)]);
        if nets {
            b.net(pair(0, 1), MOST).unwrap();
        }
        b.prove_empty(&[leg(0), leg(1)]).unwrap();
        let value = b.lower(&linear(&[0, 0, 1], 0)).unwrap();
        b.require_non_negative("value", value).unwrap();
        let program = b.finish().unwrap();
        let empty = book(&[0, 0, 4]);
        let witness = program.witness(&empty).unwrap();
        assert_eq!(program.check(&empty, witness.values()), Ok(()));
        for held in [[1, 0, 4], [0, 1, 4], [3, 1, 4]] {
            let q = book(&held);
            assert_eq!(
                program.witness(&q).unwrap_err(),
                WitnessError::NotEmpty {
                    name: "prove_empty".into()
                }
            );
            assert!(Forger::new(&program, &q).search(0).is_none());
        }
        // What cancels against a public amount is empty.
        assert_eq!(program.witness(&book(&[2, 2, 4])).is_ok(), nets);
    }
}

#[test]
fn a_pair_is_netted_once_before_every_form_and_only_if_it_is_one() {
    let mut b = builder(8, 3, vec![pair(0, 1)]);
    let wrong = pair(1, 0);
    assert_eq!(b.net(wrong, MOST), Err(BuildError::Pair { pair: wrong }));
    let mut b = builder(8, 3, vec![pair(0, 1)]);
    b.net(pair(0, 1), MOST).unwrap();
    assert_eq!(b.net(pair(0, 1), MOST), Err(BuildError::Pair { pair: pair(0, 1) }));
    let mut b = builder(8, 3, vec![pair(0, 1)]);
    let _ = b.upper(&linear(&[1], 0)).unwrap();
    assert_eq!(b.net(pair(0, 1), MOST), Err(BuildError::NetTooLate));
    let mut b = builder(8, 3, vec![pair(0, 1)]);
    b.prove_empty(&[leg(2)]).unwrap();
    assert_eq!(b.net(pair(0, 1), MOST), Err(BuildError::NetTooLate));
}

/// `first` is worth 10 units a lot and `second` owes 11, as if nothing were held on a leg.
fn without(left_out: u32, nets: bool, least: i64) -> Program {
    let mut b = builder(8, 2, vec![pair(0, 1)]);
    if nets {
        b.net(pair(0, 1), MOST).unwrap();
    }
    b.without(&[leg(left_out)], |b| {
        let value = b.lower(&linear(&[10, -11], -least))?;
        b.require_non_negative("value", value)
    })
    .unwrap();
    b.finish().unwrap()
}

#[test]
fn leg_that_is_left_out_counts_nothing_whatever_is_held_on_it() {
    // Netted, nothing is left of the first and two lots of the second; but how far they are netted, the prover chooses.
    for (left_out, nets, value) in [(0, false, -55), (1, false, 30), (0, true, -22), (1, true, 0)] {
        let q = book(&[3, 5]);
        let possible = without(left_out, nets, value);
        let witness = possible.witness(&q).unwrap();
        assert_eq!(possible.check(&q, witness.values()), Ok(()));
        let more = without(left_out, nets, value + 1);
        assert_eq!(
            more.witness(&q).unwrap_err(),
            WitnessError::NotMet { name: "value".into() }
        );
        assert_eq!(Forger::new(&more, &q).search(0).is_some(), left_out == 1 && nets);
    }
}

#[test]
fn what_is_left_out_is_left_out_within_alone_and_stands_in_no_pair() {
    let helps = |b: &mut Builder| {
        let value = b.lower(&linear(&[10, -9], 0))?;
        b.require_non_negative("value", value)
    };
    let helped = BuildError::PairHelps {
        name: "value".into(),
        pair: pair(0, 1),
    };
    let of = || builder(8, 3, vec![pair(0, 1)]);
    assert_eq!(helps(&mut of()), Err(helped.clone()));
    for left_out in [&[leg(0)][..], &[leg(1)], &[leg(0), leg(2)]] {
        assert_eq!(of().without(left_out, helps), Ok(()));
    }
    // After it, and after an error in it, everything is as it was.
    let mut b = of();
    b.without(&[leg(1)], helps).unwrap();
    assert_eq!(helps(&mut b), Err(helped.clone()));
    let mut b = of();
    let failed = b.without(&[leg(0)], |b| b.prove_empty(&[leg(0)]));
    assert_eq!(failed, Err(BuildError::NoLeg { leg: leg(0) }));
    assert_eq!(helps(&mut b), Err(helped.clone()));
    // Within one another they add up.
    let both = of().without(&[leg(0)], |b| b.without(&[leg(1), leg(2)], helps));
    assert_eq!(both, Err(BuildError::ConstantRequirement { name: "value".into() }));
    assert_eq!(of().without(&[leg(7)], helps), Err(BuildError::NoLeg { leg: leg(7) }));
    // A form of within is none of without, nor the other way round.
    let mixed = |result: Result<(), BuildError>| {
        assert!(matches!(result, Err(BuildError::Form { .. })), "{result:?}");
    };
    let mut b = of();
    let outer = b.lower(&linear(&[0, 0, 1], 0)).unwrap();
    mixed(b.without(&[leg(0)], |b| b.require_non_negative("value", outer.clone())));
    let mut b = of();
    let inner: Result<Lower, BuildError> = b.without(&[leg(0)], |b| b.lower(&linear(&[1, 0, 1], 0)));
    mixed(b.require_non_negative("value", inner.unwrap()));
}

/// Every way into a program.
fn entrances(up: [i64; 2]) -> Vec<Result<(), BuildError>> {
    type Entrance = fn(&mut Builder, Upper) -> Result<Upper, BuildError>;
    let zero = |b: &mut Builder| b.upper(&linear(&[0], 0));
    let verbs: [Entrance; 9] = [
        |b, x| {
            let other = b.upper(&linear(&[0, 0, 1], 0))?;
            b.max("max", [other, x])
        },
        |b, x| b.max_non_negative("max", [x]),
        |b, x| b.min("min", [-x]).map(|y| -y),
        |b, x| {
            let other = b.upper(&linear(&[0, 0, 1], 0))?;
            b.any_of_upper("any", other, x)
        },
        |b, x| {
            let other = b.upper(&linear(&[0, 0, 1], 0))?;
            b.any_of_lower("any", -x, -other).map(|y| -y)
        },
        |b, x| {
            let other = b.upper(&linear(&[0, 0, 1], 0))?;
            b.quantile("quantile", [other, x], 2)
        },
        |b, x| {
            let other = b.upper(&linear(&[0, 0, 1], 0))?;
            b.expected_shortfall("shortfall", [other, x], 2)
        },
        |b, x| b.norm("norm", [x]),
        |b, x| b.rescale("factor", x, factor(1, 2)),
    ];
    let mut results = Vec::new();
    for verb in verbs {
        let mut b = builder(8, 3, vec![pair(0, 1)]);
        let x = b.upper(&linear(&up, 0)).unwrap();
        results.push(verb(&mut b, x).map(|_| ()));
        // A builder that failed fails again, with the first error.
        let last = results.last().unwrap().clone();
        let zero = zero(&mut b).unwrap();
        let _ = b.require_non_negative("zero", -zero);
        if let Err(first) = last {
            assert_eq!(b.finish().unwrap_err(), first);
        }
    }
    let mut b = builder(8, 3, vec![pair(0, 1)]);
    let x = b.lower(&-linear(&up, 0)).unwrap();
    results.push(b.require_non_negative("value", x));
    results
}

#[test]
fn a_lot_of_both_legs_that_helps_is_refused_at_every_verb_and_named() {
    for result in entrances([10, -11]) {
        match result {
            Err(BuildError::PairHelps { pair: named, .. }) => assert_eq!(named, pair(0, 1)),
            other => panic!("{other:?}"),
        }
    }
    for up in [[10, -10], [11, -10], [1, 1]] {
        assert!(entrances(up).into_iter().all(|result| result.is_ok()));
    }
}

#[test]
fn parts_of_a_sum_may_help_when_the_sum_does_not() {
    let mut b = builder(8, 2, vec![pair(0, 1)]);
    let asset: Lower = b.lower(&linear(&[10, 0], 0)).unwrap();
    let debt: Upper = b.upper(&linear(&[0, 10], 0)).unwrap();
    b.require_non_negative("value", asset - debt).unwrap();
    assert!(b.finish().is_ok());
}

#[test]
fn an_absolute_net_is_accepted_and_an_absolute_gross_refused() {
    let mut b = builder(8, 2, vec![pair(0, 1)]);
    assert!(b.absolute("net", &linear(&[3, -3], 0)).is_ok());
    assert!(matches!(
        b.absolute("gross", &linear(&[3, 3], 0)),
        Err(BuildError::PairHelps { .. })
    ));
}

#[test]
fn a_matched_amount_may_be_charged_but_not_credited() {
    let matched = |b: &mut Builder| {
        let long = b.exact(&linear(&[2, 0], 0)).unwrap();
        let short = b.exact(&linear(&[0, 2], 0)).unwrap();
        b.exact_min("matched", long, short).unwrap()
    };
    let mut b = builder(8, 2, vec![pair(0, 1)]);
    let charge = Upper::from(matched(&mut b));
    b.require_non_negative("charge", -charge).unwrap();
    assert!(b.finish().is_ok());
    let mut b = builder(8, 2, vec![pair(0, 1)]);
    let credit = Lower::from(matched(&mut b));
    assert!(matches!(
        b.require_non_negative("credit", credit),
        Err(BuildError::PairHelps { .. })
    ));
    // A price for the gross amount outweighs the credit.
    let mut b = builder(8, 2, vec![pair(0, 1)]);
    let gross = b.lower(&linear(&[-1, -1], 10)).unwrap();
    let credit = Lower::from(matched(&mut b));
    assert!(b.require_non_negative("credit", credit + gross).is_ok());
}

#[test]
fn an_exact_minimum_is_charged_or_credited_only_if_no_order_of_its_two_parts_helps() {
    for a in -2i64..=2 {
        for c in -2i64..=2 {
            let least = |b: &mut Builder| {
                let x = b.exact(&linear(&[a, 0, 1], 0)).unwrap();
                let y = b.exact(&linear(&[0, c, 0, 1], 0)).unwrap();
                b.exact_min("least", x, y).unwrap()
            };
            let mut b = builder(8, 4, vec![pair(0, 1)]);
            let charge = Upper::from(least(&mut b));
            assert_eq!(
                b.require_non_negative("charge", -charge).is_ok(),
                a.min(c) >= 0,
                "{a} {c}"
            );
            let mut b = builder(8, 4, vec![pair(0, 1)]);
            let credit = Lower::from(least(&mut b));
            assert_eq!(
                b.require_non_negative("credit", credit).is_ok(),
                a.max(c) <= 0,
                "{a} {c}"
            );
            // Nested, and with the other sign: -min is a charge where min is a credit.
            let mut b = builder(8, 4, vec![pair(0, 1)]);
            let negated = Upper::from(-least(&mut b));
            assert_eq!(b.positive_part("part", negated).is_ok(), a.max(c) <= 0, "{a} {c}");
        }
    }
}

/// A model of most verbs over forms on two pairs.
fn model(b: &mut Builder, c: &[i64], limit: i64) -> Result<(), BuildError> {
    let form = |i: usize| linear(&c[4 * i..4 * i + 4], 0);
    let (x, y, z) = (b.upper(&form(0))?, b.upper(&form(1))?, b.upper(&form(2))?);
    let worst = b.max("max", [x.clone(), y.clone()])?;
    let least = b.any_of_upper("any", y, z.clone())?;
    let tail = b.expected_shortfall("tail", [x, least, z], 2)?;
    let (e, f) = (b.exact(&form(3))?, b.exact(&form(4))?);
    let matched = Upper::from(b.exact_min("matched", e, f)?);
    let limit = b.lower(&linear(&[], limit))?;
    b.require_non_negative("limit", limit - worst - tail - matched)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn what_is_feasible_with_a_lot_more_of_both_legs_is_feasible_without(
        c in prop::collection::vec(-2i64..=3, 20), limit in -20i64..40,
        q in prop::collection::vec(0u64..4, 4), at in 0usize..2
    ) {
        let mut b = builder(12, 4, vec![pair(0, 1), pair(2, 3)]);
        if model(&mut b, &c, limit).is_ok() {
            let program = b.finish().unwrap();
            let mut more = q.clone();
            more[2 * at] += 1;
            more[2 * at + 1] += 1;
            if program.witness(&book(&more)).is_ok() {
                prop_assert!(program.witness(&book(&q)).is_ok());
            }
        }
    }
}

#[test]
fn leg_whose_other_is_left_out_may_be_worth_anything() {
    let both = |b: &mut Builder| {
        let value = b.lower(&linear(&[10, 10], 0))?;
        b.require_non_negative("value", value)
    };
    let of = || builder(8, 2, vec![pair(0, 1)]);
    assert!(matches!(both(&mut of()), Err(BuildError::PairHelps { .. })));
    for left_out in [0, 1] {
        assert_eq!(of().without(&[leg(left_out)], both), Ok(()));
    }
}

#[test]
fn nothing_is_rounded_of_a_leg_that_is_left_out() {
    let third = zkmargin_program::Ratio::new(1, 3).unwrap();
    let mut form = Linear::leg(leg(0), zkmargin_program::Real::from_ratio(third).unwrap());
    form.add_leg(leg(1), whole(1));
    let mut b = builder(8, 2, vec![pair(0, 1)]);
    let built: Result<(), BuildError> = b.without(&[leg(0)], |b| {
        let _whole = b.exact(&form)?;
        let value = b.lower(&form)?;
        b.require_non_negative("value", value)
    });
    built.unwrap();
    assert_eq!(b.finish().unwrap().rounding_bound(&book(&[1_000, 0])), 0);
}

#[test]
fn builder_that_refused_a_pair_or_a_leg_is_spent() {
    let spent = |refuse: &dyn Fn(&mut Builder)| {
        let mut b = builder(8, 3, vec![pair(0, 1)]);
        refuse(&mut b);
        let value = b.lower(&linear(&[0, 0, 1], 0)).unwrap();
        b.require_non_negative("value", value).unwrap();
        b.finish()
    };
    let wrong = pair(1, 0);
    let net = |b: &mut Builder| assert!(b.net(wrong, MOST).is_err());
    assert_eq!(spent(&net), Err(BuildError::Pair { pair: wrong }));
    let without = |b: &mut Builder| {
        let nothing: Result<(), BuildError> = b.without(&[leg(7)], |_| Ok(()));
        assert!(nothing.is_err());
    };
    assert_eq!(spent(&without), Err(BuildError::NoLeg { leg: leg(7) }));
}
