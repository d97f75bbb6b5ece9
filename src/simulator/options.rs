//! The options of the simulator.

use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::chip::SharedChip;
use super::device::Device;
use super::faults::FaultSpec;
use super::hardware::{IL_RL_OPM2, model, model_names};
use super::part::Part;
use super::switch::OUTPUTS;

/// Time constant of the temperature of the chip.
const SETTLING_TIME: Duration = Duration::from_secs(5);

/// Whether each sweep has new noise.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Noise {
    /// Each sweep has new noise; the same seed gives the same sequence.
    #[default]
    Fresh,
    /// The same settings give the same samples, independent of earlier sweeps.
    BySettings,
}

/// Characters after a binary block.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum BlockEnd {
    /// Nothing, as with real units.
    #[default]
    None,
    /// A line end.
    Crlf,
}

/// The optical path.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OpticalPath {
    /// A patch cord.
    #[default]
    PatchCord,
    /// The device under test.
    Device,
}

/// What happens to the other settings of a TLS if its laser changes. Public programs contradict each other.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Identifier {
    /// They stay.
    #[default]
    Keeps,
    /// They are reset to the defaults of the new laser.
    Resets,
}

/// What happens if the ranges of the TLSs do not cover a scan.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TlsRange {
    /// The scan sweeps the overlap of its range and the ranges of the TLSs.
    #[default]
    Overlap,
    /// The scan is refused.
    Refuse,
}

/// Whether a power query during a scan is answered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum PowerInScan {
    /// The reply is the present power.
    #[default]
    Answered,
    /// The query is refused with -221.
    Refused,
}

/// Whether `SYSTem:ANLG:OUT<k>:SOURce m,c` has a reply.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AnalogOutput {
    /// There is no reply.
    #[default]
    Silent,
    /// The reply is the detector.
    Answers,
}

/// The effect of `CTP:SENSe:FBC <laser>`, whose meaning is not public.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum FeedbackSelection {
    /// None: the light of all lasers that are on reaches the output.
    #[default]
    Ignored,
    /// Only the light of this laser reaches the output in static control.
    Selects,
}

/// Power and wavelength of a laser after a scan.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LasersAfterScan {
    /// Those that were set for static control.
    #[default]
    AsSet,
    /// Those that the scan ended with.
    Actual,
}

/// Options of the simulator: those of `ctp10 simulate`, and of `simulator:` in a recipe.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SimulatorOptions {
    /// The device under test: ring, ring-tm (the same ring in TM polarisation), mach-zehnder, bragg, filter, loopback,
    /// open (no light arrives), or a CSV file with `wavelength_nm,transmission_db`.
    pub dut: String,
    /// Whether there is a source-meter, `smu`. It drives a heater that shifts the spectrum of the device.
    pub smu: bool,
    /// Whether there is an optical switch with four outputs, `switch`. It decides which device is in the path.
    pub switch: bool,
    /// Whether there is a thermostat, `thermostat`. It shifts the spectrum of the device.
    pub thermostat: bool,
    /// The devices at the outputs 2 to 4 of the switch. Output 1 leads to `dut`.
    #[schemars(length(max = 3))]
    pub switch_devices: Vec<String>,
    /// Seed of the noise. The same seed gives the same noise.
    pub seed: u64,
    /// Whether each sweep has new noise.
    pub noise: Noise,
    /// Factor for all durations: with 0.1 sweeps are ten times shorter.
    #[schemars(range(min = 0.0))]
    pub time_scale: f64,
    /// Delay before each reply, in ms.
    #[schemars(range(min = 0.0))]
    pub latency_ms: f64,
    /// Largest rate of sent data, in bytes per second.
    pub bandwidth: Option<f64>,
    /// Largest number of clients that are connected at the same time.
    pub max_connections: usize,
    /// Characters after a binary block.
    pub block_end: BlockEnd,
    /// Number of points of every trace, independent of the settings.
    pub points: Option<u64>,
    /// Light path during a reference scan.
    pub reference_path: OpticalPath,
    /// Whether lasers stay on after a scan if `INITiate:STABilization` has never been set: 0 or 1.
    #[serde(deserialize_with = "switch")]
    #[schemars(with = "Switch")]
    pub stabilization_output: bool,
    /// What happens to the other settings of a TLS if its laser changes.
    pub identifier: Identifier,
    /// What happens if the ranges of the TLSs do not cover a scan.
    pub tls_range: TlsRange,
    /// Whether a power query during a scan is answered.
    pub power_in_scan: PowerInScan,
    /// Power and wavelength of a laser after a scan.
    pub lasers_after_scan: LasersAfterScan,
    /// Whether `SYSTem:ANLG:OUT<k>:SOURce m,c` has a reply.
    pub analog_output: AnalogOutput,
    /// Whether `CTP:SENSe:FBC <laser>` selects the laser whose light reaches the output in static control.
    pub fbc: FeedbackSelection,
    /// Models of the lasers, in the order of their numbers: T100S-HP, T200S-O-M, T500S, mSWS.
    pub lasers: Vec<String>,
    /// Each laser of a scan after the first one emits this much less power than was set, in dB. Reference scans are
    /// not affected, as if the lasers had drifted since then.
    #[schemars(range(min = 0.0, max = 20.0))]
    pub seam_db: f64,
    /// Number of sweeps of a reference scan: 1 (TF) or 4 (TF/PDL).
    pub reference_sweeps: u8,
    /// Trace types that the simulator has in addition to 1, 11, 12 and 13. Types 2 to 10 return the values of type 1,
    /// types 14 to 23 those of type 11.
    pub trace_types: Vec<u8>,
    /// Modules that measure photocurrent: they have no `POWer?` and no `WAVelength`.
    pub photocurrent: Vec<u8>,
    /// Simulates a Distributed CTP10, whose lasers belong to a Controller.
    pub distributed: bool,
    /// Starts with a trace and a reference of every detector in memory.
    pub preload: bool,
    /// Positions of the detector modules, 1 to 20. A module 4 is an IL RL OPM2, all others are plain.
    pub modules: Vec<u8>,
    /// Number of detectors of a plain module, 1 to 6.
    #[schemars(range(min = 1, max = 6))]
    pub channels: u8,
    /// Faults to produce: `drop@trace`, `late@57=8`, `random@7`.
    pub faults: Vec<FaultSpec>,
    /// Writes every received command and every fault to this file, with the time.
    pub log: Option<PathBuf>,
}

impl Default for SimulatorOptions {
    fn default() -> Self {
        Self {
            dut: "ring".to_owned(),
            smu: false,
            switch: false,
            thermostat: false,
            switch_devices: ["ring-tm", "mach-zehnder", "loopback"].map(str::to_owned).to_vec(),
            seed: 1,
            noise: Noise::Fresh,
            time_scale: 1.0,
            latency_ms: 0.0,
            bandwidth: None,
            max_connections: 8,
            block_end: BlockEnd::None,
            points: None,
            reference_path: OpticalPath::PatchCord,
            stabilization_output: false,
            identifier: Identifier::Keeps,
            tls_range: TlsRange::Overlap,
            power_in_scan: PowerInScan::Answered,
            lasers_after_scan: LasersAfterScan::AsSet,
            analog_output: AnalogOutput::Silent,
            fbc: FeedbackSelection::Ignored,
            lasers: vec!["T100S-HP".to_owned(), "T200S-O-M".to_owned()],
            seam_db: 0.0,
            reference_sweeps: 1,
            trace_types: Vec::new(),
            photocurrent: Vec::new(),
            distributed: false,
            preload: false,
            modules: vec![4, 5],
            channels: 4,
            faults: Vec::new(),
            log: None,
        }
    }
}

impl SimulatorOptions {
    /// Checks the numbers and the name of the device.
    ///
    /// # Errors
    /// The first option that is not valid, with the allowed values.
    pub fn check(&self) -> Result<(), String> {
        self.devices()?;
        let refuse = |name: &str, given: &dyn std::fmt::Display, allowed: &str| {
            Err(format!("simulator option {name} `{given}` is not allowed ({allowed})"))
        };
        if !(self.time_scale > 0.0 && self.time_scale <= 1000.0) {
            return refuse("time_scale", &self.time_scale, "more than 0, at most 1000");
        }
        if !(0.0..=60_000.0).contains(&self.latency_ms) {
            return refuse("latency_ms", &self.latency_ms, "0 to 60000");
        }
        if let Some(bandwidth) = self.bandwidth
            && !(bandwidth >= 1.0 && bandwidth.is_finite())
        {
            return refuse("bandwidth", &bandwidth, "at least 1 byte per second");
        }
        if self.max_connections == 0 {
            return refuse("max_connections", &0, "at least 1");
        }
        if let Some(points) = self.points
            && !(2..=100_000_000).contains(&points)
        {
            return refuse("points", &points, "2 to 100000000");
        }
        if let Some(module) = self.modules.iter().find(|module| !(1..=20).contains(*module)) {
            return refuse("modules", module, "1 to 20");
        }
        if let Some(module) = self.modules.iter().find(|module| self.has_twice(**module)) {
            return refuse("modules", module, "each position once");
        }
        if self.modules.is_empty() {
            return refuse("modules", &"[]", "at least one module");
        }
        if !(1..=6).contains(&self.channels) {
            return refuse("channels", &self.channels, "1 to 6");
        }
        if let Some(name) = self.lasers.iter().find(|name| model(name).is_none()) {
            return refuse("lasers", name, &model_names());
        }
        if self.lasers.len() > 10 {
            return refuse("lasers", &format!("{} lasers", self.lasers.len()), "at most 10");
        }
        if !(0.0..=20.0).contains(&self.seam_db) {
            return refuse("seam_db", &self.seam_db, "0 to 20");
        }
        if ![1, 4].contains(&self.reference_sweeps) {
            return refuse("reference_sweeps", &self.reference_sweeps, "1 or 4");
        }
        if let Some(kind) = self.trace_types.iter().find(|kind| !matches!(kind, 2..=10 | 14..=23)) {
            return refuse("trace_types", kind, "2 to 10, 14 to 23");
        }
        if let Some(module) = self.photocurrent.iter().find(|module| !self.modules.contains(*module)) {
            return refuse("photocurrent", module, "a module of `modules`");
        }
        if self.photocurrent.contains(&IL_RL_OPM2) {
            return refuse("photocurrent", &IL_RL_OPM2, "another module: module 4 is an IL RL OPM2");
        }
        let absent = |part| match part {
            Part::Ctp10 => false,
            Part::Smu => !self.smu,
            Part::Switch => !self.switch,
            Part::Thermostat => !self.thermostat,
        };
        match self.faults.iter().find(|fault| absent(fault.part())) {
            Some(fault) => {
                Err(format!("fault `{fault}`: there is no {} without the option `{0}`", fault.part().name()))
            }
            None => Ok(()),
        }
    }

    /// The devices at the outputs of the switch. Without a switch, the first one is always in the path.
    fn devices(&self) -> Result<Vec<Device>, String> {
        if self.switch_devices.len() >= usize::from(OUTPUTS) {
            let given = self.switch_devices.len();
            return Err(format!(
                "simulator option switch_devices has {given} devices (at most {})",
                OUTPUTS - 1
            ));
        }
        std::iter::once(&self.dut).chain(&self.switch_devices).map(|name| Device::load(name)).collect()
    }

    /// The chip with these devices.
    pub(super) fn chip(&self) -> Result<SharedChip, String> {
        Ok(SharedChip::new(self.devices()?, SETTLING_TIME.mul_f64(self.time_scale)))
    }

    fn has_twice(&self, module: u8) -> bool {
        self.modules.iter().filter(|other| **other == module).count() > 1
    }
}

/// A switch, written as in YAML or as for the instrument.
#[derive(Deserialize, JsonSchema)]
#[serde(untagged, expecting = "expected 0 or 1, true or false")]
enum Switch {
    Bool(bool),
    Number(#[schemars(range(max = 1))] u8),
}

fn switch<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    match Switch::deserialize(deserializer)? {
        Switch::Bool(on) => Ok(on),
        Switch::Number(number @ 0..=1) => Ok(number == 1),
        Switch::Number(other) => Err(serde::de::Error::custom(format!("`{other}` is not allowed (0 or 1)"))),
    }
}
