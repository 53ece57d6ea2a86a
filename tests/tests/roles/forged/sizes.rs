//! Proofs of another circuit size, with the parameters of that size: the verifier's is that of its universe.

use zkmargin_circuits::Claim;
use zkmargin_risk::account::AccountVector;
use zkmargin_risk::listing::UniverseFile;
use zkmargin_risk::universe::Universe;
use zkmargin_tests::*;

use super::SOUND;
use crate::stage::STAGE;

/// A sound proof of the sound book, as it would be if the universe had this `k`, about the statement under the universe's own.
fn refused_at(k: u32) {
    let own = STAGE.universe();
    assert_ne!(own.k(), k);
    let file = UniverseFile { k, ..own.to_file() };
    let universe = Universe::from_file(&file).unwrap();
    let terms = &SOUND.statement.terms;
    let program = STAGE.model().compile(&universe, &STAGE.snapshot(), terms).unwrap();
    let mut lots = vec![0; universe.layout().slots()];
    for name in ["options-account.json", "hedge-account.json"] {
        let text = String::from_utf8(STAGE.read(name)).unwrap();
        let account = AccountVector::from_json(&text, &universe).unwrap();
        lots.iter_mut().zip(account.lots()).for_each(|(sum, lots)| *sum += lots);
    }
    let setup = Setup::new(k);
    let columns = lots.chunks(setup.legs()).map(scalars).collect();
    let account = Account::holding(&setup, lots, columns, 1);
    let plan = Plan::of(&program);
    let scene = account.scene(&setup, &plan, &program, &witness(&program, &account.lots));
    let digest = SOUND.prepared.digest.0;
    let proof = Forger::new(&setup, &plan, vec![digest]).prove(&[scene]).unwrap().proof;
    // A verifier that took size, parameters and points from the prover would accept it.
    let claim = Claim {
        statement: digest,
        ..account.claim(0, &program)
    };
    assert_eq!(Lenient::default().verify(&setup, &[claim], &proof), Verdict::Accepted);
    SOUND.refused_where_it_is_misread(&proof);
}

#[test]
fn bundle_is_refused_when_it_is_proven_with_a_smaller_circuit() {
    refused_at(SOUND.plan.k - 1);
}

#[test]
fn bundle_is_refused_when_it_is_proven_with_a_larger_circuit() {
    refused_at(SOUND.plan.k + 1);
}
