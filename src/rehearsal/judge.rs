//! Whether what a rehearsal left is safe.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::catalogue::BATCH_ITEM;
use crate::store::runs::{self, FoundRun};
use crate::store::{RunState, StoreError, watchdog_records};

/// A trace, apart from when it was measured. The same settings give the same values in each rehearsal: one with another
/// level is not what the recipe asked for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Measured {
    /// The detector.
    pub detector: String,
    /// Which trace of it.
    pub trace: String,
    /// The recipe's name for it.
    pub name: String,
    /// How many points it has.
    pub points: u64,
    /// The mean of its values, with all its digits.
    pub level: String,
}

impl std::fmt::Display for Measured {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { detector, trace, name, points, level } = self;
        write!(f, "{detector} {trace} {name} ({points} points, mean {level})")
    }
}

/// A run as it was found.
#[derive(Debug, Clone)]
pub struct Found {
    /// Its folder.
    pub folder: PathBuf,
    /// How it ended.
    pub state: RunState,
    /// Why, when not done.
    pub reason: Option<String>,
    /// The item of the batch that it belongs to.
    pub item: Option<u64>,
    /// Lasers of which the run itself, or its watchdog, reports that they may be on.
    pub lasers_unknown: Vec<u8>,
    /// Its traces, sorted.
    pub traces: Vec<Measured>,
    /// What `runs verify` says, beside the files that a process did not finish before it was killed.
    pub damaged: Vec<String>,
}

/// How the program itself ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProgramEnd {
    /// With this exit code.
    Exit(i32),
    /// It was killed, as it should be.
    Killed,
    /// It had not ended when its time was over, and was killed then.
    TooLong,
}

/// What the instrument itself says afterwards.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Account {
    /// The lasers that are on.
    pub lasers_on: Vec<u8>,
    /// A scan is under way.
    pub scans: bool,
}

/// Looks at every run below a folder, oldest first.
///
/// # Errors
/// When one of them cannot be read.
pub fn look(out: &Path) -> Result<Vec<Found>, StoreError> {
    let (found, _) = runs::list(out)?;
    found.into_iter().rev().map(look_at).collect()
}

fn look_at(run: FoundRun) -> Result<Found, StoreError> {
    let FoundRun { folder, manifest } = run;
    let mut traces = Vec::new();
    let mut damaged = Vec::new();
    // A process may be gone before it has begun its journal.
    if folder.join(crate::store::JOURNAL_FILE).exists() {
        // A last line that a kill has torn is among the findings.
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
            // Begun and not named yet, or named and not journaled yet: `resume` removes them.
            runs::Finding::Torn { file } => file.ends_with(".part"),
            runs::Finding::Extra { file } => runs::is_whole(&folder.join(file)),
            runs::Finding::Journal { .. } => true,
            _ => false,
        };
        let wrong = findings.iter().filter(|finding| !(cut_off && half_done(finding)));
        traces.sort();
        damaged = wrong.map(ToString::to_string).collect();
    }
    let guarded = watchdog_records(&folder).into_iter().flat_map(|record| record.unknown);
    Ok(Found {
        state: manifest.status,
        reason: manifest.reason,
        item: manifest.metadata.get(BATCH_ITEM).and_then(Value::as_u64),
        lasers_unknown: manifest.lasers_unknown.into_iter().chain(guarded).collect(),
        folder,
        traces,
        damaged,
    })
}

/// What is not as it has to be after a rehearsal; nothing when it is safe. `may_stay_on` says that the recipe leaves
/// lasers on when it succeeds.
#[must_use]
pub fn unsafe_in(found: &[Found], ending: ProgramEnd, account: &Account, may_stay_on: bool) -> Vec<String> {
    let mut wrong = Vec::new();
    match ending {
        ProgramEnd::Exit(0..=3 | 130) | ProgramEnd::Killed => {}
        ProgramEnd::Exit(code) => wrong.push(format!("the program ended with exit code {code}")),
        ProgramEnd::TooLong => wrong.push("it had not ended when its time was over".to_owned()),
    }
    // What failed before may have been repeated; the last one is what the exit code is about.
    if let Some(run) = found.last().filter(|run| ending == ProgramEnd::Exit(0) && run.state != RunState::Done)
    {
        wrong.push(format!("exit code 0, and {} is {}", run.folder.display(), run.state));
    }
    for run in found {
        let name = run.folder.display();
        let has_reason = run.reason.as_deref().is_some_and(|reason| !reason.is_empty());
        if matches!(run.state, RunState::Failed | RunState::Aborted) && !has_reason {
            wrong.push(format!("{name} is {} without a reason", run.state));
        }
        if run.state == RunState::Running {
            wrong.push(format!("{name} is still under way"));
        }
        if run.state == RunState::Interrupted && matches!(ending, ProgramEnd::Exit(_)) {
            wrong.push(format!("{name} has no end, though the program came to its own"));
        }
        wrong.extend(run.damaged.iter().map(|damage| format!("{name}: {damage}")));
    }
    let done = !found.is_empty() && found.iter().all(|run| run.state == RunState::Done);
    let known: BTreeSet<u8> = found.iter().flat_map(|run| run.lasers_unknown.iter().copied()).collect();
    let left = account.lasers_on.iter().filter(|laser| !(known.contains(laser) || done && may_stay_on));
    wrong.extend(left.map(|laser| format!("laser {laser} is on, and nothing says so")));
    // A scan may outlive a program that was killed; one that could not reach the instrument has said so.
    if account.scans && known.is_empty() && ending != ProgramEnd::Killed {
        wrong.push("the instrument is still scanning".to_owned());
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(state: RunState) -> Found {
        Found {
            folder: "runs/a".into(),
            state,
            reason: (state == RunState::Failed).then(|| "the link was lost".to_owned()),
            item: None,
            lasers_unknown: Vec::new(),
            traces: Vec::new(),
            damaged: Vec::new(),
        }
    }

    fn on(lasers: &[u8]) -> Account {
        Account { lasers_on: lasers.to_vec(), scans: false }
    }

    #[test]
    fn a_scan_under_way_is_unsafe_unless_the_program_was_killed_or_says_that_it_could_not_reach_the_instrument()
     {
        let scanning = Account { lasers_on: Vec::new(), scans: true };
        let failed = [run(RunState::Failed)];
        assert_eq!(
            unsafe_in(&failed, ProgramEnd::Exit(1), &scanning, false),
            ["the instrument is still scanning"]
        );
        let unknown = [Found { lasers_unknown: vec![1], ..run(RunState::Failed) }];
        assert_eq!(unsafe_in(&unknown, ProgramEnd::Exit(1), &scanning, false), [""; 0]);
        assert_eq!(unsafe_in(&[run(RunState::Interrupted)], ProgramEnd::Killed, &scanning, false), [""; 0]);
    }

    #[test]
    fn a_laser_that_is_on_is_unsafe_unless_the_run_says_so_or_the_recipe_wants_it() {
        let unknown = Found { lasers_unknown: vec![1], ..run(RunState::Failed) };
        let exit = ProgramEnd::Exit(1);
        assert_eq!(unsafe_in(&[run(RunState::Failed)], exit, &on(&[1]), true).len(), 1);
        assert_eq!(unsafe_in(std::slice::from_ref(&unknown), exit, &on(&[1]), false), [""; 0]);
        assert_eq!(unsafe_in(&[unknown], exit, &on(&[1, 2]), false), ["laser 2 is on, and nothing says so"]);
        assert_eq!(unsafe_in(&[run(RunState::Done)], ProgramEnd::Exit(0), &on(&[1]), true), [""; 0]);
        assert_eq!(unsafe_in(&[run(RunState::Done)], ProgramEnd::Exit(0), &on(&[1]), false).len(), 1);
    }

    #[test]
    fn a_run_without_an_end_is_safe_after_a_kill_alone_and_a_panic_never_is() {
        let cut_off = [run(RunState::Interrupted)];
        assert_eq!(unsafe_in(&cut_off, ProgramEnd::Killed, &on(&[]), false), [""; 0]);
        assert_eq!(unsafe_in(&cut_off, ProgramEnd::Exit(1), &on(&[]), false).len(), 1);
        assert_eq!(
            unsafe_in(&[], ProgramEnd::Exit(101), &on(&[]), false),
            ["the program ended with exit code 101"]
        );
        let torn = Found { damaged: vec!["torn traces/a".to_owned()], ..run(RunState::Failed) };
        assert_eq!(unsafe_in(&[torn], ProgramEnd::Exit(1), &on(&[]), false), ["runs/a: torn traces/a"]);
    }

    #[test]
    fn an_exit_code_that_contradicts_the_run_and_a_failure_without_a_reason_are_unsafe() {
        let failed = [run(RunState::Failed)];
        assert_eq!(
            unsafe_in(&failed, ProgramEnd::Exit(0), &on(&[]), false),
            ["exit code 0, and runs/a is failed"]
        );
        let repeated = [run(RunState::Failed), run(RunState::Done)];
        assert_eq!(unsafe_in(&repeated, ProgramEnd::Exit(0), &on(&[]), false), [""; 0]);
        let silent = Found { reason: None, ..run(RunState::Failed) };
        assert_eq!(
            unsafe_in(&[silent], ProgramEnd::Exit(1), &on(&[]), false),
            ["runs/a is failed without a reason"]
        );
    }
}
