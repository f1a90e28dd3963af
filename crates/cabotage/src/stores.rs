//! The configuration file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use cabotage_core::{Error, Result};
use serde::Deserialize;
use toml::{Table, Value};

use crate::location::is_store_name;
use crate::settings::{StoreSettings, invalid};
use crate::{Environment, fields, hand_over};

/// Named stores, and the environment in which everything else is looked up.
#[derive(Debug, Default)]
pub struct Stores {
    pub(crate) environment: Environment,
    pub(crate) file: Option<PathBuf>,
    pub(crate) text: Option<String>,
    pub(crate) stores: BTreeMap<String, StoreSettings>,
    pub(crate) tables: BTreeMap<String, Table>,
    #[cfg(feature = "memory")]
    memory: std::sync::Mutex<BTreeMap<String, cabotage_memory::MemoryStore>>,
}

/// What the file holds.
#[derive(Deserialize)]
#[allow(dead_code, reason = "asked for its field names")]
struct File {
    stores: Table,
}

impl Stores {
    /// No named stores: URLs and paths alone.
    #[must_use]
    pub fn without_file(environment: Environment) -> Self {
        Self { environment, ..Self::default() }
    }

    /// Reads that file; without a path what [`handed_over`](Self::handed_over) left in the environment, else `$XDG_CONFIG_HOME/cabotage/config.toml`, else `~/.config/cabotage/config.toml`,
    /// which may be missing. Never a file of the working directory, since the file may start programs.
    ///
    /// # Errors
    /// `InvalidConfig` naming file, line or key, and the nearest valid name of an unknown key.
    pub fn load(path: Option<&Path>, environment: Environment) -> Result<Self> {
        let (path, required) = match path {
            Some(path) => (path.to_owned(), true),
            None if environment.get(hand_over::TEXT).is_some() => return hand_over::take(environment),
            None => match Self::default_path(&environment) {
                Some(path) => (path, false),
                None => return Ok(Self::without_file(environment)),
            },
        };
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && !required => {
                return Ok(Self::without_file(environment));
            }
            Err(error) => {
                return Err(invalid(format!(
                    "the configuration file {} can't be read: {error}",
                    path.display()
                )));
            }
        };
        Self::parse(&text, &path, environment).map_err(|error| error.about(path.to_string_lossy()))
    }

    /// Where the file is looked for when none is named.
    #[must_use]
    pub fn default_path(environment: &Environment) -> Option<PathBuf> {
        let folder =
            match environment.get("XDG_CONFIG_HOME").map(PathBuf::from).filter(|path| path.is_absolute()) {
                Some(folder) => folder,
                None => PathBuf::from(environment.get("HOME")?).join(".config"),
            };
        Some(folder.join("cabotage/config.toml"))
    }

    pub(crate) fn parse(text: &str, path: &Path, environment: Environment) -> Result<Self> {
        let mut table: Table = toml::from_str(text).map_err(|error| syntax(text, &error))?;
        fields::check(&table, "the file", &[fields::of::<File>()])?;
        let base = path.parent().unwrap_or(Path::new(""));
        let base = std::path::absolute(base).unwrap_or_else(|_| base.to_owned());
        let mut stores = BTreeMap::new();
        let mut tables = BTreeMap::new();
        let named = match table.remove("stores") {
            None => Table::new(),
            Some(Value::Table(named)) => named,
            Some(_) => return Err(invalid("'stores' is no table").help("write [stores.NAME]")),
        };
        for (name, value) in named {
            if !is_store_name(&name) {
                return Err(invalid(format!("'{name}' can't be the name of a store"))
                    .help("store names are letters, digits, '-' and '_'"));
            }
            let Value::Table(table) = value else {
                return Err(
                    invalid(format!("'stores.{name}' is no table")).help(format!("write [stores.{name}]"))
                );
            };
            stores
                .insert(name.clone(), StoreSettings::parse(table.clone(), &format!("stores.{name}"), &base)?);
            tables.insert(name, table);
        }
        let (file, text) = (Some(path.to_owned()), Some(text.to_owned()));
        Ok(Self { file, text, stores, tables, ..Self::without_file(environment) })
    }

    /// The environment.
    #[must_use]
    pub fn environment(&self) -> &Environment {
        &self.environment
    }

    /// The file that was read; none when there is none.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// The store of that name.
    ///
    /// # Errors
    /// `InvalidConfig` naming the stores there are.
    pub(crate) fn named(&self, name: &str) -> Result<&StoreSettings> {
        self.stores.get(name).ok_or_else(|| self.no_such_store(name))
    }

    fn no_such_store(&self, name: &str) -> Error {
        let place = match &self.file {
            Some(file) => format!("in {}", file.display()),
            None => "since there is no configuration file".to_owned(),
        };
        let known: Vec<&str> = self.stores.keys().map(String::as_str).collect();
        let meant =
            if known.is_empty() { String::new() } else { format!("{}; ", fields::suggestion(name, &known)) };
        invalid(format!("there is no store named '{name}' {place}"))
            .help(format!("{meant}for a path with a colon write ./{name}:…"))
    }

    /// The memory store of that name, the same one each time.
    #[cfg(feature = "memory")]
    pub(crate) fn memory(&self, name: &str) -> cabotage_memory::MemoryStore {
        let mut memory = self.memory.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        memory.entry(name.to_owned()).or_insert_with(|| cabotage_memory::MemoryStore::new(name)).clone()
    }
}

/// A syntax error with its line, without the text of the line: it may hold a secret.
fn syntax(text: &str, error: &toml::de::Error) -> Error {
    let start = error.span().map_or(0, |span| span.start.min(text.len()));
    let line = text.as_bytes()[..start].iter().filter(|byte| **byte == b'\n').count() + 1;
    invalid(format!("line {line} is no TOML: {}", error.message()))
}

#[cfg(test)]
#[path = "stores_tests.rs"]
mod tests;
