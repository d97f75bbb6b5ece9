//! The results of earlier steps, and the traces that an analysis names by the id of their fetch.

use serde_json::Value;

use super::Walk;
use crate::operation::{LimitSet, Operation};
use crate::recipe::program::Operate;
use crate::recipe::scope::STEPS;
use crate::script::view;
use crate::step::{Outcome, Place};

impl Walk<'_> {
    /// Notes the result of a step for later steps.
    pub(super) fn note(&mut self, operate: &Operate, place: Place, outcome: &Outcome) {
        if let (Some(id), Some(Value::Object(steps))) = (&operate.id, self.variables.get_mut(STEPS)) {
            steps.insert(id.clone(), view(outcome));
            if let Outcome::Traces(traces) = outcome {
                self.note_fetch(id, place, traces.iter().map(|trace| trace.trace_index).collect());
            }
        }
    }

    /// The operation with the limits of its file, and with the numbers of the traces that it names by the id of their fetch. Traces of an earlier turn of
    /// a loop belong to another device, so they are not used.
    pub(super) fn with_traces(
        &self,
        mut operation: Operation,
        limits: Option<&LimitSet>,
        place: &Place,
    ) -> Operation {
        if let Operation::Analyze(fields) = &mut operation {
            fields.judged_by = limits.cloned();
        }
        if let Operation::Analyze(fields) = &mut operation {
            if let Some(id) = &fields.trace {
                fields.traces = self.traces_of(id, place, fields.average);
            }
            if let Some(id) = &fields.minus {
                fields.minus_trace = self.traces_of(id, place, false).first().copied();
            }
        }
        operation
    }

    /// The traces of the last fetch with this id, or of all its turns.
    pub(super) fn traces_of(&self, id: &str, place: &Place, all_turns: bool) -> Vec<u64> {
        let of_id = self.fetched.get(id).into_iter().flatten();
        let mut current: Vec<&Vec<u64>> =
            of_id.filter(|(fetch, _)| fetch.shares_turns_with(place)).map(|(_, traces)| traces).collect();
        if !all_turns {
            current = current.pop().into_iter().collect();
        }
        current.into_iter().flatten().copied().collect()
    }

    /// Fetches of another turn of an outer loop are forgotten.
    pub(super) fn note_fetch(&mut self, id: &str, place: Place, traces: Vec<u64>) {
        let known = self.fetched.entry(id.to_owned()).or_default();
        let outer =
            Place { loops: place.loops[..place.loops.len().saturating_sub(1)].to_vec(), ..place.clone() };
        known.retain(|(fetch, _)| {
            fetch.loops.len() == place.loops.len() && fetch.shares_turns_with(&outer) && *fetch != place
        });
        if place.loops.is_empty() {
            known.clear();
        }
        known.push((place, traces));
    }
}
