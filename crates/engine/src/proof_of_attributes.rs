//! Which objects' attributes are looked at after the write, and which are taken as proven: decided here, and nowhere else.
//!
//! Attributes are looked at object by object until a **shape** is proven: an object came back from this destination with
//! exactly what was sent, and perhaps a content type that the server gives of its own. Other objects of that shape are then
//! taken to come back so too. Two objects are of one shape when they agree in
//!
//! - the way they were written: in one request or in parts, and under which tier,
//! - every content header, value for value,
//! - the names of metadata and the keys of tags, letter for letter.
//!
//! Values of metadata and tags may differ within a shape, as long as no server is known to change such: printable ASCII
//! without spaces at the ends or two in a row, not empty, and 1 KiB with the names in all. Everything else has no shape and is
//! looked at. A shape of which one object lost something is never proven: its objects are looked at each, so the losses in
//! the report are exact.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use cabotage_core::{Attributes, Sha256, Sha256Hasher, WriteOptions};

/// Shapes remembered at most; objects of further ones are looked at each.
const SHAPES: usize = 10_000;
/// Most bytes of metadata that a shape stands for, and of tags.
const BYTES: usize = 1_024;

/// What is told of an object with all that a server may treat alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Shape(Sha256);

/// The shapes that are proven at one destination in one run.
#[derive(Debug, Default)]
pub(crate) struct Proven(Mutex<HashMap<Shape, Found>>);

#[derive(Clone, Debug)]
enum Found {
    /// Came back as it was sent, with that content type of the server's own where none was sent.
    AsSent(Option<String>),
    /// Came back otherwise.
    Otherwise,
}

impl Shape {
    /// The shape of what is sent; `None`: it has to be looked at.
    pub(crate) fn of(options: &WriteOptions, in_parts: bool) -> Option<Self> {
        let Attributes { headers, metadata, tags } = &options.attributes;
        let tags = tags.as_ref();
        let pairs = || metadata.iter().chain(tags.into_iter().flatten());
        let bytes: usize = pairs().map(|(name, value)| name.len() + value.len()).sum();
        if bytes > BYTES || !pairs().all(|(name, value)| is_plain(name) && is_plain(value)) {
            return None;
        }
        let mut hasher = Sha256Hasher::default();
        let mut field = |kind: u8, text: &str| {
            hasher.update(&[kind]);
            hasher.update(&(text.len() as u64).to_le_bytes());
            hasher.update(text.as_bytes());
        };
        field(b'w', if in_parts { "parts" } else { "single" });
        options.tier.iter().for_each(|tier| field(b'c', tier));
        for (name, value) in headers.entries() {
            if let Some(value) = value {
                field(b'h', name);
                field(b'v', value);
            }
        }
        metadata.keys().for_each(|name| field(b'm', name));
        tags.into_iter().flatten().for_each(|(key, _)| field(b't', key));
        Some(Self(hasher.finish()))
    }
}

fn is_plain(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|b| matches!(b, b' '..=b'~'))
        && text.trim() == text
        && !text.contains("  ")
}

impl Proven {
    /// What an object of that shape holds at the destination, if that is known without a look.
    pub(crate) fn stored(&self, shape: Shape, sent: &Attributes) -> Option<Attributes> {
        match self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&shape)? {
            Found::AsSent(own_type) => Some(with_type(sent, own_type.clone())),
            Found::Otherwise => None,
        }
    }

    /// Notes what a look at an object of that shape found.
    pub(crate) fn note(&self, shape: Shape, sent: &Attributes, stored: &Attributes) {
        let own_type = stored.headers.content_type.clone();
        let as_sent =
            with_type(sent, own_type.clone()).digest() == stored.digest() && is_spelled_alike(sent, stored);
        let mut shapes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if shapes.len() >= SHAPES && !shapes.contains_key(&shape) {
            return;
        }
        match shapes.get(&shape) {
            Some(Found::Otherwise) => {}
            Some(Found::AsSent(_)) if as_sent => {}
            _ => {
                shapes.insert(shape, if as_sent { Found::AsSent(own_type) } else { Found::Otherwise });
            }
        }
    }
}

fn with_type(sent: &Attributes, own_type: Option<String>) -> Attributes {
    let mut stored = sent.clone();
    stored.headers.content_type = stored.headers.content_type.take().or(own_type);
    stored
}

/// The digest takes names of metadata in any case, and unknown tags for none.
fn is_spelled_alike(sent: &Attributes, stored: &Attributes) -> bool {
    let tagged = sent.tags.as_ref().is_some_and(|tags| !tags.is_empty());
    sent.metadata == stored.metadata && (!tagged || sent.tags == stored.tags)
}

#[cfg(test)]
#[path = "proof_of_attributes_tests.rs"]
mod tests;
