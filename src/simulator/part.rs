//! The simulated instruments by name, for faults and messages.

use super::grammar::Node;
use super::headers::Header;
use super::peripheral::Word;
use super::smu::SmuHeader;
use super::switch::SwitchHeader;
use super::thermostat::ThermostatHeader;
use super::vocabulary::{Facts, Vocabulary};

/// One of the simulated instruments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Part {
    #[default]
    Ctp10,
    Smu,
    Switch,
    Thermostat,
}

impl Part {
    const OTHERS: [Self; 3] = [Self::Smu, Self::Switch, Self::Thermostat];

    /// The name in options and in recipes.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Ctp10 => "ctp10",
            Self::Smu => "smu",
            Self::Switch => "switch",
            Self::Thermostat => "thermostat",
        }
    }

    /// The name in messages.
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Ctp10 => "CTP10",
            Self::Smu => "source-meter",
            Self::Switch => "switch",
            Self::Thermostat => "thermostat",
        }
    }

    /// What a fault of the instrument begins with.
    pub(super) fn prefix(self) -> String {
        if self == Self::Ctp10 { String::new() } else { format!("{}:", self.name()) }
    }

    /// Splits `smu:drop@3` into the instrument and the rest. Without a name, the instrument is the CTP10.
    pub(super) fn before(text: &str) -> (Self, &str) {
        let named = Self::OTHERS.into_iter().find_map(|part| {
            let rest = text.trim_start().strip_prefix(part.name())?.strip_prefix(':')?;
            Some((part, rest))
        });
        named.unwrap_or((Self::Ctp10, text))
    }

    /// What is known of the header with these nodes, and the numbers in it.
    pub(super) fn lookup(self, nodes: &[Node]) -> Option<(Facts, Vec<Option<u32>>)> {
        fn facts<H: Vocabulary>(nodes: &[Node]) -> Option<(Facts, Vec<Option<u32>>)> {
            H::lookup(nodes).map(|(header, suffixes)| (header.facts(), suffixes))
        }
        match self {
            Self::Ctp10 => facts::<Header>(nodes),
            Self::Smu => facts::<Word<SmuHeader>>(nodes),
            Self::Switch => facts::<Word<SwitchHeader>>(nodes),
            Self::Thermostat => facts::<Word<ThermostatHeader>>(nodes),
        }
    }
}
