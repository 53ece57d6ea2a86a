//! State files of running commitments; how large files may be.

use minicbor::Encoder;
use zkmargin_circuits::Parameters;
use zkmargin_ledger::fill::{FillError, Fills, MAX_FILLS_BYTES};
use zkmargin_ledger::keys::{KeyError, KeyFile, MAX_KEY_FILE_BYTES};
use zkmargin_ledger::ledger::{Entries, EntryError, EntryFormat, MAX_ENTRIES_BYTES};
use zkmargin_ledger::running::{RunningAccount, RunningError};
use zkmargin_risk::account::AccountVector;
use zkmargin_risk::canonical::{CanonicalError, Digest};

use crate::commitments::fills_of;
use crate::world::{NOON, at, cache, trade, transfer, universe};

fn parameters() -> Parameters {
    Parameters::load(6, Some(&cache())).unwrap()
}

/// An account of the venue with two columns, after these lines of fills.
fn account(lines: &[String]) -> RunningAccount {
    let (universe, parameters) = (universe(), parameters());
    let empty = AccountVector::from_json(r#"{"venue":"house"}"#, &universe).unwrap();
    let mut account = RunningAccount::open(&universe, &parameters, &empty).unwrap();
    for line in lines {
        fills_of(line).apply(&universe, &parameters, &mut account).unwrap();
    }
    account
}

/// What a state file says, field by field.
#[derive(Clone)]
struct File {
    magic: &'static str,
    version: u64,
    universe: Digest,
    venue: &'static str,
    columns: Vec<([u8; 32], Vec<[u64; 2]>)>,
}

impl File {
    fn of(account: &RunningAccount) -> File {
        let columns = account.commitment().lots().iter().map(|lots| {
            let rows = (0_u64..).zip(lots.iter().copied());
            rows.filter(|(_, lots)| *lots > 0)
                .map(|(row, lots)| [row, lots])
                .collect()
        });
        File {
            magic: "zkmargin-running",
            version: 1,
            universe: account.universe(),
            venue: "house",
            columns: account.commitment().sums().into_iter().zip(columns).collect(),
        }
    }

    fn bytes(&self) -> Vec<u8> {
        let mut e = Encoder::new(Vec::new());
        let e1 = e.array(6).unwrap().str(self.magic).unwrap().u64(self.version).unwrap();
        e1.bytes(&self.universe.0)
            .unwrap()
            .u32(6)
            .unwrap()
            .str(self.venue)
            .unwrap();
        e.array(self.columns.len() as u64).unwrap();
        for (sum, rows) in &self.columns {
            e.array(2)
                .unwrap()
                .bytes(sum)
                .unwrap()
                .array(rows.len() as u64)
                .unwrap();
            for [row, lots] in rows {
                e.array(2).unwrap().u64(*row).unwrap().u64(*lots).unwrap();
            }
        }
        e.into_writer()
    }

    fn read(&self) -> Result<RunningAccount, RunningError> {
        RunningAccount::from_bytes(&self.bytes(), &universe(), &parameters())
    }

    fn but(&self, edit: impl FnOnce(&mut File)) -> RunningError {
        let mut edited = self.clone();
        edit(&mut edited);
        edited.read().unwrap_err()
    }
}

/// Balances and positions in both columns.
fn held() -> RunningAccount {
    account(&[
        transfer("", "", NOON, "10"),
        trade("", "", NOON, ["C-41000", "2", "0.05", "0"]),
        trade("", "", NOON, ["C-63000", "-2", "0.05", "0"]),
        trade("", "", NOON, ["C-42000", "2", "0.05", "0"]),
        trade("", "", NOON, ["C-42000", "-2", "0.05", "0"]),
    ])
}

#[test]
fn state_file_is_read_as_what_was_written() {
    for account in [held(), account(&[])] {
        let bytes = account.to_bytes();
        assert_eq!(File::of(&account).bytes(), *bytes);
        let read = RunningAccount::from_bytes(&bytes, &universe(), &parameters()).unwrap();
        assert_eq!(read.to_bytes(), bytes);
        assert_eq!(read.commitment().lots(), account.commitment().lots());
        assert_eq!((read.venue(), read.universe()), ("house", universe().digest()));
    }
}

#[test]
fn state_file_that_was_changed_is_refused_and_says_by_what() {
    let file = File::of(&held());
    assert!(file.columns.iter().all(|(_, rows)| !rows.is_empty()));
    let kind = file.but(|file| file.magic = "zkmargin-opening");
    assert!(matches!(kind, RunningError::Kind { found } if found == "zkmargin-opening"));
    let version = file.but(|file| file.version = 2);
    assert!(matches!(version, RunningError::Version { found: 2 }));
    let others = file.but(|file| file.universe.0[0] ^= 1);
    assert!(matches!(others, RunningError::Universe { expected, .. } if expected == file.universe));
    let venue = file.but(|file| file.venue = "nowhere");
    assert!(matches!(venue, RunningError::UnknownVenue(name) if name == "nowhere"));
    let columns = file.but(|file| file.columns.truncate(1));
    assert!(matches!(columns, RunningError::Columns { found: 1, expected: 2 }));
    // Another venue's, which has one column.
    let elsewhere = file.but(|file| file.venue = "elsewhere");
    assert!(matches!(elsewhere, RunningError::Columns { found: 2, expected: 1 }));
    let row = file.but(|file| file.columns[1].1.push([48, 1]));
    assert!(matches!(
        row,
        RunningError::Row {
            column: 1,
            row: 48,
            rows: 48
        }
    ));
    let range = file.but(|file| file.columns[0].1[0][1] = 1 << 48);
    assert!(matches!(range, RunningError::Commitment(_)));
}

#[test]
fn lots_that_the_sums_are_not_of_are_refused() {
    let file = File::of(&held());
    let sums: [fn(&mut File); 5] = [
        |file| file.columns[0].1[0][1] += 1,
        |file| file.columns[0].1[0][1] -= 1,
        |file| {
            file.columns[0].1.pop();
        },
        |file| {
            let (first, rest) = file.columns.split_first_mut().unwrap();
            std::mem::swap(&mut first.0, &mut rest[0].0);
        },
        |file| file.columns[1].0 = [0; 32],
    ];
    for edit in sums {
        assert!(matches!(file.but(edit), RunningError::Inconsistent));
    }
}

#[test]
fn another_encoding_of_the_same_state_is_refused() {
    let file = File::of(&held());
    let rows: [fn(&mut Vec<[u64; 2]>); 3] = [
        |rows| rows.reverse(),
        |rows| rows.push(*rows.last().unwrap()),
        |rows| rows.insert(0, [0, 0]),
    ];
    for edit in rows {
        let refused = file.but(|file| edit(&mut file.columns[0].1));
        let is_so = matches!(refused, RunningError::Malformed(CanonicalError::NotCanonical));
        assert!(is_so, "{refused}");
    }
}

#[test]
fn account_names_what_it_holds_and_has_expired() {
    // Of all options of the world.
    const EXPIRY: u64 = 1_787_904_000_000;
    let account = held();
    assert_eq!(account.expired(&universe(), at(EXPIRY - 1)), []);
    let expired = ["C-41000", "C-63000"].map(|name| (name.to_owned(), at(EXPIRY)));
    assert_eq!(account.expired(&universe(), at(EXPIRY)), expired);
}

#[test]
fn fills_say_how_many_legs_moved() {
    let (universe, parameters) = (universe(), parameters());
    let mut account = account(&[transfer("", "", NOON, "10")]);
    let mut moved = |line: String| fills_of(&line).apply(&universe, &parameters, &mut account).unwrap();
    assert_eq!(moved(transfer("", "", NOON, "1")), 1);
    // From long to short.
    assert_eq!(moved(transfer("", "", NOON, "-12")), 2);
    // The position, the carry and the fee.
    assert_eq!(moved(trade("", "", NOON, ["LINEAR", "3", "61234.5", "0.01"])), 3);
}

#[test]
fn file_at_its_cap_is_read_and_one_byte_more_is_refused_for_its_size() {
    let of = |length: usize| vec![b' '; length];
    for more in [0, 1] {
        let fills = Fills::from_json(&of(MAX_FILLS_BYTES + more));
        let key = KeyFile::of_any_role(&of(MAX_KEY_FILE_BYTES + more));
        let entries = Entries::read(&of(MAX_ENTRIES_BYTES + more), EntryFormat::Csv);
        let for_its_size = [
            matches!(fills, Err(FillError::TooLarge { .. })),
            matches!(key, Err(KeyError::TooLarge { .. })),
            matches!(entries, Err(EntryError::TooLarge { .. })),
        ];
        assert_eq!(for_its_size, [more == 1; 3]);
    }
}
