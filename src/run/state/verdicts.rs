//! The verdicts of a run: a pure fold over its events.

use std::collections::BTreeMap;

use serde_json::Value;

use super::analyses::Analyses;
use crate::analysis::verdict::{Verdict, VerdictCounts, worst};
use crate::run::events::RunEvent;
use crate::step::Place;
use crate::store::VerdictSummary;

/// The verdicts of the analyses that hold.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Verdicts(Analyses<Option<Judgement>>);

#[derive(Debug, Clone, PartialEq)]
struct Judgement {
    verdict: Verdict,
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
        self.0.apply(event, |step, analysis| {
            analysis.verdict.map(|verdict| Judgement { verdict, device: device(&step.place) })
        });
    }

    fn all(&self) -> impl Iterator<Item = &Judgement> {
        self.0.held().flatten()
    }

    /// The worst verdict of the run; `None` without limits.
    #[must_use]
    pub fn worst(&self) -> Option<Verdict> {
        worst(self.all().map(|judgement| judgement.verdict))
    }

    /// How many analyses and devices have each verdict.
    #[must_use]
    pub fn summary(&self) -> VerdictSummary {
        VerdictSummary { analyses: self.of_analyses(), devices: self.of_devices() }
    }

    /// The verdicts of the analyses.
    #[must_use]
    pub fn of_analyses(&self) -> VerdictCounts {
        VerdictCounts::of(self.all().map(|judgement| judgement.verdict))
    }

    /// The verdicts of the devices, each the worst of its analyses. Without a loop over a table there are none.
    #[must_use]
    pub fn of_devices(&self) -> VerdictCounts {
        let mut devices: BTreeMap<&Device, Verdict> = BTreeMap::new();
        for judgement in self.all() {
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
