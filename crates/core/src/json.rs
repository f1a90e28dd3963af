//! JSON that a terminal can show.

use std::borrow::Cow;
use std::fmt::Write as _;

use crate::display::hides;

/// The same JSON, with every character that could act on a terminal or pose as another written as `\uXXXX`: what
/// [`display_key`](crate::display_key) escapes for a human. Nothing is lost: in valid JSON such characters stand within
/// strings only, where both forms mean the same. Line breaks between values stay.
#[must_use]
pub fn printable_json(json: &str) -> Cow<'_, str> {
    if !json.chars().any(acts) {
        return json.into();
    }
    let mut out = String::with_capacity(json.len() + 64);
    for c in json.chars() {
        if acts(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        } else {
            out.push(c);
        }
    }
    out.into()
}

fn acts(c: char) -> bool {
    hides(c) && c != '\n'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table() {
        for (json, printable) in [
            ("{\n  \"é 😀\": \"\\u001b\\n\"\n}\n", "{\n  \"é 😀\": \"\\u001b\\n\"\n}\n"),
            ("\"a\u{7f}\u{9b}1m\"", "\"a\\u007f\\u009b1m\""),
            ("\"exe\u{202e}txt\u{2066}\"", "\"exe\\u202etxt\\u2066\""),
            ("\"\u{200b}\u{feff}\u{2028}\u{2029}\u{85}\"", "\"\\u200b\\ufeff\\u2028\\u2029\\u0085\""),
            ("\"\u{e0041}\"", "\"\\udb40\\udc41\""),
        ] {
            assert_eq!(printable_json(json), printable);
        }
    }

    #[test]
    fn every_character_reads_back_and_none_acts() {
        let all: String = (0..=u32::from(char::MAX)).filter_map(char::from_u32).collect();
        let json = serde_json::to_string(&all).unwrap();
        let printable = printable_json(&json);
        assert_eq!(serde_json::from_str::<String>(&printable).unwrap(), all);
        assert_eq!(crate::display_text(&printable), printable);
    }
}
