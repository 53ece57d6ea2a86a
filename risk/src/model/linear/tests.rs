//! Refusals.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use crate::model::Model;

fn file(schedule: &str) -> String {
    format!(
        r#"{{"model":"linear","name":"m","description":"","numeraire":"USD","assets":{{"USDC":{{"haircut":"0"}}}},"underlyings":{{"BTC":{{"perpetual":{schedule}}}}}}}"#
    )
}

fn refusal(text: &str) -> String {
    Model::from_json(text).unwrap_err().to_string()
}

#[test]
fn tiers_with_gaps_overlaps_or_steps_down_are_refused() {
    for (tiers, said) in [
        ("", "has 0 tiers"),
        (r#"{"from":"5","initial":"0.1"}"#, "tiers[0].from is 5, expected 0"),
        (
            r#"{"from":"0","initial":"0.1"},{"from":"0","initial":"0.2"}"#,
            "tiers[1].from is 0, expected above",
        ),
        (
            r#"{"from":"0","initial":"0.1"},{"from":"9","initial":"0.05"}"#,
            "tiers[1].initial is 0.05, expected a rate not below",
        ),
        (
            r#"{"from":"0","leverage":"10"},{"from":"9","leverage":"20"}"#,
            "tiers[1].leverage is 20, expected not above",
        ),
        (
            r#"{"from":"0","initial":"0.1","maintenance":"0.05"},{"from":"9","initial":"0.2","maintenance":"0.04"}"#,
            "tiers[1].maintenance is 0.04, expected a rate not below",
        ),
        (
            r#"{"from":"0","initial":"0.1","maintenance":"0.2"}"#,
            "tiers[0].maintenance is 0.2, expected at most the initial rate",
        ),
        (
            r#"{"from":"0","initial":"0.1","leverage":"5"}"#,
            "either initial or leverage",
        ),
        (r#"{"from":"0"}"#, "either initial or leverage"),
        (r#"{"from":"0","leverage":"0.5"}"#, "expected 1 to 1000"),
        (
            r#"{"from":"0","leverage":"997"},{"from":"9","leverage":"991"}"#,
            "common denominator of at most 100000",
        ),
    ] {
        let refused = refusal(&file(&format!(r#"{{"tiers":[{tiers}]}}"#)));
        assert!(refused.contains(said), "{refused}");
    }
}

#[test]
fn what_is_for_perpetuals_or_one_tier_alone_is_refused_elsewhere() {
    let one = r#""tiers":[{"from":"0","initial":"0.1"}]"#;
    let two = r#""tiers":[{"from":"0","initial":"0.1"},{"from":"1","initial":"0.2"}]"#;
    let interest = r#""open_interest":{"lower":"1","upper":"2"}"#;
    assert!(Model::from_json(&file(&format!("{{{one},{interest}}}"))).is_ok());
    assert!(refusal(&file(&format!("{{{two},{interest}}}"))).contains("of one tier"));
    assert!(
        refusal(&file(&format!(
            r#"{{{one},"open_interest":{{"lower":"2","upper":"2"}}}}"#
        )))
        .contains("less than upper")
    );
    let future = |schedule: &str| file(schedule).replace("perpetual", "future");
    assert!(refusal(&future(&format!("{{{one},{interest}}}"))).contains("a schedule of perpetuals"));
    assert!(refusal(&future(&format!(r#"{{{one},"funding_intervals":"1"}}"#))).contains("0, of dated futures"));
}

#[test]
fn a_weaker_initial_level_and_unknown_names_are_refused() {
    let base = file(r#"{"tiers":[{"from":"0","initial":"0.1"}]}"#);
    for (from, to, said) in [
        (
            r#""underlyings""#,
            r#""initial_haircuts":{"USDC":"-0.1"},"underlyings""#,
            "the asset's haircut to 1",
        ),
        (
            r#""underlyings""#,
            r#""initial_haircuts":{"DAI":"0.1"},"underlyings""#,
            "not among the assets",
        ),
        (
            r#""underlyings""#,
            r#""debt_factors":{"USDC":"0.9"},"underlyings""#,
            "1 to 100",
        ),
        (r#""numeraire":"USD""#, r#""numeraire":"DAI""#, "not among the assets"),
        (
            r#""haircut":"0""#,
            r#""haircut":"0","underlying":"ETH""#,
            "not among the underlyings",
        ),
        (
            r#""model":"linear""#,
            r#""model":"deribit-standard""#,
            "short_option is absent",
        ),
        (
            r#"{"haircut":"0"}},"#,
            r#"{"haircut":"0","cap":"1"}},"initial_haircuts":{"USDC":"0.1"},"#,
            "of an asset with a cap",
        ),
    ] {
        let refused = refusal(&base.replacen(from, to, 1));
        assert!(refused.contains(said), "{refused}");
    }
}
