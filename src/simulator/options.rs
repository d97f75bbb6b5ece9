//! What the embedded instrument can be told to be like.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::device::Device;
use super::faults::FaultSpec;

/// Whether sweeps differ from each other.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Noise {
    /// Every sweep has noise of its own; the sequence repeats with the seed.
    #[default]
    Fresh,
    /// The same settings give the same samples, whatever came before.
    BySettings,
}

/// What follows a binary block on the wire.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum BlockEnd {
    /// Nothing, as real units do.
    #[default]
    None,
    /// A line end.
    Crlf,
}

/// What is in the optical path.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OpticalPath {
    /// A patch cord.
    #[default]
    PatchCord,
    /// The device under test.
    Device,
}

/// What the other settings of a TLS become when it is given another laser. Public programs contradict each other.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Identifier {
    /// They stay.
    #[default]
    Keeps,
    /// They become the defaults of the new laser.
    Resets,
}

/// What a scan does that the ranges of the TLSs do not cover.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TlsRange {
    /// It sweeps what the scan's limits and the TLSs both allow.
    #[default]
    Overlap,
    /// It does not start.
    Refuse,
}

/// What a power query is answered while a scan is under way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum PowerInScan {
    /// The power of that moment.
    #[default]
    Answered,
    /// It is refused with -221.
    Refused,
}

/// Whether `SYSTem:ANLG:OUT:SOURce m,c` has a reply.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AnalogOutput {
    /// It has none.
    #[default]
    Silent,
    /// It answers with the detector.
    Answers,
}

/// What power and wavelength of a laser are after a scan with it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LasersAfterScan {
    /// Those that were set for static control.
    #[default]
    AsSet,
    /// Those that the scan ended with.
    Actual,
}

/// Options of the embedded instrument: those of `ctp10 simulate`, and of `simulator:` in a recipe.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SimulatorOptions {
    /// The device under test: ring, mach-zehnder, bragg, filter, loopback, or a CSV file with `wavelength_nm,transmission_db`.
    pub dut: String,
    /// Seed of the noise.
    pub seed: u64,
    /// Whether sweeps differ from each other.
    pub noise: Noise,
    /// Factor on all durations: 0.1 makes sweeps ten times shorter.
    #[schemars(range(min = 0.0))]
    pub time_scale: f64,
    /// Delay before each reply, ms.
    #[schemars(range(min = 0.0))]
    pub latency_ms: f64,
    /// Limit on what is sent, bytes per second.
    pub bandwidth: Option<f64>,
    /// How many clients may be connected at once.
    pub max_connections: usize,
    /// What follows a binary block.
    pub block_end: BlockEnd,
    /// Gives every trace this many points, whatever the settings say.
    pub points: Option<u64>,
    /// What a reference scan sees.
    pub reference_path: OpticalPath,
    /// Whether lasers stay on after a scan as long as `INITiate:STABilization` has not been set: 0 or 1.
    #[serde(deserialize_with = "switch")]
    #[schemars(with = "Switch")]
    pub stabilization_output: bool,
    /// What another laser does to the other settings of a TLS.
    pub identifier: Identifier,
    /// What a scan does that the ranges of the TLSs do not cover.
    pub tls_range: TlsRange,
    /// What a power query is answered while a scan is under way.
    pub power_in_scan: PowerInScan,
    /// What power and wavelength of a laser are after a scan with it.
    pub lasers_after_scan: LasersAfterScan,
    /// Whether routing an analog output has a reply.
    pub analog_output: AnalogOutput,
    /// Is a Distributed CTP10: its lasers belong to a Controller.
    pub distributed: bool,
    /// Starts with a trace and a reference of every detector in memory.
    pub preload: bool,
    /// Positions of the detector modules, 1 to 20. A module 4 is an IL RL OPM2; the others are plain.
    pub modules: Vec<u8>,
    /// How many detectors a plain module has, 1 to 6.
    #[schemars(range(min = 1, max = 6))]
    pub channels: u8,
    /// What goes wrong, and when: `drop@trace`, `late@57=8`, `random@7`.
    pub faults: Vec<FaultSpec>,
    /// Writes every command received, with its time, and every fault to this file.
    pub log: Option<PathBuf>,
}

impl Default for SimulatorOptions {
    fn default() -> Self {
        Self {
            dut: "ring".to_owned(),
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
    /// Checks the numbers, and that there is such a device.
    ///
    /// # Errors
    /// The first option that makes no sense, with what is allowed.
    pub fn check(&self) -> Result<(), String> {
        Device::load(&self.dut)?;
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
        Ok(())
    }

    fn has_twice(&self, module: u8) -> bool {
        self.modules.iter().filter(|other| **other == module).count() > 1
    }
}

/// A switch, as people or as the instrument write it.
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
