//! Credentials: found once, kept until they expire, put on each request.

use std::fmt;

use cabotage_core::{Error, ErrorKind, Operation, Result, Secret, Timestamp};
use cabotage_http::{HttpConfig, Renew, Renewal, reqsign_context};
use http::header::{AUTHORIZATION, HeaderValue};
use http::request::Parts;
use reqsign_azure_storage::{
    AzureCliCredentialProvider, AzurePipelinesCredentialProvider, ClientCertificateCredentialProvider,
    ClientSecretCredentialProvider, Credential, ImdsCredentialProvider, WorkloadIdentityCredentialProvider,
};
use reqsign_core::{Context, ProvideCredentialDyn, SigningCredential as _};
use tokio::sync::Mutex;

use crate::config::{AzureCredentials, Grant};
use crate::sign;

type Provider = Box<dyn ProvideCredentialDyn<Credential = Credential>>;

/// What a request is authorised with.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Pass {
    Key(Secret),
    Sas(Secret),
    Token(Secret),
}

impl Pass {
    /// The end that a shared access signature states (`se`), which may be a day alone.
    fn valid_until(&self) -> Option<Timestamp> {
        let Self::Sas(sas) = self else { return None };
        let end =
            sas.reveal().trim_start_matches('?').split('&').find_map(|pair| pair.strip_prefix("se="))?;
        let end = percent_encoding::percent_decode_str(end).decode_utf8().ok()?;
        end.parse().or_else(|_| format!("{end}T00:00:00Z").parse()).ok()
    }
}

/// Authorises the requests of one account.
pub(crate) struct Auth {
    account: String,
    source: Source,
}

enum Source {
    Fixed(Pass),
    /// The caller can read it anew.
    Callers {
        pass: Mutex<Pass>,
        renew: Renew<AzureCredentials>,
    },
    Search {
        context: Box<Context>,
        providers: Vec<(&'static str, Provider)>,
        found: Mutex<Option<Credential>>,
    },
}

impl Auth {
    pub(crate) fn new(
        account: &str,
        grant: Grant,
        renew: Option<Renew<AzureCredentials>>,
        http: &HttpConfig,
    ) -> Result<Self> {
        let source = match (fixed(&grant), renew, grant) {
            (Some(pass), None, _) => Source::Fixed(pass),
            (Some(pass), Some(renew), _) => Source::Callers { pass: Mutex::new(pass), renew },
            (None, _, Grant::Search(environment)) => Source::Search {
                context: Box::new(reqsign_context(http, environment)?),
                providers: providers(),
                found: Mutex::new(None),
            },
            (None, ..) => return Err(nothing(&[])),
        };
        Ok(Self { account: account.to_owned(), source })
    }

    /// The account's name.
    pub(crate) fn account(&self) -> &str {
        &self.account
    }

    /// What requests are authorised with now.
    ///
    /// # Errors
    /// `Unauthenticated` when nothing is found; each place that was looked at and failed is named.
    pub(crate) async fn pass(&self) -> Result<Pass> {
        match &self.source {
            Source::Fixed(pass) => Ok(pass.clone()),
            Source::Callers { pass, .. } => Ok(pass.lock().await.clone()),
            Source::Search { context, providers, found } => {
                let mut found = found.lock().await;
                if !found.as_ref().is_some_and(|credential| credential.is_valid()) {
                    *found = Some(search(context, providers).await?);
                }
                found.as_ref().map(pass_of).ok_or_else(|| nothing(&[]))
            }
        }
    }

    /// When what is at hand expires, where it tells; none while it is being looked up.
    pub(crate) fn valid_until(&self) -> Option<Timestamp> {
        match &self.source {
            Source::Fixed(pass) => pass.valid_until(),
            Source::Callers { pass, .. } => pass.try_lock().ok()?.valid_until(),
            Source::Search { found, .. } => match found.try_lock().ok()?.as_ref()? {
                Credential::BearerToken { expires_in: until, .. } => {
                    Timestamp::from_second((*until)?.as_second()).ok()
                }
                other => pass_of(other).valid_until(),
            },
        }
    }

    /// Puts the authorisation on a request. `skew`: seconds by which the server's clock is ahead.
    pub(crate) async fn sign(&self, parts: &mut Parts, skew: i64) -> Result<()> {
        let now = Timestamp::from_second(Timestamp::now().as_second().saturating_add(skew))
            .map_err(|_| Error::new(ErrorKind::Internal, "the clock tells no time that can be signed"))?;
        match self.pass().await? {
            Pass::Key(key) => sign::shared_key(parts, &self.account, &key, now),
            Pass::Sas(sas) => with_sas(parts, &sas),
            Pass::Token(token) => {
                let mut value = HeaderValue::from_str(&format!("Bearer {}", token.reveal()))
                    .map_err(|_| unauthenticated("the access token can't be sent in a header"))?;
                value.set_sensitive(true);
                parts.headers.insert(AUTHORIZATION, value);
                parts.headers.insert(sign::DATE, sign::http_date(now)?);
                Ok(())
            }
        }
    }

    /// Gets others, where there may be others.
    ///
    /// # Errors
    /// What kept them from being read.
    pub(crate) async fn refresh(&self) -> Result<Renewal> {
        match &self.source {
            Source::Fixed(_) => Ok(Renewal::Fixed),
            Source::Callers { pass, renew } => {
                let (grant, _) = renew.read().await?.grant()?;
                let fresh = fixed(&grant).ok_or_else(|| nothing(&[]))?;
                Ok(replace(&mut *pass.lock().await, fresh))
            }
            Source::Search { context, providers, found } => {
                let fresh = search(context, providers).await?;
                let mut found = found.lock().await;
                let same = found.as_ref().is_some_and(|held| pass_of(held) == pass_of(&fresh));
                *found = Some(fresh);
                Ok(if same { Renewal::Same } else { Renewal::Renewed })
            }
        }
    }
}

/// The secret that is known without asking anyone.
fn fixed(grant: &Grant) -> Option<Pass> {
    match grant {
        Grant::Key(key) => Some(Pass::Key(key.clone())),
        Grant::Sas(sas) => Some(Pass::Sas(sas.clone())),
        Grant::Search(_) => None,
    }
}

fn replace(held: &mut Pass, fresh: Pass) -> Renewal {
    if *held == fresh {
        return Renewal::Same;
    }
    *held = fresh;
    Renewal::Renewed
}

/// Adds the SAS to the query.
fn with_sas(parts: &mut Parts, sas: &Secret) -> Result<()> {
    let separator = if parts.uri.query().is_some() { '&' } else { '?' };
    let target = parts.uri.path_and_query().map_or("/", |target| target.as_str());
    let target = format!("{target}{separator}{}", sas.reveal());
    let mut uri = parts.uri.clone().into_parts();
    // The cause is left out: it could quote the signature.
    let unfit =
        |()| Error::new(ErrorKind::InvalidConfig, "the shared access signature doesn't fit into a URL");
    uri.path_and_query = Some(target.parse().map_err(|_| unfit(()))?);
    parts.uri = http::Uri::from_parts(uri).map_err(|_| unfit(()))?;
    Ok(())
}

/// In the order in which they are asked; managed identity last, since off Azure its address answers late or never.
fn providers() -> Vec<(&'static str, Provider)> {
    vec![
        ("client secret", Box::new(ClientSecretCredentialProvider::new())),
        ("client certificate", Box::new(ClientCertificateCredentialProvider::new())),
        ("Azure Pipelines", Box::new(AzurePipelinesCredentialProvider::new())),
        ("workload identity", Box::new(WorkloadIdentityCredentialProvider::new())),
        ("Azure CLI", Box::new(AzureCliCredentialProvider::new())),
        ("managed identity", Box::new(ImdsCredentialProvider::new())),
    ]
}

async fn search(context: &Context, providers: &[(&'static str, Provider)]) -> Result<Credential> {
    let mut failures = Vec::new();
    for (name, provider) in providers {
        match provider.provide_credential_dyn(context).await {
            Ok(Some(credential)) => return Ok(credential),
            Ok(None) => {}
            Err(error) => failures.push(format!("{name}: {error}")),
        }
    }
    Err(nothing(&failures))
}

fn nothing(failures: &[String]) -> Error {
    let error = unauthenticated("no Azure credentials were found").help(
        "set AZURE_STORAGE_CONNECTION_STRING, AZURE_STORAGE_KEY or AZURE_STORAGE_SAS_TOKEN, log in with 'az login', \
         or run where a workload or managed identity is given",
    );
    if failures.is_empty() { error } else { error.with("tried", failures.join("; ")) }
}

fn pass_of(credential: &Credential) -> Pass {
    match credential {
        Credential::SharedKey { account_key, .. } => Pass::Key(Secret::new(account_key.as_str())),
        Credential::SasToken { token, .. } => Pass::Sas(Secret::new(token.trim_start_matches('?'))),
        Credential::BearerToken { token, .. } => Pass::Token(Secret::new(token.as_str())),
    }
}

fn unauthenticated(message: &str) -> Error {
    Error::new(ErrorKind::Unauthenticated, message).during(Operation::Open)
}

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Auth").field("account", &self.account).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_states_its_end() {
        let until = |sas: &str| Pass::Sas(Secret::new(sas)).valid_until().map(|until| until.to_string());
        for (sas, end) in [
            ("sv=2024&se=2027-01-31T06%3A00%3A00Z&sig=x", Some("2027-01-31T06:00:00Z")),
            ("?se=2027-01-31&sig=x", Some("2027-01-31T00:00:00Z")),
            ("sv=2024&sig=x", None),
            ("se=soon&sig=x", None),
        ] {
            assert_eq!(until(sas).as_deref(), end, "{sas}");
        }
        assert_eq!(Pass::Key(Secret::new("se=2027-01-31")).valid_until(), None);
    }

    #[test]
    fn a_sas_is_added_to_the_query_and_nothing_else_changes() {
        for (uri, expected) in [
            ("https://h/c/a//b/../%2F", "https://h/c/a//b/../%2F?sv=1&sig=x%2By%3D"),
            ("https://h/c?comp=list&prefix=a%2Fb", "https://h/c?comp=list&prefix=a%2Fb&sv=1&sig=x%2By%3D"),
        ] {
            let mut parts = http::Request::get(uri).body(()).unwrap().into_parts().0;
            with_sas(&mut parts, &Secret::new("sv=1&sig=x%2By%3D")).unwrap();
            assert_eq!(parts.uri.to_string(), expected);
        }
    }

    #[test]
    fn an_unfit_sas_is_not_quoted() {
        let mut parts = http::Request::get("https://h/c").body(()).unwrap().into_parts().0;
        let error = with_sas(&mut parts, &Secret::new("sig=hush\u{1}")).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hush"));
    }
}
