//! A report as JSON: `summary.json`, and the short form of it that is sent when a run ends.

use serde_json::Value;

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

/// Lists in a notice end here.
const NOTICE_LINES: usize = 20;

/// The report without its long lists, a few kilobytes whatever the run was: what to send to those who wait for its
/// end. `counts` still says how much there was.
#[must_use]
pub fn notice(report: &Report) -> Value {
    let mut short = report.clone();
    short.places.clear();
    short.traces.clear();
    short.warnings.clear();
    short.prompts.clear();
    short.faults.truncate(NOTICE_LINES);
    short.missing.truncate(NOTICE_LINES);
    short.link_losses.truncate(NOTICE_LINES);
    let mut value = serde_json::to_value(&short).unwrap_or_default();
    if let Some(fields) = value.as_object_mut() {
        for emptied in ["places", "traces", "warnings", "prompts", "more"] {
            fields.remove(emptied);
        }
    }
    value
}
