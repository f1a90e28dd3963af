//! Objects that go in parts: ranges read at once, each part hashed for itself and the whole in order.
//!
//! Memory is taken in the order of offsets, so the part whose turn it is to be hashed always holds its memory: the
//! chain can't starve. A part's memory is given back when it is both sent and hashed. Then it is recorded, so that a later
//! attempt or run goes on from it.

use std::sync::Arc;

use cabotage_core::{
    Disposition, Error, ErrorKind, PartInfo, Result, Scope, Support, Timestamp, Upload, WriteMode,
    WriteOptions, Written, disposition,
};
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tracing::Instrument as _;

use super::chain::{Turn, closed};
use super::part::{Brought, Part, Share};
use super::resume::{self, Standing};
use super::{Prepared, Receipt, look_first, recognise};
use crate::content_sha256::ContentHasher;
use crate::context::Context;
use crate::plan::Cut;
use crate::{ContentSha256, DigestForm, Intent};

pub(super) async fn copy(context: &Context, prepared: &Prepared, cut: Cut) -> Result<Receipt> {
    let capabilities = context.destination.store.capabilities();
    let enforced = capabilities.preconditions.complete == Support::Enforced;
    let mode = if enforced { prepared.options.mode.clone() } else { WriteMode::Replace };
    let options = WriteOptions { mode, ..prepared.options.clone() };
    let opened = resume::open(context, prepared, cut, options).await;
    let (upload, standing) = opened.map_err(|e| e.on(&prepared.destination_key))?;
    let (error, sha256) = match fill(context, prepared, cut, &upload, standing).await {
        Ok((parts, sha256)) => match complete(context, prepared, upload.as_ref(), &parts, enforced).await {
            Ok(written) => {
                context.ledger.upload_ended(&prepared.name).await?;
                return Ok(Receipt { sha256, written, found: false });
            }
            Err(error) => (error, Some(sha256)),
        },
        Err(error) => (error, None),
    };
    if !may_go_on(error.kind()) {
        give_up(context, prepared, upload.as_ref(), &error).await?;
    }
    match (error.kind(), sha256) {
        // Something is in its place: perhaps what a completion has left whose reply was lost.
        (ErrorKind::PreconditionFailed | ErrorKind::NotFound, Some(sha256)) => {
            recognise(context, prepared, sha256).await
        }
        _ => Err(error.on(&prepared.destination_key)),
    }
}

/// Whether the next attempt or run can go on from what was sent: the trouble was not with the upload or the object.
fn may_go_on(kind: ErrorKind) -> bool {
    use Disposition::{PauseEndpoint, Retry, StopRun};
    match kind {
        ErrorKind::Protocol | ErrorKind::Internal => false,
        ErrorKind::CredentialsExpired => true,
        _ => matches!(disposition(kind, Scope::Object), Retry | PauseEndpoint | StopRun),
    }
}

/// Aborts what can't be completed; a later run does it where this one can't.
async fn give_up(context: &Context, prepared: &Prepared, upload: &dyn Upload, error: &Error) -> Result<()> {
    tracing::debug!(%error, "giving up an upload");
    match upload.abort().await {
        Ok(()) => context.ledger.upload_ended(&prepared.name).await,
        Err(error) => {
            tracing::warn!(%error, "an upload could not be aborted; the next run tries again");
            Ok(())
        }
    }
}

/// Sends all parts; then the digest of the content is in the ledger.
async fn fill(
    context: &Context,
    prepared: &Prepared,
    cut: Cut,
    upload: &Arc<dyn Upload>,
    standing: Standing,
) -> Result<(Vec<PartInfo>, ContentSha256)> {
    let (parts, sha256) = send_parts(context, prepared, cut, upload, standing).await?;
    context.ledger.intend(intent(prepared, Some(sha256))).await?;
    Ok((parts, sha256))
}

async fn complete(
    context: &Context,
    prepared: &Prepared,
    upload: &dyn Upload,
    parts: &[PartInfo],
    enforced: bool,
) -> Result<Written> {
    if !enforced {
        look_first(context, prepared).await?;
    }
    upload.complete(parts).await
}

pub(super) fn intent(prepared: &Prepared, sha256: Option<ContentSha256>) -> Intent {
    Intent {
        name: prepared.name.to_string(),
        source_etag: prepared.source.etag.clone(),
        size: prepared.source.size,
        sha256,
        multipart: true,
        started: Timestamp::now(),
    }
}

/// Sends the parts that are missing and hashes the content. The first failure ends the others.
async fn send_parts(
    context: &Context,
    prepared: &Prepared,
    cut: Cut,
    upload: &Arc<dyn Upload>,
    standing: Standing,
) -> Result<(Vec<PartInfo>, ContentSha256)> {
    let mut tasks = JoinSet::new();
    let sent = send_each(context, prepared, cut, upload, standing, &mut tasks).await;
    // None of them may record a part after the upload was given up and another took its place.
    tasks.shutdown().await;
    let (mut parts, hashed) = sent?;
    parts.sort_unstable_by_key(|part| part.info.number);
    let sha256 = if prepared.form == cut.form() {
        ContentSha256::of_parts(cut.part, parts.iter().map(|part| part.sha256))
    } else {
        hashed.await.map_err(closed)?.finish()
    };
    Ok((parts.into_iter().map(|part| part.info).collect(), sha256))
}

async fn send_each(
    context: &Context,
    prepared: &Prepared,
    cut: Cut,
    upload: &Arc<dyn Upload>,
    standing: Standing,
    tasks: &mut JoinSet<Result<Brought>>,
) -> Result<(Vec<Brought>, oneshot::Receiver<ContentHasher>)> {
    let Standing { hasher, hashed, mut kept, digests } = standing;
    let share = Arc::new(Share::new(context, prepared, upload, hashed, digests));
    let (first, mut turn) = oneshot::channel();
    let _ = first.send(match prepared.form {
        DigestForm::Whole => ContentHasher::Whole(hasher),
        form @ DigestForm::Composite { .. } => ContentHasher::new(form),
    });
    let mut parts = Vec::with_capacity(cut.count() as usize);
    for number in 1..=cut.count() {
        let held = kept.remove(&number);
        let known = share.digest(number).zip(held.clone()).filter(|_| number <= hashed);
        if let Some((sha256, info)) = known {
            parts.push(Brought { info, sha256 });
            continue;
        }
        while let Some(done) = tasks.try_join_next() {
            parts.push(joined(done)?);
        }
        let range = cut.range(number);
        let memory = context.memory.take(range.end - range.start).await?;
        let slot = Arc::clone(&context.parts).acquire_owned().await.map_err(closed)?;
        let in_chain = (number > hashed).then(|| {
            let (next, next_turn) = oneshot::channel();
            Turn { mine: std::mem::replace(&mut turn, next_turn), next }
        });
        let part = Part { share: Arc::clone(&share), number, range, held };
        tasks.spawn(
            async move {
                let _held = (memory, slot);
                part.bring(in_chain).await
            }
            .in_current_span(),
        );
    }
    while let Some(done) = tasks.join_next().await {
        parts.push(joined(done)?);
    }
    Ok((parts, turn))
}

fn joined(done: std::result::Result<Result<Brought>, tokio::task::JoinError>) -> Result<Brought> {
    done.map_err(|error| Error::new(ErrorKind::Internal, "a part's task ended early").caused_by(error))?
}
