//! The declarations of a recipe: its YAML keys, or `recipe(#{…})` in a script.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::decode::{self, ReadError};
use crate::measurement::Detector;
use crate::step::resolve_detectors;
use crate::units::{Seconds, Target};

mod notify;
mod parameters;

pub use notify::{HookUrl, Notify, NotifyOn};
pub use parameters::{Given, bind, check_parameter, check_variable_name};

/// A parameter that can be overridden with `--set NAME=VALUE`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Parameter {
    /// The default value: a number, a text, true or false. The type of the parameter is the type of its default.
    pub default: Value,
    /// Smallest allowed value of a number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<f64>,
    /// Largest allowed value of a number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<f64>,
    /// The allowed values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub choices: Option<Vec<Value>>,
    /// Unit, for display.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// Description of the parameter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// Records live power during the whole run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RecordPower {
    /// The detectors.
    pub detectors: Vec<Detector>,
    /// Time between readings. Default: 0.1 s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval_s: Option<Seconds>,
}

/// The declarations of a recipe.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// Name of the recipe, part of the run folder's name: `[a-z0-9-]+`.
    #[schemars(regex(pattern = r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$"))]
    pub name: String,
    /// A description for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// `sim`, `host`, `host:port` or `TCPIP::host::port::SOCKET`. Default: the instrument of the command line or of
    /// the configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instrument: Option<String>,
    /// Options of the simulator, only for `instrument: sim`. They are those of `ctp10 simulate`, with `_` for `-`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub simulator: Option<Value>,
    /// Names for detectors.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub detectors: BTreeMap<String, Detector>,
    /// Any names and values. They are stored in the manifest and in every trace file.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, Value>,
    /// Records live power during the whole run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record_power: Option<RecordPower>,
    /// Leave the lasers on if the run succeeds.
    #[serde(default)]
    pub leave_lasers_on: bool,
    /// Sends a notification when the run ends: `{ url, on: [failure, done] }`. See `docs/notify.md`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notify: Option<Notify>,
    /// Parameters of the recipe, which `--set` can change.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, Parameter>,
}

impl Header {
    /// The instrument named in the recipe.
    #[must_use]
    pub fn target(&self) -> Option<Target> {
        self.instrument.as_deref()?.parse().ok()
    }

    /// Whether the recipe requires the simulator.
    #[must_use]
    pub fn is_simulated(&self) -> bool {
        self.target().is_some_and(|target| target.is_embedded())
    }

    /// Whether the simulator answers for the named instrument.
    #[must_use]
    pub fn simulates(&self, name: &str) -> bool {
        let options = self.simulator.as_ref().filter(|_| self.is_simulated());
        options.and_then(|options| options.get(name)).and_then(Value::as_bool).unwrap_or(false)
    }

    /// Reads the declarations, and reports everything that is wrong. A wrong key is left out.
    #[must_use]
    pub fn read(declared: &Map<String, Value>) -> (Self, Vec<ReadError>) {
        let mut header = Self::default();
        let mut wrong = Vec::new();
        // Each key is read separately, so that one error does not hide the next. Detectors come first, because other
        // keys use their names.
        let first = declared.get_key_value("detectors");
        let others = declared.iter().filter(|(key, _)| *key != "detectors" && *key != "parameters");
        for (key, value) in first.into_iter().chain(others) {
            header.read_key(key, value).unwrap_or_else(|error| wrong.push(error));
        }
        if !declared.contains_key("name") {
            wrong.push(ReadError {
                hint: Some("letters, digits and `-`; the name is part of the run folder's name".to_owned()),
                ..ReadError::new("the recipe has no `name`")
            });
        }
        if header.simulator.is_some() && header.target().is_some_and(|target| !target.is_embedded()) {
            wrong.push(ReadError {
                path: vec!["simulator".to_owned()],
                at_key: true,
                hint: Some("remove it, or write `instrument: sim`".to_owned()),
                ..ReadError::new("`simulator` is only allowed with `instrument: sim`")
            });
        }
        (header, wrong)
    }

    fn read_key(&mut self, key: &str, value: &Value) -> Result<(), ReadError> {
        let at = [key.to_owned()];
        if value.is_null() {
            return Err(ReadError::new(format!("`{key}` has no value")).under(&at));
        }
        let mut value = value.clone();
        if key == "record_power" {
            resolve_detectors(&mut value, &self.detectors).map_err(|error| error.under(&at))?;
        }
        let mut one = Map::from_iter([("name".to_owned(), Value::String("name".to_owned()))]);
        one.insert(key.to_owned(), value);
        let read: Self = decode::from_value(&Value::Object(one))?;
        match key {
            "name" => self.name = check_name(read.name).map_err(|error| error.under(&at))?,
            "description" => self.description = read.description,
            "instrument" => {
                check_instrument(read.instrument.as_deref()).map_err(|error| error.under(&at))?;
                self.instrument = read.instrument;
            }
            "simulator" => {
                if !read.simulator.as_ref().is_some_and(Value::is_object) {
                    let hint = "for example `{ dut: ring }`".to_owned();
                    let error = ReadError::new("`simulator` must be a map of options");
                    return Err(ReadError { hint: Some(hint), ..error }.under(&at));
                }
                self.simulator = read.simulator;
            }
            "detectors" => {
                for name in read.detectors.keys() {
                    let at = [key.to_owned(), name.clone()];
                    check_variable_name("detector", name).map_err(|error| error.under(&at))?;
                }
                self.detectors = read.detectors;
            }
            "metadata" => self.metadata = read.metadata,
            "record_power" => self.record_power = read.record_power,
            "leave_lasers_on" => self.leave_lasers_on = read.leave_lasers_on,
            "notify" => self.notify = read.notify,
            _ => {}
        }
        Ok(())
    }
}

/// Checks the name, which becomes part of a folder name.
fn check_name(name: String) -> Result<String, ReadError> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if name.is_empty()
        || name.len() > 80
        || !name.chars().all(plain)
        || name.starts_with('-')
        || name.ends_with('-')
    {
        let message =
            format!("name `{name}` is not allowed (1 to 80 of a-z, 0-9 and `-`, no `-` at either end)");
        return Err(ReadError::new(message));
    }
    Ok(name)
}

fn check_instrument(instrument: Option<&str>) -> Result<(), ReadError> {
    let Some(text) = instrument else { return Ok(()) };
    Target::in_recipe(text).map(drop).map_err(|error| ReadError {
        hint: Some("for example `192.168.1.20:5025`".to_owned()),
        ..ReadError::new(error.to_string())
    })
}
