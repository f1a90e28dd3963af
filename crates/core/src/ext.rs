//! Conveniences for callers.

use std::ops::Range;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures::TryStreamExt as _;

use crate::{
    Detail, Error, ErrorKind, Key, ObjectInfo, Operation, Payload, RangesOptions, ReadOptions, Result,
    Storage, WriteOptions, Written, ranges,
};

/// What callers get on every [`Storage`].
#[async_trait]
pub trait StorageExt: Storage {
    /// The whole object, if it is at most `limit` bytes.
    ///
    /// # Errors
    /// `TooLarge` before a byte is read; those of [`Storage::read`].
    async fn read_all(&self, key: &Key, limit: u64) -> Result<Bytes> {
        self.read_all_with(key, ReadOptions::default(), limit).await
    }

    /// The object, or the range asked for, under these conditions, if it is at most `limit` bytes.
    ///
    /// # Errors
    /// `TooLarge` before a byte is read; those of [`Storage::read`].
    async fn read_all_with(&self, key: &Key, options: ReadOptions, limit: u64) -> Result<Bytes> {
        let body = self.read(key, options).await?;
        let size = body.range.end - body.range.start;
        if size > limit {
            let message = format!("the object has {size} bytes, more than the {limit} allowed here");
            return Err(Error::new(ErrorKind::TooLarge, message).during(Operation::Read).on(key));
        }
        let collect = |mut all: BytesMut, chunk: Bytes| async move {
            all.extend_from_slice(&chunk);
            Ok(all)
        };
        Ok(body.stream.try_fold(BytesMut::new(), collect).await?.freeze())
    }

    /// The object, or `None` where there is none.
    ///
    /// # Errors
    /// Those of [`Storage::head`], but for `NotFound`.
    async fn find(&self, key: &Key, detail: Detail) -> Result<Option<ObjectInfo>> {
        match self.head(key, detail).await {
            Ok(info) => Ok(Some(info)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Several ranges of one object, in the order asked for. Near ones are read by one request (see [`RangesOptions`]),
    /// all under the conditions given, whose own range isn't looked at. Ranges may overlap; an empty one is read without a
    /// request. All that is read is held in memory, gaps included.
    ///
    /// # Errors
    /// `PreconditionFailed` for a range that ends past the object's end; `SourceChanged` where the replies are of different
    /// states of the object; those of [`Storage::read`].
    async fn read_ranges(
        &self,
        key: &Key,
        ranges: &[Range<u64>],
        conditions: &ReadOptions,
        options: RangesOptions,
    ) -> Result<Vec<Bytes>> {
        ranges::read_ranges(self, key, ranges, conditions, options)
            .await
            .map_err(|error| error.during(Operation::Read).on(key))
    }

    /// Writes bytes with default options.
    ///
    /// # Errors
    /// Those of [`Storage::write`].
    async fn put(&self, key: &Key, bytes: Bytes) -> Result<Written> {
        self.write(key, Payload::from_bytes(bytes), WriteOptions::default()).await
    }
}

impl<S: Storage + ?Sized> StorageExt for S {}
