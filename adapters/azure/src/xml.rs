//! Reading the service's XML: from memory, capped in depth, without DTDs.

use cabotage_core::{Error, ErrorKind, Result};
use quick_xml::Reader;
use quick_xml::events::{BytesRef, BytesStart, Event};

/// Deepest nesting that is read; the service's own is 5.
const DEPTH: usize = 16;

/// A step through a document.
pub(crate) enum Visit<'a> {
    /// An element begins. `path` ends with its name.
    Open { path: &'a [&'a str] },
    /// An element ends, with the text that it held directly.
    Close {
        path: &'a [&'a str],
        text: &'a str,
        /// Whether it said `Encoded="true"`: its text is percent-encoded (names that XML can't carry).
        encoded: bool,
    },
}

/// Walks through a whole document.
///
/// # Errors
/// `Protocol` for a document that isn't well-formed UTF-8 XML, ends early, is nested too deep, has two roots or holds a
/// DTD; those of `visit`.
pub(crate) fn walk(document: &[u8], mut visit: impl FnMut(Visit<'_>) -> Result<()>) -> Result<()> {
    let text = std::str::from_utf8(document).map_err(|_| broken("is not UTF-8"))?;
    // The service begins its documents with a byte order mark.
    let mut reader = Reader::from_str(text.strip_prefix('\u{feff}').unwrap_or(text));
    let mut stack = Stack::default();
    loop {
        match reader.read_event().map_err(|error| broken("is not well-formed").caused_by(error))? {
            Event::Start(start) => stack.open(&start, &mut visit)?,
            Event::Empty(start) => {
                stack.open(&start, &mut visit)?;
                stack.close(&mut visit)?;
            }
            Event::End(_) => stack.close(&mut visit)?,
            Event::Text(text) => stack.push_text(&text),
            Event::CData(text) => stack.push_text(&text),
            Event::GeneralRef(reference) => stack.push_char(resolve(&reference)?),
            Event::DocType(_) => return Err(broken("holds a document type, which is never read")),
            Event::Decl(_) | Event::PI(_) | Event::Comment(_) => {}
            Event::Eof if stack.levels.is_empty() && stack.any => return Ok(()),
            Event::Eof => return Err(broken("was cut short")),
        }
    }
}

#[derive(Default)]
struct Stack {
    levels: Vec<Level>,
    any: bool,
}

struct Level {
    name: String,
    text: String,
    encoded: bool,
}

impl Stack {
    fn open(
        &mut self,
        start: &BytesStart<'_>,
        visit: &mut impl FnMut(Visit<'_>) -> Result<()>,
    ) -> Result<()> {
        if self.levels.len() == DEPTH {
            return Err(broken("is nested too deep"));
        }
        if self.levels.is_empty() && self.any {
            return Err(broken("has two roots"));
        }
        let encoded = start.attributes_raw().contains("Encoded=\"true\"");
        self.levels.push(Level { name: start.name().as_ref().to_owned(), text: String::new(), encoded });
        self.any = true;
        self.with_path(|path, _| visit(Visit::Open { path }))
    }

    fn close(&mut self, visit: &mut impl FnMut(Visit<'_>) -> Result<()>) -> Result<()> {
        self.with_path(|path, level| {
            visit(Visit::Close { path, text: &level.text, encoded: level.encoded })
        })?;
        self.levels.pop();
        Ok(())
    }

    fn with_path(&self, call: impl FnOnce(&[&str], &Level) -> Result<()>) -> Result<()> {
        let Some(last) = self.levels.last() else { return Err(broken("is not well-formed")) };
        let mut path = [""; DEPTH];
        for (slot, level) in path.iter_mut().zip(&self.levels) {
            *slot = &level.name;
        }
        call(&path[..self.levels.len()], last)
    }

    fn push_text(&mut self, text: &str) {
        if let Some(level) = self.levels.last_mut() {
            level.text.push_str(text);
        }
    }

    fn push_char(&mut self, c: char) {
        if let Some(level) = self.levels.last_mut() {
            level.text.push(c);
        }
    }
}

/// A character reference or one of XML's five names.
fn resolve(reference: &BytesRef<'_>) -> Result<char> {
    let unknown = || broken("holds a reference that is not known");
    if let Some(c) = reference.resolve_char_ref().map_err(|_| unknown())? {
        return Ok(c);
    }
    let name: &str = reference;
    Ok(match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        _ => return Err(unknown()),
    })
}

pub(crate) fn broken(what: &str) -> Error {
    Error::new(ErrorKind::Protocol, format!("the server's XML {what}"))
}

/// Well-formed XML that is something else than a listing.
pub(crate) fn no_listing() -> Error {
    broken("is no listing").help("check the endpoint: a proxy or another service may answer there")
}

/// Text for an element's content.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn closed(document: &[u8]) -> Result<Vec<(String, String, bool)>> {
        let mut seen = Vec::new();
        walk(document, |visit| {
            if let Visit::Close { path, text, encoded } = visit {
                seen.push((path.join("/"), text.to_owned(), encoded));
            }
            Ok(())
        })?;
        Ok(seen)
    }

    #[test]
    fn text_is_kept_as_it_is() {
        let seen = closed(
            b"\xef\xbb\xbf<?xml version=\"1.0\"?><a><b> x&amp;&#x41;&lt;\r\n </b><c Encoded=\"true\"/></a>",
        );
        let expected = [("a/b", " x&A<\r\n ", false), ("a/c", "", true), ("a", "", false)];
        let expected: Vec<_> = expected.map(|(p, t, e)| (p.to_owned(), t.to_owned(), e)).to_vec();
        assert_eq!(seen.unwrap(), expected);
    }

    #[test]
    fn what_is_refused() {
        let deep = format!("{}{}", "<a>".repeat(17), "</a>".repeat(17));
        for (document, why) in [
            (&b"<a><b></b>"[..], "cut short"),
            (b"", "cut short"),
            (b"<!DOCTYPE a [<!ENTITY x \"y\">]><a>&x;</a>", "document type"),
            (b"<a>&x;</a>", "reference"),
            (b"<a></b>", "well-formed"),
            (b"<a>\xff</a>", "UTF-8"),
            (b"<a/><a/>", "two roots"),
            (deep.as_bytes(), "too deep"),
        ] {
            let error = closed(document).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Protocol);
            assert!(error.to_string().contains(why), "{error}");
        }
    }

    #[test]
    fn escaping_reads_back() {
        let text = "a<b>&\"c' d";
        let document = format!("<a>{}</a>", escape(text));
        assert_eq!(closed(document.as_bytes()).unwrap()[0].1, text);
    }
}
