//! Programs of any size: the worst of so many losses, each of which depends on every leg.

use zkmargin_program::{Builder, Header, Layout, LegId, Linear, Pair, Program, Real};

use super::BenchError;

/// `value_bits` of the programs: money below 2^79 units either way.
const VALUE_BITS: u32 = 80;
/// Bits of a loss per lot.
const LOSS_BITS: u32 = 40;
/// Bits of what a lot of cash is worth. It loses as any leg does, and must be worth more than a norm of all losses.
const CASH_BITS: u32 = 46;
/// Lots of cash: worth more than what is held can lose, and below the largest value.
const CASH: u64 = 1 << 30;
/// One pair of legs in so many is held.
const HELD_EVERY: usize = 17;

/// The sizes of a program. They are checked by the [grid](super::grid) that they are of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Synthetic {
    pub(crate) k: u32,
    pub(crate) legs: usize,
    pub(crate) equations: usize,
    pub(crate) squares: usize,
}

impl Synthetic {
    /// The program, and a book that satisfies it.
    ///
    /// One equation says that the value is enough, `squares + 1` that a Euclidean norm of as many losses is what it is, if there is one; each of
    /// the others says that the worst loss is at least one of the losses. Losses are dense: every leg is in each, and what a long
    /// position loses a short one wins.
    pub(crate) fn build(&self) -> Result<(Program, Vec<u64>), BenchError> {
        let mut random = Random(1);
        let legs: Vec<LegId> = (0..u32::try_from(self.legs).unwrap_or(u32::MAX))
            .map(LegId::new)
            .collect();
        let pairs: Vec<Pair> = legs
            .chunks_exact(2)
            .map(|pair| Pair {
                first: pair[0],
                second: pair[1],
            })
            .collect();
        let header = Header {
            numeraire: "USD".to_owned(),
            unit_exponent: -10,
            value_bits: VALUE_BITS,
        };
        let columns = self.legs.div_ceil(super::grid::rows(self.k));
        let layout = Layout::new(self.k, vec![0; columns], legs, pairs.clone())?;
        let mut builder = Builder::new(layout, header)?;
        let mut loss = |builder: &mut Builder| {
            let mut form = Linear::zero();
            for pair in &pairs {
                let per_lot = random.signed(LOSS_BITS);
                form.add_leg(pair.first, Real::from_integer(per_lot));
                form.add_leg(pair.second, Real::from_integer(-per_lot));
            }
            builder.upper(&form)
        };
        let of_norm = if self.squares > 0 { self.squares + 1 } else { 0 };
        let losses = (0..self.equations.saturating_sub(1 + of_norm))
            .map(|_| loss(&mut builder))
            .collect::<Result<Vec<_>, _>>()?;
        let mut required = builder.max("worst loss", losses)?;
        if self.squares > 0 {
            let losses = (0..self.squares)
                .map(|_| loss(&mut builder))
                .collect::<Result<Vec<_>, _>>()?;
            required = required + builder.norm("norm", losses)?;
        }
        let mut value = Linear::zero();
        if let Some(cash) = pairs.first() {
            value.add_leg(cash.first, Real::from_integer(1 << CASH_BITS));
            value.add_leg(cash.second, Real::from_integer(-(1 << CASH_BITS)));
        }
        let value = builder.lower(&value)?;
        builder.require_non_negative("margin", value - required)?;
        let program = builder.finish()?;

        let mut book = vec![0; program.layout().slots()];
        for (index, lots) in book.chunks_exact_mut(2).take(pairs.len()).enumerate() {
            if index % HELD_EVERY == 3 {
                lots[index % 2] = random.next() % 100_000;
            }
        }
        if let Some(cash) = book.first_mut() {
            *cash = CASH;
        }
        Ok((program, book))
    }
}

/// xorshift: the same numbers everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// Below `2^(bits-1)`, either way.
    fn signed(&mut self, bits: u32) -> i64 {
        (self.next() >> (64 - bits)) as i64 - (1 << (bits - 1))
    }
}
