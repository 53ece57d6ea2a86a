//! What a requirement is made of: components at both levels, what else must hold, and the scenarios behind them.

use std::collections::BTreeMap;

use num_rational::BigRational;
use num_traits::Signed;
use zkmargin_risk::oracle::{Binding, Cell, Check, Component, Evaluation, GroupLoss, Picture};
use zkmargin_risk::report::{Report, Rounding, decimal};
use zkmargin_risk::scenario::{Scenario, VolatilityMove};
use zkmargin_risk::terms::Ratio20;

use super::{LEVELS, Money, coins};
use crate::text::{Columns, grouped, percent};

/// The rows of a scenario grid, by underlying.
type Grids = BTreeMap<String, Vec<Scenario>>;

/// Scenarios and factors that are listed; of the others, how many there are.
const MOST_LISTED: usize = 40;

/// `-16 %, volatility up`.
pub(super) fn scenario_name(row: &Scenario) -> String {
    let weight = if row.weight == rust_decimal::Decimal::ONE {
        String::new()
    } else {
        format!(", weight {}", row.weight)
    };
    let volatility = volatility_name(row.volatility);
    format!("{}, volatility {volatility}{weight}", percent(row.price_move))
}

const fn volatility_name(direction: VolatilityMove) -> &'static str {
    match direction {
        VolatilityMove::Up => "up",
        VolatilityMove::None => "as it is",
        VolatilityMove::Down => "down",
    }
}

/// A cell of a picture in words.
pub(super) fn cell_name(cell: &Cell) -> String {
    let volatility = match cell.volatility.as_str() {
        "up" => "volatility up",
        "none" => "volatility as it is",
        "down" => "volatility down",
        other => other,
    };
    format!("{}, {volatility}", percent(cell.price_move))
}

pub(super) const fn binding_name(binding: Binding) -> &'static str {
    match binding {
        Binding::Nothing => "nothing",
        Binding::Scenario => "worst scenario",
        Binding::DeltaProvision => "delta provision",
        Binding::ShortOptionMinimum => "short option minimum",
    }
}

/// The worst row of a group in words, which its underlyings share by number: `BTC -16 %, volatility up; ETH …`.
pub(super) fn worst_words(grids: &Grids, group: &GroupLoss) -> String {
    let rows = group
        .underlyings
        .iter()
        .filter_map(|name| Some((name, grids.get(name)?.get(group.worst)?)));
    rows.map(|(name, row)| format!("{name} {}", scenario_name(row)))
        .collect::<Vec<_>>()
        .join("; ")
}

/// The requirement by its components; under a demand, by those of each model, and what else must hold.
pub(super) fn write(text: &mut String, report: &Report, money: Money) {
    if report.models.is_empty() {
        *text += "\nRequirement, by its components\n";
        components(text, &report.evaluation, money);
    }
    for one in &report.models {
        let [initial, maintenance] =
            LEVELS.map(|level| money.down(&(&one.evaluation.value - one.evaluation.requirement(level))));
        *text += &format!(
            "\nRequirement by {}, by its components; value V {}, excess {initial} initial, {maintenance} maintenance\n",
            one.model,
            money.down(&one.evaluation.value),
        );
        components(text, &one.evaluation, money);
    }
    checks(text, report, money);
    if report.models.is_empty() {
        grid_detail(text, &report.evaluation, &report.grids, "", money);
    }
    for one in &report.models {
        grid_detail(text, &one.evaluation, &one.grids, &format!(" by {}", one.model), money);
    }
}

fn components(text: &mut String, book: &Evaluation, money: Money) {
    let mut columns = Columns::new(&["", "initial", "maintenance", ""]);
    rows(&mut columns, &book.components, 0, money);
    columns.row([
        "requirement R".to_owned(),
        money.up(&book.initial),
        money.up(&book.maintenance),
        String::new(),
    ]);
    columns.write_with_notes(text);
}

fn rows(columns: &mut Columns, components: &[Component], depth: usize, money: Money) {
    for component in components {
        columns.row([
            format!("{}{}", "  ".repeat(depth), component.term),
            money.up(&component.initial),
            money.up(&component.maintenance),
            component.note.clone(),
        ]);
        rows(columns, &component.parts, depth + 1, money);
    }
}

/// What is left of a check at each level, in words: money, or, of a limit, coins or USD.
pub(super) fn slacks(check: &Check) -> [BigRational; 2] {
    LEVELS.map(|level| check.slack(level, Ratio20::ONE, 0))
}

fn checks(text: &mut String, report: &Report, money: Money) {
    let checks = &report.evaluation.checks;
    if checks.is_empty() {
        return;
    }
    *text += "\nWhat else must hold, and what is left of it: below 0 it does not\n";
    let mut columns = Columns::new(&["", "initial", "maintenance", ""]);
    for check in checks {
        let [initial, maintenance] = slacks(check);
        let fails = initial.is_negative() || maintenance.is_negative();
        let shown = |slack: &BigRational| match check {
            Check::WithoutBalances { .. } | Check::Isolated { .. } => money.down(slack),
            Check::Limit { .. } => grouped(&decimal(slack, 2, Rounding::Down)),
        };
        let numeraire = &report.evaluation.numeraire;
        let unit = match check {
            // By whichever of its models is the strictest at the level.
            Check::WithoutBalances { .. } => numeraire.clone(),
            Check::Isolated { evaluation, .. } => format!(
                "{numeraire}: V {}, R {} initial, {} maintenance",
                money.down(&evaluation.value),
                money.up(&evaluation.initial),
                money.up(&evaluation.maintenance)
            ),
            Check::Limit { unit, .. } => (*unit).to_owned(),
        };
        columns.row([
            check.name(),
            shown(&initial),
            shown(&maintenance),
            if fails { format!("{unit}: BROKEN") } else { unit },
        ]);
    }
    columns.write_with_notes(text);
}

/// Under a scenario grid: floors of each group, and the add-ons of each underlying.
fn grid_detail(text: &mut String, book: &Evaluation, grids: &Grids, by: &str, money: Money) {
    if book.groups.is_empty() {
        return;
    }
    *text += &format!("\nBefore the factor of the level{by}: each group counts its largest\n");
    let mut columns = Columns::new(&[
        "group",
        "largest loss",
        "delta provision",
        "short option minimum",
        "counts",
        "which is",
        "worst scenario",
    ]);
    for group in &book.groups {
        let worst = group.losses.get(group.worst);
        columns.row([
            group.underlyings.join("+"),
            worst.map_or_else(String::new, |loss| money.up(loss)),
            money.up(&group.delta_provision),
            money.up(&group.short_option_minimum),
            money.up(&group.body),
            binding_name(group.binding).to_owned(),
            worst_words(grids, group),
        ]);
    }
    columns.write(text);
    *text += &format!("\nAdd-ons{by}: roll before the factor, fees and funding whole\n");
    let mut columns = Columns::new(&["", "roll", "fees", "funding", "net delta, coins", "gross delta, coins"]);
    for (name, exposure) in &book.underlyings {
        columns.row([
            name.clone(),
            money.up(&exposure.roll),
            money.up(&exposure.fees),
            money.up(&exposure.funding),
            coins(&exposure.net_delta),
            coins(&exposure.gross_delta),
        ]);
    }
    columns.write(text);
}

/// The scenarios or factors that the picture shows, as numbers.
pub(super) fn write_scenarios(text: &mut String, report: &Report, money: Money) {
    let numeraire = &report.evaluation.numeraire;
    if !report.grids.is_empty() {
        for (name, exposure) in &report.evaluation.underlyings {
            *text += &format!("\nScenarios of {name}: profit in {numeraire}, and as it counts\n");
            let mut columns = Columns::new(&["scenario", "profit", "counts"]);
            for (row, profit) in report.grids.get(name).into_iter().flatten().zip(&exposure.rows) {
                let cells = [money.near(&profit.profit), money.near(&profit.weighted)];
                columns.row([scenario_name(row)].into_iter().chain(cells));
            }
            columns.write(text);
        }
        return;
    }
    let of_models = report.models.iter().map(|one| (Some(&one.model), &one.evaluation));
    let of_one = report.models.is_empty().then_some((None, &report.evaluation));
    for (model, book) in of_models.chain(of_one) {
        let by = model.map_or_else(String::new, |model| format!(" by {model}"));
        picture(text, book, &by, money);
    }
}

fn picture(text: &mut String, book: &Evaluation, by: &str, money: Money) {
    let numeraire = &book.numeraire;
    match &book.picture {
        Picture::Grid(cells) => {
            let mut names: Vec<&String> = cells.iter().map(|cell| &cell.underlying).collect();
            names.dedup();
            for name in names {
                *text += &format!("\nScenarios of {name}{by}: profit in {numeraire} as it counts\n");
                let mut columns = Columns::new(&["scenario", "profit"]);
                for cell in cells.iter().filter(|cell| cell.underlying == *name) {
                    columns.row([cell_name(cell), money.near(&cell.profit)]);
                }
                columns.write(text);
            }
        }
        Picture::Losses(losses) => {
            *text += &format!("\nLosses by scenario{by} in {numeraire}, the largest first\n");
            largest(text, losses, "scenario", money, BigRational::clone);
        }
        Picture::Sensitivities(factors) => {
            *text += &format!("\nRequirement by risk factor{by} in {numeraire}, the largest first\n");
            largest(text, factors, "factor", money, BigRational::abs);
        }
        Picture::WeightedSensitivities(factors) => {
            *text += &format!("\nWeighted sensitivities{by} in {numeraire}, the largest first\n");
            largest(text, factors, "factor", money, BigRational::abs);
        }
        Picture::None => {}
    }
}

fn largest(
    text: &mut String,
    figures: &[(String, BigRational)],
    head: &str,
    money: Money,
    size: fn(&BigRational) -> BigRational,
) {
    let mut sorted: Vec<&(String, BigRational)> = figures.iter().collect();
    sorted.sort_by_key(|(_, amount)| std::cmp::Reverse(size(amount)));
    let mut columns = Columns::new(&[head, "amount"]);
    for (name, amount) in sorted.iter().take(MOST_LISTED) {
        columns.row([name.clone(), money.near(amount)]);
    }
    columns.write(text);
    if figures.len() > MOST_LISTED {
        *text += &format!("  and {} more\n", figures.len() - MOST_LISTED);
    }
}
