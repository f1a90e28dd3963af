//! One object's journey from decision to outcome, with its retries.

use std::sync::Arc;
use std::time::Duration;

use cabotage_core::{
    Detail, Disposition, Error, ErrorKind, Loss, ObjectInfo, Operation, Result, Scope, Sha256, Timestamp,
    WriteMode, Written, disposition,
};

use crate::context::{Context, conflict};
use crate::decide::replacing;
use crate::transfer::{self, Preparation, Prepared, Receipt, Task, hash_at, hash_object, hash_source};
use crate::verify::{self, Checked};
use crate::{Adopt, Class, Intent, Outcome, Overwrite, Row, Verdict, keeping};

/// Attempts for an object, the first included.
const ATTEMPTS: u32 = 3;

/// What is to be done with one object, as decided.
#[derive(Clone, Debug)]
pub(crate) enum Work {
    Copy(WriteMode),
    ReadBack(Box<Row>),
    Recognise { there: Box<ObjectInfo>, intent: Box<Intent> },
    Adopt { there: Box<ObjectInfo>, how: Adopt },
}

/// Does it, and gives exactly one outcome. `Unfinished` with an error means that the run can't go on.
pub(crate) async fn work(context: &Context, name: Arc<str>, listed: ObjectInfo, work: Work) -> Outcome {
    let mut listed = listed;
    let mut reread = false;
    let mut attempt = 1;
    loop {
        let error = match once(context, &name, &listed, &work).await {
            Ok(outcome) => return outcome,
            Err(error) => missing_where(context, &name, error).await,
        };
        match disposition(error.kind(), Scope::Object) {
            Disposition::Retry | Disposition::PauseEndpoint if attempt < ATTEMPTS => {
                tracing::debug!(%error, attempt, "trying again");
                back_off(attempt).await;
                attempt += 1;
            }
            Disposition::RetryOnce if !reread => {
                reread = true;
                match look_again(context, &name).await {
                    Ok(info) => listed = info,
                    Err(error) => return ended(name, &listed, error),
                }
            }
            _ => {
                if attempt == 1 && !reread && is_refusal(&error) {
                    forget_intent(context, &name).await;
                }
                return ended(name, &listed, error);
            }
        }
    }
}

async fn back_off(attempt: u32) {
    let ceiling = 500 * 2_u64.pow(attempt);
    tokio::time::sleep(Duration::from_millis(rand::random_range(ceiling / 2..=ceiling))).await;
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

async fn forget_intent(context: &Context, name: &str) {
    if let Err(error) = context.ledger.drop_intent(name).await {
        tracing::warn!(%error, "the ledger could not be updated");
    }
}

/// The outcome of an object whose last attempt failed so.
fn ended(name: Arc<str>, listed: &ObjectInfo, error: Error) -> Outcome {
    let class = match (error.kind(), disposition(error.kind(), Scope::Object)) {
        (ErrorKind::NotFound, _) => return Outcome::new(name, listed.size, Class::Vanished),
        (ErrorKind::DestinationConflict, _) => Class::Conflict,
        (_, Disposition::Defer) => Class::Deferred,
        (_, Disposition::StopRun | Disposition::PauseEndpoint) => Class::Unfinished,
        _ => Class::Failed,
    };
    Outcome { source_etag: listed.etag.clone(), ..Outcome::because(name, listed.size, class, error) }
}

async fn once(context: &Context, name: &Arc<str>, listed: &ObjectInfo, work: &Work) -> Result<Outcome> {
    if context.options.dry_run {
        return rehearse(context, name, listed).await;
    }
    match work {
        Work::Copy(mode) => copy(context, name, listed, mode.clone()).await,
        Work::ReadBack(row) => read_back(context, name, listed, row).await,
        Work::Recognise { there, intent } => recognise(context, name, listed, there, intent).await,
        Work::Adopt { there, how } => adopt(context, name, listed, there, *how).await,
    }
}

/// Finds what can be found without writing: names and attributes that the destination can't hold.
async fn rehearse(context: &Context, name: &Arc<str>, listed: &ObjectInfo) -> Result<Outcome> {
    let task = Task { name: Arc::clone(name), listed: listed.clone(), mode: WriteMode::Create };
    Ok(match transfer::prepare(context, &task).await? {
        Preparation::Refused(source, losses) => refused(name, &source, losses),
        Preparation::Ready(prepared) => Outcome {
            losses: prepared.losses,
            source_etag: prepared.source.etag,
            ..Outcome::new(Arc::clone(name), prepared.source.size, Class::Planned)
        },
    })
}

async fn copy(context: &Context, name: &Arc<str>, listed: &ObjectInfo, mode: WriteMode) -> Result<Outcome> {
    let creates = mode == WriteMode::Create;
    let task = Task { name: Arc::clone(name), listed: listed.clone(), mode };
    let prepared = match transfer::prepare(context, &task).await? {
        Preparation::Ready(prepared) => prepared,
        Preparation::Refused(source, losses) => return Ok(refused(name, &source, losses)),
    };
    let receipt = transfer::copy(context, &prepared).await?;
    let checked = match verify::verify(context, &prepared, &receipt).await {
        Ok(checked) => checked,
        Err(error) if error.kind() == ErrorKind::VerifyMismatch && creates => {
            remove_own(context, &prepared, &receipt).await;
            return Err(error);
        }
        Err(error) => return Err(error),
    };
    if creates && checked.losses.iter().any(|loss| !context.options.accepts(loss.name)) {
        remove_own(context, &prepared, &receipt).await;
    }
    let outcome = settle(context, &prepared, receipt, checked).await?;
    Ok(Outcome { copied: outcome.class != Class::Refused, ..outcome })
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

fn refused(name: &Arc<str>, source: &ObjectInfo, losses: Vec<Loss>) -> Outcome {
    Outcome {
        losses,
        source_etag: source.etag.clone(),
        ..Outcome::new(Arc::clone(name), source.size, Class::Refused)
    }
}

/// Records what is proven, and only then calls the object done.
async fn settle(
    context: &Context,
    prepared: &Prepared,
    receipt: Receipt,
    checked: Checked,
) -> Result<Outcome> {
    let mut losses = prepared.losses.clone();
    losses.extend(checked.losses);
    if losses.iter().any(|loss| !context.options.accepts(loss.name)) {
        return Ok(refused(&prepared.name, &prepared.source, losses));
    }
    losses.sort();
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
        run: context.run,
        finished: Timestamp::now(),
    };
    context.ledger.record(row).await?;
    Ok(Outcome {
        verdict: Some(checked.verdict),
        sha256: Some(receipt.sha256),
        source_etag: prepared.source.etag.clone(),
        destination_etag: checked.info.etag,
        losses,
        ..Outcome::new(Arc::clone(&prepared.name), prepared.source.size, class_of(context, checked.verdict))
    })
}

/// Whether a proof is at the demanded level.
pub(crate) fn class_of(context: &Context, verdict: Verdict) -> Class {
    if verdict.at_least(context.options.verify.demands()) { Class::Verified } else { Class::StoredUnread }
}

/// Reads back an object that was copied before without being read.
async fn read_back(context: &Context, name: &Arc<str>, listed: &ObjectInfo, row: &Row) -> Result<Outcome> {
    let key = context.destination_key(name)?;
    let stored = hash_at(context.destination.store.as_ref(), &key, row.destination_etag.clone()).await?;
    let Some(expected) = row.sha256 else {
        return prove_adopted(context, name, listed, row, stored).await;
    };
    if let Err(error) = verify::compare_content(stored, expected, &key) {
        // A row without the source's ETag proves nothing and still tells whose the object is: it is copied again.
        let row = Row { source_etag: None, verdict: Verdict::StoredUnread, ..row.clone() };
        context.ledger.record(row).await?;
        return Err(error.help("run the same command again: the object is copied anew"));
    }
    let row = Row { verdict: Verdict::ReadBack, run: context.run, finished: Timestamp::now(), ..row.clone() };
    context.ledger.record(row.clone()).await?;
    Ok(known(name, &row, Class::Verified))
}

/// What was adopted for its size alone has to be equal in content and attributes.
async fn prove_adopted(
    context: &Context,
    name: &Arc<str>,
    listed: &ObjectInfo,
    row: &Row,
    stored: Sha256,
) -> Result<Outcome> {
    let key = context.destination_key(name)?;
    verify::compare_content(stored, hash_source(context, name, listed).await?, &key)?;
    let there = ObjectInfo { etag: row.destination_etag.clone(), ..ObjectInfo::new(key, row.size) };
    Found { name, listed, there: &there, stored, verdict: Verdict::ReadBack }.settle(context).await
}

/// The outcome of an object that the ledger already knows.
pub(crate) fn known(name: &Arc<str>, row: &Row, class: Class) -> Outcome {
    Outcome {
        verdict: Some(row.verdict),
        sha256: row.sha256,
        source_etag: row.source_etag.clone(),
        destination_etag: row.destination_etag.clone(),
        losses: row.losses.iter().map(|name| Loss::new(*name, "in an earlier run")).collect(),
        ..Outcome::new(Arc::clone(name), row.size, class)
    }
}

/// A run died between write and row: what is there is ours if it has the digest that was about to be written, or the
/// source's content.
async fn recognise(
    context: &Context,
    name: &Arc<str>,
    listed: &ObjectInfo,
    there: &ObjectInfo,
    intent: &Intent,
) -> Result<Outcome> {
    let key = context.destination_key(name)?;
    let stored = hash_object(context, &key, there).await?;
    let ours = intent.sha256 == Some(stored);
    let current = if ours && intent.source_etag.is_some() && intent.source_etag == listed.etag {
        true
    } else if there.size == listed.size {
        hash_source(context, name, listed).await? == stored
    } else {
        false
    };
    if current {
        let found = Found { name, listed, there, stored, verdict: Verdict::ReadBack };
        let outcome = found.settle(context).await?;
        if outcome.class != Class::Refused || context.options.overwrite == Overwrite::Never {
            return Ok(outcome);
        }
    } else if ours {
        context.ledger.record(stale_row(context, name, there, stored)).await?;
        if context.options.overwrite == Overwrite::Never {
            let text = "the source changed since it was copied, and --overwrite never was given";
            return Err(conflict(text).on(&key));
        }
    } else {
        context.ledger.drop_intent(name).await?;
        return replace_foreign(context, name, listed, there).await;
    }
    copy(context, name, listed, replacing(there.etag.as_ref())).await
}

/// Tells that what is there is this job's own, of a state that the source has left: until it is replaced, a run that
/// dies knows it again.
fn stale_row(context: &Context, name: &Arc<str>, there: &ObjectInfo, stored: Sha256) -> Row {
    Row {
        name: name.to_string(),
        source_etag: None,
        source_modified: None,
        size: there.size,
        sha256: Some(stored),
        destination_etag: there.etag.clone(),
        destination_version: there.version.clone(),
        attributes: None,
        verdict: Verdict::StoredUnread,
        losses: Vec::new(),
        run: context.run,
        finished: Timestamp::now(),
    }
}

/// Somebody else's object is in the place where an earlier run was about to write.
async fn replace_foreign(
    context: &Context,
    name: &Arc<str>,
    listed: &ObjectInfo,
    there: &ObjectInfo,
) -> Result<Outcome> {
    match (context.options.overwrite, context.options.adopt) {
        (Overwrite::Always, _) => copy(context, name, listed, replacing(there.etag.as_ref())).await,
        (_, Some(Adopt::Size)) => adopt(context, name, listed, there, Adopt::Size).await,
        _ => {
            let text = "the destination holds another object than the one that an earlier run was about to write; it was left alone";
            let help = "--overwrite always replaces it";
            Err(conflict(text).help(help).on(&context.destination_key(name)?))
        }
    }
}

/// An object that was at the destination before.
struct Found<'a> {
    name: &'a Arc<str>,
    listed: &'a ObjectInfo,
    there: &'a ObjectInfo,
    stored: Sha256,
    verdict: Verdict,
}

impl Found<'_> {
    /// Compares its attributes with those that a copy would send, and records it.
    async fn settle(self, context: &Context) -> Result<Outcome> {
        let task = Task {
            name: Arc::clone(self.name),
            listed: self.listed.clone(),
            mode: replacing(self.there.etag.as_ref()),
        };
        let prepared = match transfer::prepare(context, &task).await? {
            Preparation::Ready(prepared) => prepared,
            Preparation::Refused(source, losses) => return Ok(refused(self.name, &source, losses)),
        };
        // The content was compared with what was listed; a head may tell of a newer state.
        if prepared.source.etag != self.listed.etag || prepared.source.size != self.listed.size {
            return Err(Error::new(ErrorKind::SourceChanged, "the object changed while it was compared")
                .on(&prepared.source_key));
        }
        let info = verify::head(context, &prepared).await?;
        if info.etag != self.there.etag {
            return Err(conflict("the destination's object changed meanwhile; it was left alone")
                .on(&prepared.destination_key));
        }
        let losses = verify::attribute_losses(context, &prepared, &info);
        let written = Written { etag: info.etag.clone(), version: info.version.clone() };
        let receipt = Receipt { sha256: self.stored, written, found: true };
        settle(context, &prepared, receipt, Checked { info, losses, verdict: self.verdict }).await
    }
}

/// Takes an object that is already there as moved, on the evidence asked for.
async fn adopt(
    context: &Context,
    name: &Arc<str>,
    listed: &ObjectInfo,
    there: &ObjectInfo,
    how: Adopt,
) -> Result<Outcome> {
    let key = context.destination_key(name)?;
    if there.size != listed.size {
        let text = format!(
            "the destination holds another object of {} bytes, the source's has {}",
            there.size, listed.size
        );
        return Err(conflict(&text).on(&key));
    }
    if how == Adopt::Size {
        return adopt_by_size(context, name, listed, there).await;
    }
    let source = hash_source(context, name, listed);
    let (stored, source) = tokio::try_join!(hash_object(context, &key, there), source)?;
    if stored != source {
        return Err(
            conflict("the destination holds another object of the same size and other content").on(&key)
        );
    }
    Found { name, listed, there, stored, verdict: Verdict::ReadBack }.settle(context).await
}

/// No proof: recorded as such, without a digest.
async fn adopt_by_size(
    context: &Context,
    name: &Arc<str>,
    listed: &ObjectInfo,
    there: &ObjectInfo,
) -> Result<Outcome> {
    let row = Row {
        name: name.to_string(),
        source_etag: listed.etag.clone(),
        source_modified: listed.modified,
        size: listed.size,
        sha256: None,
        destination_etag: there.etag.clone(),
        destination_version: there.version.clone(),
        attributes: None,
        verdict: Verdict::AdoptedSize,
        losses: Vec::new(),
        run: context.run,
        finished: Timestamp::now(),
    };
    context.ledger.record(row).await?;
    Ok(Outcome {
        verdict: Some(Verdict::AdoptedSize),
        source_etag: listed.etag.clone(),
        destination_etag: there.etag.clone(),
        ..Outcome::new(Arc::clone(name), listed.size, class_of(context, Verdict::AdoptedSize))
    })
}
