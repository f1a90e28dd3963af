//! What the source keeps beside its objects and no run moves: counted beside the run, in requests of its own.

use std::collections::BTreeMap;
use std::fmt;

use cabotage_core::{LossName, RemnantKind, RemnantStream, Result};
use futures::TryStreamExt as _;
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;
use tracing::Instrument as _;

use crate::{Event, LossCount, Observer, Selection, Side, Stop};

/// Snapshots, older versions and deleted objects that are left behind at the source, one by one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remnants {
    /// Snapshots of objects.
    pub snapshots: u64,
    /// Older versions of objects.
    pub versions: u64,
    /// What was deleted and can still be restored.
    pub deleted: u64,
}

impl Remnants {
    fn of(&mut self, kind: RemnantKind) -> &mut u64 {
        match kind {
            RemnantKind::Snapshot => &mut self.snapshots,
            RemnantKind::Version => &mut self.versions,
            RemnantKind::Deleted => &mut self.deleted,
        }
    }

    fn rows(&self) -> impl Iterator<Item = (u64, &'static str, LossName)> {
        [
            (self.snapshots, "snapshots", RemnantKind::Snapshot.loss()),
            (self.versions, "older versions", RemnantKind::Version.loss()),
            (self.deleted, "deleted objects that could be restored", RemnantKind::Deleted.loss()),
        ]
        .into_iter()
        .filter(|(count, ..)| *count > 0)
    }

    /// Adds them to the losses that were let pass.
    pub(crate) fn add_to(&self, losses: &mut BTreeMap<LossName, LossCount>) {
        for (count, _, name) in self.rows() {
            losses.entry(name).or_default().accepted += count;
        }
    }
}

impl fmt::Display for Remnants {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, (count, what, name)) in self.rows().enumerate() {
            let separator = if number == 0 { "" } else { ", " };
            write!(f, "{separator}{what}: {count} ({name})")?;
        }
        Ok(())
    }
}

/// The count, under way. Dropped, it ends.
pub(crate) struct Counting(Option<JoinSet<Result<Remnants>>>);

impl Counting {
    /// Begins to count what lies under the source's prefix and the selection takes, unless that is not wanted. Of a list
    /// of names it can't be told: listings know prefixes only.
    pub(crate) fn start(source: &Side, selection: &Selection, wanted: bool) -> Self {
        if !wanted || selection.keys_from.is_some() {
            return Self(None);
        }
        let listing = source.probe.as_ref().and_then(|probe| probe.remnants(&source.prefix));
        let (prefix, selection) = (source.prefix.clone(), selection.clone());
        let mut task = JoinSet::new();
        let counting = async move {
            match listing {
                Some(listing) => count(listing, &prefix, &selection).await,
                None => Ok(Remnants::default()),
            }
        };
        task.spawn(counting.in_current_span());
        Self(Some(task))
    }

    /// Waits for the count, unless the run is to end early, and tells of it. `None`: it was not made, or not to its end.
    pub(crate) async fn finish(self, stop: &Stop, observer: &dyn Observer) -> Option<Remnants> {
        let mut task = self.0?;
        let counted = tokio::select! {
            biased;
            () = stop.drain.cancelled() => return None,
            () = stop.abort.cancelled() => return None,
            counted = task.join_next() => counted?,
        };
        let warn = |text: String| observer.event(&Event::Warning(text));
        match counted.ok()? {
            Ok(remnants) => {
                if remnants != Remnants::default() {
                    warn(format!(
                        "the source keeps more than its objects, and that was not moved: {remnants}"
                    ));
                }
                Some(remnants)
            }
            Err(error) => {
                warn(format!(
                    "snapshots, older versions and deleted objects of the source were not counted: {error}"
                ));
                None
            }
        }
    }
}

async fn count(mut listing: RemnantStream, prefix: &str, selection: &Selection) -> Result<Remnants> {
    let mut remnants = Remnants::default();
    while let Some(found) = listing.try_next().await? {
        if found.key.as_str().strip_prefix(prefix).is_some_and(|name| selection.takes(name)) {
            *remnants.of(found.kind) += 1;
        }
    }
    Ok(remnants)
}

#[cfg(test)]
mod tests {
    use cabotage_core::{Error, ErrorKind, Key, Remnant};
    use futures::StreamExt as _;

    use super::*;

    fn listing(items: Vec<Result<Remnant>>) -> RemnantStream {
        futures::stream::iter(items).boxed()
    }

    fn remnant(key: &str, kind: RemnantKind) -> Result<Remnant> {
        Ok(Remnant { key: Key::new(key).unwrap(), kind })
    }

    #[tokio::test]
    async fn only_what_the_selection_takes() {
        let selection = Selection::new(&[], &["*.tmp".into()], None).unwrap();
        let items = vec![
            remnant("p/a", RemnantKind::Snapshot),
            remnant("p/a", RemnantKind::Snapshot),
            remnant("p/b.tmp", RemnantKind::Snapshot),
            remnant("p/c", RemnantKind::Deleted),
        ];
        let counted = count(listing(items), "p/", &selection).await.unwrap();
        assert_eq!(counted, Remnants { snapshots: 2, versions: 0, deleted: 1 });
        assert_eq!(
            counted.to_string(),
            "snapshots: 2 (snapshot-not-moved), deleted objects that could be restored: 1 (deleted-not-moved)"
        );
        let mut losses = BTreeMap::new();
        counted.add_to(&mut losses);
        assert_eq!(
            losses.keys().map(|name| name.as_str()).collect::<Vec<_>>(),
            ["snapshot-not-moved", "deleted-not-moved"]
        );
        let broken =
            vec![remnant("p/a", RemnantKind::Version), Err(Error::new(ErrorKind::PermissionDenied, "no"))];
        assert!(count(listing(broken), "p/", &selection).await.is_err(), "half a count is none");
    }
}
