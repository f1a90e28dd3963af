//! Requests to one bucket: paths, and failures that need a second look.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use cabotage_core::{Error, ErrorKind, Key, Operation, Result, Secret, Timestamp, WriteMode};
use cabotage_http::{Call, HttpClient, Reply, encode_path};
use cabotage_providers::Profile;
use http::{Method, Request, Uri};

use crate::auth::Auth;
use crate::condition::{Form, Quotes, with_mode};
use crate::config::{Place, S3Config};
use crate::customer_key::CustomerKey;
use crate::error;
use crate::xml;

/// Sends requests to one bucket.
pub(crate) struct Client {
    http: HttpClient,
    auth: Auth,
    base: String,
    pub(crate) bucket: String,
    pub(crate) profile: &'static Profile,
    /// In which form the server wants ETags.
    pub(crate) form: Form,
    /// The key of the customer's with which contents are encrypted.
    pub(crate) customer_key: Option<CustomerKey>,
    /// Whether the server has opened something with that key.
    pub(crate) key_worked: AtomicBool,
    /// Whether bodies have to go with their MD5.
    pub(crate) wants_md5: AtomicBool,
    /// Whether a request has shown that the bucket is there.
    seen: AtomicBool,
}

impl Client {
    pub(crate) fn new(config: &S3Config, place: Place) -> Result<Self> {
        let http = HttpClient::new(place.endpoint, &config.http)?;
        let auth = Auth::new(config, &place.region, http.clone())?;
        Ok(Self {
            http,
            auth,
            base: place.base,
            bucket: config.bucket.clone(),
            profile: place.profile,
            form: Form::new(place.profile.conditions.if_match_etag_form),
            customer_key: config.customer_key.clone(),
            key_worked: AtomicBool::new(false),
            wants_md5: AtomicBool::new(false),
            seen: AtomicBool::new(false),
        })
    }

    pub(crate) fn credentials_until(&self) -> Option<Timestamp> {
        self.auth.valid_until()
    }

    pub(crate) fn http(&self) -> &HttpClient {
        &self.http
    }

    /// The encoded path of an object. Nothing is normalised: every byte of the key arrives.
    pub(crate) fn object_path(&self, key: &Key) -> String {
        format!("{}/{}", self.base, encode_path(key.as_str()))
    }

    pub(crate) fn object(&self, operation: Operation, method: Method, key: &Key) -> Call {
        Call::new(operation, method, self.object_path(key))
    }

    pub(crate) fn bucket(&self, operation: Operation, method: Method) -> Call {
        let path = if self.base.is_empty() { "/" } else { &self.base };
        Call::new(operation, method, path)
    }

    /// Sends a request.
    ///
    /// A reply to HEAD has no body, so a refusal or a 404 without a code may mean the key, the bucket or the
    /// credentials: then a small listing is asked for the reason.
    pub(crate) async fn send(&self, call: Call) -> Result<Reply> {
        let unexplained = (call.method == Method::HEAD).then(|| call.clone());
        let renewals = self.http.traffic().renewals;
        let sent = match (self.http.send(&self.auth, call).await, unexplained) {
            (Err(error), Some(call)) if self.needs_reason(&error) => {
                let reason = self.explain(error).await;
                // The question for the reason was refused with a reason, and so got new credentials.
                let renewed = self.http.traffic().renewals > renewals;
                if renewed { self.http.send(&self.auth, call).await } else { Err(reason) }
            }
            (sent, _) => sent,
        };
        let told = |error: &Error| error.fact("code") == Some("NoSuchKey");
        if sent.as_ref().map_or_else(told, |_| true) {
            self.seen.store(true, Ordering::Relaxed);
        }
        sent.map_err(|error| self.named(error))
    }

    /// A failure that concerns the bucket names it, whatever was asked for; a refusal names the right.
    fn named(&self, error: Error) -> Error {
        if error.kind() == ErrorKind::BucketNotFound {
            return error.with("bucket", &self.bucket);
        }
        error::with_right(error, &self.bucket)
    }

    /// Sends a write under its condition, in the forms of an ETag that the server may want.
    pub(crate) async fn send_if(
        &self,
        mode: &WriteMode,
        build: impl Fn() -> Result<Call> + Send,
    ) -> Result<Reply> {
        if !matches!(mode, WriteMode::IfMatch(_)) {
            return self.send(with_mode(build()?, mode, Quotes::With)?).await;
        }
        let (last, others) = self.form.candidates();
        for quotes in others {
            match self.send(with_mode(build()?, mode, *quotes)?).await {
                Err(error) if error.kind() == ErrorKind::PreconditionFailed => {}
                done => return done.inspect(|_| self.form.learn(*quotes)),
            }
        }
        let done = self.send(with_mode(build()?, mode, last)?).await;
        done.inspect(|_| self.form.learn(last))
    }

    /// Sends a request and reads what its reply's XML says, whose root must be of that name.
    pub(crate) async fn send_xml<T>(
        &self,
        call: Call,
        root: &str,
        read: impl FnOnce(&xml::Element<'_>) -> Result<T>,
    ) -> Result<T> {
        let operation = call.operation;
        let bytes = self.send(call).await?.bytes(xml::MAX_REPLY).await?;
        error::root_of(&bytes, root).and_then(|root| read(&root)).map_err(|error| error.during(operation))
    }

    fn needs_reason(&self, error: &Error) -> bool {
        match error.kind() {
            ErrorKind::NotFound => !self.seen.load(Ordering::Relaxed),
            ErrorKind::PermissionDenied | ErrorKind::Unsupported => error.fact("status").is_some(),
            _ => false,
        }
    }

    async fn explain(&self, error: Error) -> Error {
        let operation = error.operation().unwrap_or(Operation::Head);
        let call = self.bucket(operation, Method::GET).query("list-type", "2").query("max-keys", "1");
        match self.http.send(&self.auth, call).await {
            Ok(_) => {
                self.seen.store(true, Ordering::Relaxed);
                error
            }
            Err(reason) => match reason.kind() {
                ErrorKind::BucketNotFound
                | ErrorKind::Unauthenticated
                | ErrorKind::CredentialsExpired
                | ErrorKind::AccountDenied
                | ErrorKind::InvalidConfig => reason,
                _ => error,
            },
        }
    }

    /// A URL for that request, signed in its query.
    pub(crate) async fn presign(&self, key: &Key, method: Method, expires_in: Duration) -> Result<Secret> {
        let endpoint = self.http.endpoint();
        let path = format!("{}{}", endpoint.base_path(), self.object_path(key));
        let uri = Uri::builder()
            .scheme(endpoint.scheme())
            .authority(endpoint.authority())
            .path_and_query(path)
            .build()
            .map_err(|error| Error::new(ErrorKind::Internal, "the key makes no URI").caused_by(error))?;
        let mut request = Request::new(());
        *request.method_mut() = method;
        *request.uri_mut() = uri;
        let mut parts = request.into_parts().0;
        self.auth.sign_parts(&mut parts, Some(expires_in)).await?;
        Ok(Secret::new(parts.uri.to_string()))
    }
}
