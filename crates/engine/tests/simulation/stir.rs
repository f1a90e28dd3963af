//! What others do: the source's owners change it, strangers write to the destination.

use bytes::Bytes;
use cabotage_core::{
    DeleteOptions, Detail, Key, ObjectInfo, Operation, Payload, Storage as _, WriteMode, WriteOptions,
    Written,
};
use cabotage_memory::MemoryStore;
use futures::FutureExt as _;

use crate::books::Foreign;
use crate::content::{attributes, content, size};
use crate::dice::Dice;
use crate::plan::Storm;
use crate::sky::{End, Sky};

/// A store in memory never waits.
pub fn now<F: Future>(call: F) -> F::Output {
    call.now_or_never().expect("a store in memory waits for nothing")
}

/// The object as it truly is.
pub fn look(store: &MemoryStore, key: &Key) -> Option<ObjectInfo> {
    now(store.head(key, Detail::WithTags)).ok()
}

/// The object's bytes as they truly are.
pub fn bytes(store: &MemoryStore, key: &Key) -> Option<Bytes> {
    now(cabotage_core::StorageExt::read_all(store, key, u64::MAX)).ok()
}

impl Sky {
    pub fn source_key(&self, name: &str) -> Option<Key> {
        Key::new(format!("{}{name}", self.plan.source_prefix)).ok()
    }

    pub fn destination_key(&self, name: &str) -> Option<Key> {
        let key = Key::new(format!("{}{name}", self.plan.destination_prefix)).ok()?;
        self.plan.destination.accepts(&key).ok().map(|()| key)
    }

    /// The name relative to that end's prefix.
    pub fn name_of<'a>(&self, end: End, key: &'a str) -> Option<&'a str> {
        key.strip_prefix(match end {
            End::Source => self.plan.source_prefix,
            End::Destination => self.plan.destination_prefix,
        })
    }

    /// Writes an object at the source.
    pub fn source_put(&self, dice: &mut Dice, name: &str, bytes: &Bytes) {
        let Some(key) = self.source_key(name) else { return };
        let attributes = attributes(dice);
        let options = WriteOptions { attributes: attributes.clone(), ..WriteOptions::default() };
        let written = now(self.source.write(&key, Payload::from_bytes(bytes.clone()), options)).unwrap();
        self.books().source_written(name, &written.etag.unwrap(), bytes, attributes);
        self.note(|| format!("* source: {name:?} has new content, {} bytes", bytes.len()));
    }

    /// Changes the source's object of that name in some way.
    pub fn change_source(&self, dice: &mut Dice, name: &str) {
        let Some(key) = self.source_key(name) else { return };
        let Some(there) = look(&self.source, &key) else {
            let fresh = content(dice, 100);
            return self.source_put(dice, name, &fresh);
        };
        match dice.below(5) {
            0 => {
                now(self.source.delete(&key, DeleteOptions::default())).unwrap();
                self.note(|| format!("* source: {name:?} is deleted"));
            }
            1 => {
                let bytes = bytes(&self.source, &key).unwrap();
                self.source_put(dice, name, &bytes);
            }
            2 => {
                let size = size(dice, false);
                let fresh = content(dice, size);
                self.source_put(dice, name, &fresh);
            }
            _ => {
                let fresh = content(dice, there.size);
                self.source_put(dice, name, &fresh);
            }
        }
    }

    /// A stranger writes or deletes under that name at the destination.
    pub fn change_destination(&self, dice: &mut Dice, name: &str) {
        let Some(key) = self.destination_key(name) else { return };
        let before = look(&self.destination, &key);
        if before.is_some() && dice.chance(0.3) {
            now(self.destination.delete(&key, DeleteOptions::default())).unwrap();
            self.note(|| format!("* destination: a stranger deletes {name:?}"));
            return self.books().foreign_changed(key.as_str(), before, None);
        }
        let like = self.source_key(name).and_then(|key| bytes(&self.source, &key));
        let fresh = match like {
            Some(bytes) if dice.chance(0.2) => bytes,
            Some(bytes) if dice.chance(0.6) => content(dice, bytes.len() as u64),
            _ => content(dice, 50),
        };
        let options = WriteOptions {
            mode: WriteMode::Replace,
            attributes: attributes(dice),
            ..WriteOptions::default()
        };
        let Ok(Written { etag, .. }) =
            now(self.destination.write(&key, Payload::from_bytes(fresh.clone()), options))
        else {
            return;
        };
        self.note(|| format!("* destination: a stranger writes {name:?}"));
        self.books().foreign_changed(key.as_str(), before, Some(Foreign { etag, bytes: fresh }));
    }

    /// What happens elsewhere right before a call takes effect.
    ///
    /// A destination that doesn't enforce preconditions is safe from strangers only as far as a look before the write goes
    /// (a window one request wide), so there they come while the run reads the source's object of that very name, which is
    /// always before that look.
    pub fn stir(&self, end: End, operation: Operation, key: &str, dice: &mut Dice, storm: &Storm) {
        let Some(name) = self.name_of(end, key) else { return };
        if dice.chance(storm.change) {
            let name = if dice.chance(0.8) { name.to_owned() } else { self.any_name(dice) };
            if self.books().knows(&name) {
                self.change_source(dice, &name);
            }
        }
        let before_the_look = end == End::Source && operation == Operation::Read;
        if (self.plan.guarded || before_the_look) && dice.chance(storm.foreign) {
            let name =
                if self.plan.guarded && dice.chance(0.2) { self.any_name(dice) } else { name.to_owned() };
            if self.books().knows(&name) {
                self.change_destination(dice, &name);
            }
        }
    }

    /// One of the names that the source had or may get.
    pub fn any_name(&self, dice: &mut Dice) -> String {
        let names = self.books().names();
        dice.pick(&names).clone()
    }
}
