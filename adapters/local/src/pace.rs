//! Keeping to a bandwidth.

use bytes::Bytes;
use cabotage_core::{ByteStream, Result, Throttle};
use futures::stream::{BoxStream, StreamExt as _};
use tokio::time::{Instant, sleep_until};

/// The most that moves at once.
const PIECE: usize = 512 * 1024;

/// Whether the bytes of bodies are limited at all.
pub(crate) fn is_limited(throttle: &Throttle) -> bool {
    throttle.rates().bytes.is_some()
}

/// The stream at the throttle's pace.
pub(crate) fn paced(stream: ByteStream, throttle: Throttle) -> ByteStream {
    if !is_limited(&throttle) {
        return stream;
    }
    let most = throttle.piece(PIECE);
    let pieces = stream.flat_map(move |chunk| cut(chunk, most));
    let in_turn = pieces.then(move |piece| {
        let throttle = throttle.clone();
        async move {
            let size = piece.as_ref().map_or(0, |piece| piece.len() as u64);
            if let Some(at) = throttle.bytes(size, Instant::now().into_std()) {
                sleep_until(Instant::from_std(at)).await;
            }
            piece
        }
    });
    in_turn.boxed()
}

/// A chunk in pieces of at most that size.
fn cut(chunk: Result<Bytes>, most: usize) -> BoxStream<'static, Result<Bytes>> {
    let mut rest = match chunk {
        Ok(chunk) => chunk,
        Err(error) => return futures::stream::iter([Err(error)]).boxed(),
    };
    let pieces =
        std::iter::from_fn(move || (!rest.is_empty()).then(|| Ok(rest.split_to(rest.len().min(most)))));
    futures::stream::iter(pieces).boxed()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use cabotage_core::{
        Key, PartSlot, Payload, Rates, ReadOptions, Sha256, Storage as _, StorageExt as _, WriteOptions,
    };

    use crate::{LocalConfig, LocalStore};

    use super::*;

    const RATE: u64 = 256 << 10;

    fn throttle() -> Throttle {
        Throttle::new(Rates { bytes: Some(RATE), requests: Some(1), ..Rates::default() })
    }

    /// A minute of simulated time, for streams of a few large chunks and of many small ones.
    #[tokio::test(start_paused = true)]
    async fn a_minute_holds_what_was_asked_for() {
        for size in [100, 4 << 10, 3 << 20] {
            let (throttle, start) = (throttle(), Instant::now());
            let endless = || futures::stream::repeat_with(move || Ok(Bytes::from(vec![1; size]))).boxed();
            let mut both = futures::stream::select(
                paced(endless(), throttle.clone()),
                paced(endless(), throttle.clone()),
            );
            let mut moved = 0;
            while start.elapsed() < Duration::from_secs(60) {
                moved += both.next().await.unwrap().unwrap().len() as u64;
            }
            assert!(moved.abs_diff(RATE * 60) * 20 <= RATE * 60, "{size}: {moved}");
        }
    }

    #[tokio::test]
    async fn all_ways_to_move_a_body_are_counted_and_change_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let throttle = throttle();
        let config =
            LocalConfig { root: folder.path().to_owned(), create: false, throttle: throttle.clone() };
        let store = LocalStore::open(config).await.unwrap();
        let content = Bytes::from((0..40_000_u32).flat_map(u32::to_le_bytes).collect::<Vec<_>>());
        let used = || {
            let idle = Duration::from_secs(1_000);
            let now = std::time::Instant::now();
            throttle.waited(now + idle)
        };
        let (whole, parts) = (Key::new("whole").unwrap(), Key::new("parts").unwrap());
        let options = WriteOptions::default;
        let mut before = used();
        let mut grew = |what: &str| {
            let now = used();
            assert!(now > before, "{what}");
            before = now;
        };
        store.write(&whole, Payload::from_bytes(content.clone()), options()).await.unwrap();
        grew("a write");
        assert_eq!(store.read_all(&whole, 1 << 20).await.unwrap(), content);
        grew("a read");
        let upload = store.start_upload(&parts, options()).await.unwrap();
        let slot = PartSlot { number: 1, offset: 0 };
        let part = upload.part(slot, Payload::from_bytes(content.clone())).await.unwrap();
        grew("a part");
        upload.complete(&[part]).await.unwrap();
        let read = store.read(&parts, ReadOptions::default()).await.unwrap();
        let read: Vec<Bytes> = read.stream.map(Result::unwrap).collect().await;
        assert_eq!(read.concat(), content);
        let wrong = || Payload::hashed(vec![content.clone()], Sha256([1; 32]));
        assert!(store.write(&whole, wrong(), options()).await.is_err(), "digests are checked all the same");
        let upload = store.start_upload(&parts, options()).await.unwrap();
        assert!(upload.part(slot, wrong()).await.is_err());
    }
}
