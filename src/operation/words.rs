//! Operations in words, for people: `Sweep 1540–1560 nm at -5 dBm`.

use std::collections::BTreeMap;
use std::fmt::Display;

use serde_json::Value;

use super::{AlignPart, ConfigureScan, FetchTrace, Operation, Wait, in_one_line};
use crate::measurement::{Detector, TraceKind};
use crate::units::{LaserPower, ScanWavelength, TlsNumber};

/// What the words of an operation need in addition to its own fields.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Surroundings {
    /// The names that the recipe gives to detectors.
    pub detectors: BTreeMap<Detector, String>,
    start: Option<ScanWavelength>,
    stop: Option<ScanWavelength>,
    powers: BTreeMap<TlsNumber, LaserPower>,
}

impl Surroundings {
    /// The surroundings at the beginning of a run.
    #[must_use]
    pub fn new(names: &BTreeMap<String, Detector>) -> Self {
        let detectors = names.iter().map(|(name, detector)| (*detector, name.clone())).collect();
        Self { detectors, ..Self::default() }
    }

    /// Takes into account what an operation sets for the sweeps after it.
    pub fn take(&mut self, operation: &Operation) {
        match operation {
            Operation::ConfigureScan(fields) | Operation::Sweep(fields) => {
                self.start = fields.start_nm.or(self.start);
                self.stop = fields.stop_nm.or(self.stop);
            }
            Operation::ConfigureTls(fields) => {
                self.powers.extend(fields.power_dbm.map(|power| (fields.tls, power)));
            }
            Operation::ConfigureLaser(_)
            | Operation::ConfigureDetector(_)
            | Operation::CreateReference(_)
            | Operation::FetchTrace(_)
            | Operation::Analyze(_)
            | Operation::ReadPower(_)
            | Operation::Align(_)
            | Operation::Wait(_)
            | Operation::Log(_)
            | Operation::Prompt(_)
            | Operation::Http(_)
            | Operation::Scpi(_) => {}
        }
    }

    /// The name of a detector in the recipe, or `module/channel`.
    #[must_use]
    pub fn name(&self, detector: Detector) -> String {
        self.detectors.get(&detector).cloned().unwrap_or_else(|| detector.to_string())
    }

    fn names(&self, detectors: &[Detector]) -> String {
        let names: Vec<String> = detectors.iter().map(|detector| self.name(*detector)).collect();
        match names.split_last() {
            Some((last, before)) if !before.is_empty() => format!("{} and {last}", before.join(", ")),
            _ => names.concat(),
        }
    }

    /// The power of all sources of a sweep, if it is the same.
    fn power(&self) -> Option<LaserPower> {
        let mut powers = self.powers.values();
        let first = powers.next()?;
        powers.all(|power| power == first).then_some(*first)
    }

    fn sweep(&self, fields: &ConfigureScan) -> String {
        let range = range(fields.start_nm.or(self.start), fields.stop_nm.or(self.stop));
        let at = self.power().map(|power| format!(" at {power}")).unwrap_or_default();
        format!("Sweep{}{at}", range.map(|range| format!(" {range}")).unwrap_or_default())
    }

    fn fetch(&self, fields: &FetchTrace) -> String {
        let kinds: Vec<String> = fields.traces.iter().map(TraceKind::to_string).collect();
        let is_plain = fields.traces == [TraceKind::Tf];
        let of = if is_plain { String::new() } else { format!(" ({})", kinds.join(", ")) };
        format!("Fetch {}{of}", self.names(&fields.detectors))
    }
}

/// `1540–1560 nm`, or the end that is known.
fn range(start: Option<ScanWavelength>, stop: Option<ScanWavelength>) -> Option<String> {
    match (start, stop) {
        (Some(start), Some(stop)) => Some(format!("{}\u{2013}{stop}", start.get())),
        (Some(start), None) => Some(format!("from {start}")),
        (None, Some(stop)) => Some(format!("to {stop}")),
        (None, None) => None,
    }
}

/// The parts that are there, after a colon.
fn listed(head: &str, parts: impl IntoIterator<Item = Option<String>>) -> String {
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    if parts.is_empty() { head.to_owned() } else { format!("{head}: {}", parts.join(", ")) }
}

fn shown(value: Option<impl Display>) -> Option<String> {
    value.map(|value| value.to_string())
}

/// The fields that hold a detector or several.
const OF_DETECTORS: [&str; 2] = ["detector", "detectors"];

/// Writes the names of detectors in the place of their addresses, in all fields that hold detectors.
fn name_detectors(value: &mut Value, around: &Surroundings) {
    let Value::Object(fields) = value else { return };
    for (field, value) in fields {
        if !OF_DETECTORS.contains(&field.as_str()) {
            name_detectors(value, around);
            continue;
        }
        let places = match value {
            Value::Array(places) => places.as_mut_slice(),
            place => std::slice::from_mut(place),
        };
        for place in places {
            if let Some(detector) = place.as_str().and_then(|text| text.parse().ok()) {
                *place = Value::String(around.name(detector));
            }
        }
    }
}

impl Operation {
    /// The operation as a recipe writes it, with the names of detectors: `fetch_trace { detectors: [through, drop] }`.
    #[must_use]
    pub fn named(&self, around: &Surroundings) -> String {
        match serde_json::to_value(self) {
            Ok(mut value) => {
                name_detectors(&mut value, around);
                in_one_line(self.name(), &value)
            }
            Err(_) => self.name().to_owned(),
        }
    }

    /// The operation in words, in one line.
    #[must_use]
    pub fn words(&self, around: &Surroundings) -> String {
        match self {
            Self::ConfigureLaser(fields) => {
                let output = match fields.output {
                    Some(true) => " on",
                    Some(false) => " off",
                    None => "",
                };
                let head = format!("Laser {}{output}", fields.laser);
                listed(&head, [shown(fields.wavelength_nm), shown(fields.power_dbm)])
            }
            Self::ConfigureTls(fields) => {
                let range = range(fields.start_nm, fields.stop_nm);
                let head = format!("Set source {}", fields.tls);
                listed(&head, [range, shown(fields.speed_nm_s), shown(fields.power_dbm)])
            }
            Self::ConfigureScan(fields) => {
                let range = range(fields.start_nm, fields.stop_nm);
                let resolution = fields.resolution_pm.map(|step| format!("{} pm", step.get()));
                let stabilization = fields.stabilization_s.map(|time| format!("stabilization {time}"));
                listed("Set the scan", [range, resolution, stabilization])
            }
            Self::ConfigureDetector(fields) => {
                let head = format!("Set detector {}", around.name(fields.detector));
                listed(&head, [shown(fields.wavelength_nm)])
            }
            Self::CreateReference(fields) => format!("Reference of {}", around.names(&fields.detectors)),
            Self::Sweep(fields) => around.sweep(fields),
            Self::FetchTrace(fields) => around.fetch(fields),
            Self::Analyze(fields) => {
                let is_judged = !fields.expect.is_empty() || fields.limits.is_some();
                let head = if is_judged { "Analyze and judge" } else { "Analyze" };
                format!("{head} {}", around.names(&fields.detectors)).trim_end().to_owned()
            }
            Self::ReadPower(fields) => format!("Read the power of {}", around.names(&fields.detectors)),
            Self::Align(fields) => {
                let name = around.name(fields.detector);
                match &fields.part {
                    Some(AlignPart { attempt, .. }) => format!("Align on {name}, attempt {attempt}"),
                    None => format!("Align on {name}"),
                }
            }
            Self::Wait(Wait::Seconds(time)) => format!("Wait {time}"),
            Self::Wait(Wait::At(time)) => format!("Wait until {time}"),
            Self::Wait(Wait::Stable(stable)) => {
                format!("Wait until {} is stable within {}", around.name(stable.detector), stable.within_db)
            }
            Self::Wait(Wait::Steady(steady)) => {
                format!("Wait until {} is stable within {}", steady.to, steady.within)
            }
            Self::Log(fields) => format!("Log: {}", fields.message),
            Self::Prompt(fields) => format!("Ask: {}", fields.message),
            Self::Http(fields) => format!("Request {} {}", fields.method.as_str(), fields.destination),
            Self::Scpi(fields) => {
                format!("Send to {}: {}", fields.to.as_deref().unwrap_or("CTP10"), fields.text)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::operation::samples::samples;

    fn read(name: &str, fields: &serde_json::Value) -> Operation {
        Operation::read(name, fields).unwrap()
    }

    #[test]
    fn a_sweep_states_the_range_and_the_power_that_earlier_operations_have_set() {
        let mut around = Surroundings::default();
        let sweep = read("sweep", &json!({}));
        assert_eq!(sweep.words(&around), "Sweep");
        around.take(&read("configure_scan", &json!({ "start_nm": 1540, "stop_nm": 1560 })));
        around.take(&read("configure_tls", &json!({ "tls": 1, "power_dbm": -5 })));
        assert_eq!(sweep.words(&around), "Sweep 1540\u{2013}1560 nm at -5 dBm");
        around.take(&read("configure_tls", &json!({ "tls": 2, "power_dbm": 3 })));
        assert_eq!(sweep.words(&around), "Sweep 1540\u{2013}1560 nm");
        let own = read("sweep", &json!({ "start_nm": 1550 }));
        assert_eq!(own.words(&around), "Sweep 1550\u{2013}1560 nm");
    }

    #[test]
    fn detectors_have_the_names_of_the_recipe() {
        let names = [("through".to_owned(), "4/1".parse().unwrap())].into();
        let around = Surroundings::new(&names);
        let fetch = read("fetch_trace", &json!({ "detectors": ["4/1", "4/2"], "traces": ["tf", "raw"] }));
        assert_eq!(fetch.words(&around), "Fetch through and 4/2 (tf, raw)");
        assert_eq!(fetch.named(&around), "fetch_trace { detectors: [through, 4/2], traces: [tf, raw] }");
        let wait = read(
            "wait",
            &json!({ "stable": { "detector": "4/1", "within_db": 0.1, "for_s": 1, "timeout_s": 9 } }),
        );
        assert!(wait.named(&around).contains("detector: through"), "{}", wait.named(&around));
    }

    #[test]
    fn every_operation_has_words_without_braces() {
        for (name, mut fields) in samples() {
            // Options of the step, such as `retry`, are no fields of the operation.
            let known = Operation::field_names(name);
            if let Some(fields) = fields.as_object_mut() {
                fields.retain(|field, _| known.contains(field));
            }
            let words = read(name, &fields).words(&Surroundings::default());
            assert!(words.starts_with(char::is_uppercase) && !words.contains(" {"), "{name}: {words}");
        }
    }
}
