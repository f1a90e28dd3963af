//! Any [`Storage`](cabotage_core::Storage) as an [`object_store::ObjectStore`], so that DataFusion, delta-rs, Lance and
//! Parquet readers run on every adapter.
//!
//! ```
//! # use std::sync::Arc;
//! use cabotage_bridge::Bridge;
//! use object_store::{ObjectStoreExt as _, path::Path};
//!
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
//! let store = Bridge::new(Arc::new(cabotage_memory::MemoryStore::new("example")));
//! store.put(&Path::from("a/b.parquet"), "content".into()).await?;
//! assert_eq!(store.get(&Path::from("a/b.parquet")).await?.bytes().await?, "content");
//! # Ok::<(), object_store::Error>(())
//! # }).unwrap();
//! ```
//!
//! What is refused rather than done by halves is [`NotImplemented`](object_store::Error::NotImplemented): attributes that
//! the store would lose or change, and writes under a condition that the store is not declared to enforce.

mod attributes;
mod bridge;
mod error;
mod list;
mod pages;
mod paths;
mod proof;
mod read;
mod upload;
mod write;

pub use bridge::Bridge;
