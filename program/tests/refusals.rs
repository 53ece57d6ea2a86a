//! What is refused, by name: models by the builder, books by the witness, forged witnesses by the evaluation.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::*;
use zkmargin_program::bounds::VALUE_BITS_RANGE;
use zkmargin_program::leg::SUMMED_LOT_BITS;
use zkmargin_program::{
    BuildError, Builder, FormError, Header, LOT_BITS, LOTS_LIMIT, Layout, LayoutError, Linear, MAX_ACCOUNTS_PER_VENUE,
    MAX_EQUATIONS, MAX_NAME_BYTES, MAX_TERMS, NegativeFactor, NonNegative, Program, Range, Ratio, Real, Upper,
    Violation, Witness, WitnessError, WrapAround,
};

fn simple() -> Program {
    at_most(builder(8, 3, vec![]), 100, |b| {
        let (x, y) = (b.upper(&linear(&[1, 2], 0))?, b.upper(&linear(&[3, 1], 0))?);
        b.max("worst", [x, y])
    })
    .unwrap()
}

#[test]
fn layouts_that_make_no_sense_are_refused() {
    let ok = || vec![leg(0), leg(1), leg(48)];
    let refused = |k, venues: Vec<u16>, legs, pairs| Layout::new(k, venues, legs, pairs).unwrap_err();
    assert_eq!(refused(5, vec![0], ok(), vec![]), LayoutError::K { k: 5 });
    assert_eq!(refused(13, vec![0], ok(), vec![]), LayoutError::K { k: 13 });
    assert_eq!(refused(6, vec![], ok(), vec![]), LayoutError::Columns { columns: 0 });
    assert_eq!(
        refused(6, vec![0; 257], ok(), vec![]),
        LayoutError::Columns { columns: 257 }
    );
    assert_eq!(
        refused(6, vec![1, 0], ok(), vec![]),
        LayoutError::VenueOrder { column: 1 }
    );
    assert_eq!(refused(6, vec![0], vec![], vec![]), LayoutError::NoLeg);
    assert_eq!(
        refused(6, vec![0], ok(), vec![]),
        LayoutError::LegOutOfRange {
            leg: leg(48),
            slots: 48
        }
    );
    assert_eq!(
        refused(6, vec![0], vec![leg(1), leg(1)], vec![]),
        LayoutError::LegOrder { leg: leg(1) }
    );
    assert_eq!(
        refused(6, vec![0, 0], ok(), vec![pair(0, 2)]),
        LayoutError::PairLeg { leg: leg(2) }
    );
    assert_eq!(
        refused(6, vec![0, 0], ok(), vec![pair(0, 1), pair(48, 1)]),
        LayoutError::PairOverlap { leg: leg(1) }
    );
    assert_eq!(
        refused(6, vec![0, 0], ok(), vec![pair(1, 1)]),
        LayoutError::PairOverlap { leg: leg(1) }
    );
    assert_eq!(
        refused(6, vec![0, 1], ok(), vec![pair(0, 48)]),
        LayoutError::PairAcrossVenues { pair: pair(0, 48) }
    );
    let layout = Layout::new(6, vec![0, 0], ok(), vec![pair(0, 48)]).unwrap();
    assert_eq!((layout.rows(), layout.columns(), layout.slots()), (48, 2, 96));
    assert_eq!((layout.column_of(leg(49)), layout.row_of(leg(49))), (1, 1));
}

#[test]
fn headers_out_of_range_are_refused() {
    let refused = |header| Builder::new(layout(1, vec![]), header).unwrap_err();
    let base = header(80);
    assert_eq!(
        refused(Header {
            numeraire: String::new(),
            ..base.clone()
        }),
        BuildError::Numeraire { bytes: 0 }
    );
    let named = |bytes: usize| Header {
        numeraire: "x".repeat(bytes),
        ..base.clone()
    };
    for bytes in [MAX_NAME_BYTES + 1, 2 * MAX_NAME_BYTES] {
        assert_eq!(refused(named(bytes)), BuildError::Numeraire { bytes });
    }
    assert!(Builder::new(layout(1, vec![]), named(MAX_NAME_BYTES)).is_ok());
    assert_eq!(
        refused(Header {
            unit_exponent: -31,
            ..base.clone()
        }),
        BuildError::UnitExponent { exponent: -31 }
    );
    for bits in [0, 3, 113, u32::MAX] {
        assert_eq!(
            refused(Header {
                value_bits: bits,
                ..base.clone()
            }),
            BuildError::ValueBits { bits }
        );
    }
}

#[test]
fn a_program_without_a_requirement_is_refused() {
    assert_eq!(builder(8, 1, vec![]).finish(), Err(BuildError::NoRequirement));
    let mut b = builder(8, 1, vec![]);
    let x = b.upper(&linear(&[1], 0)).unwrap();
    let _ = b.positive_part("unused", x).unwrap();
    assert_eq!(b.finish(), Err(BuildError::NoRequirement));
}

#[test]
fn a_requirement_that_no_book_can_change_is_refused() {
    for constant in [-1, 1] {
        let mut b = builder(8, 1, vec![]);
        let x = b.lower(&linear(&[0], constant)).unwrap();
        let error = BuildError::ConstantRequirement { name: "x".into() };
        assert_eq!(b.require_non_negative("x", x), Err(error));
    }
}

#[test]
fn a_requirement_that_no_book_meets_has_no_witness_for_any() {
    let mut b = builder(8, 1, vec![]);
    let never = b.lower(&linear(&[-1], -1)).unwrap();
    b.require_non_negative("never", never).unwrap();
    let program = b.finish().unwrap();
    for lots in [0, 1, 2, 254, LOTS_LIMIT - 1] {
        let q = book(&[lots]);
        assert!(
            matches!(program.witness(&q), Err(WitnessError::NotMet { .. })),
            "{lots}"
        );
        assert!(Forger::new(&program, &q).search(0).is_none(), "{lots}");
    }
}

#[test]
fn forms_of_two_builders_do_not_mix() {
    let (mut one, mut other) = (builder(8, 1, vec![]), builder(8, 1, vec![]));
    let (x, y) = (
        one.upper(&linear(&[1], 0)).unwrap(),
        other.upper(&linear(&[1], 0)).unwrap(),
    );
    let error = BuildError::Form {
        name: "max".into(),
        fault: FormError::OtherBuilder,
    };
    assert_eq!(one.max("max", [x.clone(), y.clone()]).unwrap_err(), error);
    let mut one = builder(8, 1, vec![]);
    let z = one.upper(&linear(&[1], 0)).unwrap();
    assert_eq!(one.max("max", [z + y.clone()]).unwrap_err(), error);
    let error = BuildError::Form {
        name: "x".into(),
        fault: FormError::OtherBuilder,
    };
    assert_eq!(builder(8, 1, vec![]).require_non_negative("x", -y).unwrap_err(), error);
}

#[test]
fn foreign_legs_and_coefficients_that_do_not_fit_are_refused() {
    let mut b = builder(8, 2, vec![]);
    assert_eq!(
        b.upper(&Linear::leg(leg(2), whole(1))).unwrap_err(),
        BuildError::NoLeg { leg: leg(2) }
    );
    assert_eq!(
        b.lower(&Linear::leg(leg(4_000_000_000), whole(1))).unwrap_err(),
        BuildError::NoLeg {
            leg: leg(4_000_000_000)
        }
    );
    let large = Real::from_ratio(Ratio::new(1 << 63, 1).unwrap()).unwrap();
    assert_eq!(
        b.upper(&Linear::leg(leg(1), large)).unwrap_err(),
        BuildError::Coefficient { leg: leg(1) }
    );
    let half = Real::from_ratio(Ratio::new(1, 2).unwrap()).unwrap();
    assert_eq!(
        b.exact(&Linear::leg(leg(1), half)).unwrap_err(),
        BuildError::NotWhole { leg: Some(leg(1)) }
    );
    assert_eq!(
        b.exact(&Linear::constant(half)).unwrap_err(),
        BuildError::NotWhole { leg: None }
    );
    // From one unit to a little more: what is not known exactly is no whole number of units.
    let little_more = Real::from_f64(1.0 + 2_f64.powi(-40), Ratio::from(1)).unwrap();
    assert_eq!(
        b.exact(&Linear::constant(little_more)).unwrap_err(),
        BuildError::NotWhole { leg: None }
    );
}

#[test]
fn an_overflow_in_an_operator_is_reported_by_the_next_verb() {
    let most = Real::from_integer(i64::MAX);
    let faulty = |name: &str| BuildError::Form {
        name: name.into(),
        fault: FormError::Overflow,
    };
    let mut b = builder(8, 1, vec![]);
    let x = b.upper(&Linear::leg(leg(0), most)).unwrap();
    assert_eq!(b.positive_part("part", x.clone() + x).unwrap_err(), faulty("part"));
    let mut b = builder(8, 1, vec![]);
    let x = b.lower(&Linear::leg(leg(0), Real::from_integer(i64::MIN))).unwrap();
    assert_eq!(b.require_non_negative("x", -(-x)).unwrap_err(), faulty("x"));
    let mut b = builder(8, 1, vec![]);
    let x = b.exact(&Linear::leg(leg(0), most)).unwrap();
    assert_eq!(b.positive_part("part", x.scale(2).into()).unwrap_err(), faulty("part"));
    let mut b = builder(8, 1, vec![]);
    let mut form = Linear::zero();
    let huge = Real::from_ratio(Ratio::new(1 << 110, 1).unwrap()).unwrap();
    form.add_constant(huge);
    assert!(b.upper(&form).is_ok());
    form.add_constant(huge);
    let error = b.upper(&form).unwrap_err();
    assert!(
        matches!(
            error,
            BuildError::Form {
                fault: FormError::Number(_),
                ..
            }
        ),
        "{error:?}"
    );
    // Nor does it go by as a part of another form, or by a factor.
    for sum in [linear(&[1], 0) + form.clone(), form.clone() + linear(&[1], 0)] {
        assert_eq!(b.upper(&sum).unwrap_err(), error);
    }
    let scaled = Linear::constant(huge).scale(Ratio::new(1 << 60, 1).unwrap());
    assert!(matches!(
        b.upper(&scaled),
        Err(BuildError::Form {
            fault: FormError::Number(_),
            ..
        })
    ));
    // Cleared, it is a form without a past.
    form.add_leg(leg(0), most);
    form.clear();
    assert_eq!(form, Linear::zero());
}

#[test]
fn legs_of_a_form_are_sorted_and_stand_once_in_whatever_order_they_come() {
    let mut form = Linear::zero();
    for (slot, units) in [(2, 5), (0, 3), (2, 4), (1, 7), (0, -1)] {
        form.add_leg(leg(slot), whole(units));
    }
    let mut b = builder(80, 3, vec![]);
    let lower = b.lower(&form).unwrap();
    b.require_non_negative("form", lower).unwrap();
    let program = b.finish().unwrap();
    assert_eq!(program.equations()[0].legs, [(leg(0), 2), (leg(1), 7), (leg(2), 9)]);
}

#[test]
fn constants_among_the_items_of_a_maximum_count() {
    for constants in [[1, 5, 3], [5, 3, 1], [3, 1, 5]] {
        let most = |limit: i64, with_form: bool| {
            let mut b = builder(80, 1, vec![]);
            let mut items = constants
                .map(|constant| b.upper(&linear(&[], constant)).unwrap())
                .to_vec();
            let form = b.upper(&linear(&[1], 0)).unwrap();
            let most = match with_form {
                true => {
                    items.push(form);
                    b.max("worst", items).unwrap()
                }
                false => b.max("worst", items).unwrap() + form,
            };
            let limit = b.lower(&linear(&[], limit)).unwrap();
            b.require_non_negative("limit", limit - most).unwrap();
            b.finish().unwrap().witness(&book(&[])).is_ok()
        };
        for with_form in [true, false] {
            assert_eq!(
                [4, 5].map(|limit| most(limit, with_form)),
                [false, true],
                "{constants:?}"
            );
        }
    }
}

#[test]
fn negative_and_too_fine_factors_are_refused() {
    let negative = Ratio::new(-1, 3).unwrap();
    assert_eq!(NonNegative::new(negative), Err(NegativeFactor(negative)));
    let mut b = builder(80, 1, vec![]);
    let x = b.upper(&linear(&[1], 0)).unwrap();
    assert_eq!(
        b.scale(x.clone(), factor(1, 2)).unwrap_err(),
        BuildError::FactorNotWhole
    );
    let mut b = builder(80, 1, vec![]);
    let x = b.upper(&linear(&[1], 0)).unwrap();
    assert!(matches!(
        b.rescale("fine", x, factor(1, 1 << 60)),
        Err(BuildError::Form { .. })
    ));
    let mut b = builder(80, 1, vec![]);
    let x = b.upper(&linear(&[1], 0)).unwrap();
    assert!(matches!(
        b.rescale("fine", x, factor(1, u128::MAX)),
        Err(BuildError::Form { .. })
    ));
}

#[test]
fn empty_verbs_and_ranks_out_of_range_are_refused() {
    let nothing = || Vec::<Upper>::new();
    let error = |name: &str| BuildError::Nothing { name: name.into() };
    let mut b = builder(8, 1, vec![]);
    assert_eq!(b.max("max", nothing()).unwrap_err(), error("max"));
    assert_eq!(b.norm("norm", nothing()).unwrap_err(), error("norm"));
    for rank in [0, 3] {
        let x = b.upper(&linear(&[1], 0)).unwrap();
        let error = BuildError::Rank {
            name: "q".into(),
            rank,
            items: 2,
        };
        assert_eq!(b.quantile("q", [x.clone(), x.clone()], rank).unwrap_err(), error);
        assert_eq!(b.expected_shortfall("q", [x.clone(), x], rank).unwrap_err(), error);
    }
    assert!(b.max_non_negative("none", nothing()).is_ok());
}

#[test]
fn hostile_sizes_are_refused_before_they_take_memory() {
    let mut b = builder(8, 1, vec![]);
    let x = b.upper(&linear(&[1], 0)).unwrap();
    // An endless iterator.
    assert_eq!(
        b.max("max", std::iter::repeat(x)).unwrap_err(),
        BuildError::TooManyEquations
    );
    let mut b = builder(8, 1, vec![]);
    let x = b.upper(&linear(&[1], 0)).unwrap();
    let result = (0..=MAX_EQUATIONS).try_for_each(|_| b.positive_part("part", x.clone()).map(|_| ()));
    assert_eq!(result, Err(BuildError::TooManyVariables));
    let mut b = builder(8, 1, vec![]);
    let x = b.lower(&linear(&[1], 0)).unwrap();
    let result = (0..=MAX_EQUATIONS).try_for_each(|_| b.require_non_negative("x", x.clone()));
    assert_eq!(result, Err(BuildError::TooManyEquations));
    let legs: Vec<_> = (0..4080).map(leg).collect();
    let wide = Layout::new(12, vec![0], legs.clone(), vec![]).unwrap();
    let mut b = Builder::new(wide, header(80)).unwrap();
    let mut form = Linear::zero();
    legs.iter().for_each(|l| form.add_leg(*l, whole(1)));
    let x = b.upper(&form).unwrap();
    assert_eq!(MAX_TERMS / 4080, 2056);
    assert_eq!(
        b.max("max", std::iter::repeat_n(x, 2057)).unwrap_err(),
        BuildError::TooManyTerms
    );
    let mut b = builder(8, 1, vec![]);
    let x = b.upper(&linear(&[1], 0)).unwrap();
    let name = "x".repeat(MAX_NAME_BYTES + 1);
    assert_eq!(
        b.positive_part(&name, x).unwrap_err(),
        BuildError::Name {
            bytes: MAX_NAME_BYTES + 1
        }
    );
}

#[test]
fn quantiles_of_too_many_losses_are_refused_by_their_variables() {
    let mut b = builder(8, 1, vec![]);
    let x = b.upper(&linear(&[1], 0)).unwrap();
    let losses = std::iter::repeat_n(x, MAX_EQUATIONS);
    assert!(matches!(
        b.quantile("q", losses, 2),
        Err(BuildError::TooManyEquations | BuildError::TooManyVariables)
    ));
}

#[test]
fn books_that_are_no_books_are_refused() {
    let program = simple();
    assert_eq!(
        program.witness(&[0; 3]).unwrap_err(),
        WitnessError::Slots {
            expected: SLOTS,
            given: 3
        }
    );
    assert_eq!(program.witness(&book(&[LOTS_LIMIT])).unwrap_err(), WitnessError::Lots);
    assert_eq!(program.witness(&book(&[0, 0, 0, 1])).unwrap_err(), WitnessError::NoLeg);
}

#[test]
fn a_book_that_is_too_large_is_refused_by_name() {
    let program = simple();
    assert_eq!(
        program.witness(&book(&[50, 0])).unwrap_err(),
        WitnessError::TooLarge {
            name: "worst".into(),
            bits: 8
        }
    );
    assert_eq!(
        program.witness(&book(&[LOTS_LIMIT - 1; 3])).unwrap_err(),
        WitnessError::TooLarge {
            name: "worst".into(),
            bits: 8
        }
    );
    // The largest coefficients on the largest amounts overflow 128 bits on the way: an error, not a panic.
    let mut b = builder(112, 48, vec![]);
    let mut form = Linear::zero();
    (0..48).for_each(|slot| form.add_leg(leg(slot), whole(i64::MAX)));
    let x = b.lower(&form).unwrap();
    b.require_non_negative("wealth", x).unwrap();
    let program = b.finish().unwrap();
    for q in [[LOTS_LIMIT - 1; SLOTS], [1 << 48; SLOTS]] {
        assert!(matches!(program.witness(&q), Err(WitnessError::TooLarge { name, .. }) if name == "wealth"));
    }
}

#[test]
fn a_shortfall_names_the_requirement_that_is_missed_most() {
    let mut b = builder(8, 1, vec![]);
    for (name, least) in [("one", 3), ("two", 7), ("three", 7)] {
        let x = b.lower(&linear(&[1], -least)).unwrap();
        b.require_non_negative(name, x).unwrap();
    }
    let program = b.finish().unwrap();
    assert_eq!(program.shortfall(&book(&[2])), Ok(Some(("two".into(), 5))));
    assert_eq!(
        program.witness(&book(&[2])).unwrap_err(),
        WitnessError::NotMet { name: "one".into() }
    );
    assert_eq!(
        program.witness(&book(&[5])).unwrap_err(),
        WitnessError::NotMet { name: "two".into() }
    );
    assert_eq!(program.shortfall(&book(&[7])), Ok(None));
}

#[test]
fn a_witness_shows_nothing_when_it_is_printed() {
    let witness = Witness::from_values(vec![123_456_789]);
    assert_eq!(format!("{witness:?}"), "Witness(..)");
}

#[test]
fn every_variable_of_an_honest_witness_matters() {
    let program = simple();
    let q = book(&[3, 4]);
    let honest = program.witness(&q).unwrap();
    for j in 0..honest.values().len() {
        let mut forged = honest.values().to_vec();
        forged[j] ^= 1;
        assert!(
            matches!(program.check(&q, &forged), Err(Violation::Equation { .. })),
            "variable {j}"
        );
        forged[j] = 1 << program.variables()[j].bits;
        assert!(
            matches!(program.check(&q, &forged), Err(Violation::Range { .. })),
            "variable {j}"
        );
    }
    let short = &honest.values()[1..];
    assert!(matches!(
        program.check(&q, short),
        Err(Violation::Length { what: "variables", .. })
    ));
    assert!(matches!(
        program.check(&q[1..], honest.values()),
        Err(Violation::Length { what: "slots", .. })
    ));
    assert_eq!(
        program.check(&book(&[LOTS_LIMIT]), honest.values()),
        Err(Violation::Lots)
    );
}

#[test]
fn no_wrap_is_checked_at_the_true_widths() {
    let program = simple();
    let run = |bits| Range::Integer { bits };
    let declared: Vec<Range> = program.variables().iter().map(|v| run(v.bits)).collect();
    assert_eq!(program.check_no_wrap(&declared), Ok(()));
    assert_eq!(program.check_no_wrap(&vec![run(128); declared.len()]), Ok(()));
    let count = WrapAround::Count {
        given: 1,
        variables: declared.len(),
    };
    assert_eq!(program.check_no_wrap(&[run(8)]), Err(count));
    let mut narrow = declared.clone();
    narrow[1] = run(7);
    assert!(matches!(
        program.check_no_wrap(&narrow),
        Err(WrapAround::Width {
            declared: 8,
            given: 7,
            ..
        })
    ));
    let mut wide = declared;
    wide[1] = run(129);
    assert!(matches!(
        program.check_no_wrap(&wide),
        Err(WrapAround::Width { given: 129, .. })
    ));
    // A root squares its variables: runs of 128 bits are too wide.
    let root = at_most(builder(80, 1, vec![]), 1, |b| {
        let x = b.upper(&linear(&[1], 0))?;
        b.norm("norm", [x])
    })
    .unwrap();
    let n = root.variables().len();
    assert_eq!(
        root.check_no_wrap(&vec![run(126); n]),
        Err(WrapAround::Equation { equation: 1 })
    );
    assert_eq!(root.check_no_wrap(&vec![run(125); n]), Ok(()));
    let fraction = Range::Fraction {
        bits: 125,
        denominator: 1,
    };
    assert!(matches!(
        root.check_no_wrap(&vec![fraction; n]),
        Err(WrapAround::Fraction { .. })
    ));
}

#[test]
fn bits_counts_and_what_is_squared_must_be_integers_and_nothing_else() {
    type Make = fn(&mut Builder, Upper, Upper) -> Result<Upper, BuildError>;
    let verbs: [(&str, usize, Make); 8] = [
        ("max", 0, |b, x, y| b.max("max", [x, y])),
        ("positive part", 0, |b, x, _| b.positive_part("part", x)),
        ("expected shortfall", 0, |b, x, y| {
            b.expected_shortfall("tail", [x, y], 2)
        }),
        // Two squared, their root, and what that is rounded up by.
        ("norm", 4, |b, x, y| b.norm("norm", [x, y])),
        // A bit for each loss.
        ("quantile", 3, |b, x, y| b.quantile("quantile", [x.clone(), y, x], 2)),
        // A bit and its complement.
        ("any of", 2, |b, x, y| b.any_of_upper("any", x, y)),
        ("exact minimum", 2, |b, _, _| {
            let (x, y) = (b.exact(&linear(&[1, 2], 0))?, b.exact(&linear(&[3, 1], 0))?);
            Ok(b.exact_min("least", x, y)?.into())
        }),
        // Whether something is held.
        ("held", 1, |b, x, _| b.max_of_held("held", [(vec![leg(0)], x)])),
    ];
    for (verb, count, make) in verbs {
        let program = at_most(builder(40, 3, vec![]), 100, |b| {
            let (x, y) = (b.upper(&linear(&[1, 2], 0))?, b.upper(&linear(&[3, 1], 0))?);
            make(b, x, y)
        });
        let program = program.unwrap();
        let declared = |j: usize| Range::Integer {
            bits: program.variables()[j].bits,
        };
        let variables = 0..program.variables().len();
        let whole = variables.clone().filter(|fraction| {
            let ranges = variables.clone().map(|j| match j == *fraction {
                true => Range::Fraction {
                    bits: program.variables()[j].bits,
                    denominator: 1,
                },
                false => declared(j),
            });
            let found = program.check_no_wrap(&ranges.collect::<Vec<_>>());
            assert!(
                matches!(found, Ok(()) | Err(WrapAround::Fraction { .. })),
                "{verb}: {found:?}"
            );
            found.is_err()
        });
        assert_eq!(whole.count(), count, "{verb}");
    }
}

#[test]
fn as_many_legs_as_there_are_can_be_proven_empty_and_no_more() {
    let legs = [0, 1, 2, 2, 2].map(leg);
    for (given, expected) in [
        (2, Ok(())),
        (3, Ok(())),
        (4, Err(BuildError::TooManyTerms)),
        (5, Err(BuildError::TooManyTerms)),
    ] {
        assert_eq!(
            builder(8, 3, vec![]).prove_empty(&legs[..given]),
            expected,
            "{given} legs"
        );
    }
}

#[test]
fn a_surplus_is_what_each_requirement_is_exceeded_or_missed_by() {
    let mut b = builder(8, 1, vec![]);
    for (name, least) in [("one", 3), ("two", 7), ("three", 4)] {
        let x = b.lower(&linear(&[1], -least)).unwrap();
        b.require_non_negative(name, x).unwrap();
    }
    let program = b.finish().unwrap();
    let surplus = |units: [i128; 3]| {
        Ok(["one", "two", "three"]
            .map(String::from)
            .into_iter()
            .zip(units)
            .collect())
    };
    assert_eq!(program.surplus(&book(&[5])), surplus([2, -2, 1]));
    assert_eq!(program.surplus(&book(&[3])), surplus([0, -4, -1]));
    assert_eq!(program.surplus(&book(&[107])), surplus([104, 100, 103]));
}

#[test]
fn sums_differences_and_multiples_of_linear_forms_are_those_of_their_coefficients() {
    let of = |form: &Linear| {
        let program = at_most(builder(20, 3, vec![]), 0, |b| b.upper(form)).unwrap();
        program.equations().to_vec()
    };
    let (x, y) = (linear(&[5, 0, 7], 11), linear(&[3, 2, -7], -4));
    let three = Ratio::new(-3, 1).unwrap();
    let mut sum = x.clone();
    sum += y.clone();
    assert_eq!(of(&sum), of(&linear(&[8, 2, 0], 7)));
    assert_eq!(of(&(x.clone() + y.clone())), of(&sum));
    assert_eq!(of(&(x.clone() - y)), of(&linear(&[2, -2, 14], 15)));
    assert_eq!(of(&x.scale(three)), of(&linear(&[-15, 0, -21], -33)));
}

#[test]
fn a_bound_is_constant_when_neither_a_leg_nor_a_variable_is_in_it() {
    let mut b = builder(8, 1, vec![]);
    let constant = b.upper(&linear(&[], 3)).unwrap();
    let of_leg = b.upper(&linear(&[1], 3)).unwrap();
    assert!(constant.is_constant());
    assert!(!of_leg.is_constant());
    assert!(!b.max("max", [constant, of_leg]).unwrap().is_constant());
}

#[test]
fn the_largest_books_and_values_are_within_every_width() {
    // All legs of an item, as much of each as can be.
    let program = at_most(builder(8, 16, vec![]), 5, |b| {
        let item = b.upper(&linear(&[], 5))?;
        b.max_of_held("held", [((0..16).map(leg).collect(), item)])
    });
    let program = program.unwrap();
    assert!(program.witness(&book(&[LOTS_LIMIT - 1; 16])).is_ok());
    // The widest value of a header.
    let widest = at_most(builder(*VALUE_BITS_RANGE.end(), 1, vec![]), 5, |b| {
        let item = b.upper(&linear(&[1], 0))?;
        b.max_of_held("held", [(vec![leg(0)], item)])
    });
    assert!(widest.unwrap().witness(&book(&[5])).is_ok());
    // A root of 8 bits whose square exceeds the sum by 508.
    let root = at_most(builder(8, 2, vec![]), 255, |b| {
        let items = [b.upper(&linear(&[254, 0], 0))?, b.upper(&linear(&[0, 1], 0))?];
        b.norm("norm", items)
    });
    assert!(root.unwrap().witness(&book(&[1, 1])).is_ok());
}

#[test]
fn what_all_accounts_and_a_public_amount_can_hold_is_below_the_limit_of_lots_and_fits_its_bits() {
    let each = (1_u64 << LOT_BITS) - 1;
    let most = u64::from(MAX_ACCOUNTS_PER_VENUE) * each + each;
    assert!(most < LOTS_LIMIT);
    assert_eq!(LOTS_LIMIT, 257 << 48);
    assert_eq!((most >> (SUMMED_LOT_BITS - 1), most >> SUMMED_LOT_BITS), (1, 0));
}

#[test]
fn a_layout_says_what_it_was_made_of_and_where_its_legs_stand() {
    let legs = [1, 47, 48, 95].map(leg);
    let layout = Layout::new(6, vec![3, 5], legs.to_vec(), vec![pair(1, 47)]).unwrap();
    assert_eq!(
        (layout.k(), layout.rows(), layout.columns(), layout.slots()),
        (6, 48, 2, 96)
    );
    assert_eq!((layout.column_venues(), layout.legs()), (&[3, 5][..], &legs[..]));
    assert_eq!(layout.pairs(), [pair(1, 47)]);
    let places = legs.map(|leg| (layout.column_of(leg), layout.row_of(leg)));
    assert_eq!(places, [(0, 1), (0, 47), (1, 0), (1, 47)]);
}
