//! `zkmargin release`.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use serde_json::json;
use zkmargin_prover::keys::Role;
use zkmargin_verifier::Release;
use zkmargin_verifier::output::Secrecy;

use crate::answer::Answer;
use crate::clock::At;
use crate::load::{self, Out};

/// `release`: the audience gives an account back before its attestation expires.
///
/// It is signed with the audience's key, over the last attestation of the account. From then on the venue may pledge the account to somebody else: accept
/// nothing more that rests on it.
#[derive(Debug, Args)]
pub(crate) struct ReleaseArgs {
    /// The audience's key file.
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// The last attestation of the account that was made for this audience.
    #[arg(long, value_name = "FILE")]
    attestation: PathBuf,
    #[command(flatten)]
    at: At,
    #[command(flatten)]
    out: Out,
}

pub(crate) fn run(args: &ReleaseArgs) -> anyhow::Result<Answer> {
    let mut outputs = args.out.reserve_sparing([&args.key])?;
    let now = args.at.now()?;
    let key = load::key(&args.key, Role::Audience)?;
    let attestation = load::attestation(&args.attestation)?;
    let release = Release::of(&attestation, now.instant).and_then(|release| release.sign(key.signing()));
    let release = release.with_context(|| args.attestation.display().to_string())?;
    outputs.stage(&args.out.path, &release.to_bytes(), Secrecy::Public)?;
    outputs.commit()?;
    let (content, path) = (release.content(), args.out.path.display());
    let text = format!(
        "Account {} at {:?} is released from book {} ({now}).\n{path}  for your registry first (zkmargin-verify registry release), then for the venue",
        content.account, content.venue, content.book
    );
    let data = json!({
        "venue": content.venue, "account": content.account, "book": content.book, "attestation": content.attestation,
        "time": content.time, "release": path.to_string(),
    });
    Ok(Answer::new(text, data))
}
