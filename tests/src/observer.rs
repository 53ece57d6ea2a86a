//! Who sees a proof and nothing else, and takes out of it what he can.

use ff::Field;
use group::Curve;
use halo2_proofs::poly::EvaluationDomain;
use halo2_proofs::transcript::{Transcript, TranscriptRead};
use pasta_curves::{EqAffine, Fp};
use zkmargin_circuits::Claim;

use crate::circuit::verifying_key;
use crate::columns::{fold, powers, scalar_multipliers};
use crate::plan::Plan;
use crate::setup::Setup;
use crate::squares::factors;
use crate::transcript::{Reader, Slot, squeeze};

/// The public side of a proof about one column.
#[derive(Clone, Debug)]
pub struct Observer {
    e: Fp,
    masked: Vec<Fp>,
    link_challenge: Fp,
    responses: Vec<Fp>,
    /// `q(x)`.
    account: Fp,
    /// What the unusable rows of `a`, `b` and `s` add to their openings, with the link's weights.
    public: Fp,
    /// Every Lagrange polynomial at `x`.
    lagrange: Vec<Fp>,
    last: usize,
}

impl Observer {
    /// Reads a proof of one claim about one column up to the evaluations.
    pub fn read(setup: &Setup, claim: &Claim<'_>, proof: &[u8]) -> Self {
        let plan = Plan::of(claim.program);
        assert_eq!(
            (plan.q_columns, plan.square_columns),
            (1, 0),
            "one column and no squares"
        );
        let key = verifying_key(setup, &plan);
        let domain: &EvaluationDomain<Fp> = key.get_domain();
        let mut reader = Reader::new(&[claim.statement], proof);
        let points = |reader: &mut Reader<'_>, count: usize| -> Vec<EqAffine> {
            (0..count).map(|_| reader.read_point().expect("a point")).collect()
        };
        let mut linked = points(&mut reader, plan.z_at());
        let e = squeeze(&mut reader);
        let masked = (0..plan.masked()).map(|_| reader.read_number(plan.masked_bytes()).expect("a number"));
        let masked: Vec<Fp> = masked.collect();
        linked.extend(points(&mut reader, plan.z_columns));
        let r = squeeze(&mut reader);
        let multipliers = scalar_multipliers(&r, plan.drawn(claim.program));
        let folded = fold(claim.program, &plan, factors, &e, &masked, &multipliers);
        linked.extend(points(&mut reader, plan.public_columns()));
        let eta = squeeze(&mut reader);
        points(&mut reader, 1);
        let link_challenge = squeeze(&mut reader);
        let scalars = |reader: &mut Reader<'_>, count: usize| -> Vec<Fp> {
            (0..count).map(|_| reader.read_scalar().expect("a scalar")).collect()
        };
        let responses = scalars(&mut reader, plan.unusable() + 1);

        key.hash_into(&mut reader).expect("hashing");
        for column in &folded.instance {
            // The library commits to instance columns with a blind of one.
            let commitment = setup.commit(column, Fp::ONE).to_affine();
            reader.common_point(commitment).expect("hashing");
        }
        reader.slots.extend(linked.iter().map(|point| Slot::Instead(*point)));
        points(&mut reader, linked.len() + plan.group);
        squeeze(&mut reader);
        // Per lookup the permuted columns, then the products; then the random polynomial; then the quotient.
        points(&mut reader, 2 * plan.z_columns);
        squeeze(&mut reader);
        squeeze(&mut reader);
        points(&mut reader, plan.z_columns + 1);
        squeeze(&mut reader);
        points(&mut reader, domain.get_quotient_poly_degree());
        let x = squeeze(&mut reader);
        scalars(&mut reader, plan.z_columns);
        // Queries stand in the order in which the circuit makes them: each z column here and below, acc here, q, a, every group of x
        // with its s, acc_0 below, b.
        let (own, groups) = (2 * plan.z_columns + plan.group, plan.groups);
        let advice = scalars(&mut reader, own + 2 + groups * (plan.group + 1) + 1 + groups);
        let s = (1..=groups).map(|group| advice[own + 1 + group * (plan.group + 1)]);
        let b = &advice[own + 2 + groups * (plan.group + 1) + 1..];
        let public: Vec<Fp> = [advice[own + 1]]
            .into_iter()
            .chain(b.iter().copied())
            .chain(s)
            .collect();

        let n = 1u64 << plan.k;
        let lagrange = domain.l_i_range(x, x.pow_vartime([n]), 0..n as i32);
        let usable = |column: &Vec<Fp>| column.iter().zip(&lagrange).map(|(a, l)| *a * l).sum::<Fp>();
        let unusable = (public.iter().zip(&folded.public)).map(|(opened, column)| *opened - usable(column));
        let public = powers(eta)
            .skip(1)
            .zip(unusable)
            .map(|(weight, part)| weight * part)
            .sum();
        Self {
            e,
            masked,
            link_challenge,
            responses,
            account: advice[own],
            public,
            lagrange,
            last: plan.last,
        }
    }

    /// `Σ q_i·l_i(x)` over the usable rows, without any blinding, if the nonces of the link were the first draws of the
    /// replayed generator, which are the values in the unusable rows of `q`.
    ///
    /// A response is then `β_q + c·(β_q + η·β_a + …)`, and `a`, `b` and `s` are public, so that their openings tell `Σ β_a·l` and the
    /// rest.
    pub fn unblinded_account(&self) -> Fp {
        let unusable = &self.lagrange[self.last + 1..];
        let responses: Fp = self.responses.iter().zip(unusable).map(|(s, l)| *s * l).sum();
        let both = responses - self.link_challenge * self.public;
        let account_part = both * (Fp::ONE + self.link_challenge).invert().expect("not minus one");
        self.account - account_part
    }

    /// What the factors of the projections are drawn from.
    pub fn e(&self) -> Fp {
        self.e
    }

    /// The masked projections, `p` running fastest.
    pub fn masked(&self) -> &[Fp] {
        &self.masked
    }

    /// What [`unblinded_account`](Self::unblinded_account) should be for this book.
    pub fn truth(&self, lots: &[u64]) -> Fp {
        lots.iter()
            .zip(&self.lagrange)
            .map(|(lots, l)| Fp::from(*lots) * l)
            .sum()
    }
}
