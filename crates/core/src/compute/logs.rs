//! What tasks print.

use bytes::Bytes;
use futures::stream::BoxStream;

use crate::{Result, Timestamp};

/// Lines of a log, oldest first.
pub type LogStream = BoxStream<'static, Result<LogLine>>;

/// One line that a task printed, on its output or its error output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// When it was read from the task, to the microsecond at best.
    pub at: Timestamp,
    /// The attempt that printed it, from 1.
    pub attempt: u32,
    /// Its bytes without the line feed. Any bytes: escape them for a terminal. A line longer than 64 KiB comes in pieces.
    pub text: Bytes,
}

/// Which lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogOptions {
    /// Go on with what is printed later, until the task has ended for good.
    pub follow: bool,
    /// Nothing before that moment.
    pub since: Option<Timestamp>,
}
