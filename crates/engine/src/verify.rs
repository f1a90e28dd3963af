//! After the write: is what is there what was sent?

use cabotage_core::{Detail, Error, ErrorKind, Key, Loss, ObjectInfo, Result, StorageExt as _};

use crate::attributes;
use crate::context::{Context, conflict};
use crate::transfer::{Prepared, Receipt, hash_object, sent, shape};
use crate::{ContentSha256, Row, Verdict, Verify};

/// What a look at the destination found.
#[derive(Debug)]
pub(crate) struct Checked {
    /// The object as the destination tells it.
    pub info: ObjectInfo,
    /// What came back otherwise than it was sent.
    pub losses: Vec<Loss>,
    /// What was proven.
    pub verdict: Verdict,
}

/// Compares size, ETag (against what the write returned) and attributes; reads back where that is demanded.
///
/// # Errors
/// `VerifyMismatch` naming what differs; those of a head and of reading.
pub(crate) async fn verify(context: &Context, prepared: &Prepared, receipt: &Receipt) -> Result<Checked> {
    if let Some(info) = confirmed(context, prepared, receipt).await {
        return Ok(Checked { info, losses: Vec::new(), verdict: Verdict::ServerChecked });
    }
    context.slot.take().await?;
    let key = &prepared.destination_key;
    let info = look(context, prepared, receipt).await?;
    if receipt.found {
        expect_nothing_else(prepared, &info)?;
    } else if let (Some(shape), Some(stored)) = (shape(prepared), &info.attributes) {
        context.proven.note(shape, sent(prepared), stored);
    }
    let verdict = match context.options.verify {
        Verify::ReadBack => {
            let stored = hash_object(context, key, &info, receipt.sha256.form).await?;
            compare_content(stored, receipt.sha256, key)?;
            Verdict::ReadBack
        }
        Verify::ServerChecked if context.is_server_checked() => Verdict::ServerChecked,
        Verify::ServerChecked => Verdict::StoredUnread,
    };
    let losses = attribute_losses(context, prepared, &info);
    Ok(Checked { info, losses, verdict })
}

/// The object as a listing tells it, where that is all there is to find out: it has the size and the ETag of what this run
/// wrote, and what the destination keeps of such attributes is proven.
async fn confirmed(context: &Context, prepared: &Prepared, receipt: &Receipt) -> Option<ObjectInfo> {
    let written = receipt.written.etag.as_ref().filter(|_| !receipt.found)?;
    let confirming = context.confirming.as_ref()?;
    if context.options.verify != Verify::ServerChecked || !context.is_server_checked() {
        return None;
    }
    let stored = context.proven.stored(shape(prepared)?, sent(prepared))?;
    let waiting = confirming.ask(&prepared.destination_key).await?;
    context.slot.give_back();
    let told = waiting.told().await?;
    let is_ours = told.size == prepared.source.size && told.etag.as_ref() == Some(written);
    is_ours.then_some(ObjectInfo { attributes: Some(stored), ..told })
}

/// What of the attributes sent came back otherwise.
pub(crate) fn attribute_losses(context: &Context, prepared: &Prepared, info: &ObjectInfo) -> Vec<Loss> {
    let stored = info.attributes.clone().unwrap_or_default();
    attributes::compare(sent(prepared), &stored, context.destination.store.capabilities())
}

/// What was found in an object's place may be somebody else's in spite of its content, and carry what the source's object
/// doesn't have.
///
/// # Errors
/// `DestinationConflict` when it has headers, metadata or tags that were not to be sent.
pub(crate) fn expect_nothing_else(prepared: &Prepared, info: &ObjectInfo) -> Result<()> {
    let stored = info.attributes.clone().unwrap_or_default();
    if attributes::holds_more(sent(prepared), &stored) {
        let text = "the destination holds an object of the same content with headers, metadata or tags that the source's doesn't have; it was left alone";
        return Err(conflict(text).on(&prepared.destination_key));
    }
    Ok(())
}

/// Heads the destination with the detail that the comparison needs.
pub(crate) async fn head(context: &Context, prepared: &Prepared, all: bool) -> Result<ObjectInfo> {
    let tagged = sent(prepared).tags.as_ref().is_some_and(|tags| !tags.is_empty());
    let detail = if tagged || all { Detail::WithTags } else { Detail::Basic };
    let found = context.destination.store.find(&prepared.destination_key, detail).await?;
    found.ok_or_else(|| mismatch("the object was written and is not there").on(&prepared.destination_key))
}

async fn look(context: &Context, prepared: &Prepared, receipt: &Receipt) -> Result<ObjectInfo> {
    let info = head(context, prepared, receipt.found).await?;
    if info.size != prepared.source.size {
        let text = format!("{} bytes are stored, {} were written", info.size, prepared.source.size);
        return Err(mismatch(&text).on(&prepared.destination_key));
    }
    match (&receipt.written.etag, &info.etag) {
        (Some(written), Some(stored)) if written != stored => {
            let text = format!("the stored object has the ETag {stored}, the write returned {written}");
            Err(mismatch(&text).on(&prepared.destination_key))
        }
        _ => Ok(info),
    }
}

/// Whether two digests of content, in the same form, are equal.
///
/// # Errors
/// `VerifyMismatch` with both.
pub(crate) fn compare_content(stored: ContentSha256, expected: ContentSha256, key: &Key) -> Result<()> {
    if stored == expected {
        return Ok(());
    }
    Err(mismatch(&format!("read back, the content has SHA-256 {stored}, expected {expected}")).on(key))
}

/// Whether what was read back is the content that the row records. Else the row proves nothing from now on, which a row
/// without the source's ETag says, and still tells whose the object is: the next run copies it again.
///
/// # Errors
/// `VerifyMismatch`; those of the ledger.
pub(crate) async fn expect_recorded(
    context: &Context,
    row: &Row,
    expected: ContentSha256,
    stored: ContentSha256,
    key: &Key,
) -> Result<()> {
    let Err(error) = compare_content(stored, expected, key) else { return Ok(()) };
    let row = Row { source_etag: None, verdict: Verdict::StoredUnread, ..row.clone() };
    context.ledger.record(row).await?;
    Err(error.help("run the same command again: the object is copied anew"))
}

fn mismatch(text: &str) -> Error {
    Error::new(ErrorKind::VerifyMismatch, text).help(
        "run the same command again, which copies it anew; if that happens again, the destination or the way to it spoils data",
    )
}
