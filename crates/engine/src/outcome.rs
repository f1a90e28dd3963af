//! What became of one object.

use std::sync::Arc;

use cabotage_core::{ETag, Error, Loss};
use serde::{Deserialize, Serialize};

use crate::{Change, ContentSha256, Verdict};

/// The classes of the report: each listed object ends in exactly one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// Copied or adopted in this run, with proof at the demanded level.
    Verified,
    /// At the destination, without that proof.
    StoredUnread,
    /// Unchanged since a run that verified it.
    Skipped,
    /// Failed.
    Failed,
    /// The destination would lose something of it: not written, or taken away again. Where it replaced an earlier copy of this
    /// job it stays, and has a `destination_etag`.
    Refused,
    /// Put off: archived at the source.
    Deferred,
    /// Another object is in its place, and was left alone.
    Conflict,
    /// Gone from the source between listing and reading.
    Vanished,
    /// Would be copied (dry run only).
    Planned,
    /// Begun and not finished when the run was stopped.
    Unfinished,
}

impl Class {
    /// Every class there is.
    pub const ALL: [Self; 10] = [
        Self::Verified,
        Self::StoredUnread,
        Self::Skipped,
        Self::Failed,
        Self::Refused,
        Self::Deferred,
        Self::Conflict,
        Self::Vanished,
        Self::Planned,
        Self::Unfinished,
    ];

    /// The stable name, as serde writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Verified => "verified",
            Self::StoredUnread => "stored-unread",
            Self::Skipped => "skipped",
            Self::Failed => "failed",
            Self::Refused => "refused",
            Self::Deferred => "deferred",
            Self::Conflict => "conflict",
            Self::Vanished => "vanished",
            Self::Planned => "planned",
            Self::Unfinished => "unfinished",
        }
    }

    /// The class of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.as_str() == name)
    }

    /// Whether the object is not done, and the ledger keeps why.
    #[must_use]
    pub fn is_undone(self) -> bool {
        !matches!(self, Self::Verified | Self::StoredUnread | Self::Skipped | Self::Planned)
    }

    /// Whether a human should look at it.
    #[must_use]
    pub fn is_trouble(self) -> bool {
        matches!(self, Self::Failed | Self::Refused | Self::Conflict)
    }
}

/// What became of one object.
#[derive(Debug)]
pub struct Outcome {
    /// Its name relative to the prefixes of both sides, unescaped.
    pub name: Arc<str>,
    /// Its size at the source in bytes.
    pub size: u64,
    /// Its class.
    pub class: Class,
    /// The proof, where there is one.
    pub verdict: Option<Verdict>,
    /// How it differs from what the ledger knew; `None` where that was not found out.
    pub change: Option<Change>,
    /// Whether its bytes were copied in this run.
    pub copied: bool,
    /// SHA-256 of its content.
    pub sha256: Option<ContentSha256>,
    /// Its ETag at the source.
    pub source_etag: Option<ETag>,
    /// Its ETag at the destination.
    pub destination_etag: Option<ETag>,
    /// What it lost, or would have lost where it was refused.
    pub losses: Vec<Loss>,
    /// Whether a sidecar keeps what it lost.
    pub in_sidecar: bool,
    /// Why it failed or conflicts.
    pub error: Option<Error>,
    /// Attempts that were made in this run; 0 when it was decided without one.
    pub attempts: u32,
}

impl Outcome {
    /// An outcome of that class with nothing else known.
    #[must_use]
    pub fn new(name: Arc<str>, size: u64, class: Class) -> Self {
        Self {
            name,
            size,
            class,
            verdict: None,
            change: None,
            copied: false,
            sha256: None,
            source_etag: None,
            destination_etag: None,
            losses: Vec::new(),
            in_sidecar: false,
            error: None,
            attempts: 0,
        }
    }

    /// An outcome of that class for that reason.
    #[must_use]
    pub fn because(name: Arc<str>, size: u64, class: Class, error: Error) -> Self {
        Self { error: Some(error), ..Self::new(name, size, class) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back_and_are_those_of_serde() {
        for class in Class::ALL {
            assert_eq!(Class::from_name(class.as_str()), Some(class));
            assert_eq!(serde_json::to_string(&class).unwrap(), format!("\"{}\"", class.as_str()));
        }
    }
}
