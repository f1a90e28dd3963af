//! Futures and streams that are dropped: the store is fit for use afterwards, an object is the old one or the new one, and
//! what is left of an upload can be found and aborted.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use cabotage_core::{
    Attributes, Detail, ErrorKind, Key, ListScope, PartInfo, Payload, ReadOptions, Upload, WriteOptions,
};
use futures::{FutureExt as _, StreamExt as _};

use super::attributes::{compare, full};
use super::reads::pattern;
use super::uploads::{Cut, needs_uploads, open_uploads};
use crate::check::Verdict;
use crate::{Failure, Outcome, Place, Trial};

pub(super) fn trials() -> Vec<Trial> {
    trials! { "cancellation":
        listings, bodies, heads_and_reads, starts_of_uploads, parts, completions, bulk_deletes, new_attributes,
    }
}

/// How long a future lives before it is dropped: from before it asked anything to after it is done, mostly.
fn lives() -> impl Iterator<Item = Duration> {
    [0, 100, 300, 700, 1_500, 3_000, 6_000, 12_000, 25_000].into_iter().map(Duration::from_micros)
}

/// Polls once and drops, for a life of nothing; else drops after that time. What it gave, if it was done before.
async fn cut_off<T>(life: Duration, future: impl Future<Output = T>) -> Option<T> {
    if life.is_zero() { future.now_or_never() } else { tokio::time::timeout(life, future).await.ok() }
}

/// Streams dropped before, within and after the first page.
async fn listings(place: Arc<Place>) -> Verdict {
    place.put_many((0..120).map(|i| format!("k{i:03}"))).await?;
    let scope = ListScope::prefix(&place.prefix);
    for taken in [0, 1, 2, 60, 119, 120] {
        let mut listing = place.store.list(scope.clone());
        for _ in 0..taken {
            check!(matches!(listing.next().await, Some(Ok(_))), "a listing ends before item {taken}");
        }
    }
    for life in lives() {
        let mut listing = place.store.list(scope.clone());
        let _ = cut_off(life, listing.next()).await;
    }
    same!(place.all_names().await?.len(), 120, "how many names are listed in the end");
    Ok(Outcome::Passed)
}

/// More bodies dropped within than any client keeps connections, then as many read at once.
async fn bodies(place: Arc<Place>) -> Verdict {
    let key = place.key("large")?;
    let content = pattern(3_000_000);
    place.put(&key, content.clone()).await?;
    for round in 0..150 {
        let mut body = place.store.read(&key, ReadOptions::default()).await?;
        if round % 3 > 0 {
            let first = body.stream.next().await;
            check!(matches!(first, Some(Ok(_))), "body {round} gives {first:?}");
        }
    }
    let reads = futures::future::join_all((0..40).map(|_| place.get(&key))).await;
    for found in reads {
        check!(found? == content, "a body read after many were dropped comes back changed");
    }
    Ok(Outcome::Passed)
}

async fn heads_and_reads(place: Arc<Place>) -> Verdict {
    let key = place.key("x")?;
    place.put(&key, "content").await?;
    for life in lives() {
        let dropped = (0..12).map(|_| async {
            let _ = cut_off(life, place.head(&key)).await;
            let _ = cut_off(life, place.get(&key)).await;
        });
        futures::future::join_all(dropped).await;
        same!(place.get(&key).await?, "content", "the content after requests were dropped");
    }
    Ok(Outcome::Passed)
}

/// An upload whose start was dropped is listed and can be aborted, if there is one; nothing is visible.
async fn starts_of_uploads(place: Arc<Place>) -> Verdict {
    needs_uploads!(place);
    let (key, cut) = (place.key("upload")?, Cut::of_three(&place));
    for life in lives() {
        let _ = cut_off(life, place.upload(&key)).await;
    }
    check!(!place.exists(&key).await?, "a start that was dropped made an object");
    abort_all(&place).await?;
    let upload = place.upload(&key).await?;
    let parts = cut.send_all(&upload).await?;
    upload.complete(&parts).await?;
    check!(place.get(&key).await? == *cut.content(), "an upload after dropped starts comes back changed");
    for _ in 0..50 {
        if open_uploads(&place, &place.prefix).await?.is_empty() {
            break;
        }
        // What was on its way when it was dropped may come to be only now.
        tokio::time::sleep(Duration::from_millis(20)).await;
        abort_all(&place).await?;
    }
    same!(open_uploads(&place, &place.prefix).await?, [], "uploads in the end");
    Ok(Outcome::Passed)
}

async fn abort_all(place: &Place) -> Result<(), Failure> {
    for open in open_uploads(place, &place.prefix).await? {
        match place.store.resume_upload(&open.key, &open.id, WriteOptions::default()).await {
            Ok(upload) => upload.abort().await?,
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Parts dropped on their way leave the upload fit for being gone on with.
async fn parts(place: Arc<Place>) -> Verdict {
    needs_uploads!(place);
    let (key, cut) = (place.key("upload")?, Cut::of_three(&place));
    let upload = place.upload(&key).await?;
    for life in lives() {
        futures::future::join_all([1, 2, 3].map(|number| cut_off(life, cut.send(&upload, number)))).await;
    }
    check!(!place.exists(&key).await?, "parts that were dropped made an object");
    for told in upload.parts().await? {
        let (_, body) = cut.part(told.number);
        same!(told.size, body.len(), "the size told of part {}", told.number);
    }
    let parts = cut.send_all(&upload).await?;
    upload.complete(&parts).await?;
    check!(place.get(&key).await? == *cut.content(), "an upload with dropped parts comes back changed");
    Ok(Outcome::Passed)
}

/// The object is the old one or the whole new one, and goes on being it.
async fn completions(place: Arc<Place>) -> Verdict {
    needs_uploads!(place);
    let cut = Cut::of_three(&place);
    for (round, life) in lives().enumerate() {
        let key = place.key(&format!("upload-{round}"))?;
        place.put(&key, "old content").await?;
        let upload = place.upload(&key).await?;
        let parts = cut.send_all(&upload).await?;
        let done = matches!(cut_off(life, upload.complete(&parts)).await, Some(Ok(_)));
        let found = place.get(&key).await?;
        let (old, new) = (found == "old content", found == *cut.content());
        check!(new || (old && !done), "a completion dropped after {life:?} left {} bytes", found.len());
        complete_again(&upload, &parts).await.map_err(|failure| failure.within(format!("after {life:?}")))?;
        check!(place.get(&key).await? == *cut.content(), "the object is not whole in the end ({life:?})");
        for _ in 0..50 {
            if open_uploads(&place, key.as_str()).await?.is_empty() {
                break;
            }
            // The completion that was dropped may still be tidying up.
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        same!(open_uploads(&place, key.as_str()).await?, [], "uploads in the end ({life:?})");
    }
    Ok(Outcome::Passed)
}

/// Whoever comes back completes it again, or finds it complete. Until what was dropped has come to its end, a store may say
/// that it can't for now.
async fn complete_again(upload: &Arc<dyn Upload>, parts: &[PartInfo]) -> Result<(), Failure> {
    let mut last = None;
    for _ in 0..50 {
        match upload.complete(parts).await {
            Ok(_) => return Ok(()),
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) if [ErrorKind::Unavailable, ErrorKind::Interrupted].contains(&error.kind()) => {
                last = Some(error);
            }
            Err(error) => return Err(error.into()),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Err(last.map_or_else(|| Failure::new("no end"), Failure::from).within("completing again"))
}

/// Each object is there whole or not at all, and nothing else is touched.
async fn bulk_deletes(place: Arc<Place>) -> Verdict {
    place.put_many(["stays".to_owned(), "goes".to_owned()]).await?;
    for life in lives() {
        let names: Vec<String> = (0..30).map(|i| format!("goes/{i:02}")).collect();
        place.put_many(names.clone()).await?;
        let keys: Vec<_> = names.iter().map(|name| place.key(name)).collect::<Result<_, _>>()?;
        let _ = cut_off(life, place.store.delete_many(keys.clone())).await;
        for key in &keys {
            match place.get(key).await {
                Ok(found) => same!(found, "x", "the content of {key:?} after a dropped delete"),
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(error.into()),
            }
        }
        for (_, removed) in place.store.delete_many(keys).await {
            removed?;
        }
        same!(place.all_names().await?, ["goes", "stays"], "the names ({life:?})");
    }
    Ok(Outcome::Passed)
}

/// Attributes set alone are the old ones or the new ones, as far as one request sets them; the content stays.
async fn new_attributes(place: Arc<Place>) -> Verdict {
    if !place.capabilities().set_attributes {
        return Outcome::skipped("the store declares that it can't set attributes alone");
    }
    let key = place.key("set")?;
    let content = Bytes::from_static(b"content");
    for life in lives() {
        let plain = WriteOptions::default();
        place.store.write(&key, Payload::from_bytes(content.clone()), plain).await?;
        let attributes = full(place.capabilities());
        let _ = cut_off(life, place.store.set_attributes(&key, &attributes, None)).await;
        same!(
            get_meanwhile(&place, &key).await?,
            content,
            "the content after attributes were dropped ({life:?})"
        );
        set_again(&place, &key, &attributes).await?;
        let info = place.store.head(&key, Detail::WithTags).await?;
        compare(place.capabilities(), &attributes, info.attributes.as_ref())?;
    }
    Ok(Outcome::Passed)
}

/// What was dropped may still be at work, and change the object while it is read, which a store may say.
async fn get_meanwhile(place: &Place, key: &Key) -> Result<Bytes, Failure> {
    let mut left = 50;
    loop {
        match place.get(key).await {
            Err(error) if error.kind() == ErrorKind::SourceChanged && left > 0 => left -= 1,
            result => return Ok(result?),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// What was dropped may still be at work, and change the object in between.
async fn set_again(place: &Place, key: &Key, attributes: &Attributes) -> Result<(), Failure> {
    let mut left = 50;
    loop {
        match place.store.set_attributes(key, attributes, None).await {
            Err(error) if error.kind() == ErrorKind::PreconditionFailed && left > 0 => left -= 1,
            result => return Ok(result.map(drop)?),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
