//! Stores on servers, each in a fresh bucket that the end of the run removes.

use acceptance::{Azurite, RawS3, S3Server};
use cabotage_azure::{AzureConfig, AzureCredentials, AzureStore};
use cabotage_core::Secret;
use cabotage_http::HttpConfig;
use cabotage_s3::{S3Config, S3Credentials, S3Store};

use super::{Found, Keep, Subject};

/// Does something when it is dropped.
struct AtEnd<F: Fn() + Send + Sync>(F);

impl<F: Fn() + Send + Sync> Drop for AtEnd<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

fn at_end(action: impl Fn() + Send + Sync + 'static) -> Keep {
    Box::new(AtEnd(action))
}

fn missing(name: &'static str, variables: &str) -> Found {
    Found::Missing { name, reason: format!("{variables} is not set (scripts/services/{name}/up)") }
}

pub(super) async fn azurite() -> Found {
    let Some(server) = acceptance::azurite() else {
        return missing("azurite", "AZURITE_CONNECTION_STRING");
    };
    let container = server.container("conformance");
    let config = AzureConfig {
        renew: None,
        container: container.clone(),
        account: None,
        endpoint: None,
        credentials: AzureCredentials::ConnectionString(Secret::new(&server.connection_string)),
        http: HttpConfig::default(),
    };
    let store = AzureStore::open(config).await.expect("the container opens");
    let Azurite { raw, version, .. } = server;
    Subject::found("azurite", &version, store, Some(at_end(move || raw.remove_container(&container))))
}

pub(super) async fn rgw() -> Found {
    s3(acceptance::rgw(), "ceph").await.unwrap_or_else(|| missing("rgw", "RGW_ENDPOINT"))
}

pub(super) async fn minio() -> Found {
    s3(acceptance::minio(), "minio").await.unwrap_or_else(|| missing("minio", "MINIO_ENDPOINT"))
}

/// A bucket that keeps versions: for what looks different there.
pub(super) async fn rgw_versioned() -> Found {
    let Some(S3Server { raw, version, .. }) = acceptance::rgw() else {
        return Found::Missing {
            name: "rgw-versioned",
            reason: "RGW_ENDPOINT is not set (scripts/services/rgw/up)".to_owned(),
        };
    };
    let bucket = acceptance::random_name("versioned");
    raw.create_bucket(&bucket);
    raw.keep_versions(&bucket);
    let store = open(&raw, &bucket, "ceph").await;
    let groups =
        &["versions", "reads", "writes", "uploads", "deletes", "copy_within", "set_attributes", "errors"];
    let found = Subject::found(
        "rgw-versioned",
        &version,
        store,
        Some(at_end(move || raw.remove_versioned_bucket(&bucket))),
    );
    found.only(groups)
}

async fn s3(server: Option<S3Server>, provider: &str) -> Option<Found> {
    let S3Server { name, raw, version } = server?;
    let bucket = acceptance::random_name("conformance");
    raw.create_bucket(&bucket);
    let store = open(&raw, &bucket, provider).await;
    Some(Subject::found(name, &version, store, Some(at_end(move || raw.remove_bucket(&bucket)))))
}

async fn open(raw: &RawS3, bucket: &str, provider: &str) -> S3Store {
    let config = S3Config {
        endpoint: Some(raw.endpoint.clone()),
        region: Some(raw.region.clone()),
        provider: Some(cabotage_providers::find(provider).expect("the provider is known")),
        credentials: S3Credentials::Static {
            access_key: raw.access_key.clone(),
            secret: Secret::new(&raw.secret_key),
            session_token: None,
        },
        ..S3Config::new(bucket)
    };
    S3Store::open(config).await.expect("the bucket opens")
}

/// Any S3 endpoint with an empty bucket: `CABOTAGE_TEST_S3_ENDPOINT`, `…_BUCKET`, `…_ACCESS_KEY`, `…_SECRET_KEY`, and
/// where needed `…_REGION`, `…_PROVIDER`, `…_VERSION`.
pub(super) async fn any_s3() -> Found {
    let variable =
        |name: &str| std::env::var(format!("CABOTAGE_TEST_S3_{name}")).ok().filter(|v| !v.is_empty());
    let needed = ["ENDPOINT", "BUCKET", "ACCESS_KEY", "SECRET_KEY"].map(variable);
    let [Some(endpoint), Some(bucket), Some(access_key), Some(secret)] = needed else {
        let reason =
            "CABOTAGE_TEST_S3_ENDPOINT, _BUCKET, _ACCESS_KEY and _SECRET_KEY are not all set".to_owned();
        return Found::Missing { name: "s3", reason };
    };
    let provider = variable("PROVIDER");
    let provider = provider.map(|name| cabotage_providers::find(&name).expect("the provider is known"));
    let config = S3Config {
        endpoint: Some(endpoint),
        region: variable("REGION"),
        provider,
        credentials: S3Credentials::Static { access_key, secret: Secret::new(secret), session_token: None },
        ..S3Config::new(bucket)
    };
    let store = S3Store::open(config).await.expect("the bucket opens");
    Subject::found("s3", &variable("VERSION").unwrap_or_default(), store, None)
}
