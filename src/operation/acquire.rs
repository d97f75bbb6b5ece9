//! Operations that bring values from the instrument: traces and power.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::decimal;
use crate::measurement::{Detector, TraceKind, TraceUnit};
use crate::units::Seconds;

/// A constant that is written into every row of a trace file.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Constant {
    /// A number, f64 in the file.
    Number(f64),
    /// A text.
    Text(String),
}

impl<'de> Deserialize<'de> for Constant {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let refuse = |given: &str, hint: &str| {
            Err(D::Error::custom(format!("a column must be a number or a text, not {given}{hint}")))
        };
        match Value::deserialize(deserializer)? {
            Value::Number(number) => match (decimal::changed(&number), number.as_f64()) {
                (None, Some(double)) => Ok(Self::Number(double)),
                (printed, _) => {
                    let printed = printed.unwrap_or_default();
                    let (message, hint) = decimal::changed_words(&number.to_string(), &printed);
                    Err(D::Error::custom(format!("{message}; {hint}")))
                }
            },
            Value::String(text) => Ok(Self::Text(text)),
            Value::Bool(flag) => refuse(&format!("`{flag}`"), &format!("; as a text it is \"{flag}\"")),
            Value::Null => refuse("nothing", ""),
            Value::Array(_) => refuse("a list", ""),
            Value::Object(_) => refuse("a map", ""),
        }
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct FetchTraceFields {
    /// A single detector.
    detector: Option<Detector>,
    /// Several of them.
    detectors: Option<Vec<Detector>>,
    /// A single trace.
    trace: Option<TraceKind>,
    /// Several of them.
    traces: Option<Vec<TraceKind>>,
    /// A name for the files: 1 to 80 letters, digits, `.`, `_`, `+`, `-`. The result of an expression may be any
    /// text. The column `name` contains the whole text, and the file name contains its allowed characters.
    name: Option<String>,
    /// Transfer the wavelength axis instead of computing it from start and sampling step.
    #[serde(default)]
    transfer_x: bool,
    /// Unit of the traces that have only a number, because their meaning is not public. Default: dB for the types 1 to 10,
    /// dBm for the others.
    unit: Option<TraceUnit>,
    /// Leave `CHANnel` out of the queries. Public documentation states that its number is not used for back-reflection
    /// traces.
    #[serde(default)]
    without_channel: bool,
    /// Constant columns of the files, in addition to the loop variables: numbers or texts by name.
    #[serde(default)]
    columns: BTreeMap<String, Constant>,
}

/// Transfers traces from the instrument and stores them in the run folder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "FetchTraceFields")]
#[schemars(with = "FetchTraceFields")]
pub struct FetchTrace {
    /// From which detectors, in this order.
    pub detectors: Vec<Detector>,
    /// Which traces of each, in this order.
    pub traces: Vec<TraceKind>,
    /// A name for the files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Transfer the wavelength axis instead of computing it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub transfer_x: bool,
    /// Unit of the traces that have only a number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<TraceUnit>,
    /// Leave `CHANnel` out of the queries.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub without_channel: bool,
    /// Constant columns for the files.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub columns: BTreeMap<String, Constant>,
}

impl TryFrom<FetchTraceFields> for FetchTrace {
    type Error = String;

    fn try_from(given: FetchTraceFields) -> Result<Self, String> {
        let detectors = one_or_many("detector", given.detector, given.detectors)?;
        let traces = one_or_many("trace", given.trace, given.traces)?;
        let named = traces.iter().find(|trace| !matches!(trace, TraceKind::Other(_)));
        if let Some(named) = named.filter(|_| given.unit.is_some()) {
            return Err(format!(
                "`unit` is for traces by number, but the unit of the trace `{named}` is known"
            ));
        }
        let modules: BTreeSet<u8> = detectors.iter().map(|detector| detector.module).collect();
        if given.without_channel && modules.len() < detectors.len() {
            return Err(
                "`without_channel` names the module only, so `detectors` may contain one channel of each"
                    .to_owned(),
            );
        }
        Ok(Self {
            detectors,
            traces,
            name: given.name,
            transfer_x: given.transfer_x,
            unit: given.unit,
            without_channel: given.without_channel,
            columns: given.columns,
        })
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ReadPowerFields {
    /// A single detector.
    detector: Option<Detector>,
    /// Several of them.
    detectors: Option<Vec<Detector>>,
    /// Number of readings of each detector. Default: 1.
    samples: Option<u32>,
    /// Time between readings. Default: 0.1 s.
    interval_s: Option<Seconds>,
    /// A name that is stored with the readings.
    name: Option<String>,
}

/// Reads power between scans. The readings are stored in the power files of the run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "ReadPowerFields")]
#[schemars(with = "ReadPowerFields")]
pub struct ReadPower {
    /// From which detectors.
    pub detectors: Vec<Detector>,
    /// How many readings of each.
    pub samples: u32,
    /// Time between readings.
    pub interval_s: Seconds,
    /// A name that is stored with the readings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

impl TryFrom<ReadPowerFields> for ReadPower {
    type Error = String;

    fn try_from(given: ReadPowerFields) -> Result<Self, String> {
        let detectors = one_or_many("detector", given.detector, given.detectors)?;
        let samples = given.samples.unwrap_or(1);
        if samples == 0 || samples > 1_000_000 {
            return Err(format!("samples `{samples}` is not allowed (1 to 1000000)"));
        }
        let interval_s = match given.interval_s {
            Some(interval) => interval,
            None => Seconds::new(0.1).map_err(|error| error.to_string())?,
        };
        Ok(Self { detectors, samples, interval_s, name: given.name })
    }
}

impl FetchTrace {
    /// The unit of a trace. The recipe gives the unit of a trace by number.
    #[must_use]
    pub fn unit_of(&self, trace: TraceKind, is_photocurrent: bool) -> TraceUnit {
        match self.unit.unwrap_or(trace.unit()) {
            TraceUnit::Dbm if is_photocurrent => TraceUnit::Dbma,
            unit @ (TraceUnit::Db | TraceUnit::Dbm | TraceUnit::Dbma) => unit,
        }
    }
}

pub(super) fn one_or_many<T>(field: &str, one: Option<T>, many: Option<Vec<T>>) -> Result<Vec<T>, String> {
    match (one, many) {
        (Some(_), Some(_)) => Err(format!("only one of `{field}` and `{field}s` may be given")),
        (Some(one), None) => Ok(vec![one]),
        (None, Some(many)) if many.is_empty() => Err(format!("`{field}s` is empty")),
        (None, Some(many)) => Ok(many),
        (None, None) => Err(format!("missing field `{field}` (or `{field}s`)")),
    }
}
