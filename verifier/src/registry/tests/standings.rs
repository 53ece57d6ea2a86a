//! How accounts stand, and what is exported.
use super::releases::released;
use super::*;

pub(super) fn standing(registry: &mut Registry, name: &str, at: u64) -> Standing {
    let accounts = registry.accounts(after(at)).unwrap();
    accounts
        .iter()
        .find(|found| found.account == account(name))
        .unwrap()
        .standing
}

#[test]
fn account_is_current_due_called_and_lapsed_each_to_the_millisecond() {
    let mut registry = anywhere();
    registry.takes(proven("a", &["one"])).unwrap();
    let around = |edge: u64| [edge - 1, edge, edge + 1];
    let mut at = |edge: u64| around(edge).map(|at| standing(&mut registry, "one", at));
    // Due from ten minutes before the end; called after the end; lapsed half an hour after it.
    assert_eq!(at(50 * MINUTE), [Standing::Current, Standing::Due, Standing::Due]);
    assert_eq!(at(60 * MINUTE), [Standing::Due, Standing::Due, Standing::Called]);
    assert_eq!(at(90 * MINUTE), [Standing::Called, Standing::Called, Standing::Lapsed]);
    // Before it was accepted there was nothing.
    assert_eq!(registry.accounts(after(MINUTE - 1)).unwrap(), []);
}

#[test]
fn late_proof_answers_the_call_and_history_shows_that_it_was_late() {
    let mut registry = anywhere();
    registry.takes(proven("a", &["one", "two"])).unwrap();
    let mut late = verdict(vec![replacing("b", "a", &["one"])]);
    (late.at, late.statements[0].until) = (after(70 * MINUTE), after(110 * MINUTE));
    registry.take(&late, true).unwrap();
    assert_eq!(standing(&mut registry, "one", 69 * MINUTE), Standing::Called);
    assert_eq!(standing(&mut registry, "one", 71 * MINUTE), Standing::Current);
    assert_eq!(standing(&mut registry, "two", 71 * MINUTE), Standing::Released);
    let mut events = |name: &str, at: u64| {
        let events = registry.history(&account(name), after(at)).unwrap();
        events
            .into_iter()
            .map(|event| (event.at, event.event))
            .collect::<Vec<_>>()
    };
    let first = [
        (after(MINUTE), EventKind::Accepted),
        (after(50 * MINUTE), EventKind::Due),
        (after(60 * MINUTE + 1), EventKind::Called),
    ];
    assert_eq!(events("one", 69 * MINUTE), first);
    let second = [
        (after(70 * MINUTE), EventKind::Accepted),
        (after(100 * MINUTE), EventKind::Due),
        (after(110 * MINUTE + 1), EventKind::Called),
        (after(140 * MINUTE + 1), EventKind::Lapsed),
    ];
    assert_eq!(events("one", 200 * MINUTE), [&first[..], &second[..]].concat());
    assert_eq!(
        events("two", 200 * MINUTE),
        [&first[..], &[(after(70 * MINUTE), EventKind::Released)]].concat()
    );
    assert!(matches!(
        registry.history(&account("nobody"), after(0)),
        Err(RegistryError::UnknownAccount { .. })
    ));
}

#[test]
fn supposition_is_recorded_and_changes_no_standing() {
    let suppose: [fn(&mut ProvenStatement); 2] = [
        |statement| statement.order = Some("buy 1 BTC-PERPETUAL @ 64000".to_owned()),
        |statement| statement.deposit = Some("1000000 USDC".to_owned()),
    ];
    for suppose in suppose {
        let mut registry = anywhere();
        registry.takes(proven("a", &["one"])).unwrap();
        // Before the end, in the call, and after it; in the place of what stands, and beside it; of variation from wherever it likes.
        let of = |name: &str, replaces: Option<&str>| {
            let mut supposed = replacing(name, "a", &["one"]);
            supposed.replaces = replaces.map(|replaces| Digest(named(replaces)));
            supposed.until = after(110 * MINUTE);
            suppose(&mut supposed);
            supposed
        };
        registry.takes_at(55 * MINUTE, of("b", Some("a"))).unwrap();
        registry.takes_at(55 * MINUTE, of("c", None)).unwrap();
        let mut series = verdict(vec![of("d", Some("a"))]);
        series.statements[0].level = Margin::Variation;
        (series.at, series.later) = (after(70 * MINUTE), Some((Digest([9; 32]), after(50 * MINUTE))));
        registry.take(&series, true).unwrap();
        let mut next = verdict(vec![replacing("e", "d", &["one"])]);
        (next.at, next.statements[0].until) = (after(70 * MINUTE), after(110 * MINUTE));
        assert_eq!(
            refusal(registry.take(&next, true)),
            RegistryRefusal::ReplacesSupposed {
                statement: 0,
                replaces: Digest(named("d"))
            }
        );
        let mut at = |minute: u64| [0, 1].map(|millis| standing(&mut registry, "one", minute * MINUTE + millis));
        assert_eq!(at(55), [Standing::Due; 2]);
        assert_eq!(at(60), [Standing::Due, Standing::Called]);
        assert_eq!(at(70), [Standing::Called; 2]);
        assert_eq!(at(90), [Standing::Called, Standing::Lapsed]);
        // What is proven without supposing anything answers it.
        let mut proven = replacing("f", "a", &["one"]);
        proven.until = after(110 * MINUTE);
        registry.takes_at(80 * MINUTE, proven).unwrap();
        assert_eq!(standing(&mut registry, "one", 81 * MINUTE), Standing::Current);
        // What was given back is no more supposed of than proven of.
        registry
            .release(&released("one", 85 * MINUTE), after(85 * MINUTE))
            .unwrap();
        let refused = refusal(registry.takes_at(86 * MINUTE, of("g", None)));
        assert!(matches!(refused, RegistryRefusal::Released { .. }), "{refused}");
        // All of it is on record.
        assert_eq!(registry.statements(Instant::MAX).unwrap().len(), 5);
    }
    let mut registry = anywhere();
    let mut first = proven("a", &["one"]);
    suppose[1](&mut first);
    registry.takes(first).unwrap();
    assert_eq!(registry.accounts(after(2 * MINUTE)).unwrap(), []);
}

#[test]
fn export_has_every_statement_and_account_and_csv_is_quoted() {
    let mut registry = anywhere();
    registry.takes(proven("a", &["one", "two"])).unwrap();
    let mut variation = verdict(vec![replacing("b", "a", &["one", "two"])]);
    variation.statements[0].level = Margin::Variation;
    variation.later = Some((Digest([4; 32]), after(MINUTE)));
    variation.history = Some(Digest([5; 32]));
    registry.take(&variation, true).unwrap();
    let mut supposed = verdict(vec![proven("supposed", &["one"])]);
    supposed.statements[0].order = Some("buy 1 alpha:BTC @ 65000".to_owned());
    supposed.statements[0].deposit = Some("alpha:BTC 1".to_owned());
    // The variation speaks up to there.
    (supposed.snapshot, supposed.snapshot_instant) = (Digest([4; 32]), after(MINUTE));
    registry.take(&supposed, true).unwrap();
    registry
        .release(&released("two", 10 * MINUTE), after(10 * MINUTE))
        .unwrap();
    registry
        .release(&released("one", 20 * MINUTE), after(20 * MINUTE))
        .unwrap();
    let mut lines = Vec::new();
    registry.export_json_lines(Instant::MAX, &mut lines).unwrap();
    let lines: Vec<serde_json::Value> = String::from_utf8(lines)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 3);
    assert_eq!(lines[0]["statement"]["digest"], Digest(named("a")).to_string());
    assert_eq!(lines[0]["replaced_by"], Digest(named("b")).to_string());
    assert_eq!(lines[1]["replaced_by"], serde_json::Value::Null);
    assert_eq!(lines[1]["facts"]["model"], "some \"model\", with a comma");
    let mut text = Vec::new();
    registry.export_csv(Instant::MAX, &mut text).unwrap();
    let mut csv = csv::Reader::from_reader(text.as_slice());
    let headers = csv.headers().unwrap().clone();
    let rows: Vec<csv::StringRecord> = csv.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 5, "two accounts, twice, and one");
    let cell = |row: usize, name: &str| {
        rows[row]
            .get(headers.iter().position(|found| found == name).unwrap())
            .unwrap()
            .to_owned()
    };
    assert_eq!(cell(1, "account"), account("two").account.to_string());
    assert_eq!(cell(2, "replaces"), Digest(named("a")).to_string());
    assert_eq!(cell(2, "model"), "some \"model\", with a comma");
    assert_eq!(cell(2, "replaced_by"), "");
    // A statement that supposes something is told from one that does not.
    assert_eq!([0, 4].map(|row| cell(row, "order")), ["", "buy 1 alpha:BTC @ 65000"]);
    assert_eq!([0, 4].map(|row| cell(row, "deposit")), ["", "alpha:BTC 1"]);
    // Of the statement that stood, an account was given back, and it ended then; the one that had been replaced did not.
    let last = after(10 * MINUTE - 1).to_string();
    assert_eq!(
        [0, 2].map(|row| cell(row, "ends")),
        [after(60 * MINUTE).to_string(), last]
    );
    assert_eq!(
        [1, 2].map(|row| cell(row, "released")),
        [10, 20].map(|at| after(at * MINUTE).to_string())
    );
    assert_eq!(cell(2, "later"), Digest([4; 32]).to_string());
    assert_eq!(cell(2, "history"), Digest([5; 32]).to_string());
    // Every column is filled somewhere: none points to nothing.
    for header in &headers {
        assert!((0..5).any(|row| !cell(row, header).is_empty()), "{header}");
    }
    let kept = registry.bundle(Digest(named("b"))).unwrap();
    let proof = hex::decode(lines[1]["proof"].as_str().unwrap()).unwrap();
    assert_eq!(kept, proof, "here a bundle is its own hash");
    assert!(matches!(
        registry.bundle(Digest(named("never"))),
        Err(RegistryError::UnknownStatement { .. })
    ));
    // As it was before the second was accepted; nothing of the time after shows.
    let mut early = verdict(vec![proven("c", &["three"])]);
    early.at = after(2 * MINUTE);
    registry.take(&early, true).unwrap();
    assert_eq!(registry.statements(after(MINUTE)).unwrap().len(), 3);
}

#[test]
fn later_snapshot_is_recorded_of_the_statement_about_it_and_of_no_other() {
    let mut registry = anywhere();
    let mut both = verdict(vec![proven("a", &["one"]), proven("b", &["two"])]);
    both.statements[1].level = Margin::Variation;
    both.later = Some((Digest([4; 32]), after(MINUTE)));
    registry.take(&both, true).unwrap();
    let statements = registry.statements(Instant::MAX).unwrap();
    assert_eq!(statements[0]["facts"].get("later"), None);
    assert_eq!(
        statements[1]["facts"]["later"],
        serde_json::json!([Digest([4; 32]), after(MINUTE)])
    );
    let accounts = registry.accounts(after(2 * MINUTE)).unwrap();
    let shown = |name: &str| {
        let found = accounts.iter().find(|found| found.account == account(name)).unwrap();
        (found.snapshot, found.epoch)
    };
    assert_eq!(shown("one"), (Digest([2; 32]), after(0)));
    assert_eq!(shown("two"), (Digest([4; 32]), after(MINUTE)));
}
