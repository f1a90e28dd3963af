//! Candidates from a list of names instead of from listings.

use std::future::ready;
use std::path::Path;
use std::sync::Arc;

use cabotage_core::{
    Detail, Disposition, Error, ErrorKind, Key, ListItem, ListOrder, ObjectInfo, Result, Scope, Storage,
    StorageExt as _, disposition,
};
use futures::stream::{self, BoxStream, StreamExt as _, TryStreamExt as _};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::sync::mpsc;

use crate::context::Context;
use crate::join::{Candidate, Joined};
use crate::order::{SpillOptions, in_byte_order};
use crate::tally::send;
use crate::{Class, Event, KeysFile, Observer, Outcome};

/// Names looked up at once.
const LOOKUPS: usize = 16;

/// Reads the names and looks each up at both ends, in byte order. A name that neither the source nor the ledger knows, or
/// that can't be looked up for a reason of its own, goes straight to the outcomes, as a failure.
///
/// A name that is listed more than once is taken once, and the observer is told how many there were. The list may be as long
/// as a bucket's, so it is sorted as listings are: with bounded memory, the rest in files of the state folder.
///
/// # Errors
/// `InvalidConfig` when the file can't be read or holds a name that is no UTF-8, before any name is looked up.
pub(crate) async fn candidates(
    file: &KeysFile,
    context: Context,
    outcomes: mpsc::Sender<Outcome>,
    observer: Arc<dyn Observer>,
) -> Result<BoxStream<'static, Result<Joined>>> {
    let path = file.path.to_string_lossy().into_owned();
    let opened = tokio::fs::File::open(&file.path).await.map_err(|error| {
        Error::new(ErrorKind::InvalidConfig, format!("the list of keys can't be read: {error}"))
            .about(&path)
            .help("check the path of --keys-from")
    })?;
    let separator = if file.null_separated { 0 } else { b'\n' };
    let names =
        stream::try_unfold((BufReader::new(opened).split(separator), path), |(mut lines, path)| async move {
            let read = lines.next_segment().await.map_err(|error| unreadable(&path, &error.to_string()))?;
            let Some(bytes) = read else { return Ok(None) };
            let name = String::from_utf8(bytes).map_err(|_| unreadable(&path, "a name is not UTF-8"))?;
            Ok(Some((name, (lines, path))))
        });
    let looked_up = each_once(names.boxed(), &context.options.state_dir, observer)
        .map(move |name| candidate(name, context.clone(), outcomes.clone()))
        .buffered(LOOKUPS)
        .filter_map(|item| std::future::ready(item.transpose()));
    Ok(looked_up.boxed())
}

/// The names in byte order, without repetitions and empty ones; tells in the end how many repetitions there were.
///
/// They are sorted as the one kind of item that may share its key with others.
fn each_once(
    names: BoxStream<'static, Result<String>>,
    state_dir: &Path,
    observer: Arc<dyn Observer>,
) -> BoxStream<'static, Result<String>> {
    let items = names
        .try_filter(|name| ready(!name.is_empty()))
        .and_then(|name| ready(Key::new(name).map(|key| ListItem::Version(ObjectInfo::new(key, 0)))));
    let spill = SpillOptions::in_folder(state_dir);
    let sorted = in_byte_order(items.boxed(), ListOrder::None, String::new(), spill);
    let start = (sorted, None::<Key>, 0_u64, observer);
    let once = stream::try_unfold(start, |(mut sorted, mut last, mut again, observer)| async move {
        while let Some(item) = sorted.try_next().await? {
            let ListItem::Version(ObjectInfo { key, .. }) = item else { continue };
            if last.as_ref() == Some(&key) {
                again += 1;
                continue;
            }
            last = Some(key.clone());
            return Ok(Some((key.as_str().to_owned(), (sorted, last, again, observer))));
        }
        if again > 0 {
            let lines =
                if again == 1 { "1 line repeats".to_owned() } else { format!("{again} lines repeat") };
            let text = format!("{lines} a name of the list of keys; each name is taken and counted once");
            observer.event(&Event::Warning(text));
        }
        Ok(None)
    });
    once.boxed()
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
