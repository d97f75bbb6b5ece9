//! The instruments of a bench beside the CTP10, as the configuration names them: `[instruments.NAME]`. This module knows
//! what recipes may send to each of them, and how each is made safe.

mod given;
mod live;
pub mod policy;

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::instrument::text::TextSettings;
pub use live::{Live, LiveInstrument, MadeSafe, SimulatedBy};
use policy::Policy;

/// The named instruments of a bench.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(transparent)]
pub struct Equipment(BTreeMap<Name, TextEquipment>);

/// The name of an instrument, as recipes write it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
struct Name(String);

/// An instrument that speaks lines of text.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(try_from = "given::Given")]
pub struct TextEquipment {
    /// How it is reached and spoken to.
    pub settings: TextSettings,
    /// What recipes may send.
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
    pub fn get(&self, name: &str) -> Option<&TextEquipment> {
        self.iter().find(|(known, _)| *known == name).map(|(_, text)| text)
    }

    /// All instruments by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &TextEquipment)> {
        self.0.iter().map(|(name, text)| (name.0.as_str(), text))
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
    pub fn insert(&mut self, name: &str, text: TextEquipment) {
        self.0.insert(Name(name.to_owned()), text);
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
