#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
use super::*;

/// `[F, K, σ, T, r]`, and `[call, put, delta, gamma, vega, theta, rho]` (greeks of the call) by mpmath with 60 digits,
/// from the definition.
const REFERENCE: [([f64; 5], [f64; 7]); 12] = [
    (
        [64432.44, 64000.0, 0.4734, 0.0109589, 0.0],
        [
            1497.3887220089618,
            1064.9487220089595,
            0.5638208711731963,
            0.000123335632831807,
            2656.3967494408435,
            -57375.202857280165,
            -16.409733265624013,
        ],
    ),
    (
        [64432.44, 64000.0, 0.4734, 0.0109589, 0.05],
        [
            1496.568460095411,
            1064.3653485243665,
            0.5635120129723226,
            0.00012326807020046843,
            2654.941588834369,
            -57268.94459044504,
            -16.4007440973396,
        ],
    ),
    (
        [64432.44, 150000.0, 0.55, 0.9, 0.0],
        [
            1110.163590295286,
            86677.72359029528,
            0.08713412328816103,
            4.715230561079754e-06,
            9689.855223369663,
            -2960.789096029619,
            -999.1472312657575,
        ],
    ),
    (
        [64432.44, 10000.0, 0.9, 0.25, 0.0],
        [
            54432.4824795658,
            0.042479565797025304,
            0.999993645938517,
            1.0025414514953794e-09,
            0.936470308539961,
            -1.68564655537193,
            -13608.12061989145,
        ],
    ),
    (
        [64432.44, 64432.44, 0.4, 1.0, 0.03],
        [
            9911.92974474856,
            9911.92974474856,
            0.5621399977897842,
            1.4724168283680443e-05,
            24451.18545923977,
            -4592.879199505497,
            -9911.92974474856,
        ],
    ),
    (
        [1800.25, 1800.0, 0.02, 0.0001, 0.0],
        [
            0.301930076353043,
            0.05193007635304296,
            0.7563144658638057,
            0.8705860554056803,
            5.642964802751797,
            -564.2964802751796,
            -3.01930076353043e-05,
        ],
    ),
    (
        [1800.25, 5000.0, 1.5, 0.002, 0.0],
        [
            1.5142042618131224e-51,
            3199.75,
            1.9298043807793952e-52,
            2.4384572857155787e-53,
            2.37083891090376e-49,
            -8.8906459158891e-47,
            -3.028408523626245e-54,
        ],
    ),
    (
        [1800.25, 300.0, 0.8, 0.7, -0.01],
        [
            1511.3281693441647,
            0.539577304575272,
            1.0057170218819331,
            3.5745155098947426e-06,
            6.487402622078051,
            -18.820368906057677,
            -1057.9297185409152,
        ],
    ),
    (
        [64432.44, 66000.0, 3.0, 2.0, 0.0],
        [
            62222.13249465079,
            63789.692494650786,
            0.9828129048179339,
            1.556751738157611e-07,
            3877.749635530284,
            -2908.312226647713,
            -124444.26498930158,
        ],
    ),
    (
        [64432.44, 64000.0, 0.0001, 1e-05, 0.0],
        [432.4400000000023, 0.0, 1.0, 0.0, 0.0, 0.0, -0.004324400000000023],
    ),
    (
        [21907.0296, 64000.0, 1.2, 0.08, 0.0],
        [
            2.7083214248178384,
            42095.67872142482,
            0.0013997944108869443,
            6.161340128160511e-07,
            28.386601903381727,
            -212.89951427536295,
            -0.21666571398542708,
        ],
    ),
    (
        [386594.64, 64000.0, 1.2, 0.08, 0.0],
        [
            322594.640543745,
            0.000543744985445555,
            0.9999999773157339,
            9.751869467491055e-13,
            0.013991709166935202,
            -0.10493781875201401,
            -25807.571243499602,
        ],
    ),
];

fn market([forward, strike, volatility, years, rate]: [f64; 5]) -> Black76 {
    Black76::new(forward, strike, volatility, years, rate).unwrap()
}

#[test]
fn values_are_within_1e_12_of_the_forward_of_high_precision_ones() {
    for (inputs, [call, put, ..]) in REFERENCE {
        let values = market(inputs).values();
        let bound = 1e-12 * inputs[0];
        assert!(
            (values.call - call).abs() <= bound,
            "{inputs:?}: call {} against {call}",
            values.call
        );
        assert!(
            (values.put - put).abs() <= bound,
            "{inputs:?}: put {} against {put}",
            values.put
        );
    }
}

#[test]
fn greeks_agree_with_high_precision_ones() {
    for (inputs, [_, _, delta, gamma, vega, theta, rho]) in REFERENCE {
        let greeks = market(inputs).greeks(Right::Call);
        let near = |got: f64, want: f64, scale: f64| (got - want).abs() <= 1e-12 * scale + 1e-10 * want.abs();
        assert!(
            near(greeks.delta, delta, 1.0),
            "{inputs:?}: delta {} against {delta}",
            greeks.delta
        );
        assert!(
            near(greeks.gamma, gamma, 0.0) || gamma < 1e-30,
            "{inputs:?}: gamma {} against {gamma}",
            greeks.gamma
        );
        for (name, got, want) in [
            ("vega", greeks.vega, vega),
            ("theta", greeks.theta, theta),
            ("rho", greeks.rho, rho),
        ] {
            assert!(near(got, want, inputs[0]), "{inputs:?}: {name} {got} against {want}");
        }
    }
}

#[test]
fn greeks_are_the_derivatives_of_the_value() {
    for right in [Right::Call, Right::Put] {
        let at = |inputs: [f64; 5]| market(inputs).value(right);
        let base = [64_432.44, 66_000.0, 0.5, 0.3, 0.02];
        let slope = |index: usize, step: f64| {
            let (mut up, mut down) = (base, base);
            up[index] += step;
            down[index] -= step;
            (at(up) - at(down)) / (2.0 * step)
        };
        let greeks = market(base).greeks(right);
        for (name, got, want) in [
            ("delta", greeks.delta, slope(0, 1.0)),
            ("vega", greeks.vega, slope(2, 1e-4)),
            ("theta", greeks.theta, -slope(3, 1e-5)),
            ("rho", greeks.rho, slope(4, 1e-3)),
        ] {
            assert!(
                (got - want).abs() <= 1e-5 * want.abs(),
                "{right:?} {name}: {got} against {want}"
            );
        }
        let bump = |step: f64| at([base[0] + step, base[1], base[2], base[3], base[4]]);
        let gamma = (bump(10.0) - 2.0 * bump(0.0) + bump(-10.0)) / 100.0;
        assert!(
            (greeks.gamma - gamma).abs() <= 1e-4 * gamma,
            "gamma {} against {gamma}",
            greeks.gamma
        );
    }
}

#[test]
fn call_minus_put_is_the_discounted_forward_minus_strike() {
    for (inputs, _) in REFERENCE {
        let market = market(inputs);
        let CallPut { call, put } = market.values();
        let parity = market.discount() * (inputs[0] - inputs[1]);
        assert!(
            (call - put - parity).abs() <= 1e-15 * (inputs[0] + inputs[1]),
            "{inputs:?}"
        );
    }
}

#[test]
fn without_volatility_or_time_an_option_is_worth_what_exercise_pays() {
    for (volatility, years) in [(0.0, 1.0), (0.5, 0.0), (0.0, 0.0), (5e-324, 1e-300)] {
        for (forward, strike, call, put) in [
            (100.0, 90.0, 10.0, 0.0),
            (90.0, 100.0, 0.0, 10.0),
            (100.0, 100.0, 0.0, 0.0),
        ] {
            let values = market([forward, strike, volatility, years, 0.0]).values();
            assert_eq!(
                (values.call, values.put),
                (call, put),
                "σ {volatility}, T {years}, F {forward}, K {strike}"
            );
            let greeks = market([forward, strike, volatility, years, 0.0]).greeks(Right::Put);
            assert!(
                [greeks.delta, greeks.gamma, greeks.vega, greeks.theta, greeks.rho]
                    .iter()
                    .all(|x| x.is_finite())
            );
        }
    }
}

#[test]
fn far_from_the_money_nothing_overflows() {
    for (forward, strike) in [(1e-9, 1e12), (1e12, 1e-9), (1e300, 1e-300), (64_432.44, 64_432.44)] {
        for volatility in [1e-12, 0.01, 1.0, 50.0, 1e6] {
            for years in [1e-12, 1.0, 1e3] {
                let values = market([forward, strike, volatility, years, 0.0]).values();
                assert!(
                    values.call.is_finite() && values.put.is_finite(),
                    "{forward} {strike} {volatility} {years}"
                );
                assert!(values.call >= 0.0 && values.put >= 0.0);
                let slack = 1e-15 * (forward + strike);
                assert!(
                    values.call <= forward + slack && values.put <= strike + slack,
                    "{values:?}"
                );
            }
        }
    }
}

#[test]
fn what_is_not_a_market_is_refused_by_name() {
    let good = [100.0, 100.0, 0.5, 1.0, 0.0];
    for (index, input) in ["forward", "strike", "volatility", "time to expiry", "rate"]
        .into_iter()
        .enumerate()
    {
        for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let mut inputs = good;
            inputs[index] = bad;
            let [forward, strike, volatility, years, rate] = inputs;
            let refusal = Black76::new(forward, strike, volatility, years, rate).unwrap_err();
            assert_eq!(refusal.input, input);
        }
    }
    for (index, bad) in [(0, 0.0), (0, -1.0), (1, 0.0), (2, -0.1), (3, -1e-9), (4, -1e6)] {
        let mut inputs = good;
        inputs[index] = bad;
        let [forward, strike, volatility, years, rate] = inputs;
        assert!(
            Black76::new(forward, strike, volatility, years, rate).is_err(),
            "{inputs:?}"
        );
    }
}

/// The bits of call and put of [`REFERENCE`], in order. A platform or a library that changes one of them changes what
/// is proven.
const GOLDEN: [[u64; 2]; 12] = [
    [0x4097_658e_0d24_6ee0, 0x4090_a3cb_7dc8_45e0],
    [0x4097_6246_1a67_3b74, 0x4090_a176_1dec_6f27],
    [0x4091_58a7_8436_e0cc, 0x40f5_295b_93d3_6adf],
    [0x40ea_940f_7078_fc83, 0x3fa5_bfe1_b3b1_6950],
    [0x40c3_5bf7_01e0_3c58, 0x40c3_5bf7_01e0_3c58],
    [0x3fd3_52d2_86e7_5c00, 0x3faa_9694_373a_e000],
    [0x3562_2105_c663_0000, 0x40a8_ff80_0000_0000],
    [0x4097_9d50_0b9f_e2f4, 0x3fe1_4437_9f9a_1157],
    [0x40ee_61c4_3d65_6c02, 0x40ef_25b6_28ea_8aba],
    [0x407b_070a_3d70_a400, 0x0000_0000_0000_0000],
    [0x4005_aaa4_6c55_30d8, 0x40e4_8df5_b815_fe56],
    [0x4113_b08a_8fea_b312, 0x3f41_d143_7705_68d0],
];

#[test]
fn golden_prices_have_the_same_bits_everywhere() {
    let bits: Vec<[u64; 2]> = REFERENCE
        .iter()
        .map(|(inputs, _)| market(*inputs).values())
        .map(|values| [values.call.to_bits(), values.put.to_bits()])
        .collect();
    assert_eq!(bits, GOLDEN, "{bits:#018x?}");
}
