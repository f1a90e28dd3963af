use cabotage_core::{ErrorKind, Operation, StorageExt as _};
use cabotage_layers::{Effect, Fault, Faults, Rule};
use cabotage_memory::MemoryStore;
use futures::future::join_all;

use super::*;

fn key(text: &str) -> Key {
    Key::new(text).unwrap()
}

/// A store with those objects whose listings have pages of ten, and what was done with it.
async fn bench(names: &[String], rules: Vec<Rule>) -> (Confirming, Faults) {
    let memory = MemoryStore::new("m");
    let capabilities = Capabilities { list_page: Some(10), ..memory.capabilities().clone() };
    let memory = memory.with_capabilities(capabilities);
    for name in names {
        memory.put(&key(name), "x".into()).await.unwrap();
    }
    let faults = Faults::new(rules);
    let store: Arc<dyn Storage> = Arc::new(Fault::new(Arc::new(memory), faults.clone()));
    (Confirming::start(&store, "p/").unwrap(), faults)
}

async fn asked(confirming: &Confirming, names: &[&str]) -> Vec<Option<String>> {
    let mut waiting = Vec::new();
    for name in names {
        waiting.push(confirming.ask(&key(name)).await.unwrap());
    }
    let told = join_all(waiting.into_iter().map(Waiting::told)).await;
    told.into_iter().map(|info| info.map(|info| info.key.as_str().to_owned())).collect()
}

fn names(range: std::ops::Range<u32>) -> Vec<String> {
    range.map(|number| format!("p/{number:04}")).collect()
}

#[tokio::test(start_paused = true)]
async fn one_listing_answers_many() {
    let (confirming, faults) = bench(&names(0..100), vec![]).await;
    let told = asked(&confirming, &["p/0007", "p/0003", "p/0005", "p/0005x"]).await;
    assert_eq!(told, [Some("p/0007".to_owned()), Some("p/0003".into()), Some("p/0005".into()), None]);
    assert_eq!(faults.calls(Operation::List), 1);
}

#[tokio::test(start_paused = true)]
async fn what_lies_far_apart_is_not_listed_through() {
    let (confirming, faults) = bench(&names(0..1_000), vec![]).await;
    let told = asked(&confirming, &["p/0003", "p/0900"]).await;
    assert_eq!(told, [Some("p/0003".to_owned()), Some("p/0900".into())]);
    assert_eq!(faults.calls(Operation::List), 2);
    // So many keys lie between each that looking at them one by one is cheaper for the rest.
    let told = asked(&confirming, &["p/0100", "p/0300", "p/0500", "p/0700", "p/0900"]).await;
    assert!(told[0].is_some() && told[4].is_none(), "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn a_listing_that_fails_tells_nothing() {
    let (confirming, _) =
        bench(&names(0..5), vec![Rule::new(Operation::List, Effect::Fail(ErrorKind::Throttled))]).await;
    assert_eq!(asked(&confirming, &["p/0001"]).await, [None]);
}

#[test]
fn a_key_before_is_before_and_near() {
    for text in ["a", "p/0000", "p/0010", "p/!", "p/é", "p/a ", "p/~", "p/\u{7f}"] {
        if let Some(earlier) = before(&key(text)) {
            assert!(earlier < key(text), "{text:?}");
        }
    }
    assert_eq!(before(&key("p/0010")), Some(key("p/001/~")));
}

#[test]
fn only_listings_by_request_in_byte_order_serve() {
    let full = cabotage_memory::full_capabilities();
    assert_eq!(page(&full), Some(1_000));
    assert_eq!(page(&Capabilities { list_after: false, ..full.clone() }), None);
    assert_eq!(page(&Capabilities { list_order: ListOrder::Utf16, ..full.clone() }), None);
    assert_eq!(page(&Capabilities { list_page: None, ..full }), None);
}
