//! Public amounts that are paid: an order whose price makes a book short, and one that is stated and not paid for.

use std::fs;
use std::sync::LazyLock;

use serde_json::{Value, json};
use zkmargin_circuits::Claim;
use zkmargin_risk::terms::Order;
use zkmargin_risk::universe::Asset;
use zkmargin_tests::*;

use super::{Book, CIRCUIT, GENERATORS, LINK, SOUND, accepted};
use crate::facts::refused;
use crate::stage::{STAGE, context, said};
use crate::tools::prove_supposing;

const CHEAP: &str = "buy 10 optionhouse:BTC-28AUG26-68000-C @ 0.01 fee 0.0003";
/// For nine coins, which the book does not have.
const DEAR: &str = "buy 10 optionhouse:BTC-28AUG26-68000-C @ 0.9 fee 0.0003";

/// The demonstration's policy, but that it takes orders: the name of its file.
static POLICY: LazyLock<String> = LazyLock::new(|| {
    let mut policy: Value = serde_json::from_slice(&STAGE.read("policy.json")).unwrap();
    policy["hypothetical_orders"] = json!(true);
    let name = "orders-policy.json";
    fs::write(STAGE.path(name), policy.to_string()).unwrap();
    name.to_owned()
});

/// The sound book, stated after an order.
fn after(order: &str) -> Book {
    let mut statement = SOUND.statement.clone();
    statement.terms.order = Some(Order::parse(order, context().universe).unwrap());
    Book::about(SOUND.model, POLICY.clone(), SOUND.account.clone(), statement)
}

/// The coins that the order is paid in.
fn coins() -> &'static Asset {
    context().universe.venues()[0].asset("BTC", None).unwrap()
}

impl Book {
    /// The lots of the account and of some of what the order adds to it.
    fn with_public(&self, is_added: impl Fn(usize) -> bool) -> Vec<u64> {
        let mut lots = self.account.lots.clone();
        let added = self.prepared.public.iter().filter(|(leg, _)| is_added(leg.index()));
        added.for_each(|(leg, more)| lots[leg.index()] += more);
        lots
    }

    /// An account with these lots on stage, with the hidden variables of one with others.
    fn scene_with(&self, lots: &[u64], of: &[u64]) -> Scene<'_> {
        let columns: Matrix = lots.chunks(GENERATORS.legs()).map(scalars).collect();
        self.scene_of(Columns::new(&self.plan, &columns, &witness(self.program(), of)))
    }
}

#[test]
fn order_that_the_book_cannot_pay_is_not_proven_by_an_honest_prover() {
    let accounts = ["options", "hedge"];
    let (code, text) = prove_supposing(accounts, ["--order", CHEAP], "cheap.bundle");
    assert_eq!(code, 0, "{text}");
    let (code, text) = said(&STAGE.verify(&STAGE.read("cheap.bundle"), &[("--policy", &POLICY)]));
    assert_eq!(code, 0, "{text}");
    let dear = prove_supposing(accounts, ["--order", DEAR], "dear.bundle");
    refused(dear, 4, "is not met; nothing was proven");
    assert!(!STAGE.path("dear.bundle").exists());
}

#[test]
fn bundle_is_refused_when_the_order_that_it_states_cannot_be_paid() {
    let prove = |order: &str| {
        let book = after(order);
        let lots = book.with_public(|_| true);
        // Whose coins are enough.
        let mut rich = lots.clone();
        rich[coins().balance.index()] += 1 << 32;
        let is_met = book.program().witness(&lots).is_ok();
        let scene = book.scene_with(&lots, if is_met { &lots } else { &rich });
        let proof = book.forger().prove(&[scene]).unwrap().proof;
        (book, is_met, proof)
    };
    let (book, is_met, proof) = prove(CHEAP);
    assert!(is_met);
    accepted(&[&book], &proof);
    let (book, is_met, proof) = prove(DEAR);
    assert!(!is_met);
    book.refused(&proof, CIRCUIT);
}

#[test]
fn bundle_is_refused_when_the_payment_of_the_order_that_it_states_is_left_out() {
    let book = after(DEAR);
    let payment = coins().debt;
    let unpaid = book.with_public(|leg| leg != payment.index());
    let proof = book.forger().prove(&[book.scene_with(&unpaid, &unpaid)]).unwrap().proof;
    book.refused(&proof, LINK);
    let mut public = book.prepared.public.clone();
    public.retain(|(leg, _)| *leg != payment);
    assert_eq!(public.len() + 1, book.prepared.public.len());
    let gift = Claim {
        public: &public,
        ..book.prepared.claim()
    };
    assert_eq!(
        Lenient::default().verify(&GENERATORS, &[gift], &proof),
        Verdict::Accepted
    );
}
