//! Errors of the core in the terms of `object_store`.

use cabotage_core::{Error as CoreError, ErrorKind};
use object_store::Error;
use object_store::path::Path;

pub(crate) fn core_error(error: CoreError, path: &Path) -> Error {
    let (path, kind) = (path.to_string(), error.kind());
    let source = Box::new(error);
    match kind {
        ErrorKind::NotFound | ErrorKind::BucketNotFound => Error::NotFound { path, source },
        ErrorKind::PreconditionFailed => Error::Precondition { path, source },
        ErrorKind::PermissionDenied | ErrorKind::AccountDenied => Error::PermissionDenied { path, source },
        ErrorKind::Unauthenticated | ErrorKind::CredentialsExpired => Error::Unauthenticated { path, source },
        ErrorKind::Unsupported => Error::NotSupported { source },
        // The name can't be held, so there is no such object.
        ErrorKind::KeyRejected if path.is_empty() => Error::NotFound { path, source },
        ErrorKind::KeyRejected => Error::NotSupported { source },
        _ => Error::Generic { store: "cabotage", source },
    }
}

/// That of a write which needs the place to be empty.
pub(crate) fn create_error(error: CoreError, path: &Path) -> Error {
    if error.kind() == ErrorKind::PreconditionFailed {
        return Error::AlreadyExists { path: path.to_string(), source: Box::new(error) };
    }
    core_error(error, path)
}

/// That of a write which needs the place to be in a certain state.
pub(crate) fn update_error(error: CoreError, path: &Path) -> Error {
    if error.kind() == ErrorKind::NotFound {
        return Error::Precondition { path: path.to_string(), source: Box::new(error) };
    }
    core_error(error, path)
}
