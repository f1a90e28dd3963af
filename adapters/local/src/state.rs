//! One state of a file.

use cabotage_core::{ETag, Timestamp};
use rustix::fs::Stat;

/// What tells two states of a file apart. Times are nanoseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileState {
    inode: i128,
    pub size: u64,
    pub modified: i128,
    changed: i128,
    links: i128,
}

const NANOS: i128 = 1_000_000_000;

impl FileState {
    /// From the system's answer; `inodes` when files keep their inode numbers here.
    pub fn of(stat: &Stat, inodes: bool) -> Self {
        Self {
            inode: if inodes { stat.st_ino.into() } else { 0 },
            size: u64::try_from(stat.st_size).unwrap_or(0),
            modified: i128::from(stat.st_mtime) * NANOS + i128::from(stat.st_mtime_nsec),
            changed: i128::from(stat.st_ctime) * NANOS + i128::from(stat.st_ctime_nsec),
            links: stat.st_nlink.into(),
        }
    }

    pub fn etag(&self) -> ETag {
        ETag::new(&format!("{:x}-{:x}-{:x}-{:x}", self.inode, self.size, self.modified, self.changed))
    }

    /// `None` outside the years that a [`Timestamp`] can tell.
    pub fn modified(&self) -> Option<Timestamp> {
        Timestamp::from_nanosecond(self.modified).ok()
    }

    /// Whether the bytes are still those of `before`, another state of the same open file. A file that was replaced or
    /// deleted meanwhile keeps its bytes, although its inode has changed.
    pub fn same_bytes(&self, before: &Self) -> bool {
        let bytes = |state: &Self| (state.inode, state.size, state.modified);
        bytes(self) == bytes(before) && (self.links == 0 || self.changed == before.changed)
    }
}
