//! `cabotage ledger`.

use std::path::{Path, PathBuf};

use cabotage_core::{Error, ErrorKind, Result};
use cabotage_engine::{Adopt, LedgerOptions, LedgerReader, Options};
use clap::{Args, Subcommand, ValueEnum};

use crate::exit_code::{self, Exit};
use crate::job_args::{JobArgs, state_dir};
use crate::ledgers::ledger_files;
use crate::options::Common;
use crate::output::{Failure, Output};
use crate::run_job::{self, run_job};
use crate::screen::Screen;
use crate::{ledger_merge, ledger_show};

#[derive(Args, Debug)]
pub(crate) struct LedgerArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Makes the ledger anew of what both ends hold; nothing is written to either. The old one is kept beside it.
    Rebuild(Box<RebuildArgs>),
    /// Puts the ledgers of a job's shards together as the whole job's, and tells what their last runs came to.
    ///
    /// From then on the job goes on without --shard: `verify`, `cutover` and `retry` take all of it. Each shard has to have
    /// run to an end. When it was cut off, the same command ends it.
    #[command(after_help = exit_code::HELP)]
    Merge(ledger_merge::MergeArgs),
    /// Shows all that a ledger knows of an object.
    Show(ledger_show::ShowArgs),
    /// Copies a ledger into a new file, also while a run goes on.
    Backup(BackupArgs),
}

#[derive(Args, Debug)]
struct RebuildArgs {
    #[command(flatten)]
    job: JobArgs,
    /// What proves that an object has arrived
    #[arg(long, value_enum, value_name = "WHAT", default_value = "content")]
    by: By,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum By {
    /// Both ends are read whole and compared
    Content,
    /// Equal sizes are enough; no proof, and recorded so
    Size,
}

#[derive(Args, Debug)]
struct BackupArgs {
    /// The new file
    file: PathBuf,
    /// The ledger's file [default: the only one in the state folder]
    #[arg(long, value_name = "FILE")]
    ledger: Option<PathBuf>,
    /// Folder of the ledgers [default: $XDG_STATE_HOME/cabotage, else ~/.local/state/cabotage]
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
}

pub(crate) async fn run(args: &LedgerArgs, common: &Common, screen: &Screen) -> Result<Exit, Failure> {
    match &args.verb {
        Verb::Rebuild(args) => Box::pin(rebuild(args, common, screen)).await,
        Verb::Merge(args) => Box::pin(ledger_merge::run(args, common, screen)).await,
        Verb::Show(args) => ledger_show::run(args, common, screen),
        Verb::Backup(args) => backup(args, common),
    }
}

async fn rebuild(args: &RebuildArgs, common: &Common, screen: &Screen) -> Result<Exit, Failure> {
    let stores = common.stores()?;
    let options = args.job.options(stores.environment())?;
    let adopt = match args.by {
        By::Content => Adopt::Content,
        By::Size => Adopt::Size,
    };
    let ledger = LedgerOptions { rebuild: true, ..options.ledger };
    let options = Options { adopt: Some(adopt), ledger, ..options };
    run_job(run_job::Verb::Migrate, &args.job, options, &stores, common, screen).await
}

fn backup(args: &BackupArgs, common: &Common) -> Result<Exit, Failure> {
    let ledger = match &args.ledger {
        Some(file) => file.clone(),
        None => only_ledger(&state_dir(args.state.as_deref(), common.stores()?.environment())?)?,
    };
    LedgerReader::open(&ledger)?.backup(&args.file)?;
    let mut output = Output::new();
    output.line(format!("{} is copied to {}", ledger.display(), args.file.display()))?;
    output.finish()?;
    Ok(Exit::Success)
}

/// The one ledger in that folder.
fn only_ledger(folder: &Path) -> Result<PathBuf> {
    let wrong = |text: String| Error::new(ErrorKind::InvalidConfig, text);
    let ledgers = ledger_files(folder)?;
    match ledgers.as_slice() {
        [only] => Ok(only.clone()),
        [] => Err(wrong(format!("there is no ledger in {}", folder.display()))
            .help("name the folder with --state, or the file with --ledger")),
        several => {
            Err(wrong(format!("there are {} ledgers in {}", several.len(), folder.display())).help(format!(
                "name one with --ledger: {}",
                several.iter().map(|path| told(path)).collect::<Vec<_>>().join(", ")
            )))
        }
    }
}

fn told(path: &Path) -> String {
    let job = LedgerReader::open(path).and_then(|reader| reader.job());
    let job = job
        .map_or_else(|_| "can't be read".to_owned(), |job| format!("{} to {}", job.source, job.destination));
    format!("{} ({job})", path.display())
}
