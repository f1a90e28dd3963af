//! A store whose keys are relative to a prefix of another.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use cabotage_core::{
    Attributes, Capabilities, DeleteOptions, Detail, ETag, Key, ListItem, ListScope, ListStream, ObjectBody,
    ObjectInfo, Payload, PresignMethod, Presigned, RawKey, ReadOptions, Result, Storage, StoreId, Upload,
    UploadId, UploadInfo, WriteOptions, Written, display_key,
};
use futures::StreamExt as _;
use futures::stream::BoxStream;

/// Shows the keys that begin with the prefix, without it. The prefix is literal: no slash is added.
///
/// An object named exactly as the prefix has no name here: a listing tells it as `BadKey` under its whole name.
#[derive(Debug)]
pub struct Prefix {
    inner: Arc<dyn Storage>,
    prefix: Arc<str>,
    id: StoreId,
    capabilities: Capabilities,
}

impl Prefix {
    /// The keys of that store under the prefix.
    #[must_use]
    pub fn new(inner: Arc<dyn Storage>, prefix: &str) -> Self {
        let id = StoreId(format!("{}/{prefix}", inner.id().0));
        let mut capabilities = inner.capabilities().clone();
        let keys = &mut capabilities.keys;
        keys.max_bytes = keys.max_bytes.map(|max| max.saturating_sub(prefix.len()));
        keys.max_utf16 = keys.max_utf16.map(|max| max.saturating_sub(prefix.encode_utf16().count()));
        keys.max_segments = keys.max_segments.map(|max| max.saturating_sub(prefix.matches('/').count()));
        Self { inner, prefix: prefix.into(), id, capabilities }
    }

    fn whole(&self, key: &Key) -> Result<Key> {
        Key::new(format!("{}{}", self.prefix, key.as_str()))
    }
}

/// The key without the prefix; `None` when nothing is left of it.
fn relative(prefix: &str, key: &Key) -> Option<Key> {
    key.as_str().strip_prefix(prefix).and_then(|rest| Key::new(rest).ok())
}

fn relative_info(prefix: &str, mut info: ObjectInfo, wrap: fn(ObjectInfo) -> ListItem) -> ListItem {
    match relative(prefix, &info.key) {
        Some(key) => {
            info.key = key;
            wrap(info)
        }
        None => ListItem::BadKey(RawKey::new(info.key.as_str())),
    }
}

fn relative_item(prefix: &str, item: ListItem) -> ListItem {
    match item {
        ListItem::Object(info) => relative_info(prefix, info, ListItem::Object),
        ListItem::Version(info) => relative_info(prefix, info, ListItem::Version),
        ListItem::Prefix(key) => match relative(prefix, &key) {
            Some(key) => ListItem::Prefix(key),
            None => ListItem::BadKey(RawKey::new(key.as_str())),
        },
        ListItem::BadKey(raw) => match raw.as_bytes().strip_prefix(prefix.as_bytes()) {
            Some(rest) if !rest.is_empty() => ListItem::BadKey(RawKey::new(rest)),
            _ => ListItem::BadKey(raw),
        },
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.inner, display_key(&self.prefix))
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Storage for Prefix {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn id(&self) -> &StoreId {
        &self.id
    }

    fn list(&self, scope: ListScope) -> ListStream {
        let bounds = |key: &Option<Key>| key.as_ref().map(|key| self.whole(key)).transpose();
        let (after, until) = match (bounds(&scope.after), bounds(&scope.until)) {
            (Ok(after), Ok(until)) => (after, until),
            (Err(error), _) | (_, Err(error)) => return futures::stream::iter([Err(error)]).boxed(),
        };
        let whole = ListScope { prefix: format!("{}{}", self.prefix, scope.prefix), after, until, ..scope };
        let prefix = Arc::clone(&self.prefix);
        self.inner.list(whole).map(move |item| Ok(relative_item(&prefix, item?))).boxed()
    }

    async fn head(&self, key: &Key, detail: Detail) -> Result<ObjectInfo> {
        let info = self.inner.head(&self.whole(key)?, detail).await?;
        Ok(ObjectInfo { key: key.clone(), ..info })
    }

    async fn read(&self, key: &Key, options: ReadOptions) -> Result<ObjectBody> {
        let mut body = self.inner.read(&self.whole(key)?, options).await?;
        body.info.key = key.clone();
        Ok(body)
    }

    async fn write(&self, key: &Key, body: Payload, options: WriteOptions) -> Result<Written> {
        self.inner.write(&self.whole(key)?, body, options).await
    }

    async fn start_upload(&self, key: &Key, options: WriteOptions) -> Result<Arc<dyn Upload>> {
        self.inner.start_upload(&self.whole(key)?, options).await
    }

    async fn resume_upload(
        &self,
        key: &Key,
        id: &UploadId,
        options: WriteOptions,
    ) -> Result<Arc<dyn Upload>> {
        self.inner.resume_upload(&self.whole(key)?, id, options).await
    }

    fn list_uploads(&self, prefix: &str) -> BoxStream<'static, Result<UploadInfo>> {
        let own = Arc::clone(&self.prefix);
        let open = self.inner.list_uploads(&format!("{}{prefix}", self.prefix));
        open.filter_map(move |upload| {
            let named = match upload {
                Ok(upload) => relative(&own, &upload.key).map(|key| Ok(UploadInfo { key, ..upload })),
                Err(error) => Some(Err(error)),
            };
            std::future::ready(named)
        })
        .boxed()
    }

    async fn delete(&self, key: &Key, options: DeleteOptions) -> Result<()> {
        self.inner.delete(&self.whole(key)?, options).await
    }

    async fn delete_many(&self, keys: Vec<Key>) -> Vec<(Key, Result<()>)> {
        let whole: Result<Vec<Key>> = keys.iter().map(|key| self.whole(key)).collect();
        let Ok(whole) = whole else { return Vec::new() };
        let done = self.inner.delete_many(whole).await;
        keys.into_iter().zip(done).map(|(key, (_, result))| (key, result)).collect()
    }

    async fn copy_within(
        &self,
        from: &Key,
        from_etag: Option<&ETag>,
        to: &Key,
        options: WriteOptions,
    ) -> Result<Written> {
        self.inner.copy_within(&self.whole(from)?, from_etag, &self.whole(to)?, options).await
    }

    async fn set_attributes(
        &self,
        key: &Key,
        attributes: &Attributes,
        if_match: Option<&ETag>,
    ) -> Result<Written> {
        self.inner.set_attributes(&self.whole(key)?, attributes, if_match).await
    }

    async fn presign(&self, key: &Key, method: PresignMethod, expires_in: Duration) -> Result<Presigned> {
        self.inner.presign(&self.whole(key)?, method, expires_in).await
    }
}

#[cfg(test)]
#[path = "prefix_tests.rs"]
mod tests;
