//! The one thing that the suite can't do by itself: a plain HTTP request to a presigned URL.

use std::sync::Arc;

use bytes::Bytes;
use futures::future::BoxFuture;

/// A request, to be sent exactly as it is: the URL's path and query neither decoded nor normalised.
#[derive(Clone, Debug)]
pub struct HttpRequest {
    /// `GET`, `PUT` …
    pub method: &'static str,
    /// The whole URL.
    pub url: String,
    /// Headers beside `Host` and `Content-Length`.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Bytes,
}

/// What came back.
#[derive(Clone, Debug)]
pub struct HttpReply {
    /// The status.
    pub status: u16,
    /// The body, whole.
    pub body: Bytes,
}

/// Sends a request and gives the reply, or why there is none.
pub type HttpClient = Arc<dyn Fn(HttpRequest) -> BoxFuture<'static, Result<HttpReply, String>> + Send + Sync>;
