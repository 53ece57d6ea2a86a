//! `zkmargin keygen`.

use clap::{Args, ValueEnum};
use serde_json::json;
use zkmargin_prover::keys::{KeyFile, Role};
use zkmargin_verifier::output::Secrecy;

use crate::answer::Answer;
use crate::load::Out;

/// `keygen`: the key goes into a file that only you can read; the public half is printed.
#[derive(Debug, Args)]
pub(crate) struct Keygen {
    /// Whose key.
    role: RoleArg,
    #[command(flatten)]
    out: Out,
}

#[derive(Copy, Clone, Debug, ValueEnum)]
enum RoleArg {
    /// Signs attestations. The file also has the secret behind the venue's pseudonyms of accounts: keep it when the key is changed.
    Venue,
    /// Who trades: registered with the venues, signs statements.
    Subject,
    /// Who is told: the partner whom statements are made to.
    Audience,
    /// Who signs snapshots, so that partners know whose they are.
    Publisher,
}

pub(crate) fn run(args: &Keygen) -> anyhow::Result<Answer> {
    let role = match args.role {
        RoleArg::Venue => Role::Venue,
        RoleArg::Subject => Role::Subject,
        RoleArg::Audience => Role::Audience,
        RoleArg::Publisher => Role::Publisher,
    };
    let mut outputs = args.out.reserve()?;
    let key = KeyFile::generate(role)?;
    outputs.stage(&args.out.path, key.to_json().as_bytes(), Secrecy::Secret)?;
    outputs.commit()?;
    let (public, path) = (key.public(), args.out.path.display());
    Ok(Answer::new(
        format!("{public}\n\nThe public key of the {role}; the secret one is in {path}, which only you can read."),
        json!({ "role": role.word(), "public": public, "file": path.to_string() }),
    ))
}
