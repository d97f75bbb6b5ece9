//! Walks a recipe without an instrument: a host that performs nothing and keeps what it was asked.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Map, Value, json};

use super::bench::{Bench, Estimate};
use super::rules::{Finding, Rules};
use super::stand_in::{self, StandInTrace};
use crate::measurement::TraceSummary;
use crate::operation::Operation;
use crate::source::{Diagnostic, SourceFile};
use crate::step::{Fault, FaultKind, Host, Outcome, Step, TraceReader};

/// More operations than this are not walked: a recipe that goes on for ever would never be planned.
const MOST_STEPS: usize = 100_000;

/// One operation of the plan.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedStep {
    /// The step.
    pub step: Step,
    /// What it costs.
    pub estimate: Estimate,
    /// The commands that would be sent.
    pub commands: Vec<String>,
    /// True when a measured value has decided something before it: it may come out differently.
    pub may_differ: bool,
    /// True within `finally`.
    pub finally: bool,
}

/// What a walk came by.
#[derive(Debug)]
pub struct Walk {
    /// The operations in order.
    pub steps: Vec<PlannedStep>,
    /// What is wrong, or probably wrong, each thing once for each place.
    pub findings: Vec<Diagnostic>,
    /// False when the recipe goes on beyond what was walked.
    pub complete: bool,
}

/// Walks a recipe: `perform` is its `Recipe::perform`, `sources` its texts, `simulated` whether it names `sim`.
pub fn walk(
    perform: impl FnOnce(&dyn Host) -> Result<(), Fault>,
    sources: &[Arc<SourceFile>],
    simulated: bool,
) -> Walk {
    let host = PlanHost { state: Mutex::new(State::new(simulated)) };
    let ended = perform(&host);
    let state = host.state.into_inner().unwrap_or_else(PoisonError::into_inner);
    let mut findings = state.rules.finish();
    let complete = state.steps.len() < MOST_STEPS;
    if !complete {
        let message = format!(
            "the recipe has more than {MOST_STEPS} operations, or never ends: only these are looked at"
        );
        findings.extend(
            state.steps.last().map(|last| Finding::new(&last.step.place, Diagnostic::warning(message))),
        );
    } else if let Err(fault) = ended {
        findings.push(Finding::from_fault(fault, state.steps.last().map(|planned| &planned.step.place)));
    }
    let mut seen = BTreeSet::new();
    let findings = findings
        .into_iter()
        .filter(|finding| seen.insert(format!("{:?} {}", finding.place, finding.diagnostic.message)))
        .map(|finding| finding.located(sources))
        .collect();
    Walk { steps: state.steps, findings, complete }
}

struct PlanHost {
    state: Mutex<State>,
}

struct State {
    bench: Bench,
    rules: Rules,
    steps: Vec<PlannedStep>,
    traces: u64,
    elapsed_s: f64,
    may_differ: bool,
    finally: bool,
}

impl State {
    fn new(simulated: bool) -> Self {
        Self {
            bench: Bench::default(),
            rules: Rules::new(simulated),
            steps: Vec::new(),
            traces: 0,
            elapsed_s: 0.0,
            may_differ: false,
            finally: false,
        }
    }

    fn outcome(&mut self, operation: &Operation) -> Outcome {
        match operation {
            Operation::FetchTrace(fetch) => {
                let grid = self.bench.grid();
                let mut traces = Vec::new();
                for detector in &fetch.detectors {
                    for trace in &fetch.traces {
                        self.traces += 1;
                        traces.push(stand_in::summary(
                            self.traces,
                            self.bench.sweeps,
                            *detector,
                            *trace,
                            grid,
                        ));
                    }
                }
                Outcome::Traces(traces)
            }
            Operation::ReadPower(read) => {
                let sample = read.detectors.iter().map(|detector| stand_in::reading(*detector));
                let samples = std::iter::repeat_n(sample, read.samples.min(10_000) as usize);
                Outcome::Power(samples.flatten().collect())
            }
            Operation::Prompt(prompt) => {
                let answer = prompt.unattended.clone().or_else(|| prompt.choices.first().cloned());
                Outcome::Answer(answer.unwrap_or_default())
            }
            Operation::Scpi(scpi) if scpi.is_query => Outcome::Reply("0".to_owned()),
            Operation::CreateReference(_) => Outcome::Reference { created: true },
            Operation::ConfigureLaser(_)
            | Operation::ConfigureTls(_)
            | Operation::ConfigureScan(_)
            | Operation::ConfigureDetector(_)
            | Operation::Sweep(_) => Outcome::Settings(self.settings(operation)),
            Operation::Wait(_) | Operation::Log(_) | Operation::Scpi(_) => Outcome::Done,
        }
    }

    /// What would be re-read: what was set, and the scan as it then is.
    fn settings(&self, operation: &Operation) -> Map<String, Value> {
        let mut settings = Map::new();
        if matches!(operation, Operation::ConfigureScan(_) | Operation::Sweep(_)) {
            settings.insert("start_nm".into(), json!(self.bench.start_nm));
            settings.insert("stop_nm".into(), json!(self.bench.stop_nm));
            settings.insert("resolution_pm".into(), json!(self.bench.resolution_pm));
            settings.insert("stabilization_s".into(), json!(self.bench.stabilization.seconds));
            settings.insert("keep_lasers_on".into(), json!(self.bench.stabilization.output));
        }
        if let Ok(Value::Object(operation)) = serde_json::to_value(operation)
            && let Some(Value::Object(fields)) = operation.into_values().next()
        {
            settings.extend(fields);
        }
        settings
    }
}

impl PlanHost {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Host for PlanHost {
    fn perform(&self, step: Step) -> Result<Outcome, Fault> {
        let mut state = self.state();
        if state.steps.len() >= MOST_STEPS {
            return Err(Fault::new(FaultKind::Stopped, "the plan is long enough"));
        }
        let commands = crate::commands::commands(&step.operation, &state.bench.present());
        let State { bench, rules, finally, .. } = &mut *state;
        rules.before(&step, bench, *finally);
        let estimate = bench.perform(&step.operation);
        rules.after(&step, bench);
        state.elapsed_s += estimate.seconds;
        let outcome = state.outcome(&step.operation);
        let planned = PlannedStep {
            step,
            estimate,
            commands: commands.iter().map(ToString::to_string).collect(),
            may_differ: state.may_differ,
            finally: state.finally,
        };
        state.steps.push(planned);
        Ok(outcome)
    }

    fn open_trace(&self, trace: &TraceSummary) -> Result<Arc<dyn TraceReader>, Fault> {
        Ok(Arc::new(StandInTrace::new(trace.grid)))
    }

    fn now(&self) -> Result<f64, Fault> {
        let mut state = self.state();
        state.may_differ = true;
        Ok(state.elapsed_s)
    }

    fn stopping(&self) -> bool {
        self.state().steps.len() >= MOST_STEPS
    }

    fn begin_finally(&self) {
        self.state().finally = true;
    }

    fn uses_measurement(&self) {
        self.state().may_differ = true;
    }
}
