//! Sensitivities in a universe.

use zkmargin_risk::universe::{Kind, RiskType, Universe, UniverseError};

use crate::with;

const TEXT: &str = r#"{"network": "test", "k": 6, "venues": [{"name": "a", "keys": ["0101010101010101010101010101010101010101010101010101010101010101"], "lines": [
    {"asset":{"name":"USD","lot":"0.01","reserve":true}},
    {"instrument":{"name":"S1","underlying":"RatesFX","kind":{"sensitivity":{"risk_type":"Risk_IRCurve","qualifier":"USD","bucket":"1","label1":"5y","label2":"OIS"}},"style":"linear","settlement":"USD","contract":"1","lot":"1"}}
]}]}"#;

#[test]
fn a_sensitivity_is_a_line_of_two_legs_and_round_trips() {
    let universe = Universe::from_json(TEXT).unwrap();
    let instrument = universe.lookup("a", "S1").unwrap();
    let Kind::Sensitivity(sensitivity) = &instrument.kind else {
        panic!("{:?}", instrument.kind)
    };
    assert_eq!(sensitivity.risk_type, RiskType::InterestRate);
    assert_eq!(sensitivity.to_string(), "Risk_IRCurve USD 1 5y OIS");
    assert!(!instrument.kind.is_carried() && instrument.kind.expiry().is_none());
    assert_eq!(Universe::from_json(&universe.to_json().unwrap()).unwrap(), universe);
}

#[test]
fn every_text_of_a_sensitivity_is_in_the_digest() {
    let digest = |text: &str| Universe::from_json(text).unwrap().digest();
    let changes = [
        ("Risk_IRCurve", "Risk_Inflation"),
        (r#""qualifier":"USD""#, r#""qualifier":"EUR""#),
        (r#""bucket":"1""#, r#""bucket":"2""#),
        (r#""label1":"5y""#, r#""label1":"3y""#),
        (r#""label2":"OIS""#, r#""label2":"Prime""#),
        // The same letters, divided differently between two fields.
        (r#""label1":"5y","label2":"OIS""#, r#""label1":"5yO","label2":"IS""#),
    ];
    for (from, to) in changes {
        assert_ne!(digest(&with(TEXT, from, to)), digest(TEXT), "{to}");
    }
}

#[test]
fn a_sensitivity_without_a_qualifier_or_with_a_text_that_is_none_is_refused() {
    let changes = [
        (r#""qualifier":"USD""#, r#""qualifier":"""#),
        (r#""label1":"5y""#, r#""label1":" 5y""#),
        (r#""label2":"OIS""#, r#""label2":"O  IS""#),
        (r#""style":"linear""#, r#""style":"inverse""#),
    ];
    for (from, to) in changes {
        let refused = Universe::from_json(&with(TEXT, from, to));
        assert!(
            matches!(refused, Err(UniverseError::Sensitivity { .. })),
            "{to}: {refused:?}"
        );
    }
    assert!(Universe::from_json(&with(TEXT, "Risk_IRCurve", "Risk_Weather")).is_err());
}
