//! The metrics of the program, in the text format of Prometheus. They are static values: counting needs no set-up, and a
//! program that nobody asks for its metrics pays only for the counting.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The kinds of exchanges with an instrument.
const EXCHANGE: Label = Label { name: "kind", known: &["question", "command", "block"] };

/// Exchanges with an instrument.
pub static EXCHANGES: Metric<Counter> =
    Metric::new("ctp10_exchanges_total", "Exchanges with the instrument", EXCHANGE);
/// Exchanges without a valid reply.
pub static EXCHANGES_FAILED: Metric<Counter> =
    Metric::new("ctp10_exchanges_failed_total", "Exchanges without a valid reply", EXCHANGE);
/// The waiting times for the connection.
pub static EXCHANGE_WAIT: Metric<Histogram> =
    Metric::new("ctp10_exchange_wait_seconds", "How long exchanges waited for the connection", EXCHANGE);
/// The durations of exchanges.
pub static EXCHANGE_WIRE: Metric<Histogram> =
    Metric::new("ctp10_exchange_wire_seconds", "How long exchanges took", EXCHANGE);
/// Entries of the error queue.
pub static INSTRUMENT_ERRORS: Metric<Counter> = Metric::new(
    "ctp10_instrument_errors_total",
    "Entries in the error queue of the instrument that commands caused",
    Label::NONE,
);
/// Lost connections.
pub static CONNECTIONS_LOST: Metric<Counter> =
    Metric::new("ctp10_connections_lost_total", "Connections lost", Label::NONE);
/// Open streams.
pub static STREAMS: Metric<Gauge> = Metric::new(
    "ctp10_streams",
    "Open streams",
    Label { name: "kind", known: &["power", "health", "events"] },
);
/// Frames of live power that were not sent.
pub static POWER_FRAMES_DROPPED: Metric<Counter> = Metric::new(
    "ctp10_power_frames_dropped_total",
    "Power frames that slow clients did not get",
    Label::NONE,
);
/// Refused requests.
pub static HTTP_REFUSED: Metric<Counter> = Metric::new(
    "ctp10_http_refused_total",
    "Requests refused",
    Label { name: "status", known: &["401", "403", "409", "422", "502", "503", "504"] },
);
/// Ended runs.
pub static RUNS: Metric<Counter> = Metric::new(
    "ctp10_runs_total",
    "Runs that have ended",
    Label { name: "status", known: &["done", "failed", "aborted"] },
);

/// All metrics in the text format of Prometheus.
#[must_use]
pub fn text() -> String {
    let mut text = String::with_capacity(8 << 10);
    EXCHANGES.write(&mut text);
    EXCHANGES_FAILED.write(&mut text);
    EXCHANGE_WAIT.write(&mut text);
    EXCHANGE_WIRE.write(&mut text);
    INSTRUMENT_ERRORS.write(&mut text);
    CONNECTIONS_LOST.write(&mut text);
    STREAMS.write(&mut text);
    POWER_FRAMES_DROPPED.write(&mut text);
    HTTP_REFUSED.write(&mut text);
    RUNS.write(&mut text);
    text
}

/// What distinguishes the values of one metric.
#[derive(Debug)]
struct Label {
    name: &'static str,
    /// Values that are shown from the start. A value that appears with its first event would hide this event from rates.
    known: &'static [&'static str],
}

impl Label {
    /// The metric has one value.
    const NONE: Self = Self { name: "", known: &[""] };
}

/// A metric with a value for each value of its label.
#[derive(Debug)]
pub struct Metric<V> {
    name: &'static str,
    help: &'static str,
    label: Label,
    values: Mutex<BTreeMap<String, V>>,
}

impl<V: Value> Metric<V> {
    const fn new(name: &'static str, help: &'static str, label: Label) -> Self {
        Self { name, help, label, values: Mutex::new(BTreeMap::new()) }
    }

    fn values(&self) -> MutexGuard<'_, BTreeMap<String, V>> {
        self.values.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, label: &str, change: impl FnOnce(&mut V)) {
        let mut values = self.values();
        match values.get_mut(label) {
            Some(value) => change(value),
            None => change(values.entry(label.to_owned()).or_default()),
        }
    }

    fn write(&self, text: &mut String) {
        let Self { name, help, label, .. } = self;
        let mut values = self.values();
        for known in label.known {
            values.entry((*known).to_owned()).or_default();
        }
        let _ = writeln!(text, "# HELP {name} {help}.\n# TYPE {name} {}", V::TYPE);
        for (value, found) in values.iter() {
            let labels = match label.name {
                "" => String::new(),
                label => format!("{label}=\"{value}\""),
            };
            found.write(name, &labels, text);
        }
    }
}

/// The value of a metric.
pub trait Value: Default {
    /// The type in Prometheus.
    const TYPE: &'static str;

    /// Writes the samples.
    fn write(&self, name: &str, labels: &str, text: &mut String);
}

fn sample(text: &mut String, name: &str, labels: &str, value: impl std::fmt::Display) {
    let _ = match labels {
        "" => writeln!(text, "{name} {value}"),
        labels => writeln!(text, "{name}{{{labels}}} {value}"),
    };
}

/// A number of events.
#[derive(Debug, Default)]
pub struct Counter(u64);

impl Value for Counter {
    const TYPE: &'static str = "counter";

    fn write(&self, name: &str, labels: &str, text: &mut String) {
        sample(text, name, labels, self.0);
    }
}

impl Metric<Counter> {
    /// Counts events of a metric without a label.
    pub fn add(&self, count: u64) {
        self.add_of("", count);
    }

    /// Counts events.
    pub fn add_of(&self, label: &str, count: u64) {
        self.change(label, |counter| counter.0 += count);
    }
}

/// A number that can decrease.
#[derive(Debug, Default)]
pub struct Gauge(usize);

impl Value for Gauge {
    const TYPE: &'static str = "gauge";

    fn write(&self, name: &str, labels: &str, text: &mut String) {
        sample(text, name, labels, self.0);
    }
}

impl Metric<Gauge> {
    /// Sets the number.
    pub fn set_of(&self, label: &str, value: usize) {
        self.change(label, |gauge| gauge.0 = value);
    }
}

/// Upper limits of the buckets for durations, s: from a query on loopback to the transfer of a trace.
const BUCKETS: [f64; 12] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.25, 1.0, 5.0, 15.0, 60.0];

/// How many durations were how long.
#[derive(Debug, Default)]
pub struct Histogram {
    /// The number of durations in each bucket, and not in a smaller one.
    counts: [u64; BUCKETS.len()],
    count: u64,
    sum: Duration,
}

impl Value for Histogram {
    const TYPE: &'static str = "histogram";

    fn write(&self, name: &str, labels: &str, text: &mut String) {
        let bucket = format!("{name}_bucket");
        let separator = if labels.is_empty() { "" } else { "," };
        let mut up_to = 0;
        for (limit, count) in BUCKETS.iter().zip(self.counts) {
            up_to += count;
            sample(text, &bucket, &format!("{labels}{separator}le=\"{limit}\""), up_to);
        }
        sample(text, &bucket, &format!("{labels}{separator}le=\"+Inf\""), self.count);
        sample(text, &format!("{name}_sum"), labels, self.sum.as_secs_f64());
        sample(text, &format!("{name}_count"), labels, self.count);
    }
}

impl Metric<Histogram> {
    /// Adds a duration.
    pub fn record_of(&self, label: &str, duration: Duration) {
        let seconds = duration.as_secs_f64();
        self.change(label, |histogram| {
            if let Some(bucket) = BUCKETS.iter().position(|limit| seconds <= *limit) {
                histogram.counts[bucket] += 1;
            }
            histogram.count += 1;
            histogram.sum += duration;
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text_of<V: Value>(metric: &Metric<V>) -> String {
        let mut text = String::new();
        metric.write(&mut text);
        text
    }

    #[test]
    fn a_counter_is_shown_before_its_first_event_and_with_labels_that_were_not_foreseen() {
        let metric =
            Metric::<Counter>::new("refused_total", "Refused", Label { name: "status", known: &["401"] });
        metric.add_of("404", 2);
        let shown = text_of(&metric);
        assert_eq!(
            shown,
            "# HELP refused_total Refused.\n# TYPE refused_total counter\n\
             refused_total{status=\"401\"} 0\nrefused_total{status=\"404\"} 2\n"
        );
    }

    #[test]
    fn a_metric_without_a_label_has_one_sample() {
        let metric = Metric::<Counter>::new("lost_total", "Lost", Label::NONE);
        assert!(text_of(&metric).ends_with("\nlost_total 0\n"));
        metric.add(3);
        assert!(text_of(&metric).ends_with("\nlost_total 3\n"));
    }

    #[test]
    fn the_buckets_of_a_histogram_are_cumulative() {
        let metric = Metric::<Histogram>::new("wait_seconds", "Waits", Label { name: "kind", known: &[] });
        for seconds in [0.001, 0.002, 100.0] {
            metric.record_of("block", Duration::from_secs_f64(seconds));
        }
        let shown = text_of(&metric);
        for line in [
            "wait_seconds_bucket{kind=\"block\",le=\"0.0005\"} 0",
            "wait_seconds_bucket{kind=\"block\",le=\"0.001\"} 1",
            "wait_seconds_bucket{kind=\"block\",le=\"0.0025\"} 2",
            "wait_seconds_bucket{kind=\"block\",le=\"60\"} 2",
            "wait_seconds_bucket{kind=\"block\",le=\"+Inf\"} 3",
            "wait_seconds_sum{kind=\"block\"} 100.003",
            "wait_seconds_count{kind=\"block\"} 3",
        ] {
            assert!(shown.lines().any(|shown| shown == line), "`{line}` is missing in\n{shown}");
        }
    }
}
