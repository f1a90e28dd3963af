//! Connection strings: `AccountName=…;AccountKey=…;BlobEndpoint=…`.

use std::collections::BTreeMap;

use cabotage_core::{Result, Secret};

use crate::config::invalid;

/// Documented account of the emulators (Azurite); not a secret.
const EMULATOR_ACCOUNT: &str = "devstoreaccount1";
const EMULATOR_KEY: &str =
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";
const EMULATOR_ENDPOINT: &str = "http://127.0.0.1:10000/devstoreaccount1";

/// Names that mean something here, as they are written; case doesn't matter.
const KNOWN: [&str; 7] = [
    "AccountName",
    "AccountKey",
    "BlobEndpoint",
    "SharedAccessSignature",
    "EndpointSuffix",
    "DefaultEndpointsProtocol",
    "UseDevelopmentStorage",
];

/// Where the blobs are, as far as it is told.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) account: Option<String>,
    pub(crate) endpoint: Option<String>,
    pub(crate) suffix: Option<String>,
    pub(crate) protocol: Option<String>,
}

/// A connection string's parts.
pub(crate) struct ConnectionString {
    pub(crate) place: Place,
    pub(crate) key: Option<Secret>,
    pub(crate) sas: Option<Secret>,
}

impl ConnectionString {
    /// Reads it. Settings of other services (queues, files) are passed over.
    ///
    /// # Errors
    /// `InvalidConfig`; names of settings are told, values never.
    pub(crate) fn parse(text: &Secret) -> Result<Self> {
        let mut settings = settings(text.reveal())?;
        let mut take = |name: &str| settings.remove(&name.to_ascii_lowercase());
        if let Some(wanted) = take("UseDevelopmentStorage") {
            return emulator(&wanted);
        }
        let place = Place {
            account: take("AccountName"),
            endpoint: take("BlobEndpoint"),
            suffix: take("EndpointSuffix"),
            protocol: take("DefaultEndpointsProtocol"),
        };
        if place.protocol.as_deref().is_some_and(|protocol| !["http", "https"].contains(&protocol)) {
            return Err(invalid(
                "DefaultEndpointsProtocol in the connection string is neither http nor https",
            ));
        }
        Ok(Self {
            place,
            key: take("AccountKey").map(Secret::new),
            sas: take("SharedAccessSignature").map(Secret::new),
        })
    }
}

/// The settings by lower-case name.
fn settings(text: &str) -> Result<BTreeMap<String, String>> {
    let mut found = BTreeMap::new();
    for (number, setting) in (1..).zip(text.trim().split(';').map(str::trim).filter(|s| !s.is_empty())) {
        let Some((name, value)) = setting.split_once('=') else {
            return Err(invalid(format!("setting {number} of the connection string is not name=value"))
                .help("settings are separated by ';', as in AccountName=…;AccountKey=…"));
        };
        let (name, value) = (name.trim(), value.trim());
        let Some(known) = KNOWN.iter().find(|known| known.eq_ignore_ascii_case(name)) else { continue };
        if value.is_empty() {
            return Err(invalid(format!("{known} in the connection string is empty")));
        }
        if found.insert(name.to_ascii_lowercase(), value.to_owned()).is_some() {
            return Err(invalid(format!("{known} stands twice in the connection string")));
        }
    }
    if found.is_empty() {
        return Err(invalid("the connection string holds no setting that is known")
            .help(format!("known are {}", KNOWN.join(", "))));
    }
    Ok(found)
}

fn emulator(wanted: &str) -> Result<ConnectionString> {
    if !wanted.eq_ignore_ascii_case("true") {
        return Err(invalid("UseDevelopmentStorage in the connection string is not 'true'"));
    }
    let place = Place {
        account: Some(EMULATOR_ACCOUNT.to_owned()),
        endpoint: Some(EMULATOR_ENDPOINT.to_owned()),
        ..Place::default()
    };
    Ok(ConnectionString { place, key: Some(Secret::new(EMULATOR_KEY)), sas: None })
}
