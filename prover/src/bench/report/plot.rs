//! The plots of a report: SVG with the legend beside, so that it hides nothing.

use plotters::coord::Shift;
use plotters::coord::ranged1d::{AsRangedCoord, Ranged, ValueFormatter};
use plotters::element::DashedPathElement;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::ReportError;

/// Pixels of a plot and, to its right, of its legend.
const PLOT: (i32, i32) = (620, 320);
const LEGEND: i32 = 250;
/// Pixels of a legend to the left of its words, and to their right.
const MARKER: i32 = 24;
/// Size of words, and about the width of a character.
const BODY: i32 = 13;
const CHAR: i32 = 7;
/// A line of a legend, a bar.
const LINE: i32 = 20;
const BAR: i32 = 22;
/// Axes, and room at the end of a bar for its figure.
const AXIS: i32 = 56;
const FIGURE: i32 = 90;

/// Distinct to every eye (after Okabe and Ito, and Tol), as many as there are phases.
const COLORS: [RGBColor; 10] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(136, 34, 85),
    RGBColor(153, 153, 51),
    RGBColor(68, 68, 68),
    RGBColor(170, 170, 170),
];

/// A point of a series: full for as many series as there are colours, hollow for as many again.
fn marker(at: (i32, i32), index: usize) -> Circle<(i32, i32), i32> {
    let color = color(index);
    let is_hollow = index / COLORS.len() % 2 == 1;
    Circle::new(
        at,
        4,
        if is_hollow {
            color.stroke_width(2)
        } else {
            color.filled()
        },
    )
}

fn color(index: usize) -> RGBColor {
    COLORS.get(index % COLORS.len()).copied().unwrap_or(BLACK)
}

fn draw_error(error: impl std::fmt::Display) -> ReportError {
    ReportError::Draw(error.to_string())
}

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

fn document(size: (i32, i32), draw: impl FnOnce(&Area<'_>) -> Result<(), ReportError>) -> Result<String, ReportError> {
    let mut svg = String::new();
    {
        let area =
            SVGBackend::with_string(&mut svg, (size.0.unsigned_abs(), size.1.unsigned_abs())).into_drawing_area();
        area.fill(&WHITE).map_err(draw_error)?;
        draw(&area)?;
        area.present().map_err(draw_error)?;
    }
    Ok(svg)
}

fn style(across: HPos) -> TextStyle<'static> {
    ("sans-serif", BODY)
        .into_font()
        .color(&BLACK)
        .pos(Pos::new(across, VPos::Center))
}

fn write(area: &Area<'_>, words: &str, place: (i32, i32), across: HPos) -> Result<(), ReportError> {
    area.draw(&Text::new(words.to_owned(), place, style(across)))
        .map_err(draw_error)
}

/// What is drawn against what; across are counts, so that fractions of them have no label.
pub(super) struct Lines {
    pub(super) across: &'static str,
    pub(super) up: &'static str,
    pub(super) series: Vec<Series>,
    /// Whether one of the series has a line of the cost model: the legend explains it.
    pub(super) has_model: bool,
}

/// Points of one name, and what the cost model makes of them.
pub(super) struct Series {
    pub(super) name: String,
    pub(super) measured: Vec<(f64, f64)>,
    pub(super) model: Vec<(f64, f64)>,
}

impl Lines {
    /// The plot as an SVG document.
    pub(super) fn draw(&self) -> Result<String, ReportError> {
        let count = |length: usize| i32::try_from(length).unwrap_or(0);
        let height = PLOT.1.max(LINE * (count(self.series.len()) + 3));
        let names = self.series.iter().map(|series| series.name.chars().count()).max();
        let legend = LEGEND.max(2 * MARKER + CHAR * count(names.unwrap_or(0)));
        document((PLOT.0 + legend, height), |area| {
            let (plot, legend) = area.split_horizontally(PLOT.0);
            self.chart(&plot)?;
            self.legend(&legend)
        })
    }

    fn chart(&self, area: &Area<'_>) -> Result<(), ReportError> {
        let all = || {
            self.series
                .iter()
                .flat_map(|series| series.measured.iter().chain(&series.model))
        };
        let most = |of: fn(&(f64, f64)) -> f64| all().map(of).fold(0.0_f64, f64::max);
        // A little beyond the last point, and from zero: lengths can be compared.
        let (right, top) = (most(|point| point.0) * 1.04, most(|point| point.1) * 1.08);
        let (right, top) = (if right > 0.0 { right } else { 1.0 }, if top > 0.0 { top } else { 1.0 });
        let mut chart = ChartBuilder::on(area)
            .margin(12)
            .x_label_area_size(44)
            .y_label_area_size(64)
            .build_cartesian_2d(0.0..right, 0.0..top)
            .map_err(draw_error)?;
        chart
            .configure_mesh()
            .x_desc(self.across)
            .y_desc(self.up)
            .x_labels(8)
            .y_labels(8)
            .x_label_formatter(&|x| if x.fract() == 0.0 { figure(*x) } else { String::new() })
            .y_label_formatter(&|y| figure(*y))
            .label_style(("sans-serif", BODY))
            .light_line_style(TRANSPARENT)
            .draw()
            .map_err(draw_error)?;
        for (index, series) in self.series.iter().enumerate() {
            let color = color(index);
            if series.model.is_empty() {
                let line = PathElement::new(series.measured.clone(), color);
                chart.draw_series([line]).map_err(draw_error)?;
            } else {
                let line = DashedPathElement::new(series.model.clone(), 6, 4, color);
                chart.draw_series([line]).map_err(draw_error)?;
                let foretold = series.model.iter().map(|point| Cross::new(*point, 5, color));
                chart.draw_series(foretold).map_err(draw_error)?;
            }
            let points = series
                .measured
                .iter()
                .map(|point| EmptyElement::at(*point) + marker((0, 0), index));
            chart.draw_series(points).map_err(draw_error)?;
        }
        Ok(())
    }

    fn legend(&self, area: &Area<'_>) -> Result<(), ReportError> {
        let mut y = 24;
        for (index, series) in self.series.iter().enumerate() {
            area.draw(&marker((10, y), index)).map_err(draw_error)?;
            write(area, &series.name, (MARKER, y), HPos::Left)?;
            y += LINE;
        }
        if self.has_model {
            y += LINE / 2;
            area.draw(&Circle::new((10, y), 4, BLACK.filled()))
                .map_err(draw_error)?;
            write(area, "measured", (MARKER, y), HPos::Left)?;
            y += LINE;
            for x in [-2, 15] {
                area.draw(&PathElement::new(vec![(x, y), (x + 6, y)], BLACK))
                    .map_err(draw_error)?;
            }
            area.draw(&Cross::new((10, y), 5, BLACK)).map_err(draw_error)?;
            write(area, "cost model", (MARKER, y), HPos::Left)?;
        }
        Ok(())
    }
}

/// Bars, each of several parts, one below the other.
pub(super) struct Bars {
    pub(super) across: &'static str,
    /// The names of the parts; none if there is but one.
    pub(super) parts: Vec<String>,
    /// Name, parts, and the figure at its end.
    pub(super) bars: Vec<(String, Vec<f64>, String)>,
    /// Whether the axis is logarithmic: for bars of one part that are far apart.
    pub(super) logarithmic: bool,
}

impl Bars {
    /// The plot as an SVG document.
    pub(super) fn draw(&self) -> Result<String, ReportError> {
        let names = self.bars.iter().map(|bar| bar.0.chars().count()).max().unwrap_or(0);
        let count = |length: usize| i32::try_from(length).unwrap_or(0);
        let left = CHAR * count(names) + 16;
        let bars = BAR * count(self.bars.len());
        let legend = LINE * count(self.parts.len());
        let height = (bars + AXIS).max(legend + 24);
        let side = if self.parts.is_empty() { 0 } else { LEGEND };
        let width = left + PLOT.0 - AXIS + FIGURE;
        document((width + side, height), |area| {
            let (plot, legend) = area.split_horizontally(width);
            let sums = self.bars.iter().map(|bar| bar.1.iter().sum::<f64>());
            let most = sums.clone().fold(0.0_f64, f64::max);
            let least = sums.filter(|sum| *sum > 0.0).fold(f64::INFINITY, f64::min);
            let (plot, _) = plot.split_vertically(bars + AXIS);
            if self.logarithmic && least.is_finite() {
                let range = (10_f64.powf(least.log10().floor() - 0.3)..most * 1.2).log_scale();
                self.chart(&plot, left, range)?;
            } else {
                self.chart(&plot, left, 0.0..if most > 0.0 { most * 1.02 } else { 1.0 })?;
            }
            for (index, part) in self.parts.iter().enumerate() {
                let y = 16 + LINE * count(index);
                let square = Rectangle::new([(4, y - 6), (16, y + 6)], color(index).filled());
                legend.draw(&square).map_err(draw_error)?;
                write(&legend, part, (24, y), HPos::Left)?;
            }
            Ok(())
        })
    }

    fn chart<X>(&self, area: &Area<'_>, left: i32, range: X) -> Result<(), ReportError>
    where
        X: AsRangedCoord<Value = f64>,
        X::CoordDescType: Ranged<ValueType = f64> + ValueFormatter<f64>,
    {
        let count = self.bars.len() as f64;
        let mut chart = ChartBuilder::on(area)
            .margin_right(FIGURE)
            .x_label_area_size(AXIS - 8)
            .y_label_area_size(left)
            .build_cartesian_2d(range, count..0.0)
            .map_err(draw_error)?;
        chart
            .configure_mesh()
            .disable_y_mesh()
            .y_labels(0)
            .x_desc(self.across)
            .x_labels(8)
            .x_label_formatter(&|x| figure(*x))
            .label_style(("sans-serif", BODY))
            .light_line_style(TRANSPARENT)
            .draw()
            .map_err(draw_error)?;
        let origin = chart.x_range().start;
        for (index, (name, parts, words)) in self.bars.iter().enumerate() {
            let (top, middle, bottom) = (index as f64 + 0.14, index as f64 + 0.5, index as f64 + 0.86);
            let mut from = origin;
            for (part, length) in parts.iter().enumerate().filter(|(_, length)| **length > 0.0) {
                let to = if self.logarithmic { *length } else { from + length };
                let bar = Rectangle::new([(from, top), (to, bottom)], color(part).filled());
                chart.draw_series([bar]).map_err(draw_error)?;
                from = to;
            }
            let (end, y) = chart.backend_coord(&(from, middle));
            let base = area.get_base_pixel();
            write(area, words, (end - base.0 + 6, y - base.1), HPos::Left)?;
            write(area, name, (left - 8, y - base.1), HPos::Right)?;
        }
        Ok(())
    }
}

/// Three digits or so, without needless zeros.
pub(super) fn figure(x: f64) -> String {
    let digits = match x.abs() {
        size if size >= 99.5 => 0,
        size if size >= 9.95 => 1,
        size if size >= 0.995 => 2,
        _ => 3,
    };
    let text = format!("{x:.digits$}");
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => crate::text::grouped(&text),
    }
}

#[cfg(test)]
mod tests {
    use super::figure;

    #[test]
    fn figures_have_three_digits_or_so() {
        for (x, text) in [
            (0.0, "0"),
            (1_234.5, "1,234"),
            (12.04, "12"),
            (0.12345, "0.123"),
            (5.5, "5.5"),
            (100.0, "100"),
        ] {
            assert_eq!(figure(x), text);
        }
    }
}
