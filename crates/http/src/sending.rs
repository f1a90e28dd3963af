//! One sending of a request, on the meter.

use std::time::Instant;

use cabotage_core::{Operation, RequestEnd, RequestMeter};
use http::StatusCode;

/// A request that is out; counts as dropped unless its end is told.
pub(crate) struct Sending<'a> {
    meter: &'a RequestMeter,
    operation: Operation,
    begun: Instant,
    end: RequestEnd,
}

impl<'a> Sending<'a> {
    pub(crate) fn new(meter: &'a RequestMeter, operation: Operation) -> Self {
        meter.begin();
        Self { meter, operation, begun: Instant::now(), end: RequestEnd::Dropped }
    }

    /// The head of a reply came with that status, or none did.
    pub(crate) fn ended(mut self, status: Option<StatusCode>) {
        self.end = status.map_or(RequestEnd::NoReply, |status| RequestEnd::Status(status.as_u16()));
    }
}

impl Drop for Sending<'_> {
    fn drop(&mut self) {
        self.meter.note(self.operation, self.end, self.begun.elapsed());
    }
}
