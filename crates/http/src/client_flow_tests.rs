//! A client whose server asks to slow down.

use super::*;
use crate::test_support::{TestService, get, server};
use crate::testing::Answer;

fn slow_down(status: u16, wait: &str) -> Answer {
    Answer::new(status).header("x-kind", "throttled").header("retry-after", wait)
}

#[tokio::test]
async fn a_server_that_asks_to_slow_down_gets_fewer_requests_at_once() {
    let (queue, client) = server().await;
    let service = TestService::default();
    for _ in 0..3 {
        queue.push(slow_down(503, "0").delay(Duration::from_millis(50)));
    }
    for _ in 0..20 {
        queue.push(Answer::new(200).delay(Duration::from_millis(5)));
    }
    let send = || async { client.send(&service, get("/b/k")).await.map(drop) };
    futures::future::try_join3(send(), send(), send()).await.unwrap();
    let traffic = client.traffic();
    assert_eq!((traffic.requests, traffic.retries, traffic.throttled), (6, 3, 3));
    assert_eq!(traffic.lowest_limit, Some(1), "three were in flight");
    assert!(traffic.waited_millis > 0, "{traffic:?}");
    futures::future::try_join3(send(), send(), send()).await.unwrap();
    let later = client.traffic();
    assert_eq!((later.limit, later.lowest_limit), (None, Some(1)), "answers let it grow: {later:?}");
}

#[tokio::test]
async fn what_the_server_asks_to_wait_is_waited_before_anything_else_is_sent() {
    let (queue, client) = server().await;
    let service = TestService::default();
    queue.push(slow_down(429, "1"));
    for _ in 0..2 {
        queue.push(Answer::new(200));
    }
    let first = async { client.send(&service, get("/first")).await };
    let second = async {
        while queue.received().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        // Its answer is on the way.
        while client.traffic().throttled == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        client.send(&service, get("/second")).await
    };
    futures::future::try_join(first, second).await.unwrap();
    let order: Vec<String> = queue.received().into_iter().map(|request| request.target).collect();
    assert_eq!(order, ["/first", "/first", "/second"]);
}

#[tokio::test]
async fn who_holds_a_body_can_ask_for_more() {
    let (queue, client) = server().await;
    let service = TestService::default();
    queue.push(slow_down(503, "0"));
    for _ in 0..3 {
        queue.push(Answer::new(200).body("body"));
    }
    let held = client.send(&service, get("/a")).await.unwrap();
    let two = futures::future::try_join(client.send(&service, get("/b")), client.send(&service, get("/c")));
    let replies = tokio::time::timeout(Duration::from_secs(20), two).await.unwrap().unwrap();
    assert_eq!(held.bytes(9).await.unwrap(), "body");
    drop(replies);
}
