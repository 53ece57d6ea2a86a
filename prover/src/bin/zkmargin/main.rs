//! `zkmargin`: the tool of venues, traders and researchers. The partner's tool is `zkmargin-verify`.
//!
//! Exit codes: 0 done; 1 anything wrong inside proof or signature bytes; 2 usage, input and output, a file that does not decode;
//! 3 refused by policy or facts; 4 margin not met, or not provable; 70 internal; 141 standard output was closed before the answer was out.

mod answer;
mod attest;
mod bench;
mod clock;
mod demo;
mod failure;
mod history;
mod hold;
mod inspect;
mod keygen;
#[cfg(feature = "ledger")]
mod ledger;
mod load;
mod manual;
mod margin;
mod model;
mod prove;
mod prove_batch;
mod release;
mod schema;
mod sign;
mod snapshot;
mod universe;
mod update;

use std::io::IsTerminal as _;
use std::panic::{catch_unwind, set_hook};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use zkmargin_verifier::verify::exit;
use zkmargin_verifier::words;

use crate::answer::Answer;
use crate::failure::TOOL;

/// Proves the margin of a hidden portfolio, for venues and traders.
///
/// A venue attests what an account holds without showing it; the trader proves that attested accounts together meet a public margin model on a
/// public market snapshot; a partner checks the proof with `zkmargin-verify`. Begin with `zkmargin demo`.
///
/// Exit codes: 0 done; 1 a wrong proof or signature; 2 usage, input and output, a file that does not decode; 3 refused by policy or facts; 4 margin not
/// met, or not provable; 70 internal error; 141 standard output was closed before the answer was out (files are written all the same).
#[derive(Debug, Parser)]
#[command(
    name = "zkmargin",
    version,
    subcommand_required = true,
    arg_required_else_help = true
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Prints the answer as JSON.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Market snapshots: prices, volatilities and forwards of one instant.
    #[command(subcommand)]
    Snapshot(snapshot::Verb),
    /// Price histories: a close a day, for models that look back.
    #[command(subcommand)]
    History(history::Verb),
    /// Universes: which venues and instruments there are, and where each stands in a commitment.
    #[command(subcommand)]
    Universe(universe::Verb),
    /// Makes a key: of a venue, a subject (who trades), an audience (who is told) or a publisher (of snapshots).
    Keygen(keygen::Keygen),
    /// What a venue does: attest an account, keep its running commitment.
    #[command(subcommand)]
    Venue(VenueVerb),
    /// What an audience signs to give an account back to its venue before the attestation expires.
    Release(release::ReleaseArgs),
    /// The private margin report of one or more accounts.
    Margin(margin::Margin),
    /// Proves that attested accounts together meet a margin model.
    Prove(prove::Prove),
    /// Proves many accounts to one audience, several in a proof.
    ProveBatch(prove_batch::ProveBatch),
    /// Margin models: what there are, what one says and costs, what it makes of a case.
    #[command(subcommand)]
    Model(model::Verb),
    /// What proofs cost on this machine.
    Bench(bench::Bench),
    /// Says what is in a file, without its secrets.
    Inspect(inspect::Inspect),
    /// The JSON Schemas of the files that people write.
    Schema(schema::Schema),
    /// The whole story, told on a real option chain in a folder that it leaves behind.
    Demo(demo::Demo),
    /// Prints a completion script for a shell.
    #[command(hide = true)]
    Completions(manual::Completions),
    /// Prints a manual page.
    #[command(hide = true)]
    Man(manual::Man),
}

#[derive(Debug, Subcommand)]
enum VenueVerb {
    /// Attests an account: a signed attestation for the partner and the trader, a secret opening for the trader.
    Attest(attest::Attest),
    /// Keeps the running commitment to an account: begins one, or applies fills to it.
    Update(update::Update),
    /// Keeps all accounts, their fills and commitments in a database, and pledges none of them twice.
    #[cfg(feature = "ledger")]
    #[command(subcommand)]
    Ledger(ledger::Verb),
}

/// Runs one command line. The demonstration comes through here, too.
fn run(cli: &Cli) -> anyhow::Result<Answer> {
    match &cli.command {
        Command::Snapshot(verb) => snapshot::run(verb),
        Command::History(verb) => history::run(verb),
        Command::Universe(verb) => universe::run(verb),
        Command::Keygen(verb) => keygen::run(verb),
        Command::Venue(VenueVerb::Attest(verb)) => attest::run(verb),
        Command::Venue(VenueVerb::Update(verb)) => update::run(verb),
        #[cfg(feature = "ledger")]
        Command::Venue(VenueVerb::Ledger(verb)) => ledger::run(verb),
        Command::Release(verb) => release::run(verb),
        Command::Margin(verb) => margin::run(verb),
        Command::Prove(verb) => prove::run(verb),
        Command::ProveBatch(verb) => prove_batch::run(verb),
        Command::Model(verb) => model::run(verb),
        Command::Bench(verb) => bench::run(verb),
        Command::Schema(verb) => schema::run(verb),
        Command::Inspect(verb) => inspect::run(verb),
        Command::Demo(verb) => demo::run(verb, cli.json),
        Command::Completions(verb) => manual::completions(verb),
        Command::Man(verb) => manual::man(verb),
    }
}

fn main() -> ExitCode {
    // The place says enough; a message could hold what is in a secret file.
    set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        words::complain(TOOL, &format!("internal error at {place}: please report it"));
    }));
    ExitCode::from(catch_unwind(respond).unwrap_or(exit::INTERNAL))
}

fn respond() -> u8 {
    let cli = Cli::parse();
    let filter = tracing_subscriber::EnvFilter::try_from_env("ZKMARGIN_LOG").unwrap_or_else(|_| "warn".into());
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .without_time()
        .init();
    if let Err(error) = zkmargin_prover::signal::watch() {
        tracing::warn!("no signal handler, an interrupted command may leave temporary files: {error}");
    }
    match run(&cli) {
        Ok(answer) => answer.print(cli.json),
        Err(error) => failure::report(&error, cli.json),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::Cli;

    #[test]
    fn command_line_is_well_formed() {
        Cli::command().debug_assert();
    }
}
