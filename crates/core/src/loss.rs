//! What does not survive a move, by name.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{Error, ErrorKind, display_text};

/// Declares the closed list: variant, stable name, doc, accepted by default, whether a sidecar can keep it.
macro_rules! loss_names {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, default $accepted:literal, sidecar $kept:literal;)*) => {
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

            /// Whether what is lost of the object can be kept beside the data, in a sidecar.
            #[must_use]
            pub fn kept_by_sidecar(self) -> bool {
                match self { $(Self::$variant => $kept),* }
            }
        }
    };
}

loss_names! {
    /// The letter case of metadata names; both protocols compare names without it.
    MetadataNameCase = "metadata-name-case", default true, sidecar true;
    /// A metadata name that the destination changes or can't hold (Ceph RGW 16 turns `_` into `-`).
    MetadataNameChanged = "metadata-name-changed", default false, sidecar true;
    /// A metadata value that the destination changes or can't hold.
    MetadataValueChanged = "metadata-value-changed", default false, sidecar true;
    /// More metadata than the destination takes (8 KiB on Azure, 2 KiB on AWS).
    MetadataTooLarge = "metadata-too-large", default false, sidecar true;
    /// Tags that the destination doesn't hold, or not in that number or spelling.
    TagDropped = "tag-dropped", default false, sidecar true;
    /// Tags that the source holds and that can't be read with the rights at hand.
    TagsUnreadable = "tags-unreadable", default false, sidecar false;
    /// A content header that the destination doesn't hold or changes.
    HeaderDropped = "header-dropped", default false, sidecar true;
    /// The storage tier: an online tier becomes the destination's default class.
    TierMapped = "tier-mapped", default true, sidecar true;
    /// The time of the last write; `--keep-mtime` keeps it in metadata.
    ModifiedTime = "modified-time", default true, sidecar true;
    /// The kind of blob (append, page): the content is kept as an ordinary object.
    BlobType = "blob-type", default false, sidecar true;
    /// Owner, group, permissions and access control list (Azure with a hierarchical namespace); `--acl-export` keeps them
    /// in a file.
    PosixAcl = "posix-acl", default false, sidecar false;
    /// Snapshots at the source. Counted for the whole run, one by one.
    SnapshotNotMoved = "snapshot-not-moved", default true, sidecar false;
    /// Older versions at the source. Counted for the whole run, one by one.
    VersionNotMoved = "version-not-moved", default true, sidecar false;
    /// What was deleted at the source and could still be restored there. Counted for the whole run, one by one.
    DeletedNotMoved = "deleted-not-moved", default true, sidecar false;
    /// What a sidecar keeps of the object and was not restored, since the object, or that attribute of it, was changed after
    /// the sidecar was written: the newer state moves.
    OriginalNotRestored = "original-not-restored", default true, sidecar false;
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
