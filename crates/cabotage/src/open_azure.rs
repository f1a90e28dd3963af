//! An Azure Blob account.

use cabotage_azure::{AzureConfig, AzureStore};
use cabotage_core::{Rates, Result};
use cabotage_http::Renew;

use crate::ambient::{ACCOUNT, CONNECTION_STRING};
use crate::location::bucket_name;
use crate::settings::{AzureCredentials, AzureSettings, invalid};
use crate::{Environment, Location, OpenOptions, Opened, SecretSource, http};

/// Opens a container.
pub(crate) async fn open(
    settings: &AzureSettings,
    container: &str,
    location: &Location,
    environment: &Environment,
    options: &OpenOptions,
) -> Result<Opened> {
    let container = bucket_name("container", container.to_owned())?;
    let config = config(settings, &container, environment, options)?;
    let throttle = config.http.throttle.clone();
    let store = AzureStore::open(config).await?;
    Ok(Opened { place: store.place(), throttle, ..Opened::new(store, location) })
}

/// What the adapter is opened with.
///
/// # Errors
/// `InvalidConfig` for missing credentials, and for a secret that can't be read.
pub(crate) fn config(
    settings: &AzureSettings,
    container: &str,
    environment: &Environment,
    options: &OpenOptions,
) -> Result<AzureConfig> {
    let ambient = matches!(settings.credentials, AzureCredentials::Env).then_some(environment);
    let endpoint = settings.endpoint.clone().or_else(|| public_endpoint(settings, environment));
    Ok(AzureConfig {
        container: container.to_owned(),
        account: settings.account.clone(),
        endpoint: settings.endpoint.clone(),
        credentials: credentials(&settings.credentials, environment)?,
        renew: renewal(&settings.credentials, environment),
        http: http::config(&settings.http, endpoint.as_deref(), ambient, options, Rates::default())?,
    })
}

/// Where requests will go, as far as it is known here: only for the choice of a proxy.
fn public_endpoint(settings: &AzureSettings, environment: &Environment) -> Option<String> {
    let from_string = environment.get(CONNECTION_STRING).and_then(|text| {
        let value = |name: &str| {
            let parts = text.split(';').filter_map(|part| part.split_once('='));
            parts
                .into_iter()
                .find(|(n, _)| n.trim().eq_ignore_ascii_case(name))
                .map(|(_, v)| v.trim().to_owned())
        };
        let of_account = || {
            let suffix = value("EndpointSuffix").unwrap_or_else(|| "core.windows.net".to_owned());
            Some(format!("https://{}.blob.{suffix}", value("AccountName")?))
        };
        value("BlobEndpoint").or_else(of_account)
    });
    let of_account = |account: &str| format!("https://{account}.blob.core.windows.net");
    let account = settings.account.as_deref().or_else(|| environment.get(ACCOUNT));
    from_string
        .or_else(|| account.map(of_account))
        .filter(|text| cabotage_http::Endpoint::parse(text).is_ok())
}

fn credentials(
    told: &AzureCredentials,
    environment: &Environment,
) -> Result<cabotage_azure::AzureCredentials> {
    use cabotage_azure::AzureCredentials as Adapter;
    let read = |source: &SecretSource| source.read("the credentials", environment);
    Ok(match told {
        AzureCredentials::Missing => {
            return Err(invalid("the store has no 'credentials'").help(
                "write credentials = \"env\", or a table with connection_string, account_key or sas_token",
            ));
        }
        AzureCredentials::Env if environment.is_of_process() => {
            Adapter::Ambient(cabotage_http::Environment::Ambient)
        }
        AzureCredentials::Env => {
            Adapter::Ambient(cabotage_http::Environment::Fixed(environment.vars().clone()))
        }
        AzureCredentials::ConnectionString(source) => Adapter::ConnectionString(read(source)?),
        AzureCredentials::AccountKey(source) => Adapter::SharedKey { key: read(source)? },
        AzureCredentials::SasToken(source) => Adapter::Sas(read(source)?),
    })
}

/// How they are read anew, where that may give others.
fn renewal(
    told: &AzureCredentials,
    environment: &Environment,
) -> Option<Renew<cabotage_azure::AzureCredentials>> {
    let source = match told {
        AzureCredentials::Missing | AzureCredentials::Env => return None,
        AzureCredentials::ConnectionString(source)
        | AzureCredentials::AccountKey(source)
        | AzureCredentials::SasToken(source) => source,
    };
    let (told, environment) = (told.clone(), environment.clone());
    source.may_change().then(|| Renew::new(move || credentials(&told, &environment)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(settings: &AzureSettings, vars: &[(&str, &str)]) -> Result<AzureConfig> {
        config(settings, "data", &vars.iter().copied().collect(), &OpenOptions::default())
    }

    #[test]
    fn the_standard_variables_go_to_the_adapter() {
        let vars = [(ACCOUNT, "acct"), ("HTTPS_PROXY", "http://p:1"), ("NO_PROXY", "other.eu")];
        let config = made(&crate::ambient::azure(), &vars).unwrap();
        assert!(matches!(config.credentials, cabotage_azure::AzureCredentials::Ambient(_)));
        assert_eq!(config.http.proxy.as_deref(), Some("http://p:1"));
    }

    #[test]
    fn the_proxy_knows_the_host_of_the_connection_string() {
        for (text, through) in [
            ("AccountName=a;AccountKey=HUSH", false),
            ("AccountName=a;EndpointSuffix=other.eu", true),
            ("AccountName=a;BlobEndpoint=http://127.0.0.1:10000/a", false),
        ] {
            let vars = [
                (CONNECTION_STRING, text),
                ("HTTPS_PROXY", "http://p:1"),
                ("NO_PROXY", "blob.core.windows.net"),
            ];
            assert_eq!(
                made(&crate::ambient::azure(), &vars).unwrap().http.proxy.is_some(),
                through,
                "{text}"
            );
        }
    }

    #[test]
    fn a_named_store_reads_its_own_secret() {
        let settings = |credentials| AzureSettings {
            account: Some("acct".into()),
            credentials,
            ..AzureSettings::default()
        };
        let vars = [("S", "sv=1&sig=HUSH"), ("AZURE_STORAGE_KEY", "ambient"), ("HTTPS_PROXY", "http://p:1")];
        let config =
            made(&settings(AzureCredentials::SasToken(SecretSource::Env("S".into()))), &vars).unwrap();
        assert!(
            matches!(&config.credentials, cabotage_azure::AzureCredentials::Sas(s) if s.reveal().ends_with("HUSH"))
        );
        assert_eq!(config.http.proxy, None);
        assert!(!format!("{config:?}").contains("HUSH"));
        let missing = made(&settings(AzureCredentials::Missing), &vars).unwrap_err();
        assert!(missing.to_string().contains("account_key"), "{missing}");
    }
}
