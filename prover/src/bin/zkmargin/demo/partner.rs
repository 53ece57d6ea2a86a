//! The partner's side of the demonstration: its policy, its verification, and what it refuses.
//!
//! The partner's tool is `zkmargin-verify`. Its commands are printed for the user to run; here the library behind it runs them.

use std::fs;
use std::path::Path;
use std::time::Instant as Clock;

use anyhow::{Context as _, bail, ensure};
use serde_json::json;
use zkmargin_circuits::Parameters;
use zkmargin_prover::keys::Role;
use zkmargin_risk::instant::Instant;
use zkmargin_risk::market::Snapshot;
use zkmargin_risk::model::Model;
use zkmargin_risk::terms::Level;
use zkmargin_risk::universe::{Network, Universe};
use zkmargin_verifier::acceptance::PolicyRefusal;
use zkmargin_verifier::facts::FactRefusal;
use zkmargin_verifier::output::{Secrecy, write_file};
use zkmargin_verifier::policy::{AcceptedSnapshots, NonceRule};
use zkmargin_verifier::{Bundle, Context, Policy, ProofHash, PublicKey, SubjectSignature, Verifier, VerifyError};

use crate::demo::stage::{Stage, command_line};
use crate::demo::{AT, BOOK, MODEL};
use crate::load;
use crate::prove::random_nonce;

/// The partner, with its own copies of everything public.
#[derive(Debug)]
pub(crate) struct Partner {
    universe: Universe,
    snapshot: Snapshot,
    model: Model,
    parameters: Parameters,
    nonce: [u8; 32],
    at: Instant,
}

impl Partner {
    /// Writes the policies of the partner and of a stranger, who accepts all the same but is somebody else, and draws a nonce.
    pub(crate) fn new(
        stage: &mut Stage,
        venue_keys: [&str; 2],
        [partner, stranger]: [&str; 2],
    ) -> anyhow::Result<Partner> {
        let universe = load::universe(Path::new("universe.json"))?;
        let parameters = load::parameters(&universe)?;
        let desk = Partner {
            snapshot: load::snapshot(Path::new("snapshot.json"))?,
            model: Model::preset(MODEL)?,
            universe,
            parameters,
            nonce: random_nonce()?,
            at: AT.parse()?,
        };
        let of = |key: &str| key.parse::<PublicKey>();
        let [first, second] = venue_keys;
        let mut policy = Policy {
            network: Network::Test,
            audience: of(partner)?,
            books: [BOOK.parse()?].into(),
            universes: [desk.universe.digest()].into(),
            venues: [
                ("optionhouse".to_owned(), [of(first)?].into()),
                ("perphouse".to_owned(), [of(second)?].into()),
            ]
            .into(),
            required_venues: ["optionhouse".to_owned(), "perphouse".to_owned()].into(),
            subject_groups: Vec::new(),
            all_accounts: true,
            held: true,
            hypothetical_orders: false,
            hypothetical_deposits: false,
            models: [desk.model.digest()].into(),
            snapshots: AcceptedSnapshots::Given,
            level: Level::Maintenance.into(),
            ratio: "1.05".parse()?,
            excess: 1000,
            max_snapshot_age: "10m".parse()?,
            max_validity: None,
            max_attestation_age: "10m".parse()?,
            nonce: NonceRule::Required,
            breaker: None,
            calls: None,
        };
        write_file(
            Path::new("policy.json"),
            policy.to_json()?.as_bytes(),
            Secrecy::Public,
            false,
        )?;
        policy.audience = of(stranger)?;
        write_file(
            Path::new("stranger-policy.json"),
            policy.to_json()?.as_bytes(),
            Secrecy::Public,
            false,
        )?;
        stage.say("policy.json says what the partner accepts. It draws a nonce for this proof:")?;
        stage.show("zkmargin-verify nonce")?;
        stage.say(&desk.nonce())?;
        Ok(desk)
    }

    /// The nonce in hexadecimal digits.
    pub(crate) fn nonce(&self) -> String {
        hex::encode(self.nonce)
    }

    /// Verifies a bundle that must be accepted; milliseconds that the verification took.
    pub(crate) fn accepts(&self, stage: &mut Stage, bundle: &str) -> anyhow::Result<f64> {
        let command = self.command(stage, "policy.json", bundle)?;
        let bytes = fs::read(bundle).with_context(|| bundle.to_owned())?;
        let policy = policy("policy.json")?;
        let started = Clock::now();
        let partner = zkmargin_verifier::Partner::new(&policy, Some(self.nonce))?;
        let verdict = Verifier::new(self.context()).verify(&partner, &bytes, self.at)?;
        let took = started.elapsed().as_secs_f64() * 1e3;
        stage.record(
            &command,
            0,
            json!({ "valid": true, "verdict": &verdict, "verifying_ms": took }),
        );
        stage.say(&format!(
            "{verdict}\nVerified at {AT}, the instant given with --at, in {took:.0} ms."
        ))?;
        Ok(took)
    }

    /// Everything that the partner refuses, each for its own reason.
    pub(crate) fn refusals(&self, stage: &mut Stage) -> anyhow::Result<()> {
        stage.say("Another audience than the one that the proof was made for:")?;
        self.refuses(stage, "stranger-policy.json", "margin.bundle", |error| {
            matches!(error, VerifyError::Policy(PolicyRefusal::Audience { .. }))
        })?;

        let genuine = fs::read("margin.bundle").context("margin.bundle")?;
        let genuine = Bundle::from_bytes(&genuine)?;
        let mut changed = genuine.clone();
        let middle = changed.proof.len() / 2;
        *changed.proof.get_mut(middle).context("the proof is empty")? ^= 1;
        write(&changed, "changed.bundle")?;
        stage.say(
            "\nOne bit of the proof changed (changed.bundle): the trader's signature does not cover this proof.",
        )?;
        self.refuses(stage, "policy.json", "changed.bundle", |error| {
            matches!(error, VerifyError::SubjectSignature { .. })
        })?;

        let trader = load::key(Path::new("trader.key"), Role::Subject)?;
        let statements: Vec<_> = changed.statements.iter().map(|signed| &signed.statement).collect();
        let digests: Vec<_> = self
            .context()
            .prepare(&statements)?
            .iter()
            .map(|prepared| prepared.digest)
            .collect();
        for (signed, digest) in changed.statements.iter_mut().zip(digests) {
            signed.signatures = vec![SubjectSignature::sign(
                trader.signing(),
                digest,
                ProofHash::of(&changed.proof),
            )];
        }
        write(&changed, "signed-again.bundle")?;
        stage.say("\nThe same, signed again by the trader (signed-again.bundle): now the proof itself fails.")?;
        self.refuses(stage, "policy.json", "signed-again.bundle", |error| {
            matches!(error, VerifyError::Proof(_))
        })?;

        let mut twice = genuine;
        for signed in &mut twice.statements {
            let first = signed
                .statement
                .attestations
                .first()
                .cloned()
                .context("the statement has no attestation")?;
            signed.statement.attestations.insert(0, first);
        }
        write(&twice, "twice.bundle")?;
        stage.say("\nOne attestation used twice (twice.bundle): no position counts twice.")?;
        self.refuses(stage, "policy.json", "twice.bundle", |error| {
            matches!(error, VerifyError::Facts(FactRefusal::AccountTwice { .. }))
        })
    }

    fn refuses(
        &self,
        stage: &mut Stage,
        policy_file: &str,
        bundle: &str,
        is_expected: impl FnOnce(&VerifyError) -> bool,
    ) -> anyhow::Result<()> {
        let command = self.command(stage, policy_file, bundle)?;
        let bytes = fs::read(bundle).with_context(|| bundle.to_owned())?;
        let policy = policy(policy_file)?;
        let partner = zkmargin_verifier::Partner::new(&policy, Some(self.nonce))?;
        let Err(error) = Verifier::new(self.context()).verify(&partner, &bytes, self.at) else {
            bail!("{bundle} should have been refused, and was not");
        };
        let code = error.exit_code();
        stage.record(&command, code, json!({ "valid": false, "error": error.to_string() }));
        stage.say(&format!(
            "zkmargin-verify: {bundle}: refused at {AT}: {error}\n(exit code {code})"
        ))?;
        ensure!(
            is_expected(&error),
            "{bundle} was refused for another reason than expected: {error}"
        );
        Ok(())
    }

    fn command(&self, stage: &Stage, policy: &str, bundle: &str) -> anyhow::Result<String> {
        let nonce = self.nonce();
        let command = command_line(&[
            "zkmargin-verify",
            "--policy",
            policy,
            "--universe",
            "universe.json",
            "--snapshot",
            "snapshot.json",
            "--model",
            MODEL,
            "--nonce",
            &nonce,
            "--at",
            AT,
            bundle,
        ]);
        stage.show(&command)?;
        Ok(command)
    }

    fn context(&self) -> Context<'_> {
        Context {
            universe: &self.universe,
            snapshot: &self.snapshot,
            later: None,
            model: &self.model,
            parameters: &self.parameters,
        }
    }
}

fn policy(path: &str) -> anyhow::Result<Policy> {
    Ok(Policy::from_json(&fs::read(path).with_context(|| path.to_owned())?)?)
}

fn write(bundle: &Bundle, path: &str) -> anyhow::Result<()> {
    Ok(write_file(Path::new(path), &bundle.to_bytes(), Secrecy::Public, false)?)
}
