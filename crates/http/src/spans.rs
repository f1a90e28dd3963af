//! A span for each sending of a request, named and described as OpenTelemetry's conventions for HTTP clients want it.
//!
//! `url.full` is left out on purpose: paths and queries hold names of objects, and a signed address is a secret.

use http::StatusCode;
use tracing::Span;
use tracing::field::Empty;

use crate::retry::Failure;
use crate::{Call, Endpoint};

/// Of one sending, from the signature to the head of the reply, or to its failure.
pub(crate) fn of_attempt(call: &Call, endpoint: &Endpoint, number: u32) -> Span {
    let span = tracing::debug_span!(
        "request",
        otel.name = call.method.as_str(),
        otel.kind = "client",
        otel.status_code = Empty,
        error.type = Empty,
        http.request.method = call.method.as_str(),
        http.request.resend_count = Empty,
        http.response.status_code = Empty,
        server.address = endpoint.host(),
        server.port = endpoint.port(),
        url.scheme = endpoint.scheme(),
        cabotage.operation = call.operation.name(),
    );
    if number > 1 {
        span.record("http.request.resend_count", number - 1);
    }
    span
}

/// A reply came with that status, on the span that is entered.
pub(crate) fn replied(status: StatusCode) {
    Span::current().record("http.response.status_code", status.as_u16());
}

/// It failed.
pub(crate) fn failed(span: &Span, failure: &Failure) {
    if !span.is_disabled() {
        span.record("otel.status_code", "ERROR");
        span.record("error.type", failure.error.kind().name().as_str());
    }
}
