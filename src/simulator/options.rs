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
        match self.points {
            Some(points) if !(2..=100_000_000).contains(&points) => {
                refuse("points", &points, "2 to 100000000")
            }
            _ => Ok(()),
        }
    }
}
