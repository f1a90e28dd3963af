//! Are source and destination the same? Independent of the runs that made them so.
//!
//! Both ends are listed anew and merge-joined with the ledger; every name is examined, as many at once as allowed, and
//! ends as proven, different or not proven. Neither end is written to: both are opened through the read-only layer. Of
//! the ledger it believes what it says it did: which state of a source's object was copied, with which SHA-256, and
//! which size and ETag the destination told after the write.
//!
//! [`audit`] opens the ledger by itself; `audit_with` serves who holds it already.

mod attributes;
mod compare;
mod context;
mod examine;
mod manifest;
mod options;
mod proof;
mod read;
mod report;
mod report_text;
mod swaps;
mod sweep;
mod tally;
mod turns;

use std::sync::Arc;

use cabotage_core::{Result, Timestamp};
use tracing::Instrument as _;

pub use options::{AttributeCheck, AuditOptions, DestinationContent, Slices, SourceContent};
pub use proof::{AttributeProof, Compared, Finding, FindingKind, Proof};
pub use report::{AuditCounts, AuditReport, ClassCount, SampleTurn};

use context::Context;
use tally::{Tally, Totals};

use crate::dispatch::Halts;
use crate::endpoints::{self, Endpoints};
use crate::ranges::Ends;
use crate::rules::open_ledger;
use crate::{Ending, Ledger, Observer, Progress, RunKind, Side, Stop, run_log, spans};

/// Two ends to compare, and how.
#[derive(Debug)]
pub struct Audit {
    /// Where the objects are from.
    pub source: Side,
    /// Where they should be.
    pub destination: Side,
    /// How.
    pub options: AuditOptions,
}

/// Compares both ends under the job's ledger, which it holds until it is done: while a run goes on there is nothing to
/// compare with. A job without a ledger gets an empty one, which holds nothing but this run.
///
/// An end that is down is waited for, as in a run. Dropping the future is safe at any moment.
///
/// # Errors
/// What kept it from starting: `LedgerHeld` and others of the ledger, `InvalidConfig`. Later reasons are in
/// [`AuditReport::stopped`].
pub async fn audit(
    audit: Audit,
    stop: Stop,
    progress: Arc<Progress>,
    observer: Arc<dyn Observer>,
) -> Result<AuditReport> {
    let Audit { source, destination, options } = audit;
    options.check()?;
    let ledger = open_ledger(&source, &destination, &options.state_dir).await?;
    let turn = turns::next(&ledger, &options).await?;
    let command = format!("{} -> {}", source.label, destination.label);
    let run = ledger.start_run(RunKind::Verify, &command, &turns::settings(&options)).await?;
    let keeping = run_log::keep_progress(ledger.clone(), run, Arc::clone(&progress));
    let ends = Ends { source: &source, destination: &destination };
    let comparison = audit_with(&ledger, (run, turn), ends, options, &stop, progress, observer);
    let report = comparison.instrument(spans::of_run(RunKind::Verify)).await;
    drop(keeping);
    let (outcome, stored) = match &report {
        Ok(report) => (report.outcome(), Some(report.stored())),
        Err(_) => ("stopped".to_owned(), None),
    };
    ledger.finish_run(run, &outcome, stored).await?;
    ledger.close().await?;
    report
}

/// Compares both ends under a ledger that is held already; the run is recorded by who calls.
///
/// # Errors
/// `InvalidConfig` when the manifest can't be created.
pub(crate) async fn audit_with(
    ledger: &Ledger,
    (run, turn): (i64, Option<SampleTurn>),
    ends: Ends<'_>,
    options: AuditOptions,
    stop: &Stop,
    progress: Arc<Progress>,
    observer: Arc<dyn Observer>,
) -> Result<AuditReport> {
    let started = Timestamp::now();
    let manifest = options.manifest.as_deref().map(manifest::create).transpose()?;
    let halts = Halts::new(stop);
    let (mut source, mut destination) = (ends.source.clone(), ends.destination.clone());
    let both = (&mut source, &mut destination);
    let gates = endpoints::guard(both, options.max_outage, &halts.drain, &progress, &observer);
    let context = Arc::new(Context::new((source, destination), options, Arc::clone(&progress), turn));
    let mut tally = Tally::new(manifest, progress, observer);
    sweep::sweep(&context, ledger, &halts, &mut tally).await;
    let endpoints = Endpoints::of(&gates, ends.source, ends.destination);
    Ok(AuditReport { endpoints, ..report(&context, ledger, run, stop, started, tally.finish()) })
}

fn report(
    context: &Context,
    ledger: &Ledger,
    run: i64,
    stop: &Stop,
    started: Timestamp,
    totals: Totals,
) -> AuditReport {
    let options = &context.options;
    let report = AuditReport {
        format: 1,
        run,
        source: context.source.label.clone(),
        destination: context.destination.label.clone(),
        started,
        ended: Timestamp::now(),
        ending: ending(&totals, options.allow_extra, stop),
        stopped: totals.stopped.as_ref().map(ToString::to_string),
        source_content: options.source_content,
        destination_content: options.destination_content,
        sample: context.turn,
        attributes: options.attributes,
        objects: totals.counts,
        bytes_listed: totals.bytes_listed,
        bytes_read: context.progress.snapshot().moved_bytes,
        proofs: totals.proofs,
        attribute_proofs: totals.attribute_proofs,
        findings: totals.findings,
        swapped: totals.swapped,
        losses: totals.losses,
        allow_extra: options.allow_extra,
        excluded: totals.excluded,
        gone: totals.gone,
        listing_complete: totals.complete,
        endpoints: Endpoints::default(),
        limits: Vec::new(),
        ledger: ledger.path().to_string_lossy().into_owned(),
        next: Vec::new(),
    };
    report.with_advice(options.command.as_ref())
}

fn ending(totals: &Totals, allow_extra: bool, stop: &Stop) -> Ending {
    if totals.differs(allow_extra) {
        Ending::Mismatch
    } else if totals.stopped.is_some() {
        Ending::Stopped
    } else if stop.time_up.is_cancelled() && !stop.abort.is_cancelled() && !totals.complete {
        Ending::TimeUp
    } else if (stop.drain.is_cancelled() && !stop.time_up.is_cancelled()) || stop.abort.is_cancelled() {
        Ending::Interrupted
    } else if totals.counts.not_proven > 0 || !totals.complete {
        Ending::Incomplete
    } else {
        Ending::Complete
    }
}
