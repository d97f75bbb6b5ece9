//! The operations that set something: each command is confirmed, and each setting is read back.

use serde_json::{Map, Value, json};

use super::Bench;
use crate::commands::{Present, commands};
use crate::instrument::scpi::Query;
use crate::operation::{ConfigureDetector, ConfigureLaser, ConfigureScan, ConfigureTls, Operation};
use crate::run::explain::check_range;
use crate::step::{Fault, FaultKind, Outcome};

/// The settings that an operation has read back.
struct ReadBack {
    settings: Map<String, Value>,
}

impl ReadBack {
    fn new() -> Self {
        Self { settings: Map::new() }
    }

    /// Keeps a value that was read back. If the instrument has taken another value than the one asked for, and has reported
    /// no error, that is a fault: the measurement would not be what was asked for.
    fn number(&mut self, name: &str, asked: Option<f64>, found: f64, tolerance: f64) -> Result<(), Fault> {
        self.settings.insert(name.to_owned(), json!(found));
        match asked {
            Some(asked) if (asked - found).abs() > tolerance => Err(Fault::new(
                FaultKind::Instrument,
                format!("`{name}` was set to {asked}, but reads back as {found}"),
            )),
            _ => Ok(()),
        }
    }

    fn keep(&mut self, name: &str, value: impl serde::Serialize) {
        self.settings.insert(name.to_owned(), json!(value));
    }

    fn outcome(self) -> Outcome {
        Outcome::Settings(self.settings)
    }
}

/// Half the finest step of the instrument.
const WAVELENGTH_TOLERANCE_NM: f64 = 1e-5;

impl Bench {
    /// Sends the operation's commands; each is confirmed before the next.
    pub(in crate::run) async fn send(&self, operation: &Operation) -> Result<(), Fault> {
        let present = match operation.traits().scan {
            Some(_) => Present {
                stabilization: self.instrument.ask(&Query::stabilization()).await?,
                scan_start_nm: self.instrument.ask(&Query::scan_start_nm()).await?,
                scan_stop_nm: self.instrument.ask(&Query::scan_stop_nm()).await?,
            },
            None => Present::default(),
        };
        for action in commands(operation, &present) {
            self.heartbeat.beat();
            self.instrument.act(&action).await?;
        }
        Ok(())
    }

    pub(in crate::run) async fn configure_laser(
        &mut self,
        operation: &Operation,
        fields: &ConfigureLaser,
    ) -> Result<Outcome, Fault> {
        let laser = fields.laser.get();
        if let Err(fault) = self.send(operation).await {
            return Err(self.name_laser(laser, fault).await);
        }
        let mut back = ReadBack::new();
        back.number(
            "power_dbm",
            fields.power_dbm.map(|p| p.get()),
            self.ask(Query::laser_power_dbm(laser)).await?,
            0.01,
        )?;
        let nm = self.ask(Query::laser_wavelength_nm(laser)).await?;
        back.number("wavelength_nm", fields.wavelength_nm.map(|nm| nm.get()), nm, WAVELENGTH_TOLERANCE_NM)?;
        let on = self.ask(Query::laser_output(laser)).await?;
        if fields.output.is_some_and(|asked| asked != on) {
            let state = if on { "on" } else { "off" };
            return Err(Fault::new(
                FaultKind::Instrument,
                format!("laser {laser} was switched, but it is still {state}"),
            ));
        }
        back.keep("output", on);
        if fields.fbc {
            // Not every unit may answer the query.
            let found = self.instrument.probe(&Query::feedback_laser()).await?;
            if let Some(found) = found.filter(|found| *found != laser) {
                let message = format!("laser {laser} was selected, but laser {found} is");
                return Err(Fault::new(FaultKind::Instrument, message));
            }
            back.keep("fbc", true);
        }
        Ok(back.outcome())
    }

    pub(in crate::run) async fn configure_tls(
        &mut self,
        operation: &Operation,
        fields: &ConfigureTls,
    ) -> Result<Outcome, Fault> {
        let tls = fields.tls.get();
        if let Err(fault) = self.send(operation).await {
            return Err(self.name_laser_of_tls(tls, fields.laser.map(|laser| laser.get()), fault).await);
        }
        let mut back = ReadBack::new();
        let asked = fields.laser.map(|laser| f64::from(laser.get()));
        back.number("laser", asked, f64::from(self.ask(Query::tls_laser(tls)).await?), 0.0)?;
        let nm = self.ask(Query::tls_start_nm(tls)).await?;
        back.number("start_nm", fields.start_nm.map(|nm| nm.get()), nm, WAVELENGTH_TOLERANCE_NM)?;
        let nm = self.ask(Query::tls_stop_nm(tls)).await?;
        back.number("stop_nm", fields.stop_nm.map(|nm| nm.get()), nm, WAVELENGTH_TOLERANCE_NM)?;
        let speed = self.ask(Query::tls_speed_nm_s(tls)).await?;
        back.number("speed_nm_s", fields.speed_nm_s.map(|speed| speed.get()), speed, 0.01)?;
        back.number(
            "power_dbm",
            fields.power_dbm.map(|p| p.get()),
            self.ask(Query::tls_power_dbm(tls)).await?,
            0.01,
        )?;
        if let Some(trigger_in) = self.instrument.tls_trigger(tls).await? {
            back.keep("trigger_in", trigger_in);
        }
        Ok(back.outcome())
    }

    pub(in crate::run) async fn configure_scan(&self, fields: &ConfigureScan) -> Result<Outcome, Fault> {
        if let Some((start, stop)) = fields.start_nm.zip(fields.stop_nm) {
            check_range(start.get(), stop.get())?;
        }
        if *fields != ConfigureScan::default() {
            self.send(&Operation::ConfigureScan(fields.clone())).await?;
        }
        let mut back = ReadBack::new();
        let nm = self.ask(Query::scan_start_nm()).await?;
        back.number("start_nm", fields.start_nm.map(|nm| nm.get()), nm, WAVELENGTH_TOLERANCE_NM)?;
        let nm = self.ask(Query::scan_stop_nm()).await?;
        back.number("stop_nm", fields.stop_nm.map(|nm| nm.get()), nm, WAVELENGTH_TOLERANCE_NM)?;
        let pm = self.ask(Query::resolution_pm()).await?;
        back.number("resolution_pm", fields.resolution_pm.map(|pm| pm.get()), pm, 1e-3)?;
        let stabilization = self.ask(Query::stabilization()).await?;
        back.number("stabilization_s", fields.stabilization_s.map(|s| s.get()), stabilization.seconds, 0.05)?;
        back.keep("keep_lasers_on", stabilization.output);
        Ok(back.outcome())
    }

    pub(in crate::run) async fn configure_detector(
        &mut self,
        operation: &Operation,
        fields: &ConfigureDetector,
    ) -> Result<Outcome, Fault> {
        let detector = fields.detector;
        self.send(operation).await?;
        let mut back = ReadBack::new();
        back.keep("power_unit", self.power_unit(detector, fields.power_unit).await?);
        back.keep("spectral_unit", self.ask(Query::spectral_unit(detector)).await?);
        // A detector of photocurrent has no calibration wavelength.
        if let Some(nm) = self.instrument.probe(&Query::detector_wavelength_nm(detector)).await? {
            let asked = fields.wavelength_nm.map(|nm| nm.get());
            back.number("wavelength_nm", asked, nm, WAVELENGTH_TOLERANCE_NM)?;
        }
        back.keep("trigger_in", self.ask(Query::detector_trigger(detector)).await?);
        if let Some(output) = fields.analog_output.map(|output| output.get()) {
            // Not every unit may answer the query.
            let found = self.instrument.probe(&Query::analog_output(output)).await?.flatten();
            if let Some(found) = found.filter(|found| *found != detector) {
                let message = format!("analog output {output} was set to {detector}, but follows {found}");
                return Err(Fault::new(FaultKind::Instrument, message));
            }
            back.keep("analog_output", output);
        }
        Ok(back.outcome())
    }
}
