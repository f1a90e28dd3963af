//! `cabotage retry`.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use cabotage_core::{Error, ErrorKind, Result};
use cabotage_engine::{Invocation, KeysFile, LedgerOptions, Options};
use clap::{Args, Parser as _};

use crate::cmd_failures::{Filter, terminated};
use crate::exit_code::Exit;
use crate::job_args::JobArgs;
use crate::ledgers::{KnownLedger, Ledgers, RunName, StateArg};
use crate::limit_args::LimitArgs;
use crate::options::{Cli, Command, Common};
use crate::output::Failure;
use crate::run_job::{Verb, run_job};
use crate::screen::Screen;
use crate::telemetry_args::TelemetryArgs;

#[derive(Args, Debug)]
pub(crate) struct RetryArgs {
    /// The run, as `cabotage runs` names it; a ledger's name alone: all objects that are not done
    run: RunName,
    #[command(flatten)]
    filter: Filter,
    #[command(flatten)]
    limits: LimitArgs,
    #[command(flatten)]
    telemetry: TelemetryArgs,
    #[command(flatten)]
    state: StateArg,
    /// Write the report as JSON
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
}

/// What is run: the job, as it was typed last, for some names.
struct Retry {
    folder: PathBuf,
    names: tempfile::NamedTempFile,
    run: i64,
    invocation: Invocation,
}

pub(crate) async fn run(args: &RetryArgs, common: &Common, screen: &Screen) -> Result<Exit, Failure> {
    let Some(retry) = prepare(args, common, screen)? else {
        screen.line("note: no object of that run is left to be tried again");
        return Ok(Exit::Success);
    };
    let common = common.in_any_folder()?;
    let report = args.report.as_deref().map(absolute).transpose()?;
    let (job, common) = job(&retry.invocation, &common, report)?;
    let job = job.limited_by(args.limits).watched_by(args.telemetry);
    // Paths of the recorded command are relative to where it was typed.
    std::env::set_current_dir(&retry.invocation.folder).map_err(|error| {
        let text =
            format!("the folder {} of the recorded run can't be used: {error}", retry.invocation.folder);
        Error::new(ErrorKind::InvalidConfig, text)
    })?;
    let stores = common.stores()?;
    let mut options = Options {
        manifest: None,
        invocation: Some(retry.invocation),
        retry_of: Some(retry.run),
        state_dir: retry.folder,
        ledger: LedgerOptions::default(),
        ..job.options(stores.environment())?
    };
    options.selection.keys_from =
        Some(KeysFile { path: retry.names.path().to_owned(), null_separated: true });
    run_job(Verb::Migrate, &job, options, &stores, &common, screen).await
}

/// Finds the run and writes the names of its troubles into a file that goes away with the retry; none where nothing is left.
fn prepare(args: &RetryArgs, common: &Common, screen: &Screen) -> Result<Option<Retry>, Failure> {
    let ledgers = Ledgers::open(&args.state, common, screen)?;
    let folder = absolute(&ledgers.folder)?;
    let (ledger, run) = ledgers.find(&args.run)?;
    let (latest, invocation) = latest_migration(ledger)?;
    let unwritten = |error: std::io::Error| {
        let text = format!("the list of names in {} can't be written: {error}", folder.display());
        Error::new(ErrorKind::NoSpace, text)
    };
    let names = tempfile::Builder::new().prefix("retry-").tempfile_in(&folder).map_err(unwritten)?;
    let mut writer = std::io::BufWriter::new(names.as_file());
    let taken = args.filter.each(&ledger.reader, args.run.number(), |trouble| {
        let name = terminated(&trouble.name)?;
        Ok(writer.write_all(name.as_bytes()).map_err(unwritten)?)
    })?;
    writer.flush().map_err(unwritten)?;
    drop(writer);
    let run = run.map_or(latest, |run| run.id);
    Ok((taken > 0).then_some(Retry { folder: folder.clone(), names, run, invocation }))
}

/// The newest run of `migrate` in the ledger that tells what was typed: its rules are those in force.
fn latest_migration(ledger: &KnownLedger) -> Result<(i64, Invocation)> {
    let typed = |run: &cabotage_engine::RunRecord| {
        let invocation = Invocation::of_settings(&run.settings)?;
        parsed(&invocation)
            .is_some_and(|cli| matches!(cli.command, Command::Migrate(_)))
            .then_some((run.id, invocation))
    };
    ledger.runs.iter().rev().find_map(typed).ok_or_else(|| {
        let text = format!("the ledger {} has no run of `migrate` that tells what was typed", ledger.name);
        Error::new(ErrorKind::InvalidConfig, text)
            .help("run `cabotage migrate` with this job's source and destination once more")
    })
}

fn parsed(invocation: &Invocation) -> Option<Cli> {
    let arguments = std::iter::once("cabotage").chain(invocation.arguments.iter().map(String::as_str));
    Cli::try_parse_from(arguments).ok()
}

/// The recorded job, with the report of this run, and what every verb takes: from this command line where it says so.
fn job(invocation: &Invocation, common: &Common, report: Option<PathBuf>) -> Result<(JobArgs, Common)> {
    match parsed(invocation) {
        Some(Cli { command: Command::Migrate(migrate), common: recorded }) => {
            Ok((migrate.into_job(report), recorded.overridden_by(common)))
        }
        _ => Err(Error::new(ErrorKind::Internal, "the recorded run is no run of `migrate`")),
    }
}

fn absolute(path: &Path) -> Result<PathBuf> {
    std::path::absolute(path).map_err(|error| {
        Error::new(ErrorKind::InvalidConfig, format!("the path {} can't be used: {error}", path.display()))
    })
}
