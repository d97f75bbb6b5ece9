//! A report as JSON: `summary.json`.

use super::value::Report;

/// A summary with more lines in its lists is written compactly.
const SPREAD_LINES: usize = 500;

/// The whole report.
#[must_use]
pub fn json(report: &Report) -> Vec<u8> {
    // Spread out where a person may look at it; in a long one that would be half of the bytes.
    let long = report.traces.len() + report.places.len() + report.faults.len() > SPREAD_LINES;
    let text = if long { serde_json::to_vec(report) } else { serde_json::to_vec_pretty(report) };
    // Maps with text keys and numbers: there is nothing in a report that JSON cannot say.
    let mut text = text.unwrap_or_default();
    text.push(b'\n');
    text
}
