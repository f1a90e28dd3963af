//! What the standard variables say of `s3://` and `az://`.

use crate::settings::{AzureCredentials, AzureSettings, S3Credentials, S3Settings};
use crate::show::Variable;
use crate::{Environment, OpenOptions};

/// The variables that name the proxy; both spellings are in use.
pub(crate) const PROXY: &[&str] = &["HTTPS_PROXY", "https_proxy"];
/// The variables that name the hosts which are reached without it.
pub(crate) const NO_PROXY: &[&str] = &["NO_PROXY", "no_proxy"];
const REGION: &[&str] = &["AWS_REGION", "AWS_DEFAULT_REGION"];
const ENDPOINT: &[&str] = &["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"];
pub(crate) const CONNECTION_STRING: &str = "AZURE_STORAGE_CONNECTION_STRING";
pub(crate) const ACCOUNT: &str = "AZURE_STORAGE_ACCOUNT";

/// What `s3://` is told by.
pub(crate) const S3_VARIABLES: &[Variable] = &[
    Variable { setting: "region", names: REGION, secret: false },
    Variable { setting: "endpoint", names: ENDPOINT, secret: false },
    Variable { setting: "access_key_id", names: &["AWS_ACCESS_KEY_ID"], secret: true },
    Variable { setting: "secret_access_key", names: &["AWS_SECRET_ACCESS_KEY"], secret: true },
    Variable { setting: "session_token", names: &["AWS_SESSION_TOKEN"], secret: true },
    Variable { setting: "profile", names: &["AWS_PROFILE"], secret: false },
    Variable { setting: "proxy", names: PROXY, secret: false },
    Variable { setting: "no_proxy", names: NO_PROXY, secret: false },
];

/// What `az://` is told by.
pub(crate) const AZURE_VARIABLES: &[Variable] = &[
    Variable { setting: "connection_string", names: &[CONNECTION_STRING], secret: true },
    Variable { setting: "account", names: &[ACCOUNT], secret: false },
    Variable { setting: "account_key", names: &["AZURE_STORAGE_KEY"], secret: true },
    Variable { setting: "sas_token", names: &["AZURE_STORAGE_SAS_TOKEN"], secret: true },
    Variable { setting: "proxy", names: PROXY, secret: false },
    Variable { setting: "no_proxy", names: NO_PROXY, secret: false },
];

/// The settings of `s3://`: the standard variables.
pub(crate) fn s3(environment: &Environment, options: &OpenOptions) -> S3Settings {
    let text = |names: &[&str]| environment.first(names).map(|(_, value)| value.to_owned());
    S3Settings {
        provider: options.s3_provider.clone(),
        region: text(REGION),
        endpoint: text(ENDPOINT),
        credentials: S3Credentials::Env,
        ..S3Settings::default()
    }
}

/// The settings of `az://`: the standard variables, which the adapter reads itself.
pub(crate) fn azure() -> AzureSettings {
    AzureSettings { credentials: AzureCredentials::Env, ..AzureSettings::default() }
}
