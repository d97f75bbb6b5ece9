use ratatui::Terminal;
use ratatui::backend::TestBackend;
use serde_json::{Value, json};

use super::draw;
use crate::watch::seen::{Seen, Told};

fn from<T: serde::de::DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

fn watched() -> Seen {
    let mut seen = Seen::new("http://127.0.0.1:8002".to_owned(), None);
    seen.note(Told::Instrument(from(json!({
        "address": "sim", "connected": true, "simulated": true, "identity": "EXFO,CTP10,SIM,1.0", "condition": "scanning",
        "lasers": [{"laser": 1, "on": true, "power_dbm": 3.0}], "run": "0a1b", "last_run": "0a1b",
    }))));
    seen.note(Told::Run(Box::new(from(json!({
        "run": "0a1b", "name": "ring", "state": "running", "simulated": true, "detectors": {"4/1": "through", "4/2": "drop"},
        "operations": 12, "finished_steps": 3, "traces": 2, "remaining_s": 65.0,
        "current": {"words": "Sweep 1540–1560 nm", "turns": ["device=ring_3"], "attempt": 1, "done": 0.4},
        "highlights": [{"name": "deepest dip", "text": "24.1 dB at 1550.1 nm"}],
    })))));
    let nm: Vec<f64> = (0..100).map(|point| 1540.0 + f64::from(point) * 0.2).collect();
    let low: Vec<f64> = nm.iter().map(|nm| -1.0 - 24.0 / (1.0 + ((nm - 1550.0) / 0.8).powi(2))).collect();
    let trace = json!({"trace_index": 2, "detector": "4/1", "detector_name": "through", "trace": "tf", "unit": "dB", "points": 20001});
    seen.note(Told::Trace(from(trace), from(json!({"wavelength_nm": nm, "min": low, "max": low}))));
    let power = json!({"type": "data", "timestamp": 1.0, "module": 4, "wavelength_nm": 1550.0, "unit": "dBm",
        "ch1_power": -12.345, "ch2_power": -81.0, "ch3_power": null, "ch4_power": -3.0});
    seen.note(Told::Power(from(power)));
    seen
}

fn screen(seen: &Seen, columns: u16, rows: u16) -> String {
    let mut terminal = Terminal::new(TestBackend::new(columns, rows)).unwrap();
    terminal.draw(|frame| draw(frame, seen)).unwrap();
    terminal.backend().to_string()
}

#[test]
fn a_run_with_its_trace_and_power() {
    insta::assert_snapshot!(screen(&watched(), 90, 24));
}

#[test]
fn a_service_that_does_not_reply() {
    let mut seen = watched();
    seen.note(Told::Trouble("`127.0.0.1:8002` cannot be reached: connection refused".to_owned()));
    let screen = screen(&seen, 90, 24);
    assert!(screen.contains("no contact: `127.0.0.1:8002` cannot be reached"), "{screen}");
    // What was known before stays.
    assert!(screen.contains("through tf, trace 2 of 2"), "{screen}");
}

#[test]
fn control_characters_of_the_service_do_not_reach_the_terminal() {
    let mut seen = watched();
    seen.run.as_mut().unwrap().name = "ring\u{1b}[2Jx".to_owned();
    assert!(!screen(&seen, 90, 24).contains('\u{1b}'));
}

#[test]
fn any_window_can_be_drawn() {
    for (columns, rows) in [(1, 1), (10, 3), (20, 80), (300, 5)] {
        screen(&watched(), columns, rows);
        screen(&Seen::new(String::new(), None), columns, rows);
    }
}
