//! Decisions that depend only on the kind of a step: what happens after a fault, and when its record must be on the
//! disk.

use crate::operation::{Effect, Operation};
use crate::run::events::AfterFault;
use crate::step::{Fault, FaultKind, OnError, Retry, Step};
use crate::store::Durability;

/// When the record of a step must be on the disk: before light, movements and questions; otherwise within a second.
pub(in crate::run) fn durability(operation: &Operation) -> Durability {
    if operation.traits().is_recorded_first() { Durability::Now } else { Durability::Soon }
}

/// Decides what happens after a fault. Movements and questions are never repeated automatically. An attempt that cannot
/// change the result is not made.
pub(in crate::run) fn after_fault(step: &Step, fault: &Fault, retry: Option<Retry>) -> AfterFault {
    let may_pass = matches!(
        fault.kind,
        FaultKind::Instrument | FaultKind::Link | FaultKind::Timeout | FaultKind::DidNotStart
    );
    if fault.kind == FaultKind::Stopped {
        return AfterFault::Raise;
    }
    if let Some(retry) = retry.filter(|_| may_pass && step.operation.traits().effect != Effect::Ask) {
        return AfterFault::Retry { after_s: retry.backoff_s.map_or(0.0, |backoff| backoff.get()) };
    }
    match step.options.on_error {
        OnError::Continue | OnError::NextTurn => AfterFault::Continue,
        OnError::Stop => AfterFault::Raise,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;
    use crate::step::Place;

    fn step(name: &str, fields: &serde_json::Value) -> Step {
        let (operation, options) = crate::step::read(name, fields, &BTreeMap::new()).unwrap();
        Step { operation, options, place: Place::default() }
    }

    fn decide(step: &Step, kind: FaultKind, attempts_left: bool) -> AfterFault {
        after_fault(step, &Fault::new(kind, "why"), step.options.retry.filter(|_| attempts_left))
    }

    #[test]
    fn a_fault_that_may_pass_is_tried_again_while_attempts_are_left() {
        let sweep = step("sweep", &json!({ "retry": { "times": 2, "backoff_s": 5 } }));
        assert_eq!(decide(&sweep, FaultKind::Link, true), AfterFault::Retry { after_s: 5.0 });
        assert_eq!(decide(&sweep, FaultKind::Link, false), AfterFault::Raise);
        // Another attempt changes neither the limits of the bench nor the free disk space.
        assert_eq!(decide(&sweep, FaultKind::Refused, true), AfterFault::Raise);
        assert_eq!(decide(&sweep, FaultKind::Store, true), AfterFault::Raise);
    }

    #[test]
    fn what_moves_or_asks_is_never_repeated_by_itself() {
        let stage = step("scpi", &json!({ "command": "MOVE 1", "retry": { "times": 3 } }));
        assert_eq!(decide(&stage, FaultKind::Timeout, true), AfterFault::Raise);
        let harmless =
            step("scpi", &json!({ "command": "SET 1", "effect": "configure", "retry": { "times": 3 } }));
        assert_eq!(decide(&harmless, FaultKind::Timeout, true), AfterFault::Retry { after_s: 0.0 });
    }

    #[test]
    fn a_stop_is_raised_whatever_the_step_says_of_faults() {
        let patient = step("sweep", &json!({ "retry": { "times": 9 }, "on_error": "continue" }));
        assert_eq!(decide(&patient, FaultKind::Stopped, true), AfterFault::Raise);
        assert_eq!(decide(&patient, FaultKind::Instrument, false), AfterFault::Continue);
    }

    #[test]
    fn what_emits_light_or_asks_is_on_the_disk_before_it_is_sent() {
        let durable = |name, fields| durability(&step(name, &fields).operation);
        assert_eq!(durable("sweep", json!({})), Durability::Now);
        assert_eq!(durable("configure_laser", json!({ "laser": 1, "output": true })), Durability::Now);
        assert_eq!(durable("prompt", json!({ "message": "Ready?" })), Durability::Now);
        assert_eq!(durable("scpi", json!({ "command": "MOVE 1" })), Durability::Now);
        assert_eq!(durable("configure_laser", json!({ "laser": 1, "output": false })), Durability::Soon);
        assert_eq!(durable("wait", json!({ "seconds": 1 })), Durability::Soon);
    }
}
