//! The embedded simulator: a computed CTP10, and on request the other instruments of a bench. Each of them listens on
//! a TCP port of its own and speaks the wire protocol, so that the driver reaches it in the same way as a real unit. The
//! simulator shares no code with the driver: with two independent implementations, a misreading of the protocol cannot
//! be hidden in both.
//!
//! All identities contain `SIMULATED`. The CTP10 has two lasers: 1 for the C and L band, 2 for the O band. Module 4 is
//! an IL RL OPM2. Module 5 is a plain detector module, and options can add others.
//!
//! Where the protocol leaves a choice, `commands` and `options` decide:
//!
//! - Absent hardware is refused with −241.
//! - During a scan, a setting or a trace is refused with −221, and a second start with −213.
//! - During the analysis, settings are accepted, and commands that need its result wait.
//! - A trace that was never recorded, or a transmission function without a reference, is refused with −230.
//! - The status registers follow IEEE 488.2, compound lines follow SCPI-99.
//!
//! The other instruments are a source-meter (`smu`), an optical switch (`switch`) and a thermostat. They act on the
//! devices by way of `chip`, which is where the CTP10 sees what they do.
//!
//! The faults that can be requested are in `faults`.

mod answer;
mod call;
mod chip;
mod commands;
mod device;
mod errors;
mod faults;
mod grammar;
mod hardware;
mod headers;
mod log;
mod optics;
mod options;
mod output;
mod part;
mod peripheral;
mod registers;
mod scan;
mod server;
mod session;
mod simulated;
mod smu;
mod spectrum;
mod state;
mod status;
mod switch;
mod thermostat;
mod trace;
mod transfer;
mod value;
mod vocabulary;

use std::net::{Ipv4Addr, SocketAddr};

use chip::SharedChip;
pub use faults::{BadFault, FaultSpec};
use log::CommandLog;
pub use options::{
    AnalogOutput, BlockEnd, Identifier, LasersAfterScan, Noise, OpticalPath, PowerInScan, SimulatorOptions,
    TlsRange,
};
use part::Part;
use peripheral::{Model, Peripheral};
use server::Server;
use smu::Smu;
use state::SimulatorState;
use switch::Switch;
use thermostat::Thermostat;

/// Why the simulator did not start.
#[derive(Debug, thiserror::Error)]
pub enum SimulatorError {
    /// An option is not valid.
    #[error("{0}")]
    Option(String),
    /// The port cannot be opened.
    #[error("cannot listen on `{address}`")]
    Listen {
        /// The address that was given.
        address: String,
        /// The reason.
        source: std::io::Error,
    },
    /// The command log cannot be created.
    #[error("cannot create the command log")]
    Log(#[source] std::io::Error),
}

/// The addresses on which the simulated instruments listen. With port 0, the system chooses a free port.
#[derive(Debug, Clone)]
pub struct Listen {
    /// Of the CTP10.
    pub ctp10: String,
    /// Of the source-meter, if the options contain one.
    pub smu: String,
    /// Of the optical switch, if the options contain one.
    pub switch: String,
    /// Of the thermostat, if the options contain one.
    pub thermostat: String,
}

impl Default for Listen {
    /// Free ports of this computer, which no other computer can reach.
    fn default() -> Self {
        let free = || SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).to_string();
        Self { ctp10: free(), smu: free(), switch: free(), thermostat: free() }
    }
}

/// A running simulator. It stops when it is dropped.
#[derive(Debug)]
pub struct Simulator {
    ctp10: Server<SimulatorState>,
    smu: Option<Server<Peripheral<Smu>>>,
    switch: Option<Server<Peripheral<Switch>>>,
    thermostat: Option<Server<Peripheral<Thermostat>>>,
}

impl Simulator {
    /// Starts to listen.
    ///
    /// # Errors
    /// If an option is not valid, a device cannot be loaded, or a port is in use.
    pub async fn start(listen: &Listen, options: SimulatorOptions) -> Result<Self, SimulatorError> {
        options.check().map_err(SimulatorError::Option)?;
        let log = options.log.as_deref().map(CommandLog::create).transpose().map_err(SimulatorError::Log)?;
        let chip = options.chip().map_err(SimulatorError::Option)?;
        let bench = Bench { chip: &chip, options: &options, log: log.as_ref() };
        let state = SimulatorState::new(options.clone(), chip.clone());
        Ok(Self {
            smu: bench.peripheral(options.smu, &listen.smu).await?,
            switch: bench.peripheral(options.switch, &listen.switch).await?,
            thermostat: bench.peripheral(options.thermostat, &listen.thermostat).await?,
            ctp10: Server::start(&listen.ctp10, Part::Ctp10, state, &options, log).await?,
        })
    }

    /// The address of the CTP10.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.ctp10.address()
    }

    /// The other instruments by name, with their addresses.
    #[must_use]
    pub fn instruments(&self) -> Vec<(&'static str, SocketAddr)> {
        let smu = self.smu.as_ref().map(|server| (Smu::PART, server.address()));
        let switch = self.switch.as_ref().map(|server| (Switch::PART, server.address()));
        let thermostat = self.thermostat.as_ref().map(|server| (Thermostat::PART, server.address()));
        let all = [smu, switch, thermostat].into_iter().flatten();
        all.map(|(part, address)| (part.name(), address)).collect()
    }

    /// The lasers that are on.
    #[must_use]
    pub fn lasers_on(&self) -> Vec<u8> {
        let mut state = self.ctp10.state();
        // The end of a scan turns its lasers off.
        state.advance_to_now();
        state.lasers.iter().filter(|(_, laser)| laser.on).map(|(number, _)| *number).collect()
    }

    /// Whether the output of the source-meter is on.
    #[must_use]
    pub fn smu_output_is_on(&self) -> bool {
        self.smu.as_ref().is_some_and(|smu| smu.state().model.output_is_on())
    }

    /// Whether no scan is in progress.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.ctp10.state().is_idle()
    }

    /// The number of commands that the CTP10 has received.
    #[must_use]
    pub fn commands(&self) -> u64 {
        self.ctp10.commands()
    }

    /// The number of faults that have occurred at all simulated instruments.
    #[must_use]
    pub fn faults_occurred(&self) -> u64 {
        let beside = [
            self.smu.as_ref().map(Server::faults_occurred),
            self.switch.as_ref().map(Server::faults_occurred),
            self.thermostat.as_ref().map(Server::faults_occurred),
        ];
        self.ctp10.faults_occurred() + beside.into_iter().flatten().sum::<u64>()
    }

    /// Ends all faults, and returns when the simulated instruments can be reached.
    pub async fn heal(&self) {
        self.ctp10.heal().await;
        if let Some(smu) = &self.smu {
            smu.heal().await;
        }
        if let Some(switch) = &self.switch {
            switch.heal().await;
        }
        if let Some(thermostat) = &self.thermostat {
            thermostat.heal().await;
        }
    }
}

/// What the instruments beside the CTP10 have in common.
struct Bench<'a> {
    chip: &'a SharedChip,
    options: &'a SimulatorOptions,
    log: Option<&'a CommandLog>,
}

impl Bench<'_> {
    /// An instrument that listens, if it is wanted.
    async fn peripheral<M: Model>(
        &self,
        wanted: bool,
        listen: &str,
    ) -> Result<Option<Server<Peripheral<M>>>, SimulatorError> {
        if !wanted {
            return Ok(None);
        }
        let instrument = Peripheral::new(M::new(self.chip.clone()));
        let log = self.log.map(|log| log.of(M::PART.name()));
        Server::start(listen, M::PART, instrument, self.options, log).await.map(Some)
    }
}
