//! Bodies as chunks, never copied.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::Request;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use md5::Md5;
use sha2::{Digest as _, Sha256};

use super::answer::Refusal;

/// Bodies above this are hashed on a thread for blocking work.
const LARGE: u64 = 1 << 20;

/// A body that is sent.
#[derive(Debug, Default)]
pub(super) struct Chunks {
    rest: VecDeque<Bytes>,
    len: u64,
}

impl Chunks {
    pub fn of(bytes: Bytes) -> Self {
        Self { len: bytes.len() as u64, rest: VecDeque::from([bytes]) }
    }

    /// The bytes of that range of chunks.
    pub fn range(chunks: &[Bytes], range: &Range<u64>) -> Self {
        let mut at = 0;
        let mut rest = VecDeque::new();
        for chunk in chunks {
            let len = chunk.len() as u64;
            let (from, to) = (range.start.clamp(at, at + len), range.end.clamp(at, at + len));
            if from < to {
                let place = |byte: u64| usize::try_from(byte - at).unwrap_or(usize::MAX);
                rest.push_back(chunk.slice(place(from)..place(to)));
            }
            at += len;
        }
        Self { rest, len: range.end - range.start }
    }
}

impl Body for Chunks {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let next = self.rest.pop_front();
        self.len -= next.as_ref().map_or(0, |chunk| chunk.len() as u64);
        Poll::Ready(next.map(|chunk| Ok(Frame::data(chunk))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.len)
    }
}

/// A body that came, checked.
#[derive(Debug)]
pub(super) struct Received {
    pub chunks: Arc<[Bytes]>,
    pub len: u64,
    pub md5: [u8; 16],
}

impl Received {
    /// The chunks as one run of bytes.
    pub fn joined(&self) -> Vec<u8> {
        self.chunks.concat()
    }
}

/// Takes a request's body and checks it against the digests in its headers.
pub(super) async fn receive(request: Request<Incoming>) -> Result<Received, Refusal> {
    let (parts, mut body) = request.into_parts();
    let header =
        |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let (sha256, content_md5) = (header("x-amz-content-sha256").unwrap_or_default(), header("content-md5"));
    let mut chunks = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Refusal::new(400, "IncompleteBody"))?;
        if let Ok(data) = frame.into_data() {
            chunks.push(data);
        }
    }
    if sha256.starts_with("STREAMING-") {
        chunks = vec![unchunk(&chunks.concat())?];
    }
    let len = chunks.iter().map(|chunk| chunk.len() as u64).sum();
    let chunks: Arc<[Bytes]> = chunks.into();
    let (md5, digest) = hash(Arc::clone(&chunks), len).await?;
    if sha256.len() == 64 && sha256 != hex::encode(digest) {
        return Err(Refusal::new(400, "XAmzContentSHA256Mismatch"));
    }
    match content_md5 {
        Some(claim) if claim != base64_of(&md5) => Err(Refusal::new(400, "BadDigest")),
        _ => Ok(Received { chunks, len, md5 }),
    }
}

fn base64_of(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

async fn hash(chunks: Arc<[Bytes]>, len: u64) -> Result<([u8; 16], [u8; 32]), Refusal> {
    let work = move || {
        let (mut md5, mut sha256) = (Md5::new(), Sha256::new());
        for chunk in chunks.iter() {
            md5.update(chunk);
            sha256.update(chunk);
        }
        (md5.finalize().into(), sha256.finalize().into())
    };
    if len <= LARGE {
        return Ok(work());
    }
    tokio::task::spawn_blocking(work).await.map_err(|_| Refusal::new(500, "InternalError"))
}

/// Takes `aws-chunked` framing off: `SIZE[;chunk-signature=…]\r\nBYTES\r\n` until a chunk of no bytes.
fn unchunk(framed: &[u8]) -> Result<Bytes, Refusal> {
    let broken = || Refusal::new(400, "IncompleteBody");
    let mut out = Vec::with_capacity(framed.len());
    let mut rest = framed;
    loop {
        let end = rest.windows(2).position(|pair| pair == b"\r\n").ok_or_else(broken)?;
        let line = std::str::from_utf8(&rest[..end]).map_err(|_| broken())?;
        let size = line.split(';').next().unwrap_or_default();
        let size = usize::from_str_radix(size, 16).map_err(|_| broken())?;
        rest = &rest[end + 2..];
        if size == 0 {
            return Ok(out.into());
        }
        out.extend_from_slice(rest.get(..size).ok_or_else(broken)?);
        rest = rest.get(size + 2..).ok_or_else(broken)?;
    }
}
