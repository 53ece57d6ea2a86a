#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use num_traits::ToPrimitive;
use rust_decimal::Decimal;
use serde_json::{Value, json};

use crate::instant::Instant;
use crate::model::fixture::{self, Book};
use crate::model::okx_pm::parameters::{Buckets, Depeg, Minimum, ShiftNode};
use crate::model::stress::figures::{Figures, Stresses};
use crate::model::{Model, ModelError, PRESETS};
use crate::oracle;
use crate::pricing::{log_moneyness, undiscounted};
use crate::scenario::{Shock, VolatilityMove};
use crate::terms::{Level, Ratio20, Terms};
use crate::universe::Right;

/// What a change of the preset is refused with.
fn refusal(path: &str, part: Value) -> String {
    let (_, text) = PRESETS.iter().find(|(name, _)| *name == "okx-pm").unwrap();
    let mut file: Value = serde_json::from_str(text).unwrap();
    *file.pointer_mut(path).unwrap() = part;
    match Model::from_json(&file.to_string()) {
        Err(error @ (ModelError::Value { .. } | ModelError::Count { .. } | ModelError::Unknown { .. })) => {
            error.to_string()
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn tiers_that_step_down_or_overlap_are_refused() {
    let tiers = |rows: [(&str, &str); 2]| {
        let rows = rows.map(|(above, rate)| json!({"above": above, "rate": rate}));
        refusal("/underlyings/BTC/minimum/tiers", json!(rows))
    };
    assert!(tiers([("0", "2"), ("5", "1")]).contains("not below that of the tier before"));
    assert!(tiers([("0", "2"), ("0", "3")]).contains("more than that of the tier before"));
    assert!(tiers([("1", "2"), ("5", "3")]).contains("0, of the first tier"));
    assert!(tiers([("0", "0.0000001"), ("5", "3")]).contains("at most 6 decimals"));
    assert!(refusal("/depeg/levels/0/tiers/1/rate", json!("0.001")).contains("depeg.levels[0].tiers[1].rate"));
}

#[test]
fn the_level_of_two_prices_is_that_of_their_exact_ratio() {
    let (_, text) = PRESETS.iter().find(|(name, _)| *name == "okx-pm").unwrap();
    let file: Value = serde_json::from_str(text).unwrap();
    let depeg: Depeg = serde_json::from_value(file["depeg"].clone()).unwrap();
    let level = |low: &str, high: &str| {
        let tiers = depeg.tiers(low.parse().unwrap(), high.parse().unwrap());
        depeg.levels.iter().position(|level| level.tiers == tiers).unwrap()
    };
    let at = |low| level(low, "1.0000000000000000000000000051");
    // 0.99 of it ends in …5049, the last digits of which no decimal holds.
    assert_eq!(at("0.9900000000000000000000000051"), 1);
    assert_eq!(at("0.9900000000000000000000000050"), 2);
    assert_eq!(
        (level("0.995", "1"), level("0.99", "1"), level("0.9899", "1")),
        (0, 1, 2)
    );
}

#[test]
fn the_slippage_of_an_option_is_by_the_delta_of_a_coin_times_the_coins_of_a_contract() {
    let minimum = Minimum {
        option_least: Decimal::new(1, 2),
        option_delta: Decimal::new(1, 1),
        option_fee: Decimal::new(3, 4),
        option_fee_cap: Decimal::new(125, 3),
        future_rate: Decimal::ZERO,
        tiers: Vec::new(),
    };
    // Two coins at 100 USD with a delta of 0.5 each: 0.1 x 0.5 of 200 USD is more than 0.01 of it; and 0.0003 of it for the fee.
    for delta in [1.0, -1.0] {
        let (long, short) = minimum.of_option(100.0, 2.0, delta, 50.0);
        assert!(
            (long - 10.06).abs() < 1e-12 && (short - 10.06).abs() < 1e-12,
            "{long} {short}"
        );
    }
    // Of a delta of 0.05 a coin the least: 0.01 of 200 USD.
    let (long, short) = minimum.of_option(100.0, 2.0, 0.1, 50.0);
    assert!(
        (long - 2.06).abs() < 1e-12 && (short - 2.06).abs() < 1e-12,
        "{long} {short}"
    );
    // At a mark of 0.4 a long one slips by no more than that, and the fee is 0.125 of it.
    let (long, short) = minimum.of_option(100.0, 2.0, 1.0, 0.4);
    assert!(
        (long - 0.45).abs() < 1e-12 && (short - 10.05).abs() < 1e-12,
        "{long} {short}"
    );
}

/// A notional of 1,024 USD: slippage of at least 1/64 of it, 1/32 of the delta; a fee of 1/256 of it, 1/8 of the mark at most.
#[test]
fn the_charges_of_an_option_where_its_bounds_meet() {
    let minimum = Minimum {
        option_least: Decimal::new(15_625, 6),
        option_delta: Decimal::new(3_125, 5),
        option_fee: Decimal::new(390_625, 8),
        option_fee_cap: Decimal::new(125, 3),
        future_rate: Decimal::ZERO,
        tiers: Vec::new(),
    };
    let step = 1.0 / 1_024.0;
    // A delta of a half slips by as much as the least.
    for (delta, slip) in [(0.5 - step, 16.0), (0.5, 16.0), (0.5 + step, 16.0 + 1.0 / 32.0)] {
        assert_eq!(
            minimum.of_option(1_024.0, 1.0, delta, 64.0),
            (slip + 4.0, slip + 4.0),
            "{delta}"
        );
    }
    // A long one slips by no more than its mark of 16, and the fee is 1/8 of a mark of 32.
    for (mark, long, short) in [
        (15.0, 15.0 + 15.0 / 8.0, 16.0 + 15.0 / 8.0),
        (16.0, 18.0, 18.0),
        (17.0, 16.0 + 17.0 / 8.0, 16.0 + 17.0 / 8.0),
        (31.0, 16.0 + 31.0 / 8.0, 16.0 + 31.0 / 8.0),
        (32.0, 20.0, 20.0),
        (33.0, 20.0, 20.0),
    ] {
        assert_eq!(minimum.of_option(1_024.0, 1.0, 0.5, mark), (long, short), "{mark}");
    }
}

/// 30, 25 and 20 points, 50, 35 and 25 % of the volatility, at 0, 30 and 60 days, between them by the time, before and after as at the nearest.
#[test]
fn a_shift_of_volatility_bends_at_thirty_and_sixty_days() {
    let (_, text) = PRESETS.iter().find(|(name, _)| *name == "okx-pm").unwrap();
    let file: Value = serde_json::from_str(text).unwrap();
    let (universe, mut snapshot) = (fixture::universe(), fixture::snapshot());
    let option = fixture::instrument(&universe, "BTC-28AUG26-70000-C");
    let expiry: Instant = fixture::NEAR.parse().unwrap();
    // What a millisecond is of 30 days.
    let step = 1.0 / 2_592_000_000.0;
    for underlying in ["BTC", "ETH"] {
        let path = format!("/underlyings/{underlying}/volatility");
        let shift: Vec<ShiftNode> = serde_json::from_value(file.pointer(&path).unwrap().clone()).unwrap();
        let rows = [VolatilityMove::Up, VolatilityMove::Down].map(|direction| Shock::new(1.0, direction));
        let stresses = Stresses {
            rows: &rows,
            shift: &shift,
            decay_ms: 0,
        };
        for (days, points, parts) in [
            (
                30,
                [0.25 + 0.05 * step, 0.25, 0.25 - 0.05 * step],
                [0.35 + 0.15 * step, 0.35, 0.35 - 0.1 * step],
            ),
            (60, [0.2 + 0.05 * step, 0.2, 0.2], [0.25 + 0.1 * step, 0.25, 0.25]),
        ] {
            for (millis, (points, part)) in [-1, 0, 1].into_iter().zip(points.into_iter().zip(parts)) {
                let left = (days * 86_400_000_i64 + millis).unsigned_abs();
                snapshot.instant = Instant::from_millis(expiry.millis() - left).unwrap();
                // Points are the larger of a volatility of 0.5, the part of one of 1.
                for (volatility, shift) in [(0.5, points), (1.0, part)] {
                    let market = snapshot.underlyings.get_mut("BTC").unwrap();
                    let chain = market.expiries.get_mut(&expiry).unwrap();
                    let strike = chain.strikes.get_mut(&Decimal::from(70_000)).unwrap();
                    strike.volatility = Decimal::try_from(volatility).unwrap();
                    let found = Figures::new(&snapshot, option, &stresses).unwrap().unwrap().rows;
                    let root = libm::sqrt(left as f64 / 31_536_000_000.0);
                    for (found, moved) in found.into_iter().zip([volatility + shift, volatility - shift]) {
                        let value = undiscounted(64_200.0, 70_000.0, log_moneyness(64_200.0, 70_000.0), moved * root);
                        let want = value.of(Right::Call) * (64_000.0 / 64_200.0);
                        assert!(
                            (found - want).abs() < 1e-10 * want,
                            "{days} days and {millis} ms: {found}, not {want}"
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn an_initial_level_below_maintenance_is_refused() {
    assert!(refusal("/initial_factor", json!("0.99")).contains("1 to 100"));
    assert!(refusal("/borrow/BTC/maintenance", json!("0.2")).contains("borrow.BTC.maintenance"));
}

#[test]
fn moves_out_of_order_are_refused() {
    for moves in [json!(["0.08", "0.04"]), json!(["0.04", "1"]), json!(["-0.04"])] {
        assert!(refusal("/underlyings/ETH/moves", moves).contains("underlyings.ETH.moves"));
    }
    assert!(refusal("/underlyings/ETH/moves", json!([])).contains("0 moves"));
    assert!(refusal("/underlyings/ETH/extreme_move", json!("0")).contains("above 0"));
}

#[test]
fn buckets_reach_to_the_end_and_rise() {
    let buckets = |days: [Value; 2]| {
        let buckets = days.map(|days| {
            if days.is_null() {
                json!({"within": "1"})
            } else {
                json!({"days": days, "within": "1"})
            }
        });
        refusal("/underlyings/BTC/vega_buckets/buckets", json!(buckets))
    };
    assert!(buckets([json!("7"), json!("30")]).contains("reaches to the end"));
    assert!(buckets([json!(null), json!(null)]).contains("except of the last bucket"));
    assert!(refusal("/underlyings/BTC/volatility/1/days", json!("0")).contains("node before"));
}

#[test]
fn names_that_a_file_does_not_define_are_refused() {
    assert!(refusal("/depeg/pairs/0/0", json!("DAI")).contains("DAI"));
    assert!(refusal("/depeg/pairs/0/0", json!("BTC")).contains("assets without underlying"));
    assert!(refusal("/depeg/pairs/0", json!(["USD", "USDC"])).contains("each pair once"));
    assert!(refusal("/depeg/levels/4/at_least", json!("0.1")).contains("0, of the last level"));
    assert!(refusal("/assets/BTC/underlying", json!("SOL")).contains("SOL"));
    // An asset of that name would stand for a dollar that it need not be worth.
    let (_, text) = PRESETS.iter().find(|(name, _)| *name == "okx-pm").unwrap();
    let mut file: Value = serde_json::from_str(text).unwrap();
    file["assets"]["USD"] = file["assets"]["USDC"].clone();
    file["borrow"]["USD"] = file["borrow"]["USDC"].clone();
    let refused = Model::from_json(&file.to_string()).unwrap_err().to_string();
    assert!(refused.contains("USD is what inverse instruments are of"), "{refused}");
}

/// Up to 7 days and beyond, charged only for what is matched between the two.
fn week() -> Value {
    json!({"buckets": [{"days": "7", "within": "0"}, {"within": "0"}], "across": "0.05"})
}

#[test]
fn a_bucket_reaches_to_its_last_day_and_no_further() {
    let buckets: Buckets = serde_json::from_value(week()).unwrap();
    assert_eq!((buckets.bucket_of(7.0), buckets.bucket_of(7.0 + 1e-9)), (0, 1));
}

#[test]
fn program_and_rule_put_an_option_of_exactly_seven_days_into_the_first_week() {
    let (_, text) = PRESETS.iter().find(|(name, _)| *name == "okx-pm").unwrap();
    let mut file: Value = serde_json::from_str(text).unwrap();
    file["underlyings"]["BTC"]["vega_buckets"] = week();
    file["underlyings"]["BTC"]["minimum"] = Value::Null;
    file["depeg"] = Value::Null;
    let model = Model::from_json(&file.to_string()).unwrap();
    let universe = fixture::universe();
    let [near, far] = ["BTC-28AUG26-70000-C", "BTC-26MAR27-50000-P"];
    let book = Book::empty(&universe).hold(near, "1", None).hold(far, "-1", None);
    // 0.05 of what is matched between the buckets: the smaller vega while the first option has at most 7 days, nothing once it has more.
    for (now, rate) in [("2026-08-21T08:00:00Z", 0.05), ("2026-08-21T07:59:59.999Z", 0.0)] {
        let mut snapshot = fixture::snapshot();
        snapshot.instant = now.parse().unwrap();
        let vega = |name| {
            let greeks = crate::valuation::greeks(&snapshot, fixture::instrument(&universe, name));
            greeks.unwrap().unwrap().vega
        };
        let evaluation = oracle::evaluate(&model, &universe, &snapshot, &book.q).unwrap();
        let components = evaluation.components.iter().filter(|part| part.term == "MR3");
        let charge: f64 = components.map(|part| part.maintenance.to_f64().unwrap()).sum();
        let want = rate * libm::fmin(vega(near), vega(far));
        assert!((charge - want).abs() < 1e-9, "{now}: {charge}, not {want}");
        let terms = Terms::at(Level::Maintenance);
        let program = model.compile(&universe, &snapshot, &terms).unwrap();
        let excess = evaluation.excess(Level::Maintenance, Ratio20::ONE, 0);
        let gap = excess.to_f64().unwrap() - program.surplus(&book.q).unwrap()[0].1 as f64 * 1e-10;
        assert!(gap > -1e-9 && gap < 1e-6, "{now}: {gap}");
    }
}
