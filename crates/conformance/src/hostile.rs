//! Names that break storage software, one table.

/// A name and what is awkward about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostileKey {
    /// What is awkward about it; unique in the table, a word for trials and lists of deviations.
    pub class: &'static str,
    shape: Shape,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Text(&'static str),
    /// Repeated up to so many bytes, whatever prefix comes before; the rest is filled with `x`.
    Long {
        unit: &'static str,
        bytes: usize,
    },
    /// So many segments, whatever prefix comes before.
    Segments(usize),
}

impl HostileKey {
    /// The whole key under that prefix (empty, or ending in `/`). Lengths count with it.
    #[must_use]
    pub fn under(&self, prefix: &str) -> String {
        match self.shape {
            Shape::Text(text) => format!("{prefix}{text}"),
            Shape::Long { unit, bytes } => {
                let room = bytes.saturating_sub(prefix.len());
                let mut key = format!("{prefix}{}", unit.repeat(room / unit.len()));
                while key.len() < bytes {
                    key.push('x');
                }
                key
            }
            Shape::Segments(count) => {
                let here = prefix.matches('/').count() + 1;
                format!("{prefix}{}s", "s/".repeat(count.saturating_sub(here)))
            }
        }
    }
}

/// The table: awkward byte classes, slashes, dot segments, escapes that somebody decodes, control characters, Unicode
/// that somebody normalises, lengths. Each name is either accepted by a store or refused by name.
#[must_use]
pub fn hostile_keys() -> Vec<HostileKey> {
    let texts = [PUNCTUATION, SLASHES, CONTROL, UNICODE, RESERVED];
    let texts = texts.into_iter().flatten().map(|(class, text)| (*class, Shape::Text(text)));
    texts.chain(LONG.iter().copied()).map(|(class, shape)| HostileKey { class, shape }).collect()
}

type Texts = &'static [(&'static str, &'static str)];

const PUNCTUATION: Texts = &[
    ("plain", "plain.txt"),
    ("space", "a b"),
    ("double-space", "a  b"),
    ("space-first", " a"),
    ("space-last", "a "),
    ("space-only", " "),
    ("plus", "a+b"),
    ("percent", "100%"),
    ("percent-slash", "a%2Fb"),
    ("percent-slash-lower", "a%2fb"),
    ("percent-dots", "%2e%2e/k"),
    ("percent-percent", "a%252Fb"),
    ("percent-nul", "a%00b"),
    ("percent-no-hex", "a%zzb"),
    ("question", "a?b=c"),
    ("query-like", "a?uploads&versionId=1"),
    ("hash", "a#b"),
    ("ampersand", "a&b"),
    ("semicolon", "a;b=c"),
    ("equals", "a=b"),
    ("colon", "a:b"),
    ("comma", "a,b"),
    ("at-dollar-bang", "@a$b!c"),
    ("star-parens", "a*(b)"),
    ("tilde", "~a~"),
    ("quotes", "a\"b'c`d"),
    ("markup", "<a>&amp;</a>"),
    ("cdata-end", "a]]>b"),
    ("braces", "{a}[b]|c^d"),
    ("backslash", "back\\slash"),
];

const SLASHES: Texts = &[
    ("slash-double", "a//b"),
    ("slash-triple", "a///b"),
    ("slash-first", "/a"),
    ("slash-last", "a/"),
    ("slash-last-double", "a//"),
    ("slash-only", "/"),
    ("slash-many", "///"),
    ("dots-inside", "a/../c"),
    ("dots-leaving", "../other/k"),
    ("dots-leaving-far", "../../../etc/k"),
    ("dots-last", "a/.."),
    ("dots-only", ".."),
    ("dot-first", "./x"),
    ("dot-inside", "a/./b"),
    ("dot-last", "a/."),
    ("dot-only", "."),
    ("dots-three", "..."),
    ("dots-in-name", "a../b"),
    ("dot-at-end", "a."),
    ("dot-hidden", ".hidden"),
];

const CONTROL: Texts = &[
    ("nul", "a\0b"),
    ("control-1", "a\u{1}b"),
    ("control-1f", "a\u{1f}b"),
    ("tab", "a\tb"),
    ("newline", "a\nb"),
    ("newline-last", "a\n"),
    ("carriage-return", "a\rb"),
    ("crlf", "a\r\nx-header: b"),
    ("escape-sequence", "a\u{1b}[31mb"),
    ("delete", "a\u{7f}b"),
    ("c1", "a\u{85}b\u{9b}31m"),
];

const UNICODE: Texts = &[
    ("nfc", "caf\u{e9}"),
    ("nfd", "cafe\u{301}"),
    ("hangul-nfc", "\u{ac00}"),
    ("hangul-nfd", "\u{1100}\u{1161}"),
    ("emoji", "\u{1F600}"),
    ("emoji-joined", "\u{1F468}\u{200D}\u{1F469}\u{200D}\u{1F467}"),
    ("han", "\u{6570}\u{636e}"),
    ("bidi", "exe\u{202e}txt"),
    ("zero-width", "a\u{200b}b"),
    ("byte-order-mark", "\u{feff}a"),
    ("line-separator", "a\u{2028}b"),
    ("no-break-space", "a\u{a0}b"),
    ("fullwidth", "\u{ff0e}\u{ff0e}/k"),
    ("tilde-fullwidth", "\u{ff5e}"),
    ("replacement", "a\u{fffd}b"),
    ("noncharacter-fffe", "a\u{fffe}b"),
    ("noncharacter-ffff", "a\u{ffff}b"),
    ("private-use", "\u{e000}"),
    ("supplementary-first", "\u{10000}"),
    ("supplementary-last", "\u{10ffff}"),
    ("case-upper", "CASE"),
    ("case-lower", "case"),
    ("case-fold", "stra\u{df}e\u{130}\u{17f}"),
];

const RESERVED: Texts = &[
    ("device", "CON"),
    ("device-suffix", "aux.txt"),
    ("temporary-like", ".tmp"),
    ("product-like", ".cabotage/x"),
    ("cloud-like", "$root/x"),
    ("soap", "soap"),
];

const LONG: &[(&str, Shape)] = &[
    ("segment-255", Shape::Text(concat_255())),
    ("bytes-1024", Shape::Long { unit: "n", bytes: 1024 }),
    ("bytes-1024-folders", Shape::Long { unit: "folder/", bytes: 1024 }),
    ("bytes-1024-multibyte", Shape::Long { unit: "\u{e9}", bytes: 1024 }),
    ("bytes-1024-emoji", Shape::Long { unit: "\u{1F600}", bytes: 1024 }),
    ("bytes-1024-spaces", Shape::Long { unit: "a b", bytes: 1024 }),
    ("bytes-1025", Shape::Long { unit: "n", bytes: 1025 }),
    ("bytes-2048-multibyte", Shape::Long { unit: "\u{e9}", bytes: 2048 }),
    ("segments-254", Shape::Segments(254)),
    ("segments-255", Shape::Segments(255)),
];

/// One segment of 255 bytes, the most that a common file system takes.
const fn concat_255() -> &'static str {
    const BYTES: [u8; 255] = [b's'; 255];
    match std::str::from_utf8(&BYTES) {
        Ok(text) => text,
        Err(_) => "",
    }
}

/// What careless software makes of a key: decoded, encoded, resolved, collapsed, trimmed, folded or cut. Never the key
/// itself, never empty, each once.
pub(crate) fn confusions(prefix: &str, name: &str) -> Vec<String> {
    let mut names: Vec<String> = [
        percent_decoded(name),
        percent_encoded(name),
        name.replace('+', " "),
        name.replace(' ', "+"),
        name.replace('\\', "/"),
        name.replace("//", "/"),
        name.replace("  ", " "),
        name.trim_matches('/').to_owned(),
        format!("{name}/"),
        name.trim().to_owned(),
        name.trim_end_matches('.').to_owned(),
        name.to_lowercase(),
        name.to_uppercase(),
        name.chars().filter(|c| !c.is_control()).collect(),
        name.replace(['\u{200b}', '\u{200d}', '\u{feff}', '\u{202e}'], ""),
        name.split(['?', '#', ';', '\0', '\n', '\r', ':']).next().unwrap_or_default().to_owned(),
        composed(name),
    ]
    .into_iter()
    .filter(|other| !other.is_empty())
    .map(|other| format!("{prefix}{other}"))
    .collect();
    let key = format!("{prefix}{name}");
    names.push(resolved(&key));
    names.push(resolved(&format!("{prefix}{}", percent_decoded(name))));
    names.sort();
    names.dedup();
    names.retain(|other| *other != key && !other.is_empty() && *other != prefix && other.len() <= 1024);
    names
}

/// RFC 3986 §5.2.4.
fn resolved(key: &str) -> String {
    let mut out: Vec<&str> = Vec::new();
    for segment in key.split('/') {
        match segment {
            "." => {}
            ".." => drop(out.pop()),
            other => out.push(other),
        }
    }
    out.join("/")
}

fn percent_decoded(name: &str) -> String {
    let mut bytes = Vec::with_capacity(name.len());
    let mut rest = name.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let escaped = (*first == b'%').then(|| tail.get(..2)).flatten();
        let value = escaped.and_then(|hex| std::str::from_utf8(hex).ok()?.parse_hex());
        bytes.push(value.unwrap_or(*first));
        rest = if value.is_some() { &tail[2..] } else { tail };
    }
    String::from_utf8(bytes).unwrap_or_else(|_| name.to_owned())
}

trait ParseHex {
    fn parse_hex(&self) -> Option<u8>;
}

impl ParseHex for str {
    fn parse_hex(&self) -> Option<u8> {
        u8::from_str_radix(self, 16).ok().filter(|_| self.bytes().all(|b| b.is_ascii_hexdigit()))
    }
}

fn percent_encoded(name: &str) -> String {
    let mut out = String::new();
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// The other Unicode form of the table's few composed and decomposed names.
fn composed(name: &str) -> String {
    let pairs =
        [("\u{e9}", "e\u{301}"), ("\u{ac00}", "\u{1100}\u{1161}"), ("\u{ff0e}", "."), ("\u{ff5e}", "~")];
    for (one, two) in pairs {
        if name.contains(one) {
            return name.replace(one, two);
        }
        if name.contains(two) && !two.is_ascii() {
            return name.replace(two, one);
        }
    }
    name.to_owned()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn classes_and_keys_are_unique() {
        let table = hostile_keys();
        let classes: BTreeSet<_> = table.iter().map(|hostile| hostile.class).collect();
        let keys: BTreeSet<_> = table.iter().map(|hostile| hostile.under("p/")).collect();
        assert_eq!((classes.len(), keys.len()), (table.len(), table.len()));
        assert!(table.len() > 90);
    }

    #[test]
    fn lengths_count_with_the_prefix() {
        for hostile in hostile_keys() {
            let key = hostile.under("some/prefix/");
            match hostile.shape {
                Shape::Long { bytes, .. } => assert_eq!(key.len(), bytes, "{}", hostile.class),
                Shape::Segments(count) => assert_eq!(key.split('/').count(), count),
                Shape::Text(text) => assert!(key.ends_with(text)),
            }
        }
        assert_eq!(concat_255().len(), 255);
    }

    #[test]
    fn confusions_are_what_careless_software_does() {
        for (name, confused) in [
            ("../other/k", "other/k"),
            ("%2e%2e/k", "k"),
            ("a/../c", "p/c"),
            ("a//b", "p/a/b"),
            ("a%2Fb", "p/a/b"),
            ("a%252Fb", "p/a%2Fb"),
            ("a b", "p/a+b"),
            ("a b", "p/a%20b"),
            ("caf\u{e9}", "p/cafe\u{301}"),
            ("cafe\u{301}", "p/caf\u{e9}"),
            ("CASE", "p/case"),
            ("a?b=c", "p/a"),
            ("a\r\nx-header: b", "p/a"),
        ] {
            let all = confusions("p/", name);
            assert!(all.iter().any(|other| other == confused), "{name:?}: {all:?}");
            assert!(!all.contains(&format!("p/{name}")));
        }
    }
}
