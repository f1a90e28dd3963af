//! Large objects that nobody holds: a source that makes their bytes up as they are read, a destination that checks and
//! forgets them. The bytes that are alive at one moment are counted.

mod sink;
mod source;

pub use sink::Sink;
pub use source::MadeUp;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use cabotage_core::{Attributes, ETag, Error, ErrorKind, Key, ObjectInfo, Result, Tags, Timestamp};

/// Bytes of one chunk of a body, as a network would bring them.
pub const CHUNK: u64 = 64 << 10;

/// Bytes of bodies that are alive, and the most that ever were.
#[derive(Clone, Debug, Default)]
pub struct Alive(Arc<(AtomicU64, AtomicU64)>);

impl Alive {
    /// The most so far.
    pub fn most(&self) -> u64 {
        self.0.1.load(Ordering::SeqCst)
    }

    /// Those of this moment.
    pub fn now(&self) -> u64 {
        self.0.0.load(Ordering::SeqCst)
    }

    /// Bytes that count for as long as anybody holds a part of them.
    pub fn count(&self, bytes: Vec<u8>) -> Bytes {
        let now = self.0.0.fetch_add(bytes.len() as u64, Ordering::SeqCst) + bytes.len() as u64;
        self.0.1.fetch_max(now, Ordering::SeqCst);
        Bytes::from_owner(Counted { bytes, alive: self.clone() })
    }
}

struct Counted {
    bytes: Vec<u8>,
    alive: Alive,
}

impl AsRef<[u8]> for Counted {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.alive.0.0.fetch_sub(self.bytes.len() as u64, Ordering::SeqCst);
    }
}

fn info(key: Key, size: u64, etag: &str) -> ObjectInfo {
    let mut info = ObjectInfo::new(key, size);
    info.etag = Some(ETag::new(etag));
    info.modified = Timestamp::from_second(1_700_000_000).ok();
    info.attributes = Some(Attributes { tags: Some(Tags::new()), ..Attributes::default() });
    info
}

fn no<T>() -> Result<T> {
    Err(Error::new(ErrorKind::Unsupported, "this store has nothing of the kind"))
}
