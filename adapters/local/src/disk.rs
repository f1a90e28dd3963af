//! The opened root, and calls that stay beneath it.

use std::fs::File;
use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use cabotage_core::{Error, ErrorKind, Key, Operation, Result, Throttle, display_text};
use rustix::fs::{
    AtFlags, CWD, Dir, FileType, Mode, OFlags, ResolveFlags, Stat, fstat, fstatfs, fsync, openat, openat2,
    statat,
};
use rustix::io::Errno;

use crate::config::LocalConfig;
use crate::error::{failed, io_failed};
use crate::state::FileState;

const SHARDS: usize = 256;

/// File systems that number their inodes anew when they look at them again: FUSE, FAT, exFAT, SMB, SMB2, 9P
/// (their magic numbers in linux/magic.h).
const RENUMBERED: [i128; 6] = [0x6573_5546, 0x4d44, 0x2011_bab0, 0xff53_4d42, 0xfe53_4d42, 0x0102_1997];

/// What stands under a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Absent,
    File,
    Folder,
    /// A symbolic link, a device, a socket, a pipe.
    Special,
}

/// A root folder. All methods block.
#[derive(Debug)]
pub(crate) struct Disk {
    root: OwnedFd,
    pub path: PathBuf,
    locks: Vec<Mutex<()>>,
    /// Whether a file keeps its inode number.
    inodes: bool,
    /// Whether upper and lower case are the same name here.
    folding: OnceLock<bool>,
    /// How many files of ours are in `.cabotage/tmp`.
    pub staged: Mutex<usize>,
    /// Whether extended attributes are tried at all.
    pub use_xattrs: bool,
    pub throttle: Throttle,
}

impl Disk {
    pub fn open(config: &LocalConfig) -> Result<Self> {
        let shown = display_text(&config.root.to_string_lossy());
        if config.create {
            std::fs::create_dir_all(&config.root).map_err(|error| open_failed(error, &shown))?;
        }
        let path = config.root.canonicalize().map_err(|error| open_failed(error, &shown))?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = openat(CWD, &path, flags, Mode::empty()).map_err(|e| open_failed(e.into(), &shown))?;
        let locks = (0..SHARDS).map(|_| Mutex::new(())).collect();
        let (folding, staged) = (OnceLock::new(), Mutex::new(0));
        let inodes = fstatfs(&root).is_ok_and(|found| !RENUMBERED.contains(&i128::from(found.f_type)));
        let throttle = config.throttle.clone();
        let disk = Self { root, path, locks, inodes, folding, staged, use_xattrs: true, throttle };
        if let Some(folding) = disk.folding_seen()? {
            let _ = disk.folding.set(folding);
        }
        Ok(disk)
    }

    /// The state that a file is in.
    pub fn state(&self, stat: &Stat) -> FileState {
        FileState::of(stat, self.inodes)
    }

    /// Keeps others in this process from changing the object.
    pub fn lock(&self, key: &Key) -> MutexGuard<'_, ()> {
        let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(key);
        let shard = usize::try_from(hash % SHARDS as u64).unwrap_or(0);
        self.locks[shard].lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn folding(&self) -> bool {
        self.folding.get().copied().unwrap_or(false)
    }

    /// Remembers what a probe found; the first finding stays.
    pub fn set_folding(&self, folding: bool) -> bool {
        *self.folding.get_or_init(|| folding)
    }

    pub fn folding_known(&self) -> bool {
        self.folding.get().is_some()
    }

    /// Whether a name that is there already is found in the other case too. `None` when no name tells.
    fn folding_seen(&self) -> Result<Option<bool>> {
        let dir = self.folder(b"").map_err(|errno| failed(errno, &self.shown(b"")))?;
        for entry in entries(&dir).map_err(|errno| failed(errno, &self.shown(b"")))?.take(1_000).flatten() {
            let name = entry.file_name().to_bytes();
            let swapped: Vec<u8> = name.iter().map(|b| swap_case(*b)).collect();
            if swapped != name {
                let found = stat(&dir, &swapped).is_ok();
                return Ok(Some(found && !holds_exactly(&dir, &swapped).unwrap_or(true)));
            }
        }
        Ok(None)
    }

    /// A folder below the root, to look things up in; the root for the empty path.
    pub fn folder(&self, path: &[u8]) -> Result<OwnedFd, Errno> {
        self.beneath(path, OFlags::PATH | OFlags::DIRECTORY)
    }

    /// A file below the root, for reading.
    pub fn file(&self, path: &[u8]) -> Result<File, Errno> {
        self.beneath(path, OFlags::RDONLY | OFlags::NONBLOCK).map(File::from)
    }

    fn beneath(&self, path: &[u8], flags: OFlags) -> Result<OwnedFd, Errno> {
        let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let path = if path.is_empty() { &b"."[..] } else { path };
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        match openat2(&self.root, path, flags, Mode::empty(), resolve) {
            Err(Errno::NOSYS | Errno::PERM | Errno::NAMETOOLONG | Errno::AGAIN) => self.walk(path, flags),
            other => other,
        }
    }

    /// One name at a time, for older kernels and paths longer than a call takes.
    fn walk(&self, path: &[u8], flags: OFlags) -> Result<OwnedFd, Errno> {
        let mut names = path.split(|b| *b == b'/').peekable();
        let step = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut here = openat(&self.root, c".", step, Mode::empty())?;
        while let Some(name) = names.next() {
            if name == b".." || name.is_empty() {
                return Err(Errno::LOOP);
            }
            let flags = if names.peek().is_some() { step } else { flags };
            here = openat(&here, name, flags, Mode::empty())?;
        }
        Ok(here)
    }

    /// The path as a human knows it.
    pub fn shown(&self, path: &[u8]) -> String {
        self.path.join(String::from_utf8_lossy(path).as_ref()).to_string_lossy().into_owned()
    }
}

fn open_failed(error: std::io::Error, shown: &str) -> Error {
    let error = match Errno::from_io_error(&error) {
        Some(Errno::NOENT) => Error::new(ErrorKind::BucketNotFound, format!("there is no folder {shown}"))
            .help("check the path"),
        Some(Errno::NOTDIR | Errno::EXIST) if !std::path::Path::new(shown).is_file() => {
            Error::new(ErrorKind::InvalidConfig, format!("{shown} can't be a folder: a file lies in its way"))
                .help("check the path")
        }
        Some(Errno::NOTDIR | Errno::EXIST) => {
            Error::new(ErrorKind::InvalidConfig, format!("{shown} is a file, and a folder is needed")).help(
                "name a folder; to move one file alone, name its folder and add --include with its name",
            )
        }
        _ => io_failed(error, shown),
    };
    error.during(Operation::Open)
}

fn swap_case(b: u8) -> u8 {
    if b.is_ascii_lowercase() { b.to_ascii_uppercase() } else { b.to_ascii_lowercase() }
}

/// What a name stands for; links are not followed.
pub(crate) fn stat(dir: impl AsFd, name: &[u8]) -> Result<Stat, Errno> {
    statat(dir, name, AtFlags::SYMLINK_NOFOLLOW)
}

/// The kind of what a name stands for.
pub(crate) fn kind(dir: impl AsFd, name: &[u8]) -> Result<Kind, Errno> {
    match stat(dir, name) {
        Ok(stat) => Ok(kind_of(&stat)),
        Err(Errno::NOENT) => Ok(Kind::Absent),
        Err(errno) => Err(errno),
    }
}

pub(crate) fn kind_of(stat: &Stat) -> Kind {
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => Kind::File,
        FileType::Directory => Kind::Folder,
        _ => Kind::Special,
    }
}

/// The state of an open file; an error unless it is a regular one.
pub(crate) fn file_stat(file: &File) -> Result<Stat, Errno> {
    let stat = fstat(file)?;
    if kind_of(&stat) == Kind::File { Ok(stat) } else { Err(Errno::NOENT) }
}

/// The names in a folder, in no order, without `.` and `..`.
pub(crate) fn entries(
    dir: &OwnedFd,
) -> Result<impl Iterator<Item = Result<rustix::fs::DirEntry, Errno>>, Errno> {
    let dots = |entry: &Result<rustix::fs::DirEntry, Errno>| {
        !entry.as_ref().is_ok_and(|entry| matches!(entry.file_name().to_bytes(), b"." | b".."))
    };
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(Dir::new(openat(dir, c".", flags, Mode::empty())?)?.filter(dots))
}

/// Whether a name stands in the folder letter by letter.
pub(crate) fn holds_exactly(dir: &OwnedFd, name: &[u8]) -> Result<bool, Errno> {
    for entry in entries(dir)? {
        if entry?.file_name().to_bytes() == name {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Makes the folder's entries durable. A file system that can't sync folders keeps them in its own way.
pub(crate) fn sync_folder(dir: &OwnedFd) -> Result<(), Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    match openat(dir, c".", flags, Mode::empty()).and_then(fsync) {
        Err(Errno::INVAL | Errno::ACCESS | Errno::OPNOTSUPP) => Ok(()),
        other => other,
    }
}
