//! What an earlier run of this job left open: uploads in parts, writes whose outcome is not known.

use std::collections::HashMap;

use cabotage_core::{ErrorKind, Key, Result, UploadId, WriteOptions};
use futures::TryStreamExt as _;

use crate::context::Context;
use crate::{Event, Intent, Ledger, Observer, Side, guards};

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
/// Those of the ledger. What can't be aborted stays recorded for the next run and is told.
pub(crate) async fn recover(
    ledger: &Ledger,
    destination: &Side,
    observer: &dyn Observer,
) -> Result<HashMap<String, Intent>> {
    let open = ledger.uploads().await?;
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
    let mut aborted = 0_u64;
    let recorded = |intent: &Intent| open.iter().any(|upload| upload.name == intent.name);
    let begun = |intent: &&Intent| intent.multipart && intent.sha256.is_none() && !recorded(intent);
    for intent in intents.iter().filter(begun) {
        aborted += abort_unrecorded(destination, intent, observer).await;
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
    for upload in ledger.uploads().await? {
        if upload.name == name {
            try_abort(destination, name, &upload.id).await?;
            ledger.upload_ended(name).await?;
        }
    }
    let intents = ledger.intents().await?;
    let Some(intent) = intents.iter().find(|intent| intent.name == name && intent.multipart) else {
        return Ok(());
    };
    let open = match begun_with(destination, intent).await {
        Err(error) if matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::Unsupported) => {
            return Ok(());
        }
        open => open?,
    };
    for id in open {
        try_abort(destination, name, &id).await?;
    }
    Ok(())
}

async fn abort(destination: &Side, name: &str, id: &UploadId, observer: &dyn Observer) -> bool {
    match try_abort(destination, name, id).await {
        Ok(()) => true,
        Err(error) => {
            observer.event(&Event::Warning(format!(
                "an upload that an earlier run left open could not be aborted: {error}"
            )));
            false
        }
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

/// The uploads of exactly that key that began soon after the intent.
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

async fn abort_unrecorded(destination: &Side, intent: &Intent, observer: &dyn Observer) -> u64 {
    let open = begun_with(destination, intent).await.unwrap_or_else(|error| {
        tracing::debug!(%error, "uploads can't be listed");
        Vec::new()
    });
    let mut aborted = 0;
    for id in open {
        aborted += u64::from(abort(destination, &intent.name, &id, observer).await);
    }
    aborted
}
