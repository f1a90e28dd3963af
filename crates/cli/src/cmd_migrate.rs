//! `cabotage migrate`.

use std::path::PathBuf;

use cabotage::Environment;
use cabotage_core::Result;
use cabotage_engine::{KeysFile, Options};
use clap::Args;

use crate::cmd_shards::ShardArgs;
use crate::delete_args::DeleteArgs;
use crate::exit_code::Exit;
use crate::job_args::JobArgs;
use crate::options::Common;
use crate::output::Failure;
use crate::run_job::{Verb, run_job};
use crate::screen::Screen;

#[derive(Args, Debug)]
#[command(group = clap::ArgGroup::new("name_files").args(["keys_from", "archived_list"]).multiple(true))]
pub(crate) struct MigrateArgs {
    #[command(flatten)]
    job: JobArgs,
    /// Only the objects named in the file, one a line, relative to SOURCE
    #[arg(long, value_name = "FILE")]
    keys_from: Option<PathBuf>,
    /// Write the names of objects that are archived at the source, for --keys-from once they are restored
    #[arg(long, value_name = "FILE")]
    archived_list: Option<PathBuf>,
    /// Names in the files of --keys-from and --archived-list end in NUL instead of a newline
    #[arg(short = '0', long, requires = "name_files")]
    null: bool,
    /// Copy at most so many objects, then end
    #[arg(long, value_name = "N")]
    max_objects: Option<u64>,
    #[command(flatten)]
    shard: ShardArgs,
    #[command(flatten)]
    delete: DeleteArgs,
    /// Go on with a job that a cut-over has closed
    #[arg(long)]
    reopen: bool,
    /// Decide and report, write nothing
    #[arg(long)]
    dry_run: bool,
}

impl MigrateArgs {
    /// The job without what is asked of one run alone, with that report.
    pub(crate) fn into_job(self, report: Option<PathBuf>) -> JobArgs {
        self.job.with_report(report)
    }
}

pub(crate) async fn run(args: &MigrateArgs, common: &Common, screen: &Screen) -> Result<Exit, Failure> {
    let stores = common.stores()?;
    let options = options(args, stores.environment())?;
    run_job(Verb::Migrate, &args.job, options, &stores, common, screen).await
}

fn options(args: &MigrateArgs, environment: &Environment) -> Result<Options> {
    let names =
        |path: &Option<PathBuf>| path.clone().map(|path| KeysFile { path, null_separated: args.null });
    let mut options = args.job.options(environment)?;
    options.selection.keys_from = names(&args.keys_from);
    options.archived_list = names(&args.archived_list);
    options.max_objects = args.max_objects;
    options.delete = args.delete.policy();
    options.shard = args.shard.shard()?;
    options.reopen = args.reopen;
    options.dry_run = args.dry_run;
    Ok(options)
}
