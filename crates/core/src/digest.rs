//! Digests of content.

use std::fmt;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use sha2::Digest as _;

/// What a digest was computed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Algorithm {
    /// MD5: finds accidents, not attacks.
    Md5,
    /// SHA-256, FIPS 180-4.
    Sha256,
    /// CRC-64/NVME, as S3 publishes it.
    Crc64Nvme,
    /// CRC-32C.
    Crc32c,
}

/// What a digest was computed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DigestScope {
    /// The object's bytes.
    Whole,
    /// The digests of its parts: comparable only where the parts were cut alike.
    Composite {
        /// How many parts.
        parts: u32,
    },
}

/// A digest that a store publishes for an object. A claim until someone has computed it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Digest {
    /// With what.
    pub algorithm: Algorithm,
    /// Over what.
    pub scope: DigestScope,
    /// The value, raw bytes.
    pub value: Vec<u8>,
}

/// A SHA-256 value.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Sha256(pub [u8; 32]);

impl Sha256 {
    /// The digest of one run of bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(sha2::Sha256::digest(bytes).into())
    }

    /// The digest of chunks in order.
    #[must_use]
    pub fn of_chunks(chunks: &[Bytes]) -> Self {
        let mut hasher = Sha256Hasher::default();
        for chunk in chunks {
            hasher.update(chunk);
        }
        hasher.finish()
    }

    /// Lower-case hexadecimal, 64 characters, as `sha256sum` prints it.
    #[must_use]
    pub fn to_hex(&self) -> String {
        hex::encode(self.0)
    }

    /// Reads 64 hexadecimal characters, either case.
    #[must_use]
    pub fn from_hex(text: &str) -> Option<Self> {
        let mut out = [0; 32];
        hex::decode_to_slice(text, &mut out).ok()?;
        Some(Self(out))
    }
}

impl fmt::Debug for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sha256({})", self.to_hex())
    }
}

impl fmt::Display for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_hex())
    }
}

/// Computes a [`Sha256`] piece by piece.
#[derive(Clone, Debug, Default)]
pub struct Sha256Hasher(sha2::Sha256);

impl Sha256Hasher {
    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest of all that was taken.
    #[must_use]
    pub fn finish(self) -> Sha256 {
        Sha256(self.0.finalize().into())
    }
}

/// An MD5 value, as `Content-MD5` carries it (RFC 1864): a check against accidents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Md5(pub [u8; 16]);

impl Md5 {
    /// The digest of chunks in order.
    #[must_use]
    pub fn of_chunks(chunks: &[Bytes]) -> Self {
        let mut hasher = Md5Hasher::default();
        for chunk in chunks {
            hasher.update(chunk);
        }
        hasher.finish()
    }
}

/// Computes an [`Md5`] piece by piece.
#[derive(Clone, Debug, Default)]
pub struct Md5Hasher(md5::Md5);

impl Md5Hasher {
    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest of all that was taken.
    #[must_use]
    pub fn finish(self) -> Md5 {
        Md5(self.0.finalize().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_values() {
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(Sha256::of(b"").to_hex(), empty);
        assert_eq!(Sha256::from_hex(empty), Some(Sha256::of_chunks(&[])));
        assert_eq!(Sha256::from_hex("e3"), None);
        let chunks = [Bytes::from_static(b"a"), Bytes::from_static(b"bc")];
        assert_eq!(Sha256::of_chunks(&chunks), Sha256::of(b"abc"));
        assert_eq!(hex::encode(Md5::of_chunks(&chunks).0), "900150983cd24fb0d6963f7d28e17f72");
    }
}
