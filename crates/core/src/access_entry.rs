//! Who may do what with an object, in the manner of POSIX.

use futures::stream::BoxStream;

use crate::{Key, Result};

/// Owner, group, permissions and access control list of an object or a folder, in the store's own words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessEntry {
    /// The name.
    pub key: Key,
    /// Whether it is a folder.
    pub folder: bool,
    /// The owner (Azure: the object id of an Entra principal, or `$superuser`).
    pub owner: String,
    /// The owning group.
    pub group: String,
    /// `rwxr-x---`, with a `+` where the list says more.
    pub permissions: String,
    /// `user::rwx,user:<id>:r-x,group::r-x,mask::r-x,other::---`; of a folder with the entries that its new files inherit.
    pub acl: String,
}

/// A listing of access entries. After an error nothing follows.
pub type AccessStream = BoxStream<'static, Result<AccessEntry>>;
