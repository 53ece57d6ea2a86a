use crate::desk::{Desk, EPOCH, Ran, desk, run};

#[test]
fn key_file_is_secret_and_not_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let made = run(at, &["keygen", "venue", "-o", "a.key"]).done();
    #[cfg(unix)]
    assert_eq!(crate::desk::mode(&at.join("a.key")), 0o600);
    let text = std::fs::read_to_string(at.join("a.key")).unwrap();
    let public = made.out.lines().next().unwrap();
    assert!(public.len() == 64 && text.contains(public));
    run(at, &["keygen", "venue", "-o", "a.key"]).refused(2, &["a.key exists already", "--force"]);
    assert_eq!(std::fs::read_to_string(at.join("a.key")).unwrap(), text);
    let replaced = run(at, &["--json", "keygen", "subject", "-o", "a.key", "--force"])
        .done()
        .json();
    assert_eq!(
        (replaced["role"].as_str(), replaced["exit"].as_i64()),
        (Some("subject"), Some(0))
    );
}

/// Attests an account that must be refused; neither file may be there afterwards.
#[track_caller]
fn attest_refused(desk: &Desk, name: &str, account: &str, parts: &[&str]) {
    let file = format!("{name}.json");
    desk.write(&file, account);
    let (attestation, opening) = (format!("{name}.attestation"), format!("{name}.opening"));
    run(
        desk.path(),
        &desk.attest("optionhouse.key", &file, &attestation, &opening),
    )
    .refused(2, parts);
    assert!(!desk.exists(&attestation) && !desk.exists(&opening));
}

#[test]
fn account_that_is_not_whole_lots_of_known_instruments_is_not_attested() {
    let desk = desk();
    let account = |positions: &str| format!(r#"{{"venue":"optionhouse","positions":[{positions}]}}"#);
    let row = |name: &str, contracts: &str| format!(r#"{{"instrument":"{name}","contracts":"{contracts}"}}"#);
    let call = "BTC-28AUG26-70000-C";
    for (index, (rows, parts)) in [
        (
            row(call, "0.25"),
            ["0.25 is not a whole number of lots of 0.1", "refused-0.json"],
        ),
        (row("BTC-28AUG26-70001-C", "1"), ["BTC-28AUG26-70001-C", "optionhouse"]),
        (
            format!("{},{}", row(call, "1"), row(call, "-1")),
            ["position", "has two rows"],
        ),
        (row(call, "28147497671065.6"), ["more than 2^48 - 1 lots", call]),
        (row(call, "NaN"), ["`NaN` is not an amount", "line 1"]),
        (
            r#"{"instrument":"x","contracts":"1","extra":1}"#.to_owned(),
            ["unknown field `extra`", "line 1"],
        ),
        (row(call, "1") + ",", ["line 1", "account"]),
    ]
    .into_iter()
    .enumerate()
    {
        attest_refused(desk, &format!("refused-{index}"), &account(&rows), &parts);
    }
}

#[test]
fn venue_signs_only_with_its_own_key_and_in_order_of_time() {
    let desk = desk();
    let words = desk.attest(
        "perphouse.key",
        "options-account.json",
        "other.attestation",
        "other.opening",
    );
    run(desk.path(), &words).refused(2, &["does not give venue \"optionhouse\" the key"]);
    let words = desk.attest(
        "trader.key",
        "options-account.json",
        "other.attestation",
        "other.opening",
    );
    run(desk.path(), &words).refused(
        2,
        &["trader.key", "this is the key of a subject, expected that of a venue"],
    );
    let mut words = desk.attest(
        "optionhouse.key",
        "options-account.json",
        "other.attestation",
        "other.opening",
    );
    let at = words.iter().position(|word| *word == "--at").unwrap() + 1;
    words[at] = "2026-08-06T11:59:59Z";
    run(desk.path(), &words).refused(2, &["the epoch 2026-08-06T12:00:00Z is after the time of signing"]);
    words[at] = "2026-08-06T13:00:00.001Z";
    run(desk.path(), &words).refused(2, &["is after the expiry"]);
    words[at] = EPOCH;
    let key = words.iter().position(|word| *word == "optionhouse.key").unwrap();
    run(desk.path(), &["keygen", "audience", "-o", "audience.key"]).done();
    words[key] = "audience.key";
    run(desk.path(), &words).refused(2, &["this is the key of an audience, expected that of a venue"]);
    let words = desk.attest("optionhouse.key", "options-account.json", "one", "one");
    run(desk.path(), &words).refused(2, &["two outputs would be written to one"]);
    assert!(!desk.exists("other.attestation") && !desk.exists("other.opening") && !desk.exists("one"));
}

#[test]
fn one_of_a_thing_is_singular() {
    let desk = desk();
    let words = desk.attest(
        "perphouse.key",
        "hedge-account.json",
        "singular.attestation",
        "singular.opening",
    );
    let said = run(desk.path(), &words).done().out;
    assert!(said.contains(" in 1 commitment."), "{said}");
    let looked = run(desk.path(), &["inspect", "singular.attestation"]).done().out;
    assert!(looked.contains(", 1 commitment\n"), "{looked}");
}

#[test]
fn two_attestations_of_one_account_share_the_pseudonym_and_no_commitment() {
    let desk = desk();
    run(
        desk.path(),
        &desk.attest(
            "optionhouse.key",
            "options-account.json",
            "again.attestation",
            "again.opening",
        ),
    )
    .done();
    let look = |file| run(desk.path(), &["--json", "inspect", file]).done().json();
    let (first, second) = (look("options.attestation"), look("again.attestation"));
    assert_eq!(first["account"], second["account"]);
    let points = |found: &serde_json::Value| {
        let points = found["commitments"].as_array().unwrap().iter();
        points
            .map(|point| point.as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let (first, second) = (points(&first), points(&second));
    assert!(!first.is_empty() && first.len() == second.len());
    assert!(first.iter().all(|point| !second.contains(point)));
}

/// `venue update` of a running commitment.
fn update(desk: &Desk, state: &str, words: &[&str]) -> Ran {
    let all = ["venue", "update", "--universe", "universe.json", "--state", state];
    run(desk.path(), &[&all[..], words].concat())
}

#[test]
fn fills_update_a_running_commitment_to_what_the_account_then_holds() {
    let desk = desk();
    desk.write(
        "before.json",
        r#"{"venue":"perphouse",
            "positions":[{"instrument":"BTC-PERPETUAL","contracts":"100","entry":"50000"}],
            "balances":[{"asset":"BTC","amount":"1"}]}"#,
    );
    // Sold through zero at twice the price, each fill 0.001 BTC in fees; 0.5 BTC withdrawn.
    desk.write(
        "fills.json",
        r#"{"venue":"perphouse",
            "fills":[{"instrument":"BTC-PERPETUAL","contracts":"-100","price":"100000","fee":"0.001"},
                     {"instrument":"BTC-PERPETUAL","contracts":"-30","price":"100000","fee":"0.001"}],
            "transfers":[{"asset":"BTC","amount":"-0.5"}]}"#,
    );
    // Carry in BTC: 100*10/50000 - 130*10/100000 = 0.02 - 0.013.
    desk.write(
        "after.json",
        r#"{"venue":"perphouse",
            "positions":[{"instrument":"BTC-PERPETUAL","contracts":"-30","carry":"0.007"}],
            "balances":[{"asset":"BTC","amount":"0.498"}]}"#,
    );
    update(desk, "running.state", &["--account", "before.json"]).done();
    let updated = update(desk, "running.state", &["--json", "--fills", "fills.json"])
        .done()
        .json();
    assert_eq!(updated["equals_recommitting"], true);
    // Long leg, carry credit, balance; short leg, carry credit, balance; balance.
    assert_eq!(updated["legs_moved"], 7);
    update(desk, "expected.state", &["--account", "after.json"]).done();
    let bytes = |name: &str| std::fs::read(desk.path().join(name)).unwrap();
    assert_eq!(bytes("running.state"), bytes("expected.state"));
    #[cfg(unix)]
    assert_eq!(crate::desk::mode(&desk.path().join("running.state")), 0o600);

    // What is attested from it opens to the same account.
    let mut words = desk.attest("perphouse.key", "ignored", "running.attestation", "running.opening");
    let place = words.iter().position(|word| *word == "--account").unwrap();
    (words[place], words[place + 1]) = ("--state", "running.state");
    run(desk.path(), &words).done();
    let margin = |kind: &str, file: &str| {
        let words = [
            "--json",
            "margin",
            "--universe",
            "universe.json",
            "--snapshot",
            "snapshot.json",
            "--model",
            "paradex-pm",
            kind,
            file,
        ];
        run(desk.path(), &words).json()
    };
    assert_eq!(
        margin("--opening", "running.opening"),
        margin("--account", "after.json")
    );
}

#[test]
fn updates_at_once_are_all_applied_or_refused() {
    let desk = desk();
    desk.write(
        "one.json",
        r#"{"venue":"perphouse","transfers":[{"asset":"BTC","amount":"1"}]}"#,
    );
    desk.write("nothing.json", r#"{"venue":"perphouse"}"#);
    update(desk, "shared.state", &["--account", "nothing.json"]).done();
    let ran: Vec<_> = std::thread::scope(|scope| {
        let each = || update(desk, "shared.state", &["--fills", "one.json"]);
        let started: Vec<_> = (0..6).map(|_| scope.spawn(each)).collect();
        started.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let mut applied = 0;
    for ran in ran {
        if ran.code == 0 {
            applied += 1;
        } else {
            ran.refused(2, &["shared.state.lock: another zkmargin is at work on it"]);
        }
    }
    assert!(applied > 0);
    let balance = format!(r#"{{"venue":"perphouse","balances":[{{"asset":"BTC","amount":"{applied}"}}]}}"#);
    desk.write("applied.json", &balance);
    update(desk, "applied.state", &["--account", "applied.json"]).done();
    let bytes = |name: &str| std::fs::read(desk.path().join(name)).unwrap();
    assert_eq!(bytes("shared.state"), bytes("applied.state"));
    assert!(!desk.exists("shared.state.lock") || cfg!(not(unix)));
}

#[test]
fn attestation_and_opening_are_not_one_file_by_two_names() {
    let desk = desk();
    let mut words = desk.attest("perphouse.key", "hedge-account.json", "both", "./both");
    words.push("--force");
    run(desk.path(), &words).refused(2, &["two outputs would be written to ./both"]);
    assert!(!desk.exists("both"));
}

#[test]
fn refused_fills_leave_the_running_commitment_as_it_was() {
    let desk = desk();
    desk.write(
        "small.json",
        r#"{"venue":"perphouse","balances":[{"asset":"BTC","amount":"1"}]}"#,
    );
    update(desk, "kept.state", &["--account", "small.json"]).done();
    update(desk, "kept.state", &["--account", "small.json"]).refused(2, &["kept.state exists already"]);
    let before = std::fs::read(desk.path().join("kept.state")).unwrap();
    let fill = |instrument: &str, contracts: &str, price: &str| {
        format!(
            r#"{{"venue":"perphouse","fills":[{{"instrument":"{instrument}","contracts":"{contracts}","price":"{price}","fee":"0"}}]}}"#
        )
    };
    for (text, parts) in [
        (
            fill("BTC-PERPETUAL", "0.5", "60000"),
            ["fills[0]: contracts", "0.5 is not a whole number of lots"],
        ),
        (fill("BTC-PERPETUAL", "1", "0"), ["fills[0]: price is 0", "above 0"]),
        (
            fill("BTC-PERPETUAL", "0.0", "60000"),
            ["bad.json", "fills[0]: contracts is 0, expected other than 0"],
        ),
        (
            fill("BTC-PERP", "1", "60000"),
            ["has no instrument \"BTC-PERP\"", "perphouse"],
        ),
        (
            fill("BTC-PERPETUAL", "1", "60000").replace("perphouse", "optionhouse"),
            ["of venue \"optionhouse\"", "\"perphouse\""],
        ),
        (
            fill("BTC-PERPETUAL", "281474976710656", "60000"),
            ["2^48 - 1 lots", "fills[0]"],
        ),
        ("{".to_owned(), ["bad.json", "fills: EOF"]),
    ] {
        desk.write("bad.json", &text);
        update(desk, "kept.state", &["--fills", "bad.json"]).refused(2, &parts);
        assert_eq!(std::fs::read(desk.path().join("kept.state")).unwrap(), before);
    }
    // A changed sum is found when the state is read.
    let mut changed = before.clone();
    let last = changed.iter().rposition(|byte| *byte == 0x58).unwrap();
    changed[last + 5] ^= 1;
    std::fs::write(desk.path().join("kept.state"), &changed).unwrap();
    desk.write("none.json", r#"{"venue":"perphouse"}"#);
    update(desk, "kept.state", &["--fills", "none.json"]).refused(2, &["running commitment"]);
}
