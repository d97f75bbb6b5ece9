//! The verdicts of a run: a pure fold over its events.

use std::collections::BTreeMap;

use serde_json::Value;

use super::analyses::Analyses;
use crate::analysis::verdict::{FigureYield, Verdict, VerdictCounts, worst};
use crate::run::events::RunEvent;
use crate::step::{AnalysisOutcome, Place};
use crate::store::VerdictSummary;

/// The verdicts of the analyses that hold.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Verdicts(Analyses<Option<Judgement>>);

#[derive(Debug, Clone, PartialEq)]
struct Judgement {
    verdict: Verdict,
    device: Option<Device>,
    /// The worst verdict on each figure.
    figures: BTreeMap<String, Verdict>,
}

/// A device: a row of a table that a loop runs over, by the loops up to this one and their turns. A golden device is
/// measured in several turns, and is known by its row.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Device {
    path: String,
    turns: Vec<u64>,
    golden: Option<String>,
}

/// The device that a step measures: the innermost row of a table around it.
fn device(place: &Place) -> Option<Device> {
    let depth = place.loops.iter().rposition(|turn| matches!(turn.value, Value::Object(_)))? + 1;
    let (row, outer) = place.loops[..depth].split_last()?;
    let golden = row.is_golden().then(|| row.value.to_string());
    let own = golden.is_none().then_some(row.index);
    let turns = outer.iter().map(|turn| turn.index).chain(own).collect();
    Some(Device { path: place.loop_path(depth).to_owned(), turns, golden })
}

/// The worst verdict on each figure of an analysis.
fn of_figures(analysis: &AnalysisOutcome) -> BTreeMap<String, Verdict> {
    let mut figures = BTreeMap::new();
    for judged in analysis.all_judged() {
        let known = figures.entry(judged.figure.clone()).or_insert(judged.verdict);
        *known = judged.verdict.max(*known);
    }
    figures
}

impl Verdicts {
    /// Takes one more event into account.
    pub fn apply(&mut self, event: &RunEvent) {
        self.0.apply(event, |step, analysis| {
            let figures = || of_figures(analysis);
            analysis.verdict.map(|verdict| Judgement {
                verdict,
                device: device(&step.place),
                figures: figures(),
            })
        });
    }

    /// Whether an analysis holds, with limits or without.
    #[must_use]
    pub fn has_analyses(&self) -> bool {
        self.0.held().next().is_some()
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

    /// How many devices have each verdict on each figure. An analysis outside a loop over a table counts as a device.
    #[must_use]
    pub fn yields(&self) -> Vec<FigureYield> {
        let mut of_figures: BTreeMap<&String, BTreeMap<Measured<'_>, Verdict>> = BTreeMap::new();
        for (number, judgement) in self.all().enumerate() {
            let measured = judgement.device.as_ref().map_or(Measured::Analysis(number), Measured::Device);
            for (figure, verdict) in &judgement.figures {
                let known = of_figures.entry(figure).or_default().entry(measured).or_insert(*verdict);
                *known = (*verdict).max(*known);
            }
        }
        let counted = of_figures.into_iter().map(|(figure, verdicts)| FigureYield {
            figure: figure.clone(),
            counts: VerdictCounts::of(verdicts.into_values()),
        });
        counted.collect()
    }
}

/// What a yield counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Measured<'a> {
    Device(&'a Device),
    Analysis(usize),
}

#[cfg(test)]
mod tests;
