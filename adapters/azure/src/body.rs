//! Digests of bodies, before they go out.

use bytes::Bytes;
use cabotage_core::{ByteStream, Error, ErrorKind, Md5, Payload, Result, Sha256};
use futures::TryStreamExt as _;
use md5::Digest as _;

/// From this size on, hashing leaves the thread that serves the connections.
const INLINE: u64 = 1024 * 1024;

/// The MD5 of a body, for `Content-MD5`.
///
/// A buffered body is also checked against its SHA-256, so that what the service checks is what the caller meant. A
/// replayable one is read once for this.
///
/// # Errors
/// `DigestMismatch` where the bytes are not those of the SHA-256; `Truncated` for another length than declared; those
/// of the body's source.
pub(crate) async fn md5_of(body: &Payload) -> Result<Md5> {
    match body {
        Payload::Buffered { chunks, len, sha256 } if *len <= INLINE => of_chunks(chunks, *sha256),
        Payload::Buffered { chunks, sha256, .. } => {
            let (chunks, sha256) = (chunks.clone(), *sha256);
            let work = tokio::task::spawn_blocking(move || of_chunks(&chunks, sha256));
            work.await.map_err(|error| Error::new(ErrorKind::Internal, "hashing stopped").caused_by(error))?
        }
        Payload::Replayable { len, .. } => of_stream(body.open().await?, *len).await,
    }
}

fn of_chunks(chunks: &[Bytes], sha256: Sha256) -> Result<Md5> {
    if Sha256::of_chunks(chunks) != sha256 {
        return Err(Error::new(
            ErrorKind::DigestMismatch,
            "the bytes to be sent are not those of their SHA-256",
        ));
    }
    Ok(Md5::of_chunks(chunks))
}

async fn of_stream(mut stream: ByteStream, len: u64) -> Result<Md5> {
    let mut hasher = md5::Md5::new();
    let mut got = 0;
    while let Some(chunk) = stream.try_next().await? {
        got += chunk.len() as u64;
        hasher.update(&chunk);
    }
    if got != len {
        let message = format!("the body has {got} bytes, {len} were declared");
        return Err(Error::new(ErrorKind::Truncated, message));
    }
    Ok(Md5(hasher.finalize().into()))
}

/// As `Content-MD5` carries it.
pub(crate) fn md5_text(md5: Md5) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(md5.0)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn replay(bytes: &'static [u8], len: u64) -> Payload {
        let open = move || -> futures::future::BoxFuture<'static, Result<ByteStream>> {
            Box::pin(async move {
                let stream: ByteStream = Box::pin(futures::stream::iter([Ok(Bytes::from_static(bytes))]));
                Ok(stream)
            })
        };
        Payload::Replayable { len, open: Arc::new(open) }
    }

    #[tokio::test]
    async fn both_forms_agree_and_lies_are_found() {
        let expected = "kAFQmDzST7DWlj99KOF/cg==";
        assert_eq!(md5_text(md5_of(&Payload::from_bytes("abc")).await.unwrap()), expected);
        assert_eq!(md5_text(md5_of(&replay(b"abc", 3)).await.unwrap()), expected);
        assert_eq!(md5_of(&replay(b"abc", 4)).await.unwrap_err().kind(), ErrorKind::Truncated);
        for size in [3, 2 * 1024 * 1024] {
            let wrong = Payload::hashed(vec![Bytes::from(vec![1; size])], Sha256::of(b"other"));
            assert_eq!(md5_of(&wrong).await.unwrap_err().kind(), ErrorKind::DigestMismatch);
        }
    }
}
