//! A file that gets its name when it is whole.

use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use cabotage_core::{Error, ErrorKind, Result};

/// A file under way: until it is finished, what was there under its name stays. What is there and is no plain file (a
/// pipe, a device, a link) is written to and never replaced. Dropped before its end, it leaves nothing behind.
#[derive(Debug)]
pub(crate) struct WholeFile {
    /// For messages: `the list of archived objects`.
    what: &'static str,
    path: PathBuf,
    /// Where it is written before it gets its name; none where it is written in place.
    beside: Option<PathBuf>,
    file: BufWriter<File>,
}

impl WholeFile {
    /// Creates the file that will get that name.
    ///
    /// # Errors
    /// `InvalidConfig` when it can't be created.
    pub(crate) fn create(what: &'static str, path: &Path) -> Result<Self> {
        let failed = |error: std::io::Error| not_created(what, path, &error);
        let (beside, file) = if std::fs::symlink_metadata(path).is_ok_and(|found| !found.is_file()) {
            (None, OpenOptions::new().write(true).open(path).map_err(failed)?)
        } else {
            let mut beside = path.as_os_str().to_owned();
            beside.push(format!(".{}.tmp", std::process::id()));
            let file = File::create(&beside).map_err(failed)?;
            (Some(PathBuf::from(beside)), file)
        };
        Ok(Self { what, path: path.to_owned(), beside, file: BufWriter::new(file) })
    }

    /// Adds these bytes.
    ///
    /// # Errors
    /// `NoSpace` when they can't be written.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.file.write_all(bytes).map_err(|error| self.failed(&error))
    }

    /// Brings it to the disk and gives it its name.
    ///
    /// # Errors
    /// `NoSpace` when it can't be written.
    pub(crate) fn finish(mut self) -> Result<()> {
        self.file.flush().map_err(|error| self.failed(&error))?;
        let Some(beside) = self.beside.take() else { return Ok(()) };
        let named = self.file.get_ref().sync_all().and_then(|()| std::fs::rename(&beside, &self.path));
        named.map_err(|error| {
            let _ = std::fs::remove_file(&beside);
            self.failed(&error)
        })
    }

    fn failed(&self, error: &std::io::Error) -> Error {
        not_written(self.what, &self.path, error)
    }
}

/// A file of the run that can't be made.
pub(crate) fn not_created(what: &str, path: &Path, error: &std::io::Error) -> Error {
    let help = match error.kind() {
        std::io::ErrorKind::NotFound => "make its folder first, or name another place",
        _ => "name a place that can be written",
    };
    Error::new(ErrorKind::InvalidConfig, format!("{what} can't be created: {error}"))
        .about(path.to_string_lossy())
        .help(help)
}

/// A file of the run that can't be written any further.
pub(crate) fn not_written(what: &str, path: &Path, error: &std::io::Error) -> Error {
    Error::new(ErrorKind::NoSpace, format!("{what} can't be written: {error}"))
        .about(path.to_string_lossy())
        .help("free space or name another place, then run again; what was done is recorded in the ledger")
}

impl Drop for WholeFile {
    fn drop(&mut self) {
        if let Some(beside) = &self.beside {
            let _ = std::fs::remove_file(beside);
        }
    }
}
