//! Encryption with a key of the customer's (SSE-C): the server encrypts what it stores, and forgets the key.
//!
//! The key goes with each request that writes or reads contents, so it never leaves this machine in plaintext. Headers:
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/ServerSideEncryptionCustomerKeys.html>.

use std::fmt;
use std::sync::atomic::Ordering;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use cabotage_core::{Error, ErrorKind, Key, Md5, Operation, Result, Secret, Sha256};
use cabotage_http::{Call, Endpoint, HttpConfig};
use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::{Method, StatusCode};

use crate::client::Client;

const ALGORITHM: HeaderName = HeaderName::from_static("x-amz-server-side-encryption-customer-algorithm");
const KEY: HeaderName = HeaderName::from_static("x-amz-server-side-encryption-customer-key");
const KEY_MD5: HeaderName = HeaderName::from_static("x-amz-server-side-encryption-customer-key-md5");
const SOURCE_ALGORITHM: HeaderName =
    HeaderName::from_static("x-amz-copy-source-server-side-encryption-customer-algorithm");
const SOURCE_KEY: HeaderName =
    HeaderName::from_static("x-amz-copy-source-server-side-encryption-customer-key");
const SOURCE_KEY_MD5: HeaderName =
    HeaderName::from_static("x-amz-copy-source-server-side-encryption-customer-key-md5");

/// Length of a key in bytes: AES-256.
const KEY_BYTES: usize = 32;
/// How many hexadecimal digits of a key's SHA-256 are its id.
const ID_DIGITS: usize = 16;

/// A key of 256 bits. Prints as its id.
#[derive(Clone)]
pub struct CustomerKey([u8; KEY_BYTES]);

impl CustomerKey {
    /// Reads base64 of 32 bytes, as `openssl rand -base64 32` prints it.
    ///
    /// # Errors
    /// `InvalidConfig`, which doesn't repeat the text.
    pub fn from_base64(text: &Secret) -> Result<Self> {
        let key: Option<[u8; KEY_BYTES]> =
            BASE64.decode(text.reveal().trim()).ok().and_then(|bytes| bytes.try_into().ok());
        key.map(Self).ok_or_else(|| {
            Error::new(ErrorKind::InvalidConfig, "the SSE-C key is not the base64 of 32 bytes")
                .help("make one with: openssl rand -base64 32")
        })
    }

    /// What names the key without telling it: the first 16 hexadecimal digits of its SHA-256.
    #[must_use]
    pub fn id(&self) -> String {
        let mut id = Sha256::of(&self.0).to_hex();
        id.truncate(ID_DIGITS);
        id
    }

    /// Another key, to see it refused.
    fn other(&self) -> Self {
        Self(self.0.map(|byte| !byte))
    }

    fn put(&self, headers: &mut HeaderMap, [algorithm, key, md5]: [HeaderName; 3]) -> Result<()> {
        let secret = |bytes: &[u8]| {
            let mut value = HeaderValue::from_str(&BASE64.encode(bytes)).map_err(|error| {
                Error::new(ErrorKind::Internal, "base64 can't stand in a header").caused_by(error)
            })?;
            value.set_sensitive(true);
            Ok(value)
        };
        headers.insert(algorithm, HeaderValue::from_static("AES256"));
        headers.insert(key, secret(&self.0)?);
        headers.insert(md5, secret(&Md5::of_chunks(&[self.0.to_vec().into()]).0)?);
        Ok(())
    }
}

impl fmt::Debug for CustomerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CustomerKey({})", self.id())
    }
}

/// Refuses to send a key in plaintext, whatever else is allowed: only to this machine, and through no proxy.
pub(crate) fn refuse_plaintext(endpoint: &Endpoint, http: &HttpConfig) -> Result<()> {
    if endpoint.scheme() == "https" || (endpoint.is_loopback() && http.proxy.is_none()) {
        return Ok(());
    }
    let message = format!("{endpoint} would send the SSE-C key in plaintext");
    Err(Error::new(ErrorKind::InvalidConfig, message)
        .during(Operation::Open)
        .help("use https://; --allow-plaintext doesn't allow this"))
}

impl Client {
    /// Adds the key's headers, where the store has one: to what writes or reads contents.
    pub(crate) fn keyed(&self, call: Call) -> Result<Call> {
        self.with_key(call, self.customer_key.as_ref(), [ALGORITHM, KEY, KEY_MD5])
    }

    /// Adds the headers of the key under which a copy's source lies.
    pub(crate) fn source_keyed(&self, call: Call) -> Result<Call> {
        self.with_key(call, self.customer_key.as_ref(), [SOURCE_ALGORITHM, SOURCE_KEY, SOURCE_KEY_MD5])
    }

    fn with_key(&self, mut call: Call, key: Option<&CustomerKey>, names: [HeaderName; 3]) -> Result<Call> {
        if let Some(key) = key {
            key.put(&mut call.headers, names)?;
        }
        Ok(call)
    }

    /// Notes that the server opened something with the key. It says so only of what is encrypted with one.
    pub(crate) fn saw_key_work(&self, headers: &HeaderMap) {
        if self.customer_key.is_some() && headers.contains_key(ALGORITHM) {
            self.key_worked.store(true, Ordering::Relaxed);
        }
    }

    /// Whether it is the key for which the server refuses to read the object: a HEAD without one tells. Servers answer 400
    /// or 403 to a wrong key, and 400 to none (AWS, Ceph RGW 16).
    ///
    /// Before anything was opened with it, the key is taken to be wrong, which ends a run; later it is the object that is
    /// under another.
    pub(crate) async fn explain_key(&self, key: &Key, error: Error) -> Error {
        if !matches!(error.fact("status"), Some("400" | "403")) {
            return error;
        }
        let Some(own) = &self.customer_key else { return may_need_key(error) };
        let status = self.status_of_head(key, None).await;
        match status {
            Some(StatusCode::BAD_REQUEST) => {
                let worked = self.key_worked.load(Ordering::Relaxed);
                let kind = if worked { ErrorKind::PermissionDenied } else { ErrorKind::InvalidConfig };
                let message = format!("the object is encrypted with another SSE-C key than {}", own.id());
                Error::new(kind, message).help("give the key with which it was written")
            }
            Some(StatusCode::OK) => {
                let message = "the object is not encrypted with an SSE-C key, and the server refuses one";
                Error::new(ErrorKind::Unsupported, message).help("move such objects in a run without the key")
            }
            _ => error,
        }
    }

    /// Whether the object, written with the store's key, can be read with it, and neither without nor with another.
    pub(crate) async fn is_kept_by_key(&self, key: &Key) -> Result<bool> {
        let Some(own) = &self.customer_key else { return Ok(false) };
        let opened = self.keyed(self.object(Operation::Probe, Method::HEAD, key))?;
        self.send(opened).await?;
        let kept = |status: Option<StatusCode>| status.is_some_and(|status| status.is_client_error());
        Ok(kept(self.status_of_head(key, None).await)
            && kept(self.status_of_head(key, Some(&own.other())).await))
    }

    /// The status of a HEAD with that key or none; `None` without an answer.
    async fn status_of_head(&self, key: &Key, with: Option<&CustomerKey>) -> Option<StatusCode> {
        let call = self.object(Operation::Probe, Method::HEAD, key);
        let call = self.with_key(call, with, [ALGORITHM, KEY, KEY_MD5]).ok()?;
        match self.send(call).await {
            Ok(reply) => Some(reply.status),
            Err(error) => error.fact("status").and_then(|status| status.parse().ok()),
        }
    }
}

/// A request without a key was refused in a way that may mean the key.
fn may_need_key(error: Error) -> Error {
    if error.fact("status") != Some("400") || error.advice().is_some() {
        return error;
    }
    error.help("an object that is encrypted with a customer's key (SSE-C) is refused so: give the key")
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

    #[test]
    fn a_key_is_read_and_not_shown() {
        let key = CustomerKey::from_base64(&Secret::new(format!("{TEXT}\n"))).unwrap();
        let bytes: Vec<u8> = (0..32).collect();
        assert_eq!(key.0, bytes.as_slice());
        assert_eq!(key.id(), Sha256::of(&bytes).to_hex()[..16]);
        assert_eq!(format!("{key:?}"), format!("CustomerKey({})", key.id()));
        let mut headers = HeaderMap::new();
        key.put(&mut headers, [ALGORITHM, KEY, KEY_MD5]).unwrap();
        assert_eq!(
            (&headers[ALGORITHM], &headers[KEY]),
            (&"AES256".parse().unwrap(), &TEXT.parse().unwrap())
        );
        assert_eq!(headers[KEY_MD5], "tP/LI3N87DFaSk0aoqYgzg==".parse::<HeaderValue>().unwrap());
        assert!(!format!("{headers:?}").contains(TEXT));
    }

    #[test]
    fn what_is_no_key_is_refused_and_not_repeated() {
        for text in ["", "HUSH", "SFVTSA==", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gIQ=="] {
            let error = CustomerKey::from_base64(&Secret::new(text)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidConfig);
            assert!(!format!("{error} {error:?}").contains("SFVTSA") && !error.to_string().contains("HUSH"));
        }
    }

    #[test]
    fn never_in_plaintext_off_this_machine() {
        let plain = HttpConfig { allow_plaintext: true, ..HttpConfig::default() };
        let proxied = HttpConfig { proxy: Some("http://p:1".into()), ..plain.clone() };
        for (endpoint, http, fits) in [
            ("https://h", &plain, true),
            ("https://h", &proxied, true),
            ("http://127.0.0.1:1", &plain, true),
            ("http://127.0.0.1:1", &proxied, false),
            ("http://h", &plain, false),
        ] {
            let refused = refuse_plaintext(&Endpoint::parse(endpoint).unwrap(), http);
            assert_eq!(refused.is_ok(), fits, "{endpoint}");
        }
    }
}
