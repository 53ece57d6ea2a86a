//! One input compiles to one program, bit for bit, and its equations are in normal form.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::tree::{LEGS, tree};
use common::*;
use proptest::prelude::*;
use zkmargin_program::{Equation, Program};

/// Two scenarios, a netted pair, a factor of 3/2.
fn example() -> Program {
    let mut b = builder(8, 3, vec![pair(0, 1)]);
    b.net(pair(0, 1), 5).unwrap();
    let losses = [linear(&[2, -2], 0), linear(&[-3, 4], 1)];
    let losses = [b.upper(&losses[0]).unwrap(), b.upper(&losses[1]).unwrap()];
    let worst = b.max("worst", losses).unwrap();
    let scaled = b.rescale("factor", worst, factor(3, 2)).unwrap();
    let value = b.lower(&linear(&[0, 0, 1], 0)).unwrap();
    b.require_non_negative("margin", value - scaled).unwrap();
    b.finish().unwrap()
}

fn text(equation: &Equation) -> String {
    let mut text = String::new();
    for (leg, a) in &equation.legs {
        text += &format!("{a:+} q{} ", leg.index());
    }
    for (j, f) in &equation.variables {
        text += &format!("{f:+} w{} ", j.index());
    }
    for (j, s) in &equation.squares {
        text += &format!("{s:+} w{}^2 ", j.index());
    }
    text + &format!("= {}", equation.constant)
}

#[test]
fn a_program_is_the_one_that_it_always_was() {
    let program = example();
    let rows: Vec<String> = program.equations().iter().map(text).collect();
    let expected = [
        "-1 w0 -1 w1 = -5",
        "+1 q0 -1 w0 -1 w2 = 0",
        "+1 q1 -1 w0 -1 w3 = 0",
        "-2 q0 +2 q1 +1 w4 -1 w5 = 128",
        "+3 q0 -4 q1 +1 w0 +1 w4 -1 w6 = 129",
        "-3 w4 +2 w7 -1 w8 = -128",
        "+1 q2 -1 w7 -1 w9 = -128",
    ];
    assert_eq!(rows, expected);
    let variables: Vec<_> = program.variables().iter().map(|v| (v.bits, v.name.as_str())).collect();
    let expected = [
        (48, "net"),
        (48, "net"),
        (57, "net"),
        (57, "net"),
        (8, "worst"),
        (8, "worst"),
        (8, "worst"),
        (8, "factor"),
        (1, "factor"),
        (8, "margin"),
    ];
    assert_eq!(variables, expected);
    assert_eq!(program, example());
    let q = book(&[5, 7, 20]);
    // d = 5; losses -4 and 9; 9 · 3/2 = 13.5
    let w = [5, 0, 0, 2, 137, 13, 0, 142, 1, 6];
    assert_eq!(program.witness(&q).unwrap().values(), w);
}

fn is_sorted_without_zeros<K: Ord, V: Default + PartialEq>(row: &[(K, V)]) -> bool {
    row.windows(2).all(|two| two[0].0 < two[1].0) && row.iter().all(|(_, v)| *v != V::default())
}

proptest! {
    #[test]
    fn a_random_model_compiles_to_the_same_program_twice_in_normal_form(tree in tree()) {
        let compile = || at_most(builder(80, LEGS as u32, vec![]), 7, |b| tree.build(b));
        let program = compile();
        prop_assert_eq!(&program, &compile());
        for equation in program.iter().flat_map(|p| p.equations()) {
            prop_assert!(is_sorted_without_zeros(&equation.legs));
            prop_assert!(is_sorted_without_zeros(&equation.variables));
            prop_assert!(is_sorted_without_zeros(&equation.squares));
        }
    }
}
