//! Who hears what the program tells of itself while it works.

use tracing::Metadata;
use tracing_subscriber::filter::{EnvFilter, FilterExt as _, filter_fn};
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Registry, fmt};

use crate::log_lines::LogLines;
use crate::options::LogFormat;
use crate::screen::Screen;
use crate::traces::{self, Traces};

/// Logs of our own crates to standard error: warnings; with `-v` what happens, with `-vv` every request. Spans to the traces alone:
/// where nobody exports them, they are never made.
pub(crate) fn log_to(screen: &Screen, format: LogFormat, verbose: u8, traces: Option<&Traces>) {
    let level = match (verbose, format) {
        (0, LogFormat::Text) => "warn",
        (0 | 1, _) => "info",
        _ => "debug",
    };
    let filter = EnvFilter::new(format!("off,cabotage={level},opentelemetry_sdk=warn"));
    let filter = filter.and(filter_fn(is_told));
    let lines = LogLines::new(screen, format);
    let lines = match format {
        LogFormat::Text => fmt::layer().with_writer(lines).with_ansi(false).boxed(),
        LogFormat::Json => fmt::layer().with_writer(lines).json().boxed(),
    };
    // A list, and not an optional layer: where that is none it wants every span.
    let mut layers = vec![lines.with_filter(filter).boxed()];
    layers.extend(traces.map(traces::layer));
    Registry::default().with(layers).init();
}

/// No spans; of the exporter alone that it had to drop some.
fn is_told(metadata: &Metadata<'_>) -> bool {
    let ours = metadata.target().starts_with("cabotage");
    metadata.is_event() && (ours || metadata.name().contains("Dropp"))
}
