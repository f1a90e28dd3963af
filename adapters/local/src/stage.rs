//! Files that are not objects yet, in the adapter's own folder.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError};

use cabotage_core::{Error, ErrorKind, Result};
use rustix::fs::{AtFlags, Mode, OFlags, mkdirat, openat, unlinkat};
use rustix::io::Errno;

use crate::disk::{Disk, entries, file_stat, stat, sync_folder};
use crate::error::failed;
use crate::names::OWN;

const TEMPORARY: &str = "tmp";
/// How often a folder or file that another process removed is made again.
pub(crate) const RETRIES: usize = 32;

/// A file with the bytes of an object to be. A temporary one is removed when this is dropped before it was placed.
#[derive(Debug)]
pub(crate) struct Staged {
    pub disk: Arc<Disk>,
    pub dir: OwnedFd,
    pub name: String,
    pub file: File,
    pub placed: bool,
    /// Of a temporary file. Dropped last: a folder goes away only when its files are closed, on some file systems.
    turn: Option<Turn>,
}

/// One of the temporary files of this process; with the last one their folder goes away.
#[derive(Debug)]
struct Turn(Arc<Disk>);

impl Drop for Turn {
    fn drop(&mut self) {
        let mut staged = lock(&self.0.staged);
        *staged -= 1;
        if *staged == 0 {
            self.0.tidy(TEMPORARY);
        }
    }
}

impl Staged {
    /// A file that outlives this process.
    pub fn lasting(disk: &Arc<Disk>, dir: OwnedFd, name: String, file: File) -> Self {
        Self { disk: Arc::clone(disk), dir, name, file, placed: false, turn: None }
    }

    pub fn shown(&self) -> String {
        let folder = if self.turn.is_some() { TEMPORARY } else { "uploads" };
        self.disk.shown(format!("{}/{}", own_path(folder), self.name).as_bytes())
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if self.turn.is_some() && !self.placed {
            let _ = unlinkat(&self.dir, &self.name, AtFlags::empty());
        }
    }
}

impl Disk {
    /// A new temporary file, held by a lock that ends with this process.
    pub fn stage(self: &Arc<Self>) -> Result<Staged> {
        for _ in 0..RETRIES {
            let (turn, dir) = self.acquire()?;
            match self.new_file(&dir) {
                Ok(Some((name, file))) => {
                    let disk = Arc::clone(self);
                    return Ok(Staged { disk, dir, name, file, placed: false, turn: Some(turn) });
                }
                Ok(None) | Err(Errno::NOENT | Errno::EXIST) => {}
                Err(errno) => return Err(failed(errno, &self.shown(own_path(TEMPORARY).as_bytes()))),
            }
        }
        Err(Error::new(ErrorKind::Unavailable, "the folder for temporary files is removed again and again"))
    }

    /// `None` when another process has taken the file for that of a dead one.
    fn new_file(&self, dir: &OwnedFd) -> Result<Option<(String, File)>, Errno> {
        let name = format!("Stage-{:032x}", rand::random::<u128>());
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = File::from(openat(dir, &name, flags, Mode::from_raw_mode(0o666))?);
        let _ = file.try_lock();
        if file_stat(&file)?.st_nlink == 0 {
            return Ok(None);
        }
        if !self.folding_known() {
            self.set_folding(stat(dir, name.to_ascii_lowercase().as_bytes()).is_ok());
        }
        Ok(Some((name, file)))
    }

    fn acquire(self: &Arc<Self>) -> Result<(Turn, OwnedFd)> {
        let mut staged = lock(&self.staged);
        let dir = self.own(TEMPORARY)?;
        if *staged == 0 {
            sweep(&dir);
        }
        *staged += 1;
        Ok((Turn(Arc::clone(self)), dir))
    }

    /// A folder in the adapter's own folder, made if missing.
    pub fn own(&self, name: &str) -> Result<OwnedFd> {
        let told = |errno| failed(errno, &self.shown(own_path(name).as_bytes()));
        let root = self.folder(b"").map_err(told)?;
        for _ in 0..RETRIES {
            let found = enter(&root, OWN).and_then(|own| enter(&own, name));
            match found {
                Err(Errno::NOENT) => {}
                found => return found.map_err(told),
            }
        }
        Err(Error::new(ErrorKind::BucketNotFound, "the folder is no longer there")
            .with("path", self.shown(b"")))
    }

    /// Does something in a folder of our own, once more when the folder, being empty, was removed meanwhile.
    pub fn in_own<T>(&self, name: &str, work: impl Fn(&OwnedFd) -> Result<T, Errno>) -> Result<T> {
        let told = |errno| failed(errno, &self.shown(own_path(name).as_bytes()));
        for _ in 0..RETRIES {
            match work(&self.own(name)?) {
                Err(Errno::NOENT) => {}
                done => return done.map_err(told),
            }
        }
        Err(told(Errno::NOENT))
    }

    /// A folder in the adapter's own folder, if it is there.
    pub fn own_if_there(&self, name: &str) -> Result<Option<OwnedFd>> {
        match self.folder(own_path(name).as_bytes()) {
            Ok(dir) => Ok(Some(dir)),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(failed(errno, &self.shown(own_path(name).as_bytes()))),
        }
    }

    /// Removes that folder of our own, and the own folder itself, if they are empty.
    pub fn tidy(&self, name: &str) {
        let Ok(root) = self.folder(b"") else { return };
        if let Ok(own) = self.folder(OWN.as_bytes()) {
            let _ = unlinkat(&own, name, AtFlags::REMOVEDIR);
            let _ = unlinkat(&root, OWN, AtFlags::REMOVEDIR);
        }
    }
}

fn own_path(name: &str) -> String {
    format!("{OWN}/{name}")
}

fn lock(count: &Mutex<usize>) -> std::sync::MutexGuard<'_, usize> {
    count.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Enters a folder, made if missing.
fn enter(dir: &OwnedFd, name: &str) -> Result<OwnedFd, Errno> {
    match mkdirat(dir, name, Mode::from_raw_mode(0o777)) {
        Ok(()) => sync_folder(dir)?,
        Err(Errno::EXIST) => {}
        Err(errno) => return Err(errno),
    }
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    openat(dir, name, flags, Mode::empty())
}

/// Removes the files of dead processes: those that nobody holds a lock on.
fn sweep(dir: &OwnedFd) {
    let Ok(found) = entries(dir) else { return };
    for entry in found.flatten() {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let Ok(file) = openat(dir, entry.file_name(), flags, Mode::empty()).map(File::from) else { continue };
        if file.try_lock().is_ok() {
            let _ = unlinkat(dir, entry.file_name(), AtFlags::empty());
        }
    }
}
