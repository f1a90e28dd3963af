//! SHA-256 of an object's content: of its bytes, or of the digests of its parts.

use std::fmt;

use cabotage_core::{Sha256, Sha256Hasher};
use serde::{Deserialize, Serialize};

/// Over what a SHA-256 of a content is computed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum DigestForm {
    /// Its bytes, as `sha256sum` does.
    #[default]
    Whole,
    /// The SHA-256 values, 32 bytes each, of its parts in their order: S3's composite SHA-256 checksum without the number
    /// of parts.
    Composite {
        /// Bytes of each part but the last.
        part_size: u64,
    },
}

impl DigestForm {
    /// That with parts of so many bytes; the bytes themselves for none.
    #[must_use]
    pub fn of_part_size(part_size: Option<u64>) -> Self {
        part_size.filter(|size| *size > 0).map_or(Self::Whole, |part_size| Self::Composite { part_size })
    }

    /// Bytes of each part but the last, where it is of parts.
    #[must_use]
    pub fn part_size(self) -> Option<u64> {
        match self {
            Self::Whole => None,
            Self::Composite { part_size } => Some(part_size),
        }
    }
}

/// SHA-256 of a content, and over what it was computed. Two tell something of each other only in the same form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ContentSha256 {
    /// The value.
    pub value: Sha256,
    /// Over what.
    pub form: DigestForm,
}

impl ContentSha256 {
    /// That of the bytes.
    #[must_use]
    pub fn whole(value: Sha256) -> Self {
        Self { value, form: DigestForm::Whole }
    }

    /// The form of one that may not be known: then that of the bytes.
    pub(crate) fn form_of(known: Option<Self>) -> DigestForm {
        known.map(|known| known.form).unwrap_or_default()
    }

    /// From the digests of parts of so many bytes, in their order.
    #[must_use]
    pub fn of_parts(part_size: u64, digests: impl IntoIterator<Item = Sha256>) -> Self {
        let mut hasher = Sha256Hasher::default();
        digests.into_iter().for_each(|digest| hasher.update(&digest.0));
        Self { value: hasher.finish(), form: DigestForm::Composite { part_size } }
    }
}

impl fmt::Display for ContentSha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.form {
            DigestForm::Whole => self.value.fmt(f),
            DigestForm::Composite { part_size } => {
                write!(f, "{} (of the digests of parts of {part_size} bytes)", self.value)
            }
        }
    }
}

/// A [`ContentSha256`] as files tell it: `sha256` is always that of the bytes, so that nobody takes the other for it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToldSha256 {
    /// Of the bytes, in hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// Of the digests of parts, in hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub composite_sha256: Option<String>,
    /// The size of those parts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part_size: Option<u64>,
}

impl ToldSha256 {
    /// What to tell of one; nothing where it is not known.
    #[must_use]
    pub fn of(known: Option<ContentSha256>) -> Self {
        let Some(ContentSha256 { value, form }) = known else { return Self::default() };
        let (hex, part_size) = (Some(value.to_hex()), form.part_size());
        match form {
            DigestForm::Whole => Self { sha256: hex, ..Self::default() },
            DigestForm::Composite { .. } => Self { composite_sha256: hex, part_size, ..Self::default() },
        }
    }

    /// What was told; none where that is nothing, or can't be read.
    pub(crate) fn read(&self) -> Option<ContentSha256> {
        match (&self.sha256, &self.composite_sha256, self.part_size) {
            (Some(hex), None, None) => Some(ContentSha256::whole(Sha256::from_hex(hex)?)),
            (None, Some(hex), Some(part_size)) if part_size > 0 => Some(ContentSha256 {
                value: Sha256::from_hex(hex)?,
                form: DigestForm::Composite { part_size },
            }),
            _ => None,
        }
    }
}

/// Computes a [`ContentSha256`] piece by piece, in the order of the bytes.
#[derive(Clone, Debug)]
pub(crate) enum ContentHasher {
    Whole(Sha256Hasher),
    Composite { part_size: u64, part: Sha256Hasher, parts: Sha256Hasher },
}

impl ContentHasher {
    pub(crate) fn new(form: DigestForm) -> Self {
        match form {
            DigestForm::Whole => Self::Whole(Sha256Hasher::default()),
            DigestForm::Composite { part_size } => {
                Self::Composite { part_size, part: Sha256Hasher::default(), parts: Sha256Hasher::default() }
            }
        }
    }

    /// Takes the next bytes.
    pub(crate) fn update(&mut self, mut bytes: &[u8]) {
        match self {
            Self::Whole(hasher) => hasher.update(bytes),
            Self::Composite { part_size, part, parts } => {
                while !bytes.is_empty() {
                    if part.taken() == *part_size {
                        parts.update(&std::mem::take(part).finish().0);
                    }
                    let left = usize::try_from(*part_size - part.taken()).unwrap_or(usize::MAX);
                    let (now, later) = bytes.split_at(left.min(bytes.len()));
                    part.update(now);
                    bytes = later;
                }
            }
        }
    }

    /// Whether it is of the bytes and has taken none: then its first part's digest goes on as this one.
    pub(crate) fn is_unused(&self) -> bool {
        matches!(self, Self::Whole(hasher) if hasher.taken() == 0)
    }

    /// Takes the next bytes, and so does the digest of the part that they are of.
    pub(crate) fn update_with(&mut self, part: &mut Sha256Hasher, bytes: &[u8]) {
        match self {
            Self::Whole(hasher) => hasher.update_both(part, bytes),
            Self::Composite { .. } => {
                self.update(bytes);
                part.update(bytes);
            }
        }
    }

    /// The state to go on from in another run; none for parts' digests, of which parts are sent in other sizes.
    pub(crate) fn state(&self) -> Option<Vec<u8>> {
        match self {
            Self::Whole(hasher) => Some(hasher.state()),
            Self::Composite { .. } => None,
        }
    }

    /// The digest of all that was taken.
    pub(crate) fn finish(self) -> ContentSha256 {
        match self {
            Self::Whole(hasher) => ContentSha256::whole(hasher.finish()),
            Self::Composite { part_size, part, mut parts } => {
                if part.taken() > 0 {
                    parts.update(&part.finish().0);
                }
                ContentSha256 { value: parts.finish(), form: DigestForm::Composite { part_size } }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONTENT: &[u8] = b"0123456789abcdefghijKLMNO";

    fn hashed(form: DigestForm, pieces: usize) -> ContentSha256 {
        let mut hasher = ContentHasher::new(form);
        CONTENT.chunks(pieces).for_each(|piece| hasher.update(piece));
        hasher.finish()
    }

    #[test]
    fn a_composite_is_of_the_parts_digests_however_the_bytes_come() {
        for part_size in [1, 5, 7, 10, 24, 25, 26] {
            let parts = CONTENT.chunks(usize::try_from(part_size).unwrap()).map(Sha256::of);
            let expected = ContentSha256::of_parts(part_size, parts);
            for pieces in [1, 2, 5, 9, 10, 11, 25] {
                let form = DigestForm::Composite { part_size };
                assert_eq!(hashed(form, pieces), expected, "parts of {part_size}, pieces of {pieces}");
            }
        }
    }

    /// As S3 tells it for two parts, without the `-2`.
    #[test]
    fn a_composite_is_the_digest_of_digests() {
        let both = [Sha256::of(&CONTENT[..20]).0, Sha256::of(&CONTENT[20..]).0].concat();
        let composite = hashed(DigestForm::Composite { part_size: 20 }, 3);
        assert_eq!(composite.value, Sha256::of(&both));
        assert_ne!(
            composite,
            ContentSha256::whole(composite.value),
            "the same value in another form is another digest"
        );
    }

    #[test]
    fn the_whole_is_of_the_bytes() {
        assert_eq!(hashed(DigestForm::Whole, 4), ContentSha256::whole(Sha256::of(CONTENT)));
        let empty = ContentHasher::new(DigestForm::Composite { part_size: 9 }).finish();
        assert_eq!(empty.value, Sha256::of(b""));
    }

    #[test]
    fn what_is_told_is_read() {
        let known = [ContentSha256::whole(Sha256::of(b"x")), ContentSha256::of_parts(5, [Sha256::of(b"x")])];
        for known in known {
            let told = ToldSha256::of(Some(known));
            assert_eq!(told.read(), Some(known));
            assert_eq!(told.sha256.is_some(), known.form == DigestForm::Whole);
        }
        assert_eq!(ToldSha256::of(None).read(), None);
        let sizeless = ToldSha256 { part_size: None, ..ToldSha256::of(Some(known[1])) };
        let sized = ToldSha256 { part_size: Some(5), ..ToldSha256::of(Some(known[0])) };
        let none = ToldSha256 { part_size: Some(0), ..ToldSha256::of(Some(known[1])) };
        for damaged in [sizeless, sized, none] {
            assert_eq!(damaged.read(), None);
        }
    }

    #[test]
    fn forms_by_part_size() {
        assert_eq!(DigestForm::of_part_size(Some(3)), DigestForm::Composite { part_size: 3 });
        for none in [None, Some(0)] {
            assert_eq!(DigestForm::of_part_size(none), DigestForm::Whole);
        }
        let shown = ContentSha256::of_parts(3, []).to_string();
        assert!(shown.ends_with("(of the digests of parts of 3 bytes)"), "{shown}");
    }
}
