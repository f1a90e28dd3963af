//! Sends what the exporter has made, over the project's own HTTP client: its TLS, its retries, no redirects.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use cabotage_core::{Error, ErrorKind, Operation, Result};
use cabotage_http::{Call, Expect, HttpClient, HttpConfig, RetryPolicy, Service};
use http::{HeaderMap, Request, Response, StatusCode, request};
use opentelemetry_http::HttpError;
use tokio::runtime::{Builder, Runtime};
use tracing::instrument::WithSubscriber as _;
use tracing::subscriber::NoSubscriber;

use super::settings::Settings;

/// How long one batch may take, retries included: the specification's own default.
const PATIENCE: Duration = Duration::from_secs(10);

/// Sends batches on a thread of its own, so that a slow collector holds nothing up.
pub(super) struct ExportClient {
    client: HttpClient,
    runtime: Runtime,
    /// Whether the last batch was lost.
    failing: AtomicBool,
}

impl ExportClient {
    pub(super) fn new(settings: &Settings) -> Result<Self> {
        let config = HttpConfig {
            connect_timeout: PATIENCE,
            request_timeout: PATIENCE,
            // Spans hold no secret; headers may.
            allow_plaintext: !settings.has_headers,
            // The exporter tries again by itself.
            retry: RetryPolicy { attempts: 1, ..RetryPolicy::default() },
            ..HttpConfig::default()
        };
        let runtime =
            Builder::new_multi_thread().worker_threads(1).thread_name("traces").enable_all().build();
        let runtime = runtime.map_err(|error| {
            Error::new(ErrorKind::Internal, "the thread that exports spans can't be started").caused_by(error)
        })?;
        let client = HttpClient::new(settings.server.clone(), &config)?;
        Ok(Self { client, runtime, failing: AtomicBool::new(false) })
    }
}

impl ExportClient {
    /// Once when spans begin to be lost, and once when they get through again.
    fn tell(&self, lost: Option<&Error>) {
        let failing = self.failing.swap(lost.is_some(), Ordering::Relaxed);
        let server = self.client.endpoint();
        match lost {
            Some(error) if !failing => {
                tracing::warn!(
                    "spans are lost: the OpenTelemetry collector at {server} doesn't take them: {error}"
                );
            }
            None if failing => tracing::warn!("the OpenTelemetry collector at {server} takes spans again"),
            _ => {}
        }
    }
}

#[async_trait]
impl opentelemetry_http::HttpClient for ExportClient {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let client = self.client.clone();
        let sending = async move { tokio::time::timeout(PATIENCE, send(client, request)).await };
        // Its own requests make no spans: they would never end.
        let sent = self.runtime.spawn(sending.with_subscriber(NoSubscriber::default())).await?;
        let sent = sent.map_err(|_| Error::new(ErrorKind::Timeout, "no answer in time")).flatten();
        self.tell(sent.as_ref().err());
        Ok(sent?)
    }
}

async fn send(client: HttpClient, request: Request<Bytes>) -> Result<Response<Bytes>> {
    let (parts, body) = request.into_parts();
    let mut call = Call::new(Operation::Write, parts.method, parts.uri.path()).body(body);
    call.query = parts.uri.query().unwrap_or_default().to_owned();
    call.headers = parts.headers;
    call.expect = Expect::Success;
    let reply = client.send(&Collector, call).await?;
    let status = reply.status;
    let mut response = Response::new(reply.bytes(MOST_OF_A_REPLY).await?);
    *response.status_mut() = status;
    Ok(response)
}

/// A reply tells how many spans were refused, and why.
const MOST_OF_A_REPLY: usize = 64 * 1024;

/// The collector's side: what it wants signed is in the headers already.
struct Collector;

#[async_trait]
impl Service for Collector {
    async fn sign(&self, _: &mut request::Parts) -> Result<()> {
        Ok(())
    }

    fn error(&self, status: StatusCode, _: &HeaderMap, _: &[u8]) -> Error {
        let kind = match status.as_u16() {
            401 | 403 => ErrorKind::PermissionDenied,
            429 => ErrorKind::Throttled,
            500..=599 => ErrorKind::Unavailable,
            _ => ErrorKind::Protocol,
        };
        Error::new(kind, format!("the OpenTelemetry collector answered {status}"))
    }
}

impl fmt::Debug for ExportClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExportClient").field("endpoint", self.client.endpoint()).finish_non_exhaustive()
    }
}
