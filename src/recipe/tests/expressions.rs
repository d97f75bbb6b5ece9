//! Where only an expression can stand, and what the results of steps have.

use super::{recipe, refused, told};

#[test]
fn a_condition_stands_with_or_without_its_braces() {
    let read = "{ read_power: { detector: 4/1, id: p } }";
    let conditions = [
        "steps.p.value < 0",
        "${steps.p.value < 0}",
        "${ steps.p.value < 0 }",
        "true",
        "\"}\" != steps.p.unit",
    ];
    for condition in conditions {
        let steps = format!(
            "- if: {{ condition: '{condition}', then: [ {{ log: yes }} ], else: [ {{ log: no }} ] }}"
        );
        assert_eq!(told(&format!("steps:\n  - {read}\n  {steps}\n")), ["read_power", "yes"], "{condition}");
    }
    for condition in ["again", "${again}", "again && 1 < 2"] {
        let steps = format!(
            "- repeat: {{ while: '{condition}', steps: [ {{ log: yes }}, {{ set: {{ again: false }} }} ] }}"
        );
        assert_eq!(told(&format!("steps:\n  - set: {{ again: true }}\n  {steps}\n")), ["yes"], "{condition}");
    }
    let held = |condition: &str| {
        format!(
            "name: t\nsteps: [ {{ sweep: }} ]\nsuspend_when: {{ probe: [ {read} ], condition: '{condition}', timeout_s: 9 }}\n"
        )
    };
    for condition in ["steps.p.value < 0", "${steps.p.value < 0}"] {
        recipe(&held(condition));
    }
    for (text, words) in [
        (held("${steps.p.value} < 0"), "must be a single expression"),
        (
            "name: t\nsteps:\n  - if: { condition: '${1} < 0', then: [] }\n".to_owned(),
            "write the whole expression in one `${…}`, or without `${` and `}`",
        ),
        (
            "name: t\nsteps:\n  - if: { condition: 5, then: [] }\n".to_owned(),
            "`condition` must be true or false",
        ),
        (
            "name: t\nsteps:\n  - repeat: { while: 5, steps: [] }\n".to_owned(),
            "`while` must be true or false",
        ),
        ("name: t\nsteps:\n  - if: { condition: 'a <', then: [] }\n".to_owned(), "unknown variable `a`"),
        ("name: t\nsteps:\n  - if: { then: [] }\n".to_owned(), "`if` has no `condition`"),
    ] {
        let shown = refused(&text);
        assert!(shown.contains(words), "{shown}");
    }
}

#[test]
fn a_field_that_a_result_certainly_does_not_have_is_refused_with_what_it_has() {
    for (step, field, words) in [
        (
            "read_power: { detector: 4/1, samples: 3, id: x }",
            "value",
            "the result of step `x` has no `value`: it has `failed`, `readings`",
        ),
        ("read_power: { detectors: [4/1, 4/2], id: x }", "unit", "it has `failed`, `readings`"),
        (
            "fetch_trace: { detector: 4/1, traces: [tf, raw], id: x }",
            "min.nm",
            "`steps.x.traces[0]` is its first",
        ),
        ("fetch_trace: { detector: 4/1, trace: tf, id: x }", "mn.nm", "did you mean `min`?"),
        ("sweep: { id: x }", "value", "the result of step `x` has no `value`"),
        ("wait: { seconds: 1, id: x }", "seconds", "it has `failed`"),
        ("prompt: { message: '?', id: x }", "reply", "it has `answer`, `failed`"),
        ("scpi: { command: 'A', id: x }", "reply", "it has `failed`"),
        ("log: { message: a, id: x }", "message", "it has `failed`"),
    ] {
        let text = format!("name: t\nsteps:\n  - {step}\n  - log: \"at ${{steps.x.{field}}}\"\n");
        let shown = refused(&text);
        assert!(shown.contains(words) && shown.contains("r.yaml:4:"), "{shown}");
    }
    for (step, code) in [
        ("read_power: { detector: 4/1, samples: 1, id: x }", "steps.x.value"),
        ("read_power: { detector: 4/1, samples: '${1}', id: x }", "steps.x.value"),
        ("read_power: { detector: 4/1, samples: 2, id: x }", "steps.x.readings[1].value"),
        (
            "read_power: { detector: 4/1, samples: 2, id: x }",
            "if \"value\" in steps.x { steps.x.value } else { 5 }",
        ),
        (
            "fetch_trace: { detector: 4/1, trace: tf, id: x }",
            "steps.x.min.nm + steps.x.stop_nm + steps.x.points",
        ),
        ("fetch_trace: { detector: 4/1, traces: [tf, raw], id: x }", "steps.x.traces[1].max.value"),
        ("configure_scan: { start_nm: 1520, id: x }", "steps.x.start_nm"),
        (
            "log: { message: a, id: x, on_error: continue }",
            "if steps.x.failed { steps.x.message } else { 5 }",
        ),
    ] {
        assert_eq!(told(&format!("steps:\n  - {step}\n  - log: 'is ${{{code}}}'\n")).len(), 2, "{code}");
    }
}
