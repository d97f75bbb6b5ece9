//! The instruments of a bench beside the CTP10, as the configuration names them: `[instruments.NAME]`. This module knows
//! what recipes may send to each of them, and how each is made safe.

mod device;
mod given;
mod live;
pub mod policy;

use std::collections::BTreeMap;

use serde::Deserialize;

pub use device::{Device, DeviceError, DeviceSettings};
pub use live::{Live, LiveInstrument, MadeSafe, SimulatedBy};
use policy::Policy;

/// The named instruments of a bench.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(transparent)]
pub struct Equipment(BTreeMap<Name, Described>);

/// The name of an instrument, as recipes write it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
struct Name(String);

/// An instrument as the configuration describes it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(try_from = "given::Given")]
pub struct Described {
    /// How it is reached and made safe.
    pub device: DeviceSettings,
    /// The lines of text that recipes may send.
    pub policy: Policy,
    /// It is left as it is between the items of a batch.
    pub keep_between_items: bool,
}

impl TryFrom<String> for Name {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let is_word = text.starts_with(|c: char| c.is_ascii_alphabetic())
            && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
        match is_word {
            true => Ok(Self(text)),
            false => Err(format!("`{text}` is not a name (letters, digits, `_` and `-`, a letter first)")),
        }
    }
}

impl Equipment {
    /// The instrument with this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Described> {
        self.iter().find(|(known, _)| *known == name).map(|(_, described)| described)
    }

    /// All instruments by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Described)> {
        self.0.iter().map(|(name, described)| (name.0.as_str(), described))
    }

    /// The names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.iter().map(|(name, _)| name)
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds an instrument, in the place of one with the same name.
    pub fn insert(&mut self, name: &str, described: Described) {
        self.0.insert(Name(name.to_owned()), described);
    }

    /// Replaces the names of files with secrets by `place` of them.
    ///
    /// # Errors
    /// The first error of `place`, with the name of the instrument.
    pub fn place_files(&mut self, place: impl Fn(&str) -> Result<String, String>) -> Result<(), String> {
        for (name, described) in &mut self.0 {
            let DeviceSettings::Api(api) = &mut described.device else { continue };
            for file in api.secret_files() {
                *file = place(file).map_err(|why| format!("instruments.{}: {why}", name.0))?;
            }
        }
        Ok(())
    }

    /// Adds the instruments of a nearer file. An instrument in both files is that of the nearer one, and the limits of
    /// both apply.
    pub fn extend(&mut self, nearer: Self) {
        for (name, mut near) in nearer.0 {
            if let Some(far) = self.0.get(&name) {
                near.policy.add_limits_of(&far.policy);
            }
            self.0.insert(name, near);
        }
    }
}
