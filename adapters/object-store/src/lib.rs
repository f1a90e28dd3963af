//! Any [`object_store::ObjectStore`] as a [`Storage`](cabotage_core::Storage): stores that this project has no adapter for (Google
//! Cloud Storage, HTTP, what others have written) become sources and destinations.
//!
//! ```
//! # use std::sync::Arc;
//! use cabotage_core::{Key, StorageExt as _, StoreId};
//! use cabotage_object_store::{FromObjectStore, Known};
//! use object_store::memory::InMemory;
//!
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
//! let foreign = Arc::new(InMemory::new());
//! let store = FromObjectStore::new(foreign, StoreId("example".into()), &Known::in_memory());
//! let key = Key::new("a/b.parquet")?;
//! store.put(&key, "content".into()).await?;
//! assert_eq!(store.read_all(&key, 99).await?, "content");
//! # Ok::<(), cabotage_core::Error>(())
//! # }).unwrap();
//! ```
//!
//! An `object_store` can't be asked what it enforces or holds, so whoever opens it says what is [`Known`]; what isn't is not
//! claimed. Never available, since the trait has no way to ask for it: tags, digests checked by the server, uploads that
//! another process goes on with, versions, attributes set alone, URLs that carry a permission.

mod attributes;
mod capabilities;
mod config;
mod error;
mod list;
mod paths;
mod read;
mod store;
mod upload;

pub use config::Known;
pub use store::FromObjectStore;
