//! The data of a trace on its way out: computed in pieces while it is sent.

use super::device::Device;
use super::errors::Rejection;
use super::optics::Port;
use super::trace::Recorded;
use super::value::{SPEED_OF_LIGHT_M_S, write_number};

/// What a client asked of a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Axis {
    /// Wavelengths in metres, float64.
    Metres,
    /// Frequencies in hertz, float64.
    Hertz,
    /// Values in dB or dBm, float32.
    Decibels,
    /// Values as ratio or in mW, float32.
    Linear,
}

/// Which of a detector's traces.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Source {
    /// A recording as it is, dBm.
    Single(Recorded),
    /// A live recording relative to a reference, dB.
    Ratio(Recorded, Recorded),
}

/// A trace to be sent.
#[derive(Debug, Clone)]
pub(super) struct Transfer {
    pub(super) source: Source,
    pub(super) device: Device,
    pub(super) port: Port,
    pub(super) detector_key: u64,
    pub(super) axis: Axis,
    pub(super) binary: bool,
}

/// Points computed at once: a few milliseconds.
const PIECE: u64 = 16_384;

impl Source {
    pub(super) fn live(&self) -> &Recorded {
        match self {
            Self::Single(recorded) | Self::Ratio(recorded, _) => recorded,
        }
    }
}

/// A transmission function needs a reference that covers the whole scan.
pub(super) fn ratio(live: Recorded, reference: Recorded) -> Result<Source, Rejection> {
    let last = live.wavelength_nm(live.points.saturating_sub(1));
    let covered = reference.index_at(live.start_nm).is_some() && reference.index_at(last).is_some();
    if covered { Ok(Source::Ratio(live, reference)) } else { Err(Rejection::SettingsConflict) }
}

impl Transfer {
    /// What stands before the data: the header of a binary block, which a fault makes announce bytes `too_many`.
    pub(super) fn head(&self, too_many: i32) -> Vec<u8> {
        if !self.binary {
            return Vec::new();
        }
        let size = if matches!(self.axis, Axis::Metres | Axis::Hertz) { 8 } else { 4 };
        let length =
            (self.source.live().points * size).saturating_add_signed(i64::from(too_many)).to_string();
        format!("#{}{length}", length.len()).into_bytes()
    }

    /// How many pieces the data have.
    pub(super) fn piece_count(&self) -> u64 {
        self.source.live().points.div_ceil(PIECE)
    }

    /// A piece of the data. Each can be computed without the others.
    pub(super) fn piece(&self, piece: u64) -> Vec<u8> {
        let mut levels = self.levels();
        let mut bytes = Vec::new();
        for index in piece * PIECE..((piece + 1) * PIECE).min(self.source.live().points) {
            let value = match self.axis {
                Axis::Metres => self.source.live().wavelength_nm(index) * 1e-9,
                Axis::Hertz => SPEED_OF_LIGHT_M_S / (self.source.live().wavelength_nm(index) * 1e-9),
                Axis::Decibels => levels(index),
                Axis::Linear => 10f64.powf(levels(index) / 10.0),
            };
            self.write(index, value, &mut bytes);
        }
        bytes
    }

    fn levels(&self) -> impl FnMut(u64) -> f64 + '_ {
        let mut live = self.source.live().samples(&self.device, self.port, self.detector_key);
        let mut reference = match &self.source {
            Source::Single(_) => None,
            Source::Ratio(_, reference) => {
                Some((reference, reference.samples(&self.device, self.port, self.detector_key)))
            }
        };
        move |index| {
            let level = live.dbm(index);
            match &mut reference {
                None => level,
                Some((recorded, samples)) => {
                    let nm = self.source.live().wavelength_nm(index);
                    recorded.index_at(nm).map_or(f64::NAN, |index| level - samples.dbm(index))
                }
            }
        }
    }

    fn write(&self, index: u64, value: f64, bytes: &mut Vec<u8>) {
        match (self.binary, self.axis) {
            (true, Axis::Metres | Axis::Hertz) => bytes.extend(value.to_be_bytes()),
            #[expect(clippy::cast_possible_truncation, reason = "float32 is what the instrument sends")]
            (true, _) => bytes.extend((value as f32).to_be_bytes()),
            (false, _) => {
                if index > 0 {
                    bytes.push(b',');
                }
                bytes.extend(write_number(value).bytes());
            }
        }
    }
}
