//! Storage on a local disk: a folder holds the objects as ordinary files.
//!
//! # Names
//!
//! A key becomes a path below the root. Ordinary names stay as they are, spaces, `%`, control characters and letters
//! of any script included. What a file system can't hold under its own name is written with `~{…}`:
//!
//! | in the key | on disk | why |
//! |---|---|---|
//! | `a/b.txt` | `a/b.txt` | |
//! | an empty segment: `a//b`, `a/`, `/a` | `a/~{}/b`, `a/~{}`, `~{}/a` | no file has an empty name |
//! | a segment `.` or `..` | `~{2e}`, `~{2e}.` | these names mean folders |
//! | NUL | `~{00}` | no name can hold it |
//! | `~{` itself | `~{7e}{` | so that no name poses as another |
//! | `.cabotage` as the first segment | `~{2e}cabotage` | reserved, see below |
//! | a segment of more than 255 bytes | `first240bytes~{+}/rest` | the limit of a name |
//! | folder `a` where a file `a` is | `a~{dir}` | `a` and `a/b` are both objects |
//! | file `a` where a folder `a` is | `a~{file}` | the same |
//!
//! No two keys have a path in common, and each path reads back as its key. The last two forms are taken only when the
//! plain one is occupied; an object is looked for under the plain form first. A file whose name is none of these forms
//! (not UTF-8, or an escape that was not needed) is listed as a bad key, as symbolic links, special files and folders
//! that can't be read are. Nothing is followed through a link. Empty folders are not listed.
//!
//! Where the file system doesn't tell upper from lower case, a name that would fall together with another is refused
//! (`KeyRejected`), and an object is found under its exact name only; each look-up then reads the folders on the way.
//!
//! # Attributes
//!
//! Content headers, metadata and tags are JSON in the extended attribute `user.cabotage`. Where a file can't have one,
//! or not of that size, they are in `.cabotage/attributes` under a name made of the key, the file's size and its time,
//! so that content and attributes change at once, by one rename.
//!
//! # Writes
//!
//! Bytes go to a file in `.cabotage/tmp`, are checked, synced and then renamed, and the folder is synced. What a dead
//! process left there is removed by the next one that writes. `.cabotage` goes away when it is empty.
//!
//! An ETag is made of inode, size, and the times of the last change of content and inode: any change changes it, as
//! far as the clock of the file system can tell. That ticks every 1 to 10 ms before Linux 6.13, so that two changes
//! which another program makes within one tick, leaving size and inode, look like one. FUSE, FAT, exFAT, SMB and 9P
//! number their inodes anew now and then, so there an ETag is made of size and times alone.
//!
//! Preconditions hold among all who write through this process; another process can come in between the check of an
//! `IfMatch` and the rename (`Create` is safe against it where the file system can rename without replacing).

mod attributes;
mod capabilities;
mod config;
mod disk;
mod error;
mod list;
mod names;
mod pace;
mod place;
mod probe;
mod read;
mod stage;
mod state;
mod store;
mod upload;
mod waiting;
mod write;

pub use config::LocalConfig;
pub use store::LocalStore;

#[cfg(test)]
mod beneath_tests;
