//! `suspend_when`: the rule that holds a recipe while a condition is true, for example while the power is unstable.

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
/// The default pause between two probes, s.
const PROBE_EVERY_S: f64 = 10.0;
/// The shortest pause between two probes, s. Each probe is in the journal, which must not grow too fast.
const SHORTEST_S: f64 = 0.1;

/// A `suspend_when` that has been read and checked.
#[derive(Debug)]
pub(super) struct SuspendRule {
    /// The text that contains the rule, and the position there.
    source: Arc<SourceFile>,
    at: Position,
    /// Whether each sweep is judged directly after it, before its traces are fetched.
    after_sweep: bool,
    /// The longest time between two judgements, s, from the first sweep on.
    every_s: Option<f64>,
    probe: Vec<Statement>,
    condition: Template,
    /// The time for which the condition has to be true before the recipe is held, s.
    for_s: f64,
    /// If not given, the suspension ends when the condition is no longer true.
    resume_when: Option<Template>,
    /// The time for which `resume_when` has to be true, s.
    settle_s: f64,
    probe_every_s: f64,
    timeout_s: f64,
}

impl SuspendRule {
    /// The text that contains the rule.
    pub(super) fn source(&self) -> &Arc<SourceFile> {
        &self.source
    }
}

impl Reader<'_> {
    /// Reads `suspend_when`. Its numbers may be expressions that use the parameters.
    pub(super) fn suspend_rule(&mut self, node: &Node, parameters: &Values) -> Option<Arc<SuspendRule>> {
        // The recipe's steps must not see the names that the rule defines.
        let scope = self.scope.clone();
        let rule = self.read_suspend_rule(node, parameters);
        self.scope = scope;
        rule.map(Arc::new)
    }

    fn read_suspend_rule(&mut self, node: &Node, parameters: &Values) -> Option<SuspendRule> {
        let fields = Fields::read(self, "suspend_when", node, &KEYS)?;
        if let Some(after) = fields.get("after").filter(|after| after.text() != Some("sweep")) {
            self.report(after.at, format!("`after` must be `sweep`, not {}", after.describe()));
        }
        let probe = match fields.get("probe") {
            Some(probe) => self.steps(probe, "suspend_when.probe"),
            None => {
                self.report(
                    fields.at,
                    "`suspend_when` has no `probe`: the steps that measure what the condition needs",
                );
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
            self.report(
                template.written.at,
                format!("an expression must decide when the run continues, not {given}"),
            );
        }
        if fields.get("timeout_s").is_none() {
            self.report(fields.at, "`suspend_when` has no `timeout_s`: the time after which the run fails");
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
        Some(SuspendRule {
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
