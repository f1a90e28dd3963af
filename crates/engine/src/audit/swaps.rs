//! Objects whose contents were exchanged.

use std::collections::HashMap;
use std::sync::Arc;

use super::proof::{Mark, Marks};

/// So many differing objects are kept to find pairs among them.
const KEPT: usize = 100_000;

/// Finds, among objects that have another content than expected, those that have each other's.
#[derive(Debug, Default)]
pub(super) struct Swaps {
    waiting: HashMap<(Mark, Mark), Vec<Arc<str>>>,
    kept: usize,
}

impl Swaps {
    /// Takes an object that differs, and gives the one with which it was exchanged, if that came before.
    pub(super) fn take(&mut self, name: &Arc<str>, marks: &Marks) -> Option<Arc<str>> {
        let crosswise = (marks.found.clone(), marks.expected.clone());
        if let Some(partner) = self.waiting.get_mut(&crosswise).and_then(Vec::pop) {
            self.kept -= 1;
            return Some(partner);
        }
        if self.kept < KEPT {
            self.kept += 1;
            let key = (marks.expected.clone(), marks.found.clone());
            self.waiting.entry(key).or_default().push(Arc::clone(name));
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_found_crosswise_and_once() {
        let mut swaps = Swaps::default();
        let mut take = |name: &str, expected: &str, found: &str| {
            let mark = |text: &str| Mark::ETag(text.to_owned());
            let partner = swaps.take(&name.into(), &Marks { expected: mark(expected), found: mark(found) });
            partner.map(|name| name.to_string())
        };
        assert_eq!(take("a", "1", "2"), None);
        assert_eq!(take("c", "1", "3"), None);
        assert_eq!(take("b", "2", "1").as_deref(), Some("a"));
        assert_eq!(take("d", "2", "1"), None, "a is paired");
        assert_eq!(take("e", "1", "2").as_deref(), Some("d"));
    }
}
