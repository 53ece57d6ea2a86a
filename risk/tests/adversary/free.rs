//! What moves without a margin, by preset.

use std::collections::BTreeSet;

use num_traits::Zero;
use zkmargin_risk::model::{Model, PRESETS};
use zkmargin_risk::oracle;
use zkmargin_risk::terms::Level;
use zkmargin_risk::universe::{Kind, Line};

use crate::world::{Random, World};
use crate::{LEVELS, attached, history};

/// What a leg is: of an instrument its kind, style and side, of an asset its name and place.
fn word(line: &Line, place: usize) -> String {
    match line {
        Line::Instrument(one) => {
            let kind = match one.kind {
                Kind::Option { .. } => "option",
                Kind::Future { .. } => "future",
                Kind::Perpetual => "perpetual",
                Kind::Sensitivity(_) => "sensitivity",
            };
            format!(
                "{} {kind} {}",
                format!("{:?}", one.style).to_lowercase(),
                ["long", "short"][place]
            )
        }
        Line::Asset(one) => format!(
            "{} {}",
            one.name,
            ["balance", "debt", "carry credit", "carry debit", "reserve"][place]
        ),
    }
}

/// The legs that are worth something, or are instruments, and need nothing by themselves: they move, and nothing is asked for that.
fn free(model: &Model, world: &World, level: Level) -> BTreeSet<String> {
    let mut free = BTreeSet::new();
    for line in world.universe.venues().iter().flat_map(|venue| &venue.lines) {
        for (place, leg) in line.legs().into_iter().enumerate() {
            let mut book = vec![0; world.universe.layout().slots()];
            book[leg.index()] = 100_000;
            if let Ok(found) = oracle::evaluate(model, &world.universe, &world.snapshot, &book)
                && found.requirement(level).is_zero()
                && !found.value.is_zero()
            {
                free.insert(word(line, place));
            }
        }
    }
    free
}

/// The table of `docs/models.md`: what a coin may be held as without a margin, `b`alance, `d`ebt, `r`eserve, carry credit and debit
/// (`c`, `k`), by preset.
const FREE_COINS: [(&str, &str); 17] = [
    ("paradex-pm", ""),
    ("deribit-pm", "bdrck"),
    ("deribit-standard", "bdrck"),
    ("derive-pm2", ""),
    ("derive-pmrm1", ""),
    ("derive-standard", "bdrck"),
    ("okx-pm", "b"),
    ("bybit-pm", "b"),
    ("binance-pm", "brck"),
    ("binance-usdm", "bdrck"),
    ("hyperliquid", "bdrck"),
    ("dydx", "bdrck"),
    ("span", ""),
    ("tims", ""),
    ("hs-var", ""),
    ("hs-es", ""),
    ("delta-gamma-vega", ""),
];

#[test]
fn what_moves_without_a_margin_is_what_the_documentation_says() {
    let history = std::sync::Arc::new(history());
    let world = World::new(&mut Random(4));
    for (name, legs) in FREE_COINS {
        let model = attached(Model::preset(name).unwrap(), &history).unwrap();
        let places = [
            ('b', "balance"),
            ('d', "debt"),
            ('r', "reserve"),
            ('c', "carry credit"),
            ('k', "carry debit"),
        ];
        let coins = ["BTC", "ETH"].into_iter();
        let said = coins.flat_map(|coin| places.map(|(letter, place)| (letter, format!("{coin} {place}"))));
        let said: BTreeSet<String> = said
            .filter(|(letter, _)| legs.contains(*letter))
            .map(|(_, leg)| leg)
            .collect();
        for level in LEVELS {
            let found = free(&model, &world, level);
            let found: BTreeSet<String> = found
                .into_iter()
                .filter(|leg| leg.starts_with("BTC") || leg.starts_with("ETH"))
                .collect();
            // At the first price of the dollar alone a haircut of a balance may be a charge too.
            let missing: Vec<_> = said
                .iter()
                .filter(|leg| !found.contains(*leg) && !leg.ends_with("balance"))
                .collect();
            assert!(
                missing.is_empty() && found.is_subset(&said),
                "{name}, {level:?}: {found:?}"
            );
        }
    }
    // No option that is worth something is without a margin, whoever margins options.
    let seen = PRESETS
        .iter()
        .map(|(name, text)| (name, attached(Model::from_json(text).unwrap(), &history).unwrap()));
    for (name, model) in seen {
        let free = free(&model, &world, Level::Maintenance);
        assert!(!free.iter().any(|leg| leg.contains("option")), "{name}: {free:?}");
    }
}
