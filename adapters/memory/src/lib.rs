//! Storage in memory: the reference adapter and the fastest test double.
//!
//! It keeps the whole contract of [`Storage`](cabotage_core::Storage) and, given other
//! [`Capabilities`](cabotage_core::Capabilities), behaves like a store that has those: smaller limits, metadata
//! names that come back changed, listings in UTF-16 order, preconditions or digests that nobody enforces.

mod capabilities;
mod list;
mod object;
mod probe;
mod state;
mod store;
mod upload;

pub use capabilities::full_capabilities;
pub use store::MemoryStore;
