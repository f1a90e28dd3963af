//! Requests to one bucket: paths, signing, and failures that need a second look.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use cabotage_core::{Error, ErrorKind, Key, Operation, Result, Secret, WriteMode};
use cabotage_http::{
    Call, Environment, HttpClient, HttpConfig, Reply, Service, encode_path, reqsign_context,
};
use cabotage_providers::Profile;
use http::request::Parts;
use http::{HeaderMap, Method, Request, StatusCode, Uri};
use reqsign_aws_v4::{
    Credential, DefaultCredentialProvider, ProcessCredentialProvider, StaticCredentialProvider,
};
use reqsign_core::{Context, Signer};

use crate::condition::{Form, Quotes, with_mode};
use crate::config::{Place, S3Config, S3Credentials};
use crate::customer_key::CustomerKey;
use crate::error;
use crate::sign::SigV4;
use crate::xml;

/// A difference of clocks up to this many seconds is left alone: servers allow fifteen minutes.
const CLOCK_TOLERANCE: i64 = 60;

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
        let auth = Auth::new(&config.credentials, &config.http, &place.region, http.clone())?;
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
        let unexplained = call.method == Method::HEAD;
        match self.http.send(&self.auth, call).await {
            Ok(reply) => {
                self.seen.store(true, Ordering::Relaxed);
                Ok(reply)
            }
            Err(error) if unexplained && self.needs_reason(&error) => {
                Err(self.named(self.explain(error).await))
            }
            Err(error) => {
                if error.fact("code") == Some("NoSuchKey") {
                    self.seen.store(true, Ordering::Relaxed);
                }
                Err(self.named(error))
            }
        }
    }

    /// A failure that concerns the bucket names it, whatever was asked for.
    fn named(&self, error: Error) -> Error {
        if error.kind() == ErrorKind::BucketNotFound {
            return error.with("bucket", &self.bucket);
        }
        error
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

    /// Sends a request and reads its reply's XML, whose root must be of that name.
    pub(crate) async fn send_xml(&self, call: Call, root: &str) -> Result<xml::Element> {
        let operation = call.operation;
        let bytes = self.send(call).await?.bytes(xml::MAX_REPLY).await?;
        error::root_of(&bytes, root).map_err(|error| error.during(operation))
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

/// Who asks: signs requests, and knows what failures mean.
struct Auth {
    context: Context,
    credentials: S3Credentials,
    region: String,
    http: HttpClient,
    skew: Arc<AtomicI64>,
    /// Keeps the credentials until they expire; replaced to load them anew.
    signer: RwLock<Signer<Credential>>,
}

impl Auth {
    fn new(credentials: &S3Credentials, http: &HttpConfig, region: &str, client: HttpClient) -> Result<Self> {
        let environment = match credentials {
            S3Credentials::Ambient => Environment::Ambient,
            S3Credentials::Static { .. } | S3Credentials::Process(_) => {
                Environment::Fixed(std::collections::BTreeMap::new())
            }
            S3Credentials::Environment(variables) => Environment::Fixed(variables.clone()),
        };
        let context = reqsign_context(http, environment)?;
        let skew = Arc::new(AtomicI64::new(0));
        let signer = RwLock::new(signer(&context, credentials, SigV4::new(region, skew.clone())));
        let (credentials, region) = (credentials.clone(), region.to_owned());
        Ok(Self { context, credentials, region, http: client, skew, signer })
    }

    async fn sign_parts(&self, parts: &mut Parts, expires_in: Option<Duration>) -> Result<()> {
        let skew = self.http.skew().filter(|skew| skew.abs() > CLOCK_TOLERANCE).unwrap_or_default();
        self.skew.store(skew, Ordering::Relaxed);
        let signer = self.signer.read().unwrap_or_else(PoisonError::into_inner).clone();
        signer.sign(parts, expires_in).await.map_err(|error| signing_failed(&error))
    }
}

#[async_trait]
impl Service for Auth {
    async fn sign(&self, parts: &mut Parts) -> Result<()> {
        self.sign_parts(parts, None).await
    }

    fn error(&self, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Error {
        error::of_reply(status, headers, body)
    }

    async fn refresh(&self) {
        let fresh = signer(&self.context, &self.credentials, SigV4::new(&self.region, self.skew.clone()));
        *self.signer.write().unwrap_or_else(PoisonError::into_inner) = fresh;
    }
}

fn signer(context: &Context, credentials: &S3Credentials, sign: SigV4) -> Signer<Credential> {
    match credentials {
        S3Credentials::Ambient => Signer::new(context.clone(), DefaultCredentialProvider::new(), sign),
        S3Credentials::Static { access_key, secret, session_token } => {
            let mut provider = StaticCredentialProvider::new(access_key, secret.reveal());
            if let Some(token) = session_token {
                provider = provider.with_session_token(token.reveal());
            }
            Signer::new(context.clone(), provider, sign)
        }
        S3Credentials::Environment(_) => {
            let provider = DefaultCredentialProvider::builder().no_imds().build();
            Signer::new(context.clone(), provider, sign)
        }
        S3Credentials::Process(command) => {
            let provider = ProcessCredentialProvider::new().with_command(command);
            Signer::new(context.clone(), provider, sign)
        }
    }
}

fn signing_failed(error: &reqsign_core::Error) -> Error {
    use reqsign_core::ErrorKind as K;
    let kind = match error.kind() {
        K::RateLimited => ErrorKind::Throttled,
        K::Unexpected if error.is_retryable() => ErrorKind::Unavailable,
        K::ConfigInvalid => ErrorKind::InvalidConfig,
        K::RequestInvalid => ErrorKind::Internal,
        _ => ErrorKind::Unauthenticated,
    };
    let failed = Error::new(kind, format!("the request can't be signed: {error}"));
    if kind == ErrorKind::Unauthenticated {
        return failed.help(
            "give credentials: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile, or those of a named store",
        );
    }
    failed
}
