//! The verdicts of a run: a pure fold over its events. Each analysis counts once, as it ended the last time, and no longer
//! when one of its traces is withdrawn.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::analysis::verdict::{Verdict, VerdictCounts, worst};
use crate::run::events::{AfterFault, RunEvent};
use crate::step::{Outcome, Place};
use crate::store::VerdictSummary;

/// The verdicts of the analyses that hold, by the number of the step.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Verdicts {
    steps: BTreeMap<u64, Judgement>,
    /// The devices of analyses that have begun, by the number of the step.
    begun: BTreeMap<u64, Option<Device>>,
}

#[derive(Debug, Clone, PartialEq)]
struct Judgement {
    verdict: Verdict,
    traces: Vec<u64>,
    device: Option<Device>,
}

/// A device: a row of a table that a loop runs over, by the loops up to this one and their turns.
type Device = (String, Vec<u64>);

/// The device that a step measures: the innermost row of a table around it.
fn device(place: &Place) -> Option<Device> {
    let depth = place.loops.iter().rposition(|turn| matches!(turn.value, Value::Object(_)))? + 1;
    let turns = place.loops[..depth].iter().map(|turn| turn.index).collect();
    Some((place.loop_path(depth).to_owned(), turns))
}

impl Verdicts {
    /// Takes one more event into account.
    pub fn apply(&mut self, event: &RunEvent) {
        match event {
            RunEvent::StepStarted { number, step, .. } if step.operation.traits().analysis.is_some() => {
                self.begun.insert(*number, device(&step.place));
            }
            RunEvent::StepFinished { number, outcome: Outcome::Analysis(analysis), .. } => {
                self.steps.remove(number);
                let device = self.begun.remove(number).flatten();
                if let Some(verdict) = analysis.verdict {
                    let traces = analysis.traces.iter().map(|trace| trace.trace_index).collect();
                    self.steps.insert(*number, Judgement { verdict, traces, device });
                }
            }
            RunEvent::StepFailed { number, then: AfterFault::Continue | AfterFault::Raise, .. } => {
                self.begun.remove(number);
                self.steps.remove(number);
            }
            RunEvent::TraceWithdrawn { trace_index, .. } => {
                self.steps.retain(|_, judgement| !judgement.traces.contains(trace_index));
            }
            RunEvent::RunResumed { steps, .. } => {
                self.begun.clear();
                self.steps.split_off(&(steps + 1));
            }
            RunEvent::Started { .. }
            | RunEvent::StepStarted { .. }
            | RunEvent::StepFinished { .. }
            | RunEvent::StepFailed { .. }
            | RunEvent::SweepRepeated { .. }
            | RunEvent::PowerWithdrawn { .. }
            | RunEvent::Decided { .. }
            | RunEvent::SettingsRead { .. }
            | RunEvent::ReferenceTaken { .. }
            | RunEvent::WaitsUntil { .. }
            | RunEvent::Progress { .. }
            | RunEvent::ColumnsDecided { .. }
            | RunEvent::TraceStored { .. }
            | RunEvent::PowerStored { .. }
            | RunEvent::Question { .. }
            | RunEvent::Answered { .. }
            | RunEvent::Log { .. }
            | RunEvent::Warning { .. }
            | RunEvent::Now { .. }
            | RunEvent::LinkLost { .. }
            | RunEvent::LinkRegained { .. }
            | RunEvent::Paused
            | RunEvent::LasersPaused { .. }
            | RunEvent::PauseEnded { .. }
            | RunEvent::DiskFull { .. }
            | RunEvent::DiskSpaceAgain { .. }
            | RunEvent::Suspended { .. }
            | RunEvent::SuspensionOver
            | RunEvent::Stopping { .. }
            | RunEvent::Finally
            | RunEvent::LasersOff { .. }
            | RunEvent::Finished { .. } => {}
        }
    }

    /// The worst verdict of the run; `None` without limits.
    #[must_use]
    pub fn worst(&self) -> Option<Verdict> {
        worst(self.steps.values().map(|judgement| judgement.verdict))
    }

    /// How many analyses and devices have each verdict.
    #[must_use]
    pub fn summary(&self) -> VerdictSummary {
        VerdictSummary { analyses: self.of_analyses(), devices: self.of_devices() }
    }

    /// The verdicts of the analyses.
    #[must_use]
    pub fn of_analyses(&self) -> VerdictCounts {
        VerdictCounts::of(self.steps.values().map(|judgement| judgement.verdict))
    }

    /// The verdicts of the devices, each the worst of its analyses. Without a loop over a table there are none.
    #[must_use]
    pub fn of_devices(&self) -> VerdictCounts {
        let mut devices: BTreeMap<&Device, Verdict> = BTreeMap::new();
        for judgement in self.steps.values() {
            if let Some(device) = &judgement.device {
                let known = devices.entry(device).or_insert(judgement.verdict);
                *known = judgement.verdict.max(*known);
            }
        }
        VerdictCounts::of(devices.into_values())
    }
}

#[cfg(test)]
mod tests;
