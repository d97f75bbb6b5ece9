//! Seams of a trace: the wavelengths where one laser of a scan takes over from another. A step in level at a seam is an
//! artefact of the lasers and no property of the device.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Grid;

/// A smaller step is accepted, dB. Two lasers of a scan differ by some hundredths.
const STEP_DB: f64 = 0.1;
/// A step must exceed its error by this factor. Resonances of any width and place at the seam stay below 3.
const ERRORS: f64 = 4.0;
/// The level at each side is extrapolated from the nearest points. More points show how curved the trace is.
const NEAREST: usize = 10;
const POINTS: u64 = 20;
const FEWEST: usize = 16;
/// The points between both sides. Points that are so far apart show how much the level changes without a seam.
const GAP: usize = 4;
/// Points beside the seam that are not used, because it is not known which laser has measured them.
const MARGIN: u64 = 1;

/// The wavelengths where one laser may take over from another, as known from the settings of the scan.
#[derive(Debug, Clone, PartialEq)]
pub struct Joint {
    /// The lasers below and above.
    pub lasers: [u8; 2],
    /// The wavelength, nm. If the ranges overlap, there are two: the unit may change at either end of the overlap.
    pub places_nm: Vec<f64>,
    /// The change is at one of the places. In an overlap it may also be elsewhere.
    pub is_certain: bool,
    /// The power of the laser above minus the power of the laser below, as set, dB.
    pub set_db: f64,
}

/// A seam of a trace, as measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Seam {
    /// The wavelength, nm.
    pub nm: f64,
    /// The lasers below and above.
    pub lasers: [u8; 2],
    /// The level above minus the level below, dB.
    pub step_db: f64,
    /// The error of the step, dB: by noise and by the shape of the device at the seam.
    pub error_db: f64,
    /// The part of the step that the set powers of the lasers explain, dB.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub set_db: f64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde requires")]
fn is_zero(value: &f64) -> bool {
    *value == 0.0
}

impl Seam {
    /// Whether the level has a step that neither the noise nor the set powers explain.
    #[must_use]
    pub fn is_step(&self) -> bool {
        self.unexplained_db().abs() > STEP_DB.max(ERRORS * self.error_db)
    }

    /// The part of the step that the set powers do not explain, dB.
    #[must_use]
    pub fn unexplained_db(&self) -> f64 {
        self.step_db - self.set_db
    }
}

/// For people: `the level changes by +0.42 dB at 1500 nm, where laser 3 takes over from laser 1`.
impl std::fmt::Display for Seam {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [below, above] = self.lasers;
        let (step, nm) = (self.step_db, self.nm);
        write!(
            f,
            "the level changes by {step:+.2} dB at {nm} nm, where laser {above} takes over from laser {below}"
        )?;
        match self.set_db {
            0.0 => Ok(()),
            set => write!(f, " (the set powers explain {set:+.2} dB)"),
        }
    }
}

/// Measures the seams of a trace while its values arrive.
#[derive(Debug)]
pub struct Seams {
    joints: Vec<(Joint, Vec<Place>)>,
}

/// The values beside one wavelength.
#[derive(Debug)]
struct Place {
    nm: f64,
    below: Side,
    above: Side,
}

/// The values at one side: distance to the seam in points, and level.
#[derive(Debug)]
struct Side {
    rows: std::ops::Range<u64>,
    /// The position of the seam, in rows.
    seam: f64,
    values: Vec<(f64, f64)>,
}

impl Seams {
    /// The seams of a trace with this wavelength axis.
    #[must_use]
    pub fn new(joints: &[Joint], grid: Grid) -> Self {
        let place = |nm: &f64| Place::new(*nm, grid);
        let joints =
            joints.iter().map(|joint| (joint.clone(), joint.places_nm.iter().map(place).collect())).collect();
        Self { joints }
    }

    /// Adds the next values of the trace. `first`: the row of the first one.
    pub fn add(&mut self, first: u64, values: &[f32]) {
        for place in self.joints.iter_mut().flat_map(|(_, places)| places) {
            place.below.add(first, values);
            place.above.add(first, values);
        }
    }

    /// The seams that can be measured. Of several possible places, the one with the largest step is the seam.
    #[must_use]
    pub fn found(&self) -> Vec<Seam> {
        let found = self.joints.iter().filter_map(|(joint, places)| {
            let steps = places.iter().filter_map(|place| Some((place.nm, place.step()?)));
            let (nm, (step_db, error_db)) = steps.max_by(|a, b| a.1.0.abs().total_cmp(&b.1.0.abs()))?;
            // The level may be the same at both sides, because the laser changes elsewhere.
            let is_elsewhere = !joint.is_certain && step_db.abs() < (step_db - joint.set_db).abs();
            let set_db = if is_elsewhere { 0.0 } else { joint.set_db };
            Some(Seam { nm, lasers: joint.lasers, step_db, error_db, set_db })
        });
        found.collect()
    }
}

impl Place {
    fn new(nm: f64, grid: Grid) -> Self {
        let seam = (nm - grid.start_nm) * 1e3 / grid.step_pm;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0..=points")]
        #[expect(clippy::cast_precision_loss, reason = "point counts stay far below 2^53")]
        let row = |position: f64| position.round().clamp(0.0, grid.points as f64) as u64;
        let (end, begin) = (row(seam.floor()).saturating_sub(MARGIN), row(seam.ceil()) + MARGIN + 1);
        let side = |rows| Side { rows, seam, values: Vec::new() };
        Self { nm, below: side(end.saturating_sub(POINTS)..end), above: side(begin..begin + POINTS) }
    }

    /// The step and its error, dB; `None` if there are too few values.
    fn step(&self) -> Option<(f64, f64)> {
        let (below, above) = (self.below.level()?, self.above.level()?);
        let curved = (above.near - above.all).hypot(below.near - below.all);
        Some((above.near - below.near, curved.hypot(above.roughness.max(below.roughness))))
    }
}

impl Side {
    #[expect(clippy::cast_possible_truncation, reason = "within the slice")]
    #[expect(clippy::cast_precision_loss, reason = "row numbers stay far below 2^53")]
    fn add(&mut self, first: u64, values: &[f32]) {
        let rows = self.rows.start.max(first)..self.rows.end.min(first + values.len() as u64);
        for row in rows {
            let value = f64::from(values[(row - first) as usize]);
            if value.is_finite() {
                self.values.push((row as f64 - self.seam, value));
            }
        }
    }

    fn level(&self) -> Option<Level> {
        if self.values.len() < FEWEST {
            return None;
        }
        let mut values = self.values.clone();
        values.sort_by(|a, b| a.0.abs().total_cmp(&b.0.abs()));
        let (line, near) = (Line::through(&values), Line::through(&values[..NEAREST]));
        let off: Vec<f64> = values.iter().map(|(x, y)| y - line.at(*x)).collect();
        let changes = off.iter().zip(&off[GAP..]).map(|(a, b)| (a - b).abs());
        Some(Level { near: near.at(0.0), all: line.at(0.0), roughness: changes.fold(0.0, f64::max) })
    }
}

/// The level of one side at the seam, dB.
struct Level {
    /// By a straight line through the nearest values.
    near: f64,
    /// By a straight line through all values.
    all: f64,
    /// The largest change between two values with the distance of both sides, without the slope.
    roughness: f64,
}

/// A straight line of least squares.
struct Line {
    middle: (f64, f64),
    slope: f64,
}

impl Line {
    #[expect(clippy::cast_precision_loss, reason = "a handful of points")]
    fn through(values: &[(f64, f64)]) -> Self {
        let mean = |of: fn(&(f64, f64)) -> f64| values.iter().map(of).sum::<f64>() / values.len() as f64;
        let (x0, y0) = (mean(|value| value.0), mean(|value| value.1));
        let spread: f64 = values.iter().map(|(x, _)| (x - x0).powi(2)).sum();
        let slope = values.iter().map(|(x, y)| (x - x0) * (y - y0)).sum::<f64>() / spread;
        Self { middle: (x0, y0), slope }
    }

    fn at(&self, x: f64) -> f64 {
        self.middle.1 + self.slope * (x - self.middle.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRID: Grid = Grid { start_nm: 1490.0, step_pm: 10.0, points: 2_001 };

    /// The seams of a trace with these levels, in pieces as they arrive.
    fn seams(joint: &Joint, level: impl Fn(f64) -> f64) -> Vec<Seam> {
        #[expect(clippy::cast_possible_truncation, reason = "that is what a trace holds")]
        let values: Vec<f32> = (0..GRID.points).map(|row| level(GRID.wavelength_nm(row)) as f32).collect();
        let mut seams = Seams::new(std::slice::from_ref(joint), GRID);
        for (index, piece) in values.chunks(333).enumerate() {
            seams.add(index as u64 * 333, piece);
        }
        seams.found()
    }

    fn joint(places_nm: &[f64], set_db: f64) -> Joint {
        Joint { lasers: [1, 3], places_nm: places_nm.to_vec(), is_certain: places_nm.len() == 1, set_db }
    }

    /// The level changes at a wavelength.
    fn jump(at_nm: f64, by_db: f64) -> impl Fn(f64) -> f64 {
        move |nm| -3.0 + if nm > at_nm { by_db } else { 0.0 }
    }

    #[test]
    fn a_step_at_the_joint_is_found_with_its_size_on_any_slope() {
        let found = seams(&joint(&[1500.0], 0.0), |nm| jump(1500.0, 0.4)(nm) + 2.0 * (nm - 1500.0));
        assert!((found[0].step_db - 0.4).abs() < 1e-3 && found[0].is_step(), "{found:?}");
        assert_eq!(
            found[0].to_string(),
            "the level changes by +0.40 dB at 1500 nm, where laser 3 takes over from laser 1"
        );
        let found = seams(&joint(&[1500.0], 0.0), |nm| 2.0 * (nm - 1500.0));
        assert!(found[0].step_db.abs() < 1e-3 && !found[0].is_step(), "{found:?}");
    }

    #[test]
    fn noise_and_a_resonance_at_the_joint_are_no_step() {
        let noise = |nm: f64| 0.5 * ((nm * 1e4).sin() * 1e4).fract();
        let found = seams(&joint(&[1500.0], 0.0), noise);
        assert!(!found[0].is_step(), "{found:?}");
        for width in [0.005, 0.02, 0.05, 0.2, 1.0] {
            for offset in [-0.3, -0.1, -0.04, -0.02, 0.0, 0.03, 0.05, 0.2] {
                let dip =
                    |nm: f64| 10.0 * (1.0 - 0.999 / (1.0 + ((nm - 1500.0 - offset) / width).powi(2))).log10();
                let found = seams(&joint(&[1500.0], 0.0), dip);
                assert!(!found[0].is_step(), "{width} {offset} {found:?}");
            }
        }
    }

    #[test]
    fn set_powers_explain_a_step_and_in_an_overlap_the_place_is_found() {
        for (at_nm, by_db, set_db, is_step) in [
            (1500.0, -2.0, -2.0, false),
            (1505.0, -2.0, -2.0, false),
            (1505.0, -2.4, -2.0, true),
            (1505.0, 0.0, -2.0, false),
            (1502.0, -2.0, -2.0, false),
            (1500.0, 0.4, 0.0, true),
        ] {
            let found = seams(&joint(&[1500.0, 1505.0], set_db), jump(at_nm, by_db));
            assert_eq!(found[0].is_step(), is_step, "{at_nm} {by_db} {set_db} {found:?}");
        }
        // Without an overlap, a step that is missing is an error of the powers.
        assert!(seams(&joint(&[1500.0], -2.0), |_| -3.0)[0].is_step());
    }

    #[test]
    fn a_joint_at_the_edge_or_in_nothing_is_no_seam() {
        for nm in [1489.0, 1490.0, 1510.0, 1600.0] {
            assert_eq!(seams(&joint(&[nm], 0.0), |_| -3.0), []);
        }
        assert_eq!(seams(&joint(&[1500.0], 0.0), |_| f64::NAN), []);
    }
}
