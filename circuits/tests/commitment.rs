//! Commitments, their algebra, and the parameters that they are made with.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;
use std::sync::LazyLock;

use zkmargin_circuits::{Blind, Parameters, ParametersError, Point, RunningCommitment, commit};

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
    assert!(running.apply(&PARAMETERS, 0, 0, -1).is_err(), "a leg below zero");
    assert!(running.apply(&PARAMETERS, 0, 1, 1 << 48).is_err(), "a leg of 2^48 lots");
    assert!(
        running.apply(&PARAMETERS, 0, 48, 1).is_err(),
        "a row that no leg can stand in"
    );
    assert!(
        running.apply(&PARAMETERS, 2, 0, 1).is_err(),
        "a column that there is not"
    );
}

#[test]
fn commitment_to_nothing_without_a_blind_is_refused() {
    assert!(commit(&PARAMETERS, &[0; 3], &Blind::zero()).is_err());
    assert!(commit(&PARAMETERS, &[0; 49], &Blind::random().unwrap()).is_err());
    assert!(commit(&PARAMETERS, &[1 << 48], &Blind::random().unwrap()).is_err());
    assert!(commit(&PARAMETERS, &[(1 << 48) - 1], &Blind::random().unwrap()).is_ok());
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
    }
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn unwritable_cache_is_no_error() {
    assert!(Parameters::load(K, Some(Path::new("/dev/null/cache"))).is_ok());
}
