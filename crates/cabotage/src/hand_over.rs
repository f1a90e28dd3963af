//! Stores for a process elsewhere, by its environment alone.

use std::collections::BTreeMap;
use std::path::Path;

use cabotage_core::Result;
use toml::{Table, Value};

use crate::ambient::{NO_PROXY, PROXY};
use crate::{Environment, Stores};

/// The text of the configuration file.
pub(crate) const TEXT: &str = "CABOTAGE_STORES";
/// Where that file is: relative files in it are taken from there.
const FILE: &str = "CABOTAGE_STORES_FILE";

/// Beginnings of the variables by which the adapters find credentials.
const CREDENTIALS: &[&str] = &["AWS_", "AZURE_", "ARM_", "IDENTITY_", "MSI_"];
/// Others that they, and the HTTP client, look at.
const OTHERS: &[&str] =
    &["SYSTEM_ACCESSTOKEN", "SYSTEM_OIDCREQUESTURI", "SSL_CERT_FILE", "SSL_CERT_DIR", "XDG_CONFIG_HOME"];

impl Stores {
    /// The variables with which a process elsewhere opens the same locations in the same way: what the standard variables
    /// say, the configuration file as text, and the variables that it names for secrets. They hold secrets: give them to no
    /// one but that process. Files that the configuration names have to be there too.
    #[must_use]
    pub fn handed_over(&self) -> BTreeMap<String, String> {
        let mut named = Vec::new();
        self.tables.values().for_each(|table| variables_of(table, &mut named));
        let wanted = |name: &str| {
            CREDENTIALS.iter().any(|beginning| name.starts_with(beginning))
                || [OTHERS, PROXY, NO_PROXY].concat().contains(&name)
                || named.contains(&name)
        };
        let vars = self.environment.vars().iter().filter(|(name, _)| wanted(name));
        let mut vars: BTreeMap<_, _> = vars.map(|(name, value)| (name.clone(), value.clone())).collect();
        // None is told too: another machine may have a file of its own.
        vars.insert(TEXT.to_owned(), self.text.clone().unwrap_or_else(|| "# none".to_owned()));
        if let Some(file) = &self.file {
            let file = std::path::absolute(file).unwrap_or_else(|_| file.clone());
            vars.insert(FILE.to_owned(), file.to_string_lossy().into_owned());
        }
        vars
    }
}

/// The stores of a process that was handed them.
pub(crate) fn take(environment: Environment) -> Result<Stores> {
    let text = environment.get(TEXT).unwrap_or_default().to_owned();
    let file = environment.get(FILE).unwrap_or_default().to_owned();
    Stores::parse(&text, Path::new(&file), environment).map_err(|error| error.about(TEXT))
}

/// The variables that `{ env = "NAME" }` names anywhere in a table.
fn variables_of<'a>(table: &'a Table, names: &mut Vec<&'a str>) {
    for (key, value) in table {
        match value {
            Value::String(name) if key == "env" => names.push(name),
            Value::Table(inner) => variables_of(inner, names),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Location, OpenOptions};

    const FILE_TEXT: &str = "[stores.a]\nkind = 's3'\nendpoint = 'http://127.0.0.1:1'\nregion = 'r'\n\
        credentials = { access_key_id = { env = 'ID' }, secret_access_key = { env = 'SECRET' } }\n\
        [stores.disk]\nkind = 'local'\nroot = 'data'\n";

    fn stores() -> Stores {
        let environment = [
            ("ID", "me"),
            ("SECRET", "HUSH"),
            ("AWS_REGION", "x"),
            ("HTTPS_PROXY", "http://p:1"),
            ("HOME", "/h"),
            ("EDITOR", "vi"),
        ];
        Stores::parse(FILE_TEXT, Path::new("/etc/c/config.toml"), environment.into_iter().collect()).unwrap()
    }

    #[test]
    fn what_is_named_goes_along_and_nothing_else() {
        let vars = stores().handed_over();
        let names: Vec<_> = vars.keys().map(String::as_str).collect();
        assert_eq!(
            names,
            ["AWS_REGION", "CABOTAGE_STORES", "CABOTAGE_STORES_FILE", "HTTPS_PROXY", "ID", "SECRET"]
        );
    }

    #[tokio::test]
    async fn stores_open_by_the_variables_alone() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config.toml");
        let before = Stores::parse(FILE_TEXT, &file, stores().environment().clone()).unwrap();
        let there = Stores::load(None, before.handed_over().into_iter().collect()).unwrap();
        let open = async |name| there.open(&Location::parse(name).unwrap(), &OpenOptions::default()).await;
        open("a:bucket").await.unwrap();
        std::fs::create_dir_all(folder.path().join("data/x")).unwrap();
        let disk = open("disk:x").await.unwrap();
        assert_eq!(disk.folder, Some(folder.path().canonicalize().unwrap().join("data/x")));
        assert!(open("other:x").await.is_err());
    }

    #[test]
    fn none_is_none_elsewhere_too() {
        let vars = Stores::without_file(Environment::default()).handed_over();
        let there = Stores::load(None, vars.into_iter().collect()).unwrap();
        assert!(there.stores.is_empty());
    }
}
