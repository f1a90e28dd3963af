use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use cabotage_core::Rates;
use http_body_util::BodyExt as _;

use super::*;
use crate::body::OutBody;
use crate::test_support::{TestService, get, quick};
use crate::testing::{Answer, ReplyQueue};
use crate::{Call, CallBody, HttpClient, HttpConfig};

const MINUTE: Duration = Duration::from_secs(60);

#[track_caller]
fn close(got: u64, wanted: u64) {
    assert!(got.abs_diff(wanted) * 20 <= wanted, "{got} instead of {wanted}");
}

/// So many bodies at once, each followed by another, for a simulated minute: the bytes that went out.
async fn send_bodies(throttle: &Throttle, at_once: usize, size: usize) -> u64 {
    let (body, sent) = (CallBody::from(Bytes::from(vec![7; size])), AtomicU64::new(0));
    let one_after_the_other = || async {
        loop {
            let (mut out, watch) = OutBody::open(&body, throttle.clone()).await.unwrap();
            let all = async {
                while let Some(frame) = out.frame().await {
                    sent.fetch_add(frame.unwrap().into_data().unwrap().len() as u64, Ordering::Relaxed);
                }
            };
            let second = Duration::from_secs(1);
            tokio::select! {
                () = all => {}
                () = watch.expired(second, second) => panic!("waiting for a limit is no lack of progress"),
            }
        }
    };
    let all = futures::future::join_all((0..at_once).map(|_| one_after_the_other()));
    let _ = tokio::time::timeout(MINUTE, all).await;
    sent.into_inner()
}

#[tokio::test(start_paused = true)]
async fn bodies_keep_to_the_bandwidth_whatever_their_size() {
    for (rate, at_once, size) in [(1 << 20, 200, 4 << 10), (1 << 20, 64, 1 << 20), (100_000, 2, 64 << 20)] {
        let throttle = Throttle::new(Rates { bytes: Some(rate), ..Rates::default() });
        close(send_bodies(&throttle, at_once, size).await, rate * 60);
    }
}

#[tokio::test(start_paused = true)]
async fn requests_keep_to_their_rate() {
    for (rate, at_once) in [(1, 3), (50, 32), (1_000, 32)] {
        let throttle = Throttle::new(Rates { requests: Some(rate), ..Rates::default() });
        let sent = AtomicU64::new(0);
        let one_after_the_other = || async {
            loop {
                request(&throttle, &Method::PUT).await;
                sent.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(Duration::from_millis(3)).await;
            }
        };
        let all = futures::future::join_all((0..at_once).map(|_| one_after_the_other()));
        let _ = tokio::time::timeout(MINUTE, all).await;
        close(sent.into_inner(), u64::from(rate) * 60);
    }
}

async fn limited(rates: Rates) -> (ReplyQueue, HttpClient, Throttle) {
    let queue = ReplyQueue::start().await.unwrap();
    let throttle = Throttle::new(rates);
    let config =
        HttpConfig { throttle: throttle.clone(), idle_timeout: Duration::from_millis(300), ..quick() };
    let client = HttpClient::new(queue.endpoint().unwrap(), &config).unwrap();
    (queue, client, throttle)
}

#[tokio::test]
async fn each_attempt_is_a_request() {
    let (queue, client, throttle) = limited(Rates { reads: Some(20), ..Rates::default() }).await;
    for status in [500, 500, 200] {
        queue.push(Answer::new(status).header("x-kind", "throttled"));
    }
    client.send(&TestService::default(), get("/b/k")).await.unwrap();
    let now = Instant::now().into_std();
    let next = throttle.request(RequestKind::Read, now + MINUTE);
    assert_eq!((queue.received().len(), next), (3, None));
    assert!(throttle.waited(now + MINUTE) >= Duration::from_millis(50), "the second and the third waited");
}

/// Each waits longer for its turn than a connection may lie idle.
#[tokio::test]
async fn bodies_wait_without_running_into_timeouts() {
    let (queue, client, throttle) = limited(Rates { bytes: Some(64 << 10), ..Rates::default() }).await;
    let service = TestService::default();
    for _ in 0..16 {
        queue.push(Answer::new(200).body(vec![1; 4 << 10]));
    }
    let body = CallBody::from(Bytes::from(vec![2; 4 << 10]));
    let one = || async {
        let call = Call::new(cabotage_core::Operation::Write, Method::PUT, "/b/k").body(body.clone());
        client.send(&service, call).await?.bytes(1 << 20).await
    };
    let replies = futures::future::try_join_all((0..16).map(|_| one())).await.unwrap();
    assert!(replies.iter().all(|reply| reply.len() == 4 << 10));
    assert_eq!((client.traffic().requests, client.traffic().retries), (16, 0), "nothing was sent again");
    let waited = throttle.waited(Instant::now().into_std());
    assert!(waited >= Duration::from_millis(1_500), "128 KiB at 64 KiB a second: {waited:?}");
}

#[tokio::test(start_paused = true)]
async fn who_gives_up_holds_up_nobody() {
    let throttle = Throttle::new(Rates { bytes: Some(64 << 10), ..Rates::default() });
    for _ in 0..100 {
        let _ = tokio::time::timeout(Duration::ZERO, bytes(&throttle, 1_024)).await;
    }
    tokio::time::timeout(Duration::from_secs(3), bytes(&throttle, 1_024)).await.unwrap();
}
