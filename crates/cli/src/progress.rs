//! Progress of a run: a bar on a terminal, a line now and then elsewhere.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cabotage_engine::{Event, Observer, Progress, Snapshot};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::options::LogFormat;
use crate::output::{bytes, count, span};
use crate::screen::Screen;

/// How often the bar is drawn, and how often a line is printed where there is no terminal.
const BAR_EVERY: Duration = Duration::from_millis(200);
const LINE_EVERY: Duration = Duration::from_secs(10);
/// The rate is that of so long.
const WINDOW: Duration = Duration::from_secs(15);

/// Shows what happens in a run on standard error.
#[derive(Clone, Debug)]
pub(crate) struct Reporter {
    screen: Screen,
    format: LogFormat,
    quiet: bool,
}

impl Reporter {
    pub(crate) fn new(screen: Screen, format: LogFormat, quiet: bool) -> Self {
        Self { screen, format, quiet }
    }

    /// Shows the progress of a run until it is dropped by its caller's `select!`.
    pub(crate) async fn follow(&self, progress: Arc<Progress>) {
        self.follow_readings(move || progress.snapshot()).await;
    }

    /// Shows what is read now and then, likewise.
    pub(crate) async fn follow_readings(&self, read: impl Fn() -> Snapshot + Send) {
        if self.quiet {
            return std::future::pending().await;
        }
        let bar = (self.format == LogFormat::Text && Screen::is_terminal()).then(bar);
        if let Some(bar) = &bar {
            self.screen.attach(bar.clone());
        }
        let mut rate = Rate::default();
        let every = if bar.is_some() { BAR_EVERY } else { LINE_EVERY };
        let mut ticks = tokio::time::interval_at(tokio::time::Instant::now() + every, every);
        rate.note(Instant::now(), read());
        loop {
            ticks.tick().await;
            let snapshot = read();
            rate.note(Instant::now(), snapshot);
            match &bar {
                Some(bar) => draw(bar, snapshot, &rate),
                None => self.say(&describe(snapshot, &rate)),
            }
        }
    }

    /// Says something that is neither trouble nor progress.
    pub(crate) fn say(&self, text: &str) {
        match self.format {
            LogFormat::Text => self.screen.line(text),
            LogFormat::Json => tracing::info!(target: "cabotage", "{text}"),
        }
    }

    /// Says something that asks for attention.
    pub(crate) fn warn(&self, text: &str) {
        match self.format {
            LogFormat::Text => self.screen.line(&format!("warning: {text}")),
            LogFormat::Json => tracing::warn!(target: "cabotage", "{text}"),
        }
    }
}

impl Observer for Reporter {
    fn event(&self, event: &Event) {
        match event {
            Event::Note(text) if !self.quiet => self.say(&format!("note: {text}")),
            Event::Note(_) => {}
            Event::Warning(text) => self.warn(text),
            Event::Finding { name, kind, text } => match self.format {
                LogFormat::Text => self.screen.line(&format!("{}: {name}: {text}", kind.as_str())),
                LogFormat::Json => {
                    tracing::error!(target: "cabotage", object = %name, finding = kind.as_str(), "{text}");
                }
            },
            Event::Trouble { name, class, kind, text } => match self.format {
                LogFormat::Text => self.screen.line(&format!("{}: {text}", class_name(*class))),
                LogFormat::Json => {
                    let kind = kind.map(|kind| kind.name());
                    let class = class_name(*class);
                    tracing::error!(target: "cabotage", object = %name, class, kind, "{text}");
                }
            },
        }
    }
}

fn class_name(class: cabotage_engine::Class) -> &'static str {
    use cabotage_engine::Class;
    match class {
        Class::Failed => "failed",
        Class::Refused => "refused",
        Class::Conflict => "conflict",
        Class::Deferred => "deferred",
        Class::Vanished => "vanished",
        Class::Verified => "verified",
        Class::StoredUnread => "stored-unread",
        Class::Skipped => "skipped",
        Class::Planned => "planned",
        Class::Unfinished => "unfinished",
    }
}

fn bar() -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr());
    let style = ProgressStyle::with_template("{spinner} [{bar:16}] {wide_msg}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> "));
    bar
}

fn draw(bar: &ProgressBar, snapshot: Snapshot, rate: &Rate) {
    let empty = snapshot.listed_bytes == 0;
    bar.set_length(if empty { snapshot.listed } else { snapshot.listed_bytes });
    bar.set_position(if empty { snapshot.done } else { snapshot.done_bytes });
    bar.set_message(describe(snapshot, rate));
    bar.tick();
}

/// `1,200 of 5,000 objects, 1.2 GiB of 4.0 GiB, 80.1 MiB/s, 35s left, 2 in trouble`.
fn describe(snapshot: Snapshot, rate: &Rate) -> String {
    let still = if snapshot.listing_done { "" } else { "+" };
    let mut text = format!(
        "{} of {}{still} objects, {} of {}{still}, {}/s",
        count(snapshot.done),
        count(snapshot.listed),
        bytes(snapshot.done_bytes),
        bytes(snapshot.listed_bytes),
        bytes(rate.bytes_per_second()),
    );
    if let Some(seconds) = rate.seconds_left(snapshot) {
        text += &format!(", {} left", span(seconds));
    }
    for (down, end) in [(snapshot.source_down, "source"), (snapshot.destination_down, "destination")] {
        if down {
            text += &format!(", waiting for the {end}");
        }
    }
    if snapshot.trouble > 0 {
        text += &format!(", {} in trouble", count(snapshot.trouble));
    }
    text
}

/// How fast it goes, over the last seconds.
#[derive(Debug, Default)]
struct Rate(VecDeque<(Instant, Snapshot)>);

impl Rate {
    fn note(&mut self, at: Instant, snapshot: Snapshot) {
        self.0.push_back((at, snapshot));
        while self.0.len() > 2 && self.0.get(1).is_some_and(|(then, _)| at.duration_since(*then) >= WINDOW) {
            self.0.pop_front();
        }
    }

    /// Bytes read from the source a second.
    fn bytes_per_second(&self) -> u64 {
        self.per_second(|snapshot| snapshot.moved_bytes)
    }

    /// The longer of the times that objects and bytes need; none while the listing goes on or nothing moves.
    fn seconds_left(&self, snapshot: Snapshot) -> Option<u64> {
        if !snapshot.listing_done {
            return None;
        }
        let left = |all: u64, done: u64, speed: u64| {
            let open = all.saturating_sub(done);
            if open == 0 { Some(0) } else { open.checked_div(speed) }
        };
        let bytes = left(
            snapshot.listed_bytes,
            snapshot.done_bytes,
            self.per_second(|snapshot| snapshot.done_bytes.max(snapshot.moved_bytes)),
        )?;
        let objects = left(snapshot.listed, snapshot.done, self.per_second(|snapshot| snapshot.done));
        Some(bytes.max(objects.unwrap_or(0)))
    }

    fn per_second(&self, of: impl Fn(&Snapshot) -> u64) -> u64 {
        let (Some((then, first)), Some((now, last))) = (self.0.front(), self.0.back()) else { return 0 };
        let millis = u64::try_from(now.duration_since(*then).as_millis()).unwrap_or(u64::MAX);
        of(last).saturating_sub(of(first)).saturating_mul(1000).checked_div(millis).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(done: u64, moved: u64) -> Snapshot {
        Snapshot {
            listed: 100,
            listed_bytes: 1000 << 20,
            done,
            done_bytes: moved,
            moved_bytes: moved,
            trouble: 0,
            listing_done: true,
            ..Snapshot::default()
        }
    }

    #[test]
    fn rate_and_rest() {
        let start = Instant::now();
        let mut rate = Rate::default();
        assert_eq!((rate.bytes_per_second(), rate.seconds_left(at(0, 0))), (0, None), "nothing is known yet");
        for second in 0..=60 {
            rate.note(start + Duration::from_secs(second), at(second, second * (10 << 20)));
        }
        assert_eq!(rate.bytes_per_second(), 10 << 20);
        assert_eq!(rate.seconds_left(at(60, 600 << 20)), Some(40));
        assert!(rate.0.len() < 20, "old readings are dropped");
        assert_eq!(
            describe(Snapshot { trouble: 2, ..at(60, 600 << 20) }, &rate),
            "60 of 100 objects, 600.0 MiB of 1000.0 MiB, 10.0 MiB/s, 40s left, 2 in trouble"
        );
    }

    #[test]
    fn no_time_is_told_while_the_listing_goes_on() {
        let mut rate = Rate::default();
        let start = Instant::now();
        let listing = |done| Snapshot { listing_done: false, ..at(done, done << 20) };
        rate.note(start, listing(0));
        rate.note(start + Duration::from_secs(1), listing(1));
        assert_eq!(describe(listing(1), &rate), "1 of 100+ objects, 1.0 MiB of 1000.0 MiB+, 1.0 MiB/s");
    }
}
