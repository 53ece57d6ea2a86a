//! Every concentration threshold of version 2.5 by hand, a dollar below it, at it and a dollar above: at it `CR` is 1 and there is a proof.

use super::*;
use crate::amount::{parse, to_ratio};

fn exact(text: &str) -> BigRational {
    to_ratio(parse(text).unwrap())
}

fn million(millions: &str) -> BigRational {
    exact(millions) * whole(1_000_000)
}

fn whole(number: i64) -> BigRational {
    BigRational::from_integer(number.into())
}

/// The delta or vega margin of one sensitivity, and whether there is a proof of it.
fn margin(row: Row<'_>, term: &str) -> (BigRational, bool) {
    let (world, model) = (world(&[row]), model(TEN_DAY));
    let evaluation = oracle::evaluate(&model, &world.universe, &world.snapshot, &world.book).unwrap();
    let classes = evaluation.components.iter().flat_map(|product| &product.parts);
    let measures = classes.flat_map(|class| &class.parts).filter(|part| part.term == term);
    let margin = measures.fold(BigRational::zero(), |sum, part| sum + &part.initial);
    (margin, world.shown(&model).is_some())
}

/// A sensitivity of a dollar enters with `scale` and is weighed by `weight`.
#[track_caller]
fn at(term: &str, row: Row<'_>, threshold: &BigRational, weight: &str, scale: &BigRational) {
    // The most that is within: at the threshold, where a dollar enters as one.
    let most = i64::try_from((threshold / scale).floor().to_integer()).unwrap();
    for usd in [most - 1, most, most + 1] {
        let entered = scale * whole(usd);
        let flat = &entered * exact(weight);
        let ratio = approximate(&(&entered / threshold));
        assert_eq!(ratio > 1.0, usd > most, "{row:?}: {usd}");
        for side in [usd, -usd] {
            let (found, has_proof) = margin((row.0, row.1, row.2, row.3, row.4, row.5, side), term);
            assert_eq!(has_proof, usd <= most, "{row:?}: {side}");
            if usd <= most {
                // Roots are taken to 30 decimals.
                assert!(
                    (&found - &flat).abs() < exact("0.00000000000000000001"),
                    "{row:?}: {side}"
                );
            } else {
                let factor = approximate(&(found / &flat));
                assert!(
                    factor > 1.0 && (factor - libm::sqrt(ratio)).abs() < 1e-15,
                    "{row:?}: {side}, {factor}"
                );
            }
        }
    }
}

#[test]
fn interest_rates_at_the_threshold_of_their_currency() {
    for (currencies, weight, delta, vega) in [
        (&["USD", "EUR", "GBP"][..], "52", "230", "3300"),
        (
            &[
                "AUD", "CAD", "CHF", "DKK", "HKD", "KRW", "NOK", "NZD", "SEK", "SGD", "TWD",
            ],
            "52",
            "44",
            "470",
        ),
        (&["JPY"], "20", "70", "570"),
        (&["BRL", "CNY", "PLN"], "95", "33", "120"),
    ] {
        for currency in currencies {
            let row = |risk_type| ("RatesFX", risk_type, *currency, "", "5y", "", 0);
            at("delta", row("Risk_IRCurve"), &million(delta), weight, &whole(1));
            at("vega", row("Risk_IRVol"), &million(vega), "0.18", &whole(1));
        }
    }
}

#[test]
fn credit_at_the_threshold_of_its_bucket() {
    let qualifying = [
        ("1", "75", "0.91"),
        ("2", "91", "0.19"),
        ("3", "78", "0.19"),
        ("4", "55", "0.19"),
        ("5", "67", "0.19"),
        ("6", "47", "0.19"),
        ("7", "187", "0.91"),
        ("8", "665", "0.19"),
        ("9", "262", "0.19"),
        ("10", "251", "0.19"),
        ("11", "172", "0.19"),
        ("12", "247", "0.19"),
        ("Residual", "665", "0.19"),
    ];
    let other = [("1", "280", "9.5"), ("2", "1300", "0.5"), ("Residual", "1300", "0.5")];
    for (buckets, delta, vega, most) in [
        (&qualifying[..], "Risk_CreditQ", "Risk_CreditVol", "260"),
        (&other, "Risk_CreditNonQ", "Risk_CreditVolNonQ", "145"),
    ] {
        for (bucket, weight, threshold) in buckets {
            let row = |risk_type| ("Credit", risk_type, "X", *bucket, "5y", "", 0);
            at("delta", row(delta), &million(threshold), weight, &whole(1));
            at("vega", row(vega), &million(most), "0.74", &whole(1));
        }
    }
}

/// `HVR σ` of a vega, with `σ` the delta weight times `√(365/14) / Φ⁻¹(99 %)`.
fn of_vega(ratio: &str, weight: &str) -> BigRational {
    exact(ratio) * exact(weight) * exact("2.194864712328153328")
}

#[test]
fn equities_at_the_threshold_of_their_bucket() {
    for (bucket, weight, delta, vega_weight, vega) in [
        ("1", "26", "10", "0.45", "210"),
        ("2", "28", "10", "0.45", "210"),
        ("3", "34", "10", "0.45", "210"),
        ("4", "28", "10", "0.45", "210"),
        ("5", "23", "21", "0.45", "1300"),
        ("6", "25", "21", "0.45", "1300"),
        ("7", "29", "21", "0.45", "1300"),
        ("8", "27", "21", "0.45", "1300"),
        ("9", "32", "1.4", "0.45", "40"),
        ("10", "32", "0.6", "0.45", "200"),
        ("11", "18", "2100", "0.45", "5900"),
        ("12", "18", "2100", "0.96", "5900"),
        ("Residual", "34", "0.6", "0.45", "40"),
    ] {
        let row = |risk_type, expiry| ("Equity", risk_type, "X", bucket, expiry, "", 0);
        at("delta", row("Risk_Equity", ""), &million(delta), weight, &whole(1));
        at(
            "vega",
            row("Risk_EquityVol", "1y"),
            &million(vega),
            vega_weight,
            &of_vega("0.58", weight),
        );
    }
}

#[test]
fn commodities_at_the_threshold_of_their_bucket() {
    for (bucket, weight, delta, vega) in [
        ("1", "27", "310", "210"),
        ("2", "29", "2100", "2700"),
        ("3", "33", "1700", "290"),
        ("4", "25", "1700", "290"),
        ("5", "35", "1700", "290"),
        ("6", "24", "3200", "5000"),
        ("7", "40", "3200", "5000"),
        ("8", "53", "2700", "920"),
        ("9", "44", "2700", "920"),
        ("10", "58", "52", "100"),
        ("11", "20", "530", "350"),
        ("12", "21", "1600", "720"),
        ("13", "13", "100", "500"),
        ("14", "16", "100", "500"),
        ("15", "13", "100", "500"),
        ("16", "58", "52", "65"),
        ("17", "17", "4000", "65"),
    ] {
        let row = |risk_type, expiry| ("Commodity", risk_type, "X", bucket, expiry, "", 0);
        at("delta", row("Risk_Commodity", ""), &million(delta), weight, &whole(1));
        at(
            "vega",
            row("Risk_CommodityVol", "1y"),
            &million(vega),
            "0.6",
            &of_vega("0.69", weight),
        );
    }
}

/// EUR is of the first category, BRL and CNY of the second, PLN and HUF of none; BRL is highly volatile.
#[test]
fn exchange_rates_at_the_threshold_of_their_categories() {
    for (currency, weight, threshold) in [
        ("EUR", "7.4", "5100"),
        ("BRL", "13.6", "1200"),
        ("CNY", "7.4", "1200"),
        ("PLN", "7.4", "190"),
    ] {
        at(
            "delta",
            ("RatesFX", "Risk_FX", currency, "", "", "", 0),
            &million(threshold),
            weight,
            &whole(1),
        );
    }
    for (pair, weight, threshold) in [
        ("EURUSD", "7.4", "2800"),
        ("CNYUSD", "7.4", "1300"),
        ("PLNUSD", "7.4", "550"),
        ("BRLCNY", "13.6", "490"),
        ("BRLPLN", "13.6", "310"),
        ("HUFPLN", "7.4", "200"),
    ] {
        let row = ("RatesFX", "Risk_FXVol", pair, "", "1y", "", 0);
        at("vega", row, &million(threshold), "0.47", &of_vega("0.52", weight));
    }
}

/// All tenors of a currency, with their signs, and inflation; a cross-currency basis has no part in the sum.
#[test]
fn a_concentration_is_of_the_sum_of_its_group() {
    let row = |risk_type, tenor, usd| ("RatesFX", risk_type, "EUR", "", tenor, "", usd);
    let rates = |usd| row("Risk_IRCurve", "5y", usd);
    for (other, most) in [
        (row("Risk_IRCurve", "10y", 1_000), 229_999_000),
        (row("Risk_IRCurve", "10y", -1_000), 230_001_000),
        (row("Risk_Inflation", "", 1_000), 229_999_000),
        (row("Risk_XCcyBasis", "", 1_000), 230_000_000),
    ] {
        for (usd, has_proof) in [(most - 1, true), (most, true), (most + 1, false)] {
            let shown = world(&[rates(usd), other]).shown(&model(TEN_DAY));
            assert_eq!(shown.is_some(), has_proof, "{usd} and {other:?}");
        }
    }
}

/// `SF = ½ min(1, days / t)` with 14 days, or 1.4 of one: a credit vega of a million has `0.74 · 10^6` of vega, and `(1 + λ) SF · 10^6` of curvature.
#[test]
fn curvature_is_whole_up_to_its_days_and_falls_beyond() {
    for (preset, expiry, factor) in [
        (TEN_DAY, "1w", "0.5"),
        (TEN_DAY, "2w", "0.5"),
        (TEN_DAY, "4w", "0.25"),
        (ONE_DAY, "1w", "0.1"),
    ] {
        let row = ("Credit", "Risk_CreditVol", "X", "3", expiry, "", 1_000_000);
        let (world, model) = (world(&[row]), model(preset));
        let evaluation = oracle::evaluate(&model, &world.universe, &world.snapshot, &world.book).unwrap();
        let parts = &evaluation.components[0].parts[0].parts;
        let curvature = &parts.iter().find(|part| part.term == "curvature").unwrap().initial;
        let want = million(factor) * exact("6.634896601021215138");
        assert!((curvature - &want).abs() < exact("0.00000000000000000001"), "{expiry}");
    }
}
