//! What a store can do and hold: data that answers questions.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::{
    Attributes, Error, ErrorKind, Key, Loss, LossName, ObjectForm, ObjectInfo, Result, TierClass,
    display_text,
};

/// What became of something a server was asked to enforce.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Support {
    /// A request that had to fail, failed.
    Enforced,
    /// The request is refused as such.
    Rejected,
    /// Accepted and without effect.
    Ignored,
    /// Not known.
    #[default]
    Unknown,
}

/// In which order keys are listed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ListOrder {
    /// By the bytes of UTF-8.
    Bytes,
    /// By UTF-16 code units (Azurite; differs from bytes only where supplementary characters meet U+E000–U+FFFF).
    Utf16,
    /// None that could be relied on.
    #[default]
    None,
}

impl ListOrder {
    /// Whether the same names come after that one in this order as by their bytes. UTF-16 differs only where a character from
    /// U+E000 on meets another.
    #[must_use]
    pub fn goes_on_as_bytes_after(self, name: &str) -> bool {
        match self {
            Self::Bytes => true,
            Self::Utf16 => name.chars().all(|c| c < '\u{e000}'),
            Self::None => false,
        }
    }
}

/// Which names a store can hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct KeyRules {
    /// Longest name in bytes of UTF-8.
    pub max_bytes: Option<usize>,
    /// Longest name in characters (Azure: UTF-16 code units).
    pub max_utf16: Option<usize>,
    /// Longest segment between slashes in bytes of UTF-8.
    pub max_segment_bytes: Option<usize>,
    /// Most segments between slashes.
    pub max_segments: Option<usize>,
    /// Characters that it refuses or changes.
    pub refused_chars: BTreeSet<char>,
    /// Whether it refuses control characters U+0000–U+001F and U+007F.
    pub refuses_control: bool,
    /// Whether segments `.` and `..` are refused or resolved.
    pub refuses_dot_segments: bool,
    /// Whether empty segments are refused or merged: `a//b`, `/a`, `a/`.
    pub refuses_empty_segments: bool,
}

impl Default for KeyRules {
    /// Everything is allowed.
    fn default() -> Self {
        Self {
            max_bytes: None,
            max_utf16: None,
            max_segment_bytes: None,
            max_segments: None,
            refused_chars: BTreeSet::new(),
            refuses_control: false,
            refuses_dot_segments: false,
            refuses_empty_segments: false,
        }
    }
}

impl KeyRules {
    fn objection(&self, key: &str) -> Option<String> {
        if let Some(max) = self.max_bytes.filter(|max| key.len() > *max) {
            return Some(format!("the name has {} bytes, at most {max} are allowed", key.len()));
        }
        let units = key.encode_utf16().count();
        if let Some(max) = self.max_utf16.filter(|max| units > *max) {
            return Some(format!("the name has {units} characters, at most {max} are allowed"));
        }
        let longest = key.split('/').map(str::len).max().unwrap_or(0);
        if let Some(max) = self.max_segment_bytes.filter(|max| longest > *max) {
            return Some(format!("a segment of the name has {longest} bytes, at most {max} are allowed"));
        }
        let segments = key.split('/').count();
        if let Some(max) = self.max_segments.filter(|max| segments > *max) {
            return Some(format!("the name has {segments} segments, at most {max} are allowed"));
        }
        if let Some(c) = key
            .chars()
            .find(|c| self.refused_chars.contains(c) || (self.refuses_control && c.is_ascii_control()))
        {
            return Some(format!("the name holds the character {}", c.escape_unicode()));
        }
        if self.refuses_dot_segments && key.split('/').any(|s| s == "." || s == "..") {
            return Some("the name holds a segment '.' or '..'".into());
        }
        if self.refuses_empty_segments && key.split('/').any(str::is_empty) {
            return Some("the name holds an empty segment, or a slash at an end".into());
        }
        None
    }
}

/// Size limits, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Limits {
    /// Largest single write.
    pub single_max: u64,
    /// Smallest part but for the last.
    pub part_min: u64,
    /// Largest part.
    pub part_max: u64,
    /// Most parts.
    pub parts_max: u32,
    /// Largest object.
    pub object_max: u64,
}

impl Default for Limits {
    /// None.
    fn default() -> Self {
        Self {
            single_max: u64::MAX,
            part_min: 1,
            part_max: u64::MAX,
            parts_max: u32::MAX,
            object_max: u64::MAX,
        }
    }
}

/// How names of metadata fare.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MetadataNames {
    /// As given.
    #[default]
    Kept,
    /// In lower case; any name that is an HTTP token.
    LowerCase,
    /// In lower case, and `_` becomes `-` (Ceph RGW 16).
    LowerCaseHyphen,
    /// As given, and only C# identifiers; two names that differ in letter case alone are one (Azure).
    Identifier,
}

/// How metadata fares.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct MetadataRules {
    /// Names.
    pub names: MetadataNames,
    /// Most bytes of all names and values together.
    pub max_bytes: Option<usize>,
    /// Whether values travel as HTTP headers: no control characters, no blanks at the ends.
    pub header_values: bool,
    /// Whether values must be ASCII, those of content headers too.
    pub ascii_values: bool,
}

/// How tags fare.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TagRules {
    /// Most tags; 0: the store has none.
    pub max: usize,
    /// Longest key in characters.
    pub key_max: usize,
    /// Longest value in characters.
    pub value_max: usize,
    /// Punctuation allowed beside letters, digits and space; `None` allows everything.
    pub punctuation: Option<String>,
    /// Whether letters beyond ASCII are refused.
    pub ascii_only: bool,
}

/// Which tiers there are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TierRules {
    /// Names that a write may ask for, with what they mean. Empty: the store knows no tiers.
    pub known: BTreeMap<String, TierClass>,
}

/// What is enforced of preconditions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Preconditions {
    /// Create-only on a single write.
    pub create: Support,
    /// If-Match on a single write.
    pub if_match: Support,
    /// Either of them on completing an upload.
    pub complete: Support,
}

/// What a store can do and hold. Plain data, so that what a probe found can replace parts of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Capabilities {
    /// Order of listings.
    pub list_order: ListOrder,
    /// Whether listings tell headers and metadata.
    pub list_attributes: bool,
    /// Whether listings tell tags.
    pub list_tags: bool,
    /// Whether `after` is the server's work; else items are read and skipped.
    pub list_after: bool,
    /// Most keys that one request of a listing tells; none where listing isn't done by requests.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub list_page: Option<usize>,
    /// Names.
    pub keys: KeyRules,
    /// Sizes.
    pub limits: Limits,
    /// Metadata.
    pub metadata: MetadataRules,
    /// Content headers held, by lower-case name.
    pub headers: BTreeSet<String>,
    /// Tags.
    pub tags: TagRules,
    /// Tiers.
    pub tiers: TierRules,
    /// Preconditions of writes.
    pub preconditions: Preconditions,
    /// Whether a body with a wrong digest is refused.
    pub digest: Support,
    /// Whether the time of the last write can be set.
    pub keeps_modified: bool,
    /// Most keys of one bulk delete request; 0: they are deleted one by one.
    pub delete_many: usize,
    /// Whether `copy_within` works.
    pub copy_within: bool,
    /// Whether `set_attributes` works.
    pub set_attributes: bool,
    /// Whether `presign` works.
    pub presign: bool,
    /// Whether uploads in parts work.
    pub uploads: bool,
    /// The one-way id of the customer's key with which the server encrypts contents (SSE-C). Under such a key neither an
    /// ETag nor a digest that the server checked tells what it stored: only reading does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customer_key: Option<String>,
}

impl Capabilities {
    /// All five content headers, for [`headers`](Self::headers).
    #[must_use]
    pub fn all_headers() -> BTreeSet<String> {
        crate::ContentHeaders::default().entries().iter().map(|(name, _)| (*name).to_owned()).collect()
    }

    /// Whether the store can hold that name.
    ///
    /// # Errors
    /// `KeyRejected` with the reason.
    pub fn accepts(&self, key: &Key) -> Result<()> {
        match self.keys.objection(key.as_str()) {
            None => Ok(()),
            Some(reason) => Err(Error::new(ErrorKind::KeyRejected, reason).on(key)),
        }
    }

    /// What this store, as a destination, would lose of the object, as far as it is known before the write.
    /// Unknown attributes lose nothing here: head the object first.
    #[must_use]
    pub fn losses(&self, source: &ObjectInfo) -> Vec<Loss> {
        let mut losses =
            source.attributes.as_ref().map_or_else(Vec::new, |attributes| self.attribute_losses(attributes));
        for name in source.uncarried.keys() {
            losses.push(Loss::new(LossName::HeaderDropped, format!("{name} is not carried")));
        }
        if let Some(tier) = source.tier.as_ref().filter(|tier| !self.tiers.known.contains_key(&tier.name)) {
            losses.push(Loss::new(LossName::TierMapped, format!("{} becomes the default class", tier.name)));
        }
        match source.form {
            ObjectForm::AppendBlob => {
                losses.push(Loss::new(LossName::BlobType, "append blob becomes an ordinary object"));
            }
            ObjectForm::PageBlob => {
                losses.push(Loss::new(LossName::BlobType, "page blob becomes an ordinary object"));
            }
            ObjectForm::Plain | ObjectForm::FolderStub => {}
        }
        if !self.keeps_modified && source.modified.is_some() {
            losses.push(Loss::new(
                LossName::ModifiedTime,
                "the time of the last write becomes that of the copy",
            ));
        }
        losses
    }

    /// What this store would lose of those attributes alone.
    #[must_use]
    pub fn attribute_losses(&self, attributes: &Attributes) -> Vec<Loss> {
        let mut losses = Vec::new();
        self.header_losses(attributes, &mut losses);
        self.metadata_losses(attributes, &mut losses);
        self.tag_losses(attributes, &mut losses);
        losses
    }

    fn header_losses(&self, attributes: &Attributes, losses: &mut Vec<Loss>) {
        for (name, value) in attributes.headers.entries() {
            let Some(value) = value else { continue };
            if !self.headers.contains(name) {
                losses.push(Loss::new(LossName::HeaderDropped, format!("{name} is not held")));
            } else if let Some(reason) = self.metadata.value_objection(value) {
                losses.push(Loss::new(LossName::HeaderDropped, format!("{name} {reason}")));
            }
        }
    }

    fn metadata_losses(&self, attributes: &Attributes, losses: &mut Vec<Loss>) {
        let mut total = 0;
        let mut seen = BTreeSet::new();
        for (name, value) in &attributes.metadata {
            total += name.len() + value.len();
            let shown = display_text(name);
            let kept = self.metadata.kept_name(name);
            match &kept {
                None => losses
                    .push(Loss::new(LossName::MetadataNameChanged, format!("{shown} can't be a name here"))),
                Some(kept) if !kept.eq_ignore_ascii_case(name) => {
                    losses.push(Loss::new(LossName::MetadataNameChanged, format!("{shown} becomes {kept}")));
                }
                Some(kept) if kept != name => {
                    losses.push(Loss::new(LossName::MetadataNameCase, format!("{shown} becomes {kept}")));
                }
                Some(_) => {}
            }
            if !seen.insert(self.metadata.folded(kept.unwrap_or_else(|| name.clone()))) {
                losses.push(Loss::new(
                    LossName::MetadataNameChanged,
                    format!("{shown} falls together with another name"),
                ));
            }
            if let Some(reason) = self.metadata.value_objection(value) {
                losses.push(Loss::new(
                    LossName::MetadataValueChanged,
                    format!("the value of {shown} {reason}"),
                ));
            }
        }
        if let Some(max) = self.metadata.max_bytes.filter(|max| total > *max) {
            losses.push(Loss::new(
                LossName::MetadataTooLarge,
                format!("{total} bytes of metadata, at most {max} are held"),
            ));
        }
    }

    fn tag_losses(&self, attributes: &Attributes, losses: &mut Vec<Loss>) {
        let Some(tags) = &attributes.tags else { return };
        if tags.len() > self.tags.max {
            losses.push(Loss::new(
                LossName::TagDropped,
                format!("{} tags, at most {} are held", tags.len(), self.tags.max),
            ));
            return;
        }
        for (key, value) in tags {
            if let Some(reason) = self.tags.objection(key, value) {
                losses.push(Loss::new(LossName::TagDropped, format!("tag {key}: {reason}")));
            }
        }
    }
}

impl MetadataRules {
    /// What a metadata name becomes; `None` when it can't be one at all.
    #[must_use]
    pub fn kept_name(&self, name: &str) -> Option<String> {
        match self.names {
            MetadataNames::Kept => Some(name.to_owned()),
            MetadataNames::LowerCase => is_token(name).then(|| name.to_ascii_lowercase()),
            MetadataNames::LowerCaseHyphen => {
                is_token(name).then(|| name.to_ascii_lowercase().replace('_', "-"))
            }
            MetadataNames::Identifier => is_identifier(name).then(|| name.to_owned()),
        }
    }

    /// What tells a name, as it is kept, from others: without its letter case, where that tells nothing.
    #[must_use]
    pub fn folded(&self, kept: String) -> String {
        if self.names == MetadataNames::Kept { kept } else { kept.to_ascii_lowercase() }
    }

    fn value_objection(&self, value: &str) -> Option<&'static str> {
        if self.header_values && !is_header_value(value) {
            return Some("holds control characters or blanks at its ends, which no header can carry");
        }
        (self.ascii_values && !value.is_ascii()).then_some("is not ASCII")
    }
}

impl TagRules {
    fn objection(&self, key: &str, value: &str) -> Option<String> {
        if key.is_empty() || key.chars().count() > self.key_max {
            return Some(format!("a key has 1 to {} characters here", self.key_max));
        }
        if value.chars().count() > self.value_max {
            return Some(format!("a value has at most {} characters here", self.value_max));
        }
        let allowed = |c: char| {
            let letter = if self.ascii_only { c.is_ascii_alphanumeric() } else { c.is_alphanumeric() };
            letter || c == ' ' || self.punctuation.as_ref().is_none_or(|p| p.contains(c))
        };
        key.chars()
            .chain(value.chars())
            .find(|c| !allowed(*c))
            .map(|c| format!("'{}' is not allowed", c.escape_debug()))
    }
}

/// RFC 9110 §5.6.2.
fn is_token(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

/// A C# identifier, as far as a header name can carry one.
fn is_identifier(name: &str) -> bool {
    name.bytes()
        .enumerate()
        .all(|(i, b)| b == b'_' || b.is_ascii_alphabetic() || (i > 0 && b.is_ascii_digit()))
        && !name.is_empty()
}

/// RFC 9110 §5.5, with UTF-8 beyond ASCII: no control characters but the tab inside, no blanks at the ends.
fn is_header_value(value: &str) -> bool {
    value.trim_matches([' ', '\t']).len() == value.len() && !value.chars().any(|c| c.is_control())
}

#[cfg(test)]
#[path = "capabilities_tests.rs"]
mod tests;
