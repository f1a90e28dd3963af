//! A store in memory with one defect.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use cabotage_core::{
    Attributes, Capabilities, DeleteOptions, Detail, ETag, Key, ListItem, ListScope, ListStream, ObjectBody,
    ObjectInfo, Payload, PresignMethod, Presigned, ReadOptions, Result, Storage, StorageExt as _, StoreId,
    Upload, UploadId, UploadInfo, WriteMode, WriteOptions, Written,
};
use cabotage_memory::MemoryStore;
use futures::stream::BoxStream;
use futures::{StreamExt as _, TryStreamExt as _};

/// What is wrong with the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Defect {
    None,
    ResolvesDots,
    DecodesPercent,
    CollapsesSlashes,
    TrimsSlashes,
    FoldsCase,
    Composes,
    ListsBackwards,
    LosesAtPages,
    RepeatsAfter,
    PrefixIsFolder,
    ShortBodies,
    ReadsAnyState,
    OverwritesAlways,
    TakesWrongDigests,
    StoresHalves,
    DeletesBelow,
    DropsTags,
    DropsDisposition,
    KeepsOldMetadata,
}

#[derive(Debug)]
pub(crate) struct Broken {
    inner: MemoryStore,
    defect: Defect,
}

impl Broken {
    pub(crate) fn new(defect: Defect) -> Self {
        Self { inner: MemoryStore::new("broken"), defect }
    }

    fn key(&self, key: &Key) -> Key {
        let name = key.as_str();
        let changed = match self.defect {
            Defect::ResolvesDots => resolve(name),
            Defect::DecodesPercent => {
                name.replace("%2F", "/").replace("%2f", "/").replace("%2e", ".").replace("%25", "%")
            }
            Defect::CollapsesSlashes => name.replace("//", "/"),
            Defect::TrimsSlashes => name.trim_end_matches('/').to_owned(),
            Defect::FoldsCase => name.to_lowercase(),
            Defect::Composes => name.replace("e\u{301}", "\u{e9}").replace("\u{1100}\u{1161}", "\u{ac00}"),
            _ => name.to_owned(),
        };
        Key::new(changed).unwrap_or_else(|_| key.clone())
    }

    fn attributes(&self, mut attributes: Attributes, old: Option<Attributes>) -> Attributes {
        match self.defect {
            Defect::DropsTags => attributes.tags = None,
            Defect::DropsDisposition => attributes.headers.content_disposition = None,
            Defect::KeepsOldMetadata => attributes.metadata.extend(old.unwrap_or_default().metadata),
            _ => {}
        }
        attributes
    }

    async fn options(&self, key: &Key, mut options: WriteOptions) -> Result<WriteOptions> {
        let old = self.inner.find(key, Detail::WithTags).await?.and_then(|info| info.attributes);
        options.attributes = self.attributes(options.attributes, old);
        if self.defect == Defect::OverwritesAlways {
            options.mode = WriteMode::Replace;
        }
        Ok(options)
    }

    /// What is stored for that body: with some defects something other than what was promised.
    async fn body(&self, key: &Key, body: Payload) -> Result<Payload> {
        match self.defect {
            Defect::TakesWrongDigests => Ok(Payload::from_bytes(collect(&body).await?)),
            Defect::StoresHalves => {
                self.inner.put(key, Bytes::from_static(b"half")).await?;
                Ok(Payload::from_bytes(collect(&body).await?))
            }
            _ => Ok(body),
        }
    }
}

async fn collect(body: &Payload) -> Result<Bytes> {
    let chunks: Vec<Bytes> = body.open().await?.try_collect().await?;
    let mut all = BytesMut::new();
    chunks.iter().for_each(|chunk| all.extend_from_slice(chunk));
    Ok(all.freeze())
}

fn resolve(name: &str) -> String {
    let mut out: Vec<&str> = Vec::new();
    for segment in name.split('/') {
        match segment {
            "." => {}
            ".." => drop(out.pop()),
            other => out.push(other),
        }
    }
    out.join("/")
}

fn keeps(defect: Defect, at: usize, prefix: &str, item: &ListItem) -> bool {
    match (defect, item) {
        (Defect::LosesAtPages, _) => at % 1000 != 999,
        (Defect::PrefixIsFolder, ListItem::Object(info)) => {
            let rest = info.key.as_str().strip_prefix(prefix).unwrap_or_default();
            prefix.is_empty() || prefix.ends_with('/') || rest.is_empty() || rest.starts_with('/')
        }
        _ => true,
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "broken://{:?}", self.defect)
    }
}

#[async_trait]
impl Storage for Broken {
    fn capabilities(&self) -> &Capabilities {
        self.inner.capabilities()
    }

    fn id(&self) -> &StoreId {
        self.inner.id()
    }

    fn list(&self, scope: ListScope) -> ListStream {
        let (defect, prefix, after) = (self.defect, scope.prefix.clone(), scope.after.clone());
        let mut extra = Vec::new();
        if let (Defect::RepeatsAfter, Some(after)) = (defect, after) {
            extra.push(Ok(ListItem::Object(ObjectInfo::new(after, 1))));
        }
        let listed = self.inner.list(scope).enumerate().filter_map(move |(at, item)| {
            let kept = item.as_ref().is_ok_and(|item| keeps(defect, at, &prefix, item));
            async move { kept.then_some(item) }
        });
        let stream = futures::stream::iter(extra).chain(listed);
        if defect != Defect::ListsBackwards {
            return stream.boxed();
        }
        let reversed = stream.collect::<Vec<_>>();
        futures::stream::once(async move {
            futures::stream::iter(reversed.await.into_iter().rev().collect::<Vec<_>>())
        })
        .flatten()
        .boxed()
    }

    async fn head(&self, key: &Key, detail: Detail) -> Result<ObjectInfo> {
        self.inner.head(&self.key(key), detail).await
    }

    async fn read(&self, key: &Key, mut options: ReadOptions) -> Result<ObjectBody> {
        if self.defect == Defect::ReadsAnyState {
            options.if_match = None;
        }
        let mut body = self.inner.read(&self.key(key), options).await?;
        if self.defect == Defect::ShortBodies {
            let cut = |chunk: Result<Bytes>| chunk.map(|chunk| chunk.slice(..chunk.len().saturating_sub(1)));
            body.stream = body.stream.map(cut).boxed();
        }
        Ok(body)
    }

    async fn write(&self, key: &Key, body: Payload, options: WriteOptions) -> Result<Written> {
        let key = self.key(key);
        let options = self.options(&key, options).await?;
        let body = self.body(&key, body).await?;
        self.inner.write(&key, body, options).await
    }

    async fn start_upload(&self, key: &Key, options: WriteOptions) -> Result<Arc<dyn Upload>> {
        let options = self.options(key, options).await?;
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
        if self.defect == Defect::DeletesBelow {
            let below: Vec<_> = self.inner.list(ListScope::prefix(key.as_str())).try_collect().await?;
            for item in below {
                if let ListItem::Object(info) = item {
                    self.inner.delete(&info.key, DeleteOptions::default()).await?;
                }
            }
        }
        self.inner.delete(&self.key(key), options).await
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
