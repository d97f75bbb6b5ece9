//! Devices under test: the transmission from the input to each output, as a formula of the wavelength.
//!
//! A device has up to four outputs. Output `n` is connected to channel `n` of both detector modules, as if through a
//! splitter. Outputs that a device does not have are dark.

use std::f64::consts::PI;
use std::path::Path;
use std::sync::Arc;

use super::optics::linear;
use super::spectrum::Spectrum;

/// The wavelength for the material constants below, nm.
const REFERENCE_NM: f64 = 1550.0;
/// A polarisation of the light in a silicon strip waveguide of 220 nm by 500 nm, with typical values at 1550 nm.
#[derive(Debug, Clone, Copy)]
struct Polarisation {
    effective_index: f64,
    group_index: f64,
    /// Self-coupling of the couplers of the ring.
    self_coupling: f64,
    /// Amplitude after one round trip of the ring.
    amplitude: f64,
    /// Transmission of the couplers to the fibres.
    excess: f64,
}

/// Measured rings with a radius of 10 µm have an FSR near 9.1 nm. The excess loss is 3.5 dB.
const TE: Polarisation = Polarisation {
    effective_index: 2.44,
    group_index: 4.18,
    self_coupling: 0.973,
    amplitude: 0.9965,
    excess: 0.446_683_592_150_963_2,
};
/// The mode is guided more weakly: the couplers couple more, the bend loses more. The excess loss is 5 dB.
const TM: Polarisation = Polarisation {
    effective_index: 1.77,
    group_index: 3.75,
    self_coupling: 0.94,
    amplitude: 0.985,
    excess: 0.316_227_766_016_837_94,
};

/// A device under test.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Device {
    /// Add-drop ring: output 1 is the through port, output 2 the drop port.
    Ring,
    /// The same ring in TM polarisation.
    RingTm,
    /// Unbalanced Mach–Zehnder interferometer: outputs 1 and 2 are its two arms, complementary.
    MachZehnder,
    /// Uniform Bragg grating: output 1 is the transmission, and the stop band is reflected.
    Bragg,
    /// Four flat-top channels, 20 nm apart from 1531 nm.
    Filter,
    /// Grating coupler, short waveguide, grating coupler.
    Loopback,
    /// A measured spectrum from a file, at output 1.
    Spectrum(Arc<Spectrum>),
    /// No device: no light arrives.
    Open,
}

/// A device whose spectrum is shifted by heat.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct TunedDevice {
    pub(super) device: Device,
    /// To longer wavelengths.
    pub(super) shift_nm: f64,
    /// The share of the light that each of its couplings passes, both together.
    pub(super) coupling: f64,
}

impl From<Device> for TunedDevice {
    fn from(device: Device) -> Self {
        Self { device, shift_nm: 0.0, coupling: 1.0 }
    }
}

impl TunedDevice {
    /// The transmission to an output (from 1), as a ratio of powers; 0 if nothing is connected.
    pub(super) fn transmission(&self, output: u8, nm: f64) -> f64 {
        self.coupling * self.device.transmission(output, nm - self.shift_nm)
    }

    /// The reflection towards the source, as a ratio of powers.
    pub(super) fn reflection(&self, nm: f64) -> f64 {
        self.coupling * self.device.reflection(nm - self.shift_nm)
    }
}

impl Polarisation {
    /// Effective index, linear in the wavelength, so that the group index n − λ·dn/dλ is as given above.
    fn index_at(&self, nm: f64) -> f64 {
        self.effective_index + (self.effective_index - self.group_index) * (nm - REFERENCE_NM) / REFERENCE_NM
    }
}

/// The weakest transmission of a device: −120 dB.
const WEAKEST: f64 = 1e-12;
/// The weakest reflection: −40 dB.
const WEAKEST_REFLECTION: f64 = 1e-4;

impl Device {
    /// Loads a device by its name, or from a CSV file.
    pub(super) fn load(name: &str) -> Result<Self, String> {
        match name {
            "ring" => Ok(Self::Ring),
            "ring-tm" => Ok(Self::RingTm),
            "open" => Ok(Self::Open),
            "mach-zehnder" => Ok(Self::MachZehnder),
            "bragg" => Ok(Self::Bragg),
            "filter" => Ok(Self::Filter),
            "loopback" => Ok(Self::Loopback),
            file if Path::new(file)
                .extension()
                .is_some_and(|extension| extension.eq_ignore_ascii_case("csv")) =>
            {
                Spectrum::read(Path::new(file)).map(|spectrum| Self::Spectrum(Arc::new(spectrum)))
            }
            other => Err(format!(
                "device `{other}` is unknown (ring, ring-tm, mach-zehnder, bragg, filter, loopback, open, or a file name that ends in .csv)"
            )),
        }
    }

    /// The transmission to an output (from 1), as a ratio of powers; 0 if nothing is connected.
    pub(super) fn transmission(&self, output: u8, nm: f64) -> f64 {
        match (self, output) {
            (Self::Ring, 1) => ring(nm, &TE, RingPort::Through),
            (Self::Ring, 2) => ring(nm, &TE, RingPort::Drop),
            (Self::RingTm, 1) => ring(nm, &TM, RingPort::Through),
            (Self::RingTm, 2) => ring(nm, &TM, RingPort::Drop),
            (Self::MachZehnder, 1) => mach_zehnder(nm, 1.0),
            (Self::MachZehnder, 2) => mach_zehnder(nm, -1.0),
            (Self::Bragg, 1) => (1.0 - bragg_reflection(nm)).max(WEAKEST) * BRAGG_EXCESS,
            (Self::Filter, 1..=4) => linear(flat_top_db(nm, 1531.0 + 20.0 * f64::from(output - 1))),
            (Self::Loopback, 1) => linear(loopback_db(nm)),
            (Self::Spectrum(spectrum), 1) => linear(spectrum.at(nm)),
            _ => 0.0,
        }
    }

    /// The reflection towards the source, as a ratio of powers.
    pub(super) fn reflection(&self, nm: f64) -> f64 {
        match self {
            Self::Bragg => bragg_reflection(nm).max(WEAKEST_REFLECTION) * BRAGG_EXCESS,
            _ => WEAKEST_REFLECTION,
        }
    }
}

/// An output port of an add-drop ring.
#[derive(Debug, Clone, Copy)]
enum RingPort {
    Through,
    Drop,
}

/// Add-drop ring of 10 µm radius with equal couplers.
///
/// W. Bogaerts et al., "Silicon microring resonators", Laser & Photonics Reviews 6 (2012), equations 3 and 4.
/// The self-coupling is r, the round-trip amplitude a, the phase φ = 2π·n_eff·L/λ.
///
/// T_through = (r²a² − 2r²a·cos φ + r²) / (1 − 2r²a·cos φ + r⁴a²), T_drop = (1 − r²)²·a / (same denominator).
fn ring(nm: f64, light: &Polarisation, port: RingPort) -> f64 {
    const LENGTH_NM: f64 = 2.0 * PI * 10_000.0;
    let (r2, a) = (light.self_coupling * light.self_coupling, light.amplitude);
    let cosine = (2.0 * PI * light.index_at(nm) * LENGTH_NM / nm).cos();
    let interference = 2.0 * r2 * a * cosine;
    let denominator = 1.0 - interference + r2 * r2 * a * a;
    let power = match port {
        RingPort::Through => (r2 * a * a - interference + r2) / denominator,
        RingPort::Drop => (1.0 - r2).powi(2) * a / denominator,
    };
    power.max(WEAKEST) * light.excess
}

/// Mach–Zehnder interferometer, arms 100 µm apart in length: T = (1 ± V·cos(2π·n_eff·ΔL/λ))/2 with visibility V.
fn mach_zehnder(nm: f64, sign: f64) -> f64 {
    const DIFFERENCE_NM: f64 = 100_000.0;
    const VISIBILITY: f64 = 0.998;
    /// −3 dB.
    const EXCESS: f64 = 0.501_187_233_627_272_2;
    let phase = 2.0 * PI * TE.index_at(nm) * DIFFERENCE_NM / nm;
    ((1.0 + sign * VISIBILITY * phase.cos()) / 2.0).max(WEAKEST) * EXCESS
}

/// Excess loss of the grating chip: −1 dB.
const BRAGG_EXCESS: f64 = 0.794_328_234_724_281_5;

/// Power reflection of a uniform grating, coupled-mode theory (A. Yariv and P. Yeh, "Photonics", chapter 12):
/// with detuning δ = 2π·n_g·(1/λ − 1/λ_B), coupling κ and s² = κ² − δ²,
/// R = κ²·sinh²(sL) / (s²·cosh²(sL) + δ²·sinh²(sL)).
fn bragg_reflection(nm: f64) -> f64 {
    const CENTRE_NM: f64 = 1550.0;
    const LENGTH_NM: f64 = 300_000.0;
    const COUPLING_PER_NM: f64 = 1.2e-5;
    let detuning = 2.0 * PI * TE.group_index * (1.0 / nm - 1.0 / CENTRE_NM);
    let (k2, d2) = (COUPLING_PER_NM * COUPLING_PER_NM, detuning * detuning);
    let s2 = k2 - d2;
    if s2.abs() < k2 * 1e-9 {
        let x = k2 * LENGTH_NM * LENGTH_NM;
        return x / (1.0 + x);
    }
    let root = s2.abs().sqrt() * LENGTH_NM;
    // Outside the stop band s is imaginary, and sinh and cosh become i·sin and cos.
    let (sinh2, cosh2) = if s2 > 0.0 {
        (root.sinh().powi(2), root.cosh().powi(2))
    } else {
        (-root.sin().powi(2), root.cos().powi(2))
    };
    (k2 * sinh2 / (s2 * cosh2 + d2 * sinh2)).clamp(0.0, 1.0)
}

/// One channel of a flat-top filter: a super-Gaussian of order 4 with a 3-dB width of 13 nm.
///
/// T = −IL − 3.01·((λ − λ_c)/6.5 nm)⁸ dB, down to an isolation of 45 dB.
fn flat_top_db(nm: f64, centre_nm: f64) -> f64 {
    const LOSS_DB: f64 = 0.8;
    const ISOLATION_DB: f64 = 45.0;
    let steepness = 10.0 * 2f64.log10() * ((nm - centre_nm) / 6.5).powi(8);
    -LOSS_DB - steepness.min(ISOLATION_DB)
}

/// Two grating couplers in a row, each parabolic in dB: 4 dB at 1552 nm and 3 dB more 20 nm away from it.
fn loopback_db(nm: f64) -> f64 {
    let off_centre = (nm - 1552.0) / 20.0;
    -2.0 * (4.0 + 3.0 * off_centre * off_centre).min(40.0)
}

#[cfg(test)]
mod tests {
    use super::super::optics::decibels;
    use super::*;

    fn dips(device: &Device, from_nm: f64, to_nm: f64) -> Vec<f64> {
        let at = |i: u32| from_nm + f64::from(i) * 0.005;
        let level = |i| decibels(device.transmission(1, at(i)));
        let last = ((to_nm - from_nm) / 0.005) as u32;
        (1..last)
            .filter(|i| level(*i) < level(i - 1) && level(*i) <= level(i + 1) && level(*i) < -13.0)
            .map(at)
            .collect()
    }

    #[test]
    fn the_ring_resonates_where_its_round_trip_is_a_whole_number_of_waves() {
        let found = dips(&Device::Ring, 1520.0, 1580.0);
        assert!(found.len() >= 6, "{found:?}");
        for nm in &found {
            let waves = TE.index_at(*nm) * 2.0 * PI * 10_000.0 / nm;
            assert!((waves - waves.round()).abs() < 1e-3, "{nm}");
        }
        // FSR = λ²/(n_g·L)
        let spacing = found[3] - found[2];
        let expected = found[2] * found[3] / (TE.group_index * 2.0 * PI * 10_000.0);
        assert!((spacing - expected).abs() < 0.05, "{spacing} {expected}");
        assert!(!dips(&Device::Ring, 1270.0, 1350.0).is_empty());
    }

    #[test]
    fn no_device_gives_more_than_it_gets() {
        let devices = ["ring", "ring-tm", "mach-zehnder", "bragg", "filter", "loopback", "open"];
        for device in devices.map(|name| Device::load(name).unwrap()) {
            for step in 0..8000 {
                let nm = 1240.0 + f64::from(step) * 0.05;
                let total: f64 = (1..=4).map(|output| device.transmission(output, nm)).sum();
                assert!(total <= 1.0, "{device:?} at {nm} nm: {total}");
            }
        }
    }

    #[test]
    fn the_grating_stops_its_band_and_the_filter_passes_its_own() {
        let grating = |nm| decibels(Device::Bragg.transmission(1, nm));
        assert!(grating(1550.0) < -20.0 && grating(1560.0) > -1.5);
        let filter = |output, nm| decibels(Device::Filter.transmission(output, nm));
        assert!((filter(2, 1551.0) + 0.8).abs() < 1e-9);
        assert!((filter(2, 1551.0 + 6.5) + 3.81).abs() < 0.01);
        assert!(filter(2, 1531.0) < -40.0);
    }
}
