//! Readers, writers and ranges over a store in memory.
#![cfg(feature = "memory")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

use std::sync::Arc;
use std::time::Duration;

use cabotage::{
    ETag, Environment, ErrorKind, Key, Layers, Location, OpenOptions, RangesOptions, ReadOptions, ReadRange,
    Storage, StorageExt as _, Stores, WriteMode, WriteOptions, WriterOptions, reader, writer,
};
use futures::StreamExt as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

async fn store() -> Arc<dyn Storage> {
    let stores = Stores::without_file(Environment::default());
    let location = Location::parse("memory://m/prefix").unwrap();
    stores.open(&location, &OpenOptions::default()).await.unwrap().layered(&Layers::default())
}

fn key() -> Key {
    Key::new("a/../b").unwrap()
}

fn small_parts(mode: WriteMode) -> WriterOptions {
    WriterOptions {
        part_size: 10,
        write: WriteOptions { mode, ..WriteOptions::default() },
        ..WriterOptions::default()
    }
}

fn bytes(len: u8) -> Vec<u8> {
    (0..len).collect()
}

#[tokio::test]
async fn what_is_written_is_read() {
    let store = store().await;
    for len in [0, 1, 9, 10, 11, 20, 95] {
        let mut writer = writer(Arc::clone(&store), key(), small_parts(WriteMode::Replace));
        writer.write_all(&bytes(len)).await.unwrap();
        writer.flush().await.unwrap();
        assert!(writer.written().is_none());
        writer.shutdown().await.unwrap();
        writer.shutdown().await.unwrap();
        assert!(writer.written().unwrap().etag.is_some());
        assert!(writer.write_all(b"more").await.is_err());
        let mut read = Vec::new();
        let mut whole = reader(&*store, &key(), ReadOptions::default()).await.unwrap();
        whole.read_to_end(&mut read).await.unwrap();
        assert_eq!((read, whole.info().size), (bytes(len), u64::from(len)), "{len}");
    }
    let range = ReadOptions { range: Some(ReadRange::Suffix(2)), ..ReadOptions::default() };
    let mut read = Vec::new();
    reader(&*store, &key(), range).await.unwrap().read_to_end(&mut read).await.unwrap();
    assert_eq!(read, [93, 94]);
}

#[tokio::test]
async fn dropped_without_shutdown_nothing_is_left() {
    let store = store().await;
    for len in [5, 10, 45] {
        let mut dropped = writer(Arc::clone(&store), key(), small_parts(WriteMode::Replace));
        dropped.write_all(&bytes(len)).await.unwrap();
        let started = len > 10;
        wait_for_uploads(&store, usize::from(started)).await;
        drop(dropped);
        wait_for_uploads(&store, 0).await;
        assert_eq!(store.find(&key(), cabotage::Detail::Basic).await.unwrap(), None, "{len}");
    }
}

async fn wait_for_uploads(store: &Arc<dyn Storage>, count: usize) {
    for _ in 0..1000 {
        if store.list_uploads("").collect::<Vec<_>>().await.len() == count {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("there are never {count} uploads");
}

#[tokio::test]
async fn conditions_hold_for_short_and_long_bodies() {
    let store = store().await;
    let old = store.put(&key(), "old".into()).await.unwrap().etag.unwrap();
    for len in [5, 45] {
        for mode in [WriteMode::Create, WriteMode::IfMatch(ETag::new("none"))] {
            let mut writer = writer(Arc::clone(&store), key(), small_parts(mode.clone()));
            let failed = async {
                writer.write_all(&bytes(len)).await?;
                writer.shutdown().await
            };
            assert!(failed.await.is_err(), "{len} {mode:?}");
            assert_eq!(store.read_all(&key(), 99).await.unwrap(), "old");
            wait_for_uploads(&store, 0).await;
        }
    }
    let mut writer = writer(Arc::clone(&store), key(), small_parts(WriteMode::IfMatch(old)));
    writer.write_all(&bytes(45)).await.unwrap();
    writer.shutdown().await.unwrap();
    assert_eq!(store.read_all(&key(), 99).await.unwrap(), bytes(45));
}

#[tokio::test]
async fn ranges() {
    let store = store().await;
    store.put(&key(), bytes(100).into()).await.unwrap();
    for gap in [0, 3, 1 << 20] {
        let options = RangesOptions { gap, in_flight: 2 };
        let asked = [90..100, 0..2, 5..5, 1..4, 8..10, 0..2];
        let read = store.read_ranges(&key(), &asked, &ReadOptions::default(), options).await.unwrap();
        for (range, read) in asked.iter().zip(&read) {
            let meant: Vec<u8> = range.clone().map(|at| u8::try_from(at).unwrap()).collect();
            assert_eq!(*read, meant, "{range:?}");
        }
    }
    for wrong in [99..101, 200..201] {
        let failed =
            store.read_ranges(&key(), &[wrong], &ReadOptions::default(), RangesOptions::default()).await;
        assert_eq!(failed.unwrap_err().kind(), ErrorKind::PreconditionFailed);
    }
}
