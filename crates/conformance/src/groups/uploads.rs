//! Uploads in parts: in any order, resumed, aborted, invisible until they are complete.

use std::sync::Arc;

use bytes::Bytes;
use cabotage_core::{ErrorKind, Key, PartInfo, PartSlot, Payload, Result, Upload, UploadInfo, WriteOptions};
use futures::TryStreamExt as _;

use super::reads::pattern;
use crate::check::{Verdict, refused};
use crate::{Outcome, Place, Trial};

pub(super) fn trials() -> Vec<Trial> {
    trials! { "uploads":
        in_order, out_of_order, in_parallel, one_part, smallest_parts, replaced_part, parts_are_told, resumed,
        listed, nothing_visible_before, aborted, aborted_is_forgotten, two_of_one_key, awkward_names,
    }
}

/// Content cut into parts.
pub(super) struct Cut {
    content: Bytes,
    size: usize,
}

impl Cut {
    /// Two whole parts of the smallest size (at least 64 KiB) and a short last one.
    pub(super) fn of_three(place: &Place) -> Self {
        let size = smallest(place).max(64 << 10);
        Self { content: pattern(2 * size + 12_345), size }
    }

    pub(super) fn content(&self) -> &Bytes {
        &self.content
    }

    pub(super) fn part(&self, number: u32) -> (PartSlot, Payload) {
        let start = (number as usize - 1) * self.size;
        let end = self.content.len().min(start + self.size);
        (PartSlot { number, offset: start as u64 }, Payload::from_bytes(self.content.slice(start..end)))
    }

    pub(super) async fn send(&self, upload: &Arc<dyn Upload>, number: u32) -> Result<PartInfo> {
        let (slot, body) = self.part(number);
        upload.part(slot, body).await
    }

    pub(super) async fn send_all(&self, upload: &Arc<dyn Upload>) -> Result<Vec<PartInfo>> {
        let mut parts = Vec::new();
        for number in 1..=3 {
            parts.push(self.send(upload, number).await?);
        }
        Ok(parts)
    }
}

fn smallest(place: &Place) -> usize {
    usize::try_from(place.capabilities().limits.part_min).unwrap_or(usize::MAX).max(1)
}

/// Ends the trial where the store has no uploads.
macro_rules! needs_uploads {
    ($place:expr) => {
        if !$place.capabilities().uploads {
            return Outcome::skipped("the store declares no uploads in parts");
        }
    };
}
pub(super) use needs_uploads;

pub(super) async fn open_uploads(place: &Place, prefix: &str) -> Result<Vec<UploadInfo>> {
    place.store.list_uploads(prefix).try_collect().await
}

async fn in_order(place: Arc<Place>) -> Verdict {
    needs_uploads!(place);
    let (key, cut) = (place.key("upload")?, Cut::of_three(&place));
    let upload = place.upload(&key).await?;
    let parts = cut.send_all(&upload).await?;
    let written = upload.complete(&parts).await?;
    check!(place.get(&key).await? == cut.content, "the parts come back changed");
    let head = place.head(&key).await?;
    same!(head.size, cut.content.len() as u64, "the size");
    same!(written.etag, head.etag, "the ETag that the completion tells against that of a head");
    Ok(Outcome::Passed)
}

async fn out_of_order(place: Arc<Place>) -> Verdict {
    needs_uploads!(place);
    let (key, cut) = (place.key("upload")?, Cut::of_three(&place));
    let upload = place.upload(&key).await?;
    let mut parts = Vec::new();
    for number in [3, 1, 2] {
        parts.push(cut.send(&upload, number).await?);
    }
    parts.sort_by_key(|part| part.number);
    upload.complete(&parts).await?;
    check!(place.get(&key).await? == cut.content, "parts sent out of order come back changed");
    Ok(Outcome::Passed)
}

async fn in_parallel(place: Arc<Place>) -> Verdict {
    needs_uploads!(place);
    let (key, cut) = (place.key("upload")?, Cut::of_three(&place));
    let upload = place.upload(&key).await?;
    let parts = futures::future::try_join_all([1, 2, 3].map(|number| cut.send(&upload, number))).await?;
    upload.complete(&parts).await?;
    check!(place.get(&key).await? == cut.content, "parts sent at once come back changed");
    Ok(Outcome::Passed)
}

/// A single part may have any size.
async fn one_part(place: Arc<Place>) -> Verdict {
    needs_uploads!(place);
    let key = place.key("upload")?;
    let upload = place.upload(&key).await?;
    let part = upload.part(PartSlot { number: 1, offset: 0 }, Payload::from_bytes("small")).await?;
    upload.complete(&[part]).await?;
    same!(place.get(&key).await?, "small", "the content");
    Ok(Outcome::Passed)
}

/// A part of exactly the declared smallest size, and a last one of one byte.
async fn smallest_parts(place: Arc<Place>) -> Verdict {
    needs_uploads!(place);
    let key = place.key("upload")?;
    let size = smallest(&place);
    let cut = Cut { content: pattern(size + 1), size };
    let upload = place.upload(&key).await?;
    let parts = [cut.send(&upload, 1).await?, cut.send(&upload, 2).await?];
    upload.complete(&parts).await?;
    check!(place.get(&key).await? == cut.content, "the smallest parts come back changed");
    Ok(Outcome::Passed)
}

async fn replaced_part(place: Arc<Place>) -> Verdict {
    needs_uploads!(place);
    let (key, cut) = (place.key("upload")?, Cut::of_three(&place));
    let upload = place.upload(&key).await?;
    let (slot, _) = cut.part(2);
    let other = Payload::from_bytes(vec![0_u8; cut.size]);
    upload.part(slot, other).await?;
    let parts = cut.send_all(&upload).await?;
    upload.complete(&parts).await?;
    check!(place.get(&key).await? == cut.content, "a part that was sent again is not the last one sent");
    Ok(Outcome::Passed)
}

async fn parts_are_told(place: Arc<Place>) -> Verdict {
    needs_uploads!(place);
    let (key, cut) = (place.key("upload")?, Cut::of_three(&place));
    let upload = place.upload(&key).await?;
    same!(upload.parts().await?, [], "the parts of a fresh upload");
    let mut sent = Vec::new();
    for number in [3, 1] {
        sent.insert(0, cut.send(&upload, number).await?);
    }
    let told = upload.parts().await?;
    same!(told, sent, "the parts told against what sending them told");
    let told: Vec<_> = told.iter().map(|part| (part.number, part.size)).collect();
    same!(told, [(1, cut.size as u64), (3, 12_345)], "numbers and sizes of the parts");
    upload.abort().await?;
    Ok(Outcome::Passed)
}

/// Another process goes on by the id alone, with the parts that the store holds.
async fn resumed(place: Arc<Place>) -> Verdict {
    needs_uploads!(place);
    let (key, cut) = (place.key("upload")?, Cut::of_three(&place));
    let (id, sent) = {
        let upload = place.upload(&key).await?;
        let sent = [cut.send(&upload, 1).await?, cut.send(&upload, 3).await?];
        (upload.id().clone(), sent)
    };
    let upload = place.store.resume_upload(&key, &id, WriteOptions::default()).await?;
    same!(*upload.id(), id, "the id of the resumed upload");
    let mut parts = upload.parts().await?;
    same!(parts, sent, "the parts found against what sending them told");
    parts.insert(1, cut.send(&upload, 2).await?);
    upload.complete(&parts).await?;
    check!(place.get(&key).await? == cut.content, "a resumed upload comes back changed");
    Ok(Outcome::Passed)
}

async fn listed(place: Arc<Place>) -> Verdict {
    needs_uploads!(place);
    let (key, cut) = (place.key("b/upload")?, Cut::of_three(&place));
    same!(open_uploads(&place, &place.prefix).await?, [], "uploads before any was started");
    let upload = place.upload(&key).await?;
    let parts = cut.send_all(&upload).await?;
    let open = open_uploads(&place, &place.prefix).await?;
    let found: Vec<_> = open.iter().map(|open| (&open.key, &open.id)).collect();
    same!(found, [(&key, upload.id())], "the open uploads");
    same!(open_uploads(&place, &format!("{}a", place.prefix)).await?, [], "uploads under another prefix");
    same!(open_uploads(&place, key.as_str()).await?.len(), 1, "how many uploads are under the key itself");
    upload.complete(&parts).await?;
    same!(open_uploads(&place, &place.prefix).await?, [], "uploads after the completion");
    Ok(Outcome::Passed)
}

/// Before the completion an old object stays, and a new one is neither found nor listed.
async fn nothing_visible_before(place: Arc<Place>) -> Verdict {
    needs_uploads!(place);
    let (key, old, cut) = (place.key("upload")?, place.key("old")?, Cut::of_three(&place));
    place.put(&old, "old content").await?;
    let (fresh, over) = (place.upload(&key).await?, place.upload(&old).await?);
    cut.send_all(&fresh).await?;
    let parts = cut.send_all(&over).await?;
    check!(!place.exists(&key).await?, "an upload that isn't complete is found");
    same!(place.all_names().await?, ["old"], "the names listed");
    same!(place.get(&old).await?, "old content", "the content while an upload is open");
    over.complete(&parts).await?;
    check!(place.get(&old).await? == cut.content, "the completed upload comes back changed");
    fresh.abort().await?;
    Ok(Outcome::Passed)
}

/// Nothing appears, a second abort is no error, and the name is free for another write.
async fn aborted(place: Arc<Place>) -> Verdict {
    needs_uploads!(place);
    let (key, cut) = (place.key("upload")?, Cut::of_three(&place));
    let upload = place.upload(&key).await?;
    cut.send_all(&upload).await?;
    upload.abort().await?;
    check!(!place.exists(&key).await?, "an aborted upload made an object");
    upload.abort().await?;
    place.put(&key, "later").await?;
    same!(place.get(&key).await?, "later", "the content written after an abort");
    same!(open_uploads(&place, &place.prefix).await?, [], "uploads after the abort and another write");
    Ok(Outcome::Passed)
}

/// The store holds nothing of an aborted upload: it isn't listed, and who resumes it is told `NotFound`, at once or at
/// the next call.
async fn aborted_is_forgotten(place: Arc<Place>) -> Verdict {
    needs_uploads!(place);
    let (key, cut) = (place.key("upload")?, Cut::of_three(&place));
    let upload = place.upload(&key).await?;
    cut.send_all(&upload).await?;
    let id = upload.id().clone();
    upload.abort().await?;
    same!(open_uploads(&place, &place.prefix).await?, [], "uploads after the abort");
    let kinds = [ErrorKind::NotFound];
    match place.store.resume_upload(&key, &id, WriteOptions::default()).await {
        Ok(ghost) => refused(ghost.parts().await, &kinds, "the parts of a forgotten upload")?,
        Err(error) => refused(Err::<(), _>(error), &kinds, "resuming a forgotten upload")?,
    };
    Ok(Outcome::Passed)
}

/// Two uploads of one key don't mix: the one that is completed gives the content.
async fn two_of_one_key(place: Arc<Place>) -> Verdict {
    needs_uploads!(place);
    let (key, cut) = (place.key("upload")?, Cut::of_three(&place));
    let (first, second) = (place.upload(&key).await?, place.upload(&key).await?);
    check!(first.id() != second.id(), "two uploads have one id");
    let parts = cut.send_all(&first).await?;
    let stray = second.part(PartSlot { number: 1, offset: 0 }, Payload::from_bytes("of the other")).await?;
    first.complete(&parts).await?;
    check!(place.get(&key).await? == cut.content, "the first upload comes back changed");
    second.abort().await?;
    check!(place.get(&key).await? == cut.content, "aborting one upload changed the object of another");
    check!(stray.number == 1, "the part's number is told as {}", stray.number);
    Ok(Outcome::Passed)
}

/// Uploads carry names as single writes do.
async fn awkward_names(place: Arc<Place>) -> Verdict {
    needs_uploads!(place);
    for name in ["a b+c%2F?d#e&f", "a//b/", "x/../y", "caf\u{e9}\u{1F600}", "q\"<>&'", "tab\tnewline\n"] {
        let key: Key = place.key(name)?;
        if place.capabilities().accepts(&key).is_err() {
            continue;
        }
        let upload = place.upload(&key).await?;
        let part = upload.part(PartSlot { number: 1, offset: 0 }, Payload::from_bytes(name)).await?;
        let open = open_uploads(&place, &place.prefix).await?;
        same!(open.iter().map(|open| &open.key).collect::<Vec<_>>(), [&key], "the open uploads");
        upload.complete(&[part]).await?;
        same!(place.get(&key).await?, name, "the content of {key:?}");
    }
    Ok(Outcome::Passed)
}
