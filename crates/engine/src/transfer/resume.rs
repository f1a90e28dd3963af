//! Whether an upload goes on from the parts of an earlier attempt or run, and from where.

use std::collections::BTreeMap;
use std::sync::Arc;

use cabotage_core::{
    ErrorKind, PartInfo, Result, Sha256, Sha256Hasher, Timestamp, Upload, WriteMode, WriteOptions,
};

use super::Prepared;
use super::parts::intent;
use crate::attempts::patiently;
use crate::context::Context;
use crate::plan::Cut;
use crate::recover::clear;
use crate::uploads::WentOn;
use crate::{DigestForm, DonePart, HashMark, Intent, OpenUpload};

/// What an upload begins with: nothing, or what is left of an earlier attempt.
#[derive(Debug, Default)]
pub(super) struct Standing {
    /// The digest of parts 1 to `hashed`, where it is computed in the order of the bytes.
    pub hasher: Sha256Hasher,
    /// How many parts are in it; all of them where the parts' own digests make that of the object. The ledger has the
    /// digest of each that was sent.
    pub hashed: u32,
    /// Parts that the server holds as this ledger sent them.
    pub kept: BTreeMap<u32, PartInfo>,
    /// Digests of the parts that were sent, by number.
    pub digests: BTreeMap<u32, Sha256>,
}

/// An upload and what it begins with.
pub(super) type Opened = (Arc<dyn Upload>, Standing);

/// Goes on with the object's recorded upload if it still fits and the server still has it; else aborts it and starts a
/// new one. The intent is recorded before either.
///
/// # Errors
/// Those of the ledger and of the destination.
pub(super) async fn open(
    context: &Context,
    prepared: &Prepared,
    cut: Cut,
    options: WriteOptions,
) -> Result<Opened> {
    let customer_key = context.destination.store.capabilities().customer_key.as_deref();
    let started_with = started_with(&options, customer_key);
    if let Some(recorded) = context.ledger.upload(&prepared.name).await? {
        if fits(&recorded, prepared, cut, started_with)
            && let Some(opened) = go_on(context, prepared, cut, &recorded, &options).await?
        {
            context.ledger.intend(intent(prepared, None)).await?;
            context.uploads.went_on(went_on(&opened.1, cut, prepared.form));
            return Ok(opened);
        }
        context.uploads.begun_anew();
    }
    let upload = start(context, prepared, options).await?;
    let recorded = OpenUpload {
        name: prepared.name.to_string(),
        id: upload.id().clone(),
        source_etag: prepared.source.etag.clone(),
        size: cut.size,
        part_size: cut.part,
        options: started_with,
        started: Timestamp::now(),
        hashed: None,
    };
    context.ledger.upload_started(recorded).await?;
    Ok((upload, standing(cut, prepared.form, None, &[], &[])))
}

/// Starts an upload; again after a lost reply, when what it may have started is aborted.
async fn start(context: &Context, prepared: &Prepared, options: WriteOptions) -> Result<Arc<dyn Upload>> {
    let once = || async {
        clear(context, &prepared.name).await?;
        // By the server's clock, since the times of its uploads are compared with it.
        let started = context.destination_time().await;
        context.ledger.intend(Intent { started, ..intent(prepared, None) }).await?;
        context.destination.store.start_upload(&prepared.destination_key, options.clone()).await
    };
    patiently(once).await
}

/// Whether the recorded upload is of the same state of the source, cut alike, and started with the same options. Without
/// an ETag nothing says that the source is the same.
fn fits(recorded: &OpenUpload, prepared: &Prepared, cut: Cut, started_with: Sha256) -> bool {
    recorded.source_etag.is_some()
        && recorded.source_etag == prepared.source.etag
        && (recorded.size, recorded.part_size) == (cut.size, cut.part)
        && recorded.options == started_with
}

/// Digest of what an upload is started with; `customer_key` is the id of the destination's SSE-C key.
fn started_with(options: &WriteOptions, customer_key: Option<&str>) -> Sha256 {
    let mode = match &options.mode {
        WriteMode::Create => "create".to_owned(),
        WriteMode::Replace => "replace".to_owned(),
        WriteMode::IfMatch(etag) => format!("if-match {}", etag.bare()),
    };
    let modified = options.modified.map(|time| time.to_string());
    let attributes = options.attributes.digest().to_hex();
    let fields =
        [Some(attributes.as_str()), Some(&mode), options.tier.as_deref(), modified.as_deref(), customer_key];
    let mut hasher = Sha256Hasher::default();
    for field in fields {
        let text = field.map_or_else(|| "-".to_owned(), |field| format!("{}:{field}", field.len()));
        hasher.update(text.as_bytes());
    }
    hasher.finish()
}

/// None when the server doesn't know the upload any more, or doesn't tell its parts.
async fn go_on(
    context: &Context,
    prepared: &Prepared,
    cut: Cut,
    recorded: &OpenUpload,
    options: &WriteOptions,
) -> Result<Option<Opened>> {
    let store = &context.destination.store;
    let asked = async {
        let upload = store.resume_upload(&prepared.destination_key, &recorded.id, options.clone()).await?;
        let told = upload.parts().await?;
        Ok((upload, told))
    };
    let (upload, told) = match asked.await {
        Ok(known) => known,
        Err(error) => {
            let error: cabotage_core::Error = error;
            use ErrorKind::{ListingBroken, NotFound, PermissionDenied, Unsupported};
            if matches!(error.kind(), NotFound | PermissionDenied | Unsupported | ListingBroken) {
                tracing::debug!(%error, "an upload can't go on");
                return Ok(None);
            }
            return Err(error);
        }
    };
    let sent = context.ledger.parts(&prepared.name).await?;
    Ok(Some((upload, standing(cut, prepared.form, recorded.hashed.as_ref(), &sent, &told))))
}

/// What of the recorded parts counts: those of the sizes planned, and those of them that the server tells with the same
/// size and ETag.
fn standing(
    cut: Cut,
    form: DigestForm,
    mark: Option<&HashMark>,
    sent: &[DonePart],
    told: &[PartInfo],
) -> Standing {
    let planned =
        |part: &&DonePart| (1..=cut.count()).contains(&part.number) && part.size == len(cut, part.number);
    let told: BTreeMap<u32, &PartInfo> = told.iter().map(|part| (part.number, part)).collect();
    let mut standing = Standing::default();
    for part in sent.iter().filter(planned) {
        standing.digests.insert(part.number, part.sha256);
        let held = told.get(&part.number).filter(|held| part.etag.is_some() && held.etag == part.etag);
        if let Some(held) = held.filter(|held| held.size == part.size) {
            standing.kept.insert(part.number, (*held).clone());
        }
    }
    match form {
        DigestForm::Whole => go_on_hashing(&mut standing, cut, mark),
        _ if form == cut.form() => standing.hashed = cut.count(),
        DigestForm::Composite { .. } => {}
    }
    standing
}

/// The kept state counts if it is whole and every part in it is recorded.
fn go_on_hashing(standing: &mut Standing, cut: Cut, mark: Option<&HashMark>) {
    let known = |parts: u32| standing.digests.range(1..=parts).count() as u64 == u64::from(parts);
    let state = mark.filter(|mark| (1..=cut.count()).contains(&mark.parts) && known(mark.parts));
    let hasher = state.and_then(|mark| Some((mark.parts, Sha256Hasher::from_state(&mark.state)?)));
    if let Some((parts, hasher)) = hasher.filter(|(parts, hasher)| hasher.taken() == cut.range(*parts).end) {
        (standing.hashed, standing.hasher) = (parts, hasher);
    }
}

fn len(cut: Cut, number: u32) -> u64 {
    let range = cut.range(number);
    range.end - range.start
}

/// For the report.
fn went_on(standing: &Standing, cut: Cut, form: DigestForm) -> WentOn {
    let bytes = |parts: &mut dyn Iterator<Item = &u32>| parts.map(|number| len(cut, *number)).sum();
    WentOn {
        parts: standing.kept.len() as u64,
        bytes: bytes(&mut standing.kept.keys()),
        from_state: form == DigestForm::Whole && standing.hashed > 0,
        read_again: bytes(&mut standing.kept.keys().filter(|number| **number > standing.hashed)),
    }
}

#[cfg(test)]
#[path = "resume_tests.rs"]
mod tests;
