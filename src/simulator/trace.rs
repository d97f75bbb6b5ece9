//! A recorded scan. It stores what is needed to compute its samples, instead of the samples. A trace of 22 million
//! points needs as little memory as one of ten.

use super::device::TunedDevice;
use super::optics::{NoiseSequence, Port, Way, detect, linear};
use super::options::OpticalPath;

/// The part of a scan that one source sweeps.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Source {
    pub(super) start_nm: f64,
    pub(super) stop_nm: f64,
    pub(super) dbm: f64,
}

/// A recorded scan.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Recorded {
    pub(super) start_nm: f64,
    pub(super) step_pm: f64,
    pub(super) points: u64,
    pub(super) sources: Vec<Source>,
    pub(super) path: OpticalPath,
    /// The device in the path at the start of the scan.
    pub(super) device: TunedDevice,
    pub(super) noise_key: u64,
}

impl Recorded {
    /// Wavelength of a sample, nm, rounded to a femtometre.
    pub(super) fn wavelength_nm(&self, index: u64) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "point counts stay far below 2^53")]
        let nm = self.start_nm + self.step_pm * 1e-3 * index as f64;
        (nm * 1e6).round() / 1e6
    }

    /// The sample nearest to a wavelength; `None` if the scan does not cover it.
    pub(super) fn index_at(&self, nm: f64) -> Option<u64> {
        let index = ((nm - self.start_nm) * 1e3 / self.step_pm).round();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "checked to lie within the trace"
        )]
        #[expect(clippy::cast_precision_loss, reason = "point counts stay far below 2^53")]
        (0.0..self.points as f64).contains(&index).then_some(index as u64)
    }

    /// The settings of the instrument as a text. The noise of a scan depends on these, and not on what other
    /// instruments do to the device. The text must stay as it is, so that a seed gives the same noise in every release.
    pub(super) fn settings(&self) -> String {
        let Self { start_nm, step_pm, points, sources, path, device: _, noise_key: _ } = self;
        format!(
            "Recorded {{ start_nm: {start_nm:?}, step_pm: {step_pm:?}, points: {points:?}, sources: {sources:?}, path: {path:?}, noise_key: 0 }}"
        )
    }

    /// A cursor over the samples of a detector.
    pub(super) fn samples(&self, port: Port, detector_key: u64) -> Samples<'_> {
        let lit = self.sources.iter().map(|source| Lit {
            start_nm: source.start_nm,
            stop_nm: source.stop_nm,
            mw: linear(source.dbm),
        });
        Samples {
            device: &self.device,
            lit: lit.collect(),
            way: Way::new(self.path, port),
            noise: NoiseSequence::new(self.noise_key ^ detector_key.wrapping_mul(0x9E37_79B9_7F4A_7C15)),
        }
    }
}

/// A source with its power converted once for the whole trace.
#[derive(Debug)]
struct Lit {
    start_nm: f64,
    stop_nm: f64,
    mw: f64,
}

/// Computes the samples of one detector.
#[derive(Debug)]
pub(super) struct Samples<'a> {
    device: &'a TunedDevice,
    lit: Vec<Lit>,
    way: Way,
    noise: NoiseSequence,
}

impl Samples<'_> {
    /// The sample `index` at `nm`, in mW.
    pub(super) fn mw(&mut self, index: u64, nm: f64) -> f64 {
        let mut power_mw = 0.0;
        for source in &self.lit {
            if source.start_nm <= nm && nm <= source.stop_nm {
                power_mw = source.mw * self.way.share(self.device, nm);
                break;
            }
        }
        detect(power_mw, self.noise.at(index))
    }
}
