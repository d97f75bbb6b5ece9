//! The connections to the named instruments. All users of a bench share them: a serial port has only one owner.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::join_all;

use super::policy::{Policy, Refusal};
use super::{Device, DeviceSettings, Equipment};
use crate::http::ApiInstrument;
use crate::instrument::Deadlines;
use crate::instrument::text::{TextInstrument, TextSettings};

/// Why a line is not sent.
pub(super) const NO_LINES: &str =
    "the instrument has a REST API and takes requests (`http`), not lines of text (`scpi`)";
/// Why a request is not sent.
pub(super) const NO_REQUESTS: &str = "the instrument takes lines of text (`scpi`), not requests (`http`)";

/// The named instruments that can be reached, by name.
#[derive(Debug, Clone, Default)]
pub struct Live(BTreeMap<String, LiveInstrument>);

/// One named instrument.
#[derive(Debug, Clone)]
pub struct LiveInstrument {
    /// The handle.
    pub device: Device,
    /// The instrument is left as it is between the items of a batch.
    pub keep_between_items: bool,
    /// Who simulates the instrument.
    pub simulated: Option<SimulatedBy>,
    policy: Policy,
}

/// Who simulates an instrument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SimulatedBy {
    /// This process: the instrument ends with it.
    ThisProcess,
    /// Another process.
    AnotherProcess,
}

/// How instruments were left at an end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MadeSafe {
    /// The instruments that have confirmed all of their `safe` lines.
    pub safe: Vec<String>,
    /// The instruments that have not.
    pub unknown: Vec<String>,
    /// Why they have not: one reason each.
    pub trouble: Vec<String>,
}

impl LiveInstrument {
    fn new(settings: DeviceSettings, policy: Policy, deadlines: Deadlines) -> Self {
        let device = Device::at(settings, deadlines);
        Self { device, keep_between_items: false, simulated: None, policy }
    }

    /// Judges a line as it would be sent.
    ///
    /// # Errors
    /// Why it must not be sent.
    pub fn judge(&self, line: &str) -> Result<(), Refusal> {
        self.policy.judge(line)
    }

    /// The instrument, if it speaks lines of text.
    ///
    /// # Errors
    /// What it does not understand.
    pub fn text(&self) -> Result<&TextInstrument, &'static str> {
        match &self.device {
            Device::Text(text) => Ok(text),
            Device::Api(_) => Err(NO_LINES),
        }
    }

    /// The instrument, if it has a REST API.
    ///
    /// # Errors
    /// What it does not understand.
    pub fn api(&self) -> Result<&ApiInstrument, &'static str> {
        match &self.device {
            Device::Api(api) => Ok(api),
            Device::Text(_) => Err(NO_REQUESTS),
        }
    }
}

impl Live {
    /// The instruments of a bench.
    #[must_use]
    pub fn new(equipment: &Equipment, deadlines: Deadlines) -> Self {
        let live = equipment.iter().map(|(name, described)| {
            let live = LiveInstrument {
                keep_between_items: described.keep_between_items,
                ..LiveInstrument::new(described.device.clone(), described.policy.clone(), deadlines)
            };
            (name.to_owned(), live)
        });
        Self(live.collect())
    }

    /// A simulated instrument answers for this name. The lines that the configuration allows for the real one are those that
    /// are allowed here; without a configuration all are.
    pub fn simulate(&mut self, name: &str, settings: TextSettings, by: SimulatedBy, deadlines: Deadlines) {
        let policy = match self.0.get(name) {
            Some(LiveInstrument { device: Device::Text(_), policy, .. }) => policy.clone(),
            Some(LiveInstrument { device: Device::Api(_), .. }) | None => Policy::everything(),
        };
        let settings = DeviceSettings::Text(settings);
        let simulated =
            LiveInstrument { simulated: Some(by), ..LiveInstrument::new(settings, policy, deadlines) };
        self.0.insert(name.to_owned(), simulated);
    }

    /// The instrument with this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&LiveInstrument> {
        self.0.get(name)
    }

    /// All instruments by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &LiveInstrument)> {
        self.0.iter().map(|(name, live)| (name.as_str(), live))
    }

    /// Only the instruments for which this is true.
    #[must_use]
    pub fn only(&self, keep: impl Fn(&str, &LiveInstrument) -> bool) -> Self {
        let kept = self.0.iter().filter(|(name, live)| keep(name, live));
        Self(kept.map(|(name, live)| (name.clone(), live.clone())).collect())
    }

    /// Makes these instruments safe, all at the same time. An instrument that cannot be reached does not delay the others.
    pub async fn make_safe(&self, names: &BTreeSet<String>) -> MadeSafe {
        let known = names.iter().filter_map(|name| Some((name, self.get(name)?)));
        let each = known.map(|(name, live)| async move { (name, live.device.make_safe().await) });
        let mut made = MadeSafe::default();
        for (name, done) in join_all(each).await {
            match done {
                Ok(()) => made.safe.push(name.clone()),
                Err(error) => {
                    tracing::error!(name, %error, "an instrument could not be made safe");
                    made.unknown.push(name.clone());
                    made.trouble.push(format!("{name}: {error}"));
                }
            }
        }
        made
    }
}
