//! Folders that opening a destination makes, for commands that are to leave nothing behind.

use std::path::{Path, PathBuf};

use cabotage::{Location, Place};

/// Folders that were missing, innermost first.
#[derive(Debug, Default)]
pub(crate) struct MadeFolders(Vec<PathBuf>);

impl MadeFolders {
    /// Those that opening the location would make; asked before.
    pub(crate) fn before_opening(location: &Location) -> Self {
        let Place::Local { path } = location.place() else { return Self::default() };
        let missing = path.ancestors().take_while(|path| !path.as_os_str().is_empty() && !path.exists());
        Self(missing.map(Path::to_owned).collect())
    }

    /// Removes them. What isn't empty is someone else's, and stays.
    pub(crate) fn remove(&self) {
        for folder in &self.0 {
            let _ = std::fs::remove_dir(folder);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_missing_and_is_empty_goes() {
        let base = tempfile::tempdir().unwrap();
        let path = base.path().join("a/b");
        let location = Location::parse(path.to_str().unwrap()).unwrap();
        let made = MadeFolders::before_opening(&location);
        std::fs::create_dir_all(&path).unwrap();
        made.remove();
        assert!(base.path().exists() && !base.path().join("a").exists());
        std::fs::create_dir_all(&path).unwrap();
        std::fs::write(base.path().join("a/file"), "").unwrap();
        made.remove();
        assert!(base.path().join("a/file").exists() && !path.exists());
    }
}
