//! Locations and named stores, opened as one [`Storage`](cabotage_core::Storage).
//!
//! ```no_run
//! # async fn example() -> cabotage_core::Result<()> {
//! use cabotage::{Environment, Location, OpenOptions, Stores, open};
//!
//! let stores = Stores::load(None, Environment::of_process())?;
//! let opened = open(&Location::parse("s3://bucket/data")?, &stores, &OpenOptions::default()).await?;
//! println!("{} holds {} bytes at most in one object", opened.label, opened.store.capabilities().limits.object_max);
//! # Ok(())
//! # }
//! ```

mod all;
mod environment;
mod fields;
mod http;
mod job_file;
mod location;
mod open;
mod open_azure;
mod open_compute;
mod open_local;
mod open_s3;
mod overlap;
mod proxy;
mod rates;
mod secret_source;
mod settings;
mod show;
mod stores;
mod units;

pub use environment::Environment;
pub use job_file::job_from_file;
pub use location::{Location, Place};
pub use open::{OpenOptions, Opened, Role, Target, open};
pub use open_compute::{COMPUTES, open_compute, supervise_job};
pub use overlap::{refuse_inside, refuse_overlap, refuse_sidecars_in};
pub use rates::{Bandwidth, EndLimits, RequestRate};
pub use secret_source::SecretSource;
pub use settings::{
    AddressingStyle, AzureCredentials, AzureSettings, HttpSettings, IdSource, LocalSettings, S3Credentials,
    S3Settings, StoreSettings,
};
pub use show::{Origin, Setting};
pub use stores::Stores;
pub use units::{ByteSize, TimeSpan};
