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
use crate::tasks::{self, TasksArgs, task};

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
    tasks: TasksArgs,
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

    fn refuse_with_tasks(&self) -> Result<()> {
        let named = self.shard.shard.is_some() || self.shard.shard_plan.is_some();
        let whole = "it needs the whole job in one process";
        let metrics = "each task is a run of its own; `cabotage status` and the progress here tell of all";
        tasks::refuse(&[
            ("--shard", named, "it names one shard of a plan, and --tasks makes a plan and runs all of them"),
            ("--keys-from", self.keys_from.is_some(), whole),
            ("--max-objects", self.max_objects.is_some(), whole),
            ("--acl-export", self.job.acl_export.is_some(), whole),
            ("--dry-run", self.dry_run, "a dry run only lists and decides, which one process does"),
            (
                "--reopen",
                self.reopen,
                "a job that was closed is reopened as a whole, by a run without --tasks",
            ),
            ("--metrics", self.job.telemetry.serves_metrics(), metrics),
        ])
    }
}

pub(crate) async fn run(args: &MigrateArgs, common: &Common, screen: &Screen) -> Result<Exit, Failure> {
    let stores = common.stores()?;
    if let Some(wanted) = args.tasks.wanted() {
        args.refuse_with_tasks()?;
        let options = options(args, &args.job, stores.environment())?;
        return Box::pin(tasks::run(&wanted, &args.job, options, &stores, common, screen)).await;
    }
    if !args.shard.is_of_task() {
        let options = options(args, &args.job, stores.environment())?;
        return run_job(Verb::Migrate, &args.job, options, &stores, common, screen).await;
    }
    let job = args.job.divided_by(task::count(stores.environment())?);
    let options = options(args, &job, stores.environment())?;
    // How it ended is in its ledger. A task that failed would be begun anew, and come to the same end.
    run_job(Verb::Migrate, &job, options, &stores, common, screen).await.map(|_| Exit::Success)
}

fn options(args: &MigrateArgs, job: &JobArgs, environment: &Environment) -> Result<Options> {
    let names =
        |path: &Option<PathBuf>| path.clone().map(|path| KeysFile { path, null_separated: args.null });
    let mut options = job.options(environment)?;
    options.selection.keys_from = names(&args.keys_from);
    options.archived_list = names(&args.archived_list);
    options.max_objects = args.max_objects;
    options.delete = args.delete.policy();
    options.reopen = args.reopen;
    options.dry_run = args.dry_run;
    if let Some((number, plan)) = args.shard.chosen(environment)? {
        options.shard = Some(plan.shard(number)?);
        if args.shard.is_of_task() {
            task::adapt(&mut options, number, &plan, environment);
        }
    }
    Ok(options)
}
