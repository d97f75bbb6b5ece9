//! The results for each place of the recipe. Their number depends on the recipe, and not on the length of the run.

use std::collections::BTreeMap;

use super::format::clip;
use super::value::{KindTime, Missing, PlaceLine, Why};
use crate::operation::Operation;
use crate::run::state::outline::{OutlineStep, key};
use crate::step::Step;

/// Highest number of unplanned places that are added.
const MOST: usize = 4_000;

/// The places, in planned order, followed by unplanned ones.
#[derive(Debug, Default)]
pub(super) struct Places {
    lines: Vec<PlaceLine>,
    by_key: BTreeMap<String, usize>,
    kinds: BTreeMap<&'static str, KindTime>,
}

impl Places {
    pub(super) fn foresee(outline: &[OutlineStep]) -> Self {
        let mut places = Self::default();
        for step in outline {
            places.add(PlaceLine {
                path: step.key.clone(),
                step: clip(&step.text),
                finally: step.finally,
                foreseen: step.times.max(1),
                traces_foreseen: step.traces,
                ..PlaceLine::default()
            });
        }
        places
    }

    fn add(&mut self, line: PlaceLine) -> Option<usize> {
        if self.lines.len() >= MOST {
            return None;
        }
        self.by_key.insert(line.path.clone(), self.lines.len());
        self.lines.push(line);
        Some(self.lines.len() - 1)
    }

    /// The line of a step; `None` if there are too many lines.
    pub(super) fn of(&mut self, step: &Step, finally: bool) -> Option<&mut PlaceLine> {
        let index = self.index_of(step, finally)?;
        self.lines.get_mut(index)
    }

    /// The line at this index.
    pub(super) fn at(&mut self, index: Option<usize>) -> Option<&mut PlaceLine> {
        self.lines.get_mut(index?)
    }

    /// The index of the line of a step.
    pub(super) fn index_of(&mut self, step: &Step, finally: bool) -> Option<usize> {
        let path = key(step);
        let known = self.by_key.get(&*path).copied();
        let index = known.or_else(|| {
            let text = clip(&step.operation.to_string());
            self.add(PlaceLine { path: path.into_owned(), step: text, finally, ..PlaceLine::default() })
        })?;
        let line = &mut self.lines[index];
        if line.place.is_empty() {
            line.place = step.place.to_string();
        }
        Some(index)
    }

    /// Adds time to the place and the kind of a step. A first attempt also adds its estimate.
    pub(super) fn spend(&mut self, step: &Step, finally: bool, first_estimate_s: Option<f64>, seconds: f64) {
        if let Some(line) = self.of(step, finally) {
            line.estimated_s += first_estimate_s.unwrap_or(0.0);
            line.seconds += seconds;
        }
        let name = step.operation.name();
        let kind = self.kinds.entry(name).or_insert_with(|| KindTime {
            kind: name.to_owned(),
            steps: 0,
            estimated_s: 0.0,
            seconds: 0.0,
        });
        kind.steps += u64::from(first_estimate_s.is_some());
        kind.estimated_s += first_estimate_s.unwrap_or(0.0);
        kind.seconds += seconds;
    }

    /// Marks steps without an end as cut short.
    pub(super) fn cut_short(&mut self) {
        for line in &mut self.lines {
            line.cut_short = line.begun.saturating_sub(line.done + line.failed);
        }
    }

    /// Number of planned steps that never began.
    pub(super) fn skipped(&self) -> u64 {
        self.lines.iter().map(|line| line.foreseen.saturating_sub(line.begun)).sum()
    }

    /// The places with steps that were planned or begun, but are not done.
    pub(super) fn missing(&self) -> Vec<Missing> {
        let wanted = |line: &PlaceLine| line.foreseen.max(line.begun);
        self.lines
            .iter()
            .filter(|line| line.done < wanted(line))
            .map(|line| Missing {
                path: line.path.clone(),
                place: line.place.clone(),
                step: line.step.clone(),
                done: line.done,
                of: wanted(line),
                traces: line.traces_foreseen.saturating_sub(line.traces),
                why: match line {
                    _ if line.failed > 0 => Why::Failed,
                    _ if line.cut_short > 0 => Why::CutShort,
                    _ => Why::NotReached,
                },
            })
            .collect()
    }

    /// The lines, and the time per kind of step in the order of the operations.
    pub(super) fn end(mut self) -> (Vec<PlaceLine>, Vec<KindTime>) {
        let kinds = Operation::NAMES.iter().filter_map(|name| self.kinds.remove(name)).collect();
        (self.lines, kinds)
    }
}
