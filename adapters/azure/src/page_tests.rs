use cabotage_core::{ErrorKind, TierClass};

use super::*;

fn page(blobs: &str, marker: &str) -> String {
    format!(
        "\u{feff}<?xml version=\"1.0\" encoding=\"utf-8\"?><EnumerationResults ContainerName=\"c\"><Prefix/>\
         <Blobs>{blobs}</Blobs><NextMarker>{marker}</NextMarker></EnumerationResults>"
    )
}

const FULL: &str = "<Blob><Name>a/ b&amp;c</Name><VersionId>v1</VersionId><IsCurrentVersion>true</IsCurrentVersion>\
    <Properties><Last-Modified>Tue, 24 Nov 2026 21:52:48 GMT</Last-Modified><Etag>0x1</Etag>\
    <Content-Length>7</Content-Length><Content-Type>text/plain</Content-Type><Content-Encoding/>\
    <Cache-Control>no-store</Cache-Control><Content-MD5>kAFQmDzST7DWlj99KOF/cg==</Content-MD5>\
    <BlobType>BlockBlob</BlobType><AccessTier>Cool</AccessTier></Properties>\
    <Metadata><Owner>x  y</Owner></Metadata>\
    <Tags><TagSet><Tag><Key>k</Key><Value>v</Value></Tag></TagSet></Tags></Blob>";

#[test]
fn a_blob_with_everything() {
    let read = parse(page(FULL, "next").as_bytes()).unwrap();
    assert_eq!(read.next.as_deref(), Some("next"));
    let ListItem::Object(info) = &read.items[0] else { panic!("{:?}", read.items) };
    assert_eq!((info.key.as_str(), info.size, info.version.as_deref()), ("a/ b&c", 7, Some("v1")));
    assert_eq!(info.modified.unwrap().to_string(), "2026-11-24T21:52:48Z");
    assert_eq!(info.tier.as_ref().unwrap().class, TierClass::Infrequent);
    assert_eq!(info.digests.len(), 1);
    let attributes = info.attributes.as_ref().unwrap();
    assert_eq!(attributes.headers.content_type.as_deref(), Some("text/plain"));
    assert_eq!(attributes.headers.cache_control.as_deref(), Some("no-store"));
    assert_eq!(attributes.headers.content_encoding, None);
    assert_eq!(attributes.metadata["Owner"], "x  y");
    assert_eq!(attributes.tags.as_ref().unwrap()["k"], "v");
}

fn one(blob: &str) -> ListItem {
    parse(page(blob, "").as_bytes()).unwrap().items.remove(0)
}

#[test]
fn forms_versions_and_bad_names() {
    let blob = |name: &str, more: &str| format!("<Blob>{name}{more}</Blob>");
    let length = "<Properties><Content-Length>0</Content-Length></Properties>";
    let stub = format!("{length}<Metadata><Hdi_IsFolder>True</Hdi_IsFolder></Metadata>");
    let form = |item: ListItem| match item {
        ListItem::Object(info) => info.form,
        other => panic!("{other:?}"),
    };
    assert_eq!(form(one(&blob("<Name>d</Name>", &stub))), ObjectForm::FolderStub);
    let directory = "<Properties><ResourceType>directory</ResourceType></Properties>";
    assert_eq!(form(one(&blob("<Name>d</Name>", directory))), ObjectForm::FolderStub);
    let append = "<Properties><Content-Length>1</Content-Length><BlobType>AppendBlob</BlobType></Properties>";
    assert_eq!(form(one(&blob("<Name>d</Name>", append))), ObjectForm::AppendBlob);
    let old = format!("<VersionId>v0</VersionId>{length}");
    assert!(matches!(one(&blob("<Name>d</Name>", &old)), ListItem::Version(_)));
    let encoded = one(&blob("<Name Encoded=\"true\">a%01%EF%BF%BF</Name>", length));
    assert!(matches!(encoded, ListItem::Object(info) if info.key.as_str() == "a\u{1}\u{ffff}"));
    assert_eq!(
        one(&blob("<Name Encoded=\"true\">a%FF</Name>", length)),
        ListItem::BadKey(RawKey::new(*b"a\xff"))
    );
    assert_eq!(one(&blob("<Name/>", length)), ListItem::BadKey(RawKey::new(*b"")));
    assert_eq!(one("<BlobPrefix><Name>d/</Name></BlobPrefix>"), ListItem::Prefix(Key::new("d/").unwrap()));
}

#[test]
fn what_is_no_whole_listing_is_an_error() {
    let whole = page(FULL, "");
    for cut in [whole.len() - 1, whole.len() / 2, 60] {
        let cut = (0..=cut).rev().find(|at| whole.is_char_boundary(*at)).unwrap();
        assert_eq!(parse(&whole.as_bytes()[..cut]).unwrap_err().kind(), ErrorKind::Protocol, "{cut}");
    }
    assert_eq!(parse(b"<Error/>").unwrap_err().kind(), ErrorKind::Protocol);
    assert_eq!(
        parse(page("<Blob><Name>a</Name></Blob>", "").as_bytes()).unwrap_err().kind(),
        ErrorKind::Protocol
    );
}
