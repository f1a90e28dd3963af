//! Mirrors deletions: takes away at the destination what this job put there and the source no longer has.
//!
//! Nothing is deleted, and nothing forgotten, on the word of a listing alone. Candidates are gathered while the listings are joined; only when
//! both were read to their end and nothing speaks against it, each is looked up at the source, which has to answer that it
//! is not there. So has the destination, of one that it doesn't list either: else the ledger would forget whose it is.

use std::sync::Arc;

use cabotage_core::{
    DeleteOptions, Detail, Disposition, ETag, Error, ErrorKind, ObjectInfo, Result, Scope, StorageExt as _,
    Versioning, display_key, disposition,
};
use futures::StreamExt as _;
use serde::{Deserialize, Serialize};

use crate::context::Context;
use crate::decide::is_as_written;
use crate::manifest::{Manifest, Removal};
use crate::tally::Totals;
use crate::{Amount, Class, Event, Observer, Row, Stop, Verdict};

/// Examples of what was left alone.
const EXAMPLES: usize = 3;

/// How far deletion may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeletePolicy {
    /// With more candidates than this, none is deleted.
    pub max: u64,
    /// By how much the source may be smaller than the ledger knows it, in percent of objects and of bytes, 0 to 100.
    pub max_shrink: u32,
}

impl Default for DeletePolicy {
    fn default() -> Self {
        Self { max: 1_000, max_shrink: 5 }
    }
}

/// What became of the objects that the source no longer has.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deletion {
    /// Objects of this job's own, as it left them at the destination.
    pub candidates: Amount,
    /// Deleted.
    pub deleted: Amount,
    /// Would be deleted (dry run only).
    pub planned: Amount,
    /// Gone from the destination too, by another's doing: only the ledger forgot them.
    pub forgotten: u64,
    /// Kept, because a head at the source didn't say that they are missing, or one at the destination said that they are
    /// there, though it didn't list them.
    pub kept: u64,
    /// Changed at the destination by somebody else, and left alone.
    pub conflicts: u64,
    /// Adopted for their size, so never written by this job; left alone.
    pub adopted: u64,
    /// Could not be deleted.
    pub failed: u64,
    /// Up to three of those that were kept, in conflict or failed, as a human reads them.
    #[serde(default)]
    pub examples: Vec<String>,
    /// Why nothing was deleted at all, and which option lifts that.
    pub blocked: Option<String>,
}

impl Deletion {
    /// Whether the destination still holds what the source no longer has.
    pub(crate) fn is_short(&self) -> bool {
        self.blocked.is_some() || self.kept + self.conflicts + self.failed > 0
    }

    fn example(&mut self, name: &str, text: &str) {
        if self.examples.len() < EXAMPLES {
            self.examples.push(format!("{}: {text}", display_key(name)));
        }
    }
}

/// An object to delete.
#[derive(Clone, Debug)]
struct Candidate {
    name: Arc<str>,
    size: u64,
    /// `None`: it is not at the destination either.
    there: Option<ETag>,
}

/// What the join found gone. Holds at most as many candidates as may be deleted; more are only counted.
#[derive(Debug, Default)]
pub(crate) struct Gone {
    /// All rows that the selection takes: what the ledger knows of the source.
    pub known: Amount,
    policy: DeletePolicy,
    found: u64,
    candidates: Vec<Candidate>,
    deletion: Deletion,
}

impl Gone {
    pub(crate) fn new(policy: DeletePolicy) -> Self {
        Self { policy, ..Self::default() }
    }

    /// Takes a row whose name the source doesn't list.
    pub(crate) fn take(&mut self, name: &Arc<str>, destination: Option<&ObjectInfo>, row: &Row) {
        if row.verdict == Verdict::AdoptedSize {
            self.deletion.adopted += 1;
            return;
        }
        if destination.is_some_and(|there| !is_as_written(there, row)) {
            self.deletion.conflicts += 1;
            self.deletion
                .example(name, "changed at the destination since this job wrote it; it was left alone");
            return;
        }
        self.found += 1;
        if destination.is_some() {
            self.deletion.candidates.add(row.size);
        }
        if self.found <= self.policy.max {
            let there = destination.and_then(|there| there.etag.clone());
            self.candidates.push(Candidate { name: Arc::clone(name), size: row.size, there });
        }
    }

    /// Why nothing may be deleted, if so.
    fn objection(&self, totals: &Totals, complete: bool) -> Option<String> {
        let Self { known, policy, .. } = self;
        if !complete || totals.stopped.is_some() {
            return Some("the listings of both sides were not read to their end without a failure".into());
        }
        if totals.counts.unfinished > 0 || totals.mismatches > 0 {
            return Some(
                "the pass before it was not finished, or found something spoilt; run it again".into(),
            );
        }
        let shrank = |known: u64, now: u64| {
            u128::from(known.saturating_sub(now)) * 100 > u128::from(known) * u128::from(policy.max_shrink)
        };
        if shrank(known.objects, totals.counts.listed) || shrank(known.bytes, totals.bytes_listed) {
            return Some(format!(
                "the source has {} objects of {} bytes, the ledger knows {} of {}: that is over {} % less. If that is \
                 meant, give --max-shrink PERCENT",
                totals.counts.listed, totals.bytes_listed, known.objects, known.bytes, policy.max_shrink
            ));
        }
        (self.found > policy.max).then(|| {
            format!(
                "{} objects are gone from the source, more than the {} of --max-delete. If that is meant, give \
                 --max-delete {}",
                self.found, policy.max, self.found
            )
        })
    }
}

/// What became of one candidate.
enum Fate {
    Deleted,
    Planned,
    Forgotten,
    Kept(String),
    Conflict,
    Failed(Error),
}

/// Deletes, after the pass. The second is what should end the run.
///
/// A run that dies on the way leaves rows of objects that are gone; the next one forgets them.
pub(crate) async fn mirror(
    context: &Context,
    gone: Gone,
    totals: &Totals,
    complete: bool,
    stop: &Stop,
    observer: &dyn Observer,
) -> (Deletion, Option<Error>) {
    let blocked = gone.objection(totals, complete);
    let Gone { candidates, mut deletion, .. } = gone;
    if blocked.is_some() || candidates.is_empty() {
        deletion.blocked = blocked;
        return (deletion, None);
    }
    if !context.options.dry_run {
        warn_of_versions(context, observer).await;
    }
    let done = run(context, candidates, &mut deletion, stop).await;
    tell(&deletion, observer);
    (deletion, done.err())
}

async fn run(
    context: &Context,
    candidates: Vec<Candidate>,
    deletion: &mut Deletion,
    stop: &Stop,
) -> Result<()> {
    let mut manifest = context.options.manifest.as_deref().map(Manifest::append).transpose()?;
    let fates = futures::stream::iter(candidates)
        .map(|candidate| async move {
            let fate = settle(context, &candidate).await;
            (candidate, fate)
        })
        .buffer_unordered(context.options.concurrency);
    let mut fates = std::pin::pin!(fates.take_until(stop.drain.cancelled()));
    while let Some((candidate, fate)) = fates.next().await {
        if let Some(manifest) = &mut manifest {
            log(manifest, &candidate, &fate)?;
        }
        count(deletion, &candidate, &fate);
        if let Fate::Failed(error) = fate
            && matches!(
                disposition(error.kind(), Scope::Object),
                Disposition::StopRun | Disposition::PauseEndpoint
            )
        {
            return Err(error);
        }
    }
    manifest.map_or(Ok(()), Manifest::finish)
}

/// Looks at the source, deletes, and only then forgets.
async fn settle(context: &Context, candidate: &Candidate) -> Fate {
    match reason_to_keep(context, candidate).await {
        Ok(None) => {}
        Ok(Some(reason)) => return Fate::Kept(reason),
        Err(error) => return Fate::Failed(error),
    }
    if context.options.dry_run {
        return if candidate.there.is_some() { Fate::Planned } else { Fate::Forgotten };
    }
    let fate = match delete(context, candidate).await {
        Ok(fate) => fate,
        Err(error) => return Fate::Failed(error),
    };
    match fate {
        Fate::Deleted | Fate::Forgotten => {
            forget(context, candidate).await.map_or_else(Fate::Failed, |()| fate)
        }
        _ => fate,
    }
}

/// The sidecar first: a run that dies in between finds the row, and tries again.
async fn forget(context: &Context, candidate: &Candidate) -> Result<()> {
    if let Some(keeping) = &context.keeping {
        keeping.forget(&context.destination_key(&candidate.name)?).await?;
    }
    context.ledger.forget(&candidate.name).await
}

async fn reason_to_keep(context: &Context, candidate: &Candidate) -> Result<Option<String>> {
    let at_source = source_says(context, &candidate.name).await?;
    if at_source.is_some() || candidate.there.is_some() {
        return Ok(at_source);
    }
    let key = context.destination_key(&candidate.name)?;
    let there = context.destination.store.find(&key, Detail::Basic).await.map_err(|error| error.on(&key))?;
    Ok(there.map(|_| "the destination has it, though it didn't list it".to_owned()))
}

/// `None` when the source answers that it has no such object; else why it is kept.
async fn source_says(context: &Context, name: &str) -> Result<Option<String>> {
    let key = context.source_key(name)?;
    match context.source.store.head(&key, Detail::Basic).await {
        Ok(_) => Ok(Some("the source has it, though it didn't list it".into())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Ok(Some(format!("the source didn't tell that it is gone: {error}"))),
    }
}

/// Deletes what is as recorded. A store that can't check that itself is looked at right before.
async fn delete(context: &Context, candidate: &Candidate) -> Result<Fate> {
    let Some(etag) = &candidate.there else { return Ok(Fate::Forgotten) };
    let key = context.destination_key(&candidate.name)?;
    let options = DeleteOptions { if_match: Some(etag.clone()), ..DeleteOptions::default() };
    match context.destination.store.delete(&key, options).await {
        Ok(()) => Ok(Fate::Deleted),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Fate::Forgotten),
        Err(error) if error.kind() == ErrorKind::PreconditionFailed => Ok(Fate::Conflict),
        Err(error) => Err(error.on(&key)),
    }
}

fn count(deletion: &mut Deletion, candidate: &Candidate, fate: &Fate) {
    match fate {
        Fate::Deleted => deletion.deleted.add(candidate.size),
        Fate::Planned => deletion.planned.add(candidate.size),
        Fate::Forgotten => deletion.forgotten += 1,
        Fate::Kept(reason) => {
            deletion.kept += 1;
            deletion.example(&candidate.name, reason);
        }
        Fate::Conflict => {
            deletion.conflicts += 1;
            deletion.example(&candidate.name, "changed at the destination meanwhile; it was left alone");
        }
        Fate::Failed(error) => {
            deletion.failed += 1;
            deletion.example(&candidate.name, &error.to_string());
        }
    }
}

/// One line of the manifest for each object that was deleted, would be, or was left alone.
fn log(manifest: &mut Manifest, candidate: &Candidate, fate: &Fate) -> Result<()> {
    let (class, error) = match fate {
        Fate::Deleted => ("deleted", None),
        Fate::Planned => ("to-delete", None),
        Fate::Forgotten => return Ok(()),
        Fate::Kept(reason) => ("kept", Some(reason.clone())),
        Fate::Conflict => ("conflict", Some("changed at the destination meanwhile".to_owned())),
        Fate::Failed(error) => ("failed", Some(error.to_string())),
    };
    let destination_etag = candidate.there.as_ref().map(ETag::bare);
    manifest.remove(&Removal { key: &candidate.name, size: candidate.size, class, destination_etag, error })
}

async fn warn_of_versions(context: &Context, observer: &dyn Observer) {
    let Some(probe) = &context.destination.probe else { return };
    if matches!(probe.versioning().await, Ok(Versioning::On)) {
        let text = "the destination keeps old versions: what --delete removes is hidden by a delete marker there, stays as an old version, and counts as one";
        observer.event(&Event::Warning(text.into()));
    }
}

fn tell(deletion: &Deletion, observer: &dyn Observer) {
    if deletion.deleted.objects > 0 {
        observer.event(&Event::Note(format!(
            "{} objects that the source no longer has were deleted at the destination",
            deletion.deleted.objects
        )));
    }
    for text in &deletion.examples {
        observer.event(&Event::Trouble {
            name: String::new(),
            class: Class::Conflict,
            kind: None,
            text: format!("not deleted: {text}"),
        });
    }
}

#[cfg(test)]
#[path = "delete_tests.rs"]
mod tests;
