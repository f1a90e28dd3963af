//! What is set.

use std::ffi::OsString;
use std::path::PathBuf;

/// Where jobs are kept, and what supervises them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessConfig {
    /// The folder of the jobs; created for this user alone where there is none.
    pub folder: PathBuf,
    /// The program, with its first arguments, that calls [`supervise`](crate::supervise) with the path given after them.
    pub supervisor: Vec<OsString>,
}
