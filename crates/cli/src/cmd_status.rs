//! `cabotage status`.

use cabotage_core::{Result, Timestamp, display_text};
use cabotage_engine::{Count, KeptProgress, LedgerCounts, Limited, RunKind, RunRecord, Speed};
use clap::Args;
use serde_json::{Value, json};

use crate::cmd_ls::time;
use crate::cmd_runs;
use crate::exit_code::Exit;
use crate::ledgers::{KnownLedger, Ledgers, RunName, RunState, StateArg};
use crate::options::Common;
use crate::output::{Failure, Output, bytes, count, span};
use crate::screen::Screen;

#[derive(Args, Debug)]
pub(crate) struct StatusArgs {
    /// The run, as `cabotage runs` names it [default: the one that began last]
    run: Option<RunName>,
    #[command(flatten)]
    state: StateArg,
    /// One JSON object
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &StatusArgs, common: &Common, screen: &Screen) -> Result<Exit, Failure> {
    let ledgers = Ledgers::open(&args.state, common, screen)?;
    let (ledger, run) = match &args.run {
        None => ledgers.latest()?,
        Some(name) => match ledgers.find(name)? {
            (ledger, Some(run)) => (ledger, run),
            (ledger, None) => {
                ledger.runs.last().map(|run| (ledger, run)).map_or_else(|| ledgers.latest(), Ok)?
            }
        },
    };
    let status = Status::of(ledger, run)?;
    let mut output = Output::new();
    if args.json {
        output.json(&status.as_value())?;
    } else {
        for line in status.lines() {
            output.line(line)?;
        }
    }
    output.finish()?;
    Ok(Exit::Success)
}

/// What can be said of a run at this moment.
struct Status<'a> {
    ledger: &'a KnownLedger,
    run: &'a RunRecord,
    state: RunState,
    progress: Option<KeptProgress>,
    counts: LedgerCounts,
    closed: Option<Timestamp>,
}

/// What is left to do, by which account.
struct Rest {
    objects: u64,
    bytes: u64,
    by: String,
}

impl<'a> Status<'a> {
    fn of(ledger: &'a KnownLedger, run: &'a RunRecord) -> Result<Self> {
        Ok(Self {
            ledger,
            run,
            state: ledger.state(run)?,
            progress: run.progress.as_deref().and_then(|progress| serde_json::from_str(progress).ok()),
            counts: ledger.reader.counts()?,
            closed: ledger.reader.closed()?,
        })
    }

    /// Seconds since the progress was recorded, by this machine's clock.
    fn age(&self) -> Option<u64> {
        let seconds = Timestamp::now().as_second().saturating_sub(self.run.progress_at?.as_second());
        Some(u64::try_from(seconds).unwrap_or(0))
    }

    fn overall(&self) -> Option<Speed> {
        let millis = self.run.progress_at?.as_millisecond().saturating_sub(self.run.started.as_millisecond());
        self.progress?.overall(u64::try_from(millis).ok()?)
    }

    fn recent(&self) -> Option<Speed> {
        self.progress?.recent()
    }

    /// By the listing when it is complete, else by that of an earlier pass over all objects.
    fn rest(&self) -> Option<Rest> {
        let now = self.progress?.now;
        let (objects, bytes, by) = if now.listing_done {
            (now.listed, now.listed_bytes, "listing".to_owned())
        } else {
            let earlier = |run: &&RunRecord| {
                run.id < self.run.id
                    && matches!(run.kind, RunKind::Pass | RunKind::DryRun | RunKind::Cutover | RunKind::Merge)
            };
            self.ledger.runs.iter().rev().filter(earlier).find_map(|run| {
                let report = cmd_runs::report(run);
                report["listing_complete"].as_bool().filter(|complete| *complete)?;
                let listed = report["objects"]["listed"].as_u64()?;
                Some((listed, report["bytes_listed"].as_u64()?, self.ledger.run_name(run.id)))
            })?
        };
        Some(Rest {
            objects: objects.saturating_sub(now.done),
            bytes: bytes.saturating_sub(now.done_bytes),
            by,
        })
    }

    /// Seconds until the rest is done at the pace of the last minutes.
    fn forecast(&self) -> Option<(u64, Rest)> {
        if self.state != RunState::GoingOn {
            return None;
        }
        let rest = self.rest()?;
        let seconds = self.recent()?.seconds_for(rest.objects, rest.bytes)?;
        Some((seconds, rest))
    }

    fn as_value(&self) -> Value {
        let mut value = cmd_runs::as_value(self.ledger, self.run, &self.state);
        let forecast = self.forecast().map(|(seconds, rest)| {
            json!({ "seconds_left": seconds, "objects_left": rest.objects, "bytes_left": rest.bytes, "by": rest.by })
        });
        let more = json!({
            "progress": self.progress.map(|progress| progress.now),
            "progress_age_seconds": self.age(),
            "recent": self.recent().map(of_speed),
            "overall": self.overall().map(of_speed),
            "forecast": forecast,
            "done": self.counts.objects.iter().map(|(verdict, count)| json!({
                "verdict": verdict.as_str(), "objects": count.objects, "bytes": count.bytes,
            })).collect::<Vec<_>>(),
            "troubles": self.counts.troubles.iter().map(|(class, kind, count)| json!({
                "class": class.as_str(), "kind": kind, "objects": count.objects, "bytes": count.bytes,
            })).collect::<Vec<_>>(),
            "uploads": self.counts.uploads,
            "intents": self.counts.intents,
            "closed": self.closed.map(|at| at.to_string()),
            "report": cmd_runs::report(self.run),
        });
        if let (Some(fields), Value::Object(more)) = (value.as_object_mut(), more) {
            fields.extend(more);
        }
        value
    }

    fn lines(&self) -> Vec<String> {
        let (run, job) = (self.run, &self.ledger.job);
        let mut lines = vec![
            field("run", &format!("{} ({})", self.ledger.run_name(run.id), run.kind.as_str())),
            field("job", &format!("{} to {}", display_text(&job.source), display_text(&job.destination))),
            field("state", &self.state_text()),
            field("started", &time(run.started)),
        ];
        lines.extend(run.finished.map(|at| field("ended", &time(at))));
        if let Some(why) = cmd_runs::report(run)["stopped"].as_str() {
            lines.push(field("stopped by", &display_text(why)));
        }
        lines.extend(self.progress_lines());
        lines.extend(self.limit_lines());
        lines.extend(self.ledger_lines());
        lines.extend(self.closed.map(|at| field("job closed", &time(at))));
        lines
    }

    fn state_text(&self) -> String {
        let process = format!("process {} on {}", self.run.pid, display_text(&self.run.host));
        match &self.state {
            RunState::GoingOn => format!("running ({process})"),
            RunState::Died => format!("died ({process}); the same command goes on"),
            RunState::Ended(_) => self.state.to_string(),
        }
    }

    fn progress_lines(&self) -> Vec<String> {
        let Some(KeptProgress { now, .. }) = self.progress else { return Vec::new() };
        let still = if now.listing_done { "" } else { "+" };
        let age = self.age().map(|age| format!(" ({} ago)", span(age))).unwrap_or_default();
        let mut lines = vec![field(
            "progress",
            &format!(
                "{} of {}{still} objects, {} of {}{still}, {} in trouble{age}",
                count(now.done),
                count(now.listed),
                bytes(now.done_bytes),
                bytes(now.listed_bytes),
                count(now.trouble),
            ),
        )];
        for (name, speed) in [("last minutes", self.recent()), ("whole run", self.overall())] {
            lines.extend(speed.map(|speed| field(name, &speed_text(speed))));
        }
        for (down, end) in [(now.source_down, "source"), (now.destination_down, "destination")] {
            if down && self.state == RunState::GoingOn {
                lines.push(field("waiting for", &format!("the {end}, which doesn't answer")));
            }
        }
        lines.extend(self.forecast().map(|(seconds, rest)| {
            let by =
                if rest.by == "listing" { String::new() } else { format!(", by what {} listed", rest.by) };
            field("left", &format!("about {}{by}", span(seconds)))
        }));
        lines
    }

    /// To which limits the ends are kept, by the report where there is one.
    fn limit_lines(&self) -> Vec<String> {
        let (report, now) = (cmd_runs::report(self.run), self.progress.map(|progress| progress.now));
        let told =
            |end: &str| serde_json::from_value(report["endpoints"][end]["limits"].clone()).ok().flatten();
        let line = |end: &str, at_last: Option<Limited>| {
            let limited: Option<Limited> = told(end).or(at_last);
            limited.map(|limited| field(&format!("{end} limits"), &limited.to_string()))
        };
        let source = line("source", now.and_then(|now| now.source_limits));
        let destination = line("destination", now.and_then(|now| now.destination_limits));
        source.into_iter().chain(destination).collect()
    }

    fn ledger_lines(&self) -> Vec<String> {
        let LedgerCounts { objects, troubles, uploads, .. } = &self.counts;
        let sum = |count: &Count| format!("{} objects, {}", self::count(count.objects), bytes(count.bytes));
        let mut lines: Vec<_> = objects
            .iter()
            .map(|(verdict, count)| field(&format!("done {}", verdict.as_str()), &sum(count)))
            .collect();
        for (class, kind, count) in troubles {
            lines.push(field(format!("{} {}", class.as_str(), display_text(kind)).trim_end(), &sum(count)));
        }
        if *uploads > 0 {
            lines.push(field("open uploads", &count(*uploads)));
        }
        lines
    }
}

fn of_speed(speed: Speed) -> Value {
    json!({
        "seconds": speed.millis / 1000,
        "objects_per_1000_seconds": speed.objects_per_1000_seconds,
        "bytes_per_second": speed.bytes_per_second,
    })
}

fn speed_text(speed: Speed) -> String {
    let tenths = speed.objects_per_1000_seconds / 100;
    format!(
        "{}/s, {}.{} objects/s over {}",
        bytes(speed.bytes_per_second),
        count(tenths / 10),
        tenths % 10,
        span(speed.millis / 1000)
    )
}

fn field(name: &str, value: &str) -> String {
    format!("{:<24}{value}", format!("{name}:"))
}
