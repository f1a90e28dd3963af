//! The two ends' endpoints: outages that pause the run, and what the report tells of them.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cabotage_core::{Error, ErrorKind, Rates, Throttle, Timestamp, Traffic};
use cabotage_layers::{Gate, OutageWatch, Outages, Outlast, ResumeBody, ResumePolicy};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use crate::{Event, Observer, Progress, Side};

/// Which end of the migration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Source,
    Destination,
}

impl End {
    fn name(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Destination => "destination",
        }
    }
}

/// The gates of both ends; they are apart even where both are the same host.
#[derive(Clone, Debug)]
pub(crate) struct Gates {
    source: Gate,
    destination: Gate,
}

/// Puts both ends behind gates of their own. Waiting ends when `ended` is cancelled.
pub(crate) fn guard(
    (source, destination): (&mut Side, &mut Side),
    longest: Duration,
    ended: &CancellationToken,
    progress: &Arc<Progress>,
    observer: &Arc<dyn Observer>,
) -> Gates {
    progress.limit([&source.throttle, &destination.throttle].map(Clone::clone));
    let behind = |end: End, side: &mut Side| {
        let watch = Watch {
            end,
            label: side.label.clone(),
            longest,
            progress: Arc::clone(progress),
            observer: Arc::clone(observer),
        };
        let gate = Gate::new(longest, ended.clone(), Arc::new(watch));
        let store = Outlast::new(Arc::clone(&side.store), gate.clone(), side.prefix.as_str());
        side.store = Arc::new(ResumeBody::new(Arc::new(store), ResumePolicy::default()));
        gate
    };
    Gates { source: behind(End::Source, source), destination: behind(End::Destination, destination) }
}

/// Tells of one end's outages.
struct Watch {
    end: End,
    label: String,
    longest: Duration,
    progress: Arc<Progress>,
    observer: Arc<dyn Observer>,
}

impl Watch {
    /// `the source az://…`.
    fn whom(&self) -> String {
        format!("the {} {}", self.end.name(), self.label)
    }
}

impl OutageWatch for Watch {
    fn down(&self, reason: &Error) {
        self.progress.set_down(self.end, true);
        let (what, hint) = match reason.kind() {
            ErrorKind::CredentialsExpired => {
                ("no longer takes the credentials", "put new ones where they come from, or Ctrl-C ends")
            }
            _ => ("does not answer", "Ctrl-C ends"),
        };
        self.observer.event(&Event::Warning(format!(
            "{} {what} since {} UTC: waiting, at most {}; {hint} ({reason})",
            self.whom(),
            Timestamp::now().strftime("%H:%M:%S"),
            span(self.longest),
        )));
    }

    fn up(&self, lasted: Duration) {
        self.progress.set_down(self.end, false);
        self.observer.event(&Event::Warning(format!(
            "{} answers again, after {}: the run goes on",
            self.whom(),
            span(lasted),
        )));
    }

    fn over(&self, kind: ErrorKind, last: &str) -> Error {
        self.progress.set_down(self.end, false);
        let (what, help) = match kind {
            ErrorKind::CredentialsExpired => (
                "did not take the credentials",
                "put new ones where they come from, then run the same command",
            ),
            _ => ("did not answer", "when it answers again, run the same command"),
        };
        let (whom, longest) = (self.whom(), span(self.longest));
        Error::new(kind, format!("{whom} {what} for {longest}, the longest time to wait"))
            .with("last", last)
            .help(format!("{help}; --max-outage lets a run wait longer"))
    }
}

/// What became of the two ends' endpoints.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Endpoints {
    /// The source's.
    pub source: Endpoint,
    /// The destination's.
    pub destination: Endpoint,
}

/// What became of one end's endpoint during the run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Endpoint {
    /// How often it was down, so that the run waited for it.
    pub outages: u64,
    /// For how many seconds in all.
    pub outage_seconds: f64,
    /// Its requests; none for a store without a server.
    pub traffic: Option<Traffic>,
    /// To which limits it was kept; none where there were none.
    pub limits: Option<Limited>,
}

/// One end's limits, and what they came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limited {
    /// How much a second.
    pub rates: Rates,
    /// Milliseconds for which something waited for them; what waits at the same time counts once.
    pub waited_millis: u64,
}

impl Limited {
    /// None where nothing is limited.
    pub(crate) fn of(throttle: &Throttle) -> Option<Self> {
        let rates = throttle.rates();
        let waited = throttle.waited(Instant::now());
        let waited_millis = u64::try_from(waited.as_millis()).unwrap_or(u64::MAX);
        (!rates.is_none()).then_some(Self { rates, waited_millis })
    }
}

impl fmt::Display for Limited {
    /// `200 MiB/s, 300 requests/s; waited 2 min 5 s`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; waited {}", self.rates, span(Duration::from_millis(self.waited_millis)))
    }
}

impl Endpoint {
    fn new(outages: Outages, side: &Side) -> Self {
        Self {
            outages: outages.count,
            outage_seconds: outages.time.as_secs_f64(),
            traffic: side.probe.as_ref().and_then(|probe| probe.traffic()),
            limits: Limited::of(&side.throttle),
        }
    }

    /// What there is to tell, a line each.
    fn lines(&self, end: End) -> Vec<String> {
        let mut lines = Vec::new();
        let end = end.name();
        if self.outages > 0 {
            let time = span(Duration::from_secs_f64(self.outage_seconds));
            let times = times(self.outages);
            lines.push(format!("The {end} was down {times}, {time} in all; the run waited."));
        }
        if let Some(limited) = self.limits {
            lines.push(format!("The {end} was kept to {limited}."));
        }
        if let Some(traffic) = self.traffic.filter(|traffic| traffic.throttled > 0) {
            let lowest = traffic.lowest_limit.map(|limit| format!("; requests at once went down to {limit}"));
            lines.push(format!(
                "The {end} asked to slow down {} in {} requests{}.",
                times(traffic.throttled),
                traffic.requests,
                lowest.unwrap_or_default(),
            ));
        }
        lines
    }
}

impl Endpoints {
    pub(crate) fn of(gates: &Gates, source: &Side, destination: &Side) -> Self {
        Self {
            source: Endpoint::new(gates.source.outages(), source),
            destination: Endpoint::new(gates.destination.outages(), destination),
        }
    }

    /// What there is to tell, a line each; nothing when all went well.
    pub(crate) fn lines(&self) -> Vec<String> {
        [self.source.lines(End::Source), self.destination.lines(End::Destination)].concat()
    }
}

fn times(count: u64) -> String {
    if count == 1 { "once".to_owned() } else { format!("{count} times") }
}

/// `6 h`, `90 min`, `2 h 5 min`, `45 s`.
fn span(span: Duration) -> String {
    let seconds = span.as_secs();
    match (seconds / 3600, seconds / 60 % 60) {
        (0, 0) => format!("{seconds} s"),
        (0, minutes) if seconds.is_multiple_of(60) => format!("{minutes} min"),
        (0, minutes) => format!("{minutes} min {} s", seconds % 60),
        (hours, 0) => format!("{hours} h"),
        (hours, minutes) => format!("{hours} h {minutes} min"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans() {
        for (seconds, text) in [
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (61, "1 min 1 s"),
            (21_600, "6 h"),
            (7_500, "2 h 5 min"),
        ] {
            assert_eq!(span(Duration::from_secs(seconds)), text);
        }
    }

    #[test]
    fn only_trouble_is_told() {
        let traffic = Traffic { requests: 500, ..Traffic::default() };
        let calm = Endpoint { traffic: Some(traffic), ..Endpoint::default() };
        assert!(Endpoints { source: calm, destination: calm }.lines().is_empty());
        let throttled = Traffic { throttled: 7, lowest_limit: Some(4), ..traffic };
        let rates = Rates { bytes: Some(1 << 20), ..Rates::default() };
        let limits = Some(Limited { rates, waited_millis: 125_400 });
        let destination = Endpoint { outages: 2, outage_seconds: 7_500.0, traffic: Some(throttled), limits };
        assert_eq!(
            Endpoints { source: calm, destination }.lines(),
            [
                "The destination was down 2 times, 2 h 5 min in all; the run waited.",
                "The destination was kept to 1 MiB/s; waited 2 min 5 s.",
                "The destination asked to slow down 7 times in 500 requests; requests at once went down to 4."
            ]
        );
    }
}
