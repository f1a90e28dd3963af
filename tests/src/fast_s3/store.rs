//! Buckets in memory.

use std::collections::{BTreeMap, HashMap};
use std::str::FromStr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use bytes::Bytes;
use cabotage_core::Timestamp;
use hyper::header::{HeaderName, HeaderValue};
use md5::{Digest as _, Md5};
use rand::{Rng as _, SeedableRng as _};

use super::answer::{self, Answer, Refusal};

/// What came with an object: content headers, metadata, storage class.
pub(super) type Kept = Vec<(HeaderName, HeaderValue)>;

/// An object.
#[derive(Clone, Debug)]
pub(super) struct Object {
    pub chunks: Arc<[Bytes]>,
    pub size: u64,
    pub etag: String,
    pub modified: Timestamp,
    pub kept: Arc<Kept>,
    pub tags: Option<Arc<str>>,
}

/// An upload in parts.
#[derive(Debug)]
pub(super) struct OpenUpload {
    pub key: String,
    pub kept: Arc<Kept>,
    pub tags: Option<Arc<str>>,
    pub started: Timestamp,
    pub parts: BTreeMap<u32, Part>,
}

/// A part of it.
#[derive(Clone, Debug)]
pub(super) struct Part {
    pub chunks: Arc<[Bytes]>,
    pub size: u64,
    pub md5: [u8; 16],
}

/// A bucket.
#[derive(Debug, Default)]
pub(super) struct Bucket {
    pub objects: BTreeMap<String, Object>,
    pub uploads: BTreeMap<String, OpenUpload>,
    pub started: u64,
}

/// All buckets.
#[derive(Debug, Default)]
pub struct Store(RwLock<HashMap<String, Arc<Mutex<Bucket>>>>);

/// A bucket's lock, held.
pub(super) fn lock(bucket: &Mutex<Bucket>) -> MutexGuard<'_, Bucket> {
    bucket.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Store {
    pub(super) fn bucket(&self, name: &str) -> Result<Arc<Mutex<Bucket>>, Refusal> {
        let buckets = self.0.read().unwrap_or_else(PoisonError::into_inner);
        buckets.get(name).cloned().ok_or(Refusal::new(404, "NoSuchBucket"))
    }

    pub(super) fn create(&self, name: &str) -> Answer {
        self.made(name);
        answer::empty(200)
    }

    /// Removes a bucket with all that is in it.
    pub(super) fn remove(&self, name: &str) -> Result<Answer, Refusal> {
        let mut buckets = self.0.write().unwrap_or_else(PoisonError::into_inner);
        buckets.remove(name).map(|_| answer::empty(204)).ok_or(Refusal::new(404, "NoSuchBucket"))
    }

    fn made(&self, name: &str) -> Arc<Mutex<Bucket>> {
        let mut buckets = self.0.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(buckets.entry(name.to_owned()).or_default())
    }

    /// Fills a bucket, always with the same objects for the same numbers.
    pub fn fill(&self, fill: &Fill) {
        let bucket = self.made(&fill.bucket);
        let mut bucket = lock(&bucket);
        let mut random = rand::rngs::StdRng::seed_from_u64(1);
        let mut noise = vec![0_u8; fill.max];
        random.fill(noise.as_mut_slice());
        let noise = Bytes::from(noise);
        let kept = Arc::new(vec![(
            hyper::header::CONTENT_TYPE,
            HeaderValue::from_static("application/octet-stream"),
        )]);
        let modified = Timestamp::from_second(1_700_000_000).unwrap_or_default();
        for number in 0..fill.count {
            let size = random.random_range(fill.min..=fill.max);
            let bytes = noise.slice(0..size);
            let etag = hex::encode(Md5::digest(&bytes));
            let name = format!(
                "data/{:03}/{:03}/object-{number:08}.bin",
                number / 1_000_000,
                number / 1_000 % 1_000
            );
            let chunks = Arc::from([bytes]);
            let object =
                Object { chunks, size: size as u64, etag, modified, kept: Arc::clone(&kept), tags: None };
            bucket.objects.insert(name, object);
        }
    }
}

/// How a bucket is filled: `BUCKET:COUNT:MIN-MAX`, sizes in bytes.
#[derive(Clone, Debug)]
pub struct Fill {
    bucket: String,
    count: u64,
    min: usize,
    max: usize,
}

impl FromStr for Fill {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("'{text}' is not BUCKET:COUNT:MIN-MAX");
        let mut fields = text.split(':');
        let mut next = || fields.next().ok_or_else(wrong);
        let (bucket, count, sizes) = (next()?, next()?, next()?);
        let (min, max) = sizes.split_once('-').ok_or_else(wrong)?;
        let number = |text: &str| text.parse::<usize>().map_err(|_| wrong());
        Ok(Self {
            bucket: bucket.to_owned(),
            count: number(count)? as u64,
            min: number(min)?,
            max: number(max)?,
        })
    }
}
