//! What the engine's tests share: two stores in memory, a state folder, one run.

#![allow(dead_code, reason = "each test file uses its part")]

pub mod auditing;
pub mod panics;

use std::sync::{Arc, Mutex};

use cabotage_core::{
    Attributes, Capabilities, Key, Payload, Probe, Storage, StorageExt as _, Support, WriteOptions,
};
use cabotage_engine::{Event, Job, Observer, Options, Report, Side, Stop};
use cabotage_layers::{Fault, Faults};
use cabotage_memory::MemoryStore;

/// Keeps the events.
#[derive(Default)]
pub struct Events(pub Mutex<Vec<Event>>);

impl Observer for Events {
    fn event(&self, event: &Event) {
        self.0.lock().unwrap().push(event.clone());
    }
}

/// Two stores and a ledger's folder.
pub struct Bench {
    pub source: MemoryStore,
    pub destination: MemoryStore,
    pub source_prefix: String,
    pub destination_prefix: String,
    pub source_faults: Option<Faults>,
    pub destination_faults: Option<Faults>,
    pub state: tempfile::TempDir,
}

impl Bench {
    pub fn new() -> Self {
        Self::with(|_| {})
    }

    /// A destination with other rules.
    pub fn with(change: impl FnOnce(&mut Capabilities)) -> Self {
        let destination = MemoryStore::new("destination");
        let mut capabilities = destination.capabilities().clone();
        change(&mut capabilities);
        Self {
            source: MemoryStore::new("source"),
            destination: destination.with_capabilities(capabilities),
            source_prefix: String::new(),
            destination_prefix: String::new(),
            source_faults: None,
            destination_faults: None,
            state: tempfile::tempdir().unwrap(),
        }
    }

    /// Tests may change the job's rules from run to run; those of the rules themselves don't allow it.
    pub fn options(&self) -> Options {
        let mut options = Options::new(self.state.path().to_owned());
        options.ledger.allowed.change_job = true;
        options.concurrency = 8;
        options
    }

    fn side(store: &MemoryStore, prefix: &str, faults: Option<&Faults>, label: &str) -> Side {
        let plain: Arc<dyn Storage> = Arc::new(store.clone());
        let probe: Arc<dyn Probe> = Arc::new(store.clone());
        let store = match faults {
            Some(faults) => Arc::new(Fault::new(plain, faults.clone())),
            None => plain,
        };
        Side {
            store,
            probe: Some(probe),
            prefix: prefix.into(),
            label: label.into(),
            place: None,
            throttle: Default::default(),
        }
    }

    pub fn job(&self, options: Options) -> Job {
        Job {
            source: Self::side(
                &self.source,
                &self.source_prefix,
                self.source_faults.as_ref(),
                "memory://source",
            ),
            destination: Self::side(
                &self.destination,
                &self.destination_prefix,
                self.destination_faults.as_ref(),
                "memory://destination",
            ),
            options,
        }
    }

    pub async fn run(&self) -> Report {
        self.run_with(self.options()).await
    }

    pub async fn run_with(&self, options: Options) -> Report {
        self.try_run(options).await.unwrap()
    }

    pub async fn try_run(&self, options: Options) -> cabotage_core::Result<Report> {
        cabotage_engine::run(self.job(options), Stop::default(), Arc::default(), Arc::new(Events::default()))
            .await
    }
}

pub async fn put(store: &MemoryStore, key: &str, bytes: impl Into<bytes::Bytes>) {
    store.put(&Key::new(key).unwrap(), bytes.into()).await.unwrap();
}

pub async fn put_with(store: &MemoryStore, key: &str, bytes: &str, attributes: Attributes) {
    let options = WriteOptions { attributes, ..WriteOptions::default() };
    store.write(&Key::new(key).unwrap(), Payload::from_bytes(bytes.to_owned()), options).await.unwrap();
}

pub async fn get(store: &MemoryStore, key: &str) -> Option<Vec<u8>> {
    match store.read_all(&Key::new(key).unwrap(), u64::MAX).await {
        Ok(bytes) => Some(bytes.to_vec()),
        Err(_) => None,
    }
}

/// All keys, in byte order.
pub async fn keys(store: &MemoryStore) -> Vec<String> {
    use futures::TryStreamExt as _;
    let items: Vec<_> = store.list(cabotage_core::ListScope::default()).try_collect().await.unwrap();
    let mut keys: Vec<_> = items
        .into_iter()
        .map(|item| match item {
            cabotage_core::ListItem::Object(info) => info.key.as_str().to_owned(),
            other => panic!("{other:?}"),
        })
        .collect();
    keys.sort();
    keys
}

/// Everything that the source holds is at the destination, byte for byte.
pub async fn assert_equal(bench: &Bench) {
    assert_eq!(keys(&bench.source).await, keys(&bench.destination).await);
    for key in keys(&bench.source).await {
        assert!(get(&bench.source, &key).await == get(&bench.destination, &key).await, "{key:?} differs");
    }
}

/// A store that takes every digest.
pub fn ignores_digests(capabilities: &mut Capabilities) {
    capabilities.digest = Support::Ignored;
}
