//! How far a run has got and how fast, as the ledger keeps it.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::Snapshot;

/// The rate that is kept is that of so long.
const WINDOW: Duration = Duration::from_secs(300);

/// What a run's record holds while it goes on: the last reading, and an earlier one to tell the pace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptProgress {
    /// The last reading.
    #[serde(flatten)]
    pub now: Snapshot,
    /// A reading of up to five minutes before.
    #[serde(default)]
    pub earlier: Option<Earlier>,
}

/// An earlier reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Earlier {
    /// How long before the last one, in milliseconds.
    pub millis: u64,
    /// What was read.
    pub reading: Snapshot,
}

/// How fast it goes: between two readings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Speed {
    /// Over so many milliseconds.
    pub millis: u64,
    /// Objects with an outcome a thousand seconds.
    pub objects_per_1000_seconds: u64,
    /// Bytes read from the source a second.
    pub bytes_per_second: u64,
    /// Bytes of objects with an outcome, or read from the source, a second.
    done_bytes_per_second: u64,
}

impl KeptProgress {
    /// The pace since the earlier reading.
    #[must_use]
    pub fn recent(&self) -> Option<Speed> {
        let earlier = self.earlier?;
        Speed::between(earlier.reading, self.now, earlier.millis)
    }

    /// The pace since the run began, so many milliseconds before the last reading.
    #[must_use]
    pub fn overall(&self, millis: u64) -> Option<Speed> {
        Speed::between(Snapshot::default(), self.now, millis)
    }
}

impl Speed {
    fn between(before: Snapshot, now: Snapshot, millis: u64) -> Option<Self> {
        let rate = |before: u64, now: u64, factor: u64| {
            now.saturating_sub(before).saturating_mul(factor).checked_div(millis)
        };
        let larger = |snapshot: Snapshot| snapshot.done_bytes.max(snapshot.moved_bytes);
        Some(Self {
            millis,
            objects_per_1000_seconds: rate(before.done, now.done, 1_000_000)?,
            bytes_per_second: rate(before.moved_bytes, now.moved_bytes, 1000)?,
            done_bytes_per_second: rate(larger(before), larger(now), 1000)?,
        })
    }

    /// Seconds until so many objects and bytes are done: the longer of both. None when nothing moves.
    #[must_use]
    pub fn seconds_for(&self, objects: u64, bytes: u64) -> Option<u64> {
        let time = |left: u64, rate: u64| if left == 0 { Some(0) } else { left.checked_div(rate) };
        let by_objects = time(objects.saturating_mul(1000), self.objects_per_1000_seconds);
        let by_bytes = time(bytes, self.done_bytes_per_second);
        if bytes == 0 { by_objects } else { by_bytes.map(|time| time.max(by_objects.unwrap_or(0))) }
    }
}

/// Readings of the last minutes.
#[derive(Debug, Default)]
pub(crate) struct Pace(VecDeque<(Instant, Snapshot)>);

impl Pace {
    /// Takes a reading, and tells what is to be kept.
    pub(crate) fn note(&mut self, at: Instant, now: Snapshot) -> KeptProgress {
        while self.0.len() > 1 && self.0.get(1).is_some_and(|(then, _)| at.duration_since(*then) >= WINDOW) {
            self.0.pop_front();
        }
        let earlier = self.0.front().map(|(then, reading)| Earlier {
            millis: u64::try_from(at.duration_since(*then).as_millis()).unwrap_or(u64::MAX),
            reading: *reading,
        });
        self.0.push_back((at, now));
        KeptProgress { now, earlier }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(done: u64) -> Snapshot {
        Snapshot {
            listed: 1000,
            done,
            done_bytes: done << 20,
            moved_bytes: done << 20,
            ..Snapshot::default()
        }
    }

    #[test]
    fn the_pace_is_that_of_the_last_minutes() {
        let (start, mut pace) = (Instant::now(), Pace::default());
        assert_eq!(pace.note(start, at(0)), KeptProgress { now: at(0), earlier: None });
        let mut last = KeptProgress::default();
        for tick in 1..=200_u64 {
            let done = if tick <= 100 { 0 } else { (tick - 100) * 5 };
            last = pace.note(start + Duration::from_secs(tick * 5), at(done));
        }
        assert!(pace.0.len() < 70, "old readings are dropped");
        let recent = last.recent().unwrap();
        assert_eq!((recent.millis, recent.objects_per_1000_seconds), (300_000, 1000));
        assert_eq!(last.overall(1_000_000).unwrap().objects_per_1000_seconds, 500);
        assert_eq!(recent.bytes_per_second, 1 << 20);
        assert_eq!(recent.seconds_for(60, 0), Some(60));
        assert_eq!(recent.seconds_for(60, 120 << 20), Some(120));
        assert_eq!(recent.seconds_for(0, 0), Some(0));
        assert_eq!(KeptProgress { now: at(0), ..last }.recent().unwrap().seconds_for(1, 1), None);
        assert_eq!(last.overall(0), None);
        let json = serde_json::to_string(&last).unwrap();
        assert_eq!(serde_json::from_str::<KeptProgress>(&json).unwrap(), last);
    }
}
