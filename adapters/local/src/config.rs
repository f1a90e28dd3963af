//! What it takes to open a folder.

use std::path::PathBuf;

use cabotage_core::Throttle;

/// Which folder, and whether it may be made.
#[derive(Clone, Debug, Default)]
pub struct LocalConfig {
    /// The folder. It may itself be reached through symbolic links; nothing below it is.
    pub root: PathBuf,
    /// Makes the folder, and those above it, if it is missing.
    pub create: bool,
    /// How many bytes of bodies a second, read and written; a disk has no requests to count.
    pub throttle: Throttle,
}
