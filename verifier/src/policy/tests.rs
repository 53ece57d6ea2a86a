#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
use super::*;
use crate::fixture::public;
use serde_json::{Value, json};

fn file() -> Value {
    json!({
        "network": "test",
        "audience": public("audience").to_string(),
        "books": ["line-1"],
        "universes": ["11".repeat(32)],
        "venues": { "alpha": [public("alpha").to_string()], "beta": [public("beta").to_string()] },
        "required_venues": ["alpha"],
        "subject_groups": [[public("a").to_string(), public("b").to_string()]],
        "all_accounts": true,
        "held": true,
        "hypothetical_orders": false,
        "hypothetical_deposits": false,
        "models": ["22".repeat(32)],
        "snapshots": "given",
        "level": "maintenance",
        "ratio": "1.05",
        "excess": "1000",
        "max_snapshot_age": "10m",
        "max_attestation_age": 600_000,
        "nonce": "required",
    })
}

fn with(field: &str, value: Value) -> Result<Policy, PolicyFileError> {
    let mut file = file();
    file[field] = value;
    Policy::from_json(file.to_string().as_bytes())
}

#[test]
fn policy_file_round_trips() {
    let policy = Policy::from_json(file().to_string().as_bytes()).unwrap();
    assert_eq!(
        (policy.ratio.twentieths(), policy.excess, policy.level),
        (21, 1000, zkmargin_risk::terms::Level::Maintenance.into())
    );
    assert_eq!(policy.snapshots, AcceptedSnapshots::Given);
    assert_eq!(policy.max_snapshot_age, policy.max_attestation_age);
    assert_eq!(Policy::from_json(policy.to_json().unwrap().as_bytes()).unwrap(), policy);
    let listed = with("snapshots", json!(["33".repeat(32)])).unwrap();
    assert_eq!(
        listed.snapshots,
        AcceptedSnapshots::Listed(BTreeSet::from([Digest([0x33; 32])]))
    );
    assert_eq!(Policy::from_json(listed.to_json().unwrap().as_bytes()).unwrap(), listed);
}

#[test]
fn unknown_missing_and_duplicate_fields_are_refused() {
    assert!(matches!(with("extra", json!(1)), Err(PolicyFileError::Json(_))));
    for field in file().as_object().unwrap().keys() {
        let mut file = file();
        file.as_object_mut().unwrap().remove(field);
        assert!(
            matches!(
                Policy::from_json(file.to_string().as_bytes()),
                Err(PolicyFileError::Json(_))
            ),
            "{field}"
        );
    }
    let text = file().to_string();
    let twice = format!("{{\"all_accounts\": false, {}", &text[1..]);
    assert!(
        Policy::from_json(twice.as_bytes())
            .unwrap_err()
            .to_string()
            .contains("duplicate field")
    );
    let venue_twice = text.replacen("\"beta\":", "\"alpha\":", 1);
    assert!(
        Policy::from_json(venue_twice.as_bytes())
            .unwrap_err()
            .to_string()
            .contains("duplicate field `alpha`")
    );
    let cut = Policy::from_json(&text.as_bytes()[..text.len() - 1]).unwrap_err();
    assert!(cut.to_string().contains("EOF while parsing"), "{cut}");
    let two = Policy::from_json(format!("{text} {{}}").as_bytes()).unwrap_err();
    assert!(two.to_string().contains("trailing characters"), "{two}");
}

#[test]
fn values_out_of_bounds_are_refused() {
    for (field, value) in [
        ("network", json!("live")),
        ("level", json!("variance")),
        ("ratio", json!("0.95")),
        ("ratio", json!("1.01")),
        ("ratio", json!(1.05)),
        ("ratio", json!("NaN")),
        ("excess", json!("-1")),
        ("excess", json!(1000)),
        ("excess", json!("+1")),
        ("excess", json!("18446744073709551616")),
        ("max_snapshot_age", json!("10")),
        ("max_attestation_age", json!(-1)),
        ("nonce", json!("optional")),
        ("snapshots", json!("any")),
        ("books", json!([""])),
        ("audience", json!("00")),
        ("models", json!(["22"])),
        ("all_accounts", json!("yes")),
        ("held", json!("yes")),
        ("hypothetical_orders", json!("refused")),
        ("hypothetical_deposits", json!(0)),
    ] {
        assert!(
            matches!(with(field, value.clone()), Err(PolicyFileError::Json(_))),
            "{field}: {value}"
        );
    }
}

/// Where a field may be one of several things, serde would take a structure's values without their names.
#[test]
fn array_in_place_of_an_object_is_refused_at_every_depth() {
    let key = public("alpha").to_string();
    let publishers = json!({ "signed_by": 1, "of": [{ "key": key, "until": "2026-08-06T12:00:00Z" }] });
    assert!(with("snapshots", publishers).is_ok());
    for (field, value) in [
        ("snapshots", json!([1, [key]])),
        ("snapshots", json!({ "signed_by": 1, "of": [[key]] })),
        (
            "venues",
            json!({ "alpha": [[key, null, "2026-08-06T12:00:00Z", null]] }),
        ),
        ("calls", json!(["5m", "2m"])),
    ] {
        assert!(
            matches!(with(field, value.clone()), Err(PolicyFileError::Json(_))),
            "{field}: {value}"
        );
    }
}

#[test]
fn policy_that_could_accept_nothing_is_refused() {
    for field in ["books", "universes", "models", "snapshots"] {
        assert!(matches!(with(field, json!([])), Err(PolicyFileError::Empty { field: empty }) if empty == field));
    }
    assert!(matches!(with("venues", json!({})), Err(PolicyFileError::Empty { .. })));
    assert!(matches!(
        with("venues", json!({ "alpha": [] })),
        Err(PolicyFileError::Empty { .. })
    ));
    assert!(
        matches!(with("required_venues", json!(["gamma"])), Err(PolicyFileError::RequiredVenue { venue }) if venue == "gamma")
    );
}

#[test]
fn group_of_nobody_is_refused() {
    assert!(with("subject_groups", json!([])).is_ok());
    let key = public("a").to_string();
    for (groups, place, count) in [(json!([[]]), 1, 1), (json!([[key], []]), 2, 2)] {
        assert!(matches!(
            with("subject_groups", groups),
            Err(PolicyFileError::EmptyGroup { group, groups }) if (group, groups) == (place, count)
        ));
    }
}

#[test]
fn keys_that_cannot_sign_or_are_shared_are_refused() {
    let identity = format!("01{}", "00".repeat(31));
    assert!(matches!(
        with("audience", json!(identity)),
        Err(PolicyFileError::Key { .. })
    ));
    assert!(matches!(
        with("venues", json!({ "alpha": [identity] })),
        Err(PolicyFileError::Key { .. })
    ));
    assert!(matches!(
        with("subject_groups", json!([[identity]])),
        Err(PolicyFileError::Key { .. })
    ));
    assert!(matches!(
        with("snapshots", json!({ "signed_by": 1, "of": [public("publisher").to_string(), identity] })),
        Err(PolicyFileError::Key { field, .. }) if field == "snapshots"
    ));
    let key = public("alpha").to_string();
    let shared = with("venues", json!({ "alpha": [key], "beta": [key] }));
    assert!(
        matches!(shared, Err(PolicyFileError::SharedKey { first, second, .. }) if (first.as_str(), second.as_str()) == ("alpha", "beta"))
    );
    let subject = public("a").to_string();
    let twice = with("subject_groups", json!([[subject], [subject]]));
    assert!(matches!(twice, Err(PolicyFileError::SubjectInTwoGroups { subject }) if subject == public("a")));
}

#[test]
fn file_larger_than_the_cap_is_refused() {
    let of = |length: usize| Policy::from_json(&vec![b' '; length]);
    let large = |length| matches!(of(length), Err(PolicyFileError::TooLarge { length: found }) if found == length);
    assert!(large(MAX_POLICY_BYTES + 1));
    assert!(!large(MAX_POLICY_BYTES));
}

#[test]
fn schema_names_every_field_and_allows_no_other() {
    let schema = schemars::schema_for!(Policy).to_value();
    let names = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
    let optional = ["breaker", "calls", "max_validity"].map(str::to_owned);
    let all: BTreeSet<String> = names(&file()).into_iter().chain(optional).collect();
    assert_eq!(names(&schema["properties"]), all);
    assert_eq!(schema["additionalProperties"], json!(false));
    assert_eq!(schema["required"].as_array().unwrap().len(), names(&file()).len());
}
