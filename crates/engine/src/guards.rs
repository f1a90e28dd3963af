//! What the destination enforces: asked before the first write, with requests that must fail.

use cabotage_core::{
    Detail, Disposition, ETag, Error, ErrorKind, Key, Operation, Payload, Result, Scope, Storage,
    StorageExt as _, Support, Timestamp, WriteMode, WriteOptions, Written, display_key, disposition,
};

use crate::attempts::patiently;
use crate::job::is_nested;
use crate::{Event, Guards, Intent, Ledger, Observer, Side, remove_wholly};

/// How probe objects' names begin, under the destination's prefix.
pub(crate) const PROBE_NAME: &str = ".cabotage-probe-";

/// Whether a name beneath the destination's prefix is that of a probe object.
pub(crate) fn is_probe_name(name: &str) -> bool {
    name.starts_with(PROBE_NAME)
}

/// Asks the destination, under random names of our own, and removes what it wrote. A name is in the ledger before, so that
/// a run that dies here leaves nothing behind that the next wouldn't remove.
///
/// 1. A write with a wrong digest must be refused.
/// 2. A second create-only write must be refused.
/// 3. Under a customer's key (SSE-C), an object must be readable with that key alone.
/// 4. A write with a stale If-Match must be refused, and one with the current ETag taken.
///
/// On the way it makes sure that what is written to the destination doesn't appear at the source: the same bucket
/// under two names.
///
/// A failure in passing may look like a condition that is rejected, and would cost the run that guard. So each request is
/// sent again after one, and a rejection is believed when it is all that comes.
///
/// # Errors
/// What keeps any write from succeeding: no right, no bucket, no space.
pub(crate) async fn ask(
    source: &Side,
    destination: &Side,
    ledger: &Ledger,
    observer: &dyn Observer,
) -> Result<Guards> {
    let asked = || patiently(|| ask_once(source, destination, ledger, observer));
    match asked().await {
        // A probe's own request doesn't wait for an end that is down; the removal after it has.
        Err(error) if disposition(error.kind(), Scope::Store) == Disposition::PauseEndpoint => asked().await,
        result => result,
    }
}

async fn ask_once(
    source: &Side,
    destination: &Side,
    ledger: &Ledger,
    observer: &dyn Observer,
) -> Result<Guards> {
    let name = format!("{PROBE_NAME}{:032x}", rand::random::<u128>());
    let key = Key::new(format!("{}{name}", destination.prefix))?;
    ledger.intend(intent(&name)).await?;
    let told = |error: Error| error.during(Operation::Probe).about(&destination.label);
    let guards = ask_under(source, destination, &key).await.map_err(told);
    if remove(destination, &key, observer).await {
        ledger.drop_intent(&name).await?;
    }
    guards
}

/// What a run that dies while it asks leaves to the next: the probe object's name.
fn intent(name: &str) -> Intent {
    Intent {
        name: name.into(),
        source_etag: None,
        size: 0,
        sha256: None,
        multipart: false,
        started: Timestamp::now(),
    }
}

/// Whether an intent is that of a probe object.
pub(crate) fn is_probe(intent: &Intent) -> bool {
    is_probe_name(&intent.name) && intent.source_etag.is_none() && !intent.multipart
}

/// Removes a probe object, which may not be there; false when it may be left.
pub(crate) async fn remove(destination: &Side, key: &Key, observer: &dyn Observer) -> bool {
    let error = match remove_wholly(destination.store.as_ref(), destination.probe.as_deref(), key).await {
        Err(error) => error,
        Ok(kept) => {
            if let Some(error) = kept {
                observer.event(&Event::Note(format!(
                    "the probe object {} is hidden and stays as an old version, which the destination doesn't let go: {}",
                    display_key(key.as_str()),
                    error.message()
                )));
            }
            return true;
        }
    };
    // Without the right to delete it matters only if something was written. After any other failure the next run tries
    // again: a look may not show yet what was written.
    if error.kind() == ErrorKind::PermissionDenied
        && matches!(destination.store.find(key, Detail::Basic).await, Ok(None))
    {
        return true;
    }
    observer.event(&Event::Warning(format!("a probe object may be left at the destination: {error}")));
    false
}

async fn ask_under(source: &Side, destination: &Side, key: &Key) -> Result<Guards> {
    let store = destination.store.as_ref();
    let digest = match &destination.probe {
        Some(probe) => probe.wrong_digest(key).await?,
        None => Support::Unknown,
    };
    use ErrorKind::{PreconditionFailed, Protocol, Unsupported};
    let written = match put(store, key, "cabotage", WriteMode::Create).await {
        // Nobody else knows that name: either the body with the wrong digest was stored, and the right to delete it is missing,
        // or a reply was lost. Or create-only writes are rejected as such, which the next step finds out.
        Err(error) if matches!(error.kind(), PreconditionFailed | Unsupported | Protocol) => {
            put(store, key, "cabotage", WriteMode::Replace).await?
        }
        result => result?,
    };
    ask_customer_key(destination, key).await?;
    ask_preconditions(source, destination, key, written.etag, digest).await
}

/// Under a customer's key, the object just written must be kept by it.
async fn ask_customer_key(destination: &Side, key: &Key) -> Result<()> {
    let (Some(id), Some(probe)) = (&destination.store.capabilities().customer_key, &destination.probe) else {
        return Ok(());
    };
    match probe.customer_key(key).await? {
        Support::Enforced => Ok(()),
        _ => {
            let message = format!(
                "the destination gave an object away that was written with the SSE-C key {id}, without that key: it doesn't encrypt with it"
            );
            Err(Error::new(ErrorKind::InvalidConfig, message)
                .help("choose a destination that supports SSE-C, or leave the key out"))
        }
    }
}

async fn ask_preconditions(
    source: &Side,
    destination: &Side,
    key: &Key,
    etag: Option<ETag>,
    digest: Support,
) -> Result<Guards> {
    let store = destination.store.as_ref();
    refuse_same_store(source, destination, key).await?;
    let again = put(store, key, "again", WriteMode::Create).await;
    // A server that stored it told the state that is there now.
    let etag = again.as_ref().map_or(etag, |written| written.etag.clone());
    let create = must_fail(again.map(drop))?;
    let stale = WriteMode::IfMatch(ETag::new("00000000000000000000000000000000"));
    let mut if_match = must_fail(put(store, key, "stale", stale).await.map(drop))?;
    // Ceph RGW 16 refuses every If-Match where a bucket keeps versions, and takes every create-only write.
    if let (Support::Enforced, Some(etag)) = (if_match, etag)
        && !takes_current(store, key, etag).await?
    {
        if_match = Support::Rejected;
    }
    Ok(Guards { digest, create, if_match })
}

/// Whether a write under the current ETag is taken. After a refusal it is asked for once more, under the ETag that is there
/// then: the reply of the first may have been lost.
async fn takes_current(store: &dyn Storage, key: &Key, etag: ETag) -> Result<bool> {
    let write = |etag| put(store, key, "current", WriteMode::IfMatch(etag));
    if must_fail(write(etag.clone()).await.map(drop))? == Support::Ignored {
        return Ok(true);
    }
    let now = patiently(|| store.find(key, Detail::Basic)).await?.and_then(|info| info.etag);
    match now.filter(|now| *now != etag) {
        Some(now) => Ok(must_fail(write(now).await.map(drop))? == Support::Ignored),
        None => Ok(false),
    }
}

async fn put(store: &dyn Storage, key: &Key, text: &str, write_mode: WriteMode) -> Result<Written> {
    patiently(|| store.write(key, Payload::from_bytes(text.to_owned()), mode(write_mode.clone()))).await
}

/// An object just written to the destination must not be seen at the source, under the same key, unless the two lie
/// beside each other.
async fn refuse_same_store(source: &Side, destination: &Side, key: &Key) -> Result<()> {
    match source.store.find(key, Detail::Basic).await {
        Ok(Some(_)) if is_nested(source, destination) => Err(Error::new(
            ErrorKind::InvalidConfig,
            "source and destination are the same bucket under two names",
        )
        .help("name two places that don't overlap")),
        // Without the right to look, the names of the stores have to do.
        _ => Ok(()),
    }
}

fn must_fail(result: Result<()>) -> Result<Support> {
    match result {
        Ok(()) => Ok(Support::Ignored),
        Err(error) => match error.kind() {
            ErrorKind::PreconditionFailed | ErrorKind::NotFound => Ok(Support::Enforced),
            ErrorKind::Unsupported | ErrorKind::Protocol => Ok(Support::Rejected),
            _ => Err(error),
        },
    }
}

fn mode(mode: WriteMode) -> WriteOptions {
    WriteOptions { mode, ..WriteOptions::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_from_a_request_that_must_fail() {
        let failed = |kind| must_fail(Err(Error::new(kind, "x")));
        assert_eq!(must_fail(Ok(())).unwrap(), Support::Ignored);
        assert_eq!(failed(ErrorKind::PreconditionFailed).unwrap(), Support::Enforced);
        assert_eq!(failed(ErrorKind::Unsupported).unwrap(), Support::Rejected);
        assert_eq!(failed(ErrorKind::PermissionDenied).unwrap_err().kind(), ErrorKind::PermissionDenied);
    }
}
