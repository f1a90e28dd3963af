//! How many requests of each kind came.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use hyper::Method;

use super::answer::{self, Answer};
use super::query::Target;

/// Requests by kind, such as `GET object` or `GET list`.
#[derive(Debug, Default)]
pub struct Counts {
    by_kind: Mutex<BTreeMap<String, u64>>,
    lists: AtomicUsize,
    most_lists: AtomicUsize,
}

/// A page that is asked for.
#[derive(Debug)]
pub(super) struct UnderWay<'a>(&'a AtomicUsize);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Counts {
    /// How many requests of that kind came.
    #[must_use]
    pub fn of(&self, kind: &str) -> u64 {
        let counts = self.by_kind.lock().unwrap_or_else(PoisonError::into_inner);
        counts.get(kind).copied().unwrap_or_default()
    }

    /// The most pages of listings that were asked for at the same time.
    #[must_use]
    pub fn most_lists(&self) -> usize {
        self.most_lists.load(Ordering::Relaxed)
    }

    /// Notes that a page is asked for, if one is, until what it gives is dropped.
    pub(super) fn under_way(&self, method: &Method, target: &Target) -> Option<UnderWay<'_>> {
        (kind(method, target) == "list").then(|| {
            let now = self.lists.fetch_add(1, Ordering::Relaxed) + 1;
            self.most_lists.fetch_max(now, Ordering::Relaxed);
            UnderWay(&self.lists)
        })
    }

    pub(super) fn count(&self, method: &Method, target: &Target) {
        let about = kind(method, target);
        let mut counts = self.by_kind.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry(format!("{method} {about}")).or_default() += 1;
    }

    /// The counts as JSON; a DELETE sets them to nothing.
    pub(super) fn answer(&self, method: &Method) -> Answer {
        let mut counts = self.by_kind.lock().unwrap_or_else(PoisonError::into_inner);
        let counts = if *method == Method::DELETE { std::mem::take(&mut *counts) } else { counts.clone() };
        let pairs: Vec<String> = counts.iter().map(|(kind, count)| format!("{kind:?}: {count}")).collect();
        answer::text(200, "application/json", format!("{{{}}}", pairs.join(", ")))
    }
}

fn kind(method: &Method, target: &Target) -> &'static str {
    match (target.key.is_empty(), target) {
        (true, t) if t.has("delete") => "delete",
        (true, t) if t.has("uploads") => "uploads",
        (true, t) if t.has_configuration() || *method != Method::GET => "bucket",
        (true, _) => "list",
        (false, t) if t.has("tagging") => "tagging",
        (false, t) if t.has("partNumber") => "part",
        (false, t) if t.has("uploadId") || t.has("uploads") => "upload",
        (false, _) => "object",
    }
}
