//! A summary of the instrument: the condition register and its lasers.

use std::collections::BTreeSet;

use super::scpi::{Condition, Identity, Query};
use super::{Ctp10, Error, TLS};

/// A summary of the instrument: the condition register and its lasers.
#[derive(Debug, Clone, PartialEq)]
pub struct InstrumentStatus {
    /// The condition register.
    pub condition: Condition,
    /// The lasers that are assigned to a TLS of the scan.
    pub lasers: Vec<LaserStatus>,
    /// The numbers of such lasers that do not reply. It is not known whether they are on.
    pub silent: Vec<u8>,
}

/// The state of one laser.
#[derive(Debug, Clone, PartialEq)]
pub struct LaserStatus {
    /// Number of the laser.
    pub laser: u8,
    /// Identity of the laser.
    pub identity: Identity,
    /// Whether the output is on.
    pub on: bool,
    /// Power in static control, dBm.
    pub power_dbm: f64,
    /// Wavelength in static control, nm.
    pub wavelength_nm: f64,
}

impl Ctp10 {
    /// Reads the condition register and the lasers that are assigned to a TLS. Other lasers are not read: an absent
    /// laser would cost a time-out.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn status(&self) -> Result<InstrumentStatus, Error> {
        let condition = self.condition().await?;
        let mut numbers = BTreeSet::new();
        for tls in TLS {
            numbers.insert(self.ask(&Query::tls_laser(tls)).await?);
        }
        let (mut lasers, mut silent) = (Vec::new(), Vec::new());
        for laser in numbers.into_iter().filter(|laser| *laser > 0) {
            let Some(identity) = self.probe(&Query::laser_identity(laser)).await? else {
                silent.push(laser);
                continue;
            };
            lasers.push(LaserStatus {
                laser,
                identity,
                on: self.ask(&Query::laser_output(laser)).await?,
                power_dbm: self.ask(&Query::laser_power_dbm(laser)).await?,
                wavelength_nm: self.ask(&Query::laser_wavelength_nm(laser)).await?,
            });
        }
        Ok(InstrumentStatus { condition, lasers, silent })
    }
}
