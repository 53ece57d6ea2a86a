//! Verbs for the worst and the best of several forms: one bound, at least (at most) every one of them.

use std::ops::Neg;

use crate::builder::Builder;
use crate::error::BuildError;
use crate::expr::{Linear, Lower, Upper};
use crate::form::{Form, Rounding};
use crate::program::VarId;
use crate::witness::Step;

impl Builder {
    /// At least the largest of `items`: a signed `t` and one slack per item, `t - item_s - w_s = 0`. A single item is
    /// returned as it is. A constant among the items needs no row: `t` is counted from it.
    ///
    /// # Errors
    /// [`BuildError`]: no item; a faulty form; a pair of legs that helps; too many rows.
    pub fn max(&mut self, name: &str, items: impl IntoIterator<Item = Upper>) -> Result<Upper, BuildError> {
        let result = self.signed_max(name, items);
        self.note(result)
    }

    fn signed_max(&mut self, name: &str, items: impl IntoIterator<Item = Upper>) -> Result<Upper, BuildError> {
        let (constants, mut forms): (Vec<Form>, Vec<Form>) =
            self.take_all(name, items)?.into_iter().partition(Form::is_constant);
        let rounding = Rounding::largest(&constants);
        let floor = constants.into_iter().max_by_key(|form| form.constant);
        match (floor, forms.len()) {
            (None, 0) => Err(BuildError::Nothing { name: name.to_owned() }),
            (Some(floor), 0) => Ok(Upper(floor)),
            (None, 1) => Ok(Upper(forms.swap_remove(0))),
            (floor, _) => {
                let (offset, signed) = match floor.and_then(|floor| floor.constant.checked_neg()) {
                    Some(offset) => (offset, false),
                    None => (self.offset(), true),
                };
                let (variable, own) = self.cover(name, forms, offset, signed)?;
                Ok(self.bound(variable, offset, own.or(&rounding)))
            }
        }
    }

    /// At least zero and the largest of `items`: as [`max`](Self::max), but `t` is unsigned, which saves the row of the zero.
    /// Of no items it is zero.
    ///
    /// # Errors
    /// [`BuildError`]: a faulty form; a pair of legs that helps; too many rows.
    pub fn max_non_negative(
        &mut self,
        name: &str,
        items: impl IntoIterator<Item = Upper>,
    ) -> Result<Upper, BuildError> {
        let result = self.unsigned_max(name, items);
        self.note(result)
    }

    fn unsigned_max(&mut self, name: &str, items: impl IntoIterator<Item = Upper>) -> Result<Upper, BuildError> {
        let forms = self.take_all(name, items)?;
        if forms.is_empty() {
            return Ok(Upper(Form::constant(self.id, 0)));
        }
        let (variable, rounding) = self.cover(name, forms, 0, false)?;
        Ok(self.bound(variable, 0, rounding))
    }

    /// At least zero and `item`: its positive part.
    ///
    /// # Errors
    /// As [`max_non_negative`](Self::max_non_negative).
    pub fn positive_part(&mut self, name: &str, item: Upper) -> Result<Upper, BuildError> {
        self.max_non_negative(name, [item])
    }

    /// At least the absolute value of `form`: at least the form, and its negation, each rounded up.
    ///
    /// # Errors
    /// As [`max_non_negative`](Self::max_non_negative). A form that moves with a lot of both legs of a pair together is refused:
    /// one of its two signs would fall.
    pub fn absolute(&mut self, name: &str, form: &Linear) -> Result<Upper, BuildError> {
        let above = self.upper(form)?;
        let below = self.lower(form)?;
        self.max_non_negative(name, [above, -below])
    }

    /// At most the smallest of `items`; the mirror image of [`max`](Self::max).
    ///
    /// # Errors
    /// As [`max`](Self::max).
    pub fn min(&mut self, name: &str, items: impl IntoIterator<Item = Lower>) -> Result<Lower, BuildError> {
        self.max(name, items.into_iter().map(Lower::neg)).map(Upper::neg)
    }

    /// At most zero and the smallest of `items`; the mirror image of [`max_non_negative`](Self::max_non_negative).
    ///
    /// # Errors
    /// As [`max_non_negative`](Self::max_non_negative).
    pub fn min_non_positive(
        &mut self,
        name: &str,
        items: impl IntoIterator<Item = Lower>,
    ) -> Result<Lower, BuildError> {
        self.max_non_negative(name, items.into_iter().map(Lower::neg))
            .map(Upper::neg)
    }

    /// A variable `w_t` with `w_t - offset` at least every form; unless it is signed, also at least `-offset`.
    pub(crate) fn cover(
        &mut self,
        name: &str,
        forms: Vec<Form>,
        offset: i128,
        signed: bool,
    ) -> Result<(VarId, Rounding), BuildError> {
        let bits = self.value_bits();
        let name = self.name(name)?;
        let variable = self.variable(name, bits)?;
        let rounding = Rounding::largest(&forms);
        let start = self.equations.len();
        let mut slacks = Vec::with_capacity(forms.len());
        for form in forms {
            let above = Form::variable(self.id, variable, -offset).minus(form);
            slacks.push(self.slack_row(name, above, bits)?);
        }
        self.steps.push(Step::Least {
            variable,
            rows: start..self.equations.len(),
            divisor: 1,
            signed,
        });
        self.slack_steps(slacks);
        Ok((variable, rounding))
    }

    /// Slacks are computed, in their order, once the rest of their rows is known.
    pub(crate) fn slack_steps(&mut self, slacks: impl IntoIterator<Item = (usize, VarId)>) {
        let steps = slacks.into_iter().map(|(row, variable)| Step::Slack { variable, row });
        self.steps.extend(steps);
    }
}
