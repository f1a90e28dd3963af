use bytes::Bytes;
use cabotage_core::{
    Detail, Key, ListItem, ListScope, PartSlot, Payload, ReadOptions, Storage as _, StorageExt as _,
    WriteOptions,
};
use cabotage_memory::MemoryStore;
use futures::TryStreamExt as _;

use super::*;

fn key(name: &str) -> Key {
    Key::new(name).unwrap()
}

fn scripted(rules: Vec<Rule>) -> (MemoryStore, Faults, Fault) {
    let memory = MemoryStore::new("t");
    let faults = Faults::new(rules);
    (memory.clone(), faults.clone(), Fault::new(Arc::new(memory), faults))
}

fn options() -> WriteOptions {
    WriteOptions::default()
}

async fn body(store: &Fault, name: &str) -> Result<Vec<u8>> {
    let body = store.read(&key(name), ReadOptions::default()).await?;
    Ok(body.stream.try_collect::<Vec<Bytes>>().await?.concat())
}

#[tokio::test]
async fn calls_are_counted_by_rule_and_by_key() {
    let fail = || Rule::new(Operation::Head, Effect::Fail(ErrorKind::Throttled));
    for (rule, meant) in [
        (fail(), "xxxxxx"),
        (fail().calls(Calls::OfAll(2)), ".x...."),
        (fail().calls(Calls::OfKey(2)), "..xx.."),
        (fail().calls(Calls::From(5)), "....xx"),
        (fail().keys(KeyMatch::Exactly("b".into())), ".x.x.x"),
        (fail().keys(KeyMatch::StartsWith("b".into())).calls(Calls::OfAll(2)), "...x.."),
        (fail().keys(KeyMatch::Contains("z".into())), "......"),
        (Rule::new(Operation::Read, Effect::Fail(ErrorKind::Throttled)), "......"),
    ] {
        let (memory, faults, store) = scripted(vec![rule]);
        let mut seen = String::new();
        for name in ["a", "b", "a", "b", "a", "b"] {
            memory.put(&key(name), "x".into()).await.unwrap();
            seen.push(if store.head(&key(name), Detail::Basic).await.is_ok() { '.' } else { 'x' });
        }
        assert_eq!(seen, meant);
        assert_eq!(faults.calls(Operation::Head), 6);
        assert_eq!(faults.played(), meant.matches('x').count() as u64);
        assert_eq!(faults.log()[1], (Operation::Head, "b".to_owned()));
    }
}

#[tokio::test]
async fn bodies_that_are_read() {
    for (effect, meant) in [
        (Effect::TruncateBody(3), Ok("abc")),
        (Effect::TruncateBody(0), Ok("")),
        (Effect::TruncateBody(9), Ok("abcde")),
        (Effect::CutBody(3), Err(ErrorKind::Interrupted)),
        (Effect::FlipByte(1), Ok("a\u{9d}cde")),
        (Effect::Fail(ErrorKind::Timeout), Err(ErrorKind::Timeout)),
        (Effect::Delay(Duration::ZERO), Ok("abcde")),
    ] {
        let (memory, _, store) = scripted(vec![Rule::new(Operation::Read, effect.clone())]);
        memory.put(&key("k"), "abcde".into()).await.unwrap();
        let got = body(&store, "k").await.map_err(|error| error.kind());
        let meant = meant.map(|text| text.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect());
        assert_eq!(got, meant, "{effect:?}");
    }
}

#[tokio::test]
async fn bodies_that_are_sent() {
    for (effect, answer, stored) in [
        (Effect::FlipByte(1), Err(ErrorKind::DigestMismatch), None),
        (Effect::StoreFlipped(0), Ok(()), Some(&b"\x9ebc"[..])),
        (Effect::TruncateBody(2), Err(ErrorKind::Truncated), None),
        (Effect::CutBody(2), Err(ErrorKind::Interrupted), None),
        (Effect::LieStored, Ok(()), None),
        (Effect::Fail(ErrorKind::Unavailable), Err(ErrorKind::Unavailable), None),
        (Effect::FailAfter(ErrorKind::Interrupted), Err(ErrorKind::Interrupted), Some(&b"abc"[..])),
    ] {
        let (memory, faults, store) = scripted(vec![Rule::new(Operation::Write, effect.clone())]);
        let written = store.write(&key("k"), Payload::from_bytes("abc"), options()).await;
        assert_eq!(written.map(|_| ()).map_err(|error| error.kind()), answer, "{effect:?}");
        let found = memory.read_all(&key("k"), 9).await.ok();
        assert_eq!(found.as_deref(), stored, "{effect:?}");
        assert_eq!(faults.played(), 1);
    }
}

#[tokio::test]
async fn replayable_bodies_are_spoiled_at_each_opening() {
    let (memory, _, store) = scripted(vec![Rule::new(Operation::Write, Effect::FlipByte(0))]);
    let source = Payload::from_bytes("abc");
    let open: cabotage_core::PayloadSource = Arc::new(move || {
        let source = source.clone();
        Box::pin(async move { source.open().await })
    });
    store.write(&key("k"), Payload::Replayable { len: 3, open }, options()).await.unwrap();
    assert_eq!(memory.read_all(&key("k"), 9).await.unwrap(), &b"\x9ebc"[..]);
}

#[tokio::test]
async fn listings() {
    for (effect, meant) in [
        (Effect::TruncateBody(2), Ok("ab")),
        (Effect::CutBody(2), Err(ErrorKind::Interrupted)),
        (Effect::ListAgain(2), Ok("ababc")),
        (Effect::Fail(ErrorKind::Throttled), Err(ErrorKind::Throttled)),
    ] {
        let (memory, _, store) = scripted(vec![Rule::new(Operation::List, effect.clone())]);
        for name in ["a", "b", "c"] {
            memory.put(&key(name), Bytes::new()).await.unwrap();
        }
        let items: Result<Vec<ListItem>> = store.list(ListScope::default()).try_collect().await;
        let name = |item: ListItem| match item {
            ListItem::Object(info) => info.key.as_str().to_owned(),
            other => format!("{other:?}"),
        };
        let got = items.map(|items| items.into_iter().map(name).collect::<String>());
        assert_eq!(got.map_err(|error| error.kind()), meant.map(str::to_owned), "{effect:?}");
    }
}

#[tokio::test]
async fn uploads_and_deletes() {
    let lie = |operation| Rule::new(operation, Effect::LieStored).calls(Calls::OfAll(1));
    let (memory, faults, store) =
        scripted(vec![lie(Operation::WritePart), lie(Operation::Complete), lie(Operation::Delete)]);
    let upload = store.start_upload(&key("k"), options()).await.unwrap();
    let slot = PartSlot { number: 1, offset: 0 };
    let lied = upload.part(slot, Payload::from_bytes("abc")).await.unwrap();
    assert!(upload.parts().await.unwrap().is_empty());
    let part = upload.part(slot, Payload::from_bytes("abc")).await.unwrap();
    upload.complete(std::slice::from_ref(&part)).await.unwrap();
    assert!(memory.head(&key("k"), Detail::Basic).await.is_err());
    assert!(upload.complete(&[lied]).await.is_err());
    upload.complete(&[part]).await.unwrap();
    store.delete(&key("k"), cabotage_core::DeleteOptions::default()).await.unwrap();
    assert!(memory.head(&key("k"), Detail::Basic).await.is_ok());
    assert!(store.delete_many(vec![key("k")]).await[0].1.is_ok());
    assert!(memory.head(&key("k"), Detail::Basic).await.is_err());
    assert_eq!((faults.calls(Operation::Complete), faults.calls(Operation::Delete)), (3, 2));
}
