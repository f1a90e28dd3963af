//! What a service does with the crate `cabotage`, on every kind of store.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

#[path = "services/five_lines.rs"]
mod five_lines;
