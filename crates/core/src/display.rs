//! The one way in which foreign text reaches a human.

use std::fmt::Write as _;

/// An object's name for a terminal, a log or a page: control, bidirectional, invisible and newline characters and
/// the backslash are escaped, so that a name can neither move the cursor nor pose as another.
#[must_use]
pub fn display_key(key: &str) -> String {
    escape(key, true)
}

/// Other foreign text (a server's message) for a human: as [`display_key`], but the backslash stays.
#[must_use]
pub fn display_text(text: &str) -> String {
    escape(text, false)
}

fn escape(text: &str, backslash: bool) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\\' if backslash => out.push_str("\\\\"),
            c if hides(c) => {
                let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out
}

/// Control, format (bidi marks, zero-width), separator and private or unassigned specials.
pub(crate) fn hides(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{fff0}'..='\u{fffb}'
            | '\u{fffe}' | '\u{ffff}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table() {
        for (key, shown) in [
            ("plain/é 😀.txt", "plain/é 😀.txt"),
            ("a\nb\r\tc", "a\\nb\\r\\tc"),
            ("\u{1b}[31mred", "\\u{1b}[31mred"),
            ("exe\u{202e}txt", "exe\\u{202e}txt"),
            ("back\\slash", "back\\\\slash"),
            ("zero\u{200b}width", "zero\\u{200b}width"),
            ("\u{9b}31m", "\\u{9b}31m"),
        ] {
            assert_eq!(display_key(key), shown);
        }
        assert_eq!(display_text("a\\b\n"), "a\\b\\n");
    }
}
