//! From a tick of the market to a partner's verdict: everything that happens to a book when prices move, on the shipped chain.
//!
//! At each tick the whole chain is recorded anew, with other prices, a second after the last one. Then, in turn and in one process: the recording
//! is imported; the venue attests the account; the trader's [`Prover`] makes a bundle; the partner, who has its own program to compile, verifies
//! the bundle's bytes against its policy.

use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, Instant as Clock};

use cpu_time::ProcessTime;
use rust_decimal::Decimal;
use serde::Serialize;
use zkmargin_circuits::Parameters;
use zkmargin_risk::account::AccountVector;
use zkmargin_risk::import::{DEFAULT_MIN_TENOR_MS, Source, recorded_chain};
use zkmargin_risk::instant::Instant;
use zkmargin_risk::listing::VenueKey;
use zkmargin_risk::market::Snapshot;
use zkmargin_risk::model::Model;
use zkmargin_risk::symbol::{Symbol, date_text};
use zkmargin_risk::terms::{Level, Margin, Terms};
use zkmargin_risk::universe::{Kind, Right, Universe};
use zkmargin_verifier::book::Book;
use zkmargin_verifier::policy::{AcceptedSnapshots, NonceRule};
use zkmargin_verifier::{Context, Partner, Policy, Verdict, Verifier, Window, draw_nonce};

use super::BenchError;
use super::chain::{Chain, shipped};
use super::rank::percentile;
use crate::attest::{Request, attest};
use crate::keys::{KeyFile, Role};
use crate::prove::{Account, Draft, Prover, Stage};
use crate::running::RunningAccount;

/// Most ticks: the seconds from the shipped snapshot's instant to the end of its day, which a recording names.
pub const MAX_TICKS: usize = 43_000;

/// A second.
const TICK_MS: u64 = 1_000;
/// Prices move by at most so many hundredths of a per cent.
const LARGEST_MOVE: i64 = 50;

/// The steps of a tick, in their order.
pub const STEPS: [(&str, &str); 7] = [
    ("import", "the recording becomes a snapshot"),
    ("attest", "the venue blinds its commitments anew and signs them"),
    ("check", "the trader recomputes what the venue signed"),
    ("compile", "model and snapshot become the trader's program"),
    ("prove", "the proof is made"),
    ("recheck", "the trader verifies the bundle before it leaves"),
    ("verdict", "the partner compiles its own program and verifies"),
];

/// Wall milliseconds of something, over all ticks.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Spread {
    /// The median.
    pub median_ms: f64,
    /// The least time that at least 99 of 100 ticks do not exceed; none of fewer than 100 ticks, of which it is the longest.
    pub p99_ms: Option<f64>,
    /// The longest.
    pub worst_ms: f64,
}

impl Spread {
    fn of(mut times: Vec<Duration>) -> Spread {
        times.sort_unstable();
        let at = |percent| percentile(&times, percent).as_secs_f64() * 1e3;
        Spread {
            median_ms: at(50),
            p99_ms: (times.len() >= 100).then(|| at(99)),
            worst_ms: at(100),
        }
    }
}

/// One step of a tick.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Step {
    /// Its name, of [`STEPS`].
    pub step: &'static str,
    /// What it takes.
    #[serde(flatten)]
    pub spread: Spread,
}

/// What ticks take.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Ticks {
    /// The preset.
    pub preset: String,
    /// How many there were.
    pub ticks: usize,
    /// Legs of which the account holds any: of a model that margins no options it holds cash alone.
    pub held: usize,
    /// Each step.
    pub steps: Vec<Step>,
    /// From the recording to the verdict.
    pub total: Spread,
    /// CPU milliseconds of all threads from the recording to the verdict: the median.
    pub total_cpu_ms: f64,
}

/// Everybody and everything that stays the same from tick to tick.
#[derive(Debug)]
pub struct Desk {
    chain: Chain,
    model: Model,
    parameters: Parameters,
    venue: KeyFile,
    trader: KeyFile,
    partner: KeyFile,
    account: RunningAccount,
    held: usize,
    policy: Policy,
    book: Book,
}

impl Desk {
    /// A venue with the shipped chain, a trader with many of its instruments, and a partner who goes by a preset.
    ///
    /// # Errors
    /// [`BenchError`]: there is no such preset, or no randomness.
    pub fn new(preset: &str, cache: Option<&Path>) -> Result<Desk, BenchError> {
        let mut chain = Chain::shipped()?;
        let model = chain.model(preset)?;
        let key = |role| KeyFile::generate(role).map_err(shipped);
        let (venue, trader, partner) = (key(Role::Venue)?, key(Role::Subject)?, key(Role::Audience)?);
        let mut file = chain.universe.to_file();
        for listed in &mut file.venues {
            listed.keys = vec![VenueKey(*venue.public().as_bytes())];
        }
        chain.universe = Universe::from_file(&file).map_err(shipped)?;
        let parameters = Parameters::load(chain.universe.k(), cache)?;
        let lots = chain.book_for(&chain.compile(preset)?);
        let held = lots.iter().filter(|lots| **lots > 0).count();
        let account = AccountVector::from_lots(&chain.universe, 0, lots).map_err(shipped)?;
        let account = RunningAccount::open(&chain.universe, &parameters, &account).map_err(shipped)?;
        let book: Book = "line-1".parse().map_err(shipped)?;
        let policy = Policy {
            network: chain.universe.network(),
            audience: partner.public(),
            books: [book.clone()].into(),
            universes: [chain.universe.digest()].into(),
            venues: [(account.venue().to_owned(), [venue.public()].into())].into(),
            required_venues: [account.venue().to_owned()].into(),
            subject_groups: Vec::new(),
            all_accounts: true,
            held: true,
            hypothetical_orders: false,
            hypothetical_deposits: false,
            models: [model.digest()].into(),
            snapshots: AcceptedSnapshots::Given,
            level: Margin::from(Level::Initial),
            ratio: "1".parse().map_err(shipped)?,
            excess: 0,
            max_snapshot_age: "1m".parse().map_err(shipped)?,
            max_validity: None,
            max_attestation_age: "1m".parse().map_err(shipped)?,
            nonce: NonceRule::Required,
            breaker: None,
            calls: None,
        };
        Ok(Desk {
            chain,
            model,
            parameters,
            venue,
            trader,
            partner,
            account,
            held,
            policy,
            book,
        })
    }

    /// One tick: the verdict, and the wall time of each of the [`STEPS`].
    ///
    /// # Errors
    /// [`BenchError`]: whatever goes wrong; nothing should.
    pub fn tick(&self, index: usize) -> Result<(Verdict, [Duration; STEPS.len()], Duration), BenchError> {
        let failed = |error: &dyn std::fmt::Display| BenchError::Tick {
            index,
            reason: error.to_string(),
        };
        let Chain { universe, snapshot, .. } = &self.chain;
        let after = |millis| snapshot.instant.checked_add(millis).unwrap_or(Instant::MAX);
        let time = after(index as u64 * TICK_MS);
        let day_end = after((MAX_TICKS as u64 + 1) * TICK_MS);
        let recording = recording(snapshot, time, index);
        let nonce = draw_nonce().map_err(|error| failed(&error))?;

        let cpu = ProcessTime::now();
        let mut laps = Laps::new();
        let source = Source {
            source: "the shipped chain, with other prices".to_owned(),
            licence: snapshot.provenance.licence.clone(),
        };
        let imported = recorded_chain::import(&recording, time, DEFAULT_MIN_TENOR_MS, &source);
        let market = imported.map_err(|error| failed(&error))?.snapshot;
        laps.next();
        let request = Request {
            universe,
            parameters: &self.parameters,
            key: &self.venue,
            account: "one",
            subject: self.trader.public(),
            accounts: 1,
            epoch: time,
            time,
            expiry: day_end,
            audience: self.partner.public(),
            book: self.book.clone(),
            held: true,
        };
        let (attestation, opening) = attest(&request, &self.account).map_err(|error| failed(&error))?;
        laps.next();
        let context = Context {
            universe,
            snapshot: &market,
            later: None,
            model: &self.model,
            parameters: &self.parameters,
        };
        let draft = Draft {
            terms: Terms::at(Level::Initial),
            audience: self.partner.public(),
            book: self.book.clone(),
            nonce,
            window: Window {
                from: time,
                until: day_end,
            },
            replaces: None,
            accounts: vec![Account { attestation, opening }],
        };
        let subjects = std::slice::from_ref(self.trader.signing());
        let proven = Prover::new(context, time).prove(&[draft], subjects, |stage| {
            // The first stage begins where the attestation ended.
            if stage != Stage::Checking {
                laps.next();
            }
        });
        let bundle = proven.map_err(|error| failed(&error))?.bytes;
        laps.next();
        let partner = Partner::new(&self.policy, Some(nonce)).map_err(|error| failed(&error))?;
        let verdict = Verifier::new(context).verify(&partner, &bundle, time);
        let verdict = verdict.map_err(|error| failed(&error))?;
        laps.next();
        Ok((verdict, laps.times, cpu.elapsed()))
    }

    /// So many ticks, after one that does not count.
    ///
    /// # Errors
    /// [`BenchError`].
    pub fn ticks(&self, ticks: usize, mut done: impl FnMut(usize)) -> Result<Ticks, BenchError> {
        let (mut steps, mut totals, mut cpu) = (vec![Vec::new(); STEPS.len()], Vec::new(), Vec::new());
        self.tick(0)?;
        for index in 1..=ticks {
            let (_, times, spent) = self.tick(index)?;
            for (step, time) in steps.iter_mut().zip(times) {
                step.push(time);
            }
            totals.push(times.iter().sum());
            cpu.push(spent);
            done(index);
        }
        let steps = STEPS.iter().zip(steps).map(|((step, _), times)| Step {
            step,
            spread: Spread::of(times),
        });
        Ok(Ticks {
            preset: self.model.name().to_owned(),
            ticks,
            held: self.held,
            steps: steps.collect(),
            total: Spread::of(totals),
            total_cpu_ms: Spread::of(cpu).median_ms,
        })
    }
}

/// Wall time from one step to the next.
struct Laps {
    last: Clock,
    step: usize,
    times: [Duration; STEPS.len()],
}

impl Laps {
    fn new() -> Laps {
        Laps {
            last: Clock::now(),
            step: 0,
            times: [Duration::ZERO; STEPS.len()],
        }
    }

    /// The step has ended, the next one begins.
    fn next(&mut self) {
        let now = Clock::now();
        if let Some(time) = self.times.get_mut(self.step) {
            *time = now.duration_since(self.last);
        }
        (self.last, self.step) = (now, self.step + 1);
    }
}

/// The shipped chain as it could have been recorded at `time`: a line per option (see [`recorded_chain`]), with forwards that are all moved by
/// the same part, another one at each tick.
fn recording(snapshot: &Snapshot, time: Instant, index: usize) -> String {
    let day: String = time.to_string().chars().take(10).collect();
    let steps = (index as i64 * 37) % (2 * LARGEST_MOVE + 1) - LARGEST_MOVE;
    let moved = Decimal::ONE + Decimal::new(steps, 4);
    let mut text = String::from("date,currency,instrument,expiry,strike,type,open_interest,mark_iv,underlying_usd\n");
    for (underlying, market) in &snapshot.underlyings {
        for (&expiry, options) in &market.expiries {
            let forward = (options.forward * moved).round_dp(2).normalize();
            for (&strike, listed) in &options.strikes {
                let percent = (listed.volatility * Decimal::ONE_HUNDRED).normalize();
                let rights = [(Right::Call, "call", listed.call), (Right::Put, "put", listed.put)];
                for (right, word, quote) in rights {
                    let Some(quote) = quote else { continue };
                    let symbol = Symbol {
                        underlying: underlying.clone(),
                        quoted_in: None,
                        kind: Kind::Option { expiry, strike, right },
                    };
                    let (date, interest) = (date_text(expiry), quote.open_interest.unwrap_or_default());
                    // Writing to a `String` cannot fail.
                    let _ = writeln!(
                        text,
                        "{day},{underlying},{symbol},{date},{strike},{word},{interest},{percent},{forward}"
                    );
                }
            }
        }
    }
    text
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn recording_of_the_shipped_chain_at_its_own_prices_is_imported_as_the_shipped_snapshot() {
        let shipped = Chain::shipped().unwrap().snapshot;
        // 37 · 15 = 555 = 50 modulo 101: prices move by nothing.
        let text = recording(&shipped, shipped.instant, 15);
        let source = Source {
            source: shipped.provenance.source.clone(),
            licence: shipped.provenance.licence.clone(),
        };
        let imported = recorded_chain::import(&text, shipped.instant, DEFAULT_MIN_TENOR_MS, &source).unwrap();
        assert_eq!(imported.snapshot, shipped);
    }

    #[test]
    fn a_tick_moves_prices_and_ends_with_a_verdict_on_them() {
        let desk = Desk::new("paradex-pm", None).unwrap();
        let (first, times, _) = desk.tick(1).unwrap();
        let (second, _, _) = desk.tick(2).unwrap();
        assert!(times.iter().all(|time| *time > Duration::ZERO));
        assert_ne!(first.snapshot, second.snapshot);
        assert_eq!(second.snapshot_instant.millis_since(first.snapshot_instant), TICK_MS);
        assert_eq!(second.model, "paradex-pm");
    }

    #[test]
    fn few_ticks_have_no_99th_percentile() {
        let spread = |count: u64| Spread::of((1..=count).map(Duration::from_millis).collect());
        assert_eq!(
            (spread(200).median_ms, spread(200).p99_ms, spread(200).worst_ms),
            (100.0, Some(198.0), 200.0)
        );
        assert_eq!((spread(99).median_ms, spread(99).p99_ms), (50.0, None));
    }
}
