//! A small S3 server in memory for measurements: so fast that the client is what is measured.
//!
//! It checks what a server has to check (lengths, SHA-256 and MD5 of bodies, preconditions) and nothing else: no
//! signatures, no access rights, no durability. On loopback only.

mod answer;
mod body;
mod counts;
mod listing;
mod objects;
mod query;
mod store;
mod uploads;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use answer::{Answer, Refusal};
pub use counts::Counts;
use query::Target;
pub use store::{Fill, Store};

/// A server's state.
#[derive(Clone, Debug)]
pub struct FastS3 {
    store: Arc<Store>,
    counts: Arc<Counts>,
    latency: Duration,
}

impl FastS3 {
    /// An empty server that waits so long before each answer.
    #[must_use]
    pub fn new(latency: Duration) -> Self {
        Self { store: Arc::new(Store::default()), counts: Arc::new(Counts::default()), latency }
    }

    /// Its buckets.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// What was asked of it.
    #[must_use]
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Binds to a loopback port (0: any) and serves until the task is dropped.
    ///
    /// # Errors
    /// Those of binding.
    pub async fn bind(port: u16) -> std::io::Result<(TcpListener, SocketAddr)> {
        let listener = TcpListener::bind(("127.0.0.1", port)).await?;
        let address = listener.local_addr()?;
        Ok((listener, address))
    }

    /// Serves until the future is dropped.
    pub async fn serve(self, listener: TcpListener) {
        loop {
            let Ok((stream, _)) = listener.accept().await else { continue };
            let _ = stream.set_nodelay(true);
            let server = self.clone();
            tokio::spawn(async move {
                let service = service_fn(move |request| {
                    let server = server.clone();
                    async move { Ok::<_, std::convert::Infallible>(server.answer(request).await) }
                });
                let http = hyper::server::conn::http1::Builder::new();
                // The client may go whenever it likes.
                let _ = http.serve_connection(TokioIo::new(stream), service).await;
            });
        }
    }

    async fn answer(self, request: Request<Incoming>) -> Answer {
        let target = Target::of(request.uri());
        let _under_way = self.counts.under_way(request.method(), &target);
        if !self.latency.is_zero() {
            tokio::time::sleep(self.latency).await;
        }
        if target.bucket == "_counts" {
            return self.counts.answer(request.method());
        }
        self.counts.count(request.method(), &target);
        let head = request.method() == Method::HEAD;
        match self.dispatch(request, &target).await {
            Ok(answer) => answer,
            Err(refusal) => refusal.answer(head),
        }
    }

    async fn dispatch(&self, request: Request<Incoming>, target: &Target) -> Result<Answer, Refusal> {
        let store = &self.store;
        match (request.method().as_str(), target.key.is_empty()) {
            ("PUT", true) => Ok(store.create(&target.bucket)),
            ("GET", true) if target.has("uploads") => uploads::list(store, target),
            ("GET", true) if target.has_configuration() => answer::configuration(target),
            ("GET", true) => listing::list(store, target),
            ("HEAD", true) => store.bucket(&target.bucket).map(|_| answer::empty(200)),
            ("DELETE", true) => store.remove(&target.bucket),
            ("POST", true) if target.has("delete") => objects::delete_many(store, target, request).await,
            ("GET", false) if target.has("uploadId") => uploads::parts(store, target),
            ("GET", false) if target.has("tagging") => objects::tags(store, target),
            ("GET" | "HEAD", false) => objects::get(store, target, &request),
            ("PUT", false) if target.has("partNumber") => uploads::part(store, target, request).await,
            ("PUT", false) if target.has("tagging") => objects::set_tags(store, target, request).await,
            ("PUT", false) => objects::put(store, target, request).await,
            ("POST", false) if target.has("uploads") => uploads::start(store, target, &request),
            ("POST", false) if target.has("uploadId") => uploads::complete(store, target, request).await,
            ("DELETE", false) if target.has("uploadId") => uploads::abort(store, target),
            ("DELETE", false) => objects::delete(store, target, &request),
            _ => Err(Refusal::new(501, "NotImplemented")),
        }
    }
}
