//! The one HTTP client of Cabotage's cloud adapters.
//!
//! An adapter opens an [`HttpClient`] for one [`Endpoint`], describes each request as a [`Call`] and implements
//! [`Service`]: how a request is signed and what a failed reply means. The client does the rest: connections, TLS,
//! proxy, timeouts, retries of single requests, and replies that are capped and checked for their length.
//!
//! What it never does: follow a redirect, send a request to another host than the endpoint's, send credentials in
//! plaintext off this machine unless allowed, skip the check of a certificate, decode or shorten a body.

mod body;
mod call;
mod client;
mod config;
mod connect;
mod date;
mod encode;
mod endpoint;
mod fault;
mod flow;
mod pace;
mod redact;
mod renew;
mod reply;
mod retry;
mod sending;
mod sign_context;
mod spans;
mod spelling;
#[cfg(test)]
mod test_support;
pub mod testing;

pub use call::{Call, CallBody, Expect, Repeat, Service};
pub use client::HttpClient;
pub use config::{HttpConfig, RetryPolicy};
pub use encode::{encode_component, encode_path};
pub use endpoint::Endpoint;
pub use redact::redact_url;
pub use renew::{Renew, Renewal};
pub use reply::Reply;
pub use sign_context::{Environment, reqsign_context};
