//! A page of List Blobs: what it says of each blob.

use cabotage_core::{Attributes, Key, ListItem, Metadata, ObjectForm, ObjectInfo, RawKey, Result, Tags};
use percent_encoding::percent_decode_str;

use crate::info;
use crate::xml::{self, Visit, broken, no_listing};

/// A page.
#[derive(Debug, Default)]
pub(crate) struct Page {
    pub(crate) items: Vec<ListItem>,
    /// Where the next page begins; `None` after the last.
    pub(crate) next: Option<String>,
}

/// Reads a page.
///
/// # Errors
/// `Protocol` for anything but a whole listing.
pub(crate) fn parse(document: &[u8]) -> Result<Page> {
    let mut page = Page::default();
    let mut draft = Draft::default();
    let mut listing = false;
    xml::walk(document, |visit| match visit {
        Visit::Open { path: ["EnumerationResults", "Blobs", "Blob" | "BlobPrefix"] } => {
            draft = Draft::default();
            Ok(())
        }
        Visit::Open { .. } => Ok(()),
        Visit::Close { path: ["EnumerationResults", "Blobs", "Blob"], .. } => {
            page.items.push(std::mem::take(&mut draft).object()?);
            Ok(())
        }
        Visit::Close { path: ["EnumerationResults", "Blobs", "BlobPrefix"], .. } => {
            page.items.push(std::mem::take(&mut draft).prefix());
            Ok(())
        }
        Visit::Close { path: ["EnumerationResults", "Blobs", _, rest @ ..], text, encoded } => {
            draft.set(rest, text, encoded);
            Ok(())
        }
        Visit::Close { path: ["EnumerationResults", "NextMarker"], text, .. } => {
            page.next = Some(text.to_owned()).filter(|marker| !marker.is_empty());
            Ok(())
        }
        Visit::Close { path: ["EnumerationResults"], .. } => {
            listing = true;
            Ok(())
        }
        Visit::Close { .. } => Ok(()),
    })?;
    if listing { Ok(page) } else { Err(no_listing()) }
}

/// A blob of which some elements have been read.
#[derive(Default)]
struct Draft {
    name: Vec<u8>,
    size: Option<u64>,
    etag: Option<String>,
    version: Option<String>,
    /// Versions alone say whether they are the current one.
    current: Option<bool>,
    modified: Option<String>,
    attributes: Attributes,
    tag_key: String,
    md5: Option<String>,
    tier: Option<String>,
    blob_type: Option<String>,
    directory: bool,
}

impl Draft {
    fn set(&mut self, path: &[&str], text: &str, encoded: bool) {
        let value = || Some(text.to_owned()).filter(|text| !text.is_empty());
        match path {
            ["Name"] if encoded => self.name = percent_decode_str(text).collect(),
            ["Name"] => self.name = text.as_bytes().to_vec(),
            ["VersionId"] => self.version = value(),
            ["IsCurrentVersion"] => self.current = Some(text == "true"),
            ["Metadata", name] => drop(self.attributes.metadata.insert((*name).to_owned(), text.to_owned())),
            ["Tags", "TagSet", "Tag", "Key"] => text.clone_into(&mut self.tag_key),
            ["Tags", "TagSet", "Tag", "Value"] => {
                let key = std::mem::take(&mut self.tag_key);
                self.attributes.tags.get_or_insert_with(Tags::new).insert(key, text.to_owned());
            }
            ["Properties", name] => self.set_property(name, value()),
            _ => {}
        }
    }

    fn set_property(&mut self, name: &str, value: Option<String>) {
        match name {
            "Content-Length" => self.size = value.and_then(|value| value.parse().ok()),
            "Etag" => self.etag = value,
            "Last-Modified" => self.modified = value,
            "Content-MD5" => self.md5 = value,
            "AccessTier" => self.tier = value,
            "BlobType" => self.blob_type = value,
            "ResourceType" => self.directory = value.as_deref() == Some("directory"),
            other => drop(self.attributes.headers.set(&other.to_ascii_lowercase(), value)),
        }
    }

    fn object(self) -> Result<ListItem> {
        let Some(key) = key_of(&self.name) else { return Ok(ListItem::BadKey(RawKey::new(self.name))) };
        let size = match self.size {
            Some(size) => size,
            None if self.directory => 0,
            None => return Err(broken("lists a blob without its length").on(&key)),
        };
        let form = match info::form(self.blob_type.as_deref(), &self.attributes.metadata) {
            ObjectForm::Plain if self.directory => ObjectForm::FolderStub,
            form => form,
        };
        let older = self.current == Some(false) || (self.version.is_some() && self.current.is_none());
        let info = ObjectInfo {
            key,
            size,
            etag: self.etag.map(|etag| cabotage_core::ETag::new(&etag)),
            version: self.version,
            modified: self.modified.and_then(|date| info::date_of(&date)),
            attributes: Some(self.attributes),
            tier: self.tier.map(info::tier),
            digests: self.md5.and_then(|md5| info::md5_digest(&md5)).into_iter().collect(),
            form,
            uncarried: Metadata::new(),
        };
        Ok(if older { ListItem::Version(info) } else { ListItem::Object(info) })
    }

    fn prefix(self) -> ListItem {
        key_of(&self.name).map_or_else(|| ListItem::BadKey(RawKey::new(self.name)), ListItem::Prefix)
    }
}

fn key_of(name: &[u8]) -> Option<Key> {
    Key::new(std::str::from_utf8(name).ok()?).ok()
}

#[cfg(test)]
#[path = "page_tests.rs"]
mod tests;
