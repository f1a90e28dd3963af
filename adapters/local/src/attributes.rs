//! Attributes on disk: in an extended attribute of the file, or in a file of their own.

use std::fs::File;
use std::io::Write as _;
use std::sync::Arc;

use cabotage_core::{Attributes, Error, ErrorKind, Key, Result, Sha256};
use rustix::fs::{
    AtFlags, Mode, OFlags, XattrFlags, fgetxattr, fremovexattr, fsetxattr, fsync, openat, renameat, unlinkat,
};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use crate::disk::{Disk, sync_folder};
use crate::error::{failed, io_failed};
use crate::state::FileState;

const XATTR: &str = "user.cabotage";
const BESIDE: &str = "attributes";
/// Linux takes no larger extended attribute.
const XATTR_MAX: usize = 64 * 1024;

/// What a file of attributes holds.
#[derive(Serialize, Deserialize)]
struct Beside {
    /// For a human, and against a wrong file.
    key: String,
    attributes: Attributes,
}

/// Where attributes went.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Kept {
    /// Into the file itself (or there are none).
    Inside,
    /// Nowhere yet: this file goes beside it.
    Outside(Vec<u8>),
}

fn is_empty(attributes: &Attributes) -> bool {
    *attributes == Attributes { tags: attributes.tags.clone(), ..Attributes::default() }
        && attributes.tags.as_ref().is_none_or(|tags| tags.is_empty())
}

fn damaged(error: serde_json::Error) -> Error {
    Error::new(ErrorKind::Protocol, "the attributes kept with the file can't be understood")
        .help("write the object again, or remove the extended attribute user.cabotage")
        .caused_by(error)
}

fn json(value: &impl Serialize) -> Result<Vec<u8>> {
    serde_json::to_vec(value).map_err(|error| {
        Error::new(ErrorKind::Internal, "attributes can't be written as JSON").caused_by(error)
    })
}

impl Disk {
    /// Keeps the attributes in the file, if it can have them.
    pub fn keep_inside(&self, file: &File, key: &Key, attributes: &Attributes) -> Result<Kept> {
        if is_empty(attributes) {
            self.drop_inside(file)?;
            return Ok(Kept::Inside);
        }
        let set = match self.use_xattrs {
            true => fsetxattr(file, XATTR, &json(attributes)?, XattrFlags::empty()),
            false => Err(Errno::OPNOTSUPP),
        };
        match set {
            Ok(()) => Ok(Kept::Inside),
            Err(Errno::OPNOTSUPP | Errno::TOOBIG | Errno::NOSPC | Errno::RANGE | Errno::DQUOT) => {
                let beside = Beside { key: key.as_str().to_owned(), attributes: attributes.clone() };
                json(&beside).map(Kept::Outside)
            }
            Err(errno) => Err(failed(errno, "user.cabotage")),
        }
    }

    /// Takes them out of the file again.
    pub fn drop_inside(&self, file: &File) -> Result<()> {
        match fremovexattr(file, XATTR) {
            Ok(()) | Err(Errno::NODATA | Errno::OPNOTSUPP) => Ok(()),
            Err(errno) => Err(failed(errno, "user.cabotage")),
        }
    }

    /// Keeps them in a file for that state of the object, whole and durable.
    pub fn keep_beside(self: &Arc<Self>, key: &Key, state: &FileState, content: &[u8]) -> Result<()> {
        let mut staged = self.stage()?;
        let shown = staged.shown();
        staged.file.write_all(content).map_err(|error| io_failed(error, &shown))?;
        fsync(&staged.file).map_err(|errno| failed(errno, &shown))?;
        self.in_own(BESIDE, |dir| {
            renameat(&staged.dir, &staged.name, dir, beside_name(key, state))?;
            sync_folder(dir)
        })?;
        staged.placed = true;
        Ok(())
    }

    /// Forgets the file of attributes for that state of the object, if there is one.
    pub fn drop_beside(&self, key: &Key, state: &FileState) {
        if let Ok(Some(dir)) = self.own_if_there(BESIDE)
            && unlinkat(&dir, beside_name(key, state), AtFlags::empty()).is_ok()
        {
            let _ = sync_folder(&dir);
            self.tidy(BESIDE);
        }
    }

    /// The attributes of the open file; tags are always known.
    pub fn attributes(&self, file: &File, key: &Key, state: &FileState) -> Result<Attributes> {
        let mut found: Attributes = match self.inside(file)? {
            Some(text) => serde_json::from_slice(&text).map_err(damaged)?,
            None => self.beside(key, state)?.unwrap_or_default(),
        };
        found.tags.get_or_insert_default();
        Ok(found)
    }

    fn inside(&self, file: &File) -> Result<Option<Vec<u8>>> {
        if !self.use_xattrs {
            return Ok(None);
        }
        let mut buffer = vec![0; 1024];
        loop {
            match fgetxattr(file, XATTR, &mut buffer[..]) {
                Ok(len) => {
                    buffer.truncate(len);
                    return Ok(Some(buffer));
                }
                Err(Errno::NODATA | Errno::OPNOTSUPP) => return Ok(None),
                Err(Errno::RANGE) if buffer.len() < XATTR_MAX => buffer.resize(XATTR_MAX, 0),
                Err(errno) => return Err(failed(errno, "user.cabotage")),
            }
        }
    }

    fn beside(&self, key: &Key, state: &FileState) -> Result<Option<Attributes>> {
        let Some(dir) = self.own_if_there(BESIDE)? else { return Ok(None) };
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let name = beside_name(key, state);
        let file = match openat(&dir, &name, flags, Mode::empty()) {
            Ok(file) => File::from(file),
            Err(Errno::NOENT) => return Ok(None),
            Err(errno) => return Err(failed(errno, &name)),
        };
        let text = std::io::read_to_string(file).map_err(|error| io_failed(error, &name))?;
        let beside: Beside = serde_json::from_str(&text).map_err(damaged)?;
        Ok((beside.key == key.as_str()).then_some(beside.attributes))
    }
}

fn beside_name(key: &Key, state: &FileState) -> String {
    let hash = Sha256::of(key.as_str().as_bytes()).to_hex();
    format!("{}-{:x}-{:x}.json", &hash[..40], state.size, state.modified)
}

#[cfg(test)]
#[path = "attributes_tests.rs"]
mod tests;
