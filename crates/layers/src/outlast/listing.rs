//! Listings that outlast an outage.

use std::time::Duration;

use cabotage_core::{Error, ListItem, ListScope, ListStream, Operation, Result, UploadInfo};
use futures::StreamExt as _;
use futures::stream::BoxStream;

use super::Line;
use super::gate::Pass;
use crate::resume_body::{is_worth_a_retry, random_part};
use crate::resume_list::Place;

/// How often in a row a listing is taken up again that broke off while its endpoint answers, and the longest pause before.
const ATTEMPTS: u32 = 3;
const PAUSE: Duration = Duration::from_secs(2);

pub(super) fn list(line: Line, scope: ListScope) -> ListStream {
    let place = Place::new(scope, line.inner.capabilities().list_order);
    let listing = Listing { line, place, stream: None, pass: None, attempts: 0, failed: false };
    futures::stream::unfold(listing, |mut listing| async move {
        let item = listing.next().await?;
        Some((item, listing))
    })
    .boxed()
}

struct Listing {
    line: Line,
    place: Place,
    stream: Option<ListStream>,
    /// Held until the first item of a stream tells that it is answered.
    pass: Option<Pass>,
    attempts: u32,
    failed: bool,
}

impl Listing {
    async fn next(&mut self) -> Option<Result<ListItem>> {
        while !self.failed {
            match self.step().await {
                Ok(Some(item)) if !self.place.takes(&item) => {}
                Ok(item) => return item.map(Ok),
                Err(error) => {
                    if let Err(error) = self.take_up(error).await {
                        self.failed = true;
                        return Some(Err(error.during(Operation::List)));
                    }
                }
            }
        }
        None
    }

    async fn step(&mut self) -> Result<Option<ListItem>> {
        let stream = match &mut self.stream {
            Some(stream) => stream,
            None => {
                if self.pass.is_none() {
                    self.pass = Some(self.line.enter(Operation::List).await?);
                }
                self.stream.insert(self.line.inner.list(self.place.scope()))
            }
        };
        let item = stream.next().await.transpose()?;
        if let Some(pass) = self.pass.take() {
            self.line.gate.listed();
            self.line.gate.answered(pass);
        }
        self.attempts = if item.is_some() { 0 } else { self.attempts };
        Ok(item)
    }

    /// Makes ready to go on after the last item, or gives the error that ends the listing.
    async fn take_up(&mut self, error: Error) -> Result<()> {
        self.stream = None;
        let pass = self.pass.take().unwrap_or_default();
        let worth_it = is_worth_a_retry(&error);
        if !self.place.is_known() {
            return Err(error);
        }
        match self.line.gate.failed(pass, error, &self.line).await {
            Ok((pass, _)) => self.pass = Some(pass),
            Err(error) if worth_it && self.attempts < ATTEMPTS => {
                self.attempts += 1;
                tracing::debug!(%error, attempt = self.attempts, "taking up a listing again");
                tokio::time::sleep(random_part(PAUSE)).await;
            }
            Err(error) => return Err(error),
        }
        self.place.resume();
        Ok(())
    }
}

/// Open uploads; an outage is outlasted until the first is told.
pub(super) fn uploads(line: Line, prefix: String) -> BoxStream<'static, Result<UploadInfo>> {
    let first = async move {
        let open = || async {
            let mut stream = line.inner.list_uploads(&prefix);
            let first = stream.next().await.transpose()?;
            Ok(futures::stream::iter(first.map(Ok)).chain(stream).boxed())
        };
        let opened: Result<BoxStream<'static, Result<UploadInfo>>> = line.call(Operation::Upload, open).await;
        opened.unwrap_or_else(|error| futures::stream::iter([Err(error)]).boxed())
    };
    futures::stream::once(first).flatten().boxed()
}
