use serde_json::{Value, json};

use super::*;
use crate::operation::samples::samples;
use crate::step::{self, StepOptions};

fn read(name: &str, fields: &Value) -> Operation {
    Operation::read(name, fields).unwrap()
}

fn noted(operations: &[(&str, Value)]) -> Configuration {
    let mut configuration = Configuration::default();
    for (name, fields) in operations {
        configuration.note(&read(name, fields), &Outcome::Done);
    }
    configuration
}

fn again(settings: &Settings) -> Vec<String> {
    let text = |kept: Kept| match kept {
        Kept::Value(action) | Kept::Raw { action, .. } => action.to_string(),
    };
    settings.in_order().into_iter().map(text).collect()
}

#[test]
fn each_setting_comes_back_with_its_last_value_in_the_order_of_its_last_use_and_without_light() {
    let configuration = noted(&[
        ("configure_laser", json!({ "laser": 2, "power_dbm": 1, "output": true })),
        ("configure_tls", json!({ "tls": 1, "speed_nm_s": 50, "power_dbm": 5 })),
        ("scpi", json!({ "command": ":INIT:TLS1:POW 8DBM" })),
        ("configure_tls", json!({ "tls": 1, "power_dbm": -5 })),
        ("sweep", json!({ "start_nm": 1540 })),
        ("configure_scan", json!({ "stop_nm": 1550, "start_nm": 1545 })),
        ("scpi", json!({ "command": "OUT 1", "effect": "configure" })),
        ("scpi", json!({ "command": "OUT2 1", "effect": "configure" })),
        ("scpi", json!({ "command": "MOVE 1" })),
        ("scpi", json!({ "command": "out1 2", "effect": "configure" })),
        ("configure_tls", json!({ "tls": 1, "laser": 1 })),
        ("scpi", json!({ "command": "init:tls:speed 2e1;:CTP:SENS:FBC 1" })),
        ("scpi", json!({ "command": "CTP:SENSE:FBC 2" })),
    ]);
    assert_eq!(
        again(&configuration.settings),
        [
            "INIT:TLS1:ID 1",
            "CTP:RLAS2:POW 1DBM",
            "INIT:TLS1:POW -5DBM",
            "INIT:WAV:STOP 1550NM",
            "INIT:WAV:STAR 1545NM",
            "OUT2 1",
            "OUT 2",
            "INIT:TLS1:SPE 20",
            "CTP:SENS:FBC 2",
        ]
    );
    assert_eq!(configuration.lit(), BTreeSet::from([2]));
    assert_eq!(configuration.unknown(), ["MOVE 1"]);
}

#[test]
fn every_field_of_every_operation_that_sets_something_is_set_again() {
    for (name, mut fields) in samples() {
        let (operation, _) = step::read(name, &fields, &BTreeMap::new()).unwrap();
        fields.as_object_mut().unwrap().retain(|field, _| !StepOptions::NAMES.contains(&field.as_str()));
        let traits = operation.traits();
        if traits.settings != operation::Settings::Typed || traits.is_scan() {
            continue;
        }
        let configuration = noted(&[(name, fields.clone())]);
        let given = commands(&operation, &Present::default());
        for action in &given {
            assert!(
                action.setting().is_some(),
                "`{action}` of `{name}` would be lost by a reboot: give it a setting in src/instrument/setting.rs"
            );
        }
        // One command sets both halves of the stabilization, and the light is switched on later.
        let halves = if fields["keep_lasers_on"].is_null() { 0 } else { 1 };
        let identifier = usize::from(traits.scan.is_none());
        assert_eq!(
            given.len() + halves + identifier,
            fields.as_object().unwrap().len(),
            "each field of `{name}` is a command in src/commands.rs: {given:?}"
        );
        let is_light = |action: &Action| matches!(action, Action::SetLaserOutput { on: true, .. });
        let mut given: Vec<String> =
            given.iter().filter(|action| !is_light(action)).map(ToString::to_string).collect();
        let mut again = again(&configuration.settings);
        given.sort();
        again.sort();
        assert_eq!(again, given, "{name}");
    }
}

#[test]
fn every_value_that_an_operation_reads_back_is_compared() {
    for (name, mut fields) in samples() {
        let (operation, _) = step::read(name, &fields, &BTreeMap::new()).unwrap();
        fields.as_object_mut().unwrap().retain(|field, _| !StepOptions::NAMES.contains(&field.as_str()));
        if operation.traits().settings != operation::Settings::Typed {
            continue;
        }
        let found = Outcome::Settings(fields.as_object().unwrap().clone());
        let compared: BTreeSet<Setting> =
            read_back::values(&operation, &found).iter().filter_map(Action::setting).collect();
        let given = commands(&operation, &Present::default());
        for setting in given.iter().filter_map(Action::setting) {
            // Scans switch the output of a laser: its state is not compared.
            let is_output = matches!(setting, Setting::LaserOutput(_));
            assert!(
                is_output || compared.contains(&setting),
                "{setting} of `{name}` is not compared: add it to src/run/state/configuration/read_back.rs"
            );
        }
    }
}

/// What is compared, and the doubts that these operations leave.
fn doubted(operations: &[(&str, Value)]) -> (Configuration, Doubts) {
    let mut doubts = Doubts::default();
    for (name, fields) in operations {
        doubts.add(Doubts::left_by(&read(name, fields), &Outcome::Done));
    }
    (noted(operations), doubts)
}

#[test]
fn a_difference_names_the_setting_and_a_value_that_the_run_may_have_moved_is_taken_over() {
    let (configuration, doubts) = doubted(&[("configure_tls", json!({ "tls": 1, "power_dbm": 2 }))]);
    let found = || {
        vec![
            Action::SetTlsPower { tls: 1, dbm: -9.0 },
            Action::SetTlsSpeed { tls: 1, nm_s: 50.0 },
            Action::SetScanStop { nm: 1580.0 },
        ]
    };
    // What the run has set is doubtful until it was asked for once.
    let (news, differences) = doubts.clone().compare(&configuration, found());
    assert_eq!((news.len(), differences.len()), (3, 0));
    let (news, differences) = Doubts::default().compare(&configuration, found());
    assert_eq!(news.len(), 2);
    assert_eq!(
        differences[0].to_string(),
        "the power of TLS 1: the run has set 2 dBm, but the instrument has -9 dBm"
    );
    // Somebody else moves what is known; the run itself moves the stop with the start.
    let mut configuration = configuration;
    configuration.note_read(&["INIT:WAV:STOP 1580NM".to_owned()], false);
    let moved = vec![Action::SetScanStop { nm: 1600.0 }];
    assert_eq!(Doubts::default().compare(&configuration, moved.clone()).1.len(), 1);
    let start = read("configure_scan", &json!({ "start_nm": 1590 }));
    configuration.note(&start, &Outcome::Done);
    let (news, differences) = Doubts::left_by(&start, &Outcome::Done).compare(&configuration, moved.clone());
    assert_eq!((news, differences), (moved, vec![]));
}

#[test]
fn after_a_scan_a_laser_tells_what_it_has_and_is_dark_unless_it_stays_on() {
    let mut configuration = noted(&[
        ("configure_tls", json!({ "tls": 1, "laser": 1, "power_dbm": 8 })),
        ("configure_laser", json!({ "laser": 1, "power_dbm": 2, "wavelength_nm": 1550, "output": true })),
        ("configure_scan", json!({ "keep_lasers_on": false })),
    ]);
    let found = |dbm| {
        vec![Action::SetLaserPower { laser: 1, dbm }, Action::SetLaserWavelength { laser: 1, nm: 1580.0 }]
    };
    assert_eq!(Doubts::default().compare(&configuration, found(2.4)).1.len(), 1);
    configuration.note(&read("sweep", &json!({})), &Outcome::Done);
    for (dbm, count) in [(2.4, 0), (7.8, 0), (5.0, 1)] {
        assert_eq!(Doubts::default().compare(&configuration, found(dbm)).1.len(), count, "{dbm}");
    }
    assert_eq!(configuration.lit(), BTreeSet::new());
    assert!(again(&configuration.settings).contains(&"CTP:RLAS1:WAV 1550NM".to_owned()));
}

#[test]
fn a_reference_remembers_what_it_was_taken_at_and_a_failed_operation_is_not_repeated_but_doubted() {
    let configures = read("configure_scan", &json!({ "start_nm": 1500 }));
    let mut configuration = noted(&[
        ("configure_tls", json!({ "tls": 1, "power_dbm": 5 })),
        ("create_reference", json!({ "detector": "4/1" })),
        ("configure_tls", json!({ "tls": 1, "power_dbm": 0 })),
    ]);
    let fault = crate::step::Fault::new(crate::step::FaultKind::Instrument, "no");
    configuration.note(&configures, &Outcome::Failed(fault));
    assert_eq!(again(&configuration.references()[0].1), ["INIT:TLS1:POW 5DBM"]);
    assert_eq!(again(&configuration.settings), ["INIT:TLS1:POW 0DBM"]);
    // It may have been set all the same: the instrument tells.
    let mut doubts = Doubts::left_by_failed(&configures);
    assert_eq!(doubts.compare(&configuration, vec![Action::SetScanStart { nm: 1500.0 }]).1, []);
}

#[test]
fn settings_that_were_read_are_intended_and_a_reset_leaves_all_of_them_in_doubt() {
    let mut configuration = Configuration::default();
    configuration.note_read(&["INIT:TLS1:POW 6DBM".to_owned(), "INIT:STAB 1,2.5".to_owned()], true);
    assert!(configuration.is_known);
    assert_eq!(again(&configuration.settings), ["INIT:TLS1:POW 6DBM", "INIT:STAB 1,2.5"]);
    let reset = read("scpi", &json!({ "command": "*RST" }));
    configuration.note(&reset, &Outcome::Done);
    let mut doubts = Doubts::left_by(&reset, &Outcome::Done);
    let (news, differences) = doubts.compare(&configuration, vec![Action::SetTlsPower { tls: 1, dbm: 0.0 }]);
    assert_eq!((news.len(), differences), (1, vec![]));
    configuration.note_read(&["INIT:TLS1:POW 0DBM".to_owned()], false);
    assert_eq!(again(&configuration.settings), ["INIT:TLS1:POW 0DBM", "INIT:STAB 1,2.5"]);
}
