//! Traces written and read back through the folder of a run.

use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, Instant};

use chrono::Utc;

use super::*;
use crate::measurement::{Detector, Grid, PowerReading, PowerUnit, TraceKind, TraceUnit};
use crate::step::ColumnValue;
use crate::step::TraceReader;

fn header(points: u64) -> TraceHeader {
    TraceHeader {
        trace_index: 1,
        sweep_index: 1,
        attempt: 1,
        detector: Detector { module: 4, channel: 1 },
        detector_name: None,
        trace: TraceKind::Tf,
        unit: TraceUnit::Db,
        joints: Vec::new(),
        name: "ring".into(),
        grid: Grid { start_nm: 1520.0, step_pm: 1.0, points },
        simulated: true,
        constants: BTreeMap::from([
            ("power_dbm".into(), ColumnValue::Number(Some(-5.0))),
            ("port".into(), ColumnValue::Text(Some("a".into()))),
        ]),
        metadata: BTreeMap::new(),
        reference: None,
        turns: Vec::new(),
    }
}

fn folder() -> (tempfile::TempDir, RunFolder) {
    let out = tempfile::tempdir().unwrap();
    let folder = RunFolder::create(out.path(), "test", "abcdef", Utc::now()).unwrap();
    (out, folder)
}

/// A level that depends on the index, with a dip and a gap.
#[expect(clippy::cast_precision_loss, reason = "small numbers")]
fn value(index: u64) -> f32 {
    match index {
        70_000 => -40.0,
        70_001 => f32::NAN,
        _ => -3.0 - (index % 100) as f32 / 100.0,
    }
}

#[test]
fn a_trace_reads_back_as_it_was_pushed_whatever_the_pieces() {
    let (_out, folder) = folder();
    let points = 200_000;
    let mut writer = folder.trace(header(points)).unwrap();
    let values: Vec<f32> = (0..points).map(value).collect();
    for piece in values.chunks(33_333) {
        writer.push(piece).unwrap();
    }
    let summary = writer.finish().unwrap();
    assert_eq!(summary.file, "traces/0001_m4c1_tf_ring.parquet");
    assert_eq!(summary.nulls, 1);
    let min = summary.min.unwrap();
    assert_eq!((min.value, min.nm), (-40.0, 1590.0));
    assert_eq!(summary.max.unwrap().value, -3.0);
    let file = folder.open_trace(&summary).unwrap();
    let mut read = Vec::new();
    file.read(69_990..140_010, &mut |at, piece| {
        assert_eq!(at, 69_990 + read.len() as u64);
        read.extend_from_slice(piece);
    })
    .unwrap();
    let expected: Vec<f32> = (69_990..140_010).map(value).collect();
    assert_eq!(read.len(), expected.len());
    assert!(read.iter().zip(&expected).all(|(a, b)| a == b || (a.is_nan() && b.is_nan())));
}

#[test]
fn a_trace_that_is_not_whole_never_appears() {
    let (_out, folder) = folder();
    let names = || fs::read_dir(folder.path().join("traces")).unwrap().count();
    let mut writer = folder.trace(header(1000)).unwrap();
    writer.push(&[-3.0; 999]).unwrap();
    let error = writer.finish().unwrap_err();
    assert!(error.to_string().ends_with("would have 999 points, but 1000 were announced"), "{error}");
    assert_eq!(names(), 0);
    let mut dropped = folder.trace(header(1000)).unwrap();
    dropped.push(&[-3.0; 500]).unwrap();
    drop(dropped);
    assert_eq!(names(), 0);
}

#[test]
fn constants_cost_next_to_nothing_and_the_grid_little() {
    let (_out, folder) = folder();
    let mut writer = folder.trace(header(500_000)).unwrap();
    writer.push(&vec![-3.0; 500_000]).unwrap();
    let bytes = writer.finish().unwrap().bytes;
    // 6 MB without compression. The grid and eleven constant columns remain.
    assert!(bytes < 60_000, "{bytes}");
}

#[test]
fn power_is_closed_in_segments_of_a_minute() {
    let (_out, folder) = folder();
    let mut log = folder.power_log(true, Default::default());
    // The clock is set back in the middle.
    let reading = |second: u32| PowerReading {
        detector: Detector { module: 4, channel: 3 },
        value: Some(-10.0),
        unit: PowerUnit::Dbm,
        calibration_nm: Some(1550.0),
        time_s: 1e9 + if second < 65 { f64::from(second) } else { f64::from(second) - 3600.0 },
    };
    let mut closed: Vec<PowerSegment> = Vec::new();
    let began = Instant::now();
    for second in 0..130 {
        let now = began + Duration::from_secs(second.into());
        if log.is_due(now) {
            closed.extend(log.close().unwrap());
        }
        log.add(reading(second), "", "recipe", now);
    }
    assert_eq!(closed.iter().map(|segment| segment.rows).collect::<Vec<_>>(), [60, 60]);
    assert_eq!(log.close().unwrap().unwrap().rows, 10);
    assert_eq!(log.close().unwrap(), None);
    assert!(folder.path().join("power/0003.parquet").exists());
    // A resumed run finds the readings that are in no file, whatever their times are.
    let readings: Vec<_> = (0..131).map(|second| (reading(second), String::new())).collect();
    let missing = not_stored(folder.path(), &closed, readings).unwrap();
    let times: Vec<f64> = missing.iter().map(|(reading, _)| reading.time_s).collect();
    let expected: Vec<f64> = (120..131).map(|second| reading(second).time_s).collect();
    assert_eq!(times, expected);
}

#[test]
fn copies_of_sources_stay_inside_the_folder() {
    let (_out, folder) = folder();
    for name in ["../../outside.yaml", "/etc/outside.yaml", "sub/inside.rhai"] {
        let (kept, _) = folder.copy_source(Path::new(name), "text").unwrap();
        assert!(kept.starts_with("recipe/") && !kept.contains(".."), "{kept}");
        assert!(folder.path().join(kept).exists());
    }
}

#[test]
fn a_run_is_found_by_the_beginning_of_its_name_and_an_unknown_one_is_said_so() {
    let out = tempfile::tempdir().unwrap();
    let error = runs::find(out.path(), "abc").unwrap_err();
    assert!(error.to_string().starts_with("no run `abc` below"), "{error}");
    assert!(runs::list(&out.path().join("nowhere")).unwrap().0.is_empty());
}
