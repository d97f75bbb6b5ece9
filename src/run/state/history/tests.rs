//! The live history equals the history that a resumed run reads from the journal, after every record.

use std::path::Path;

use chrono::Utc;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::run::events::log::RunLog;
use crate::run::resume::plan;
use crate::run::resume::transcript::Transcript;
use crate::run::state::rewind::{Again, Cause, rewind};
use crate::store::RunFolder;

/// Operations of every kind, by number.
const OPERATIONS: usize = 12;

fn operation(kind: usize) -> (&'static str, Value) {
    match kind {
        0 => ("configure_scan", json!({ "start_nm": 1540.123, "resolution_pm": 5 })),
        1 => ("configure_tls", json!({ "tls": 1, "laser": 2, "power_dbm": -3.3 })),
        2 => ("configure_laser", json!({ "laser": 1, "power_dbm": 1.1, "output": true })),
        3 => ("configure_detector", json!({ "detector": "4/1", "wavelength_nm": 1549.9 })),
        4 => ("scpi", json!({ "command": "OUT 1", "effect": "configure" })),
        5 => ("scpi", json!({ "command": "*RST" })),
        6 => ("create_reference", json!({ "detector": "4/1" })),
        7 => ("read_power", json!({ "detector": "4/2" })),
        8 => ("log", json!("a")),
        9 => ("sweep", json!({ "start_nm": 1530.7 })),
        10 => ("sweep", json!({})),
        _ => ("fetch_trace", json!({ "detectors": ["4/1", "4/2"], "trace": "raw" })),
    }
}

fn step(kind: usize, number: u64) -> Step {
    let (name, fields) = operation(kind);
    let (operation, options) = crate::step::read(name, &fields, &BTreeMap::new()).unwrap();
    let place = crate::step::Place { path: format!("steps[{number}]"), ..Default::default() };
    Step { operation, options, place }
}

fn trace(index: u64, sweep: &SweepRecord, detector: &str) -> TraceSummary {
    let trace = json!({
        "trace_index": index, "sweep_index": sweep.index, "attempt": sweep.attempt, "detector": detector,
        "trace": "raw", "unit": "dBm", "name": "", "file": format!("traces/{index}_{}", sweep.attempt), "bytes": 1,
        "sha256": "", "start_nm": 1530.7, "step_pm": 1.3, "points": 3, "nulls": 0, "min": null, "max": null,
        "mean": -12.345_678_901_234_567,
    });
    serde_json::from_value(trace).unwrap()
}

/// A run that emits what an engine would emit, and compares its history with the journal after each record.
struct Run {
    log: RunLog,
    folder: RunFolder,
}

impl Run {
    fn emit(&self, event: Value) {
        self.log.emit(serde_json::from_value(event).unwrap()).unwrap();
        let live = self.log.history(History::clone);
        assert_eq!(live, self.transcript().history);
    }

    fn transcript(&self) -> Transcript {
        plan::transcript(self.folder.path()).unwrap()
    }

    fn begin(&self, number: u64, attempt: u32, step: &Step) {
        self.emit(json!({
            "event": "step_started", "number": number, "attempt": attempt, "step": step, "estimated_s": null,
        }));
    }

    /// Performs an attempt that ends well.
    fn perform(&self, number: u64, step: &Step) {
        let outcome = match step.operation.traits().memory {
            Memory::Reads(fetch) => {
                let detectors = fetch.detectors.iter().map(ToString::to_string);
                let traces = detectors.enumerate().map(|(at, detector)| self.store(number, at, &detector));
                json!({ "kind": "traces", "value": traces.collect::<Vec<_>>() })
            }
            Memory::ReplacesReference(reference) => {
                for detector in &reference.detectors {
                    let (taken, detector) = ("2026-01-02T03:04:05", detector.to_string());
                    self.emit(json!({
                        "event": "reference_taken", "number": number, "detector": detector, "taken": taken,
                        "sources": [],
                    }));
                }
                json!({ "kind": "reference", "value": { "created": true } })
            }
            Memory::Keeps | Memory::ReplacesLive | Memory::Unknown => {
                let settings =
                    json!({ "start_nm": 1530.7, "stop_nm": 1569.3, "power_dbm": -3.3, "laser": 2 });
                json!({ "kind": "settings", "value": settings })
            }
        };
        self.emit(json!({ "event": "step_finished", "number": number, "outcome": outcome, "seconds": 0.1 }));
        if step.operation.traits().raw.is_some() {
            self.read_settings(number, false);
        }
    }

    fn store(&self, number: u64, at: usize, detector: &str) -> TraceSummary {
        let (old, sweep, index) = self.log.history(|history| {
            let old = history.slots(number).get(at).cloned();
            (old, history.sweep.clone().unwrap(), history.traces + 1)
        });
        if let Some(stored) = old.as_ref().and_then(|slot| slot.stored.clone()) {
            let index = stored.trace_index;
            self.emit(json!({
                "event": "trace_withdrawn", "trace_index": index, "file": stored.file, "reason": "",
            }));
        }
        let trace = trace(old.map_or(index, |slot| slot.trace_index), &sweep, detector);
        self.emit(json!({ "event": "trace_stored", "trace": trace }));
        trace
    }

    fn read_settings(&self, number: u64, at_beginning: bool) {
        let commands = ["INIT:WAV:STOP 1577.77NM", "INIT:TLS1:POW -1.23DBM"];
        self.emit(json!({
            "event": "settings_read", "number": number, "at_beginning": at_beginning, "commands": commands,
        }));
    }

    fn fail(&self, number: u64, kind: &str, then: Value) {
        let fault = json!({ "kind": kind, "message": "no" });
        self.emit(json!({ "event": "step_failed", "number": number, "fault": fault, "then": then }));
    }

    /// Performs the last sweep again with its fetches.
    fn redo(&self) {
        let plan = self.log.history(|history| rewind(history, Cause::SweepLost));
        for Again { number, attempt, step } in plan.steps {
            self.begin(number, attempt, &step);
            self.perform(number, &step);
        }
    }

    /// One step, with what `course` says of its attempts.
    fn step(&self, kind: usize, course: u8) {
        let number = self.log.history(|history| history.steps) + 1;
        let has_sweep = self.log.history(|history| history.repeatable_sweep().is_some());
        let step = step(if kind == 11 && !has_sweep { 10 } else { kind }, number);
        self.begin(number, 1, &step);
        match course {
            0 => self.fail(number, "instrument", json!({ "kind": "continue" })),
            1 => self.fail(number, "refused", json!({ "kind": "raise" })),
            2 => {
                self.fail(number, "link", json!({ "kind": "retry", "after_s": 0.5 }));
                self.begin(number, 2, &step);
                self.redo();
                self.perform(number, &step);
            }
            3 => {
                self.read_settings(number, false);
                self.perform(number, &step);
            }
            4 => {
                // A sweep that is repeated fails within the step.
                let plan = self.log.history(|history| rewind(history, Cause::SweepLost));
                if let Some(again) = plan.steps.first() {
                    self.begin(again.number, again.attempt, &again.step);
                    self.fail(again.number, "timeout", json!({ "kind": "retry", "after_s": 0.0 }));
                }
                self.fail(number, "timeout", json!({ "kind": "continue" }));
            }
            _ => self.perform(number, &step),
        }
    }

    /// The process is gone, and another one continues behind the first `kept` things that the recipe asked for.
    fn resume(self, kept: usize) -> Self {
        let Self { log, mut folder } = self;
        drop(log);
        let mut transcript = plan::transcript(folder.path()).unwrap();
        transcript.keep(kept.min(transcript.done()));
        folder.repair(&[]).unwrap();
        let log = RunLog::new(folder.journal().unwrap(), transcript.history.clone(), Vec::new(), 0.0);
        let run = Self { log, folder };
        let (replayed, steps) = (transcript.asked.len(), transcript.steps().count());
        run.emit(json!({
            "event": "taken_up", "pid": 1, "host": "bench", "ctp10": "0", "replayed": replayed, "steps": steps,
            "removed": [],
        }));
        for TraceSummary { trace_index, file, .. } in transcript.left_over() {
            run.emit(json!({
                "event": "trace_withdrawn", "trace_index": trace_index, "file": file, "reason": "",
            }));
        }
        run
    }
}

fn begun(out: &Path) -> Run {
    let folder = RunFolder::create(out, "a", "abcdef", Utc::now()).unwrap();
    let log = RunLog::new(folder.journal().unwrap(), History::default(), Vec::new(), 0.0);
    let run = Run { log, folder };
    run.emit(json!({
        "event": "started", "run": "abcdef", "name": "a", "folder": "", "operations": null, "estimated_s": null,
        "instrument": { "address": "sim", "simulated": true, "identity": "", "lasers": {} },
    }));
    run.read_settings(1, true);
    run
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn the_live_history_is_that_of_the_journal_after_every_record(
        steps in prop::collection::vec((0..OPERATIONS, 0_u8..8, prop::option::weighted(0.15, 0_usize..10)), 1..14),
    ) {
        let out = tempfile::tempdir().unwrap();
        let mut run = begun(out.path());
        for (kind, course, resumed) in steps {
            run.step(kind, course);
            if let Some(kept) = resumed {
                run = run.resume(kept);
            }
        }
        run.emit(json!({ "event": "finally" }));
        run.step(8, 0);
        run.emit(json!({ "event": "finished", "state": "failed", "reason": null, "failed_steps": 0, "traces": 0 }));
        let run = run.resume(usize::MAX);
        run.step(9, 7);
        run.step(11, 2);
    }
}

#[test]
fn a_sweep_is_repeated_with_its_fetches_until_another_scan_follows() {
    let out = tempfile::tempdir().unwrap();
    let run = begun(out.path());
    let numbers = || {
        let plan = run.log.history(|history| rewind(history, Cause::SweepLost));
        plan.steps.iter().map(|again| (again.number, again.attempt)).collect::<Vec<_>>()
    };
    run.step(9, 7);
    run.step(11, 7);
    run.step(11, 7);
    assert_eq!(numbers(), [(1, 2), (2, 2), (3, 2)]);
    run.redo();
    assert_eq!(numbers(), [(1, 3), (2, 3), (3, 3)]);
    // A failed sweep has no traces that could be fetched; a reference replaces the memory.
    run.step(10, 0);
    assert_eq!(numbers(), []);
    assert!(run.log.history(History::has_old_traces_in_memory));
    run.step(10, 7);
    assert_eq!(numbers(), [(5, 2)]);
    run.step(6, 7);
    assert_eq!(numbers(), []);
}

#[test]
fn a_trace_that_is_fetched_again_takes_the_place_of_the_one_before_it() {
    let out = tempfile::tempdir().unwrap();
    let run = begun(out.path());
    run.step(9, 7);
    run.step(11, 7);
    // This fetch fails first, and the sweep is repeated for it.
    run.step(11, 2);
    let history = run.log.history(History::clone);
    assert_eq!(history.traces, 4);
    let stored = |number| {
        let slots = history.slots(number).iter().map(|slot| slot.stored.as_ref().unwrap());
        slots.map(|trace| (trace.trace_index, trace.attempt)).collect::<Vec<_>>()
    };
    assert_eq!((stored(2), stored(3)), (vec![(1, 2), (2, 2)], vec![(3, 2), (4, 2)]));
    let transcript = run.transcript();
    let of_step = |step: &crate::run::resume::transcript::Performed| step.traces.len();
    assert_eq!(transcript.steps().map(of_step).collect::<Vec<_>>(), [0, 2, 2]);
}
