//! Entity tags.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A store's opaque mark of one state of an object, held without its quotes.
///
/// Never parsed: an S3 ETag is sometimes an MD5 and sometimes not, an Azure ETag never is. Equality of two ETags of
/// one object in one store means equal content; nothing follows across stores.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ETag(Arc<str>);

impl ETag {
    /// Takes a header's or a listing's value, with or without its quotes.
    #[must_use]
    pub fn new(value: &str) -> Self {
        let bare = value.strip_prefix('"').and_then(|v| v.strip_suffix('"')).unwrap_or(value);
        Self(bare.into())
    }

    /// Takes a value that [`bare`](Self::bare) gave: its own quotes are part of it.
    #[must_use]
    pub fn from_bare(bare: &str) -> Self {
        Self(bare.into())
    }

    /// The value without quotes, as some servers want it back.
    #[must_use]
    pub fn bare(&self) -> &str {
        &self.0
    }

    /// The value in quotes, as RFC 9110 §8.8.3 has it.
    #[must_use]
    pub fn quoted(&self) -> String {
        format!("\"{}\"", self.0)
    }
}

impl fmt::Debug for ETag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ETag({})", crate::display_text(&self.0))
    }
}

impl fmt::Display for ETag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&crate::display_text(&self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_do_not_matter() {
        assert_eq!(ETag::new("\"0x8D\""), ETag::new("0x8D"));
        assert_eq!(ETag::new("0x8D").quoted(), "\"0x8D\"");
        assert_eq!(ETag::new("\"").bare(), "\"");
    }
}
