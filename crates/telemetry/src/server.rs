//! Serves the metrics over HTTP to whoever asks.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use cabotage_core::{Error, ErrorKind, Result};
use cabotage_engine::free_space;
use http::header::{ALLOW, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use prometheus_client::encoding::prometheus_text;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::metrics::exposition;
use crate::{MetricsAddress, Watched};

/// Connections at once; more wait. Prometheus needs one.
const CONNECTIONS: usize = 16;
/// How long a head of a request may take, and how long a connection may lie idle.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long the disk may take to tell how much is free: a dead mount never does.
const DISK_PATIENCE: Duration = Duration::from_secs(1);
/// A pause after a connection that couldn't be taken: the process may have no descriptors left for a moment.
const PAUSE: Duration = Duration::from_millis(200);

/// A place where metrics are served, taken before the run begins.
#[derive(Debug)]
pub struct MetricsServer {
    listener: TcpListener,
    address: SocketAddr,
}

impl MetricsServer {
    /// Takes the address. Whoever connects waits until [`serve`](Self::serve) is polled.
    ///
    /// # Errors
    /// `InvalidConfig` when it can't be had: in use, not this machine's, not allowed.
    pub async fn bind(address: MetricsAddress) -> Result<Self> {
        let wanted = address.0;
        let unusable = |error: std::io::Error| {
            let text = format!("metrics can't be served at {wanted}: {error}");
            Error::new(ErrorKind::InvalidConfig, text).help(
                "another run may serve them there: give another --metrics, or port 0 for one that is free",
            )
        };
        let listener = TcpListener::bind(wanted).await.map_err(unusable)?;
        let address = listener.local_addr().map_err(unusable)?;
        Ok(Self { listener, address })
    }

    /// Where they are served.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}/metrics", self.address)
    }

    /// Serves until it is dropped, connections included. Never ends.
    pub async fn serve(self, watched: &Watched) {
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                accepted = self.listener.accept(), if connections.len() < CONNECTIONS => match accepted {
                    Ok((stream, _)) => drop(connections.spawn(connection(stream, watched.clone()))),
                    Err(error) => {
                        tracing::debug!(%error, "a connection for metrics could not be taken");
                        tokio::time::sleep(PAUSE).await;
                    }
                },
                Some(_) = connections.join_next() => {}
            }
        }
    }
}

async fn connection(stream: TcpStream, watched: Watched) {
    let service = service_fn(move |request| {
        let watched = watched.clone();
        async move { Ok::<_, Infallible>(answer(&request, &watched).await) }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .serve_connection(TokioIo::new(stream), service)
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "a connection for metrics broke off");
    }
}

async fn answer(request: &Request<Incoming>, watched: &Watched) -> Response<Full<Bytes>> {
    if request.uri().path() != "/metrics" {
        return text(StatusCode::NOT_FOUND, "text/plain", "metrics are at /metrics\n".to_owned());
    }
    if ![Method::GET, Method::HEAD].contains(request.method()) {
        let mut refusal = text(StatusCode::METHOD_NOT_ALLOWED, "text/plain", String::new());
        refusal.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return refusal;
    }
    match exposition(watched, free(watched).await) {
        Ok(metrics) => text(StatusCode::OK, prometheus_text::CONTENT_TYPE, metrics),
        Err(_) => text(StatusCode::INTERNAL_SERVER_ERROR, "text/plain", String::new()),
    }
}

async fn free(watched: &Watched) -> Option<u64> {
    let folder = watched.state_dir.clone();
    let asked = tokio::task::spawn_blocking(move || free_space(&folder));
    tokio::time::timeout(DISK_PATIENCE, asked).await.ok()?.ok()?
}

fn text(status: StatusCode, kind: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}
