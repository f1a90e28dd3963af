//! Lists both ends anew, joins them with the ledger, and has every name examined, as many at once as allowed.

use std::sync::Arc;

use cabotage_core::{Error, ErrorKind, RawKey, Result};
use futures::{StreamExt as _, stream::BoxStream};
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument as _;

use super::context::Context;
use super::examine::examine;
use super::proof::{Examined, Finding, FindingKind};
use super::tally::Tally;
use crate::dispatch::{GRACE, Halts};
use crate::join::{JoinSide, Joined, Span};
use crate::ranges::{self, Ends};
use crate::{Ledger, spans};

/// What became of one name.
enum Swept {
    Examined(Box<Examined>),
    Excluded,
    Gone,
}

/// Runs to the end, to a stop, or to what lets nothing go on, which is noted in the totals.
pub(super) async fn sweep(context: &Arc<Context>, ledger: &Ledger, halts: &Halts, tally: &mut Tally) {
    let names = names(context, ledger).take_until(halts.drain.clone().cancelled_owned());
    let concurrency = context.options.concurrency;
    let mut swept =
        std::pin::pin!(names.map(|joined| handle(Arc::clone(context), joined)).buffer_unordered(concurrency));
    let mut over = std::pin::pin!(async {
        tokio::select! {
            () = halts.abort.cancelled() => {}
            () = async { halts.drain.cancelled().await; tokio::time::sleep(GRACE).await } => {}
        }
    });
    loop {
        let next = tokio::select! {
            biased;
            () = &mut over => break,
            next = swept.next() => next,
        };
        context.progress.seen();
        let taken = match next {
            None => break,
            Some(Ok(Swept::Examined(examined))) => tally.take(&examined),
            Some(Ok(Swept::Excluded)) => {
                tally.totals.excluded += 1;
                Ok(())
            }
            Some(Ok(Swept::Gone)) => {
                tally.totals.gone += 1;
                Ok(())
            }
            // It waited for an end that is down, and the user doesn't.
            Some(Err(error)) if error.kind() == ErrorKind::Cancelled && halts.drain.is_cancelled() => Ok(()),
            Some(Err(error)) => Err(error),
        };
        if let Err(error) = taken {
            // What is in flight is finished first.
            tally.totals.stop(error);
            halts.drain.cancel();
        }
    }
    let halted = halts.drain.is_cancelled() || halts.abort.is_cancelled();
    tally.totals.complete = !halted && tally.totals.stopped.is_none();
    context.progress.listing_done();
}

fn names(context: &Context, ledger: &Ledger) -> BoxStream<'static, Result<Joined>> {
    let ends = Ends { source: &context.source, destination: &context.destination };
    ranges::joined(ends, ledger.clone(), &context.options.state_dir, false, Span::default())
}

/// A task of its own, so that hashing uses all processors.
async fn handle(context: Arc<Context>, joined: Result<Joined>) -> Result<Swept> {
    let candidate = match joined? {
        Joined::Candidate(candidate) => candidate,
        Joined::Bad { side, key } => return Ok(no_key(&context, side, &key)),
    };
    if !context.options.selection.takes(&candidate.name) {
        return Ok(Swept::Excluded);
    }
    let size = candidate.source.as_ref().map_or(0, |source| source.size);
    let span = spans::of_object(&tracing::Span::current(), "compare", size);
    let task = tokio::spawn(async move { examine(&context, candidate).await }.instrument(span));
    let examined = AbortOnDropHandle::new(task)
        .await
        .map_err(|error| Error::new(ErrorKind::Internal, "a comparison was cut off").caused_by(error))?;
    Ok(examined?.map_or(Swept::Gone, |examined| Swept::Examined(Box::new(examined))))
}

/// A name that is no key has no counterpart at the other end.
fn no_key(context: &Context, side: JoinSide, key: &RawKey) -> Swept {
    let raw = String::from_utf8_lossy(key.as_bytes());
    let prefix = match side {
        JoinSide::Source => &context.source.prefix,
        JoinSide::Destination => &context.destination.prefix,
    };
    if !context.options.selection.takes(raw.strip_prefix(prefix.as_str()).unwrap_or(&raw)) {
        return Swept::Excluded;
    }
    let text =
        "a name that is no key (not UTF-8, a link, a device, a folder that can't be read) can't be compared";
    let examined = Examined::new(key.display().into(), 0);
    let examined = match side {
        JoinSide::Source => {
            context.progress.listed(0);
            examined.with(Finding::new(FindingKind::NotProven, text))
        }
        JoinSide::Destination => {
            Examined { at_source: false, ..examined }.with(Finding::new(FindingKind::Extra, text))
        }
    };
    Swept::Examined(Box::new(examined))
}
