//! Running commitments, and what leaves the venue of them.

use std::collections::BTreeSet;

use proptest::prelude::*;
use zkmargin_circuits::Parameters;
use zkmargin_ledger::fill::Fills;
use zkmargin_ledger::ledger::Pledge;
use zkmargin_ledger::running::RunningAccount;
use zkmargin_ledger::{AttestError, Ledger, LedgerError};
use zkmargin_risk::account::AccountVector;
use zkmargin_risk::universe::Universe;
use zkmargin_verifier::PublicKey;

use crate::world::{
    NOON, OPTIONS, SUBJECT, assert_sound, attest, cache, entries, places, pledge, public, trade, transfer, universe,
    universe_file, venue_key,
};

/// A trade or a deposit of a random size, as a line of a file of fills.
fn line() -> impl Strategy<Value = String> {
    let instrument = prop_oneof![
        (0..OPTIONS).prop_map(|index| format!("C-{}", 40_000 + 1_000 * index)),
        Just("INVERSE".to_owned()),
        Just("LINEAR".to_owned()),
    ];
    let contracts = (1_i64..2_000, any::<bool>()).prop_map(|(count, is_sale)| if is_sale { -count } else { count });
    let trade =
        (instrument, contracts, 1_u32..9_000_000, -50_i32..500).prop_map(|(instrument, contracts, price, fee)| {
            let price = format!("{}.{:02}", price / 100, price % 100);
            let fee = format!("{}0.{:05}", if fee < 0 { "-" } else { "" }, fee.abs());
            trade("", "", NOON, [&instrument, &contracts.to_string(), &price, &fee])
        });
    let transfer = (-40_000_i32..40_000).prop_map(|amount| transfer("", "", NOON, &amount.to_string()));
    prop_oneof![5 => trade, 1 => transfer]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn running_commitments_after_random_fills_are_those_made_from_scratch(
        lines in prop::collection::vec((line(), prop::sample::select(vec!["a", "b"])), 1..60),
        batch in 1_usize..40,
    ) {
        let lines: Vec<(String, &str)> = lines.into_iter().enumerate().map(|(index, (line, account))| {
            let line = line.replace(r#""id":"""#, &format!(r#""id":"{index}""#));
            (line.replace(r#""account":"""#, &format!(r#""account":"{account}""#)), account)
        }).collect();
        for place in places("random") {
            let mut ledger = place.create();
            for batch in lines.chunks(batch) {
                let batch: Vec<String> = batch.iter().map(|(line, _)| line.clone()).collect();
                prop_assert_eq!(ledger.import(&entries(&batch), crate::world::at(NOON)).unwrap().recorded, batch.len());
            }
            assert_sound(&mut ledger);
            // The same on files, which share nothing with the ledger but what a fill means.
            let (universe, parameters) = (universe(), Parameters::load(6, Some(&cache())).unwrap());
            let empty = AccountVector::from_json(r#"{"venue":"house"}"#, &universe).unwrap();
            let mut account = RunningAccount::open(&universe, &parameters, &empty).unwrap();
            for (line, _) in lines.iter().filter(|(_, account)| *account == "a") {
                fills_of(line).apply(&universe, &parameters, &mut account).unwrap();
            }
            prop_assert!(account.is_consistent(&parameters));
            let attested = attest(&mut ledger, &pledge(2, NOON));
            let opened: Vec<&[u64]> = attested.opening.columns.iter().map(|column| column.lots.as_slice()).collect();
            prop_assert_eq!(account.commitment().lots(), &opened[..]);
            prop_assert_eq!(attested.opening.check(&parameters, attested.attestation.content()), Ok(()));
            prop_assert_eq!(attested.attestation.verify(), Ok(()));
            assert_sound(&mut ledger);
        }
    }
}

/// The same line as a fills file.
pub(crate) fn fills_of(line: &str) -> Fills {
    let mut row: serde_json::Value = serde_json::from_str(line).unwrap();
    for field in ["id", "account", "time"] {
        row.as_object_mut().unwrap().remove(field);
    }
    let list = if row.get("asset").is_some() {
        "transfers"
    } else {
        "fills"
    };
    Fills::from_json(
        serde_json::json!({ "venue": "house", list: [row] })
            .to_string()
            .as_bytes(),
    )
    .unwrap()
}

#[test]
fn attestations_of_an_unchanged_account_share_no_point() {
    for place in places("points") {
        let mut ledger = place.create();
        let mut points = BTreeSet::new();
        for epoch in 0..4 {
            let attested = attest(&mut ledger, &pledge(2, NOON + epoch));
            for point in &attested.attestation.content().points {
                assert!(points.insert(point.to_bytes()));
            }
        }
        assert_eq!(points.len(), 8, "two columns, four times");
        assert_sound(&mut ledger);
    }
}

#[test]
fn leg_holds_2_to_the_48_less_1_lots_and_not_one_more() {
    for place in places("bound") {
        let mut ledger = place.create();
        // A lot is 0.0001 BTC.
        let most = transfer("most", "a", NOON, "28147497671.0655");
        let now = crate::world::at(NOON);
        ledger.import(&entries(&[most]), now).unwrap();
        assert_sound(&mut ledger);
        let refused = ledger.import(&entries(&[transfer("more", "a", NOON, "0.0001")]), now);
        let said = refused.unwrap_err().to_string();
        assert!(
            said.contains("line 1: BTC of account \"a\" would leave the range of 2^48 lots"),
            "{said}"
        );
        // One fill alone beyond the range is refused before anything is recorded.
        let refused = ledger.import(&entries(&[transfer("huge", "b", NOON, "28147497671.0656")]), now);
        assert!(matches!(refused, Err(LedgerError::Entry(_))));
        ledger
            .import(&entries(&[transfer("less", "a", NOON, "-28147497671.0655")]), now)
            .unwrap();
        ledger
            .import(&entries(&[transfer("debt", "a", NOON, "-28147497671.0655")]), now)
            .unwrap();
        assert!(
            ledger
                .import(&entries(&[transfer("deeper", "a", NOON, "-0.0001")]), now)
                .is_err()
        );
        assert_sound(&mut ledger);
        assert_eq!(ledger.accounts(now).unwrap()[0].fills, 3);
    }
}

#[test]
fn account_begins_with_what_it_held() {
    for place in places("begins") {
        let mut ledger = place.create();
        let text = r#"{"venue":"house","positions":[{"instrument":"C-63000","contracts":"-1.5"},{"instrument":"LINEAR","contracts":"3","entry":"60000"}],
            "balances":[{"asset":"USDC","amount":"-7"}],"reserve":[{"asset":"BTC","amount":"0.5"}]}"#;
        let vector = AccountVector::from_json(text, &universe()).unwrap();
        let begun = crate::world::at(NOON);
        ledger
            .add_account("d", public(SUBJECT), Some((&vector, begun)))
            .unwrap();
        // Of before, another may have held it.
        let early = Pledge {
            account: "d".to_owned(),
            ..pledge(2, NOON - 1)
        };
        let refused = ledger.attest(&early, venue_key(), begun);
        assert!(matches!(refused, Err(LedgerError::MovedSince { moved, .. }) if moved == begun));
        assert_sound(&mut ledger);
        let held = ledger.holdings("d").unwrap();
        let held: Vec<(&str, &str, String)> = held
            .iter()
            .map(|h| (h.name.as_str(), h.what, h.amount.to_string()))
            .collect();
        assert_eq!(
            held,
            [
                ("BTC", "reserve", "0.5".to_owned()),
                ("USDC", "balance", "-7".to_owned()),
                ("USDC", "carry", "-180".to_owned()),
                ("LINEAR", "position", "3".to_owned()),
                ("C-63000", "position", "-1.5".to_owned()),
            ]
        );
        // What it began with has what happened until then.
        let bought = |time| entries(&[trade("1", "d", time, ["C-63000", "1.5", "0.01", "0"])]);
        let refused = ledger.import(&bought(NOON), crate::world::at(NOON + 1)).unwrap_err();
        assert!(
            matches!(&refused, LedgerError::Import { error, .. } if matches!(**error, LedgerError::BeforeBeginning { begun: at, .. } if at == begun)),
            "{refused}"
        );
        ledger.import(&bought(NOON + 1), crate::world::at(NOON + 1)).unwrap();
        assert_sound(&mut ledger);
        let refused = ledger.add_account("d", public(SUBJECT), None);
        assert!(matches!(refused, Err(LedgerError::AccountExists { .. })));
        let elsewhere = AccountVector::from_json(r#"{"venue":"elsewhere"}"#, &universe()).unwrap();
        let refused = ledger.add_account("e", public(SUBJECT), Some((&elsewhere, begun)));
        assert!(matches!(refused, Err(LedgerError::OtherVenue { .. })));
        assert_eq!(ledger.accounts(crate::world::at(NOON)).unwrap().len(), 4);
    }
}

#[test]
fn universe_that_lists_more_keeps_every_commitment_and_one_that_moves_a_row_is_refused() {
    for place in places("relist") {
        let mut ledger = place.create();
        let mut stale = place.open();
        ledger
            .import(
                &entries(&[trade("1", "a", NOON, ["C-63000", "-2", "0.01", "0"])]),
                crate::world::at(NOON),
            )
            .unwrap();
        let mut moved = universe_file(OPTIONS);
        moved["venues"][1]["lines"].as_array_mut().unwrap().swap(5, 6);
        let mut shorter = universe_file(OPTIONS);
        shorter["venues"][1]["lines"].as_array_mut().unwrap().pop();
        let mut other_lot = universe_file(OPTIONS);
        other_lot["venues"][1]["lines"][4]["instrument"]["lot"] = "0.2".into();
        let mut other_network = universe_file(OPTIONS);
        other_network["network"] = "main".into();
        // What was in cross margin would be isolated.
        let isolated = ["USDC", "BTC"].map(|name| {
            let line = serde_json::json!({ "asset": { "name": name, "lot": "0.0001", "carry": true, "reserve": true, "isolated": "LINEAR" } });
            let mut isolated = universe_file(OPTIONS);
            isolated["venues"][1]["lines"].as_array_mut().unwrap().push(line);
            isolated
        });
        for changed in [moved, shorter, other_lot, other_network].into_iter().chain(isolated) {
            let changed = Universe::from_json(&changed.to_string()).unwrap();
            let refused = ledger.relist(changed, Some(&cache()));
            assert!(matches!(refused, Err(LedgerError::Relisted { .. })));
        }
        // Three columns, and a longer venue before this one.
        let mut longer = universe_file(OPTIONS + 30);
        let listed = longer["venues"][1]["lines"].as_array().unwrap().clone();
        longer["venues"][0]["lines"]
            .as_array_mut()
            .unwrap()
            .extend_from_slice(&listed[4..]);
        longer["venues"][0]["lines"].as_array_mut().unwrap().remove(1);
        let longer = Universe::from_json(&longer.to_string()).unwrap();
        ledger.relist(longer, Some(&cache())).unwrap();
        assert_sound(&mut ledger);
        let line = entries(&[trade("2", "a", NOON, ["C-93000", "1", "0.01", "0"])]);
        assert!(matches!(
            stale.import(&entries(&[transfer("3", "a", NOON, "1")]), crate::world::at(NOON)),
            Err(LedgerError::Meanwhile)
        ));
        let opened = stale.add_account("d", public(SUBJECT), None);
        assert!(matches!(opened, Err(LedgerError::Meanwhile)));
        ledger.import(&line, crate::world::at(NOON)).unwrap();
        assert_eq!(
            attest(&mut ledger, &pledge(2, NOON)).attestation.content().points.len(),
            3
        );
        assert_sound(&mut ledger);
        assert_sound(&mut place.open());
    }
}

#[test]
fn ledger_is_made_with_the_key_of_a_venue_of_the_universe_only() {
    for place in places("keys") {
        let stranger = crate::world::key_file(8);
        let refused = Ledger::create(&place.url, universe(), &stranger, Some(&cache()));
        assert!(matches!(refused, Err(LedgerError::Key { .. })));
        let ledger = Ledger::create(&place.url, universe(), venue_key(), Some(&cache())).unwrap();
        assert_eq!(ledger.venue(), "house");
        assert!(Ledger::create(&place.url, universe(), venue_key(), Some(&cache())).is_err());
    }
}

#[test]
fn account_without_a_name_or_with_a_subject_that_cannot_sign_is_not_opened() {
    for place in places("subjects") {
        let mut ledger = place.create();
        let refused = ledger.add_account("d\ne", public(SUBJECT), None);
        assert!(matches!(refused, Err(LedgerError::Name { .. })));
        // Two spellings of one name would have one pseudonym.
        let refused = ledger.add_account("jose\u{301}", public(SUBJECT), None);
        assert!(matches!(
            refused,
            Err(LedgerError::Attest(AttestError::Spelling { .. }))
        ));
        let refused = ledger.add_account("d", PublicKey([0; 32]), None);
        assert!(matches!(
            refused,
            Err(LedgerError::UnusableKey { field: "subject", .. })
        ));
        assert_eq!(ledger.accounts(crate::world::at(NOON)).unwrap().len(), 3);
    }
}
