//! What a profile says.

use std::collections::BTreeMap;

use cabotage_core::{
    Limits, MetadataNames, MetadataRules, Preconditions, Rates, Support, TagRules, TierClass, TierRules,
};
use serde::Deserialize;

/// How a bucket's name stands in a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Addressing {
    /// `https://host/bucket/key`.
    #[default]
    Path,
    /// `https://bucket.host/key`.
    Virtual,
}

/// In which form a server wants an ETag in If-Match.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EtagForm {
    /// In quotes, as RFC 9110 §8.8.3 has it.
    Quoted,
    /// Without quotes.
    Bare,
    /// Not known.
    #[default]
    Unknown,
}

/// How much a statement is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Evidence {
    /// The provider documents it.
    Documented,
    /// It was measured against the server.
    Measured,
    /// It follows from something else, such as the engine behind the service.
    Inferred,
    /// Nobody has checked it.
    Unverified,
}

/// Where a group of a profile's statements comes from.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fact {
    /// Which statements: `limits`, `conditions`.
    pub about: String,
    /// What they are worth.
    pub evidence: Evidence,
    /// Which page or measurement.
    pub source: String,
    /// The date of the source, `YYYY-MM` or `YYYY-MM-DD`.
    pub as_of: String,
}

/// Limits in bytes, parts and seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProfileLimits {
    /// Largest single PUT.
    pub single_put_max: u64,
    /// Smallest part but for the last.
    pub part_min: u64,
    /// Largest part.
    pub part_max: u64,
    /// Most parts.
    pub parts_max: u32,
    /// Largest object.
    pub object_max: u64,
    /// Longest time that one request may send, where there is a limit (Outscale: 180).
    #[serde(default)]
    pub upload_seconds: Option<u32>,
    /// Longest key in bytes of UTF-8.
    pub key_bytes: usize,
    /// Largest object that one CopyObject takes.
    #[serde(default = "copy_max")]
    pub copy_max: u64,
}

fn copy_max() -> u64 {
    5_000_000_000
}

/// What is enforced of preconditions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Conditions {
    /// `If-None-Match: *` on PUT.
    pub create: Support,
    /// If-Match on PUT.
    pub if_match: Support,
    /// Either of them on CompleteMultipartUpload.
    pub complete: Support,
    /// If-Match on DELETE.
    pub delete: Support,
    /// `x-amz-copy-source-if-match` on CopyObject.
    pub copy_source: Support,
    /// In which form If-Match wants the ETag.
    pub if_match_etag_form: EtagForm,
}

/// What is checked of digests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Integrity {
    /// A wrong SHA-256 in a signed `x-amz-content-sha256`.
    pub signed_sha256: Support,
    /// Whether a HEAD with `x-amz-checksum-mode: ENABLED` tells checksums, and is harmless.
    pub published_checksums: bool,
}

/// A storage class.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StorageClass {
    /// Its name on the wire.
    pub name: String,
    /// What it means for a reader.
    pub class: TierClass,
    /// Names under which it may be read back, beside its own.
    #[serde(default)]
    pub reads_back_as: Vec<String>,
}

/// What is known of a provider.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// Its name in configuration.
    pub id: String,
    /// Its name for a human.
    pub name: String,
    /// The endpoint, with `{region}` where the region stands; `None`: it must be given.
    #[serde(default)]
    pub endpoint: Option<String>,
    /// Regions known; others are taken too.
    #[serde(default)]
    pub regions: Vec<String>,
    /// The region that is signed when none is given.
    #[serde(default)]
    pub default_region: Option<String>,
    /// How buckets are addressed.
    #[serde(default)]
    pub addressing: Addressing,
    /// Sizes.
    pub limits: ProfileLimits,
    /// Preconditions.
    #[serde(default)]
    pub conditions: Conditions,
    /// Digests.
    #[serde(default)]
    pub integrity: Integrity,
    /// What becomes of metadata names.
    #[serde(default = "lower_case")]
    pub metadata_names: MetadataNames,
    /// Most bytes of all metadata names and values.
    #[serde(default)]
    pub metadata_max: Option<usize>,
    /// Whether metadata values must be ASCII to come back unchanged.
    #[serde(default)]
    pub metadata_ascii: bool,
    /// Most tags; 0: there are none.
    pub tags_max: usize,
    /// Whether tags are limited to letters, digits, space and `+-.=_:/@`.
    #[serde(default)]
    pub tags_restricted: bool,
    /// Whether tags given on CreateMultipartUpload arrive (`enforced`) or are dropped (`ignored`).
    #[serde(default)]
    pub upload_tags: Support,
    /// Whether a HEAD tells in `x-amz-tagging-count` that there are tags, so that its absence means none.
    #[serde(default)]
    pub tag_count: bool,
    /// Most keys of one DeleteObjects; 0: delete one by one.
    #[serde(default)]
    pub delete_many: usize,
    /// Whether CopyObject can be relied on, onto the same key too.
    #[serde(default)]
    pub copy: bool,
    /// Whether CopyObject takes objects that are encrypted with a customer's key (SSE-C).
    #[serde(default)]
    pub customer_key_copy: bool,
    /// Whether an overwritten object is seen at once by every reader; false or unknown means: verify with care.
    #[serde(default)]
    pub consistent_overwrites: bool,
    /// How many requests a second the provider takes; no bytes, which nobody states.
    #[serde(default)]
    pub rates: Rates,
    /// Storage classes that a write may ask for.
    #[serde(default)]
    pub storage_classes: Vec<StorageClass>,
    /// Where the statements come from.
    pub facts: Vec<Fact>,
}

fn lower_case() -> MetadataNames {
    MetadataNames::LowerCase
}

/// Punctuation in tags, by the S3 API reference.
const TAG_PUNCTUATION: &str = "+-.=_:/@";

impl Profile {
    /// The endpoint for a region.
    ///
    /// `None` where the profile has no template, or the template asks for a region and none is given.
    #[must_use]
    pub fn endpoint_for(&self, region: Option<&str>) -> Option<String> {
        let template = self.endpoint.as_deref()?;
        if !template.contains("{region}") {
            return Some(template.to_owned());
        }
        Some(template.replace("{region}", region?))
    }

    /// What a storage class means. A name that the profile doesn't know is read by its name in the S3 API.
    #[must_use]
    pub fn tier_class(&self, name: &str) -> TierClass {
        if let Some(class) = self.storage_classes.iter().find(|class| class.name == name) {
            return class.class;
        }
        match name {
            "STANDARD" => TierClass::Default,
            "GLACIER" | "DEEP_ARCHIVE" => TierClass::Archive,
            _ => TierClass::Infrequent,
        }
    }

    /// Sizes in the core's terms.
    #[must_use]
    pub fn core_limits(&self) -> Limits {
        Limits {
            single_max: self.limits.single_put_max,
            part_min: self.limits.part_min,
            part_max: self.limits.part_max,
            parts_max: self.limits.parts_max,
            object_max: self.limits.object_max,
        }
    }

    /// Metadata in the core's terms.
    #[must_use]
    pub fn metadata_rules(&self) -> MetadataRules {
        MetadataRules {
            names: self.metadata_names,
            max_bytes: self.metadata_max,
            header_values: true,
            ascii_values: self.metadata_ascii,
        }
    }

    /// Tags in the core's terms: keys of 128 and values of 256 characters.
    #[must_use]
    pub fn tag_rules(&self) -> TagRules {
        TagRules {
            max: self.tags_max,
            key_max: 128,
            value_max: 256,
            punctuation: self.tags_restricted.then(|| TAG_PUNCTUATION.to_owned()),
            ascii_only: false,
        }
    }

    /// Storage classes in the core's terms.
    #[must_use]
    pub fn tier_rules(&self) -> TierRules {
        let known: BTreeMap<_, _> =
            self.storage_classes.iter().map(|class| (class.name.clone(), class.class)).collect();
        TierRules { known }
    }

    /// Preconditions in the core's terms.
    #[must_use]
    pub fn preconditions(&self) -> Preconditions {
        Preconditions {
            create: self.conditions.create,
            if_match: self.conditions.if_match,
            complete: self.conditions.complete,
        }
    }
}
