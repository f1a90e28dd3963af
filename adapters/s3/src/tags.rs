//! Object tags: as a header, as XML.

use cabotage_core::{Error, ErrorKind, Result, Tags};
use cabotage_http::encode_component;

use crate::xml::{self, Element};

/// As in `x-amz-tagging`: encoded pairs joined by `&`.
pub(crate) fn header(tags: &Tags) -> String {
    let pairs: Vec<String> = tags
        .iter()
        .map(|(key, value)| format!("{}={}", encode_component(key), encode_component(value)))
        .collect();
    pairs.join("&")
}

/// As the body of PutObjectTagging.
///
/// # Errors
/// `Unsupported` for a character that XML can't carry.
pub(crate) fn document(tags: &Tags) -> Result<String> {
    let mut out = String::from("<Tagging xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><TagSet>");
    for (key, value) in tags {
        let (Some(key), Some(value)) = (xml::escape(key), xml::escape(value)) else {
            let message = "a tag holds a control character, which the request can't carry";
            return Err(Error::new(ErrorKind::Unsupported, message));
        };
        out.push_str(&format!("<Tag><Key>{key}</Key><Value>{value}</Value></Tag>"));
    }
    out.push_str("</TagSet></Tagging>");
    Ok(out)
}

/// The tags in a reply to GetObjectTagging.
pub(crate) fn read(root: &Element<'_>) -> Result<Tags> {
    let mut tags = Tags::new();
    for tag in root.child("TagSet").into_iter().flat_map(|set| set.all("Tag")) {
        tags.insert(tag.need("Key")?.to_owned(), tag.get("Value").unwrap_or_default().to_owned());
    }
    Ok(tags)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        let tags: Tags = [("a b".into(), "1+2&é".into()), ("e".into(), String::new())].into();
        assert_eq!(header(&tags), "a%20b=1%2B2%26%C3%A9&e=");
        let document = document(&tags).unwrap();
        assert_eq!(read(&xml::parse(document.as_bytes()).unwrap()).unwrap(), tags);
        assert!(super::document(&[("a".into(), "\u{1}".into())].into()).is_err());
        assert!(read(&xml::parse(b"<Tagging/>").unwrap()).unwrap().is_empty());
    }
}
