//! Log lines on their way to standard error.

use std::borrow::Cow;
use std::io::{self, Write};

use cabotage_core::{display_text, printable_json};
use tracing_subscriber::fmt::MakeWriter;

use crate::options::LogFormat;
use crate::screen::Screen;

/// Where logs go. Nothing that stands in a line can act on the terminal or pose as another line.
#[derive(Clone, Debug)]
pub(crate) struct LogLines {
    screen: Screen,
    format: LogFormat,
}

impl LogLines {
    pub(crate) fn new(screen: &Screen, format: LogFormat) -> Self {
        Self { screen: screen.clone(), format }
    }
}

impl<'a> MakeWriter<'a> for LogLines {
    type Writer = LogLine;

    fn make_writer(&'a self) -> LogLine {
        LogLine { to: self.clone(), bytes: Vec::new() }
    }
}

/// A line under way: written whole when it is complete.
pub(crate) struct LogLine {
    to: LogLines,
    bytes: Vec<u8>,
}

impl Write for LogLine {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for LogLine {
    fn drop(&mut self) {
        let line = String::from_utf8_lossy(&self.bytes);
        let line = line.trim_end_matches('\n');
        if !line.is_empty() {
            self.to.screen.line(&safe(line, self.to.format));
        }
    }
}

fn safe(line: &str, format: LogFormat) -> Cow<'_, str> {
    match format {
        LogFormat::Text => display_text(line).into(),
        LogFormat::Json => printable_json(line),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_one_line_and_does_nothing() {
        let hostile = "a\u{1b}[31m\u{9b}1m\u{202e}\u{2028}b\nINFO c";
        let text = safe(hostile, LogFormat::Text);
        assert_eq!(text, "a\\u{1b}[31m\\u{9b}1m\\u{202e}\\u{2028}b\\nINFO c");
        let json = serde_json::to_string(hostile).unwrap();
        let json = safe(&json, LogFormat::Json);
        assert_eq!(json, r#""a\u001b[31m\u009b1m\u202e\u2028b\nINFO c""#);
        assert_eq!(serde_json::from_str::<String>(&json).unwrap(), hostile);
    }
}
