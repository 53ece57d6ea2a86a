//! Fills: each once, and all that were confirmed.

use zkmargin_ledger::LedgerError;
use zkmargin_ledger::ledger::{Entries, EntryFormat, Imported, Pledge};

use crate::world::{NOON, assert_sound, at, attest, entries, places, pledge, trade, transfer};

#[test]
fn fill_is_recorded_once_however_often_it_is_imported() {
    for place in places("once") {
        let mut ledger = place.create();
        let lines = [
            transfer("1", "a", NOON, "10"),
            trade("2", "a", NOON, ["C-63000", "-2", "0.05", "0.0006"]),
            trade("2", "b", NOON, ["INVERSE", "100", "64000", "0"]),
            transfer("1", "a", NOON, "10.0"),
        ];
        let first = ledger.import(&entries(&lines), at(NOON)).unwrap();
        assert_eq!((first.recorded, first.skipped), (3, 1), "also within a file");
        assert_eq!(
            first.legs_moved,
            2 + 2,
            "carry of 100 contracts is 0.015625 BTC, rounded down, and no fee"
        );
        let again = place.open().import(&entries(&lines), at(NOON)).unwrap();
        assert_eq!(
            again,
            Imported {
                skipped: 4,
                ..Imported::default()
            }
        );
        assert_sound(&mut ledger);
    }
}

#[test]
fn same_id_with_another_content_is_refused_and_both_are_named() {
    for place in places("conflict") {
        let mut ledger = place.create();
        ledger
            .import(&entries(&[transfer("1", "a", NOON, "10")]), at(NOON))
            .unwrap();
        for other in [
            transfer("1", "a", NOON, "11"),
            transfer("1", "a", NOON + 1, "10"),
            trade("1", "a", NOON, ["C-63000", "-2", "0.05", "0.0006"]),
        ] {
            let lines = [transfer("before", "a", NOON, "1"), other.clone()];
            let said = ledger.import(&entries(&lines), at(NOON)).unwrap_err().to_string();
            assert!(
                said.contains("line 2") && said.contains(r#""amount":"10"}"#) && said.contains(&content(&other)),
                "{said}"
            );
        }
        assert_eq!(ledger.accounts(at(NOON)).unwrap()[0].fills, 1);
        assert_sound(&mut ledger);
    }
}

/// What the ledger would keep of a line.
fn content(line: &str) -> String {
    let row: zkmargin_ledger::ledger::EntryRow = serde_json::from_str(line).unwrap();
    serde_json::to_string(&row).unwrap()
}

#[test]
fn line_that_is_wrong_by_itself_stops_the_file_before_anything_is_recorded() {
    for place in places("whole") {
        let mut ledger = place.create();
        let mut lines: Vec<String> = (0..600)
            .map(|index| transfer(&index.to_string(), "a", NOON, "1"))
            .collect();
        lines.push(trade("x", "a", NOON, ["C-63000", "0.05", "1", "0"]));
        let said = ledger.import(&entries(&lines), at(NOON)).unwrap_err().to_string();
        assert!(
            said.contains("line 601") && said.contains("0.05 is not a whole number of lots of 0.1"),
            "{said}"
        );
        assert_eq!(ledger.accounts(at(NOON)).unwrap()[0].fills, 0);
    }
}

#[test]
fn line_that_does_not_fit_this_ledger_says_how_many_are_recorded_and_the_rest_can_follow() {
    for place in places("rest") {
        let mut ledger = place.create();
        let mut lines: Vec<String> = (0..600)
            .map(|index| transfer(&index.to_string(), "a", NOON, "1"))
            .collect();
        lines.push(transfer("x", "nobody", NOON, "1"));
        match ledger.import(&entries(&lines), at(NOON)).unwrap_err() {
            LedgerError::Import {
                line: 601,
                recorded,
                error,
            } => {
                assert_eq!(ledger.accounts(at(NOON)).unwrap()[0].fills, recorded as u64);
                assert!(recorded < 600 && matches!(*error, LedgerError::UnknownAccount { .. }));
                lines.pop();
                let rest = ledger.import(&entries(&lines), at(NOON)).unwrap();
                assert_eq!((rest.recorded, rest.skipped), (600 - recorded, recorded));
            }
            other => panic!("{other}"),
        }
        assert_sound(&mut ledger);
    }
}

#[test]
fn fill_of_before_an_attested_epoch_is_recorded_and_counted_as_late() {
    for place in places("late") {
        let mut ledger = place.create();
        attest(&mut ledger, &pledge(2, NOON));
        let lines = [
            transfer("1", "a", NOON - 1, "1"),
            transfer("2", "a", NOON, "1"),
            transfer("3", "a", NOON + 1, "1"),
            transfer("4", "b", NOON, "1"),
        ];
        let done = ledger.import(&entries(&lines), at(NOON + 1)).unwrap();
        assert_eq!((done.recorded, done.late), (4, 2));
    }
}

#[test]
fn price_is_nothing_of_an_option_alone_and_never_negative_or_above_the_largest() {
    for place in places("prices") {
        let mut ledger = place.create();
        for (instrument, price, is_taken) in [
            ("C-63000", "0", true),
            ("C-63000", "-0.0001", false),
            ("C-63000", "1000000000", true),
            ("C-63000", "1000000000.0001", false),
            ("LINEAR", "0", false),
            ("LINEAR", "-1", false),
            ("LINEAR", "0.0001", true),
            ("LINEAR", "1000000000", true),
            ("LINEAR", "1000000001", false),
            ("INVERSE", "0", false),
        ] {
            let id = format!("{instrument} at {price}");
            let line = trade(&id, "a", NOON, [instrument, "1", price, "0"]);
            let done = ledger.import(&entries(&[line]), at(NOON));
            assert_eq!(done.is_ok(), is_taken, "{id}: {done:?}");
            if let Err(error) = done {
                let (said, bound) = (
                    error.to_string(),
                    if instrument == "C-63000" {
                        "at least 0"
                    } else {
                        "above 0"
                    },
                );
                let expected = format!("price is {price}, expected {bound} and at most 1000000000");
                assert!(said.contains(&expected), "{said}");
            }
        }
        assert_sound(&mut ledger);
    }
}

#[test]
fn fill_that_has_not_happened_yet_is_refused() {
    for place in places("future") {
        let mut ledger = place.create();
        let line = [transfer("1", "a", NOON + 1, "1")];
        let said = ledger.import(&entries(&line), at(NOON)).unwrap_err().to_string();
        assert!(
            said.contains(
                "fill \"1\" of account \"a\" happened at 2026-08-06T12:00:00.001Z, and it is 2026-08-06T12:00:00Z"
            ),
            "{said}"
        );
        assert_eq!(ledger.accounts(at(NOON)).unwrap()[0].fills, 0);
        assert_eq!(ledger.import(&entries(&line), at(NOON + 1)).unwrap().recorded, 1);
    }
}

#[test]
fn trade_moves_the_position_and_what_it_costs() {
    for place in places("costs") {
        let mut ledger = place.create();
        let mut held = |lines: &[String], account: &str| -> Vec<String> {
            ledger.import(&entries(lines), at(NOON)).unwrap();
            let held = ledger.holdings(account).unwrap();
            held.iter()
                .map(|held| format!("{} {} {}", held.name, held.what, held.amount))
                .collect()
        };
        let option = |id: &str, contracts: &str, price: &str, fee: &str| {
            trade(id, "a", NOON, ["C-63000", contracts, price, fee])
        };
        // Half a bitcoin a contract: 2 * 0.5 * 0.05 less the fee, rounded down to 0.0001.
        let sold = [option("sold", "-2", "0.05", "0.00061")];
        assert_eq!(held(&sold, "a"), ["BTC balance 0.0493", "C-63000 position -2"]);
        // 1.5 * 0.04 = 0.03, and the fee is a rebate.
        let bought = [option("bought", "1.5", "0.04", "-0.0001")];
        assert_eq!(held(&bought, "a"), ["BTC balance 0.0194", "C-63000 position -0.5"]);
        // Perpetuals have their price as carry and not as balance: 3 * 0.001 * 61234.57 = 183.70371.
        let linear = [trade("linear", "b", NOON, ["LINEAR", "3", "61234.57", "0.01"])];
        assert_eq!(
            held(&linear, "b"),
            ["USDC balance -0.01", "USDC carry -183.7038", "LINEAR position 3"]
        );
    }
}

#[test]
fn funding_moves_the_settlement_asset_and_is_no_withdrawal() {
    let funding = |id: &str, instrument: &str, amount: &str| {
        let line = serde_json::json!({ "id": id, "account": "a", "time": at(NOON), "instrument": instrument, "amount": amount });
        line.to_string()
    };
    for place in places("funding") {
        let mut ledger = place.create();
        let held = Pledge {
            held: true,
            ..pledge(2, NOON - 1)
        };
        attest(&mut ledger, &held);
        let paid = [funding("1", "INVERSE", "-0.25"), funding("2", "LINEAR", "1.5")];
        assert_eq!(ledger.import(&entries(&paid), at(NOON)).unwrap().recorded, 2);
        let amounts: Vec<String> = ledger
            .holdings("a")
            .unwrap()
            .iter()
            .map(|held| format!("{} {} {}", held.name, held.what, held.amount))
            .collect();
        assert_eq!(amounts, ["BTC balance -0.25", "USDC balance 1.5"]);
        let withdrawn = ledger.import(&entries(&[transfer("3", "a", NOON, "-0.25")]), at(NOON));
        assert!(withdrawn.unwrap_err().to_string().contains("holds withdrawals"));
        let said = ledger
            .import(&entries(&[funding("4", "C-63000", "1")]), at(NOON))
            .unwrap_err()
            .to_string();
        assert!(said.contains("\"C-63000\" is no perpetual"), "{said}");
        assert_sound(&mut ledger);
    }
}

#[test]
fn exported_fills_are_imported_as_the_same_ledger() {
    for place in places("export") {
        let mut ledger = place.create();
        let lines = [
            transfer("1", "a", NOON, "10"),
            trade("2", "a", NOON + 1, ["C-63000", "-2", "0.05", "0.0006"]),
            trade("\"odd, id\" ü", "b", NOON, ["LINEAR", "3", "61234.5", "-0.01"]),
        ];
        ledger.import(&entries(&lines), at(NOON + 1)).unwrap();
        for (format, name) in [
            (EntryFormat::JsonLines, "export_json"),
            (EntryFormat::Csv, "export_csv"),
        ] {
            let (file, count) = ledger.export(format).unwrap();
            assert_eq!(count, 3);
            for copy in places(name) {
                let mut copy = copy.create();
                let read = Entries::read(&file, format).unwrap();
                assert_eq!(copy.import(&read, at(NOON + 1)).unwrap().recorded, 3);
                assert_eq!(copy.export(format).unwrap().0, file);
                for account in ["a", "b"] {
                    assert!(copy.holdings(account).unwrap() == ledger.holdings(account).unwrap());
                }
            }
        }
    }
}
