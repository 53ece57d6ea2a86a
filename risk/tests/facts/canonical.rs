use proptest::prelude::*;
use rust_decimal::Decimal;
use zkmargin_risk::canonical::{Canonical, CanonicalError, Digest, Personal, Reader, Writer, digest, parse_hex};

use crate::dec;

/// One of everything.
#[derive(Clone, Debug, PartialEq)]
struct Everything {
    name: String,
    count: u64,
    change: i64,
    held: bool,
    price: Decimal,
    limit: Option<Decimal>,
    points: Vec<Vec<u8>>,
}

impl Canonical for Everything {
    fn write(&self, w: &mut Writer) {
        w.array(7);
        w.text(&self.name);
        w.uint(self.count);
        w.int(self.change);
        w.flag(self.held);
        w.decimal(self.price);
        w.option(self.limit, Writer::decimal);
        w.list(self.points.iter(), |w, point| w.bytes(point));
    }

    fn read(r: &mut Reader<'_>) -> Result<Everything, CanonicalError> {
        r.array_of("everything", 7)?;
        Ok(Everything {
            name: r.text("name", 100)?.to_owned(),
            count: r.uint("count")?,
            change: r.int("change")?,
            held: r.flag("held")?,
            price: r.decimal("price")?,
            limit: r.option("limit", |r| r.decimal("limit"))?,
            points: r.list("points", 8, |r| Ok(r.bytes("point", 40)?.to_vec()))?,
        })
    }
}

fn decimals() -> impl Strategy<Value = Decimal> {
    (any::<i128>(), 0_u32..=28, 0_u32..=96).prop_map(|(mantissa, scale, bits)| {
        let mantissa = if bits == 0 { 0 } else { mantissa >> (128 - bits) };
        Decimal::from_i128_with_scale(mantissa, scale).normalize()
    })
}

prop_compose! {
    fn everything()(
        name in "[a-zé Å漢]{0,20}", count: u64, change: i64, held: bool, price in decimals(), limit in proptest::option::of(decimals()),
        points in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 0..8),
    ) -> Everything {
        Everything { name: unicode_normalization::UnicodeNormalization::nfc(name.as_str()).collect(), count, change, held, price, limit, points }
    }
}

proptest! {
    #[test]
    fn canonical_bytes_round_trip(value in everything()) {
        let bytes = value.to_canonical();
        prop_assert_eq!(Everything::from_canonical(&bytes).unwrap(), value);
    }

    #[test]
    fn no_other_bytes_read_as_the_same_value(value in everything(), at: prop::sample::Index, flip in 1_u8..=255) {
        let bytes = value.to_canonical();
        let mut changed = bytes.clone();
        changed[at.index(bytes.len())] ^= flip;
        if let Ok(read) = Everything::from_canonical(&changed) {
            prop_assert_ne!(read, value);
        }
        prop_assert!(Everything::from_canonical(&bytes[..at.index(bytes.len())]).is_err());
    }

    #[test]
    fn bytes_from_anywhere_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(value) = Everything::from_canonical(&bytes) {
            prop_assert_eq!(value.to_canonical(), bytes);
        }
    }
}

fn decimal_hex(text: &str) -> String {
    let mut writer = Writer::new();
    writer.decimal(dec(text));
    hex::encode(writer.into_bytes())
}

#[test]
fn a_decimal_has_one_encoding() {
    assert_eq!(decimal_hex("0"), "820000");
    assert_eq!(decimal_hex("-0.00"), "820000");
    assert_eq!(decimal_hex("70000"), "820704");
    assert_eq!(decimal_hex("-12.50"), "82387c20");
    assert_eq!(decimal_hex("0.0215"), "8218d723");
    assert_eq!(decimal_hex("18446744073709551615"), "821bffffffffffffffff00");
    assert_eq!(decimal_hex("18446744073709551616"), "82c24901000000000000000000");
    assert_eq!(decimal_hex("-18446744073709551617"), "82c34901000000000000000000");
}

fn read_decimal(hex_text: &str) -> Result<Decimal, CanonicalError> {
    struct Amount(Decimal);
    impl Canonical for Amount {
        fn write(&self, w: &mut Writer) {
            w.decimal(self.0);
        }
        fn read(r: &mut Reader<'_>) -> Result<Amount, CanonicalError> {
            r.decimal("amount").map(Amount)
        }
    }
    Amount::from_canonical(&hex::decode(hex_text).unwrap()).map(|amount| amount.0)
}

#[test]
fn other_encodings_of_a_decimal_are_refused() {
    assert_eq!(read_decimal("820704").unwrap(), dec("70000"));
    for (bytes, what) in [
        ("8218460 3".replace(' ', ""), "a trailing zero: 70e3"),
        ("820001".into(), "a zero with an exponent"),
        ("82c2410704".into(), "a tag where none is needed"),
        ("82c24a0001000000000000000000".into(), "a leading zero byte"),
        ("82180704".into(), "a longer integer"),
        ("9f0704ff".into(), "an indefinite length"),
        ("830704 00".replace(' ', ""), "another length"),
        ("82f9700004".into(), "a float"),
        ("8207381c".into(), "29 decimals"),
        ("8207181d".into(), "too large an exponent"),
        ("821b7fffffffffffffff1bffffffffffffffff".into(), "an absurd exponent"),
        ("82c24dff0000000000000000000000000000".into(), "104 bits"),
        ("82c10704".into(), "another tag"),
        ("820704f6".into(), "a trailing byte"),
    ] {
        assert!(read_decimal(&bytes).is_err(), "{what}");
    }
}

#[test]
fn each_refusal_says_where_and_what() {
    let refusal = |bytes: &[u8]| Everything::from_canonical(bytes).unwrap_err();
    assert_eq!(
        refusal(&[0x86]).to_string(),
        "byte 1: everything has length 6, expected at most 0"
    );
    assert_eq!(
        refusal(&[0x81, 0x00]).to_string(),
        "byte 1: everything has length 1, expected 7"
    );
    assert!(matches!(
        refusal(&[]),
        CanonicalError::Malformed {
            at: 0,
            field: "everything",
            ..
        }
    ));
    // An array that states four thousand million million values is refused before anything is reserved.
    assert!(matches!(
        refusal(&[0x9b, 0, 0x0f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
        CanonicalError::Length {
            field: "everything",
            ..
        }
    ));
    // A text that states as many bytes.
    let hostile = [
        0x87, 0x7b, 0, 0x0f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0,
    ];
    assert!(matches!(
        refusal(&hostile),
        CanonicalError::Malformed { field: "name", .. }
    ));
    let mut value = Everything {
        name: "n".repeat(101),
        count: 0,
        change: -1,
        held: true,
        price: Decimal::ONE,
        limit: None,
        points: vec![vec![0; 41]],
    };
    assert_eq!(
        refusal(&value.to_canonical()).to_string(),
        "byte 104: name has length 101, expected at most 100"
    );
    value.name.clear();
    assert!(matches!(
        refusal(&value.to_canonical()),
        CanonicalError::Length {
            field: "point",
            length: 41,
            ..
        }
    ));
    value.points.clear();
    let mut bytes = value.to_canonical();
    bytes.push(0);
    assert_eq!(refusal(&bytes), CanonicalError::Trailing { count: 1 });
}

#[test]
fn text_is_written_in_nfc_and_read_in_no_other_form() {
    let value = |name: &str| Everything {
        name: name.to_owned(),
        count: 0,
        change: 0,
        held: false,
        price: Decimal::ZERO,
        limit: None,
        points: Vec::new(),
    };
    let (composed, decomposed) = ("\u{e9}", "e\u{301}");
    assert_eq!(value(composed).to_canonical(), value(decomposed).to_canonical());
    let mut bytes = vec![0x87, 0x63];
    bytes.extend(decomposed.as_bytes());
    bytes.extend(&value("").to_canonical()[2..]);
    assert_eq!(Everything::from_canonical(&bytes), Err(CanonicalError::NotCanonical));
}

#[test]
fn a_digest_depends_on_what_it_is_a_digest_of() {
    let all = [
        Personal::Statement,
        Personal::Universe,
        Personal::Snapshot,
        Personal::Model,
        Personal::History,
        Personal::Pseudonym,
        Personal::Attestation,
        Personal::Proof,
    ];
    let digests: std::collections::BTreeSet<Digest> = all.map(|personal| digest(personal, b"")).into();
    assert_eq!(digests.len(), all.len());
    assert_eq!(
        digest(Personal::Universe, b"abc").to_string(),
        "e46416ee6779935bc9eb63271c270c02b156947701f1e804caac31303060ca61"
    );
}

#[test]
fn hexadecimal_has_one_form() {
    let text = "00ff".repeat(16);
    assert_eq!(text.parse::<Digest>().unwrap().to_string(), text);
    for wrong in [
        "",
        "00",
        &text[1..],
        &text.to_uppercase(),
        &"zz".repeat(32),
        &"é".repeat(32),
    ] {
        assert!(wrong.parse::<Digest>().is_err(), "{wrong}");
    }
    assert_eq!(parse_hex::<2>("00ff").unwrap(), [0, 255]);
}
