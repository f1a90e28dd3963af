//! The file that the report is written to.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use cabotage_core::{Error, ErrorKind, Result};
use serde::Serialize;

/// The file of `--report`: made before the run, so that a place that can't be written is told at once, and moved to its
/// name when it is whole. A device, a pipe or a link is written to and never replaced.
pub(crate) struct ReportFile {
    path: PathBuf,
    place: Place,
}

/// How the report gets to its name.
enum Place {
    /// By a rename of this file.
    Beside(PathBuf),
    /// Into what is there.
    InPlace(File),
}

impl ReportFile {
    /// # Errors
    /// `InvalidConfig` or `NoSpace` when nothing can be written there.
    pub(crate) fn new(path: &Path) -> Result<Self> {
        let failed = |error| unwritable(path, error);
        let place = if std::fs::symlink_metadata(path).is_ok_and(|found| !found.is_file()) {
            Place::InPlace(OpenOptions::new().write(true).open(path).map_err(failed)?)
        } else {
            let mut beside = path.as_os_str().to_owned();
            beside.push(format!(".{}.tmp", std::process::id()));
            std::fs::write(&beside, "").map_err(failed)?;
            Place::Beside(beside.into())
        };
        Ok(Self { path: path.to_owned(), place })
    }

    /// # Errors
    /// As [`ReportFile::new`].
    pub(crate) fn save(mut self, report: &impl Serialize) -> Result<()> {
        let text = cabotage_engine::json_file(report)?;
        self.put(&text).map_err(|error| unwritable(&self.path, error))
    }

    fn put(&mut self, text: &str) -> std::io::Result<()> {
        match &mut self.place {
            Place::Beside(beside) => {
                std::fs::write(&*beside, text)?;
                std::fs::rename(beside, &self.path)
            }
            Place::InPlace(file) => {
                if file.metadata()?.is_file() {
                    file.set_len(0)?;
                }
                file.write_all(text.as_bytes())
            }
        }
    }
}

impl Drop for ReportFile {
    /// Leaves nothing behind of a report that didn't come about.
    fn drop(&mut self) {
        if let Place::Beside(beside) = &self.place {
            let _ = std::fs::remove_file(beside);
        }
    }
}

fn unwritable(path: &Path, error: std::io::Error) -> Error {
    let kind = match error.kind() {
        std::io::ErrorKind::StorageFull => ErrorKind::NoSpace,
        _ => ErrorKind::InvalidConfig,
    };
    let help = match error.kind() {
        std::io::ErrorKind::NotFound => "make its folder first, or give --report another place",
        std::io::ErrorKind::StorageFull => {
            "free space, or give --report another place; standard output has the same report"
        }
        _ => "give --report a place that can be written",
    };
    Error::new(kind, format!("the report can't be written: {error}"))
        .about(path.to_string_lossy())
        .help(help)
        .caused_by(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_never_replaces_what_is_no_plain_file() {
        let base = tempfile::tempdir().unwrap();
        let (file, link) = (base.path().join("file"), base.path().join("link"));
        std::fs::write(&file, "a longer text of an earlier report").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        ReportFile::new(&link).unwrap().put("new").unwrap();
        assert!(link.is_symlink());
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "new");
        assert!(ReportFile::new(base.path()).is_err(), "a folder is told before the run");
        ReportFile::new(&file).unwrap().put("again").unwrap();
        assert_eq!(std::fs::read_to_string(&link).unwrap(), "again");
        assert_eq!(std::fs::read_dir(base.path()).unwrap().count(), 2);
    }
}
