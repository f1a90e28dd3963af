//! Runs a job and prints its report: what `migrate` and its kin have in common.

use std::fmt::Display;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;

use cabotage::{Location, Opened, Role, Stores, Target, refuse_inside, refuse_overlap};
use cabotage_core::{Error, ErrorKind, Result, Timestamp};
use cabotage_engine::{Job, Options, Progress, Report, Side, Stop};
use cabotage_telemetry::Watched;
use serde::Serialize;

use crate::exit_code::Exit;
use crate::job_args::JobArgs;
use crate::limit_args::LimitArgs;
use crate::made_folders::MadeFolders;
use crate::options::{Common, SseCKeys};
use crate::output::{Failure, Output};
use crate::progress::Reporter;
use crate::report_file::ReportFile;
use crate::screen::Screen;
use crate::sidecars::OpenSidecars;
use crate::signals::Signals;
use crate::telemetry_args::Telemetry;
use crate::when_args::stop_in_time;

/// What is done with the job.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Verb {
    /// One pass.
    Migrate,
    /// The last pass, the comparison and the end of the job.
    Cutover,
}

impl Verb {
    fn name(self) -> &'static str {
        match self {
            Self::Migrate => "migrate",
            Self::Cutover => "cutover",
        }
    }
}

/// The program's version, for those who watch it.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Opens both ends, runs, prints the report and saves it.
pub(crate) async fn run_job(
    verb: Verb,
    args: &JobArgs,
    mut options: Options,
    stores: &Stores,
    common: &Common,
    screen: &Screen,
) -> Result<Exit, Failure> {
    let destination = Location::parse(&args.destination)?;
    let deadline = args.when.deadline(&jiff::Zoned::now())?;
    let reporter = Reporter::new(screen.clone(), common.log_format, common.quiet);
    let file = args.report.as_deref().map(ReportFile::new).transpose()?;
    let telemetry = args.telemetry.start(&reporter).await?;
    let mut signals = Signals::new()?;
    let made = [MadeFolders::before_opening(&destination), args.sidecars.made_folders()?];
    let dry_run = options.dry_run;
    let opened = signals.or_interrupted(open_job(args, &options, stores, common)).await;
    let report = match opened {
        Ok((source, destination, sidecars)) => {
            options.sidecars = sidecars.sides();
            let job = Job { source: side(source), destination: side(destination), options };
            go((verb, job), deadline, &reporter, telemetry, signals).await
        }
        Err(refused) => Err(refused),
    };
    screen.detach();
    if dry_run || report.is_err() {
        made.iter().for_each(MadeFolders::remove);
    }
    let report = report?;
    tell(&report, file)?;
    Ok(Exit::from(report.ending))
}

/// Opens both ends and the sidecars, and refuses places that can't be.
pub(crate) async fn open_job(
    args: &JobArgs,
    options: &Options,
    stores: &Stores,
    common: &Common,
) -> Result<(Opened, Opened, OpenSidecars)> {
    let ends = (&Location::parse(&args.source)?, &Location::parse(&args.destination)?);
    let (source, destination) =
        open_both(ends, &args.keys, &args.limits, Role::Destination, stores, common).await?;
    let sidecars = args.sidecars.open(common, stores, &destination).await?;
    let opened = (source, destination, sidecars);
    refuse_places(args, options, &opened)?;
    Ok(opened)
}

/// Prints a report and saves it; a reader that is gone has read enough.
pub(crate) fn tell<R: Display + Serialize>(report: &R, file: Option<ReportFile>) -> Result<(), Failure> {
    let printed = print(report);
    if let Some(file) = file {
        file.save(report)?;
    }
    match printed {
        Err(Failure::ReaderGone) => Ok(()),
        printed => printed,
    }
}

/// Opens source and destination, the latter in that role.
pub(crate) async fn open_both(
    (source, destination): (&Location, &Location),
    keys: &SseCKeys,
    limits: &LimitArgs,
    role: Role,
    stores: &Stores,
    common: &Common,
) -> Result<(Opened, Opened)> {
    let own = (keys.source_sse_c_key_file.as_deref(), limits.source());
    let source = common.open_within(source, stores, Role::Source, Target::Folder, own).await?;
    let own = (keys.destination_sse_c_key_file.as_deref(), limits.destination());
    let destination = common.open_within(destination, stores, role, Target::Folder, own).await?;
    limits.check(&source, &destination)?;
    Ok((source, destination))
}

/// Nothing that the run writes may lie in what is moved, and the two sides not in each other.
fn refuse_places(
    args: &JobArgs,
    options: &Options,
    (source, destination, sidecars): &(Opened, Opened, OpenSidecars),
) -> Result<()> {
    let files = [
        ("--state", Some(options.state_dir.as_path())),
        ("--report", args.report.as_deref()),
        ("--manifest", options.manifest.as_deref()),
        ("--archived-list", options.archived_list.as_ref().map(|file| file.path.as_path())),
        ("--acl-export", options.acl_export.as_deref()),
    ];
    refuse_files(&files, source, destination)?;
    sidecars.refuse_places([source, destination], &files)
}

/// Refuses two sides that lie in each other, and files of the run (by their flags) that lie in one of them.
pub(crate) fn refuse_files(
    files: &[(&str, Option<&Path>)],
    source: &Opened,
    destination: &Opened,
) -> Result<()> {
    refuse_overlap(source, destination)?;
    for (flag, path) in files {
        let Some(path) = *path else { continue };
        refuse_inside(source, flag, path)?;
        refuse_inside(destination, flag, path)?;
    }
    Ok(())
}

async fn go(
    (verb, job): (Verb, Job),
    deadline: Option<Timestamp>,
    reporter: &Reporter,
    telemetry: Telemetry,
    signals: Signals,
) -> Result<Report> {
    let stop = Stop::default();
    let progress = Arc::new(Progress::default());
    let observer = Arc::new(reporter.clone());
    let (stopping, counters) = (stop.clone(), Arc::clone(&progress));
    let (ends, folder) = ((&job.source, &job.destination), job.options.state_dir.clone());
    let watched = Watched::new(verb.name(), VERSION, Arc::clone(&progress), ends, folder);
    let run: Pin<Box<dyn Future<Output = Result<Report>> + Send>> = match verb {
        Verb::Migrate => Box::pin(cabotage_engine::run(job, stopping, counters, observer)),
        Verb::Cutover => Box::pin(cabotage_engine::cutover(job, stopping, counters, observer)),
    };
    tokio::select! {
        report = run => report,
        () = reporter.follow(progress) => Err(never()),
        () = telemetry.follow(watched, &stop) => Err(never()),
        () = signals.pass_on(&stop, reporter) => Err(never()),
        () = stop_in_time(deadline, &stop, reporter) => Err(never()),
    }
}

/// A watcher of a run never ends by itself.
pub(crate) fn never() -> Error {
    Error::new(ErrorKind::Internal, "a watcher of the run ended before the run")
}

/// An opened location as an end of a run.
pub(crate) fn side(opened: Opened) -> Side {
    Side {
        store: opened.store,
        probe: Some(opened.probe),
        prefix: opened.prefix,
        label: opened.label,
        place: Some(opened.place),
        throttle: opened.throttle,
    }
}

fn print(report: &impl Display) -> Result<(), Failure> {
    let mut output = Output::new();
    output.line(report.to_string().trim_end())?;
    output.finish()
}
