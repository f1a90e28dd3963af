//! Candidates from a list of names instead of from listings.

use std::sync::Arc;

use cabotage_core::{Detail, Error, ErrorKind, Result, StorageExt as _};
use futures::stream::{self, BoxStream, StreamExt as _};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::sync::mpsc;

use crate::join::{Candidate, Joined};
use crate::tally::send;
use crate::{Class, KeysFile, Ledger, Outcome, Side};

/// Names looked up at once.
const LOOKUPS: usize = 16;

/// Reads the names and looks each up at both ends; in the file's order. A name that neither the source nor the ledger knows
/// goes straight to the outcomes, as a failure.
///
/// # Errors
/// `InvalidConfig` when the file can't be read or holds a name that is no UTF-8.
pub(crate) async fn candidates(
    file: &KeysFile,
    source: Side,
    destination: Side,
    ledger: Ledger,
    outcomes: mpsc::Sender<Outcome>,
) -> Result<BoxStream<'static, Result<Joined>>> {
    let path = file.path.to_string_lossy().into_owned();
    let opened = tokio::fs::File::open(&file.path).await.map_err(|error| {
        Error::new(ErrorKind::InvalidConfig, format!("the list of keys can't be read: {error}")).about(&path)
    })?;
    let separator = if file.null_separated { 0 } else { b'\n' };
    let names =
        stream::try_unfold((BufReader::new(opened).split(separator), path), |(mut lines, path)| async move {
            let read = lines.next_segment().await.map_err(|error| unreadable(&path, &error.to_string()))?;
            let Some(bytes) = read else { return Ok(None) };
            let name = String::from_utf8(bytes).map_err(|_| unreadable(&path, "a name is not UTF-8"))?;
            Ok(Some((name, (lines, path))))
        });
    let looked_up = names
        .map(move |name| look_up(name, source.clone(), destination.clone(), ledger.clone(), outcomes.clone()))
        .buffered(LOOKUPS)
        .filter_map(|item| std::future::ready(item.transpose()));
    Ok(looked_up.boxed())
}

fn unreadable(path: &str, reason: &str) -> Error {
    Error::new(ErrorKind::InvalidConfig, format!("the list of keys can't be read: {reason}")).about(path)
}

async fn look_up(
    name: Result<String>,
    source: Side,
    destination: Side,
    ledger: Ledger,
    outcomes: mpsc::Sender<Outcome>,
) -> Result<Option<Joined>> {
    let name = name?;
    if name.is_empty() {
        return Ok(None);
    }
    let key = |side: &Side| cabotage_core::Key::new(format!("{}{name}", side.prefix));
    let (source_key, destination_key) = (key(&source)?, key(&destination)?);
    let row = ledger.row(&name).await?;
    let there = match destination.store.capabilities().accepts(&destination_key) {
        Ok(()) => destination.store.find(&destination_key, Detail::Basic).await?,
        Err(_) => None,
    };
    let found = source.store.find(&source_key, Detail::WithTags).await?;
    if found.is_none() && row.is_none() {
        let error = Error::new(ErrorKind::NotFound, "the list of keys names it, the source doesn't have it")
            .on(&source_key);
        send(&outcomes, Outcome::because(Arc::from(name), 0, Class::Failed, error)).await?;
        return Ok(None);
    }
    Ok(Some(Joined::Candidate(Candidate { name: Arc::from(name), source: found, destination: there, row })))
}
