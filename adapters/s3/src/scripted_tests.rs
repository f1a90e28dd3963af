//! Against a server that answers as it is told.

use std::time::Duration;

use cabotage_core::*;
use cabotage_http::testing::{Answer, ReplyQueue};
use cabotage_http::{HttpConfig, RetryPolicy};
use futures::TryStreamExt as _;

use crate::{S3Config, S3Credentials, S3Store};

async fn open(server: &ReplyQueue, provider: Option<&str>) -> S3Store {
    S3Store::open(config(server, provider)).await.unwrap()
}

pub(crate) fn config(server: &ReplyQueue, provider: Option<&str>) -> S3Config {
    let retry = RetryPolicy { attempts: 3, base: Duration::from_millis(1), cap: Duration::from_millis(2) };
    S3Config {
        endpoint: Some(format!("{}/base", server.url())),
        provider: provider.map(|name| cabotage_providers::find(name).unwrap()),
        credentials: S3Credentials::Static {
            access_key: "id".into(),
            secret: Secret::new("secret"),
            session_token: None,
        },
        http: HttpConfig { retry, ..HttpConfig::default() },
        ..S3Config::new("b")
    }
}

async fn served(answers: impl IntoIterator<Item = Answer>) -> (ReplyQueue, S3Store) {
    let server = ReplyQueue::start().await.unwrap();
    for answer in answers {
        server.push(answer);
    }
    let store = open(&server, None).await;
    (server, store)
}

fn key(name: &str) -> Key {
    Key::new(name).unwrap()
}

fn ok(body: &str) -> Answer {
    Answer::new(200).body(body.to_owned())
}

fn failure(status: u16, code: &str) -> Answer {
    Answer::new(status).body(format!("<Error><Code>{code}</Code></Error>"))
}

async fn listed(store: &S3Store, scope: ListScope) -> Result<Vec<ListItem>> {
    store.list(scope).try_collect().await
}

#[tokio::test]
async fn a_write_goes_out_byte_for_byte_and_signed() {
    let (server, store) = served([Answer::new(200).header("ETag", "\"e\"")]).await;
    let attributes = Attributes {
        metadata: [("note".to_owned(), "a  \u{e9}".to_owned())].into(),
        tags: Some([("k@".to_owned(), "v=".to_owned())].into()),
        ..Attributes::default()
    };
    let options = WriteOptions { attributes, tier: Some("STANDARD".into()), ..WriteOptions::default() };
    let written =
        store.write(&key("../x//./%2F+ \u{1}"), Payload::from_bytes("body"), options).await.unwrap();
    assert_eq!(written.etag, Some(ETag::new("e")));
    let sent = &server.received()[0];
    assert_eq!(sent.target, "/base/b/../x//./%252F%2B%20%01");
    assert_eq!(sent.header("x-amz-content-sha256"), Sha256::of(b"body").to_hex());
    assert_eq!(sent.headers["x-amz-meta-note"].as_bytes(), "a  \u{e9}".as_bytes());
    assert_eq!(sent.header("x-amz-tagging"), "k%40=v%3D");
    assert_eq!(sent.header("x-amz-storage-class"), "STANDARD");
    assert!(sent.header("authorization").contains("/us-east-1/s3/aws4_request"));
    assert!(
        sent.headers.keys().all(|name| !name.as_str().contains("sdk") && !name.as_str().contains("trailer"))
    );
}

#[tokio::test]
async fn a_replayable_body_is_hashed_first_and_must_keep_its_length() {
    let (server, store) = served([Answer::new(200)]).await;
    let payload = |len| Payload::Replayable {
        len,
        open: std::sync::Arc::new(|| {
            Box::pin(async {
                let stream: ByteStream = Box::pin(futures::stream::iter([Ok("ab".into()), Ok("c".into())]));
                Ok(stream)
            })
        }),
    };
    store.write(&key("k"), payload(3), WriteOptions::default()).await.unwrap();
    let sent = &server.received()[0];
    assert_eq!(
        (&sent.body[..], sent.header("x-amz-content-sha256")),
        (&b"abc"[..], &*Sha256::of(b"abc").to_hex())
    );
    let error = store.write(&key("k"), payload(4), WriteOptions::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Truncated);
    assert_eq!(server.received().len(), 1, "nothing is sent of a body that isn't as long as declared");
}

#[tokio::test]
async fn a_create_that_met_itself_is_a_success() {
    let etag = "\"9dd4e461268c8034f5c8564e155c67a6\"";
    let stored = |etag: &str| Answer::new(200).header("ETag", etag).header("Content-Length", "1");
    let create = WriteOptions { mode: WriteMode::Create, ..WriteOptions::default() };
    for (found, fits) in [(stored(etag), true), (stored("\"other\""), false)] {
        let (server, store) = served([Answer::close(), failure(412, "PreconditionFailed"), found]).await;
        let written = store.write(&key("k"), Payload::from_bytes("x"), create.clone()).await;
        assert_eq!(written.map(|written| written.etag).ok(), fits.then(|| Some(ETag::new(etag))));
        assert_eq!(server.left(), 0);
    }
    let (server, store) = served([failure(412, "PreconditionFailed")]).await;
    let error = store.write(&key("k"), Payload::from_bytes("x"), create).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PreconditionFailed, "sent once, it met another");
    assert_eq!(server.received().len(), 1);
}

#[tokio::test]
async fn the_form_of_an_etag_is_learnt() {
    let conflict = || failure(412, "PreconditionFailed");
    let (server, store) = served([conflict(), Answer::new(200), Answer::new(200)]).await;
    let options = WriteOptions { mode: WriteMode::IfMatch(ETag::new("e")), ..WriteOptions::default() };
    for _ in 0..2 {
        store.write(&key("k"), Payload::from_bytes("x"), options.clone()).await.unwrap();
    }
    let sent: Vec<_> = server.received().iter().map(|sent| sent.header("if-match").to_owned()).collect();
    assert_eq!(sent, ["\"e\"", "e", "e"]);
    let (_server, store) = served([conflict(), conflict()]).await;
    let error = store.write(&key("k"), Payload::from_bytes("x"), options).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PreconditionFailed);
}

#[tokio::test]
async fn the_servers_clock_is_followed() {
    let ahead = Timestamp::now() + jiff::SignedDuration::from_hours(2);
    let date = jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&ahead).unwrap();
    for skewed in [failure(403, "RequestTimeTooSkewed"), Answer::new(403)] {
        let (server, store) = served([skewed.header("Date", &date), ok("x")]).await;
        store.read(&key("k"), ReadOptions::default()).await.unwrap();
        let signed: Vec<_> =
            server.received().iter().map(|sent| sent.header("x-amz-date").to_owned()).collect();
        let hour = format!("{}", ahead.strftime("%Y%m%dT%H"));
        assert!(!signed[0].starts_with(&hour) && signed[1].starts_with(&hour), "{signed:?} {hour}");
    }
}

#[tokio::test]
async fn a_reply_to_head_without_a_reason_is_explained() {
    for (status, code, kind) in [
        (404, "NoSuchBucket", ErrorKind::BucketNotFound),
        (403, "InvalidAccessKeyId", ErrorKind::Unauthenticated),
        (403, "AccessDenied", ErrorKind::PermissionDenied),
    ] {
        let (server, store) = served([Answer::new(status), failure(status, code)]).await;
        let error = store.head(&key("k"), Detail::Basic).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{status} {code}");
        assert_eq!(error.subject(), Some("k"));
        assert_eq!(server.left(), 0);
    }
    let (server, store) = served([Answer::new(404), ok("<ListBucketResult/>"), Answer::new(404)]).await;
    for _ in 0..2 {
        assert_eq!(store.head(&key("k"), Detail::Basic).await.unwrap_err().kind(), ErrorKind::NotFound);
    }
    assert_eq!(server.left(), 0, "once the bucket was seen, nothing more is asked");
}

#[tokio::test]
async fn tags_are_unknown_without_the_right_and_none_where_there_are_none() {
    let head = || Answer::new(200).header("ETag", "\"e\"");
    for (reply, tags) in [
        (failure(403, "AccessDenied"), None),
        (failure(404, "NoSuchTagSet"), Some(Tags::new())),
        (failure(501, "NotImplemented"), Some(Tags::new())),
    ] {
        let (_server, store) = served([head(), reply]).await;
        let info = store.head(&key("k"), Detail::WithTags).await.unwrap();
        assert_eq!(info.attributes.unwrap().tags, tags);
    }
    let (_server, store) = served([head(), ok("")]).await;
    let error = store.head(&key("k"), Detail::WithTags).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Protocol, "no reply is no set of tags");
}

#[tokio::test]
async fn ranges_that_were_not_asked_for_are_refused() {
    let range = ReadOptions::pinned(Some(ReadRange::Bounded { start: 1, end: 3 }), Some(ETag::new("e")));
    let partial =
        |told: &str, body: &str| Answer::new(206).header("Content-Range", told).body(body.to_owned());
    for (answer, kind) in [
        (ok("abcdef"), ErrorKind::Protocol),
        (partial("bytes 0-1/6", "ab"), ErrorKind::Protocol),
        (partial("bytes 1-2/6", "bcd"), ErrorKind::Protocol),
        (partial("bytes 1-2/6", "bc").header("ETag", "\"other\""), ErrorKind::PreconditionFailed),
        (failure(403, "InvalidObjectState"), ErrorKind::Archived),
        (failure(301, "PermanentRedirect"), ErrorKind::InvalidConfig),
    ] {
        let (_server, store) = served([answer]).await;
        assert_eq!(store.read(&key("k"), range.clone()).await.unwrap_err().kind(), kind);
    }
    let (server, store) = served([partial("bytes 1-2/6", "bc").header("ETag", "\"e\"")]).await;
    let body = store.read(&key("k"), range).await.unwrap();
    assert_eq!((body.range.clone(), body.info.size), (1..3, 6));
    let sent = &server.received()[0];
    assert_eq!((sent.header("range"), sent.header("if-match")), ("bytes=1-2", "\"e\""));
}

fn page(inner: &str, token: Option<&str>) -> Answer {
    let next = token.map_or_else(
        || "<IsTruncated>false</IsTruncated>".to_owned(),
        |token| {
            format!("<IsTruncated>true</IsTruncated><NextContinuationToken>{token}</NextContinuationToken>")
        },
    );
    ok(&format!("<ListBucketResult><EncodingType>url</EncodingType>{next}{inner}</ListBucketResult>"))
}

fn contents(name: &str) -> String {
    format!("<Contents><Key>{name}</Key><Size>1</Size><ETag>&quot;e&quot;</ETag></Contents>")
}

#[tokio::test]
async fn a_bad_key_is_an_item_and_not_the_end() {
    let pages = [page(&(contents("a%ff") + &contents("b+c")), Some("t/+=")), page(&contents("d"), None)];
    let (server, store) = served(pages).await;
    let items = listed(&store, ListScope::default()).await.unwrap();
    assert!(matches!(&items[0], ListItem::BadKey(raw) if raw.as_bytes() == b"a\xff"));
    assert!(
        matches!(&items[1], ListItem::Object(info) if info.key == key("b c") && info.etag == Some(ETag::new("e")))
    );
    assert_eq!(items.len(), 3);
    assert!(server.received()[1].target.contains("continuation-token=t%2F%2B%3D"));
}

#[tokio::test]
async fn broken_listings_stop() {
    let loops = [page(&contents("a"), Some("t")), page(&contents("b"), Some("t"))];
    let repeats = [page(&contents("a"), Some("t")), page(&contents("a"), Some("u"))];
    let circle = [page("", Some("t")), page("", Some("u")), page("", Some("t"))];
    for (answers, scope, kind) in [
        (circle.to_vec(), ListScope::default(), ErrorKind::ListingBroken),
        (loops.to_vec(), ListScope::default(), ErrorKind::ListingBroken),
        (repeats.to_vec(), ListScope::default(), ErrorKind::ListingBroken),
        (vec![page(&contents("z/1"), None)], ListScope::prefix("a/"), ErrorKind::ListingBroken),
        (
            vec![ok("<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>")],
            ListScope::default(),
            ErrorKind::ListingBroken,
        ),
        (vec![ok("<ListBucketResult><Contents><Key>a</Key>")], ListScope::default(), ErrorKind::Protocol),
        (vec![ok("<!DOCTYPE x><ListBucketResult/>")], ListScope::default(), ErrorKind::Protocol),
        (vec![ok("<html/>")], ListScope::default(), ErrorKind::Protocol),
    ] {
        let (_server, store) = served(answers).await;
        assert_eq!(listed(&store, scope).await.unwrap_err().kind(), kind);
    }
}

#[tokio::test]
async fn a_server_that_ignores_start_after_is_filtered() {
    let all: String = ["a", "b", "c", "d"].map(contents).concat();
    let (server, store) = served([page(&contents("0"), Some("more")), page(&all, Some("most"))]).await;
    let scope = ListScope { after: Some(key("a")), until: Some(key("c")), ..ListScope::default() };
    let items = listed(&store, scope).await.unwrap();
    assert!(matches!(&items[..], [ListItem::Object(info)] if info.key == key("b")), "{items:?}");
    assert_eq!(server.received().len(), 2, "nothing is asked for past the end");
}

#[tokio::test]
async fn an_error_after_status_200_is_an_error() {
    let part = PartInfo { number: 1, size: 1, etag: Some(ETag::new("900150983cd24fb0d6963f7d28e17f72")) };
    let done = "<CompleteMultipartUploadResult><ETag>\"00\"</ETag></CompleteMultipartUploadResult>";
    let (server, store) =
        served([failure(200, "InternalError"), ok(done), Answer::new(200).header("ETag", "\"true\"")]).await;
    let upload =
        store.resume_upload(&key("k"), &UploadId("u".into()), WriteOptions::default()).await.unwrap();
    let written = upload.complete(std::slice::from_ref(&part)).await.unwrap();
    assert_eq!(written.etag, Some(ETag::new("true")), "a constant ETag isn't believed");
    assert_eq!(server.left(), 0);
    let (_server, store) = served([failure(200, "AccessDenied")]).await;
    let upload =
        store.resume_upload(&key("k"), &UploadId("u".into()), WriteOptions::default()).await.unwrap();
    assert_eq!(upload.complete(&[part]).await.unwrap_err().kind(), ErrorKind::PermissionDenied);
    let (_server, store) = served([failure(200, "InternalError")]).await;
    let copied = store.copy_within(&key("a"), None, &key("b"), WriteOptions::default()).await;
    assert_eq!(copied.unwrap_err().kind(), ErrorKind::Unavailable);
}

#[tokio::test]
async fn a_condition_that_must_fail_on_complete_fails() {
    let (server, store) = served([failure(412, "PreconditionFailed")]).await;
    let create = WriteOptions { mode: WriteMode::Create, ..WriteOptions::default() };
    let upload = store.resume_upload(&key("k"), &UploadId("u".into()), create).await.unwrap();
    let part = PartInfo { number: 1, size: 1, etag: Some(ETag::new("e")) };
    assert_eq!(upload.complete(&[part]).await.unwrap_err().kind(), ErrorKind::PreconditionFailed);
    assert_eq!(server.received()[0].header("if-none-match"), "*");
}

#[tokio::test]
async fn many_deletes_end_one_by_one_where_the_bulk_says_nothing() {
    let reply = "<DeleteResult><Deleted><Key>a</Key></Deleted>\
        <Error><Key>b</Key><Code>AccessDenied</Code></Error></DeleteResult>";
    let (server, store) = served([Answer::new(204), ok(reply), Answer::new(204)]).await;
    let done = store.delete_many([key("a"), key("b"), key("c"), key("\u{1}")].to_vec()).await;
    let kinds: Vec<_> = done.iter().map(|(_, result)| result.as_ref().err().map(Error::kind)).collect();
    assert_eq!(kinds, [None, Some(ErrorKind::PermissionDenied), None, None]);
    let sent: Vec<_> =
        server.received().iter().map(|sent| format!("{} {}", sent.method, sent.target)).collect();
    assert_eq!(sent, ["DELETE /base/b/%01", "POST /base/b?delete", "DELETE /base/b/c"]);
    assert!(!server.received()[1].header("content-md5").is_empty());
    let (server, store) = served([failure(501, "NotImplemented"), Answer::new(204)]).await;
    assert!(store.delete_many(vec![key("a")]).await[0].1.is_ok());
    assert_eq!(server.left(), 0);
}

#[tokio::test]
async fn an_unenforced_digest_is_found_out_and_cleaned_up() {
    let (server, store) = served([Answer::new(200), Answer::new(204)]).await;
    assert_eq!(store.wrong_digest(&key("probe")).await.unwrap(), Support::Ignored);
    assert_eq!(server.received()[1].method, "DELETE");
    let (_server, store) = served([failure(400, "XAmzContentSHA256Mismatch")]).await;
    assert_eq!(store.wrong_digest(&key("probe")).await.unwrap(), Support::Enforced);
    let (_server, store) = served([failure(403, "AccessDenied")]).await;
    assert_eq!(store.wrong_digest(&key("probe")).await.unwrap_err().kind(), ErrorKind::PermissionDenied);
}

#[tokio::test]
async fn too_large_is_said_before_a_byte_moves() {
    let (server, store) = served([]).await;
    let payload = Payload::Replayable {
        len: 5_000_000_001,
        open: std::sync::Arc::new(|| Box::pin(async { Err(Error::new(ErrorKind::Internal, "opened")) })),
    };
    let error = store.write(&key("k"), payload.clone(), WriteOptions::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    let upload =
        store.resume_upload(&key("k"), &UploadId("u".into()), WriteOptions::default()).await.unwrap();
    for (number, payload) in [(1, payload), (1001, Payload::from_bytes("x")), (0, Payload::from_bytes("x"))] {
        let error = upload.part(PartSlot { number, offset: 0 }, payload).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TooLarge);
    }
    assert!(server.received().is_empty());
}
