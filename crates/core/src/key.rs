//! Names of objects.

use std::fmt;
use std::sync::Arc;

use crate::{Error, ErrorKind, Result, display_key};

/// The name of an object: any non-empty UTF-8, never normalised.
///
/// Order is that of the UTF-8 bytes. `a//b`, `../x`, `a/` and a name with control characters are ordinary keys;
/// whether a store can hold one is asked with [`Capabilities::accepts`](crate::Capabilities::accepts).
/// There is no `Display`: a key reaches a human only through [`display_key`].
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(Arc<str>);

impl Key {
    /// Takes the name as it is.
    ///
    /// # Errors
    /// `KeyRejected` for the empty string.
    pub fn new(name: impl Into<Arc<str>>) -> Result<Self> {
        let name = name.into();
        if name.is_empty() {
            return Err(Error::new(ErrorKind::KeyRejected, "an object's name can't be empty"));
        }
        Ok(Self(name))
    }

    /// The name, unescaped: for requests and files, never for a terminal.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Length in bytes of UTF-8.
    #[must_use]
    #[allow(clippy::len_without_is_empty, reason = "a key is never empty")]
    pub fn len(&self) -> usize {
        self.0.len()
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", display_key(self.as_str()))
    }
}

/// A name that a listing returned and that is no [`Key`]: not UTF-8, or empty.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct RawKey(Vec<u8>);

impl RawKey {
    /// Keeps the bytes as they came.
    #[must_use]
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(bytes.into())
    }

    /// The bytes as they came.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// An escaped form for a human: bytes that are no UTF-8 become `\x..`.
    #[must_use]
    pub fn display(&self) -> String {
        let mut out = String::new();
        for chunk in self.0.utf8_chunks() {
            out.push_str(&display_key(chunk.valid()));
            for byte in chunk.invalid() {
                out.push_str(&format!("\\x{byte:02x}"));
            }
        }
        out
    }
}

impl fmt::Debug for RawKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RawKey({})", self.display())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_is_that_of_bytes() {
        let supplementary = Key::new("\u{1F600}").unwrap();
        let private_use = Key::new("\u{FF5E}").unwrap();
        assert!(private_use < supplementary, "UTF-8 order, not UTF-16");
    }

    #[test]
    fn the_empty_name_is_refused() {
        assert_eq!(Key::new("").unwrap_err().kind(), ErrorKind::KeyRejected);
    }

    #[test]
    fn a_raw_key_shows_its_bytes() {
        assert_eq!(RawKey::new(*b"a\xff\x1b").display(), "a\\xff\\u{1b}");
    }
}
