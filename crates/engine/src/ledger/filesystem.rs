//! On what a ledger may lie, and how much room there is.

use std::path::Path;

use cabotage_core::{Error, ErrorKind, Operation, Result};

/// File systems over a network: SQLite's log needs memory that processes share, and locks that hold.
const NETWORK: [&str; 26] = [
    "nfs",
    "nfs4",
    "cifs",
    "smb3",
    "smbfs",
    "9p",
    "afs",
    "ceph",
    "glusterfs",
    "lustre",
    "gpfs",
    "beegfs",
    "ocfs2",
    "gfs2",
    "davfs",
    "fuse.sshfs",
    "fuse.s3fs",
    "fuse.rclone",
    "fuse.glusterfs",
    "fuse.gcsfuse",
    "fuse.blobfuse",
    "fuse.blobfuse2",
    "fuse.ceph",
    "fuse.goofys",
    "fuse.mountpoint-s3",
    "fuse.davfs",
];

/// Bytes of the state folder's disk that new work leaves free, so that what is under way can be recorded.
pub(crate) const RESERVE: u64 = 64 << 20;
/// Bytes of a row with a name of 50 bytes or so, as measured with a million rows; see `LEDGER.md`.
pub(crate) const BYTES_PER_ROW: u64 = 400;

/// Refuses a state folder on a network file system.
///
/// # Errors
/// `InvalidConfig` naming the file system.
pub(super) fn refuse_network(folder: &Path) -> Result<()> {
    match std::fs::read_to_string("/proc/self/mountinfo").ok().zip(folder.canonicalize().ok()) {
        Some((mounts, folder)) => refuse_type(&folder, type_of(&mounts, &folder).as_deref()),
        // Systems without that file tell it in no common way.
        None => Ok(()),
    }
}

fn refuse_type(folder: &Path, kind: Option<&str>) -> Result<()> {
    let Some(kind) = kind.filter(|kind| NETWORK.contains(kind)) else { return Ok(()) };
    let text =
        format!("the state folder is on a network file system ({kind}), on which a ledger would break");
    Err(Error::new(ErrorKind::InvalidConfig, text)
        .during(Operation::Ledger)
        .about(folder.to_string_lossy())
        .help("name a folder on a disk of this machine with --state"))
}

/// The type of the file system at that path, by the text of `/proc/self/mountinfo` (proc(5)): the mount point that is the
/// longest ancestor, and of equal ones the last, which hides the others.
fn type_of(mounts: &str, path: &Path) -> Option<String> {
    let mut best: Option<(usize, &str)> = None;
    for line in mounts.lines() {
        let Some((left, right)) = line.split_once(" - ") else { continue };
        let Some(point) = left.split(' ').nth(4) else { continue };
        let point = unescaped(point);
        if path.starts_with(&point) && best.is_none_or(|(len, _)| point.len() >= len) {
            best = right.split(' ').next().map(|kind| (point.len(), kind));
        }
    }
    best.map(|(_, kind)| kind.to_owned())
}

/// Blank, tab, newline and backslash are written in octal.
fn unescaped(text: &str) -> String {
    text.replace("\\040", " ").replace("\\011", "\t").replace("\\012", "\n").replace("\\134", "\\")
}

/// Bytes that this user can still write to the disk of that path; none where the system doesn't tell.
#[must_use]
pub fn free_space(path: &Path) -> Option<u64> {
    #[cfg(unix)]
    {
        let stat = rustix::fs::statvfs(path).ok()?;
        Some(stat.f_bavail.saturating_mul(stat.f_frsize))
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        None
    }
}

/// The failure of a disk that has less than the reserve.
pub(super) fn too_little(folder: &Path, free: u64) -> Error {
    let text = format!(
        "the disk of the state folder has {} MiB left, and the ledger keeps {} MiB free",
        free >> 20,
        RESERVE >> 20
    );
    Error::new(ErrorKind::NoSpace, text)
        .during(Operation::Ledger)
        .about(folder.to_string_lossy())
        .help("free some space and run again, or move the state folder to a larger disk; what is recorded stays valid")
}

/// How many bytes are missing for the rows that are still to come; none when they fit.
#[must_use]
pub(crate) fn missing_for(rows: u64, free: u64) -> Option<u64> {
    let needed = rows.saturating_mul(BYTES_PER_ROW).saturating_add(RESERVE);
    needed.checked_sub(free).filter(|missing| *missing > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "\
22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
30 27 0:40 / /mnt/nas rw - nfs4 nas:/export rw
31 30 0:41 / /mnt/nas/local rw - xfs /dev/vdb rw
32 27 0:42 / /mnt/my\\040files rw - fuse.sshfs me@host:/ rw
33 27 0:43 / /mnt/twice rw - xfs /dev/vdc rw
34 33 0:44 / /mnt/twice rw - cifs //host/share rw";

    #[test]
    fn what_lies_where() {
        for (path, kind, refused) in [
            ("/var/lib/state", "ext4", false),
            ("/mnt/nas", "nfs4", true),
            ("/mnt/nas/deep/er", "nfs4", true),
            ("/mnt/nas/local/x", "xfs", false),
            ("/mnt/nasty", "ext4", false),
            ("/mnt/my files/x", "fuse.sshfs", true),
            ("/mnt/twice/x", "cifs", true),
        ] {
            let path = Path::new(path);
            let found = type_of(MOUNTS, path);
            assert_eq!(found.as_deref(), Some(kind), "{}", path.display());
            let checked = refuse_type(path, found.as_deref());
            assert_eq!(checked.is_err(), refused, "{}", path.display());
            if let Err(error) = checked {
                assert_eq!(error.kind(), ErrorKind::InvalidConfig);
                assert!(error.to_string().contains(kind) && error.advice().unwrap().contains("--state"));
            }
        }
        assert!(refuse_type(Path::new("/x"), None).is_ok(), "what can't be told is let pass");
    }

    #[test]
    fn room_for_rows() {
        assert_eq!(missing_for(1_000, RESERVE + 1_000 * BYTES_PER_ROW), None);
        assert_eq!(missing_for(1_000, RESERVE + 1_000 * BYTES_PER_ROW - 1), Some(1));
        assert!(missing_for(u64::MAX, u64::MAX - 1).is_some());
        assert!(free_space(Path::new("/")).is_some());
    }
}
