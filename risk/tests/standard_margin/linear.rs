//! `linear` and `deribit-standard`.

use num_rational::BigRational;
use num_traits::{Signed, Zero};
use zkmargin_program::WitnessError;
use zkmargin_risk::oracle::{self, OracleError};
use zkmargin_risk::terms::Level;
use zkmargin_risk::universe::Kind;

use crate::world::{Bench, Random, cases, snapshot, universe};

/// Brackets, progressive tiers in coins, open interest, a chosen leverage; debts on either side; caps and numéraires.
pub(crate) fn model(random: &mut Random) -> String {
    let brackets = r#"{"tiers":[{"from":"0","leverage":"40"},{"from":"20000","leverage":"30","maintenance":"0.02"},{"from":"150000","leverage":"12","maintenance":"0.05"},{"from":"9000000","leverage":"2"}],"fee":"0.0004"LEVERAGE}"#;
    let marginal = r#"{"size":"coin","initial_by":"marginal","tiers":[{"from":"0","initial":"0.0205","maintenance":"0.0105"},{"from":"0.5","initial":"0.03","maintenance":"0.02"},{"from":"40","initial":"0.6","maintenance":"0.0201"}]FUNDING}"#;
    let interest = r#"{"tiers":[{"from":"0","initial":"0.05","maintenance":"0.03"}],"open_interest":{"lower":"10000000","upper":"60000000"},"funding_intervals":"3"}"#;
    let brackets =
        |random: &mut Random| brackets.replace("LEVERAGE", ["", r#","leverage":"20""#][random.below(2) as usize]);
    let marginal = |funding: &str| marginal.replace("FUNDING", funding);
    let option = r#","short_option":{"initial":"0.15","initial_least":"0.1","maintenance_call":"0.075","maintenance_put":"0.075","maintenance_put_mark":"0.4","initial_put_scale":"1","moneyness":"REFERENCE"}"#;
    let option = |random: &mut Random| option.replace("REFERENCE", ["index", "forward"][random.below(2) as usize]);
    let perpetual = match random.below(2) {
        0 => brackets(random),
        _ => marginal(r#","funding_intervals":"2""#),
    };
    let [numeraire, debts] =
        [["USD", "USDC", "BTC"], ["value", "requirement", "value"]].map(|all| all[random.below(3) as usize]);
    let (haircuts, cap) = match random.below(2) {
        0 => (r#""initial_haircuts":{"ETH":"0.3"},"debt_factors":{"BTC":"1.25"},"#, ""),
        _ => ("", r#","cap":"7.5""#),
    };
    format!(
        r#"{{"model":"deribit-standard","name":"random","description":"","numeraire":"{numeraire}","debts":"{debts}",{haircuts}
"assets":{{"USDC":{{"haircut":"0"}},"BTC":{{"haircut":"0.05","underlying":"BTC"}},"ETH":{{"haircut":"0.2","underlying":"ETH"{cap}}}}},
"underlyings":{{"BTC":{{"perpetual":{perpetual},"future":{}{}}},"ETH":{{"perpetual":{interest},"future":{}{}}}}}}}"#,
        brackets(random),
        option(random),
        marginal(""),
        option(random),
    )
}

fn bench(random: &mut Random) -> Bench {
    let market = snapshot(random);
    Bench::new(&model(random), universe(), market)
}

#[test]
fn what_the_program_admits_the_rule_admits() {
    for seed in 0..cases() {
        let mut random = Random(seed);
        let bench = bench(&mut random);
        for _ in 0..6 {
            for both in bench.both(&bench.book(&mut random)) {
                assert!(both.program <= both.oracle, "seed {seed} at {:?}", both.level);
            }
        }
    }
}

/// Maintenance has no brackets; at the initial level a book is at most in a band of a thousandth below one, which random books miss.
#[test]
fn the_program_is_exact_within_its_bound() {
    let mut apart = 0;
    for seed in 0..cases() {
        let mut random = Random(seed);
        let bench = bench(&mut random);
        for _ in 0..6 {
            for both in bench.both(&bench.book(&mut random)) {
                let is_near = &both.oracle - &both.bound <= both.program;
                assert!(
                    is_near || both.level == Level::Initial,
                    "seed {seed}: {} {} {}",
                    both.oracle,
                    both.program,
                    both.bound
                );
                apart += u64::from(!is_near);
            }
        }
    }
    assert!(apart * 20 <= cases(), "{apart} books are in a band");
}

#[test]
fn initial_asks_for_at_least_maintenance() {
    for seed in 0..cases() {
        let mut random = Random(seed);
        let bench = bench(&mut random);
        let evaluation = bench.evaluate(&bench.book(&mut random));
        assert!(evaluation.initial >= evaluation.maintenance && !evaluation.maintenance.is_negative());
    }
}

const HYPERLIQUID: &str = include_str!("../../presets/hyperliquid.json");

/// Hyperliquid's documents: BTC has 40 times to 150 million USD and 20 times above, ETH 25 times to 100 million and 15 times above; maintenance is half of the
/// initial rate of the largest leverage, less a deduction above the edge, of BTC 150,000,000 × (1/40 - 1/80) = 1,875,000: the part below keeps its rate. An edge
/// is of the bracket that it ends.
#[test]
fn maintenance_of_a_large_position_has_the_published_deduction() {
    let bench = Bench::new(HYPERLIQUID, universe(), snapshot(&mut Random(3)));
    let of = |usd: i64, leverage: i64| BigRational::new(usd.into(), leverage.into());
    for (underlying, edge, [below, above]) in [("BTC", 150_000_000, [40, 20]), ("ETH", 100_000_000, [25, 15])] {
        let name = format!("{underlying}-inverse-PERP");
        let (_, perpetual) = bench.universe.instruments().find(|(_, i)| i.name == name).unwrap();
        for usd in [edge - 50_000_000, edge - 10, edge, edge + 10, edge + 50_000_000] {
            let mut book = vec![0; bench.universe.layout().slots()];
            book[perpetual.short.index()] = u64::try_from(usd / 10).unwrap();
            let evaluation = bench.evaluate(&book);
            let initial = of(usd, if usd > edge { above } else { below });
            let maintenance = of(usd.min(edge), 2 * below) + of((usd - edge).max(0), 2 * above);
            assert_eq!(
                (evaluation.initial, evaluation.maintenance),
                (initial, maintenance),
                "{usd} of {name}"
            );
        }
    }
}

/// Just above the start of a bracket the whole notional needs its rate: a prover who chooses the lower one has no witness.
#[test]
fn the_jump_of_a_bracket_is_held() {
    let bench = Bench::new(HYPERLIQUID, universe(), snapshot(&mut Random(3)));
    let (_, perpetual) = bench
        .universe
        .instruments()
        .find(|(_, i)| i.name == "BTC-inverse-PERP")
        .unwrap();
    for lots in [15_000_001, 15_000_002, 15_000_010, 15_010_000, 20_000_000] {
        let mut book = vec![0; bench.universe.layout().slots()];
        book[perpetual.long.index()] = lots;
        for both in bench.both(&book) {
            assert!(
                both.program <= both.oracle && &both.oracle - &both.bound <= both.program,
                "{lots} lots"
            );
        }
    }
}

const BINANCE: &str = include_str!("../../presets/binance-usdm.json");

/// The tiers that Binance published in October 2024, in USD: at an edge the leverage of the bracket that ends and of the one that begins,
/// and the maintenance of a position of 10 USD less, of that size, and of 10 USD more. BTC and ETH part at 50 million.
const BRACKETS: [(&str, i64, [i64; 2], [&str; 3]); 9] = [
    ("BTC", 50_000, [125, 100], ["199.96", "200", "200.05"]),
    ("BTC", 600_000, [100, 75], ["2949.95", "2950", "2950.065"]),
    ("BTC", 3_000_000, [75, 50], ["18549.935", "18550", "18550.1"]),
    ("BTC", 50_000_000, [25, 25], ["868549.8", "868550", "868550.2"]),
    ("BTC", 70_000_000, [25, 20], ["1268549.8", "1268550", "1268550.25"]),
    ("ETH", 50_000, [125, 100], ["199.96", "200", "200.05"]),
    ("ETH", 600_000, [100, 75], ["2949.95", "2950", "2950.065"]),
    ("ETH", 3_000_000, [75, 50], ["18549.935", "18550", "18550.1"]),
    ("ETH", 50_000_000, [25, 20], ["868549.8", "868550", "868550.25"]),
];

/// An edge is of the bracket that it ends. There, and less than a thousandth below it, the program asks for the next one's rate at the
/// initial level.
#[test]
fn a_position_at_the_edge_of_a_bracket_has_the_margin_of_its_own_underlyings_bracket() {
    let bench = Bench::new(BINANCE, universe(), snapshot(&mut Random(3)));
    for (underlying, edge, [ends, begins], maintenance) in BRACKETS {
        let name = format!("{underlying}-inverse-PERP");
        let (_, perpetual) = bench.universe.instruments().find(|(_, i)| i.name == name).unwrap();
        for leg in [perpetual.long, perpetual.short] {
            let book = |usd: i64| {
                let mut book = vec![0; bench.universe.layout().slots()];
                book[leg.index()] = u64::try_from(usd / 10).unwrap();
                book
            };
            // What the program asks for, up to its bound, is the value of the book less what is left of it.
            let asks = |usd: i64, at: Level, margin: &BigRational| {
                let value = bench.evaluate(&book(usd)).value;
                let both = bench
                    .both(&book(usd))
                    .into_iter()
                    .find(|both| both.level == at)
                    .unwrap();
                let more = value - both.program - margin;
                let cent = BigRational::new(1.into(), 100.into());
                assert!(
                    both.bound < cent && !more.is_negative() && more <= both.bound,
                    "{usd} of {name}: {more}"
                );
            };
            let initial = |usd: i64, leverage: i64| BigRational::new(usd.into(), leverage.into());
            let sizes = [(edge - 10, ends), (edge, ends), (edge + 10, begins)];
            for ((usd, leverage), maintenance) in sizes.into_iter().zip(maintenance) {
                let maintenance = zkmargin_risk::amount::to_ratio(maintenance.parse().unwrap());
                let evaluation = bench.evaluate(&book(usd));
                assert_eq!(evaluation.initial, initial(usd, leverage), "{usd} of {name}");
                assert_eq!(evaluation.maintenance, maintenance, "{usd} of {name}");
                asks(usd, Level::Maintenance, &maintenance);
            }
            for (usd, leverage) in [(edge - edge / 1_000, ends), (edge, begins), (edge + 10, begins)] {
                asks(usd, Level::Initial, &initial(usd, leverage));
            }
        }
    }
}

#[test]
fn what_has_no_margin_is_refused_by_both() {
    let bench = Bench::new(HYPERLIQUID, universe(), snapshot(&mut Random(5)));
    for (_, instrument) in bench.universe.instruments() {
        for leg in [instrument.long, instrument.short] {
            let mut book = vec![0; bench.universe.layout().slots()];
            book[leg.index()] = 1;
            let by_oracle = matches!(
                oracle::evaluate(&bench.model, &bench.universe, &bench.snapshot, &book),
                Err(OracleError::NotCounted(_))
            );
            let expected = match instrument.kind {
                Kind::Option { .. } => leg == instrument.short,
                Kind::Future { .. } => true,
                Kind::Perpetual => false,
                Kind::Sensitivity(_) => true,
            };
            assert_eq!(by_oracle, expected, "{}", instrument.name);
            for (_, program) in &bench.programs {
                let by_program = matches!(program.witness(&book), Err(WitnessError::NotEmpty { .. }));
                assert_eq!(by_program, expected, "{}", instrument.name);
            }
        }
    }
}

/// Collateral by its liquidation threshold against debts: a health factor of 1.05, and nothing else.
#[test]
fn a_health_factor_is_a_ratio_of_value_and_requirement() {
    let model = r#"{"model":"linear","name":"lending","description":"","numeraire":"USD","debts":"requirement",
"assets":{"USDC":{"haircut":"0.25"},"ETH":{"haircut":"0.175","underlying":"ETH"}},
"initial_haircuts":{"ETH":"0.2"},"underlyings":{"ETH":{}}}"#;
    let bench = Bench::new(model, universe(), snapshot(&mut Random(7)));
    let (_, venue) = bench.universe.venue("alpha").unwrap();
    let mut book = vec![0; bench.universe.layout().slots()];
    book[venue.asset("ETH", None).unwrap().balance.index()] = 1_000_000_000; // 10
    book[venue.asset("USDC", None).unwrap().debt.index()] = 700_000_000_000; // 7,000
    let index = |name: &str| {
        BigRational::new(
            bench.snapshot.underlyings[name].index.mantissa().into(),
            10_i64.pow(bench.snapshot.underlyings[name].index.scale()).into(),
        )
    };
    let usdc = bench.snapshot.assets["USDC"];
    let usdc = BigRational::new(usdc.mantissa().into(), 10_i64.pow(usdc.scale()).into());
    let evaluation = bench.evaluate(&book);
    assert_eq!(
        evaluation.value,
        index("ETH") * BigRational::new(825.into(), 100.into())
    );
    assert_eq!(evaluation.maintenance, usdc * BigRational::from_integer(7_000.into()));
    assert_eq!(
        &evaluation.initial - &evaluation.maintenance,
        index("ETH") * BigRational::new(1.into(), 4.into())
    );
    assert!(!evaluation.value.is_zero());
    for both in bench.both(&book) {
        assert!(both.program <= both.oracle && &both.oracle - &both.bound <= both.program);
    }
}
