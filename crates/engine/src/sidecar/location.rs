//! The location of sidecars: opened, read, written.

use std::sync::Arc;

use bytes::Bytes;
use cabotage_core::{
    Error, ErrorKind, Key, Loss, ObjectInfo, Operation, Payload, Result, Storage, StorageExt as _, WriteMode,
    WriteOptions,
};
use cabotage_layers::ReadOnly;

use super::record::{Content, LocationFile, Origin, Original, Record, Stored, place_of};
use super::restore::{Restored, apply};
use crate::keeping::remove_wholly;
use crate::{ContentSha256, Event, Observer, Side, ToldSha256};

/// The location's own file.
const LOCATION_FILE: &str = "cabotage-sidecars.json";
/// Most bytes of a sidecar that are read. Metadata and tags of one object are a few ten thousand at most.
const LARGEST: u64 = 16 << 20;

/// Where the sidecars of the destination's objects are written.
#[derive(Clone, Debug)]
pub(crate) struct Keeping(Side);

/// An object that has lost something.
pub(crate) struct Lossy<'a> {
    /// As the source, or the sidecar that came with it, told it.
    pub original: &'a ObjectInfo,
    /// Where it came from.
    pub source: (&'a Side, &'a ObjectInfo),
    /// As the destination told it after the write.
    pub stored: &'a ObjectInfo,
    /// Of its content.
    pub sha256: ContentSha256,
    /// What it lost.
    pub losses: &'a [Loss],
}

impl Keeping {
    /// Makes the location one for the data of that store. Needs the right to read and write there.
    ///
    /// # Errors
    /// `InvalidConfig` when it belongs to another store's data, or its file is none.
    pub(crate) async fn open(side: &Side, data: &Side) -> Result<Self> {
        let (key, id) = (location_key(side)?, data.place().identity);
        match read(side, &key).await? {
            Some(bytes) => {
                let found = location_file(side, &bytes)?;
                if found.data != id {
                    let message =
                        format!("the sidecars in {} belong to {}, not to {id}", side.label, found.data);
                    return Err(Error::new(ErrorKind::InvalidConfig, message)
                        .help("give each store that holds data a sidecar location of its own"));
                }
            }
            None => write(side, &key, LocationFile::new(&id).to_json()?, WriteMode::Create).await?,
        }
        Ok(Self(side.clone()))
    }

    /// Writes the sidecar of an object and reads it back; replaces an earlier one of the same object.
    ///
    /// # Errors
    /// Those of reading and writing; `Unsupported` when something else is in its place; `VerifyMismatch` when what is read
    /// back is not what was written.
    pub(crate) async fn keep(&self, lossy: &Lossy<'_>) -> Result<()> {
        let (stored, (side, source)) = (lossy.stored, lossy.source);
        let origin = Origin {
            store: side.place().identity,
            key: source.key.as_str().to_owned(),
            etag: source.etag.clone(),
        };
        let sha256 = ToldSha256::of(Some(lossy.sha256));
        let content = Content { size: stored.size, sha256, etag: stored.etag.clone() };
        let record = Record::new(
            &stored.key,
            origin,
            content,
            Original::of(lossy.original),
            Stored::of(stored),
            lossy.losses.to_vec(),
        );
        self.put(&stored.key, record.to_json()?).await.map_err(|error| unkept(&error, &stored.key))
    }

    async fn put(&self, data_key: &Key, json: Vec<u8>) -> Result<()> {
        let key = sidecar_key(&self.0, data_key)?;
        let mode = match read(&self.0, &key).await? {
            None => WriteMode::Create,
            Some(there) if there == json => return Ok(()),
            // What isn't this object's own sidecar is never replaced.
            Some(there) => Record::parse(&there, data_key).map(|_| WriteMode::Replace)?,
        };
        write(&self.0, &key, json, mode).await
    }

    /// Removes the sidecar of an object that has nothing to be kept any more. None there is no error.
    ///
    /// # Errors
    /// Those of reading and deleting; `Unsupported` when something else is in its place.
    pub(crate) async fn forget(&self, data_key: &Key) -> Result<()> {
        let forget = async {
            let key = sidecar_key(&self.0, data_key)?;
            let Some(there) = read(&self.0, &key).await? else { return Ok(()) };
            Record::parse(&there, data_key)?;
            remove_wholly(self.0.store.as_ref(), self.0.probe.as_deref(), &key).await.map(drop)
        };
        forget.await.map_err(|error| unkept(&error, data_key))
    }
}

/// A trouble of the sidecar, told of the object. It keeps its kind and not its operation: the object itself was written.
fn unkept(error: &Error, data_key: &Key) -> Error {
    let text = format!("the object is written, its sidecar is not as it should be: {error}");
    Error::new(error.kind(), text).on(data_key).help("run the same command again once that is mended")
}

/// Where the sidecars of the source's objects are read.
#[derive(Clone, Debug)]
pub(crate) struct Restoring {
    side: Side,
    /// Whether the data's store has tags at all.
    has_tags: bool,
}

impl Restoring {
    /// Opens the location for reading alone.
    ///
    /// # Errors
    /// `InvalidConfig` when there are no sidecars: a mistyped location would otherwise restore nothing in silence.
    pub(crate) async fn open(side: &Side, data: &Side, observer: &dyn Observer) -> Result<Self> {
        let Some(bytes) = read(side, &location_key(side)?).await? else {
            let message = format!("there are no sidecars in {}: {LOCATION_FILE} is missing", side.label);
            return Err(Error::new(ErrorKind::InvalidConfig, message)
                .help("name the location that was given as --sidecar when the data were moved there"));
        };
        let found = location_file(side, &bytes)?;
        if found.data != data.place().identity {
            observer.event(&Event::Warning(format!(
                "the sidecars in {} were written for {}; the source is {}: only what fits in name and content is restored",
                side.label, found.data, data.place().identity
            )));
        }
        let store: Arc<dyn Storage> = Arc::new(ReadOnly::new(Arc::clone(&side.store)));
        let has_tags = data.store.capabilities().tags.max > 0;
        Ok(Self { side: Side { store, ..side.clone() }, has_tags })
    }

    /// What the object was before it lost something; `None` where it has no sidecar. `content` is its SHA-256 where that
    /// is known already.
    ///
    /// # Errors
    /// Those of reading; `Unsupported` for a sidecar that can't be used.
    pub(crate) async fn original(
        &self,
        now: &ObjectInfo,
        content: Option<ContentSha256>,
    ) -> Result<Option<Restored>> {
        let key = sidecar_key(&self.side, &now.key)?;
        let Some(bytes) = read(&self.side, &key).await? else { return Ok(None) };
        let record = Record::parse(&bytes, &now.key)?;
        let mut now = now.clone();
        if let Some(attributes) = now.attributes.as_mut().filter(|_| !self.has_tags) {
            attributes.tags.get_or_insert_default();
        }
        Ok(Some(apply(&record, &now, content)))
    }
}

fn location_key(side: &Side) -> Result<Key> {
    Key::new(format!("{}{LOCATION_FILE}", side.prefix))
}

fn sidecar_key(side: &Side, data_key: &Key) -> Result<Key> {
    Key::new(format!("{}{}", side.prefix, place_of(data_key)))
}

fn location_file(side: &Side, bytes: &[u8]) -> Result<LocationFile> {
    LocationFile::parse(bytes).map_err(|why| {
        Error::new(
            ErrorKind::InvalidConfig,
            format!("{LOCATION_FILE} in {} can't be used: {why}", side.label),
        )
        .help("give sidecars a location where nothing else is")
    })
}

async fn read(side: &Side, key: &Key) -> Result<Option<Bytes>> {
    match side.store.read_all(key, LARGEST).await {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.during(Operation::Read)),
    }
}

/// Writes and reads back: whatever the store enforces, what is there is then known.
async fn write(side: &Side, key: &Key, json: Vec<u8>, mode: WriteMode) -> Result<()> {
    let json = Bytes::from(json);
    let mut options = WriteOptions { mode, ..WriteOptions::default() };
    if side.store.capabilities().headers.contains("content-type") {
        options.attributes.headers.content_type = Some("application/json".into());
    }
    side.store.write(key, Payload::from_bytes(json.clone()), options).await?;
    if read(side, key).await?.as_ref() == Some(&json) {
        return Ok(());
    }
    Err(Error::new(ErrorKind::VerifyMismatch, "read back, it is not what was written").on(key))
}
