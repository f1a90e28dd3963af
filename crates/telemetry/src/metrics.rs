//! The metrics, in Prometheus' text format.
//!
//! They are made when they are asked for, out of counters that are kept anyway.

use std::fmt;
use std::time::{Duration, Instant};

use cabotage_core::{RequestMeter, Timestamp, Traffic};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::prometheus_text;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

use crate::{Watched, WatchedEnd};

/// A metric's labels, all of them from fixed tables.
type Labels<'a> = Vec<(&'static str, &'a str)>;

/// All metrics of the run as text; `free` is what the ledger's disk has left, in bytes.
///
/// # Errors
/// None that text in memory could have.
pub fn exposition(watched: &Watched, free: Option<u64>) -> Result<String, fmt::Error> {
    let mut registry = Registry::with_prefix("cabotage");
    registry.register_collector(Box::new(Reading { watched: watched.clone(), free }));
    let mut text = String::new();
    prometheus_text::encode(&mut text, &registry)?;
    Ok(text)
}

/// What a run's counters tell at one moment.
#[derive(Debug)]
struct Reading {
    watched: Watched,
    free: Option<u64>,
}

impl Collector for Reading {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut page = Page(encoder);
        let Watched { version, verb, .. } = self.watched;
        page.info("build", "The program and what it does", &vec![("version", version), ("verb", verb)])?;
        self.objects(&mut page)?;
        self.compared(&mut page)?;
        self.listing(&mut page)?;
        self.inside(&mut page)?;
        self.requests(&mut page)?;
        self.traffic(&mut page)?;
        self.ends(&mut page)
    }
}

impl Reading {
    fn objects(&self, page: &mut Page<'_>) -> fmt::Result {
        let classes = self.watched.progress.classes();
        let of = |class: cabotage_engine::Class| vec![("class", class.as_str())];
        let objects = classes.map(|(class, amount)| (of(class), amount.objects));
        page.counters("objects", "Objects with an outcome, by the report's class", objects)?;
        let bytes = classes.map(|(class, amount)| (of(class), amount.bytes));
        page.counters("object_bytes", "Bytes of the objects with an outcome, by the report's class", bytes)?;
        let copied = self.watched.progress.copied();
        page.counters("copied_objects", "Objects whose bytes were copied", [(vec![], copied.objects)])?;
        page.counters("copied_bytes", "Bytes of the objects that were copied", [(vec![], copied.bytes)])
    }

    fn compared(&self, page: &mut Page<'_>) -> fmt::Result {
        let results = self.watched.progress.compared_so_far();
        let of = |result: cabotage_engine::Compared| vec![("result", result.as_str())];
        let objects = results.map(|(result, amount)| (of(result), amount.objects));
        page.counters("compared_objects", "Objects that a comparison is done with, by result", objects)?;
        let bytes = results.map(|(result, amount)| (of(result), amount.bytes));
        page.counters("compared_bytes", "Bytes of the objects that a comparison is done with", bytes)
    }

    fn listing(&self, page: &mut Page<'_>) -> fmt::Result {
        let now = self.watched.progress.snapshot();
        page.counters("listed_objects", "Objects listed at the source and selected", [(vec![], now.listed)])?;
        page.counters(
            "listed_bytes",
            "Bytes of the objects listed and selected",
            [(vec![], now.listed_bytes)],
        )?;
        page.gauge(
            "listing_complete",
            "1 once the number of objects listed is final",
            u64::from(now.listing_done),
        )?;
        page.counters(
            "read_bytes",
            "Bytes of bodies read, those read again included",
            [(vec![], now.moved_bytes)],
        )
    }

    fn inside(&self, page: &mut Page<'_>) -> fmt::Result {
        let silence = self.watched.pulse.silence(Instant::now());
        page.gauges(
            "seconds_since_progress",
            "Seconds since anything went on",
            [(vec![], silence.as_secs_f64())],
        )?;
        if let Some(free) = self.free {
            page.gauge("ledger_free_bytes", "Bytes that are free where the ledger is", free)?;
        }
        let Some(now) = self.watched.progress.insight() else { return Ok(()) };
        page.gauge("memory_held_bytes", "Bytes of the memory for bodies that are taken", now.memory_held)?;
        page.gauge("memory_limit_bytes", "Bytes of memory for bodies that there are", now.memory_total)?;
        page.gauge("objects_at_work", "Objects that are being worked on", now.at_work)?;
        let queues = [("large_objects", now.large_waiting), ("outcomes", now.outcomes_waiting)];
        let help = "What waits: large objects for their place, outcomes to be counted";
        page.gauges("queue_depth", help, queues.map(|(name, depth)| (vec![("queue", name)], float(depth))))
    }

    fn requests(&self, page: &mut Page<'_>) -> fmt::Result {
        let meters: Vec<_> = self.each(|end| end.probe.as_ref()?.meter()).collect();
        let ends = meters.iter().flat_map(|(end, meter)| {
            meter.ends().into_iter().map(|(operation, status, count)| {
                (vec![("end", *end), ("operation", operation.name()), ("status", status)], count)
            })
        });
        page.counters("requests", "Requests sent, those sent again included, by how each ended", ends)?;
        let out = meters.iter().map(|(end, meter)| (vec![("end", *end)], float(meter.in_flight())));
        page.gauges("requests_in_flight", "Requests that have no reply yet", out)?;
        let help = "How long a request took up to the head of its reply, or its failure";
        let mut family =
            page.0.encode_descriptor("request_duration_seconds", help, None, MetricType::Histogram)?;
        for (end, meter) in &meters {
            for told in meter.latencies() {
                let labels: Labels<'_> = vec![("end", end), ("operation", told.operation.name())];
                let bounds = RequestMeter::BOUNDS.map(|millis| Duration::from_millis(millis).as_secs_f64());
                let buckets: Vec<_> = bounds.into_iter().zip(told.buckets).collect();
                let sum = told.sum.as_secs_f64();
                family
                    .encode_family(&labels)?
                    .encode_histogram::<NoLabelSet>(sum, told.count, &buckets, None)?;
            }
        }
        Ok(())
    }

    fn traffic(&self, page: &mut Page<'_>) -> fmt::Result {
        let traffic: Vec<_> = self.each(|end| end.probe.as_ref()?.traffic()).collect();
        let of = |what: fn(&Traffic) -> u64| {
            traffic.iter().map(move |(end, traffic)| (vec![("end", *end)], what(traffic))).collect::<Vec<_>>()
        };
        page.counters("retries", "Requests sent again after a failure", of(|traffic| traffic.retries))?;
        page.counters("throttled", "Requests answered with 429 or 503", of(|traffic| traffic.throttled))?;
        let renewals = of(|traffic| traffic.renewals);
        page.counters(
            "credential_renewals",
            "How often credentials were got anew after a refusal",
            renewals,
        )?;
        let waited = traffic.iter().map(|(end, traffic)| {
            (vec![("end", *end)], Duration::from_millis(traffic.waited_millis).as_secs_f64())
        });
        let help =
            "Seconds that requests waited for their turn, summed up, since the server asked to slow down";
        page.counters("throttle_wait_seconds", help, waited)?;
        let limits = traffic
            .iter()
            .filter_map(|(end, traffic)| Some((vec![("end", *end)], f64::from(traffic.limit?))));
        page.gauges(
            "request_limit",
            "Requests that may be in flight since the server asked to slow down",
            limits,
        )
    }

    fn ends(&self, page: &mut Page<'_>) -> fmt::Result {
        let now = self.watched.progress.snapshot();
        let paused = [("source", now.source_down), ("destination", now.destination_down)];
        let paused = paused.map(|(end, down)| (vec![("end", end)], if down { 1.0 } else { 0.0 }));
        page.gauges("endpoint_paused", "1 while the end doesn't answer and the run waits for it", paused)?;
        let left = self
            .each(|end| end.probe.as_ref()?.credentials_until())
            .map(|(end, until)| (vec![("end", end)], until.duration_since(Timestamp::now()).as_secs_f64()));
        let help = "Seconds until the credentials at hand expire; below zero once they have";
        page.gauges("credential_expiry_seconds", help, left)
    }

    /// What there is to tell of each end.
    fn each<'a, T>(
        &'a self,
        tell: impl Fn(&WatchedEnd) -> Option<T> + 'a,
    ) -> impl Iterator<Item = (&'static str, T)> + 'a {
        self.watched.ends.iter().filter_map(move |end| Some((end.name, tell(end)?)))
    }
}

/// The text on its way.
struct Page<'a>(DescriptorEncoder<'a>);

impl Page<'_> {
    fn info(&mut self, name: &str, help: &str, labels: &Labels<'_>) -> fmt::Result {
        self.0.encode_descriptor(name, help, None, MetricType::Info)?.encode_info(labels)
    }

    /// A counter for each set of labels. The name gets `_total` at its end.
    fn counters<'l, N>(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = (Labels<'l>, N)>,
    ) -> fmt::Result
    where
        N: prometheus_client::encoding::EncodeCounterValue,
    {
        let mut samples = samples.into_iter().peekable();
        if samples.peek().is_none() {
            return Ok(());
        }
        let mut family = self.0.encode_descriptor(name, help, None, MetricType::Counter)?;
        for (labels, value) in samples {
            within(&mut family, &labels, |encoder| ConstCounter::new(value).encode(encoder))?;
        }
        Ok(())
    }

    fn gauge(&mut self, name: &str, help: &str, value: u64) -> fmt::Result {
        self.gauges(name, help, [(vec![], float(value))])
    }

    fn gauges<'l>(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = (Labels<'l>, f64)>,
    ) -> fmt::Result {
        let mut samples = samples.into_iter().peekable();
        if samples.peek().is_none() {
            return Ok(());
        }
        let mut family = self.0.encode_descriptor(name, help, None, MetricType::Gauge)?;
        for (labels, value) in samples {
            within(&mut family, &labels, |encoder| ConstGauge::new(value).encode(encoder))?;
        }
        Ok(())
    }
}

fn within(
    family: &mut MetricEncoder<'_>,
    labels: &Labels<'_>,
    encode: impl FnOnce(MetricEncoder<'_>) -> fmt::Result,
) -> fmt::Result {
    encode(family.encode_family(labels)?)
}

/// Gauges are floating-point numbers in Prometheus: exact up to 2^53, 8 PiB.
#[allow(clippy::cast_precision_loss, reason = "see above")]
fn float(value: u64) -> f64 {
    value as f64
}
