//! [`Storage`](cabotage_core::Storage) on S3-compatible servers.
//!
//! Requests are built here, byte for byte: a key arrives as it is, `../other/k`, `a//b` and control characters
//! included. Every body goes with its SHA-256 in the signature (`x-amz-content-sha256`), which the server checks. What
//! a server drops or changes is known from its [`Profile`](cabotage_providers::Profile) and set or checked after.

mod capabilities;
mod client;
mod condition;
mod config;
mod customer_key;
mod error;
mod list;
mod probe;
mod remnants;
mod sign;
mod store;
mod tags;
mod upload;
mod wire;
mod write;
mod xml;

pub use cabotage_providers::Addressing;
pub use config::{S3Config, S3Credentials};
pub use customer_key::CustomerKey;
pub use store::S3Store;

#[cfg(test)]
mod kept_tests;
#[cfg(test)]
mod live_tests;
#[cfg(test)]
mod scripted_tests;
