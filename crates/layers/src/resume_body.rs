//! Bodies that go on where they broke off.

use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::BuildHasher as _;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use cabotage_core::ByteStream;
use cabotage_core::{
    Attributes, Capabilities, DeleteOptions, Detail, Disposition, ETag, Error, ErrorKind, Key, ListScope,
    ListStream, ObjectBody, ObjectInfo, Operation, Payload, PresignMethod, Presigned, ReadOptions, ReadRange,
    Result, Scope, Storage, StoreId, Upload, UploadId, UploadInfo, WriteOptions, Written, disposition,
};
use futures::StreamExt as _;
use futures::stream::BoxStream;

/// After that many bytes without a break, the attempts count from the start again.
const PROGRESS: u64 = 8 * 1024 * 1024;

/// How often and how fast a body is taken up again.
#[derive(Clone, Copy, Debug)]
pub struct ResumePolicy {
    /// Most attempts in a row, each of which brings less than 8 MiB. 0: bodies are never taken up again.
    pub attempts: u32,
    /// Longest pause before the first attempt; doubled with each. The pause taken is random between 0 and that.
    pub base: Duration,
    /// Longest pause at all.
    pub cap: Duration,
}

impl Default for ResumePolicy {
    /// 5 attempts, 200 ms, 10 s.
    fn default() -> Self {
        Self { attempts: 5, base: Duration::from_millis(200), cap: Duration::from_secs(10) }
    }
}

impl ResumePolicy {
    fn pause(&self, attempt: u32) -> Duration {
        let longest = self.base.saturating_mul(1 << attempt.min(20)).min(self.cap);
        random_part(longest)
    }
}

/// A random time up to `longest`.
pub(crate) fn random_part(longest: Duration) -> Duration {
    let parts_in_1024 = u32::try_from(RandomState::new().hash_one(longest) % 1024).unwrap_or(1024);
    longest / 1024 * parts_in_1024
}

/// Whether it failed as something that may succeed at the next try.
pub(crate) fn is_worth_a_retry(error: &Error) -> bool {
    disposition(error.kind(), Scope::Object) == Disposition::Retry
}

/// Takes up a body again that broke off with an error worth a retry, or ended early: by range, pinned to the ETag (and
/// version) of the first reply.
///
/// No byte is delivered twice or left out. An object that has changed or gone meanwhile is `SourceChanged`. A body
/// without an ETag can't be pinned, so its error is passed on.
#[derive(Debug)]
pub struct ResumeBody {
    inner: Arc<dyn Storage>,
    policy: ResumePolicy,
}

impl ResumeBody {
    /// Resumes the bodies of that store.
    #[must_use]
    pub fn new(inner: Arc<dyn Storage>, policy: ResumePolicy) -> Self {
        Self { inner, policy }
    }
}

/// One body on its way.
struct Reader {
    inner: Arc<dyn Storage>,
    policy: ResumePolicy,
    key: Key,
    version: Option<String>,
    info: ObjectInfo,
    /// The next byte to deliver.
    next: u64,
    end: u64,
    stream: ByteStream,
    attempts: u32,
    unbroken: u64,
    failed: bool,
}

impl Reader {
    async fn chunk(&mut self) -> Option<Result<Bytes>> {
        while self.next < self.end && !self.failed {
            let cause = match self.stream.next().await {
                Some(Ok(chunk)) if chunk.is_empty() => continue,
                Some(Ok(chunk)) => return Some(self.deliver(chunk)),
                Some(Err(error)) => error,
                None => {
                    Error::new(ErrorKind::Truncated, format!("the body ended {} bytes early", self.missing()))
                }
            };
            if let Err(error) = self.take_up(cause).await {
                self.failed = true;
                return Some(Err(error.during(Operation::Read).on(&self.key)));
            }
        }
        None
    }

    fn missing(&self) -> u64 {
        self.end - self.next
    }

    fn deliver(&mut self, chunk: Bytes) -> Result<Bytes> {
        let len = chunk.len() as u64;
        if len > self.missing() {
            self.failed = true;
            let message = format!("the body is longer than the {} bytes declared", self.end);
            return Err(Error::new(ErrorKind::Protocol, message).during(Operation::Read).on(&self.key));
        }
        self.next += len;
        self.unbroken += len;
        if self.unbroken >= PROGRESS {
            self.attempts = 0;
        }
        Ok(chunk)
    }

    /// Opens the rest of the body, or gives the error that ends it.
    async fn take_up(&mut self, mut cause: Error) -> Result<()> {
        self.unbroken = 0;
        loop {
            if !is_worth_a_retry(&cause) || self.info.etag.is_none() || self.attempts >= self.policy.attempts
            {
                return Err(cause);
            }
            tokio::time::sleep(self.policy.pause(self.attempts)).await;
            self.attempts += 1;
            tracing::debug!(at = self.next, attempt = self.attempts, %cause, "taking up a body again");
            match self.reopen().await {
                Ok(stream) => {
                    self.stream = stream;
                    return Ok(());
                }
                Err(error) => cause = error,
            }
        }
    }

    async fn reopen(&mut self) -> Result<ByteStream> {
        let rest = ReadRange::Bounded { start: self.next, end: self.end };
        let mut options = ReadOptions::pinned(Some(rest), self.info.etag.clone());
        options.version.clone_from(&self.version);
        let body = match self.inner.read(&self.key, options).await {
            Ok(body) => body,
            Err(error) if matches!(error.kind(), ErrorKind::PreconditionFailed | ErrorKind::NotFound) => {
                return Err(self.changed().caused_by(error));
            }
            Err(error) => return Err(error),
        };
        if body.info.etag != self.info.etag || body.info.size != self.info.size {
            return Err(self.changed());
        }
        if body.range != (self.next..self.end) {
            let message = format!("bytes {:?} came, {}..{} were asked for", body.range, self.next, self.end);
            return Err(Error::new(ErrorKind::Protocol, message));
        }
        Ok(body.stream)
    }

    fn changed(&self) -> Error {
        Error::new(ErrorKind::SourceChanged, "the object changed while it was read")
            .with("at-byte", self.next.to_string())
    }
}

impl fmt::Display for ResumeBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Storage for ResumeBody {
    fn capabilities(&self) -> &Capabilities {
        self.inner.capabilities()
    }

    fn id(&self) -> &StoreId {
        self.inner.id()
    }

    fn list(&self, scope: ListScope) -> ListStream {
        self.inner.list(scope)
    }

    async fn head(&self, key: &Key, detail: Detail) -> Result<ObjectInfo> {
        self.inner.head(key, detail).await
    }

    async fn read(&self, key: &Key, options: ReadOptions) -> Result<ObjectBody> {
        let version = options.version.clone();
        let ObjectBody { info, range, stream } = self.inner.read(key, options).await?;
        let reader = Reader {
            inner: Arc::clone(&self.inner),
            policy: self.policy,
            key: key.clone(),
            version,
            info: info.clone(),
            next: range.start,
            end: range.end,
            stream,
            attempts: 0,
            unbroken: 0,
            failed: false,
        };
        let stream = futures::stream::unfold(reader, |mut reader| async move {
            let chunk = reader.chunk().await?;
            Some((chunk, reader))
        });
        Ok(ObjectBody { info, range, stream: stream.boxed() })
    }

    async fn write(&self, key: &Key, body: Payload, options: WriteOptions) -> Result<Written> {
        self.inner.write(key, body, options).await
    }

    async fn start_upload(&self, key: &Key, options: WriteOptions) -> Result<Arc<dyn Upload>> {
        self.inner.start_upload(key, options).await
    }

    async fn resume_upload(
        &self,
        key: &Key,
        id: &UploadId,
        options: WriteOptions,
    ) -> Result<Arc<dyn Upload>> {
        self.inner.resume_upload(key, id, options).await
    }

    fn list_uploads(&self, prefix: &str) -> BoxStream<'static, Result<UploadInfo>> {
        self.inner.list_uploads(prefix)
    }

    async fn delete(&self, key: &Key, options: DeleteOptions) -> Result<()> {
        self.inner.delete(key, options).await
    }

    async fn delete_many(&self, keys: Vec<Key>) -> Vec<(Key, Result<()>)> {
        self.inner.delete_many(keys).await
    }

    async fn copy_within(
        &self,
        from: &Key,
        from_etag: Option<&ETag>,
        to: &Key,
        options: WriteOptions,
    ) -> Result<Written> {
        self.inner.copy_within(from, from_etag, to, options).await
    }

    async fn set_attributes(
        &self,
        key: &Key,
        attributes: &Attributes,
        if_match: Option<&ETag>,
    ) -> Result<Written> {
        self.inner.set_attributes(key, attributes, if_match).await
    }

    async fn presign(&self, key: &Key, method: PresignMethod, expires_in: Duration) -> Result<Presigned> {
        self.inner.presign(key, method, expires_in).await
    }
}

#[cfg(test)]
#[path = "resume_body_tests.rs"]
mod tests;
