//! The builder: from forms with sides to a [`Program`].

use std::collections::BTreeMap;
use std::mem;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::bounds::{
    MAX_EQUATIONS, MAX_NAME_BYTES, MAX_TERMS, MAX_VARIABLES, Range, UNIT_EXPONENT_RANGE, VALUE_BITS_RANGE, of_legs,
};
use crate::error::BuildError;
use crate::expr::{Exact, Linear, Lower, Upper};
use crate::form::{Form, FormError, Rounding};
use crate::leg::{LOT_BITS, Layout, LegId, Pair, SUMMED_LOT_BITS};
use crate::program::{Equation, Header, Program, Requirement, VarId, Variable};
use crate::real::Real;
use crate::witness::Step;

/// Builders are told apart by this, so that forms of two of them do not mix.
static NEXT_BUILDER: AtomicU64 = AtomicU64::new(0);

/// A slot that is no leg, a leg without a pair, and one that forms leave out, in `Builder::pair_of`.
const NO_LEG: u32 = u32::MAX;
const NO_PAIR: u32 = u32::MAX - 1;
const LEFT_OUT: u32 = u32::MAX - 2;

/// By how much a form can change, least and most, when a lot of both legs of a pair is added.
#[derive(Copy, Clone, Debug)]
pub(crate) struct PairChange {
    pub(crate) pair: u32,
    pub(crate) least: i128,
    pub(crate) most: i128,
}

/// Compiles forms to a [`Program`]. Every verb returns a form of the side that it proves, and keeps the variables, bits and
/// free choices that prove it to itself.
///
/// After an error the builder is spent: [`finish`](Self::finish) gives the first error again.
#[derive(Debug)]
pub struct Builder {
    pub(crate) id: u64,
    layout: Layout,
    header: Header,
    pair_of: Vec<u32>,
    reductions: BTreeMap<LegId, VarId>,
    has_forms: bool,
    failure: Option<BuildError>,
    pub(crate) equations: Vec<Equation>,
    variables: Vec<Variable>,
    names: Vec<String>,
    equation_names: Vec<u32>,
    pub(crate) steps: Vec<Step>,
    requirements: Vec<Requirement>,
    terms: usize,
    /// The changes of the variables that stand in exact forms; all others follow their form's side.
    pub(crate) variable_changes: BTreeMap<VarId, Vec<PairChange>>,
}

enum Toward {
    Up,
    Down,
    Nowhere,
}

fn next_id() -> u64 {
    NEXT_BUILDER.fetch_add(1, Ordering::Relaxed)
}

impl Builder {
    /// A builder without a form.
    ///
    /// # Errors
    /// [`BuildError`]: an empty or long numéraire; a unit or a value width out of range.
    pub fn new(layout: Layout, header: Header) -> Result<Self, BuildError> {
        let bytes = header.numeraire.len();
        if bytes == 0 || bytes > MAX_NAME_BYTES {
            return Err(BuildError::Numeraire { bytes });
        }
        let exponent = header.unit_exponent;
        if !UNIT_EXPONENT_RANGE.contains(&exponent) {
            return Err(BuildError::UnitExponent { exponent });
        }
        let bits = header.value_bits;
        if !VALUE_BITS_RANGE.contains(&bits) {
            return Err(BuildError::ValueBits { bits });
        }
        let mut pair_of = vec![NO_LEG; layout.slots()];
        for leg in layout.legs() {
            pair_of[leg.index()] = NO_PAIR;
        }
        for (index, pair) in layout.pairs().iter().enumerate() {
            pair_of[pair.first.index()] = index as u32;
            pair_of[pair.second.index()] = index as u32;
        }
        Ok(Self {
            id: next_id(),
            layout,
            header,
            pair_of,
            reductions: BTreeMap::new(),
            has_forms: false,
            failure: None,
            equations: Vec::new(),
            variables: Vec::new(),
            names: Vec::new(),
            equation_names: Vec::new(),
            steps: Vec::new(),
            requirements: Vec::new(),
            terms: 0,
            variable_changes: BTreeMap::new(),
        })
    }

    /// Lets the prover net a pair that a public amount touches: a hidden `d` of at most `most` and below `2^48`, with `first - d >= 0` and
    /// `second - d >= 0`. Every form made later sees `first - d` and `second - d`.
    ///
    /// `most` is the public amount of the leg that has more: it closes what is held against it, and no position of one account that of another.
    ///
    /// # Errors
    /// [`BuildError`]: a form was made before; no pair of the layout, or netted before; too many rows.
    pub fn net(&mut self, pair: Pair, most: u64) -> Result<(), BuildError> {
        let result = self.net_pair(pair, most.min((1 << LOT_BITS) - 1));
        self.note(result)
    }

    fn net_pair(&mut self, pair: Pair, most: u64) -> Result<(), BuildError> {
        if self.has_forms {
            return Err(BuildError::NetTooLate);
        }
        if !self.layout.pairs().contains(&pair) || self.reductions.contains_key(&pair.first) {
            return Err(BuildError::Pair { pair });
        }
        let name = self.name("net")?;
        let variable = self.variable(name, LOT_BITS)?;
        self.steps.push(Step::Reduction { variable, pair, most });
        let mut rest = Form::constant(self.id, most.into());
        rest.variables.push((variable, -1));
        let (row, slack) = self.slack_row(name, rest, LOT_BITS)?;
        self.steps.push(Step::Slack { variable: slack, row });
        for leg in [pair.first, pair.second] {
            let mut rest = Form::constant(self.id, 0);
            rest.legs.push((leg, 1));
            rest.variables.push((variable, -1));
            let (row, slack) = self.slack_row(name, rest, SUMMED_LOT_BITS)?;
            self.steps.push(Step::Slack { variable: slack, row });
            self.reductions.insert(leg, variable);
        }
        Ok(())
    }

    /// What `build` makes of the book as if nothing were held on `legs`: every form that is made within leaves them out, and the other leg of
    /// a pair stands alone. What is left of that one, if the pair is [netted](Self::net), is the prover's choice.
    ///
    /// To each other, forms of within and of without are those of another builder.
    ///
    /// # Errors
    /// [`BuildError::NoLeg`]; those of `build`.
    pub fn without<T, E: From<BuildError>>(
        &mut self,
        legs: &[LegId],
        build: impl FnOnce(&mut Self) -> Result<T, E>,
    ) -> Result<T, E> {
        let pair_of = self.leave_out(legs);
        let pair_of = self.note(pair_of)?;
        let outer = (
            mem::replace(&mut self.id, next_id()),
            mem::replace(&mut self.pair_of, pair_of),
        );
        let built = build(self);
        (self.id, self.pair_of) = outer;
        built
    }

    fn leave_out(&self, legs: &[LegId]) -> Result<Vec<u32>, BuildError> {
        let mut pair_of = self.pair_of.clone();
        for &leg in legs {
            if !self.is_leg(leg) {
                return Err(BuildError::NoLeg { leg });
            }
            if let Some(pair) = self.layout.pairs().get(pair_of[leg.index()] as usize) {
                pair_of[pair.first.index()] = NO_PAIR;
                pair_of[pair.second.index()] = NO_PAIR;
            }
            pair_of[leg.index()] = LEFT_OUT;
        }
        Ok(pair_of)
    }

    /// The form, each coefficient and the constant rounded up to a whole unit.
    ///
    /// # Errors
    /// [`BuildError`]: a leg that is none; a coefficient beyond 64 bits; a faulty form.
    pub fn upper(&mut self, form: &Linear) -> Result<Upper, BuildError> {
        let result = self.round(form, Toward::Up).map(Upper);
        self.note(result)
    }

    /// The form, each coefficient and the constant rounded down to a whole unit.
    ///
    /// # Errors
    /// As [`upper`](Self::upper).
    pub fn lower(&mut self, form: &Linear) -> Result<Lower, BuildError> {
        let result = self.round(form, Toward::Down).map(Lower);
        self.note(result)
    }

    /// The form, of which each coefficient and the constant are whole already.
    ///
    /// # Errors
    /// As [`upper`](Self::upper); [`BuildError::NotWhole`].
    pub fn exact(&mut self, form: &Linear) -> Result<Exact, BuildError> {
        let result = self.round(form, Toward::Nowhere).map(Exact);
        self.note(result)
    }

    fn round(&mut self, linear: &Linear, toward: Toward) -> Result<Form, BuildError> {
        self.has_forms = true;
        let faulty = |fault| BuildError::Form {
            name: "a linear form".to_owned(),
            fault,
        };
        if let Some(fault) = linear.fault {
            return Err(faulty(fault));
        }
        let rounded = |real: Real| match toward {
            Toward::Up => Some(real.ceil()),
            Toward::Down => Some(real.floor()),
            Toward::Nowhere => real.whole().map(|units| (units, 0)),
        };
        let mut form = Form::constant(self.id, 0);
        form.legs.reserve_exact(linear.legs.len());
        let mut reduced: BTreeMap<VarId, i128> = BTreeMap::new();
        for &(leg, real) in &linear.legs {
            if !self.is_leg(leg) {
                return Err(BuildError::NoLeg { leg });
            }
            if self.is_left_out(leg) {
                continue;
            }
            let (units, error) = rounded(real).ok_or(BuildError::NotWhole { leg: Some(leg) })?;
            if error != 0 {
                let error = u64::try_from(error).unwrap_or(u64::MAX);
                // Where one is inexact, most are.
                if form.rounding.per_lot.is_empty() {
                    form.rounding.per_lot.reserve_exact(linear.legs.len());
                }
                form.rounding.per_lot.push((leg, error));
            }
            if units == 0 {
                continue;
            }
            let units = i64::try_from(units).map_err(|_| BuildError::Coefficient { leg })?;
            form.legs.push((leg, units));
            if let Some(&variable) = self.reductions.get(&leg) {
                *reduced.entry(variable).or_default() -= i128::from(units);
            }
        }
        form.variables = reduced.into_iter().filter(|(_, f)| *f != 0).collect();
        let (units, error) = rounded(linear.constant).ok_or(BuildError::NotWhole { leg: None })?;
        form.constant = units;
        form.rounding.constant = error;
        Ok(form)
    }

    /// Proves that nothing is held on `legs`: one equation `Σ q_i = 0`. Without legs it does nothing.
    ///
    /// # Errors
    /// [`BuildError`]: a leg that is none; more legs than the layout has; too many rows.
    pub fn prove_empty(&mut self, legs: &[LegId]) -> Result<(), BuildError> {
        let result = self.empty_row(legs);
        self.note(result)
    }

    fn empty_row(&mut self, legs: &[LegId]) -> Result<(), BuildError> {
        if legs.is_empty() {
            return Ok(());
        }
        if legs.len() > self.layout.legs().len() {
            return Err(BuildError::TooManyTerms);
        }
        let mut sum = Linear::zero();
        for &leg in legs {
            if self.is_left_out(leg) {
                return Err(BuildError::NoLeg { leg });
            }
            sum.add_leg(leg, Real::from_integer(1));
        }
        let form = self.round(&sum, Toward::Nowhere)?;
        let name = self.name("prove_empty")?;
        let row = self.row(name, form, Vec::new())?;
        self.steps.push(Step::Empty { row });
        Ok(())
    }

    /// Requires that a lower bound is not negative. `name` is what a refusal to make a witness names.
    ///
    /// # Errors
    /// [`BuildError`]: a faulty form; one that does not depend on the book; a pair of legs that helps; too many rows.
    pub fn require_non_negative(&mut self, name: &str, value: Lower) -> Result<(), BuildError> {
        let result = self.require(name, value);
        self.note(result)
    }

    fn require(&mut self, name: &str, value: Lower) -> Result<(), BuildError> {
        let form = self.take(name, -value)?.times(-1);
        if form.is_constant() {
            return Err(BuildError::ConstantRequirement { name: name.to_owned() });
        }
        let rounding = form.rounding.clone();
        let index = self.name(name)?;
        let (row, variable) = self.slack_row(index, form, self.header.value_bits)?;
        self.steps.push(Step::Requirement { variable, row });
        self.requirements.push(Requirement { rounding });
        Ok(())
    }

    /// The finished program.
    ///
    /// # Errors
    /// [`BuildError`]: the first error of an earlier verb; no requirement; an equation that wraps around at the declared widths.
    pub fn finish(self) -> Result<Program, BuildError> {
        if let Some(failure) = self.failure {
            return Err(failure);
        }
        if self.requirements.is_empty() {
            return Err(BuildError::NoRequirement);
        }
        let program = Program {
            header: self.header,
            layout: self.layout,
            of_legs: self.equations.iter().map(of_legs).collect(),
            equations: self.equations,
            variables: self.variables,
            names: self.names,
            equation_names: self.equation_names,
            steps: self.steps,
            requirements: self.requirements,
        };
        let declared = program
            .variables
            .iter()
            .map(|variable| Range::Integer { bits: variable.bits });
        program.check_no_wrap(&declared.collect::<Vec<_>>())?;
        Ok(program)
    }

    pub(crate) fn note<T>(&mut self, result: Result<T, BuildError>) -> Result<T, BuildError> {
        if let Err(error) = &result {
            self.failure.get_or_insert_with(|| error.clone());
        }
        result
    }

    fn is_leg(&self, leg: LegId) -> bool {
        self.pair_of.get(leg.index()).is_some_and(|&pair| pair != NO_LEG)
    }

    fn is_left_out(&self, leg: LegId) -> bool {
        self.pair_of.get(leg.index()) == Some(&LEFT_OUT)
    }

    /// Width of a value.
    pub(crate) fn value_bits(&self) -> u32 {
        self.header.value_bits
    }

    /// What a signed value is stored above: `x = w - 2^(b-1)`.
    pub(crate) fn offset(&self) -> i128 {
        1 << (self.header.value_bits - 1)
    }

    /// The public big-M: the greatest difference of two values that fit their width.
    pub(crate) fn big_m(&self) -> i128 {
        (1 << self.header.value_bits) - 1
    }

    pub(crate) fn name(&mut self, name: &str) -> Result<u32, BuildError> {
        if name.len() > MAX_NAME_BYTES {
            return Err(BuildError::Name { bytes: name.len() });
        }
        if self.names.last().is_none_or(|last| last != name) {
            self.names.push(name.to_owned());
        }
        Ok(self.names.len() as u32 - 1)
    }

    pub(crate) fn variable(&mut self, name: u32, bits: u32) -> Result<VarId, BuildError> {
        if self.variables.len() >= MAX_VARIABLES {
            return Err(BuildError::TooManyVariables);
        }
        let id = VarId::new(self.variables.len() as u32);
        let name = self.names[name as usize].clone();
        self.variables.push(Variable {
            bits,
            whole: false,
            name,
        });
        Ok(id)
    }

    /// A variable of which soundness needs that it is an integer.
    pub(crate) fn whole(&mut self, name: u32, bits: u32) -> Result<VarId, BuildError> {
        let id = self.variable(name, bits)?;
        self.variables[id.index()].whole = true;
        Ok(id)
    }

    /// The row `form + squares = 0`.
    pub(crate) fn row(&mut self, name: u32, form: Form, squares: Vec<(VarId, i64)>) -> Result<usize, BuildError> {
        let faulty = |fault| BuildError::Form {
            name: self.names[name as usize].clone(),
            fault,
        };
        if let Some(fault) = form.fault {
            return Err(faulty(fault));
        }
        let constant = form.constant.checked_neg().ok_or_else(|| faulty(FormError::Overflow))?;
        if self.equations.len() >= MAX_EQUATIONS {
            return Err(BuildError::TooManyEquations);
        }
        self.terms += form.legs.len() + form.variables.len() + squares.len();
        if self.terms > MAX_TERMS {
            return Err(BuildError::TooManyTerms);
        }
        for (variable, _) in &squares {
            self.variables[variable.index()].whole = true;
        }
        self.equations.push(Equation {
            legs: form.legs,
            variables: form.variables,
            squares,
            constant,
        });
        self.equation_names.push(name);
        Ok(self.equations.len() - 1)
    }

    /// The row `form - slack = 0`, which is `form >= 0`, with a slack of `bits`. The caller says when it is computed.
    pub(crate) fn slack_row(&mut self, name: u32, form: Form, bits: u32) -> Result<(usize, VarId), BuildError> {
        let slack = self.variable(name, bits)?;
        let form = form.minus(Form::variable(self.id, slack, 0));
        Ok((self.row(name, form, Vec::new())?, slack))
    }

    /// Takes a form into the program: it is of this builder, without fault, and no pair of legs lowers it.
    ///
    /// The sum over both legs is checked here, on the whole integer form that an equation is made of, and not where its
    /// parts are made: of a sum, one part may rise and another fall. The variables of a form follow its side: an `Upper` has
    /// those of `max` with positive and those of `min` with negative coefficients, and by induction a lot of both legs never
    /// lowers it through them. Variables of [`exact_min`](Self::exact_min), which stand in either side, are counted with the
    /// least change that they can have.
    pub(crate) fn take(&mut self, name: &str, upper: Upper) -> Result<Form, BuildError> {
        let form = self.take_exact(name, upper.0)?;
        for change in self.pair_changes(name, &form)? {
            if change.least < 0 {
                return Err(BuildError::PairHelps {
                    name: name.to_owned(),
                    pair: self.layout.pairs()[change.pair as usize],
                });
            }
        }
        Ok(form)
    }

    /// Takes a form of either side.
    pub(crate) fn take_exact(&self, name: &str, form: Form) -> Result<Form, BuildError> {
        let other = (form.builder != self.id).then_some(FormError::OtherBuilder);
        match form.fault.or(other) {
            Some(fault) => Err(BuildError::Form {
                name: name.to_owned(),
                fault,
            }),
            None => Ok(form),
        }
    }

    /// How the form changes, pair by pair, with a lot of both legs; pairs without a change are left out.
    pub(crate) fn pair_changes(&self, name: &str, form: &Form) -> Result<Vec<PairChange>, BuildError> {
        let mut changes = vec![(0i128, 0i128); self.layout.pairs().len()];
        for &(leg, units) in &form.legs {
            if let Some(change) = changes.get_mut(self.pair_of[leg.index()] as usize) {
                // Two coefficients of 64 bits.
                change.0 += i128::from(units);
                change.1 += i128::from(units);
            }
        }
        for &(variable, factor) in &form.variables {
            for change in self.variable_changes.get(&variable).into_iter().flatten() {
                let sum = &mut changes[change.pair as usize];
                let (low, high) = if factor < 0 {
                    (change.most, change.least)
                } else {
                    (change.least, change.most)
                };
                let add = |sum: i128, by: i128| {
                    by.checked_mul(factor)
                        .and_then(|by| sum.checked_add(by))
                        .ok_or_else(|| BuildError::Form {
                            name: name.to_owned(),
                            fault: FormError::Overflow,
                        })
                };
                *sum = (add(sum.0, low)?, add(sum.1, high)?);
            }
        }
        let changed = changes.into_iter().enumerate().filter(|(_, c)| *c != (0, 0));
        let changes = changed.map(|(pair, (least, most))| PairChange {
            pair: pair as u32,
            least,
            most,
        });
        Ok(changes.collect())
    }

    /// Takes all forms of a verb, and stops before they are more than a program may have.
    pub(crate) fn take_all(
        &mut self,
        name: &str,
        uppers: impl IntoIterator<Item = Upper>,
    ) -> Result<Vec<Form>, BuildError> {
        let mut forms = Vec::new();
        let mut terms = self.terms;
        for upper in uppers {
            if forms.len() >= MAX_EQUATIONS {
                return Err(BuildError::TooManyEquations);
            }
            let form = self.take(name, upper)?;
            terms += form.legs.len() + form.variables.len();
            if terms > MAX_TERMS {
                return Err(BuildError::TooManyTerms);
            }
            forms.push(form);
        }
        Ok(forms)
    }

    /// A form of one variable less `offset`, with a rounding.
    pub(crate) fn bound(&self, variable: VarId, offset: i128, rounding: Rounding) -> Upper {
        let mut form = Form::variable(self.id, variable, -offset);
        form.rounding = rounding;
        Upper(form)
    }
}
