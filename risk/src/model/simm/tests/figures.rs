//! Figures by hand from the published tables, which program and oracle both read: what the tables get wrong, both get wrong alike.

use super::*;

/// `√(365/14) / Φ⁻¹(99 %)`.
const VOLATILITY: f64 = 2.194_864_712_328_153;
/// `Φ⁻¹(99.5 %)² - 1`.
const TAIL: f64 = 5.634_896_601_021_215;

/// Rule and program require this many USD.
#[track_caller]
fn requires(model: &Model, rows: &[Row<'_>], want: f64) {
    let world = world(rows);
    let exact = world.requirement(model);
    let rule = approximate(&exact);
    assert!((rule / want - 1.0).abs() < 1e-12, "{rows:?}: {rule}, not {want}");
    let (shown, _) = world.shown(model).unwrap();
    assert!(shown >= exact, "{rows:?}");
    let over = approximate(&(shown / exact)) - 1.0;
    assert!(over < 1e-7, "{rows:?}: {over} above");
}

/// Two amounts of this correlation together.
fn two(one: f64, other: f64, correlation: f64) -> f64 {
    libm::sqrt(one * one + other * other + 2.0 * correlation * one * other)
}

#[test]
fn a_residual_bucket_is_added_without_correlation() {
    // Of 100,000 USD each: weights 78 and 665.
    let rows = [
        ("Credit", "Risk_CreditQ", "X", "3", "5y", "", 100_000),
        ("Credit", "Risk_CreditQ", "Y", "Residual", "5y", "", 100_000),
    ];
    requires(&model(TEN_DAY), &rows, 7_800_000.0 + 66_500_000.0);
}

#[test]
fn tenors_have_their_own_correlation_and_curves_one_more() {
    let rows = |curve| {
        [
            ("RatesFX", "Risk_IRCurve", "EUR", "", "2w", "OIS", 1_000_000),
            ("RatesFX", "Risk_IRCurve", "EUR", "", "30y", curve, -1_000_000),
        ]
    };
    requires(&model(TEN_DAY), &rows("OIS"), two(115e6, -66e6, 0.16));
    requires(&model(TEN_DAY), &rows("Libor3m"), two(115e6, -66e6, 0.16 * 0.99));
}

#[test]
fn factors_of_a_bucket_have_its_correlation_or_that_of_what_is_the_same() {
    type Factor<'a> = (&'a str, &'a str, &'a str);
    let opposite = |risk_type, bucket, factors: [Factor<'_>; 2], usd: i64, weighted: f64, correlation| {
        let [one, other] = factors;
        let rows = [
            ("Credit", risk_type, one.0, bucket, one.1, one.2, usd),
            ("Credit", risk_type, other.0, bucket, other.1, other.2, -usd),
        ];
        requires(&model(TEN_DAY), &rows, two(weighted, -weighted, correlation));
    };
    let names = [("A", "", ""), ("B", "", "")];
    opposite("Risk_Equity", "1", names, 1_000_000, 26e6, 0.18);
    // Credit is the same by issuer where it qualifies, else by the tranche of `label2`; in the residual bucket nothing is.
    let (issuers, tenors) = ([("X", "5y", ""), ("Y", "5y", "")], [("X", "3y", ""), ("X", "5y", "")]);
    opposite("Risk_CreditQ", "3", issuers, 100_000, 7.8e6, 0.42);
    opposite("Risk_CreditQ", "3", tenors, 100_000, 7.8e6, 0.93);
    opposite("Risk_CreditQ", "Residual", issuers, 100_000, 66.5e6, 0.5);
    opposite("Risk_CreditQ", "Residual", tenors, 100_000, 66.5e6, 0.5);
    let (same, other) = (
        [("X", "5y", "T"), ("Y", "5y", "T")],
        [("X", "5y", "T"), ("X", "5y", "U")],
    );
    opposite("Risk_CreditNonQ", "1", same, 100_000, 28e6, 0.82);
    opposite("Risk_CreditNonQ", "1", other, 100_000, 28e6, 0.27);
    opposite("Risk_CreditNonQ", "Residual", same, 100_000, 130e6, 0.5);
}

#[test]
fn buckets_have_the_correlation_of_their_pair() {
    let pair = |risk_type, buckets: [&str; 2], usd: i64, want| {
        let rows = buckets.map(|bucket| ("Credit", risk_type, "A", bucket, "", "", usd));
        requires(&model(TEN_DAY), &rows, want);
    };
    pair("Risk_Equity", ["1", "2"], 1_000_000, two(26e6, 28e6, 0.2));
    pair("Risk_Commodity", ["1", "2"], 1_000_000, two(27e6, 29e6, 0.33));
    pair("Risk_CreditQ", ["1", "3"], 100_000, two(7.5e6, 7.8e6, 0.38));
    pair("Risk_CreditNonQ", ["1", "2"], 100_000, two(28e6, 130e6, 0.4));
}

#[test]
fn inflation_and_basis_have_their_own_weights_and_correlations() {
    let eur = |risk_type, tenor| ("RatesFX", risk_type, "EUR", "", tenor, "", 1_000_000);
    let (rate, inflation, basis) = (
        eur("Risk_IRCurve", "5y"),
        eur("Risk_Inflation", ""),
        eur("Risk_XCcyBasis", ""),
    );
    requires(&model(TEN_DAY), &[inflation], 63e6);
    requires(&model(TEN_DAY), &[basis], 21e6);
    requires(&model(TEN_DAY), &[rate, inflation], two(52e6, 63e6, 0.37));
    requires(&model(TEN_DAY), &[rate, basis], two(52e6, 21e6, 0.01));
    requires(&model(TEN_DAY), &[inflation, basis], two(63e6, 21e6, 0.01));
}

#[test]
fn exchange_rates_are_weighed_and_correlated_by_the_volatility_of_both_currencies() {
    let row = |currency| ("RatesFX", "Risk_FX", currency, "", "", "", 1_000_000);
    let pair = |one, other| [row(one), row(other)];
    // BRL and ZAR are highly volatile, the dollar is not.
    let dollar = model(TEN_DAY);
    requires(&dollar, &[row("EUR")], 7.4e6);
    requires(&dollar, &[row("BRL")], 13.6e6);
    requires(&dollar, &pair("EUR", "JPY"), two(7.4e6, 7.4e6, 0.5));
    requires(&dollar, &pair("EUR", "BRL"), two(7.4e6, 13.6e6, 0.27));
    requires(&dollar, &pair("ZAR", "BRL"), two(13.6e6, 13.6e6, 0.42));
    let real = changed("/calculation_currency", json!("BRL")).unwrap();
    requires(&real, &[row("EUR")], 13.6e6);
    requires(&real, &[row("ZAR")], 14.6e6);
    requires(&real, &pair("EUR", "JPY"), two(13.6e6, 13.6e6, 0.85));
    requires(&real, &pair("EUR", "ZAR"), two(13.6e6, 14.6e6, 0.54));
    requires(&real, &pair("TRY", "ZAR"), two(14.6e6, 14.6e6, 0.5));
}

#[test]
fn a_threshold_is_that_of_measure_and_group_and_nothing_above_it_is_proven() {
    let at = |(product, risk_type, qualifier, bucket, label1): (_, _, _, _, _), most: f64| {
        let most = most as i64;
        let shown = |usd| world(&[(product, risk_type, qualifier, bucket, label1, "", usd)]).shown(&model(TEN_DAY));
        assert!(shown(most).is_some(), "{risk_type} {qualifier} {bucket}: {most}");
        assert!(
            shown(most + 1).is_none(),
            "{risk_type} {qualifier} {bucket}: {most} + 1"
        );
    };
    at(("RatesFX", "Risk_IRCurve", "AUD", "", "5y"), 44e6);
    at(("RatesFX", "Risk_IRVol", "AUD", "", "5y"), 470e6);
    at(("RatesFX", "Risk_FX", "EUR", "", ""), 5_100e6);
    at(("RatesFX", "Risk_FX", "BRL", "", ""), 1_200e6);
    at(("RatesFX", "Risk_FX", "PLN", "", ""), 190e6);
    // A vega counts times HVR σ, which has the weight of the pair's delta.
    let regular = 0.52 * 7.4 * VOLATILITY;
    at(("RatesFX", "Risk_FXVol", "EURUSD", "", "1y"), 2_800e6 / regular);
    at(("RatesFX", "Risk_FXVol", "PLNUSD", "", "1y"), 550e6 / regular);
    at(("RatesFX", "Risk_FXVol", "HUFPLN", "", "1y"), 200e6 / regular);
    let high = 0.52 * 13.6 * VOLATILITY;
    at(("RatesFX", "Risk_FXVol", "BRLPLN", "", "1y"), 310e6 / high);
    // Of deltas 1,700 million.
    let vega = 0.69 * 33.0 * VOLATILITY;
    at(("Commodity", "Risk_CommodityVol", "Oil", "3", "1y"), 290e6 / vega);
    // The rule itself goes on: CR = √(200/190).
    let rows = [("RatesFX", "Risk_FX", "PLN", "", "", "", 200_000_000)];
    let rule = approximate(&world(&rows).requirement(&model(TEN_DAY)));
    let want = 7.4 * 200e6 * libm::sqrt(200.0 / 190.0);
    assert!((rule / want - 1.0).abs() < 1e-12, "{rule}, not {want}");
}

#[test]
fn risk_classes_have_the_correlation_of_their_pair() {
    let million = 1_000_000;
    let alone = [
        (("Credit", "Risk_IRCurve", "EUR", "", "5y", "", million), 52e6),
        (("Credit", "Risk_CreditQ", "X", "3", "5y", "", 100_000), 7.8e6),
        (("Credit", "Risk_CreditNonQ", "X", "1", "5y", "", 100_000), 28e6),
        (("Credit", "Risk_Equity", "X", "1", "", "", million), 26e6),
        (("Credit", "Risk_Commodity", "X", "1", "", "", million), 27e6),
        (("Credit", "Risk_FX", "EUR", "", "", "", million), 7.4e6),
    ];
    let psi: [&[f64]; 6] = [
        &[],
        &[0.29],
        &[0.13, 0.54],
        &[0.28, 0.71, 0.46],
        &[0.46, 0.52, 0.41, 0.49],
        &[0.32, 0.38, 0.12, 0.35, 0.41],
    ];
    for ((row, margin), correlations) in alone.iter().zip(psi) {
        for ((other, other_margin), correlation) in alone.iter().zip(correlations) {
            requires(
                &model(TEN_DAY),
                &[*row, *other],
                two(*margin, *other_margin, *correlation),
            );
        }
    }
}

#[test]
fn credit_has_curvature() {
    // Vega 0.74 · 10^6. Curvature (1 + λ) CVR with λ the tail, CVR = SF · 10^6, SF = ½ at 14 days and ½ · 14/28 at 28.
    let row = |risk_type, bucket, expiry| ("Credit", risk_type, "X", bucket, expiry, "", 1_000_000);
    let qualifying = row("Risk_CreditVol", "3", "2w");
    requires(&model(TEN_DAY), &[qualifying], 0.74e6 + (1.0 + TAIL) * 0.5e6);
    let other = row("Risk_CreditVolNonQ", "1", "4w");
    requires(&model(TEN_DAY), &[other], 0.74e6 + (1.0 + TAIL) * 0.25e6);
}
