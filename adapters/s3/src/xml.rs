//! Replies in XML: read into a small tree, with caps. Namespaces are ignored.

use std::borrow::Cow;

use cabotage_core::{Error, ErrorKind, Result};
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

/// Longest reply that is read, in bytes.
pub(crate) const MAX_REPLY: usize = 16 * 1024 * 1024;

/// Deepest nesting.
const MAX_DEPTH: usize = 16;

/// An element of a document: its children, and its text where it has none. Names and texts stay where they are in the
/// document: a page of a listing has thousands of them.
#[derive(Debug, Default)]
pub(crate) struct Element<'d> {
    pub(crate) name: &'d str,
    pub(crate) text: Cow<'d, str>,
    pub(crate) children: Vec<Element<'d>>,
}

/// Children that there is room for in the first place: an entry of a listing has about so many.
const CHILDREN: usize = 8;

impl<'d> Element<'d> {
    /// The first child of that name.
    pub(crate) fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.name == name)
    }

    /// All children of that name.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Element<'d>> {
        self.children.iter().filter(move |child| child.name == name)
    }

    /// The text of the first child of that name.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.child(name).map(|child| &*child.text)
    }

    /// The text of a child that must be there.
    pub(crate) fn need(&self, name: &str) -> Result<&str> {
        self.get(name).ok_or_else(|| broken(&format!("<{name}> is missing in <{}>", self.name)))
    }

    /// A child that must be there and hold a number.
    pub(crate) fn number(&self, name: &str) -> Result<u64> {
        let text = self.need(name)?;
        text.trim().parse().map_err(|_| broken(&format!("<{name}> is no number: {text}")))
    }

    /// Whether a child says `true`.
    pub(crate) fn is_true(&self, name: &str) -> bool {
        self.get(name).is_some_and(|text| text.trim().eq_ignore_ascii_case("true"))
    }
}

fn broken(why: &str) -> Error {
    Error::new(ErrorKind::Protocol, format!("the server's XML can't be understood: {why}"))
}

/// Reads a document.
///
/// # Errors
/// `Protocol`: not UTF-8, cut short, a DTD, an entity other than the five, nested too deep, more than one root.
pub(crate) fn parse(bytes: &[u8]) -> Result<Element<'_>> {
    let text = std::str::from_utf8(bytes).map_err(|_| broken("it is not UTF-8"))?;
    let mut reader = Reader::from_str(text);
    let mut open: Vec<Element<'_>> = Vec::new();
    let mut root = None;
    loop {
        let at = usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX);
        let event = reader.read_event().map_err(|error| broken(&error.to_string()))?;
        match event {
            Event::Start(start) => {
                if open.len() == MAX_DEPTH {
                    return Err(broken("it is nested too deep"));
                }
                open.push(element(text, at, &start)?);
            }
            Event::Empty(start) => close(element(text, at, &start)?, &mut open, &mut root)?,
            Event::End(_) => {
                let ended = open.pop().ok_or_else(|| broken("an element ends that never began"))?;
                close(ended, &mut open, &mut root)?;
            }
            Event::Text(text) => add(&mut open, text.into_inner()),
            Event::CData(text) => add(&mut open, text.into_inner()),
            Event::GeneralRef(name) => {
                let c = match name.resolve_char_ref().map_err(|error| broken(&error.to_string()))? {
                    Some(c) => c,
                    None => entity(&name)?,
                };
                add(&mut open, Cow::Owned(c.to_string()));
            }
            Event::DocType(_) => return Err(broken("it holds a DTD")),
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
            Event::Eof => break,
        }
    }
    match root {
        Some(root) if open.is_empty() => Ok(root),
        _ => Err(broken("it is cut short")),
    }
}

/// An element whose tag begins at that place of the document.
fn element<'d>(document: &'d str, at: usize, start: &BytesStart<'_>) -> Result<Element<'d>> {
    let tag = at.checked_add(1).and_then(|begin| document.get(begin..)).unwrap_or_default();
    let name = tag.get(..start.name().as_ref().len()).unwrap_or_default();
    let name = name.split_once(':').map_or(name, |(_, local)| local);
    if name != start.local_name().as_ref() {
        return Err(broken("an element isn't where it was found"));
    }
    Ok(Element { name, ..Element::default() })
}

fn close<'d>(ended: Element<'d>, open: &mut [Element<'d>], root: &mut Option<Element<'d>>) -> Result<()> {
    if let Some(parent) = open.last_mut() {
        if parent.children.is_empty() {
            parent.children.reserve(CHILDREN);
        }
        parent.children.push(ended);
    } else if root.replace(ended).is_some() {
        return Err(broken("it has two roots"));
    }
    Ok(())
}

fn add<'d>(open: &mut [Element<'d>], text: Cow<'d, str>) {
    let Some(element) = open.last_mut() else { return };
    if element.text.is_empty() {
        element.text = text;
    } else {
        element.text.to_mut().push_str(&text);
    }
}

fn entity(name: &str) -> Result<char> {
    match name {
        "amp" => Ok('&'),
        "lt" => Ok('<'),
        "gt" => Ok('>'),
        "quot" => Ok('"'),
        "apos" => Ok('\''),
        _ => Err(broken("it holds an unknown entity")),
    }
}

/// Text as it stands in XML; carriage returns, tabs and newlines as references, so that they arrive.
///
/// `None` for characters that XML 1.0 can't carry at all.
pub(crate) fn escape(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\t' | '\n' | '\r' => out.push_str(&format!("&#{};", u32::from(c))),
            '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => return None,
            c => out.push(c),
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_tree() {
        let root = parse(
            b"<?xml version=\"1.0\"?>\n<x:R xmlns:x=\"u\"><K>a &amp;&#x41;\r\n&lt;</K><E/><N>12</N><T>True</T></x:R>",
        )
        .unwrap();
        assert_eq!(root.name, "R");
        assert_eq!(root.get("K"), Some("a &A\r\n<"));
        assert_eq!(root.get("E"), Some(""));
        assert_eq!(root.number("N").unwrap(), 12);
        assert!(root.is_true("T"));
        assert_eq!(root.need("Z").unwrap_err().kind(), ErrorKind::Protocol);
    }

    #[test]
    fn refuses_what_is_dangerous_or_cut() {
        let deep = "<a>".repeat(17) + &"</a>".repeat(17);
        for bad in [
            "<!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>",
            "<a>&b;</a>",
            "<a><b>x</b>",
            "<a><b>x</a>",
            "<a/><b/>",
            "",
            "no xml",
            deep.as_str(),
        ] {
            assert_eq!(parse(bad.as_bytes()).unwrap_err().kind(), ErrorKind::Protocol, "{bad}");
        }
        assert!(parse(b"<a>\xff</a>").is_err());
    }

    #[test]
    fn escapes_both_ways() {
        let text = "a&<>\"'\r\n\t\u{7f}é😀";
        let escaped = escape(text).unwrap();
        assert_eq!(parse(format!("<k>{escaped}</k>").as_bytes()).unwrap().text, text);
        assert_eq!(escape("\u{1}"), None);
        assert_eq!(escape("\u{ffff}"), None);
    }
}
