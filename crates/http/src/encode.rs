//! Percent-encoding as both clouds sign it.

use std::fmt::Write as _;

/// Percent-encodes a key for a path: all but `A-Z a-z 0-9 - . _ ~ /` (RFC 3986, "unreserved"). Slashes and dots stay
/// as they are, wherever they stand, because the key is what the object is named.
#[must_use]
pub fn encode_path(key: &str) -> String {
    encode(key, true)
}

/// Percent-encodes a query's name or value: as [`encode_path`], the slash too.
#[must_use]
pub fn encode_component(text: &str) -> String {
    encode(text, false)
}

fn encode(text: &str, slash: bool) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            b'/' if slash => out.push('/'),
            _ => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table() {
        for (text, path, component) in [
            ("a b+c", "a%20b%2Bc", "a%20b%2Bc"),
            ("../a//b/.", "../a//b/.", "..%2Fa%2F%2Fb%2F."),
            ("é%41~_-", "%C3%A9%2541~_-", "%C3%A9%2541~_-"),
            ("a?b#c&d=e", "a%3Fb%23c%26d%3De", "a%3Fb%23c%26d%3De"),
        ] {
            assert_eq!(encode_path(text), path);
            assert_eq!(encode_component(text), component);
        }
    }
}
