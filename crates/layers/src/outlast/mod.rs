//! Calls that outlast an endpoint that is down.

mod gate;
mod listing;
mod upload;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use cabotage_core::{
    Attributes, Capabilities, DeleteOptions, Detail, ETag, Error, ErrorKind, Key, ListScope, ListStream,
    ObjectBody, ObjectInfo, Operation, Payload, PresignMethod, Presigned, ReadOptions, Result, Storage,
    StoreId, Upload, UploadId, UploadInfo, WriteOptions, Written,
};
use futures::StreamExt as _;
use futures::stream::BoxStream;
use tokio::sync::Mutex;
use tokio::time::Instant;

pub use gate::{Gate, OutageWatch, Outages};

/// Longest time for an answer to the question whether the endpoint answers.
const ASK_TIMEOUT: Duration = Duration::from_secs(30);

/// Holds calls back while their endpoint is down, and sends those again that failed for that: to the caller they are late,
/// not failed. A listing goes on after the last key that it gave, unless it is unordered or lists versions.
///
/// A denial is the call's own as long as the first object can still be listed; where that was allowed before and is denied too,
/// all are shut out, and the endpoint counts as down. What can't be told from a failure of the call itself is passed on. A write that is sent again may find what its first
/// try has left, as after any lost reply: `PreconditionFailed` under [`Create`](cabotage_core::WriteMode). The start of an
/// upload is sent again only if it can't have reached the endpoint. What fails at
/// the source of a written body, told by [`Operation::Read`], is passed on and no sign of this endpoint. A body that
/// breaks off is [`ResumeBody`](crate::ResumeBody)'s: put that around this.
#[derive(Debug)]
pub struct Outlast {
    line: Line,
}

/// A store, its gate, and the small question that tells whether it answers.
#[derive(Clone, Debug)]
struct Line {
    inner: Arc<dyn Storage>,
    gate: Gate,
    prefix: String,
    /// When it was last asked whether a denial is meant for all, and whether it was.
    denials: Arc<Mutex<Option<(Instant, bool)>>>,
}

impl Outlast {
    /// Outlasts that store's outages behind that gate. The question is a listing of the first object beneath the prefix.
    #[must_use]
    pub fn new(inner: Arc<dyn Storage>, gate: Gate, prefix: impl Into<String>) -> Self {
        Self { line: Line { inner, gate, prefix: prefix.into(), denials: Arc::default() } }
    }
}

impl Line {
    /// Whether the endpoint answers: any answer will do.
    async fn ask(&self) -> Result<()> {
        let mut listing = self.inner.list(ListScope::prefix(&self.prefix));
        match tokio::time::timeout(ASK_TIMEOUT, listing.next()).await {
            Ok(Some(Err(error))) if error.kind() == ErrorKind::PermissionDenied && self.gate.has_listed() => {
                Err(error.into_kind(ErrorKind::AccountDenied))
            }
            Ok(answer) => answer.transpose().map(|_| self.gate.listed()),
            Err(_) => Err(Error::new(ErrorKind::Timeout, format!("no answer within {ASK_TIMEOUT:?}"))),
        }
    }

    /// A call that is denied, where a listing that was allowed before is denied too, is shut out with all others: a right or a
    /// key was withdrawn. A question that began after the call counts for it.
    async fn denied(&self, error: Error, began: Instant) -> Error {
        if error.kind() != ErrorKind::PermissionDenied || !self.gate.has_listed() {
            return error;
        }
        let mut denials = self.denials.lock().await;
        let is_for_all = match *denials {
            Some((asked, is_for_all)) if asked >= began => is_for_all,
            _ => {
                let asked = Instant::now();
                let is_for_all = self.ask().await.is_err_and(|e| e.kind() == ErrorKind::AccountDenied);
                *denials = Some((asked, is_for_all));
                is_for_all
            }
        };
        if is_for_all { error.into_kind(ErrorKind::AccountDenied) } else { error }
    }

    async fn enter(&self, operation: Operation) -> Result<gate::Pass> {
        self.gate.enter(self).await.map_err(|error| error.during(operation))
    }

    /// Sends a call, again after each outage.
    async fn call<T, F>(&self, operation: Operation, once: impl Fn() -> F + Send) -> Result<T>
    where
        F: Future<Output = Result<T>> + Send,
    {
        self.call_after(|_| true, operation, once).await
    }

    /// Sends a call, again after outages that it failed with as `after` names; other failures are passed on, but not before
    /// the endpoint answers again.
    async fn call_after<T, F>(
        &self,
        after: impl Fn(&Error) -> bool + Send,
        operation: Operation,
        once: impl Fn() -> F + Send,
    ) -> Result<T>
    where
        F: Future<Output = Result<T>> + Send,
    {
        let mut pass = self.enter(operation).await?;
        loop {
            let began = Instant::now();
            match once().await {
                Ok(value) => {
                    self.gate.answered(pass);
                    return Ok(value);
                }
                Err(error) if operation != Operation::Read && error.operation() == Some(Operation::Read) => {
                    return Err(error);
                }
                Err(error) => {
                    let error = self.denied(error, began).await;
                    let again = self.gate.failed(pass, error, self).await;
                    let (next, error) = again.map_err(|error| error.during(operation))?;
                    if !after(&error) {
                        return Err(error);
                    }
                    pass = next;
                }
            }
        }
    }

    /// Deletes many; those that an outage kept from it again.
    async fn delete_many(&self, keys: Vec<Key>) -> Vec<(Key, Result<()>)> {
        let mut done = self.inner.delete_many(keys).await;
        let mut waited = false;
        for (key, result) in &mut done {
            let Err(error) = std::mem::replace(result, Ok(())) else { continue };
            let again = if waited && gate::is_outage(&error) {
                Ok((gate::Pass::default(), error))
            } else {
                self.gate.failed(gate::Pass::default(), error, self).await
            };
            *result = match again {
                Ok((pass, _)) => {
                    waited = true;
                    drop(pass);
                    let once = || self.inner.delete(key, DeleteOptions::default());
                    self.call(Operation::Delete, once).await
                }
                Err(error) => Err(error),
            };
        }
        done
    }
}

impl fmt::Display for Outlast {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.line.inner.fmt(f)
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Storage for Outlast {
    fn capabilities(&self) -> &Capabilities {
        self.line.inner.capabilities()
    }

    fn id(&self) -> &StoreId {
        self.line.inner.id()
    }

    fn list(&self, scope: ListScope) -> ListStream {
        listing::list(self.line.clone(), scope)
    }

    async fn head(&self, key: &Key, detail: Detail) -> Result<ObjectInfo> {
        self.line.call(Operation::Head, || self.line.inner.head(key, detail)).await
    }

    async fn read(&self, key: &Key, options: ReadOptions) -> Result<ObjectBody> {
        self.line.call(Operation::Read, || self.line.inner.read(key, options.clone())).await
    }

    async fn write(&self, key: &Key, body: Payload, options: WriteOptions) -> Result<Written> {
        let once = || self.line.inner.write(key, body.clone(), options.clone());
        self.line.call(Operation::Write, once).await
    }

    async fn start_upload(&self, key: &Key, options: WriteOptions) -> Result<Arc<dyn Upload>> {
        let once = || self.line.inner.start_upload(key, options.clone());
        // Sent again after a lost reply it would leave an upload that nobody knows of.
        Ok(self.line.upload(self.line.call_after(gate::is_outage, Operation::Upload, once).await?))
    }

    async fn resume_upload(
        &self,
        key: &Key,
        id: &UploadId,
        options: WriteOptions,
    ) -> Result<Arc<dyn Upload>> {
        let once = || self.line.inner.resume_upload(key, id, options.clone());
        Ok(self.line.upload(self.line.call(Operation::Upload, once).await?))
    }

    fn list_uploads(&self, prefix: &str) -> BoxStream<'static, Result<UploadInfo>> {
        listing::uploads(self.line.clone(), prefix.to_owned())
    }

    async fn delete(&self, key: &Key, options: DeleteOptions) -> Result<()> {
        self.line.call(Operation::Delete, || self.line.inner.delete(key, options.clone())).await
    }

    async fn delete_many(&self, keys: Vec<Key>) -> Vec<(Key, Result<()>)> {
        self.line.delete_many(keys).await
    }

    async fn copy_within(
        &self,
        from: &Key,
        from_etag: Option<&ETag>,
        to: &Key,
        options: WriteOptions,
    ) -> Result<Written> {
        let once = || self.line.inner.copy_within(from, from_etag, to, options.clone());
        self.line.call(Operation::Copy, once).await
    }

    async fn set_attributes(
        &self,
        key: &Key,
        attributes: &Attributes,
        if_match: Option<&ETag>,
    ) -> Result<Written> {
        let once = || self.line.inner.set_attributes(key, attributes, if_match);
        self.line.call(Operation::SetAttributes, once).await
    }

    async fn presign(&self, key: &Key, method: PresignMethod, expires_in: Duration) -> Result<Presigned> {
        self.line.inner.presign(key, method, expires_in).await
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
