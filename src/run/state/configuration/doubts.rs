//! Settings whose value must be read from the instrument, and the comparison of the instrument's values with the
//! intended ones.

use std::collections::BTreeSet;

use super::{Configuration, given, moved, read_back};
use crate::commands::Present;
use crate::grammar::Line;
use crate::instrument::TLS;
use crate::instrument::headers::{Does, does};
use crate::instrument::scpi::Action;
use crate::instrument::setting::Setting;
use crate::operation::{self, Operation, Scpi};
use crate::step::Outcome;

/// A setting of the instrument that is not as the run intends it.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::run) struct Difference {
    /// The value that the run intends.
    pub(in crate::run) intended: Action,
    /// The value that the instrument has.
    pub(in crate::run) found: Action,
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (intended, found) = (self.intended.shown_value(), self.found.shown_value());
        if let Some(setting) = self.intended.setting() {
            write!(f, "{setting}: ")?;
        }
        write!(f, "the run has set {intended}, but the instrument has {found}")
    }
}

/// Settings that the run has changed, or may have changed, to values that the run does not know.
#[derive(Debug, Clone, Default, PartialEq)]
pub(in crate::run) struct Doubts {
    settings: BTreeSet<Setting>,
    /// Any setting may be another one.
    all: bool,
}

impl Doubts {
    /// The doubts that an operation leaves which ended so. What an operation reads back is known.
    pub(in crate::run) fn left_by(operation: &Operation, outcome: &Outcome) -> Self {
        if let operation::Settings::Raw(scpi) = operation.traits().settings {
            return Self::left_by_raw(scpi);
        }
        let mut settings = moved(&given(operation, &Present::default()));
        for known in read_back::values(operation, outcome) {
            settings.retain(|setting| known.setting() != Some(*setting));
        }
        Self { settings, all: false }
    }

    /// The doubts that an operation leaves which failed: it may have set all, some or none of its settings.
    pub(in crate::run) fn left_by_failed(operation: &Operation) -> Self {
        Self::left_by(operation, &Outcome::Done)
    }

    fn left_by_raw(scpi: &Scpi) -> Self {
        let mut doubts = Self::default();
        let Ok(line) = Line::parse(&scpi.text) else { return doubts };
        for unit in &line.units {
            match does(unit) {
                Some(Does::Sets(setting)) => doubts.settings.extend(setting.moves()),
                Some(Does::SetsEveryPower) => doubts.settings.extend(TLS.map(Setting::TlsPower)),
                Some(Does::Resets | Does::Recalls | Does::Renumbers) | None => doubts.all = true,
                Some(
                    Does::SelectsLaser
                    | Does::SetsOther
                    | Does::Scans
                    | Does::ScansReference(_)
                    | Does::Nothing
                    | Does::Asks
                    | Does::Tests,
                ) => {}
            }
        }
        doubts
    }

    /// Adds other doubts.
    pub(in crate::run) fn add(&mut self, others: Self) {
        self.settings.extend(others.settings);
        self.all |= others.all;
    }

    /// Every setting that can be asked for was asked for.
    pub(in crate::run) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Whether there are none.
    pub(in crate::run) fn is_empty(&self) -> bool {
        !self.all && self.settings.is_empty()
    }

    /// Compares values of the instrument with those that the run intends. Gives the values that the run did not know and
    /// takes over, and the differences. A laser's output is no setting to compare: scans switch it.
    pub(in crate::run) fn compare(
        &mut self,
        intends: &Configuration,
        found: Vec<Action>,
    ) -> (Vec<Action>, Vec<Difference>) {
        let (mut news, mut differences) = (Vec::new(), Vec::new());
        for found in found {
            let Some(setting) = found.setting() else { continue };
            let intended = intends.settings.value(setting);
            if intended.is_some_and(|intended| intends.is_the_same(intended, &found)) {
                self.settings.remove(&setting);
            } else if let Some(intended) = intended.filter(|_| !self.all && !self.settings.contains(&setting))
            {
                differences.push(Difference { intended: intended.clone(), found });
            } else {
                self.settings.remove(&setting);
                news.push(found);
            }
        }
        (news, differences)
    }
}
