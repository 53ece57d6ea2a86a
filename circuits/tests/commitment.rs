//! Commitments, their algebra, and the parameters that they are made with.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;
use std::sync::LazyLock;

use zkmargin_circuits::{Blind, CommitmentError, Parameters, ParametersError, Point, RunningCommitment, commit};

const K: u32 = 6;
const ROWS: usize = 48;
static PARAMETERS: LazyLock<Parameters> = LazyLock::new(|| Parameters::load(K, None).unwrap());

#[test]
fn two_attestations_of_one_account_share_nothing_and_differ_in_no_known_way() {
    let rows = [5, 0, 3];
    let running = RunningCommitment::new(&PARAMETERS, &[&rows, &rows]).unwrap();
    let points: Vec<Point> = (0..3).flat_map(|_| running.blinded(&PARAMETERS).unwrap().0).collect();
    for (index, point) in points.iter().enumerate() {
        assert!(points[index + 1..].iter().all(|other| other != point));
    }
}

#[test]
fn running_commitment_after_fills_equals_a_fresh_one() {
    let mut running = RunningCommitment::new(&PARAMETERS, &[&[5, 0, 3], &[1]]).unwrap();
    for (column, row, lots) in [(0, 0, -5), (0, 1, 7), (1, 0, 9), (1, 47, 2), (0, 2, 4)] {
        running.apply(&PARAMETERS, column, row, lots).unwrap();
    }
    let mut second = vec![0; ROWS];
    (second[0], second[47]) = (10, 2);
    let (points, blinds) = running.blinded(&PARAMETERS).unwrap();
    assert_eq!(points[0], commit(&PARAMETERS, &[0, 7, 7], &blinds[0]).unwrap());
    assert_eq!(points[1], commit(&PARAMETERS, &second, &blinds[1]).unwrap());
}

#[test]
fn commitment_to_nothing_without_a_blind_is_refused() {
    assert_eq!(
        commit(&PARAMETERS, &[0; 3], &Blind::zero()),
        Err(CommitmentError::Identity)
    );
    let made = commit(&PARAMETERS, &[0; 3], &Blind::random().unwrap());
    assert!(made.is_ok(), "{made:?}");
}

#[test]
fn legs_at_the_ends_of_columns_and_ranges_are_committed_to_and_those_beyond_are_refused_by_name() {
    let blind = Blind::random().unwrap();
    let full = [(1 << 48) - 1; ROWS];
    let running = RunningCommitment::new(&PARAMETERS, &[&full, &full]).unwrap();
    let made = |column: &[u64]| {
        let columns = [&full[..], column];
        let new = RunningCommitment::new(&PARAMETERS, &columns).map(|_| ());
        let resumed = RunningCommitment::resume(&PARAMETERS, &columns, &running.sums()).map(|_| ());
        assert_eq!(new, resumed);
        (commit(&PARAMETERS, column, &blind).map(|_| ()), new)
    };
    assert_eq!(made(&full), (Ok(()), Ok(())));
    let rows = CommitmentError::TooManyRows { given: 49, rows: ROWS };
    assert_eq!(made(&[0; 49]), (Err(rows.clone()), Err(rows)));
    let mut over = full;
    over[47] += 1;
    let lots = |column, row| CommitmentError::LotsOutOfRange { column, row };
    assert_eq!(made(&over), (Err(lots(0, 47)), Err(lots(1, 47))));

    let mut running = running.clone();
    let mut apply = |column, row, lots| running.apply(&PARAMETERS, column, row, lots);
    assert_eq!(apply(1, 47, 1), Err(lots(1, 47)));
    assert_eq!(apply(1, 47, 1 - (1 << 48)), Ok(()));
    assert_eq!(apply(1, 47, -1), Err(lots(1, 47)));
    assert_eq!(apply(1, 47, (1 << 48) - 1), Ok(()));
    let outside = |column, row| CommitmentError::OutOfRange {
        column,
        row,
        columns: 2,
        rows: ROWS,
    };
    assert_eq!(apply(0, 48, 1), Err(outside(0, 48)));
    assert_eq!(apply(2, 0, 1), Err(outside(2, 0)));
}

#[test]
fn stored_sums_are_taken_up_again_and_others_than_those_of_the_legs_are_noticed() {
    let mut running = RunningCommitment::new(&PARAMETERS, &[&[5, 0, 3], &[], &[1]]).unwrap();
    running.apply(&PARAMETERS, 0, 1, 7).unwrap();
    let (sums, columns) = (running.sums(), running.lots().to_vec());
    assert_eq!((columns[0][..3].to_vec(), columns[1].len()), (vec![5, 7, 3], ROWS));
    assert_eq!(sums[1], [0; 32]);
    let columns: Vec<&[u64]> = columns.iter().map(Vec::as_slice).collect();
    let resume = |sums: &[[u8; 32]]| RunningCommitment::resume(&PARAMETERS, &columns, sums);
    let mut resumed = resume(&sums).unwrap();
    assert!(resumed.is_consistent(&PARAMETERS));
    assert_eq!((resumed.sums(), resumed.lots()), (sums.clone(), running.lots()));
    for commitment in [&mut running, &mut resumed] {
        commitment.apply(&PARAMETERS, 2, 0, -1).unwrap();
    }
    assert_eq!(resumed.sums(), running.sums());

    let stored = |sums: &[[u8; 32]]| resume(sums).map(|_| ()).unwrap_err();
    assert_eq!(stored(&sums[..2]), CommitmentError::StoredSum { column: 2 });
    assert_eq!(
        stored(&[&sums[..], &sums[..1]].concat()),
        CommitmentError::StoredSum { column: 3 }
    );
    assert_eq!(
        stored(&[sums[0], [0xff; 32], sums[2]]),
        CommitmentError::StoredSum { column: 1 }
    );
    assert!(!resume(&[sums[2], sums[1], sums[0]]).unwrap().is_consistent(&PARAMETERS));
}

#[test]
fn a_point_that_is_moved_or_blinded_again_commits_to_what_it_then_should() {
    let [blind, other] = [Blind::random().unwrap(), Blind::random().unwrap()];
    let point = commit(&PARAMETERS, &[5, 0, 3], &blind).unwrap();
    let mut moved = [0; ROWS];
    (moved[2], moved[47]) = (3, 9);
    let found = point
        .moved(&PARAMETERS, 0, -5)
        .unwrap()
        .moved(&PARAMETERS, 47, 9)
        .unwrap();
    assert_eq!(found, commit(&PARAMETERS, &moved, &blind).unwrap());
    let outside = CommitmentError::OutOfRange {
        column: 0,
        row: 48,
        columns: 1,
        rows: ROWS,
    };
    assert_eq!(point.moved(&PARAMETERS, 48, 1), Err(outside));
    assert_eq!(
        point.reblinded(&PARAMETERS, &other),
        commit(&PARAMETERS, &[5, 0, 3], &blind.add(&other))
    );
    let bare = commit(&PARAMETERS, &[1], &Blind::zero()).unwrap();
    assert_eq!(bare.moved(&PARAMETERS, 0, -1), Err(CommitmentError::Identity));
}

#[test]
fn points_and_blinds_are_what_their_bytes_say() {
    let blind = Blind::random().unwrap();
    let read = Blind::from_bytes(&blind.to_bytes()).unwrap();
    let point = commit(&PARAMETERS, &[5], &blind).unwrap();
    assert_eq!(commit(&PARAMETERS, &[5], &read), Ok(point));
    assert_eq!(Point::from_bytes(&point.to_bytes()), Ok(point));
    assert_eq!(
        Blind::from_bytes(&[0xff; 32]).err(),
        Some(CommitmentError::BlindNotCanonical)
    );
    assert_eq!(Blind::zero().to_bytes(), [0; 32]);
}

#[test]
fn every_supported_k_has_the_pinned_parameters_and_no_other_is_supported() {
    for k in 6..=10 {
        assert_eq!(Parameters::load(k, None).unwrap().k(), k);
    }
    for k in [0, 5, 13, 31, 64, u32::MAX] {
        assert!(matches!(
            Parameters::load(k, None),
            Err(ParametersError::UnsupportedK { .. })
        ));
    }
}

#[test]
fn cached_parameters_with_one_byte_changed_are_not_used() {
    let folder = std::env::temp_dir().join(format!("zkmargin-parameters-{}", std::process::id()));
    let derived = Parameters::load(K, Some(&folder)).unwrap();
    let file = folder.join("vesta-k6.params");
    let intact = std::fs::read(&file).unwrap();
    let pinned = "4c3792de95d2bf076067b6e9a89a55b5938aa1bd58557f2f7531f69880a543b5";
    assert_eq!(hex::encode(derived.digest()), pinned);
    for at in [0, 3, 4, 100, intact.len() - 1] {
        let mut bytes = intact.clone();
        bytes[at] ^= 1;
        std::fs::write(&file, &bytes).unwrap();
        let loaded = Parameters::load(K, Some(&folder)).unwrap();
        assert_eq!(loaded.digest(), derived.digest());
        assert_eq!(
            std::fs::read(&file).unwrap(),
            intact,
            "the file is replaced by an intact one"
        );
    }
    for bytes in [
        &intact[..intact.len() - 1],
        &[&intact[..], &[0]].concat(),
        &[0xff; 4],
        &[],
    ] {
        std::fs::write(&file, bytes).unwrap();
        assert!(Parameters::load(K, Some(&folder)).is_ok());
        assert_eq!(std::fs::read(&file).unwrap(), intact);
    }
    // Whole, the file is read and not written again.
    let long_ago = std::time::SystemTime::UNIX_EPOCH;
    let own = std::fs::File::options().write(true).open(&file).unwrap();
    own.set_modified(long_ago).unwrap();
    assert_eq!(Parameters::load(K, Some(&folder)).unwrap().digest(), derived.digest());
    assert_eq!(std::fs::metadata(&file).unwrap().modified().unwrap(), long_ago);
    std::fs::remove_dir_all(&folder).unwrap();
}

/// Whoever opens a pipe to read it waits for somebody who writes.
#[cfg(unix)]
#[test]
fn pipe_in_place_of_cached_parameters_is_not_opened() {
    let folder = std::env::temp_dir().join(format!("zkmargin-pipe-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let pipe = folder.join("vesta-k6.params");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    let (done, loaded) = std::sync::mpsc::channel();
    let cache = folder.clone();
    std::thread::spawn(move || done.send(Parameters::load(K, Some(&cache)).is_ok()));
    assert_eq!(loaded.recv_timeout(std::time::Duration::from_secs(60)), Ok(true));
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn unwritable_cache_is_no_error() {
    assert!(Parameters::load(K, Some(Path::new("/dev/null/cache"))).is_ok());
}
