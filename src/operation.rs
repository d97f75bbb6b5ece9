//! The vocabulary: all operations of recipes. YAML and Rhai produce only these, and the runner performs only these.
//! Field names contain the unit.

mod acquire;
mod align;
mod analyze;
mod attend;
mod forms;
mod http;
mod reference;
#[cfg(test)]
pub(crate) mod samples;
mod scpi;
mod settings;
mod stable;
mod traits;
mod words;

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, schema_for};
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use acquire::{Constant, FetchTrace, ReadPower};
pub use align::{Align, AlignPart, Good, OnAlignFail};
pub use analyze::{
    AnalyzeFields, Channels, Fit, GridName, LimitSet, LimitsSource, Lines, OnFail, OneOrMany, Point,
};
pub use attend::{Effect, Log, Prompt, Wait, time_of_day};
pub use forms::{ResultKind, ShortForm};
pub use http::{Destination, Http, Method, Poll};
pub use reference::{CreateReference, DriftCheck, IfStale, UnattendedReference};
pub use scpi::{Parse, Reading, Scpi, TextPoll};
pub use settings::{ConfigureDetector, ConfigureLaser, ConfigureScan, ConfigureTls};
pub use stable::{Stable, Steady};
pub use traits::{
    BenchEffect, BenchTarget, Exchange, LaserDemand, Lasers, Lasts, Memory, Named, NamedRole,
    OperationTraits, Question, Sends, Settings,
};
pub use words::Surroundings;

use crate::budget;
use crate::decode::{self, ReadError};

macro_rules! operations {
    ($($(#[$doc:meta])* $name:ident = $word:literal, $form:expr, $result:ident;)+) => {
        /// One operation with its fields.
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
        pub enum Operation {
            $($(#[$doc])* #[serde(rename = $word)] $name($name),)+
        }

        impl Operation {
            /// The names of all operations, as recipes write them.
            pub const NAMES: &'static [&'static str] = &[$($word),+];

            /// The name, as recipes write it.
            #[must_use]
            pub fn name(&self) -> &'static str {
                match self { $(Self::$name(_) => $word,)+ }
            }

            /// The short form of the operation called `name`.
            #[must_use]
            pub fn short_form(name: &str) -> ShortForm {
                match name {
                    $($word => $form,)+
                    _ => ShortForm::None,
                }
            }

            /// What the result of the operation called `name` holds; `None` if there is no such operation.
            #[must_use]
            pub fn result_kind(name: &str) -> Option<ResultKind> {
                match name {
                    $($word => Some(ResultKind::$result),)+
                    _ => None,
                }
            }

            /// The fields of the operation called `name`.
            #[must_use]
            pub fn field_names(name: &str) -> Vec<String> {
                match name {
                    $($word => decode::fields::<$name>(),)+
                    _ => Vec::new(),
                }
            }

            /// Reads the fields of the operation called `name`.
            ///
            /// # Errors
            /// An unknown operation, an unknown field, a missing one, or a value that is not allowed.
            pub fn read(name: &str, fields: &Value) -> Result<Self, ReadError> {
                check_texts(name, fields)?;
                match name {
                    $($word => decode::from_value(&Self::short_form(name).expand(fields)).map(Self::$name),)+
                    _ => Err(ReadError {
                        hint: Some(decode::suggestion(name, Self::NAMES.iter().copied())),
                        at_key: true,
                        ..ReadError::new(format!("unknown operation `{name}`"))
                    }),
                }
            }

            /// The fields of the operation `name`; fields for texts get a number as it was written, from `written`.
            #[must_use]
            pub fn with_texts<'v>(
                name: &str,
                fields: &'v Value,
                written: &dyn Fn(&[String]) -> Option<String>,
            ) -> Cow<'v, Value> {
                match (name, fields) {
                    (_, Value::Number(_)) if matches!(Self::short_form(name), ShortForm::Text(_)) => {
                        written(&[]).map_or(Cow::Borrowed(fields), |text| Cow::Owned(Value::String(text)))
                    }
                    $(($word, _) => decode::numbers_to_texts::<$name>(fields, written),)+
                    _ => Cow::Borrowed(fields),
                }
            }

            /// The JSON Schema of each operation's fields, by name.
            #[must_use]
            pub fn schemas() -> Vec<(&'static str, Schema)> {
                vec![$(($word, schema_for!($name)),)+]
            }
        }
    };
}

/// A sweep, with any field of the scan set just before it.
pub type Sweep = ConfigureScan;

/// An analysis. It has many fields, and most steps are others.
pub type Analyze = Box<AnalyzeFields>;

// Each line: the name in recipes, the short form, and what the result holds.
operations! {
    /// Static control of one laser: power, wavelength, output.
    ConfigureLaser = "configure_laser", ShortForm::None, Settings;
    /// One tunable laser source of the scan: laser, range, speed, power, trigger.
    ConfigureTls = "configure_tls", ShortForm::None, Settings;
    /// The scan as a whole: range, resolution, stabilization.
    ConfigureScan = "configure_scan", ShortForm::None, Settings;
    /// How one detector measures: units, calibration wavelength, trigger.
    ConfigureDetector = "configure_detector", ShortForm::None, Settings;
    /// Records the reference of a detector. A transmission function is relative to it.
    CreateReference = "create_reference", ShortForm::None, Reference;
    /// Runs one scan and waits until the instrument is idle; takes any field of `configure_scan`.
    Sweep = "sweep", ShortForm::Empty, Settings;
    /// Transfers traces from the instrument and stores them in the run folder.
    FetchTrace = "fetch_trace", ShortForm::None, Traces;
    /// Computes figures of merit of stored traces, and judges them by limits.
    Analyze = "analyze", ShortForm::None, Analysis;
    /// Reads power between scans.
    ReadPower = "read_power", ShortForm::None, Power;
    /// Aligns a device: sets the light, looks at the power, and performs steps while the power is too low.
    Align = "align", ShortForm::None, Alignment;
    /// Waits: for a time, until a time of day, or until a reading is stable.
    Wait = "wait", ShortForm::Number("seconds"), Nothing;
    /// Writes a line into the journal and onto the terminal.
    Log = "log", ShortForm::Text("message"), Nothing;
    /// Asks the operator a question.
    Prompt = "prompt", ShortForm::None, Answer;
    /// Sends a request to another instrument on the bench.
    Http = "http", ShortForm::None, Http;
    /// Sends one line of text to the CTP10 or to another instrument on the bench.
    Scpi = "scpi", ShortForm::None, Reply;
}

/// The longest texts of one operation: each step is journaled, printed and sent to watchers with its fields.
const TEXT_BYTES: usize = 16 << 10;

/// Refuses an operation whose texts are too long. The body of an `http` request is bounded as any value.
fn check_texts(name: &str, fields: &Value) -> Result<(), ReadError> {
    let bytes = budget::size(fields);
    if Operation::result_kind(name) == Some(ResultKind::Http) || bytes <= TEXT_BYTES {
        return Ok(());
    }
    let message = format!("the fields of `{name}` have {bytes} bytes; at most {TEXT_BYTES} are allowed");
    Err(ReadError { at_key: true, ..ReadError::new(message) })
}

/// The operation as a recipe writes it, in one line: `sweep { start_nm: 1520 }`.
impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = serde_json::to_value(self).map_err(|_| fmt::Error)?;
        f.write_str(&in_one_line(self.name(), &value))
    }
}

/// An operation as a recipe writes it; `value` is its JSON.
fn in_one_line(name: &str, value: &Value) -> String {
    let fields = value.get(name).and_then(Value::as_object).into_iter().flatten();
    let shown: Vec<String> = fields.map(|(name, value)| format!("{name}: {}", plain(value))).collect();
    if shown.is_empty() { name.to_owned() } else { format!("{name} {{ {} }}", shown.join(", ")) }
}

/// A value as YAML would take it in a flow map, without quotes around plain words.
pub(crate) fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => {
            number.as_f64().map_or_else(|| number.to_string(), |number| number.to_string())
        }
        Value::Array(items) => format!("[{}]", items.iter().map(plain).collect::<Vec<_>>().join(", ")),
        Value::Object(map) => {
            let fields: Vec<String> =
                map.iter().map(|(name, value)| format!("{name}: {}", plain(value))).collect();
            format!("{{ {} }}", fields.join(", "))
        }
        other => other.to_string(),
    }
}
