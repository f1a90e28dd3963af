//! Names on both sides, and those that have none on the other.

use std::sync::atomic::{AtomicU64, Ordering};

use cabotage_core::{ETag, Key, ObjectInfo, display_key};
use chrono::{DateTime, Utc};
use object_store::path::Path;
use object_store::{Error, ObjectMeta, Result};

use crate::error::core_error;

/// The key of that path; the root is none.
pub(crate) fn key_of(path: &Path) -> Result<Key> {
    Key::new(path.as_ref()).map_err(|error| core_error(error, path))
}

/// The path that means exactly that name, if there is one: `a//b`, `a/`, `/a`, `..` and control characters have none,
/// and neither has the empty name, which would be the root.
pub(crate) fn path_of(name: &str) -> Option<Path> {
    Path::parse(name).ok().filter(|path| path.as_ref() == name && !name.is_empty())
}

/// The beginning of all keys in that folder.
pub(crate) fn folder(prefix: Option<&Path>) -> String {
    match prefix {
        Some(prefix) if !prefix.as_ref().is_empty() => format!("{prefix}/"),
        _ => String::new(),
    }
}

/// What `object_store` tells of an object.
pub(crate) fn meta(location: Path, info: &ObjectInfo) -> ObjectMeta {
    let modified = info
        .modified
        .and_then(|at| DateTime::from_timestamp(at.as_second(), at.subsec_nanosecond().unsigned_abs()));
    ObjectMeta {
        location,
        last_modified: modified.unwrap_or(DateTime::<Utc>::UNIX_EPOCH),
        size: info.size,
        e_tag: info.etag.as_ref().map(ETag::quoted),
        version: info.version.clone(),
    }
}

/// Counts the names that no path can carry. The first is told in a warning.
#[derive(Debug, Default)]
pub(crate) struct LeftOut(AtomicU64);

impl LeftOut {
    pub(crate) fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    pub(crate) fn add(&self, shown: &str) {
        if self.0.fetch_add(1, Ordering::Relaxed) == 0 {
            tracing::warn!(
                "listings leave out names that an object_store path can't carry, such as {shown}; Bridge::left_out counts them"
            );
        }
    }

    /// The path of that name; else it is counted.
    pub(crate) fn path_of(&self, name: &str) -> Option<Path> {
        let path = path_of(name);
        if path.is_none() {
            self.add(&display_key(name));
        }
        path
    }
}

pub(crate) fn not_implemented(operation: impl Into<String>) -> Error {
    Error::NotImplemented { operation: operation.into(), implementer: "cabotage".into() }
}
