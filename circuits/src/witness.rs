//! The hidden columns of a circuit.

#[cfg(feature = "prove")]
use ff::{Field, PrimeField};
use pasta_curves::Fp;
#[cfg(feature = "prove")]
use rand_core::Rng;
use zeroize::Zeroize;
#[cfg(feature = "prove")]
use zeroize::Zeroizing;

#[cfg(feature = "prove")]
use crate::four_squares::four_squares;
#[cfg(feature = "prove")]
use crate::roots::{PROJECTIONS, ROOTS, factors};
#[cfg(feature = "prove")]
use crate::shape::{Place, Placement};

/// The hidden columns of one circuit, without their unusable rows. Overwritten when dropped.
#[derive(Clone)]
pub(crate) struct Witness {
    pub(crate) q: Vec<Vec<Fp>>,
    pub(crate) x: Vec<Vec<Fp>>,
    pub(crate) z: Vec<Vec<Fp>>,
    /// `a`, `b`, `s`.
    pub(crate) public: Vec<Vec<Fp>>,
    /// `g` of them.
    pub(crate) acc: Vec<Vec<Fp>>,
}

impl Drop for Witness {
    fn drop(&mut self) {
        for column in self.q.iter_mut().chain(&mut self.x).chain(&mut self.z) {
            column.zeroize();
        }
        self.acc.iter_mut().for_each(Zeroize::zeroize);
    }
}

#[cfg(feature = "prove")]
impl Witness {
    /// Adds to the given columns `acc`, the sums that the gate demands.
    pub(crate) fn new(
        placement: &Placement,
        q: Vec<Vec<Fp>>,
        x: Vec<Vec<Fp>>,
        z: Vec<Vec<Fp>>,
        public: Vec<Vec<Fp>>,
        instance: &[Vec<Fp>],
    ) -> Self {
        let mut witness = Self {
            q,
            x,
            z,
            public,
            acc: Vec::new(),
        };
        witness.acc = witness.accumulate(placement, instance);
        witness
    }

    pub(crate) fn accumulate(&self, placement: &Placement, instance: &[Vec<Fp>]) -> Vec<Vec<Fp>> {
        let shape = placement.shape();
        let (f, s) = instance.split_at(shape.z_columns);
        let (a, of_roots) = self.public.split_at(shape.q_columns);
        let (b, of_squares) = of_roots.split_at(shape.x_groups());
        let mut program = Products::new(placement);
        self.q.iter().zip(a).for_each(|(q, a)| program.add(q, a));
        self.z.iter().zip(f).for_each(|(z, f)| program.add(z, f));
        let groups = || self.x.chunks(shape.x_group);
        let squares = |column: &[Fp]| Zeroizing::new(column.iter().map(Field::square).collect::<Vec<Fp>>());
        self.z.iter().zip(s).for_each(|(z, s)| program.add(&squares(z), s));
        for (group, s) in groups().zip(of_squares) {
            // `s` is stored negated.
            let negated: Vec<Fp> = s.iter().map(|s| -s).collect();
            group.iter().for_each(|x| program.add(&squares(x), &negated));
        }
        let mut others = Products::new(placement);
        (0..shape.x_group)
            .map(|place| {
                let sums = if place == 0 { &mut program } else { &mut others };
                for (group, b) in groups().zip(b) {
                    sums.add(&group[place], b);
                }
                sums.totals()
            })
            .collect()
    }
}

/// What an accumulator adds, row by row.
#[cfg(feature = "prove")]
struct Products(Zeroizing<Vec<Fp>>);

#[cfg(feature = "prove")]
impl Products {
    fn new(placement: &Placement) -> Self {
        Self(Zeroizing::new(vec![Fp::ZERO; placement.last()]))
    }

    fn add(&mut self, left: &[Fp], right: &[Fp]) {
        for (sum, (left, right)) in self.0.iter_mut().zip(left.iter().zip(right)) {
            if !bool::from(left.is_zero()) {
                *sum += left * right;
            }
        }
    }

    /// The accumulator; afterwards nothing has been added.
    fn totals(&mut self) -> Vec<Fp> {
        let mut acc = Vec::with_capacity(self.0.len() + 1);
        let mut total = Fp::ZERO;
        acc.push(total);
        for sum in self.0.iter_mut() {
            total += std::mem::take(sum);
            acc.push(total);
        }
        acc
    }
}

/// The roots of a program's sums of squares, four per variable. Overwritten when dropped.
#[cfg(feature = "prove")]
pub(crate) struct Roots(Vec<[u64; ROOTS]>);

#[cfg(feature = "prove")]
impl Roots {
    /// `None` if a number has no four squares that were found; there is none such among those that were tried.
    pub(crate) fn new(placement: &Placement, w: &[u128]) -> Option<Self> {
        let sums = placement.places().iter().zip(w);
        let sums = sums.filter_map(|(place, value)| matches!(place, Place::Squares(_)).then_some(*value));
        // At full capacity at once: a vector that grows leaves copies behind.
        let mut roots = Self(Vec::with_capacity(placement.squares()));
        for value in sums {
            roots.0.push(four_squares(value)?);
        }
        Some(roots)
    }

    /// The `x` columns, with these masks.
    pub(crate) fn columns(&self, placement: &Placement, masks: &Masks) -> Vec<Vec<Fp>> {
        let mut x = vec![vec![Fp::ZERO; placement.last()]; placement.shape().x_columns];
        for (column, masks) in x.iter_mut().zip(masks.0.chunks(PROJECTIONS)) {
            for (cell, mask) in column.iter_mut().zip(masks) {
                *cell = Fp::from_u128(*mask);
            }
        }
        for (index, roots) in self.0.iter().enumerate() {
            for ((column, row), root) in placement.roots(index).zip(roots) {
                x[column][row] = Fp::from(*root);
            }
        }
        x
    }

    /// `u_{p,t} = Σ_i c_{p,i}·x_{i,t} + μ_{p,t}`; `None` if one of them may not be said: it would tell of what is projected.
    pub(crate) fn masked(&self, placement: &Placement, masks: &Masks, e: &Fp) -> Option<Vec<u128>> {
        let shape = placement.shape();
        let y = self.projections(placement, e);
        let (least, beyond) = (
            1 << placement.projection_bits(),
            1 << (u8::BITS * shape.masked_bytes as u32),
        );
        let masked = y.iter().zip(masks.0.iter()).map(|(y, mask)| y + mask);
        masked.map(|u| (least..beyond).contains(&u).then_some(u)).collect()
    }

    /// `Σ_i c_{p,i}·x_{i,t}`, below `2^β`.
    fn projections(&self, placement: &Placement, e: &Fp) -> Zeroizing<Vec<u128>> {
        let group = placement.shape().x_group;
        let mut y = Zeroizing::new(vec![0; placement.shape().masked()]);
        for (index, roots) in self.0.iter().enumerate() {
            for (roots, factors) in roots.chunks(group).zip(factors(e, index as u64)) {
                for (root, y) in roots.iter().zip(y.chunks_mut(PROJECTIONS)) {
                    for (y, factor) in y.iter_mut().zip(factors.digits()) {
                        *y += u128::from(*root) * u128::from(factor);
                    }
                }
            }
        }
        y
    }
}

#[cfg(feature = "prove")]
impl Drop for Roots {
    fn drop(&mut self) {
        self.0.iter_mut().for_each(Zeroize::zeroize);
    }
}

/// The masks of the projections, `p` running fastest. Overwritten when dropped.
#[cfg(feature = "prove")]
pub(crate) struct Masks(Zeroizing<Vec<u128>>);

#[cfg(feature = "prove")]
impl Masks {
    /// Uniform below `2^ω`. `generator` is one that nothing else draws from.
    pub(crate) fn draw(placement: &Placement, generator: &mut impl Rng) -> Self {
        let shape = placement.shape();
        let mut masks = Zeroizing::new(vec![0; shape.masked()]);
        for mask in masks.iter_mut() {
            let mut bytes = Zeroizing::new([0; 16]);
            generator.fill_bytes(&mut bytes[..shape.masked_bytes]);
            *mask = u128::from_le_bytes(*bytes);
        }
        Self(masks)
    }
}

/// The `z` columns: each whole variable in a run as the running sum of its limbs, `z_i = limb_i + 2^K·z_{i+1}`.
#[cfg(feature = "prove")]
pub(crate) fn running_sums(placement: &Placement, w: &[u128]) -> Vec<Vec<Fp>> {
    let shape = placement.shape();
    let mut z = vec![vec![Fp::ZERO; shape.rows_of_runs()]; shape.z_columns];
    for (at, value) in placement.places().iter().zip(w) {
        if let Place::Run(cell) = at {
            let mut rest = *value;
            for sum in &mut z[cell.column][cell.row..cell.row + cell.limbs] {
                *sum = Fp::from_u128(rest);
                rest >>= shape.limb_bits;
            }
        }
    }
    z
}

#[cfg(all(test, feature = "prove"))]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use zkmargin_program::{Builder, Header, Layout, LegId, Linear, Program, Real};

    /// What is held is worth at least nothing.
    fn program() -> Program {
        let layout = Layout::new(6, vec![0], vec![LegId::new(0)], Vec::new()).unwrap();
        let header = Header {
            numeraire: "USD".into(),
            unit_exponent: -2,
            value_bits: 60,
        };
        let mut builder = Builder::new(layout, header).unwrap();
        let held = Linear::leg(LegId::new(0), Real::from_integer(1));
        let held = builder.lower(&held).unwrap();
        builder.require_non_negative("held", held).unwrap();
        builder.finish().unwrap()
    }

    #[test]
    fn masked_projections_that_would_tell_of_what_they_mask_are_not_said() {
        let program = program();
        let placement = Placement::new(&program).unwrap();
        let shape = placement.shape();
        let mut q = vec![0; program.layout().slots()];
        q[0] = 123_456_789_012;
        let w = program.witness(&q).unwrap();
        let roots = Roots::new(&placement, w.values()).unwrap();
        let e = Fp::from(7);
        let projections = roots.projections(&placement, &e);
        let (least, most) = (*projections.iter().min().unwrap(), *projections.iter().max().unwrap());
        let (honest, beyond) = (1 << placement.projection_bits(), 1 << (8 * shape.masked_bytes));
        assert!(0 < most && most < honest && honest << 16 <= beyond);
        let masked = |mask: u128| {
            let masks = Masks(Zeroizing::new(vec![mask; shape.masked()]));
            roots.masked(&placement, &masks, &e)
        };
        let sums = |mask: u128| Some(projections.iter().map(|y| y + mask).collect());
        for mask in [0, honest - most, honest - least - 1] {
            assert_eq!(masked(mask), None, "a sum that is smaller than a projection may be");
        }
        for mask in [honest - least, beyond - most - 1] {
            assert_eq!(masked(mask), sums(mask));
        }
        for mask in [beyond - most, beyond - 1] {
            assert_eq!(masked(mask), None, "a sum that has more bits than a mask");
        }
    }
}
