//! Writes: whole, under their mode, refused when the digest is wrong.

use std::sync::Arc;

use bytes::Bytes;
use cabotage_core::{ETag, ErrorKind, Key, ObjectInfo, Payload, Sha256, Support, WriteMode, WriteOptions};

use super::reads::pattern;
use crate::check::{Verdict, refused};
use crate::{Failure, Outcome, Place, Trial};

pub(super) fn trials() -> Vec<Trial> {
    trials! { "writes":
        overwrite, empty, in_many_chunks, etags_are_told, create, create_only_once, if_match_current,
        if_match_stale, if_match_missing, wrong_digest, wrong_digest_of_an_empty_body, too_large_is_refused,
    }
}

fn etag(info: &ObjectInfo) -> Result<ETag, Failure> {
    info.etag.clone().ok_or_else(|| Failure::new("a head tells no ETag"))
}

async fn overwrite(place: Arc<Place>) -> Verdict {
    let key = place.key("over")?;
    for content in ["a longer first content", "short", "", "and again longer than that"] {
        place.put(&key, content).await?;
        same!(place.get(&key).await?, content, "the content");
        same!(place.head(&key).await?.size, content.len() as u64, "the size");
    }
    same!(place.all_names().await?, ["over"], "the names");
    Ok(Outcome::Passed)
}

async fn empty(place: Arc<Place>) -> Verdict {
    let key = place.key("empty")?;
    place.store.write(&key, Payload::hashed(vec![], Sha256::of(b"")), WriteOptions::default()).await?;
    same!(place.get(&key).await?, "", "the content");
    place.put(&key, "now full").await?;
    same!(place.get(&key).await?, "now full", "the content");
    Ok(Outcome::Passed)
}

/// Chunks of any size, empty ones among them.
async fn in_many_chunks(place: Arc<Place>) -> Verdict {
    let key = place.key("chunks")?;
    let content = pattern(300_000);
    let mut chunks = vec![Bytes::new()];
    let mut rest = content.clone();
    for size in [1, 0, 65_536, 65_537, 1, 100_000] {
        chunks.push(rest.split_to(size));
    }
    chunks.extend([rest, Bytes::new()]);
    let payload = Payload::hashed(chunks, Sha256::of(&content));
    place.store.write(&key, payload, WriteOptions::default()).await?;
    check!(place.get(&key).await? == content, "the chunks come back changed");
    Ok(Outcome::Passed)
}

async fn etags_are_told(place: Arc<Place>) -> Verdict {
    let key = place.key("etag")?;
    let first = place.put(&key, "one").await?;
    same!(first.etag, Some(etag(&place.head(&key).await?)?), "the ETag that the write tells");
    let second = place.put(&key, "two").await?;
    same!(second.etag, Some(etag(&place.head(&key).await?)?), "the ETag that the second write tells");
    check!(first.etag != second.etag, "two contents have one ETag");
    Ok(Outcome::Passed)
}

/// What a precondition's state demands: `Some` when the trial goes no further.
fn settled(support: Support, what: &str) -> Option<Outcome> {
    match support {
        Support::Enforced => None,
        Support::Ignored | Support::Unknown => {
            Some(Outcome::Skipped(format!("the store declares {what} as {support:?}")))
        }
        Support::Rejected => Some(Outcome::Skipped(format!("the store declares that it refuses {what}"))),
    }
}

async fn create(place: Arc<Place>) -> Verdict {
    if let Some(outcome) = settled(place.capabilities().preconditions.create, "create-only writes") {
        return Ok(outcome);
    }
    let key = place.key("create")?;
    place.put_as(&key, "mine", WriteMode::Create).await?;
    let again = place.put_as(&key, "other", WriteMode::Create).await;
    refused(again, &[ErrorKind::PreconditionFailed], "a create-only write over an object")?;
    same!(place.get(&key).await?, "mine", "the content");
    place.remove(&key).await?;
    place.put_as(&key, "anew", WriteMode::Create).await?;
    same!(place.get(&key).await?, "anew", "the content after a deletion and a second creation");
    Ok(Outcome::Passed)
}

/// Of many that create the same object at once, one wins.
async fn create_only_once(place: Arc<Place>) -> Verdict {
    if let Some(outcome) = settled(place.capabilities().preconditions.create, "create-only writes") {
        return Ok(outcome);
    }
    let key = place.key("race")?;
    let writers = ["a", "b", "c", "d", "e", "f", "g", "h"];
    let writes = writers.map(|content| place.put_as(&key, content, WriteMode::Create));
    let results = futures::future::join_all(writes).await;
    let mut winners = Vec::new();
    for (content, result) in writers.iter().zip(results) {
        match result {
            Ok(_) => winners.push(*content),
            Err(error) => {
                refused(Err::<(), _>(error), &[ErrorKind::PreconditionFailed], "losing the race to create")?;
            }
        }
    }
    same!(winners.len(), 1, "how many of eight created the object");
    same!(place.get(&key).await?, winners[0], "the content");
    Ok(Outcome::Passed)
}

async fn if_match_current(place: Arc<Place>) -> Verdict {
    if let Some(outcome) = settled(place.capabilities().preconditions.if_match, "If-Match of writes") {
        return Ok(outcome);
    }
    let key = place.key("match")?;
    place.put(&key, "one").await?;
    let current = etag(&place.head(&key).await?)?;
    place.put_as(&key, "two", WriteMode::IfMatch(current)).await?;
    same!(place.get(&key).await?, "two", "the content");
    Ok(Outcome::Passed)
}

async fn if_match_stale(place: Arc<Place>) -> Verdict {
    if let Some(outcome) = settled(place.capabilities().preconditions.if_match, "If-Match of writes") {
        return Ok(outcome);
    }
    let key = place.key("match")?;
    place.put(&key, "one").await?;
    let stale = etag(&place.head(&key).await?)?;
    place.put(&key, "two").await?;
    let write = place.put_as(&key, "three", WriteMode::IfMatch(stale)).await;
    refused(write, &[ErrorKind::PreconditionFailed], "a write under a stale If-Match")?;
    same!(place.get(&key).await?, "two", "the content");
    Ok(Outcome::Passed)
}

async fn if_match_missing(place: Arc<Place>) -> Verdict {
    if let Some(outcome) = settled(place.capabilities().preconditions.if_match, "If-Match of writes") {
        return Ok(outcome);
    }
    let other = place.key("other")?;
    place.put(&other, "one").await?;
    let etag = etag(&place.head(&other).await?)?;
    let key = place.key("missing")?;
    let write = place.put_as(&key, "two", WriteMode::IfMatch(etag)).await;
    let kinds = [ErrorKind::PreconditionFailed, ErrorKind::NotFound];
    refused(write, &kinds, "a write under If-Match where nothing is")?;
    check!(!place.exists(&key).await?, "the refused write made an object");
    Ok(Outcome::Passed)
}

/// Writes under a wrong SHA-256 are refused, over nothing and over an object.
async fn lies(place: &Place, key: &Key, content: &'static [u8]) -> Verdict {
    if let Some(outcome) = settled(place.capabilities().digest, "wrong digests") {
        return Ok(outcome);
    }
    let wrong = || Payload::hashed(vec![Bytes::from_static(content)], Sha256::of(b"something else"));
    let kinds = [ErrorKind::DigestMismatch];
    let fresh = place.store.write(key, wrong(), WriteOptions::default()).await;
    refused(fresh, &kinds, "a write with a wrong digest")?;
    check!(!place.exists(key).await?, "a write with a wrong digest made an object");
    place.put(key, "old").await?;
    let over = place.store.write(key, wrong(), WriteOptions::default()).await;
    refused(over, &kinds, "an overwrite with a wrong digest")?;
    same!(place.get(key).await?, "old", "the content after a refused overwrite");
    Ok(Outcome::Passed)
}

async fn wrong_digest(place: Arc<Place>) -> Verdict {
    lies(&place, &place.key("lie")?, b"the true content").await
}

async fn wrong_digest_of_an_empty_body(place: Arc<Place>) -> Verdict {
    lies(&place, &place.key("lie")?, b"").await
}

/// Larger than the declared limit of a single write: refused before a byte of it is asked for.
async fn too_large_is_refused(place: Arc<Place>) -> Verdict {
    let Some(len) = place.capabilities().limits.single_max.checked_add(1) else {
        return Outcome::skipped("the store declares no limit of a single write");
    };
    let key = place.key("huge")?;
    let open = || {
        let error = cabotage_core::Error::new(ErrorKind::Internal, "the body was asked for");
        Box::pin(async move { Err(error) }) as futures::future::BoxFuture<'static, _>
    };
    let payload = Payload::Replayable { len, open: Arc::new(open) };
    let write = place.store.write(&key, payload, WriteOptions::default()).await;
    refused(write, &[ErrorKind::TooLarge], "a write past the declared limit")?;
    check!(!place.exists(&key).await?, "the refused write made an object");
    Ok(Outcome::Passed)
}
