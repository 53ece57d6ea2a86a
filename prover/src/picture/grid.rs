//! A heat map: price moves across, volatility moves down, weighted tails and rows of another kind apart.
//!
//! One panel per underlying. A cell is the profit of the row as it counts (times its weight): red for losses, blue for gains,
//! stronger the nearer to the largest of its panel. The worst row has a frame.

use std::collections::BTreeSet;

use plotters::prelude::{BLACK, WHITE};
use plotters::style::text_anchor::HPos;
use rust_decimal::Decimal;
use zkmargin_risk::oracle::{self, Evaluation};
use zkmargin_risk::report::approximate;

use super::canvas::{BODY, Canvas, Drawn, GAIN, LOSS, MARGIN, Sheet, compact, shade, shortened, width_of};
use super::title;
use crate::text::percent;

const CELL: (i32, i32) = (66, 34);
const LEAST_LABEL: i32 = 84;
const TITLE_HEIGHT: i32 = 40;
const SUBTITLE_HEIGHT: i32 = 24;
const CAPTION_HEIGHT: i32 = 28;
const AXIS_HEIGHT: i32 = 26;
const END: i32 = 18;
const FRAME: i32 = 3;
/// From this strength on the text of a cell is white.
const DARK: f64 = 0.7;
/// Most characters of a row's name.
const NAME_CHARS: usize = 28;

/// The directions that volatility has, top row first, and the words of the picture.
const DIRECTIONS: [(&str, &str); 3] = [
    ("up", "volatility up"),
    ("none", "as it is"),
    ("down", "volatility down"),
];

struct Cell {
    price_move: Decimal,
    row: String,
    profit: f64,
    is_worst: bool,
}

/// Rows and columns that belong together.
struct Block {
    caption: String,
    rows: Vec<String>,
    moves: Vec<Decimal>,
    cells: Vec<Cell>,
}

/// One underlying.
pub(super) struct Panel {
    title: String,
    worst: String,
    blocks: Vec<Block>,
}

/// A panel for each underlying of a grid, in the order of the cells.
pub(super) fn panels(book: &Evaluation, cells: &[oracle::Cell], model: Option<&str>) -> Vec<Panel> {
    let mut names: Vec<&str> = Vec::new();
    for cell in cells {
        if !names.contains(&cell.underlying.as_str()) {
            names.push(&cell.underlying);
        }
    }
    let of = |name: &&str| {
        let own: Vec<&oracle::Cell> = cells.iter().filter(|cell| cell.underlying == *name).collect();
        panel(book, name, &own, model)
    };
    names.iter().map(of).collect()
}

fn row_name(row: &str) -> String {
    let known = DIRECTIONS.iter().find(|(word, _)| *word == row);
    known.map_or_else(|| shortened(row, NAME_CHARS), |(_, name)| (*name).to_owned())
}

fn panel(book: &Evaluation, name: &str, cells: &[&oracle::Cell], model: Option<&str>) -> Panel {
    let group = book
        .groups
        .iter()
        .find(|group| group.underlyings.iter().any(|member| member == name));
    let lowest = cells
        .iter()
        .enumerate()
        .min_by(|(_, a), (_, b)| a.profit.cmp(&b.profit));
    let worst = group.map(|group| group.worst).or(lowest.map(|(index, _)| index));
    let words = worst
        .and_then(|index| cells.get(index))
        .map_or_else(String::new, |cell| {
            let of = group.map_or_else(|| name.to_owned(), |group| group.underlyings.join("+"));
            format!(
                "worst of {of}, framed: {}, {}",
                percent(cell.price_move),
                row_name(&cell.volatility)
            )
        });

    let is_known = |row: &str| DIRECTIONS.iter().any(|(word, _)| *word == row);
    let is_tail = |cell: &oracle::Cell| cell.weight != Decimal::ONE && is_known(&cell.volatility);
    let standard: BTreeSet<Decimal> = cells
        .iter()
        .filter(|cell| !is_tail(cell) && is_known(&cell.volatility))
        .map(|cell| cell.price_move)
        .collect();
    // A row of another kind stands with the others where it has their moves, and by itself where it has its own.
    let own_moves: BTreeSet<&str> = cells
        .iter()
        .filter(|cell| !is_known(&cell.volatility) && !standard.contains(&cell.price_move))
        .map(|cell| cell.volatility.as_str())
        .collect();
    let mut blocks: Vec<Block> = Vec::new();
    for (index, cell) in cells.iter().enumerate() {
        let caption = if is_tail(cell) {
            "tails, times their weight"
        } else if own_moves.contains(cell.volatility.as_str()) {
            "other rows, times their weight"
        } else {
            "scenarios"
        };
        let place = blocks
            .iter()
            .position(|block| block.caption == caption)
            .unwrap_or_else(|| {
                blocks.push(Block::new(caption));
                blocks.len() - 1
            });
        if let Some(block) = blocks.get_mut(place) {
            block.cells.push(Cell {
                price_move: cell.price_move,
                row: cell.volatility.clone(),
                profit: approximate(&cell.profit),
                is_worst: worst == Some(index),
            });
        }
    }
    blocks.iter_mut().for_each(Block::arrange);
    blocks.sort_by_key(|block| block.caption != "scenarios");
    Panel {
        title: title(&format!("{name}: profit by scenario in {}", book.numeraire), model),
        worst: words,
        blocks,
    }
}

impl Block {
    fn new(caption: &str) -> Block {
        Block {
            caption: caption.to_owned(),
            rows: Vec::new(),
            moves: Vec::new(),
            cells: Vec::new(),
        }
    }

    /// Finds rows and columns: up, as it is, down, then others in their order.
    fn arrange(&mut self) {
        // Of two rows in one place the lower profit is drawn last, and so seen.
        self.cells.sort_by(|a, b| b.profit.total_cmp(&a.profit));
        self.moves = self.cells.iter().map(|cell| cell.price_move).collect();
        self.moves.sort();
        self.moves.dedup();
        let has = |row: &str| self.cells.iter().any(|cell| cell.row == row);
        let mut rows: Vec<String> = DIRECTIONS
            .iter()
            .filter(|(word, _)| has(word))
            .map(|(word, _)| (*word).to_owned())
            .collect();
        let others: BTreeSet<&String> = self.cells.iter().map(|cell| &cell.row).collect();
        for row in others {
            if !rows.contains(row) {
                rows.push(row.clone());
            }
        }
        self.rows = rows;
    }

    fn label_width(&self) -> i32 {
        let widest = self.rows.iter().map(|row| width_of(&row_name(row))).max().unwrap_or(0);
        (widest + 10).max(LEAST_LABEL)
    }

    fn columns(&self) -> i32 {
        i32::try_from(self.moves.len()).unwrap_or(i32::MAX / CELL.0)
    }

    fn height(&self) -> i32 {
        let rows = i32::try_from(self.rows.len()).unwrap_or(0);
        CAPTION_HEIGHT + rows.saturating_mul(CELL.1) + AXIS_HEIGHT
    }

    fn draw(&self, canvas: &Canvas<'_>, top: i32, label_width: i32, largest: f64) -> Drawn {
        let (left, cells_top) = (MARGIN + label_width, top + CAPTION_HEIGHT);
        canvas.label(&self.caption, (left, top + CAPTION_HEIGHT / 2))?;
        for (row, name) in (0..).zip(&self.rows) {
            canvas.label(&row_name(name), (MARGIN, cells_top + row * CELL.1 + CELL.1 / 2))?;
        }
        let axis = self.height() - CAPTION_HEIGHT - AXIS_HEIGHT + cells_top + AXIS_HEIGHT / 2;
        for (column, price_move) in (0..).zip(&self.moves) {
            let place = (left + column * CELL.0 + CELL.0 / 2, axis);
            canvas.text(&percent(*price_move), place, BODY, &BLACK, HPos::Center)?;
        }
        canvas.text("price", (left - 8, axis), BODY, &BLACK, HPos::Right)?;
        for cell in &self.cells {
            let column = self.moves.iter().position(|price_move| *price_move == cell.price_move);
            let row = self.rows.iter().position(|row| *row == cell.row);
            let place = column
                .and_then(|column| i32::try_from(column).ok())
                .zip(row.and_then(|row| i32::try_from(row).ok()));
            let Some((column, row)) = place else { continue };
            let at = (left + column * CELL.0, cells_top + row * CELL.1);
            let to = (at.0 + CELL.0 - 1, at.1 + CELL.1 - 1);
            let strength = if largest > 0.0 {
                cell.profit.abs() / largest
            } else {
                0.0
            };
            let color = shade(if cell.profit < 0.0 { LOSS } else { GAIN }, strength);
            canvas.fill(at, to, &color)?;
            if cell.is_worst {
                canvas.frame(at, to, FRAME)?;
            }
            let ink = if strength > DARK { &WHITE } else { &BLACK };
            let middle = (at.0 + CELL.0 / 2, at.1 + CELL.1 / 2);
            canvas.text(&compact(cell.profit), middle, BODY, ink, HPos::Center)?;
        }
        Ok(())
    }
}

impl Panel {
    fn label_width(&self) -> i32 {
        self.blocks.iter().map(Block::label_width).max().unwrap_or(LEAST_LABEL)
    }
}

impl Sheet for Panel {
    fn size(&self) -> (i32, i32) {
        let columns = self.blocks.iter().map(Block::columns).max().unwrap_or(0);
        let width = columns.saturating_mul(CELL.0).saturating_add(self.label_width());
        let height = self.blocks.iter().map(Block::height).sum::<i32>();
        (width, TITLE_HEIGHT + SUBTITLE_HEIGHT + height + END)
    }

    fn draw(&self, canvas: &Canvas<'_>, top: i32) -> Drawn {
        canvas.title(&self.title, (MARGIN, top + TITLE_HEIGHT / 2))?;
        canvas.label(&self.worst, (MARGIN, top + TITLE_HEIGHT + SUBTITLE_HEIGHT / 2))?;
        let profits = self
            .blocks
            .iter()
            .flat_map(|block| &block.cells)
            .map(|cell| cell.profit.abs());
        let largest = profits.fold(0.0, f64::max);
        let mut top = top + TITLE_HEIGHT + SUBTITLE_HEIGHT;
        for block in &self.blocks {
            block.draw(canvas, top, self.label_width(), largest)?;
            top += block.height();
        }
        Ok(())
    }
}
