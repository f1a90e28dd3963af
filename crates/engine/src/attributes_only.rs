//! Objects whose content is at the destination already, and whose attributes may not be: set without moving the bytes.

use std::sync::Arc;

use cabotage_core::{
    Attributes, Detail, ErrorKind, ObjectInfo, Result, StorageExt as _, Timestamp, WriteMode, Written,
};

use crate::context::{Context, conflict};
use crate::decide::{is_same_time, replacing};
use crate::existing::{read_back, recognise};
use crate::transfer::{self, Preparation, Prepared, Receipt, Task, hash_object, sent};
use crate::verify::{self, Checked};
use crate::work::{class_of, copy, known, refused, settle};
use crate::{Change, Class, Intent, Outcome, Overwrite, Row, Verdict, Verify};

/// What is known of such an object.
#[derive(Clone, Debug)]
pub(crate) struct Stale {
    /// What the ledger says was done.
    pub row: Row,
    /// The destination's object, as the row records it.
    pub there: ObjectInfo,
    /// Whether an earlier run began to write and didn't finish: its attributes may be other ones than the row's.
    pub begun: bool,
}

impl Stale {
    fn mode(&self) -> WriteMode {
        replacing(self.there.etag.as_ref())
    }
}

/// Compares the attributes, and brings those of the destination up to date where they differ. Where the destination
/// can't set them alone, or they come back otherwise than they were sent, the object is copied whole.
pub(crate) async fn update(
    context: &Context,
    name: &Arc<str>,
    listed: &ObjectInfo,
    stale: &Stale,
) -> Result<Outcome> {
    let row = &stale.row;
    let task = Task { name: Arc::clone(name), listed: listed.clone(), mode: stale.mode(), content: None };
    let changed = |change, outcome| Outcome { change: Some(change), ..outcome };
    let prepared = match transfer::prepare(context, &task).await? {
        Preparation::Ready(prepared) => prepared,
        Preparation::Refused(source, losses) => {
            return Ok(changed(Change::Attributes, refused(name, &source, losses)));
        }
    };
    let source = &prepared.source;
    if source.etag != row.source_etag || source.size != row.size {
        // It changed since it was listed: its content may be another.
        return Ok(changed(Change::Changed, whole(context, name, source, stale).await?));
    }
    let is_current = is_current(context, &prepared, row);
    if is_current && !stale.begun {
        return Ok(changed(Change::Unchanged, current(context, name, source, row).await?));
    }
    let change = if is_current { Change::Unchanged } else { Change::Attributes };
    if context.options.dry_run {
        let planned = Outcome::new(Arc::clone(name), source.size, Class::Planned);
        let source_etag = source.etag.clone();
        return Ok(changed(change, Outcome { losses: prepared.losses, source_etag, ..planned }));
    }
    if context.options.overwrite == Overwrite::Never {
        let text = "the source's attributes changed since it was copied, and --overwrite never was given";
        return Err(conflict(text).on(&prepared.destination_key));
    }
    let set = if can_set(context, source, row) { set(context, &prepared, stale).await? } else { None };
    let outcome = match set {
        Some(outcome) => outcome,
        None => whole(context, name, source, stale).await?,
    };
    Ok(changed(change, outcome))
}

async fn whole(context: &Context, name: &Arc<str>, source: &ObjectInfo, stale: &Stale) -> Result<Outcome> {
    if context.options.dry_run {
        return Ok(Outcome::new(Arc::clone(name), source.size, Class::Planned));
    }
    copy(context, name, source, stale.mode()).await
}

/// Whether the time of the last write goes to the destination.
fn moves_time(context: &Context) -> bool {
    context.options.keep_mtime || context.destination.store.capabilities().keeps_modified
}

/// Whether the row already tells of these attributes.
fn is_current(context: &Context, prepared: &Prepared, row: &Row) -> bool {
    let digest = prepared.source.attributes.as_ref().map(Attributes::digest);
    digest.is_some()
        && digest == row.attributes
        && (is_same_time(&prepared.source, row) || !moves_time(context))
}

/// Nothing is to be done but to remember a new time, and to read back where that is still due.
async fn current(context: &Context, name: &Arc<str>, source: &ObjectInfo, row: &Row) -> Result<Outcome> {
    let demanded = context.options.verify;
    let dry_run = context.options.dry_run;
    let row = Row { source_modified: source.modified, ..row.clone() };
    if !row.verdict.at_least(demanded.demands()) && demanded == Verify::ReadBack && !dry_run {
        return read_back(context, name, source, &row).await;
    }
    let class = if row.verdict.at_least(demanded.demands()) {
        Class::Skipped
    } else {
        class_of(context, row.verdict)
    };
    let outcome = known(name, &row, class);
    context.ledger.record(row).await.map(|()| outcome)
}

/// Whether attributes alone can be brought there: not the time of the last write where the destination keeps one, nor what
/// goes to or comes from a sidecar.
fn can_set(context: &Context, source: &ObjectInfo, row: &Row) -> bool {
    let capabilities = context.destination.store.capabilities();
    let sidecars = &context.options.sidecars;
    capabilities.set_attributes
        && sidecars.keep.is_none()
        && sidecars.restore.is_none()
        && row.sha256.is_some()
        && (is_same_time(source, row) || !capabilities.keeps_modified)
}

/// Sets them in the state that was listed and looks at them. `None`: that is not to be had here.
async fn set(context: &Context, prepared: &Prepared, stale: &Stale) -> Result<Option<Outcome>> {
    let (row, key) = (&stale.row, &prepared.destination_key);
    let intent = Intent {
        name: prepared.name.to_string(),
        source_etag: prepared.source.etag.clone(),
        size: prepared.source.size,
        sha256: row.sha256,
        multipart: false,
        started: Timestamp::now(),
    };
    context.ledger.intend(intent.clone()).await?;
    let store = context.destination.store.as_ref();
    let written = match store.set_attributes(key, sent(prepared), stale.there.etag.as_ref()).await {
        Ok(written) => written,
        Err(error) if matches!(error.kind(), ErrorKind::Unsupported | ErrorKind::TooLarge) => {
            return Ok(None);
        }
        // The reply of an earlier attempt was lost, or somebody else was here: the content tells.
        Err(error) if error.kind() == ErrorKind::PreconditionFailed => {
            let Some(there) = store.find(key, Detail::Basic).await? else { return Err(error.on(key)) };
            return recognise(context, &prepared.name, &prepared.source, &there, &intent).await.map(Some);
        }
        Err(error) => return Err(error.on(key)),
    };
    let Some(info) = arrived(context, prepared, &written).await? else { return Ok(None) };
    let verdict = verdict(context, prepared, row, &info).await?;
    let Some(sha256) = row.sha256 else { return Ok(None) };
    let receipt = Receipt { sha256, written, found: false };
    settle(context, prepared, receipt, Checked { info, losses: Vec::new(), verdict }).await.map(Some)
}

/// The object with its attributes, if they are exactly those sent: none changed, none left from before.
async fn arrived(context: &Context, prepared: &Prepared, written: &Written) -> Result<Option<ObjectInfo>> {
    let detail = if sent(prepared).tags.is_some() { Detail::WithTags } else { Detail::Basic };
    let found = context.destination.store.find(&prepared.destination_key, detail).await?;
    let Some(info) = found else { return Ok(None) };
    let stored = info.attributes.clone().unwrap_or_default();
    let as_sent = info.size == prepared.source.size
        && (written.etag.is_none() || written.etag == info.etag)
        && verify::attribute_losses(context, prepared, &info).is_empty()
        && !has_more(sent(prepared), &stored);
    Ok(as_sent.then_some(info))
}

/// Whether something is stored that was not sent.
fn has_more(sent: &Attributes, stored: &Attributes) -> bool {
    let tags =
        sent.tags.as_ref().zip(stored.tags.as_ref()).is_some_and(|(sent, stored)| stored.len() > sent.len());
    tags || stored.metadata.len() > sent.metadata.len()
}

/// What is proven of the content. Under an unchanged ETag all that was; else no more than that the server checked it
/// once, unless it is read again.
async fn verdict(context: &Context, prepared: &Prepared, row: &Row, info: &ObjectInfo) -> Result<Verdict> {
    let same = info.etag.is_some() && info.etag == row.destination_etag;
    let checked = if context.is_server_checked() { Verdict::ServerChecked } else { Verdict::StoredUnread };
    let kept = if same { row.verdict } else { row.verdict.min(checked) };
    let demanded = context.options.verify;
    let Some(expected) = row.sha256.filter(|_| demanded == Verify::ReadBack && kept < Verdict::ReadBack)
    else {
        return Ok(kept);
    };
    let key = &prepared.destination_key;
    let stored = hash_object(context, key, info, expected.form).await?;
    let row = Row { destination_etag: info.etag.clone(), ..row.clone() };
    verify::expect_recorded(context, &row, expected, stored, key).await?;
    Ok(Verdict::ReadBack)
}
