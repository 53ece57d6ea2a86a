//! `zkmargin-verify`: checks a margin proof against a partner's policy and the partner's own files.
//!
//! Exit codes: 0 valid; 1 anything wrong inside proof or signature bytes; 2 usage, input and output, a file that does not
//! decode; 3 refused by policy; 70 internal; 141 standard output was closed before the answer was out.

mod breaker;
mod load;
#[cfg(feature = "registry")]
mod registry;

use std::panic::catch_unwind;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, anyhow};
use clap::{Args, Parser, Subcommand};
use serde_json::Value;
use zkmargin_circuits::{Parameters, ParametersError};
use zkmargin_risk::canonical::parse_hex;
use zkmargin_risk::instant::Instant;
use zkmargin_verifier::acceptance::PolicyRefusal;
use zkmargin_verifier::breaker::BreakerRefusal;
use zkmargin_verifier::envelope::FileKind;
use zkmargin_verifier::file::{default_cache_dir, read_file};
use zkmargin_verifier::journal::Journal;
#[cfg(feature = "registry")]
use zkmargin_verifier::registry::RegistryError;
use zkmargin_verifier::verify::exit;
use zkmargin_verifier::{Context, Partner, Verdict, Verifier, VerifyError, draw_nonce, load as files, words};

/// In whose name errors are said.
const TOOL: &str = "zkmargin-verify";

/// Checks a margin proof against your policy and your own copies of universe, snapshot, model and, where it needs one, price history.
///
/// Exit codes: 0 valid; 1 anything wrong inside proof or signature bytes; 2 usage, input and output, a file that does not decode;
/// 3 refused by your policy; 70 internal error; 141 standard output was closed before the answer was out.
#[derive(Debug, Parser)]
#[command(
    name = "zkmargin-verify",
    version,
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true
)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    verify: Option<VerifyArgs>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Prints 32 random bytes in hexadecimal: send them to the trader, who puts them into the statement.
    Nonce,
    /// The circuit breaker: observes snapshots, says how you stand to the market.
    #[command(subcommand)]
    Breaker(breaker::Verb),
    /// The registry: what you accepted, how every account stands.
    #[cfg(feature = "registry")]
    #[command(subcommand)]
    Registry(registry::Verb),
}

#[derive(Debug, Args)]
struct VerifyArgs {
    /// Your policy: what you accept (JSON).
    #[arg(long)]
    policy: PathBuf,
    /// Your copy of the universe (JSON).
    #[arg(long)]
    universe: PathBuf,
    /// Your copy of the market snapshot (JSON).
    #[arg(long)]
    snapshot: PathBuf,
    /// For a proof of variation margin: your copy of the later snapshot (JSON).
    #[arg(long)]
    later: Option<PathBuf>,
    /// The margin model: the name of a preset (`zkmargin model list`), or a file (JSON).
    #[arg(long)]
    model: PathBuf,
    /// Your copy of the price history (JSON), for a model that needs one.
    #[arg(long)]
    history: Option<PathBuf>,
    /// The bundle of statements and proof.
    proof: PathBuf,
    /// The nonce that you drew for this proof, 64 lower-case hexadecimal digits.
    #[arg(long, value_parser = parse_hex::<32>)]
    nonce: Option<[u8; 32]>,
    /// A publisher's signature on a snapshot; may be given several times.
    #[arg(long = "snapshot-signature", value_name = "FILE")]
    snapshot_signatures: Vec<PathBuf>,
    /// The journal of your circuit breaker, for a policy that has one.
    #[arg(long, value_name = "JOURNAL")]
    breaker: Option<PathBuf>,
    /// Records what is accepted, at most once: a path, sqlite:PATH or postgres://USER@HOST/DATABASE, made with `registry create`.
    #[cfg(feature = "registry")]
    #[arg(long, value_name = "URL")]
    registry: Option<String>,
    /// The instant at which to verify, such as 2026-08-06T12:01:00Z; by default the system's clock.
    #[arg(long)]
    at: Option<Instant>,
    /// Prints the answer as JSON.
    #[arg(long)]
    json: bool,
    /// Folder of the parameter cache; by default $XDG_CACHE_HOME/zkmargin or ~/.cache/zkmargin.
    #[arg(long, conflicts_with = "no_cache")]
    cache: Option<PathBuf>,
    /// Neither reads nor writes a parameter cache.
    #[arg(long)]
    no_cache: bool,
}

/// A refusal with its exit code.
#[derive(Debug)]
struct Failure {
    code: u8,
    error: anyhow::Error,
}

impl Failure {
    fn usage(error: impl Into<anyhow::Error>) -> Failure {
        Failure {
            code: exit::USAGE,
            error: error.into(),
        }
    }
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    // A panic is an error of ours, not of the input: it must not look like a refusal.
    match catch_unwind(|| run(&cli)) {
        Ok(code) => ExitCode::from(code),
        Err(_) => ExitCode::from(exit::INTERNAL),
    }
}

fn run(cli: &Cli) -> u8 {
    match (&cli.command, &cli.verify) {
        (Some(Command::Nonce), _) => match nonce() {
            Ok(text) => words::answer(TOOL, &text, exit::OK),
            Err(error) => refuse(
                &Failure {
                    code: exit::INTERNAL,
                    error,
                },
                None,
            ),
        },
        (Some(Command::Breaker(verb)), _) => breaker::run(verb),
        #[cfg(feature = "registry")]
        (Some(Command::Registry(verb)), _) => registry::run(verb),
        (None, Some(args)) => match verify(args) {
            Ok((verdict, clock)) => answer(args, &verdict, clock),
            Err(failure) => refuse(
                &failure,
                args.json
                    .then(|| serde_json::json!({ "valid": false, "exit": failure.code })),
            ),
        },
        (None, None) => refuse(&Failure::usage(anyhow!("nothing to verify: see --help")), None),
    }
}

fn nonce() -> anyhow::Result<String> {
    Ok(hex::encode(
        draw_nonce().context("no randomness from the operating system")?,
    ))
}

/// The verdict, and by which clock.
fn verify(args: &VerifyArgs) -> Result<(Verdict, &'static str), Failure> {
    let policy = load::policy(&args.policy)?;
    #[cfg(feature = "registry")]
    let mut registry = match &args.registry {
        Some(url) => Some(registry::open_for(url, &policy)?),
        None => None,
    };
    let universe = files::universe(&args.universe).map_err(Failure::usage)?;
    let snapshot = files::snapshot(&args.snapshot).map_err(Failure::usage)?;
    let later = args.later.as_deref().map(files::snapshot).transpose();
    let later = later.map_err(Failure::usage)?;
    let model = files::model(&args.model)
        .context("--model")
        .and_then(|model| files::with_history(model, args.history.as_deref()).context("--history"))
        .map_err(Failure::usage)?;
    let signatures = load::signatures(&args.snapshot_signatures)?;
    let bundle = read_file(&args.proof, FileKind::Bundle.max_bytes()).map_err(Failure::usage)?;

    let cache = if args.no_cache {
        None
    } else {
        args.cache.clone().or_else(default_cache_dir)
    };
    let parameters = Parameters::load(universe.k(), cache.as_deref()).map_err(|error| Failure {
        code: if matches!(error, ParametersError::UnsupportedK { .. }) {
            exit::USAGE
        } else {
            exit::INTERNAL
        },
        error: error.into(),
    })?;
    let verifier = Verifier::new(Context {
        universe: &universe,
        snapshot: &snapshot,
        later: later.as_ref(),
        model: &model,
        parameters: &parameters,
    });
    // Held until the answer is recorded: nothing is accepted on a stance that was just left.
    let journal = args.breaker.as_deref().map(Journal::share).transpose();
    let journal = journal.map_err(Failure::usage)?;
    let breaker = journal.as_ref().map(breaker::of).transpose()?;
    // Now, and not before whatever was waited for.
    let (at, clock) = match args.at {
        Some(at) => (at, "the instant given with --at"),
        None => (load::instant(None)?, "the system's clock"),
    };
    #[cfg(feature = "registry")]
    let (at, clock) = match registry.as_mut().map(|registry| registry.now(at)).transpose() {
        Ok(Some(now)) if now > at => (now, "the registry's clock, which is ahead"),
        Ok(_) => (at, clock),
        Err(error) => return Err(registry::failure(error)),
    };
    let partner = Partner::new(&policy, args.nonce).map_err(Failure::usage)?;
    let partner = partner.with_signatures(&signatures).with_breaker(breaker.as_ref());
    let refused = |code: u8, error: anyhow::Error| {
        let error = error.context(format!("{}: refused at {at}", args.proof.display()));
        Failure { code, error }
    };
    let unverified = |error: VerifyError| refused(error.exit_code(), with_missing_flag(error));
    #[cfg(feature = "registry")]
    if let Some(registry) = &mut registry {
        let accepted = registry.accept(&partner, &verifier, &bundle, at);
        let accepted = accepted.map_err(|error| match error {
            RegistryError::Verify(error) => unverified(*error),
            error if error.is_refusal() => refused(error.exit_code(), error.into()),
            error => registry::failure(error),
        });
        return Ok((accepted?, clock));
    }
    let verdict = verifier.verify(&partner, &bundle, at).map_err(unverified)?;
    Ok((verdict, clock))
}

/// A refusal for want of something that a flag gives names that flag, of which the library knows nothing.
fn with_missing_flag(error: VerifyError) -> anyhow::Error {
    let flag = match error {
        VerifyError::Policy(PolicyRefusal::NonceNotGiven) => "--nonce",
        VerifyError::Breaker(BreakerRefusal::NotGiven) => "--breaker",
        _ => return error.into(),
    };
    anyhow!("{flag}: {error}")
}

fn answer(args: &VerifyArgs, verdict: &Verdict, clock: &str) -> u8 {
    let text = if args.json {
        let value = serde_json::json!({ "valid": true, "exit": exit::OK, "verdict": verdict });
        format!("{value:#}")
    } else {
        format!("{verdict}\nVerified at {}, {clock}.", verdict.at)
    };
    words::answer(TOOL, &text, exit::OK)
}

/// Says why not, on standard error, and with `--json`, when `data` is given, also as data on standard output.
fn refuse(failure: &Failure, data: Option<Value>) -> u8 {
    let error = words::describe(failure.error.as_ref());
    if let Some(mut value) = data {
        value["error"] = Value::from(error.as_str());
        // The exit code says it all even if nobody reads standard output.
        let _ = words::print(&format!("{value:#}"));
    }
    words::complain(TOOL, &error);
    failure.code
}

/// The answer of a verb, as text or data.
fn respond(json: bool, answer: Result<(String, Value), Failure>) -> u8 {
    match answer {
        Ok((text, mut data)) => {
            data["exit"] = Value::from(exit::OK);
            let text = if json { format!("{data:#}") } else { text };
            words::answer(TOOL, &text, exit::OK)
        }
        Err(failure) => {
            let data = json.then(|| serde_json::json!({ "exit": failure.code }));
            refuse(&failure, data)
        }
    }
}
