//! One figure of merit, with all that is needed to understand it later: unit, window, definition, error, reason.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::registry::Definition;
use crate::measurement::TraceUnit;

/// One figure of merit of one device.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Figure {
    /// The name, with the unit in it: `bandwidth_3db_nm`.
    #[serde(rename = "figure")]
    pub name: String,
    /// The value; `None` when the figure was not measured.
    pub value: Option<f64>,
    /// The unit; `1` for ratios.
    pub unit: String,
    /// Where on the wavelength axis the figure belongs, nm.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nm: Option<f64>,
    /// The feature of the trace, where there are several of its kind: `dip 2`, `channel 21`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<String>,
    /// Present when the true value is only known to be beyond `value`, or beyond `bound_value` if not measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bound: Option<Bound>,
    /// The bound of a figure that was not measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bound_value: Option<f64>,
    /// The standard error, in the unit of the value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<f64>,
    /// The part of the trace that was used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<WindowNm>,
    /// How the value was computed. Empty where the version of the table of definitions is stated instead.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub definition: String,
    /// Why there is no value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_measured: Option<String>,
    /// Remarks that a reader of the value needs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// On which side of a number the true value lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum Bound {
    /// The true value is at least this.
    #[serde(rename = "≥")]
    AtLeast,
    /// The true value is at most this.
    #[serde(rename = "≤")]
    AtMost,
}

impl Bound {
    /// The mathematical sign.
    #[must_use]
    pub fn sign(self) -> &'static str {
        match self {
            Self::AtLeast => "≥",
            Self::AtMost => "≤",
        }
    }
}

/// A part of the wavelength axis.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct WindowNm {
    /// Lower end, nm.
    pub from_nm: f64,
    /// Upper end, nm.
    pub to_nm: f64,
}

impl WindowNm {
    /// A window of this half width about its centre.
    pub(super) fn around(center_nm: f64, half_nm: f64) -> Self {
        Self { from_nm: center_nm - half_nm, to_nm: center_nm + half_nm }
    }

    /// The part within another window.
    pub(super) fn clipped(self, room: Self) -> Self {
        Self { from_nm: self.from_nm.max(room.from_nm), to_nm: self.to_nm.min(room.to_nm) }
    }
}

impl Figure {
    fn new(definition: &Definition, level_db: Option<f64>) -> Self {
        Self {
            name: definition.name_at(level_db),
            value: None,
            unit: definition.unit.to_owned(),
            nm: None,
            of: None,
            bound: None,
            bound_value: None,
            error: None,
            window: None,
            definition: definition.formula_at(level_db),
            not_measured: None,
            notes: Vec::new(),
        }
    }

    /// A figure with a value. A value that is not finite counts as not measured.
    #[must_use]
    pub fn measured(definition: &Definition, value: f64) -> Self {
        Self::measured_at(definition, None, value)
    }

    /// A figure with a value and a level in its name: `bandwidth_3db_nm`.
    #[must_use]
    pub fn measured_at(definition: &Definition, level_db: Option<f64>, value: f64) -> Self {
        if !value.is_finite() {
            return Self::missing_at(definition, level_db, "the samples give no finite value");
        }
        Self { value: Some(value), ..Self::new(definition, level_db) }
    }

    /// A figure that a limit names and no analysis has.
    #[must_use]
    pub fn without_value(name: &str, reason: impl Into<String>) -> Self {
        match super::registry::find(name) {
            Some((definition, level_db)) => Self::missing_at(definition, level_db, reason),
            None => {
                let unnamed = Definition { name: "", unit: "1", formula: "", window: "", source: "" };
                Self { name: name.to_owned(), ..Self::missing_at(&unnamed, None, reason) }
            }
        }
    }

    /// A figure that was not measured, with the reason.
    #[must_use]
    pub fn missing(definition: &Definition, reason: impl Into<String>) -> Self {
        Self::missing_at(definition, None, reason)
    }

    /// A figure with a level in its name that was not measured, with the reason.
    #[must_use]
    pub fn missing_at(definition: &Definition, level_db: Option<f64>, reason: impl Into<String>) -> Self {
        Self { not_measured: Some(reason.into()), ..Self::new(definition, level_db) }
    }

    /// A figure from a computation that may have failed.
    #[must_use]
    pub fn from_result(definition: &Definition, value: Result<f64, String>) -> Self {
        match value {
            Ok(value) => Self::measured(definition, value),
            Err(reason) => Self::missing(definition, reason),
        }
    }

    /// The same figure at a wavelength.
    #[must_use]
    pub fn at_nm(mut self, nm: f64) -> Self {
        self.nm = nm.is_finite().then_some(nm);
        self
    }

    /// The same figure of one feature among several.
    #[must_use]
    pub fn of(mut self, feature: impl Into<String>) -> Self {
        self.of = Some(feature.into());
        self
    }

    /// The same figure, computed from this part of the trace.
    #[must_use]
    pub fn within(mut self, from_nm: f64, to_nm: f64) -> Self {
        self.window = Some(WindowNm { from_nm, to_nm });
        self
    }

    /// The same figure as a level of a trace in this unit. The unit in its name is that of transmissions.
    #[must_use]
    pub fn in_unit(mut self, unit: TraceUnit) -> Self {
        unit.symbol().clone_into(&mut self.unit);
        self
    }

    /// The same figure with its standard error.
    #[must_use]
    pub fn with_error(mut self, error: f64) -> Self {
        self.error = error.is_finite().then_some(error);
        self
    }

    /// The same figure, whose value is only a bound.
    #[must_use]
    pub fn bounded(mut self, bound: Option<Bound>) -> Self {
        self.bound = bound;
        self
    }

    /// The same figure without a value, for which a bound is known.
    #[must_use]
    pub fn with_bound(mut self, bound: Bound, value: f64) -> Self {
        if value.is_finite() {
            self.bound = Some(bound);
            self.bound_value = Some(value);
        }
        self
    }

    /// The same figure with a remark.
    #[must_use]
    pub fn noted(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    /// Takes the value back, for this reason.
    pub fn take_back(&mut self, reason: &str) {
        (self.value, self.error) = (None, None);
        (self.bound, self.bound_value) = (None, None);
        self.notes.clear();
        self.not_measured = Some(reason.to_owned());
    }

    /// The value, unless the true value is only known to be beyond it.
    #[must_use]
    pub fn exact(&self) -> Option<f64> {
        self.value.filter(|_| self.bound.is_none())
    }

    /// Whether the value is only a bound.
    #[must_use]
    pub fn is_bound(&self) -> bool {
        self.value.is_some() && self.bound.is_some()
    }

    /// Whether the figure has a value.
    #[must_use]
    pub fn is_measured(&self) -> bool {
        self.value.is_some()
    }
}
