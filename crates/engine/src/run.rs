//! Wires the stages: listings and ledger → candidates → decisions → tasks → outcomes → report.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use cabotage_core::{Error, ErrorKind, LossName, Result, Timestamp};
use cabotage_layers::ReadOnly;
use futures::stream::BoxStream;
use tokio::sync::{Semaphore, mpsc};
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument as _;

use crate::acl_export::AclExport;
use crate::budget::Budget;
use crate::confirm::Confirming;
use crate::context::{Context, Effort};
use crate::delete;
use crate::dispatch::{Dispatcher, Halts, Seen};
use crate::endpoints::{self, Endpoints, Gates};
use crate::files::Files;
use crate::join::Joined;
use crate::ranges::{self, Ends};
use crate::recover::recover;
use crate::remnants::Counting;
use crate::sidecar::{Keeping, Restoring};
use crate::slot::Slot;
use crate::tally::{Tally, Totals};
use crate::trouble_log::TroubleLog;
use crate::{
    Deletion, Ending, Event, Guards, Job, Ledger, Observer, Options, Outcome, Pass, Progress, Report,
    RunKind, Side, Stop, keys, rules, run_log, spans, uploads,
};

/// Outcomes under way to the tally.
const OUTCOMES: usize = 1_024;

/// Runs a job to its end.
///
/// Each object that the source lists and the selection takes ends in exactly one [`Class`](crate::Class). Dropping the
/// future is like a crash: nothing is lost, and the next run goes on from the ledger.
///
/// # Errors
/// What kept the run from starting, or stopped it before any object had an outcome. Later reasons are in
/// [`Report::stopped`].
pub async fn run(
    job: Job,
    stop: Stop,
    progress: Arc<Progress>,
    observer: Arc<dyn Observer>,
) -> Result<Report> {
    let kind = run_log::kind(&job.options);
    let run = Box::pin(run_as(kind, job, stop, progress, observer));
    run.instrument(spans::of_run(kind)).await
}

/// Runs a job to its end, as a run of that kind.
pub(crate) async fn run_as(
    kind: RunKind,
    mut job: Job,
    stop: Stop,
    progress: Arc<Progress>,
    observer: Arc<dyn Observer>,
) -> Result<Report> {
    job.check()?;
    let started = Timestamp::now();
    let ledger = rules::open_for(&job, observer.as_ref()).await?;
    refuse_closed(&ledger, &job.options).await?;
    // Of this run alone: the rules of the job are in the ledger by now.
    if job.options.acl_export.is_some() {
        job.options.accept_losses.insert(LossName::PosixAcl);
    }
    // Only who holds the ledger may replace its files: they may be those of a run that is going on.
    let files = Files::create(&job.options)?;
    let export = AclExport::start(&job)?;
    let halts = Halts::new(&stop);
    // Asked beside the gate: a listing that is answered says nothing of writes, and without an answer there are heads.
    let confirming = Confirming::start(&job.destination.store, &job.destination.prefix);
    let ends = (&mut job.source, &mut job.destination);
    let gates = endpoints::guard(ends, job.options.max_outage, &halts.drain, &progress, &observer);
    let context = open(kind, job, gates, confirming, ledger, progress, observer.as_ref()).await?;
    let intents = if context.options.dry_run {
        context.ledger.intents().await?.into_iter().map(|intent| (intent.name.clone(), intent)).collect()
    } else {
        recover(&context, observer.as_ref()).await?
    };
    let (outcomes, receiver) = mpsc::channel(OUTCOMES);
    let tally = Tally::new(
        files,
        TroubleLog::start(&context).await?,
        Arc::clone(&context.progress),
        Arc::clone(&observer),
        Arc::clone(&context.losses),
        halts.drain.clone(),
    );
    let tally = AbortOnDropHandle::new(tokio::spawn(tally.consume(receiver)));
    let _keeping = (
        run_log::keep_progress(context.ledger.clone(), context.run, Arc::clone(&context.progress)),
        run_log::watch_space(&context, Arc::clone(&observer)),
    );
    let counting =
        Counting::start(&context.source, &context.options.selection, context.options.counts_remnants());
    let candidates = candidates(&context, outcomes.clone(), &observer).await?;
    let mut dispatcher = Dispatcher::new(context.clone(), halts, outcomes, intents, Arc::clone(&observer));
    let ended = dispatcher.dispatch(candidates).await;
    let mut seen = dispatcher.finish().await;
    let mut totals = tally
        .await
        .map_err(|error| Error::new(ErrorKind::Internal, "the tally was cut off").caused_by(error))?;
    if seen.complete && totals.stopped.is_none() {
        seen.remnants = counting.finish(&stop, observer.as_ref()).await;
        totals.stopped = export.finish(&stop).await.err();
    }
    let all_seen = seen.complete && totals.stopped.is_none() && totals.counts.unfinished == 0;
    seen.uploads = uploads::finish(&context, all_seen, observer.as_ref()).await?;
    seen.complete &= ended.is_ok();
    mirror(&context, &mut seen, &mut totals, &stop, observer.as_ref()).await;
    conclude(&context, &stop, started, ended, seen, totals).await
}

/// Deletes what the source no longer has, if that is wanted.
async fn mirror(
    context: &Context,
    seen: &mut Seen,
    totals: &mut Totals,
    stop: &Stop,
    observer: &dyn Observer,
) {
    if context.options.delete.is_some() {
        let gone = std::mem::take(&mut seen.deletable);
        let (deletion, failure) = delete::mirror(context, gone, totals, seen.complete, stop, observer).await;
        totals.stopped = totals.stopped.take().or(failure);
        seen.deletion = Some(deletion);
    }
}

/// A job that a cut-over has closed goes on only when told to.
async fn refuse_closed(ledger: &Ledger, options: &Options) -> Result<()> {
    let Some(closed) = ledger.closed().await? else { return Ok(()) };
    if !options.reopen {
        let text = format!("a cut-over closed this job at {}", closed.strftime("%Y-%m-%d %H:%M:%S UTC"));
        return Err(Error::new(ErrorKind::LedgerConflict, text)
            .about(ledger.path().to_string_lossy())
            .help("what was moved then may be in use by now; --reopen goes on with it all the same"));
    }
    if options.dry_run { Ok(()) } else { ledger.reopen_job().await }
}

async fn open(
    kind: RunKind,
    job: Job,
    gates: Gates,
    confirming: Option<Confirming>,
    ledger: Ledger,
    progress: Arc<Progress>,
    observer: &dyn Observer,
) -> Result<Context> {
    let restoring = match &job.options.sidecars.restore {
        Some(side) => Some(Restoring::open(side, &job.source, observer).await?),
        None => None,
    };
    let keeping = match job.options.sidecars.keep.as_ref().filter(|_| !job.options.dry_run) {
        Some(side) => Some(Keeping::open(side, &job.destination).await?),
        None => None,
    };
    let shard = job.options.shard.as_ref().map(|shard| format!(" (shard {})", shard.number()));
    let summary = format!(
        "{} -> {}{}{}",
        job.source.label,
        job.destination.label,
        shard.unwrap_or_default(),
        if job.options.dry_run { " (dry run)" } else { "" }
    );
    let run = ledger.start_run(kind, &summary, &run_log::settings(&job.options)).await?;
    let first_attempt = run_log::first_attempt(&ledger, &job.options, run).await?;
    let mut source = job.source;
    let access_lists =
        source.probe.as_ref().is_some_and(|probe| probe.access_lists(&source.prefix).is_some());
    source.store = Arc::new(ReadOnly::new(source.store));
    Ok(Context {
        source,
        destination: job.destination,
        ledger,
        run,
        first_attempt,
        guards: Guards::default(),
        memory: Budget::new(job.options.memory),
        parts: Arc::new(Semaphore::new(job.options.concurrency)),
        progress,
        gates,
        uploads: Arc::default(),
        access_lists,
        effort: Effort { attempts: 0, started: Timestamp::now() },
        slot: Slot::uncounted(),
        confirming,
        proven: Arc::default(),
        reads_tell: Arc::new(AtomicBool::new(true)),
        losses: Arc::new(job.options.loss_policy()),
        keeping,
        restoring,
        skew: Arc::default(),
        options: Arc::new(job.options),
    })
}

/// The merge-joined listings, or what the list of keys names.
async fn candidates(
    context: &Context,
    outcomes: mpsc::Sender<Outcome>,
    observer: &Arc<dyn Observer>,
) -> Result<BoxStream<'static, Result<Joined>>> {
    let (source, destination) = (&context.source, &context.destination);
    if let Some(file) = &context.options.selection.keys_from {
        return keys::candidates(file, context.clone(), outcomes, Arc::clone(observer)).await;
    }
    // The first so many objects are the first by name.
    let ordered = context.options.max_objects.is_some();
    let ends = Ends { source, destination };
    let span = context.options.shard.as_ref().map(|shard| shard.span.clone()).unwrap_or_default();
    Ok(ranges::joined(ends, context.ledger.clone(), &context.options.state_dir, ordered, span))
}

async fn conclude(
    context: &Context,
    stop: &Stop,
    started: Timestamp,
    ended: Result<()>,
    seen: Seen,
    mut totals: Totals,
) -> Result<Report> {
    if let Err(error) = ended {
        if totals.counts.listed == 0 && totals.stopped.is_none() {
            let _ = context.ledger.finish_run(context.run, "stopped", None).await;
            let _ = context.ledger.clone().close().await;
            return Err(error);
        }
        totals.stopped.get_or_insert(error);
    }
    check_sums(context, &seen, &mut totals);
    seen.remnants.iter().for_each(|remnants| remnants.add_to(&mut totals.losses));
    let done = seen.complete && !seen.deletion.as_ref().is_some_and(Deletion::is_short);
    let ending = ending(&totals, stop, done);
    let stopped_by = totals.stopped.as_ref().map(|error| error.kind().name());
    let report = Report {
        format: 1,
        run: Some(context.run),
        source: context.source.label.clone(),
        destination: context.destination.label.clone(),
        source_sse_c_key: context.source.store.capabilities().customer_key.clone(),
        destination_sse_c_key: context.destination.store.capabilities().customer_key.clone(),
        started,
        ended: Timestamp::now(),
        dry_run: context.options.dry_run,
        ending,
        stopped: totals.stopped.map(|error| error.to_string()),
        objects: totals.counts,
        bytes_listed: totals.bytes_listed,
        bytes_copied: totals.bytes_copied,
        objects_copied: totals.objects_copied,
        bytes_planned: totals.bytes_planned,
        pass: Pass { gone: seen.gone, ..totals.pass },
        deletion: seen.deletion,
        cutover: None,
        levels: totals.levels,
        losses: totals.losses,
        failures: totals.failures,
        remnants: seen.remnants,
        uploads: seen.uploads,
        excluded: seen.excluded,
        gone_from_source: seen.gone.objects,
        destination_only: seen.destination_only,
        listing_complete: seen.complete,
        guards: seen.guards,
        endpoints: Endpoints::of(&context.gates, &context.source, &context.destination),
        ledger: Some(context.ledger.path().to_string_lossy().into_owned()),
        next: Vec::new(),
    };
    let report = if context.options.ledger.rebuild {
        report.with_rebuild_advice()
    } else {
        report.with_advice(context.options.verify, context.options.command.as_ref())
    };
    end_record(context, &report, stopped_by).await?;
    Ok(report)
}

/// A report whose sums don't agree ends the run as stopped.
fn check_sums(context: &Context, seen: &Seen, totals: &mut Totals) {
    let listed = totals.counts.listed;
    if totals.counts.sum() != listed || listed + seen.left_out != context.progress.snapshot().listed {
        let text = "the sums of the report don't agree; please report this";
        totals.stopped.get_or_insert(Error::new(ErrorKind::Internal, text));
    }
}

/// The last words in the ledger.
async fn end_record(context: &Context, report: &Report, stopped_by: Option<String>) -> Result<()> {
    let Context { ledger, options, run, .. } = context;
    // Who has seen every object has renewed what is still wrong.
    if report.listing_complete && !options.dry_run && options.selection.keys_from.is_none() {
        ledger.forget_troubles_before(*run).await?;
    }
    let outcome = run_log::outcome(report.ending);
    ledger.finish_run(*run, &outcome, Some(run_log::stored(report, stopped_by))).await?;
    ledger.clone().close().await
}

fn ending(totals: &Totals, stop: &Stop, complete: bool) -> Ending {
    let counts = &totals.counts;
    let short = counts.stored_unread
        + counts.failed
        + counts.refused
        + counts.deferred
        + counts.conflicts
        + counts.unfinished;
    match totals {
        _ if totals.mismatches > 0 => Ending::Mismatch,
        Totals { stopped: Some(_), .. } => Ending::Stopped,
        _ if stop.abort.is_cancelled() => Ending::Interrupted,
        _ if stop.time_up.is_cancelled() && (!complete || counts.unfinished > 0) => Ending::TimeUp,
        _ if stop.drain.is_cancelled() && !stop.time_up.is_cancelled() => Ending::Interrupted,
        _ if short > 0 || !complete => Ending::Incomplete,
        _ => Ending::Complete,
    }
}

/// Tells the observer what the destination enforces.
pub(crate) fn tell_guards(guards: Guards, destination: &Side, observer: &dyn Observer) {
    use cabotage_core::Support::Enforced;
    if let Some(id) = &destination.store.capabilities().customer_key {
        observer.event(&Event::Warning(format!(
            "under the SSE-C key {id} an ETag proves nothing: objects count as stored-unread; use --verify read-back to \
             prove them"
        )));
    } else if guards.digest != Enforced {
        let text = "the destination did not refuse a write with a wrong digest: objects count as stored-unread; use --verify read-back to prove them";
        observer.event(&Event::Warning(text.into()));
    }
    if guards.create != Enforced {
        observer.event(&Event::Note(
            "the destination does not enforce create-only writes: each key is looked at before it is written"
                .into(),
        ));
    }
}
