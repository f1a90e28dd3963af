//! What the server enforces.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use async_trait::async_trait;
use cabotage_core::{
    Access, ErrorKind, Key, ObjectLock, Operation, Probe, RemnantStream, RequestMeter, Result, Support,
    Timestamp, Traffic, Versioning, display_text, probe_digest,
};
use http::Method;

use crate::store::S3Store;
use crate::xml::Element;

#[async_trait]
impl Probe for S3Store {
    /// A PUT whose signature is valid for another digest than its body has.
    async fn wrong_digest(&self, key: &Key) -> Result<Support> {
        probe_digest(self, key).await
    }

    async fn versioning(&self) -> Result<Versioning> {
        let call = self.client().bucket(Operation::Probe, Method::GET).flag("versioning");
        let is_on = |root: &Element<'_>| Ok(root.get("Status") == Some("Enabled"));
        match self.client().send_xml(call, "VersioningConfiguration", is_on).await {
            Ok(true) => Ok(Versioning::On),
            Ok(false) => Ok(Versioning::Off),
            Err(error) if matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::Unsupported) => {
                Ok(Versioning::Unknown)
            }
            Err(error) => Err(error),
        }
    }

    async fn object_lock(&self) -> Result<ObjectLock> {
        let call = self.client().bucket(Operation::Probe, Method::GET).flag("object-lock");
        let lock = |root: &Element<'_>| {
            Ok(match root.get("ObjectLockEnabled") {
                Some("Enabled") => ObjectLock::On { default_retention: default_retention(root) },
                _ => ObjectLock::Off,
            })
        };
        match self.client().send_xml(call, "ObjectLockConfiguration", lock).await {
            Ok(lock) => {
                if matches!(lock, ObjectLock::On { .. }) {
                    self.client().wants_md5.store(true, Ordering::Relaxed);
                }
                Ok(lock)
            }
            Err(error) => match error.kind() {
                ErrorKind::NotFound => Ok(ObjectLock::Off),
                ErrorKind::PermissionDenied | ErrorKind::Unsupported | ErrorKind::Protocol => {
                    Ok(ObjectLock::Unknown)
                }
                _ => Err(error),
            },
        }
    }

    async fn customer_key(&self, key: &Key) -> Result<Support> {
        if self.client().customer_key.is_none() {
            return Ok(Support::Unknown);
        }
        let kept = self.client().is_kept_by_key(key).await;
        let kept = kept.map_err(|error| error.during(Operation::Probe).on(key))?;
        Ok(if kept { Support::Enforced } else { Support::Ignored })
    }

    fn remnants(&self, prefix: &str) -> Option<RemnantStream> {
        Some(crate::remnants::list(self, prefix))
    }

    fn traffic(&self) -> Option<Traffic> {
        Some(self.client().http().traffic())
    }

    fn meter(&self) -> Option<Arc<RequestMeter>> {
        Some(self.client().http().meter())
    }

    fn credentials_until(&self) -> Option<Timestamp> {
        self.client().credentials_until()
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

/// As people say it: `GOVERNANCE, 30 days`.
fn default_retention(root: &Element<'_>) -> Option<String> {
    let rule = root.child("Rule")?.child("DefaultRetention")?;
    let mode = rule.get("Mode").unwrap_or("a mode that the server doesn't tell");
    let span = ["Days", "Years"].into_iter().find_map(|unit| Some((rule.get(unit)?, unit)));
    let text = match span {
        Some(("1", unit)) => format!("{mode}, 1 {}", unit.to_ascii_lowercase().trim_end_matches('s')),
        Some((count, unit)) => format!("{mode}, {count} {}", unit.to_ascii_lowercase()),
        None => mode.to_owned(),
    };
    Some(display_text(&text))
}
