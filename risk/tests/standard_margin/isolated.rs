//! Isolated positions under `linear`: each by itself, in program and oracle.

use std::collections::BTreeMap;

use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::Signed;
use serde_json::{Value, json};
use zkmargin_program::{Equation, LegId, Program, WitnessError};
use zkmargin_risk::listing::LineFile;
use zkmargin_risk::market::Snapshot;
use zkmargin_risk::model::{Model, PRESETS};
use zkmargin_risk::oracle::{self, Check, OracleError, Uncounted};
use zkmargin_risk::terms::{Level, Margin, Order, Ratio20, Terms};
use zkmargin_risk::universe::{Asset, Instrument, Line, Universe};

use crate::linear::model;
use crate::world::{Bench, Random, cases, snapshot, universe};

const LEVELS: [Level; 2] = [Level::Initial, Level::Maintenance];
/// Isolated positions of each venue: name, underlying, style, contract.
const ISOLATED: [(&str, &str, &str, &str); 4] = [
    ("BTC-linear-PERP", "BTC", "linear", "0.1"),
    ("ETH-inverse-PERP", "ETH", "inverse", "10"),
    ("ETH-linear-PERP", "ETH", "linear", "0.1"),
    (OPTION, "BTC", "linear", "1"),
];
const OPTION: &str = "BTC-linear-call";
const POSITION: &str = "BTC-linear-PERP-ISOLATED";
const OF_POSITION: &str = "margin isolated in BTC-linear-PERP-ISOLATED at alpha";

fn extended(universe: &Universe, venue: &str, lines: Value) -> Universe {
    let lines: Vec<LineFile> = serde_json::from_value(lines).unwrap();
    universe.extend(venue, &lines).unwrap()
}

/// The usual universe, and at each venue perpetuals and an option that are held isolated.
fn with_isolated() -> Universe {
    let mut universe = universe();
    for venue in ["alpha", "beta"] {
        for (name, underlying, style, contract) in ISOLATED {
            let settlement = if style == "linear" { "USDC" } else { underlying };
            let option = json!({"option": {"expiry": "2026-08-28T08:00:00Z", "strike": "64000", "right": "call"}});
            let kind = if name == OPTION { option } else { json!("perpetual") };
            let name = format!("{name}-ISOLATED");
            let lines = json!([
                {"asset": {"name": settlement, "isolated": name, "lot": "0.00000001", "carry": true, "reserve": true}},
                {"instrument": {"name": name, "underlying": underlying, "kind": kind, "style": style, "settlement": settlement,
                    "contract": contract, "lot": "1"}},
            ]);
            universe = extended(&universe, venue, lines);
        }
    }
    universe
}

fn linear(random: &mut Random) -> String {
    model(random).replace(r#""model":"deribit-standard""#, r#""model":"linear""#)
}

/// A model of plain figures: 10 % of the notional at both levels, money whole.
const PLAIN: &str = r#"{"model":"linear","name":"plain","description":"","numeraire":"USD","assets":{"USDC":{"haircut":"0"}},
"underlyings":{"BTC":{"perpetual":{"tiers":[{"from":"0","initial":"0.1","maintenance":"0.1"}]}},
"ETH":{"perpetual":{"tiers":[{"from":"0","initial":"0.1","maintenance":"0.1"}]}}}}"#;

/// A universe, and a book on it.
struct Desk {
    bench: Bench,
}

impl Desk {
    fn new(model: &str) -> Desk {
        let mut market = snapshot(&mut Random(5));
        for name in ["BTC", "ETH"] {
            let market = market.underlyings.get_mut(name).unwrap();
            let price = if name == "BTC" { "60000" } else { "2000" };
            market.index = price.parse().unwrap();
            market.perpetual.as_mut().unwrap().price = market.index;
            market.perpetual.as_mut().unwrap().funding = "0".parse().unwrap();
        }
        market.assets.insert("USDC".to_owned(), "1".parse().unwrap());
        Desk {
            bench: Bench::new(model, with_isolated(), market),
        }
    }

    fn instrument(&self, name: &str) -> &Instrument {
        self.bench.universe.lookup("alpha", name).unwrap()
    }

    fn usdc(&self, isolated: Option<&str>) -> &Asset {
        let (_, venue) = self.bench.universe.venue("alpha").unwrap();
        venue.asset("USDC", isolated).unwrap()
    }

    /// One position of BTC, carried at 60,000 USD, in contracts of 6,000 USD; and USDC in cross margin and in the isolated position.
    fn book(&self, name: &str, contracts: i64, cross: i64, isolated: i64) -> Vec<u64> {
        let mut book = vec![0; self.bench.universe.layout().slots()];
        let usdc = |coins: i64| u64::try_from(coins).unwrap() * 100_000_000;
        let instrument = self.instrument(name);
        let (_, venue) = self.bench.universe.venue("alpha").unwrap();
        let carry = venue.settlement_of(instrument).unwrap().carry.unwrap();
        let (leg, carry) = match contracts < 0 {
            true => (instrument.short, carry.first),
            false => (instrument.long, carry.second),
        };
        book[leg.index()] = contracts.unsigned_abs();
        book[carry.index()] = usdc(6_000 * contracts.abs());
        book[self.usdc(None).balance.index()] = usdc(cross);
        book[self.usdc(Some(POSITION)).balance.index()] = usdc(isolated);
        book
    }

    /// What one account is long and another short, ten contracts each, with so much USDC in each position.
    fn two_accounts(&self, isolated: i64) -> Vec<u64> {
        let [long, short] = [10, -10].map(|contracts| self.book(POSITION, contracts, 0, isolated));
        long.iter().zip(&short).map(|(a, b)| a + b).collect()
    }

    fn program(&self) -> &Program {
        &self.bench.programs[0].1
    }

    fn missed(&self, book: &[u64]) -> Option<String> {
        let met = self.bench.evaluate(book).is_met(Level::Initial, Ratio20::ONE, 0);
        match self.program().witness(book) {
            Ok(witness) => {
                self.program().check(book, witness.values()).unwrap();
                assert!(met);
                None
            }
            Err(WitnessError::NotMet { name }) => {
                assert!(!met);
                Some(name)
            }
            Err(other) => panic!("{other}"),
        }
    }
}

#[test]
fn an_isolated_position_needs_its_own_balance_and_cross_margin_its_own() {
    let desk = Desk::new(PLAIN);
    // Ten contracts are 60,000 USD, and need 6,000.
    for (name, cross, isolated, missed) in [
        (POSITION, 0, 6_001, None),
        (POSITION, 0, 5_999, Some(OF_POSITION)),
        (POSITION, 1_000_000, 5_999, Some(OF_POSITION)),
        ("BTC-linear-PERP", 6_001, 0, None),
        ("BTC-linear-PERP", 5_999, 0, Some("margin")),
        ("BTC-linear-PERP", 5_999, 1_000_000, Some("margin")),
    ] {
        for contracts in [10, -10] {
            let book = desk.book(name, contracts, cross, isolated);
            assert_eq!(desk.missed(&book).as_deref(), missed, "{name} {cross} {isolated}");
        }
    }
}

#[test]
fn what_cross_margin_owes_no_isolated_balance_pays_and_the_reverse() {
    let desk = Desk::new(PLAIN);
    for (debt, missed) in [(None, "margin"), (Some(POSITION), OF_POSITION)] {
        let mut book = desk.book("BTC-linear-PERP", 0, 0, 0);
        let rich = desk.usdc(if debt.is_some() { None } else { Some(POSITION) });
        book[rich.balance.index()] = 1 << 40;
        book[desk.usdc(debt).debt.index()] = 100_000_000;
        assert_eq!(desk.missed(&book).as_deref(), Some(missed));
    }
}

/// Legs of each pool: cross margin is -1, isolated positions are numbered.
fn pools(universe: &Universe) -> BTreeMap<LegId, i64> {
    let mut pools = BTreeMap::new();
    for (number, venue) in universe.venues().iter().enumerate() {
        for line in &venue.lines {
            let isolated = match line {
                Line::Instrument(instrument) => Some(instrument.name.as_str()),
                Line::Asset(asset) => asset.isolated.as_deref(),
            };
            let place = isolated.and_then(|name| venue.isolated().into_keys().position(|known| known == name));
            let pool = place.map_or(-1, |place| i64::try_from(100 * number + place).unwrap());
            pools.extend(line.legs().into_iter().map(|leg| (leg, pool)));
        }
    }
    pools
}

/// Follows variables from equation to equation: what no chain of equations connects, no choice of hidden variables carries from one to
/// the other.
fn connected(program: &Program, pools: &BTreeMap<LegId, i64>) -> Vec<(String, Vec<i64>)> {
    let mut group: Vec<usize> = (0..program.variables().len()).collect();
    let variables = |equation: &Equation| {
        let linear = equation.variables.iter().map(|(variable, _)| variable.index());
        let squares = equation.squares.iter().map(|(variable, _)| variable.index());
        linear.chain(squares).collect::<Vec<_>>()
    };
    fn root(group: &[usize], mut at: usize) -> usize {
        while group[at] != at {
            at = group[at];
        }
        at
    }
    for equation in program.equations() {
        let all = variables(equation);
        for pair in all.windows(2) {
            let (a, b) = (root(&group, pair[0]), root(&group, pair[1]));
            group[a] = b;
        }
    }
    let mut found: BTreeMap<usize, Vec<i64>> = BTreeMap::new();
    for equation in program.equations() {
        // That legs are empty says nothing of any other.
        if let Some(first) = variables(equation).first() {
            let legs = equation.legs.iter().map(|(leg, _)| pools[leg]);
            found.entry(root(&group, *first)).or_default().extend(legs);
        }
    }
    let named = found.into_iter().map(|(at, mut pools)| {
        pools.sort_unstable();
        pools.dedup();
        (program.variables()[at].name.clone(), pools)
    });
    named.collect()
}

#[test]
fn no_equation_carries_anything_between_pools() {
    let universe = with_isolated();
    let pools = pools(&universe);
    for seed in 0..cases() {
        let mut random = Random(seed);
        let market = snapshot(&mut random);
        let model = Model::from_json(&linear(&mut random)).unwrap();
        let mut later = market.clone();
        later.instant = "2026-08-07T12:00:00Z".parse().unwrap();
        let at_levels = LEVELS.map(|level| model.compile(&universe, &market, &Terms::at(level)).unwrap());
        let variation = model.compile_on(&universe, &[&market, &later], &Terms::at(Margin::Variation));
        for program in at_levels.into_iter().chain([variation.unwrap()]) {
            let groups = connected(&program, &pools);
            assert!(
                groups.iter().any(|(_, pools)| *pools == [-1]) && groups.iter().any(|(_, pools)| *pools == [1]),
                "{groups:?}"
            );
            for (name, pools) in groups {
                assert!(pools.len() <= 1, "seed {seed}: {name} is of {pools:?}");
            }
        }
    }
}

/// A forger with the variables of a sound book: those of a book whose money is in the right place do not carry one whose money is not.
#[test]
fn the_hidden_variables_of_a_book_with_the_money_in_the_right_place_do_not_serve_another() {
    let desk = Desk::new(PLAIN);
    let program = desk.program();
    for name in [POSITION, "BTC-linear-PERP"] {
        let right = |rich: i64, poor: i64| match name == POSITION {
            true => desk.book(name, 10, poor, rich),
            false => desk.book(name, 10, rich, poor),
        };
        let (sound, unsound) = (right(7_000, 0), right(0, 7_000));
        let honest = program.witness(&sound).unwrap();
        assert!(program.check(&unsound, honest.values()).is_err());
        // Nor do those with any one of them at an edge.
        for place in 0..honest.values().len() {
            for value in [0, 1, 1 << 40, (1 << 79) - 1] {
                let mut forged = honest.values().to_vec();
                forged[place] = value;
                assert!(program.check(&unsound, &forged).is_err(), "variable {place} of {value}");
            }
        }
    }
}

/// `shown <= exact` for every requirement by its name, and `exact <= shown + bound` at maintenance, which has no brackets.
#[test]
fn the_program_shows_of_each_position_what_the_oracle_says() {
    let (mut compared, mut met) = (0, 0);
    for seed in 0..cases() {
        let mut random = Random(seed);
        let market = snapshot(&mut random);
        let bench = Bench::new(&linear(&mut random), with_isolated(), market);
        for _ in 0..6 {
            let book = bench.book(&mut random);
            let evaluation = bench.evaluate(&book);
            for (level, program) in &bench.programs {
                let unit = BigRational::new(
                    1.into(),
                    BigInt::from(10).pow(program.header().unit_exponent.unsigned_abs()),
                );
                let bound = BigRational::from_integer(program.rounding_bound(&book).into()) * &unit;
                let excess = evaluation.excess(*level, Ratio20::ONE, 0);
                for (name, shown) in program.surplus(&book).unwrap() {
                    let shown = BigRational::from_integer(shown.into()) * &unit;
                    let check = evaluation.checks.iter().find(|check| check.name() == name);
                    let exact = match check {
                        Some(check) => check.slack(*level, Ratio20::ONE, 0),
                        None if name == "margin" => excess.clone(),
                        // Nothing is held of it.
                        None => BigRational::from_integer(0.into()),
                    };
                    assert!(shown <= exact, "seed {seed}: {name} at {level}: {shown} of {exact}");
                    if *level == Level::Maintenance {
                        assert!(exact <= &shown + &bound, "seed {seed}: {name}: {shown} of {exact}");
                    }
                    compared += usize::from(check.is_some());
                }
                let verdict = program.witness(&book).is_ok();
                assert!(!verdict || evaluation.is_met(*level, Ratio20::ONE, 0), "seed {seed}");
                met += usize::from(verdict);
            }
        }
    }
    assert!(compared > 100 && met > 0, "{compared} positions, {met} books met");
}

#[test]
fn the_ratio_is_of_each_position_and_the_least_excess_of_cross_margin_alone() {
    let desk = Desk::new(PLAIN);
    let Bench {
        model,
        universe,
        snapshot,
        ..
    } = &desk.bench;
    let terms = Terms {
        ratio: Ratio20::new(30).unwrap(),
        excess: 500,
        ..Terms::at(Level::Initial)
    };
    let program = model.compile(universe, snapshot, &terms).unwrap();
    for (cross, isolated, missed) in [
        (500, 9_001, None),
        (499, 9_001, Some("margin")),
        (500, 8_999, Some(OF_POSITION)),
    ] {
        let book = desk.book(POSITION, 10, cross, isolated);
        let found = program.shortfall(&book).unwrap().map(|(name, _)| name);
        assert_eq!(found.as_deref(), missed);
        let evaluation = desk.bench.evaluate(&book);
        assert_eq!(
            evaluation.is_met(Level::Initial, terms.ratio, terms.excess),
            missed.is_none()
        );
    }
}

/// The attested vectors of two accounts add up: what one is long the other is short, each with a balance that is too small.
#[test]
fn isolated_positions_of_two_accounts_do_not_net() {
    let desk = Desk::new(PLAIN);
    let both = desk.two_accounts(3_000);
    // In cross margin the two would be nothing.
    assert_eq!(desk.missed(&both).as_deref(), Some(OF_POSITION));
    let Some(Check::Isolated { evaluation, .. }) = desk.bench.evaluate(&both).checks.pop() else {
        panic!("a position is held")
    };
    let usd = |usd: i64| BigRational::from_integer(usd.into());
    assert_eq!((evaluation.value, evaluation.initial), (usd(6_000), usd(12_000)));
    let pair = desk.instrument(POSITION).pair();
    let mut narrow = desk.book(POSITION, 10, 0, 6_001);
    assert_eq!(desk.missed(&narrow), None);
    for leg in [pair.first, pair.second] {
        narrow[leg.index()] += 1;
    }
    assert_eq!(desk.missed(&narrow).as_deref(), Some(OF_POSITION));
}

/// The book after an order, by the oracle, of which it and the program say whether the margin is met.
fn after_order(desk: &Desk, order: &str, book: &[u64], met: bool) -> Vec<u64> {
    let Bench {
        model,
        universe,
        snapshot,
        ..
    } = &desk.bench;
    let terms = Terms {
        order: Some(Order::parse(order, universe).unwrap()),
        ..Terms::at(Level::Initial)
    };
    let after = oracle::with_public_amounts(universe, &terms, book).unwrap();
    assert_eq!(desk.bench.evaluate(&after).is_met(Level::Initial, Ratio20::ONE, 0), met);
    let mut gross = book.to_vec();
    for (leg, lots) in terms.public_amounts(universe).unwrap() {
        gross[leg.index()] += lots;
    }
    let program = model.compile(universe, snapshot, &terms).unwrap();
    assert_eq!(program.witness(&gross).is_ok(), met, "{order}");
    after
}

#[test]
fn an_order_in_an_isolated_instrument_is_paid_for_by_its_position() {
    let desk = Desk::new(PLAIN);
    let order = format!("sell 4 alpha:{POSITION} @ 60000 fee 100");
    // Six contracts are left, which need 3,600 USD; the fee is 400.
    for (cross, isolated, met) in [(0, 4_001, true), (0, 3_999, false), (1_000_000, 3_999, false)] {
        after_order(&desk, &order, &desk.book(POSITION, 10, cross, isolated), met);
    }
}

/// The order's lots close what is held against them, in whichever account; everything else of two accounts stays gross.
#[test]
fn an_order_nets_no_position_of_one_account_with_that_of_another() {
    let desk = Desk::new(PLAIN);
    let pair = desk.instrument(POSITION).pair();
    for side in ["buy", "sell"] {
        let order = format!("{side} 1 alpha:{POSITION} @ 60000 fee 0");
        // Nineteen contracts are left at the least, which need 11,400 USD.
        for (isolated, met) in [(3_000, false), (5_699, false), (5_701, true)] {
            let after = after_order(&desk, &order, &desk.two_accounts(isolated), met);
            let mut open = [after[pair.first.index()], after[pair.second.index()]];
            open.sort_unstable();
            assert_eq!(open, [9, 10]);
        }
    }
}

/// Why an instrument does not count, by both.
fn not_counted(model: &Model, universe: &Universe, market: &Snapshot, book: &[u64], name: &str) -> Uncounted {
    let program = model.compile(universe, market, &Terms::at(Level::Initial)).unwrap();
    assert!(matches!(program.witness(book), Err(WitnessError::NotEmpty { .. })));
    match oracle::evaluate(model, universe, market, book) {
        Err(OracleError::NotCounted(refused)) => refused.into_iter().find(|held| held.line == name).unwrap().reason,
        other => panic!("{other:?}"),
    }
}

/// Collateral that is isolated in an instrument which settles in another asset: the carry would be cross margin's, the mark the position's.
#[test]
fn a_position_whose_carry_would_be_cross_margin_is_proven_empty() {
    let lines = json!([
        {"instrument": {"name": "ODD", "underlying": "BTC", "kind": "perpetual", "style": "linear", "settlement": "USDC",
            "contract": "0.1", "lot": "1"}},
        {"asset": {"name": "BTC", "isolated": "ODD", "lot": "0.00000001", "carry": true, "reserve": true}},
    ]);
    let universe = extended(&universe(), "alpha", lines);
    let (model, market) = (Model::preset("hyperliquid").unwrap(), snapshot(&mut Random(5)));
    for of in [|one: &Instrument| one.long, |one: &Instrument| one.short] {
        let mut book = vec![0; universe.layout().slots()];
        book[of(universe.lookup("alpha", "ODD").unwrap()).index()] = 1;
        let reason = not_counted(&model, &universe, &market, &book, "ODD");
        assert!(matches!(reason, Uncounted::Settlement { .. }), "{reason}");
    }
}

#[test]
fn a_side_without_a_margin_must_not_be_held_isolated_either() {
    let desk = Desk::new(PLAIN);
    let Bench {
        model,
        universe,
        snapshot,
        ..
    } = &desk.bench;
    let option = desk.instrument("BTC-linear-call-ISOLATED");
    let mut book = vec![0; universe.layout().slots()];
    book[option.long.index()] = 7;
    assert_eq!(desk.missed(&book), None);
    book[option.short.index()] = 1;
    let reason = not_counted(model, universe, snapshot, &book, &option.name);
    assert_eq!(reason, Uncounted::NoMargin);
}

#[test]
fn every_other_kind_proves_isolated_positions_empty() {
    let (universe, market) = (with_isolated(), snapshot(&mut Random(5)));
    let of_kind = |text: &str| text.contains(r#""model": "linear""#);
    let needs_history = |model: &Model| model.history().is_some();
    let mut tried = 0;
    for (name, text) in PRESETS.into_iter().filter(|(_, text)| !of_kind(text)) {
        let model = Model::from_json(text).unwrap();
        if needs_history(&model) {
            continue;
        }
        for (venue, instrument) in universe
            .instruments()
            .filter(|(_, one)| one.name.ends_with("-ISOLATED"))
        {
            let asset = venue.settlement_of(instrument).unwrap();
            let legs = [instrument.long, instrument.short]
                .into_iter()
                .chain(asset.all_but_balance());
            let program = model.compile(&universe, &market, &Terms::at(Level::Initial)).unwrap();
            for leg in legs {
                let mut book = vec![0; universe.layout().slots()];
                book[leg.index()] = 1;
                assert!(
                    matches!(program.witness(&book), Err(WitnessError::NotEmpty { .. })),
                    "{name}"
                );
                assert!(oracle::evaluate(&model, &universe, &market, &book).is_err(), "{name}");
                tried += 1;
            }
        }
    }
    assert!(tried > 300, "{tried} legs");
}

/// A limit on delta that isolated positions would pass by.
#[test]
fn a_demand_margins_isolated_positions_only_if_it_asks_for_nothing_but_models_that_do() {
    let desk = Desk::new(PLAIN);
    let Bench { universe, snapshot, .. } = &desk.bench;
    let demand = |models: &str, more: &str| {
        let file = format!(r#"{{"model":"demand","name":"d","description":"","models":[{models}]{more}}}"#);
        Model::from_json(&file).unwrap()
    };
    let strict = PLAIN.replace(r#""0.1""#, r#""0.2""#).replace("plain", "strict");
    let both = demand(&format!("{PLAIN},{strict}"), "");
    let program = both.compile(universe, snapshot, &Terms::at(Level::Initial)).unwrap();
    for (isolated, missed) in [
        (12_001, None),
        (
            11_999,
            Some("margin isolated in BTC-linear-PERP-ISOLATED at alpha by strict"),
        ),
    ] {
        let book = desk.book(POSITION, 10, 0, isolated);
        let found = program.shortfall(&book).unwrap().map(|(name, _)| name);
        assert_eq!(found.as_deref(), missed);
        let evaluation = oracle::evaluate(&both, universe, snapshot, &book).unwrap();
        assert_eq!(evaluation.is_met(Level::Initial, Ratio20::ONE, 0), missed.is_none());
    }
    let book = desk.book(POSITION, 10, 0, 1_000_000);
    for demand in [
        demand(PLAIN, r#","limits":[{"net_delta":{"underlying":"BTC","most":"0.5"}}]"#),
        demand(PLAIN, r#","netting":"alone""#),
        demand(PLAIN, r#","counterparties":{"most":{"alpha":"10"}}"#),
        demand(PLAIN, r#","counterparties":{"without_any_one":true}"#),
        demand(&format!(r#"{PLAIN},"paradex-pm""#), ""),
    ] {
        let reason = not_counted(&demand, universe, snapshot, &book, POSITION);
        assert_eq!(reason, Uncounted::Isolated);
    }
}

/// The perpetual of BTC lost 1,000 USD.
fn a_day_later(snapshot: &Snapshot) -> Snapshot {
    let mut later = snapshot.clone();
    later.instant = "2026-08-07T12:00:00Z".parse().unwrap();
    let market = later.underlyings.get_mut("BTC").unwrap();
    market.perpetual.as_mut().unwrap().price = "59000".parse().unwrap();
    later
}

#[test]
fn a_variation_is_covered_by_the_cash_of_the_position_that_lost() {
    let desk = Desk::new(PLAIN);
    let Bench {
        model,
        universe,
        snapshot,
        ..
    } = &desk.bench;
    let snapshots = [snapshot, &a_day_later(snapshot)];
    let program = model
        .compile_on(universe, &snapshots, &Terms::at(Margin::Variation))
        .unwrap();
    // Ten contracts of 0.1 BTC lose 1,000 USD.
    for (name, cross, isolated, missed) in [
        (POSITION, 0, 1_001, None),
        (POSITION, 5_000, 999, Some(OF_POSITION)),
        ("BTC-linear-PERP", 1_001, 0, None),
        ("BTC-linear-PERP", 999, 5_000, Some("margin")),
    ] {
        let book = desk.book(name, 10, cross, isolated);
        let found = program.shortfall(&book).unwrap().map(|(name, _)| name);
        assert_eq!(found.as_deref(), missed);
        let excess = oracle::variation(model, universe, snapshots, &book)
            .unwrap()
            .excess(Ratio20::ONE, 0);
        assert_eq!(excess.is_negative(), missed.is_some());
    }
}

#[test]
fn the_least_excess_of_a_variation_is_of_cross_margin_alone() {
    let desk = Desk::new(PLAIN);
    let Bench {
        model,
        universe,
        snapshot,
        ..
    } = &desk.bench;
    let snapshots = [snapshot, &a_day_later(snapshot)];
    let terms = Terms {
        excess: 500,
        ..Terms::at(Margin::Variation)
    };
    let program = model.compile_on(universe, &snapshots, &terms).unwrap();
    for (cross, isolated, missed) in [
        (500, 1_001, None),
        (499, 1_001, Some("margin")),
        (500, 999, Some(OF_POSITION)),
    ] {
        let book = desk.book(POSITION, 10, cross, isolated);
        let found = program.shortfall(&book).unwrap().map(|(name, _)| name);
        assert_eq!(found.as_deref(), missed);
        let known = oracle::variation(model, universe, snapshots, &book).unwrap();
        assert_eq!(known.excess(Ratio20::ONE, 500).is_negative(), missed.is_some());
    }
}
