//! The smallest trades that restore what fails, in words and in JSON.

use serde_json::{Value, json};
use zkmargin_risk::report::hedge::{Hedge, Search};
use zkmargin_risk::report::{Report, Rounding, decimal};

use super::{FINE_PLACES, Money, criterion_name};
use crate::text::{Columns, grouped};

/// What a search found, for a terminal.
pub fn hedges_text(report: &Report, search: &Search) -> String {
    let Some(criterion) = search.criterion else {
        return "\nHedges: none is needed, the statement and both levels are met\n".to_owned();
    };
    let what = criterion_name(criterion);
    let mut text =
        format!("\nSmallest trade in one listing that restores what fails ({what}), at the mark and without fees\n");
    if search.hedges.is_empty() {
        text += "  None found among futures, perpetuals and the options held short: it takes a deposit, or several trades.\n";
    } else {
        let money = Money::of(report);
        let excess = format!("excess after, {}", report.evaluation.numeraire);
        let mut columns = Columns::new(&["trade", "notional, USD", "half spread, USD", &excess]);
        for hedge in &search.hedges {
            columns.row([
                hedge.order.to_string(),
                grouped(&decimal(&hedge.notional, 0, Rounding::Nearest)),
                cost(hedge).map_or_else(|| "not recorded".to_owned(), |cost| grouped(&cost)),
                money.down(&hedge.excess),
            ]);
        }
        columns.write(&mut text);
        if search.hedges.iter().any(|hedge| hedge.cost.is_none()) {
            text += "  Where the snapshot has no bid and ask, nothing is known of the cost.\n";
        }
        text += "  --order with such a trade, at the price and fee that it would have, shows the report after it.\n";
    }
    if search.tried < search.candidates {
        text += &format!(
            "  The time was up: {} of {} trades were tried.\n",
            search.tried, search.candidates
        );
    }
    text
}

fn cost(hedge: &Hedge) -> Option<String> {
    Some(decimal(hedge.cost.as_ref()?, 2, Rounding::Up))
}

/// The same as data.
pub fn hedges_json(search: &Search) -> Value {
    let hedge = |hedge: &Hedge| {
        json!({
            "order": hedge.order.to_string(), "venue": hedge.order.venue, "instrument": hedge.order.instrument,
            "contracts": hedge.order.contracts.to_string(), "price": hedge.order.price.to_string(),
            "notional_usd": decimal(&hedge.notional, 2, Rounding::Nearest), "half_spread_usd": cost(hedge),
            "excess": decimal(&hedge.excess, FINE_PLACES, Rounding::Down),
        })
    };
    json!({
        "fails": search.criterion.map(criterion_name), "found": search.hedges.iter().map(hedge).collect::<Vec<_>>(),
        "tried": search.tried, "candidates": search.candidates,
    })
}
