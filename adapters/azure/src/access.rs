//! Owner, group, permissions and ACL of files and folders, which accounts with a hierarchical namespace have.

use std::sync::Arc;

use cabotage_core::{AccessEntry, AccessStream, Key, Result};

use crate::store::Inner;
use crate::sweep::{self, Draft};
use crate::xml::broken;

/// Lists them, as List Blobs tells them with `include=permissions` (REST reference, "List Blobs": since version
/// 2020-06-12, and only with a hierarchical namespace).
///
/// The elements `Owner`, `Group`, `Permissions`, `Acl` and `ResourceType` stand in `Properties`: so has them the type
/// `BlobProperties` that Azure's SDK for Go generates from the service's own description (azure-sdk-for-go, commit
/// 009396f, `sdk/storage/azblob/internal/generated/zz_models.go`).
pub(crate) fn list(inner: &Arc<Inner>, prefix: &str) -> Option<AccessStream> {
    inner.tags.none().then(|| sweep::list::<Elements>(inner, prefix, "permissions"))
}

/// What a blob's elements say, as far as it matters here.
#[derive(Default)]
struct Elements {
    folder: bool,
    owner: Option<String>,
    group: Option<String>,
    permissions: Option<String>,
    acl: Option<String>,
}

impl Draft for Elements {
    type Item = AccessEntry;

    fn set(&mut self, path: &[&str], text: &str) {
        let value = || Some(text.to_owned());
        match path {
            ["Properties", "ResourceType"] => self.folder = text == "directory",
            ["Properties", "Owner"] => self.owner = value(),
            ["Properties", "Group"] => self.group = value(),
            ["Properties", "Permissions"] => self.permissions = value(),
            ["Properties", "Acl"] => self.acl = value(),
            _ => {}
        }
    }

    fn finish(self, key: Key) -> Result<Option<AccessEntry>> {
        let Self {
            folder,
            owner: Some(owner),
            group: Some(group),
            permissions: Some(permissions),
            acl: Some(acl),
        } = self
        else {
            return Err(broken("lists a blob without its owner, group, permissions or ACL").on(&key));
        };
        Ok(Some(AccessEntry { key, folder, owner, group, permissions, acl }))
    }
}
