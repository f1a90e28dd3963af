//! What an object carries beside its bytes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Sha256, Sha256Hasher};

/// User metadata: names in the case in which they came, ordered; values as text.
pub type Metadata = BTreeMap<String, String>;

/// Object tags (Azure: blob index tags).
pub type Tags = BTreeMap<String, String>;

/// The content headers that both clouds keep. `None` means that the object has none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ContentHeaders {
    /// Content-Type.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// Content-Encoding. Bodies are never decoded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_encoding: Option<String>,
    /// Content-Language.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_language: Option<String>,
    /// Content-Disposition.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_disposition: Option<String>,
    /// Cache-Control.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_control: Option<String>,
}

impl ContentHeaders {
    /// Each header by its lower-case name, in a fixed order.
    #[must_use]
    pub fn entries(&self) -> [(&'static str, Option<&str>); 5] {
        [
            ("content-type", self.content_type.as_deref()),
            ("content-encoding", self.content_encoding.as_deref()),
            ("content-language", self.content_language.as_deref()),
            ("content-disposition", self.content_disposition.as_deref()),
            ("cache-control", self.cache_control.as_deref()),
        ]
    }

    /// Sets the header of that lower-case name; false when it is none of the five.
    pub fn set(&mut self, name: &str, value: Option<String>) -> bool {
        let slot = match name {
            "content-type" => &mut self.content_type,
            "content-encoding" => &mut self.content_encoding,
            "content-language" => &mut self.content_language,
            "content-disposition" => &mut self.content_disposition,
            "cache-control" => &mut self.cache_control,
            _ => return false,
        };
        *slot = value;
        true
    }
}

/// All attributes that travel with an object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Attributes {
    /// Content headers.
    pub headers: ContentHeaders,
    /// User metadata.
    pub metadata: Metadata,
    /// Tags; `None` means that they are not known, not that there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tags: Option<Tags>,
}

impl Attributes {
    /// A digest of everything that is set, the same for the same attributes whatever store they came from.
    ///
    /// Unknown tags and no tags give the same digest. Names of metadata count in lower case, since both protocols
    /// compare them so.
    #[must_use]
    pub fn digest(&self) -> Sha256 {
        let mut hasher = Sha256Hasher::default();
        let mut field = |kind: u8, name: &str, value: &str| {
            hasher.update(&[kind]);
            for text in [name, value] {
                hasher.update(&(text.len() as u64).to_le_bytes());
                hasher.update(text.as_bytes());
            }
        };
        for (name, value) in self.headers.entries() {
            if let Some(value) = value {
                field(b'h', name, value);
            }
        }
        let folded: BTreeMap<String, &String> =
            self.metadata.iter().map(|(name, value)| (name.to_ascii_lowercase(), value)).collect();
        for (name, value) in folded {
            field(b'm', &name, value);
        }
        for (name, value) in self.tags.iter().flatten() {
            field(b't', name, value);
        }
        hasher.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_metadata(name: &str, value: &str) -> Attributes {
        Attributes { metadata: [(name.to_owned(), value.to_owned())].into(), ..Attributes::default() }
    }

    #[test]
    fn digest_sees_what_matters() {
        let base = with_metadata("Owner", "x");
        assert_eq!(base.digest(), with_metadata("owner", "x").digest());
        assert_ne!(base.digest(), with_metadata("owner", "y").digest());
        assert_ne!(base.digest(), with_metadata("ownerx", "").digest());
        let tagged =
            Attributes { tags: Some([("Owner".into(), "x".into())].into()), ..Attributes::default() };
        assert_ne!(base.digest(), tagged.digest(), "a tag is no metadata");
        let untagged = Attributes { tags: Some(Tags::new()), ..base.clone() };
        assert_eq!(base.digest(), untagged.digest());
    }
}
