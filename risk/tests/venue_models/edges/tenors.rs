//! Where a rule changes with the time to expiry, one millisecond before and after.

use zkmargin_risk::instant::{DAY_MS, Instant};
use zkmargin_risk::scenario::{VolatilityMove, VolatilityShock, days};

use super::*;

/// How many days it is from one instant to one so many milliseconds later, as models count it.
fn days_of(millis: u64) -> f64 {
    let now: Instant = "2025-02-05T00:00:00Z".parse().unwrap();
    days(now, now.checked_add(millis).unwrap())
}

fn shock(name: &str, underlying: &str) -> VolatilityShock {
    serde_json::from_value(part(name, &format!("/underlyings/{underlying}/volatility"))).unwrap()
}

/// `(30 / days)^0.3` up to 30 days and `^0.13` beyond, shorter tenors as one day: 30^0.3 is 2.774191114672181. A millisecond of 30 days is 3.858e-10 of it, of a day 1.157e-8.
#[test]
fn a_volatility_shock_turns_at_thirty_days_and_stands_still_below_one() {
    let (of_month, of_day, at_day) = (1.0 / 2_592_000_000.0, 1.0 / 86_400_000.0, 2.774_191_114_672_181);
    let scales = [
        (30 * DAY_MS - 1, 1.0 + 0.3 * of_month),
        (30 * DAY_MS, 1.0),
        (30 * DAY_MS + 1, 1.0 - 0.13 * of_month),
        (DAY_MS - 1, at_day),
        (DAY_MS, at_day),
        (DAY_MS + 1, at_day * (1.0 - 0.3 * of_day)),
    ];
    for (name, underlying, up, down) in [
        ("paradex-pm", "BTC", 0.4, 0.22),
        ("paradex-pm", "ETH", 0.4, 0.22),
        ("deribit-pm", "BTC", 0.5, 0.25),
        ("deribit-pm", "ETH", 0.4, 0.25),
        ("derive-pm2", "BTC", 0.5, 0.275),
        ("derive-pm2", "ETH", 0.5, 0.275),
        ("derive-pmrm1", "BTC", 0.5, 0.275),
        ("derive-pmrm1", "ETH", 0.5, 0.275),
        ("span", "BTC", 0.3, 0.3),
        ("span", "ETH", 0.3, 0.3),
    ] {
        for (millis, scale) in scales {
            let at = shock(name, underlying).at(days_of(millis));
            for (direction, want) in [
                (VolatilityMove::Up, 1.0 + up * scale),
                (VolatilityMove::Down, 1.0 - down * scale),
            ] {
                let found = at.shocked(1.0, direction);
                assert!(
                    (found - want).abs() < 1e-15,
                    "{name}, {underlying}, {millis} ms: {found}, not {want}"
                );
            }
        }
    }
}

/// At 30 days a third of a raised half, 0.5 / 1.4 where it is raised by 0.4, 0.4 / 1.5.
#[test]
fn a_raised_volatility_is_at_least_its_floor() {
    for (name, underlying, floor, below, above, raised) in [
        ("deribit-pm", "BTC", 0.5, 0.333_333_333, 0.333_333_334, 0.500_000_001),
        ("deribit-pm", "ETH", 0.5, 0.357_142_857, 0.357_142_858, 0.500_000_001_2),
        ("derive-pm2", "BTC", 0.4, 0.266_666_666, 0.266_666_667, 0.400_000_000_5),
        ("derive-pm2", "ETH", 0.4, 0.266_666_666, 0.266_666_667, 0.400_000_000_5),
    ] {
        let at = shock(name, underlying).at(30.0);
        assert_eq!(at.shocked(below, VolatilityMove::Up), floor, "{name}, {underlying}");
        let found = at.shocked(above, VolatilityMove::Up);
        assert!((found - raised).abs() < 1e-15, "{name}, {underlying}: {found}");
    }
}

/// A dated future of a billion dollars, so many milliseconds to go.
fn future(model: Value, millis: u64) -> Value {
    let instant: Instant = "2025-02-05T00:00:00Z".parse().unwrap();
    let expiry = instant.checked_add(millis).unwrap().to_string();
    let market = json!({"index": PRICE, "rate": "0", "futures": {&expiry: {"price": PRICE}}});
    let line = linear("P", json!({"future": {"expiry": expiry}}), DOLLAR);
    case(model, market, vec![line], json!([opened(1_000_000_000)]), "0")
}

/// `max(exp(move T) - 1, least)`, with the milliseconds below `ln(1 + least) / move` of a year of 365 days; a millisecond later it is above the least by a trillionth or two.
#[test]
fn a_roll_charge_is_its_least_up_to_a_tenor_and_grows_from_the_next_millisecond_on() {
    for (name, underlying, term, least, millis, beyond) in [
        ("deribit-pm", "BTC", "roll charge", "0.01", 4_183_915_117, 2.065_457e-12),
        (
            "deribit-pm",
            "ETH",
            "roll charge",
            "0.005",
            3_145_742_181,
            2.508_604e-13,
        ),
        ("okx-pm", "BTC", "MR4", "0.002", 1_260_180_239, 9.513_696e-13),
        ("okx-pm", "ETH", "MR4", "0.002", 1_260_180_239, 9.513_696e-13),
    ] {
        let mut rules = part(name, &format!("/underlyings/{underlying}"));
        let mut changes = vec![("groups", Value::Null)];
        if name == "okx-pm" {
            rules["minimum"] = Value::Null;
            changes = vec![
                ("depeg", Value::Null),
                ("borrow", json!({"USD": {"initial": "0.1", "maintenance": "0.02"}})),
            ];
        } else {
            rules["profit"] = json!("usd");
            rules["delta_shock"] = Value::Null;
        }
        changes.push(("underlyings", json!({"X": rules})));
        let model = of_x(name, &changes);
        // Where the level's factor is 1.
        let level = usize::from(name == "okx-pm");
        let [at, after] = [millis, millis + 1].map(|millis| {
            let charge = &of_term(&evaluate(&future(model.clone(), millis)), term)[level];
            (charge / whole(1_000_000_000)).to_f64().unwrap()
        });
        let least: f64 = least.parse().unwrap();
        assert!((at - least).abs() < 1e-17, "{name}, {underlying}: {at}");
        assert!(
            (after - least - beyond).abs() < 1e-17,
            "{name}, {underlying}: {:e}",
            after - least
        );
    }
}

/// Two futures of a million dollars on opposite sides, so many milliseconds to go.
fn spread(model: Value, millis: [u64; 2]) -> Value {
    let instant: Instant = "2025-02-05T00:00:00Z".parse().unwrap();
    let (mut futures, mut lines, mut positions) = (json!({}), Vec::new(), Vec::new());
    for (millis, contracts) in millis.into_iter().zip(["1000000", "-1000000"]) {
        let expiry = instant.checked_add(millis).unwrap().to_string();
        futures[&expiry] = json!({"price": PRICE});
        lines.push(linear(contracts, json!({"future": {"expiry": expiry}}), DOLLAR));
        positions.push(json!({"instrument": contracts, "contracts": contracts, "entry": PRICE}));
    }
    let market = json!({"index": PRICE, "rate": "0", "futures": futures});
    case(model, market, lines, json!(positions), "0")
}

/// SPAN's tiers of the preset reach to 30 and 90 days, its charge near delivery to one: a month that ends there is in them. What is spread between two tiers is
/// charged at their rate, within one at its own.
#[test]
fn a_month_at_the_end_of_a_tier_is_in_it_and_a_millisecond_later_in_the_next() {
    for (underlying, [first, second, last], between, delivery) in [
        ("BTC", ["0.004", "0.008", "0.012"], "0.015", "0.005"),
        ("ETH", ["0.005", "0.01", "0.015"], "0.02", "0.005"),
    ] {
        let rules = part("span", &format!("/underlyings/{underlying}"));
        let model = of_x(
            "span",
            &[("underlyings", json!({"X": rules})), ("spreads", Value::Null)],
        );
        let near = exact(first) + exact(delivery);
        for (days, other, rates) in [
            (30, 35, [between, between, second].map(exact)),
            (90, 95, [between, between, last].map(exact)),
            (1, 5, [near.clone(), near, exact(first)]),
        ] {
            for (millis, rate) in [days * DAY_MS - 1, days * DAY_MS, days * DAY_MS + 1]
                .into_iter()
                .zip(rates)
            {
                let charge = rate * whole(1_000_000);
                let file = spread(model.clone(), [millis, other * DAY_MS]);
                requires(&file, &(&charge * exact("1.1")), &charge);
            }
        }
    }
}
