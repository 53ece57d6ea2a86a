//! The private margin report in words and in JSON.
//!
//! Both are the trader's secret: they show what is held. Figures are those of the [oracle](zkmargin_risk::oracle), exact until they are written here:
//! values and excesses are rounded down, requirements and charges up, everything else to the nearest.

mod hedges;
mod json;
mod provable;
mod requirement;

use std::collections::BTreeSet;

use num_rational::BigRational;
use zkmargin_risk::model::COIN_UNIT_EXPONENT;
use zkmargin_risk::oracle::Collateral;
use zkmargin_risk::report::{Criterion, Failure, MAX_DOWN_BP, MAX_UP_BP, Report, Rounding, decimal};
use zkmargin_risk::terms::Level;

use crate::text::{Columns, grouped};

pub use hedges::{hedges_json, hedges_text};
pub use json::render_json;
pub use provable::Provable;

const LEVELS: [Level; 2] = [Level::Initial, Level::Maintenance];
/// Days of a year and points of a volatility: theta is shown per day and vega per point.
const YEAR_DAYS: u32 = 365;
const VOLATILITY_POINTS: u32 = 100;
/// Decimals of amounts of coins in the table.
const COIN_PLACES: u32 = 8;
/// Decimals of coins and greeks in JSON, and of gamma.
const FINE_PLACES: u32 = 12;

fn criterion_name(criterion: Criterion) -> String {
    match criterion {
        Criterion::Level(level) => level.to_string(),
        Criterion::Statement => "statement".to_owned(),
    }
}

fn percent(basis_points: i32) -> String {
    let sign = if basis_points < 0 { '-' } else { '+' };
    let (whole, rest) = (basis_points.unsigned_abs() / 100, basis_points.unsigned_abs() % 100);
    format!("{sign}{whole}.{rest:02} %")
}

fn failure_words(failure: Failure, furthest: i32) -> String {
    match failure {
        Failure::Now => "fails now".to_owned(),
        Failure::At(basis_points) => percent(basis_points),
        Failure::NotWithin => format!("none within {}", percent(furthest)),
    }
}

fn expiry_name(expiry: Option<zkmargin_risk::instant::Instant>) -> String {
    expiry.map_or_else(|| "perpetual".to_owned(), |expiry| expiry.to_string())
}

/// How money of a report is written.
#[derive(Copy, Clone)]
struct Money {
    places: u32,
    /// Those of a unit of the program.
    unit_places: u32,
}

impl Money {
    fn of(report: &Report) -> Money {
        Money {
            places: if report.unit_exponent <= COIN_UNIT_EXPONENT {
                COIN_PLACES
            } else {
                2
            },
            unit_places: report.unit_exponent.unsigned_abs(),
        }
    }

    fn down(self, x: &BigRational) -> String {
        grouped(&decimal(x, self.places, Rounding::Down))
    }

    fn up(self, x: &BigRational) -> String {
        grouped(&decimal(x, self.places, Rounding::Up))
    }

    /// Up, in units of the program.
    fn fine(self, x: &BigRational) -> String {
        grouped(&decimal(x, self.unit_places, Rounding::Up))
    }

    fn near(self, x: &BigRational) -> String {
        grouped(&decimal(x, self.places, Rounding::Nearest))
    }
}

fn coins(x: &BigRational) -> String {
    grouped(&decimal(x, COIN_PLACES, Rounding::Nearest))
}

fn over(x: &BigRational, divisor: u32) -> BigRational {
    x / BigRational::from_integer(divisor.into())
}

/// The report as text, for a terminal.
pub fn render_table(report: &Report, provable: &Provable) -> String {
    let book = &report.evaluation;
    let money = Money::of(report);
    let mut text = format!(
        "Margin by {}, market of {}, in {}\n\n",
        report.model, report.instant, book.numeraire
    );
    if report.models.len() > 1 {
        text += &format!(
            "Each of {} models must be met; figures are of the strictest, bounds of all\n",
            report.models.len()
        );
    }

    let mut columns = Columns::new(&["", "initial", "maintenance"]);
    columns.row(["value V".to_owned(), money.down(&book.value), money.down(&book.value)]);
    columns.row(
        ["requirement R".to_owned()]
            .into_iter()
            .chain(LEVELS.map(|level| money.up(book.requirement(level)))),
    );
    columns.row(
        ["excess V - R".to_owned()]
            .into_iter()
            .chain(LEVELS.map(|level| money.down(&report.excess(level)))),
    );
    columns.row(
        ["rounding bound of a proof".to_owned()]
            .into_iter()
            .chain(provable.levels.each_ref().map(|bound| money.fine(bound))),
    );
    columns.write(&mut text);
    let verdict = provable.verdict(report, &money.fine(&provable.statement));
    text += &format!(
        "  statement at {}: V - {} R - {} = {}: {verdict}\n",
        report.level,
        report.ratio,
        report.least_excess,
        money.down(&report.statement_excess()),
    );

    text += "\nValue\n";
    let mut columns = Columns::new(&["", &book.numeraire]);
    let (equity, liquidation) = (book.equity(), book.net_liquidation_value());
    columns.row(["equity (without options)".to_owned(), money.down(&equity)]);
    columns.row(["options at their mark".to_owned(), money.near(&book.options)]);
    columns.row(["net liquidation value".to_owned(), money.down(&liquidation)]);
    columns.row([
        "haircuts, caps, uncounted".to_owned(),
        money.near(&(&book.value - &liquidation)),
    ]);
    columns.row(["value V".to_owned(), money.down(&book.value)]);
    columns.write(&mut text);

    collateral_table(&mut text, report, money);
    requirement::write(&mut text, report, money);
    greeks_table(&mut text, report);
    moves_table(&mut text, report);
    requirement::write_scenarios(&mut text, report, money);
    text += "\nExact figures of the unrounded rule. A proof rounds against the holder: an excess of the rounding bound and more has one, a smaller one\n\
             may have none. Values and excesses are rounded down, requirements, charges and bounds up, all else to the nearest.\n";
    text
}

fn collateral_table(text: &mut String, report: &Report, money: Money) {
    *text += "\nCollateral, and what makes it up to the value V\n";
    let worth = format!("counts, {}", report.evaluation.numeraire);
    let mut columns = Columns::new(&[
        "",
        "balance",
        "debt",
        "carry",
        "reserve",
        "price, USD",
        "haircut",
        "balance counted",
        &worth,
        "",
    ]);
    for line in &report.evaluation.collateral {
        let price = line.price.as_ref().map_or_else(
            || "none".to_owned(),
            |price| grouped(&decimal(price, 2, Rounding::Nearest)),
        );
        let haircut = format!(
            "{} %",
            decimal(
                &(&line.haircut * BigRational::from_integer(100.into())),
                2,
                Rounding::Nearest
            )
        );
        columns.row([
            line.asset.clone(),
            coins(&line.balance),
            coins(&line.debt),
            coins(&line.carry),
            coins(&line.reserve),
            price,
            haircut,
            coins(&line.counted),
            money.near(&line.value),
            note(line),
        ]);
    }
    // Carry is what futures were bought for: it means something only beside what they are worth.
    let book = &report.evaluation;
    for (name, amount) in [
        ("futures, against carry", money.near(&book.futures)),
        ("options at their mark", money.near(&book.options)),
        ("value V", money.down(&book.value)),
    ] {
        let blank = std::iter::repeat_n(String::new(), 7);
        columns.row([name.to_owned()].into_iter().chain(blank).chain([amount]));
    }
    columns.write(text);
}

fn note(line: &Collateral) -> String {
    match (&line.uncounted, &line.cap) {
        (Some(reason), _) => format!("not counted: {reason}"),
        (None, Some(cap)) if line.balance > *cap => format!("capped at {}", decimal(cap, 2, Rounding::Nearest)),
        _ => String::new(),
    }
}

fn greeks_table(text: &mut String, report: &Report) {
    *text += "\nGreeks\n";
    let mut columns = Columns::new(&[
        "",
        "delta, coins",
        "gamma, coins per USD",
        "vega, USD per point",
        "theta, USD per day",
    ]);
    let cells = |label: String, delta: &BigRational, gamma: &BigRational, vega: &BigRational, theta: &BigRational| {
        let usd = |x: &BigRational| grouped(&decimal(x, 2, Rounding::Nearest));
        let gamma = decimal(gamma, FINE_PLACES, Rounding::Nearest);
        [
            label,
            coins(delta),
            gamma,
            usd(&over(vega, VOLATILITY_POINTS)),
            usd(&over(theta, YEAR_DAYS)),
        ]
    };
    let names: BTreeSet<&String> = report.greeks.iter().map(|line| &line.underlying).collect();
    if names.is_empty() {
        *text += "  No position that has any.\n";
        return;
    }
    for name in names {
        let zero = || BigRational::from_integer(0.into());
        let mut total = [zero(), zero(), zero(), zero()];
        for line in report.greeks.iter().filter(|line| line.underlying == **name) {
            let label = format!("{name} {}", expiry_name(line.expiry));
            columns.row(cells(label, &line.delta, &line.gamma, &line.vega, &line.theta));
            for (total, greek) in total
                .iter_mut()
                .zip([&line.delta, &line.gamma, &line.vega, &line.theta])
            {
                *total += greek;
            }
        }
        let [delta, gamma, vega, theta] = &total;
        columns.row(cells(format!("{name} in all"), delta, gamma, vega, theta));
    }
    columns.write(text);
}

fn moves_table(text: &mut String, report: &Report) {
    if report.index_moves.is_empty() {
        return;
    }
    *text += "\nIndex move (with all forwards, volatilities unchanged) at which a level fails\n";
    let mut columns = Columns::new(&["", "level", "down", "up"]);
    for found in &report.index_moves {
        columns.row([
            found.underlying.clone(),
            criterion_name(found.criterion),
            failure_words(found.down, -MAX_DOWN_BP),
            failure_words(found.up, MAX_UP_BP),
        ]);
    }
    columns.write(text);
}

#[cfg(test)]
mod tests;
