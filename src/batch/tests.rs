use std::path::Path;

use serde_json::{Value, json};

use super::*;
use crate::declarations::Given;
use crate::source::Diagnostic;

const DIE: &str = "name: die
parameters:
  power_dbm: { default: 0, min: -10, max: 10 }
steps:
  - log: \"${power_dbm}\"
";

fn expanded(folder: &Path, batch: &str) -> Result<Vec<Task>, Vec<Diagnostic>> {
    std::fs::write(folder.join("die.yaml"), DIE).unwrap();
    let path = folder.join("night.yaml");
    std::fs::write(&path, batch).unwrap();
    let (file, plain) = read_file(&path)?;
    expand(&file, &plain, folder).map(|expanded| expanded.tasks)
}

fn refused(batch: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let found = expanded(folder.path(), batch).unwrap_err();
    found.iter().map(|finding| finding.render(false)).collect()
}

#[test]
fn a_matrix_gives_every_combination_as_written_to_parameters_and_to_metadata() {
    let folder = tempfile::tempdir().unwrap();
    let batch = "name: night
items:
  - recipe: die.yaml
    metadata: { lot: L7 }
    matrix: { wafer: [W1, W2], power_dbm: [-5, 0, 5] }
";
    let tasks = expanded(folder.path(), batch).unwrap();
    let values: Vec<(Value, Value)> =
        tasks.iter().map(|task| (task.metadata["wafer"].clone(), task.set["power_dbm"].clone())).collect();
    let expected = [("W1", -5), ("W1", 0), ("W1", 5), ("W2", -5), ("W2", 0), ("W2", 5)];
    assert_eq!(values, expected.map(|(wafer, power)| (json!(wafer), json!(power))));
    assert!(tasks.iter().all(|task| task.metadata["lot"] == "L7" && task.unattended));
}

#[test]
fn a_table_of_devices_gives_an_item_a_row() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("devices.csv"),
        "\u{feff}die, power_dbm\n\"3,4\", 6\n# none\n\"3,5\", 7\n",
    )
    .unwrap();
    std::fs::write(folder.path().join("devices.yaml"), "- { die: a }\n- { die: b, power_dbm: 2 }\n").unwrap();
    let tasks = |devices: &str| {
        let batch = format!("name: night\nitems:\n  - {{ recipe: die.yaml, devices: {devices} }}\n");
        expanded(folder.path(), &batch).unwrap()
    };
    let read = tasks("devices.csv");
    assert_eq!(read.len(), 2);
    assert_eq!(read[0].metadata["die"], "3,4");
    let power = |dbm: u8| [("power_dbm".to_owned(), Given::Value(json!(dbm)))];
    assert_eq!(read[1].settings(), power(7));
    assert_eq!(tasks("devices.yaml")[1].settings(), power(2));
    assert_eq!(tasks("[{ die: a }, { die: b }]").len(), 2);
}

#[test]
fn an_item_takes_from_the_defaults_what_it_does_not_say() {
    let folder = tempfile::tempdir().unwrap();
    let batch = "name: night
defaults: { on_failure: stop, retry: { times: 2, backoff_s: 5 }, timeout_s: 60, unattended: false }
items:
  - recipe: die.yaml
  - { recipe: die.yaml, on_failure: retry, retry: { times: 0 }, timeout_s: 7, auto_resume: true }
";
    let tasks = expanded(folder.path(), batch).unwrap();
    assert_eq!(tasks[0].on_failure, OnFailure::Stop);
    assert_eq!(tasks[0].retry.unwrap().times, 2);
    assert!(!tasks[0].unattended && !tasks[0].auto_resume && tasks[1].auto_resume);
    assert_eq!(tasks[1].retry.unwrap().times, 0);
    assert_eq!(tasks[1].timeout_s.unwrap().get(), 7.0);
    let usual =
        expanded(folder.path(), "name: n\nitems: [{ recipe: die.yaml, on_failure: retry }]\n").unwrap();
    assert_eq!(usual[0].retry.unwrap().times, 1);
}

#[test]
fn mistakes_are_found_with_their_place_and_what_is_allowed() {
    let told = refused("name: night\nitems:\n  - recipe: die.yaml\n    prioritty: 5\n");
    assert!(told.contains("unknown field `prioritty`") && told.contains("night.yaml:4:5"), "{told}");
    assert!(told.contains("did you mean `priority`?"), "{told}");
    let told = refused("name: Night 1\nitems: [{ recipe: die.yaml }]\n");
    assert!(told.contains("name `Night 1` is not allowed") && told.contains("night.yaml:1:7"), "{told}");
    let told = refused("name: night\ndeadline: \"8 o'clock\"\nitems: [{ recipe: die.yaml }]\n");
    assert!(told.contains("`8 o'clock` is not a time") && told.contains("night.yaml:2:11"), "{told}");
    let told = refused("name: night\nitems:\n  - recipe: die.yaml\n    matrix: { wafer: [] }\n");
    assert!(told.contains("`wafer` has no values") && told.contains("night.yaml:4:15"), "{told}");
    let told = refused("name: night\nitems:\n  - recipe: die.yaml\n    devices: none.csv\n");
    assert!(told.contains("none.csv") && told.contains("night.yaml:4:14"), "{told}");
    let told = refused("name: night\nitems:\n  - recipe: die.yaml\n    metadata: { batch: 7 }\n");
    assert!(told.contains("metadata `batch` is reserved: the batch sets it"), "{told}");
    let told = refused("name: night\nitems: [{ recipe: die.yaml, retry: { times: 101 } }]\n");
    assert!(told.contains("times `101` is not allowed (0 to 100)"), "{told}");
    let told = refused("name: night\nitems: []\n");
    assert!(told.contains("the batch has no items"), "{told}");
}

/// The metadata of each item, under a name.
fn varied(folder: &Path, entry: &str, name: &str) -> Value {
    let tasks = expanded(folder, &format!("name: night\nitems:\n  - {{ recipe: die.yaml, {entry} }}\n"));
    let tasks = tasks.unwrap_or_else(|found| panic!("{}", found[0].render(false)));
    tasks.iter().map(|task| task.metadata[name].clone()).collect()
}

#[test]
fn words_that_look_like_numbers_stay_words_in_tables_and_matrices() {
    let folder = tempfile::tempdir().unwrap();
    let csv = |cells: &str| {
        std::fs::write(folder.path().join("d.csv"), format!("die,power_dbm\n{cells}")).unwrap();
        varied(folder.path(), "devices: d.csv", "die")
    };
    assert_eq!(csv("1E1,1\n1E2,2\n2E1,3\n"), json!(["1E1", "1E2", "2E1"]));
    assert_eq!(csv("1.1,1\n1.9,2\n1.10,3\n"), json!(["1.1", "1.9", "1.10"]));
    assert_eq!(csv("7,1\n1.50,2\n"), json!([7, 1.5]));
    let matrix = |values: &str| varied(folder.path(), &format!("matrix: {{ die: {values} }}"), "die");
    assert_eq!(matrix("[1E1, 1E2]"), json!(["1E1", "1E2"]));
    assert_eq!(matrix("[1.50, ref, 3]"), json!(["1.50", "ref", "3"]));
    assert_eq!(matrix("[1.1, 1.10]"), json!(["1.1", "1.10"]));
    assert_eq!(matrix("[1, 2.5]"), json!([1, 2.5]));
    assert_eq!(matrix("[true, false]"), json!([true, false]));
    let here = "devices: [{ die: 1.50 }, { die: \"x\" }]";
    assert_eq!(varied(folder.path(), here, "die"), json!(["1.50", "x"]));
    // Over all entries of the batch.
    let batch = "name: n\nitems:\n  - { recipe: die.yaml, matrix: { die: [1] } }\n  - { recipe: die.yaml, matrix: { die: [ref] } }\n";
    let tasks = expanded(folder.path(), batch).unwrap();
    assert_eq!([&tasks[0].metadata["die"], &tasks[1].metadata["die"]], [&json!("1"), &json!("ref")]);
}

#[test]
fn the_declared_type_of_a_parameter_wins() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("chip.yaml"),
        "name: chip\nparameters: { chip: { default: none }, p: { default: 0.5, max: 9 } }\nsteps: []\n",
    )
    .unwrap();
    let set = |entry: &str| -> Vec<(Value, Value)> {
        let batch = format!("name: night\nitems:\n  - {{ recipe: chip.yaml, {entry} }}\n");
        let tasks =
            expanded(folder.path(), &batch).unwrap_or_else(|found| panic!("{}", found[0].render(false)));
        tasks.iter().map(|task| (task.set["chip"].clone(), task.set["p"].clone())).collect()
    };
    let expected = vec![(json!("1.10"), json!(1e-3)), (json!("0012"), json!(7))];
    std::fs::write(folder.path().join("d.csv"), "chip,p\n1.10,1e-3\n0012,007\n").unwrap();
    assert_eq!(set("devices: d.csv"), expected);
    assert_eq!(set("devices: [{ chip: 1.10, p: 1e-3 }, { chip: 0012, p: \"7\" }]"), expected);
    assert_eq!(set("matrix: { chip: [1.10], p: [1e-3] }"), expected[..1]);
}

#[test]
fn mistakes_in_a_table_of_devices_are_found_in_the_table() {
    let folder = tempfile::tempdir().unwrap();
    let told = |table: &str| {
        std::fs::write(folder.path().join("d.csv"), table).unwrap();
        let found = expanded(folder.path(), "name: n\nitems:\n  - { recipe: die.yaml, devices: d.csv }\n")
            .unwrap_err();
        found.iter().map(|finding| finding.render(false)).collect::<String>()
    };
    for (table, place, words) in [
        ("device;power_dbm\nA;5\n", "d.csv:1:1", "columns are separated by commas"),
        ("device\tpower_dbm\nA\t5\n", "d.csv:1:1", "columns are separated by commas"),
        ("sep=;\ndevice;power_dbm\nA;5\n", "d.csv:1:1", "columns are separated by commas"),
        (
            "device,power_dbm\nA,5\nB,high\n",
            "d.csv:3:3",
            "parameter `power_dbm` must be a number, not `high`",
        ),
        ("device,power_dbm\nA,5\nB,11\n", "d.csv:3:3", "`11` is not allowed (-10 to 10)"),
        ("device,power_dbm\nA,5\nB,\n", "d.csv:3:3", "the value for parameter `power_dbm` is empty"),
        ("device,power_dbm\n\"A,5\nB,6\nC,7\n", "d.csv:2:1", "this quote is not closed"),
        ("device,batch\nA,5\n", "d.csv:1:8", "metadata `batch` is reserved: the batch sets it"),
        ("device,device\nA,5\n", "d.csv:1:8", "the table has two columns `device`"),
        ("device,power_dbm\nA\n", "d.csv:2:1", "this row has 1 cell, but the table has 2 columns"),
    ] {
        let told = told(table);
        assert!(told.contains(place) && told.contains(words), "{told}");
    }
    std::fs::write(folder.path().join("d.yaml"), "- { die: a }\n- { die: [1], x: null }\n- 5\n").unwrap();
    let found =
        expanded(folder.path(), "name: n\nitems:\n  - { recipe: die.yaml, devices: d.yaml }\n").unwrap_err();
    let told: String = found.iter().map(|finding| finding.render(false)).collect();
    for words in [
        "d.yaml:2:11",
        "`die` must be a number, a text, true or false, not a list",
        "not nothing",
        "d.yaml:3:3",
        "a map of names and values, not `5`",
    ] {
        assert!(told.contains(words), "{words}: {told}");
    }
}

#[test]
fn names_that_are_nearly_parameters_and_numbers_given_twice_are_found() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("die.yaml"), DIE).unwrap();
    std::fs::write(folder.path().join("d.csv"), "die,Power_dBm\nA,5\n").unwrap();
    let path = folder.path().join("night.yaml");
    std::fs::write(
        &path,
        "name: n\nitems:\n  - { recipe: die.yaml, matrix: { power_dbn: [5], wafer: [W1] } }\n  - { recipe: die.yaml, devices: d.csv }\n  - { recipe: die.yaml, matrix: { power_dbm: [1.1, 1.9, 1.10] } }\n",
    )
    .unwrap();
    let (file, plain) = read_file(&path).unwrap();
    let found = expand(&file, &plain, folder.path()).unwrap().findings;
    let told: String = found.iter().map(|finding| finding.render(false)).collect();
    for words in [
        "night.yaml:3:35",
        "did you mean `power_dbm`?",
        "parameters: none; metadata: `power_dbn`, `wafer`",
        "d.csv:1:5",
        "parameters: none; metadata: `die`, `Power_dBm`",
        "night.yaml:5:57",
        "`1.10` is the same number as `1.1`: it would be measured twice",
        "parameters: `power_dbm`; metadata: none",
    ] {
        assert!(told.contains(words), "{words}: {told}");
    }
}

#[test]
fn items_of_a_night_that_was_begun_earlier_are_the_same_by_what_they_say() {
    let task = |die: Value, power: Value| Task {
        recipe: "die.yaml".to_owned(),
        set: [("power_dbm".to_owned(), power)].into(),
        metadata: [("die".to_owned(), die)].into(),
        ..Task::default()
    };
    let now = task(json!("1E1"), json!(7));
    assert!(now.measures_as(&task(json!(10.0), json!("7"))));
    assert!(now.measures_as(&task(json!("1E1"), json!(7.0))));
    assert!(!now.measures_as(&task(json!("10"), json!(7))));
    assert!(!now.measures_as(&task(json!("1E1"), json!(8))));
    assert!(!now.measures_as(&Task { metadata: [].into(), ..now.clone() }));
}

#[test]
fn what_an_entry_sets_is_kept_as_it_was_written() {
    let folder = tempfile::tempdir().unwrap();
    let batch = "name: night
items:
  - recipe: die.yaml
    set: { chip: 1E1, lot: 1.10, power_dbm: 2.5, on: true }
    metadata: { wafer: 1E1, gap: 1.5, note: { x: 1E1 }, nothing: ~ }
";
    let task = expanded(folder.path(), batch).unwrap().remove(0);
    assert_eq!(json!(task.set), json!({ "chip": "1E1", "lot": "1.10", "power_dbm": 2.5, "on": true }));
    let metadata = json!({ "wafer": "1E1", "gap": 1.5, "note": { "x": 10.0 }, "nothing": null });
    assert_eq!(json!(task.metadata), metadata);
}

#[test]
fn devices_that_are_no_list_of_maps_are_said_to_be_none() {
    for devices in ["7", "[7, 8]"] {
        let told = refused(&format!("name: n\nitems:\n  - {{ recipe: die.yaml, devices: {devices} }}\n"));
        assert!(told.contains("`devices` must be the name of a file, or a list of maps"), "{told}");
    }
}
