//! The store.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use cabotage_core::{
    Attributes, Capabilities, DeleteOptions, Detail, ETag, Error, ErrorKind, Key, ListScope, ListStream,
    ObjectBody, ObjectInfo, Operation, Payload, PresignMethod, Presigned, ReadOptions, Result, Storage,
    StoreId, Upload, UploadId, UploadInfo, WriteMode, WriteOptions, Written,
};
use futures::stream::{BoxStream, StreamExt as _};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _, PutMode, PutOptions, PutResult, UpdateVersion};

use crate::capabilities::capabilities;
use crate::error::core_error;
use crate::paths::{etag, path_of};
use crate::{Known, attributes, list, read, upload};

/// Deletions at once.
const DELETES: usize = 16;

/// An [`ObjectStore`] as a [`Storage`].
#[derive(Clone, Debug)]
pub struct FromObjectStore {
    inner: Arc<dyn ObjectStore>,
    id: StoreId,
    capabilities: Capabilities,
}

impl FromObjectStore {
    /// That store. Only the caller can know which one it is: the same `id` has to mean the same objects
    /// (`gs:bucket`), and another id others.
    #[must_use]
    pub fn new(inner: Arc<dyn ObjectStore>, id: StoreId, known: &Known) -> Self {
        Self { inner, id, capabilities: capabilities(known) }
    }

    async fn write_now(&self, key: &Key, body: &Payload, options: &WriteOptions) -> Result<Written> {
        let path = path_of(key)?;
        let attributes = attributes::given(&self.capabilities, options)?;
        let in_memory = matches!(body, Payload::Buffered { .. }) || body.len() <= upload::AT_ONCE;
        let told = if in_memory {
            let mode = self.mode(key, &options.mode).await?;
            let payload = upload::whole(body).await?;
            let options = PutOptions { mode, attributes, ..PutOptions::default() };
            self.inner.put_opts(&path, payload, options).await.map_err(|error| core_error(&error))?
        } else if options.mode == WriteMode::Replace {
            upload::send(self.inner.as_ref(), &path, attributes, body).await?
        } else {
            let message = format!("a write of {} bytes can't be bound to a condition here", body.len());
            let help = format!("up to {} bytes it can, and any body that is in memory", upload::AT_ONCE);
            return Err(Error::new(ErrorKind::Unsupported, message).help(help));
        };
        self.written(&path, told).await
    }

    /// Some stores compare ETags and some versions, so a head tells the version of the state that is meant.
    async fn mode(&self, key: &Key, mode: &WriteMode) -> Result<PutMode> {
        let expected = match mode {
            WriteMode::Replace => return Ok(PutMode::Overwrite),
            WriteMode::Create => return Ok(PutMode::Create),
            WriteMode::IfMatch(expected) => expected,
        };
        let now = self.in_state(key, expected).await?;
        Ok(PutMode::Update(UpdateVersion { e_tag: Some(expected.bare().to_owned()), version: now.version }))
    }

    async fn in_state(&self, key: &Key, expected: &ETag) -> Result<ObjectInfo> {
        let now = read::head(self.inner.as_ref(), key).await?;
        if now.etag.as_ref() == Some(expected) {
            return Ok(now);
        }
        Err(Error::new(ErrorKind::PreconditionFailed, "the object is no longer in the state asked for"))
    }

    /// Some stores don't tell the ETag of what was written.
    async fn written(&self, path: &Path, told: PutResult) -> Result<Written> {
        if let Some(told_etag) = &told.e_tag {
            return Ok(Written { etag: Some(etag(told_etag)), version: told.version });
        }
        let now = self.inner.head(path).await.map_err(|error| core_error(&error))?;
        Ok(Written { etag: now.e_tag.as_deref().map(etag), version: now.version })
    }

    async fn delete_now(&self, key: &Key, options: &DeleteOptions) -> Result<()> {
        let path = path_of(key)?;
        if options.version.is_some() {
            return Err(Error::new(ErrorKind::Unsupported, "a version can't be named here"));
        }
        if let Some(expected) = &options.if_match {
            self.in_state(key, expected).await?;
        }
        let Err(error) = self.inner.delete(&path).await else { return Ok(()) };
        let error = core_error(&error);
        let missing = error.kind() == ErrorKind::NotFound
            // A folder of that name may be what couldn't be deleted.
            || read::head(self.inner.as_ref(), key).await.is_err_and(|e| e.kind() == ErrorKind::NotFound);
        if missing && options.if_match.is_none() { Ok(()) } else { Err(error) }
    }
}

impl fmt::Display for FromObjectStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.id.0)
    }
}

fn unsupported(what: &str) -> Error {
    Error::new(ErrorKind::Unsupported, format!("object_store has no way to ask for {what}"))
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Storage for FromObjectStore {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn id(&self) -> &StoreId {
        &self.id
    }

    fn list(&self, scope: ListScope) -> ListStream {
        list::list(&self.inner, self.capabilities.list_order, scope)
    }

    async fn head(&self, key: &Key, _: Detail) -> Result<ObjectInfo> {
        let found = read::head(self.inner.as_ref(), key).await;
        found.map_err(|error| error.during(Operation::Head).on(key))
    }

    async fn read(&self, key: &Key, options: ReadOptions) -> Result<ObjectBody> {
        let found = read::read(self.inner.as_ref(), key, &options).await;
        found.map_err(|error| error.during(Operation::Read).on(key))
    }

    async fn write(&self, key: &Key, body: Payload, options: WriteOptions) -> Result<Written> {
        let written = self.write_now(key, &body, &options).await;
        written.map_err(|error| error.during(Operation::Write).on(key))
    }

    async fn start_upload(&self, key: &Key, _: WriteOptions) -> Result<Arc<dyn Upload>> {
        path_of(key)?;
        let error = unsupported("an upload that can be gone on with")
            .help("write the object whole: a body may be of any length");
        Err(error.during(Operation::Upload).on(key))
    }

    async fn resume_upload(&self, key: &Key, _: &UploadId, _: WriteOptions) -> Result<Arc<dyn Upload>> {
        Err(unsupported("an upload that was started before").during(Operation::Upload).on(key))
    }

    fn list_uploads(&self, _: &str) -> BoxStream<'static, Result<UploadInfo>> {
        let error = unsupported("uploads that are open").during(Operation::Upload);
        futures::stream::iter([Err(error)]).boxed()
    }

    async fn delete(&self, key: &Key, options: DeleteOptions) -> Result<()> {
        let deleted = self.delete_now(key, &options).await;
        deleted.map_err(|error| error.during(Operation::Delete).on(key))
    }

    async fn delete_many(&self, keys: Vec<Key>) -> Vec<(Key, Result<()>)> {
        let one = |key: Key| async move {
            let deleted = self.delete(&key, DeleteOptions::default()).await;
            (key, deleted)
        };
        futures::stream::iter(keys).map(one).buffered(DELETES).collect().await
    }

    async fn copy_within(&self, from: &Key, _: Option<&ETag>, _: &Key, _: WriteOptions) -> Result<Written> {
        Err(unsupported("a copy of one state").during(Operation::Copy).on(from))
    }

    async fn set_attributes(&self, key: &Key, _: &Attributes, _: Option<&ETag>) -> Result<Written> {
        Err(unsupported("new attributes alone").during(Operation::SetAttributes).on(key))
    }

    async fn presign(&self, key: &Key, _: PresignMethod, _: Duration) -> Result<Presigned> {
        Err(unsupported("a URL that carries a permission").during(Operation::Presign).on(key))
    }
}
