//! Names and times on both sides.

use cabotage_core::{ETag, Error, ErrorKind, Key, ObjectInfo, Result, Timestamp};
use chrono::{DateTime, Utc};
use object_store::ObjectMeta;
use object_store::path::Path;

/// The path that means exactly that key.
pub(crate) fn path_of(key: &Key) -> Result<Path> {
    parse(key.as_str()).ok_or_else(|| {
        let message = "an object_store path can't carry the name: it has an empty segment, '.', '..' or a control character";
        Error::new(ErrorKind::KeyRejected, message)
    })
}

/// The path of exactly that text; none would be the root.
pub(crate) fn parse(text: &str) -> Option<Path> {
    Path::parse(text).ok().filter(|path| path.as_ref() == text && !text.is_empty())
}

/// Its quotes stay part of an ETag: stores differ in whether they tell them, and compare by text.
pub(crate) fn etag(told: &str) -> ETag {
    ETag::from_bare(told)
}

/// What a listing tells.
pub(crate) fn info(key: Key, meta: &ObjectMeta) -> ObjectInfo {
    ObjectInfo {
        etag: meta.e_tag.as_deref().map(etag),
        version: meta.version.clone(),
        modified: modified(meta.last_modified),
        ..ObjectInfo::new(key, meta.size)
    }
}

fn modified(at: DateTime<Utc>) -> Option<Timestamp> {
    let nanos = i32::try_from(at.timestamp_subsec_nanos().min(999_999_999)).ok()?;
    Timestamp::new(at.timestamp(), nanos).ok()
}

pub(crate) fn date(at: Timestamp) -> Result<DateTime<Utc>> {
    let found = DateTime::from_timestamp(at.as_second(), at.subsec_nanosecond().unsigned_abs());
    found.ok_or_else(|| Error::new(ErrorKind::InvalidConfig, "a time that is out of range"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_means_exactly_the_key() {
        for name in ["a", "a/b", "a b%2F", "caf\u{e9}", "..a", "%2E"] {
            assert_eq!(path_of(&Key::new(name).unwrap()).unwrap().as_ref(), name);
        }
        for name in ["/", "a/", "/a", "a//b", ".", "a/..", "a\n"] {
            assert_eq!(
                path_of(&Key::new(name).unwrap()).unwrap_err().kind(),
                ErrorKind::KeyRejected,
                "{name:?}"
            );
        }
    }

    /// Both forms go back to the store as it told them.
    #[test]
    fn etags_stay_as_they_are() {
        for told in ["0", "\"0\"", "W/\"0\""] {
            assert_eq!(etag(told).bare(), told);
        }
    }
}
