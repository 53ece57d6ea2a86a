//! How figures and paragraphs are set for a terminal.

use rust_decimal::Decimal;

/// Aligned columns: the first to the left, the others to the right.
#[derive(Clone, Debug)]
pub struct Columns(Vec<Vec<String>>);

impl Columns {
    /// Columns under these heads.
    pub fn new(heads: &[&str]) -> Columns {
        Columns(vec![heads.iter().map(|head| (*head).to_owned()).collect()])
    }

    /// Adds a row.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.0.push(cells.into_iter().collect());
    }

    /// Adds them to a text, two spaces in; columns of which `is_words` holds are set to the left.
    fn set(&self, text: &mut String, is_words: impl Fn(usize, usize) -> bool) {
        let columns = self.0.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            let cells = self.0.iter().filter_map(|row| Some(row.get(column)?.chars().count()));
            cells.max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        for row in &self.0 {
            let cells = row.iter().zip(&widths).enumerate().map(|(column, (cell, &width))| {
                if is_words(column, columns) {
                    format!("{cell:<width$}")
                } else {
                    format!("{cell:>width$}")
                }
            });
            let line = cells.collect::<Vec<_>>().join("  ");
            text.push_str("  ");
            text.push_str(line.trim_end());
            text.push('\n');
        }
    }

    /// Adds them to a text, two spaces in.
    pub fn write(&self, text: &mut String) {
        self.set(text, |column, _| column == 0);
    }

    /// The same, with words in the last column.
    pub fn write_with_notes(&self, text: &mut String) {
        self.set(text, |column, columns| column == 0 || column + 1 == columns);
    }

    /// The same, with words in all columns.
    pub fn write_words(&self, text: &mut String) {
        self.set(text, |_, _| true);
    }
}

/// A part as a change in per cent, `+5.33 %`: to a hundredth, since a third of a scan range has no end.
pub fn percent(part: Decimal) -> String {
    let percent = (part * Decimal::ONE_HUNDRED).round_dp(2).normalize();
    let sign = if percent > Decimal::ZERO { "+" } else { "" };
    format!("{sign}{percent} %")
}

/// `1,234,567.89`.
pub fn grouped(number: &str) -> String {
    let (sign, digits) = number.strip_prefix('-').map_or(("", number), |digits| ("-", digits));
    let (whole, fraction) = digits
        .split_once('.')
        .map_or((digits, None), |(whole, fraction)| (whole, Some(fraction)));
    let mut out = String::from(sign);
    for (place, digit) in whole.chars().enumerate() {
        if place > 0 && (whole.len() - place) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    if let Some(fraction) = fraction {
        out.push('.');
        out.push_str(fraction);
    }
    out
}

/// Words in lines of at most `width` characters, the first `first` in and the others `rest` in.
pub fn wrapped(words: &str, width: usize, first: usize, rest: usize) -> String {
    let mut out = " ".repeat(first);
    let mut used = first;
    let mut is_start = true;
    for word in words.split_whitespace() {
        let length = word.chars().count();
        if !is_start && used + 1 + length > width {
            out.push('\n');
            out.push_str(&" ".repeat(rest));
            used = rest;
            is_start = true;
        }
        if !is_start {
            out.push(' ');
            used += 1;
        }
        out.push_str(word);
        used += length;
        is_start = false;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_thousands() {
        for (number, text) in [
            ("-1234567.5", "-1,234,567.5"),
            ("123", "123"),
            ("1000", "1,000"),
            ("-0.12", "-0.12"),
        ] {
            assert_eq!(grouped(number), text);
        }
    }

    #[test]
    fn words_are_broken_at_spaces_and_never_within() {
        assert_eq!(wrapped("a bc def", 6, 0, 2), "a bc\n  def");
        assert_eq!(wrapped("unbreakable", 4, 1, 2), " unbreakable");
    }
}
