//! Recorded power over time: the picture of a run without traces.

use std::path::Path;

use chrono::{DateTime, Local};

use crate::app::runs::failed;
use crate::error::Failure;
use crate::picture::{Across, Curve, Plot};
use crate::store::{Envelope, PowerRow, StoreError, read_power, runs};

/// Pieces of an envelope.
const PIECES: usize = 2000;
/// Highest number of readings in a picture.
const MOST: usize = 20_000_000;

/// The readings of one detector in one unit.
struct Line {
    label: String,
    unit: String,
    samples: Vec<(f64, f32)>,
}

/// The recorded power of a run.
#[derive(Debug)]
pub(super) struct Power {
    pub(super) plot: Plot,
    /// Detectors that are left out because their power is in another unit.
    pub(super) left_out: usize,
}

/// The power of a run in one unit, if possible in dBm. `None`: the run has recorded no power.
pub(super) fn of_run(folder: &Path) -> Result<Option<Power>, Failure> {
    let (mut lines, mut began, mut simulated, mut count) = (Vec::<Line>::new(), f64::INFINITY, false, 0);
    let mut take = |row: PowerRow| {
        began = began.min(row.time_s);
        simulated |= row.simulated;
        count += 1;
        if count > MOST {
            return;
        }
        let at = lines.iter().position(|line| line.label == row.detector && line.unit == row.unit);
        let at = at.unwrap_or_else(|| {
            lines.push(Line { label: row.detector.clone(), unit: row.unit.clone(), samples: Vec::new() });
            lines.len() - 1
        });
        #[expect(clippy::cast_possible_truncation, reason = "that is what a picture shows")]
        let level = row.value.map_or(f32::NAN, |value| value as f32);
        lines[at].samples.push((row.time_s, level));
    };
    let segments = runs::power(folder).map_err(failed)?.collect::<Result<Vec<_>, StoreError>>();
    for segment in segments.map_err(failed)? {
        read_power(folder, &segment, &mut take).map_err(failed)?;
    }
    if lines.is_empty() {
        return Ok(None);
    }
    // The times decrease where the clock was set back, and where a resumed run has stored lost readings again.
    for line in &mut lines {
        line.samples.sort_by(|(one, _), (other, _)| one.total_cmp(other));
    }
    let unit = match lines.iter().find(|line| line.unit == "dBm") {
        Some(line) => line.unit.clone(),
        None => lines[0].unit.clone(),
    };
    let left_out = lines.iter().filter(|line| line.unit != unit).count();
    let lines: Vec<Line> = lines.into_iter().filter(|line| line.unit == unit).collect();
    let last =
        lines.iter().filter_map(|line| line.samples.last()).map(|(at, _)| at - began).fold(0.0, f64::max);
    let (divisor, word) = match last {
        ..600.0 => (1.0, "s"),
        600.0..36_000.0 => (60.0, "min"),
        _ => (3_600.0, "h"),
    };
    let curve = |line: Line| {
        let count = line.samples.len();
        let samples = line.samples.into_iter().map(|(at, level)| ((at - began) / divisor, level));
        Curve { label: line.label, envelope: Envelope::of_samples(samples, count.div_ceil(PIECES)) }
    };
    #[expect(clippy::cast_possible_truncation, reason = "times within some thousand years fit")]
    let moment = DateTime::from_timestamp_millis((began * 1e3) as i64).map(|at| at.with_timezone(&Local));
    let since = moment.map(|at| at.format("%Y-%m-%d %H:%M:%S").to_string()).unwrap_or_default();
    let across = Across::Time(format!("Time ({word}) since {since}"));
    let curves = lines.into_iter().map(curve).collect();
    Ok(Some(Power { plot: Plot { across, unit, simulated, curves, ..Plot::default() }, left_out }))
}
