//! Copies one object: read pinned to its ETag, hashed in order, written with every byte checked by the server.

mod chain;
mod marks;
mod opened;
mod part;
mod parts;
mod resume;
mod single;

use std::sync::Arc;

use cabotage_core::{
    Attributes, Detail, ETag, Error, ErrorKind, Key, Loss, LossName, ObjectBody, ObjectInfo, Result,
    StorageExt as _, WriteMode, WriteOptions, Written,
};

use crate::attributes::{self, MTIME};
use crate::content_sha256::ContentHasher;
use crate::context::{Context, conflict};
use crate::decide::is_as_written;
use crate::plan::{Plan, plan};
use crate::proof_of_attributes::Shape;
use crate::sidecar::Restored;
use crate::{ContentSha256, DigestForm, PartsDigest, verify};

pub(crate) use opened::open;

/// An object to copy.
#[derive(Clone, Debug)]
pub(crate) struct Task {
    /// Its name relative to both prefixes.
    pub name: Arc<str>,
    /// As the source's listing told it.
    pub listed: ObjectInfo,
    /// What may be in its place.
    pub mode: WriteMode,
    /// SHA-256 of its content, where it is known already.
    pub content: Option<ContentSha256>,
}

/// An object made ready: all that is decided before a byte moves.
#[derive(Clone, Debug)]
pub(crate) struct Prepared {
    pub name: Arc<str>,
    pub source_key: Key,
    pub destination_key: Key,
    /// The source's object with all its attributes.
    pub source: ObjectInfo,
    /// What it was before it lost something on its way to the source; else the same.
    pub original: ObjectInfo,
    /// The content for which the original's attributes hold, where they came from a sidecar.
    pub original_of: Option<ContentSha256>,
    /// In which form its SHA-256 is computed.
    pub form: DigestForm,
    /// What is sent along.
    pub options: WriteOptions,
    /// What gets lost, all accepted.
    pub losses: Vec<Loss>,
    plan: Plan,
}

/// What a copy left at the destination.
#[derive(Clone, Debug)]
pub(crate) struct Receipt {
    pub sha256: ContentSha256,
    pub written: Written,
    /// Whether equal bytes were found in its place, instead of written by this call: perhaps somebody else's.
    pub found: bool,
}

/// Either ready to be copied, or refused for what would be lost.
#[derive(Debug)]
pub(crate) enum Preparation {
    Ready(Box<Prepared>),
    Refused(Box<ObjectInfo>, Vec<Loss>),
}

/// Learns the object's attributes, names its losses, plans its parts.
///
/// # Errors
/// `KeyRejected`, `TooLarge`, `NotFound` (vanished) and those of a head.
pub(crate) async fn prepare(context: &Context, task: &Task) -> Result<Preparation> {
    let keys = Keys::of(context, task)?;
    let source = with_attributes(context, &keys.source, &task.listed).await?;
    prepare_as(context, task, keys, source).await
}

/// The object's keys at both ends.
struct Keys {
    source: Key,
    destination: Key,
}

impl Keys {
    fn of(context: &Context, task: &Task) -> Result<Self> {
        let (source, destination) = (context.source_key(&task.name)?, context.destination_key(&task.name)?);
        Ok(Self { source, destination })
    }
}

/// Names the losses of an object with these attributes, and plans its parts.
async fn prepare_as(context: &Context, task: &Task, keys: Keys, source: ObjectInfo) -> Result<Preparation> {
    let restored = original(context, &source, task.content).await?;
    let Restored { info: original, losses: unrestored, content: original_of } = restored;
    let to_send = ObjectInfo { attributes: Some(to_send(context, &original)), ..original.clone() };
    let mut losses = losses(context, &to_send);
    losses.extend(unrestored);
    if context.losses.refuses(&losses) {
        return Ok(Preparation::Refused(Box::new(source), losses));
    }
    let plan = plan(source.size, context.destination.store.capabilities(), &context.options)?;
    let options = write_options(context, to_send, &task.mode);
    let form = original_of.map_or_else(|| form(context, plan), |of| of.form);
    let prepared = Prepared {
        name: Arc::clone(&task.name),
        source_key: keys.source,
        destination_key: keys.destination,
        source,
        original,
        original_of,
        form,
        options,
        losses,
        plan,
    };
    Ok(Preparation::Ready(Box::new(prepared)))
}

/// What the object was before it came to the source, as far as a sidecar tells.
async fn original(
    context: &Context,
    source: &ObjectInfo,
    content: Option<ContentSha256>,
) -> Result<Restored> {
    let restored = match &context.restoring {
        Some(restoring) => restoring.original(source, content).await?,
        None => None,
    };
    Ok(restored.unwrap_or_else(|| Restored { info: source.clone(), losses: Vec::new(), content: None }))
}

/// In which form the SHA-256 of an object is computed, where no sidecar has one to compare it with.
fn form(context: &Context, plan: Plan) -> DigestForm {
    match (plan, context.options.digest) {
        (Plan::Parts(cut), PartsDigest::Composite) => cut.form(),
        _ => DigestForm::Whole,
    }
}

/// The listing's item if it tells everything, else a head.
async fn with_attributes(context: &Context, key: &Key, listed: &ObjectInfo) -> Result<ObjectInfo> {
    if tells_all(context, listed) {
        return Ok(listed.clone());
    }
    context.source.store.head(key, Detail::WithTags).await
}

/// Whether that tells all attributes which the source can hold.
fn tells_all(context: &Context, info: &ObjectInfo) -> bool {
    let holds_tags = context.source.store.capabilities().tags.max > 0;
    info.attributes.as_ref().is_some_and(|attributes| attributes.tags.is_some() || !holds_tags)
}

/// What would be lost, given the options.
fn losses(context: &Context, source: &ObjectInfo) -> Vec<Loss> {
    let mut losses = context.destination.store.capabilities().losses(source);
    if context.options.keep_mtime {
        losses.retain(|loss| loss.name != LossName::ModifiedTime);
    }
    if context.access_lists {
        losses.push(Loss::new(LossName::PosixAcl, "owner and access control list stay at the source"));
    }
    let unreadable = source.attributes.as_ref().is_some_and(|attributes| attributes.tags.is_none());
    if unreadable && context.source.store.capabilities().tags.max > 0 {
        losses.push(Loss::new(LossName::TagsUnreadable, "the right to read tags is missing"));
    }
    losses
}

/// The source's attributes, with the time of the last write where that is to be kept in metadata.
fn to_send(context: &Context, source: &ObjectInfo) -> Attributes {
    let mut attributes = source.attributes.clone().unwrap_or_default();
    let kept = attributes.metadata.keys().any(|name| name.eq_ignore_ascii_case(MTIME));
    let keep =
        context.options.keep_mtime && !context.destination.store.capabilities().keeps_modified && !kept;
    if let Some(time) = attributes::modified(source).filter(|_| keep) {
        attributes.metadata.insert(MTIME.into(), attributes::format_mtime(time));
    }
    attributes
}

fn write_options(context: &Context, to_send: ObjectInfo, mode: &WriteMode) -> WriteOptions {
    let capabilities = context.destination.store.capabilities();
    let modified = attributes::modified(&to_send);
    let attributes = attributes::fit(&to_send.attributes.unwrap_or_default(), capabilities);
    let tier = to_send.tier.map(|tier| tier.name).filter(|name| capabilities.tiers.known.contains_key(name));
    WriteOptions { attributes, mode: mode.clone(), tier, modified }
}

/// Copies, or finds that an earlier attempt of ours had already succeeded.
///
/// # Errors
/// Those of reading and writing; `DestinationConflict` when something else is in its place.
pub(crate) async fn copy(
    context: &Context,
    prepared: &Prepared,
    body: Option<ObjectBody>,
) -> Result<Receipt> {
    match prepared.plan {
        Plan::Single => single::copy(context, prepared, body).await,
        Plan::Parts(cut) => parts::copy(context, prepared, cut).await,
    }
}

/// Where the server doesn't enforce the mode itself, looks first.
async fn look_first(context: &Context, prepared: &Prepared) -> Result<()> {
    let there = context.destination.store.find(&prepared.destination_key, Detail::Basic).await?;
    let as_expected = match (&prepared.options.mode, &there) {
        (WriteMode::Replace, _) | (WriteMode::Create, None) => true,
        (WriteMode::Create, Some(_)) | (WriteMode::IfMatch(_), None) => false,
        (WriteMode::IfMatch(etag), Some(info)) => info.etag.as_ref() == Some(etag),
    };
    if as_expected {
        Ok(())
    } else {
        Err(Error::new(ErrorKind::PreconditionFailed, "the destination changed since it was listed"))
    }
}

/// After a precondition failed: a lost reply to our own write leaves exactly the bytes that we sent; anything else in
/// that place is somebody else's, or an earlier copy of ours that the listing did not tell of.
async fn recognise(context: &Context, prepared: &Prepared, sha256: ContentSha256) -> Result<Receipt> {
    let foreign = || {
        let text = "another object appeared at the destination since it was listed; it was left alone";
        conflict(text).on(&prepared.destination_key)
    };
    let Some(there) = context.destination.store.find(&prepared.destination_key, Detail::Basic).await? else {
        let text = "the destination's object disappeared since it was listed";
        return Err(Error::new(ErrorKind::PreconditionFailed, text)
            .on(&prepared.destination_key)
            .help("run the same command again"));
    };
    if there.size != prepared.source.size {
        return Err(foreign());
    }
    let stored = hash_object(context, &prepared.destination_key, &there, sha256.form).await?;
    if stored != sha256 {
        expect_as_recorded(context, prepared, &there, stored).await?;
        return Err(foreign());
    }
    Ok(Receipt { sha256, written: Written { etag: there.etag, version: there.version }, found: true })
}

/// An earlier copy of ours must still have the content that the ledger records.
async fn expect_as_recorded(
    context: &Context,
    prepared: &Prepared,
    there: &ObjectInfo,
    stored: ContentSha256,
) -> Result<()> {
    let row = context.ledger.row(&prepared.name).await?.filter(|row| is_as_written(there, row));
    match row.and_then(|row| Some((row.sha256?, row))) {
        Some((expected, row)) => {
            let key = &prepared.destination_key;
            let stored = hash_in_form(context, key, there, stored, expected.form).await?;
            verify::expect_recorded(context, &row, expected, stored, key).await
        }
        None => Ok(()),
    }
}

/// SHA-256 of a destination's object, read whole in that state.
///
/// # Errors
/// Those of reading; `PreconditionFailed` when it changes meanwhile.
pub(crate) async fn hash_object(
    context: &Context,
    key: &Key,
    info: &ObjectInfo,
    form: DigestForm,
) -> Result<ContentSha256> {
    hash_at(context.destination.store.as_ref(), key, info.etag.clone(), info.size, form).await
}

/// What is known of a destination's object if it is in that form, else what [`hash_object`] finds.
///
/// # Errors
/// As [`hash_object`].
pub(crate) async fn hash_in_form(
    context: &Context,
    key: &Key,
    info: &ObjectInfo,
    known: ContentSha256,
    form: DigestForm,
) -> Result<ContentSha256> {
    if known.form == form { Ok(known) } else { hash_object(context, key, info, form).await }
}

/// SHA-256 of an object of that size, read whole in the state of that ETag. A reply that announces another size is none:
/// something on the way may have cut it short and said so.
pub(crate) async fn hash_at(
    store: &dyn cabotage_core::Storage,
    key: &Key,
    etag: Option<ETag>,
    size: u64,
    form: DigestForm,
) -> Result<ContentSha256> {
    use futures::TryStreamExt as _;
    let mut body = store.read(key, cabotage_core::ReadOptions::pinned(None, etag)).await?;
    let mut hasher = ContentHasher::new(form);
    let mut len = 0;
    while let Some(chunk) = body.stream.try_next().await? {
        len += chunk.len() as u64;
        hasher.update(&chunk);
        tokio::task::coop::consume_budget().await;
    }
    single::expect_length(len, size).map_err(|error| error.on(key))?;
    Ok(hasher.finish())
}

/// SHA-256 of the source's object, read whole in the state that was listed.
///
/// # Errors
/// Those of reading; `SourceChanged` when it is in another state by now.
pub(crate) async fn hash_source(
    context: &Context,
    name: &str,
    listed: &ObjectInfo,
    form: DigestForm,
) -> Result<ContentSha256> {
    let key = context.source_key(name)?;
    let hashed = hash_at(context.source.store.as_ref(), &key, listed.etag.clone(), listed.size, form).await;
    hashed.map_err(|error| changed(error, &key))
}

/// A failed precondition on the source's side means that it changed.
fn source_changed(error: Error, prepared: &Prepared) -> Error {
    changed(error, &prepared.source_key)
}

fn changed(error: Error, source_key: &Key) -> Error {
    match error.kind() {
        ErrorKind::PreconditionFailed => {
            Error::new(ErrorKind::SourceChanged, "the object changed while it was read").on(source_key)
        }
        _ => error.on(source_key),
    }
}

/// The shape of what was sent along.
pub(crate) fn shape(prepared: &Prepared) -> Option<Shape> {
    Shape::of(&prepared.options, matches!(prepared.plan, Plan::Parts(_)))
}

/// What was sent along, for the comparison after the write.
pub(crate) fn sent(prepared: &Prepared) -> &Attributes {
    &prepared.options.attributes
}
