//! Uploads in parts: a file that is written in place, and beside it a record of its parts.
//!
//! In `.cabotage/uploads`: `ID.start` (key and time, JSON), `ID.data`, `ID.parts` (a line of JSON per part; the last
//! line of a part counts, a torn one is none).

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use cabotage_core::{
    ETag, Error, ErrorKind, Key, Operation, PartInfo, PartSlot, Payload, Result, Sha256, Sha256Hasher,
    Timestamp, Upload, UploadId, UploadInfo, WriteOptions, Written,
};
use futures::TryStreamExt as _;
use rustix::fs::{AtFlags, Mode, OFlags, fdatasync, fsync, openat, renameat, unlinkat};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use crate::disk::{Disk, entries, sync_folder};
use crate::error::{failed, io_failed};
use crate::names::OWN;
use crate::pace;
use crate::stage::Staged;
use crate::store::blocking;
use crate::write::{CancelOnDrop, Cancelled, check_options, verify, verify_buffered};

const UPLOADS: &str = "uploads";
const SUFFIXES: [&str; 3] = [".start", ".data", ".parts"];

#[derive(Serialize, Deserialize)]
struct Start {
    key: String,
    started: Timestamp,
}

/// A part as recorded.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Part {
    number: u32,
    offset: u64,
    size: u64,
    sha256: String,
}

impl Part {
    fn info(&self) -> PartInfo {
        PartInfo { number: self.number, size: self.size, etag: Some(ETag::new(&self.sha256)) }
    }
}

/// An open upload; mode and attributes are those of this handle.
pub(crate) struct LocalUpload {
    disk: Arc<Disk>,
    key: Key,
    id: UploadId,
    options: WriteOptions,
}

impl fmt::Debug for LocalUpload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LocalUpload({} of {:?})", self.id.0, self.key)
    }
}

fn unknown() -> Error {
    Error::new(ErrorKind::NotFound, "the store doesn't know this upload (any more)")
}

fn bad_record(error: serde_json::Error) -> Error {
    Error::new(ErrorKind::Protocol, "the record of the upload can't be understood").caused_by(error)
}

impl LocalUpload {
    pub fn start(disk: &Arc<Disk>, key: &Key, options: WriteOptions) -> Result<Self> {
        check_options(&options)?;
        let id = UploadId(format!("{:032x}", rand::random::<u128>()));
        let upload = Self { disk: Arc::clone(disk), key: key.clone(), id, options };
        let start = Start { key: key.as_str().to_owned(), started: Timestamp::now() };
        let record = serde_json::to_vec(&start).map_err(bad_record)?;
        let mut staged = disk.stage()?;
        let shown = staged.shown();
        staged.file.write_all(&record).map_err(|error| io_failed(error, &shown))?;
        fsync(&staged.file).map_err(|errno| failed(errno, &shown))?;
        disk.in_own(UPLOADS, |dir| renameat(&staged.dir, &staged.name, dir, upload.name(".start")))?;
        staged.placed = true;
        let dir = upload.dir()?;
        for suffix in [".data", ".parts"] {
            upload.file(&dir, suffix, OFlags::CREATE | OFlags::EXCL | OFlags::RDWR)?;
        }
        sync_folder(&dir).map_err(|errno| failed(errno, &shown))?;
        Ok(upload)
    }

    pub fn resume(disk: &Arc<Disk>, key: &Key, id: &UploadId, options: WriteOptions) -> Result<Self> {
        check_options(&options)?;
        let started = match is_id(&id.0) {
            true => read_start(disk, &id.0)?,
            false => None,
        };
        if started.is_none_or(|start| start.key != key.as_str()) {
            return Err(unknown());
        }
        Ok(Self { disk: Arc::clone(disk), key: key.clone(), id: id.clone(), options })
    }

    fn name(&self, suffix: &str) -> String {
        format!("{}{suffix}", self.id.0)
    }

    /// For messages.
    fn shown(&self, suffix: &str) -> String {
        self.disk.shown(format!("{OWN}/{UPLOADS}/{}", self.name(suffix)).as_bytes())
    }

    fn dir(&self) -> Result<OwnedFd> {
        self.disk.own_if_there(UPLOADS)?.ok_or_else(unknown)
    }

    fn file(&self, dir: &OwnedFd, suffix: &str, flags: OFlags) -> Result<File> {
        let name = self.name(suffix);
        let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        match openat(dir, &name, flags, Mode::from_raw_mode(0o666)) {
            Ok(file) => Ok(File::from(file)),
            Err(Errno::NOENT) => Err(unknown()),
            Err(errno) => Err(failed(errno, &self.shown(suffix))),
        }
    }

    fn recorded(&self) -> Result<BTreeMap<u32, Part>> {
        let mut text = Vec::new();
        let mut file = self.file(&self.dir()?, ".parts", OFlags::RDONLY)?;
        file.read_to_end(&mut text).map_err(|error| io_failed(error, &self.shown(".parts")))?;
        let lines = text.split(|b| *b == b'\n').filter_map(|line| serde_json::from_slice::<Part>(line).ok());
        Ok(lines.map(|part| (part.number, part)).collect())
    }

    /// The bytes are in the file before the record says so.
    fn record(&self, data: &File, part: &Part) -> Result<PartInfo> {
        let name = self.shown(".parts");
        fdatasync(data).map_err(|errno| failed(errno, &self.shown(".data")))?;
        let mut line = vec![b'\n'];
        line.extend(serde_json::to_vec(part).map_err(bad_record)?);
        line.push(b'\n');
        let mut file = self.file(&self.dir()?, ".parts", OFlags::WRONLY | OFlags::APPEND)?;
        file.write_all(&line).map_err(|error| io_failed(error, &name))?;
        fdatasync(&file).map_err(|errno| failed(errno, &name))?;
        Ok(part.info())
    }

    fn write_at(&self, data: &File, chunks: &[Bytes], mut offset: u64) -> Result<u64> {
        for chunk in chunks {
            data.write_all_at(chunk, offset).map_err(|error| io_failed(error, &self.shown(".data")))?;
            offset += chunk.len() as u64;
        }
        Ok(offset)
    }

    fn part_buffered(&self, slot: PartSlot, chunks: &[Bytes], sha256: &Sha256) -> Result<PartInfo> {
        verify(chunks, sha256)?;
        let data = self.file(&self.dir()?, ".data", OFlags::RDWR)?;
        let end = self.write_at(&data, chunks, slot.offset)?;
        self.record(&data, &part(slot, end - slot.offset, sha256))
    }

    fn complete_now(self: &Arc<Self>, parts: &[PartInfo], cancelled: &Cancelled) -> Result<Written> {
        let dir = self.dir()?;
        let file = self.file(&dir, ".data", OFlags::RDWR)?;
        let size = self.size_of(parts)?;
        file.set_len(size).map_err(|error| io_failed(error, &self.shown(".data")))?;
        let staged = Staged::lasting(&self.disk, dir, self.name(".data"), file);
        let written = staged.finish(&self.key, &self.options, cancelled)?;
        self.forget();
        Ok(written)
    }

    /// What the parts make together; each must be held as it is named, and begin where the one before it ends.
    fn size_of(&self, parts: &[PartInfo]) -> Result<u64> {
        let recorded = self.recorded()?;
        let mut size = 0;
        for (number, asked) in (1..).zip(parts) {
            let held = recorded.get(&number).filter(|part| part.info() == *asked);
            let Some(held) = held else {
                let message = format!("part {number} is not held as it was named");
                return Err(Error::new(ErrorKind::PreconditionFailed, message));
            };
            if held.offset != size {
                let message = format!("part {number} was sent for byte {}, not {size}", held.offset);
                return Err(Error::new(ErrorKind::Internal, message));
            }
            size += held.size;
        }
        Ok(size)
    }

    fn forget(&self) {
        if let Ok(Some(dir)) = self.disk.own_if_there(UPLOADS) {
            for suffix in SUFFIXES {
                let _ = unlinkat(&dir, self.name(suffix), AtFlags::empty());
            }
            let _ = sync_folder(&dir);
            self.disk.tidy(UPLOADS);
        }
    }
}

fn part(slot: PartSlot, size: u64, sha256: &Sha256) -> Part {
    Part { number: slot.number, offset: slot.offset, size, sha256: sha256.to_hex() }
}

fn is_id(id: &str) -> bool {
    id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit())
}

fn read_start(disk: &Disk, id: &str) -> Result<Option<Start>> {
    let Some(dir) = disk.own_if_there(UPLOADS)? else { return Ok(None) };
    let name = format!("{id}.start");
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    match openat(&dir, &name, flags, Mode::empty()) {
        Ok(file) => {
            let text = std::io::read_to_string(File::from(file)).map_err(|error| io_failed(error, &name))?;
            serde_json::from_str(&text).map(Some).map_err(bad_record)
        }
        Err(Errno::NOENT) => Ok(None),
        Err(errno) => Err(failed(errno, &name)),
    }
}

/// Open uploads under the prefix, by key.
pub(crate) fn list(disk: &Disk, prefix: &str) -> Result<Vec<UploadInfo>> {
    let Some(dir) = disk.own_if_there(UPLOADS)? else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    for entry in entries(&dir).map_err(|errno| failed(errno, UPLOADS))? {
        let entry = entry.map_err(|errno| failed(errno, UPLOADS))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let Some(id) = name.strip_suffix(".start").filter(|id| is_id(id)) else { continue };
        let Some(start) = read_start(disk, id)? else { continue };
        if start.key.starts_with(prefix) {
            let (key, id) = (Key::new(start.key)?, UploadId(id.to_owned()));
            found.push(UploadInfo { key, id, started: Some(start.started) });
        }
    }
    found.sort_by(|a, b| a.key.cmp(&b.key));
    Ok(found)
}

/// The handle that callers hold.
#[derive(Clone, Debug)]
pub(crate) struct Handle(pub Arc<LocalUpload>);

impl Handle {
    async fn send(&self, slot: PartSlot, body: Payload) -> Result<PartInfo> {
        if slot.number == 0 {
            return Err(Error::new(ErrorKind::Internal, "parts are numbered from 1"));
        }
        let upload = Arc::clone(&self.0);
        match body {
            Payload::Buffered { chunks, sha256, .. } if !pace::is_limited(&upload.disk.throttle) => {
                blocking(move || upload.part_buffered(slot, &chunks, &sha256)).await
            }
            _ => {
                verify_buffered(&body).await?;
                self.send_stream(slot, &body).await
            }
        }
    }

    async fn send_stream(&self, slot: PartSlot, body: &Payload) -> Result<PartInfo> {
        let opening = Arc::clone(&self.0);
        let open = move || opening.file(&opening.dir()?, ".data", OFlags::RDWR);
        let data = Arc::new(blocking(open).await?);
        let throttle = self.0.disk.throttle.clone();
        let (len, mut stream) = (body.len(), pace::paced(body.open().await?, throttle));
        let (mut offset, mut hasher) = (slot.offset, Sha256Hasher::default());
        while let Some(chunk) = stream.try_next().await? {
            let (upload, data) = (Arc::clone(&self.0), Arc::clone(&data));
            (offset, hasher) = blocking(move || {
                hasher.update(&chunk);
                Ok((upload.write_at(&data, &[chunk], offset)?, hasher))
            })
            .await?;
        }
        let size = offset - slot.offset;
        if size != len {
            let message = format!("{size} bytes came, {len} were declared");
            return Err(Error::new(ErrorKind::Truncated, message));
        }
        let upload = Arc::clone(&self.0);
        blocking(move || upload.record(&data, &part(slot, size, &hasher.finish()))).await
    }
}

#[async_trait]
impl Upload for Handle {
    fn id(&self) -> &UploadId {
        &self.0.id
    }

    async fn parts(&self) -> Result<Vec<PartInfo>> {
        let upload = Arc::clone(&self.0);
        let recorded = blocking(move || upload.recorded()).await;
        recorded
            .map(|parts| parts.values().map(Part::info).collect())
            .map_err(|error| error.during(Operation::Upload).on(&self.0.key))
    }

    async fn part(&self, slot: PartSlot, body: Payload) -> Result<PartInfo> {
        self.send(slot, body).await.map_err(|error| error.during(Operation::WritePart).on(&self.0.key))
    }

    async fn complete(&self, parts: &[PartInfo]) -> Result<Written> {
        let (upload, parts, cancelled) = (Arc::clone(&self.0), parts.to_vec(), Cancelled::default());
        let _guard = CancelOnDrop(cancelled.clone());
        blocking(move || upload.complete_now(&parts, &cancelled))
            .await
            .map_err(|error| error.during(Operation::Complete).on(&self.0.key))
    }

    async fn abort(&self) -> Result<()> {
        let upload = Arc::clone(&self.0);
        blocking(move || {
            upload.forget();
            Ok(())
        })
        .await
    }
}

#[cfg(test)]
#[path = "upload_tests.rs"]
mod tests;
