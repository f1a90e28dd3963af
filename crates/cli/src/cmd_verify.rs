//! `cabotage verify`.

use std::path::PathBuf;
use std::sync::Arc;

use cabotage::{ByteSize, Environment, Location, Opened, Role};
use cabotage_core::{LossName, Result, Timestamp};
use cabotage_engine::{
    AttributeCheck, Audit, AuditOptions, AuditReport, DestinationContent, Progress, Selection, SourceContent,
    Stop,
};
use cabotage_telemetry::Watched;
use clap::{Args, ValueEnum};
use jiff::Zoned;

use crate::exit_code::Exit;
use crate::job_args::state_dir;
use crate::job_args::typed_command;
use crate::limit_args::LimitArgs;
use crate::options::{Common, SseCKeys};
use crate::output::Failure;
use crate::progress::Reporter;
use crate::report_file::ReportFile;
use crate::run_job::{VERSION, never, open_both, refuse_files, side, tell};
use crate::screen::Screen;
use crate::signals::Signals;
use crate::telemetry_args::{Telemetry, TelemetryArgs};
use crate::when_args::{WhenArgs, stop_in_time};

#[derive(Args, Debug)]
pub(crate) struct VerifyArgs {
    /// Where the objects are from; nothing is written to it
    source: String,
    /// Where they should be; nothing is written to it either
    destination: String,
    /// How the content at the source is known
    #[arg(long, value_enum, value_name = "LEVEL", default_value = "ledger")]
    source_content: SourceContentArg,
    /// How the content at the destination is known: listing, read, or sample:P% (P percent are read, others with each repeat)
    #[arg(long, value_name = "LEVEL", default_value = "listing")]
    destination_content: DestinationContent,
    /// How headers, metadata and tags are known
    #[arg(long, value_enum, value_name = "LEVEL", default_value = "head")]
    attributes: AttributesArg,
    /// Count that loss as no difference, beside those accepted when an object was moved; can be given several times
    #[arg(long, value_name = "NAME")]
    accept_loss: Vec<LossName>,
    /// Count objects that only the destination has as no difference
    #[arg(long)]
    allow_extra: bool,
    /// Only objects that match the glob: '*.dcm' by last segment, '2024/**' by whole name; can be given several times
    #[arg(long, value_name = "GLOB")]
    include: Vec<String>,
    /// Not objects that match the glob; goes before --include
    #[arg(long, value_name = "GLOB")]
    exclude: Vec<String>,
    /// Objects compared at once
    #[arg(long, value_name = "N", default_value_t = 32)]
    concurrency: usize,
    /// Memory for bodies in flight
    #[arg(long, value_name = "SIZE", default_value_t = ByteSize(64 << 20))]
    memory: ByteSize,
    #[command(flatten)]
    limits: LimitArgs,
    #[command(flatten)]
    when: WhenArgs,
    #[command(flatten)]
    telemetry: TelemetryArgs,
    #[command(flatten)]
    keys: SseCKeys,
    /// Folder of the ledgers [default: $XDG_STATE_HOME/cabotage, else ~/.local/state/cabotage]
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// Write the result as JSON
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Write one JSON line for each object: name, size, result, proof, findings
    #[arg(long, value_name = "FILE")]
    manifest: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum SourceContentArg {
    /// By the ledger's SHA-256 of the state that the source still lists; nothing is read
    Ledger,
    /// Each object is read whole, which costs egress
    Read,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum AttributesArg {
    /// By listings where they tell, else by a head of each object
    Head,
    /// By listings alone
    Listing,
}

pub(crate) async fn run(args: &VerifyArgs, common: &Common, screen: &Screen) -> Result<Exit, Failure> {
    let (source, destination) = (Location::parse(&args.source)?, Location::parse(&args.destination)?);
    let stores = common.stores()?;
    let options = options(args, stores.environment())?;
    let deadline = args.when.deadline(&Zoned::now())?;
    let reporter = Reporter::new(screen.clone(), common.log_format, common.quiet);
    let file = args.report.as_deref().map(ReportFile::new).transpose()?;
    let telemetry = args.telemetry.start(&reporter).await?;
    let mut signals = Signals::new()?;
    // Both for reading: what is missing is not made.
    let ends = (&source, &destination);
    let opening = open_both(ends, &args.keys, &args.limits, Role::Source, &stores, common);
    let (source, destination) = signals.or_interrupted(opening).await?;
    refuse_places(args, &options, &source, &destination)?;
    let audit = Audit { source: side(source), destination: side(destination), options };
    let report = go(audit, deadline, &reporter, telemetry, signals).await;
    screen.detach();
    let report = report?;
    tell(&report, file)?;
    Ok(Exit::from(report.ending))
}

/// The files of the run are not part of what is compared.
fn refuse_places(
    args: &VerifyArgs,
    options: &AuditOptions,
    source: &Opened,
    destination: &Opened,
) -> Result<()> {
    let files = [
        ("--state", Some(options.state_dir.as_path())),
        ("--report", args.report.as_deref()),
        ("--manifest", args.manifest.as_deref()),
    ];
    refuse_files(&files, source, destination)
}

async fn go(
    audit: Audit,
    deadline: Option<Timestamp>,
    reporter: &Reporter,
    telemetry: Telemetry,
    signals: Signals,
) -> Result<AuditReport> {
    let stop = Stop::default();
    let progress = Arc::new(Progress::default());
    let observer = Arc::new(reporter.clone());
    let (ends, folder) = ((&audit.source, &audit.destination), audit.options.state_dir.clone());
    let watched = Watched::new("verify", VERSION, Arc::clone(&progress), ends, folder);
    let run = Box::pin(cabotage_engine::audit(audit, stop.clone(), Arc::clone(&progress), observer));
    tokio::select! {
        report = run => report,
        () = reporter.follow(progress) => Err(never()),
        () = telemetry.follow(watched, &stop) => Err(never()),
        () = signals.pass_on(&stop, reporter) => Err(never()),
        () = stop_in_time(deadline, &stop, reporter) => Err(never()),
    }
}

fn options(args: &VerifyArgs, environment: &Environment) -> Result<AuditOptions> {
    Ok(AuditOptions {
        source_content: match args.source_content {
            SourceContentArg::Ledger => SourceContent::Ledger,
            SourceContentArg::Read => SourceContent::Read,
        },
        destination_content: args.destination_content,
        attributes: match args.attributes {
            AttributesArg::Head => AttributeCheck::Head,
            AttributesArg::Listing => AttributeCheck::Listing,
        },
        selection: Selection::new(&args.include, &args.exclude, None)?,
        accept_losses: args.accept_loss.iter().copied().collect(),
        allow_extra: args.allow_extra,
        concurrency: args.concurrency,
        memory: args.memory.0,
        max_outage: args.when.max_outage.0,
        manifest: args.manifest.clone(),
        command: Some(typed_command()),
        ..AuditOptions::new(state_dir(args.state.as_deref(), environment)?)
    })
}
