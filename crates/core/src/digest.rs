//! Digests of content.

use std::fmt;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use sha2::Digest as _;
use sha2::digest::common::hazmat::{SerializableState, SerializedState};

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

/// Computes a [`Sha256`] piece by piece. Its state can be kept and gone on from, in another process too.
#[derive(Clone, Debug, Default)]
pub struct Sha256Hasher {
    inner: sha2::Sha256,
    taken: u64,
}

/// The form of a kept state. It changes with the form that the hash library writes.
const STATE_FORM: u8 = 1;
/// Bytes at the end of a kept state: the first of the SHA-256 of those before them.
const STATE_CHECK: usize = 8;
/// Bytes that SHA-256 takes at a time.
const BLOCK: usize = 64;

impl Sha256Hasher {
    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.inner.update(bytes);
        self.taken += bytes.len() as u64;
    }

    /// Takes the next bytes into two digests, block by block in turn. A processor that hashes in hardware waits for each
    /// step of one digest; meanwhile it does one of the other's. That takes three quarters of the time of two passes.
    pub fn update_both(&mut self, other: &mut Self, bytes: &[u8]) {
        let to_block = usize::try_from(self.taken.wrapping_neg() % BLOCK as u64).unwrap_or(0);
        let (head, blocks) = bytes.split_at(to_block.min(bytes.len()));
        for piece in std::iter::once(head).chain(blocks.chunks(BLOCK)) {
            self.update(piece);
            other.update(piece);
        }
    }

    /// How many bytes were taken.
    #[must_use]
    pub fn taken(&self) -> u64 {
        self.taken
    }

    /// The digest of all that was taken.
    #[must_use]
    pub fn finish(self) -> Sha256 {
        Sha256(self.inner.finalize().into())
    }

    /// The state after what was taken so far, for [`from_state`](Self::from_state): about 120 bytes. It holds up to 63 of
    /// the last bytes taken.
    #[must_use]
    pub fn state(&self) -> Vec<u8> {
        let mut state = vec![STATE_FORM];
        state.extend_from_slice(&self.taken.to_le_bytes());
        state.extend_from_slice(&self.inner.serialize());
        let check = Sha256::of(&state);
        state.extend_from_slice(&check.0[..STATE_CHECK]);
        state
    }

    /// Goes on from a kept state. `None` when it is damaged or of a form that this program doesn't know: then what was
    /// taken has to be taken again.
    #[must_use]
    pub fn from_state(state: &[u8]) -> Option<Self> {
        let (body, check) = state.split_at_checked(state.len().checked_sub(STATE_CHECK)?)?;
        if Sha256::of(body).0[..STATE_CHECK] != *check {
            return None;
        }
        let (form, rest) = body.split_first()?;
        let (taken, inner) = rest.split_first_chunk()?;
        let inner = SerializedState::<sha2::Sha256>::try_from(inner).ok()?;
        let inner = sha2::Sha256::deserialize(&inner).ok()?;
        (*form == STATE_FORM).then(|| Self { inner, taken: u64::from_le_bytes(*taken) })
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

    #[test]
    fn two_digests_at_once_are_those_of_each() {
        let content: Vec<u8> = (0..500_u32).flat_map(u32::to_le_bytes).collect();
        for (before, cuts) in
            [(0, [0, 64, 2_000]), (0, [1, 65, 130]), (7, [50, 114, 1_999]), (64, [63, 64, 65])]
        {
            let (mut whole, mut part) = (Sha256Hasher::default(), Sha256Hasher::default());
            whole.update(&content[..before]);
            let mut at = 0;
            for cut in cuts.into_iter().chain([content.len()]) {
                whole.update_both(&mut part, &content[at..cut]);
                at = cut;
            }
            assert_eq!((whole.taken(), part.taken()), ((before + 2_000) as u64, 2_000));
            assert_eq!(whole.finish(), Sha256::of(&[&content[..before], &content[..]].concat()));
            assert_eq!(part.finish(), Sha256::of(&content), "before {before}, cut at {cuts:?}");
        }
    }

    #[test]
    fn a_kept_state_goes_on_where_it_was() {
        let content: Vec<u8> = (0..1_000_u32).flat_map(u32::to_le_bytes).collect();
        for at in [0, 1, 55, 63, 64, 65, 127, 128, 3_999, 4_000] {
            let mut first = Sha256Hasher::default();
            first.update(&content[..at]);
            let mut second = Sha256Hasher::from_state(&first.state()).unwrap();
            assert_eq!(second.taken(), at as u64);
            assert_eq!(second.state(), first.state());
            second.update(&content[at..]);
            assert_eq!(second.finish(), Sha256::of(&content), "kept after {at} bytes");
        }
    }

    /// Ledgers keep states for months: what is written today has to be read by later versions.
    #[test]
    fn a_state_of_an_earlier_build_is_read() {
        let kept = "010300000000000000\
            67e6096a85ae67bb72f36e3c3af54fa57f520e518c68059babd9831f19cde05b0000000000000000\
            036162630000000000000000000000000000000000000000000000000000000000000000\
            00000000000000000000000000000000000000000000000000000000";
        let mut kept = hex::decode(kept).unwrap();
        let check = Sha256::of(&kept);
        kept.extend_from_slice(&check.0[..STATE_CHECK]);
        let mut hasher = Sha256Hasher::default();
        hasher.update(b"abc");
        assert_eq!(hex::encode(hasher.state()), hex::encode(&kept));
        assert_eq!(Sha256Hasher::from_state(&kept).unwrap().finish(), Sha256::of(b"abc"));
    }

    #[test]
    fn a_damaged_or_unknown_state_is_refused() {
        let mut hasher = Sha256Hasher::default();
        hasher.update(&[7; 100]);
        let state = hasher.state();
        for at in 0..state.len() {
            let mut damaged = state.clone();
            damaged[at] ^= 1;
            assert!(Sha256Hasher::from_state(&damaged).is_none(), "byte {at}");
            assert!(Sha256Hasher::from_state(&state[..at]).is_none(), "the first {at} bytes");
        }
        let sealed = |mut body: Vec<u8>| {
            let check = Sha256::of(&body);
            body.extend_from_slice(&check.0[..STATE_CHECK]);
            body
        };
        let body = &state[..state.len() - STATE_CHECK];
        assert!(Sha256Hasher::from_state(&sealed(body.to_vec())).is_some());
        assert!(Sha256Hasher::from_state(&sealed([&[STATE_FORM + 1], &body[1..]].concat())).is_none());
        assert!(Sha256Hasher::from_state(&sealed([body, &[0]].concat())).is_none());
        assert!(Sha256Hasher::from_state(&sealed(Vec::new())).is_none());
    }
}
