//! Every reader of bytes that somebody else wrote, by the name of its folder under `fuzz/corpus`, as the fuzzers and the tests call it.
//!
//! A reader may refuse. It may not panic, hang or take much memory, and what it accepts it writes again: binary files to the same bytes, JSON
//! files to a file that reads as the same thing.

use std::str::from_utf8;
use std::sync::LazyLock;

use zkmargin_circuits::Placement;
use zkmargin_ledger::fill::Fills;
use zkmargin_ledger::keys::KeyFile;
use zkmargin_ledger::ledger::{Entries, EntryFormat};
use zkmargin_ledger::running::RunningAccount;
use zkmargin_program::{LOTS_LIMIT, Program};
use zkmargin_risk::account::AccountVector;
use zkmargin_risk::case::Case;
use zkmargin_risk::history::History;
use zkmargin_risk::import::{Source, closes, deribit_api, deribit_recording, recorded_chain};
use zkmargin_risk::json;
use zkmargin_risk::market::Snapshot;
use zkmargin_risk::model::Model;
use zkmargin_risk::terms::{Deposit, Level, Order, Terms};
use zkmargin_risk::universe::{Network, Universe};
use zkmargin_risk::venue_file::VenueFile;
use zkmargin_verifier::breaker::{Breaker, Reference};
use zkmargin_verifier::release::{Release, SignedRelease};
use zkmargin_verifier::verify::Prepared;
use zkmargin_verifier::{Attestation, Bundle, Opening, Policy, SignedAttestation, SnapshotSignature, Verifier};

use crate::small::{SMALL, Small, now, signed};
use crate::tree::Tree;

const LEVELS: [Level; 2] = [Level::Initial, Level::Maintenance];
/// Most equations of a program that a witness is looked for.
const MAX_EQUATIONS: usize = 4096;

/// A reader.
#[derive(Copy, Clone, Debug)]
pub struct Reader {
    /// Its name.
    pub name: &'static str,
    /// Reads, and panics where a reader may not do what it did. Whether the bytes were accepted.
    pub read: fn(&[u8]) -> bool,
}

/// All of them.
pub const READERS: [Reader; 28] = [
    Reader {
        name: "account",
        read: account,
    },
    Reader {
        name: "attestation",
        read: attestation,
    },
    Reader {
        name: "attestation-payload",
        read: attestation_payload,
    },
    Reader {
        name: "bundle",
        read: bundle,
    },
    Reader {
        name: "bundle-edits",
        read: bundle_edits,
    },
    Reader {
        name: "case",
        read: case,
    },
    Reader {
        name: "closes",
        read: import_closes,
    },
    Reader {
        name: "deribit-api",
        read: import_deribit_api,
    },
    Reader {
        name: "deribit-recording",
        read: import_deribit_recording,
    },
    Reader {
        name: "fills",
        read: fills,
    },
    Reader {
        name: "history",
        read: history,
    },
    Reader {
        name: "journal",
        read: journal,
    },
    Reader { name: "key", read: key },
    Reader {
        name: "ledger-csv",
        read: ledger_csv,
    },
    Reader {
        name: "ledger-json",
        read: ledger_json,
    },
    Reader {
        name: "model",
        read: model,
    },
    Reader {
        name: "opening",
        read: opening,
    },
    Reader {
        name: "order",
        read: order,
    },
    Reader {
        name: "policy",
        read: policy,
    },
    Reader {
        name: "proof-edits",
        read: proof_edits,
    },
    Reader {
        name: "recorded-chain",
        read: import_recorded_chain,
    },
    Reader {
        name: "reference",
        read: reference,
    },
    Reader {
        name: "release",
        read: release,
    },
    Reader {
        name: "running",
        read: running,
    },
    Reader {
        name: "snapshot",
        read: snapshot,
    },
    Reader {
        name: "snapshot-signature",
        read: snapshot_signature,
    },
    Reader {
        name: "universe",
        read: universe,
    },
    Reader {
        name: "venue",
        read: venue,
    },
];

/// The reader of this name.
pub fn reader(name: &str) -> Option<&'static Reader> {
    READERS.iter().find(|reader| reader.name == name)
}

// --- binary files

fn attestation(bytes: &[u8]) -> bool {
    let Ok(read) = SignedAttestation::from_bytes(bytes) else {
        return false;
    };
    assert_eq!(read.to_bytes(), bytes);
    let _ = read.verify();
    true
}

fn attestation_payload(bytes: &[u8]) -> bool {
    let Ok(read) = Attestation::from_payload(bytes) else {
        return false;
    };
    assert_eq!(read.to_payload(), bytes);
    true
}

/// A bundle that was made when the corpus was.
const HONEST: &[u8] = include_bytes!("../../fuzz/corpus/bundle/small");

fn bundle(bytes: &[u8]) -> bool {
    let Ok(read) = Bundle::from_bytes(bytes) else {
        return false;
    };
    assert_eq!(read.to_bytes(), bytes);
    let verdict = SMALL.verdict(&SMALL.policy, bytes);
    assert!(verdict.is_ok() || read != SMALL.bundle, "{:?}", verdict.err());
    // That of the corpus has other blinds and the same signers.
    assert!(verdict.is_err() || read == SMALL.bundle || bytes == HONEST);
    true
}

/// The honest bundle with edits, signed again by the traders: every two bytes choose a mutant of what the ones before them chose, up to four.
fn bundle_edits(bytes: &[u8]) -> bool {
    let mut tree = Tree::of_cbor(&SMALL.bundle.to_bytes());
    for choice in bytes.chunks_exact(2).take(4) {
        let choice = usize::from(u16::from_le_bytes([choice[0], choice[1]]));
        let mut mutants = tree.mutants();
        tree = mutants.swap_remove(choice % mutants.len()).tree;
    }
    let Ok(read) = Bundle::from_bytes(&tree.to_cbor()) else {
        return false;
    };
    let statements = read.statements.into_iter().map(|signed| signed.statement);
    let Some(again) = signed(&SMALL.context(), statements.collect(), read.proof) else {
        return false;
    };
    let is_honest = again == SMALL.bundle;
    let verdict = Verifier::new(SMALL.context()).check_bundle(&again.to_bytes(), now());
    assert_eq!(verdict.is_ok(), is_honest, "{:?}", verdict.err());
    is_honest
}

/// The honest proof with edits: every four bytes put a byte somewhere, or cut there, or repeat 32 bytes there.
fn proof_edits(bytes: &[u8]) -> bool {
    static PREPARED: LazyLock<Prepared> = LazyLock::new(|| {
        let statement = &SMALL.bundle.statements[0].statement;
        SMALL.context().prepare(&[statement]).expect("a program").remove(0)
    });
    let honest = &SMALL.bundle.proof;
    let mut proof = honest.clone();
    for edit in bytes.chunks_exact(4) {
        let at = usize::from(u16::from_le_bytes([edit[0], edit[1]])) % (proof.len() + 1);
        match edit[2] {
            0 => proof.truncate(at),
            1 => {
                let element: Vec<u8> = proof[at..].iter().copied().take(32).collect();
                proof.splice(at..at, element);
            }
            2 if at < proof.len() => proof[at] = edit[3],
            _ => proof.insert(at, edit[3]),
        }
        proof.truncate(1 << 14);
    }
    let is_honest = proof == *honest;
    let verdict = zkmargin_circuits::verify(&SMALL.parameters, &[PREPARED.claim()], &proof);
    assert_eq!(verdict.is_ok(), is_honest, "{verdict:?}");
    is_honest
}

fn opening(bytes: &[u8]) -> bool {
    let Ok(read) = Opening::from_bytes(bytes) else {
        return false;
    };
    assert_eq!(read.to_bytes()[..], *bytes);
    // The blinds of this world were drawn when the process began.
    let attested = SMALL.bundle.statements[0].statement.attestations[0].content();
    assert!(
        read.check(&SMALL.parameters, attested).is_err(),
        "an opening that nobody knows"
    );
    true
}

fn release(bytes: &[u8]) -> bool {
    if let Ok(read) = Release::from_payload(bytes) {
        assert_eq!(read.to_payload(), bytes);
    }
    let Ok(read) = SignedRelease::from_bytes(bytes) else {
        return false;
    };
    assert_eq!(read.to_bytes(), bytes);
    true
}

fn running(bytes: &[u8]) -> bool {
    let Ok(read) = RunningAccount::from_bytes(bytes, &SMALL.universe, &SMALL.parameters) else {
        return false;
    };
    assert_eq!(read.to_bytes()[..], *bytes);
    true
}

fn snapshot_signature(bytes: &[u8]) -> bool {
    let Ok(read) = SnapshotSignature::from_bytes(bytes) else {
        return false;
    };
    assert_eq!(read.to_bytes(), bytes);
    true
}

// --- JSON files

fn account(bytes: &[u8]) -> bool {
    let Ok(text) = from_utf8(bytes) else { return false };
    let Ok(read) = AccountVector::from_json(text, &SMALL.universe) else {
        return false;
    };
    assert!(
        read.lots().iter().all(|lots| *lots < LOTS_LIMIT),
        "lots beyond their range"
    );
    true
}

fn order(bytes: &[u8]) -> bool {
    let Ok(text) = from_utf8(bytes) else { return false };
    let (order, deposit) = (
        Order::parse(text, &SMALL.universe),
        Deposit::parse(text, &SMALL.universe),
    );
    let is_one = order.is_ok() || deposit.is_ok();
    let terms = Terms {
        order: order.ok(),
        deposit: deposit.ok(),
        ..Terms::at(Level::Initial)
    };
    if let Ok(amounts) = terms.public_amounts(&SMALL.universe) {
        assert!(
            amounts.iter().all(|(_, lots)| *lots < LOTS_LIMIT),
            "lots beyond their range"
        );
    }
    is_one
}

fn fills(bytes: &[u8]) -> bool {
    let Ok(read) = Fills::from_json(bytes) else {
        return false;
    };
    let Small {
        universe, parameters, ..
    } = &*SMALL;
    let lots = vec![0; universe.layout().slots()];
    let account = AccountVector::from_lots(universe, 0, lots).expect("an empty account");
    let mut account = RunningAccount::open(universe, parameters, &account).expect("an empty account");
    let is_applied = read.apply(universe, parameters, &mut account).is_ok();
    is_applied && running(&account.to_bytes())
}

fn history(bytes: &[u8]) -> bool {
    let Ok(text) = from_utf8(bytes) else { return false };
    let Ok(read) = History::from_json(text) else {
        return false;
    };
    let again = History::from_json(&read.to_json().expect("JSON")).expect("a history");
    assert_eq!(again.digest(), read.digest());
    true
}

fn journal(bytes: &[u8]) -> bool {
    let Ok(read) = json::from_slice::<Breaker>(bytes) else {
        return false;
    };
    let again = serde_json::to_vec(&read).expect("JSON");
    assert_eq!(json::from_slice::<Breaker>(&again).expect("a breaker"), read);
    true
}

fn key(bytes: &[u8]) -> bool {
    let Ok(read) = KeyFile::of_any_role(bytes) else {
        return false;
    };
    let again = KeyFile::of_any_role(read.to_json().as_bytes()).expect("a key");
    assert_eq!(again.to_json(), read.to_json());
    true
}

/// A model's file on the small market, and a program of whatever it says.
fn model(bytes: &[u8]) -> bool {
    let Ok(text) = from_utf8(bytes) else { return false };
    let Ok(read) = Model::from_json(text) else { return false };
    let again = Model::from_json(&read.to_json().expect("JSON")).expect("a model");
    assert_eq!(again.digest(), read.digest());
    let _ = read.explain();
    for level in LEVELS {
        if let Ok(compiled) = read.compile(&SMALL.universe, &SMALL.snapshot, &Terms::at(level)) {
            program(&compiled, &SMALL.legs);
        }
    }
    true
}

/// A whole case: model, market, listing and book are hostile.
fn case(bytes: &[u8]) -> bool {
    let Ok(text) = from_utf8(bytes) else { return false };
    let Ok(read) = Case::from_json(text) else { return false };
    let _ = read.run();
    for level in LEVELS {
        if let Ok(compiled) = read.compile(level) {
            program(&compiled, read.legs());
        }
    }
    true
}

/// What a verifier and a prover make of a program: its shape and, if it is not large, a witness, which the equations must accept.
fn program(program: &Program, legs: &[u64]) {
    let Ok(placement) = Placement::new(program) else { return };
    let _ = program.check_no_wrap(&placement.ranges());
    if program.equations().len() <= MAX_EQUATIONS
        && let Ok(witness) = program.witness(legs)
    {
        program
            .check(legs, witness.values())
            .expect("a witness satisfies its program");
    }
}

fn policy(bytes: &[u8]) -> bool {
    let Ok(read) = Policy::from_json(bytes) else {
        return false;
    };
    let again = Policy::from_json(read.to_json().expect("JSON").as_bytes());
    assert_eq!(again.expect("a policy"), read);
    let _ = SMALL.verdict(&read, &SMALL.bundle.to_bytes());
    true
}

fn reference(bytes: &[u8]) -> bool {
    Reference::from_json(bytes).is_ok()
}

fn snapshot(bytes: &[u8]) -> bool {
    let Ok(text) = from_utf8(bytes) else { return false };
    let Ok(read) = Snapshot::from_json(text) else {
        return false;
    };
    let again = Snapshot::from_json(&read.to_json().expect("JSON")).expect("a snapshot");
    assert_eq!((again.digest(), &again), (read.digest(), &read));
    let terms = &SMALL.bundle.statements[0].statement.terms;
    if let Ok(compiled) = SMALL.model.compile(&SMALL.universe, &read, terms) {
        program(&compiled, &SMALL.legs);
    }
    true
}

fn universe(bytes: &[u8]) -> bool {
    let Ok(text) = from_utf8(bytes) else { return false };
    let Ok(read) = Universe::from_json(text) else {
        return false;
    };
    let again = Universe::from_json(&read.to_json().expect("JSON")).expect("a universe");
    assert_eq!(again.digest(), read.digest());
    if let Ok(compiled) = SMALL.model.compile(&read, &SMALL.snapshot, &Terms::at(Level::Initial)) {
        program(&compiled, &vec![0; read.layout().slots()]);
    }
    true
}

fn venue(bytes: &[u8]) -> bool {
    let Ok(text) = from_utf8(bytes) else { return false };
    let Ok(read) = VenueFile::from_json(text) else {
        return false;
    };
    let again = VenueFile::from_json(&read.to_json().expect("JSON")).expect("a venue");
    assert_eq!(again.to_json().expect("JSON"), read.to_json().expect("JSON"));
    let _ = Universe::build(Network::Test, None, &[read], &SMALL.snapshot);
    true
}

// --- what venues record

fn source() -> Source {
    Source {
        source: "somebody".to_owned(),
        licence: "CC0-1.0".to_owned(),
    }
}

/// What an importer makes is a file of ours.
fn imported(read: &Snapshot) -> bool {
    assert!(
        snapshot(read.to_json().expect("JSON").as_bytes()),
        "an imported snapshot is none"
    );
    true
}

/// Two files, one behind the other, with an empty line between.
fn import_closes(bytes: &[u8]) -> bool {
    let Ok(text) = from_utf8(bytes) else { return false };
    let (closes, indices) = text
        .split_once("\n\n")
        .map_or((text, None), |(closes, indices)| (closes, Some(indices)));
    let Ok(read) = closes::import(closes, indices, &source()) else {
        return false;
    };
    assert!(
        history(read.history.to_json().expect("JSON").as_bytes()),
        "an imported history is none"
    );
    true
}

/// Four answers, with an empty line between.
fn import_deribit_api(bytes: &[u8]) -> bool {
    let Ok(text) = from_utf8(bytes) else { return false };
    let mut parts = text.split("\n\n");
    let mut next = || parts.next().unwrap_or_default();
    let answers = deribit_api::Answers {
        instruments: next(),
        options: next(),
        futures: next(),
        perpetual: next(),
    };
    deribit_api::import(&[answers], 0, &source()).is_ok_and(|read| imported(&read.snapshot))
}

fn import_deribit_recording(bytes: &[u8]) -> bool {
    let Ok(text) = from_utf8(bytes) else { return false };
    deribit_recording::import(text, 0, &source()).is_ok_and(|read| imported(&read.snapshot))
}

fn import_recorded_chain(bytes: &[u8]) -> bool {
    let Ok(text) = from_utf8(bytes) else { return false };
    recorded_chain::import(text, SMALL.snapshot.instant, 0, &source()).is_ok_and(|read| imported(&read.snapshot))
}

fn ledger_csv(bytes: &[u8]) -> bool {
    Entries::read(bytes, EntryFormat::Csv).is_ok()
}

fn ledger_json(bytes: &[u8]) -> bool {
    Entries::read(bytes, EntryFormat::JsonLines).is_ok()
}
