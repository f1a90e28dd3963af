//! `cabotage ledger merge`.

use std::path::PathBuf;

use cabotage::{Location, Role};
use cabotage_core::{Error, ErrorKind, Result};
use cabotage_engine::{Merged, ShardedJob};
use clap::Args;

use crate::cmd_shards::read_plan;
use crate::exit_code::Exit;
use crate::job_args::state_dir;
use crate::limit_args::LimitArgs;
use crate::options::{Common, SseCKeys};
use crate::output::{Failure, Output};
use crate::report_file::ReportFile;
use crate::run_job::{open_both, side, tell};
use crate::screen::Screen;

#[derive(Args, Debug)]
pub(crate) struct MergeArgs {
    /// Where the objects come from, as given to `migrate`
    source: String,
    /// Where they go
    destination: String,
    /// The plan that the shards were run with
    #[arg(long, value_name = "FILE")]
    shard_plan: PathBuf,
    /// Folder of the ledgers [default: $XDG_STATE_HOME/cabotage, else ~/.local/state/cabotage]
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// A folder with ledgers of shards that another machine has run; it is only read (can be given several times)
    #[arg(long, value_name = "DIR")]
    from: Vec<PathBuf>,
    /// Write the report of all shards as JSON
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
}

pub(crate) async fn run(args: &MergeArgs, common: &Common, screen: &Screen) -> Result<Exit, Failure> {
    let file = args.report.as_deref().map(ReportFile::new).transpose()?;
    let merged = merge(args, common).await?;
    if !common.quiet {
        screen.line(&format!("note: {}", summary(&merged)));
    }
    match &merged.report {
        Some(report) => {
            tell(report, file)?;
            Ok(Exit::from(report.ending))
        }
        None => {
            let mut output = Output::new();
            output.line(summary(&merged))?;
            output.finish()?;
            Ok(Exit::Success)
        }
    }
}

async fn merge(args: &MergeArgs, common: &Common) -> Result<Merged> {
    let plan = read_plan(&args.shard_plan)?;
    let (source, destination) = (Location::parse(&args.source)?, Location::parse(&args.destination)?);
    let stores = common.stores()?;
    let state_dir = state_dir(args.state.as_deref(), stores.environment())?;
    let keys = SseCKeys { source_sse_c_key_file: None, destination_sse_c_key_file: None };
    // Both for reading: what is missing is not made.
    let (source, destination) =
        open_both((&source, &destination), &keys, &LimitArgs::default(), Role::Source, &stores, common)
            .await?;
    let job = ShardedJob::new(state_dir, &side(source), &side(destination), plan)?;
    let from = args.from.clone();
    let merged = tokio::task::spawn_blocking(move || job.merge(&from)).await;
    merged.map_err(|error| Error::new(ErrorKind::Internal, "the merger was cut off").caused_by(error))?
}

fn summary(merged: &Merged) -> String {
    let Merged { ledger, shards, before, .. } = merged;
    let done = if *before { "were put together before" } else { "are put together" };
    format!("the ledgers of {shards} shards {done}: {}", ledger.display())
}
