//! The notification at the end of a run: a few kilobytes for any run. `docs/notify.md` describes its fields. Fields
//! may be added, but never change their meaning.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};

use super::format::{clip, count, lasers};
use super::value::{Counts, LasersEnd, Report};
use crate::store::RunState;
use crate::units::duration;

/// Parameters or metadata that are larger than this as JSON, bytes, are left out.
const LARGEST_LIST: usize = 8_192;

/// The notification at the end of a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Notice<'a> {
    event: &'static str,
    text: String,
    schema_version: u32,
    run: &'a str,
    name: &'a str,
    state: RunState,
    reason: Option<String>,
    simulated: bool,
    folder: &'a str,
    host: String,
    #[serde(flatten)]
    details: Option<Details<'a>>,
}

/// The details, which are missing if the run folder cannot be read.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Details<'a> {
    recipe: &'a str,
    started: chrono::DateTime<chrono::Utc>,
    finished: Option<chrono::DateTime<chrono::Utc>>,
    seconds: f64,
    counts: Counts,
    lasers: LasersEnd,
    lasers_unknown: &'a [u8],
    finish_command: Option<&'a str>,
    parameters: Value,
    metadata: Value,
}

/// What is known about a run that has ended, without its folder.
#[derive(Debug, Clone, Copy)]
pub struct Ended<'a> {
    /// Identifier of the run.
    pub run: &'a str,
    /// Name of the recipe.
    pub name: &'a str,
    /// The run folder.
    pub folder: &'a str,
    /// Measured with the embedded simulator.
    pub simulated: bool,
    /// How it ended.
    pub state: RunState,
    /// The reason; `None` for `done`.
    pub reason: Option<&'a str>,
}

/// The notification for a run, with details if there is a report.
#[must_use]
pub fn notice(ended: Ended<'_>, report: Option<&Report>) -> Value {
    let event = match ended.state {
        RunState::Done => "run_done",
        RunState::Aborted => "run_aborted",
        // A run that could not be written to its end has failed for the recipient.
        RunState::Failed | RunState::Interrupted | RunState::Running => "run_failed",
    };
    let host = gethostname::gethostname().to_string_lossy().into_owned();
    let notice = Notice {
        event,
        text: text(ended, &host, report),
        schema_version: 1,
        run: ended.run,
        name: ended.name,
        state: ended.state,
        reason: ended.reason.map(clip),
        simulated: ended.simulated,
        folder: report.map_or(ended.folder, |report| &report.about.folder),
        host,
        details: report.map(|report| Details {
            recipe: &report.about.recipe.path,
            started: report.started,
            finished: report.finished,
            seconds: report.seconds,
            counts: report.counts,
            lasers: report.lasers,
            lasers_unknown: &report.lasers_unknown,
            finish_command: report.finish_command.as_deref(),
            parameters: short(&report.about.parameters),
            metadata: short(&report.about.metadata),
        }),
    };
    json!(notice)
}

fn short(values: &BTreeMap<String, Value>) -> Value {
    let values = json!(values);
    if values.to_string().len() > LARGEST_LIST { json!({}) } else { values }
}

/// The notification as text of a few lines, for chat services.
fn text(ended: Ended<'_>, host: &str, report: Option<&Report>) -> String {
    let what = match ended.state {
        RunState::Done => "done",
        RunState::Aborted => "was stopped",
        _ => "failed",
    };
    let simulated = if ended.simulated { "SIMULATED: " } else { "" };
    let after = report.map(|report| format!(" after {}", duration(report.seconds))).unwrap_or_default();
    let reason = ended.reason.map(|reason| format!(": {}", clip(reason))).unwrap_or_default();
    let mut lines = vec![format!("{simulated}{} {what}{after} on {host}{reason}", ended.name)];
    if let Some(report) = report {
        let of = report.counts.traces_foreseen.filter(|of| *of != report.counts.traces);
        let of = of.map(|of| format!(" of {of}")).unwrap_or_default();
        lines.push(format!("run {}, {}{of}", ended.run, count(report.counts.traces, "trace")));
        if !report.lasers_unknown.is_empty() {
            lines.push(format!("{} may be on", lasers(&report.lasers_unknown)));
        }
        if !report.instruments_unknown.is_empty() {
            lines.push(format!("not confirmed safe: {}", report.instruments_unknown.join(", ")));
        }
        lines.extend(report.finish_command.as_ref().map(|command| format!("continue with: {command}")));
    }
    lines.join("\n")
}
