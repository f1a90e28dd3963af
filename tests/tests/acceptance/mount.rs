//! Small file systems in memory, and files that fill them.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A small file system in memory; gone when dropped.
pub(crate) struct Mount(String);

impl Mount {
    pub(crate) fn new(folder: &str, options: &str) -> Self {
        std::fs::create_dir_all(folder).unwrap();
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", options, "tmpfs", folder]).status();
        assert!(mounted.unwrap().success(), "mounting worked at the start of the tests");
        Self(folder.to_owned())
    }

    /// Gives it another size (`16m`).
    pub(crate) fn resize(&self, size: &str) {
        let options = format!("remount,size={size}");
        let resized = Command::new("mount").args(["-o", &options, &self.0]).status();
        assert!(resized.unwrap().success(), "the mounted folder can't be resized");
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

/// A file that takes all the room that its file system has; gone when dropped.
pub(crate) struct Filler(PathBuf);

impl Filler {
    pub(crate) fn new(folder: &Path) -> Self {
        let path = folder.join("filler");
        let mut file = File::create(&path).unwrap();
        for block in [vec![0_u8; 1 << 20], vec![0_u8; 4096]] {
            while file.write_all(&block).is_ok() {}
        }
        Self(path)
    }
}

impl Drop for Filler {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}
