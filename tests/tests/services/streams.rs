//! Readers, writers, conditions and ranges on real stores. In memory they are tried by crates/cabotage/tests.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use cabotage::{
    AccessMode, Capabilities, DeleteOptions, Detail, ETag, ErrorKind, Key, ListScope, ListStream, ObjectBody,
    ObjectInfo, Payload, RangesOptions, ReadOptions, Result, Storage, StorageExt as _, StoreId, WriteMode,
    WriteOptions, WriterOptions, Written, reader, writer,
};
use futures::StreamExt as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::places::{self, Place};

/// The least that S3 takes as a part.
const PART: usize = 5 << 20;

fn key() -> Key {
    Key::new("a b/../c?d").unwrap()
}

/// Bytes that are different at each place, as far as a test needs it.
fn bytes(len: usize) -> Vec<u8> {
    (0..=250).cycle().take(len).collect()
}

async fn store(place: &Place) -> Arc<dyn Storage> {
    place.open(AccessMode::ReadWrite).await
}

async fn write(store: &Arc<dyn Storage>, mode: WriteMode, bytes: &[u8]) -> std::io::Result<()> {
    let write = WriteOptions { mode, ..WriteOptions::default() };
    let options = WriterOptions { write, part_size: PART as u64, ..WriterOptions::default() };
    let mut writer = writer(Arc::clone(store), key(), options);
    writer.write_all(bytes).await?;
    writer.shutdown().await
}

async fn read(store: &Arc<dyn Storage>) -> Vec<u8> {
    let mut read = Vec::new();
    reader(&**store, &key(), ReadOptions::default()).await.unwrap().read_to_end(&mut read).await.unwrap();
    read
}

#[tokio::test]
async fn what_is_written_is_read() {
    for place in places::everywhere("streams") {
        let store = store(&place).await;
        for len in [0, 10, PART, 2 * PART + 1] {
            write(&store, WriteMode::Replace, &bytes(len)).await.unwrap();
            assert!(read(&store).await == bytes(len), "{} {len}", place.name);
        }
    }
}

#[tokio::test]
async fn conditions_hold_for_one_write_and_for_parts() {
    for place in places::everywhere("conditional writes") {
        let store = store(&place).await;
        for len in [10, PART + 1] {
            let context = format!("{} {len}", place.name);
            store.delete(&key(), DeleteOptions::default()).await.unwrap();
            write(&store, WriteMode::Create, &bytes(len)).await.unwrap();
            let first = store.head(&key(), Detail::Basic).await.unwrap().etag.unwrap();
            refused(write(&store, WriteMode::Create, b"other").await, &context);
            refused(write(&store, WriteMode::Create, &bytes(PART + 2)).await, &context);
            write(&store, WriteMode::IfMatch(first.clone()), &bytes(len + 1)).await.unwrap();
            refused(write(&store, WriteMode::IfMatch(first), &bytes(len)).await, &context);
            assert!(read(&store).await == bytes(len + 1), "{context}");
            assert_eq!(store.list_uploads("").count().await, 0, "{context}");
        }
    }
}

fn refused(end: std::io::Result<()>, context: &str) {
    let error = end.expect_err(context);
    let cause = error.get_ref().and_then(|cause| cause.downcast_ref::<cabotage::Error>()).expect(context);
    assert_eq!(cause.kind(), ErrorKind::PreconditionFailed, "{context}: {cause}");
}

#[tokio::test]
async fn dropped_before_its_shutdown_nothing_is_visible() {
    for place in places::everywhere("dropped writers") {
        let store = store(&place).await;
        let options = WriterOptions { part_size: PART as u64, ..WriterOptions::default() };
        let mut dropped = writer(Arc::clone(&store), key(), options);
        dropped.write_all(&bytes(2 * PART + 1)).await.unwrap();
        uploads_are(&store, 1, place.name).await;
        drop(dropped);
        // Azure can't delete blocks that were not committed: nobody sees them, and they expire.
        let left = usize::from(place.name == "azurite");
        uploads_are(&store, left, place.name).await;
        assert_eq!(store.find(&key(), Detail::Basic).await.unwrap(), None, "{}", place.name);
    }
}

async fn uploads_are(store: &Arc<dyn Storage>, count: usize, context: &str) {
    for _ in 0..1000 {
        if store.list_uploads("").collect::<Vec<_>>().await.len() == count {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{context}: there are never {count} uploads");
}

/// Writes another object of the same size after each read, each time with other bytes.
#[derive(Debug)]
struct Changing(Arc<dyn Storage>, AtomicUsize);

impl fmt::Display for Changing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[async_trait::async_trait]
impl Storage for Changing {
    fn capabilities(&self) -> &Capabilities {
        self.0.capabilities()
    }

    fn id(&self) -> &StoreId {
        self.0.id()
    }

    fn list(&self, scope: ListScope) -> ListStream {
        self.0.list(scope)
    }

    async fn head(&self, key: &Key, detail: Detail) -> Result<ObjectInfo> {
        self.0.head(key, detail).await
    }

    async fn read(&self, key: &Key, options: ReadOptions) -> Result<ObjectBody> {
        let body = self.0.read(key, options).await?;
        let times = self.1.fetch_add(1, Ordering::Relaxed);
        self.0.put(key, bytes(101 + times).split_off(1 + times).into()).await?;
        Ok(body)
    }

    async fn write(&self, key: &Key, body: Payload, options: WriteOptions) -> Result<Written> {
        self.0.write(key, body, options).await
    }

    async fn delete(&self, key: &Key, options: DeleteOptions) -> Result<()> {
        self.0.delete(key, options).await
    }
}

async fn ranges(
    store: &dyn Storage,
    asked: &[std::ops::Range<u64>],
    if_match: Option<ETag>,
) -> Result<usize> {
    let conditions = ReadOptions::pinned(None, if_match);
    let one_at_a_time = RangesOptions { gap: 0, in_flight: 1 };
    Ok(store.read_ranges(&key(), asked, &conditions, one_at_a_time).await?.len())
}

#[tokio::test]
async fn ranges_of_two_states_are_never_mixed() {
    for place in places::everywhere("ranges of a changing object") {
        let store = store(&place).await;
        let etag = store.put(&key(), bytes(100).into()).await.unwrap().etag;
        let read = store
            .read_ranges(&key(), &[0..2, 90..100], &ReadOptions::default(), RangesOptions::default())
            .await;
        assert_eq!(read.unwrap(), [&bytes(2), &bytes(100)[90..]], "{}", place.name);

        let changing = Changing(Arc::clone(&store), AtomicUsize::new(0));
        let pinned = ranges(&changing, &[0..2, 90..100], etag).await.unwrap_err();
        assert_eq!(pinned.kind(), ErrorKind::PreconditionFailed, "{}: {pinned}", place.name);
        let mixed = ranges(&changing, &[0..2, 90..100], None).await.unwrap_err();
        assert_eq!(mixed.kind(), ErrorKind::SourceChanged, "{}: {mixed}", place.name);
        assert!(mixed.to_string().contains("changed while its ranges were read"), "{mixed}");
        assert_eq!(ranges(&changing, std::slice::from_ref(&(0..2)), None).await.unwrap(), 1, "one state");
    }
}
