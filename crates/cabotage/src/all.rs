//! The one file that knows every adapter, and which of them are compiled in.

use cabotage_core::{Error, ErrorKind, Result};

use crate::settings::{StoreSettings, invalid};
use crate::{Location, OpenOptions, Opened, Place, Stores, ambient};

/// Opens with an adapter, or says which feature it would need.
macro_rules! with_feature {
    ($feature:literal, ($($needed:ident),+), $open:expr) => {{
        #[cfg(feature = $feature)]
        let opened = $open;
        #[cfg(not(feature = $feature))]
        let opened = {
            $(let _ = $needed;)+
            Err(not_compiled($feature))
        };
        opened
    }};
}

pub(crate) async fn open(location: &Location, stores: &Stores, options: &OpenOptions) -> Result<Opened> {
    let environment = stores.environment();
    let (settings, bucket) = match location.place() {
        Place::Local { path } => {
            no_key(options)?;
            return with_feature!("local", (path), crate::open_local::open(path, location, options).await);
        }
        Place::Memory { name } => {
            no_key(options)?;
            return with_feature!("memory", (name), Ok(Opened::new(stores.memory(name), location)));
        }
        Place::S3 { bucket } => (StoreSettings::S3(ambient::s3(environment, options)), bucket),
        Place::Azure { container } => (StoreSettings::Azure(ambient::azure()), container),
        Place::Named { store, bucket } => (stores.named(store)?.clone(), bucket),
    };
    if !matches!(settings, StoreSettings::S3(_)) {
        no_key(options)?;
    }
    match &settings {
        StoreSettings::S3(s3) => {
            with_feature!(
                "s3",
                (s3, bucket),
                crate::open_s3::open(s3, bucket, location, environment, options).await
            )
        }
        StoreSettings::Azure(azure) => with_feature!(
            "azure",
            (azure, bucket),
            crate::open_azure::open(azure, bucket, location, environment, options).await
        ),
        StoreSettings::Local(local) => {
            with_feature!(
                "local",
                (local, bucket),
                crate::open_local::beneath(local, bucket, location, options).await
            )
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

/// What is asked for and was left out when this program was built.
#[allow(dead_code, reason = "with every feature nothing is left out")]
pub(crate) fn not_compiled(feature: &str) -> Error {
    let message = format!("the adapter '{feature}' is not compiled into this program");
    Error::new(ErrorKind::InvalidConfig, message)
        .help(format!("build it with the feature \"{feature}\" of the crate cabotage"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Environment;

    /// Run by `scripts/check-features` without any feature; in a full build each location finds its adapter, which
    /// fails for reasons of its own.
    #[tokio::test]
    async fn an_adapter_that_is_left_out_is_named() {
        let stores = Stores::without_file(Environment::default());
        for (location, feature, compiled) in [
            ("s3://bucket", "s3", cfg!(feature = "s3")),
            ("az://container", "azure", cfg!(feature = "azure")),
            ("/nowhere/at/all", "local", cfg!(feature = "local")),
            ("memory://m", "memory", cfg!(feature = "memory")),
        ] {
            let location = Location::parse(location).unwrap();
            let told = match open(&location, &stores, &OpenOptions::default()).await {
                Ok(_) => String::new(),
                Err(error) => error.to_string(),
            };
            let named = told.contains(&format!("feature \"{feature}\""));
            assert_eq!(named, !compiled, "{location}: {told}");
        }
    }
}
