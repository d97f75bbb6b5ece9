//! The analyses of a run that hold: a pure fold over its events. Each analysis counts once, as it ended the last time, and
//! no longer when one of its traces is withdrawn.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::run::events::{AfterFault, RunEvent};
use crate::step::{AnalysisOutcome, Outcome, Step};

/// What is kept of each analysis, by the number of its step.
#[derive(Debug, Clone, PartialEq)]
pub struct Analyses<T> {
    held: BTreeMap<u64, Held<T>>,
    /// The analyses that have begun, by number.
    begun: BTreeMap<u64, Arc<Step>>,
}

#[derive(Debug, Clone, PartialEq)]
struct Held<T> {
    kept: T,
    /// The numbers of its traces.
    traces: Vec<u64>,
}

impl<T> Default for Analyses<T> {
    fn default() -> Self {
        Self { held: BTreeMap::new(), begun: BTreeMap::new() }
    }
}

impl<T> Analyses<T> {
    /// Takes one more event into account. `keep` gives what is kept of an analysis that has ended.
    pub fn apply(&mut self, event: &RunEvent, keep: impl FnOnce(&Step, &AnalysisOutcome) -> T) {
        match event {
            RunEvent::StepStarted { number, step, .. } if step.operation.traits().analysis.is_some() => {
                self.begun.insert(*number, Arc::clone(step));
            }
            RunEvent::StepFinished { number, outcome: Outcome::Analysis(analysis), .. } => {
                self.held.remove(number);
                if let Some(step) = self.begun.remove(number) {
                    let traces = analysis.rests().collect();
                    self.held.insert(*number, Held { kept: keep(&step, analysis), traces });
                }
            }
            RunEvent::StepFailed { number, then: AfterFault::Continue | AfterFault::Raise, .. } => {
                self.begun.remove(number);
                self.held.remove(number);
            }
            RunEvent::TraceWithdrawn { trace_index, .. } => {
                self.held.retain(|_, held| !held.traces.contains(trace_index));
            }
            RunEvent::RunResumed { steps, .. } => {
                self.begun.clear();
                self.held.split_off(&(steps + 1));
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
            | RunEvent::ReferenceUsed { .. }
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
            | RunEvent::InstrumentsSafe { .. }
            | RunEvent::Finished { .. } => {}
        }
    }

    /// What is kept of the analyses that hold, in the order of their steps.
    pub fn held(&self) -> impl Iterator<Item = &T> {
        self.held.values().map(|held| &held.kept)
    }
}
