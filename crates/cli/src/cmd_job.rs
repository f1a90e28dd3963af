//! `cabotage job`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use cabotage::{TimeSpan, job_from_file, open_compute, supervise_job};
use cabotage_core::compute::{
    Compute, ComputeExt as _, JobName, JobPhase, JobStatus, LogOptions, Submitted, TaskEnd, TaskPhase,
};
use cabotage_core::{Error, ErrorKind, Result, Timestamp, display_text};
use clap::{Args, Subcommand};
use futures::TryStreamExt as _;

use crate::exit_code::Exit;
use crate::job_args::state_dir;
use crate::options::Common;
use crate::output::{Failure, Output};

#[derive(Args, Debug)]
pub(crate) struct JobArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Starts the job of a TOML file; the same job again changes nothing.
    Submit(SubmitArgs),
    /// Shows how a job and its tasks are.
    Status(StatusArgs),
    /// Prints what a task has printed, escaped for a terminal.
    Logs(LogsArgs),
    /// Ends a job with all that its tasks have started.
    Cancel(CancelArgs),
    /// Forgets a job that has ended, with its logs.
    Remove(RemoveArgs),
    /// Runs a job's tasks; started by `submit`.
    #[command(hide = true)]
    Supervise { folder: PathBuf },
}

/// Where jobs run.
#[derive(Args, Debug)]
struct ComputeArgs {
    /// Where the job runs: process (child processes of this machine, which outlive this command)
    #[arg(long, value_name = "NAME", default_value = "process")]
    compute: String,
    /// Folder of the jobs [default: $XDG_STATE_HOME/cabotage, else ~/.local/state/cabotage]
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
}

#[derive(Args, Debug)]
struct SubmitArgs {
    /// The job's file: name, command, tasks, parallelism, retries_per_task, timeout, resources, env
    file: PathBuf,
    /// Wait for the job's end, and tell how it ended
    #[arg(long)]
    wait: bool,
    #[command(flatten)]
    compute: ComputeArgs,
}

#[derive(Args, Debug)]
struct StatusArgs {
    /// The job's name
    name: JobName,
    /// Wait for the job's end first
    #[arg(long)]
    wait: bool,
    /// As JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    compute: ComputeArgs,
}

#[derive(Args, Debug)]
struct LogsArgs {
    /// The job's name
    name: JobName,
    /// The task's number, from 0
    #[arg(long, value_name = "N", default_value_t = 0)]
    task: u32,
    /// Go on with what is printed later, until the task has ended
    #[arg(long)]
    follow: bool,
    /// Only what was printed since so long ago: 10m, 2h
    #[arg(long, value_name = "TIME")]
    since: Option<TimeSpan>,
    #[command(flatten)]
    compute: ComputeArgs,
}

#[derive(Args, Debug)]
struct CancelArgs {
    /// The job's name
    name: JobName,
    /// How long tasks may take to end by themselves, once they were asked to: 10s, 5m
    #[arg(long, value_name = "TIME", default_value = "10s")]
    grace: TimeSpan,
    #[command(flatten)]
    compute: ComputeArgs,
}

#[derive(Args, Debug)]
struct RemoveArgs {
    /// The job's name
    name: JobName,
    #[command(flatten)]
    compute: ComputeArgs,
}

impl JobArgs {
    /// What has to be done outside of a runtime, done.
    pub(crate) fn supervised(&self) -> Option<Result<()>> {
        match &self.verb {
            Verb::Supervise { folder } => Some(supervise_job(folder)),
            _ => None,
        }
    }
}

impl ComputeArgs {
    fn open(&self, common: &Common) -> Result<Arc<dyn Compute>> {
        open(&self.compute, &state_dir(self.state.as_deref(), common.stores()?.environment())?)
    }
}

/// Opens a compute with its jobs in that state folder.
pub(crate) fn open(name: &str, state: &Path) -> Result<Arc<dyn Compute>> {
    open_compute(name, state, vec![program()?.into(), "job".into(), "supervise".into()])
}

/// This program.
pub(crate) fn program() -> Result<PathBuf> {
    std::env::current_exe()
        .map_err(|error| Error::new(ErrorKind::Internal, format!("this program isn't found: {error}")))
}

pub(crate) async fn run(args: &JobArgs, common: &Common) -> Result<Exit, Failure> {
    match &args.verb {
        Verb::Submit(args) => submit(args, common).await,
        Verb::Status(args) => status(args, common).await,
        Verb::Logs(args) => logs(args, common).await,
        Verb::Cancel(args) => {
            args.compute.open(common)?.cancel(&args.name, args.grace.0).await?;
            say(format!("{}: ended, nothing of it runs any more", args.name))
        }
        Verb::Remove(args) => {
            args.compute.open(common)?.remove(&args.name).await?;
            say(format!("{}: removed", args.name))
        }
        Verb::Supervise { .. } => Ok(Exit::Success),
    }
}

fn say(line: String) -> Result<Exit, Failure> {
    let mut output = Output::new();
    output.line(line)?;
    output.finish()?;
    Ok(Exit::Success)
}

async fn submit(args: &SubmitArgs, common: &Common) -> Result<Exit, Failure> {
    let spec = job_from_file(&args.file)?;
    let compute = args.compute.open(common)?;
    // What this compute can't give is the file's mistake here.
    compute.capabilities().accepts(&spec).map_err(|error| error.into_kind(ErrorKind::InvalidConfig))?;
    let submitted = compute.submit(&spec).await?;
    let name = &spec.name;
    say(match submitted {
        Submitted::New => format!("{name}: submitted"),
        Submitted::Known => format!("{name}: was submitted before; nothing was started"),
    })?;
    if !args.wait {
        return Ok(Exit::Success);
    }
    tell(&compute.wait(name).await?)
}

async fn status(args: &StatusArgs, common: &Common) -> Result<Exit, Failure> {
    let compute = args.compute.open(common)?;
    let status =
        if args.wait { compute.wait(&args.name).await? } else { compute.inspect(&args.name).await? };
    if !args.json {
        return tell(&status);
    }
    let mut output = Output::new();
    output.json(&status)?;
    output.finish()?;
    Ok(exit_of(status.phase()))
}

async fn logs(args: &LogsArgs, common: &Common) -> Result<Exit, Failure> {
    let since = args.since.map(|span| Timestamp::now() - span.0);
    let compute = args.compute.open(common)?;
    let mut lines = compute.logs(&args.name, args.task, LogOptions { follow: args.follow, since });
    while let Some(line) = lines.try_next().await? {
        say(display_text(&String::from_utf8_lossy(&line.text)))?;
    }
    Ok(Exit::Success)
}

/// A job for a human: what there is of each phase, and each task that failed.
fn tell(status: &JobStatus) -> Result<Exit, Failure> {
    let mut output = Output::new();
    output.line(format!("{}: {}", status.name, word(status.phase())))?;
    for (phase, word) in [
        (TaskPhase::Waiting, "waiting"),
        (TaskPhase::Running, "running"),
        (TaskPhase::Succeeded, "succeeded"),
        (TaskPhase::Failed, "failed"),
        (TaskPhase::Cancelled, "cancelled"),
    ] {
        let count = status.count(phase);
        if count > 0 {
            output.line(format!("  {word:<10} {count:>6}"))?;
        }
    }
    for task in status.tasks.iter().filter(|task| task.phase == TaskPhase::Failed) {
        let attempts =
            if task.attempts == 1 { "1 attempt".into() } else { format!("{} attempts", task.attempts) };
        let end = task.end.as_ref().map_or_else(String::new, how);
        output.line(format!(
            "task {}: {end}, after {attempts}; its log: cabotage job logs {} --task {}",
            task.index, status.name, task.index
        ))?;
    }
    output.finish()?;
    Ok(exit_of(status.phase()))
}

fn exit_of(phase: JobPhase) -> Exit {
    match phase {
        JobPhase::Running | JobPhase::Succeeded => Exit::Success,
        JobPhase::Failed | JobPhase::Cancelled => Exit::Incomplete,
    }
}

fn word(phase: JobPhase) -> &'static str {
    match phase {
        JobPhase::Running => "running",
        JobPhase::Succeeded => "succeeded",
        JobPhase::Failed => "failed",
        JobPhase::Cancelled => "cancelled",
    }
}

/// How an attempt ended, for a human.
pub(crate) fn how(end: &TaskEnd) -> String {
    match end {
        TaskEnd::Exited(code) => format!("exit code {code}"),
        TaskEnd::Killed(signal) => format!("killed by signal {signal}"),
        TaskEnd::TimedOut => "out of time".into(),
        TaskEnd::NotStarted(reason) => format!("not started: {}", display_text(reason)),
        TaskEnd::LeftBehind(1) => "exit code 0, but it left a process behind, which was ended".into(),
        TaskEnd::LeftBehind(count) => {
            format!("exit code 0, but it left {count} processes behind, which were ended")
        }
        TaskEnd::Lost => "lost: what watched over it was gone".into(),
        _ => "ended".into(),
    }
}
