//! One object's journey from decision to outcome, with its retries.

use std::sync::Arc;

use cabotage_core::{
    Detail, Disposition, Error, ErrorKind, Loss, ObjectInfo, Operation, Result, Scope, StorageExt as _,
    Timestamp, WriteMode, disposition,
};

use crate::attempts::{ATTEMPTS, back_off};
use crate::attributes_only::{Stale, update};
use crate::context::{Context, Effort};
use crate::decide::replacing;
use crate::existing::{adopt, copy_again, read_back, recognise};
use crate::recover::abort_unanswered;
use crate::sidecar::Lossy;
use crate::transfer::{self, Preparation, Prepared, Receipt, Task};
use crate::verify::{self, Checked};
use crate::{Adopt, Class, ContentSha256, Intent, Outcome, Row, Verdict, keeping, spans};

/// What is to be done with one object, as decided.
#[derive(Clone, Debug)]
pub(crate) enum Work {
    Copy(WriteMode),
    /// Copy after a run that began to and didn't finish.
    CopyAgain(WriteMode),
    ReadBack(Box<Row>),
    Attributes(Box<Stale>),
    Recognise {
        there: Box<ObjectInfo>,
        intent: Box<Intent>,
    },
    Adopt {
        there: Box<ObjectInfo>,
        how: Adopt,
    },
}

/// Does it, and gives exactly one outcome. `Unfinished` with an error means that the run can't go on.
pub(crate) async fn work(context: &Context, name: Arc<str>, listed: ObjectInfo, work: Work) -> Outcome {
    let outcome = persist(context, name, listed, work).await;
    spans::tell(&outcome);
    outcome
}

/// Tries until it is done or another attempt would be in vain.
async fn persist(context: &Context, name: Arc<str>, listed: ObjectInfo, work: Work) -> Outcome {
    let mut listed = listed;
    let mut reread = false;
    let mut attempt = 1;
    let started = Timestamp::now();
    loop {
        let context = &context.on(Effort { attempts: attempt + u32::from(reread), started });
        if let Err(error) = context.slot.take().await {
            return ended(context, name, &listed, error);
        }
        let error = match once(context, &name, &listed, &work).await {
            Ok(outcome) => return Outcome { attempts: context.effort.attempts, ..outcome },
            Err(error) => missing_where(context, &name, error).await,
        };
        match disposition(error.kind(), Scope::Object) {
            Disposition::Retry if attempt < ATTEMPTS => {
                tracing::debug!(%error, attempt, "trying again");
                back_off(attempt).await;
                attempt += 1;
            }
            Disposition::RetryOnce if !reread => {
                reread = true;
                match look_again(context, &name).await {
                    Ok(info) => listed = info,
                    Err(error) => return ended(context, name, &listed, error),
                }
            }
            _ => {
                if attempt == 1 && !reread && is_refusal(&error) {
                    forget_intent(context, &name).await;
                }
                return ended(context, name, &listed, error);
            }
        }
    }
}

/// The source's object as it is now.
async fn look_again(context: &Context, name: &str) -> Result<ObjectInfo> {
    let key = context.source_key(name)?;
    context.source.store.head(&key, Detail::WithTags).await
}

/// Only the source's word makes an object vanished. What is missing while the source still has the object is missing at
/// the destination, an upload that somebody else ended for instance: a trouble like any other there.
async fn missing_where(context: &Context, name: &str, error: Error) -> Error {
    if error.kind() != ErrorKind::NotFound {
        return error;
    }
    match look_again(context, name).await {
        Ok(_) => error.into_kind(ErrorKind::Interrupted),
        Err(at_source) => at_source,
    }
}

/// Whether the destination refused to begin, so that nothing was written.
fn is_refusal(error: &Error) -> bool {
    use ErrorKind::{KeyRejected, PermissionDenied, TooLarge, Unsupported};
    matches!(error.operation(), Some(Operation::Write | Operation::Upload))
        && matches!(error.kind(), KeyRejected | PermissionDenied | TooLarge | Unsupported)
}

/// Not while an upload may be open of which only the intent tells, nor while something is there: a write that was sent
/// again after an outage may have been carried out the first time and refused the second.
async fn forget_intent(context: &Context, name: &str) {
    let forgotten = async {
        abort_unanswered(context, name).await?;
        match context.destination.store.find(&context.destination_key(name)?, Detail::Basic).await {
            Ok(Some(_)) => Ok(()),
            Ok(None) => context.ledger.drop_intent(name).await,
            Err(error) if error.kind() == ErrorKind::KeyRejected => context.ledger.drop_intent(name).await,
            Err(error) => Err(error),
        }
    };
    if let Err(error) = forgotten.await {
        tracing::warn!(%error, "an object's intent stays in the ledger for the next run");
    }
}

/// The outcome of an object whose last attempt failed so.
fn ended(context: &Context, name: Arc<str>, listed: &ObjectInfo, error: Error) -> Outcome {
    let class = match (error.kind(), disposition(error.kind(), Scope::Object)) {
        (ErrorKind::NotFound, _) => {
            let attempts = context.effort.attempts;
            return Outcome { attempts, ..Outcome::new(name, listed.size, Class::Vanished) };
        }
        // The run ends while an end is waited for: that is no failure.
        (ErrorKind::Cancelled, _) => return Outcome::new(name, listed.size, Class::Unfinished),
        (ErrorKind::DestinationConflict, _) => Class::Conflict,
        (_, Disposition::Defer) => Class::Deferred,
        (_, Disposition::StopRun | Disposition::PauseEndpoint) => Class::Unfinished,
        _ => Class::Failed,
    };
    // What is written and differs needs no upload any more.
    let needs_upload = error.kind() != ErrorKind::VerifyMismatch;
    if matches!(class, Class::Failed | Class::Unfinished) && needs_upload {
        context.uploads.keep(&name);
    }
    Outcome {
        source_etag: listed.etag.clone(),
        attempts: context.effort.attempts,
        ..Outcome::because(name, listed.size, class, error)
    }
}

async fn once(context: &Context, name: &Arc<str>, listed: &ObjectInfo, work: &Work) -> Result<Outcome> {
    if context.effort.attempts > 1 && !context.options.dry_run {
        abort_unanswered(context, name).await?;
    }
    match work {
        Work::Attributes(stale) => update(context, name, listed, stale).await,
        _ if context.options.dry_run => rehearse(context, name, listed).await,
        Work::Copy(mode) if context.effort.attempts == 1 => copy(context, name, listed, mode.clone()).await,
        Work::Copy(mode) | Work::CopyAgain(mode) => copy_again(context, name, listed, mode).await,
        Work::ReadBack(row) => read_back(context, name, listed, row).await,
        Work::Recognise { there, intent } => recognise(context, name, listed, there, intent).await,
        Work::Adopt { there, how } => adopt(context, name, listed, there, *how).await,
    }
}

/// Finds what can be found without writing: names and attributes that the destination can't hold.
async fn rehearse(context: &Context, name: &Arc<str>, listed: &ObjectInfo) -> Result<Outcome> {
    let task =
        Task { name: Arc::clone(name), listed: listed.clone(), mode: WriteMode::Create, content: None };
    Ok(match transfer::prepare(context, &task).await? {
        Preparation::Refused(source, losses) => refused(name, &source, losses),
        Preparation::Ready(prepared) => Outcome {
            losses: prepared.losses,
            source_etag: prepared.source.etag,
            ..Outcome::new(Arc::clone(name), prepared.source.size, Class::Planned)
        },
    })
}

pub(crate) async fn copy(
    context: &Context,
    name: &Arc<str>,
    listed: &ObjectInfo,
    mode: WriteMode,
) -> Result<Outcome> {
    let creates = mode == WriteMode::Create;
    let task = Task { name: Arc::clone(name), listed: listed.clone(), mode, content: None };
    let (prepared, receipt) = match transfer(context, task, creates).await? {
        Transferred::Written(prepared, receipt) => (prepared, receipt),
        Transferred::Refused(outcome) => return Ok(*outcome),
    };
    let checked = match verify::verify(context, &prepared, &receipt).await {
        Ok(checked) => checked,
        Err(error) if error.kind() == ErrorKind::VerifyMismatch && creates => {
            remove_own(context, &prepared, &receipt).await;
            return Err(error);
        }
        Err(error) => return Err(error),
    };
    if creates && context.losses.refuses(&checked.losses) {
        remove_own(context, &prepared, &receipt).await;
    }
    let stays = receipt.written.etag.clone().filter(|_| !creates);
    let outcome = settle(context, &prepared, receipt, checked).await?;
    if outcome.class == Class::Refused {
        return Ok(Outcome { destination_etag: stays, ..outcome });
    }
    Ok(Outcome { copied: true, ..outcome })
}

enum Transferred {
    Written(Box<Prepared>, Receipt),
    Refused(Box<Outcome>),
}

/// Copies. Where what a sidecar put back turns out to belong to another content, which only its digest tells, the object
/// is copied once more without it.
async fn transfer(context: &Context, mut task: Task, creates: bool) -> Result<Transferred> {
    let mut before: Option<(Box<Prepared>, Receipt)> = None;
    loop {
        let (preparation, body) = transfer::open(context, &task).await?;
        let prepared = match preparation {
            Preparation::Ready(prepared) => prepared,
            Preparation::Refused(source, losses) => {
                if let Some((prepared, receipt)) = before.filter(|_| creates) {
                    remove_own(context, &prepared, &receipt).await;
                }
                return Ok(Transferred::Refused(Box::new(refused(&task.name, &source, losses))));
            }
        };
        let receipt = transfer::copy(context, &prepared, body).await?;
        if prepared.original_of.is_none_or(|content| content == receipt.sha256) {
            return Ok(Transferred::Written(prepared, receipt));
        }
        task.mode = replacing(receipt.written.etag.as_ref());
        task.content = Some(receipt.sha256);
        before = Some((prepared, receipt));
    }
}

/// Takes away what this run has just created and can't stand by. What was only found there, or can't be told from what
/// another put there, is left.
async fn remove_own(context: &Context, prepared: &Prepared, receipt: &Receipt) {
    let key = &prepared.destination_key;
    let Some(etag) = receipt.written.etag.clone().filter(|_| !receipt.found) else {
        tracing::warn!(?key, "an object that can't be told to be this run's own is left at the destination");
        return;
    };
    let (store, version) = (context.destination.store.as_ref(), receipt.written.version.clone());
    if let Err(error) = keeping::remove_written(store, key, etag, version).await {
        tracing::warn!(%error, "an object that was written and then refused could not be removed");
    } else {
        forget_intent(context, &prepared.name).await;
    }
}

pub(crate) fn refused(name: &Arc<str>, source: &ObjectInfo, losses: Vec<Loss>) -> Outcome {
    Outcome {
        losses,
        source_etag: source.etag.clone(),
        ..Outcome::new(Arc::clone(name), source.size, Class::Refused)
    }
}

/// Records what is proven, and only then calls the object done.
pub(crate) async fn settle(
    context: &Context,
    prepared: &Prepared,
    receipt: Receipt,
    checked: Checked,
) -> Result<Outcome> {
    let mut losses = prepared.losses.clone();
    losses.extend(checked.losses);
    if context.losses.refuses(&losses) {
        return Ok(refused(&prepared.name, &prepared.source, losses));
    }
    losses.sort();
    keep_sidecar(context, prepared, receipt.sha256, &checked.info, &losses).await?;
    let in_sidecar = context.keeping.is_some() && context.losses.keeps(&losses);
    let mut names: Vec<_> = losses.iter().map(|loss| loss.name).collect();
    names.dedup();
    let row = Row {
        name: prepared.name.to_string(),
        source_etag: prepared.source.etag.clone(),
        source_modified: prepared.source.modified,
        size: prepared.source.size,
        sha256: Some(receipt.sha256),
        destination_etag: checked.info.etag.clone(),
        destination_version: receipt.written.version,
        attributes: prepared.source.attributes.as_ref().map(cabotage_core::Attributes::digest),
        verdict: checked.verdict,
        losses: names,
        in_sidecar,
        run: context.run,
        finished: Timestamp::now(),
        attempts: context.effort.attempts,
        started: context.effort.started,
        destination_attributes: checked.info.attributes.as_ref().map(cabotage_core::Attributes::digest),
    };
    context.ledger.record(row).await?;
    Ok(Outcome {
        verdict: Some(checked.verdict),
        sha256: Some(receipt.sha256),
        source_etag: prepared.source.etag.clone(),
        destination_etag: checked.info.etag,
        losses,
        in_sidecar,
        ..Outcome::new(Arc::clone(&prepared.name), prepared.source.size, class_of(context, checked.verdict))
    })
}

/// Keeps what the object has lost; removes what was kept of the object that it replaces.
async fn keep_sidecar(
    context: &Context,
    prepared: &Prepared,
    sha256: ContentSha256,
    stored: &ObjectInfo,
    losses: &[Loss],
) -> Result<()> {
    let Some(keeping) = &context.keeping else { return Ok(()) };
    if context.losses.keeps(losses) {
        let source = (&context.source, &prepared.source);
        let lossy = Lossy { original: &prepared.original, source, stored, sha256, losses };
        return keeping.keep(&lossy).await;
    }
    match prepared.options.mode {
        WriteMode::Create => Ok(()),
        WriteMode::Replace | WriteMode::IfMatch(_) => keeping.forget(&prepared.destination_key).await,
    }
}

/// Whether a proof is at the demanded level.
pub(crate) fn class_of(context: &Context, verdict: Verdict) -> Class {
    if verdict.at_least(context.options.verify.demands()) { Class::Verified } else { Class::StoredUnread }
}

/// The detail of a loss of which the ledger has the name alone.
pub(crate) const EARLIER: &str = "in an earlier run";

/// The outcome of an object that the ledger already knows.
pub(crate) fn known(name: &Arc<str>, row: &Row, class: Class) -> Outcome {
    Outcome {
        verdict: Some(row.verdict),
        sha256: row.sha256,
        source_etag: row.source_etag.clone(),
        destination_etag: row.destination_etag.clone(),
        losses: row.losses.iter().map(|name| Loss { name: *name, detail: EARLIER.to_owned() }).collect(),
        in_sidecar: row.in_sidecar,
        ..Outcome::new(Arc::clone(name), row.size, class)
    }
}
