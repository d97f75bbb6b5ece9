//! Values of a type that their place never takes. Such a mistake is an error, although the value itself is measured.

use super::said;

const READ: &str = "  - read_power: { id: p, detector: 4/1 }\n";

fn after_a_reading(step: &str) -> Vec<String> {
    said(&format!("{READ}  - {step}\n"))
}

#[test]
fn a_value_of_a_wrong_type_is_an_error_wherever_it_stands() {
    for step in [
        "log: \"${steps.p.readings}\"",
        "log: \"power ${steps.p.readings}\"",
        "wait: { seconds: \"${steps.p.unit}\" }",
        "wait: { at: \"${steps.p.readings}\" }",
        "configure_laser: { laser: 1, output: \"${steps.p.value}\" }",
        "if: { condition: steps.p.value, then: [ { log: a } ] }",
        "repeat: { while: steps.p.unit, steps: [ { log: a } ] }",
        "repeat: { until: \"${next_time('06:00')}\", steps: [ { log: a } ] }".replace('\'', "\\\"").as_str(),
        "repeat: { until: steps.p.value, steps: [ { log: a } ] }",
        "repeat: { for: x, in: \"${steps.p.value}\", steps: [ { log: a } ] }",
        "repeat: { for: x, in: \"${[steps.p.readings]}\", steps: [ { log: a } ] }",
        "repeat: { for: x, from: 1, to: \"${steps.p.unit}\", steps: [ { log: a } ] }",
        "repeat: { times: \"${steps.p.unit}\", steps: [ { log: a } ] }",
        "set: { x: \"${steps.p.value * steps.p.unit}\" }",
    ] {
        let found = after_a_reading(step);
        assert!(found.len() == 1 && found[0].starts_with("2 error: "), "{step}: {found:?}");
    }
}

#[test]
fn a_value_out_of_range_or_of_a_type_that_depends_on_the_measurement_is_a_warning() {
    for step in [
        "wait: { seconds: \"${steps.p.value}\" }",
        "wait: { seconds: \"${if steps.p.value < 0 { steps.p.unit } else { 5 }}\" }",
        "wait: { at: \"${steps.p.unit}\" }",
    ] {
        let found = after_a_reading(step);
        assert!(found.len() == 1 && found[0].starts_with("2 warning: "), "{step}: {found:?}");
    }
    let of_a_reply =
        said("  - http: { id: h, method: GET, url: \"http://h/\" }\n  - log: \"${steps.h.reply}\"\n");
    assert!(of_a_reply.iter().all(|found| !found.starts_with("2 error")), "{of_a_reply:?}");
}

#[test]
fn both_branches_of_a_measured_condition_are_looked_at() {
    let wrong = "{ log: \"${steps.p.readings}\" }";
    for (step, errors) in [
        (format!("if: {{ condition: steps.p.value > 0, then: [ {wrong} ] }}"), 1),
        (format!("if: {{ condition: steps.p.value < 0, then: [], else: [ {wrong} ] }}"), 1),
        (
            format!(
                "repeat: {{ times: 3, steps: [ {{ if: {{ condition: steps.p.value > 0, then: [ {{ if: {{ condition: steps.p.value > 1, then: [ {wrong} ] }} }} ] }} }} ] }}"
            ),
            1,
        ),
        // What a value allows is not known in the branch that the assumed value rules out.
        ("if: { condition: steps.p.value > 0, then: [ { wait: { seconds: \"${steps.p.value}\" } } ] }".into(), 0),
        ("if: { condition: steps.p.failed, then: [ { configure_scan: { start_nm: 1500, stop_nm: 1510 } }, { sweep: } ] }".into(), 0),
    ] {
        let found = after_a_reading(&step);
        assert_eq!(found.iter().filter(|found| found.contains("error")).count(), errors, "{step}: {found:?}");
        assert_eq!(found.len(), errors, "{step}: {found:?}");
    }
}

#[test]
fn a_branch_that_is_ruled_out_leaves_the_plan_as_it_is() {
    let steps = "  - set: { x: 1 }
  - read_power: { id: p, detector: 4/1 }
  - if:
      condition: steps.p.value > 0
      then:
        - set: { x: 2 }
        - configure_laser: { laser: 1, output: true }
        - wait: 100
  - log: \"x is ${x}\"
";
    let walk = super::walked(steps);
    let planned: Vec<String> = walk.steps.iter().map(|step| step.step.operation.to_string()).collect();
    assert_eq!(planned.len(), 2, "{planned:?}");
    assert!(planned[1].contains("x is 1"), "{planned:?}");
}
