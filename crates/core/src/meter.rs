//! What becomes of a store's requests, counted while they go on.
//!
//! A meter is always on: a request costs it a handful of relaxed additions, so that nobody has to decide beforehand whether
//! somebody will look. Its size is fixed: operations and ends are tables, and a status that no table names counts under
//! its hundred, so no server can make it grow.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::Operation;

/// Statuses that are told one by one; others are told by their hundred.
const STATUSES: [u16; 24] = [
    200, 201, 202, 204, 206, 304, 400, 401, 403, 404, 405, 408, 409, 411, 412, 413, 416, 429, 500, 501, 502,
    503, 504, 507,
];
/// Their names.
const NAMES: [&str; 24] = [
    "200", "201", "202", "204", "206", "304", "400", "401", "403", "404", "405", "408", "409", "411", "412",
    "413", "416", "429", "500", "501", "502", "503", "504", "507",
];
const HUNDREDS: [&str; 6] = ["other", "1xx", "2xx", "3xx", "4xx", "5xx"];
const ENDS: usize = STATUSES.len() + HUNDREDS.len() + 2;

/// How a request ended, one sending of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestEnd {
    /// The head of a reply came, with that status.
    Status(u16),
    /// It failed before: not reached, broken off, too late.
    NoReply,
    /// Whoever sent it didn't wait for its end.
    Dropped,
}

impl RequestEnd {
    fn index(self) -> usize {
        match self {
            Self::Status(status) => STATUSES.iter().position(|known| *known == status).unwrap_or_else(|| {
                let hundred = usize::from(status / 100);
                STATUSES.len() + if hundred < HUNDREDS.len() { hundred } else { 0 }
            }),
            Self::NoReply => ENDS - 2,
            Self::Dropped => ENDS - 1,
        }
    }

    fn name(index: usize) -> &'static str {
        match index.checked_sub(STATUSES.len()) {
            None => NAMES[index],
            Some(rest) if rest < HUNDREDS.len() => HUNDREDS[rest],
            Some(_) if index == ENDS - 2 => "no_reply",
            Some(_) => "dropped",
        }
    }
}

/// Counts the requests of one store.
#[derive(Debug)]
pub struct RequestMeter {
    begun: AtomicU64,
    of: [OfOperation; Operation::ALL.len()],
}

#[derive(Debug)]
struct OfOperation {
    ends: [AtomicU64; ENDS],
    /// By how long they took; the last holds what took longer than all bounds.
    buckets: [AtomicU64; RequestMeter::BOUNDS.len() + 1],
    nanos: AtomicU64,
}

impl OfOperation {
    const fn new() -> Self {
        Self {
            ends: [const { AtomicU64::new(0) }; ENDS],
            buckets: [const { AtomicU64::new(0) }; RequestMeter::BOUNDS.len() + 1],
            nanos: AtomicU64::new(0),
        }
    }
}

impl Default for RequestMeter {
    fn default() -> Self {
        Self { begun: AtomicU64::new(0), of: [const { OfOperation::new() }; Operation::ALL.len()] }
    }
}

/// How long the requests of one operation took, up to the head of the reply or the failure.
#[derive(Clone, Debug, PartialEq)]
pub struct Latencies {
    /// Which operation.
    pub operation: Operation,
    /// How many took at most as long as the bound at the same place in [`RequestMeter::BOUNDS`], and longer than the bound
    /// before it; the last took longer than all bounds.
    pub buckets: [u64; RequestMeter::BOUNDS.len() + 1],
    /// How many there were.
    pub count: u64,
    /// How long all took together.
    pub sum: Duration,
}

impl RequestMeter {
    /// The bounds of latencies in milliseconds.
    pub const BOUNDS: [u64; 14] = [1, 2, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 60_000];

    /// Counts a request that is about to be sent.
    pub fn begin(&self) {
        self.begun.fetch_add(1, Ordering::Relaxed);
    }

    /// How many were begun and have not ended.
    #[must_use]
    pub fn in_flight(&self) -> u64 {
        let ended: u64 =
            self.of.iter().flat_map(|of| &of.ends).map(|count| count.load(Ordering::Relaxed)).sum();
        self.begun.load(Ordering::Relaxed).saturating_sub(ended)
    }

    /// Counts a request that was sent and has ended, after so long.
    pub fn note(&self, operation: Operation, end: RequestEnd, took: Duration) {
        let Some(of) = self.of.get(operation as usize) else { return };
        let add = |counter: Option<&AtomicU64>, amount| {
            counter.map(|counter| counter.fetch_add(amount, Ordering::Relaxed));
        };
        add(of.ends.get(end.index()), 1);
        let bucket = Self::BOUNDS.iter().position(|bound| took <= Duration::from_millis(*bound));
        add(of.buckets.get(bucket.unwrap_or(Self::BOUNDS.len())), 1);
        add(Some(&of.nanos), u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
    }

    /// How many requests of which operation ended how, by a short name: `404`, `5xx`, `no_reply`, `dropped`. Without those that
    /// never came.
    #[must_use]
    pub fn ends(&self) -> Vec<(Operation, &'static str, u64)> {
        let of_operation = |(operation, of): (Operation, &OfOperation)| {
            let told = |(index, count): (usize, &AtomicU64)| {
                (operation, RequestEnd::name(index), count.load(Ordering::Relaxed))
            };
            of.ends.iter().enumerate().map(told).filter(|(_, _, count)| *count > 0).collect::<Vec<_>>()
        };
        Operation::ALL.into_iter().zip(&self.of).flat_map(of_operation).collect()
    }

    /// How many replies came.
    #[must_use]
    pub fn answered(&self) -> u64 {
        let replies = self.of.iter().flat_map(|of| of.ends.iter().take(ENDS - 2));
        replies.map(|count| count.load(Ordering::Relaxed)).sum()
    }

    /// How long they took, for each operation that had some.
    #[must_use]
    pub fn latencies(&self) -> Vec<Latencies> {
        let of_operation = |(operation, of): (Operation, &OfOperation)| {
            let buckets = of.buckets.each_ref().map(|bucket| bucket.load(Ordering::Relaxed));
            let count = buckets.iter().sum();
            let sum = Duration::from_nanos(of.nanos.load(Ordering::Relaxed));
            (count > 0).then_some(Latencies { operation, buckets, count, sum })
        };
        Operation::ALL.into_iter().zip(&self.of).filter_map(of_operation).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_has_its_place() {
        for (index, operation) in Operation::ALL.into_iter().enumerate() {
            assert_eq!(operation as usize, index, "{operation:?}");
        }
        let names: std::collections::BTreeSet<_> = Operation::ALL.map(Operation::name).into();
        assert_eq!(names.len(), Operation::ALL.len());
        assert_eq!(STATUSES.map(|status| status.to_string()), NAMES);
    }

    #[test]
    fn ends_are_told_by_status_or_by_hundred() {
        let meter = RequestMeter::default();
        for (end, name) in [
            (RequestEnd::Status(200), "200"),
            (RequestEnd::Status(503), "503"),
            (RequestEnd::Status(418), "4xx"),
            (RequestEnd::Status(599), "5xx"),
            (RequestEnd::Status(999), "other"),
            (RequestEnd::Status(42), "other"),
            (RequestEnd::NoReply, "no_reply"),
            (RequestEnd::Dropped, "dropped"),
        ] {
            assert_eq!(RequestEnd::name(end.index()), name);
            meter.note(Operation::Job, end, Duration::ZERO);
        }
        assert_eq!(meter.answered(), 6);
        let all = meter.ends();
        assert!(all.iter().all(|(operation, ..)| *operation == Operation::Job));
        assert_eq!(all.iter().map(|(_, _, count)| count).sum::<u64>(), 8);
        assert!(all.contains(&(Operation::Job, "other", 2)), "{all:?}");
    }

    #[test]
    fn latencies_add_up() {
        let meter = RequestMeter::default();
        (0..7).for_each(|_| meter.begin());
        for millis in [1, 2, 3, 700, 90_000] {
            meter.note(Operation::Read, RequestEnd::Status(200), Duration::from_millis(millis));
        }
        assert_eq!(meter.in_flight(), 2);
        let told = meter.latencies();
        let [read] = told.as_slice() else { panic!("{told:?}") };
        assert_eq!((read.operation, read.count), (Operation::Read, 5));
        assert_eq!(read.buckets, [1, 1, 1, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1]);
        assert_eq!(read.sum, Duration::from_millis(90_706));
    }
}
