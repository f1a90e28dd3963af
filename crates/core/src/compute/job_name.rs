//! Names of jobs.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{Error, ErrorKind, Result};

/// Bytes of the longest name. With `-` and a task's number it is still a DNS label of 63 bytes, which is what a pod of a
/// Kubernetes Indexed Job has as its host name.
const MAX: usize = 52;

/// The name of a job: 1 to 52 of `a`-`z`, `0`-`9` and inner hyphens, a letter first. So it is a file's name, a DNS label and
/// a Kubernetes object's name as it stands, and never has to be changed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct JobName(String);

impl JobName {
    /// Takes a name.
    ///
    /// # Errors
    /// `InvalidConfig` when it isn't one.
    pub fn new(name: impl Into<String>) -> Result<Self> {
        let name = name.into();
        let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let is_name = name.len() <= MAX
            && name.starts_with(|c: char| c.is_ascii_lowercase())
            && name.chars().all(inner)
            && !name.ends_with('-');
        if is_name {
            return Ok(Self(name));
        }
        Err(Error::new(ErrorKind::InvalidConfig, "no name for a job").about(&name).help(format!(
            "a name has 1 to {MAX} of a-z, 0-9 and hyphens, begins with a letter and doesn't end with a hyphen"
        )))
    }

    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for JobName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for JobName {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::new(text)
    }
}

impl TryFrom<String> for JobName {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        Self::new(text)
    }
}

impl From<JobName> for String {
    fn from(name: JobName) -> Self {
        name.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_a_name() {
        let longest = "a".repeat(MAX);
        for name in ["a", "copy-2026-11", "a0", longest.as_str()] {
            assert_eq!(JobName::new(name).unwrap().as_str(), name);
        }
        let too_long = "a".repeat(MAX + 1);
        for name in
            ["", "-a", "a-", "0a", "A", "a.b", "a/b", "..", "a b", "é", "a\n", "a\0", too_long.as_str()]
        {
            assert_eq!(JobName::new(name).unwrap_err().kind(), ErrorKind::InvalidConfig, "{name:?}");
        }
    }
}
