//! What makes a universe one, and why something is not.

use std::collections::{BTreeMap, BTreeSet};

use rust_decimal::Decimal;
use unicode_normalization::is_nfc;
use zkmargin_program::LayoutError;

use super::sensitivity::is_text;
use super::{Asset, Instrument, K_RANGE, Kind, MAX_COLUMNS, MAX_NAME_BYTES, MAX_TERM, Style, Venue};
use crate::symbol::Symbol;

/// Why something is not a universe. `venue` is a venue's name, `line` an instrument's or asset's.
#[derive(Debug, thiserror::Error)]
pub enum UniverseError {
    /// Not JSON of the format; the message has line and column.
    #[error("universe: {0}")]
    Json(#[from] serde_json::Error),
    /// A file larger than is read.
    #[error("universe: {bytes} bytes, at most {} are read", crate::json::MAX_BYTES)]
    Size {
        /// Its size.
        bytes: usize,
    },
    /// `k` out of bounds.
    #[error("universe: k is {0}, expected {least} to {most}", least = K_RANGE.start(), most = K_RANGE.end())]
    K(u32),
    /// No venue at all, or one without lines or keys, or with too many keys.
    #[error("{place}: {count} {what}, expected {bound}")]
    Count {
        /// Where.
        place: String,
        /// Of what.
        what: &'static str,
        /// How many.
        count: usize,
        /// The bound, in words.
        bound: &'static str,
    },
    /// A name that is empty, too long, not in NFC, or contains white space, control characters, `:` or `,`.
    #[error(
        "{place}: `{name}` is not a name: 1 to 64 bytes in NFC, without white space, control characters, `:` and `,`"
    )]
    Name {
        /// Where.
        place: String,
        /// The name.
        name: String,
    },
    /// Something is there twice.
    #[error("{place}: {what} `{name}` occurs twice")]
    Duplicate {
        /// Where.
        place: String,
        /// Venue, instrument, asset or key.
        what: &'static str,
        /// Which.
        name: String,
    },
    /// A contract size, lot or strike that is not positive, or absurd.
    #[error("venue {venue}, {line}: {field} is {value}, expected above 0 and at most {MAX_TERM}")]
    Term {
        /// Where.
        venue: String,
        /// Where.
        line: String,
        /// `contract`, `lot` or `strike`.
        field: &'static str,
        /// Its value.
        value: Decimal,
    },
    /// The settlement asset is not listed at the venue, or lacks the legs that settlement needs, or is not the coin
    /// itself.
    #[error("venue {venue}, {line}: settles in {asset}, which {problem}")]
    Settlement {
        /// Where.
        venue: String,
        /// The instrument.
        line: String,
        /// The settlement asset.
        asset: String,
        /// What is wrong.
        problem: &'static str,
    },
    /// An asset for the isolated position of an instrument that the venue does not list.
    #[error("venue {venue}, {line}: the venue lists no such instrument")]
    Isolated {
        /// Where.
        venue: String,
        /// The asset.
        line: String,
    },
    /// A text of a sensitivity that is none, or a sensitivity that is inverse.
    #[error(
        "venue {venue}, {line}: {field} is `{value}`, expected a linear sensitivity with a qualifier, each text at most 64 bytes in NFC"
    )]
    Sensitivity {
        /// Where.
        venue: String,
        /// The instrument.
        line: String,
        /// Which text.
        field: &'static str,
        /// What it says.
        value: String,
    },
    /// The name says something else than the terms.
    #[error("venue {venue}, {line}: the name says {said}, the terms say otherwise")]
    NameAgainstTerms {
        /// Where.
        venue: String,
        /// The instrument.
        line: String,
        /// What the name says.
        said: String,
    },
    /// More legs than fit.
    #[error("universe: {columns} columns of {rows} legs are needed, at most {MAX_COLUMNS} fit: take a larger k")]
    Columns {
        /// How many would be needed.
        columns: usize,
        /// Legs per column.
        rows: usize,
    },
    /// A venue that is to be extended is not in the universe.
    #[error("the universe has no venue `{0}`")]
    UnknownVenue(String),
    /// The layout was refused; cannot happen after the checks above.
    #[error("universe: {0}")]
    Layout(#[from] LayoutError),
}

pub(super) fn check_lines(venue: &Venue) -> Result<(), UniverseError> {
    let place = format!("venue {}", venue.name);
    let mut instruments: BTreeSet<&str> = BTreeSet::new();
    let mut assets = BTreeMap::new();
    for instrument in venue.instruments() {
        check_name(&place, &instrument.name)?;
        check_name(&format!("{place}, {}", instrument.name), &instrument.underlying)?;
        distinct(&mut instruments, instrument.name.as_str(), &place, "instrument")?;
    }
    for asset in venue.assets() {
        check_name(&place, &asset.name)?;
        if assets
            .insert((asset.name.as_str(), asset.isolated.as_deref()), asset)
            .is_some()
        {
            return Err(UniverseError::Duplicate {
                place,
                what: "asset",
                name: asset.label(),
            });
        }
        check_term(venue, &asset.name, "lot", asset.lot)?;
        if asset
            .isolated
            .as_deref()
            .is_some_and(|instrument| !instruments.contains(instrument))
        {
            return Err(UniverseError::Isolated {
                venue: venue.name.clone(),
                line: asset.label(),
            });
        }
    }
    for instrument in venue.instruments() {
        check_term(venue, &instrument.name, "contract", instrument.contract)?;
        check_term(venue, &instrument.name, "lot", instrument.lot)?;
        if let Kind::Option { strike, .. } = instrument.kind {
            check_term(venue, &instrument.name, "strike", strike)?;
        }
        if let Kind::Sensitivity(sensitivity) = &instrument.kind {
            let refused = |field, value: &str| UniverseError::Sensitivity {
                venue: venue.name.clone(),
                line: instrument.name.clone(),
                field,
                value: value.chars().take(MAX_NAME_BYTES).collect(),
            };
            if let Some((field, text)) = sensitivity.texts().into_iter().find(|(_, text)| !is_text(text)) {
                return Err(refused(field, text));
            }
            if sensitivity.qualifier.is_empty() {
                return Err(refused("qualifier", ""));
            }
            if instrument.style == Style::Inverse {
                return Err(refused("style", "inverse"));
            }
        }
        // As `Venue::settlement_of`, which would search all lines for each instrument.
        let settlement = |isolated| assets.get(&(instrument.settlement.as_str(), isolated)).copied();
        let asset = settlement(Some(instrument.name.as_str())).or_else(|| settlement(None));
        check_settlement(venue, instrument, asset)?;
        if let Ok(symbol) = instrument.name.parse::<Symbol>()
            && (symbol.underlying.as_str(), &symbol.kind) != (instrument.underlying.as_str(), &instrument.kind)
        {
            return Err(UniverseError::NameAgainstTerms {
                venue: venue.name.clone(),
                line: instrument.name.clone(),
                said: format!("{} {:?}", symbol.underlying, symbol.kind),
            });
        }
    }
    Ok(())
}

fn check_settlement(venue: &Venue, instrument: &Instrument, asset: Option<&Asset>) -> Result<(), UniverseError> {
    let problem = match asset {
        None => "is not an asset of the venue",
        Some(_) if instrument.style == Style::Inverse && instrument.settlement != instrument.underlying => {
            "is not the underlying of this inverse instrument"
        }
        Some(asset) if instrument.kind.is_carried() && asset.carry.is_none() => "has no carry legs",
        Some(asset) if asset.reserve.is_none() => "has no reserve leg",
        Some(_) => return Ok(()),
    };
    let (venue, line) = (venue.name.clone(), instrument.name.clone());
    Err(UniverseError::Settlement {
        venue,
        line,
        asset: instrument.settlement.clone(),
        problem,
    })
}

pub(crate) fn asset_label(name: &str, isolated: Option<&str>) -> String {
    match isolated {
        Some(instrument) => format!("{name} isolated in {instrument}"),
        None => name.to_owned(),
    }
}

pub(crate) fn is_name(name: &str) -> bool {
    let forbidden = |c: char| c.is_whitespace() || c.is_control() || c == ':' || c == ',';
    !name.is_empty() && name.len() <= MAX_NAME_BYTES && is_nfc(name) && !name.chars().any(forbidden)
}

pub(super) fn check_name(place: &str, name: &str) -> Result<(), UniverseError> {
    if is_name(name) {
        return Ok(());
    }
    Err(UniverseError::Name {
        place: place.to_owned(),
        name: name.chars().take(MAX_NAME_BYTES).collect(),
    })
}

fn check_term(venue: &Venue, line: &str, field: &'static str, value: Decimal) -> Result<(), UniverseError> {
    if value > Decimal::ZERO && value <= MAX_TERM {
        return Ok(());
    }
    Err(UniverseError::Term {
        venue: venue.name.clone(),
        line: line.to_owned(),
        field,
        value,
    })
}

pub(super) fn check_count(
    place: &str,
    what: &'static str,
    count: usize,
    range: std::ops::RangeInclusive<usize>,
    bound: &'static str,
) -> Result<(), UniverseError> {
    if range.contains(&count) {
        return Ok(());
    }
    Err(UniverseError::Count {
        place: place.to_owned(),
        what,
        count,
        bound,
    })
}

pub(super) fn distinct<T: Ord + ToString>(
    set: &mut BTreeSet<T>,
    name: T,
    place: &str,
    what: &'static str,
) -> Result<(), UniverseError> {
    let text = name.to_string();
    if set.insert(name) {
        return Ok(());
    }
    Err(UniverseError::Duplicate {
        place: place.to_owned(),
        what,
        name: text,
    })
}
