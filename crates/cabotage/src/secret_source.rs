//! Where a secret comes from: never from the configuration file itself.

use std::fmt;
use std::path::{Path, PathBuf};

use cabotage_core::{Error, ErrorKind, Result};
use toml::Value;

use crate::fields;

/// Where a secret is read from, each time a store is opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretSource {
    /// An environment variable.
    Env(String),
    /// A file; blanks and newlines at its ends don't count.
    File(PathBuf),
    /// What a program prints: program and arguments, started without a shell. Blanks at the ends don't count.
    Process(Vec<String>),
}

impl SecretSource {
    /// Reads `{ env = "X" }`, `{ file = "…" }` or `{ process = ["program", "argument"] }`. A relative file is taken
    /// from `base`.
    ///
    /// # Errors
    /// `InvalidConfig`; a secret that stands there literally is refused and not repeated.
    pub(crate) fn parse(value: &Value, path: &str, base: &Path) -> Result<Self> {
        let wrong = |what: &str| {
            Error::new(ErrorKind::InvalidConfig, format!("{path} {what}")).help(
                "write { env = \"NAME\" }, { file = \"/path\" } or { process = [\"program\", \"argument\"] }",
            )
        };
        let Some(table) = value.as_table() else {
            return Err(wrong("holds a value, and no secret may stand in the file itself"));
        };
        fields::check(table, path, &[&["env", "file", "process"]])?;
        let [(kind, value)] = table.iter().collect::<Vec<_>>()[..] else {
            return Err(wrong("needs exactly one source"));
        };
        let text = value.as_str().filter(|text| !text.is_empty());
        match (kind.as_str(), text) {
            ("env", Some(name)) => Ok(Self::Env(name.to_owned())),
            ("file", Some(file)) => Ok(Self::File(base.join(file))),
            ("process", None) => {
                words(value).map(Self::Process).ok_or_else(|| wrong("needs a list of words"))
            }
            _ => Err(wrong("needs a text that is not empty")),
        }
    }
}

impl fmt::Display for SecretSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "environment {name}"),
            Self::File(path) => write!(f, "file {}", path.display()),
            Self::Process(words) => write!(f, "process {}", words.first().map_or("", String::as_str)),
        }
    }
}

fn words(value: &Value) -> Option<Vec<String>> {
    let words: Option<Vec<String>> =
        value.as_array()?.iter().map(|word| word.as_str().map(str::to_owned)).collect();
    words.filter(|words| !words.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<SecretSource> {
        let table: toml::Table = toml::from_str(&format!("x = {text}")).unwrap();
        SecretSource::parse(&table["x"], "stores.t.credentials.key", Path::new("/etc/base"))
    }

    #[test]
    fn sources() {
        for (text, source) in [
            ("{ env = \"A\" }", SecretSource::Env("A".into())),
            ("{ file = \"k\" }", SecretSource::File("/etc/base/k".into())),
            ("{ file = \"/k\" }", SecretSource::File("/k".into())),
            ("{ process = [\"pass\", \"show\"] }", SecretSource::Process(vec!["pass".into(), "show".into()])),
        ] {
            assert_eq!(parse(text).unwrap(), source);
        }
        for text in [
            "{}",
            "{ env = \"\" }",
            "{ env = \"A\", file = \"b\" }",
            "{ process = [] }",
            "{ process = \"x\" }",
        ] {
            assert_eq!(parse(text).unwrap_err().kind(), ErrorKind::InvalidConfig, "{text}");
        }
        assert!(parse("{ enw = \"A\" }").unwrap_err().to_string().contains("did you mean 'env'?"));
    }

    #[test]
    fn a_literal_secret_is_refused_and_not_repeated() {
        let error = parse("\"HUSH\"").unwrap_err();
        assert!(error.to_string().contains("{ env ="), "{error}");
        assert!(!format!("{error} {error:?}").contains("HUSH"));
    }
}
