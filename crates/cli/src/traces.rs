//! Spans to an OpenTelemetry collector, in a program that was built with it.

use cabotage_core::Result;
use tracing_subscriber::{Layer, Registry};

#[cfg(feature = "otel")]
pub(crate) use cabotage_telemetry::Traces;

/// None: nothing can be exported.
#[cfg(not(feature = "otel"))]
#[derive(Debug)]
pub(crate) enum Traces {}

/// What the environment asks for.
#[cfg(feature = "otel")]
pub(crate) fn from_environment() -> Result<Option<Traces>> {
    Traces::from_environment("cabotage", crate::run_job::VERSION)
}

#[cfg(not(feature = "otel"))]
#[expect(clippy::unnecessary_wraps, reason = "with the feature it can fail")]
pub(crate) fn from_environment() -> Result<Option<Traces>> {
    Ok(None)
}

/// What takes spans.
pub(crate) fn layer(traces: &Traces) -> Box<dyn Layer<Registry> + Send + Sync> {
    #[cfg(feature = "otel")]
    return Box::new(traces.layer());
    #[cfg(not(feature = "otel"))]
    match *traces {}
}

/// Sends what is still to be sent. A run isn't worse for spans that nobody took: that is told, and no more.
pub(crate) fn finish(traces: Option<&Traces>) {
    #[cfg(feature = "otel")]
    if let Some(Err(error)) = traces.map(Traces::finish) {
        tracing::warn!("{error}");
    }
    #[cfg(not(feature = "otel"))]
    let _ = traces;
}
