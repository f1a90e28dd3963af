//! Flags about time: how long a run waits for an end that is down, and when it ends by the clock.

use std::str::FromStr;
use std::time::Duration;

use cabotage::TimeSpan;
use cabotage_core::{Error, ErrorKind, Result, Timestamp};
use cabotage_engine::Stop;
use clap::Args;
use jiff::civil::Time;
use jiff::{ToSpan as _, Zoned};

use crate::progress::Reporter;

/// The clock is looked at again after so long: it may be set, and the machine may sleep.
const LOOK_AGAIN: Duration = Duration::from_secs(10);

#[derive(Args, Clone, Debug)]
pub(crate) struct WhenArgs {
    /// Wait so long for an end that does not answer, then stop; 0s: don't wait
    #[arg(long, value_name = "TIME", default_value_t = TimeSpan(Duration::from_secs(6 * 3600)))]
    pub(crate) max_outage: TimeSpan,
    /// Start nothing new from then on, and end: 06:00 (local time, the next one) or 2027-01-31T06:00:00Z
    #[arg(long, value_name = "WHEN")]
    stop_at: Option<StopAt>,
    /// Start nothing new after so long, and end
    #[arg(long, value_name = "TIME")]
    stop_after: Option<TimeSpan>,
    /// A moment that is past ends the run at once: it was told to an attempt before this one too.
    #[arg(skip)]
    may_be_past: bool,
}

impl WhenArgs {
    /// For an attempt that may be begun after the moment to stop.
    pub(crate) fn of_attempt(self) -> Self {
        Self { may_be_past: true, ..self }
    }

    /// The earlier of the moments given; none when none is.
    ///
    /// # Errors
    /// `InvalidConfig` for a moment that is past or beyond the calendar.
    pub(crate) fn deadline(&self, now: &Zoned) -> Result<Option<Timestamp>> {
        let at = self.stop_at.map(|at| at.next(now, self.may_be_past)).transpose()?;
        let after = self.stop_after.map(|span| after(now.timestamp(), span.0)).transpose()?;
        Ok(at.into_iter().chain(after).min())
    }
}

/// Drains the run when the moment has come; never ends.
pub(crate) async fn stop_in_time(deadline: Option<Timestamp>, stop: &Stop, reporter: &Reporter) {
    if let Some(deadline) = deadline {
        while Timestamp::now() < deadline {
            let left = Duration::try_from(deadline.duration_since(Timestamp::now())).unwrap_or_default();
            tokio::time::sleep(left.min(LOOK_AGAIN)).await;
        }
        if !stop.drain.is_cancelled() {
            reporter.say("the time given is up: what is in flight is finished first");
            stop.time_up.cancel();
            stop.drain.cancel();
        }
    }
    std::future::pending::<()>().await;
}

/// What `--stop-at` takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum StopAt {
    /// A time of day, local.
    Clock(Time),
    Moment(Timestamp),
}

impl StopAt {
    fn next(self, now: &Zoned, may_be_past: bool) -> Result<Timestamp> {
        match self {
            Self::Moment(moment) if !may_be_past && moment <= now.timestamp() => {
                Err(invalid(format!("--stop-at {moment} is past")).help("give a moment to come"))
            }
            Self::Moment(moment) => Ok(moment),
            Self::Clock(time) => clock(now, time).map_err(|error| invalid(format!("--stop-at: {error}"))),
        }
    }
}

/// The next moment at which the clock shows that time. One that the clock skips is the moment after the gap.
fn clock(now: &Zoned, time: Time) -> Result<Timestamp, jiff::Error> {
    let today = now.date().to_datetime(time).to_zoned(now.time_zone().clone())?;
    if today > *now {
        return Ok(today.timestamp());
    }
    let tomorrow = now.date().checked_add(1.day())?;
    Ok(tomorrow.to_datetime(time).to_zoned(now.time_zone().clone())?.timestamp())
}

fn after(now: Timestamp, span: Duration) -> Result<Timestamp> {
    now.checked_add(span).map_err(|_| invalid("--stop-after is beyond the calendar".to_owned()))
}

impl FromStr for StopAt {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let clock = ["%H:%M", "%H:%M:%S"].iter().find_map(|form| Time::strptime(form, text).ok());
        clock.map(Self::Clock).or_else(|| text.parse().ok().map(Self::Moment)).ok_or_else(|| {
            invalid(format!("'{text}' is no time"))
                .help("write 06:00 for the next six o'clock, or a moment with its offset: 2027-01-31T06:00:00+01:00")
        })
    }
}

fn invalid(message: String) -> Error {
    Error::new(ErrorKind::InvalidConfig, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(at: Option<&str>, span: Option<&str>) -> WhenArgs {
        WhenArgs {
            max_outage: TimeSpan(Duration::ZERO),
            stop_at: at.map(|at| at.parse().unwrap()),
            stop_after: span.map(|s| s.parse().unwrap()),
            may_be_past: false,
        }
    }

    /// Half past ten in the evening in Paris, before the night in which clocks go from 2 to 3.
    fn evening() -> Zoned {
        let paris = jiff::tz::TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
        "2027-03-27T21:30:00Z".parse::<Timestamp>().unwrap().to_zoned(paris)
    }

    #[test]
    fn the_next_such_moment() {
        for (at, expected) in [
            ("23:00", "2027-03-27T22:00:00Z"),
            ("22:30", "2027-03-28T20:30:00Z"),
            ("06:00", "2027-03-28T04:00:00Z"),
            ("06:00:30", "2027-03-28T04:00:30Z"),
            ("02:30", "2027-03-28T01:30:00Z"),
            ("2027-03-27T23:00:00+01:00", "2027-03-27T22:00:00Z"),
        ] {
            let deadline = args(Some(at), None).deadline(&evening()).unwrap();
            assert_eq!(deadline.map(|moment| moment.to_string()).as_deref(), Some(expected), "{at}");
        }
    }

    #[test]
    fn the_earlier_counts() {
        let deadline = |at, span| args(at, span).deadline(&evening()).unwrap().map(|d| d.to_string());
        assert_eq!(deadline(None, None), None);
        assert_eq!(deadline(None, Some("8h")).as_deref(), Some("2027-03-28T05:30:00Z"));
        assert_eq!(deadline(Some("06:00"), Some("8h")).as_deref(), Some("2027-03-28T04:00:00Z"));
        assert_eq!(deadline(Some("06:00"), Some("1h")).as_deref(), Some("2027-03-27T22:30:00Z"));
    }

    #[test]
    fn what_is_refused() {
        for text in ["6", "06:00 ", "25:00", "6 o'clock", "2027-01-31", "2027-01-31T06:00:00"] {
            assert!(text.parse::<StopAt>().is_err(), "{text}");
        }
        let past = args(Some("2027-03-27T21:29:59Z"), None).deadline(&evening()).unwrap_err();
        assert_eq!(past.kind(), ErrorKind::InvalidConfig);
        let endless = args(None, Some("99999999d")).deadline(&evening());
        assert_eq!(endless.unwrap_err().kind(), ErrorKind::InvalidConfig);
    }
}
