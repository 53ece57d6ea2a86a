//! The demonstration's accounts under other presets, with as little cash as is enough, and with one lot less.

use std::fs;
use std::sync::LazyLock;

use ff::{Field, PrimeField};
use pasta_curves::Fp;
use serde_json::{Value, json};
use zkmargin_circuits::Point;
use zkmargin_program::Program;
use zkmargin_risk::model::Model;
use zkmargin_tests::*;
use zkmargin_verifier::SignedAttestation;
use zkmargin_verifier::attestation::Pseudonym;

use super::{Book, GENERATORS, SHORT};
use crate::stage::{STAGE, context};

/// An attestation of each venue, its key, and its place in the universe.
pub const VENUES: [(&str, &str, usize); 2] = [
    ("options.attestation", "optionhouse.key", 0),
    ("hedge.attestation", "perphouse.key", 1),
];

/// The policy of the demonstration, but for models; and without a venue that must be there.
const POLICIES: [&str; 2] = ["models-policy.json", "one-venue-policy.json"];

/// A book that is met under a preset, and one that is not.
pub struct Case {
    pub sound: Book,
    /// Without the last lot of cash.
    pub short: Book,
    /// The columns of the sound book.
    columns: Columns,
    /// Those of the short one: every equation holds but one, whose slack is zero and would have to be below.
    short_columns: Columns,
    /// Their hidden variables.
    pub short_w: Vec<u128>,
    pub lacking: Lacking,
}

/// The equation that does not hold, its slack, and how many units it is short of.
#[derive(Clone, Copy, Debug)]
pub struct Lacking {
    pub equation: usize,
    pub slack: usize,
    pub units: u128,
}

/// One whole variable column, and groups of four columns of roots.
pub static DERIBIT: LazyLock<Case> = LazyLock::new(|| Case::of("deribit-pm"));
/// Two columns of whole variables, in one of which they are squared.
pub static GREEKS: LazyLock<Case> = LazyLock::new(|| Case::of("delta-gamma-vega"));

impl Case {
    fn of(model: &'static str) -> Self {
        // Of the demonstration's policy, the model alone is another one; and for one test a venue may be left out.
        let mut policy: Value = serde_json::from_slice(&STAGE.read("policy.json")).unwrap();
        policy["models"] = json!([Model::preset(model).unwrap().digest().to_string()]);
        for name in POLICIES {
            fs::write(STAGE.path(&format!("{model}-{name}")), policy.to_string()).unwrap();
            policy["required_venues"] = json!([]);
        }
        let with_cash = |lots: u64| {
            let mut all = SHORT.account.lots.clone();
            all[cash()] += lots;
            all
        };
        let poor = Book::holding(model, with_cash(0), 1);
        let is_met = |lots: u64| poor.program().witness(&with_cash(lots)).is_ok();
        let (mut short, mut enough) = (0, 1 << 40);
        assert!(!is_met(short) && is_met(enough));
        while enough - short > 1 {
            let middle = short + (enough - short) / 2;
            *(if is_met(middle) { &mut enough } else { &mut short }) = middle;
        }
        let sound = Book::holding(model, with_cash(enough), 1);
        let short = Book::holding(model, with_cash(short), 2);
        assert_eq!(sound.plan, short.plan);
        let w = witness(sound.program(), &sound.account.lots);
        let (short_w, lacking) = without_the_last_lot(short.program(), &short.account.lots, &w);
        let columns = |book: &Book, w: &[u128]| Columns::new(&book.plan, &book.account.columns, w);
        Self {
            columns: columns(&sound, &w),
            short_columns: columns(&short, &short_w),
            sound,
            short,
            short_w,
            lacking,
        }
    }

    pub fn plan(&self) -> &Plan {
        &self.sound.plan
    }

    /// The sound book.
    pub fn scene(&self) -> Scene<'_> {
        self.sound.scene_of(self.columns.clone())
    }

    /// The short book, with a slack of zero.
    pub fn short_scene(&self) -> Scene<'_> {
        self.short.scene_of(self.short_columns.clone())
    }

    /// A book with the sound one's hidden variables.
    pub fn scene_with_its_variables<'a>(&self, book: &'a Book) -> Scene<'a> {
        let mut columns = self.columns.clone();
        columns.q = book.account.columns.iter().map(|column| self.usable(column)).collect();
        book.scene_of(columns)
    }

    /// A column with all its usable rows.
    pub fn usable(&self, column: &[Fp]) -> Vec<Fp> {
        let mut column = column.to_vec();
        column.resize(self.plan().last + 1, Fp::ZERO);
        column
    }

    /// The slack that would have to be below zero, as a sum of squares in the field.
    pub fn bad_roots(&self) -> [Fp; ROOTS] {
        field_roots(-Fp::from_u128(self.lacking.units), [Fp::from(3), Fp::from(4)])
    }

    /// Its place.
    pub fn bad_sum(&self) -> usize {
        match self.plan().places[self.lacking.slack] {
            Place::Squares(sum) => sum,
            Place::Run(_) => panic!("a whole slack"),
        }
    }

    /// The short book with that.
    pub fn scene_with_bad_roots(&self) -> Scene<'_> {
        let mut scene = self.short_scene();
        scene.columns.take_roots(self.plan(), self.bad_sum(), self.bad_roots());
        scene
    }

    /// Another account with these lots, as both venues attest it.
    pub fn book(&self, lots: Vec<u64>, number: u8) -> Book {
        Book::holding(self.sound.model, lots, number)
    }
}

/// The leg of the trader's cash.
pub fn cash() -> usize {
    asset().balance.index()
}

/// The leg of a debt of it.
pub fn debt() -> usize {
    asset().debt.index()
}

fn asset() -> &'static zkmargin_risk::universe::Asset {
    context().universe.venues()[1].asset("USDC", None).unwrap()
}

impl Book {
    /// An account at both venues that holds this.
    pub fn holding(model: &'static str, lots: Vec<u64>, number: u8) -> Self {
        let columns = lots.chunks(GENERATORS.legs()).map(scalars).collect();
        let account = Account::holding(&GENERATORS, lots, columns, number.into());
        let attestations = VENUES.map(|(_, _, venue)| attest(venue, &account, number));
        Self::attested(model, account, attestations.to_vec())
    }

    /// What its trader states who has these attestations.
    pub fn attested(model: &'static str, account: Account, attestations: Vec<SignedAttestation>) -> Self {
        let all = attestations.iter().map(|signed| &signed.content().venue);
        let all = all.collect::<std::collections::BTreeSet<_>>().len() == VENUES.len();
        let policy = format!("{model}-{}", POLICIES[usize::from(!all)]);
        Self::stating(model, policy, account, attestations)
    }
}

/// An attestation of an account's columns at a venue.
pub fn attest(venue: usize, account: &Account, number: u8) -> SignedAttestation {
    let columns = context().universe.venues()[venue].columns.clone();
    let points = account.points[columns].iter().map(|points| points[0]).collect();
    attest_points(venue, points, number, 1)
}

/// An attestation of whatever points, by a venue that says that its trader has so many accounts there.
pub fn attest_points(venue: usize, points: Vec<Point>, number: u8, accounts: u32) -> SignedAttestation {
    let (like, key, _) = VENUES[venue];
    let mut content = SignedAttestation::from_bytes(&STAGE.read(like))
        .unwrap()
        .content()
        .clone();
    content.account = Pseudonym([number; 32]);
    content.accounts = accounts;
    content.points = points;
    content.sign(&STAGE.key(key))
}

/// A variable that stands in this equation alone, by one unit, with its factor.
pub fn own_slack(program: &Program, equation: usize) -> Option<(usize, Fp)> {
    let elsewhere = |j: usize| {
        let mut others = program
            .equations()
            .iter()
            .enumerate()
            .filter(|(index, _)| *index != equation);
        others.any(|(_, other)| other.variables.iter().any(|(variable, _)| variable.index() == j))
    };
    let squared = |j: usize| {
        let mut squares = program.equations().iter().flat_map(|equation| &equation.squares);
        squares.any(|(variable, _)| variable.index() == j)
    };
    let variables = program.equations()[equation].variables.iter();
    let mut own = variables.filter(|(_, factor)| factor.abs() == 1);
    let (variable, factor) = own.find(|(variable, _)| !elsewhere(variable.index()) && !squared(variable.index()))?;
    Some((variable.index(), integer(*factor)))
}

/// The hidden variables of a book with a lot more, so that every equation holds but one: its slack would have to be below zero.
fn without_the_last_lot(program: &Program, lots: &[u64], w: &[u128]) -> (Vec<u128>, Lacking) {
    let mut w = w.to_vec();
    let mut lacking = Vec::new();
    for (index, equation) in program.equations().iter().enumerate() {
        let legs = equation
            .legs
            .iter()
            .map(|(leg, a)| integer((*a).into()) * Fp::from(lots[leg.index()]));
        let variables = equation
            .variables
            .iter()
            .map(|(j, f)| integer(*f) * Fp::from_u128(w[j.index()]));
        let squares = equation.squares.iter();
        let squares = squares.map(|(j, s)| integer((*s).into()) * Fp::from_u128(w[j.index()]).square());
        let beyond = legs.chain(variables).chain(squares).sum::<Fp>() - integer(equation.constant);
        if beyond == Fp::ZERO {
            continue;
        }
        let (slack, factor) = own_slack(program, index).expect("an equation with a slack");
        let value = Fp::from_u128(w[slack]) - beyond * factor;
        match small(value) {
            Some(value) => w[slack] = value,
            None => {
                let units = small(-value).expect("a small number below zero");
                w[slack] = 0;
                lacking.push(Lacking {
                    equation: index,
                    slack,
                    units,
                });
            }
        }
    }
    assert_eq!(lacking.len(), 1, "{lacking:?}");
    assert!(program.witness(lots).is_err());
    (w, lacking[0])
}

#[test]
fn bundles_of_one_and_of_two_statements_under_other_presets_are_accepted_if_they_are_met() {
    for (case, count) in [(&*DERIBIT, 1), (&*GREEKS, 2)] {
        let other = case.book(case.sound.account.lots.clone(), 3);
        let books = &[&case.sound, &other][..count];
        let scenes = &[case.scene(), case.scene_with_its_variables(&other)][..count];
        let proof = super::forger_of(books).prove(scenes).unwrap().proof;
        super::accepted(books, &proof);
        // With nothing forged, the equation that does not hold is what is refused.
        let proof = case.short.forger().prove(&[case.short_scene()]).unwrap().proof;
        case.short.refused(&proof, super::CIRCUIT);
    }
    assert_eq!((DERIBIT.plan().z_columns, DERIBIT.plan().group), (1, 4));
    assert_eq!((GREEKS.plan().z_columns, GREEKS.plan().square_columns), (2, 1));
}
