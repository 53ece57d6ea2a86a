//! Verbs with a bit: choices, order statistics, the exact minimum.
//!
//! A bit is a variable `w` with `w` and `1 - w` both in range. Runs in the circuit may be wider than one bit; two rows
//! leave nothing but 0 and 1 all the same. It must be an integer: half a bit would free half of both rows. Where only the sum of many bits matters, as in
//! [`quantile`](Builder::quantile), `w` alone is enough: what is not zero counts at least once. The public big-M is the largest difference of two values that fit their width:
//! a book within the width is never refused, and a larger `M` would change nothing that soundness needs.

use std::ops::Neg;

use crate::builder::{Builder, PairChange};
use crate::error::BuildError;
use crate::expr::{Exact, Linear, Lower, Upper};
use crate::form::{Form, Rounding};
use crate::leg::{LegId, SUMMED_LOT_BITS};
use crate::program::VarId;
use crate::real::Real;
use crate::witness::Step;

impl Builder {
    /// At least the smaller of two: the prover chooses which one it is held to.
    ///
    /// A bit `β` and a signed `t`, with `t >= a - M·β` and `t >= b - M·(1-β)`.
    ///
    /// # Errors
    /// [`BuildError`]: a faulty form; a pair of legs that helps; too many rows.
    pub fn any_of_upper(&mut self, name: &str, a: Upper, b: Upper) -> Result<Upper, BuildError> {
        let result = self.choose(name, a, b);
        self.note(result)
    }

    /// At most the larger of two; the mirror image of [`any_of_upper`](Self::any_of_upper).
    ///
    /// # Errors
    /// As [`any_of_upper`](Self::any_of_upper).
    pub fn any_of_lower(&mut self, name: &str, a: Lower, b: Lower) -> Result<Lower, BuildError> {
        self.any_of_upper(name, -a, -b).map(Upper::neg)
    }

    fn choose(&mut self, name: &str, a: Upper, b: Upper) -> Result<Upper, BuildError> {
        let (a, b) = (self.take(name, a)?, self.take(name, b)?);
        let rounding = a.rounding.clone().or(&b.rounding);
        let name = self.name(name)?;
        let (bits, offset, big_m) = (self.value_bits(), self.offset(), self.big_m());
        let (bit, complement) = self.bit(name)?;
        let variable = self.variable(name, bits)?;
        let bound = Form::variable(self.id, variable, -offset);
        let relief = Form::variable(self.id, bit, 0).times(big_m);
        let other_relief = Form::constant(self.id, big_m).minus(relief.clone());
        let first = self.slack_row(name, bound.clone().plus(relief).minus(a), bits)?;
        let second = self.slack_row(name, bound.plus(other_relief).minus(b), bits)?;
        self.steps.push(Step::Choice {
            variable: bit,
            row: first.0,
            big_m,
        });
        self.slack_steps([complement]);
        self.steps.push(Step::Least {
            variable,
            rows: first.0..second.0 + 1,
            divisor: 1,
            signed: true,
        });
        self.slack_steps([first, second]);
        Ok(self.bound(variable, offset, rounding))
    }

    /// At least the `rank`-th largest of `losses`, the largest being the first: `h = rank` of a value at risk,
    /// `h = floor((1 - level)·T) + 1`.
    ///
    /// A number `β_s >= 0` per loss, `t >= L_s - M·β_s`, and `Σ β_s <= rank - 1`: at most `rank - 1` losses exceed `t`. A `β_s`
    /// above 1 frees no more than its own row, and counts for more.
    ///
    /// # Errors
    /// [`BuildError`]: a rank that is not among the losses; a faulty form; a pair of legs that helps; too many rows.
    pub fn quantile(
        &mut self,
        name: &str,
        losses: impl IntoIterator<Item = Upper>,
        rank: usize,
    ) -> Result<Upper, BuildError> {
        self.quantile_within(name, losses, rank, self.value_bits())
    }

    /// [`quantile`](Self::quantile) of losses that are less than `2^span_bits` units apart: a book whose losses are further
    /// apart has no witness, and every slack is as narrow. A span beyond the width of a value is that width.
    ///
    /// # Errors
    /// As [`quantile`](Self::quantile).
    pub fn quantile_within(
        &mut self,
        name: &str,
        losses: impl IntoIterator<Item = Upper>,
        rank: usize,
        span_bits: u32,
    ) -> Result<Upper, BuildError> {
        let result = self.order_statistic(name, losses, rank, span_bits);
        self.note(result)
    }

    fn order_statistic(
        &mut self,
        name: &str,
        losses: impl IntoIterator<Item = Upper>,
        rank: usize,
        span_bits: u32,
    ) -> Result<Upper, BuildError> {
        let forms = self.take_all(name, losses)?;
        self.check_rank(name, rank, forms.len())?;
        if rank == 1 {
            return self.max(name, forms.into_iter().map(Upper));
        }
        let rounding = Rounding::largest(&forms);
        let name = self.name(name)?;
        let (bits, offset) = (self.value_bits(), self.offset());
        let span_bits = span_bits.clamp(1, bits);
        let big_m = (1 << span_bits) - 1;
        let mut exceedances = Vec::with_capacity(forms.len());
        for _ in &forms {
            exceedances.push(self.whole(name, 1)?);
        }
        let mut slacks = Vec::with_capacity(forms.len() + 1);
        let allowed = rank - 1;
        let mut left = Form::constant(self.id, allowed as i128);
        left.variables = exceedances.iter().map(|&bit| (bit, -1)).collect();
        slacks.push(self.slack_row(name, left, width_of(allowed as u128))?);
        let variable = self.variable(name, bits)?;
        let start = self.equations.len();
        for (form, &bit) in forms.into_iter().zip(&exceedances) {
            let relief = Form::variable(self.id, bit, 0).times(big_m);
            let above = Form::variable(self.id, variable, -offset).plus(relief);
            slacks.push(self.slack_row(name, above.minus(form), span_bits)?);
        }
        let rows = start..self.equations.len();
        self.steps.push(Step::Exceedances {
            first: exceedances[0],
            rows: rows.clone(),
            allowed,
            big_m,
        });
        self.steps.push(Step::Least {
            variable,
            rows,
            divisor: 1,
            signed: true,
        });
        self.slack_steps(slacks);
        Ok(self.bound(variable, offset, rounding))
    }

    /// The smaller of two exact forms, exactly: for rules in which the order of two steps matters.
    ///
    /// `s_a = a - min`, `s_b = b - min`, both in range, `b - a + s_a - s_b = 0`, and a bit that makes one of them zero:
    /// `s_a <= M·β`, `s_b <= M·(1-β)`.
    ///
    /// # Errors
    /// [`BuildError`]: a faulty form; too many rows. A result that a pair of legs can lower (or raise) is refused where it is used
    /// as an `Upper` (or a `Lower`).
    pub fn exact_min(&mut self, name: &str, a: Exact, b: Exact) -> Result<Exact, BuildError> {
        let result = self.smaller(name, a, b);
        self.note(result)
    }

    /// At least zero, and every item of whose legs any is held. An item without legs always counts.
    ///
    /// A hidden `h` per item with `B·h >= Σ q_i` over its legs, `B` above what they can hold, and `t >= item - M·(1-h)`: an `h`
    /// of 0 shows that they are empty, and a larger one than is needed only asks for more. An item beyond the width of a value
    /// asks for its excess even if nothing of it is held.
    ///
    /// # Errors
    /// [`BuildError`]: a leg that is none; a faulty form; a pair of legs that helps; too many rows.
    pub fn max_of_held(
        &mut self,
        name: &str,
        items: impl IntoIterator<Item = (Vec<LegId>, Upper)>,
    ) -> Result<Upper, BuildError> {
        let result = self.largest_held(name, items);
        self.note(result)
    }

    fn largest_held(
        &mut self,
        name: &str,
        items: impl IntoIterator<Item = (Vec<LegId>, Upper)>,
    ) -> Result<Upper, BuildError> {
        let mut forms = Vec::new();
        for (legs, item) in items {
            let form = self.take(name, item)?;
            if legs.is_empty() {
                forms.push(form);
                continue;
            }
            let mut held = Linear::zero();
            legs.iter().for_each(|leg| held.add_leg(*leg, Real::from_integer(1)));
            let held = self.exact(&held)?.0;
            let index = self.name(name)?;
            let is_held = self.whole(index, 1)?;
            let bits = SUMMED_LOT_BITS + width_of(legs.len() as u128);
            let divisor = 1_i128 << bits;
            let room = Form::variable(self.id, is_held, 0).times(divisor).minus(held);
            let (row, slack) = self.slack_row(index, room, bits)?;
            self.steps.push(Step::Least {
                variable: is_held,
                rows: row..row + 1,
                divisor,
                signed: false,
            });
            self.slack_steps([(row, slack)]);
            let big_m = self.big_m();
            let relief = Form::constant(self.id, big_m).minus(Form::variable(self.id, is_held, 0).times(big_m));
            forms.push(form.minus(relief));
        }
        if forms.is_empty() {
            return Ok(Upper(Form::constant(self.id, 0)));
        }
        let rounding = Rounding::largest(&forms);
        let name = self.name(name)?;
        let bits = self.value_bits();
        let variable = self.variable(name, bits)?;
        let start = self.equations.len();
        let mut slacks = Vec::with_capacity(forms.len());
        for form in forms {
            // `t`, `M` and what a small item is below zero: each fits the width of a value, their sum two bits more.
            let above = Form::variable(self.id, variable, 0).minus(form);
            slacks.push(self.slack_row(name, above, bits + 2)?);
        }
        self.steps.push(Step::Least {
            variable,
            rows: start..self.equations.len(),
            divisor: 1,
            signed: false,
        });
        self.slack_steps(slacks);
        Ok(self.bound(variable, 0, rounding))
    }

    fn smaller(&mut self, name: &str, a: Exact, b: Exact) -> Result<Exact, BuildError> {
        let (a, b) = (self.take_exact(name, a.0)?, self.take_exact(name, b.0)?);
        let difference = a.clone().minus(b);
        let changes = self.pair_changes(name, &difference)?;
        let name = self.name(name)?;
        let (bits, big_m) = (self.value_bits(), self.big_m());
        let over_a = self.variable(name, bits)?;
        let over_a_form = Form::variable(self.id, over_a, 0);
        let balance = self.slack_row(name, over_a_form.clone().minus(difference), bits)?;
        let over_b_form = Form::variable(self.id, balance.1, 0);
        let (bit, complement) = self.bit(name)?;
        let room_a = Form::variable(self.id, bit, 0).times(big_m);
        let room_b = Form::constant(self.id, big_m).minus(room_a.clone());
        let first = self.slack_row(name, room_a.minus(over_a_form.clone()), bits)?;
        let second = self.slack_row(name, room_b.minus(over_b_form), bits)?;
        self.steps.push(Step::Least {
            variable: over_a,
            rows: balance.0..balance.0 + 1,
            divisor: 1,
            signed: false,
        });
        self.slack_steps([balance]);
        self.steps.push(Step::Least {
            variable: bit,
            rows: first.0..first.0 + 1,
            divisor: big_m,
            signed: false,
        });
        self.slack_steps([complement, first, second]);
        // s_a is the positive part of a - b.
        let positive_part = changes.into_iter().map(|change| PairChange {
            least: change.least.min(0),
            most: change.most.max(0),
            ..change
        });
        self.variable_changes.insert(over_a, positive_part.collect());
        Ok(Exact(a.minus(over_a_form)))
    }

    pub(crate) fn check_rank(&self, name: &str, rank: usize, items: usize) -> Result<(), BuildError> {
        if rank == 0 || rank > items {
            return Err(BuildError::Rank {
                name: name.to_owned(),
                rank,
                items,
            });
        }
        Ok(())
    }

    /// A bit, and the row and variable of its complement; the caller says when they are computed.
    fn bit(&mut self, name: u32) -> Result<(VarId, (usize, VarId)), BuildError> {
        let bit = self.whole(name, 1)?;
        Ok((bit, self.complement(name, bit)?))
    }

    /// The second row of a bit: `1 - w` is in range too.
    fn complement(&mut self, name: u32, bit: VarId) -> Result<(usize, VarId), BuildError> {
        let complement = self.whole(name, 1)?;
        let sum = Form::variable(self.id, bit, 0).plus(Form::variable(self.id, complement, 0));
        let row = Form::constant(self.id, 1).minus(sum);
        Ok((self.row(name, row, Vec::new())?, complement))
    }
}

/// Bits that hold every number up to `most`; at least one.
pub(crate) fn width_of(most: u128) -> u32 {
    (u128::BITS - most.leading_zeros()).max(1)
}
