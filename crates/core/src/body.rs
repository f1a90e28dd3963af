//! Bodies, going out and coming in.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::BoxStream;

use crate::{ObjectInfo, Result, Sha256};

/// Bytes on their way. Ends after the declared length, or with an error: never early and silently.
pub type ByteStream = BoxStream<'static, Result<Bytes>>;

/// What a read returns.
pub struct ObjectBody {
    /// The object as the reply tells it; tags are unknown unless the store sends them along. `size` is that of the
    /// whole object.
    pub info: ObjectInfo,
    /// Which bytes the stream carries.
    pub range: Range<u64>,
    /// Exactly `range.end - range.start` bytes, or an error.
    pub stream: ByteStream,
}

impl fmt::Debug for ObjectBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObjectBody")
            .field("info", &self.info)
            .field("range", &self.range)
            .finish_non_exhaustive()
    }
}

/// Opens the same bytes again, as often as it is called.
pub type PayloadSource = Arc<dyn Fn() -> BoxFuture<'static, Result<ByteStream>> + Send + Sync>;

/// What a write sends. Both forms can be sent again, so a retry never sends other bytes.
#[derive(Clone)]
pub enum Payload {
    /// In memory, with its digest.
    Buffered {
        /// The bytes in order, in as many pieces as they arrived in.
        chunks: Arc<[Bytes]>,
        /// Sum of the chunks' lengths.
        len: u64,
        /// SHA-256 of the chunks.
        sha256: Sha256,
    },
    /// Opened anew for each attempt, and once more where a store needs the digest before the body.
    Replayable {
        /// How many bytes each opening gives.
        len: u64,
        /// Opens them.
        open: PayloadSource,
    },
}

impl Payload {
    /// Buffers and hashes one run of bytes (on the calling thread: for small bodies).
    #[must_use]
    pub fn from_bytes(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        let sha256 = Sha256::of(&bytes);
        Self::hashed(vec![bytes], sha256)
    }

    /// Takes chunks whose SHA-256 the caller has computed, or claims: the destination checks it.
    #[must_use]
    pub fn hashed(chunks: Vec<Bytes>, sha256: Sha256) -> Self {
        let len = chunks.iter().map(|chunk| chunk.len() as u64).sum();
        Self::Buffered { chunks: chunks.into(), len, sha256 }
    }

    /// Length in bytes.
    #[must_use]
    #[allow(clippy::len_without_is_empty, reason = "nobody asks")]
    pub fn len(&self) -> u64 {
        match self {
            Self::Buffered { len, .. } | Self::Replayable { len, .. } => *len,
        }
    }

    /// The bytes as a stream, from the start.
    ///
    /// # Errors
    /// Those of opening a replayable source.
    pub async fn open(&self) -> Result<ByteStream> {
        match self {
            Self::Buffered { chunks, .. } => {
                let chunks: Vec<Result<Bytes>> = chunks.iter().cloned().map(Ok).collect();
                Ok(Box::pin(futures::stream::iter(chunks)))
            }
            Self::Replayable { open, .. } => open().await,
        }
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Buffered { len, sha256, .. } => write!(f, "Buffered({len} bytes, {sha256})"),
            Self::Replayable { len, .. } => write!(f, "Replayable({len} bytes)"),
        }
    }
}
