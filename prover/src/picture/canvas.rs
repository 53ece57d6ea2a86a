//! What pictures are drawn with.

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::PictureError;

/// Pixels around everything.
pub(super) const MARGIN: i32 = 20;
/// Size of titles, and of all else.
pub(super) const TITLE: i32 = 20;
pub(super) const BODY: i32 = 13;
/// About the width of a character of the body.
pub(super) const CHAR: i32 = 7;

/// Blue, red: distinct to every eye.
pub(super) const GAIN: RGBColor = RGBColor(33, 102, 172);
pub(super) const LOSS: RGBColor = RGBColor(178, 24, 43);
pub(super) const GREY: RGBColor = RGBColor(150, 150, 150);

pub(super) type Drawn = Result<(), PictureError>;

/// A part of a picture, drawn below what came before it.
pub(super) trait Sheet {
    /// Width and height, without margins.
    fn size(&self) -> (i32, i32);
    /// Draws it from `top` on.
    fn draw(&self, canvas: &Canvas<'_>, top: i32) -> Drawn;
}

fn draw_error(error: impl std::fmt::Display) -> PictureError {
    PictureError::Draw(error.to_string())
}

/// A white page.
pub(super) struct Canvas<'a>(DrawingArea<SVGBackend<'a>, Shift>);

impl Canvas<'_> {
    /// An SVG document of one page.
    pub(super) fn document(
        width: i32,
        height: i32,
        draw: impl FnOnce(&Canvas<'_>) -> Drawn,
    ) -> Result<String, PictureError> {
        let mut svg = String::new();
        {
            let size = (width.unsigned_abs(), height.unsigned_abs());
            let area = SVGBackend::with_string(&mut svg, size).into_drawing_area();
            area.fill(&WHITE).map_err(draw_error)?;
            let canvas = Canvas(area);
            draw(&canvas)?;
            canvas.0.present().map_err(draw_error)?;
        }
        Ok(svg)
    }

    pub(super) fn text(&self, words: &str, place: (i32, i32), size: i32, color: &RGBColor, across: HPos) -> Drawn {
        let style = ("sans-serif", size)
            .into_font()
            .color(color)
            .pos(Pos::new(across, VPos::Center));
        self.0
            .draw(&Text::new(words.to_owned(), place, style))
            .map_err(draw_error)
    }

    /// Black words of the body, from `place` to the right.
    pub(super) fn label(&self, words: &str, place: (i32, i32)) -> Drawn {
        self.text(words, place, BODY, &BLACK, HPos::Left)
    }

    pub(super) fn title(&self, words: &str, place: (i32, i32)) -> Drawn {
        self.text(words, place, TITLE, &BLACK, HPos::Left)
    }

    pub(super) fn fill(&self, from: (i32, i32), to: (i32, i32), color: &RGBColor) -> Drawn {
        self.0
            .draw(&Rectangle::new([from, to], color.filled()))
            .map_err(draw_error)
    }

    /// An outline of this many pixels, inwards: the SVG backend draws every outline one pixel wide.
    pub(super) fn frame(&self, from: (i32, i32), to: (i32, i32), width: i32) -> Drawn {
        for inset in 0..width {
            let edge = [(from.0 + inset, from.1 + inset), (to.0 - inset, to.1 - inset)];
            self.0.draw(&Rectangle::new(edge, BLACK)).map_err(draw_error)?;
        }
        Ok(())
    }

    pub(super) fn line(&self, from: (i32, i32), to: (i32, i32), color: &RGBColor) -> Drawn {
        self.0
            .draw(&PathElement::new(vec![from, to], *color))
            .map_err(draw_error)
    }

    /// An upright line of dashes.
    pub(super) fn dashes(&self, x: i32, top: i32, bottom: i32, color: &RGBColor) -> Drawn {
        let mut at = top;
        while at < bottom {
            self.fill((x, at), (x + 1, (at + 5).min(bottom)), color)?;
            at += 9;
        }
        Ok(())
    }
}

/// Pixels that words of the body take, about.
pub(super) fn width_of(words: &str) -> i32 {
    i32::try_from(words.chars().count())
        .unwrap_or(i32::MAX / CHAR)
        .saturating_mul(CHAR)
}

/// At most so many characters.
pub(super) fn shortened(words: &str, most: usize) -> String {
    if words.chars().count() <= most {
        return words.to_owned();
    }
    let mut short: String = words.chars().take(most.saturating_sub(1)).collect();
    short.push('…');
    short
}

/// From white to `full`.
pub(super) fn shade(full: RGBColor, strength: f64) -> RGBColor {
    let mix = |channel: u8| (255.0 + (f64::from(channel) - 255.0) * strength.clamp(0.0, 1.0)) as u8;
    RGBColor(mix(full.0), mix(full.1), mix(full.2))
}

/// Three digits or so: `-12.3k`, `1.24M`, `0.0123`.
pub(super) fn compact(x: f64) -> String {
    let size = x.abs();
    match size {
        _ if size >= 999_500_000.0 => format!("{:.2}G", x / 1e9),
        _ if size >= 999_500.0 => format!("{:.2}M", x / 1e6),
        _ if size >= 9_995.0 => format!("{:.1}k", x / 1e3),
        _ if size >= 99.5 => format!("{x:.0}"),
        _ if size >= 0.995 => format!("{x:.2}"),
        _ if size < 0.000_05 => "0".to_owned(),
        _ => format!("{x:.4}"),
    }
}

/// [`compact`] without zeros after the point: `50k`.
fn round(x: f64) -> String {
    let text = compact(x);
    let (digits, unit) = match text.strip_suffix(['k', 'M', 'G']) {
        Some(digits) => (digits, text.get(digits.len()..).unwrap_or_default()),
        None => (text.as_str(), ""),
    };
    match digits.contains('.') {
        true => format!("{}{unit}", digits.trim_end_matches('0').trim_end_matches('.')),
        false => text,
    }
}

/// Round numbers that divide a range, about `wanted` of them.
pub(super) fn ticks(low: f64, high: f64, wanted: usize) -> Vec<f64> {
    let span = high - low;
    if !(span > 0.0 && span.is_finite()) || wanted == 0 {
        return Vec::new();
    }
    let rough = span / wanted as f64;
    let power = 10_f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|factor| factor * power)
        .find(|step| *step >= rough)
        .unwrap_or(10.0 * power);
    let first = (low / step).ceil() as i64;
    let last = (high / step).floor() as i64;
    (first..=last).map(|index| index as f64 * step).collect()
}

/// Where a figure stands on an axis of pixels.
#[derive(Copy, Clone)]
pub(super) struct Axis {
    pub(super) low: f64,
    pub(super) high: f64,
    pub(super) left: i32,
    pub(super) width: i32,
}

impl Axis {
    /// An axis that shows all of these and 0.
    pub(super) fn of(figures: impl IntoIterator<Item = f64>, left: i32, width: i32) -> Axis {
        let (mut low, mut high) = (0.0_f64, 0.0_f64);
        for figure in figures {
            (low, high) = (low.min(figure), high.max(figure));
        }
        if high - low <= 0.0 {
            high = 1.0;
        }
        Axis { low, high, left, width }
    }

    pub(super) fn at(&self, figure: f64) -> i32 {
        let part = ((figure - self.low) / (self.high - self.low)).clamp(0.0, 1.0);
        self.left + (part * f64::from(self.width)) as i32
    }

    /// The line with its marks, and a name under it.
    pub(super) fn draw(&self, canvas: &Canvas<'_>, y: i32, top: i32, name: &str) -> Drawn {
        canvas.line((self.left, y), (self.left + self.width, y), &BLACK)?;
        for tick in ticks(self.low, self.high, 6) {
            let x = self.at(tick);
            canvas.line((x, y), (x, y + 4), &BLACK)?;
            canvas.line((x, top), (x, y), &RGBColor(230, 230, 230))?;
            canvas.text(&round(tick), (x, y + 13), BODY, &BLACK, HPos::Center)?;
        }
        canvas.text(name, (self.left + self.width / 2, y + 32), BODY, &BLACK, HPos::Center)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_show_three_digits_or_so() {
        for (x, text) in [
            (-12_345.0, "-12.3k"),
            (1_239_000.0, "1.24M"),
            (0.01234, "0.0123"),
            (-1_234.5, "-1234"),
            (7.654, "7.65"),
            (-1e-9, "0"),
            (2.5e9, "2.50G"),
        ] {
            assert_eq!(compact(x), text);
        }
    }

    #[test]
    fn ticks_have_no_needless_zeros() {
        for (x, text) in [
            (50_000.0, "50k"),
            (-1_500_000.0, "-1.5M"),
            (200.0, "200"),
            (0.5, "0.5"),
            (0.0, "0"),
        ] {
            assert_eq!(round(x), text);
        }
    }

    #[test]
    fn nothing_is_white_and_the_largest_is_full() {
        assert_eq!(shade(LOSS, 0.0), WHITE);
        assert_eq!(shade(LOSS, 1.0), LOSS);
    }

    #[test]
    fn ticks_are_round_and_within() {
        assert_eq!(ticks(-3.0, 11.0, 6), [0.0, 5.0, 10.0]);
        assert_eq!(ticks(0.0, 1.0, 5), [0.0, 0.2, 0.4, 0.600_000_000_000_000_1, 0.8, 1.0]);
        assert!(ticks(1.0, 1.0, 5).is_empty() && ticks(0.0, f64::INFINITY, 5).is_empty());
    }
}
