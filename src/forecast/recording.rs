//! Compares the steps of a recipe with the recording of power during the whole run.

use super::findings::Findings;
use super::walk::PlannedStep;
use crate::measurement::PowerUnit;
use crate::recipe::Recipe;
use crate::source::Diagnostic;

/// Detectors whose power is recorded, and which a step lets measure photocurrent: the instrument would refuse each query for
/// their power.
#[must_use]
pub fn recorded_photocurrents(recipe: &Recipe, steps: &[PlannedStep]) -> Vec<Diagnostic> {
    let Some(recording) = &recipe.header().record_power else { return Vec::new() };
    let mut findings = Findings::default();
    for planned in steps {
        let Some(fields) = planned.step.operation.traits().detector_settings else { continue };
        let is_photocurrent = fields.power_unit.is_some_and(PowerUnit::is_photocurrent);
        if is_photocurrent && recording.detectors.contains(&fields.detector) {
            let detector = fields.detector;
            let message = format!(
                "{detector} measures photocurrent from here on, so the instrument cannot read its power for `record_power`"
            );
            let hint = format!("remove {detector} from `record_power`; a sweep measures photocurrent");
            findings.add(
                &planned.step.place,
                format!("recording of {detector}"),
                Diagnostic::error(message).hint(hint),
            );
        }
    }
    findings.located(&recipe.texts())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forecast::{Circumstances, walk};

    #[test]
    fn a_detector_of_photocurrent_cannot_be_recorded() {
        let found = |recorded: &str, unit: &str| {
            let text = format!(
                "name: t\nrecord_power: {{ detectors: [{recorded}] }}\nsteps:\n  - configure_detector: {{ detector: 4/1, power_unit: {unit} }}\n"
            );
            let recipe = Recipe::from_text("t.yaml", &text, None, &[]).unwrap();
            let walked = walk(|host| recipe.perform(host), recipe.sources(), Circumstances::default());
            recorded_photocurrents(&recipe, &walked.steps)
        };
        let [refused] = &found("4/1", "mA")[..] else { panic!("one error") };
        assert!(refused.message.contains("4/1 measures photocurrent from here on"), "{}", refused.message);
        assert_eq!(refused.place.as_ref().unwrap().1.line, 4);
        assert_eq!(found("4/2", "mA"), []);
        assert_eq!(found("4/1", "dBm"), []);
    }
}
