//! The one thread that asks the ledger, beside the one that changes it.

use cabotage_core::Result;
use futures::Stream;
use futures::stream;
use rusqlite::Connection;
use tokio::sync::mpsc;

use super::{Ledger, Row};

/// One question: runs on the reader's thread and tells its answer by itself.
pub(super) type Query = Box<dyn FnOnce(&Connection) + Send>;

/// Answers until nobody can ask any more.
pub(super) fn serve(conn: Connection, mut queries: mpsc::Receiver<Option<Query>>) {
    while let Some(Some(query)) = queries.blocking_recv() {
        query(&conn);
    }
    if let Err((_, error)) = conn.close() {
        tracing::warn!(%error, "the ledger's reader was not closed cleanly");
    }
}

/// Rows by the bytes of their names, from the one after that name, asked for `page` at a time. After an error nothing
/// follows.
///
/// Pages are separate queries: a row recorded after its page was read is not seen, one recorded further on is.
pub(crate) fn row_stream(
    ledger: Ledger,
    after: Option<&str>,
    page: usize,
) -> impl Stream<Item = Result<Row>> + Send + use<> {
    let (after, page) = (after.map(str::to_owned), page.max(1));
    let start = Pages { ledger, page, ready: Vec::new().into_iter(), after, last: false };
    stream::try_unfold(start, |mut pages| async move { Ok(pages.next().await?.map(|row| (row, pages))) })
}

struct Pages {
    ledger: Ledger,
    page: usize,
    ready: std::vec::IntoIter<Row>,
    after: Option<String>,
    last: bool,
}

impl Pages {
    async fn next(&mut self) -> Result<Option<Row>> {
        if self.ready.as_slice().is_empty() && !self.last {
            let rows = self.ledger.rows_after(self.after.as_deref(), self.page).await?;
            self.last = rows.len() < self.page;
            self.after = rows.last().map(|row| row.name.clone());
            self.ready = rows.into_iter();
        }
        Ok(self.ready.next())
    }
}
