//! `zkmargin-verify`: checks a margin proof against a partner's policy and the partner's own files.
//!
//! Exit codes: 0 valid; 1 anything wrong inside proof or signature bytes; 2 usage, input and output, a file that does not
//! decode; 3 refused by policy; 70 internal; 141 standard output was closed before the answer was out.

use std::panic::catch_unwind;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, anyhow, bail};
use clap::{Args, Parser, Subcommand};
use zkmargin_circuits::{Parameters, ParametersError};
use zkmargin_risk::canonical::parse_hex;
use zkmargin_risk::history::History;
use zkmargin_risk::instant::Instant;
use zkmargin_risk::json::MAX_BYTES;
use zkmargin_risk::market::Snapshot;
use zkmargin_risk::model::{Model, PRESETS};
use zkmargin_risk::universe::Universe;
use zkmargin_verifier::envelope::FileKind;
use zkmargin_verifier::facts::check_venue_keys;
use zkmargin_verifier::file::{default_cache_dir, read_file};
use zkmargin_verifier::policy::MAX_POLICY_BYTES;
use zkmargin_verifier::verify::exit;
use zkmargin_verifier::{Context, Policy, Verdict, verify_bundle, words};

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
    /// The nonce that you drew for this proof, 64 hexadecimal digits.
    #[arg(long, value_parser = parse_hex::<32>)]
    nonce: Option<[u8; 32]>,
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
    fn usage(error: anyhow::Error) -> Failure {
        Failure {
            code: exit::USAGE,
            error,
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
        (None, Some(args)) => match verify(args) {
            Ok(verdict) => answer(args, &verdict),
            Err(failure) => refuse(&failure, Some(args)),
        },
        (None, None) => refuse(&Failure::usage(anyhow!("nothing to verify: see --help")), None),
    }
}

fn nonce() -> anyhow::Result<String> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).context("no randomness from the operating system")?;
    Ok(hex::encode(bytes))
}

fn verify(args: &VerifyArgs) -> Result<Verdict, Failure> {
    let at = match args.at {
        Some(at) => at,
        None => now().map_err(|error| Failure {
            code: exit::INTERNAL,
            error,
        })?,
    };
    let policy = load(&args.policy, MAX_POLICY_BYTES, |bytes| Ok(Policy::from_json(bytes)?)).map_err(Failure::usage)?;
    let universe = load(&args.universe, MAX_BYTES, |bytes| {
        let universe = Universe::from_json(text(bytes)?)?;
        check_venue_keys(&universe)?;
        Ok(universe)
    })
    .map_err(Failure::usage)?;
    let snapshot = load(&args.snapshot, MAX_BYTES, |bytes| {
        Ok(Snapshot::from_json(text(bytes)?)?)
    })
    .map_err(Failure::usage)?;
    let later = args
        .later
        .as_ref()
        .map(|path| load(path, MAX_BYTES, |bytes| Ok(Snapshot::from_json(text(bytes)?)?)));
    let later = later.transpose().map_err(Failure::usage)?;
    let model = load_model(&args.model)
        .and_then(|model| with_history(model, args.history.as_deref()))
        .map_err(Failure::usage)?;
    let bundle = read_file(&args.proof, FileKind::Bundle.max_bytes()).map_err(|error| Failure::usage(error.into()))?;

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
    let context = Context {
        universe: &universe,
        snapshot: &snapshot,
        later: later.as_ref(),
        model: &model,
        parameters: &parameters,
    };
    verify_bundle(&context, &policy, args.nonce, &bundle, at).map_err(|error| {
        let code = error.exit_code();
        let error = anyhow::Error::from(error).context(format!("{}: refused at {at}", args.proof.display()));
        Failure { code, error }
    })
}

/// Reads a file and what is in it; an error names the file.
fn load<T>(path: &Path, cap: usize, read: impl FnOnce(&[u8]) -> anyhow::Result<T>) -> anyhow::Result<T> {
    let bytes = read_file(path, cap)?;
    read(&bytes).with_context(|| path.display().to_string())
}

fn text(bytes: &[u8]) -> anyhow::Result<&str> {
    std::str::from_utf8(bytes).context("not UTF-8")
}

fn load_model(name: &Path) -> anyhow::Result<Model> {
    let preset = name
        .to_str()
        .filter(|name| PRESETS.iter().any(|(preset, _)| preset == name));
    match preset {
        Some(preset) => Ok(Model::preset(preset)?),
        None if !name.exists() => bail!("--model: {}", words::no_model(name)),
        None => load(name, MAX_BYTES, |bytes| Ok(Model::from_json(text(bytes)?)?)),
    }
}

/// The model with the history that it needs.
fn with_history(model: Model, path: Option<&Path>) -> anyhow::Result<Model> {
    match (path, model.history()) {
        (None, None) => Ok(model),
        (None, Some(digest)) => bail!("--history: {}", words::no_history(model.name(), digest)),
        (Some(path), _) => {
            let history = load(path, MAX_BYTES, |bytes| Ok(History::from_json(text(bytes)?)?))?;
            model.with_history(history).with_context(|| path.display().to_string())
        }
    }
}

fn now() -> anyhow::Result<Instant> {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .context("the system's clock is before 1970")?;
    Ok(Instant::from_millis(u64::try_from(since.as_millis())?)?)
}

fn answer(args: &VerifyArgs, verdict: &Verdict) -> u8 {
    let text = if args.json {
        let value = serde_json::json!({ "valid": true, "exit": exit::OK, "verdict": verdict });
        format!("{value:#}")
    } else {
        let clock = if args.at.is_some() {
            "the instant given with --at"
        } else {
            "the system's clock"
        };
        format!("{verdict}\nVerified at {}, {clock}.", verdict.at)
    };
    words::answer(TOOL, &text, exit::OK)
}

/// Says why not, on standard error, with `--json` also as data on standard output.
fn refuse(failure: &Failure, args: Option<&VerifyArgs>) -> u8 {
    let error = words::describe(failure.error.as_ref());
    if args.is_some_and(|args| args.json) {
        let value = serde_json::json!({ "valid": false, "exit": failure.code, "error": error });
        // The exit code says it all even if nobody reads standard output.
        let _ = words::print(&format!("{value:#}"));
    }
    words::complain(TOOL, &error);
    failure.code
}
