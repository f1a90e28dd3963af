//! Where an object is, and where a new one goes.

use std::os::fd::OwnedFd;

use cabotage_core::{Error, ErrorKind, Key, Result};
use rustix::fs::{AtFlags, Mode, OFlags, Stat, mkdirat, openat, unlinkat};
use rustix::io::Errno;

use crate::disk::{Disk, Kind, holds_exactly, kind as kind_of_name, kind_of, stat, sync_folder};
use crate::error::failed;
use crate::names::{Forms, Names};

/// A place for a file: an open folder and a name in it.
#[derive(Debug)]
pub(crate) struct Spot {
    pub dir: OwnedFd,
    pub name: String,
    /// Names of the folders from the root.
    pub folders: Vec<String>,
}

impl Spot {
    /// The path from the root.
    pub fn path(&self) -> Vec<u8> {
        let mut path = joined(&self.folders);
        if !path.is_empty() {
            path.push(b'/');
        }
        path.extend_from_slice(self.name.as_bytes());
        path
    }
}

pub(crate) fn joined(names: &[String]) -> Vec<u8> {
    names.join("/").into_bytes()
}

impl Disk {
    /// The object's file: under the plain names, else under the others.
    pub fn find(&self, key: &Key) -> Result<Option<(Spot, Stat)>> {
        let names = Names::of(key);
        let mut folders: Vec<String> =
            names.folders.iter().flat_map(|forms| forms.plain.iter()).cloned().collect();
        if !self.folding()
            && let Some(found) = self.look(&mut folders, &names.file.plain)?
        {
            return Ok(Some(found));
        }
        self.search(&mut Vec::new(), &names.folders, &names.file)
    }

    /// The object's file, or `NotFound`.
    pub fn get(&self, key: &Key) -> Result<(Spot, Stat)> {
        self.find(key)?.ok_or_else(|| Error::new(ErrorKind::NotFound, "no such object"))
    }

    fn search(
        &self,
        path: &mut Vec<String>,
        folders: &[Forms],
        file: &Forms,
    ) -> Result<Option<(Spot, Stat)>> {
        let depth = path.len();
        let forms = folders.first().unwrap_or(file);
        for names in [&forms.plain, &forms.other] {
            let found = match folders.split_first() {
                None => self.look(path, names)?,
                Some((_, deeper)) if self.descend(path, names)? => self.search(path, deeper, file)?,
                Some(_) => None,
            };
            if found.is_some() {
                return Ok(found);
            }
            path.truncate(depth);
        }
        Ok(None)
    }

    /// Adds the names to the path if they are folders.
    fn descend(&self, path: &mut Vec<String>, names: &[String]) -> Result<bool> {
        for name in names {
            let exact = match self.folding() {
                true => self.exact(path, name)?,
                false => true,
            };
            path.push(name.clone());
            if !exact || self.open_folder(path)?.is_none() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// A regular file of that name below the path.
    fn look(&self, path: &mut Vec<String>, names: &[String]) -> Result<Option<(Spot, Stat)>> {
        let Some((name, leading)) = names.split_last() else { return Ok(None) };
        if !leading.is_empty() && !self.descend(path, leading)? {
            return Ok(None);
        }
        let Some(dir) = self.open_folder(path)? else { return Ok(None) };
        if self.folding() && !self.exact(path, name)? {
            return Ok(None);
        }
        match stat(&dir, name.as_bytes()) {
            Ok(stat) if kind_of(&stat) == Kind::File => {
                Ok(Some((Spot { dir, name: name.clone(), folders: path.clone() }, stat)))
            }
            Ok(_) | Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(failed(errno, &self.shown(&joined(path)))),
        }
    }

    fn exact(&self, path: &[String], name: &str) -> Result<bool> {
        let Some(dir) = self.open_folder(path)? else { return Ok(false) };
        match holds_exactly(&dir, name.as_bytes()) {
            Err(Errno::NOENT) => Ok(false),
            found => found.map_err(|errno| failed(errno, &self.shown(&joined(path)))),
        }
    }

    fn open_folder(&self, path: &[String]) -> Result<Option<OwnedFd>> {
        let path = joined(path);
        match self.folder(&path) {
            Ok(dir) => Ok(Some(dir)),
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => Ok(None),
            Err(errno) => Err(failed(errno, &self.shown(&path))),
        }
    }

    /// A free place for a new object; folders are made on the way, and synced.
    pub fn make(&self, key: &Key) -> Result<Spot> {
        let names = Names::of(key);
        let dir = self.folder(b"").map_err(|errno| failed(errno, &self.shown(b"")))?;
        let mut spot = Spot { dir, name: String::new(), folders: Vec::new() };
        for forms in &names.folders {
            self.enter_either(&mut spot, forms, forms.plain.len(), forms.other.len())?;
        }
        let (plain, other) = (&names.file.plain, &names.file.other);
        self.enter_either(&mut spot, &names.file, plain.len() - 1, other.len() - 1)?;
        let last = |names: &[String]| names.last().cloned().unwrap_or_default();
        spot.name = match self.kind_in(&spot, &last(plain))? {
            Kind::Absent | Kind::File => last(plain),
            Kind::Folder if plain.len() == other.len() => last(other),
            Kind::Folder => return self.make_other(spot, other),
            Kind::Special => return Err(self.in_the_way(&spot, &last(plain))),
        };
        Ok(spot)
    }

    /// The other form of a file's name, where that needs more folders than the plain one.
    fn make_other(&self, mut spot: Spot, other: &[String]) -> Result<Spot> {
        if let Some((name, leading)) = other.split_last() {
            self.enter(&mut spot, leading)?;
            spot.name.clone_from(name);
        }
        Ok(spot)
    }

    fn enter_either(&self, spot: &mut Spot, forms: &Forms, plain: usize, other: usize) -> Result<()> {
        if self.enter(spot, &forms.plain[..plain])? || self.enter(spot, &forms.other[..other])? {
            return Ok(());
        }
        let message = "files stand where its folders should be";
        Err(Error::new(ErrorKind::KeyRejected, message).with("folder", self.shown(&joined(&spot.folders))))
    }

    /// Enters folders, made if missing; false, and stays, when a file is in the place of one.
    fn enter(&self, spot: &mut Spot, names: &[String]) -> Result<bool> {
        let mut entered: Option<OwnedFd> = None;
        for (at, name) in names.iter().enumerate() {
            let here = entered.as_ref().unwrap_or(&spot.dir);
            let folders: Vec<String> = spot.folders.iter().chain(&names[..at]).cloned().collect();
            match self.enter_one(here, &folders, name)? {
                Some(dir) => entered = Some(dir),
                None => return Ok(false),
            }
        }
        if let Some(dir) = entered {
            spot.dir = dir;
            spot.folders.extend_from_slice(names);
        }
        Ok(true)
    }

    fn enter_one(&self, dir: &OwnedFd, folders: &[String], name: &str) -> Result<Option<OwnedFd>> {
        let told = |errno| failed(errno, &self.shown(&joined(&[folders, &[name.to_owned()]].concat())));
        loop {
            match self.kind_at(dir, folders, name)? {
                Kind::Folder => break,
                Kind::File => return Ok(None),
                Kind::Special => return Err(obstacle(&self.shown(&joined(folders)), name)),
                Kind::Absent => match mkdirat(dir, name, Mode::from_raw_mode(0o777)) {
                    Ok(()) => sync_folder(dir).map_err(told)?,
                    Err(Errno::EXIST) => {}
                    Err(errno) => return Err(told(errno)),
                },
            }
        }
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        openat(dir, name, flags, Mode::empty()).map(Some).map_err(told)
    }

    fn kind_in(&self, spot: &Spot, name: &str) -> Result<Kind> {
        self.kind_at(&spot.dir, &spot.folders, name)
    }

    /// What stands under the name; an error where that is there in another case.
    fn kind_at(&self, dir: &OwnedFd, folders: &[String], name: &str) -> Result<Kind> {
        let told = |errno| failed(errno, &self.shown(&joined(folders)));
        let kind = kind_of_name(dir, name.as_bytes()).map_err(told)?;
        if kind == Kind::Absent || !self.folding() {
            return Ok(kind);
        }
        let listed = self.folder(&joined(folders)).map_err(told)?;
        if holds_exactly(&listed, name.as_bytes()).map_err(told)? {
            return Ok(kind);
        }
        if kind_of_name(dir, name.as_bytes()).map_err(told)? == Kind::Absent {
            return Ok(Kind::Absent); // removed since
        }
        let message =
            "the file system doesn't tell upper from lower case, and the name is taken in another case";
        Err(Error::new(ErrorKind::KeyRejected, message)
            .with("name", name)
            .help("rename one of the two at the source, or choose a file system that tells case"))
    }

    fn in_the_way(&self, spot: &Spot, name: &str) -> Error {
        obstacle(&self.shown(&joined(&spot.folders)), name)
    }

    /// Removes the folders that an object leaves empty, never the root.
    pub fn prune(&self, mut folders: Vec<String>) {
        while let Some(name) = folders.pop() {
            let Ok(parent) = self.folder(&joined(&folders)) else { return };
            if unlinkat(&parent, name, AtFlags::REMOVEDIR).is_err() {
                return;
            }
        }
    }
}

fn obstacle(folder: &str, name: &str) -> Error {
    let message = "a symbolic link or special file is in the way; links are not followed";
    Error::new(ErrorKind::KeyRejected, message)
        .with("path", format!("{folder}/{name}"))
        .help("move it away or choose another folder")
}
