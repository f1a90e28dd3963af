//! Several ranges of one object, read with as few requests as is sensible.

use std::ops::Range;

use bytes::{Bytes, BytesMut};
use futures::{StreamExt as _, TryStreamExt as _};

use crate::{ETag, Error, ErrorKind, Key, ReadOptions, ReadRange, Result, Storage};

/// How ranges are read together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RangesOptions {
    /// Ranges with at most so many bytes between them are read by one request, and the bytes between are thrown away.
    pub gap: u64,
    /// Most requests at once; at least 1.
    pub in_flight: usize,
}

impl Default for RangesOptions {
    /// 1 MiB, which is what a connection carries in about the time of a request's round trip; 8 requests.
    fn default() -> Self {
        Self { gap: 1 << 20, in_flight: 8 }
    }
}

/// The ranges that are requested: ascending, apart by more than the gap. Empty ranges ask for nothing.
pub(crate) fn merged(ranges: &[Range<u64>], gap: u64) -> Vec<Range<u64>> {
    let mut sorted: Vec<Range<u64>> = ranges.iter().filter(|range| !range.is_empty()).cloned().collect();
    sorted.sort_by_key(|range| (range.start, range.end));
    let mut merged: Vec<Range<u64>> = Vec::new();
    for range in sorted {
        match merged.last_mut() {
            Some(last) if range.start <= last.end.saturating_add(gap) => last.end = last.end.max(range.end),
            _ => merged.push(range),
        }
    }
    merged
}

/// See [`StorageExt::read_ranges`](crate::StorageExt::read_ranges).
pub(crate) async fn read_ranges<S: Storage + ?Sized>(
    store: &S,
    key: &Key,
    ranges: &[Range<u64>],
    conditions: &ReadOptions,
    options: RangesOptions,
) -> Result<Vec<Bytes>> {
    if let Some(range) = ranges.iter().find(|range| range.start > range.end) {
        return Err(Error::new(
            ErrorKind::PreconditionFailed,
            format!("the range {range:?} ends before it starts"),
        ));
    }
    let requests =
        merged(ranges, options.gap).into_iter().map(|range| read_one(store, key, range, conditions));
    let pieces: Vec<Piece> =
        futures::stream::iter(requests).buffered(options.in_flight.max(1)).try_collect().await?;
    if pieces.windows(2).any(|pair| pair[0].etag != pair[1].etag) {
        return Err(Error::new(
            ErrorKind::SourceChanged,
            "the object was changed while its ranges were read",
        ));
    }
    ranges.iter().map(|range| cut(&pieces, range)).collect()
}

/// What one request gave.
struct Piece {
    range: Range<u64>,
    bytes: Bytes,
    etag: Option<ETag>,
}

async fn read_one<S: Storage + ?Sized>(
    store: &S,
    key: &Key,
    range: Range<u64>,
    conditions: &ReadOptions,
) -> Result<Piece> {
    let bounded = ReadRange::Bounded { start: range.start, end: range.end };
    let mut body = store.read(key, ReadOptions { range: Some(bounded), ..conditions.clone() }).await?;
    if body.range != range {
        let text = format!("the range {range:?} ends past the object's {} bytes", body.info.size);
        return Err(Error::new(ErrorKind::PreconditionFailed, text));
    }
    let mut bytes = BytesMut::new();
    while let Some(chunk) = body.stream.try_next().await? {
        bytes.extend_from_slice(&chunk);
    }
    Ok(Piece { range, bytes: bytes.freeze(), etag: body.info.etag })
}

/// The range out of the piece that holds it, without copying.
fn cut(pieces: &[Piece], range: &Range<u64>) -> Result<Bytes> {
    if range.is_empty() {
        return Ok(Bytes::new());
    }
    let holder = pieces.iter().find(|piece| piece.range.start <= range.start && range.end <= piece.range.end);
    let piece = holder.ok_or_else(|| Error::new(ErrorKind::Internal, "a range was not read"))?;
    let place = |at: u64| usize::try_from(at - piece.range.start).ok().filter(|at| *at <= piece.bytes.len());
    match (place(range.start), place(range.end)) {
        (Some(start), Some(end)) => Ok(piece.bytes.slice(start..end)),
        _ => Err(Error::new(ErrorKind::Truncated, "a range's body is shorter than the range")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[allow(clippy::single_range_in_vec_init, reason = "lists of ranges")]
    fn near_ranges_are_one_request() {
        for (ranges, gap, requests) in [
            (vec![], 0, vec![]),
            (vec![3..3], 9, vec![]),
            (vec![0..2, 2..4], 0, vec![0..4]),
            (vec![0..2, 3..4], 0, vec![0..2, 3..4]),
            (vec![3..4, 0..2], 1, vec![0..4]),
            (vec![0..9, 2..3, 11..12], 1, vec![0..9, 11..12]),
            (vec![5..6, 5..6], 0, vec![5..6]),
            (vec![0..1, u64::MAX - 1..u64::MAX], u64::MAX, vec![0..u64::MAX]),
        ] {
            assert_eq!(merged(&ranges, gap), requests, "{ranges:?} {gap}");
        }
    }
}
