//! Checks that a report describes every kind of run correctly.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::*;
use crate::run::events::{AfterFault, Record, RunEvent};
use crate::run::state::outline::{OutlineStep, key};
use crate::step::{Fault, FaultKind, Outcome, Place, Step};
use crate::store::{Envelope, Manifest, PowerSegment, RunState};

mod batch;
mod bounds;
mod endings;
mod results;

/// A run made of events, each with its time in seconds since the start.
struct FakeRun {
    manifest: Manifest,
    records: Vec<Record>,
    outline: Vec<OutlineStep>,
    second: i64,
}

fn start() -> DateTime<Utc> {
    "2026-11-24T22:00:00Z".parse().unwrap()
}

fn step(name: &str, fields: &Value, path: &str) -> Step {
    let (operation, options) = crate::step::read(name, fields, &BTreeMap::new()).unwrap();
    let place = Place { file: "night.yaml".to_owned(), path: path.to_owned(), ..Place::default() };
    Step { operation, options, place }
}

fn sweep() -> Step {
    step("sweep", &json!({}), "steps[0]")
}

fn fetch() -> Step {
    step("fetch_trace", &json!({ "detectors": ["4/1", "4/2"], "trace": "tf" }), "steps[1]")
}

impl FakeRun {
    fn new(foreseen: &[(&Step, u64)]) -> Self {
        let manifest = json!({
            "schema_version": 1, "run": "abc234", "name": "night", "status": "running", "reason": null,
            "started": start(), "finished": null,
            "recipe": { "path": "night.yaml", "sha256": "00ff", "files": ["recipe/night.yaml"] },
            "parameters": {}, "metadata": {},
            "instrument": { "address": "10.0.0.1:5025", "simulated": false, "identity": "EXFO,CTP10", "lasers": { "1": "T100S" } },
            "simulator": null, "used_scpi": false, "traces": null, "failed_steps": null,
            "host": { "host": "bench", "os": "linux", "pid": 1, "ctp10": "0.1.0" },
        });
        let outline = foreseen.iter().map(|(step, times)| OutlineStep {
            key: key(step).into_owned(),
            text: step.operation.to_string(),
            words: String::new(),
            turns: Vec::new(),
            finally: step.place.path.starts_with("finally"),
            times: *times,
            traces: if step.operation.name() == "fetch_trace" { 2 * times } else { 0 },
        });
        Self {
            manifest: serde_json::from_value(manifest).unwrap(),
            records: Vec::new(),
            outline: outline.collect(),
            second: 0,
        }
    }

    fn event(&mut self, event: RunEvent) -> &mut Self {
        let (n, time) = (self.records.len() as u64 + 1, start() + TimeDelta::seconds(self.second));
        self.records.push(Record { n, time, elapsed_s: None, event });
        self
    }

    fn begin(&mut self) -> &mut Self {
        let (instrument, outline) = (self.manifest.instrument.clone(), self.outline.clone());
        self.event(RunEvent::Started {
            run: "abc234".to_owned(),
            name: "night".to_owned(),
            folder: "runs/night".to_owned(),
            instrument,
            instruments: Vec::new(),
            operations: Some(4),
            estimated_s: Some(20.0),
            outline,
            detectors: BTreeMap::new(),
        })
    }

    fn try_step(&mut self, number: u64, attempt: u32, step: &Step) -> &mut Self {
        self.event(RunEvent::StepStarted {
            number,
            attempt,
            step: Arc::new(step.clone()),
            estimated_s: Some(5.0),
        })
    }

    fn done(&mut self, number: u64, seconds: i64) -> &mut Self {
        self.second += seconds;
        #[expect(clippy::cast_precision_loss, reason = "a handful")]
        let seconds = seconds as f64;
        self.event(RunEvent::StepFinished { number, outcome: Outcome::Done, seconds })
    }

    fn failed(&mut self, number: u64, kind: FaultKind, then: AfterFault) -> &mut Self {
        self.second += 1;
        self.event(RunEvent::StepFailed { number, fault: Fault::new(kind, "-200 Execution error"), then })
    }

    fn trace(&mut self, index: u64) -> &mut Self {
        let trace = json!({
            "trace_index": index, "sweep_index": 1, "attempt": 1, "detector": "4/1", "trace": "tf", "unit": "dB", "name": "",
            "file": format!("traces/{index:04}_m4c1_tf.parquet"), "bytes": 140_000, "sha256": "ab".repeat(32),
            "start_nm": 1520.0, "step_pm": 1.0, "points": 60_001, "nulls": 0,
            "min": { "value": -27.9, "nm": 1531.11 }, "max": { "value": -3.5, "nm": 1572.64 }, "mean": -4.0,
        });
        self.event(RunEvent::TraceStored { trace: serde_json::from_value(trace).unwrap() })
    }

    fn end(&mut self, state: RunState, reason: Option<&str>) -> &mut Self {
        self.manifest.status = state;
        self.manifest.finished = Some(start() + TimeDelta::seconds(self.second));
        self.event(RunEvent::LasersOff { off: vec![1], unknown: vec![] });
        let reason = reason.map(str::to_owned);
        self.event(RunEvent::Finished { state, reason, failed_steps: 0, traces: 0, verdict: None })
    }

    /// The report, from the events as written in a journal.
    fn report(&self) -> Report {
        let lines = self.records.iter().map(|record| serde_json::to_string(record).unwrap());
        let report = fold(
            &self.manifest,
            "/data/runs/20261124T220000Z_night_abc234",
            lines.map(|line| Ok(serde_json::from_str(&line).unwrap())),
        );
        assert_eq!(report.unreadable_lines, 0);
        report
    }
}

fn drawn(levels: &[f32]) -> Picture {
    let levels: Vec<Option<f32>> = levels.iter().copied().map(Some).collect();
    Picture::Drawn(Envelope { wavelength_nm: vec![1550.0; levels.len()], min: levels.clone(), max: levels })
}
