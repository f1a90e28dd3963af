//! What a run tells those who watch it from outside: Prometheus, which asks, and systemd, which is told.
//!
//! Nothing here slows a run down: engine and adapters keep counters, and only who asks pays for the answer. No metric has a
//! label that names an object, a bucket or a key, so that their number is fixed and nothing secret leaves the machine.

mod address;
mod metrics;
mod notify;
mod pulse;
mod server;
#[cfg(feature = "otel")]
mod traces;
mod watched;

pub use address::MetricsAddress;
pub use metrics::exposition;
pub use notify::Notifier;
pub use pulse::Pulse;
pub use server::MetricsServer;
#[cfg(feature = "otel")]
pub use traces::Traces;
pub use watched::{Watched, WatchedEnd};
