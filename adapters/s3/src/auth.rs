//! Credentials: found once, kept until they expire or are refused, put on each request.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use cabotage_core::{Error, ErrorKind, Result, Timestamp};
use cabotage_http::{Environment, HttpClient, Renew, Renewal, Service, reqsign_context};
use http::request::Parts;
use http::{HeaderMap, StatusCode};
use reqsign_aws_v4::{
    Credential, DefaultCredentialProvider, ProcessCredentialProvider, StaticCredentialProvider,
};
use reqsign_core::{Context, ProvideCredentialDyn, SignRequest as _, SigningCredential as _};
use tokio::sync::Mutex;

use crate::config::{S3Config, S3Credentials};
use crate::error;
use crate::sign::SigV4;

/// A difference of clocks up to this many seconds is left alone: servers allow fifteen minutes.
const CLOCK_TOLERANCE: i64 = 60;

type Provider = Box<dyn ProvideCredentialDyn<Credential = Credential>>;

/// Who asks: signs requests, and knows what failures mean.
pub(crate) struct Auth {
    context: Context,
    sign: SigV4,
    http: HttpClient,
    skew: Arc<AtomicI64>,
    source: Source,
    held: Mutex<Option<Credential>>,
}

/// Where credentials come from.
enum Source {
    /// They are what they are.
    Fixed(Provider),
    /// Read anew, what is read now may be another.
    Living(Provider),
    /// The caller can read them anew.
    Callers(Provider, Renew<S3Credentials>),
}

impl Auth {
    pub(crate) fn new(config: &S3Config, region: &str, client: HttpClient) -> Result<Self> {
        let environment = match &config.credentials {
            S3Credentials::Ambient => Environment::Ambient,
            S3Credentials::Static { .. } | S3Credentials::Process(_) => Environment::Fixed(BTreeMap::new()),
            S3Credentials::Environment(variables) => Environment::Fixed(variables.clone()),
        };
        let context = reqsign_context(&config.http, environment)?;
        let skew = Arc::new(AtomicI64::new(0));
        let sign = SigV4::new(region, Arc::clone(&skew));
        let source = Source::new(config, &context);
        Ok(Self { context, sign, http: client, skew, source, held: Mutex::new(None) })
    }

    pub(crate) async fn sign_parts(&self, parts: &mut Parts, expires_in: Option<Duration>) -> Result<()> {
        let skew = self.http.skew().filter(|skew| skew.abs() > CLOCK_TOLERANCE).unwrap_or_default();
        self.skew.store(skew, Ordering::Relaxed);
        let signed = async {
            let credential = self.credential(expires_in).await?;
            let mut candidate = parts.clone();
            self.sign.sign_request(&self.context, &mut candidate, Some(&credential), expires_in).await?;
            Ok(candidate)
        };
        let signed = signed.await.map_err(|error| signing_failed(&error))?;
        (parts.uri, parts.headers) = (signed.uri, signed.headers);
        Ok(())
    }

    /// Those at hand as long as they are valid, else others.
    async fn credential(&self, expires_in: Option<Duration>) -> reqsign_core::Result<Credential> {
        let long_enough =
            |held: &Credential| held.is_valid_at(self.sign.required_valid_until(held, expires_in));
        let mut held = self.held.lock().await;
        if let Some(held) = held.as_ref().filter(|held| held.is_valid() && long_enough(held)) {
            return Ok(held.clone());
        }
        let fresh = self.load(self.source.provider()).await?;
        *held = Some(fresh.clone());
        if long_enough(&fresh) {
            return Ok(fresh);
        }
        Err(reqsign_core::Error::credential_invalid("the credentials that are at hand expire too early"))
    }

    /// When those at hand expire, where they tell; none while they are being looked up.
    pub(crate) fn valid_until(&self) -> Option<Timestamp> {
        let until = self.held.try_lock().ok()?.as_ref()?.expires_in?;
        Timestamp::from_second(until.as_second()).ok()
    }

    async fn load(&self, provider: &Provider) -> reqsign_core::Result<Credential> {
        let provided = provider.provide_credential_dyn(&self.context).await?;
        provided.ok_or_else(|| reqsign_core::Error::credential_invalid("no credentials were found"))
    }

    /// What is there now, where it may be another than before.
    async fn load_anew(&self) -> Option<Result<Credential>> {
        let loaded = match &self.source {
            Source::Fixed(_) => return None,
            Source::Living(provider) => self.load(provider).await,
            Source::Callers(_, renew) => match renew.read().await {
                Ok(credentials) => self.load(&provider(&credentials)).await,
                Err(error) => return Some(Err(error)),
            },
        };
        Some(loaded.map_err(|error| signing_failed(&error)))
    }
}

impl Source {
    fn new(config: &S3Config, context: &Context) -> Self {
        let provider = provider(&config.credentials);
        let in_environment = || context.env_var("AWS_ACCESS_KEY_ID").is_some_and(|id| !id.is_empty());
        match (&config.renew, &config.credentials) {
            (Some(renew), _) => Self::Callers(provider, renew.clone()),
            (None, S3Credentials::Static { .. }) => Self::Fixed(provider),
            (None, S3Credentials::Ambient | S3Credentials::Environment(_)) if in_environment() => {
                Self::Fixed(provider)
            }
            (None, _) => Self::Living(provider),
        }
    }

    fn provider(&self) -> &Provider {
        match self {
            Self::Fixed(provider) | Self::Living(provider) | Self::Callers(provider, _) => provider,
        }
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

    async fn refresh(&self) -> Result<Renewal> {
        let Some(fresh) = self.load_anew().await else { return Ok(Renewal::Fixed) };
        let fresh = fresh?;
        let mut held = self.held.lock().await;
        let same = held.as_ref().is_some_and(|held| is_same(held, &fresh));
        *held = Some(fresh);
        Ok(if same { Renewal::Same } else { Renewal::Renewed })
    }
}

fn is_same(one: &Credential, other: &Credential) -> bool {
    let parts =
        |c: &Credential| (c.access_key_id.clone(), c.secret_access_key.clone(), c.session_token.clone());
    parts(one) == parts(other)
}

fn provider(credentials: &S3Credentials) -> Provider {
    match credentials {
        S3Credentials::Ambient => Box::new(DefaultCredentialProvider::new()),
        S3Credentials::Static { access_key, secret, session_token } => {
            let provider = StaticCredentialProvider::new(access_key, secret.reveal());
            Box::new(match session_token {
                Some(token) => provider.with_session_token(token.reveal()),
                None => provider,
            })
        }
        S3Credentials::Environment(_) => Box::new(DefaultCredentialProvider::builder().no_imds().build()),
        S3Credentials::Process(command) => Box::new(ProcessCredentialProvider::new().with_command(command)),
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
