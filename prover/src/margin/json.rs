//! The report as JSON.

use num_rational::BigRational;
use num_traits::Signed;
use serde::Serialize;
use serde_json::{Value, json};
use zkmargin_risk::oracle::{Check, Collateral, Component, Evaluation, Exposure, GroupLoss, Picture};
use zkmargin_risk::report::{Failure, IndexMoves, MAX_DOWN_BP, MAX_UP_BP, Report, Rounding, decimal};
use zkmargin_risk::scenario::Scenario;
use zkmargin_risk::terms::Level;

use super::requirement::{binding_name, slacks, worst_words};
use super::{FINE_PLACES, Provable, criterion_name};

/// Decimals of gamma: coins per USD are small.
const GAMMA_PLACES: u32 = 18;

#[derive(Serialize)]
struct Margin {
    model: String,
    instant: String,
    numeraire: String,
    value: String,
    equity: String,
    futures: String,
    options: String,
    net_liquidation_value: String,
    levels: [LevelFigures; 2],
    statement: Statement,
    components: Vec<ComponentFigures>,
    models: Vec<ModelFigures>,
    checks: Vec<CheckFigures>,
    picture: Value,
    groups: Vec<Group>,
    underlyings: Vec<Underlying>,
    collateral: Vec<CollateralFigures>,
    greeks: Vec<GreekFigures>,
    index_moves: Vec<IndexMove>,
}

#[derive(Serialize)]
struct LevelFigures {
    level: String,
    requirement: String,
    excess: String,
    rounding_bound: String,
}

#[derive(Serialize)]
struct Statement {
    level: String,
    ratio: String,
    least_excess: u64,
    excess: String,
    rounding_bound: String,
    met: bool,
    provable: bool,
}

#[derive(Serialize)]
struct ComponentFigures {
    term: String,
    note: String,
    initial: String,
    maintenance: String,
    parts: Vec<ComponentFigures>,
}

/// One model of a demand.
#[derive(Serialize)]
struct ModelFigures {
    model: String,
    value: String,
    initial: String,
    maintenance: String,
    components: Vec<ComponentFigures>,
    picture: Value,
}

#[derive(Serialize)]
struct CheckFigures {
    name: String,
    initial: String,
    maintenance: String,
    holds: [bool; 2],
}

#[derive(Serialize)]
struct Group {
    underlyings: Vec<String>,
    losses: Vec<String>,
    worst_row: usize,
    worst_scenario: String,
    delta_provision: String,
    short_option_minimum: String,
    body: String,
    binding: &'static str,
}

#[derive(Serialize)]
struct Underlying {
    underlying: String,
    net_delta: String,
    gross_delta: String,
    delta_provision: String,
    short_option_minimum: String,
    roll: String,
    fees: String,
    funding: String,
    scenarios: Vec<ScenarioFigures>,
}

#[derive(Serialize)]
struct ScenarioFigures {
    #[serde(flatten)]
    scenario: Scenario,
    profit: String,
    weighted: String,
}

#[derive(Serialize)]
struct CollateralFigures {
    asset: String,
    balance: String,
    debt: String,
    carry: String,
    reserve: String,
    price: Option<String>,
    haircut: String,
    cap: Option<String>,
    counted: String,
    value: String,
    market_value: String,
    not_counted: Option<String>,
}

#[derive(Serialize)]
struct GreekFigures {
    underlying: String,
    expiry: Option<String>,
    delta: String,
    gamma: String,
    vega_per_unit: String,
    theta_per_year: String,
}

#[derive(Serialize)]
struct IndexMove {
    underlying: String,
    fails: String,
    down: Edge,
    up: Edge,
}

/// `{"fails_now": true}`, `{"basis_points": -667}` or `{"none_within": -9990}`.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Edge {
    FailsNow(bool),
    BasisPoints(i32),
    NoneWithin(i32),
}

/// The report as JSON: amounts are strings, money with the decimals of a unit of the model (10 for USD, 14 for a coin).
///
/// # Errors
/// The serializer's, which do not happen.
pub fn render_json(report: &Report, provable: &Provable) -> Result<Value, serde_json::Error> {
    let book = &report.evaluation;
    let places = report.unit_exponent.unsigned_abs();
    let (down, up) = (
        |x: &BigRational| decimal(x, places, Rounding::Down),
        |x: &BigRational| decimal(x, places, Rounding::Up),
    );
    let near = |x: &BigRational| decimal(x, places, Rounding::Nearest);
    let fine = |x: &BigRational| decimal(x, FINE_PLACES, Rounding::Nearest);
    let group = |group: &GroupLoss| Group {
        underlyings: group.underlyings.clone(),
        losses: group.losses.iter().map(up).collect(),
        worst_row: group.worst,
        worst_scenario: worst_words(&report.grids, group),
        delta_provision: up(&group.delta_provision),
        short_option_minimum: up(&group.short_option_minimum),
        body: up(&group.body),
        binding: binding_name(group.binding),
    };
    let underlying = |(name, exposure): (&String, &Exposure)| Underlying {
        underlying: name.clone(),
        net_delta: fine(&exposure.net_delta),
        gross_delta: fine(&exposure.gross_delta),
        delta_provision: up(&exposure.delta_provision),
        short_option_minimum: up(&exposure.short_option_minimum),
        roll: up(&exposure.roll),
        fees: up(&exposure.fees),
        funding: up(&exposure.funding),
        scenarios: report
            .grids
            .get(name)
            .into_iter()
            .flatten()
            .zip(&exposure.rows)
            .map(|(row, profit)| ScenarioFigures {
                scenario: *row,
                profit: near(&profit.profit),
                weighted: near(&profit.weighted),
            })
            .collect(),
    };
    let collateral = |line: &Collateral| CollateralFigures {
        asset: line.asset.clone(),
        balance: fine(&line.balance),
        debt: fine(&line.debt),
        carry: fine(&line.carry),
        reserve: fine(&line.reserve),
        price: line.price.as_ref().map(fine),
        haircut: fine(&line.haircut),
        cap: line.cap.as_ref().map(fine),
        counted: fine(&line.counted),
        value: near(&line.value),
        market_value: near(&line.market_value),
        not_counted: line.uncounted.as_ref().map(ToString::to_string),
    };
    let [initial, maintenance] = &provable.levels;
    let level = |level: Level, bound: &BigRational| LevelFigures {
        level: level.to_string(),
        requirement: up(book.requirement(level)),
        excess: down(&report.excess(level)),
        rounding_bound: up(bound),
    };
    serde_json::to_value(Margin {
        model: report.model.clone(),
        instant: report.instant.to_string(),
        numeraire: book.numeraire.clone(),
        value: down(&book.value),
        equity: down(&book.equity()),
        futures: near(&book.futures),
        options: near(&book.options),
        net_liquidation_value: down(&book.net_liquidation_value()),
        levels: [level(Level::Initial, initial), level(Level::Maintenance, maintenance)],
        statement: Statement {
            level: report.level.to_string(),
            ratio: report.ratio.to_string(),
            least_excess: report.least_excess,
            excess: down(&report.statement_excess()),
            rounding_bound: up(&provable.statement),
            met: report.is_met(),
            provable: provable.is_provable(),
        },
        components: components(&book.components, places),
        models: report
            .models
            .iter()
            .map(|one| ModelFigures {
                model: one.model.clone(),
                value: down(&one.evaluation.value),
                initial: up(&one.evaluation.initial),
                maintenance: up(&one.evaluation.maintenance),
                components: components(&one.evaluation.components, places),
                picture: picture(&one.evaluation, places),
            })
            .collect(),
        checks: book.checks.iter().map(|check| check_figures(check, places)).collect(),
        picture: picture(book, places),
        groups: book.groups.iter().map(group).collect(),
        underlyings: book.underlyings.iter().map(underlying).collect(),
        collateral: book.collateral.iter().map(collateral).collect(),
        greeks: report
            .greeks
            .iter()
            .map(|line| GreekFigures {
                underlying: line.underlying.clone(),
                expiry: line.expiry.map(|expiry| expiry.to_string()),
                delta: fine(&line.delta),
                gamma: decimal(&line.gamma, GAMMA_PLACES, Rounding::Nearest),
                vega_per_unit: fine(&line.vega),
                theta_per_year: fine(&line.theta),
            })
            .collect(),
        index_moves: report.index_moves.iter().map(index_move).collect(),
    })
}

fn components(components: &[Component], places: u32) -> Vec<ComponentFigures> {
    let figures = |component: &Component| ComponentFigures {
        term: component.term.clone(),
        note: component.note.clone(),
        initial: decimal(&component.initial, places, Rounding::Up),
        maintenance: decimal(&component.maintenance, places, Rounding::Up),
        parts: self::components(&component.parts, places),
    };
    components.iter().map(figures).collect()
}

fn check_figures(check: &Check, places: u32) -> CheckFigures {
    let slacks = slacks(check);
    let [initial, maintenance] = slacks.each_ref().map(|slack| decimal(slack, places, Rounding::Down));
    CheckFigures {
        name: check.name(),
        initial,
        maintenance,
        holds: slacks.map(|slack| !slack.is_negative()),
    }
}

/// `{"grid": […]}`, `{"losses": […]}`, `{"sensitivities": […]}`, `{"weighted_sensitivities": […]}`, or null.
fn picture(book: &Evaluation, places: u32) -> Value {
    let near = |x: &BigRational| decimal(x, places, Rounding::Nearest);
    let named = |figures: &[(String, BigRational)]| -> Vec<Value> {
        let row = |(name, amount): &(String, BigRational)| json!({ "name": name, "amount": near(amount) });
        figures.iter().map(row).collect()
    };
    match &book.picture {
        Picture::Grid(cells) => {
            let cells = cells.iter().map(|cell| {
                json!({
                    "underlying": cell.underlying, "move": cell.price_move.to_string(), "volatility": cell.volatility,
                    "weight": cell.weight.to_string(), "profit": near(&cell.profit),
                })
            });
            json!({ "grid": cells.collect::<Vec<_>>() })
        }
        Picture::Losses(losses) => json!({ "losses": named(losses) }),
        Picture::Sensitivities(factors) => json!({ "sensitivities": named(factors) }),
        Picture::WeightedSensitivities(factors) => json!({ "weighted_sensitivities": named(factors) }),
        Picture::None => Value::Null,
    }
}

fn index_move(found: &IndexMoves) -> IndexMove {
    let edge = |failure, furthest| match failure {
        Failure::Now => Edge::FailsNow(true),
        Failure::At(basis_points) => Edge::BasisPoints(basis_points),
        Failure::NotWithin => Edge::NoneWithin(furthest),
    };
    IndexMove {
        underlying: found.underlying.clone(),
        fails: criterion_name(found.criterion),
        down: edge(found.down, -MAX_DOWN_BP),
        up: edge(found.up, MAX_UP_BP),
    }
}
