//! Refusals.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use crate::model::Model;

const PRESET: &str = include_str!("../../../presets/derive-standard.json");

#[test]
fn figures_out_of_range_and_an_initial_level_weaker_than_maintenance_are_refused() {
    for (from, to, said) in [
        (
            r#""initial": "0.1", "maintenance": "0.065""#,
            r#""initial": "0.05", "maintenance": "0.065""#,
            "futures.maintenance is 0.065, expected 0 to initial",
        ),
        (
            r#""initial": "1.2", "maintenance": "1.1""#,
            r#""initial": "1", "maintenance": "1.1""#,
            "unpaired.maintenance is 1.1",
        ),
        (
            r#""maintenance_call": "0.09""#,
            r#""maintenance_call": "0.14""#,
            "maintenance_call is 0.14, expected 0 to initial_least",
        ),
        (
            r#""initial_put_scale": "1.05""#,
            r#""initial_put_scale": "0.99""#,
            "initial_put_scale is 0.99, expected 1 to 100",
        ),
        (
            r#""initial_least": "0.13""#,
            r#""initial_least": "0.2""#,
            "initial_least is 0.2, expected 0 to initial",
        ),
        (
            r#""BTC": "0.93""#,
            r#""BTC": "1.1""#,
            "initial_scale.BTC is 1.1, expected 0 to 1",
        ),
        (
            r#""BTC": "0.93""#,
            r#""USDC": "0.93""#,
            "not among the assets with an underlying",
        ),
        (r#""asset": "USDC""#, r#""asset": "DAI""#, "depeg.asset names `DAI`"),
        (
            r#""haircut": "0.25","#,
            r#""haircut": "0.25", "cap": "5","#,
            "assets.BTC.cap is 5, expected no cap",
        ),
        (
            r#""numeraire": "USDC""#,
            r#""numeraire": "BTC""#,
            "moves with no underlying",
        ),
        (
            r#""threshold": "0.99""#,
            r#""threshold": "1.5""#,
            "depeg.threshold is 1.5",
        ),
        (
            r#""option_threshold": "0.55""#,
            r#""option_threshold": "5""#,
            "option_threshold is 5",
        ),
    ] {
        let text = PRESET.replacen(from, to, 1);
        assert_ne!(text, PRESET, "{from}");
        let refused = Model::from_json(&text).unwrap_err().to_string();
        assert!(refused.contains(said), "{refused}");
    }
}
