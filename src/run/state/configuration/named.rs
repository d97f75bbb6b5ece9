//! What a run intends on the named instruments: the steps that are performed again after a restart of an instrument, and
//! when a run is resumed.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::equipment::policy::header_of;
use crate::operation::{Named, NamedRole, Operation, Sends};

/// Steps for named instruments, in the order of their last use.
#[derive(Debug, Clone, Default, PartialEq)]
pub(in crate::run) struct NamedSteps {
    steps: Vec<NamedStep>,
    /// Instruments that have got a step since their last setting that must not be performed again. What is waited for
    /// after such a step may never happen without it.
    changed: BTreeSet<String>,
}

#[derive(Debug, Clone, PartialEq)]
struct NamedStep {
    /// The name of the instrument.
    name: String,
    /// What is set or waited for. The last step counts.
    target: Target,
    operation: Arc<Operation>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Target {
    Setting(String),
    Wait(String),
}

impl NamedSteps {
    /// An operation was performed.
    pub(super) fn note(&mut self, named: Named<'_>, operation: &Operation) {
        let Named { name, sends, role } = named;
        let sent = match sends {
            Sends::Line(line) => header_of(line),
            Sends::Request(http, path) => http.target_of(path),
        };
        match role {
            NamedRole::Reads => {}
            NamedRole::Changes => drop(self.changed.insert(name.to_owned())),
            NamedRole::Waits if self.changed.contains(name) => {}
            NamedRole::Waits => self.set(name, Target::Wait(sent), operation),
            NamedRole::Sets => {
                self.changed.remove(name);
                if matches!(sends, Sends::Line(_)) && sent == "*RST" {
                    // After a reset, nothing that was set before is intended any more.
                    self.steps.retain(|known| known.name != name);
                }
                let target = Target::Setting(sent);
                if let Some(at) = self.position(name, &target) {
                    // What was waited for after the former value says nothing about the new one.
                    let mut position = 0..;
                    self.steps.retain(|known| {
                        let is_later = position.next().is_some_and(|this| this > at);
                        !(is_later && known.name == name && matches!(known.target, Target::Wait(_)))
                    });
                }
                self.set(name, target, operation);
            }
        }
    }

    fn position(&self, name: &str, target: &Target) -> Option<usize> {
        self.steps.iter().position(|known| known.name == name && known.target == *target)
    }

    fn set(&mut self, name: &str, target: Target, operation: &Operation) {
        if let Some(at) = self.position(name, &target) {
            self.steps.remove(at);
        }
        self.steps.push(NamedStep { name: name.to_owned(), target, operation: Arc::new(operation.clone()) });
    }

    /// The steps for one instrument, in the order of their last use.
    pub(in crate::run) fn of(&self, name: &str) -> Vec<Arc<Operation>> {
        let known = self.steps.iter().filter(|known| known.name == name);
        known.map(|known| Arc::clone(&known.operation)).collect()
    }

    /// The instruments that the run has set, or has waited for.
    pub(in crate::run) fn names(&self) -> BTreeSet<String> {
        self.steps.iter().map(|known| known.name.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// What is performed again after these steps, as it is shown.
    fn again(steps: &[Value]) -> Vec<String> {
        let mut known = NamedSteps::default();
        for step in steps {
            let (name, fields) = step.as_object().unwrap().iter().next().unwrap();
            let operation = Operation::read(name, fields).unwrap();
            known.note(operation.traits().named.unwrap(), &operation);
        }
        let shown = known.of("oven").into_iter().map(|operation| match &*operation {
            Operation::Scpi(scpi) => scpi.text.clone(),
            Operation::Http(http) => {
                format!("{} {}", http.method.as_str(), http.json.clone().unwrap_or_default())
            }
            other => other.name().to_owned(),
        });
        shown.collect()
    }

    fn line(text: &str) -> Value {
        json!({ "scpi": { "to": "oven", "command": text } })
    }

    fn steady() -> Value {
        json!({ "wait": { "stable": { "to": "oven", "query": "TEMP?", "within": 0.1, "for_s": 1, "timeout_s": 9 } } })
    }

    #[test]
    fn a_wait_is_repeated_after_the_settings_that_it_waited_for() {
        assert_eq!(again(&[line("TEMP 25"), steady(), line("FAN 1")]), ["TEMP 25", "wait", "FAN 1"]);
        assert_eq!(again(&[line("TEMP 25"), steady(), line("FAN 1"), line("TEMP 30")]), ["FAN 1", "TEMP 30"]);
        assert_eq!(again(&[line("FAN 1"), line("TEMP 25"), steady(), line("FAN 2")]), ["TEMP 25", "FAN 2"]);
        assert_eq!(again(&[line("TEMP 25"), steady(), line("TEMP 30"), steady()]), ["TEMP 30", "wait"]);
        assert_eq!(again(&[line("TEMP 25"), steady(), line("*RST")]), ["*RST"]);
    }

    #[test]
    fn what_follows_a_step_that_is_not_repeated_is_not_waited_for() {
        let trigger = json!({ "scpi": { "to": "oven", "command": "RAMP", "effect": "ask" } });
        assert_eq!(again(&[line("TEMP 25"), trigger.clone(), steady()]), ["TEMP 25"]);
        assert_eq!(again(&[trigger, line("TEMP 25"), steady()]), ["TEMP 25", "wait"]);
    }

    #[test]
    fn a_request_replaces_one_with_the_same_method_and_path() {
        let post = |path: &str, x: f64| json!({ "http": { "to": "oven", "method": "POST", "url": path, "json": x } });
        let get =
            json!({ "http": { "to": "oven", "url": "/state", "poll": { "ready": "true", "timeout_s": 5 } } });
        assert_eq!(
            again(&[post("/move?a=1", 1.0), post("/fan", 2.0), post("/move", 3.0)]),
            ["POST 2.0", "POST 3.0"]
        );
        assert_eq!(again(&[post("/move", 1.0), get]), ["POST 1.0", "GET null"]);
    }
}
