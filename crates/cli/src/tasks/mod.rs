//! `cabotage migrate --tasks N`: divides a job, has its tasks run, follows them, and merges what they did.

mod args;
mod files;
mod files_of_tasks;
mod follow;
mod ledgers;
mod outcome;
mod readings;
mod spec;
pub(crate) mod task;
mod words;

use std::path::Path;
use std::sync::Arc;

use cabotage::Stores;
use cabotage_core::compute::{Compute, JobName, JobPhase, JobStatus, Submitted};
use cabotage_core::{Error, ErrorKind, Rates, Result, Timestamp};
use cabotage_engine::{Job, JobIdentity, Options, Report, ShardPlan};

pub(crate) use args::{TasksArgs, Wanted, refuse};

use crate::cmd_job;
use crate::exit_code::Exit;
use crate::job_args::JobArgs;
use crate::options::Common;
use crate::output::Failure;
use crate::progress::Reporter;
use crate::report_file::ReportFile;
use crate::run_job::{open_job, side, tell};
use crate::screen::Screen;
use crate::signals::Signals;
use files::{Submission, TaskFiles};
use follow::{Followed, GRACE};
use readings::Readings;
use words::Typed;

/// Runs the job as tasks and prints the one report of all.
pub(crate) async fn run(
    wanted: &Wanted,
    args: &JobArgs,
    options: Options,
    stores: &Stores,
    common: &Common,
    screen: &Screen,
) -> Result<Exit, Failure> {
    let reporter = Reporter::new(screen.clone(), common.log_format, common.quiet);
    let state_dir = words::absolute(&options.state_dir.to_string_lossy())?;
    let mut options = Options { state_dir: state_dir.clone().into(), ..options };
    let compute = cmd_job::open(&wanted.compute, &options.state_dir)?;
    refuse_small_memory(args, wanted.number)?;
    let deadline = args.when.deadline(&jiff::Zoned::now())?;
    let typed = Typed::of_process()?;
    let file = args.report.as_deref().map(ReportFile::new).transpose()?;
    let mut signals = Signals::new()?;
    let (source, destination, sidecars) =
        signals.or_interrupted(open_job(args, &options, stores, common)).await?;
    for (end, opened) in [("source", &source), ("destination", &destination)] {
        refuse_small_rates(end, opened.throttle.rates(), wanted.number)?;
    }
    options.sidecars = sidecars.sides();
    let job = Job { source: side(source), destination: side(destination), options };
    job.check()?;
    let identity = JobIdentity::between(&job.source, &job.destination);
    let files = TaskFiles::take(&job.options.state_dir, &identity.stem())?;
    let name = spec::name(&identity)?;
    let coordinator = Coordinator { compute, name, files, job, identity, tasks: wanted.number, reporter };
    let start = Start { typed, state_dir, deadline, stores };
    let report = Box::pin(coordinator.run(start, signals)).await;
    screen.detach();
    let report = report?;
    tell(&report, file)?;
    Ok(Exit::from(report.ending))
}

/// What a submission is made of.
struct Start<'a> {
    typed: Typed,
    state_dir: String,
    deadline: Option<Timestamp>,
    stores: &'a Stores,
}

/// Who divides, follows and merges.
struct Coordinator {
    compute: Arc<dyn Compute>,
    name: JobName,
    files: TaskFiles,
    job: Job,
    identity: JobIdentity,
    tasks: u32,
    reporter: Reporter,
}

impl Coordinator {
    async fn run(self, start: Start<'_>, mut signals: Signals) -> Result<Report> {
        let words = start.typed.to_compare(self.tasks)?;
        let (plan, submission) = match self.under_way(&words).await? {
            Some(submission) => {
                self.reporter.say("the tasks of this job were started before: following them");
                (self.plan_of_before()?, submission)
            }
            None => {
                let plan = self.plan(&mut signals).await?;
                let submission = Submission::new(words);
                self.submit(start, &plan, &submission).await?;
                (plan, submission)
            }
        };
        let readings = Readings { ledgers: self.ledgers(&plan)?, submission: submission.id.clone() };
        let compute = self.compute.as_ref();
        let followed = follow::follow(compute, &self.name, readings, &mut signals, &self.reporter).await?;
        let status = match followed {
            Followed::Ended(status) => status,
            Followed::Interrupted => {
                self.files.keep_submission(&Submission { over: true, ..submission.clone() })?;
                follow::end(compute, &self.name, &mut signals, &self.reporter).await?
            }
        };
        self.conclude(&plan, &submission, &status).await
    }

    /// The submission that is to be followed, if there is one; what is left of another is cleared away.
    ///
    /// # Errors
    /// `JobConflict` when tasks of this job are at work that do something else.
    async fn under_way(&self, words: &[String]) -> Result<Option<Submission>> {
        let kept = self.files.submission()?;
        let there = match self.compute.inspect(&self.name).await {
            Ok(status) => Some(status),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        let live = kept.filter(|kept| !kept.over);
        match (live, there) {
            (Some(live), Some(_)) if live.words == words => return Ok(Some(live)),
            (Some(_), Some(status)) if !status.phase().is_final() => return Err(self.at_work()),
            (_, Some(_)) => {
                self.compute.cancel(&self.name, GRACE).await?;
                self.compute.remove(&self.name).await?;
            }
            (_, None) => {}
        }
        self.files.forget_submission()?;
        Ok(None)
    }

    fn at_work(&self) -> Error {
        let text = "tasks of this job are at work that were started with other flags";
        let state = self.job.options.state_dir.display();
        let name = &self.name;
        Error::new(ErrorKind::InvalidConfig, text).about(name.as_str()).help(format!(
            "give the flags that they were started with, or end them with `cabotage job cancel {name} --state {state}`"
        ))
    }

    fn plan_of_before(&self) -> Result<ShardPlan> {
        let plan = self.files.plan()?.ok_or_else(|| {
            Error::new(ErrorKind::InvalidConfig, "the plan of the tasks that are at work is gone")
                .about(self.files.plan_path().to_string_lossy())
                .help(format!("end them with `cabotage job cancel {}`", self.name))
        })?;
        if plan.shards().len() == self.tasks as usize { Ok(plan) } else { Err(self.at_work()) }
    }

    async fn submit(&self, start: Start<'_>, plan: &ShardPlan, submission: &Submission) -> Result<()> {
        let arguments = start.typed.for_tasks(&start.state_dir, start.deadline)?;
        let spec = spec::spec(&self.name, arguments, plan, &submission.id, start.stores)?;
        self.compute
            .capabilities()
            .accepts(&spec)
            .map_err(|error| error.into_kind(ErrorKind::InvalidConfig))?;
        for (what, path, _) in self.own_files() {
            files_of_tasks::begin(what, path, self.tasks)?;
        }
        self.divide(plan).await?;
        self.files.keep_submission(submission)?;
        match self.compute.submit(&spec).await? {
            Submitted::New | Submitted::Known => Ok(()),
        }
    }

    /// Files that each task writes a piece of; whether only all pieces make a file.
    fn own_files(&self) -> Vec<(&'static str, &Path, bool)> {
        let options = &self.job.options;
        let manifest = options.manifest.as_deref().map(|path| ("the manifest", path, false));
        let archived = options.archived_list.as_ref();
        let archived = archived.map(|list| ("the list of archived objects", list.path.as_path(), true));
        manifest.into_iter().chain(archived).collect()
    }

    /// Tells what the tasks have done, and puts it together where all are through.
    async fn conclude(
        &self,
        plan: &ShardPlan,
        submission: &Submission,
        status: &JobStatus,
    ) -> Result<Report> {
        for (what, path, whole) in self.own_files() {
            files_of_tasks::join(what, path, self.tasks, whole)?;
        }
        self.files.keep_submission(&Submission { over: true, ..submission.clone() })?;
        let report = match status.phase() {
            JobPhase::Failed => return Err(outcome::failure(self.compute.as_ref(), status).await),
            JobPhase::Succeeded => self.merge(plan).await?.ok_or_else(|| {
                Error::new(ErrorKind::Internal, "a task has left no report; please report this")
            })?,
            // What was cut off, or never begun, keeps the ledgers apart until it is done.
            JobPhase::Cancelled | JobPhase::Running => {
                self.merge(plan).await.ok().flatten().ok_or_else(|| {
                    Error::new(
                        ErrorKind::Cancelled,
                        "interrupted; what the tasks have done is in their ledgers",
                    )
                    .help("the same command goes on where they were")
                })?
            }
        };
        self.files.forget_submission()?;
        self.compute.remove(&self.name).await?;
        if report.listing_complete {
            self.files.forget_plan()?;
        }
        Ok(report)
    }
}

/// Refuses a budget of which a task's share is too small to move anything.
fn refuse_small_memory(args: &JobArgs, tasks: u32) -> Result<()> {
    let Some(memory) = args.memory() else { return Ok(()) };
    let least = Options::MEMORY_MIN * u64::from(tasks);
    if memory >= least {
        return Ok(());
    }
    let text = format!("--memory is divided among {tasks} tasks, and each needs at least 16MiB");
    Err(Error::new(ErrorKind::InvalidConfig, text)
        .help(format!("give at least {}MiB, or a smaller number of --tasks", least >> 20)))
}

/// Refuses limits of which a task's share is less than the least.
fn refuse_small_rates(end: &str, rates: Rates, tasks: u32) -> Result<()> {
    let requests = [rates.requests, rates.reads, rates.writes].into_iter().flatten().min();
    let what = if requests.is_some_and(|requests| requests < tasks) {
        "requests a second"
    } else if rates.bytes.is_some_and(|bytes| bytes < Rates::BYTES_MIN * u64::from(tasks)) {
        "bandwidth"
    } else {
        return Ok(());
    };
    let text = format!(
        "the {end} is kept to {rates}, and {tasks} tasks share that: it is too little {what} for each"
    );
    Err(Error::new(ErrorKind::InvalidConfig, text)
        .help("raise the limit, or give a smaller number of --tasks"))
}
