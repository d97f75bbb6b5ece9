//! What those hear who wait for the end of a run: a few kilobytes, whatever the run was. `docs/notify.md` has the
//! fields; a field may be added, none changes its meaning.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};

use super::value::{Counts, LasersEnd, Report};
use super::words::{clip, count, lasers};
use crate::store::RunState;
use crate::units::duration;

/// Lists of parameters and metadata that are longer than this as JSON, bytes, are left out.
const LARGEST_LIST: usize = 8_192;

/// What is sent when a run has ended.
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

/// What a run that broke off without a readable folder cannot tell.
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

/// A run that has ended, as far as it is known without its folder.
#[derive(Debug, Clone, Copy)]
pub struct Ended<'a> {
    /// Its identifier.
    pub run: &'a str,
    /// The recipe's name.
    pub name: &'a str,
    /// Its folder.
    pub folder: &'a str,
    /// Measured with the embedded instrument.
    pub simulated: bool,
    /// How it ended.
    pub state: RunState,
    /// Why, when not `done`.
    pub reason: Option<&'a str>,
}

/// What to send: of the run, with its report where there is one.
#[must_use]
pub fn notice(ended: Ended<'_>, report: Option<&Report>) -> Value {
    let event = match ended.state {
        RunState::Done => "run_done",
        RunState::Aborted => "run_aborted",
        // A run that cannot be written to its end has failed for whoever waits for it.
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

/// The same for people, in a few lines: what chat services show.
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
        lines.extend(report.finish_command.as_ref().map(|command| format!("go on with: {command}")));
    }
    lines.join("\n")
}
