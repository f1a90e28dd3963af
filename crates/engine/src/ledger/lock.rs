//! The lock that keeps two runs off one ledger.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use cabotage_core::{Error, ErrorKind, Operation, Result, Timestamp, display_text};

use super::error::of_io;

/// How often, and for how long, a lock that is held is tried once more.
const LOOKS: u32 = 5;
const LOOK: Duration = Duration::from_millis(10);

/// Held until dropped; the operating system releases it when the process dies.
///
/// The file is never deleted, since deleting a file that another process is about to lock would let two of them in.
#[derive(Debug)]
pub(super) struct Lock(File);

impl Lock {
    /// Takes the lock or says who holds it.
    pub(super) fn take(path: &Path) -> Result<Self> {
        let mut file = private_file(path).map_err(|e| of_io("opening the lock file", path, e))?;
        match try_lock(&file) {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(held(path, &mut file)),
            Err(TryLockError::Error(e)) => return Err(of_io("locking the ledger", path, e)),
        }
        write_holder(&mut file).map_err(|e| of_io("writing the lock file", path, e))?;
        Ok(Self(file))
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Who has ended holds nothing. When this fails, a stale text remains beside a free lock: harmless.
        let _ = self.0.set_len(0);
        let _ = self.0.unlock();
    }
}

/// Tries a few times: who only looks whether it is held ([`holder`]) holds it for a moment.
fn try_lock(file: &File) -> std::result::Result<(), TryLockError> {
    for _ in 0..LOOKS {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => std::thread::sleep(LOOK),
            locked => return locked,
        }
    }
    file.try_lock()
}

/// Who holds the lock, as it wrote it; none when it is free. `process 12 on host, started …`
pub(super) fn holder(path: &Path) -> std::io::Result<Option<String>> {
    let mut file = match File::open(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    match file.try_lock_shared() {
        Ok(()) => file.unlock().map(|()| None),
        Err(TryLockError::WouldBlock) => told(&mut file).map(Some),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

fn told(file: &mut File) -> std::io::Result<String> {
    let mut text = String::new();
    file.take(500).read_to_string(&mut text)?;
    Ok(text)
}

/// Opens a file for reading and writing, creating it for this user alone.
pub(super) fn private_file(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    options.open(path)
}

/// Creates a file for this user alone, which must not be there.
pub(super) fn private_new_file(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    options.open(path)
}

fn write_holder(file: &mut File) -> std::io::Result<()> {
    let now = Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ");
    file.set_len(0)?;
    file.rewind()?;
    write!(file, "process {} on {}, started {now}", std::process::id(), host_name())
}

fn held(path: &Path, file: &mut File) -> Error {
    let who = match told(file) {
        Ok(text) if !text.is_empty() => display_text(text.trim_end()),
        _ => "an unnamed process".to_owned(),
    };
    Error::new(ErrorKind::LedgerHeld, format!("another run holds this ledger: {who}"))
        .during(Operation::Ledger)
        .about(path.to_string_lossy())
        .help("wait until it has ended, or stop it; two runs can't share a source and a destination")
}

/// This machine's name where the system tells it in a file or the environment.
pub(super) fn host_name() -> String {
    std::fs::read_to_string(PathBuf::from("/proc/sys/kernel/hostname"))
        .ok()
        .or_else(|| std::env::var("HOSTNAME").ok())
        .or_else(|| std::env::var("COMPUTERNAME").ok())
        .map(|name| name.trim().to_owned())
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| "an unnamed host".to_owned())
}
