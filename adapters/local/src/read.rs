//! Reading: bodies from an open file, checked to be of one state.

use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use cabotage_core::{
    ByteStream, Error, ErrorKind, Key, Metadata, ObjectBody, ObjectForm, ObjectInfo, Operation, ReadOptions,
    Result,
};
use futures::StreamExt as _;

use crate::disk::{Disk, file_stat};
use crate::error::{failed, io_failed};
use crate::state::FileState;
use crate::store::blocking;

/// A body of at most that many bytes is read at once, with its head.
const SMALL: u64 = 64 * 1024;
/// Longest piece of a larger body.
const CHUNK: u64 = 512 * 1024;

/// An object's open file, in the state in which it was found.
#[derive(Debug)]
struct OpenObject {
    file: File,
    state: FileState,
    key: Key,
    /// For messages.
    path: String,
}

pub(crate) fn info(key: &Key, state: &FileState) -> ObjectInfo {
    ObjectInfo {
        key: key.clone(),
        size: state.size,
        etag: Some(state.etag()),
        version: None,
        modified: state.modified(),
        attributes: None,
        tier: None,
        digests: Vec::new(),
        form: ObjectForm::Plain,
        uncarried: Metadata::new(),
    }
}

/// What was read without leaving the thread.
pub(crate) struct Begun {
    info: ObjectInfo,
    range: Range<u64>,
    rest: Rest,
}

enum Rest {
    Whole(Bytes),
    Open(OpenObject, Arc<Disk>),
}

impl Disk {
    /// Opens the object's file.
    fn open_object(&self, key: &Key) -> Result<OpenObject> {
        let (spot, _) = self.get(key)?;
        let path = self.shown(&spot.path());
        let file = self.file(&spot.path()).map_err(|errno| failed(errno, &path))?;
        let stat = file_stat(&file).map_err(|errno| failed(errno, &path))?;
        Ok(OpenObject { file, state: self.state(&stat), key: key.clone(), path })
    }

    pub fn head(&self, key: &Key) -> Result<ObjectInfo> {
        let object = self.open_object(key)?;
        self.whole_info(&object)
    }

    fn whole_info(&self, object: &OpenObject) -> Result<ObjectInfo> {
        let attributes = self.attributes(&object.file, &object.key, &object.state)?;
        Ok(ObjectInfo { attributes: Some(attributes), ..info(&object.key, &object.state) })
    }

    /// Opens the object and checks the conditions; a small body is read on the way.
    pub fn begin_read(self: &Arc<Self>, key: &Key, options: &ReadOptions) -> Result<Begun> {
        if options.version.is_some() {
            return Err(Error::new(ErrorKind::Unsupported, "a folder keeps no versions"));
        }
        let object = self.open_object(key)?;
        let info = self.whole_info(&object)?;
        options.check(&info)?;
        let range = match options.range {
            Some(range) => range.within(info.size)?,
            None => 0..info.size,
        };
        let rest = if range.end - range.start <= SMALL {
            Rest::Whole(object.bytes(self, &range, &range)?)
        } else {
            Rest::Open(object, Arc::clone(self))
        };
        Ok(Begun { info, range, rest })
    }
}

impl OpenObject {
    /// Those bytes of the body. With its last ones the file must still be in the state in which it was opened.
    fn bytes(&self, disk: &Disk, piece: &Range<u64>, body: &Range<u64>) -> Result<Bytes> {
        let len = usize::try_from(piece.end - piece.start)
            .map_err(|_| Error::new(ErrorKind::Internal, "a piece past the address space"))?;
        let mut buffer = BytesMut::zeroed(len);
        self.file.read_exact_at(&mut buffer, piece.start).map_err(|error| match error.kind() {
            std::io::ErrorKind::UnexpectedEof => self.changed(),
            _ => io_failed(error, &self.path),
        })?;
        if piece.end == body.end {
            let stat = file_stat(&self.file).map_err(|errno| failed(errno, &self.path))?;
            if !disk.state(&stat).same_bytes(&self.state) {
                return Err(self.changed());
            }
        }
        Ok(buffer.freeze())
    }

    fn changed(&self) -> Error {
        Error::new(ErrorKind::SourceChanged, "the file changed while it was read").with("path", &self.path)
    }
}

impl Begun {
    pub fn into_body(self) -> ObjectBody {
        let Self { info, range, rest } = self;
        let stream = match rest {
            Rest::Whole(bytes) if bytes.is_empty() => futures::stream::empty().boxed(),
            Rest::Whole(bytes) => futures::stream::iter([Ok(bytes)]).boxed(),
            Rest::Open(object, disk) => pieces(disk, object, range.clone()),
        };
        ObjectBody { info, range, stream }
    }
}

fn pieces(disk: Arc<Disk>, object: OpenObject, body: Range<u64>) -> ByteStream {
    let next = Some(body.start);
    futures::stream::unfold((Arc::new(object), body, next), move |(object, body, next)| {
        let disk = Arc::clone(&disk);
        async move {
            let start = next.filter(|start| *start < body.end)?;
            let piece = start..body.end.min(start + CHUNK);
            let (reader, whole, end) = (Arc::clone(&object), body.clone(), piece.end);
            let read = blocking(move || reader.bytes(&disk, &piece, &whole)).await;
            let read = read.map_err(|error| error.during(Operation::Read).on(&object.key));
            let next = read.is_ok().then_some(end);
            Some((read, (object, body, next)))
        }
    })
    .boxed()
}
