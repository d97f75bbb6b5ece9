//! How a chip lies on the stage: a rotation and a translation, possibly with a mirrored axis, by least squares.
//!
//! The best rotation of points around their centre has a closed form in two dimensions: the angle of the sum of the
//! products of the points, taken as complex numbers. With a mirrored axis, the same holds after the change of one sign.

/// Three points are the fewest that can show a mirrored axis and a wrong point.
pub const FEWEST: usize = 3;
/// Points whose spread across a line is less than this part of the spread along it are collinear.
const COLLINEAR: f64 = 0.02;
/// Beyond this scale, the stage has another unit.
const SCALES: [f64; 2] = [0.5, 2.0];

/// The coordinates of a mark on the chip and on the stage, in µm.
#[derive(Debug, Clone, PartialEq)]
pub struct Mark {
    /// Its name, for messages.
    pub name: String,
    /// On the chip.
    pub chip_um: [f64; 2],
    /// On the stage.
    pub stage_um: [f64; 2],
}

/// How the chip lies on the stage.
#[derive(Debug, Clone, PartialEq)]
pub struct Fit {
    /// The rotation, counterclockwise, after the mirror.
    pub angle_rad: f64,
    /// Whether the y axis of the chip is mirrored before the rotation.
    pub is_mirrored: bool,
    /// The centre of the marks on the chip and on the stage.
    centres_um: [[f64; 2]; 2],
    /// The scale that would fit best. The transformation itself does not change lengths.
    pub scale: f64,
    /// The distance of each mark from its transformed coordinates.
    pub residuals_um: Vec<f64>,
}

/// Why marks do not tell how the chip lies.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum FitError {
    /// Too few marks.
    #[error("a transformation needs at least {FEWEST} points, but has {0}")]
    TooFew(usize),
    /// The marks lie on a line.
    #[error(
        "the points lie nearly on a line {frame}: they extend over {along_um} µm along it, and over {across_um} µm \
         across it. A mirrored axis cannot be told then"
    )]
    Collinear {
        /// On the chip or on the stage.
        frame: &'static str,
        /// The spread along the line.
        along_um: f64,
        /// The spread across the line.
        across_um: f64,
    },
    /// Two marks are the same.
    #[error("the points `{one}` and `{other}` are the same {frame}")]
    Same {
        /// The first mark.
        one: String,
        /// The second mark.
        other: String,
        /// On the chip or on the stage.
        frame: &'static str,
    },
    /// The scale belongs to another unit.
    #[error("the stage coordinates are {0} times the chip coordinates: both must be in µm")]
    Scale(f64),
}

impl Fit {
    /// The transformation of the marks.
    ///
    /// # Errors
    /// Marks that do not tell how the chip lies.
    pub fn of(marks: &[Mark]) -> Result<Self, FitError> {
        if marks.len() < FEWEST {
            return Err(FitError::TooFew(marks.len()));
        }
        let chip: Vec<[f64; 2]> = marks.iter().map(|mark| mark.chip_um).collect();
        let stage: Vec<[f64; 2]> = marks.iter().map(|mark| mark.stage_um).collect();
        for (points, frame) in [(&chip, "on the chip"), (&stage, "on the stage")] {
            check_distinct(marks, points, frame)?;
            check_spread(points, frame)?;
        }
        let centres_um = [centre(&chip), centre(&stage)];
        let about = |points: &[[f64; 2]], centre: [f64; 2]| -> Vec<[f64; 2]> {
            points.iter().map(|point| minus(*point, centre)).collect()
        };
        let (from, to) = (about(&chip, centres_um[0]), about(&stage, centres_um[1]));
        let mirrored: Vec<[f64; 2]> = from.iter().copied().map(mirror).collect();
        let (plain, other) = (turn(&from, &to), turn(&mirrored, &to));
        let is_mirrored = other.length > plain.length;
        let best = if is_mirrored { other } else { plain };
        let scale = best.length / from.iter().map(|point| dot(*point, *point)).sum::<f64>();
        if !(SCALES[0]..=SCALES[1]).contains(&scale) {
            return Err(FitError::Scale(super::length::rounded(scale)));
        }
        let mut fit =
            Self { angle_rad: best.angle_rad, is_mirrored, centres_um, scale, residuals_um: Vec::new() };
        fit.residuals_um =
            marks.iter().map(|mark| distance(fit.apply(mark.chip_um), mark.stage_um)).collect();
        Ok(fit)
    }

    /// Coordinates on the chip as coordinates on the stage.
    #[must_use]
    pub fn apply(&self, chip_um: [f64; 2]) -> [f64; 2] {
        let [from, to] = self.centres_um;
        let mut point = minus(chip_um, from);
        if self.is_mirrored {
            point = mirror(point);
        }
        let (sin, cos) = self.angle_rad.sin_cos();
        [to[0] + cos * point[0] - sin * point[1], to[1] + sin * point[0] + cos * point[1]]
    }

    /// The largest distance of a mark from its transformed coordinates.
    #[must_use]
    pub fn largest_um(&self) -> f64 {
        self.residuals_um.iter().copied().fold(0.0, f64::max)
    }
}

/// The distance of two points.
#[must_use]
pub fn distance(one: [f64; 2], other: [f64; 2]) -> f64 {
    let [x, y] = minus(one, other);
    x.hypot(y)
}

struct Turn {
    angle_rad: f64,
    length: f64,
}

/// The best rotation, and how well it fits: the larger, the better.
fn turn(from: &[[f64; 2]], to: &[[f64; 2]]) -> Turn {
    let pairs = || from.iter().zip(to);
    let along: f64 = pairs().map(|(a, b)| dot(*a, *b)).sum();
    let across: f64 = pairs().map(|(a, b)| a[0] * b[1] - a[1] * b[0]).sum();
    Turn { angle_rad: across.atan2(along), length: across.hypot(along) }
}

fn check_distinct(marks: &[Mark], points: &[[f64; 2]], frame: &'static str) -> Result<(), FitError> {
    for (index, point) in points.iter().enumerate() {
        if let Some(other) = points[..index].iter().position(|other| other == point) {
            let name = |index: usize| marks[index].name.clone();
            return Err(FitError::Same { one: name(other), other: name(index), frame });
        }
    }
    Ok(())
}

/// Refuses points on a line, by the principal axes of their spread.
fn check_spread(points: &[[f64; 2]], frame: &'static str) -> Result<(), FitError> {
    let centre = centre(points);
    let (mut xx, mut yy, mut xy) = (0.0, 0.0, 0.0);
    for point in points {
        let [x, y] = minus(*point, centre);
        xx += x * x;
        yy += y * y;
        xy += x * y;
    }
    let (mean, half) = ((xx + yy) / 2.0, ((xx - yy) / 2.0).hypot(xy));
    let [along, across] = [mean + half, (mean - half).max(0.0)].map(f64::sqrt);
    if across < COLLINEAR * along {
        let shown = |length: f64| (length * 10.0).round() / 10.0;
        return Err(FitError::Collinear { frame, along_um: shown(along), across_um: shown(across) });
    }
    Ok(())
}

fn centre(points: &[[f64; 2]]) -> [f64; 2] {
    let count = points.len() as f64;
    [0, 1].map(|axis| points.iter().map(|point| point[axis]).sum::<f64>() / count)
}

fn mirror([x, y]: [f64; 2]) -> [f64; 2] {
    [x, -y]
}

fn minus(one: [f64; 2], other: [f64; 2]) -> [f64; 2] {
    [one[0] - other[0], one[1] - other[1]]
}

fn dot(one: [f64; 2], other: [f64; 2]) -> f64 {
    one[0] * other[0] + one[1] * other[1]
}
