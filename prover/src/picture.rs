//! What a model sees in a book, as a picture: SVG, as secret as the book.
//!
//! A grid of moves becomes a heat map, losses by scenario a distribution, sensitivities a tornado. Under a demand there is a
//! picture of each of its models, one below the other.

mod canvas;
mod grid;
mod losses;
mod tornado;

use zkmargin_risk::oracle::{Evaluation, Picture};
use zkmargin_risk::report::{Report, approximate};

use canvas::{Canvas, MARGIN, Sheet};

/// Height of the line at the end.
const FOOT_HEIGHT: i32 = 36;
/// Least width of a picture: the line at the end has a place.
const LEAST_WIDTH: i32 = 760;

/// Why there is no picture.
#[derive(Debug, thiserror::Error)]
pub enum PictureError {
    /// The model has none, or model and snapshot have nothing in common.
    #[error("the report has nothing to draw: its model has no scenarios or factors on this snapshot")]
    Nothing,
    /// The drawing failed.
    #[error("drawing the report: {0}")]
    Draw(String),
}

/// The report's pictures as an SVG document.
///
/// # Errors
/// [`PictureError`].
pub fn draw(report: &Report) -> Result<String, PictureError> {
    let mut sheets: Vec<Box<dyn Sheet>> = Vec::new();
    if report.models.is_empty() {
        add(&mut sheets, &report.evaluation, None);
    }
    for one in &report.models {
        let name = (report.models.len() > 1).then_some(one.model.as_str());
        add(&mut sheets, &one.evaluation, name);
    }
    if sheets.is_empty() {
        return Err(PictureError::Nothing);
    }
    let width = sheets.iter().map(|sheet| sheet.size().0).max().unwrap_or(0);
    let width = (width + 2 * MARGIN).max(LEAST_WIDTH);
    let height = sheets.iter().map(|sheet| sheet.size().1).sum::<i32>() + 2 * MARGIN + FOOT_HEIGHT;
    Canvas::document(width, height, |canvas| {
        let mut top = MARGIN;
        for sheet in &sheets {
            sheet.draw(canvas, top)?;
            top += sheet.size().1;
        }
        let foot = format!(
            "{}, market of {}. Amounts in {}.",
            report.model, report.instant, report.evaluation.numeraire
        );
        canvas.label(&foot, (MARGIN, top + FOOT_HEIGHT / 2))
    })
}

/// The sheets of one model's picture.
fn add(sheets: &mut Vec<Box<dyn Sheet>>, book: &Evaluation, model: Option<&str>) {
    match &book.picture {
        Picture::Grid(cells) => {
            let panels = grid::panels(book, cells, model);
            sheets.extend(panels.into_iter().map(|panel| Box::new(panel) as Box<dyn Sheet>));
        }
        Picture::Losses(losses) if !losses.is_empty() => {
            let losses = losses
                .iter()
                .map(|(name, loss)| (name.clone(), approximate(loss)))
                .collect();
            sheets.push(Box::new(losses::Losses::new(
                losses,
                requirements(book),
                title("Loss by scenario", model),
                &book.numeraire,
            )));
        }
        Picture::Sensitivities(factors) if !factors.is_empty() => {
            let factors = factors
                .iter()
                .map(|(name, part)| (name.clone(), approximate(part)))
                .collect();
            let parts = tornado::Of::Requirement;
            sheets.push(Box::new(tornado::Tornado::new(factors, parts, model, &book.numeraire)));
        }
        Picture::WeightedSensitivities(factors) if !factors.is_empty() => {
            let factors = factors.iter().map(|(name, part)| (name.clone(), approximate(part)));
            let weighted = tornado::Of::WeightedSensitivities;
            let tornado = tornado::Tornado::new(factors.collect(), weighted, model, &book.numeraire);
            sheets.push(Box::new(tornado));
        }
        Picture::Losses(_) | Picture::Sensitivities(_) | Picture::WeightedSensitivities(_) | Picture::None => {}
    }
}

fn title(what: &str, model: Option<&str>) -> String {
    model.map_or_else(|| what.to_owned(), |model| format!("{what}, {model}"))
}

/// `R` at both levels; one line where they are the same.
fn requirements(book: &Evaluation) -> Vec<(String, f64)> {
    let line = |level: &str, amount| (format!("requirement, {level}"), approximate(amount));
    if book.initial == book.maintenance {
        return vec![("requirement".to_owned(), approximate(&book.initial))];
    }
    vec![line("initial", &book.initial), line("maintenance", &book.maintenance)]
}

#[cfg(test)]
mod tests;
