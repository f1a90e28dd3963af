//! The environment, taken once.

use std::collections::BTreeMap;
use std::fmt;

/// Environment variables as they were when it was taken. Tests give their own; nothing in this crate asks the
/// process's environment anywhere else.
#[derive(Clone, Default)]
pub struct Environment {
    vars: BTreeMap<String, String>,
    of_process: bool,
}

impl Environment {
    /// That of this process. Variables that are no UTF-8 are left out.
    #[must_use]
    pub fn of_process() -> Self {
        let utf8 = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Self { vars: std::env::vars_os().filter_map(utf8).collect(), of_process: true }
    }

    /// The value, unless it is unset or empty.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.vars.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The first of the names that has a value, with it.
    #[must_use]
    pub fn first<'a>(&self, names: &[&'a str]) -> Option<(&'a str, &str)> {
        names.iter().find_map(|name| self.get(name).map(|value| (*name, value)))
    }

    /// Whether it is that of this process, so that what an adapter looks up itself is the same.
    #[must_use]
    pub fn is_of_process(&self) -> bool {
        self.of_process
    }

    /// All of them.
    #[must_use]
    pub fn vars(&self) -> &BTreeMap<String, String> {
        &self.vars
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(vars: I) -> Self {
        let vars = vars.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        Self { vars, of_process: false }
    }
}

impl fmt::Debug for Environment {
    /// Names only: values may be secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.vars.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_variable_is_as_good_as_none() {
        let environment: Environment = [("A", ""), ("B", "SECRET")].into_iter().collect();
        assert_eq!(environment.get("A"), None);
        assert_eq!(environment.first(&["A", "B"]), Some(("B", "SECRET")));
        assert!(!format!("{environment:?}").contains("SECRET"));
    }
}
