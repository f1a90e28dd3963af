//! An object as `AsyncRead`.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use cabotage_core::{ByteStream, Error, ErrorKind, Key, ObjectInfo, ReadOptions, Result, Storage};
use futures::{Stream, StreamExt as _};
use tokio::io::{AsyncBufRead, AsyncRead, ReadBuf};
use tokio_util::io::StreamReader;

/// The bytes of a read; ends after all of them, or with an error. For a `Stream<Item = Result<Bytes>>` take
/// [`ObjectBody::stream`](cabotage_core::ObjectBody) of [`Storage::read`] itself.
pub struct ObjectReader {
    info: ObjectInfo,
    bytes: StreamReader<IoStream, bytes::Bytes>,
}

/// A body with errors as `io::Error` has them.
struct IoStream(ByteStream);

impl Stream for IoStream {
    type Item = io::Result<bytes::Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_next_unpin(context).map_err(io_error)
    }
}

/// Reads an object, or the range of it that the options name, as `AsyncRead` and `AsyncBufRead`. A range that holds no
/// byte, and a condition that doesn't hold, are `PreconditionFailed`.
///
/// # Errors
/// Those of [`Storage::read`]. A body that breaks off gives an `io::Error` whose source is this crate's [`Error`].
pub async fn reader(store: &dyn Storage, key: &Key, options: ReadOptions) -> Result<ObjectReader> {
    let body = store.read(key, options).await?;
    Ok(ObjectReader { info: body.info, bytes: StreamReader::new(IoStream(body.stream)) })
}

impl ObjectReader {
    /// The object, as the reply told it; `size` is that of the whole.
    #[must_use]
    pub fn info(&self) -> &ObjectInfo {
        &self.info
    }
}

impl std::fmt::Debug for ObjectReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ObjectReader").field("info", &self.info).finish_non_exhaustive()
    }
}

impl AsyncRead for ObjectReader {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.bytes).poll_read(context, into)
    }
}

impl AsyncBufRead for ObjectReader {
    fn poll_fill_buf(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        Pin::new(&mut self.get_mut().bytes).poll_fill_buf(context)
    }

    fn consume(mut self: Pin<&mut Self>, count: usize) {
        Pin::new(&mut self.bytes).consume(count);
    }
}

/// The error with the kind that comes nearest; the whole is its source.
pub(crate) fn io_error(error: Error) -> io::Error {
    let kind = match error.kind() {
        ErrorKind::NotFound | ErrorKind::BucketNotFound => io::ErrorKind::NotFound,
        ErrorKind::PermissionDenied | ErrorKind::Unauthenticated => io::ErrorKind::PermissionDenied,
        ErrorKind::Timeout => io::ErrorKind::TimedOut,
        ErrorKind::Truncated => io::ErrorKind::UnexpectedEof,
        ErrorKind::Unsupported => io::ErrorKind::Unsupported,
        _ => io::ErrorKind::Other,
    };
    io::Error::new(kind, error)
}
