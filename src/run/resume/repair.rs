//! Which sweeps of a resumed run are repeated because their traces are missing or changed, and which steps must be
//! repeated before them.
//!
//! The last sweep is repeated where the run continues. An earlier sweep is repeated by itself, under its own
//! conditions: with the settings of that time, and with every `http` and raw command since the start of its turn. If
//! one of these must not be repeated, or a later step has changed the bench for good, the trace cannot be measured
//! again. In that case the run is refused, and the message names the trace.

use std::collections::{BTreeMap, BTreeSet};

use crate::operation::{BenchEffect, Effect, Operation, OperationTraits};
use crate::run::resume::transcript::{Asked, Performed, Transcript};
use crate::step::{Fault, FaultKind, Outcome, Place};

/// A sweep that is repeated, with the steps that belong to it. Steps are given by their numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repair {
    /// The sweep; `None` if only a trace of a reference is fetched again.
    pub sweep: Option<u64>,
    /// The first step of its turn. The settings are those before this step.
    pub turn: u64,
    /// Steps that are repeated before the sweep.
    pub before: Vec<u64>,
    /// The fetches after the sweep.
    pub fetches: Vec<u64>,
    /// The damaged traces, each with the damage.
    pub damaged: Vec<(String, String)>,
}

/// All repetitions within a transcript.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Repairs {
    /// The repetitions, in the order of the transcript.
    pub list: Vec<Repair>,
    /// Analyses of traces that are fetched again, or were fetched again without them.
    pub analyses: Vec<u64>,
    /// Steps that restore the bench to its state at the end of the transcript.
    pub after: Vec<u64>,
}

/// The decision about a transcript with damaged traces.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::run) enum Judged {
    /// Only this many entries hold; the last sweep is repeated.
    Keep(usize),
    /// All entries hold, once these repetitions are done.
    Repair(Repairs),
}

/// Decides about a transcript whose traces are `damaged`, by file.
///
/// # Errors
/// If a trace cannot be measured again.
pub(in crate::run) fn judge(
    past: &Transcript,
    damaged: &BTreeMap<String, String>,
    simulated: bool,
) -> Result<Judged, Fault> {
    let steps = Steps { steps: past.asked.iter().map(Asked::step).collect(), simulated };
    let mut units: BTreeMap<Option<usize>, Unit> = BTreeMap::new();
    for (at, step) in steps.all() {
        let traits = step.step.operation.traits();
        if traits.fetch().is_none() {
            continue;
        }
        for (file, kind, what) in wrong_traces(step, damaged) {
            let scan =
                steps.all().filter(|(scan, _)| *scan < at).rfind(|(_, step)| is_scan(&step.step.operation));
            let key =
                if kind.is_reference() || !traits.reads_live() { None } else { scan.map(|(scan, _)| scan) };
            if key.is_none() && !steps.is_reference_still_there(at, step) {
                return Err(cannot(&file, &what, "the reference has been taken again since then"));
            }
            let unit = units.entry(key).or_default();
            unit.fetches.insert(at);
            unit.damaged.push((file, what));
        }
    }
    let mut repairs = Repairs::default();
    let mut after = None::<usize>;
    for (scan, mut unit) in units {
        let Some(scan) = scan else {
            let turn = unit.fetches.first().copied().unwrap_or_default();
            repairs.list.push(steps.repair(None, turn, &[], unit));
            continue;
        };
        unit.fetches.extend(steps.fetches_behind(scan));
        if steps.is_last(scan) {
            return Ok(Judged::Keep(scan));
        }
        let (file, what) = unit.damaged[0].clone();
        let refuse = |reason: String| cannot(&file, &what, &reason);
        let (before, turn, back) = steps.way_to(scan).map_err(refuse)?;
        if before.iter().any(|at| steps.changes_bench(*at)) {
            after = Some(after.map_or(back, |known| known.min(back)));
        }
        repairs.list.push(steps.repair(Some(scan), turn, &before, unit));
    }
    repairs.analyses = steps.analyses_of(&repairs);
    if let Some(back) = after {
        let again: Vec<usize> = (back..steps.steps.len()).filter(|at| steps.is_repeated(*at)).collect();
        if let Some(blocked) = again.iter().find(|at| !steps.may_be_repeated(**at)) {
            let (file, what) = &repairs.list[0].damaged[0];
            let reason = format!("{} would have to be repeated first", steps.told(*blocked));
            return Err(cannot(file, what, &reason));
        }
        repairs.after = again.into_iter().map(|at| steps.number(at)).collect();
    }
    Ok(Judged::Repair(repairs))
}

fn cannot(file: &str, what: &str, reason: &str) -> Fault {
    let message = format!("`{file}` {what}, and its sweep cannot be repeated: {reason}");
    Fault::new(FaultKind::Refused, message).hint("restore the file, or start a new run")
}

/// The damaged traces of a fetch: file, kind, damage.
fn wrong_traces<'a>(
    step: &'a Performed,
    damaged: &'a BTreeMap<String, String>,
) -> impl Iterator<Item = (String, crate::measurement::TraceKind, String)> + 'a {
    step.told_traces().iter().filter_map(|told| {
        let what = match step.traces.iter().rfind(|stored| stored.file == told.file) {
            Some(stored) => damaged.get(&stored.file)?.clone(),
            None => "was withdrawn and not replaced".to_owned(),
        };
        Some((told.file.clone(), told.trace, what))
    })
}

#[derive(Default)]
struct Unit {
    fetches: BTreeSet<usize>,
    damaged: Vec<(String, String)>,
}

/// The steps of a transcript by their position; `None` at the position of another entry.
struct Steps<'a> {
    steps: Vec<Option<&'a Performed>>,
    simulated: bool,
}

impl Steps<'_> {
    fn all(&self) -> impl DoubleEndedIterator<Item = (usize, &Performed)> {
        self.steps.iter().enumerate().filter_map(|(at, step)| Some((at, (*step)?)))
    }

    fn traits(&self, at: usize) -> Option<OperationTraits<'_>> {
        self.steps[at].map(|step| step.step.operation.traits())
    }

    fn place(&self, at: usize) -> Option<&Place> {
        self.steps[at].map(|step| &step.step.place)
    }

    fn number(&self, at: usize) -> u64 {
        self.steps[at].map_or(0, |step| step.number)
    }

    fn told(&self, at: usize) -> String {
        self.steps[at]
            .map_or_else(String::new, |step| format!("`{}` ({})", step.step.operation, step.step.place))
    }

    fn repair(&self, sweep: Option<usize>, turn: usize, before: &[usize], unit: Unit) -> Repair {
        let number = |at: &usize| self.number(*at);
        // The turn may begin with an entry that is no step.
        let turn = (turn..self.steps.len()).map(|at| self.number(at)).find(|number| *number > 0);
        Repair {
            sweep: sweep.as_ref().map(number),
            turn: turn.unwrap_or(1),
            before: before.iter().map(number).collect(),
            fetches: unit.fetches.iter().map(number).collect(),
            damaged: unit.damaged,
        }
    }

    /// The fetches that belong to a sweep.
    fn fetches_behind(&self, scan: usize) -> Vec<usize> {
        let behind = self.all().filter(|(at, _)| *at > scan);
        let behind = behind.take_while(|(_, step)| !is_scan(&step.step.operation));
        let live = |step: &Performed| {
            step.step.operation.traits().reads_live() && matches!(step.told, Some(Ok(Outcome::Traces(_))))
        };
        behind.filter(|(_, step)| live(step)).map(|(at, _)| at).collect()
    }

    /// The analyses that rest on traces of the repairs, and those that a kill kept from being repeated.
    fn analyses_of(&self, repairs: &Repairs) -> Vec<u64> {
        let fetched: BTreeSet<u64> =
            repairs.list.iter().flat_map(|repair| repair.fetches.iter().copied()).collect();
        let of_fetches = self.all().filter(|(_, step)| fetched.contains(&step.number));
        let traces: BTreeSet<u64> =
            of_fetches.flat_map(|(_, step)| step.told_traces()).map(|trace| trace.trace_index).collect();
        let is_old = |step: &Performed| {
            step.analysis()
                .is_some_and(|known| step.is_stale || known.rests().any(|trace| traces.contains(&trace)))
        };
        self.all().filter(|(_, step)| is_old(step)).map(|(_, step)| step.number).collect()
    }

    /// Whether it is a sweep after which nothing has changed the bench.
    fn is_last(&self, scan: usize) -> bool {
        let later = || self.all().filter(|(at, _)| *at > scan);
        self.traits(scan).is_some_and(|traits| traits.is_sweep())
            && !later().any(|(at, step)| is_scan(&step.step.operation) || self.changes_bench(at))
    }

    /// Whether the instrument still has the reference that was fetched.
    fn is_reference_still_there(&self, fetch: usize, step: &Performed) -> bool {
        let Some(fields) = step.step.operation.traits().fetch() else { return false };
        let replaces = |later: &Performed| {
            let traits = later.step.operation.traits();
            let replaced = traits.reference().map(|reference| &reference.detectors[..]).unwrap_or_default();
            replaced.iter().any(|detector| fields.detectors.contains(detector))
        };
        !self.all().any(|(at, later)| at > fetch && replaces(later))
    }

    /// Whether the step may have changed the bench in a way that no setting of the run describes.
    fn changes_bench(&self, at: usize) -> bool {
        self.traits(at).is_some_and(|traits| traits.changes_bench())
    }

    /// Whether the step is repeated before a sweep.
    fn is_repeated(&self, at: usize) -> bool {
        let beside = self.place(at).is_some_and(Place::is_in_suspension);
        !beside && self.traits(at).is_some_and(|traits| traits.bench != BenchEffect::None)
    }

    fn may_be_repeated(&self, at: usize) -> bool {
        // With the simulator there is nothing to connect.
        self.traits(at).is_none_or(|traits| {
            traits.effect != Effect::Ask || self.simulated && traits.reference().is_some()
        })
    }

    /// Whether repeating one step undoes the change of the other.
    fn have_same_target(&self, one: usize, other: usize) -> bool {
        let (one, other) = (self.traits(one), self.traits(other));
        let target = one.as_ref().and_then(OperationTraits::target);
        target.is_some() && target == other.as_ref().and_then(OperationTraits::target)
    }

    /// The steps to repeat before an earlier sweep, the position where its turn begins, and the position from which
    /// steps are repeated afterwards.
    fn way_to(&self, scan: usize) -> Result<(Vec<usize>, usize, usize), String> {
        let Some(place) = self.place(scan) else { return Err("it has no place".to_owned()) };
        let later: Vec<usize> = (scan + 1..self.steps.len()).filter(|at| self.changes_bench(*at)).collect();
        let is_reference = |at: &usize| self.traits(*at).is_some_and(|traits| traits.reference().is_some());
        let references = later.iter().any(is_reference);
        let needed = |at: &usize| self.is_repeated(*at) && (references || !is_reference(at));
        // The innermost turn whose loop, or whose own steps, have made all later changes.
        let mut missed = None;
        for depth in (0..=place.loops.len()).rev() {
            let turn = self.begin_of_turn(scan, depth);
            let outside: Vec<usize> = (turn..scan).filter(needed).collect();
            let undone = |at: &usize| outside.iter().any(|before| self.have_same_target(*before, *at));
            let in_loop =
                |at: &usize| depth > 0 && self.place(*at).is_some_and(|other| same_loop(place, other, depth));
            missed = later.iter().find(|at| !in_loop(at) && !undone(at)).copied();
            if missed.is_some() {
                continue;
            }
            if let Some(blocked) = outside.iter().find(|at| !self.may_be_repeated(**at)) {
                return Err(format!(
                    "{} came before it in its turn and must not be repeated",
                    self.told(*blocked)
                ));
            }
            let last =
                self.all().rfind(|(at, step)| *at >= scan && same_loop(place, &step.step.place, depth));
            let back = last.map_or(turn, |(at, _)| self.begin_of_turn(at, depth));
            return Ok((self.with_settings(turn, scan, &outside), turn, back));
        }
        let what = missed.map_or_else(String::new, |at| self.told(at));
        Err(format!("{what} came after it, and the earlier state of the bench is not recorded"))
    }

    /// The steps to repeat, with the settings of the turn, and with the waits after the first movement.
    fn with_settings(&self, turn: usize, scan: usize, repeated: &[usize]) -> Vec<usize> {
        let first = repeated.first().copied().unwrap_or(scan);
        let belongs = |at: &usize| {
            let Some(traits) = self.traits(*at) else { return repeated.contains(at) };
            if traits.only_configures() {
                return matches!(self.steps[*at].and_then(|step| step.told.as_ref()), Some(Ok(outcome)) if !matches!(outcome, Outcome::Failed(_)));
            }
            if traits.only_waits() { *at > first } else { repeated.contains(at) }
        };
        (turn..scan).filter(belongs).collect()
    }

    /// The first position of the turn that a step belongs to, at this loop depth.
    fn begin_of_turn(&self, of: usize, depth: usize) -> usize {
        let Some(place) = self.place(of) else { return 0 };
        if depth == 0 {
            return 0;
        }
        let before = self.all().filter(|(at, _)| *at <= of).rev();
        let together = before.take_while(|(_, step)| same_turn(place, &step.step.place, depth));
        together.last().map_or(of, |(at, _)| at)
    }
}

/// Whether two steps are in the same loop at this depth, in any of its turns.
fn same_loop(one: &Place, other: &Place, depth: usize) -> bool {
    let within = depth == 0 || same_turn(one, other, depth - 1);
    within
        && one.loops.len() >= depth
        && other.loops.len() >= depth
        && one.loop_path(depth) == other.loop_path(depth)
}

fn same_turn(one: &Place, other: &Place, depth: usize) -> bool {
    let index = |place: &Place, level: usize| place.loops.get(level).map(|turn| turn.index);
    (0..depth).all(|level| {
        index(one, level).is_some()
            && index(one, level) == index(other, level)
            && one.loop_path(level + 1) == other.loop_path(level + 1)
    })
}

fn is_scan(operation: &Operation) -> bool {
    operation.traits().is_scan()
}
