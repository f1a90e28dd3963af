//! Reads: exact ranges, every precondition, empty objects.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use cabotage_core::{ETag, ErrorKind, Key, Payload, ReadOptions, ReadRange, Timestamp, WriteOptions};

use crate::check::{Verdict, refused};
use crate::{Failure, Outcome, Place, Trial};

pub(super) fn trials() -> Vec<Trial> {
    trials! { "reads":
        ranges, ranges_past_the_end, empty_object, body_is_told, large_body, range_of_large_body,
        if_match, if_none_match, dates, pinned_range_of_a_changed_object, missing,
    }
}

const TEN: &str = "0123456789";

async fn ten(place: &Place) -> Result<Key, Failure> {
    let key = place.key("ten")?;
    place.put(&key, TEN).await?;
    Ok(key)
}

fn ranged(range: ReadRange) -> ReadOptions {
    ReadOptions { range: Some(range), ..ReadOptions::default() }
}

async fn ranges(place: Arc<Place>) -> Verdict {
    let key = ten(&place).await?;
    let bounded = |start, end| ReadRange::Bounded { start, end };
    let table: [(ReadRange, Range<usize>); 12] = [
        (bounded(0, 1), 0..1),
        (bounded(0, 10), 0..10),
        (bounded(9, 10), 9..10),
        (bounded(3, 7), 3..7),
        (bounded(9, 1_000_000), 9..10),
        (bounded(0, u64::MAX), 0..10),
        (ReadRange::From(0), 0..10),
        (ReadRange::From(9), 9..10),
        (ReadRange::Suffix(1), 9..10),
        (ReadRange::Suffix(10), 0..10),
        (ReadRange::Suffix(11), 0..10),
        (ReadRange::Suffix(1_000_000), 0..10),
    ];
    for (range, wanted) in table {
        let body = place.store.read(&key, ranged(range)).await?;
        same!(body.range, wanted.start as u64..wanted.end as u64, "the range told for {range:?}");
        same!(body.info.size, 10, "the whole object's size told for {range:?}");
        same!(place.get_with(&key, ranged(range)).await?, TEN[wanted], "the bytes of {range:?}");
    }
    Ok(Outcome::Passed)
}

async fn ranges_past_the_end(place: Arc<Place>) -> Verdict {
    let key = ten(&place).await?;
    for range in [
        ReadRange::Bounded { start: 10, end: 11 },
        ReadRange::Bounded { start: 500, end: 600 },
        ReadRange::From(10),
        ReadRange::From(u64::from(u32::MAX)),
    ] {
        let read = place.store.read(&key, ranged(range)).await;
        refused(read, &[ErrorKind::PreconditionFailed], format!("{range:?} of ten bytes"))?;
    }
    Ok(Outcome::Passed)
}

async fn empty_object(place: Arc<Place>) -> Verdict {
    let key = place.key("empty")?;
    place.put(&key, "").await?;
    same!(place.head(&key).await?.size, 0, "the size");
    let body = place.store.read(&key, ReadOptions::default()).await?;
    same!(body.range, 0..0, "the range told");
    same!(place.get(&key).await?, "", "the content");
    for range in [ReadRange::From(0), ReadRange::Bounded { start: 0, end: 1 }] {
        let read = place.store.read(&key, ranged(range)).await;
        refused(read, &[ErrorKind::PreconditionFailed], format!("{range:?} of an empty object"))?;
    }
    Ok(Outcome::Passed)
}

async fn body_is_told(place: Arc<Place>) -> Verdict {
    let key = ten(&place).await?;
    let head = place.head(&key).await?;
    let info = place.store.read(&key, ReadOptions::default()).await?.info;
    same!(info.key, key, "the key told with the body");
    same!(info.size, head.size, "the size told with the body");
    same!(info.etag, head.etag, "the ETag told with the body");
    check!(head.etag.is_some(), "a head tells no ETag");
    check!(head.attributes.is_some(), "a head tells no attributes");
    let part = place.store.read(&key, ranged(ReadRange::From(5))).await?.info;
    same!(part.etag, head.etag, "the ETag told with a range");
    Ok(Outcome::Passed)
}

/// Bytes that are nowhere alike, so that a piece in the wrong place shows.
pub(super) fn pattern(len: usize) -> Bytes {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut out = Vec::with_capacity(len + 8);
    while out.len() < len {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        out.extend_from_slice(&state.to_le_bytes());
    }
    out.truncate(len);
    out.into()
}

async fn large(place: &Place) -> Result<(Key, Bytes), Failure> {
    let key = place.key("large")?;
    let content = pattern(5_000_001);
    place.store.write(&key, Payload::from_bytes(content.clone()), WriteOptions::default()).await?;
    Ok((key, content))
}

async fn large_body(place: Arc<Place>) -> Verdict {
    let (key, content) = large(&place).await?;
    check!(place.get(&key).await? == content, "five million bytes come back changed");
    Ok(Outcome::Passed)
}

async fn range_of_large_body(place: Arc<Place>) -> Verdict {
    let (key, content) = large(&place).await?;
    for (start, end) in [(0, 1_000_000), (999_999, 4_194_305), (4_999_999, 5_000_001)] {
        let range = ReadRange::Bounded { start: start as u64, end: end as u64 };
        let found = place.get_with(&key, ranged(range)).await?;
        check!(found == content[start..end], "bytes {start} to {end} come back changed");
    }
    Ok(Outcome::Passed)
}

/// The object's ETag, then another that it had before.
async fn two_states(place: &Place) -> Result<(Key, ETag, ETag), Failure> {
    let key = place.key("states")?;
    let etag =
        |info: cabotage_core::ObjectInfo| info.etag.ok_or_else(|| Failure::new("a head tells no ETag"));
    place.put(&key, "old").await?;
    let stale = etag(place.head(&key).await?)?;
    place.put(&key, TEN).await?;
    let current = etag(place.head(&key).await?)?;
    check!(stale != current, "the ETag is the same after other content was written");
    Ok((key, current, stale))
}

async fn if_match(place: Arc<Place>) -> Verdict {
    let (key, current, stale) = two_states(&place).await?;
    for range in [None, Some(ReadRange::From(0))] {
        let good = place.get_with(&key, ReadOptions::pinned(range, Some(current.clone()))).await?;
        same!(good, TEN, "the content under the current ETag");
        let bad = place.store.read(&key, ReadOptions::pinned(range, Some(stale.clone()))).await;
        refused(bad, &[ErrorKind::PreconditionFailed], "a read under a stale If-Match")?;
    }
    Ok(Outcome::Passed)
}

async fn if_none_match(place: Arc<Place>) -> Verdict {
    let (key, current, stale) = two_states(&place).await?;
    let options = |etag: ETag| ReadOptions { if_none_match: Some(etag), ..ReadOptions::default() };
    same!(place.get_with(&key, options(stale)).await?, TEN, "the content under another If-None-Match");
    let same_state = place.store.read(&key, options(current)).await;
    refused(same_state, &[ErrorKind::PreconditionFailed], "a read of the state that If-None-Match names")?;
    Ok(Outcome::Passed)
}

/// Dates have whole seconds on the wire, so only the written time itself and distant ones are asked.
async fn dates(place: Arc<Place>) -> Verdict {
    let key = ten(&place).await?;
    let modified = place.head(&key).await?.modified.ok_or_else(|| Failure::new("a head tells no time"))?;
    let hour = Duration::from_secs(3600);
    let before = modified.checked_sub(hour).map_err(|error| Failure::new(error.to_string()))?;
    let since = |at: Timestamp| ReadOptions { if_modified_since: Some(at), ..ReadOptions::default() };
    let unless = |at: Timestamp| ReadOptions { if_unmodified_since: Some(at), ..ReadOptions::default() };
    same!(place.get_with(&key, since(before)).await?, TEN, "If-Modified-Since an hour before");
    same!(place.get_with(&key, unless(modified)).await?, TEN, "If-Unmodified-Since the time of the write");
    let kinds = [ErrorKind::PreconditionFailed];
    refused(
        place.store.read(&key, since(modified)).await,
        &kinds,
        "If-Modified-Since the time of the write",
    )?;
    refused(place.store.read(&key, unless(before)).await, &kinds, "If-Unmodified-Since an hour before")?;
    Ok(Outcome::Passed)
}

/// Reading on under the old ETag never gives bytes of the new state.
async fn pinned_range_of_a_changed_object(place: Arc<Place>) -> Verdict {
    let (key, _, stale) = two_states(&place).await?;
    for range in [ReadRange::From(1), ReadRange::Suffix(1), ReadRange::Bounded { start: 0, end: 2 }] {
        let read = place.store.read(&key, ReadOptions::pinned(Some(range), Some(stale.clone()))).await;
        refused(read, &[ErrorKind::PreconditionFailed], format!("{range:?} under a stale If-Match"))?;
    }
    Ok(Outcome::Passed)
}

async fn missing(place: Arc<Place>) -> Verdict {
    let key = place.key("missing")?;
    let kinds = [ErrorKind::NotFound];
    refused(place.head(&key).await, &kinds, "a head of nothing")?;
    refused(place.get(&key).await, &kinds, "a read of nothing")?;
    refused(place.store.read(&key, ranged(ReadRange::From(0))).await, &kinds, "a range of nothing")?;
    place.put(&place.key("missing/below")?, "x").await?;
    refused(place.head(&key).await, &kinds, "a head of a name that is only a folder of others")?;
    refused(place.get(&key).await, &kinds, "a read of a name that is only a folder of others")?;
    Ok(Outcome::Passed)
}
