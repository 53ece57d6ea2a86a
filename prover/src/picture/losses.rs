//! A loss distribution: a bar per scenario where they are few, a histogram where they are many, with the requirement as a line.

use plotters::prelude::{BLACK, WHITE};
use plotters::style::text_anchor::HPos;

use super::canvas::{Axis, BODY, Canvas, Drawn, GAIN, GREY, LOSS, MARGIN, Sheet, compact, shortened, ticks, width_of};

/// From this many on a bar has several scenarios in it.
const MOST_BARS: usize = 40;
const BAR: i32 = 20;
const BINS: usize = 48;
const PLOT: (i32, i32) = (720, 260);
const TITLE_HEIGHT: i32 = 40;
/// A line's name stands above the plot; two of them, one above the other.
const LINE_HEIGHT: i32 = 18;
const AXIS_HEIGHT: i32 = 52;
const NAME_CHARS: usize = 36;
/// Scenarios that are named under a histogram.
const NAMED: usize = 5;
const VALUE_WIDTH: i32 = 70;

pub(super) struct Losses {
    /// Largest first.
    losses: Vec<(String, f64)>,
    /// The requirement at each level.
    lines: Vec<(String, f64)>,
    title: String,
    numeraire: String,
}

impl Losses {
    pub(super) fn new(
        mut losses: Vec<(String, f64)>,
        lines: Vec<(String, f64)>,
        title: String,
        numeraire: &str,
    ) -> Losses {
        losses.sort_by(|a, b| b.1.total_cmp(&a.1));
        let title = format!("{title}: {} scenarios", losses.len());
        Losses {
            losses,
            lines,
            title,
            numeraire: numeraire.to_owned(),
        }
    }

    fn has_bars(&self) -> bool {
        self.losses.len() <= MOST_BARS
    }

    fn head(&self) -> i32 {
        TITLE_HEIGHT + LINE_HEIGHT * i32::try_from(self.lines.len()).unwrap_or(0) + 8
    }

    fn label_width(&self) -> i32 {
        if !self.has_bars() {
            return 48;
        }
        let names = self
            .losses
            .iter()
            .map(|(name, _)| width_of(&shortened(name, NAME_CHARS)));
        names.max().unwrap_or(0) + 12
    }

    fn plot_height(&self) -> i32 {
        if self.has_bars() {
            BAR * i32::try_from(self.losses.len()).unwrap_or(0)
        } else {
            PLOT.1
        }
    }

    fn axis(&self) -> Axis {
        if !self.has_bars() {
            return self.bins().0;
        }
        // Room for the figures at the ends of the bars.
        let figures = self.losses.iter().chain(&self.lines).map(|(_, loss)| *loss);
        Axis::of(figures, MARGIN + self.label_width() + VALUE_WIDTH, PLOT.0 - VALUE_WIDTH)
    }

    /// The axis of a histogram and how many bins it has: whole ones, and zero the edge of one, so that none has both gains and losses
    /// or is cut off.
    fn bins(&self) -> (Axis, usize) {
        let figures = self.losses.iter().chain(&self.lines).map(|(_, loss)| *loss);
        let range = Axis::of(figures, MARGIN + self.label_width(), PLOT.0);
        let step = (range.high - range.low) / BINS as f64;
        let (below, above) = ((-range.low / step).ceil(), (range.high / step).floor() + 1.0);
        let axis = Axis {
            low: -below * step,
            high: above * step,
            ..range
        };
        (axis, (below + above) as usize)
    }

    fn draw_bars(&self, canvas: &Canvas<'_>, axis: &Axis, top: i32) -> Drawn {
        let zero = axis.at(0.0);
        for (index, (name, loss)) in (0..).zip(&self.losses) {
            let (from, to) = (top + index * BAR + 3, top + (index + 1) * BAR - 3);
            let middle = top + index * BAR + BAR / 2;
            canvas.label(&shortened(name, NAME_CHARS), (MARGIN, middle))?;
            let end = axis.at(*loss);
            let color = if *loss > 0.0 { LOSS } else { GAIN };
            canvas.fill((zero.min(end), from), (zero.max(end), to), &color)?;
        }
        canvas.line((zero, top), (zero, top + self.plot_height()), &BLACK)
    }

    /// The amounts at the ends of the bars, above the lines of the requirement.
    fn draw_amounts(&self, canvas: &Canvas<'_>, axis: &Axis, top: i32) -> Drawn {
        for (index, (_, loss)) in (0..).zip(&self.losses) {
            let (amount, end, middle) = (compact(*loss), axis.at(*loss), top + index * BAR + BAR / 2);
            let width = width_of(&amount) + 4;
            let (from, across) = if *loss > 0.0 {
                (end + 4, HPos::Left)
            } else {
                (end - 4 - width, HPos::Right)
            };
            canvas.fill((from, middle - 8), (from + width, middle + 8), &WHITE)?;
            let at = if *loss > 0.0 { from + 2 } else { from + width - 2 };
            canvas.text(&amount, (at, middle), BODY, &BLACK, across)?;
        }
        Ok(())
    }

    fn draw_histogram(&self, canvas: &Canvas<'_>, axis: &Axis, top: i32) -> Drawn {
        let bottom = top + PLOT.1;
        let bins = self.bins().1;
        let (first, step) = (axis.low, (axis.high - axis.low) / bins as f64);
        let mut counts = vec![0_usize; bins];
        for (_, loss) in &self.losses {
            let bin = (((loss - first) / step).floor().max(0.0) as usize).min(bins - 1);
            if let Some(count) = counts.get_mut(bin) {
                *count += 1;
            }
        }
        let most = counts.iter().copied().max().unwrap_or(1).max(1);
        let height = |count: usize| (count as f64 / most as f64 * f64::from(PLOT.1 - 10)) as i32;
        let wanted = ticks(0.0, most as f64, 5);
        for tick in wanted.iter().filter(|tick| tick.fract() == 0.0) {
            let y = bottom - height(*tick as usize);
            canvas.line(
                (axis.left, y),
                (axis.left + axis.width, y),
                &plotters::style::RGBColor(230, 230, 230),
            )?;
            canvas.text(&compact_count(*tick), (axis.left - 6, y), BODY, &BLACK, HPos::Right)?;
        }
        for (bin, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
            let from = first + bin as f64 * step;
            let color = if from >= -step / 2.0 { LOSS } else { GAIN };
            let (left, right) = (axis.at(from), axis.at(from + step));
            canvas.fill(
                (left + 1, bottom - height(*count).max(1)),
                (right.max(left + 2) - 1, bottom),
                &color,
            )?;
        }
        canvas.line((axis.left, top), (axis.left, bottom), &BLACK)?;
        canvas.text("scenarios", (MARGIN, top - 10), BODY, &BLACK, HPos::Left)?;
        let worst: Vec<String> = self
            .losses
            .iter()
            .take(NAMED)
            .map(|(name, loss)| format!("{} {}", shortened(name, NAME_CHARS), compact(*loss)))
            .collect();
        for (index, words) in (0..).zip(&worst) {
            let words = if index == 0 {
                format!("largest losses: {words}")
            } else {
                words.clone()
            };
            let indent = if index == 0 { 0 } else { width_of("largest losses: ") };
            canvas.label(
                &words,
                (MARGIN + indent, bottom + AXIS_HEIGHT + 10 + index * LINE_HEIGHT),
            )?;
        }
        Ok(())
    }
}

/// The height at which a line's name stands.
fn line_name(top: i32, index: i32) -> i32 {
    top + TITLE_HEIGHT + index * LINE_HEIGHT + LINE_HEIGHT / 2
}

fn compact_count(count: f64) -> String {
    format!("{count:.0}")
}

impl Sheet for Losses {
    fn size(&self) -> (i32, i32) {
        let named = if self.has_bars() {
            0
        } else {
            LINE_HEIGHT * i32::try_from(self.losses.len().min(NAMED)).unwrap_or(0)
        };
        let width = self.label_width() + PLOT.0 + VALUE_WIDTH;
        (width, self.head() + self.plot_height() + AXIS_HEIGHT + named + 16)
    }

    fn draw(&self, canvas: &Canvas<'_>, top: i32) -> Drawn {
        canvas.title(&self.title, (MARGIN, top + TITLE_HEIGHT / 2))?;
        let axis = self.axis();
        let plot = top + self.head();
        let bottom = plot + self.plot_height();
        let name = format!("loss in {} (gains to the left of 0)", self.numeraire);
        axis.draw(canvas, bottom, plot, &name)?;
        if self.has_bars() {
            self.draw_bars(canvas, &axis, plot)?;
        } else {
            self.draw_histogram(canvas, &axis, plot)?;
        }
        for (index, (_, amount)) in (0..).zip(&self.lines) {
            let color = if index == 0 { BLACK } else { GREY };
            canvas.dashes(axis.at(*amount), line_name(top, index) + 9, bottom, &color)?;
        }
        for (index, (name, amount)) in (0..).zip(&self.lines) {
            let (x, y) = (axis.at(*amount), line_name(top, index));
            let words = format!("{name} {}", compact(*amount));
            // To the side on which there is room, above the line of another.
            let width = width_of(&words);
            let (from, place, across) = if x - axis.left > axis.width / 2 {
                (x - 6 - width, x - 4, HPos::Right)
            } else {
                (x + 2, x + 4, HPos::Left)
            };
            canvas.fill((from, y - 8), (from + width + 4, y + 8), &WHITE)?;
            canvas.text(&words, (place, y), BODY, &BLACK, across)?;
        }
        if self.has_bars() {
            self.draw_amounts(canvas, &axis, plot)?;
        }
        Ok(())
    }
}
