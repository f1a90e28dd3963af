//! What the tests of this crate share.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use cabotage_core::{Error, ErrorKind, Operation, Result};
use http::{HeaderMap, HeaderValue, Method, StatusCode, request};

use crate::testing::ReplyQueue;
use crate::{Call, HttpClient, HttpConfig, Renewal, RetryPolicy, Service};

/// Signs with a number that counts up; takes a failure's kind from the reply's header `x-kind`.
#[derive(Default)]
pub(crate) struct TestService {
    pub(crate) signed: AtomicU32,
    pub(crate) refreshed: AtomicU32,
    /// What comes of it, if not new credentials.
    pub(crate) renewal: Option<Renewal>,
    /// What `error` was given: status, body.
    pub(crate) failures: Mutex<Vec<(u16, Vec<u8>)>>,
}

#[async_trait]
impl Service for TestService {
    async fn sign(&self, parts: &mut request::Parts) -> Result<()> {
        let number = self.signed.fetch_add(1, Ordering::SeqCst) + 1;
        parts.headers.insert("authorization", HeaderValue::from(number));
        Ok(())
    }

    fn error(&self, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Error {
        self.failures.lock().unwrap().push((status.as_u16(), body.to_vec()));
        let told = headers.get("x-kind").map(|value| value.to_str().unwrap());
        let kind = told.map_or(ErrorKind::Unavailable, kind_named);
        Error::new(kind, format!("status {status}"))
    }

    async fn refresh(&self) -> Result<Renewal> {
        self.refreshed.fetch_add(1, Ordering::SeqCst);
        // Others come while this one waits.
        tokio::time::sleep(Duration::from_millis(50)).await;
        Ok(self.renewal.unwrap_or(Renewal::Renewed))
    }
}

/// The kinds that the tests name.
fn kind_named(name: &str) -> ErrorKind {
    use ErrorKind as K;
    let kinds = [
        K::Throttled,
        K::DigestMismatch,
        K::CredentialsExpired,
        K::Unauthenticated,
        K::NotFound,
        K::Protocol,
        K::PreconditionFailed,
        K::PermissionDenied,
    ];
    kinds.into_iter().find(|kind| kind.name() == name).unwrap()
}

/// Quick retries and long timeouts.
pub(crate) fn quick() -> HttpConfig {
    HttpConfig {
        retry: RetryPolicy { attempts: 4, base: Duration::from_millis(1), cap: Duration::from_millis(2) },
        ..HttpConfig::default()
    }
}

pub(crate) async fn server() -> (ReplyQueue, HttpClient) {
    let queue = ReplyQueue::start().await.unwrap();
    let client = HttpClient::new(queue.endpoint().unwrap(), &quick()).unwrap();
    (queue, client)
}

pub(crate) fn get(path: &str) -> Call {
    Call::new(Operation::Read, Method::GET, path)
}
