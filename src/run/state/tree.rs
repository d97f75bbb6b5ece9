//! The steps of a run as a tree, with the state of each place of the recipe. The size of the tree depends on the
//! recipe, not on the length of the run.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use crate::operation::{Operation, Surroundings};
use crate::run::state::outline::{OutlineStep, key};
use crate::step::Step;

/// At most this many unexpected places are added.
const MOST: usize = 4_000;

/// The state of a step.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StepState {
    /// The step has not begun.
    #[default]
    Pending,
    /// The step is in progress.
    Running,
    /// The step has succeeded, at least the last time.
    Done,
    /// The step has failed the last time.
    Failed,
    /// The run has ended without the step.
    Skipped,
}

/// A place of the recipe, or a group of places.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct TreeNode {
    /// The path of the place.
    pub key: String,
    /// The operation, or the kind of the group.
    pub text: String,
    /// The step in words, for people; the kind of a group.
    pub words: String,
    /// `step` or `group`.
    pub kind: &'static str,
    /// The state of the place.
    pub state: StepState,
    /// How often the place was begun; for a loop, the current turn.
    pub times: u64,
    /// Number of turns of a loop, if known.
    pub of: Option<u64>,
    /// The places within a group.
    pub children: Vec<TreeNode>,
}

/// The places of a run, in their expected order. Unexpected places follow.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct StepTree {
    leaves: Vec<Leaf>,
    by_key: BTreeMap<String, usize>,
}

#[derive(Debug, Clone, Default, PartialEq)]
struct Leaf {
    key: String,
    /// The operation that the outline foresees, as text.
    foreseen: String,
    /// The operation of the latest attempt. Its text is made when the tree is shown, since a loop may perform thousands of
    /// operations between two looks.
    performed: Option<Operation>,
    /// The operation in words.
    words: String,
    state: StepState,
    times: u64,
    /// Turn and number of turns of each loop around it.
    turns: Vec<(u64, Option<u64>)>,
}

impl Leaf {
    /// The words; the text in journals of older programs, which have no words.
    fn shown_words(&self) -> String {
        if self.words.is_empty() { self.text() } else { self.words.clone() }
    }

    fn text(&self) -> String {
        self.performed.as_ref().map_or_else(|| self.foreseen.clone(), Operation::to_string)
    }
}

impl StepTree {
    pub(in crate::run) fn foresee(outline: &[OutlineStep]) -> Self {
        let mut tree = Self::default();
        for step in outline {
            let turns = step.turns.iter().map(|of| (0, *of)).collect();
            tree.add(Leaf {
                key: step.key.clone(),
                foreseen: step.text.clone(),
                words: step.words.clone(),
                turns,
                ..Leaf::default()
            });
        }
        tree
    }

    fn add(&mut self, leaf: Leaf) -> Option<usize> {
        if self.leaves.len() >= MOST {
            return None;
        }
        self.by_key.insert(leaf.key.clone(), self.leaves.len());
        self.leaves.push(leaf);
        Some(self.leaves.len() - 1)
    }

    pub(in crate::run) fn begin(&mut self, step: &Step, first_attempt: bool, around: &Surroundings) {
        let key = key(step);
        let known = self.by_key.get(&*key).copied();
        let new = || Leaf { key: key.into_owned(), ..Leaf::default() };
        let Some(index) = known.or_else(|| self.add(new())) else { return };
        let leaf = &mut self.leaves[index];
        // The words of a sweep depend on earlier steps too.
        if leaf.performed.as_ref() != Some(&step.operation) || matches!(step.operation, Operation::Sweep(_)) {
            leaf.performed = Some(step.operation.clone());
            leaf.words = step.operation.words(around);
        }
        leaf.state = StepState::Running;
        leaf.times += u64::from(first_attempt);
        leaf.turns.clear();
        leaf.turns.extend(step.place.loops.iter().map(|turn| (turn.index + 1, turn.count)));
    }

    pub(in crate::run) fn end(&mut self, step: &Step, state: StepState) {
        if let Some(index) = self.by_key.get(&*key(step)) {
            self.leaves[*index].state = state;
        }
    }

    pub(in crate::run) fn close(&mut self) {
        for leaf in &mut self.leaves {
            leaf.state = match leaf.state {
                StepState::Pending => StepState::Skipped,
                // The step was interrupted.
                StepState::Running => StepState::Failed,
                state => state,
            };
        }
    }

    /// The run continues, so skipped places may still be reached.
    pub(in crate::run) fn reopen(&mut self) {
        let over = |leaf: &&mut Leaf| {
            matches!(leaf.state, StepState::Skipped | StepState::Running | StepState::Failed)
        };
        for leaf in self.leaves.iter_mut().filter(over) {
            leaf.state = StepState::Pending;
        }
    }

    /// The tree, nested like the recipe.
    #[must_use]
    pub fn nested(&self) -> Vec<TreeNode> {
        let mut roots = Vec::new();
        for leaf in &self.leaves {
            let parts: Vec<&str> = leaf.key.split('.').collect();
            place(&mut roots, leaf, &parts, String::new(), 0);
        }
        roots.iter_mut().for_each(TreeNode::conclude);
        roots
    }
}

/// Inserts a leaf below its groups: `steps[6].repeat.steps[1]` is in the group `steps[6]`, a `repeat`.
fn place(nodes: &mut Vec<TreeNode>, leaf: &Leaf, parts: &[&str], before: String, loops: usize) {
    let dot = if before.is_empty() { "" } else { "." };
    let key = format!("{before}{dot}{}", parts.first().copied().unwrap_or_default());
    let words = parts.iter().skip(1).take_while(|part| !part.contains('[')).count();
    let inner = &parts[(1 + words).min(parts.len())..];
    if inner.is_empty() {
        nodes.push(TreeNode {
            key: leaf.key.clone(),
            text: leaf.text(),
            words: leaf.shown_words(),
            kind: "step",
            state: leaf.state,
            times: leaf.times,
            of: None,
            children: Vec::new(),
        });
        return;
    }
    let text = parts[1..=words].join(" ");
    let is_loop = text == "repeat";
    let turn = leaf.turns.get(loops).copied().filter(|_| is_loop);
    if nodes.last().is_none_or(|last| last.key != key) {
        nodes.push(TreeNode {
            key: key.clone(),
            words: text.clone(),
            text,
            kind: "group",
            state: StepState::Pending,
            times: 0,
            of: None,
            children: Vec::new(),
        });
    }
    if let Some(group) = nodes.last_mut() {
        if let Some((at, of)) = turn {
            group.times = group.times.max(at);
            group.of = of.or(group.of);
        }
        let before = format!("{key}.{}", parts[1..=words].join("."));
        place(&mut group.children, leaf, inner, before, loops + usize::from(is_loop));
    }
}

impl TreeNode {
    /// Computes the state of a group from the states of its parts.
    fn conclude(&mut self) {
        if self.kind == "step" {
            return;
        }
        self.children.iter_mut().for_each(Self::conclude);
        let any = |state| self.children.iter().any(|child| child.state == state);
        let turns_left = self.of.is_some_and(|of| self.times > 0 && self.times < of);
        self.state = if any(StepState::Running) {
            StepState::Running
        } else if any(StepState::Failed) {
            StepState::Failed
        } else if any(StepState::Pending) {
            if any(StepState::Done) { StepState::Running } else { StepState::Pending }
        } else if any(StepState::Done) {
            if turns_left && !any(StepState::Skipped) { StepState::Running } else { StepState::Done }
        } else {
            StepState::Skipped
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outline(keys: &[(&str, &[Option<u64>])]) -> Vec<OutlineStep> {
        let step = |(key, turns): &(&str, &[Option<u64>])| OutlineStep {
            key: (*key).to_owned(),
            text: "sweep".to_owned(),
            words: String::new(),
            turns: turns.to_vec(),
            finally: false,
            times: 1,
            traces: 0,
        };
        keys.iter().map(step).collect()
    }

    #[test]
    fn loops_and_branches_are_groups_and_each_place_is_there_once() {
        let tree = StepTree::foresee(&outline(&[
            ("steps[0]", &[]),
            ("steps[1].repeat.steps[0]", &[Some(3)]),
            ("steps[1].repeat.steps[1].if.then[0]", &[Some(3)]),
            ("steps[1].repeat.steps[2].repeat.steps[0]", &[Some(3), Some(5)]),
            ("finally[0]", &[]),
        ]));
        let nested = tree.nested();
        let keys: Vec<&str> = nested.iter().map(|node| node.key.as_str()).collect();
        assert_eq!(keys, ["steps[0]", "steps[1]", "finally[0]"]);
        let group = &nested[1];
        assert_eq!((group.text.as_str(), group.of, group.children.len()), ("repeat", Some(3), 3));
        assert_eq!(group.children[1].text, "if");
        assert_eq!(group.children[2].of, Some(5));
        assert_eq!(group.children[2].children[0].key, "steps[1].repeat.steps[2].repeat.steps[0]");
    }

    #[test]
    fn what_the_end_of_a_run_did_not_come_by_is_skipped() {
        let mut tree =
            StepTree::foresee(&outline(&[("steps[0]", &[]), ("steps[1].repeat.steps[0]", &[None])]));
        tree.close();
        assert!(tree.nested().iter().all(|node| node.state == StepState::Skipped));
    }
}
