use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use cabotage_core::{PayloadSource, StorageExt as _};
use cabotage_memory::MemoryStore;
use futures::TryStreamExt as _;
use futures::future::join_all;

use super::*;

fn key(name: &str) -> Key {
    Key::new(name).unwrap()
}

/// A body that counts how many of its kind are open at once.
fn watched(now: &Arc<AtomicUsize>, most: &Arc<AtomicUsize>) -> Payload {
    let (now, most) = (Arc::clone(now), Arc::clone(most));
    let open: PayloadSource = Arc::new(move || {
        let (now, most) = (Arc::clone(&now), Arc::clone(&most));
        Box::pin(async move {
            most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            for _ in 0..20 {
                tokio::task::yield_now().await;
            }
            now.fetch_sub(1, Ordering::SeqCst);
            Ok(futures::stream::iter([Ok(Bytes::from_static(b"x"))]).boxed())
        })
    });
    Payload::Replayable { len: 1, open }
}

#[tokio::test]
async fn no_more_requests_than_allowed() {
    for (max, meant) in [(1, 1), (3, 3), (50, 20)] {
        let store = Limit::new(Arc::new(MemoryStore::new("t")), max);
        let (now, most) = (Arc::default(), Arc::default());
        let keys: Vec<Key> = (0..20).map(|n| key(&format!("k{n}"))).collect();
        let writes = keys.iter().map(|k| store.write(k, watched(&now, &most), WriteOptions::default()));
        assert!(join_all(writes).await.iter().all(Result::is_ok));
        assert_eq!(most.load(Ordering::SeqCst), meant, "limit {max}");
    }
}

#[tokio::test]
async fn a_body_holds_its_turn_until_it_is_read_or_dropped() {
    let memory = MemoryStore::new("t");
    memory.put(&key("k"), "x".into()).await.unwrap();
    let store = Limit::new(Arc::new(memory), 1);
    let body = store.read(&key("k"), ReadOptions::default()).await.unwrap();
    let k = key("k");
    let mut waiting = store.head(&k, Detail::Basic);
    assert!(futures::poll!(&mut waiting).is_pending());
    drop(body);
    waiting.await.unwrap();
    assert_eq!(store.read_all(&k, 9).await.unwrap(), "x");
    let listed: Vec<_> = store.list(ListScope::default()).try_collect().await.unwrap();
    assert_eq!(listed.len(), 1);
}
