//! What was proven of an object, and what was found.

use std::sync::Arc;

use cabotage_core::{Error, ErrorKind, LossName, display_text};
use serde::Serialize;

use crate::ContentSha256;

/// What was proven of an object's content. Names are stable: reports and manifests hold them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Proof {
    /// Read at both ends.
    ReadRead,
    /// Known from the ledger at the source, read at the destination.
    LedgerRead,
    /// Read at the source, known from the listing at the destination.
    ReadListing,
    /// Nothing was read.
    LedgerListing,
    /// Both ends publish the same digest of the content; nothing was read.
    Published,
    /// Names and sizes are equal, and nothing else is known: no proof.
    Size,
}

impl Proof {
    /// What exactly was proven.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::ReadRead => "read at both ends, SHA-256 equal",
            Self::LedgerRead => {
                "SHA-256 of the ledger (computed when it was copied; the source lists that state still) = read at the destination"
            }
            Self::ReadListing => {
                "read at the source = SHA-256 of what was written; the destination lists size and ETag as recorded then, and was not read"
            }
            Self::LedgerListing => {
                "both ends list size and ETag as recorded when it was copied, each byte checked then; nothing was read now"
            }
            Self::Published => {
                "both ends publish the same digest of the content (MD5, an ETag that is one, …); nothing was read"
            }
            Self::Size => "names and sizes are equal, nothing else is known: not proven",
        }
    }

    /// Whether it proves that the contents are equal.
    #[must_use]
    pub fn is_proof(self) -> bool {
        self != Self::Size
    }
}

/// How an object's attributes were compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum AttributeProof {
    /// As both listings tell them.
    Listings,
    /// At least one end was asked for the object by itself.
    Heads,
    /// Headers and metadata alone: the listings don't tell tags.
    WithoutTags,
    /// Not compared: a listing tells none.
    None,
}

impl AttributeProof {
    /// What exactly was compared.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::Listings => "headers, metadata and tags as both listings tell them",
            Self::Heads => "headers, metadata and tags, one or both ends asked object by object",
            Self::WithoutTags => "headers and metadata as both listings tell them; tags not compared",
            Self::None => "not compared: a listing doesn't tell them, and --attributes listing was given",
        }
    }
}

/// What kind of difference, or of doubt. Names are stable: reports and manifests hold them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FindingKind {
    /// The destination doesn't have it.
    Missing,
    /// Only the destination has it.
    Extra,
    /// Another size than at the source, or than was written.
    SizeDiffers,
    /// Another content.
    ContentDiffers,
    /// Written anew at the destination since this job wrote it; not read.
    EtagChanged,
    /// A header, metadata or a tag differs.
    AttributeDiffers,
    /// The source has another state than the one that was copied. No difference: the next pass moves it.
    SourceChanged,
    /// Nothing was proven: it could not be read, or nothing is known that would prove it.
    NotProven,
}

impl FindingKind {
    /// The stable name, as serde writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Extra => "extra",
            Self::SizeDiffers => "size-differs",
            Self::ContentDiffers => "content-differs",
            Self::EtagChanged => "etag-changed",
            Self::AttributeDiffers => "attribute-differs",
            Self::SourceChanged => "source-changed",
            Self::NotProven => "not-proven",
        }
    }

    /// Whether the two ends differ, in contrast to what could not be told.
    #[must_use]
    pub fn is_difference(self) -> bool {
        !matches!(self, Self::SourceChanged | Self::NotProven)
    }
}

/// One finding of one object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Of which kind.
    pub kind: FindingKind,
    /// What exactly, escaped for a human.
    pub text: String,
    /// The failure's kind, where something failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorKind>,
}

impl Finding {
    pub(super) fn new(kind: FindingKind, text: impl AsRef<str>) -> Self {
        Self { kind, text: display_text(text.as_ref()), error: None }
    }

    /// Something that kept an object from being proven.
    pub(super) fn failed(error: &Error) -> Self {
        Self { kind: FindingKind::NotProven, text: error.to_string(), error: Some(error.kind()) }
    }
}

/// What tells a content apart, as far as it is known: for pairs of objects that were exchanged.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Mark {
    Sha256(ContentSha256),
    ETag(String),
}

/// What was expected at the destination and what is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Marks {
    pub expected: Mark,
    pub found: Mark,
}

/// All that came out for one name.
#[derive(Clone, Debug)]
pub(super) struct Examined {
    pub name: Arc<str>,
    /// Its size at the source; at the destination where only that has it.
    pub size: u64,
    pub at_source: bool,
    pub proof: Option<Proof>,
    pub attributes: Option<AttributeProof>,
    pub sha256: Option<ContentSha256>,
    pub findings: Vec<Finding>,
    /// Losses that were accepted when it was written, or are now.
    pub losses: Vec<LossName>,
    pub marks: Option<Marks>,
    /// For an extra object: whether this job wrote it.
    pub ours: bool,
}

impl Examined {
    pub(super) fn new(name: Arc<str>, size: u64) -> Self {
        Self {
            name,
            size,
            at_source: true,
            proof: None,
            attributes: None,
            sha256: None,
            findings: Vec::new(),
            losses: Vec::new(),
            marks: None,
            ours: false,
        }
    }

    pub(super) fn with(mut self, finding: Finding) -> Self {
        self.findings.push(finding);
        self
    }
}

/// What a comparison came to for one name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compared {
    /// Equal, with proof.
    Proven,
    /// Not equal.
    Different,
    /// Not known to be equal, nor to differ.
    NotProven,
}

impl Compared {
    /// Every result there is.
    pub const ALL: [Self; 3] = [Self::Proven, Self::Different, Self::NotProven];

    /// The stable name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Proven => "proven",
            Self::Different => "different",
            Self::NotProven => "not-proven",
        }
    }
}
