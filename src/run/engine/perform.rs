//! The single match from an operation to what is done about it, and the operations that set something.

use std::future::Future;

use serde_json::{Map, Value, json};

use crate::commands::{Present, commands};
use crate::instrument::Error;
use crate::instrument::scpi::Query;
use crate::measurement::{Detector, PowerReading};
use crate::operation::{ConfigureDetector, ConfigureLaser, ConfigureScan, ConfigureTls, Operation, Scpi};
use crate::run::engine::Engine;
use crate::run::engine::detectors::DetectorState;
use crate::run::engine::explain::check_range;
use crate::run::events::{Activity, RunEvent};
use crate::step::{Fault, FaultKind, Outcome, Step};

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        let kind = match error {
            Error::Unreachable { .. }
            | Error::Lost { .. }
            | Error::OutOfStep { .. }
            | Error::FateUnknown { .. } => FaultKind::Link,
            Error::OtherInstrument { .. }
            | Error::Refused { .. }
            | Error::Scanning { .. }
            | Error::ScanUnderWay { .. }
            | Error::Implausible { .. }
            | Error::Aborted { .. } => FaultKind::Instrument,
            Error::NoReply { .. } => FaultKind::Timeout,
            Error::DidNotStart { .. } => FaultKind::DidNotStart,
            Error::Forbidden(_) => FaultKind::Refused,
        };
        Self::new(kind, crate::error::chain(&error))
    }
}

/// What was asked of a field and what the instrument says it has now.
struct ReadBack {
    settings: Map<String, Value>,
}

impl ReadBack {
    fn new() -> Self {
        Self { settings: Map::new() }
    }

    /// Keeps what was re-read. A value that the instrument took differently, without a word in its error queue,
    /// is a fault: what was asked for is not what would be measured.
    fn number(&mut self, name: &str, asked: Option<f64>, found: f64, tolerance: f64) -> Result<(), Fault> {
        self.settings.insert(name.to_owned(), json!(found));
        match asked {
            Some(asked) if (asked - found).abs() > tolerance => Err(Fault::new(
                FaultKind::Instrument,
                format!("`{name}` was set to {asked} and reads back as {found}"),
            )),
            _ => Ok(()),
        }
    }

    fn word(&mut self, name: &str, value: impl serde::Serialize) {
        self.settings.insert(name.to_owned(), json!(value));
    }

    fn outcome(self) -> Outcome {
        Outcome::Settings(self.settings)
    }
}

/// Half the finest step of the instrument.
const WAVELENGTH_TOLERANCE_NM: f64 = 1e-5;

impl Engine {
    pub(in crate::run) async fn perform(&mut self, step: &Step) -> Result<Outcome, Fault> {
        let operation = &step.operation;
        match operation {
            Operation::ConfigureLaser(fields) => self.configure_laser(operation, fields).await,
            Operation::ConfigureTls(fields) => self.configure_tls(operation, fields).await,
            Operation::ConfigureScan(fields) => self.configure_scan(fields).await,
            Operation::ConfigureDetector(fields) => self.configure_detector(operation, fields).await,
            Operation::CreateReference(fields) => self.create_reference(fields).await,
            Operation::Sweep(fields) => self.sweep(fields).await,
            Operation::FetchTrace(fields) => match self.fetch_traces(fields).await {
                Err(fault) => Err(self.refused_fetch(fields, fault).await),
                fetched => fetched,
            },
            Operation::ReadPower(fields) => self.read_power(fields).await,
            Operation::Wait(wait) => self.wait(wait).await,
            Operation::Log(log) => {
                self.events.say(RunEvent::Log { message: log.message.clone() })?;
                Ok(Outcome::Done)
            }
            Operation::Prompt(prompt) => self.prompt(prompt).await,
            Operation::Http(http) => self.http(http, step.options.timeout_s).await,
            Operation::Scpi(scpi) => self.scpi(operation, scpi).await,
        }
    }

    /// Sends the operation's commands; each is confirmed before the next.
    async fn send(&self, operation: &Operation) -> Result<(), Fault> {
        let present = match operation.traits().scan {
            Some(_) => Present {
                stabilization: self.instrument.ask(&Query::stabilization()).await?,
                scan_start_nm: self.instrument.ask(&Query::scan_start_nm()).await?,
                scan_stop_nm: self.instrument.ask(&Query::scan_stop_nm()).await?,
            },
            None => Present::default(),
        };
        for action in commands(operation, &present) {
            self.pulse.beat();
            self.instrument.act(&action).await?;
        }
        Ok(())
    }

    async fn configure_laser(
        &mut self,
        operation: &Operation,
        fields: &ConfigureLaser,
    ) -> Result<Outcome, Fault> {
        let laser = fields.laser.get();
        self.claim_lasers([laser])?;
        self.send(operation).await?;
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
                format!("laser {laser} was switched and still is {state}"),
            ));
        }
        back.word("output", on);
        Ok(back.outcome())
    }

    async fn configure_tls(
        &mut self,
        operation: &Operation,
        fields: &ConfigureTls,
    ) -> Result<Outcome, Fault> {
        let tls = fields.tls.get();
        if let Some(laser) = fields.laser.map(|laser| laser.get()).filter(|laser| *laser > 0) {
            self.claim_lasers([laser])?;
        }
        self.send(operation).await?;
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
        back.word("trigger_in", self.ask(Query::tls_trigger(tls)).await?);
        Ok(back.outcome())
    }

    pub(in crate::run) async fn configure_scan(&mut self, fields: &ConfigureScan) -> Result<Outcome, Fault> {
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
        back.word("keep_lasers_on", stabilization.output);
        Ok(back.outcome())
    }

    async fn configure_detector(
        &mut self,
        operation: &Operation,
        fields: &ConfigureDetector,
    ) -> Result<Outcome, Fault> {
        let detector = fields.detector;
        self.send(operation).await?;
        // On some modules a setting of one channel is that of all.
        self.detectors.retain(|known, _| known.module != detector.module);
        let mut back = ReadBack::new();
        back.word("power_unit", self.ask(Query::power_unit(detector)).await?);
        back.word("spectral_unit", self.ask(Query::spectral_unit(detector)).await?);
        let nm = self.ask(Query::detector_wavelength_nm(detector)).await?;
        back.number("wavelength_nm", fields.wavelength_nm.map(|nm| nm.get()), nm, WAVELENGTH_TOLERANCE_NM)?;
        back.word("trigger_in", self.ask(Query::detector_trigger(detector)).await?);
        Ok(back.outcome())
    }

    async fn scpi(&mut self, operation: &Operation, scpi: &Scpi) -> Result<Outcome, Fault> {
        self.session.used_scpi = true;
        if scpi.is_query {
            let query =
                Query::raw(&scpi.text).map_err(|error| Fault::new(FaultKind::Refused, error.to_string()))?;
            return Ok(Outcome::Reply(self.ask(query).await?));
        }
        self.session.all_lasers = true;
        self.detectors.clear();
        self.claim_lasers([])?;
        self.send(operation).await?;
        self.intend(operation, &Outcome::Done);
        self.learn_settings().await?;
        Ok(Outcome::Done)
    }

    /// One power reading, in the detector's own unit.
    pub(in crate::run) async fn power(&mut self, detector: Detector) -> Result<PowerReading, Fault> {
        let DetectorState { unit, calibration_nm } = match self.detectors.get(&detector) {
            Some(known) => *known,
            None => self.look_at_detector(detector).await?,
        };
        let value = self.ask(Query::power(detector)).await?;
        Ok(PowerReading {
            detector,
            value: value.is_finite().then_some(value),
            unit,
            calibration_nm,
            time_s: crate::run::unix_time_s(),
        })
    }

    pub(in crate::run) fn ask<R: Send + 'static>(
        &self,
        query: Query<R>,
    ) -> impl Future<Output = Result<R, Fault>> {
        let instrument = self.instrument.clone();
        self.pulse.beat();
        async move { Ok(instrument.ask(&query).await?) }
    }

    /// Tells watchers how far the step is.
    pub(in crate::run) fn progress(
        &self,
        activity: Activity,
        done: Option<f64>,
        remaining_s: Option<f64>,
    ) -> Result<(), Fault> {
        self.beat()?;
        self.events.say(RunEvent::Progress { number: self.number, activity, done, remaining_s })
    }
}
