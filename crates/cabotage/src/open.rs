//! From a location to a store.

use std::path::PathBuf;
use std::sync::Arc;

use cabotage_core::{Key, Operation, Probe, Result, Storage, StorePlace, Throttle};

use crate::{EndLimits, Location, SecretSource, Stores, all};

/// What a location is opened for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Role {
    /// For reading.
    #[default]
    Source,
    /// For writing too: `s3://` without an endpoint is refused unless the provider is named, so that data which is to
    /// leave a cloud isn't written to that very cloud by default. A missing local folder is made.
    Destination,
}

/// What a location means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Target {
    /// All objects beneath it.
    #[default]
    Folder,
    /// The one object of that name.
    Object,
}

/// How to open a location.
#[derive(Clone, Debug, Default)]
pub struct OpenOptions {
    /// What for.
    pub role: Role,
    /// What it means.
    pub target: Target,
    /// Allows `http://` to hosts other than this machine.
    pub allow_plaintext: bool,
    /// The provider's profile for `s3://` locations; a named store has its own.
    pub s3_provider: Option<String>,
    /// The key of the customer's with which an S3 server encrypts contents (SSE-C): base64 of 32 bytes. Goes before that
    /// of a named store.
    pub sse_c_key: Option<SecretSource>,
    /// How fast it may be used. Goes before what a named store says.
    pub limits: EndLimits,
}

impl OpenOptions {
    /// For reading one object.
    #[must_use]
    pub fn object() -> Self {
        Self { target: Target::Object, ..Self::default() }
    }
}

/// An opened location.
#[derive(Clone, Debug)]
pub struct Opened {
    /// The store.
    pub store: Arc<dyn Storage>,
    /// Asks the store what it enforces.
    pub probe: Arc<dyn Probe>,
    /// Keys beneath the location begin with this: empty, or ending in `/`.
    pub prefix: String,
    /// The object that the location names; none for a bare bucket or folder.
    pub key: Option<Key>,
    /// The location for a human, without secrets.
    pub label: String,
    /// Which store it is, and at which address.
    pub place: StorePlace,
    /// The folder on this machine, canonical, where it is one.
    pub folder: Option<PathBuf>,
    /// What keeps it to its limits.
    pub throttle: Throttle,
}

impl Opened {
    #[cfg(any(feature = "s3", feature = "azure", feature = "local", feature = "memory"))]
    pub(crate) fn new<S: Storage + Probe>(store: S, location: &Location) -> Self {
        let place = StorePlace::unmoving(store.id());
        let store = Arc::new(store);
        Self {
            place,
            probe: Arc::clone(&store) as Arc<dyn Probe>,
            store,
            prefix: location.prefix(),
            key: location.key(),
            label: location.to_string(),
            folder: None,
            throttle: Throttle::default(),
        }
    }
}

impl Stores {
    /// Opens a location: finds its settings, credentials and adapter. No layer is put around the store; see
    /// [`Opened::layered`].
    ///
    /// # Errors
    /// `InvalidConfig` for what is wrong or missing in the settings, secrets that can't be read among it, and for an
    /// adapter that is not compiled in; those of the adapter.
    pub async fn open(&self, location: &Location, options: &OpenOptions) -> Result<Opened> {
        all::open(location, self, options)
            .await
            .map_err(|error| error.during(Operation::Open).about(location.to_string()))
    }
}
