use crate::desk::run;

#[test]
fn demo_tells_the_whole_story_and_leaves_it_behind() {
    let folder = tempfile::tempdir().unwrap();
    let told = run(folder.path(), &["demo"]).done();
    assert!(
        told.out.starts_with("A trader holds options at one venue"),
        "{}",
        told.out
    );
    for part in [
        "$ zkmargin universe build",
        "$ zkmargin venue attest",
        "$ zkmargin prove",
        "$ zkmargin-verify --policy policy.json",
        "VALID at 2026-08-06T12:01:00Z",
        "NOT PROVEN",
        "is made to audience",
        "zkmargin-verify: signed-again.bundle: refused",
        "this account counts already",
        "is not met; nothing was proven",
        "short by ",
        "Proven in ",
    ] {
        assert!(told.out.contains(part), "no {part:?} in:\n{}", told.out);
    }
    let left = folder.path().join("zkmargin-demo");
    for name in [
        "margin.bundle",
        "policy.json",
        "heat-map.svg",
        "universe.json",
        "twice.bundle",
    ] {
        assert!(left.join(name).is_file(), "{name}");
    }
    assert!(!left.join("none.bundle").exists());
    #[cfg(unix)]
    for name in ["trader.key", "options.opening", "options-account.json", "heat-map.svg"] {
        assert_eq!(crate::desk::mode(&left.join(name)), 0o600, "{name}");
    }
    run(folder.path(), &["demo"]).refused(2, &["zkmargin-demo is not empty", "--force"]);

    // The story as data, in the same folder again.
    let again = run(folder.path(), &["--json", "demo", "--force"]).done().json();
    let exits: Vec<i64> = again["steps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| step["exit"].as_i64().unwrap())
        .collect();
    assert_eq!(
        exits.iter().filter(|exit| **exit == 1).count(),
        2,
        "two wrong proofs or signatures"
    );
    assert_eq!(
        exits.iter().filter(|exit| **exit == 3).count(),
        3,
        "two refusals by the partner, one by the prover"
    );
    assert_eq!(
        exits.iter().filter(|exit| **exit == 4).count(),
        3,
        "two accounts alone, one book short of margin"
    );
    assert!(again["timing"]["proof_bytes"].as_u64().unwrap() < 4096);
}
