use std::sync::Arc;
use std::sync::atomic::Ordering;

use async_trait::async_trait;
use cabotage_core::ByteStream;
use futures::StreamExt as _;
use http::{HeaderMap, StatusCode};

use bytes::Bytes;

use super::*;
use crate::test_support::{TestService, get, quick, server};
use crate::testing::{Answer, ReplyQueue};
use crate::{CallBody, Expect, Repeat};

fn put(body: impl Into<CallBody>) -> Call {
    Call::new(Operation::Write, Method::PUT, "/b/k").body(body)
}

#[tokio::test]
async fn targets_go_out_as_they_are() {
    let (queue, client) = server().await;
    for target in [
        "/",
        "/b/../x",
        "/b/./.",
        "/b//a///b/",
        "/b/%2e%2e/%2F%25%C3%A9",
        "//host/x",
        "/b/k?a=%20&b=..%2F&uploads",
        "/b/k?x-id=a/b?c",
        "/~!$&'()*+,;=:@",
    ] {
        queue.push(Answer::new(200));
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let mut call = get(path);
        call.query = query.to_owned();
        client.send(&TestService::default(), call).await.unwrap();
        assert_eq!(queue.received().last().unwrap().target, target);
    }
}

#[tokio::test]
async fn the_base_path_comes_first() {
    let queue = ReplyQueue::start().await.unwrap();
    queue.push(Answer::new(200));
    let endpoint = Endpoint::parse(&format!("{}/acc/", queue.url())).unwrap();
    let client = HttpClient::new(endpoint, &quick()).unwrap();
    let call = get("/c/k").query("prefix", "a/ b").flag("tags");
    client.send(&TestService::default(), call).await.unwrap();
    assert_eq!(queue.received()[0].target, "/acc/c/k?prefix=a%2F%20b&tags");
}

#[tokio::test]
async fn every_attempt_is_signed_anew_and_carries_the_same_bytes() {
    let (queue, client) = server().await;
    let slow = || Answer::new(503).header("x-kind", "throttled").header("retry-after", "0").body("<slow/>");
    queue.push(slow()).push(Answer::close()).push(Answer::new(200));
    let service = TestService::default();
    let body = CallBody::Chunks(Arc::from([Bytes::from("abc"), Bytes::from("def")]));
    let reply = client.send(&service, put(body)).await.unwrap();
    assert_eq!(reply.attempts, 3);
    let received = queue.received();
    assert_eq!(received.len(), 3);
    for (request, signature) in received.iter().zip(["1", "2", "3"]) {
        assert_eq!(request.body, "abcdef");
        assert_eq!(request.header("content-length"), "6");
        assert_eq!(request.header("authorization"), signature);
        assert!(request.header("user-agent").starts_with("cabotage/"));
        assert_eq!(request.headers.get_all("content-length").iter().count(), 1);
        assert_eq!(request.header("host"), client.endpoint().authority());
    }
    assert_eq!(*service.failures.lock().unwrap(), [(503, b"<slow/>".to_vec())]);
}

#[tokio::test]
async fn a_replayed_body_is_opened_for_each_attempt() {
    let (queue, client) = server().await;
    queue.push(Answer::new(500)).push(Answer::new(200));
    let opened = Arc::new(std::sync::atomic::AtomicU32::new(0));
    let count = Arc::clone(&opened);
    let open = move || {
        count.fetch_add(1, Ordering::SeqCst);
        let stream: ByteStream = futures::stream::iter([Ok(Bytes::from("abc"))]).boxed();
        Box::pin(async move { Ok(stream) }) as futures::future::BoxFuture<'static, _>
    };
    client
        .send(&TestService::default(), put(CallBody::Replay { len: 3, open: Arc::new(open) }))
        .await
        .unwrap();
    assert_eq!(opened.load(Ordering::SeqCst), 2);
    assert!(queue.received().iter().all(|request| request.body == "abc"));
}

#[tokio::test]
async fn a_source_that_breaks_ends_the_request_with_its_own_error() {
    let (queue, client) = server().await;
    let open = || {
        let broken = Error::new(ErrorKind::SourceChanged, "changed");
        let stream: ByteStream = futures::stream::iter([Ok(Bytes::from("a")), Err(broken)]).boxed();
        Box::pin(async move { Ok(stream) }) as futures::future::BoxFuture<'static, _>
    };
    let call = put(CallBody::Replay { len: 3, open: Arc::new(open) });
    let error = client.send(&TestService::default(), call).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::SourceChanged);
    assert!(queue.received().is_empty(), "no whole request arrived");
}

#[tokio::test]
async fn empty_bodies_have_a_length_where_one_is_due() {
    let (queue, client) = server().await;
    for (method, length) in [("PUT", "0"), ("POST", "0"), ("DELETE", ""), ("GET", ""), ("HEAD", "")] {
        queue.push(Answer::new(200));
        let call = Call::new(Operation::Write, method.parse().unwrap(), "/b/k");
        client.send(&TestService::default(), call).await.unwrap();
        assert_eq!(queue.received().last().unwrap().header("content-length"), length, "{method}");
    }
}

#[tokio::test]
async fn what_makes_something_new_is_sent_again_only_if_it_was_not_taken() {
    let (queue, client) = server().await;
    let start = || put(CallBody::Empty).repeat(Repeat::IfNotTaken);
    queue
        .push(Answer::new(503).header("x-kind", "throttled").header("retry-after", "0"))
        .push(Answer::new(200));
    assert_eq!(client.send(&TestService::default(), start()).await.unwrap().attempts, 2);
    for lost in [Answer::close(), Answer::reset(), Answer::new(500)] {
        let before = queue.received().len();
        queue.push(lost);
        client.send(&TestService::default(), start()).await.unwrap_err();
        assert_eq!(queue.received().len(), before + 1, "it was sent again");
    }
}

#[tokio::test]
async fn what_is_not_tried_again() {
    for kind in ["digest-mismatch", "not-found", "precondition-failed", "permission-denied"] {
        let (queue, client) = server().await;
        queue.push(Answer::new(400).header("x-kind", kind));
        let error = client.send(&TestService::default(), get("/b/k")).await.unwrap_err();
        assert_eq!(error.kind().name(), kind);
        assert_eq!(error.operation(), Some(Operation::Read));
        assert_eq!(queue.received().len(), 1);
    }
}

#[tokio::test]
async fn gives_up_with_the_last_kind_and_the_count() {
    let (queue, client) = server().await;
    for _ in 0..4 {
        queue.push(Answer::new(503).header("x-kind", "throttled"));
    }
    let error = client.send(&TestService::default(), get("/b/k")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Throttled);
    assert_eq!(error.fact("attempts"), Some("4"));
    assert_eq!(queue.received().len(), 4);
}

#[tokio::test]
async fn a_spent_budget_ends_the_retries() {
    let (queue, client) = server().await;
    while client.0.budget.take() {}
    queue.push(Answer::new(500)).push(Answer::new(200));
    let error = client.send(&TestService::default(), get("/b/k")).await.unwrap_err();
    assert!(error.fact("retries").is_some(), "{error}");
    assert_eq!(queue.left(), 1);
}

#[tokio::test]
async fn expired_credentials_are_refreshed_once() {
    let expired = || Answer::new(400).header("x-kind", "credentials-expired");
    for (answers, signed, kind) in [
        (vec![expired(), Answer::new(200)], 2, None),
        (vec![expired(), expired()], 2, Some(ErrorKind::CredentialsExpired)),
        (vec![expired(), Answer::new(500), Answer::new(200)], 3, None),
    ] {
        let (queue, client) = server().await;
        for answer in answers {
            queue.push(answer);
        }
        let service = TestService::default();
        let result = client.send(&service, get("/b/k")).await;
        assert_eq!(result.err().map(|error| error.kind()), kind);
        assert_eq!(service.refreshed.load(Ordering::SeqCst), 1);
        assert_eq!(service.signed.load(Ordering::SeqCst), signed);
        assert_eq!(queue.left(), 0);
    }
}

#[tokio::test]
async fn redirects_are_failures() {
    for status in [301, 302, 307, 308] {
        let (queue, client) = server().await;
        let elsewhere = ReplyQueue::start().await.unwrap();
        let to = format!("{}/b/k", elsewhere.url());
        queue.push(Answer::new(status).header("location", to).header("x-kind", "permission-denied"));
        let service = TestService::default();
        client.send(&service, get("/b/k")).await.unwrap_err();
        assert_eq!(service.failures.lock().unwrap()[0].0, status);
        assert!(elsewhere.received().is_empty());
    }
}

#[tokio::test]
async fn expectations() {
    for (expect, status, accepted) in [
        (Expect::Success, 206, true),
        (Expect::Success, 404, false),
        (Expect::SuccessOr(&[404]), 404, true),
        (Expect::SuccessOr(&[404]), 200, true),
        (Expect::Only(&[206]), 206, true),
        (Expect::Only(&[206]), 200, false),
    ] {
        let (queue, client) = server().await;
        queue.push(Answer::new(status).header("x-kind", "not-found"));
        let result = client.send(&TestService::default(), get("/b/k").expect(expect)).await;
        assert_eq!(result.is_ok(), accepted, "{expect:?} {status}");
    }
}

#[tokio::test]
async fn broken_exchanges() {
    let config = HttpConfig { request_timeout: Duration::from_millis(300), ..quick() };
    for (answer, kind) in [
        (Answer::close(), ErrorKind::Interrupted),
        (Answer::reset(), ErrorKind::Interrupted),
        (Answer::raw("HTTP/1.1 200"), ErrorKind::Interrupted),
        (Answer::raw("SSH-2.0-OpenSSH_9.2\r\n"), ErrorKind::Protocol),
        (Answer::raw("HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n"), ErrorKind::Protocol),
        (Answer::raw(format!("HTTP/1.1 200 OK\r\nx: {}", "y".repeat(1 << 20))), ErrorKind::Protocol),
        (Answer::hang(), ErrorKind::Timeout),
    ] {
        let queue = ReplyQueue::start().await.unwrap();
        let client = HttpClient::new(queue.endpoint().unwrap(), &config).unwrap();
        for _ in 0..4 {
            queue.push(answer.clone());
        }
        let error = client.send(&TestService::default(), get("/b/k")).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{answer:?}: {error:?}");
        let attempts = if kind == ErrorKind::Timeout { "3" } else { "4" };
        assert_eq!(error.fact("attempts"), Some(attempts));
    }
}

#[tokio::test]
async fn the_client_goes_on_after_a_broken_exchange() {
    let (queue, client) = server().await;
    queue.push(Answer::hang()).push(Answer::new(200));
    let call = || get("/b/k").patience(Duration::from_millis(100));
    assert_eq!(client.send(&TestService::default(), call()).await.unwrap().attempts, 2);
}

#[tokio::test]
async fn a_write_ends_with_its_future() {
    use tokio::io::AsyncReadExt as _;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = Endpoint::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    let length = 64 << 20;
    let kept = HttpClient::new(endpoint, &quick()).unwrap();
    let client = kept.clone();
    let sending =
        tokio::spawn(
            async move { client.send(&TestService::default(), put(Bytes::from(vec![0; length]))).await },
        );
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut buffer = vec![0; 1 << 16];
    let mut got = stream.read(&mut buffer).await.unwrap();
    sending.abort();
    assert!(sending.await.unwrap_err().is_cancelled());
    while let Ok(read @ 1..) = stream.read(&mut buffer).await {
        got += read;
    }
    assert!(got < length, "the whole body went out after its future was dropped");
}

#[tokio::test]
async fn long_bodies_arrive_whole() {
    let (queue, client) = server().await;
    queue.push_with(|request| Answer::new(200).body(request.body.clone()));
    let chunks: Vec<Bytes> = (1..40_u8).map(|n| Bytes::from(vec![n; usize::from(n) * 5_001])).collect();
    let expected = chunks.concat();
    let reply = client.send(&TestService::default(), put(CallBody::Chunks(chunks.into()))).await.unwrap();
    assert!(reply.bytes(expected.len()).await.unwrap() == expected);
}

#[tokio::test]
async fn replies_with_many_headers() {
    let (queue, client) = server().await;
    let answer = (0..2_000).fold(Answer::new(200), |answer, n| answer.header(format!("x-m-{n}"), "v"));
    queue.push(answer);
    let reply = client.send(&TestService::default(), get("/b/k")).await.unwrap();
    assert_eq!(reply.headers.get("x-m-1999").unwrap(), "v");
}

#[tokio::test]
async fn a_proxy_that_wants_a_login_is_named() {
    let queue = ReplyQueue::start().await.unwrap();
    queue.push(Answer::new(407));
    let config = HttpConfig { proxy: Some(queue.url()), allow_plaintext: true, ..quick() };
    let client = HttpClient::new(Endpoint::parse("http://store.invalid").unwrap(), &config).unwrap();
    let error = client.send(&TestService::default(), get("/b/k")).await.unwrap_err();
    assert!(error.message().contains("proxy wants a login"), "{error}");
}

#[tokio::test]
async fn a_server_that_takes_no_bytes_is_given_up() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = Endpoint::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    let retry = crate::RetryPolicy { attempts: 1, ..quick().retry };
    let config = HttpConfig { idle_timeout: Duration::from_millis(200), retry, ..quick() };
    let client = HttpClient::new(endpoint, &config).unwrap();
    let body = Bytes::from(vec![0; 64 << 20]);
    let error = client.send(&TestService::default(), put(body)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(error.message().contains("could be sent"), "{error}");
}

#[tokio::test]
async fn a_refusal_before_the_end_of_the_body_is_heard() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = Endpoint::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut start = [0; 1024];
        assert!(stream.read(&mut start).await.unwrap() > 0);
        let reply =
            b"HTTP/1.1 403 No\r\nx-kind: permission-denied\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
        stream.write_all(reply).await.unwrap();
        stream
    });
    let client = HttpClient::new(endpoint, &quick()).unwrap();
    let body = Bytes::from(vec![0; 64 << 20]);
    let error = client.send(&TestService::default(), put(body)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied);
    server.await.unwrap();
}

#[tokio::test]
async fn a_refused_connection_is_tried_a_few_times() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let endpoint = Endpoint::parse(&format!("http://{address}")).unwrap();
    let service = TestService::default();
    let client = HttpClient::new(endpoint, &quick()).unwrap();
    let error = client.send(&service, get("/b/k")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unreachable);
    assert_eq!(error.message(), format!("{address} can't be reached: connection refused"));
    assert_eq!(service.signed.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn connections_are_used_again_until_they_are_old() {
    for (longest, connections) in [(Duration::from_secs(600), [0, 0, 0]), (Duration::ZERO, [0, 1, 2])] {
        let queue = ReplyQueue::start().await.unwrap();
        let client = HttpClient::with_longest_use(queue.endpoint().unwrap(), &quick(), longest).unwrap();
        for _ in 0..3 {
            queue.push(Answer::new(200).body("x"));
            let reply = client.send(&TestService::default(), get("/b/k")).await.unwrap();
            reply.bytes(1).await.unwrap();
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let used: Vec<usize> = queue.received().iter().map(|request| request.connection).collect();
        assert_eq!(used, connections);
    }
}

/// A reply of a server whose clock is so many seconds ahead.
fn dated(status: u16, seconds: i64) -> Answer {
    let time = Timestamp::now() + jiff::SignedDuration::from_secs(seconds);
    let date = jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&time).unwrap();
    Answer::new(status).header("date", date).header("x-kind", "permission-denied")
}

#[tokio::test]
async fn what_was_signed_by_a_wrong_clock_is_sent_again() {
    // What the server's clock was ahead at each reply, and how many of them the second request gets.
    for (replies, sent) in [
        (vec![dated(200, 0), dated(403, 0), dated(200, 0)], 1),
        (vec![dated(200, 0), dated(403, 600), dated(200, 600)], 1),
        (vec![dated(200, 0), dated(403, 3600), dated(200, 3600)], 2),
        (vec![dated(200, 0), dated(403, -3600), dated(200, -3600)], 2),
        (vec![dated(200, 3600), dated(403, 0), dated(200, 0)], 2),
        (vec![dated(200, 3600), dated(403, 3600), dated(200, 3600)], 1),
        (vec![dated(200, 0), dated(403, 3600), dated(403, 3600), dated(200, 3600)], 2),
        (vec![dated(200, 0), dated(404, 3600), dated(200, 3600)], 1),
    ] {
        let (queue, client) = server().await;
        let text = format!("{replies:?}");
        for reply in replies {
            queue.push(reply);
        }
        let service = TestService { renewal: Some(crate::Renewal::Same), ..TestService::default() };
        client.send(&service, get("/b/k")).await.unwrap();
        let _ = client.send(&service, get("/b/k")).await;
        assert_eq!(service.signed.load(Ordering::SeqCst), 1 + sent, "{text}");
    }
}

#[tokio::test]
async fn the_servers_clock_is_read() {
    let (queue, client) = server().await;
    assert_eq!(client.skew(), None);
    queue.push(dated(200, 3600));
    client.send(&TestService::default(), get("/b/k")).await.unwrap();
    assert!((3590..=3610).contains(&client.skew().unwrap()), "{:?}", client.skew());
}

#[test]
fn plaintext_stays_on_this_machine() {
    for (url, allowed) in [
        ("http://example.com", false),
        ("http://10.0.0.1:9000", false),
        ("http://127.0.0.1.example.com", false),
        ("http://127.0.0.1:9000", true),
        ("http://localhost:9000", true),
        ("https://example.com", true),
    ] {
        let result = HttpClient::new(Endpoint::parse(url).unwrap(), &quick());
        assert_eq!(result.is_ok(), allowed, "{url}");
        if let Err(error) = result {
            assert_eq!(error.kind(), ErrorKind::InvalidConfig);
            assert!(error.to_string().contains("--allow-plaintext or allow_plaintext = true"), "{error}");
        }
        let config = HttpConfig { allow_plaintext: true, ..quick() };
        HttpClient::new(Endpoint::parse(url).unwrap(), &config).unwrap();
    }
}

/// Signs by sending the request elsewhere.
struct Diverting(&'static str);

#[async_trait]
impl Service for Diverting {
    async fn sign(&self, parts: &mut http::request::Parts) -> Result<()> {
        parts.uri = self.0.parse().unwrap();
        Ok(())
    }

    fn error(&self, _: StatusCode, _: &HeaderMap, _: &[u8]) -> Error {
        Error::new(ErrorKind::Protocol, "unexpected")
    }
}

#[tokio::test]
async fn signing_cannot_divert_a_request() {
    let (queue, client) = server().await;
    for uri in ["http://127.0.0.2/b/k", "https://example.com/b/k", "/b/k"] {
        let error = client.send(&Diverting(uri), get("/b/k")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Internal, "{uri}");
    }
    assert!(queue.received().is_empty());
}

#[tokio::test]
async fn nothing_secret_is_shown() {
    let mut call = get("/b/k").query("sig", "hunter2").text_header("authorization", "hunter2").unwrap();
    call.headers.insert("x-ms-copy-source", HeaderValue::from_static("https://h/k?sig=hunter2"));
    assert!(!format!("{call:?}").contains("hunter2"));
    let config = HttpConfig { proxy: Some("http://me:hunter2@127.0.0.1:1".to_owned()), ..quick() };
    let client = HttpClient::new(Endpoint::parse("http://127.0.0.1:1").unwrap(), &config).unwrap();
    let error = client.send(&TestService::default(), call).await.unwrap_err();
    assert!(!format!("{config:?} {client:?} {error:?} {error}").contains("hunter2"));
}

#[tokio::test]
async fn failures_get_the_beginning_of_the_body() {
    let (queue, client) = server().await;
    let long = || Answer::new(400).header("x-kind", "not-found").body(vec![b'x'; ERROR_BODY + 9]);
    queue.push(long()).push(long().cut_after(5)).push(Answer::new(200));
    let service = TestService::default();
    assert_eq!(client.send(&service, get("/b/k")).await.unwrap_err().kind(), ErrorKind::NotFound);
    let again = client.send(&service, get("/b/k")).await.unwrap();
    assert_eq!(again.attempts, 2, "a failure that was cut short is no answer");
    let lengths: Vec<usize> = service.failures.lock().unwrap().iter().map(|(_, body)| body.len()).collect();
    assert_eq!(lengths, [ERROR_BODY, 5]);
}

#[tokio::test]
async fn targets_that_are_not_encoded_stay_here() {
    let (queue, client) = server().await;
    for (path, query) in [("/b/a#b", ""), ("/b/a?b", ""), ("b", ""), ("/b", "x=#"), ("/b/a b", ""), ("", "")]
    {
        let mut call = get(path);
        call.query = query.to_owned();
        let error = client.send(&TestService::default(), call).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Internal, "{path} {query}");
    }
    assert!(queue.received().is_empty());
}
