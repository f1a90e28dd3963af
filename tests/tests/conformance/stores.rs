//! The stores that the suite runs on.

mod clouds;

use std::sync::Arc;

use cabotage_core::{
    ListOrder, MetadataNames, MetadataRules, Preconditions, Storage, Support, TagRules, TierClass,
};
use cabotage_local::{LocalConfig, LocalStore};
use cabotage_memory::{MemoryStore, full_capabilities};
use tempfile::TempDir;

/// A store under trial.
pub(crate) struct Subject {
    /// `memory`, `azurite` …
    pub(crate) name: String,
    /// The server's version, as far as it is known.
    pub(crate) version: String,
    pub(crate) store: Arc<dyn Storage>,
    /// The groups to try; `None`: all.
    pub(crate) groups: Option<&'static [&'static str]>,
    /// Removes what was made for the store when the run ends.
    _keep: Option<Keep>,
}

/// Ends with the run.
pub(crate) type Keep = Box<dyn std::any::Any + Send + Sync>;

impl Subject {
    fn found(name: &str, version: &str, store: impl Storage, keep: Option<Keep>) -> Found {
        let (name, version) = (name.to_owned(), version.to_owned());
        Found::Present(Self { name, version, store: Arc::new(store), groups: None, _keep: keep })
    }

    pub(crate) fn title(&self) -> String {
        format!("{} {}", self.name, self.version)
    }
}

/// A store, or why it isn't there.
pub(crate) enum Found {
    Present(Subject),
    Missing { name: &'static str, reason: String },
}

impl Found {
    /// Narrowed to those groups.
    fn only(mut self, groups: &'static [&'static str]) -> Self {
        if let Self::Present(subject) = &mut self {
            subject.groups = Some(groups);
        }
        self
    }
}

/// All stores of this run.
pub(crate) async fn find() -> Vec<Found> {
    vec![
        memory(),
        lean_memory(),
        local().await,
        clouds::azurite().await,
        clouds::rgw().await,
        clouds::rgw_versioned().await,
        clouds::minio().await,
        clouds::any_s3().await,
    ]
}

const OWN: &str = env!("CARGO_PKG_VERSION");

fn memory() -> Found {
    Subject::found("memory", OWN, MemoryStore::new("conformance"), None)
}

/// Memory under the rules of a poor server: nothing enforced, UTF-16 order, names of metadata folded, parts of 5 MiB.
fn lean_memory() -> Found {
    let mut rules = full_capabilities();
    rules.list_order = ListOrder::Utf16;
    rules.list_attributes = false;
    rules.list_tags = false;
    rules.preconditions =
        Preconditions { create: Support::Ignored, if_match: Support::Ignored, complete: Support::Ignored };
    rules.digest = Support::Ignored;
    rules.keys.max_bytes = Some(1024);
    rules.keys.refuses_control = true;
    rules.keys.refuses_dot_segments = true;
    rules.metadata = MetadataRules {
        names: MetadataNames::LowerCaseHyphen,
        max_bytes: Some(2048),
        header_values: true,
        ascii_values: false,
    };
    let punctuation = Some("+-.=_:/@".to_owned());
    rules.tags = TagRules { max: 10, key_max: 128, value_max: 256, punctuation, ascii_only: false };
    rules.limits.single_max = 64 << 20;
    rules.limits.part_min = 5 << 20;
    rules.tiers.known = [
        ("HOT".to_owned(), TierClass::Default),
        ("COOL".to_owned(), TierClass::Infrequent),
        ("VAULT".to_owned(), TierClass::Archive),
    ]
    .into();
    rules.copy_within = false;
    rules.set_attributes = false;
    Subject::found("memory-lean", OWN, MemoryStore::new("lean").with_capabilities(rules), None)
}

/// A folder below the system's folder for temporary files.
async fn local() -> Found {
    let folder = TempDir::new().expect("a folder for temporary files");
    let config = LocalConfig { root: folder.path().join("root"), create: true, ..Default::default() };
    let store = LocalStore::open(config).await.expect("the folder opens");
    Subject::found("local", OWN, store, Some(Box::new(folder)))
}
