//! What the server enforces.

use async_trait::async_trait;
use bytes::Bytes;
use cabotage_core::{
    Access, DeleteOptions, ErrorKind, Key, Operation, Payload, Probe, RemnantStream, Result, Sha256,
    Storage as _, Support, Versioning, WriteOptions,
};
use http::Method;

use crate::store::S3Store;

#[async_trait]
impl Probe for S3Store {
    /// A PUT whose signature is valid for another digest than its body has.
    async fn wrong_digest(&self, key: &Key) -> Result<Support> {
        let body = Payload::hashed(vec![Bytes::from_static(b"probe")], Sha256::of(b"something else"));
        match self.write(key, body, WriteOptions::default()).await {
            Ok(_) => {
                let deleted = self.delete(key, DeleteOptions::default()).await;
                match deleted {
                    Err(error) if error.kind() != ErrorKind::PermissionDenied => Err(error),
                    _ => Ok(Support::Ignored),
                }
            }
            Err(error) if error.kind() == ErrorKind::DigestMismatch => Ok(Support::Enforced),
            Err(error) => Err(error.during(Operation::Probe)),
        }
    }

    async fn versioning(&self) -> Result<Versioning> {
        let call = self.client().bucket(Operation::Probe, Method::GET).flag("versioning");
        match self.client().send_xml(call, "VersioningConfiguration").await {
            Ok(root) if root.get("Status") == Some("Enabled") => Ok(Versioning::On),
            Ok(_) => Ok(Versioning::Off),
            Err(error) if matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::Unsupported) => {
                Ok(Versioning::Unknown)
            }
            Err(error) => Err(error),
        }
    }

    fn remnants(&self, prefix: &str) -> Option<RemnantStream> {
        Some(crate::remnants::list(self, prefix))
    }

    async fn clock_skew(&self) -> Result<Option<i64>> {
        self.client().send(self.client().bucket(Operation::Probe, Method::HEAD)).await?;
        Ok(self.client().http().skew())
    }

    fn right(&self, access: Access) -> &'static str {
        match access {
            Access::List => "s3:ListBucket",
            Access::Read => "s3:GetObject",
            Access::ReadTags => "s3:GetObjectTagging",
            Access::Write => "s3:PutObject",
            Access::WriteTags => "s3:PutObjectTagging",
            Access::Delete => "s3:DeleteObject",
        }
    }
}
