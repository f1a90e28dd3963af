//! What the configuration file says of a store.

use std::path::{Path, PathBuf};

use cabotage_core::{Error, ErrorKind, Result};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use toml::{Table, Value};

use crate::{Bandwidth, RequestRate, SecretSource, TimeSpan, fields};

/// A store of the configuration file.
#[derive(Clone, Debug)]
pub enum StoreSettings {
    /// `kind = "s3"`
    S3(S3Settings),
    /// `kind = "azure"`
    Azure(AzureSettings),
    /// `kind = "local"`
    Local(LocalSettings),
}

/// An S3-compatible server.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct S3Settings {
    /// A profile of the provider catalogue.
    pub provider: Option<String>,
    /// The region, any text.
    pub region: Option<String>,
    /// `https://host[:port][/base]`; goes before the profile's.
    pub endpoint: Option<String>,
    /// Where the bucket stands in a request; by default the path where an endpoint is given, else the profile's way.
    pub addressing: Option<AddressingStyle>,
    /// With which credentials.
    #[serde(skip)]
    pub credentials: S3Credentials,
    /// With which key of the customer's the server encrypts contents (SSE-C): base64 of 32 bytes.
    #[serde(skip)]
    pub sse_c_key: Option<SecretSource>,
    /// How requests are sent.
    #[serde(skip)]
    pub http: HttpSettings,
}

/// Where the bucket stands in a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AddressingStyle {
    /// `https://host/bucket/key`
    Path,
    /// `https://bucket.host/key`
    Virtual,
}

/// Credentials of an S3-compatible server.
#[derive(Clone, Debug, Default)]
pub enum S3Credentials {
    /// None are told.
    #[default]
    Missing,
    /// The standard variables, profiles and instance services.
    Env,
    /// Keys, read from where they are.
    Keys {
        /// The access key's id, itself no secret.
        access_key_id: IdSource,
        /// Its secret.
        secret_access_key: SecretSource,
        /// A temporary key's token.
        session_token: Option<SecretSource>,
    },
    /// A profile of the user's `~/.aws` files.
    Profile(String),
    /// A program that prints credentials as `credential_process` of the `~/.aws` files does.
    Process(String),
}

/// An identifier, told or read from a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IdSource {
    /// The text itself.
    Told(String),
    /// From a source.
    From(SecretSource),
}

/// An Azure Blob account.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AzureSettings {
    /// The account's name.
    pub account: Option<String>,
    /// `https://host[/base]` where it is not `https://ACCOUNT.blob.core.windows.net`.
    pub endpoint: Option<String>,
    /// With which credentials.
    #[serde(skip)]
    pub credentials: AzureCredentials,
    /// How requests are sent.
    #[serde(skip)]
    pub http: HttpSettings,
}

/// Credentials of an Azure Blob account.
#[derive(Clone, Debug, Default)]
pub enum AzureCredentials {
    /// None are told.
    #[default]
    Missing,
    /// The standard variables, managed and workload identity, the command line's login.
    Env,
    /// A connection string, read from where it is.
    ConnectionString(SecretSource),
    /// The account's key.
    AccountKey(SecretSource),
    /// A shared access signature.
    SasToken(SecretSource),
}

/// A folder.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LocalSettings {
    /// The folder beneath which `name:folder/…` lies.
    pub root: PathBuf,
}

/// How requests are sent; what is not told is the HTTP client's default.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HttpSettings {
    /// `http://host:port` of a proxy; without user name and password.
    pub proxy: Option<String>,
    /// PEM file of certificates that are trusted too.
    pub ca_file: Option<PathBuf>,
    /// Allows `http://` off this machine.
    pub allow_plaintext: Option<bool>,
    /// Longest time until a connection stands.
    pub connect_timeout: Option<TimeSpan>,
    /// Longest time in which no byte moves.
    pub idle_timeout: Option<TimeSpan>,
    /// Longest time until the reply begins.
    pub request_timeout: Option<TimeSpan>,
    /// How many bytes of bodies a second.
    pub bandwidth: Option<Bandwidth>,
    /// How many requests a second, instead of what the provider's profile says.
    pub requests_per_second: Option<RequestRate>,
}

/// The kinds there are.
pub(crate) const KINDS: &[&str] = &["s3", "azure", "local"];
const CREDENTIALS: &str = "credentials";
/// The key that S3 encrypts with for the customer.
pub(crate) const SSE_C_KEY: &str = "sse_c_key";

impl StoreSettings {
    /// Reads one `[stores.NAME]`. `path` is `stores.NAME`; relative files are taken from `base`.
    ///
    /// # Errors
    /// `InvalidConfig` naming the key, and the nearest valid one.
    pub(crate) fn parse(mut table: Table, path: &str, base: &Path) -> Result<Self> {
        let kind = table.remove("kind").ok_or_else(|| {
            invalid(format!("{path} lacks 'kind'")).help(format!("the kinds are {}", KINDS.join(", ")))
        })?;
        match kind.as_str().unwrap_or_default() {
            "s3" => {
                let key = table.remove(SSE_C_KEY);
                let (mut own, http, credentials) = cloud::<S3Settings>(table, path, base, &[SSE_C_KEY])?;
                let source = |value| SecretSource::parse(&value, &format!("{path}.{SSE_C_KEY}"), base);
                own.sse_c_key = key.map(source).transpose()?;
                own.http = http;
                own.credentials = s3_credentials(credentials, &format!("{path}.{CREDENTIALS}"), base)?;
                Ok(Self::S3(own))
            }
            "azure" => {
                let (mut own, http, credentials) = cloud::<AzureSettings>(table, path, base, &[])?;
                own.http = http;
                own.credentials = azure_credentials(credentials, &format!("{path}.{CREDENTIALS}"), base)?;
                Ok(Self::Azure(own))
            }
            "local" => {
                fields::check(&table, path, &[fields::of::<LocalSettings>(), &["kind"]])?;
                let mut own: LocalSettings = typed(table, path)?;
                if own.root.as_os_str().is_empty() {
                    return Err(
                        invalid(format!("{path} lacks 'root'")).help("name the folder that it stands for")
                    );
                }
                own.root = base.join(&own.root);
                Ok(Self::Local(own))
            }
            other => {
                Err(invalid(format!("{path}.kind '{other}' is unknown"))
                    .help(fields::suggestion(other, KINDS)))
            }
        }
    }
}

/// Splits a cloud store's table into what is its own, how requests are sent, and the credentials. `others` are valid keys
/// that were taken out before.
fn cloud<T: DeserializeOwned>(
    mut table: Table,
    path: &str,
    base: &Path,
    others: &[&'static str],
) -> Result<(T, HttpSettings, Option<Value>)> {
    let http_names = fields::of::<HttpSettings>();
    fields::check(&table, path, &[fields::of::<T>(), http_names, &[CREDENTIALS, "kind"], others])?;
    let credentials = table.remove(CREDENTIALS);
    let http: Table = http_names.iter().filter_map(|name| table.remove_entry(*name)).collect();
    let mut http: HttpSettings = typed(http, path)?;
    http.ca_file = http.ca_file.map(|file| base.join(file));
    if http.proxy.as_ref().is_some_and(|proxy| proxy.contains('@')) {
        return Err(invalid(format!("{path}.proxy holds a user name or password"))
            .help("no secret may stand in the file: set HTTPS_PROXY and leave proxy out"));
    }
    Ok((typed(table, path)?, http, credentials))
}

fn s3_credentials(value: Option<Value>, path: &str, base: &Path) -> Result<S3Credentials> {
    let Some(value) = value else { return Ok(S3Credentials::Missing) };
    let table = match value {
        Value::String(word) if word == "env" => return Ok(S3Credentials::Env),
        Value::Table(table) => table,
        _ => {
            return Err(no_credentials(
                path,
                "{ access_key_id = \"…\", secret_access_key = { env = \"NAME\" } }",
            ));
        }
    };
    let names = &["access_key_id", "secret_access_key", "session_token", "profile", "process"];
    fields::check(&table, path, &[names])?;
    let source = |name: &str| {
        table.get(name).map(|value| SecretSource::parse(value, &format!("{path}.{name}"), base)).transpose()
    };
    match (text(&table, "profile"), text(&table, "process"), table.get("access_key_id")) {
        (Some(profile), None, None) => Ok(S3Credentials::Profile(profile)),
        (None, Some(process), None) => Ok(S3Credentials::Process(process)),
        (None, None, Some(id)) => Ok(S3Credentials::Keys {
            access_key_id: id_source(id, &format!("{path}.access_key_id"), base)?,
            secret_access_key: source("secret_access_key")?
                .ok_or_else(|| invalid(format!("{path} lacks 'secret_access_key'")))?,
            session_token: source("session_token")?,
        }),
        _ => Err(invalid(format!("{path} needs exactly one of access_key_id, profile and process, as text"))),
    }
}

fn azure_credentials(value: Option<Value>, path: &str, base: &Path) -> Result<AzureCredentials> {
    let Some(value) = value else { return Ok(AzureCredentials::Missing) };
    let table = match value {
        Value::String(word) if word == "env" => return Ok(AzureCredentials::Env),
        Value::Table(table) => table,
        _ => return Err(no_credentials(path, "{ account_key = { env = \"NAME\" } }")),
    };
    let names = &["connection_string", "account_key", "sas_token"];
    fields::check(&table, path, &[names])?;
    let [(name, value)] = table.iter().collect::<Vec<_>>()[..] else {
        return Err(invalid(format!("{path} needs exactly one of {}", names.join(", "))));
    };
    let source = SecretSource::parse(value, &format!("{path}.{name}"), base)?;
    Ok(match name.as_str() {
        "connection_string" => AzureCredentials::ConnectionString(source),
        "account_key" => AzureCredentials::AccountKey(source),
        _ => AzureCredentials::SasToken(source),
    })
}

fn id_source(value: &Value, path: &str, base: &Path) -> Result<IdSource> {
    match value {
        Value::String(id) if !id.is_empty() => Ok(IdSource::Told(id.clone())),
        other => SecretSource::parse(other, path, base).map(IdSource::From),
    }
}

fn text(table: &Table, name: &str) -> Option<String> {
    table.get(name)?.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

fn no_credentials(path: &str, example: &str) -> Error {
    invalid(format!("{path} is neither \"env\" nor a table")).help(format!("write for instance {example}"))
}

/// The table as that type; the message names the key.
pub(crate) fn typed<T: DeserializeOwned>(table: Table, path: &str) -> Result<T> {
    table.try_into().map_err(|error: toml::de::Error| {
        let lines: Vec<String> = error.to_string().lines().map(str::trim).map(str::to_owned).collect();
        invalid(format!("{path}: {}", lines.join(" ").trim_end()))
    })
}

pub(crate) fn invalid(message: impl AsRef<str>) -> Error {
    Error::new(ErrorKind::InvalidConfig, message)
}
