//! `zkmargin snapshot sign`, and what a partner makes of it.

use std::fs;

use zkmargin_risk::market::Snapshot;
use zkmargin_risk::universe::Network;
use zkmargin_verifier::SnapshotSignature;

use crate::desk::{desk, run};

#[test]
fn publisher_signs_a_snapshot_for_one_network() {
    let desk = desk();
    run(desk.path(), &["keygen", "publisher", "-o", "publisher.key"]).done();
    let sign = ["snapshot", "sign", "--snapshot", "snapshot.json", "--network", "test"];
    let with = |key: &str, more: &[&str]| {
        run(
            desk.path(),
            &[&sign[..], &["--key", key, "-o", "snapshot.sig"], more].concat(),
        )
    };
    with("optionhouse.key", &[]).refused(
        2,
        &["optionhouse.key", "the key of a venue, expected that of a publisher"],
    );
    let answer = with("publisher.key", &["--json"]).done().json();
    with("publisher.key", &[]).refused(2, &["snapshot.sig"]);

    let signed = SnapshotSignature::from_bytes(&fs::read(desk.path().join("snapshot.sig")).unwrap()).unwrap();
    let snapshot = Snapshot::from_json(&fs::read_to_string(desk.path().join("snapshot.json")).unwrap()).unwrap();
    assert_eq!((signed.network, signed.snapshot), (Network::Test, snapshot.digest()));
    assert_eq!(signed.verify(), Ok(()));
    assert_eq!(answer["publisher"], signed.key.to_string());
    let mut for_main = signed;
    for_main.network = Network::Main;
    assert!(for_main.verify().is_err());

    let looked = run(desk.path(), &["--json", "inspect", "snapshot.sig"]).done().json();
    assert_eq!(
        (&looked["kind"], &looked["signature_fits_key"]),
        (&"snapshot-signature".into(), &true.into())
    );
    fs::write(
        desk.path().join("reference.json"),
        r#"{ "instant": "2026-08-06T12:00:00Z", "indices": { "BTC": "64400", "ETH": "1904" } }"#,
    )
    .unwrap();
    let looked = run(desk.path(), &["--json", "inspect", "reference.json"]).done().json();
    assert_eq!(looked["kind"], "reference");
}
