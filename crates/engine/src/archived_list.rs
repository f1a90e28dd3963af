//! Names of the objects that were put off because they are archived.

use cabotage_core::{Error, ErrorKind, Result, display_key};

use crate::whole_file::WholeFile;
use crate::{Class, KeysFile, Outcome};

/// Writes the names in the form that [`Selection::keys_from`](crate::Selection) reads. A run may read the same file's
/// earlier state.
#[derive(Debug)]
pub(crate) struct ArchivedList {
    null_separated: bool,
    file: WholeFile,
}

impl ArchivedList {
    /// Creates the file, or the one that will replace it.
    ///
    /// # Errors
    /// `InvalidConfig` when it can't be created.
    pub(crate) fn create(target: &KeysFile) -> Result<Self> {
        let file = WholeFile::create("the list of archived objects", &target.path)?;
        Ok(Self { null_separated: target.null_separated, file })
    }

    /// Adds the object's name if it was put off.
    ///
    /// # Errors
    /// `InvalidConfig` for a name that a list of lines can't hold; `NoSpace` when it can't be written.
    pub(crate) fn add(&mut self, outcome: &Outcome) -> Result<()> {
        if outcome.class != Class::Deferred {
            return Ok(());
        }
        let end = if self.null_separated { '\0' } else { '\n' };
        if outcome.name.contains(end) {
            let text = format!("{} can't stand in the list of archived objects", display_key(&outcome.name));
            let other = if self.null_separated { "without -0" } else { "with -0, and read the list with -0" };
            return Err(Error::new(ErrorKind::InvalidConfig, text).help(format!("run again {other}")));
        }
        self.file.write(format!("{}{end}", outcome.name).as_bytes())
    }

    /// Brings it to the disk and gives it its name.
    ///
    /// # Errors
    /// `NoSpace` when it can't be written.
    pub(crate) fn finish(self) -> Result<()> {
        self.file.finish()
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
