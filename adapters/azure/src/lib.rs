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
mod markers;
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
