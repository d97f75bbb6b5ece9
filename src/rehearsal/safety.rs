//! Checks whether the result of a rehearsal is safe.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::catalogue::BATCH_ITEM;
use crate::store::runs::{self, FoundRun};
use crate::store::{RunState, StoreError, watchdog_records};

/// A trace without its time. The same settings give the same values in each rehearsal, so a trace with another level
/// was measured with other settings.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Measured {
    /// The detector.
    pub detector: String,
    /// Kind of the trace.
    pub trace: String,
    /// Name in the recipe.
    pub name: String,
    /// Number of points.
    pub points: u64,
    /// Mean of the values, with all digits.
    pub level: String,
}

impl std::fmt::Display for Measured {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { detector, trace, name, points, level } = self;
        write!(f, "{detector} {trace} {name} ({points} points, mean {level})")
    }
}

/// A run after a rehearsal.
#[derive(Debug, Clone)]
pub struct InspectedRun {
    /// The run folder.
    pub folder: PathBuf,
    /// How it ended.
    pub state: RunState,
    /// The reason; `None` for `done`.
    pub reason: Option<String>,
    /// The item of the batch.
    pub item: Option<u64>,
    /// Lasers that may be on, according to the run or its watchdog.
    pub lasers_unknown: Vec<u8>,
    /// Named instruments that may not be safe, according to the run or its watchdog.
    pub instruments_unknown: Vec<String>,
    /// The traces, sorted.
    pub traces: Vec<Measured>,
    /// The findings of `runs verify`, without files that a killed process did not finish.
    pub damaged: Vec<String>,
}

/// How the program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProgramEnd {
    /// With this exit code.
    Exit(i32),
    /// The program was killed, as planned.
    Killed,
    /// The program took too long and was killed.
    TooLong,
}

/// The state of the simulated instruments after a rehearsal.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InstrumentState {
    /// The lasers that are on.
    pub lasers_on: Vec<u8>,
    /// The output of the source-meter is on.
    pub smu_output: bool,
    /// A scan is in progress.
    pub scans: bool,
}

impl InstrumentState {
    /// Whether nothing emits light or drives a device.
    #[must_use]
    pub fn is_off(&self) -> bool {
        self.lasers_on.is_empty() && !self.smu_output
    }
}

/// Inspects every run below a folder, oldest first.
///
/// # Errors
/// If a run cannot be read.
pub fn inspect_runs(out: &Path) -> Result<Vec<InspectedRun>, StoreError> {
    let (found, _) = runs::list(out)?;
    found.into_iter().rev().map(look_at).collect()
}

fn look_at(run: FoundRun) -> Result<InspectedRun, StoreError> {
    let FoundRun { folder, manifest } = run;
    let mut traces = Vec::new();
    let mut damaged = Vec::new();
    // The process may have ended before it created its journal.
    if folder.join(crate::store::JOURNAL_FILE).exists() {
        // A torn last line is allowed after a kill.
        for trace in runs::traces(&folder)?.filter_map(Result::ok) {
            traces.push(Measured {
                detector: trace.detector.to_string(),
                trace: trace.trace.to_string(),
                name: trace.name.clone(),
                points: trace.grid.points,
                level: format!("{:?}", trace.mean.unwrap_or(f64::NAN)),
            });
        }
        let cut_off = manifest.status == RunState::Interrupted;
        let findings = runs::verify::<Value>(&folder)?.findings;
        let half_done = |finding: &runs::Finding| match finding {
            // A trace that was being written or renamed when the process was killed; `resume` removes it.
            runs::Finding::Torn { file } => file.ends_with(".part"),
            runs::Finding::Extra { file } => runs::is_whole(&folder.join(file)),
            runs::Finding::Journal { .. } => true,
            _ => false,
        };
        let wrong = findings.iter().filter(|finding| !(cut_off && half_done(finding)));
        traces.sort();
        damaged = wrong.map(ToString::to_string).collect();
    }
    let guarded = watchdog_records(&folder);
    let lasers = guarded.iter().flat_map(|record| record.unknown.clone());
    let instruments = guarded.iter().flat_map(|record| record.instruments_unknown.clone());
    Ok(InspectedRun {
        state: manifest.status,
        reason: manifest.reason,
        item: manifest.metadata.get(BATCH_ITEM).and_then(Value::as_u64),
        lasers_unknown: manifest.lasers_unknown.into_iter().chain(lasers).collect(),
        instruments_unknown: manifest.instruments_unknown.into_iter().chain(instruments).collect(),
        folder,
        traces,
        damaged,
    })
}

/// Everything that is unsafe after a rehearsal; empty if it is safe. `may_stay_on`: the recipe leaves lasers on when
/// it succeeds.
#[must_use]
pub fn safety_violations(
    found: &[InspectedRun],
    ending: ProgramEnd,
    instrument: &InstrumentState,
    may_stay_on: bool,
) -> Vec<String> {
    let mut wrong = Vec::new();
    match ending {
        ProgramEnd::Exit(0..=4 | 130) | ProgramEnd::Killed => {}
        ProgramEnd::Exit(code) => wrong.push(format!("the program ended with exit code {code}")),
        ProgramEnd::TooLong => wrong.push("the program had not ended within the time limit".to_owned()),
    }
    // Earlier failures may have been repeated. The exit code is about the last run.
    // 0 and 4 tell that the run is done; 4 that its verdict is bad.
    if let ProgramEnd::Exit(code @ (0 | 4)) = ending
        && let Some(run) = found.last().filter(|run| run.state != RunState::Done)
    {
        wrong.push(format!("exit code {code}, but {} is {}", run.folder.display(), run.state));
    }
    for run in found {
        let name = run.folder.display();
        let has_reason = run.reason.as_deref().is_some_and(|reason| !reason.is_empty());
        if matches!(run.state, RunState::Failed | RunState::Aborted) && !has_reason {
            wrong.push(format!("{name} is {} without a reason", run.state));
        }
        if run.state == RunState::Running {
            wrong.push(format!("{name} is still active"));
        }
        if run.state == RunState::Interrupted && matches!(ending, ProgramEnd::Exit(_)) {
            wrong.push(format!("{name} has no end, although the program has ended by itself"));
        }
        wrong.extend(run.damaged.iter().map(|damage| format!("{name}: {damage}")));
    }
    let done = !found.is_empty() && found.iter().all(|run| run.state == RunState::Done);
    let known: BTreeSet<u8> = found.iter().flat_map(|run| run.lasers_unknown.iter().copied()).collect();
    let left = instrument.lasers_on.iter().filter(|laser| !(known.contains(laser) || done && may_stay_on));
    wrong.extend(left.map(|laser| format!("laser {laser} is on, but no message reports it")));
    let told = found.iter().any(|run| run.instruments_unknown.iter().any(|name| name == "smu"));
    if instrument.smu_output && !told {
        wrong.push("the output of the source-meter is on, but no message reports it".to_owned());
    }
    // A scan may outlive a killed program. A program that could not reach the instrument reports this itself.
    if instrument.scans && known.is_empty() && ending != ProgramEnd::Killed {
        wrong.push("the instrument is still scanning".to_owned());
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(state: RunState) -> InspectedRun {
        InspectedRun {
            folder: "runs/a".into(),
            state,
            reason: (state == RunState::Failed).then(|| "the connection was lost".to_owned()),
            item: None,
            lasers_unknown: Vec::new(),
            instruments_unknown: Vec::new(),
            traces: Vec::new(),
            damaged: Vec::new(),
        }
    }

    fn on(lasers: &[u8]) -> InstrumentState {
        InstrumentState { lasers_on: lasers.to_vec(), ..InstrumentState::default() }
    }

    #[test]
    fn an_output_that_is_on_is_unsafe_unless_the_run_says_so() {
        let on = InstrumentState { smu_output: true, ..InstrumentState::default() };
        let wrong = ["the output of the source-meter is on, but no message reports it"];
        for (run, expected) in [
            (run(RunState::Done), &wrong[..]),
            (InspectedRun { instruments_unknown: vec!["smu".to_owned()], ..run(RunState::Done) }, &[]),
        ] {
            assert_eq!(safety_violations(&[run], ProgramEnd::Exit(0), &on, true), expected);
        }
    }

    #[test]
    fn a_scan_under_way_is_unsafe_unless_the_program_was_killed_or_says_that_it_could_not_reach_the_instrument()
     {
        let scanning = InstrumentState { scans: true, ..InstrumentState::default() };
        let failed = [run(RunState::Failed)];
        assert_eq!(
            safety_violations(&failed, ProgramEnd::Exit(1), &scanning, false),
            ["the instrument is still scanning"]
        );
        let unknown = [InspectedRun { lasers_unknown: vec![1], ..run(RunState::Failed) }];
        assert_eq!(safety_violations(&unknown, ProgramEnd::Exit(1), &scanning, false), [""; 0]);
        assert_eq!(
            safety_violations(&[run(RunState::Interrupted)], ProgramEnd::Killed, &scanning, false),
            [""; 0]
        );
    }

    #[test]
    fn a_laser_that_is_on_is_unsafe_unless_the_run_says_so_or_the_recipe_wants_it() {
        let unknown = InspectedRun { lasers_unknown: vec![1], ..run(RunState::Failed) };
        let exit = ProgramEnd::Exit(1);
        assert_eq!(safety_violations(&[run(RunState::Failed)], exit, &on(&[1]), true).len(), 1);
        assert_eq!(safety_violations(std::slice::from_ref(&unknown), exit, &on(&[1]), false), [""; 0]);
        assert_eq!(
            safety_violations(&[unknown], exit, &on(&[1, 2]), false),
            ["laser 2 is on, but no message reports it"]
        );
        assert_eq!(safety_violations(&[run(RunState::Done)], ProgramEnd::Exit(0), &on(&[1]), true), [""; 0]);
        assert_eq!(safety_violations(&[run(RunState::Done)], ProgramEnd::Exit(0), &on(&[1]), false).len(), 1);
    }

    #[test]
    fn a_run_without_an_end_is_safe_after_a_kill_alone_and_a_panic_never_is() {
        let cut_off = [run(RunState::Interrupted)];
        assert_eq!(safety_violations(&cut_off, ProgramEnd::Killed, &on(&[]), false), [""; 0]);
        assert_eq!(safety_violations(&cut_off, ProgramEnd::Exit(1), &on(&[]), false).len(), 1);
        assert_eq!(
            safety_violations(&[], ProgramEnd::Exit(101), &on(&[]), false),
            ["the program ended with exit code 101"]
        );
        let torn = InspectedRun { damaged: vec!["torn traces/a".to_owned()], ..run(RunState::Failed) };
        assert_eq!(
            safety_violations(&[torn], ProgramEnd::Exit(1), &on(&[]), false),
            ["runs/a: torn traces/a"]
        );
    }

    #[test]
    fn an_exit_code_that_contradicts_the_run_and_a_failure_without_a_reason_are_unsafe() {
        let failed = [run(RunState::Failed)];
        assert_eq!(
            safety_violations(&failed, ProgramEnd::Exit(0), &on(&[]), false),
            ["exit code 0, but runs/a is failed"]
        );
        let repeated = [run(RunState::Failed), run(RunState::Done)];
        assert_eq!(safety_violations(&repeated, ProgramEnd::Exit(0), &on(&[]), false), [""; 0]);
        let silent = InspectedRun { reason: None, ..run(RunState::Failed) };
        assert_eq!(
            safety_violations(&[silent], ProgramEnd::Exit(1), &on(&[]), false),
            ["runs/a is failed without a reason"]
        );
    }
}
