//! The outline of a recipe for its watchers: each place once, regardless of the number of turns.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::forecast::PlannedStep;
use crate::measurement::Detector;
use crate::operation::Surroundings;
use crate::source::Position;
use crate::step::{Place, Step};

/// At most this many places of a recipe are shown.
const MOST: usize = 2_000;

/// A place of a recipe.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OutlineStep {
    /// The path of the place: `steps[6].repeat.steps[1]`, or `line[12:5]` in a script.
    pub key: String,
    /// The operation, with the values of its first turn.
    pub text: String,
    /// The operation in words, for people; empty in journals without this field.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub words: String,
    /// Number of turns of the loops around the place, outermost first, if known.
    pub turns: Vec<Option<u64>>,
    /// Whether the place is within `finally`.
    pub finally: bool,
    /// Expected number of times; 0 in journals without this field.
    #[serde(default)]
    pub times: u64,
    /// Expected number of traces, all times together.
    #[serde(default)]
    pub traces: u64,
}

/// The outline of a walked recipe, with the names of its detectors.
#[must_use]
pub fn outline(steps: &[PlannedStep], detectors: &BTreeMap<String, Detector>) -> Vec<OutlineStep> {
    let mut around = Surroundings::new(detectors);
    let mut known = BTreeMap::new();
    let mut outline: Vec<OutlineStep> = Vec::new();
    for planned in steps {
        let key = key(&planned.step).into_owned();
        around.take(&planned.step.operation);
        let index = match known.get(&(planned.finally, key.clone())) {
            Some(index) => *index,
            None if outline.len() == MOST => continue,
            None => {
                known.insert((planned.finally, key.clone()), outline.len());
                outline.push(OutlineStep {
                    key,
                    text: planned.step.operation.to_string(),
                    words: planned.step.operation.words(&around),
                    turns: planned.step.place.loops.iter().map(|turn| turn.count).collect(),
                    finally: planned.finally,
                    times: 0,
                    traces: 0,
                });
                outline.len() - 1
            }
        };
        outline[index].times += 1;
        if let Some(fetch) = planned.step.operation.traits().fetch() {
            outline[index].traces += (fetch.detectors.len() * fetch.traces.len()) as u64;
        }
    }
    outline
}

/// The key of a step's place. In a script the calls are numbered, and the same line makes another call each time, so
/// the line is the place.
#[must_use]
pub fn key(step: &Step) -> Cow<'_, str> {
    let Place { position, path, .. } = &step.place;
    match (position, path.rsplit_once("call[")) {
        (Some(Position { line, column }), Some((before, _))) => {
            format!("{before}line[{line}:{column}]").into()
        }
        _ => path.into(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_place_counts_how_often_it_was_foreseen_and_what_it_stores() {
        let planned = |name: &str, fields: &serde_json::Value, path: &str| {
            let (operation, options) = crate::step::read(name, fields, &BTreeMap::new()).unwrap();
            let place = Place { path: path.to_owned(), ..Place::default() };
            let step = Step { operation, options, place };
            PlannedStep {
                step,
                estimate: crate::forecast::Estimate::default(),
                present: crate::commands::Present::default(),
                may_differ: false,
                finally: false,
            }
        };
        let sweep = planned("sweep", &json!({}), "steps[0].repeat.steps[0]");
        let fetch = json!({ "detectors": ["4/1", "4/2"], "traces": ["tf", "raw"] });
        let fetch = planned("fetch_trace", &fetch, "steps[0].repeat.steps[1]");
        let outline = outline(&[sweep.clone(), fetch.clone(), sweep, fetch], &BTreeMap::new());
        let counts: Vec<(u64, u64)> = outline.iter().map(|step| (step.times, step.traces)).collect();
        assert_eq!(counts, [(2, 0), (2, 8)]);
    }
}
