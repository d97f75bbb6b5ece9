//! Reads settings from the instrument.

use super::Setting;
use crate::instrument::scpi::{Action, Query, Stabilization};
use crate::instrument::{Ctp10, Error};

impl Ctp10 {
    /// Reads the present value of a setting; `None` if the unit does not have this setting.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn read_setting(&self, setting: Setting) -> Result<Option<Action>, Error> {
        Ok(Some(match setting {
            Setting::ScanMode => {
                let mode = self.probe(&Query::scan_mode()).await?;
                return Ok(mode.map(|continuous| Action::SetScanMode { continuous }));
            }
            Setting::ScanStart => Action::SetScanStart { nm: self.ask(&Query::scan_start_nm()).await? },
            Setting::ScanStop => Action::SetScanStop { nm: self.ask(&Query::scan_stop_nm()).await? },
            Setting::Resolution => Action::SetResolution { pm: self.ask(&Query::resolution_pm()).await? },
            Setting::Stabilization => {
                let Stabilization { output, seconds } = self.ask(&Query::stabilization()).await?;
                Action::SetStabilization { output, seconds }
            }
            Setting::TlsLaser(tls) => {
                Action::SetTlsLaser { tls, laser: self.ask(&Query::tls_laser(tls)).await? }
            }
            Setting::TlsStart(tls) => {
                Action::SetTlsStart { tls, nm: self.ask(&Query::tls_start_nm(tls)).await? }
            }
            Setting::TlsStop(tls) => {
                Action::SetTlsStop { tls, nm: self.ask(&Query::tls_stop_nm(tls)).await? }
            }
            Setting::TlsSpeed(tls) => {
                Action::SetTlsSpeed { tls, nm_s: self.ask(&Query::tls_speed_nm_s(tls)).await? }
            }
            Setting::TlsPower(tls) => {
                Action::SetTlsPower { tls, dbm: self.ask(&Query::tls_power_dbm(tls)).await? }
            }
            Setting::TlsTrigger(tls) => {
                let trigger = self.tls_trigger(tls).await?;
                return Ok(trigger.map(|trigger| Action::SetTlsTrigger { tls, trigger }));
            }
            Setting::LaserPower(laser) => {
                let dbm = self.probe(&Query::laser_power_dbm(laser)).await?;
                return Ok(dbm.map(|dbm| Action::SetLaserPower { laser, dbm }));
            }
            Setting::LaserWavelength(laser) => {
                let nm = self.probe(&Query::laser_wavelength_nm(laser)).await?;
                return Ok(nm.map(|nm| Action::SetLaserWavelength { laser, nm }));
            }
            Setting::LaserOutput(laser) => {
                let on = self.probe(&Query::laser_output(laser)).await?;
                return Ok(on.map(|on| Action::SetLaserOutput { laser, on }));
            }
            Setting::PowerUnit(detector) => {
                let unit = self.probe(&Query::power_unit(detector)).await?;
                return Ok(unit.map(|unit| Action::SetPowerUnit { detector, unit }));
            }
            Setting::SpectralUnit(detector) => {
                let unit = self.probe(&Query::spectral_unit(detector)).await?;
                return Ok(unit.map(|unit| Action::SetSpectralUnit { detector, unit }));
            }
            Setting::DetectorWavelength(detector) => {
                let nm = self.probe(&Query::detector_wavelength_nm(detector)).await?;
                return Ok(nm.map(|nm| Action::SetDetectorWavelength { detector, nm }));
            }
            Setting::FeedbackLaser => {
                let laser = self.probe(&Query::feedback_laser()).await?;
                return Ok(laser.map(|laser| Action::SetFeedbackLaser { laser }));
            }
            Setting::AnalogOutput(output) => {
                let detector = self.probe(&Query::analog_output(output)).await?.flatten();
                return Ok(detector.map(|detector| Action::SetAnalogOutput { output, detector }));
            }
            Setting::DetectorTrigger(detector) => {
                let trigger = self.probe(&Query::detector_trigger(detector)).await?;
                return Ok(trigger.map(|trigger| Action::SetDetectorTrigger { detector, trigger }));
            }
        }))
    }
}
