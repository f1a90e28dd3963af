//! What is enforced: the same questions as to a server.

use async_trait::async_trait;
use cabotage_core::{Access, Key, Probe, Result, Support, Versioning, probe_digest};

use crate::store::LocalStore;

#[async_trait]
impl Probe for LocalStore {
    async fn wrong_digest(&self, key: &Key) -> Result<Support> {
        probe_digest(self, key).await
    }

    async fn versioning(&self) -> Result<Versioning> {
        Ok(Versioning::Off)
    }

    async fn clock_skew(&self) -> Result<Option<i64>> {
        Ok(None)
    }

    fn right(&self, access: Access) -> &'static str {
        match access {
            Access::List => "read and search permission on the folders",
            Access::Read | Access::ReadTags => "read permission on the files",
            Access::Write | Access::Delete => "write and search permission on the folders",
            Access::WriteTags => "write permission on the files",
        }
    }
}
