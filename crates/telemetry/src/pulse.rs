//! When the run went on last.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::Watched;

/// How often it is looked whether the run goes on.
const EVERY: Duration = Duration::from_millis(500);

/// The moment of the last step that was seen; clones are the same one.
#[derive(Clone, Debug, Default)]
pub struct Pulse(Arc<Mutex<Option<Beat>>>);

#[derive(Clone, Copy, Debug)]
struct Beat {
    steps: u64,
    at: Instant,
}

impl Pulse {
    /// Looks again and again; never ends.
    pub async fn follow(&self, watched: &Watched) {
        loop {
            self.note(watched.steps(), Instant::now());
            tokio::time::sleep(EVERY).await;
        }
    }

    /// Takes the number of steps at a moment.
    pub fn note(&self, steps: u64, now: Instant) {
        let mut beat = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if beat.is_none_or(|beat| beat.steps != steps) {
            *beat = Some(Beat { steps, at: now });
        }
    }

    /// For how long nothing has happened; zero before the first look.
    #[must_use]
    pub fn silence(&self, now: Instant) -> Duration {
        let beat = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        beat.map_or(Duration::ZERO, |beat| now.saturating_duration_since(beat.at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_lasts_from_the_last_step() {
        let (pulse, start) = (Pulse::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(pulse.silence(at(9)), Duration::ZERO);
        for (second, steps, silence) in [(0, 0, 0), (5, 0, 5), (6, 1, 0), (9, 1, 3), (10, 2, 0)] {
            pulse.note(steps, at(second));
            assert_eq!(pulse.silence(at(second)), Duration::from_secs(silence), "{second}");
        }
    }
}
