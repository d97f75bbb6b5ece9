//! `suspend_when`: judges each sweep right after it, while nothing of it has been fetched. Where the condition holds,
//! the recipe is held and probed until it may go on, and the sweep is done again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::Recipe;
use super::document::Node;
use super::program::Statement;
use super::reader::Reader;
use super::structure::Fields;
use super::template::Template;
use super::walk::Walk;
use crate::measurement::TraceSummary;
use crate::operation::{Operation, Wait};
use crate::source::Position;
use crate::step::{Fault, FaultKind, Host, Outcome, Step, StepOptions, TraceReader, Values};
use crate::units::Seconds;

/// The keys of `suspend_when`.
const KEYS: [&str; 8] =
    ["after", "probe", "condition", "for_s", "resume_when", "settle_s", "probe_every_s", "timeout_s"];
/// Pause between two probes when none is given, s.
const PROBE_EVERY_S: f64 = 10.0;
/// The shortest pause between two probes, s: they are journaled one by one.
const SHORTEST_S: f64 = 0.1;

/// When a recipe is held, and for how long.
#[derive(Debug, Clone)]
pub(super) struct Suspension {
    at: Position,
    probe: Vec<Statement>,
    condition: Template,
    /// How long the condition has to hold, s.
    for_s: f64,
    /// Not given: when the condition does not hold any more.
    resume_when: Option<Template>,
    /// How long `resume_when` has to hold, s.
    settle_s: f64,
    probe_every_s: f64,
    timeout_s: f64,
}

impl Reader<'_> {
    /// Reads `suspend_when`; numbers may be expressions over the parameters.
    pub(super) fn suspension(&mut self, node: &Node, parameters: &Values) -> Option<Box<Suspension>> {
        // What it defines is for itself: the recipe's steps do not see it.
        let scope = self.scope.clone();
        let suspension = self.read_suspension(node, parameters);
        self.scope = scope;
        suspension.map(Box::new)
    }

    fn read_suspension(&mut self, node: &Node, parameters: &Values) -> Option<Suspension> {
        let fields = Fields::read(self, "suspend_when", node, &KEYS)?;
        if let Some(after) = fields.get("after").filter(|after| after.text() != Some("sweep")) {
            self.report(after.at, format!("`after` is `sweep`, not {}", after.describe()));
        }
        let probe = match fields.get("probe") {
            Some(probe) => self.steps(probe, "suspend_when.probe"),
            None => {
                self.report(fields.at, "`suspend_when` has no `probe`: the steps that tell how things are");
                Vec::new()
            }
        };
        let condition = fields.require(self, "condition");
        let resume_when = fields.template(self, "resume_when");
        for template in condition.iter().chain(&resume_when).filter(|template| template.is_plain()) {
            let given = template.written.describe();
            self.report(template.written.at, format!("an expression decides when to go on, not {given}"));
        }
        if fields.get("timeout_s").is_none() {
            self.report(fields.at, "`suspend_when` has no `timeout_s`, after which the run fails");
        }
        let mut time = |name: &str, otherwise: f64, least: f64| {
            let Some(template) = fields.template(self, name) else { return otherwise };
            let at = template.written.at;
            match template.evaluate(parameters) {
                Ok(value) => {
                    value.as_f64().filter(|time| *time >= least && *time <= 1e6).unwrap_or_else(|| {
                        self.report(at, format!("{name} `{value}` is not allowed ({least} to 1000000 s)"));
                        otherwise
                    })
                }
                Err(wrong) => {
                    self.report(wrong.at, wrong.message);
                    otherwise
                }
            }
        };
        Some(Suspension {
            at: fields.at,
            for_s: time("for_s", 0.0, 0.0),
            settle_s: time("settle_s", 0.0, 0.0),
            probe_every_s: time("probe_every_s", PROBE_EVERY_S, SHORTEST_S),
            timeout_s: time("timeout_s", 0.0, 0.0),
            probe,
            condition: condition?,
            resume_when,
        })
    }
}

/// A host that judges the sweeps of whatever is performed on it: steps, scripts among them, and recipes inside.
pub(super) struct Suspender<'a> {
    recipe: &'a Recipe,
    suspension: &'a Suspension,
    host: &'a dyn Host,
    in_finally: AtomicBool,
}

impl<'a> Suspender<'a> {
    pub(super) fn new(recipe: &'a Recipe, suspension: &'a Suspension, host: &'a dyn Host) -> Self {
        Self { recipe, suspension, host, in_finally: AtomicBool::new(false) }
    }

    /// Judges a sweep; returns, when it may be done again, that it has to be. `since` is when this sweep was suspended
    /// for the first time.
    fn hold(&self, sweep: &Step, since: &mut Option<f64>) -> Result<bool, Fault> {
        let Suspension { condition, for_s, .. } = self.suspension;
        if !self.host.suspends() {
            return Ok(false);
        }
        let mut walk = Walk::beside(self.recipe, self.host, sweep.place.loops.clone());
        let holds = |walk: &Walk| walk.flag("condition", condition);
        walk.probe(&self.suspension.probe)?;
        if !holds(&walk)? {
            return Ok(false);
        }
        let began = self.host.now()?;
        while self.host.suspends() && self.host.now()? - began < *for_s {
            self.wait(sweep)?;
            walk.probe(&self.suspension.probe)?;
            if !holds(&walk)? {
                return Ok(false);
            }
        }
        let since = *since.get_or_insert(began);
        self.host.suspend(Some(condition.written.text().unwrap_or_default()))?;
        self.wait_until_good(&mut walk, sweep, since)?;
        self.host.suspend(None)?;
        Ok(true)
    }

    fn wait_until_good(&self, walk: &mut Walk<'a>, sweep: &Step, since: f64) -> Result<(), Fault> {
        let suspension = self.suspension;
        let mut good_since = None;
        // A forecast may begin in the middle of a suspension that is on record.
        while self.host.suspends() {
            self.wait(sweep)?;
            walk.probe(&suspension.probe)?;
            let is_good = match &suspension.resume_when {
                Some(resume) => walk.flag("resume_when", resume)?,
                None => !walk.flag("condition", &suspension.condition)?,
            };
            let now = self.host.now()?;
            good_since = is_good.then(|| good_since.unwrap_or(now));
            if good_since.is_some_and(|good| now - good >= suspension.settle_s) {
                return Ok(());
            }
            if now - since >= suspension.timeout_s {
                let message = format!("suspended for {} s and still not good", suspension.timeout_s);
                let fault = Fault::new(FaultKind::Timeout, message);
                return Err(fault.at(&self.recipe.sources()[0].name, suspension.at));
            }
        }
        Ok(())
    }

    fn wait(&self, sweep: &Step) -> Result<(), Fault> {
        let seconds = Seconds::new(self.suspension.probe_every_s);
        let seconds = seconds.map_err(|error| Fault::new(FaultKind::Recipe, error.to_string()))?;
        let mut place = sweep.place.clone();
        place.position = Some(self.suspension.at);
        "suspend_when.wait".clone_into(&mut place.path);
        let operation = Operation::Wait(Wait::Seconds(seconds));
        self.host.perform(Step { operation, options: StepOptions::default(), place }).map(drop)
    }
}

impl Host for Suspender<'_> {
    fn perform(&self, step: Step) -> Result<Outcome, Fault> {
        let in_finally = self.in_finally.load(Ordering::Relaxed);
        if !matches!(step.operation, Operation::Sweep(_)) || in_finally || !self.host.suspends() {
            return self.host.perform(step);
        }
        let mut since = None;
        loop {
            let outcome = self.host.perform(step.clone())?;
            if !self.hold(&step, &mut since)? {
                return Ok(outcome);
            }
        }
    }
    fn open_trace(&self, trace: &TraceSummary) -> Result<Arc<dyn TraceReader>, Fault> {
        self.host.open_trace(trace)
    }
    fn now(&self) -> Result<f64, Fault> {
        self.host.now()
    }
    fn stopping(&self) -> bool {
        self.host.stopping()
    }
    fn begin_finally(&self) {
        self.in_finally.store(true, Ordering::Relaxed);
        self.host.begin_finally();
    }
    fn uses_measurement(&self) {
        self.host.uses_measurement();
    }
}
