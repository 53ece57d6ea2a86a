//! `zkmargin demo` (being written).
use clap::Args;
use crate::answer::Answer;
/// `demo`.
#[derive(Debug, Args)]
pub(crate) struct Demo {}
pub(crate) fn run(_args: &Demo, _as_json: bool) -> anyhow::Result<Answer> { anyhow::bail!("being written") }
