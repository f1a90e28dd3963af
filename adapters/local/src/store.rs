//! The store.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use cabotage_core::{
    Attributes, Capabilities, DeleteOptions, Detail, ETag, Error, ErrorKind, Key, ListScope, ListStream,
    ObjectBody, ObjectInfo, Operation, Payload, PresignMethod, Presigned, ReadOptions, Result, Sha256,
    Storage, StoreId, Upload, UploadId, UploadInfo, WriteOptions, Written, display_text,
};
use futures::stream::{BoxStream, StreamExt as _, TryStreamExt as _};

use crate::capabilities::capabilities;
use crate::config::LocalConfig;
use crate::disk::Disk;
use crate::list;
use crate::pace;
use crate::stage::Staged;
use crate::upload::{self, Handle, LocalUpload};
use crate::write::{CancelOnDrop, Cancelled, check_options, verify, verify_buffered};

/// Bytes of a streamed body that are gathered before they go to the disk.
const GATHER: usize = 1024 * 1024;

/// A folder of objects. Clones share the open root.
#[derive(Clone)]
pub struct LocalStore {
    pub(crate) disk: Arc<Disk>,
    id: StoreId,
    capabilities: Arc<Capabilities>,
}

/// Runs what blocks on a thread for that.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => {
            Err(Error::new(ErrorKind::Internal, "work on the disk was broken off").caused_by(error))
        }
    }
}

impl LocalStore {
    /// Opens the folder, whose own path is resolved once; nothing is written but, if asked for, the folder itself.
    ///
    /// # Errors
    /// `BucketNotFound` when it is missing and not to be made, `InvalidConfig` when it is no folder,
    /// `PermissionDenied`.
    pub async fn open(config: LocalConfig) -> Result<Self> {
        let disk = blocking(move || Disk::open(&config)).await?;
        Ok(Self::new(disk))
    }

    pub(crate) fn new(disk: Disk) -> Self {
        let id = StoreId(format!("local:{}", disk.path.to_string_lossy()));
        Self { disk: Arc::new(disk), id, capabilities: Arc::new(capabilities()) }
    }

    /// Runs on the disk, and says of what a failure was.
    async fn run<T: Send + 'static>(
        &self,
        operation: Operation,
        key: &Key,
        work: impl FnOnce(&Arc<Disk>, &Key) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (disk, owned) = (Arc::clone(&self.disk), key.clone());
        blocking(move || work(&disk, &owned)).await.map_err(|error| error.during(operation).on(key))
    }

    async fn write_whole(&self, key: &Key, body: Payload, options: WriteOptions) -> Result<Written> {
        check_options(&options)?;
        let cancelled = Cancelled::default();
        let _guard = CancelOnDrop(cancelled.clone());
        let (disk, key) = (Arc::clone(&self.disk), key.clone());
        match body {
            Payload::Buffered { chunks, sha256, .. } if !pace::is_limited(&disk.throttle) => {
                let work = move || write_chunks(&disk, &key, &chunks, &sha256, &options, &cancelled);
                blocking(work).await
            }
            _ => {
                verify_buffered(&body).await?;
                let staged = receive(disk, &body).await?;
                blocking(move || staged.finish(&key, &options, &cancelled)).await
            }
        }
    }
}

fn write_chunks(
    disk: &Arc<Disk>,
    key: &Key,
    chunks: &[Bytes],
    sha256: &Sha256,
    options: &WriteOptions,
    cancelled: &Cancelled,
) -> Result<Written> {
    verify(chunks, sha256)?;
    let mut staged = disk.stage()?;
    staged.append(chunks)?;
    staged.finish(key, options, cancelled)
}

/// Takes a streamed body into a staged file.
async fn receive(disk: Arc<Disk>, body: &Payload) -> Result<Staged> {
    let throttle = disk.throttle.clone();
    let (len, mut stream) = (body.len(), pace::paced(body.open().await?, throttle));
    let mut staged = blocking(move || disk.stage()).await?;
    let mut received = 0;
    loop {
        let (mut gathered, mut size) = (Vec::new(), 0);
        while size < GATHER
            && let Some(chunk) = stream.try_next().await?
        {
            size += chunk.len();
            gathered.push(chunk);
        }
        if gathered.is_empty() {
            break;
        }
        received += size as u64;
        staged = blocking(move || {
            staged.append(&gathered)?;
            Ok(staged)
        })
        .await?;
    }
    if received != len {
        let message = format!("{received} bytes came, {len} were declared");
        return Err(Error::new(ErrorKind::Truncated, message));
    }
    Ok(staged)
}

impl fmt::Debug for LocalStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LocalStore({self})")
    }
}

impl fmt::Display for LocalStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "file://{}", display_text(&self.disk.path.to_string_lossy()))
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Storage for LocalStore {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn id(&self) -> &StoreId {
        &self.id
    }

    /// Links, special files, names that are no key's and folders that can't be read come as `BadKey`, under their
    /// path from the root. A listing reads a folder when it comes to it; one that goes on meanwhile may or may not
    /// show what is written.
    fn list(&self, scope: ListScope) -> ListStream {
        list::list(&self.disk, scope)
    }

    async fn head(&self, key: &Key, _detail: Detail) -> Result<ObjectInfo> {
        self.run(Operation::Head, key, |disk, key| disk.head(key)).await
    }

    /// A file that changes while it is read is `SourceChanged`; one that is replaced or deleted is read to its end.
    async fn read(&self, key: &Key, options: ReadOptions) -> Result<ObjectBody> {
        let begun = self.run(Operation::Read, key, move |disk, key| disk.begin_read(key, &options)).await?;
        let body = begun.into_body();
        Ok(ObjectBody { stream: pace::paced(body.stream, self.disk.throttle.clone()), ..body })
    }

    async fn write(&self, key: &Key, body: Payload, options: WriteOptions) -> Result<Written> {
        let written = self.write_whole(key, body, options).await;
        written.map_err(|error| error.during(Operation::Write).on(key))
    }

    async fn start_upload(&self, key: &Key, options: WriteOptions) -> Result<Arc<dyn Upload>> {
        let start = move |disk: &Arc<Disk>, key: &Key| LocalUpload::start(disk, key, options);
        let upload = self.run(Operation::Upload, key, start).await?;
        Ok(Arc::new(Handle(Arc::new(upload))))
    }

    async fn resume_upload(
        &self,
        key: &Key,
        id: &UploadId,
        options: WriteOptions,
    ) -> Result<Arc<dyn Upload>> {
        let id = id.clone();
        let resume = move |disk: &Arc<Disk>, key: &Key| LocalUpload::resume(disk, key, &id, options);
        let upload = self.run(Operation::Upload, key, resume).await?;
        Ok(Arc::new(Handle(Arc::new(upload))))
    }

    fn list_uploads(&self, prefix: &str) -> BoxStream<'static, Result<UploadInfo>> {
        let (disk, prefix) = (Arc::clone(&self.disk), prefix.to_owned());
        futures::stream::once(blocking(move || upload::list(&disk, &prefix)))
            .map_ok(|found| futures::stream::iter(found.into_iter().map(Ok)))
            .try_flatten()
            .map_err(|error: Error| error.during(Operation::Upload))
            .boxed()
    }

    /// Folders that are left empty are removed too, up to the root.
    async fn delete(&self, key: &Key, options: DeleteOptions) -> Result<()> {
        let remove = move |disk: &Arc<Disk>, key: &Key| {
            if options.version.is_some() {
                return Err(Error::new(ErrorKind::Unsupported, "a folder keeps no versions"));
            }
            disk.remove(key, options.if_match.as_ref())
        };
        self.run(Operation::Delete, key, remove).await
    }

    async fn delete_many(&self, keys: Vec<Key>) -> Vec<(Key, Result<()>)> {
        let mut done = Vec::with_capacity(keys.len());
        for key in keys {
            let deleted = self.delete(&key, DeleteOptions::default()).await;
            done.push((key, deleted));
        }
        done
    }

    /// The source's attributes are kept, unless `options` brings others.
    async fn copy_within(
        &self,
        from: &Key,
        from_etag: Option<&ETag>,
        to: &Key,
        mut options: WriteOptions,
    ) -> Result<Written> {
        let (etag, to, cancelled) = (from_etag.cloned(), to.clone(), Cancelled::default());
        let _guard = CancelOnDrop(cancelled.clone());
        let copy = move |disk: &Arc<Disk>, from: &Key| {
            check_options(&options)?;
            let (staged, attributes) = disk.copy_staged(from, etag.as_ref())?;
            if options.attributes == Attributes::default() {
                options.attributes = attributes;
            }
            staged.finish(&to, &options, &cancelled)
        };
        self.run(Operation::Copy, from, copy).await
    }

    /// Gives the object a new ETag. Unknown tags leave the tags alone.
    async fn set_attributes(
        &self,
        key: &Key,
        attributes: &Attributes,
        if_match: Option<&ETag>,
    ) -> Result<Written> {
        let (attributes, etag) = (attributes.clone(), if_match.cloned());
        let set = move |disk: &Arc<Disk>, key: &Key| disk.replace_attributes(key, &attributes, etag.as_ref());
        self.run(Operation::SetAttributes, key, set).await
    }

    async fn presign(&self, key: &Key, _: PresignMethod, _: Duration) -> Result<Presigned> {
        Err(Error::new(ErrorKind::Unsupported, "a folder has no URLs to sign")
            .during(Operation::Presign)
            .on(key))
    }
}

#[cfg(test)]
#[path = "store_tests.rs"]
pub(crate) mod tests;
