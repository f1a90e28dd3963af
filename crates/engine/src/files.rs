//! The files that are written as a run goes on.

use cabotage_core::Result;

use crate::archived_list::ArchivedList;
use crate::manifest::Manifest;
use crate::{Options, Outcome};

/// Manifest and list of archived objects, where they are asked for. A file that couldn't be written once is left alone
/// from then on.
#[derive(Debug, Default)]
pub(crate) struct Files {
    manifest: Option<Manifest>,
    archived: Option<ArchivedList>,
}

impl Files {
    /// Creates those that are asked for.
    ///
    /// # Errors
    /// `InvalidConfig` when one can't be created.
    pub(crate) fn create(options: &Options) -> Result<Self> {
        Ok(Self {
            manifest: options.manifest.as_deref().map(Manifest::create).transpose()?,
            archived: options.archived_list.as_ref().map(ArchivedList::create).transpose()?,
        })
    }

    /// Adds an outcome.
    ///
    /// # Errors
    /// `NoSpace` when one can't be written; `InvalidConfig` for a name that the list of archived objects can't hold.
    pub(crate) fn add(&mut self, outcome: &Outcome) -> Result<()> {
        self.write_manifest(|manifest| manifest.add(outcome))?;
        let written = self.archived.as_mut().map_or(Ok(()), |archived| archived.add(outcome));
        if written.is_err() {
            self.archived = None;
        }
        written
    }

    /// Lets others read what was added so far.
    ///
    /// # Errors
    /// `NoSpace` when it can't be written.
    pub(crate) fn flush(&mut self) -> Result<()> {
        self.write_manifest(Manifest::flush)
    }

    /// Brings them to the disk.
    ///
    /// # Errors
    /// `NoSpace` when one can't be written.
    pub(crate) fn finish(self) -> Result<()> {
        let manifest = self.manifest.map_or(Ok(()), Manifest::finish);
        manifest.and(self.archived.map_or(Ok(()), ArchivedList::finish))
    }

    fn write_manifest(&mut self, write: impl FnOnce(&mut Manifest) -> Result<()>) -> Result<()> {
        let written = self.manifest.as_mut().map_or(Ok(()), write);
        if written.is_err() {
            self.manifest = None;
        }
        written
    }
}
