//! A trace reduced for plots: the lowest and the highest value of each piece of a window. A million points then take
//! a few kilobytes, and no dip is lost.

use serde::Serialize;

use crate::step::{Fault, TraceReader};

/// The lowest and highest values in pieces of a window.
#[derive(Debug, Clone, Default, PartialEq, Serialize, schemars::JsonSchema)]
pub struct Envelope {
    /// Wavelength of each piece's first point, nm.
    pub wavelength_nm: Vec<f64>,
    /// Lowest finite value of each piece; null if there is none.
    pub min: Vec<Option<f32>>,
    /// Highest finite value of each piece; null if there is none.
    pub max: Vec<Option<f32>>,
}

impl Envelope {
    /// The envelope of samples with any wavelengths: wavelength in nm and value. A piece has `size` samples.
    #[must_use]
    pub fn of_samples(samples: impl IntoIterator<Item = (f64, f32)>, size: usize) -> Self {
        let mut envelope = Self::default();
        for (index, (nm, value)) in samples.into_iter().enumerate() {
            if index.is_multiple_of(size.max(1)) {
                envelope.begin(nm);
            }
            envelope.add_to_last(&[value]);
        }
        envelope
    }

    /// Begins a piece.
    fn begin(&mut self, nm: f64) {
        self.wavelength_nm.push(nm);
        self.min.push(None);
        self.max.push(None);
    }

    /// Adds values to the last piece.
    fn add_to_last(&mut self, values: &[f32]) {
        let (mut lowest, mut highest) = (f32::INFINITY, f32::NEG_INFINITY);
        for value in values.iter().copied().filter(|value| value.is_finite()) {
            // `f32::min` would be a call of a function for each value where the program is built for its size.
            lowest = if value < lowest { value } else { lowest };
            highest = if value > highest { value } else { highest };
        }
        if lowest > highest {
            return;
        }
        if let (Some(min), Some(max)) = (self.min.last_mut(), self.max.last_mut()) {
            *min = Some(min.map_or(lowest, |known| known.min(lowest)));
            *max = Some(max.map_or(highest, |known| known.max(highest)));
        }
    }
}

/// The envelope of the window `from_nm..=to_nm` in at most `pieces` pieces, and the number of points in the window.
/// With few points, each piece holds a single value.
///
/// # Errors
/// If the trace cannot be read.
pub fn envelope(
    trace: &dyn TraceReader,
    from_nm: f64,
    to_nm: f64,
    pieces: u64,
) -> Result<(Envelope, u64), Fault> {
    let grid = trace.grid();
    let window = grid.indices(from_nm, to_nm);
    let points = window.end - window.start;
    let size = points.div_ceil(pieces.max(1)).max(1);
    let mut envelope = Envelope::default();
    let start = window.start;
    trace.read(window, &mut |first, values| {
        let (mut index, mut values) = (first, values);
        while !values.is_empty() {
            let before = (index - start) % size;
            if before == 0 {
                envelope.begin(grid.wavelength_nm(index));
            }
            let rest = usize::try_from(size - before).unwrap_or(usize::MAX);
            let (piece, later) = values.split_at(rest.min(values.len()));
            envelope.add_to_last(piece);
            index += piece.len() as u64;
            values = later;
        }
    })?;
    Ok((envelope, points))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measurement::Grid;
    use crate::store::Spool;

    #[test]
    fn no_dip_is_lost_and_a_small_window_shows_every_value() {
        let mut spool = Spool::new(Grid { start_nm: 1500.0, step_pm: 1.0, points: 100_000 }).unwrap();
        let mut values = vec![-3.0; 100_000];
        values[77_777] = -60.0;
        spool.push(&values).unwrap();
        let (whole, points) = envelope(&spool, 1500.0, 1600.0, 500).unwrap();
        assert_eq!((points, whole.min.len()), (100_000, 500));
        assert_eq!(whole.min.iter().filter(|min| **min == Some(-60.0)).count(), 1);
        assert!(whole.max.iter().all(|max| *max == Some(-3.0)));
        let (near, points) = envelope(&spool, 1577.776, 1577.778, 500).unwrap();
        assert_eq!((points, near.min), (3, vec![Some(-3.0), Some(-60.0), Some(-3.0)]));
        assert_eq!(near.wavelength_nm, [1577.776, 1577.777, 1577.778]);
    }
}
