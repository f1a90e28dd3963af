//! ListObjects, both versions.

use std::fmt::Write as _;
use std::ops::Bound;

use super::answer::{self, Answer, Refusal, escape};
use super::query::{Target, encode};
use super::store::{Bucket, Object, Store, lock};

/// Most names in a page.
const PAGE: usize = 1_000;

/// A page under way.
struct Page<'a> {
    target: &'a Target,
    prefix: &'a str,
    items: String,
    last: Option<String>,
    count: usize,
}

pub(super) fn list(store: &Store, target: &Target) -> Result<Answer, Refusal> {
    let bucket = store.bucket(&target.bucket)?;
    let prefix = target.get("prefix").unwrap_or_default();
    let mut page = Page { target, prefix, items: String::new(), last: None, count: 0 };
    let more = page.fill(&lock(&bucket));
    Ok(page.answer(more))
}

impl Page<'_> {
    /// Takes names until the page is full; whether there are more.
    fn fill(&mut self, bucket: &Bucket) -> bool {
        let max = self.target.get("max-keys").and_then(|max| max.parse().ok()).unwrap_or(PAGE).min(PAGE);
        let after = ["continuation-token", "start-after", "marker"]
            .into_iter()
            .find_map(|name| self.target.get(name).filter(|value| !value.is_empty()));
        let mut from = match after {
            Some(after) if after >= self.prefix => Bound::Excluded(after.to_owned()),
            _ => Bound::Included(self.prefix.to_owned()),
        };
        let delimiter = self.target.get("delimiter").filter(|delimiter| !delimiter.is_empty());
        let mut folder: Option<String> = after.filter(|_| delimiter.is_some()).map(str::to_owned);
        loop {
            let mut jumped = None;
            for (key, object) in bucket.objects.range::<String, _>((from.clone(), Bound::Unbounded)) {
                if !key.starts_with(self.prefix) {
                    return false;
                }
                let common = delimiter.and_then(|delimiter| common(key, self.prefix, delimiter));
                if common.is_some() && common == folder.as_deref() {
                    jumped = common.map(past);
                    break;
                }
                if self.count == max {
                    return true;
                }
                match common {
                    Some(common) => {
                        self.prefix_item(common);
                        folder = Some(common.to_owned());
                        jumped = Some(past(common));
                    }
                    None => self.object_item(key, object),
                }
                if jumped.is_some() {
                    break;
                }
            }
            match jumped {
                Some(next) => from = Bound::Included(next),
                None => return false,
            }
        }
    }

    fn object_item(&mut self, key: &str, object: &Object) {
        let name = self.name(key);
        let _ = write!(
            self.items,
            "<Contents><Key>{name}</Key><LastModified>{:.3}</LastModified><ETag>&quot;{}&quot;</ETag><Size>{}</Size>\
             <StorageClass>STANDARD</StorageClass></Contents>",
            object.modified, object.etag, object.size
        );
        self.last = Some(key.to_owned());
        self.count += 1;
    }

    fn prefix_item(&mut self, common: &str) {
        let name = self.name(common);
        let _ = write!(self.items, "<CommonPrefixes><Prefix>{name}</Prefix></CommonPrefixes>");
        self.last = Some(common.to_owned());
        self.count += 1;
    }

    fn name(&self, key: &str) -> String {
        if self.target.get("encoding-type") == Some("url") { encode(key) } else { escape(key) }
    }

    fn answer(&self, more: bool) -> Answer {
        let mut out = String::with_capacity(self.items.len() + 512);
        let (bucket, prefix) = (escape(&self.target.bucket), self.name(self.prefix));
        let _ = write!(
            out,
            "<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Name>{bucket}</Name>\
             <Prefix>{prefix}</Prefix><KeyCount>{}</KeyCount><MaxKeys>{PAGE}</MaxKeys><IsTruncated>{more}</IsTruncated>",
            self.count
        );
        if self.target.get("encoding-type") == Some("url") {
            out.push_str("<EncodingType>url</EncodingType>");
        }
        if let (true, Some(last)) = (more, &self.last) {
            if self.target.get("list-type") == Some("2") {
                let _ = write!(out, "<NextContinuationToken>{}</NextContinuationToken>", escape(last));
            } else {
                let _ = write!(out, "<NextMarker>{}</NextMarker>", self.name(last));
            }
        }
        out.push_str(&self.items);
        out.push_str("</ListBucketResult>");
        answer::xml(200, &out)
    }
}

/// The part of the key up to the first delimiter after the prefix.
fn common<'a>(key: &'a str, prefix: &str, delimiter: &str) -> Option<&'a str> {
    let at = key[prefix.len()..].find(delimiter)?;
    Some(&key[..prefix.len() + at + delimiter.len()])
}

/// The first string after all that begin with that one, near enough for names of ASCII delimiters.
fn past(common: &str) -> String {
    format!("{common}\u{10ffff}")
}
