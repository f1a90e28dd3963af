//! Where a trial works: a random prefix of a store, with short forms of what trials do most.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use cabotage_core::{
    Attributes, Capabilities, DeleteOptions, Detail, ErrorKind, Key, ListItem, ListScope, ObjectInfo,
    Payload, ReadOptions, Result, Storage, StorageExt as _, Upload, WriteMode, WriteOptions, Written,
};
use futures::{StreamExt as _, TryStreamExt as _};
use rand::Rng as _;

use crate::{Failure, HttpClient};

/// Larger than any object of the suite.
const READ_LIMIT: u64 = 256 << 20;

/// Requests that the suite sends at once where it makes many objects.
const AT_ONCE: usize = 16;

/// A random prefix of a store.
pub struct Place {
    /// The store under trial.
    pub store: Arc<dyn Storage>,
    /// Ends in `/`; nothing else is under it.
    pub prefix: String,
    /// Uses presigned URLs.
    pub(crate) http: Option<HttpClient>,
    outside: Mutex<Vec<Key>>,
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Place({} in {:?})", self.prefix, self.store)
    }
}

impl Place {
    /// A new place in the store.
    #[must_use]
    pub fn new(store: Arc<dyn Storage>, http: Option<HttpClient>) -> Self {
        let prefix = format!("conformance-{}/", random_name());
        Self { store, prefix, http, outside: Mutex::default() }
    }

    pub(crate) fn capabilities(&self) -> &Capabilities {
        self.store.capabilities()
    }

    /// A key of this place.
    pub(crate) fn key(&self, name: &str) -> Result<Key> {
        Key::new(format!("{}{name}", self.prefix))
    }

    /// A key that may lie outside of the prefix: it is removed in the end too.
    pub(crate) fn outside(&self, name: &str) -> Result<Key> {
        let key = Key::new(name)?;
        self.outside.lock().unwrap_or_else(PoisonError::into_inner).push(key.clone());
        Ok(key)
    }

    /// Writes a small text.
    pub(crate) async fn put(&self, key: &Key, content: impl Into<Bytes>) -> Result<Written> {
        self.store.write(key, Payload::from_bytes(content), WriteOptions::default()).await
    }

    /// Writes a small text under a mode.
    pub(crate) async fn put_as(&self, key: &Key, content: &'static str, mode: WriteMode) -> Result<Written> {
        self.store.write(key, Payload::from_bytes(content), WriteOptions { mode, ..Default::default() }).await
    }

    /// Writes a small text with attributes.
    pub(crate) async fn put_with(
        &self,
        key: &Key,
        content: &'static str,
        attributes: &Attributes,
    ) -> Result<Written> {
        let options = WriteOptions { attributes: attributes.clone(), ..WriteOptions::default() };
        self.store.write(key, Payload::from_bytes(content), options).await
    }

    /// Writes the same few bytes under many names.
    pub(crate) async fn put_many(&self, names: impl IntoIterator<Item = String>) -> Result<()> {
        let writes = names.into_iter().map(|name| async move {
            let key = self.key(&name)?;
            self.put(&key, "x").await.map(drop)
        });
        futures::stream::iter(writes).buffer_unordered(AT_ONCE).try_collect().await
    }

    pub(crate) async fn get(&self, key: &Key) -> Result<Bytes> {
        self.store.read_all(key, READ_LIMIT).await
    }

    pub(crate) async fn get_with(&self, key: &Key, options: ReadOptions) -> Result<Bytes> {
        let body = self.store.read(key, options).await?;
        let chunks: Vec<Bytes> = body.stream.try_collect().await?;
        Ok(chunks.concat().into())
    }

    pub(crate) async fn head(&self, key: &Key) -> Result<ObjectInfo> {
        self.store.head(key, Detail::Basic).await
    }

    pub(crate) async fn remove(&self, key: &Key) -> Result<()> {
        self.store.delete(key, DeleteOptions::default()).await
    }

    /// Whether a head finds the object.
    pub(crate) async fn exists(&self, key: &Key) -> Result<bool> {
        Ok(self.store.find(key, Detail::Basic).await?.is_some())
    }

    pub(crate) async fn items(&self, scope: ListScope) -> Result<Vec<ListItem>> {
        self.store.list(scope).try_collect().await
    }

    /// The names that a listing tells, without this place's prefix; groups as they are.
    pub(crate) async fn names(&self, scope: ListScope) -> Result<Vec<String>, Failure> {
        let mut names = Vec::new();
        for item in self.items(scope).await? {
            let key = match item {
                ListItem::Object(info) => info.key,
                ListItem::Prefix(key) => key,
                other => return Err(Failure::new(format!("the listing tells {other:?}"))),
            };
            let name = key.as_str().strip_prefix(&self.prefix);
            let outside =
                || Failure::new(format!("the listing tells {key:?}, which is not under its prefix"));
            names.push(name.ok_or_else(outside)?.to_owned());
        }
        Ok(names)
    }

    /// The names of everything here.
    pub(crate) async fn all_names(&self) -> Result<Vec<String>, Failure> {
        self.names(ListScope::prefix(&self.prefix)).await
    }

    pub(crate) async fn upload(&self, key: &Key) -> Result<Arc<dyn Upload>> {
        self.store.start_upload(key, WriteOptions::default()).await
    }

    /// Removes objects and uploads of this place, and objects that it made outside.
    pub(crate) async fn clean(&self) -> Result<(), Failure> {
        let outside = std::mem::take(&mut *self.outside.lock().unwrap_or_else(PoisonError::into_inner));
        for key in outside.iter().filter(|key| self.capabilities().accepts(key).is_ok()) {
            self.remove(key).await?;
        }
        self.abort_uploads().await?;
        let mut keys = Vec::new();
        for item in self.items(ListScope::prefix(&self.prefix)).await? {
            if let ListItem::Object(info) = item {
                keys.push(info.key);
            }
        }
        for (_, removed) in self.store.delete_many(keys).await {
            removed?;
        }
        Ok(())
    }

    async fn abort_uploads(&self) -> Result<(), Failure> {
        if !self.capabilities().uploads {
            return Ok(());
        }
        let open: Vec<_> = self.store.list_uploads(&self.prefix).try_collect().await?;
        for upload in open {
            let resumed = self.store.resume_upload(&upload.key, &upload.id, WriteOptions::default()).await;
            match resumed {
                Ok(upload) => upload.abort().await?,
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

/// A name that nobody else has.
pub(crate) fn random_name() -> String {
    format!("{:016x}", rand::rng().random::<u64>())
}
