//! Sends the data of a trace. The pieces are computed while others are sent.

use std::ops::Range;

use super::errors::Rejection;
use super::optics::{Port, decibels};
use super::trace::Recorded;
use super::value::{SPEED_OF_LIGHT_M_S, write_number};

/// The requested axis and unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Axis {
    /// Wavelengths in metres, float64.
    Metres,
    /// Frequencies in hertz, float64.
    Hertz,
    /// Values in dB or dBm, float32.
    Decibels,
    /// Values as a ratio or in mW, float32.
    Linear,
}

/// The source of a trace.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Source {
    /// A single recording, dBm.
    Single(Recorded),
    /// A live recording relative to a reference, dB.
    Ratio(Recorded, Recorded),
}

/// A trace to be sent.
#[derive(Debug, Clone)]
pub(super) struct Transfer {
    pub(super) source: Source,
    pub(super) port: Port,
    /// The value of a single recording at 1 mW: 1 for power, the responsivity for photocurrent.
    pub(super) per_milliwatt: f64,
    pub(super) detector_key: u64,
    pub(super) axis: Axis,
    pub(super) binary: bool,
}

/// Points per piece: a few milliseconds of computing.
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
    /// The header of a binary block. A fault can make it announce `too_many` additional bytes.
    pub(super) fn head(&self, too_many: i32) -> Vec<u8> {
        if !self.binary {
            return Vec::new();
        }
        let size = if matches!(self.axis, Axis::Metres | Axis::Hertz) { 8 } else { 4 };
        let length =
            (self.source.live().points * size).saturating_add_signed(i64::from(too_many)).to_string();
        format!("#{}{length}", length.len()).into_bytes()
    }

    /// Number of pieces.
    pub(super) fn piece_count(&self) -> u64 {
        self.source.live().points.div_ceil(PIECE)
    }

    /// One piece of the data, computed independently of the others.
    pub(super) fn piece(&self, piece: u64) -> Vec<u8> {
        let indices = piece * PIECE..((piece + 1) * PIECE).min(self.source.live().points);
        if !self.binary {
            return self.text(indices);
        }
        if matches!(self.axis, Axis::Metres | Axis::Hertz) {
            return self.values(indices).map(f64::to_be_bytes).collect::<Vec<_>>().into_flattened();
        }
        #[expect(clippy::cast_possible_truncation, reason = "float32 is what the instrument sends")]
        let values = self.values(indices).map(|value| (value as f32).to_be_bytes());
        values.collect::<Vec<_>>().into_flattened()
    }

    fn text(&self, indices: Range<u64>) -> Vec<u8> {
        let mut text = String::new();
        let mut comma = if indices.start > 0 { "," } else { "" };
        for value in self.values(indices) {
            text.push_str(comma);
            text.push_str(&write_number(value));
            comma = ",";
        }
        text.into_bytes()
    }

    /// The values of these samples, in the requested unit.
    fn values(&self, indices: Range<u64>) -> impl Iterator<Item = f64> + '_ {
        let recorded = self.source.live();
        let mut live = recorded.samples(self.port, self.detector_key);
        let mut reference = match &self.source {
            Source::Single(_) => None,
            Source::Ratio(_, reference) => Some((reference, reference.samples(self.port, self.detector_key))),
        };
        let axis = self.axis;
        indices.map(move |index| {
            let nm = recorded.wavelength_nm(index);
            let mut level = || {
                let power_mw = live.mw(index, nm);
                match &mut reference {
                    None => power_mw * self.per_milliwatt,
                    Some((recorded, samples)) => recorded.index_at(nm).map_or(f64::NAN, |index| {
                        power_mw / samples.mw(index, recorded.wavelength_nm(index))
                    }),
                }
            };
            match axis {
                Axis::Metres => nm * 1e-9,
                Axis::Hertz => SPEED_OF_LIGHT_M_S / (nm * 1e-9),
                Axis::Decibels => decibels(level()),
                Axis::Linear => level(),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::super::device::Device;
    use super::super::options::OpticalPath;
    use super::super::trace;
    use super::*;

    /// 30,001 points of a device from 1502 nm in steps of 2 pm, with one source below the range of the scan and one
    /// above.
    fn recorded(device: &str, path: OpticalPath, noise_key: u64) -> Recorded {
        let device = Device::load(device).unwrap().into();
        let sources = vec![
            trace::Source { start_nm: 1260.0, stop_nm: 1360.0, dbm: 3.0 },
            trace::Source { start_nm: 1480.0, stop_nm: 1640.0, dbm: 5.0 },
        ];
        Recorded { start_nm: 1502.0, step_pm: 2.0, points: 30_001, sources, path, device, noise_key }
    }

    fn transfer(port: Port, axis: Axis, source: Source) -> Transfer {
        Transfer { source, port, per_milliwatt: 1.0, detector_key: 1025, axis, binary: true }
    }

    /// The beginning of the SHA-256 of all samples.
    fn digest(transfer: &Transfer) -> String {
        let mut digest = Sha256::new();
        (0..transfer.piece_count()).for_each(|piece| digest.update(transfer.piece(piece)));
        digest.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn a_seed_gives_the_same_samples_in_every_release() {
        let output = Port::Output;
        let single = |name, path, key| Source::Single(recorded(name, path, key));
        let ratio = |name, key| {
            let reference = recorded(name, OpticalPath::PatchCord, key ^ 99);
            Source::Ratio(recorded(name, OpticalPath::Device, key), reference)
        };
        let (device, cord) = (OpticalPath::Device, OpticalPath::PatchCord);
        for (port, axis, source, expected) in [
            (output(2), Axis::Linear, ratio("ring", 2), "13984aae010b4b0f"),
            (output(2), Axis::Decibels, ratio("mach-zehnder", 4), "cb41915dddf833a4"),
            (output(1), Axis::Decibels, ratio("bragg", 5), "4cbb6cbd5e697841"),
            (Port::Reflection, Axis::Decibels, single("bragg", device, 6), "dda9e48a4da8f9b2"),
            (output(3), Axis::Decibels, single("filter", device, 7), "fced9f134599d1a2"),
            (output(1), Axis::Linear, single("loopback", device, 8), "c0918a1ce5d9cc6d"),
            (output(4), Axis::Decibels, single("ring", cord, 9), "5d26d37dfd067325"),
            (Port::Laser, Axis::Decibels, single("ring", cord, 10), "e5c3702b6d5db858"),
            (output(1), Axis::Metres, single("ring", cord, 11), "1bdfd3dcb2fbcb55"),
            (output(1), Axis::Hertz, single("ring", cord, 12), "2fdf782558a2370c"),
        ] {
            let transfer = transfer(port, axis, source);
            assert_eq!(digest(&transfer), expected, "{port:?}, {axis:?}");
        }
        let binary = transfer(output(2), Axis::Decibels, single("ring", device, 3));
        assert_eq!(digest(&Transfer { binary: false, ..binary }), "b9cd49d37f3f4c62");
    }

    #[test]
    fn a_long_trace_has_the_same_samples_in_every_release() {
        let fine = |recorded| Recorded { step_pm: 0.1, points: 940_001, ..recorded };
        let live = recorded("ring", OpticalPath::Device, 1);
        let reference = recorded("ring", OpticalPath::PatchCord, 98);
        let transfer = transfer(Port::Output(1), Axis::Decibels, Source::Ratio(fine(live), fine(reference)));
        assert_eq!(digest(&transfer), "5731a61eb439de58");
    }
}
