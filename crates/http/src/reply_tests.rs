use std::time::Duration;

use super::*;
use crate::test_support::{TestService, get, quick, server};
use crate::testing::{Answer, ReplyQueue};
use crate::{Call, Expect, HttpClient, HttpConfig};
use futures::TryStreamExt as _;

async fn read(answer: Answer) -> Result<Vec<u8>> {
    let queue = ReplyQueue::start().await.unwrap();
    queue.push(answer);
    let config = HttpConfig { idle_timeout: Duration::from_millis(200), ..quick() };
    let client = HttpClient::new(queue.endpoint()?, &config)?;
    let reply = client.send(&TestService::default(), get("/b/k")).await?;
    let pieces: Vec<Bytes> = reply.stream().try_collect().await?;
    Ok(pieces.concat())
}

fn whole() -> Answer {
    Answer::new(200).body("0123456789")
}

#[tokio::test]
async fn bodies_end_after_the_declared_length_or_fail() {
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    for (answer, expected) in [
        (whole(), Ok("0123456789")),
        (Answer::new(200), Ok("")),
        (whole().header("content-encoding", "gzip"), Ok("0123456789")),
        (whole().declared(12), Err(ErrorKind::Truncated)),
        (whole().cut_after(4), Err(ErrorKind::Truncated)),
        (whole().cut_after(0), Err(ErrorKind::Truncated)),
        (whole().stall_after(4), Err(ErrorKind::Timeout)),
        (Answer::raw(format!("{chunked}3\r\nabc\r\n0\r\n\r\n")), Ok("abc")),
        (Answer::raw(format!("{chunked}3\r\nabc\r\n")), Err(ErrorKind::Truncated)),
        (Answer::raw(format!("{chunked}zz\r\nabc\r\n")), Err(ErrorKind::Interrupted)),
        (Answer::raw("HTTP/1.1 200 OK\r\n\r\nabc"), Err(ErrorKind::Protocol)),
    ] {
        let shown = format!("{answer:?}");
        let got = read(answer).await.map_err(|error| error.kind());
        assert_eq!(got, expected.map(|text| text.as_bytes().to_vec()), "{shown}");
    }
}

#[tokio::test]
async fn a_reset_is_told_from_an_early_end() {
    let error = read(whole().reset_after(4)).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::Truncated), "{error:?}");
}

#[tokio::test]
async fn what_comes_after_the_declared_length_reaches_no_one() {
    let (queue, client) = server().await;
    queue.push(Answer::raw("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabcHTTP/1.1 200 OK\r\n\r\nfalse"));
    queue.push(Answer::new(200).body("right"));
    for expected in ["abc", "right"] {
        let reply = client.send(&TestService::default(), get("/b/k")).await.unwrap();
        assert_eq!(reply.bytes(10).await.unwrap(), expected);
    }
}

#[tokio::test]
async fn whole_bodies_are_capped() {
    for (answer, limit, expected) in [
        (whole(), 10, Ok("0123456789")),
        (whole(), 9, Err(ErrorKind::Protocol)),
        (Answer::raw("HTTP/1.1 200 OK\r\n\r\nabc"), 3, Ok("abc")),
        (Answer::raw("HTTP/1.1 200 OK\r\n\r\nabc"), 2, Err(ErrorKind::Protocol)),
        (whole().cut_after(4), 10, Err(ErrorKind::Truncated)),
    ] {
        let (queue, client) = server().await;
        queue.push(answer);
        let reply = client.send(&TestService::default(), get("/b/k")).await.unwrap();
        let got = reply.bytes(limit).await.map_err(|error| error.kind());
        assert_eq!(got, expected.map(Bytes::from));
    }
}

#[tokio::test]
async fn a_head_has_a_length_and_no_body() {
    let (queue, client) = server().await;
    for _ in 0..2 {
        queue.push(Answer::new(200).header("content-length", "1234567"));
    }
    let head = || Call::new(Operation::Head, Method::HEAD, "/b/k");
    let reply = client.send(&TestService::default(), head()).await.unwrap();
    assert_eq!(reply.content_length(), Some(1_234_567));
    assert_eq!(reply.bytes(0).await.unwrap(), "");
    let reply = client.send(&TestService::default(), head()).await.unwrap();
    assert_eq!(reply.stream().try_collect::<Vec<_>>().await.unwrap(), Vec::<Bytes>::new());
    assert_eq!(queue.received()[1].connection, 0, "the connection is used again");
}

#[tokio::test]
async fn statuses_without_a_body() {
    let (queue, client) = server().await;
    queue.push(Answer::new(304).header("content-length", "9")).push(Answer::new(204));
    for status in [304, 204] {
        let call = get("/b/k").expect(Expect::SuccessOr(&[304]));
        let reply = client.send(&TestService::default(), call).await.unwrap();
        assert_eq!(reply.status, status);
        assert_eq!(reply.bytes(0).await.unwrap(), "");
    }
}
