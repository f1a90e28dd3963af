//! Owners and access control lists of the source, which no destination takes: one JSON line for each object and folder.

use cabotage_core::{AccessEntry, AccessStream, Error, ErrorKind, Result};
use futures::TryStreamExt as _;
use serde::Serialize;
use tokio::task::JoinSet;
use tracing::Instrument as _;

use crate::whole_file::WholeFile;
use crate::{Job, Selection, Stop, json_line};

/// A line of the export. Names are relative to the source's prefix, and whole, as JSON spells them.
#[derive(Serialize)]
struct Line<'a> {
    key: &'a str,
    folder: bool,
    owner: &'a str,
    group: &'a str,
    permissions: &'a str,
    acl: &'a str,
}

/// The export, under way beside the run, in requests of its own. Dropped, it ends and leaves no file.
pub(crate) struct AclExport(Option<JoinSet<Result<()>>>);

impl AclExport {
    /// Begins to export what lies under the source's prefix and the selection's globs take, if that is asked for.
    ///
    /// # Errors
    /// `InvalidConfig` for a file that can't be created, and for a source that has no access lists.
    pub(crate) fn start(job: &Job) -> Result<Self> {
        let Some(path) = &job.options.acl_export else { return Ok(Self(None)) };
        let source = &job.source;
        let listing = source.probe.as_ref().and_then(|probe| probe.access_lists(&source.prefix));
        let listing = listing.ok_or_else(|| {
            let text = "the source keeps no owners and access lists of objects, so there are none to export";
            Error::new(ErrorKind::InvalidConfig, text).about(&source.label).help("leave out --acl-export")
        })?;
        let file = WholeFile::create("the export of access lists", path)?;
        let (prefix, selection) = (source.prefix.clone(), job.options.selection.clone());
        let mut task = JoinSet::new();
        task.spawn(async move { export(listing, &prefix, &selection, file).await }.in_current_span());
        Ok(Self(Some(task)))
    }

    /// Waits for its end, unless the run is to end early.
    ///
    /// # Errors
    /// Those of the listing; `NoSpace` when the file can't be written.
    pub(crate) async fn finish(self, stop: &Stop) -> Result<()> {
        let Some(mut task) = self.0 else { return Ok(()) };
        let done = tokio::select! {
            biased;
            () = stop.drain.cancelled() => return Ok(()),
            () = stop.abort.cancelled() => return Ok(()),
            done = task.join_next() => done,
        };
        match done {
            Some(Ok(exported)) => exported,
            _ => Err(Error::new(ErrorKind::Internal, "the export of access lists was cut off")),
        }
    }
}

async fn export(
    mut listing: AccessStream,
    prefix: &str,
    selection: &Selection,
    mut file: WholeFile,
) -> Result<()> {
    while let Some(entry) = listing.try_next().await? {
        if let Some(name) = entry.key.as_str().strip_prefix(prefix).filter(|name| selection.takes(name)) {
            file.write(line(name, &entry)?.as_bytes())?;
        }
    }
    file.finish()
}

fn line(key: &str, entry: &AccessEntry) -> Result<String> {
    let AccessEntry { folder, owner, group, permissions, acl, .. } = entry;
    json_line(&Line { key, folder: *folder, owner, group, permissions, acl })
}

#[cfg(test)]
mod tests {
    use cabotage_core::Key;
    use futures::StreamExt as _;

    use super::*;

    fn entry(name: &str) -> Result<AccessEntry> {
        Ok(AccessEntry {
            key: Key::new(name).unwrap(),
            folder: false,
            owner: "$superuser".into(),
            group: "g".into(),
            permissions: "rw-r-----".into(),
            acl: "user::rw-,group::r--,other::---".into(),
        })
    }

    #[tokio::test]
    async fn only_whole_and_only_what_the_selection_takes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("acl.ndjson");
        let selection = Selection::new(&[], &["*.tmp".into()], None).unwrap();
        let broken = vec![entry("p/a"), Err(Error::new(ErrorKind::PermissionDenied, "no"))];
        for (items, expected) in [
            (broken, None),
            (
                vec![entry("p/a\n"), entry("p/b.tmp")],
                Some(
                    r#"{"key":"a\n","folder":false,"owner":"$superuser","group":"g","permissions":"rw-r-----","acl":"user::rw-,group::r--,other::---"}"#,
                ),
            ),
        ] {
            let file = WholeFile::create("x", &path).unwrap();
            let done = export(futures::stream::iter(items).boxed(), "p/", &selection, file).await;
            assert_eq!(done.is_ok(), expected.is_some());
            let text = std::fs::read_to_string(&path).ok();
            assert_eq!(text.as_deref().map(str::trim_end), expected);
        }
    }
}
