use crate::desk::{desk, example, run};

const CLOSES: &str = "date,symbol,us_close_usd,global_close_usd,premium_pct
2026-08-04,BTC,64010,64000,0
2026-08-05,BTC,62990,63000,0
2026-08-06,BTC,63990,64000,0
";
const INDICES: &str = "date,currency,dvol
2026-08-05,BTC,35.5
2026-08-06,BTC,34.25
2026-08-07,BTC,34
";

#[test]
fn recorded_closes_are_imported_and_what_is_wrong_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("closes.csv", CLOSES);
    write("dvol.csv", INDICES);
    let import = |more: &[&str]| {
        let words = ["history", "import", "closes", "--closes", "closes.csv", "-o", "h.json"];
        run(folder.path(), &words.iter().chain(more).copied().collect::<Vec<_>>())
    };
    let done = import(&["--dvol", "dvol.csv", "--source", "by hand"]).done().out;
    for part in [
        "3 days, 2026-08-04 to 2026-08-06",
        "since 2026-08-05",
        "Dropped: BTC",
        "Source: by hand",
        "h.json  the history",
    ] {
        assert!(done.contains(part), "no {part:?} in:\n{done}");
    }
    import(&[]).refused(2, &["h.json exists already"]);
    let looked = run(folder.path(), &["--json", "inspect", "h.json"]).done().json();
    assert_eq!((&looked["kind"], &looked["days"]), (&"history".into(), &3.into()));
    let again = import(&["--dvol", "dvol.csv", "--source", "by hand", "--force", "--json"])
        .done()
        .json();
    assert_eq!(again["digest"], looked["digest"]);
    write("dvol.csv", &INDICES.replacen("35.5", "0", 1));
    import(&["--dvol", "dvol.csv", "--force"]).refused(2, &["dvol.csv: ", "dvol"]);
    write("closes.csv", &CLOSES.replacen("2026-08-05,BTC,62990,63000,0\n", "", 1));
    import(&["--force"]).refused(
        2,
        &[
            "closes.csv: ",
            "there is no row of 2026-08-05, between 2026-08-04 and 2026-08-06",
        ],
    );
}

#[test]
fn a_model_that_looks_back_takes_its_history_and_no_other() {
    let desk = desk();
    std::fs::copy(example("histories/2026-08-07.json"), desk.path().join("history.json")).unwrap();
    let mut words = desk.prove(
        &[
            ("options.attestation", "options.opening"),
            ("hedge.attestation", "hedge.opening"),
        ],
        "looks-back.bundle",
    );
    let model = words.iter().position(|word| *word == "paradex-pm").unwrap();
    words[model] = "hs-es";
    run(desk.path(), &words).refused(2, &["--history: hs-es needs the price history 81a5fbfe"]);
    words.extend(["--history", "history.json", "--json"]);
    let proven = run(desk.path(), &words).done().json();
    let looked = run(desk.path(), &["--json", "inspect", "history.json"]).done().json();
    assert_eq!(proven["history"], looked["digest"]);
    assert_eq!(looked["days"], 3_278);
    let shown = run(desk.path(), &["inspect", "hs-es"]).done().out;
    assert!(shown.contains(looked["digest"].as_str().unwrap()), "{shown}");

    let text = std::fs::read_to_string(desk.path().join("history.json")).unwrap();
    desk.write("other-history.json", &text.replacen("4285.08", "4285.09", 1));
    let margin = |model: &str, history: &[&str]| {
        let words = [
            "margin",
            "--universe",
            "universe.json",
            "--snapshot",
            "snapshot.json",
            "--account",
            "hedge-account.json",
        ];
        let words = words
            .iter()
            .chain(&["--model", model])
            .chain(history)
            .copied()
            .collect::<Vec<_>>();
        run(desk.path(), &words)
    };
    margin("hs-var", &["--history", "history.json"]).done();
    margin("hs-var", &["--history", "other-history.json"]).refused(2, &["other-history.json: the model needs"]);
    margin("hs-var", &[]).refused(2, &["--history: hs-var needs the price history"]);
    margin("paradex-pm", &["--history", "history.json"]).refused(2, &["paradex-pm needs no price history"]);
}
