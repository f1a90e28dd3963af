//! The one file that knows every adapter.

use cabotage_azure::AzureStore;
use cabotage_core::Result;
use cabotage_s3::S3Store;

use crate::location::bucket_name;
use crate::settings::{StoreSettings, invalid};
use crate::{Location, OpenOptions, Opened, Place, Stores, open_azure, open_local, open_s3};

pub(crate) async fn open(location: &Location, stores: &Stores, options: &OpenOptions) -> Result<Opened> {
    let environment = stores.environment();
    let (settings, bucket) = match location.place() {
        Place::Local { path } => {
            no_key(options)?;
            return open_local::open(path, location, options).await;
        }
        Place::Memory { name } => {
            no_key(options)?;
            return Ok(Opened::new(stores.memory(name), location));
        }
        Place::S3 { bucket } => (StoreSettings::S3(open_s3::ambient(environment, options)), bucket),
        Place::Azure { container } => (StoreSettings::Azure(open_azure::ambient()), container),
        Place::Named { store, bucket } => (stores.named(store)?.clone(), bucket),
    };
    if !matches!(settings, StoreSettings::S3(_)) {
        no_key(options)?;
    }
    match settings {
        StoreSettings::S3(settings) => {
            let bucket = bucket_name("bucket", bucket.clone())?;
            let config = open_s3::config(&settings, &bucket, environment, options)?;
            let throttle = config.http.throttle.clone();
            let store = S3Store::open(config).await?;
            Ok(Opened { place: store.place(), throttle, ..Opened::new(store, location) })
        }
        StoreSettings::Azure(settings) => {
            let container = bucket_name("container", bucket.clone())?;
            let config = open_azure::config(&settings, &container, environment, options)?;
            let throttle = config.http.throttle.clone();
            let store = AzureStore::open(config).await?;
            Ok(Opened { place: store.place(), throttle, ..Opened::new(store, location) })
        }
        StoreSettings::Local(settings) => {
            let path = open_local::beneath(&settings, bucket, location)?;
            open_local::open(&path, location, options).await
        }
    }
}

/// Only S3 encrypts with a key of the customer's here; a key that has no effect is refused.
fn no_key(options: &OpenOptions) -> Result<()> {
    match options.sse_c_key {
        Some(_) => Err(invalid("an SSE-C key is given, and the location is not on S3")),
        None => Ok(()),
    }
}
