//! Files with numbers at their edges, and lists of one.

use serde_json::{Value, json};
use zkmargin_risk::model::{Model, PRESETS};

use crate::world::Random;

/// What a number may be made: the edges of most bounds.
const EDGES: &[&str] = &[
    "0",
    "1",
    "100",
    "0.000001",
    "0.5",
    "0.99",
    "1.01",
    "2",
    "10",
    "1000000000000",
    "0.1",
    "-0.5",
    "3650",
    "0.001",
    "4",
];

/// The file with some of its numbers at an edge, and some of its lists cut.
pub(crate) fn file(random: &mut Random, text: &str) -> String {
    let mut file: Value = serde_json::from_str(text).unwrap();
    // A file with one bad number in it is refused: few at a time.
    for _ in 0..1 + random.below(12) {
        let mut tried = file.clone();
        let places = count(&tried);
        let at = random.index(places);
        change(random, &mut tried, &mut { at });
        if Model::from_json(&tried.to_string()).is_ok() {
            file = tried;
        }
    }
    file.to_string()
}

/// A demand with everything that one can have, of one to three models that count in USD.
pub(crate) fn demand(random: &mut Random) -> String {
    let in_usd: Vec<&(&str, &str)> = PRESETS
        .iter()
        .filter(|(name, text)| {
            text.contains("\"numeraire\": \"USD\"") && !name.starts_with("simm") && !name.starts_with("hs-")
        })
        .collect();
    let models: Vec<Value> = (0..1 + random.below(3))
        .map(|_| {
            let (name, text) = random.pick(&in_usd);
            match random.chance(2) {
                true => json!(name),
                false => serde_json::from_str(&file(random, text)).unwrap(),
            }
        })
        .collect();
    let edge = |random: &mut Random| (*random.pick(&["0", "0.25", "0.5", "1"])).to_owned();
    let money = |random: &mut Random| random.magnitude(34).to_string();
    let mut demand = json!({"model": "demand", "name": "random", "description": "", "models": models});
    match random.below(3) {
        0 => demand["netting"] = json!("alone"),
        1 => {
            let pairs = [["alpha", "beta"], ["gamma", "beta"]];
            let offsets: Vec<Value> = pairs
                .iter()
                .map(|pair| json!({"between": pair, "fraction": random.pick(&["0", "0.3", "0.5"])}))
                .collect();
            demand["netting"] = json!({"partial": offsets});
        }
        _ => {}
    }
    if random.chance(2) {
        demand["counterparties"] = json!({"haircuts": {"beta": {"BTC": edge(random), "USDC": edge(random)}},
            "most": {"alpha": money(random), "gamma": "0"}, "without_any_one": random.chance(2)});
    }
    if random.chance(2) {
        let on = |random: &mut Random| json!({"underlying": random.pick(&["BTC", "ETH"]), "most": random.magnitude(30).to_string()});
        demand["limits"] = json!([{"net_delta": on(random)}, {"gamma": on(random)}, {"vega": on(random)}, {"gross_notional": {"most": money(random)}},
            {"leverage": {"most": random.pick(&["0", "0.5", "3", "100"])}}]);
    }
    if random.chance(2) {
        demand["add_ons"] = json!({
            "concentration": {"measure": random.pick(&["open-interest", "volume"]), "least_depth": money(random), "days": ["7", "90"], "moneyness": ["0.8", "1.2"],
                "tiers": [{"above": edge(random), "rate": "0.01"}, {"above": "1.5", "rate": "0.5"}], "assets": {"BTC": money(random), "USDC": "0"}},
            "closing": {"factor": edge(random), "volatility": edge(random), "least": edge(random), "future": edge(random)},
            "rebalancing": {"BTC": {"move": edge(random).replace('1', "0.9"), "rate": edge(random)}},
            "contagion": {"ETH": {"move": "0.3", "depth": money(random), "most": "0.4"}},
        });
    }
    demand.to_string()
}

fn count(value: &Value) -> usize {
    1 + match value {
        Value::Object(map) => map.values().map(count).sum(),
        Value::Array(list) => list.iter().map(count).sum(),
        _ => 0,
    }
}

/// Changes the value of this place in the file.
fn change(random: &mut Random, value: &mut Value, at: &mut usize) {
    if *at == 0 {
        *at = usize::MAX;
        match value {
            Value::String(text) if text.parse::<f64>().is_ok() => *text = (*random.pick(EDGES)).to_owned(),
            Value::Bool(flag) => *flag = !*flag,
            Value::Number(_) => *value = Value::from(random.below(20)),
            Value::Array(list) if list.len() > 1 => list.truncate(1 + random.index(list.len() - 1)),
            Value::Object(map) if map.len() > 1 => {
                let key = map.keys().nth(random.index(map.len())).unwrap().clone();
                map.remove(&key);
            }
            _ => {}
        }
        return;
    }
    *at -= 1;
    let children: Vec<&mut Value> = match value {
        Value::Object(map) => map.values_mut().collect(),
        Value::Array(list) => list.iter_mut().collect(),
        _ => return,
    };
    for child in children {
        change(random, child, at);
        if *at == usize::MAX {
            return;
        }
    }
}
