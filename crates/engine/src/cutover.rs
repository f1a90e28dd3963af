//! The cut-over: a final pass, a comparison of both sides and the ledger, and the end of the job.

use std::sync::Arc;

use cabotage_core::{Error, ErrorKind, ObjectInfo, Result, Timestamp, display_key};
use cabotage_layers::ReadOnly;
use futures::StreamExt as _;
use serde::{Deserialize, Serialize};
use tracing::Instrument as _;

use crate::decide::{change, is_as_written};
use crate::join::{Candidate, JoinSide, Joined, Span};
use crate::ranges::{self, Ends};
use crate::rules::open_ledger;
use crate::run::run_as;
use crate::typed::or_same;
use crate::{
    Change, Class, Ending, Event, Job, Observer, Progress, Report, Row, RunKind, Side, Stop, TypedCommand,
    run_log, spans,
};

/// Names kept in the report.
const EXAMPLES: usize = 10;

/// What the comparison at the end of a cut-over found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cutover {
    /// Whether both sides were listed to their end and compared; not after a pass that left something undone.
    pub compared: bool,
    /// Objects that are at both sides as the ledger records them, proven at the demanded level.
    pub equal: u64,
    /// At the source, and not in the ledger: they came since the final pass.
    pub new: u64,
    /// Changed at the source since the final pass.
    pub changed: u64,
    /// In the ledger and at the destination, no longer at the source.
    pub gone: u64,
    /// Missing at the destination.
    pub missing: u64,
    /// At the destination in another state than this job left them.
    pub differing: u64,
    /// Not proven at the demanded level.
    pub unproven: u64,
    /// Objects at the destination that this job knows nothing of.
    pub extra: u64,
    /// Up to ten of those that stand in the way, as a human reads them.
    #[serde(default)]
    pub examples: Vec<String>,
    /// When the job was closed; `None`: it is still open.
    pub closed: Option<Timestamp>,
}

impl Cutover {
    /// Whether nothing stands in the way of closing the job.
    #[must_use]
    pub fn is_equal(&self) -> bool {
        let Self { new, changed, gone, missing, differing, unproven, .. } = self;
        self.compared && new + changed + gone + missing + differing + unproven == 0
    }

    /// Compares what is known of one name; the finding, if something is not as it has to be.
    fn take(&mut self, candidate: &Candidate, job: &Job) -> Option<&'static str> {
        let Candidate { source, destination, row, .. } = candidate;
        let (counter, text) = match (source, row) {
            (None, None) => {
                self.extra += u64::from(destination.is_some());
                return None;
            }
            // Gone from both sides: only the ledger still knows it.
            (None, Some(_)) if destination.is_none() => return None,
            (None, Some(_)) => (&mut self.gone, "no longer at the source, and still at the destination"),
            (Some(_), None) => (&mut self.new, "new at the source since the final pass"),
            (Some(source), Some(row)) if change(source, Some(row)) != Change::Unchanged => {
                (&mut self.changed, "changed at the source since the final pass")
            }
            (Some(_), Some(row)) => self.at_destination(destination.as_ref(), row, job)?,
        };
        *counter += 1;
        Some(text)
    }

    fn at_destination(
        &mut self,
        destination: Option<&ObjectInfo>,
        row: &Row,
        job: &Job,
    ) -> Option<(&mut u64, &'static str)> {
        match destination {
            None => Some((&mut self.missing, "missing at the destination")),
            Some(there) if !is_as_written(there, row) => {
                Some((&mut self.differing, "at the destination in another state than this job left it"))
            }
            Some(_) if !row.verdict.at_least(job.options.verify.demands()) => {
                Some((&mut self.unproven, "not proven at the demanded level"))
            }
            Some(_) => {
                self.equal += 1;
                None
            }
        }
    }

    fn note(&mut self, name: &str, text: &str, observer: &dyn Observer) {
        let (name, text) = (display_key(name), format!("{}: {text}", display_key(name)));
        if self.examples.len() < EXAMPLES {
            self.examples.push(text.clone());
        }
        observer.event(&Event::Trouble { name, class: Class::Failed, kind: None, text });
    }
}

/// Runs a final pass, lists both sides again and compares them with the ledger. Only when all agrees the job is closed:
/// later runs are refused, unless told to reopen it. For the time after whatever writes to the source was stopped.
///
/// What the comparison proves is what listings tell: names, sizes and ETags, and attributes where they are listed.
/// A report whose [`Report::cutover`] has no `closed` is never [`Ending::Complete`].
///
/// # Errors
/// As [`run`](crate::run); `InvalidConfig` for options that leave part of the source out.
pub async fn cutover(
    job: Job,
    stop: Stop,
    progress: Arc<Progress>,
    observer: Arc<dyn Observer>,
) -> Result<Report> {
    let options = &job.options;
    if options.dry_run || options.max_objects.is_some() || options.selection.keys_from.is_some() {
        let text = "a cut-over takes the whole source: leave --dry-run, --keys-from and --max-objects out";
        return Err(Error::new(ErrorKind::InvalidConfig, text));
    }
    let mut after = Job {
        source: job.source.clone(),
        destination: job.destination.clone(),
        options: job.options.clone(),
    };
    let source = &mut after.source;
    source.store = Arc::new(ReadOnly::new(Arc::clone(&source.store)));
    let cutover = async {
        let (counters, watcher) = (Arc::clone(&progress), Arc::clone(&observer));
        let report = Box::pin(run_as(RunKind::Cutover, job, stop.clone(), counters, watcher)).await?;
        conclude(report, &after, &stop, &progress, observer.as_ref()).await
    };
    cutover.instrument(spans::of_run(RunKind::Cutover)).await
}

async fn conclude(
    mut report: Report,
    job: &Job,
    stop: &Stop,
    progress: &Progress,
    observer: &dyn Observer,
) -> Result<Report> {
    let command = or_same(job.options.command.as_ref().map(TypedCommand::next).as_ref());
    if report.ending != Ending::Complete {
        report.cutover = Some(Cutover::default());
        return Ok(report);
    }
    let ledger = open_ledger(&job.source, &job.destination, &job.options.state_dir).await?;
    let compared = compare(job, ledger.clone(), stop, progress, observer).await;
    let failed = compared.as_ref().err().map(ToString::to_string);
    let mut cutover = compared.unwrap_or_default();
    if cutover.is_equal() {
        ledger.close_job().await?;
        cutover.closed = ledger.closed().await?;
    }
    report.ending = match (cutover.closed, cutover.compared) {
        (Some(_), _) => Ending::Complete,
        (None, true) => Ending::Incomplete,
        (None, false) if failed.is_some() => Ending::Stopped,
        (None, false) if stop.time_up.is_cancelled() && !stop.abort.is_cancelled() => Ending::TimeUp,
        (None, false) => Ending::Interrupted,
    };
    report.stopped = failed;
    report.next = vec![match cutover.closed {
        Some(_) => {
            "the job is closed; to go on with it all the same: migrate or cutover with --reopen".into()
        }
        None if cutover.gone > 0 && job.options.delete.is_none() => {
            format!("delete at the destination what the source no longer has: {command} --delete")
        }
        None => format!("make sure that nothing writes to either side, then run again: {command}"),
    }];
    report.cutover = Some(cutover);
    if let Some(run) = report.run {
        let ending = serde_json::to_value(report.ending).unwrap_or_default();
        let stored = run_log::stored(&report, None);
        ledger.finish_run(run, ending.as_str().unwrap_or_default(), Some(stored)).await?;
    }
    ledger.close().await?;
    Ok(report)
}

/// Lists both sides anew, to their end unless told to stop.
async fn compare(
    job: &Job,
    ledger: crate::Ledger,
    stop: &Stop,
    progress: &Progress,
    observer: &dyn Observer,
) -> Result<Cutover> {
    let mut cutover = Cutover::default();
    let ends = Ends { source: &job.source, destination: &job.destination };
    let mut names = ranges::joined(ends, ledger, &job.options.state_dir, false, Span::default());
    loop {
        let next = tokio::select! {
            biased;
            () = stop.drain.cancelled() => return Ok(cutover),
            () = stop.abort.cancelled() => return Ok(cutover),
            next = names.next() => next,
        };
        let Some(item) = next else { break };
        progress.seen();
        match item? {
            Joined::Candidate(candidate) if !job.options.selection.takes(&candidate.name) => {}
            Joined::Candidate(candidate) => {
                if let Some(text) = cutover.take(&candidate, job) {
                    cutover.note(&candidate.name, text, observer);
                }
            }
            Joined::Bad { side: JoinSide::Destination, .. } => cutover.extra += 1,
            Joined::Bad { side: JoinSide::Source, key } => {
                if job
                    .options
                    .selection
                    .takes(relative(&job.source, &String::from_utf8_lossy(key.as_bytes())))
                {
                    cutover.new += 1;
                    cutover.note(&key.display(), "new at the source since the final pass", observer);
                }
            }
        }
    }
    cutover.compared = true;
    Ok(cutover)
}

fn relative<'a>(side: &Side, key: &'a str) -> &'a str {
    key.strip_prefix(&side.prefix).unwrap_or(key)
}
