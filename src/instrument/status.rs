//! The instrument at a glance: what it is doing, and its lasers.

use std::collections::BTreeSet;

use super::scpi::{Condition, Identity, Query};
use super::{Ctp10, Error, TLS};

/// What the instrument is doing, and its lasers.
#[derive(Debug, Clone, PartialEq)]
pub struct InstrumentStatus {
    /// The condition register.
    pub condition: Condition,
    /// The lasers that serve as a source of the scan.
    pub lasers: Vec<LaserStatus>,
    /// Those among them that do not answer: whether they are on is not known.
    pub silent: Vec<u8>,
}

/// A laser.
#[derive(Debug, Clone, PartialEq)]
pub struct LaserStatus {
    /// Its number.
    pub laser: u8,
    /// Which it is.
    pub identity: Identity,
    /// Whether its output is on.
    pub on: bool,
    /// Static power, dBm.
    pub power_dbm: f64,
    /// Static wavelength, nm.
    pub wavelength_nm: f64,
}

impl Ctp10 {
    /// Asks for the condition and the lasers that serve as a source: any other one may not be there, and would cost a
    /// time-out.
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
