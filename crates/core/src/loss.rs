//! What does not survive a move, by name.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{Error, ErrorKind, display_text};

/// Declares the closed list: variant, stable name, doc, accepted by default.
macro_rules! loss_names {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, default $accepted:literal;)*) => {
        /// The closed list of losses. Names are stable: flags, reports and ledgers hold them.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[non_exhaustive]
        pub enum LossName {
            $($(#[$doc])* #[serde(rename = $name)] $variant,)*
        }

        impl LossName {
            /// Every name there is.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The stable name.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }

            /// Whether a run lets it pass unless told otherwise. It is counted all the same.
            #[must_use]
            pub fn accepted_by_default(self) -> bool {
                match self { $(Self::$variant => $accepted),* }
            }
        }
    };
}

loss_names! {
    /// The letter case of metadata names; both protocols compare names without it.
    MetadataNameCase = "metadata-name-case", default true;
    /// A metadata name that the destination changes or can't hold (Ceph RGW 16 turns `_` into `-`).
    MetadataNameChanged = "metadata-name-changed", default false;
    /// A metadata value that the destination changes or can't hold.
    MetadataValueChanged = "metadata-value-changed", default false;
    /// More metadata than the destination takes (8 KiB on Azure, 2 KiB on AWS).
    MetadataTooLarge = "metadata-too-large", default false;
    /// Tags that the destination doesn't hold, or not in that number or spelling.
    TagDropped = "tag-dropped", default false;
    /// Tags that the source holds and that can't be read with the rights at hand.
    TagsUnreadable = "tags-unreadable", default false;
    /// A content header that the destination doesn't hold or changes.
    HeaderDropped = "header-dropped", default false;
    /// The storage tier: an online tier becomes the destination's default class.
    TierMapped = "tier-mapped", default true;
    /// The time of the last write; `--keep-mtime` keeps it in metadata.
    ModifiedTime = "modified-time", default true;
    /// The kind of blob (append, page): the content is kept as an ordinary object.
    BlobType = "blob-type", default false;
    /// Owner, group, permissions and access control list (Azure with a hierarchical namespace); `--acl-export` keeps them
    /// in a file.
    PosixAcl = "posix-acl", default false;
    /// Snapshots at the source. Counted for the whole run, one by one.
    SnapshotNotMoved = "snapshot-not-moved", default true;
    /// Older versions at the source. Counted for the whole run, one by one.
    VersionNotMoved = "version-not-moved", default true;
    /// What was deleted at the source and could still be restored there. Counted for the whole run, one by one.
    DeletedNotMoved = "deleted-not-moved", default true;
}

impl fmt::Display for LossName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for LossName {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::ALL.iter().copied().find(|name| name.as_str() == text).ok_or_else(|| {
            let known: Vec<_> = Self::ALL.iter().map(|name| name.as_str()).collect();
            Error::new(ErrorKind::InvalidConfig, format!("there is no loss named '{text}'"))
                .help(format!("the names are {}", known.join(", ")))
        })
    }
}

/// One loss of one object.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Loss {
    /// Its name.
    pub name: LossName,
    /// What exactly: `owner_id comes back as owner-id`. Escaped for a human.
    pub detail: String,
}

impl Loss {
    /// A loss with its detail.
    #[must_use]
    pub fn new(name: LossName, detail: impl AsRef<str>) -> Self {
        Self { name, detail: display_text(detail.as_ref()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back() {
        for name in LossName::ALL {
            assert_eq!(name.as_str().parse::<LossName>().unwrap(), *name);
            assert_eq!(serde_json::to_string(name).unwrap(), format!("\"{name}\""));
        }
        let error = "tag-droped".parse::<LossName>().unwrap_err();
        assert!(error.to_string().contains("tag-dropped"), "{error}");
    }
}
