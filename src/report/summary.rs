//! A report as JSON: `summary.json`.

use super::value::Report;

/// A summary with more lines in its lists is written without line breaks.
const SPREAD_LINES: usize = 500;

/// The report as JSON.
#[must_use]
pub fn json(report: &Report) -> Vec<u8> {
    // Short summaries are indented for people. In a long one, indentation would be half of the bytes.
    let long = report.traces.len() + report.places.len() + report.faults.len() > SPREAD_LINES;
    let text = if long { serde_json::to_vec(report) } else { serde_json::to_vec_pretty(report) };
    // A report contains only values that JSON can represent.
    let mut text = text.unwrap_or_default();
    text.push(b'\n');
    text
}
