//! The text of every kind of error, with names that could act on a terminal, against a golden file.
//! `CABOTAGE_UPDATE_GOLDEN=1` writes it anew.

#![allow(clippy::unwrap_used)]

use std::fmt::Write as _;
use std::path::PathBuf;

use cabotage_core::{Disposition, Error, ErrorKind, Key, Operation, Scope, disposition};

const KINDS: [ErrorKind; 31] = {
    use ErrorKind as K;
    [
        K::Throttled,
        K::Unavailable,
        K::Timeout,
        K::Interrupted,
        K::Truncated,
        K::DigestMismatch,
        K::Protocol,
        K::CredentialsExpired,
        K::SourceChanged,
        K::NotFound,
        K::PreconditionFailed,
        K::DestinationConflict,
        K::KeyRejected,
        K::TooLarge,
        K::Unsupported,
        K::PermissionDenied,
        K::VerifyMismatch,
        K::Archived,
        K::Unreachable,
        K::AccountDenied,
        K::Unauthenticated,
        K::BucketNotFound,
        K::InvalidConfig,
        K::JobConflict,
        K::LedgerHeld,
        K::LedgerConflict,
        K::LedgerCorrupt,
        K::NoSpace,
        K::ListingBroken,
        K::Cancelled,
        K::Internal,
    ]
};

const NAMES: [(&str, &str); 9] = [
    ("newline", "a\nb\r\nc"),
    ("escape", "a\u{1b}[31mb\u{1b}]0;title\u{7}"),
    ("c1", "a\u{9b}31mb"),
    ("bidi", "exe\u{202e}txt\u{2066}"),
    ("zero width", "a\u{200b}\u{feff}b"),
    ("nul", "a\0b"),
    ("backslash", "a\\nb"),
    ("separators", "a\u{2028}b\u{85}c"),
    ("plain", "caf\u{e9} \u{1F600}/x.dcm"),
];

#[test]
fn every_kind_and_every_name() {
    let mut text = String::new();
    for (i, kind) in KINDS.into_iter().enumerate() {
        let (what, name) = NAMES[i % NAMES.len()];
        let error = Error::new(kind, format!("the server said {name}"))
            .during(Operation::Write)
            .on(&Key::new(name).unwrap())
            .with("code", name)
            .help(format!("look at {name}"));
        let line = error.to_string();
        assert!(!line.chars().any(char::is_control), "{line:?}");
        let then: Disposition = disposition(kind, Scope::Object);
        writeln!(text, "{} ({what}, {then:?})\n  {line}\n  {error:?}", kind.name()).unwrap();
    }
    let long = Error::new(ErrorKind::TooLarge, "x").on(&Key::new("\u{1b}".repeat(1_024)).unwrap());
    assert_eq!(long.to_string(), format!("{}: x", "\\u{1b}".repeat(1_024)), "a name is told whole");
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/errors.txt");
    if std::env::var_os("CABOTAGE_UPDATE_GOLDEN").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &text).unwrap();
    }
    assert_eq!(text, std::fs::read_to_string(&path).unwrap_or_default(), "{} differs", path.display());
}
