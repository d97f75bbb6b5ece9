//! Chooses the instrument from the command line, the recipe, the environment or the configuration, in this order.
//! There is no default, so that nothing is simulated or measured by accident.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::watchdog::GUARD;
use crate::cli::InstrumentArgs;
use crate::config::Config;
use crate::declarations::Header;
use crate::equipment::{DeviceSettings, Live, SimulatedBy};
use crate::error::{ExitCode, Failure, chain};
use crate::instrument::scpi::Identity;
use crate::instrument::text::TextSettings;
use crate::instrument::{Address, Ctp10, Target};
use crate::session::{Claim, Holder};
use crate::simulator::{Listen, Simulator, SimulatorOptions};

/// Longest waiting time for an active watchdog.
const GUARD_LIMIT: Duration = Duration::from_secs(60);
/// Pause between two checks whether it has ended.
const GUARD_LOOK: Duration = Duration::from_millis(100);

/// The chosen instrument.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Choice {
    /// The simulator.
    Simulated(Box<SimulatorOptions>),
    /// An instrument in the network.
    Remote(Address),
}

/// An instrument, and the objects that must live as long as it.
pub(super) struct Chosen {
    pub(super) instrument: Ctp10,
    /// The instrument.
    pub(super) target: Target,
    pub(super) options: Option<SimulatorOptions>,
    simulator: Option<Simulator>,
}

/// Determines the instrument. `header` is that of the recipe, if there is one.
pub(super) fn choose(
    args: &InstrumentArgs,
    header: Option<&Header>,
    config: &Config,
) -> Result<Choice, Failure> {
    let flag = args.instrument.clone().map(|value| (value, "--instrument".to_owned()));
    let recipe = || header?.instrument.clone().map(|value| (value, "the recipe".to_owned()));
    let configured = || config.instrument.clone().map(|setting| (setting.value, setting.origin));
    let Some((text, origin)) = flag.or_else(recipe).or_else(configured) else {
        let hint = match header {
            Some(_) => "use `--instrument sim` for the simulator, or `--instrument HOST:PORT`",
            None => "use `--instrument HOST:PORT`",
        };
        return Err(Failure::new(ExitCode::Usage, "no instrument is given").hint(hint));
    };
    match text.parse() {
        Ok(Target::Embedded) => {
            let given = header.and_then(|header| header.simulator.clone());
            options(given).map(|options| Choice::Simulated(Box::new(options)))
        }
        Ok(Target::Remote(address)) => Ok(Choice::Remote(address)),
        Err(error) => Err(Failure::new(ExitCode::Usage, format!("{error}, from {origin}"))),
    }
}

/// The options of the simulator in the recipe.
pub(super) fn options(given: Option<serde_json::Value>) -> Result<SimulatorOptions, Failure> {
    let Some(given) = given else { return Ok(SimulatorOptions::default()) };
    let refuse =
        |message: &str| Failure::new(ExitCode::Usage, format!("`simulator` of the recipe: {message}"));
    let options: SimulatorOptions = crate::decode::from_value(&given).map_err(|error| match error.hint {
        Some(hint) => refuse(&error.message).hint(hint),
        None => refuse(&error.message),
    })?;
    options.check().map_err(|message| refuse(&message))?;
    Ok(options)
}

/// How a simulated instrument is spoken to. The lines of `setup` are those of the real one, because they may limit what a
/// recipe can do.
pub(super) fn simulated_settings(name: &str, address: SocketAddr, config: &Config) -> TextSettings {
    let setup = match config.instruments.get(name).map(|described| &described.device) {
        Some(DeviceSettings::Text(real)) => real.setup.clone(),
        Some(DeviceSettings::Api(_)) | None => Vec::new(),
    };
    let safe: &[&str] = if name == "smu" { &[":OUTP OFF"] } else { &[] };
    TextSettings {
        address: Address::from(address).into(),
        identify: Some("*IDN?".to_owned()),
        identity: "SIMULATED".to_owned(),
        setup,
        safe: safe.iter().map(|line| (*line).to_owned()).collect(),
        errors: Some("SYST:ERR?".to_owned()),
    }
}

impl Choice {
    /// The instrument, not connected yet. The simulator is first started on a loopback port.
    pub(super) async fn open(self, config: &Config) -> Result<Chosen, Failure> {
        let (address, target, options, simulator) = match self {
            Self::Remote(address) => (address.clone(), Target::Remote(address), None, None),
            Self::Simulated(options) => {
                let simulator = Simulator::start(&Listen::default(), (*options).clone()).await;
                let simulator = simulator.map_err(|error| Failure::new(ExitCode::Usage, chain(&error)))?;
                (simulator.address().into(), Target::Embedded, Some(*options), Some(simulator))
            }
        };
        let instrument = Ctp10::at(address, config.deadlines, config.limits.clone());
        Ok(Chosen { instrument, target, options, simulator })
    }

    /// The instrument and its identity.
    pub(super) async fn reach(self, config: &Config) -> Result<(Chosen, Identity), Failure> {
        let chosen = self.open(config).await?;
        let identity = chosen.greet().await?;
        Ok((chosen, identity))
    }
}

impl Chosen {
    /// Lets the simulated instruments answer for their names.
    pub(super) fn simulate(&self, live: &mut Live, config: &Config) {
        for (name, address) in self.simulator.iter().flat_map(Simulator::instruments) {
            live.simulate(
                name,
                simulated_settings(name, address, config),
                SimulatedBy::ThisProcess,
                config.deadlines,
            );
        }
    }

    /// Connects and returns the identity.
    pub(super) async fn greet(&self) -> Result<Identity, Failure> {
        self.instrument.reconnect(true).await.map_err(|error| {
            Failure::new(ExitCode::Instrument, chain(&error))
                .hint("check that it is switched on and that no other program is connected to it")
        })
    }

    /// Claims the instrument for this process. A simulator needs no claim. Waits for a watchdog that turns off the
    /// lasers of a killed run. Call this before connecting, because the watchdog needs the connection.
    pub(super) async fn claim(&self, what: String) -> Result<(Option<Claim>, Holder), Failure> {
        let holder = Holder { pid: std::process::id(), what, ..Holder::default() };
        if self.options.is_some() {
            return Ok((None, holder));
        }
        let (give_up, mut told, mut looked) = (Instant::now() + GUARD_LIMIT, false, false);
        loop {
            let other = match Claim::take(self.instrument.address(), &holder) {
                Ok(claim) => return Ok((Some(claim), holder)),
                Err(other) => other,
            };
            let is_guard = other.what == GUARD;
            // At the first check the watchdog may not have written its name yet.
            if if is_guard { Instant::now() >= give_up } else { looked } {
                return Err(self.in_use(&other));
            }
            if is_guard && !told {
                tracing::warn!("waiting for {other}: it turns off the lasers of a run that was killed");
                told = true;
            }
            looked = true;
            tokio::time::sleep(GUARD_LOOK).await;
        }
    }

    fn in_use(&self, other: &Holder) -> Failure {
        let hint = match other.what.as_str() {
            GUARD => "it turns off the lasers of a run that was killed: try again after that",
            _ => "end that program first; `ctp10 off` turns the lasers off through it",
        };
        Failure::new(ExitCode::Instrument, format!("{} is in use by {other}", self.target)).hint(hint)
    }
}
