//! The settings that a run intends: those that it has set, by operations or raw commands, and those that it found at
//! its beginning. A value is stored as the command that sets it. This module is pure; the bench reads, compares and
//! restores.

mod doubts;
mod named;
mod read_back;

use std::collections::{BTreeMap, BTreeSet};

use crate::commands::{Present, commands};
use crate::grammar::{Line, Unit};
use crate::instrument::TLS;
use crate::instrument::headers::{Does, alone, does};
use crate::instrument::scpi::{Action, Stabilization};
use crate::instrument::setting::{LASER_POWER_TOLERANCE_DB, Setting};
use crate::measurement::Detector;
use crate::operation::{self, Effect, Lasers, Operation, Scpi};
use crate::step::Outcome;
pub(in crate::run) use doubts::{Difference, Doubts};
pub(in crate::run) use named::NamedSteps;

/// A setting that is restored after the instrument has forgotten it.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::run) enum Kept {
    /// A setting that can be read from the instrument.
    Value(Action),
    /// A raw command for a setting that the driver does not know.
    Raw {
        /// Its header. The last command with a header counts.
        header: String,
        /// The command.
        action: Action,
    },
}

/// Settings in the order of their last use.
#[derive(Debug, Clone, Default, PartialEq)]
pub(in crate::run) struct Settings {
    kept: Vec<Kept>,
}

impl Settings {
    /// The intended value of a setting.
    pub(in crate::run) fn value(&self, setting: Setting) -> Option<&Action> {
        self.values().find(|action| action.setting() == Some(setting))
    }

    /// Every setting whose value is known.
    pub(in crate::run) fn values(&self) -> impl Iterator<Item = &Action> {
        self.kept.iter().filter_map(|kept| match kept {
            Kept::Value(action) => Some(action),
            Kept::Raw { .. } => None,
        })
    }

    /// The order in which the settings are restored. The laser of each TLS comes first, because some units forget the
    /// other settings of a TLS with it. No light is turned on.
    pub(in crate::run) fn in_order(&self) -> Vec<Kept> {
        let is_laser = |kept: &&Kept| matches!(kept, Kept::Value(Action::SetTlsLaser { .. }));
        let is_light = |kept: &Kept| matches!(kept, Kept::Value(Action::SetLaserOutput { on: true, .. }));
        let (first, rest): (Vec<_>, Vec<_>) = self.kept.iter().partition(is_laser);
        first.into_iter().chain(rest).filter(|kept| !is_light(kept)).cloned().collect()
    }

    /// The run has set this value, so the setting becomes the last one in the order.
    fn set(&mut self, action: Action) {
        self.kept.retain(|kept| !matches!(kept, Kept::Value(known) if known.setting() == action.setting()));
        self.kept.push(Kept::Value(action));
    }

    /// The instrument has this value. The setting keeps its place in the order.
    fn adopt(&mut self, action: Action) {
        let known = self.kept.iter_mut().find_map(|kept| match kept {
            Kept::Value(known) if known.setting() == action.setting() => Some(known),
            _ => None,
        });
        match known {
            Some(known) if known.sets_the_same(&action) => {}
            Some(known) => *known = action,
            None => self.kept.push(Kept::Value(action)),
        }
    }

    fn set_raw(&mut self, unit: &Unit) {
        let (header, text) = alone(unit);
        self.kept.retain(|kept| !matches!(kept, Kept::Raw { header: known, .. } if *known == header));
        self.kept.push(Kept::Raw { header, action: Action::Raw(text) });
    }

    fn stabilization(&self) -> Stabilization {
        match self.value(Setting::Stabilization) {
            Some(Action::SetStabilization { output, seconds }) => {
                Stabilization { output: *output, seconds: *seconds }
            }
            _ => Stabilization::default(),
        }
    }

    /// The sources that have this laser, and their power, dBm.
    fn powers_of(&self, laser: u8) -> impl Iterator<Item = f64> {
        let serves = move |tls: &u8| matches!(self.value(Setting::TlsLaser(*tls)), Some(Action::SetTlsLaser { laser: known, .. }) if *known == laser);
        TLS.filter(serves).filter_map(|tls| match self.value(Setting::TlsPower(tls)) {
            Some(Action::SetTlsPower { dbm, .. }) => Some(*dbm),
            _ => None,
        })
    }
}

/// The settings that a run intends and relies on.
#[derive(Debug, Clone, Default, PartialEq)]
pub(in crate::run) struct Configuration {
    pub(in crate::run) settings: Settings,
    /// Whether the settings at the beginning have been read.
    pub(in crate::run) is_known: bool,
    /// Lasers that have scanned since they were set. Such a laser reports its present wavelength and power.
    scanned: BTreeSet<u8>,
    /// Raw commands whose settings cannot be read, and which must not be sent again.
    unknown: Vec<String>,
    /// The settings of each reference.
    references: BTreeMap<Detector, Settings>,
    /// What the run intends on the named instruments.
    pub(in crate::run) named: NamedSteps,
}

impl Configuration {
    /// Takes the outcome of an operation into account.
    pub(in crate::run) fn note(&mut self, operation: &Operation, outcome: &Outcome) {
        if matches!(outcome, Outcome::Failed(_)) {
            return;
        }
        let traits = operation.traits();
        if let Some(named) = traits.named {
            self.named.note(named, operation);
        }
        match traits.settings {
            operation::Settings::Typed => self.note_settings(operation, outcome),
            operation::Settings::Raw(scpi) => self.note_raw(scpi),
            operation::Settings::Unchanged => {}
        }
        let is_kept = *outcome == Outcome::Reference { created: false };
        let has_check = traits.reference().is_some_and(|reference| reference.check.is_some());
        if traits.is_scan() && (!is_kept || has_check) {
            self.note_scan();
        }
        if let Some(reference) = traits.reference() {
            let settings = |detector: &Detector| (*detector, self.settings.clone());
            self.references.extend(reference.detectors.iter().map(settings));
        }
    }

    /// The run intends the settings that an operation sets, and the others that it has read back.
    pub(in crate::run) fn note_settings(&mut self, operation: &Operation, outcome: &Outcome) {
        let present = Present { stabilization: self.settings.stabilization(), ..Present::default() };
        let given = given(operation, &present);
        let moved = moved(&given);
        for action in given {
            if let Action::SetLaserPower { laser, .. } | Action::SetLaserWavelength { laser, .. } = action {
                self.scanned.remove(&laser);
            }
            self.settings.set(action);
        }
        for action in read_back::values(operation, outcome) {
            let Some(setting) = action.setting() else { continue };
            if moved.contains(&setting) || self.settings.value(setting).is_none() {
                self.settings.adopt(action);
            }
        }
    }

    /// After a scan, the lasers of the scan are off, unless they stay on.
    pub(in crate::run) fn note_scan(&mut self) {
        for tls in TLS {
            let Some(Action::SetTlsLaser { laser, .. }) = self.settings.value(Setting::TlsLaser(tls)) else {
                continue;
            };
            let laser = *laser;
            self.scanned.insert(laser);
            let known = self.settings.value(Setting::Stabilization).is_some();
            if known && !self.settings.stabilization().output {
                let output = Setting::LaserOutput(laser);
                self.settings
                    .kept
                    .retain(|kept| !matches!(kept, Kept::Value(action) if action.setting() == Some(output)));
            }
        }
    }

    fn note_raw(&mut self, scpi: &Scpi) {
        let Ok(line) = Line::parse(&scpi.text) else { return };
        for unit in &line.units {
            match does(unit) {
                Some(Does::Sets(_)) => {
                    if let Some(action) = Action::from_unit(unit) {
                        self.settings.set(action);
                    }
                }
                Some(Does::SelectsLaser | Does::SetsOther | Does::Renumbers) => {
                    self.settings.set_raw(unit);
                }
                Some(Does::Resets | Does::Recalls) => {
                    self.settings.kept.retain(|kept| matches!(kept, Kept::Value(_)));
                    self.unknown.clear();
                }
                Some(Does::Scans | Does::ScansReference(_)) => self.note_scan(),
                Some(Does::SetsEveryPower | Does::Nothing | Does::Asks | Does::Tests) => {}
                None => match scpi.effect {
                    Effect::Configure => self.settings.set_raw(unit),
                    Effect::Ask => self.unknown.push(unit.text.clone()),
                    Effect::Measure => {}
                },
            }
        }
    }

    /// Whether the instrument has the intended value. After a scan, a laser may report the power of the scan, and any
    /// wavelength of the scan.
    pub(in crate::run) fn is_the_same(&self, intended: &Action, found: &Action) -> bool {
        match *found {
            Action::SetLaserWavelength { laser, .. } if self.scanned.contains(&laser) => true,
            Action::SetLaserPower { laser, dbm } if self.scanned.contains(&laser) => {
                let near = |power: f64| (power - dbm).abs() <= LASER_POWER_TOLERANCE_DB;
                intended.sets_the_same(found) || self.settings.powers_of(laser).any(near)
            }
            _ => intended.sets_the_same(found),
        }
    }

    /// The instrument has these values. `at_beginning`: the run had changed nothing yet.
    pub(in crate::run) fn note_read(&mut self, commands: &[String], at_beginning: bool) {
        for line in commands.iter().filter_map(|command| Line::parse(command).ok()) {
            for action in line.units.iter().filter_map(Action::from_unit) {
                self.settings.adopt(action);
            }
        }
        self.is_known |= at_beginning;
    }

    /// The references that the run relies on, each with its settings.
    pub(in crate::run) fn references(&self) -> Vec<(Detector, Settings)> {
        self.references.iter().map(|(detector, settings)| (*detector, settings.clone())).collect()
    }

    /// The lasers that the run has turned on.
    pub(in crate::run) fn lit(&self) -> BTreeSet<u8> {
        let lit = self.settings.values().filter_map(|action| match action {
            Action::SetLaserOutput { laser, on: true } => Some(*laser),
            _ => None,
        });
        lit.collect()
    }

    /// Raw commands whose settings are lost after a restart of the instrument.
    pub(in crate::run) fn unknown(&self) -> &[String] {
        &self.unknown
    }
}

/// The settings that an operation gives.
fn given(operation: &Operation, present: &Present) -> Vec<Action> {
    let mut given = commands(operation, present);
    given.retain(|action| action.setting().is_some());
    given
}

/// The settings that the instrument may change when these are set.
fn moved(given: &[Action]) -> BTreeSet<Setting> {
    given.iter().filter_map(Action::setting).flat_map(Setting::moves).collect()
}

/// The lasers whose static settings an operation sets or uses, also by a raw command.
#[must_use]
pub(in crate::run) fn lasers_in_static_control(operation: &Operation) -> Vec<u8> {
    let of_setting = |setting| match setting {
        Setting::LaserPower(laser) | Setting::LaserWavelength(laser) | Setting::LaserOutput(laser) => {
            Some(laser)
        }
        _ => None,
    };
    let traits = operation.traits();
    let typed = match traits.lasers {
        Lasers::Static { laser, .. } => Some(laser),
        Lasers::None | Lasers::Source { .. } | Lasers::OfScan | Lasers::Any => None,
    };
    let units = traits.raw.and_then(|scpi| Line::parse(&scpi.text).ok()).map(|line| line.units);
    let sets = |unit: &Unit| match does(unit) {
        Some(Does::Sets(setting)) => of_setting(setting),
        _ => None,
    };
    typed.into_iter().chain(units.unwrap_or_default().iter().filter_map(sets)).collect()
}

#[cfg(test)]
mod tests;
