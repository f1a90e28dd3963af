//! Puts the files of the tasks together.

use std::fs::File;
use std::io;
use std::path::Path;

use cabotage_core::Result;

use super::files::failed;
use super::task::own_file;

/// Makes the file, so that a place that can't be written is told at once, and removes what tasks have left there before.
///
/// # Errors
/// `InvalidConfig` when it can't be made.
pub(crate) fn begin(what: &str, path: &Path, tasks: u32) -> Result<()> {
    File::create(path).map_err(|error| failed(&format!("{what} can't be written"), path, &error))?;
    remove(path, tasks);
    Ok(())
}

/// Writes what the tasks wrote, in the order of shards, and removes theirs. Where `whole` is asked for, a file that a task
/// has not written leaves the others as they are.
///
/// # Errors
/// `InvalidConfig` or `NoSpace` when it can't be written.
pub(crate) fn join(what: &str, path: &Path, tasks: u32, whole: bool) -> Result<()> {
    if whole && !(1..=tasks).all(|number| own_file(path, number).exists()) {
        return Ok(());
    }
    let write = || {
        let mut file = File::create(path)?;
        for number in 1..=tasks {
            match File::open(own_file(path, number)) {
                Ok(mut own) => drop(io::copy(&mut own, &mut file)?),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        file.sync_all()
    };
    write().map_err(|error| failed(&format!("{what} can't be written"), path, &error))?;
    remove(path, tasks);
    Ok(())
}

fn remove(path: &Path, tasks: u32) {
    for number in 1..=tasks {
        let _ = std::fs::remove_file(own_file(path, number));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_the_order_of_shards() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m");
        begin("the manifest", &path, 11).unwrap();
        for number in (1..=11).rev() {
            std::fs::write(own_file(&path, number), format!("{number}\n")).unwrap();
        }
        join("the manifest", &path, 11, true).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(
            text.lines().map(|line| line.parse().unwrap()).collect::<Vec<u32>>(),
            (1..=11).collect::<Vec<_>>()
        );
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        std::fs::write(own_file(&path, 2), "later").unwrap();
        join("the manifest", &path, 2, true).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
        join("the manifest", &path, 2, false).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "later");
    }
}
