//! A small world with everything in it: two venues, a market with every field of a snapshot, a policy that asks for exactly what is proven,
//! and a bundle with a proof. All keys are known, so that a test may sign as anybody.

use std::sync::LazyLock;

use serde_json::{Value, json};
use zkmargin_circuits::{Blind, Opening, PROTOCOL_VERSION, Parameters, commit, prove};
use zkmargin_risk::canonical::Digest;
use zkmargin_risk::history::History;
use zkmargin_risk::instant::Instant;
use zkmargin_risk::market::Snapshot;
use zkmargin_risk::model::Model;
use zkmargin_risk::terms::{Deposit, Level, Margin, Order, Ratio20, Terms};
use zkmargin_risk::universe::{Network, Universe};
use zkmargin_verifier::attestation::{Attestation, PseudonymSecret};
use zkmargin_verifier::book::Book;
use zkmargin_verifier::breaker::{Breaker, Reference, Sight};
use zkmargin_verifier::{
    Bundle, Context, Partner, Policy, ProofHash, PublicKey, SignedStatement, SigningKey, SnapshotSignature, Statement,
    SubjectSignature, Verdict, Verifier, VerifyError, Window,
};

/// Instant of the snapshot, and the epoch.
const EPOCH: &str = "2026-08-06T12:00:00Z";
/// The nonce that the partner drew.
pub const NONCE: [u8; 32] = [7; 32];

/// The facts, the policy and the bundle.
#[derive(Debug)]
pub struct Small {
    /// As a file.
    pub universe_file: Value,
    /// As a file.
    pub snapshot_file: Value,
    /// As a file.
    pub later_file: Option<Value>,
    /// As a file.
    pub model_file: Value,
    /// As a file.
    pub history_file: Option<Value>,
    /// As a file.
    pub policy_file: Value,
    /// The universe.
    pub universe: Universe,
    /// The snapshot.
    pub snapshot: Snapshot,
    /// The later one, where it is of variation.
    pub later: Option<Snapshot>,
    /// The model, with its price history if it needs one.
    pub model: Model,
    /// The parameters.
    pub parameters: Parameters,
    /// What the partner accepts.
    pub policy: Policy,
    /// The partner's own prices.
    pub reference: Reference,
    /// What both accounts hold together, in lots.
    pub legs: Vec<u64>,
    /// Both publishers' signatures on every snapshot.
    pub published: Vec<SnapshotSignature>,
    /// A bundle that the policy accepts.
    pub bundle: Bundle,
}

/// The one small world of a process, of maintenance margin after an order; making it takes one proof.
pub static SMALL: LazyLock<Small> = LazyLock::new(|| Small::new(Level::Maintenance.into(), preset("paradex-pm"), None));

/// The same of variation, with a later snapshot.
pub static VARIATION: LazyLock<Small> = LazyLock::new(|| Small::new(Margin::Variation, preset("paradex-pm"), None));

/// The same of initial margin, under a model that reads a price history.
pub static HISTORICAL: LazyLock<Small> = LazyLock::new(|| {
    let file = history_file();
    let history = History::from_json(&file.to_string()).expect("a history");
    let model = Model::from_json(&historical_model_file(history.digest()).to_string()).expect("a model");
    Small::new(
        Level::Initial.into(),
        model.with_history(history).expect("its history"),
        Some(file),
    )
});

fn preset(name: &str) -> Model {
    Model::preset(name).expect("a preset")
}

/// The signing key of a name.
pub fn key(name: &str) -> SigningKey {
    let mut seed = [0; 32];
    seed[..name.len()].copy_from_slice(name.as_bytes());
    SigningKey::from_bytes(&seed)
}

/// Its public half.
pub fn public(name: &str) -> PublicKey {
    PublicKey::of(&key(name))
}

/// The instant of verification.
pub fn now() -> Instant {
    instant("2026-08-06T12:01:00Z")
}

fn instant(text: &str) -> Instant {
    text.parse().expect("an instant")
}

fn quote() -> Value {
    json!({ "open_interest": "120", "bid": "0.01", "ask": "0.02", "volume": "5", "mark": "0.015" })
}

fn universe_file() -> Value {
    let keys = |name: &str| json!([public(name).to_string(), public(&format!("{name} second")).to_string()]);
    let dollars = json!({ "asset": { "name": "USDC", "lot": "0.01", "carry": true, "reserve": true } });
    let coins = json!({ "asset": { "name": "BTC", "lot": "0.00001", "carry": true, "reserve": false } });
    let instrument = |name: &str, kind: Value, lot: &str| {
        json!({ "instrument": {
            "name": name, "underlying": "BTC", "kind": kind, "style": "linear", "settlement": "USDC", "contract": "1", "lot": lot,
        } })
    };
    let option = |strike: &str, right: &str| json!({ "option": { "expiry": "2026-08-28T08:00:00Z", "strike": strike, "right": right } });
    // No model of options margins it: it is proven that nobody holds any.
    let sensitivity = json!({ "sensitivity": {
        "risk_type": "Risk_IRCurve", "qualifier": "USD", "bucket": "1", "label1": "2w", "label2": "Libor3m",
    } });
    json!({ "network": "test", "k": 6, "venues": [
        { "name": "options", "keys": keys("options"), "lines": [
            dollars, instrument("BTC-28AUG26-70000-C", option("70000", "call"), "0.1"),
            instrument("BTC-28AUG26-60000-P", option("60000", "put"), "0.1"), instrument("USD-2W", sensitivity, "1"),
        ] },
        { "name": "perps", "keys": keys("perps"), "lines": [
            dollars, coins, instrument("BTC-PERP", json!("perpetual"), "0.01"),
            instrument("BTC-25SEP26", json!({ "future": { "expiry": "2026-09-25T08:00:00Z" } }), "0.01"),
        ] },
    ] })
}

fn snapshot_file() -> Value {
    json!({
        "instant": EPOCH,
        "provenance": {
            "source": "made up", "licence": "CC0-1.0", "importer": "none", "recorded": ["nothing"], "derived": ["nothing"],
            "assumed": ["every figure"], "warnings": 1,
        },
        "assets": { "USDC": "1" },
        "confidences": { "USDC": "0.99" },
        "underlyings": {
            "BTC": {
                "index": "65000", "confidence": "0.98", "rate": "0.01",
                "perpetual": { "price": "65010", "funding": "0.0001", "confidence": "0.97", "quote": quote() },
                "futures": { "2026-09-25T08:00:00Z": { "price": "65300", "quote": quote() } },
                "expiries": { "2026-08-28T08:00:00Z": {
                    "forward": "65200", "rate": "0.02", "settled": "0", "confidence": "0.96",
                    "strikes": {
                        "60000": { "volatility": "0.5", "call": {}, "put": quote() },
                        "70000": { "volatility": "0.45", "call": quote(), "put": {} },
                    },
                } },
                "deliveries": { "2026-07-31T08:00:00Z": "64000" },
            },
        },
    })
}

/// The market half a minute later.
fn later_file() -> Value {
    let mut file = snapshot_file();
    file["instant"] = json!("2026-08-06T12:00:30Z");
    let market = &mut file["underlyings"]["BTC"];
    market["index"] = json!("64990");
    market["perpetual"]["price"] = json!("64995");
    file
}

fn history_file() -> Value {
    let day = |close: &str, index: &str| json!({ "BTC": { "close": close, "volatility_index": index } });
    json!({
        "provenance": {
            "source": "made up", "licence": "CC0-1.0", "importer": "none", "recorded": ["nothing"], "derived": ["nothing"],
            "assumed": ["every figure"],
        },
        "days": {
            "2026-08-02": { "BTC": { "close": "63000" } },
            "2026-08-03": day("64000", "40"),
            "2026-08-04": day("61000", "52.5"),
            "2026-08-05": day("66000", "45"),
            "2026-08-06": day("65000", "46"),
        },
    })
}

/// Historical simulation with every field that one can have at a time; options need a volatility index on every day that it uses.
fn historical_model_file(history: Digest) -> Value {
    let model = preset("hs-var").to_json().expect("JSON");
    let mut file: Value = serde_json::from_str(&model).expect("JSON");
    file["history"] = json!(history);
    file["window"] = json!({ "last": { "moves": 3, "until": "2026-08-06" } });
    file["procyclicality"] = json!({ "stressed": {
        "weight": "0.25", "window": { "between": { "first": "2026-08-04", "last": "2026-08-05" } },
    } });
    file["filter"] = json!({ "decay": "0.97", "least": "0.5", "most": "2" });
    file["span"] = json!("1000000");
    file["assets"] = json!({
        "USDC": { "haircut": "0" },
        "BTC": {
            "haircut": "0.05", "tiers": [{ "above": "10", "haircut": "0.1" }], "debt_weight": "1.5", "cap": "100", "underlying": "BTC",
        },
    });
    file["underlyings"] = json!({ "BTC": { "series": "BTC" } });
    file
}

/// Asks for exactly what the bundle says, so that whatever asks for more is refused.
fn policy_file(universe: &Universe, model: &Model, terms: &Terms) -> Value {
    let from_until = |name: &str| {
        json!({
            "key": public(name).to_string(), "from": "2026-08-06T12:00:10Z", "until": "2026-08-06T12:00:10Z", "revoked": "2026-08-06T12:01:00.001Z",
        })
    };
    json!({
        "network": "test",
        "audience": public("partner").to_string(),
        "books": ["line-1"],
        "universes": [universe.digest().to_string()],
        "venues": { "options": [from_until("options")], "perps": [from_until("perps")] },
        "required_venues": ["options", "perps"],
        "subject_groups": [[public("trader").to_string(), public("second trader").to_string()]],
        "all_accounts": false,
        "held": true,
        "hypothetical_orders": terms.order.is_some(),
        "hypothetical_deposits": true,
        "models": [model.digest().to_string()],
        "snapshots": { "signed_by": 2, "of": [public("publisher").to_string(), public("second publisher").to_string()] },
        "level": terms.margin.to_string(),
        "ratio": terms.ratio.to_string(),
        "excess": terms.excess.to_string(),
        "max_snapshot_age": "60s",
        "max_validity": "60m",
        "max_attestation_age": "50s",
        "nonce": "required",
        "breaker": breaker_limits(),
        "calls": { "notice": "5m", "grace": "2m" },
    })
}

/// Basis points.
fn breaker_limits() -> Value {
    let steps = |cautious: [u32; 2], halted: [u32; 2]| {
        let step = |[enter, leave]: [u32; 2]| json!({ "enter": enter, "leave": leave });
        json!({ "cautious": step(cautious), "halted": step(halted) })
    };
    json!({
        "dwell": "10m", "silence": "5m", "max_reference_age": "1m", "publisher_band": 30,
        "index_dispersion": steps([150, 75], [400, 200]), "asset_jump": steps([50, 25], [200, 100]),
        "underlyings": { "BTC": {
            "reference": steps([50, 25], [200, 100]), "price_jump": steps([100, 50], [300, 150]),
            "volatility": {
                "jump": steps([500, 250], [2000, 1000]), "dispersion": steps([800, 400], [3000, 1500]),
                "least": steps([2500, 3000], [1500, 2000]),
            },
        } },
        "cautious": { "renewals_only": true, "ratio": "1.5" },
    })
}

/// Lots of the accounts, by venue, with a blind each.
fn books(universe: &Universe) -> Vec<(Vec<u64>, Blind)> {
    let rows = universe.layout().rows();
    (0..universe.venues().len())
        .map(|venue| {
            let mut lots = vec![0; rows];
            // Half a million dollars at either venue: whatever else, the margin is met.
            lots[0] = 50_000_000;
            // Long the first instrument, behind the five legs of USDC and the four of BTC.
            lots[5 + 4 * venue] = 3;
            (lots, Blind::random().expect("randomness"))
        })
        .collect()
}

impl Small {
    fn new(margin: Margin, model: Model, history_file: Option<Value>) -> Small {
        let (universe_file, snapshot_file) = (universe_file(), snapshot_file());
        let later_file = (margin.snapshots() > 1).then(later_file);
        let universe = Universe::from_json(&universe_file.to_string()).expect("a universe");
        let snapshot_of = |file: &Value| Snapshot::from_json(&file.to_string()).expect("a snapshot");
        let (snapshot, later) = (snapshot_of(&snapshot_file), later_file.as_ref().map(snapshot_of));
        let model_file = serde_json::from_str(&model.to_json().expect("JSON")).expect("JSON");
        // An order has no variation.
        let order = (margin != Margin::Variation).then_some("buy 0.1 perps:BTC-PERP @ 65010 fee 3");
        let terms = Terms {
            margin,
            ratio: Ratio20::new(21).expect("a ratio"),
            excess: 1000,
            order: order.map(|text| Order::parse(text, &universe).expect("an order")),
            deposit: Some(Deposit::parse("2.5 options:USDC", &universe).expect("a deposit")),
        };
        let policy_file = policy_file(&universe, &model, &terms);
        let policy = Policy::from_json(policy_file.to_string().as_bytes()).expect("a policy");
        let reference = json!({ "instant": EPOCH, "indices": { "BTC": "65000" } });
        let reference = Reference::from_json(reference.to_string().as_bytes()).expect("a reference");
        let parameters = Parameters::load(universe.k(), None).expect("supported");

        let books = books(&universe);
        let subjects = ["trader", "second trader"];
        let attestations = universe.venues().iter().zip(&books).zip(subjects);
        let attestations = attestations.map(|((venue, (lots, blind)), subject)| {
            let content = Attestation {
                protocol: PROTOCOL_VERSION,
                network: Network::Test,
                universe: universe.digest(),
                k: universe.k(),
                venue: venue.name.clone(),
                subject: public(subject),
                account: PseudonymSecret::from_bytes([9; 32]).pseudonym("account", &public("partner")),
                accounts: 1,
                epoch: instant(EPOCH),
                time: instant("2026-08-06T12:00:10Z"),
                expiry: instant("2026-08-06T13:00:00Z"),
                audience: public("partner"),
                book: Book::new("line-1").expect("a book"),
                held: true,
                points: vec![commit(&parameters, lots, blind).expect("a commitment")],
            };
            content.sign(&key(&venue.name))
        });
        let statement = Statement {
            terms,
            audience: public("partner"),
            book: Book::new("line-1").expect("a book"),
            nonce: NONCE,
            window: Window {
                from: now(),
                until: instant("2026-08-06T13:00:00Z"),
            },
            replaces: Some(Digest([6; 32])),
            attestations: attestations.collect(),
        };
        let context = Context {
            universe: &universe,
            snapshot: &snapshot,
            later: later.as_ref(),
            model: &model,
            parameters: &parameters,
        };
        let prepared = context.prepare(&[&statement]).expect("a program").remove(0);
        let legs: Vec<u64> = books.iter().flat_map(|(lots, _)| lots.clone()).collect();
        let opening = Opening::new(legs.clone(), books.iter().map(|(_, blind)| blind.clone()).collect());
        let proof = prove(&parameters, &[prepared.claim()], &[opening]).expect("a proof");
        let published = [Some(&snapshot), later.as_ref()].into_iter().flatten();
        let published = published.flat_map(|snapshot| {
            ["publisher", "second publisher"]
                .map(|name| SnapshotSignature::sign(&key(name), Network::Test, snapshot.digest()))
        });
        let published = published.collect();
        let bundle = signed(&context, vec![statement], proof).expect("all of one subject");
        Small {
            universe_file,
            snapshot_file,
            later_file,
            model_file,
            history_file,
            policy_file,
            universe,
            snapshot,
            later,
            model,
            parameters,
            policy,
            reference,
            legs,
            published,
            bundle,
        }
    }

    /// The facts, as a verifier has them.
    pub fn context(&self) -> Context<'_> {
        Context {
            universe: &self.universe,
            snapshot: &self.snapshot,
            later: self.later.as_ref(),
            model: &self.model,
            parameters: &self.parameters,
        }
    }

    /// What the partner's circuit breaker saw of the last snapshot, if the policy has one and lets it see.
    pub fn breaker(&self, policy: &Policy) -> Option<Breaker> {
        let sight = Sight {
            snapshots: std::slice::from_ref(self.later.as_ref().unwrap_or(&self.snapshot)),
            signatures: &self.published,
            reference: &self.reference,
            at: now(),
        };
        Breaker::begin(policy, &sight).ok()
    }

    /// The verdict of a partner with this policy on a bundle.
    ///
    /// # Errors
    /// [`VerifyError`].
    pub fn verdict(&self, policy: &Policy, bundle: &[u8]) -> Result<Verdict, VerifyError> {
        let breaker = self.breaker(policy);
        let partner = Partner::new(policy, Some(NONCE)).expect("the policy was read");
        let partner = partner.with_signatures(&self.published).with_breaker(breaker.as_ref());
        Verifier::new(self.context()).verify(&partner, bundle, now())
    }
}

/// Statements and a proof, signed by every subject whose key is one of this world's; `None` where facts and statements give no program.
pub fn signed(context: &Context<'_>, statements: Vec<Statement>, proof: Vec<u8>) -> Option<Bundle> {
    let prepared = context.prepare(&statements.iter().collect::<Vec<_>>()).ok()?;
    let hash = ProofHash::of(&proof);
    let keys = ["trader", "second trader"].map(|name| (public(name), key(name)));
    let statements = statements.into_iter().zip(prepared).map(|(statement, prepared)| {
        let subjects = statement.subjects();
        let own = subjects
            .iter()
            .filter_map(|subject| keys.iter().find(|(public, _)| public == subject));
        let signatures = own
            .map(|(_, key)| SubjectSignature::sign(key, prepared.digest, hash))
            .collect();
        SignedStatement { statement, signatures }
    });
    Some(Bundle {
        statements: statements.collect(),
        proof,
    })
}
