//! Every setting with its origin, for `config show`.

use std::fmt;
use std::path::PathBuf;

use serde::{Serialize, Serializer};
use toml::{Table, Value};

use crate::ambient::{AZURE_VARIABLES, S3_VARIABLES};
use crate::settings::{AzureSettings, HttpSettings, LocalSettings, S3Settings, SSE_C_KEY, StoreSettings};
use crate::{Environment, SecretSource, Stores, fields};

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The configuration file.
    File(PathBuf),
    /// An environment variable.
    Environment(String),
    /// Where the configuration file says that a secret is.
    Secret(SecretSource),
    /// The provider's profile of that name.
    Provider(String),
    /// Nobody said anything.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "file {}", path.display()),
            Self::Environment(name) => write!(f, "environment {name}"),
            Self::Secret(source) => write!(f, "{source}"),
            Self::Provider(name) => write!(f, "provider {name}"),
            Self::Default => f.write_str("default"),
        }
    }
}

impl Serialize for Origin {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// One setting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Setting {
    /// `stores.target.region`, or `s3://.region` for locations without a named store.
    pub name: String,
    /// Its value as text, unescaped; a secret is `<redacted>`.
    pub value: String,
    /// Where it comes from.
    pub origin: Origin,
}

/// What stands in a secret's place.
pub(crate) const REDACTED: &str = "<redacted>";
const NOT_SET: &str = "<not set>";

/// A standard variable that the settings of `s3://` and `az://` are read from.
pub(crate) struct Variable {
    pub(crate) setting: &'static str,
    /// The first that is set counts.
    pub(crate) names: &'static [&'static str],
    pub(crate) secret: bool,
}

impl Stores {
    /// Every setting: those of the named stores in the order of their names, then those of `s3://` and `az://`.
    #[must_use]
    pub fn settings(&self) -> Vec<Setting> {
        let mut all = Vec::new();
        for (name, table) in &self.tables {
            let kind = self.stores.get(name);
            all.extend(self.of_table(&format!("stores.{name}"), table));
            all.extend(kind.into_iter().flat_map(|kind| defaults(&format!("stores.{name}"), kind, table)));
        }
        all.extend(ambient("s3://", S3_VARIABLES, &self.environment));
        all.extend(ambient("az://", AZURE_VARIABLES, &self.environment));
        all
    }

    fn of_table(&self, path: &str, table: &Table) -> Vec<Setting> {
        let mut settings = Vec::new();
        for (key, value) in table {
            let name = format!("{path}.{key}");
            match value {
                Value::Table(inner) => match secret_source(inner) {
                    Some(source) => settings.push(self.secret(name, source)),
                    None => settings.extend(self.of_table(&name, inner)),
                },
                // Arguments of a program may be anything.
                Value::String(text) if key == "process" => {
                    let program = text.split_whitespace().next().unwrap_or_default();
                    settings.push(self.told(name, program.to_owned()));
                }
                Value::String(text) => settings.push(self.told(name, text.clone())),
                other => settings.push(self.told(name, plain(other))),
            }
        }
        settings
    }

    fn told(&self, name: String, value: String) -> Setting {
        Setting { name, value, origin: Origin::File(self.file.clone().unwrap_or_default()) }
    }

    fn secret(&self, name: String, source: SecretSource) -> Setting {
        let set = match &source {
            SecretSource::Env(variable) => self.environment.get(variable).is_some(),
            SecretSource::File(path) => path.exists(),
            SecretSource::Process(_) => true,
        };
        let mut value = if set { REDACTED } else { NOT_SET }.to_owned();
        if let Some(id) = self.key_id(&name, &source) {
            value = format!("{REDACTED}, id {id}");
        }
        Setting { name, value, origin: Origin::Secret(source) }
    }

    /// What names an SSE-C key without telling it, where it can be read without starting a program.
    fn key_id(&self, name: &str, source: &SecretSource) -> Option<String> {
        if !name.ends_with(&format!(".{SSE_C_KEY}")) || matches!(source, SecretSource::Process(_)) {
            return None;
        }
        #[cfg(feature = "s3")]
        let id = Some(crate::open_s3::customer_key(source, &self.environment).ok()?.id());
        #[cfg(not(feature = "s3"))]
        let id = None;
        id
    }
}

/// A value that is no text and no table: only booleans and whole numbers are valid where this is asked.
fn plain(value: &Value) -> String {
    match value {
        Value::Boolean(flag) => flag.to_string(),
        Value::Integer(number) => number.to_string(),
        other => other.type_str().to_owned(),
    }
}

fn secret_source(table: &Table) -> Option<SecretSource> {
    let text = |name: &str| table.get(name).and_then(Value::as_str).map(str::to_owned);
    if let Some(name) = text("env") {
        return Some(SecretSource::Env(name));
    }
    if let Some(path) = text("file") {
        return Some(SecretSource::File(path.into()));
    }
    let words = table.get("process")?.as_array()?;
    Some(SecretSource::Process(words.iter().filter_map(|word| word.as_str().map(str::to_owned)).collect()))
}

/// What the table leaves out.
fn defaults(path: &str, kind: &StoreSettings, table: &Table) -> Vec<Setting> {
    let http = fields::of::<HttpSettings>();
    let names = match kind {
        StoreSettings::S3(_) => [fields::of::<S3Settings>(), &["credentials", SSE_C_KEY], http].concat(),
        StoreSettings::Azure(_) => [fields::of::<AzureSettings>(), &["credentials"], http].concat(),
        StoreSettings::Local(_) => fields::of::<LocalSettings>().to_vec(),
    };
    let left_out = names.into_iter().filter(|name| !table.contains_key(*name));
    let setting = |name: &'static str| {
        let (value, origin) = of_provider(kind, name).unwrap_or((default_of(kind, name), Origin::Default));
        Setting { name: format!("{path}.{name}"), value, origin }
    };
    left_out.map(setting).collect()
}

/// What the provider's profile says where the table says nothing.
fn of_provider(kind: &StoreSettings, name: &str) -> Option<(String, Origin)> {
    let StoreSettings::S3(S3Settings { provider: Some(provider), .. }) = kind else { return None };
    let rates = cabotage_providers::find(provider).ok()?.rates;
    (name == "requests_per_second" && !rates.is_none())
        .then(|| (rates.to_string(), Origin::Provider(provider.clone())))
}

fn default_of(kind: &StoreSettings, name: &str) -> String {
    let text = match (name, kind) {
        ("credentials", _) => NOT_SET,
        ("addressing", StoreSettings::S3(settings)) if settings.endpoint.is_some() => "path",
        ("addressing" | "region" | "endpoint", StoreSettings::S3(_)) => "<the provider's>",
        ("provider", StoreSettings::S3(settings)) if settings.endpoint.is_none() => "aws, as a source only",
        ("provider", _) => "generic",
        ("account", _) => "<the connection string's>",
        ("endpoint", _) => "<the account's>",
        ("allow_plaintext", _) => "false",
        ("ca_file", _) => "<the system's certificates>",
        ("proxy" | SSE_C_KEY | "bandwidth" | "requests_per_second", _) => "none",
        ("connect_timeout", _) => "10s",
        ("idle_timeout", _) => "1m",
        ("request_timeout", _) => "2m",
        _ => NOT_SET,
    };
    text.to_owned()
}

fn ambient(scheme: &str, variables: &[Variable], environment: &Environment) -> Vec<Setting> {
    let setting = |variable: &Variable| {
        let name = format!("{scheme}.{}", variable.setting);
        match environment.first(variable.names) {
            Some((found, value)) => {
                let secret = variable.secret || value.contains('@');
                let value = if secret { REDACTED } else { value }.to_owned();
                Setting { name, value, origin: Origin::Environment(found.to_owned()) }
            }
            None => Setting { name, value: NOT_SET.to_owned(), origin: Origin::Default },
        }
    };
    variables.iter().map(setting).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(file: &str, environment: Environment) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c.toml");
        std::fs::write(&path, file).unwrap();
        let stores = Stores::load(Some(&path), environment).unwrap();
        let line = |s: Setting| {
            let origin = s.origin.to_string();
            let origin =
                if origin.starts_with("file") && origin.ends_with("c.toml") { "file" } else { &origin };
            format!("{} = {} ({origin})", s.name, s.value)
        };
        stores.settings().into_iter().map(line).collect()
    }

    #[test]
    fn each_value_has_its_origin_and_no_secret_is_shown() {
        let file = r#"
            [stores.t]
            kind = "s3"
            provider = "ovhcloud"
            bandwidth = "100Mbit/s"
            region = "fr-par"
            credentials = { access_key_id = "AK", secret_access_key = { env = "K" }, session_token = { env = "U" } }
            sse_c_key = { env = "SSE" }
        "#;
        let environment: Environment = [
            ("K", "HUSH"),
            ("SSE", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="),
            ("AWS_SECRET_ACCESS_KEY", "HUSH"),
            ("AWS_DEFAULT_REGION", "gra"),
            ("AZURE_STORAGE_CONNECTION_STRING", "HUSH"),
        ]
        .into_iter()
        .collect();
        let lines = shown(file, environment);
        for line in [
            "stores.t.region = fr-par (file)",
            "stores.t.credentials.secret_access_key = <redacted> (environment K)",
            "stores.t.credentials.session_token = <not set> (environment U)",
            "stores.t.sse_c_key = <redacted>, id 630dcd2966c43366 (environment SSE)",
            "stores.t.connect_timeout = 10s (default)",
            "stores.t.bandwidth = 100Mbit/s (file)",
            "stores.t.requests_per_second = 900 reads/s, 300 writes/s (provider ovhcloud)",
            "s3://.region = gra (environment AWS_DEFAULT_REGION)",
            "s3://.secret_access_key = <redacted> (environment AWS_SECRET_ACCESS_KEY)",
            "s3://.endpoint = <not set> (default)",
            "az://.connection_string = <redacted> (environment AZURE_STORAGE_CONNECTION_STRING)",
        ] {
            assert!(lines.iter().any(|l| l == line), "{line} in {lines:#?}");
        }
        assert!(!lines.join("\n").contains("HUSH") && !lines.join("\n").contains("AAECAw"));
    }
}
