//! Small programs and books that the tests share.

use std::sync::LazyLock;

use ff::{Field, PrimeField};
use pasta_curves::Fp;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use zkmargin_circuits::{Blind, Claim, Opening, Parameters, Point};
use zkmargin_program::{Builder, Header, Layout, LegId, Linear, Pair, Program, Real};

use crate::columns::{Columns, Matrix};
use crate::forger::Scene;
use crate::lenient::outside;
use crate::plan::Plan;
use crate::setup::{Setup, scalars};

/// `k` of most tests.
pub const K: u32 = 6;
/// Legs per column for it.
pub const ROWS: usize = 48;

/// The forger's generators for [`K`].
pub static SETUP: LazyLock<Setup> = LazyLock::new(|| Setup::new(K));
/// The real ones.
pub static PARAMETERS: LazyLock<Parameters> = LazyLock::new(|| Parameters::load(K, None).expect("supported"));

/// A book that satisfies [`scenarios`] and [`norms`].
pub const SOLVENT: [(usize, u64); 3] = [(0, 10), (2, 3), (49, 4)];
/// The same, but for what makes it insolvent in column 0.
pub const INSOLVENT_0: [(usize, u64); 3] = [(1, 100), (2, 3), (49, 4)];
/// The same, but for what makes it insolvent in column 1.
pub const INSOLVENT_1: [(usize, u64); 3] = [(0, 10), (2, 3), (49, 400)];
/// Insolvent in each of the columns.
pub const INSOLVENT: [[(usize, u64); 3]; 2] = [INSOLVENT_0, INSOLVENT_1];

fn pairs(firsts: &[u32]) -> Vec<Pair> {
    (firsts.iter())
        .map(|first| Pair {
            first: LegId::new(*first),
            second: LegId::new(first + 1),
        })
        .collect()
}

/// A builder over two venues of one column each, of three pairs.
pub fn builder(k: u32) -> Builder {
    let second = (1 << k) - 16;
    let legs = [0, 1, 2, 3, second, second + 1].map(LegId::new).to_vec();
    let layout = Layout::new(k, vec![0, 1], legs, pairs(&[0, 2, second])).expect("a layout");
    Builder::new(layout, header()).expect("a builder")
}

fn header() -> Header {
    Header {
        numeraire: "USD".into(),
        unit_exponent: -10,
        value_bits: 40,
    }
}

/// A form with whole coefficients. Legs from 48 on are those of the second column.
pub fn form(k: u32, terms: &[(u32, i64)]) -> Linear {
    let moved = |leg: u32| if leg < 48 { leg } else { leg - 48 + (1 << k) - 16 };
    let mut form = Linear::zero();
    for (leg, units) in terms {
        form.add_leg(LegId::new(moved(*leg)), Real::from_integer(*units));
    }
    form
}

const EQUITY: [(u32, i64); 6] = [(0, 50), (1, -50), (2, 9), (3, -10), (48, 7), (49, -8)];
/// Equity, with a constant so that `γ` is not zero.
fn equity(k: u32) -> Linear {
    let mut equity = form(k, &EQUITY);
    equity.add_constant(Real::from_integer(3));
    equity
}

const LOSSES: [[(u32, i64); 4]; 7] = [
    [(0, 3), (1, -3), (2, -40), (3, 41)],
    [(0, -3), (1, 3), (2, 40), (3, -39)],
    [(2, 1), (3, -1), (48, 5), (49, -5)],
    [(2, -1), (3, 1), (48, -5), (49, 5)],
    [(0, 8), (1, -7), (48, 2), (49, -1)],
    [(0, -8), (1, 9), (48, -2), (49, 3)],
    [(0, 1), (1, -1), (2, 2), (3, -2)],
];

/// Equity covers the worst of seven scenarios; every variable is a slack of one equation, but for the worst.
pub fn scenarios_at(k: u32) -> Program {
    let mut builder = builder(k);
    let losses: Vec<_> = (LOSSES.iter())
        .map(|loss| builder.upper(&form(k, loss)).expect("a form"))
        .collect();
    let worst = builder.max_non_negative("worst", losses).expect("a maximum");
    let equity = builder.lower(&equity(k)).expect("a form");
    builder
        .require_non_negative("margin", equity - worst)
        .expect("a requirement");
    builder.finish().expect("a program")
}

/// [`scenarios_at`] `k = 6`.
pub fn scenarios() -> Program {
    scenarios_at(K)
}

/// Equity covers a square root of squares, so that `s` and every kind of run occur.
pub fn norms() -> Program {
    let mut builder = builder(K);
    let delta = form(K, &[(0, 3), (1, -3), (48, 2), (49, -2)]);
    let delta = builder.absolute("delta", &delta).expect("a form");
    let spread = builder
        .absolute("spread", &form(K, &[(2, 5), (3, -5)]))
        .expect("a form");
    let norm = builder.norm("norm", [delta.clone(), spread]).expect("a norm");
    let charge = builder.any_of_upper("charge", norm, delta).expect("a choice");
    let equity = builder.lower(&equity(K)).expect("a form");
    builder
        .require_non_negative("margin", equity - charge)
        .expect("a requirement");
    builder.finish().expect("a program")
}

/// One column, one pair and one requirement: `3 long - 5 short >= 0`.
pub fn single() -> Program {
    let layout = Layout::new(K, vec![0], [0, 1].map(LegId::new).to_vec(), pairs(&[0])).expect("a layout");
    let mut builder = Builder::new(layout, header()).expect("a builder");
    let value = builder.lower(&form(K, &[(0, 3), (1, -5)])).expect("a form");
    builder.require_non_negative("margin", value).expect("a requirement");
    builder.finish().expect("a program")
}

/// One column, and a charge that is the smaller of two: its bit and the complement are whole.
pub fn choice() -> Program {
    let layout = Layout::new(K, vec![0], [0, 1].map(LegId::new).to_vec(), pairs(&[0])).expect("a layout");
    let mut builder = Builder::new(layout, header()).expect("a builder");
    let charges = [[(0, 10), (1, 0)], [(0, 10), (1, 4)]].map(|terms| builder.upper(&form(K, &terms)).expect("a form"));
    let [first, second] = charges;
    let charge = builder.any_of_upper("charge", first, second).expect("a choice");
    let equity = builder.lower(&form(K, &[(0, 3), (1, -3)])).expect("a form");
    builder
        .require_non_negative("margin", equity - charge)
        .expect("a requirement");
    builder.finish().expect("a program")
}

/// So many requirements, each with a slack: for enough of them groups of roots have two columns, and four.
pub fn many(count: usize) -> Program {
    let mut builder = builder(K);
    for index in 0..count as i64 {
        let mut value = form(K, &[(0, 5 + index), (1, -5 - index), (3, -1), (48, 7), (49, -8)]);
        value.add_constant(Real::from_integer(3 * index));
        let value = builder.lower(&value).expect("a form");
        builder.require_non_negative("margin", value).expect("a requirement");
    }
    builder.finish().expect("a program")
}

/// The digest of the statement with this number.
pub fn statement(index: usize) -> [u8; 32] {
    [index as u8 + 1; 32]
}

/// Attested columns with their opening.
#[derive(Clone, Debug)]
pub struct Account {
    /// One entry per slot.
    pub lots: Vec<u64>,
    /// What the columns hold: the lots, unless a test says otherwise.
    pub columns: Matrix,
    /// One blind per column.
    pub blinds: Vec<Fp>,
    /// One point per column.
    pub points: Vec<Vec<Point>>,
}

impl Account {
    /// A book in two columns, with blinds of its own.
    pub fn of(legs: &[(usize, u64)], seed: u64) -> Self {
        Self::new(&SETUP, 2, legs, seed)
    }

    /// A book in so many columns.
    pub fn new(setup: &Setup, columns: usize, legs: &[(usize, u64)], seed: u64) -> Self {
        let mut lots = vec![0; columns * setup.legs()];
        for (leg, amount) in legs {
            lots[*leg] = *amount;
        }
        let columns = lots.chunks(setup.legs()).map(scalars).collect();
        Self::holding(setup, lots, columns, seed)
    }

    /// Columns with whatever values, of up to `n` rows.
    pub fn holding(setup: &Setup, lots: Vec<u64>, columns: Matrix, seed: u64) -> Self {
        let mut generator = ChaCha20Rng::seed_from_u64(seed);
        let blinds: Vec<Fp> = columns.iter().map(|_| Fp::random(&mut generator)).collect();
        let points = (columns.iter().zip(&blinds))
            .map(|(column, blind)| vec![setup.point(column, *blind)])
            .collect();
        Self {
            lots,
            columns,
            blinds,
            points,
        }
    }

    /// What the real prover opens the points with.
    pub fn opening(&self) -> Opening {
        let blind = |blind: &Fp| Blind::from_bytes(&blind.to_repr()).expect("canonical");
        Opening::new(self.lots.clone(), self.blinds.iter().map(blind).collect())
    }

    /// A claim about this account.
    pub fn claim<'a>(&'a self, index: usize, program: &'a Program) -> Claim<'a> {
        Claim {
            statement: statement(index),
            program,
            attested: &self.points,
            public: &[],
        }
    }

    /// The account on stage, with given hidden variables.
    pub fn scene<'a>(&self, setup: &Setup, plan: &Plan, program: &'a Program, w: &[u128]) -> Scene<'a> {
        Scene {
            program,
            columns: Columns::new(plan, &self.columns, w),
            outside: outside(setup, &self.claim(0, program)),
            blinds: self.blinds.clone(),
            unusable: Vec::new(),
        }
    }

    /// The account on stage as an honest prover has it.
    pub fn honest_scene<'a>(&self, plan: &Plan, program: &'a Program) -> Scene<'a> {
        self.scene(&SETUP, plan, program, &witness(program, &self.lots))
    }
}

/// The honest hidden variables of a book that satisfies the program.
pub fn witness(program: &Program, lots: &[u64]) -> Vec<u128> {
    program
        .witness(lots)
        .expect("a book that satisfies the program")
        .values()
        .to_vec()
}
