//! What a run has set on the instrument, as far as it can be set again: the last value of each absolute setting, and
//! the references with the settings they were taken at.

use std::collections::{BTreeMap, BTreeSet};

use crate::measurement::Detector;
use crate::operation::{
    ConfigureDetector, ConfigureLaser, ConfigureScan, ConfigureTls, Effect, Operation, Scpi,
};
use crate::step::Outcome;

/// The last value of each setting.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Settings {
    tls: BTreeMap<u8, ConfigureTls>,
    scan: ConfigureScan,
    detectors: BTreeMap<Detector, ConfigureDetector>,
    lasers: BTreeMap<u8, ConfigureLaser>,
    /// Raw commands that are declared to set something, one for each header, in the order of their last use.
    raw: Vec<Scpi>,
}

/// What a run has set.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Configuration {
    settings: Settings,
    /// What each reference was taken at.
    references: BTreeMap<Detector, Settings>,
}

/// Takes over what is given and leaves the rest as it was.
macro_rules! take_over {
    ($known:expr, $given:expr, $($field:ident),+) => { $( if $given.$field.is_some() { $known.$field = $given.$field.clone(); } )+ };
}

impl Configuration {
    /// Takes an operation into account that succeeded.
    pub(super) fn note(&mut self, operation: &Operation, outcome: &Outcome) {
        if matches!(outcome, Outcome::Failed(_)) {
            return;
        }
        let settings = &mut self.settings;
        match operation {
            Operation::ConfigureTls(given) => {
                let known = settings.tls.entry(given.tls.get()).or_insert_with(|| given.clone());
                take_over!(known, given, laser, start_nm, stop_nm, speed_nm_s, power_dbm, trigger_in);
            }
            Operation::ConfigureScan(given) | Operation::Sweep(given) => {
                let known = &mut settings.scan;
                take_over!(known, given, start_nm, stop_nm, resolution_pm, stabilization_s, keep_lasers_on);
            }
            Operation::ConfigureDetector(given) => {
                let known = settings.detectors.entry(given.detector).or_insert_with(|| given.clone());
                take_over!(known, given, power_unit, spectral_unit, wavelength_nm, trigger_in);
            }
            Operation::ConfigureLaser(given) => {
                let known = settings.lasers.entry(given.laser.get()).or_insert_with(|| given.clone());
                take_over!(known, given, power_dbm, wavelength_nm, output);
            }
            Operation::Scpi(scpi) if !scpi.is_query && scpi.effect == Effect::Configure => {
                let header = |scpi: &Scpi| scpi.text.split_whitespace().next().map(str::to_uppercase);
                settings.raw.retain(|known| header(known) != header(scpi));
                settings.raw.push(scpi.clone());
            }
            Operation::CreateReference(reference) => {
                self.references.insert(reference.detector, settings.clone());
            }
            _ => {}
        }
    }

    /// The operations that set everything again. They turn no light on.
    pub(super) fn operations(&self) -> Vec<Operation> {
        self.settings.operations()
    }

    /// The references that the run relies on, each with the operations that set what it was taken at.
    pub(super) fn references(&self) -> Vec<(Detector, Vec<Operation>)> {
        self.references.iter().map(|(detector, settings)| (*detector, settings.operations())).collect()
    }

    /// The lasers that the run has on.
    pub(super) fn lit(&self) -> BTreeSet<u8> {
        let lasers = self.settings.lasers.iter();
        lasers.filter(|(_, laser)| laser.output == Some(true)).map(|(number, _)| *number).collect()
    }
}

impl Settings {
    fn operations(&self) -> Vec<Operation> {
        let dark = |laser: &ConfigureLaser| ConfigureLaser {
            output: laser.output.filter(|on| !on),
            ..laser.clone()
        };
        let lasers = self.lasers.values().map(|laser| Operation::ConfigureLaser(dark(laser)));
        let tls = self.tls.values().cloned().map(Operation::ConfigureTls);
        let scan = Some(self.scan.clone()).filter(|scan| *scan != ConfigureScan::default());
        let detectors = self.detectors.values().cloned().map(Operation::ConfigureDetector);
        let raw = self.raw.iter().cloned().map(Operation::Scpi);
        lasers.chain(tls).chain(scan.map(Operation::ConfigureScan)).chain(detectors).chain(raw).collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn noted(operations: &[(&str, serde_json::Value)]) -> Configuration {
        let mut configuration = Configuration::default();
        for (name, fields) in operations {
            configuration.note(&Operation::read(name, fields).unwrap(), &Outcome::Done);
        }
        configuration
    }

    fn shown(operations: Vec<Operation>) -> Vec<String> {
        operations.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn each_setting_comes_back_with_its_last_value_and_without_light() {
        let configuration = noted(&[
            ("configure_laser", json!({ "laser": 2, "power_dbm": 1, "output": true })),
            ("configure_tls", json!({ "tls": 1, "speed_nm_s": 50, "power_dbm": 5 })),
            ("configure_tls", json!({ "tls": 1, "power_dbm": -5 })),
            ("sweep", json!({ "start_nm": 1540 })),
            ("configure_scan", json!({ "stop_nm": 1550, "start_nm": 1545 })),
            ("scpi", json!({ "command": "OUT 1", "effect": "configure" })),
            ("scpi", json!({ "command": "MOVE 1" })),
            ("scpi", json!({ "command": "out 2", "effect": "configure" })),
        ]);
        assert_eq!(
            shown(configuration.operations()),
            [
                "configure_laser { laser: 2, power_dbm: 1 }",
                "configure_tls { power_dbm: -5, speed_nm_s: 50, tls: 1 }",
                "configure_scan { start_nm: 1545, stop_nm: 1550 }",
                "scpi { command: out 2, effect: configure }",
            ]
        );
        assert_eq!(configuration.lit(), BTreeSet::from([2]));
    }

    #[test]
    fn a_reference_remembers_what_it_was_taken_at_and_what_failed_is_not_set_again() {
        let mut configuration = noted(&[
            ("configure_tls", json!({ "tls": 1, "power_dbm": 5 })),
            ("create_reference", json!({ "detector": "4/1" })),
            ("configure_tls", json!({ "tls": 1, "power_dbm": 0 })),
        ]);
        let fault = crate::step::Fault::new(crate::step::FaultKind::Instrument, "no");
        let failing = Operation::read("configure_scan", &json!({ "start_nm": 1500 })).unwrap();
        configuration.note(&failing, &Outcome::Failed(fault));
        let references = configuration.references();
        assert_eq!(shown(references[0].1.clone()), ["configure_tls { power_dbm: 5, tls: 1 }"]);
        assert_eq!(shown(configuration.operations()), ["configure_tls { power_dbm: 0, tls: 1 }"]);
    }
}
