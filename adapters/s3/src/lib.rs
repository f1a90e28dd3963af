//! [`Storage`](cabotage_core::Storage) on S3-compatible servers.
//!
//! Requests are built here, byte for byte: a key arrives as it is, `../other/k`, `a//b` and control characters
//! included. Every body goes with its SHA-256 in the signature (`x-amz-content-sha256`), which the server checks. What
//! a server drops or changes is known from its [`Profile`](cabotage_providers::Profile) and set or checked after.

mod auth;
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

/// What `tests/fuzz` calls; there only under `--cfg fuzzing`.
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing {
    /// Reads a reply to a listing.
    pub fn listing(document: &[u8]) {
        crate::list::fuzz(document);
    }

    /// Whatever text is written into a request's XML is read from it unchanged, or refused.
    pub fn escaped(text: &str) {
        if let Some(escaped) = crate::xml::escape(text) {
            let read = crate::xml::parse(format!("<k>{escaped}</k>").as_bytes());
            assert_eq!(read.ok().map(|element| element.text).as_deref(), Some(text));
        }
    }
}

#[cfg(test)]
mod kept_tests;
#[cfg(test)]
mod live_tests;
#[cfg(test)]
mod resume_tests;
#[cfg(test)]
mod scripted_tests;
