//! `zkmargin snapshot sign`.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use zkmargin_prover::keys::Role;
use zkmargin_verifier::SnapshotSignature;
use zkmargin_verifier::output::Secrecy;
use zkmargin_verifier::words::network;

use crate::answer::Answer;
use crate::load::{self, NetworkArg, Out};

/// `snapshot sign`: what is signed is the snapshot's digest and the network, so that no signature for tests stands for real prices.
#[derive(Debug, Args)]
pub(crate) struct Sign {
    /// The snapshot (JSON).
    #[arg(long, value_name = "FILE")]
    snapshot: PathBuf,
    /// The publisher's key file.
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// The network that the snapshot is published for.
    #[arg(long)]
    network: NetworkArg,
    #[command(flatten)]
    out: Out,
}

pub(crate) fn run(args: &Sign) -> anyhow::Result<Answer> {
    let on = args.network.into();
    let mut outputs = args.out.reserve_sparing([&args.key])?;
    let snapshot = load::snapshot(&args.snapshot)?;
    let key = load::key(&args.key, Role::Publisher)?;
    let signed = SnapshotSignature::sign(key.signing(), on, snapshot.digest());
    outputs.stage(&args.out.path, &signed.to_bytes(), Secrecy::Public)?;
    outputs.commit()?;
    let (digest, instant, path) = (signed.snapshot, snapshot.instant, args.out.path.display());
    Ok(Answer::new(
        format!(
            "Publisher {} signs snapshot {digest} of {instant} for network {}.\n{path}  for partners, beside the snapshot",
            signed.key,
            network(on)
        ),
        json!({ "snapshot": digest, "instant": instant, "network": on, "publisher": signed.key, "file": path.to_string() }),
    ))
}
