//! Snapshots, older versions and soft-deleted blobs: what List Blobs tells only when it is asked to.

use std::sync::Arc;

use cabotage_core::{Key, Remnant, RemnantKind, RemnantStream, Result};

use crate::store::Inner;
use crate::sweep::{self, Draft};

/// An account with a hierarchical namespace keeps no versions, and refuses to be asked for them.
const FLAT: &str = "snapshots,versions,deleted";
const HIERARCHICAL: &str = "snapshots,deleted";

/// Lists them.
pub(crate) fn list(inner: &Arc<Inner>, prefix: &str) -> RemnantStream {
    let include = if inner.tags.none() { HIERARCHICAL } else { FLAT };
    sweep::list::<Elements>(inner, prefix, include)
}

/// What a blob's elements say, as far as it matters here (REST reference, "List Blobs").
#[derive(Default)]
struct Elements {
    snapshot: bool,
    deleted: bool,
    version: bool,
    current: bool,
}

impl Draft for Elements {
    type Item = Remnant;

    fn set(&mut self, path: &[&str], text: &str) {
        match path {
            ["Snapshot"] => self.snapshot = !text.is_empty(),
            ["Deleted"] => self.deleted = text == "true",
            ["VersionId"] => self.version = !text.is_empty(),
            ["IsCurrentVersion"] => self.current = text == "true",
            _ => {}
        }
    }

    /// What was deleted counts as such, whatever it was before.
    fn finish(self, key: Key) -> Result<Option<Remnant>> {
        let kind = match self {
            Self { deleted: true, .. } => RemnantKind::Deleted,
            Self { snapshot: true, .. } => RemnantKind::Snapshot,
            Self { version: true, current: false, .. } => RemnantKind::Version,
            _ => return Ok(None),
        };
        Ok(Some(Remnant { key, kind }))
    }
}

#[cfg(test)]
mod tests {
    use cabotage_core::ErrorKind;

    use super::*;

    /// As the REST reference shows a page with `include=snapshots,versions,deleted`; no emulator has the latter two.
    const PAGE: &str = "<?xml version=\"1.0\" encoding=\"utf-8\"?>\
        <EnumerationResults ServiceEndpoint=\"https://account.blob.core.windows.net/\" ContainerName=\"c\"><Blobs>\
        <Blob><Name>a</Name><Snapshot>2026-11-24T21:52:48.1234567Z</Snapshot><Properties/></Blob>\
        <Blob><Name>a</Name><Snapshot>2026-11-25T21:52:48.1234567Z</Snapshot><Deleted>true</Deleted><Properties/></Blob>\
        <Blob><Name>a</Name><VersionId>2026-11-20T10:00:00.0000000Z</VersionId><Properties/></Blob>\
        <Blob><Name>a</Name><VersionId>2026-11-21T10:00:00.0000000Z</VersionId>\
        <IsCurrentVersion>true</IsCurrentVersion><Properties/></Blob>\
        <Blob><Name>b</Name><Deleted>true</Deleted><Properties><DeletedTime>Tue, 24 Nov 2026 21:52:48 GMT</DeletedTime>\
        <RemainingRetentionDays>6</RemainingRetentionDays></Properties></Blob>\
        <Blob><Name>c</Name><Deleted>false</Deleted><Properties/></Blob>\
        </Blobs><NextMarker>m</NextMarker></EnumerationResults>";

    #[test]
    fn each_remnant_is_of_one_kind() {
        let page = sweep::parse::<Elements>(PAGE.as_bytes(), "").unwrap();
        let found: Vec<_> = page.found.iter().map(|remnant| (remnant.key.as_str(), remnant.kind)).collect();
        use RemnantKind::{Deleted, Snapshot, Version};
        assert_eq!(found, [("a", Snapshot), ("a", Deleted), ("a", Version), ("b", Deleted)]);
        assert_eq!(
            (page.next.as_deref(), page.listed),
            (Some("m"), 6),
            "a current blob is none, and was listed"
        );
        for broken in [&PAGE.as_bytes()[..PAGE.len() - 5], b"<Error/>"] {
            assert_eq!(sweep::parse::<Elements>(broken, "").unwrap_err().kind(), ErrorKind::Protocol);
        }
        let stray = sweep::parse::<Elements>(PAGE.as_bytes(), "a").unwrap_err();
        assert_eq!(stray.kind(), ErrorKind::ListingBroken);
    }
}
