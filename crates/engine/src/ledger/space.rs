//! Stops new work while there is still room to record what is under way.

use std::path::Path;
use std::time::{Duration, Instant};

use cabotage_core::Error;

use super::filesystem::{RESERVE, too_little};
use super::writer::Change;

/// How often the disk is asked.
const EVERY: Duration = Duration::from_secs(1);

/// Watches the free space.
pub(super) struct Space {
    free: Box<dyn FnMut() -> Option<u64> + Send>,
    asked: Option<Instant>,
    lacks: Option<u64>,
}

impl Space {
    /// Asks by that, at most once a second.
    pub(super) fn new(free: impl FnMut() -> Option<u64> + Send + 'static) -> Self {
        Self { free: Box::new(free), asked: None, lacks: None }
    }

    /// Why that change is not taken: it begins new work, and the disk has less than the reserve.
    pub(super) fn refuse(&mut self, change: &Change, path: &Path) -> Option<Error> {
        let begins = match change {
            // Before the completion of an upload the intent is renewed with the digest.
            Change::Intend(intent) => !(intent.multipart && intent.sha256.is_some()),
            Change::UploadStarted(_) => true,
            _ => false,
        };
        if !begins {
            return None;
        }
        if self.asked.is_none_or(|asked| asked.elapsed() >= EVERY) {
            self.asked = Some(Instant::now());
            self.lacks = (self.free)().filter(|free| *free < RESERVE);
        }
        self.lacks.map(|free| too_little(path.parent().unwrap_or(path), free))
    }
}

#[cfg(test)]
mod tests {
    use cabotage_core::{ErrorKind, Sha256};

    use super::super::tests::{intent, row};
    use super::*;
    use crate::ContentSha256;

    #[test]
    fn new_work_is_refused_and_the_rest_recorded() {
        let path = Path::new("/state/x.sqlite");
        let intend = Change::Intend(intent("k"));
        let known = Change::Intend(crate::Intent {
            sha256: Some(ContentSha256::whole(Sha256::of(b"x"))),
            ..intent("k")
        });
        let mut low = Space::new(|| Some(RESERVE - 1));
        let error = low.refuse(&intend, path).unwrap();
        assert_eq!(error.kind(), ErrorKind::NoSpace);
        assert!(error.to_string().contains("63 MiB left"), "{error}");
        for change in [known, Change::Record(row("k")), Change::FinishRun(1, "stopped".into(), None)] {
            assert!(low.refuse(&change, path).is_none(), "{change:?}");
        }
        assert!(Space::new(|| Some(RESERVE)).refuse(&intend, path).is_none());
        assert!(Space::new(|| None).refuse(&intend, path).is_none());
    }

    #[test]
    fn the_disk_is_not_asked_for_each_change() {
        let mut asked = 0;
        let mut space = Space::new(move || {
            asked += 1;
            (asked == 1).then_some(0)
        });
        for _ in 0..100 {
            assert!(space.refuse(&Change::Intend(intent("k")), Path::new("x")).is_some());
        }
    }
}
