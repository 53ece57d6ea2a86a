//! An HTML page of headings, paragraphs, tables and figures.

use std::fmt::Write as _;

const STYLE: &str = "body{font:15px/1.5 sans-serif;max-width:1080px;margin:2em auto;padding:0 1em;color:#111}\
    figure{margin:1.5em 0}figcaption{font-weight:bold}svg{max-width:100%;height:auto}\
    table{border-collapse:collapse;font-size:13px;margin:1em 0}th,td{border:1px solid #ccc;padding:3px 7px;text-align:left;vertical-align:top}\
    pre{background:#f4f4f4;padding:.5em;overflow-x:auto}";

/// A page that is being written.
pub(super) struct Page {
    html: String,
    figures: usize,
}

impl Page {
    pub(super) fn new(title: &str) -> Page {
        let title = escaped(title);
        let html = format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n\
             <h1>{title}</h1>\n"
        );
        Page { html, figures: 0 }
    }

    pub(super) fn heading(&mut self, words: &str) {
        let _ = writeln!(self.html, "<h2>{}</h2>", escaped(words));
    }

    pub(super) fn paragraph(&mut self, words: &str) {
        let _ = writeln!(self.html, "<p>{}</p>", escaped(words));
    }

    pub(super) fn formula(&mut self, words: &str) {
        let _ = writeln!(self.html, "<pre>{}</pre>", escaped(words));
    }

    /// `svg` is a document of [`plot`](super::plot).
    pub(super) fn figure(&mut self, caption: &str, svg: &str) {
        self.figures += 1;
        let (number, caption) = (self.figures, escaped(caption));
        let _ = writeln!(
            self.html,
            "<figure>\n<figcaption>Figure {number}. {caption}</figcaption>\n{svg}\n</figure>"
        );
    }

    pub(super) fn table(&mut self, heads: &[&str], rows: &[Vec<String>]) {
        let cells = |tag: &str, cells: &mut dyn Iterator<Item = &str>| {
            cells.fold(String::new(), |mut line, cell| {
                let _ = write!(line, "<{tag}>{}</{tag}>", escaped(cell));
                line
            })
        };
        let _ = writeln!(
            self.html,
            "<table>\n<tr>{}</tr>",
            cells("th", &mut heads.iter().copied())
        );
        for row in rows {
            let _ = writeln!(
                self.html,
                "<tr>{}</tr>",
                cells("td", &mut row.iter().map(String::as_str))
            );
        }
        self.html += "</table>\n";
    }

    pub(super) fn finish(mut self) -> String {
        self.html += "</body>\n</html>\n";
        self.html
    }
}

/// Text that HTML takes for nothing else.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out += "&amp;",
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            '"' => out += "&quot;",
            other => out.push(other),
        }
    }
    out
}
