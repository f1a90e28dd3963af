//! What is enforced: the same questions as to a server.

use async_trait::async_trait;
use cabotage_core::{
    Access, DeleteOptions, ErrorKind, Key, Payload, Probe, Result, Sha256, Storage as _, Support, Versioning,
    WriteOptions,
};

use crate::store::MemoryStore;

#[async_trait]
impl Probe for MemoryStore {
    async fn wrong_digest(&self, key: &Key) -> Result<Support> {
        let body = Payload::hashed(vec!["probe".into()], Sha256([0; 32]));
        match self.write(key, body, WriteOptions::default()).await {
            Ok(_) => {
                self.delete(key, DeleteOptions::default()).await?;
                Ok(Support::Ignored)
            }
            Err(error) if error.kind() == ErrorKind::DigestMismatch => Ok(Support::Enforced),
            Err(error) => Err(error),
        }
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
