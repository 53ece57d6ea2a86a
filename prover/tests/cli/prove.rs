use crate::desk::{AT, desk, run};

const BOTH: [(&str, &str); 2] = [
    ("options.attestation", "options.opening"),
    ("hedge.attestation", "hedge.opening"),
];

#[test]
fn accounts_that_meet_the_model_together_are_proven() {
    let desk = desk();
    let mut words = desk.prove(&BOTH, "good.bundle");
    words.extend(["--json", "--ratio", "1.05", "--excess", "1000", "--valid-for", "5m"]);
    let proven = run(desk.path(), &words).done().json();
    let statement = &proven["statements"][0];
    assert_eq!(statement["ratio"], "1.05");
    assert_eq!(statement["until"], "2026-08-06T12:06:00Z");
    assert_eq!(proven["at"], AT);
    let bytes = std::fs::read(desk.path().join("good.bundle")).unwrap();
    assert_eq!(proven["bundle_bytes"], bytes.len());
    let looked = run(desk.path(), &["--json", "inspect", "good.bundle"]).done().json();
    assert_eq!(looked["verified"], false);
    assert_eq!(looked["statements"][0]["attestations"].as_array().unwrap().len(), 2);
    run(desk.path(), &words).refused(2, &["good.bundle exists already"]);
}

#[test]
fn order_is_added_to_the_book() {
    let desk = desk();
    let mut words = desk.prove(&BOTH, "order.bundle");
    words.extend(["--json", "--order", "sell 1 BTC-28AUG26-70000-C @ 0.0075 fee 0.0003"]);
    let proven = run(desk.path(), &words).done().json();
    let order = proven["statements"][0]["order"].as_str().unwrap().to_owned();
    assert_eq!(order, "sell 1 optionhouse:BTC-28AUG26-70000-C @ 0.0075 fee 0.0003");
    let mut words = desk.prove(&BOTH, "order-text.bundle");
    words.extend(["--order", "sell 1 BTC-28AUG26-70000-C @ 0.0075", "--deposit", "5 USDC"]);
    let said = run(desk.path(), &words).done().out;
    let supposed = "IF what is supposed happens (order sell 1 optionhouse:BTC-28AUG26-70000-C @ 0.0075 fee 0; deposit 5 perphouse:USDC), 2 accounts";
    assert!(said.contains(supposed), "{said}");
    let mut words = desk.prove(&BOTH, "order2.bundle");
    words.extend(["--order", "sell 1 BTC-28AUG26-70001-C @ 0.0075"]);
    run(desk.path(), &words).refused(2, &["--order", "BTC-28AUG26-70001-C"]);
}

#[test]
fn short_book_is_not_proven_and_the_trader_alone_is_told_by_how_much() {
    let desk = desk();
    let pairs = [
        ("short.attestation", "short.opening"),
        ("hedge.attestation", "hedge.opening"),
    ];
    let words = desk.prove(&pairs, "short.bundle");
    let refused = run(desk.path(), &words);
    let requirement = "statement 1: the maintenance requirement of paradex-pm is not met; nothing was proven";
    refused.refused(4, &[requirement, "short by ", " USD"]);
    let both = ["--level", "initial", "--ratio", "1.05", "--excess", "1000"];
    run(desk.path(), &words.iter().copied().chain(both).collect::<Vec<_>>()).refused(
        4,
        &["the initial requirement of paradex-pm, 1.05 times over and with 1000 USD to spare, is not met"],
    );
    assert!(refused.out.is_empty() && !desk.exists("short.bundle"));
    let mut words = words;
    words.push("--json");
    let refused = run(desk.path(), &words).json();
    assert_eq!(refused["exit"], 4);
    assert!(refused["shortfall"].as_str().unwrap().ends_with(" USD"));
    assert!(
        !refused["error"]
            .as_str()
            .unwrap()
            .contains(refused["shortfall"].as_str().unwrap())
    );
}

#[test]
fn opening_of_another_account_is_refused() {
    let desk = desk();
    let swapped = [
        ("options.attestation", "hedge.opening"),
        ("hedge.attestation", "options.opening"),
    ];
    run(desk.path(), &desk.prove(&swapped, "none.bundle")).refused(2, &["differ in venue"]);
    // The same venue, epoch and universe, another account.
    let other = [
        ("options.attestation", "short.opening"),
        ("hedge.attestation", "hedge.opening"),
    ];
    run(desk.path(), &desk.prove(&other, "none.bundle")).refused(2, &["differ in account"]);
    // The same account, other blinds.
    run(
        desk.path(),
        &desk.attest(
            "optionhouse.key",
            "options-account.json",
            "blinds.attestation",
            "blinds.opening",
        ),
    )
    .done();
    let other = [
        ("options.attestation", "blinds.opening"),
        ("hedge.attestation", "hedge.opening"),
    ];
    run(desk.path(), &desk.prove(&other, "none.bundle")).refused(2, &["does not fit its attestation", "column 0"]);
    assert!(!desk.exists("none.bundle"));
}

#[test]
fn statement_must_fit_its_attestations() {
    let desk = desk();
    let twice = [BOTH[0], BOTH[0], BOTH[1]];
    run(desk.path(), &desk.prove(&twice, "none.bundle")).refused(3, &["this account counts already"]);
    let mut words = desk.prove(&BOTH, "none.bundle");
    words.extend(["--book", "line-2"]);
    let place = words.iter().position(|word| *word == "--book").unwrap();
    words.drain(place..place + 2);
    run(desk.path(), &words).refused(3, &["made for book \"line-1\""]);
    let mut words = desk.prove(&BOTH, "none.bundle");
    words.extend(["--valid-for", "2h"]);
    run(desk.path(), &words).refused(3, &["before the statement's end"]);
    let mut words = desk.prove(&BOTH, "none.bundle");
    words.extend(["--window", "2026-08-06T12:02:00Z/2026-08-06T12:30:00Z"]);
    run(desk.path(), &words).refused(3, &["is not good before"]);
    assert!(!desk.exists("none.bundle"));
}

#[test]
fn subject_key_and_pairs_must_be_complete() {
    let desk = desk();
    run(desk.path(), &["keygen", "subject", "-o", "nobody.key"]).done();
    let mut words = desk.prove(&BOTH, "none.bundle");
    let key = words.iter().position(|word| *word == "trader.key").unwrap();
    words[key] = "nobody.key";
    run(desk.path(), &words).refused(2, &["the key of subject", &desk.trader]);
    let mut words = desk.prove(&BOTH, "none.bundle");
    words.extend(["--attestation", "options.attestation"]);
    run(desk.path(), &words).refused(2, &["3 attestations and 2 openings"]);
    assert!(!desk.exists("none.bundle"));
}

#[test]
fn attestation_with_another_signature_is_refused_as_a_wrong_signature() {
    let desk = desk();
    let mut bytes = std::fs::read(desk.path().join("options.attestation")).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(desk.path().join("forged.attestation"), &bytes).unwrap();
    let pairs = [("forged.attestation", "options.opening"), BOTH[1]];
    run(desk.path(), &desk.prove(&pairs, "none.bundle"))
        .refused(1, &["optionhouse", "the signature is not one of key"]);
    bytes.truncate(100);
    std::fs::write(desk.path().join("cut.attestation"), &bytes).unwrap();
    let pairs = [("cut.attestation", "options.opening"), BOTH[1]];
    run(desk.path(), &desk.prove(&pairs, "none.bundle")).refused(2, &["cut.attestation", "attestation"]);
    assert!(!desk.exists("none.bundle"));
}

#[test]
fn margin_of_each_account_alone_is_not_met_and_of_both_is() {
    let desk = desk();
    let margin = |more: &[&str]| {
        let words = [
            "margin",
            "--universe",
            "universe.json",
            "--snapshot",
            "snapshot.json",
            "--model",
            "paradex-pm",
        ];
        run(desk.path(), &words.iter().chain(more).copied().collect::<Vec<_>>())
    };
    let (options, hedge) = (
        ["--account", "options-account.json"],
        ["--account", "hedge-account.json"],
    );
    assert_eq!(margin(&options).code, 4);
    assert_eq!(margin(&hedge).code, 4);
    let both = margin(&[options, hedge].concat()).done();
    assert!(both.out.contains("worst"), "{}", both.out);
    let drawn = [
        ["--opening", "options.opening"],
        ["--opening", "hedge.opening"],
        ["--svg", "map.svg"],
    ]
    .concat();
    margin(&drawn).done();
    assert!(
        std::fs::read_to_string(desk.path().join("map.svg"))
            .unwrap()
            .contains("<svg")
    );
    #[cfg(unix)]
    assert_eq!(crate::desk::mode(&desk.path().join("map.svg")), 0o600);
    margin(&drawn).refused(2, &["map.svg exists already"]);
}
