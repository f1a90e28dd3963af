use cabotage_core::{StorageExt as _, TierClass};
use cabotage_memory::{MemoryStore, full_capabilities};
use futures::TryStreamExt as _;

use super::*;
use crate::{Calls, Effect, Fault, Faults, KeyMatch, Rule};

const FAST: ResumePolicy = ResumePolicy { attempts: 3, base: Duration::ZERO, cap: Duration::ZERO };

fn key() -> Key {
    Key::new("k").unwrap()
}

fn content() -> Vec<u8> {
    (0..=250).cycle().take(700_000).collect()
}

/// A store with the object, and a script between it and the layer.
async fn scripted(rules: Vec<Rule>) -> (MemoryStore, Faults, ResumeBody) {
    let memory = MemoryStore::new("t");
    memory.put(&key(), content().into()).await.unwrap();
    let faults = Faults::new(rules);
    let fault = Fault::new(Arc::new(memory.clone()), faults.clone());
    (memory, faults, ResumeBody::new(Arc::new(fault), FAST))
}

fn on_call(n: u64, effect: Effect) -> Rule {
    Rule::new(Operation::Read, effect).calls(Calls::OfAll(n))
}

async fn collect(store: &ResumeBody, range: Option<ReadRange>) -> Result<Vec<u8>> {
    let body = store.read(&key(), ReadOptions::pinned(range, None)).await?;
    let chunks: Vec<Bytes> = body.stream.try_collect().await?;
    Ok(chunks.concat())
}

#[tokio::test]
async fn a_broken_body_goes_on_without_a_byte_twice() {
    let breaks = vec![
        on_call(1, Effect::CutBody(300_000)),
        on_call(2, Effect::TruncateBody(1)),
        on_call(3, Effect::CutBody(0)),
    ];
    let (_, faults, store) = scripted(breaks).await;
    assert!(collect(&store, None).await.unwrap() == content());
    assert_eq!((faults.calls(Operation::Read), faults.played()), (4, 3));
}

#[tokio::test]
async fn a_range_goes_on_within_the_range() {
    let (_, faults, store) = scripted(vec![on_call(1, Effect::CutBody(70_000))]).await;
    let range = ReadRange::Bounded { start: 100, end: 200_000 };
    assert!(collect(&store, Some(range)).await.unwrap() == content()[100..200_000]);
    assert_eq!(faults.played(), 1);
    assert!(collect(&store, Some(ReadRange::Suffix(9))).await.unwrap() == content()[699_991..]);
}

#[tokio::test]
async fn a_break_after_the_last_byte_is_none() {
    let (_, faults, store) = scripted(vec![on_call(1, Effect::CutBody(700_000))]).await;
    assert!(collect(&store, None).await.unwrap() == content());
    assert_eq!(faults.calls(Operation::Read), 1);
}

#[tokio::test]
async fn attempts_are_bounded() {
    let (_, faults, store) =
        scripted(vec![Rule::new(Operation::Read, Effect::CutBody(10)).keys(KeyMatch::Any)]).await;
    let error = collect(&store, None).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Interrupted);
    assert_eq!(faults.calls(Operation::Read), 4, "the first and three attempts");
}

#[tokio::test]
async fn a_refused_attempt_counts_and_the_next_goes_on() {
    let (_, _, store) =
        scripted(vec![on_call(1, Effect::CutBody(5)), on_call(2, Effect::Fail(ErrorKind::Unavailable))])
            .await;
    assert!(collect(&store, None).await.unwrap() == content());
}

#[tokio::test]
async fn what_is_not_worth_a_retry_is_passed_on() {
    let (_, faults, store) =
        scripted(vec![on_call(1, Effect::CutBody(5)), on_call(2, Effect::Fail(ErrorKind::PermissionDenied))])
            .await;
    assert_eq!(collect(&store, None).await.unwrap_err().kind(), ErrorKind::PermissionDenied);
    assert_eq!(faults.calls(Operation::Read), 2);
}

#[tokio::test]
async fn an_object_that_changed_is_never_mixed_with_the_new_one() {
    for gone in [false, true] {
        let (memory, _, store) = scripted(vec![on_call(1, Effect::CutBody(300_000))]).await;
        let body = store.read(&key(), ReadOptions::default()).await.unwrap();
        if gone {
            memory.delete(&key(), DeleteOptions::default()).await.unwrap();
        } else {
            memory.put(&key(), vec![b'x'; 700_000].into()).await.unwrap();
        }
        let (mut stream, mut got) = (body.stream, Vec::new());
        let error = loop {
            match stream.try_next().await {
                Ok(Some(chunk)) => got.extend_from_slice(&chunk),
                Ok(None) => panic!("the body ended as if nothing had happened"),
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind(), ErrorKind::SourceChanged);
        assert!(got == content()[..300_000]);
        assert!(stream.try_next().await.unwrap().is_none(), "after an error nothing follows");
    }
}

#[tokio::test]
async fn other_errors_of_the_first_call_come_through() {
    let mut capabilities = full_capabilities();
    capabilities.tiers.known = [("Archive".to_owned(), TierClass::Archive)].into();
    let memory = MemoryStore::new("t").with_capabilities(capabilities);
    let options = WriteOptions { tier: Some("Archive".into()), ..WriteOptions::default() };
    memory.write(&key(), Payload::from_bytes("x"), options).await.unwrap();
    let store = ResumeBody::new(Arc::new(memory), ResumePolicy::default());
    assert_eq!(collect(&store, None).await.unwrap_err().kind(), ErrorKind::Archived);
}

#[test]
fn pauses_grow_to_the_cap() {
    let policy = ResumePolicy::default();
    for attempt in 0..40 {
        let longest = policy.base.saturating_mul(1 << attempt.min(20)).min(policy.cap);
        assert!(policy.pause(attempt) <= longest);
    }
}
