//! What goes to standard output, and how values look there.

use std::io::{self, Write};

use cabotage_core::{Error, ErrorKind};
use cabotage_engine::json_line;
use serde::Serialize;

/// Why a command ended early.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Something failed.
    Error(Error),
    /// Nobody reads standard output any more: no failure of ours, so no words about it.
    ReaderGone,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

impl From<io::Error> for Failure {
    /// Failures of writing to standard output.
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::ReaderGone,
            io::ErrorKind::StorageFull => Self::Error(Error::new(
                ErrorKind::NoSpace,
                "standard output can't be written: no space is left",
            )),
            _ => Self::Error(
                Error::new(ErrorKind::Interrupted, format!("standard output can't be written: {error}"))
                    .caused_by(error),
            ),
        }
    }
}

/// Standard output, buffered; `finish` it, else the end may be missing.
pub(crate) struct Output(io::BufWriter<io::StdoutLock<'static>>);

impl Output {
    pub(crate) fn new() -> Self {
        Self(io::BufWriter::new(io::stdout().lock()))
    }

    /// One line of text. Foreign text in it is escaped by who made it.
    pub(crate) fn line(&mut self, text: impl AsRef<str>) -> Result<(), Failure> {
        Ok(writeln!(self.0, "{}", text.as_ref())?)
    }

    /// One line of JSON that is safe for a terminal.
    pub(crate) fn json(&mut self, value: &impl Serialize) -> Result<(), Failure> {
        self.raw(json_line(value)?.as_bytes())
    }

    /// Bytes as they are.
    pub(crate) fn raw(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        Ok(self.0.write_all(bytes)?)
    }

    /// Sends everything on its way.
    pub(crate) fn finish(mut self) -> Result<(), Failure> {
        Ok(self.0.flush()?)
    }
}

/// Bytes for a human: `1023 B`, `1.5 MiB`.
pub(crate) fn bytes(count: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if count < 1024 {
        return format!("{count} B");
    }
    let mut unit = 0;
    let mut tenths = u128::from(count) * 10 / 1024;
    while tenths >= 10_240 && unit + 1 < UNITS.len() {
        tenths /= 1024;
        unit += 1;
    }
    format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit])
}

/// A count with separators: `1,234,567`.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Seconds for a human: `45s`, `3m 20s`, `2h 5m`, `4d 3h`.
pub(crate) fn span(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m {}s", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{}h {}m", seconds / 3_600, seconds % 3_600 / 60),
        _ => format!("{}d {}h", seconds / 86_400, seconds % 86_400 / 3_600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        for (number, text) in
            [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (1_572_864, "1.5 MiB"), (u64::MAX, "15.9 EiB")]
        {
            assert_eq!(bytes(number), text);
        }
        for (number, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(count(number), text);
        }
        for (seconds, text) in [(5, "5s"), (200, "3m 20s"), (7_500, "2h 5m"), (356_400, "4d 3h")] {
            assert_eq!(span(seconds), text);
        }
    }

    #[test]
    fn a_reader_that_is_gone_is_no_failure() {
        let gone: Failure = io::Error::from(io::ErrorKind::BrokenPipe).into();
        assert!(matches!(gone, Failure::ReaderGone));
        let full: Failure = io::Error::from(io::ErrorKind::StorageFull).into();
        assert!(matches!(full, Failure::Error(error) if error.kind() == ErrorKind::NoSpace));
    }
}
