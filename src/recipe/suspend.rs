//! `suspend_when`: when a recipe is held, and for how long. `judge` does it.

use std::sync::Arc;

use super::document::Node;
use super::program::Statement;
use super::reader::Reader;
use super::structure::Fields;
use super::template::Template;
use crate::source::{Position, SourceFile};
use crate::step::Values;

mod given;
mod judge;

pub use given::SuspendWhen;
pub(super) use judge::Suspender;

/// The keys of `suspend_when`.
const KEYS: [&str; 9] = [
    "after",
    "every_s",
    "probe",
    "condition",
    "for_s",
    "resume_when",
    "settle_s",
    "probe_every_s",
    "timeout_s",
];
/// Pause between two probes when none is given, s.
const PROBE_EVERY_S: f64 = 10.0;
/// The shortest time between two probes, s: they are journaled one by one.
const SHORTEST_S: f64 = 0.1;

/// When a recipe is held, and for how long.
#[derive(Debug, Clone)]
pub(super) struct Suspension {
    /// The text that it stands in, and where.
    source: Arc<SourceFile>,
    at: Position,
    /// Each sweep is judged right after it, while nothing of it has been fetched.
    after_sweep: bool,
    /// Judged at least this often, s, from the first sweep on.
    every_s: Option<f64>,
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

impl Suspension {
    /// The text that it stands in.
    pub(super) fn source(&self) -> &Arc<SourceFile> {
        &self.source
    }
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
        let condition = fields.expression(self, "condition");
        if condition.is_none() {
            self.report(fields.at, "`suspend_when` has no `condition`");
        }
        let resume_when = fields.expression(self, "resume_when");
        for template in condition.iter().chain(&resume_when).filter(|template| template.is_plain()) {
            let given = template.written.describe();
            self.report(template.written.at, format!("an expression decides when to go on, not {given}"));
        }
        if fields.get("timeout_s").is_none() {
            self.report(fields.at, "`suspend_when` has no `timeout_s`, after which the run fails");
        }
        let source = Arc::clone(self.source);
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
        let every_s = fields.get("every_s").map(|_| time("every_s", PROBE_EVERY_S, SHORTEST_S));
        Some(Suspension {
            source,
            at: fields.at,
            after_sweep: every_s.is_none() || fields.get("after").is_some(),
            every_s,
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
