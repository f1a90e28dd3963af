//! How a trial ends, and the checks that end it.

use std::fmt;

use cabotage_core::{Error, ErrorKind, Result, display_text};

/// How a trial ends when nothing is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The store did what it has to.
    Passed,
    /// The store declares that it can't, so nothing was asked of it; with what it declares.
    Skipped(String),
}

impl Outcome {
    pub(crate) fn skipped<T>(reason: impl Into<String>) -> Result<Self, T> {
        Ok(Self::Skipped(reason.into()))
    }
}

/// What a store did wrong, in one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure(String);

impl Failure {
    /// A failure of that text; foreign text in it is escaped.
    #[must_use]
    pub fn new(text: impl AsRef<str>) -> Self {
        Self(display_text(text.as_ref()))
    }

    /// The same failure, with where it happened before it.
    #[must_use]
    pub fn within(self, place: impl AsRef<str>) -> Self {
        Self(format!("{}: {}", display_text(place.as_ref()), self.0))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Failure {}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self(format!("unexpected error {error:?}"))
    }
}

/// The result of a trial.
pub(crate) type Verdict = Result<Outcome, Failure>;

/// Fails the trial unless the condition holds.
macro_rules! check {
    ($condition:expr, $($text:tt)+) => {
        if !$condition {
            return Err($crate::Failure::new(format!($($text)+)));
        }
    };
}

/// Fails the trial unless both are equal.
macro_rules! same {
    ($found:expr, $wanted:expr, $($text:tt)+) => {
        match (&$found, &$wanted) {
            (found, wanted) => {
                if found != wanted {
                    let what = format!($($text)+);
                    return Err($crate::Failure::new(format!("{what}: found {found:?}, wanted {wanted:?}")));
                }
            }
        }
    };
}

/// Fails unless the result is an error of one of those kinds.
pub(crate) fn refused<T>(
    result: Result<T>,
    kinds: &[ErrorKind],
    what: impl AsRef<str>,
) -> Result<Error, Failure> {
    let what = what.as_ref();
    match result {
        Ok(_) => Err(Failure::new(format!("{what}: succeeded, wanted {kinds:?}"))),
        Err(error) if kinds.contains(&error.kind()) => Ok(error),
        Err(error) => Err(Failure::new(format!("{what}: wanted {kinds:?}, got {error:?}"))),
    }
}

/// Fails unless the result is an error, of whatever kind.
pub(crate) fn fails<T>(result: Result<T>, what: impl AsRef<str>) -> Result<Error, Failure> {
    match result {
        Ok(_) => Err(Failure::new(format!("{}: succeeded, and must not", what.as_ref()))),
        Err(error) => Ok(error),
    }
}
