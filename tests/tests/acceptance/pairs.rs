//! The whole table of hostile names between all pairs of adapters, both ways: each arrives under its own name or is
//! refused by name, and nothing else is made or changed.

use std::collections::BTreeMap;
use std::sync::Arc;

use cabotage_azure::{AzureConfig, AzureCredentials, AzureStore};
use cabotage_conformance::hostile_keys;
use cabotage_core::{Key, ListItem, ListScope, Probe, Secret, Storage, StorageExt as _};
use cabotage_engine::{Job, Options, Progress, Side, Stop, run};
use cabotage_http::HttpConfig;
use cabotage_local::{LocalConfig, LocalStore};
use cabotage_memory::MemoryStore;
use cabotage_s3::{S3Config, S3Credentials, S3Store};
use futures::TryStreamExt as _;
use tempfile::TempDir;

crate::cases! {
    between_memory_and_disk needs [],
    between_all_adapters needs ["azurite", "rgw"],
}

/// A kind of store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Memory,
    Disk,
    Azurite,
    Rgw,
}

/// A store of that kind, empty at first.
struct Place {
    kind: Kind,
    store: Arc<dyn Storage>,
    probe: Arc<dyn Probe>,
    name: String,
}

impl Place {
    fn of<S: Storage + Probe + 'static>(kind: Kind, name: String, store: S) -> Self {
        let store = Arc::new(store);
        Self { kind, probe: store.clone(), store, name }
    }

    async fn new(kind: Kind, folder: &TempDir) -> Self {
        let name = acceptance::random_name("pairs");
        match kind {
            Kind::Memory => Self::of(kind, name.clone(), MemoryStore::new(&name)),
            Kind::Disk => {
                let config =
                    LocalConfig { root: folder.path().join(&name), create: true, ..Default::default() };
                Self::of(kind, name, LocalStore::open(config).await.unwrap())
            }
            Kind::Azurite => {
                let server = acceptance::azurite().unwrap();
                server.raw.create_container(&name);
                let config = AzureConfig {
                    renew: None,
                    container: name.clone(),
                    account: None,
                    endpoint: None,
                    credentials: AzureCredentials::ConnectionString(Secret::new(&server.connection_string)),
                    http: HttpConfig::default(),
                };
                Self::of(kind, name, AzureStore::open(config).await.unwrap())
            }
            Kind::Rgw => {
                let raw = acceptance::rgw().unwrap().raw;
                raw.create_bucket(&name);
                let config = S3Config {
                    endpoint: Some(raw.endpoint.clone()),
                    region: Some(raw.region.clone()),
                    provider: Some(cabotage_providers::find("ceph").unwrap()),
                    credentials: S3Credentials::Static {
                        access_key: raw.access_key.clone(),
                        secret: Secret::new(&raw.secret_key),
                        session_token: None,
                    },
                    ..S3Config::new(&name)
                };
                Self::of(kind, name, S3Store::open(config).await.unwrap())
            }
        }
    }

    fn side(&self) -> Side {
        let (store, probe) = (Arc::clone(&self.store), Some(Arc::clone(&self.probe)));
        Side {
            store,
            probe,
            prefix: String::new(),
            label: format!("{:?} {}", self.kind, self.name),
            place: None,
            throttle: Default::default(),
        }
    }

    async fn put(&self, name: &str, content: String) {
        self.store.put(&Key::new(name).unwrap(), content.into()).await.unwrap();
    }

    /// Writes those names that the store takes; gives them.
    async fn plant(&self, names: &[String]) -> Vec<String> {
        let takes =
            |name: &&String| self.store.capabilities().accepts(&Key::new(name.as_str()).unwrap()).is_ok();
        let held: Vec<String> = names.iter().filter(takes).cloned().collect();
        for name in &held {
            self.put(name, content(name)).await;
        }
        held
    }

    /// Every object's content by name.
    async fn contents(&self) -> BTreeMap<String, String> {
        let items: Vec<ListItem> = self.store.list(ListScope::default()).try_collect().await.unwrap();
        let mut all = BTreeMap::new();
        for item in items {
            let ListItem::Object(info) = item else { panic!("{:?} lists {item:?}", self.kind) };
            let found = self.store.read_all(&info.key, 10_000).await.unwrap();
            all.insert(info.key.as_str().to_owned(), String::from_utf8(found.to_vec()).unwrap());
        }
        all
    }

    fn remove(&self) {
        match self.kind {
            Kind::Azurite => acceptance::azurite().unwrap().raw.remove_container(&self.name),
            Kind::Rgw => acceptance::rgw().unwrap().raw.remove_bucket(&self.name),
            Kind::Memory | Kind::Disk => {}
        }
    }
}

fn content(name: &str) -> String {
    format!("content of {name}")
}

/// The table, and names that reach for another bucket's `k` where somebody resolves them.
fn names(other: &Place) -> Vec<String> {
    let mut names: Vec<String> = hostile_keys().iter().map(|hostile| hostile.under("")).collect();
    let other = &other.name;
    names.extend([format!("../{other}/k"), format!("a/../../{other}/k"), format!("%2e%2e/{other}/k")]);
    names
}

/// Moves the table from one to the other; gives how many arrived.
async fn pair(from: Kind, to: Kind) -> usize {
    let folder = TempDir::new().unwrap();
    let source = Place::new(from, &folder).await;
    let destination = Place::new(to, &folder).await;
    let other = Place::new(to, &folder).await;
    other.put("k", "of another bucket".into()).await;
    destination.put("c", "was here before".into()).await;
    let planted = source.plant(&names(&other)).await;

    let mut options = Options::new(folder.path().join("state"));
    let manifest = folder.path().join("manifest.ndjson");
    options.manifest = Some(manifest.clone());
    let job = Job { source: source.side(), destination: destination.side(), options };
    let report = run(job, Stop::default(), Arc::new(Progress::default()), Arc::new(())).await.unwrap();

    let mut found = destination.contents().await;
    assert_eq!(found.remove("c").as_deref(), Some("was here before"), "{from:?} to {to:?}");
    let lines = std::fs::read_to_string(manifest).unwrap();
    let mut arrived = 0;
    for name in &planted {
        let line = lines.lines().find(|line| key_of(line).as_ref() == Some(name));
        let line = line.unwrap_or_else(|| panic!("{from:?} to {to:?}: no line of {name:?} in the manifest"));
        match found.remove(name) {
            Some(there) => {
                assert_eq!(there, content(name), "{from:?} to {to:?}: {name:?} has other content");
                arrived += 1;
            }
            None => {
                assert!(line.contains("key-rejected"), "{from:?} to {to:?}: {name:?} isn't there: {line}");
            }
        }
    }
    assert!(found.is_empty(), "{from:?} to {to:?}: nobody named these: {:?}", found.keys());
    assert_eq!(report.objects.listed as usize, planted.len(), "{from:?} to {to:?}");
    assert_eq!(report.objects.verified as usize, arrived, "{from:?} to {to:?}: {:?}", report.objects);
    let kept = BTreeMap::from([("k".to_owned(), "of another bucket".to_owned())]);
    assert_eq!(other.contents().await, kept, "{from:?} to {to:?}: another bucket was written to");
    for place in [&source, &destination, &other] {
        place.remove();
    }
    arrived
}

fn key_of(line: &str) -> Option<String> {
    let line: serde_json::Value = serde_json::from_str(line).ok()?;
    line["key"].as_str().map(str::to_owned)
}

fn pairs(kinds: &[Kind]) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    for from in kinds {
        for to in kinds {
            let arrived = runtime.block_on(pair(*from, *to));
            assert!(arrived > 60, "{from:?} to {to:?}: only {arrived} names arrived");
        }
    }
}

fn between_memory_and_disk() {
    pairs(&[Kind::Memory, Kind::Disk]);
}

fn between_all_adapters() {
    pairs(&[Kind::Memory, Kind::Disk, Kind::Azurite, Kind::Rgw]);
}
