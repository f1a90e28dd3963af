//! Names of the objects that were put off because they are archived.

use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write as _};
use std::path::PathBuf;

use cabotage_core::{Error, ErrorKind, Result, display_key};

use crate::{Class, KeysFile, Outcome};

/// Writes the names in the form that [`Selection::keys_from`](crate::Selection) reads.
///
/// The file gets its name when it is whole, so that a run may read the same file's earlier state. What is there and is
/// no plain file (a pipe, a device, a link) is written to and never replaced.
#[derive(Debug)]
pub(crate) struct ArchivedList {
    target: KeysFile,
    /// Where it is written before it gets its name; none where it is written in place.
    beside: Option<PathBuf>,
    file: BufWriter<File>,
}

impl ArchivedList {
    /// Creates the file, or the one that will replace it.
    ///
    /// # Errors
    /// `InvalidConfig` when it can't be created.
    pub(crate) fn create(target: &KeysFile) -> Result<Self> {
        let path = &target.path;
        let failed = |error: std::io::Error| {
            Error::new(
                ErrorKind::InvalidConfig,
                format!("the list of archived objects can't be created: {error}"),
            )
            .about(path.to_string_lossy())
        };
        let (beside, file) = if std::fs::symlink_metadata(path).is_ok_and(|found| !found.is_file()) {
            (None, OpenOptions::new().write(true).open(path).map_err(failed)?)
        } else {
            let mut beside = path.as_os_str().to_owned();
            beside.push(format!(".{}.tmp", std::process::id()));
            let file = File::create(&beside).map_err(failed)?;
            (Some(PathBuf::from(beside)), file)
        };
        Ok(Self { target: target.clone(), beside, file: BufWriter::new(file) })
    }

    /// Adds the object's name if it was put off.
    ///
    /// # Errors
    /// `InvalidConfig` for a name that a list of lines can't hold; `NoSpace` when it can't be written.
    pub(crate) fn add(&mut self, outcome: &Outcome) -> Result<()> {
        if outcome.class != Class::Deferred {
            return Ok(());
        }
        let name = outcome.name.as_bytes();
        let end = if self.target.null_separated { 0 } else { b'\n' };
        if name.contains(&end) {
            let text = format!("{} can't stand in the list of archived objects", display_key(&outcome.name));
            let other =
                if self.target.null_separated { "without -0" } else { "with -0, and read the list with -0" };
            return Err(Error::new(ErrorKind::InvalidConfig, text).help(format!("run again {other}")));
        }
        let written = self.file.write_all(name).and_then(|()| self.file.write_all(&[end]));
        written.map_err(|error| self.failed(&error))
    }

    /// Brings it to the disk and gives it its name.
    ///
    /// # Errors
    /// `NoSpace` when it can't be written.
    pub(crate) fn finish(mut self) -> Result<()> {
        self.file.flush().map_err(|error| self.failed(&error))?;
        let Some(beside) = self.beside.take() else { return Ok(()) };
        let named = self.file.get_ref().sync_all().and_then(|()| std::fs::rename(&beside, &self.target.path));
        named.map_err(|error| {
            let _ = std::fs::remove_file(&beside);
            self.failed(&error)
        })
    }

    fn failed(&self, error: &std::io::Error) -> Error {
        Error::new(ErrorKind::NoSpace, format!("the list of archived objects can't be written: {error}"))
            .about(self.target.path.to_string_lossy())
    }
}

impl Drop for ArchivedList {
    /// Leaves nothing behind of a list that didn't come about.
    fn drop(&mut self) {
        if let Some(beside) = &self.beside {
            let _ = std::fs::remove_file(beside);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(name: &str, class: Class) -> Outcome {
        Outcome::new(name.into(), 1, class)
    }

    #[test]
    fn only_what_was_put_off_and_only_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("archived");
        for (null_separated, expected) in [(false, "a\nb/c d\n"), (true, "a\0b/c d\0")] {
            std::fs::write(&path, "old").unwrap();
            let mut list = ArchivedList::create(&KeysFile { path: path.clone(), null_separated }).unwrap();
            list.add(&outcome("a", Class::Deferred)).unwrap();
            list.add(&outcome("x", Class::Verified)).unwrap();
            list.add(&outcome("b/c d", Class::Deferred)).unwrap();
            assert_eq!(std::fs::read_to_string(&path).unwrap(), "old", "replaced only when whole");
            list.finish().unwrap();
            assert_eq!(std::fs::read_to_string(&path).unwrap(), expected);
        }
        drop(ArchivedList::create(&KeysFile { path, null_separated: true }).unwrap());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
    }

    #[test]
    fn names_that_a_line_can_not_hold() {
        let folder = tempfile::tempdir().unwrap();
        let file = |null_separated| KeysFile { path: folder.path().join("archived"), null_separated };
        let two_lines = outcome("two\nlines", Class::Deferred);
        let error = ArchivedList::create(&file(false)).unwrap().add(&two_lines).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfig);
        assert!(error.to_string().contains("-0"), "{error}");
        ArchivedList::create(&file(true)).unwrap().add(&two_lines).unwrap();
    }
}
