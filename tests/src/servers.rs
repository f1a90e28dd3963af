//! Test servers, found by their variables.

use std::collections::BTreeSet;
use std::env;

use crate::{RawAzure, RawS3, random_name};

/// The names in `CABOTAGE_REQUIRE`: servers whose absence is a failure.
#[must_use]
pub fn required() -> BTreeSet<String> {
    let names = env::var("CABOTAGE_REQUIRE").unwrap_or_default();
    names.split(',').map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect()
}

fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

/// Says on stderr that tests are left out for want of a server.
///
/// # Panics
/// When `CABOTAGE_REQUIRE` names the server.
#[allow(clippy::print_stderr, reason = "a skip has to be seen")]
pub fn announce_missing(name: &str, test: &str) {
    assert!(
        !required().contains(name),
        "{name} is required by CABOTAGE_REQUIRE and is not in the environment"
    );
    eprintln!("skipped: {test} needs {name}, which is not in the environment (scripts/services/{name}/up)");
}

/// An Azurite, with a connection string for the product.
#[derive(Clone, Debug)]
pub struct Azurite {
    /// What `AZURE_STORAGE_CONNECTION_STRING` gets.
    pub connection_string: String,
    /// Requests of our own.
    pub raw: RawAzure,
    /// The server's version.
    pub version: String,
}

/// The Azurite that `AZURITE_CONNECTION_STRING` names.
///
/// # Panics
/// When the connection string lacks an account, a key or an endpoint.
#[must_use]
pub fn azurite() -> Option<Azurite> {
    let connection_string = variable("AZURITE_CONNECTION_STRING")?;
    let field = |name: &str| {
        let pairs = connection_string.split(';').filter_map(|pair| pair.split_once('='));
        pairs.into_iter().find(|(n, _)| *n == name).map(|(_, value)| value.to_owned())
    };
    let raw = RawAzure {
        endpoint: field("BlobEndpoint").expect("AZURITE_CONNECTION_STRING has a BlobEndpoint"),
        account: field("AccountName").expect("AZURITE_CONNECTION_STRING has an AccountName"),
        key: field("AccountKey").expect("AZURITE_CONNECTION_STRING has an AccountKey"),
    };
    let version = variable("AZURITE_VERSION").unwrap_or_else(|| "unknown".into());
    Some(Azurite { connection_string, raw, version })
}

impl Azurite {
    /// A fresh container.
    #[must_use]
    pub fn container(&self, prefix: &str) -> String {
        let name = random_name(prefix);
        self.raw.create_container(&name);
        name
    }

    /// The variables that the product needs.
    #[must_use]
    pub fn variables(&self) -> Vec<(String, String)> {
        vec![("AZURE_STORAGE_CONNECTION_STRING".into(), self.connection_string.clone())]
    }
}

/// An S3 server with its keys.
#[derive(Clone, Debug)]
pub struct S3Server {
    /// `rgw` or `minio`.
    pub name: &'static str,
    /// Requests of our own.
    pub raw: RawS3,
    /// The server's version.
    pub version: String,
}

impl S3Server {
    fn found(name: &'static str, endpoint: &str, access: &str, secret: &str, version: &str) -> Option<Self> {
        let raw = RawS3 {
            endpoint: variable(endpoint)?.trim_end_matches('/').to_owned(),
            access_key: variable(access)?,
            secret_key: variable(secret)?,
            region: "us-east-1".into(),
        };
        Some(Self { name, raw, version: variable(version).unwrap_or_else(|| "unknown".into()) })
    }

    /// A fresh bucket.
    #[must_use]
    pub fn bucket(&self, prefix: &str) -> String {
        let name = random_name(prefix);
        self.raw.create_bucket(&name);
        name
    }

    /// The variables that the product needs.
    #[must_use]
    pub fn variables(&self) -> Vec<(String, String)> {
        [
            ("AWS_ENDPOINT_URL_S3", &self.raw.endpoint),
            ("AWS_ACCESS_KEY_ID", &self.raw.access_key),
            ("AWS_SECRET_ACCESS_KEY", &self.raw.secret_key),
            ("AWS_REGION", &self.raw.region),
        ]
        .map(|(name, value)| (name.to_owned(), value.clone()))
        .into()
    }
}

/// The Ceph RGW that `RGW_ENDPOINT`, `RGW_ACCESS_KEY` and `RGW_SECRET_KEY` name.
#[must_use]
pub fn rgw() -> Option<S3Server> {
    S3Server::found("rgw", "RGW_ENDPOINT", "RGW_ACCESS_KEY", "RGW_SECRET_KEY", "RGW_VERSION")
}

/// What administers the Ceph RGW: `radosgw-admin` with the configuration that `RGW_CEPH_CONF` names.
#[derive(Clone, Debug)]
pub struct RgwAdmin {
    configuration: String,
}

/// The administration of the RGW of the environment, where there is one.
#[must_use]
pub fn rgw_admin() -> Option<RgwAdmin> {
    Some(RgwAdmin { configuration: variable("RGW_CEPH_CONF")? })
}

impl RgwAdmin {
    /// Runs `radosgw-admin` with those arguments.
    ///
    /// # Panics
    /// When it can't be run, or fails.
    pub fn run(&self, arguments: &[&str]) {
        let mut command = std::process::Command::new("radosgw-admin");
        command.args(arguments).env("CEPH_CONF", &self.configuration);
        let output = command.output().expect("radosgw-admin runs");
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

/// The MinIO that `MINIO_ENDPOINT`, `MINIO_ROOT_USER` and `MINIO_ROOT_PASSWORD` name.
#[must_use]
pub fn minio() -> Option<S3Server> {
    S3Server::found("minio", "MINIO_ENDPOINT", "MINIO_ROOT_USER", "MINIO_ROOT_PASSWORD", "MINIO_VERSION")
}
