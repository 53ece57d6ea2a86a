//! The program against a plain evaluation in floats, over random books: loosely, to the cent. (The strict comparison,
//! in exact fractions and without tolerance, is with the oracle.)

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::amount::to_f64;
use crate::collateral::price;
use crate::scenario::{Shock, years};
use crate::universe::{Kind, Style};
use crate::valuation::{Denomination, ValueTable, roll_rate};

/// `(V, R)` in USD at the initial level, for a model in USD without caps and provisions, of instruments that all count.
fn evaluate(parameters: &Parameters, universe: &Universe, snapshot: &Snapshot, q: &[u64]) -> (f64, f64) {
    let lots = |leg: zkmargin_program::LegId| q[leg.index()] as f64;
    let mut value = 0.0;
    let mut moving = BTreeMap::<&str, f64>::new();
    for (_, asset) in universe.assets() {
        let Some(rule) = parameters.assets.get(&asset.name) else {
            continue;
        };
        let worth = to_f64(asset.lot) * to_f64(price(snapshot, &asset.name).unwrap());
        let carry = asset.carry.map_or(0.0, |pair| lots(pair.first) - lots(pair.second));
        let rest = -lots(asset.debt) - asset.reserve.map_or(0.0, lots);
        value += worth * ((1.0 - to_f64(rule.haircut)) * lots(asset.balance) + rest + carry);
        if let Some(underlying) = &rule.underlying {
            let held = if parameters.collateral_in_scenarios {
                lots(asset.balance) + rest
            } else {
                0.0
            };
            *moving.entry(underlying).or_default() += worth * (carry + held);
        }
    }
    let mut profits: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    let (mut floors, mut add_ons) = (BTreeMap::<&str, f64>::new(), 0.0);
    for (name, rule) in &parameters.underlyings {
        let market = &snapshot.underlyings[name];
        let index = to_f64(market.index);
        let rows = &parameters.grids[&rule.grid];
        let shocks: Vec<Shock> = rows.iter().map(|row| row.shock().unwrap()).collect();
        let (denomination, per_value) = match rule.profit {
            Profit::Coin => (Denomination::Coin, index),
            Profit::Usd => (Denomination::Usd, 1.0),
        };
        let listed = universe
            .instruments()
            .map(|(_, instrument)| instrument)
            .filter(|listed| {
                &listed.underlying == name && (listed.style == Style::Inverse || denomination == Denomination::Usd)
            });
        let listed: Vec<_> = listed.collect();
        let table = ValueTable::new(
            market,
            snapshot.instant,
            denomination,
            &rule.volatility,
            &shocks,
            listed.clone(),
        )
        .unwrap();
        let mut gains = vec![0.0; rows.len()];
        let (mut net, mut gross) = (0.0, 0.0);
        let mut buckets = BTreeMap::new();
        for instrument in listed {
            let Some(values) = table.get(instrument.long) else {
                continue;
            };
            let lot = to_f64(instrument.lot);
            let held = lot * (lots(instrument.long) - lots(instrument.short));
            value += held * per_value * values.mark;
            for (gain, shocked) in gains.iter_mut().zip(&values.shocked) {
                *gain += held * per_value * (shocked - values.mark);
            }
            net += held * values.delta;
            gross += lot * (lots(instrument.long) + lots(instrument.short)) * values.delta.abs();
            *buckets.entry(instrument.kind.expiry()).or_insert(0.0) += held * values.delta;
            if instrument.kind == Kind::Perpetual {
                let funding = to_f64(market.perpetual.as_ref().unwrap().funding) * to_f64(rule.funding_intervals);
                let payer = if funding > 0.0 {
                    instrument.long
                } else {
                    instrument.short
                };
                add_ons += index * values.delta * funding.abs() * lot * lots(payer);
            }
        }
        for (gain, row) in gains.iter_mut().zip(rows) {
            if rule.profit == Profit::Usd {
                *gain += to_f64(row.price_move) * moving.get(name.as_str()).copied().unwrap_or(0.0);
            }
            *gain *= to_f64(row.weight);
        }
        profits.insert(name, gains);
        let provision = rule
            .delta_provision
            .map_or(0.0, |p| to_f64(p.net) * net.abs() + to_f64(p.gross) * gross);
        floors.insert(name, index * provision);
        if let Some(roll) = rule.roll {
            let (annual, least) = (to_f64(roll.annual_move), to_f64(roll.least));
            for (expiry, delta) in buckets {
                let rate = expiry.map_or(least, |expiry| {
                    roll_rate(annual, least, years(snapshot.instant, expiry))
                });
                add_ons += index * rate * delta.abs();
            }
        }
    }
    let single = |name: &str| -> f64 {
        let worst = profits[name]
            .iter()
            .fold(0.0, |worst: f64, gain| if -gain > worst { -gain } else { worst });
        if worst > floors[name] { worst } else { floors[name] }
    };
    let requirement: f64 = match parameters.groups.first() {
        None => parameters.underlyings.keys().map(|name| single(name)).sum(),
        Some(group) => {
            let (factor, cap) = (to_f64(group.gain_factor), group.gain_cap.map_or(f64::INFINITY, to_f64));
            let counted = |gain: f64| {
                if gain < 0.0 {
                    gain
                } else if factor * gain < cap {
                    factor * gain
                } else {
                    cap
                }
            };
            let rows = profits.values().map(Vec::len).next().unwrap();
            let loss = |row: usize| -profits.values().map(|gains| counted(gains[row])).sum::<f64>();
            (0..rows)
                .map(loss)
                .fold(0.0, |worst, loss| if loss > worst { loss } else { worst })
        }
    };
    (value, requirement + add_ons)
}

/// Signed lots of the instruments of the fixture that count in every model, with entry prices, and coins.
fn book() -> impl Strategy<Value = (Vec<i64>, Vec<i64>)> {
    (
        proptest::collection::vec(-400_i64..400, 9),
        proptest::collection::vec(-300_i64..300, 4),
    )
}

fn fill<'u>(universe: &'u Universe, contracts: &[i64], coins: &[i64]) -> Book<'u> {
    let names = [
        ("BTC-28AUG26-70000-C", 1, None),
        ("BTC-28AUG26-70000-P", 1, None),
        ("BTC-26MAR27-50000-P", 1, None),
        ("ETH-28AUG26-2000-C", 1, None),
        ("ETH-28AUG26-2000-P", 1, None),
        ("BTC-PERPETUAL", 500, Some("63500")),
        ("BTC-28AUG26", 500, Some("64800")),
        ("BTC-26MAR27", 500, Some("65000")),
        ("ETH-PERPETUAL", 500, Some("1750")),
    ];
    let mut book = Book::empty(universe);
    for ((name, factor, entry), contracts) in names.into_iter().zip(contracts) {
        book = book.hold(name, &(contracts * factor).to_string(), entry);
    }
    let assets = [("alpha", "BTC"), ("beta", "BTC"), ("alpha", "ETH"), ("beta", "ETH")];
    for ((venue, asset), coins) in assets.into_iter().zip(coins) {
        book = book.coins(venue, asset, &coins.to_string());
    }
    book
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_witness_exists_exactly_where_floats_say_there_is_margin((contracts, coins) in book(), which in 0_usize..2) {
        let (universe, snapshot) = (fixture::universe(), fixture::snapshot());
        let parameters = plain(GRIDS[which]);
        let program = compile(&parameters, &Terms::at(Level::Initial));
        let (value, requirement) = evaluate(&parameters, &universe, &snapshot, &fill(&universe, &contracts, &coins).q);
        let needed = requirement - value;
        for (change, is_met) in [(0.05, true), (-0.05, false)] {
            let money = format!("{:.4}", needed + change);
            let book = fill(&universe, &contracts, &coins).coins("beta", "USDC", &money);
            prop_assert!(program.rounding_bound(&book.q) < 100_000_000, "a cent of rounding at most");
            prop_assert_eq!(missing(&program, &book.q) == 0.0, is_met, "{} of {} USD needed", money, needed);
        }
    }
}
