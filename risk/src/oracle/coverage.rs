//! What counts, and the refusal of a book that holds anything else.

use num_rational::BigRational;

use crate::amount::to_ratio;
use crate::market::Snapshot;
use crate::model::Names;
use crate::oracle::OracleError;
use crate::universe::{Asset, Instrument, Kind, Sensitivity, Style, Universe, Venue};
use crate::valuation::{self, Denomination, Unpriced};

/// Why an instrument or asset does not count.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Uncounted {
    /// The model does not know the asset.
    #[error("the model has no asset {0}")]
    AssetNotInModel(String),
    /// The snapshot has no price of the asset.
    #[error("the snapshot has no price of {0}")]
    NoPrice(String),
    /// The asset belongs to an isolated position, or is listed for nothing else.
    #[error("{0} is not listed for cross margin")]
    NotCross(String),
    /// The asset belongs to cross margin, or to another isolated position.
    #[error("{0} is not isolated in it")]
    NotIsolated(String),
    /// What the asset moves with is not in the snapshot.
    #[error("{asset} moves with {moves_with} in the model, which is not in the snapshot")]
    NothingMovesIt {
        /// The asset.
        asset: String,
        /// The underlying that it moves with.
        moves_with: String,
    },
    /// The model does not know the underlying.
    #[error("the model has no underlying {0}")]
    UnderlyingNotInModel(String),
    /// The model margins no instrument of this kind.
    #[error("the model does not margin instruments of its kind")]
    KindOfInstrument,
    /// The instrument is margined by itself.
    #[error("it is margined as an isolated position")]
    Isolated,
    /// The snapshot does not price the instrument.
    #[error(transparent)]
    Unpriced(#[from] Unpriced),
    /// What it settles in does not count.
    #[error("it settles in {asset}, which does not count: {reason}")]
    Settlement {
        /// The settlement asset.
        asset: String,
        /// Why that does not count.
        reason: Box<Uncounted>,
    },
    /// An inverse instrument on another underlying than its coin moves with.
    #[error("it is inverse, but {asset} does not move with {underlying} in the model")]
    CoinMovesOtherwise {
        /// The settlement asset.
        asset: String,
        /// The instrument's underlying.
        underlying: String,
    },
    /// A linear instrument that settles in an asset that moves with an underlying.
    #[error("it is linear, but {asset} moves with {moves_with} in the model")]
    MoneyMoves {
        /// The settlement asset.
        asset: String,
        /// The underlying that it moves with.
        moves_with: String,
    },
    /// A sensitivity to a risk factor that the model does not know.
    #[error("the model has no risk factor {0}")]
    RiskFactorNotInModel(String),
    /// A linear instrument where profit is counted in coins.
    #[error("it is linear, and the model counts profit on {0} in coins")]
    ProfitInCoins(String),
    /// An option on an underlying of which volatility is not known every day.
    #[error("the price history has no volatility index of {0} on every day that the model uses")]
    NoVolatilityIndex(String),
    /// A kind of instrument, or a side of it, for which the model has no margin.
    #[error("the model has no margin for it")]
    NoMargin,
}

/// Something held that does not count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotCounted {
    /// The venue.
    pub venue: String,
    /// The instrument's name, or the asset's and which of its legs: `USDC debt`.
    pub line: String,
    /// Why it does not count.
    pub reason: Uncounted,
}

/// `deribit:BTC-X (reason); …`, the first few of them.
pub(super) fn list(all: &[NotCounted]) -> String {
    const SHOWN: usize = 20;
    let each = all
        .iter()
        .take(SHOWN)
        .map(|held| format!("{}:{} ({})", held.venue, held.line, held.reason));
    let more = (all.len() > SHOWN).then(|| format!("and {} more", all.len() - SHOWN));
    each.chain(more).collect::<Vec<_>>().join("; ")
}

/// The rules of "What counts", for one model, universe and snapshot.
#[derive(Clone, Debug)]
pub(crate) struct Coverage<'a> {
    pub(crate) names: Names<'a>,
    pub(crate) numeraire: String,
    pub(crate) universe: &'a Universe,
    pub(crate) snapshot: &'a Snapshot,
}

impl Coverage<'_> {
    /// `p_a` in USD: the snapshot's own price, else the index of the underlying of that name.
    pub(crate) fn price(&self, asset: &str) -> Option<BigRational> {
        let own = self.snapshot.assets.get(asset).copied();
        own.or_else(|| self.snapshot.underlyings.get(asset).map(|market| market.index))
            .map(to_ratio)
    }

    /// `p_M` in USD.
    pub(crate) fn numeraire_price(&self) -> Result<BigRational, OracleError> {
        let numeraire = &self.numeraire;
        if numeraire == "USD" {
            return Ok(BigRational::from_integer(1.into()));
        }
        self.price(numeraire)
            .ok_or_else(|| OracleError::Numeraire(numeraire.clone()))
    }

    /// Whether the asset of this name counts in cross margin.
    pub(crate) fn asset(&self, name: &str) -> Result<(), Uncounted> {
        self.known(name)?;
        if !self
            .universe
            .assets()
            .any(|(_, asset)| asset.name == name && asset.isolated.is_none())
        {
            return Err(Uncounted::NotCross(name.to_owned()));
        }
        Ok(())
    }

    /// Whether model and snapshot have all of an asset that they need.
    fn known(&self, name: &str) -> Result<(), Uncounted> {
        let Some(moves_with) = self.names.assets.get(name).copied() else {
            return Err(Uncounted::AssetNotInModel(name.to_owned()));
        };
        if self.price(name).is_none() {
            return Err(Uncounted::NoPrice(name.to_owned()));
        }
        if let Some(moves_with) = moves_with.filter(|moves_with| !self.snapshot.underlyings.contains_key(*moves_with)) {
            return Err(Uncounted::NothingMovesIt {
                asset: name.to_owned(),
                moves_with: moves_with.to_owned(),
            });
        }
        Ok(())
    }

    /// Whether an asset's line counts: one of an isolated position does where the model margins those.
    pub(crate) fn line(&self, asset: &Asset) -> Result<(), Uncounted> {
        match asset.isolated {
            None => self.asset(&asset.name),
            Some(_) if self.names.isolated => self.known(&asset.name),
            Some(_) => Err(Uncounted::NotCross(asset.label())),
        }
    }

    /// Whether what an instrument settles in counts: in cross margin, or in the isolated position in it.
    fn settlement(&self, venue: &Venue, instrument: &Instrument) -> Result<(), Uncounted> {
        let asset = &instrument.settlement;
        let counts = match is_isolated(venue, instrument) {
            false => self.asset(asset),
            true if !self.names.isolated => return Err(Uncounted::Isolated),
            true => match venue.asset(asset, Some(&instrument.name)) {
                Some(asset) => self.line(asset),
                None => Err(Uncounted::NotIsolated(asset.clone())),
            },
        };
        counts.map_err(|reason| Uncounted::Settlement {
            asset: asset.clone(),
            reason: Box::new(reason),
        })
    }

    /// Whether an instrument counts.
    pub(crate) fn instrument(&self, venue: &Venue, instrument: &Instrument) -> Result<(), Uncounted> {
        if let Kind::Sensitivity(factor) = &instrument.kind {
            return self.sensitivity(venue, instrument, factor);
        }
        let underlying = &instrument.underlying;
        let Some(denomination) = self.names.underlyings.get(underlying.as_str()).copied() else {
            return Err(Uncounted::UnderlyingNotInModel(underlying.clone()));
        };
        if is_isolated(venue, instrument) && !self.names.isolated {
            return Err(Uncounted::Isolated);
        }
        // The market of the underlying among it.
        valuation::priced(self.snapshot, instrument)?;
        self.settlement(venue, instrument)?;
        let asset = &instrument.settlement;
        let moves_with = self.names.assets.get(asset.as_str()).copied().flatten();
        match (instrument.style, moves_with) {
            (Style::Inverse, Some(coin)) if coin == underlying.as_str() => Ok(()),
            (Style::Inverse, _) => Err(Uncounted::CoinMovesOtherwise {
                asset: asset.clone(),
                underlying: underlying.clone(),
            }),
            (Style::Linear, Some(coin)) => Err(Uncounted::MoneyMoves {
                asset: asset.clone(),
                moves_with: coin.to_owned(),
            }),
            (Style::Linear, None) if denomination == Denomination::Coin => {
                Err(Uncounted::ProfitInCoins(underlying.clone()))
            }
            (Style::Linear, None) => Ok(()),
        }
    }

    /// Whether a sensitivity counts: the model knows its risk factor, and its settlement asset counts.
    fn sensitivity(&self, venue: &Venue, instrument: &Instrument, factor: &Sensitivity) -> Result<(), Uncounted> {
        let is_known = self
            .names
            .sensitivities
            .is_some_and(|model| model.counts(&instrument.underlying, factor));
        if !is_known {
            return Err(Uncounted::RiskFactorNotInModel(factor.to_string()));
        }
        self.settlement(venue, instrument)
    }
}

/// Whether an instrument is held isolated at its venue.
fn is_isolated(venue: &Venue, instrument: &Instrument) -> bool {
    venue
        .assets()
        .any(|asset| asset.isolated.as_ref() == Some(&instrument.name))
}
