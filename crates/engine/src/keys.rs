//! Candidates from a list of names instead of from listings.

use std::sync::Arc;

use cabotage_core::{
    Detail, Disposition, Error, ErrorKind, Key, ObjectInfo, Result, Scope, Storage, StorageExt as _,
    disposition,
};
use futures::stream::{self, BoxStream, StreamExt as _};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::sync::mpsc;

use crate::context::Context;
use crate::join::{Candidate, Joined};
use crate::tally::send;
use crate::{Class, KeysFile, Outcome};

/// Names looked up at once.
const LOOKUPS: usize = 16;

/// Reads the names and looks each up at both ends; in the file's order. A name that neither the source nor the ledger
/// knows, or that can't be looked up for a reason of its own, goes straight to the outcomes, as a failure.
///
/// A name that is listed twice is looked at and counted twice: the list may be as long as a bucket's.
///
/// # Errors
/// `InvalidConfig` when the file can't be read or holds a name that is no UTF-8.
pub(crate) async fn candidates(
    file: &KeysFile,
    context: Context,
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
        .map(move |name| candidate(name, context.clone(), outcomes.clone()))
        .buffered(LOOKUPS)
        .filter_map(|item| std::future::ready(item.transpose()));
    Ok(looked_up.boxed())
}

fn unreadable(path: &str, reason: &str) -> Error {
    Error::new(ErrorKind::InvalidConfig, format!("the list of keys can't be read: {reason}")).about(path)
}

async fn candidate(
    name: Result<String>,
    context: Context,
    outcomes: mpsc::Sender<Outcome>,
) -> Result<Option<Joined>> {
    let name = name?;
    if name.is_empty() {
        return Ok(None);
    }
    let error = match look_up(&context, &name).await {
        Ok(candidate) if candidate.source.is_some() || candidate.row.is_some() => {
            return Ok(Some(Joined::Candidate(candidate)));
        }
        Ok(_) => missing(&name).on(&context.source_key(&name)?),
        Err(error) if disposition(error.kind(), Scope::Object) == Disposition::FailObject => error,
        Err(error) => return Err(error),
    };
    context.progress.listed(0);
    send(&outcomes, Outcome::because(Arc::from(name), 0, Class::Failed, error)).await?;
    Ok(None)
}

/// A listed name that is nowhere.
fn missing(name: &str) -> Error {
    let error = Error::new(ErrorKind::NotFound, "the list of keys names it, the source doesn't have it");
    if !name.ends_with('\r') {
        return error;
    }
    error.help("the name ends in a carriage return: write the list with line feeds alone, or end names in NUL and give -0")
}

/// # Errors
/// Those of the ledger and of heads; `KeyRejected` for a name that the source can't hold.
async fn look_up(context: &Context, name: &str) -> Result<Candidate> {
    let row = context.ledger.row(name).await?;
    let destination = match context.destination_key(name) {
        Ok(key) => find(context.destination.store.as_ref(), &key, Detail::Basic).await?,
        Err(_) => None,
    };
    let source = find(context.source.store.as_ref(), &context.source_key(name)?, Detail::WithTags).await?;
    Ok(Candidate { name: Arc::from(name), source, destination, row })
}

async fn find(store: &dyn Storage, key: &Key, detail: Detail) -> Result<Option<ObjectInfo>> {
    store.find(key, detail).await.map_err(|error| error.on(key))
}
