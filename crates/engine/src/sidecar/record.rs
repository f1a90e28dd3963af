//! What a sidecar says: the format.

use cabotage_core::{
    Attributes, ContentHeaders, ETag, Error, ErrorKind, Key, Loss, Metadata, ObjectForm, ObjectInfo, Result,
    Sha256, Tags, Tier, Timestamp,
};
use serde::{Deserialize, Serialize};

use crate::ToldSha256;

/// The version that is written, and the newest that is read.
pub(super) const FORMAT: u32 = 1;
/// What the field `cabotage` of a sidecar says.
const KIND: &str = "sidecar";
/// What the field `cabotage` of a location's own file says.
const LOCATION_KIND: &str = "sidecars";

/// What both kinds of file begin with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Header {
    cabotage: String,
    format: u32,
}

impl Header {
    fn of(kind: &str) -> Self {
        Self { cabotage: kind.to_owned(), format: FORMAT }
    }

    /// Looks at the header alone, since the rest of a newer format can't be known.
    fn check(bytes: &[u8], kind: &str) -> Result<(), String> {
        let header: Self =
            serde_json::from_slice(bytes).map_err(|_| format!("it is no {kind} file of Cabotage"))?;
        if header.cabotage != kind {
            return Err(format!("it is no {kind} file of Cabotage"));
        }
        if header.format > FORMAT {
            return Err(format!("it has format {}, this program knows {FORMAT}", header.format));
        }
        Ok(())
    }
}

/// What an object was before it lost something, and what it became. JSON, one object, UTF-8.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Record {
    #[serde(flatten)]
    header: Header,
    /// The object's key in the data's own store, whole.
    pub key: String,
    /// Where it came from.
    pub source: Origin,
    /// The content to which this belongs.
    pub content: Content,
    /// What the source told.
    pub original: Original,
    /// What the data's store made of it.
    pub stored: Stored,
    /// Everything that was lost, accepted losses included.
    pub losses: Vec<Loss>,
}

/// Where an object came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Origin {
    /// The store's id.
    pub store: String,
    /// The key there.
    pub key: String,
    /// The ETag there.
    pub etag: Option<ETag>,
}

/// One content of an object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Content {
    /// In bytes.
    pub size: u64,
    /// Its digest.
    #[serde(flatten)]
    pub sha256: ToldSha256,
    /// The ETag in the data's store.
    pub etag: Option<ETag>,
}

/// What the source told of an object beside its bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Original {
    /// Headers, metadata with names in their own case, tags (none: they could not be read).
    pub attributes: Attributes,
    /// Headers that no write carries.
    #[serde(default, skip_serializing_if = "Metadata::is_empty")]
    pub uncarried: Metadata,
    /// The tier.
    pub tier: Option<Tier>,
    /// The time of the last write.
    pub modified: Option<Timestamp>,
    /// The kind of object.
    pub form: ObjectForm,
}

impl Original {
    pub(super) fn of(info: &ObjectInfo) -> Self {
        Self {
            attributes: info.attributes.clone().unwrap_or_default(),
            uncarried: info.uncarried.clone(),
            tier: info.tier.clone(),
            modified: info.modified,
            form: info.form,
        }
    }
}

/// What the data's store told right after the write: whatever differs from it later was changed there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stored {
    /// Headers.
    pub headers: ContentHeaders,
    /// Digest of the metadata, in hexadecimal.
    pub metadata: String,
    /// Digest of the tags, in hexadecimal; those that can't be read count as none.
    pub tags: String,
    /// The tier's name.
    pub tier: Option<String>,
}

impl Stored {
    pub(super) fn of(info: &ObjectInfo) -> Self {
        let attributes = info.attributes.clone().unwrap_or_default();
        Self {
            headers: attributes.headers,
            metadata: metadata_digest(&attributes.metadata),
            tags: tags_digest(&attributes.tags.unwrap_or_default()),
            tier: info.tier.as_ref().map(|tier| tier.name.clone()),
        }
    }

    /// Whether the metadata are still those.
    pub(super) fn has_metadata(&self, now: &Metadata) -> bool {
        self.metadata == metadata_digest(now)
    }

    /// Whether the tags are still those.
    pub(super) fn has_tags(&self, now: &Tags) -> bool {
        self.tags == tags_digest(now)
    }

    /// Whether the tier is still that.
    pub(super) fn has_tier(&self, now: Option<&Tier>) -> bool {
        self.tier.as_deref() == now.map(|tier| tier.name.as_str())
    }
}

fn metadata_digest(metadata: &Metadata) -> String {
    Attributes { metadata: metadata.clone(), ..Attributes::default() }.digest().to_hex()
}

fn tags_digest(tags: &Tags) -> String {
    Attributes { tags: Some(tags.clone()), ..Attributes::default() }.digest().to_hex()
}

impl Record {
    pub(super) fn new(
        key: &Key,
        source: Origin,
        content: Content,
        original: Original,
        stored: Stored,
        losses: Vec<Loss>,
    ) -> Self {
        let header = Header::of(KIND);
        Self { header, key: key.as_str().to_owned(), source, content, original, stored, losses }
    }

    /// # Errors
    /// `Unsupported` with the reason, when it is no sidecar, of a newer format, or another object's.
    pub(super) fn parse(bytes: &[u8], key: &Key) -> Result<Self> {
        let unusable = |why: &str| {
            Err(Error::new(ErrorKind::Unsupported, format!("its sidecar can't be used: {why}"))
                .on(key)
                .help("look at the file in the sidecar location; without --restore-sidecar the object moves as it is"))
        };
        if let Err(why) = Header::check(bytes, KIND) {
            return unusable(&why);
        }
        match serde_json::from_slice::<Self>(bytes) {
            Ok(record) if record.key == key.as_str() => Ok(record),
            Ok(_) => unusable("it belongs to an object of another name"),
            Err(error) => unusable(&format!("it is damaged: {error}")),
        }
    }

    pub(super) fn to_json(&self) -> Result<Vec<u8>> {
        to_json(self)
    }
}

/// What the location of sidecars says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct LocationFile {
    #[serde(flatten)]
    header: Header,
    /// The id of the store that holds the data.
    pub data: String,
}

impl LocationFile {
    pub(super) fn new(data: &str) -> Self {
        Self { header: Header::of(LOCATION_KIND), data: data.to_owned() }
    }

    /// # Errors
    /// The reason, when it is none.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, String> {
        Header::check(bytes, LOCATION_KIND)?;
        serde_json::from_slice(bytes).map_err(|error| format!("it is damaged: {error}"))
    }

    pub(super) fn to_json(&self) -> Result<Vec<u8>> {
        to_json(self)
    }
}

fn to_json(value: &impl Serialize) -> Result<Vec<u8>> {
    crate::json_file(value).map(String::into_bytes)
}

/// Where the sidecar of a key is, relative to the location: `ab/cdef….json`, the SHA-256 of the key. So every key has one
/// that fits every store, no two keys share one, and no key can choose its place.
pub(super) fn place_of(key: &Key) -> String {
    let digest = Sha256::of(key.as_str().as_bytes()).to_hex();
    let (shard, rest) = digest.split_at(2);
    format!("{shard}/{rest}.json")
}

#[cfg(test)]
#[path = "record_tests.rs"]
mod tests;
