//! What a store is opened with.

use cabotage_core::{Error, ErrorKind, Operation, Result, Secret};
use cabotage_http::{Endpoint, Environment, HttpConfig, Renew};

use crate::connection::{ConnectionString, Place};

/// Where blobs live in the public cloud.
const PUBLIC_SUFFIX: &str = "core.windows.net";

/// What an [`AzureStore`](crate::AzureStore) is opened with.
#[derive(Clone, Debug)]
pub struct AzureConfig {
    /// The container's name.
    pub container: String,
    /// The storage account; where it isn't told, the connection string, the endpoint or the environment must tell it.
    pub account: Option<String>,
    /// URL of the blob service: `https://account.blob.core.windows.net`, or with the account as its path
    /// (`http://127.0.0.1:10000/devstoreaccount1`). `None` takes the connection string's or the public cloud's.
    pub endpoint: Option<String>,
    /// How requests are authorised.
    pub credentials: AzureCredentials,
    /// How they are read anew when the service refuses those at hand, where they come from the caller. Entra ID's need none.
    pub renew: Option<Renew<AzureCredentials>>,
    /// How requests are sent.
    pub http: HttpConfig,
}

/// How requests are authorised.
#[derive(Clone)]
pub enum AzureCredentials {
    /// A connection string as the portal shows it, with an account key or a SAS.
    ConnectionString(Secret),
    /// The account's key, in Base64.
    SharedKey {
        /// The key.
        key: Secret,
    },
    /// A shared access signature: the query, with or without its `?`.
    Sas(Secret),
    /// Whatever is found first: `AZURE_STORAGE_CONNECTION_STRING`, `AZURE_STORAGE_ACCOUNT` with `AZURE_STORAGE_KEY` or
    /// `AZURE_STORAGE_SAS_TOKEN`; then Entra ID by client secret, client certificate, pipeline, workload identity,
    /// Azure CLI, managed identity.
    Ambient(Environment),
}

impl std::fmt::Debug for AzureCredentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::ConnectionString(_) => "ConnectionString(<redacted>)",
            Self::SharedKey { .. } => "SharedKey(<redacted>)",
            Self::Sas(_) => "Sas(<redacted>)",
            Self::Ambient(Environment::Ambient) => "Ambient(process environment)",
            Self::Ambient(Environment::Fixed(_)) => "Ambient(fixed variables)",
        })
    }
}

/// A secret that is known when the store is opened, or the search for one.
#[derive(Clone)]
pub(crate) enum Grant {
    Key(Secret),
    Sas(Secret),
    Search(Environment),
}

/// A configuration that has been read.
pub(crate) struct Target {
    pub(crate) container: String,
    pub(crate) account: String,
    pub(crate) endpoint: Endpoint,
    pub(crate) grant: Grant,
}

impl AzureConfig {
    /// Reads the configuration.
    ///
    /// # Errors
    /// `InvalidConfig`, without the secret.
    pub(crate) fn target(&self) -> Result<Target> {
        check_container(&self.container)?;
        let (grant, place) = self.credentials.grant()?;
        let told = self.account.clone().or_else(|| place.account.clone());
        let endpoint = match (&self.endpoint, &place.endpoint, &told) {
            (Some(url), ..) | (None, Some(url), _) => Endpoint::parse(url)?,
            (None, None, Some(account)) => public_endpoint(&place, account)?,
            (None, None, None) => return Err(no_account()),
        };
        let account = told.or_else(|| account_of(&endpoint)).ok_or_else(no_account)?;
        check_account(&account)?;
        Ok(Target { container: self.container.clone(), account, endpoint, grant })
    }
}

impl AzureCredentials {
    /// The secret in them, and what they tell of the place.
    pub(crate) fn grant(&self) -> Result<(Grant, Place)> {
        match self {
            Self::ConnectionString(text) => from_connection_string(text),
            Self::SharedKey { key } => {
                check_key(key)?;
                Ok((Grant::Key(key.clone()), Place::default()))
            }
            Self::Sas(sas) => Ok((Grant::Sas(checked_sas(sas)?), Place::default())),
            Self::Ambient(environment) => from_environment(environment),
        }
    }
}

fn from_connection_string(text: &Secret) -> Result<(Grant, Place)> {
    let ConnectionString { place, key, sas } = ConnectionString::parse(text)?;
    match (key, sas) {
        (Some(key), _) => {
            check_key(&key)?;
            Ok((Grant::Key(key), place))
        }
        (None, Some(sas)) => Ok((Grant::Sas(checked_sas(&sas)?), place)),
        (None, None) => {
            Err(invalid("the connection string has neither AccountKey nor SharedAccessSignature"))
        }
    }
}

/// The variables of the Azure CLI and of the SDKs; then the chain.
fn from_environment(environment: &Environment) -> Result<(Grant, Place)> {
    let variable = |names: &[&str]| names.iter().find_map(|name| value_of(environment, name));
    if let Some(text) = variable(&["AZURE_STORAGE_CONNECTION_STRING"]) {
        return from_connection_string(&Secret::new(text));
    }
    let account = variable(&["AZURE_STORAGE_ACCOUNT", "AZURE_STORAGE_ACCOUNT_NAME"]);
    let place = Place { account, ..Place::default() };
    if let Some(key) = variable(&["AZURE_STORAGE_KEY", "AZURE_STORAGE_ACCOUNT_KEY"]) {
        let key = Secret::new(key);
        check_key(&key)?;
        return Ok((Grant::Key(key), place));
    }
    if let Some(sas) = variable(&["AZURE_STORAGE_SAS_TOKEN"]) {
        return Ok((Grant::Sas(checked_sas(&Secret::new(sas))?), place));
    }
    Ok((Grant::Search(environment.clone()), place))
}

fn value_of(environment: &Environment, name: &str) -> Option<String> {
    let value = match environment {
        Environment::Ambient => std::env::var(name).ok(),
        Environment::Fixed(variables) => variables.get(name).cloned(),
    };
    value.filter(|value| !value.is_empty())
}

fn public_endpoint(place: &Place, account: &str) -> Result<Endpoint> {
    check_account(account)?;
    let protocol = place.protocol.as_deref().unwrap_or("https");
    let suffix = place.suffix.as_deref().unwrap_or(PUBLIC_SUFFIX);
    Endpoint::parse(&format!("{protocol}://{account}.blob.{suffix}"))
}

/// The account in `https://account.host` or `http://address/account`.
fn account_of(endpoint: &Endpoint) -> Option<String> {
    let in_path = endpoint.base_path().trim_start_matches('/').split('/').next().unwrap_or_default();
    if !in_path.is_empty() {
        return Some(in_path.to_owned());
    }
    if endpoint.address().is_some() {
        return None;
    }
    let (account, _) = endpoint.host().split_once('.')?;
    Some(account.to_owned())
}

/// 3 to 63 characters `a-z 0-9 -`, no hyphen at the ends or after another (REST reference, "Naming and referencing
/// containers"); or one of the service's own: `$root`, `$web`, `$logs`, `$blobchangefeed`.
fn check_container(name: &str) -> Result<()> {
    let plain = name.strip_prefix('$').unwrap_or(name);
    let letters = plain.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    let hyphens = plain.starts_with('-') || plain.ends_with('-') || plain.contains("--");
    if letters && !hyphens && (3..=63).contains(&plain.len()) {
        return Ok(());
    }
    Err(invalid("that can't be the name of a container")
        .about(name)
        .help("a name has 3 to 63 characters: a-z, 0-9 and single hyphens"))
}

fn check_account(account: &str) -> Result<()> {
    let known = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    if !account.is_empty() && account.bytes().all(known) {
        return Ok(());
    }
    Err(invalid("that can't be the name of a storage account").about(account))
}

fn check_key(key: &Secret) -> Result<()> {
    use base64::Engine as _;
    match base64::engine::general_purpose::STANDARD.decode(key.reveal()) {
        Ok(bytes) if !bytes.is_empty() => Ok(()),
        _ => Err(invalid("the account key is not Base64").help("copy the whole key, with the == at its end")),
    }
}

/// The SAS without `?`, if it is fit for a URL.
fn checked_sas(sas: &Secret) -> Result<Secret> {
    let text = sas.reveal().trim().trim_start_matches('?').trim_matches('&');
    let fit = text.bytes().all(|b| b.is_ascii_graphic() && !b"#<>\"\\^`{|}".contains(&b));
    if fit && text.split('&').any(|pair| pair.starts_with("sig=")) {
        return Ok(Secret::new(text));
    }
    Err(invalid("that is no shared access signature")
        .help("it is the part of the URL after the '?', and holds sv=, se=, sp= and sig="))
}

fn no_account() -> Error {
    invalid("the storage account isn't told")
        .help("set it in the store, in AZURE_STORAGE_ACCOUNT or by the endpoint")
}

pub(crate) fn invalid(message: impl AsRef<str>) -> Error {
    Error::new(ErrorKind::InvalidConfig, message).during(Operation::Open)
}

#[cfg(test)]
#[path = "config_tests.rs"]
mod tests;
