//! An isolated position from a venue's file to a proof: its own balance counts, and nobody else's.

use serde_json::{Value, json};

use crate::desk::{Ran, desk, run};

const POSITION: &str = "BTC-PERPETUAL-ISOLATED";
const CHECK: &str = "margin isolated in BTC-PERPETUAL-ISOLATED at perphouse";

/// The words with other files in their places.
fn with<'a>(words: Vec<&'a str>, changes: &[(&str, &'a str)]) -> Vec<&'a str> {
    let other = |word: &'a str| {
        changes
            .iter()
            .find(|(from, _)| *from == word)
            .map_or(word, |(_, to)| to)
    };
    words.into_iter().map(other).collect()
}

/// 60,000 USD short at 64,000, with so many coins of its own, and dollars in cross margin.
fn account(name: &str, coins: &str, dollars: &str) {
    let account = json!({
        "venue": "perphouse",
        "positions": [{ "instrument": POSITION, "contracts": "-6000", "entry": "64000" }],
        "balances": [
            { "asset": "BTC", "isolated": POSITION, "amount": coins },
            { "asset": "USDC", "amount": dollars },
        ],
    });
    desk().write(name, &account.to_string());
}

fn margin(account: &str, more: &[&str]) -> Ran {
    let mut words = more.to_vec();
    words.extend([
        "margin",
        "--universe",
        "isolated-universe.json",
        "--snapshot",
        "snapshot.json",
    ]);
    words.extend(["--model", "hyperliquid", "--level", "initial", "--account", account]);
    run(desk().path(), &words)
}

#[test]
fn an_isolated_position_is_listed_reported_and_proven_by_itself() {
    let desk = desk();
    let mut venue: Value =
        serde_json::from_str(&std::fs::read_to_string(desk.path().join("perphouse.json")).unwrap()).unwrap();
    let classes = venue["classes"].as_array_mut().unwrap();
    let class = classes
        .iter()
        .find(|class| class["kind"] == "perpetual" && class["underlying"] == "BTC");
    let mut isolated = class.unwrap().clone();
    isolated["isolated"] = json!(true);
    classes.push(isolated);
    desk.write("isolated-perphouse.json", &venue.to_string());
    let key: Value =
        serde_json::from_str(&std::fs::read_to_string(desk.path().join("universe.json")).unwrap()).unwrap();
    let venues = key["venues"].as_array().unwrap();
    let own = venues.iter().find(|venue| venue["name"] == "perphouse").unwrap();
    let key = format!("perphouse={}", own["keys"][0].as_str().unwrap());
    let mut words = vec!["universe", "build", "--venue", "isolated-perphouse.json", "--key", &key];
    words.extend([
        "--snapshot",
        "snapshot.json",
        "--network",
        "test",
        "-o",
        "isolated-universe.json",
    ]);
    run(desk.path(), &words).done();

    // At 40 times, 1,500 USD and what the position has lost.
    account("isolated-enough.json", "0.1", "0");
    account("isolated-thin.json", "0.001", "1000000");
    let enough = margin("isolated-enough.json", &["--json"]).done().json();
    assert_eq!(
        (&enough["checks"][0]["name"], &enough["checks"][0]["holds"]),
        (&json!(CHECK), &json!([true, true]))
    );
    assert_eq!(enough["value"], "0.0000000000");
    let thin = margin("isolated-thin.json", &[]);
    assert_eq!(thin.code, 4, "{}", thin.out);
    assert!(thin.out.contains(CHECK) && thin.out.contains("BROKEN"), "{}", thin.out);
    account("isolated-half.json", "0.05", "0");
    let slacks = |name: &str| {
        let report = margin(name, &["--json"]).json();
        ["initial", "maintenance"].map(|level| report["checks"][0][level].as_str().unwrap().parse::<f64>().unwrap())
    };
    let ([initial, maintenance], [half, _]) = (slacks("isolated-enough.json"), slacks("isolated-half.json"));
    assert!((maintenance - initial - 750.0).abs() < 0.01, "{initial} {maintenance}");
    // Between the levels: what is left of one is below 0, and of the other above.
    let coins = 0.1 - (initial + maintenance) / 2.0 / ((initial - half) / 0.05);
    account("isolated-between.json", &format!("{coins:.8}"), "1000000");
    let between = margin("isolated-between.json", &["--json"]).json();
    assert_eq!(between["checks"][0]["holds"], json!([false, true]));
    let said = margin("isolated-between.json", &[]).out;
    assert!(said.contains("BROKEN"), "{said}");
    assert!(!margin("isolated-enough.json", &[]).out.contains("BROKEN"));

    for (name, code) in [("isolated-enough", 0), ("isolated-thin", 4)] {
        let [file, attestation, opening, bundle] =
            ["json", "attestation", "opening", "bundle"].map(|end| format!("{name}.{end}"));
        let universe = ("universe.json", "isolated-universe.json");
        let attest = desk.attest("perphouse.key", &file, &attestation, &opening);
        run(desk.path(), &with(attest, &[universe])).done();
        let prove = desk.prove(&[(&attestation, &opening)], &bundle);
        let ran = run(desk.path(), &with(prove, &[universe, ("paradex-pm", "hyperliquid")]));
        assert_eq!(ran.code, code, "{}{}", ran.out, ran.err);
        assert_eq!(desk.exists(&bundle), code == 0);
        if code != 0 {
            ran.refused(code, &["isolated in BTC-PERPETUAL-ISOLATED at perphouse", "short by"]);
        }
    }
}
