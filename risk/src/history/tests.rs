#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
use num_traits::ToPrimitive;

use super::*;
use crate::amount;

const HISTORY: &str = r#"{
 "provenance": {"source": "written for tests", "licence": "CC0-1.0", "importer": "none", "recorded": ["a"], "derived": [], "assumed": []},
 "days": {
  "2024-02-27": {"BTC":{"close":"50000"},"ETH":{"close":"3000"}},
  "2024-02-28": {"BTC":{"close":"60000","volatility_index":"64"},"ETH":{"close":"3300"}},
  "2024-02-29": {"BTC":{"close":"57000.5","volatility_index":"80"},"ETH":{"close":"2970","volatility_index":"70.25"}},
  "2024-03-01": {"BTC":{"close":"62000","volatility_index":"72"},"ETH":{"close":"3100","volatility_index":"71"}}
 }
}
"#;

fn history() -> History {
    History::from_json(HISTORY).unwrap()
}

fn day(text: &str) -> Day {
    text.parse().unwrap()
}

/// The history with one replacement, which must occur exactly once.
fn with(from: &str, to: &str) -> String {
    assert_eq!(HISTORY.matches(from).count(), 1, "`{from}`");
    HISTORY.replacen(from, to, 1)
}

fn refusal(from: &str, to: &str) -> String {
    History::from_json(&with(from, to)).unwrap_err().to_string()
}

#[test]
fn the_file_round_trips() {
    let history = history();
    assert_eq!(
        (history.first(), history.last(), history.days().count()),
        (day("2024-02-27"), day("2024-03-01"), 4)
    );
    assert!(history.underlyings().eq(["BTC", "ETH"]));
    let figures = history.figures("ETH", day("2024-02-29")).unwrap();
    assert_eq!(
        (figures.close, figures.volatility_index),
        (Decimal::from(2970), Some(amount::parse("70.25").unwrap()))
    );
    assert_eq!(
        history.figures("ETH", day("2024-02-28")).unwrap().volatility_index,
        None
    );
    assert_eq!(history.figures("ETH", day("2024-02-26")), None);
    assert_eq!(history.figures("ETH", day("2024-03-02")), None);
    assert_eq!(history.figures("SOL", day("2024-02-28")), None);
    let text = history.to_json().unwrap();
    assert_eq!(History::from_json(&text).unwrap(), history);
    assert_eq!(text.lines().filter(|line| line.contains("close")).count(), 4, "{text}");
    assert_eq!(History::from_json(&text).unwrap().to_json().unwrap(), text);
}

#[test]
fn the_digest_is_golden() {
    let digest = |text: &str| History::from_json(text).unwrap().digest();
    assert_eq!(
        digest(HISTORY).to_string(),
        "801580170297442f0d7f1c9ce9b5e7b44ed9f4e3635c3c1cc697a232875f20b5"
    );
    // The same figures in another order, and written in another way.
    let last = r#",
  "2024-03-01": {"BTC":{"close":"62000","volatility_index":"72"},"ETH":{"close":"3100","volatility_index":"71"}}"#;
    let moved = with(last, "");
    let last = format!("{}, ", last.trim_start_matches(",\n"));
    let moved = moved.replacen("\"2024-02-27\"", &(last + "\"2024-02-27\""), 1);
    assert_eq!(digest(&moved), digest(HISTORY));
    assert_eq!(digest(&with(r#""3100""#, r#""3100.00""#)), digest(HISTORY));
}

#[test]
fn histories_that_differ_have_different_digests() {
    let mut digests = std::collections::BTreeSet::from([history().digest()]);
    let changed = [
        with("written for tests", "written for others"),
        with("CC0-1.0", "CC0"),
        with(r#""none""#, r#""some""#),
        with(r#"["a"], "derived": []"#, r#"[], "derived": ["a"]"#),
        with(r#""derived": [], "assumed": []"#, r#""derived": [], "assumed": ["a"]"#),
        with(r#""3100""#, r#""3100.1""#),
        with(r#","volatility_index":"64""#, ""),
        with(r#""64""#, r#""64.1""#),
        HISTORY.replace("ETH", "SOL"),
        // Every date a day later.
        HISTORY
            .replace("2024-03-01", "2024-03-02")
            .replace("2024-02-29", "2024-03-01")
            .replace("2024-02-28", "2024-02-29")
            .replace("2024-02-27", "2024-02-28"),
        // The last close of one becomes the first of the other.
        HISTORY.replace("\"BTC\"", "\"X\"").replace("\"ETH\"", "\"BTC\""),
    ];
    for text in &changed {
        assert!(digests.insert(History::from_json(text).unwrap().digest()), "{text}");
    }
}

#[test]
fn each_bad_history_is_refused_by_date_value_and_bound() {
    let row = "  \"2024-02-29\": {\"BTC\":{\"close\":\"57000.5\",\"volatility_index\":\"80\"},\"ETH\":{\"close\":\"2970\",\"volatility_index\":\"70.25\"}},\n";
    for (from, to, expected) in [
        (
            row,
            "",
            "history: there is no row of 2024-02-29, between 2024-02-28 and 2024-03-01",
        ),
        (
            "2024-03-01",
            "2025-03-01",
            "history: there is no row of 2024-03-01, between 2024-02-29 and 2025-03-01",
        ),
        (
            "2024-03-01",
            "2024-02-29",
            "history: duplicate field `2024-02-29` at line ",
        ),
        ("2024-02-29", "2023-02-29", "history: `2023-02-29` is not a date"),
        ("2024-02-29", "29FEB24", "history: `29FEB24` is not a date"),
        (
            r#","ETH":{"close":"3300"}"#,
            r#","ETH":{"close":"3300"},"ETH":{"close":"3300"}"#,
            "history: duplicate field `ETH` at line ",
        ),
        (
            r#","ETH":{"close":"3300"}"#,
            "",
            "history: 2024-02-28: ETH is missing, which the rows before have",
        ),
        (
            r#","ETH":{"close":"3300"}"#,
            r#","ETH":{"close":"3300"},"SOL":{"close":"100"}"#,
            "history: 2024-02-28: SOL is new, the rows before do not have it",
        ),
        (
            r#","ETH":{"close":"3000"}"#,
            r#","E H":{"close":"3000"}"#,
            "history: 2024-02-27: `E H` is not a name",
        ),
        (
            r#"{"BTC":{"close":"50000"},"ETH":{"close":"3000"}}"#,
            "{}",
            "history: 2024-02-27: there is no underlying",
        ),
        (
            r#","volatility_index":"80""#,
            "",
            "history: 2024-02-29: BTC has no volatility index, but the day before has one",
        ),
        (
            r#","volatility_index":"80""#,
            r#","volatility_index":null"#,
            "history: 2024-02-29: BTC has no volatility index",
        ),
        (
            r#""3300""#,
            r#""0""#,
            "history: 2024-02-28, ETH: close is 0, expected above 0 and at most 1000000000",
        ),
        (
            r#""3300""#,
            r#""-3300""#,
            "history: 2024-02-28, ETH: close is -3300, expected above 0",
        ),
        (
            r#""3300""#,
            r#""1000000000.01""#,
            "history: 2024-02-28, ETH: close is 1000000000.01, expected above 0",
        ),
        (r#""3300""#, r#""NaN""#, "history: `NaN` is not an amount"),
        (r#""3300""#, r#""inf""#, "history: `inf` is not an amount"),
        (
            r#""3300""#,
            "3300",
            "history: invalid type: integer `3300`, expected an amount as a string",
        ),
        (
            r#""80""#,
            r#""0""#,
            "history: 2024-02-29, BTC: volatility index is 0, expected above 0 and at most 1000",
        ),
        (
            r#""80""#,
            r#""1000.1""#,
            "history: 2024-02-29, BTC: volatility index is 1000.1, expected above 0 and at most 1000",
        ),
        (
            r#"{"close":"3300"}"#,
            r#"["3300"]"#,
            "history: invalid type: sequence, expected struct Figures at line 5 column ",
        ),
        (
            r#"{"close":"3300"}"#,
            "{}",
            "history: missing field `close` at line 5 column ",
        ),
        (
            r#"{"close":"3300"}"#,
            r#"{"close":"3300","open":"1"}"#,
            "history: unknown field `open`",
        ),
        (
            r#""licence": "CC0-1.0", "#,
            "",
            "history: missing field `licence` at line 2 column ",
        ),
    ] {
        let found = refusal(from, to);
        assert!(found.starts_with(expected), "{found}\nexpected {expected}");
    }
}

#[test]
fn days_are_counted() {
    let mut file = history().to_file();
    let figures = file.days[&day("2024-02-27")].clone();
    file.days = (0..)
        .map_while(|n| day("1970-01-01").after(n))
        .take(MAX_DAYS)
        .map(|day| (day, figures.clone()))
        .collect();
    let most = History::from_file(&file).unwrap();
    assert_eq!(most.days().count(), MAX_DAYS);
    assert_eq!(most.moves(Window::Whole).unwrap().len(), MAX_DAYS - 1);
    file.days.insert(most.last().next().unwrap(), figures.clone());
    let refusal = History::from_file(&file).unwrap_err().to_string();
    assert_eq!(refusal, "history: 20001 days, expected 2 to 20000");
    file.days = [(Day::MAX, figures.clone())].into();
    assert!(matches!(History::from_file(&file), Err(HistoryError::Days { days: 1 })));
    file.days.clear();
    assert!(matches!(History::from_file(&file), Err(HistoryError::Days { days: 0 })));
    // The end of the calendar.
    let before = day("9999-12-30");
    file.days = [(before, figures.clone()), (Day::MAX, figures)].into();
    assert_eq!(
        History::from_file(&file).unwrap().moves(Window::Whole).unwrap()[0].day,
        Day::MAX
    );
    let text = " ".repeat(crate::json::MAX_BYTES + 1);
    assert!(matches!(History::from_json(&text), Err(HistoryError::Size { .. })));
}

#[test]
fn a_move_is_from_the_day_before() {
    let history = history();
    let moves = history.moves(Window::Whole).unwrap();
    let days: Vec<String> = moves.iter().map(|found| found.day.to_string()).collect();
    assert_eq!(days, ["2024-02-28", "2024-02-29", "2024-03-01"]);
    assert!(moves.iter().all(|found| found.changes.keys().eq(&["BTC", "ETH"])));
    let close = moves[0].changes["BTC"].close;
    assert_eq!(
        (close.ratio().to_string().as_str(), close.factor(), close.relative()),
        ("6/5", 1.2, 0.2)
    );
    assert_eq!(moves[1].changes["ETH"].close.ratio().to_string(), "9/10");
    // ln(60000/50000), ln(57000.5/60000) by mpmath.
    assert!((close.log() - 0.182_321_556_793_954_63).abs() < 1e-15);
    assert!((moves[1].changes["BTC"].close.log() + 0.051_284_522_496_199_12).abs() < 1e-15);
    for found in &moves {
        for change in found.changes.values() {
            let exact = change.close.ratio().to_f64().unwrap();
            assert!(
                (change.close.factor() - exact).abs() < 1e-15
                    && (change.close.relative() - (exact - 1.0)).abs() < 1e-15
            );
        }
    }
    // A volatility index moves only from a day that has one.
    let indices = |name: &str| -> Vec<Option<f64>> {
        let index = |found: &Move<'_>| found.changes[name].volatility_index.map(|step| step.factor());
        moves.iter().map(index).collect()
    };
    assert_eq!(indices("BTC"), [None, Some(1.25), Some(0.9)]);
    assert_eq!(indices("ETH"), [None, None, Some(71.0 / 70.25)]);
}

#[test]
fn windows_are_by_date_and_never_short() {
    let history = history();
    let days = |window| -> Result<Vec<String>, String> {
        let moves = history.moves(window).map_err(|error| error.to_string())?;
        Ok(moves
            .iter()
            .map(|found| found.day.to_string()[5..].to_owned())
            .collect())
    };
    let [a, b, c, d] = ["2024-02-27", "2024-02-28", "2024-02-29", "2024-03-01"].map(day);
    let until = |text| Window::Until(day(text));
    let last = |moves, until| Window::Last { moves, until };
    let between = |first, last| Window::Between { first, last };
    assert_eq!(days(Window::Until(c)).unwrap(), ["02-28", "02-29"]);
    assert_eq!(days(Window::Until(d)).unwrap(), days(Window::Whole).unwrap());
    assert_eq!(days(last(1, c)).unwrap(), ["02-29"]);
    assert_eq!(days(last(2, d)).unwrap(), ["02-29", "03-01"]);
    assert_eq!(days(last(3, d)).unwrap(), days(Window::Whole).unwrap());
    assert_eq!(days(between(b, c)).unwrap(), ["02-28", "02-29"]);
    assert_eq!(days(between(c, c)).unwrap(), ["02-29"]);
    assert_eq!(
        (
            history.moves_until(a),
            history.moves_until(c),
            history.moves_until(Day::MAX)
        ),
        (0, 2, 3)
    );
    assert_eq!(history.moves_until(day("1970-01-01")), 0);

    let outside = |day: &str| {
        Err(format!(
            "there is no move of {day}: the history has those of 2024-02-28 to 2024-03-01"
        ))
    };
    assert_eq!(days(Window::Until(a)), outside("2024-02-27"));
    assert_eq!(days(until("2024-03-02")), outside("2024-03-02"));
    assert_eq!(days(last(1, a)), outside("2024-02-27"));
    assert_eq!(days(between(a, c)), outside("2024-02-27"));
    assert_eq!(days(between(c, Day::MAX)), outside("9999-12-31"));
    for wanted in [0, 3, usize::MAX] {
        let refusal = format!("{wanted} moves up to 2024-02-29 are wanted, expected 1 to 2");
        assert_eq!(days(last(wanted, c)), Err(refusal));
    }
    assert_eq!(
        days(between(c, b)),
        Err("the window is from 2024-02-29 to 2024-02-28, which is before".into())
    );
}
