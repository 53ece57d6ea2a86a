use zkmargin_risk::history::{Day, HistoryError, Window};
use zkmargin_risk::import::closes::{self, ImportedHistory};
use zkmargin_risk::import::{ImportError, Omitted};

use crate::{dec, source, with};

const CLOSES: &str = "\
date,symbol,us_close_usd,global_close_usd,premium_pct
2026-08-04,BTC,64010,64000.50,0.0148
2026-08-04,ETH,1890,1891,-0.0529
2026-08-05,BTC,63000,63010,-0.0159
2026-08-05,ETH,1880.5,1880,0.0266
2026-08-06,BTC,64500,64510,-0.0155
2026-08-06,ETH,1910,1911,-0.0523
";
const INDICES: &str = "\
date,currency,dvol
2026-08-05,BTC,35.5
2026-08-06,BTC,34.25
2026-08-06,ETH,48.00
2026-08-06,SOL,70
2026-08-07,BTC,33
2026-08-08,BTC,32
";

fn import(csv: &str, indices: Option<&str>) -> Result<ImportedHistory, ImportError> {
    closes::import(csv, indices, &source())
}

fn day(text: &str) -> Day {
    text.parse().unwrap()
}

#[test]
fn recorded_closes_become_a_history() {
    let ImportedHistory { history, dropped } = import(CLOSES, Some(INDICES)).unwrap();
    assert_eq!(
        (history.first(), history.last()),
        (day("2026-08-04"), day("2026-08-06"))
    );
    assert!(history.underlyings().eq(["BTC", "ETH"]));
    let figures = |name: &str, date: &str| {
        let found = history.figures(name, day(date)).unwrap();
        (found.close, found.volatility_index)
    };
    assert_eq!(
        figures("BTC", "2026-08-04"),
        (dec("64000.5"), None),
        "the global close, not that at Coinbase"
    );
    assert_eq!(figures("BTC", "2026-08-05"), (dec("63010"), Some(dec("35.5"))));
    assert_eq!(figures("ETH", "2026-08-05"), (dec("1880"), None));
    assert_eq!(figures("ETH", "2026-08-06"), (dec("1911"), Some(dec("48"))));
    assert_eq!(history.moves(Window::Whole).unwrap().len(), 2);
    let omitted = |instrument: &str, reason: &str| Omitted {
        instrument: instrument.into(),
        reason: reason.into(),
    };
    let expected = [
        omitted(
            "BTC",
            "volatility index from 2026-08-07 to 2026-08-08: no close on these dates (2)",
        ),
        omitted(
            "SOL",
            "volatility index from 2026-08-06 to 2026-08-06: no close on these dates (1)",
        ),
    ];
    assert_eq!(dropped, expected);
    let provenance = history.provenance();
    assert_eq!(
        (provenance.importer.as_str(), provenance.licence.as_str()),
        ("closes 1", "CC0-1.0")
    );
    assert_eq!(
        (
            provenance.recorded.len(),
            provenance.derived.len(),
            provenance.assumed.len()
        ),
        (2, 0, 2)
    );
}

#[test]
fn the_order_of_rows_does_not_matter_and_there_may_be_no_indices() {
    let mut lines: Vec<&str> = CLOSES.lines().skip(1).collect();
    lines.reverse();
    let reversed = format!("{}\n{}\n", CLOSES.lines().next().unwrap(), lines.join("\n"));
    let plain = import(CLOSES, None).unwrap();
    assert_eq!(import(&reversed, None).unwrap(), plain);
    assert!(plain.dropped.is_empty());
    assert_eq!(
        (
            plain.history.provenance().recorded.len(),
            plain.history.provenance().assumed.len()
        ),
        (1, 1)
    );
    let moves = plain.history.moves(Window::Whole).unwrap();
    assert!(
        moves
            .iter()
            .flat_map(|found| found.changes.values())
            .all(|change| change.volatility_index.is_none())
    );
}

#[test]
fn each_bad_recording_is_refused_by_line_value_and_bound() {
    let row = "2026-08-05,BTC,63000,63010,-0.0159\n";
    let changed = |from: &str, to: &str| with(CLOSES, row, &with(row, from, to));
    for (csv, expected) in [
        (
            with(CLOSES, "global_close_usd", "close"),
            "closes: the header is `date,symbol,us_close_usd,close,premium_pct`, expected `date,symbol,us_close_usd,global_close_usd,premium_pct`",
        ),
        (
            changed("08-05", "8-5"),
            "closes, line 4: date is `2026-8-5`, expected a date such as 2026-08-06",
        ),
        (
            changed("08-05", "08-32"),
            "closes, line 4: date is `2026-08-32`, expected a date",
        ),
        (
            changed("BTC", "B TC"),
            "closes, line 4: symbol is `B TC`, expected a name such as BTC",
        ),
        (changed("BTC", ""), "closes, line 4: symbol is ``, expected a name"),
        (
            changed("63010", ""),
            "closes, line 4: global_close_usd is ``, expected above 0 and at most 1000000000",
        ),
        (
            changed("63010", "0"),
            "closes, line 4: global_close_usd is `0`, expected above 0",
        ),
        (
            changed("63010", "-1"),
            "closes, line 4: global_close_usd is `-1`, expected above 0",
        ),
        (
            changed("63010", "NaN"),
            "closes, line 4: global_close_usd is `NaN`, expected above 0",
        ),
        (
            changed("63010", "6.3e4"),
            "closes, line 4: global_close_usd is `6.3e4`, expected above 0",
        ),
        (
            changed("63010", "1000000001"),
            "closes, line 4: global_close_usd is `1000000001`, expected above 0",
        ),
        (
            changed("63010", "63010,1"),
            "closes: CSV error: record 3 (line: 4, byte: ",
        ),
        (
            changed("08-05,BTC", "08-04,BTC"),
            "closes, line 4: BTC of 2026-08-04 occurs twice",
        ),
        // What remains is no history.
        (
            changed(row, ""),
            "history: 2026-08-05: BTC is missing, which the rows before have",
        ),
        (
            CLOSES.replace("2026-08-05", "2026-08-07"),
            "history: there is no row of 2026-08-05, between 2026-08-04 and 2026-08-06",
        ),
        (
            "date,symbol,us_close_usd,global_close_usd,premium_pct\n".into(),
            "history: 0 days, expected 2 to 20000",
        ),
        (String::new(), "closes: the header is ``, expected"),
    ] {
        let refusal = import(&csv, None).unwrap_err().to_string();
        assert!(refusal.starts_with(expected), "{refusal}\nexpected {expected}");
    }
    for (from, to, expected) in [
        (
            "dvol",
            "iv",
            "volatility indices: the header is `date,currency,iv`, expected `date,currency,dvol`",
        ),
        (
            "34.25",
            "0",
            "volatility indices, line 3: dvol is `0`, expected above 0 and at most 1000",
        ),
        (
            "34.25",
            "1001",
            "volatility indices, line 3: dvol is `1001`, expected above 0 and at most 1000",
        ),
        (
            "2026-08-07,BTC",
            "2026-08-06,BTC",
            "volatility indices, line 6: BTC of 2026-08-06 occurs twice",
        ),
        (
            "2026-08-06,BTC",
            "2026-08-09,BTC",
            "history: 2026-08-06: BTC has no volatility index, but the day before has one",
        ),
    ] {
        let refusal = import(CLOSES, Some(&with(INDICES, from, to))).unwrap_err();
        let expects_history = expected.starts_with("history");
        assert_eq!(
            matches!(refusal, ImportError::History(HistoryError::MissingIndex { .. })),
            expects_history
        );
        assert!(
            refusal.to_string().starts_with(expected),
            "{refusal}\nexpected {expected}"
        );
    }
}
