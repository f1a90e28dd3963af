//! The one table from the system's errors to kinds.

use cabotage_core::{Error, ErrorKind};
use rustix::io::Errno;

/// The error of a call on that path (as a human knows it).
pub(crate) fn failed(errno: Errno, path: &str) -> Error {
    let error =
        Error::new(kind(errno), message(errno)).with("path", path).caused_by(std::io::Error::from(errno));
    match advice(errno) {
        Some(help) => error.help(help),
        None => error,
    }
}

/// As [`failed`], for an error of the standard library.
pub(crate) fn io_failed(error: std::io::Error, path: &str) -> Error {
    match Errno::from_io_error(&error) {
        Some(errno) => failed(errno, path),
        None => Error::new(ErrorKind::Unavailable, error.to_string()).with("path", path).caused_by(error),
    }
}

fn kind(errno: Errno) -> ErrorKind {
    match errno {
        Errno::NOSPC | Errno::DQUOT => ErrorKind::NoSpace,
        Errno::ACCESS | Errno::PERM | Errno::ROFS => ErrorKind::PermissionDenied,
        Errno::NOENT | Errno::NOTDIR => ErrorKind::NotFound,
        Errno::NAMETOOLONG | Errno::LOOP | Errno::INVAL | Errno::ILSEQ => ErrorKind::KeyRejected,
        Errno::FBIG => ErrorKind::TooLarge,
        Errno::XDEV => ErrorKind::Unsupported,
        Errno::STALE => ErrorKind::Interrupted,
        _ => ErrorKind::Unavailable,
    }
}

fn message(errno: Errno) -> String {
    match errno {
        Errno::NOSPC => "the disk is full".to_owned(),
        Errno::DQUOT => "the quota is used up".to_owned(),
        Errno::ROFS => "the file system is read-only".to_owned(),
        Errno::ACCESS | Errno::PERM => "the file system denies it".to_owned(),
        Errno::NOENT | Errno::NOTDIR => "no such object".to_owned(),
        Errno::LOOP => "a symbolic link is in the way; links are not followed".to_owned(),
        Errno::INVAL | Errno::ILSEQ => "the file system can't do that with this name".to_owned(),
        Errno::NAMETOOLONG => "the name is too long for the file system".to_owned(),
        Errno::XDEV => "another file system is mounted below the root".to_owned(),
        errno => std::io::Error::from(errno).to_string(),
    }
}

fn advice(errno: Errno) -> Option<&'static str> {
    match errno {
        Errno::NOSPC | Errno::DQUOT => Some("free space or choose another disk, then run again"),
        Errno::ROFS => Some("mount it writable or choose another folder"),
        Errno::ACCESS | Errno::PERM => Some("check the owner and the permissions of the folder and the file"),
        Errno::XDEV => Some("name the mounted folder itself as the location"),
        Errno::MFILE | Errno::NFILE => Some("allow more open files (ulimit -n) or less concurrency"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table() {
        for (errno, kind, text) in [
            (Errno::NOSPC, ErrorKind::NoSpace, "the disk is full (path: a/b); free space"),
            (Errno::DQUOT, ErrorKind::NoSpace, "quota"),
            (Errno::ROFS, ErrorKind::PermissionDenied, "read-only"),
            (Errno::ACCESS, ErrorKind::PermissionDenied, "permissions"),
            (Errno::NOENT, ErrorKind::NotFound, "no such object"),
            (Errno::LOOP, ErrorKind::KeyRejected, "not followed"),
            (Errno::NAMETOOLONG, ErrorKind::KeyRejected, "too long"),
            (Errno::IO, ErrorKind::Unavailable, "a/b"),
            (Errno::MFILE, ErrorKind::Unavailable, "ulimit"),
        ] {
            let error = failed(errno, "a/b");
            assert_eq!(error.kind(), kind, "{errno}");
            assert!(error.to_string().contains(text), "{error}");
            assert_eq!(io_failed(errno.into(), "a/b").kind(), kind);
        }
    }
}
