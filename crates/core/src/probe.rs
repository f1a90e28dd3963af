//! What `Storage` can't ask: requests that must fail, and facts about the server.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::{
    AccessStream, DeleteOptions, ErrorKind, Key, Operation, Payload, RemnantStream, RequestMeter, Result,
    Sha256, Storage, Support, Timestamp, WriteOptions,
};

/// A right that a run needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Access {
    /// Listing.
    List,
    /// Reading objects.
    Read,
    /// Reading tags.
    ReadTags,
    /// Writing objects.
    Write,
    /// Writing tags.
    WriteTags,
    /// Deleting objects.
    Delete,
}

/// Whether the bucket keeps old versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Versioning {
    /// It does.
    On,
    /// It does not.
    Off,
    /// The server doesn't tell, or the right to ask is missing.
    Unknown,
}

/// Whether the bucket can lock objects against deletion (S3 Object Lock).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ObjectLock {
    /// It can.
    On {
        /// What is put on each new object: `GOVERNANCE, 30 days`. `None`: nothing, unless a write asks for it.
        default_retention: Option<String>,
    },
    /// It can't.
    Off,
    /// The server doesn't tell, or the right to ask is missing.
    Unknown,
}

/// A store's requests to its server, since it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Traffic {
    /// Requests sent, those sent again included.
    pub requests: u64,
    /// How many of them were sent again after a failure.
    pub retries: u64,
    /// How many of them were answered 429 or 503: slow down.
    pub throttled: u64,
    /// How many requests may be in flight at once for that, at this moment; none when as many as there are.
    pub limit: Option<u32>,
    /// The fewest that it ever was; none when the server never asked.
    pub lowest_limit: Option<u32>,
    /// Milliseconds that requests waited for their turn for that, summed up.
    pub waited_millis: u64,
    /// How often credentials were got anew because the server refused those at hand.
    pub renewals: u64,
}

/// Asks a server what it enforces. Beside [`Storage`](crate::Storage), over the same connection.
///
/// A header that was accepted proves nothing (Scality CloudServer took trailing checksums for a year before it
/// verified them), so a guarantee is tested with a request that must fail.
#[async_trait]
pub trait Probe: fmt::Debug + Send + Sync {
    /// Writes a small object under `key` with a wrong digest, by the same path that [`write`](crate::Storage::write)
    /// takes. `Enforced`: refused for its digest. `Ignored`: it was stored; it has been deleted again if the right is
    /// there. Other failures (no right, no bucket) are errors.
    async fn wrong_digest(&self, key: &Key) -> Result<Support>;

    /// Whether the bucket keeps old versions.
    async fn versioning(&self) -> Result<Versioning>;

    /// Whether the bucket can lock objects, and does so by default.
    async fn object_lock(&self) -> Result<ObjectLock> {
        Ok(ObjectLock::Unknown)
    }

    /// Whether the object, just written with the store's customer key (see
    /// [`Capabilities::customer_key`](crate::Capabilities)), can be read with it, and neither without a key nor with
    /// another. `Enforced`: so it is. `Ignored`: it is given away. `Unknown` for a store without such a key.
    async fn customer_key(&self, key: &Key) -> Result<Support> {
        let _ = key;
        Ok(Support::Unknown)
    }

    /// Lists what the store keeps of objects under the prefix beside the objects themselves, in no order. `None`: it keeps
    /// nothing of the kind.
    fn remnants(&self, prefix: &str) -> Option<RemnantStream> {
        let _ = prefix;
        None
    }

    /// Lists who may do what with the objects and folders under the prefix, in no order. `None`: the store has no such
    /// thing for each object.
    fn access_lists(&self, prefix: &str) -> Option<AccessStream> {
        let _ = prefix;
        None
    }

    /// The requests so far; `None` for a store without a server. Asks nothing.
    fn traffic(&self) -> Option<Traffic> {
        None
    }

    /// What became of the requests so far, by operation; `None` for a store without a server. Asks nothing.
    fn meter(&self) -> Option<Arc<RequestMeter>> {
        None
    }

    /// When the credentials at hand expire, as far as they tell; `None` for those that don't. Asks nothing.
    fn credentials_until(&self) -> Option<Timestamp> {
        None
    }

    /// Seconds by which the server's clock is ahead of ours, from a reply's Date header; `None` without a server.
    async fn clock_skew(&self) -> Result<Option<i64>>;

    /// The provider's own name of a right: `s3:GetObject`.
    fn right(&self, access: Access) -> &'static str;
}

/// [`Probe::wrong_digest`] of a store whose [`write`](Storage::write) sends the SHA-256 that the payload claims.
///
/// # Errors
/// Those of the write, but for the refusal that was hoped for, and of [`settle_digest_probe`].
pub async fn probe_digest(store: &dyn Storage, key: &Key) -> Result<Support> {
    let body = Payload::hashed(vec!["probe".into()], Sha256::of(b"something else"));
    let written = store.write(key, body, WriteOptions::default()).await;
    settle_digest_probe(store, key, written.map(drop)).await
}

/// What came of a write with a wrong digest: refused for it, or stored, and then deleted again as far as the rights go.
///
/// # Errors
/// Other failures of the write, and those of the deletion but for a missing right.
pub async fn settle_digest_probe(store: &dyn Storage, key: &Key, written: Result<()>) -> Result<Support> {
    match written {
        Err(error) if error.kind() == ErrorKind::DigestMismatch => Ok(Support::Enforced),
        Err(error) => Err(error.during(Operation::Probe).on(key)),
        Ok(()) => match store.delete(key, DeleteOptions::default()).await {
            Err(error) if error.kind() != ErrorKind::PermissionDenied => Err(error),
            _ => Ok(Support::Ignored),
        },
    }
}
