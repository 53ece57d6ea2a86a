//! The scenario grid as a picture: price moves across, volatility moves down, weighted tails apart.
//!
//! One panel per underlying. A cell is `Π_{u,r}`, the profit of the row as it counts (times its weight): red for losses, blue for gains,
//! stronger the nearer to the largest of its panel. The worst row of the underlying's group has a frame.

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use rust_decimal::Decimal;
use zkmargin_risk::report::{Report, approximate};
use zkmargin_risk::scenario::{Scenario, VolatilityMove};

use crate::margin::{scenario_name, volatility_name};

/// Sizes in pixels.
const CELL: (i32, i32) = (64, 36);
const MARGIN: i32 = 20;
const LABEL_WIDTH: i32 = 96;
const GAP: i32 = 28;
const TITLE_HEIGHT: i32 = 44;
const AXIS_HEIGHT: i32 = 24;
const CAPTION_HEIGHT: i32 = 24;
const FOOT_HEIGHT: i32 = 40;
const FRAME: i32 = 3;

/// Blue, white, red: distinct to every eye.
const GAIN: (u8, u8, u8) = (33, 102, 172);
const LOSS: (u8, u8, u8) = (178, 24, 43);
/// From this strength on the text of a cell is white.
const DARK: f64 = 0.7;

const DIRECTIONS: [VolatilityMove; 3] = [VolatilityMove::Up, VolatilityMove::None, VolatilityMove::Down];

/// Why there is no picture.
#[derive(Debug, thiserror::Error)]
pub enum HeatMapError {
    /// The model and the snapshot have no underlying in common.
    #[error("the report has no scenarios to draw")]
    Nothing,
    /// The drawing failed.
    #[error("drawing the heat map: {0}")]
    Draw(String),
}

type Drawn = Result<(), HeatMapError>;
type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

fn draw_error(error: impl std::fmt::Display) -> HeatMapError {
    HeatMapError::Draw(error.to_string())
}

/// One scenario of a panel.
struct Cell {
    scenario: Scenario,
    profit: f64,
    is_worst: bool,
}

/// Cells in columns of one price move each.
struct Block {
    caption: &'static str,
    moves: Vec<Decimal>,
    cells: Vec<Cell>,
}

struct Panel {
    title: String,
    worst: String,
    standard: Block,
    tails: Block,
}

/// The report's grids as an SVG document.
///
/// # Errors
/// [`HeatMapError`].
pub fn heat_map(report: &Report) -> Result<String, HeatMapError> {
    let panels: Vec<Panel> = report
        .evaluation
        .underlyings
        .keys()
        .filter_map(|name| panel(report, name))
        .collect();
    if panels.is_empty() {
        return Err(HeatMapError::Nothing);
    }
    let width = panels.iter().map(Panel::width).max().unwrap_or(0) + 2 * MARGIN;
    let height = panels.iter().map(Panel::height).sum::<i32>() + 2 * MARGIN + FOOT_HEIGHT;
    let size = (width.unsigned_abs(), height.unsigned_abs());
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, size).into_drawing_area();
        area.fill(&WHITE).map_err(draw_error)?;
        let mut top = MARGIN;
        for panel in &panels {
            panel.draw(&area, top)?;
            top += panel.height();
        }
        let foot = format!(
            "{}, market of {}. Profit in {}, tails times their weight. Frame: worst row of its group.",
            report.model, report.instant, report.evaluation.numeraire
        );
        text(&area, &foot, (MARGIN, top + FOOT_HEIGHT / 2), 13, &BLACK, HPos::Left)?;
        area.present().map_err(draw_error)?;
    }
    Ok(svg)
}

fn panel(report: &Report, name: &str) -> Option<Panel> {
    let group = report
        .evaluation
        .groups
        .iter()
        .find(|group| group.underlyings.iter().any(|member| member == name))?;
    let rows = &report.evaluation.underlyings.get(name)?.rows;
    let scenarios = report.grids.get(name)?;
    let cells = scenarios
        .iter()
        .zip(rows)
        .enumerate()
        .map(|(row, (scenario, profit))| Cell {
            scenario: *scenario,
            profit: approximate(&profit.weighted),
            is_worst: row == group.worst,
        });
    let (tails, standard): (Vec<Cell>, Vec<Cell>) = cells.partition(|cell| cell.scenario.weight != Decimal::ONE);
    let worst = scenarios.get(group.worst).map(scenario_name)?;
    Some(Panel {
        title: name.to_owned(),
        worst: format!("worst of {}: {worst}", group.underlyings.join("+")),
        standard: Block::new("scenarios", standard),
        tails: Block::new("tails, weighted", tails),
    })
}

impl Block {
    fn new(caption: &'static str, mut cells: Vec<Cell>) -> Block {
        // Of two rows in one place the lower profit is drawn last, and so seen.
        cells.sort_by(|a, b| b.profit.total_cmp(&a.profit));
        let mut moves: Vec<Decimal> = cells.iter().map(|cell| cell.scenario.price_move).collect();
        moves.sort();
        moves.dedup();
        Block { caption, moves, cells }
    }

    fn width(&self) -> i32 {
        i32::try_from(self.moves.len())
            .unwrap_or(i32::MAX / CELL.0)
            .saturating_mul(CELL.0)
    }
}

impl Panel {
    /// The directions of volatility that occur, top row first.
    fn directions(&self) -> Vec<VolatilityMove> {
        let cells = || self.standard.cells.iter().chain(&self.tails.cells);
        DIRECTIONS
            .into_iter()
            .filter(|direction| cells().any(|cell| cell.scenario.volatility == *direction))
            .collect()
    }

    fn width(&self) -> i32 {
        let gap = if self.tails.moves.is_empty() { 0 } else { GAP };
        LABEL_WIDTH
            .saturating_add(self.standard.width())
            .saturating_add(gap)
            .saturating_add(self.tails.width())
    }

    fn height(&self) -> i32 {
        let rows = i32::try_from(self.directions().len()).unwrap_or(0);
        TITLE_HEIGHT + CAPTION_HEIGHT + rows * CELL.1 + AXIS_HEIGHT
    }

    fn draw(&self, area: &Area<'_>, top: i32) -> Drawn {
        text(
            area,
            &self.title,
            (MARGIN, top + TITLE_HEIGHT / 2),
            20,
            &BLACK,
            HPos::Left,
        )?;
        text(
            area,
            &self.worst,
            (MARGIN + LABEL_WIDTH, top + TITLE_HEIGHT / 2),
            13,
            &BLACK,
            HPos::Left,
        )?;
        let directions = self.directions();
        let cells_top = top + TITLE_HEIGHT + CAPTION_HEIGHT;
        text(
            area,
            "volatility",
            (MARGIN, cells_top - CAPTION_HEIGHT / 2),
            13,
            &BLACK,
            HPos::Left,
        )?;
        for (row, direction) in (0..).zip(&directions) {
            let middle = cells_top + row * CELL.1 + CELL.1 / 2;
            text(
                area,
                volatility_name(*direction),
                (MARGIN, middle),
                13,
                &BLACK,
                HPos::Left,
            )?;
        }
        let cells = || self.standard.cells.iter().chain(&self.tails.cells);
        let largest = cells().map(|cell| cell.profit.abs()).fold(0.0, f64::max);
        let mut left = MARGIN + LABEL_WIDTH;
        for block in [&self.standard, &self.tails] {
            if !block.moves.is_empty() {
                draw_block(area, block, &directions, (left, cells_top), largest)?;
                left = left.saturating_add(block.width()).saturating_add(GAP);
            }
        }
        Ok(())
    }
}

fn draw_block(
    area: &Area<'_>,
    block: &Block,
    directions: &[VolatilityMove],
    corner: (i32, i32),
    largest: f64,
) -> Drawn {
    let (left, top) = corner;
    text(
        area,
        block.caption,
        (left, top - CAPTION_HEIGHT / 2),
        13,
        &BLACK,
        HPos::Left,
    )?;
    let rows = i32::try_from(directions.len()).unwrap_or(0);
    for (column, price_move) in (0..).zip(&block.moves) {
        let percent = (*price_move * Decimal::ONE_HUNDRED).normalize();
        let sign = if percent > Decimal::ZERO { "+" } else { "" };
        let place = (
            left + column * CELL.0 + CELL.0 / 2,
            top + rows * CELL.1 + AXIS_HEIGHT / 2,
        );
        text(area, &format!("{sign}{percent} %"), place, 13, &BLACK, HPos::Center)?;
    }
    for cell in &block.cells {
        let column = block
            .moves
            .iter()
            .position(|price_move| *price_move == cell.scenario.price_move);
        let row = directions
            .iter()
            .position(|direction| *direction == cell.scenario.volatility);
        let place = column
            .and_then(|column| i32::try_from(column).ok())
            .zip(row.and_then(|row| i32::try_from(row).ok()));
        let Some((column, row)) = place else { continue };
        let at = (left + column * CELL.0, top + row * CELL.1);
        let strength = if largest > 0.0 {
            cell.profit.abs() / largest
        } else {
            0.0
        };
        let color = shade(if cell.profit < 0.0 { LOSS } else { GAIN }, strength);
        let to = (at.0 + CELL.0 - 1, at.1 + CELL.1 - 1);
        area.draw(&Rectangle::new([at, to], color.filled()))
            .map_err(draw_error)?;
        if cell.is_worst {
            // The SVG backend draws every outline one pixel wide.
            for inset in 0..FRAME {
                let edge = [(at.0 + inset, at.1 + inset), (to.0 - inset, to.1 - inset)];
                area.draw(&Rectangle::new(edge, BLACK)).map_err(draw_error)?;
            }
        }
        let ink = if strength > DARK { &WHITE } else { &BLACK };
        let middle = (at.0 + CELL.0 / 2, at.1 + CELL.1 / 2);
        text(area, &compact(cell.profit), middle, 13, ink, HPos::Center)?;
    }
    Ok(())
}

fn text(area: &Area<'_>, words: &str, place: (i32, i32), size: i32, color: &RGBColor, across: HPos) -> Drawn {
    let style = ("sans-serif", size)
        .into_font()
        .color(color)
        .pos(Pos::new(across, VPos::Center));
    area.draw(&Text::new(words.to_owned(), place, style))
        .map_err(draw_error)
}

/// From white to `full`.
fn shade(full: (u8, u8, u8), strength: f64) -> RGBColor {
    let mix = |channel: u8| (255.0 + (f64::from(channel) - 255.0) * strength.clamp(0.0, 1.0)) as u8;
    RGBColor(mix(full.0), mix(full.1), mix(full.2))
}

/// Three digits or so: `-12.3k`, `1.24M`, `0.0123`.
fn compact(x: f64) -> String {
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
    fn nothing_is_white_and_the_largest_is_full() {
        assert_eq!(shade(LOSS, 0.0), RGBColor(255, 255, 255));
        assert_eq!(shade(LOSS, 1.0), RGBColor(LOSS.0, LOSS.1, LOSS.2));
    }
}
