//! `Debug` of what is secret: of two that differ in nothing else, it says the same.
#![cfg(all(unix, feature = "ledger"))]

use std::collections::BTreeMap;

use num_rational::BigRational;
use serde_json::{Value, json};
use zkmargin_circuits::{self as circuits, Blind, Parameters, RunningCommitment};
use zkmargin_ledger::fill::Fills;
use zkmargin_ledger::keys::{KeyFile, Role};
use zkmargin_ledger::ledger::{Attested, Entries, EntryFormat, EntryRow, Holding};
use zkmargin_ledger::running::{Head, RunningAccount};
use zkmargin_program::Witness;
use zkmargin_prover::margin::Provable;
use zkmargin_prover::prove::{Account, Draft, ProveError, Prover};
use zkmargin_risk::account::{AccountFile, AccountVector};
use zkmargin_risk::case::{Case, CaseFile};
use zkmargin_risk::market::Snapshot;
use zkmargin_risk::model::Model;
use zkmargin_risk::oracle::{Check, IsolatedVariation, Picture, Variation};
use zkmargin_risk::report::hedge::{Hedge, Search};
use zkmargin_risk::report::{ByModel, Report};
use zkmargin_risk::terms::{Level, Order, Terms};
use zkmargin_risk::universe::Universe;
use zkmargin_verifier::{Context, Opening, SignedAttestation, Window, load};

use crate::desk::{AT, EXPIRES, desk, example};
use crate::secrets::Secret;

/// What `Debug` says of each, with its name.
macro_rules! said {
    ($($secret:expr),* $(,)?) => { vec![$((stringify!($secret), format!("{:?}", $secret))),*] };
}

/// Two books: an instrument, and so many contracts of it, and coins.
const BOOKS: [(&str, u32); 2] = [("BTC-28AUG26-70000-C", 271), ("BTC-28AUG26-68000-C", 314)];

/// `Debug` of everything that is made of a book does not tell which of the two it was.
#[track_caller]
fn tells_no_two_apart(of_book: impl Fn(&str, u32) -> Vec<(&'static str, String)>) {
    let [first, second] = BOOKS.map(|(instrument, amount)| of_book(instrument, amount));
    assert!(!first.is_empty());
    assert_eq!(first, second);
}

/// The desk's facts.
struct Facts {
    universe: Universe,
    snapshot: Snapshot,
    model: Model,
    parameters: Parameters,
}

impl Facts {
    fn new(model: &str) -> Facts {
        let universe = load::universe(&desk().path().join("universe.json")).unwrap();
        Facts {
            snapshot: load::snapshot(&desk().path().join("snapshot.json")).unwrap(),
            model: Model::preset(model).unwrap(),
            parameters: Parameters::load(universe.k(), None).unwrap(),
            universe,
        }
    }
}

fn account(instrument: &str, amount: u32) -> AccountFile {
    let amount = amount.to_string();
    serde_json::from_value(json!({ "venue": "optionhouse",
        "positions": [{ "instrument": instrument, "contracts": amount }],
        "balances": [{ "asset": "BTC", "amount": amount }] }))
    .unwrap()
}

#[test]
fn debug_of_what_opens_a_commitment_tells_no_two_apart() {
    let facts = Facts::new("paradex-pm");
    let attested = Opening::from_bytes(&std::fs::read(desk().path().join("options.opening")).unwrap()).unwrap();
    tells_no_two_apart(|instrument, amount| {
        let file = account(instrument, amount);
        let vector = AccountVector::from_file(&file, &facts.universe).unwrap();
        let running = RunningAccount::open(&facts.universe, &facts.parameters, &vector).unwrap();
        let state = running.to_bytes();
        let blind = Blind::random().unwrap();
        let mut opening = attested.clone();
        opening.columns[0].lots[0] = amount.into();
        opening.columns[0].blind = blind.clone();
        said![
            file,
            file.positions[0],
            file.balances[0],
            vector,
            running,
            Head::read(&state).unwrap(),
            RunningCommitment::new(&facts.parameters, &[&[amount.into()]]).unwrap(),
            blind,
            opening,
            opening.columns[0],
            circuits::Opening::new(vec![amount.into()], vec![blind.clone()]),
            Witness::from_values(vec![amount.into()]),
        ]
    });
}

#[test]
fn debug_of_what_a_venue_records_tells_no_two_apart() {
    let read = |name: &str| std::fs::read(desk().path().join(name)).unwrap();
    let attestation = SignedAttestation::from_bytes(&read("options.attestation")).unwrap();
    let opening = Opening::from_bytes(&read("options.opening")).unwrap();
    tells_no_two_apart(|instrument, amount| {
        let attested = Attested {
            attestation: attestation.clone(),
            opening: opening.clone(),
            is_again: false,
            expired: vec![(instrument.to_owned(), AT.parse().unwrap())],
        };
        let fills = json!({ "venue": "optionhouse",
            "fills": [{ "instrument": instrument, "contracts": amount.to_string(), "price": "0.01", "fee": "0" }],
            "transfers": [{ "asset": "BTC", "amount": amount.to_string() }] });
        let fills = Fills::from_json(fills.to_string().as_bytes()).unwrap();
        let row = json!({ "id": "d", "account": "acc", "time": AT, "asset": "USDC", "amount": amount.to_string() });
        let entries = Entries::read(row.to_string().as_bytes(), EntryFormat::JsonLines).unwrap();
        let holding = Holding {
            name: instrument.to_owned(),
            what: "position",
            amount: amount.into(),
        };
        said![
            fills,
            fills.fills[0],
            fills.transfers[0],
            serde_json::from_value::<EntryRow>(row).unwrap(),
            entries,
            entries.0[0],
            holding,
            attested,
        ]
    });
}

/// A case whose one account has so many coins of money, and contracts of an option.
fn case(amount: u32) -> CaseFile {
    let case = std::fs::read_to_string(example("cases/short-call.json")).unwrap();
    let mut case: Value = serde_json::from_str(&case).unwrap();
    case["accounts"][0]["positions"][1]["contracts"] = json!(amount.to_string());
    case["accounts"][0]["balances"][0]["amount"] = json!(amount.to_string());
    serde_json::from_value(case).unwrap()
}

#[test]
fn debug_of_a_case_tells_no_two_apart() {
    tells_no_two_apart(|_, amount| {
        let of_case = Case::new(case(amount)).unwrap();
        let outcome = of_case.run().unwrap();
        said![case(amount), of_case, outcome, outcome.initial, outcome.components[0],]
    });
}

#[test]
fn debug_of_what_a_holder_is_told_tells_no_two_apart() {
    tells_no_two_apart(|instrument, amount| {
        let file = case(amount);
        let Case {
            model,
            snapshot,
            universe,
            ..
        } = &Case::new(file.clone()).unwrap();
        let vector = AccountVector::from_file(&file.accounts[0], universe).unwrap();
        let terms = Terms::at(Level::Initial);
        let report = Report::new(model, universe, snapshot, &terms, vector.lots()).unwrap();
        let provable = Provable::new(model, universe, snapshot, &terms, vector.lots()).unwrap();
        let evaluation = report.evaluation.clone();
        let Picture::Grid(cells) = &evaluation.picture else {
            panic!("no grid");
        };
        let exposure = &evaluation.underlyings["BTC"];
        let figure = BigRational::from_integer(amount.into());
        let check = Check::Limit {
            name: "limit".to_owned(),
            unit: "USD",
            slack: figure.clone(),
        };
        let isolated = IsolatedVariation {
            venue: "optionhouse".to_owned(),
            instrument: instrument.to_owned(),
            cash: figure.clone(),
            loss: figure.clone(),
        };
        let variation = Variation {
            cash: figure.clone(),
            loss: figure.clone(),
            isolated: vec![isolated.clone()],
        };
        let hedge = Hedge {
            order: Order::parse(&format!("buy {amount} BTC-PERP @ 50000"), universe).unwrap(),
            notional: figure.clone(),
            cost: None,
            excess: figure,
        };
        let search = Search {
            criterion: None,
            hedges: vec![hedge.clone()],
            tried: 1,
            candidates: 1,
        };
        let by_model = ByModel {
            model: "paradex-pm".to_owned(),
            evaluation: evaluation.clone(),
            grids: BTreeMap::new(),
        };
        said![
            report,
            report.greeks[0],
            report.index_moves[0],
            provable,
            evaluation,
            evaluation.collateral[0],
            evaluation.components[0],
            evaluation.picture,
            cells[0],
            exposure,
            exposure.rows[0],
            evaluation.groups[0],
            check,
            isolated,
            variation,
            hedge,
            search,
            by_model,
        ]
    });
}

/// Why there is no proof of an attested account of the desk's under a model.
fn refused(model: &str, name: &str) -> ProveError {
    let facts = Facts::new(model);
    let read = |name: &str, end: &str| std::fs::read(desk().path().join(format!("{name}.{end}"))).unwrap();
    let account = Account {
        attestation: SignedAttestation::from_bytes(&read(name, "attestation")).unwrap(),
        opening: Opening::from_bytes(&read(name, "opening")).unwrap(),
    };
    let content = account.attestation.content();
    let draft = Draft {
        terms: Terms::at(Level::Maintenance),
        audience: content.audience,
        book: content.book.clone(),
        nonce: [0; 32],
        window: Window {
            from: AT.parse().unwrap(),
            until: EXPIRES.parse().unwrap(),
        },
        replaces: None,
        accounts: vec![account],
    };
    let context = Context {
        universe: &facts.universe,
        snapshot: &facts.snapshot,
        later: None,
        model: &facts.model,
        parameters: &facts.parameters,
    };
    let key = KeyFile::from_json(&read("trader", "key"), Role::Subject).unwrap();
    let keys = [key.signing().clone()];
    Prover::new(context, AT.parse().unwrap())
        .check(&[draft], &keys)
        .unwrap_err()
}

#[test]
fn refusal_for_want_of_margin_does_not_say_how_much() {
    let refused = ["options", "short"].map(|name| refused("paradex-pm", name));
    let said = refused.each_ref().map(|error| format!("{error} {error:?}"));
    assert_eq!(said[0], said[1]);
    let short = refused.map(|error| match error {
        ProveError::NotMet { shortfall, .. } => shortfall.reveal(),
        other => panic!("{other}"),
    });
    assert_ne!(short[0], short[1]);
}

#[test]
fn refusal_of_what_does_not_count_does_not_say_what_is_held() {
    let refused = ["options", "hedge"].map(|name| refused("simm-2.5", name));
    let said = refused.each_ref().map(|error| format!("{error} {error:?}"));
    assert_eq!(said[0], said[1]);
    let held = refused.map(|error| match error {
        ProveError::NotCounted { held, .. } => held.reveal(),
        other => panic!("{other}"),
    });
    assert_ne!(held[0], held[1]);
}

#[test]
fn debug_of_keys_shows_no_secret() {
    let key = KeyFile::generate(Role::Venue).unwrap();
    let pseudonym = key.pseudonym_secret().unwrap();
    let said = format!("{key:?} {:?} {pseudonym:?}", key.signing());
    assert!(said.contains(&key.public().to_string()), "{said}");
    for secret in [key.signing().as_bytes(), pseudonym.as_bytes()] {
        assert!(!Secret::bytes("key", secret).is_in(said.as_bytes()), "{said}");
    }
}
