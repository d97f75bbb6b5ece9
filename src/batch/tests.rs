use std::path::Path;

use serde_json::{Value, json};

use super::*;
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
    expand(&file, &plain, folder)
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
    assert_eq!(read[1].settings(), [("power_dbm".to_owned(), "7".to_owned())]);
    assert_eq!(tasks("devices.yaml")[1].settings(), [("power_dbm".to_owned(), "2".to_owned())]);
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
    assert!(told.contains("metadata `batch` is the batch's own"), "{told}");
    let told = refused("name: night\nitems: [{ recipe: die.yaml, retry: { times: 101 } }]\n");
    assert!(told.contains("times `101` is not allowed (0 to 100)"), "{told}");
    let told = refused("name: night\nitems: []\n");
    assert!(told.contains("the batch has no items"), "{told}");
}
