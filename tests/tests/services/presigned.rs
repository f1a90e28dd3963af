//! URLs that carry their permission, as a service hands them out, and used by a client without credentials. The
//! conformance suite tries more of it on each adapter: expiry, other methods and keys, awkward names.

use std::sync::Arc;
use std::time::Duration;

use cabotage::{AccessMode, ErrorKind, Key, PresignMethod, Presigned, Storage, StorageExt as _};

use crate::places;

const WEEK: Duration = Duration::from_secs(7 * 24 * 3600);

async fn signed(store: &Arc<dyn Storage>, method: PresignMethod, lives: Duration) -> Presigned {
    store.presign(&key(), method, lives).await.unwrap()
}

fn key() -> Key {
    Key::new("of a prefix/ü+?").unwrap()
}

fn send(method: &str, presigned: &Presigned, url: &str, body: &str) -> acceptance::RawReply {
    let headers: Vec<_> =
        presigned.headers.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    acceptance::send_to_url(method, url, &headers, body.as_bytes()).unwrap()
}

#[tokio::test]
async fn who_has_the_url_writes_and_reads() {
    for place in places::on_servers("presigned URLs") {
        let store = place.open(AccessMode::ReadWrite).await;
        let writes = signed(&store, PresignMethod::Put, WEEK).await;
        let reply = send("PUT", &writes, writes.url.reveal(), "by URL");
        assert!((200..300).contains(&reply.status), "{}: {}", place.name, reply.text());
        assert_eq!(store.read_all(&key(), 99).await.unwrap(), "by URL", "{}", place.name);
        let reads = signed(&store, PresignMethod::Get, Duration::from_secs(60)).await;
        let reply = send("GET", &reads, reads.url.reveal(), "");
        assert_eq!((reply.status, reply.text().as_str()), (200, "by URL"), "{}", place.name);
    }
}

#[tokio::test]
async fn a_url_lives_from_a_second_to_a_week() {
    for place in places::on_servers("the life of presigned URLs") {
        let store = place.open(AccessMode::ReadWrite).await;
        for lives in [Duration::ZERO, Duration::from_millis(999), WEEK + Duration::from_secs(1)] {
            let error = store.presign(&key(), PresignMethod::Get, lives).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unsupported, "{} {lives:?}", place.name);
            assert!(error.to_string().contains("from 1 second to 7 days"), "{}: {error}", place.name);
        }
    }
}

#[tokio::test]
async fn a_changed_url_is_refused() {
    for place in places::on_servers("changed presigned URLs") {
        let store = place.open(AccessMode::ReadWrite).await;
        store.put(&key(), "the content".into()).await.unwrap();
        let reads = signed(&store, PresignMethod::Get, Duration::from_secs(60)).await;
        let changed = changed(reads.url.reveal());
        assert!(changed.len() >= 5, "{}", place.name);
        for (what, url) in changed {
            let reply = send("GET", &reads, &url, "");
            assert!((400..500).contains(&reply.status), "{} {what}: {}", place.name, reply.status);
            assert!(!reply.text().contains("the content"), "{} {what}", place.name);
        }
        assert_eq!(send("GET", &reads, reads.url.reveal(), "").status, 200, "{}: the URL itself", place.name);
    }
}

/// The URL with each of its parameters changed in turn, then each left out, then without any.
fn changed(url: &str) -> Vec<(String, String)> {
    let (base, query) = url.split_once('?').unwrap();
    let pairs: Vec<(&str, &str)> = query.split('&').map(|pair| pair.split_once('=').unwrap()).collect();
    let joined = |at: usize, instead: Option<String>| {
        let mut parts: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
        match instead {
            Some(value) => parts[at] = format!("{}={value}", pairs[at].0),
            None => drop(parts.remove(at)),
        }
        format!("{base}?{}", parts.join("&"))
    };
    let mut out = vec![("no permission".to_owned(), base.to_owned())];
    for (at, (name, value)) in pairs.iter().enumerate() {
        out.push((format!("another {name}"), joined(at, Some(another(value)))));
        out.push((format!("without {name}"), joined(at, None)));
    }
    out
}

/// A value with another first character, of the same kind: of a life in seconds a longer one.
fn another(value: &str) -> String {
    let mut characters = value.chars();
    let next = match characters.next() {
        Some(c @ ('0'..='8' | 'a'..='y' | 'A'..='Y')) => char::from_u32(c as u32 + 1).unwrap(),
        Some('9') => '1',
        _ => 'a',
    };
    format!("{next}{}", characters.as_str())
}

#[tokio::test]
async fn who_may_only_read_hands_out_no_url_that_writes() {
    for place in places::on_servers("presigned URLs of a read-only store") {
        place.open(AccessMode::ReadWrite).await.put(&key(), "the content".into()).await.unwrap();
        let store = place.open(AccessMode::ReadOnly).await;
        let error = store.presign(&key(), PresignMethod::Put, WEEK).await.unwrap_err();
        assert!(error.to_string().contains("read-only"), "{}: {error}", place.name);
        let reads = signed(&store, PresignMethod::Get, WEEK).await;
        assert_eq!(send("GET", &reads, reads.url.reveal(), "").text(), "the content", "{}", place.name);
    }
}

#[tokio::test]
async fn who_can_not_sign_says_so() {
    let store = cabotage::open("memory://m").await.unwrap();
    let error = store.presign(&key(), PresignMethod::Get, WEEK).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
}
