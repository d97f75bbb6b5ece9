//! The lasers that an operation sets or uses.

/// The lasers that an operation sets or uses.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Lasers {
    /// No laser.
    None,
    /// One laser in static control.
    Static {
        /// Which laser.
        laser: u8,
        /// The optical output, if the operation switches it.
        output: Option<bool>,
        /// What the laser must be able to do.
        demand: LaserDemand,
    },
    /// The laser that serves as one TLS of the scan.
    Source {
        /// Which TLS.
        tls: u8,
        /// The laser that the operation puts into the scan as this TLS; 0 for none.
        laser: Option<u8>,
        /// What the laser must be able to do.
        demand: LaserDemand,
    },
    /// All lasers of the scan.
    OfScan,
    /// Any laser: nobody knows which one.
    Any,
}

/// What an operation demands of a laser.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct LaserDemand {
    /// Power, dBm.
    pub power_dbm: Option<f64>,
    /// Sweep speed, nm/s.
    pub speed_nm_s: Option<f64>,
    /// Static wavelength, nm.
    pub wavelength_nm: Option<f64>,
    /// Start wavelength of a sweep, nm.
    pub start_nm: Option<f64>,
    /// Stop wavelength of a sweep, nm.
    pub stop_nm: Option<f64>,
    /// Trigger input that starts a sweep.
    pub trigger_in: Option<u8>,
}

impl LaserDemand {
    /// All wavelengths, nm.
    pub fn wavelengths_nm(&self) -> impl Iterator<Item = f64> {
        [self.wavelength_nm, self.start_nm, self.stop_nm].into_iter().flatten()
    }
}

impl Lasers {
    /// The laser that the operation names.
    #[must_use]
    pub fn named(&self) -> Option<u8> {
        match self {
            Self::Static { laser, .. } => Some(*laser),
            Self::Source { laser, .. } => laser.filter(|laser| *laser > 0),
            Self::None | Self::OfScan | Self::Any => None,
        }
    }

    /// The laser in static control whose output the operation switches.
    #[must_use]
    pub fn switched(&self) -> Option<u8> {
        match self {
            Self::Static { laser, output, .. } => output.map(|_| *laser),
            Self::None | Self::Source { .. } | Self::OfScan | Self::Any => None,
        }
    }
}
