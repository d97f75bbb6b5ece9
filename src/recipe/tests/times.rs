//! The time in recipes: the same functions in YAML and in scripts, and loops that end at a time of day.

use chrono::{Local, TimeDelta};

use super::*;
use crate::step::recorder::BEGAN_S;

/// The time of day so many minutes after the recorder's beginning.
fn minutes_later(minutes: i64) -> String {
    let began = chrono::DateTime::from_timestamp_millis((BEGAN_S * 1e3) as i64).unwrap();
    (began.with_timezone(&Local) + TimeDelta::minutes(minutes)).format("%H:%M").to_string()
}

fn waits(text: &str) -> usize {
    told(text).iter().filter(|step| step.starts_with("wait")).count()
}

#[test]
fn a_loop_ends_after_the_turn_in_which_its_time_of_day_is_reached() {
    let until = |until: &str| {
        waits(&format!(
            "steps:\n  - repeat: {{ until: {until}, steps: [ {{ wait: {{ seconds: 600 }} }} ] }}\n"
        ))
    };
    assert_eq!(until(&format!("\"{}\"", minutes_later(25))), 3);
    assert_eq!(until(&format!("\"{}\"", minutes_later(-10))), 143, "the time of the next day");
    assert_eq!(until(&format!("\"${{now() >= {} }}\"", BEGAN_S + 1200.0)), 2);
    assert_eq!(until("true"), 1, "the condition is checked after the first turn");
}

#[test]
fn a_condition_of_until_sees_the_results_of_its_own_steps() {
    let text = "steps:\n  - repeat:\n      until: steps.p.value < -10\n      steps:\n        - read_power: { id: p, detector: 4/1 }\n";
    assert_eq!(told(text).len(), 1);
}

#[test]
fn yaml_and_scripts_have_the_same_functions_for_the_time() {
    let expressions = [
        "now() - 1e9",
        "time_of_day()",
        "next_time(\"06:00\") - now()",
        "if time_of_day() >= \"00:00\" { 1 } else { 2 }",
    ];
    for expression in expressions {
        let yaml = told(&format!("steps:\n  - log: '${{{expression}}}'\n"));
        let script = format!("recipe(#{{ name: \"t\" }});\nlog(\"\" + ({expression}));");
        let host = Recorder::shared();
        Recipe::from_text("r.rhai", &script, None, &[]).unwrap().perform(host.clone()).unwrap();
        let printed = |steps: &[String]| steps.join("").replace(".0", "");
        assert_eq!(printed(&yaml), printed(&host.performed()), "{expression}");
    }
}

#[test]
fn wrong_times_and_ends_are_refused_with_their_rule() {
    for (step, words) in [
        ("repeat: { until: \"25:00\", steps: [ { sweep: {} } ] }", "`25:00` is not a time of day"),
        ("repeat: { until: \"06:00\", for: i, steps: [ { sweep: {} } ] }", "have no variable"),
        ("repeat: { until: \"${now() > 5}\", for: i, steps: [ { sweep: {} } ] }", "have no variable"),
        ("repeat: { until: 5, steps: [ { sweep: {} } ] }", "`until` must be true or false"),
        ("repeat: { until: \"06:00\", times: 3, steps: [ { sweep: {} } ] }", "exactly one of"),
        (
            "http: { method: GET, url: \"http://h/\", poll: { ready: \"${now() > 5 && reply > 1}\" } }",
            "`now()` cannot be used in a condition on a reply",
        ),
    ] {
        let told = refused(&format!("name: t\nsteps:\n  - {step}\n"));
        assert!(told.contains(words), "{step}: {told}");
    }
    let fault = perform("steps:\n  - log: '${next_time(\"noon\")}'\n").1.unwrap_err();
    assert!(fault.message.contains("`noon` is not a time of day"), "{fault}");
}

#[test]
fn a_time_of_day_may_come_from_an_expression() {
    let later = minutes_later(25);
    let wait = "steps: [ { wait: { seconds: 600 } } ]";
    for (until, before) in [
        ("\"${stop}\"", String::new()),
        ("stop", String::new()),
        ("\"${stops[1]}\"", format!("  - set: {{ stops: [ \"00:00\", \"{later}\" ] }}\n")),
    ] {
        let text = format!(
            "parameters: {{ stop: {{ default: \"{later}\" }} }}\nsteps:\n{before}  - repeat: {{ until: {until}, {wait} }}\n"
        );
        assert_eq!(waits(&text), 3, "{until}");
    }
    let text = format!(
        "parameters: {{ start: {{ default: \"{later}\" }} }}\nsteps:\n  - wait: {{ at: \"${{start}}\" }}\n"
    );
    assert_eq!(waits(&text), 1);
}

#[test]
fn what_until_cannot_be_is_refused_before_the_first_turn() {
    for (until, given) in [
        ("\"${next_time(stop)}\"", "not `1"),
        ("\"${time_of_day()}\"", "not `\""),
        ("\"${steps.p.readings}\"", "not `["),
        ("late", "not `\"at six\"`"),
    ] {
        let text = format!(
            "parameters: {{ stop: {{ default: \"06:00\" }}, late: {{ default: at six }} }}\nsteps:\n  - read_power: {{ id: p, detector: 4/1 }}\n  - repeat: {{ until: {until}, steps: [ {{ wait: 1 }} ] }}\n"
        );
        let (host, ended) = perform(&text);
        let fault = ended.unwrap_err();
        assert!(fault.message.contains("`until` must be true or false, or a time of day"), "{fault}");
        assert!(fault.message.contains(given) && fault.wrong_type, "{until}: {fault}");
        assert!(fault.hint.is_some_and(|hint| hint.contains("until: \"${end}\"")));
        assert_eq!(host.performed(), ["read_power"], "{until}");
    }
}
