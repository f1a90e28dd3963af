//! What a service does with the crate `cabotage`, on real stores.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

#[path = "services/five_lines.rs"]
mod five_lines;
#[path = "services/foreign.rs"]
mod foreign;
#[path = "services/named.rs"]
mod named;
#[path = "services/places.rs"]
mod places;
#[path = "services/presigned.rs"]
mod presigned;
#[path = "services/streams.rs"]
mod streams;
