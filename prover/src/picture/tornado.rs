//! A tornado: what each risk factor adds to the requirement, or enters with, the largest on top.

use plotters::prelude::BLACK;
use plotters::style::text_anchor::HPos;

use super::canvas::{Axis, BODY, Canvas, Drawn, GAIN, LOSS, MARGIN, Sheet, compact, shortened, width_of};
use super::title;

/// Most factors that have a bar of their own.
const MOST: usize = 30;
const BAR: i32 = 22;
const PLOT: i32 = 620;
const VALUE_WIDTH: i32 = 64;
const TITLE_HEIGHT: i32 = 44;
const AXIS_HEIGHT: i32 = 52;
const NAME_CHARS: usize = 40;

/// What the bars are.
#[derive(Copy, Clone, PartialEq, Eq)]
pub(super) enum Of {
    /// Parts that add up to the requirement.
    Requirement,
    /// Long and short, before they are put together.
    WeightedSensitivities,
}

pub(super) struct Tornado {
    /// Largest first, whichever sign.
    factors: Vec<(String, f64)>,
    /// How many others there are, and what they come to: it has no bar, which would dwarf all others.
    rest: Option<(usize, f64)>,
    of: Of,
    title: String,
    numeraire: String,
}

impl Tornado {
    pub(super) fn new(mut factors: Vec<(String, f64)>, of: Of, model: Option<&str>, numeraire: &str) -> Tornado {
        factors.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()));
        let rest = if factors.len() > MOST {
            factors.split_off(MOST - 1)
        } else {
            Vec::new()
        };
        let sum = rest.iter().map(|(_, part)| match of {
            Of::Requirement => *part,
            Of::WeightedSensitivities => part.abs(),
        });
        let words = match of {
            Of::Requirement => "Requirement by risk factor",
            Of::WeightedSensitivities => "Weighted sensitivities",
        };
        Tornado {
            rest: (!rest.is_empty()).then(|| (rest.len(), sum.sum())),
            factors,
            of,
            title: title(words, model),
            numeraire: numeraire.to_owned(),
        }
    }

    fn label_width(&self) -> i32 {
        let names = self
            .factors
            .iter()
            .map(|(name, _)| width_of(&shortened(name, NAME_CHARS)));
        names.max().unwrap_or(0) + 12
    }

    fn plot_height(&self) -> i32 {
        BAR * i32::try_from(self.factors.len() + usize::from(self.rest.is_some())).unwrap_or(0)
    }
}

impl Sheet for Tornado {
    fn size(&self) -> (i32, i32) {
        let width = self.label_width() + PLOT + 2 * VALUE_WIDTH;
        (width, TITLE_HEIGHT + self.plot_height() + AXIS_HEIGHT + 12)
    }

    fn draw(&self, canvas: &Canvas<'_>, top: i32) -> Drawn {
        canvas.title(&self.title, (MARGIN, top + TITLE_HEIGHT / 2 - 4))?;
        let has_negative = self.factors.iter().any(|(_, part)| *part < 0.0);
        let left = MARGIN + self.label_width() + if has_negative { VALUE_WIDTH } else { 0 };
        let axis = Axis::of(self.factors.iter().map(|(_, part)| *part), left, PLOT);
        let plot = top + TITLE_HEIGHT;
        let bottom = plot + self.plot_height();
        let name = match self.of {
            Of::Requirement if has_negative => "added to the requirement (red), taken off it (blue)",
            Of::Requirement => "part of the requirement",
            Of::WeightedSensitivities => "long (red) and short (blue), before correlations",
        };
        axis.draw(canvas, bottom, plot, &format!("{name}, {}", self.numeraire))?;
        let zero = axis.at(0.0);
        for (index, (name, part)) in (0..).zip(&self.factors) {
            let middle = plot + index * BAR + BAR / 2;
            canvas.label(&shortened(name, NAME_CHARS), (MARGIN, middle))?;
            let end = axis.at(*part);
            let color = if *part < 0.0 { GAIN } else { LOSS };
            canvas.fill((zero.min(end), middle - 8), (zero.max(end), middle + 8), &color)?;
            if *part < 0.0 {
                canvas.text(&compact(*part), (end - 6, middle), BODY, &BLACK, HPos::Right)?;
            } else {
                canvas.text(&compact(*part), (end + 6, middle), BODY, &BLACK, HPos::Left)?;
            }
        }
        if let Some((count, sum)) = self.rest {
            let middle = bottom - BAR / 2;
            canvas.label(&format!("{count} others"), (MARGIN, middle))?;
            let words = match self.of {
                Of::Requirement => format!("{} together", compact(sum)),
                Of::WeightedSensitivities => format!("{} together, whatever their sign", compact(sum)),
            };
            canvas.text(&words, (zero + 6, middle), BODY, &BLACK, HPos::Left)?;
        }
        canvas.line((zero, plot), (zero, bottom), &BLACK)
    }
}
