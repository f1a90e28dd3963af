//! Storage on Azure Blob Storage, over our own requests.
//!
//! One [`AzureStore`] is one container. Names go out percent-encoded as they are and are never resolved; what the
//! service would change is refused ([`capabilities`](cabotage_core::Storage::capabilities)). Requests carry the
//! version [`API_VERSION`] of the REST interface.

mod access;
mod attributes;
mod auth;
mod blocks;
mod body;
mod capabilities;
mod change;
mod config;
mod connection;
mod error;
mod info;
mod list;
mod open_uploads;
mod page;
mod probe;
mod read;
mod remnants;
mod sign;
mod store;
mod sweep;
mod tags;
mod upload;
mod wire;
mod xml;

pub use config::{AzureConfig, AzureCredentials};
pub use store::AzureStore;
pub use wire::API_VERSION;

/// What `tests/fuzz` calls; there only under `--cfg fuzzing`.
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing {
    /// Reads a reply to a listing: whole or refused, in bounded depth.
    pub fn listing(document: &[u8]) {
        let Ok(page) = crate::page::parse(document) else { return };
        assert!(page.next.is_none_or(|marker| !marker.is_empty()), "an empty marker is the end");
    }

    /// Text written into a request's XML is read from it unchanged, where XML can carry it.
    pub fn escaped(text: &str) {
        let document = format!("<k>{}</k>", crate::xml::escape(text));
        let mut read = None;
        let walked = crate::xml::walk(document.as_bytes(), |visit| {
            if let crate::xml::Visit::Close { text, .. } = visit {
                read = Some(text.to_owned());
            }
            Ok(())
        });
        assert!(walked.is_ok());
        assert_eq!(read.as_deref(), Some(text));
    }
}
