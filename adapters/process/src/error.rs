//! Failures of the system as errors of a job.

use std::io;

use cabotage_core::compute::JobName;
use cabotage_core::{Error, ErrorKind, Operation};

/// A failure of a file or process of a job.
pub(crate) fn of_io(doing: &str, error: io::Error) -> Error {
    let kind = match error.kind() {
        io::ErrorKind::NotFound => ErrorKind::NotFound,
        io::ErrorKind::PermissionDenied => ErrorKind::PermissionDenied,
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ErrorKind::NoSpace,
        _ => ErrorKind::Unavailable,
    };
    Error::new(kind, format!("{doing}: {error}")).during(Operation::Job).caused_by(error)
}

pub(crate) fn no_such_job(name: &JobName) -> Error {
    Error::new(ErrorKind::NotFound, "there is no such job").during(Operation::Job).about(name.as_str())
}

/// Work that was cut off on its thread.
pub(crate) fn cut_off(error: tokio::task::JoinError) -> Error {
    Error::new(ErrorKind::Internal, "work on the job's folder was cut off")
        .during(Operation::Job)
        .caused_by(error)
}
