#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
use super::*;
use crate::fixture::{Item, attestation, key, point, public};
use std::collections::BTreeSet;

fn good() -> SignedAttestation {
    attestation("gamma", "account", |_| {})
}

#[test]
fn attestation_file_round_trips_and_verifies() {
    let bytes = good().to_bytes();
    let read = SignedAttestation::from_bytes(&bytes).unwrap();
    assert_eq!(read, good());
    assert_eq!(read.verify(), Ok(()));
    assert_eq!(Attestation::from_payload(read.payload()).unwrap(), *read.content());
}

#[test]
fn every_item_of_the_payload_is_under_the_signature() {
    let signed = good();
    let payload = Item::decode(signed.payload());
    let mut fields = BTreeSet::new();
    for (path, mutant) in payload.mutants() {
        fields.insert(path[0]);
        // Either it is no attestation any more, or the signature is not over it.
        if let Ok(read) = SignedAttestation::from_parts(mutant.encode(), signed.key(), *signed.signature()) {
            assert_ne!(read.content(), signed.content(), "{path:?}");
            assert_eq!(
                read.verify(),
                Err(SignatureError::Wrong { key: public("gamma") }),
                "{path:?}"
            );
        }
    }
    // One path per field, and one for the array itself.
    let Item::Array(items) = payload else {
        panic!("a payload is an array")
    };
    assert_eq!(fields.len(), items.len() + 1);
}

#[test]
fn every_field_of_the_content_is_in_the_payload() {
    type Change = fn(&mut Attestation);
    let changes: [Change; FIELDS] = [
        |a| a.protocol += 1,
        |a| a.network = Network::Main,
        |a| a.universe.0[0] ^= 1,
        |a| a.k += 1,
        |a| a.venue.push('x'),
        |a| a.subject.0[0] ^= 1,
        |a| a.account.0[0] ^= 1,
        |a| a.accounts += 1,
        |a| a.epoch = a.time,
        |a| a.time = a.expiry,
        |a| a.expiry = a.time,
        |a| a.audience.0[0] ^= 1,
        |a| a.book = Book::new("other").unwrap(),
        |a| a.held = !a.held,
        |a| a.points.reverse(),
    ];
    let mut payloads = BTreeSet::from([good().payload().to_vec()]);
    for (index, change) in changes.iter().enumerate() {
        assert!(
            payloads.insert(attestation("gamma", "account", change).payload().to_vec()),
            "field {index}"
        );
    }
}

#[test]
fn attestation_signed_with_another_key_is_refused() {
    let signed = good();
    let other = SignedAttestation::from_parts(signed.payload().to_vec(), public("alpha"), *signed.signature()).unwrap();
    assert_eq!(other.verify(), Err(SignatureError::Wrong { key: public("alpha") }));
}

#[test]
fn point_that_is_no_commitment_is_refused_by_kind() {
    let refusal = |bytes: [u8; 32]| {
        let Item::Array(mut items) = Item::decode(good().payload()) else {
            panic!("a payload is an array")
        };
        let Some(Item::Array(points)) = items.last_mut() else {
            panic!("points come last")
        };
        points[1] = Item::Bytes(bytes.to_vec());
        Attestation::from_payload(&Item::Array(items).encode()).unwrap_err()
    };
    let expected = |error| AttestationError::Point {
        venue: "gamma".to_owned(),
        column: 1,
        error,
    };
    assert_eq!(refusal([0; 32]), expected(PointError::Identity));
    let mut not_reduced = [0xff; 32];
    not_reduced[31] = 0x7f;
    assert_eq!(refusal(not_reduced), expected(PointError::NonCanonical));
    // Half of all x are on no point: one of a few is.
    let off_curve = (1..20).map(|x| {
        let mut bytes = [0; 32];
        bytes[0] = x;
        bytes
    });
    let off_curve = off_curve
        .into_iter()
        .find(|bytes| Point::from_bytes(bytes) == Err(PointError::OffCurve))
        .unwrap();
    assert_eq!(refusal(off_curve), expected(PointError::OffCurve));
}

#[test]
fn bytes_more_or_less_or_in_another_encoding_are_refused() {
    let signed = good();
    let payload = signed.payload();
    assert!(matches!(
        Attestation::from_payload(&[payload, &[0]].concat()),
        Err(AttestationError::Malformed(CanonicalError::Trailing { count: 1 }))
    ));
    let ends_early = |refusal: &AttestationError| match refusal {
        AttestationError::Malformed(error) | AttestationError::Envelope(EnvelopeError::Malformed(error)) => {
            matches!(error, CanonicalError::Malformed { .. } | CanonicalError::Length { .. })
        }
        _ => false,
    };
    for length in 0..payload.len() {
        let refusal = Attestation::from_payload(&payload[..length]).unwrap_err();
        assert!(ends_early(&refusal), "{length} bytes: {refusal}");
    }
    // The protocol version in two bytes where one will do.
    let longer = [&payload[..1], &[0x18, payload[1]], &payload[2..]].concat();
    assert_eq!(
        Attestation::from_payload(&longer),
        Err(CanonicalError::NotCanonical.into())
    );

    let file = signed.to_bytes();
    assert!(matches!(
        SignedAttestation::from_bytes(&[file.as_slice(), &[0]].concat()),
        Err(AttestationError::Malformed(CanonicalError::Trailing { count: 1 }))
    ));
    // The length of the signature, its last 64 bytes, in two bytes where one will do.
    let (head, tail) = file.split_at(file.len() - 66);
    assert_eq!(tail[..2], [0x58, 64]);
    assert_eq!(
        SignedAttestation::from_bytes(&[head, &[0x59, 0], &tail[1..]].concat()),
        Err(CanonicalError::NotCanonical.into())
    );
    for length in 0..file.len() {
        let refusal = SignedAttestation::from_bytes(&file[..length]).unwrap_err();
        assert!(ends_early(&refusal), "{length} bytes: {refusal}");
    }
}

#[test]
fn more_columns_or_longer_names_than_a_universe_has_are_refused() {
    let many = attestation("gamma", "account", |a| a.points = vec![point(1); MAX_COLUMNS + 1]);
    assert!(matches!(
        Attestation::from_payload(many.payload()),
        Err(AttestationError::Malformed(CanonicalError::Length { .. }))
    ));
    let most = attestation("gamma", "account", |a| a.points = vec![point(1); MAX_COLUMNS]);
    assert!(most.payload().len() <= MAX_PAYLOAD_BYTES);
    assert!(SignedAttestation::from_bytes(&most.to_bytes()).is_ok());
    let long = attestation("gamma", "account", |a| a.venue = "v".repeat(MAX_NAME_BYTES + 1));
    assert!(matches!(
        Attestation::from_payload(long.payload()),
        Err(AttestationError::Malformed(CanonicalError::Length { .. }))
    ));
}

#[test]
fn pseudonym_depends_on_secret_account_and_audience_alone() {
    let secret = PseudonymSecret::from_bytes([9; 32]);
    let pseudonym = secret.pseudonym("account", &public("audience"));
    assert_eq!(pseudonym, secret.clone().pseudonym("account", &public("audience")));
    assert_ne!(pseudonym, secret.pseudonym("account2", &public("audience")));
    assert_ne!(pseudonym, secret.pseudonym("account", &public("other")));
    assert_ne!(
        pseudonym,
        PseudonymSecret::from_bytes([8; 32]).pseudonym("account", &public("audience"))
    );
    assert_eq!(format!("{secret:?}"), "PseudonymSecret(..)");
}

/// Fixed content, key and commitment: pseudonym, hash of the payload, signature.
#[test]
fn golden_attestation() {
    let signed = attestation("gamma", "account", |a| a.universe = Digest([3; 32]));
    let hash = blake2b_simd::Params::new().hash_length(32).hash(signed.payload());
    let golden = [
        signed.content().account.to_string(),
        hash.to_hex().to_string(),
        hex::encode(signed.signature()),
    ];
    assert_eq!(
        golden,
        [
            "58a38e2c61331dd3bce7ea1a6683709264bd5ff7cda3487a5c2195f67efea238",
            "1a06e5fd780ae7eed94928d321c5fd8d90bc5e8e9c9ce357c5a3fe4ab7a8b83a",
            "68ef8b54a7788fe6f2dab733fbd30f7f004b4861a6e836b6eee8d2b0954116a2b8e3e3af3367ad72b3db12765296eda1213bb8b2e432baac22f553b9e4e1ee03"
        ]
    );
    assert_eq!(signed.key(), PublicKey::of(&key("gamma")));
    // An array of three strings: the payload, whose length is said in one byte or two, the key and the signature.
    let (key, length) = (signed.key(), signed.payload().len());
    let head = match u8::try_from(length) {
        Ok(length) => vec![0x83, 0x58, length],
        Err(_) => [&[0x83, 0x59][..], &u16::try_from(length).unwrap().to_be_bytes()].concat(),
    };
    let parts = [
        &head,
        signed.payload(),
        &[0x58, 32],
        key.as_bytes(),
        &[0x58, 64],
        signed.signature(),
    ];
    let digest = blake2b_simd::Params::new()
        .hash_length(32)
        .personal(b"zkmargin-atts-v1")
        .hash(&parts.concat());
    assert_eq!(signed.digest().0, digest.as_bytes());
}
