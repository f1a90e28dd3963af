//! What a store is opened with.

use std::collections::BTreeMap;
use std::fmt;

use cabotage_core::{Error, ErrorKind, Operation, Result, Secret};
use cabotage_http::{Endpoint, HttpConfig, Renew};
use cabotage_providers::{Addressing, Profile};

use crate::customer_key::{CustomerKey, refuse_plaintext};

/// The region that is signed when nothing names one.
const DEFAULT_REGION: &str = "us-east-1";

/// Which bucket, where, and with which credentials.
#[derive(Clone, Debug)]
pub struct S3Config {
    /// The bucket.
    pub bucket: String,
    /// `https://host[:port][/base]`; `None` takes the provider's template.
    pub endpoint: Option<String>,
    /// The region, for the signature and the template.
    pub region: Option<String>,
    /// How the bucket is addressed; `None`: by path when an endpoint is given, else as the provider wants.
    pub addressing: Option<Addressing>,
    /// What is known of the provider; `None`: nothing.
    pub provider: Option<&'static Profile>,
    /// Who asks.
    pub credentials: S3Credentials,
    /// How credentials are read anew when the server refuses those at hand, where they come from the caller. Those of
    /// [`Process`](S3Credentials::Process), and others of the standard chain than the environment's keys, need none.
    pub renew: Option<Renew<S3Credentials>>,
    /// With which key of the customer's the server encrypts contents (SSE-C); `None`: it is not asked to.
    pub customer_key: Option<CustomerKey>,
    /// How requests are sent.
    pub http: HttpConfig,
}

impl S3Config {
    /// A bucket with ambient credentials and nothing else set.
    #[must_use]
    pub fn new(bucket: impl Into<String>) -> Self {
        Self {
            bucket: bucket.into(),
            endpoint: None,
            region: None,
            addressing: None,
            provider: None,
            credentials: S3Credentials::Ambient,
            renew: None,
            customer_key: None,
            http: HttpConfig::default(),
        }
    }

    /// Everything that is left open, decided.
    pub(crate) fn resolve(&self) -> Result<Place> {
        if self.bucket.is_empty() || self.bucket.contains('/') {
            return Err(invalid(format!("'{}' can't be a bucket's name", self.bucket)));
        }
        let profile = match self.provider {
            Some(profile) => profile,
            None => cabotage_providers::generic()?,
        };
        let region = self.region.as_deref().or(profile.default_region.as_deref());
        let text = match &self.endpoint {
            Some(endpoint) => endpoint.clone(),
            None => profile.endpoint_for(region).ok_or_else(|| no_endpoint(profile))?,
        };
        let endpoint = Endpoint::parse(&text)?;
        let by_default =
            if self.endpoint.is_some() { Addressing::Path } else { self.default_addressing(profile) };
        if self.customer_key.is_some() {
            refuse_plaintext(&endpoint, &self.http)?;
        }
        let (endpoint, base) = match self.addressing.unwrap_or(by_default) {
            Addressing::Path => (endpoint, format!("/{}", cabotage_http::encode_component(&self.bucket))),
            Addressing::Virtual => (endpoint.with_host_prefix(&self.bucket)?, String::new()),
        };
        let region = region.unwrap_or(DEFAULT_REGION).to_owned();
        Ok(Place { endpoint, base, region, profile })
    }

    /// A dot in the bucket's name breaks the wildcard certificate of virtual-host addressing.
    fn default_addressing(&self, profile: &Profile) -> Addressing {
        if self.bucket.contains('.') { Addressing::Path } else { profile.addressing }
    }
}

/// Where requests go.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) endpoint: Endpoint,
    /// What stands before each key's slash: `/bucket` or nothing.
    pub(crate) base: String,
    pub(crate) region: String,
    pub(crate) profile: &'static Profile,
}

fn invalid(message: String) -> Error {
    Error::new(ErrorKind::InvalidConfig, message).during(Operation::Open)
}

fn no_endpoint(profile: &Profile) -> Error {
    let error = invalid(format!("no endpoint is given for {}", profile.name));
    if profile.endpoint.is_some() {
        let known = profile.regions.join(", ");
        let which = if known.is_empty() { String::new() } else { format!(": one of {known}") };
        return error.help(format!("give a region{which}, or an endpoint"));
    }
    error.help("give the endpoint, https://host")
}

/// Where credentials come from.
#[derive(Clone, Default)]
pub enum S3Credentials {
    /// The standard chain: environment, shared files and profiles, SSO, web identity, `credential_process`,
    /// containers, instance metadata.
    #[default]
    Ambient,
    /// These.
    Static {
        /// The access key's id.
        access_key: String,
        /// The secret key.
        secret: Secret,
        /// The session token of temporary keys.
        session_token: Option<Secret>,
    },
    /// The standard chain, reading these variables instead of the process's environment: `AWS_PROFILE`,
    /// `AWS_CONFIG_FILE`, `AWS_WEB_IDENTITY_TOKEN_FILE` and the like. The instance's metadata isn't asked.
    Environment(BTreeMap<String, String>),
    /// What a program prints, as `credential_process` of the shared files has it: program and arguments, separated by
    /// blanks, started without a shell, and again when the credentials expire.
    Process(String),
}

impl fmt::Debug for S3Credentials {
    /// Names the variables without their values.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ambient => f.write_str("Ambient"),
            Self::Static { access_key, .. } => write!(f, "Static({access_key}, <redacted>)"),
            Self::Environment(variables) => f.debug_tuple("Environment").field(&variables.keys()).finish(),
            Self::Process(_) => f.write_str("Process(…)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(bucket: &str, provider: Option<&str>) -> S3Config {
        let provider = provider.map(|name| cabotage_providers::find(name).unwrap());
        S3Config { provider, ..S3Config::new(bucket) }
    }

    fn place(config: &S3Config) -> (String, String) {
        let place = config.resolve().unwrap();
        (place.endpoint.to_string(), place.base)
    }

    #[test]
    fn where_requests_go() {
        let aws = S3Config { region: Some("eu-west-3".into()), ..config("b", Some("aws")) };
        assert_eq!(place(&aws), ("https://b.s3.eu-west-3.amazonaws.com".into(), String::new()));
        let dotted = S3Config { bucket: "b.c".into(), ..aws.clone() };
        assert_eq!(place(&dotted), ("https://s3.eu-west-3.amazonaws.com".into(), "/b.c".into()));
        let endpoint = Some("https://h:9000/spaces/1".to_owned());
        let given = S3Config { endpoint: endpoint.clone(), ..aws };
        assert_eq!(place(&given), ("https://h:9000/spaces/1".into(), "/b".into()));
        let virtual_host = S3Config { endpoint, addressing: Some(Addressing::Virtual), ..config("b", None) };
        assert_eq!(place(&virtual_host), ("https://b.h:9000/spaces/1".into(), String::new()));
    }

    #[test]
    fn what_is_missing_is_named() {
        let error = config("b", None).resolve().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfig);
        let error = config("b", Some("scaleway")).resolve().unwrap_err();
        assert!(error.to_string().contains("fr-par"), "{error}");
        assert!(config("a/b", Some("aws")).resolve().is_err());
        assert!(config("", Some("aws")).resolve().is_err());
    }

    #[test]
    fn secrets_stay_hidden() {
        let credentials = S3Credentials::Static {
            access_key: "id".into(),
            secret: Secret::new("very-secret"),
            session_token: Some(Secret::new("very-secret")),
        };
        let config = S3Config { credentials, ..S3Config::new("b") };
        assert!(!format!("{config:?}").contains("very-secret"));
        let variables = [("AWS_SECRET_ACCESS_KEY".to_owned(), "very-secret".to_owned())];
        let shown = format!("{:?}", S3Credentials::Environment(variables.into()));
        assert!(shown.contains("AWS_SECRET") && !shown.contains("very-secret"), "{shown}");
    }
}
