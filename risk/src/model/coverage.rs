//! Which instruments and assets of a universe count under a model and a snapshot, and which legs are proven empty.

use std::collections::{BTreeMap, BTreeSet};

use zkmargin_program::LegId;

use crate::collateral::{self, Holding};
use crate::market::Snapshot;
use crate::model::{Names, Scope, Sensitivities};
use crate::universe::{Asset, Instrument, Kind, Line, Style, Universe, Venue};
use crate::valuation::{Denomination, Unpriced, priced};

/// A line of a venue that does not count, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Uncounted {
    /// The venue.
    pub venue: String,
    /// The instrument, or the asset with its isolated position.
    pub line: String,
    /// Why.
    pub why: Why,
}

/// Why an instrument is proven empty, or of an asset everything but the balance, which counts nothing.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Why {
    /// The model has no such underlying.
    #[error("the model has no such underlying")]
    Underlying,
    /// The model margins no instrument of its kind.
    #[error("the model does not margin instruments of its kind")]
    Kind,
    /// The model has a margin for it on its long side alone.
    #[error("the model does not margin it held short")]
    Short,
    /// The model has a margin for it on its short side alone.
    #[error("the model does not margin it held long")]
    Long,
    /// It belongs to an isolated position.
    #[error("it belongs to an isolated position, which this model does not margin")]
    Isolated,
    /// The snapshot does not price the instrument.
    #[error(transparent)]
    Unpriced(#[from] Unpriced),
    /// The model has no such asset.
    #[error("the model has no such asset")]
    Asset,
    /// The asset moves with an underlying that is not in the snapshot.
    #[error("it moves with an underlying that the snapshot does not have")]
    AssetUnderlying,
    /// The snapshot has no price of the asset.
    #[error("the snapshot has no price of the asset")]
    AssetPrice,
    /// The instrument's settlement asset does not count.
    #[error("its settlement asset does not count")]
    Settlement,
    /// The model moves the settlement asset of a linear instrument, or does not move that of an inverse one.
    #[error("the model does not say that its settlement asset moves as the instrument's does")]
    SettlementUnderlying,
    /// The model does not know the risk factor, or counts no sensitivities.
    #[error("the model has no such risk factor")]
    Sensitivity,
    /// The model counts the profit of the underlying in coins.
    #[error("a linear instrument does not count where the model counts profit in coins")]
    Linear,
    /// The history has no volatility index of its underlying on every day that the model uses.
    #[error("the history has no volatility index of its underlying on every day that the model uses")]
    NoVolatilityIndex,
}

/// What counts, and what does not.
#[derive(Debug)]
pub(crate) struct Coverage<'a> {
    /// Instruments that count by underlying, in row order: in cross margin and isolated.
    pub(crate) instruments: BTreeMap<&'a str, Vec<&'a Instrument>>,
    /// Assets that count, likewise.
    pub(crate) holdings: BTreeMap<&'a str, Holding<'a>>,
    /// Of the instruments that count, those that are isolated, by their long legs.
    isolated: BTreeSet<LegId>,
    /// Legs that are proven empty.
    pub(crate) empty: Vec<LegId>,
    /// Lines that do not count.
    pub(crate) uncounted: Vec<Uncounted>,
}

impl<'a> Coverage<'a> {
    /// What of the venues of `scope` counts under a model that names these.
    pub(crate) fn of(names: &Names<'_>, scope: &Scope<'a>) -> Coverage<'a> {
        let snapshot = scope.snapshot;
        Coverage::by(
            scope,
            |asset| asset_counts(names, snapshot, asset),
            |assets, instrument| instrument_counts(names, snapshot, assets, instrument),
        )
    }

    /// Everything that the snapshot prices, whatever a model makes of it: all that can be held under any model.
    pub(crate) fn everything(scope: &Scope<'a>) -> Coverage<'a> {
        let snapshot = scope.snapshot;
        Coverage::by(
            scope,
            |asset| asset_is_priced(snapshot, asset),
            |assets, instrument| instrument_is_priced(snapshot, assets, instrument),
        )
    }

    fn by(
        scope: &Scope<'a>,
        asset_counts: impl Fn(&Asset) -> Result<(), Why>,
        instrument_counts: impl Fn(&Assets<'_>, &Instrument) -> Result<(), Why>,
    ) -> Coverage<'a> {
        let mut coverage = Coverage {
            instruments: BTreeMap::new(),
            holdings: BTreeMap::new(),
            isolated: BTreeSet::new(),
            empty: Vec::new(),
            uncounted: Vec::new(),
        };
        let lines = |venue: &'a Venue| match &scope.position {
            Some(position) => position.lines.clone(),
            None => venue.lines.iter().collect(),
        };
        for venue in scope.venues() {
            let lines = lines(venue);
            let assets = Assets::of(&asset_counts, &lines);
            let instruments = lines.iter().filter_map(|line| match line {
                Line::Instrument(instrument) => Some(instrument),
                Line::Asset(_) => None,
            });
            for instrument in instruments {
                match instrument_counts(&assets, instrument) {
                    Ok(()) => {
                        let on = coverage.instruments.entry(&instrument.underlying).or_default();
                        on.push(instrument);
                        if assets.isolated.contains(instrument.name.as_str()) {
                            coverage.isolated.insert(instrument.long);
                        }
                    }
                    Err(why) => {
                        coverage.empty.extend([instrument.long, instrument.short]);
                        coverage.note(venue, instrument.name.clone(), why);
                    }
                }
            }
        }
        let lines = scope
            .venues()
            .flat_map(|venue| lines(venue).into_iter().map(move |line| (venue, line)));
        let assets = lines.filter_map(|(venue, line)| match line {
            Line::Asset(asset) => Some((venue, asset)),
            Line::Instrument(_) => None,
        });
        for (venue, asset) in assets {
            match asset_counts(asset) {
                Ok(()) => coverage.holdings.entry(&asset.name).or_default().lines.push(asset),
                Err(why) => {
                    coverage.empty.extend(asset.all_but_balance());
                    coverage.note(venue, asset.label(), why);
                }
            }
        }
        coverage.empty.sort_unstable();
        coverage
    }

    /// Without isolated positions, unless it is of one.
    pub(crate) fn within(mut self, scope: &Scope<'_>) -> Coverage<'a> {
        if scope.position.is_some() {
            return self;
        }
        for instruments in self.instruments.values_mut() {
            instruments.retain(|instrument| !self.isolated.contains(&instrument.long));
        }
        self.instruments.retain(|_, instruments| !instruments.is_empty());
        for holding in self.holdings.values_mut() {
            holding.lines.retain(|asset| asset.isolated.is_none());
        }
        self.holdings.retain(|_, holding| !holding.lines.is_empty());
        self
    }

    /// Takes out the instruments of a kind that a model does not margin.
    pub(crate) fn leave_out(&mut self, margins: impl Fn(&Kind) -> bool, universe: &Universe) {
        let left_out = universe
            .instruments()
            .filter(|(_, instrument)| !margins(&instrument.kind));
        for (venue, instrument) in left_out {
            let counted = self.instruments.get_mut(instrument.underlying.as_str());
            let Some(counted) = counted else { continue };
            let Some(at) = counted.iter().position(|one| one.long == instrument.long) else {
                continue;
            };
            counted.remove(at);
            self.empty.extend([instrument.long, instrument.short]);
            self.note(venue, instrument.name.clone(), Why::Kind);
        }
        self.empty.sort_unstable();
    }

    /// Takes out the sides, long and short, on which an instrument that counts must not be held.
    pub(crate) fn leave_out_sides(
        &mut self,
        may_be_held: impl Fn(&Instrument) -> (bool, bool),
        universe: &'a Universe,
    ) {
        for (venue, instrument) in universe.instruments() {
            let Some(counted) = self.instruments.get_mut(instrument.underlying.as_str()) else {
                continue;
            };
            let Some(at) = counted.iter().position(|one| one.long == instrument.long) else {
                continue;
            };
            let (long, short) = may_be_held(instrument);
            let why = match (long, short) {
                (true, true) => continue,
                (true, false) => Why::Short,
                (false, true) => Why::Long,
                (false, false) => {
                    counted.remove(at);
                    Why::Kind
                }
            };
            self.empty.extend((!long).then_some(instrument.long));
            self.empty.extend((!short).then_some(instrument.short));
            self.note(venue, instrument.name.clone(), why);
        }
        self.empty.sort_unstable();
    }

    fn note(&mut self, venue: &Venue, line: String, why: Why) {
        self.uncounted.push(Uncounted {
            venue: venue.name.clone(),
            line,
            why,
        });
    }
}

/// The legs and lines of isolated positions, but for balances: what is proven empty where they do not count.
pub(crate) fn isolated(scope: &Scope<'_>) -> (Vec<LegId>, Vec<Uncounted>) {
    let (mut empty, mut lines) = (Vec::new(), Vec::new());
    for venue in scope.venues() {
        for line in venue.isolated().into_values().flatten() {
            let (legs, name) = match line {
                Line::Instrument(instrument) => (line.legs(), instrument.name.clone()),
                Line::Asset(asset) => (asset.all_but_balance(), asset.label()),
            };
            empty.extend(legs);
            lines.push(Uncounted {
                venue: venue.name.clone(),
                line: name,
                why: Why::Isolated,
            });
        }
    }
    (empty, lines)
}

fn asset_counts(names: &Names<'_>, snapshot: &Snapshot, asset: &Asset) -> Result<(), Why> {
    if asset.isolated.is_some() && !names.isolated {
        return Err(Why::Isolated);
    }
    let moves_with = names.assets.get(asset.name.as_str()).ok_or(Why::Asset)?;
    if moves_with.is_some_and(|underlying| !snapshot.underlyings.contains_key(underlying)) {
        return Err(Why::AssetUnderlying);
    }
    collateral::price(snapshot, &asset.name)
        .map(|_| ())
        .ok_or(Why::AssetPrice)
}

fn asset_is_priced(snapshot: &Snapshot, asset: &Asset) -> Result<(), Why> {
    if asset.isolated.is_some() {
        return Err(Why::Isolated);
    }
    let price = collateral::price(snapshot, &asset.name);
    price.map(|_| ()).ok_or(Why::AssetPrice)
}

fn instrument_is_priced(snapshot: &Snapshot, assets: &Assets<'_>, instrument: &Instrument) -> Result<(), Why> {
    if assets.isolated.contains(instrument.name.as_str()) {
        return Err(Why::Isolated);
    }
    priced(snapshot, instrument)?;
    if !assets.settles(instrument) {
        return Err(Why::Settlement);
    }
    Ok(())
}

/// What the assets of one venue say about its instruments, looked up once and not per instrument.
struct Assets<'a> {
    /// Instruments with an isolated position.
    isolated: BTreeSet<&'a str>,
    /// Assets that count, and the instruments that they are isolated in.
    counted: BTreeSet<(&'a str, Option<&'a str>)>,
}

impl<'a> Assets<'a> {
    fn of(asset_counts: impl Fn(&Asset) -> Result<(), Why>, lines: &[&'a Line]) -> Assets<'a> {
        let assets = lines.iter().filter_map(|line| match line {
            Line::Asset(asset) => Some(asset),
            Line::Instrument(_) => None,
        });
        let counted = assets.clone().filter(|asset| asset_counts(asset).is_ok());
        Assets {
            isolated: assets.clone().filter_map(|asset| asset.isolated.as_deref()).collect(),
            counted: counted
                .map(|asset| (asset.name.as_str(), asset.isolated.as_deref()))
                .collect(),
        }
    }

    /// Whether the settlement asset of an instrument counts: where it is isolated, that of its own position. One that is isolated by another
    /// asset alone would have its carry in cross margin.
    fn settles(&self, instrument: &Instrument) -> bool {
        let (name, settlement) = (instrument.name.as_str(), instrument.settlement.as_str());
        let position = self.isolated.contains(name).then_some(name);
        self.counted.contains(&(settlement, position))
    }
}

fn instrument_counts(
    names: &Names<'_>,
    snapshot: &Snapshot,
    assets: &Assets<'_>,
    instrument: &Instrument,
) -> Result<(), Why> {
    if let Kind::Sensitivity(sensitivity) = &instrument.kind {
        let known = |rules: &dyn Sensitivities| rules.counts(&instrument.underlying, sensitivity);
        return if !names.sensitivities.is_some_and(known) {
            Err(Why::Sensitivity)
        } else if assets.isolated.contains(instrument.name.as_str()) && !names.isolated {
            Err(Why::Isolated)
        } else if !assets.settles(instrument) {
            Err(Why::Settlement)
        } else {
            Ok(())
        };
    }
    let denomination = names
        .underlyings
        .get(instrument.underlying.as_str())
        .ok_or(Why::Underlying)?;
    if assets.isolated.contains(instrument.name.as_str()) && !names.isolated {
        return Err(Why::Isolated);
    }
    priced(snapshot, instrument)?;
    let settlement = instrument.settlement.as_str();
    if !assets.settles(instrument) {
        return Err(Why::Settlement);
    }
    let moves_with = names.assets.get(settlement).copied().flatten();
    match instrument.style {
        Style::Inverse if moves_with == Some(instrument.underlying.as_str()) => Ok(()),
        Style::Linear if moves_with.is_none() && *denomination == Denomination::Usd => Ok(()),
        Style::Linear if moves_with.is_none() => Err(Why::Linear),
        Style::Inverse | Style::Linear => Err(Why::SettlementUnderlying),
    }
}
