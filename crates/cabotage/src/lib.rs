//! One door to object stores: Azure Blob, S3-compatible servers, folders, memory.
//!
//! ```no_run
//! # async fn example() -> cabotage::Result<()> {
//! use cabotage::{Key, StorageExt as _};
//!
//! let store = cabotage::open("s3://bucket/prefix").await?;
//! let key = Key::new("reports/2026.csv")?;
//! store.put(&key, "a,b\n1,2\n".into()).await?;
//! assert_eq!(store.read_all(&key, 1024).await?, "a,b\n1,2\n");
//! # Ok(())
//! # }
//! ```
//!
//! Streams: [`reader`] gives `AsyncRead`, [`writer`] `AsyncWrite`, [`Storage::read`] a `Stream` of bytes.
//!
//! ```
//! # #[cfg(feature = "memory")]
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use cabotage::{Key, RangesOptions, ReadOptions, StorageExt as _, WriterOptions};
//! use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
//!
//! let store = cabotage::open("memory://m").await?;
//! let key = Key::new("log")?;
//! let mut writer = cabotage::writer(store.clone(), key.clone(), WriterOptions::default());
//! writer.write_all(b"one line\n").await?;
//! writer.shutdown().await?; // now it is there; dropped before, nothing would be left
//!
//! let mut text = String::new();
//! cabotage::reader(&*store, &key, ReadOptions::default()).await?.read_to_string(&mut text).await?;
//! assert_eq!(text, "one line\n");
//!
//! let words = store.read_ranges(&key, &[4..8, 0..3], &ReadOptions::default(), RangesOptions::default()).await?;
//! assert_eq!(words, ["line", "one"]);
//! # Ok(())
//! # }
//! # #[cfg(not(feature = "memory"))]
//! # fn main() {}
//! ```
//!
//! # `object_store`
//!
//! With the feature `object_store`, any location is an `object_store::ObjectStore` for DataFusion and others
//! (`Opened::object_store`, `Bridge`), and any `object_store::ObjectStore` is a store here (`FromObjectStore`). The crate
//! `object_store` is re-exported at the version that both speak.
//!
//! ```
//! # #[cfg(feature = "object_store")]
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use std::sync::Arc;
//! use cabotage::object_store::{ObjectStoreExt as _, memory::InMemory, path::Path};
//! use cabotage::{AccessMode, FromObjectStore, Key, Known, Layers, Location, OpenOptions, Storage as _, StorageExt as _};
//! use cabotage::{Environment, StoreId, Stores};
//!
//! // Outwards: a location for whoever takes an ObjectStore.
//! let stores = Stores::load(None, Environment::of_process())?;
//! # let folder = tempfile::tempdir()?;
//! # let location = folder.path().to_str().ok_or("a path beyond UTF-8")?;
//! let opened = stores.open(&Location::parse(location)?, &OpenOptions::default()).await?;
//! let outside = opened.object_store(&Layers::default());
//! outside.put(&Path::from("a/b"), "content".into()).await?;
//! assert_eq!(opened.store.read_all(&Key::new("a/b")?, 99).await?, "content");
//!
//! // Inwards: a foreign store, with what is known of it, under the same layers as any other.
//! let foreign = FromObjectStore::new(Arc::new(InMemory::new()), StoreId("mine".into()), &Known::in_memory());
//! let store = Layers { access: AccessMode::ReadOnly, ..Layers::default() }.around(Arc::new(foreign));
//! assert!(store.put(&Key::new("k")?, "never".into()).await.is_err());
//! # Ok(())
//! # }
//! # #[cfg(not(feature = "object_store"))]
//! # fn main() {}
//! ```
//!
//! # Features
//!
//! Each adapter is a feature: `s3`, `azure`, `local`, `memory` (stores) and `process` (runs jobs). All are on by default;
//! a service takes those that it needs: `default-features = false, features = ["s3"]`. `object_store` is off by default. A location whose adapter
//! was left out is refused with an error that names the feature.
//!
//! # What is re-exported
//!
//! All of `cabotage-core`, so that a service needs only this crate: [`Storage`] is what is opened, [`StorageExt`] what
//! callers get on top of it.

#![deny(missing_docs)]

mod all;
mod ambient;
mod environment;
mod fields;
mod hand_over;
#[cfg(any(feature = "s3", feature = "azure"))]
mod http;
mod job_file;
mod location;
#[cfg(feature = "object_store")]
mod object_stores;
mod open;
#[cfg(feature = "azure")]
mod open_azure;
#[cfg(feature = "process")]
mod open_compute;
#[cfg(feature = "local")]
mod open_local;
#[cfg(feature = "s3")]
mod open_s3;
mod overlap;
#[cfg(any(feature = "s3", feature = "azure"))]
mod proxy;
mod rates;
mod reader;
#[cfg(any(feature = "s3", feature = "azure"))]
mod secret_read;
mod secret_source;
mod service;
mod settings;
mod show;
mod stores;
mod units;
mod writer;
mod writer_task;

#[cfg(feature = "object_store")]
pub use ::object_store;
#[cfg(feature = "object_store")]
pub use cabotage_bridge::Bridge;
pub use cabotage_core::*;
pub use cabotage_layers::ResumePolicy;
#[cfg(feature = "object_store")]
pub use cabotage_object_store::{FromObjectStore, Known};
pub use environment::Environment;
pub use job_file::job_from_file;
pub use location::{Location, Place};
pub use open::{OpenOptions, Opened, Role, Target};
#[cfg(feature = "process")]
pub use open_compute::{COMPUTES, open_compute, supervise_job};
pub use overlap::{refuse_inside, refuse_overlap, refuse_sidecars_in};
pub use rates::{Bandwidth, EndLimits, RequestRate};
pub use reader::{ObjectReader, reader};
pub use secret_source::SecretSource;
pub use service::{AccessMode, Layers, open, open_read_only};
pub use settings::{
    AddressingStyle, AzureCredentials, AzureSettings, HttpSettings, IdSource, LocalSettings, S3Credentials,
    S3Settings, StoreSettings,
};
pub use show::{Origin, Setting};
pub use stores::Stores;
pub use units::{ByteSize, TimeSpan};
pub use writer::{ObjectWriter, WriterOptions, writer};
