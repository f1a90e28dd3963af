//! Errors say what was done to what, and names in them are escaped.

use std::sync::Arc;

use cabotage_core::{Error, ErrorKind, Key, Operation, display_key};

use crate::check::{Verdict, refused};
use crate::{Failure, Outcome, Trial};

pub(super) fn trials() -> Vec<Trial> {
    trials! { "errors": name_operation_and_key, names_are_escaped, ids_are_stable }
}

fn says(error: &Error, operation: Operation, key: &Key) -> Result<(), Failure> {
    same!(error.operation(), Some(operation), "the operation of {error:?}");
    same!(error.subject(), Some(display_key(key.as_str()).as_str()), "the subject of {error:?}");
    Ok(())
}

async fn name_operation_and_key(place: Arc<crate::Place>) -> Verdict {
    let key = place.key("missing")?;
    let kinds = [ErrorKind::NotFound];
    says(&refused(place.head(&key).await, &kinds, "a head")?, Operation::Head, &key)?;
    says(&refused(place.get(&key).await, &kinds, "a read")?, Operation::Read, &key)?;
    Ok(Outcome::Passed)
}

/// Whether the name is refused or just not there: no control character reaches the text.
async fn names_are_escaped(place: Arc<crate::Place>) -> Verdict {
    let key = place.key("esc\u{1b}[31m\u{202e}line\nfeed")?;
    let kinds = [ErrorKind::NotFound, ErrorKind::KeyRejected];
    let error = refused(place.get(&key).await, &kinds, "a read")?;
    let text = format!("{error} {error:?}");
    check!(
        !text.chars().any(|c| c.is_control() || c == '\u{202e}'),
        "raw characters in {}",
        text.escape_debug()
    );
    Ok(Outcome::Passed)
}

async fn ids_are_stable(place: Arc<crate::Place>) -> Verdict {
    same!(place.store.id(), place.store.id(), "the store's id");
    check!(!place.store.id().0.is_empty(), "the store's id is empty");
    check!(!place.store.to_string().is_empty(), "the store has no name for a human");
    Ok(Outcome::Passed)
}
