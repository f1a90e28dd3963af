//! What an earlier run of this job left open: uploads in parts, writes whose outcome is not known.

use std::collections::{HashMap, HashSet};

use cabotage_core::{Error, ErrorKind, Key, Result, UploadId, WriteOptions};
use futures::TryStreamExt as _;

use crate::attempts::patiently;
use crate::context::Context;
use crate::{Event, Intent, Observer, Side, guards};

/// Uploads that started this much before their intent, by the server's clock, are still taken as ours.
const CLOCK_TOLERANCE_SECONDS: i64 = 300;
/// So long after its intent an upload may have started, retries of the request included; then its id was recorded.
const STARTED_WITHIN_SECONDS: i64 = 3_600;

/// Removes the probe objects that an earlier run left, and returns its unfinished intents by name.
///
/// Uploads that are in the ledger stay: they go on when their objects have their turn, or are aborted at the end. Those
/// of a key whose intent was recorded, whose id was not (the run died in between) and that started soon after the intent
/// are aborted: nothing is known of their parts.
///
/// # Errors
/// Those of the ledger, of listing uploads and of aborting them, but for a missing right or ability: only the intent tells
/// of such an upload, and the run would forget it.
pub(crate) async fn recover(context: &Context, observer: &dyn Observer) -> Result<HashMap<String, Intent>> {
    let Context { ledger, destination, .. } = context;
    let open: HashSet<String> = ledger.uploads().await?.into_iter().map(|upload| upload.name).collect();
    let (probes, intents): (Vec<_>, Vec<_>) = ledger.intents().await?.into_iter().partition(guards::is_probe);
    for probe in &probes {
        if guards::remove(destination, &Key::new(format!("{}{}", destination.prefix, probe.name))?, observer)
            .await
        {
            ledger.drop_intent(&probe.name).await?;
        }
    }
    if !open.is_empty() {
        let text = format!(
            "{} uploads in parts were open when an earlier run ended; they go on from their parts where they still fit",
            open.len()
        );
        observer.event(&Event::Note(text));
    }
    let mut aborted = 0;
    for intent in intents.iter().filter(|intent| is_unanswered(intent) && !open.contains(&intent.name)) {
        aborted += patiently(|| abort_begun_with(context, intent)).await?;
    }
    if aborted > 0 {
        observer.event(&Event::Note(format!("{aborted} uploads that an earlier run left open were aborted")));
    }
    if !intents.is_empty() {
        let text = format!(
            "{} objects were being written when an earlier run ended; they are looked at again",
            intents.len()
        );
        observer.event(&Event::Note(text));
    }
    Ok(intents.into_iter().map(|intent| (intent.name.clone(), intent)).collect())
}

/// Aborts what earlier attempts at that object have left open and that can't go on: a recorded upload, and one whose start
/// was never answered. Called before an upload is started, since the ledger holds one of each name.
///
/// # Errors
/// Those of the ledger, of listing uploads and of aborting them, but for a missing right or ability to list them.
pub(crate) async fn clear(context: &Context, name: &str) -> Result<()> {
    let Context { ledger, destination, .. } = context;
    if let Some(upload) = ledger.upload(name).await? {
        try_abort(destination, name, &upload.id).await?;
        ledger.upload_ended(name).await?;
    }
    abort_unanswered(context, name).await
}

/// Aborts an upload of that object whose start was never answered. Only the object's intent tells that there may be one:
/// called before another takes its place.
///
/// # Errors
/// As [`clear`].
pub(crate) async fn abort_unanswered(context: &Context, name: &str) -> Result<()> {
    let Context { ledger, .. } = context;
    let intents = ledger.intents().await?;
    let Some(intent) = intents.iter().find(|intent| intent.name == name && is_unanswered(intent)) else {
        return Ok(());
    };
    if ledger.upload(name).await?.is_none() {
        abort_begun_with(context, intent).await?;
    }
    Ok(())
}

/// Whether an upload may have been started under that intent, given that none is recorded.
fn is_unanswered(intent: &Intent) -> bool {
    intent.multipart && intent.sha256.is_none()
}

/// Aborts the uploads that may have begun with that intent, and tells how many. Where they may not be listed or aborted,
/// the report says so.
async fn abort_begun_with(context: &Context, intent: &Intent) -> Result<u64> {
    let destination = &context.destination;
    let aborted = async {
        let open = begun_with(destination, intent).await?;
        for id in &open {
            try_abort(destination, &intent.name, id).await?;
        }
        Ok::<_, Error>(open.len() as u64)
    };
    match aborted.await {
        Err(error) if matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::Unsupported) => {
            tracing::warn!(%error, name = ?intent.name, "an upload in parts may have been left open");
            context.uploads.may_be_open();
            Ok(0)
        }
        aborted => aborted,
    }
}

/// An upload that the store doesn't know any more counts as aborted.
///
/// # Errors
/// Those of the destination.
pub(crate) async fn try_abort(destination: &Side, name: &str, id: &UploadId) -> Result<()> {
    let Ok(key) = Key::new(format!("{}{name}", destination.prefix)) else { return Ok(()) };
    let aborted = match destination.store.resume_upload(&key, id, WriteOptions::default()).await {
        Ok(upload) => upload.abort().await,
        Err(error) => Err(error),
    };
    match aborted {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error.on(&key)),
        _ => Ok(()),
    }
}

/// The uploads of exactly that key that began soon after the intent, both by the destination's clock.
async fn begun_with(destination: &Side, intent: &Intent) -> Result<Vec<UploadId>> {
    let key = format!("{}{}", destination.prefix, intent.name);
    let intended = intent.started.as_second();
    let then = intended - CLOCK_TOLERANCE_SECONDS..=intended + STARTED_WITHIN_SECONDS;
    let open: Vec<_> = destination.store.list_uploads(&key).try_collect().await?;
    let ours = open.into_iter().filter(|upload| {
        upload.key.as_str() == key
            && upload.started.is_some_and(|started| then.contains(&started.as_second()))
    });
    Ok(ours.map(|upload| upload.id).collect())
}
