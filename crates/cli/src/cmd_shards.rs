//! `cabotage shards`.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use cabotage::{EndLimits, Environment, Location, Role, Target};
use cabotage_core::{Error, ErrorKind, Result};
use cabotage_engine::{Selection, ShardNumber, ShardPlan, json_file, plan_shards};
use clap::{Args, Subcommand};

use crate::exit_code::Exit;
use crate::options::Common;
use crate::output::{Failure, Output};
use crate::report_file::ReportFile;
use crate::run_job::side;
use crate::signals::Signals;
use crate::tasks::task;

#[derive(Args, Debug)]
pub(crate) struct ShardsArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Divides what is in SOURCE by names into shards of about the same weight, for `migrate --shard`.
    ///
    /// Lists SOURCE once. An object weighs its bytes and 128 KiB. Each name belongs to exactly one shard, also one that comes
    /// later.
    Plan(PlanArgs),
}

#[derive(Args, Debug)]
struct PlanArgs {
    /// Where the objects are
    source: String,
    /// How many shards
    #[arg(long, value_name = "N")]
    shards: u32,
    /// Write the plan to a file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// As for `migrate`: only objects that match the glob weigh anything
    #[arg(long, value_name = "GLOB")]
    include: Vec<String>,
    /// As for `migrate`
    #[arg(long, value_name = "GLOB")]
    exclude: Vec<String>,
    /// File with the key with which an S3 source is encrypted (SSE-C): base64 of 32 bytes
    #[arg(long, value_name = "FILE")]
    source_sse_c_key_file: Option<PathBuf>,
}

/// The part of a job that a run moves.
#[derive(Args, Debug)]
pub(crate) struct ShardArgs {
    /// Only that shard of the plan, with a ledger of its own: 1/4 to 4/4; task: that of this task of a job (CABOTAGE_TASK_INDEX)
    #[arg(long, value_name = "K/N", conflicts_with_all = ["keys_from", "max_objects", "acl_export"])]
    pub(crate) shard: Option<WhichShard>,
    /// The plan, as `cabotage shards plan` wrote it
    #[arg(long, value_name = "FILE", requires = "shard")]
    pub(crate) shard_plan: Option<PathBuf>,
}

/// What `--shard` takes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum WhichShard {
    Numbered(ShardNumber),
    /// By the variables of the task.
    OfTask,
}

impl FromStr for WhichShard {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if text == "task" { Ok(Self::OfTask) } else { text.parse().map(Self::Numbered) }
    }
}

impl ShardArgs {
    /// The shard's number and its plan, where one is named.
    pub(crate) fn chosen(&self, environment: &Environment) -> Result<Option<(ShardNumber, ShardPlan)>> {
        let Some(which) = self.shard else { return Ok(None) };
        let plan = match (self.shard_plan.as_deref(), which) {
            (Some(file), _) => read_plan(file)?,
            (None, WhichShard::OfTask) => task::plan(environment)?,
            (None, WhichShard::Numbered(_)) => {
                let text = "--shard needs the plan: name it with --shard-plan FILE";
                return Err(Error::new(ErrorKind::InvalidConfig, text));
            }
        };
        let number = match which {
            WhichShard::Numbered(number) => number,
            WhichShard::OfTask => task::shard_number(environment)?,
        };
        Ok(Some((number, plan)))
    }

    /// Whether this process is a task of a job.
    pub(crate) fn is_of_task(&self) -> bool {
        matches!(self.shard, Some(WhichShard::OfTask))
    }
}

pub(crate) fn read_plan(file: &Path) -> Result<ShardPlan> {
    let about = file.to_string_lossy().into_owned();
    let text = std::fs::read_to_string(file).map_err(|error| {
        Error::new(ErrorKind::InvalidConfig, format!("the shard plan can't be read: {error}"))
            .about(&about)
            .help("make one with `cabotage shards plan SOURCE --shards N -o FILE`")
    })?;
    ShardPlan::parse(&text).map_err(|error| error.about(&about))
}

pub(crate) async fn run(args: &ShardsArgs, common: &Common) -> Result<Exit, Failure> {
    let Verb::Plan(args) = &args.verb;
    let file = args.output.as_deref().map(ReportFile::new).transpose()?;
    let plan = Signals::new()?.or_interrupted(plan(args, common)).await?;
    let mut output = Output::new();
    match file {
        Some(file) => {
            file.save(&plan)?;
            output.line(format!("plan {}: {} shards", plan.name(), plan.shards().len()))?;
        }
        None => output.raw(json_file(&plan)?.as_bytes())?,
    }
    output.finish()?;
    Ok(Exit::Success)
}

async fn plan(args: &PlanArgs, common: &Common) -> Result<ShardPlan> {
    let selection = Selection::new(&args.include, &args.exclude, None)?;
    let location = Location::parse(&args.source)?;
    let own = (args.source_sse_c_key_file.as_deref(), EndLimits::default());
    let opened = common.open_within(&location, &common.stores()?, Role::Source, Target::Folder, own).await?;
    plan_shards(&side(opened), &selection, args.shards, &std::env::temp_dir()).await
}
