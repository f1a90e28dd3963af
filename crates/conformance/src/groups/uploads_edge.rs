//! Uploads: attributes, modes, wrong digests, wrong parts, unknown ids.

use std::sync::Arc;

use bytes::Bytes;
use cabotage_core::{
    Detail, ETag, ErrorKind, PartInfo, PartSlot, Payload, Sha256, Support, UploadId, WriteMode, WriteOptions,
};

use super::attributes::{compare, full};
use super::uploads::{Cut, needs_uploads};
use crate::check::{Verdict, fails, refused};
use crate::{Outcome, Place, Trial};

pub(super) fn trials() -> Vec<Trial> {
    trials! { "uploads":
        with_attributes, with_attributes_after_resuming, replaces_attributes, wrong_digest_of_a_part,
        completed_with_a_missing_part, completed_with_a_wrong_part, create_only, if_match, unknown_id,
        dropped_part,
    }
}

fn options(place: &Place) -> WriteOptions {
    WriteOptions { attributes: full(place.capabilities()), ..WriteOptions::default() }
}

async fn with_attributes(place: Arc<Place>) -> Verdict {
    needs_uploads!(place);
    let (key, cut, options) = (place.key("upload")?, Cut::of_three(&place), options(&place));
    let upload = place.store.start_upload(&key, options.clone()).await?;
    let parts = cut.send_all(&upload).await?;
    upload.complete(&parts).await?;
    let info = place.store.head(&key, Detail::WithTags).await?;
    compare(place.capabilities(), &options.attributes, info.attributes.as_ref())?;
    Ok(Outcome::Passed)
}

/// Whoever resumes brings the same options again.
async fn with_attributes_after_resuming(place: Arc<Place>) -> Verdict {
    needs_uploads!(place);
    let (key, cut, options) = (place.key("upload")?, Cut::of_three(&place), options(&place));
    let id = place.store.start_upload(&key, options.clone()).await?.id().clone();
    let upload = place.store.resume_upload(&key, &id, options.clone()).await?;
    let parts = cut.send_all(&upload).await?;
    upload.complete(&parts).await?;
    let info = place.store.head(&key, Detail::WithTags).await?;
    compare(place.capabilities(), &options.attributes, info.attributes.as_ref())?;
    check!(place.get(&key).await? == *cut.content(), "a resumed upload comes back changed");
    Ok(Outcome::Passed)
}

/// What the old object had and the upload doesn't bring is gone.
async fn replaces_attributes(place: Arc<Place>) -> Verdict {
    needs_uploads!(place);
    let (key, cut) = (place.key("upload")?, Cut::of_three(&place));
    place.put_with(&key, "old", &full(place.capabilities())).await?;
    let upload = place.upload(&key).await?;
    let parts = cut.send_all(&upload).await?;
    upload.complete(&parts).await?;
    let info = place.store.head(&key, Detail::WithTags).await?;
    compare(place.capabilities(), &WriteOptions::default().attributes, info.attributes.as_ref())?;
    Ok(Outcome::Passed)
}

async fn wrong_digest_of_a_part(place: Arc<Place>) -> Verdict {
    needs_uploads!(place);
    if place.capabilities().digest != Support::Enforced {
        return Outcome::skipped(format!("the store declares digests as {:?}", place.capabilities().digest));
    }
    let (key, cut) = (place.key("upload")?, Cut::of_three(&place));
    let upload = place.upload(&key).await?;
    let wrong = Payload::hashed(vec![cut.content().slice(..1000)], Sha256::of(b"something else"));
    let part = upload.part(PartSlot { number: 1, offset: 0 }, wrong).await;
    refused(part, &[ErrorKind::DigestMismatch], "a part with a wrong digest")?;
    same!(upload.parts().await?, [], "the parts after one was refused");
    let parts = cut.send_all(&upload).await?;
    upload.complete(&parts).await?;
    check!(place.get(&key).await? == *cut.content(), "the upload comes back changed after a refused part");
    Ok(Outcome::Passed)
}

/// Completing with parts that don't exist fails, and the old object stays.
async fn spoilt(place: &Place, spoil: impl FnOnce(&mut Vec<PartInfo>)) -> Verdict {
    needs_uploads!(place);
    let (key, cut) = (place.key("upload")?, Cut::of_three(place));
    place.put(&key, "old content").await?;
    let upload = place.upload(&key).await?;
    let mut parts = vec![cut.send(&upload, 1).await?, cut.send(&upload, 2).await?];
    spoil(&mut parts);
    fails(upload.complete(&parts).await, "completing with a part that the store doesn't hold")?;
    same!(place.get(&key).await?, "old content", "the content after a refused completion");
    upload.abort().await?;
    Ok(Outcome::Passed)
}

async fn completed_with_a_missing_part(place: Arc<Place>) -> Verdict {
    spoilt(&place, |parts| {
        let ghost = PartInfo { number: 3, ..parts[1].clone() };
        parts.push(ghost);
    })
    .await
}

async fn completed_with_a_wrong_part(place: Arc<Place>) -> Verdict {
    spoilt(&place, |parts| parts[1].etag = Some(ETag::new("00000000000000000000000000000000"))).await
}

async fn create_only(place: Arc<Place>) -> Verdict {
    needs_uploads!(place);
    let support = place.capabilities().preconditions.complete;
    if support != Support::Enforced {
        return Outcome::skipped(format!("the store declares preconditions of a completion as {support:?}"));
    }
    let (key, cut) = (place.key("upload")?, Cut::of_three(&place));
    let options = WriteOptions { mode: WriteMode::Create, ..WriteOptions::default() };
    let upload = place.store.start_upload(&key, options.clone()).await?;
    let parts = cut.send_all(&upload).await?;
    place.put(&key, "came between").await?;
    refused(upload.complete(&parts).await, &[ErrorKind::PreconditionFailed], "a create-only completion")?;
    same!(place.get(&key).await?, "came between", "the content");
    upload.abort().await?;
    place.remove(&key).await?;
    let upload = place.store.start_upload(&key, options).await?;
    let parts = cut.send_all(&upload).await?;
    upload.complete(&parts).await?;
    check!(place.get(&key).await? == *cut.content(), "a create-only upload comes back changed");
    Ok(Outcome::Passed)
}

async fn if_match(place: Arc<Place>) -> Verdict {
    needs_uploads!(place);
    let support = place.capabilities().preconditions.complete;
    if support != Support::Enforced {
        return Outcome::skipped(format!("the store declares preconditions of a completion as {support:?}"));
    }
    let (key, cut) = (place.key("upload")?, Cut::of_three(&place));
    place.put(&key, "one").await?;
    let state = place.head(&key).await?.etag;
    let mode = state.map_or(WriteMode::Replace, WriteMode::IfMatch);
    let options = WriteOptions { mode, ..WriteOptions::default() };
    let upload = place.store.start_upload(&key, options.clone()).await?;
    let parts = cut.send_all(&upload).await?;
    place.put(&key, "came between").await?;
    refused(
        upload.complete(&parts).await,
        &[ErrorKind::PreconditionFailed],
        "completing under a stale If-Match",
    )?;
    same!(place.get(&key).await?, "came between", "the content");
    upload.abort().await?;
    Ok(Outcome::Passed)
}

/// An id that the store never gave out is `NotFound`, when it is resumed or at the next call.
async fn unknown_id(place: Arc<Place>) -> Verdict {
    needs_uploads!(place);
    let key = place.key("upload")?;
    let finished = place.upload(&key).await?;
    let part = finished.part(PartSlot { number: 1, offset: 0 }, Payload::from_bytes("whole")).await?;
    finished.complete(&[part]).await?;
    for id in [finished.id().clone(), UploadId("never-given-out".into())] {
        let kinds = [ErrorKind::NotFound];
        match place.store.resume_upload(&key, &id, WriteOptions::default()).await {
            Ok(ghost) => refused(ghost.parts().await, &kinds, format!("the parts of {id:?}"))?,
            Err(error) => refused(Err::<(), _>(error), &kinds, format!("resuming {id:?}"))?,
        };
    }
    same!(place.get(&key).await?, "whole", "the content of the finished upload");
    Ok(Outcome::Passed)
}

/// A part whose future is dropped can be sent again.
async fn dropped_part(place: Arc<Place>) -> Verdict {
    needs_uploads!(place);
    let (key, cut) = (place.key("upload")?, Cut::of_three(&place));
    let upload = place.upload(&key).await?;
    for micros in [0, 500, 3_000] {
        let patience = std::time::Duration::from_micros(micros);
        let _ = tokio::time::timeout(patience, cut.send(&upload, 1)).await;
    }
    let parts = cut.send_all(&upload).await?;
    upload.complete(&parts).await?;
    let found: Bytes = place.get(&key).await?;
    check!(found == *cut.content(), "an upload with a dropped part comes back changed");
    Ok(Outcome::Passed)
}
