//! Objects that are at the destination already: read back, recognised after a crash, adopted.

use std::sync::Arc;

use cabotage_core::{
    Attributes, Detail, Error, ErrorKind, Key, ObjectInfo, Result, StorageExt as _, Timestamp, WriteMode,
    Written,
};

use crate::context::{Context, conflict};
use crate::decide::{is_as_written, replacing};
use crate::transfer::{self, Preparation, Receipt, Task, hash_at, hash_in_form, hash_object, hash_source};
use crate::verify::{self, Checked};
use crate::work::{class_of, copy, known, refused, settle};
use crate::{Adopt, Class, ContentSha256, DigestForm, Intent, Outcome, Overwrite, Row, Verdict};

/// Reads back an object that was copied before without being read.
pub(crate) async fn read_back(
    context: &Context,
    name: &Arc<str>,
    listed: &ObjectInfo,
    row: &Row,
) -> Result<Outcome> {
    let key = context.destination_key(name)?;
    let (store, form) = (context.destination.store.as_ref(), ContentSha256::form_of(row.sha256));
    let stored = hash_at(store, &key, row.destination_etag.clone(), row.size, form).await?;
    let Some(expected) = row.sha256 else {
        return prove_adopted(context, name, listed, row, stored).await;
    };
    verify::expect_recorded(context, row, expected, stored, &key).await?;
    let row = Row {
        verdict: Verdict::ReadBack,
        run: context.run,
        finished: Timestamp::now(),
        attempts: context.effort.attempts,
        started: context.effort.started,
        ..row.clone()
    };
    context.ledger.record(row.clone()).await?;
    Ok(known(name, &row, Class::Verified))
}

/// What was adopted for its size alone has to be equal in content and attributes.
async fn prove_adopted(
    context: &Context,
    name: &Arc<str>,
    listed: &ObjectInfo,
    row: &Row,
    stored: ContentSha256,
) -> Result<Outcome> {
    let key = context.destination_key(name)?;
    verify::compare_content(stored, hash_source(context, name, listed, stored.form).await?, &key)?;
    let there = ObjectInfo { etag: row.destination_etag.clone(), ..ObjectInfo::new(key, row.size) };
    Found { name, listed, there: &there, stored, verdict: Verdict::ReadBack }.settle(context).await
}

/// A run died between write and row: what is there is ours if it has the digest that was about to be written, or the
/// source's content. Ours, it is current if the source is in the state that was copied.
pub(crate) async fn recognise(
    context: &Context,
    name: &Arc<str>,
    listed: &ObjectInfo,
    there: &ObjectInfo,
    intent: &Intent,
) -> Result<Outcome> {
    let key = context.destination_key(name)?;
    let stored = hash_object(context, &key, there, ContentSha256::form_of(intent.sha256)).await?;
    let ours = intent.sha256 == Some(stored);
    let current = match &intent.source_etag {
        // In another state, the source may have the same content and other attributes.
        Some(etag) if ours => listed.etag.as_ref() == Some(etag),
        _ => there.size == listed.size && hash_source(context, name, listed, stored.form).await? == stored,
    };
    if current {
        let found = Found { name, listed, there, stored, verdict: Verdict::ReadBack };
        match found.settle(context).await {
            // Attributes were being set on this job's own object: the rest of them is set with a copy.
            Err(error)
                if ours
                    && error.kind() == ErrorKind::DestinationConflict
                    && is_own(context, name, there, stored).await? => {}
            Ok(outcome)
                if outcome.class == Class::Refused && context.options.overwrite != Overwrite::Never => {}
            settled => return settled,
        }
    } else if !ours {
        context.ledger.drop_intent(name).await?;
        return replace_foreign(context, name, listed, there).await;
    }
    // The intent of the copy that follows would forget whose this is.
    context.ledger.record(stale_row(context, name, there, stored)).await?;
    if !current && context.options.overwrite == Overwrite::Never {
        let text = "the source changed since it was copied, and --overwrite never was given";
        return Err(conflict(text).on(&key));
    }
    copy(context, name, listed, replacing(there.etag.as_ref())).await
}

/// Whether the ledger says that this job put that content there.
async fn is_own(context: &Context, name: &str, there: &ObjectInfo, stored: ContentSha256) -> Result<bool> {
    let row = context.ledger.row(name).await?.filter(|row| row.verdict != Verdict::AdoptedSize);
    let Some(recorded) = row.and_then(|row| row.sha256) else { return Ok(false) };
    let key = context.destination_key(name)?;
    Ok(hash_in_form(context, &key, there, stored, recorded.form).await? == recorded)
}

/// Copies after an attempt that failed, perhaps only in its reply: what it wrote is this job's own, and the next attempt's
/// intent would forget it. The source may be in another state by now.
pub(crate) async fn copy_again(
    context: &Context,
    name: &Arc<str>,
    listed: &ObjectInfo,
    mode: &WriteMode,
) -> Result<Outcome> {
    let key = context.destination_key(name)?;
    let there = match mode {
        WriteMode::Replace => None,
        WriteMode::Create | WriteMode::IfMatch(_) => {
            context.destination.store.find(&key, Detail::Basic).await.map_err(|error| error.on(&key))?
        }
    };
    let Some(there) = there.filter(|there| *mode != replacing(there.etag.as_ref())) else {
        return copy(context, name, listed, mode.clone()).await;
    };
    let row = context.ledger.row(name).await?;
    if row.is_some_and(|row| row.verdict != Verdict::AdoptedSize && is_as_written(&there, &row)) {
        return copy(context, name, listed, replacing(there.etag.as_ref())).await;
    }
    let mut intents = context.ledger.intents().await?.into_iter();
    match intents.find(|intent| intent.name == **name && intent.sha256.is_some()) {
        Some(intent) => recognise(context, name, listed, &there, &intent).await,
        None => copy(context, name, listed, mode.clone()).await,
    }
}

/// Tells that what is there is this job's own, of a state that the source has left: until it is replaced, a run that
/// dies knows it again.
fn stale_row(context: &Context, name: &Arc<str>, there: &ObjectInfo, stored: ContentSha256) -> Row {
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
        in_sidecar: false,
        run: context.run,
        finished: Timestamp::now(),
        attempts: context.effort.attempts,
        started: context.effort.started,
        destination_attributes: there.attributes.as_ref().map(Attributes::digest),
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
    stored: ContentSha256,
    verdict: Verdict,
}

impl Found<'_> {
    /// Where a sidecar tells another form of digest than the one that is known, the object is read once more for it.
    async fn prepare(&self, context: &Context) -> Result<Preparation> {
        let mut task = Task {
            name: Arc::clone(self.name),
            listed: self.listed.clone(),
            mode: replacing(self.there.etag.as_ref()),
            content: Some(self.stored),
        };
        let preparation = transfer::prepare(context, &task).await?;
        let Preparation::Ready(prepared) = &preparation else { return Ok(preparation) };
        let Some(form) = prepared.original_of.map(|of| of.form).filter(|form| *form != self.stored.form)
        else {
            return Ok(preparation);
        };
        task.content = Some(hash_object(context, &prepared.destination_key, self.there, form).await?);
        transfer::prepare(context, &task).await
    }

    /// Compares its attributes with those that a copy would send, and records it.
    async fn settle(self, context: &Context) -> Result<Outcome> {
        let prepared = match self.prepare(context).await? {
            Preparation::Ready(prepared) => prepared,
            Preparation::Refused(source, losses) => return Ok(refused(self.name, &source, losses)),
        };
        // The content was compared with what was listed; a head may tell of a newer state.
        if prepared.source.etag != self.listed.etag || prepared.source.size != self.listed.size {
            return Err(Error::new(ErrorKind::SourceChanged, "the object changed while it was compared")
                .on(&prepared.source_key));
        }
        let info = verify::head(context, &prepared, true).await?;
        if info.etag != self.there.etag {
            return Err(conflict("the destination's object changed meanwhile; it was left alone")
                .on(&prepared.destination_key));
        }
        verify::expect_nothing_else(&prepared, &info)?;
        let losses = verify::attribute_losses(context, &prepared, &info);
        let written = Written { etag: info.etag.clone(), version: info.version.clone() };
        let receipt = Receipt { sha256: self.stored, written, found: true };
        settle(context, &prepared, receipt, Checked { info, losses, verdict: self.verdict }).await
    }
}

/// Takes an object that is already there as moved, on the evidence asked for.
pub(crate) async fn adopt(
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
        expect_not_own(context, name, &key).await?;
        return adopt_by_size(context, name, listed, there).await;
    }
    let source = hash_source(context, name, listed, DigestForm::Whole);
    let stored = hash_object(context, &key, there, DigestForm::Whole);
    let (stored, source) = tokio::try_join!(stored, source)?;
    if stored != source {
        return Err(
            conflict("the destination holds another object of the same size and other content").on(&key)
        );
    }
    Found { name, listed, there, stored, verdict: Verdict::ReadBack }.settle(context).await
}

/// A listing that is behind tells an earlier state of this job's own object, and its row must not be lost to an adoption.
///
/// # Errors
/// `PreconditionFailed` when what is there now is as this job left it.
async fn expect_not_own(context: &Context, name: &str, key: &Key) -> Result<()> {
    let row = context.ledger.row(name).await?;
    let Some(row) = row.filter(|row| row.verdict != Verdict::AdoptedSize) else { return Ok(()) };
    let there = context.destination.store.find(key, Detail::Basic).await.map_err(|error| error.on(key))?;
    if there.is_none_or(|there| !is_as_written(&there, &row)) {
        return Ok(());
    }
    let text = "the destination listed this job's own object as it was before";
    Err(Error::new(ErrorKind::PreconditionFailed, text).on(key).help("run the same command again"))
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
        in_sidecar: false,
        run: context.run,
        finished: Timestamp::now(),
        attempts: context.effort.attempts,
        started: context.effort.started,
        destination_attributes: there.attributes.as_ref().map(Attributes::digest),
    };
    context.ledger.record(row).await?;
    Ok(Outcome {
        verdict: Some(Verdict::AdoptedSize),
        source_etag: listed.etag.clone(),
        destination_etag: there.etag.clone(),
        ..Outcome::new(Arc::clone(name), listed.size, class_of(context, Verdict::AdoptedSize))
    })
}
