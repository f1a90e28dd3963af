//! `cabotage runs`.

use cabotage::{Location, Role};
use cabotage_core::{Result, display_text};
use cabotage_engine::{JobIdentity, RunRecord};
use clap::Args;
use serde_json::{Value, json};

use crate::cmd_ls::time;
use crate::exit_code::Exit;
use crate::ledgers::{KnownLedger, Ledgers, RunState, StateArg};
use crate::limit_args::LimitArgs;
use crate::options::{Common, SseCKeys};
use crate::output::{Failure, Output, count, span};
use crate::run_job::{open_both, side};
use crate::screen::Screen;

#[derive(Args, Debug)]
pub(crate) struct RunsArgs {
    /// Only runs of jobs with this source
    #[arg(requires = "destination")]
    source: Option<String>,
    /// Only runs of jobs with this destination too
    destination: Option<String>,
    #[command(flatten)]
    state: StateArg,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(args: &RunsArgs, common: &Common, screen: &Screen) -> Result<Exit, Failure> {
    let ledgers = Ledgers::open(&args.state, common, screen)?;
    let job = job(args, common).await?;
    let mut output = Output::new();
    for ledger in
        ledgers.known.iter().filter(|ledger| job.as_ref().is_none_or(|job| *job == ledger.job.whole()))
    {
        if !args.json {
            output.line(head(ledger))?;
        }
        for run in &ledger.runs {
            let state = ledger.state(run)?;
            if args.json {
                output.json(&as_value(ledger, run, &state))?;
            } else {
                output.line(line(ledger, run, &state))?;
            }
        }
    }
    output.finish()?;
    Ok(Exit::Success)
}

/// The job that is named by both its ends, if it is.
async fn job(args: &RunsArgs, common: &Common) -> Result<Option<JobIdentity>> {
    let (Some(source), Some(destination)) = (&args.source, &args.destination) else { return Ok(None) };
    let (source, destination) = (Location::parse(source)?, Location::parse(destination)?);
    let stores = common.stores()?;
    let keys = SseCKeys { source_sse_c_key_file: None, destination_sse_c_key_file: None };
    // Both for reading: what is missing is not made.
    let (source, destination) =
        open_both((&source, &destination), &keys, &LimitArgs::default(), Role::Source, &stores, common)
            .await?;
    Ok(Some(JobIdentity::between(&side(source), &side(destination))))
}

fn head(ledger: &KnownLedger) -> String {
    let job = &ledger.job;
    format!("{}  {} to {}", ledger.name, display_text(&job.source), display_text(&job.destination))
}

fn line(ledger: &KnownLedger, run: &RunRecord, state: &RunState) -> String {
    let took = run.finished.map(|finished| {
        let seconds = finished.as_second().saturating_sub(run.started.as_second());
        span(u64::try_from(seconds).unwrap_or(0))
    });
    format!(
        "  {:<14} {:<8} {}  {:<8} {:<11} {}",
        ledger.run_name(run.id),
        run.kind.as_str(),
        time(run.started),
        took.unwrap_or_default(),
        state.to_string(),
        counts(run),
    )
    .trim_end()
    .to_owned()
}

/// What the report counts, where it is one of a migration: `3 listed, 2 verified, 1 failed`.
fn counts(run: &RunRecord) -> String {
    let report = report(run);
    let counted: Vec<String> = CLASSES
        .iter()
        .filter_map(|class| Some((class, report.get("objects")?.get(class)?.as_u64()?)))
        .filter(|(class, number)| *number > 0 || **class == "listed")
        .map(|(class, number)| format!("{} {}", count(number), class.replace('_', "-")))
        .collect();
    counted.join(", ")
}

/// In the order of the report.
const CLASSES: [&str; 11] = [
    "listed",
    "verified",
    "stored_unread",
    "skipped",
    "failed",
    "refused",
    "deferred",
    "conflicts",
    "vanished",
    "planned",
    "unfinished",
];

/// The report as it was recorded; null where there is none.
pub(crate) fn report(run: &RunRecord) -> Value {
    run.report.as_deref().and_then(|report| serde_json::from_str(report).ok()).unwrap_or_default()
}

pub(crate) fn as_value(ledger: &KnownLedger, run: &RunRecord, state: &RunState) -> Value {
    json!({
        "run": ledger.run_name(run.id),
        "ledger": ledger.reader.path().to_string_lossy(),
        "source": ledger.job.source,
        "destination": ledger.job.destination,
        "number": run.id,
        "kind": run.kind.as_str(),
        "state": state.as_str(),
        "command": run.command,
        "started": run.started.to_string(),
        "finished": run.finished.map(|at| at.to_string()),
        "host": run.host,
        "process": run.pid,
        "program": run.program,
        "objects": report(run).get("objects"),
    })
}
