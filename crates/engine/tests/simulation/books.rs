//! What is true, whatever the stores say: the source's states, and whose object is where at the destination.

use std::collections::{BTreeMap, HashMap, HashSet};

use bytes::Bytes;
use cabotage_core::{Attributes, ETag, ObjectInfo, Sha256};

/// A state that a source's object had.
#[derive(Clone, Debug)]
pub struct Version {
    pub name: String,
    pub sha256: Sha256,
    pub size: u64,
    pub attributes: Attributes,
}

/// An object that somebody else put at the destination.
#[derive(Clone, Debug)]
pub struct Foreign {
    pub etag: Option<ETag>,
    pub bytes: Bytes,
}

/// The books of one seed.
#[derive(Debug, Default)]
pub struct Books {
    /// By ETag.
    pub versions: HashMap<String, Version>,
    /// Every content that a source's object of that name ever had: nobody can tell such an object at the destination from
    /// the run's own.
    contents: BTreeMap<String, HashSet<Sha256>>,
    /// By key.
    pub foreign: HashMap<String, Foreign>,
    /// What was at a destination's key before its last change.
    pub previous: HashMap<String, Option<ObjectInfo>>,
    /// Objects that the destination tells of and doesn't have, by key.
    pub phantoms: HashMap<String, ObjectInfo>,
    /// ETags under which the destination holds other bytes than were sent, or none.
    pub spoilt: HashSet<String>,
    /// Those of them that have fewer bytes.
    pub shortened: HashSet<String>,
    /// Uploads of which a part is not what was sent.
    pub noisy: HashSet<String>,
    /// Keys of the destination whose bodies were given out wrong.
    pub misread: HashSet<String>,
    /// Keys of the destination that a run has changed last.
    changed_by_run: HashSet<String>,
    /// Those of them that it was then told as they were before: it can't know its own object again for sure.
    pub unsighted: HashSet<String>,
    /// Keys whose uploads it was not let list or abort.
    pub denied: HashSet<String>,
    /// Names of which the source has said in this run that it has no such object.
    pub gone: HashSet<String>,
    /// ETags of what this run has put at the destination.
    pub written: HashSet<String>,
    /// How many objects this run has deleted that it hadn't written.
    pub mirrored: u64,
    /// Whether a run has told that uploads may be open, or had no chance to.
    pub open_uploads_told: bool,
}

impl Books {
    /// A run begins.
    pub fn begin_run(&mut self) {
        self.gone.clear();
        self.written.clear();
        self.mirrored = 0;
    }

    /// A new state of a source's object.
    pub fn source_written(&mut self, name: &str, etag: &ETag, bytes: &Bytes, attributes: Attributes) {
        let sha256 = Sha256::of(bytes);
        self.contents.entry(name.to_owned()).or_default().insert(sha256);
        let version = Version { name: name.to_owned(), sha256, size: bytes.len() as u64, attributes };
        self.versions.insert(etag.bare().to_owned(), version);
    }

    /// Whether the source ever had an object of that name.
    pub fn knows(&self, name: &str) -> bool {
        self.contents.contains_key(name)
    }

    /// All names that the source ever had.
    pub fn names(&self) -> Vec<String> {
        self.contents.keys().cloned().collect()
    }

    /// Whether a source's object of that name ever had that content.
    pub fn had(&self, name: &str, sha256: Sha256) -> bool {
        self.contents.get(name).is_some_and(|contents| contents.contains(&sha256))
    }

    /// A run is told how that key of the destination was before its last change.
    pub fn told_as_before(&mut self, key: &str) {
        if self.changed_by_run.contains(key) {
            self.unsighted.insert(key.to_owned());
        }
    }

    /// The same bytes have another ETag now.
    pub fn retagged(&mut self, before: Option<&ETag>, now: Option<&ETag>) {
        let (Some(before), Some(now)) = (before, now) else { return };
        for kind in [&mut self.spoilt, &mut self.shortened] {
            if kind.contains(before.bare()) {
                kind.insert(now.bare().to_owned());
            }
        }
    }

    /// The run has put something in the place of what was there, or taken it away. Gives the foreign object that is lost
    /// by it, if there is one.
    pub fn run_changed(&mut self, key: &str, name: &str, before: Option<&ObjectInfo>) -> Option<Foreign> {
        self.phantoms.remove(key);
        self.previous.insert(key.to_owned(), before.cloned());
        self.changed_by_run.insert(key.to_owned());
        self.unsighted.remove(key);
        let foreign = self.foreign.remove(key)?;
        let was_there = before.is_some_and(|before| before.etag == foreign.etag);
        (was_there && !self.had(name, Sha256::of(&foreign.bytes))).then_some(foreign)
    }

    /// Somebody else has put that object there, or taken away what was there.
    pub fn foreign_changed(&mut self, key: &str, before: Option<ObjectInfo>, now: Option<Foreign>) {
        self.phantoms.remove(key);
        self.previous.insert(key.to_owned(), before);
        self.changed_by_run.remove(key);
        self.unsighted.remove(key);
        match now {
            Some(foreign) => self.foreign.insert(key.to_owned(), foreign),
            None => self.foreign.remove(key),
        };
    }
}
