//! Requests and replies of one container.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use cabotage_core::{ETag, Error, Key, Operation, Result, Timestamp, Written};
use cabotage_http::{Call, HttpClient, Renewal, Reply, Service, encode_path};
use http::header::{ETAG, HeaderName, HeaderValue};
use http::request::Parts;
use http::{HeaderMap, Method, StatusCode};

use crate::auth::{Auth, Pass};
use crate::error;

/// Version of the REST interface that requests ask for, but for listings that begin at a name.
pub const API_VERSION: &str = "2025-11-05";
/// The one that a listing asks for which begins at a name: the first that knows `startFrom`.
const API_FROM: &str = "2026-02-06";

pub(crate) const CONTENT_MD5: HeaderName = HeaderName::from_static("content-md5");
pub(crate) const BLOB_MD5: HeaderName = HeaderName::from_static("x-ms-blob-content-md5");
pub(crate) const BLOB_TYPE: HeaderName = HeaderName::from_static("x-ms-blob-type");
pub(crate) const VERSION_ID: HeaderName = HeaderName::from_static("x-ms-version-id");
const API: HeaderName = HeaderName::from_static("x-ms-version");

/// Differences of clocks below this many seconds are left alone: the `Date` header has whole seconds, and is as old
/// as its reply. The service takes 15 minutes.
const SKEW: i64 = 30;

/// The one way to the server; clones share it.
#[derive(Clone)]
pub(crate) struct Wire(Arc<Inner>);

struct Inner {
    http: HttpClient,
    auth: Auth,
    container: String,
}

impl Wire {
    pub(crate) fn new(http: HttpClient, auth: Auth, container: String) -> Self {
        Self(Arc::new(Inner { http, auth, container }))
    }

    pub(crate) fn credentials_until(&self) -> Option<Timestamp> {
        self.0.auth.valid_until()
    }

    pub(crate) fn http(&self) -> &HttpClient {
        &self.0.http
    }

    pub(crate) fn container(&self) -> &str {
        &self.0.container
    }

    pub(crate) fn account(&self) -> &str {
        self.0.auth.account()
    }

    pub(crate) async fn pass(&self) -> Result<Pass> {
        self.0.auth.pass().await
    }

    /// A request about the container.
    pub(crate) fn container_call(&self, operation: Operation, method: Method) -> Call {
        Call::new(operation, method, format!("/{}", self.0.container))
    }

    /// A request about a blob, whose name goes out as it is.
    pub(crate) fn blob_call(&self, operation: Operation, method: Method, key: &Key) -> Call {
        Call::new(operation, method, self.blob_path(key))
    }

    /// The blob's path after the endpoint's own.
    pub(crate) fn blob_path(&self, key: &Key) -> String {
        format!("/{}/{}", self.0.container, encode_path(key.as_str()))
    }

    /// The blob's URL, percent-encoded, without anything secret.
    pub(crate) fn blob_url(&self, key: &Key) -> String {
        format!("{}{}", self.0.http.endpoint(), self.blob_path(key))
    }

    pub(crate) async fn send(&self, call: Call) -> Result<Reply> {
        let sent = self.0.http.send(&*self.0, call).await;
        sent.map_err(|failed| error::with_right(failed, &self.0.container))
    }

    /// Sends, and takes the reply's body.
    pub(crate) async fn fetch(&self, call: Call, limit: usize) -> Result<Bytes> {
        self.send(call).await?.bytes(limit).await
    }
}

#[async_trait]
impl Service for Inner {
    async fn sign(&self, parts: &mut Parts) -> Result<()> {
        parts.headers.entry(API).or_insert(HeaderValue::from_static(API_VERSION));
        let skew = self.http.skew().filter(|skew| skew.abs() > SKEW).unwrap_or(0);
        self.auth.sign(parts, skew).await
    }

    fn error(&self, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Error {
        let error = error::error(status, headers, body);
        if error.kind() == cabotage_core::ErrorKind::BucketNotFound {
            return error.about(format!("az://{}", self.container));
        }
        error
    }

    async fn refresh(&self) -> Result<Renewal> {
        self.auth.refresh().await
    }
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Wire({}/{})", self.0.http.endpoint(), self.0.container)
    }
}

/// Makes a listing begin at that name, which belongs to it.
///
/// Since version 2026-02-06; older servers pass it over (azure-rest-api-specs, pull request 34846; Azurite, pull request
/// 2688, which lists so since 3.37). By which order the service compares is documented nowhere.
pub(crate) fn start_from(list: Call, name: &str) -> Call {
    list.query("startFrom", name).header(API, HeaderValue::from_static(API_FROM))
}

/// What a write's reply tells.
pub(crate) fn written(headers: &HeaderMap) -> Written {
    Written { etag: etag(headers), version: text(headers, &VERSION_ID) }
}

pub(crate) fn etag(headers: &HeaderMap) -> Option<ETag> {
    text(headers, &ETAG).map(|value| ETag::new(&value))
}

/// A header's value, if it is there and not empty: UTF-8, else Latin-1.
pub(crate) fn text(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    headers.get(name).map(value_text).filter(|value| !value.is_empty())
}

pub(crate) fn value_text(value: &HeaderValue) -> String {
    let bytes = value.as_bytes();
    std::str::from_utf8(bytes).map_or_else(|_| bytes.iter().map(|b| char::from(*b)).collect(), str::to_owned)
}
