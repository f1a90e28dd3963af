//! A store for a service: opened by one call, with layers around it.

use std::sync::Arc;

use cabotage_core::{Result, Storage};
use cabotage_layers::{Limit, Prefix, ReadOnly, ResumeBody, ResumePolicy};

use crate::{Environment, Location, OpenOptions, Opened, Role, Stores};

/// Whether a store may be changed through this handle.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AccessMode {
    /// Reading and writing.
    #[default]
    ReadWrite,
    /// Every method that changes something is refused before a request is sent.
    ReadOnly,
}

/// What is put around a store.
#[derive(Clone, Copy, Debug, Default)]
pub struct Layers {
    /// Whether it may be changed.
    pub access: AccessMode,
    /// How a body goes on that broke off.
    pub resume: ResumePolicy,
    /// Most requests in flight at once, bodies that are being read among them; no bound by default. Who holds one body
    /// while asking for another needs more than the bodies held.
    pub in_flight: Option<usize>,
}

impl Layers {
    /// That store with these layers around it.
    #[must_use]
    pub fn around(&self, mut store: Arc<dyn Storage>) -> Arc<dyn Storage> {
        // Nearest to the server, so that each request for the rest of a body waits its turn too.
        if let Some(most) = self.in_flight {
            store = Arc::new(Limit::new(store, most));
        }
        store = Arc::new(ResumeBody::new(store, self.resume));
        if self.access == AccessMode::ReadOnly {
            store = Arc::new(ReadOnly::new(store));
        }
        store
    }
}

impl Opened {
    /// The store for callers: its keys are relative to the location, and the layers are around it.
    ///
    /// From the inside out. Single requests are already retried by the adapter, with its timeouts, and kept to the
    /// rates of [`OpenOptions::limits`].
    #[must_use]
    pub fn layered(&self, layers: &Layers) -> Arc<dyn Storage> {
        let store = layers.around(Arc::clone(&self.store));
        if self.prefix.is_empty() {
            return store;
        }
        // Outermost: everything within speaks of whole keys, and so do its errors.
        Arc::new(Prefix::new(store, &self.prefix))
    }
}

/// Opens a location for reading and writing; keys are relative to it. `s3://bucket/prefix`, `az://container/prefix`,
/// `memory://name`, a path, or `name:bucket/prefix` for a store of the user's configuration file.
///
/// Settings and credentials are those of the environment and the configuration file, as the command line takes them.
/// `s3://` without an endpoint (`AWS_ENDPOINT_URL_S3`) is refused: which cloud is written to is never a default.
/// A missing local folder is made. `memory://` is empty at each call.
///
/// # Errors
/// Those of [`Location::parse`] and [`Stores::open`].
pub async fn open(location: &str) -> Result<Arc<dyn Storage>> {
    open_as(location, Role::Destination, AccessMode::ReadWrite).await
}

/// As [`open`], and nothing can be changed through it. `s3://` without an endpoint is Amazon's, as the standard
/// variables mean it; a missing local folder is an error.
///
/// # Errors
/// Those of [`open`].
pub async fn open_read_only(location: &str) -> Result<Arc<dyn Storage>> {
    open_as(location, Role::Source, AccessMode::ReadOnly).await
}

async fn open_as(location: &str, role: Role, access: AccessMode) -> Result<Arc<dyn Storage>> {
    let stores = Stores::load(None, Environment::of_process())?;
    let options = OpenOptions { role, ..OpenOptions::default() };
    let opened = stores.open(&Location::parse(location)?, &options).await?;
    Ok(opened.layered(&Layers { access, ..Layers::default() }))
}

#[cfg(feature = "memory")]
#[cfg(test)]
mod tests {
    use cabotage_core::{ErrorKind, Key, StorageExt as _};

    use super::*;

    #[tokio::test]
    async fn keys_are_relative_to_the_location_and_read_only_is_kept() {
        let stores = Stores::without_file(Environment::default());
        let at = async |text: &str, layers: &Layers| {
            let location = Location::parse(text).unwrap();
            stores.open(&location, &OpenOptions::default()).await.unwrap().layered(layers)
        };
        let whole = at("memory://m", &Layers::default()).await;
        let beneath = at("memory://m/a", &Layers { in_flight: Some(2), ..Layers::default() }).await;
        beneath.put(&Key::new("k").unwrap(), "text".into()).await.unwrap();
        assert_eq!(whole.read_all(&Key::new("a/k").unwrap(), 9).await.unwrap(), "text");
        let guarded = at("memory://m/a", &Layers { access: AccessMode::ReadOnly, ..Layers::default() }).await;
        let key = Key::new("k").unwrap();
        assert_eq!(guarded.read_all(&key, 9).await.unwrap(), "text");
        let refused = guarded.put(&key, "other".into()).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Internal, "{refused}");
    }

    #[tokio::test]
    async fn one_call_opens() {
        assert!(open("memory://m").await.is_ok());
        assert!(open_read_only("memory://m").await.is_ok());
        assert_eq!(open("ftp://h/x").await.unwrap_err().kind(), ErrorKind::InvalidConfig);
    }
}
