//! An S3-compatible server.

use std::collections::BTreeMap;

use cabotage_core::Result;
use cabotage_http::Renew;
use cabotage_providers::{Addressing, Profile};
use cabotage_s3::{CustomerKey, S3Config, S3Store};

use crate::location::bucket_name;
use crate::settings::{AddressingStyle, IdSource, S3Credentials, S3Settings, invalid};
use crate::{Environment, Location, OpenOptions, Opened, Role, SecretSource, http};

/// Opens a bucket.
pub(crate) async fn open(
    settings: &S3Settings,
    bucket: &str,
    location: &Location,
    environment: &Environment,
    options: &OpenOptions,
) -> Result<Opened> {
    let bucket = bucket_name("bucket", bucket.to_owned())?;
    let config = config(settings, &bucket, environment, options)?;
    let throttle = config.http.throttle.clone();
    let store = S3Store::open(config).await?;
    Ok(Opened { place: store.place(), throttle, ..Opened::new(store, location) })
}

/// What the adapter is opened with.
///
/// A source without endpoint and provider is taken as AWS, as the standard variables mean it; a destination isn't.
///
/// # Errors
/// `InvalidConfig` for an unknown provider, missing credentials, and a destination whose server isn't named.
pub(crate) fn config(
    settings: &S3Settings,
    bucket: &str,
    environment: &Environment,
    options: &OpenOptions,
) -> Result<S3Config> {
    let provider = provider(settings, options.role)?;
    let rates = provider.map(|provider| provider.rates).unwrap_or_default();
    let ambient = matches!(settings.credentials, S3Credentials::Env).then_some(environment);
    let told = settings.endpoint.clone();
    let region = settings.region.as_deref();
    let endpoint = told.clone().or_else(|| provider?.endpoint_for(region));
    Ok(S3Config {
        endpoint: told,
        region: settings.region.clone(),
        addressing: settings.addressing.map(|style| match style {
            AddressingStyle::Path => Addressing::Path,
            AddressingStyle::Virtual => Addressing::Virtual,
        }),
        provider,
        credentials: credentials(&settings.credentials, environment)?,
        renew: renewal(&settings.credentials, environment),
        customer_key: options
            .sse_c_key
            .as_ref()
            .or(settings.sse_c_key.as_ref())
            .map(|source| customer_key(source, environment))
            .transpose()?,
        http: http::config(&settings.http, endpoint.as_deref(), ambient, options, rates)?,
        ..S3Config::new(bucket)
    })
}

/// # Errors
/// `InvalidConfig` naming where the key should be; never what is there.
pub(crate) fn customer_key(source: &SecretSource, environment: &Environment) -> Result<CustomerKey> {
    let text = source.read("the SSE-C key", environment)?;
    CustomerKey::from_base64(&text).map_err(|error| error.about(source.to_string()))
}

fn provider(settings: &S3Settings, role: Role) -> Result<Option<&'static Profile>> {
    match (&settings.provider, &settings.endpoint, role) {
        (Some(name), _, _) => cabotage_providers::find(name).map(Some),
        (None, Some(_), _) => Ok(None),
        (None, None, Role::Source) => cabotage_providers::find("aws").map(Some),
        (None, None, Role::Destination) => {
            Err(invalid("the destination's server isn't named, and would be Amazon's by default").help(
                "set AWS_ENDPOINT_URL_S3, use a store of the configuration file, or name the provider with \
                 --s3-provider (aws, if Amazon is meant)",
            ))
        }
    }
}

fn credentials(told: &S3Credentials, environment: &Environment) -> Result<cabotage_s3::S3Credentials> {
    use cabotage_s3::S3Credentials as Adapter;
    let read = |source: &SecretSource| source.read("the credentials", environment);
    Ok(match told {
        S3Credentials::Missing => {
            return Err(invalid("the store has no 'credentials'").help(
                "write credentials = \"env\", or a table with access_key_id and secret_access_key, a profile or a \
                 process",
            ));
        }
        S3Credentials::Env if environment.is_of_process() => Adapter::Ambient,
        S3Credentials::Env => Adapter::Environment(environment.vars().clone()),
        S3Credentials::Keys { access_key_id, secret_access_key, session_token } => Adapter::Static {
            access_key: match access_key_id {
                IdSource::Told(id) => id.clone(),
                IdSource::From(source) => read(source)?.reveal().to_owned(),
            },
            secret: read(secret_access_key)?,
            session_token: session_token.as_ref().map(read).transpose()?,
        },
        S3Credentials::Profile(name) => Adapter::Environment(profile_variables(name, environment)),
        S3Credentials::Process(command) => Adapter::Process(command.clone()),
    })
}

/// How they are read anew, where that may give others. A profile and a process are read anew by the adapter.
fn renewal(told: &S3Credentials, environment: &Environment) -> Option<Renew<cabotage_s3::S3Credentials>> {
    let S3Credentials::Keys { access_key_id, secret_access_key, session_token } = told else { return None };
    let id = match access_key_id {
        IdSource::Told(_) => None,
        IdSource::From(source) => Some(source),
    };
    let mut sources = [id, Some(secret_access_key), session_token.as_ref()].into_iter().flatten();
    let may_change = sources.any(SecretSource::may_change);
    let (told, environment) = (told.clone(), environment.clone());
    may_change.then(|| Renew::new(move || credentials(&told, &environment)))
}

/// A profile that is named in the file is looked up where the user keeps such profiles; nothing else of the
/// environment counts.
fn profile_variables(name: &str, environment: &Environment) -> BTreeMap<String, String> {
    let files = ["AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"];
    let files =
        files.into_iter().filter_map(|file| Some((file.to_owned(), environment.get(file)?.to_owned())));
    files.chain([("AWS_PROFILE".to_owned(), name.to_owned())]).collect()
}

#[cfg(test)]
#[path = "open_s3_tests.rs"]
mod tests;
