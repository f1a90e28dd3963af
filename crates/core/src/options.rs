//! Options of the operations.

use std::ops::Range;
use std::time::Duration;

use jiff::Timestamp;

use crate::{Attributes, ETag, Error, ErrorKind, ObjectInfo, Result, Secret};

/// How much a head should tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Detail {
    /// What one request tells; tags may stay unknown.
    #[default]
    Basic,
    /// Tags too, at the price of a second request where the store needs one.
    WithTags,
}

/// Which bytes to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadRange {
    /// From `start` up to, not including, `end`; cut at the object's end. `start` at or past the end fails.
    Bounded {
        /// First byte.
        start: u64,
        /// One past the last byte.
        end: u64,
    },
    /// From that byte to the end.
    From(u64),
    /// The last bytes, at most that many.
    Suffix(u64),
}

impl ReadRange {
    /// The bytes meant of an object of that size: never empty, never past the end.
    ///
    /// # Errors
    /// `PreconditionFailed` for a range that starts at or past the end, or holds nothing (RFC 9110 §15.5.17).
    pub fn within(self, size: u64) -> Result<Range<u64>> {
        let range = match self {
            Self::Bounded { start, end } => start..end.min(size),
            Self::From(start) => start..size,
            Self::Suffix(last) => size.saturating_sub(last)..size,
        };
        if range.start < range.end {
            return Ok(range);
        }
        let message = format!("the range {self:?} holds no byte of an object of {size} bytes");
        Err(Error::new(ErrorKind::PreconditionFailed, message))
    }
}

/// Options of a read.
#[derive(Clone, Debug, Default)]
pub struct ReadOptions {
    /// Only these bytes.
    pub range: Option<ReadRange>,
    /// Only this state of the object, else `PreconditionFailed`.
    pub if_match: Option<ETag>,
    /// Not this state, else `PreconditionFailed`.
    pub if_none_match: Option<ETag>,
    /// Only if written after, else `PreconditionFailed`.
    pub if_modified_since: Option<Timestamp>,
    /// Only if not written after, else `PreconditionFailed`.
    pub if_unmodified_since: Option<Timestamp>,
    /// That version.
    pub version: Option<String>,
}

impl ReadOptions {
    /// Those bytes of that state.
    #[must_use]
    pub fn pinned(range: Option<ReadRange>, etag: Option<ETag>) -> Self {
        Self { range, if_match: etag, ..Self::default() }
    }

    /// Whether that state of the object may be read: for stores that decide it themselves.
    ///
    /// # Errors
    /// `PreconditionFailed`, naming the condition.
    pub fn check(&self, info: &ObjectInfo) -> Result<()> {
        let failed = |what: &str| Err(Error::new(ErrorKind::PreconditionFailed, what));
        if self.if_match.is_some() && self.if_match != info.etag {
            return failed("the object is no longer in the state asked for");
        }
        if self.if_none_match.is_some() && self.if_none_match == info.etag {
            return failed("the object is still in the state that was not wanted");
        }
        if let (Some(since), Some(modified)) = (self.if_modified_since, info.modified)
            && modified <= since
        {
            return failed("the object was not written since the time given");
        }
        if let (Some(since), Some(modified)) = (self.if_unmodified_since, info.modified)
            && modified > since
        {
            return failed("the object was written since the time given");
        }
        Ok(())
    }
}

/// What may be in the object's place before a write.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum WriteMode {
    /// Nothing; else `PreconditionFailed`. Safe against a race only where
    /// [`Preconditions::create`](crate::Preconditions) is enforced.
    Create,
    /// Anything: the old object is replaced.
    #[default]
    Replace,
    /// Exactly that state; else `PreconditionFailed` (or `NotFound`).
    IfMatch(ETag),
}

/// Options of a write or an upload.
#[derive(Clone, Debug, Default)]
pub struct WriteOptions {
    /// What travels with the bytes. What the store can't hold is `Unsupported`, never dropped.
    pub attributes: Attributes,
    /// What may be in its place.
    pub mode: WriteMode,
    /// The store's own name of the tier; `None` takes the default.
    pub tier: Option<String>,
    /// The time to set where the store keeps one of its own (local files); elsewhere ignored.
    pub modified: Option<Timestamp>,
}

/// Options of a delete.
#[derive(Clone, Debug, Default)]
pub struct DeleteOptions {
    /// Only this state, else `PreconditionFailed`. A store that can't check it on the server compares a head first.
    pub if_match: Option<ETag>,
    /// That version, for good; without it, a store that keeps versions hides the object and keeps its content. `if_match`
    /// is not looked at then. `Unsupported` where versions can't be named.
    pub version: Option<String>,
}

/// What a presigned URL is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PresignMethod {
    /// Reading.
    Get,
    /// Writing.
    Put,
}

/// A URL that carries its own permission.
#[derive(Clone, Debug)]
pub struct Presigned {
    /// The URL: a secret while it lives.
    pub url: Secret,
    /// For how long, from now.
    pub expires_in: Duration,
    /// Headers that the holder has to send with it (Azure: the kind of blob that a PUT makes).
    pub headers: Vec<(&'static str, String)>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Key;

    #[test]
    fn ranges_within_an_object() {
        use ReadRange::{Bounded, From, Suffix};
        for (range, size, meant) in [
            (Bounded { start: 2, end: 5 }, 10, Some(2..5)),
            (Bounded { start: 2, end: 50 }, 10, Some(2..10)),
            (Bounded { start: 10, end: 50 }, 10, None),
            (Bounded { start: 5, end: 5 }, 10, None),
            (Bounded { start: 0, end: 1 }, 0, None),
            (From(0), 10, Some(0..10)),
            (From(9), 10, Some(9..10)),
            (From(10), 10, None),
            (From(0), 0, None),
            (Suffix(3), 10, Some(7..10)),
            (Suffix(30), 10, Some(0..10)),
            (Suffix(0), 10, None),
            (Suffix(3), 0, None),
        ] {
            let found = range.within(size);
            if let Err(error) = &found {
                assert_eq!(error.kind(), ErrorKind::PreconditionFailed);
            }
            assert_eq!(found.ok(), meant, "{range:?} of {size}");
        }
    }

    #[test]
    fn conditions_of_a_read() {
        let at = |seconds| Timestamp::from_second(seconds).unwrap();
        let mut info = ObjectInfo::new(Key::new("k").unwrap(), 1);
        info.etag = Some(ETag::new("a"));
        info.modified = Some(at(100));
        let base = ReadOptions::default;
        let etag = |text| Some(ETag::new(text));
        for (options, fits) in [
            (base(), true),
            (ReadOptions { if_match: etag("a"), ..base() }, true),
            (ReadOptions { if_match: etag("b"), ..base() }, false),
            (ReadOptions { if_none_match: etag("b"), ..base() }, true),
            (ReadOptions { if_none_match: etag("a"), ..base() }, false),
            (ReadOptions { if_modified_since: Some(at(99)), ..base() }, true),
            (ReadOptions { if_modified_since: Some(at(100)), ..base() }, false),
            (ReadOptions { if_unmodified_since: Some(at(100)), ..base() }, true),
            (ReadOptions { if_unmodified_since: Some(at(99)), ..base() }, false),
        ] {
            assert_eq!(options.check(&info).is_ok(), fits, "{options:?}");
        }
    }
}
