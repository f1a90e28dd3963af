//! A foreign store, of `object_store`, as an end of a migration.

use std::sync::Arc;

use cabotage::object_store::memory::InMemory;
use cabotage::object_store::path::Path;
use cabotage::object_store::{ObjectStore, ObjectStoreExt as _};
use cabotage::{AccessMode, FromObjectStore, Known, Storage, StoreId};
use cabotage_engine::{Counts, Ending, Job, Options, Side, Stop, Verify};

use crate::places;

/// Names of one kind each, and a body that goes in parts.
fn filled() -> Vec<(Path, Vec<u8>)> {
    let names = ["a", "deep/er/b c", "é", "deep/%41", "z"];
    let small = names.iter().zip(0_u8..).map(|(name, n)| (Path::parse(name).unwrap(), vec![n; 1000]));
    small.chain([(Path::from("large"), (0..=250).cycle().take(20 << 20).collect())]).collect()
}

fn side(store: Arc<dyn Storage>, label: &str) -> Side {
    Side {
        store,
        probe: None,
        prefix: String::new(),
        label: label.into(),
        place: None,
        throttle: cabotage::Throttle::default(),
    }
}

fn foreign(store: &Arc<InMemory>, name: &str) -> Arc<dyn Storage> {
    let inner: Arc<dyn ObjectStore> = Arc::<InMemory>::clone(store);
    Arc::new(FromObjectStore::new(inner, StoreId(name.into()), &Known::in_memory()))
}

async fn migrate(source: Side, destination: Side, state: &std::path::Path) -> Counts {
    let options =
        Options { verify: Verify::ReadBack, part_threshold: 8 << 20, ..Options::new(state.to_owned()) };
    let job = Job { source, destination, options };
    let report =
        Box::pin(cabotage_engine::run(job, Stop::default(), Arc::default(), Arc::new(()))).await.unwrap();
    assert_eq!(report.ending, Ending::Complete, "{report}");
    report.objects
}

#[tokio::test]
async fn it_is_moved_out_of_and_into() {
    for place in places::everywhere("foreign") {
        let (from, to) = (Arc::new(InMemory::new()), Arc::new(InMemory::new()));
        let objects = filled();
        for (path, body) in &objects {
            from.put(path, body.clone().into()).await.unwrap();
        }
        let state = tempfile::tempdir().unwrap();
        let count = objects.len() as u64;
        for pass in 0..2 {
            let store = place.open(AccessMode::ReadWrite).await;
            let out = migrate(
                side(foreign(&from, "from"), "from"),
                side(Arc::clone(&store), place.name),
                state.path(),
            );
            let into = migrate(side(store, place.name), side(foreign(&to, "to"), "to"), state.path());
            for counts in [out.await, into.await] {
                let moved = if pass == 0 { counts.verified } else { counts.skipped };
                assert_eq!((counts.listed, moved), (count, count), "{} {pass}: {counts:?}", place.name);
            }
        }
        for (path, body) in objects {
            assert!(to.get(&path).await.unwrap().bytes().await.unwrap() == body, "{} {path}", place.name);
        }
    }
}
