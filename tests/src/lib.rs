//! What the acceptance tests share: servers from the environment, requests that owe nothing to the adapters, the real
//! binary, folders and their digests.
//!
//! Servers are found by the variables that `scripts/services/<name>/env` prints. A missing server is a skip that the
//! tests name, unless `CABOTAGE_REQUIRE=azurite,rgw,…` makes it a failure.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test's helper fails by panicking"
)]

mod binary;
pub mod fast_s3;
mod files;
mod proxy;
mod raw;
mod servers;
mod signing;
pub mod synthetic;

pub use binary::{Cabotage, Run, Running, binary};
pub use files::{Tree, generate, read_tree, sha256};
pub use proxy::{Harm, Plan, Proxy};
pub use raw::{RawAzure, RawReply, RawS3, encode, send_to_url};
pub use servers::{Azurite, RgwAdmin, S3Server, announce_missing, azurite, minio, required, rgw, rgw_admin};

/// A name that nobody else has, fit for buckets and containers.
#[must_use]
pub fn random_name(prefix: &str) -> String {
    use rand::Rng as _;
    format!("{prefix}-{:012x}", rand::rng().random::<u64>() & 0xFFFF_FFFF_FFFF)
}
