//! What is enforced: the same questions as to a server.

use async_trait::async_trait;
use cabotage_core::{Access, Key, Probe, Result, Support, Versioning, probe_digest};

use crate::store::MemoryStore;

#[async_trait]
impl Probe for MemoryStore {
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
            Access::List => "memory:list",
            Access::Read => "memory:read",
            Access::ReadTags => "memory:read-tags",
            Access::Write => "memory:write",
            Access::WriteTags => "memory:write-tags",
            Access::Delete => "memory:delete",
        }
    }
}
