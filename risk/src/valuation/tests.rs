#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
use super::*;
use crate::instant::DAY_MS;
use crate::model::Model;
use crate::model::derive::values::Table;
use crate::model::fixture::{self, instrument};
use crate::model::stress::figures::{Figures, Stresses};
use crate::model::variation::worth;
use crate::scenario::Scenario;
use rust_decimal::Decimal;

fn shock() -> VolatilityShock {
    VolatilityShock {
        up: Decimal::new(4, 1),
        down: Decimal::new(22, 2),
        short_power: Decimal::new(3, 1),
        long_power: Decimal::new(13, 2),
        tenor_floor_days: Decimal::ONE,
        up_floor: Decimal::ZERO,
    }
}

fn table(denomination: Denomination, shocks: &[Shock]) -> ValueTable {
    let (universe, snapshot) = (fixture::universe(), fixture::snapshot());
    let market = &snapshot.underlyings["BTC"];
    let listed = universe
        .instruments()
        .map(|(_, instrument)| instrument)
        .filter(|listed| listed.underlying == "BTC");
    ValueTable::new(market, snapshot.instant, denomination, &shock(), shocks, listed).unwrap()
}

fn close(got: f64, want: f64, relative: f64) {
    assert!((got - want).abs() <= relative * want.abs(), "{got} against {want}");
}

#[test]
fn usd_is_coins_at_the_scenarios_index() {
    let universe = fixture::universe();
    let shocks = [0.34, 0.84, 1.0, 1.16, 6.0].map(|factor| Shock::new(factor, VolatilityMove::Up));
    let (coin, usd) = (table(Denomination::Coin, &shocks), table(Denomination::Usd, &shocks));
    for name in [
        "BTC-28AUG26-70000-C",
        "BTC-28AUG26-70000-P",
        "BTC-26MAR27-50000-P",
        "BTC-PERPETUAL",
        "BTC-26MAR27",
    ] {
        let long = instrument(&universe, name).long;
        let (coin, usd) = (coin.get(long).unwrap(), usd.get(long).unwrap());
        close(usd.mark, coin.mark * 64_000.0, 1e-14);
        for (shock, (coin, usd)) in shocks.iter().zip(coin.shocked.iter().zip(&usd.shocked)) {
            close(*usd, coin * 64_000.0 * shock.factor(), 1e-13);
        }
        assert_eq!(coin.delta.to_bits(), usd.delta.to_bits());
    }
}

#[test]
fn a_shocked_option_is_black_76_at_the_shocked_forward_and_volatility() {
    let universe = fixture::universe();
    let shocks = [VolatilityMove::Up, VolatilityMove::None, VolatilityMove::Down].map(|to| Shock::new(0.88, to));
    let table = table(Denomination::Coin, &shocks);
    let values = table.get(instrument(&universe, "BTC-28AUG26-70000-C").long).unwrap();
    let days = 21.0 + 20.0 / 24.0;
    let scale = libm::pow(30.0 / days, 0.3);
    let volatilities = [0.45 * (1.0 + 0.4 * scale), 0.45, 0.45 * (1.0 - 0.22 * scale)];
    for (volatility, got) in volatilities.into_iter().zip(&values.shocked) {
        let forward = 64_200.0 * 0.88;
        let value = Black76::new(forward, 70_000.0, volatility, days / 365.0, 0.0)
            .unwrap()
            .value(Right::Call);
        close(*got, value / forward, 1e-12);
    }
}

#[test]
fn a_linear_option_is_discounted_and_a_linear_perpetual_is_quoted_as_it_is() {
    let universe = fixture::universe();
    let table = table(Denomination::Usd, &[Shock::new(1.1, VolatilityMove::None)]);
    let years = (21.0 + 20.0 / 24.0) / 365.0;
    let option = table.get(instrument(&universe, "BTC-LINEAR-60000-C").long).unwrap();
    let market = Black76::new(64_200.0, 60_000.0, 0.48, years, 0.02).unwrap();
    close(option.mark, market.value(Right::Call), 1e-14);
    close(option.delta, market.delta(Right::Call), 1e-14);
    let perpetual = table.get(instrument(&universe, "BTC_USDC-PERPETUAL").long).unwrap();
    assert_eq!((perpetual.mark, perpetual.delta), (64_010.5, 1.0));
    assert_eq!(perpetual.shocked, [64_010.5 * 1.1]);
}

#[test]
fn what_has_no_price_is_listed_with_its_reason() {
    let (universe, snapshot) = (fixture::universe(), fixture::snapshot());
    let coin = table(Denomination::Coin, &[]);
    let reason = |name: &str| {
        let long = instrument(&universe, name).long;
        assert!(coin.get(long).is_none());
        coin.unpriced().iter().find(|(leg, _)| *leg == long).unwrap().1
    };
    assert_eq!(reason("BTC-GONE-60000-C"), Unpriced::Expired);
    assert_eq!(reason("BTC_USDC-PERPETUAL"), Unpriced::Linear);
    assert_eq!(
        priced(&snapshot, instrument(&universe, "SOL-PERPETUAL")),
        Err(Unpriced::Underlying)
    );
    let mut without = snapshot.clone();
    let market = without.underlyings.get_mut("BTC").unwrap();
    market.perpetual = None;
    market.futures.clear();
    for expiry in market.expiries.values_mut() {
        expiry.strikes.values_mut().for_each(|strike| strike.put = None);
    }
    assert_eq!(
        priced(&without, instrument(&universe, "BTC-PERPETUAL")),
        Err(Unpriced::Perpetual)
    );
    assert_eq!(
        priced(&without, instrument(&universe, "BTC-28AUG26")),
        Err(Unpriced::Expiry)
    );
    assert_eq!(
        priced(&without, instrument(&universe, "BTC-28AUG26-70000-P")),
        Err(Unpriced::Strike)
    );
    assert_eq!(priced(&without, instrument(&universe, "BTC-28AUG26-70000-C")), Ok(()));
}

/// Figures of the response example of `private/pme/simulate` in Deribit's public API documentation (17 June 2024):
/// profit in BTC of a perpetual of 0.314538364 BTC and a future of -0.001187534 BTC over the standard and the extended
/// moves at a price range of 16 %.
#[test]
fn the_documented_grid_of_linear_instruments_is_met() {
    const PERPETUAL: [f64; 9] = [
        -0.05991206933333334,
        -0.04289159509090909,
        -0.027351162086956524,
        -0.013105765166666668,
        0.0,
        0.012097629384615385,
        0.023299138074074074,
        0.033700538999999995,
        0.043384601931034494,
    ];
    const FUTURE: [f64; 9] = [
        0.0002261969523809524,
        0.00016193645454545456,
        0.00010326382608695652,
        4.948058333333334e-05,
        0.0,
        -4.567438461538462e-05,
        -8.796548148148148e-05,
        -0.0001272357857142857,
        -0.00016379779310344832,
    ];
    let (_, text) = crate::model::PRESETS
        .iter()
        .find(|(name, _)| *name == "deribit-pm")
        .unwrap();
    let model: crate::model::scenario_grid::Parameters = serde_json::from_str(text).unwrap();
    let rows: Vec<&Scenario> = model.grids["range-16"].iter().collect();
    let shocks: Vec<Shock> = rows.iter().map(|row| row.shock().unwrap()).collect();
    let (universe, mut snapshot) = (fixture::universe(), fixture::snapshot());
    let market = snapshot.underlyings.get_mut("BTC").unwrap();
    market.perpetual.as_mut().unwrap().price = Decimal::new(6_591_057, 2);
    market
        .futures
        .values_mut()
        .for_each(|future| future.price = Decimal::new(6_737_175, 2));
    let listed = ["BTC-PERPETUAL", "BTC-28AUG26"].map(|name| instrument(&universe, name));
    let volatility = &model.underlyings["BTC"].volatility;
    let table = ValueTable::new(
        market,
        snapshot.instant,
        Denomination::Coin,
        volatility,
        &shocks,
        listed,
    )
    .unwrap();
    for (listed, coins, expected) in [(listed[0], 0.314538364, PERPETUAL), (listed[1], -0.001187534, FUTURE)] {
        let values = table.get(listed.long).unwrap();
        let contracts = coins / values.delta;
        let gains = values.shocked.iter().map(|value| contracts * (value - values.mark));
        let gains: Vec<f64> = gains.zip(&rows).map(|(gain, row)| gain * to_f64(row.weight)).collect();
        for (bucket, want) in expected.iter().enumerate() {
            for direction in 0..3 {
                let got = gains[3 * bucket + direction];
                assert!(
                    (got - want).abs() < 1e-9,
                    "move {:?}: {got} against {want}",
                    rows[3 * bucket]
                );
            }
        }
        // A linear instrument's profit in an extended row is that of the range's edge.
        for (row, got) in rows.iter().zip(&gains).skip(27) {
            let edge = if row.price_move.is_sign_negative() {
                expected[0]
            } else {
                expected[8]
            };
            assert!((got - edge).abs() < 1e-9, "{row:?}: {got} against {edge}");
        }
    }
}

#[test]
fn greeks_of_an_option_are_slopes_of_its_value() {
    let (universe, mut snapshot) = (fixture::universe(), fixture::snapshot());
    // The near forward is 1.2 times the index, the far one 1.23 times; and a rate that shows in three weeks.
    let market = snapshot.underlyings.get_mut("BTC").unwrap();
    (market.index, market.rate) = (Decimal::from(53_500), Decimal::new(5, 1));
    for (name, forward, volatility) in [
        ("BTC-26MAR27-50000-P", 66_000.0, 0.55),
        ("BTC-LINEAR-60000-C", 64_200.0, 0.48),
    ] {
        let option = instrument(&universe, name);
        // USD at the scenario's index, or the settlement asset of the linear one.
        let value = |snapshot: &Snapshot, factor: f64, rise: f64| {
            let shocks = [Shock::new(factor, VolatilityMove::Up)];
            let shock = VolatilityShock {
                up: Decimal::try_from(rise).unwrap(),
                short_power: Decimal::ZERO,
                long_power: Decimal::ZERO,
                ..shock()
            };
            let (market, now) = (&snapshot.underlyings["BTC"], snapshot.instant);
            let table = ValueTable::new(market, now, Denomination::Usd, &shock, &shocks, [option]).unwrap();
            table.get(option.long).unwrap().shocked[0]
        };
        let at = |factor: f64| value(&snapshot, factor, 0.0);
        let step = 1e-4;
        let slope = (at(1.0 + step) - at(1.0 - step)) / (2.0 * step);
        let curvature = (at(1.0 + step) - 2.0 * at(1.0) + at(1.0 - step)) / (step * step);
        // A relative rise by 0.001.
        let by_volatility = (value(&snapshot, 1.0, 0.001) - at(1.0)) / (0.001 * volatility);
        let dollars = dollar_greeks(&snapshot, option).unwrap().unwrap();
        close(dollars.mark, at(1.0), 1e-14);
        close(dollars.delta, slope, 1e-5);
        close(dollars.gamma, curvature, 1e-3);
        close(dollars.vega, by_volatility, 1e-3);

        let greeks = greeks(&snapshot, option).unwrap().unwrap();
        // An inverse option in USD moves with the index, a linear one with its forward.
        let moving = match option.style {
            Style::Inverse => 53_500.0,
            Style::Linear => forward,
        };
        close(greeks.delta, slope / moving, 1e-5);
        close(greeks.gamma, curvature / (moving * 53_500.0), 1e-3);
        close(greeks.vega, by_volatility, 1e-3);
        let changed = |change: &dyn Fn(&mut Snapshot)| {
            let mut changed = snapshot.clone();
            change(&mut changed);
            value(&changed, 1.0, 0.0)
        };
        let hour = 3_600_000;
        let in_hours = |hours: u64| changed(&|to| to.instant = to.instant.checked_add(hours * hour).unwrap());
        close(greeks.theta, (in_hours(1) - in_hours(0)) * 8_760.0, 1e-2);
        let at_rate = |rate: i64| changed(&|to| to.underlyings.get_mut("BTC").unwrap().rate = Decimal::new(rate, 3));
        close(greeks.rho, (at_rate(501) - at_rate(499)) / 0.002, 1e-5);
    }
}

/// All that is counted of one contract, long.
fn of_contract(listed: &Instrument) -> Vec<(&'static str, f64)> {
    let snapshot = fixture::snapshot();
    let market = &snapshot.underlyings[&listed.underlying];
    let shocks = [0.8, 1.3].map(|factor| Shock::new(factor, VolatilityMove::Up));
    let mut all = Vec::new();
    for denomination in [Denomination::Coin, Denomination::Usd] {
        let table = ValueTable::new(market, snapshot.instant, denomination, &shock(), &shocks, [listed]).unwrap();
        // A linear one has none in coins.
        if let Some(values) = table.get(listed.long) {
            all.extend([("mark", values.mark), ("delta", values.delta)]);
            all.extend(values.shocked.iter().map(|value| ("value under a shock", *value)));
        }
    }
    let greeks = greeks(&snapshot, listed).unwrap().unwrap();
    all.extend([("greeks: delta", greeks.delta), ("gamma", greeks.gamma)]);
    all.extend([("vega", greeks.vega), ("theta", greeks.theta), ("rho", greeks.rho)]);
    let dollars = dollar_greeks(&snapshot, listed).unwrap().unwrap();
    all.extend([("dollars: mark", dollars.mark), ("delta", dollars.delta)]);
    all.extend([("gamma", dollars.gamma), ("vega", dollars.vega)]);
    let stresses = Stresses {
        rows: &shocks,
        shift: &[],
        decay_ms: DAY_MS,
    };
    let figures = Figures::new(&snapshot, listed, &stresses).unwrap().unwrap();
    all.extend([("stress: mark", figures.mark), ("decayed", figures.decayed)]);
    all.extend(figures.rows.iter().map(|value| ("value in a row", *value)));
    all.extend([("delta", figures.delta), ("vega", figures.vega), ("rho", figures.rho)]);
    let Model::DerivePm2(pm2) = Model::preset("derive-pm2").unwrap() else {
        panic!("no PM2");
    };
    let prices = pm2.prices(&pm2.parameters().underlyings["BTC"]);
    let table = Table::new(market, snapshot.instant, &prices, [listed]).unwrap();
    for values in table.options.values() {
        all.push(("derive: mark", values.mark));
        all.extend(
            values
                .rows
                .iter()
                .flat_map(|(p, n)| [("p of a row", *p), ("n of a row", *n)]),
        );
        all.extend(values.basis.map(|gain| ("basis", gain)));
    }
    for values in table.forwards.values() {
        all.extend([("derive: mark", values.mark), ("coins", values.coins)]);
        all.extend(values.rows.iter().map(|value| ("v of a row", *value)));
    }
    let mut delivered = snapshot.clone();
    delivered.instant = fixture::NEAR.parse().unwrap();
    for (name, price) in [("BTC", 60_500), ("ETH", 2_100)] {
        let market = delivered.underlyings.get_mut(name).unwrap();
        market.deliveries.insert(delivered.instant, Decimal::from(price));
    }
    all.push(("worth at the near expiry", worth(&delivered, listed).unwrap().unwrap()));
    all
}

#[test]
fn every_figure_of_a_contract_of_ten_is_ten_times_that_of_one() {
    let (universe, snapshot) = (fixture::universe(), fixture::snapshot());
    for (_, listed) in universe
        .instruments()
        .filter(|(_, listed)| priced(&snapshot, listed).is_ok())
    {
        for style in [Style::Inverse, Style::Linear] {
            let of = |contract: i64| {
                of_contract(&Instrument {
                    style,
                    contract: Decimal::from(contract),
                    ..listed.clone()
                })
            };
            for ((figure, one), (_, ten)) in of(1).into_iter().zip(of(10)) {
                assert!(
                    (ten - 10.0 * one).abs() <= 1e-14 * ten.abs(),
                    "{figure} of {style:?} {}: {ten} is not ten times {one}",
                    listed.name
                );
            }
        }
    }
}
