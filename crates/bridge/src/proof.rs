//! Which conditions of writes a store enforces, by writes that must fail.

use cabotage_core::{
    DeleteOptions, Detail, ETag, ErrorKind, Key, Payload, Preconditions, Result as CoreResult, Storage,
    StorageExt as _, Support, WriteMode, WriteOptions, Written,
};
use object_store::path::Path;
use object_store::{Error, Result};

use crate::error::core_error;
use crate::paths::key_of;

/// Under a name that nobody has; nothing is left there, older versions included.
pub(crate) async fn conditions(store: &dyn Storage, path: &Path) -> Result<Preconditions> {
    let key = key_of(path)?;
    let fail = |error| core_error(error, path);
    if store.find(&key, Detail::Basic).await.map_err(fail)?.is_some() {
        let source = "the name under which conditions are tried has to be free".into();
        return Err(Error::AlreadyExists { path: path.to_string(), source });
    }
    let mut trial = Trial { store, key, versions: Vec::new() };
    let found = trial.run().await;
    let cleaned = trial.clean().await;
    let found = found.map_err(fail)?;
    cleaned.map_err(fail)?;
    Ok(found)
}

struct Trial<'a> {
    store: &'a dyn Storage,
    key: Key,
    versions: Vec<String>,
}

impl Trial<'_> {
    async fn write(&mut self, text: &'static str, mode: WriteMode) -> CoreResult<Written> {
        let options = WriteOptions { mode, ..WriteOptions::default() };
        let written = self.store.write(&self.key, Payload::from_bytes(text), options).await?;
        self.versions.extend(written.version.clone());
        Ok(written)
    }

    async fn run(&mut self) -> CoreResult<Preconditions> {
        let old = self.write("one", WriteMode::Replace).await?;
        let create = settled(self.write("two", WriteMode::Create).await)?;
        let now = self.write("three", WriteMode::Replace).await?;
        let if_match = match (old.etag, now.etag) {
            (Some(old), Some(now)) => self.if_match(old, now).await?,
            _ => Support::Unknown,
        };
        Ok(Preconditions { create, if_match, ..self.store.capabilities().preconditions })
    }

    /// Enforced is what refuses the old state and takes the one that is there.
    async fn if_match(&mut self, old: ETag, now: ETag) -> CoreResult<Support> {
        let wrong = settled(self.write("four", WriteMode::IfMatch(old)).await)?;
        if wrong != Support::Enforced {
            return Ok(wrong);
        }
        match settled(self.write("five", WriteMode::IfMatch(now)).await)? {
            Support::Ignored => Ok(Support::Enforced),
            _ => Ok(Support::Rejected),
        }
    }

    async fn clean(&self) -> CoreResult<()> {
        for version in &self.versions {
            let options = DeleteOptions { version: Some(version.clone()), ..DeleteOptions::default() };
            self.store.delete(&self.key, options).await?;
        }
        if self.versions.is_empty() {
            self.store.delete(&self.key, DeleteOptions::default()).await?;
        }
        Ok(())
    }
}

/// What came of a write that a condition forbids.
fn settled(written: CoreResult<Written>) -> CoreResult<Support> {
    match written {
        Ok(_) => Ok(Support::Ignored),
        Err(error) => match error.kind() {
            ErrorKind::PreconditionFailed | ErrorKind::NotFound => Ok(Support::Enforced),
            ErrorKind::Unsupported => Ok(Support::Rejected),
            _ => Err(error),
        },
    }
}
