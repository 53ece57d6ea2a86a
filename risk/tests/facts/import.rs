use zkmargin_risk::import::{DEFAULT_MIN_TENOR_MS, ImportError, Imported, Omitted, recorded_chain};
use zkmargin_risk::instant::HOUR_MS;
use zkmargin_risk::market::{Expiry, Quote};

use crate::{dec, source, with};

const CHAIN: &str = "\
date,currency,instrument,expiry,strike,type,open_interest,mark_iv,underlying_usd
2026-08-06,BTC,BTC-28AUG26-60000-C,28AUG26,60000,call,1.5,40.01,64570
2026-08-06,BTC,BTC-28AUG26-60000-P,28AUG26,60000,put,0,40.02,64571
2026-08-06,BTC,BTC-28AUG26-70000-C,28AUG26,70000,call,12.5,35.12,64571
2026-08-06,BTC,BTC-28AUG26-70000-P,28AUG26,70000,put,0,35.1,64571
2026-08-06,BTC,BTC-7AUG26-64000-C,7AUG26,64000,call,2,50,64415.57
2026-08-06,ETH,ETH-28AUG26-2000-P,28AUG26,2000,put,3,60.5,1907.58
";

fn chain(csv: &str, time: &str, min_tenor_ms: u64) -> Result<Imported, ImportError> {
    recorded_chain::import(csv, time.parse().unwrap(), min_tenor_ms, &source())
}

#[test]
fn a_recorded_chain_becomes_a_snapshot() {
    let Imported { snapshot, report } = chain(CHAIN, "2026-08-06T12:00:00Z", DEFAULT_MIN_TENOR_MS).unwrap();
    assert_eq!(
        (report.options, report.expiries, report.futures, report.perpetuals),
        (6, 2, 3, 2)
    );
    assert!(
        report.dropped.is_empty() && report.unpriced.is_empty() && report.arbitrage.is_empty(),
        "{report:?}"
    );
    let btc = &snapshot.underlyings["BTC"];
    let august = "2026-08-28T08:00:00Z".parse().unwrap();
    let Expiry { forward, strikes, .. } = &btc.expiries[&august];
    assert_eq!((*forward, btc.futures[&august].price), (dec("64571"), dec("64571")));
    // Below the forward the put's, above it the call's.
    assert_eq!(
        (strikes[&dec("60000")].volatility, strikes[&dec("70000")].volatility),
        (dec("0.4002"), dec("0.3512"))
    );
    let kept = Quote {
        open_interest: Some(dec("12.5")),
        ..Quote::default()
    };
    assert_eq!(strikes[&dec("70000")].call, Some(kept));
    // Index, perpetual and coin are at the forward of the nearest expiry.
    let perpetual = btc.perpetual.as_ref().unwrap();
    assert_eq!(
        (btc.index, perpetual.price, perpetual.funding),
        (dec("64415.57"), dec("64415.57"), dec("0"))
    );
    assert_eq!(
        (snapshot.assets["BTC"], snapshot.assets["ETH"], snapshot.assets["USDC"]),
        (dec("64415.57"), dec("1907.58"), dec("1"))
    );
    assert!(btc.rate.is_zero() && btc.deliveries.is_empty());
    assert_eq!(
        (snapshot.provenance.licence.as_str(), snapshot.provenance.warnings),
        ("CC0-1.0", 0)
    );
}

#[test]
fn what_expires_too_soon_is_dropped_and_listed() {
    let at = |time: &str, hours: u64| chain(&CHAIN.replace("2026-08-06", "2026-08-07"), time, hours * HOUR_MS);
    let kept = at("2026-08-07T07:00:00Z", 1).unwrap().report;
    assert_eq!((kept.options, kept.dropped.len()), (6, 0));
    let dropped = at("2026-08-07T07:00:00.001Z", 1).unwrap();
    let reason = "expires in 59 min, the least is 60 min".to_owned();
    assert_eq!(
        dropped.report.dropped,
        [Omitted {
            instrument: "BTC-7AUG26-64000-C".into(),
            reason
        }]
    );
    assert_eq!(
        (dropped.report.options, dropped.report.expiries, dropped.report.futures),
        (5, 1, 2)
    );
    assert_eq!(
        dropped.snapshot.underlyings["BTC"].index,
        dec("64571"),
        "the index follows what is kept"
    );
    let refusal = at("2026-08-07T08:00:00Z", 1).unwrap_err().to_string();
    assert_eq!(
        refusal,
        "recorded chain, line 6: BTC-7AUG26-64000-C expired at 2026-08-07T08:00:00Z, the snapshot is of 2026-08-07T08:00:00Z: give the time at which it was recorded"
    );
    assert!(at("2026-08-07T07:59:59.999Z", 0).is_ok());
}

#[test]
fn each_bad_chain_is_refused_by_line_value_and_bound() {
    let row = "2026-08-06,BTC,BTC-28AUG26-70000-C,28AUG26,70000,call,12.5,35.12,64571";
    let cases = [
        (
            with(CHAIN, "mark_iv", "iv"),
            "the header is `date,currency,instrument,expiry,strike,type,open_interest,iv,underlying_usd`, expected",
        ),
        (
            with(CHAIN, row, &row.replace("2026-08-06", "2026-08-05")),
            "line 4: date is `2026-08-05`, expected 2026-08-06",
        ),
        (
            with(CHAIN, row, &row.replace(",BTC,", ",ETH,")),
            "line 4: currency is `ETH`, expected BTC, as BTC-28AUG26-70000-C says",
        ),
        (
            with(CHAIN, row, &row.replace(",28AUG26", ",29AUG26")),
            "line 4: expiry is `29AUG26`, expected 28AUG26",
        ),
        (
            with(CHAIN, row, &row.replace(",70000", ",71000")),
            "line 4: strike is `71000`, expected 70000",
        ),
        (
            with(CHAIN, row, &row.replace("call", "put")),
            "line 4: type is `put`, expected call",
        ),
        (
            with(CHAIN, row, &row.replace("call", "c")),
            "line 4: type is `c`, expected call",
        ),
        (
            with(CHAIN, row, &row.replace("BTC-28AUG26-70000-C", "BTC-28AUG26")),
            "line 4: instrument is `BTC-28AUG26`, expected an option",
        ),
        (
            with(CHAIN, row, &row.replace("BTC-28AUG26-70000-C", "x")),
            "line 4: instrument is `x`, expected an option: `x` is not",
        ),
        (
            with(CHAIN, row, &row.replace("12.5", "-1")),
            "line 4: open_interest is `-1`, expected an amount of at least 0",
        ),
        (
            with(CHAIN, row, &row.replace("35.12", "0")),
            "line 4: mark_iv is `0`, expected a volatility in percent above 0, at most 1000",
        ),
        (
            with(CHAIN, row, &row.replace("35.12", "1000.01")),
            "line 4: mark_iv is `1000.01`",
        ),
        (
            with(CHAIN, row, &row.replace("35.12", "NaN")),
            "line 4: mark_iv is `NaN`",
        ),
        (
            with(CHAIN, row, &row.replace("35.12", "inf")),
            "line 4: mark_iv is `inf`",
        ),
        (
            with(CHAIN, row, &row.replace("35.12", "35.8")),
            "BTC, expiry 2026-08-28T08:00:00Z, strike 70000: volatility of the call 0.358, of the put 0.351, more than 0.005 apart",
        ),
        (
            with(CHAIN, row, &row.replace("64571", "0")),
            "line 4: underlying_usd is `0`, expected a price above 0",
        ),
        (
            with(CHAIN, row, &row.replace("64571", "-64571")),
            "line 4: underlying_usd is `-64571`",
        ),
        (
            with(CHAIN, row, &row.replace("64571", "64610")),
            "BTC, expiry 2026-08-28T08:00:00Z: forwards from 64570 to 64610, more than 5 basis points apart",
        ),
        (
            with(CHAIN, row, &row.replace(",64571", "")),
            "found record with 8 fields",
        ),
        (
            with(CHAIN, row, &format!("{row}\n{row}")),
            "recorded chain, line 5: BTC-28AUG26-70000-C occurs twice",
        ),
        (CHAIN.lines().next().unwrap().to_owned(), "underlyings: there are none"),
        (String::new(), "the header is ``"),
    ];
    for (csv, expected) in cases {
        let refusal = chain(&csv, "2026-08-06T12:00:00Z", DEFAULT_MIN_TENOR_MS)
            .unwrap_err()
            .to_string();
        assert!(refusal.contains(expected), "{refusal}, expected {expected}");
    }
}

#[test]
fn static_arbitrage_is_a_warning_with_its_count() {
    let csv = with(CHAIN, "12.5,35.12", "12.5,90").replace("put,0,35.1,", "put,0,90,");
    let csv = format!("{csv}2026-08-06,BTC,BTC-28AUG26-71000-C,28AUG26,71000,call,0,35,64571\n");
    let Imported { snapshot, report } = chain(&csv, "2026-08-06T12:00:00Z", DEFAULT_MIN_TENOR_MS).unwrap();
    assert_eq!(snapshot.provenance.warnings as usize, report.arbitrage.len());
    assert!(
        report
            .arbitrage
            .iter()
            .any(|place| place.contains("vertical, strikes 70000 and 71000")),
        "{report:?}"
    );
}
