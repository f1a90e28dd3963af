//! What a run tells of itself as `tracing` spans: one of the run, and each object as a trace of its own that is linked to it, so
//! that a sampler takes whole objects. No span holds a name of an object, a bucket or an account.

use tracing::Span;
use tracing::field::Empty;

use crate::work::Work;
use crate::{Outcome, RunKind};

/// Of a whole run.
pub(crate) fn of_run(kind: RunKind) -> Span {
    tracing::info_span!("run", otel.name = kind.as_str())
}

/// Of what is done with one object in a run.
pub(crate) fn of_object(run: &Span, what: &'static str, size: u64) -> Span {
    let span = tracing::debug_span!(
        parent: None,
        "object",
        otel.name = what,
        otel.status_code = Empty,
        error.type = Empty,
        cabotage.object.size = size,
        cabotage.object.class = Empty,
        cabotage.object.attempts = Empty,
    );
    span.follows_from(run);
    span
}

/// How it ended, on the span that is entered.
pub(crate) fn tell(outcome: &Outcome) {
    let span = Span::current();
    if span.is_disabled() {
        return;
    }
    span.record("cabotage.object.class", outcome.class.as_str());
    span.record("cabotage.object.attempts", outcome.attempts);
    if let Some(error) = &outcome.error {
        span.record("otel.status_code", "ERROR");
        span.record("error.type", error.kind().name().as_str());
    }
}

impl Work {
    /// A short name of it.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Copy(_) => "copy",
            Self::CopyAgain(_) => "copy again",
            Self::ReadBack(_) => "read back",
            Self::Attributes(_) => "set attributes",
            Self::Recognise { .. } => "recognise",
            Self::Adopt { .. } => "adopt",
        }
    }
}
