//! Reads and heads.

use bytes::Bytes;
use cabotage_core::{
    ByteStream, Error, ErrorKind, Key, ObjectBody, ObjectInfo, ReadOptions, ReadRange, Result,
};
use futures::stream::{BoxStream, StreamExt as _};
use object_store::{Error as ForeignError, GetOptions, GetRange, GetResult, ObjectStore};

use crate::attributes::told;
use crate::error::{core_error, read_error};
use crate::paths::{date, info, path_of};

pub(crate) async fn head(store: &dyn ObjectStore, key: &Key) -> Result<ObjectInfo> {
    let found = store.get_opts(&path_of(key)?, GetOptions::new().with_head(true)).await;
    Ok(info_of(key, &found.map_err(|error| read_error(&error))?))
}

fn info_of(key: &Key, result: &GetResult) -> ObjectInfo {
    let mut info = info(key.clone(), &result.meta);
    told(&mut info, &result.attributes);
    info
}

pub(crate) async fn read(store: &dyn ObjectStore, key: &Key, options: &ReadOptions) -> Result<ObjectBody> {
    if options.version.is_some() {
        // Some stores would give the newest one.
        return Err(Error::new(ErrorKind::Unsupported, "a version can't be asked for here"));
    }
    let found = match store.get_opts(&path_of(key)?, asked(options)?).await {
        Ok(found) => found,
        Err(error) => return Err(explained(store, key, options, &error).await),
    };
    let info = info_of(key, &found);
    let range = match options.range {
        Some(range) => range.within(info.size)?,
        None => 0..info.size,
    };
    if found.range != range {
        let message = format!("the reply is of the bytes {:?}, and {range:?} were asked for", found.range);
        return Err(Error::new(ErrorKind::Protocol, message));
    }
    let stream = exactly(range.end - range.start, found.into_stream());
    Ok(ObjectBody { info, range, stream })
}

fn asked(options: &ReadOptions) -> Result<GetOptions> {
    Ok(GetOptions {
        range: options.range.map(|range| match range {
            ReadRange::Bounded { start, end } => GetRange::Bounded(start..end),
            ReadRange::From(start) => GetRange::Offset(start),
            ReadRange::Suffix(last) => GetRange::Suffix(last),
        }),
        if_match: options.if_match.as_ref().map(|etag| etag.bare().to_owned()),
        if_none_match: options.if_none_match.as_ref().map(|etag| etag.bare().to_owned()),
        if_modified_since: options.if_modified_since.map(date).transpose()?,
        if_unmodified_since: options.if_unmodified_since.map(date).transpose()?,
        ..GetOptions::default()
    })
}

/// An impossible range has no error of its own, so where one was asked for, a head looks.
async fn explained(store: &dyn ObjectStore, key: &Key, options: &ReadOptions, error: &ForeignError) -> Error {
    let first = read_error(error);
    if let (ForeignError::Generic { .. }, Some(range)) = (error, options.range)
        && let Ok(info) = head(store, key).await
        && let Err(impossible) = range.within(info.size)
    {
        return impossible;
    }
    first
}

/// So many bytes, or an error.
fn exactly(len: u64, stream: BoxStream<'static, object_store::Result<Bytes>>) -> ByteStream {
    futures::stream::unfold(Some((stream, len)), |state| async move {
        let (mut stream, left) = state?;
        match stream.next().await {
            Some(Ok(chunk)) => match left.checked_sub(chunk.len() as u64) {
                Some(left) => Some((Ok(chunk), Some((stream, left)))),
                None => Some((Err(truncated("the body is longer than was told")), None)),
            },
            Some(Err(error)) => Some((Err(core_error(&error)), None)),
            None if left > 0 => Some((Err(truncated(&format!("the body ended {left} bytes early"))), None)),
            None => None,
        }
    })
    .boxed()
}

fn truncated(message: &str) -> Error {
    Error::new(ErrorKind::Truncated, message)
}
