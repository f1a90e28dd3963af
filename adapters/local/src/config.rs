//! What it takes to open a folder.

use std::path::PathBuf;

/// Which folder, and whether it may be made.
#[derive(Clone, Debug)]
pub struct LocalConfig {
    /// The folder. It may itself be reached through symbolic links; nothing below it is.
    pub root: PathBuf,
    /// Makes the folder, and those above it, if it is missing.
    pub create: bool,
}
