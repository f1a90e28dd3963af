//! The one error.
//!
//! Rules: `kind` decides what happens next (see [`disposition`](crate::disposition)); the message says what
//! happened, `subject` to what, `help` what to do. Foreign text (a server's message, a key) goes in escaped.
//! Never put a secret into any of them.

use std::error::Error as StdError;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Key, display_key, display_text};

/// `Result` with the one [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What kind of failure it was. Names are stable: reports and ledgers hold them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ErrorKind {
    /// The server asked to slow down (429, 503 SlowDown, ServerBusy).
    Throttled,
    /// The server failed (5xx).
    Unavailable,
    /// No answer in time.
    Timeout,
    /// The connection broke off.
    Interrupted,
    /// A body was shorter or longer than declared.
    Truncated,
    /// Bytes do not match the digest sent with them.
    DigestMismatch,
    /// The reply can't be understood.
    Protocol,
    /// The credentials have expired.
    CredentialsExpired,
    /// The source object changed while it was read.
    SourceChanged,
    /// No such object, or no such job.
    NotFound,
    /// A precondition (If-Match, If-None-Match) was not met.
    PreconditionFailed,
    /// The destination holds an object that this ledger did not write.
    DestinationConflict,
    /// The store can't hold that name.
    KeyRejected,
    /// Larger than the store's or the run's limit.
    TooLarge,
    /// The store can't do or hold that.
    Unsupported,
    /// Not allowed for this object or operation.
    PermissionDenied,
    /// Read back, the object differs.
    VerifyMismatch,
    /// Archived: not readable until restored.
    Archived,
    /// The endpoint can't be reached (refused, unresolvable, TLS).
    Unreachable,
    /// The whole account or network is denied (firewall).
    AccountDenied,
    /// The credentials are missing or wrong.
    Unauthenticated,
    /// No such bucket or container.
    BucketNotFound,
    /// The configuration or command line is wrong.
    InvalidConfig,
    /// A job of that name is in the way: another one, or one that still runs.
    JobConflict,
    /// Another run holds the ledger.
    LedgerHeld,
    /// The ledger belongs to another job or a newer version.
    LedgerConflict,
    /// The ledger is damaged.
    LedgerCorrupt,
    /// No space left.
    NoSpace,
    /// A listing repeats, goes backwards or leaves its prefix.
    ListingBroken,
    /// The run was stopped by the user.
    Cancelled,
    /// A defect of this program.
    Internal,
}

impl ErrorKind {
    /// The stable name, kebab-case.
    #[must_use]
    pub fn name(self) -> String {
        let mut out = String::new();
        for c in format!("{self:?}").chars() {
            if c.is_ascii_uppercase() && !out.is_empty() {
                out.push('-');
            }
            out.push(c.to_ascii_lowercase());
        }
        out
    }
}

/// What was being done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Operation {
    /// Opening a store.
    Open,
    /// Listing.
    List,
    /// Reading an object's attributes.
    Head,
    /// Reading tags.
    ReadTags,
    /// Reading a body.
    Read,
    /// Writing an object in one request.
    Write,
    /// Starting, resuming or listing uploads.
    Upload,
    /// Writing a part.
    WritePart,
    /// Completing an upload.
    Complete,
    /// Aborting an upload.
    Abort,
    /// Setting attributes or tags.
    SetAttributes,
    /// Copying within the store.
    Copy,
    /// Deleting.
    Delete,
    /// Presigning.
    Presign,
    /// Probing what a server enforces.
    Probe,
    /// Work on the ledger.
    Ledger,
    /// Starting, watching or ending a job.
    Job,
}

impl Operation {
    /// Every operation there is, in the order of their declaration.
    pub const ALL: [Self; 17] = [
        Self::Open,
        Self::List,
        Self::Head,
        Self::ReadTags,
        Self::Read,
        Self::Write,
        Self::Upload,
        Self::WritePart,
        Self::Complete,
        Self::Abort,
        Self::SetAttributes,
        Self::Copy,
        Self::Delete,
        Self::Presign,
        Self::Probe,
        Self::Ledger,
        Self::Job,
    ];

    /// A short stable name for machines: `write_part`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::List => "list",
            Self::Head => "head",
            Self::ReadTags => "read_tags",
            Self::Read => "read",
            Self::Write => "write",
            Self::Upload => "upload",
            Self::WritePart => "write_part",
            Self::Complete => "complete",
            Self::Abort => "abort",
            Self::SetAttributes => "set_attributes",
            Self::Copy => "copy",
            Self::Delete => "delete",
            Self::Presign => "presign",
            Self::Probe => "probe",
            Self::Ledger => "ledger",
            Self::Job => "job",
        }
    }

    /// As a verb phrase for messages: "reading".
    #[must_use]
    pub fn phrase(self) -> &'static str {
        match self {
            Self::Open => "opening",
            Self::List => "listing",
            Self::Head => "reading the attributes of",
            Self::ReadTags => "reading the tags of",
            Self::Read => "reading",
            Self::Write => "writing",
            Self::Upload => "uploading",
            Self::WritePart => "writing a part of",
            Self::Complete => "completing the upload of",
            Self::Abort => "aborting the upload of",
            Self::SetAttributes => "setting the attributes of",
            Self::Copy => "copying",
            Self::Delete => "deleting",
            Self::Presign => "presigning",
            Self::Probe => "probing",
            Self::Ledger => "keeping the ledger",
            Self::Job => "the job",
        }
    }
}

/// What failed: kind, operation, subject, message, help, context pairs and source.
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    operation: Option<Operation>,
    subject: Option<String>,
    message: String,
    help: Option<String>,
    context: Vec<(&'static str, String)>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// A failure of that kind. The message is escaped for a terminal.
    #[must_use]
    pub fn new(kind: ErrorKind, message: impl AsRef<str>) -> Self {
        Self(Box::new(Inner {
            kind,
            operation: None,
            subject: None,
            message: display_text(message.as_ref()),
            help: None,
            context: Vec::new(),
            source: None,
        }))
    }

    /// Says what was being done; the innermost statement stays.
    #[must_use]
    pub fn during(mut self, operation: Operation) -> Self {
        self.0.operation.get_or_insert(operation);
        self
    }

    /// Says to which object; the innermost statement stays.
    #[must_use]
    pub fn on(mut self, key: &Key) -> Self {
        self.0.subject.get_or_insert_with(|| display_key(key.as_str()));
        self
    }

    /// Says to what other thing (a bucket, a file); the innermost statement stays.
    #[must_use]
    pub fn about(mut self, subject: impl AsRef<str>) -> Self {
        self.0.subject.get_or_insert_with(|| display_text(subject.as_ref()));
        self
    }

    /// Says what the user can do next.
    #[must_use]
    pub fn help(mut self, help: impl AsRef<str>) -> Self {
        self.0.help = Some(display_text(help.as_ref()));
        self
    }

    /// Adds a fact, such as `("request-id", …)`.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl AsRef<str>) -> Self {
        self.0.context.push((name, display_text(value.as_ref())));
        self
    }

    /// Keeps what caused it.
    #[must_use]
    pub fn caused_by(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// The same failure under another kind, for a layer that knows more (a 404 that means the bucket).
    #[must_use]
    pub fn into_kind(mut self, kind: ErrorKind) -> Self {
        self.0.kind = kind;
        self
    }

    /// Its kind.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// What was being done.
    #[must_use]
    pub fn operation(&self) -> Option<Operation> {
        self.0.operation
    }

    /// To what, escaped for a human.
    #[must_use]
    pub fn subject(&self) -> Option<&str> {
        self.0.subject.as_deref()
    }

    /// What happened, without subject and help.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// What to do next.
    #[must_use]
    pub fn advice(&self) -> Option<&str> {
        self.0.help.as_deref()
    }

    /// The facts added with [`with`](Self::with).
    #[must_use]
    pub fn context(&self) -> &[(&'static str, String)] {
        &self.0.context
    }

    /// The value of one fact.
    #[must_use]
    pub fn fact(&self, name: &str) -> Option<&str> {
        self.0.context.iter().find(|(n, _)| *n == name).map(|(_, v)| v.as_str())
    }
}

impl fmt::Display for Error {
    /// One line: `reading a/b: message (name: value); help`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &self.0;
        match (inner.operation, &inner.subject) {
            (Some(operation), Some(subject)) => write!(f, "{} {subject}: ", operation.phrase())?,
            (None, Some(subject)) => write!(f, "{subject}: ")?,
            _ => {}
        }
        f.write_str(&inner.message)?;
        if !inner.context.is_empty() {
            f.write_str(" (")?;
            for (i, (name, value)) in inner.context.iter().enumerate() {
                write!(f, "{}{name}: {value}", if i == 0 { "" } else { ", " })?;
            }
            f.write_str(")")?;
        }
        if let Some(help) = &inner.help {
            write!(f, "; {help}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Error({}: {self}", self.0.kind.name())?;
        if let Some(source) = &self.0.source {
            write!(f, " <- {}", display_text(&source.to_string()))?;
        }
        f.write_str(")")
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_with_everything_escaped() {
        let key = Key::new("a\n\u{1b}[0m").unwrap();
        let error = Error::new(ErrorKind::NotFound, "no such\nobject")
            .during(Operation::Read)
            .on(&key)
            .with("status", "404")
            .help("check the name")
            .caused_by(std::io::Error::other("inner"));
        assert_eq!(
            error.to_string(),
            "reading a\\n\\u{1b}[0m: no such\\nobject (status: 404); check the name"
        );
        assert!(format!("{error:?}").contains("not-found"));
        assert_eq!(error.fact("status"), Some("404"));
    }

    #[test]
    fn the_innermost_statement_stays() {
        let error =
            Error::new(ErrorKind::Timeout, "late").about("inner").about("outer").during(Operation::List);
        assert_eq!(error.during(Operation::Read).to_string(), "listing inner: late");
    }

    #[test]
    fn names_are_those_of_serde() {
        for kind in [ErrorKind::DigestMismatch, ErrorKind::NotFound, ErrorKind::LedgerHeld] {
            assert_eq!(serde_json::to_string(&kind).unwrap(), format!("\"{}\"", kind.name()));
        }
    }
}
