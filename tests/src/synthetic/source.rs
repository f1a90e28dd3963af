//! The source.

use std::sync::Arc;

use async_trait::async_trait;
use cabotage_core::{
    Capabilities, DeleteOptions, Detail, Error, ErrorKind, Key, ListItem, ListOrder, ListScope, ListStream,
    ObjectBody, ObjectInfo, Payload, ReadOptions, Result, Storage, StoreId, Upload, UploadId, UploadInfo,
    WriteOptions, Written,
};
use cabotage_memory::full_capabilities;
use futures::stream::{self, BoxStream, StreamExt as _};

use super::{Namespace, no};

/// What a listing tells, and in which order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// By bytes, without attributes.
    S3,
    /// By UTF-16 code units, with attributes and tags.
    Azure,
}

/// A namespace that can be listed and read.
#[derive(Debug)]
pub struct Source {
    id: StoreId,
    namespace: Namespace,
    dialect: Dialect,
    capabilities: Capabilities,
}

impl Source {
    /// A source that speaks so.
    #[must_use]
    pub fn new(namespace: Namespace, dialect: Dialect) -> Self {
        let is_azure = dialect == Dialect::Azure;
        let capabilities = Capabilities {
            list_order: if is_azure { ListOrder::Utf16 } else { ListOrder::Bytes },
            list_after: !is_azure,
            list_attributes: is_azure,
            list_tags: is_azure,
            ..full_capabilities()
        };
        Self { id: StoreId("synthetic:source".into()), namespace, dialect, capabilities }
    }

    fn find(&self, key: &Key) -> Result<(u64, ObjectInfo)> {
        let missing = || Error::new(ErrorKind::NotFound, "no such object").on(key);
        let i = self.namespace.find(key.as_str()).ok_or_else(missing)?;
        Ok((i, with_attributes(self.namespace, i)?))
    }
}

fn with_attributes(namespace: Namespace, i: u64) -> Result<ObjectInfo> {
    Ok(ObjectInfo { attributes: Some(namespace.attributes(i)), ..namespace.at_source(i)? })
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.id.0)
    }
}

#[async_trait]
impl Storage for Source {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn id(&self) -> &StoreId {
        &self.id
    }

    fn list(&self, scope: ListScope) -> ListStream {
        let (namespace, dialect) = (self.namespace, self.dialect);
        let numbers: Box<dyn Iterator<Item = u64> + Send> = match dialect {
            Dialect::Azure => namespace.in_utf16_order(),
            Dialect::S3 => {
                let first = scope.after.as_ref().map_or(0, |after| namespace.up_to(after.as_str()));
                Box::new(first..namespace.objects())
            }
        };
        let items = numbers.map(move |i| match dialect {
            Dialect::Azure => with_attributes(namespace, i),
            Dialect::S3 => namespace.at_source(i),
        });
        let is_before = move |item: &Result<ObjectInfo>| match (item, &scope.until) {
            (Ok(info), Some(until)) => info.key < *until,
            _ => true,
        };
        stream::iter(items.take_while(is_before).map(|item| item.map(ListItem::Object))).boxed()
    }

    async fn head(&self, key: &Key, _: Detail) -> Result<ObjectInfo> {
        Ok(self.find(key)?.1)
    }

    async fn read(&self, key: &Key, options: ReadOptions) -> Result<ObjectBody> {
        let (i, info) = self.find(key)?;
        options.check(&info)?;
        let range = options.range.map_or(Ok(0..info.size), |range| range.within(info.size))?;
        let bytes = self.namespace.content(i).slice(range.start as usize..range.end as usize);
        Ok(ObjectBody { info, range, stream: stream::iter([Ok(bytes)]).boxed() })
    }

    async fn write(&self, _: &Key, _: Payload, _: WriteOptions) -> Result<Written> {
        no()
    }

    async fn start_upload(&self, _: &Key, _: WriteOptions) -> Result<Arc<dyn Upload>> {
        no()
    }

    async fn resume_upload(&self, _: &Key, _: &UploadId, _: WriteOptions) -> Result<Arc<dyn Upload>> {
        no()
    }

    fn list_uploads(&self, _: &str) -> BoxStream<'static, Result<UploadInfo>> {
        stream::empty().boxed()
    }

    async fn delete(&self, _: &Key, _: DeleteOptions) -> Result<()> {
        no()
    }

    async fn delete_many(&self, _: Vec<Key>) -> Vec<(Key, Result<()>)> {
        Vec::new()
    }
}
