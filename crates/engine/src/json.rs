//! All JSON that a run leaves for others to read. It can be shown on a terminal, whatever names are in it.

use cabotage_core::{Error, ErrorKind, Result, printable_json};
use serde::Serialize;

/// One line, with its line break.
///
/// # Errors
/// `Internal` for a value that is no JSON.
pub fn json_line(value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value).map(|json| finished(&json)).map_err(|error| no_json(&error))
}

/// A whole file, in lines with indents.
///
/// # Errors
/// As [`json_line`].
pub fn json_file(value: &impl Serialize) -> Result<String> {
    serde_json::to_string_pretty(value).map(|json| finished(&json)).map_err(|error| no_json(&error))
}

fn finished(json: &str) -> String {
    let mut text = printable_json(json).into_owned();
    text.push('\n');
    text
}

fn no_json(error: &serde_json::Error) -> Error {
    Error::new(ErrorKind::Internal, format!("what was to be written is no JSON: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn safe_for_a_terminal_and_whole() {
        let key = "a\u{1b}[31m\u{7f}\u{9b}1m\u{202e}\u{e0041}\n\"\\é😀";
        let safe = "\"a\\u001b[31m\\u007f\\u009b1m\\u202e\\udb40\\udc41\\n\\\"\\\\é😀\"";
        let line = json_line(&key).unwrap();
        assert_eq!(line, format!("{safe}\n"));
        assert_eq!(serde_json::from_str::<String>(&line).unwrap(), key);
        assert_eq!(json_file(&[key]).unwrap(), format!("[\n  {safe}\n]\n"));
    }
}
