use crate::desk::{desk, example, run};

#[test]
fn every_kind_of_file_is_recognized() {
    let desk = desk();
    for (file, kind) in [
        ("universe.json", "universe"),
        ("snapshot.json", "snapshot"),
        ("optionhouse.json", "venue"),
        ("options-account.json", "account"),
        ("trader.key", "key"),
        ("options.attestation", "attestation"),
        ("options.opening", "opening"),
        ("paradex-pm", "model"),
        ("deribit-pm", "model"),
    ] {
        let found = run(desk.path(), &["inspect", file, "--json"]).done().json();
        assert_eq!(found["kind"], kind, "{file}");
        assert!(!run(desk.path(), &["inspect", file]).done().out.is_empty());
    }
    let account = r#"{"attestation":"options.attestation","opening":"options.opening"}"#;
    desk.write(
        "inspected-batch.json",
        &format!(r#"{{"statements":[{{"name":"one","book":"line-1","accounts":[{account}],"subject_keys":["trader.key"]}}]}}"#),
    );
    let found = run(desk.path(), &["inspect", "inspected-batch.json", "--json"])
        .done()
        .json();
    assert_eq!(
        (&found["kind"], &found["statements"], &found["accounts"]),
        (&"batch".into(), &1.into(), &1.into())
    );
    desk.write("noise", "\u{1}\u{2}");
    run(desk.path(), &["inspect", "noise"]).refused(2, &["noise", "neither JSON nor one of our binary files"]);
    desk.write("other.json", r#"{"cat": 1}"#);
    run(desk.path(), &["inspect", "other.json"]).refused(2, &["of no kind that is looked into here"]);
    run(desk.path(), &["inspect", "absent"]).refused(2, &["cannot read absent"]);
}

#[test]
fn secrets_are_not_shown() {
    let desk = desk();
    let key = std::fs::read_to_string(desk.path().join("optionhouse.key")).unwrap();
    let key: serde_json::Value = serde_json::from_str(&key).unwrap();
    for words in [
        &["inspect", "optionhouse.key"][..],
        &["--json", "inspect", "optionhouse.key"][..],
    ] {
        let shown = run(desk.path(), words).done();
        for secret in ["signing", "pseudonym"] {
            assert!(!shown.out.contains(key[secret].as_str().unwrap()), "{secret}");
        }
    }
    let account = run(desk.path(), &["--json", "inspect", "options-account.json"]).done();
    assert!(!account.out.contains("BTC-28AUG26"));
}

#[test]
fn recorded_chain_is_imported_and_says_what_it_did() {
    let folder = tempfile::tempdir().unwrap();
    let csv = "date,currency,instrument,expiry,strike,type,open_interest,mark_iv,underlying_usd\n\
               2026-08-06,BTC,BTC-28AUG26-70000-C,28AUG26,70000,call,12.5,35.1,64570\n\
               2026-08-06,BTC,BTC-28AUG26-70000-P,28AUG26,70000,put,0,35.1,64570\n\
               2026-08-06,BTC,BTC-7AUG26-70000-C,7AUG26,70000,call,1,35.1,64500\n";
    std::fs::write(folder.path().join("chain.csv"), csv).unwrap();
    let import = |more: &[&str]| {
        let words = ["snapshot", "import", "recorded-chain", "chain.csv", "-o", "s.json"];
        run(folder.path(), &words.iter().chain(more).copied().collect::<Vec<_>>())
    };
    import(&[]).refused(2, &["--time"]);
    import(&["--time", "2026-08-07T12:00:00Z"]).refused(2, &["2026-08-06"]);
    assert!(!folder.path().join("s.json").exists());
    let done = import(&["--time", "2026-08-06T12:00:00Z", "--min-tenor", "2d"]).done();
    for part in ["Dropped: 1", "BTC-7AUG26-70000-C", "Assumed:", "Derived:", "0 warnings"] {
        assert!(done.out.contains(part), "no {part:?} in:\n{}", done.out);
    }
    let data = import(&["--time", "2026-08-06T12:00:00Z", "--force", "--json"])
        .done()
        .json();
    assert_eq!(data["import"]["options"], 3);
    run(folder.path(), &["inspect", "s.json"]).done();
}

#[test]
fn deribit_answers_and_recordings_are_imported() {
    let fixture = |name: &str| example("../risk/tests/fixtures").join(name);
    let folder = tempfile::tempdir().unwrap();
    let btc = folder.path().join("BTC");
    std::fs::create_dir(&btc).unwrap();
    for name in ["instruments.json", "options.json", "futures.json", "perpetual.json"] {
        std::fs::copy(fixture("deribit_api").join(format!("btc-{name}")), btc.join(name)).unwrap();
    }
    let api = ["--json", "snapshot", "import", "deribit-api", "BTC", "-o", "api.json"];
    assert_eq!(run(folder.path(), &api).done().json()["kind"], "snapshot");
    std::fs::copy(fixture("deribit_recording.json"), folder.path().join("r.json")).unwrap();
    let recording = [
        "snapshot",
        "import",
        "deribit-recording",
        "r.json",
        "-o",
        "recording.json",
    ];
    let done = run(folder.path(), &recording).done();
    assert!(
        done.out.contains("Unpriced: ") && !done.out.contains("Unpriced: nothing"),
        "{}",
        done.out
    );
    std::fs::remove_file(btc.join("perpetual.json")).unwrap();
    let again = ["snapshot", "import", "deribit-api", "BTC", "-o", "again.json"];
    let refused = run(folder.path(), &again);
    refused.refused(2, &["cannot read BTC/perpetual.json"]);
    assert_eq!(
        refused.err.matches("os error 2").count(),
        1,
        "said once: {}",
        refused.err
    );
    assert!(!folder.path().join("again.json").exists());
}

#[test]
fn usage_is_explained() {
    let folder = tempfile::tempdir().unwrap();
    run(folder.path(), &[]).refused(2, &["Usage"]);
    run(folder.path(), &["prove"]).refused(2, &["--universe"]);
    for words in [&["schema"][..], &["schema", "nosuch"]] {
        run(folder.path(), words).refused(2, &["there are account, ", "model-"]);
    }
    run(folder.path(), &["keygen", "cat", "-o", "x"]).refused(2, &["venue, subject, audience"]);
    let help = run(folder.path(), &["prove", "--help"]).done().out;
    assert!(help.contains("--attestation") && help.contains("sell 5 BTC-28AUG26-70000-C @ 0.0215 fee 0.0003"));
    assert!(
        run(folder.path(), &["man", "venue", "attest"])
            .done()
            .out
            .contains("zkmargin")
    );
    assert!(
        run(folder.path(), &["completions", "bash"])
            .done()
            .out
            .contains("zkmargin")
    );
    run(folder.path(), &["man", "cat"]).refused(2, &["cat"]);
    let key = "00".repeat(32);
    run(folder.path(), &["prove", "--audience", &key]).refused(2, &["no usable Ed25519 public key"]);
}
