//! Source and destination must not lie in each other.

use std::path::{Path, PathBuf};

use cabotage_core::{Error, ErrorKind, Result};

use crate::Opened;

/// Refuses two locations that are the same place, or of which one lies in the other.
///
/// Stores are compared by [`StoreId`](cabotage_core::StoreId), folders of this machine by canonical path (symlinks
/// resolved; of a folder that doesn't exist yet, those of its nearest ancestor that does). The same bucket under two
/// host names is not seen here: the run finds that out with its first write.
///
/// # Errors
/// `InvalidConfig` naming both.
pub fn refuse_overlap(source: &Opened, destination: &Opened) -> Result<()> {
    refuse(("source", source), ("destination", destination))
}

/// Refuses a location of sidecars that is the place of the data, or lies in it, or has it within.
///
/// # Errors
/// `InvalidConfig` naming both.
pub fn refuse_sidecars_in(side: &Opened, sidecars: &Opened) -> Result<()> {
    refuse(("sidecars", sidecars), ("data", side))
}

fn refuse(a: (&str, &Opened), b: (&str, &Opened)) -> Result<()> {
    let overlap = match (&a.1.folder, &b.1.folder) {
        (Some(a), Some(b)) => a.starts_with(b) || b.starts_with(a),
        _ => {
            a.1.store.id() == b.1.store.id()
                && (a.1.prefix.starts_with(&b.1.prefix) || b.1.prefix.starts_with(&a.1.prefix))
        }
    };
    if !overlap {
        return Ok(());
    }
    let message = format!(
        "{} {} and {} {} are the same place, or one lies in the other",
        a.0, a.1.label, b.0, b.1.label
    );
    Err(Error::new(ErrorKind::InvalidConfig, message).help("name two places that don't overlap"))
}

/// Refuses a file or folder of the run itself (its ledger, report, manifest) that lies in a folder which is moved: it
/// would be written into the source, moved as if it were data, or be taken for an object of the destination.
///
/// # Errors
/// `InvalidConfig` naming both and the flag that places it elsewhere.
pub fn refuse_inside(side: &Opened, flag: &str, path: &Path) -> Result<()> {
    let Some(folder) = &side.folder else { return Ok(()) };
    if !canonical(path)?.starts_with(folder) {
        return Ok(());
    }
    let message = format!("{} would lie in {}, which is moved", path.display(), side.label);
    Err(Error::new(ErrorKind::InvalidConfig, message).help(format!("give {flag} a place outside of it")))
}

/// The path with symlinks resolved as far as it exists; the rest is appended as it is.
///
/// # Errors
/// `InvalidConfig` when nothing of it can be resolved, or `..` follows a part that doesn't exist.
pub(crate) fn canonical(path: &Path) -> Result<PathBuf> {
    let wrong =
        |why: &str| Error::new(ErrorKind::InvalidConfig, format!("the path {} {why}", path.display()));
    let absolute = std::path::absolute(path).map_err(|error| wrong(&format!("can't be used: {error}")))?;
    let mut missing = Vec::new();
    for ancestor in absolute.ancestors() {
        match ancestor.canonicalize() {
            Ok(found) => return Ok(missing.iter().rev().fold(found, |path: PathBuf, name| path.join(name))),
            Err(_) => missing
                .push(ancestor.file_name().ok_or_else(|| wrong("goes up from a folder that doesn't exist"))?),
        }
    }
    Err(wrong("can't be resolved"))
}

#[cfg(feature = "memory")]
#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use cabotage_memory::MemoryStore;

    use super::*;
    use crate::Location;

    fn memory(name: &str, prefix: &str) -> Opened {
        let location = Location::parse(&format!("memory://{name}/{prefix}")).unwrap();
        Opened::new(MemoryStore::new(name), &location)
    }

    fn folder(path: &Path) -> Opened {
        let store = Arc::new(MemoryStore::new(&path.display().to_string()));
        Opened { store, folder: Some(canonical(path).unwrap()), ..memory("x", "") }
    }

    #[test]
    fn buckets() {
        for (a, b, refused) in [
            (("m", "a"), ("m", "b"), false),
            (("m", "a"), ("m", "ab"), false),
            (("m", "a"), ("m", "a/"), true),
            (("m", "a"), ("m", "a/b"), true),
            (("m", "a/b"), ("m", ""), true),
            (("m", "a"), ("n", "a"), false),
        ] {
            let (a, b) = (memory(a.0, a.1), memory(b.0, b.1));
            assert_eq!(refuse_overlap(&a, &b).is_err(), refused, "{} {}", a.label, b.label);
            assert_eq!(refuse_sidecars_in(&a, &b).is_err(), refused, "{} {}", a.label, b.label);
        }
    }

    #[test]
    fn files_of_the_run_stay_out_of_what_is_moved() {
        let base = tempfile::tempdir().unwrap();
        std::fs::create_dir(base.path().join("data")).unwrap();
        let side = folder(&base.path().join("data"));
        for (path, refused) in
            [("data/report", true), ("data", true), ("data/x/y", true), ("datax", false), ("r", false)]
        {
            let found = refuse_inside(&side, "--report", &base.path().join(path));
            assert_eq!(found.is_err(), refused, "{path}");
        }
        assert!(refuse_inside(&memory("m", ""), "--report", &base.path().join("data/report")).is_ok());
    }

    #[test]
    fn folders_are_compared_where_symlinks_lead() {
        let base = tempfile::tempdir().unwrap();
        let data = base.path().join("data");
        std::fs::create_dir(&data).unwrap();
        std::os::unix::fs::symlink(&data, base.path().join("link")).unwrap();
        let path = |text: &str| folder(&base.path().join(text));
        for (a, b, refused) in [
            ("data", "data", true),
            ("data", "link/new/deeper", true),
            ("link", "data", true),
            ("data", "data2", false),
            ("data", "data/../new", false),
            ("data", "new/deeper", false),
        ] {
            assert_eq!(refuse_overlap(&path(a), &path(b)).is_err(), refused, "{a} {b}");
        }
        assert!(canonical(&base.path().join("new/../data")).is_err(), "'..' of what doesn't exist");
    }
}
