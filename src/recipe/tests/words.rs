//! Names that look like numbers, and numbers that a double does not keep.

use super::*;

fn warnings(text: &str) -> String {
    shown(recipe(text).diagnostics())
}

#[test]
fn a_number_that_a_double_does_not_keep_is_refused_wherever_it_is_written() {
    let at = |part: &str| {
        [
            format!("name: t\nsteps: [{{ repeat: {{ for: d, in: [{part}], steps: [] }} }}]\n"),
            format!(
                "name: t\nsteps: [{{ fetch_trace: {{ detector: 4/1, trace: tf, columns: {{ d: {part} }} }} }}]\n"
            ),
            format!("name: t\nparameters: {{ d: {{ default: {part} }} }}\nsteps: []\n"),
            format!("name: t\nmetadata: {{ d: {part} }}\nsteps: []\n"),
            format!("name: t\nsteps: [{{ set: {{ d: {part} }} }}]\n"),
            format!("name: t\nsteps: [{{ wait: {part} }}]\n"),
            format!("name: t\nsteps:\n  - wait:\n      seconds: &long {part} # as long\n"),
            format!("name: t\nsteps:\n  - wait:\n      seconds: &long # as long\n\n        {part}\n"),
        ]
    };
    for (number, becomes) in [
        ("202411090210450001", "it would become `202411090210450020`"),
        ("9007199254740993", "it would become `9007199254740992`"),
        ("0.1234567890123456789", "it would become `0.12345678901234568`"),
        ("202411090210450001202411090210450001", "202411090210450001202411090210450001"),
        ("0x1F", "it would become `31`"),
        ("0o17", "it would become `15`"),
        ("0b101", "it would become `5`"),
        ("007.5", "has leading zeros; its value is `7.5`"),
    ] {
        for text in at(number) {
            let told = refused(&text);
            assert!(
                told.contains(becomes)
                    && told.contains("into quotes")
                    && told.contains(&format!("\"{number}\"")),
                "{text}{told}"
            );
        }
    }
    let tagged = "name: t\nsteps: [{ repeat: { for: d, in: [!!float 202411090210450001], steps: [] } }]\n";
    assert!(refused(tagged).contains("it would become `202411090210450020`"));
    for fine in
        ["1.50", "+5", "1e-3", "9007199254740992", "0.30000000000000004", "\"202411090210450001\"", "0"]
    {
        for text in at(fine).iter().take(5) {
            recipe(text);
        }
    }
}

#[test]
fn what_yaml_reads_as_a_text_stays_as_it_is_written() {
    let list = "[0012, 1_000, yes, no, 2024-11-09, 12:30, 1e999, 1.2.3, ~x]";
    let steps = format!("steps: [{{ repeat: {{ for: d, in: {list}, steps: [{{ log: \"${{d}}\" }}] }} }}]");
    assert_eq!(told(&steps), ["0012", "1_000", "yes", "no", "2024-11-09", "12:30", "1e999", "1.2.3", "~x"]);
}

#[test]
fn values_of_a_list_that_print_alike_are_a_warning() {
    let list = |values: &str| {
        warnings(&format!("name: t\nsteps: [{{ repeat: {{ for: d, in: {values}, steps: [] }} }}]\n"))
    };
    assert!(
        list("[1.1, 1.9, 1.10]")
            .contains("warning: 1.1 and 1.10 are printed in the same way: two turns would have one name")
    );
    assert!(list("[10, 1E1]").contains("10 and 1E1 are printed in the same way"));
    assert!(list("[1, \"1\"]").contains("1 and \"1\" are printed in the same way"));
    assert!(list("[1E1, 2E1]").contains("note: `1E1` is read as the number 10"));
    // There and back again is meant.
    assert_eq!(list("[-5, 0, 5, 0, -5]"), "");
    assert_eq!(list("[1.50, 2.50, a, true]"), "");
}

#[test]
fn set_follows_the_same_rules() {
    let text =
        "name: t\nparameters: { p: { default: 1 }, d: { default: none } }\nsteps: [{ log: \"${p} ${d}\" }]\n";
    let load = |name: &str, value: &str| {
        Recipe::from_text("r.yaml", text, None, &[(name.to_owned(), Given::Text(value.to_owned()))])
    };
    let told = |name: &str, value: &str| {
        let host = Recorder::shared();
        load(name, value).unwrap().perform(host.clone()).unwrap();
        host.performed().remove(0)
    };
    assert_eq!(told("d", "202411090210450001"), "1 202411090210450001");
    assert_eq!(told("d", "1E1"), "1 1E1");
    assert_eq!(told("p", "1E1"), "10 none");
    assert_eq!(told("p", "007"), "7 none");
    for (value, words) in [
        ("202411090210450001", "it would become `202411090210450020`"),
        ("0x1F", "must be a number, not `0x1F`"),
        ("1_000", "must be a number, not `1_000`"),
        ("nan", "must be a number, not `nan`"),
        ("1e999", "it would become `inf`"),
    ] {
        let told = shown(&load("p", value).unwrap_err());
        assert!(told.contains(words), "{told}");
    }
}

#[test]
fn a_grid_includes_its_end_and_says_so_when_it_does_not() {
    let steps = "parameters: { c: { default: 1550.1 }, span: { default: 0.6 }, points: { default: 7 } }
steps:
  - repeat:
      for: x
      from: \"${c - span/2}\"
      to: \"${c + span/2}\"
      step: \"${span / (points - 1)}\"
      steps: [ { log: \"${x} nm\" } ]
  - repeat: { times: \"${0.6 / 0.1}\", steps: [ { log: turn } ] }
";
    let expected = ["1549.8 nm", "1549.9 nm", "1550 nm", "1550.1 nm", "1550.2 nm", "1550.3 nm", "1550.4 nm"];
    assert_eq!(told(steps), [&expected[..], &["turn"; 6]].concat());
    let grid = |bounds: &str| {
        warnings(&format!("name: t\nsteps: [{{ repeat: {{ for: x, {bounds}, steps: [] }} }}]\n"))
    };
    let missed = grid("from: -5, to: 5, step: 3");
    assert!(
        missed.contains("note: the loop does not reach `to` 5: the last value is 4")
            && missed.contains("r.yaml:2:43"),
        "{missed}"
    );
    assert_eq!(grid("from: -5, to: 4, step: 3"), "");
}
