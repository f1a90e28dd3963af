//! What ran, what was skipped and why.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

/// How one case ended.
#[derive(Clone, Debug)]
pub(crate) enum Entry {
    Passed,
    Skipped {
        trial: String,
        reason: String,
    },
    Deviates {
        trial: String,
        reason: &'static str,
        found: String,
    },
    /// A listed deviation that is none any more.
    Unexpected(String),
    Failed(String),
    /// The whole store is missing.
    Missing(String),
}

/// Entries by store.
#[derive(Debug, Default)]
pub(crate) struct Summary(Mutex<BTreeMap<String, Vec<Entry>>>);

impl Summary {
    pub(crate) fn add(&self, store: &str, entry: Entry) {
        self.0.lock().expect("no case panics here").entry(store.to_owned()).or_default().push(entry);
    }

    /// How many cases asked something of a store.
    pub(crate) fn ran(&self) -> usize {
        let entries = self.0.lock().expect("no case panics here");
        entries.values().flatten().filter(|e| !matches!(e, Entry::Missing(_) | Entry::Skipped { .. })).count()
    }

    pub(crate) fn print(&self) {
        for (store, entries) in self.0.lock().expect("no case panics here").iter() {
            print_store(store, entries);
        }
    }
}

fn print_store(store: &str, entries: &[Entry]) {
    let count = |wanted: fn(&Entry) -> bool| entries.iter().filter(|entry| wanted(entry)).count();
    let passed = count(|entry| matches!(entry, Entry::Passed | Entry::Unexpected(_)));
    let skipped = count(|entry| matches!(entry, Entry::Skipped { .. }));
    let deviates = count(|entry| matches!(entry, Entry::Deviates { .. }));
    let failed = count(|entry| matches!(entry, Entry::Failed(_)));
    if let Some(Entry::Missing(reason)) = entries.first() {
        println!("{store}: not tried: {reason}");
        return;
    }
    println!("{store}: {passed} passed, {skipped} skipped, {deviates} listed deviations, {failed} failed");
    let mut reasons: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for entry in entries {
        match entry {
            Entry::Skipped { trial, reason } => drop(reasons.entry(reason).or_default().insert(trial)),
            Entry::Deviates { trial, reason, found } => {
                println!("  deviates: {trial}: {reason}; seen: {found}");
            }
            Entry::Unexpected(trial) => println!("  listed as a deviation, but passes: {trial}"),
            Entry::Passed | Entry::Failed(_) | Entry::Missing(_) => {}
        }
    }
    for (reason, trials) in reasons {
        let trials: Vec<&str> = trials.into_iter().collect();
        println!("  skipped: {}: {reason}", trials.join(", "));
    }
}
