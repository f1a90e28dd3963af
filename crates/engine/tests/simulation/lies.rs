//! Writes of which the store doesn't tell the truth, and bytes that flip on the way to it.

use bytes::{Bytes, BytesMut};
use cabotage_core::{
    ETag, Key, ObjectInfo, PartInfo, Payload, Result, Storage as _, Support, Upload, WriteMode, WriteOptions,
    Written,
};
use futures::TryStreamExt as _;

use crate::content::flipped;
use crate::sky::Luck;
use crate::stir::{bytes, look};
use crate::store::SkyStore;

/// A write that the store confirms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lie {
    /// It stores nothing.
    Nothing,
    /// It stores the beginning.
    Shortened,
    /// It stores other bytes of that length, although it may have checked those that came.
    Exchanged,
    /// It stores nothing, and tells of the object as if it did.
    Phantom,
}

const LIES: &[Lie] = &[Lie::Nothing, Lie::Shortened, Lie::Exchanged, Lie::Phantom];

/// All bytes of a body.
pub async fn whole(body: &Payload) -> Result<Bytes> {
    let mut all = BytesMut::new();
    let mut stream = body.open().await?;
    while let Some(chunk) = stream.try_next().await? {
        all.extend_from_slice(&chunk);
    }
    Ok(all.freeze())
}

/// The body, perhaps with a flipped bit and the digest of what was sent; and whether it is flipped.
pub async fn with_noise(body: Payload, luck: &mut Luck) -> Result<(Payload, bool)> {
    if !luck.dice.chance(luck.storm.noise) || body.len() == 0 {
        return Ok((body, false));
    }
    let bytes = flipped(&mut luck.dice, &whole(&body).await?);
    let body = match body {
        Payload::Buffered { sha256, .. } => Payload::hashed(vec![bytes], sha256),
        // No digest goes with it.
        Payload::Replayable { .. } => Payload::from_bytes(bytes),
    };
    Ok((body, true))
}

impl SkyStore {
    /// Which lie the store tells of a write under that mode; none where it refuses the write.
    fn lie(&self, mode: &WriteMode, before: Option<&ObjectInfo>, luck: &mut Luck) -> Option<Lie> {
        if !luck.dice.chance(luck.storm.lie) {
            return None;
        }
        let refused = match mode {
            WriteMode::Replace => false,
            WriteMode::Create => before.is_some(),
            WriteMode::IfMatch(etag) => before.and_then(|info| info.etag.as_ref()) != Some(etag),
        };
        let lie = *luck.dice.pick(LIES);
        (!refused).then_some(lie)
    }

    pub async fn write_somehow(
        &self,
        key: &Key,
        body: Payload,
        options: WriteOptions,
        before: Option<&ObjectInfo>,
        luck: &mut Luck,
    ) -> Result<Written> {
        let is_probe = key.as_str().contains(".cabotage-probe-");
        let Some(lie) = self.lie(&options.mode, before, luck).filter(|_| !is_probe) else {
            let (body, noisy) = with_noise(body, luck).await?;
            let written = self.inner.write(key, body, options).await?;
            if noisy && self.sky.plan.destination.digest != Support::Enforced {
                self.spoil(written.etag.as_ref());
            }
            return Ok(written);
        };
        self.sky.note(|| format!("  ... and the store lies: {lie:?}"));
        let sent = whole(&body).await?;
        let other = match lie {
            Lie::Shortened => sent.slice(..sent.len() / 2),
            _ => flipped(&mut luck.dice, &sent),
        };
        if matches!(lie, Lie::Nothing | Lie::Phantom) {
            return Ok(self.pretend(key, sent.len() as u64, &options, lie, luck));
        }
        let written = self.inner.write(key, Payload::from_bytes(other), options).await?;
        self.spoil_as(lie, &written);
        Ok(written)
    }

    fn spoil_as(&self, lie: Lie, written: &Written) {
        self.spoil(written.etag.as_ref());
        if let (Lie::Shortened, Some(etag)) = (lie, &written.etag) {
            self.sky.books().shortened.insert(etag.bare().to_owned());
        }
    }

    /// What is stored under that ETag is not what was sent.
    fn spoil(&self, etag: Option<&ETag>) {
        if let Some(etag) = etag {
            self.sky.books().spoilt.insert(etag.bare().to_owned());
        }
    }

    /// A confirmation without an object.
    fn pretend(&self, key: &Key, size: u64, options: &WriteOptions, lie: Lie, luck: &mut Luck) -> Written {
        let etag = ETag::new(&format!("lie{:016x}", luck.dice.below(u64::MAX)));
        self.spoil(Some(&etag));
        if lie == Lie::Phantom {
            let mut info = ObjectInfo::new(key.clone(), size);
            info.etag = Some(etag.clone());
            info.attributes = Some(options.attributes.clone());
            self.sky.books().phantoms.insert(key.as_str().to_owned(), info);
        }
        Written { etag: Some(etag), version: None }
    }

    /// Completes an upload, or says so.
    pub async fn complete_somehow(
        &self,
        key: &Key,
        upload: &dyn Upload,
        parts: &[PartInfo],
        mode: &WriteMode,
        luck: &mut Luck,
    ) -> Result<Written> {
        let before = look(&self.inner, key);
        let size = parts.iter().map(|part| part.size).sum();
        let small = size <= self.sky.plan.destination.limits.single_max;
        let Some(lie) = self.lie(mode, before.as_ref(), luck).filter(|_| small) else {
            let written = upload.complete(parts).await?;
            let noisy = self.sky.books().noisy.contains(&upload.id().0);
            if noisy && self.sky.plan.destination.digest != Support::Enforced {
                self.spoil(written.etag.as_ref());
            }
            self.run_changed(key, before.as_ref());
            return Ok(written);
        };
        self.sky.note(|| format!("  ... and the store lies: {lie:?}"));
        if matches!(lie, Lie::Nothing | Lie::Phantom) {
            upload.abort().await?;
            return Ok(self.pretend(key, size, &WriteOptions::default(), lie, luck));
        }
        let attributes = upload.complete(parts).await.map(|_| look(&self.inner, key))?;
        let stored = bytes(&self.inner, key).unwrap_or_default();
        let other = match lie {
            Lie::Shortened => stored.slice(..stored.len() / 2),
            _ => flipped(&mut luck.dice, &stored),
        };
        let attributes = attributes.and_then(|info| info.attributes).unwrap_or_default();
        let options = WriteOptions { attributes, ..WriteOptions::default() };
        let written = self.inner.write(key, Payload::from_bytes(other), options).await?;
        self.spoil_as(lie, &written);
        self.run_changed(key, before.as_ref());
        Ok(written)
    }
}
