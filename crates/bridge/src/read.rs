//! Reads: conditions, ranges, heads.

use std::ops::Range;

use bytes::Bytes;
use cabotage_core::{
    Detail, ETag, Error as CoreError, ErrorKind, Key, ObjectBody, RangesOptions, ReadOptions, ReadRange,
    Result as CoreResult, Storage, StorageExt as _, Timestamp,
};
use chrono::{DateTime, Utc};
use futures::StreamExt as _;
use object_store::path::Path;
use object_store::{Error, GetOptions, GetRange, GetResult, GetResultPayload, Result};

use crate::attributes::told;
use crate::error::core_error;
use crate::paths::{key_of, meta};

pub(crate) async fn get(store: &dyn Storage, path: &Path, mut options: GetOptions) -> Result<GetResult> {
    let key = key_of(path)?;
    options.if_match = options.if_match.map(|list| quoted(&list));
    options.if_none_match = options.if_none_match.map(|list| quoted(&list));
    if options.version.is_some() {
        return version(store, &key, path, &options).await;
    }
    if options.head {
        return head(store, &key, path, &options).await;
    }
    let asked = match (single(options.if_match.as_ref()), single(options.if_none_match.as_ref())) {
        (Ok(if_match), Ok(if_none_match)) => read_options(&options, if_match, if_none_match)?,
        // Lists of ETags and `*` are looked at here, and the read is bound to the state that was seen.
        _ => {
            let seen = head(store, &key, path, &options).await?.meta.e_tag;
            let etag = seen.as_deref().map(ETag::new);
            ReadOptions::pinned(range(&options), etag)
        }
    };
    match store.read(&key, asked).await {
        Ok(body) => Ok(result(path, body)),
        Err(error) if error.kind() == ErrorKind::PreconditionFailed => {
            Err(explained(store, &key, path, &options, error).await)
        }
        Err(error) => Err(core_error(error, path)),
    }
}

fn result(path: &Path, body: ObjectBody) -> GetResult {
    let at = path.clone();
    let stream = body.stream.map(move |piece| piece.map_err(|error| core_error(error, &at)));
    GetResult {
        // Readers of object_store ask once more after the end.
        payload: GetResultPayload::Stream(stream.fuse().boxed()),
        meta: meta(path.clone(), &body.info),
        range: body.range,
        attributes: told(&body.info),
    }
}

/// An older state of the object: only a read can ask for one, so conditions are looked at in its reply.
async fn version(store: &dyn Storage, key: &Key, path: &Path, options: &GetOptions) -> Result<GetResult> {
    let range = range(options).filter(|_| !options.head);
    let asked = ReadOptions { range, version: options.version.clone(), ..ReadOptions::default() };
    let body = store.read(key, asked).await.map_err(|error| core_error(error, path))?;
    let mut result = result(path, body);
    options.check_preconditions(&result.meta)?;
    if options.head {
        result.payload = GetResultPayload::Stream(futures::stream::empty().boxed());
    }
    Ok(result)
}

async fn head(store: &dyn Storage, key: &Key, path: &Path, options: &GetOptions) -> Result<GetResult> {
    let info = store.head(key, Detail::Basic).await.map_err(|error| core_error(error, path))?;
    let meta = meta(path.clone(), &info);
    options.check_preconditions(&meta)?;
    let payload = GetResultPayload::Stream(futures::stream::empty().boxed());
    Ok(GetResult { payload, range: 0..meta.size, attributes: told(&info), meta })
}

/// A read refuses a condition and an impossible range alike. Which it was decides the error, so a head looks.
async fn explained(
    store: &dyn Storage,
    key: &Key,
    path: &Path,
    options: &GetOptions,
    error: CoreError,
) -> Error {
    match head(store, key, path, options).await {
        Err(reason) => reason,
        Ok(_) if options.range.is_some() => Error::Generic { store: "cabotage", source: Box::new(error) },
        Ok(_) => core_error(error, path),
    }
}

/// Ranges near each other in one request; all of one state of the object.
pub(crate) async fn ranges(store: &dyn Storage, path: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
    let key = key_of(path)?;
    let found = store.read_ranges(&key, ranges, &ReadOptions::default(), RangesOptions::default()).await;
    found.map_err(|error| match error.kind() {
        ErrorKind::SourceChanged => Error::Precondition { path: path.to_string(), source: Box::new(error) },
        // No condition was given, so it is a range that the object doesn't have.
        ErrorKind::PreconditionFailed => Error::Generic { store: "cabotage", source: Box::new(error) },
        _ => core_error(error, path),
    })
}

/// Each ETag of a list in quotes.
fn quoted(list: &str) -> String {
    let one = |tag: &str| if tag == "*" { tag.to_owned() } else { ETag::new(tag).quoted() };
    list.split(',').map(|tag| one(tag.trim())).collect::<Vec<_>>().join(", ")
}

/// The one ETag; an error for a list or `*`.
fn single(condition: Option<&String>) -> Result<Option<ETag>, ()> {
    match condition {
        None => Ok(None),
        Some(list) if list.contains(',') || list == "*" => Err(()),
        Some(one) => Ok(Some(ETag::new(one))),
    }
}

fn range(options: &GetOptions) -> Option<ReadRange> {
    Some(match options.range.clone()? {
        GetRange::Bounded(range) => ReadRange::Bounded { start: range.start, end: range.end },
        GetRange::Offset(start) => ReadRange::From(start),
        GetRange::Suffix(last) => ReadRange::Suffix(last),
    })
}

/// A time is not looked at beside an ETag (RFC 9110 §13.2.2).
fn read_options(
    options: &GetOptions,
    if_match: Option<ETag>,
    if_none_match: Option<ETag>,
) -> Result<ReadOptions> {
    let time = |at: Option<DateTime<Utc>>| at.map(timestamp).transpose();
    let wrong = |error: CoreError| Error::Generic { store: "cabotage", source: Box::new(error) };
    Ok(ReadOptions {
        range: range(options),
        if_unmodified_since: time(options.if_unmodified_since.filter(|_| if_match.is_none()))
            .map_err(wrong)?,
        if_modified_since: time(options.if_modified_since.filter(|_| if_none_match.is_none()))
            .map_err(wrong)?,
        if_match,
        if_none_match,
        version: None,
    })
}

fn timestamp(at: DateTime<Utc>) -> CoreResult<Timestamp> {
    let nanos = i32::try_from(at.timestamp_subsec_nanos().min(999_999_999)).unwrap_or(0);
    Timestamp::new(at.timestamp(), nanos)
        .map_err(|_| CoreError::new(ErrorKind::InvalidConfig, "a time that is out of range"))
}
