//! From the rule to a program.
//!
//! `R` is not convex: a spread charge has the smaller of two sums, a credit takes away. Why no witness lowers it:
//! - *Scanning risk* is an `Upper` `A`. It stands in `max(A - K, (1 - ρ) A)`, both of which rise with `A` since `ρ <= 1`: to
//!   overstate it never helps.
//! - *Spread charge*: `l_e >= Δ⁺_e` is an `Upper` for each month. Long side `L = Σ l_e` and short side `L - Δ` rise together with
//!   `l_e`; a bit chooses which of the two the charge is held to, and each is at least the smaller.
//! - *Credit*: the amounts `m_s` are **equal** to those of the rule. Delta notionals are whole units, and every minimum of the
//!   greedy order is an `exact_min`: with its bit at either value one of the two differences is 0, so that there is one witness for what
//!   a spread takes. A prover that could take less from the first spread would have more left for the second, at a higher rate;
//!   one that could take more would be credited for delta that is not there.

use std::collections::BTreeMap;

use num_rational::BigRational;
use rust_decimal::Decimal;
use zkmargin_program::{Builder, Exact, Linear, Lower, NonNegative, NumberError, Ratio, Real, Upper};

use crate::amount::to_ratio;
use crate::instant::{DAY_MS, Instant};
use crate::model::compile::{CompileError, Forms, magnitude};
use crate::model::factor::ratio;
use crate::model::matched::matched;
use crate::model::scan::{Facts, Move, Scan, add_net};
use crate::model::sheet::Sheet;
use crate::model::span::Span;
use crate::model::span::parameters::{Credit, Parameters, UnderlyingParameters};
use crate::model::span::table;
use crate::model::{Rule, Scope};
use crate::terms::Level;

impl Span {
    /// `V` and `R` of the accounts in a scope.
    pub(super) fn compile(
        &self,
        builder: &mut Builder,
        scope: &Scope<'_>,
        level: Level,
    ) -> Result<Forms, CompileError> {
        let (parameters, numeraire) = (self.parameters(), self.numeraire());
        let names = self.names();
        let sheet = Sheet::new(&names, scope, &numeraire)?;
        let facts = Facts {
            model: self.name(),
            sheet: &sheet,
            snapshot: scope.snapshot,
            names: &names,
            whole: parameters.collateral_in_scenarios,
        };
        let mut desks = BTreeMap::new();
        for (name, rules) in &parameters.underlyings {
            if let Some(scan) = facts.scan(name, &rules.volatility, moves(rules)?)? {
                desks.insert(name.as_str(), Desk { rules, scan });
            }
        }
        let price = numeraire.price(scope.snapshot)?;
        let compiler = Compiler {
            parameters,
            now: scope.snapshot.instant,
            level: ratio(match level {
                Level::Initial => parameters.levels.initial,
                Level::Maintenance => parameters.levels.maintenance,
            })?,
            price: to_ratio(price),
            decimals: numeraire.unit_exponent().unsigned_abs(),
            desks,
        };
        let mut linear = Linear::zero();
        for desk in compiler.desks.values() {
            desk.scan.add_marks(&mut linear)?;
        }
        Ok(Forms {
            value: sheet.value(builder, &parameters.assets, linear)?,
            requirement: compiler.requirement(builder)?,
        })
    }
}

/// The 16 rows.
fn moves(rules: &UnderlyingParameters) -> Result<Vec<Move>, NumberError> {
    let range = ratio(rules.price_scan_range)?;
    let mut by = Vec::with_capacity(16);
    for thirds in table::THIRDS {
        by.extend([(range.checked_mul(Ratio::new(thirds.into(), 3)?)?, Ratio::ONE); 2]);
    }
    let extreme = range.checked_mul(ratio(rules.extreme.multiple)?)?;
    let coverage = ratio(rules.extreme.coverage)?;
    by.extend([(extreme, coverage), (extreme.checked_neg()?, coverage)]);
    let shocks = table::shocks(rules).into_iter().zip(by);
    Ok(shocks.map(|(shock, (by, weight))| Move { shock, by, weight }).collect())
}

/// An underlying that the snapshot has.
struct Desk<'s, 'a> {
    rules: &'s UnderlyingParameters,
    scan: Scan<'s, 'a>,
}

struct Compiler<'s, 'a> {
    parameters: &'s Parameters,
    now: Instant,
    /// The factor of the level.
    level: Ratio,
    /// `p_M`.
    price: BigRational,
    /// Decimals of the unit.
    decimals: u32,
    desks: BTreeMap<&'s str, Desk<'s, 'a>>,
}

/// What is given back on an underlying.
#[derive(Default)]
struct Given {
    /// `factor(level) Σ rate ψ m`.
    amount: Option<Lower>,
    /// `ρ_u`.
    most: Decimal,
}

impl<'s, 'a> Compiler<'s, 'a> {
    fn requirement(&self, builder: &mut Builder) -> Result<Upper, CompileError> {
        let mut credits = self.credits(builder)?;
        let mut risks = builder.upper(&Linear::zero())?;
        for (name, desk) in &self.desks {
            let given = credits.remove(name).unwrap_or_default();
            risks = risks + self.risk(builder, name, desk, given)?;
        }
        Ok(risks)
    }

    /// `factor(level) · risk_u`.
    fn risk(
        &self,
        builder: &mut Builder,
        name: &str,
        desk: &Desk<'s, 'a>,
        given: Given,
    ) -> Result<Upper, CompileError> {
        let mut losses = Vec::with_capacity(desk.scan.rows());
        for row in 0..desk.scan.rows() {
            losses.push(-builder.lower(&desk.scan.profit(row, self.level)?)?);
        }
        let scanning = builder.max_non_negative(&format!("scanning risk of {name}"), losses)?;
        let charges = self.charges(builder, name, desk)?;
        let minimum = ratio(desk.rules.short_option_minimum)?.checked_mul(self.level)?;
        let mut items = Vec::new();
        match given.amount {
            None => items.push(scanning + charges),
            Some(credit) => {
                let kept = NonNegative::new(ratio(Decimal::ONE - given.most)?)?;
                let least = builder.rescale(&format!("scanning risk of {name} kept"), scanning.clone(), kept)?;
                items.push(scanning - credit + charges.clone());
                items.push(least + charges);
            }
        }
        if minimum != Ratio::ZERO {
            items.push(builder.upper(&desk.scan.short_options(minimum)?)?);
        }
        // A single item is not below 0 as it is.
        Ok(builder.max(&format!("risk of {name}"), items)?)
    }

    /// `factor(level) · (spread_u + delivery_u)`.
    fn charges(&self, builder: &mut Builder, name: &str, desk: &Desk<'s, 'a>) -> Result<Upper, CompileError> {
        let rules = desk.rules;
        let mut tiers = vec![Vec::new(); rules.tiers.len()];
        let mut months: BTreeMap<Option<Instant>, Vec<_>> = BTreeMap::new();
        for (position, delta) in desk.scan.deltas() {
            let month = position.instrument.kind.expiry();
            months.entry(month).or_default().push((position, delta));
        }
        for (month, lines) in &months {
            let time = month.map_or(0, |expiry| expiry.millis_since(self.now));
            let is_in = |until: Option<Decimal>| until.is_none_or(|until| is_within(time, until));
            if let Some(at) = rules.tiers.iter().position(|tier| is_in(tier.until_days)) {
                tiers
                    .get_mut(at)
                    .into_iter()
                    .for_each(|tier| tier.push((*month, lines)));
            }
        }
        // `factor(level) · rate · Δ` of some lines.
        let delta = |lines: &[(&_, f64)], rate: Decimal| -> Result<Linear, CompileError> {
            let rate = ratio(rate)?.checked_mul(self.level)?;
            let mut form = Linear::zero();
            for (position, delta) in lines {
                add_net(&mut form, position, desk.scan.of_delta(position, *delta, rate)?)?;
            }
            Ok(form)
        };
        let mut charge = builder.upper(&Linear::zero())?;
        let mut nets = Vec::new();
        for (tier, months) in rules.tiers.iter().zip(&tiers) {
            let mut forms = Vec::new();
            for (_, lines) in months {
                forms.push(delta(lines, tier.rate)?);
            }
            let place = format!("spreads of {name} within a tier");
            if let Some(spread) = matched(builder, &place, &forms)? {
                charge = charge + spread;
            }
            let mut net = Linear::zero();
            for (_, lines) in months {
                net += delta(lines, rules.between_tiers)?;
            }
            nets.push(net);
        }
        if let Some(spread) = matched(builder, &format!("spreads of {name} between tiers"), &nets)? {
            charge = charge + spread;
        }
        if let Some(delivery) = rules.delivery {
            let mut linear = Linear::zero();
            let near = |expiry: &Instant| is_within(expiry.millis_since(self.now), delivery.days);
            for (_, lines) in months.iter().filter(|(month, _)| month.as_ref().is_some_and(near)) {
                let form = delta(lines, delivery.rate)?;
                if form != Linear::zero() {
                    charge = charge + magnitude(builder, &format!("delivery of {name}"), form, &mut linear)?;
                }
            }
            charge = charge + builder.upper(&linear)?;
        }
        Ok(charge)
    }

    /// What each underlying is given back.
    fn credits(&self, builder: &mut Builder) -> Result<BTreeMap<&'s str, Given>, CompileError> {
        let mut credits: BTreeMap<&'s str, Given> = BTreeMap::new();
        if self.parameters.credit == Credit::None {
            return Ok(credits);
        }
        let mut left: BTreeMap<&'s str, Exact> = BTreeMap::new();
        for spread in &self.parameters.spreads {
            let [first, second] = spread.legs.each_ref().map(String::as_str);
            for name in [first, second] {
                // The largest rate of all that name it, whether or not the other underlying has a market.
                if let Some((name, _)) = self.desks.get_key_value(name) {
                    let given = credits.entry(name).or_default();
                    given.most = given.most.max(spread.rate);
                }
            }
            let (Some(first), Some(second)) = (self.desks.get_key_value(first), self.desks.get_key_value(second))
            else {
                continue;
            };
            let [mut x, mut y] = [Linear::zero(), Linear::zero()].map(|_| None);
            for ((name, desk), own) in [(first, &mut x), (second, &mut y)] {
                let known = left.get(name).cloned();
                *own = Some(match known {
                    Some(known) => known,
                    None => builder.exact(&self.notional(desk)?)?,
                });
            }
            let (Some(x), Some(y)) = (x, y) else { continue };
            let place = format!("spread of {} and {}", first.0, second.0);
            let spreading = spread_out(builder, &place, x, y)?;
            left.insert(first.0, spreading.first);
            left.insert(second.0, spreading.second);
            for (name, desk) in [first, second] {
                let rate = ratio(spread.rate)?.checked_mul(ratio(desk.rules.price_scan_range)?)?;
                let rate = NonNegative::new(rate.checked_mul(self.level)?)?;
                let amount = Lower::from(spreading.matched.clone());
                let amount = builder.rescale(&format!("credit of {name}"), amount, rate)?;
                let given = credits.entry(name).or_default();
                given.amount = Some(match given.amount.take() {
                    Some(sum) => sum + amount,
                    None => amount,
                });
            }
        }
        Ok(credits)
    }

    /// `N_u`.
    fn notional(&self, desk: &Desk<'s, 'a>) -> Result<Linear, CompileError> {
        let mut form = Linear::zero();
        for (position, delta) in desk.scan.deltas() {
            let market = desk.scan.market;
            let units = table::delta_notional(delta, position.instrument, market, &self.price, self.decimals);
            let units = units.ok_or(NumberError::Overflow)?;
            add_net(&mut form, position, Real::from_integer(units))?;
        }
        Ok(form)
    }
}

/// Whether a time is at most so many days, exactly.
fn is_within(millis: u64, days: Decimal) -> bool {
    let day = BigRational::from_integer(DAY_MS.into());
    BigRational::from_integer(millis.into()) <= to_ratio(days) * day
}

/// What a spread takes, and what it leaves.
struct Spreading {
    matched: Exact,
    first: Exact,
    second: Exact,
}

/// `y = median(0, a, b)` with `a = x` and `b = -y` of two underlyings: `y⁺ = max(min(a, b), 0)`, `y⁻ = max(-max(a, b), 0)`.
fn spread_out(builder: &mut Builder, name: &str, first: Exact, second: Exact) -> Result<Spreading, CompileError> {
    let zero = builder.exact(&Linear::zero())?;
    let opposite = second.clone().scale(-1);
    let smaller = builder.exact_min(name, first.clone(), opposite.clone())?;
    let larger = first.clone() + opposite - smaller.clone();
    let up = smaller.clone() - builder.exact_min(name, smaller, zero.clone())?;
    let down = builder.exact_min(name, larger, zero)?.scale(-1);
    let taken = up.clone() - down.clone();
    Ok(Spreading {
        matched: up + down,
        first: first - taken.clone(),
        second: second + taken,
    })
}
