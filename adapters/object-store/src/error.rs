//! Errors of `object_store` in the terms of the core.

use std::error::Error as StdError;
use std::io;

use cabotage_core::{Error as CoreError, ErrorKind};
use object_store::Error;

/// The error itself is not kept as the cause, since whoever prints it would print what is left out of the text.
pub(crate) fn core_error(error: &Error) -> CoreError {
    let kind = kind(error);
    CoreError::new(kind, without_queries(&error.to_string()))
}

/// That of a read: what can't be held isn't there.
pub(crate) fn read_error(error: &Error) -> CoreError {
    let error = core_error(error);
    let kind = if error.kind() == ErrorKind::KeyRejected { ErrorKind::NotFound } else { error.kind() };
    error.into_kind(kind)
}

fn kind(error: &Error) -> ErrorKind {
    match error {
        Error::NotFound { .. } => ErrorKind::NotFound,
        Error::AlreadyExists { .. } | Error::Precondition { .. } | Error::NotModified { .. } => {
            ErrorKind::PreconditionFailed
        }
        Error::PermissionDenied { .. } => ErrorKind::PermissionDenied,
        Error::Unauthenticated { .. } => ErrorKind::Unauthenticated,
        Error::NotSupported { .. } | Error::NotImplemented { .. } => ErrorKind::Unsupported,
        Error::InvalidPath { .. } => ErrorKind::KeyRejected,
        Error::UnknownConfigurationKey { .. } => ErrorKind::InvalidConfig,
        other => cause(other),
    }
}

/// A `Generic` error says nothing of its kind, so the causes are looked at: a file system's, or a connection's. What is left
/// may have been the server's, and is tried again.
fn cause(error: &Error) -> ErrorKind {
    let mut next: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(error) = next {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            return match error.kind() {
                io::ErrorKind::NotFound => ErrorKind::NotFound,
                io::ErrorKind::PermissionDenied => ErrorKind::PermissionDenied,
                // An object can't be a folder too.
                io::ErrorKind::InvalidFilename
                | io::ErrorKind::IsADirectory
                | io::ErrorKind::NotADirectory => ErrorKind::KeyRejected,
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ErrorKind::NoSpace,
                io::ErrorKind::TimedOut => ErrorKind::Timeout,
                io::ErrorKind::ConnectionRefused => ErrorKind::Unreachable,
                _ => ErrorKind::Interrupted,
            };
        }
        next = error.source();
    }
    ErrorKind::Unavailable
}

/// Texts of HTTP stores name URLs, and a URL's query may hold a signature.
fn without_queries(text: &str) -> String {
    let word = |word: &str| match word.split_once('?') {
        Some((place, _)) if place.contains("://") => format!("{place}?…"),
        _ => word.to_owned(),
    };
    text.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn generic(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Error {
        Error::Generic { store: "test", source: source.into() }
    }

    #[test]
    fn kinds_by_cause() {
        for (error, kind) in [
            (generic("anything"), ErrorKind::Unavailable),
            (generic(io::Error::from(io::ErrorKind::StorageFull)), ErrorKind::NoSpace),
            (generic(io::Error::from(io::ErrorKind::InvalidFilename)), ErrorKind::KeyRejected),
            (generic(io::Error::from(io::ErrorKind::ConnectionReset)), ErrorKind::Interrupted),
            (generic(generic(io::Error::from(io::ErrorKind::TimedOut))), ErrorKind::Timeout),
            (Error::NotModified { path: "k".into(), source: "x".into() }, ErrorKind::PreconditionFailed),
        ] {
            let shown = format!("{error:?}");
            assert_eq!(core_error(&error).kind(), kind, "{shown}");
        }
    }

    #[test]
    fn no_signature_is_shown() {
        let error = core_error(&generic("GET https://h/c/k?sv=1&sig=secret failed, why?"));
        let shown = error.to_string();
        assert!(!shown.contains("secret"), "{shown}");
        assert!(shown.contains("https://h/c/k?…") && shown.contains("why?"), "{shown}");
    }
}
