//! Runs a recipe without an instrument: a host that performs nothing and records the steps.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::bench::BenchState;
use super::cost::Estimate;
use super::findings::{Findings, softened};
use super::rules;
use super::rules::analysis::Fetched;
use super::stand_in::{self, StandInTrace};
use crate::budget::{Budget, size};
use crate::commands::Present;
use crate::local_time::Moment;
use crate::measurement::{TraceSummary, unix_time_s};
use crate::source::{Diagnostic, SourceFile};
use crate::step::{Fault, FaultKind, Forecast, Host, Now, Outcome, RunTime, Step, Suspension, TraceReader};

/// Largest number of operations in a forecast, because a recipe may be endless.
const MOST_STEPS: usize = 100_000;
/// Largest memory of a forecast.
const MOST_BYTES: usize = 64 << 20;
/// Additional operations for `finally`.
const MOST_LAST_STEPS: usize = 1_000;

/// The known facts about the run that is forecast.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Circumstances {
    /// Whether the run will use the simulator.
    pub simulated: bool,
    /// Whether a person will be present to answer; `None` if this is unknown.
    pub attended: Option<bool>,
}

/// One operation of the plan.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedStep {
    /// The step.
    pub step: Step,
    /// Its cost.
    pub estimate: Estimate,
    /// The settings before it that its commands depend on.
    pub present: Present,
    /// Whether an earlier decision depends on a measured value: the step may differ in the run.
    pub may_differ: bool,
    /// Whether the step belongs to `finally`.
    pub finally: bool,
}

/// The result of a forecast.
#[derive(Debug)]
pub struct Walk {
    /// The operations in order.
    pub steps: Vec<PlannedStep>,
    /// The operations of `suspend_when` for one check, which are not part of the plan.
    pub probes: Vec<PlannedStep>,
    /// Errors, warnings and notes, each once per place.
    pub findings: Vec<Diagnostic>,
    /// Whether the forecast covers the whole recipe.
    pub complete: bool,
}

impl PlannedStep {
    /// The commands that would be sent.
    #[must_use]
    pub fn commands(&self) -> Vec<String> {
        let commands = crate::commands::commands(&self.step.operation, &self.present);
        commands.iter().map(ToString::to_string).collect()
    }
}

impl Walk {
    /// All operations of the forecast that a run may perform.
    #[must_use]
    pub fn all(&self) -> Cow<'_, [PlannedStep]> {
        match self.probes.as_slice() {
            [] => Cow::Borrowed(&self.steps),
            probes => Cow::Owned([&self.steps, probes].concat()),
        }
    }
}

/// Forecasts a recipe: `perform` is its `Recipe::perform`, `sources` its texts.
pub fn walk(
    perform: impl FnOnce(Arc<dyn Host>) -> Result<(), Fault>,
    sources: &[Arc<SourceFile>],
    circumstances: Circumstances,
) -> Walk {
    let budget = Budget::here();
    let host = Arc::new(PlanHost {
        circumstances,
        budget: budget.clone(),
        began_s: unix_time_s(),
        state: Mutex::new(State::default()),
    });
    let ended = budget.spend(|| perform(host.clone()));
    let State { mut findings, steps, probes, cut_off, may_differ, unknown_reply, .. } =
        std::mem::take(&mut *host.state());
    let last = steps.last().map(|planned| &planned.step.place);
    let cut_off = cut_off.or_else(|| (ended.is_err() && budget.was_spent()).then(|| budget.told()));
    let is_cut_off = cut_off.is_some();
    if !is_cut_off && ended.is_ok() {
        for (place, diagnostic) in rules::analysis::unjudged(&steps) {
            findings.add(place, "limits", diagnostic);
        }
    }
    if let Some(why) = cut_off {
        let message = format!("{why}: only its first {} operations were checked", steps.len());
        findings.add_at(
            last,
            "length",
            Diagnostic::warning(message).hint("check for a loop that never ends"),
        );
    } else if let Err(mut fault) = ended {
        if may_differ && unknown_reply {
            fault.hint.get_or_insert_with(|| {
                "`assume` of an `http` or `scpi` step provides a reply for the forecast".to_owned()
            });
        }
        let is_sure = fault.wrong_type && !unknown_reply;
        findings.add_fault(fault, last, may_differ && !is_sure);
    }
    Walk { findings: findings.located(sources), steps, probes, complete: !is_cut_off }
}

/// Whether the reply of another instrument is unknown.
fn has_unknown_reply(step: &Step) -> bool {
    let traits = step.operation.traits();
    traits.request.is_some_and(|http| http.assume.is_none())
        || traits.line.is_some_and(|scpi| scpi.is_query && scpi.assume.is_none())
}

struct PlanHost {
    circumstances: Circumstances,
    budget: Budget,
    /// The time of the forecast, s since 1970: the recipe may begin now.
    began_s: f64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    bench: BenchState,
    findings: Findings,
    steps: Vec<PlannedStep>,
    probes: Vec<PlannedStep>,
    /// The steps that are performed now are not part of the plan.
    is_outside_plan: bool,
    /// The branches that the assumed values rule out, and that are looked at now, one within the other.
    branches: usize,
    /// The number of operations in such branches.
    branch_steps: usize,
    /// Whether a step has a reply of another instrument that is unknown.
    unknown_reply: bool,
    traces: u64,
    /// What is known of each trace.
    fetched: BTreeMap<u64, Fetched>,
    elapsed_s: f64,
    may_differ: bool,
    /// The number of steps before `finally`.
    finally: Option<usize>,
    /// The approximate memory of the steps.
    bytes: usize,
    /// The reason why the forecast does not cover the whole recipe.
    cut_off: Option<String>,
}

impl State {
    /// The reason why the forecast cannot continue.
    fn is_full(&self) -> Option<String> {
        let count = self.steps.len() + self.probes.len() + self.branch_steps;
        let (most, bytes) = match self.finally {
            None => (MOST_STEPS, MOST_BYTES),
            Some(begun) => (begun + MOST_LAST_STEPS, MOST_BYTES + MOST_BYTES / 4),
        };
        if count >= most {
            return Some(match self.finally {
                None => format!("the recipe has more than {MOST_STEPS} operations, or never ends"),
                Some(_) => format!("`finally` has more than {MOST_LAST_STEPS} operations, or never ends"),
            });
        }
        let too_large = "the plan of the recipe is larger than the memory that a plan may use";
        (self.bytes >= bytes).then(|| too_large.to_owned())
    }
}

/// The approximate memory of a step. Its largest parts are the texts of its fields and of the surrounding loops.
fn bytes(step: &Step) -> usize {
    let place = &step.place;
    let loops = place.loops.iter().map(|turn| size_of_val(turn) + turn.name.len() + size(&turn.value));
    let fields = step.operation.to_string().len();
    size_of::<PlannedStep>() + place.file.len() + place.path.len() + loops.sum::<usize>() + fields
}

impl PlanHost {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The reason why the forecast stops here.
    fn end(&self, state: &State) -> Option<String> {
        state.is_full().or_else(|| self.budget.is_spent().then(|| self.budget.told()))
    }
}

impl Host for PlanHost {
    fn perform(&self, step: Step) -> Result<Outcome, Fault> {
        let mut state = self.state();
        if let Some(why) = self.end(&state) {
            state.cut_off.get_or_insert(why);
            // A script can catch any other fault and continue.
            return Err(Fault::new(FaultKind::Stopped, "the plan is long enough"));
        }
        let State { bench, findings, may_differ, finally, fetched, branches, .. } = &mut *state;
        let before = bench.clone();
        let estimate = bench.perform(&step.operation);
        let when = (finally.is_some(), *may_differ);
        if *branches == 0 {
            rules::look(&step, (&before, bench), self.circumstances, when, findings);
            for (about, diagnostic) in rules::analysis::look(&step, fetched) {
                findings.add(&step.place, about, softened(diagnostic, when.1));
            }
        }
        state.elapsed_s += estimate.seconds;
        state.unknown_reply |= has_unknown_reply(&step);
        let outcome = stand_in::outcome(&step.operation, &state.bench, state.traces, state.elapsed_s);
        if let Outcome::Traces(traces) = &outcome {
            state.traces += traces.len() as u64;
            let is_scan_stated = state.bench.start_nm.is_some() && state.bench.stop_nm.is_some();
            let fetched = traces.iter().filter_map(|trace| Fetched::of(trace, is_scan_stated));
            state.fetched.extend(fetched);
        }
        if state.branches > 0 {
            state.branch_steps += 1;
            return Ok(outcome);
        }
        state.bytes += bytes(&step);
        let planned = PlannedStep {
            step,
            estimate,
            present: before.present(),
            may_differ: state.may_differ,
            finally: state.finally.is_some(),
        };
        let goes_to = if state.is_outside_plan { &mut state.probes } else { &mut state.steps };
        goes_to.push(planned);
        Ok(outcome)
    }

    fn perform_later(&self, step: Step) -> Result<(), Fault> {
        self.perform(step).map(drop)
    }

    fn settle(&self) -> Result<(), Fault> {
        Ok(())
    }

    fn open_trace(&self, trace: &TraceSummary) -> Result<Arc<dyn TraceReader>, Fault> {
        Ok(Arc::new(StandInTrace::new(trace.grid)))
    }

    fn now(&self) -> Result<Now, Fault> {
        let mut state = self.state();
        state.may_differ = true;
        let run = RunTime { elapsed_s: state.elapsed_s, process: 0 };
        Ok(Now { wall: Moment::here(self.began_s + state.elapsed_s), run })
    }

    fn stopping(&self) -> bool {
        let mut state = self.state();
        let end = match state.cut_off {
            // The forecast is incomplete only if there is a further operation.
            None => self.budget.is_spent().then(|| self.budget.told()),
            Some(_) => self.end(&state),
        };
        let is_over = end.is_some();
        state.cut_off = state.cut_off.take().or(end);
        is_over
    }

    fn begin_finally(&self) {
        self.budget.grant_finally();
        let mut state = self.state();
        state.finally = Some(state.steps.len());
    }

    fn coupling_is_doubtful(&self) -> bool {
        false
    }

    fn suspension(&self) -> Option<&dyn Suspension> {
        None
    }

    fn forecast(&self) -> Option<&dyn Forecast> {
        Some(self)
    }
}

impl Forecast for PlanHost {
    fn outside_plan(&self, steps: &mut dyn FnMut() -> Result<(), Fault>) {
        let mut state = self.state();
        let plan = (state.bench.clone(), state.traces, state.elapsed_s, state.may_differ);
        state.is_outside_plan = true;
        drop(state);
        let ended = steps();
        let mut state = self.state();
        (state.bench, state.traces, state.elapsed_s, state.may_differ) = plan;
        state.is_outside_plan = false;
        if let Err(fault) = ended {
            // These steps always depend on measured values.
            let last = state.probes.last().map(|planned| planned.step.place.clone());
            let is_sure = fault.wrong_type && !state.unknown_reply;
            state.findings.add_fault(fault, last.as_ref(), !is_sure);
        }
    }

    fn branch(&self, steps: &mut dyn FnMut() -> Result<(), Fault>) {
        let mut state = self.state();
        let before = (state.bench.clone(), state.traces, state.elapsed_s, state.may_differ);
        state.branches += 1;
        drop(state);
        let ended = steps();
        let mut state = self.state();
        (state.bench, state.traces, state.elapsed_s, state.may_differ) = before;
        state.branches -= 1;
        if let Err(fault) = ended
            && fault.wrong_type
            && !state.unknown_reply
        {
            state.findings.add_fault(fault, None, false);
        }
    }

    fn assume_performed(&self, step: &Step) {
        self.state().bench.perform(&step.operation);
    }

    fn uses_measurement(&self) {
        self.state().may_differ = true;
    }
}
