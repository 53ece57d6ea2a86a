//! Random models: a tree of verbs over real forms, built as an `Upper`, and evaluated in exact rationals.

use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::{Signed, Zero};
use proptest::prelude::*;
use zkmargin_program::{BuildError, Builder, Linear, Ratio, Real, Upper};

use super::{factor, leg};

pub const LEGS: usize = 4;

/// A real form: `f64` coefficients times a rational scale, as a model makes them from prices.
#[derive(Clone, Debug)]
pub struct Leaf {
    coefficients: Vec<f64>,
    scale: (i128, u128),
    constant: (i128, u128),
}

#[derive(Clone, Debug)]
pub enum Tree {
    Leaf(Leaf),
    Absolute(Leaf),
    Max(Vec<Tree>),
    MaxNonNegative(Vec<Tree>),
    AnyOf(Box<Tree>, Box<Tree>),
    Quantile(Vec<Tree>, usize),
    ExpectedShortfall(Vec<Tree>, usize),
    Norm(Vec<Tree>),
    Sum(Vec<Tree>),
    Scale(Box<Tree>, i128, u128),
}

/// Which way an irrational root is rounded: every verb is increasing in each item, so a whole tree is rounded with it.
#[derive(Copy, Clone, PartialEq)]
pub enum Round {
    Down,
    Up,
}

pub fn rational(num: i128, den: u128) -> BigRational {
    BigRational::new(num.into(), den.into())
}

impl Leaf {
    fn linear(&self) -> Linear {
        let scale = Ratio::new(self.scale.0, self.scale.1).unwrap();
        let constant = Ratio::new(self.constant.0, self.constant.1).unwrap();
        let mut form = Linear::constant(Real::from_ratio(constant).unwrap());
        for (slot, x) in self.coefficients.iter().enumerate() {
            form.add_leg(leg(slot as u32), Real::from_f64(*x, scale).unwrap());
        }
        form
    }

    fn exact(&self, q: &[u64]) -> BigRational {
        let scale = rational(self.scale.0, self.scale.1);
        let terms = self.coefficients.iter().zip(q);
        terms.fold(rational(self.constant.0, self.constant.1), |sum, (x, q)| {
            let x = BigRational::from_float(*x).unwrap();
            sum + x * &scale * BigInt::from(*q)
        })
    }
}

fn root(x: &BigRational, round: Round) -> BigRational {
    let scaled: BigRational = x * (BigInt::from(1) << 128);
    let floor = scaled.floor().to_integer().sqrt() + i32::from(round == Round::Up);
    BigRational::new(floor, BigInt::from(1) << 64)
}

impl Tree {
    pub fn build(&self, b: &mut Builder) -> Result<Upper, BuildError> {
        let all = |trees: &[Tree], b: &mut Builder| {
            let built = trees.iter().map(|tree| tree.build(b));
            built.collect::<Result<Vec<_>, _>>()
        };
        match self {
            Self::Leaf(leaf) => b.upper(&leaf.linear()),
            Self::Absolute(leaf) => b.absolute("absolute", &leaf.linear()),
            Self::Max(items) => {
                let items = all(items, b)?;
                b.max("max", items)
            }
            Self::MaxNonNegative(items) => {
                let items = all(items, b)?;
                b.max_non_negative("max_non_negative", items)
            }
            Self::AnyOf(x, y) => {
                let (x, y) = (x.build(b)?, y.build(b)?);
                b.any_of_upper("any_of", x, y)
            }
            Self::Quantile(items, rank) => {
                let items = all(items, b)?;
                let rank = (*rank).min(items.len());
                b.quantile("quantile", items, rank)
            }
            Self::ExpectedShortfall(items, rank) => {
                let items = all(items, b)?;
                let rank = (*rank).min(items.len());
                b.expected_shortfall("expected_shortfall", items, rank)
            }
            Self::Norm(items) => {
                let items = all(items, b)?;
                b.norm("norm", items)
            }
            Self::Sum(items) => {
                let sum = all(items, b)?.into_iter().reduce(|x, y| x + y);
                Ok(sum.unwrap())
            }
            Self::Scale(item, n, d) => {
                let item = item.build(b)?;
                b.rescale("rescale", item, factor(*n, *d))
            }
        }
    }

    /// The exact value for a book; with a root in it, a close bound.
    pub fn exact(&self, q: &[u64], round: Round) -> BigRational {
        let all = |trees: &[Tree]| {
            let mut values: Vec<_> = trees.iter().map(|tree| tree.exact(q, round)).collect();
            values.sort_by(|x, y| y.cmp(x));
            values
        };
        match self {
            Self::Leaf(leaf) => leaf.exact(q),
            Self::Absolute(leaf) => leaf.exact(q).abs(),
            Self::Max(items) => all(items).swap_remove(0),
            Self::MaxNonNegative(items) => all(items).swap_remove(0).max(BigRational::zero()),
            Self::AnyOf(x, y) => x.exact(q, round).min(y.exact(q, round)),
            Self::Quantile(items, rank) => all(items).swap_remove((*rank).min(items.len()) - 1),
            Self::ExpectedShortfall(items, rank) => {
                let rank = (*rank).min(items.len());
                let tail = all(items).into_iter().take(rank).sum::<BigRational>();
                tail / BigInt::from(rank)
            }
            Self::Norm(items) => {
                let parts = all(items).into_iter().filter(BigRational::is_positive);
                root(&parts.map(|x| &x * &x).sum(), round)
            }
            Self::Sum(items) => all(items).into_iter().sum(),
            Self::Scale(item, n, d) => item.exact(q, round) * rational(*n, *d),
        }
    }
}

fn leaf() -> impl Strategy<Value = Leaf> {
    let coefficient = prop_oneof![
        3 => -1e6f64..1e6,
        1 => (-1000i32..1000).prop_map(f64::from),
        1 => Just(0.0),
    ];
    (
        prop::collection::vec(coefficient, LEGS),
        (1i128..200, prop_oneof![Just(1u128), 1u128..3000]),
        (-(1i128 << 40)..1 << 40, 1u128..100),
    )
        .prop_map(|(coefficients, scale, constant)| Leaf {
            coefficients,
            scale,
            constant,
        })
}

pub fn tree() -> impl Strategy<Value = Tree> {
    let leaves = prop_oneof![
        4 => leaf().prop_map(Tree::Leaf),
        1 => leaf().prop_map(Tree::Absolute)
    ];
    leaves.prop_recursive(3, 16, 4, |inner| {
        let some = prop::collection::vec(inner.clone(), 1..4);
        prop_oneof![
            some.clone().prop_map(Tree::Max),
            some.clone().prop_map(Tree::MaxNonNegative),
            (inner.clone(), inner.clone()).prop_map(|(x, y)| Tree::AnyOf(Box::new(x), Box::new(y))),
            (some.clone(), 1usize..4).prop_map(|(items, rank)| Tree::Quantile(items, rank)),
            (some.clone(), 1usize..4).prop_map(|(items, rank)| Tree::ExpectedShortfall(items, rank)),
            some.clone().prop_map(Tree::Norm),
            some.prop_map(Tree::Sum),
            (inner, 0i128..50, 1u128..50).prop_map(|(item, n, d)| Tree::Scale(Box::new(item), n, d)),
        ]
    })
}

/// Books of very different sizes.
pub fn lots() -> impl Strategy<Value = Vec<u64>> {
    let one = prop_oneof![Just(0u64), 0u64..10, 0u64..1 << 20, 0u64..1 << 40];
    prop::collection::vec(one, LEGS)
}
