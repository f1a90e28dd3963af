//! How many requests of each kind came.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use hyper::Method;

use super::answer::{self, Answer};
use super::query::Target;

/// Requests by kind, such as `GET object` or `GET list`.
#[derive(Debug, Default)]
pub struct Counts(Mutex<BTreeMap<String, u64>>);

impl Counts {
    pub(super) fn count(&self, method: &Method, target: &Target) {
        let about = match (target.key.is_empty(), target) {
            (true, t) if t.has("delete") => "delete",
            (true, t) if t.has("uploads") => "uploads",
            (true, t) if t.has_configuration() || *method != Method::GET => "bucket",
            (true, _) => "list",
            (false, t) if t.has("tagging") => "tagging",
            (false, t) if t.has("partNumber") => "part",
            (false, t) if t.has("uploadId") || t.has("uploads") => "upload",
            (false, _) => "object",
        };
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry(format!("{method} {about}")).or_default() += 1;
    }

    /// The counts as JSON; a DELETE sets them to nothing.
    pub(super) fn answer(&self, method: &Method) -> Answer {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let counts = if *method == Method::DELETE { std::mem::take(&mut *counts) } else { counts.clone() };
        let pairs: Vec<String> = counts.iter().map(|(kind, count)| format!("{kind:?}: {count}")).collect();
        answer::text(200, "application/json", format!("{{{}}}", pairs.join(", ")))
    }
}
