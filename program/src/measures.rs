//! Verbs for averages of tails, norms, and factors.

use crate::builder::Builder;
use crate::choices::width_of;
use crate::error::BuildError;
use crate::expr::{Side, Upper};
use crate::form::{Form, Rounding};
use crate::program::VarId;
use crate::real::NonNegative;
use crate::witness::Step;

impl Builder {
    /// At least the mean of the `rank` largest of `losses`: `h = rank` of an expected shortfall, `h = ceil(α·T)`.
    ///
    /// A free signed `v` and `u_s >= 0`, `u_s >= L_s - v`; then `ES <= v + 1/h·Σ u_s` whatever `v` is (Rockafellar and
    /// Uryasev), and `h·t - h·v - Σ u_s = w` rounds the division up.
    ///
    /// # Errors
    /// [`BuildError`]: a rank that is not among the losses; a faulty form; a pair of legs that helps; too many rows.
    pub fn expected_shortfall(
        &mut self,
        name: &str,
        losses: impl IntoIterator<Item = Upper>,
        rank: usize,
    ) -> Result<Upper, BuildError> {
        self.expected_shortfall_within(name, losses, rank, self.value_bits(), 0)
    }

    /// [`expected_shortfall`](Self::expected_shortfall) of losses that are at most `2^span_bits − 2^grain_bits` units apart, each `u_s` a
    /// multiple of `2^grain_bits` units: a book whose losses are further apart has no witness, and the bound is less than
    /// `2^grain_bits` units above the mean. The variables are as narrow as that leaves them. A span beyond the width of a
    /// value is that width, a grain beyond the span is the span.
    ///
    /// # Errors
    /// As [`expected_shortfall`](Self::expected_shortfall).
    pub fn expected_shortfall_within(
        &mut self,
        name: &str,
        losses: impl IntoIterator<Item = Upper>,
        rank: usize,
        span_bits: u32,
        grain_bits: u32,
    ) -> Result<Upper, BuildError> {
        let span_bits = span_bits.clamp(1, self.value_bits());
        let grain_bits = grain_bits.min(span_bits - 1);
        let result = self.tail_mean(name, losses, rank, span_bits, grain_bits);
        self.note(result)
    }

    fn tail_mean(
        &mut self,
        name: &str,
        losses: impl IntoIterator<Item = Upper>,
        rank: usize,
        span_bits: u32,
        grain_bits: u32,
    ) -> Result<Upper, BuildError> {
        let forms = self.take_all(name, losses)?;
        self.check_rank(name, rank, forms.len())?;
        if rank == 1 {
            return self.max(name, forms.into_iter().map(Upper));
        }
        let rounding = Rounding::largest(&forms);
        let name = self.name(name)?;
        let (bits, offset, h) = (self.value_bits(), self.offset(), rank as i128);
        let grain = 1_i128 << grain_bits;
        let level = self.variable(name, bits)?;
        let start = self.equations.len();
        let mut excesses = Vec::with_capacity(forms.len());
        let mut slacks = Vec::with_capacity(forms.len());
        for form in forms {
            let excess = self.variable(name, span_bits - grain_bits)?;
            let above = Form::variable(self.id, level, -offset)
                .plus(Form::variable(self.id, excess, 0).times(grain))
                .minus(form);
            slacks.push(self.slack_row(name, above, span_bits)?);
            excesses.push(excess);
        }
        let rows = start..self.equations.len();
        self.steps.push(Step::Level {
            variable: level,
            rows: rows.clone(),
            rank,
        });
        for (&variable, row) in excesses.iter().zip(rows) {
            self.steps.push(Step::Least {
                variable,
                rows: row..row + 1,
                divisor: grain,
                signed: false,
            });
        }
        self.slack_steps(slacks);
        // h·(t - v) - Σ u_s: the offsets of t and v cancel.
        let mean = self.variable(name, bits)?;
        let mut rest = Form::constant(self.id, 0);
        rest.variables.push((level, -h));
        rest.variables.extend(excesses.iter().map(|&u| (u, -grain)));
        rest.variables.push((mean, h));
        self.round_up(name, mean, rest, h)?;
        // Of the `rank - 1` largest, each is rounded up by less than a grain; the mean of that, and the division's unit, are a grain.
        Ok(self.bound(mean, offset, rounding.plus_units(1 << grain_bits)))
    }

    /// At least the Euclidean norm of the positive parts of `items`: `sqrt(Σ max(item_j, 0)^2)`. For the norm of signed
    /// forms give their [`absolute`](Self::absolute) values.
    ///
    /// `w_j >= item_j`, and `m^2 - Σ w_j^2 = slack`, through `Q`.
    ///
    /// # Errors
    /// [`BuildError`]: no item; a faulty form; a pair of legs that helps; too many rows.
    pub fn norm(&mut self, name: &str, items: impl IntoIterator<Item = Upper>) -> Result<Upper, BuildError> {
        let result = self.root(name, items);
        self.note(result)
    }

    fn root(&mut self, name: &str, items: impl IntoIterator<Item = Upper>) -> Result<Upper, BuildError> {
        let forms = self.take_all(name, items)?;
        if forms.is_empty() {
            return Err(BuildError::Nothing { name: name.to_owned() });
        }
        // The norm of errors is at most their sum.
        let rounding = forms
            .iter()
            .fold(Rounding::default(), |sum, form| sum.plus(&form.rounding));
        let mut squares = std::collections::BTreeMap::<VarId, i64>::new();
        for form in forms {
            let variable = match single_variable(&form) {
                Some(variable) => variable,
                None => self.cover(name, vec![form], 0, false)?.0,
            };
            *squares.entry(variable).or_default() -= 1;
        }
        let name = self.name(name)?;
        let bits = self.value_bits();
        let root = self.variable(name, bits)?;
        // With m the rounded-up root, m^2 - Σ is below 2m. In whole numbers, so that squares have all the bits of the no-wrap bound.
        let slack = self.whole(name, bits + 1)?;
        squares.insert(root, 1);
        let rest = Form::variable(self.id, slack, 0).times(-1);
        let row = self.row(name, rest, squares.into_iter().collect())?;
        self.steps.push(Step::Root { root, slack, row });
        Ok(self.bound(root, 0, rounding.plus_one_unit()))
    }

    /// A form with a side times a whole factor: no variable, no rounding.
    ///
    /// # Errors
    /// [`BuildError::FactorNotWhole`] for a fraction or a factor of `2^63` or more. An overflow is remembered by the form.
    pub fn scale<S: Side>(&mut self, form: S, factor: NonNegative) -> Result<S, BuildError> {
        let ratio = factor.ratio();
        let whole = i64::try_from(ratio.numerator()).ok();
        let result = match whole.filter(|_| ratio.denominator() == 1) {
            Some(factor) => Ok(S::from_upper(Upper(form.into_upper().0.times(factor.into())))),
            None => Err(BuildError::FactorNotWhole),
        };
        self.note(result)
    }

    /// A form with a side times `N/D`, rounded against the trader by less than one unit: `D·t - N·form = w` with `w` narrow.
    /// A whole factor needs no variable and is multiplied.
    ///
    /// # Errors
    /// [`BuildError`]: a faulty form, or one that the factor makes overflow; a pair of legs that helps; too many rows.
    pub fn rescale<S: Side>(&mut self, name: &str, form: S, factor: NonNegative) -> Result<S, BuildError> {
        let result = self.rescale_upper(name, form.into_upper(), factor);
        self.note(result).map(S::from_upper)
    }

    fn rescale_upper(&mut self, name: &str, upper: Upper, factor: NonNegative) -> Result<Upper, BuildError> {
        let (n, d) = (factor.ratio().numerator(), factor.ratio().denominator());
        let form = self.take(name, upper)?;
        if d == 1 {
            return Ok(Upper(form.times(n)));
        }
        let rounding = form.rounding.clone().times(n.unsigned_abs(), d).plus_one_unit();
        let index = self.name(name)?;
        let offset = self.offset();
        let variable = self.variable(index, self.value_bits())?;
        // A denominator that does not even fit overflows in the product with the offset.
        let divisor = i128::try_from(d).unwrap_or(i128::MAX);
        let rest = Form::variable(self.id, variable, -offset)
            .times(divisor)
            .minus(form.times(n));
        self.round_up(index, variable, rest, divisor)?;
        Ok(self.bound(variable, offset, rounding))
    }

    /// The row `rest - w = 0` with `w` below `divisor`, the coefficient of `variable` in it, and the steps of both.
    fn round_up(&mut self, name: u32, variable: VarId, rest: Form, divisor: i128) -> Result<(), BuildError> {
        let bits = width_of(divisor.unsigned_abs() - 1);
        let (row, slack) = self.slack_row(name, rest, bits)?;
        self.steps.push(Step::Least {
            variable,
            rows: row..row + 1,
            divisor,
            signed: true,
        });
        self.slack_steps([(row, slack)]);
        Ok(())
    }
}

/// The variable that a form consists of, alone and once; it is not negative.
fn single_variable(form: &Form) -> Option<VarId> {
    match (form.variables.as_slice(), form.constant) {
        ([(variable, 1)], 0) if form.legs.is_empty() => Some(*variable),
        _ => None,
    }
}
