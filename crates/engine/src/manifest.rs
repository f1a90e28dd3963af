//! One JSON line per object.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use cabotage_core::{Error, ErrorKind, Result};
use serde::Serialize;

use crate::whole_file::{not_created, not_written};
use crate::{Class, Outcome, ToldSha256, Verdict, json_line};

/// A line of the manifest. Names are whole, as JSON spells them.
#[derive(Serialize)]
struct Line<'a> {
    key: &'a str,
    size: u64,
    class: Class,
    #[serde(skip_serializing_if = "Option::is_none")]
    verdict: Option<Verdict>,
    #[serde(flatten)]
    sha256: ToldSha256,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_etag: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    destination_etag: Option<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    losses: &'a [cabotage_core::Loss],
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<ErrorKind>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// A line for an object that was deleted at the destination, or would be, or was left alone there.
#[derive(Serialize)]
pub(crate) struct Removal<'a> {
    pub key: &'a str,
    pub size: u64,
    pub class: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub destination_etag: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Writes the manifest as the run goes on.
#[derive(Debug)]
pub(crate) struct Manifest {
    path: PathBuf,
    file: BufWriter<File>,
}

impl Manifest {
    /// Creates the file, replacing an older manifest of that name.
    ///
    /// # Errors
    /// `InvalidConfig` when it can't be created.
    pub(crate) fn create(path: &Path) -> Result<Self> {
        let file = File::create(path).map_err(|error| not_created("the manifest", path, &error))?;
        Ok(Self { path: path.to_owned(), file: BufWriter::new(file) })
    }

    /// Opens the manifest that this run has written, to go on with it.
    ///
    /// # Errors
    /// `NoSpace` when it can't be opened.
    pub(crate) fn append(path: &Path) -> Result<Self> {
        let file = File::options()
            .append(true)
            .open(path)
            .map_err(|error| not_written("the manifest", path, &error))?;
        Ok(Self { path: path.to_owned(), file: BufWriter::new(file) })
    }

    /// Adds what became of an object that the source no longer has, for others to read at once.
    ///
    /// # Errors
    /// `NoSpace` when it can't be written.
    pub(crate) fn remove(&mut self, removal: &Removal<'_>) -> Result<()> {
        self.line(removal)?;
        self.flush()
    }

    /// Adds an object.
    ///
    /// # Errors
    /// `NoSpace` when it can't be written.
    pub(crate) fn add(&mut self, outcome: &Outcome) -> Result<()> {
        let line = Line {
            key: &outcome.name,
            size: outcome.size,
            class: outcome.class,
            verdict: outcome.verdict,
            sha256: ToldSha256::of(outcome.sha256),
            source_etag: outcome.source_etag.as_ref().map(cabotage_core::ETag::bare),
            destination_etag: outcome.destination_etag.as_ref().map(cabotage_core::ETag::bare),
            losses: &outcome.losses,
            kind: outcome.error.as_ref().map(Error::kind),
            error: outcome.error.as_ref().map(ToString::to_string),
        };
        self.line(&line)
    }

    fn line(&mut self, line: &impl Serialize) -> Result<()> {
        self.file.write_all(json_line(line)?.as_bytes()).map_err(|error| self.failed(&error))
    }

    /// Lets others read what was added so far.
    ///
    /// # Errors
    /// `NoSpace` when it can't be written.
    pub(crate) fn flush(&mut self) -> Result<()> {
        self.file.flush().map_err(|error| self.failed(&error))
    }

    /// Brings it to the disk.
    ///
    /// # Errors
    /// `NoSpace` when it can't be written.
    pub(crate) fn finish(mut self) -> Result<()> {
        let flushed = self.file.flush().and_then(|()| self.file.get_ref().sync_all());
        flushed.map_err(|error| self.failed(&error))
    }

    fn failed(&self, error: &std::io::Error) -> Error {
        not_written("the manifest", &self.path, error)
    }
}
