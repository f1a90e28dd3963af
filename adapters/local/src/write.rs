//! Writing: bytes into a staged file, then everything that makes an object of it.

use std::fs::File;
use std::io::Write as _;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use cabotage_core::{
    Attributes, ETag, Error, ErrorKind, Key, Payload, Result, Sha256, Timestamp, WriteMode, WriteOptions,
    Written,
};
use rustix::fs::{
    AtFlags, RenameFlags, Stat, fstat, fsync, linkat, renameat, renameat_with, statat, unlinkat,
};
use rustix::io::Errno;

use crate::attributes::Kept;
use crate::disk::{Disk, file_stat, stat, sync_folder};
use crate::error::{failed, io_failed};
use crate::place::Spot;
use crate::stage::{RETRIES, Staged};
use crate::state::FileState;
use crate::store::blocking;

/// For how many milliseconds at most a change waits for the clock of the file system to tick.
const TICKS: u32 = 50;

/// Set when the caller has gone away: nothing is placed any more.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cancelled(Arc<AtomicBool>);

/// Says so when it is dropped.
#[derive(Debug)]
pub(crate) struct CancelOnDrop(pub Cancelled);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.0.store(true, Ordering::Release);
    }
}

impl Cancelled {
    fn check(&self) -> Result<()> {
        if self.0.load(Ordering::Acquire) {
            return Err(Error::new(ErrorKind::Cancelled, "the write was given up"));
        }
        Ok(())
    }
}

/// The digest must be that of the chunks.
pub(crate) fn verify(chunks: &[Bytes], sha256: &Sha256) -> Result<()> {
    if Sha256::of_chunks(chunks) == *sha256 {
        return Ok(());
    }
    Err(Error::new(ErrorKind::DigestMismatch, "the bytes do not match the SHA-256 sent with them"))
}

/// The digest that came with a body in memory must be that of its chunks.
pub(crate) async fn verify_buffered(body: &Payload) -> Result<()> {
    let Payload::Buffered { chunks, sha256, .. } = body else { return Ok(()) };
    let (chunks, sha256) = (Arc::clone(chunks), *sha256);
    blocking(move || verify(&chunks, &sha256)).await
}

/// What a folder can't hold.
pub(crate) fn check_options(options: &WriteOptions) -> Result<()> {
    match &options.tier {
        Some(tier) => {
            Err(Error::new(ErrorKind::Unsupported, format!("a folder has no tiers, {tier} was asked for")))
        }
        None => Ok(()),
    }
}

impl Staged {
    pub fn append(&mut self, chunks: &[Bytes]) -> Result<()> {
        for chunk in chunks {
            self.file.write_all(chunk).map_err(|error| io_failed(error, &self.shown()))?;
        }
        Ok(())
    }

    /// Makes the object: attributes and time, sync, rename under the mode, sync of the folder.
    pub fn finish(mut self, key: &Key, options: &WriteOptions, cancelled: &Cancelled) -> Result<Written> {
        let disk = Arc::clone(&self.disk);
        let shown = self.shown();
        let kept = disk.keep_inside(&self.file, key, &options.attributes)?;
        set_modified(&self.file, options.modified, &shown)?;
        fsync(&self.file).map_err(|errno| failed(errno, &shown))?;
        let state = disk.state_of(&self.file, &shown)?;
        let _lock = disk.lock(key);
        cancelled.check()?;
        for _ in 0..RETRIES {
            if let Some(dir) = self.place(key, &options.mode, &kept, &state)? {
                sync_folder(&dir).map_err(|errno| failed(errno, &shown))?;
                let etag = disk.state_of(&self.file, &shown)?.etag();
                return Ok(Written { etag: Some(etag), version: None });
            }
        }
        Err(self.not_placed())
    }

    /// After all attempts. A file system that refuses a name may say that there is none (exFAT).
    fn not_placed(&self) -> Error {
        if stat(&self.dir, self.name.as_bytes()).is_ok() {
            return Error::new(ErrorKind::KeyRejected, "the file system doesn't take this name")
                .help("rename the object, or choose a file system that takes it");
        }
        Error::new(ErrorKind::Unavailable, "the file was removed by another before it was in its place")
    }

    /// One attempt; `None` when another came in between. The folder in which the object is now.
    fn place(
        &mut self,
        key: &Key,
        mode: &WriteMode,
        kept: &Kept,
        state: &FileState,
    ) -> Result<Option<OwnedFd>> {
        let disk = Arc::clone(&self.disk);
        let found = disk.find(key)?;
        allow(mode, found.as_ref().map(|(_, stat)| disk.state(stat).etag()).as_ref())?;
        if let Kept::Outside(content) = kept {
            disk.keep_beside(key, state, content)?;
        }
        let (spot, old) = match found {
            Some((spot, stat)) => (spot, Some(stat)),
            None => match disk.make(key) {
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
                made => (made?, None),
            },
        };
        let moved = match old {
            Some(_) => renameat(&self.dir, &self.name, &spot.dir, &spot.name),
            None => self.move_new(&spot),
        };
        match moved {
            Ok(()) => {}
            Err(Errno::NOENT | Errno::EXIST | Errno::ISDIR | Errno::NOTDIR | Errno::NOTEMPTY) => {
                return Ok(None);
            }
            Err(errno) => return Err(failed(errno, &disk.shown(&spot.path()))),
        }
        self.placed = true;
        disk.forget_old(key, old.as_ref(), kept, state);
        Ok(Some(spot.dir))
    }

    /// To a name that is free: never over anything, where the file system can promise that.
    fn move_new(&self, spot: &Spot) -> Result<(), Errno> {
        let (from, to) = ((&self.dir, &self.name), (&spot.dir, &spot.name));
        match renameat_with(from.0, from.1, to.0, to.1, RenameFlags::NOREPLACE) {
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {}
            other => return other,
        }
        match linkat(from.0, from.1, to.0, to.1, AtFlags::empty()) {
            Ok(()) => return unlinkat(from.0, from.1, AtFlags::empty()),
            Err(Errno::PERM | Errno::OPNOTSUPP | Errno::MLINK | Errno::NOSYS) => {}
            other => return other,
        }
        match statat(to.0, to.1, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => renameat(from.0, from.1, to.0, to.1),
            Err(errno) => Err(errno),
            Ok(_) => Err(Errno::EXIST),
        }
    }
}

impl Disk {
    /// Removes the file of attributes of the replaced state.
    fn forget_old(&self, key: &Key, old: Option<&Stat>, kept: &Kept, new: &FileState) {
        let Some(old) = old.map(|stat| self.state(stat)) else { return };
        let taken_over = *kept != Kept::Inside && (old.size, old.modified) == (new.size, new.modified);
        if !taken_over {
            self.drop_beside(key, &old);
        }
    }

    /// Removes the object and the folders that it leaves empty.
    pub fn remove(&self, key: &Key, if_match: Option<&ETag>) -> Result<()> {
        let _lock = self.lock(key);
        let Some((spot, stat)) = self.find(key)? else {
            return match if_match {
                Some(_) => Err(Error::new(ErrorKind::NotFound, "no such object")),
                None => Ok(()),
            };
        };
        let state = self.state(&stat);
        if let Some(etag) = if_match {
            expect(etag, &state.etag())?;
        }
        let told = |errno| failed(errno, &self.shown(&spot.path()));
        match unlinkat(&spot.dir, &spot.name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(errno) => return Err(told(errno)),
        }
        sync_folder(&spot.dir).map_err(told)?;
        self.drop_beside(key, &state);
        self.prune(spot.folders);
        Ok(())
    }

    /// Replaces the attributes of an object in its place. Unknown tags leave the tags alone.
    pub fn replace_attributes(
        self: &Arc<Self>,
        key: &Key,
        attributes: &Attributes,
        if_match: Option<&ETag>,
    ) -> Result<Written> {
        let _lock = self.lock(key);
        let (spot, _) = self.get(key)?;
        let shown = self.shown(&spot.path());
        let told = |errno| failed(errno, &shown);
        let file = self.file(&spot.path()).map_err(told)?;
        let state = self.state_of(&file, &shown)?;
        if let Some(etag) = if_match {
            expect(etag, &state.etag())?;
        }
        let mut fresh = attributes.clone();
        if fresh.tags.is_none() {
            fresh.tags = self.attributes(&file, key, &state)?.tags;
        }
        match self.keep_inside(&file, key, &fresh)? {
            Kept::Inside => self.drop_beside(key, &state),
            Kept::Outside(content) => {
                self.keep_beside(key, &state, &content)?;
                self.drop_inside(&file)?;
            }
        }
        let etag = self.touch(&file, &state, &shown)?;
        fsync(&file).map_err(told)?;
        Ok(Written { etag: Some(etag), version: None })
    }

    /// Copies the object's bytes into a staged file; with its attributes.
    pub fn copy_staged(
        self: &Arc<Self>,
        from: &Key,
        from_etag: Option<&ETag>,
    ) -> Result<(Staged, Attributes)> {
        let (spot, _) = self.get(from)?;
        let shown = self.shown(&spot.path());
        let mut file = self.file(&spot.path()).map_err(|errno| failed(errno, &shown))?;
        let state = self.state_of(&file, &shown)?;
        if let Some(etag) = from_etag {
            expect(etag, &state.etag())?;
        }
        let attributes = self.attributes(&file, from, &state)?;
        let mut staged = self.stage()?;
        let copied = std::io::copy(&mut file, &mut staged.file).map_err(|e| io_failed(e, &staged.shown()))?;
        let after = fstat(&file).map_err(|errno| failed(errno, &shown))?;
        if copied != state.size || !self.state(&after).same_bytes(&state) {
            return Err(Error::new(ErrorKind::SourceChanged, "the object changed while it was copied"));
        }
        Ok((staged, attributes))
    }

    /// Sets the same time again, so that the inode's own time, and with it the ETag, changes: again and again where the
    /// clock of the file system ticks every few milliseconds only (Linux before 6.13).
    fn touch(&self, file: &File, before: &FileState, shown: &str) -> Result<ETag> {
        let mut etag = before.etag();
        for _ in 0..TICKS {
            set_modified(file, before.modified(), shown)?;
            etag = self.state_of(file, shown)?.etag();
            if etag != before.etag() {
                break;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(etag)
    }

    fn state_of(&self, file: &File, shown: &str) -> Result<FileState> {
        file_stat(file).map(|stat| self.state(&stat)).map_err(|errno| failed(errno, shown))
    }
}

fn set_modified(file: &File, modified: Option<Timestamp>, shown: &str) -> Result<()> {
    match modified {
        Some(at) => file.set_modified(SystemTime::from(at)).map_err(|error| io_failed(error, shown)),
        None => Ok(()),
    }
}

fn expect(wanted: &ETag, found: &ETag) -> Result<()> {
    if wanted == found {
        return Ok(());
    }
    Err(Error::new(ErrorKind::PreconditionFailed, "the object is no longer in the state asked for")
        .with("etag", found.bare()))
}

fn allow(mode: &WriteMode, found: Option<&ETag>) -> Result<()> {
    match (mode, found) {
        (WriteMode::Replace, _) | (WriteMode::Create, None) => Ok(()),
        (WriteMode::Create, Some(_)) => {
            Err(Error::new(ErrorKind::PreconditionFailed, "there is an object of that name already"))
        }
        (WriteMode::IfMatch(etag), Some(found)) => expect(etag, found),
        (WriteMode::IfMatch(_), None) => Err(Error::new(ErrorKind::NotFound, "no such object")),
    }
}
