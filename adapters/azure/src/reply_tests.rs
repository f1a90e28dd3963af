//! Against a server that answers as it is told: what the real service, or a broken one, would say.

use bytes::Bytes;
use cabotage_core::{
    ErrorKind as K, ListItem, PartSlot, Probe as _, ReadRange, Secret, StorageExt as _, Support, TierClass,
    WriteMode,
};
use cabotage_http::testing::{Answer, Received, ReplyQueue};
use cabotage_http::{Environment, HttpConfig};
use futures::TryStreamExt as _;

use super::*;
use crate::config::AzureCredentials;

const LIST: &str =
    "<EnumerationResults><Blobs>BLOBS</Blobs><NextMarker>MARKER</NextMarker></EnumerationResults>";

fn page(names: &[&str], marker: &str) -> Answer {
    let properties = "<Properties><Content-Length>1</Content-Length><Etag>0x1</Etag></Properties>";
    let blobs: String =
        names.iter().map(|name| format!("<Blob><Name>{name}</Name>{properties}</Blob>")).collect();
    Answer::new(200).body(LIST.replace("BLOBS", &blobs).replace("MARKER", marker))
}

fn failure(status: u16, code: &str) -> Answer {
    Answer::new(status).header("x-ms-error-code", code).body(format!("<Error><Code>{code}</Code></Error>"))
}

fn config(queue: &ReplyQueue, credentials: AzureCredentials) -> AzureConfig {
    let mut http = HttpConfig::default();
    http.retry.attempts = 3;
    http.retry.base = Duration::from_millis(1);
    AzureConfig {
        renew: None,
        container: "data".into(),
        account: Some("acc".into()),
        endpoint: Some(queue.url()),
        credentials,
        http,
    }
}

fn sas() -> AzureCredentials {
    AzureCredentials::Sas(Secret::new("sv=1&sig=hushhush"))
}

/// A store on the service: neither Azurite nor hierarchical, with tags.
async fn open(queue: &ReplyQueue) -> AzureStore {
    queue.push(Answer::new(200).header("server", "Windows-Azure-Blob/1.0")).push(page(&[], ""));
    AzureStore::open(config(queue, sas())).await.unwrap()
}

fn key(name: &str) -> Key {
    Key::new(name).unwrap()
}

fn kind<T: fmt::Debug>(result: Result<T>) -> K {
    result.unwrap_err().kind()
}

async fn listed(store: &AzureStore, scope: ListScope) -> Result<Vec<ListItem>> {
    store.list(scope).try_collect().await
}

/// The targets of the requests after opening, without the SAS.
fn targets(queue: &ReplyQueue) -> Vec<String> {
    queue
        .received()
        .iter()
        .skip(2)
        .map(|request| request.target.replace("sv=1&sig=hushhush", "SAS"))
        .collect()
}

#[tokio::test]
async fn on_the_service_dot_segments_are_refused_and_nothing_is_sent() {
    let queue = ReplyQueue::start().await.unwrap();
    let store = open(&queue).await;
    for name in ["../other/k", "a/./b", "..", ".", "a/..", "back\\slash"] {
        let key = key(name);
        assert_eq!(kind(store.put(&key, Bytes::new()).await), K::KeyRejected, "{name}");
        assert_eq!(kind(store.read(&key, ReadOptions::default()).await), K::KeyRejected);
        assert_eq!(kind(store.head(&key, Detail::WithTags).await), K::KeyRejected);
        assert_eq!(kind(store.delete(&key, DeleteOptions::default()).await), K::KeyRejected);
        assert_eq!(kind(store.set_attributes(&key, &Attributes::default(), None).await), K::KeyRejected);
        assert_eq!(kind(store.start_upload(&key, WriteOptions::default()).await), K::KeyRejected);
        assert_eq!(kind(store.wrong_digest(&key).await), K::KeyRejected);
        assert_eq!(
            kind(store.presign(&key, PresignMethod::Get, Duration::from_secs(1)).await),
            K::KeyRejected
        );
    }
    assert_eq!(targets(&queue), [""; 0]);
}

#[tokio::test]
async fn names_go_out_as_they_are() {
    let queue = ReplyQueue::start().await.unwrap();
    let store = open(&queue).await;
    for (name, path) in [
        ("a//b/", "/data/a//b/"),
        ("/a..b/...", "/data//a..b/..."),
        ("%2F +é?#", "/data/%252F%20%2B%C3%A9%3F%23"),
    ] {
        queue.push(Answer::new(202));
        store.delete(&key(name), DeleteOptions::default()).await.unwrap();
        assert_eq!(targets(&queue).pop().unwrap(), format!("{path}?SAS"));
    }
}

#[tokio::test]
async fn tags_that_can_not_be_read_are_unknown_and_asked_for_once() {
    let queue = ReplyQueue::start().await.unwrap();
    queue.push(Answer::new(200)).push(failure(403, "AuthorizationPermissionMismatch")).push(page(&[], ""));
    let store = AzureStore::open(config(&queue, sas())).await.unwrap();
    assert!(!store.capabilities().list_tags);
    queue.push(page(&["a"], ""));
    let items = listed(&store, ListScope::default()).await.unwrap();
    let ListItem::Object(info) = &items[0] else { panic!("{items:?}") };
    assert_eq!(info.attributes.as_ref().unwrap().tags, None);
    queue.push(Answer::new(200).header("content-length", "1").header("x-ms-tag-count", "2"));
    let head = store.head(&key("a"), Detail::WithTags).await.unwrap();
    assert_eq!(head.attributes.unwrap().tags, None);
    let targets = targets(&queue);
    assert!(targets[1].contains("include=metadata&"), "{targets:?}");
    assert_eq!(targets.len(), 3);
}

#[tokio::test]
async fn tags_are_read_where_there_are_some() {
    let queue = ReplyQueue::start().await.unwrap();
    let store = open(&queue).await;
    queue.push(Answer::new(200).header("content-length", "1").header("x-ms-tag-count", "1"));
    queue.push(failure(403, "AuthorizationPermissionMismatch"));
    let head = store.head(&key("a"), Detail::WithTags).await.unwrap();
    assert_eq!(head.attributes.unwrap().tags, None);
    assert_eq!(targets(&queue), ["/data/a?SAS", "/data/a?comp=tags&SAS"]);
}

#[tokio::test]
async fn a_hierarchical_account_has_no_tags() {
    let queue = ReplyQueue::start().await.unwrap();
    queue.push(Answer::new(200).header("x-ms-is-hns-enabled", "true"));
    let store = AzureStore::open(config(&queue, sas())).await.unwrap();
    assert_eq!((store.capabilities().tags.max, store.capabilities().list_tags), (0, true));
    queue.push(page(&["a"], ""));
    let items = listed(&store, ListScope::default()).await.unwrap();
    let ListItem::Object(info) = &items[0] else { panic!("{items:?}") };
    assert_eq!(info.attributes.as_ref().unwrap().tags, Some(cabotage_core::Tags::new()));
    let mut options = WriteOptions::default();
    options.attributes.tags = Some([("k".to_owned(), "v".to_owned())].into());
    assert_eq!(kind(store.write(&key("a"), Payload::from_bytes("x"), options).await), K::Unsupported);
    assert_eq!(store.versioning().await.unwrap(), cabotage_core::Versioning::Off);
}

#[tokio::test]
async fn a_broken_listing_is_no_short_one() {
    let queue = ReplyQueue::start().await.unwrap();
    let store = open(&queue).await;
    queue.push(page(&["a"], "m1")).push(page(&["b"], "m2")).push(page(&["a"], "m1"));
    assert_eq!(kind(listed(&store, ListScope::default()).await), K::ListingBroken);
    queue.push(page(&["x/a", "y"], ""));
    assert_eq!(kind(listed(&store, ListScope::prefix("x/")).await), K::ListingBroken);
    queue.push(page(&["a"], "m1")).push(Answer::new(200).body("<EnumerationResults><Blobs>"));
    assert_eq!(kind(listed(&store, ListScope::default()).await), K::Protocol);
    queue.push(page(&["a"], "m1")).push(page(&[], "m2")).push(page(&["b"], ""));
    assert_eq!(listed(&store, ListScope::default()).await.unwrap().len(), 2, "an empty page is not the end");
}

#[tokio::test]
async fn a_range_must_be_the_one_asked_for() {
    let queue = ReplyQueue::start().await.unwrap();
    let store = open(&queue).await;
    let ask = || ReadOptions::pinned(Some(ReadRange::Bounded { start: 2, end: 4 }), None);
    for (status, range, body, expected) in [
        (200, "", "0123456789", K::Protocol),
        (206, "bytes 0-1/10", "01", K::Protocol),
        (206, "bytes 2-3/10", "234", K::Protocol),
        (206, "bytes 2-5/10", "2345", K::Protocol),
        (206, "", "23", K::Protocol),
        (206, "bytes 2-1/2", "", K::PreconditionFailed),
        (416, "bytes */2", "", K::PreconditionFailed),
    ] {
        queue.push(Answer::new(status).header("content-range", range).body(body));
        assert_eq!(kind(store.read(&key("k"), ask()).await), expected, "{status} {range}");
    }
    queue.push(Answer::new(206).header("content-range", "bytes 2-3/10").body("23").cut_after(1));
    let cut: Result<Vec<Bytes>> = store.read(&key("k"), ask()).await.unwrap().stream.try_collect().await;
    assert!(matches!(kind(cut), K::Truncated | K::Interrupted));
}

#[tokio::test]
async fn a_commit_that_was_not_heard_is_found_done() {
    let queue = ReplyQueue::start().await.unwrap();
    let store = open(&queue).await;
    let options = WriteOptions { mode: WriteMode::Create, ..WriteOptions::default() };
    let upload = store.start_upload(&key("k"), options).await.unwrap();
    queue.push(Answer::new(201));
    let part = upload.part(PartSlot { number: 1, offset: 0 }, Payload::from_bytes("x")).await.unwrap();
    let name = part.etag.clone().unwrap().bare().to_owned();
    let blocks = |name: &str| {
        let block = format!("<Block><Name>{name}</Name><Size>1</Size></Block>");
        let list = format!("<BlockList><CommittedBlocks>{block}</CommittedBlocks></BlockList>");
        Answer::new(200).header("etag", "\"0x7\"").body(list)
    };
    queue.push(Answer::close()).push(failure(409, "BlobAlreadyExists")).push(blocks(&name));
    let done = upload.complete(std::slice::from_ref(&part)).await.unwrap();
    assert_eq!(done.etag, Some(ETag::new("0x7")));
    queue.push(failure(409, "BlobAlreadyExists")).push(blocks("b3RoZXI="));
    assert_eq!(kind(upload.complete(std::slice::from_ref(&part)).await), K::PreconditionFailed);
    queue.push(failure(400, "InvalidBlockList")).push(failure(404, "BlobNotFound"));
    assert_eq!(kind(upload.complete(&[part]).await), K::NotFound);
    queue.push(failure(400, "InvalidBlobOrBlock"));
    let slot = PartSlot { number: 2, offset: 1 };
    assert_eq!(kind(upload.part(slot, Payload::from_bytes("x")).await), K::DestinationConflict);
}

#[tokio::test]
async fn a_store_that_does_not_check_is_found_out() {
    let queue = ReplyQueue::start().await.unwrap();
    let store = open(&queue).await;
    queue.push(Answer::new(201).header("content-md5", "kAFQmDzST7DWlj99KOF/cg==")).push(Answer::new(202));
    assert_eq!(store.wrong_digest(&key("p")).await.unwrap(), Support::Ignored);
    queue.push(Answer::new(201)).push(failure(403, "AuthorizationPermissionMismatch"));
    assert_eq!(store.wrong_digest(&key("p")).await.unwrap(), Support::Ignored);
    queue.push(failure(400, "Md5Mismatch"));
    assert_eq!(store.wrong_digest(&key("p")).await.unwrap(), Support::Enforced);
    queue.push(Answer::new(201).header("content-md5", "kAFQmDzST7DWlj99KOF/cg=="));
    assert_eq!(kind(store.put(&key("p"), Bytes::from_static(b"not abc")).await), K::DigestMismatch);
}

#[tokio::test]
async fn copies_are_waited_for() {
    let queue = ReplyQueue::start().await.unwrap();
    let store = open(&queue).await;
    let head = |etag: &str| Answer::new(200).header("content-length", "1").header("etag", etag);
    let source = || head("\"0x1\"");
    let copy = |status: &str| {
        Answer::new(202)
            .header("etag", "\"0x2\"")
            .header("x-ms-copy-status", status)
            .header("content-length", "0")
    };
    queue.push(source()).push(copy("pending"));
    queue.push(head("\"0x3\"").header("x-ms-copy-status", "success"));
    let done = store.copy_within(&key("a"), None, &key("b"), WriteOptions::default()).await.unwrap();
    assert_eq!(done.etag, Some(ETag::new("0x3")));
    queue.push(source()).push(copy("failed")).push(Answer::new(202));
    let failed = store.copy_within(&key("a"), None, &key("b"), WriteOptions::default()).await;
    let error = failed.unwrap_err();
    assert_eq!(error.kind(), K::Unavailable);
    assert!(!format!("{error:?}").contains("hush"));
    let last = queue.received().pop().unwrap();
    assert_eq!((last.method, last.headers["if-match"].to_str().unwrap()), (Method::DELETE, "\"0x2\""));
}

#[tokio::test]
async fn neither_failures_nor_redirects_tell_the_sas() {
    let queue = ReplyQueue::start().await.unwrap();
    let store = open(&queue).await;
    let redirect =
        |received: &Received| Answer::new(302).header("location", format!("http://x{}", received.target));
    queue.push_with(redirect);
    let redirected = store.head(&key("k"), Detail::Basic).await.unwrap_err();
    queue.push_with(|received| {
        Answer::new(400).body(format!("<Error><Message>{}</Message></Error>", received.target))
    });
    let quoted = store.read(&key("k"), ReadOptions::default()).await.unwrap_err();
    queue.push(Answer::close()).push(Answer::close()).push(Answer::close());
    let closed = store.head(&key("k"), Detail::Basic).await.unwrap_err();
    drop(queue);
    let gone = store.put(&key("k"), Bytes::new()).await.unwrap_err();
    for error in [redirected, quoted, closed, gone] {
        let text = format!("{error} {error:?} {store:?} {store} {:?}", store.0.wire);
        assert!(!text.contains("hush"), "{text}");
    }
}

#[tokio::test]
async fn an_expired_token_is_replaced_once() {
    let queue = ReplyQueue::start().await.unwrap();
    let token = |token: &str| {
        Answer::new(200)
            .body(format!("{{\"access_token\":\"{token}\",\"expires_in\":3600,\"token_type\":\"Bearer\"}}"))
    };
    let variables = [
        ("AZURE_TENANT_ID", "tenant"),
        ("AZURE_CLIENT_ID", "client"),
        ("AZURE_CLIENT_SECRET", "hushhush"),
        ("AZURE_AUTHORITY_HOST", &queue.url()),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()));
    let fixed = AzureCredentials::Ambient(Environment::Fixed(variables.into()));
    queue.push(token("first")).push(Answer::new(200)).push(page(&[], ""));
    let store = AzureStore::open(config(&queue, fixed)).await.unwrap();
    let expired = "<Error><Message>Lifetime validation failed. The token is expired.</Message></Error>";
    let refusal = || Answer::new(401).header("x-ms-error-code", "InvalidAuthenticationInfo").body(expired);
    queue.push(refusal()).push(token("second")).push(Answer::new(202));
    store.delete(&key("k"), DeleteOptions::default()).await.unwrap();
    let authorised: Vec<String> =
        queue.received().iter().map(|r| r.header("authorization").to_owned()).collect();
    let (first, second) = ("Bearer first", "Bearer second");
    assert_eq!(authorised, ["", first, first, first, "", second]);
    queue.push(refusal()).push(token("third")).push(refusal());
    assert_eq!(kind(store.delete(&key("k"), DeleteOptions::default()).await), K::CredentialsExpired);
    assert_eq!(queue.left(), 0);
}

#[tokio::test]
async fn dates_follow_the_servers_clock() {
    let shared = || AzureCredentials::SharedKey { key: Secret::new("a2V5") };
    // The service refuses a date that is off by more than 15 minutes in the words of a wrong signature.
    for refused in [false, true] {
        let first = if refused { failure(403, "AuthenticationFailed") } else { Answer::new(200) };
        let queue = ReplyQueue::start().await.unwrap();
        queue.push(first.header("date", "Thu, 01 Jan 2099 00:00:00 GMT"));
        if refused {
            queue.push(Answer::new(200));
        }
        queue.push(page(&[], ""));
        AzureStore::open(config(&queue, shared())).await.unwrap();
        let received = queue.received();
        assert!(!received[0].header("x-ms-date").contains("2099"));
        for next in &received[1..] {
            assert!(next.header("x-ms-date").contains("2099"), "{}", next.header("x-ms-date"));
        }
        assert_eq!((received.len(), queue.left()), (2 + usize::from(refused), 0));
        assert_eq!(received[0].header("x-ms-version"), crate::API_VERSION);
    }
}

#[tokio::test]
async fn attributes_are_set_step_by_step_in_one_state() {
    let queue = ReplyQueue::start().await.unwrap();
    let store = open(&queue).await;
    let mut attributes = Attributes::default();
    attributes.headers.content_type = Some("a/b".into());
    attributes.metadata.insert("m".into(), "1".into());
    attributes.tags = Some([("k".to_owned(), "v".to_owned())].into());
    queue.push(
        Answer::new(200)
            .header("content-length", "3")
            .header("etag", "\"0x1\"")
            .header("content-md5", "kAFQmDzST7DWlj99KOF/cg==")
            .header("x-ms-access-tier", "Archive"),
    );
    queue.push(Answer::new(200).header("etag", "\"0x2\"")).push(Answer::new(200).header("etag", "\"0x3\""));
    queue.push(Answer::new(204));
    let done = store.set_attributes(&key("k"), &attributes, Some(&ETag::new("0x1"))).await.unwrap();
    assert_eq!(done.etag, Some(ETag::new("0x3")));
    let received = queue.received().split_off(2);
    let states: Vec<&str> = received.iter().map(|request| request.header("if-match")).collect();
    assert_eq!(states, ["\"0x1\"", "\"0x1\"", "\"0x2\"", ""]);
    assert_eq!(
        received[1].header("x-ms-blob-content-md5"),
        "kAFQmDzST7DWlj99KOF/cg==",
        "it would be cleared"
    );
    assert_eq!(received[2].header("x-ms-meta-m"), "1");
    assert!(String::from_utf8_lossy(&received[3].body).contains("<Key>k</Key><Value>v</Value>"));
    queue.push(Answer::new(200).header("content-length", "3").header("x-ms-access-tier", "Archive"));
    let head = store.head(&key("k"), Detail::Basic).await.unwrap();
    assert_eq!(head.tier.unwrap().class, TierClass::Archive);
}

/// The version of the interface that each request asked for, and whether it said where to begin.
fn beginnings(queue: &ReplyQueue) -> Vec<(String, bool)> {
    let told = |request: &Received| {
        (request.header("x-ms-version").to_owned(), request.target.contains("&startFrom="))
    };
    queue.received().iter().skip(1).map(told).collect()
}

async fn opened(queue: &ReplyQueue, replies: impl IntoIterator<Item = Answer>) -> AzureStore {
    queue.push(Answer::new(200).header("server", "Windows-Azure-Blob/1.0"));
    for reply in replies {
        queue.push(reply);
    }
    AzureStore::open(config(queue, sas())).await.unwrap()
}

#[tokio::test]
async fn a_listing_begins_where_the_server_was_seen_to_begin() {
    let queue = ReplyQueue::start().await.unwrap();
    let store = opened(&queue, [page(&["\u{d7a3}b"], "")]).await;
    assert!(store.capabilities().list_after);
    queue.push(page(&["b"], "more")).push(page(&["b", "c"], ""));
    let scope = ListScope { after: Some(key("b")), ..ListScope::default() };
    let found = listed(&store, scope).await.unwrap();
    assert!(matches!(&found[..], [ListItem::Object(info)] if info.key == key("c")), "{found:?}");
    queue.push(page(&[], ""));
    listed(&store, ListScope::default()).await.unwrap();
    let new = || ("2026-02-06".to_owned(), true);
    assert_eq!(beginnings(&queue), [new(), new(), new(), ("2025-11-05".to_owned(), false)]);
    assert!(queue.received()[2].target.contains("&startFrom=b"), "{}", queue.received()[2].target);
}

#[tokio::test]
async fn a_server_that_passes_the_beginning_over_is_not_told_it() {
    let queue = ReplyQueue::start().await.unwrap();
    let store = opened(&queue, [page(&["a"], "more")]).await;
    assert!(!store.capabilities().list_after && store.capabilities().list_tags);
    queue.push(page(&["a", "b", "c"], ""));
    let scope = ListScope { after: Some(key("b")), ..ListScope::default() };
    assert_eq!(listed(&store, scope).await.unwrap().len(), 1);
    assert_eq!(beginnings(&queue).pop(), Some(("2025-11-05".to_owned(), false)));
}

#[tokio::test]
async fn a_server_that_refuses_the_beginning_is_asked_as_before() {
    let queue = ReplyQueue::start().await.unwrap();
    let store = opened(&queue, [failure(400, "InvalidHeaderValue"), page(&["a"], "")]).await;
    assert!(!store.capabilities().list_after && store.capabilities().list_tags);
    let old = ("2025-11-05".to_owned(), false);
    assert_eq!(beginnings(&queue), [("2026-02-06".to_owned(), true), old]);
}

#[tokio::test]
async fn without_the_right_to_tags_a_listing_may_begin_anywhere_all_the_same() {
    let queue = ReplyQueue::start().await.unwrap();
    let denied = || failure(403, "AuthorizationPermissionMismatch");
    let store = opened(&queue, [denied(), page(&[], "")]).await;
    assert!(store.capabilities().list_after && !store.capabilities().list_tags);
}
