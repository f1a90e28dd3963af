//! Turns candidates into decisions and decisions into tasks, as many at once as allowed.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use cabotage_core::{Detail, Error, ErrorKind, Key, ObjectInfo, RawKey, Result, StorageExt as _};
use futures::stream::{BoxStream, StreamExt as _};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use crate::attributes_only::Stale;
use crate::context::{Context, conflict};
use crate::decide::{ConflictReason, Decision, Facts, change, decide};
use crate::delete::Gone;
use crate::insight::MigrationInside;
use crate::join::{Candidate, JoinSide, Joined};
use crate::lanes::Lanes;
use crate::run::tell_guards;
use crate::tally::send;
use crate::work::{Work, class_of, known, work};
use crate::{
    Amount, Change, Class, Deletion, Guards, Intent, Observer, Outcome, Remnants, Row, Stop, UploadCounts,
    guards, keeping, spans,
};

/// How long what is in flight may take to finish after a stop.
pub(crate) const GRACE: Duration = Duration::from_secs(30);

/// When to end early: the user's wish, or the tally's judgement.
#[derive(Clone, Debug)]
pub(crate) struct Halts {
    /// Start nothing new.
    pub drain: CancellationToken,
    /// End what is in flight.
    pub abort: CancellationToken,
}

impl Halts {
    pub(crate) fn new(stop: &Stop) -> Self {
        Self { drain: stop.drain.child_token(), abort: stop.abort.child_token() }
    }
}

/// What the dispatcher saw beside the outcomes.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub excluded: u64,
    /// In the ledger and at the destination, not at the source.
    pub gone: Amount,
    /// What may be deleted of that.
    pub deletable: Gone,
    pub deletion: Option<Deletion>,
    pub destination_only: u64,
    pub guards: Option<Guards>,
    pub remnants: Option<Remnants>,
    pub uploads: UploadCounts,
    /// Listed and decided, and not begun: as good as not listed.
    pub left_out: u64,
    /// Whether the candidates were read to their end, and all were begun.
    pub complete: bool,
}

/// Whether to go on with the next candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flow {
    On,
    Enough,
}

/// Feeds the tasks.
pub(crate) struct Dispatcher {
    context: Context,
    halts: Halts,
    outcomes: mpsc::Sender<Outcome>,
    intents: HashMap<String, Intent>,
    observer: Arc<dyn Observer>,
    lanes: Lanes,
    tasks: JoinSet<()>,
    /// How many objects were left in the queue, since the run was told to start nothing new.
    left_out: Arc<AtomicU64>,
    copies: u64,
    seen: Seen,
}

impl Dispatcher {
    pub(crate) fn new(
        context: Context,
        halts: Halts,
        outcomes: mpsc::Sender<Outcome>,
        intents: HashMap<String, Intent>,
        observer: Arc<dyn Observer>,
    ) -> Self {
        let lanes = Lanes::new(&context.options, context.ledger.at_work());
        context.progress.open_inside(Arc::new(MigrationInside {
            memory: context.memory.clone(),
            lanes: lanes.clone(),
            outcomes: outcomes.downgrade(),
        }));
        let deletable = Gone::new(context.options.delete.unwrap_or_default());
        let seen = Seen { deletable, ..Seen::default() };
        let (tasks, left_out) = (JoinSet::new(), Arc::default());
        Self { context, halts, outcomes, intents, observer, lanes, tasks, left_out, copies: 0, seen }
    }

    /// Takes candidates until they end, a stop is asked for, or `--max-objects` is reached.
    ///
    /// # Errors
    /// Those of the listings, of the ledger, and of asking the destination what it enforces.
    pub(crate) async fn dispatch(
        &mut self,
        mut candidates: BoxStream<'static, Result<Joined>>,
    ) -> Result<()> {
        let (drain, abort) = (self.halts.drain.clone(), self.halts.abort.clone());
        loop {
            let next = tokio::select! {
                biased;
                () = drain.cancelled() => return Ok(()),
                () = abort.cancelled() => return Ok(()),
                next = candidates.next() => next,
            };
            let Some(joined) = next else { break };
            let flow = match joined? {
                Joined::Candidate(candidate) => self.take(candidate).await?,
                Joined::Bad { side: JoinSide::Source, key } => self.refuse_name(&key).await?,
                Joined::Bad { side: JoinSide::Destination, .. } => {
                    self.seen.destination_only += 1;
                    Flow::On
                }
            };
            if flow == Flow::Enough {
                return Ok(());
            }
        }
        self.seen.complete = !drain.is_cancelled();
        self.forget_intents().await?;
        self.context.progress.listing_done();
        Ok(())
    }

    /// Forgets the intents that the listings know nothing of: nothing was written, and nothing is left to write. A listing
    /// may be behind, so the destination is asked once more.
    async fn forget_intents(&mut self) -> Result<()> {
        let Context { options, destination, ledger, .. } = &self.context;
        if self.seen.complete && !options.dry_run && options.selection.keys_from.is_none() {
            for (name, _) in self.intents.drain() {
                let Ok(key) = Key::new(format!("{}{name}", destination.prefix)) else { continue };
                if matches!(destination.store.find(&key, Detail::Basic).await, Ok(None)) {
                    ledger.drop_intent(&name).await?;
                }
            }
        }
        Ok(())
    }

    /// Waits for what is in flight, after a stop no longer than the grace.
    pub(crate) async fn finish(mut self) -> Seen {
        let (drain, abort) = (self.halts.drain.clone(), self.halts.abort.clone());
        let mut grace = std::pin::pin!(async {
            drain.cancelled().await;
            tokio::time::sleep(GRACE).await;
        });
        let mut waiting = true;
        loop {
            tokio::select! {
                done = self.tasks.join_next() => if done.is_none() { break },
                () = &mut grace, if waiting => {
                    waiting = false;
                    abort.cancel();
                }
            }
        }
        self.seen.left_out = self.left_out.load(Ordering::Relaxed);
        self.seen.complete &= self.seen.left_out == 0;
        self.seen
    }

    /// A name that no store but this one could hold.
    async fn refuse_name(&mut self, key: &RawKey) -> Result<Flow> {
        let raw = String::from_utf8_lossy(key.as_bytes());
        let name = raw.strip_prefix(&self.context.source.prefix).unwrap_or(&raw);
        if !self.context.options.selection.takes(name) {
            self.seen.excluded += 1;
            return Ok(Flow::On);
        }
        self.context.progress.listed(0);
        let text = "what the source lists here can't be moved: a name that is not UTF-8, a link, a device, or a folder that can't be read";
        let error = Error::new(ErrorKind::KeyRejected, text).about(key.display());
        send(&self.outcomes, Outcome::because(key.display().into(), 0, Class::Failed, error)).await?;
        Ok(Flow::On)
    }

    async fn take(&mut self, candidate: Candidate) -> Result<Flow> {
        let Candidate { name, source, destination, row } = candidate;
        self.context.progress.seen();
        let is_somewhere = source.is_some() || destination.is_some();
        let intent = if is_somewhere { self.intents.remove(&*name) } else { None };
        if !self.context.options.selection.takes(&name) {
            self.seen.excluded += u64::from(source.is_some());
            return Ok(Flow::On);
        }
        if let Some(row) = &row {
            self.seen.deletable.known.add(row.size);
        }
        let facts = Facts {
            source: source.as_ref(),
            destination: destination.as_ref(),
            row: row.as_ref(),
            intent: intent.as_ref(),
        };
        let decision = decide(facts, self.context.policy());
        let Some(source) = source else {
            self.note_absent(&name, destination.as_ref(), row.as_ref());
            return Ok(Flow::On);
        };
        let attempted = self.context.attempted(row.as_ref(), intent.as_ref());
        // No row tells whether what an earlier attempt moved was new or changed.
        let change = if attempted { Change::New } else { change(&source, row.as_ref()) };
        let todo = match self.plan(&name, &source, destination, row, intent, decision)? {
            Plan::Done(outcome) => {
                self.context.progress.listed(source.size);
                let outcome = if attempted { self.context.as_one_run(*outcome, &source) } else { *outcome };
                send(&self.outcomes, Outcome { change: Some(change), ..outcome }).await?;
                return Ok(Flow::On);
            }
            Plan::Todo(todo) => todo,
        };
        self.start(name, source, todo, (change, attempted)).await
    }

    /// Notes a name that the source doesn't list.
    fn note_absent(&mut self, name: &Arc<str>, destination: Option<&ObjectInfo>, row: Option<&Row>) {
        let Some(row) = row else {
            // While other shards run, their questions to the destination come and go.
            let passing = self.context.options.shard.is_some() && guards::is_probe_name(name);
            self.seen.destination_only += u64::from(destination.is_some() && !passing);
            return;
        };
        if destination.is_some() {
            self.seen.gone.add(row.size);
        }
        if self.context.options.delete.is_some() {
            self.seen.deletable.take(name, destination, row);
        }
    }

    /// What a decision means: an outcome at once, or work.
    fn plan(
        &self,
        name: &Arc<str>,
        source: &ObjectInfo,
        destination: Option<ObjectInfo>,
        row: Option<Row>,
        intent: Option<Intent>,
        decision: Decision,
    ) -> Result<Plan> {
        let done = |outcome| Ok(Plan::Done(Box::new(outcome)));
        let missing = || Error::new(ErrorKind::Internal, "a decision without its facts");
        match decision {
            Decision::Skip(verdict) => {
                let row = row.ok_or_else(missing)?;
                let attempted = self.context.attempted(Some(&row), None);
                let class = if attempted { class_of(&self.context, verdict) } else { Class::Skipped };
                done(known(name, &row, class))
            }
            Decision::Keep(verdict) => {
                done(known(name, &row.ok_or_else(missing)?, class_of(&self.context, verdict)))
            }
            Decision::Conflict(reason) => done(self.conflict(name, source, reason)),
            Decision::Defer => done(Outcome {
                source_etag: source.etag.clone(),
                ..Outcome::new(Arc::clone(name), source.size, Class::Deferred)
            }),
            Decision::Copy(_) if self.context.options.ledger.rebuild => done(Outcome {
                source_etag: source.etag.clone(),
                ..Outcome::new(Arc::clone(name), source.size, Class::Planned)
            }),
            Decision::Copy(mode) if intent.is_some() => Ok(Plan::Todo(Work::CopyAgain(mode))),
            Decision::Copy(mode) => Ok(Plan::Todo(Work::Copy(mode))),
            // It would be read, not moved.
            Decision::ReadBack if self.context.options.dry_run => {
                let row = row.ok_or_else(missing)?;
                done(known(name, &row, class_of(&self.context, row.verdict)))
            }
            Decision::ReadBack => Ok(Plan::Todo(Work::ReadBack(Box::new(row.ok_or_else(missing)?)))),
            Decision::Attributes => {
                let (there, row) = destination.zip(row).ok_or_else(missing)?;
                Ok(Plan::Todo(Work::Attributes(Box::new(Stale { row, there, begun: intent.is_some() }))))
            }
            Decision::Recognise => {
                let (there, intent) = destination.zip(intent).ok_or_else(missing)?;
                Ok(Plan::Todo(Work::Recognise { there: Box::new(there), intent: Box::new(intent) }))
            }
            Decision::Adopt(how) => {
                Ok(Plan::Todo(Work::Adopt { there: Box::new(destination.ok_or_else(missing)?), how }))
            }
            Decision::Gone | Decision::Ignore => Err(missing()),
        }
    }

    fn conflict(&self, name: &Arc<str>, source: &ObjectInfo, reason: ConflictReason) -> Outcome {
        let error = match reason {
            ConflictReason::Foreign => conflict(
                "the destination holds an object that this job did not write; it was left alone",
            )
            .help("--adopt content takes it as moved if both ends are equal, --overwrite always replaces it"),
            ConflictReason::Changed => {
                conflict("the destination's object was changed since this job wrote it; it was left alone")
                    .help("--overwrite always replaces it")
            }
            ConflictReason::Never => {
                conflict("the source changed since it was copied, and --overwrite never was given")
            }
        };
        let error = match self.context.destination_key(name) {
            Ok(key) => error.on(&key),
            Err(_) => error,
        };
        Outcome {
            source_etag: source.etag.clone(),
            ..Outcome::because(Arc::clone(name), source.size, Class::Conflict, error)
        }
    }

    /// Makes a task of it as soon as there is room for one.
    async fn start(
        &mut self,
        name: Arc<str>,
        source: ObjectInfo,
        todo: Work,
        (change, attempted): (Change, bool),
    ) -> Result<Flow> {
        if self.context.options.max_objects.is_some_and(|max| self.copies >= max) {
            return Ok(Flow::Enough);
        }
        let leave = tokio::select! {
            leave = self.lanes.admit(source.size) => leave?,
            () = self.halts.drain.cancelled() => return Ok(Flow::Enough),
        };
        self.ask_guards().await?;
        self.copies += 1;
        self.context.progress.listed(source.size);
        let (context, outcomes, lanes) = (self.context.clone(), self.outcomes.clone(), self.lanes.clone());
        let (Halts { drain, abort }, left_out) = (self.halts.clone(), Arc::clone(&self.left_out));
        let run = tracing::Span::current();
        self.tasks.spawn(async move {
            let begun = tokio::select! {
                biased;
                () = drain.cancelled(), if leave.is_queued() => None,
                () = abort.cancelled(), if leave.is_queued() => None,
                begun = lanes.begin(leave) => begun.ok(),
            };
            let Some(begun) = begun else {
                left_out.fetch_add(1, Ordering::Relaxed);
                return;
            };
            let slot = begun.slot.clone();
            let context = Context { slot: slot.clone(), ..context };
            let unfinished = Outcome::new(Arc::clone(&name), source.size, Class::Unfinished);
            let listed = attempted.then(|| source.clone());
            let span = spans::of_object(&run, todo.name(), source.size);
            let outcome = tokio::select! {
                outcome = Box::pin(work(&context, name, source, todo)).instrument(span) => outcome,
                () = abort.cancelled() => unfinished,
            };
            slot.give_back();
            let outcome = match &listed {
                Some(listed) => context.as_one_run(outcome, listed),
                None => outcome,
            };
            let outcome = Outcome { change: outcome.change.or(Some(change)), ..outcome };
            // Without a tally the run is over anyway.
            let _ = send(&outcomes, outcome).await;
        });
        while self.tasks.try_join_next().is_some() {}
        Ok(Flow::On)
    }

    /// Before the first write: what does the destination enforce?
    async fn ask_guards(&mut self) -> Result<()> {
        let options = &self.context.options;
        if self.seen.guards.is_none() && !options.dry_run && !options.ledger.rebuild {
            let Context { source, destination, ledger, .. } = &self.context;
            keeping::warn(destination, self.observer.as_ref()).await?;
            let guards = guards::ask(source, destination, ledger, self.observer.as_ref()).await?;
            tell_guards(guards, destination, self.observer.as_ref());
            self.context.guards = guards;
            self.seen.guards = Some(guards);
        }
        Ok(())
    }
}

enum Plan {
    Done(Box<Outcome>),
    Todo(Work),
}
