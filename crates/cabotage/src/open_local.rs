//! A folder of this machine.

use std::path::{Component, Path, PathBuf};

use cabotage_core::{Key, Rates, Result};
use cabotage_local::{LocalConfig, LocalStore};

use crate::overlap::canonical;
use crate::settings::{LocalSettings, invalid};
use crate::{Location, OpenOptions, Opened, Role, Target};

/// Opens the folder that `name:folder/rest` means.
pub(crate) async fn beneath(
    settings: &LocalSettings,
    bucket: &str,
    location: &Location,
    options: &OpenOptions,
) -> Result<Opened> {
    open(&path_beneath(settings, bucket, location)?, location, options).await
}

/// The folder that `name:folder/rest` means, beneath the store's root.
///
/// # Errors
/// `InvalidConfig` where the location would leave the root.
fn path_beneath(settings: &LocalSettings, bucket: &str, location: &Location) -> Result<PathBuf> {
    let inside = Path::new(bucket).join(location.rest().trim_start_matches('/'));
    if inside.components().any(|part| !matches!(part, Component::Normal(_) | Component::CurDir)) {
        return Err(invalid("the location leaves the store's root").help("leave out '..'"));
    }
    Ok(settings.root.join(inside))
}

/// Opens a folder whole, or the folder around a file.
///
/// A path is the file system's: `a//b` and `a/b` are one, and a file is named as it stands on disk.
pub(crate) async fn open(path: &Path, location: &Location, options: &OpenOptions) -> Result<Opened> {
    let (root, key) = match options.target {
        Target::Folder => (path.to_owned(), None),
        Target::Object => {
            let (folder, key) = file(path)?;
            (folder, Some(key))
        }
    };
    let folder = canonical(&root)?;
    let throttle = options.limits.throttle(Rates::default());
    let create = options.role == Role::Destination;
    let config = LocalConfig { root, create, throttle: throttle.clone() };
    let opened = Opened::new(LocalStore::open(config).await?, location);
    Ok(Opened { prefix: String::new(), key, folder: Some(folder), throttle, ..opened })
}

fn file(path: &Path) -> Result<(PathBuf, Key)> {
    let no_file = || invalid("the path names no file");
    if path.is_dir() {
        let text = format!("{} is a folder, and one object is needed", path.display());
        return Err(invalid(text).help("name a file in it; `cabotage ls` lists them"));
    }
    let name = path.file_name().ok_or_else(no_file)?;
    let name = name.to_str().ok_or_else(|| invalid("the file's name is not UTF-8"))?;
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    };
    Ok((folder, Key::new(name)?))
}

#[cfg(test)]
mod tests {
    use cabotage_core::{ErrorKind, StorageExt as _};

    use super::*;
    use crate::{Environment, Stores};

    #[test]
    fn a_named_folder_can_not_be_left() {
        let settings = LocalSettings { root: "/data".into() };
        for (text, path) in [
            ("disk:a/b", Some("/data/a/b")),
            ("disk:", Some("/data/")),
            ("disk:a//b/", Some("/data/a//b/")),
            ("disk:/etc", Some("/data/etc")),
            ("disk:..", None),
            ("disk:a/../../etc", None),
        ] {
            let location = Location::parse(text).unwrap();
            let crate::Place::Named { bucket, .. } = location.place() else { panic!("named") };
            let found = path_beneath(&settings, bucket, &location);
            assert_eq!(found.ok(), path.map(PathBuf::from), "{text}");
        }
    }

    #[tokio::test]
    async fn folders_and_files() {
        let base = tempfile::tempdir().unwrap();
        std::fs::write(base.path().join("f.txt"), "bytes").unwrap();
        let stores = Stores::without_file(Environment::default());
        let at = |name: &str| Location::parse(base.path().join(name).to_str().unwrap()).unwrap();
        let file = stores.open(&at("f.txt"), &OpenOptions::object()).await.unwrap();
        assert_eq!(file.store.read_all(&file.key.unwrap(), 100).await.unwrap(), "bytes");
        let no_object = stores.open(&at(""), &OpenOptions::object()).await.unwrap_err();
        assert!(no_object.to_string().contains("is a folder, and one object is needed"), "{no_object}");
        let folder = stores.open(&at(""), &OpenOptions::default()).await.unwrap();
        assert_eq!((folder.prefix.as_str(), folder.key), ("", None));
        assert_eq!(folder.folder.unwrap(), base.path().canonicalize().unwrap());
        let missing = stores.open(&at("none"), &OpenOptions::default()).await.unwrap_err();
        assert_eq!(missing.kind(), ErrorKind::BucketNotFound, "{missing}");
        let made = OpenOptions { role: Role::Destination, ..OpenOptions::default() };
        assert!(stores.open(&at("new/folder"), &made).await.is_ok());
        assert!(base.path().join("new/folder").is_dir());
    }
}
