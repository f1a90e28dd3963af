//! How well it is proven that an object arrived.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How well it is proven that an object arrived, from the weakest to the strongest. Names are stable: ledgers,
/// reports and manifests hold them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It was there already, and has the same size.
    AdoptedSize,
    /// This program stored it, on a server that was not seen to check digests; nobody has read it since.
    StoredUnread,
    /// The server that stores it checked the digest of every byte.
    ServerChecked,
    /// It was read back whole and its SHA-256 compared.
    ReadBack,
}

impl Verdict {
    /// Every verdict there is, from the weakest to the strongest.
    pub const ALL: [Self; 4] = [Self::AdoptedSize, Self::StoredUnread, Self::ServerChecked, Self::ReadBack];

    /// The stable name, as serde writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AdoptedSize => "adopted-size",
            Self::StoredUnread => "stored-unread",
            Self::ServerChecked => "server-checked",
            Self::ReadBack => "read-back",
        }
    }

    /// The verdict of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|verdict| verdict.as_str() == name)
    }

    /// Whether this proves as much as `demanded` does.
    #[must_use]
    pub fn at_least(self, demanded: Self) -> bool {
        self >= demanded
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back_and_are_those_of_serde() {
        for verdict in Verdict::ALL {
            assert_eq!(Verdict::from_name(verdict.as_str()), Some(verdict));
            assert_eq!(serde_json::to_string(&verdict).unwrap(), format!("\"{verdict}\""));
        }
        assert_eq!(Verdict::from_name("verified"), None);
    }

    #[test]
    fn ranked() {
        assert!(Verdict::ReadBack.at_least(Verdict::ServerChecked));
        assert!(Verdict::ServerChecked.at_least(Verdict::ServerChecked));
        assert!(!Verdict::StoredUnread.at_least(Verdict::ServerChecked));
        assert!(!Verdict::AdoptedSize.at_least(Verdict::StoredUnread));
    }
}
