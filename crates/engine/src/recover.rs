//! What an earlier run of this job left open: uploads to abort, writes whose outcome is not known.

use std::collections::HashMap;

use cabotage_core::{ErrorKind, Key, Result, UploadId, WriteOptions};
use futures::TryStreamExt as _;

use crate::{Event, Intent, Ledger, Observer, Side, guards};

/// Uploads that started this much before their intent, by the server's clock, are still taken as ours.
const CLOCK_TOLERANCE_SECONDS: i64 = 300;
/// So long after its intent an upload may have started, retries of the request included; then its id was recorded.
const STARTED_WITHIN_SECONDS: i64 = 3_600;

/// Aborts the uploads and removes the probe objects that an earlier run left, and returns its unfinished intents by name.
///
/// Only uploads that are in the ledger are aborted, and those of a key whose intent was recorded, whose id was not
/// (the run died in between) and that started soon after the intent.
///
/// # Errors
/// Those of the ledger. What can't be aborted stays recorded for the next run and is told.
pub(crate) async fn recover(
    ledger: &Ledger,
    destination: &Side,
    observer: &dyn Observer,
) -> Result<HashMap<String, Intent>> {
    let uploads = ledger.uploads().await?;
    let (probes, intents): (Vec<_>, Vec<_>) = ledger.intents().await?.into_iter().partition(guards::is_probe);
    for probe in &probes {
        if guards::remove(destination, &Key::new(format!("{}{}", destination.prefix, probe.name))?, observer)
            .await
        {
            ledger.drop_intent(&probe.name).await?;
        }
    }
    let mut aborted = 0_u64;
    for upload in &uploads {
        if abort(destination, &upload.name, &upload.id, observer).await {
            ledger.upload_ended(&upload.name).await?;
            aborted += 1;
        }
    }
    let recorded = |intent: &Intent| uploads.iter().any(|upload| upload.name == intent.name);
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

async fn abort(destination: &Side, name: &str, id: &UploadId, observer: &dyn Observer) -> bool {
    let Ok(key) = Key::new(format!("{}{name}", destination.prefix)) else { return true };
    let aborted = match destination.store.resume_upload(&key, id, WriteOptions::default()).await {
        Ok(upload) => upload.abort().await,
        Err(error) => Err(error),
    };
    match aborted {
        Ok(()) => true,
        Err(error) if error.kind() == ErrorKind::NotFound => true,
        Err(error) => {
            observer.event(&Event::Warning(format!(
                "an upload that an earlier run left open could not be aborted: {error}"
            )));
            false
        }
    }
}

/// Aborts the uploads of exactly that key that began soon after the intent.
async fn abort_unrecorded(destination: &Side, intent: &Intent, observer: &dyn Observer) -> u64 {
    let key = format!("{}{}", destination.prefix, intent.name);
    let intended = intent.started.as_second();
    let then = intended - CLOCK_TOLERANCE_SECONDS..=intended + STARTED_WITHIN_SECONDS;
    let open: Vec<_> = match destination.store.list_uploads(&key).try_collect().await {
        Ok(open) => open,
        Err(error) => {
            tracing::debug!(%error, "uploads can't be listed");
            return 0;
        }
    };
    let mut aborted = 0;
    for upload in open {
        let ours = upload.key.as_str() == key
            && upload.started.is_some_and(|started| then.contains(&started.as_second()));
        if ours && abort(destination, &intent.name, &upload.id, observer).await {
            aborted += 1;
        }
    }
    aborted
}
