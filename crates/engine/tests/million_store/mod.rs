//! A store that only lists: objects made up as they are asked for.

use std::sync::Arc;

use async_trait::async_trait;
use cabotage_core::{
    Capabilities, DeleteOptions, Detail, ETag, Error, ErrorKind, Key, ListItem, ListOrder, ListScope,
    ListStream, ObjectBody, ObjectInfo, Payload, ReadOptions, Result, Storage, StoreId, Timestamp, Upload,
    UploadId, UploadInfo, WriteOptions, Written,
};
use futures::stream::{self, BoxStream, StreamExt as _};

pub const OBJECTS: u64 = 1_000_000;
pub const SOURCE_ETAG: &str = "0x8DC0FFEE123456F";
pub const DESTINATION_ETAG: &str = "0cc175b9c0f1b6a831c399e269772661";

#[derive(Debug)]
pub struct Listed {
    id: StoreId,
    etag: &'static str,
    objects: u64,
    capabilities: Capabilities,
}

impl Listed {
    pub fn new(name: &str, objects: u64) -> Self {
        let etag = if name == "source" { SOURCE_ETAG } else { DESTINATION_ETAG };
        let capabilities = Capabilities { list_order: ListOrder::Bytes, ..Capabilities::default() };
        Self { id: StoreId(format!("listed:{name}")), etag, objects, capabilities }
    }
}

impl std::fmt::Display for Listed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.id.0)
    }
}

fn no<T>() -> Result<T> {
    Err(Error::new(ErrorKind::Unsupported, "this store only lists"))
}

#[async_trait]
impl Storage for Listed {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn id(&self) -> &StoreId {
        &self.id
    }

    fn list(&self, _: ListScope) -> ListStream {
        let etag = self.etag;
        stream::iter(0..self.objects)
            .map(move |i| {
                let key = Key::new(format!("folder-{:03}/study/series/object-{i:09}.dcm", i / 1000))?;
                let mut info = ObjectInfo::new(key, 1000);
                info.etag = Some(ETag::new(etag));
                info.modified = Timestamp::from_second(1_700_000_000).ok();
                Ok(ListItem::Object(info))
            })
            .boxed()
    }

    async fn head(&self, _: &Key, _: Detail) -> Result<ObjectInfo> {
        no()
    }

    async fn read(&self, _: &Key, _: ReadOptions) -> Result<ObjectBody> {
        no()
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
