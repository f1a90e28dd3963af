//! A server for tests that answers as it is told, faults included.
//!
//! It speaks just enough HTTP/1.1 to take requests of this crate's client apart, and writes replies byte by byte, so
//! that it can lie about lengths, stop in the middle and answer nonsense. On loopback only.

mod answer;
mod queue;

pub use answer::Answer;
pub use queue::{Received, ReplyQueue};
