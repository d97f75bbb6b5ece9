//! Alignments, and steps whose failure leaves the turn of a loop.

use super::*;
use crate::operation::Constant;

/// The parts of an alignment and the steps around it, as they were performed.
fn parts(text: &str) -> Vec<String> {
    let (host, ended) = perform(text);
    ended.unwrap_or_else(|fault| panic!("{fault}"));
    let short = |step: crate::step::Step| match &step.operation {
        Operation::Log(log) => log.message.clone(),
        Operation::Align(align) => match align.part {
            Some(part) if part.has_failed => "failed".to_owned(),
            Some(part) => format!("look {}", part.attempt),
            None => "?".to_owned(),
        },
        other => other.name().to_owned(),
    };
    host.steps().into_iter().map(short).collect()
}

const ALIGN: &str = "detector: 4/1, laser: 1, wavelength_nm: 1550, power_dbm: 0";

#[test]
fn an_alignment_looks_and_performs_its_steps_only_if_the_power_is_too_low() {
    // The recorder has no light before the first attempt, and as much as is needed after it.
    let found = parts(&format!(
        "steps: [ {{ align: {{ {ALIGN}, good: {{ at_least_dbm: -20 }}, steps: [ {{ log: search }} ] }} }} ]"
    ));
    assert_eq!(found, ["configure_laser", "look 0", "search", "configure_laser", "look 1"]);
    let found = parts(&format!(
        "steps: [ {{ align: {{ {ALIGN}, good: {{ at_least_dbm: -95 }}, steps: [ {{ log: search }} ] }} }} ]"
    ));
    assert_eq!(found, ["configure_laser", "look 0"]);
}

#[test]
fn every_and_a_row_without_a_power_to_compare_with_align_although_the_power_is_good() {
    let text = |good: &str| {
        format!(
            "steps: [ {{ repeat: {{ for: x, in: [1, 2, 1], steps: [ {{ align: {{ {ALIGN}, good: {good}, steps: [ {{ log: \"search ${{x}}\" }} ] }} }} ] }} }} ]"
        )
    };
    let searches =
        |text: &str| parts(text).into_iter().filter(|part| part.starts_with("search")).collect::<Vec<_>>();
    // The third turn has the row of the first one, and its power has not changed.
    assert_eq!(searches(&text("{ within_db: 3 }")), ["search 1", "search 2"]);
    let every = text("{ at_least_dbm: -95 }, every: 2").replace("in: [1, 2, 1]", "in: [1, 2, 3, 4, 5]");
    assert_eq!(searches(&every), ["search 1", "search 3", "search 5"]);
}

#[test]
fn an_alignment_that_fails_ends_the_turn_or_goes_on_as_the_recipe_says() {
    let text = |on_fail: &str| {
        format!(
            "steps: [ {{ repeat: {{ for: x, in: [1, 2], steps: [ {{ align: {{ {ALIGN}, good: {{ at_least_dbm: -20 }}, on_fail: {on_fail} }} }}, {{ log: measured }} ] }} }} ]"
        )
    };
    // Without steps the power is only judged, and the recorder's first look is too low.
    let turn = ["configure_laser", "look 0", "failed"];
    assert_eq!(parts(&text("next_turn")), [turn, turn].concat());
    let measured = [&turn[..], &["measured"]].concat();
    assert_eq!(parts(&text("continue")), [measured.clone(), measured].concat());
}

#[test]
fn a_step_with_next_turn_leaves_the_innermost_loop_only() {
    let inner = "{ repeat: { for: y, in: [1, 2], steps: [ { log: { message: fail, on_error: next_turn } }, { log: never } ] } }";
    let found = told(&format!(
        "steps: [ {{ repeat: {{ for: x, in: [1, 2], steps: [ {inner}, {{ log: \"after ${{x}}\" }} ] }} }} ]"
    ));
    assert_eq!(found, ["fail", "fail", "after 1", "fail", "fail", "after 2"]);
    // Out of a condition and out of a script.
    let found = told(
        "steps: [ { repeat: { for: x, in: [1, 2], steps: [ { if: { condition: \"x == 1\", then: [ { script: 'log(#{ message: \"fail\", on_error: \"next_turn\" }); log(\"never\");' } ] } }, { log: \"${x}\" } ] } } ]",
    );
    assert_eq!(found, ["fail", "2"]);
}

#[test]
fn next_turn_needs_a_loop() {
    for (step, field) in [
        ("log: { message: a, on_error: next_turn }".to_owned(), "on_error"),
        (format!("align: {{ {ALIGN}, good: {{ within_db: 1 }}, on_fail: next_turn }}"), "on_fail"),
    ] {
        let found = refused(&format!("name: t\nsteps: [ {{ {step} }} ]\n"));
        assert!(found.contains(&format!("`{field}: next_turn` needs a loop around the step")), "{found}");
    }
    let (_, ended) = perform("steps: [ { script: 'log(#{ message: \"a\", on_error: \"next_turn\" })' } ]");
    assert!(ended.unwrap_err().message.contains("needs a loop of a YAML recipe around the script"));
}

#[test]
fn a_fetch_after_an_alignment_has_its_result_in_columns_and_another_turn_has_not() {
    let text = format!(
        "steps:\n  - repeat:\n      for: x\n      in: [1, 2]\n      steps:\n        - if: {{ condition: 'x == 1', then: [ {{ align: {{ {ALIGN}, good: {{ at_least_dbm: -20 }}, steps: [ {{ log: search }} ] }} }} ] }}\n        - fetch_trace: {{ detector: 4/1, trace: tf, columns: {{ chip: A }} }}\n"
    );
    let (host, ended) = perform(&text);
    ended.unwrap();
    let columns: Vec<Vec<(String, Constant)>> = host
        .steps()
        .iter()
        .filter_map(|step| step.operation.traits().fetch().map(|fetch| fetch.columns.clone()))
        .map(|columns| columns.into_iter().collect())
        .collect();
    let chip = ("chip".to_owned(), Constant::Text("A".into()));
    let aligned = [
        ("align_attempts".to_owned(), Constant::Number(1.0)),
        ("align_good".to_owned(), Constant::Text("true".into())),
        ("align_power_dbm".to_owned(), Constant::Number(-20.0)),
        chip.clone(),
    ];
    assert_eq!(columns, [aligned.to_vec(), vec![chip]]);
}

#[test]
fn a_script_aligns_by_a_closure_or_by_the_name_of_a_function() {
    let call = |steps: &str| {
        format!(
            "align(#{{ detector: \"4/1\", laser: 1, wavelength_nm: 1550, power_dbm: 0, good: #{{ at_least_dbm: -20 }}, steps: {steps} }})"
        )
    };
    let perform = |script: &str| {
        let host = Recorder::shared();
        let text = format!("recipe(#{{ name: \"t\" }});\n{script}");
        let recipe =
            Recipe::from_text("t.rhai", &text, None, &[]).unwrap_or_else(|found| panic!("{}", shown(&found)));
        recipe.perform(host.clone()).map(|()| host.performed())
    };
    let aligned = ["configure_laser", "align", "search", "configure_laser", "align"];
    let closure = format!(
        "let what = \"search\"; let found = {}; log(`${{found.good}} ${{found.attempts}}`);",
        call("|| log(what)")
    );
    assert_eq!(perform(&closure).unwrap(), [&aligned[..], &["true 1"]].concat());
    let named = format!("fn search() {{ log(\"search\"); }}\n{};", call("\"search\""));
    assert_eq!(perform(&named).unwrap(), aligned);
    let wrong = perform(&format!("{};", call("5"))).unwrap_err();
    assert!(
        wrong.message.contains("`steps` must be a closure or the name of a function, not i64"),
        "{wrong}"
    );
}

#[test]
fn an_alignment_within_an_alignment_is_refused_also_in_scripts() {
    let inner = format!("{{ align: {{ {ALIGN}, good: {{ at_least_dbm: -20 }} }} }}");
    let script = "{ script: 'align(#{ detector: \"4/1\", laser: 1, wavelength_nm: 1550, power_dbm: 0, good: #{ at_least_dbm: -20 } });' }";
    for inner in [inner.as_str(), script] {
        let text = format!(
            "steps: [ {{ align: {{ {ALIGN}, good: {{ at_least_dbm: -20 }}, steps: [ {inner} ] }} }} ]"
        );
        let (_, ended) = perform(&text);
        let fault = ended.unwrap_err();
        assert!(fault.message.contains("must not be among the `steps` of another `align`"), "{fault}");
        assert!(fault.at.is_some(), "{fault}");
    }
    // One after the other is fine.
    let found = parts(&format!(
        "steps: [ {{ align: {{ {ALIGN}, good: {{ at_least_dbm: -95 }} }} }}, {{ align: {{ {ALIGN}, good: {{ at_least_dbm: -95 }} }} }} ]"
    ));
    assert_eq!(found, ["configure_laser", "look 0", "configure_laser", "look 0"]);
}
