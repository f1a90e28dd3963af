//! Against a real server, where one is named: `RGW_ENDPOINT`, `RGW_ACCESS_KEY`, `RGW_SECRET_KEY`.
//!
//! Without it these tests do nothing, unless `CABOTAGE_REQUIRE` names `rgw`: then they fail.

use std::env::var;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use cabotage_core::*;
use futures::TryStreamExt as _;

use crate::{S3Config, S3Credentials, S3Store};

pub(crate) fn config(bucket: &str, provider: Option<&str>) -> Option<S3Config> {
    let Ok(endpoint) = var("RGW_ENDPOINT") else {
        let required = var("CABOTAGE_REQUIRE").unwrap_or_default();
        assert!(!required.split(',').any(|name| name == "rgw"), "RGW_ENDPOINT isn't set");
        return None;
    };
    Some(S3Config {
        endpoint: Some(endpoint),
        provider: provider.map(|name| cabotage_providers::find(name).unwrap()),
        credentials: S3Credentials::Static {
            access_key: var("RGW_ACCESS_KEY").unwrap(),
            secret: Secret::new(var("RGW_SECRET_KEY").unwrap()),
            session_token: None,
        },
        ..S3Config::new(bucket)
    })
}

pub(crate) fn fresh_name(what: &str) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos();
    format!("s3-{what}-{}-{now}", std::process::id())
}

pub(crate) async fn fresh(what: &str, provider: Option<&str>) -> Option<S3Store> {
    let store = S3Store::open(config(&fresh_name(what), provider)?).await.unwrap();
    store.client().send(store.client().bucket(Operation::Open, http::Method::PUT)).await.unwrap();
    Some(store)
}

fn key(name: &str) -> Key {
    Key::new(name).unwrap()
}

fn bytes(text: &'static str) -> Payload {
    Payload::from_bytes(Bytes::from_static(text.as_bytes()))
}

fn created() -> WriteOptions {
    WriteOptions { mode: WriteMode::Create, ..WriteOptions::default() }
}

async fn keys(store: &S3Store, scope: ListScope) -> Vec<String> {
    let items: Vec<ListItem> = store.list(scope).try_collect().await.unwrap();
    items
        .into_iter()
        .map(|item| match item {
            ListItem::Object(info) | ListItem::Version(info) => info.key.as_str().to_owned(),
            ListItem::Prefix(prefix) => format!("[{}]", prefix.as_str()),
            ListItem::BadKey(raw) => panic!("{raw:?}"),
        })
        .collect()
}

const HOSTILE: &[&str] = &[
    "plain.txt",
    "a//b",
    "a/./b",
    "a/../b",
    "../k",
    "./k",
    "a/",
    "a//",
    "trailing/.",
    "trailing/..",
    "%2F",
    "a%2Fb",
    "%",
    "%zz",
    "a+b",
    "a b",
    " lead",
    "trail ",
    "a?b&c=d#e",
    "\u{1}\u{1f}\u{7f}",
    "new\nline\r\n\ttab",
    "\u{1F600}/\u{ff5e}",
    "e\u{301}\u{e9}",
    "\u{202e}rtl",
    "\u{ffff}\u{fffe}",
    "back\\slash",
    "quote\"'<>&;",
    "~._-!*'()",
    "COM1",
    "a:b|c",
];

#[tokio::test]
async fn hostile_keys_arrive_exactly() {
    let Some(store) = fresh("keys", Some("ceph")).await else { return };
    let mut expected: Vec<String> = HOSTILE.iter().map(|name| (*name).to_owned()).collect();
    expected.push("/".to_owned());
    expected.push("/lead".to_owned());
    expected.push("//".to_owned());
    expected.push("x".repeat(1024));
    for name in &expected {
        let written = store.write(&key(name), Payload::from_bytes(name.clone()), created()).await;
        written.unwrap_or_else(|error| panic!("{name:?}: {error}"));
    }
    for name in &expected {
        let read = store.read_all(&key(name), 4096).await.unwrap_or_else(|error| panic!("{name:?}: {error}"));
        assert_eq!(read, name.as_bytes(), "{name:?}");
    }
    expected.sort();
    assert_eq!(keys(&store, ListScope::default()).await, expected);
    let doomed: Vec<Key> = expected.iter().map(|name| key(name)).collect();
    for (key, result) in store.delete_many(doomed).await {
        result.unwrap_or_else(|error| panic!("{key:?}: {error}"));
    }
    assert!(keys(&store, ListScope::default()).await.is_empty());
}

#[tokio::test]
async fn a_key_never_becomes_another_bucket() {
    let Some(a) = fresh("dots-a", Some("ceph")).await else { return };
    let Some(b) = fresh("dots-b", Some("ceph")).await else { return };
    b.put(&key("k"), "untouched".into()).await.unwrap();
    let sly = key(&format!("../{}/k", b.client().bucket));
    a.put(&sly, "in a".into()).await.unwrap();
    assert_eq!(b.read_all(&key("k"), 100).await.unwrap(), "untouched");
    assert_eq!(a.read_all(&sly, 100).await.unwrap(), "in a");
    let slash = key("a%2F..%2Fb/%2e%2e/c");
    a.put(&slash, "x".into()).await.unwrap();
    assert_eq!(keys(&a, ListScope::default()).await, [sly.as_str(), slash.as_str()]);
    assert_eq!(keys(&b, ListScope::default()).await, ["k"]);
    let to = key("copy");
    a.copy_within(&sly, None, &to, WriteOptions::default()).await.unwrap();
    assert_eq!(a.read_all(&to, 100).await.unwrap(), "in a");
}

fn full_attributes() -> Attributes {
    Attributes {
        headers: ContentHeaders {
            content_type: Some("text/plain; charset=utf-8".into()),
            content_encoding: Some("gzip".into()),
            content_language: Some("fr".into()),
            content_disposition: Some("attachment;  filename=\"a  b.txt\"".into()),
            cache_control: Some("no-cache, max-age=0".into()),
        },
        metadata: [
            ("plain".to_owned(), "v".to_owned()),
            ("utf8".to_owned(), "Zo\u{eb} \u{1F600}".to_owned()),
            ("spaces".to_owned(), "a  b   c".to_owned()),
            ("encoded".to_owned(), "=?UTF-8?B?w6k=?=".to_owned()),
            ("percent".to_owned(), "%C3%A9+".to_owned()),
        ]
        .into(),
        tags: Some(
            [("a b".to_owned(), "1+2=3".to_owned()), ("\u{e9}".to_owned(), "x/y:z@".to_owned())].into(),
        ),
    }
}

#[tokio::test]
async fn attributes_arrive_by_write_upload_and_alone() {
    let Some(store) = fresh("attributes", Some("ceph")).await else { return };
    let full = full_attributes();
    let options = WriteOptions { attributes: full.clone(), ..WriteOptions::default() };
    store.write(&key("written"), bytes("x"), options.clone()).await.unwrap();
    let upload = store.start_upload(&key("uploaded"), options).await.unwrap();
    let part = upload.part(PartSlot { number: 1, offset: 0 }, bytes("x")).await.unwrap();
    assert_eq!(upload.parts().await.unwrap(), std::slice::from_ref(&part));
    upload.complete(&[part]).await.unwrap();
    for name in ["written", "uploaded"] {
        let info = store.head(&key(name), Detail::WithTags).await.unwrap();
        assert_eq!(info.attributes.as_ref(), Some(&full), "{name}");
        assert_eq!(info.size, 1);
        let other =
            Attributes { tags: None, metadata: [("n".into(), "2".into())].into(), ..Attributes::default() };
        store.set_attributes(&key(name), &other, info.etag.as_ref()).await.unwrap();
        let changed = store.head(&key(name), Detail::WithTags).await.unwrap().attributes.unwrap();
        assert_eq!(changed.metadata, other.metadata);
        assert_eq!(changed.tags, full.tags, "unknown tags leave the tags alone");
        let bare = Attributes { tags: Some(Tags::new()), ..Attributes::default() };
        store.set_attributes(&key(name), &bare, None).await.unwrap();
        let cleared = store.head(&key(name), Detail::WithTags).await.unwrap().attributes.unwrap();
        assert_eq!(cleared.tags, Some(Tags::new()));
        assert!(cleared.metadata.is_empty());
    }
}

#[tokio::test]
async fn conditions_of_writes_known_or_learnt() {
    for provider in [Some("ceph"), None] {
        let Some(store) = fresh("conditions", provider).await else { return };
        let k = key("k");
        let first = store.write(&k, bytes("1"), created()).await.unwrap().etag.unwrap();
        let error = store.write(&k, bytes("2"), created()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::PreconditionFailed);
        let if_match =
            |etag: &ETag| WriteOptions { mode: WriteMode::IfMatch(etag.clone()), ..WriteOptions::default() };
        let second = store.write(&k, bytes("3"), if_match(&first)).await.unwrap().etag.unwrap();
        let error = store.write(&k, bytes("4"), if_match(&first)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::PreconditionFailed);
        assert_eq!(store.read_all(&k, 10).await.unwrap(), "3");
        let delete = |etag: &ETag| DeleteOptions { if_match: Some(etag.clone()), ..DeleteOptions::default() };
        let error = store.delete(&k, delete(&first)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::PreconditionFailed);
        store.delete(&k, delete(&second)).await.unwrap();
        assert_eq!(store.delete(&k, delete(&second)).await.unwrap_err().kind(), ErrorKind::NotFound);
        store.delete(&k, DeleteOptions::default()).await.unwrap();
    }
}

#[tokio::test]
async fn reads_are_pinned_and_checked() {
    let Some(store) = fresh("reads", Some("ceph")).await else { return };
    let k = key("k");
    let etag = store.put(&k, "0123456789".into()).await.unwrap().etag.unwrap();
    store.put(&key("empty"), Bytes::new()).await.unwrap();
    use ReadRange::{Bounded, From, Suffix};
    for (range, text) in [
        (Bounded { start: 2, end: 5 }, "234"),
        (Bounded { start: 8, end: 50 }, "89"),
        (Bounded { start: 0, end: 10 }, "0123456789"),
        (From(0), "0123456789"),
        (From(9), "9"),
        (Suffix(3), "789"),
        (Suffix(30), "0123456789"),
    ] {
        let body = store.read(&k, ReadOptions::pinned(Some(range), Some(etag.clone()))).await.unwrap();
        assert_eq!(body.info.size, 10);
        let read: Vec<Bytes> = body.stream.try_collect().await.unwrap();
        assert_eq!(read.concat(), text.as_bytes(), "{range:?}");
    }
    for (name, range) in [
        ("k", From(10)),
        ("k", Bounded { start: 10, end: 12 }),
        ("k", Suffix(0)),
        ("empty", From(0)),
        ("empty", Suffix(3)),
        ("empty", Bounded { start: 0, end: 1 }),
    ] {
        let error = store.read(&key(name), ReadOptions::pinned(Some(range), None)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::PreconditionFailed, "{name} {range:?}");
    }
    assert_eq!(store.read_all(&key("empty"), 0).await.unwrap(), "");
    let modified = store.head(&k, Detail::Basic).await.unwrap().modified.unwrap();
    let hour = jiff::SignedDuration::from_hours(1);
    let base = ReadOptions::default;
    for (options, fits) in [
        (ReadOptions { if_match: Some(ETag::new("other")), ..base() }, false),
        (ReadOptions { if_none_match: Some(etag.clone()), ..base() }, false),
        (ReadOptions { if_none_match: Some(ETag::new("other")), ..base() }, true),
        (ReadOptions { if_modified_since: Some(modified + hour), ..base() }, false),
        (ReadOptions { if_modified_since: Some(modified - hour), ..base() }, true),
        (ReadOptions { if_unmodified_since: Some(modified + hour), ..base() }, true),
        (ReadOptions { if_unmodified_since: Some(modified - hour), ..base() }, false),
    ] {
        let read = store.read(&k, options.clone()).await;
        assert_eq!(
            read.as_ref().err().map(Error::kind),
            (!fits).then_some(ErrorKind::PreconditionFailed),
            "{options:?}"
        );
    }
}

#[tokio::test]
async fn listings_page_fold_and_stop() {
    let Some(store) = fresh("list", Some("ceph")).await else { return };
    for i in 0..1105 {
        store.put(&key(&format!("d/{i:04}")), "x".into()).await.unwrap();
    }
    for name in ["a", "d+x", "d/0500/deep", "d0", "z z"] {
        store.put(&key(name), "x".into()).await.unwrap();
    }
    let all = keys(&store, ListScope::default()).await;
    assert_eq!(all.len(), 1110);
    assert!(all.is_sorted());
    let top = ListScope { delimiter: Some("/".into()), ..ListScope::default() };
    assert_eq!(keys(&store, top).await, ["a", "d+x", "[d/]", "d0", "z z"]);
    let part =
        ListScope { after: Some(key("d/0499")), until: Some(key("d/0502")), ..ListScope::prefix("d/") };
    assert_eq!(keys(&store, part.clone()).await, ["d/0500", "d/0500/deep", "d/0501"]);
    assert_eq!(keys(&store, ListScope { versions: true, ..part }).await, ["d/0500", "d/0500/deep", "d/0501"]);
    let resumed = ListScope { after: Some(key("d/1103")), ..ListScope::default() };
    assert_eq!(keys(&store, resumed).await, ["d/1104", "d0", "z z"]);
    let everything: Vec<Key> = all.iter().map(|name| key(name)).collect();
    assert!(store.delete_many(everything).await.iter().all(|(_, result)| result.is_ok()));
    assert!(keys(&store, ListScope::default()).await.is_empty());
}

#[tokio::test]
async fn uploads_go_on_after_their_process() {
    let Some(store) = fresh("uploads", Some("ceph")).await else { return };
    let k = key("big/\u{1}\u{e9} +");
    let upload = store.start_upload(&k, created()).await.unwrap();
    let five = Bytes::from(vec![7; 5 * 1024 * 1024]);
    let size = five.len() as u64;
    upload.part(PartSlot { number: 1, offset: 0 }, Payload::from_bytes(five.clone())).await.unwrap();
    let wrong = Payload::hashed(vec![five.clone()], Sha256::of(b"other"));
    let error = upload.part(PartSlot { number: 2, offset: size }, wrong).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DigestMismatch);
    let open: Vec<UploadInfo> = store.list_uploads("big/").try_collect().await.unwrap();
    assert_eq!((&open[0].key, &open[0].id, open.len()), (&k, upload.id(), 1));
    let resumed = store.resume_upload(&k, &open[0].id, created()).await.unwrap();
    let source: PayloadSource = std::sync::Arc::new(move || {
        let five = five.clone();
        Box::pin(async move {
            let stream: ByteStream = Box::pin(futures::stream::iter([Ok(five)]));
            Ok(stream)
        })
    });
    let replayable = Payload::Replayable { len: size, open: source };
    resumed.part(PartSlot { number: 2, offset: size }, replayable).await.unwrap();
    let parts = resumed.parts().await.unwrap();
    assert_eq!(parts.iter().map(|part| part.size).collect::<Vec<_>>(), [size, size]);
    let written = resumed.complete(&parts).await.unwrap();
    let info = store.head(&k, Detail::Basic).await.unwrap();
    assert_eq!((info.size, info.etag.clone()), (2 * size, written.etag));
    let again = resumed.complete(&parts).await.unwrap();
    assert_eq!(again.etag, info.etag, "completing again finds what was completed");
    resumed.abort().await.unwrap();
    let lost = store.resume_upload(&k, &UploadId("2~nothing".into()), created()).await.unwrap();
    assert_eq!(lost.parts().await.unwrap_err().kind(), ErrorKind::NotFound);
    store.delete(&k, DeleteOptions::default()).await.unwrap();
}

#[tokio::test]
async fn copies_keep_or_replace_attributes() {
    let Some(store) = fresh("copies", Some("ceph")).await else { return };
    let (from, to) = (key("from/\u{1F600} +%"), key("to"));
    let full = full_attributes();
    let options = WriteOptions { attributes: full.clone(), ..WriteOptions::default() };
    let etag = store.write(&from, bytes("body"), options).await.unwrap().etag.unwrap();
    store.copy_within(&from, Some(&etag), &to, created()).await.unwrap();
    assert_eq!(store.head(&to, Detail::WithTags).await.unwrap().attributes, Some(full));
    let error = store.copy_within(&from, None, &to, created()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PreconditionFailed);
    let stale = ETag::new("00000000000000000000000000000000");
    let error = store.copy_within(&from, Some(&stale), &key("x"), created()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PreconditionFailed);
    let other = Attributes { metadata: [("n".into(), "1".into())].into(), ..Attributes::default() };
    let options = WriteOptions { attributes: other.clone(), ..WriteOptions::default() };
    store.copy_within(&from, None, &to, options).await.unwrap();
    assert_eq!(store.head(&to, Detail::Basic).await.unwrap().attributes.unwrap().metadata, other.metadata);
}

#[tokio::test]
async fn failures_are_told_apart() {
    let Some(store) = fresh("errors", Some("ceph")).await else { return };
    let kind = |error: Error| error.kind();
    assert_eq!(kind(store.head(&key("no"), Detail::Basic).await.unwrap_err()), ErrorKind::NotFound);
    assert_eq!(kind(store.read(&key("no"), ReadOptions::default()).await.unwrap_err()), ErrorKind::NotFound);
    let missing = S3Store::open(config(&fresh_name("missing"), Some("ceph")).unwrap()).await.unwrap();
    assert_eq!(kind(missing.head(&key("k"), Detail::Basic).await.unwrap_err()), ErrorKind::BucketNotFound);
    assert_eq!(kind(missing.put(&key("k"), "x".into()).await.unwrap_err()), ErrorKind::BucketNotFound);
    let listed: Result<Vec<ListItem>> = missing.list(ListScope::default()).try_collect().await;
    assert_eq!(kind(listed.unwrap_err()), ErrorKind::BucketNotFound);
    let mut wrong = config(&store.client().bucket, Some("ceph")).unwrap();
    for (id, secret) in [(var("RGW_ACCESS_KEY").unwrap(), "wrong"), ("nobody".to_owned(), "wrong")] {
        wrong.credentials =
            S3Credentials::Static { access_key: id, secret: Secret::new(secret), session_token: None };
        let store = S3Store::open(wrong.clone()).await.unwrap();
        for error in [
            store.head(&key("k"), Detail::Basic).await.unwrap_err(),
            store.read(&key("k"), ReadOptions::default()).await.unwrap_err(),
            store.put(&key("k"), "x".into()).await.unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::Unauthenticated, "{error}");
            assert!(!error.to_string().contains("wrong"), "{error}");
        }
    }
}

#[tokio::test]
async fn probes_and_presigned_urls() {
    let Some(store) = fresh("probe", Some("ceph")).await else { return };
    assert_eq!(store.wrong_digest(&key("probe")).await.unwrap(), Support::Enforced);
    assert_eq!(store.versioning().await.unwrap(), Versioning::Off);
    let skew = store.clock_skew().await.unwrap().unwrap();
    assert!(skew.abs() < 60, "{skew}");
    let name = "pre/../signed +\u{e9}";
    store.put(&key(name), "signed body".into()).await.unwrap();
    let hour = std::time::Duration::from_secs(3600);
    let url = store.presign(&key(name), PresignMethod::Get, hour).await.unwrap().url;
    assert_eq!(get(url.reveal()).await, "signed body");
    let forged = url.reveal().replace("signed", "other");
    assert!(get(&forged).await.contains("SignatureDoesNotMatch"));
}

/// The body of a plain GET on loopback.
async fn get(url: &str) -> String {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let (host, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let mut connection = tokio::net::TcpStream::connect(host).await.unwrap();
    let request = format!("GET /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    connection.write_all(request.as_bytes()).await.unwrap();
    let mut reply = String::new();
    connection.read_to_string(&mut reply).await.unwrap();
    reply.split_once("\r\n\r\n").unwrap().1.to_owned()
}
